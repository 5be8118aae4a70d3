#!/usr/bin/env bash
# pg_dump and restore of a database with the store: the same rows, ids and grants, and a store that goes on working.
. "$(dirname "$0")/../lib.sh"
restored=${db}_restored
role=identity_dump_importer
psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $restored WITH (FORCE)" 2>/dev/null
ask -c "DO \$\$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$role') THEN CREATE ROLE $role; END IF; END \$\$"
dumps=$(mktemp -d)
trap 'rm -rf "$dumps"; psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $restored WITH (FORCE)"; ask -c "DROP OWNED BY $role" -c "DROP ROLE $role"' EXIT
ask >/dev/null 2>&1 <<SQL
SELECT identity.add_realm('acme'), identity.add_realm('Ünïcode "quoted"');
SELECT identity.set_identity_schema('acme', 'default', '{"properties": {"traits": {"properties": {"email": {"ory.sh/kratos": {"credentials": {"password": {"identifier": true}}, "verification": {"via": "email"}}}}}}}');
SELECT count(*) FROM identity.import_identities('acme', (SELECT jsonb_agg(jsonb_build_object('external_id', 'e' || n, 'traits', jsonb_build_object('email', 'User' || n || '@Example.com'),
    'metadata_admin', jsonb_build_object('n', n), 'credentials', jsonb_build_object('password', jsonb_build_object('config', jsonb_build_object('hashed_password', md5(n::text))))))
    FROM generate_series(1, 500) n));
SELECT count(*) FROM identity.import_identities('Ünïcode "quoted"', '[{"traits": {"username": "ＢＯＢ"}}, {"traits": {"username": "bob"}}]');
SELECT identity.add_keycloak_types('acme', 'all');
SELECT identity.add_policy('acme', 'z', 'subject', '{"any": ["user:1"]}'), identity.add_policy('acme', 'a', 'aggregate', '{"policies": ["z"]}');
SELECT identity.add_member('acme', 'user:1', 'group:1'), identity.add_container('acme', 'users', 'u1', 'groups', 'g1');
SELECT identity.grant_permission('acme', 'group:1', 'groups', '{view-members}', 'g1', 'a'), identity.grant_permission('acme', 'user:9', 'clients', '{create}');
INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope) SELECT 'acme', 'user:9', 'roles', n::text, 'map-role' FROM generate_series(1, 10) n;
SELECT identity.collapse_permissions('acme', 'roles', 'SELECT n::text FROM generate_series(1, 10) n', false);
SELECT identity.grant_access('$role', 'importer');
SELECT identity.add_organization('acme', 'north', '{"sso_url": "https://sso.example.com", "allowed_networks": ["192.0.2.0/24"], "verified_domains": ["example.com"]}');
SELECT identity.add_membership('acme', id, 'north') FROM identity.identities WHERE external_id IN ('e1', 'e2');
SELECT r.decision FROM identity.identities i, identity.resolve_login('acme', i.id, 'north', '{"ip": "192.0.2.1"}') r WHERE i.external_id IN ('e1', 'e3');
SELECT identity.add_site('acme', 2, 'forum', 'fz_');
SELECT count(*) FROM identity.stage_site('acme', 'forum', \$\$VALUES (1, 'bob', 'User1@example.com'), (2, 'Bob', 'bob@forum.example')\$\$,
    '{"original_id": "column1", "username": "column2", "email": "column3", "email_verified": {"constant": true}}');
UPDATE identity.addresses SET verified = true;
SET session_replication_role = replica; -- A key that an earlier version of Unicode has made.
INSERT INTO identity.identifiers (realm, key, kind, value, identity_id, unicode_version)
SELECT realm, 'straße', 'username', 'Straße', id, '9.0.0' FROM identity.identities WHERE realm <> 'acme';
RESET session_replication_role;
CREATE TABLE zz_orders (n int);
INSERT INTO zz_orders SELECT generate_series(1, 5);
SELECT count(*) FROM identity.dedup_site_logins('acme');
SQL
pg_dump -Fc -f "$dumps/custom" && pg_dump -Fd -f "$dumps/directory" && pg_dump -f "$dumps/plain.sql"
restore_into_new() { # command…
    psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $restored WITH (FORCE)" -c "CREATE DATABASE $restored" 2>/dev/null
    "$@" 2>"$dumps/errors" || { echo "NOT OK: $*"; cat "$dumps/errors"; exit 1; }
}
restore_into_new pg_restore --exit-on-error -d "$restored" "$dumps/custom"
there() { ask -d "$restored" "$@"; }
forgotten="SELECT string_agg(c.relname, ' ') FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    JOIN pg_extension e ON e.oid = d.refobjid WHERE e.extname = 'pg_identity' AND c.relkind = 'r' AND c.relnatts > 0
    AND c.oid <> ALL (e.extconfig)"
