#!/usr/bin/env bash
# Every test, or those that are named, by their kind or each by its own name: tests/run.sh lib import_basic login_race audit psycopg fuzz
#
#   lib                  decisions, without a server (cargo test --lib)
#   regress/sql/*.sql    SQL behaviour, in one session
#   isolation/specs/*    several sessions
#   sessions/*.sh        whole sessions: other databases, standbys, dumps, roles
#   known_faults/*       tests that fail, and say what would be right; one that passes fails the run
#   psycopg, node        clients/*
#   fuzz                 random cases against slow judges, SEED and FUZZ_SECONDS in the environment
#
# It stops at the first kind of test that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export PG_CONFIG=${PG_CONFIG:-pg_config}
bin=$("$PG_CONFIG" --bindir)
pgxs=$(dirname "$("$PG_CONFIG" --pgxs)")/..
major=$("$PG_CONFIG" --version | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
out=$root/.work/test
rm -rf "$out" && mkdir -p "$out"

# The names of one kind of test: those that exist, or those of them that were asked for.
asked=" $* "
all=" "
names() { # directory, ending
    local name chosen=()
    # There may be none of a kind.
    [ -d "tests/$1" ] || return 0
    for name in $(cd "tests/$1" && find . -maxdepth 1 -name "*$2" -printf '%f\n' | sort); do
        name=${name%"$2"}
        all+="$name "
        case $asked in "  " | *" $name "* | *" ${1%%/*} "*) chosen+=("$name") ;; esac
    done
    printf -v "$3" '%s ' "${chosen[@]}"
}
names regress/sql .sql regress
names isolation/specs .spec isolation
names sessions .sh sessions
faults='' racy_faults=''
names known_faults/sql .sql faults
names known_faults/specs .spec racy_faults
all+="lib regress isolation sessions known_faults psycopg node fuzz "
for name in "$@"; do
    case $all in *" $name "*) ;; *) echo "There is no test \"$name\". Tests:$all" >&2; exit 2 ;; esac
done
wants() { case $asked in "  " | *" $1 "*) true ;; *) false ;; esac; }

if wants lib; then
    echo "== decisions (cargo test --lib)"
    PGRX_PG_CONFIG_PATH=$PG_CONFIG cargo test --lib --no-default-features --features "pg$major"
    [ "$asked" != " lib " ] || exit 0
fi

echo "== a cluster of its own"
tools/cluster.sh remove test
tools/cluster.sh start test
trap 'tools/cluster.sh remove test' EXIT
eval "$(tools/cluster.sh env test)"

regress() { # runner, directory, tests…
    local runner=$1 dir=$2
    shift 2
    [ $# -gt 0 ] || return 0
    echo "== $dir"
    mkdir -p "$out/$dir"
    "$runner" --bindir="$bin" --inputdir="$root/tests/$dir" --outputdir="$out/$dir" --host="$PGHOST" --port="$PGPORT" \
        --user=postgres --dbname="pg_identity_$dir" --load-extension=pg_identity "$@" || {
        cat "$out/$dir/regression.diffs"
        exit 1
    }
}
# shellcheck disable=SC2086
regress "$pgxs/test/regress/pg_regress" regress $regress
# shellcheck disable=SC2086
regress "$pgxs/test/isolation/pg_isolation_regress" isolation $isolation

passed=0
for name in $sessions; do
    [ "$passed" -gt 0 ] || echo "== sessions"
    echo "-- $name"
    bash "tests/sessions/$name.sh" >"$out/session.log" 2>&1 || { cat "$out/session.log"; echo "FAILED: $name"; exit 1; }
    tail -n 3 "$out/session.log"
    passed=$((passed + 1))
done
[ "$passed" = 0 ] || echo "$passed passed, 0 failed"

# Each must fail. One that does not is a fault no more, and its test belongs elsewhere.
known=0
fault() { # runner, test
    local status=0
    (regress "$1" known_faults "$2") >"$out/fault.log" 2>&1 || status=$?
    if [ "$status" = 0 ]; then
        echo "known_faults/$2 PASSES: move it to the tests that must pass"
        exit 1
    fi
    grep -q '1 of 1 tests failed' "$out/fault.log" || { cat "$out/fault.log"; exit 1; }
    known=$((known + 1))
}
[ -z "${faults// /}${racy_faults// /}" ] || echo "== known faults"
for name in $faults; do fault "$pgxs/test/regress/pg_regress" "$name"; done
for name in $racy_faults; do fault "$pgxs/test/isolation/pg_isolation_regress" "$name"; done
[ "$known" = 0 ] || echo "known to fail: $known"

in_new_database() { # name, command…
    local database=pg_identity_$1
    shift
    psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" -c "CREATE DATABASE $database" 2>/dev/null
    psql -Xqd "$database" -c 'CREATE EXTENSION pg_identity'
    echo "-- $*"
    PGDATABASE=$database PG_IDENTITY_NODE=$root/.work/node "$@"
}
echo "== clients, fuzz"
if wants psycopg; then in_new_database client_psycopg .work/venv/bin/python tests/clients/psycopg_client.py; fi
if wants node; then in_new_database client_node node tests/clients/node_postgres.mjs; fi
# Among all the tests the cases are the same each time; by its name alone it looks for new ones.
if [ "$asked" = "  " ]; then export SEED=${SEED:-3} CASES=${CASES:-30} FUZZ_SECONDS=${FUZZ_SECONDS:-300}; fi
if wants fuzz; then in_new_database fuzz .work/venv/bin/python tests/fuzz/run.py; fi
