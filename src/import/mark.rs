//! Which source row the executor has in hand: so that an error can be blamed on it, and progress be seen.

use crate::db::progress;
use pgrx::prelude::*;
use std::cell::Cell;

#[derive(Debug, Clone, Copy, Default)]
pub struct Mark {
    /// The row that was handed over last; 0: none yet.
    pub row: i64,
    /// Rows handed over, and those done before this statement.
    rows: i64,
}

thread_local! {
    static MARK: Cell<Mark> = const { Cell::new(Mark { row: 0, rows: 0 }) };
}

/// Rows between two updates of the progress report.
const REPORT_EVERY: i64 = 500;

/// Starts a statement; returns what was marked before it, for `restore`: an import can run inside a trigger of another.
pub fn begin(rows_done: i64) -> Mark {
    MARK.replace(Mark { row: 0, rows: rows_done })
}

/// Ends a statement; returns the row that it had in hand.
pub fn restore(before: Mark) -> i64 {
    MARK.replace(before).row
}

/// Notes that source row `rn` is handed to the executor now. Always true.
#[pg_extern(sql = false)]
fn import_mark(rn: i64) -> bool {
    MARK.with(|mark| {
        let Mark { rows, .. } = mark.get();
        mark.set(Mark { row: rn, rows: rows + 1 });
        if (rows + 1) % REPORT_EVERY == 0 {
            progress::publish_rows_done(rows + 1);
        }
    });
    true
}

/// The source row that was handed over last: in RETURNING, the one that has just gone in.
#[pg_extern(sql = false)]
fn import_current() -> i64 {
    MARK.get().row
}
