#!/usr/bin/env bash
# A throwaway cluster in a directory of its own, on a socket of its own: never one that the project did not start.
#
#   tools/cluster.sh start NAME    makes it where it is missing, starts it where it stands still
#   tools/cluster.sh stop NAME     stops it
#   tools/cluster.sh remove NAME   stops and deletes it
#   tools/cluster.sh standby NAME  makes NAME-standby, a streaming replica of NAME, and starts it
#   tools/cluster.sh env NAME      prints PGHOST, PGPORT and PGUSER for it
#   tools/cluster.sh run NAME CMD  runs CMD as the cluster's own user, with that environment
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
bin=$("${PG_CONFIG:-pg_config}" --bindir)

verb=${1:?start, stop, remove, standby, env or run}
name=${2:?a name}
shift 2

# A server refuses to run as root: then user postgres runs it. Its directory is one of the project, which git ignores;
# where the owner cannot reach that, or a socket's path would be too long (a hundred characters), one below /tmp.
if [ "$(id -u)" = 0 ]; then owner=postgres; else owner=$(id -un); fi
reaches() { [ "$(id -u)" != 0 ] || setpriv --reuid="$owner" --regid="$owner" --init-groups test -x "$1"; }
home=${PG_IDENTITY_CLUSTERS:-$root/.work/clusters}
if [ "${#home}" -gt 70 ] || ! reaches "$root"; then
    home=/tmp/pg_identity-$owner-$(printf %s "$root" | cksum | cut -d' ' -f1)
fi
data=$home/$name
port=5432

as_owner() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && setpriv --reuid="$owner" --regid="$owner" --init-groups env -u RUST_BACKTRACE HOME="$home" "$@")
    else
        env -u RUST_BACKTRACE "$@"
    fi
}

running() { as_owner "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1; }

start() {
    if [ ! -s "$data/PG_VERSION" ]; then
        mkdir -p "$home"
        [ "$(id -u)" != 0 ] || chown "$owner" "$home"
        chmod 755 "$home"
        as_owner "$bin/initdb" -D "$data" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null
        as_owner tee -a "$data/postgresql.conf" >/dev/null <<CONF
listen_addresses = ''
unix_socket_directories = '$data'
port = $port
fsync = off
shared_buffers = ${PG_IDENTITY_SHARED_BUFFERS:-128MB}
max_wal_size = 4GB
max_prepared_transactions = 4
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = off
CONF
    fi
    running || as_owner "$bin/pg_ctl" -D "$data" -l "$data/server.log" -w start >/dev/null
}

stop() { ! running || as_owner "$bin/pg_ctl" -D "$data" -m fast -w stop >/dev/null; }

standby() {
    local copy=$data-standby
    as_owner "$bin/pg_basebackup" -h "$data" -p "$port" -U postgres -D "$copy" -R --checkpoint=fast --no-sync 2>/dev/null
    # The primary's socket and log are in its data directory, and so in the copy.
    as_owner rm -f "$copy"/.s.PGSQL.* "$copy/server.log"
    as_owner tee -a "$copy/postgresql.conf" >/dev/null <<<"unix_socket_directories = '$copy'"
    as_owner "$bin/pg_ctl" -D "$copy" -l "$copy/server.log" -w start >/dev/null
}

case $verb in
    start) start ;;
    stop) stop ;;
    remove) stop; rm -rf "${data:?}" ;;
    standby) standby ;;
    env) printf 'export PGHOST=%q PGPORT=%q PGUSER=postgres PGDATABASE=postgres\n' "$data" "$port" ;;
    run) as_owner env PGHOST="$data" PGPORT="$port" PGUSER=postgres "$@" ;;
    *) echo "unknown verb: $verb" >&2; exit 2 ;;
esac
