#!/usr/bin/env bash
# What a session remembers of permissions: through the loss of invalidation messages, through DROP and CREATE EXTENSION, under many
# commits of others, within its bound of memory, and on a hot standby.
. "$(dirname "$0")/../lib.sh"
setup() {
    ask >/dev/null <<'SQL'
SELECT identity.add_realm('acme'), identity.add_resource_type('acme', 'clients', '{view,create}');
SELECT identity.grant_permission('acme', 'user:1', 'clients', '{create}');
SQL
}
setup
check="SELECT identity.check_permission('acme', 'user:1', 'create', 'clients')"
status() { tell "SELECT $1 FROM identity.permission_cache_status()"; }
session_start

# Remembered: the second question is a hit.
expect "permitted" t "$(tell "$check")"
hits=$(status hits)
expect "still permitted" t "$(tell "$check")"
expect "a hit" t "$([ "$(status hits)" -gt "$hits" ] && echo t)"

# The queue of messages has room for 4096: more of them while the session is busy, and it has to take everything for changed.
printf '%s\n' "SELECT pg_sleep(4);" >&"$session"
sleep 0.5
{
    echo "SELECT identity.revoke_permission('acme', 'user:1', 'clients', '{create}');"
    for n in $(seq 400); do echo "CREATE TEMP TABLE t$n (a text, b text UNIQUE); DROP TABLE t$n;"; done
} | ask >/dev/null
expect "revoked, and the message lost" f "$(tell "$check" | tail -n 1)"

# The extension goes and comes again, under the session's feet.
ask -c "SELECT identity.grant_permission('acme', 'user:1', 'clients', '{create}')" >/dev/null
expect "permitted again" t "$(tell "$check")"
psql -Xqc 'DROP EXTENSION pg_identity CASCADE' 2>/dev/null
expect "without the extension there is no question" 1 "$(tell "$check" | grep -c 'schema "identity" does not exist')"
psql -Xqc 'CREATE EXTENSION pg_identity'
expect "a new extension knows nothing" f "$(tell "$check")"
setup
expect "until it is told" t "$(tell "$check")"
tell "BEGIN; DROP EXTENSION pg_identity CASCADE; CREATE EXTENSION pg_identity; SELECT identity.check_permission('acme', 'user:1', 'create', 'clients')" >"$session_said.drop" 2>&1
expect "dropped and made in one transaction" f "$(tail -n 1 "$session_said.drop")"
tell ROLLBACK >/dev/null
rm -f "$session_said.drop"
expect "and all of that undone" t "$(tell "$check")"

# A thousand commits of another session: after each has returned, the answer is the new one.
ask >/dev/null <<'SQL'
CREATE EXTENSION IF NOT EXISTS dblink;
SQL
wrong=$(tell "DO \$\$ DECLARE wrong int := 0; BEGIN
    PERFORM dblink_connect('other', 'dbname=$db host=$PGHOST port=$PGPORT user=$PGUSER');
    FOR n IN 1..500 LOOP
        PERFORM * FROM dblink('other', 'SELECT identity.revoke_permission(''acme'', ''user:1'', ''clients'', ''{create}'')') AS t (n bigint);
        IF identity.check_permission('acme', 'user:1', 'create', 'clients') THEN wrong := wrong + 1; END IF;
        PERFORM * FROM dblink('other', 'SELECT identity.grant_permission(''acme'', ''user:1'', ''clients'', ''{create}'')') AS t (n bigint);
        IF NOT identity.check_permission('acme', 'user:1', 'create', 'clients') THEN wrong := wrong + 1; END IF;
    END LOOP;
    RAISE WARNING '% wrong', wrong;
END \$\$" 2>&1)
expect "answers by a state before the last commit" "WARNING:  0 wrong" "$wrong"

# Memory: 100 000 subjects in 1 MB.
memory() { awk '/^RssAnon/ { print $2 }' "/proc/$session_pid/status"; }
ask -c "INSERT INTO identity.permissions (realm, subject, resource_type, scope) SELECT 'acme', 'user:' || n, 'clients', 'view' FROM generate_series(1, 100000) n"
tell "SET identity.permission_cache_size = '1MB'" >/dev/null
expect "permitted to some" 1000 "$(tell "SELECT count(*) FROM generate_series(1, 1000) n WHERE identity.check_permission('acme', 'user:' || n, 'view', 'clients')")"
before=$(memory)
expect "permitted to all" 100000 "$(tell "SELECT count(*) FROM generate_series(1, 100000) n WHERE identity.check_permission('acme', 'user:' || n, 'view', 'clients')")"
grown=$(($(memory) - before))
expect "bytes within the bound" t "$(status 'bytes <= max_bytes AND entries > 1000')"
expect "the process has not grown by more than the bound and a little" t "$([ "$grown" -lt 3000 ] && echo t || echo "$grown kB")"
tell "RESET identity.permission_cache_size" >/dev/null
session_stop

# A standby answers, too, and forgets what the primary revokes.
standby_start
PGHOST=$standby_host session_start
on_standby -c "$check" >/dev/null
expect "permitted on the standby" t "$(tell "$check")"
expect "in recovery" t "$(tell 'SELECT pg_is_in_recovery()')"
expect "explained" 2 "$(tell "SELECT count(*) FROM identity.explain_permission('acme', 'user:1', 'create', 'clients')")"
expect "listed" "$(ask -c "SELECT count(*) FROM identity.permitted_subjects('acme', 'view', 'clients', max_rows => 10)")" "$(tell "SELECT count(*) FROM identity.permitted_subjects('acme', 'view', 'clients', max_rows => 10)")"
tell "BEGIN; $check" >/dev/null
ask -c "SELECT identity.revoke_permission('acme', 'user:1', 'clients', '{create}')" >/dev/null
on_standby -c 'SELECT 1' >/dev/null
expect "revoked on the primary, in an open transaction of the standby" f "$(tell "$check")"
tell COMMIT >/dev/null
session_stop
