//! Authorization: `identity.check_permission` and its kin.
//!
//! `plan` decides from the permissions found, `policy` evaluates conditions, both without Postgres. `store` reads the
//! tables, `memory` remembers what was read until something changes; `places` and `findings` collect what a question is
//! about, `judge` answers it. `explain`, `listing` and `collapse` are made of these.

mod cache;
mod collapse;
mod explain;
mod findings;
mod judge;
mod listing;
mod memory;
mod places;
mod plan;
mod policy;
mod store;
mod subject;

use crate::access::{self, Level};
use crate::db::call::Call;
use crate::db::invalidation;
use crate::db::returns::ResultSet;
use crate::error::{Error, Result, required};
use judge::{Context, Question};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, JsonB};
use places::Places;
use store::Store;

pub use memory::define_settings;

/// Once for each session.
pub fn register() {
    invalidation::register();
}

/// See the comment on `identity.check_permission` in `sql/60_authorization.sql`.
#[pg_extern(sql = false)]
fn check_permission(fcinfo: pg_sys::FunctionCallInfo) -> std::result::Result<bool, ErrorReport> {
    // SAFETY: this is the call that is being served.
    let call = unsafe { Call::of(fcinfo) };
    let (Some(realm), Some(subject), Some(scope), Some(resource_type)) =
        (call.text(0), call.text(1), call.text(2), call.text(3))
    else {
        return Ok(false);
    };
    if !access::covers(Level::Application, realm)? {
        return Ok(false);
    }
    memory::refresh();
    let question = Question { realm, subject, scope, resource_type, resource: call.text(4) };
    Ok(judge::check(&mut Store::new(), &question, &Context::new(call.jsonb(5)))?)
}

/// See the comment on `identity.check_permissions` in `sql/60_authorization.sql`.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn check_permissions(
    realm: Option<&str>,
    subject: Option<&str>,
    resource_type: Option<&str>,
    scopes: Option<Vec<Option<String>>>,
    resources: Option<Vec<Option<String>>>,
    context_value: Option<AnyElement>,
) -> std::result::Result<
    TableIterator<'static, (name!(resource, Option<String>), name!(scope, Option<String>), name!(permitted, bool))>,
    ErrorReport,
> {
    access::require_any(Level::Application)?;
    let realm = realm.filter(|realm| access::covers(Level::Application, realm).unwrap_or(false));
    memory::refresh();
    let (mut store, context) = (Store::new(), Context::new(context_value));
    let mut rows = Vec::new();
    for resource in resources.unwrap_or_default() {
        for scope in scopes.as_deref().unwrap_or_default() {
            pgrx::check_for_interrupts!();
            let permitted = match (realm, subject, scope, resource_type) {
                (Some(realm), Some(subject), Some(scope), Some(resource_type)) => {
                    let question = Question { realm, subject, scope, resource_type, resource: resource.as_deref() };
                    judge::check(&mut store, &question, &context)?
                }
                _ => false,
            };
            rows.push((resource.clone(), scope.clone(), permitted));
        }
    }
    Ok(TableIterator::new(rows))
}

/// See the comment on `identity.explain_permission` in `sql/60_authorization.sql`.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn explain_permission(
    realm: Option<&str>,
    subject: Option<&str>,
    scope: Option<&str>,
    resource_type: Option<&str>,
    resource: Option<&str>,
    context_value: Option<AnyElement>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(level, String),
            name!(resource_type, Option<String>),
            name!(resource, Option<String>),
            name!(scope, Option<String>),
            name!(permission_id, Option<i64>),
            name!(effect, Option<String>),
            name!(subject, Option<String>),
            name!(via, Option<Vec<String>>),
            name!(policy, Option<String>),
            name!(outcome, String),
        ),
    >,
    ErrorReport,
> {
    access::require(Level::Application, realm)?;
    memory::refresh();
    let asked = explain::Asked { realm, subject, scope, resource_type, resource };
    let steps = explain::explain(&mut Store::new(), &asked, &Context::new(context_value))?;
    Ok(TableIterator::new(steps.into_iter().zip(1..).map(|(s, n)| {
        (
            n,
            s.level,
            s.resource_type,
            s.resource,
            s.scope,
            s.permission_id,
            s.effect,
            s.subject,
            s.via,
            s.policy,
            s.outcome,
        )
    })))
}

/// See the comment on `identity.permitted_resources` in `sql/60_authorization.sql`.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
fn permitted_resources(
    realm: Option<&str>,
    subject: Option<&str>,
    scope: Option<&str>,
    resource_type: Option<&str>,
    after: Option<&str>,
    max_rows: Option<i32>,
    context_value: Option<AnyElement>,
) -> std::result::Result<TableIterator<'static, (name!(resource, Option<String>), name!(permitted, bool))>, ErrorReport>
{
    access::require(Level::Application, realm)?;
    let most = page_size(max_rows)?;
    let (Some(realm), Some(subject), Some(scope), Some(resource_type)) = (realm, subject, scope, resource_type) else {
        return Ok(TableIterator::once((None, false)));
    };
    memory::refresh();
    let question = Question { realm, subject, scope, resource_type, resource: None };
    let page = listing::resources(&mut Store::new(), &question, &Context::new(context_value), after, most)?;
    Ok(TableIterator::new(page))
}

