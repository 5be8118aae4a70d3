//! Authorization: `identity.check_permission` and its kin.
//!
//! `plan` decides from the permissions found, `policy` evaluates conditions, `circle` finds circles, all without Postgres.
//! `store`, with `grants`, `conditions` and `implied`, reads the tables, `memory` remembers what was read until something
//! changes, and `changes` says what has changed; `places` and `findings` collect what a question is about, `judge` answers it. `explain`, `listing` and
//! `collapse` are made of these.

mod alike;
mod cache;
mod changes;
mod circle;
mod collapse;
mod conditions;
mod explain;
mod findings;
mod grants;
mod implied;
mod judge;
mod listing;
mod memory;
mod names;
mod order;
mod places;
mod plan;
mod policy;
mod store;
mod subject;
mod walk;

use crate::access::{self, Level};
use crate::db::call::Call;
use crate::db::invalidation::Topic;
use crate::db::returns::ResultSet;
use crate::db::transition::Statement;
use crate::db::{allocate, argument, invalidation, json};
use crate::error::{Error, Result, readable, required};
use changes::{Changes, Table};
use judge::{Context, MOST_NAME, MOST_RESOURCE, Question};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, Array, IntoDatum};
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
    Ok(judge::check_one(&question, &Context::new(call.jsonb(5))?)?)
}

/// So many questions are answered at once, in answers of so many bytes.
const MOST_QUESTIONS: usize = 1_000_000;
const MOST_ANSWERS: usize = 1 << 30;

/// See the comment on `identity.check_permissions` in `sql/60_authorization.sql`.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
fn check_permissions(
    realm: Option<&str>,
    subject: Option<&str>,
    resource_type: Option<&str>,
    scopes: Option<Array<&str>>,
    resources: Option<Array<&str>>,
    context_value: Option<AnyElement>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let mut result = unsafe { ResultSet::of(fcinfo)? };
    access::require_any(Level::Application)?;
    let realm = realm.filter(|realm| access::covers(Level::Application, realm).unwrap_or(false));
    let (scopes, resources) = (texts(&scopes)?, texts(&resources)?);
    check_number(&scopes, &resources)?;
    let context = Context::new(context_value)?;
    memory::refresh();
    let mut store = Store::new();
    result.open();
    for resource in &resources {
        for scope in &scopes {
            let permitted = match (realm, subject, *scope, resource_type) {
                (Some(realm), Some(subject), Some(scope), Some(resource_type)) => {
                    let question = Question { realm, subject, scope, resource_type, resource: *resource };
                    judge::check(&mut store, &question, &context)?
                }
                _ => false,
            };
            result.add(|| [resource.into_datum(), scope.into_datum(), permitted.into_datum()]);
        }
    }
    Ok(())
}

/// The elements of an array of text, where they stand; none for NULL.
fn texts<'a>(array: &'a Option<Array<'_, &str>>) -> Result<Vec<Option<&'a str>>> {
    let mut texts = Vec::new();
    if let Some(array) = array {
        allocate::reserve(&mut texts, array.len())?;
        texts.extend(array.iter());
    }
    Ok(texts)
}

fn check_number(scopes: &[Option<&str>], resources: &[Option<&str>]) -> Result<()> {
    let bytes = |texts: &[Option<&str>]| texts.iter().flatten().map(|text| text.len()).sum::<usize>();
    let questions = scopes.len().saturating_mul(resources.len());
    let answers =
        (bytes(scopes).saturating_mul(resources.len())).saturating_add(bytes(resources).saturating_mul(scopes.len()));
    if questions <= MOST_QUESTIONS && answers <= MOST_ANSWERS {
        return Ok(());
    }
    Err(Error::new("54000", "too many questions at once")
        .detail(format!(
            "{} scopes on {} resources are {questions} questions, and {answers} bytes of names in the answers.",
            scopes.len(),
            resources.len()
        ))
        .hint(format!("Ask at most {MOST_QUESTIONS} questions at once, and for at most {} MB.", MOST_ANSWERS >> 20)))
}

