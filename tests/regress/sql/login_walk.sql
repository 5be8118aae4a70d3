-- Random users, organizations and settings: every login ends within its bounds, tries each organization once, keeps the rules of the
-- one it chooses, and comes to what its preview said.
SET client_min_messages = warning;
SET identity.login_max_failures = 0;
SET identity.login_max_address_failures = 0;
SELECT identity.add_realm('random');
SELECT setseed(0.42);
INSERT INTO identity.organizations (realm, name, state, mfa_required, sso_required, sso_url, sso_connection, allowed_networks)
SELECT 'random', 'o' || n, (ARRAY['active', 'active', 'active', 'suspended', 'deleted'])[ceil(random() * 5)], random() < 0.3, random() < 0.3,
       CASE WHEN random() < 0.8 THEN 'https://sso.example.com/' || n END, CASE WHEN random() < 0.5 THEN 'c' || n % 3 END,
       CASE WHEN random() < 0.2 THEN '{192.0.2.0/24}'::cidr[] END
FROM generate_series(1, 30) n;
INSERT INTO identity.identities (realm, id, state) SELECT 'random', md5(n::text)::uuid, CASE WHEN n % 20 = 0 THEN 'inactive' ELSE 'active' END FROM generate_series(1, 200) n;
INSERT INTO identity.credentials (realm, identity_id, type, config) SELECT 'random', md5(n::text)::uuid, 'totp', '{}' FROM generate_series(1, 200, 3) n;
-- Some of the organizations are not there any more.
INSERT INTO identity.memberships (realm, identity_id, organization, state, joined_at)
SELECT 'random', md5(n::text)::uuid, 'o' || o, CASE WHEN random() < 0.15 THEN 'suspended' ELSE 'active' END, timestamptz '2020-01-01' + o % 7 * interval '1 day'
FROM generate_series(1, 200) n, generate_series(1, 36) o WHERE random() < 0.2;
UPDATE identity.memberships m SET is_default = true FROM (SELECT DISTINCT ON (identity_id) identity_id, organization FROM identity.memberships WHERE realm = 'random' ORDER BY identity_id, md5(organization)) d
WHERE m.realm = 'random' AND m.identity_id = d.identity_id AND m.organization = d.organization AND random() < 0.7;
CREATE TABLE drawn AS
SELECT n, md5((1 + floor(random() * 202))::text)::uuid AS who, CASE WHEN random() < 0.6 THEN 'o' || ceil(random() * 38) END AS asked,
       jsonb_build_object('factors', '["password", "totp"]'::jsonb, 'ip', (ARRAY['192.0.2.1', '198.51.100.1'])[ceil(random() * 2)], 'organizations',
           (SELECT jsonb_object_agg('o' || o, jsonb_build_object('factors', (ARRAY['[]', '["password"]', '["totp"]', '["password", "webauthn"]'])[1 + (n * o) % 4]::jsonb, 'sso', to_jsonb(ARRAY['c' || (n + o) % 4])))
            FROM generate_series(1, 30) o WHERE (n * 7 + o) % 3 > 0)) AS context,
       (ARRAY[1, 2, 3, 10, 50])[ceil(random() * 5)] AS most, random() < 0.8 AS fallback
FROM generate_series(1, 3000) n;
CREATE TABLE seen (n int, decision text, organization text, reason text, redirect_url text, switched boolean, attempts int, event_id bigint, same boolean);
DO $$
DECLARE
    d record; p record; r record;
BEGIN
    FOR d IN SELECT * FROM drawn ORDER BY n LOOP
        SELECT * INTO p FROM identity.preview_login('random', d.who, d.asked, d.context, d.most, d.fallback);
        SELECT * INTO r FROM identity.resolve_login('random', d.who, d.asked, d.context, d.most, d.fallback);
        INSERT INTO seen VALUES (d.n, r.decision, r.organization, r.reason, r.redirect_url, r.switched, r.attempts, r.event_id,
            (p.decision, p.organization, p.reason, p.redirect_url, p.switched, p.attempts) IS NOT DISTINCT FROM
            (r.decision, r.organization, r.reason, r.redirect_url, r.switched, r.attempts));
    END LOOP;
