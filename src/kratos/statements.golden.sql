==== conflicts
SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, c.role AS holder_kind, h.identity_id AS existing, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity') AS message
             FROM claim AS c
             JOIN ONLY "an ""ory""; --"."identity_credential_types" AS t ON t.name = c.role COLLATE "default"
             JOIN ONLY "an ""ory""; --"."identity_credential_identifiers" AS h ON h.nid = $1::uuid AND h.identity_credential_type_id = t.id AND h.identifier = c.key COLLATE "default"
             WHERE c.space = 'identifier' 
             UNION ALL
             SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.identity_id, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity') AS message
                 FROM claim AS c
                 JOIN ONLY "an ""ory""; --"."identity_verifiable_addresses" AS h ON h.nid = $1::uuid AND h.via = c.via COLLATE "default" AND h.value = c.key COLLATE "default"
                 WHERE c.space = 'address' AND c.role = 'verifiable' 
             UNION ALL
             SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.identity_id, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity') AS message
                 FROM claim AS c
                 JOIN ONLY "an ""ory""; --"."identity_recovery_addresses" AS h ON h.nid = $1::uuid AND h.via = c.via COLLATE "default" AND h.value = c.key COLLATE "default"
                 WHERE c.space = 'address' AND c.role = 'recovery' 
             UNION ALL
             SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.identity_id, c.path, 'an existing identity has this external_id'
             FROM claim AS c
             JOIN (SELECT h.external_id, h.id AS identity_id FROM ONLY "an ""ory""; --"."identities" AS h WHERE h.nid = $1::uuid AND h.external_id IS NOT NULL) AS h
               ON h.external_id = c.key COLLATE "default"
             WHERE c.space = 'external_id' 
             UNION ALL
             SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.identity_id, c.path, 'an existing identity has this id'
             FROM (SELECT c.* FROM claim AS c WHERE c.space = 'id' OFFSET 0) AS c
             JOIN (SELECT h.id, h.id AS identity_id FROM ONLY "an ""ory""; --"."identities" AS h) AS h ON h.id = c.key::uuid
             WHERE true 
==== conflicts
SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, c.role AS holder_kind, h.identity_id AS existing, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity') AS message
             FROM claim AS c
             JOIN ONLY "an ""ory""; --"."identity_credential_types" AS t ON t.name = c.role COLLATE "default"
             JOIN ONLY "an ""ory""; --"."identity_credential_identifiers" AS h ON h.nid = $1::uuid AND h.identity_credential_type_id = t.id AND h.identifier = c.key COLLATE "default"
             WHERE c.space = 'identifier' AND c.target IS DISTINCT FROM h.identity_id
             UNION ALL
             SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.identity_id, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity') AS message
                 FROM claim AS c
                 JOIN ONLY "an ""ory""; --"."identity_verifiable_addresses" AS h ON h.nid = $1::uuid AND h.via = c.via COLLATE "default" AND h.value = c.key COLLATE "default"
                 WHERE c.space = 'address' AND c.role = 'verifiable' AND c.target IS DISTINCT FROM h.identity_id
             UNION ALL
             SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.identity_id, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity') AS message
                 FROM claim AS c
                 JOIN ONLY "an ""ory""; --"."identity_recovery_addresses" AS h ON h.nid = $1::uuid AND h.via = c.via COLLATE "default" AND h.value = c.key COLLATE "default"
                 WHERE c.space = 'address' AND c.role = 'recovery' AND c.target IS DISTINCT FROM h.identity_id
             UNION ALL
             SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.identity_id, c.path, 'an existing identity has this external_id'
             FROM claim AS c
             JOIN (SELECT h.external_id, h.id AS identity_id FROM ONLY "an ""ory""; --"."identities" AS h WHERE h.nid = $1::uuid AND h.external_id IS NOT NULL) AS h
               ON h.external_id = c.key COLLATE "default"
             WHERE c.space = 'external_id' AND c.target IS DISTINCT FROM h.identity_id
             UNION ALL
             SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.identity_id, c.path, 'an existing identity has this id'
             FROM (SELECT c.* FROM claim AS c WHERE c.space = 'id' OFFSET 0) AS c
             JOIN (SELECT h.id, h.id AS identity_id FROM ONLY "an ""ory""; --"."identities" AS h) AS h ON h.id = c.key::uuid
             WHERE true AND c.target IS DISTINCT FROM h.identity_id
