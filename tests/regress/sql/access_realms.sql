-- A role that has a level for some realms: to it, all others do not exist.
SET client_min_messages = warning;
SELECT identity.add_realm(r) FROM unnest('{ours,theirs}'::text[]) r;
SELECT identity.add_site(r, 1, 'main'), identity.add_site(r, 2, 'shop'), identity.add_organization(r, 'org'), identity.add_resource_type(r, 'docs', '{view}')
FROM unnest('{ours,theirs}'::text[]) r;
SELECT identity.grant_permission(r, 'user:1', 'docs', '{view}') FROM unnest('{ours,theirs}'::text[]) r;
SELECT r, i.status FROM unnest('{ours,theirs}'::text[]) r,
  identity.import_identities(r, '[{"traits": {"username": "ann"}, "credentials": {"password": {"config": {"hashed_password": "5f4dcc3b5aa765d61d8327deb882cf99"}}}}]') i;
SELECT id AS theirs FROM identity.identities WHERE realm = 'theirs' \gset
SELECT id AS ours FROM identity.identities WHERE realm = 'ours' \gset
CREATE ROLE our_app; CREATE ROLE our_registrar; CREATE ROLE our_auditor; CREATE ROLE our_notifier; CREATE ROLE our_importer; CREATE ROLE our_admin;
SELECT identity.grant_access('our_' || l, CASE l WHEN 'app' THEN 'application' ELSE l END, '{ours}')
FROM unnest('{app,registrar,auditor,notifier,importer,admin}'::text[]) l;
SELECT identity.grant_access('our_app', 'application', '{ours,nowhere}');
SELECT identity.grant_access('our_app', 'application', '{}');
SELECT identity.grant_access('our_app', 'application', '{NULL}');
SELECT role, level, realm FROM identity.access_grants ORDER BY 1::text;

-- Each function that takes a realm answers about another realm as about one that does not exist. Those that are about it: all.
CREATE FUNCTION answer(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    EXECUTE 'SELECT string_agg(x::text, '';'') FROM ' || call || ' x' INTO said;
    RETURN 'answers ' || COALESCE(said, 'nothing');
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
GRANT EXECUTE ON FUNCTION answer(text) TO PUBLIC;
CREATE FUNCTION call_of(f regprocedure, realm text) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s(%L%s)', f::regproc, realm, (
        SELECT string_agg(', ' || CASE
            WHEN t = 'uuid'::regtype THEN quote_literal('00000000-0000-0000-0000-000000000001') || '::uuid'
            WHEN t = 'jsonb'::regtype AND f::regproc::text ~ 'patch' THEN '''{"identities": []}'''
            WHEN t = 'jsonb'::regtype AND f::regproc::text ~ 'import' THEN '''[]'''
            WHEN t = 'jsonb'::regtype AND f::regproc::text ~ 'stage' THEN '''{"original_id": "id"}'''
            WHEN t = 'jsonb'::regtype THEN '''{}'''
            WHEN t = 'text'::regtype AND a.name = 'source' THEN quote_literal('SELECT ''{}''::jsonb AS id')
            WHEN t = 'text'::regtype AND a.name = 'resources' THEN quote_literal('SELECT ''x''')
            WHEN t = 'text'::regtype AND a.name IN ('subject', 'member', 'container') THEN '''user:1'''
            WHEN t = 'text'::regtype AND a.name = 'kind' THEN '''subject'''
            WHEN t = 'text[]'::regtype THEN '''{view}'''
            WHEN t = 'text'::regtype THEN quote_literal(CASE a.name WHEN 'resource_type' THEN 'docs' WHEN 'scope' THEN 'view' WHEN 'site' THEN 'shop'
                WHEN 'state' THEN 'sent' WHEN 'on_conflict' THEN 'skip' WHEN 'report' THEN 'all' WHEN 'scheme' THEN 'argon2id' ELSE 'org' END)
            WHEN t = 'boolean'::regtype THEN 'false'
            WHEN t = 'bigint[]'::regtype THEN '''{}'''
            WHEN t = 'timestamptz'::regtype THEN 'now() - interval ''1 year'''
            ELSE '1' END, '' ORDER BY a.n)
        FROM unnest(p.proargtypes[1:]::oid[], p.proargnames[2:p.pronargs]) WITH ORDINALITY AS a (t, name, n)))
    FROM pg_proc p WHERE p.oid = f
$$;
CREATE TABLE questions AS
SELECT DISTINCT p.oid::regprocedure AS f
FROM pg_proc p JOIN identity_internal.access_rights() r ON r.object LIKE 'FUNCTION identity.%' AND substr(r.object, 10)::regprocedure = p.oid
WHERE p.pronamespace = 'identity'::regnamespace AND p.proargnames[1] = 'realm' AND r.level <> 'owner';
CREATE TABLE answers (f regprocedure, role text, about text, said text);
GRANT SELECT ON questions TO PUBLIC;
GRANT INSERT ON answers TO PUBLIC;
CREATE FUNCTION ask() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO answers SELECT f, current_user, r, replace(answer(call_of(f, r)), r, 'REALM')
    FROM questions, unnest('{theirs,nowhere}'::text[]) r WHERE has_function_privilege(f, 'EXECUTE') ORDER BY f::text;
