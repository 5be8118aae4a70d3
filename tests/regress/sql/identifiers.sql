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
INSERT INTO identity.identifiers (realm, key, kind, value, identity_id, unicode_version) VALUES
    ('r', 'Bob', 'username', 'Bob', '00000000-0000-0000-0000-000000000001', '9.0.0'),
    ('r', 'bob', 'username', 'bob', '00000000-0000-0000-0000-000000000002', '18.0.0'),
    ('r', 'strasse', 'username', 'Straße', '00000000-0000-0000-0000-000000000003', '18.0.0'),
    ('r', 'straße.x', 'username', 'Straße.x', '00000000-0000-0000-0000-000000000003', '9.0.0'),
    ('s', 'BOB', 'username', 'BOB', '00000000-0000-0000-0000-000000000001', '9.0.0');
SELECT * FROM identity.recheck_identifiers('r');
SELECT * FROM identity.recheck_identifiers('t');
SELECT * FROM identity.recheck_identifiers(NULL);
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
