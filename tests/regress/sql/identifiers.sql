-- What a login name is compared by. (How wide characters of no width are differs from psql to psql.)
\pset format unaligned
SELECT kind, value, identity.normalize_identifier(kind, value) AS key FROM (VALUES
    ('username', 'Bob'), ('username', '  BOB  '), ('username', U&'\FF22\FF4F\FF42'), ('username', 'Straße'), ('username', 'STRASSE'),
    ('username', U&'Bo\200Bb'), ('username', U&'\202EBob\202C'), ('username', 'İstanbul'), ('username', U&'I\0307stanbul'),
    ('username', U&'Cafe\0301'), ('username', 'Café'), ('username', 'Bob@Bücher.DE'), ('username', '+49 (0)30 123456'),
    ('email', 'Bob@Example.COM'), ('email', 'bob@BÜCHER.de'), ('email', 'bob@xn--bcher-kva.de'), ('email', 'bob@faß.de'), ('email', 'no address'),
    ('phone', '+49 (0)30 123456'), ('phone', U&'\FF0B49 30 123456'), ('phone', '030 123456'), ('phone', '+86110'),
    ('oidc', 'google:AbC'), ('saml', ' Okta:Ｂob ')) v (kind, value);
\pset format aligned
-- The key of a key is itself; NULL has none.
SELECT count(*) FROM (VALUES ('Bob'), ('İ'), ('ﬁ'), ('a@ß.de'), ('+1 650 253 0000')) v (value),
    unnest('{username,email,phone,oidc,saml}'::text[]) AS kind
WHERE identity.normalize_identifier(kind, identity.normalize_identifier(kind, value)) <> identity.normalize_identifier(kind, value);
SELECT identity.normalize_identifier('email', NULL) IS NULL AS none;
SELECT identity.normalize_identifier('nick', 'x');
-- Look-alikes share a skeleton.
SELECT identity.identifier_skeleton(U&'\0430dmin') = identity.identifier_skeleton('admin') AS cyrillic,
    identity.identifier_skeleton('bob1') = identity.identifier_skeleton('bobl') AS digit,
    identity.identifier_skeleton('bob') = identity.identifier_skeleton('kim') AS other;
SELECT identity.unicode_version() ~ '^\d+\.\d+\.\d+$' AS versioned;

-- Keys that the present version would make otherwise.
SELECT identity.add_realm('r'), identity.add_realm('s');
INSERT INTO identity.identities (realm, id) SELECT r, ('00000000-0000-0000-0000-00000000000' || n)::uuid FROM unnest('{r,s}'::text[]) r, generate_series(1, 3) n;
SET session_replication_role = replica;
INSERT INTO identity.identifiers (realm, key, kind, value, identity_id, unicode_version) VALUES
    ('r', 'Bob', 'username', 'Bob', '00000000-0000-0000-0000-000000000001', '9.0.0'),
    ('r', 'bob', 'username', 'bob', '00000000-0000-0000-0000-000000000002', '18.0.0'),
    ('r', 'strasse', 'username', 'Straße', '00000000-0000-0000-0000-000000000003', '18.0.0'),
    ('r', 'straße.x', 'username', 'Straße.x', '00000000-0000-0000-0000-000000000003', '9.0.0'),
    ('s', 'BOB', 'username', 'BOB', '00000000-0000-0000-0000-000000000001', '9.0.0');
RESET session_replication_role;
SELECT * FROM identity.recheck_identifiers('r');
SELECT * FROM identity.recheck_identifiers('t');
SELECT * FROM identity.recheck_identifiers(NULL);
-- They stay as they are until something of them is changed, or the new key is taken.
UPDATE identity.identifiers SET kind = kind, value = value, key = key, unicode_version = '1.0.0' WHERE value = 'Straße.x' RETURNING key, unicode_version;
UPDATE identity.identifiers SET identity_id = identity_id, unicode_version = '1.0.0' WHERE value = 'Straße' RETURNING key, unicode_version = identity.unicode_version() AS present;
UPDATE identity.identifiers AS h SET key = c.new_key FROM identity.recheck_identifiers('r') AS c WHERE h.realm = 'r' AND h.key = c.key AND c.held_by IS NULL
RETURNING h.key, h.unicode_version = identity.unicode_version() AS present;
UPDATE identity.identifiers SET value = 'Bobby' WHERE realm = 'r' AND key = 'Bob' RETURNING key, unicode_version = identity.unicode_version() AS present;
SELECT * FROM identity.recheck_identifiers('r');

