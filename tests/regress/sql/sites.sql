-- The SSO layer: sites are staged through a mapping, duplicates across the main tables and the layer are renamed or withdrawn.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT identity.add_realm('merger');
SELECT identity.add_site('merger', 1, 'main'), identity.add_site('merger', 2, 'forum', 'fz_'), identity.add_site('merger', 3, 'shop');
SELECT site_id, name, prefix FROM identity.sites WHERE realm = 'merger' ORDER BY 1;
-- What a site cannot be.
SELECT identity.add_site('merger', 2, 'again');
SELECT identity.add_site('merger', 4, 'shop');
SELECT identity.add_site('merger', 4, 'Fun Zone');
SELECT identity.add_site('merger', 0, 'zero');
SELECT identity.add_site('nowhere', 1, 'x');

-- The main tables hold two people.
SELECT status FROM identity.import_identities('merger', $$[
  {"traits": {"username": "bob", "email": "bob@main.example"}, "verifiable_addresses": [{"via": "email", "value": "bob@main.example", "verified": true, "status": "completed"}]},
  {"traits": {"username": "fz_bob"}}]$$);

-- A site as it comes: epoch seconds, integer phone numbers, Y and N, blanks, salted digests.
CREATE TABLE forum_users (uid int, login char(24), mail text, mail_ok text, tel bigint, pw text, salt text, created int, seen bigint, city text, doc json);
INSERT INTO forum_users VALUES
  (1, 'bob', 'bob@main.example', 'Y', 1701234567, md5('one' || 'x1'), 'x1', 1262304000, 1700000000000, 'Bonn', NULL),
  (2, 'Bob', 'bob2@forum.example', 'N', NULL, md5('twox2'), 'x2', 1262304000, 1700000000000, NULL, '{"a": 1}'),
  (3, 'fz_bob', NULL, 'N', NULL, md5('threex3'), 'x3', 1262304000, 1700000000000, NULL, NULL),
  (4, 'carol', 'carol@forum.example', 'Y', 1701234568, md5('fourx4'), 'x4', 1262304000, 1700000000000, NULL, NULL),
  (5, 'dora', 'not an address', 'Y', 12, md5('fivex5'), 'x5', 1262304000, 1700000000000, NULL, NULL),
  (6, 'eve', 'eve@forum.example', 'perhaps', NULL, 'not a digest', 'x6', 1262304000, 1700000000000, NULL, NULL),
  (NULL, 'nobody', NULL, 'N', NULL, NULL, NULL, 0, 0, NULL, NULL),
  (4, 'carol2', NULL, 'N', NULL, NULL, NULL, 0, 0, NULL, NULL),
  (7, 'frank', 'frank@forum.example', 'N', NULL, md5('sevenx7'), 'x7', 1262304000, 1400000000000, NULL, NULL),
  (8, 'grace', 'grace@mailinator.com', 'N', NULL, NULL, NULL, 1262304000, 1700000000000, NULL, NULL),
  (9, 'test17', NULL, 'N', NULL, NULL, NULL, 1262304000, 1700000000000, NULL, NULL),
  (10, '  ', NULL, 'N', NULL, NULL, NULL, 1262304000, 1700000000000, NULL, NULL),
  (11, 'heidi', NULL, 'N', NULL, NULL, NULL, 1262304000, 0, NULL, NULL),
  (12, 'ivan', NULL, 'N', NULL, NULL, NULL, 1600000000, 1700000000000, NULL, '{"n": 1e400000}');
