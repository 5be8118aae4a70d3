==== constants
SELECT GREATEST(c.reltuples::int8, pg_relation_size(c.oid) / 200) FROM pg_class AS c WHERE c.oid = 'identity.identifiers'::regclass
==== constants
SELECT COALESCE(jsonb_object_agg(s.schema_id, s.schema), '{}') FROM identity.identity_schemas AS s WHERE s.realm = $1
==== constants
SELECT COALESCE(jsonb_object_agg(b.rn, t.schema_id), '{}')
FROM ROWS FROM (unnest($2), unnest($3), unnest($4)) AS b (rn, id, external_id)
CROSS JOIN LATERAL (
  SELECT t.schema_id FROM identity.identities AS t WHERE t.realm = $1 AND t.id = b.id::uuid
  UNION ALL
  SELECT t.schema_id FROM identity.identities AS t
  WHERE b.id IS NULL AND t.realm = $1 AND t.external_id = b.external_id COLLATE "C"
  LIMIT 1) AS t
==== insert: load
CREATE TEMPORARY TABLE "pg_temp"."pg_identity_item_7" (
               rn int8, patch_id text, path text, given_id uuid, id uuid, target uuid, external_id text COLLATE "C", schema_id text, state text,
               traits jsonb, metadata_public jsonb, metadata_admin jsonb, organization_id uuid, credentials jsonb,
               has_verifiable bool, has_recovery bool) ON COMMIT DROP;
             CREATE TEMPORARY TABLE "pg_temp"."pg_identity_claim_7" (
               rn int8, ord int4, space text COLLATE "C", role text COLLATE "C", via text COLLATE "C", kind text COLLATE "C",
               key text COLLATE "C", value text COLLATE "C", path text, verified bool, status text) ON COMMIT DROP;
             CREATE TEMPORARY TABLE "pg_temp"."pg_identity_problem_7" (
               rn int8, ord int4, status text, kind text, value text, existing uuid, winner int8, path text, sqlstate text,
               message text) ON COMMIT DROP;
             CREATE TEMPORARY TABLE "pg_temp"."pg_identity_contest_7" (rn int8, ord int4, slot int8, role int4) ON COMMIT DROP;
             CREATE TEMPORARY TABLE "pg_temp"."pg_identity_warning_7" (rn int8, warning text) ON COMMIT DROP
==== insert: load
INSERT INTO "pg_temp"."pg_identity_item_7" (rn, patch_id, path, given_id, id, external_id, schema_id, state, traits, metadata_public, metadata_admin,
               organization_id, credentials, has_verifiable, has_recovery)
             SELECT b.rn, b.patch_id, b.path, b.given_id::uuid, b.id::uuid, b.external_id, b.schema_id, b.state, b.traits::jsonb,
               b.metadata_public::jsonb, b.metadata_admin::jsonb, b.organization_id::uuid, b.credentials::jsonb, b.has_verifiable,
               b.has_recovery
             FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8), unnest($9),
               unnest($10), unnest($11), unnest($12), unnest($13), unnest($14), unnest($15))
               AS b (rn, patch_id, path, given_id, id, external_id, schema_id, state, traits, metadata_public, metadata_admin, organization_id,
                     credentials, has_verifiable, has_recovery)
==== insert: load
INSERT INTO "pg_temp"."pg_identity_claim_7" (rn, ord, space, role, via, kind, key, value, path, verified, status)
             SELECT b.* FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8),
               unnest($9), unnest($10), unnest($11)) AS b
==== insert: load
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, kind, value, path, sqlstate, message)
             SELECT b.rn, b.ord, 'invalid', b.kind, b.value, b.path, b.sqlstate, b.message
             FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7))
               AS b (rn, ord, kind, value, path, sqlstate, message)
==== insert: load
ANALYZE "pg_temp"."pg_identity_item_7" (rn, id, target, given_id, external_id), "pg_temp"."pg_identity_claim_7" (rn, ord, space, role, via, kind, key), "pg_temp"."pg_identity_problem_7" (rn)
==== insert: load
CREATE INDEX ON "pg_temp"."pg_identity_item_7" (rn);
             CREATE INDEX ON "pg_temp"."pg_identity_claim_7" (rn);
             CREATE INDEX ON "pg_temp"."pg_identity_problem_7" (rn)
==== insert: find
DELETE FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.status IN ('conflict', 'duplicate') AND p.ord >= -1;
             DELETE FROM "pg_temp"."pg_identity_contest_7"
==== insert: find
DELETE FROM "pg_temp"."pg_identity_claim_7" WHERE ord = -1;
             WITH found AS MATERIALIZED (
               SELECT i.rn, t.id FROM "pg_temp"."pg_identity_item_7" AS i JOIN identity.identities AS t ON t.realm = $1 AND t.id = i.given_id
               FOR NO KEY UPDATE OF t)
             UPDATE "pg_temp"."pg_identity_item_7" AS i SET target = f.id FROM found AS f WHERE f.rn = i.rn;
             WITH found AS MATERIALIZED (
               SELECT i.rn, t.id FROM "pg_temp"."pg_identity_item_7" AS i JOIN identity.identities AS t ON t.realm = $1 AND t.external_id = i.external_id
               WHERE i.given_id IS NULL
               FOR NO KEY UPDATE OF t)
             UPDATE "pg_temp"."pg_identity_item_7" AS i SET target = f.id FROM found AS f WHERE f.rn = i.rn;
             INSERT INTO "pg_temp"."pg_identity_claim_7" (rn, ord, space, kind, key, value)
             SELECT i.rn, -1, 'id', 'id', i.target, i.target FROM "pg_temp"."pg_identity_item_7" AS i
             WHERE i.given_id IS NULL AND i.target IN (SELECT o.given_id FROM "pg_temp"."pg_identity_item_7" AS o);
             UPDATE "pg_temp"."pg_identity_claim_7" AS c SET verified = a.verified, status = a.status
             FROM "pg_temp"."pg_identity_item_7" AS i, identity.addresses AS a
             WHERE c.space = 'address' AND c.status IS NULL AND i.rn = c.rn
               AND a.realm = $1 AND a.role = c.role AND a.via = c.via AND a.key = c.key AND a.identity_id = i.target
