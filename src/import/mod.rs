//! Bulk import into any table, with a report that names every conflict: `identity.import_rows`.
//!
//! `stage` brings the source into the target's types, `check` finds what is wrong with it set by set, `write` lets the
//! executor insert what is clean. `plan` and `contest` decide, `statements` is the SQL.

mod check;
mod contest;
pub(crate) mod identities;
pub(crate) mod job;
mod mark;
pub(crate) mod plan;
mod run;
pub(crate) mod sieve;
pub(crate) mod stage;
mod statements;
mod write;

use crate::access::{self, Level};
use crate::db::catalog::{self, Table};
use crate::db::progress::{Phase, Progress};
use crate::db::returns::ResultSet;
use crate::db::sql::{Sql, literal, sql};
use crate::db::{argument, session, source, spi};
use crate::error::{Error, Result, required};
use job::{Counts, Job, Outcome};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use plan::{OnConflict, Report, Request};
use run::Run;
use statements::{Names, Rows, Statements, Write};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
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
    source: Option<&str>,
    on_conflict: Option<&str>,
    match_on: Option<pgrx::Array<&str>>,
    dry_run: Option<bool>,
    report: Option<&str>,
    max_problems: Option<i64>,
    row_id: Option<&str>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let result = unsafe { ResultSet::of(fcinfo)? };
    access::require_any(Level::Importer)?;
    let request = Request {
        source: argument::source("source", source)?,
        on_conflict: OnConflict::parse(&argument::name("on_conflict", on_conflict)?)?,
        match_on: argument::names("match_on", match_on)?,
        dry_run: required("dry_run", dry_run)?,
        report: Report::parse(&argument::name("report", report)?)?,
        max_problems,
        row_id: argument::name_if_given("row_id", row_id)?,
    };
    request.check()?;
    let target = required("target", target)?;
    Ok(import(target, &request, result)?)
}

fn import(target: pg_sys::Oid, request: &Request, mut result: ResultSet) -> Result<()> {
    job::check_session("import_rows", request.dry_run)?;
    let search_path = session::catalog_first()?;
    let table = session::with_settings(&[("search_path", &search_path)], || catalog::table(target))?;
    let job = Job {
        run_id: Uuid::now_v7(),
        function: "import_rows",
        target: &table.name,
        realm: None,
        source: &request.source,
        on_conflict: request.on_conflict,
        dry_run: request.dry_run,
        arguments: [literal(&table.name).to_string(), literal(&request.source).to_string()],
    };
    plan::check_target(&table)?;
    let query = Sql::verbatim(source::query(&request.source)?);
    check_may_write(target, &table, request.on_conflict)?;
    result.open();
    job.run(|| {
        session::lock_for_import(target, 1);
        let run = prepare(target, &table, request, &query, job.run_id, search_path)?;
        run_import(run, &query, job.run_id, &mut result)
    })
}

/// Other imports wait for the lock that is taken next: who may not write the table does not get it.
fn check_may_write(target: pg_sys::Oid, table: &Table, on_conflict: OnConflict) -> Result<()> {
    let updates = on_conflict == OnConflict::Update;
    let may = spi::value::<bool>(
        "SELECT pg_catalog.has_any_column_privilege($1, 'INSERT')
            AND (NOT $2 OR pg_catalog.has_any_column_privilege($1, 'UPDATE'))",
        &[target.into(), updates.into()],
    )?;
    if may == Some(true) {
        return Ok(());
    }
    Err(Error::new("42501", format!("permission denied for table {}", table.relname)))
}

/// The whole import, up to its report; the caller keeps it or rolls it back.
fn run_import(mut run: Run, query: &Sql, run_id: Uuid, result: &mut ResultSet) -> Result<Outcome> {
    let request = run.request;
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
    let report = report_query(&run, run_id, aborted);
    run.catalog_first(|| result.append(&report))?;
    let mut outcome = Outcome::new(run.total, counts, aborted);
    if aborted && request.on_conflict == OnConflict::Error {
        outcome.first = run.catalog_first(|| spi::texts(&run.statements().first_problems(5)))?;
    }
    run.drop_tables()?;
    Ok(outcome)
}

fn exceeds(request: &Request, problems: i64) -> bool {
    request.max_problems.is_some_and(|most| problems > most)
}

/// Everything that can be refused before the source is read.
fn prepare<'a>(
    target: pg_sys::Oid,
    table: &'a Table,
    request: &'a Request,
    query: &Sql,
    run_id: Uuid,
    search_path: String,
) -> Result<Run<'a>> {
    static RUNS: AtomicU64 = AtomicU64::new(1);
    stage::check_temporary()?;
    let columns = source::columns(query)?;
    let taken: BTreeSet<&str> =
        table.columns.iter().map(|c| c.name.as_str()).chain(columns.iter().map(|(name, _)| name.as_str())).collect();
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
        released: false,
        indexed: BTreeSet::new(),
        late: false,
    };
    stage::check_rights(&run)?;
    Ok(run)
}

fn count(run: &Run) -> Result<Counts> {
    let mut counts: Counts = run.document(&run.statements().count_by_status())?;
    let fine = run.total - counts.problems();
    counts.updated = if run.rows.merged { run.number(&run.statements().count_updates(&run.rows))? } else { 0 };
    counts.inserted = fine - counts.updated;
    Ok(counts)
}

fn report_query(run: &Run, run_id: Uuid, aborted: bool) -> Sql {
    let everything = run.request.report == Report::All && !aborted;
    let row_id = run.request.row_id.as_deref();
    let report = run.statements().report(&run_id.to_string(), row_id, everything.then_some(&run.rows));
    if run.request.report == Report::None { sql!("{report} LIMIT 0", report) } else { report }
}
