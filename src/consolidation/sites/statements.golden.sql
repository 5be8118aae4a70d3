==== load
CREATE TEMPORARY TABLE pg_temp.pg_identity_item (
  rn int8, realm text COLLATE "C", site_id int4, original_id text COLLATE "C", username text, username_key text, email text, email_key text, email_verified bool,
  phone text, phone_key text, phone_verified bool, password_hash text, registered_at timestamptz, last_login_at timestamptz,
  display_name text, active bool, traits jsonb, rule text, rule_field text, status text, todo text, changed text[]) ON COMMIT DROP;
CREATE TEMPORARY TABLE pg_temp.pg_identity_fault (rn int8, original_id text, field text, reason text, sqlstate text) ON COMMIT DROP
==== load
INSERT INTO pg_temp.pg_identity_item (realm, site_id, rn, original_id, username, username_key, email, email_key, email_verified, phone,
  phone_key, phone_verified, password_hash, registered_at, last_login_at, display_name, active, traits, rule, rule_field)
SELECT $1, $2, b.rn, b.original_id, b.username, b.username_key, b.email, b.email_key, b.email_verified, b.phone, b.phone_key,
  b.phone_verified, b.password_hash, b.registered_at::timestamptz, b.last_login_at::timestamptz, b.display_name, b.active,
  b.traits::jsonb, b.rule, b.rule_field
FROM ROWS FROM (unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8), unnest($9), unnest($10), unnest($11),
  unnest($12), unnest($13), unnest($14), unnest($15), unnest($16), unnest($17), unnest($18), unnest($19), unnest($20))
  AS b (rn, original_id, username, username_key, email, email_key, email_verified, phone, phone_key, phone_verified,
        password_hash, registered_at, last_login_at, display_name, active, traits, rule, rule_field)
==== load
INSERT INTO pg_temp.pg_identity_fault (rn, original_id, field, reason, sqlstate)
SELECT b.* FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5)) AS b
==== load
CREATE INDEX ON pg_temp.pg_identity_item (original_id);
CREATE INDEX ON pg_temp.pg_identity_item (rn)
==== load
ANALYZE pg_temp.pg_identity_item (rn, original_id)
==== load
SELECT GREATEST(c.reltuples::int8, pg_relation_size(c.oid) / 300) FROM pg_class AS c WHERE c.oid = 'identity.staged_identities'::regclass
==== decide in bulk
UPDATE pg_temp.pg_identity_item AS i SET status = 'duplicate'
             FROM (SELECT d.original_id, min(d.rn) AS first FROM pg_temp.pg_identity_item AS d GROUP BY d.original_id HAVING count(*) > 1) AS d
             WHERE d.original_id = i.original_id AND d.first < i.rn
==== decide in bulk
UPDATE pg_temp.pg_identity_item AS i SET rule = NULL
             FROM identity.staged_identities AS s
             WHERE i.rule IS NOT NULL AND i.status IS NULL AND "s".realm = $1 AND "s".site_id = $2 AND "s".original_id = i.original_id AND s.released
==== decide in bulk
UPDATE pg_temp.pg_identity_item AS i
             SET status = CASE WHEN s.state IN ('promoted', 'linked') THEN s.state WHEN i.rule IS NOT NULL THEN 'quarantined'
                               WHEN (s.username, s.email, s.email_verified, s.phone, s.phone_verified, s.password_hash, s.registered_at, s.last_login_at,
          s.display_name, s.active, s.traits, s.rule)
         IS DISTINCT FROM
         (i.username, i.email, i.email_verified, i.phone, i.phone_verified, i.password_hash, i.registered_at, i.last_login_at,
          i.display_name, i.active, i.traits, i.rule) THEN 'updated' ELSE 'unchanged' END,
                 todo = CASE WHEN s.state NOT IN ('promoted', 'linked') AND (s.username, s.email, s.email_verified, s.phone, s.phone_verified, s.password_hash, s.registered_at, s.last_login_at,
          s.display_name, s.active, s.traits, s.rule)
         IS DISTINCT FROM
         (i.username, i.email, i.email_verified, i.phone, i.phone_verified, i.password_hash, i.registered_at, i.last_login_at,
          i.display_name, i.active, i.traits, i.rule) THEN 'update' END,
                 changed = array_remove(ARRAY[CASE WHEN i.username IS DISTINCT FROM s.username THEN 'username' END,
                   CASE WHEN i.email IS DISTINCT FROM s.email THEN 'email' END, CASE WHEN i.phone IS DISTINCT FROM s.phone THEN 'phone' END], NULL)
             FROM identity.staged_identities AS s
             WHERE i.status IS NULL AND "s".realm = $1 AND "s".site_id = $2 AND "s".original_id = i.original_id
