-- One identity at a time.
SET client_min_messages = warning;
SELECT identity.add_realm('single');
\set VERBOSITY default
CREATE FUNCTION logs_in(login text, password text) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' ', a.verdict, a.reason) FROM identity.authenticate('single', login, password) a $$;
SELECT identity.create_identity('single', '{"traits": {"username": "Ann", "email": "ann@x.example"}, "external_id": "7", "credentials": {"password": {"config": {"password": "ann secret"}}}}') AS ann \gset
SELECT identity.create_identity('single', '{"traits": {"username": "bob"}, "verifiable_addresses": [{"value": "bob@x.example", "via": "email", "verified": true}]}') AS bob \gset
SELECT logs_in('ann', 'ann secret'), logs_in('ANN@x.example', 'ann secret'), logs_in('ann', 'other');
SELECT kind, value, identity_id = :'ann' AS ann FROM identity.identifiers ORDER BY key;
-- A conflict is an error, and names the constraint, the key and who holds it.
CREATE FUNCTION refused(statement text) RETURNS TABLE (code text, message text, detail text, hint text, "table" text, "constraint" text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
        "table" = TABLE_NAME, "constraint" = CONSTRAINT_NAME;
    detail := replace(replace(detail, current_setting('my.ann'), 'ANN'), current_setting('my.bob'), 'BOB');
    message := replace(message, current_setting('my.bob'), 'BOB');
    RETURN NEXT;
END $$;
SET my.ann = :'ann';
SET my.bob = :'bob';
\x on
SELECT * FROM refused($$SELECT identity.create_identity('single', '{"traits": {"username": "ANN"}, "external_id": "7"}')$$);
SELECT * FROM refused($$SELECT identity.create_identity('single', '{"traits": {"email": "no address"}, "nonsense": 1}')$$);
SELECT code, cardinality(string_to_array(detail, E'\n')) AS lines, substring(detail FROM '[^\n]*$') AS last FROM refused(format('SELECT identity.create_identity(''single'', %L)', (SELECT jsonb_object_agg('f' || n, n) FROM generate_series(1, 50) n)));
SELECT * FROM refused($$SELECT identity.create_identity('single', '[]')$$);
SELECT * FROM refused($$SELECT identity.create_identity('single', '{"create": null}')$$);
SELECT * FROM refused($$SELECT identity.create_identity('nowhere', '{}')$$);
SELECT * FROM refused(format($$SELECT identity.add_identifier('single', %L, 'username', 'aNN')$$, :'bob'));
SELECT * FROM refused(format($$SELECT identity.add_identifier('single', %L, 'oidc', 'google:1')$$, :'bob'));
SELECT * FROM refused(format($$SELECT identity.add_identifier('single', %L, 'email', 'nobody')$$, :'bob'));
SELECT * FROM refused($$SELECT identity.add_identifier('single', '00000000-0000-0000-0000-000000000000', 'username', 'x')$$);
SELECT * FROM refused(format($$SELECT identity.update_identity('single', %L, '{"traits": {"username": "ann"}}')$$, :'bob'));
SELECT * FROM refused(format($$SELECT identity.update_identity('single', %L, '{"id": "00000000-0000-0000-0000-000000000000"}')$$, :'bob'));
SELECT * FROM refused($$SELECT identity.update_identity('single', '00000000-0000-0000-0000-000000000000', '{}')$$);
SELECT * FROM refused(format($$SELECT identity.set_password('single', %L, NULL)$$, :'bob'));
SELECT * FROM refused(format($$SELECT identity.set_password('single', %L, repeat('x', 5000))$$, :'bob'));
SELECT * FROM refused(format($$SELECT identity.set_identity_state('single', %L, 'asleep')$$, :'bob'));
\x off
SELECT count(*) FROM identity.identities;
-- What a document has is replaced, the rest stays.
SELECT identity.update_identity('single', :'ann', '{"traits": {"username": "anna"}}') = :'ann' AS is_ann;
SELECT kind, value FROM identity.identifiers WHERE identity_id = :'ann' ORDER BY key;
SELECT logs_in('ann', 'ann secret'), logs_in('anna', 'ann secret');
SELECT identity.set_password('single', :'bob', 'bob secret') AS had_one, identity.set_password('single', :'ann', 'new secret') AS had_one;
SELECT logs_in('bob', 'bob secret'), logs_in('anna', 'ann secret'), logs_in('anna', 'new secret');
SELECT identity.set_identity_state('single', :'bob', 'inactive') AS was;
SELECT state, state_changed_at IS NOT NULL AS has_time FROM identity.identities WHERE id = :'bob';
SELECT logs_in('bob', 'bob secret');
SELECT identity.set_identity_state('single', :'bob', 'active') AS was, identity.set_identity_state('single', :'bob', 'active') AS was;
SELECT identity.add_identifier('single', :'bob', 'email', 'Bob@x.example'), identity.add_identifier('single', :'bob', 'email', 'bob@X.example');
SELECT logs_in('bob@x.example', 'bob secret');
SELECT identity.remove_identifier('single', :'bob', 'email', 'bob@x.example'), identity.remove_identifier('single', :'bob', 'email', 'bob@x.example'),
    identity.remove_identifier('single', :'bob', 'username', 'anna');
SELECT kind, value FROM identity.identifiers WHERE identity_id = :'bob';
-- A staged user's verified address and a former login name are nobody else's; whoever has verified the address may have it.
SELECT identity.add_site('single', 1, 'forum', 'fo_'), identity.add_site('single', 2, 'shop', 'sh_');
SELECT status FROM identity.stage_site('single', 'forum', 'SELECT 1 AS id, ''vera'' AS u, ''bob@x.example'' AS e, true AS v', '{"original_id": "id", "username": "u", "email": "e", "email_verified": "v"}', report => 'all');
SELECT identity.add_identifier('single', :'bob', 'email', 'bob@x.example');
SELECT identity.remove_identifier('single', :'bob', 'email', 'bob@x.example');
\x on
SELECT * FROM refused(format($$SELECT identity.add_identifier('single', %L, 'email', 'bob@x.example')$$, :'ann'));
\x off
SELECT status FROM identity.stage_site('single', 'shop', 'SELECT 1 AS id, ''vera'' AS u', '{"original_id": "id", "username": "u"}', report => 'all');
SELECT site, new_login FROM identity.dedup_site_logins('single');
DELETE FROM identity.staged_identities WHERE site_id = 1;
\x on
SELECT code, message, regexp_replace(detail, '\d+-\d+-\d+', 'DATE') AS detail FROM refused(format($$SELECT identity.add_identifier('single', %L, 'username', 'vera')$$, :'ann'));
\x off
-- Levels.
CREATE ROLE sign_up; CREATE ROLE keeper;
SELECT identity.grant_access('sign_up', 'registrar', '{single}'), identity.grant_access('keeper', 'importer', '{single}');
SET ROLE sign_up;
SELECT identity.create_identity('single', '{"traits": {"username": "cid"}}') IS NOT NULL AS made;
SELECT code, message FROM refused($$SELECT identity.create_identity('other', '{"traits": {"username": "cid"}}')$$);
SELECT code, message FROM refused(format($$SELECT identity.set_password('single', %L, 'x')$$, :'bob'));
SELECT code, message FROM refused(format($$SELECT identity.update_identity('single', %L, '{"traits": {"username": "x"}}')$$, :'bob'));
SET ROLE keeper;
SELECT identity.set_password('single', :'bob', 'kept secret') AS had_one;
SELECT code, message FROM refused(format($$SELECT identity.delete_identity('single', %L)$$, :'bob'));
RESET ROLE;
SELECT identity.delete_identity('single', :'bob'), identity.delete_identity('single', :'bob');
SELECT count(*) FROM identity.identifiers WHERE identity_id = :'bob';
-- Everything is on record, and no secret is.
SELECT action, count(*) FROM identity.audit_events WHERE realm = 'single' AND action ~ 'identities|credentials|identifiers' GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM identity.audit_values v WHERE v.data::text LIKE '%secret%' OR v.data::text LIKE '%argon2%';
BEGIN READ ONLY;
SELECT identity.create_identity('single', '{"traits": {"username": "dan"}}');
ROLLBACK;
SELECT identity.revoke_access('sign_up'), identity.revoke_access('keeper');
DROP ROLE sign_up, keeper;
DROP FUNCTION logs_in, refused;
DELETE FROM identity.login_failures WHERE realm = 'single';
DELETE FROM identity.former_logins WHERE realm = 'single';
DELETE FROM identity.site_dedup_runs WHERE realm = 'single';
DELETE FROM identity.staged_identities WHERE realm = 'single';
DELETE FROM identity.sites WHERE realm = 'single';
DELETE FROM identity.identities WHERE realm = 'single';
DELETE FROM identity.realms WHERE name = 'single';
