==== decide in bulk
SELECT i.rn, i.realm, i.site_id, i.original_id, i.username, i.username_key, i.email, i.email_key, i.email_verified, i.phone, i.phone_key,
           i.phone_verified, i.password_hash, i.registered_at, i.last_login_at, i.display_name, i.active, i.traits, r.rule, i.rule_field, i.first,
           CASE WHEN i.first < i.rn THEN 'duplicate'
                WHEN s.state IS NULL THEN CASE WHEN r.rule IS NULL THEN 'staged' ELSE 'quarantined' END
                WHEN s.state IN ('promoted', 'linked') THEN s.state
                WHEN r.rule IS NOT NULL THEN 'quarantined'
                WHEN d.differs THEN 'updated' ELSE 'unchanged' END AS status,
           CASE WHEN i.first < i.rn THEN NULL
                WHEN s.state IS NULL THEN 'insert'
                WHEN s.state NOT IN ('promoted', 'linked') AND d.differs THEN 'update' END AS todo,
           array_remove(ARRAY[
             CASE WHEN i.username IS DISTINCT FROM s.username COLLATE "C" THEN 'username' END,
             CASE WHEN i.email IS DISTINCT FROM s.email COLLATE "C" THEN 'email' END,
             CASE WHEN i.phone IS DISTINCT FROM s.phone COLLATE "C" THEN 'phone' END], NULL) AS changed
         FROM (
           SELECT g.rn, $1 AS realm, $2 AS site_id, g.original_id, g.username, g.username_key, g.email, g.email_key, g.email_verified, g.phone,
             g.phone_key, g.phone_verified, g.password_hash, g.registered_at::timestamptz, g.last_login_at::timestamptz, g.display_name, g.active,
             g.traits, g.rule, g.rule_field, min(g.rn) OVER (PARTITION BY g.original_id) AS first
           FROM given AS g) AS i
         LEFT JOIN identity.staged_identities AS s ON i.first = i.rn AND "s".realm = $1 AND "s".site_id = $2 AND "s".original_id = i.original_id
         CROSS JOIN LATERAL (SELECT CASE WHEN s.released THEN NULL ELSE i.rule END AS rule) AS r
         CROSS JOIN LATERAL (
           SELECT (s."username" COLLATE "C", s."email" COLLATE "C", s."phone" COLLATE "C", s."password_hash" COLLATE "C", s."display_name" COLLATE "C", s.email_verified, s.phone_verified, s.registered_at, s.last_login_at, s.active, s.traits, s.rule)
                  IS DISTINCT FROM
                  (i.username, i.email, i.phone, i.password_hash, i.display_name, i.email_verified, i.phone_verified, i.registered_at, i.last_login_at,
                   i.active, i.traits, r.rule) AS differs) AS d
         ORDER BY i.rn
==== decide in bulk
WITH locked AS MATERIALIZED (
           SELECT i.rn, s.state FROM identity.staged_identities AS s JOIN item AS i ON "s".realm = $1 AND "s".site_id = $2 AND "s".original_id = i.original_id
           WHERE i.todo = 'update' FOR UPDATE OF s)
         SELECT l.rn, l.state FROM locked AS l WHERE l.state IN ('promoted', 'linked')
==== write in bulk
INSERT INTO identity.staged_identities (realm, site_id, original_id, state, rule, username, email, email_verified, phone,
               phone_verified, password_hash, registered_at, last_login_at, display_name, active, traits)
             SELECT i.realm, i.site_id, i.original_id, i.status, i.rule, i.username, i.email, i.email_verified, i.phone, i.phone_verified,
               i.password_hash, i.registered_at, i.last_login_at, i.display_name, i.active, i.traits
             FROM item AS i WHERE i.todo = 'insert'
==== write in bulk
DELETE FROM identity.staged_identifiers AS n USING item AS i
             WHERE i.todo = 'update' AND "n".realm = $1 AND "n".site_id = $2 AND "n".original_id = i.original_id AND n.kind = ANY (i.changed)
==== write in bulk
UPDATE identity.notices AS o SET state = 'skipped', changed_at = now()
             FROM item AS i
             WHERE i.todo = 'update' AND 'username' = ANY (i.changed) AND o.state <> ALL ('{sent,bounced,skipped,acknowledged}') AND "o".realm = $1 AND "o".site_id = $2 AND "o".original_id = i.original_id
