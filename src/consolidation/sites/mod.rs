//! The SSO layer: `identity.stage_site` and `identity.dedup_site_logins`.
//!
//! A mapping (`import::mapping`) and `rules` are a site's description; `stage` loads a site, `dedup` finds its
//! duplicates; `statements` is the SQL. What is only SQL stands in `sql/31_sites.sql` and `sql/32_migration.sql`.

mod dedup;
mod rules;
mod stage;
mod statements;

use crate::access::{self, Level};
use crate::consolidation::run::{check_isolation, check_writable};
use crate::db::returns::ResultSet;
use crate::db::{argument, json, lock};
use crate::error::required;
use crate::import::mapping::Mapping;
use crate::import::plan::Report;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, GucContext, GucFlags, GucRegistry, GucSetting};
use rules::Rules;

/// Minutes. SQL reads it by its name.
static FORMER_NAME_GRACE: GucSetting<i32> = GucSetting::<i32>::new(90 * 24 * 60);

pub fn define_settings() {
    GucRegistry::define_int_guc(
        c"identity.former_name_grace",
        c"How long a former login name still logs its owner in.",
        c"After a renaming, and unless the name belongs to somebody else. 0: not at all.",
        &FORMER_NAME_GRACE,
        0,
        100 * 366 * 24 * 60,
        GucContext::Suset,
        GucFlags::UNIT_MIN,
    );
}

/// See the comment on `identity.stage_site` in `sql/31_sites.sql`.
#[allow(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn stage_site(
    realm: Option<&str>,
    site: Option<&str>,
    source: Option<&str>,
    mapping: Option<AnyElement>,
    rules: Option<AnyElement>,
    dry_run: Option<bool>,
    report: Option<&str>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let result = unsafe { ResultSet::of(fcinfo)? };
    let dry_run = required("dry_run", dry_run)?;
    check_writable("stage_site", dry_run)?;
    let realm = argument::name("realm", realm)?;
    access::require(Level::Importer, Some(&realm))?;
    let request = stage::Request {
        realm,
        site: argument::name("site", site)?,
        source: argument::source("source", source)?,
        mapping: Mapping::of_site(&json::document("mapping", required("mapping", mapping)?)?)?,
        rules: Rules::parse(&json::document("rules", required("rules", rules)?)?)?,
        dry_run,
        report: Report::parse_without_counts(&argument::name("report", report)?)?,
    };
    Ok(stage::stage(request, result)?)
}

/// See the comment on `identity.dedup_site_logins` in `sql/31_sites.sql`.
#[pg_extern(sql = false)]
fn dedup_site_logins(
    realm: Option<&str>,
    dry_run: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let result = unsafe { ResultSet::of(fcinfo)? };
    let dry_run = required("dry_run", dry_run)?;
    check_writable("dedup_site_logins", dry_run)?;
    let realm = argument::name("realm", realm)?;
    access::require(Level::Importer, Some(&realm))?;
    if !dry_run {
        check_isolation("dedup_site_logins")?;
    }
    Ok(dedup::dedup(&realm, dry_run, result)?)
}

/// See the comment on `identity_internal.lock_staged` in `sql/31_sites.sql`.
#[pg_extern(sql = false)]
fn lock_staged(realm: &str, alone: bool) {
    let number = lock::number(&[b"staged", realm.as_bytes()]);
    if alone { lock::lock(number) } else { lock::share(number) }
}

/// A time-ordered identifier.
#[pg_extern(sql = false)]
fn new_id() -> pgrx::Uuid {
    pgrx::Uuid::from_bytes(*uuid::Uuid::now_v7().as_bytes())
}
