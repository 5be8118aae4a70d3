-- Every table of the extension, by every statement and every function: the record explains all that has changed.
--
-- The judge knows nothing of triggers: it compares the tables before and after, row by row, with what the audit says was and is. A table
-- or a function that is added, and has no part in this, makes it fail.
SET client_min_messages = warning;
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres';
CREATE SCHEMA judge;
CREATE VIEW judge.tables AS
SELECT c.oid::regclass AS name, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('identity', 'identity_internal') AND c.relkind IN ('r', 'p');
CREATE VIEW judge.recorded AS SELECT * FROM judge.tables t WHERE t.name::text NOT IN (SELECT name FROM identity_internal.unrecorded_tables());
-- Tables that are not on record, and why.
SELECT u.*, t.name IS NOT NULL AS exists FROM identity_internal.unrecorded_tables() u LEFT JOIN judge.tables t ON t.name::text = u.name ORDER BY 1;
-- All others have the triggers, switched on.
SELECT t.name, g.tgname, g.tgenabled FROM judge.recorded t CROSS JOIN unnest('{audit_insert,audit_update,audit_delete,audit_truncate}'::text[]) w
LEFT JOIN pg_trigger g ON g.tgrelid = t.name AND g.tgname = w WHERE g.tgenabled IS DISTINCT FROM 'O';

CREATE FUNCTION judge.scheme(hash text) RETURNS text LANGUAGE sql AS $$ SELECT scheme FROM identity.inspect_password_hash(hash) $$;
-- A row as the record has it: secrets by their scheme, what is generated left out, other types as text.
CREATE FUNCTION judge.columns(t regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%L, %s', a.attname, CASE
        WHEN t::text = 'identity.credentials' AND a.attname = 'config' THEN
            $q$jsonb_build_object('withheld', CASE type WHEN 'password' THEN judge.scheme(config ->> 'hashed_password') ELSE type END)$q$
        WHEN t::text = 'identity.staged_identities' AND a.attname = 'password_hash' THEN
            $q$CASE WHEN password_hash IS NOT NULL THEN jsonb_build_object('withheld', judge.scheme(password_hash)) END$q$
        WHEN t::text = 'identity.import_runs' AND a.attname = 'source' THEN $q$'{"withheld": null}'::jsonb$q$
        WHEN a.atttypid IN ('text'::regtype, 'jsonb'::regtype, 'uuid'::regtype, 'timestamptz'::regtype, 'boolean'::regtype, 'int'::regtype, 'bigint'::regtype) THEN format('%I', a.attname)
        ELSE format('%I::text', a.attname) END), ', ' ORDER BY a.attnum)
    FROM pg_attribute a WHERE a.attrelid = t AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' $$;
DO $$ BEGIN
    EXECUTE (SELECT 'CREATE VIEW judge.snapshot (name, content) AS ' || string_agg(format('SELECT %L::text, jsonb_build_object(%s) FROM %s', t.relname, judge.columns(t.name), t.name), ' UNION ALL ')
             FROM judge.recorded t);
END $$;
CREATE FUNCTION judge.moves(name text, old jsonb, new jsonb) RETURNS boolean LANGUAGE sql AS $$
    SELECT old IS NOT NULL AND new IS NOT NULL AND old -> r IS DISTINCT FROM new -> r FROM (SELECT CASE name WHEN 'realms' THEN 'name' ELSE 'realm' END) k (r) $$;
