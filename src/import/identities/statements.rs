//! The SQL of an import of identities. It runs with `search_path = pg_catalog, pg_temp`, so that names of the system can mean nothing else, and it
//! sees the run's stores (`stores`) as relations.
//!
//! `$1` is the realm. No value becomes part of a text.

use crate::db::sql::{Sql, concat, sql};

pub const CHECK_REALM: &str = "SELECT identity_internal.check_realm($1)";

/// Identifiers in the store, about.
pub const STORED: &str = "
SELECT GREATEST(c.reltuples::int8, pg_relation_size(c.oid) / 200) FROM pg_class AS c WHERE c.oid = 'identity.identifiers'::regclass";

pub const SCHEMAS: &str = "SELECT COALESCE(jsonb_object_agg(s.schema_id, s.schema), '{}') FROM identity.identity_schemas AS s WHERE s.realm = $1";

/// Of items by number, id and external_id: the identity schema of the identity that each updates.
pub const KEPT_SCHEMAS: &str = r#"
SELECT COALESCE(jsonb_object_agg(b.rn, t.schema_id), '{}')
FROM ROWS FROM (unnest($2), unnest($3), unnest($4)) AS b (rn, id, external_id)
CROSS JOIN LATERAL (
  SELECT t.schema_id FROM identity.identities AS t WHERE t.realm = $1 AND t.id = b.id::uuid
  UNION ALL
  SELECT t.schema_id FROM identity.identities AS t
  WHERE b.id IS NULL AND t.realm = $1 AND t.external_id = b.external_id COLLATE "C"
  LIMIT 1) AS t"#;

/// In mode update: the identity that an item updates, by its id, else by its external_id. It is locked until the end of the transaction.
pub const FIND_TARGETS: &str = "
WITH by_id AS MATERIALIZED (
  SELECT i.rn, t.id FROM item AS i JOIN identity.identities AS t ON t.realm = $1 AND t.id = i.given_id
  FOR NO KEY UPDATE OF t),
by_external_id AS MATERIALIZED (
  SELECT i.rn, t.id FROM item AS i JOIN identity.identities AS t ON t.realm = $1 AND t.external_id = i.external_id
  WHERE i.given_id IS NULL
  FOR NO KEY UPDATE OF t)
SELECT b.rn, b.id FROM by_id AS b UNION ALL SELECT b.rn, b.id FROM by_external_id AS b";

pub const ITEMS_WITH_TARGETS: &str = "
SELECT i.rn, i.patch_id, i.path, i.given_id, i.id, i.external_id, i.schema_id, i.state, i.traits, i.metadata_public, i.metadata_admin,
  i.organization_id, i.credentials, i.has_identifier, i.has_verifiable, i.has_recovery, i.has_names, i.created_at, i.updated_at, i.state_changed_at,
  i.aal, t.id AS target
FROM item AS i LEFT JOIN target AS t ON t.rn = i.rn ORDER BY i.rn";

/// An identity that is found by its external_id is one that another item may name by its id.
pub const CLAIMS_WITH_TARGETS: &str = "
SELECT c.* FROM (
  SELECT c.rn, c.ord, c.space, c.role, c.via, c.kind, c.key, c.value, c.path, c.verified, c.status, c.verified_at, c.proved,
    COALESCE(t.id, c.id) AS id, t.id AS target
  FROM claim AS c LEFT JOIN target AS t ON t.rn = c.rn
  UNION ALL
  SELECT i.rn, -1, 'id', NULL, NULL, 'id', t.id::text, t.id::text, NULL, false, NULL, NULL, false, t.id, t.id
  FROM item AS i JOIN target AS t ON t.rn = i.rn
  WHERE i.given_id IS NULL AND t.id IN (SELECT o.given_id FROM item AS o)) AS c
ORDER BY c.rn, c.ord";

