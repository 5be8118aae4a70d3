==== conflicts
SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, h.kind AS holder_kind, h.holder AS existing, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity') AS message
         FROM claim AS c
         JOIN (SELECT h.key, h.kind, h.identity_id AS holder FROM identity.identifiers AS h WHERE h.realm = $1) AS h ON h.key = c.key
         WHERE c.space = 'identifier' 
         UNION ALL
         SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.holder, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity')
         FROM claim AS c
         JOIN (SELECT a.role, a.via, a.key, a.identity_id AS holder FROM identity.addresses AS a WHERE a.realm = $1) AS h
           ON h.role = c.role AND h.via = c.via AND h.key = c.key
         WHERE c.space = 'address' 
         UNION ALL
         SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.holder, c.path, 'an existing identity has this external_id'
         FROM claim AS c
         JOIN (SELECT i.external_id AS key, i.id AS holder FROM identity.identities AS i
               WHERE i.realm = $1 AND i.external_id IS NOT NULL) AS h ON h.key = c.key
         WHERE c.space = 'external_id' 
         UNION ALL
         SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.holder, c.path, 'an existing identity has this id'
         FROM (SELECT c.* FROM claim AS c WHERE c.space = 'id' OFFSET 0) AS c
         JOIN (SELECT i.id, i.id AS holder FROM identity.identities AS i WHERE i.realm = $1) AS h ON h.id = c.key::uuid
         WHERE true 
         UNION ALL
         SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, NULL, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is a verified address of a staged user of site ', h.site)
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
         SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, NULL, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' was a login name of a user of site ', h.site, ' until ', h.until::date)
         FROM claim AS c
         JOIN (SELECT f.key, f.identity_id, t.name AS site, f.until, f.verified
               FROM identity_internal.former_names AS f
               JOIN identity.sites AS t USING (realm, site_id)
               WHERE f.realm = $1) AS h ON h.key = c.key
         WHERE c.space = 'identifier'
           AND NOT EXISTS (SELECT FROM identity.identifiers AS i WHERE i.realm = $1 AND i.key = c.key)
           AND (h.verified OR NOT c.proved)
           AND (c.target IS NULL OR h.identity_id IS DISTINCT FROM c.target)
==== conflicts
SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, h.kind AS holder_kind, h.holder AS existing, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity') AS message
         FROM claim AS c
         JOIN (SELECT h.key, h.kind, h.identity_id AS holder FROM identity.identifiers AS h WHERE h.realm = $1) AS h ON h.key = c.key
         WHERE c.space = 'identifier' AND c.target IS DISTINCT FROM h.holder
         UNION ALL
         SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.holder, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is held by an existing identity')
         FROM claim AS c
         JOIN (SELECT a.role, a.via, a.key, a.identity_id AS holder FROM identity.addresses AS a WHERE a.realm = $1) AS h
           ON h.role = c.role AND h.via = c.via AND h.key = c.key
         WHERE c.space = 'address' AND c.target IS DISTINCT FROM h.holder
         UNION ALL
         SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.holder, c.path, 'an existing identity has this external_id'
         FROM claim AS c
         JOIN (SELECT i.external_id AS key, i.id AS holder FROM identity.identities AS i
               WHERE i.realm = $1 AND i.external_id IS NOT NULL) AS h ON h.key = c.key
         WHERE c.space = 'external_id' AND c.target IS DISTINCT FROM h.holder
         UNION ALL
         SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, h.holder, c.path, 'an existing identity has this id'
         FROM (SELECT c.* FROM claim AS c WHERE c.space = 'id' OFFSET 0) AS c
         JOIN (SELECT i.id, i.id AS holder FROM identity.identities AS i WHERE i.realm = $1) AS h ON h.id = c.key::uuid
         WHERE true AND c.target IS DISTINCT FROM h.holder
         UNION ALL
         SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, NULL, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is a verified address of a staged user of site ', h.site)
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
         SELECT c.rn, c.ord, c.space, c.role, c.via, c.key, c.kind, c.value, NULL, NULL, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' was a login name of a user of site ', h.site, ' until ', h.until::date)
         FROM claim AS c
         JOIN (SELECT f.key, f.identity_id, t.name AS site, f.until, f.verified
               FROM identity_internal.former_names AS f
               JOIN identity.sites AS t USING (realm, site_id)
               WHERE f.realm = $1) AS h ON h.key = c.key
         WHERE c.space = 'identifier'
           AND NOT EXISTS (SELECT FROM identity.identifiers AS i WHERE i.realm = $1 AND i.key = c.key)
           AND (h.verified OR NOT c.proved)
           AND (c.target IS NULL OR h.identity_id IS DISTINCT FROM c.target)
