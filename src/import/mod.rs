//! Bulk import into any table, with a report that names every conflict: `identity.import_rows`.
//!
//! `stage` brings the source into the target's types, `check` finds what is wrong with it set by set, `write` lets the
//! executor insert what is clean. `plan` and `contest` decide, `statements` is the SQL.

mod check;
mod contest;
mod mark;
mod plan;
mod run;
mod sieve;
mod stage;
mod statements;
mod write;

use crate::db::attempt;
use crate::db::catalog::{self, Table};
use crate::db::progress::{self, Phase, Progress};
use crate::db::returns::ResultSet;
use crate::db::{session, spi, statement, trigger};
use crate::error::{Error, Result};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use plan::{OnConflict, Report, Request};
use run::Run;
use serde::Deserialize;
use statements::{Names, Rows, Statements, Write};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use uuid::Uuid;

static CHUNK_ROWS: GucSetting<i32> = GucSetting::<i32>::new(1_000_000);

pub fn define_settings() {
    GucRegistry::define_int_guc(
        c"identity.import_chunk_rows",
        c"Rows that an import writes in one statement.",
        c"Each chunk is a subtransaction. Statement triggers fire once a chunk.",
        &CHUNK_ROWS,
        1,
        i32::MAX,
        GucContext::Userset,
        GucFlags::default(),
    );
}

/// See the comment on `identity.import_rows` in `sql/10_import.sql`.
#[allow(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn import_rows(
    target: Option<pg_sys::Oid>,
    source: Option<String>,
    on_conflict: Option<String>,
    match_on: Option<Vec<Option<String>>>,
    dry_run: Option<bool>,
    report: Option<String>,
    max_problems: Option<i64>,
    row_id: Option<String>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let result = unsafe { ResultSet::of(fcinfo)? };
    let request = Request {
        source: required("source", source)?,
        on_conflict: OnConflict::parse(&required("on_conflict", on_conflict)?)?,
        match_on: match_on.unwrap_or_default().into_iter().flatten().collect(),
        dry_run: required("dry_run", dry_run)?,
        report: Report::parse(&required("report", report)?)?,
        max_problems,
        row_id,
    };
    request.check()?;
    let target = required("target", target)?;
    Ok(import(target, &request, result)?)
}

fn required<T>(name: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| {
        Error::new("22004", format!("{name} is NULL")).hint("Only match_on, max_problems and row_id may be NULL.")
    })
}

/// What a row becomes under the BEFORE INSERT triggers of its table; NULL where one of them drops it.
#[pg_extern(sql = false)]
fn import_before_insert(row: pgrx::AnyElement) -> Option<pgrx::AnyElement> {
    let (datum, oid) = (row.datum(), row.oid());
    // SAFETY: the SQL declaration is internal, and the extension passes rows of an ordinary or partitioned table.
    let fired = unsafe { trigger::fire_before_insert(datum) }?;
    // SAFETY: the datum is of the same row type.
    unsafe { pgrx::AnyElement::from_polymorphic_datum(fired, false, oid) }
}

/// Counts of a run, by status; they add up to the rows of the source.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Counts {
    inserted: i64,
    updated: i64,
    conflict: i64,
    duplicate: i64,
    invalid: i64,
    suppressed: i64,
    /// Clean, but held back because the run was given up.
    withheld: i64,
}

impl Counts {
    fn problems(&self) -> i64 {
        self.conflict + self.duplicate + self.invalid + self.suppressed
    }
}

/// How a run ended.
struct Outcome {
    total: i64,
    counts: Counts,
    aborted: bool,
    /// The first problems, as lines, for an error's DETAIL.
    first: Vec<String>,
}

fn import(target: pg_sys::Oid, request: &Request, mut result: ResultSet) -> Result<()> {
    check_session(request)?;
    // Expressions of the catalog come out with every name qualified where the search path holds pg_catalog alone.
    let table = session::with_settings(&[("search_path", "pg_catalog, pg_temp")], || catalog::table(target))?;
    plan::check_target(&table)?;
    let query = stage::source_query(&request.source)?;
    let run_id = Uuid::now_v7();
    let started = Instant::now();
    result.open();
    let outcome = attempt::provisional(|| {
        let outcome = session::with_settings(&[("work_mem", &work_mem()?), ("jit", "off")], || {
            run_import(target, &table, request, &query, run_id, &mut result)
        })?;
        let keep = !request.dry_run && !outcome.aborted;
        Ok((outcome, keep))
    })?;
    progress::end();
    finish(&table, request, run_id, started, &outcome)
}