==== decisions
SELECT COALESCE(jsonb_object_agg(b.rn, t.schema_id), '{}')
FROM ROWS FROM (unnest($2), unnest($3), unnest($4)) AS b (rn, id, external_id)
CROSS JOIN LATERAL (
  SELECT t.schema_id FROM ONLY "an ""ory""; --"."identities" AS t WHERE t.nid = $1::uuid AND t.id = b.id::uuid
  UNION ALL
  SELECT t.schema_id FROM ONLY "an ""ory""; --"."identities" AS t WHERE b.id IS NULL AND t.nid = $1::uuid AND t.external_id = b.external_id COLLATE "default"
  LIMIT 1) AS t
==== decisions
WITH by_id AS MATERIALIZED (
  SELECT i.rn, t.id FROM item AS i JOIN ONLY "an ""ory""; --"."identities" AS t ON t.nid = $1::uuid AND t.id = i.given_id
  FOR NO KEY UPDATE OF t),
by_external_id AS MATERIALIZED (
  SELECT i.rn, t.id FROM item AS i JOIN ONLY "an ""ory""; --"."identities" AS t ON t.nid = $1::uuid AND t.external_id = i.external_id COLLATE "default"
  WHERE i.given_id IS NULL
  FOR NO KEY UPDATE OF t)
SELECT b.rn, b.id FROM by_id AS b UNION ALL SELECT b.rn, b.id FROM by_external_id AS b
==== decisions
SELECT c.rn, c.ord, c.space, c.role, c.via, c.kind, c.key, c.value, c.path, COALESCE(a.verified, c.verified) AS verified,
  COALESCE(a.status, c.status) COLLATE "C" AS status, COALESCE(a.verified_at AT TIME ZONE 'UTC', c.verified_at) AS verified_at, c.proved, c.id, c.target
FROM claim AS c
LEFT JOIN ONLY "an ""ory""; --"."identity_verifiable_addresses" AS a
  ON c.space = 'address' AND c.role = 'verifiable' AND c.status IS NULL AND a.nid = $1::uuid AND a.via = c.via COLLATE "default"
    AND a.value = c.key COLLATE "default" AND a.identity_id = c.target
ORDER BY c.rn, c.ord
==== decisions
WITH wait AS (
           SELECT p.rn, p.ord, s.rn AS giver, dense_rank() OVER (ORDER BY p.space, p.role, p.via, p.key) AS slot
           FROM conflict AS p
           JOIN item AS s ON s.target = p.existing
           WHERE CASE p.space
                   WHEN 'identifier' THEN EXISTS (SELECT FROM credential AS n WHERE n.rn = s.rn AND n.type = p.role AND n.names)
                   WHEN 'address' THEN CASE p.role WHEN 'verifiable' THEN s.has_verifiable ELSE s.has_recovery END
                   WHEN 'external_id' THEN s.external_id IS NOT NULL
                   ELSE false END
             AND NOT EXISTS (SELECT FROM claim AS kept WHERE kept.rn = s.rn AND kept.space = p.space AND kept.key = p.key
                             AND kept.role IS NOT DISTINCT FROM p.role AND kept.via IS NOT DISTINCT FROM p.via))
         SELECT DISTINCT w.rn, w.ord, w.slot, 1 AS role FROM wait AS w
         UNION ALL
         SELECT DISTINCT w.giver, -3, w.slot, 2 FROM wait AS w
==== decisions
SELECT i.rn, -4 AS ord, $3::text AS status, c.kind, c.value, NULL::uuid AS existing, NULL::int8 AS winner, COALESCE(c.path, i.path) AS path,
               $4::text AS sqlstate,
               CASE WHEN c.rn IS NULL THEN $5 ELSE concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is taken; by whom cannot be seen from this transaction') END AS message
             FROM item AS i
             LEFT JOIN LATERAL (
               SELECT c.* FROM claim AS c
               WHERE c.rn = i.rn AND position(concat('=(', concat_ws(', ', CASE WHEN c.space <> 'id' THEN $1 END,
                   (SELECT t.id FROM ONLY "an ""ory""; --"."identity_credential_types" AS t WHERE c.space = 'identifier' AND t.name = c.role COLLATE "default"), c.via, c.key), ')') IN $6) > 0
               ORDER BY c.ord LIMIT 1) AS c ON true
             WHERE i.rn = $2