CREATE TABLE judge.before (name text, content jsonb);
-- Runs a statement as a role; which events it leaves, and in which tables something has changed that they do not explain.
CREATE FUNCTION judge.run(statement text, as_role text, OUT events text, OUT unexplained text, OUT changed bigint) LANGUAGE plpgsql AS $$
DECLARE began timestamptz;
BEGIN
    TRUNCATE judge.before;
    INSERT INTO judge.before SELECT * FROM judge.snapshot;
    began := clock_timestamp();
    EXECUTE format('SET LOCAL ROLE %I', as_role);
    EXECUTE statement;
    RESET ROLE;
    WITH told AS (
        SELECT e.action, c.table_name, c.old, c.new FROM identity.audit_events e LEFT JOIN LATERAL identity.audit_changes(e.realm, e.event_id) c ON c.event = e.event_id
        WHERE e.at > began AND e.action <> 'open_lane'),
    -- A row that moves from one realm to another is told twice.
    once AS (SELECT table_name, old, new FROM told WHERE table_name IS NOT NULL AND NOT judge.moves(table_name, old, new)
             UNION ALL SELECT DISTINCT table_name, old, new FROM told WHERE judge.moves(table_name, old, new)),
    account AS (
        SELECT b.name, b.content, 1 AS n FROM judge.before b
        UNION ALL SELECT s.name, s.content, -1 FROM judge.snapshot s
        UNION ALL SELECT o.table_name, o.old, -1 FROM once o WHERE o.old IS NOT NULL
        UNION ALL SELECT o.table_name, o.new, 1 FROM once o WHERE o.new IS NOT NULL),
    residue AS (SELECT a.name FROM account a GROUP BY a.name, a.content HAVING sum(a.n) <> 0)
    SELECT (SELECT string_agg(DISTINCT t.action, ', ') FROM told t), (SELECT string_agg(DISTINCT r.name, ', ') FROM residue r), (SELECT count(*) FROM once)
    INTO events, unexplained, changed;
END $$;

