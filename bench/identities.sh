#!/usr/bin/env bash
# A million identities, each with an e-mail, a username and a password that is hashed already: import_identities_from beside
# plain INSERT … SELECT of ready rows into the same three tables, and beside import_identities in calls of 1000.
# Prints seconds and ratios. Then calls with 1, 100 and 1,000 identities, one after the other, and create_identity beside two plain INSERTs:
# milliseconds a call; and batches of 100 by one client and by four, with commits that are not flushed: batches a second. Then the same import with the triggers by which the audit records rows, and without them, in turn: seconds
# of the clock, and seconds of the processor that its server process took.
. "$(dirname "$0")/lib.sh"
rows=${ROWS:-1000000}
empty() { run -d bench_identities -c 'SET client_min_messages = warning' -c 'TRUNCATE identity.identities CASCADE' -c CHECKPOINT; }

run -d postgres -c 'DROP DATABASE IF EXISTS bench_identities' -c 'CREATE DATABASE bench_identities'
run -d bench_identities -v rows="$rows" <<'SQL'
CREATE EXTENSION pg_identity;
SELECT identity.add_realm('acme') \gset
CREATE TABLE source AS SELECT n, jsonb_build_object(
    'traits', jsonb_build_object('email', md5(n || 'e') || '@Example.com', 'username', 'User' || md5(n::text)),
    'credentials', jsonb_build_object('password', jsonb_build_object('config', jsonb_build_object(
        'hashed_password', '$2a$10$' || substr(md5(n || 'h') || md5(n || 'g'), 1, 52) || '.')))) AS doc
FROM generate_series(1, :rows) n;
CREATE UNIQUE INDEX ON source (n);
VACUUM ANALYZE;
SQL
bulk=$(seconds bench_identities -c "SELECT status, count(*) FROM identity.import_identities_from('acme', 'SELECT doc FROM source ORDER BY n', report => 'all') GROUP BY 1")
imported=$(run -d bench_identities -Atc 'SELECT count(*) FROM identity.identities')
[ "$imported" = "$rows" ] || { echo "only $imported of $rows identities were imported"; exit 1; }
run -d bench_identities <<'SQL'
CREATE TABLE ready_identities AS SELECT * FROM identity.identities;
CREATE TABLE ready_identifiers AS SELECT realm, key, kind, value, identity_id, unicode_version FROM identity.identifiers;
CREATE TABLE ready_credentials AS SELECT * FROM identity.credentials;
SQL
empty
plain=$(seconds bench_identities -c 'INSERT INTO identity.identities SELECT * FROM ready_identities' \
    -c 'INSERT INTO identity.identifiers SELECT * FROM ready_identifiers' -c 'INSERT INTO identity.credentials SELECT * FROM ready_credentials')
