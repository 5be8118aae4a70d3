//! Consolidation on the user's own table: `identity.find_duplicates`, `dedup_logins` and `undo_dedup`.
//!
//! `plan` checks the arguments; `roll` reads the table, `members` groups what it read, `allot` finds the new names; `report` tells
//! them; `statements` is the SQL, `run` runs it. One pass is final: every key of the table that a new name could meet, every
//! former and every reserved name is known before the first new one is given.

mod allot;
mod members;
mod plan;
mod report;
mod roll;
mod run;
mod sites;
mod statements;

use crate::access::{self, Level};
use crate::audit::{self, Event};
use crate::db::catalog;
use crate::db::returns::ResultSet;
use crate::db::session::{self, with_system_names};
use crate::db::spi::Cursor;
use crate::db::store::Store;
use crate::db::{argument, attempt, json, query, spi};
use crate::error::{Error, Result, required};
use crate::import::job::with_memory;
use members::Member;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, Uuid as PgUuid};
use plan::{Columns, Keep, Normalize};
use report::Outcome;
use run::Run;
use serde::Deserialize;

pub use sites::define_settings;
use statements::Target;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The arguments of `dedup_logins`.
struct Request {
    prefixes: BTreeMap<String, String>,
    prefixes_json: String,
    flag: Option<String>,
    keep: Keep,
    max_length: Option<i32>,
    reserved: Option<String>,
    dry_run: bool,
}

/// See the comment on `identity.find_duplicates` in `sql/30_consolidation.sql`.
#[pg_extern(sql = false)]
fn find_duplicates(
    target: Option<pg_sys::Oid>,
    login: Option<&str>,
    site: Option<&str>,
    row_id: Option<&str>,
    normalize: Option<&str>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let mut result = unsafe { ResultSet::of(fcinfo)? };
    access::require_any(Level::Importer)?;
    run::check_session("find_duplicates")?;
    let normalize = Normalize::parse(&argument::name("normalize", normalize)?)?;
    let table = catalog::table(required("target", target)?)?;
    let (login, site) = (argument::name("login", login)?, argument::name("site", site)?);
    let columns = Columns::of(&table, &login, &site, &argument::name("row_id", row_id)?)?;
    result.open();
    let run = Run { target: Target { table: &table, columns: &columns, flag: None, normalize } };
    let (groups, _) = with_memory(|| run.find_groups(&BTreeMap::new()))?;
    report::duplicates(&groups, &mut result);
    Ok(())
}

/// See the comment on `identity.dedup_logins` in `sql/30_consolidation.sql`.
#[allow(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn dedup_logins(
    target: Option<pg_sys::Oid>,
    login: Option<&str>,
    site: Option<&str>,
    row_id: Option<&str>,
    prefixes: Option<AnyElement>,
    flag: Option<&str>,
    keep: Option<&str>,
    normalize: Option<&str>,
    max_length: Option<i32>,
    reserved: Option<&str>,
    dry_run: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let mut result = unsafe { ResultSet::of(fcinfo)? };
    access::require_any(Level::Importer)?;
    run::check_session("dedup_logins")?;
    let prefixes = json::document("prefixes", required("prefixes", prefixes)?)?;
    let request = Request {
        prefixes: plan::prefixes(&prefixes)?,
        prefixes_json: prefixes.to_string(),
        flag: argument::name_if_given("flag", flag)?,
        keep: Keep::parse(&argument::name("keep", keep)?)?,
        max_length,
        reserved: argument::source_if_given("reserved", reserved)?,
        dry_run: required("dry_run", dry_run)?,
    };
    let normalize = Normalize::parse(&argument::name("normalize", normalize)?)?;
    let table = catalog::table(required("target", target)?)?;
    let (login, site) = (argument::name("login", login)?, argument::name("site", site)?);
    let columns = Columns::of(&table, &login, &site, &argument::name("row_id", row_id)?)?;
    let flag = run::flag_column(&table, request.flag.as_deref())?;
    result.open();
    let run = Run { target: Target { table: &table, columns: &columns, flag: flag.as_ref(), normalize } };
    Ok(with_memory(|| dedup(&run, &request, &mut result))?)
}

