//! A Bloom filter a key: which hashes have been met before, for certain not or perhaps.
//!
//! One pass over the source fills it and catches the keys that may come twice; one pass over the target then passes only
//! the rows whose key may be in the source. What it lets through is compared exactly by the database, so a wrong
//! "perhaps" costs a comparison, and nothing else.

use pgrx::prelude::*;
use std::cell::RefCell;

/// Bits for each row: about one wrong "perhaps" in a hundred.
const BITS_PER_ROW: usize = 16;

/// Four bits of one 64-bit word stand for a hash: one access to memory for each question.
#[derive(Debug, Default)]
pub struct Sieve {
    words: Vec<u64>,
}

impl Sieve {
    /// For `rows` hashes, in at most `max_bytes`; with less room than it would like it lets more through.
    pub fn new(rows: usize, max_bytes: usize) -> Self {
        let words = (rows.saturating_mul(BITS_PER_ROW) / 64).min(max_bytes / 8).max(1);
        Sieve { words: vec![0; words] }
    }

    /// True where the hash may have been added before.
    pub fn add(&mut self, hash: u64) -> bool {
        let (word, bits) = self.place(hash);
        let seen = self.words[word] & bits == bits;
        self.words[word] |= bits;
        seen
    }

    /// False where the hash has not been added.
    pub fn may_hold(&self, hash: u64) -> bool {
        let (word, bits) = self.place(hash);
        self.words[word] & bits == bits
    }

    fn place(&self, hash: u64) -> (usize, u64) {
        // The upper half chooses the word, the lower half four bits of it.
        let word = ((hash >> 32) as usize * self.words.len()) >> 32;
        let bits = (0..4).fold(0, |bits, i| bits | 1 << ((hash >> (6 * i)) & 63));
        (word, bits)
    }
}

thread_local! {
    static SIEVES: RefCell<Vec<Sieve>> = const { RefCell::new(Vec::new()) };
}

/// Puts the sieves of an outer run back, however the inner one ends.
struct Outer(Vec<Sieve>);

impl Drop for Outer {
    fn drop(&mut self) {
        SIEVES.replace(std::mem::take(&mut self.0));
    }
}

/// Runs `work` with a sieve for each of `count` keys; an import inside a trigger of another has its own.
pub fn with_sieves<T>(count: usize, rows: i64, max_bytes: usize, work: impl FnOnce() -> T) -> T {
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    let fresh = (0..count).map(|_| Sieve::new(rows, max_bytes / count.max(1))).collect();
    let _outer = Outer(SIEVES.replace(fresh));
    work()
}

/// Adds a hash to the sieve of key `slot`; true where it may have been there before, and where there is no such sieve.
#[pg_extern(sql = false)]
fn import_sieve_add(slot: i32, hash: i64) -> bool {
    let slot = usize::try_from(slot).unwrap_or(usize::MAX);
    SIEVES.with_borrow_mut(|sieves| sieves.get_mut(slot).is_none_or(|sieve| sieve.add(hash as u64)))
}

/// Whether the sieve of key `slot` may hold a hash; true where there is no such sieve.
#[pg_extern(sql = false)]
fn import_sieve_holds(slot: i32, hash: i64) -> bool {
    let slot = usize::try_from(slot).unwrap_or(usize::MAX);
    SIEVES.with_borrow(|sieves| sieves.get(slot).is_none_or(|sieve| sieve.may_hold(hash as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A good mixer, as the database's hash functions are.
    fn mix(n: u64) -> u64 {
        let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    }

    proptest! {
        #[test]
        fn what_was_added_is_never_denied(hashes in prop::collection::vec(any::<u64>(), 1..200), room in 0usize..64) {
            let mut sieve = Sieve::new(hashes.len(), room);
            for (i, hash) in hashes.iter().enumerate() {
                let before = sieve.add(*hash);
                prop_assert!(before || !hashes[..i].contains(hash));
            }
            for hash in &hashes {
                prop_assert!(sieve.may_hold(*hash));
            }
        }
    }

    #[test]
    fn few_strangers_pass() {
        let mut sieve = Sieve::new(10_000, usize::MAX);
        for n in 0..10_000 {
            sieve.add(mix(n));
        }
        let passed = (10_000..20_000).filter(|n| sieve.may_hold(mix(*n))).count();
        assert!(passed < 300, "{passed} of 10,000 pass");
    }
}
