//! Bulk import into the store, in the shape of Ory Kratos: `identity.import_identities` and `import_identities_from`.
//!
//! `kratos` reads documents (with `reader`, `credentials` and `schema`), `load` puts them into temporary tables, `decide` finds
//! out which go in, `write` writes those. `statements` is the SQL.

mod credentials;
mod decide;
mod kratos;
mod load;
pub mod reader;
mod run;
mod schema;
mod statements;
mod write;

use crate::db::json;
use crate::db::progress::Phase;
use crate::db::returns::ResultSet;
use crate::db::source;
use crate::db::spi::{self, literal};
use crate::error::{Error, Result, required};
use crate::import::job::{Counts, Job, Outcome};
use crate::import::plan::{OnConflict, Report};
use kratos::Shape;
use load::Source;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
pub use run::lock_realm;
use run::{Request, Run};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// See the comment on `identity.import_identities` in `sql/25_import_identities.sql`.
#[pg_extern(sql = false)]
fn import_identities(
    realm: Option<String>,
    identities: Option<pgrx::AnyElement>,
    on_conflict: Option<String>,
    dry_run: Option<bool>,
    report: Option<String>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let result = unsafe { ResultSet::of(fcinfo)? };
    let request = request(realm, on_conflict, dry_run, report)?;
    let identities = required("identities", identities)?;
    Ok(json::with_text("identities", identities.datum(), usize::MAX, |text| {
        import(&request, "import_identities", Label::unnamed("(argument)"), || documents(text), result)
    })?)
}

/// See the comment on `identity.import_identities_from` in `sql/25_import_identities.sql`.
#[pg_extern(sql = false)]
fn import_identities_from(
    realm: Option<String>,
    source: Option<String>,
    on_conflict: Option<String>,
    dry_run: Option<bool>,
    report: Option<String>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let result = unsafe { ResultSet::of(fcinfo)? };
    let request = request(realm, on_conflict, dry_run, report)?;
    let source = required("source", source)?;
    // A query's text may have documents in it, and so secrets: it is not kept.
    let label = if source::is_relation_name(&source) {
        Label { record: source.trim(), argument: literal(source.trim()) }
    } else {
        Label::unnamed("(query)")
    };
    let read = || Source::query(source::query(&source)?);
    Ok(import(&request, "import_identities_from", label, read, result)?)
}

/// How a source is named: in the record of its run, and as an argument in a hint.
struct Label<'a> {
    record: &'a str,
    argument: String,
}

impl<'a> Label<'a> {
    fn unnamed(record: &'a str) -> Self {
        Label { record, argument: "…".to_string() }
    }
}

fn request(
    realm: Option<String>,
    on_conflict: Option<String>,
    dry_run: Option<bool>,
    report: Option<String>,
) -> Result<Request> {
    Ok(Request {
        realm: required("realm", realm)?,
        on_conflict: OnConflict::parse(&required("on_conflict", on_conflict)?)?,
        dry_run: required("dry_run", dry_run)?,
        report: Report::parse(&required("report", report)?)?,
    })
}

/// Why a document is no identity schema; NULL where it is one.
#[pg_extern(sql = false)]
fn schema_problem(schema: pgrx::JsonB) -> Option<String> {
    schema::Schema::parse(&schema.0).err()
}

/// The documents in an argument, each with its path.
fn documents(text: &str) -> Result<Source> {
    #[derive(Deserialize)]
    struct Body {
        identities: Vec<Box<RawValue>>,
    }
    let refuse = || {
        Error::invalid_argument("identities is neither an array nor an object with an array \"identities\"")
            .hint("Give the body of PATCH /admin/identities: {\"identities\": [{\"create\": {\"traits\": {…}}}]}; or an array of such items, or of what stands in \"create\".")
    };
    let (documents, prefix, shape) = if text.starts_with('[') {
        (serde_json::from_str::<Vec<Box<RawValue>>>(text).map_err(|_| refuse())?, "", Shape::Any)
    } else {
        (serde_json::from_str::<Body>(text).map_err(|_| refuse())?.identities, "/identities", Shape::Item)
    };
    let placed = documents.into_iter().enumerate().map(|(i, text)| (format!("{prefix}/{i}"), text));
    Ok(Source::Given(placed.collect(), shape))
}

fn import(
    request: &Request,
    function: &'static str,
    label: Label,
    read: impl FnOnce() -> Result<Source>,
    mut result: ResultSet,
) -> Result<()> {
    let job = Job {
        run_id: Uuid::now_v7(),
        function,
        target: "identity.identities",
        realm: Some(&request.realm),
        source: label.record,
        on_conflict: request.on_conflict,
        dry_run: request.dry_run,
        arguments: [literal(&request.realm), label.argument],
    };
    job.check_session()?;
    let source = read()?;
    result.open();
    job.run(|| {
        let mut run = Run::new(request, job.run_id)?;
        run.load(&source)?;
        run.decide()?;
        run.write()?;
        let counts: Counts = run.store(|| spi::document(&run.sql(statements::COUNT), &[]))?;
        let aborted = request.on_conflict.all_or_nothing() && counts.problems() > 0;
        let mut outcome = Outcome::new(run.total, counts, aborted);
        run.enter(Phase::Reporting);
        run.report(job.run_id, aborted, &mut result)?;
        if aborted && request.on_conflict == OnConflict::Error {
            outcome.first = run.store(|| spi::texts(&run.sql(statements::FIRST_PROBLEMS)))?;
        }
        run.execute(statements::DROP)?;
        Ok(outcome)
    })
}

impl Run<'_> {
    fn report(&self, run_id: Uuid, aborted: bool, result: &mut ResultSet) -> Result<()> {
        if self.request.report == Report::None {
            return Ok(());
        }
        let mut parts = vec![statements::REPORT_PROBLEMS.to_string()];
        if !aborted {
            self.look_up(statements::FIND_WARNINGS)?;
            // With the problems alone come the warnings, which are nobody's problem yet.
            let join = if self.request.report == Report::All { "LEFT JOIN" } else { "JOIN" };
            parts.push(statements::REPORT_FINE.replace("@join_warnings", join));
        }
        let sql = self.sql(&statements::report(&run_id.to_string(), &parts));
        self.store(|| result.append(&sql))
    }
}
