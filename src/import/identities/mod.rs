//! Bulk import into the store, in the shape of Ory Kratos: `identity.import_identities` and `import_identities_from`.
//!
//! `kratos` reads documents (with `reader`, `credentials` and `schema`), `load` makes rows of them, which the run keeps (`stores`), `decide` finds
//! out which go in, `write` writes those. `statements` is the SQL.
//!
//! The source is read to its end in the caller's name; all that follows is done as the owner of the store. No call makes a catalog row. Imports into
//! one realm run beside each other: the keys decide who comes first, and whoever is told to give way after a deadlock does its work again alone
//! (`job`).

pub mod credentials;
mod decide;
pub mod kratos;
pub mod load;
pub mod reader;
mod rows;
mod run;
pub mod schema;
pub mod statements;
mod stores;
mod write;

use crate::access::{self, Level};
use crate::db::argument;
use crate::db::json;
use crate::db::progress::{self, Phase};
use crate::db::returns::ResultSet;
use crate::db::sql::literal;
use crate::db::store::{self, Store};
use crate::db::{query, session, source};
use crate::error::{Error, Result, readable, required};
use crate::import::job::{self, Company, Counts, Job, Outcome};
use crate::import::mapping::Mapping;
use crate::import::plan::{OnConflict, Report};
pub use load::{Documents, Source};
use pgrx::IntoDatum;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
pub use run::{Place, Request, Rules, Run, lock_realm, lookups};
use serde::{Deserialize, Deserializer};
use statements::Fine;
use stores::Items;
use uuid::Uuid;

/// See the comment on `identity.import_identities` in `sql/25_import_identities.sql`.
#[pg_extern(sql = false)]
fn import_identities(
    realm: Option<&str>,
    identities: Option<pgrx::AnyElement>,
    on_conflict: Option<&str>,
    dry_run: Option<bool>,
    report: Option<&str>,
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
    realm: Option<&str>,
    source: Option<&str>,
    on_conflict: Option<&str>,
    dry_run: Option<bool>,
    report: Option<&str>,
    mapping: Option<pgrx::AnyElement>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let result = unsafe { ResultSet::of(fcinfo)? };
    let request = request(realm, on_conflict, dry_run, report)?;
    let source = argument::source("source", source)?;
    let mapping = mapping.map(|mapping| Mapping::of_identities(&json::document("mapping", mapping)?)).transpose()?;
    let label = Label::of_source(&source);
    let read = || {
        let query = source::query(&source, "source")?;
        match mapping {
            None => Source::query(query),
            Some(mapping) => Source::rows(query, mapping),
        }
    };
    Ok(import(&request, "import_identities_from", label, read, result)?)
}

/// See the comment on `identity_internal.write_identity` in `sql/33_identities.sql`. It is called as the owner of the store.
#[pg_extern(sql = false)]
fn write_identity(
    realm: Option<&str>,
    document: Option<pgrx::AnyElement>,
    updates: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let mut result = unsafe { ResultSet::of(fcinfo)? };
    let updates = required("updates", updates)?;
    let request = Request {
        realm: required("realm", realm)?.to_string(),
        on_conflict: if updates { OnConflict::Update } else { OnConflict::Skip },
        dry_run: false,
        report: Report::All,
    };
    let document = required("document", document)?;
    job::check_session(if updates { "update_identity" } else { "create_identity" }, false)?;
    result.open();
    Ok(json::with_text("identity", document.datum(), usize::MAX, |text| {
        let mut documents = Store::with_columns(&[("document", pg_sys::TEXTOID)]);
        documents.add(|| [text.into_datum()]);
        let run_id = Uuid::now_v7();
        let mut run = import_documents(&request, run_id, Documents::Read(documents), Company::Shared)?;
        run.report(run_id, false, &mut result)?;
        progress::end();
        Ok(())
    })?)
}

/// How a source is named: in the record of its run, and as an argument in a hint.
pub struct Label<'a> {
    pub record: &'a str,
    pub argument: String,
}

impl<'a> Label<'a> {
    /// A query's text may have documents in it, and so secrets: it is not kept.
    pub fn of_source(source: &'a str) -> Self {
        if source::is_relation_name(source) {
            return Label { record: source.trim(), argument: literal(source.trim()).to_string() };
        }
        Label::unnamed("(query)")
    }

    fn unnamed(record: &'a str) -> Self {
        Label { record, argument: "...".to_string() }
    }
}

fn request(
    realm: Option<&str>,
    on_conflict: Option<&str>,
    dry_run: Option<bool>,
    report: Option<&str>,
) -> Result<Request> {
    let realm = argument::name("realm", realm)?;
    let on_conflict = OnConflict::parse(&argument::name("on_conflict", on_conflict)?)?;
    // Whoever only adds identities changes none.
    let level = if on_conflict == OnConflict::Update { Level::Importer } else { Level::Registrar };
    access::require(level, Some(&realm))?;
    Ok(Request {
        realm,
        on_conflict,
        dry_run: required("dry_run", dry_run)?,
        report: Report::parse(&argument::name("report", report)?)?,
    })
}

/// Why a document is no identity schema; NULL where it is one.
#[pg_extern(sql = false)]
fn schema_problem(schema: pgrx::AnyElement) -> std::result::Result<Option<String>, ErrorReport> {
    Ok(schema::Schema::parse(&json::document("schema", schema)?).err().map(readable))
}

