//! The SQL of an import into a Kratos database. It runs with `search_path = pg_catalog, pg_temp`, and sees the run's stores as relations.
//!
//! `$1` is the network. Every table is read and written ONLY: what inherits from it is no part of Kratos. A key is compared in the collation of
//! Kratos' columns, whose indexes have no other.

use crate::db::sql::{Sql, sql};
use crate::import::identities::statements::{self as identities, noun};
use crate::kratos::tables::Tables;

/// The tables' names in statements.
pub struct Names {
    identities: Sql,
    credentials: Sql,
    types: Sql,
    identifiers: Sql,
    verifiable: Sql,
    recovery: Sql,
}

impl Names {
    pub fn of(tables: &Tables) -> Self {
        Names {
            identities: tables.table("identities"),
            credentials: tables.table("identity_credentials"),
            types: tables.table("identity_credential_types"),
            identifiers: tables.table("identity_credential_identifiers"),
            verifiable: tables.table("identity_verifiable_addresses"),
            recovery: tables.table("identity_recovery_addresses"),
        }
    }

    /// How many identifiers there are, about.
    pub fn stored(&self, oid: u32) -> Sql {
        sql!(
            "SELECT GREATEST(c.reltuples::int8, pg_relation_size(c.oid) / 200) FROM pg_class AS c WHERE c.oid = {oid}",
            oid
        )
    }

    /// Of items by number, id and external_id: the schema of the identity that each updates.
    pub fn kept_schemas(&self) -> Sql {
        sql!(
            r#"SELECT COALESCE(jsonb_object_agg(b.rn, t.schema_id), '{{}}')
FROM ROWS FROM (unnest($2), unnest($3), unnest($4)) AS b (rn, id, external_id)
CROSS JOIN LATERAL (
  SELECT t.schema_id FROM ONLY {identities} AS t WHERE t.nid = $1::uuid AND t.id = b.id::uuid
  UNION ALL
  SELECT t.schema_id FROM ONLY {identities} AS t WHERE b.id IS NULL AND t.nid = $1::uuid AND t.external_id = b.external_id COLLATE "default"
  LIMIT 1) AS t"#,
            identities = self.identities
        )
    }

