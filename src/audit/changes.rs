//! Rows of values: what a row of a table was before a statement, and what it is after. Knows nothing of Postgres' tables.
//!
//! Rows are packed into chunks. A row that is kept: its operation, the length of its values, a random number of sixteen bytes, the
//! values. A row that was erased: its digest alone. The digest of a row is SHA-256 of the random number, the operation and the values: who
//! has the digest without the random number cannot find the values by trying. The digest of a chunk is that of the digests of its
//! rows, and the digest of an event that of the digests of its chunks.
//!
//! Values stand in the order of the event's columns, each with its length and one more; 0 is NULL. After the former values of an
//! updated row come those that have changed, each with its length and two more; 0 says that it has not, 1 is NULL.

use crate::error::Result;
use sha2::{Digest, Sha256};

pub const INSERT: u8 = b'I';
pub const UPDATE: u8 = b'U';
pub const DELETE: u8 = b'D';
const ERASED: u8 = b'E';

const SALT: usize = 16;
pub type Hash = [u8; 32];

/// A chunk that has so many bytes is full. With them it fits a page.
const FULL: usize = 7_600;

/// The values of one row, before and after.
#[derive(Default)]
pub struct Change {
    pub operation: u8,
    pub values: Vec<u8>,
}

impl Change {
    pub fn begin(&mut self, operation: u8) {
        self.operation = operation;
        self.values.clear();
    }

    pub fn add(&mut self, value: Option<&[u8]>) {
        put(&mut self.values, value, 1);
    }

    /// What a value has become.
    pub fn add_new(&mut self, value: Option<&[u8]>) {
        match value {
            None => put_number(&mut self.values, 1),
            value => put(&mut self.values, value, 2),
        }
    }

    pub fn add_same(&mut self) {
        put_number(&mut self.values, 0);
    }
}

fn put(bytes: &mut Vec<u8>, value: Option<&[u8]>, more: usize) {
    let Some(value) = value else { return put_number(bytes, 0) };
    put_number(bytes, value.len() + more);
    bytes.extend_from_slice(value);
}

/// Seven bits a byte, the lowest first.
fn put_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Random numbers, made many at a time.
pub struct Salts {
    made: [u8; 4096],
    used: usize,
}

impl Salts {
    pub fn new() -> Self {
        Salts { made: [0; 4096], used: 4096 }
    }

    fn take(&mut self) -> [u8; SALT] {
        if self.used == self.made.len() {
            getrandom::fill(&mut self.made).expect("the system has random numbers");
            self.used = 0;
        }
        let salt = self.made[self.used..self.used + SALT].try_into().expect("as many bytes as were asked for");
        self.used += SALT;
        salt
    }
}

/// The rows of one event.
#[derive(Default)]
pub struct Rows {
    pub count: i64,
    chunk: Chunk,
    digest: Sha256,
}

#[derive(Default)]
pub struct Chunk {
    /// From 0.
    pub number: i32,
    pub rows: i32,
    pub data: Vec<u8>,
    digest: Sha256,
}

impl Rows {
    /// Adds a row; returns the chunk that it has made full.
    pub fn add(&mut self, change: &Change, salts: &mut Salts) -> Option<Chunk> {
        let room = change.values.len() + SALT + 8;
        let full = (self.chunk.rows > 0 && self.chunk.data.len() + room > FULL).then(|| self.take());
        let salt = salts.take();
        let data = &mut self.chunk.data;
        data.push(change.operation);
        put_number(data, change.values.len());
        data.extend_from_slice(&salt);
        data.extend_from_slice(&change.values);
        self.chunk.digest.update(digest_of(&salt, change.operation, &change.values));
        self.chunk.rows += 1;
        self.count += 1;
        full
    }

    /// The chunk in hand; another one begins.
    fn take(&mut self) -> Chunk {
        let next = Chunk { number: self.chunk.number + 1, ..Chunk::default() };
        let chunk = std::mem::replace(&mut self.chunk, next);
        self.digest.update(chunk.digest.clone().finalize());
        chunk
    }

