//! Memberships in bulk: `identity.import_memberships`.
//!
//! The source is read to its end in the caller's name, into texts; what follows is done as the owner of the store, on these texts.

use crate::access::{self, Level};
use crate::audit::{self, Event};
use crate::db::query::Query;
use crate::db::returns::ResultSet;
use crate::db::store::{self, Store};
use crate::db::{argument, attempt, query, session, source};
use crate::error::{Error, Result, required};
use crate::import::job::{self, with_memory};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::json;

/// The source's columns; the first two must be there.
const COLUMNS: [&str; 4] = ["identity_id", "organization", "state", "is_default"];

/// What is to be done with each row of the source. `first`: the row that has its identity and organization first; `chosen`: the row by which an identity
/// gets its default.
const DECIDE: &str = "
SELECT r.rn, r.identity_id, r.organization, r.state, r.is_default AND r.chosen = r.rn AS is_default,
  CASE WHEN r.fault IS NOT NULL THEN 'invalid' WHEN r.first < r.rn THEN 'duplicate' WHEN r.member THEN 'conflict' ELSE 'added' END AS status,
  CASE WHEN r.fault IS NOT NULL THEN r.sqlstate WHEN r.first < r.rn OR r.member THEN '23505' END AS sqlstate,
  CASE WHEN r.fault IS NOT NULL THEN r.fault
       WHEN r.first < r.rn THEN concat('row ', r.first, ' of the source has it')
       WHEN r.member THEN 'the identity is a member already'
       WHEN r.is_default AND r.chosen < r.rn THEN concat('row ', r.chosen, ' is the default of the identity') END AS message
FROM (
  SELECT c.*, min(c.rn) OVER (PARTITION BY c.identity_id, c.organization, c.fault IS NULL) AS first,
    min(CASE WHEN c.is_default AND NOT c.member THEN c.rn END) OVER (PARTITION BY c.identity_id, c.fault IS NULL) AS chosen
  FROM (
    SELECT g.rn, m.realm IS NOT NULL AS member, g.identity_id::uuid, g.organization, COALESCE(g.state, 'active') AS state, COALESCE(g.is_default::boolean, false) AS is_default,
      CASE WHEN g.identity_id IS NULL THEN 'identity_id is NULL'
           WHEN g.organization IS NULL THEN 'organization is NULL'
           WHEN g.state NOT IN ('active', 'suspended') THEN concat('the state is neither active nor suspended: ', identity_internal.shown(g.state))
           WHEN i.id IS NULL THEN 'the identity does not exist'
           WHEN o.name IS NULL THEN 'the organization does not exist' END AS fault,
      CASE WHEN g.identity_id IS NULL OR g.organization IS NULL THEN '22004' WHEN g.state NOT IN ('active', 'suspended') THEN '22023' ELSE '42704' END AS sqlstate
    FROM (SELECT row_number() OVER () AS rn, s.* FROM source AS s) AS g
    LEFT JOIN identity.identities AS i ON i.realm = $1 AND i.id = g.identity_id::uuid
    LEFT JOIN identity.organizations AS o ON o.realm = $1 AND o.name = g.organization COLLATE \"C\"
    LEFT JOIN identity.memberships AS m ON m.realm = $1 AND m.identity_id = i.id AND m.organization = o.name) AS c) AS r
ORDER BY r.rn";

/// The defaults that others take the place of.
const CLEAR_DEFAULTS: &str = "
UPDATE identity.memberships AS m SET is_default = false FROM item AS i
WHERE i.status = 'added' AND i.is_default AND m.realm = $1 AND m.identity_id = i.identity_id AND m.is_default";

const ADD: &str = "
INSERT INTO identity.memberships AS m (realm, identity_id, organization, state, is_default)
SELECT $1, i.identity_id, i.organization, i.state, i.is_default FROM item AS i WHERE i.status = 'added' ORDER BY i.rn
ON CONFLICT ON CONSTRAINT memberships_pkey DO NOTHING RETURNING m.identity_id, m.organization";

