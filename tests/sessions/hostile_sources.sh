#!/usr/bin/env bash
# A caller whose source, tables and types run code of their own. That code looks for what others have in the session's temporary
# schema, drops it (DISCARD TEMP needs no right), and puts tables of its own in its place, with triggers that tell as whom they
# run and make their owner a superuser. It has to run, and to find nothing, in whatever way it is called.
. "$(dirname "$0")/../lib.sh"
unset PGOPTIONS  # Only a superuser may set what it sets.
hostile=hostile_$$
forget() { psql -XqAt -c "DROP OWNED BY $hostile CASCADE" -c "DROP ROLE $hostile" >/dev/null 2>&1 || true; }
trap forget EXIT

ask >/dev/null <<SQL
SET client_min_messages = warning;
CREATE ROLE $hostile LOGIN;
SELECT identity.grant_access('$hostile', 'importer');
SELECT identity.add_realm('acme'), identity.add_site('acme', 1, 'main'), identity.add_site('acme', 2, 'forum'), identity.add_site('acme', 3, 'shop');
CREATE SCHEMA loot AUTHORIZATION $hostile;
SQL

# What the hostile role has made for itself.
ask -U "$hostile" <<'SQL'
CREATE FUNCTION loot.evil() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> session_user THEN
        RAISE WARNING 'CAUGHT: the trigger on % runs as %', TG_TABLE_NAME, current_user;
        EXECUTE format('ALTER ROLE %I SUPERUSER', session_user);
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION loot.plant() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found record;
    tables text[] := '{}';
    made text;
BEGIN
    RAISE WARNING 'PLANTED as %', current_user;
    FOR found IN
        SELECT c.relname AS name, c.relowner::regrole AS owner,
            string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum) AS columns
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = pg_my_temp_schema() AND c.relkind = 'r' AND c.relowner <> session_user::regrole
        GROUP BY c.oid
    LOOP
        RAISE WARNING 'REACHED: % of %', found.name, found.owner;
        tables := tables || format('CREATE TEMPORARY TABLE %I (%s) ON COMMIT DROP', found.name, found.columns)
            || format('CREATE TRIGGER evil BEFORE INSERT OR UPDATE OR DELETE ON pg_temp.%I FOR EACH ROW EXECUTE FUNCTION loot.evil()', found.name);
    END LOOP;
    IF tables <> '{}' THEN
        DISCARD TEMP;
        FOREACH made IN ARRAY tables LOOP
            EXECUTE made;
        END LOOP;
    END IF;
    RETURN '1';
EXCEPTION WHEN object_in_use THEN
    RAISE WARNING 'HELD: %', SQLERRM;
    RETURN '1';
END $$;

