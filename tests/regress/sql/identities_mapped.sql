-- Identities from columns: a mapping makes the documents.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT identity.add_realm('mapped');
CREATE TABLE legacy (uid int, uuid text, login text, mail text, proven text, mobile text, pw text, salt text, created bigint, town text, gone boolean);
INSERT INTO legacy VALUES
    (1, '00000000-0000-0000-0000-000000000001', 'Ann', 'ann@example.org', 'Y', '0170 1234567', md5('secretsalt1'), 'salt1', 1577836800, 'Bonn', false),
    (2, NULL, 'bob', 'bob@example.org', 'N', NULL, NULL, NULL, NULL, NULL, true),
    (3, NULL, 'ANN', NULL, NULL, NULL, NULL, NULL, NULL, NULL, false),
    (4, NULL, 'carol', 'not an address', 'N', NULL, NULL, NULL, NULL, NULL, false),
    (5, NULL, 'dan', NULL, 'maybe', NULL, 'x', 'y', NULL, NULL, false),
    (6, 'no uuid', 'eve', NULL, NULL, NULL, NULL, NULL, NULL, NULL, false),
    (7, NULL, 'fay', NULL, NULL, '12', NULL, NULL, NULL, NULL, false);
\set mapping '{"id": "uuid", "original_id": "uid", "username": "login", "email": "mail", "email_verified": {"column": "proven", "true": "Y", "false": "N"}, "phone": {"column": "mobile", "country": "DE", "on_error": "omit"}, "password_hash": {"column": "pw", "scheme": "md5", "format": "{PASSWORD}{SALT}"}, "password_salt": "salt", "registered_at": {"column": "created", "epoch": "seconds"}, "city": "town", "active": {"column": "gone", "true": "false", "false": "true"}}'
\set source 'SELECT * FROM legacy ORDER BY uid'
SELECT row_number, status, path, sqlstate, message, winner_row, warning FROM identity.import_identities_from('mapped', :'source', 'skip', false, 'problems', :'mapping');
SELECT external_id, state, traits, created_at::date FROM identity.identities WHERE realm = 'mapped' ORDER BY 1;
SELECT i.external_id, a.role, a.via, a.key, a.verified FROM identity.addresses AS a JOIN identity.identities AS i ON i.realm = a.realm AND i.id = a.identity_id WHERE a.realm = 'mapped' ORDER BY 1, 2, 3;
SELECT verdict FROM identity.authenticate('mapped', 'ann', 'secret');
-- An update changes what is mapped, and leaves the rest; the traits are replaced together.
SELECT status, external_id FROM identity.import_identities_from('mapped', 'SELECT 2 AS uid, false AS gone', 'update', report => 'all', mapping => '{"original_id": "uid", "active": {"column": "gone", "true": "false"}}') AS r JOIN identity.identities AS i ON i.id = r.identity_id;
SELECT external_id, state, traits FROM identity.identities WHERE realm = 'mapped' AND external_id = '2';
SELECT status, external_id FROM identity.import_identities_from('mapped', 'SELECT 2 AS uid, ''Bob'' AS login, ''Bonn'' AS town', 'update', report => 'all', mapping => '{"original_id": "uid", "username": "login", "city": "town"}') AS r JOIN identity.identities AS i ON i.id = r.identity_id;
SELECT external_id, state, traits FROM identity.identities WHERE realm = 'mapped' AND external_id = '2';
-- No key of its own is needed; the names alone make an identity.
SELECT status, count(*) FROM identity.import_identities_from('mapped', 'SELECT ''many'' || n AS name FROM generate_series(1, 1500) AS n', report => 'all', mapping => '{"username": "name"}') GROUP BY 1;
SELECT count(*) FROM identity.identifiers WHERE realm = 'mapped' AND key ~ '^many';
-- What cannot be used.
SELECT * FROM identity.import_identities_from('mapped', 'legacy', mapping => '{"username": "nick"}');
SELECT * FROM identity.import_identities_from('mapped', 'legacy', mapping => '{"username": "login", "last_login_at": "created"}');
SELECT * FROM identity.import_identities_from('mapped', 'legacy', mapping => '["login"]');
SELECT * FROM identity.import_identities_from('mapped', 'legacy', mapping => '{"username": {"column": "login", "epoch": "seconds"}}');
SELECT * FROM identity.import_identities_from('mapped', 'legacy');

DROP TABLE legacy;
DELETE FROM identity.login_failures WHERE realm = 'mapped';
DELETE FROM identity.identities WHERE realm = 'mapped';
DELETE FROM identity.import_runs WHERE realm = 'mapped';
DELETE FROM identity.realms WHERE name = 'mapped';