==== write in bulk
UPDATE identity.staged_identities AS s
             SET state = CASE WHEN i.rule IS NULL THEN 'staged' ELSE 'quarantined' END, rule = i.rule, username = i.username, email = i.email,
               email_verified = i.email_verified, phone = i.phone, phone_verified = i.phone_verified, password_hash = i.password_hash,
               registered_at = i.registered_at, last_login_at = i.last_login_at, display_name = i.display_name, active = i.active,
               traits = i.traits, changed_at = clock_timestamp()
             FROM item AS i
             WHERE i.todo = 'update' AND "s".realm = $1 AND "s".site_id = $2 AND "s".original_id = i.original_id
==== write in bulk
INSERT INTO identity.staged_identifiers (realm, site_id, original_id, kind, value, key)
             SELECT i.realm, i.site_id, i.original_id, n.kind, n.value, n.key FROM item AS i
             CROSS JOIN LATERAL (VALUES ('username', i.username, i.username_key), ('email', i.email, i.email_key), ('phone', i.phone, i.phone_key))
               AS n (kind, value, key)
             WHERE i.todo IS NOT NULL AND n.value IS NOT NULL
             ON CONFLICT DO NOTHING
==== decide by index
SELECT i.rn, i.realm, i.site_id, i.original_id, i.username, i.username_key, i.email, i.email_key, i.email_verified, i.phone, i.phone_key,
           i.phone_verified, i.password_hash, i.registered_at, i.last_login_at, i.display_name, i.active, i.traits, r.rule, i.rule_field, i.first,
           CASE WHEN i.first < i.rn THEN 'duplicate'
                WHEN s.state IS NULL THEN CASE WHEN r.rule IS NULL THEN 'staged' ELSE 'quarantined' END
                WHEN s.state IN ('promoted', 'linked') THEN s.state
                WHEN r.rule IS NOT NULL THEN 'quarantined'
                WHEN d.differs THEN 'updated' ELSE 'unchanged' END AS status,
           CASE WHEN i.first < i.rn THEN NULL
                WHEN s.state IS NULL THEN 'insert'
                WHEN s.state NOT IN ('promoted', 'linked') AND d.differs THEN 'update' END AS todo,
           array_remove(ARRAY[
             CASE WHEN i.username IS DISTINCT FROM s.username COLLATE "C" THEN 'username' END,
             CASE WHEN i.email IS DISTINCT FROM s.email COLLATE "C" THEN 'email' END,
             CASE WHEN i.phone IS DISTINCT FROM s.phone COLLATE "C" THEN 'phone' END], NULL) AS changed
         FROM (
           SELECT g.rn, $1 AS realm, $2 AS site_id, g.original_id, g.username, g.username_key, g.email, g.email_key, g.email_verified, g.phone,
             g.phone_key, g.phone_verified, g.password_hash, g.registered_at::timestamptz, g.last_login_at::timestamptz, g.display_name, g.active,
             g.traits, g.rule, g.rule_field, min(g.rn) OVER (PARTITION BY g.original_id) AS first
           FROM given AS g) AS i
         LEFT JOIN identity.staged_identities AS s ON i.first = i.rn AND "s".realm = i.realm AND "s".site_id = i.site_id AND "s".original_id = i.original_id
         CROSS JOIN LATERAL (SELECT CASE WHEN s.released THEN NULL ELSE i.rule END AS rule) AS r
         CROSS JOIN LATERAL (
           SELECT (s."username" COLLATE "C", s."email" COLLATE "C", s."phone" COLLATE "C", s."password_hash" COLLATE "C", s."display_name" COLLATE "C", s.email_verified, s.phone_verified, s.registered_at, s.last_login_at, s.active, s.traits, s.rule)
                  IS DISTINCT FROM
                  (i.username, i.email, i.phone, i.password_hash, i.display_name, i.email_verified, i.phone_verified, i.registered_at, i.last_login_at,
                   i.active, i.traits, r.rule) AS differs) AS d
         ORDER BY i.rn
==== decide by index
WITH locked AS MATERIALIZED (
           SELECT i.rn, s.state FROM identity.staged_identities AS s JOIN item AS i ON "s".realm = i.realm AND "s".site_id = i.site_id AND "s".original_id = i.original_id
           WHERE i.todo = 'update' FOR UPDATE OF s)
         SELECT l.rn, l.state FROM locked AS l WHERE l.state IN ('promoted', 'linked')
