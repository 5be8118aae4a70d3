-- Logging in: the main tables first, then the layer; who proves himself there moves into the main tables.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT identity.add_realm('moving');
SELECT identity.add_site('moving', 1, 'main'), identity.add_site('moving', 2, 'forum', 'fz_'), identity.add_site('moving', 3, 'shop', 'sh_');
SELECT status FROM identity.import_identities('moving', $$[
  {"traits": {"username": "bob"}, "credentials": {"password": {"config": {"password": "main secret"}}}},
  {"traits": {"username": "locked"}, "state": "inactive", "credentials": {"password": {"config": {"password": "main secret"}}}},
  {"traits": {"username": "sso only"}}]$$);
CREATE TABLE users (site text, id int, login text, mail text, ok boolean, pw text, salt text, on_since date, active boolean);
INSERT INTO users VALUES
  ('forum', 1, 'bob', 'bob@forum.example', true, md5('forum secrets1'), 's1', '2015-05-05', true),
  ('forum', 2, 'carol', 'carol@forum.example', false, md5('carol secrets2'), 's2', '2016-06-06', true),
  ('forum', 3, 'dora', NULL, NULL, md5('dora secrets3'), 's3', NULL, false),
  ('forum', 4, 'twin', NULL, NULL, md5('same secrets4'), 's4', NULL, true),
  ('forum', 5, 'nopass', NULL, NULL, NULL, NULL, NULL, true),
  ('shop', 1, 'twin', NULL, NULL, md5('same secrets1'), 's1', NULL, true),
  ('shop', 2, 'twin two', NULL, NULL, md5('other secrets2'), 's2', NULL, true);
\set mapping '{"original_id": "id", "username": "login", "email": "mail", "email_verified": "ok", "password_hash": {"column": "pw", "scheme": "md5", "format": "{PASSWORD}{SALT}"}, "password_salt": "salt", "registered_at": "on_since", "active": "active"}'
SELECT * FROM identity.stage_site('moving', 'forum', $$SELECT * FROM users WHERE site = 'forum'$$, :'mapping');
SELECT * FROM identity.stage_site('moving', 'shop', $$SELECT * FROM users WHERE site = 'shop'$$, :'mapping');

-- Whom a name may be: the main tables keep everybody else out.
SELECT layer, site, original_id, identifier_kind, via, scheme FROM identity.login_candidates('moving', 'Bob');
SELECT layer, site, original_id, identifier_kind, via, scheme FROM identity.login_candidates('moving', 'twin');
SELECT layer, site, original_id, identifier_kind, via, scheme FROM identity.login_candidates('moving', 'Carol@Forum.example');
SELECT * FROM identity.login_candidates('moving', 'nobody');
SELECT * FROM identity.login_candidates('nowhere', 'bob');
SELECT * FROM identity.login_candidates('moving', NULL);

-- A right password, a wrong one; that of the other bob does not open the main bob's account, nor is that one tried.
SELECT verdict, identity_id IS NOT NULL AS known, promoted, reason FROM identity.authenticate('moving', 'bob', 'main secret');
SELECT * FROM identity.authenticate('moving', 'bob', 'wrong');
SELECT * FROM identity.authenticate('moving', 'bob', 'forum secret');
SELECT * FROM identity.authenticate('moving', 'nobody', 'forum secret');
SELECT * FROM identity.authenticate('moving', 'locked', 'main secret');
SELECT * FROM identity.authenticate('moving', 'sso only', 'main secret');
SELECT * FROM identity.authenticate('moving', 'nopass', '');
SELECT * FROM identity.authenticate('moving', 'dora', 'dora secret');
SELECT * FROM identity.authenticate('moving', 'bob', NULL);
SELECT * FROM identity.authenticate('moving', NULL, 'x');
-- Two staged twins with one password: nobody can say which.
SELECT * FROM identity.authenticate('moving', 'twin', 'same secret');
SELECT * FROM identity.authenticate('nowhere', 'bob', 'x');

-- After the renaming the twins are told apart.
SELECT site, row_id, old_login, new_login FROM identity.dedup_site_logins('moving');
SELECT verdict, promoted, renamed_to, reason FROM identity.authenticate('moving', 'sh_twin', 'same secret');
SELECT verdict, promoted, renamed_to, reason FROM identity.authenticate('moving', 'sh_twin', 'same secret');
SELECT verdict, promoted, renamed_to, reason FROM identity.authenticate('moving', 'twin', 'same secret');