    /// The last chunk, and the digest of all.
    pub fn finish(mut self) -> (Chunk, Hash) {
        let last = self.take();
        (last, self.digest.finalize().into())
    }
}

fn digest_of(salt: &[u8], operation: u8, values: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update([operation]);
    hash.update(values);
    hash.finalize().into()
}

/// A row of a chunk.
pub enum Row<'a> {
    Kept { operation: u8, salt: &'a [u8], values: &'a [u8] },
    Erased(&'a [u8]),
}

impl Row<'_> {
    fn digest(&self) -> Hash {
        match self {
            Row::Kept { operation, salt, values } => digest_of(salt, *operation, values),
            Row::Erased(digest) => (*digest).try_into().expect("a digest has as many bytes as it has"),
        }
    }
}

/// The rows of a chunk; `None` where it is not one.
pub fn rows(mut data: &[u8]) -> Option<Vec<Row<'_>>> {
    let mut rows = Vec::new();
    while let Some((&operation, rest)) = data.split_first() {
        data = rest;
        rows.push(match operation {
            ERASED => Row::Erased(take(&mut data, size_of::<Hash>())?),
            INSERT | UPDATE | DELETE => {
                let length = take_number(&mut data)?;
                Row::Kept { operation, salt: take(&mut data, SALT)?, values: take(&mut data, length)? }
            }
            _ => return None,
        });
    }
    Some(rows)
}

/// The digest of a chunk.
pub fn digest(data: &[u8]) -> Option<Hash> {
    let mut hash = Sha256::new();
    for row in rows(data)? {
        hash.update(row.digest());
    }
    Some(hash.finalize().into())
}

pub fn count_erased(data: &[u8]) -> Option<usize> {
    Some(rows(data)?.iter().filter(|row| matches!(row, Row::Erased(_))).count())
}

/// The chunk without the values of the rows of these numbers, from 1.
pub fn erase(data: &[u8], numbers: &[i32]) -> Option<Vec<u8>> {
    let mut erased = Vec::with_capacity(data.len());
    for (number, row) in (1..).zip(rows(data)?) {
        match row {
            Row::Kept { operation, salt, values } if !numbers.contains(&number) => {
                erased.push(operation);
                put_number(&mut erased, values.len());
                erased.extend_from_slice(salt);
                erased.extend_from_slice(values);
            }
            row => {
                erased.push(ERASED);
                erased.extend_from_slice(&row.digest());
            }
        }
    }
    Some(erased)
}

fn take<'a>(data: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = data.split_at_checked(length)?;
    *data = rest;
    Some(taken)
}

fn take_number(data: &mut &[u8]) -> Option<usize> {
    let (mut number, mut shift) = (0usize, 0);
    loop {
        let (&byte, rest) = data.split_first()?;
        *data = rest;
        number |= usize::from(byte & 0x7f).checked_shl(shift).filter(|_| shift < 56)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

/// Values of a row; `None` is NULL.
pub type Values<'a> = Vec<Option<&'a [u8]>>;

/// A row's values before and after, and whether each has changed.
pub struct Parts<'a> {
    pub old: Option<Values<'a>>,
    pub new: Option<Values<'a>>,
    pub changed: Vec<bool>,
}

/// Takes the values of a row with so many columns apart; `None` where they are not that.
pub fn parts(operation: u8, mut values: &[u8], columns: usize) -> Option<Parts<'_>> {
    let mut whole = || {
        let mut row = Values::with_capacity(columns);
        for _ in 0..columns {
            row.push(match take_number(&mut values)? {
                0 => None,
                length => Some(take(&mut values, length - 1)?),
            });
        }
        Some(row)
    };
    let first = whole()?;
    if operation != UPDATE {
        let (old, new) = if operation == DELETE { (Some(first), None) } else { (None, Some(first)) };
        return Some(Parts { old, new, changed: vec![false; columns] });
    }
    let (mut new, mut changed) = (first.clone(), vec![false; columns]);
    for (new, changed) in new.iter_mut().zip(&mut changed) {
        *changed = true;
        match take_number(&mut values)? {
            0 => *changed = false,
            1 => *new = None,
            length => *new = Some(take(&mut values, length - 2)?),
        }
    }
    Some(Parts { old: Some(first), new: Some(new), changed })
}

