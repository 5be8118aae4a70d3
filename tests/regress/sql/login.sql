-- From an identity to an organization: the order of the walk, the rules of each organization, and what a login leaves.
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT identity.add_realm('routed');
INSERT INTO identity.identities (realm, id, state) SELECT 'routed', ('00000000-0000-0000-0000-00000000000' || n)::uuid, CASE WHEN n = 9 THEN 'inactive' ELSE 'active' END FROM generate_series(1, 9) n;
\set ann '''00000000-0000-0000-0000-000000000001'''
\set bob '''00000000-0000-0000-0000-000000000002'''
\set cid '''00000000-0000-0000-0000-000000000003'''
\set off '''00000000-0000-0000-0000-000000000009'''
-- Settings are checked when they are written, by the functions and by the tables.
SELECT identity.add_organization('routed', n) FROM unnest('{north,south,east,west,open,gone}'::text[]) n;
SELECT identity.add_organization('routed', 'strict', '{"mfa_required": true}');
SELECT identity.add_organization('routed', 'sso', '{"sso_required": true, "sso_url": "https://sso.example.com/in?to=1", "sso_connection": "c1", "mfa_required": true, "verified_domains": ["Example.COM", "faß.de"]}');
SELECT identity.add_organization('routed', 'broken', '{"sso_required": true}');
SELECT identity.add_organization('routed', 'office', '{"allowed_networks": ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]}');
SELECT identity.add_organization('routed', 'north');
SELECT identity.add_organization('nowhere', 'north');
SELECT identity.add_organization('routed', '');
SELECT identity.add_organization('routed', NULL);
SELECT identity.add_organization('routed', 'x', NULL);
SELECT identity.add_organization('routed', 'x', '{"mfa": true}');
SELECT identity.add_organization('routed', 'x', '{"sso_url": "javascript:alert(1)"}');
SELECT identity.set_organization('routed', 'north', '{"allowed_networks": ["10.0.0.1/8"]}');
SELECT identity.set_organization('routed', 'nothing', '{}');
UPDATE identity.organizations SET sso_url = 'ftp://example.com' WHERE name = 'north';
UPDATE identity.organizations SET verified_domains = '{Example.com}' WHERE name = 'north';
UPDATE identity.organizations SET allowed_networks = ARRAY[NULL::cidr] WHERE name = 'north';
UPDATE identity.organizations SET state = 'closed' WHERE name = 'north';
SELECT identity.set_organization('routed', 'north', '{"sso_url": "http://x.example", "mfa_required": true}');
SELECT identity.set_organization('routed', 'north', '{"sso_url": null, "mfa_required": false}');
SELECT name, state, mfa_required AS mfa, sso_required AS sso, sso_url, sso_connection, allowed_networks, verified_domains FROM identity.organizations WHERE realm = 'routed' ORDER BY name;
SELECT identity.organizations_of_email('routed', 'Bob@FASS.de'), identity.organizations_of_email('routed', 'Bob@EXAMPLE.com');
SELECT identity.organizations_of_email('routed', 'Bob@faß.de');
-- Memberships.
SELECT identity.add_membership('routed', :ann, o) FROM unnest('{north,south}'::text[]) o;
SELECT identity.add_membership('routed', :ann, 'south');
SELECT identity.add_membership('routed', :ann, 'nothing');
SELECT identity.add_membership('routed', '00000000-0000-0000-0000-0000000000ff', 'north');
SELECT identity.add_membership('routed', :ann, 'east', '{"role": "admin"}');
SELECT identity.add_membership('routed', :ann, 'east', '{"is_default": true}');
SELECT identity.add_membership('routed', :ann, 'west', '{"is_default": true, "state": "suspended"}');
SELECT identity.set_membership('routed', :ann, 'west', '{"state": "active"}');
SELECT identity.set_membership('routed', :ann, 'strict', '{}');
SELECT identity.remove_membership('routed', :ann, 'strict');
SELECT organization, state, is_default, last_used, last_login IS NULL AS never FROM identity.memberships WHERE identity_id = :ann ORDER BY organization;

-- What a login comes to, in short, and each organization that it tried.
CREATE FUNCTION login(who uuid, requested text = NULL, context jsonb = '{}', max_attempts int = 10, fallback boolean = true,
    OUT decision text, OUT organization text, OUT reason text, OUT switched boolean, OUT tried text) LANGUAGE plpgsql AS $$
