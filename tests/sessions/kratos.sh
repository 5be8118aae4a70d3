#!/usr/bin/env bash
# A live Kratos database is imported into while users sign up: what they take meanwhile is a row of the report.
. "$(dirname "$0")/../lib.sh"
out=$(mktemp)
trap 'rm -f "$out" "$out".*' EXIT
tables=$(cd "$(dirname "$0")/../kratos" && pwd)/tables.sql
ask >/dev/null -c 'CREATE SCHEMA ory' -c 'SET search_path = ory' -f "$tables" -c "INSERT INTO networks VALUES ('00000000-0000-4000-8000-000000000001', '2020-01-01', '2020-01-01')"
ask >/dev/null <<'SQL'
CREATE TABLE docs (n int, doc jsonb);
INSERT INTO docs SELECT n, jsonb_build_object('external_id', 'e' || n, 'traits', jsonb_build_object('username', 'user' || n)) FROM generate_series(1, 500) AS n;
-- A sign-up, as Kratos writes it.
CREATE FUNCTION sign_up(name text) RETURNS void LANGUAGE sql AS $$
    WITH who AS (INSERT INTO ory.identities SELECT gen_random_uuid(), 'default', jsonb_build_object('username', name), now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', n.id FROM ory.networks n RETURNING *),
    credential AS (INSERT INTO ory.identity_credentials SELECT gen_random_uuid(), '{}', t.id, w.id, w.created_at, w.updated_at, w.nid, 1 FROM who w, ory.identity_credential_types t WHERE t.name = 'password' RETURNING *)
    INSERT INTO ory.identity_credential_identifiers SELECT gen_random_uuid(), name, c.id, c.created_at, c.updated_at, c.nid, c.identity_credential_type_id, c.identity_id FROM credential c
$$;
SQL

waits() { until [ "$(ask -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")" = 1 ]; do sleep 0.05; done; }
# What a statement sees is of its beginning: the holder is asked for by another one.
import="DROP TABLE IF EXISTS told; CREATE TABLE told AS SELECT * FROM identity.import_kratos('ory', 'SELECT doc FROM docs ORDER BY n'); SELECT row_number, status, identifier_kind, identifier, (SELECT traits ->> 'username' FROM ory.identities i WHERE i.id = r.existing_identity) FROM told AS r"

# It is committed while the import waits for it.
session_start
tell "BEGIN; SELECT sign_up('user250')" >/dev/null
ask >$out 2>/dev/null <<<"$import;" &
waits
tell "COMMIT" >/dev/null
wait $!
expect "a sign-up meanwhile is a row of the report" "250|conflict|password|user250|user250" "$(cat $out)"
expect "the others went in" 499 "$(ask -c "SELECT count(*) FROM ory.identities WHERE external_id IS NOT NULL")"
expect "nothing is left of the one that did not" 0 "$(ask -c "SELECT count(*) FROM ory.identities WHERE external_id = 'e250'")"

# It is given up.
ask -c 'TRUNCATE ory.identities CASCADE'
tell "BEGIN; SELECT sign_up('user250')" >/dev/null
ask >$out 2>/dev/null <<<"$import;" &
waits
tell "ROLLBACK" >/dev/null
wait $!
expect "a sign-up that is given up is none" "" "$(cat $out)"
expect "all went in" 500 "$(ask -c "SELECT count(*) FROM ory.identities WHERE external_id IS NOT NULL")"

# Under REPEATABLE READ it cannot be seen.
ask -c 'TRUNCATE ory.identities CASCADE'
{ echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ory.identities;"; echo "SELECT pg_sleep(1);"; echo "$import;"; echo "COMMIT;"; } | ask >$out 2>/dev/null &
sleep 0.5
tell "SELECT sign_up('user250')" >/dev/null
wait $!
expect "the one whose holder cannot be seen" "250|conflict|password|user250|" "$(grep conflict $out)"
expect "the others went in, under repeatable read" 499 "$(ask -c "SELECT count(*) FROM ory.identities WHERE external_id IS NOT NULL")"

# Two imports of the same users: each user goes in once.
ask -c 'TRUNCATE ory.identities CASCADE'
for i in 1 2; do ask -c "SELECT status, count(*) FROM identity.import_kratos('ory', 'SELECT doc FROM docs ORDER BY random()', report => 'all') GROUP BY 1" >$out.$i 2>/dev/null & done
wait $(jobs -p | tail -n 2)
expect "two imports at once" 500 "$(ask -c "SELECT count(*) FROM ory.identities")"
expect "each user has one name" 500 "$(ask -c "SELECT count(DISTINCT (identity_id, identifier)) FROM ory.identity_credential_identifiers")"
session_stop
rm -f "$out" "$out".*

# A change of the tables waits for the import, and is seen by the next.
session_start
tell "BEGIN; SELECT count(*) FROM identity.import_kratos('ory', 'SELECT doc FROM docs LIMIT 0')" >/dev/null
expect "the tables are not changed meanwhile" "canceling statement due to lock timeout" "$(ask -c "SET lock_timeout = '200ms'" -c 'ALTER TABLE ory.identities ADD COLUMN x int NOT NULL' 2>&1 | sed -n 's/ERROR:  //p')"
tell "COMMIT" >/dev/null
session_stop
