-- What statements change is on record: every row, as it was and as it is, in the realm that it concerns; without secrets, and erasable.
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT identity.add_realm('recorded'), identity.add_realm('beside');
-- Events since a time, each with its rows.
CREATE FUNCTION changes(of_realm text, since timestamptz) RETURNS TABLE (action text, subject text, changed text[], old jsonb, new jsonb) LANGUAGE sql AS $$
    SELECT e.action, e.subject, c.changed, c.old, c.new
    FROM identity.audit_events AS e LEFT JOIN LATERAL identity.audit_changes(e.realm, e.event_id) AS c ON true
    WHERE e.realm = of_realm AND e.at > since AND e.action ~ '^[A-Z]' ORDER BY e.at, e.event_id, c.row_number $$;
CREATE FUNCTION intact(of_realm text, OUT intact boolean, OUT erased bigint) LANGUAGE sql AS $$
    SELECT bool_and(v.intact), sum(v.erased)::bigint FROM identity.verify_audit(of_realm) AS v $$;
CREATE ROLE record_admin; CREATE ROLE record_importer; CREATE ROLE record_writer;
SELECT identity.grant_access('record_admin', 'admin', '{recorded,beside}'), identity.grant_access('record_importer', 'importer', '{recorded}');

-- An administrator by hand: names, another password, a second factor, an address.
\set ann '00000000-0000-4000-8000-000000000001'
\set bob '00000000-0000-4000-8000-000000000002'
SELECT clock_timestamp() AS begun \gset
SET ROLE record_admin;
INSERT INTO identity.identities (realm, id, traits) VALUES ('recorded', :'ann', '{"name": "Ann"}'), ('recorded', :'bob', '{}');
INSERT INTO identity.identifiers (realm, kind, value, identity_id) VALUES ('recorded', 'username', 'Ann', :'ann');
INSERT INTO identity.credentials (realm, identity_id, type, config) VALUES
    ('recorded', :'ann', 'password', '{"hashed_password": "$2a$10$zL9mgIOLxHgBIxqv5h2PF.Q6H3O5F0XcsM4K1qIbyKfJ3hSxDpRSW"}'),
    ('recorded', :'ann', 'totp', '{"totp_url": "otpauth://totp/x?secret=TOPSECRET"}');
UPDATE identity.credentials SET config = '{"hashed_password": "$2a$10$zL9mgIOLxHgBIxqv5h2PF.Q6H3O5F0XcsM4K1qIbyKfJ3hSxDpRSx"}' WHERE type = 'password';
UPDATE identity.credentials SET config = '{"hashed_password": "md5$0cc175b9c0f1b6a831c399e269772661"}' WHERE type = 'password';
DELETE FROM identity.credentials WHERE type = 'totp';
UPDATE identity.identifiers SET identity_id = :'bob' WHERE key = 'ann';
UPDATE identity.identities SET state = 'inactive', traits = '{}' WHERE id = :'ann';
INSERT INTO identity.addresses (realm, role, via, key, value, identity_id) VALUES ('recorded', 'verifiable', 'email', 'ann@example.com', 'Ann@example.com', :'ann');
UPDATE identity.addresses SET verified = true, status = 'completed';
UPDATE identity.identities SET state = state WHERE id = :'bob';
DELETE FROM identity.identities WHERE id = 'ffffffff-0000-4000-8000-000000000000';
RESET ROLE;
SELECT c.action, c.subject, c.changed, c.old - '{realm,created_at,updated_at,organization_id,metadata_admin,metadata_public,schema_id,external_id,unicode_version}'::text[] AS old,
    c.new - '{realm,created_at,updated_at,organization_id,metadata_admin,metadata_public,schema_id,external_id,unicode_version}'::text[] AS new
FROM changes('recorded', :'begun') AS c;
SELECT DISTINCT session_role, acting_role FROM identity.audit_events WHERE realm = 'recorded' AND at > :'begun';
SELECT * FROM intact('recorded');
-- No secret, and nothing that has been made of one alone, is in the record.
SELECT count(*) FROM identity.audit_values AS v, unnest(ARRAY['TOPSECRET', '$2a$10$zL9mgIOLxHgBIxqv5h2PF.Q6H3O5F0XcsM4K1qIbyKfJ3hSxDpRSW', '{"hashed_password": "md5$0cc175b9c0f1b6a831c399e269772661"}']) AS s (secret)
WHERE position(convert_to(secret, 'UTF8') IN v.data) > 0 OR position(sha256(convert_to(secret, 'UTF8')) IN v.data) > 0;

