//! What all imports have in common: one job in one subtransaction, its counts, its row in `identity.import_runs`.

use crate::audit::{self, Event};
use crate::db::attempt::{self, Failure};
use crate::db::query::{self, Lookups};
use crate::db::{interrupt, progress, session};
use crate::error::{Error, Result};
use crate::import::plan::{self, Blame, OnConflict};
use pgrx::prelude::*;
use serde::Deserialize;
use serde_json::json;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Whether other imports into the same target may run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    Shared,
    Alone,
}

impl Company {
    /// Takes the lock on a part of the target that imports share, or for itself.
    pub fn lock(self, target: pg_sys::Oid, part: u16) {
        match self {
            Company::Shared => session::share_for_import(target, part),
            Company::Alone => session::lock_for_import(target, part),
        }
    }
}

/// So often work is done again after a deadlock.
const TRIES: u32 = 3;

/// In this time one who waited for what has been given back wakes up, and takes it.
const PAUSE: Duration = Duration::from_millis(100);

/// One call of an import function.
pub struct Job<'a> {
    pub run_id: Uuid,
    /// The function's name, for messages.
    pub function: &'static str,
    /// What it imports into, as messages and records name it.
    pub target: &'a str,
    pub realm: Option<&'a str>,
    /// The source as records name it.
    pub source: &'a str,
    pub on_conflict: OnConflict,
    pub dry_run: bool,
    /// The function's first two arguments as SQL, by which a dry run is proposed.
    pub arguments: [String; 2],
}

/// Counts of a run, by status; they add up to the rows of the source.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Counts {
    pub inserted: i64,
    pub updated: i64,
    pub conflict: i64,
    pub duplicate: i64,
    pub invalid: i64,
    pub suppressed: i64,
    /// Clean, but held back because the run was given up.
    pub withheld: i64,
}

impl Counts {
    pub fn problems(&self) -> i64 {
        self.conflict + self.duplicate + self.invalid + self.suppressed
    }
}

/// How a run ended.
pub struct Outcome {
    pub total: i64,
    counts: Counts,
    pub aborted: bool,
    /// The first problems, as lines, for an error's DETAIL.
    pub first: Vec<String>,
}

impl Outcome {
    pub fn new(total: i64, counts: Counts, aborted: bool) -> Self {
        let counts = if aborted {
            Counts { withheld: counts.inserted + counts.updated, inserted: 0, updated: 0, ..counts }
        } else {
            counts
        };
        Outcome { total, counts, aborted, first: Vec::new() }
    }

    /// As a report of counts has it: JSON.
    pub fn as_json(&self) -> String {
        let c = &self.counts;
        format!(
            r#"{{"rows": {}, "inserted": {}, "updated": {}, "conflict": {}, "duplicate": {}, "invalid": {}, "suppressed": {}, "withheld": {}}}"#,
            self.total, c.inserted, c.updated, c.conflict, c.duplicate, c.invalid, c.suppressed, c.withheld
        )
    }

    /// As `identity.import_runs` has it.
    pub fn name(&self) -> &'static str {
        if self.aborted { "given up" } else { "imported" }
    }

    fn summary(&self) -> String {
        let c = &self.counts;
        let mut summary = format!(
            "{} row{}: {} inserted, {} updated, {} conflict, {} duplicate, {} invalid, {} suppressed",
            self.total,
            if self.total == 1 { "" } else { "s" },
            c.inserted,
            c.updated,
            c.conflict,
            c.duplicate,
            c.invalid,
            c.suppressed
        );
        if self.aborted {
            summary.push_str(&format!(", {} clean but withheld", c.withheld));
        }
        summary
    }
}