==== insert: find
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, path, sqlstate, message)
             SELECT i.rn, -2, 'invalid', i.path, '22004', 'the identity has no identifier'
             FROM "pg_temp"."pg_identity_item_7" AS i
             WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_claim_7" AS c WHERE c.rn = i.rn AND c.space = 'identifier')
               AND NOT EXISTS (
                 SELECT FROM identity.identifiers AS h
                 WHERE h.realm = $1 AND h.identity_id = i.target
                   AND CASE WHEN h.kind IN ('oidc', 'saml') THEN i.credentials IS NULL ELSE i.traits IS NULL END)
               AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn)
==== insert: find
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, kind, value, existing, path, sqlstate, message)
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, h.holder, c.path, '23505',
               concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity')
             FROM "pg_temp"."pg_identity_claim_7" AS c
             JOIN (SELECT h.key, h.identity_id AS holder FROM identity.identifiers AS h WHERE h.realm = $1) AS h ON h.key = c.key
             WHERE c.space = 'identifier' 
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, h.holder, c.path, '23505',
               concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity')
             FROM "pg_temp"."pg_identity_claim_7" AS c
             JOIN (SELECT a.role, a.via, a.key, a.identity_id AS holder FROM identity.addresses AS a WHERE a.realm = $1) AS h
               ON h.role = c.role AND h.via = c.via AND h.key = c.key
             WHERE c.space = 'address' 
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, h.holder, c.path, '23505', 'an existing identity has this external_id'
             FROM "pg_temp"."pg_identity_claim_7" AS c
             JOIN (SELECT i.external_id AS key, i.id AS holder FROM identity.identities AS i
                   WHERE i.realm = $1 AND i.external_id IS NOT NULL) AS h ON h.key = c.key
             WHERE c.space = 'external_id' 
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, h.holder, c.path, '23505', 'an existing identity has this id'
             FROM (SELECT c.* FROM "pg_temp"."pg_identity_claim_7" AS c WHERE c.space = 'id' OFFSET 0) AS c
             JOIN (SELECT i.id, i.id AS holder FROM identity.identities AS i WHERE i.realm = $1) AS h ON h.id = c.key::uuid
             WHERE true 
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, NULL, c.path, '23505',
               concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' ELSE replace(c.kind, '_', ' ') END, ' is a verified address of a staged user of site ', h.site)
             FROM "pg_temp"."pg_identity_claim_7" AS c
             JOIN (SELECT n.key, t.name AS site
                   FROM identity.staged_identifiers AS n
                   JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
                   JOIN identity.sites AS t USING (realm, site_id)
                   WHERE n.realm = $1 AND s.state = 'staged'
                     AND CASE n.kind WHEN 'email' THEN s.email_verified WHEN 'phone' THEN s.phone_verified ELSE false END) AS h ON h.key = c.key
             WHERE c.space = 'identifier'
               AND NOT EXISTS (SELECT FROM identity.identifiers AS i WHERE i.realm = $1 AND i.key = c.key)
               AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_claim_7" AS own WHERE own.rn = c.rn AND own.space = 'address' AND own.key = c.key AND own.verified)
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, NULL, c.path, '23505',
               concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' ELSE replace(c.kind, '_', ' ') END, ' was a login name of a user of site ', h.site, ' until ', h.until::date)
             FROM "pg_temp"."pg_identity_claim_7" AS c
             JOIN (SELECT f.old_key AS key, s.identity_id, t.name AS site, f.changed_at AS until
                   FROM identity.former_logins AS f
                   JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
                   JOIN identity.sites AS t USING (realm, site_id)
                   WHERE f.realm = $1 AND f.restored_at IS NULL
                     AND f.changed_at > now() - COALESCE(current_setting('identity.former_name_grace', true), '90d')::interval) AS h ON h.key = c.key
             WHERE c.space = 'identifier'
               AND NOT EXISTS (SELECT FROM identity.identifiers AS i WHERE i.realm = $1 AND i.key = c.key)
               AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_item_7" AS own WHERE own.rn = c.rn AND own.target = h.identity_id)
==== insert: find
INSERT INTO "pg_temp"."pg_identity_contest_7" (rn, ord, slot, role)
             SELECT c.rn, c.ord, d.slot, 0
             FROM "pg_temp"."pg_identity_claim_7" AS c
             JOIN (SELECT c.space, c.role, c.via, c.key, row_number() OVER () AS slot FROM "pg_temp"."pg_identity_claim_7" AS c
                   GROUP BY c.space, c.role, c.via, c.key HAVING count(*) > 1) AS d
               ON d.space = c.space AND d.key = c.key AND d.role IS NOT DISTINCT FROM c.role AND d.via IS NOT DISTINCT FROM c.via
==== insert: find
WITH wait AS (
               SELECT p.rn, p.ord, c.space, c.role, c.via, c.key, s.rn AS giver,
                      dense_rank() OVER (ORDER BY c.space, c.role, c.via, c.key) AS slot
               FROM "pg_temp"."pg_identity_problem_7" AS p
               JOIN "pg_temp"."pg_identity_claim_7" AS c ON c.rn = p.rn AND c.ord = p.ord
               JOIN "pg_temp"."pg_identity_item_7" AS s ON s.target = p.existing
               LEFT JOIN identity.identifiers AS h ON h.realm = $1 AND c.space = 'identifier' AND h.key = c.key
               WHERE p.status = 'conflict'
                 AND CASE c.space
                       WHEN 'identifier' THEN CASE WHEN h.kind IN ('oidc', 'saml') THEN s.credentials IS NOT NULL ELSE s.traits IS NOT NULL END
                       WHEN 'address' THEN CASE c.role WHEN 'verifiable' THEN s.has_verifiable ELSE s.has_recovery END
                       WHEN 'external_id' THEN s.external_id IS NOT NULL
                       ELSE false END
                 AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_claim_7" AS kept WHERE kept.rn = s.rn AND kept.space = c.space AND kept.key = c.key
                                 AND kept.role IS NOT DISTINCT FROM c.role AND kept.via IS NOT DISTINCT FROM c.via))
             INSERT INTO "pg_temp"."pg_identity_contest_7" (rn, ord, slot, role)
             SELECT DISTINCT w.rn, w.ord, w.slot, 1 FROM wait AS w
             UNION ALL
             SELECT DISTINCT w.giver, -3, w.slot, 2 FROM wait AS w
