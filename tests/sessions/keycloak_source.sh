#!/usr/bin/env bash
# What import_keycloak reads is of one moment, be it from tables of the same database or over postgres_fdw: while it reads, others change the
# source.
. "$(dirname "$0")/../lib.sh"
tables() {
    cat <<'SQL'
CREATE SCHEMA kc;
CREATE TABLE kc.realm (id varchar(36), name varchar(255));
CREATE TABLE kc.client (id varchar(36), client_id varchar(255), realm_id varchar(36));
CREATE TABLE kc.scopes (id varchar(36), name varchar(255), realm_id varchar(36));
CREATE TABLE kc.resource_server (id varchar(36));
CREATE TABLE kc.resource_server_resource (id varchar(36), name varchar(255), resource_server_id varchar(36));
CREATE TABLE kc.resource_server_scope (id varchar(36), name varchar(255), resource_server_id varchar(36));
CREATE TABLE kc.resource_server_policy (id varchar(36), name varchar(255), type varchar(255), decision_strategy smallint, logic smallint, resource_server_id varchar(36));
CREATE TABLE kc.policy_config (policy_id varchar(36), name varchar(255), value text);
CREATE TABLE kc.associated_policy (policy_id varchar(36), associated_policy_id varchar(36));
CREATE TABLE kc.resource_policy (resource_id varchar(36), policy_id varchar(36));
CREATE TABLE kc.scope_policy (scope_id varchar(36), policy_id varchar(36));
CREATE TABLE kc.keycloak_group (id varchar(36), name varchar(255), parent_group varchar(36), realm_id varchar(36), type int);
CREATE TABLE kc.keycloak_role (id varchar(36), name varchar(255), client_role boolean, client varchar(36), realm_id varchar(36));
CREATE TABLE kc.user_group_membership (group_id varchar(36), user_id varchar(36));
CREATE TABLE kc.user_role_mapping (role_id varchar(255), user_id varchar(36));
CREATE TABLE kc.group_role_mapping (role_id varchar(36), group_id varchar(36));
CREATE TABLE kc.composite_role (composite varchar(36), child_role varchar(36));
INSERT INTO kc.realm VALUES ('r', 'shop');
INSERT INTO kc.client VALUES ('rs', 'admin-permissions', 'r');
INSERT INTO kc.resource_server VALUES ('rs');
INSERT INTO kc.resource_server_resource VALUES ('all', 'Clients', 'rs');
INSERT INTO kc.resource_server_scope VALUES ('s', 'view', 'rs');
INSERT INTO kc.keycloak_role VALUES ('admin', 'admin', false, NULL, 'r');
INSERT INTO kc.user_role_mapping VALUES ('admin', 'ann');
INSERT INTO kc.resource_server_policy VALUES ('p', 'admins', 'role', 1, 0, 'rs'), ('q', 'all clients', 'scope', 1, 0, 'rs');
INSERT INTO kc.policy_config VALUES ('p', 'roles', '[{"id": "admin"}]'), ('q', 'defaultResourceType', 'Clients');
INSERT INTO kc.associated_policy VALUES ('q', 'p');
INSERT INTO kc.resource_policy VALUES ('all', 'q');
INSERT INTO kc.scope_policy VALUES ('s', 'q');
-- Read after the policies and before the memberships; whoever reads it waits for a lock.
CREATE FUNCTION kc.wait() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN true; END $$;
INSERT INTO kc.scopes VALUES ('x', 'offline', 'r');
CREATE VIEW kc.client_scope AS SELECT s.* FROM kc.scopes s WHERE kc.wait();
SQL
}
remote=${db}_remote
psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $remote WITH (FORCE)" -c "CREATE DATABASE $remote" 2>/dev/null
trap 'psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $remote WITH (FORCE)" 2>/dev/null' EXIT
tables | ask >/dev/null
tables | ask -d "$remote" >/dev/null
ask >/dev/null <<SQL
SELECT identity.add_realm('here'), identity.add_realm('there');
CREATE EXTENSION postgres_fdw;
CREATE SERVER keycloak FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$PGHOST', port '$PGPORT', dbname '$remote');
CREATE USER MAPPING FOR CURRENT_USER SERVER keycloak;
CREATE SCHEMA foreign_kc;
IMPORT FOREIGN SCHEMA kc FROM SERVER keycloak INTO foreign_kc;
SQL
waiters="SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted"
during() { # realm, schema, the source's database
    local answer import
    exec {hold}> >(exec psql -XqAt -d "$3" >/dev/null 2>&1)
    echo "SELECT pg_advisory_lock(42);" >&"$hold"
    until [ "$(ask -d "$3" -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND granted")" = 1 ]; do sleep 0.05; done
    ask -c "SELECT count(*) FILTER (WHERE kind = 'policy'), count(*) FILTER (WHERE kind = 'permission'), max(rows) FILTER (WHERE name = 'roles of users') FROM identity.import_keycloak('$1', '$2', 'all')" >"$said" 2>&1 &
    import=$!
    until [ "$(ask -c "$waiters" | head -n 1)" = 1 ] || [ "$(ask -d "$3" -c "$waiters")" = 1 ]; do sleep 0.05; done
    # What is changed in the middle comes with the next import.
    ask -d "$3" -c "BEGIN; UPDATE kc.user_role_mapping SET user_id = 'eve'; UPDATE kc.policy_config SET value = '[]' WHERE policy_id = 'p'; DELETE FROM kc.keycloak_role; COMMIT"
    expect "$1: a check meanwhile" f "$(ask -c "SELECT identity.check_permission('$1', 'user:ann', 'view', 'clients')")"
    echo "SELECT pg_advisory_unlock(42);" >&"$hold"
    exec {hold}>&-
    wait "$import" || true
    answer=$(cat "$said")
    expect "$1: as it was when it began" "1|1|1" "$answer"
    expect "$1: who may, by that" "t|f" "$(ask -c "SELECT identity.check_permission('$1', 'user:ann', 'view', 'clients'), identity.check_permission('$1', 'user:eve', 'view', 'clients')")"
    ask -c "SELECT count(*) FROM identity.import_keycloak('$1', '$2', 'all')" >/dev/null
    expect "$1: and by the next one" "f|f|0" "$(ask -c "SELECT identity.check_permission('$1', 'user:ann', 'view', 'clients'), identity.check_permission('$1', 'user:eve', 'view', 'clients'), (SELECT count(*) FROM identity.members AS m WHERE m.realm = '$1')")"
}
said=$(mktemp)
during here kc "$db"
during there foreign_kc "$remote"
rm -f "$said"