empty
calls=$(seconds bench_identities -c "SET client_min_messages = warning" -c "DO \$\$ BEGIN
    FOR i IN 0 .. ($rows - 1) / 1000 LOOP
        PERFORM identity.import_identities('acme', (SELECT jsonb_agg(doc ORDER BY n) FROM source WHERE n > i * 1000 AND n <= (i + 1) * 1000));
        COMMIT;
    END LOOP; END \$\$")
echo "identities, $rows: plain INSERT … SELECT of ready rows ${plain} s, import_identities_from ${bulk} s, calls of 1000 ${calls} s"
echo "import_identities_from / plain INSERT … SELECT: $(ratio "$bulk" "$plain") (goal 3)"
echo "import_identities_from / calls of 1000:         $(ratio "$bulk" "$calls")"

# Documents of new identities: how many, and a name for the batch.
documents() { echo "(SELECT jsonb_agg(jsonb_set(doc, '{traits}', jsonb_build_object('email', '$2-' || n || '@example.com', 'username', '$2-' || n)) ORDER BY n) FROM source WHERE n <= $1)"; }
per_call() { # calls; of the statements on stdin the first is left out
    run -d bench_identities -At -c 'SET client_min_messages = warning' -c 'SET synchronous_commit = off' -c '\timing on' -f - |
        sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | awk -v calls="$1" 'NR > 1 { s += $1 } END { printf "%.2f", s / calls }'
}
for batch in "1 200 3" "100 50 12" "1000 20 70"; do
    read -r size many goal <<<"$batch"
    took=$(for call in $(seq 0 "$many"); do echo "SELECT count(*) FROM identity.import_identities('acme', $(documents "$size" "b$size-$call"));"; done | per_call "$many")
    echo "import_identities of $size into $rows: $took ms a call (goal $goal)"
done
took=$(for call in $(seq 0 200); do echo "SELECT identity.create_identity('acme', (SELECT jsonb_set(doc, '{traits}', '{\"username\": \"c$call\"}') FROM source WHERE n = 1));"; done | per_call 200)
bare=$(for call in $(seq 0 200); do
    echo "WITH i AS (INSERT INTO identity.identities (realm, traits) VALUES ('acme', '{\"username\": \"d$call\"}') RETURNING id) INSERT INTO identity.identifiers (realm, kind, value, identity_id) SELECT 'acme', 'username', 'd$call', i.id FROM i;"
done | per_call 200)
echo "create_identity: $took ms a call (goal 0.5), two plain INSERTs $bare ms"
for clients in 1 4; do
    printf '%s\n' '\set n random(10000000000, 900000000000)' \
        "SELECT count(*) FROM identity.import_identities('acme', (SELECT jsonb_agg(jsonb_build_object('traits', jsonb_build_object('username', 'p' || :n + n))) FROM generate_series(1, 100) n));" >"$PGHOST/batch.sql"
    PGOPTIONS='-c client_min_messages=warning -c synchronous_commit=off' pgbench -n -c $clients -j 2 -T 10 -f "$PGHOST/batch.sql" bench_identities 2>/dev/null |
        awk -v c=$clients '/^tps/ { printf "batches of 100 identities, %s client(s): %.0f a second\n", c, $3 }'
done

triggers() { # ENABLE or DISABLE
    run -d bench_identities -c "DO \$\$ DECLARE t regclass; BEGIN FOR t IN SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'audit_insert' LOOP
        EXECUTE format('ALTER TABLE %s $1 TRIGGER audit_insert', t); END LOOP; END \$\$"
}
import="SELECT count(*) FROM identity.import_identities_from('acme', 'SELECT doc FROM source ORDER BY n', report => 'none')"
timed() { # prints seconds of the clock and of the processor
    run -d bench_identities -At 2>/dev/null <<SQL | tail -1
SELECT pg_backend_pid() AS pid, clock_timestamp() AS began \\gset
\\setenv PID :pid
\\set before \`awk '{print \$14 + \$15}' /proc/\$PID/stat\`
$import \\g /dev/null
\\set after \`awk '{print \$14 + \$15}' /proc/\$PID/stat\`
SELECT round(EXTRACT(epoch FROM clock_timestamp() - :'began'::timestamptz), 2), round((:after - :before) / 100.0, 2);
SQL
}
for round in $(seq "${ROUNDS:-2}"); do
    for how in ENABLE DISABLE; do
        empty
        triggers $how
        took=$(timed)
        [ $how = ENABLE ] && recorded=$took || bare=$took
    done
    echo "import_identities_from, round $round: with the audit of rows ${recorded%|*} s (processor ${recorded#*|} s), without ${bare%|*} s (processor ${bare#*|} s)"
    echo "with the audit of rows / without: $(ratio "${recorded%|*}" "${bare%|*}"), by the processor $(ratio "${recorded#*|}" "${bare#*|}") (goal 1.15)"
done
triggers ENABLE
run -d bench_identities -Atc "SELECT 'audit_values: ' || pg_size_pretty(pg_total_relation_size('identity.audit_values')) || ', ' || sum(rows) || ' rows in ' || count(*) FROM identity.audit_values"
