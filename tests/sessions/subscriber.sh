#!/usr/bin/env bash
# The store replicated by a subscription: logins on the subscriber are on record there, and stop nothing that comes from the publisher; when the
# subscriber has taken over, the chains of the audit go on.
. "$(dirname "$0")/../lib.sh"
cluster() { "$(dirname "${BASH_SOURCE[0]}")/../../tools/cluster.sh" "$@"; }
publisher=$(basename "$PGHOST")-publisher
cluster remove "$publisher"
cluster start "$publisher"
trap 'psql -Xqc "DROP SUBSCRIPTION IF EXISTS copy" || true; cluster remove "$publisher"' EXIT
publisher_host=$(eval "$(cluster env "$publisher")" && printf %s "$PGHOST")
on_publisher() { ask -h "$publisher_host" "$@"; }
on_publisher -d postgres -c 'ALTER SYSTEM SET wal_level = logical' -c "CREATE DATABASE $db"
cluster stop "$publisher"
cluster start "$publisher"

on_publisher 2>/dev/null >/dev/null <<'SQL'
CREATE EXTENSION pg_identity;
SELECT identity.add_realm('acme');
SELECT count(*) FROM identity.import_identities('acme', '[{"traits": {"username": "ann"}, "credentials": {"password": {"config": {"password": "correct horse"}}}}]');
SELECT identity.add_organization('acme', 'north');
SELECT identity.add_membership('acme', id, 'north') FROM identity.identities;
CREATE PUBLICATION store FOR ALL TABLES;
SQL
login="SELECT a.verdict, r.decision, r.event_id FROM identity.authenticate('acme', 'ann', 'correct horse') AS a CROSS JOIN LATERAL identity.resolve_login('acme', a.identity_id) AS r"
# Sessions that follow each other begin in other lanes: these write into all that there are.
on_all_lanes() { for _ in $(seq 70); do "$@" -c "$login" >/dev/null; done; }
until_is() { # wanted, command…
    local wanted=$1 _
    shift
    for _ in $(seq 300); do
        [ "$("$@")" != "$wanted" ] || return 0
        sleep 0.1
    done
    expect "waited for" "$wanted" "$("$@")"
}
published="SELECT count(*), md5(string_agg(e::text, ',' ORDER BY e.realm, e.lane, e.seq)) FROM identity.audit_events AS e WHERE e.lane < 524288"
intact="SELECT bool_and(v.intact), sum(v.events) = (SELECT count(*) FROM identity.audit_events WHERE realm = 'acme') FROM identity.verify_audit('acme') AS v"

on_all_lanes on_publisher
psql -Xqc "CREATE SUBSCRIPTION copy CONNECTION 'host=$publisher_host port=5432 user=postgres dbname=$db' PUBLICATION store" 2>/dev/null
until_is 0 ask -c "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'"
until_is "$(on_publisher -c "$published")" ask -c "$published"
expect "the copy" "t|t" "$(ask -c "$intact")"

on_all_lanes ask
event=$(ask -c "$login" | cut -d'|' -f3)
expect "a login on the subscriber" "north allow" "$(ask -c "SELECT organization, outcome FROM identity.login_attempts('acme', $event)" | tr '|' ' ')"
on_all_lanes on_publisher
until_is "$(on_publisher -c "$published")" ask -c "$published"
expect "the publisher's audit" "t|t" "$(on_publisher -c "$intact")"
expect "the subscriber's audit, which has logins of its own" "t|t|t" "$(ask -c "$intact" | tr '\n' '|')$(ask -c "SELECT count(*) > 140 FROM identity.audit_events WHERE lane >= 524288")"
expect "what stopped the subscription" 0 "$(ask -c "SELECT COALESCE(sum(apply_error_count + sync_error_count), 0) FROM pg_stat_subscription_stats")"

# The subscriber takes over.
psql -Xqc 'DROP SUBSCRIPTION copy' 2>/dev/null
logins="SELECT count(*) FROM identity.audit_events AS e WHERE e.lane < 524288 AND e.action IN ('authenticate', 'resolve_login')"
before=$(ask -c "$logins")
on_all_lanes ask
expect "the chains of the publisher go on" $((before + 140)) "$(ask -c "$logins")"
expect "the audit after that" "t|t" "$(ask -c "$intact")"
