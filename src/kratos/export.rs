//! Identities out of a Kratos database: one query, as documents that the imports of this extension read.

use crate::access::{self, Level};
use crate::db::query::Query;
use crate::db::returns::ResultSet;
use crate::db::sql::{Sql, sql};
use crate::db::store::Store;
use crate::db::{argument, session, source, spi};
use crate::error::{Error, Result, shown};
use crate::import::job;
use crate::kratos::tables::{Tables, Use};
use pgrx::IntoDatum;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use uuid::Uuid;

/// See the comment on `identity.export_kratos` in `sql/27_kratos.sql`.
#[pg_extern(sql = false)]
fn export_kratos(
    kratos: Option<&str>,
    nid: Option<pgrx::Uuid>,
    ids: Option<&str>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    // SAFETY: this is the call that is being served.
    let mut result = unsafe { ResultSet::of(fcinfo)? };
    access::require_any(Level::Importer)?;
    let schema = argument::name("kratos", kratos)?;
    let nid = nid.map(|nid| Uuid::from_bytes(*nid.as_bytes()).to_string());
    // The caller's query is read to its end before anything else, with the caller's own names.
    let wanted = argument::source_if_given("ids", ids)?.map(|ids| read_ids(&ids)).transpose()?;
    Ok(session::with_system_names(|| {
        let tables = Tables::open(&schema, Use::Read)?;
        let nid = tables.network(nid.as_deref())?;
        let stores: Vec<_> = wanted.iter().map(|wanted| ("wanted", wanted)).collect();
        // A document has its times in UTC.
        session::with_settings(&[("TimeZone", "UTC")], || {
            job::with_memory(|| {
                result.open();
                let arguments = [nid.as_str().into()];
                let several = spi::number(&several(&tables), &arguments)? > 0;
                let query = documents(&tables, wanted.is_some(), several);
                Query::over(&query, &arguments, &stores, &[]).send(result.receiver())
            })
        })
    })?)
}

/// The ids of identities that a source has.
fn read_ids(source: &str) -> Result<Store> {
    let query = source::list(source, "ids", "ids", "Select the ids alone: 'SELECT id FROM customers'.")?;
    let mut texts = Store::new();
    source::read_into(&mut texts, &Sql::verbatim(query))?;
    let mut ids = Store::with_columns(&[("id", pg_sys::UUIDOID)]);
    texts.each(|row| {
        let text = row.text(1)?.unwrap_or_default();
        let id = Uuid::parse_str(text.trim()).map_err(|_| {
            Error::new("22P02", format!("ids has a value that is no UUID: \"{}\"", shown(&text)))
                .hint("Select the column id of identities.")
        })?;
        ids.add(|| [pgrx::Uuid::from_bytes(id.into_bytes()).into_datum()]);
        Ok(())
    })?;
    Ok(ids)
}