/// See the comment on `identity.explain_permission` in `sql/60_authorization.sql`.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
fn explain_permission(
    realm: Option<&str>,
    subject: Option<&str>,
    scope: Option<&str>,
    resource_type: Option<&str>,
    resource: Option<&str>,
    context_value: Option<AnyElement>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let mut result = unsafe { ResultSet::of(fcinfo)? };
    access::require(Level::Application, realm)?;
    let context = Context::new(context_value)?;
    memory::refresh();
    result.open();
    let asked = explain::Asked { realm, subject, scope, resource_type, resource };
    let mut number = 0;
    explain::explain(&mut Store::new(), &asked, &context, |step| {
        number += 1;
        result.add(|| {
            [
                number.into_datum(),
                step.level.into_datum(),
                step.resource_type.as_deref().into_datum(),
                step.resource.as_deref().into_datum(),
                step.scope.as_deref().into_datum(),
                step.permission_id.into_datum(),
                step.effect.into_datum(),
                step.subject.as_deref().into_datum(),
                step.via.clone().into_datum(),
                step.policy.into_datum(),
                step.outcome.as_str().into_datum(),
            ]
        });
    })?;
    Ok(())
}

/// See the comment on `identity.permitted_resources` in `sql/60_authorization.sql`.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
fn permitted_resources(
    realm: Option<&str>,
    subject: Option<&str>,
    scope: Option<&str>,
    resource_type: Option<&str>,
    after: Option<&str>,
    max_rows: Option<i32>,
    context_value: Option<AnyElement>,
    only_permitted: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let mut result = unsafe { ResultSet::of(fcinfo)? };
    access::require(Level::Application, realm)?;
    let page = (after, page_size(max_rows)?);
    let only_permitted = required("only_permitted", only_permitted)?;
    let context = Context::new(context_value)?;
    memory::refresh();
    result.open();
    let tell = |resource: Option<&str>, permitted: bool| {
        result.add(|| [resource.into_datum(), permitted.into_datum()]);
    };
    let (Some(realm), Some(subject), Some(scope), Some(resource_type)) = (realm, subject, scope, resource_type) else {
        let mut tell = tell;
        tell(None, false);
        return Ok(());
    };
    let question = Question { realm, subject, scope, resource_type, resource: None };
    Ok(listing::resources(&mut Store::new(), &question, &context, page, only_permitted, tell)?)
}

/// See the comment on `identity.permitted_subjects` in `sql/60_authorization.sql`.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
fn permitted_subjects(
    realm: Option<&str>,
    scope: Option<&str>,
    resource_type: Option<&str>,
    resource: Option<&str>,
    after: Option<&str>,
    max_rows: Option<i32>,
    context_value: Option<AnyElement>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let mut result = unsafe { ResultSet::of(fcinfo)? };
    access::require(Level::Application, realm)?;
    let page = (after, page_size(max_rows)?);
    let context = Context::new(context_value)?;
    memory::refresh();
    result.open();
    let (Some(realm), Some(scope), Some(resource_type)) = (realm, scope, resource_type) else { return Ok(()) };
    let question = Question { realm, subject: subject::EVERYBODY, scope, resource_type, resource };
    let tell = |subject: &str| result.add(|| [subject.into_datum()]);
    Ok(listing::subjects(&mut Store::new(), &question, &context, page, tell)?)
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

/// A trigger on every table that answers come from: after a statement with its transition tables, after TRUNCATE, or after
/// a row that logical replication has brought.
#[pg_extern(sql = false)]
fn permissions_changed(fcinfo: pg_sys::FunctionCallInfo) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let Some(statement) = (unsafe { Statement::that_changed_rows(fcinfo)? }) else {
        invalidation::announce([Topic::Everything]);
        return Ok(());
    };
    let table = Table::of(&statement.table);
    let column = |name: &str| statement.columns.iter().find(|column| column.name == name);
    let (realm_of, subject_of) = (column("realm"), table.subject().and_then(column));
    let mut changes = Changes::of(table);
    let (mut realm, mut subject) = (Vec::new(), Vec::new());
    statement.rows(|old, new| {
        for row in old.into_iter().chain(new) {
            realm.clear();
            subject.clear();
            realm_of.map_or(Ok(false), |column| row.read(column, &mut realm))?;
            subject_of.map_or(Ok(false), |column| row.read(column, &mut subject))?;
            changes.add(&String::from_utf8_lossy(&realm), &String::from_utf8_lossy(&subject));
        }
        Ok(())
    })?;
    invalidation::announce(changes.topics());
    Ok(())
}