DECLARE
    p record; r record;
BEGIN
    SELECT l.* INTO p FROM identity.preview_login('routed', $1, $2, $3, $4, $5) l;
    SELECT l.* INTO r FROM identity.resolve_login('routed', $1, $2, $3, $4, $5) l;
    IF (p.decision, p.organization, p.reason, p.redirect_url, p.switched, p.attempts) IS DISTINCT FROM
       (r.decision, r.organization, r.reason, r.redirect_url, r.switched, r.attempts) OR p.event_id IS NOT NULL THEN
        RAISE 'preview says %, login says %', p, r;
    END IF;
    SELECT r.decision, r.organization, r.reason, r.switched,
           string_agg(a.organization || ' ' || a.outcome || COALESCE(' ' || a.reason, ''), ', ' ORDER BY a.attempt)
    INTO login.decision, login.organization, login.reason, login.switched, login.tried
    FROM identity.login_attempts('routed', r.event_id) a;
END $$;
SET identity.login_max_failures = 0;
-- The default; then the last used; then the requested. The last used is remembered with an allow alone.
SELECT * FROM login(:ann);
SELECT * FROM login(:ann, 'north');
SELECT * FROM login(:ann);
SELECT organization, is_default, last_used, last_login IS NULL AS never FROM identity.memberships WHERE identity_id = :ann ORDER BY organization;
-- The requested one is gone, suspended, not the member's, not to be reached from here.
SELECT * FROM login(:ann, 'never');
SELECT * FROM login(:ann, 'open');
SELECT identity.add_membership('routed', :ann, 'gone');
SELECT * FROM login(:ann, 'gone');
DELETE FROM identity.organizations WHERE realm = 'routed' AND name = 'gone';
SELECT * FROM login(:ann, 'gone');
SELECT * FROM login(:ann, 'never');
SELECT identity.set_organization('routed', 'north', '{"state": "suspended"}');
SELECT identity.set_organization('routed', 'south', '{"state": "deleted"}');
SELECT identity.set_membership('routed', :ann, 'west', '{"state": "suspended", "is_default": false}');
SELECT * FROM login(:ann, 'north');
SELECT * FROM login(:ann, 'south');
SELECT * FROM login(:ann, 'south', fallback => false);
SELECT * FROM login(:ann, fallback => false);
SELECT identity.set_organization('routed', 'east', '{"state": "suspended"}');
-- When all fail: the reason of the requested, or of the first tried.
SELECT * FROM login(:ann, 'south');
SELECT * FROM login(:ann, 'never');
SELECT * FROM login(:ann);
SELECT * FROM login(:ann, max_attempts => 2);
SELECT * FROM login(:bob);
SELECT * FROM login(:bob, 'open');
SELECT * FROM login(:off);
SELECT * FROM login('00000000-0000-0000-0000-0000000000ff');
-- Networks.
SELECT identity.add_membership('routed', :bob, 'office');
SELECT c.*, l.* FROM (VALUES ('{}'), ('{"ip": "192.0.2.200"}'), ('{"ip": "::ffff:192.0.2.200"}'), ('{"ip": "192.0.3.1"}'), ('{"ip": "2001:db8:7::1"}'), ('{"ip": "2001:db9::1"}'), ('{"ip": "198.51.100.7"}')) AS c (context), LATERAL login(:bob, 'office', c.context::jsonb) AS l;
-- An organization that asks for more is not passed over; factors count where they were given.
SELECT identity.add_membership('routed', :cid, o) FROM unnest('{strict,sso,broken,open}'::text[]) o;
CREATE TEMP TABLE contexts (n int, context jsonb);
INSERT INTO contexts VALUES (1, '{}'), (2, '{"factors": ["password", "totp"]}'), (3, '{"organizations": {"open": {"factors": ["totp"], "sso": ["c1"]}}}'),
  (4, '{"organizations": {"strict": {"factors": ["password", ""]}, "sso": {"sso": ["c2"]}}}'), (5, '{"organizations": {"strict": {"factors": ["totp"]}, "sso": {"sso": ["c1"]}, "broken": {"sso": ["c1"]}}}'),
  (6, '{"organizations": {"strict": {"factors": ["webauthn"]}, "sso": {"sso": ["c1"], "factors": ["totp"]}}}');