fn check_session(request: &Request) -> Result<()> {
    if session::read_only() {
        let error = Error::new("25006", "cannot execute import_rows() in a read-only transaction");
        return Err(if request.dry_run {
            error
                .detail(
                    "A dry run makes the import and rolls it back, so that triggers and constraints have their say.",
                )
                .hint("Run it in a read-write transaction on the primary.")
        } else {
            error.hint("Run it in a read-write transaction on the primary.")
        });
    }
    let encoding = statement::database_encoding();
    if encoding != "UTF8" {
        return Err(Error::new("0A000", format!("the database's encoding is {encoding}"))
            .hint("pg_identity needs a database with encoding UTF8."));
    }
    Ok(())
}

/// An import may use as much memory as an index build.
fn work_mem() -> Result<String> {
    let value = spi::value::<String>(
        "SELECT pg_catalog.concat(GREATEST(w.setting::pg_catalog.int4, m.setting::pg_catalog.int4), 'kB')
         FROM pg_catalog.pg_settings AS w, pg_catalog.pg_settings AS m
         WHERE w.name OPERATOR(pg_catalog.=) 'work_mem' AND m.name OPERATOR(pg_catalog.=) 'maintenance_work_mem'",
        &[],
    )?;
    Ok(value.unwrap_or_else(|| "4MB".to_string()))
}

/// The whole import, up to its report; the caller keeps it or rolls it back.
fn run_import(
    target: pg_sys::Oid,
    table: &Table,
    request: &Request,
    query: &str,
    run_id: Uuid,
    result: &mut ResultSet,
) -> Result<Outcome> {
    session::lock_for_import(target);
    let mut run = prepare(target, table, request, query, run_id)?;
    run.read_source(query)?;
    run.convert_source()?;
    run.merge()?;
    run.check()?;
    if !exceeds(request, run.progress.problems) {
        run.write(i64::from(CHUNK_ROWS.get()))?;
    }
    let counts = count(&run)?;
    let problems = counts.problems();
    let aborted = exceeds(request, problems) || (request.on_conflict.all_or_nothing() && problems > 0);
    run.enter(Phase::Reporting);
    let report = report_query(&run, run_id, aborted)?;
    result.append(&report)?;
    let first = if aborted && request.on_conflict == OnConflict::Error { first_problems(&run)? } else { vec![] };
    run.drop_tables()?;
    Ok(Outcome { total: run.total, counts: give_up(counts, aborted), aborted, first })
}

fn exceeds(request: &Request, problems: i64) -> bool {
    request.max_problems.is_some_and(|most| problems > most)
}

/// Everything that can be refused before the source is read.
fn prepare<'a>(
    target: pg_sys::Oid,
    table: &'a Table,
    request: &'a Request,
    query: &str,
    run_id: Uuid,
) -> Result<Run<'a>> {
    static RUNS: AtomicU64 = AtomicU64::new(1);
    stage::check_temporary()?;
    let search_path = spi::value::<String>("SELECT pg_catalog.current_setting('search_path')", &[])?
        .filter(|path| path.contains("pg_catalog"));
    let columns = source_column_names(query)?;
    let taken: BTreeSet<&str> =
        table.columns.iter().map(|c| c.name.as_str()).chain(columns.iter().map(String::as_str)).collect();
    let names = Names::new(RUNS.fetch_add(1, Ordering::Relaxed), &taken);
    let assignments = stage::describe_source(&names, table, request, query)?;
    let match_key = match request.on_conflict {
        OnConflict::Update => Some(plan::match_key(table, &request.match_on, &assignments)?),
        _ => None,
    };
    spi::execute(&Statements::create_problem(&names))?;
    let rows = Rows::new(table, &names.raw, BTreeSet::new(), false);
    let progress = Progress::new(target, run_id);
    let run = Run {
        request,
        table,
        names,
        assignments,
        rows,
        match_key,
        total: 0,
        progress,
        converted: false,
        sieved: false,
        search_path,
        in_order: false,
        deferred: Vec::new(),
        turn: (Write::Insert, 0),
        again: BTreeSet::new(),
        explains: false,
        contested: false,
        indexed: false,
        late: false,
    };
    stage::check_rights(table, &run.statements(), request, match_key)?;
    Ok(run)
}