/// See the comment on `identity.permitted_subjects` in `sql/60_authorization.sql`.
#[pg_extern(sql = false)]
fn permitted_subjects(
    realm: Option<&str>,
    scope: Option<&str>,
    resource_type: Option<&str>,
    resource: Option<&str>,
    after: Option<&str>,
    max_rows: Option<i32>,
    context_value: Option<AnyElement>,
) -> std::result::Result<TableIterator<'static, (name!(subject, String),)>, ErrorReport> {
    access::require(Level::Application, realm)?;
    let most = page_size(max_rows)?;
    let (Some(realm), Some(scope), Some(resource_type)) = (realm, scope, resource_type) else {
        return Ok(TableIterator::empty());
    };
    memory::refresh();
    let question = Question { realm, subject: subject::EVERYBODY, scope, resource_type, resource };
    let page = listing::subjects(&mut Store::new(), &question, &Context::new(context_value), after, most)?;
    Ok(TableIterator::new(page.into_iter().map(|subject| (subject,))))
}

fn page_size(max_rows: Option<i32>) -> Result<usize> {
    const MOST: i32 = 100_000;
    match max_rows {
        Some(rows @ 1..=MOST) => Ok(rows as usize),
        other => {
            let value = other.map_or("NULL".to_string(), |rows| rows.to_string());
            Err(Error::invalid_argument(format!("max_rows is {value}"))
                .hint(format!("Give 1 to {MOST}, and ask for the next page with after => the last row of this one.")))
        }
    }
}

/// See the comment on `identity.permission_cache_status` in `sql/60_authorization.sql`.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn permission_cache_status() -> TableIterator<
    'static,
    (
        name!(entries, i64),
        name!(bytes, i64),
        name!(max_bytes, i64),
        name!(hits, i64),
        name!(misses, i64),
        name!(flushes, i64),
    ),
> {
    memory::refresh();
    let [entries, bytes, hits, misses, flushes] = memory::status();
    TableIterator::once((entries, bytes, memory::limit() as i64, hits, misses, flushes))
}

/// A trigger on every table that answers come from: Postgres passes what it needs in the call, and nothing of it is
/// needed.
#[pg_extern(sql = false)]
fn permissions_changed() {
    invalidation::announce();
}

#[pg_extern(sql = false)]
fn is_subject(text: &str) -> bool {
    subject::is_subject(text)
}

#[pg_extern(sql = false)]
fn is_name(text: &str, most: i32) -> bool {
    (1..=most).contains(&(text.len() as i32))
}

#[pg_extern(sql = false)]
fn policy_problem(kind: &str, config: JsonB) -> Option<String> {
    policy::Config::parse(kind, &config.0).err()
}

/// Whether a subject is a container, or is in it. Nothing remembered is asked: this decides what may be written.
#[pg_extern(sql = false)]
fn reaches(
    realm: Option<&str>,
    subject: Option<&str>,
    container: Option<&str>,
) -> std::result::Result<bool, ErrorReport> {
    let (Some(realm), Some(subject), Some(container)) = (realm, subject, container) else { return Ok(false) };
    if !access::covers(Level::Admin, realm)? {
        return Ok(false);
    }
    memory::forget();
    Ok(policy::Asker::is_in(&*Store::new().closure(realm, subject)?, container, false))
}

/// Whether a resource is a container, or stands in it. Nothing remembered is asked.
#[pg_extern(sql = false)]
fn stands_in(
    realm: Option<&str>,
    resource_type: Option<&str>,
    resource: Option<&str>,
    container_type: Option<&str>,
    container: Option<&str>,
) -> std::result::Result<bool, ErrorReport> {
    let (Some(realm), Some(resource_type), Some(resource), Some(container_type), Some(container)) =
        (realm, resource_type, resource, container_type, container)
    else {
        return Ok(false);
    };
    if !access::covers(Level::Admin, realm)? {
        return Ok(false);
    }
    memory::forget();
    let mut store = Store::new();
    let model = store.model(realm)?;
    let places = Places::of(&mut store, &model, realm, resource_type, Some(resource))?;
    Ok(places.level_of(container_type, container).is_some())
}

/// See the comment on `identity.collapse_permissions` in `sql/62_collapse.sql`.
#[pg_extern(sql = false)]
fn collapse_permissions(
    realm: Option<&str>,
    resource_type: Option<&str>,
    resources: Option<&str>,
    dry_run: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let mut result = unsafe { ResultSet::of(fcinfo)? };
    let (realm, resource_type) = (required("realm", realm)?, required("resource_type", resource_type)?);
    access::require(Level::Admin, Some(realm))?;
    let (resources, dry_run) = (required("resources", resources)?, required("dry_run", dry_run)?);
    result.open();
    Ok(collapse::collapse(realm, resource_type, resources, dry_run, &mut result)?)
}
