-- What holds a login back: wrong second factors by a throttle of their own; wrong passwords by name and address first, so that
-- nobody is locked out by strangers.
\set SHOW_CONTEXT never
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT identity.add_realm('throttled');
SELECT status FROM identity.import_identities('throttled', $$[
  {"id": "00000000-0000-0000-0000-000000000001", "traits": {"username": "ann", "email": "ann@example.com"}, "credentials": {"password": {"config": {"password": "right"}}}},
  {"id": "00000000-0000-0000-0000-000000000002", "traits": {"username": "bob"}, "credentials": {"password": {"config": {"password": "right"}}}},
  {"id": "00000000-0000-0000-0000-000000000003", "traits": {"username": "cid"}}]$$);
\set ann '''00000000-0000-0000-0000-000000000001'''
\set bob '''00000000-0000-0000-0000-000000000002'''
\set cid '''00000000-0000-0000-0000-000000000003'''
SELECT identity.add_organization('throttled', 'north');
SELECT identity.add_organization('throttled', 'south', '{"mfa_required": true}');
SELECT identity.add_organization('throttled', 'west', '{"sso_required": true, "sso_url": "https://sso.example.com", "sso_connection": "c1"}');
SELECT identity.add_membership('throttled', i::uuid, o) FROM unnest(ARRAY[:ann, :bob, :cid]) AS i, unnest('{north,south,west}'::text[]) AS o;
INSERT INTO identity.credentials (realm, identity_id, type, config) VALUES ('throttled', :ann, 'totp', '{}');
CREATE FUNCTION failures(OUT kind text, OUT rows bigint) RETURNS SETOF record LANGUAGE sql AS $$ SELECT f.kind, count(*) FROM identity.login_failures AS f WHERE f.realm = 'throttled' GROUP BY 1 ORDER BY 1 $$;
CREATE FUNCTION guess(who text, password text, ip text) RETURNS text LANGUAGE sql AS $$ SELECT verdict FROM identity.authenticate('throttled', who, password, jsonb_build_object('ip', ip)) $$;
CREATE FUNCTION code(who uuid, organization text, factor text = 'wrong', ip text = '192.0.2.66') RETURNS text LANGUAGE sql AS $$
    SELECT decision FROM identity.resolve_login('throttled', who, organization, jsonb_build_object('factors', '["password"]'::jsonb, 'ip', ip)
      || CASE factor WHEN 'wrong' THEN '{"failed_factors": ["totp"]}' WHEN 'right' THEN jsonb_build_object('organizations', jsonb_build_object(organization, '{"factors": ["totp"]}'::jsonb)) ELSE '{}' END)
$$;

-- Whoever has the password does not try codes without end, whatever succeeds between them.
DO $$
DECLARE
    answers text[];
BEGIN
    FOR n IN 1..40 LOOP
        PERFORM guess('ann', 'right', '192.0.2.66'), code('00000000-0000-0000-0000-000000000001', 'north', 'none');
        answers := answers || code('00000000-0000-0000-0000-000000000001', 'south');
    END LOOP;
    RAISE WARNING 'of 40 wrong codes: %', (SELECT string_agg(format('%s %s', c, a), ', ' ORDER BY a) FROM (SELECT a, count(*) AS c FROM unnest(answers) AS a GROUP BY a) AS counted);
END $$;
-- The right one comes too late; what asks for no second factor is open.
SELECT code(:ann, 'south', 'right') AS right_code, code(:ann, 'south', 'none') AS no_code, code(:ann, 'north', 'none') AS elsewhere;
SELECT identity.clear_login_failures('throttled', :ann) > 0 AS cleared;
SELECT code(:ann, 'south', 'right'), count(*) AS left FROM failures() WHERE kind = 'factor';
-- A right one forgets those before it, and nothing else does. Where the organization asks for none, a wrong one counts as well.
SELECT code(:ann, 'south') FROM generate_series(1, 4);
SELECT code(:ann, 'north'), code(:ann, 'north', 'none'), guess('ann', 'right', '192.0.2.66');
SELECT rows FROM failures() WHERE kind = 'factor';
SELECT code(:ann, 'south', 'right');
SELECT rows FROM failures() WHERE kind = 'factor';

