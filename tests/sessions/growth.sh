#!/usr/bin/env bash
# Tables that the planner knows nothing of: what is loaded, loaded again, and undone takes a time in proportion to its rows. Each
# statement takes a few seconds here, and would take half a minute or more if it read one side once for each row of the other.
. "$(dirname "$0")/../lib.sh"
# Statistics come when they please, and would hide it.
ask >/dev/null <<'SQL'
SELECT identity.add_realm('acme'), identity.add_site('acme', 1, 'main'), identity.add_site('acme', 2, 'a'), identity.add_site('acme', 3, 'b');
SELECT format('ALTER TABLE %s SET (autovacuum_enabled = off)', oid::regclass) FROM pg_class WHERE relnamespace = 'identity'::regnamespace AND relkind = 'r' \gexec
CREATE TABLE users AS SELECT n AS id, 'n' || n AS login, 'n' || n || '@example.org' AS mail FROM generate_series(1, 20000) AS n;
SQL
within_15_s() { # what, wanted, SQL
    expect "$1" "$2" "$(ask -c "SET statement_timeout = '15s'" -c "SET client_min_messages = warning" -c "$3" 2>&1)"
}
staged() { # site, source
    echo "SELECT status, count(*) FROM identity.stage_site('acme', '$1', '$2', '{\"original_id\": \"id\", \"username\": \"login\", \"email\": \"mail\"}', report => 'all') GROUP BY 1 ORDER BY 1"
}
within_15_s "20,000 users of a new site" "staged|20000" "$(staged a 'TABLE users')"
within_15_s "20,000 users that have not changed" "unchanged|20000" "$(staged a 'TABLE users')"
within_15_s "20,000 users that have changed" "updated|20000" "$(staged a "SELECT id, ''x'' || login AS login, mail FROM users")"
within_15_s "20,000 users of a second site" "staged|20000" "$(staged b "SELECT id, ''x'' || login AS login, mail FROM users")"
within_15_s "some of them that have changed" "updated|800" "$(staged b 'SELECT * FROM users WHERE id <= 800')"
within_15_s "some of them that have changed back" "updated|800" "$(staged b "SELECT id, ''x'' || login AS login, mail FROM users WHERE id <= 800")"
within_15_s "20,000 rows of one user" $'duplicate|19999\nunchanged|1' "$(staged b "SELECT 20000 AS id, ''xn20000'' AS login, ''n20000@example.org'' AS mail FROM users")"
within_15_s "their duplicates" 40000 "SELECT count(*) FROM identity.dedup_site_logins('acme')"
run=$(ask -c 'SELECT run_id FROM identity.site_dedup_runs')
ask -c "SELECT identity.mark_notices('acme', array_agg(notice_id), 'sent') FROM identity.notices" >/dev/null
within_15_s "an undo in a dry run" "restored|40000" "SELECT status, count(*) FROM identity.undo_dedup('$run', true) GROUP BY 1"
within_15_s "an undo" "restored|40000" "SELECT status, count(*) FROM identity.undo_dedup('$run') GROUP BY 1"
within_15_s "notices of it" $'pending|20000\nsent|20000' "SELECT state, count(*) FROM identity.notices GROUP BY 1 ORDER BY 1"

# The same with statistics, and with those of a time when the tables were small.
ask -c 'TRUNCATE identity.staged_identities CASCADE' -c "$(staged a 'SELECT * FROM users WHERE id <= 10')" -c 'ANALYZE' >/dev/null 2>&1
within_15_s "20,000 users, with statistics of ten" $'staged|19990\nunchanged|10' "$(staged a 'TABLE users')"
within_15_s "all of them changed, with statistics of ten" "updated|20000" "$(staged a "SELECT id, ''y'' || login AS login, mail FROM users")"
ask -c 'ANALYZE'
within_15_s "all of them changed, with statistics" "updated|20000" "$(staged a 'TABLE users')"
