#!/usr/bin/env bash
# Time over rows of first loads: tables that were never analyzed, and were empty; autovacuum is off. 1,000 rows, and then ten times as many up to
# ROWS (1000000): stage_site of two sites, dedup_site_logins over both (a tenth of the names are in both), promote_site,
# import_identities_from, import_rows. Each in a database of its own; prints seconds, and the ratio to the last.
. "$(dirname "$0")/lib.sh"
most=${ROWS:-1000000}
mapping='{"original_id": "id", "username": "u", "email": "e", "password_hash": "p"}'
users() { # the number of users, and how many of another site's names come before them
    echo "SELECT n AS id, ''User'' || n + $2 AS u, ''user'' || n + $2 || ''@example.com'' AS e, md5(n::text) AS p FROM generate_series(1, $1) AS n"
}
declare -A before
took() { # what, seconds, rows
    echo "first load, $3 rows: $1 $2 s${before[$1]:+, $(ratio "$2" "${before[$1]}") times the last (goal 12)}"
    before[$1]=$2
}
for ((rows = 1000; rows <= most; rows *= 10)); do
    run -d postgres -c 'DROP DATABASE IF EXISTS bench_first' -c 'CREATE DATABASE bench_first' 2>/dev/null
    run -d bench_first >/dev/null <<'SQL'
CREATE EXTENSION pg_identity;
SELECT identity.add_realm('sites'), identity.add_site('sites', 2, 'forum', 'fz_'), identity.add_site('sites', 3, 'shop', 'sh_'), identity.add_realm('store');
CREATE TABLE people (id bigint PRIMARY KEY, username text, email text UNIQUE);
CREATE UNIQUE INDEX ON people (lower(username));
CHECKPOINT;
SQL
    half=$((rows / 2))
    took stage_site "$(seconds bench_first \
        -c "SELECT count(*) FROM identity.stage_site('sites', 'forum', '$(users "$half" 0)', '$mapping')" \
        -c "SELECT count(*) FROM identity.stage_site('sites', 'shop', '$(users "$half" $((half * 9 / 10)))', '$mapping')")" "$rows"
    took dedup_site_logins "$(seconds bench_first -c "SELECT count(*) FROM identity.dedup_site_logins('sites')")" "$rows"
    took promote_site "$(seconds bench_first -c "SELECT count(*) FROM identity.promote_site('sites', 'forum')")" "$rows"
    took import_identities_from "$(seconds bench_first \
        -c "SELECT count(*) FROM identity.import_identities_from('store', '$(users "$rows" 0)', mapping => '$mapping')")" "$rows"
    took import_rows "$(seconds bench_first \
        -c "SELECT count(*) FROM identity.import_rows('people', 'SELECT n AS id, ''User'' || n AS username, ''user'' || n || ''@example.com'' AS email FROM generate_series(1, $rows) AS n')")" "$rows"
done
