//! The audit: events that are written and read, never changed. `identity.audit_events` in `sql/15_audit.sql`.
//!
//! Each realm has `LANES` chains of events. A transaction writes into one that no other holds, so that logins do not wait for
//! each other; `lane` chooses it, `hash` links it to the one before, `write` adds it.

mod hash;
mod lane;
mod write;

use crate::db::json;
use crate::db::session;
use crate::error::{Result, required};
use pgrx::AnyElement;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Serialize;
use std::cell::Cell;

/// What happened. Who, when and from where is found in the session. No secret belongs into an event.
pub struct Event<'a, D> {
    /// The realm; '' for what belongs to none.
    pub realm: &'a str,
    /// The function's name, as a rule.
    pub action: &'a str,
    /// Whom or what it was done to.
    pub subject: Option<&'a str>,
    /// An object of JSON.
    pub detail: &'a D,
}

/// Adds an event to the audit, and returns its number in the realm.
pub fn record<D: Serialize>(event: &Event<D>) -> Result<i64> {
    session::as_extension_owner(|| record_as_owner(event))
}

/// As `record`, for code that runs as the owner of the extension under its own search path.
pub fn record_as_owner<D: Serialize>(event: &Event<D>) -> Result<i64> {
    let detail = json::jsonb(&serde_json::to_string(event.detail).expect("a detail can be written as JSON"));
    append(event.realm, event.action, event.subject, detail)
}

fn append(realm: &str, action: &str, subject: Option<&str>, detail: pg_sys::Datum) -> Result<i64> {
    write::append(realm, lane::take(realm), action, subject, detail)
}

/// A table, a depth of triggers, and a subtransaction: what is written there is put on record by whoever writes it. After an error
/// the subtransaction is over.
type Recorded = (pg_sys::Oid, i32, pg_sys::TransactionId);

thread_local! {
    static RECORDED: Cell<Option<Recorded>> = const { Cell::new(None) };
}

/// See the comment on `identity_internal.records` in `sql/15_audit.sql`.
#[pg_extern(sql = false)]
fn records(relation: Option<pg_sys::Oid>, depth: Option<i32>) {
    if session::read_only() {
        // What comes next is refused.
        return;
    }
    RECORDED.set(relation.zip(depth).map(|(relation, depth)| (relation, depth, session::subtransaction())));
}

/// See the comment on `identity_internal.is_recorded` in `sql/15_audit.sql`.
#[pg_extern(sql = false)]
fn is_recorded(relation: Option<pg_sys::Oid>, depth: Option<i32>) -> bool {
    RECORDED.get().is_some_and(|recorded| {
        let here = relation.zip(depth).map(|(relation, depth)| (relation, depth, session::subtransaction()));
        here == Some(recorded)
    })
}

/// See the comment on `identity_internal.audit` in `sql/15_audit.sql`.
#[pg_extern(sql = false)]
fn audit(
    realm: Option<&str>,
    action: Option<&str>,
    subject: Option<&str>,
    detail: Option<AnyElement>,
) -> std::result::Result<i64, ErrorReport> {
    let (realm, action) = (required("realm", realm)?, required("action", action)?);
    let detail = detail.map_or_else(|| json::jsonb("{}"), |d| d.datum());
    Ok(append(realm, action, subject, detail)?)
}