-- The first login moves him, with everything that is his; the second finds him there. What is left is a tombstone.
SELECT verdict, promoted, renamed_to, reason FROM identity.authenticate('moving', 'FZ_bob', 'forum secret', '{"ip": "192.0.2.1"}');
SELECT verdict, promoted, renamed_to, reason FROM identity.authenticate('moving', 'bob@forum.example', 'forum secret');
SELECT external_id, username, email, traits, verifiable_addresses, recovery_addresses, credential_types, created_at::date
FROM identity.identities_view WHERE realm = 'moving' AND external_id = 'forum:1';
SELECT state, identity_id IS NOT NULL AS known, username, email, password_hash FROM identity.staged_identities WHERE realm = 'moving' AND site_id = 2 AND original_id = '1';
SELECT (identity.inspect_password_hash(c.config ->> 'hashed_password')).scheme FROM identity.credentials c JOIN identity.identities i ON i.realm = c.realm AND i.id = c.identity_id WHERE external_id = 'forum:1';
SELECT state FROM identity.notices WHERE realm = 'moving' ORDER BY site_id, original_id;
-- Staging again does not bring him back.
SELECT original_id, status FROM identity.stage_site('moving', 'forum', $$SELECT * FROM users WHERE site = 'forum'$$, :'mapping', report => 'all');

-- The realm's own scheme.
SELECT identity.set_password_scheme('moving', 'argon2id');
SELECT verdict, promoted FROM identity.authenticate('moving', 'carol', 'carol secret');
SELECT verdict, promoted FROM identity.authenticate('moving', 'carol', 'carol secret');
SELECT verdict, promoted FROM identity.authenticate('moving', 'fz_bob', 'forum secret');
SELECT external_id, (identity.inspect_password_hash(c.config ->> 'hashed_password')).scheme FROM identity.credentials c JOIN identity.identities i ON i.realm = c.realm AND i.id = c.identity_id WHERE external_id LIKE 'forum%' ORDER BY 1;
SELECT verdict FROM identity.authenticate('moving', 'fz_bob', 'forum secret');
SELECT identity.set_password_scheme('moving', 'md5');
SELECT identity.set_password_scheme('moving', NULL);

-- The former name: it logs him in where nobody has it, and tells him the new one; for as long as the grace.
DELETE FROM identity.identifiers WHERE realm = 'moving' AND key = 'bob';
SELECT layer, via, scheme FROM identity.login_candidates('moving', 'bob');
SELECT verdict, promoted, renamed_to, reason FROM identity.authenticate('moving', 'bob', 'forum secret');
SET identity.former_name_grace = 0;
SELECT verdict, renamed_to, reason FROM identity.authenticate('moving', 'bob', 'forum secret');
RESET identity.former_name_grace;
SHOW identity.former_name_grace;
-- Nobody else gets it so long; then it belongs to another.
SELECT status, message LIKE 'the username was a login name of a user of site forum until %' AS says FROM identity.import_identities('moving', '[{"traits": {"username": "bob"}}]');
SET identity.former_name_grace = 0;
SELECT status FROM identity.import_identities('moving', '[{"traits": {"username": "bob"}}]');
RESET identity.former_name_grace;
SELECT verdict, renamed_to, reason FROM identity.authenticate('moving', 'bob', 'forum secret');

-- An application that verifies by itself.
SELECT status, identity_id IS NOT NULL AS known FROM identity.promote_identity('moving', 'forum', '3');
SELECT status, identity_id IS NOT NULL AS known FROM identity.promote_identity('moving', 'forum', '3');
SELECT state FROM identity.identities WHERE external_id = 'forum:3';
-- A conflict is a row, and nothing is lost.
SELECT status FROM identity.import_identities('moving', '[{"traits": {"username": "TWIN TWO"}, "external_id": "shop:2"}]');
SELECT status, constraint_name, key, existing - 'id' AS existing FROM identity.promote_identity('moving', 'shop', '2');
SELECT state FROM identity.staged_identities WHERE realm = 'moving' AND site_id = 3 AND original_id = '2';
UPDATE identity.identifiers SET key = 'nopass two', value = 'nopass two' WHERE realm = 'moving' AND key = 'twin two';
SELECT * FROM identity.authenticate('moving', 'twin two', 'other secret');
SELECT * FROM identity.promote_identity('moving', 'shop', '99');
SELECT * FROM identity.promote_identity('moving', 'mall', '1');
-- Out of the quarantine first.
UPDATE identity.staged_identities SET state = 'quarantined', rule = 'by hand' WHERE realm = 'moving' AND site_id = 2 AND original_id = '5';
SELECT status FROM identity.promote_identity('moving', 'forum', '5');
SELECT * FROM identity.login_candidates('moving', 'nopass');

-- Too many failures: then even the right password has to wait, until an administrator or the time clears them.
SET identity.login_max_failures = 3;
SELECT verdict FROM generate_series(1, 3) AS n, identity.authenticate('moving', 'carol', 'wrong' || n, '{"ip": "192.0.2.7"}');
SELECT verdict, reason, retry_after > '10 min' AS later FROM identity.authenticate('moving', 'carol', 'carol secret', '{"ip": "192.0.2.7"}');
SELECT verdict, reason FROM identity.authenticate('moving', 'carol@forum.example', 'carol secret', '{"ip": "192.0.2.7"}');
SELECT verdict FROM identity.authenticate('moving', 'fz_bob', 'forum secret');
SELECT verdict FROM generate_series(1, 3) AS n, identity.authenticate('moving', 'my password', 'wrong' || n);
SELECT verdict FROM identity.authenticate('moving', 'my password', 'wrong');
SELECT identity.clear_login_failures('moving', 'carol'), identity.clear_login_failures('moving', 'my password'), identity.clear_login_failures('moving', '');
SELECT verdict FROM identity.authenticate('moving', 'carol', 'carol secret');
SELECT verdict FROM identity.authenticate('moving', 'carol', 'carol secret', '{"ip": "here"}');
RESET identity.login_max_failures;