/// The source's column names, before it has a table of its own.
fn source_column_names(query: &str) -> Result<Vec<String>> {
    Spi::connect_mut(|client| {
        let rows = client.update(&format!("SELECT s.* FROM (\n{query}\n) AS s LIMIT 0"), None, &[])?;
        (1..=rows.columns()?).map(|i| Ok(rows.column_name(i)?)).collect()
    })
}

fn count(run: &Run) -> Result<Counts> {
    let mut counts: Counts = spi::document(&run.statements().count_by_status(), &[])?;
    let fine = run.total - counts.problems();
    counts.updated = if run.rows.merged { spi::number(&run.statements().count_updates(&run.rows), &[])? } else { 0 };
    counts.inserted = fine - counts.updated;
    Ok(counts)
}

fn give_up(counts: Counts, aborted: bool) -> Counts {
    if !aborted {
        return counts;
    }
    Counts { withheld: counts.inserted + counts.updated, inserted: 0, updated: 0, ..counts }
}

fn report_query(run: &Run, run_id: Uuid, aborted: bool) -> Result<String> {
    let row_id = run.request.row_id.as_deref().map(spi::quote_identifier);
    let everything = run.request.report == Report::All && !aborted;
    let report = run.statements().report(&run_id.to_string(), row_id.as_deref(), everything.then_some(&run.rows));
    Ok(if run.request.report == Report::None { format!("{report} LIMIT 0") } else { report })
}

fn first_problems(run: &Run) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    spi::stream(&run.statements().first_problems(5), |row| {
        lines.extend(row.get::<String>(1)?);
        Ok(())
    })?;
    Ok(lines)
}

/// Records the run, tells its counts, or raises.
fn finish(table: &Table, request: &Request, run_id: Uuid, started: Instant, outcome: &Outcome) -> Result<()> {
    let summary = summary(outcome);
    if request.on_conflict == OnConflict::Error && outcome.aborted && !request.dry_run {
        return Err(run::raised(&table.name, &summary, &outcome.first, &request.source));
    }
    if !request.dry_run {
        record(table, request, run_id, started, outcome)?;
    }
    let what = match (request.dry_run, outcome.aborted) {
        (true, true) => "dry run of an import that would be given up",
        (true, false) => "dry run of an import",
        (false, true) => "import given up, nothing imported",
        (false, false) => "import",
    };
    notice!("{what} into {}: {summary}", table.name);
    Ok(())
}

fn summary(outcome: &Outcome) -> String {
    let c = &outcome.counts;
    let mut summary = format!(
        "{} row{}: {} inserted, {} updated, {} conflict, {} duplicate, {} invalid, {} suppressed",
        outcome.total,
        if outcome.total == 1 { "" } else { "s" },
        c.inserted,
        c.updated,
        c.conflict,
        c.duplicate,
        c.invalid,
        c.suppressed
    );
    if outcome.aborted {
        summary.push_str(&format!(", {} clean but withheld", c.withheld));
    }
    summary
}

fn record(table: &Table, request: &Request, run_id: Uuid, started: Instant, outcome: &Outcome) -> Result<()> {
    let caller = spi::value::<String>("SELECT CURRENT_USER::pg_catalog.text", &[])?;
    let c = &outcome.counts;
    session::as_extension_owner(|| {
        spi::execute_with(
            "INSERT INTO identity.import_runs (run_id, target, source, on_conflict, outcome, run_by, started_at, duration, rows_total,
               inserted, updated, conflict, duplicate, invalid, suppressed, withheld)
             VALUES ($1::pg_catalog.uuid, $2, $3, $4, $5, $6,
               pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.make_interval(secs => $7),
               pg_catalog.make_interval(secs => $7), $8, $9, $10, $11, $12, $13, $14, $15)",
            &[
                run_id.to_string().into(),
                table.name.as_str().into(),
                request.source.as_str().into(),
                request.on_conflict.name().into(),
                if outcome.aborted { "given up" } else { "imported" }.into(),
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
    Ok(())
}
