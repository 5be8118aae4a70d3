-- Identities into the store: each goes in whole or not at all, and all that is wrong is told.
DELETE FROM identity.import_runs;
SELECT identity.add_realm('acme'), identity.add_realm('other');
-- The report, with identities by the name they have.
CREATE FUNCTION told(realm text, documents jsonb, on_conflict text = 'skip', dry_run boolean = false, report text = 'all')
RETURNS TABLE (n bigint, patch text, status text, id text, kind text, identifier text, holder text, winner bigint, path text, code text, message text, warning text)
LANGUAGE sql AS $$
    SELECT r.row_number, r.patch_id, r.status, COALESCE(i.traits ->> 'name', CASE WHEN r.identity_id IS NOT NULL THEN 'set' END), r.identifier_kind,
        r.identifier, COALESCE(h.traits ->> 'name', r.existing_identity::text), r.winner_row, r.path, r.sqlstate, r.message,
        regexp_replace(r.warning, '[0-9a-f-]{36}', '…', 'g')
    FROM identity.import_identities(realm, documents, on_conflict, dry_run, report) r
    LEFT JOIN identity.identities i ON i.realm = told.realm AND i.id = r.identity_id
    LEFT JOIN identity.identities h ON h.realm = told.realm AND h.id = r.existing_identity
$$;
SELECT n, patch, status, id, kind, identifier, winner FROM told('acme', '{"identities": [
  {"patch_id": "a", "create": {"traits": {"name": "Bob", "email": "Bob@Example.com", "username": "Bob"}, "external_id": "e1"}},
  {"patch_id": "b", "create": {"traits": {"name": "Kim", "username": "kim", "phone": "+49 30 123456"}, "state": "inactive",
     "verifiable_addresses": [{"value": "kim@example.com", "via": "email", "verified": true}], "recovery_addresses": [{"value": "+49 30 123456", "via": "sms"}]}},
  {"patch_id": "c", "create": null},
  {"patch_id": "d", "create": {"traits": {"name": "Lea"}, "credentials": {"oidc": {"config": {"providers": [{"provider": "google", "subject": "AbC"}]}}}}}]}');
SELECT username, email, phone, state, external_id, identifiers, verifiable_addresses, recovery_addresses, credential_types FROM identity.identities_view ORDER BY id \gx
SELECT key, kind, value FROM identity.identifiers ORDER BY key;
SELECT target, realm, source, rows_total, inserted FROM identity.import_runs;

-- Conflicts: with the store, across kinds, and inside the batch. A row that loses takes none of its keys.
SELECT n, status, kind, identifier, holder, winner, path, code, message FROM told('acme', '[
  {"traits": {"username": "BOB@example.com", "phone": "0049 30 123456"}},
  {"traits": {"username": "+49 (0)30 123456", "email": "free@example.com"}, "external_id": "e1"},
  {"traits": {"email": "free@example.com"}},
  {"traits": {"email": "FREE@example.com", "username": "new"}},
  {"traits": {"username": "New"}, "verifiable_addresses": [{"value": "KIM@example.com", "via": "email"}]},
  {"traits": {"username": "google:AbC"}},
  {"traits": {"username": "new"}, "recovery_addresses": [{"value": "+49 30 123456", "via": "sms"}]},
  {"traits": {"username": "ＮＥＷ"}},
  {"traits": {"username": "other"}, "credentials": {"saml": {"config": {"providers": [{"provider": "google", "subject": "AbC"}]}}}}]');
-- Another realm is another space.
SELECT n, status FROM told('other', '[{"traits": {"username": "Bob"}}]');