==== insert: contest
SELECT c.rn, c.ord, c.slot, c.role, d.rn IS NOT NULL AS dead
             FROM "pg_temp"."pg_identity_contest_7" AS c
             LEFT JOIN (SELECT DISTINCT p.rn FROM "pg_temp"."pg_identity_problem_7" AS p
                        WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_contest_7" AS w WHERE w.role = 1 AND w.rn = p.rn AND w.ord = p.ord)) AS d ON d.rn = c.rn
             ORDER BY c.rn, c.role, c.ord
==== insert: contest
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, kind, value, winner, path, sqlstate, message)
             SELECT b.rn, b.ord, 'duplicate', c.kind, c.value, b.winner, c.path, '23505',
               concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' ELSE replace(c.kind, '_', ' ') END, ' was taken by row ', b.winner)
             FROM ROWS FROM (unnest($1), unnest($2), unnest($3)) AS b (rn, ord, winner)
             JOIN "pg_temp"."pg_identity_claim_7" AS c ON c.rn = b.rn AND c.ord = b.ord
==== insert: contest
DELETE FROM "pg_temp"."pg_identity_problem_7" AS p USING ROWS FROM (unnest($1), unnest($2)) AS b (rn, ord)
             WHERE p.status = 'conflict' AND p.rn = b.rn AND p.ord = b.ord
==== insert: contest
DELETE FROM "pg_temp"."pg_identity_problem_7" AS p USING "pg_temp"."pg_identity_problem_7" AS c
             WHERE c.status = 'conflict' AND c.ord >= -1 AND c.rn = p.rn AND (
               p.status = 'duplicate' AND p.ord = c.ord OR p.ord = -4 AND p.sqlstate = '23505');
             DELETE FROM "pg_temp"."pg_identity_problem_7" AS p USING "pg_temp"."pg_identity_problem_7" AS d
             WHERE d.status = 'duplicate' AND d.rn = p.rn AND p.ord = -4 AND p.sqlstate = '23505'
==== insert: write
SELECT COALESCE(max(i.rn), 0) FROM "pg_temp"."pg_identity_item_7" AS i
==== insert: write
SELECT EXISTS (SELECT FROM (SELECT i.* FROM "pg_temp"."pg_identity_item_7" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn)) AS i)
==== insert: write
UPDATE identity.identities AS t SET external_id = NULL FROM (SELECT i.* FROM "pg_temp"."pg_identity_item_7" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn)) AS i
                 WHERE t.realm = $1 AND t.id = i.target AND t.external_id <> i.external_id;
UPDATE identity.identities AS t
                 SET external_id = COALESCE(i.external_id, t.external_id), schema_id = COALESCE(i.schema_id, t.schema_id),
                   state = COALESCE(i.state, t.state), traits = COALESCE(i.traits, t.traits),
                   metadata_public = CASE WHEN i.metadata_public IS NULL THEN t.metadata_public ELSE NULLIF(i.metadata_public, 'null') END,
                   metadata_admin = CASE WHEN i.metadata_admin IS NULL THEN t.metadata_admin ELSE NULLIF(i.metadata_admin, 'null') END,
                   organization_id = COALESCE(i.organization_id, t.organization_id), updated_at = now()
                 FROM (SELECT i.* FROM "pg_temp"."pg_identity_item_7" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn)) AS i WHERE t.realm = $1 AND t.id = i.target;
DELETE FROM identity.identifiers AS h USING (SELECT i.* FROM "pg_temp"."pg_identity_item_7" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn)) AS i
                 WHERE h.realm = $1 AND h.identity_id = i.target
                   AND CASE WHEN h.kind IN ('oidc', 'saml') THEN i.credentials IS NOT NULL ELSE i.traits IS NOT NULL END;
DELETE FROM identity.credentials AS s USING (SELECT i.* FROM "pg_temp"."pg_identity_item_7" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn)) AS i
                 WHERE s.realm = $1 AND s.identity_id = i.target AND i.credentials IS NOT NULL;
DELETE FROM identity.addresses AS a USING (SELECT i.* FROM "pg_temp"."pg_identity_item_7" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn)) AS i
                 WHERE a.realm = $1 AND a.identity_id = i.target
                   AND CASE a.role WHEN 'verifiable' THEN i.has_verifiable ELSE i.has_recovery END
==== insert: write
INSERT INTO identity.identities (realm, id, external_id, schema_id, state, traits, metadata_public, metadata_admin, organization_id)
                 SELECT $1, i.id, i.external_id, COALESCE(i.schema_id, 'default'), COALESCE(i.state, 'active'), COALESCE(i.traits, '{}'),
                   NULLIF(i.metadata_public, 'null'), NULLIF(i.metadata_admin, 'null'), i.organization_id
                 FROM (SELECT i.* FROM "pg_temp"."pg_identity_item_7" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn)) AS i WHERE i.target IS NULL ORDER BY i.id;
INSERT INTO identity.identifiers (realm, key, kind, value, identity_id)
                 SELECT $1, c.key, c.kind, c.value, COALESCE(i.target, i.id)
                 FROM "pg_temp"."pg_identity_claim_7" AS c JOIN (SELECT i.* FROM "pg_temp"."pg_identity_item_7" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn)) AS i ON i.rn = c.rn WHERE c.space = 'identifier'  ORDER BY c.key;
INSERT INTO identity.credentials (realm, identity_id, type, config)
                 SELECT $1, COALESCE(i.target, i.id), e.key, e.value
                 FROM (SELECT i.* FROM "pg_temp"."pg_identity_item_7" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn)) AS i CROSS JOIN jsonb_each(i.credentials) AS e WHERE i.credentials IS NOT NULL ORDER BY 2, 3;
INSERT INTO identity.addresses (realm, role, via, key, value, identity_id, verified, status)
                 SELECT $1, c.role, c.via, c.key, c.value, COALESCE(i.target, i.id), c.verified, COALESCE(c.status, 'pending')
                 FROM "pg_temp"."pg_identity_claim_7" AS c JOIN (SELECT i.* FROM "pg_temp"."pg_identity_item_7" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn)) AS i ON i.rn = c.rn WHERE c.space = 'address' ORDER BY c.role, c.via, c.key
