#!/usr/bin/env bash
# import_rows beside the statements it replaces: 1 M rows with random keys into 1 M rows with a bigserial key and unique
# indexes on lower(username), lower(email) and phone; 10 % of them conflict on all three. Each side starts from the same
# files, after a checkpoint. Prints seconds and ratios; ROUNDS (2) rounds, the best of each side counts.
. "$(dirname "$0")/lib.sh"
rounds=${ROUNDS:-2}
rows=${ROWS:-1000000}

run -d postgres -c 'DROP DATABASE IF EXISTS bench_template' -c 'CREATE DATABASE bench_template'
run -d bench_template -v rows="$rows" <<'SQL'
CREATE EXTENSION pg_identity;
CREATE FUNCTION login(n bigint, OUT username text, OUT email text, OUT phone text) LANGUAGE sql AS $$
    SELECT 'User' || md5(n::text), md5(n || 'e') || '@Example.com',
           '+49' || ('x' || substr(md5(n || 'p'), 1, 12))::bit(48)::bigint $$;
CREATE TABLE people (id bigserial PRIMARY KEY, username text, email text, phone text);
INSERT INTO people (username, email, phone) SELECT l.* FROM generate_series(1, :rows) n, login(n) l;
CREATE UNIQUE INDEX ON people (lower(username));
CREATE UNIQUE INDEX ON people (lower(email));
CREATE UNIQUE INDEX ON people (phone);
CREATE TABLE source AS SELECT l.* FROM generate_series(:rows * 9 / 10 + 1, :rows * 19 / 10) n, login(n) l ORDER BY md5(l.phone);
VACUUM ANALYZE;
SQL

# Seconds that a statement takes on a fresh copy of the template.
measure() {
    run -d postgres -c 'DROP DATABASE IF EXISTS bench' -c 'CREATE DATABASE bench TEMPLATE bench_template STRATEGY file_copy' -c CHECKPOINT
    run -d bench -c 'SELECT count(*) FROM people WHERE id > 0' -c 'SELECT count(*) FROM source' >/dev/null
    seconds bench -c "$1"
}
best() { awk -v a="$1" -v b="$2" 'BEGIN { print (a == "" || b < a) ? b : a }'; }

bare="INSERT INTO people (username, email, phone) SELECT username, email, phone FROM source ON CONFLICT DO NOTHING"
cte="CREATE TABLE report AS
  WITH numbered AS MATERIALIZED (SELECT row_number() OVER () AS n, s.* FROM source s),
       landed AS (INSERT INTO people (username, email, phone) SELECT username, email, phone FROM numbered ON CONFLICT DO NOTHING RETURNING username)
  SELECT n.n, u.id AS by_username, e.id AS by_email, p.id AS by_phone
  FROM numbered n LEFT JOIN landed l ON l.username = n.username
  LEFT JOIN people u ON lower(u.username) = lower(n.username)
  LEFT JOIN people e ON lower(e.email) = lower(n.email)
  LEFT JOIN people p ON p.phone = n.phone
  WHERE l.username IS NULL"
own="CREATE TABLE report AS SELECT * FROM identity.import_rows('people', 'source')"

for round in $(seq "$rounds"); do
    b=$(measure "$bare"); t_bare=$(best "${t_bare:-}" "$b")
    o=$(measure "$own"); t_own=$(best "${t_own:-}" "$o")
    c=$(measure "$cte"); t_cte=$(best "${t_cte:-}" "$c")
    echo "import, round $round: bare ON CONFLICT DO NOTHING ${b} s, CTE with report ${c} s, import_rows with report ${o} s"
done
echo "import_rows / bare ON CONFLICT DO NOTHING, $rows rows: $(ratio "$t_own" "$t_bare") (goal 0.75, target 0.6)"
echo "import_rows / CTE + LEFT JOIN report, $rows rows:      $(ratio "$t_own" "$t_cte") (goal 0.6, target 0.45)"

