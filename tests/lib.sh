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
