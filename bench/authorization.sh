#!/usr/bin/env bash
# check_permission beside the usual ways, from a thousand permissions on resources to ten million. Times are of one call in the server,
# in microseconds: a statement that calls it many times, less the same statement without it. Draws docs/authorization.svg.
. "$(dirname "$0")/lib.sh"
rows=${ROWS:-10000000}
db=bench_authorization
run -d postgres -c "DROP DATABASE IF EXISTS $db" -c "CREATE DATABASE $db" 2>/dev/null
run -d $db <<'SQL'
CREATE EXTENSION pg_identity;
SELECT identity.add_realm('acme'), identity.add_realm('pages') \g /dev/null
SELECT identity.add_resource_type(r, 'clients', '{create,manage,view}') FROM unnest('{acme,pages}'::text[]) AS r \g /dev/null
-- Users are in groups, and some of these in roles that may create clients.
INSERT INTO identity.members SELECT 'acme', 'user:' || n, 'group:' || n % 100 FROM generate_series(0, 99999) n;
SELECT identity.add_member('acme', 'group:' || n, 'role:admin') FROM generate_series(0, 9) n \g /dev/null
SELECT identity.grant_permission('acme', 'role:admin', 'clients', '{create,view}') \g /dev/null
-- What is usual: a function with a query whose plan is kept. It knows neither groups nor levels.
CREATE FUNCTION exists_on_type(who text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM identity.permissions AS p WHERE p.realm = 'acme' AND p.resource_type = 'clients' AND p.scope = 'create'
                   AND p.subject = who AND p.resource IS NULL AND p.effect = 'allow');
END $$;
CREATE FUNCTION exists_on_resource(who text, what text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM identity.permissions AS p WHERE p.realm = 'acme' AND p.resource_type = 'clients' AND p.scope = 'view'
                   AND p.subject = who AND p.resource = what AND p.effect = 'allow');
END $$;
SQL

milliseconds() { # psql's arguments; the best of three
    for _ in 1 2 3; do
        run -d $db -At -c "SELECT identity.check_permission('acme', 'user:1', 'create', 'clients')" "${settings[@]}" -c '\timing on' "$@" |
            sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'
    done | sort -n | head -n 1
}
settings=()
microseconds() { # calls, the condition, the same without the call
    local with without
    with=$(milliseconds -c "SELECT count(*) FROM generate_series(1, $1) AS n WHERE $2")
    without=$(milliseconds -c "SELECT count(*) FROM generate_series(1, $1) AS n WHERE $3")
    awk -v a="$with" -v b="$without" -v n="$1" 'BEGIN { printf "%.3f", (a - b) * 1000 / n }'
}
# Arguments that no planner takes for constants.
who="CASE WHEN n > 0 THEN 'user:1' END"
type_check="identity.check_permission('acme', $who, 'create', 'clients')"
resource_check="identity.check_permission('acme', 'user:' || (k % 100000), 'view', 'clients', 'c' || k)"
picked() { # how many resources are asked for, each once: a multiplier that shares no factor with the number of rows visits them in no order
    echo "(SELECT (n * 7919 % $1)::bigint AS k) AS x"
}
on_resource() { # calls, rows, the condition
    local from="generate_series(1, $1) AS n, LATERAL $(picked "$2")" with without
    with=$(milliseconds -c "SELECT count(*) FROM $from WHERE $3")
    without=$(milliseconds -c "SELECT count(*) FROM $from WHERE ('user:' || (k % 100000)) <> ('c' || k)")
    awk -v a="$with" -v b="$without" -v n="$1" 'BEGIN { printf "%.3f", (a - b) * 1000 / n }'
}