==== insert: refusal
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, kind, value, path, sqlstate, message)
             SELECT i.rn, -4, $3, c.kind, c.value, COALESCE(c.path, i.path), $4,
               CASE WHEN c.rn IS NULL THEN $5 ELSE concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' ELSE replace(c.kind, '_', ' ') END, ' is taken; by whom cannot be seen from this transaction') END
             FROM "pg_temp"."pg_identity_item_7" AS i
             LEFT JOIN LATERAL (
               SELECT c.* FROM "pg_temp"."pg_identity_claim_7" AS c
               WHERE c.rn = i.rn AND position(concat('=(', concat_ws(', ', $1, c.role, c.via, c.key), ')') IN $6) > 0
               ORDER BY c.ord LIMIT 1) AS c ON true
             WHERE i.rn = $2
==== insert: count
SELECT count(*) FROM "pg_temp"."pg_identity_problem_7"
==== insert: count
SELECT COALESCE(jsonb_object_agg(c.status, c.n), '{}') FROM (
               SELECT w.status, count(*) AS n FROM (
                 SELECT DISTINCT ON (p.rn) p.rn, p.status FROM "pg_temp"."pg_identity_problem_7" AS p
                 ORDER BY p.rn, array_position('{invalid,conflict,duplicate}', p.status)) AS w
               GROUP BY w.status
               UNION ALL
               SELECT CASE WHEN i.target IS NULL THEN 'inserted' ELSE 'updated' END, count(*) FROM "pg_temp"."pg_identity_item_7" AS i
               WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn) GROUP BY 1) AS c
==== insert: count
SELECT concat_ws(' ', 'row ' || p.rn || ':', p.status, p.kind, p.value, p.path) || ': ' || p.message
             FROM "pg_temp"."pg_identity_problem_7" AS p ORDER BY p.rn, p.ord LIMIT 5
==== insert: count
INSERT INTO "pg_temp"."pg_identity_warning_7" (rn, warning)
             SELECT l.rn, string_agg(concat(l.kind, ' ', quote_literal(l.value), ' looks like ', l.other_kind, ' ', quote_literal(l.other_value),
                      ' of identity ', l.identity_id), '; ' ORDER BY l.ord)
             FROM (
               SELECT c.rn, c.ord, c.kind, c.value, other.kind AS other_kind, other.value AS other_value, other.identity_id
               FROM (SELECT c.*, identity.identifier_skeleton(c.key) AS skeleton FROM "pg_temp"."pg_identity_claim_7" AS c
                     WHERE c.space = 'identifier' AND c.kind IN ('username', 'email')
                       AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = c.rn) OFFSET 0) AS c
               CROSS JOIN LATERAL (
                 SELECT a.kind, a.value, a.identity_id FROM identity.identifiers AS a
                 WHERE a.realm = $1 AND a.skeleton = c.skeleton AND a.key <> c.key LIMIT 1) AS other) AS l
             JOIN "pg_temp"."pg_identity_item_7" AS i ON i.rn = l.rn AND l.identity_id <> COALESCE(i.target, i.id)
             GROUP BY l.rn
==== insert: report
SELECT $2::uuid, r.rn, r.patch_id, r.status, r.id, r.kind, r.value, r.existing, r.winner, r.path, r.sqlstate, r.message, r.warning
         FROM (SELECT p.rn, p.ord, p.status, i.target AS id, p.kind, p.value, p.existing, p.winner, p.path, p.sqlstate, p.message,
               NULL::text AS warning, i.patch_id
             FROM "pg_temp"."pg_identity_problem_7" AS p LEFT JOIN "pg_temp"."pg_identity_item_7" AS i ON i.rn = p.rn) AS r ORDER BY r.rn, r.ord, r.kind, r.value
==== insert: report
SELECT $2::uuid, r.rn, r.patch_id, r.status, r.id, r.kind, r.value, r.existing, r.winner, r.path, r.sqlstate, r.message, r.warning
         FROM (SELECT p.rn, p.ord, p.status, i.target AS id, p.kind, p.value, p.existing, p.winner, p.path, p.sqlstate, p.message,
               NULL::text AS warning, i.patch_id
             FROM "pg_temp"."pg_identity_problem_7" AS p LEFT JOIN "pg_temp"."pg_identity_item_7" AS i ON i.rn = p.rn UNION ALL SELECT i.rn, 0, CASE WHEN i.target IS NULL THEN 'inserted' ELSE 'updated' END, COALESCE(i.target, i.id), NULL, NULL, NULL, NULL,
               NULL, NULL, NULL, w.warning, i.patch_id
             FROM "pg_temp"."pg_identity_item_7" AS i LEFT JOIN "pg_temp"."pg_identity_warning_7" AS w ON w.rn = i.rn
             WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn)) AS r ORDER BY r.rn, r.ord, r.kind, r.value
==== insert: report
SELECT $2::uuid, r.rn, r.patch_id, r.status, r.id, r.kind, r.value, r.existing, r.winner, r.path, r.sqlstate, r.message, r.warning
         FROM (SELECT p.rn, p.ord, p.status, i.target AS id, p.kind, p.value, p.existing, p.winner, p.path, p.sqlstate, p.message,
               NULL::text AS warning, i.patch_id
             FROM "pg_temp"."pg_identity_problem_7" AS p LEFT JOIN "pg_temp"."pg_identity_item_7" AS i ON i.rn = p.rn UNION ALL SELECT i.rn, 0, CASE WHEN i.target IS NULL THEN 'inserted' ELSE 'updated' END, COALESCE(i.target, i.id), NULL, NULL, NULL, NULL,
               NULL, NULL, NULL, w.warning, i.patch_id
             FROM "pg_temp"."pg_identity_item_7" AS i LEFT JOIN "pg_temp"."pg_identity_warning_7" AS w ON w.rn = i.rn
             WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn) UNION ALL SELECT i.rn, 0, CASE WHEN i.target IS NULL THEN 'inserted' ELSE 'updated' END, COALESCE(i.target, i.id), NULL, NULL, NULL, NULL,
               NULL, NULL, NULL, w.warning, i.patch_id
             FROM "pg_temp"."pg_identity_item_7" AS i JOIN "pg_temp"."pg_identity_warning_7" AS w ON w.rn = i.rn
             WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn = i.rn)) AS r ORDER BY r.rn, r.ord, r.kind, r.value