# Small batches, each with keys of its own, one row in ten a conflict: milliseconds a call, the first of a session apart.
run -d postgres -c 'DROP DATABASE IF EXISTS bench' -c 'CREATE DATABASE bench TEMPLATE bench_template STRATEGY file_copy' -c CHECKPOINT
run -d bench -c 'SELECT count(*) FROM people WHERE id > 0' >/dev/null
batches() { # rows, calls, the first key, the statement before and after the query
    for call in $(seq 0 "$2"); do
        first=$(($3 + call * $1))
        echo "$4 SELECT l.* FROM generate_series($first::bigint, $first + $1 - 1) n, login(CASE WHEN n % 10 = 9 THEN 1 + n % $rows ELSE n END) l $5;"
    done
}
per_call() { # calls
    run -d bench -At -c 'SET client_min_messages = warning' -c 'SET synchronous_commit = off' -c '\timing on' -f - |
        sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | awk -v calls="$1" 'NR == 1 { first = $1 } NR > 1 { s += $1 } END { printf "%.2f (%.1f)", s / calls, first }'
}
key=1000000000
for batch in "1 200 2 ms" "100 50 2" "1000 20 1.3" "10000 4 1.1"; do
    read -r size calls goal unit <<<"$batch"
    t_bare=$(batches "$size" "$calls" "$key" "INSERT INTO people (username, email, phone)" "ON CONFLICT DO NOTHING" | per_call "$calls")
    key=$((key + 10000000))
    t_own=$(batches "$size" "$calls" "$key" "SELECT count(*) FROM identity.import_rows('people', \$\$" "\$\$)" | per_call "$calls")
    key=$((key + 10000000))
    echo "batches of $size rows into $rows: bare $t_bare ms, import_rows $t_own ms, ratio $(ratio "${t_own%% *}" "${t_bare%% *}") (goal $goal${unit:+ $unit})"
done

# Several clients at a time, with batches of 100 rows of their own: batches a second, and the clients' processor time for each.
for clients in 1 4; do
    printf '%s\n' '\set n random(10000000000, 900000000000)' \
        "SELECT count(*) FROM identity.import_rows('people', 'SELECT l.* FROM generate_series(:n::bigint, :n + 99) n, login(n) l');" >"$PGHOST/batch.sql"
    PGOPTIONS='-c client_min_messages=warning -c synchronous_commit=off' pgbench -n -c $clients -j 2 -T 10 -f "$PGHOST/batch.sql" bench 2>/dev/null |
        awk -v c=$clients '/^tps/ { printf "batches of 100 rows, %s client(s): %.0f a second\n", c, $3 }'
done

# Tables that were never analyzed, and were empty: ten times the rows take about ten times as long.
before=
for size in 1000 10000 100000 1000000; do
    run -d bench -c 'DROP TABLE IF EXISTS fresh' -c 'CREATE TABLE fresh (LIKE people INCLUDING ALL)' -c CHECKPOINT
    t=$(seconds bench -c "SELECT count(*) FROM identity.import_rows('fresh', 'SELECT n AS id, l.* FROM generate_series(1, $size) n, login(n % ($size * 9 / 10)) l')")
    echo "first load of $size rows: $t s${before:+, $(ratio "$t" "$before") times the last (goal 12)}"
    before=$t
done

# Peak memory of the backend of one session's imports, shared buffers included and apart.
run -d bench -c 'CREATE TABLE wide (n bigint PRIMARY KEY, username text, email text)'
for n in 1000000 5000000; do
    run -d bench <<SQL
TRUNCATE wide;
SET client_min_messages = warning;
CREATE TEMP TABLE status (line text);
SELECT format('COPY status FROM PROGRAM %L (DELIMITER E''\\x01'')', 'cat /proc/' || pg_backend_pid() || '/status') AS read_status \gset
SELECT count(*) AS problems FROM identity.import_rows('wide',
    'SELECT n, md5(n::text) AS username, md5(n || ''e'') || ''@example.com'' AS email FROM generate_series(1, $n) n') \gset
:read_status;
\pset tuples_only
SELECT format('memory of the backend, $n rows: %s at the most, %s of it shared buffers',
    (SELECT btrim(split_part(line, ':', 2)) FROM status WHERE line LIKE 'VmHWM%'),
    (SELECT btrim(split_part(line, ':', 2)) FROM status WHERE line LIKE 'RssShmem%'));
SQL
done