\set mapping '{"original_id": "uid", "username": "login", "email": {"column": "mail", "on_error": "omit"}, "email_verified": {"column": "mail_ok", "true": "Y", "false": "N"}, "phone": {"column": "tel", "country": "DE"}, "password_hash": {"column": "pw", "scheme": "md5", "format": "{PASSWORD}{SALT}"}, "password_salt": "salt", "registered_at": {"column": "created", "epoch": "seconds"}, "last_login_at": {"column": "seen", "epoch": "milliseconds", "null": 0}, "city": "city", "doc": "doc", "from": {"constant": "forum"}}'
\set rules '{"not_logged_in_since": "2020-01-01", "never_logged_in_registered_before": "2015-01-01", "test_accounts": ["^test[0-9]+$"], "disposable_domains": ["mailinator.com"]}'
SET client_min_messages = notice;
SELECT * FROM identity.stage_site('merger', 'forum', 'forum_users', :'mapping', :'rules', dry_run => true);
SELECT count(*) FROM identity.staged_identities WHERE realm = 'merger';
SELECT row_number, original_id, status FROM identity.stage_site('merger', 'forum', 'SELECT * FROM forum_users ORDER BY uid, created DESC', :'mapping', :'rules', report => 'all');
SELECT original_id, state, rule, username, email, email_verified AS ok, phone, registered_at::date, last_login_at::date, traits FROM identity.staged_identities WHERE realm = 'merger' ORDER BY original_id::int;
-- The same once more; then a user changes, another comes, one is repaired.
SELECT original_id, status FROM identity.stage_site('merger', 'forum', 'SELECT * FROM forum_users ORDER BY uid, created DESC', :'mapping', :'rules', report => 'all') WHERE status NOT IN ('invalid', 'quarantined', 'duplicate');
UPDATE forum_users SET login = 'caroline', city = 'Ulm' WHERE login = 'carol';
UPDATE forum_users SET tel = NULL WHERE uid = 5;
UPDATE forum_users SET doc = NULL WHERE uid = 12;
INSERT INTO forum_users VALUES (13, 'judy', 'bob', 'N', NULL, NULL, NULL, 1600000000, 1700000000000, NULL, NULL);
SELECT original_id, status, field, reason FROM identity.stage_site('merger', 'forum', 'SELECT * FROM forum_users ORDER BY uid, created DESC', :'mapping', :'rules', report => 'all') WHERE status IN ('staged', 'updated');
SELECT original_id, kind, value, key, logs_in FROM identity.staged_identifiers WHERE realm = 'merger' ORDER BY original_id::int, kind;
-- Released from quarantine, for good.
SELECT identity.release_staged('merger', 'forum', rule => 'test_accounts'), identity.release_staged('merger', 'forum', '{7}'), identity.release_staged('merger', 'forum', '{7}');
SELECT original_id, status, reason FROM identity.stage_site('merger', 'forum', 'SELECT * FROM forum_users ORDER BY uid, created DESC', :'mapping', :'rules', report => 'all') WHERE original_id IN ('7', '8', '9');

-- The shop: another mapping. Its bob is a third one; its kim has a username that is a forum user's address.
CREATE TABLE shop_users (id text, name text, mail text, phone text);
INSERT INTO shop_users VALUES ('a', 'BOB', NULL, NULL), ('b', 'carol@forum.example', 'kim@shop.example', NULL), ('c', 'leo', 'CAROL@forum.example', '+49 170 1234568'), ('d', 'mia', NULL, '+491701234567'), ('e', NULL, 'bob@main.example', NULL);
SELECT * FROM identity.stage_site('merger', 'shop', 'shop_users', '{"original_id": "id", "username": "name", "email": "mail", "phone": "phone", "phone_verified": {"constant": true}}');
SELECT site, row_id, kind, old_login, new_login, duplicate_of - 'identity_id' AS duplicate_of, reason FROM identity.dedup_site_logins('merger', dry_run => true);
SELECT count(*) FROM identity.former_logins WHERE realm = 'merger';
CREATE TABLE told AS SELECT * FROM identity.dedup_site_logins('merger');
SELECT site, row_id, kind, old_login, new_login, reason FROM told;
SELECT site_id, original_id, kind, value, logs_in FROM identity.staged_identifiers WHERE realm = 'merger' AND (value LIKE '%bob%' OR NOT logs_in OR site_id = 3) ORDER BY 1, 2, 3;
-- Nothing is left: no two have one key, and a second pass has nothing to do.
SELECT key, count(*) FROM (
  SELECT n.key, n.site_id || ' ' || n.original_id AS holder FROM identity.staged_identifiers n JOIN identity.staged_identities s USING (realm, site_id, original_id) WHERE n.realm = 'merger' AND n.logs_in AND s.state = 'staged'
  UNION SELECT key, identity_id::text FROM identity.identifiers WHERE realm = 'merger') AS a GROUP BY key HAVING count(*) > 1;
