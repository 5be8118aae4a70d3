#!/usr/bin/env bash
# On a streaming standby a login is previewed by what the primary has committed, the audit is verified, and nothing is written.
. "$(dirname "$0")/../lib.sh"
ask >/dev/null <<SQL
SELECT identity.add_realm('acme');
INSERT INTO identity.identities (realm, id) VALUES ('acme', '00000000-0000-0000-0000-000000000001');
SELECT identity.add_organization('acme', 'north', '{"mfa_required": true}'), identity.add_organization('acme', 'south');
SELECT identity.add_membership('acme', '00000000-0000-0000-0000-000000000001', 'north'), identity.add_membership('acme', '00000000-0000-0000-0000-000000000001', 'south');
SQL
ask -c "CREATE TABLE logins (site int, id int, login text, PRIMARY KEY (site, id))" \
    -c "INSERT INTO logins SELECT site, n, 'user' || n FROM generate_series(1, 2) site, generate_series(1, 3) n" -c "CREATE ROLE looker; GRANT SELECT ON logins TO looker" \
    -c "SELECT identity.grant_access('looker', 'importer')" >/dev/null
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
# Duplicates are found on a standby, and a dry run shows what would be renamed, to those who might.
dedup="SELECT string_agg(new_login, ',' ORDER BY new_login) FROM identity.dedup_logins('logins', 'login', 'site', 'id', '{\"2\": \"fz_\"}', dry_run => true)"
expect "duplicates on the standby" 3 "$(on_standby -c "SELECT count(*) FROM identity.find_duplicates('logins', 'login', 'site', 'id')")"
expect "a dry run on the standby" "fz_user1,fz_user2,fz_user3" "$(on_standby -c "SET client_min_messages = error" -c "$dedup")"
expect "a dry run without the right" "ERROR:  permission denied for table logins" "$(on_standby -c "SET ROLE looker" -c "$dedup" 2>&1 | head -n 1)"
expect "a renaming on the standby" "ERROR:  cannot execute dedup_logins() in a read-only transaction" "$(on_standby -c "${dedup/dry_run => true/dry_run => false}" 2>&1 | head -n 1)"

# Whatever is called here answers, or is refused as the server refuses it: with NULLs, with simple arguments, and with no more of them than it needs.
calls="SELECT p.oid::regprocedure::text AS function, a.what, format('SELECT * FROM %s(%s)', p.oid::regproc, COALESCE(string_agg(
        format('%s::%s', CASE WHEN a.what = 'NULL' THEN 'NULL'
            WHEN p.proargnames[n] = 'source' OR p.proargnames[n] LIKE '%\\_query' THEN quote_literal('SELECT ''00000000-0000-0000-0000-000000000001'' AS id')
            WHEN t.typname = 'text' AND p.proargnames[n] = 'realm' THEN quote_literal('acme')
            ELSE quote_literal(CASE t.typname WHEN 'text' THEN 'north' WHEN 'uuid' THEN '00000000-0000-0000-0000-000000000001' WHEN 'int4' THEN '1' WHEN 'int8' THEN '1'
                WHEN 'bool' THEN 'true' WHEN 'jsonb' THEN '{}' WHEN '_text' THEN '{north}' WHEN '_int8' THEN '{1}' WHEN 'regclass' THEN 'identity.organizations'
                WHEN 'timestamptz' THEN '2020-01-01' END) END, t.oid::regtype), ', ' ORDER BY n) FILTER (WHERE n IS NOT NULL), '')) AS call
    FROM pg_proc AS p
    CROSS JOIN (VALUES ('NULL'), ('simple'), ('needed')) AS a (what)
    LEFT JOIN LATERAL unnest(p.proargtypes) WITH ORDINALITY AS g (type, n) ON a.what <> 'needed' OR g.n <= p.pronargs - p.pronargdefaults
    LEFT JOIN pg_type AS t ON t.oid = g.type
    WHERE p.pronamespace = 'identity'::regnamespace AND p.proname !~ '^_' AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
    GROUP BY p.oid, a.what ORDER BY 1, 2"
answers=$(on_standby -c "SET client_min_messages = notice" -c "DO \$\$
DECLARE
    f record;
    answer text;
BEGIN
    FOR f IN $calls LOOP
        BEGIN
            EXECUTE f.call;
            answer := 'answers';
        EXCEPTION WHEN OTHERS THEN
            answer := SQLSTATE || ' ' || SQLERRM;
        END;
        RAISE NOTICE '% % % %', f.function, f.what, answer, f.call;
    END LOOP;
END
\$\$" 2>&1)
expect "nothing fails for a reason of its own" "" "$(grep -E ' (XX000|42601|42883) |^ERROR' <<<"$answers" || true)"
expect "all of them were called" t "$(ask -c "SELECT count(*) * 3 = $(grep -c '^NOTICE:  identity\.' <<<"$answers") FROM pg_proc AS p WHERE p.pronamespace = 'identity'::regnamespace AND p.proname !~ '^_' AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype")"
for call in "import_rows('identity.organizations', 'SELECT ''acme'' AS realm, ''x'' AS name')" "import_rows('identity.organizations', 'SELECT ''acme'' AS realm, ''x'' AS name', dry_run => true)" \
    "collapse_permissions('acme', 'clients', 'SELECT ''c1''')" "collapse_permissions('acme', 'clients', 'SELECT ''c1''', false)"; do
    refused=$(on_standby -v VERBOSITY=verbose -c "SELECT count(*) FROM identity.$call" 2>&1 || true)
    expect "refused: $call" "ERROR:  25006: cannot execute ${call%%(*}() in a read-only transaction" "$(head -n 1 <<<"$refused")"
done