-- The ways in which it is called.
CREATE FUNCTION loot.plant_planning() RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN loot.plant(); END $$;
CREATE TABLE loot.defaulted (n int, planted text DEFAULT loot.plant());
CREATE FUNCTION loot.plant_default() RETURNS text LANGUAGE sql AS 'INSERT INTO loot.defaulted (n) VALUES (1) RETURNING planted';
CREATE TABLE loot.triggered (n int);
CREATE FUNCTION loot.plant_in_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM loot.plant(); RETURN NEW; END $$;
CREATE TRIGGER planted AFTER INSERT ON loot.triggered FOR EACH ROW EXECUTE FUNCTION loot.plant_in_trigger();
CREATE FUNCTION loot.plant_triggered() RETURNS text LANGUAGE sql AS 'INSERT INTO loot.triggered VALUES (1) RETURNING ''1''';
CREATE VIEW loot.viewed AS SELECT loot.plant() AS id;
CREATE DOMAIN loot.checked AS text CHECK (loot.plant() IS NOT NULL);
CREATE TYPE loot.mood AS ENUM ('1');
CREATE FUNCTION loot.mood_json(loot.mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN to_json(loot.plant()); END $$;
CREATE FUNCTION loot.mood_jsonb(loot.mood) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RETURN to_jsonb(loot.plant()); END $$;
CREATE FUNCTION loot.mood_text(loot.mood) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN loot.plant(); END $$;
CREATE CAST (loot.mood AS json) WITH FUNCTION loot.mood_json(loot.mood);
CREATE CAST (loot.mood AS jsonb) WITH FUNCTION loot.mood_jsonb(loot.mood);
CREATE CAST (loot.mood AS text) WITH FUNCTION loot.mood_text(loot.mood);
CREATE TABLE loot.secured (id text);
INSERT INTO loot.secured VALUES ('1');
ALTER TABLE loot.secured ENABLE ROW LEVEL SECURITY;
ALTER TABLE loot.secured FORCE ROW LEVEL SECURITY;
CREATE POLICY planted ON loot.secured USING (loot.plant() IS NOT NULL);
CREATE FUNCTION loot.plant_rows(rows int) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT 'row ' || n FROM generate_series(1, rows) AS n;
    RETURN NEXT loot.plant();
END $$;
SQL

# Runs statements as the hostile role: its code was called, found nothing, and gave it no right.
attack() { # what, SQL
    said=$(psql -XqAt -U "$hostile" -c "$2" 2>&1 || true)
    planted=$(grep -c 'PLANTED' <<<"$said" || true)
    got=$(grep -o 'REACHED: .*\|CAUGHT: .*\|HELD: .*' <<<"$said" | sort -u | head -n 3 || true)
    super=$(ask -c "SELECT rolsuper FROM pg_roles WHERE rolname = '$hostile'")
    [ "$super" = f ] || { ask -c "ALTER ROLE $hostile NOSUPERUSER"; got+=" and is a superuser"; }
    if [ "$planted" = 0 ]; then
        got+=" and its code did not run: $said"
    fi
    if [ -n "${SHOW:-}" ]; then echo "$1: ${got:-nothing}"; else expect "$1" nothing "${got:-nothing}"; fi
}
# The hostile role's function, in each way of being called.
sources=(
    "a function|SELECT loot.plant() AS id"
    "a function that is evaluated while planning|SELECT loot.plant_planning() AS id"
    "a column default|SELECT loot.plant_default() AS id"
    "a trigger|SELECT loot.plant_triggered() AS id"
    "a view|loot.viewed"
    "a policy|loot.secured"
    "a domain's CHECK|SELECT '1'::loot.checked AS id"
    "a cast|SELECT '1'::loot.mood AS id"
    "a function behind many rows|SELECT r AS id FROM loot.plant_rows(25000) AS r"
    "a function in WHERE|SELECT 'x' AS id WHERE loot.plant() IS NULL"
    "a function in a subquery|SELECT 'x' AS id FROM (SELECT loot.plant() OFFSET 0) AS s"
)
for level in importer admin; do
    ask -c "SELECT identity.grant_access('$hostile', '$level')" >/dev/null
    for source in "${sources[@]}"; do
        text=${source#*|}
        attack "$level, stage_site, ${source%%|*}" \
            "SELECT count(*) FROM identity.stage_site('acme', 'forum', \$q\$$text\$q\$, '{\"original_id\": \"id\"}', '{\"no_identifier\": false}')"
        case $text in SELECT*) from="($text)" ;; *) from=$text ;; esac
        case $text in *loot.mood*) document="id::json" ;; *) document="jsonb_build_object('traits', jsonb_build_object('username', id))" ;; esac
        attack "$level, import_identities_from, ${source%%|*}" \
            "SELECT count(*) FROM identity.import_identities_from('acme', \$q\$SELECT $document AS d FROM $from AS s\$q\$)"
    done
done
for source in "${sources[@]}"; do
    attack "admin, disposable_domains, ${source%%|*}" \
        "SELECT count(*) FROM identity.stage_site('acme', 'forum', 'SELECT 1 AS id', '{\"original_id\": \"id\"}', jsonb_build_object('disposable_domains', \$q\$${source#*|}\$q\$))"
    case ${source#*|} in SELECT*) from="(${source#*|})" ;; *) from=${source#*|} ;; esac
    case $from in *loot.mood*) document="id::json" ;; *) document="json_build_object('external_id', id, 'traits', json_build_object('username', id))" ;; esac
    attack "admin, on_conflict => update, ${source%%|*}" \
        "SELECT count(*) FROM identity.import_identities_from('acme', \$q\$SELECT $document AS d FROM $from AS s\$q\$, 'update')"
done