/// A document an identity of the network `$1`: with ids in `wanted`, of those alone.
///
/// Credentials and addresses are gathered set by set, and joined. What is of an older version of Kratos is written as the current one would.
/// `several`: some identity has more than one credential of a type, which is looked for beforehand, since it costs much to be ready for it.
fn documents(tables: &Tables, wanted: bool, several: bool) -> Sql {
    let of = |column: Sql| {
        if wanted { sql!("AND {column} IN (SELECT w.id FROM wanted AS w)", column) } else { sql!("") }
    };
    let (latest, several) = if several {
        (
            sql!("ORDER BY c.updated_at"),
            sql!(
                "CASE WHEN count(*) > count(DISTINCT t.id) THEN 'of several credentials of one type the one that was changed last is taken' END"
            ),
        )
    } else {
        (sql!(""), sql!("NULL"))
    };
    sql!(
        r#"
SELECT i.id,
  jsonb_build_object(
    'id', i.id, 'schema_id', i.schema_id, 'external_id', i.external_id, 'state', i.state, 'traits', i.traits,
    'metadata_public', i.metadata_public, 'metadata_admin', i.metadata_admin, 'organization_id', i.organization_id,
    'created_at', i.created_at::timestamptz, 'updated_at', i.updated_at::timestamptz, 'state_changed_at', i.state_changed_at::timestamptz,
    'verifiable_addresses', v.addresses, 'recovery_addresses', r.addresses, 'credentials', c.credentials) AS document,
  NULLIF(concat_ws('; ', c.warning, v.warning, r.warning), '') AS warning
FROM ONLY {identities} AS i
LEFT JOIN (
  SELECT c.identity_id,
    jsonb_object_agg(t.name, jsonb_build_object(
      'identifiers', COALESCE(n.identifiers, '[]'), 'created_at', c.created_at::timestamptz, 'updated_at', c.updated_at::timestamptz,
      'config', CASE t.name
        WHEN 'password' THEN CASE WHEN c.config ? 'use_password_migration_hook' AND c.config ->> 'hashed_password' <> ''
          THEN c.config - 'use_password_migration_hook' ELSE c.config END
        WHEN 'oidc' THEN {providers}
        WHEN 'saml' THEN {providers}
        WHEN 'totp' THEN jsonb_build_object('totp_url', c.config -> 'totp_url')
        WHEN 'lookup_secret' THEN jsonb_build_object('codes', c.config -> 'recovery_codes')
        WHEN 'webauthn' THEN CASE WHEN c.version > 0 THEN c.config ELSE c.config || jsonb_build_object(
          'user_handle', COALESCE(NULLIF(c.config ->> 'user_handle', ''), encode(uuid_send(c.identity_id), 'base64'))) END
        WHEN 'code' THEN CASE WHEN c.version > 0 THEN c.config ELSE jsonb_build_object('addresses', (
          SELECT COALESCE(jsonb_agg(jsonb_build_object('address', a.value, 'channel',
            CASE lower(btrim(c.config ->> 'address_type')) WHEN 'sms' THEN 'sms' ELSE 'email' END)), '[]')
          FROM jsonb_array_elements_text(n.identifiers) AS a (value))) END
        ELSE c.config END)
      {latest}) FILTER (WHERE t.known) AS credentials,
    NULLIF(concat_ws('; ',
      CASE WHEN bool_or(jsonb_path_exists(c.config, '$.providers[*] ? (@.initial_id_token > "" || @.initial_access_token > "" || @.initial_refresh_token > "")'))
        FILTER (WHERE t.name IN ('oidc', 'saml')) THEN 'tokens of providers are left out' END,
      CASE WHEN NOT bool_and(t.known) THEN 'credentials of an unknown type are left out: ' || string_agg(t.name, ', ') FILTER (WHERE NOT t.known) END,
      {several}), '') AS warning
  FROM ONLY {credentials} AS c
  JOIN (SELECT t.id, t.name, t.name IN ('password', 'oidc', 'saml', 'totp', 'lookup_secret', 'webauthn', 'passkey', 'code', 'deviceauthn') AS known
        FROM ONLY {types} AS t) AS t ON t.id = c.identity_credential_type_id
  LEFT JOIN (
    SELECT n.identity_credential_id, jsonb_agg(n.identifier ORDER BY n.identifier COLLATE "C") AS identifiers
    FROM ONLY {identifiers} AS n WHERE n.nid = $1::uuid {of_identifiers}
    GROUP BY n.identity_credential_id) AS n ON n.identity_credential_id = c.id
  WHERE c.nid = $1::uuid {of_credentials}
  GROUP BY c.identity_id) AS c ON c.identity_id = i.id
LEFT JOIN (
  SELECT v.identity_id,
    jsonb_agg(jsonb_build_object(
      'value', v.value, 'via', {via}, 'verified', v.verified, 'status', CASE WHEN v.status IN ('pending', 'sent', 'completed') THEN v.status END,
      'verified_at', v.verified_at::timestamptz, 'created_at', v.created_at::timestamptz, 'updated_at', v.updated_at::timestamptz)) FILTER (WHERE {known}) AS addresses,
    CASE WHEN NOT bool_and({known}) THEN 'verifiable addresses of an unknown channel are left out' END AS warning
  FROM ONLY {verifiable} AS v WHERE v.nid = $1::uuid {of_verifiable}
  GROUP BY v.identity_id) AS v ON v.identity_id = i.id
LEFT JOIN (
  SELECT v.identity_id,
    jsonb_agg(jsonb_build_object('value', v.value, 'via', {via}, 'created_at', v.created_at::timestamptz, 'updated_at', v.updated_at::timestamptz)) FILTER (WHERE {known}) AS addresses,
    NULLIF(concat_ws('; ',
      CASE WHEN NOT bool_and({known}) THEN 'recovery addresses of an unknown channel are left out' END,
      CASE WHEN count(v.break_glass_for_organization) > 0 THEN 'break_glass_for_organization of a recovery address is left out' END), '') AS warning
  FROM ONLY {recovery} AS v WHERE v.nid = $1::uuid {of_recovery}
  GROUP BY v.identity_id) AS r ON r.identity_id = i.id
WHERE i.nid = $1::uuid {of_identities}
ORDER BY i.id"#,
        identities = tables.table("identities"),
        credentials = tables.table("identity_credentials"),
        types = tables.table("identity_credential_types"),
        identifiers = tables.table("identity_credential_identifiers"),
        verifiable = tables.table("identity_verifiable_addresses"),
        recovery = tables.table("identity_recovery_addresses"),
        latest,
        several,
        providers = providers(),
        // Kratos once called the second so.
        via = sql!("CASE v.via WHEN 'phone' THEN 'sms' ELSE v.via END"),
        known = sql!("v.via IN ('email', 'sms', 'phone')"),
        of_identities = of(sql!("i.id")),
        of_credentials = of(sql!("c.identity_id")),
        of_identifiers = of(sql!("n.identity_id")),
        of_verifiable = of(sql!("v.identity_id")),
        of_recovery = of(sql!("v.identity_id")),
    )
}

/// Whether an identity has more than one credential of a type: Kratos' tables do not forbid it.
fn several(tables: &Tables) -> Sql {
    sql!(
        "SELECT count(*) FROM (
           SELECT FROM ONLY {credentials} AS c WHERE c.nid = $1::uuid
           GROUP BY c.identity_id, c.identity_credential_type_id HAVING count(*) > 1 LIMIT 1) AS s",
        credentials = tables.table("identity_credentials")
    )
}

/// Without tokens: they are of one moment, and secret.
fn providers() -> Sql {
    sql!(
        "jsonb_build_object('providers', (
          SELECT COALESCE(jsonb_agg(p.value - '{{initial_id_token,initial_access_token,initial_refresh_token}}'::text[] ORDER BY p.n), '[]')
          FROM jsonb_array_elements(CASE jsonb_typeof(c.config -> 'providers') WHEN 'array' THEN c.config -> 'providers' END)
            WITH ORDINALITY AS p (value, n) WHERE jsonb_typeof(p.value) = 'object'))"
    )
}