==== decide in bulk
UPDATE pg_temp.pg_identity_item AS i
             SET status = CASE WHEN i.rule IS NULL THEN 'staged' ELSE 'quarantined' END, todo = 'insert' WHERE i.status IS NULL
==== decide in bulk
WITH locked AS MATERIALIZED (
               SELECT i.rn, s.state FROM identity.staged_identities AS s JOIN pg_temp.pg_identity_item AS i ON "s".realm = $1 AND "s".site_id = $2 AND "s".original_id = i.original_id
               WHERE i.todo = 'update' FOR UPDATE OF s)
             UPDATE pg_temp.pg_identity_item AS i SET status = l.state, todo = NULL
             FROM locked AS l WHERE l.rn = i.rn AND l.state IN ('promoted', 'linked')
==== write in bulk
INSERT INTO identity.staged_identities (realm, site_id, original_id, state, rule, username, email, email_verified, phone,
               phone_verified, password_hash, registered_at, last_login_at, display_name, active, traits)
             SELECT i.realm, i.site_id, i.original_id, i.status, i.rule, i.username, i.email, i.email_verified, i.phone, i.phone_verified,
               i.password_hash, i.registered_at, i.last_login_at, i.display_name, i.active, i.traits
             FROM pg_temp.pg_identity_item AS i WHERE i.todo = 'insert'
==== write in bulk
DELETE FROM identity.staged_identifiers AS n USING pg_temp.pg_identity_item AS i
             WHERE i.todo = 'update' AND "n".realm = $1 AND "n".site_id = $2 AND "n".original_id = i.original_id AND n.kind = ANY (i.changed)
==== write in bulk
UPDATE identity.notices AS o SET state = 'skipped', changed_at = now()
             FROM pg_temp.pg_identity_item AS i
             WHERE i.todo = 'update' AND 'username' = ANY (i.changed) AND o.state <> ALL ('{sent,bounced,skipped,acknowledged}') AND "o".realm = $1 AND "o".site_id = $2 AND "o".original_id = i.original_id
==== write in bulk
UPDATE identity.staged_identities AS s
             SET state = CASE WHEN i.rule IS NULL THEN 'staged' ELSE 'quarantined' END, rule = i.rule, username = i.username, email = i.email,
               email_verified = i.email_verified, phone = i.phone, phone_verified = i.phone_verified, password_hash = i.password_hash,
               registered_at = i.registered_at, last_login_at = i.last_login_at, display_name = i.display_name, active = i.active,
               traits = i.traits, changed_at = clock_timestamp()
             FROM pg_temp.pg_identity_item AS i
             WHERE i.todo = 'update' AND "s".realm = $1 AND "s".site_id = $2 AND "s".original_id = i.original_id
==== write in bulk
INSERT INTO identity.staged_identifiers (realm, site_id, original_id, kind, value, key)
             SELECT i.realm, i.site_id, i.original_id, n.kind, n.value, n.key FROM pg_temp.pg_identity_item AS i
             CROSS JOIN LATERAL (VALUES ('username', i.username, i.username_key), ('email', i.email, i.email_key), ('phone', i.phone, i.phone_key))
               AS n (kind, value, key)
             WHERE i.todo IS NOT NULL AND n.value IS NOT NULL
             ON CONFLICT DO NOTHING
==== decide by index
UPDATE pg_temp.pg_identity_item AS i SET status = 'duplicate'
             FROM (SELECT d.original_id, min(d.rn) AS first FROM pg_temp.pg_identity_item AS d GROUP BY d.original_id HAVING count(*) > 1) AS d
             WHERE d.original_id = i.original_id AND d.first < i.rn
==== decide by index
UPDATE pg_temp.pg_identity_item AS i SET rule = NULL
             FROM identity.staged_identities AS s
             WHERE i.rule IS NOT NULL AND i.status IS NULL AND "s".realm = i.realm AND "s".site_id = i.site_id AND "s".original_id = i.original_id AND s.released
