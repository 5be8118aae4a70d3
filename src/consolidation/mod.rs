//! Consolidation on the user's own table: `identity.find_duplicates`, `dedup_logins` and `undo_dedup`.
//!
//! `plan` checks the arguments; `roll` reads the table, `names` and `allot` find the new names in the order of `order`; `statements` is the SQL, `run`
//! runs it, `dedup` and `undo` are the runs. One pass is final: every key of the table that a new name could meet, every former and every
//! reserved name is known before the first new one is given.

mod allot;
mod dedup;
mod names;
mod order;
mod plan;
mod roll;
mod run;
mod sites;
mod statements;
mod undo;

use crate::access::{self, Level};
use crate::audit::{self, Event};
use crate::db::catalog;
use crate::db::returns::ResultSet;
use crate::db::{argument, attempt, json, session, spi};
use crate::error::{Error, Result, required};
use crate::import::job::with_memory;
use dedup::Request;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, Uuid as PgUuid};
use plan::{Columns, Keep, Normalize};
use serde::Deserialize;
use statements::Target;
use uuid::Uuid;

pub use sites::define_settings;

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
    let normalize = Normalize::parse(&argument::name("normalize", normalize)?)?;
    let table = catalog::table(required("target", target)?)?;
    let (login, site) = (argument::name("login", login)?, argument::name("site", site)?);
    let columns = Columns::of(&table, &login, &site, &argument::name("row_id", row_id)?)?;
    result.open();
    let target = Target { table: &table, columns: &columns, flag: None, normalize };
    Ok(with_memory(|| dedup::find_duplicates(&target, &mut result))?)
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
    let prefixes = json::document("prefixes", required("prefixes", prefixes)?)?;
    let request = Request {
        prefixes: plan::prefixes(&prefixes)?,
        prefixes_json: prefixes.to_string(),
        keep: Keep::parse(&argument::name("keep", keep)?)?,
        max_length,
        reserved: argument::source_if_given("reserved", reserved)?,
        dry_run: required("dry_run", dry_run)?,
    };
    if !request.dry_run {
        run::check_writable("dedup_logins", false)?;
    }
    let flag = argument::name_if_given("flag", flag)?;
    let normalize = Normalize::parse(&argument::name("normalize", normalize)?)?;
    let table = catalog::table(required("target", target)?)?;
    let (login, site) = (argument::name("login", login)?, argument::name("site", site)?);
    let columns = Columns::of(&table, &login, &site, &argument::name("row_id", row_id)?)?;
    let flag = run::flag_column(&table, flag.as_deref())?;
    result.open();
    let target = Target { table: &table, columns: &columns, flag: flag.as_ref(), normalize };
    Ok(with_memory(|| dedup::dedup(&target, &request, &mut result))?)
}

/// The user's table is in no realm.
fn audit(action: &str, table: &str, detail: &serde_json::Value) -> Result<()> {
    audit::record(&Event { realm: "", action, subject: Some(table), detail })?;
    Ok(())
}

/// See the comment on `identity.undo_dedup` in `sql/30_consolidation.sql`.
#[pg_extern(sql = false)]
fn undo_dedup(
    run_id: Option<PgUuid>,
    dry_run: Option<bool>,
    target: Option<pg_sys::Oid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let mut result = unsafe { ResultSet::of(fcinfo)? };
    access::require_any(Level::Importer)?;
    let dry_run = required("dry_run", dry_run)?;
    run::check_writable("undo_dedup", dry_run)?;
    let run_id = Uuid::from_bytes(*required("run_id", run_id)?.as_bytes()).to_string();
    if undo_sites(&run_id, dry_run, target.is_some(), &mut result)? {
        return Ok(());
    }
    let recorded = undo::recorded(&run_id)?;
    check_undoer(&recorded.run_by)?;
    let table = catalog::table(target.map_or_else(|| recorded.table(), Ok)?)?;
    let columns = Columns::of(&table, &recorded.login, &recorded.site, &recorded.row_id)?;
    let flag = run::flag_column(&table, recorded.flag.as_deref())?;
    let normalize = Normalize::parse(&recorded.normalize)?;
    result.open();
    let target = Target { table: &table, columns: &columns, flag: flag.as_ref(), normalize };
    Ok(with_memory(|| undo::undo(&target, &run_id, dry_run, &mut result))?)
}

/// The record of a run of `dedup_site_logins`.
#[derive(Deserialize)]
struct RecordedOfSites {
    realm: String,
    run_by: String,
}

/// Undoes a run of `dedup_site_logins`; false where it is none.
fn undo_sites(run_id: &str, dry_run: bool, with_target: bool, result: &mut ResultSet) -> Result<bool> {
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
    if with_target {
        return Err(Error::invalid_argument("target is given, and the run was none on a table of yours")
            .detail("It was made by identity.dedup_site_logins().")
            .hint("Leave target out."));
    }
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