/// An address that comes from the traits of an item stays as verified as it is.
pub const CLAIMS_AS_VERIFIED: &str = "
SELECT c.rn, c.ord, c.space, c.role, c.via, c.kind, c.key, c.value, c.path, COALESCE(a.verified, c.verified) AS verified,
  COALESCE(a.status, c.status) AS status, COALESCE(a.verified_at, c.verified_at) AS verified_at,
  c.proved OR bool_or(c.space = 'address' AND COALESCE(a.verified, c.verified)) OVER (PARTITION BY c.rn, c.key) AS proved, c.id, c.target
FROM claim AS c
LEFT JOIN identity.addresses AS a
  ON c.space = 'address' AND c.status IS NULL AND a.realm = $1 AND a.role = c.role AND a.via = c.via AND a.key = c.key
    AND a.identity_id = c.target
ORDER BY c.rn, c.ord";

/// In mode update, after the items are written: those whose documents name no identifier, and that have none.
pub const FIND_NAMELESS: &str = "
SELECT i.rn, 1000001 AS place, 'the identity has no identifier' AS warning
FROM item AS i
WHERE NOT i.has_identifier
  AND NOT EXISTS (SELECT FROM identity.identifiers AS h WHERE h.realm = $1 AND h.identity_id = COALESCE(i.target, i.id))";

/// Claims that several rows of the source have: a row for each, with a number for what they dispute.
pub const FIND_RIVALS: &str = "
SELECT c.rn, c.ord, d.slot, 0 AS role
FROM claim AS c
JOIN (SELECT c.space, c.role, c.via, c.key, row_number() OVER () AS slot FROM claim AS c
      GROUP BY c.space, c.role, c.via, c.key HAVING count(*) > 1) AS d
  ON d.space = c.space AND d.key = c.key AND d.role IS NOT DISTINCT FROM c.role AND d.via IS NOT DISTINCT FROM c.via";

/// Conflicts with identities of which the source gives up the key in question. `named`: whether it gives up its identifiers.
pub fn find_freed(named: &Sql) -> Sql {
    sql!(
        "WITH wait AS (
           SELECT p.rn, p.ord, s.rn AS giver, dense_rank() OVER (ORDER BY p.space, p.role, p.via, p.key) AS slot
           FROM conflict AS p
           JOIN item AS s ON s.target = p.existing
           WHERE CASE p.space
                   WHEN 'identifier' THEN {named}
                   WHEN 'address' THEN CASE p.role WHEN 'verifiable' THEN s.has_verifiable ELSE s.has_recovery END
                   WHEN 'external_id' THEN s.external_id IS NOT NULL
                   ELSE false END
             AND NOT EXISTS (SELECT FROM claim AS kept WHERE kept.rn = s.rn AND kept.space = p.space AND kept.key = p.key
                             AND kept.role IS NOT DISTINCT FROM p.role AND kept.via IS NOT DISTINCT FROM p.via))
         SELECT DISTINCT w.rn, w.ord, w.slot, 1 AS role FROM wait AS w
         UNION ALL
         SELECT DISTINCT w.giver, -3, w.slot, 2 FROM wait AS w",
        named
    )
}

/// Whether a row of the store's gives up its names, or those that come with credentials.
pub fn gives_up_names() -> Sql {
    sql!("CASE WHEN p.holder_kind IN ('oidc', 'saml', 'passkey') THEN s.credentials IS NOT NULL ELSE s.has_names END")
}

/// Items that cannot go in, whatever the others do: one of their keys is held, and is not given up by any.
pub const FIND_HELD: &str = "
SELECT DISTINCT p.rn FROM conflict AS p
WHERE NOT EXISTS (SELECT FROM contest AS w WHERE w.role = 1 AND w.rn = p.rn AND w.ord = p.ord)";

/// What is disputed, in source order.
pub const READ_CONTEST: &str = "SELECT c.rn, c.ord, c.slot, c.role FROM contest AS c ORDER BY c.rn, c.role, c.ord";

/// The last external_id of each identity is given up first, since another item may take it.
pub const FREE_EXTERNAL_IDS: &str = "
UPDATE identity.identities AS t SET external_id = NULL FROM item AS i
WHERE t.realm = $1 AND t.id = i.target AND t.external_id <> i.external_id";