-- Every row of a statement, not the first ten.
SELECT clock_timestamp() AS begun \gset
INSERT INTO identity.members (realm, member, container) SELECT 'recorded', 'user:' || n, 'role:staff' FROM generate_series(1, 10) n UNION ALL SELECT 'recorded', 'user:mallory', 'role:boss';
SELECT c.action, count(*), string_agg(c.new ->> 'member', ' ') FILTER (WHERE c.new ->> 'container' = 'role:boss') AS boss FROM changes('recorded', :'begun') AS c GROUP BY 1;
-- A statement that concerns two realms, and a row that moves, are told in both.
SELECT clock_timestamp() AS begun \gset
INSERT INTO identity.members VALUES ('recorded', 'user:x', 'role:staff'), ('beside', 'user:y', 'role:staff'), ('nowhere', 'user:z', 'role:staff');
UPDATE identity.members SET realm = 'beside' WHERE member = 'user:x';
DELETE FROM identity.members WHERE member ~ '^user:[xyz]$';
SELECT r AS realm, c.action, c.subject, c.changed, c.old, c.new FROM unnest('{recorded,beside,nowhere}'::text[]) AS r, changes(r, :'begun') AS c;
SELECT count(*) FROM identity.audit_events WHERE realm = '' AND at > :'begun' AND action <> 'open_lane';
-- However it is said.
SELECT clock_timestamp() AS begun \gset
MERGE INTO identity.members AS m USING (VALUES ('user:new'), ('user:1'), ('user:2')) AS s (who) ON m.realm = 'recorded' AND m.member = s.who
WHEN NOT MATCHED THEN INSERT VALUES ('recorded', s.who, 'role:merged') WHEN MATCHED AND s.who = 'user:1' THEN DELETE WHEN MATCHED THEN UPDATE SET container = 'role:merged';
WITH gone AS (DELETE FROM identity.members WHERE container = 'role:merged' RETURNING *) INSERT INTO identity.members SELECT realm, member, 'role:moved' FROM gone;
INSERT INTO identity.identity_schemas VALUES ('recorded', 's', '{"properties": {"traits": {"ory.sh/kratos": {"credentials": {"code": {"identifier": true}}}}}}');
INSERT INTO identity.identity_schemas VALUES ('recorded', 's', '{"properties": {"traits": {"ory.sh/kratos": {"credentials": {"code": {"identifier": true}}}}}}') ON CONFLICT ON CONSTRAINT identity_schemas_pkey DO UPDATE SET schema_id = 't';
SELECT c.action, COALESCE(c.old ->> 'member', c.old ->> 'schema_id') AS old, concat_ws(' ', c.new ->> 'member', c.new ->> 'container', c.new ->> 'schema_id') AS new FROM changes('recorded', :'begun') AS c ORDER BY 1, 2, 3;
DELETE FROM identity.identity_schemas WHERE realm = 'recorded';
-- A statement about more realms than a transaction can take locks.
BEGIN;
INSERT INTO identity.members SELECT 'realm ' || n, 'user:' || n, 'role:many' FROM generate_series(1, 8000) n;
DELETE FROM identity.members WHERE container = 'role:many';
SELECT count(DISTINCT realm) AS realms, sum((detail ->> 'rows')::int) AS rows FROM identity.audit_events WHERE realm LIKE 'realm %';
SELECT count(*) < 3 AS locks FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory';
ROLLBACK;
-- Bytes are not copied.
ALTER TABLE identity.members ADD COLUMN key bytea;
INSERT INTO identity.members VALUES ('recorded', 'user:keyed', 'role:staff', NULL, '\xc0ffee');
UPDATE identity.members SET key = '\xdecade' WHERE member = 'user:keyed';
ALTER TABLE identity.members DROP COLUMN key;
SELECT c.action, c.changed, c.old, c.new FROM changes('recorded', :'begun') AS c WHERE COALESCE(c.old, c.new) ->> 'member' = 'user:keyed';
DELETE FROM identity.members WHERE member = 'user:keyed';
-- What goes with an identity goes on record with it: one event a table.
SELECT identity.add_organization('recorded', 'north'), identity.add_membership('recorded', :'bob', 'north');
SELECT clock_timestamp() AS begun \gset
DELETE FROM identity.identities WHERE realm = 'recorded' AND id IN (:'ann', :'bob');
SELECT c.action, count(*), bool_and(c.old IS NOT NULL) AS old FROM changes('recorded', :'begun') AS c GROUP BY 1 ORDER BY 1;

