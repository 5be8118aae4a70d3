//! Adds an event to a chain. The lane is held, so its head is nobody else's.

use crate::audit::hash::{self, Entry};
use crate::db::plan::{self, Argument, Plan};
use crate::db::scan::{Index, Key, Reader, Row};
use crate::db::table::{Place, Table};
use crate::db::{json, session};
use crate::error::{Error, Result};
use pgrx::pg_sys::{self, BYTEAOID, INETOID, INT4OID, INT8OID, JSONBOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::{Inet, IntoDatum};
use std::cell::RefCell;

/// realm, lane
const HEADS: Index = Index::of(c"audit_heads", c"audit_heads_pkey");

/// Columns of a head by their numbers in the table.
mod column {
    pub const REALM: i16 = 1;
    pub const LANE: i16 = 2;
    pub const SEQ: i16 = 3;
    pub const PREV: i16 = 4;
    pub const HASH: i16 = 5;
}

const TYPES: &[pg_sys::Oid] = &[
    TEXTOID,
    INT4OID,
    INT8OID,
    INT8OID,
    TIMESTAMPTZOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    INETOID,
    TEXTOID,
    TEXTOID,
    JSONBOID,
    BYTEAOID,
    BYTEAOID,
];
static ADD: Plan = Plan::new(
    "INSERT INTO identity.audit_events (realm, lane, seq, event_id, at, session_role, acting_role, application_name,
       client_addr, action, subject, detail, prev, hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    TYPES,
);

/// Where this session left the head of a lane. Without it each event would begin with a search, and the second one of a
/// transaction would find the head behind its former version, the ten-thousandth behind ten thousand.
struct Left {
    realm: String,
    lane: i32,
    place: Place,
}

thread_local! {
    static LEFT: RefCell<Option<Left>> = const { RefCell::new(None) };
}

/// The end of a chain after an event.
struct Head {
    seq: i64,
    prev: Vec<u8>,
    hash: Vec<u8>,
}

/// Adds an event, and returns its number in the realm.
pub fn append(realm: &str, lane: i32, action: &str, subject: Option<&str>, detail: pg_sys::Datum) -> Result<i64> {
    let [session_role, acting_role, application_name] = session::who();
    let client_addr = session::client_addr()?;
    let entry = Entry {
        realm,
        lane,
        at: session::clock(),
        session_role: &session_role,
        acting_role: &acting_role,
        application_name: &application_name,
        client_addr: client_addr.as_deref(),
        action,
        subject,
        detail: &json::printed(detail),
    };
    let head = advance(&entry)?;
    let id = head.seq * 64 + i64::from(lane);
    add(&entry, &head, id, detail)?;
    Ok(id)
}

/// Moves the head of the lane on.
fn advance(entry: &Entry) -> Result<Head> {
    let heads = Table::open(HEADS.table)?;
    let mut head = None;
    let mut place = known_place(entry).and_then(|place| advance_at(&heads, place, entry, &mut head));
    if place.is_none() {
        let found = match find(entry)? {
            Some(place) => Some(place),
            None => {
                heads.insert(&[
                    plan::text(entry.realm),
                    entry.lane.into_datum(),
                    0i64.into_datum(),
                    bytea(&[]),
                    bytea(&[]),
                ])?;
                find(entry)?
            }
        };
        place = found.and_then(|place| advance_at(&heads, place, entry, &mut head));
    }
    let (Some(place), Some(head)) = (place, head) else {
        return Err(Error::new("XX000", "pg_identity could not write an event of the audit")
            .detail(format!("Lane {} of realm \"{}\" was changed by another session.", entry.lane, entry.realm))
            .hint("identity.audit_heads is written by the extension alone."));
    };
    LEFT.set(Some(Left { realm: entry.realm.to_string(), lane: entry.lane, place }));
    Ok(head)
}

fn known_place(entry: &Entry) -> Option<Place> {
    LEFT.with_borrow(|left| {
        let left = left.as_ref()?;
        let known = left.lane == entry.lane && left.realm == entry.realm;
        known.then_some(left.place)
    })
}

fn find(entry: &Entry) -> Result<Option<Place>> {
    let mut place = None;
    Reader::latest().rows(&HEADS, &[Key::Is(entry.realm), Key::IsInt(entry.lane)], |row| {
        place = row.place();
        false
    })?;
    Ok(place)
}

/// Nothing is done where the head is no longer in that place, or another one is.
fn advance_at(heads: &Table, place: Place, entry: &Entry, head: &mut Option<Head>) -> Option<Place> {
    heads.update(place, |row| {
        if row.name(column::REALM) != entry.realm || row.get::<i32>(column::LANE) != Some(entry.lane) {
            return None;
        }
        let next = next(row, entry);
        let changes = vec![
            (column::SEQ, next.seq.into_datum()),
            (column::PREV, bytea(&next.prev)),
            (column::HASH, bytea(&next.hash)),
        ];
        *head = Some(next);
        Some(changes)
    })
}

fn next(row: &Row, entry: &Entry) -> Head {
    let prev: Vec<u8> = row.get(column::HASH).unwrap_or_default();
    let seq = row.number(column::SEQ) + 1;
    Head { seq, hash: hash::hash(&prev, seq, entry).to_vec(), prev }
}

fn add(entry: &Entry, head: &Head, id: i64, detail: pg_sys::Datum) -> Result<()> {
    let values = [
        plan::text(entry.realm),
        entry.lane.into_datum(),
        head.seq.into_datum(),
        id.into_datum(),
        Some(pg_sys::Datum::from(entry.at)),
        plan::text(entry.session_role),
        plan::text(entry.acting_role),
        plan::text(entry.application_name),
        entry.client_addr.and_then(|address| Inet(address.to_string()).into_datum()),
        plan::text(entry.action),
        entry.subject.and_then(plan::text),
        Some(detail),
        bytea(&head.prev),
        bytea(&head.hash),
    ];
    let events = Table::open(c"audit_events")?;
    if events.is_plain_for_insert(values.len()) {
        events.insert(&values)
    } else {
        ADD.write_latest(&values, |_| Ok(()))
    }
}

fn bytea(bytes: &[u8]) -> Argument {
    bytes.into_datum()
}