pub const UPDATE_IDENTITIES: &str = "
UPDATE identity.identities AS t
SET external_id = COALESCE(i.external_id, t.external_id), schema_id = COALESCE(i.schema_id, t.schema_id),
  state = COALESCE(i.state, t.state), traits = COALESCE(i.traits, t.traits),
  metadata_public = CASE WHEN i.metadata_public IS NULL THEN t.metadata_public ELSE NULLIF(i.metadata_public, 'null') END,
  metadata_admin = CASE WHEN i.metadata_admin IS NULL THEN t.metadata_admin ELSE NULLIF(i.metadata_admin, 'null') END,
  organization_id = COALESCE(i.organization_id, t.organization_id), created_at = COALESCE(i.created_at, t.created_at),
  updated_at = COALESCE(i.updated_at, now()),
  state_changed_at = COALESCE(i.state_changed_at, CASE WHEN i.state <> t.state THEN now() ELSE t.state_changed_at END)
FROM item AS i WHERE t.realm = $1 AND t.id = i.target";

pub const DELETE_IDENTIFIERS: &str = "
DELETE FROM identity.identifiers AS h USING item AS i
WHERE h.realm = $1 AND h.identity_id = i.target
  AND CASE WHEN h.kind IN ('oidc', 'saml', 'passkey') THEN i.credentials IS NOT NULL ELSE i.has_names END";

pub const DELETE_CREDENTIALS: &str = "
DELETE FROM identity.credentials AS s USING item AS i
WHERE s.realm = $1 AND s.identity_id = i.target AND i.credentials IS NOT NULL";

pub const DELETE_ADDRESSES: &str = "
DELETE FROM identity.addresses AS a USING item AS i
WHERE a.realm = $1 AND a.identity_id = i.target
  AND CASE a.role WHEN 'verifiable' THEN i.has_verifiable ELSE i.has_recovery END";

pub const INSERT_IDENTITIES: &str = "
INSERT INTO identity.identities (realm, id, external_id, schema_id, state, traits, metadata_public, metadata_admin, organization_id, created_at,
  updated_at, state_changed_at)
SELECT $1, i.id, i.external_id, COALESCE(i.schema_id, 'default'), COALESCE(i.state, 'active'), COALESCE(i.traits, '{}'),
  NULLIF(i.metadata_public, 'null'), NULLIF(i.metadata_admin, 'null'), i.organization_id, COALESCE(i.created_at, now()),
  COALESCE(i.updated_at, now()), i.state_changed_at
FROM item AS i WHERE i.target IS NULL ORDER BY i.id";

pub const INSERT_IDENTIFIERS: &str = "
INSERT INTO identity.identifiers (realm, key, kind, value, identity_id)
SELECT $1, c.key, c.kind, c.value, c.id FROM claim AS c WHERE c.space = 'identifier' ORDER BY c.key";

/// In mode update an identity may keep a name from its credentials that it now has as a username, or the other way round.
pub const INSERT_NEW_IDENTIFIERS: &str = "
INSERT INTO identity.identifiers (realm, key, kind, value, identity_id)
SELECT $1, c.key, c.kind, c.value, c.id FROM claim AS c
WHERE c.space = 'identifier'
  AND NOT EXISTS (SELECT FROM identity.identifiers AS h WHERE h.realm = $1 AND h.key = c.key AND h.identity_id = c.target)
ORDER BY c.key";

pub const INSERT_CREDENTIALS: &str = "
INSERT INTO identity.credentials (realm, identity_id, type, config, created_at)
SELECT $1, COALESCE(i.target, i.id), e.key, e.value -> 'config', COALESCE((e.value ->> 'created_at')::timestamptz, now())
FROM item AS i CROSS JOIN jsonb_each(i.credentials) AS e WHERE i.credentials IS NOT NULL ORDER BY 2, 3";