expect "tables that a dump leaves out" "" "$(ask -c "$forgotten")"
for table in realms identity_schemas identities identifiers credentials addresses import_runs audit_heads audit_events audit_values \
    sites staged_identities staged_identifiers site_dedup_runs former_logins notices link_proposals organizations memberships login_failures known_addresses \
    resource_types implied_scopes members resource_containers policies permissions collapse_runs collapsed_permissions; do
    rows="SELECT count(*), md5(string_agg(t::text, E'\n' ORDER BY t::text)) FROM identity.$table t"
    expect "rows of $table" "$(ask -c "$rows")" "$(there -c "$rows")"
    [ "$(ask -c "SELECT count(*) FROM identity.$table")" -gt 0 ] || { echo "NOT OK: $table is empty"; exit 1; }
done
secrets="SELECT count(*), md5(string_agg(s::text, E'\n' ORDER BY s.realm)) FROM identity_internal.login_secrets s"
expect "secrets of realms" "$(ask -c "$secrets")" "$(there -c "$secrets")"
expect "every realm has one" 0 "$(there -c "SELECT count(*) FROM identity.realms r WHERE NOT EXISTS (SELECT FROM identity_internal.login_secrets s WHERE s.realm = r.name)")"
grants="SELECT string_agg(concat_ws(' ', o, (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(acl) a WHERE a::text NOT LIKE 'identity_owner=%')), E'\n' ORDER BY o) FROM (
    SELECT oid::regclass::text, relacl FROM pg_class WHERE relnamespace = 'identity'::regnamespace AND relkind IN ('r', 'v')
    UNION ALL SELECT oid::regprocedure::text, proacl FROM pg_proc WHERE pronamespace = 'identity'::regnamespace
    UNION ALL SELECT nspname, nspacl FROM pg_namespace WHERE nspname = 'identity') g (o, acl)"
expect "grants" "$(ask -c "$grants" | md5sum)" "$(there -c "$grants" | md5sum)"
expect "grants of the role" t "$(there -c "SELECT has_function_privilege('$role', 'identity.patch_identities(text, jsonb)', 'EXECUTE')")"
expect "an import after the restore" "conflict" "$(there -c "SELECT DISTINCT status FROM identity.import_identities('acme', '[{\"traits\": {\"email\": \"user7@example.com\"}}]')" 2>/dev/null)"
expect "the audit after the restore" "t|t" "$(there -c "SELECT bool_and(intact), sum(events) > 2 FROM identity.verify_audit('acme')")"
expect "the audit goes on" t "$(there -c "BEGIN; INSERT INTO identity.realms VALUES ('later'); SELECT bool_and(intact) FROM identity.verify_audit('later'); COMMIT")"
expect "a login after the restore" "allow|north" "$(there -c "SELECT r.decision, r.organization FROM identity.identities i, identity.resolve_login('acme', i.id, context => '{\"ip\": \"192.0.2.9\"}') r WHERE i.external_id = 'e1'")"
expect "numbers go on" t "$(there -c "INSERT INTO identity.notices (realm, site_id, original_id, old_login, new_login) SELECT realm, site_id, original_id, '', '' FROM identity.staged_identities LIMIT 1 RETURNING notice_id > (SELECT max(notice_id) FROM identity.notices)")"
expect "keys after the restore" 0 "$(there -c "SELECT count(*) FROM identity.recheck_identifiers('acme')")"
expect "permissions after the restore" "t|f" "$(there -c "SELECT identity.check_permission('acme', 'user:1', 'view', 'users', 'u1'), identity.check_permission('acme', 'user:2', 'view', 'users', 'u1')")"
expect "a grant after the restore" t "$(there -c "SELECT identity.grant_permission('acme', 'user:2', 'users', '{view}') = 1 AND identity.check_permission('acme', 'user:2', 'view', 'users', 'u1')")"
expect "a collapse undone after the restore" 10 "$(there -c "SELECT restored FROM identity.undo_collapse((SELECT run_id FROM identity.collapse_runs))")"
triggers="SELECT string_agg(tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text, ',' ORDER BY 1) FROM (SELECT * FROM pg_trigger WHERE NOT tgisinternal) t"
expect "modes of triggers" "$(ask -c "$triggers" | md5sum)" "$(there -c "$triggers" | md5sum)"

# However it is restored: also by several sessions at once, which fill the tables in no order. Not a row is lost, and nothing is left
# switched off.
everything="SELECT string_agg(query_to_xml(format('SELECT count(*), md5(string_agg(t::text, E''\n'' ORDER BY t::text)) FROM %s t', c.oid::regclass), true, true, '')::text, '' ORDER BY c.oid::regclass::text)
    FROM pg_class c WHERE c.relnamespace = 'identity'::regnamespace AND c.relkind = 'r'
    UNION ALL SELECT string_agg(concat_ws(' ', s.sequencename, s.last_value), ',' ORDER BY 1) FROM pg_sequences s WHERE s.schemaname = 'identity'
    UNION ALL SELECT string_agg(concat_ws(' ', t.tgrelid::regclass, t.tgname, t.tgenabled), ',' ORDER BY t.tgrelid::regclass::text, t.tgname) FROM pg_trigger t WHERE NOT t.tgisinternal
    UNION ALL SELECT string_agg(concat_ws(' ', t.tgrelid::regclass, t.tgfoid::regproc, t.tgenabled), ',' ORDER BY t.tgrelid::regclass::text, t.tgfoid::regproc::text, t.tgenabled) FROM pg_trigger t WHERE t.tgisinternal
    UNION ALL SELECT string_agg(concat_ws(' ', r, intact), ',') FROM (SELECT r, bool_and(intact) AS intact FROM unnest('{acme,\"\"}'::text[]) r, identity.verify_audit(r) GROUP BY r ORDER BY r) v"