-- An import names whom it has changed, and to what.
SELECT clock_timestamp() AS begun \gset
SET ROLE record_importer;
SELECT status FROM identity.import_identities('recorded', '[{"id": "00000000-0000-4000-8000-000000000003", "traits": {"username": "vip"}, "credentials": {"password": {"config": {"hashed_password": "$2a$10$zL9mgIOLxHgBIxqv5h2PF.Q6H3O5F0XcsM4K1qIbyKfJ3hSxDpRSW"}}}}]');
SELECT status FROM identity.import_identities('recorded', '[{"id": "00000000-0000-4000-8000-000000000003", "traits": {"username": "vip"}, "credentials": {"password": {"config": {"hashed_password": "$2a$10$zL9mgIOLxHgBIxqv5h2PF.Q6H3O5F0XcsM4K1qIbyKfJ3hSxDpRSx"}}}}]', on_conflict => 'update');
SELECT status FROM identity.import_identities('recorded', '[{"traits": {"username": "nobody"}}]', dry_run => true);
SELECT status FROM identity.import_identities('recorded', '[{"traits": {"username": "vip"}}]', on_conflict => 'abort');
RESET ROLE;
SELECT e.action, e.acting_role, e.detail -> 'given_up' AS given_up, c.table_name, c.operation, COALESCE(c.new, c.old) ->> CASE c.table_name WHEN 'identities' THEN 'id' ELSE 'identity_id' END AS who, c.new ->> 'config' AS config
FROM identity.audit_events AS e LEFT JOIN LATERAL identity.audit_changes(e.realm, e.event_id) AS c ON true
WHERE e.realm = 'recorded' AND e.action = 'import_identities' AND e.at > :'begun' ORDER BY e.at, c.event, c.row_number;

-- TRUNCATE is the owner's, and says how many rows went.
SELECT clock_timestamp() AS begun \gset
GRANT TRUNCATE ON identity.members, identity.audit_values TO record_admin;
SET ROLE record_admin;
TRUNCATE identity.members;
TRUNCATE identity.audit_values;
RESET ROLE;
REVOKE TRUNCATE ON identity.members, identity.audit_values FROM record_admin;
INSERT INTO identity.members VALUES ('beside', 'user:y', 'role:staff');
TRUNCATE identity.members;
TRUNCATE identity.members;
SELECT realm, action, detail FROM identity.audit_events WHERE action LIKE 'TRUNCATE%' AND at > :'begun' ORDER BY at, realm;

-- Who may write all tables of the server writes none of these.
GRANT pg_write_all_data TO record_writer;
SET ROLE record_writer;
INSERT INTO identity.access_grants VALUES ('record_writer', 'admin', NULL);
INSERT INTO identity.audit_events (realm, lane, seq, event_id, at, session_role, acting_role, application_name, action, detail, prev, hash) VALUES ('recorded', 1, 1, 1, now(), 'x', 'x', 'x', 'x', '{}', '', '');
INSERT INTO identity.audit_heads (realm, lane) VALUES ('recorded', 7);
INSERT INTO identity.audit_values VALUES ('recorded', 1, 1, 0, 1, '');
DELETE FROM identity.audit_heads;
UPDATE identity.audit_heads SET seq = 0;
DELETE FROM identity.audit_values;
UPDATE identity.credentials SET config = '{}';
RESET ROLE;
SELECT * FROM intact('recorded');

-- The values are proved by their events.
SELECT e.lane, e.seq FROM identity.audit_events AS e WHERE e.realm = 'recorded' AND e.action = 'INSERT members' AND (e.detail ->> 'rows')::int = 11 \gset
CREATE FUNCTION tamper(statement text, OUT intact boolean, OUT broken bigint, OUT erased bigint) LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL session_replication_role = replica;
    EXECUTE statement;
    SET LOCAL session_replication_role = origin;
    SELECT bool_and(v.intact), min(v.first_broken) / 1048576, sum(v.erased) INTO intact, broken, erased FROM identity.verify_audit('recorded') v;
    RAISE EXCEPTION 'undo';
