//! What a login leaves: the organization that was used last, and an event of the audit.

use crate::audit::{self, Event};
use crate::db::plan::{self, Plan};
use crate::db::{lock, session};
use crate::error::Result;
use crate::login::context::Context;
use crate::login::read::Who;
use crate::login::throttle::Login;
use crate::login::walk::{Attempt, Outcome};
use pgrx::pg_sys::{self, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use serde_json::{Map, Value, json};

static USED_AGAIN: Plan = Plan::new(
    "UPDATE identity.memberships AS m SET last_login = $4
     WHERE m.realm OPERATOR(pg_catalog.=) $1 AND m.identity_id OPERATOR(pg_catalog.=) $2
       AND m.organization OPERATOR(pg_catalog.=) $3 AND m.last_used
     RETURNING true",
    USED_TYPES,
);
static USED_NO_MORE: Plan = Plan::new(
    "UPDATE identity.memberships AS m SET last_used = false
     WHERE m.realm OPERATOR(pg_catalog.=) $1 AND m.identity_id OPERATOR(pg_catalog.=) $2 AND m.last_used",
    USED_TYPES.split_at(2).0,
);
static USED: Plan = Plan::new(
    "UPDATE identity.memberships AS m SET last_used = true, last_login = $4
     WHERE m.realm OPERATOR(pg_catalog.=) $1 AND m.identity_id OPERATOR(pg_catalog.=) $2
       AND m.organization OPERATOR(pg_catalog.=) $3",
    USED_TYPES,
);
const USED_TYPES: &[pg_sys::Oid] = &[TEXTOID, UUIDOID, TEXTOID, TIMESTAMPTZOID];

/// Remembers where the identity logged in. Of several logins that it makes at one time the first is remembered: none waits.
/// `again`: it was the last used already, in the snapshot of this login.
pub fn remember(who: Who, organization: &str, again: bool) -> Result<()> {
    if !lock::try_lock(lock::number(&[b"login", who.realm.as_bytes(), who.identity.as_bytes()])) {
        return Ok(());
    }
    let [realm, identity] = who.arguments();
    let used = [realm, identity, plan::text(organization), Some(session::now())];
    let mut done = false;
    if again {
        USED_AGAIN.write_latest(&used, |_| {
            done = true;
            Ok(())
        })?;
    }
    if done {
        return Ok(());
    }
    USED_NO_MORE.write_latest(&used[..2], |_| Ok(()))?;
    USED.write_latest(&used, |_| Ok(()))
}

/// What the audit keeps of a login. Of the context the address alone: the rest is the application's.
pub fn record(
    login: &Login,
    requested: Option<&str>,
    context: &Context,
    outcome: &Outcome,
    wait: Option<i64>,
) -> Result<i64> {
    let mut detail = Map::new();
    let mut note = |name: &str, value: Value| {
        if !value.is_null() {
            detail.insert(name.to_string(), value);
        }
    };
    note("decision", json!(outcome.decision.name()));
    note("organization", json!(outcome.organization));
    note("requested", json!(requested));
    note("reason", json!(outcome.reason.map(|r| r.name())));
    note("ip", json!(context.ip));
    note("attempts", Value::Array(outcome.attempts.iter().map(attempt).collect()));
    note("retry_after_seconds", json!(wait.map(|w| w / 1_000_000)));
    if !context.failed_factors.is_empty() {
        note("failed_factors", json!(context.failed_factors));
    }
    audit::record_as_owner(&Event {
        realm: login.realm,
        action: "resolve_login",
        subject: Some(login.subject),
        detail: &Value::Object(detail),
    })
}

fn attempt(attempt: &Attempt) -> Value {
    let mut entry = json!({"organization": attempt.organization, "outcome": attempt.outcome()});
    if let Some(reason) = attempt.reason {
        entry["reason"] = json!(reason.name());
    }
    entry
}