SELECT n, o, l.decision, l.organization, l.reason, l.tried FROM contexts, unnest('{strict,sso,broken,open}'::text[]) o, LATERAL login(:cid, o, context) l ORDER BY o, n;
SELECT redirect_url FROM identity.resolve_login('routed', :cid, 'sso');
INSERT INTO identity.credentials (realm, identity_id, type, config) VALUES ('routed', :cid, 'totp', '{}');
SELECT * FROM login(:cid, 'strict');
SELECT * FROM login(:cid, 'never', fallback => false);
-- A login that comes in by another way than it asked for says so, whatever the other asks.
SELECT * FROM login(:cid, 'never');

-- Too many failures: one a login, however many organizations it tried; by identity and address, and by address.
SET identity.login_max_failures = 3; SET identity.login_max_factor_failures = 3;
TRUNCATE identity.login_failures;
SELECT identity.set_membership('routed', :ann, 'east', '{"state": "suspended"}');
SELECT decision, reason, attempts, retry_after IS NULL AS free FROM generate_series(10, 13) n, LATERAL identity.resolve_login('routed', :ann, NULL, '{"ip": "203.0.113.9"}', n) r;
SELECT decision, reason, attempts, retry_after BETWEEN interval '14 minutes' AND interval '15 minutes' AS a_quarter FROM identity.preview_login('routed', :ann, context => '{"ip": "203.0.113.9"}');
SELECT kind, count(*) FROM identity.login_failures GROUP BY 1 ORDER BY 1;
SELECT event_id FROM identity.resolve_login('routed', :ann, context => '{"ip": "203.0.113.9"}') \gset
SELECT * FROM identity.login_attempts('routed', :event_id);
SET identity.login_max_address_failures = 3;
SELECT decision FROM identity.preview_login('routed', :bob, context => '{"ip": "203.0.113.9"}');
SELECT decision FROM identity.preview_login('routed', :bob, context => '{"ip": "203.0.113.10"}');
-- The window slides.
UPDATE identity.login_failures SET failed_at = failed_at - interval '14 minutes 30 seconds' WHERE failed_at = (SELECT min(failed_at) FROM identity.login_failures);
SELECT decision, retry_after < interval '31 seconds' AS soon FROM identity.preview_login('routed', :ann, context => '{"ip": "203.0.113.9"}');
UPDATE identity.login_failures SET failed_at = failed_at - interval '1 minute' WHERE failed_at = (SELECT min(failed_at) FROM identity.login_failures);
SELECT decision, reason FROM identity.preview_login('routed', :ann, context => '{"ip": "203.0.113.9"}');
SELECT decision, reason FROM identity.resolve_login('routed', :ann, context => '{"ip": "203.0.113.9"}');
SELECT count(*) FILTER (WHERE kind = 'identity') AS without_the_old_one FROM identity.login_failures;
SELECT decision FROM identity.preview_login('routed', :ann, context => '{"ip": "203.0.113.9"}');
-- An administrator clears it; a success does; a second factor that was wrong counts.
SELECT identity.clear_login_failures('routed', :ann);
SELECT identity.clear_login_failures('routed', address => '203.0.113.9');
SELECT identity.clear_login_failures('routed');
SELECT identity.clear_login_failures('routed', address => 'here');
SELECT decision FROM generate_series(10, 13) n, LATERAL identity.resolve_login('routed', :cid, 'strict', '{"failed_factors": ["totp"]}', n) r;
SELECT identity.clear_login_failures('routed', :cid);
SELECT decision FROM identity.resolve_login('routed', :cid, 'strict', '{"failed_factors": ["totp"]}');
SELECT decision FROM identity.resolve_login('routed', :cid, 'strict', '{"organizations": {"strict": {"factors": ["totp"]}}}');
SELECT kind, count(*) FROM identity.login_failures GROUP BY 1 ORDER BY 1;
-- A login that begins takes a slot, and gives it back if it succeeds.
DELETE FROM identity.login_failures WHERE realm = 'routed';
SELECT b.*, identity_internal.login_failed('routed', 'nobody', 'nobody', NULL, '2001:db8:1:2:3::4', b.slot) FROM generate_series(1, 4) AS n, LATERAL identity_internal.login_begins('routed', left('nobody', n + 10), 'nobody', NULL, '2001:db8:1:2:3::4') AS b WHERE n < 4;
SELECT kind, key, slot FROM identity.login_failures ORDER BY 1, 2, 3;
SELECT wait > '14 minutes' AS held, slot FROM identity_internal.login_begins('routed', 'nobody', 'nobody', NULL, '2001:db8:1:2::');
SELECT b.*, identity_internal.login_succeeded('routed', 'other', NULL, '2001:db8:1:3::', b.failed_before, b.slot) FROM identity_internal.login_begins('routed', 'other', 'other', NULL, '2001:db8:1:3::') AS b;
DELETE FROM identity.login_failures WHERE realm = 'routed';
-- The counters survive the caller's verdict, not his rollback.
BEGIN; SELECT decision FROM identity.resolve_login('routed', :ann); ROLLBACK;
SELECT kind, count(*) FROM identity.login_failures GROUP BY 1 ORDER BY 1;

