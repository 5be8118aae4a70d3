#!/usr/bin/env bash
# identity.import_keycloak() of a database of Keycloak's size: 10,000 permissions, 5,000 policies, 5,000 groups, 100,000 memberships, 50,000 users.
. "$(dirname "$0")/lib.sh"
permissions=${ROWS:-10000}
db=bench_keycloak
run -d postgres -c "DROP DATABASE IF EXISTS $db" -c "CREATE DATABASE $db" 2>/dev/null
run -d $db -v n="$permissions" <<'SQL'
CREATE EXTENSION pg_identity;
CREATE SCHEMA kc;
CREATE TABLE kc.realm (id varchar(36) PRIMARY KEY, name varchar(255));
CREATE TABLE kc.client (id varchar(36) PRIMARY KEY, client_id varchar(255), realm_id varchar(36));
CREATE TABLE kc.client_scope (id varchar(36) PRIMARY KEY, name varchar(255), realm_id varchar(36));
CREATE TABLE kc.resource_server (id varchar(36) PRIMARY KEY);
CREATE TABLE kc.resource_server_resource (id varchar(36) PRIMARY KEY, name varchar(255), resource_server_id varchar(36));
CREATE TABLE kc.resource_server_scope (id varchar(36) PRIMARY KEY, name varchar(255), resource_server_id varchar(36));
CREATE TABLE kc.resource_server_policy (id varchar(36) PRIMARY KEY, name varchar(255), type varchar(255), decision_strategy smallint, logic smallint, resource_server_id varchar(36));
CREATE TABLE kc.policy_config (policy_id varchar(36), name varchar(255), value text, PRIMARY KEY (policy_id, name));
CREATE TABLE kc.associated_policy (policy_id varchar(36), associated_policy_id varchar(36), PRIMARY KEY (policy_id, associated_policy_id));
CREATE TABLE kc.resource_policy (resource_id varchar(36), policy_id varchar(36), PRIMARY KEY (resource_id, policy_id));
CREATE TABLE kc.scope_policy (scope_id varchar(36), policy_id varchar(36), PRIMARY KEY (scope_id, policy_id));
CREATE TABLE kc.keycloak_group (id varchar(36) PRIMARY KEY, name varchar(255), parent_group varchar(36), realm_id varchar(36), type int DEFAULT 0);
CREATE TABLE kc.keycloak_role (id varchar(36) PRIMARY KEY, name varchar(255), client_role boolean, client varchar(36), realm_id varchar(36));
CREATE TABLE kc.user_group_membership (group_id varchar(36), user_id varchar(36));
CREATE TABLE kc.user_role_mapping (role_id varchar(255), user_id varchar(36));
CREATE TABLE kc.group_role_mapping (role_id varchar(36), group_id varchar(36));
CREATE TABLE kc.composite_role (composite varchar(36), child_role varchar(36));
CREATE TABLE kc.fed_user_group_membership (group_id varchar(36), user_id varchar(255));
CREATE TABLE kc.fed_user_role_mapping (role_id varchar(36), user_id varchar(255));
CREATE FUNCTION kc.id(what text, n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT md5(what || n)::uuid::text';
INSERT INTO kc.realm VALUES ('realm', 'shop');
INSERT INTO kc.client VALUES ('rs', 'admin-permissions', 'realm');
INSERT INTO kc.resource_server VALUES ('rs');
-- Permissions are on the first 2500 groups; the others stand one in another. Of the users, 30000 are in one of each, and 20000 in the chief's.
INSERT INTO kc.keycloak_group SELECT kc.id('g', n), 'g' || n, CASE WHEN n > 3000 THEN kc.id('g', n % 500 + 2501) ELSE ' ' END, 'realm' FROM generate_series(1, 5000) n UNION ALL SELECT 'big', 'big', ' ', 'realm';
INSERT INTO kc.user_group_membership SELECT CASE WHEN m = 1 THEN kc.id('g', 2501 + u % 2500) WHEN u > 30000 THEN 'big' ELSE kc.id('g', 1 + u % 2500) END, kc.id('u', u) FROM generate_series(1, 50000) u, generate_series(0, 1) m;
INSERT INTO kc.resource_server_scope SELECT 's-' || s, s, 'rs' FROM unnest('{view,manage,map-roles,reset-password,view-members,manage-members}'::text[]) s;
INSERT INTO kc.resource_server_resource SELECT 'Users', 'Users', 'rs' UNION ALL SELECT 'Groups', 'Groups', 'rs'
    UNION ALL SELECT kc.id('u', n), kc.id('u', n), 'rs' FROM generate_series(1, 50000) n UNION ALL SELECT kc.id('g', n), kc.id('g', n), 'rs' FROM generate_series(1, 5000) n;
-- Half of the policies are of users, half of groups; a permission has one of each in ten cases, and else one. Half are on groups, half on users.
INSERT INTO kc.resource_server_policy SELECT kc.id('p', n), 'policy ' || n, CASE n % 2 WHEN 0 THEN 'user' ELSE 'group' END, 1, 0, 'rs' FROM generate_series(1, :n / 2) n;
INSERT INTO kc.policy_config SELECT kc.id('p', n), CASE n % 2 WHEN 0 THEN 'users' ELSE 'groups' END,
    CASE n % 2 WHEN 0 THEN jsonb_build_array(kc.id('u', n), kc.id('u', n + 1)) ELSE jsonb_build_array(jsonb_build_object('id', kc.id('g', n % 5000 + 1), 'extendChildren', true)) END FROM generate_series(1, :n / 2) n;
INSERT INTO kc.resource_server_policy SELECT kc.id('q', n), 'permission ' || n, 'scope', 1, 0, 'rs' FROM generate_series(1, :n) n;
INSERT INTO kc.policy_config SELECT kc.id('q', n), 'defaultResourceType', CASE n % 2 WHEN 0 THEN 'Users' ELSE 'Groups' END FROM generate_series(1, :n) n;
INSERT INTO kc.associated_policy SELECT kc.id('q', n), kc.id('p', n % (:n / 2) + 1) FROM generate_series(1, :n) n;
INSERT INTO kc.associated_policy SELECT kc.id('q', n), kc.id('p', (n + 1) % (:n / 2) + 1) FROM generate_series(1, :n, 10) n;
INSERT INTO kc.resource_policy SELECT CASE n % 2 WHEN 0 THEN kc.id('u', n) ELSE kc.id('g', (n + 1) / 2 % 2500 + 1) END, kc.id('q', n) FROM generate_series(1, :n) n;
INSERT INTO kc.scope_policy SELECT 's-' || s, kc.id('q', n) FROM generate_series(1, :n) n, unnest(CASE n % 2 WHEN 0 THEN '{view,manage}'::text[] ELSE '{view-members,manage-members}' END) s;
-- The chief may view the members of the big group.
INSERT INTO kc.resource_server_resource VALUES ('big', 'big', 'rs');
INSERT INTO kc.resource_server_policy VALUES ('all', 'the big group', 'scope', 1, 0, 'rs'), ('chief', 'the chief', 'user', 1, 0, 'rs');
INSERT INTO kc.policy_config VALUES ('all', 'defaultResourceType', 'Groups'), ('chief', 'users', '["chief"]');
INSERT INTO kc.associated_policy VALUES ('all', 'chief');
INSERT INTO kc.resource_policy VALUES ('big', 'all');
INSERT INTO kc.scope_policy VALUES ('s-view-members', 'all');
VACUUM ANALYZE;
SELECT identity.add_realm('acme') \g /dev/null
SQL
peak() { # the most of its own memory that a session has had while the statement ran, in MB
    local most=0 now pid
    run -d $db -At -c "SET application_name = 'measured'" -c "$1" >/dev/null &
    while kill -0 $! 2>/dev/null; do
        pid=$(run -d $db -At -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'measured' LIMIT 1")
        now=$(sed -n 's/^RssAnon:\s*\([0-9]*\) kB/\1/p' "/proc/${pid:-none}/status" 2>/dev/null || true)
        [ "${now:-0}" -le "$most" ] || most=$now
        sleep 0.2
    done
    echo $((most / 1024))
}
import="SELECT count(*) FROM identity.import_keycloak('acme', 'kc', 'all')"
dry_run="SELECT count(*) FROM identity.import_keycloak('acme', 'kc', 'all', dry_run => true)"
milliseconds() { run -d $db -At -c "SELECT identity.check_permission('acme', 'user:x', 'view', 'users')" -c '\timing on' -c "$1" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -n 1; }
echo "a dry run, with nothing imported yet: $(seconds $db -c "$dry_run") s"
echo "import of $permissions permissions, $((permissions / 2)) policies: $(seconds $db -c "$import") s (goal 30)"
run -d $db -c "VACUUM ANALYZE"
echo "once more, nothing changed: $(seconds $db -c "$import") s (goal 15)"
echo "a dry run, nothing changed: $(seconds $db -c "$dry_run") s"

run -d $db -c "DELETE FROM identity.permissions" -c "DELETE FROM identity.policies" -c "DELETE FROM identity.members" -c "DELETE FROM identity.resource_containers"
echo "the session's own memory in an import: $(peak "$import") MB (goal 300)"
run -d $db -c "VACUUM ANALYZE"
list="SELECT count(*) FROM identity.permitted_resources('acme', 'user:' || kc.id('u', 1000), 'view', 'users', max_rows => 100000, only_permitted => true)"
echo "all that one administrator may view of 50000 users: $(milliseconds "$list") ms (goal 100), $(run -d $db -At -c "$list") rows"
list="SELECT count(*) FROM identity.permitted_resources('acme', 'user:chief', 'view', 'users', max_rows => 100000, only_permitted => true)"
echo "the same of the chief: $(milliseconds "$list") ms, $(run -d $db -At -c "$list") rows"
list="SELECT count(*) FROM identity.permitted_subjects('acme', 'view', 'users', kc.id('u', 40000), max_rows => 10000)"
echo "permitted_subjects of one user: $(milliseconds "$list") ms (goal 100), $(run -d $db -At -c "$list") rows"
check() { milliseconds "SELECT count(*) FROM generate_series(1, 100000) n WHERE identity.check_permission('$1', CASE WHEN n > 0 THEN 'user:a1' END, 'view', 'clients', CASE WHEN n > 0 THEN 'c1' END)"; }
cold() { milliseconds "SET identity.permission_cache = off; SELECT count(*) FROM generate_series(1, 2000) n WHERE identity.check_permission('$1', CASE WHEN n > 0 THEN 'user:a1' END, 'view', 'clients', CASE WHEN n > 0 THEN 'c1' END)"; }
for n in 1 400; do
    run -d $db >/dev/null <<SQL
DELETE FROM kc.resource_server_policy; DELETE FROM kc.policy_config; DELETE FROM kc.associated_policy; DELETE FROM kc.resource_policy; DELETE FROM kc.scope_policy;
INSERT INTO kc.resource_server_resource VALUES ('Clients', 'Clients', 'rs') ON CONFLICT DO NOTHING;
INSERT INTO kc.resource_server_policy SELECT 'p' || n, 'policy ' || n, 'user', 1, 0, 'rs' FROM generate_series(1, $n) n;
INSERT INTO kc.policy_config SELECT 'p' || n, 'users', jsonb_build_array('a1', 'a' || n) FROM generate_series(1, $n) n;
INSERT INTO kc.resource_server_policy SELECT 'q' || n, 'permission ' || n, 'scope', 1, 0, 'rs' FROM generate_series(1, $n) n;
INSERT INTO kc.policy_config SELECT 'q' || n, 'defaultResourceType', 'Clients' FROM generate_series(1, $n) n;
INSERT INTO kc.associated_policy SELECT 'q' || n, 'p' || n FROM generate_series(1, $n) n;
INSERT INTO kc.resource_policy SELECT 'Clients', 'q' || n FROM generate_series(1, $n) n;
INSERT INTO kc.scope_policy SELECT 's-view', 'q' || n FROM generate_series(1, $n) n;
SELECT identity.add_realm('with $n'); SELECT count(*) FROM identity.import_keycloak('with $n', 'kc', 'all');
VACUUM ANALYZE identity.permissions;
SQL
done
echo "a check of a type with 400 permissions / with one: remembered $(ratio "$(check 'with 400')" "$(check 'with 1')"), not remembered $(ratio "$(cold 'with 400')" "$(cold 'with 1')") (goal 5)"