END $$;
GRANT EXECUTE ON FUNCTION ask(), call_of(regprocedure, text) TO PUBLIC;
SET ROLE our_app; SELECT ask(); SET ROLE our_registrar; SELECT ask(); SET ROLE our_auditor; SELECT ask(); SET ROLE our_notifier; SELECT ask();
SET ROLE our_importer; SELECT ask(); SET ROLE our_admin; SELECT ask(); RESET ROLE;
-- Never two different answers; and what they are.
SELECT f, role, array_agg(about || ': ' || said) FROM answers GROUP BY 1, 2 HAVING count(DISTINCT said) > 1;
SELECT regexp_replace(said, 'realm "REALM" does not exist.*', 'realm "REALM" does not exist') AS said, count(DISTINCT f) AS functions,
       CASE WHEN said NOT LIKE '%does not exist%' THEN string_agg(DISTINCT f::regproc::text, ' ') END AS which
FROM answers WHERE about = 'theirs' GROUP BY 1, said LIKE '%does not exist%', said ORDER BY 1;
SELECT count(DISTINCT f) = (SELECT count(*) FROM questions) AS all_asked FROM answers;
-- Nothing was written there.
SELECT count(*) FROM identity.audit_events WHERE realm = 'theirs' AND session_role <> acting_role;

-- The tables: rows of one realm, to be read and written; none of another is read, changed, deleted or added.
SET ROLE our_admin;
CREATE TEMP TABLE seen (name text, realms text[]);
DO $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT c.relname, CASE c.relname WHEN 'realms' THEN 'name' ELSE 'realm' END AS realm FROM pg_class c
             WHERE c.relnamespace = 'identity'::regnamespace AND c.relkind IN ('r', 'v') AND has_table_privilege(c.oid, 'SELECT')
               AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = CASE c.relname WHEN 'realms' THEN 'name' ELSE 'realm' END) LOOP
        EXECUTE format('INSERT INTO seen SELECT %L, array_agg(DISTINCT %I) FROM identity.%I', t.relname, t.realm, t.relname);
    END LOOP;