-- The deadline is looked at before each organization.
SET identity.login_deadline = '1ms';
SHOW identity.login_deadline;
RESET identity.login_deadline;
-- Errors.
SELECT * FROM identity.resolve_login('nowhere', :ann);
SELECT * FROM identity.resolve_login(NULL, :ann);
SELECT * FROM identity.resolve_login('routed', :ann, max_attempts => 0);
SELECT * FROM identity.resolve_login('routed', :ann, max_attempts => NULL);
SELECT * FROM identity.resolve_login('routed', :ann, fallback => NULL);
SELECT * FROM identity.resolve_login('routed', :ann, context => '[]');
SELECT * FROM identity.preview_login('routed', :ann, context => '{"IP": "192.0.2.1"}');
SELECT * FROM identity.resolve_login('routed', :ann, context => '{"organizations": {"a": {"factors": [1]}}}');
SELECT * FROM identity.resolve_login('routed', :ann, context => '{"ip": "192.0.2.1:80"}');
SELECT decision FROM identity.resolve_login('routed', :cid, 'open', NULL);
SELECT * FROM identity.login_attempts('routed', NULL);
SELECT * FROM identity.login_attempts('routed', -1);
BEGIN READ ONLY;
SELECT decision, organization FROM identity.preview_login('routed', :cid, 'open');
SELECT * FROM identity.resolve_login('routed', :cid, 'open');
ROLLBACK;
-- In one statement with the question who it is: nobody is denied, it is no error, and the failure stays counted, once.
TRUNCATE identity.login_failures;
SELECT a.verdict, a.identity_id, r.decision, r.organization, r.reason, r.switched, r.attempts, r.event_id IS NOT NULL AS recorded, r.retry_after
FROM identity.authenticate('routed', 'nobody here', 'wrong', '{"ip": "192.0.2.9"}') a
CROSS JOIN LATERAL identity.resolve_login('routed', a.identity_id, 'open', '{"factors": ["password"], "ip": "192.0.2.9"}') r;
SELECT kind, regexp_replace(key, '[0-9a-f]{64}', 'digest') AS key FROM identity.login_failures ORDER BY 1, 2;
SELECT action, regexp_replace(subject, '[0-9a-f]{64}', 'digest') AS subject, detail FROM identity.audit_events WHERE realm = 'routed' AND action IN ('authenticate', 'resolve_login') ORDER BY at DESC LIMIT 2;
SELECT a.* FROM identity.audit_events e, identity.login_attempts('routed', e.event_id) a WHERE e.realm = 'routed' AND e.action = 'resolve_login' AND e.subject IS NULL;
SELECT * FROM identity.preview_login('routed', NULL);
SELECT * FROM identity.preview_login('nowhere', NULL);
SELECT * FROM identity.preview_login('routed', NULL, context => '{"ip": "192.0.2.1:80"}');
SELECT * FROM identity.resolve_login('routed', NULL, max_attempts => NULL);
-- In the statement that makes the identity, and under REPEATABLE READ.
WITH made AS (INSERT INTO identity.identities (realm, id) VALUES ('routed', '00000000-0000-0000-0000-0000000000aa') RETURNING id) SELECT r.decision, r.reason FROM made, identity.resolve_login('routed', made.id) r;
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT decision FROM identity.resolve_login('routed', :cid, 'open'); SELECT decision FROM identity.resolve_login('routed', :cid, 'open'); COMMIT;

