//! The SQL of an import of identities. It runs with `search_path = pg_catalog, pg_temp`, so that names of the system can
//! mean nothing else.
//!
//! `$1` is the realm, except where arrays are added. No value becomes part of a text.

use crate::db::sql::{Sql, concat, relation, script, sql};

/// A run's temporary tables: item, an identity of the source; claim, a key that it wants (of two claims with equal space, role,
/// via and key only one can be met); problem, the report so far; contest, claims that rows of the source dispute; warning, what
/// the names of an item look like.
pub struct Statements {
    item: Sql,
    claim: Sql,
    problem: Sql,
    contest: Sql,
    warning: Sql,
    /// In mode update an identity does not conflict with itself.
    updates: bool,
}

/// Names of the temporary tables of the run with this number: a trigger of the store's may import within an import.
pub fn tables(run: u64) -> [String; 5] {
    ["item", "claim", "problem", "contest", "warning"].map(|name| format!("pg_identity_{name}_{run}"))
}

/// Entries of `contest`: the item wants a key that others want too.
pub const WANTS: i32 = 0;
/// It wants a key of an identity that the source updates.
pub const WAITS: i32 = 1;
/// It updates such an identity, and gives up the key.
pub const FREES: i32 = 2;

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

/// What a claim is called in a message.
fn noun() -> Sql {
    sql!("CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' ELSE replace(c.kind, '_', ' ') END")
}

impl Statements {
    pub fn new(run: u64, updates: bool) -> Self {
        let [item, claim, problem, contest, warning] = tables(run).map(|name| relation("pg_temp", &name));
        Statements { item, claim, problem, contest, warning, updates }
    }

    pub fn create(&self) -> Sql {
        sql!(
            "CREATE TEMPORARY TABLE {item} (
               rn int8, patch_id text, path text, given_id uuid, id uuid, target uuid, external_id text COLLATE \"C\", schema_id text, state text,
               traits jsonb, metadata_public jsonb, metadata_admin jsonb, organization_id uuid, credentials jsonb,
               has_verifiable bool, has_recovery bool) ON COMMIT DROP;
             CREATE TEMPORARY TABLE {claim} (
               rn int8, ord int4, space text COLLATE \"C\", role text COLLATE \"C\", via text COLLATE \"C\", kind text COLLATE \"C\",
               key text COLLATE \"C\", value text COLLATE \"C\", path text, verified bool, status text) ON COMMIT DROP;
             CREATE TEMPORARY TABLE {problem} (
               rn int8, ord int4, status text, kind text, value text, existing uuid, winner int8, path text, sqlstate text,
               message text) ON COMMIT DROP;
             CREATE TEMPORARY TABLE {contest} (rn int8, ord int4, slot int8, role int4) ON COMMIT DROP;
             CREATE TEMPORARY TABLE {warning} (rn int8, warning text) ON COMMIT DROP",
            item = self.item,
            claim = self.claim,
            problem = self.problem,
            contest = self.contest,
            warning = self.warning
        )
    }

    pub fn drop(&self) -> Sql {
        sql!(
            "DROP TABLE {item}, {claim}, {problem}, {contest}, {warning}",
            item = self.item,
            claim = self.claim,
            problem = self.problem,
            contest = self.contest,
            warning = self.warning
        )
    }