==== add
INSERT INTO "an ""ory""; --"."identities" (id, nid, schema_id, traits, state, state_changed_at, metadata_public, metadata_admin, available_aal,
               organization_id, external_id, created_at, updated_at)
             SELECT i.id, $1::uuid, COALESCE(i.schema_id, 'default'), COALESCE(i.traits, '{}'), COALESCE(i.state, 'active'),
               COALESCE(i.state_changed_at, now()) AT TIME ZONE 'UTC', NULLIF(i.metadata_public, 'null'), NULLIF(i.metadata_admin, 'null'), i.aal,
               i.organization_id, i.external_id, COALESCE(i.created_at, now()) AT TIME ZONE 'UTC', COALESCE(i.updated_at, now()) AT TIME ZONE 'UTC'
             FROM item AS i WHERE i.target IS NULL
==== add
INSERT INTO "an ""ory""; --"."identity_credentials" (id, nid, identity_id, identity_credential_type_id, config, version, created_at, updated_at)
             SELECT n.id, $1::uuid, COALESCE(i.target, n.identity_id), t.id, COALESCE(n.config, '{}'), n.version,
               COALESCE(n.created_at, now()) AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
             FROM credential AS n
             JOIN item AS i ON i.rn = n.rn
             JOIN ONLY "an ""ory""; --"."identity_credential_types" AS t ON t.name = n.type COLLATE "default"
             WHERE true 
==== add
INSERT INTO "an ""ory""; --"."identity_credential_identifiers" (id, nid, identity_id, identity_credential_id, identity_credential_type_id, identifier, created_at, updated_at)
             SELECT identity.new_id(), $1::uuid, n.identity_id, n.id, t.id, k.key, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
             FROM (SELECT c.rn, c.role AS type, c.key FROM claim AS c WHERE c.space = 'identifier'
                   UNION ALL
                   SELECT n.rn, n.type, n.identity_id::text FROM credential AS n WHERE n.own) AS k
             JOIN credential AS n ON n.rn = k.rn AND n.type = k.type
             JOIN ONLY "an ""ory""; --"."identity_credential_types" AS t ON t.name = n.type COLLATE "default"
==== add
INSERT INTO "an ""ory""; --"."identity_verifiable_addresses" (id, nid, identity_id, via, value, verified, status, verified_at, created_at, updated_at)
             SELECT identity.new_id(), $1::uuid, c.id, c.via, c.key, c.verified, COALESCE(c.status, 'pending'),
               CASE WHEN c.verified THEN COALESCE(c.verified_at, now()) AT TIME ZONE 'UTC' END, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
             FROM claim AS c WHERE c.space = 'address' AND c.role = 'verifiable' 
==== add
INSERT INTO "an ""ory""; --"."identity_recovery_addresses" (id, nid, identity_id, via, value, created_at, updated_at)
             SELECT identity.new_id(), $1::uuid, c.id, c.via, c.key, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
             FROM claim AS c WHERE c.space = 'address' AND c.role = 'recovery' 
==== replace
UPDATE ONLY "an ""ory""; --"."identities" AS t SET external_id = NULL FROM item AS i
             WHERE t.nid = $1::uuid AND t.id = i.target AND t.external_id <> i.external_id COLLATE "default"
