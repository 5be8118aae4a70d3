#!/usr/bin/env bash
# A large run in another session: its progress is seen, it is cancelled in every phase, and nothing of it is left.
. "$(dirname "$0")/../lib.sh"
ask -c "CREATE TABLE people (id bigserial PRIMARY KEY, name text UNIQUE, mail text UNIQUE)"
ask -c "INSERT INTO people (name, mail) SELECT 'n' || n, 'm' || n FROM generate_series(1, 20000) n"
source="SELECT 'n' || n AS name, 'm' || n AS mail FROM generate_series(10001, 1510000) n"

run() { psql -Xq -c "SET application_name = 'importer'" -c "SELECT count(*) FROM identity.import_rows('people', '${source//\'/\'\'}', report => 'none')" 2>&1 || true; }
progress() { ask -c "SELECT phase, target, rows_done, rows_total, problems FROM identity.import_progress"; }

# Waits for a phase; writing: until some rows are done.
wait_for() {
    for _ in $(seq 600); do
        seen=$(progress)
        case $seen in
            indexing*) [ "$1" = indexing ] && [ "$(cut -d'|' -f3 <<<"$seen")" -gt 0 ] && return ;;
            writing*) [ "$1" = writing ] && [ "$(cut -d'|' -f3 <<<"$seen")" -gt 0 ] && return ;;
            "$1"*) return ;;
        esac
        sleep 0.05
    done
    echo "NOT OK: phase $1 was never seen"
    exit 1
}

for phase in reading checking writing indexing; do
    out=$(mktemp)
    run >"$out" &
    importer=$!
    wait_for "$phase"
    if [ "$phase" = writing ]; then
        expect "the target while writing" people "$(cut -d'|' -f2 <<<"$seen")"
        expect "the total while writing" 1500000 "$(cut -d'|' -f4 <<<"$seen")"
        expect "the problems while writing" 10000 "$(cut -d'|' -f5 <<<"$seen")"
    fi
    ask -c "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'importer'" >/dev/null
    wait $importer
    expect "the end while $phase" 1 "$(grep -c 'canceling statement due to user request' "$out")"
    expect "rows after a cancel while $phase" 20000 "$(ask -c 'SELECT count(*) FROM people')"
    expect "progress after a cancel while $phase" "" "$(progress)"
done

# Staging a site and telling its names apart are seen in their phases, too.
ask -c "SELECT identity.add_realm('acme'), identity.add_site('acme', 1, 'main'), identity.add_site('acme', 2, 'forum', 'fo_')" >/dev/null
seen_in() { # what is called, its target, its rows
    out=$(mktemp)
    psql -XqAt -c "SET client_min_messages = error" -c "SELECT count(*) FROM $1" >"$out" 2>&1 &
    local runner=$! phases="" last=""
    while kill -0 $runner 2>/dev/null; do
        seen=$(ask -c "SELECT phase, target, rows_total, run_id IS NULL FROM identity.import_progress")
        [ -n "$seen" ] && [ "${seen%%|*}" != "$last" ] && phases+=" ${seen%%|*}" && last=${seen%%|*}
        [ "$last" = writing ] && [ -n "$seen" ] && while_writing=$seen
    done
    wait $runner
    expect "phases of ${1%%(*}" " reading checking writing" "$(grep -o ' reading checking writing' <<<"$phases")"
    expect "what was seen of ${1%%(*} while writing" "$2" "$while_writing"
    expect "progress after ${1%%(*}" "" "$(progress)"
}
users="SELECT n AS id, ''n'' || n % 100000 AS login FROM generate_series(1, 200000) n"
seen_in "identity.stage_site('acme', 'forum', '$users', '{\"original_id\": \"id\", \"username\": \"login\"}', report => 'none')" "writing|identity.staged_identities|200000|t"
seen_in "identity.dedup_site_logins('acme')" "writing|identity.staged_identifiers|200000|f"

# statement_timeout ends it too, and the session goes on.
out=$(psql -XqAt 2>&1 <<SQL || true
SET statement_timeout = '1500ms';
SELECT count(*) FROM identity.import_rows('people', '${source//\'/\'\'}');
SET statement_timeout = 0;
SELECT 'the session lives, with ' || count(*) || ' temporary tables' FROM pg_class WHERE relnamespace = pg_my_temp_schema();
SELECT 'locks: ' || count(*) FROM pg_locks WHERE locktype = 'object' AND pid = pg_backend_pid();
SQL
)
expect "statement_timeout" 1 "$(grep -c 'canceling statement due to statement timeout' <<<"$out")"
expect "the session after it" 1 "$(grep -c 'the session lives, with 0 temporary tables' <<<"$out")"
expect "locks after it" 1 "$(grep -c 'locks: 0' <<<"$out")"
expect "rows after it" 20000 "$(ask -c 'SELECT count(*) FROM people')"