impl Job<'_> {
    /// Does the work in a subtransaction, keeps it or rolls it back, records the run, and tells its counts or raises.
    ///
    /// If it waits for a session that waits for it, and is told to give way, everything that it has taken is given back, and it is done
    /// again: alone, that is with a lock for which other imports are waited for.
    pub fn run(&self, mut work: impl FnMut(Company) -> Result<Outcome>) -> Result<Outcome> {
        let started = Instant::now();
        let mut outcome = self.attempt(|| work(Company::Shared));
        for tries in 1..=TRIES {
            match &outcome {
                Err(error) if plan::blame(&error.sqlstate) == Blame::Deadlock => {
                    interrupt::pause(PAUSE * tries);
                    outcome = self.attempt(|| work(Company::Alone));
                }
                _ => break,
            }
        }
        let (outcome, first_event) = outcome?;
        progress::end();
        self.finish(started, &outcome, first_event)?;
        Ok(outcome)
    }

    /// The outcome; and where it is kept, the number of the first event of what an import writes into the store: they come before its own.
    fn attempt(&self, work: impl FnOnce() -> Result<Outcome>) -> Result<(Outcome, Option<i64>)> {
        attempt::provisional(|| {
            let first_event = self.realm.map(audit::next_event).transpose()?;
            let outcome = with_memory(work)?;
            let keep = !self.dry_run && !outcome.aborted;
            Ok(((outcome, first_event.filter(|_| keep)), keep))
        })
    }

    fn finish(&self, started: Instant, outcome: &Outcome, first_event: Option<i64>) -> Result<()> {
        let summary = outcome.summary();
        if self.on_conflict == OnConflict::Error && outcome.aborted && !self.dry_run {
            return Err(self.raised(&summary, &outcome.first));
        }
        if !self.dry_run {
            self.record(started, outcome, first_event)?;
        }
        let what = match (self.dry_run, outcome.aborted) {
            (true, true) => "dry run of an import that would be given up",
            (true, false) => "dry run of an import",
            (false, true) => "import given up, nothing imported",
            (false, false) => "import",
        };
        notice!("{what} into {}: {summary}", self.target);
        Ok(())
    }

    /// The error of a run that is asked to raise instead of reporting.
    fn raised(&self, summary: &str, first: &[String]) -> Error {
        let mut detail = first.join("\n");
        if detail.is_empty() {
            detail = "No row was imported.".to_string();
        }
        let [target, source] = &self.arguments;
        Error::new("23000", format!("import into {} stopped: {summary}", self.target)).detail(detail).hint(format!(
            "Nothing was imported. See all problems with SELECT * FROM identity.{}({target}, {source}, dry_run => true)",
            self.function,
        ))
    }

    fn record(&self, started: Instant, outcome: &Outcome, first_event: Option<i64>) -> Result<()> {
        let caller = session::current_role_name()?;
        let c = &outcome.counts;
        session::as_extension_owner(|| {
            query::execute_kept(
                "INSERT INTO identity.import_runs (run_id, target, realm, source, on_conflict, outcome, run_by, started_at,
                   duration, rows_total, inserted, updated, conflict, duplicate, invalid, suppressed, withheld)
                 VALUES ($1::pg_catalog.uuid, $2, $3, $4, $5, $6, $7,
                   pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.make_interval(secs => $8),
                   pg_catalog.make_interval(secs => $8), $9, $10, $11, $12, $13, $14, $15, $16)",
                &[
                    self.run_id.to_string().into(),
                    self.target.into(),
                    self.realm.into(),
                    self.source.into(),
                    self.on_conflict.name().into(),
                    outcome.name().into(),
                    caller.into(),
                    started.elapsed().as_secs_f64().into(),
                    outcome.total.into(),
                    c.inserted.into(),
                    c.updated.into(),
                    c.conflict.into(),
                    c.duplicate.into(),
                    c.invalid.into(),
                    c.suppressed.into(),
                    c.withheld.into(),
                ],
            )
        })?;
        self.audit(outcome, first_event)
    }

    fn audit(&self, outcome: &Outcome, first_event: Option<i64>) -> Result<()> {
        let c = &outcome.counts;
        audit::record(&Event {
            realm: self.realm.unwrap_or(""),
            action: self.function,
            subject: Some(self.target),
            detail: &json!({
                "run_id": self.run_id.to_string(), "on_conflict": self.on_conflict.name(), "given_up": outcome.aborted,
                "rows": outcome.total, "inserted": c.inserted, "updated": c.updated, "conflict": c.conflict,
                "duplicate": c.duplicate, "invalid": c.invalid, "suppressed": c.suppressed, "withheld": c.withheld,
                "first_event": first_event,
            }),
        })?;
        Ok(())
    }
}

/// Refuses a session in which no import can be made.
pub fn check_session(function: &str, dry_run: bool) -> Result<()> {
    if !session::read_only() {
        return Ok(());
    }
    let error = Error::new("25006", format!("cannot execute {function}() in a read-only transaction"))
        .hint("Run it in a read-write transaction on the primary.");
    Err(if dry_run {
        error.detail("A dry run makes the import and rolls it back, so that triggers and constraints have their say.")
    } else {
        error
    })
}

/// Runs a statement of which a row may be the fault, and gives back its failure if one is. Of two sessions that wait for each
/// other Postgres stops one; its part of the work is done again, after a pause in which the other one, which has yet to wake up,
/// takes what it waited for.
pub fn attempt_rows(
    mut statement: impl FnMut() -> std::result::Result<u64, Failure>,
) -> Result<std::result::Result<u64, Failure>> {
    const TRIES: u32 = 2;
    let mut tries = 0;
    loop {
        tries += 1;
        let failure = match statement() {
            Ok(rows) => return Ok(Ok(rows)),
            Err(failure) => failure,
        };
        match plan::blame(&failure.sqlstate) {
            Blame::Deadlock if tries < TRIES => interrupt::pause(PAUSE * tries),
            Blame::Row => return Ok(Err(failure)),
            Blame::Deadlock | Blame::Session => return Err(failure.into()),
        }
    }
}

// How the planner is to join the rows of a run with the rows of a table. A table without statistics looks to it as if a realm were a two-hundredth
// of it: it would read the one side whole for each row of the other.

/// Few rows: this leaves the one plan that costs no more than they do, by the table's keys.
pub const BY_INDEX: Lookups = &[
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
];

/// Many rows: both sides are read once.
pub const IN_BULK: Lookups = &[("enable_nestloop", "off")];

/// From here on a few plans more cost nothing.
const MANY_ROWS: i64 = 10_000;

/// Where many rows are written, nothing is done by plans that the session made while the tables were small: those by which the server looks up
/// foreign keys above all.
pub fn plan_anew(rows: i64) {
    if rows >= MANY_ROWS {
        session::forget_plans();
    }
}

/// For so many rows, and a table of so many.
pub fn lookups(rows: i64, stored: i64) -> Lookups {
    if plan::look_up_by_index(rows, stored) { BY_INDEX } else { IN_BULK }
}

/// Runs work that sorts and groups: it may use as much memory as an index build.
pub fn with_memory<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    session::with_settings(&[("work_mem", &session::most_memory()), ("jit", "off")], work)
}