==== insert: report
DROP TABLE "pg_temp"."pg_identity_item_7", "pg_temp"."pg_identity_claim_7", "pg_temp"."pg_identity_problem_7", "pg_temp"."pg_identity_contest_7", "pg_temp"."pg_identity_warning_7"
==== update: load
CREATE TEMPORARY TABLE "pg_temp"."pg_identity_item_8" (
               rn int8, patch_id text, path text, given_id uuid, id uuid, target uuid, external_id text COLLATE "C", schema_id text, state text,
               traits jsonb, metadata_public jsonb, metadata_admin jsonb, organization_id uuid, credentials jsonb,
               has_verifiable bool, has_recovery bool) ON COMMIT DROP;
             CREATE TEMPORARY TABLE "pg_temp"."pg_identity_claim_8" (
               rn int8, ord int4, space text COLLATE "C", role text COLLATE "C", via text COLLATE "C", kind text COLLATE "C",
               key text COLLATE "C", value text COLLATE "C", path text, verified bool, status text) ON COMMIT DROP;
             CREATE TEMPORARY TABLE "pg_temp"."pg_identity_problem_8" (
               rn int8, ord int4, status text, kind text, value text, existing uuid, winner int8, path text, sqlstate text,
               message text) ON COMMIT DROP;
             CREATE TEMPORARY TABLE "pg_temp"."pg_identity_contest_8" (rn int8, ord int4, slot int8, role int4) ON COMMIT DROP;
             CREATE TEMPORARY TABLE "pg_temp"."pg_identity_warning_8" (rn int8, warning text) ON COMMIT DROP
==== update: load
INSERT INTO "pg_temp"."pg_identity_item_8" (rn, patch_id, path, given_id, id, external_id, schema_id, state, traits, metadata_public, metadata_admin,
               organization_id, credentials, has_verifiable, has_recovery)
             SELECT b.rn, b.patch_id, b.path, b.given_id::uuid, b.id::uuid, b.external_id, b.schema_id, b.state, b.traits::jsonb,
               b.metadata_public::jsonb, b.metadata_admin::jsonb, b.organization_id::uuid, b.credentials::jsonb, b.has_verifiable,
               b.has_recovery
             FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8), unnest($9),
               unnest($10), unnest($11), unnest($12), unnest($13), unnest($14), unnest($15))
               AS b (rn, patch_id, path, given_id, id, external_id, schema_id, state, traits, metadata_public, metadata_admin, organization_id,
                     credentials, has_verifiable, has_recovery)
==== update: load
INSERT INTO "pg_temp"."pg_identity_claim_8" (rn, ord, space, role, via, kind, key, value, path, verified, status)
             SELECT b.* FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8),
               unnest($9), unnest($10), unnest($11)) AS b
==== update: load
INSERT INTO "pg_temp"."pg_identity_problem_8" (rn, ord, status, kind, value, path, sqlstate, message)
             SELECT b.rn, b.ord, 'invalid', b.kind, b.value, b.path, b.sqlstate, b.message
             FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7))
               AS b (rn, ord, kind, value, path, sqlstate, message)
==== update: load
ANALYZE "pg_temp"."pg_identity_item_8" (rn, id, target, given_id, external_id), "pg_temp"."pg_identity_claim_8" (rn, ord, space, role, via, kind, key), "pg_temp"."pg_identity_problem_8" (rn)
==== update: load
CREATE INDEX ON "pg_temp"."pg_identity_item_8" (rn);
             CREATE INDEX ON "pg_temp"."pg_identity_claim_8" (rn);
             CREATE INDEX ON "pg_temp"."pg_identity_problem_8" (rn)
==== update: find
DELETE FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.status IN ('conflict', 'duplicate') AND p.ord >= -1;
             DELETE FROM "pg_temp"."pg_identity_contest_8"
==== update: find
DELETE FROM "pg_temp"."pg_identity_claim_8" WHERE ord = -1;
             WITH found AS MATERIALIZED (
               SELECT i.rn, t.id FROM "pg_temp"."pg_identity_item_8" AS i JOIN identity.identities AS t ON t.realm = $1 AND t.id = i.given_id
               FOR NO KEY UPDATE OF t)
             UPDATE "pg_temp"."pg_identity_item_8" AS i SET target = f.id FROM found AS f WHERE f.rn = i.rn;
             WITH found AS MATERIALIZED (
               SELECT i.rn, t.id FROM "pg_temp"."pg_identity_item_8" AS i JOIN identity.identities AS t ON t.realm = $1 AND t.external_id = i.external_id
               WHERE i.given_id IS NULL
               FOR NO KEY UPDATE OF t)
             UPDATE "pg_temp"."pg_identity_item_8" AS i SET target = f.id FROM found AS f WHERE f.rn = i.rn;
             INSERT INTO "pg_temp"."pg_identity_claim_8" (rn, ord, space, kind, key, value)
             SELECT i.rn, -1, 'id', 'id', i.target, i.target FROM "pg_temp"."pg_identity_item_8" AS i
             WHERE i.given_id IS NULL AND i.target IN (SELECT o.given_id FROM "pg_temp"."pg_identity_item_8" AS o);
             UPDATE "pg_temp"."pg_identity_claim_8" AS c SET verified = a.verified, status = a.status
             FROM "pg_temp"."pg_identity_item_8" AS i, identity.addresses AS a
             WHERE c.space = 'address' AND c.status IS NULL AND i.rn = c.rn
               AND a.realm = $1 AND a.role = c.role AND a.via = c.via AND a.key = c.key AND a.identity_id = i.target
==== update: find
INSERT INTO "pg_temp"."pg_identity_problem_8" (rn, ord, status, path, sqlstate, message)
             SELECT i.rn, -2, 'invalid', i.path, '22004', 'the identity has no identifier'
             FROM "pg_temp"."pg_identity_item_8" AS i
             WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_claim_8" AS c WHERE c.rn = i.rn AND c.space = 'identifier')
               AND NOT EXISTS (
                 SELECT FROM identity.identifiers AS h
                 WHERE h.realm = $1 AND h.identity_id = i.target
                   AND CASE WHEN h.kind IN ('oidc', 'saml') THEN i.credentials IS NULL ELSE i.traits IS NULL END)
               AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn)
