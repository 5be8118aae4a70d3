-- A verified address beats an unverified one, wherever names are given; a former name is kept for its owner.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT identity.add_realm('proved');
SELECT identity.add_site('proved', 2, 'forum', 'fz_'), identity.add_site('proved', 3, 'shop', 'sh_');
\set mapping '{"original_id": "id", "username": "login", "email": "mail", "email_verified": "ok", "password_hash": "pw"}'
CREATE FUNCTION stage(site text, id text, login text, mail text, ok boolean) RETURNS text LANGUAGE sql AS $$
    SELECT COALESCE(string_agg(status || ' ' || reason, ', '), 'staged') FROM identity.stage_site('proved', site,
        format('SELECT %L AS id, %L::text AS login, %L::text AS mail, %L::boolean AS ok, md5(%L) AS pw', id, login, mail, ok, id || ' secret'),
        '{"original_id": "id", "username": "login", "email": "mail", "email_verified": "ok", "password_hash": "pw"}') $$;
CREATE FUNCTION register(document jsonb, OUT status text, OUT kind text, OUT message text) RETURNS SETOF record LANGUAGE sql AS $$
    SELECT r.status, r.identifier_kind, r.message FROM identity.import_identities('proved', jsonb_build_array(document)) AS r $$;
CREATE FUNCTION logs_in(login text, password text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', verdict, reason) FROM identity.authenticate('proved', login, password) $$;

-- carol is staged with a verified address: nobody registers it before she comes, as a username or as an address that nobody has verified.
SELECT stage('forum', 'carol', 'carol', 'carol@example.org', true);
SELECT * FROM register('{"traits": {"username": "Carol@Example.org"}, "credentials": {"password": {"config": {"password": "attack"}}}}');
SELECT * FROM register('{"traits": {"email": "carol@example.org"}, "verifiable_addresses": [{"value": "carol@example.org", "via": "email", "verified": false}]}');
SELECT * FROM register('{"traits": {"username": "other", "email": "other@example.org"}}');
SELECT logs_in('carol@example.org', 'carol secret'), logs_in('carol', 'carol secret');
-- Whoever brings proof is not kept out; nor does an address that the site has not verified keep anybody out.
SELECT stage('forum', 'dan', 'dan', 'dan@example.org', true), stage('forum', 'eve', 'eve', 'eve@example.org', false);
SELECT * FROM register('{"traits": {"email": "dan@example.org"}, "verifiable_addresses": [{"value": "dan@example.org", "via": "email", "verified": true, "status": "completed"}]}');
SELECT * FROM register('{"traits": {"email": "eve@example.org"}}');
-- A user in quarantine keeps nobody out.
SELECT stage('forum', 'gil', 'gil', 'gil@example.org', true);
UPDATE identity.staged_identities SET state = 'quarantined', rule = 'by hand' WHERE realm = 'proved' AND original_id = 'gil';
SELECT * FROM register('{"traits": {"email": "gil@example.org"}}');

-- A main identity has an address verified, and does not log in with it. Nobody who is promoted gets it as a login name.
INSERT INTO identity.identities (realm, id) VALUES ('proved', '00000000-0000-0000-0000-000000000001');
INSERT INTO identity.identifiers (realm, kind, value, identity_id) VALUES ('proved', 'username', 'vip', '00000000-0000-0000-0000-000000000001');
INSERT INTO identity.addresses (realm, role, via, key, value, identity_id, verified, status)
VALUES ('proved', 'verifiable', 'email', 'vip@corp.example', 'vip@corp.example', '00000000-0000-0000-0000-000000000001', true, 'completed');
SELECT stage('forum', 'mallory', 'mallory', 'vip@corp.example', false), stage('forum', 'mona', 'VIP@corp.example', NULL, NULL), stage('shop', 'mark', 'mark', 'vip@corp.example', true);
SELECT logs_in('mallory', 'mallory secret'), logs_in('mark', 'mark secret'), logs_in('VIP@corp.example', 'mona secret');
SELECT i.value, i.kind FROM identity.identifiers AS i JOIN identity.identities AS d ON d.realm = i.realm AND d.id = i.identity_id WHERE d.external_id IN ('forum:mallory', 'shop:mark') ORDER BY 1;
SELECT status, constraint_name, key ->> 'key' AS key, existing ->> 'id' AS existing FROM identity.promote_identity('proved', 'forum', 'mona');
INSERT INTO identity.identifiers (realm, kind, value, identity_id) VALUES ('proved', 'email', 'vip@corp.example', '00000000-0000-0000-0000-000000000001');

-- Of two sites the one that has verified the address keeps it, whatever its number; a username that reads like it comes last.
SELECT stage('forum', 'hana', 'hana', 'hana@example.org', false), stage('shop', 'real hana', 'hana2', 'hana@example.org', true), stage('forum', 'fake', 'hana@example.org', NULL, NULL);
SELECT site, row_id, kind, old_login, new_login, duplicate_of ->> 'row_id' AS duplicate_of FROM identity.dedup_site_logins('proved') WHERE old_login = 'hana@example.org' ORDER BY 1, 2;
SELECT logs_in('hana@example.org', 'hana secret'), logs_in('hana@example.org', 'real hana secret'), logs_in('hana', 'hana secret');
-- Two that have both verified it: the lower number, as before.
SELECT stage('forum', 'ian', 'ian', 'ian@example.org', true), stage('shop', 'ian', 'ian2', 'ian@example.org', true);
SELECT site, row_id, kind, new_login FROM identity.dedup_site_logins('proved') WHERE old_login = 'ian@example.org';

-- A link does not bring a name that may be another's address.
INSERT INTO identity.identities (realm, id) VALUES ('proved', '00000000-0000-0000-0000-000000000003');
INSERT INTO identity.identifiers (realm, kind, value, identity_id) VALUES ('proved', 'email', 'boss@corp.example', '00000000-0000-0000-0000-000000000003');
INSERT INTO identity.addresses (realm, role, via, key, value, identity_id, verified, status)
VALUES ('proved', 'verifiable', 'email', 'boss@corp.example', 'boss@corp.example', '00000000-0000-0000-0000-000000000003', true, 'completed');
SELECT stage('shop', 'boss', 'ceo@corp.example', 'boss@corp.example', true);
SELECT count(*) FROM identity.dedup_site_logins('proved');
SELECT l.login, l.status FROM identity.link_proposals AS p, identity.accept_link('proved', p.proposal_id) AS l WHERE p.realm = 'proved' AND p.original_id = 'boss';
SELECT * FROM register('{"traits": {"email": "ceo@corp.example"}, "verifiable_addresses": [{"value": "ceo@corp.example", "via": "email", "verified": true, "status": "completed"}]}');

-- A former name: when its keeper is gone, it is its owner's for as long as the setting says.
SELECT stage('forum', 'kim', 'kim', NULL, NULL), stage('shop', 'kim', 'kim', NULL, NULL);
SELECT site, old_login, new_login FROM identity.dedup_site_logins('proved') WHERE old_login = 'kim';
DELETE FROM identity.staged_identities WHERE realm = 'proved' AND site_id = 2 AND original_id = 'kim';
SELECT status, kind, regexp_replace(message, '\d+-\d+-\d+', 'DATE') AS message FROM register('{"traits": {"username": "Kim"}}');
SELECT logs_in('kim', 'kim secret');
SELECT status, kind, regexp_replace(message, '\d+-\d+-\d+', 'DATE') AS message FROM register('{"traits": {"username": "kim"}}');
-- Its owner may have it back.
SELECT r.status FROM identity.identities AS i, identity.import_identities('proved', jsonb_build_array(jsonb_build_object('id', i.id, 'traits', '{"username": "kim"}'::jsonb)), 'update') AS r WHERE i.realm = 'proved' AND i.external_id = 'shop:kim';
SELECT stage('forum', 'lea', 'lea', NULL, NULL), stage('shop', 'lea', 'lea', NULL, NULL);
SELECT count(*) FROM identity.dedup_site_logins('proved') WHERE old_login = 'lea';
DELETE FROM identity.staged_identities WHERE realm = 'proved' AND site_id = 2 AND original_id = 'lea';
SET identity.former_name_grace = 0;
SELECT status FROM register('{"traits": {"username": "lea"}}');
RESET identity.former_name_grace;
-- Nor does somebody take it whom a site brings later: the owner logs in by it, and the next run renames the newcomer.
SELECT identity.add_site('proved', 4, 'arts', 'ar_');
CREATE FUNCTION candidates(login text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', layer, site, original_id, via), ', ' ORDER BY site, original_id) FROM identity.login_candidates('proved', login) $$;
SELECT stage('forum', 'nina f', 'nina', NULL, NULL), stage('shop', 'nina s', 'nina', NULL, NULL);
SELECT site, old_login, new_login FROM identity.dedup_site_logins('proved') WHERE old_login = 'nina';
-- While its keeper has it, the keeper logs in, also after the site has sent something else of the keeper.
SELECT stage('forum', 'nina f', 'nina', 'nina@forum.example', NULL), stage('arts', 'nina a', 'Nina', 'nina@arts.example', NULL);
SELECT candidates('nina');
DELETE FROM identity.staged_identities WHERE realm = 'proved' AND original_id = 'nina f';
SELECT candidates('nina'), logs_in('nina', 'nina a secret'), logs_in('nina', 'nina s secret');
SELECT site, row_id, old_login, new_login, duplicate_of FROM identity.dedup_site_logins('proved') WHERE old_login = 'Nina';
SELECT candidates('nina'), candidates('ar_nina');
-- Whoever is promoted before the next run does not bring it into the main tables either; whoever has no other name is not promoted.
SELECT stage('forum', 'olga f', 'olga', NULL, NULL), stage('shop', 'olga s', 'olga', NULL, NULL);
SELECT count(*) FROM identity.dedup_site_logins('proved') WHERE old_login = 'olga';
DELETE FROM identity.staged_identities WHERE realm = 'proved' AND original_id = 'olga f';
SELECT stage('arts', 'olga a', 'olga', 'olga@arts.example', NULL), stage('arts', 'olga b', 'Olga', NULL, NULL);
SELECT logs_in('olga@arts.example', 'olga a secret'), candidates('olga');
SELECT status, constraint_name, key ->> 'key' AS key, existing FROM identity.promote_identity('proved', 'arts', 'olga b');
-- Nor does a link take it along.
SELECT stage('arts', 'olga c', 'olga', 'olga.c@arts.example', true);
INSERT INTO identity.identities (realm, id) VALUES ('proved', '00000000-0000-0000-0000-000000000004');
INSERT INTO identity.identifiers (realm, kind, value, identity_id) VALUES ('proved', 'username', 'olga in arts', '00000000-0000-0000-0000-000000000004');
INSERT INTO identity.link_proposals (realm, site_id, original_id, identity_id, kind, address)
VALUES ('proved', 4, 'olga c', '00000000-0000-0000-0000-000000000004', 'email', 'olga.c@arts.example');
SELECT l.login, l.status FROM identity.link_proposals AS p, identity.accept_link('proved', p.proposal_id) AS l WHERE p.realm = 'proved' AND p.original_id = 'olga c';
SELECT candidates('olga');
-- Of an address that was not proved, whoever proves it gets it; others do not.
SELECT stage('forum', 'pia f', 'pia f', 'pia@example.org', NULL), stage('shop', 'pia s', 'pia s', 'pia@example.org', NULL);
SELECT site, kind, old_login, new_login FROM identity.dedup_site_logins('proved') WHERE old_login = 'pia@example.org';
DELETE FROM identity.staged_identities WHERE realm = 'proved' AND original_id = 'pia f';
SELECT stage('arts', 'pia a', 'pia a', 'pia@example.org', NULL), candidates('pia@example.org');
SELECT stage('arts', 'pia b', 'pia b', 'pia@example.org', true), candidates('pia@example.org');
SELECT site, row_id, kind, old_login FROM identity.dedup_site_logins('proved') WHERE old_login = 'pia@example.org';
SELECT candidates('pia@example.org');
-- After the setting's time nothing is kept.
SELECT stage('forum', 'rosa f', 'rosa', NULL, NULL), stage('shop', 'rosa s', 'rosa', NULL, NULL);
SELECT count(*) FROM identity.dedup_site_logins('proved') WHERE old_login = 'rosa';
DELETE FROM identity.staged_identities WHERE realm = 'proved' AND original_id = 'rosa f';
SELECT stage('arts', 'rosa a', 'rosa', NULL, NULL), candidates('rosa');
SET identity.former_name_grace = 0;
SELECT candidates('rosa');
SELECT count(*) FROM identity.dedup_site_logins('proved') WHERE old_login = 'rosa';
RESET identity.former_name_grace;
CREATE ROLE proved_importer;
SELECT identity.grant_access('proved_importer', 'importer');
SET ROLE proved_importer;
SET identity.former_name_grace = 0;
RESET ROLE;
SELECT identity.revoke_access('proved_importer');
DROP ROLE proved_importer;

DROP FUNCTION stage, register, logs_in, candidates;
DELETE FROM identity.login_failures WHERE realm = 'proved';
DELETE FROM identity.former_logins WHERE realm = 'proved';
DELETE FROM identity.site_dedup_runs WHERE realm = 'proved';
DELETE FROM identity.staged_identities WHERE realm = 'proved';
DELETE FROM identity.sites WHERE realm = 'proved';
DELETE FROM identity.identities WHERE realm = 'proved';
DELETE FROM identity.import_runs WHERE realm = 'proved';
DELETE FROM identity.realms WHERE name = 'proved';