#[pg_extern(sql = false)]
fn is_subject(text: &str) -> bool {
    subject::is_subject(text)
}

#[pg_extern(sql = false)]
fn is_name(text: &str, most: i32) -> bool {
    (1..=most).contains(&(text.len() as i32))
}

/// A configuration that cannot be read is an error.
#[pg_extern(sql = false)]
fn policy_problem(kind: &str, config: AnyElement) -> std::result::Result<Option<String>, ErrorReport> {
    let config = json::document("config", config)?;
    Ok(policy::Config::parse(kind, &config).err().map(readable))
}

/// See the comment on `identity_internal.policy_circle` in `sql/60_authorization.sql`.
#[pg_extern(sql = false)]
fn policy_circle(realm: &str, names: Array<&str>) -> std::result::Result<Option<Vec<String>>, ErrorReport> {
    if !access::covers(Level::Admin, realm)? {
        return Ok(None);
    }
    memory::forget();
    let mut asked = Vec::new();
    for name in names.iter().flatten().filter(|name| name.len() <= MOST_NAME) {
        allocate::push(&mut asked, name)?;
    }
    Ok(Store::new().policy_circle(realm, &asked)?)
}

/// See the comment on `identity_internal.implied_circle` in `sql/60_authorization.sql`.
#[pg_extern(sql = false)]
fn implied_circle(
    realm: &str,
    types: Array<&str>,
    scopes: Array<&str>,
) -> std::result::Result<Option<Vec<String>>, ErrorReport> {
    if !access::covers(Level::Admin, realm)? {
        return Ok(None);
    }
    memory::forget();
    let mut asked = Vec::new();
    for (resource_type, scope) in types.iter().flatten().zip(scopes.iter().flatten()) {
        if resource_type.len().max(scope.len()) <= MOST_NAME {
            allocate::push(&mut asked, (resource_type, scope))?;
        }
    }
    let circle = Store::new().implied_circle(realm, &asked)?;
    Ok(circle.map(|path| path.into_iter().map(|(resource_type, scope)| format!("{resource_type}.{scope}")).collect()))
}

/// See the comment on `identity_internal.keycloak_order` in `sql/64_keycloak.sql`.
#[pg_extern(sql = false)]
fn keycloak_order(
    ids: Array<&str>,
    wholes: Array<&str>,
    parts: Array<&str>,
) -> std::result::Result<Vec<String>, ErrorReport> {
    // A place, a count, a list and an entry of a map for each, and as much again while they grow.
    allocate::ensure((ids.len() + parts.len()).saturating_mul(400))?;
    let ids: Vec<&str> = ids.iter().flatten().collect();
    let made_of: Vec<(&str, &str)> = wholes.iter().flatten().zip(parts.iter().flatten()).collect();
    let order = order::after_parts(&ids, &made_of);
    allocate::ensure(order.iter().map(|id| id.len() + 100).sum())?;
    Ok(order.into_iter().map(str::to_string).collect())
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
    if !subject::is_subject(subject) {
        return Ok(subject == container);
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
    if realm.len().max(resource_type.len()) > MOST_NAME || resource.len() > MOST_RESOURCE {
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
    let (realm, resource_type) = (argument::name("realm", realm)?, argument::name("resource_type", resource_type)?);
    access::require(Level::Admin, Some(&realm))?;
    let (resources, dry_run) = (argument::source("resources", resources)?, required("dry_run", dry_run)?);
    result.open();
    Ok(collapse::collapse(&realm, &resource_type, &resources, dry_run, &mut result)?)
}
