//! What this session remembers of permissions, and until when.

use crate::authorization::cache::Cache;
use crate::authorization::changes;
use crate::authorization::findings::Findings;
use crate::authorization::grants::Permission;
use crate::authorization::plan::{Graph, Model};
use crate::authorization::policy::Policy;
use crate::authorization::store::{Closure, Parents};
use crate::db::invalidation::{self, Slot, Topic};
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::cell::RefCell;
use std::rc::Rc;

static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);
static KILOBYTES: GucSetting<i32> = GucSetting::<i32>::new(16 * 1024);

pub fn define_settings() {
    GucRegistry::define_bool_guc(
        c"identity.permission_cache",
        c"Keeps answers about permissions in the session's memory.",
        c"The answers are the same without it.",
        &ENABLED,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"identity.permission_cache_size",
        c"Memory that one session uses for answers about permissions.",
        c"What has not been used for long goes first.",
        &KILOBYTES,
        64,
        2 * 1024 * 1024,
        GucContext::Userset,
        GucFlags::UNIT_KB,
    );
}

/// The bytes that may be used.
pub fn limit() -> usize {
    KILOBYTES.get().unsigned_abs() as usize * 1024
}

pub fn enabled() -> bool {
    ENABLED.get()
}

#[derive(Clone)]
pub enum Entry {
    Answer(bool),
    /// An answer that policies give anew each time.
    Findings(Rc<Findings>),
    Model(Rc<Model>),
    Graph(Rc<Graph>),
    Closure(Rc<Closure>),
    Parents(Parents),
    Policy(Rc<Policy>),
    /// The permissions of a scope on a whole type, ordered by subject; `None` where they are too many to be kept.
    OnType(Option<Rc<[Permission]>>),
}

/// What an entry is about; the texts follow.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Tag {
    OnType,
    OnResource,
    Model,
    Graph,
    Closure,
    Groups,
    Containers,
    Policy,
    TypeRows,
    /// A resource with many permissions.
    Crowded,
}

/// Whose permissions an entry is about, besides those of groups, roles and everybody, which are the realm's.
#[derive(Clone, Copy)]
pub enum Whose<'a> {
    Nobody,
    Subject(&'a str),
    /// Those of all users and clients.
    Anybody,
    /// How far the containers of a resource are covered depends on all permissions that stand on them.
    SubjectAndAnybody(&'a str),
}

#[derive(Clone)]
struct Kept {
    entry: Entry,
    /// It is out of date when one of these has changed since.
    slots: [Slot; 3],
    since: u64,
}

impl Kept {
    fn is_valid(&self) -> bool {
        !invalidation::has_moved(&self.slots, self.since)
    }
}

#[derive(Default)]
struct Memory {
    /// When everything had changed last.
    everything: u64,
    /// When the question in hand began.
    began: u64,
    cache: Cache<Kept>,
    key: Vec<u8>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// No entry is about names that are longer together.
const MOST_KEY: usize = 4096;

impl Memory {
    /// No text of Postgres has a zero byte. False where nothing is remembered of such texts.
    fn set_key(&mut self, tag: Tag, texts: &[&str]) -> bool {
        if texts.iter().map(|text| text.len()).sum::<usize>() > MOST_KEY {
            return false;
        }
        self.key.clear();
        self.key.push(tag as u8);
        for text in texts {
            self.key.extend_from_slice(text.as_bytes());
            self.key.push(0);
        }
        true
    }
}

/// Takes note of what has changed. To be called at the start of each question.
pub fn refresh() {
    let (now, everything) = (invalidation::now(), invalidation::everything());
    let is_new = MEMORY.with_borrow_mut(|memory| {
        memory.began = now;
        let is_new = memory.everything != everything;
        if is_new {
            memory.cache.clear();
            memory.everything = everything;
        }
        is_new
    });
    if is_new {
        invalidation::watch();
    }
}

/// Forgets everything: for what must not rest on memory.
pub fn forget() {
    refresh();
    MEMORY.with_borrow_mut(|memory| memory.cache.clear());
}

pub fn recall(tag: Tag, texts: &[&str]) -> Option<Entry> {
    if !enabled() {
        return None;
    }
    MEMORY.with_borrow_mut(|memory| {
        if !memory.set_key(tag, texts) {
            return None;
        }
        memory.cache.get(&memory.key, limit(), Kept::is_valid).map(|kept| kept.entry)
    })
}

/// Remembers what was found, until something changes that it is about, the first of the texts being the realm. `payload`:
/// the bytes that `entry` points to.
pub fn remember(tag: Tag, texts: &[&str], whose: Whose, entry: Entry, payload: usize) {
    if !enabled() {
        return;
    }
    let slots = slots_of(texts[0], whose);
    MEMORY.with_borrow_mut(|memory| {
        // What has changed since the question began may not have been seen.
        let kept = Kept { entry, slots, since: memory.began };
        if kept.is_valid() && memory.set_key(tag, texts) {
            memory.cache.insert(&memory.key, kept, payload, limit());
        }
    });
}

fn slots_of(realm: &str, whose: Whose) -> [Slot; 3] {
    let of_realm = invalidation::slot(Topic::Realm(changes::of_realm(realm)));
    let of_subject = |subject| invalidation::slot(Topic::Subject(changes::of_subject(realm, subject)));
    let of_anybody = || invalidation::slot(Topic::Permissions(changes::of_realm(realm)));
    match whose {
        Whose::Nobody => [of_realm; 3],
        Whose::Subject(subject) => [of_realm, of_subject(subject), of_realm],
        Whose::Anybody => [of_realm, of_realm, of_anybody()],
        Whose::SubjectAndAnybody(subject) => [of_realm, of_subject(subject), of_anybody()],
    }
}

/// Entries, bytes, hits, misses, flushes.
pub fn status() -> [i64; 5] {
    MEMORY.with_borrow(|memory| {
        let cache = &memory.cache;
        [cache.entries() as i64, cache.bytes() as i64, cache.hits as i64, cache.misses as i64, cache.flushes as i64]
    })
}