==== problems
WITH held AS MATERIALIZED (
           SELECT p.* FROM conflict AS p WHERE NOT EXISTS (SELECT FROM freed AS f WHERE f.rn = p.rn AND f.ord = p.ord)),
         lost AS MATERIALIZED (
           SELECT l.rn, l.ord, l.winner, c.kind, c.value, c.path, concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' was taken by row ', l.winner) AS message
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
           OR NOT EXISTS (SELECT FROM held AS p WHERE p.rn = r.rn) AND NOT EXISTS (SELECT FROM lost AS l WHERE l.rn = r.rn)
==== problems
SELECT i.rn, -4 AS ord, $3::text AS status, c.kind, c.value, NULL::uuid AS existing, NULL::int8 AS winner, COALESCE(c.path, i.path) AS path,
           $4::text AS sqlstate,
           CASE WHEN c.rn IS NULL THEN $5 ELSE concat('the ', CASE WHEN c.kind IN ('oidc', 'saml') THEN c.kind || ' subject' WHEN c.kind IN ('password', 'webauthn', 'code', 'deviceauthn')
         THEN c.kind || ' identifier' ELSE replace(c.kind, '_', ' ') END, ' is taken; by whom cannot be seen from this transaction') END AS message
         FROM item AS i
         LEFT JOIN LATERAL (
           SELECT c.* FROM claim AS c
           WHERE c.rn = i.rn AND position(concat('=(', concat_ws(', ', $1, c.role, c.via, c.key), ')') IN $6) > 0
           ORDER BY c.ord LIMIT 1) AS c ON true
         WHERE i.rn = $2
==== report
SELECT $2::uuid, r.rn, r.patch_id, r.status, r.id, r.kind, r.value, r.existing, r.winner, r.path, r.sqlstate, r.message, r.warning
         FROM (
SELECT p.rn, p.ord, p.status, i.target AS id, p.kind, p.value, p.existing, p.winner, p.path, p.sqlstate, p.message, NULL::text AS warning, i.patch_id
FROM problem AS p LEFT JOIN item AS i ON i.rn = p.rn) AS r ORDER BY r.rn, r.ord, r.kind COLLATE "default", r.value COLLATE "default"
==== report
SELECT $2::uuid, r.rn, r.patch_id, r.status, r.id, r.kind, r.value, r.existing, r.winner, r.path, r.sqlstate, r.message, r.warning
         FROM (
SELECT p.rn, p.ord, p.status, i.target AS id, p.kind, p.value, p.existing, p.winner, p.path, p.sqlstate, p.message, NULL::text AS warning, i.patch_id
FROM problem AS p LEFT JOIN item AS i ON i.rn = p.rn UNION ALL
             SELECT i.rn, 0, CASE WHEN i.target IS NULL THEN 'inserted' ELSE 'updated' END, COALESCE(i.target, i.id), NULL, NULL, NULL, NULL,
               NULL, NULL, NULL, w.warning, i.patch_id
             FROM fine AS i
             JOIN (SELECT w.rn, string_agg(w.warning, '; ' ORDER BY w.place) AS warning FROM warning AS w GROUP BY w.rn) AS w ON w.rn = i.rn) AS r ORDER BY r.rn, r.ord, r.kind COLLATE "default", r.value COLLATE "default"
==== report
SELECT $2::uuid, r.rn, r.patch_id, r.status, r.id, r.kind, r.value, r.existing, r.winner, r.path, r.sqlstate, r.message, r.warning
         FROM (
SELECT p.rn, p.ord, p.status, i.target AS id, p.kind, p.value, p.existing, p.winner, p.path, p.sqlstate, p.message, NULL::text AS warning, i.patch_id
FROM problem AS p LEFT JOIN item AS i ON i.rn = p.rn UNION ALL
             SELECT i.rn, 0, CASE WHEN i.target IS NULL THEN 'inserted' ELSE 'updated' END, COALESCE(i.target, i.id), NULL, NULL, NULL, NULL,
               NULL, NULL, NULL, w.warning, i.patch_id
             FROM fine AS i
             LEFT JOIN (SELECT w.rn, string_agg(w.warning, '; ' ORDER BY w.place) AS warning FROM warning AS w GROUP BY w.rn) AS w ON w.rn = i.rn) AS r ORDER BY r.rn, r.ord, r.kind COLLATE "default", r.value COLLATE "default"
