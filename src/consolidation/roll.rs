//! The roll of a table's names: two readings of the table, by functions that its rows are shown to.
//!
//! In the first, the hash of every name goes through a sieve, which tells names that may have come before. In the second, the rows
//! whose name may come twice are kept. Between them the table is never sorted, nor copied.

use crate::consolidation::allot::{Taken, hash};
use crate::consolidation::members::{Member, RowId, Sites};
use crate::consolidation::plan::Normalize;
use crate::db::allocate;
use crate::import::sieve::Sieve;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeMap;

pub struct Roll {
    normalize: Normalize,
    prefixes: BTreeMap<String, String>,
    prefix_keys: Vec<String>,
    seen: Sieve,
    repeated: Sieve,
    pub sites: Sites,
    pub members: Vec<Member>,
    /// Keys that begin as a new name would.
    pub taken: Taken,
}

impl Roll {
    /// For about `rows` rows, with sieves of at most `max_bytes`.
    pub fn new(normalize: Normalize, prefixes: BTreeMap<String, String>, rows: usize, max_bytes: usize) -> Self {
        let prefix_keys = prefixes.values().map(|prefix| normalize.key_of(prefix).into_owned()).collect();
        let sieve = || Sieve::new(rows, max_bytes / 2);
        Roll {
            normalize,
            prefixes,
            prefix_keys,
            seen: sieve(),
            repeated: sieve(),
            sites: Sites::default(),
            members: Vec::new(),
            taken: Taken::default(),
        }
    }

    /// The first reading.
    fn note(&mut self, login: &str) {
        let key = self.normalize.key_of(login);
        let hash = hash(&key);
        if self.seen.add(hash) {
            self.repeated.add(hash);
        }
        if self.prefix_keys.iter().any(|prefix| key.starts_with(prefix.as_str())) {
            self.taken.insert(hash);
        }
    }

    /// The second reading.
    fn may_repeat(&self, login: &str) -> bool {
        self.repeated.may_hold(hash(&self.normalize.key_of(login)))
    }

    fn keep(
        &mut self,
        place: (u32, (u32, u16)),
        site: Option<&str>,
        row_id: Option<&str>,
        login: &str,
        flag: Option<&str>,
    ) {
        let key = self.normalize.key_of(login);
        let site = self.sites.place(site, &self.prefixes);
        let mut member = Member::new(site, RowId::parse(row_id), login, &key, hash(&key));
        (member.table, member.place) = place;
        member.flag = flag.map(Box::from);
        self.members.push(member);
    }
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
    let place = (table.to_u32(), pgrx::itemptr::item_pointer_get_both(place));
    ROLL.with_borrow_mut(|roll| roll.iter_mut().for_each(|roll| roll.keep(place, site, row_id, login, flag)));
    Ok(false)
}
