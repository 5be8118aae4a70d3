-- The audit: who did what, in chains that show every change. Lanes differ from run to run, so they are not shown.
SET client_min_messages = warning;
SET application_name = 'audit test';
CREATE FUNCTION verify(realm text, checkpoint jsonb = NULL, OUT events bigint, OUT intact boolean, OUT broken bigint) LANGUAGE sql AS $$
    SELECT sum(v.events), bool_and(v.intact), min(v.first_broken / 1048576) FROM identity.verify_audit(realm, checkpoint) v $$;
SELECT identity.add_realm('audited');
SELECT identity.set_identity_schema('audited', 'default', '{"properties": {"traits": {"properties": {"email": {"ory.sh/kratos": {"credentials": {"password": {"identifier": true}}}}}}}}');
SELECT count(*) FROM identity.import_identities('audited', '[{"traits": {"email": "bob@example.com"}}, {"traits": {"email": "bob@example.com"}}]');
SELECT count(*) FROM identity.import_identities('audited', '[{"traits": {"email": "bob@example.com"}}]', on_conflict => 'abort');
-- A dry run leaves nothing.
SELECT count(*) FROM identity.import_identities('audited', '[{"traits": {"email": "ann@example.com"}}]', dry_run => true);
INSERT INTO identity.identity_schemas SELECT 'audited', 's' || n, '{"properties": {"traits": {"ory.sh/kratos": {"credentials": {"code": {"identifier": true}}}}}}' FROM generate_series(1, 12) n;
DELETE FROM identity.identity_schemas WHERE realm = 'audited' AND schema_id > 's2';
DELETE FROM identity.identity_schemas WHERE false;
SELECT seq, session_role, acting_role, application_name, client_addr, action, CASE WHEN subject ~ '^[-0-9a-f]{36}$' THEN 'an identity' ELSE subject END AS subject, detail - '{run_id,values,forms,columns,first_event}'::text[] AS detail
FROM identity.audit_events WHERE realm = 'audited' ORDER BY seq;
-- An event belongs to its transaction.
BEGIN; INSERT INTO identity.identity_schemas VALUES ('audited', 'gone', '{"properties": {"traits": {"ory.sh/kratos": {"credentials": {"code": {"identifier": true}}}}}}'); ROLLBACK;
SELECT * FROM verify('audited');

-- What is in no realm is in the database's own chain.
SELECT clock_timestamp() AS begun \gset
CREATE TABLE logins (id int PRIMARY KEY, site int, login text);
SELECT count(*) FROM identity.import_rows('logins', 'SELECT n AS id, n % 3 AS site, CASE WHEN n < 3 THEN ''bob'' END AS login FROM generate_series(1, 4) n');
SELECT run_id FROM identity.dedup_logins('logins', 'login', 'site', 'id', '{"2": "fz_"}') \gset
SELECT status FROM identity.undo_dedup(:'run_id');
CREATE ROLE audit_worker; CREATE ROLE audit_admin;
SELECT identity.grant_access('audit_worker', 'importer'), identity.grant_access('audit_admin', 'admin');
SELECT identity.revoke_access('audit_worker');
INSERT INTO identity.realms VALUES ('one'), ('two');
SELECT action, subject, detail - '{run_id,values,forms,columns,first_event,lane}'::text[] AS detail FROM identity.audit_events WHERE realm = '' AND at > :'begun' ORDER BY at;

-- An importer's work is on record in his name; he can neither read nor forge an event.
SELECT identity.grant_access('audit_worker', 'importer');
SET ROLE audit_worker;
SELECT count(*) FROM identity.import_identities('audited', '[{"traits": {"email": "eve@example.com"}}]', report => 'problems');
SELECT identity_internal.audit('audited', 'forged', NULL, '{}');
INSERT INTO identity.audit_events (realm) VALUES ('audited');
SELECT * FROM identity.audit_events;
SELECT * FROM identity.verify_audit('audited');
RESET ROLE;
SELECT session_role, acting_role, action FROM identity.audit_events WHERE realm = 'audited' ORDER BY at DESC LIMIT 1;
-- An administrator reads and verifies; only the owner of the extension removes what is old.
SET ROLE audit_admin;
SELECT count(*) FROM identity.audit_events WHERE realm = 'audited';
SELECT * FROM verify('audited');
UPDATE identity.audit_heads SET seq = 0;
SELECT identity.expire_audit('audited', now());
RESET ROLE;

-- Nobody changes it, not even the owner.
UPDATE identity.audit_events SET detail = '{}';
DELETE FROM identity.audit_events;
TRUNCATE identity.audit_events;

-- Who gets past the trigger is found. Each of these is undone.
SELECT identity_internal.audit('audited', 'test', n::text, jsonb_build_object('n', n)) > 0 AS written FROM generate_series(1, 3) n;
SELECT identity.audit_checkpoint('audited') AS checkpoint \gset
SELECT max(seq) AS last FROM identity.audit_events WHERE realm = 'audited' \gset
CREATE FUNCTION tamper(statement text, checkpoint jsonb = NULL, OUT events bigint, OUT intact boolean, OUT broken bigint) LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL session_replication_role = replica;
    EXECUTE statement;
    SET LOCAL session_replication_role = origin;
    SELECT v.* INTO events, intact, broken FROM verify('audited', checkpoint) v;
    RAISE EXCEPTION 'undo';