-- Functions: one call or more of each that writes, as each level that has it to call.
CREATE ROLE matrix_application; CREATE ROLE matrix_registrar; CREATE ROLE matrix_notifier; CREATE ROLE matrix_auditor; CREATE ROLE matrix_importer; CREATE ROLE matrix_admin;
SELECT identity.add_realm('matrix');
SELECT count(identity.grant_access('matrix_' || l, l)) FROM unnest('{application,registrar,notifier,auditor,importer,admin}'::text[]) l;
GRANT CREATE ON SCHEMA public TO matrix_importer, matrix_admin;
CREATE TABLE own_logins AS SELECT n AS id, n % 2 + 1 AS site, 'user' || n / 2 AS login FROM generate_series(2, 7) n;
ALTER TABLE own_logins ADD PRIMARY KEY (id);
GRANT ALL ON own_logins TO matrix_importer, matrix_admin;
CREATE TABLE judge.acts (n int GENERATED ALWAYS AS IDENTITY, function text, role text, statement text);
GRANT USAGE ON SCHEMA judge TO PUBLIC;
CREATE FUNCTION judge.id(login text) RETURNS uuid LANGUAGE sql SECURITY DEFINER AS $$ SELECT identity_id FROM identity.identifiers WHERE realm = 'matrix' AND key = login $$;
CREATE FUNCTION judge.proposal(who text) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT proposal_id FROM identity.link_proposals WHERE realm = 'matrix' AND original_id = who $$;
CREATE FUNCTION judge.notices() RETURNS bigint[] LANGUAGE sql SECURITY DEFINER AS $$ SELECT array_agg(notice_id) FROM identity.notices WHERE realm = 'matrix' $$;
INSERT INTO judge.acts (role, function, statement) VALUES
    ('admin', 'add_realm', $$SELECT identity.add_realm('matrix too')$$),
    ('admin', 'set_identity_schema', $$SELECT identity.set_identity_schema('matrix too', 'default', '{"properties": {"traits": {"properties": {"email": {"type": "string", "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}}}}}}}')$$),
    ('admin', 'set_password_scheme', $$SELECT identity.set_password_scheme('matrix', 'argon2id')$$),
    ('registrar', 'import_identities', $$SELECT * FROM identity.import_identities('matrix', '[{"traits": {"username": "ann"}, "credentials": {"password": {"config": {"hashed_password": "{SSHA}xlzaf8dpXKt9rXqOFkGYVxbkqPyNUlZq"}}}, "verifiable_addresses": [{"via": "email", "value": "ann@example.com", "verified": true}]}, {"traits": {"username": "bob"}}, {"traits": {"username": "carol"}}]')$$),
    ('importer', 'import_identities', $$SELECT * FROM identity.import_identities('matrix', jsonb_build_array(jsonb_build_object('id', judge.id('bob'), 'state', 'inactive', 'traits', '{"username": "bob", "note": 1}'::jsonb)), on_conflict => 'update')$$),
    ('registrar', 'import_identities_from', $$SELECT * FROM identity.import_identities_from('matrix', 'SELECT ''{"traits": {"username": "dave"}}''::jsonb')$$),
    ('registrar', 'patch_identities', $$SELECT identity.patch_identities('matrix', '{"identities": [{"create": {"traits": {"username": "erin"}}}]}')$$),
    ('importer', 'import_rows', $$SELECT * FROM identity.import_rows('own_logins', 'SELECT 99 AS id, 1 AS site, ''zoe''::text AS login')$$),
    ('importer', 'dedup_logins', $$SELECT * FROM identity.dedup_logins('own_logins', 'login', 'site', 'id', '{"2": "fz_"}')$$),
    ('importer', 'undo_dedup', $$SELECT * FROM identity.undo_dedup((SELECT run_id FROM identity.dedup_runs))$$),
    ('admin', 'add_site', $$SELECT identity.add_site('matrix', 2, 'forum')$$),
    ('importer', 'stage_site', $$SELECT * FROM identity.stage_site('matrix', 'forum', 'SELECT * FROM (VALUES (''1'', ''ann'', ''ann@example.com'', md5(''p'')), (''2'', ''bob'', NULL, md5(''q'')), (''3'', ''guest'', NULL, NULL), (''4'', ''carol'', NULL, md5(''r''))) AS t (id, u, e, p)', '{"original_id": "id", "username": "u", "email": "e", "email_verified": {"constant": true}, "password_hash": "p"}', '{"test_accounts": ["guest"]}')$$),
    ('importer', 'stage_site', $$SELECT * FROM identity.stage_site('matrix', 'forum', 'SELECT * FROM (VALUES (''2'', ''bob'', ''bob@example.com'', md5(''other''))) AS t (id, u, e, p)', '{"original_id": "id", "username": "u", "email": "e", "password_hash": "p"}')$$),
    ('admin', 'release_staged', $$SELECT identity.release_staged('matrix', 'forum')$$),
    ('importer', 'dedup_site_logins', $$SELECT * FROM identity.dedup_site_logins('matrix')$$),
    ('notifier', 'pending_notices', $$SELECT * FROM identity.pending_notices('matrix')$$),
    ('notifier', 'mark_notices', $$SELECT identity.mark_notices('matrix', judge.notices(), 'sent')$$),
    ('admin', 'accept_link', $$SELECT * FROM identity.accept_link('matrix', judge.proposal('1'))$$),
    ('admin', 'undo_link', $$SELECT identity.undo_link('matrix', judge.proposal('1'))$$),
    ('admin', 'reject_link', $$SELECT identity.reject_link('matrix', judge.proposal('1'))$$),
    ('importer', 'promote_identity', $$SELECT * FROM identity.promote_identity('matrix', 'forum', '1')$$),
    ('application', 'authenticate', $$SELECT * FROM identity.authenticate('matrix', 'forum_bob', 'other', '{"ip": "192.0.2.7"}')$$),
    ('application', 'authenticate', $$SELECT * FROM identity.authenticate('matrix', 'forum_bob', 'wrong')$$),
    ('importer', 'undo_dedup', $$SELECT * FROM identity.undo_dedup((SELECT min(run_id::text)::uuid FROM (SELECT detail ->> 'run_id' AS run_id FROM judge.dedups()) r))$$),
    ('importer', 'promote_site', $$SELECT * FROM identity.promote_site('matrix', 'forum')$$),
    ('registrar', 'create_identity', $$SELECT identity.create_identity('matrix', '{"id": "00000000-0000-4000-8000-0000000000aa", "traits": {"username": "twin"}}')$$),
    ('admin', 'merge_identities', $$SELECT * FROM identity.merge_identities('matrix', judge.id('ann'), '00000000-0000-4000-8000-0000000000aa')$$),
    ('admin', 'undo_merge', $$SELECT * FROM identity.undo_merge('matrix', (SELECT merge_id FROM identity.merges WHERE realm = 'matrix'))$$),
    ('admin', 'clear_login_failures', $$SELECT identity.clear_login_failures('matrix', judge.id('forum_bob')::text)$$),
    ('admin', 'add_organization', $$SELECT identity.add_organization('matrix', 'north', '{"allowed_networks": ["192.0.2.0/24"], "verified_domains": ["example.com"]}')$$),
    ('admin', 'set_organization', $$SELECT identity.set_organization('matrix', 'north', '{"mfa_required": true, "allowed_networks": null}')$$),
    ('admin', 'set_organization', $$SELECT identity.set_organization('matrix', 'north', '{"mfa_required": false}')$$),
    ('admin', 'add_organization', $$SELECT identity.add_organization('matrix', 'south')$$),
    ('admin', 'add_membership', $$SELECT identity.add_membership('matrix', judge.id('ann'), 'north', '{"is_default": true}')$$),
    ('admin', 'add_membership', $$SELECT identity.add_membership('matrix', judge.id('ann'), 'south', '{"is_default": true}')$$),
    ('admin', 'set_membership', $$SELECT identity.set_membership('matrix', judge.id('ann'), 'north', '{"is_default": true}')$$),
    ('application', 'resolve_login', $$SELECT * FROM identity.resolve_login('matrix', judge.id('ann'), 'north', '{"ip": "192.0.2.7"}')$$),
    ('admin', 'remove_membership', $$SELECT identity.remove_membership('matrix', judge.id('ann'), 'south')$$),
    ('admin', 'import_memberships', $$SELECT * FROM identity.import_memberships('matrix', 'SELECT judge.id(''ann'') AS identity_id, ''south''::text AS organization, true AS is_default')$$),
    ('admin', 'add_resource_type', $$SELECT identity.add_resource_type('matrix', 'clients', '{view,manage}')$$),
    ('admin', 'imply_scope', $$SELECT identity.imply_scope('matrix', 'clients', 'manage', 'view', 'clients')$$),
    ('admin', 'add_member', $$SELECT identity.add_member('matrix', 'user:1', 'role:staff'), identity.add_member('matrix', 'user:2', 'role:staff')$$),
    ('admin', 'remove_member', $$SELECT identity.remove_member('matrix', 'user:2', 'role:staff')$$),
    ('admin', 'add_container', $$SELECT identity.add_container('matrix', 'clients', 'c1', 'clients', 'f1'), identity.add_container('matrix', 'clients', 'c2', 'clients', 'f1')$$),
    ('admin', 'remove_container', $$SELECT identity.remove_container('matrix', 'clients', 'c2', 'clients', 'f1')$$),
    ('admin', 'add_policy', $$SELECT identity.add_policy('matrix', 'office', 'attribute', '{"attribute": "a", "equals": "b"}'), identity.add_policy('matrix', 'second', 'attribute', '{"attribute": "a", "equals": "c"}')$$),
    ('admin', 'remove_policy', $$SELECT identity.remove_policy('matrix', 'second')$$),
    ('admin', 'grant_permission', $$SELECT identity.grant_permission('matrix', 'user:1', 'clients', '{view}', 'c' || n) FROM generate_series(1, 3) n$$),
    ('admin', 'deny_permission', $$SELECT identity.deny_permission('matrix', 'user:2', 'clients', '{view,manage}')$$),
    ('admin', 'revoke_permission', $$SELECT identity.revoke_permission('matrix', 'user:2', 'clients', '{manage}')$$),
    ('admin', 'add_keycloak_types', $$SELECT identity.add_keycloak_types('matrix too', 'all')$$),
    ('admin', 'collapse_permissions', $$SELECT * FROM identity.collapse_permissions('matrix', 'clients', 'SELECT ''c'' || n FROM generate_series(1, 3) n', false)$$),
    ('admin', 'undo_collapse', $$SELECT * FROM identity.undo_collapse((SELECT run_id FROM identity.collapse_runs WHERE realm = 'matrix'))$$),
    ('admin', 'collapse_permissions', $$SELECT * FROM identity.collapse_permissions('matrix', 'clients', 'SELECT ''c'' || n FROM generate_series(1, 3) n', false)$$),
    ('registrar', 'create_identity', $$SELECT identity.create_identity('matrix', '{"traits": {"username": "frank"}}')$$),
    ('importer', 'update_identity', $$SELECT identity.update_identity('matrix', judge.id('frank'), '{"traits": {"username": "frank", "note": 2}, "metadata_admin": {"x": 1}}')$$),
    ('importer', 'set_password', $$SELECT identity.set_password('matrix', judge.id('frank'), 'a password')$$),
    ('importer', 'set_identity_state', $$SELECT identity.set_identity_state('matrix', judge.id('frank'), 'inactive')$$),
    ('importer', 'add_identifier', $$SELECT identity.add_identifier('matrix', judge.id('frank'), 'email', 'frank@example.com')$$),
    ('importer', 'remove_identifier', $$SELECT identity.remove_identifier('matrix', judge.id('frank'), 'email', 'frank@example.com')$$),
    ('admin', 'delete_identity', $$SELECT identity.delete_identity('matrix', judge.id('frank'))$$),
    ('postgres', 'grant_access', $$SELECT identity.grant_access('matrix_auditor', 'auditor', '{matrix}')$$),
    ('postgres', 'revoke_access', $$SELECT identity.revoke_access('matrix_auditor')$$),
    ('postgres', 'expire_audit_values', $$SELECT identity.expire_audit_values('matrix too', clock_timestamp())$$),
    ('postgres', 'erase_audit_values', $$SELECT identity.erase_audit_values('matrix', judge.id('dave'))$$),
    ('postgres', 'expire_audit', $$SELECT identity.expire_audit('matrix too', clock_timestamp())$$);
