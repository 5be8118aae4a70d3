-- What a login refuses, and in which form: contexts, long passwords and names, hashes of any cost; nothing of it puts a hash into a message.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT identity.add_realm('forms');
SELECT status FROM identity.import_identities('forms', $$[
  {"id": "00000000-0000-0000-0000-000000000001", "traits": {"username": "ann"}, "credentials": {"password": {"config": {"password": "right"}}}},
  {"id": "00000000-0000-0000-0000-000000000002", "traits": {"username": "md5"}, "credentials": {"password": {"config": {"hashed_password": "7c9af3c1f9c9d2c2fdf4b3d4aa2c4d6f"}}}}]$$);
SELECT identity.add_organization('forms', 'north');
SELECT identity.add_membership('forms', '00000000-0000-0000-0000-000000000001', 'north');

-- A context is of the form, or an error, the same everywhere.
CREATE FUNCTION refused(context jsonb, OUT caller text, OUT error text) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    FOREACH caller IN ARRAY '{authenticate,resolve_login,preview_login}'::text[] LOOP
        BEGIN
            CASE caller WHEN 'authenticate' THEN PERFORM identity.authenticate('forms', 'ann', 'right', context);
                    WHEN 'resolve_login' THEN PERFORM identity.resolve_login('forms', '00000000-0000-0000-0000-000000000001', 'north', context);
                    ELSE PERFORM identity.preview_login('forms', NULL, 'north', context); END CASE;
            error := 'none';
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
            error := SQLSTATE || ' ' || SQLERRM || ': ' || detail;
        END;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT c.context, count(DISTINCT r.error) AS answers, min(r.error) AS error
FROM unnest(ARRAY['{}', NULL, '{"ip": null}', '{"factors": [], "organizations": {}, "failed_factors": [], "ip": "::1"}',
    '[]', '"x"', 'null', '7', '{"IP": "192.0.2.1"}', '{"ip": 7}', '{"ip": "here"}', '{"ip": "192.0.2.1/32"}', '{"factors": "password"}', '{"factors": [1]}', '{"factors": {}}',
    '{"organizations": []}', '{"organizations": {"north": [["totp"], []]}}', '{"organizations": {"north": {"factor": []}}}', '{"organizations": {"north": {"sso": "c1"}}}',
    '{"failed_factors": {"totp": true}}', '{"failed_factors": null}', '{"user_agent": "x"}']::jsonb[]) WITH ORDINALITY AS c (context, n), refused(c.context) AS r
GROUP BY c.n, c.context ORDER BY c.n;
SELECT error FROM refused(jsonb_build_object('failed_factors', jsonb_build_array(repeat('x', 65)))) LIMIT 1;
SELECT length(error) < 300 AS short FROM refused(jsonb_build_object(repeat('x', 100000), 1)) LIMIT 1;
-- None of it counted, and none was put on record as a login.
SELECT count(*) FROM identity.login_failures WHERE realm = 'forms';
SELECT identity.authenticate('forms', 'ann', 'right', '{"IP": "192.0.2.1"}');

-- A password that is too long for any is a refused login, for whomever: with a verdict, counted, on record.
SELECT who, verdict, reason FROM unnest('{ann,nobody}'::text[]) AS who, LATERAL identity.authenticate('forms', who, repeat('x', 4097), '{"ip": "192.0.2.3"}');
SELECT verdict, reason FROM identity.authenticate('forms', 'ann', repeat('x', 4096), '{"ip": "192.0.2.3"}');
SELECT verdict, reason FROM identity.authenticate('forms', repeat('x', 1000000), repeat('x', 1000000), '{"ip": "192.0.2.3"}');
SELECT count(*) FROM identity.login_failures WHERE realm = 'forms' AND kind = 'address' AND key = '192.0.2.3';
SELECT detail FROM identity.audit_events WHERE realm = 'forms' AND action = 'authenticate' AND detail ->> 'reason' = 'password_too_long' ORDER BY at;

-- Of the organization that was asked for no more is kept than any can have; also where the login is held back.
SELECT decision, organization, reason FROM identity.resolve_login('forms', '00000000-0000-0000-0000-000000000001', repeat('long', 1000000));
SELECT decision, organization, reason FROM identity.preview_login('forms', '00000000-0000-0000-0000-000000000001', repeat(U&'\20AC', 100000));
SELECT max(octet_length(detail::text)) < 1000 AS short, max(length(detail ->> 'requested')) AS requested FROM identity.audit_events WHERE realm = 'forms' AND action = 'resolve_login';