pub const INSERT_ADDRESSES: &str = "
INSERT INTO identity.addresses (realm, role, via, key, value, identity_id, verified, status, verified_at)
SELECT $1, c.role, c.via, c.key, c.value, c.id, c.verified, COALESCE(c.status, 'pending'), c.verified_at
FROM claim AS c WHERE c.space = 'address' ORDER BY c.role, c.via, c.key";

/// What the items of a document replace, and then what they add. A last external_id is given up first, since another item may take it.
pub const REPLACE: [&str; 9] = [
    FREE_EXTERNAL_IDS,
    UPDATE_IDENTITIES,
    DELETE_IDENTIFIERS,
    DELETE_CREDENTIALS,
    DELETE_ADDRESSES,
    INSERT_IDENTITIES,
    INSERT_NEW_IDENTIFIERS,
    INSERT_CREDENTIALS,
    INSERT_ADDRESSES,
];

pub const ADD: [&str; 4] = [INSERT_IDENTITIES, INSERT_IDENTIFIERS, INSERT_CREDENTIALS, INSERT_ADDRESSES];

/// How many items with a problem have which status; one with several problems counts once.
pub const COUNT_PROBLEMS: &str = "
SELECT w.status, count(*) FROM (
  SELECT DISTINCT ON (p.rn) p.rn, p.status FROM problem AS p
  ORDER BY p.rn, array_position('{invalid,conflict,duplicate}', p.status)) AS w
GROUP BY w.status";

pub const FIRST_PROBLEMS: &str = "
SELECT concat_ws(' ', 'row ' || p.rn || ':', p.status, p.kind, p.value, p.path) || ': ' || p.message
FROM problem AS p ORDER BY p.rn, p.ord LIMIT 5";

/// What the names of items that went in look like. One other name is enough: the work stays in proportion to the items, however many names
/// look alike.
pub const FIND_WARNINGS: &str = "
SELECT l.rn, 1000000 AS place, string_agg(concat(l.kind, ' ', quote_literal(l.value), ' looks like ', l.other_kind, ' ', quote_literal(l.other_value),
         ' of identity ', l.identity_id), '; ' ORDER BY l.ord) AS warning
FROM (
  SELECT c.rn, c.ord, c.kind, c.value, c.id, other.kind AS other_kind, other.value AS other_value, other.identity_id
  FROM (SELECT c.*, identity.identifier_skeleton(c.key) AS skeleton FROM claim AS c
        WHERE c.space = 'identifier' AND c.kind IN ('username', 'email') OFFSET 0) AS c
  CROSS JOIN LATERAL (
    SELECT a.kind, a.value, a.identity_id FROM identity.identifiers AS a
    WHERE a.realm = $1 AND a.skeleton = c.skeleton AND a.key <> c.key LIMIT 1) AS other) AS l
WHERE l.identity_id <> l.id
GROUP BY l.rn";

/// Problems, in the columns of the report.
const PROBLEMS: &str = "
SELECT p.rn, p.ord, p.status, i.target AS id, p.kind, p.value, p.existing, p.winner, p.path, p.sqlstate, p.message, NULL::text AS warning, i.patch_id
FROM problem AS p LEFT JOIN item AS i ON i.rn = p.rn";

/// What a claim is called in a message.
pub fn noun() -> Sql {
    sql!(
        "CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END"
    )
}

