# What the session tests share: a database of their own, and a check that says what it wanted.
set -euo pipefail
db=pg_identity_session_$(basename "$0" .sh)
psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $db WITH (FORCE)" -c "CREATE DATABASE $db" 2>/dev/null
export PGDATABASE=$db
psql -Xqc 'CREATE EXTENSION pg_identity'

ask() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

expect() { # what, wanted, got
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        printf 'NOT OK: %s\n  wanted: %s\n  got:    %s\n' "$1" "$2" "$3"
        exit 1
    fi
}

# A hot standby of the test's cluster: `on_standby` asks it, after it has replayed what the primary has written.
standby_start() {
    standby=$(basename "$PGHOST")-standby
    cluster() { "$(dirname "${BASH_SOURCE[0]}")/../tools/cluster.sh" "$@"; }
    cluster remove "$standby"
    cluster standby "$(basename "$PGHOST")"
    trap standby_stop EXIT
    standby_host=$(eval "$(cluster env "$standby")" && printf %s "$PGHOST")
}
standby_stop() { cluster remove "$standby"; }
on_standby() {
    local written
    written=$(ask -c 'SELECT pg_current_wal_lsn()')
    until [ "$(ask -h "$standby_host" -c "SELECT pg_last_wal_replay_lsn() >= '$written'")" = t ]; do sleep 0.05; done
    ask -h "$standby_host" "$@"
}

# A session that stays open: `tell` has it run something, and prints its answer.
session_start() {
    session_said=$(mktemp)
    exec {session}> >(exec psql -XqAt >>"$session_said" 2>&1)
    session_pid=$(tell 'SELECT pg_backend_pid()')
}
tell() {
    local marker="== $BASHPID $RANDOM =="
    printf '%s;\n\\echo %s\n' "$1" "$marker" >&"$session"
    until grep -q "$marker" "$session_said"; do sleep 0.02; done
    sed "/$marker/,\$d" "$session_said"
    : >"$session_said"
}
session_stop() {
    exec {session}>&-
    rm -f "$session_said"
}