CREATE FUNCTION judge.dedups() RETURNS TABLE (detail jsonb) LANGUAGE sql SECURITY DEFINER AS $$ SELECT detail FROM identity.audit_events WHERE realm = 'matrix' AND action = 'dedup_site_logins' $$;
CREATE TABLE judge.told (n int, function text, role text, events text, unexplained text, changed bigint);
DO $$
DECLARE act record;
BEGIN
    FOR act IN SELECT * FROM judge.acts ORDER BY n LOOP
        INSERT INTO judge.told SELECT act.n, act.function, act.role, r.* FROM judge.run(act.statement, CASE act.role WHEN 'postgres' THEN 'postgres' ELSE 'matrix_' || act.role END) r;
    END LOOP;
END $$;
SELECT function, role, changed > 0 AS changed, events, unexplained FROM judge.told ORDER BY n;
-- What is not in this list, and may write, makes the test fail; but for functions that write nothing here, and those that work with another database.
SELECT f.proname FROM pg_proc f WHERE f.pronamespace = 'identity'::regnamespace AND f.provolatile = 'v' AND f.proname NOT IN (SELECT function FROM judge.acts)
  AND f.proname NOT IN ('new_id', 'find_duplicates', 'permission_cache_status', 'import_keycloak', 'export_kratos', 'import_kratos') ORDER BY 1;