/// The documents in an argument.
fn documents(text: &str) -> Result<Source<'_>> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "identities")]
        _identities: Items,
    }
    /// An array, of which nothing is kept.
    struct Items;
    impl<'de> Deserialize<'de> for Items {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
            load::each_item(deserializer, |_| Ok(())).map(|_| Items)
        }
    }
    let refuse = |_| {
        Error::invalid_argument("identities is neither an array nor an object with an array \"identities\"")
            .hint("Give the body of PATCH /admin/identities: {\"identities\": [{\"create\": {\"traits\": {...}}}]}; or an array of such items, or of what stands in \"create\".")
    };
    if text.starts_with('[') {
        return Ok(Source::Array(text));
    }
    serde_json::from_str::<Body>(text).map_err(refuse)?;
    Ok(Source::Body(text))
}

fn import<'a>(
    request: &Request,
    function: &'static str,
    label: Label,
    read: impl FnOnce() -> Result<Source<'a>>,
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
        arguments: [literal(&request.realm).to_string(), label.argument],
    };
    job::check_session(job.function, job.dry_run)?;
    let owner = session::extension_owner()?;
    session::as_owner(owner, || query::execute_kept(statements::CHECK_REALM, &[request.realm.as_str().into()]))?;
    let source = read()?;
    result.open();
    let outcome = job.run(|company| {
        // Rows are kept until this work ends, in whatever subtransaction they come.
        let _owner = store::own_stores();
        let documents = source.read()?;
        session::as_owner(owner, || {
            import_documents(request, job.run_id, documents, company)?.finish(job.run_id, &mut result)
        })
    })?;
    if request.report == Report::Counts {
        report_counts(job.run_id, &outcome, &mut result);
    }
    Ok(())
}

/// One row for all of a run.
pub fn report_counts(run_id: Uuid, outcome: &Outcome, result: &mut ResultSet) {
    let (run_id, total) = (pgrx::Uuid::from_bytes(run_id.into_bytes()).into_datum(), outcome.total.into_datum());
    let (status, counts) = (outcome.name().into_datum(), outcome.as_json().into_datum());
    result.add(|| [run_id, total, None, status, None, None, None, None, None, None, None, counts, None]);
}

/// The whole import, up to its report; as the owner of the store.
fn import_documents<'a>(request: &'a Request, run_id: Uuid, documents: Documents, company: Company) -> Result<Run<'a>> {
    run::share_realm(&request.realm, company)?;
    import_into(Place::store(&request.realm)?, request, run_id, documents)
}

/// The same into any place, which is locked.
pub fn import_into<'a>(place: Place, request: &'a Request, run_id: Uuid, documents: Documents) -> Result<Run<'a>> {
    let mut run = Run::new(place, request, run_id);
    run.load(documents)?;
    run.decide()?;
    run.write()?;
    Ok(run)
}

impl Run<'_> {
    pub fn finish(&mut self, run_id: Uuid, result: &mut ResultSet) -> Result<Outcome> {
        self.enter(Phase::Reporting);
        let counts = self.count()?;
        let aborted = self.request.on_conflict.all_or_nothing() && counts.problems() > 0;
        self.report(run_id, aborted, result)?;
        let mut outcome = Outcome::new(self.total, counts, aborted);
        if aborted && self.request.on_conflict == OnConflict::Error {
            let mut first = Store::new();
            self.join(statements::FIRST_PROBLEMS, self.items(), &mut first, &mut |_| {})?;
            first.each(|line| {
                outcome.first.extend(line.text(1)?);
                Ok(())
            })?;
        }
        Ok(outcome)
    }

    /// An item with several problems counts once.
    fn count(&self) -> Result<Counts> {
        let mut counts = Counts::default();
        if !self.dead.is_empty() {
            let mut by_status = Store::new();
            self.join(statements::COUNT_PROBLEMS, self.items(), &mut by_status, &mut |_| {})?;
            by_status.each(|row| {
                let number = row.number(2);
                match row.text(1)?.as_deref() {
                    Some("conflict") => counts.conflict = number,
                    Some("duplicate") => counts.duplicate = number,
                    _ => counts.invalid = number,
                }
                Ok(())
            })?;
        }
        counts.updated = self.updated.count_without(&self.dead);
        counts.inserted = self.total - counts.problems() - counts.updated;
        Ok(counts)
    }

    fn report(&mut self, run_id: Uuid, aborted: bool, result: &mut ResultSet) -> Result<()> {
        let fine = match self.request.report {
            Report::None | Report::Counts => return Ok(()),
            _ if aborted => Fine::Nothing,
            Report::All => Fine::Everything,
            // With the problems alone come the warnings, which are nobody's problem yet.
            Report::Problems => Fine::Warnings,
        };
        let clean = if fine == Fine::Nothing { Items::new() } else { self.clean() };
        let mut warning = self.stores.found.warning.like();
        if fine != Fine::Nothing {
            warning.append(&mut self.stores.noted);
            for sql in self.place.find_warnings(self.updates()) {
                self.look_up(sql, &clean, &mut warning, &mut |_| {})?;
            }
        }
        self.stores.found.warning = warning;
        let run_id = run_id.to_string();
        let arguments = [self.key(), run_id.as_str().into()];
        self.send(&statements::report(fine), &arguments, self.items(), &clean.item, result.receiver())
    }
}