==== update: find
INSERT INTO "pg_temp"."pg_identity_problem_8" (rn, ord, status, kind, value, existing, path, sqlstate, message)
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, h.holder, c.path, '23505',
               concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity')
             FROM "pg_temp"."pg_identity_claim_8" AS c
             JOIN (SELECT h.key, h.identity_id AS holder FROM identity.identifiers AS h WHERE h.realm = $1) AS h ON h.key = c.key
             WHERE c.space = 'identifier' AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_item_8" AS own WHERE own.rn = c.rn AND own.target = h.holder)
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, h.holder, c.path, '23505',
               concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity')
             FROM "pg_temp"."pg_identity_claim_8" AS c
             JOIN (SELECT a.role, a.via, a.key, a.identity_id AS holder FROM identity.addresses AS a WHERE a.realm = $1) AS h
               ON h.role = c.role AND h.via = c.via AND h.key = c.key
             WHERE c.space = 'address' AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_item_8" AS own WHERE own.rn = c.rn AND own.target = h.holder)
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, h.holder, c.path, '23505', 'an existing identity has this external_id'
             FROM "pg_temp"."pg_identity_claim_8" AS c
             JOIN (SELECT i.external_id AS key, i.id AS holder FROM identity.identities AS i
                   WHERE i.realm = $1 AND i.external_id IS NOT NULL) AS h ON h.key = c.key
             WHERE c.space = 'external_id' AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_item_8" AS own WHERE own.rn = c.rn AND own.target = h.holder)
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, h.holder, c.path, '23505', 'an existing identity has this id'
             FROM (SELECT c.* FROM "pg_temp"."pg_identity_claim_8" AS c WHERE c.space = 'id' OFFSET 0) AS c
             JOIN (SELECT i.id, i.id AS holder FROM identity.identities AS i WHERE i.realm = $1) AS h ON h.id = c.key::uuid
             WHERE true AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_item_8" AS own WHERE own.rn = c.rn AND own.target = h.holder)
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, NULL, c.path, '23505',
               concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' ELSE replace(c.kind, '_', ' ') END, ' is a verified address of a staged user of site ', h.site)
             FROM "pg_temp"."pg_identity_claim_8" AS c
             JOIN (SELECT n.key, t.name AS site
                   FROM identity.staged_identifiers AS n
                   JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
                   JOIN identity.sites AS t USING (realm, site_id)
                   WHERE n.realm = $1 AND s.state = 'staged'
                     AND CASE n.kind WHEN 'email' THEN s.email_verified WHEN 'phone' THEN s.phone_verified ELSE false END) AS h ON h.key = c.key
             WHERE c.space = 'identifier'
               AND NOT EXISTS (SELECT FROM identity.identifiers AS i WHERE i.realm = $1 AND i.key = c.key)
               AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_claim_8" AS own WHERE own.rn = c.rn AND own.space = 'address' AND own.key = c.key AND own.verified)
             UNION ALL
             SELECT c.rn, c.ord, 'conflict', c.kind, c.value, NULL, c.path, '23505',
               concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' ELSE replace(c.kind, '_', ' ') END, ' was a login name of a user of site ', h.site, ' until ', h.until::date)
             FROM "pg_temp"."pg_identity_claim_8" AS c
             JOIN (SELECT f.old_key AS key, s.identity_id, t.name AS site, f.changed_at AS until
                   FROM identity.former_logins AS f
                   JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
                   JOIN identity.sites AS t USING (realm, site_id)
                   WHERE f.realm = $1 AND f.restored_at IS NULL
                     AND f.changed_at > now() - COALESCE(current_setting('identity.former_name_grace', true), '90d')::interval) AS h ON h.key = c.key
             WHERE c.space = 'identifier'
               AND NOT EXISTS (SELECT FROM identity.identifiers AS i WHERE i.realm = $1 AND i.key = c.key)
               AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_item_8" AS own WHERE own.rn = c.rn AND own.target = h.identity_id)
==== update: find
INSERT INTO "pg_temp"."pg_identity_contest_8" (rn, ord, slot, role)
             SELECT c.rn, c.ord, d.slot, 0
             FROM "pg_temp"."pg_identity_claim_8" AS c
             JOIN (SELECT c.space, c.role, c.via, c.key, row_number() OVER () AS slot FROM "pg_temp"."pg_identity_claim_8" AS c
                   GROUP BY c.space, c.role, c.via, c.key HAVING count(*) > 1) AS d
               ON d.space = c.space AND d.key = c.key AND d.role IS NOT DISTINCT FROM c.role AND d.via IS NOT DISTINCT FROM c.via
==== update: find
WITH wait AS (
               SELECT p.rn, p.ord, c.space, c.role, c.via, c.key, s.rn AS giver,
                      dense_rank() OVER (ORDER BY c.space, c.role, c.via, c.key) AS slot
               FROM "pg_temp"."pg_identity_problem_8" AS p
               JOIN "pg_temp"."pg_identity_claim_8" AS c ON c.rn = p.rn AND c.ord = p.ord
               JOIN "pg_temp"."pg_identity_item_8" AS s ON s.target = p.existing
               LEFT JOIN identity.identifiers AS h ON h.realm = $1 AND c.space = 'identifier' AND h.key = c.key
               WHERE p.status = 'conflict'
                 AND CASE c.space
                       WHEN 'identifier' THEN CASE WHEN h.kind IN ('oidc', 'saml') THEN s.credentials IS NOT NULL ELSE s.traits IS NOT NULL END
                       WHEN 'address' THEN CASE c.role WHEN 'verifiable' THEN s.has_verifiable ELSE s.has_recovery END
                       WHEN 'external_id' THEN s.external_id IS NOT NULL
                       ELSE false END
                 AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_claim_8" AS kept WHERE kept.rn = s.rn AND kept.space = c.space AND kept.key = c.key
                                 AND kept.role IS NOT DISTINCT FROM c.role AND kept.via IS NOT DISTINCT FROM c.via))
             INSERT INTO "pg_temp"."pg_identity_contest_8" (rn, ord, slot, role)
             SELECT DISTINCT w.rn, w.ord, w.slot, 1 FROM wait AS w
             UNION ALL
             SELECT DISTINCT w.giver, -3, w.slot, 2 FROM wait AS w