-- All of it is on record, without a password or a name that somebody typed.
SELECT action, count(*), count(subject) AS subjects FROM identity.audit_events WHERE realm = 'moving' AND action <> 'insert identity.realms' GROUP BY 1 ORDER BY 1;
SELECT detail FROM identity.audit_events WHERE realm = 'moving' AND action = 'authenticate' AND detail ? 'ip' ORDER BY detail::text;
SELECT count(*) FROM identity.audit_events AS e WHERE realm = 'moving' AND e::text ~ 'secret|nobody|my password';

-- Whose username is his address has one account, and one password.
INSERT INTO users VALUES ('shop', 7, 'gus@shop.example', 'gus@shop.example', true, md5('gus secrets7'), 's7', NULL, true);
SELECT count(*) FROM identity.stage_site('moving', 'shop', $$SELECT * FROM users WHERE site = 'shop'$$, :'mapping');
SELECT layer, site, original_id FROM identity.login_candidates('moving', 'gus@shop.example');
SELECT verdict, promoted, reason FROM identity.authenticate('moving', 'gus@shop.example', 'gus secret');
-- A link does not outlive its identity.
INSERT INTO users VALUES ('shop', 8, 'hal', 'carol@forum.example', true, md5('hal secrets8'), 's8', NULL, true);
SELECT count(*) FROM identity.stage_site('moving', 'shop', $$SELECT * FROM users WHERE site = 'shop'$$, :'mapping');
UPDATE identity.addresses SET verified = true WHERE realm = 'moving' AND key = 'carol@forum.example';
SELECT kind, old_login, new_login FROM identity.dedup_site_logins('moving');
SELECT l.login, l.status FROM identity.link_proposals AS p, identity.accept_link('moving', p.proposal_id) AS l WHERE p.realm = 'moving' AND p.original_id = '8';
SELECT verdict, reason FROM identity.authenticate('moving', 'hal', 'hal secret');
SELECT verdict FROM identity.authenticate('moving', 'hal', 'carol secret');
DELETE FROM identity.identities WHERE realm = 'moving' AND external_id = 'forum:2';
SELECT state, identity_id FROM identity.staged_identities WHERE realm = 'moving' AND site_id = 3 AND original_id = '8';
SELECT verdict, promoted FROM identity.authenticate('moving', 'hal', 'hal secret');

-- An application logs people in, and sees no secret; it promotes nobody by hand.
CREATE ROLE regress_login;
SELECT identity.grant_access('regress_login', 'application');
SET ROLE regress_login;
SELECT verdict FROM identity.authenticate('moving', 'hal', 'hal secret');
SELECT * FROM identity.promote_identity('moving', 'shop', '2');
SELECT * FROM identity.staged_identities;
SELECT * FROM identity_internal.candidates('moving', 'carol');
RESET ROLE;
SELECT identity.revoke_access('regress_login');
DROP ROLE regress_login;

-- Who was staged when keys were made otherwise gets those of today.
SELECT * FROM identity.stage_site('moving', 'shop', $$VALUES (77, 'Straße')$$, '{"original_id": "column1", "username": "column2"}');
UPDATE identity.staged_identifiers SET key = 'straße', unicode_version = '9.0.0' WHERE original_id = '77';
SELECT status FROM identity.promote_identity('moving', 'shop', '77');
SELECT key, value, unicode_version = identity.unicode_version() AS present FROM identity.identifiers WHERE realm = 'moving' AND value = 'Straße';
SELECT * FROM identity.stage_site('moving', 'shop', $$VALUES (78, 'STRASSE')$$, '{"original_id": "column1", "username": "column2"}');
UPDATE identity.staged_identifiers SET key = 'STRASSE', unicode_version = '9.0.0' WHERE original_id = '78';
SELECT status, constraint_name, key ->> 'key' AS key FROM identity.promote_identity('moving', 'shop', '78');

DROP TABLE users;
DELETE FROM identity.former_logins WHERE realm = 'moving';
DELETE FROM identity.site_dedup_runs WHERE realm = 'moving';
DELETE FROM identity.staged_identities WHERE realm = 'moving';
DELETE FROM identity.sites WHERE realm = 'moving';
DELETE FROM identity.identities WHERE realm = 'moving';
DELETE FROM identity.import_runs WHERE realm = 'moving';
DELETE FROM identity.realms WHERE name = 'moving';