fn dedup(run: &Run, request: &Request, result: &mut ResultSet) -> Result<()> {
    let Target { table, columns, .. } = &run.target;
    let room = run::room(table, &columns.login)?.within(request.max_length, &request.prefixes)?;
    run.on_target(&run.target.check_rights())?;
    if !request.dry_run {
        run::check_isolation("dedup_logins")?;
        run.on_target(&run.target.lock())?;
    }
    let (groups, mut taken) = run.find_groups(&request.prefixes)?;
    let rows = groups.rows();
    taken.extend(rows.iter().map(|row| groups.members[row.member].hash()));
    if let Some(reserved) = &request.reserved {
        run.take_reserved(reserved, &mut taken)?;
    }
    run.take_former(&mut taken)?;
    let (renamed, kept) = request.keep.divide(&groups, rows);
    let wishes = renamed.iter().map(|row| groups.wish(row.member)).collect();
    let allotment = run.allot(wishes, room, &mut taken)?;
    let names: Vec<&str> = allotment.names.iter().flatten().map(|name| name.login.as_str()).collect();
    let run_id = Uuid::now_v7();
    let now = if request.dry_run {
        names.iter().map(|name| Some(name.to_string())).collect()
    } else {
        let members: Vec<&Member> = renamed.iter().map(|row| &groups.members[row.member]).collect();
        let now = run.rename(&members, &names)?;
        record(run, request, run_id, &Outcome { groups: &groups, renamed: &renamed, kept: &kept, now: &now })?;
        now
    };
    let outcome = Outcome { groups: &groups, renamed: &renamed, kept: &kept, now: &now };
    report::renamed(run_id, &outcome, &allotment, result);
    let count = outcome.count();
    let what = if request.dry_run { "dry run: " } else { "" };
    notice!("{what}{count} row{} of {} renamed", if count == 1 { "" } else { "s" }, table.name);
    Ok(())
}

fn record(run: &Run, request: &Request, run_id: Uuid, outcome: &Outcome) -> Result<()> {
    let Target { table, columns, flag, normalize } = &run.target;
    let caller = session::current_role_name()?;
    let renamed = outcome.count();
    let arguments = [
        run_id.to_string().into(),
        table.name.as_str().into(),
        columns.login.name.as_str().into(),
        columns.site.name.as_str().into(),
        columns.row_id.name.as_str().into(),
        flag.map(|f| f.name.as_str()).into(),
        normalize.name().into(),
        request.prefixes_json.as_str().into(),
        request.keep.name().into(),
        caller.into(),
        renamed.into(),
    ];
    session::as_extension_owner(|| {
        spi::execute_with(statements::RECORD_RUN, &arguments)?;
        for rows in outcome.recorded().chunks(BATCH as usize) {
            spi::execute_built(statements::RECORD_ROWS, || report::record_arguments(run_id, outcome.groups, rows))?;
        }
        Ok(())
    })?;
    audit("dedup_logins", &table.name, &serde_json::json!({"run_id": run_id.to_string(), "renamed": renamed}))
}

/// The user's table is in no realm.
fn audit(action: &str, table: &str, detail: &serde_json::Value) -> Result<()> {
    audit::record(&Event { realm: "", action, subject: Some(table), detail })?;
    Ok(())
}

/// Rows that are handed over at a time.
const BATCH: i64 = 10_000;

/// A run as it was recorded.
#[derive(Deserialize)]
struct Recorded {
    target: String,
    login: String,
    site: String,
    row_id: String,
    flag: Option<String>,
    normalize: String,
    run_by: String,
}

/// See the comment on `identity.undo_dedup` in `sql/30_consolidation.sql`.
#[pg_extern(sql = false)]
fn undo_dedup(
    run_id: Option<PgUuid>,
    dry_run: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let mut result = unsafe { ResultSet::of(fcinfo)? };
    access::require_any(Level::Importer)?;
    run::check_session("undo_dedup")?;
    let dry_run = required("dry_run", dry_run)?;
    let run_id = Uuid::from_bytes(*required("run_id", run_id)?.as_bytes()).to_string();
    if undo_sites(&run_id, dry_run, &mut result)? {
        return Ok(());
    }
    let recorded = recorded(&run_id)?;
    let oid = spi::value::<pg_sys::Oid>(
        "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid",
        &[recorded.target.as_str().into()],
    )?;
    let oid = oid.ok_or_else(|| {
        Error::new("42P01", format!("table {} does not exist any more", recorded.target))
            .hint("The run's rows are in identity.dedup_rows.")
    })?;
    let table = catalog::table(oid)?;
    let columns = Columns::of(&table, &recorded.login, &recorded.site, &recorded.row_id)?;
    let flag = run::flag_column(&table, recorded.flag.as_deref())?;
    let normalize = Normalize::parse(&recorded.normalize)?;
    result.open();
    let run = Run { target: Target { table: &table, columns: &columns, flag: flag.as_ref(), normalize } };
    Ok(with_memory(|| undo(&run, &run_id, dry_run, &mut result))?)
}

/// The record of a run of `dedup_site_logins`.
#[derive(Deserialize)]
struct RecordedOfSites {
    realm: String,
    run_by: String,
}

