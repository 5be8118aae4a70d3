#!/usr/bin/env bash
# A million identities, each with an e-mail, a username and a password that is hashed already: import_identities_from beside
# plain INSERT … SELECT of ready rows into the same three tables, and beside import_identities in calls of 1000.
# Prints seconds and ratios. Then the same import with the triggers by which the audit records rows, and without them, in turn: seconds
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
