#!/usr/bin/env bash
# A migration script under ON_ERROR_STOP stops at on_conflict => 'error', and nothing of it stays.
. "$(dirname "$0")/../lib.sh"
script="CREATE TABLE t (n int PRIMARY KEY);
BEGIN;
INSERT INTO t VALUES (1);
SELECT count(*) FROM identity.import_rows('t', 'SELECT n FROM generate_series(1, 3) n', on_conflict => 'error');
INSERT INTO t VALUES (100);
COMMIT;"
status=0
out=$(psql -X -v ON_ERROR_STOP=1 <<<"$script" 2>&1) || status=$?
expect "psql's exit status" 3 "$status"
expect "rows left" 0 "$(ask -c 'SELECT count(*) FROM t')"
expect "runs on record" 0 "$(ask -c 'SELECT count(*) FROM identity.import_runs')"
grep -q 'HINT:.*dry_run => true' <<<"$out" || { echo "NOT OK: no hint in: $out"; exit 1; }

# Without a conflict it goes on.
status=0
psql -Xq -v ON_ERROR_STOP=1 >/dev/null 2>&1 <<SQL || status=$?
SELECT count(*) FROM identity.import_rows('t', 'SELECT n FROM generate_series(1, 3) n', on_conflict => 'error');
INSERT INTO t VALUES (100);
SQL
expect "psql's exit status of a clean import" 0 "$status"
expect "rows after it" 4 "$(ask -c 'SELECT count(*) FROM t')"