-- Statements, on every table, by a superuser and by an administrator. The judge's rows have to be there, whatever refers to them.
INSERT INTO identity.login_failures VALUES ('matrix', 'address', '192.0.2.1', now());
SELECT t.name FROM judge.recorded t WHERE NOT EXISTS (SELECT FROM judge.snapshot s WHERE s.name = t.relname);
BEGIN;
DO $$ DECLARE c record; BEGIN
    FOR c IN SELECT conrelid::regclass AS t, conname FROM pg_constraint WHERE contype = 'f' AND connamespace IN ('identity'::regnamespace, 'identity_internal'::regnamespace) LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname);
    END LOOP;
END $$;
CREATE FUNCTION judge.list(t regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = t AND attnum > 0 AND NOT attisdropped AND attgenerated = '' $$;
-- Other values for each column; one that a constraint refuses is left.
CREATE FUNCTION judge.updates(t regclass) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT format('UPDATE %s SET %I = %s', t, attname, CASE
        WHEN atttypid = 'text'::regtype THEN format('COALESCE(%I, '''') || ''x''', attname)
        WHEN atttypid = 'name'::regtype THEN format('(%I::text || ''x'')::name', attname)
        WHEN atttypid = 'jsonb'::regtype THEN format('COALESCE(%I, ''{}'') || ''{"hashed_password": "{SSHA}xlzaf8dpXKt9rXqOFkGYVxbkqPyNUlZr"}''', attname)
        WHEN atttypid = 'uuid'::regtype THEN 'gen_random_uuid()'
        WHEN atttypid = 'timestamptz'::regtype THEN format('COALESCE(%I, now()) + ''1 second''', attname)
        WHEN atttypid = 'interval'::regtype THEN format('%I + ''1 second''', attname)
        WHEN atttypid = 'boolean'::regtype THEN format('NOT %I', attname)
        WHEN atttypid IN ('int'::regtype, 'bigint'::regtype) THEN format('%I + 1', attname)
        WHEN atttypid = 'text[]'::regtype THEN format('array_append(%I, ''x'')', attname)
        WHEN atttypid = 'cidr[]'::regtype THEN '''{10.0.0.0/8}'''
        ELSE format('%I', attname) END)
    FROM pg_attribute WHERE attrelid = t AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum $$;
CREATE TABLE judge.matrix (name text, role text, statement text, outcome text);
CREATE FUNCTION judge.try(t regclass, relname text, role text, what text, statement text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r record; outcome text; wanted text := CASE what WHEN 'copy' THEN 'INSERT' ELSE upper(what) END || ' ' || relname;
BEGIN
    BEGIN
        SELECT * INTO r FROM judge.run(statement, role);
        RAISE EXCEPTION 'undo';
    EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN outcome := 'not possible';
              WHEN insufficient_privilege THEN outcome := 'refused';
              WHEN raise_exception THEN
        outcome := CASE WHEN r.changed = 0 THEN 'nothing changed' WHEN r.unexplained IS NOT NULL THEN 'not explained: ' || r.unexplained
            WHEN position(wanted IN r.events) = 0 THEN 'no event ' || wanted ELSE 'on record' END;
    END;
    INSERT INTO judge.matrix VALUES (relname, role, what, outcome);
END $$;
DO $$
DECLARE t record; role text; statement text; file text := current_setting('data_directory') || '/judge.copy';
BEGIN
    FOR t IN SELECT * FROM judge.recorded ORDER BY relname LOOP
        FOREACH role IN ARRAY '{postgres,matrix_admin}'::text[] LOOP
            FOR statement IN SELECT * FROM judge.updates(t.name) LOOP
                -- Of an administrator one is enough.
                EXIT WHEN role <> 'postgres' AND EXISTS (SELECT FROM judge.matrix m WHERE (m.name, m.role) = (t.relname, 'matrix_admin') AND m.outcome <> 'not possible');
                PERFORM judge.try(t.name, t.relname, role, 'update', statement);
            END LOOP;
            EXECUTE format('CREATE TABLE judge.kept AS SELECT * FROM %s', t.name);
            GRANT SELECT ON judge.kept TO PUBLIC;
            PERFORM judge.try(t.name, t.relname, role, 'delete', format('DELETE FROM %s', t.name));
            EXECUTE format('DELETE FROM %s', t.name);
            PERFORM judge.try(t.name, t.relname, role, 'insert', format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM judge.kept', t.name, judge.list(t.name)));
            EXECUTE format('DELETE FROM %s', t.name);
            EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM judge.kept', t.name, judge.list(t.name));
            IF role = 'postgres' THEN
                EXECUTE format('COPY %s (%s) TO %L', t.name, judge.list(t.name), file);
                EXECUTE format('DELETE FROM %s', t.name);
                PERFORM judge.try(t.name, t.relname, role, 'copy', format('COPY %s (%s) FROM %L', t.name, judge.list(t.name), file));
                EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM judge.kept', t.name, judge.list(t.name));
            END IF;
            DROP TABLE judge.kept;
        END LOOP;
    END LOOP;
END $$;
SELECT name, string_agg(DISTINCT outcome, ', ') FILTER (WHERE statement = 'insert' AND role = 'postgres') AS insert, string_agg(DISTINCT outcome, ', ') FILTER (WHERE statement = 'copy') AS copy,
    string_agg(DISTINCT outcome, ', ') FILTER (WHERE statement = 'delete' AND role = 'postgres') AS delete,
    string_agg(DISTINCT outcome, ', ') FILTER (WHERE statement = 'update' AND role = 'postgres' AND outcome <> 'not possible') AS update,
    string_agg(DISTINCT outcome, ', ') FILTER (WHERE role = 'matrix_admin' AND outcome <> 'not possible') AS "by an administrator"
FROM judge.matrix GROUP BY 1 ORDER BY 1;
-- TRUNCATE says how many rows went, in each realm.
DO $$
DECLARE t record; began timestamptz; n bigint;
BEGIN
    FOR t IN SELECT * FROM judge.recorded LOOP
        EXECUTE format('SELECT count(*) FROM %s', t.name) INTO n;
        began := clock_timestamp();
        EXECUTE format('TRUNCATE %s', t.name);
        IF n = 0 OR n <> (SELECT sum((e.detail ->> 'rows')::bigint) FROM identity.audit_events e WHERE e.at > began AND e.action = 'TRUNCATE ' || t.relname) THEN
            RAISE WARNING 'TRUNCATE % is not on record', t.name;
        END IF;
    END LOOP;
END $$;
SELECT r, bool_and(v.intact) AS intact FROM unnest('{matrix,matrix too,""}'::text[]) r, identity.verify_audit(r) v GROUP BY 1 ORDER BY 1;
ROLLBACK;

DELETE FROM identity.former_logins; DELETE FROM identity.site_dedup_runs; DELETE FROM identity.staged_identities; DELETE FROM identity.sites; DELETE FROM identity.identities;
DELETE FROM identity.organizations; DELETE FROM identity.identity_schemas; DELETE FROM identity.import_runs; DELETE FROM identity.dedup_rows; DELETE FROM identity.dedup_runs; DELETE FROM identity.login_failures;
TRUNCATE identity.permissions, identity.policies, identity.members, identity.resource_containers, identity.resource_types, identity.implied_scopes, identity.collapse_runs, identity.collapsed_permissions;
SELECT count(identity.revoke_access('matrix_' || l)) FROM unnest('{application,registrar,notifier,auditor,importer,admin}'::text[]) l;
DELETE FROM identity.realms;
DROP TABLE own_logins;
DROP SCHEMA judge CASCADE;
REVOKE CREATE ON SCHEMA public FROM matrix_importer, matrix_admin;
DROP ROLE matrix_application, matrix_registrar, matrix_notifier, matrix_auditor, matrix_importer, matrix_admin;
RESET datestyle; RESET intervalstyle;
