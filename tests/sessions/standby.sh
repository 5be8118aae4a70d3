#!/usr/bin/env bash
# On a streaming standby a login is previewed by what the primary has committed, the audit is verified, and nothing is written.
. "$(dirname "$0")/../lib.sh"
ask >/dev/null <<SQL
SELECT identity.add_realm('acme');
INSERT INTO identity.identities (realm, id) VALUES ('acme', '00000000-0000-0000-0000-000000000001');
SELECT identity.add_organization('acme', 'north', '{"mfa_required": true}'), identity.add_organization('acme', 'south');
SELECT identity.add_membership('acme', '00000000-0000-0000-0000-000000000001', 'north'), identity.add_membership('acme', '00000000-0000-0000-0000-000000000001', 'south');
SQL
standby_start
login="decision, organization, reason FROM identity"
arguments="('acme', '00000000-0000-0000-0000-000000000001', 'north')"
expect "it is a standby" t "$(on_standby -c 'SELECT pg_is_in_recovery()')"
expect "a preview on the standby" "mfa_setup_required|north|mfa_setup_required" "$(on_standby -c "SELECT $login.preview_login $arguments")"
ask -c "SELECT identity.set_organization('acme', 'north', '{\"state\": \"suspended\"}')" >/dev/null
expect "a preview after a change on the primary" "allow|south|org_suspended" "$(on_standby -c "SELECT $login.preview_login $arguments")"
expect "the login on the primary" "allow|south|org_suspended" "$(ask -c "SELECT $login.resolve_login $arguments")"
expect "the login that it was, on the standby" "north failed org_suspended,south allow" "$(on_standby -c "SELECT string_agg(concat_ws(' ', a.organization, a.outcome, a.reason), ',' ORDER BY a.attempt) FROM identity.audit_events e, identity.login_attempts('acme', e.event_id) a WHERE e.action = 'resolve_login'")"
expect "the last used, on the standby" "allow|south|" "$(on_standby -c "SELECT $login.preview_login('acme', '00000000-0000-0000-0000-000000000001')")"
ask -c "SELECT count(*) FROM generate_series(10, 19) n, identity.resolve_login('acme', '00000000-0000-0000-0000-000000000001', 'gone', '{}', n, false)" >/dev/null
expect "held back on the standby too" "throttled|t" "$(on_standby -c "SELECT decision, retry_after > '0' FROM identity.preview_login $arguments")"
expect "the audit on the standby" t "$(on_standby -c "SELECT bool_and(intact) FROM identity.verify_audit('acme')")"
expect "its checkpoint" t "$(on_standby -c "SELECT jsonb_array_length(identity.audit_checkpoint('acme') -> 'heads') > 0")"
refused=$(on_standby -c "SELECT * FROM identity.resolve_login $arguments" 2>&1 || true)
expect "a login on the standby is refused" "ERROR:  cannot execute resolve_login() in a read-only transaction" "$(head -n 1 <<<"$refused")"