==== write by index
INSERT INTO identity.staged_identities (realm, site_id, original_id, state, rule, username, email, email_verified, phone,
               phone_verified, password_hash, registered_at, last_login_at, display_name, active, traits)
             SELECT i.realm, i.site_id, i.original_id, i.status, i.rule, i.username, i.email, i.email_verified, i.phone, i.phone_verified,
               i.password_hash, i.registered_at, i.last_login_at, i.display_name, i.active, i.traits
             FROM item AS i WHERE i.todo = 'insert'
==== write by index
DELETE FROM identity.staged_identifiers AS n USING item AS i
             WHERE i.todo = 'update' AND "n".realm = i.realm AND "n".site_id = i.site_id AND "n".original_id = i.original_id AND n.kind = ANY (i.changed)
==== write by index
UPDATE identity.notices AS o SET state = 'skipped', changed_at = now()
             FROM item AS i
             WHERE i.todo = 'update' AND 'username' = ANY (i.changed) AND o.state <> ALL ('{sent,bounced,skipped,acknowledged}') AND "o".realm = i.realm AND "o".site_id = i.site_id AND "o".original_id = i.original_id
==== write by index
UPDATE identity.staged_identities AS s
             SET state = CASE WHEN i.rule IS NULL THEN 'staged' ELSE 'quarantined' END, rule = i.rule, username = i.username, email = i.email,
               email_verified = i.email_verified, phone = i.phone, phone_verified = i.phone_verified, password_hash = i.password_hash,
               registered_at = i.registered_at, last_login_at = i.last_login_at, display_name = i.display_name, active = i.active,
               traits = i.traits, changed_at = clock_timestamp()
             FROM item AS i
             WHERE i.todo = 'update' AND "s".realm = i.realm AND "s".site_id = i.site_id AND "s".original_id = i.original_id
==== write by index
INSERT INTO identity.staged_identifiers (realm, site_id, original_id, kind, value, key)
             SELECT i.realm, i.site_id, i.original_id, n.kind, n.value, n.key FROM item AS i
             CROSS JOIN LATERAL (VALUES ('username', i.username, i.username_key), ('email', i.email, i.email_key), ('phone', i.phone, i.phone_key))
               AS n (kind, value, key)
             WHERE i.todo IS NOT NULL AND n.value IS NOT NULL
             ON CONFLICT DO NOTHING
==== report
SELECT COALESCE(i.rn, f.rn), COALESCE(i.original_id, f.original_id)::text, COALESCE(i.status, 'invalid'),
           COALESCE(f.field, CASE i.status WHEN 'quarantined' THEN i.rule_field WHEN 'duplicate' THEN 'original_id' END),
           CASE WHEN f.rn IS NOT NULL THEN f.reason || CASE WHEN i.rn IS NOT NULL THEN ': left out' ELSE '' END
                WHEN i.status = 'quarantined' THEN i.rule
                WHEN i.status = 'duplicate' THEN concat('row ', i.first, ' of the source has it') END,
           COALESCE(f.sqlstate, CASE i.status WHEN 'duplicate' THEN '23505' END)
         FROM item AS i FULL JOIN fault AS f ON f.rn = i.rn
         WHERE true ORDER BY 1, 4
==== report
SELECT COALESCE(i.rn, f.rn), COALESCE(i.original_id, f.original_id)::text, COALESCE(i.status, 'invalid'),
           COALESCE(f.field, CASE i.status WHEN 'quarantined' THEN i.rule_field WHEN 'duplicate' THEN 'original_id' END),
           CASE WHEN f.rn IS NOT NULL THEN f.reason || CASE WHEN i.rn IS NOT NULL THEN ': left out' ELSE '' END
                WHEN i.status = 'quarantined' THEN i.rule
                WHEN i.status = 'duplicate' THEN concat('row ', i.first, ' of the source has it') END,
           COALESCE(f.sqlstate, CASE i.status WHEN 'duplicate' THEN '23505' END)
         FROM item AS i FULL JOIN fault AS f ON f.rn = i.rn
         WHERE i.status IN ('quarantined', 'duplicate') OR f.rn IS NOT NULL ORDER BY 1, 4
