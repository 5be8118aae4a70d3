//! Adds an event to a chain. The lane is held, so its head is nobody else's.

use crate::db::plan::{self, Argument, Plan};
use crate::db::session;
use crate::error::{Error, Result};
use pgrx::IntoDatum;
use pgrx::pg_sys::{self, INT4OID, JSONBOID, TEXTOID, TIMESTAMPTZOID};
use std::cell::RefCell;

/// Moves a head on, and adds the event: one statement. No row where the head is not found.
macro_rules! append {
    ($found:literal) => {
        concat!(
            "WITH head AS (
               UPDATE identity.audit_heads AS h
               SET seq = h.seq OPERATOR(pg_catalog.+) 1, prev = h.hash,
                   hash = identity._audit_hash(h.hash, $1, $2, h.seq OPERATOR(pg_catalog.+) 1, $3, $4, $5, $6,
                                               pg_catalog.inet_client_addr(), $7, $8, $9)
               WHERE h.realm OPERATOR(pg_catalog.=) $1 AND h.lane OPERATOR(pg_catalog.=) $2",
            $found,
            "  RETURNING h.seq, h.prev, h.hash, h.ctid AS place)
             INSERT INTO identity.audit_events (realm, lane, seq, at, session_role, acting_role, application_name,
               client_addr, action, subject, detail, prev, hash)
             SELECT $1, $2, h.seq, $3, $4, $5, $6, pg_catalog.inet_client_addr(), $7, $8, $9, h.prev, h.hash FROM head AS h
             RETURNING event_id, (SELECT h.place::pg_catalog.text FROM head AS h)"
        )
    };
}

const TYPES: [pg_sys::Oid; 10] =
    [TEXTOID, INT4OID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID];

static OPEN_LANE: Plan =
    Plan::new("INSERT INTO identity.audit_heads (realm, lane) VALUES ($1, $2)", TYPES.split_at(2).0);
static APPEND: Plan = Plan::new(append!(""), TYPES.split_at(9).0);
static APPEND_AT: Plan =
    Plan::new(append!(" AND h.ctid OPERATOR(pg_catalog.=) $10::pg_catalog.text::pg_catalog.tid"), &TYPES);

/// Where this transaction left the head of its lane. Without it, the second event of a transaction would find the head behind
/// its former version, and the ten-thousandth behind ten thousand.
struct Place {
    transaction: u32,
    realm: String,
    lane: i32,
    tid: String,
}

thread_local! {
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

pub fn append(realm: &str, lane: i32, action: &str, subject: Option<&str>, detail: Argument) -> Result<i64> {
    let [session_role, acting_role, application] = session::who();
    let event = [
        plan::text(realm),
        lane.into_datum(),
        Some(session::now()),
        plan::text(&session_role),
        plan::text(&acting_role),
        plan::text(&application),
        plan::text(action),
        subject.and_then(plan::text),
        detail,
    ];
    let transaction = session::transaction_number();
    let added = match known_place(transaction, realm, lane) {
        Some(tid) => run(&APPEND_AT, &[&event[..], &[plan::text(&tid)]].concat())?,
        None => None,
    };
    let (event_id, tid) = match added {
        Some(added) => added,
        None => append_by_key(&event)?,
    };
    PLACE.set(Some(Place { transaction, realm: realm.to_string(), lane, tid }));
    Ok(event_id)
}

fn known_place(transaction: u32, realm: &str, lane: i32) -> Option<String> {
    PLACE.with_borrow(|place| {
        let place = place.as_ref()?;
        let known = place.transaction == transaction && place.lane == lane && place.realm == realm;
        known.then(|| place.tid.clone())
    })
}

/// Appends to a lane that may be new.
fn append_by_key(event: &[Argument]) -> Result<(i64, String)> {
    if let Some(added) = run(&APPEND, event)? {
        return Ok(added);
    }
    OPEN_LANE.write_latest(&event[..2], |_| Ok(()))?;
    run(&APPEND, event)?.ok_or_else(|| Error::new("XX000", "pg_identity could not write an event of the audit"))
}

/// The event's number, and where the head is now.
fn run(plan: &Plan, arguments: &[Argument]) -> Result<Option<(i64, String)>> {
    let mut added = None;
    plan.write_latest(arguments, |row| {
        added = row.get::<i64>(1).zip(row.get::<String>(2));
        Ok(())
    })?;
    Ok(added)
}