==== decide by index
UPDATE pg_temp.pg_identity_item AS i
             SET status = CASE WHEN s.state IN ('promoted', 'linked') THEN s.state WHEN i.rule IS NOT NULL THEN 'quarantined'
                               WHEN (s.username, s.email, s.email_verified, s.phone, s.phone_verified, s.password_hash, s.registered_at, s.last_login_at,
          s.display_name, s.active, s.traits, s.rule)
         IS DISTINCT FROM
         (i.username, i.email, i.email_verified, i.phone, i.phone_verified, i.password_hash, i.registered_at, i.last_login_at,
          i.display_name, i.active, i.traits, i.rule) THEN 'updated' ELSE 'unchanged' END,
                 todo = CASE WHEN s.state NOT IN ('promoted', 'linked') AND (s.username, s.email, s.email_verified, s.phone, s.phone_verified, s.password_hash, s.registered_at, s.last_login_at,
          s.display_name, s.active, s.traits, s.rule)
         IS DISTINCT FROM
         (i.username, i.email, i.email_verified, i.phone, i.phone_verified, i.password_hash, i.registered_at, i.last_login_at,
          i.display_name, i.active, i.traits, i.rule) THEN 'update' END,
                 changed = array_remove(ARRAY[CASE WHEN i.username IS DISTINCT FROM s.username THEN 'username' END,
                   CASE WHEN i.email IS DISTINCT FROM s.email THEN 'email' END, CASE WHEN i.phone IS DISTINCT FROM s.phone THEN 'phone' END], NULL)
             FROM identity.staged_identities AS s
             WHERE i.status IS NULL AND "s".realm = i.realm AND "s".site_id = i.site_id AND "s".original_id = i.original_id
==== decide by index
UPDATE pg_temp.pg_identity_item AS i
             SET status = CASE WHEN i.rule IS NULL THEN 'staged' ELSE 'quarantined' END, todo = 'insert' WHERE i.status IS NULL
==== decide by index
WITH locked AS MATERIALIZED (
               SELECT i.rn, s.state FROM identity.staged_identities AS s JOIN pg_temp.pg_identity_item AS i ON "s".realm = i.realm AND "s".site_id = i.site_id AND "s".original_id = i.original_id
               WHERE i.todo = 'update' FOR UPDATE OF s)
             UPDATE pg_temp.pg_identity_item AS i SET status = l.state, todo = NULL
             FROM locked AS l WHERE l.rn = i.rn AND l.state IN ('promoted', 'linked')
==== write by index
INSERT INTO identity.staged_identities (realm, site_id, original_id, state, rule, username, email, email_verified, phone,
               phone_verified, password_hash, registered_at, last_login_at, display_name, active, traits)
             SELECT i.realm, i.site_id, i.original_id, i.status, i.rule, i.username, i.email, i.email_verified, i.phone, i.phone_verified,
               i.password_hash, i.registered_at, i.last_login_at, i.display_name, i.active, i.traits
             FROM pg_temp.pg_identity_item AS i WHERE i.todo = 'insert'
==== write by index
DELETE FROM identity.staged_identifiers AS n USING pg_temp.pg_identity_item AS i
             WHERE i.todo = 'update' AND "n".realm = i.realm AND "n".site_id = i.site_id AND "n".original_id = i.original_id AND n.kind = ANY (i.changed)
==== write by index
UPDATE identity.notices AS o SET state = 'skipped', changed_at = now()
             FROM pg_temp.pg_identity_item AS i
             WHERE i.todo = 'update' AND 'username' = ANY (i.changed) AND o.state <> ALL ('{sent,bounced,skipped,acknowledged}') AND "o".realm = i.realm AND "o".site_id = i.site_id AND "o".original_id = i.original_id
==== write by index
UPDATE identity.staged_identities AS s
             SET state = CASE WHEN i.rule IS NULL THEN 'staged' ELSE 'quarantined' END, rule = i.rule, username = i.username, email = i.email,
               email_verified = i.email_verified, phone = i.phone, phone_verified = i.phone_verified, password_hash = i.password_hash,
               registered_at = i.registered_at, last_login_at = i.last_login_at, display_name = i.display_name, active = i.active,
               traits = i.traits, changed_at = clock_timestamp()
             FROM pg_temp.pg_identity_item AS i
             WHERE i.todo = 'update' AND "s".realm = i.realm AND "s".site_id = i.site_id AND "s".original_id = i.original_id