    pub fn add_items(&self) -> Sql {
        sql!(
            "INSERT INTO {item} (rn, patch_id, path, given_id, id, external_id, schema_id, state, traits, metadata_public, metadata_admin,
               organization_id, credentials, has_verifiable, has_recovery)
             SELECT b.rn, b.patch_id, b.path, b.given_id::uuid, b.id::uuid, b.external_id, b.schema_id, b.state, b.traits::jsonb,
               b.metadata_public::jsonb, b.metadata_admin::jsonb, b.organization_id::uuid, b.credentials::jsonb, b.has_verifiable,
               b.has_recovery
             FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8), unnest($9),
               unnest($10), unnest($11), unnest($12), unnest($13), unnest($14), unnest($15))
               AS b (rn, patch_id, path, given_id, id, external_id, schema_id, state, traits, metadata_public, metadata_admin, organization_id,
                     credentials, has_verifiable, has_recovery)",
            item = self.item
        )
    }

    pub fn add_claims(&self) -> Sql {
        sql!(
            "INSERT INTO {claim} (rn, ord, space, role, via, kind, key, value, path, verified, status)
             SELECT b.* FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8),
               unnest($9), unnest($10), unnest($11)) AS b",
            claim = self.claim
        )
    }

    pub fn add_faults(&self) -> Sql {
        sql!(
            "INSERT INTO {problem} (rn, ord, status, kind, value, path, sqlstate, message)
             SELECT b.rn, b.ord, 'invalid', b.kind, b.value, b.path, b.sqlstate, b.message
             FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7))
               AS b (rn, ord, kind, value, path, sqlstate, message)",
            problem = self.problem
        )
    }

    pub fn analyze(&self) -> Sql {
        sql!(
            "ANALYZE {item} (rn, id, target, given_id, external_id), {claim} (rn, ord, space, role, via, kind, key), {problem} (rn)",
            item = self.item,
            claim = self.claim,
            problem = self.problem
        )
    }

    /// For runs of few items, and for those of which single rows are looked for.
    pub fn index_rows(&self) -> Sql {
        sql!(
            "CREATE INDEX ON {item} (rn);
             CREATE INDEX ON {claim} (rn);
             CREATE INDEX ON {problem} (rn)",
            item = self.item,
            claim = self.claim,
            problem = self.problem
        )
    }

    /// In mode update: the identity that an item updates, by its id, else by its external_id. It is locked until the end of the
    /// transaction. An address that comes from its traits stays as verified as it is.
    pub fn find_targets(&self) -> Sql {
        sql!(
            "DELETE FROM {claim} WHERE ord = -1;
             WITH found AS MATERIALIZED (
               SELECT i.rn, t.id FROM {item} AS i JOIN identity.identities AS t ON t.realm = $1 AND t.id = i.given_id
               FOR NO KEY UPDATE OF t)
             UPDATE {item} AS i SET target = f.id FROM found AS f WHERE f.rn = i.rn;
             WITH found AS MATERIALIZED (
               SELECT i.rn, t.id FROM {item} AS i JOIN identity.identities AS t ON t.realm = $1 AND t.external_id = i.external_id
               WHERE i.given_id IS NULL
               FOR NO KEY UPDATE OF t)
             UPDATE {item} AS i SET target = f.id FROM found AS f WHERE f.rn = i.rn;
             INSERT INTO {claim} (rn, ord, space, kind, key, value)
             SELECT i.rn, -1, 'id', 'id', i.target, i.target FROM {item} AS i
             WHERE i.given_id IS NULL AND i.target IN (SELECT o.given_id FROM {item} AS o);
             UPDATE {claim} AS c SET verified = a.verified, status = a.status
             FROM {item} AS i, identity.addresses AS a
             WHERE c.space = 'address' AND c.status IS NULL AND i.rn = c.rn
               AND a.realm = $1 AND a.role = c.role AND a.via = c.via AND a.key = c.key AND a.identity_id = i.target",
            item = self.item,
            claim = self.claim
        )
    }

    /// In mode update, where a document names no identifier: one must be left.
    pub fn find_nameless(&self) -> Sql {
        sql!(
            "INSERT INTO {problem} (rn, ord, status, path, sqlstate, message)
             SELECT i.rn, -2, 'invalid', i.path, '22004', 'the identity has no identifier'
             FROM {item} AS i
             WHERE NOT EXISTS (SELECT FROM {claim} AS c WHERE c.rn = i.rn AND c.space = 'identifier')
               AND NOT EXISTS (
                 SELECT FROM identity.identifiers AS h
                 WHERE h.realm = $1 AND h.identity_id = i.target
                   AND CASE WHEN h.kind IN ('oidc', 'saml') THEN i.credentials IS NULL ELSE i.traits IS NULL END)
               AND NOT EXISTS (SELECT FROM {problem} AS p WHERE p.rn = i.rn)",
            item = self.item,
            claim = self.claim,
            problem = self.problem
        )
    }

    /// Claims that the store's rows hold.
    pub fn find_conflicts(&self) -> Sql {
        sql!(
            "INSERT INTO {problem} (rn, ord, status, kind, value, existing, path, sqlstate, message)
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, h.holder, c.path, '23505',
               concat('the ', {noun}, ' is held by an existing identity')
             FROM {claim} AS c
             JOIN (SELECT h.key, h.identity_id AS holder FROM identity.identifiers AS h WHERE h.realm = $1) AS h ON h.key = c.key
             WHERE c.space = 'identifier' {unless_own}
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, h.holder, c.path, '23505',
               concat('the ', {noun}, ' is held by an existing identity')
             FROM {claim} AS c
             JOIN (SELECT a.role, a.via, a.key, a.identity_id AS holder FROM identity.addresses AS a WHERE a.realm = $1) AS h
               ON h.role = c.role AND h.via = c.via AND h.key = c.key
             WHERE c.space = 'address' {unless_own}
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, h.holder, c.path, '23505', 'an existing identity has this external_id'
             FROM {claim} AS c
             JOIN (SELECT i.external_id AS key, i.id AS holder FROM identity.identities AS i
                   WHERE i.realm = $1 AND i.external_id IS NOT NULL) AS h ON h.key = c.key
             WHERE c.space = 'external_id' {unless_own}
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, h.holder, c.path, '23505', 'an existing identity has this id'
             FROM (SELECT c.* FROM {claim} AS c WHERE c.space = 'id' OFFSET 0) AS c
             JOIN (SELECT i.id, i.id AS holder FROM identity.identities AS i WHERE i.realm = $1) AS h ON h.id = c.key::uuid
             WHERE true {unless_own}
             UNION ALL
             {staged}",
            claim = self.claim,
            problem = self.problem,
            noun = noun(),
            unless_own = self.unless_own(),
            staged = self.staged_conflicts()
        )
    }

    /// Names that nobody of the main tables has: a staged user's verified address, which only a verified one takes; and what was a staged
    /// user's login name until a while ago, unless it is their own identity that takes it back.
    fn staged_conflicts(&self) -> Sql {
        sql!(
            "SELECT c.rn, c.ord, 'conflict', c.kind, c.value, NULL, c.path, '23505',
               concat('the ', {noun}, ' is a verified address of a staged user of site ', h.site)
             FROM {claim} AS c
             JOIN (SELECT n.key, t.name AS site
                   FROM identity.staged_identifiers AS n
                   JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
                   JOIN identity.sites AS t USING (realm, site_id)
                   WHERE n.realm = $1 AND s.state = 'staged'
                     AND CASE n.kind WHEN 'email' THEN s.email_verified WHEN 'phone' THEN s.phone_verified ELSE false END) AS h ON h.key = c.key
             WHERE c.space = 'identifier'
               AND NOT EXISTS (SELECT FROM identity.identifiers AS i WHERE i.realm = $1 AND i.key = c.key)
               AND NOT EXISTS (SELECT FROM {claim} AS own WHERE own.rn = c.rn AND own.space = 'address' AND own.key = c.key AND own.verified)
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, NULL, c.path, '23505',
               concat('the ', {noun}, ' was a login name of a user of site ', h.site, ' until ', h.until::date)
             FROM {claim} AS c
             JOIN (SELECT f.old_key AS key, s.identity_id, t.name AS site, f.changed_at AS until
                   FROM identity.former_logins AS f
                   JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
                   JOIN identity.sites AS t USING (realm, site_id)
                   WHERE f.realm = $1 AND f.restored_at IS NULL
                     AND f.changed_at > now() - COALESCE(current_setting('identity.former_name_grace', true), '90d')::interval) AS h ON h.key = c.key
             WHERE c.space = 'identifier'
               AND NOT EXISTS (SELECT FROM identity.identifiers AS i WHERE i.realm = $1 AND i.key = c.key)
               AND NOT EXISTS (SELECT FROM {item} AS own WHERE own.rn = c.rn AND own.target = h.identity_id)",
            claim = self.claim,
            item = self.item,
            noun = noun()
        )
    }

    fn unless_own(&self) -> Sql {
        if !self.updates {
            return sql!("");
        }
        sql!(
            "AND NOT EXISTS (SELECT FROM {item} AS own WHERE own.rn = c.rn AND own.target = h.holder)",
            item = self.item
        )
    }

    pub fn find_rivals(&self) -> Sql {
        sql!(
            "INSERT INTO {contest} (rn, ord, slot, role)
             SELECT c.rn, c.ord, d.slot, 0
             FROM {claim} AS c
             JOIN (SELECT c.space, c.role, c.via, c.key, row_number() OVER () AS slot FROM {claim} AS c
                   GROUP BY c.space, c.role, c.via, c.key HAVING count(*) > 1) AS d
               ON d.space = c.space AND d.key = c.key AND d.role IS NOT DISTINCT FROM c.role AND d.via IS NOT DISTINCT FROM c.via",
            claim = self.claim,
            contest = self.contest
        )
    }

    /// Conflicts with identities of which the source gives up the key in question.
    pub fn find_freed(&self) -> Sql {
        sql!(
            "WITH wait AS (
               SELECT p.rn, p.ord, c.space, c.role, c.via, c.key, s.rn AS giver,
                      dense_rank() OVER (ORDER BY c.space, c.role, c.via, c.key) AS slot
               FROM {problem} AS p
               JOIN {claim} AS c ON c.rn = p.rn AND c.ord = p.ord
               JOIN {item} AS s ON s.target = p.existing
               LEFT JOIN identity.identifiers AS h ON h.realm = $1 AND c.space = 'identifier' AND h.key = c.key
               WHERE p.status = 'conflict'
                 AND CASE c.space
                       WHEN 'identifier' THEN CASE WHEN h.kind IN ('oidc', 'saml') THEN s.credentials IS NOT NULL ELSE s.traits IS NOT NULL END
                       WHEN 'address' THEN CASE c.role WHEN 'verifiable' THEN s.has_verifiable ELSE s.has_recovery END
                       WHEN 'external_id' THEN s.external_id IS NOT NULL
                       ELSE false END
                 AND NOT EXISTS (SELECT FROM {claim} AS kept WHERE kept.rn = s.rn AND kept.space = c.space AND kept.key = c.key
                                 AND kept.role IS NOT DISTINCT FROM c.role AND kept.via IS NOT DISTINCT FROM c.via))
             INSERT INTO {contest} (rn, ord, slot, role)
             SELECT DISTINCT w.rn, w.ord, w.slot, 1 FROM wait AS w
             UNION ALL
             SELECT DISTINCT w.giver, -3, w.slot, 2 FROM wait AS w",
            item = self.item,
            claim = self.claim,
            problem = self.problem,
            contest = self.contest
        )
    }

    /// What is disputed, in source order; `dead`: the item cannot go in, whatever the others do.
    pub fn read_contest(&self) -> Sql {
        sql!(
            "SELECT c.rn, c.ord, c.slot, c.role, d.rn IS NOT NULL AS dead
             FROM {contest} AS c
             LEFT JOIN (SELECT DISTINCT p.rn FROM {problem} AS p
                        WHERE NOT EXISTS (SELECT FROM {contest} AS w WHERE w.role = 1 AND w.rn = p.rn AND w.ord = p.ord)) AS d ON d.rn = c.rn
             ORDER BY c.rn, c.role, c.ord",
            problem = self.problem,
            contest = self.contest
        )
    }

    pub fn add_losses(&self) -> Sql {
        sql!(
            "INSERT INTO {problem} (rn, ord, status, kind, value, winner, path, sqlstate, message)
             SELECT b.rn, b.ord, 'duplicate', c.kind, c.value, b.winner, c.path, '23505',
               concat('the ', {noun}, ' was taken by row ', b.winner)
             FROM ROWS FROM (unnest($1), unnest($2), unnest($3)) AS b (rn, ord, winner)
             JOIN {claim} AS c ON c.rn = b.rn AND c.ord = b.ord",
            claim = self.claim,
            problem = self.problem,
            noun = noun()
        )
    }

    pub fn forget_freed(&self) -> Sql {
        sql!(
            "DELETE FROM {problem} AS p USING ROWS FROM (unnest($1), unnest($2)) AS b (rn, ord)
             WHERE p.status = 'conflict' AND p.rn = b.rn AND p.ord = b.ord",
            problem = self.problem
        )
    }

    /// What is said twice: a key that an identity of the store holds, and that its own row in the source keeps; a refusal that
    /// is now foreseen.
    pub fn forget_echoes(&self) -> Sql {
        sql!(
            "DELETE FROM {problem} AS p USING {problem} AS c
             WHERE c.status = 'conflict' AND c.ord >= -1 AND c.rn = p.rn AND (
               p.status = 'duplicate' AND p.ord = c.ord OR p.ord = -4 AND p.sqlstate = '23505');
             DELETE FROM {problem} AS p USING {problem} AS d
             WHERE d.status = 'duplicate' AND d.rn = p.rn AND p.ord = -4 AND p.sqlstate = '23505'",
            problem = self.problem
        )
    }

    /// What the last decision found; faults, and what the store refused for reasons of its own, stay.
    pub fn forget_decision(&self) -> Sql {
        sql!(
            "DELETE FROM {problem} AS p WHERE p.status IN ('conflict', 'duplicate') AND p.ord >= -1;
             DELETE FROM {contest}",
            problem = self.problem,
            contest = self.contest
        )
    }

    /// Writes the items from row `first` to row `last` that have no problem.
    pub fn write(&self, first: i64, last: i64) -> Sql {
        let clean = self.clean(first, last);
        script([
            sql!(
                "INSERT INTO identity.identities (realm, id, external_id, schema_id, state, traits, metadata_public, metadata_admin, organization_id)
                 SELECT $1, i.id, i.external_id, COALESCE(i.schema_id, 'default'), COALESCE(i.state, 'active'), COALESCE(i.traits, '{{}}'),
                   NULLIF(i.metadata_public, 'null'), NULLIF(i.metadata_admin, 'null'), i.organization_id
                 FROM {clean} AS i WHERE i.target IS NULL ORDER BY i.id",
                clean
            ),
            sql!(
                "INSERT INTO identity.identifiers (realm, key, kind, value, identity_id)
                 SELECT $1, c.key, c.kind, c.value, COALESCE(i.target, i.id)
                 FROM {claim} AS c JOIN {clean} AS i ON i.rn = c.rn WHERE c.space = 'identifier' {unless_kept} ORDER BY c.key",
                claim = self.claim,
                clean,
                unless_kept = self.unless_kept()
            ),
            sql!(
                "INSERT INTO identity.credentials (realm, identity_id, type, config)
                 SELECT $1, COALESCE(i.target, i.id), e.key, e.value
                 FROM {clean} AS i CROSS JOIN jsonb_each(i.credentials) AS e WHERE i.credentials IS NOT NULL ORDER BY 2, 3",
                clean
            ),
            sql!(
                "INSERT INTO identity.addresses (realm, role, via, key, value, identity_id, verified, status)
                 SELECT $1, c.role, c.via, c.key, c.value, COALESCE(i.target, i.id), c.verified, COALESCE(c.status, 'pending')
                 FROM {claim} AS c JOIN {clean} AS i ON i.rn = c.rn WHERE c.space = 'address' ORDER BY c.role, c.via, c.key",
                claim = self.claim,
                clean
            ),
        ])
    }

    /// In mode update an identity may keep a name from its credentials that it now has as a username, or the other way round.
    fn unless_kept(&self) -> Sql {
        if !self.updates {
            return sql!("");
        }
        sql!(
            "AND NOT EXISTS (SELECT FROM identity.identifiers AS h WHERE h.realm = $1 AND h.key = c.key AND h.identity_id = i.target)"
        )
    }

    /// Before that, in mode update: what the items replace. A former external_id is given up first, since another item may take it.
    pub fn replace(&self, first: i64, last: i64) -> Sql {
        let clean = self.clean(first, last);
        script([
            sql!(
                "UPDATE identity.identities AS t SET external_id = NULL FROM {clean} AS i
                 WHERE t.realm = $1 AND t.id = i.target AND t.external_id <> i.external_id",
                clean
            ),
            sql!(
                "UPDATE identity.identities AS t
                 SET external_id = COALESCE(i.external_id, t.external_id), schema_id = COALESCE(i.schema_id, t.schema_id),
                   state = COALESCE(i.state, t.state), traits = COALESCE(i.traits, t.traits),
                   metadata_public = CASE WHEN i.metadata_public IS NULL THEN t.metadata_public ELSE NULLIF(i.metadata_public, 'null') END,
                   metadata_admin = CASE WHEN i.metadata_admin IS NULL THEN t.metadata_admin ELSE NULLIF(i.metadata_admin, 'null') END,
                   organization_id = COALESCE(i.organization_id, t.organization_id), updated_at = now()
                 FROM {clean} AS i WHERE t.realm = $1 AND t.id = i.target",
                clean
            ),
            sql!(
                "DELETE FROM identity.identifiers AS h USING {clean} AS i
                 WHERE h.realm = $1 AND h.identity_id = i.target
                   AND CASE WHEN h.kind IN ('oidc', 'saml') THEN i.credentials IS NOT NULL ELSE i.traits IS NOT NULL END",
                clean
            ),
            sql!(
                "DELETE FROM identity.credentials AS s USING {clean} AS i
                 WHERE s.realm = $1 AND s.identity_id = i.target AND i.credentials IS NOT NULL",
                clean
            ),
            sql!(
                "DELETE FROM identity.addresses AS a USING {clean} AS i
                 WHERE a.realm = $1 AND a.identity_id = i.target
                   AND CASE a.role WHEN 'verifiable' THEN i.has_verifiable ELSE i.has_recovery END",
                clean
            ),
        ])
    }

    /// Whether there are any to be written.
    pub fn any_clean(&self, first: i64, last: i64) -> Sql {
        sql!("SELECT EXISTS (SELECT FROM {clean} AS i)", clean = self.clean(first, last))
    }

    fn clean(&self, first: i64, last: i64) -> Sql {
        sql!(
            "(SELECT i.* FROM {item} AS i WHERE i.rn BETWEEN {first} AND {last}
              AND NOT EXISTS (SELECT FROM {problem} AS p WHERE p.rn = i.rn))",
            item = self.item,
            first,
            last,
            problem = self.problem
        )
    }

    pub fn last_row(&self) -> Sql {
        sql!("SELECT COALESCE(max(i.rn), 0) FROM {item} AS i", item = self.item)
    }

    /// What the store refused of row `$2`, for a reason that is not foreseen. The DETAIL of a unique violation has the key's values, in every
    /// language of messages; they tell the claim.
    pub fn add_refusal(&self) -> Sql {
        sql!(
            "INSERT INTO {problem} (rn, ord, status, kind, value, path, sqlstate, message)
             SELECT i.rn, -4, $3, c.kind, c.value, COALESCE(c.path, i.path), $4,
               CASE WHEN c.rn IS NULL THEN $5 ELSE concat('the ', {noun}, ' is taken; by whom cannot be seen from this transaction') END
             FROM {item} AS i
             LEFT JOIN LATERAL (
               SELECT c.* FROM {claim} AS c
               WHERE c.rn = i.rn AND position(concat('=(', concat_ws(', ', $1, c.role, c.via, c.key), ')') IN $6) > 0
               ORDER BY c.ord LIMIT 1) AS c ON true
             WHERE i.rn = $2",
            item = self.item,
            claim = self.claim,
            problem = self.problem,
            noun = noun()
        )
    }

    pub fn count_problems(&self) -> Sql {
        sql!("SELECT count(*) FROM {problem}", problem = self.problem)
    }

    /// How many items have which status; one with several problems counts once.
    pub fn count(&self) -> Sql {
        sql!(
            "SELECT COALESCE(jsonb_object_agg(c.status, c.n), '{{}}') FROM (
               SELECT w.status, count(*) AS n FROM (
                 SELECT DISTINCT ON (p.rn) p.rn, p.status FROM {problem} AS p
                 ORDER BY p.rn, array_position('{{invalid,conflict,duplicate}}', p.status)) AS w
               GROUP BY w.status
               UNION ALL
               SELECT CASE WHEN i.target IS NULL THEN 'inserted' ELSE 'updated' END, count(*) FROM {item} AS i
               WHERE NOT EXISTS (SELECT FROM {problem} AS p WHERE p.rn = i.rn) GROUP BY 1) AS c",
            item = self.item,
            problem = self.problem
        )
    }

    pub fn first_problems(&self) -> Sql {
        sql!(
            "SELECT concat_ws(' ', 'row ' || p.rn || ':', p.status, p.kind, p.value, p.path) || ': ' || p.message
             FROM {problem} AS p ORDER BY p.rn, p.ord LIMIT 5",
            problem = self.problem
        )
    }

    /// Problems, in the order of the report.
    pub fn report_problems(&self) -> Sql {
        sql!(
            "SELECT p.rn, p.ord, p.status, i.target AS id, p.kind, p.value, p.existing, p.winner, p.path, p.sqlstate, p.message,
               NULL::text AS warning, i.patch_id
             FROM {problem} AS p LEFT JOIN {item} AS i ON i.rn = p.rn",
            item = self.item,
            problem = self.problem
        )
    }

    /// What the names of items that went in look like. One other name is enough: the work stays in proportion to the items,
    /// however many names look alike.
    pub fn find_warnings(&self) -> Sql {
        sql!(
            "INSERT INTO {warning} (rn, warning)
             SELECT l.rn, string_agg(concat(l.kind, ' ', quote_literal(l.value), ' looks like ', l.other_kind, ' ', quote_literal(l.other_value),
                      ' of identity ', l.identity_id), '; ' ORDER BY l.ord)
             FROM (
               SELECT c.rn, c.ord, c.kind, c.value, other.kind AS other_kind, other.value AS other_value, other.identity_id
               FROM (SELECT c.*, identity.identifier_skeleton(c.key) AS skeleton FROM {claim} AS c
                     WHERE c.space = 'identifier' AND c.kind IN ('username', 'email')
                       AND NOT EXISTS (SELECT FROM {problem} AS p WHERE p.rn = c.rn) OFFSET 0) AS c
               CROSS JOIN LATERAL (
                 SELECT a.kind, a.value, a.identity_id FROM identity.identifiers AS a
                 WHERE a.realm = $1 AND a.skeleton = c.skeleton AND a.key <> c.key LIMIT 1) AS other) AS l
             JOIN {item} AS i ON i.rn = l.rn AND l.identity_id <> COALESCE(i.target, i.id)
             GROUP BY l.rn",
            item = self.item,
            claim = self.claim,
            problem = self.problem,
            warning = self.warning
        )
    }

    /// Items that went in: all, or those that a warning is about.
    pub fn report_fine(&self, everything: bool) -> Sql {
        sql!(
            "SELECT i.rn, 0, CASE WHEN i.target IS NULL THEN 'inserted' ELSE 'updated' END, COALESCE(i.target, i.id), NULL, NULL, NULL, NULL,
               NULL, NULL, NULL, w.warning, i.patch_id
             FROM {item} AS i {join} {warning} AS w ON w.rn = i.rn
             WHERE NOT EXISTS (SELECT FROM {problem} AS p WHERE p.rn = i.rn)",
            item = self.item,
            join = if everything { sql!("LEFT JOIN") } else { sql!("JOIN") },
            warning = self.warning,
            problem = self.problem
        )
    }
}

