//! When what a session keeps in memory is out of date: a clock that goes on with every change of the tables it comes
//! from, and the time at which each topic changed last, by Postgres' own invalidation messages.
//!
//! A topic is a label of an enum that nobody uses otherwise. A change calls `announce`, which invalidates the label's
//! entry in the system cache. The message takes effect here at the end of the command, again if it is rolled back, and in
//! other sessions and on standbys when the change has committed.

use crate::db::scan;
use pgrx::pg_sys::{self, Datum};
use pgrx::prelude::*;
use std::ffi::{CStr, CString};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// What a change is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Topic {
    Everything,
    /// The levels of access that roles have.
    Access,
    /// Realms that share a bucket: all of their permissions.
    Realm(u8),
    /// Users and clients that share a bucket: what they are in, and their own permissions.
    Subject(u8),
    /// Realms that share a bucket: permissions of some user or client.
    Permissions(u8),
}

impl Topic {
    /// As the enum has it.
    fn label(self) -> CString {
        let label = match self {
            Topic::Everything => "everything".to_string(),
            Topic::Access => "access".to_string(),
            Topic::Realm(bucket) => format!("realm {bucket}"),
            Topic::Subject(bucket) => format!("subject {bucket}"),
            Topic::Permissions(bucket) => format!("permissions {bucket}"),
        };
        CString::new(label).unwrap_or_default()
    }
}

/// Where the time of a topic stands.
pub type Slot = u16;

/// So many that two topics hardly ever share one; the pages of those that are never used are never touched.
const SLOTS: usize = 1 << 14;

static CLOCK: AtomicU64 = AtomicU64::new(1);
static EVERYTHING: AtomicU64 = AtomicU64::new(1);
static ROLES: AtomicU64 = AtomicU64::new(1);
static LAST: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

/// The enum, and where the topics stand that are known by heart.
static SIGNAL: AtomicU32 = AtomicU32::new(0);
static EVERYTHING_SLOT: AtomicU32 = AtomicU32::new(0);
static ACCESS_SLOT: AtomicU32 = AtomicU32::new(0);

/// The tables from which something is kept in memory: for what is done to them as a whole, such as ALTER TABLE … DISABLE
/// TRIGGER.
const TABLES: [&CStr; 7] = [
    c"access_grants",
    c"implied_scopes",
    c"members",
    c"permissions",
    c"policies",
    c"resource_containers",
    c"resource_types",
];
static WATCHED: [AtomicU32; TABLES.len()] = [const { AtomicU32::new(0) }; TABLES.len()];

const TYPE: &CStr = c"permission_topic";

/// Once for each session.
pub fn register() {
    // SAFETY: the functions live as long as the library, which is never unloaded.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), Datum::from(0));
        pg_sys::CacheRegisterSyscacheCallback(TOPICS, Some(topic_changed), Datum::from(0));
        for cache in [pg_sys::SysCacheIdentifier::AUTHMEMROLEMEM, pg_sys::SysCacheIdentifier::AUTHOID] {
            pg_sys::CacheRegisterSyscacheCallback(cache as i32, Some(role_changed), Datum::from(0));
        }
        pg_sys::RegisterXactCallback(Some(transaction_ended), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction_ended), std::ptr::null_mut());
    }
}

/// The time, after the messages of others have been read: what is read from the tables from now on is of this time, or
/// newer.
pub fn now() -> u64 {
    // SAFETY: to be called in a transaction, as every function is.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    CLOCK.load(Relaxed)
}

/// When everything changed last, by the messages that have been read.
pub fn everything() -> u64 {
    EVERYTHING.load(Relaxed).max(last(&EVERYTHING_SLOT))
}

/// When the levels of access, or the roles that have them, changed last.
pub fn access() -> u64 {
    everything().max(ROLES.load(Relaxed)).max(last(&ACCESS_SLOT))
}

/// Whether what these slots stand for has changed since.
pub fn has_moved(slots: &[Slot], since: u64) -> bool {
    slots.iter().any(|slot| LAST[usize::from(*slot)].load(Relaxed) > since)
}

fn last(slot: &AtomicU32) -> u64 {
    LAST[slot.load(Relaxed) as usize].load(Relaxed)
}

/// Watches the topics and the tables, before anything is kept that they contain.
pub fn watch() {
    SIGNAL.store(type_of_topics().to_u32(), Relaxed);
    EVERYTHING_SLOT.store(slot(Topic::Everything).into(), Relaxed);
    ACCESS_SLOT.store(slot(Topic::Access).into(), Relaxed);
    let schema = scan::schema();
    for (watched, name) in WATCHED.iter().zip(TABLES) {
        watched.store(scan::relation(schema, name).map_or(0, pg_sys::Oid::to_u32), Relaxed);
    }
}

const TOPICS: i32 = pg_sys::SysCacheIdentifier::ENUMTYPOIDNAME as i32;

