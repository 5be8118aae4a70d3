#!/usr/bin/env bash
# Every test: decisions without a server, SQL behaviour, concurrency, then whole sessions. Stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
pg_config=${PG_CONFIG:-pg_config}
bin=$("$pg_config" --bindir)
pgxs=$(dirname "$("$pg_config" --pgxs)")/..
out=$root/.work/test
rm -rf "$out" && mkdir -p "$out"

echo "== decisions (cargo test --lib)"
cargo test --lib --no-default-features --features "${PG_FEATURE:-pg15}"

echo "== a cluster of its own"
tools/cluster.sh remove test
tools/cluster.sh start test
trap 'tools/cluster.sh remove test' EXIT
eval "$(tools/cluster.sh env test)"
export PGOPTIONS="-c lc_messages=C"

regress() { # runner, directory, first test files…
    local runner=$1 dir=$2
    shift 2
    echo "== $dir"
    mkdir -p "$out/$dir"
    "$runner" --bindir="$bin" --inputdir="$root/tests/$dir" --outputdir="$out/$dir" --host="$PGHOST" --port="$PGPORT" \
        --user=postgres --dbname=pg_identity_$(basename "$dir") --load-extension=pg_identity "$@" || {
        cat "$out/$dir/regression.diffs"
        exit 1
    }
}
names() { (cd "tests/$1" && find . -name "*.$2" -printf '%f\n' | sed "s/\.$2\$//" | sort); }

# shellcheck disable=SC2046
regress "$pgxs/test/regress/pg_regress" regress $(names regress/sql sql)
# shellcheck disable=SC2046
regress "$pgxs/test/isolation/pg_isolation_regress" isolation $(names isolation/specs spec)

echo "== sessions"
passed=0
for script in tests/sessions/*.sh; do
    echo "-- $script"
    bash "$script" >"$out/session.log" 2>&1 || { cat "$out/session.log"; echo "FAILED: $script"; exit 1; }
    tail -n 3 "$out/session.log"
    passed=$((passed + 1))
done
echo "$passed passed, 0 failed"

echo "== clients"
client() { # name, command…
    local database=pg_identity_client_$1
    shift
    psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" -c "CREATE DATABASE $database" 2>/dev/null
    psql -Xqd "$database" -c 'CREATE EXTENSION pg_identity'
    echo "-- $*"
    PGDATABASE=$database PG_IDENTITY_NODE=$root/.work/node "$@"
}
client psycopg .work/venv/bin/python tests/clients/psycopg_client.py
client node node tests/clients/node_postgres.mjs
