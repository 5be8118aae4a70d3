//! What a login leaves: the organization that was used last, and an event of the audit.

use crate::audit::{self, Event};
use crate::db::plan::{self, Plan};
use crate::db::scan::Place;
use crate::db::table::{Shape, Table};
use crate::db::{lock, session};
use crate::error::Result;
use crate::login::context::Context;
use crate::login::read::{Who, column};
use crate::login::walk::{Attempt, Outcome, Reason};
use pgrx::IntoDatum;
use pgrx::pg_sys::{self, BOOLOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use serde::Serialize;

const MEMBERSHIPS: Shape = Shape {
    name: c"memberships",
    columns: &[TEXTOID, UUIDOID, TEXTOID, TEXTOID, BOOLOID, BOOLOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
};

const USED_TYPES: &[pg_sys::Oid] = &[TEXTOID, UUIDOID, TEXTOID, TIMESTAMPTZOID];
static USED_NO_MORE: Plan = Plan::new(
    "UPDATE identity.memberships AS m SET last_used = false
     WHERE m.realm OPERATOR(pg_catalog.=) $1 AND m.identity_id OPERATOR(pg_catalog.=) $2 AND m.last_used
       AND m.organization OPERATOR(pg_catalog.<>) $3",
    USED_TYPES.split_at(3).0,
);
static USED: Plan = Plan::new(
    "UPDATE identity.memberships AS m SET last_used = true, last_login = $4
     WHERE m.realm OPERATOR(pg_catalog.=) $1 AND m.identity_id OPERATOR(pg_catalog.=) $2
       AND m.organization OPERATOR(pg_catalog.=) $3",
    USED_TYPES,
);

/// Remembers where the identity logged in. Of several logins that it makes at one time the first is remembered: none waits.
/// `membership`: where it was, if the organization was the last used already.
pub fn remember(who: Who, organization: &str, membership: Option<Place>) -> Result<()> {
    if !lock::try_lock(lock::number(&[b"login", who.realm.as_bytes(), who.identity.as_bytes()])) {
        return Ok(());
    }
    if let Some(place) = membership
        && used_again(who, organization, place)?
    {
        return Ok(());
    }
    let used = [plan::text(who.realm), who.identity.into_datum(), plan::text(organization), Some(session::now())];
    // The event of the login tells of it.
    audit::recorded(c"memberships", || {
        USED_NO_MORE.write_latest(&used[..3])?;
        USED.write_latest(&used)
    })
}

/// Changes nothing but the time; false where it takes more than that.
fn used_again(who: Who, organization: &str, place: Place) -> Result<bool> {
    use column::membership as at;
    let Some(memberships) = Table::open(&MEMBERSHIPS)?.filter(|table| !table.needs_update(&[at::LAST_LOGIN])) else {
        return Ok(false);
    };
    let changed = memberships.update(place, |row| {
        let same = row.name(at::REALM) == who.realm
            && row.get(at::IDENTITY) == Some(who.identity)
            && row.name(at::ORGANIZATION) == organization;
        (same && row.flag(at::LAST_USED)).then(|| vec![(at::LAST_LOGIN, Some(session::now()))])
    });
    Ok(changed.is_some())
}

/// What the audit keeps of a login. Of the context the address alone: the rest is the application's.
#[derive(Serialize)]
struct Detail<'a> {
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<&'a str>,
    attempts: Vec<Tried<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<i64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    failed_factors: &'a [String],
}

#[derive(Serialize)]
struct Tried<'a> {
    organization: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Puts a login on record, and returns the number of the event.
pub fn record(
    realm: &str,
    subject: Option<&str>,
    requested: Option<&str>,
    context: &Context,
    outcome: &Outcome,
    wait: Option<i64>,
) -> Result<i64> {
    let detail = Detail {
        decision: outcome.decision.name(),
        organization: outcome.organization.as_deref(),
        requested,
        reason: outcome.reason.map(Reason::name),
        ip: context.ip.as_deref(),
        attempts: outcome.attempts.iter().map(tried).collect(),
        retry_after_seconds: wait.map(|w| w / 1_000_000),
        failed_factors: &context.failed_factors,
    };
    audit::record_as_owner(&Event { realm, action: "resolve_login", subject, detail: &detail })
}

fn tried(attempt: &Attempt) -> Tried<'_> {
    Tried { organization: &attempt.organization, outcome: attempt.outcome(), reason: attempt.reason.map(Reason::name) }
}
