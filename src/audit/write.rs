//! Adds an event to a chain. The lane is held, so its head is nobody else's.

use crate::db::plan::{self, Argument, Plan};
use crate::db::session;
use crate::error::{Error, Result};
use pgrx::IntoDatum;
use pgrx::pg_sys::{self, BYTEAOID, INT4OID, INT8OID, JSONBOID, TEXTOID, TIMESTAMPTZOID};
use std::cell::RefCell;

/// Moves a head on. No row where it is not found.
macro_rules! advance {
    ($found:literal) => {
        concat!(
            "UPDATE identity.audit_heads AS h
             SET seq = h.seq OPERATOR(pg_catalog.+) 1, prev = h.hash,
                 hash = identity._audit_hash(h.hash, $1, $2, h.seq OPERATOR(pg_catalog.+) 1, $3, $4, $5, $6,
                                             pg_catalog.inet_client_addr(), $7, $8, $9)
             WHERE h.realm OPERATOR(pg_catalog.=) $1 AND h.lane OPERATOR(pg_catalog.=) $2",
            $found,
            " RETURNING h.seq, h.prev, h.hash, h.ctid::pg_catalog.text"
        )
    };
}

const TYPES: [pg_sys::Oid; 12] = [
    TEXTOID,
    INT4OID,
    TIMESTAMPTZOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    JSONBOID,
    INT8OID,
    BYTEAOID,
    BYTEAOID,
];
const TYPES_AND_PLACE: [pg_sys::Oid; 10] =
    [TEXTOID, INT4OID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID];

static OPEN_LANE: Plan =
    Plan::new("INSERT INTO identity.audit_heads (realm, lane) VALUES ($1, $2)", TYPES.split_at(2).0);
static ADVANCE: Plan = Plan::new(advance!(""), TYPES.split_at(9).0);
static ADVANCE_AT: Plan =
    Plan::new(advance!(" AND h.ctid OPERATOR(pg_catalog.=) $10::pg_catalog.text::pg_catalog.tid"), &TYPES_AND_PLACE);
static ADD: Plan = Plan::new(
    "INSERT INTO identity.audit_events (realm, lane, seq, event_id, at, session_role, acting_role, application_name,
       client_addr, action, subject, detail, prev, hash)
     VALUES ($1, $2, $10, $10 OPERATOR(pg_catalog.*) 64 OPERATOR(pg_catalog.+) $2, $3, $4, $5, $6,
       pg_catalog.inet_client_addr(), $7, $8, $9, $11, $12)",
    &TYPES,
);

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
    let advanced = match known_place(transaction, realm, lane) {
        Some(tid) => advance(&ADVANCE_AT, &[&event[..], &[plan::text(&tid)]].concat())?,
        None => None,
    };
    let head = match advanced {
        Some(head) => head,
        None => advance_by_key(&event)?,
    };
    let link = [head.seq.into_datum(), head.prev.into_datum(), head.hash.into_datum()];
    ADD.write_latest(&[&event[..], &link].concat(), |_| Ok(()))?;
    PLACE.set(Some(Place { transaction, realm: realm.to_string(), lane, tid: head.tid }));
    Ok(head.seq * 64 + i64::from(lane))
}

fn known_place(transaction: u32, realm: &str, lane: i32) -> Option<String> {
    PLACE.with_borrow(|place| {
        let place = place.as_ref()?;
        let known = place.transaction == transaction && place.lane == lane && place.realm == realm;
        known.then(|| place.tid.clone())
    })
}

/// The end of a lane as it is now, and the hash before it.
struct Head {
    seq: i64,
    prev: Vec<u8>,
    hash: Vec<u8>,
    tid: String,
}

/// Moves the head of a lane that may be new.
fn advance_by_key(event: &[Argument]) -> Result<Head> {
    if let Some(head) = advance(&ADVANCE, event)? {
        return Ok(head);
    }
    OPEN_LANE.write_latest(&event[..2], |_| Ok(()))?;
    advance(&ADVANCE, event)?.ok_or_else(|| Error::new("XX000", "pg_identity could not write an event of the audit"))
}

fn advance(plan: &Plan, event: &[Argument]) -> Result<Option<Head>> {
    let mut head = None;
    plan.write_latest(event, |row| {
        let texts = (row.get::<Vec<u8>>(2), row.get::<Vec<u8>>(3), row.get::<String>(4));
        if let (Some(seq), (Some(prev), Some(hash), Some(tid))) = (row.get::<i64>(1), texts) {
            head = Some(Head { seq, prev, hash, tid });
        }
        Ok(())
    })?;
    Ok(head)
}