/// The report of the run `$2`, made of queries that have its rows.
pub fn report(parts: &[Sql]) -> Sql {
    let parts = concat(parts.iter().enumerate().map(|(i, part)| {
        let union = if i == 0 { sql!("") } else { sql!(" UNION ALL ") };
        sql!("{union}{part}", union, part)
    }));
    sql!(
        "SELECT $2::uuid, r.rn, r.patch_id, r.status, r.id, r.kind, r.value, r.existing, r.winner, r.path, r.sqlstate, r.message, r.warning
         FROM ({parts}) AS r ORDER BY r.rn, r.ord, r.kind, r.value",
        parts
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::golden::Golden;

    /// No statement has anything in it that came from a caller, but for the numbers of rows.
    #[test]
    fn golden_statements() {
        let mut golden = Golden::default();
        golden.add("constants", [STORED, SCHEMAS, KEPT_SCHEMAS]);
        for (s, mode) in [(Statements::new(7, false), "insert"), (Statements::new(8, true), "update")] {
            let add = [s.create(), s.add_items(), s.add_claims(), s.add_faults(), s.analyze(), s.index_rows()];
            golden.add(&format!("{mode}: load"), add);
            golden.add(&format!("{mode}: find"), [s.forget_decision(), s.find_targets(), s.find_nameless()]);
            golden.add(&format!("{mode}: find"), [s.find_conflicts(), s.find_rivals(), s.find_freed()]);
            golden.add(
                &format!("{mode}: contest"),
                [s.read_contest(), s.add_losses(), s.forget_freed(), s.forget_echoes()],
            );
            golden.add(&format!("{mode}: write"), [s.last_row(), s.any_clean(1, 9), s.replace(1, 9), s.write(1, 9)]);
            golden.add(&format!("{mode}: refusal"), [s.add_refusal()]);
            golden
                .add(&format!("{mode}: count"), [s.count_problems(), s.count(), s.first_problems(), s.find_warnings()]);
            let parts = [s.report_problems(), s.report_fine(true), s.report_fine(false)];
            golden
                .add(&format!("{mode}: report"), [report(&parts[..1]), report(&parts[..2]), report(&parts), s.drop()]);
        }
        golden.check("src/import/identities/statements.golden.sql");
    }
}
