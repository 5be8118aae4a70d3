//! What logical replication writes into this database.

use crate::db::scan;
use pgrx::pg_sys::{self, Datum};
use std::ffi::CStr;

/// Whether a subscription of this database, enabled or not, fills one of these tables of the extension.
pub fn fills(tables: &[&CStr]) -> bool {
    let schema = scan::schema();
    tables.iter().filter_map(|table| scan::relation(schema, table)).any(is_subscribed)
}

fn is_subscribed(relation: pg_sys::Oid) -> bool {
    // SAFETY: a look into the system's cache of pg_subscription_rel, by the first column of its key.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::SUBSCRIPTIONRELMAP;
        let found = pg_sys::SearchSysCacheList(cache as i32, 1, relation.into(), Datum::null(), Datum::null());
        let any = (*found).n_members > 0;
        pg_sys::ReleaseCatCacheList(found);
        any
    }
}