==== write by index
INSERT INTO identity.staged_identifiers (realm, site_id, original_id, kind, value, key)
             SELECT i.realm, i.site_id, i.original_id, n.kind, n.value, n.key FROM pg_temp.pg_identity_item AS i
             CROSS JOIN LATERAL (VALUES ('username', i.username, i.username_key), ('email', i.email, i.email_key), ('phone', i.phone, i.phone_key))
               AS n (kind, value, key)
             WHERE i.todo IS NOT NULL AND n.value IS NOT NULL
             ON CONFLICT DO NOTHING
==== report
SELECT COALESCE(i.rn, f.rn), COALESCE(i.original_id, f.original_id)::text, COALESCE(i.status, 'invalid'),
           COALESCE(f.field, CASE i.status WHEN 'quarantined' THEN i.rule_field WHEN 'duplicate' THEN 'original_id' END),
           CASE WHEN f.rn IS NOT NULL THEN f.reason || CASE WHEN i.rn IS NOT NULL THEN ': left out' ELSE '' END
                WHEN i.status = 'quarantined' THEN i.rule
                WHEN i.status = 'duplicate' THEN concat('row ', d.first, ' of the source has it') END,
           COALESCE(f.sqlstate, CASE i.status WHEN 'duplicate' THEN '23505' END)
         FROM pg_temp.pg_identity_item AS i FULL JOIN pg_temp.pg_identity_fault AS f ON f.rn = i.rn
         LEFT JOIN (SELECT d.original_id, min(d.rn) AS first FROM pg_temp.pg_identity_item AS d GROUP BY d.original_id) AS d
           ON i.status = 'duplicate' AND d.original_id = i.original_id
         WHERE true ORDER BY 1, 4
==== report
SELECT COALESCE(i.rn, f.rn), COALESCE(i.original_id, f.original_id)::text, COALESCE(i.status, 'invalid'),
           COALESCE(f.field, CASE i.status WHEN 'quarantined' THEN i.rule_field WHEN 'duplicate' THEN 'original_id' END),
           CASE WHEN f.rn IS NOT NULL THEN f.reason || CASE WHEN i.rn IS NOT NULL THEN ': left out' ELSE '' END
                WHEN i.status = 'quarantined' THEN i.rule
                WHEN i.status = 'duplicate' THEN concat('row ', d.first, ' of the source has it') END,
           COALESCE(f.sqlstate, CASE i.status WHEN 'duplicate' THEN '23505' END)
         FROM pg_temp.pg_identity_item AS i FULL JOIN pg_temp.pg_identity_fault AS f ON f.rn = i.rn
         LEFT JOIN (SELECT d.original_id, min(d.rn) AS first FROM pg_temp.pg_identity_item AS d GROUP BY d.original_id) AS d
           ON i.status = 'duplicate' AND d.original_id = i.original_id
         WHERE i.status IN ('quarantined', 'duplicate') OR f.rn IS NOT NULL ORDER BY 1, 4
==== report
DROP TABLE "pg_temp"."pg_identity_item", "pg_temp"."pg_identity_fault"
==== count
SELECT COALESCE(jsonb_object_agg(c.status, c.rows), '{}') FROM (
  SELECT i.status, count(*) AS rows FROM pg_temp.pg_identity_item AS i GROUP BY i.status
  UNION ALL
  SELECT 'invalid', count(DISTINCT f.rn) FROM pg_temp.pg_identity_fault AS f
  WHERE NOT EXISTS (SELECT FROM pg_temp.pg_identity_item AS i WHERE i.rn = f.rn) HAVING count(*) > 0) AS c
==== duplicates
CREATE TEMPORARY TABLE pg_temp.pg_identity_login ON COMMIT DROP AS
SELECT n.site_id, n.original_id, n.kind, n.value, n.key, s.username AS original,
  CASE n.kind WHEN 'email' THEN s.email_verified WHEN 'phone' THEN s.phone_verified ELSE false END AS verified FROM identity.staged_identifiers AS n
JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
WHERE n.realm = $1 AND n.logs_in AND s.state = 'staged';
ANALYZE pg_temp.pg_identity_login;
CREATE TEMPORARY TABLE pg_temp.pg_identity_repeated (key text COLLATE "C" PRIMARY KEY) ON COMMIT DROP;
INSERT INTO pg_temp.pg_identity_repeated (key)
SELECT l.key FROM pg_temp.pg_identity_login AS l GROUP BY l.key HAVING count(*) > 1
UNION
SELECT l.key FROM pg_temp.pg_identity_login AS l JOIN identity.identifiers AS i ON i.realm = $1 AND i.key = l.key;
ANALYZE pg_temp.pg_identity_repeated
==== duplicates
CREATE TEMPORARY TABLE pg_temp.pg_identity_grouped ON COMMIT DROP AS
SELECT m.*, first_value(m.holder) OVER w AS keeper, first_value(m.described) OVER w AS duplicate_of
FROM (
  SELECT NULL::int AS site_id, NULL AS site, NULL AS original_id, NULL::numeric AS row_order, i.kind, i.value, i.key, NULL AS original,
    NULL AS prefix, NULL::bool AS verified, i.identity_id::text AS holder,
    jsonb_build_object('identity_id', i.identity_id, 'kind', i.kind, 'login', i.value) AS described
  FROM identity.identifiers AS i JOIN pg_temp.pg_identity_repeated AS r ON r.key = i.key WHERE i.realm = $1
  UNION ALL
  SELECT l.site_id, t.name, l.original_id, CASE WHEN l.original_id ~ '^-?[0-9]{1,100}$' THEN l.original_id::numeric END, l.kind,
    l.value, l.key, l.original, t.prefix, l.verified, concat(l.site_id, ' ', l.original_id),
    jsonb_build_object('site', t.name, 'site_id', l.site_id, 'row_id', l.original_id, 'kind', l.kind, 'login', l.value)
  FROM pg_temp.pg_identity_login AS l JOIN pg_temp.pg_identity_repeated AS r ON r.key = l.key
  JOIN identity.sites AS t ON t.realm = $1 AND t.site_id = l.site_id) AS m
WINDOW w AS (
  PARTITION BY m.key ORDER BY m.site_id IS NOT NULL, m.kind = 'username', NOT m.verified, m.prefix IS NOT NULL, m.site_id, m.row_order, m.original_id)
==== duplicates
CREATE TEMPORARY TABLE pg_temp.pg_identity_pending ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY g.site_id, g.row_order, g.original_id) AS n, g.site_id, g.original_id, g.prefix,
  CASE WHEN strpos(g.key, '@') > 0 THEN replace(normalize(g.original, NFKC), '@', '.') ELSE g.original END AS login, NULL::text AS new_login, NULL::text AS new_key, NULL::int AS counter
FROM pg_temp.pg_identity_grouped AS g
WHERE g.holder <> g.keeper AND g.kind = 'username' AND g.prefix IS NOT NULL
==== duplicates
SELECT p.prefix, p.login FROM pg_temp.pg_identity_pending AS p ORDER BY p.n
==== duplicates
SELECT k.key::text FROM (
  SELECT DISTINCT identity.normalize_identifier('username', t.prefix) COLLATE "C" AS prefix
  FROM identity.sites AS t WHERE t.realm = $1 AND t.prefix IS NOT NULL) AS p
CROSS JOIN LATERAL (
  SELECT i.key FROM identity.identifiers AS i WHERE i.realm = $1 AND starts_with(i.key, p.prefix)
  UNION ALL
  SELECT n.key FROM identity.staged_identifiers AS n WHERE n.realm = $1 AND starts_with(n.key, p.prefix)
  UNION ALL
  SELECT f.old_key FROM identity.former_logins AS f WHERE f.realm = $1 AND starts_with(f.old_key, p.prefix)) AS k
==== duplicates
SELECT COALESCE(jsonb_agg(k.key), '[]') FROM unnest($2) AS k (key) WHERE
  EXISTS (SELECT FROM identity.identifiers AS i WHERE i.realm = $1 AND i.key = k.key)
  OR EXISTS (SELECT FROM identity.staged_identifiers AS n WHERE n.realm = $1 AND n.key = k.key)
  OR EXISTS (SELECT FROM identity.former_logins AS f WHERE f.realm = $1 AND f.old_key = k.key)
==== duplicates
UPDATE pg_temp.pg_identity_pending AS p SET new_login = a.login, new_key = a.key, counter = a.counter
FROM ROWS FROM (unnest($1), unnest($2), unnest($3)) WITH ORDINALITY AS a (login, key, counter, n) WHERE a.n = p.n
==== duplicates
INSERT INTO identity.site_dedup_runs (realm, run_id, run_by, renamed, withdrawn, proposed) VALUES ($1, $2::uuid, $3, 0, 0, 0)
==== apply
INSERT INTO identity.former_logins (realm, run_id, site_id, original_id, kind, old_value, old_key, new_value, new_key, duplicate_of)
     SELECT $1, $2::uuid, g.site_id, g.original_id, g.kind, g.value, g.key, p.new_login, p.new_key, g.duplicate_of
     FROM pg_temp.pg_identity_grouped AS g
     LEFT JOIN pg_temp.pg_identity_pending AS p ON p.site_id = g.site_id AND p.original_id = g.original_id AND g.kind = 'username'
     WHERE g.holder <> g.keeper AND (g.kind <> 'username' OR p.n IS NOT NULL)