/// Undoes a run of `dedup_site_logins`; false where it is none.
fn undo_sites(run_id: &str, dry_run: bool, result: &mut ResultSet) -> Result<bool> {
    let run: Option<RecordedOfSites> = session::as_extension_owner(|| {
        spi::document(
            "SELECT pg_catalog.to_jsonb(r) FROM identity.site_dedup_runs AS r WHERE r.run_id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid",
            &[run_id.into()],
        )
    })?;
    let Some(RecordedOfSites { realm, run_by }) = run else { return Ok(false) };
    if !access::covers(Level::Importer, &realm)? {
        return Ok(false);
    }
    check_undoer(&run_by)?;
    if !dry_run {
        run::check_isolation("undo_dedup")?;
    }
    result.open();
    let sql = "SELECT u.* FROM identity_internal.undo_site_dedup($1::pg_catalog.uuid, $2) AS u";
    // A dry run gives its locks back.
    attempt::provisional(|| {
        session::as_extension_owner(|| result.append_with(sql, &[run_id.into(), dry_run.into()]))?;
        Ok(((), !dry_run))
    })?;
    Ok(true)
}

/// The record of a run, for those who may undo it.
fn recorded(run_id: &str) -> Result<Recorded> {
    let run: Option<Recorded> = session::as_extension_owner(|| {
        spi::document(
            "SELECT pg_catalog.to_jsonb(r) FROM identity.dedup_runs AS r WHERE r.run_id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid",
            &[run_id.into()],
        )
    })?;
    let run = run.ok_or_else(|| {
        Error::new("42704", format!("there is no run {run_id}")).hint("identity.dedup_runs has the runs.")
    })?;
    check_undoer(&run.run_by)?;
    Ok(run)
}

/// A run is undone by the role that made it, a member of it, or a superuser.
fn check_undoer(run_by: &str) -> Result<()> {
    let allowed = spi::value::<bool>(
        "SELECT pg_catalog.bool_or(r.rolname OPERATOR(pg_catalog.=) $1 AND pg_catalog.pg_has_role(r.oid, 'MEMBER')
           OR r.rolname OPERATOR(pg_catalog.=) CURRENT_USER AND r.rolsuper) FROM pg_catalog.pg_roles AS r",
        &[run_by.into()],
    )?;
    if allowed == Some(true) {
        return Ok(());
    }
    Err(Error::new("42501", "permission denied to undo this run")
        .detail(format!("It was made by role \"{run_by}\"."))
        .hint("Undo it as that role, or as a member of it."))
}

fn undo(run: &Run, run_id: &str, dry_run: bool, result: &mut ResultSet) -> Result<()> {
    let owner = session::extension_owner()?;
    take_record(run, run_id, owner)?;
    run.on_target(&run.target.check_rights())?;
    if !dry_run {
        run::check_isolation("undo_dedup")?;
        run.on_target(&run.target.lock())?;
    }
    run.on_target(&run.target.find_present())?;
    run.own(statements::DECIDE_UNDO)?;
    let rows = run.number_of(statements::COUNT_PENDING)?;
    // A dry run restores the names too, and rolls back: constraints and triggers have their say.
    attempt::provisional(|| {
        run.restore(1, rows)?;
        run.own(statements::REFUSE_KEPT)?;
        with_system_names(|| result.append(statements::REPORT_UNDO))?;
        Ok(((), !dry_run))
    })?;
    if !dry_run {
        let restored = record_restored(run_id, owner)?;
        audit("undo_dedup", &run.target.table.name, &serde_json::json!({"run_id": run_id, "restored": restored}))?;
    }
    run.own(&statements::drop(&["undo", "member", "pending", "done"]))?;
    Ok(())
}

/// Puts what the record has of the run's rows into a table of the caller's own. The tables that an undo works on are all the
/// caller's, because the caller's code runs beside them: triggers, casts and policies of the target.
fn take_record(run: &Run, run_id: &str, owner: pg_sys::Oid) -> Result<()> {
    let mut rows = Store::new();
    session::as_owner(owner, || query::fill(&mut rows, statements::READ_UNDO, &[run_id.into()]))?;
    run.own(statements::CREATE_UNDO)?;
    let add = |rows: Vec<String>| with_system_names(|| spi::execute_built(statements::ADD_UNDO, || vec![rows.into()]));
    let mut batch = Vec::new();
    rows.each(|row| {
        batch.extend(row.text(1)?);
        if batch.len() == BATCH as usize {
            add(std::mem::take(&mut batch))?;
        }
        Ok(())
    })?;
    add(batch)?;
    Ok(())
}

/// Hands the rows that were restored over to the record, and counts them. They are read as the caller: the owner of the
/// record runs nothing on a table that the caller's own functions could have made into something else.
fn record_restored(run_id: &str, owner: pg_sys::Oid) -> Result<usize> {
    let mut cursor = with_system_names(|| Cursor::open(statements::RESTORED))?;
    let (mut restored, mut more) = (0, true);
    while more {
        let mut rows = Vec::new();
        more = with_system_names(|| {
            cursor.fetch(BATCH, |row| {
                rows.push(row.get::<String>(1)?);
                Ok(())
            })
        })?;
        restored += rows.len();
        let arguments = || vec![run_id.into(), rows.into()];
        session::as_owner(owner, || spi::execute_built(statements::RECORD_UNDO, arguments))?;
    }
    Ok(restored)
}
