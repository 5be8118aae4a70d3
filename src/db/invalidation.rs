//! When what a session keeps in memory is out of date: a counter that moves with every change of the tables it comes
//! from, by Postgres' own invalidation messages.
//!
//! A change calls `announce`, which invalidates the relation cache's entry of one relation that nobody uses otherwise.
//! The message takes effect here at the end of the command, again if it is rolled back, and in other sessions and on
//! standbys when the change has committed.

use crate::db::scan;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::ffi::CStr;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

static GENERATION: AtomicU64 = AtomicU64::new(1);

/// The relation whose invalidation says that something has changed, and those that it is about: for what is done to
/// them as a whole, such as ALTER TABLE … DISABLE TRIGGER.
static WATCHED: [AtomicU32; 8] = [const { AtomicU32::new(0) }; 8];

/// The tables from which something is kept in memory.
const TABLES: [&CStr; 7] = [
    c"access_grants",
    c"implied_scopes",
    c"members",
    c"permissions",
    c"policies",
    c"resource_containers",
    c"resource_types",
];

const SIGNAL: &CStr = c"permission_signal";

/// Once for each session.
pub fn register() {
    // SAFETY: the functions live as long as the library, which is never unloaded.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::from(0));
        for cache in [pg_sys::SysCacheIdentifier::AUTHMEMROLEMEM, pg_sys::SysCacheIdentifier::AUTHOID] {
            pg_sys::CacheRegisterSyscacheCallback(cache as i32, Some(role_changed), pg_sys::Datum::from(0));
        }
        pg_sys::RegisterXactCallback(Some(transaction_ended), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction_ended), std::ptr::null_mut());
    }
}

/// The counter, after the messages of others have been read.
pub fn generation() -> u64 {
    // SAFETY: to be called in a transaction, as every function is.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    GENERATION.load(Relaxed)
}

/// The counter as it was read last.
pub fn generation_seen() -> u64 {
    GENERATION.load(Relaxed)
}

/// Watches the signal and the tables, before anything is kept that they contain.
pub fn watch() {
    let schema = scan::schema();
    let signal = scan::relation(scan::internal_schema(), SIGNAL);
    let tables = TABLES.iter().map(|name| scan::relation(schema, name));
    for (slot, relation) in WATCHED.iter().zip(std::iter::once(signal).chain(tables)) {
        slot.store(relation.map_or(0, pg_sys::Oid::to_u32), Relaxed);
    }
}

/// Tells every session, when and if this transaction commits.
pub fn announce() {
    if let Some(signal) = scan::relation(scan::internal_schema(), SIGNAL) {
        // SAFETY: the relation exists.
        unsafe { pg_sys::CacheInvalidateRelcacheByRelid(signal) };
    }
}

/// Moves with every change of a relation, a type, a function or a role: for what is kept of the catalog as a whole.
static CATALOG: AtomicU64 = AtomicU64::new(1);

/// The counter for the catalog, after the messages of others have been read.
pub fn catalog_generation() -> u64 {
    static WATCHES: Once = Once::new();
    // SAFETY: the functions live as long as the library, which is never unloaded; to be called in a transaction.
    WATCHES.call_once(|| unsafe {
        use pg_sys::SysCacheIdentifier::*;
        pg_sys::CacheRegisterRelcacheCallback(Some(catalog_relation_changed), pg_sys::Datum::from(0));
        for cache in [AUTHMEMROLEMEM, AUTHOID, CLAOID, COLLOID, CONSTROID, NAMESPACEOID, OPEROID, PROCOID, TYPEOID] {
            pg_sys::CacheRegisterSyscacheCallback(cache as i32, Some(catalog_entry_changed), pg_sys::Datum::from(0));
        }
    });
    // SAFETY: as above.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    CATALOG.load(Relaxed)
}

// The callbacks run in the middle of everything, also of an abort: they do nothing but move the counter.

#[pg_guard]
extern "C-unwind" fn relation_changed(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    let relation = relation.to_u32();
    // Oid 0: messages were lost, so anything may have changed.
    if relation == 0 || WATCHED.iter().any(|watched| watched.load(Relaxed) == relation) {
        GENERATION.fetch_add(1, Relaxed);
    }
}

#[pg_guard]
extern "C-unwind" fn role_changed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    GENERATION.fetch_add(1, Relaxed);
}

#[pg_guard]
extern "C-unwind" fn transaction_ended(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_PARALLEL_ABORT};
    if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PARALLEL_ABORT) && has_written() {
        GENERATION.fetch_add(1, Relaxed);
    }
}

#[pg_guard]
extern "C-unwind" fn subtransaction_ended(
    event: pg_sys::SubXactEvent::Type,
    _subtransaction: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut std::ffi::c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB && has_written() {
        GENERATION.fetch_add(1, Relaxed);
    }
}

/// Whether the (sub)transaction that ends has rows of its own that nobody may go on seeing.
fn has_written() -> bool {
    // SAFETY: a plain read of the transaction's state.
    unsafe { pg_sys::GetCurrentTransactionIdIfAny() != pg_sys::InvalidTransactionId }
}

#[pg_guard]
extern "C-unwind" fn catalog_relation_changed(_argument: pg_sys::Datum, _relation: pg_sys::Oid) {
    CATALOG.fetch_add(1, Relaxed);
}

#[pg_guard]
extern "C-unwind" fn catalog_entry_changed(_argument: pg_sys::Datum, _cache: i32, _entry: u32) {
    CATALOG.fetch_add(1, Relaxed);
}