-- What a superuser says that passwords cost holds for everybody.
CREATE ROLE forms_app;
SELECT identity.grant_access('forms_app', 'importer');
SELECT identity.set_password_scheme('forms', 'argon2id');
CREATE FUNCTION costs(name text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', h.scheme, h.parameters ->> 'memory_kib', h.parameters ->> 'iterations', h.parameters ->> 'cost') FROM identity.identifiers AS i
    JOIN identity.credentials AS c USING (realm, identity_id), identity.inspect_password_hash(c.config ->> 'hashed_password') AS h WHERE i.realm = 'forms' AND i.key = name $$;
UPDATE identity.credentials SET config = jsonb_build_object('hashed_password', md5('right')) WHERE realm = 'forms' AND identity_id = '00000000-0000-0000-0000-000000000002';
SET ROLE forms_app;
SET identity.argon2_memory = '8kB'; SET identity.argon2_iterations = 1;
SET identity.argon2_min_memory = '8kB';
SET identity.password_max_memory = '1GB';
SELECT verdict FROM identity.authenticate('forms', 'md5', 'right');
SELECT status FROM identity.import_identities('forms', '[{"traits": {"username": "weak"}, "credentials": {"password": {"config": {"password": "right"}}}}]');
RESET ROLE;
SELECT costs('md5'), costs('weak');
-- A login makes hashes stronger, never weaker.
SET identity.argon2_memory = '32MB';
SELECT verdict, costs('md5') FROM identity.authenticate('forms', 'md5', 'right');
SELECT costs('md5');
RESET identity.argon2_memory; RESET identity.argon2_iterations;
SELECT verdict FROM identity.authenticate('forms', 'md5', 'right');
SELECT costs('md5');
UPDATE identity.credentials SET config = '{"hashed_password": "$2b$13$rZR2cVvLQNgYCxnZ3CrcHOJ53qGoE3oQSHKDN1TFHz2GO/jDLG6Zq"}' WHERE realm = 'forms' AND identity_id = '00000000-0000-0000-0000-000000000002';
SELECT identity_internal.is_weaker_hash('$2b$13$rZR2cVvLQNgYCxnZ3CrcHOJ53qGoE3oQSHKDN1TFHz2GO/jDLG6Zq') AS bcrypt_13, identity_internal.is_weaker_hash('$2b$12$rZR2cVvLQNgYCxnZ3CrcHOJ53qGoE3oQSHKDN1TFHz2GO/jDLG6Zq') AS bcrypt_12;
-- What costs more than the settings allow is not verified: an error here, a refused login there, and a row's problem in an import.
SET identity.password_max_bcrypt_cost = 12; SET identity.password_max_memory = '64MB';
SELECT identity.verify_password('$2b$13$rZR2cVvLQNgYCxnZ3CrcHOJ53qGoE3oQSHKDN1TFHz2GO/jDLG6Zq', 'x');
SELECT identity.verify_password('$argon2id$v=19$m=65537,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2g', 'x');
SELECT supported, problem FROM identity.inspect_password_hash('$scrypt$ln=131072,r=8,p=1$c2FsdHNhbHQ=$aGFzaGhhc2hoYXNoaGFzaGhhc2g=');
SELECT verdict, reason FROM identity.authenticate('forms', 'md5', 'right');
SELECT status, message FROM identity.import_identities('forms', '[{"traits": {"username": "dear"}, "credentials": {"password": {"config": {"hashed_password": "$2b$13$rZR2cVvLQNgYCxnZ3CrcHOJ53qGoE3oQSHKDN1TFHz2GO/jDLG6Zq"}}}}]');
-- A ceiling counts for new hashes too.
SET identity.password_max_memory = '16MB';
SELECT (identity.inspect_password_hash(identity_internal.hash_password('x'))).parameters ->> 'memory_kib' AS memory;
RESET identity.password_max_bcrypt_cost; RESET identity.password_max_memory;

-- A constraint of somebody's own that refuses a new hash keeps nobody out, and shows no hash.
UPDATE identity.credentials SET config = jsonb_build_object('hashed_password', md5('right')) WHERE realm = 'forms' AND identity_id = '00000000-0000-0000-0000-000000000002';
ALTER TABLE identity.credentials ADD CONSTRAINT only_md5 CHECK (config ->> 'hashed_password' NOT LIKE '$argon2id%') NOT VALID;
SELECT verdict, reason FROM identity.authenticate('forms', 'md5', 'right');
SELECT costs('md5');
SELECT identity.add_site('forms', 2, 'shop');
SELECT * FROM identity.stage_site('forms', 'shop', $$SELECT 1 AS id, 'stage' AS login, '$2b$04$MSQah2e5/ruYtDu/sNncUOiQI5Qg7yrXnteEa/XJVS7UxAekakG8.' AS pw$$, '{"original_id": "id", "username": "login", "password_hash": "pw"}');
ALTER TABLE identity.credentials DROP CONSTRAINT only_md5, ADD CONSTRAINT none_from_sites CHECK (config ->> 'hashed_password' NOT LIKE '$2b$04%') NOT VALID;
SELECT status, constraint_name, key, existing FROM identity.promote_identity('forms', 'shop', '1');
SELECT state FROM identity.staged_identities WHERE realm = 'forms';
ALTER TABLE identity.credentials DROP CONSTRAINT none_from_sites;
SELECT status FROM identity.promote_identity('forms', 'shop', '1');

SELECT identity.revoke_access('forms_app');
DROP ROLE forms_app;
DROP FUNCTION refused, costs;
DELETE FROM identity.login_failures WHERE realm = 'forms';
DELETE FROM identity.identities WHERE realm = 'forms';
DELETE FROM identity.staged_identities WHERE realm = 'forms';
DELETE FROM identity.sites WHERE realm = 'forms';
DELETE FROM identity.organizations WHERE realm = 'forms';
DELETE FROM identity.import_runs WHERE realm = 'forms';
DELETE FROM identity.realms WHERE name = 'forms';
