#!/usr/bin/env bash
# Many sessions write into the audit of one realm at once, commit, roll back, and come back under other process numbers: the chains
# are whole, and have every committed event once.
. "$(dirname "$0")/../lib.sh"
bench=$("${PG_CONFIG:-pg_config}" --bindir)/pgbench
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ask >/dev/null <<SQL
SELECT identity.add_realm('acme'), identity.add_organization('acme', 'north'), identity.add_organization('acme', 'south');
INSERT INTO identity.identities (realm, id) SELECT 'acme', md5(n::text)::uuid FROM generate_series(1, 5) n;
INSERT INTO identity.memberships (realm, identity_id, organization) SELECT 'acme', md5(n::text)::uuid, o FROM generate_series(1, 5) n, unnest('{north,south}'::text[]) o;
CREATE TABLE committed (event_id bigint);
SQL
login="INSERT INTO committed SELECT event_id FROM identity.resolve_login('acme', md5(:who::text)::uuid, (ARRAY['north', 'south', 'gone'])[:where], '{\"factors\": [\"Zq7secretZq7\"]}');"
cat >"$dir/login.sql" <<SQL
\set who random(1, 5)
\set where random(1, 3)
\set end random(1, 4)
BEGIN;
$login
SAVEPOINT s;
$login
\if :end = 1
ROLLBACK TO s;
\endif
\if :end = 2
ROLLBACK;
\else
COMMIT;
\endif
SQL
sed 's/^BEGIN;/BEGIN ISOLATION LEVEL REPEATABLE READ;/' "$dir/login.sql" >"$dir/repeatable.sql"
failed=$("$bench" -n -c 12 -j 2 -t 100 -f "$dir/login.sql@2" -f "$dir/repeatable.sql@1" 2>&1 | sed -n 's/^number of failed transactions: \([0-9]*\).*/\1/p')
expect "logins that failed for another" 0 "$failed"
# A session under REPEATABLE READ writes into a lane that others have used since its snapshot.
echo "SELECT identity_internal.audit('acme', 'passing', NULL, NULL);" >"$dir/pass.sql"
session_start
tell "SELECT identity_internal.audit('acme', 'before', NULL, NULL) > 0" >/dev/null
tell "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM committed" >/dev/null
"$bench" -n -C -c 2 -t 150 -f "$dir/pass.sql" >/dev/null 2>&1
tell "SELECT identity_internal.audit('acme', 'after', NULL, NULL) > 0 FROM generate_series(1, 3)" >/dev/null
tell "COMMIT" >/dev/null
session_stop
verified="SELECT bool_and(intact), count(*) > 1, sum(events) = (SELECT count(*) FROM identity.audit_events WHERE realm = 'acme') FROM identity.verify_audit('acme')"
expect "the chains" "t|t|t" "$(ask -c "$verified")"
expect "events of committed logins, each once" "t|0|0" "$(ask -c "SELECT count(*) > 500, count(*) - count(DISTINCT e.event_id), count(*) FILTER (WHERE c.event_id IS NULL)
    FROM committed c FULL JOIN (SELECT * FROM identity.audit_events WHERE action = 'resolve_login') e USING (event_id)")"
expect "events of the others" "1|300|3" "$(ask -c "SELECT count(*) FILTER (WHERE action = 'before'), count(*) FILTER (WHERE action = 'passing'), count(*) FILTER (WHERE action = 'after') FROM identity.audit_events")"
expect "secrets in the audit" 0 "$(ask -c "SELECT count(*) FROM identity.audit_events WHERE detail::text LIKE '%Zq7%'")"
# A prepared transaction keeps its lane; the others go on.
ask -c "BEGIN; SELECT identity_internal.audit('acme', 'prepared', NULL, NULL) > 0; PREPARE TRANSACTION 'audit'" >/dev/null
"$bench" -n -C -c 2 -t 100 -f "$dir/pass.sql" >/dev/null 2>&1
ask -c "COMMIT PREPARED 'audit'"
expect "the chains after a prepared transaction" "t|t|t" "$(ask -c "$verified")"
# The extension is dropped and made again: a session that has plans of the first goes on with the second.
session_start
tell "SELECT identity_internal.audit('acme', 'old', NULL, NULL) > 0" >/dev/null
ask -c "DROP EXTENSION pg_identity CASCADE" -c "CREATE EXTENSION pg_identity" -c "SELECT identity.add_realm('acme')" >/dev/null 2>&1
expect "an event of the new extension" t "$(tell "SELECT identity_internal.audit('acme', 'new', NULL, NULL) > 0")"
session_stop
expect "its chains" "t|2" "$(ask -c "SELECT bool_and(intact), sum(events) FROM identity.verify_audit('acme')")"