-- The application's role logs people in, and sees nothing of the tables.
CREATE ROLE login_app;
SELECT identity.grant_access('login_app', 'application');
SET ROLE login_app;
SELECT decision, organization FROM identity.resolve_login('routed', :cid, 'open');
SELECT decision, organization FROM identity.preview_login('routed', :cid, 'open');
SELECT identity_internal.login_failed('routed', 'x', 'x', :cid, NULL, NULL);
SELECT identity.clear_login_failures('routed', :cid);
SELECT * FROM identity.organizations;
SELECT * FROM identity.memberships;
SELECT identity.add_organization('routed', 'mine');
SET identity.login_max_failures = 0;
RESET ROLE;
SELECT acting_role, detail ->> 'decision' AS decision FROM identity.audit_events WHERE realm = 'routed' AND action = 'resolve_login' ORDER BY at DESC LIMIT 1;
SELECT identity.revoke_access('login_app');
DROP ROLE login_app;

-- What the audit has: settings and memberships by statement or row, each login, each clearing. All of it is intact.
SELECT action, count(*), count(DISTINCT subject) AS subjects FROM identity.audit_events WHERE realm = 'routed' GROUP BY 1 ORDER BY 1;
SELECT detail FROM identity.audit_events WHERE realm = 'routed' AND action = 'add_membership' AND subject = :ann ORDER BY at;
SELECT c.changed, c.new -> 'organization' AS organization, c.old - '{joined_at,last_login,realm,identity_id,organization}'::text[] AS old, c.new - '{joined_at,last_login,realm,identity_id,organization}'::text[] AS new
FROM identity.audit_events AS e, identity.audit_changes('routed', e.event_id) AS c WHERE e.realm = 'routed' AND e.action = 'UPDATE memberships' ORDER BY e.at;
-- A membership that was added is an event, and so are the rows that this writes, what is written by hand, also after a call that failed, and
-- what a trigger writes meanwhile.
INSERT INTO identity.organizations (realm, name) VALUES ('routed', 'first'), ('routed', 'second'), ('routed', 'third'), ('routed', 'fourth');
CREATE FUNCTION also() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.organization = 'second' THEN
        INSERT INTO identity.memberships (realm, identity_id, organization) VALUES (NEW.realm, NEW.identity_id, 'third');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER also AFTER INSERT ON identity.memberships FOR EACH ROW EXECUTE FUNCTION also();
SELECT clock_timestamp() AS start \gset
SELECT identity.add_membership('routed', :bob, 'first', '{"is_default": true}');
SELECT identity.add_membership('routed', :bob, 'second', '{"is_default": true}');
DO $$
BEGIN
    BEGIN
        PERFORM identity.add_membership('routed', '00000000-0000-0000-0000-000000000002', 'first');
    EXCEPTION WHEN duplicate_object THEN
        INSERT INTO identity.memberships (realm, identity_id, organization) VALUES ('routed', '00000000-0000-0000-0000-000000000002', 'fourth');
    END;
END $$;
DROP TRIGGER also ON identity.memberships;
DROP FUNCTION also;
SELECT organization, is_default FROM identity.memberships WHERE identity_id = :bob ORDER BY joined_at, organization;
SELECT action, subject, detail - '{values,forms,columns}'::text[] AS detail FROM identity.audit_events WHERE realm = 'routed' AND at > :'start' ORDER BY at;
SELECT bool_and(intact) AS intact FROM identity.verify_audit('routed');
RESET identity.login_max_failures; RESET identity.login_max_factor_failures; RESET identity.login_max_address_failures;
DELETE FROM identity.identities WHERE realm = 'routed';
SELECT count(*) FROM identity.memberships WHERE realm = 'routed';
DELETE FROM identity.organizations WHERE realm = 'routed';
DELETE FROM identity.login_failures;
DELETE FROM identity.realms WHERE name = 'routed';
DROP FUNCTION login; DROP TABLE contexts;
