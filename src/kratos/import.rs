//! Identities into a Kratos database: the import of identities, with Kratos' tables in the place of the store's, and with the caller's rights.

use crate::access::{self, Level};
use crate::db::returns::ResultSet;
use crate::db::sql::{literal, relation};
use crate::db::{argument, json, session, source, store};
use crate::error::{Error, Result, readable, required};
use crate::import::identities::kratos::Hashes;
use crate::import::identities::schema::{Schema, Schemas};
use crate::import::identities::{self, Label, Place, Request, Rules, Source};
use crate::import::job::{self, Job};
use crate::import::plan::{OnConflict, Report};
use crate::kratos::statements::Names;
use crate::kratos::tables::{Tables, Use};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::Value;
use uuid::Uuid;

/// See the comment on `identity.import_kratos` in `sql/27_kratos.sql`.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
fn import_kratos(
    kratos: Option<&str>,
    source: Option<&str>,
    nid: Option<pgrx::Uuid>,
    schemas: Option<pgrx::AnyElement>,
    on_conflict: Option<&str>,
    dry_run: Option<bool>,
    report: Option<&str>,
    hashes: Option<&str>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let result = unsafe { ResultSet::of(fcinfo)? };
    access::require_any(Level::Importer)?;
    let schema = argument::name("kratos", kratos)?;
    let source = argument::source("source", source)?;
    let request = Request {
        realm: String::new(),
        on_conflict: OnConflict::parse(&argument::name("on_conflict", on_conflict)?)?,
        dry_run: required("dry_run", dry_run)?,
        report: Report::parse(&argument::name("report", report)?)?,
    };
    let schemas = schemas.map_or(Ok(Schemas::default()), parse_schemas)?;
    let rules = Rules::Kratos { schemas, hashes: parse_hashes(&argument::name("hashes", hashes)?)? };
    let nid = nid.map(|nid| Uuid::from_bytes(*nid.as_bytes()).to_string());
    Ok(import(&schema, &source, nid.as_deref(), rules, &request, result)?)
}

fn parse_hashes(text: &str) -> Result<Hashes> {
    match text {
        "report" => Ok(Hashes::Report),
        "hook" => Ok(Hashes::Hook),
        other => Err(Error::invalid_argument(format!("unknown hashes: \"{other}\"")).hint("Use 'report' or 'hook'.")),
    }
}

/// Identity schemas by their ids.
fn parse_schemas(schemas: pgrx::AnyElement) -> Result<Schemas> {
    let document = json::document("schemas", schemas)?;
    let Value::Object(named) = document else {
        return Err(Error::invalid_argument("schemas is not an object")
            .hint("Give the schemas by their ids: {\"default\": {\"properties\": {\"traits\": {...}}}}."));
    };
    let parse = |(name, schema): (String, Value)| match Schema::parse(&schema) {
        Ok(schema) => Ok((name, schema)),
        Err(problem) => Err(Error::invalid_argument(format!("identity schema \"{name}\" cannot be used"))
            .detail(format!("{}.", readable(problem)))
            .hint("Give the schema as Kratos has it in its configuration.")),
    };
    Ok(Schemas::new(named.into_iter().map(parse).collect::<Result<_>>()?))
}

fn import(
    schema: &str,
    source: &str,
    nid: Option<&str>,
    rules: Rules,
    request: &Request,
    mut result: ResultSet,
) -> Result<()> {
    let (label, target) = (Label::of_source(source), relation(schema, "identities"));
    let job = Job {
        run_id: Uuid::now_v7(),
        function: "import_kratos",
        target: &target,
        realm: None,
        source: label.record,
        on_conflict: request.on_conflict,
        dry_run: request.dry_run,
        arguments: [literal(schema).to_string(), label.argument],
    };
    job::check_session(job.function, job.dry_run)?;
    // The tables are locked from here on.
    let (tables, nid) = session::with_system_names(|| {
        let to = if request.on_conflict == OnConflict::Update { Use::Update } else { Use::Write };
        let tables = Tables::open(schema, to)?;
        let nid = tables.network(nid)?;
        Ok((tables, nid))
    })?;
    let source = Source::query(source::query(source, "source")?)?;
    result.open();
    let outcome = job.run(|company| {
        // Rows are kept until this work ends, in whatever subtransaction they come.
        let _owner = store::own_stores();
        let documents = source.read()?;
        session::with_system_names(|| {
            company.lock(tables.identities()?, LOCK);
            let place = place(&tables, &nid, rules.clone())?;
            identities::import_into(place, request, job.run_id, documents)?.finish(job.run_id, &mut result)
        })
    })?;
    if request.report == Report::Counts {
        identities::report_counts(job.run_id, &outcome, &mut result);
    }
    Ok(())
}

/// The part of the table that imports share.
const LOCK: u16 = 1;

fn place(tables: &Tables, nid: &str, rules: Rules) -> Result<Place> {
    let names = Names::of(tables);
    let text = |sql: crate::db::sql::Sql| sql.to_string().into();
    let table = tables.identities()?;
    Ok(Place {
        key: nid.to_string(),
        table,
        stored: text(names.stored(tables.identifiers()?.to_u32())),
        rules,
        kept_schemas: text(names.kept_schemas()),
        find_targets: text(names.find_targets()),
        claims_as_verified: text(names.claims_as_verified()),
        find_conflicts: [text(names.find_conflicts(false)), text(names.find_conflicts(true))],
        find_freed: text(names.find_freed()),
        add: names.add().into_iter().map(text).collect(),
        replace: names.replace().into_iter().map(text).collect(),
        warnings: Vec::new(),
        warnings_of_updates: Vec::new(),
        refusal: text(names.refusal()),
    })
}
