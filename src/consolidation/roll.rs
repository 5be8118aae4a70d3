//! The roll of a table's names: two readings of the table, by functions that its rows are shown to.
//!
//! In the first, the hash of every name goes through a sieve, which tells names that may have come before. In the second, the rows
//! whose name may come twice are kept. Between them the table is never sorted, nor copied.

use crate::consolidation::allot::hash;
use crate::consolidation::names;
use crate::consolidation::order;
use crate::consolidation::plan::{Heads, Normalize};
use crate::db::allocate;
use crate::db::store::Store;
use crate::import::sieve::Sieve;
use pgrx::IntoDatum;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{BOOLOID, BYTEAOID, INT8OID, OIDOID, Oid, TEXTOID, TIDOID};
use pgrx::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A row of the table. key: NULL where it is the name itself. main: its site has no prefix. place: compares as site and row_id do. oid, tid:
/// its table (a partition, perhaps), and where it lies in that.
const KEPT: [(&str, Oid); 11] = [
    ("hash", INT8OID),
    ("key", TEXTOID),
    ("main", BOOLOID),
    ("prefix", TEXTOID),
    ("place", BYTEAOID),
    ("oid", OIDOID),
    ("tid", TIDOID),
    ("site", TEXTOID),
    ("row_id", TEXTOID),
    ("login", TEXTOID),
    ("flag", TEXTOID),
];

pub struct Roll {
    normalize: Normalize,
    prefixes: BTreeMap<String, String>,
    heads: Heads,
    seen: Sieve,
    repeated: Sieve,
    /// Rows whose name may come twice.
    pub kept: Store,
    /// Keys that begin as a new name would.
    pub taken: Store,
}

impl Roll {
    /// For about `rows` rows, with sieves of at most `max_bytes`.
    pub fn new(normalize: Normalize, prefixes: BTreeMap<String, String>, rows: usize, max_bytes: usize) -> Self {
        let sieve = || Sieve::new(rows, max_bytes / 2);
        Roll {
            normalize,
            heads: Heads::of(normalize, prefixes.values()),
            prefixes,
            seen: sieve(),
            repeated: sieve(),
            kept: Store::by_byte(&KEPT),
            taken: Store::by_byte(&names::TAKEN),
        }
    }

    /// The first reading.
    fn note(&mut self, login: &str) {
        let key = self.normalize.key_of(login);
        let hash = hash(&key);
        if self.seen.add(hash) {
            self.repeated.add(hash);
        }
        if self.heads.begin(&key) {
            names::take(&mut self.taken, &key);
        }
    }

    /// The second reading.
    fn may_repeat(&self, login: &str) -> bool {
        self.repeated.may_hold(hash(&self.normalize.key_of(login)))
    }

    fn keep(&mut self, row: &Shown) {
        let key = self.normalize.key_of(row.login);
        let prefix = row.site.and_then(|site| self.prefixes.get(site)).map(String::as_str);
        self.kept.add(|| {
            [
                (hash(&key) as i64).into_datum(),
                (key != row.login).then_some(&*key).into_datum(),
                prefix.is_none().into_datum(),
                prefix.into_datum(),
                order::place(row.site, row.row_id).into_datum(),
                row.table.into_datum(),
                row.place.into_datum(),
                row.site.into_datum(),
                row.row_id.into_datum(),
                row.login.into_datum(),
                row.flag.into_datum(),
            ]
        });
    }
}

/// A row as the table shows it.
struct Shown<'a> {
    table: pg_sys::Oid,
    place: pg_sys::ItemPointerData,
    site: Option<&'a str>,
    row_id: Option<&'a str>,
    login: &'a str,
    flag: Option<&'a str>,
}

thread_local! {
    static ROLL: RefCell<Option<Roll>> = const { RefCell::new(None) };
}

/// Puts the roll of an outer run back, however the inner one ends.
struct Outer(Option<Roll>);

impl Drop for Outer {
    fn drop(&mut self) {
        ROLL.replace(self.0.take());
    }
}

/// Runs the two readings with a roll, and gives it back. A run inside a trigger of another has its own.
pub fn with_roll<E>(roll: Roll, readings: impl FnOnce() -> Result<(), E>) -> Result<Roll, E> {
    let _outer = Outer(ROLL.replace(Some(roll)));
    readings()?;
    Ok(ROLL.take().expect("the readings leave the roll where it is"))
}

/// Shows a name to the roll; false, so that the reading returns no row.
#[pg_extern(sql = false)]
fn dedup_note(login: &str) -> Result<bool, ErrorReport> {
    ensure(login)?;
    ROLL.with_borrow_mut(|roll| roll.iter_mut().for_each(|roll| roll.note(login)));
    Ok(false)
}

/// Sees that there is memory for the key of a long name.
fn ensure(login: &str) -> Result<(), ErrorReport> {
    const SMALL: usize = 65_536;
    if login.len() > SMALL {
        allocate::ensure(16 * login.len())?;
    }
    Ok(())
}

/// Whether a name may come twice.
#[pg_extern(sql = false)]
fn dedup_may_repeat(login: &str) -> Result<bool, ErrorReport> {
    ensure(login)?;
    Ok(ROLL.with_borrow(|roll| roll.as_ref().is_some_and(|roll| roll.may_repeat(login))))
}

/// Keeps a row that has a name; false, so that the reading returns none.
#[pg_extern(sql = false)]
fn dedup_keep(
    table: Option<pg_sys::Oid>,
    place: Option<pg_sys::ItemPointerData>,
    site: Option<&str>,
    row_id: Option<&str>,
    login: Option<&str>,
    flag: Option<&str>,
) -> Result<bool, ErrorReport> {
    for text in [site, row_id, login, flag].into_iter().flatten() {
        ensure(text)?;
    }
    let (Some(table), Some(place), Some(login)) = (table, place, login) else { return Ok(false) };
    let row = Shown { table, place, site, row_id, login, flag };
    ROLL.with_borrow_mut(|roll| roll.iter_mut().for_each(|roll| roll.keep(&row)));
    Ok(false)
}
