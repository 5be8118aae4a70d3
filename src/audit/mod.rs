//! The audit: events that are written and read, never changed. `identity.audit_events` in `sql/15_audit.sql`.
//!
//! Each realm has chains of events. A transaction writes into one that no other holds, so that logins do not wait for each other;
//! `lane` chooses it, `hash` links an event to the one before, `write` adds it. `record` writes the events of statements that change
//! rows of the store; `changes` packs the values of these rows, and `show` shows them.

mod changes;
mod hash;
mod lane;
mod record;
mod show;
mod write;

use crate::db::transition::{Operation, Statement};
use crate::db::{json, reserve, scan, session, spi};
use crate::error::{Result, required};
use pgrx::AnyElement;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Serialize;
use std::cell::Cell;
use std::ffi::CStr;

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
    write::append(realm, lane::take(), action, subject, detail)
}

/// The event_id that the next event of a realm in this transaction will have.
pub fn next_event(realm: &str) -> Result<i64> {
    session::as_extension_owner(|| {
        let lane = lane::take();
        Ok(write::event_id(lane, write::next_seq(realm, lane)?))
    })
}

/// A table, a depth of triggers, and a subtransaction: what is written there is put on record by whoever writes it. After an error
/// the subtransaction is over.
type Recorded = (pg_sys::Oid, i32, pg_sys::TransactionId);

thread_local! {
    static RECORDED: Cell<Option<Recorded>> = const { Cell::new(None) };
}

/// Runs statements on a table of the extension that write no events, because the caller writes one that tells of them. Code that
/// they set off writes events as ever.
pub fn recorded<T>(table: &CStr, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let relation = scan::own_relation(scan::schema(), table)?;
    let before = RECORDED.replace(Some((relation, session::trigger_depth(), session::subtransaction())));
    let result = work();
    RECORDED.set(before);
    result
}

/// See the comment on `identity_internal.record_changes` in `sql/15_audit.sql`.
#[pg_extern(sql = false)]
fn record_changes(fcinfo: pg_sys::FunctionCallInfo) -> std::result::Result<(), ErrorReport> {
    // A statement written by hand has asked for no level.
    reserve::hold()?;
    // SAFETY: this is the call that is being served.
    let statement = unsafe { Statement::of(fcinfo)? };
    let here = || (statement.relation, session::trigger_depth() - 1, session::subtransaction());
    if statement.is_empty() || RECORDED.get() == Some(here()) {
        return Ok(());
    }
    let may_be_restored = statement.operation == Operation::Insert && session::has_settings_of_a_restore();
    Ok(session::as_extension_owner(|| {
        if may_be_restored && spi::value::<bool>("SELECT identity_internal.loading()", &[])? == Some(true) {
            return Ok(());
        }
        record::record(&statement)
    })?)
}

/// See the comment on `identity_internal.values_digest` in `sql/15_audit.sql`.
#[pg_extern(sql = false)]
fn values_digest(data: &[u8]) -> Option<Vec<u8>> {
    changes::digest(data).map(Vec::from)
}

/// See the comment on `identity_internal.values_erased` in `sql/15_audit.sql`.
#[pg_extern(sql = false)]
fn values_erased(data: &[u8]) -> Option<i64> {
    changes::count_erased(data).map(|count| count as i64)
}

/// See the comment on `identity_internal.erase_values` in `sql/15_audit.sql`.
#[pg_extern(sql = false)]
fn erase_values(data: &[u8], numbers: Vec<i32>) -> Option<Vec<u8>> {
    changes::erase(data, &numbers)
}

/// See the comment on `identity_internal.values_rows` in `sql/15_audit.sql`.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn values_rows(
    data: &[u8],
    columns: Vec<String>,
    forms: &str,
) -> TableIterator<
    'static,
    (
        name!(number, i32),
        name!(changed, Option<Vec<String>>),
        name!(old, Option<String>),
        name!(new, Option<String>),
        name!(erased, bool),
    ),
> {
    let rows = changes::rows(data).unwrap_or_default();
    let shown: Vec<_> = (1..).zip(&rows).map(|(number, row)| show::row(number, row, &columns, forms)).collect();
    TableIterator::new(shown)
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
