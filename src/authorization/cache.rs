//! A bounded map from bytes to what was found out: what has not been used for long goes first.
//!
//! Two halves: what is used moves to the young one; when that is full, it becomes the old one, and what was left in the
//! old one goes. So it costs a look-up or two, and keeps at least what was used within the last half of its size.

use crate::db::allocate;
use foldhash::fast::RandomState;
use std::collections::HashMap;

type Key = Box<[u8]>;

/// What an entry takes besides its key and what it points to: the table's slot, at its emptiest, and the allocations'
/// own.
const ENTRY_BYTES: usize = 192;

pub struct Cache<V> {
    young: Half<V>,
    old: Half<V>,
    pub hits: u64,
    pub misses: u64,
    pub flushes: u64,
}

struct Half<V> {
    entries: HashMap<Key, (V, usize), RandomState>,
    bytes: usize,
}

impl<V> Default for Half<V> {
    fn default() -> Self {
        Half { entries: HashMap::default(), bytes: 0 }
    }
}

impl<V> Half<V> {
    /// Where there is no memory for more, nothing is kept.
    fn insert(&mut self, key: Key, value: V, bytes: usize) {
        if allocate::trying(|| self.entries.try_reserve(1)).is_err() {
            return;
        }
        self.bytes += bytes;
        if let Some((_, replaced)) = self.entries.insert(key, (value, bytes)) {
            self.bytes -= replaced;
        }
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some((_, bytes)) = self.entries.remove(key) {
            self.bytes -= bytes;
        }
    }
}

impl<V> Default for Cache<V> {
    fn default() -> Self {
        Cache { young: Half::default(), old: Half::default(), hits: 0, misses: 0, flushes: 0 }
    }
}

impl<V: Clone> Cache<V> {
    /// What is no longer `valid` goes, and is as if it had not been there.
    pub fn get(&mut self, key: &[u8], limit: usize, valid: impl Fn(&V) -> bool) -> Option<V> {
        let found = self.find(key, limit, valid);
        match found {
            Some(_) => self.hits += 1,
            None => self.misses += 1,
        }
        found
    }

    fn find(&mut self, key: &[u8], limit: usize, valid: impl Fn(&V) -> bool) -> Option<V> {
        if let Some((value, _)) = self.young.entries.get(key) {
            if valid(value) {
                return Some(value.clone());
            }
            self.young.remove(key);
        }
        // One of the same key may have been left here when the young half became the old one.
        let (key, (value, bytes)) = self.old.entries.remove_entry(key)?;
        self.old.bytes -= bytes;
        if !valid(&value) {
            return None;
        }
        self.insert_young(key, value.clone(), bytes, limit);
        Some(value)
    }

    /// `payload`: the bytes that the value points to. What alone is too large is not kept.
    pub fn insert(&mut self, key: &[u8], value: V, payload: usize, limit: usize) {
        let bytes = key.len() + payload + ENTRY_BYTES;
        if bytes <= limit / 2 {
            self.insert_young(key.into(), value, bytes, limit);
        }
    }

    fn insert_young(&mut self, key: Key, value: V, bytes: usize, limit: usize) {
        if self.young.bytes + bytes > limit / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        // The bound may have been lowered.
        if self.old.bytes > limit / 2 {
            self.old = Half::default();
        }
        self.young.insert(key, value, bytes);
    }

    pub fn clear(&mut self) {
        if self.entries() > 0 {
            (self.young, self.old) = (Half::default(), Half::default());
            self.flushes += 1;
        }
    }

    pub fn entries(&self) -> usize {
        self.young.entries.len() + self.old.entries.len()
    }

    pub fn bytes(&self) -> usize {
        self.young.bytes + self.old.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 10 * 2 * (ENTRY_BYTES + 8);

    #[test]
    fn what_is_used_stays() {
        let mut cache = Cache::default();
        cache.insert(b"used", 1, 0, LIMIT);
        for n in 0..1000_u64 {
            cache.insert(&n.to_be_bytes(), 2, 0, LIMIT);
            assert_eq!(cache.get(b"used", LIMIT, |_| true), Some(1));
        }
        assert_eq!(cache.get(&0_u64.to_be_bytes(), LIMIT, |_| true), None);
        assert_eq!(cache.get(&999_u64.to_be_bytes(), LIMIT, |_| true), Some(2));
    }

    #[test]
    fn a_lower_bound_holds_at_once() {
        let mut cache = Cache::default();
        for n in 0..1000_u64 {
            cache.insert(&n.to_be_bytes(), n, 0, 100 * LIMIT);
        }
        cache.insert(b"a", 1, 0, LIMIT);
        assert!(cache.bytes() <= LIMIT);
        assert_eq!(cache.get(b"a", LIMIT, |_| true), Some(1));
    }

    #[test]
    fn what_is_out_of_date_goes() {
        let mut cache = Cache::default();
        cache.insert(b"a", 1, 0, LIMIT);
        assert_eq!(cache.get(b"a", LIMIT, |value| *value > 1), None);
        assert_eq!((cache.entries(), cache.bytes(), cache.hits, cache.misses), (0, 0, 0, 1));
        // In the old half, too.
        cache.insert(b"a", 1, 0, LIMIT);
        for n in 0..15_u64 {
            cache.insert(&n.to_be_bytes(), 2, 0, LIMIT);
        }
        assert!(!cache.young.entries.contains_key(&b"a"[..]) && cache.old.entries.contains_key(&b"a"[..]));
        assert_eq!(cache.get(b"a", LIMIT, |value| *value > 1), None);
        assert_eq!(cache.entries(), 15);
    }

    #[test]
    fn it_is_emptied_and_refuses_the_too_large() {
        let mut cache = Cache::default();
        cache.insert(b"a", 1, 0, LIMIT);
        cache.insert(b"b", 2, LIMIT, LIMIT);
        assert_eq!((cache.get(b"a", LIMIT, |_| true), cache.get(b"b", LIMIT, |_| true)), (Some(1), None));
        cache.clear();
        assert_eq!((cache.get(b"a", LIMIT, |_| true), cache.bytes(), cache.flushes), (None, 0, 1));
    }

    proptest! {
        #[test]
        fn it_keeps_to_its_bound_and_gives_what_was_put(steps in proptest::collection::vec((0u8..60, any::<bool>(), 0usize..300), 0..400)) {
            let mut cache = Cache::default();
            let mut put = HashMap::new();
            for (key, write, payload) in steps {
                if write {
                    // As after a load: what is missing is put.
                    if cache.get(&[key], LIMIT, |_| true).is_none() {
                        cache.insert(&[key], payload, payload, LIMIT);
                        put.insert(key, payload);
                    }
                } else if let Some(value) = cache.get(&[key], LIMIT, |_| true) {
                    prop_assert_eq!(Some(&value), put.get(&key));
                }
                let counted: usize = cache.young.entries.values().chain(cache.old.entries.values()).map(|(_, bytes)| bytes).sum();
                prop_assert_eq!(counted, cache.bytes());
                prop_assert!(cache.bytes() <= LIMIT);
            }
        }
    }
}