==== replace
UPDATE ONLY "an ""ory""; --"."identities" AS t
             SET external_id = COALESCE(i.external_id, t.external_id), schema_id = COALESCE(i.schema_id, t.schema_id),
               state = COALESCE(i.state, t.state), traits = COALESCE(i.traits, t.traits),
               metadata_public = CASE WHEN i.metadata_public IS NULL THEN t.metadata_public ELSE NULLIF(i.metadata_public, 'null') END,
               metadata_admin = CASE WHEN i.metadata_admin IS NULL THEN t.metadata_admin ELSE NULLIF(i.metadata_admin, 'null') END,
               organization_id = COALESCE(i.organization_id, t.organization_id),
               created_at = COALESCE(i.created_at AT TIME ZONE 'UTC', t.created_at), updated_at = COALESCE(i.updated_at, now()) AT TIME ZONE 'UTC',
               state_changed_at = CASE WHEN i.state_changed_at IS NOT NULL THEN i.state_changed_at AT TIME ZONE 'UTC'
                                       WHEN i.state <> t.state COLLATE "C" THEN now() AT TIME ZONE 'UTC' ELSE t.state_changed_at END,
               available_aal = CASE WHEN EXISTS (SELECT FROM credential AS n WHERE n.rn = i.rn) THEN NULL ELSE t.available_aal END
             FROM item AS i WHERE t.nid = $1::uuid AND t.id = i.target
==== replace
UPDATE ONLY "an ""ory""; --"."identity_credentials" AS x SET config = n.config, version = n.version, updated_at = now() AT TIME ZONE 'UTC'
             FROM credential AS n
             JOIN item AS i ON i.rn = n.rn
             JOIN ONLY "an ""ory""; --"."identity_credential_types" AS t ON t.name = n.type COLLATE "default"
             WHERE x.nid = $1::uuid AND x.identity_id = i.target AND x.identity_credential_type_id = t.id AND n.config IS NOT NULL
==== replace
DELETE FROM ONLY "an ""ory""; --"."identity_credential_identifiers" AS h
             USING credential AS n
             JOIN item AS i ON i.rn = n.rn
             JOIN ONLY "an ""ory""; --"."identity_credential_types" AS t ON t.name = n.type COLLATE "default"
             WHERE h.nid = $1::uuid AND h.identity_id = i.target AND h.identity_credential_type_id = t.id AND n.names
               AND NOT EXISTS (SELECT FROM claim AS c WHERE c.rn = n.rn AND c.space = 'identifier' AND c.role = n.type AND c.key = h.identifier COLLATE "C")
==== replace
DELETE FROM ONLY "an ""ory""; --"."identity_verifiable_addresses" AS h USING item AS i
             WHERE h.nid = $1::uuid AND h.identity_id = i.target AND i.has_verifiable
               AND NOT EXISTS (SELECT FROM claim AS c WHERE c.rn = i.rn AND c.space = 'address' AND c.role = 'verifiable'
                               AND c.via = h.via COLLATE "C" AND c.key = h.value COLLATE "C")
==== replace
DELETE FROM ONLY "an ""ory""; --"."identity_recovery_addresses" AS h USING item AS i
             WHERE h.nid = $1::uuid AND h.identity_id = i.target AND i.has_recovery
               AND NOT EXISTS (SELECT FROM claim AS c WHERE c.rn = i.rn AND c.space = 'address' AND c.role = 'recovery'
                               AND c.via = h.via COLLATE "C" AND c.key = h.value COLLATE "C")
==== replace
UPDATE ONLY "an ""ory""; --"."identity_verifiable_addresses" AS h
             SET verified = c.verified, status = COALESCE(c.status, 'pending'), updated_at = now() AT TIME ZONE 'UTC',
               verified_at = CASE WHEN c.verified THEN COALESCE(c.verified_at AT TIME ZONE 'UTC', h.verified_at, now() AT TIME ZONE 'UTC') END
             FROM claim AS c
             WHERE c.space = 'address' AND c.role = 'verifiable' AND h.nid = $1::uuid AND h.via = c.via COLLATE "default"
               AND h.value = c.key COLLATE "default" AND h.identity_id = c.target
               AND (h.verified <> c.verified OR h.status <> COALESCE(c.status, 'pending') COLLATE "default")