SELECT * FROM identity.dedup_site_logins('merger');
SELECT renamed, withdrawn, proposed FROM identity.site_dedup_runs WHERE realm = 'merger' ORDER BY run_id;
-- Staging again leaves the new names.
SELECT status, count(*) FROM identity.stage_site('merger', 'forum', 'SELECT * FROM forum_users ORDER BY uid, created DESC', :'mapping', :'rules', report => 'all') WHERE status IN ('unchanged', 'updated', 'staged') GROUP BY 1;
SELECT value FROM identity.staged_identifiers WHERE realm = 'merger' AND site_id = 2 AND original_id = '1' AND kind = 'username';

-- Notices: one for each rename, by e-mail, else by phone.
SELECT site, original_id, channel, address, old_login, new_login FROM identity.pending_notices('merger');
SELECT identity.mark_notices('merger', array_agg(notice_id), 'sent') FROM identity.pending_notices('merger', 2);
SELECT state, count(*) FROM identity.notices WHERE realm = 'merger' GROUP BY 1 ORDER BY 1;
SELECT identity.mark_notices('merger', '{}', 'lost');
-- Whoever knows the new name knows it, whatever becomes of the message.
BEGIN;
SELECT array_agg(notice_id) AS ids FROM identity.pending_notices('merger', 1) \gset
SELECT identity.mark_notices('merger', :'ids', 'acknowledged') AS acknowledged, identity.mark_notices('merger', :'ids', 'sent') AS sent, identity.mark_notices('merger', :'ids', 'pending') AS again;
ROLLBACK;

-- Links are proposed where both have verified one address; a person decides, and may take it back.
SELECT site_id, original_id, kind, address, state FROM identity.link_proposals WHERE realm = 'merger';
SELECT proposal_id AS proposal FROM identity.link_proposals WHERE realm = 'merger' \gset
SELECT login, status FROM identity.accept_link('merger', :proposal);
SELECT key FROM identity.identifiers WHERE realm = 'merger' ORDER BY key;
SELECT state, identity_id IS NOT NULL AS linked FROM identity.staged_identities WHERE realm = 'merger' AND site_id = 2 AND original_id = '1';
\set VERBOSITY sqlstate
SELECT identity.accept_link('merger', :proposal);
SELECT identity.undo_link('merger', :proposal);
SELECT identity.undo_link('merger', :proposal);
SELECT key FROM identity.identifiers WHERE realm = 'merger' ORDER BY key;
SELECT identity.reject_link('merger', :proposal);
SELECT state FROM identity.link_proposals WHERE realm = 'merger';
SELECT identity.accept_link('merger', 0);
\set VERBOSITY default

-- Undo: one user has another name by now, one name belongs to somebody new.
UPDATE forum_users SET login = 'robert' WHERE uid = 2;
SELECT original_id, status FROM identity.stage_site('merger', 'forum', 'SELECT * FROM forum_users ORDER BY uid, created DESC', :'mapping', :'rules', report => 'all') WHERE status = 'updated';
UPDATE identity.identifiers SET identity_id = (SELECT identity_id FROM identity.identifiers WHERE realm = 'merger' AND key = 'fz_bob') WHERE realm = 'merger' AND key = 'bob@main.example';
SELECT DISTINCT run_id AS run FROM told \gset
SELECT site, row_id, login, restored, status, reason LIKE 'identity %' AS by_identity FROM identity.undo_dedup(:'run', dry_run => true);
SELECT site, row_id, login, restored, status FROM identity.undo_dedup(:'run');
SELECT * FROM identity.undo_dedup(:'run') WHERE status = 'restored';
SELECT old_login, new_login, state FROM identity.notices WHERE realm = 'merger' ORDER BY notice_id;

