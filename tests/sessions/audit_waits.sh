#!/usr/bin/env bash
# As many transactions of applications as the server takes connections stand open, each with a login on record: the next login of the
# realm waits for none of them.
. "$(dirname "$0")/../lib.sh"
ask >/dev/null <<'SQL'
SELECT identity.add_realm('acme');
SELECT count(*) FROM identity.import_identities('acme', '[{"traits": {"username": "ann"}, "credentials": {"password": {"config": {"hashed_password": "{SSHA}xlzaf8dpXKt9rXqOFkGYVxbkqPyNUlZq"}}}}]');
SQL
most=$(ask -c "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - 5")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkfifo "$dir/hold"
exec {hold}<>"$dir/hold"
for n in $(seq "$most"); do
    {
        echo "BEGIN; SELECT verdict FROM identity.authenticate('acme', 'ann', 'wrong');"
        echo "\\! touch $dir/open.$n; read -r _ <$dir/hold"
        echo "COMMIT;"
    } | psql -XqAt >/dev/null 2>"$dir/err.$n" &
done
opened() { find "$dir" -name 'open.*' | wc -l; }
for _ in $(seq 600); do [ "$(opened)" -lt "$most" ] || break; sleep 0.1; done
expect "transactions that stand open" "$most" "$(opened)"
held="SELECT count(*) > 64, count(DISTINCT objid) = count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 28775 AND granted AND mode = 'ExclusiveLock'"
expect "lanes that are held" "t|t" "$(ask -c "$held")"
expect "another login waits for none" "throttled" "$(ask -c "SET statement_timeout = '5s'" -c "SELECT verdict FROM identity.authenticate('acme', 'ann', 'wrong')" | sed 's/denied/throttled/')"
expect "nor does its routing" "deny" "$(ask -c "SET statement_timeout = '5s'" -c "SELECT decision FROM identity.resolve_login('acme', NULL)")"
expect "nor a change by hand" "1" "$(ask -c "SET statement_timeout = '5s'" -c "WITH u AS (UPDATE identity.identities SET state = state RETURNING 1) SELECT count(*) FROM u")"
for _ in $(seq "$most"); do echo >&"$hold"; done
wait
expect "the chains" "t|t" "$(ask -c "SELECT bool_and(intact), sum(events) = (SELECT count(*) FROM identity.audit_events WHERE realm = 'acme') FROM identity.verify_audit('acme')")"
expect "each has its event" "t" "$(ask -c "SELECT count(*) > $most AND count(*) = count(DISTINCT event_id) FROM identity.audit_events WHERE realm = 'acme' AND action = 'authenticate'")"

# A prepared transaction holds the lane of a process that is gone: who has its number now takes another.
for n in 1 2 3; do ask -c "BEGIN; SELECT identity_internal.audit('acme', 'prepared', NULL, NULL) > 0; PREPARE TRANSACTION 'lane$n'" >/dev/null; done
expect "an event beside prepared ones" t "$(ask -c "SET statement_timeout = '5s'" -c "SELECT identity_internal.audit('acme', 'beside', NULL, NULL) > 0")"
for n in 1 2 3; do ask -c "COMMIT PREPARED 'lane$n'"; done
expect "the chains after that" t "$(ask -c "SELECT bool_and(intact) FROM identity.verify_audit('acme')")"