END $$;
CREATE TABLE tried AS SELECT s.n, a.* FROM seen s, identity.login_attempts('random', s.event_id) a;
SELECT count(*) AS logins, bool_and(same) AS as_previewed, count(DISTINCT event_id) AS events, count(DISTINCT decision) AS decisions, count(DISTINCT reason) AS reasons FROM seen;
-- Each of these finds nothing.
SELECT 'more than the bound' AS what, count(*) FROM seen JOIN drawn USING (n) WHERE attempts > CASE WHEN fallback THEN most ELSE 1 END
UNION ALL SELECT 'one twice', count(*) FROM (SELECT n FROM tried GROUP BY n, organization HAVING count(*) > 1) x
UNION ALL SELECT 'rows of login_attempts', count(*) FROM seen s WHERE attempts <> (SELECT count(*) FROM tried t WHERE t.n = s.n)
UNION ALL SELECT 'not the requested first', count(*) FROM tried JOIN drawn USING (n) WHERE attempt = 1 AND asked IS NOT NULL AND organization <> asked
UNION ALL SELECT 'in where it may not', count(*) FROM seen s JOIN drawn d USING (n)
    LEFT JOIN identity.memberships m ON m.realm = 'random' AND m.identity_id = d.who AND m.organization = s.organization
    LEFT JOIN identity.organizations o ON o.realm = 'random' AND o.name = s.organization
    CROSS JOIN LATERAL (SELECT d.context #> ARRAY['organizations', s.organization, 'factors'] AS factors, d.context #> ARRAY['organizations', s.organization, 'sso'] AS sso) g
    WHERE s.decision = 'allow' AND ((m.state = 'active' AND o.state = 'active'
        AND (o.allowed_networks IS NULL OR (d.context ->> 'ip')::inet <<= ANY (o.allowed_networks))
        AND (NOT o.sso_required OR o.sso_url IS NOT NULL AND (CASE WHEN o.sso_connection IS NULL THEN g.sso <> '[]' ELSE g.sso ? o.sso_connection END))
        AND (NOT o.mfa_required OR g.factors ?| '{totp,webauthn}'::text[])) IS NOT TRUE
        OR d.who IN (SELECT id FROM identity.identities WHERE realm = 'random' AND state = 'inactive'))
UNION ALL SELECT 'passed over for what it asks', count(*) FROM tried t JOIN drawn d USING (n)
    JOIN identity.memberships m ON m.realm = 'random' AND m.identity_id = d.who AND m.organization = t.organization AND m.state = 'active'
    JOIN identity.organizations o ON o.realm = 'random' AND o.name = t.organization AND o.state = 'active'
    WHERE t.outcome = 'failed' AND (o.allowed_networks IS NULL OR (d.context ->> 'ip')::inet <<= ANY (o.allowed_networks))
UNION ALL SELECT 'a redirect without a URL', count(*) FROM seen WHERE (decision = 'sso_redirect') <> (redirect_url IS NOT NULL)
UNION ALL SELECT 'switched, and not told why', count(*) FROM seen WHERE switched AND reason IS NULL
UNION ALL SELECT 'not the reason of the first', count(*) FROM seen s JOIN tried t ON t.n = s.n AND t.attempt = 1 WHERE s.organization IS NULL AND s.reason NOT IN ('attempts_exhausted', t.reason)
UNION ALL SELECT 'last used without an allow', count(*) FROM identity.memberships m WHERE realm = 'random' AND (last_used OR last_login IS NOT NULL)
    AND NOT EXISTS (SELECT FROM seen s JOIN drawn d USING (n) WHERE d.who = m.identity_id AND s.organization = m.organization AND s.decision = 'allow')
UNION ALL SELECT 'two last used', count(*) FROM (SELECT identity_id FROM identity.memberships WHERE realm = 'random' AND last_used GROUP BY 1 HAVING count(*) > 1) x
UNION ALL SELECT 'not the one of the last allow', count(*) FROM (SELECT DISTINCT ON (d.who) d.who, s.organization FROM seen s JOIN drawn d USING (n) WHERE s.decision = 'allow' ORDER BY d.who, n DESC) l
    WHERE NOT EXISTS (SELECT FROM identity.memberships m WHERE m.realm = 'random' AND m.identity_id = l.who AND m.organization = l.organization AND m.last_used);
SELECT bool_and(intact) AS intact, sum(events) > 3000 AS complete FROM identity.verify_audit('random');

-- Who has ten thousand organizations costs no more than the bound: rows that are read, of each table.
INSERT INTO identity.identities (realm, id) VALUES ('random', '00000000-0000-0000-0000-00000000000b');
INSERT INTO identity.memberships (realm, identity_id, organization) SELECT 'random', '00000000-0000-0000-0000-00000000000b', 'gone' || n FROM generate_series(1, 10000) n;
INSERT INTO identity.organizations (realm, name) VALUES ('random', 'zz');
INSERT INTO identity.memberships (realm, identity_id, organization) VALUES ('random', '00000000-0000-0000-0000-00000000000b', 'zz');
ANALYZE identity.memberships;
CREATE VIEW read AS SELECT relname, seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables
WHERE schemaname = 'identity' AND relname IN ('identities', 'memberships', 'organizations', 'login_failures');
BEGIN;
CREATE TEMP TABLE before ON COMMIT DROP AS SELECT * FROM read;
SELECT decision, reason, attempts FROM identity.preview_login('random', '00000000-0000-0000-0000-00000000000b', 'gone7');
SELECT decision, reason, attempts FROM identity.preview_login('random', '00000000-0000-0000-0000-00000000000b', 'zz');
SELECT relname, r.seq_scan - b.seq_scan AS whole_scans, r.idx_tup_fetch - b.idx_tup_fetch <= 25 AS bounded FROM read r JOIN before b USING (relname) ORDER BY 1;
COMMIT;
UPDATE identity.memberships SET is_default = true WHERE realm = 'random' AND organization = 'zz';
SELECT decision, reason, attempts FROM identity.resolve_login('random', '00000000-0000-0000-0000-00000000000b', 'gone7');
SELECT decision, reason, attempts FROM identity.resolve_login('random', '00000000-0000-0000-0000-00000000000b');
SELECT decision, reason, attempts FROM identity.preview_login('random', '00000000-0000-0000-0000-00000000000b', 'gone7', max_attempts => 20000);
RESET identity.login_max_failures; RESET identity.login_max_address_failures;
DELETE FROM identity.identities WHERE realm = 'random';
DELETE FROM identity.organizations WHERE realm = 'random';
DELETE FROM identity.realms WHERE name = 'random';
DROP TABLE drawn, seen, tried;
DROP VIEW read;