/// Claims that the store's rows hold; `updates`: an identity does not conflict with itself.
pub fn find_conflicts(updates: bool) -> Sql {
    let columns = sql!("c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value");
    let unless_own = if updates { sql!("AND c.target IS DISTINCT FROM h.holder") } else { sql!("") };
    sql!(
        "SELECT {columns}, h.kind AS holder_kind, h.holder AS existing, c.path, concat('the ', {noun}, ' is held by an existing identity') AS message
         FROM claim AS c
         JOIN (SELECT h.key, h.kind, h.identity_id AS holder FROM identity.identifiers AS h WHERE h.realm = $1) AS h ON h.key = c.key
         WHERE c.space = 'identifier' {unless_own}
         UNION ALL
         SELECT {columns}, NULL, h.holder, c.path, concat('the ', {noun}, ' is held by an existing identity')
         FROM claim AS c
         JOIN (SELECT a.role, a.via, a.key, a.identity_id AS holder FROM identity.addresses AS a WHERE a.realm = $1) AS h
           ON h.role = c.role AND h.via = c.via AND h.key = c.key
         WHERE c.space = 'address' {unless_own}
         UNION ALL
         SELECT {columns}, NULL, h.holder, c.path, 'an existing identity has this external_id'
         FROM claim AS c
         JOIN (SELECT i.external_id AS key, i.id AS holder FROM identity.identities AS i
               WHERE i.realm = $1 AND i.external_id IS NOT NULL) AS h ON h.key = c.key
         WHERE c.space = 'external_id' {unless_own}
         UNION ALL
         SELECT {columns}, NULL, h.holder, c.path, 'an existing identity has this id'
         FROM (SELECT c.* FROM claim AS c WHERE c.space = 'id' OFFSET 0) AS c
         JOIN (SELECT i.id, i.id AS holder FROM identity.identities AS i WHERE i.realm = $1) AS h ON h.id = c.key::uuid
         WHERE true {unless_own}
         UNION ALL
         {staged}",
        columns,
        noun = noun(),
        unless_own,
        staged = staged_conflicts(&columns)
    )
}

/// Names that nobody of the main tables has: a staged user's verified address, which only a verified one takes; and what was a staged user's login
/// name until a while ago, unless it is their own identity that takes it back.
fn staged_conflicts(columns: &Sql) -> Sql {
    sql!(
        "SELECT {columns}, NULL, NULL, c.path, concat('the ', {noun}, ' is a verified address of a staged user of site ', h.site)
         FROM claim AS c
         JOIN (SELECT n.key, t.name AS site
               FROM identity.staged_identifiers AS n
               JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
               JOIN identity.sites AS t USING (realm, site_id)
               WHERE n.realm = $1 AND s.state = 'staged'
                 AND CASE n.kind WHEN 'email' THEN s.email_verified WHEN 'phone' THEN s.phone_verified ELSE false END) AS h ON h.key = c.key
         WHERE c.space = 'identifier'
           AND NOT EXISTS (SELECT FROM identity.identifiers AS i WHERE i.realm = $1 AND i.key = c.key)
           AND NOT c.proved
         UNION ALL
         SELECT {columns}, NULL, NULL, c.path, concat('the ', {noun}, ' was a login name of a user of site ', h.site, ' until ', h.until::date)
         FROM claim AS c
         JOIN (SELECT f.key, f.identity_id, t.name AS site, f.until, f.verified
               FROM identity_internal.former_names AS f
               JOIN identity.sites AS t USING (realm, site_id)
               WHERE f.realm = $1) AS h ON h.key = c.key
         WHERE c.space = 'identifier'
           AND NOT EXISTS (SELECT FROM identity.identifiers AS i WHERE i.realm = $1 AND i.key = c.key)
           AND (h.verified OR NOT c.proved)
           AND (c.target IS NULL OR h.identity_id IS DISTINCT FROM c.target)",
        columns,
        noun = noun()
    )
}

