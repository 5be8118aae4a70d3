//! Adds an event to a chain. The lane is held, so its head is nobody else's.

use crate::audit::hash::{self, Entry};
use crate::audit::lane::{self, LANES};
use crate::db::plan::{self, Argument, Plan};
use crate::db::scan::{Index, Key, Place, Reader, Row};
use crate::db::table::{Shape, Table};
use crate::db::{allocate, json, session};
use crate::error::{Error, Result};
use pgrx::pg_sys::{self, BYTEAOID, INETOID, INT4OID, INT8OID, JSONBOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::{Inet, IntoDatum};
use serde_json::{Value, json};
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

const HEAD: &[pg_sys::Oid] = &[TEXTOID, INT4OID, INT8OID, BYTEAOID, BYTEAOID];
const HEADS_TABLE: Shape = Shape { name: HEADS.table, columns: HEAD };
const EVENT: &[pg_sys::Oid] = &[
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
    EVENT,
);
const EVENTS_TABLE: Shape = Shape { name: c"audit_events", columns: EVENT };

static OPEN_LANE: Plan =
    Plan::new("INSERT INTO identity.audit_heads (realm, lane, seq, prev, hash) VALUES ($1, $2, $3, $4, $5)", HEAD);
static MOVE_ON: Plan = Plan::new(
    "UPDATE identity.audit_heads AS h SET seq = $3, prev = $4, hash = $5
     WHERE h.realm OPERATOR(pg_catalog.=) $1 AND h.lane OPERATOR(pg_catalog.=) $2",
    HEAD,
);

/// Where this session left the head of a lane. Without it each event would begin with a search, and the second one of a
/// transaction would find the head behind its former version, the ten-thousandth behind ten thousand.
struct Left {
    realm: String,
    lane: i32,
    place: Place,
}

/// Of so many heads the places are kept.
const MOST_LEFT: usize = 64;

thread_local! {
    static LEFT: RefCell<Vec<Left>> = const { RefCell::new(Vec::new()) };
}

/// The end of a chain.
#[derive(Default)]
struct Head {
    seq: i64,
    prev: Vec<u8>,
    hash: Vec<u8>,
}

/// A text of so many bytes is copied without a look whether there is memory for it.
const SMALL: usize = 64 << 10;

/// Adds an event, and returns its number in the realm.
pub fn append(realm: &str, lane: i32, action: &str, subject: Option<&str>, detail: pg_sys::Datum) -> Result<i64> {
    let [session_role, acting_role, application_name] = session::who();
    let client_addr = session::client_addr()?;
    // The subject is copied for the hash, and may be any text that somebody tried to log in with.
    if let Some(subject) = subject.filter(|subject| subject.len() > SMALL) {
        allocate::ensure(8 * subject.len())?;
    }
    json::with_printed(detail, |printed| {
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
            detail: printed,
        };
        let head = advance(&entry)?;
        let id = event_id(lane, head.seq);
        add(&entry, &head, id, detail)?;
        Ok(id)
    })
}

/// The number that an event has in its realm.
pub fn event_id(lane: i32, seq: i64) -> i64 {
    seq * i64::from(LANES) + i64::from(lane)
}

/// The number that the next event of a lane will have in it.
pub fn next_seq(realm: &str, lane: i32) -> Result<i64> {
    let mut found = find(realm, lane)?;
    if found.is_none() {
        open_lane(realm, lane)?;
        found = find(realm, lane)?;
    }
    Ok(found.map_or(0, |(_, head)| head.seq) + 1)
}

/// Makes the head of a lane. The chains of the database itself announce it, so that it is missed where it is gone; a lane of theirs
/// begins with the names of the others.
fn open_lane(realm: &str, lane: i32) -> Result<()> {
    let announced = |detail: Value| json::jsonb(&detail.to_string());
    if !realm.is_empty() {
        append("", lane::take(), "open_lane", Some(realm), announced(json!({ "lane": lane })))?;
    }
    let head = Head::default().row(realm, lane);
    match Table::open(&HEADS_TABLE)?.filter(|heads| !heads.needs_insert()) {
        Some(heads) => heads.insert(&head)?,
        None => OPEN_LANE.write_latest(&head)?,
    }
    if realm.is_empty() {
        let mut lanes = Vec::new();
        Reader::latest().rows(&HEADS, &[Key::Is(realm)], |row| {
            lanes.extend(row.get::<i32>(column::LANE));
            true
        })?;
        append(realm, lane, "open_lane", None, announced(json!({ "lane": lane, "lanes": lanes })))?;
    }
    Ok(())
}

