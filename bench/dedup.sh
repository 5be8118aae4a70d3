#!/usr/bin/env bash
# dedup_logins beside the statements that it replaces: 3 M names in 3 sites, 350 k of them to be renamed. The other way groups
# the names into a table, updates each site from it, copies the renamed rows to a second table, and updates the SSO table
# from that. Prints seconds, the ratio, and the duplicates that each way leaves.
. "$(dirname "$0")/lib.sh"
rows=${ROWS:-3000000}
fresh() { run -d postgres -c 'DROP DATABASE IF EXISTS bench_dedup' -c 'CREATE DATABASE bench_dedup TEMPLATE bench_dedup_template STRATEGY file_copy' -c CHECKPOINT 2>/dev/null
    run -d bench_dedup -c 'SELECT count(*) FROM sso' >/dev/null; }
left="SELECT count(*) - count(DISTINCT lower(username)) FROM sso"

run -d postgres -c 'DROP DATABASE IF EXISTS bench_dedup_template' -c 'CREATE DATABASE bench_dedup_template' 2>/dev/null
run -d bench_dedup_template -v rows="$rows" <<'SQL'
CREATE EXTENSION pg_identity;
-- Two thirds main; of the other sites 350 k of 3 M names are taken by the main site or by each other; some are of other cases,
-- and some of the prefixed names exist.
CREATE TABLE sso (id bigserial PRIMARY KEY, site_id int, username varchar(64), notify_username_modify int NOT NULL DEFAULT 0);
INSERT INTO sso (site_id, username)
SELECT CASE WHEN n <= :rows * 2 / 3 THEN 1 WHEN n <= :rows * 5 / 6 THEN 2 ELSE 3 END,
       CASE WHEN n <= :rows * 2 / 3 THEN 'user' || n
            WHEN n % 20 < 7 THEN CASE WHEN n % 1000 = 1 THEN 'USER' ELSE 'user' END || (n - :rows * 2 / 3)
            WHEN n % 5000 = 7 THEN 'fz_user' || (n - 7 - :rows * 2 / 3)
            ELSE 'other' || n END
FROM generate_series(1, :rows) n;
CREATE INDEX ON sso (username);
VACUUM ANALYZE;
SQL
fresh
paper=$(seconds bench_dedup \
    -c 'CREATE TABLE duplicate_name AS SELECT username FROM sso GROUP BY username HAVING count(*) > 1' \
    -c "UPDATE sso SET username = 'fz_' || sso.username, notify_username_modify = 1 FROM duplicate_name d WHERE sso.username = d.username AND site_id = 2" \
    -c "UPDATE sso SET username = 'gx_' || sso.username, notify_username_modify = 1 FROM duplicate_name d WHERE sso.username = d.username AND site_id = 3" \
    -c 'CREATE TABLE renamed AS SELECT id, username FROM sso WHERE notify_username_modify = 1' \
    -c 'UPDATE sso SET username = r.username, notify_username_modify = 1 FROM renamed r WHERE r.id = sso.id')
paper_left=$(run -d bench_dedup -Atc "$left")
fresh
own=$(seconds bench_dedup -c "SELECT count(*) FROM identity.dedup_logins('sso', 'username', 'site_id', 'id', '{\"2\": \"fz_\", \"3\": \"gx_\"}', flag => 'notify_username_modify')")
own_left=$(run -d bench_dedup -Atc "$left")
renamed=$(run -d bench_dedup -Atc 'SELECT renamed FROM identity.dedup_runs')
echo "dedup, $rows names, $renamed renamed: statements of the paper ${paper} s, dedup_logins ${own} s"
echo "dedup_logins / the paper's statements: $(ratio "$own" "$paper") (goal 0.8)"
echo "duplicates left: $paper_left by the paper's statements, $own_left by dedup_logins"
