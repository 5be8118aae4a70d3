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

/// Notes that source row `rn` is handed to the executor now, one of `rows` of which the others are not marked. Always true.
#[pg_extern(sql = false)]
fn import_mark(rn: i64, rows: i32) -> bool {
    note(rn, i64::from(rows));
    true
}

/// As `import_mark`, for one row of which the place has been found.
#[pg_extern(sql = false)]
fn import_mark_at(rn: i64) -> bool {
    note(rn, 1);
    true
}

fn note(row: i64, rows: i64) {
    let before = MARK.get().rows;
    let rows = before + rows;
    MARK.set(Mark { row, rows });
    if rows / REPORT_EVERY != before / REPORT_EVERY {
        progress::publish_rows_done(rows);
    }
}

/// The source row that was handed over last: in RETURNING, the one that has just gone in.
#[pg_extern(sql = false)]
fn import_current() -> i64 {
    MARK.get().row
}
