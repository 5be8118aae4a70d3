#!/usr/bin/env bash
# A search path that puts another schema before pg_catalog, with a trap for everything that pg_catalog has: functions, operators,
# types, relations. Whatever a call does in the caller's name must not meet one; nor those that a caller puts into pg_temp.
. "$(dirname "$0")/../lib.sh"
unset PGOPTIONS  # Only a superuser may set what it sets.
hostile=hostile_$$
forget() { psql -XqAt -c "DROP OWNED BY $hostile CASCADE" -c "DROP ROLE $hostile" >/dev/null 2>&1 || true; }
trap forget EXIT
ask >/dev/null <<SQL
SET client_min_messages = warning;
CREATE ROLE $hostile LOGIN;
SELECT identity.grant_access('$hostile', 'admin');
GRANT CREATE ON DATABASE $db TO $hostile;
GRANT CREATE ON SCHEMA public TO $hostile;
SELECT identity.add_realm('acme'), identity.add_site('acme', 1, 'main'), identity.add_site('acme', 2, 'forum'), identity.add_site('acme', 3, 'shop');
SQL
traps=$(ask -U "$hostile" <<'SQL'
CREATE SCHEMA evil;
CREATE FUNCTION evil.spring(what text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'TRAPPED: %', what; END $$;
CREATE FUNCTION evil.try(VARIADIC statements text[]) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;
    RETURN true;
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END $$;
CREATE FUNCTION evil.trap(signature text, what text) RETURNS text LANGUAGE sql AS $$
    SELECT format('CREATE FUNCTION evil.%s RETURNS boolean LANGUAGE plpgsql AS $t$ BEGIN RETURN evil.spring(%L); END $t$', signature, what)
$$;
CREATE TABLE evil.stand_ins (one text, many text);
INSERT INTO evil.stand_ins SELECT t, t || '[]' FROM unnest('{text,bigint,integer,jsonb,boolean,uuid,oid,timestamptz}'::text[]) AS t;
-- Polymorphic ones for the types that our statements have; those of any number of arguments for up to six.
SELECT count(*) > 2500 FROM (
    SELECT DISTINCT p.proname, replace(replace(replace(replace(pg_get_function_identity_arguments(p.oid), 'VARIADIC ', ''), 'anyarray', s.many), 'anyelement', s.one), ' ORDER BY ', ', ') AS arguments
    FROM pg_proc AS p, evil.stand_ins AS s WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind <> 'p'
    UNION
    SELECT p.proname, array_to_string(array_fill(s.one, ARRAY[n]), ', ') FROM pg_proc AS p, evil.stand_ins AS s, generate_series(0, 6) AS n
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proargtypes::oid[] && '{"\"any\""}'::regtype[]::oid[]) AS f
WHERE evil.try(evil.trap(format('%I(%s)', proname, arguments), 'function ' || proname));
SELECT count(*) > 2000 FROM (
    SELECT o.oprname, o.oprleft::regtype::text AS l, o.oprright::regtype::text AS r FROM pg_operator AS o WHERE o.oprnamespace = 'pg_catalog'::regnamespace
    UNION
    SELECT o, l, r FROM unnest('{=,<>,<,>,<=,>=,~~,~,||,->>,->}'::text[]) AS o, unnest('{text,varchar,name,"\"char\"",int2,int4,int8,oid,regclass,tid,timestamptz,bool,jsonb,uuid,text[]}'::text[]) AS l,
        unnest('{text,varchar,name,"\"char\"",int2,int4,int8,oid,regclass,tid,timestamptz,bool,jsonb,uuid,text[]}'::text[]) AS r) AS o
WHERE evil.try(evil.trap(format('op_%s(%s)', md5(concat(oprname, l, r)), concat_ws(', ', NULLIF(l, '-'), r)), concat('operator ', l, ' ', oprname, ' ', r)),
    format('CREATE OPERATOR evil.%s (FUNCTION = evil.op_%s, %s)', oprname, md5(concat(oprname, l, r)), concat_ws(', ', 'LEFTARG = ' || NULLIF(l, '-'), 'RIGHTARG = ' || r)));
SELECT count(*) > 50 FROM pg_type AS t WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typelem = 0
    AND evil.try(format('CREATE DOMAIN evil.%I AS pg_catalog.%I CHECK (evil.spring(%L))', typname, typname, 'type ' || typname));
SELECT count(*) > 100 FROM pg_class AS c WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
    AND evil.try(format('CREATE VIEW evil.%I AS SELECT evil.spring(%L)', relname, 'relation ' || relname));
SELECT count(*) > 50 FROM pg_collation WHERE collnamespace = 'pg_catalog'::regnamespace AND evil.try(format('CREATE COLLATION evil.%I FROM pg_catalog."de-x-icu"', collname));
GRANT USAGE ON SCHEMA evil TO PUBLIC;
SQL
)
expect "functions, operators, types, relations, collations" "t t t t" "$(echo $traps | cut -d' ' -f1-4)"
springs() { psql -XqAt -U "$hostile" -c 'SET search_path = evil, pg_catalog' -c "$1" 2>&1 | grep -o 'TRAPPED: .*' || true; }
expect "a function's trap springs" "TRAPPED: function lower" "$(springs "SELECT lower('X')")"
expect "an operator's too" "TRAPPED: operator name = name" "$(springs "SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_identity'")"
expect "a type's too" "TRAPPED: type text" "$(springs "SELECT 'x'::text")"
# The same types and relations in the temporary schema, which comes first where a path does not name it.
in_temp=$(cat <<'SQL'
SELECT evil.try(format('CREATE DOMAIN pg_temp.%I AS pg_catalog.%I CHECK (evil.spring(%L))', typname, typname, 'temporary type ' || typname))
FROM pg_catalog.pg_type WHERE typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND typtype = 'b' AND typelem = 0 \g /dev/null
SELECT evil.try(format('CREATE TEMPORARY VIEW %I AS SELECT evil.spring(%L)', relname, 'temporary relation ' || relname))
FROM pg_catalog.pg_class WHERE relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND relkind IN ('r', 'v') \g /dev/null
SQL
)

ask -U "$hostile" >/dev/null <<'SQL'
CREATE TABLE public.people (id text, login text, mail text, pw text);
INSERT INTO public.people VALUES ('1', 'ann', 'ann@example.org', md5('p')), ('2', 'bob', 'bob@example.org', md5('p')), ('3', 'Bob', NULL, md5('p'));
SELECT identity.add_resource_type('acme', 'clients', '{view}'), identity.grant_permission('acme', 'user:1', 'clients', '{view}', 'c1'),
       identity.add_policy('acme', 'hours', 'time', '{"hours": [[8, 18]]}');
CREATE TABLE public.people_domains AS SELECT 'example.net' AS domain;
CREATE TABLE public.documents AS SELECT jsonb_build_object('traits', jsonb_build_object('username', 'n' || n)) AS doc FROM generate_series(1, 3) AS n;
CREATE SCHEMA kc;
CREATE TABLE kc.resource_server (id varchar); INSERT INTO kc.resource_server VALUES ('rs');
CREATE TABLE kc.resource_server_resource (id varchar, name varchar); INSERT INTO kc.resource_server_resource VALUES ('r', 'Clients');
CREATE TABLE kc.resource_server_scope (id varchar, name varchar); INSERT INTO kc.resource_server_scope VALUES ('s', 'view');
CREATE TABLE kc.resource_server_policy (id varchar, name varchar, type varchar, decision_strategy smallint, logic smallint, resource_server_id varchar);
INSERT INTO kc.resource_server_policy VALUES ('p', 'permission', 'scope', 1, 0, 'rs'), ('u', 'ann', 'user', 1, 0, 'rs');
CREATE TABLE kc.policy_config (policy_id varchar, name varchar, value text); INSERT INTO kc.policy_config VALUES ('p', 'defaultResourceType', 'Clients'), ('u', 'users', '["ann"]');
CREATE TABLE kc.associated_policy (policy_id varchar, associated_policy_id varchar); INSERT INTO kc.associated_policy VALUES ('p', 'u');
CREATE TABLE kc.resource_policy (resource_id varchar, policy_id varchar); INSERT INTO kc.resource_policy VALUES ('r', 'p');
CREATE TABLE kc.scope_policy (scope_id varchar, policy_id varchar); INSERT INTO kc.scope_policy VALUES ('s', 'p');
CREATE TABLE kc.realm (id varchar, name varchar); INSERT INTO kc.realm VALUES ('r', 'shop');
CREATE TABLE kc.client (id varchar, client_id varchar, realm_id varchar); INSERT INTO kc.client VALUES ('rs', 'admin-permissions', 'r');
CREATE TABLE kc.client_scope (id varchar, name varchar, realm_id varchar);
CREATE TABLE kc.keycloak_group (id varchar, name varchar, parent_group varchar, realm_id varchar, type int); INSERT INTO kc.keycloak_group VALUES ('g', 'g', ' ', 'r', 0);
CREATE TABLE kc.keycloak_role (id varchar, name varchar, client_role boolean, client varchar, realm_id varchar); INSERT INTO kc.keycloak_role VALUES ('role', 'role', true, 'c', 'r');
CREATE TABLE kc.user_role_mapping (role_id varchar, user_id varchar); INSERT INTO kc.user_role_mapping VALUES ('role', 'ann');
CREATE TABLE kc.group_role_mapping (role_id varchar, group_id varchar);
CREATE TABLE kc.composite_role (composite varchar, child_role varchar);
CREATE TABLE kc.user_group_membership (group_id varchar, user_id varchar); INSERT INTO kc.user_group_membership VALUES ('g', 'ann');
SQL
# Each call, under a path with traps before pg_catalog, under one where the traps of pg_temp come after them, and under the usual one,
# where pg_temp comes first.
called=0
while IFS= read -r call; do
    [ -n "$call" ] || continue
    for path in "evil, pg_catalog" "evil, pg_temp" '"$user", public'; do
        said=$(psql -XqAt -U "$hostile" 2>&1 <<SQL || true
SET client_min_messages = warning;
$([ "$path" = "evil, pg_catalog" ] || echo "$in_temp")
BEGIN;
SET search_path = $path;
$call;
SET search_path = pg_catalog;
ROLLBACK;
SQL
)
        called=$((called + 1))
        case $said in *TRAPPED* | *ERROR*) expect "$call under $path" "no trap, no error" "$said" ;; esac
    done
