//! What this session remembers of permissions, and until when.

use crate::authorization::cache::Cache;
use crate::authorization::findings::Findings;
use crate::authorization::grants::Permission;
use crate::authorization::plan::{Graph, Model};
use crate::authorization::policy::Policy;
use crate::authorization::store::{Closure, Parents};
use crate::db::invalidation;
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

#[derive(Default)]
struct Memory {
    generation: u64,
    cache: Cache<Entry>,
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

/// Forgets what is out of date. To be called at the start of each question.
pub fn refresh() {
    let generation = invalidation::generation();
    if MEMORY.with_borrow(|memory| memory.generation) == generation {
        return;
    }
    invalidation::watch();
    MEMORY.with_borrow_mut(|memory| {
        memory.cache.clear();
        memory.generation = generation;
    });
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
    MEMORY.with_borrow_mut(
        |memory| {
            if memory.set_key(tag, texts) { memory.cache.get(&memory.key, limit()) } else { None }
        },
    )
}

/// Remembers what was found, unless something has changed since the question began. `payload`: the bytes that `entry`
/// points to.
pub fn remember(tag: Tag, texts: &[&str], entry: Entry, payload: usize) {
    if !enabled() {
        return;
    }
    MEMORY.with_borrow_mut(|memory| {
        if memory.generation == invalidation::generation_seen() && memory.set_key(tag, texts) {
            memory.cache.insert(&memory.key, entry, payload, limit());
        }
    });
}

/// Entries, bytes, hits, misses, flushes.
pub fn status() -> [i64; 5] {
    MEMORY.with_borrow(|memory| {
        let cache = &memory.cache;
        [cache.entries() as i64, cache.bytes() as i64, cache.hits as i64, cache.misses as i64, cache.flushes as i64]
    })
}