points=$(mktemp)
loaded=0
for size in 1000 10000 100000 1000000 10000000; do
    [ "$size" -le "$rows" ] || break
    load=$(seconds $db -c "INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope)
        SELECT 'acme', 'user:' || (n % 100000), 'clients', 'c' || n, 'view' FROM generate_series($loaded, $size - 1) AS n")
    added=$((size - loaded))
    loaded=$size
    run -d $db -c 'VACUUM ANALYZE identity.permissions' -c 'CHECKPOINT'
    calls=$((size < 100000 ? size : 100000))
    warm=$(microseconds 1000000 "$type_check" "$who <> 'x'")
    settings=(-c 'SET identity.permission_cache = off')
    cold=$(microseconds 50000 "$type_check" "$who <> 'x'")
    settings=()
    asked=$(on_resource $calls "$size" "$resource_check")
    usual=$(on_resource $calls "$size" "exists_on_resource('user:' || (k % 100000), 'c' || k)")
    echo "$size $warm $cold $asked $usual" | tee -a "$points" |
        awk '{ printf "%10d rows: on the type %s us, the same without the cache %s us, on a resource not asked before %s us, PL/pgSQL EXISTS %s us\n", $1, $2, $3, $4, $5 }'
done
read -r _ first_warm _ < <(head -n 1 "$points")
read -r _ warm _ cold usual < <(tail -n 1 "$points")
through=$(on_resource 100000 "$loaded" "identity.check_permission('acme', 'user:' || ((k + 1) % 100000), 'view', 'clients', 'c' || k)")
usual_type=$(microseconds 200000 "exists_on_type($who)" "$who <> 'x'")
again=$(microseconds 1000000 "identity.check_permission('acme', $who, 'view', 'clients', CASE WHEN n > 0 THEN 'c1' END)" "$who <> 'x'")
run -d $db -c "INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope) SELECT 'acme', 'user:old', 'clients', 'c' || n, 'manage' FROM generate_series(1, 100000) AS n" -c 'VACUUM ANALYZE identity.permissions'
scan=$(milliseconds -c "SELECT bool_or(p.scope = 'create') FROM identity.permissions AS p WHERE p.realm = 'acme' AND p.subject = 'user:old' AND p.resource_type = 'clients' AND p.resource IS NOT NULL")
first=$(for _ in 1 2 3 4 5; do run -d $db -At -c '\timing on' -c "SELECT identity.check_permission('acme', 'user:1', 'create', 'clients')" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'; done | sort -n | sed -n 3p)

echo "last load: $added rows in $load s"
echo "type-level, warm: $warm us; PL/pgSQL with an indexed EXISTS: $usual_type us: $(ratio "$usual_type" "$warm") times as fast (goal 20; at most 0.6 us)"
echo "type-level at $loaded rows / at 1000: $(ratio "$warm" "$first_warm") (goal at most 1.2)"
echo "instance-level, not asked before, $loaded rows: $cold us; prepared indexed EXISTS: $usual us: ratio $(ratio "$cold" "$usual") (goal at most 1.5)"
echo "the same where no permission on the resource is the asker's, so that his groups and the type are looked at: $through us"
echo "instance-level, warm: $again us (goal at most 1)"
echo "scan of 100000 permissions on single clients: $scan ms: $(awk -v a="$scan" -v b="$warm" 'BEGIN { printf "%d", a * 1000 / b }') times as long as the type-level answer (goal 10000)"
echo "first check of a new connection: $first ms (goal at most 5)"

# Warm checks of one session in quiet, while another changes permissions of another realm 50 times a second, and while it grants to others of the same realm.
run -d $db -c "SELECT identity.add_realm('neighbour')" -c "SELECT identity.add_resource_type('neighbour', 'clients', '{create,view}')" \
    -c "INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope) SELECT 'neighbour', 'user:' || n, 'clients', 'c' || n, 'view' FROM generate_series(1, 10000) n" >/dev/null
asking="SELECT count(*) FILTER (WHERE identity.check_permission('acme', 'user:' || n % 100, 'create', 'clients')) FROM generate_series(1, 2000000) AS n"
# Microseconds of the processor that each check takes, the second time on, while a statement is run 50 times a second: the least of three.
used() {
    local changes=
    if [ -n "$1" ]; then
        pgbench -n -M simple -c 1 -R 50 -T 600 -f <(printf '%s\n' '\set k random(1000, 9999)' "$1") $db >/dev/null 2>&1 &
        changes=$!
        sleep 1
    fi
    run -d $db -At -c 'SET client_min_messages = log' -c "$asking" -c 'SET log_statement_stats = on' -c "$asking" -c "$asking" -c "$asking" 2>&1 |
        sed -n 's/^!.*\t\([0-9.]*\) s user, \([0-9.]*\) s system, .*elapsed$/\1 \2/p' | awk '{ print ($1 + $2) / 2 }' | sort -n | sed -n 1p
    [ -z "$changes" ] || { kill "$changes"; wait "$changes" 2>/dev/null || true; }
}
beside() { # what the other session does, its statement, the goal
    local quiet busy
    quiet=$(used "")
    busy=$(used "$2")
    echo "warm checks while another session $1: $busy us, in quiet $quiet us: ratio $(ratio "$busy" "$quiet") (goal $3)"
}
beside "changes another realm 50 times a second" "SELECT identity.grant_permission('neighbour', 'role:' || :k, 'clients', '{view}', 'c' || :k), identity.revoke_permission('neighbour', 'role:' || :k, 'clients', '{view}', 'c' || :k);" 1.2
beside "grants to other users of the realm 50 times a second" "SELECT identity.grant_permission('acme', 'user:' || :k, 'clients', '{view}', 'n' || :k), identity.revoke_permission('acme', 'user:' || :k, 'clients', '{view}', 'n' || :k);" 1.2
beside "grants to groups of the realm 50 times a second" "SELECT identity.grant_permission('acme', 'group:x' || :k, 'clients', '{view}', 'n' || :k), identity.revoke_permission('acme', 'group:x' || :k, 'clients', '{view}', 'n' || :k);" none

# Pages of a list of all resources.
run -d $db -c "INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope) SELECT 'pages', 'user:1', 'clients', 'c' || lpad(n::text, 8, '0'), 'view' FROM generate_series(1, $rows) AS n" -c 'VACUUM identity.permissions' -c CHECKPOINT
page() { milliseconds -c "SELECT count(*) FROM identity.permitted_resources('pages', 'user:1', 'view', 'clients', after => 'c' || lpad('$1', 8, '0'))"; }
one=$(page 0)
last=$(page $((rows - 1000)))
echo "permitted_resources, pages of 1000 of $rows: the first $one ms, the last $last ms: ratio $(ratio "$last" "$one")"

# And of all subjects that may see one resource.
run -d $db -c "INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope) SELECT 'pages', 'user:' || lpad(n::text, 8, '0'), 'clients', 'everybody''s', 'view' FROM generate_series(1, $rows) AS n" -c 'VACUUM identity.permissions' -c CHECKPOINT
page() { milliseconds -c "SELECT count(*) FROM identity.permitted_subjects('pages', 'view', 'clients', 'everybody''s', after => 'user:' || lpad('$1', 8, '0'))"; }
one=$(page 0)
last=$(page $((rows - 1000)))
echo "permitted_subjects, pages of 1000 of $rows: the first $one ms, the last $last ms: ratio $(ratio "$last" "$one")"

# Two clients, prepared statements.
transactions() { # of the second run: the first brings the pages in
    for _ in 1 2; do
        pgbench -n -M prepared -c 2 -j 2 -T "${SECONDS_EACH:-10}" -f <(printf '%s\n' '\set k random(0, 99999)' "$1") $db 2>/dev/null | sed -n 's/^tps = \([0-9]*\).*/\1/p'
    done | tail -n 1
}
pgbench_check=$(transactions "SELECT identity.check_permission('acme', 'user:' || :k, 'create', 'clients');")
pgbench_resource=$(transactions "SELECT identity.check_permission('acme', 'user:' || :k, 'view', 'clients', 'c' || :k);")
pgbench_exists=$(transactions "SELECT EXISTS (SELECT FROM identity.permissions AS p WHERE p.realm = 'acme' AND p.resource_type = 'clients' AND p.scope = 'view' AND p.subject = 'user:' || :k AND p.resource = 'c' || :k AND p.effect = 'allow');")
echo "pgbench, 2 clients, prepared, transactions a second: type-level $pgbench_check, instance-level $pgbench_resource, plain indexed EXISTS $pgbench_exists: ratios $(ratio "$pgbench_check" "$pgbench_exists"), $(ratio "$pgbench_resource" "$pgbench_exists")"

awk -f "$(dirname "$0")/curve.awk" "$points" >"$(dirname "$0")/../docs/authorization.svg"
rm -f "$points"