/// What is on record of a value that is a secret.
pub fn withheld(scheme: Option<&str>) -> Result<Vec<u8>> {
    Ok(serde_json::json!({ "withheld": scheme }).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(operation: u8, values: &[Option<&[u8]>]) -> Change {
        let mut change = Change::default();
        change.begin(operation);
        for value in values {
            change.add(*value);
        }
        change
    }

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 300, 1 << 20, (1 << 30) + 5] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            let mut rest = bytes.as_slice();
            assert_eq!(take_number(&mut rest), Some(number));
            assert!(rest.is_empty());
        }
        assert_eq!(take_number(&mut [0x80u8; 20].as_slice()), None);
    }

    #[test]
    fn an_update_has_what_changed() {
        let mut change = change(UPDATE, &[Some(b"a"), None, Some(b"c")]);
        change.add_same();
        change.add_new(Some(b"b"));
        change.add_new(None);
        let parts = parts(UPDATE, &change.values, 3).unwrap();
        assert_eq!(parts.old.unwrap(), [Some(b"a".as_slice()), None, Some(b"c")]);
        assert_eq!(parts.new.unwrap(), [Some(b"a".as_slice()), Some(b"b"), None]);
        assert_eq!(parts.changed, [false, true, true]);
    }

    #[test]
    fn an_event_has_the_same_digest_when_rows_are_erased() {
        let (mut salts, mut event, mut chunks) = (Salts::new(), Rows::default(), Vec::new());
        let long = vec![b'x'; 3000];
        for n in 0..10u8 {
            chunks.extend(event.add(&change(INSERT, &[Some(&[n]), Some(&long)]), &mut salts));
        }
        let (last, hash) = event.finish();
        chunks.push(last);
        assert_eq!(chunks.iter().map(|chunk| chunk.rows).sum::<i32>(), 10);
        assert!(chunks.len() > 3 && chunks.iter().all(|chunk| chunk.data.len() <= FULL));
        let erased: Vec<Vec<u8>> = chunks.iter().map(|chunk| erase(&chunk.data, &[2]).unwrap()).collect();
        let of = |chunks: &[Vec<u8>]| -> Hash {
            let mut all = Sha256::new();
            chunks.iter().for_each(|data| all.update(digest(data).unwrap()));
            all.finalize().into()
        };
        assert_eq!(of(&chunks.iter().map(|chunk| chunk.data.clone()).collect::<Vec<_>>()), hash);
        assert_eq!(of(&erased), hash);
        assert!(erased.iter().all(|data| count_erased(data) == Some(1)));
        // The values are gone, and so is what they were hashed with.
        assert!(erased[0].len() < chunks[0].data.len() - 2900);
        let mut tampered = erased.clone();
        *tampered[0].last_mut().unwrap() ^= 1;
        assert_ne!(of(&tampered), hash);
    }

    #[test]
    fn what_is_no_chunk_has_no_rows() {
        assert!(rows(b"X").is_none() && rows(b"I\x05abc").is_none() && rows(b"E123").is_none());
        assert!(parts(INSERT, b"\x05ab", 1).is_none());
        assert_eq!(rows(b"").unwrap().len(), 0);
    }

    #[test]
    fn two_rows_alike_have_different_digests() {
        let mut salts = Salts::new();
        let mut of = || {
            let mut event = Rows::default();
            event.add(&change(INSERT, &[Some(b"+4930123")]), &mut salts);
            event.finish().1
        };
        assert_ne!(of(), of());
    }
}
