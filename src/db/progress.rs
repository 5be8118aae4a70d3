//! How far a run is, for other sessions to see while its transaction is open.
//!
//! Postgres keeps twenty numbers a backend for its own progress views; a run borrows the COPY command's
//! (it is one, in spirit: pg_stat_progress_copy shows its rows) and puts its own behind them. The view
//! identity.import_progress reads them; the numbers of its parameters are the constants below.

use pgrx::pg_sys;
use uuid::Uuid;

/// In parameter `MARK`, tells a run of this extension from a COPY.
pub const MAGIC: i64 = 0x7067_6964;

const COPY_TUPLES_PROCESSED: i32 = 2;
const COPY_TUPLES_EXCLUDED: i32 = 3;
const COPY_COMMAND: i32 = 4;
const MARK: i32 = 10;
const PHASE: i32 = 11;
const ROWS_TOTAL: i32 = 12;
const ROWS_DONE: i32 = 13;
const PROBLEMS: i32 = 14;
const RUN_HIGH: i32 = 15;
const RUN_LOW: i32 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Reading = 1,
    Checking = 2,
    Writing = 3,
    Reporting = 4,
    Indexing = 5,
}

#[derive(Debug, Clone, Copy)]
pub struct Progress {
    target: pg_sys::Oid,
    run: Uuid,
    pub phase: Phase,
    pub rows_total: i64,
    pub rows_done: i64,
    pub problems: i64,
}

impl Progress {
    pub fn new(target: pg_sys::Oid, run: Uuid) -> Self {
        Progress { target, run, phase: Phase::Reading, rows_total: 0, rows_done: 0, problems: 0 }
    }

    pub fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.publish();
    }

    /// Publishes all numbers anew: a statement in between may have taken the slot for itself.
    pub fn publish(&self) {
        let (high, low) = self.run.as_u64_pair();
        // SAFETY: the progress functions only write this backend's own slot.
        unsafe {
            pg_sys::pgstat_progress_start_command(pg_sys::ProgressCommandType::PROGRESS_COMMAND_COPY, self.target);
            for (parameter, value) in [
                (COPY_COMMAND, 1),
                (MARK, MAGIC),
                (PHASE, self.phase as i64),
                (ROWS_TOTAL, self.rows_total),
                (ROWS_DONE, self.rows_done),
                (COPY_TUPLES_PROCESSED, self.rows_done),
                (PROBLEMS, self.problems),
                (COPY_TUPLES_EXCLUDED, self.problems),
                (RUN_HIGH, high as i64),
                (RUN_LOW, low as i64),
            ] {
                pg_sys::pgstat_progress_update_param(parameter, value);
            }
        }
    }
}

/// Publishes the number of rows done alone: cheap enough for every few hundred rows of a running statement.
pub fn publish_rows_done(rows: i64) {
    // SAFETY: as above.
    unsafe {
        pg_sys::pgstat_progress_update_param(ROWS_DONE, rows);
        pg_sys::pgstat_progress_update_param(COPY_TUPLES_PROCESSED, rows);
    }
}

/// Publishes a phase that a statement has come to by itself.
pub fn publish_phase(phase: Phase) {
    // SAFETY: as above.
    unsafe { pg_sys::pgstat_progress_update_param(PHASE, phase as i64) }
    publish_rows_done(0);
}

/// Ends the report. An error ends it too: Postgres does so when a transaction aborts.
pub fn end() {
    // SAFETY: as above.
    unsafe { pg_sys::pgstat_progress_end_command() }
}