==== update: contest
SELECT c.rn, c.ord, c.slot, c.role, d.rn IS NOT NULL AS dead
             FROM "pg_temp"."pg_identity_contest_8" AS c
             LEFT JOIN (SELECT DISTINCT p.rn FROM "pg_temp"."pg_identity_problem_8" AS p
                        WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_contest_8" AS w WHERE w.role = 1 AND w.rn = p.rn AND w.ord = p.ord)) AS d ON d.rn = c.rn
             ORDER BY c.rn, c.role, c.ord
==== update: contest
INSERT INTO "pg_temp"."pg_identity_problem_8" (rn, ord, status, kind, value, winner, path, sqlstate, message)
             SELECT b.rn, b.ord, 'duplicate', c.kind, c.value, b.winner, c.path, '23505',
               concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' ELSE replace(c.kind, '_', ' ') END, ' was taken by row ', b.winner)
             FROM ROWS FROM (unnest($1), unnest($2), unnest($3)) AS b (rn, ord, winner)
             JOIN "pg_temp"."pg_identity_claim_8" AS c ON c.rn = b.rn AND c.ord = b.ord
==== update: contest
DELETE FROM "pg_temp"."pg_identity_problem_8" AS p USING ROWS FROM (unnest($1), unnest($2)) AS b (rn, ord)
             WHERE p.status = 'conflict' AND p.rn = b.rn AND p.ord = b.ord
==== update: contest
DELETE FROM "pg_temp"."pg_identity_problem_8" AS p USING "pg_temp"."pg_identity_problem_8" AS c
             WHERE c.status = 'conflict' AND c.ord >= -1 AND c.rn = p.rn AND (
               p.status = 'duplicate' AND p.ord = c.ord OR p.ord = -4 AND p.sqlstate = '23505');
             DELETE FROM "pg_temp"."pg_identity_problem_8" AS p USING "pg_temp"."pg_identity_problem_8" AS d
             WHERE d.status = 'duplicate' AND d.rn = p.rn AND p.ord = -4 AND p.sqlstate = '23505'
==== update: write
SELECT COALESCE(max(i.rn), 0) FROM "pg_temp"."pg_identity_item_8" AS i
==== update: write
SELECT EXISTS (SELECT FROM (SELECT i.* FROM "pg_temp"."pg_identity_item_8" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn)) AS i)
==== update: write
UPDATE identity.identities AS t SET external_id = NULL FROM (SELECT i.* FROM "pg_temp"."pg_identity_item_8" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn)) AS i
                 WHERE t.realm = $1 AND t.id = i.target AND t.external_id <> i.external_id;
UPDATE identity.identities AS t
                 SET external_id = COALESCE(i.external_id, t.external_id), schema_id = COALESCE(i.schema_id, t.schema_id),
                   state = COALESCE(i.state, t.state), traits = COALESCE(i.traits, t.traits),
                   metadata_public = CASE WHEN i.metadata_public IS NULL THEN t.metadata_public ELSE NULLIF(i.metadata_public, 'null') END,
                   metadata_admin = CASE WHEN i.metadata_admin IS NULL THEN t.metadata_admin ELSE NULLIF(i.metadata_admin, 'null') END,
                   organization_id = COALESCE(i.organization_id, t.organization_id), updated_at = now()
                 FROM (SELECT i.* FROM "pg_temp"."pg_identity_item_8" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn)) AS i WHERE t.realm = $1 AND t.id = i.target;
DELETE FROM identity.identifiers AS h USING (SELECT i.* FROM "pg_temp"."pg_identity_item_8" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn)) AS i
                 WHERE h.realm = $1 AND h.identity_id = i.target
                   AND CASE WHEN h.kind IN ('oidc', 'saml') THEN i.credentials IS NOT NULL ELSE i.traits IS NOT NULL END;
DELETE FROM identity.credentials AS s USING (SELECT i.* FROM "pg_temp"."pg_identity_item_8" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn)) AS i
                 WHERE s.realm = $1 AND s.identity_id = i.target AND i.credentials IS NOT NULL;
DELETE FROM identity.addresses AS a USING (SELECT i.* FROM "pg_temp"."pg_identity_item_8" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn)) AS i
                 WHERE a.realm = $1 AND a.identity_id = i.target
                   AND CASE a.role WHEN 'verifiable' THEN i.has_verifiable ELSE i.has_recovery END
==== update: write
INSERT INTO identity.identities (realm, id, external_id, schema_id, state, traits, metadata_public, metadata_admin, organization_id)
                 SELECT $1, i.id, i.external_id, COALESCE(i.schema_id, 'default'), COALESCE(i.state, 'active'), COALESCE(i.traits, '{}'),
                   NULLIF(i.metadata_public, 'null'), NULLIF(i.metadata_admin, 'null'), i.organization_id
                 FROM (SELECT i.* FROM "pg_temp"."pg_identity_item_8" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn)) AS i WHERE i.target IS NULL ORDER BY i.id;
INSERT INTO identity.identifiers (realm, key, kind, value, identity_id)
                 SELECT $1, c.key, c.kind, c.value, COALESCE(i.target, i.id)
                 FROM "pg_temp"."pg_identity_claim_8" AS c JOIN (SELECT i.* FROM "pg_temp"."pg_identity_item_8" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn)) AS i ON i.rn = c.rn WHERE c.space = 'identifier' AND NOT EXISTS (SELECT FROM identity.identifiers AS h WHERE h.realm = $1 AND h.key = c.key AND h.identity_id = i.target) ORDER BY c.key;
INSERT INTO identity.credentials (realm, identity_id, type, config)
                 SELECT $1, COALESCE(i.target, i.id), e.key, e.value
                 FROM (SELECT i.* FROM "pg_temp"."pg_identity_item_8" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn)) AS i CROSS JOIN jsonb_each(i.credentials) AS e WHERE i.credentials IS NOT NULL ORDER BY 2, 3;
INSERT INTO identity.addresses (realm, role, via, key, value, identity_id, verified, status)
                 SELECT $1, c.role, c.via, c.key, c.value, COALESCE(i.target, i.id), c.verified, COALESCE(c.status, 'pending')
                 FROM "pg_temp"."pg_identity_claim_8" AS c JOIN (SELECT i.* FROM "pg_temp"."pg_identity_item_8" AS i WHERE i.rn BETWEEN 1 AND 9
              AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn)) AS i ON i.rn = c.rn WHERE c.space = 'address' ORDER BY c.role, c.via, c.key