/// Moves the head of the lane on.
fn advance(entry: &Entry) -> Result<Head> {
    let changed = [column::SEQ, column::PREV, column::HASH];
    match Table::open(&HEADS_TABLE)?.filter(|heads| !heads.needs_insert() && !heads.needs_update(&changed)) {
        Some(heads) => advance_in(&heads, entry),
        None => advance_by_statement(entry),
    }
}

fn advance_in(heads: &Table, entry: &Entry) -> Result<Head> {
    let mut head = None;
    let mut place = known_place(entry).and_then(|place| advance_at(heads, place, entry, &mut head));
    if place.is_none() {
        let found = match find(entry.realm, entry.lane)? {
            Some((place, _)) => place,
            None => {
                open_lane(entry.realm, entry.lane)?;
                find(entry.realm, entry.lane)?.and_then(|(place, _)| place)
            }
        };
        place = found.and_then(|place| advance_at(heads, place, entry, &mut head));
    }
    let (Some(place), Some(head)) = (place, head) else {
        return Err(Error::new("XX000", "pg_identity could not write an event of the audit")
            .detail(format!("Lane {} of realm \"{}\" was changed by another session.", entry.lane, entry.realm))
            .hint("identity.audit_heads is written by the extension alone."));
    };
    keep_place(entry, place);
    Ok(head)
}

/// Where a trigger, say of a tool that copies the table, is to be told.
fn advance_by_statement(entry: &Entry) -> Result<Head> {
    let mut found = find(entry.realm, entry.lane)?;
    if found.is_none() {
        open_lane(entry.realm, entry.lane)?;
        found = find(entry.realm, entry.lane)?;
    }
    let head = found.map_or_else(Head::default, |(_, head)| head).next(entry);
    MOVE_ON.write_latest(&head.row(entry.realm, entry.lane))?;
    Ok(head)
}

fn known_place(entry: &Entry) -> Option<Place> {
    LEFT.with_borrow(|left| left.iter().find(|left| left.is_of(entry)).map(|left| left.place))
}

fn keep_place(entry: &Entry, place: Place) {
    LEFT.with_borrow_mut(|left| {
        if let Some(left) = left.iter_mut().find(|left| left.is_of(entry)) {
            left.place = place;
            return;
        }
        if left.len() == MOST_LEFT {
            left.clear();
        }
        left.push(Left { realm: entry.realm.to_string(), lane: entry.lane, place });
    });
}

/// The head as it is now, and where.
fn find(realm: &str, lane: i32) -> Result<Option<(Option<Place>, Head)>> {
    let mut found = None;
    Reader::latest().rows(&HEADS, &[Key::Is(realm), Key::IsInt(lane)], |row| {
        found = Some((row.place(), Head::read(row)));
        false
    })?;
    Ok(found)
}

/// Nothing is done where the head is no longer in that place, or another one is.
fn advance_at(heads: &Table, place: Place, entry: &Entry, head: &mut Option<Head>) -> Option<Place> {
    heads.update(place, |row| {
        if row.name(column::REALM) != entry.realm || row.get::<i32>(column::LANE) != Some(entry.lane) {
            return None;
        }
        let next = Head::read(row).next(entry);
        let [_, _, seq, prev, hash] = next.row(entry.realm, entry.lane);
        *head = Some(next);
        Some(vec![(column::SEQ, seq), (column::PREV, prev), (column::HASH, hash)])
    })
}

impl Left {
    fn is_of(&self, entry: &Entry) -> bool {
        self.lane == entry.lane && self.realm == entry.realm
    }
}

impl Head {
    fn read(row: &Row) -> Self {
        let bytes = |column| row.get(column).unwrap_or_default();
        Head { seq: row.number(column::SEQ), prev: bytes(column::PREV), hash: bytes(column::HASH) }
    }

    /// The head after `entry`.
    fn next(self, entry: &Entry) -> Self {
        let seq = self.seq + 1;
        Head { seq, hash: hash::hash(&self.hash, seq, entry).to_vec(), prev: self.hash }
    }

    fn row(&self, realm: &str, lane: i32) -> [Argument; 5] {
        [plan::text(realm), lane.into_datum(), self.seq.into_datum(), bytea(&self.prev), bytea(&self.hash)]
    }
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
    match Table::open(&EVENTS_TABLE)?.filter(|events| !events.needs_insert()) {
        Some(events) => events.insert(&values),
        None => ADD.write_latest(&values),
    }
}

fn bytea(bytes: &[u8]) -> Argument {
    bytes.into_datum()
}
