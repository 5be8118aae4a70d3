//! Bulk import into any table, with a report that names every conflict: `identity.import_rows`.
//!
//! **What a row goes through.** `stage` reads the source to its end in the caller's name, numbers its rows, and converts them into the target's
//! types, value by value; with `on_conflict => 'update'` each row is merged with the row of the target that it updates, which is locked. `check`
//! finds set by set what is wrong with them: rules, references, held keys, keys that two of them want. `write` lets the executor insert or update
//! what is clean, chunk by chunk. Then the report is read out.
//!
//! **What is SQL.** Whatever compares values or reads the target, with the operators of its own keys: `statements`, run by `db::query`. **What is a
//! decision.** Who wins a key that two rows want (`contest`), what is tried next (`write`), what an argument means (`plan`): plain Rust over numbers.
//!
//! **What is kept where.** Rows of the source, problems and keys in question are in tuplestores (`db::store`), which statements see as relations
//! and which spill to files; nothing is a table, so no call makes a catalog row, keeps a lock or needs TEMPORARY. Of each row there are some bits in
//! memory: it has a problem, it updates, it went in (`numbers`); and where it went, as far as that is asked for (`landed`). Plans are kept in the
//! session by the size of the run.
//!
//! **How a chunk fails and goes on.** Each chunk is a subtransaction. If it fails, the row that the executor had in hand (`mark`) is written by
//! itself, after the rows before it; its error is explained by looking again, and reported. Rows that had lost to it have their turn then
//! (`release`). A row that the executor passed over in silence is found as one that did not land.

mod check;
mod contest;
pub(crate) mod convert;
pub(crate) mod identities;
pub(crate) mod job;
mod landed;
pub(crate) mod mapping;
mod mark;
mod numbers;
pub(crate) mod plan;
mod release;
mod run;
pub(crate) mod sieve;
pub(crate) mod stage;
mod statements;
mod write;

use crate::access::{self, Level};
use crate::db::catalog::{self, Known};
use crate::db::progress::{Phase, Progress};
use crate::db::returns::ResultSet;
use crate::db::sql::{Sql, literal};
use crate::db::{argument, expression, role, session, source, store};
use crate::error::{Error, Result, required};
use job::{Company, Counts, Job, Outcome};
use landed::Landed;
use mark::Dead;
use numbers::NumberSet;
use pgrx::IntoDatum;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use plan::{OnConflict, Report, Request};
use run::{How, Run, Stores};
use statements::{Names, Rows, Write};
use std::collections::BTreeSet;
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
    // What is known of the table stays true from here on: nobody changes it while it is locked as any INSERT locks it.
    session::lock_for_writing(target)?;
    let known = catalog::known(target, &search_path)?;
    let table = &known.table;
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
    plan::check_target(table)?;
    let query = Sql::verbatim(source::query(&request.source, "source")?);
    check_may_write(target, table, request.on_conflict)?;
    result.open();
    let outcome = job.run(|company| {
        // Rows are kept until this work ends, in whatever subtransaction they come.
        let _owner = store::own_stores();
        let run = prepare(target, &known, request, &query, job.run_id, &search_path)?;
        run_import(run, &query, company, job.run_id, &mut result)
    })?;
    if request.report == Report::Counts {
        let (run_id, total) =
            (pgrx::Uuid::from_bytes(job.run_id.into_bytes()).into_datum(), outcome.total.into_datum());
        let (status, counts) = (outcome.name().into_datum(), outcome.as_json().into_datum());
        result.add(|| [run_id, total, None, status, None, None, None, None, None, None, counts]);
    }
    Ok(())
}

/// Planning the source runs what is IMMUTABLE in it, for as long as the caller likes: who may not write the table does not keep it locked
/// meanwhile. What else the import needs is checked when the source is known.
fn check_may_write(target: pg_sys::Oid, table: &catalog::Table, on_conflict: OnConflict) -> Result<()> {
    let may = |right| role::has_right_on_columns(role::current(), target, right);
    if may(pg_sys::ACL_INSERT) && (on_conflict != OnConflict::Update || may(pg_sys::ACL_UPDATE)) {
        return Ok(());
    }
    Err(Error::new("42501", format!("permission denied for table {}", table.relname)))
}

