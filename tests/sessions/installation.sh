#!/usr/bin/env bash
# Where the extension can be installed, and what it survives: a schema that is dropped, an empty search_path, settings of the session, a dump;
# and where it is refused.
. "$(dirname "$0")/../lib.sh"
other=${db}_other
dump=$(mktemp)
trap 'rm -f "$dump"; psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $other WITH (FORCE)" 2>/dev/null' EXIT
create_other() { psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $other WITH (FORCE)" -c "CREATE DATABASE $other TEMPLATE template0 $1" 2>/dev/null; }
there() { ask -d "$other" "$@"; }
realms="SELECT string_agg(name, ',' ORDER BY name) FROM identity.realms"

# It belongs to no schema of a user's.
ask -c "SELECT identity.add_realm('acme')" >/dev/null
ask -c 'DROP SCHEMA public CASCADE' -c 'CREATE SCHEMA public' 2>/dev/null
expect "what is left when schema public is dropped" acme "$(ask -c "$realms")"
expect "where \\dx shows it" pg_catalog "$(ask -c '\dx pg_identity' | tr '|' '\n' | grep -x pg_catalog)"
pg_dump -f "$dump"
expect "what a dump says" 1 "$(grep -c '^CREATE EXTENSION IF NOT EXISTS pg_identity WITH SCHEMA pg_catalog;' "$dump")"
create_other ''
there -f "$dump" >/dev/null
expect "a dump restored" "acme|pg_catalog" "$(there -c "SELECT ($realms), extnamespace::regnamespace FROM pg_extension WHERE extname = 'pg_identity'")"
there -c 'DROP SCHEMA public CASCADE' 2>/dev/null
expect "and schema public dropped there" acme "$(there -c "$realms")"
expect "a schema of the user's is refused" "ERROR:  extension \"pg_identity\" must be installed in schema \"pg_catalog\"" \
    "$(ask -c 'DROP EXTENSION pg_identity' -c 'CREATE EXTENSION pg_identity SCHEMA public' 2>&1 | head -n 1)"

# What the session has set makes no difference, and what it has set later neither.
checked="SELECT bool_and(intact) AND count(*) > 0 FROM unnest('{acme,\"\"}'::text[]) AS r, identity.verify_audit(r)"
for setting in "search_path = ''" "search_path = nowhere" "standard_conforming_strings = off" "check_function_bodies = off" "default_table_access_method = heap"; do
    create_other ''
    there -c "SET $setting" -c 'CREATE EXTENSION pg_identity' -c "SELECT identity.add_realm('acme')" -c "SELECT identity.audit_checkpoint('acme')" >/dev/null
    there -c "SELECT identity.revoke_access(current_user::text)" >/dev/null
    expect "installed with $setting" "t|t" "$(there -c "$checked" | tr '\n' '|')$(there -c "SET $setting" -c "$checked")"
done
name="'back' || chr(92) || 'slash'"
written="SELECT identity.add_realm($name), identity.add_organization($name, $name, jsonb_build_object('sso_connection', $name))"
intact="SELECT bool_and(v.intact), sum(v.events) FROM identity.verify_audit($name) AS v"
expect "an event with backslashes, written and verified so" "t|2" "$(there -c 'SET standard_conforming_strings = off' -c 'SET escape_string_warning = off' -c "$written" -c "$intact" | tail -n 1)"
expect "and verified otherwise" "t|2" "$(there -c "$intact")"
expect "functions that a setting reads differently" "" "$(there -c "SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
    WHERE p.pronamespace = 'identity'::regnamespace AND l.lanname IN ('sql', 'plpgsql') AND p.prosrc LIKE '%\\\\%'")"

# Other encodings.
for encoding in LATIN1 SQL_ASCII; do
    create_other "ENCODING '$encoding' LOCALE 'C'"
    expect "$encoding" "ERROR:  0A000: the database's encoding is $encoding
DETAIL:  pg_identity needs a database with encoding UTF8.
HINT:  Create one: CREATE DATABASE name TEMPLATE template0 ENCODING 'UTF8'." "$(there -v VERBOSITY=verbose -c 'CREATE EXTENSION pg_identity' 2>&1 | head -n 3)"
    expect "$encoding leaves nothing" 0 "$(there -c "SELECT count(*) FROM pg_namespace WHERE nspname = 'identity'")"
done
