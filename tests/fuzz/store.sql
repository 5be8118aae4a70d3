-- What hostile calls are made upon: realms with awkward names and something of everything in each, tables of an application, and what an
-- identity provider's tables look like. It is run once, by the extension's owner.
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS fuzz_app CASCADE;
CREATE SCHEMA fuzz_app;

CREATE TABLE fuzz_app.users (id int PRIMARY KEY, site int, login varchar(40), email text UNIQUE, age int CHECK (age > 0), renamed boolean NOT NULL DEFAULT false);
INSERT INTO fuzz_app.users VALUES (1, 1, 'bob', 'bob@x.example', 30), (2, 2, 'bob', 'b2@x.example', 31), (3, 2, 'Bob', NULL, NULL), (4, 3, 'ann', 'ann@x.example', 9), (5, 1, 'ANN', NULL, 1);
CREATE TABLE fuzz_app."last, first" ("a,b" int PRIMARY KEY, "x USING gist(r);create table fuzz_app.pwned();--" text UNIQUE, "o'hara" text, "new
line" int);
INSERT INTO fuzz_app."last, first" VALUES (1, 'x', 'y', 2), (2, 'X', 'y', 3);
CREATE TABLE fuzz_app.secret (id int PRIMARY KEY, secret text);
INSERT INTO fuzz_app.secret VALUES (1, 'TOP SECRET');
CREATE TABLE fuzz_app.guarded (id int PRIMARY KEY, what text);
CREATE FUNCTION fuzz_app.guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.what := (SELECT secret FROM fuzz_app.secret); RETURN NEW; END $$;
ALTER FUNCTION fuzz_app.guard() SECURITY DEFINER;
CREATE TRIGGER guard BEFORE INSERT ON fuzz_app.guarded FOR EACH ROW EXECUTE FUNCTION fuzz_app.guard();
CREATE VIEW fuzz_app.names AS SELECT login FROM fuzz_app.users;
CREATE TYPE fuzz_app.pair AS (a int, b text);
CREATE DOMAIN fuzz_app.small AS int CHECK (VALUE < 10);
CREATE TABLE fuzz_app.forum (uid int, login char(24), mail text, mail_ok text, tel bigint, pw text, created int, seen bigint, city text);
INSERT INTO fuzz_app.forum SELECT n, 'user' || n % 7, 'u' || n || '@forum.example', CASE n % 3 WHEN 0 THEN 'Y' ELSE 'N' END, 1700000000 + n, md5('pw' || n), 1262304000, 1700000000000, NULL FROM generate_series(1, 12) AS n;
CREATE TABLE fuzz_app.documents (doc jsonb);
INSERT INTO fuzz_app.documents SELECT jsonb_build_object('traits', jsonb_build_object('username', 'd' || n, 'email', 'd' || n || '@docs.example')) FROM generate_series(1, 5) AS n;

-- What a source may do in its own name, and must gain nothing by: run a statement; put tables of its own, with a trigger that tries to gain
-- something, where the session's temporary tables stood.
CREATE FUNCTION fuzz_app.mischief(what text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE what; RETURN '1'; END $$;
CREATE FUNCTION fuzz_app.plant() RETURNS text LANGUAGE plpgsql AS $f$
DECLARE
    planted text[] := ARRAY(
        SELECT format('CREATE TEMPORARY TABLE %I (%s) ON COMMIT DROP', c.relname, string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)) || CASE WHEN l.collname IS NULL THEN '' ELSE format(' COLLATE %I', l.collname) END, ', ' ORDER BY a.attnum))
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 LEFT JOIN pg_collation AS l ON l.oid = a.attcollation AND l.collname <> 'default'
        WHERE c.relnamespace = pg_my_temp_schema() AND c.relkind = 'r' GROUP BY c.relname);
    names text[] := ARRAY(SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r');
    name text;
    statement text;
BEGIN
    EXECUTE 'DISCARD TEMP';
    EXECUTE $g$CREATE FUNCTION pg_temp.gain() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN
        IF current_user <> session_user THEN EXECUTE format('ALTER ROLE %I SUPERUSER', session_user); END IF; RETURN NEW; END $t$ $g$;
    FOREACH statement IN ARRAY planted LOOP EXECUTE statement; END LOOP;
    FOREACH name IN ARRAY names LOOP EXECUTE format('CREATE TRIGGER gain BEFORE INSERT OR UPDATE ON pg_temp.%I FOR EACH ROW EXECUTE FUNCTION pg_temp.gain()', name); END LOOP;
    RETURN '1';
EXCEPTION WHEN OTHERS THEN
    RETURN '2';
END $f$;

-- As a Keycloak database has it.
CREATE TABLE fuzz_app.resource_server (id varchar(36) PRIMARY KEY, allow_rs_remote_mgmt boolean DEFAULT false NOT NULL, policy_enforce_mode smallint NOT NULL, decision_strategy smallint DEFAULT 1 NOT NULL);
CREATE TABLE fuzz_app.resource_server_resource (id varchar(36) PRIMARY KEY, name varchar(255) NOT NULL, type varchar(255), icon_uri varchar(255), owner varchar(255) NOT NULL, resource_server_id varchar(36) NOT NULL, owner_managed_access boolean DEFAULT false NOT NULL, display_name varchar(255));
CREATE TABLE fuzz_app.resource_server_scope (id varchar(36) PRIMARY KEY, name varchar(255) NOT NULL, icon_uri varchar(255), resource_server_id varchar(36) NOT NULL, display_name varchar(255));
CREATE TABLE fuzz_app.resource_server_policy (id varchar(36) PRIMARY KEY, name varchar(255) NOT NULL, description varchar(255), type varchar(255) NOT NULL, decision_strategy smallint, logic smallint, resource_server_id varchar(36) NOT NULL, owner varchar(255));
CREATE TABLE fuzz_app.policy_config (policy_id varchar(36) NOT NULL, name varchar(255) NOT NULL, value text, PRIMARY KEY (policy_id, name));
CREATE TABLE fuzz_app.associated_policy (policy_id varchar(36) NOT NULL, associated_policy_id varchar(36) NOT NULL, PRIMARY KEY (policy_id, associated_policy_id));
CREATE TABLE fuzz_app.resource_policy (resource_id varchar(36) NOT NULL, policy_id varchar(36) NOT NULL, PRIMARY KEY (resource_id, policy_id));
CREATE TABLE fuzz_app.scope_policy (scope_id varchar(36) NOT NULL, policy_id varchar(36) NOT NULL, PRIMARY KEY (scope_id, policy_id));
CREATE TABLE fuzz_app.realm (id varchar(36) PRIMARY KEY, name varchar(255));
CREATE TABLE fuzz_app.client (id varchar(36) PRIMARY KEY, client_id varchar(255), realm_id varchar(36));
CREATE TABLE fuzz_app.client_scope (id varchar(36) PRIMARY KEY, name varchar(255), realm_id varchar(36));
CREATE TABLE fuzz_app.keycloak_role (id varchar(36) PRIMARY KEY, name varchar(255), client_role boolean, client varchar(36), realm_id varchar(36));
CREATE TABLE fuzz_app.user_group_membership (group_id varchar(36), user_id varchar(36), membership_type varchar(255) DEFAULT 'UNMANAGED');
CREATE TABLE fuzz_app.user_role_mapping (role_id varchar(255), user_id varchar(36));
CREATE TABLE fuzz_app.composite_role (composite varchar(36), child_role varchar(36));
CREATE TABLE fuzz_app.group_role_mapping (role_id varchar(36), group_id varchar(36));
CREATE TABLE fuzz_app.keycloak_group (id varchar(36) PRIMARY KEY, name varchar(255), parent_group varchar(36) NOT NULL, realm_id varchar(36), type int DEFAULT 0);
INSERT INTO fuzz_app.realm VALUES ('r', 'shop');
INSERT INTO fuzz_app.client VALUES ('rs', 'admin-permissions', 'r');
INSERT INTO fuzz_app.keycloak_role VALUES ('role1', 'one', false, NULL, 'r');
INSERT INTO fuzz_app.resource_server VALUES ('rs', false, 0, 1);
INSERT INTO fuzz_app.resource_server_resource (id, name, type, owner, resource_server_id) VALUES ('r1', 'Clients', 'Clients', 'rs', 'rs'), ('r2', 'c1', NULL, 'rs', 'rs');
INSERT INTO fuzz_app.resource_server_scope (id, name, resource_server_id) VALUES ('s1', 'view', 'rs');
INSERT INTO fuzz_app.resource_server_policy (id, name, type, decision_strategy, logic, resource_server_id) VALUES ('pol', 'alice''s "own", $1 @site', 'user', 1, 0, 'rs'), ('perm', 'p', 'scope', 1, 0, 'rs');
INSERT INTO fuzz_app.policy_config VALUES ('pol', 'users', '["alice"]'), ('perm', 'defaultResourceType', 'Clients');
INSERT INTO fuzz_app.associated_policy VALUES ('perm', 'pol');
INSERT INTO fuzz_app.resource_policy VALUES ('r2', 'perm');
INSERT INTO fuzz_app.scope_policy VALUES ('s1', 'perm');

-- The same in every realm.
CREATE FUNCTION fuzz_app.fill(realm text) RETURNS void LANGUAGE plpgsql AS $f$
DECLARE
    identities uuid[];
BEGIN
    PERFORM identity.add_realm(realm);
    PERFORM identity.import_identities(realm, (SELECT jsonb_agg(jsonb_build_object(
        'traits', jsonb_build_object('username', n, 'email', n || '@main.example'),
        'verifiable_addresses', jsonb_build_array(jsonb_build_object('via', 'email', 'value', n || '@main.example', 'verified', true, 'status', 'completed')),
        'credentials', jsonb_build_object('password', jsonb_build_object('config', jsonb_build_object('hashed_password', '$md5$' || encode(decode(md5(n), 'hex'), 'base64'))))))
        FROM unnest('{bob,ann,carol,user1}'::text[]) AS n));
    SELECT array_agg(id ORDER BY created_at, id) INTO identities FROM identity.identities AS i WHERE i.realm = fill.realm;
    PERFORM identity.add_site(realm, 1, 'main'), identity.add_site(realm, 2, 'forum', 'fz_'), identity.add_site(realm, 3, 'shop');
    IF realm <> 'm@site' THEN  -- Its name is taken for a site's number: see known.py.
        PERFORM identity.stage_site(realm, 'forum', 'fuzz_app.forum', '{"original_id": "uid", "username": "login", "email": {"column": "mail", "on_error": "omit"}, "email_verified": {"column": "mail_ok", "true": "Y", "false": "N"}, "password_hash": {"column": "pw", "scheme": "md5"}, "registered_at": {"column": "created", "epoch": "seconds"}, "city": "city"}', '{"test_accounts": ["^user3$"]}');
    END IF;
    PERFORM identity.dedup_site_logins(realm);
    PERFORM identity.add_organization(realm, o, s::jsonb) FROM (VALUES ('north', '{}'), ('strict', '{"mfa_required": true}'), ('sso', '{"sso_required": true, "sso_url": "https://sso.example.com/", "verified_domains": ["example.com"]}')) AS v (o, s);
    PERFORM identity.add_membership(realm, identities[1], o) FROM unnest('{north,strict}'::text[]) AS o;
    PERFORM identity.add_membership(realm, identities[2], 'sso');
    PERFORM identity.add_keycloak_types(realm, 'all');
    PERFORM identity.add_resource_type(realm, 'doors', '{open,close}');
    PERFORM identity.imply_scope(realm, 'doors', 'open', 'close');
    PERFORM identity.add_member(realm, 'user:1', 'group:/eu/sales'), identity.add_member(realm, 'group:/eu/sales', 'role:staff');
    PERFORM identity.add_container(realm, 'users', 'u1', 'groups', 'sales');
    PERFORM identity.add_policy(realm, 'hours', 'time', '{"hours": [[8, 18]]}'), identity.add_policy(realm, 'team', 'attribute', '{"attribute": "team", "equals": "sales"}');
    PERFORM identity.add_policy(realm, 'both', 'aggregate', '{"policies": ["hours", "team"]}');
    PERFORM identity.grant_permission(realm, 'role:staff', 'clients', '{view,manage}'), identity.grant_permission(realm, 'user:1', 'clients', '{view}', 'c1', 'team'),
            identity.deny_permission(realm, 'user:2', 'doors', '{open}', 'front', 'both'), identity.grant_permission(realm, '*', 'doors', '{open}');
    PERFORM identity.collapse_permissions(realm, 'clients', 'SELECT ''c1''', dry_run => false);
    PERFORM identity.resolve_login(realm, identities[1], 'north'), identity.authenticate(realm, 'bob', 'wrong');
    PERFORM identity.set_identity_schema(realm, 'person', '{"properties": {"traits": {"properties": {"username": {"type": "string", "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}}}}}}}');
END
$f$;
SELECT fuzz_app.fill(realm) FROM unnest(ARRAY['acme', 'm@site', 'o''hara', 'last, first', '$1 {realm} %s "x" \', 'été']) AS realm
WHERE NOT EXISTS (SELECT FROM identity.realms AS r WHERE r.name = realm);
SELECT identity.dedup_logins('fuzz_app.users', 'login', 'site', 'id', '{"2": "fz_", "3": "gx_"}');