-- Ten requests lock nobody out: not whoever comes from another address, nor single sign-on.
SELECT identity.clear_login_failures('throttled', :ann) IS NOT NULL AS cleared, identity.clear_login_failures('throttled', address => '192.0.2.66') IS NOT NULL AS cleared;
SELECT guess('bob', 'wrong', '203.0.113.66'), count(*) FROM generate_series(1, 15) GROUP BY 1 ORDER BY 1;
SELECT guess('bob', 'right', '203.0.113.66') AS there, guess('bob', 'right', '198.51.100.7') AS elsewhere;
SELECT decision, count(*) FROM generate_series(1, 15) AS n, LATERAL identity.resolve_login('throttled', :cid, 'west', '{"ip": "203.0.113.66", "failed_factors": ["password"]}', n) GROUP BY 1 ORDER BY 1;
SELECT decision FROM identity.resolve_login('throttled', :cid, 'west', '{"ip": "198.51.100.7", "organizations": {"west": {"sso": ["c1"]}}}');
-- A success forgets the failures of this name from this address, and no others.
SELECT identity.clear_login_failures('throttled', 'bob') > 0 AS cleared, identity.clear_login_failures('throttled', address => '203.0.113.66') > 0 AS cleared;
SELECT guess('bob', 'wrong', ip) FROM unnest('{198.51.100.7,198.51.100.7,203.0.113.1}'::text[]) AS ip;
SELECT guess('bob', 'right', '198.51.100.7');
SELECT * FROM failures();
-- Above the higher bound of a name all are held back, but whoever has logged in from there before, or proves it by single sign-on.
SET identity.login_max_name_failures = 20;
SELECT guess('bob', 'wrong', '203.0.113.' || n), count(*) FROM generate_series(1, 30) AS n GROUP BY 1 ORDER BY 1;
SELECT guess('bob', 'right', '198.51.100.8') AS new_address, guess('bob', 'right', '198.51.100.7') AS known_address;
SELECT retry_after BETWEEN '14 min' AND '15 min' AS later FROM identity.authenticate('throttled', 'bob', 'right', '{"ip": "198.51.100.8"}');
-- Failures from there count, all the same.
SELECT guess('bob', 'wrong', '198.51.100.7'), count(*) FROM generate_series(1, 12) AS n GROUP BY 1 ORDER BY 1;
SELECT guess('bob', 'right', '198.51.100.7') AS known_address;
-- An address is known for a while, and can be forgotten.
SELECT identity.clear_login_failures('throttled', address => '198.51.100.7') > 0 AS cleared, guess('bob', 'right', '198.51.100.7') AS known_address;
SET identity.known_address_lifetime = 0;
SELECT guess('bob', 'right', '198.51.100.7') AS known_address;
RESET identity.known_address_lifetime;
SELECT identity_id, address FROM identity.known_addresses WHERE realm = 'throttled' ORDER BY 1, 2;
UPDATE identity.known_addresses SET last_login = last_login - interval '91 days' WHERE realm = 'throttled';
SELECT guess('bob', 'right', '198.51.100.7') AS known_address;
RESET identity.login_max_name_failures;
SELECT guess('bob', 'right', '198.51.100.7') AS known_address;
SELECT identity_id, last_login > now() - interval '1 hour' AS fresh FROM identity.known_addresses WHERE realm = 'throttled' AND address = '198.51.100.7' ORDER BY 1;
-- The latest fifty are known.
INSERT INTO identity.known_addresses SELECT 'throttled', :bob, 'old ' || n, now() - n * interval '1 day' FROM generate_series(1, 100) AS n;
SELECT guess('bob', 'right', '198.51.100.99');
SELECT count(*), min(last_login) > now() - interval '50 days' AS latest FROM identity.known_addresses WHERE realm = 'throttled' AND identity_id = :bob;

-- What fails under one name of an identity does not show under another, below the bound of the identity as a whole; nor whether there is one.
SELECT identity.clear_login_failures('throttled', n) IS NOT NULL AS cleared FROM unnest('{ann,bob}'::text[]) AS n;
SELECT who, guess(who, 'wrong', '203.0.113.70'), count(*) FROM unnest('{ann,nobody}'::text[]) AS who, generate_series(1, 12) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT guess('ann@example.com', 'wrong', '203.0.113.70') AS same_identity, guess('nobody@example.com', 'wrong', '203.0.113.70') AS nobody;
SELECT identity.clear_login_failures('throttled', address => '203.0.113.70') > 0 AS cleared, identity.clear_login_failures('throttled', n) > 0 AS cleared FROM unnest('{ann,nobody}'::text[]) AS n;
SET identity.login_max_failures = 0; SET identity.login_max_name_failures = 20; SET identity.login_max_identity_failures = 30;
SELECT who, guess(who, 'wrong', '203.0.113.70'), count(*) FROM unnest('{ann,nobody}'::text[]) AS who, generate_series(1, 22) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT guess('ann@example.com', 'wrong', '203.0.113.71'), count(*) FROM generate_series(1, 12) GROUP BY 1 ORDER BY 1;
-- All its names are cleared at once, by any of them.
SELECT identity.clear_login_failures('throttled', 'ann@example.com') > 0 AS cleared;
SELECT guess('ann', 'right', '203.0.113.72'), guess('ann@example.com', 'right', '203.0.113.72');
RESET identity.login_max_failures; RESET identity.login_max_name_failures; RESET identity.login_max_identity_failures;