==== update: refusal
INSERT INTO "pg_temp"."pg_identity_problem_8" (rn, ord, status, kind, value, path, sqlstate, message)
             SELECT i.rn, -4, $3, c.kind, c.value, COALESCE(c.path, i.path), $4,
               CASE WHEN c.rn IS NULL THEN $5 ELSE concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' ELSE replace(c.kind, '_', ' ') END, ' is taken; by whom cannot be seen from this transaction') END
             FROM "pg_temp"."pg_identity_item_8" AS i
             LEFT JOIN LATERAL (
               SELECT c.* FROM "pg_temp"."pg_identity_claim_8" AS c
               WHERE c.rn = i.rn AND position(concat('=(', concat_ws(', ', $1, c.role, c.via, c.key), ')') IN $6) > 0
               ORDER BY c.ord LIMIT 1) AS c ON true
             WHERE i.rn = $2
==== update: count
SELECT count(*) FROM "pg_temp"."pg_identity_problem_8"
==== update: count
SELECT COALESCE(jsonb_object_agg(c.status, c.n), '{}') FROM (
               SELECT w.status, count(*) AS n FROM (
                 SELECT DISTINCT ON (p.rn) p.rn, p.status FROM "pg_temp"."pg_identity_problem_8" AS p
                 ORDER BY p.rn, array_position('{invalid,conflict,duplicate}', p.status)) AS w
               GROUP BY w.status
               UNION ALL
               SELECT CASE WHEN i.target IS NULL THEN 'inserted' ELSE 'updated' END, count(*) FROM "pg_temp"."pg_identity_item_8" AS i
               WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn) GROUP BY 1) AS c
==== update: count
SELECT concat_ws(' ', 'row ' || p.rn || ':', p.status, p.kind, p.value, p.path) || ': ' || p.message
             FROM "pg_temp"."pg_identity_problem_8" AS p ORDER BY p.rn, p.ord LIMIT 5
==== update: count
INSERT INTO "pg_temp"."pg_identity_warning_8" (rn, warning)
             SELECT l.rn, string_agg(concat(l.kind, ' ', quote_literal(l.value), ' looks like ', l.other_kind, ' ', quote_literal(l.other_value),
                      ' of identity ', l.identity_id), '; ' ORDER BY l.ord)
             FROM (
               SELECT c.rn, c.ord, c.kind, c.value, other.kind AS other_kind, other.value AS other_value, other.identity_id
               FROM (SELECT c.*, identity.identifier_skeleton(c.key) AS skeleton FROM "pg_temp"."pg_identity_claim_8" AS c
                     WHERE c.space = 'identifier' AND c.kind IN ('username', 'email')
                       AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = c.rn) OFFSET 0) AS c
               CROSS JOIN LATERAL (
                 SELECT a.kind, a.value, a.identity_id FROM identity.identifiers AS a
                 WHERE a.realm = $1 AND a.skeleton = c.skeleton AND a.key <> c.key LIMIT 1) AS other) AS l
             JOIN "pg_temp"."pg_identity_item_8" AS i ON i.rn = l.rn AND l.identity_id <> COALESCE(i.target, i.id)
             GROUP BY l.rn
==== update: report
SELECT $2::uuid, r.rn, r.patch_id, r.status, r.id, r.kind, r.value, r.existing, r.winner, r.path, r.sqlstate, r.message, r.warning
         FROM (SELECT p.rn, p.ord, p.status, i.target AS id, p.kind, p.value, p.existing, p.winner, p.path, p.sqlstate, p.message,
               NULL::text AS warning, i.patch_id
             FROM "pg_temp"."pg_identity_problem_8" AS p LEFT JOIN "pg_temp"."pg_identity_item_8" AS i ON i.rn = p.rn) AS r ORDER BY r.rn, r.ord, r.kind, r.value
==== update: report
SELECT $2::uuid, r.rn, r.patch_id, r.status, r.id, r.kind, r.value, r.existing, r.winner, r.path, r.sqlstate, r.message, r.warning
         FROM (SELECT p.rn, p.ord, p.status, i.target AS id, p.kind, p.value, p.existing, p.winner, p.path, p.sqlstate, p.message,
               NULL::text AS warning, i.patch_id
             FROM "pg_temp"."pg_identity_problem_8" AS p LEFT JOIN "pg_temp"."pg_identity_item_8" AS i ON i.rn = p.rn UNION ALL SELECT i.rn, 0, CASE WHEN i.target IS NULL THEN 'inserted' ELSE 'updated' END, COALESCE(i.target, i.id), NULL, NULL, NULL, NULL,
               NULL, NULL, NULL, w.warning, i.patch_id
             FROM "pg_temp"."pg_identity_item_8" AS i LEFT JOIN "pg_temp"."pg_identity_warning_8" AS w ON w.rn = i.rn
             WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn)) AS r ORDER BY r.rn, r.ord, r.kind, r.value
==== update: report
SELECT $2::uuid, r.rn, r.patch_id, r.status, r.id, r.kind, r.value, r.existing, r.winner, r.path, r.sqlstate, r.message, r.warning
         FROM (SELECT p.rn, p.ord, p.status, i.target AS id, p.kind, p.value, p.existing, p.winner, p.path, p.sqlstate, p.message,
               NULL::text AS warning, i.patch_id
             FROM "pg_temp"."pg_identity_problem_8" AS p LEFT JOIN "pg_temp"."pg_identity_item_8" AS i ON i.rn = p.rn UNION ALL SELECT i.rn, 0, CASE WHEN i.target IS NULL THEN 'inserted' ELSE 'updated' END, COALESCE(i.target, i.id), NULL, NULL, NULL, NULL,
               NULL, NULL, NULL, w.warning, i.patch_id
             FROM "pg_temp"."pg_identity_item_8" AS i LEFT JOIN "pg_temp"."pg_identity_warning_8" AS w ON w.rn = i.rn
             WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn) UNION ALL SELECT i.rn, 0, CASE WHEN i.target IS NULL THEN 'inserted' ELSE 'updated' END, COALESCE(i.target, i.id), NULL, NULL, NULL, NULL,
               NULL, NULL, NULL, w.warning, i.patch_id
             FROM "pg_temp"."pg_identity_item_8" AS i JOIN "pg_temp"."pg_identity_warning_8" AS w ON w.rn = i.rn
             WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_8" AS p WHERE p.rn = i.rn)) AS r ORDER BY r.rn, r.ord, r.kind, r.value
==== update: report
DROP TABLE "pg_temp"."pg_identity_item_8", "pg_temp"."pg_identity_claim_8", "pg_temp"."pg_identity_problem_8", "pg_temp"."pg_identity_contest_8", "pg_temp"."pg_identity_warning_8"