EXCEPTION WHEN raise_exception THEN
END $$;
SELECT * FROM verify('audited');
SELECT what, t.events, t.intact, t.broken - :last AS broken FROM (VALUES
    ('nothing', 'SELECT'),
    ('changed', 'UPDATE identity.audit_events SET detail = ''{"n": 7}'' WHERE realm = ''audited'' AND subject = ''2'''),
    ('changed subject', 'UPDATE identity.audit_events SET subject = NULL WHERE realm = ''audited'' AND subject = ''2'''),
    ('changed time', 'UPDATE identity.audit_events SET at = at + interval ''1 microsecond'' WHERE realm = ''audited'' AND subject = ''2'''),
    ('changed, with its own hash made anew', 'UPDATE identity.audit_events e SET subject = ''x'', hash = identity_internal.audit_hash(prev, realm, lane, seq, at, session_role, acting_role, application_name, client_addr, action, ''x'', detail) WHERE realm = ''audited'' AND subject = ''2'''),
    ('removed', 'DELETE FROM identity.audit_events WHERE realm = ''audited'' AND subject = ''2'''),
    ('removed first', 'DELETE FROM identity.audit_events WHERE realm = ''audited'' AND seq = 1'),
    ('removed last', 'DELETE FROM identity.audit_events WHERE realm = ''audited'' AND subject = ''3'''),
    ('removed all', 'DELETE FROM identity.audit_events WHERE realm = ''audited'''),
    ('removed with its head', 'WITH e AS (DELETE FROM identity.audit_events WHERE realm = ''audited'') DELETE FROM identity.audit_heads WHERE realm = ''audited'''),
    ('inserted', 'INSERT INTO identity.audit_events (realm, lane, seq, event_id, at, session_role, acting_role, application_name, action, detail, prev, hash) SELECT realm, lane, seq + 1, event_id + 1048576, at, session_role, acting_role, application_name, action, detail, hash, sha256(hash) FROM identity.audit_events WHERE realm = ''audited'' AND subject = ''3'''),
    ('swapped', 'UPDATE identity.audit_events e SET subject = o.subject, detail = o.detail, at = o.at FROM identity.audit_events o WHERE e.realm = ''audited'' AND o.realm = e.realm AND e.subject IN (''1'', ''2'') AND o.subject IN (''1'', ''2'') AND e.subject <> o.subject'),
    ('moved', 'UPDATE identity.audit_events SET seq = seq + 100 WHERE realm = ''audited'' AND subject = ''2'''),
    ('another head', 'UPDATE identity.audit_heads SET hash = sha256(hash) WHERE realm = ''audited'''),
    ('an older head', 'UPDATE identity.audit_heads SET seq = seq - 1, hash = prev WHERE realm = ''audited''')) AS c (what, statement),
  LATERAL tamper(c.statement) AS t;
-- A chain that is cut with its head is whole again to itself, but not to a checkpoint that was kept elsewhere.
\set cut 'WITH e AS (DELETE FROM identity.audit_events WHERE realm = ''audited'' AND subject = ''3'' RETURNING prev) UPDATE identity.audit_heads SET seq = seq - 1, hash = e.prev FROM e WHERE realm = ''audited'''
SELECT t.intact, t.broken - :last AS broken FROM tamper(:'cut') t;
SELECT t.intact, t.broken - :last AS broken FROM tamper(:'cut', :'checkpoint') t;
SELECT t.events - :last AS events, t.intact FROM tamper('SELECT', :'checkpoint') t;

-- Old events are removed up to a time; the rest verifies, and the removal is on record.
SELECT identity_internal.audit('audited', 'later', NULL, '{}') > 0 AS written;
SELECT at AS later FROM identity.audit_events WHERE realm = 'audited' AND action = 'later' \gset
SELECT identity.expire_audit('audited', :'later') - :last AS removed;
SELECT action, detail - '{removed,before,values,forms,columns}'::text[] AS detail FROM identity.audit_events WHERE realm = 'audited' ORDER BY at;
SELECT * FROM verify('audited');
SELECT * FROM verify('audited', :'checkpoint');
SELECT intact, broken - :last AS broken FROM tamper('DELETE FROM identity.audit_events WHERE realm = ''audited'' AND action = ''later''');
SELECT intact FROM tamper('UPDATE identity.audit_events SET detail = ''{"removed": []}'' WHERE realm = ''audited'' AND action = ''expire_audit''');
SELECT identity.expire_audit('audited', :'later');
SELECT identity.expire_audit('audited', clock_timestamp());
SELECT * FROM verify('audited');
-- Errors.
\set VERBOSITY terse
SELECT * FROM identity.verify_audit('nowhere');
SELECT * FROM identity.verify_audit(NULL);
SELECT * FROM identity.verify_audit('audited', '{}');
SELECT * FROM identity.verify_audit('audited', identity.audit_checkpoint('one'));
SELECT identity.expire_audit('audited', NULL);
SELECT identity.expire_audit('audited', 'infinity');
SELECT identity.audit_checkpoint('nowhere');
BEGIN READ ONLY; SELECT intact FROM verify('audited'); SELECT identity_internal.audit('audited', 'x', NULL, '{}'); ROLLBACK;

-- The realm's events outlive it, and are not confused with those of a realm of the same name.
DELETE FROM identity.identities WHERE realm = 'audited';
DELETE FROM identity.identity_schemas WHERE realm = 'audited';
DELETE FROM identity.realms WHERE name IN ('audited', 'one', 'two');
SELECT action FROM identity.audit_events WHERE realm = 'audited' ORDER BY at DESC LIMIT 1;
SELECT (verify('audited')).intact;
DELETE FROM identity.import_runs;
DELETE FROM identity.dedup_rows; DELETE FROM identity.dedup_runs;
SELECT identity.revoke_access('audit_worker'), identity.revoke_access('audit_admin');
DROP ROLE audit_worker, audit_admin;
DROP FUNCTION tamper, verify;
DROP TABLE logins;
RESET application_name;