done <<'SQL'
SELECT s.* FROM identity.stage_site('acme', 'forum', 'SELECT id, login, mail, pw FROM public.people', '{"original_id": "id", "username": "login", "email": "mail", "password_hash": "pw"}', '{"disposable_domains": "public.people_domains"}', report => 'all') AS s
SELECT s.* FROM identity.stage_site('acme', 'forum', 'public.people', '{"original_id": "id", "username": "login"}', report => 'all') AS s
SELECT s.* FROM identity.stage_site('acme', 'forum', 'public.people', '{"original_id": "id", "username": "login"}') AS s; SELECT s.* FROM identity.stage_site('acme', 'shop', 'public.people', '{"original_id": "id", "username": "login"}') AS s; SELECT d.* FROM identity.dedup_site_logins('acme') AS d
SELECT i.* FROM identity.import_identities('acme', '[{"external_id": "a", "traits": {"username": "ann", "email": "a@example.org"}, "verifiable_addresses": [{"value": "a@example.org", "via": "email"}]}, {"traits": {"username": "ann"}}, {"traits": {}}, 7]') AS i
SELECT i.* FROM identity.import_identities('acme', '[{"external_id": "a", "traits": {"username": "ann"}}]') AS i; SELECT i.* FROM identity.import_identities('acme', '[{"external_id": "a", "traits": {"username": "eve"}}, {"external_id": "a", "traits": {"username": "Eve"}}]', 'update', report => 'all') AS i
SELECT i.* FROM identity.import_identities_from('acme', 'SELECT pg_catalog.jsonb_build_object(''traits'', pg_catalog.jsonb_build_object(''username'', login)) AS doc FROM public.people', report => 'all') AS i
SELECT i.* FROM identity.import_identities_from('acme', 'public.documents', 'abort', report => 'all') AS i
SELECT identity.patch_identities('acme', '{"identities": [{"patch_id": "p", "create": {"traits": {"username": "ann"}}}, {"create": {"traits": {"username": "ann"}}}]}')
SELECT s.* FROM identity.stage_site('acme', 'forum', 'public.people', '{"original_id": "id", "username": "login", "password_hash": "pw"}') AS s; SELECT a.* FROM identity.authenticate('acme', 'ann', 'p', '{"ip": "192.0.2.1"}') AS a; SELECT a.* FROM identity.authenticate('acme', 'ann', 'wrong') AS a; SELECT a.* FROM identity.authenticate('acme', 'nobody', 'p') AS a; SELECT l.* FROM identity.login_candidates('acme', 'Bob') AS l; SELECT p.* FROM identity.promote_identity('acme', 'forum', '2') AS p
SELECT s.* FROM identity.stage_site('acme', 'forum', 'public.people', '{"original_id": "id", "username": "login"}', '{"test_accounts": ["^bob"]}') AS s; SELECT identity.release_staged('acme', 'forum')
SELECT n.* FROM identity.pending_notices('acme') AS n; SELECT identity.mark_notices('acme', '{1,2}', 'sent')
SELECT identity.add_realm('other'); SELECT identity.add_site('other', 2, 'two'); SELECT identity.set_password_scheme('other', 'argon2id'); SELECT identity.set_identity_schema('other', 'default', '{"properties": {"traits": {"properties": {"login": {"type": "string", "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}}}}}}}'); SELECT i.* FROM identity.import_identities('other', '[{"traits": {"login": "ann"}}]') AS i
SELECT r.* FROM identity.recheck_identifiers('acme') AS r
SELECT c.* FROM identity.collapse_permissions('acme', 'clients', 'SELECT ''c1''') AS c; SELECT c.* FROM identity.collapse_permissions('acme', 'clients', 'SELECT ''c1''', false) AS c
SELECT k.* FROM identity.import_keycloak('acme', 'kc', 'all') AS k; SELECT k.* FROM identity.import_keycloak('acme', 'kc', 'uncovered', dry_run => true) AS k
SELECT identity.check_permission('acme', 'user:1', 'view', 'clients', 'c1'); SELECT c.* FROM identity.check_permissions('acme', 'user:1', 'clients', '{view}', '{c1,c2}') AS c; SELECT e.* FROM identity.explain_permission('acme', 'user:1', 'view', 'clients', 'c1') AS e
SELECT p.* FROM identity.permitted_resources('acme', 'user:1', 'view', 'clients') AS p; SELECT p.* FROM identity.permitted_subjects('acme', 'view', 'clients', 'c1') AS p
SELECT identity.add_member('acme', 'user:1', 'group:a'); SELECT identity.add_container('acme', 'clients', 'c1', 'clients', 'all'); SELECT identity.imply_scope('acme', 'clients', 'view', 'clients', 'view') WHERE false; SELECT identity.add_policy('acme', 'p', 'subject', '{"any": ["user:1"]}'); SELECT p.* FROM identity.permission_problems('acme') AS p
SELECT identity.add_organization('acme', 'north', '{}'); SELECT o.* FROM identity.organizations_of_email('acme', 'a@example.org') AS o; SELECT identity.clear_login_failures('acme', 'ann')
SELECT i.* FROM identity.import_identities('acme', '[{"traits": {"username": "ann"}}]') AS i; SELECT r.* FROM identity.identities_view AS v CROSS JOIN LATERAL identity.resolve_login('acme', v.id) AS r; SELECT r.* FROM identity.identities_view AS v CROSS JOIN LATERAL identity.preview_login('acme', v.id) AS r
SELECT identity.audit_checkpoint('acme'); SELECT v.* FROM identity.verify_audit('acme') AS v
SQL
expect "calls under three paths" t "$([ "$called" -ge 60 ] && echo t)"