==== apply
UPDATE identity.staged_identifiers AS n
     SET value = COALESCE(f.new_value, n.value), key = COALESCE(f.new_key, n.key), logs_in = f.new_value IS NOT NULL
     FROM identity.former_logins AS f
     WHERE f.realm = $1 AND f.run_id = $2::uuid AND n.realm = $1 AND n.site_id = f.site_id AND n.original_id = f.original_id
       AND n.kind = f.kind
==== apply
INSERT INTO identity.notices (realm, site_id, original_id, run_id, channel, address, old_login, new_login, state)
     SELECT $1, f.site_id, f.original_id, f.run_id, a.kind, a.value, f.old_value, f.new_value, CASE WHEN a.kind IS NULL THEN 'skipped' ELSE 'pending' END
     FROM identity.former_logins AS f
     LEFT JOIN LATERAL (
       SELECT n.kind, n.value FROM identity.staged_identifiers AS n
       WHERE n.realm = $1 AND n.site_id = f.site_id AND n.original_id = f.original_id AND n.kind <> 'username'
       ORDER BY n.kind LIMIT 1) AS a ON true
     WHERE f.realm = $1 AND f.run_id = $2::uuid AND f.kind = 'username'
     ORDER BY f.site_id, f.original_id
==== apply
INSERT INTO identity.link_proposals (realm, site_id, original_id, identity_id, kind, address)
     SELECT DISTINCT ON (s.site_id, s.original_id, a.identity_id) $1, s.site_id, s.original_id, a.identity_id, n.kind, n.value
     FROM identity.staged_identities AS s
     JOIN identity.staged_identifiers AS n USING (realm, site_id, original_id)
     JOIN identity.addresses AS a ON a.realm = $1 AND a.role = 'verifiable' AND a.via = CASE n.kind WHEN 'email' THEN 'email' ELSE 'sms' END AND a.key = n.key AND a.verified
     WHERE s.realm = $1 AND s.state = 'staged' AND (n.kind = 'email' AND s.email_verified OR n.kind = 'phone' AND s.phone_verified)
     ORDER BY s.site_id, s.original_id, a.identity_id, n.kind
     ON CONFLICT DO NOTHING
==== apply
UPDATE identity.site_dedup_runs AS r SET proposed = $3,
  renamed = (SELECT count(*) FROM identity.former_logins AS f WHERE f.realm = $1 AND f.run_id = $2::uuid AND f.kind = 'username'),
  withdrawn = (SELECT count(*) FROM identity.former_logins AS f WHERE f.realm = $1 AND f.run_id = $2::uuid AND f.kind <> 'username')
WHERE r.realm = $1 AND r.run_id = $2::uuid
==== apply
SELECT $2::uuid, g.site::text, g.original_id::text, g.value::text, CASE WHEN g.kind = 'username' THEN COALESCE(p.new_login, g.value)::text END,
  g.duplicate_of,
  CASE WHEN g.kind <> 'username' THEN concat('it is another''s login name, and stays a contact', CASE WHEN NOT EXISTS (
         SELECT FROM identity.staged_identifiers AS n
         WHERE n.realm = $1 AND n.site_id = g.site_id AND n.original_id = g.original_id AND n.logs_in) THEN '; no login name is left' END)
       WHEN p.n IS NULL THEN 'users of a site without a prefix are not renamed'
       ELSE concat('the site''s prefix', CASE WHEN p.counter > 1 THEN ', and a counter: the name was taken' END) END,
  g.kind::text
FROM pg_temp.pg_identity_grouped AS g
LEFT JOIN pg_temp.pg_identity_pending AS p ON p.site_id = g.site_id AND p.original_id = g.original_id AND g.kind = 'username'
WHERE g.holder <> g.keeper ORDER BY g.site_id, g.row_order, g.original_id, g.kind
==== drop
DROP TABLE "pg_temp"."pg_identity_login", "pg_temp"."pg_identity_repeated", "pg_temp"."pg_identity_grouped", "pg_temp"."pg_identity_pending"