# Tables of the hostile role's own that are renamed in, and given their names back: what is in the table runs beside the work.
targets=(
    "a trigger|CREATE TRIGGER planted BEFORE UPDATE ON loot.users FOR EACH ROW EXECUTE FUNCTION loot.plant_in_trigger()"
    "a statement's trigger|CREATE TRIGGER planted AFTER UPDATE ON loot.users FOR EACH STATEMENT EXECUTE FUNCTION loot.plant_in_trigger()"
    "a policy|ALTER TABLE loot.users ENABLE ROW LEVEL SECURITY; ALTER TABLE loot.users FORCE ROW LEVEL SECURITY; CREATE POLICY planted ON loot.users USING (loot.plant() IS NOT NULL)"
    "a policy that is evaluated while planning|ALTER TABLE loot.users ENABLE ROW LEVEL SECURITY; ALTER TABLE loot.users FORCE ROW LEVEL SECURITY; CREATE POLICY planted ON loot.users USING (loot.plant_planning() IS NOT NULL)"
    "a CHECK|ALTER TABLE loot.users ADD CHECK (loot.plant() IS NOT NULL OR login = '') NOT VALID"
    "a domain's CHECK|ALTER TABLE loot.users ALTER login TYPE loot.checked"
    "a generated column|ALTER TABLE loot.users ADD planted text GENERATED ALWAYS AS (loot.plant_planned(login)) STORED"
    "a cast of the row_id|ALTER TABLE loot.users DROP CONSTRAINT users_pkey; ALTER TABLE loot.users ALTER id TYPE loot.mood USING id::text::loot.mood"
)
ask -U "$hostile" <<'SQL'
ALTER TYPE loot.mood ADD VALUE '2';
ALTER TYPE loot.mood ADD VALUE '3';
CREATE FUNCTION loot.plant_planned(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN loot.plant(); END $$;
CREATE FUNCTION loot.make() RETURNS void LANGUAGE plpgsql SET client_min_messages = warning AS $$
BEGIN
    DROP TABLE IF EXISTS loot.users;
    CREATE TABLE loot.users (id int PRIMARY KEY, site int, login text);
    INSERT INTO loot.users VALUES (1, 1, 'bob'), (2, 2, 'bob'), (3, 3, 'bob');
END $$;
CREATE OR REPLACE FUNCTION loot.mood_text(m loot.mood) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM loot.plant(); RETURN enum_out(m); END $$;
SQL
for target in "${targets[@]}"; do
    ask -U "$hostile" -c "SELECT loot.make()" -c "${target#*|}" >/dev/null 2>&1
    attack "admin, find_duplicates, ${target%%|*}" "SELECT loot.plant() FROM identity.find_duplicates('loot.users', 'login', 'site', 'id') LIMIT 1"
    attack "admin, dedup_logins, ${target%%|*}" \
        "SELECT count(*) FROM identity.dedup_logins('loot.users', 'login', 'site', 'id', '{\"2\": \"two_\", \"3\": \"three_\"}')"
    expect "renamed, ${target%%|*}" t "$(ask -c "SELECT count(*) > 0 FROM loot.users WHERE login::text LIKE '%\_bob'" 2>/dev/null)"
    run=$(ask -c "SELECT run_id FROM identity.dedup_runs ORDER BY started_at DESC LIMIT 1")
    attack "admin, undo_dedup in a dry run, ${target%%|*}" "SELECT count(*) FROM identity.undo_dedup('$run', dry_run => true)"
    attack "admin, undo_dedup, ${target%%|*}" "SELECT count(*) FROM identity.undo_dedup('$run')"
    expect "given back, ${target%%|*}" 0 "$(ask -c "SELECT count(*) FROM loot.users WHERE login::text LIKE '%\_bob'" 2>/dev/null)"
done

# Lists and other people's tables.
psql -XqAt -U "$hostile" -c "SELECT loot.make()" >/dev/null
ask -c "SELECT identity.add_resource_type('acme', 'clients', '{view}'), identity.grant_permission('acme', 'user:1', 'clients', '{view}', '1')" >/dev/null
for source in "${sources[@]}"; do
    attack "admin, reserved, ${source%%|*}" \
        "SELECT count(*) FROM identity.dedup_logins('loot.users', 'login', 'site', 'id', '{\"2\": \"two_\"}', reserved => \$q\$${source#*|}\$q\$, dry_run => true)"
    attack "admin, collapse_permissions, ${source%%|*}" \
        "SELECT count(*) FROM identity.collapse_permissions('acme', 'clients', \$q\$${source#*|}\$q\$, dry_run => true)"
done
ask -U "$hostile" <<'SQL'
CREATE TABLE loot.resource_server (id text); INSERT INTO loot.resource_server VALUES ('rs');
CREATE TABLE loot.resource_server_resource (id text, name text);
CREATE TABLE loot.resource_server_scope (id text, name text);
CREATE VIEW loot.resource_server_policy AS SELECT 'p' AS id, loot.plant() AS name, 'scope' AS type, 1 AS decision_strategy, 0 AS logic, 'rs' AS resource_server_id;
CREATE TABLE loot.policy_config (policy_id text, name text, value text); INSERT INTO loot.policy_config VALUES ('p', 'defaultResourceType', 'Clients');
CREATE TABLE loot.associated_policy (policy_id text, associated_policy_id text);
CREATE TABLE loot.resource_policy (resource_id text, policy_id text);
CREATE TABLE loot.scope_policy (scope_id text, policy_id text);
CREATE TABLE loot.realm (id text, name text); INSERT INTO loot.realm VALUES ('r', 'shop');
CREATE VIEW loot.client AS SELECT 'rs' AS id, 'admin-permissions' AS client_id, 'r' AS realm_id WHERE loot.plant() IS NOT NULL;
CREATE TABLE loot.keycloak_group (id text, name text, parent_group text, realm_id text);
CREATE TABLE loot.keycloak_role (id text, name text, client_role boolean, client text, realm_id text);
CREATE TABLE loot.user_role_mapping (role_id text, user_id text);
CREATE TABLE loot.group_role_mapping (role_id text, group_id text);
CREATE TABLE loot.composite_role (composite text, child_role text);
CREATE VIEW loot.user_group_membership AS SELECT loot.plant() AS user_id, loot.plant() AS group_id;
SQL
attack "admin, import_keycloak, views" "SELECT count(*) FROM identity.import_keycloak('acme', 'loot', 'all')"
attack "admin, a dry run of import_keycloak, views" "SELECT count(*) FROM identity.import_keycloak('acme', 'loot', 'all', dry_run => true)"

# Calls in calls: what one has made is gone when the code around it goes on.
attack "a source that stages by itself" \
    "SELECT count(*) FROM identity.stage_site('acme', 'forum', \$q\$SELECT s.original_id AS id FROM identity.stage_site('acme', 'shop', 'SELECT loot.plant() AS id', '{\"original_id\": \"id\"}', '{\"no_identifier\": false}', report => 'all') AS s WHERE loot.plant() IS NOT NULL\$q\$, '{\"original_id\": \"id\"}', '{\"no_identifier\": false}')"
attack "code around an import" \
    "SELECT loot.plant(), r.status, loot.plant() FROM identity.import_identities('acme', '[{\"traits\": {\"username\": \"around\"}}, {\"traits\": {\"username\": \"around\"}}]') AS r"
attack "code around a dry run, and around an error" \
    "DO \$d\$ BEGIN PERFORM identity.dedup_site_logins('acme', true); PERFORM loot.plant();
        PERFORM count(*) FROM identity.stage_site('acme', 'forum', 'SELECT loot.plant() AS id, 1 / (loot.plant()::int - 1)', '{\"original_id\": \"id\"}');
        EXCEPTION WHEN division_by_zero THEN PERFORM loot.plant(); END \$d\$"

# A third party, whose table refers to one of the store by leave of its owner, has a trigger that an update sets off. It finds nothing of
# the run's in the session.
ask -c "GRANT USAGE ON SCHEMA identity TO $hostile" -c "GRANT REFERENCES ON identity.identifiers, identity.staged_identifiers TO $hostile" \
    -c "SELECT * FROM identity.import_identities('acme', '[{\"external_id\": \"third\", \"traits\": {\"username\": \"third\"}}]')" \
    -c "SELECT * FROM identity.stage_site('acme', 'shop', 'SELECT 3 AS id, ''third3'' AS u', '{\"original_id\": \"id\", \"username\": \"u\"}')" >/dev/null 2>&1
ask -U "$hostile" <<'SQL'
GRANT USAGE ON SCHEMA loot TO PUBLIC;
CREATE TABLE loot.names (realm text, key text, FOREIGN KEY (realm, key) REFERENCES identity.identifiers ON DELETE CASCADE);
INSERT INTO loot.names VALUES ('acme', 'third');
CREATE TABLE loot.staged (realm text, site_id int, original_id text, kind text, FOREIGN KEY (realm, site_id, original_id, kind) REFERENCES identity.staged_identifiers ON DELETE CASCADE);
INSERT INTO loot.staged VALUES ('acme', 3, '3', 'username');
CREATE TRIGGER planted AFTER DELETE ON loot.names FOR EACH ROW EXECUTE FUNCTION loot.plant_in_trigger();
CREATE TRIGGER planted AFTER DELETE ON loot.staged FOR EACH ROW EXECUTE FUNCTION loot.plant_in_trigger();
SQL
third() { # what, SQL
    said=$(psql -XqAt -U "$hostile" -c "$2" 2>&1 || true)
    expect "$1: its code ran" t "$(grep -q PLANTED <<<"$said" && echo t)"
    expect "$1: what it found to drop" 0 "$(grep -c HELD <<<"$said" || true)"
    expect "$1: what it caught" 0 "$(grep -c CAUGHT <<<"$said" || true)"
}
third "a third party's trigger in an update" \
    "SELECT * FROM identity.import_identities('acme', '[{\"external_id\": \"third\", \"traits\": {\"username\": \"other\"}}]', 'update')"
third "a third party's trigger in stage_site" \
    "SELECT * FROM identity.stage_site('acme', 'shop', 'SELECT 3 AS id, ''other3'' AS u', '{\"original_id\": \"id\", \"username\": \"u\"}')"
expect "rows of the third party" 0 "$(ask -c 'SELECT count(*) FROM loot.names, loot.staged')"

# Tables of the caller's own that stand there before, under the names of what a run keeps: it does without them.
ask -c "SELECT identity.grant_access('$hostile', 'importer')" >/dev/null
before=$(cat <<'SQL'
DO $d$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY '{given,item,fault,moved,login,repeated,grouped,pending,allotted,renamed,claim,refusal,target,nameless,conflict,contest,loss,freed,
        problem,warning,fine}'::text[]
    LOOP
        EXECUTE format('CREATE TEMPORARY TABLE %I (rn int8, original_id text)', name);
        EXECUTE format('CREATE TRIGGER evil BEFORE INSERT OR UPDATE OR DELETE ON pg_temp.%I FOR EACH ROW EXECUTE FUNCTION loot.evil()', name);
    END LOOP;
    PERFORM loot.plant();
END $d$;
SQL
)
while IFS='|' read -r what call; do
    attack "tables that are there before $what" "$before $call"
    expect "$what" 0 "$(grep -c ERROR <<<"$said" || true)"