wanted=$(ask -c "$everything")
is_whole() { # what
    expect "$1" "$wanted" "$(there -c "$everything")"
    expect "$1: references are checked again" 23503 "$(there -c "DO \$\$ BEGIN INSERT INTO identity.identities (realm, id) VALUES ('nowhere', gen_random_uuid()); EXCEPTION WHEN foreign_key_violation THEN RAISE NOTICE '%', SQLSTATE; END \$\$" 2>&1 | sed -n 's/.*NOTICE:  //p')"
}
for round in 1 2 3; do
    for format in custom directory; do
        restore_into_new pg_restore -j4 -d "$restored" "$dumps/$format"
        is_whole "$format, four sessions, round $round"
    done
done
restore_into_new pg_restore -1 -d "$restored" "$dumps/custom"
is_whole "in one transaction"
restore_into_new psql -qd "$restored" -c 'CREATE EXTENSION pg_identity' -c 'CREATE TABLE zz_orders (n int)' -c 'CREATE TABLE seen (n int)' \
    -c "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN INSERT INTO public.seen VALUES (NEW.n); RETURN NULL; END \$\$" \
    -c 'CREATE TRIGGER see AFTER INSERT ON zz_orders FOR EACH ROW EXECUTE FUNCTION see()'
pg_restore -a -1 -d "$restored" "$dumps/custom"
expect "triggers of other tables, after the store's in one transaction" 5 "$(there -c 'SELECT count(*) FROM seen')"
restore_into_new psql -Xqd "$restored" -v ON_ERROR_STOP=1 -f "$dumps/plain.sql" -o /dev/null
is_whole "a plain script"

# The settings of a restore open nothing to a role that is no superuser: neither its own statements nor a superuser's session that works as it.
ask -c "SELECT identity.grant_access('$role', 'admin')" >/dev/null
as_restorer="SET check_function_bodies = off; SET row_security = off; INSERT INTO identity.identities (realm, id) VALUES ('nowhere', gen_random_uuid());"
for whoever in "SET SESSION AUTHORIZATION $role" "SET ROLE $role"; do
    refused=$(ask -c "$whoever" -c "$as_restorer" 2>&1 || true)
    expect "a row without its references after $whoever" 'ERROR:  query would be affected by row-level security policy for table "identities"' "$(head -n 1 <<<"$refused")"
done
ask -c "SELECT identity.revoke_access('$role')" >/dev/null

# Who can dump: a superuser, and a role that reads everything past row-level security; nobody by a level. Who can restore: a superuser.
reader=identity_dump_reader owner=identity_dump_owner
ask 2>/dev/null <<SQL
DROP ROLE IF EXISTS $reader, $owner;
CREATE ROLE $reader LOGIN BYPASSRLS;
GRANT pg_read_all_data TO $reader;
CREATE ROLE $owner LOGIN;
ALTER ROLE $role LOGIN;
SELECT identity.grant_access('$role', 'admin');
SQL
forget_roles() { psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $restored WITH (FORCE)" -c "DROP ROLE $reader" -c "DROP ROLE $owner"; }
trap 'rm -rf "$dumps"; forget_roles; ask -c "DROP OWNED BY $role" -c "DROP ROLE $role"' EXIT
sorted() { grep -v '^\\\(un\)\?restrict' | sort | md5sum; }
expect "a dump by pg_read_all_data with BYPASSRLS" "$(pg_dump | sorted)" "$(pg_dump -U "$reader" | sorted)"
refused=$(pg_dump -U "$role" -f /dev/null -t identity.identities 2>&1 || true)
grep -q 'row-level security policy for table "identities"' <<<"$refused" || { echo "NOT OK: a dump by level admin: $refused"; exit 1; }
echo "ok: a dump by level admin is refused"
psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $restored WITH (FORCE)" -c "CREATE DATABASE $restored OWNER $owner"
refused=$(pg_restore -U "$owner" -d "$restored" --exit-on-error "$dumps/custom" 2>&1 || true)
grep -q 'permission denied to create extension "pg_identity"' <<<"$refused" || { echo "NOT OK: a restore by the database's owner: $refused"; exit 1; }
echo "ok: a restore by the database's owner is refused"