/// The whole import, up to its report; the caller keeps it or rolls it back.
fn run_import(mut run: Run, query: &Sql, company: Company, run_id: Uuid, result: &mut ResultSet) -> Result<Outcome> {
    let request = run.request;
    run.read_source(query)?;
    run.convert_source()?;
    company.lock(run.table.oid.into(), 1);
    run.all_catalog_first(|run| run.merge().and_then(|()| run.check()))?;
    if !exceeds(request, run.progress.problems) {
        run.write(i64::from(CHUNK_ROWS.get()))?;
    }
    run.enter(Phase::Reporting);
    let counts = count(&run)?;
    let problems = counts.problems();
    let aborted = exceeds(request, problems) || (request.on_conflict.all_or_nothing() && problems > 0);
    report(&run, run_id, aborted, result)?;
    let mut outcome = Outcome::new(run.total, counts, aborted);
    if aborted && request.on_conflict == OnConflict::Error {
        run.fetch(&run.statements().first_problems(5), How::default())?.each(|row| {
            outcome.first.extend(row.get::<String>(1));
            Ok(())
        })?;
    }
    Ok(outcome)
}

fn exceeds(request: &Request, problems: i64) -> bool {
    request.max_problems.is_some_and(|most| problems > most)
}

/// Everything that can be refused before the source is read.
fn prepare<'a>(
    target: pg_sys::Oid,
    known: &'a Known,
    request: &'a Request,
    query: &Sql,
    run_id: Uuid,
    search_path: &str,
) -> Result<Run<'a>> {
    let table = &known.table;
    let columns = &stage::describe_source(query)?;
    let taken: BTreeSet<&str> =
        table.columns.iter().map(|c| c.name.as_str()).chain(columns.iter().map(|c| c.name.as_str())).collect();
    let names = Names::new(&taken);
    let assignments = plan::assign_columns(table, columns, request.row_id.as_deref(), |from, to| {
        expression::coercion(from.into(), to.into())
    })?;
    let match_key = match request.on_conflict {
        OnConflict::Update => Some(plan::match_key(table, &request.match_on, &assignments)?),
        _ => None,
    };
    let rows = Rows::new(table, &names.rows, BTreeSet::new(), false);
    let run = Run {
        request,
        table,
        names,
        assignments,
        rows,
        stores: Stores::new(),
        match_key,
        total: 0,
        progress: Progress::new(target, run_id),
        sieved: false,
        search_path: search_path.to_string(),
        dead: Dead::default(),
        unconverted: false,
        poisoned: NumberSet::default(),
        updates: NumberSet::default(),
        in_order: false,
        deferred: None,
        turn: (Write::Insert, 0),
        again: BTreeSet::new(),
        contested: false,
        losses: None,
        landed: Landed::default(),
        window: None,
        read_to: i64::MAX,
        is_catalog_first: false,
        level: 0,
        written: false,
        routed: false,
    };
    stage::check_rights(&run, known)?;
    Ok(run)
}

fn count(run: &Run) -> Result<Counts> {
    let mut counts = Counts::default();
    if !run.stores.problem.is_empty() {
        run.fetch(&run.statements().count_by_status(), How::default())?.each(|row| {
            let number = row.number(2);
            match row.get::<&str>(1) {
                Some("conflict") => counts.conflict = number,
                Some("duplicate") => counts.duplicate = number,
                Some("suppressed") => counts.suppressed = number,
                _ => counts.invalid = number,
            }
            Ok(())
        })?;
    }
    let fine = run.total - counts.problems();
    if !run.updates.is_empty() {
        counts.updated = (1..=run.total).filter(|row| run.updates.contains(*row) && !run.is_dead(*row)).count() as i64;
    }
    counts.inserted = fine - counts.updated;
    Ok(counts)
}

fn report(run: &Run, run_id: Uuid, aborted: bool, result: &mut ResultSet) -> Result<()> {
    let everything = run.request.report == Report::All && !aborted;
    if matches!(run.request.report, Report::None | Report::Counts) || run.stores.problem.is_empty() && !everything {
        return Ok(());
    }
    let report = run.statements().report(run.request.row_id.as_deref(), everything.then_some(&run.rows));
    let run_id = run_id.to_string();
    run.send(&report, How { arguments: &[run_id.as_str().into()], ..How::default() }, result.receiver())
}
