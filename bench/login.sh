#!/usr/bin/env bash
# Logins beside a bare insert of a row as large as an audit event, and beside a login that is written by hand in PL/pgSQL, with
# neither rules nor throttle nor chain: a million identities with five memberships each, pgbench
# with prepared statements, 2 and 8 clients. All sides first with commits that are flushed to disk (Postgres' default), then with
# fsync off, where only the processor counts. ROUNDS (3) rounds in turn, the best of each side counts; SECONDS_EACH (5) seconds each.
. "$(dirname "$0")/lib.sh"
rows=${ROWS:-1000000}
rounds=${ROUNDS:-3}
each=${SECONDS_EACH:-5}
pgbench=$("${PG_CONFIG:-pg_config}" --bindir)/pgbench
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

run -d postgres -c 'DROP DATABASE IF EXISTS bench_login' -c 'CREATE DATABASE bench_login'
run -d bench_login -v rows="$rows" <<'SQL'
CREATE EXTENSION pg_identity;
CREATE FUNCTION identity_number(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE RETURN ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid;
INSERT INTO identity.realms VALUES ('acme');
INSERT INTO identity.organizations (realm, name) SELECT 'acme', 'org' || n FROM generate_series(0, 999) n;
SET session_replication_role = replica;
INSERT INTO identity.identities (realm, id) SELECT 'acme', identity_number(n) FROM generate_series(1, :rows) n;
INSERT INTO identity.memberships (realm, identity_id, organization, is_default, last_used, last_login)
SELECT 'acme', identity_number(n), 'org' || (n * 7 + m * 131) % 1000, m = 1, m = 2, now() FROM generate_series(1, :rows) n, generate_series(1, 5) m;
-- Everybody has logged in from here before.
INSERT INTO identity.known_addresses (realm, identity_id, address, last_login) SELECT 'acme', identity_number(n), '192.0.2.1', now() FROM generate_series(1, :rows) n;
RESET session_replication_role;
CREATE TABLE bare (LIKE identity.audit_events);
ALTER TABLE bare ADD PRIMARY KEY (realm, lane, seq);
CREATE SEQUENCE bare_seq;
CREATE FUNCTION by_hand(who uuid, OUT decision text, OUT organization text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT 'allow', m.organization INTO decision, organization
    FROM identity.identities i JOIN identity.memberships m ON m.realm = i.realm AND m.identity_id = i.id AND m.last_used
    JOIN identity.organizations o ON o.realm = m.realm AND o.name = m.organization
    WHERE i.realm = 'acme' AND i.id = who AND i.state = 'active' AND m.state = 'active' AND o.state = 'active';
    UPDATE identity.memberships m SET last_login = clock_timestamp()
    WHERE m.realm = 'acme' AND m.identity_id = who AND m.organization = by_hand.organization;
    INSERT INTO public.bare VALUES ('acme', 1, nextval('public.bare_seq'), 1, clock_timestamp(), session_user, current_user,
        current_setting('application_name'), inet_client_addr(), 'resolve_login', who::text,
        jsonb_build_object('ip', '192.0.2.1', 'attempts', jsonb_build_array(jsonb_build_object('outcome', 'allow', 'organization', organization)),
            'decision', decision, 'organization', organization), sha256('a'), sha256('b'));
END $$;
VACUUM (FREEZE, ANALYZE);
CHECKPOINT;
SQL
cat >"$dir/resolve.sql" <<SQL
\set who random(1, $rows)
SELECT * FROM identity.resolve_login('acme', identity_number(:who), NULL, '{"factors": ["password"], "ip": "192.0.2.1"}');
SQL
sed 's/resolve_login/preview_login/' "$dir/resolve.sql" >"$dir/preview.sql"
cat >"$dir/bare.sql" <<SQL
\set who random(1, $rows)
INSERT INTO bare VALUES ('acme', 1, nextval('bare_seq'), 1, clock_timestamp(), 'postgres', 'postgres', 'pgbench', NULL, 'resolve_login', identity_number(:who)::text,
  '{"ip": "192.0.2.1", "attempts": [{"outcome": "allow", "organization": "org100"}], "decision": "allow", "organization": "org100"}', sha256('a'), sha256('b'));
SQL
cat >"$dir/by_hand.sql" <<SQL
\set who random(1, $rows)
SELECT * FROM by_hand(identity_number(:who));
SQL
tps() { # script, clients
    "$pgbench" -n -M prepared -c "$2" -j 2 -T "$each" -f "$dir/$1.sql" bench_login 2>/dev/null | sed -n 's/^tps = \([0-9]*\).*/\1/p'
}
best() { echo $(($1 > $2 ? $1 : $2)); }

for fsync in on off; do
    run -d postgres -c "ALTER SYSTEM SET fsync = $fsync" -c 'SELECT pg_reload_conf()' >/dev/null
    for clients in 2 8; do
        bare=0 hand=0 resolve=0 preview=0
        for _ in $(seq "$rounds"); do
            bare=$(best "$bare" "$(tps bare "$clients")")
            hand=$(best "$hand" "$(tps by_hand "$clients")")
            resolve=$(best "$resolve" "$(tps resolve "$clients")")
            preview=$(best "$preview" "$(tps preview "$clients")")
        done
        goal=$([ "$fsync" = on ] && echo ' (goal 0.6)' || true)
        echo "login, $rows identities x 5 memberships, fsync $fsync, $clients clients: bare insert $bare/s, by hand $hand/s, resolve_login $resolve/s, preview_login $preview/s"
        echo "resolve_login / bare insert of an audit row, fsync $fsync, $clients clients: $(ratio "$resolve" "$bare")$goal"
        echo "resolve_login / a login by hand in PL/pgSQL, fsync $fsync, $clients clients: $(ratio "$resolve" "$hand")"
    done
done
calls=100000
preview=$(seconds bench_login -c "SELECT count(p.decision) FROM generate_series(1, $calls) n, identity.preview_login('acme', identity_number(1 + n * 7919 % $rows), NULL, '{\"ip\": \"192.0.2.1\"}') p")
echo "preview_login: $(awk -v s="$preview" -v n="$calls" 'BEGIN { printf "%.1f", s * 1e6 / n }') us a call (goal 60)"
verified=$(run -d bench_login -At -c "SELECT bool_and(intact) || ', ' || sum(events) || ' events' FROM identity.verify_audit('acme')")
seconds=$(seconds bench_login -c "SELECT count(*) FROM identity.verify_audit('acme')")
echo "verify_audit: intact $verified, ${seconds} s"
run -d bench_login -At -c "SELECT 'bytes a row: audit event ' || round((SELECT avg(pg_column_size(e)) FROM (SELECT * FROM identity.audit_events WHERE action = 'resolve_login' LIMIT 1000) e)) || ', bare ' || round((SELECT avg(pg_column_size(b)) FROM (SELECT * FROM bare LIMIT 1000) b))"