-- An address is one in other letters too. A group's member that was not renamed does not stand in an undo's way. Each undo is told once.
SELECT identity.add_site('merger', 9, 'wide', 'x＠y'), identity.add_site('merger', 10, 'plus', '＋4');
CREATE TABLE wide_users (site text, id int, name text, mail text);
INSERT INTO wide_users VALUES ('main', 1, 'zed', NULL), ('main', 2, 'Zed', NULL), ('forum', 90, 'zed', 'zed@forum.example'), ('shop', 91, 'leo＠forum.example', NULL), ('forum', 91, NULL, 'leo@forum.example');
SELECT s.*, t.status FROM (VALUES ('main'), ('forum'), ('shop')) AS s (site), identity.stage_site('merger', s.site, format('SELECT * FROM wide_users WHERE site = %L', s.site), '{"original_id": "id", "username": "name", "email": "mail"}', report => 'all') AS t;
CREATE TABLE wide_run AS SELECT * FROM identity.dedup_site_logins('merger');
SELECT site, row_id, old_login, new_login, reason FROM wide_run WHERE row_id IN ('2', '90', '91');
SELECT count(identity.mark_notices('merger', ARRAY[n.notice_id], 'sent')) FROM identity.notices AS n WHERE n.realm = 'merger' AND n.state = 'pending';
SELECT DISTINCT run_id AS wide FROM wide_run \gset
SELECT site, row_id, login, restored, status FROM identity.undo_dedup(:'wide') WHERE row_id = '90';
DROP TABLE wide_run;
CREATE TABLE wide_run AS SELECT * FROM identity.dedup_site_logins('merger');
SELECT count(identity.mark_notices('merger', ARRAY[n.notice_id], 'sent')) FROM identity.notices AS n WHERE n.realm = 'merger' AND n.state = 'pending';
SELECT DISTINCT run_id AS wide FROM wide_run \gset
SELECT count(*) FROM identity.undo_dedup(:'wide') WHERE row_id = '90';
SELECT original_id, old_login, new_login FROM identity.notices WHERE realm = 'merger' AND state = 'pending' AND original_id = '90';
-- Who is in the main tables keeps his name.
SELECT run_id AS wide FROM identity.dedup_site_logins('merger') LIMIT 1 \gset
SELECT status FROM identity.promote_identity('merger', 'forum', '90');
SELECT row_id, status, reason FROM identity.undo_dedup(:'wide') WHERE row_id = '90';
DROP TABLE wide_users, wide_run;

-- Bad arguments.
SELECT * FROM identity.stage_site('merger', 'nowhere', 'forum_users', '{}');
SELECT * FROM identity.stage_site('merger', 'forum', 'forum_users', '{"original_id": "uid", "username": "user"}');
SELECT * FROM identity.stage_site('merger', 'forum', 'forum_users', '{"original_id": "uid", "registered_at": {"column": "created", "epoch": "days"}}');
SELECT * FROM identity.stage_site('merger', 'forum', 'forum_users', '{"original_id": "uid"}', '{"dead": true}');
SELECT * FROM identity.dedup_site_logins('nowhere');

DROP TABLE forum_users, shop_users, told;
DELETE FROM identity.former_logins WHERE realm = 'merger';
DELETE FROM identity.site_dedup_runs WHERE realm = 'merger';
DELETE FROM identity.staged_identities WHERE realm = 'merger';
DELETE FROM identity.sites WHERE realm = 'merger';
DELETE FROM identity.identities WHERE realm = 'merger';
DELETE FROM identity.import_runs WHERE realm = 'merger';
DELETE FROM identity.realms WHERE name = 'merger';