done <<SQL
stage_site|SELECT * FROM identity.stage_site('acme', 'forum', 'SELECT 1 AS id', '{"original_id": "id"}')
import_identities|SELECT * FROM identity.import_identities('acme', '[{"traits": {"username": "before"}}]')
import_identities_from|SELECT * FROM identity.import_identities_from('acme', 'SELECT ''{"traits": {"username": "before"}}''::json')
patch_identities|SELECT identity.patch_identities('acme', '{"identities": [{"create": {"traits": {"username": "before"}}}]}')
dedup_site_logins|SELECT * FROM identity.dedup_site_logins('acme')
SQL

# Nothing of theirs is left in the session, whatever way a call ended.
expect "temporary tables that are left" 0 "$(psql -XqAt -U "$hostile" 2>/dev/null <<'SQL'
SELECT count(*) FROM identity.stage_site('acme', 'forum', 'SELECT 1 AS id', '{"original_id": "id"}') \g /dev/null
SELECT count(*) FROM identity.stage_site('acme', 'forum', 'SELECT 1 / 0 AS id', '{"original_id": "id"}') \g /dev/null
BEGIN;
SELECT count(*) FROM identity.stage_site('acme', 'forum', 'SELECT 1 AS id', '{"original_id": "id"}', dry_run => true) \g /dev/null
SELECT count(*) FROM identity.import_identities('acme', '[{"traits": {"username": "left"}}]', dry_run => true) \g /dev/null
SELECT count(*) FROM identity.dedup_site_logins('acme') \g /dev/null
SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r';
SQL
)"