-- An address, and a network, have bounds over all names: 32 and 24 bits of IPv4, 64 and 48 of IPv6. A translator's clients are many.
DELETE FROM identity.login_failures WHERE realm = 'throttled';
SET identity.login_max_address_failures = 5; SET identity.login_max_network_failures = 12;
CREATE FUNCTION spray(addresses text[], OUT answer text, OUT logins bigint) RETURNS SETOF record LANGUAGE sql AS $$ SELECT guess('name' || n, 'wrong', ip), count(*) FROM unnest(addresses) WITH ORDINALITY AS a (ip, n) GROUP BY 1 ORDER BY 1 $$;
SELECT * FROM spray(ARRAY(SELECT '192.0.2.1' FROM generate_series(1, 8)));
SELECT * FROM spray(ARRAY(SELECT '192.0.2.' || n FROM generate_series(2, 15) AS n));
SELECT * FROM spray(ARRAY(SELECT '2001:db8:7:1::' || n FROM generate_series(1, 8) AS n));
SELECT * FROM spray(ARRAY(SELECT '2001:db8:7:' || n || '::1' FROM generate_series(2, 15) AS n));
SELECT * FROM spray(ARRAY(SELECT '64:ff9b::198.51.' || n || '.1' FROM generate_series(1, 20) AS n));
SELECT guess('bob', 'right', '192.0.2.1') AS this_network, guess('bob', 'right', '192.0.3.1') AS another, guess('bob', 'right', '198.51.100.7') AS known;
RESET identity.login_max_address_failures; RESET identity.login_max_network_failures;
-- So has the realm, where the setting says so.
DELETE FROM identity.login_failures WHERE realm = 'throttled';
SET identity.login_max_realm_failures = 15;
SELECT * FROM spray(ARRAY(SELECT '10.' || n || '.0.1' FROM generate_series(1, 20) AS n));
SELECT guess('bob', 'right', '10.99.0.1') AS new_address, guess('bob', 'right', '198.51.100.7') AS known_address;
-- Of a high limit only as many are counted as mean that it is reached.
DELETE FROM identity.login_failures WHERE realm = 'throttled';
SET identity.login_max_realm_failures = 400;
SELECT answer, abs(logins - CASE answer WHEN 'denied' THEN 400 ELSE 600 END) < 160 AS about FROM spray(ARRAY(SELECT '10.' || n % 250 || '.' || n / 250 || '.1' FROM generate_series(1, 1000) AS n));
SELECT rows FROM failures() WHERE kind = 'realm';
RESET identity.login_max_realm_failures;

-- The one second factor is bound for longer, too.
SET identity.login_max_factor_failures_in_all = 25;
SELECT identity.clear_login_failures('throttled', :ann) IS NOT NULL AS cleared;
INSERT INTO identity.login_failures (realm, kind, key, failed_at) SELECT 'throttled', 'factor', :ann, now() - n * interval '1 hour' FROM generate_series(1, 24) AS n;
SELECT code(:ann, 'south');
SELECT decision, retry_after > interval '28 days' AS long FROM identity.resolve_login('throttled', :ann, 'south', '{"organizations": {"south": {"factors": ["totp"]}}}');
SELECT decision FROM identity.preview_login('throttled', :ann, 'south', '{"organizations": {"south": {"factors": ["totp"]}}}');
RESET identity.login_max_factor_failures_in_all;
SELECT code(:ann, 'south', 'right');
SELECT count(*) FROM failures() WHERE kind = 'factor';
-- Single sign-on, or a known address, is no second factor.
UPDATE identity.organizations SET mfa_required = true WHERE realm = 'throttled' AND name = 'west';
SELECT decision, count(*) FROM generate_series(1, 12) AS n, LATERAL identity.resolve_login('throttled', :ann, 'west', '{"organizations": {"west": {"sso": ["c1"]}}, "failed_factors": ["totp"], "ip": "192.0.2.66"}', n) GROUP BY 1 ORDER BY 1;

-- Names are kept nowhere, nor a digest that can be made without the realm's secret.
SELECT count(*) FROM identity.login_failures WHERE key ~ 'ann|bob|name|nobody' OR key ~ encode(sha256('nobody'), 'hex');
SELECT length(secret) FROM identity_internal.login_secrets WHERE realm = 'throttled';
CREATE ROLE throttle_admin;
SELECT identity.grant_access('throttle_admin', 'admin');
SET ROLE throttle_admin;
SELECT * FROM identity_internal.login_secrets;
SET identity.known_address_lifetime = 0;
SELECT count(*) > 0 AS has FROM identity.known_addresses WHERE realm = 'throttled';
RESET ROLE;
SELECT identity.revoke_access('throttle_admin');
DROP ROLE throttle_admin;
-- Addresses go with their identity, the secret with its realm.
DELETE FROM identity.identities WHERE realm = 'throttled';
SELECT count(*) FROM identity.known_addresses WHERE realm = 'throttled';
DELETE FROM identity.login_failures WHERE realm = 'throttled';
DELETE FROM identity.organizations WHERE realm = 'throttled';
DELETE FROM identity.import_runs WHERE realm = 'throttled';
DELETE FROM identity.realms WHERE name = 'throttled';
SELECT count(*) FROM identity_internal.login_secrets WHERE realm = 'throttled';
DROP FUNCTION spray, code, guess, failures;