==== replace
INSERT INTO "an ""ory""; --"."identities" (id, nid, schema_id, traits, state, state_changed_at, metadata_public, metadata_admin, available_aal,
               organization_id, external_id, created_at, updated_at)
             SELECT i.id, $1::uuid, COALESCE(i.schema_id, 'default'), COALESCE(i.traits, '{}'), COALESCE(i.state, 'active'),
               COALESCE(i.state_changed_at, now()) AT TIME ZONE 'UTC', NULLIF(i.metadata_public, 'null'), NULLIF(i.metadata_admin, 'null'), i.aal,
               i.organization_id, i.external_id, COALESCE(i.created_at, now()) AT TIME ZONE 'UTC', COALESCE(i.updated_at, now()) AT TIME ZONE 'UTC'
             FROM item AS i WHERE i.target IS NULL
==== replace
INSERT INTO "an ""ory""; --"."identity_credentials" (id, nid, identity_id, identity_credential_type_id, config, version, created_at, updated_at)
             SELECT n.id, $1::uuid, COALESCE(i.target, n.identity_id), t.id, COALESCE(n.config, '{}'), n.version,
               COALESCE(n.created_at, now()) AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
             FROM credential AS n
             JOIN item AS i ON i.rn = n.rn
             JOIN ONLY "an ""ory""; --"."identity_credential_types" AS t ON t.name = n.type COLLATE "default"
             WHERE true AND NOT EXISTS (SELECT FROM ONLY "an ""ory""; --"."identity_credentials" AS x
               WHERE x.nid = $1::uuid AND x.identity_id = COALESCE(i.target, n.identity_id) AND x.identity_credential_type_id = t.id)
==== replace
INSERT INTO "an ""ory""; --"."identity_credential_identifiers" (id, nid, identity_id, identity_credential_id, identity_credential_type_id, identifier, created_at, updated_at)
             SELECT identity.new_id(), $1::uuid, k.identity_id, x.id, t.id, k.key, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
             FROM (SELECT c.role AS type, c.key, c.id AS identity_id FROM claim AS c WHERE c.space = 'identifier'
                   UNION ALL
                   SELECT n.type, COALESCE(i.target, i.id)::text, COALESCE(i.target, i.id) FROM credential AS n JOIN item AS i ON i.rn = n.rn
                   WHERE n.own) AS k
             JOIN ONLY "an ""ory""; --"."identity_credential_types" AS t ON t.name = k.type COLLATE "default"
             CROSS JOIN LATERAL (
               SELECT x.id FROM ONLY "an ""ory""; --"."identity_credentials" AS x
               WHERE x.nid = $1::uuid AND x.identity_id = k.identity_id AND x.identity_credential_type_id = t.id
               ORDER BY x.updated_at DESC, x.id LIMIT 1) AS x
             WHERE NOT EXISTS (SELECT FROM ONLY "an ""ory""; --"."identity_credential_identifiers" AS h
                               WHERE h.nid = $1::uuid AND h.identity_credential_type_id = t.id AND h.identifier = k.key COLLATE "default"
                                 AND h.identity_id = k.identity_id)
==== replace
INSERT INTO "an ""ory""; --"."identity_verifiable_addresses" (id, nid, identity_id, via, value, verified, status, verified_at, created_at, updated_at)
             SELECT identity.new_id(), $1::uuid, c.id, c.via, c.key, c.verified, COALESCE(c.status, 'pending'),
               CASE WHEN c.verified THEN COALESCE(c.verified_at, now()) AT TIME ZONE 'UTC' END, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
             FROM claim AS c WHERE c.space = 'address' AND c.role = 'verifiable' AND NOT EXISTS (SELECT FROM ONLY "an ""ory""; --"."identity_verifiable_addresses" AS h WHERE h.nid = $1::uuid AND h.via = c.via COLLATE "default"
               AND h.value = c.key COLLATE "default" AND h.identity_id = c.target)
==== replace
INSERT INTO "an ""ory""; --"."identity_recovery_addresses" (id, nid, identity_id, via, value, created_at, updated_at)
             SELECT identity.new_id(), $1::uuid, c.id, c.via, c.key, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
             FROM claim AS c WHERE c.space = 'address' AND c.role = 'recovery' AND NOT EXISTS (SELECT FROM ONLY "an ""ory""; --"."identity_recovery_addresses" AS h WHERE h.nid = $1::uuid AND h.via = c.via COLLATE "default"
               AND h.value = c.key COLLATE "default" AND h.identity_id = c.target)