-- The store's tables written by hand: an id and the keys are made; a key that is not the value's own is refused.
CREATE ROLE by_hand;
SELECT identity.grant_access('by_hand', 'admin');
SET ROLE by_hand;
INSERT INTO identity.identities (realm) VALUES ('r') RETURNING id \gset
SELECT substr(:'id', 15, 1) AS uuid_version, :'id'::uuid < identity.new_id() AS in_order;
INSERT INTO identity.identifiers (realm, kind, value, identity_id)
VALUES ('r', 'username', ' Carl', :'id'), ('r', 'email', 'Carl@BÜCHER.de', :'id'), ('r', 'phone', '+49 30 901820', :'id'), ('r', 'oidc', 'Google:AbC', :'id')
RETURNING kind, key, unicode_version = identity.unicode_version() AS present;
INSERT INTO identity.identifiers (realm, key, kind, value, identity_id, unicode_version) VALUES ('r', 'carla', 'username', 'Carla', :'id', '1.0.0')
RETURNING key, unicode_version = identity.unicode_version() AS present;
INSERT INTO identity.identifiers (realm, key, kind, value, identity_id) VALUES ('r', 'Carlo', 'username', 'Carlo', :'id');
INSERT INTO identity.identifiers (realm, key, kind, value, identity_id, unicode_version) VALUES ('r', 'Carlo', 'username', 'Carlo', :'id', '1.0.0');
UPDATE identity.identifiers SET key = 'Carl' WHERE realm = 'r' AND key = 'carl';
UPDATE identity.identifiers SET value = 'Carl@Example.org' WHERE realm = 'r' AND kind = 'email' RETURNING key;
\set VERBOSITY terse
INSERT INTO identity.identifiers (realm, kind, identity_id) VALUES ('r', 'username', :'id');
\set VERBOSITY default
RESET ROLE;
COPY identity.identifiers (realm, kind, value, identity_id) FROM STDIN;
r	username	Dora	00000000-0000-0000-0000-000000000001
\.
SELECT value, key FROM identity.identifiers WHERE value = 'Dora';
SELECT c.identity_id = :'id' AS found FROM identity.login_candidates('r', 'CARL') AS c;
SELECT status, identifier FROM identity.import_identities('r', '[{"traits": {"username": "carl"}}]');
SELECT * FROM identity.recheck_identifiers('r');
SELECT identity.revoke_access('by_hand');
DROP ROLE by_hand;
-- A realm's name.
SELECT identity.add_realm('r');
SELECT identity.add_realm('');
SELECT identity.add_realm(E'a\nb');
SELECT identity.add_realm(NULL);
SELECT identity.add_realm(repeat('x', 256));
-- What a row of the store must be.
INSERT INTO identity.identifiers (realm, key, kind, value, identity_id) VALUES ('r', 'x', 'nick', 'x', '00000000-0000-0000-0000-000000000001');
INSERT INTO identity.identifiers (realm, key, kind, value, identity_id) VALUES ('r', '', 'username', 'x', '00000000-0000-0000-0000-000000000001');
INSERT INTO identity.identifiers (realm, key, kind, value, identity_id) VALUES ('r', 'x', 'username', 'x', '00000000-0000-0000-0000-000000000009');
\set VERBOSITY terse
INSERT INTO identity.identities (realm, id, state) VALUES ('r', '00000000-0000-0000-0000-000000000009', 'gone');
\set VERBOSITY default
INSERT INTO identity.identities (realm, id) VALUES ('nowhere', '00000000-0000-0000-0000-000000000009');
DELETE FROM identity.realms;
DELETE FROM identity.identities;
SELECT count(*) AS identifiers FROM identity.identifiers;
DELETE FROM identity.realms;
