-- The staged users of a site become identities together.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT identity.add_realm('whole');
SELECT identity.add_site('whole', 2, 'forum', 'fz_'), identity.add_site('whole', 3, 'shop', 'sh_');
CREATE FUNCTION stage(site text, users text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM identity.stage_site('whole', site, format('SELECT * FROM (VALUES %s) AS t (id, login, mail, ok, pw, seen)', users),
        '{"original_id": "id", "username": "login", "email": "mail", "email_verified": "ok", "password_hash": "pw", "registered_at": "seen", "active": {"constant": true}}',
        '{"test_accounts": ["tester"]}') $$;
CREATE VIEW promoted AS
SELECT i.external_id, i.state, i.created_at::date, i.traits, c.config ->> 'hashed_password' AS hash,
    (SELECT string_agg(n.kind || ' ' || n.key, ', ' ORDER BY n.kind) FROM identity.identifiers AS n WHERE n.realm = i.realm AND n.identity_id = i.id) AS names,
    (SELECT string_agg(concat_ws(' ', a.role, a.key, a.verified), ', ' ORDER BY a.role) FROM identity.addresses AS a WHERE a.realm = i.realm AND a.identity_id = i.id) AS addresses
FROM identity.identities AS i LEFT JOIN identity.credentials AS c ON c.realm = i.realm AND c.identity_id = i.id
WHERE i.realm = 'whole' AND i.external_id IS NOT NULL;

-- bob is somebody already, carol's address is verified by an identity, dora and Dora of one site have one name, erin's address is verified by
-- a user of another site, tester is in quarantine.
SELECT status FROM identity.import_identities('whole', '[
    {"id": "00000000-0000-0000-0000-000000000001", "traits": {"username": "bob"}},
    {"id": "00000000-0000-0000-0000-000000000002", "traits": {"username": "vip"},
     "verifiable_addresses": [{"value": "carol@example.org", "via": "email", "verified": true, "status": "completed"}]}]');
SELECT stage('forum', $$('1', 'ann', 'Ann@Example.org', true, md5('1'), '2011-01-02'), ('2', 'Bob', 'bob@example.org', false, md5('2'), NULL),
    ('3', 'carol', 'carol@example.org', false, NULL, NULL), ('4', 'dora', NULL, false, md5('4'), NULL), ('5', 'Dora', NULL, false, md5('5'), NULL),
    ('6', 'erin', 'erin@example.org', false, md5('6'), NULL), ('7', 'tester', NULL, false, md5('7'), NULL), ('8', 'VIP', NULL, false, NULL, NULL)$$);
SELECT stage('shop', $$('a', 'erin2', 'erin@example.org', true, md5('a'), NULL)$$);
SELECT original_id, status, constraint_name, key ->> 'key' AS key, existing FROM identity.promote_site('whole', 'forum') ORDER BY original_id;
SELECT * FROM promoted ORDER BY 1;
SELECT original_id, state FROM identity.staged_identities WHERE realm = 'whole' ORDER BY site_id, original_id;
-- Each is on record, with who it was.
SELECT e.detail FROM identity.audit_events AS e WHERE e.realm = 'whole' AND e.action = 'promote_identity' ORDER BY e.detail ->> 'original_id';
-- A second time nothing but the conflicts is left; after the run that tells names apart these are gone as well.
SELECT original_id, status FROM identity.promote_site('whole', 'forum') ORDER BY 1;
SELECT count(*) > 0 FROM identity.dedup_site_logins('whole');
SELECT original_id, status FROM identity.promote_site('whole', 'forum') ORDER BY 1;
SELECT external_id, names FROM promoted ORDER BY 1;
-- By portions, in order; a constraint that somebody has added refuses one, and not the others with it.
SELECT stage('shop', $$('b', 'fay', NULL, false, NULL, NULL), ('c', 'gus', NULL, false, NULL, NULL), ('d', 'hal', NULL, false, NULL, NULL)$$);
SELECT original_id, status FROM identity.promote_site('whole', 'shop', 2);
ALTER TABLE identity.identifiers ADD CONSTRAINT no_gus CHECK (value <> 'gus');
SELECT original_id, status, constraint_name FROM identity.promote_site('whole', 'shop', 5);
ALTER TABLE identity.identifiers DROP CONSTRAINT no_gus;
SELECT original_id, status FROM identity.promote_site('whole', 'shop', 0);
SELECT original_id, status FROM identity.promote_site('whole', 'shop');
SELECT identity.promote_site('whole', 'shop', -1);
SELECT identity.promote_site('whole', 'kiosk');
SELECT identity.promote_site('nowhere', 'shop');
-- More than a portion of the function's own.
SELECT identity.stage_site('whole', 'shop', 'SELECT format(''u%s'', n) AS id FROM generate_series(1, 2500) AS n', '{"original_id": "id", "username": "id"}');
SELECT status, count(*), count(DISTINCT identity_id) FROM identity.promote_site('whole', 'shop', 2400) GROUP BY 1;
SELECT status, count(*), count(DISTINCT identity_id) FROM identity.promote_site('whole', 'shop') GROUP BY 1;
SELECT count(*) FROM identity.identifiers WHERE realm = 'whole' AND key ~ '^u[0-9]+$';
SELECT count(*), min(state), max(state) FROM identity.staged_identities WHERE realm = 'whole' AND site_id = 3;

DROP VIEW promoted;
DROP FUNCTION stage;
DELETE FROM identity.former_logins WHERE realm = 'whole';
DELETE FROM identity.site_dedup_runs WHERE realm = 'whole';
DELETE FROM identity.staged_identities WHERE realm = 'whole';
DELETE FROM identity.sites WHERE realm = 'whole';
DELETE FROM identity.identities WHERE realm = 'whole';
DELETE FROM identity.import_runs WHERE realm = 'whole';
DELETE FROM identity.realms WHERE name = 'whole';