EXCEPTION WHEN raise_exception THEN
END $$;
\set at 'WHERE realm = ''recorded'' AND lane = ' :lane ' AND seq = ' :seq
SELECT c.what, t.intact, t.broken - :seq AS broken, t.erased FROM (VALUES
    ('nothing', 'SELECT'),
    ('a byte', 'UPDATE identity.audit_values SET data = set_byte(data, 60, get_byte(data, 60) # 1) ' || :'at'),
    ('no order', 'UPDATE identity.audit_values SET data = ''x'' ' || :'at'),
    ('removed', 'DELETE FROM identity.audit_values ' || :'at'),
    ('erased without a word', 'UPDATE identity.audit_values SET data = identity_internal.erase_values(data, ''{2}'') ' || :'at'),
    ('added', 'INSERT INTO identity.audit_values SELECT realm, lane, seq, 1, rows, data FROM identity.audit_values ' || :'at'),
    ('for an event without values', 'INSERT INTO identity.audit_values SELECT e.realm, e.lane, e.seq, 0, v.rows, v.data FROM identity.audit_events AS e, identity.audit_values AS v WHERE e.realm = ''recorded'' AND e.action = ''add_membership'' AND v.realm = ''recorded'' AND v.seq = 2')) AS c (what, statement),
  LATERAL tamper(c.statement) AS t;

-- A person's values are erased, and the chain holds; what somebody else did to others stays. Nobody but the owner may do it.
SET ROLE record_admin; SELECT identity.erase_audit_values('recorded', :'ann'); SELECT identity.expire_audit_values('recorded', now()); RESET ROLE;
SELECT identity.erase_audit_values('recorded', :'ann');
SELECT identity.erase_audit_values('recorded', :'ann');
SELECT * FROM intact('recorded');
SELECT count(*) FROM identity.audit_values WHERE position('Ann@example.com'::bytea IN data) > 0 OR position(uuid_send(:'ann') IN data) > 0;
SELECT action, subject, detail -> 'rows' AS rows, jsonb_array_length(detail -> 'erased') AS events FROM identity.audit_events WHERE realm = 'recorded' AND action = 'erase_audit_values';
SELECT e.action, c.row_number, c.new ->> 'id' AS new, c.erased FROM identity.audit_events AS e, identity.audit_changes('recorded', e.event_id) AS c
WHERE e.realm = 'recorded' AND e.action = 'INSERT identities' ORDER BY e.at, 2;
SELECT c.what, t.intact, t.erased FROM (VALUES
    ('erased values made up', 'UPDATE identity.audit_values SET data = set_byte(data, 20, get_byte(data, 20) # 1) WHERE realm = ''recorded'' AND get_byte(data, 0) = ascii(''E'')'),
    ('the event of the erasure', 'UPDATE identity.audit_events SET detail = ''{"rows": 0, "erased": []}'' WHERE realm = ''recorded'' AND action = ''erase_audit_values''')) AS c (what, statement),
  LATERAL tamper(c.statement) AS t;
-- A staged user's values go with the identity that it became, also when both are gone.
SELECT identity.add_site('recorded', 2, 'forum');
SELECT count(*) FROM identity.stage_site('recorded', 'forum', $$SELECT n AS id, 'Secret Name ' || n AS u, 'u' || n || '@example.com' AS e, md5('p' || n) AS p FROM generate_series(1, 2) n$$, '{"original_id": "id", "username": "u", "email": "e", "password_hash": "p"}', report => 'all');
SELECT status, identity_id AS promoted FROM identity.promote_identity('recorded', 'forum', '1') \gset
DELETE FROM identity.identities WHERE realm = 'recorded' AND id = :'promoted';
DELETE FROM identity.staged_identities WHERE realm = 'recorded' AND original_id = '1';
SELECT count(*) > 0 AS before FROM identity.audit_values WHERE position('Secret Name 1'::bytea IN data) > 0;
SELECT identity.erase_audit_values('recorded', :'promoted') > 5 AS erased;
SELECT count(*) AS after FROM identity.audit_values WHERE position('Secret Name 1'::bytea IN data) > 0;
SELECT count(*) > 0 AS others FROM identity.audit_values WHERE position('Secret Name 2'::bytea IN data) > 0;
SELECT intact FROM intact('recorded');
-- All values up to a time.
SELECT clock_timestamp() AS later \gset
INSERT INTO identity.members VALUES ('recorded', 'user:later', 'role:staff');
SELECT identity.expire_audit_values('recorded', :'later') > 0 AS erased;
SELECT intact FROM intact('recorded');
SELECT c.old, c.new FROM changes('recorded', '-infinity') AS c WHERE c.old IS NOT NULL OR c.new IS NOT NULL;
SELECT intact FROM tamper('DELETE FROM identity.audit_values WHERE realm = ''recorded''');
SELECT intact FROM tamper('UPDATE identity.audit_events SET detail = ''{"before": "infinity"}'' WHERE realm = ''recorded'' AND action = ''expire_audit_values''');
SELECT identity.expire_audit('recorded', :'later') > 0 AS removed;
SELECT intact FROM intact('recorded');
SELECT identity.expire_audit_values('recorded', 'infinity');
SELECT identity.erase_audit_values('recorded', NULL);
SELECT identity.erase_audit_values('no realm', :'ann');
SELECT * FROM identity.audit_changes('no realm', 1);