/// What another session has added meanwhile was not added here.
const REPORT: &str = "
SELECT i.rn, CASE WHEN i.status = 'added' AND a.identity_id IS NULL THEN 'conflict' ELSE i.status END, i.identity_id, i.organization::text,
  CASE WHEN i.status = 'added' AND a.identity_id IS NULL THEN '23505' ELSE i.sqlstate END,
  CASE WHEN i.status = 'added' AND a.identity_id IS NULL THEN 'the identity is a member already' ELSE i.message END
FROM item AS i LEFT JOIN added AS a ON i.status = 'added' AND a.identity_id = i.identity_id AND a.organization = i.organization
ORDER BY i.rn";

const STORED: &str = "SELECT GREATEST(c.reltuples::int8, pg_relation_size(c.oid) / 100) FROM pg_class AS c WHERE c.oid = 'identity.memberships'::regclass";

/// See the comment on `identity.import_memberships` in `sql/50_login.sql`.
#[pg_extern(sql = false)]
fn import_memberships(
    realm: Option<&str>,
    source: Option<&str>,
    dry_run: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let mut result = unsafe { ResultSet::of(fcinfo)? };
    let realm = argument::name("realm", realm)?;
    access::require(Level::Admin, Some(&realm))?;
    let dry_run = required("dry_run", dry_run)?;
    job::check_session("import_memberships", dry_run)?;
    let owner = session::extension_owner()?;
    session::as_owner(owner, || {
        query::execute_kept("SELECT identity_internal.check_realm($1)", &[realm.as_str().into()])
    })?;
    let query = source::query(&argument::source("source", source)?, "source")?;
    let columns = read_columns(&query)?;
    result.open();
    // A dry run does all of it, and rolls back: then its locks are gone, too.
    Ok(attempt::provisional(|| {
        let _owner = store::own_stores();
        with_memory(|| {
            let source = source::read_texts(&query, &columns)?;
            session::as_owner(owner, || add(&realm, source, dry_run, &mut result))
        })?;
        Ok(((), !dry_run))
    })?)
}

/// Each column with its type, and whether the source has it.
fn read_columns(query: &str) -> Result<Vec<(&'static str, Option<&'static str>)>> {
    let given = source::columns(query)?;
    if let Some((unknown, _)) = given.iter().find(|(name, _)| !COLUMNS.contains(&name.as_str())) {
        return Err(refuse(format!("It has a column \"{unknown}\".")));
    }
    let has = |name: &str| given.iter().any(|(given, _)| given == name);
    if let Some(missing) = COLUMNS[..2].iter().find(|name| !has(name)) {
        return Err(refuse(format!("It has no column \"{missing}\".")));
    }
    let types = ["uuid", "text", "text", "bool"];
    Ok(COLUMNS.into_iter().zip(types).map(|(name, of)| (name, has(name).then_some(of))).collect())
}

fn refuse(detail: String) -> Error {
    Error::new("42703", "the source does not have the columns of memberships")
        .detail(detail)
        .hint("Select identity_id, organization and, as needed, state and is_default: 'SELECT user_id AS identity_id, company AS organization FROM staff'.")
}

fn add(realm: &str, source: Store, dry_run: bool, result: &mut ResultSet) -> Result<()> {
    let arguments: [DatumWithOid; 1] = [realm.into()];
    let rows = source.rows();
    let lookups = job::lookups(rows, query::kept_number(STORED, &[])?);
    let (mut item, mut added) = (Store::new(), Store::new());
    Query::over(DECIDE, &arguments, &[("source", &source)], lookups).fill(&mut item, &mut |_| {})?;
    Query::over(CLEAR_DEFAULTS, &arguments, &[("item", &item)], lookups).run()?;
    Query::over(ADD, &arguments, &[("item", &item)], job::IN_BULK).fill(&mut added, &mut |_| {})?;
    Query::over(REPORT, &[], &[("item", &item), ("added", &added)], job::IN_BULK).send(result.receiver())?;
    let detail = json!({"rows": rows, "added": added.rows()});
    audit::record(&Event { realm, action: "import_memberships", subject: None, detail: &detail })?;
    let what = if dry_run { "dry run: " } else { "" };
    notice!("{what}memberships: {rows} {}, {} added", if rows == 1 { "row" } else { "rows" }, added.rows());
    Ok(())
}