/// The number by which a message names a topic tells the slot, so that nothing has to be looked up when it comes.
pub fn slot(topic: Topic) -> Slot {
    let label = topic.label();
    let (of_type, none) = (Datum::from(SIGNAL.load(Relaxed)), Datum::null());
    // SAFETY: the keys of this cache are a type and a name.
    let hash = unsafe { pg_sys::GetSysCacheHashValue(TOPICS, of_type, Datum::from(label.as_ptr()), none, none) };
    slot_of(hash)
}

fn slot_of(hash: u32) -> Slot {
    (hash as usize % SLOTS) as Slot
}

fn type_of_topics() -> pg_sys::Oid {
    // SAFETY: a look into the system's cache.
    unsafe {
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::TYPENAMENSP as i32,
            pg_sys::Anum_pg_type_oid as pg_sys::AttrNumber,
            Datum::from(TYPE.as_ptr()),
            scan::internal_schema().into(),
            Datum::null(),
            Datum::null(),
        )
    }
}

/// Tells every session, when and if this transaction commits.
pub fn announce(topics: impl IntoIterator<Item = Topic>) {
    let of_type = type_of_topics();
    // SAFETY: opened and closed, found and released in pairs.
    unsafe {
        let labels = pg_sys::table_open(pg_sys::EnumRelationId, LOCK);
        for topic in topics {
            let label = topic.label();
            let row = pg_sys::SearchSysCache2(TOPICS, of_type.into(), Datum::from(label.as_ptr()));
            // There is none while the extension is dropped: that is told by its tables.
            if !row.is_null() {
                pg_sys::CacheInvalidateHeapTuple(labels, row, std::ptr::null_mut());
                pg_sys::ReleaseSysCache(row);
            }
        }
        pg_sys::table_close(labels, LOCK);
    }
}

const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;

/// Moves with every change of a relation, a type, a function or a role: for what is kept of the catalog as a whole.
static CATALOG: AtomicU64 = AtomicU64::new(1);

/// The counter for the catalog, after the messages of others have been read.
pub fn catalog_generation() -> u64 {
    static WATCHES: Once = Once::new();
    // SAFETY: the functions live as long as the library, which is never unloaded; to be called in a transaction.
    WATCHES.call_once(|| unsafe {
        use pg_sys::SysCacheIdentifier::*;
        pg_sys::CacheRegisterRelcacheCallback(Some(catalog_relation_changed), Datum::from(0));
        for cache in [AUTHMEMROLEMEM, AUTHOID, CLAOID, COLLOID, CONSTROID, NAMESPACEOID, OPEROID, PROCOID, TYPEOID] {
            pg_sys::CacheRegisterSyscacheCallback(cache as i32, Some(catalog_entry_changed), Datum::from(0));
        }
    });
    // SAFETY: as above.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    CATALOG.load(Relaxed)
}

// The callbacks run in the middle of everything, also of an abort: they do nothing but move the clock.

fn tick(times: &AtomicU64) {
    times.store(CLOCK.fetch_add(1, Relaxed) + 1, Relaxed);
}

#[pg_guard]
extern "C-unwind" fn relation_changed(_argument: Datum, relation: pg_sys::Oid) {
    let relation = relation.to_u32();
    // Oid 0: messages were lost, so anything may have changed.
    if relation == 0 || WATCHED.iter().any(|watched| watched.load(Relaxed) == relation) {
        tick(&EVERYTHING);
    }
}

#[pg_guard]
extern "C-unwind" fn topic_changed(_argument: Datum, _cache: i32, hash: u32) {
    if hash == 0 {
        tick(&EVERYTHING);
    }
    tick(&LAST[usize::from(slot_of(hash))]);
}

#[pg_guard]
extern "C-unwind" fn role_changed(_argument: Datum, _cache: i32, _hash: u32) {
    tick(&ROLES);
}

#[pg_guard]
extern "C-unwind" fn transaction_ended(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_PARALLEL_ABORT};
    if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PARALLEL_ABORT) && has_written() {
        tick(&EVERYTHING);
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
        tick(&EVERYTHING);
    }
}

/// Whether the (sub)transaction that ends has rows of its own that nobody may go on seeing.
fn has_written() -> bool {
    // SAFETY: a plain read of the transaction's state.
    unsafe { pg_sys::GetCurrentTransactionIdIfAny() != pg_sys::InvalidTransactionId }
}

#[pg_guard]
extern "C-unwind" fn catalog_relation_changed(_argument: Datum, _relation: pg_sys::Oid) {
    CATALOG.fetch_add(1, Relaxed);
}

#[pg_guard]
extern "C-unwind" fn catalog_entry_changed(_argument: Datum, _cache: i32, _entry: u32) {
    CATALOG.fetch_add(1, Relaxed);
}
