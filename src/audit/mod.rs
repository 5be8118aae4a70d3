//! The audit: events that are written and read, never changed. `identity.audit_events` in `sql/15_audit.sql`.
//!
//! Each realm has `LANES` chains of events. A transaction writes into one that no other holds, so that logins do not wait for
//! each other; `lane` chooses it, `write` adds the event.

mod lane;
mod write;

use crate::db::json;
use crate::db::plan::Argument;
use crate::db::session;
use crate::error::{Result, required};
use pgrx::AnyElement;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// What happened. Who, when and from where is found in the session. No secret belongs into an event.
pub struct Event<'a> {
    /// The realm; '' for what belongs to none.
    pub realm: &'a str,
    /// The function's name, as a rule.
    pub action: &'a str,
    /// Whom or what it was done to.
    pub subject: Option<&'a str>,
    pub detail: &'a serde_json::Value,
}

/// Adds an event to the audit, and returns its number in the realm.
pub fn record(event: &Event) -> Result<i64> {
    session::as_extension_owner(|| record_as_owner(event))
}

/// As `record`, for code that runs as the owner of the extension under its own search path.
pub fn record_as_owner(event: &Event) -> Result<i64> {
    let detail = json::jsonb(&event.detail.to_string());
    append(event.realm, event.action, event.subject, detail)
}

fn append(realm: &str, action: &str, subject: Option<&str>, detail: Argument) -> Result<i64> {
    write::append(realm, lane::take(realm), action, subject, detail)
}

/// See the comment on `identity._audit` in `sql/15_audit.sql`.
#[pg_extern(sql = false)]
fn audit(
    realm: Option<String>,
    action: Option<String>,
    subject: Option<String>,
    detail: Option<AnyElement>,
) -> std::result::Result<i64, ErrorReport> {
    let (realm, action) = (required("realm", realm)?, required("action", action)?);
    let detail = detail.map_or_else(|| json::jsonb("{}"), |d| Some(d.datum()));
    Ok(append(&realm, &action, subject.as_deref(), detail)?)
}
