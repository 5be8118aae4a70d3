#!/usr/bin/env bash
# Somebody who can write everything makes chains anew, removes them, forges a removal: checkpoints that are kept elsewhere tell.
. "$(dirname "$0")/../lib.sh"
elsewhere=$(mktemp)
trap 'rm -f "$elsewhere"' EXIT
ask -c "SELECT identity.add_realm('acme'), identity.add_realm('other')" >/dev/null
for n in 1 2 3; do ask -c "SELECT identity.add_member('acme', 'user:$n', 'role:staff')" >/dev/null; done
# As docs/audit.md says, by a role that reads the audit and nothing else.
ask -c "DROP ROLE IF EXISTS keeper" -c "CREATE ROLE keeper LOGIN" -c "SELECT identity.grant_access('keeper', 'auditor')" >/dev/null 2>&1
keep() { ask -U keeper -c "SELECT identity.audit_checkpoint(r) FROM (SELECT name FROM identity.realms UNION ALL SELECT '') AS t (r)" >>"$elsewhere"; }
compare() { # prints realm, intact, missing of what is wrong
    ask -U keeper <<SQL
CREATE TEMPORARY TABLE checkpoints (c jsonb);
\\copy checkpoints FROM '$elsewhere' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
SELECT DISTINCT c ->> 'realm', v.intact, v.missing FROM checkpoints, identity.verify_audit(c ->> 'realm', c) AS v WHERE NOT v.intact OR v.missing > 0 ORDER BY 1, 2, 3;
SQL
}
keep
ask -c "SELECT identity.add_member('acme', 'user:4', 'role:staff')" >/dev/null
keep
expect "nothing is wrong" "" "$(compare)"
attack() { # what, wanted of the comparison, wanted of each chain alone, statements
    ask -c "CREATE DATABASE ${db}_attacked TEMPLATE $db"
    PGDATABASE=${db}_attacked ask -c "SET session_replication_role = replica" "${@:4}" >/dev/null
    expect "$1" "$2" "$(PGDATABASE=${db}_attacked compare)"
    expect "  and without a checkpoint" "$3" "$(PGDATABASE=${db}_attacked ask -c "SELECT bool_and(intact) FROM identity.verify_audit('acme')")"
    ask -c "DROP DATABASE ${db}_attacked"
}
# Makes a chain anew from an event on.
anew="DO \$\$
DECLARE e identity.audit_events; p bytea;
BEGIN
    FOR e IN SELECT * FROM identity.audit_events WHERE realm = 'acme' ORDER BY lane, seq LOOP
        IF e.seq = 1 THEN p := ''; END IF;
        UPDATE identity.audit_events AS a SET prev = p, hash = identity_internal.audit_hash(p, a.realm, a.lane, a.seq, a.at, a.session_role, a.acting_role, a.application_name, a.client_addr, a.action, a.subject, a.detail)
        WHERE (a.realm, a.lane, a.seq) = (e.realm, e.lane, e.seq) RETURNING a.hash INTO p;
        UPDATE identity.audit_heads AS h SET seq = e.seq, hash = p WHERE h.realm = 'acme' AND h.lane = e.lane;
    END LOOP;
END \$\$"
attack "an event in another's name" "acme|f|0" t -c "UPDATE identity.audit_events SET session_role = 'mallory' WHERE realm = 'acme' AND subject = 'user:2'" -c "$anew"
attack "other values" "acme|f|0" t -c "UPDATE identity.audit_values AS v SET data = o.data FROM identity.audit_events AS e, identity.audit_events AS f, identity.audit_values AS o
    WHERE e.realm = 'acme' AND e.subject = 'user:2' AND f.realm = 'acme' AND f.subject = 'user:3' AND (v.realm, v.lane, v.seq) = (e.realm, e.lane, e.seq) AND (o.realm, o.lane, o.seq) = (f.realm, f.lane, f.seq)" \
    -c "UPDATE identity.audit_events AS e SET detail = e.detail || jsonb_build_object('values', encode(sha256((SELECT identity_internal.values_digest(v.data) FROM identity.audit_values AS v WHERE (v.realm, v.lane, v.seq) = (e.realm, e.lane, e.seq))), 'hex')) WHERE realm = 'acme' AND subject = 'user:2'" -c "$anew"
attack "the last event is gone" "acme|f|1" t -c "WITH gone AS (DELETE FROM identity.audit_events WHERE realm = 'acme' AND subject = 'user:4' RETURNING *), v AS (DELETE FROM identity.audit_values AS v USING gone AS g WHERE (v.realm, v.lane, v.seq) = (g.realm, g.lane, g.seq))
    UPDATE identity.audit_heads AS h SET seq = g.seq - 1, hash = g.prev FROM gone AS g WHERE h.realm = 'acme' AND h.lane = g.lane"