-- Invalid, each with its path; the others go in.
SELECT n, kind, identifier, path, code, message FROM told('acme', '{"identities": [
  {"create": {"traits": {"username": "fine-1"}}},
  {"create": {"traits": {"username": "x1"}, "nick": "x", "state": "gone"}},
  {"create": {"traits": {"username": "x2", "email": "not an address"}}},
  {"create": {"traits": {"username": "x3"}, "credentials": {"password": {"config": {"hashed_password": "$2a$20$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}}}}},
  {"create": {"traits": {"username": "x4"}, "credentials": {"password": {"config": {"hashed_password": "$2a$10$short"}}}}},
  {"create": {"traits": {"name": "nobody"}}},
  {"create": {"traits": {"username": "  "}}},
  {"create": {}},
  {"create": {"traits": {"username": 7}}},
  {"create": {"traits": "x5"}},
  {"create": "x6"},
  "x7",
  {"patch": "x8"},
  {"create": {"traits": {"username": "x9"}, "credentials": {"oidc": {"config": {"providers": [{"provider": "google"}, {"subject": "1", "provider": "p", "extra": 1}]}}, "magic": {}}}},
  {"create": {"traits": {"username": "x10"}, "verifiable_addresses": [{"value": "a@b.c"}, {"value": "nope", "via": "email"}, {"value": "a@b.c", "via": "owl", "status": "lost"}], "recovery_addresses": {}}},
  {"create": {"traits": {"username": "x11"}, "id": "7", "organization_id": "8", "external_id": 9}},
  {"create": {"traits": {"username": "x12"}, "credentials": {"password": {"config": {}}, "totp": {"config": {"totp_url": "http://x"}}, "lookup_secret": {"config": {"codes": ["abc"]}}, "webauthn": {"config": {"credentials": [{"id": "AQ=="}]}}, "passkey": {}}}},
  {"create": {"traits": {"username": "x13"}, "credentials": {"password": {"config": {"password": "p", "hashed_password": "h"}}}}},
  {"create": {"traits": {"username": "a\nb"}}},
  {"create": {"traits": {"a/b": {"c~d": 1}, "username": "fine-2"}}}]}', report => 'problems');
SELECT n, status, left(identifier, 12) AS identifier, code, message FROM told('acme',
  jsonb_build_array(jsonb_build_object('traits', jsonb_build_object('username', repeat('é', 1000)))));
SELECT count(*) FILTER (WHERE username LIKE 'fine%') AS fine, count(*) FILTER (WHERE username LIKE 'x%') AS bad FROM identity.identities_view;
-- Every kind of credential that is complete is kept as it is.
SELECT n, status FROM told('acme', '[{"traits": {"username": "all"}, "credentials": {
  "password": {"config": {"use_password_migration_hook": true}},
  "oidc": {"config": {"providers": [{"provider": "google", "subject": "7", "organization": null}]}},
  "totp": {"config": {"totp_url": "otpauth://totp/acme:all?secret=ABC"}},
  "lookup_secret": {"config": {"codes": [{"code": "abc", "used_at": "2024-01-01T00:00:00Z"}]}},
  "webauthn": {"config": {"credentials": [{"id": "AQ==", "public_key": "Ag==", "display_name": "key"}], "user_handle": "AQ=="}},
  "passkey": {"config": {"credentials": [{"id": "AQ==", "public_key": "Ag=="}], "user_handle": "AQ=="}}}}]');
SELECT c.type, c.config FROM identity.credentials c JOIN identity.identities_view v ON v.id = c.identity_id WHERE v.username = 'all' ORDER BY 1;

-- Names that look alike go in, with a warning.
SELECT n, status, identifier, warning FROM told('acme', U&'[{"traits": {"username": "\0430dmin"}}, {"traits": {"username": "admin"}}, {"traits": {"username": "b0b"}}, {"traits": {"username": "zoe"}}]');
SELECT n, status, warning FROM told('acme', U&'[{"traits": {"username": "b\043Eb"}}, {"traits": {"username": "yan"}}]', report => 'problems');

-- So do those who have no name to log in with.
SELECT n, status, warning FROM told('acme', '[{"traits": {"name": "nobody"}}, {}, {"external_id": "e7"}, {"traits": {"username": "nobody"}}, {"traits": {}, "recovery_addresses": [{"value": "nobody@example.com"}]}]', report => 'problems');
SELECT count(*) FROM identity.identities_view WHERE identifiers IS NULL AND traits <> '{"name": "Lea"}';

-- Modes.
SELECT n, status FROM told('acme', '[{"traits": {"username": "mode-1"}}, {"traits": {"username": "bob"}}]', 'abort');
SELECT n, status FROM told('acme', '[{"traits": {"username": "mode-1"}}]', 'abort');
SELECT n, status FROM told('acme', '[{"traits": {"username": "mode-2"}}, {"traits": {"username": "mode-2"}}]', dry_run => true);
SELECT n, status FROM told('acme', '[{"traits": {"username": "mode-2"}}]', report => 'none');
SELECT * FROM identity.import_identities('acme', '[{"traits": {"username": "mode-3"}}, {"traits": {"username": "bob"}, "state": "x"}]', 'error');
SELECT username FROM identity.identities_view WHERE username LIKE 'mode%' ORDER BY 1;
SELECT outcome, on_conflict, rows_total, inserted, conflict, duplicate, invalid, withheld FROM identity.import_runs WHERE on_conflict = 'abort' ORDER BY run_id;

-- Arguments.
SELECT * FROM identity.import_identities('nowhere', '[]');
SELECT * FROM identity.import_identities(NULL, '[]');
SELECT * FROM identity.import_identities('acme', NULL);
SELECT * FROM identity.import_identities('acme', '[]', 'replace');
SELECT * FROM identity.import_identities('acme', '[]', report => 'some');
SELECT * FROM identity.import_identities('acme', '{"identity": []}');
SELECT * FROM identity.import_identities('acme', '7');
SELECT count(*) FROM identity.import_identities('acme', '[]');
SELECT count(*) FROM identity.import_identities('acme', '{"identities": []}');
BEGIN READ ONLY;
SELECT * FROM identity.import_identities('acme', '[]', dry_run => true);
ROLLBACK;

-- From a relation or a query.
CREATE TABLE docs (n int PRIMARY KEY, doc json);
INSERT INTO docs VALUES (1, '{"traits": {"username": "from-1"}, "metadata_public": {"n": 1.10, "big": 123456789012345678901234567890}}'),
    (2, '{"patch_id": "p2", "create": {"traits": {"username": "FROM-1"}}}'), (3, NULL), (4, '{"patch_id": "p4", "create": null}'),
    (5, '[1]'), (6, '{"traits": {"username": "\ud800"}}'), (7, '{"traits": {"username": "x\u0000"}}'), (8, '{"traits": {"username": "from-8", "n": 1e400000}}'),
    (9, ('{"traits": {"username": "from-9", "deep": ' || repeat('[', 200) || repeat(']', 200) || '}}')::json), (10, '{"traits": {"username": "lost", "username": "from-10"}}'),
    (11, '{"traits": {"username": "from-11", "$serde_json::private::Number": "17"}}'), (12, '{"traits": {"username": "from-12", "n": 1e-16383}}');
SELECT row_number, patch_id, status, identifier, winner_row, path, sqlstate, message FROM identity.import_identities_from('acme', 'SELECT doc FROM docs ORDER BY n', report => 'all');
SELECT username, metadata_public FROM identity.identities_view WHERE username LIKE 'from%' ORDER BY 1;
-- Documents of any size.
SELECT status, count(*) FROM identity.import_identities_from('acme', $$SELECT jsonb_build_object('traits', jsonb_build_object('username', 'large' || g, 'x', repeat('x', CASE WHEN g > 300 THEN 150000 ELSE 0 END)))
  FROM generate_series(1, 600) g$$, report => 'all') GROUP BY 1;
CREATE VIEW only_docs AS SELECT doc::jsonb FROM docs WHERE n = 1;
SELECT row_number, status FROM identity.import_identities_from('acme', 'only_docs');
SELECT target, realm, source, rows_total FROM identity.import_runs ORDER BY run_id DESC LIMIT 2;
SELECT * FROM identity.import_identities_from('acme', 'docs');
SELECT * FROM identity.import_identities_from('acme', 'SELECT doc::text FROM docs');
SELECT * FROM identity.import_identities_from('acme', 'missing');
SELECT * FROM identity.import_identities_from('acme', 'SELECT (1 / (n - 3))::text::json FROM docs');
SELECT * FROM identity.import_identities_from('acme', 'DELETE FROM docs RETURNING doc');
SELECT * FROM identity.import_identities_from('nowhere', 'only_docs');

-- In the shape of Kratos.
SELECT jsonb_pretty(regexp_replace(identity.patch_identities('other', '{"identities": [
  {"patch_id": "1", "create": {"traits": {"username": "bob"}}},
  {"patch_id": "2", "create": null},
  {"patch_id": "3", "create": {"traits": {"username": "ann"}}},
  {"create": {"traits": {"username": "ANN"}, "state": "active"}},
  {"patch_id": "5", "create": {"traits": {"username": "eve"}, "state": "x", "nick": ""}}]}')::text, '[0-9a-f]{8}-[0-9a-f-]{27}', '…', 'g')::jsonb);
-- The limits of Kratos: 1000 identities, 200 passwords in plain text. The request is answered as a whole, and nothing of it is done.
SELECT identity.patch_identities('other', jsonb_build_object('identities', (SELECT jsonb_agg('{"create": {"traits": {"username": "ann"}}}'::jsonb) FROM generate_series(1, 1001))));
SELECT identity.patch_identities('other', jsonb_build_object('identities', (SELECT jsonb_agg(jsonb_build_object('create',
  jsonb_build_object('traits', jsonb_build_object('username', 'plain' || g), 'credentials', '{"password": {"config": {"password": "secret"}}}'::jsonb))) FROM generate_series(1, 201) AS g)));
SELECT count(*) FROM identity.identifiers WHERE key LIKE 'plain%';
SELECT jsonb_array_length(identity.patch_identities('other', jsonb_build_object('identities', (SELECT jsonb_agg('{"create": {"traits": {"username": "ann"}, "credentials": {"password": {"config": {"password": ""}}}}}'::jsonb) FROM generate_series(1, 1000)))) -> 'identities');
SELECT identity.patch_identities('other', '{"identities": []}'), identity.patch_identities('other', '{"identities": null}'), identity.patch_identities('other', '{}');
SELECT identity.patch_identities('other', '{"identity": [], "identities": [{"create": {"traits": {"username": "never"}}}], "dry": true}');
SELECT identity.patch_identities('other', '{"identities": {}}');
SELECT identity.patch_identities('other', '[]');
SELECT identity.patch_identities('other', NULL);
SELECT identity.patch_identities('nowhere', '{"identities": []}');
DROP TABLE docs CASCADE;
DELETE FROM identity.identities;
DELETE FROM identity.realms;
DELETE FROM identity.import_runs;
DROP FUNCTION told;