    /// In mode update: the identity that an item updates, by its id, else by its external_id. It is locked until the end of the transaction.
    pub fn find_targets(&self) -> Sql {
        sql!(
            r#"WITH by_id AS MATERIALIZED (
  SELECT i.rn, t.id FROM item AS i JOIN ONLY {identities} AS t ON t.nid = $1::uuid AND t.id = i.given_id
  FOR NO KEY UPDATE OF t),
by_external_id AS MATERIALIZED (
  SELECT i.rn, t.id FROM item AS i JOIN ONLY {identities} AS t ON t.nid = $1::uuid AND t.external_id = i.external_id COLLATE "default"
  WHERE i.given_id IS NULL
  FOR NO KEY UPDATE OF t)
SELECT b.rn, b.id FROM by_id AS b UNION ALL SELECT b.rn, b.id FROM by_external_id AS b"#,
            identities = self.identities
        )
    }

    /// An address that comes from the traits of an item stays as verified as it is.
    pub fn claims_as_verified(&self) -> Sql {
        sql!(
            r#"SELECT c.rn, c.ord, c.space, c.role, c.via, c.kind, c.key, c.value, c.path, COALESCE(a.verified, c.verified) AS verified,
  COALESCE(a.status, c.status) COLLATE "C" AS status, COALESCE(a.verified_at AT TIME ZONE 'UTC', c.verified_at) AS verified_at, c.proved, c.id, c.target
FROM claim AS c
LEFT JOIN ONLY {verifiable} AS a
  ON c.space = 'address' AND c.role = 'verifiable' AND c.status IS NULL AND a.nid = $1::uuid AND a.via = c.via COLLATE "default"
    AND a.value = c.key COLLATE "default" AND a.identity_id = c.target
ORDER BY c.rn, c.ord"#,
            verifiable = self.verifiable
        )
    }

    /// Claims that the database's rows hold; `updates`: an identity does not conflict with itself.
    pub fn find_conflicts(&self, updates: bool) -> Sql {
        let columns = sql!("c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value");
        let unless_own = if updates { sql!("AND c.target IS DISTINCT FROM h.identity_id") } else { sql!("") };
        let held = sql!("c.path, concat('the ', {noun}, ' is held by an existing identity') AS message", noun = noun());
        let address = |role: &str, table: &Sql| {
            sql!(
                "SELECT {columns}, NULL, h.identity_id, {held}
                 FROM claim AS c
                 JOIN ONLY {table} AS h ON h.nid = $1::uuid AND h.via = c.via COLLATE \"default\" AND h.value = c.key COLLATE \"default\"
                 WHERE c.space = 'address' AND c.role = {role} {unless_own}",
                columns,
                held,
                table,
                role = crate::db::sql::literal(role),
                unless_own
            )
        };
        sql!(
            "SELECT {columns}, c.role AS holder_kind, h.identity_id AS existing, {held}
             FROM claim AS c
             JOIN ONLY {types} AS t ON t.name = c.role COLLATE \"default\"
             JOIN ONLY {identifiers} AS h ON h.nid = $1::uuid AND h.identity_credential_type_id = t.id AND h.identifier = c.key COLLATE \"default\"
             WHERE c.space = 'identifier' {unless_own}
             UNION ALL
             {verifiable}
             UNION ALL
             {recovery}
             UNION ALL
             SELECT {columns}, NULL, h.identity_id, c.path, 'an existing identity has this external_id'
             FROM claim AS c
             JOIN (SELECT h.external_id, h.id AS identity_id FROM ONLY {identities} AS h WHERE h.nid = $1::uuid AND h.external_id IS NOT NULL) AS h
               ON h.external_id = c.key COLLATE \"default\"
             WHERE c.space = 'external_id' {unless_own}
             UNION ALL
             SELECT {columns}, NULL, h.identity_id, c.path, 'an existing identity has this id'
             FROM (SELECT c.* FROM claim AS c WHERE c.space = 'id' OFFSET 0) AS c
             JOIN (SELECT h.id, h.id AS identity_id FROM ONLY {identities} AS h) AS h ON h.id = c.key::uuid
             WHERE true {unless_own}",
            columns,
            held,
            unless_own,
            types = self.types,
            identifiers = self.identifiers,
            identities = self.identities,
            verifiable = address("verifiable", &self.verifiable),
            recovery = address("recovery", &self.recovery)
        )
    }

    /// Conflicts with identities of which the source gives up the key in question.
    pub fn find_freed(&self) -> Sql {
        identities::find_freed(&sql!(
            "EXISTS (SELECT FROM credential AS n WHERE n.rn = s.rn AND n.type = p.role AND n.names)"
        ))
    }

    /// What adds identities.
    pub fn add(&self) -> Vec<Sql> {
        vec![
            self.insert_identities(),
            self.insert_credentials(sql!("")),
            self.insert_identifiers(),
            self.insert_verifiable(sql!("")),
            self.insert_recovery(sql!("")),
        ]
    }

    /// What changes and adds identities. What stays as it is keeps its row.
    pub fn replace(&self) -> Vec<Sql> {
        let verifiable = self.unless_there(&self.verifiable);
        let recovery = self.unless_there(&self.recovery);
        let credentials = sql!(
            "AND NOT EXISTS (SELECT FROM ONLY {credentials} AS x
               WHERE x.nid = $1::uuid AND x.identity_id = COALESCE(i.target, n.identity_id) AND x.identity_credential_type_id = t.id)",
            credentials = self.credentials
        );
        vec![
            self.free_external_ids(),
            self.update_identities(),
            self.update_credentials(),
            self.delete_identifiers(),
            self.delete_addresses("verifiable", &self.verifiable, sql!("i.has_verifiable")),
            self.delete_addresses("recovery", &self.recovery, sql!("i.has_recovery")),
            self.update_verifiable(),
            self.insert_identities(),
            self.insert_credentials(credentials),
            self.insert_new_identifiers(),
            self.insert_verifiable(verifiable),
            self.insert_recovery(recovery),
        ]
    }

    fn insert_identities(&self) -> Sql {
        sql!(
            "INSERT INTO {identities} (id, nid, schema_id, traits, state, state_changed_at, metadata_public, metadata_admin, available_aal,
               organization_id, external_id, created_at, updated_at)
             SELECT i.id, $1::uuid, COALESCE(i.schema_id, 'default'), COALESCE(i.traits, '{{}}'), COALESCE(i.state, 'active'),
               COALESCE(i.state_changed_at, now()) AT TIME ZONE 'UTC', NULLIF(i.metadata_public, 'null'), NULLIF(i.metadata_admin, 'null'), i.aal,
               i.organization_id, i.external_id, COALESCE(i.created_at, now()) AT TIME ZONE 'UTC', COALESCE(i.updated_at, now()) AT TIME ZONE 'UTC'
             FROM item AS i WHERE i.target IS NULL",
            identities = self.identities
        )
    }

    fn insert_credentials(&self, unless: Sql) -> Sql {
        sql!(
            "INSERT INTO {credentials} (id, nid, identity_id, identity_credential_type_id, config, version, created_at, updated_at)
             SELECT n.id, $1::uuid, COALESCE(i.target, n.identity_id), t.id, COALESCE(n.config, '{{}}'), n.version,
               COALESCE(n.created_at, now()) AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
             FROM credential AS n
             JOIN item AS i ON i.rn = n.rn
             JOIN ONLY {types} AS t ON t.name = n.type COLLATE \"default\"
             WHERE true {unless}",
            credentials = self.credentials,
            types = self.types,
            unless
        )
    }

    /// The identifiers of a credential, each with its credential: those that are claims, and the ids of identities.
    fn insert_identifiers(&self) -> Sql {
        sql!(
            "INSERT INTO {identifiers} (id, nid, identity_id, identity_credential_id, identity_credential_type_id, identifier, created_at, updated_at)
             SELECT identity.new_id(), $1::uuid, n.identity_id, n.id, t.id, k.key, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
             FROM (SELECT c.rn, c.role AS type, c.key FROM claim AS c WHERE c.space = 'identifier'
                   UNION ALL
                   SELECT n.rn, n.type, n.identity_id::text FROM credential AS n WHERE n.own) AS k
             JOIN credential AS n ON n.rn = k.rn AND n.type = k.type
             JOIN ONLY {types} AS t ON t.name = n.type COLLATE \"default\"",
            identifiers = self.identifiers,
            types = self.types
        )
    }

    /// The same where some identities have credentials, and identifiers, that stay.
    fn insert_new_identifiers(&self) -> Sql {
        sql!(
            "INSERT INTO {identifiers} (id, nid, identity_id, identity_credential_id, identity_credential_type_id, identifier, created_at, updated_at)
             SELECT identity.new_id(), $1::uuid, k.identity_id, x.id, t.id, k.key, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
             FROM (SELECT c.role AS type, c.key, c.id AS identity_id FROM claim AS c WHERE c.space = 'identifier'
                   UNION ALL
                   SELECT n.type, COALESCE(i.target, i.id)::text, COALESCE(i.target, i.id) FROM credential AS n JOIN item AS i ON i.rn = n.rn
                   WHERE n.own) AS k
             JOIN ONLY {types} AS t ON t.name = k.type COLLATE \"default\"
             CROSS JOIN LATERAL (
               SELECT x.id FROM ONLY {credentials} AS x
               WHERE x.nid = $1::uuid AND x.identity_id = k.identity_id AND x.identity_credential_type_id = t.id
               ORDER BY x.updated_at DESC, x.id LIMIT 1) AS x
             WHERE NOT EXISTS (SELECT FROM ONLY {identifiers} AS h
                               WHERE h.nid = $1::uuid AND h.identity_credential_type_id = t.id AND h.identifier = k.key COLLATE \"default\"
                                 AND h.identity_id = k.identity_id)",
            identifiers = self.identifiers,
            credentials = self.credentials,
            types = self.types
        )
    }

    fn insert_verifiable(&self, unless: Sql) -> Sql {
        sql!(
            "INSERT INTO {verifiable} (id, nid, identity_id, via, value, verified, status, verified_at, created_at, updated_at)
             SELECT identity.new_id(), $1::uuid, c.id, c.via, c.key, c.verified, COALESCE(c.status, 'pending'),
               CASE WHEN c.verified THEN COALESCE(c.verified_at, now()) AT TIME ZONE 'UTC' END, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
             FROM claim AS c WHERE c.space = 'address' AND c.role = 'verifiable' {unless}",
            verifiable = self.verifiable,
            unless
        )
    }

    fn insert_recovery(&self, unless: Sql) -> Sql {
        sql!(
            "INSERT INTO {recovery} (id, nid, identity_id, via, value, created_at, updated_at)
             SELECT identity.new_id(), $1::uuid, c.id, c.via, c.key, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
             FROM claim AS c WHERE c.space = 'address' AND c.role = 'recovery' {unless}",
            recovery = self.recovery,
            unless
        )
    }

    fn unless_there(&self, table: &Sql) -> Sql {
        sql!(
            "AND NOT EXISTS (SELECT FROM ONLY {table} AS h WHERE h.nid = $1::uuid AND h.via = c.via COLLATE \"default\"
               AND h.value = c.key COLLATE \"default\" AND h.identity_id = c.target)",
            table
        )
    }

    /// The last external_id of each identity is given up first, since another item may take it.
    fn free_external_ids(&self) -> Sql {
        sql!(
            "UPDATE ONLY {identities} AS t SET external_id = NULL FROM item AS i
             WHERE t.nid = $1::uuid AND t.id = i.target AND t.external_id <> i.external_id COLLATE \"default\"",
            identities = self.identities
        )
    }

    /// How far the identity can prove itself Kratos finds out anew where credentials change.
    fn update_identities(&self) -> Sql {
        sql!(
            "UPDATE ONLY {identities} AS t
             SET external_id = COALESCE(i.external_id, t.external_id), schema_id = COALESCE(i.schema_id, t.schema_id),
               state = COALESCE(i.state, t.state), traits = COALESCE(i.traits, t.traits),
               metadata_public = CASE WHEN i.metadata_public IS NULL THEN t.metadata_public ELSE NULLIF(i.metadata_public, 'null') END,
               metadata_admin = CASE WHEN i.metadata_admin IS NULL THEN t.metadata_admin ELSE NULLIF(i.metadata_admin, 'null') END,
               organization_id = COALESCE(i.organization_id, t.organization_id),
               created_at = COALESCE(i.created_at AT TIME ZONE 'UTC', t.created_at), updated_at = COALESCE(i.updated_at, now()) AT TIME ZONE 'UTC',
               state_changed_at = CASE WHEN i.state_changed_at IS NOT NULL THEN i.state_changed_at AT TIME ZONE 'UTC'
                                       WHEN i.state <> t.state COLLATE \"C\" THEN now() AT TIME ZONE 'UTC' ELSE t.state_changed_at END,
               available_aal = CASE WHEN EXISTS (SELECT FROM credential AS n WHERE n.rn = i.rn) THEN NULL ELSE t.available_aal END
             FROM item AS i WHERE t.nid = $1::uuid AND t.id = i.target",
            identities = self.identities
        )
    }

    fn update_credentials(&self) -> Sql {
        sql!(
            "UPDATE ONLY {credentials} AS x SET config = n.config, version = n.version, updated_at = now() AT TIME ZONE 'UTC'
             FROM credential AS n
             JOIN item AS i ON i.rn = n.rn
             JOIN ONLY {types} AS t ON t.name = n.type COLLATE \"default\"
             WHERE x.nid = $1::uuid AND x.identity_id = i.target AND x.identity_credential_type_id = t.id AND n.config IS NOT NULL",
            credentials = self.credentials,
            types = self.types
        )
    }

    fn delete_identifiers(&self) -> Sql {
        sql!(
            "DELETE FROM ONLY {identifiers} AS h
             USING credential AS n
             JOIN item AS i ON i.rn = n.rn
             JOIN ONLY {types} AS t ON t.name = n.type COLLATE \"default\"
             WHERE h.nid = $1::uuid AND h.identity_id = i.target AND h.identity_credential_type_id = t.id AND n.names
               AND NOT EXISTS (SELECT FROM claim AS c WHERE c.rn = n.rn AND c.space = 'identifier' AND c.role = n.type AND c.key = h.identifier COLLATE \"C\")",
            identifiers = self.identifiers,
            types = self.types
        )
    }

    fn delete_addresses(&self, role: &str, table: &Sql, has: Sql) -> Sql {
        sql!(
            "DELETE FROM ONLY {table} AS h USING item AS i
             WHERE h.nid = $1::uuid AND h.identity_id = i.target AND {has}
               AND NOT EXISTS (SELECT FROM claim AS c WHERE c.rn = i.rn AND c.space = 'address' AND c.role = {role}
                               AND c.via = h.via COLLATE \"C\" AND c.key = h.value COLLATE \"C\")",
            table,
            has,
            role = crate::db::sql::literal(role)
        )
    }

    fn update_verifiable(&self) -> Sql {
        sql!(
            "UPDATE ONLY {verifiable} AS h
             SET verified = c.verified, status = COALESCE(c.status, 'pending'), updated_at = now() AT TIME ZONE 'UTC',
               verified_at = CASE WHEN c.verified THEN COALESCE(c.verified_at AT TIME ZONE 'UTC', h.verified_at, now() AT TIME ZONE 'UTC') END
             FROM claim AS c
             WHERE c.space = 'address' AND c.role = 'verifiable' AND h.nid = $1::uuid AND h.via = c.via COLLATE \"default\"
               AND h.value = c.key COLLATE \"default\" AND h.identity_id = c.target
               AND (h.verified <> c.verified OR h.status <> COALESCE(c.status, 'pending') COLLATE \"default\")",
            verifiable = self.verifiable
        )
    }

    /// What the database refused of row `$2`, for a reason that is not foreseen. The DETAIL of a unique violation has the key's values, in every
    /// language of messages; they tell the claim.
    pub fn refusal(&self) -> Sql {
        sql!(
            "SELECT i.rn, -4 AS ord, $3::text AS status, c.kind, c.value, NULL::uuid AS existing, NULL::int8 AS winner, COALESCE(c.path, i.path) AS path,
               $4::text AS sqlstate,
               CASE WHEN c.rn IS NULL THEN $5 ELSE concat('the ', {noun}, ' is taken; by whom cannot be seen from this transaction') END AS message
             FROM item AS i
             LEFT JOIN LATERAL (
               SELECT c.* FROM claim AS c
               WHERE c.rn = i.rn AND position(concat('=(', concat_ws(', ', CASE WHEN c.space <> 'id' THEN $1 END,
                   (SELECT t.id FROM ONLY {types} AS t WHERE c.space = 'identifier' AND t.name = c.role COLLATE \"default\"), c.via, c.key), ')') IN $6) > 0
               ORDER BY c.ord LIMIT 1) AS c ON true
             WHERE i.rn = $2",
            noun = noun(),
            types = self.types
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::golden::Golden;

    #[test]
    fn golden_statements() {
        let names = Names::of(&Tables::of("an \"ory\"; --"));
        let mut golden = Golden::default();
        golden.add("conflicts", [names.find_conflicts(false), names.find_conflicts(true)]);
        golden.add(
            "decisions",
            [
                names.kept_schemas(),
                names.find_targets(),
                names.claims_as_verified(),
                names.find_freed(),
                names.refusal(),
            ],
        );
        golden.add("add", names.add());
        golden.add("replace", names.replace());
        golden.check("src/kratos/statements.golden.sql");
    }
}