lane=$(ask -c "SELECT min(lane) FROM identity.audit_heads WHERE realm = 'acme'")
events=$(ask -c "SELECT count(*) FROM identity.audit_events WHERE realm = 'acme' AND lane = $lane")
gone="DELETE FROM identity.audit_events WHERE realm = 'acme' AND lane = $lane"
values_gone="DELETE FROM identity.audit_values WHERE realm = 'acme' AND lane = $lane"
attack "a chain is gone" "acme|f|$((events - 1))
acme|f|$events" f -c "$gone" -c "$values_gone" -c "DELETE FROM identity.audit_heads WHERE realm = 'acme' AND lane = $lane"
attack "all chains of the realm are gone" "acme|f|$((events - 1))
acme|f|$events" f -c "DELETE FROM identity.audit_events WHERE realm = 'acme'" -c "DELETE FROM identity.audit_values WHERE realm = 'acme'" -c "DELETE FROM identity.audit_heads WHERE realm = 'acme'"
# A removal that nobody has asked for is in order to the chain; what is missing since the checkpoint is told.
attack "a forged removal" "acme|t|$((events - 1))
acme|t|$events" t -c "INSERT INTO identity.audit_heads VALUES ('acme', 400000, 0, '', '')" \
    -c "WITH removed AS (SELECT jsonb_agg(jsonb_build_object('lane', h.lane, 'seq', h.seq, 'hash', encode(h.hash, 'hex'))) AS r FROM identity.audit_heads AS h WHERE h.realm = 'acme' AND h.lane = $lane),
        made AS (SELECT now() AS at, jsonb_build_object('before', now(), 'events', $events, 'removed', r) AS detail FROM removed),
        hashed AS (SELECT m.*, identity_internal.audit_hash('', 'acme', 400000, 1, m.at, 'postgres', 'postgres', '', NULL, 'expire_audit', NULL, m.detail) AS hash FROM made AS m),
        headed AS (UPDATE identity.audit_heads AS h SET seq = 1, hash = m.hash FROM hashed AS m WHERE h.realm = 'acme' AND h.lane = 400000)
        INSERT INTO identity.audit_events SELECT 'acme', 400000, 1, 1048576 + 400000, m.at, 'postgres', 'postgres', '', NULL, 'expire_audit', NULL, m.detail, '', m.hash FROM hashed AS m" \
    -c "$gone" -c "$values_gone"
# A true one is told in the same way, and is known to whoever has asked for it.
ask -c "SELECT identity.expire_audit('acme', clock_timestamp())" >/dev/null
expect "a removal is told" "acme|t|$((events - 1))
acme|t|$events" "$(compare)"
expect "what is removed by then" "$events" "$(ask -c "SELECT sum(removed) FROM identity.verify_audit('acme')")"
: >"$elsewhere"
keep
expect "nothing is wrong after the next checkpoint" "" "$(compare)"

# The settings of a restore hide nothing from the record, once the database has written an event of its own.
restoring="SET check_function_bodies = off; SET row_security = off;"
before=$(ask -c "SELECT count(*) FROM identity.audit_events WHERE action LIKE '% members'")
ask -c "$restoring INSERT INTO identity.members VALUES ('acme', 'user:5', 'role:boss'); UPDATE identity.members SET container = 'role:chief' WHERE member = 'user:5'; DELETE FROM identity.members WHERE member = 'user:5'"
expect "events under the settings of a restore" 3 "$(ask -c "SELECT count(*) - $before FROM identity.audit_events WHERE action LIKE '% members'")"

# The owner may be a plain role: it removes what is old without rights in the server, and its changes are on record.
ask -c "DROP ROLE IF EXISTS plain" -c "CREATE ROLE plain LOGIN" -c "REASSIGN OWNED BY identity_owner TO plain" >/dev/null 2>&1
ask -c "GRANT USAGE ON SCHEMA identity, identity_internal TO plain"
expect "expire_audit by a plain role" t "$(ask -U plain -c "SELECT identity.expire_audit('acme', clock_timestamp()) > 0")"
expect "its changes are on record" t "$(ask -U plain -c "$restoring INSERT INTO identity.members VALUES ('acme', 'user:6', 'role:boss')" -c "SELECT count(*) = 1 FROM identity.audit_events WHERE subject = 'user:6'" | tail -1)"
expect "erasing by it" t "$(ask -U plain -c "SELECT identity.expire_audit_values('acme', clock_timestamp()) > 0")"
expect "the chains" t "$(ask -c "SELECT bool_and(intact) FROM identity.verify_audit('acme')")"
ask -c "REASSIGN OWNED BY plain TO identity_owner" -c "DROP OWNED BY plain" -c "DROP ROLE plain" -c "SELECT identity.revoke_access('keeper')" -c "DROP ROLE keeper" >/dev/null