END $$;
SELECT realms, string_agg(name, ' ' ORDER BY name) AS tables FROM seen GROUP BY 1 ORDER BY 1;
UPDATE identity.identities SET state = 'inactive' WHERE realm = 'theirs';
DELETE FROM identity.permissions WHERE realm = 'theirs';
INSERT INTO identity.permissions (realm, subject, resource_type, scope) VALUES ('theirs', 'user:evil', 'docs', 'view');
UPDATE identity.permissions SET realm = 'theirs';
INSERT INTO identity.realms VALUES ('mine');
SELECT identity.add_realm('mine');
SELECT identity.add_realm('theirs');
TRUNCATE identity.permissions;
-- A function in a condition is not shown rows that the role does not see.
CREATE FUNCTION pg_temp.peek(text, text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE WARNING 'peeked at % of %', $2, $1; RETURN true; END $$;
SELECT count(*) FROM identity.identities_view WHERE pg_temp.peek(realm, username);
SELECT count(*) FROM identity.identifiers WHERE pg_temp.peek(realm, value);
DROP FUNCTION pg_temp.peek; DROP TABLE seen;
-- Its own realm works.
SELECT identity.grant_permission('ours', 'user:2', 'docs', '{view}'), identity.add_member('ours', 'user:3', 'group:g'), identity.add_membership('ours', :'ours', 'org');
INSERT INTO identity.permissions (realm, subject, resource_type, scope) VALUES ('ours', 'user:4', 'docs', 'view');
RESET ROLE;
SET ROLE our_app;
SELECT identity.check_permission('ours', 'user:2', 'view', 'docs') AS ours, identity.check_permission('theirs', 'user:1', 'view', 'docs') AS theirs;
SELECT permitted FROM identity.check_permissions('theirs', 'user:1', 'docs', '{view}', '{NULL}');
SELECT verdict FROM identity.authenticate('ours', 'ann', 'password');
SELECT decision FROM identity.resolve_login('ours', :'ours');
SELECT realm, username FROM identity.identities_view;
SELECT name FROM identity.realms;
-- The level is asked for as well as the right to call.
RESET ROLE;
CREATE ROLE by_hand;
GRANT USAGE ON SCHEMA identity, identity_internal TO by_hand;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA identity, identity_internal TO by_hand;
SET ROLE by_hand;
SELECT identity.check_permission('ours', 'user:2', 'view', 'docs');
SELECT * FROM identity.verify_audit('ours');
SELECT * FROM identity.import_identities('ours', '[]');
SELECT * FROM identity.import_rows('questions', 'questions');
\set SHOW_CONTEXT never
SELECT * FROM identity_internal.verify_audit('ours', NULL);
\set SHOW_CONTEXT errors
RESET ROLE;
DROP OWNED BY by_hand; DROP ROLE by_hand;
-- A registrar adds, and changes nothing.
SET ROLE our_registrar;
SELECT identity_internal.has_all_realms('admin'), * FROM identity_internal.my_realms(NULL);
SELECT * FROM identity_internal.my_realms('king');
SELECT status FROM identity.import_identities('ours', '[{"traits": {"username": "new"}}]');
SELECT status FROM identity.import_identities('ours', '[{"traits": {"username": "new"}}]', on_conflict => 'update');
SELECT * FROM identity.identities_view;
RESET ROLE;
-- An auditor reads the audit of the realm, not that of the database.
SET ROLE our_auditor;
SELECT DISTINCT realm FROM identity.audit_events;
SELECT bool_and(intact) FROM identity.verify_audit('ours');
SELECT * FROM identity.verify_audit('');
SELECT * FROM identity.identities;
RESET ROLE;

-- An application's own function that runs as its owner asks as that owner.
GRANT CREATE ON SCHEMA public TO our_app;
CREATE ROLE stranger;
SET ROLE our_app;
CREATE FUNCTION public.may_view(who text) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS $$ SELECT identity.check_permission('ours', who, 'view', 'docs') $$;
RESET ROLE;
SET ROLE stranger;
SELECT may_view('user:2');
SELECT identity.check_permission('ours', 'user:2', 'view', 'docs');
RESET ROLE;
DROP FUNCTION may_view;
REVOKE CREATE ON SCHEMA public FROM our_app;

-- What a role inherits adds up; what it could only SET does not, until it does.
SELECT identity.grant_access('stranger', 'application', '{theirs}');
GRANT our_app TO stranger;
SET ROLE stranger;
SELECT identity.check_permission('ours', 'user:1', 'view', 'docs') AS ours, identity.check_permission('theirs', 'user:1', 'view', 'docs') AS theirs;
SELECT name FROM identity.realms ORDER BY 1;
RESET ROLE;
REVOKE our_app FROM stranger;
SET ROLE stranger;
SELECT identity.check_permission('ours', 'user:1', 'view', 'docs') AS ours, identity.check_permission('theirs', 'user:1', 'view', 'docs') AS theirs;
RESET ROLE;
-- A second grant replaces the first, also in the middle of a transaction, and until it is rolled back.
BEGIN;
SELECT identity.grant_access('stranger', 'auditor', '{ours}');
SET LOCAL ROLE stranger;
SELECT count(*) > 0 AS lanes FROM identity.verify_audit('ours');
SAVEPOINT before;
SELECT identity.check_permission('theirs', 'user:1', 'view', 'docs');
ROLLBACK;
SET ROLE stranger;
SELECT identity.check_permission('theirs', 'user:1', 'view', 'docs');
RESET ROLE;
-- A role that is dropped, and one of the same name that comes later; a realm likewise.
SELECT identity.revoke_access('stranger');
SELECT identity.grant_access('stranger', 'application', '{theirs}');
DROP OWNED BY stranger; DROP ROLE stranger; CREATE ROLE stranger;
GRANT USAGE ON SCHEMA identity TO stranger;
GRANT EXECUTE ON FUNCTION identity.check_permission TO stranger;
SET ROLE stranger;
SELECT identity.check_permission('theirs', 'user:1', 'view', 'docs');
RESET ROLE;
DROP OWNED BY stranger; DROP ROLE stranger;
SELECT identity.grant_access('our_app', 'application', '{theirs}');
DELETE FROM identity.identities WHERE realm = 'theirs'; DELETE FROM identity.organizations WHERE realm = 'theirs';
DELETE FROM identity.sites WHERE realm = 'theirs'; DELETE FROM identity.permissions WHERE realm = 'theirs'; DELETE FROM identity.resource_types WHERE realm = 'theirs';
DELETE FROM identity.realms WHERE name = 'theirs';
SELECT identity.add_realm('theirs');
SET ROLE our_app;
SELECT identity.check_permission('theirs', 'user:1', 'view', 'docs');
RESET ROLE;

SELECT count(identity.revoke_access('our_' || l)) FROM unnest('{app,registrar,auditor,notifier,importer,admin}'::text[]) l;
SELECT count(*) FROM identity.access_grants;
DROP ROLE our_app, our_registrar, our_auditor, our_notifier, our_importer, our_admin;
DROP TABLE questions, answers; DROP FUNCTION ask, call_of, answer;
DELETE FROM identity.members; DELETE FROM identity.permissions; DELETE FROM identity.resource_types;
DELETE FROM identity.sites; DELETE FROM identity.organizations; DELETE FROM identity.identities; DELETE FROM identity.import_runs; DELETE FROM identity.realms;