/// All that is wrong with items. Not said twice: a key that an identity of the store holds, and that its own row in the source keeps; a refusal that
/// is now foreseen.
pub fn find_problems() -> Sql {
    sql!(
        "WITH held AS MATERIALIZED (
           SELECT p.* FROM conflict AS p WHERE NOT EXISTS (SELECT FROM freed AS f WHERE f.rn = p.rn AND f.ord = p.ord)),
         lost AS MATERIALIZED (
           SELECT l.rn, l.ord, l.winner, c.kind, c.value, c.path, concat('the ', {noun}, ' was taken by row ', l.winner) AS message
           FROM loss AS l JOIN claim AS c ON c.rn = l.rn AND c.ord = l.ord
           WHERE NOT EXISTS (SELECT FROM held AS p WHERE p.rn = l.rn AND p.ord = l.ord))
         SELECT f.rn, f.ord, f.status, f.kind, f.value, f.existing, f.winner, f.path, f.sqlstate, f.message FROM fault AS f
         UNION ALL
         SELECT p.rn, p.ord, 'conflict', p.kind, p.value, p.existing, NULL, p.path, '23505', p.message FROM held AS p
         UNION ALL
         SELECT l.rn, l.ord, 'duplicate', l.kind, l.value, NULL, l.winner, l.path, '23505', l.message FROM lost AS l
         UNION ALL
         SELECT r.rn, r.ord, r.status, r.kind, r.value, r.existing, r.winner, r.path, r.sqlstate, r.message FROM refusal AS r
         WHERE r.sqlstate <> '23505'
           OR NOT EXISTS (SELECT FROM held AS p WHERE p.rn = r.rn) AND NOT EXISTS (SELECT FROM lost AS l WHERE l.rn = r.rn)",
        noun = noun()
    )
}

/// What the store refused of row `$2`, for a reason that is not foreseen. The DETAIL of a unique violation has the key's values, in every
/// language of messages; they tell the claim.
pub fn refusal() -> Sql {
    sql!(
        "SELECT i.rn, -4 AS ord, $3::text AS status, c.kind, c.value, NULL::uuid AS existing, NULL::int8 AS winner, COALESCE(c.path, i.path) AS path,
           $4::text AS sqlstate,
           CASE WHEN c.rn IS NULL THEN $5 ELSE concat('the ', {noun}, ' is taken; by whom cannot be seen from this transaction') END AS message
         FROM item AS i
         LEFT JOIN LATERAL (
           SELECT c.* FROM claim AS c
           WHERE c.rn = i.rn AND position(concat('=(', concat_ws(', ', $1, c.role, c.via, c.key), ')') IN $6) > 0
           ORDER BY c.ord LIMIT 1) AS c ON true
         WHERE i.rn = $2",
        noun = noun()
    )
}

/// What is told of the items that went in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fine {
    Nothing,
    Warnings,
    Everything,
}

/// The report of the run `$2`. `item` has the items that went in beside those that did not, `fine` those alone.
pub fn report(fine: Fine) -> Sql {
    let told = |join: Sql| {
        sql!(
            " UNION ALL
             SELECT i.rn, 0, CASE WHEN i.target IS NULL THEN 'inserted' ELSE 'updated' END, COALESCE(i.target, i.id), NULL, NULL, NULL, NULL,
               NULL, NULL, NULL, w.warning, i.patch_id
             FROM fine AS i
             {join} (SELECT w.rn, string_agg(w.warning, '; ' ORDER BY w.place) AS warning FROM warning AS w GROUP BY w.rn) AS w ON w.rn = i.rn",
            join
        )
    };
    let fine = match fine {
        Fine::Nothing => sql!(""),
        Fine::Warnings => told(sql!("JOIN")),
        Fine::Everything => told(sql!("LEFT JOIN")),
    };
    sql!(
        "SELECT $2::uuid, r.rn, r.patch_id, r.status, r.id, r.kind, r.value, r.existing, r.winner, r.path, r.sqlstate, r.message, r.warning
         FROM ({parts}) AS r ORDER BY r.rn, r.ord, r.kind COLLATE \"default\", r.value COLLATE \"default\"",
        parts = concat([Sql::verbatim(PROBLEMS), fine])
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::golden::Golden;

    /// No statement has anything in it that came from a caller.
    #[test]
    fn golden_statements() {
        let mut golden = Golden::default();
        golden.add("conflicts", [find_conflicts(false), find_conflicts(true)]);
        golden.add("problems", [find_problems(), refusal()]);
        golden.add("report", [report(Fine::Nothing), report(Fine::Warnings), report(Fine::Everything)]);
        golden.check("src/import/identities/statements.golden.sql");
    }
}
