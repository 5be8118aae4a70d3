//! Which source row the executor has in hand: so that an error can be blamed on it, and progress be seen.

use crate::db::progress;
use crate::import::numbers::NumberSet;
use pgrx::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Rows of a run that do not go in.
pub type Dead = Rc<RefCell<NumberSet>>;

#[derive(Debug, Clone, Copy)]
struct Mark {
    /// The row that was handed over last; 0: none yet.
    row: i64,
    /// Rows handed over, and those done before this statement.
    rows: i64,
    /// The last row of the source.
    last: i64,
}

thread_local! {
    /// `None` where no statement of an import is running: then there is nothing to mark.
    static MARK: Cell<Option<Mark>> = const { Cell::new(None) };
    static DEAD: RefCell<Option<Dead>> = const { RefCell::new(None) };
}

/// Rows between two updates of the progress report.
const REPORT_EVERY: i64 = 500;

/// Puts back what was marked before, however the statement ends: an import can run inside a trigger of another.
struct Outer(Option<Mark>, Option<Dead>);

impl Drop for Outer {
    fn drop(&mut self) {
        MARK.set(self.0);
        DEAD.set(self.1.take());
    }
}

/// Runs a statement over rows up to `last`, of which `done` are done and those in `dead` are to be left out; returns what came of it, and the
/// row that it had in hand.
pub fn during<T>(done: i64, last: i64, dead: &Dead, statement: impl FnOnce() -> T) -> (T, i64) {
    let mark = MARK.replace(Some(Mark { row: 0, rows: done, last }));
    let _outer = Outer(mark, DEAD.replace(Some(Rc::clone(dead))));
    let outcome = statement();
    (outcome, MARK.get().map_or(0, |mark| mark.row))
}

/// Notes that source row `rn` is handed to the executor now, one of `rows` of which the others are not marked. Always true.
#[pg_extern(sql = false)]
fn import_mark(rn: i64, rows: i32) -> bool {
    note(rn, i64::from(rows));
    true
}

/// Whether source row `rn` is to go in, as far as is known; if so, notes that it is handed to the executor now.
#[pg_extern(sql = false)]
fn import_take(rn: i64) -> bool {
    let dead = DEAD.with_borrow(|dead| dead.as_ref().is_some_and(|dead| dead.borrow().contains(rn)));
    if !dead {
        note(rn, 1);
    }
    !dead
}

/// As `import_mark`, for one row of which the place has been found.
#[pg_extern(sql = false)]
fn import_mark_at(rn: i64) -> bool {
    note(rn, 1);
    true
}

fn note(row: i64, rows: i64) {
    // A number that the source does not have comes from somebody else.
    let Some(before) = MARK.get().filter(|mark| (1..=mark.last).contains(&row)) else { return };
    let rows = before.rows.saturating_add(rows);
    MARK.set(Some(Mark { row, rows, ..before }));
    if rows / REPORT_EVERY != before.rows / REPORT_EVERY {
        progress::publish_rows_done(rows);
    }
}

/// The source row that was handed over last: in RETURNING, the one that has just gone in.
#[pg_extern(sql = false)]
fn import_current() -> i64 {
    MARK.get().map_or(0, |mark| mark.row)
}