-- Many rows are one event, with few rows of values.
SELECT clock_timestamp() AS begun \gset
INSERT INTO identity.members SELECT 'recorded', 'user:' || n, 'role:many' FROM generate_series(1, 20000) n;
SELECT e.detail -> 'rows' AS rows, count(*) < 20000 / 50 AS packed, sum(v.rows), max(pg_column_size(v.data)) < 8000 AS of_a_page FROM identity.audit_events AS e JOIN identity.audit_values AS v USING (realm, lane, seq)
WHERE e.realm = 'recorded' AND e.at > :'begun' GROUP BY 1;
SELECT count(DISTINCT c.new ->> 'member') FROM changes('recorded', :'begun') AS c;
-- One row that is larger than a page.
INSERT INTO identity.identities (realm, id, traits) SELECT 'recorded', :'ann', jsonb_build_object('note', string_agg(md5(n::text), '')) FROM generate_series(1, 20000) n;
SELECT length(c.new -> 'traits' ->> 'note') FROM changes('recorded', :'begun') AS c WHERE c.action = 'INSERT identities';
-- Values of every kind that a column of one's own may have; a column that is gone stays on record.
ALTER TABLE identity.members ADD COLUMN mine numeric(8, 2), ADD COLUMN dated date, ADD COLUMN listed text[], ADD COLUMN tall bigint, ADD COLUMN never timestamptz, ADD COLUMN doubled text GENERATED ALWAYS AS (member || member) STORED;
INSERT INTO identity.members VALUES ('recorded', 'user:kinds', 'role:kinds', NULL, 1.50, '2026-02-03', '{a,"b,c",NULL}', 9223372036854775807, 'infinity');
UPDATE identity.members SET mine = NULL, never = NULL, listed = '{}' WHERE member = 'user:kinds';
ALTER TABLE identity.members DROP COLUMN mine, DROP COLUMN dated, DROP COLUMN listed, DROP COLUMN tall, DROP COLUMN never, DROP COLUMN doubled;
SELECT c.action, c.changed, c.old, c.new FROM changes('recorded', :'begun') AS c WHERE COALESCE(c.new, c.old) ->> 'member' = 'user:kinds';
SELECT intact FROM intact('recorded');

-- A tool that copies the values by a trigger is told of them; one that writes to the store is refused.
CREATE TABLE copied (rows int);
CREATE FUNCTION copy_values() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN INSERT INTO public.copied VALUES (NEW.rows); RETURN NULL; END $$;
CREATE TRIGGER copy_values AFTER INSERT ON identity.audit_values FOR EACH ROW EXECUTE FUNCTION copy_values();
DELETE FROM identity.members WHERE member IN ('user:1', 'user:2');
SELECT * FROM copied;
CREATE OR REPLACE FUNCTION copy_values() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN IF NEW.rows < 9 THEN INSERT INTO identity.members SELECT 'recorded', 'user:' || n, 'role:copied' FROM generate_series(1, 9) n; END IF; RETURN NULL; END $$;
DELETE FROM identity.members WHERE member IN ('user:3', 'user:4');
DROP TRIGGER copy_values ON identity.audit_values;
SELECT intact FROM intact('recorded');

DROP FUNCTION tamper, intact, changes, copy_values;
DROP TABLE copied;
TRUNCATE identity.members;
DELETE FROM identity.staged_identities; DELETE FROM identity.sites; DELETE FROM identity.identities; DELETE FROM identity.organizations; DELETE FROM identity.import_runs; DELETE FROM identity.resource_types;
DELETE FROM identity.realms;
SELECT identity.revoke_access('record_admin'), identity.revoke_access('record_importer');
DROP ROLE record_admin, record_importer, record_writer;
