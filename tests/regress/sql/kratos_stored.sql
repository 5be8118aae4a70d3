-- Identities as Ory Kratos answers with them, and as its tables have them.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT identity.add_realm('acme');
CREATE VIEW shown AS SELECT external_id AS who, state, created_at, NULLIF(updated_at, now()) AS updated_at, NULLIF(state_changed_at, now()) AS state_changed_at,
    state_changed_at = now() AS changed_now FROM identity.identities ORDER BY 1;
-- Times are kept, also those that a query over a table with columns of the type timestamp makes.
BEGIN;
SELECT row_number, status, path, message FROM identity.import_identities('acme', jsonb_build_array(
  '{"external_id": "ann", "traits": {"username": "ann"}, "state": "inactive", "created_at": "2015-03-04T05:06:07.123456Z", "updated_at": "2016-03-04T05:06:07+01:00", "state_changed_at": "2017-03-04T05:06:07Z"}'::jsonb,
  jsonb_build_object('external_id', 'bob', 'traits', '{"username": "bob"}'::jsonb, 'created_at', timestamp '2015-03-04 05:06:07', 'updated_at', timestamptz '2016-03-04 05:06:07+02', 'state_changed_at', null)));
SELECT * FROM shown;
SELECT path, sqlstate, message FROM identity.import_identities('acme', '[{"traits": {"username": "x"}, "created_at": "yesterday", "updated_at": 7, "state_changed_at": ""}]');
-- An update keeps what its document does not say.
SELECT status FROM identity.import_identities('acme', '[{"external_id": "ann", "state": "inactive"}, {"external_id": "bob", "state": "inactive", "created_at": "2014-01-01T00:00:00Z"}]', 'update');
SELECT * FROM shown;
SELECT status FROM identity.import_identities('acme', '[{"external_id": "ann", "state": "active", "state_changed_at": "2018-01-01T00:00:00Z", "updated_at": "2018-01-02T00:00:00Z"}]', 'update');
SELECT * FROM shown;
COMMIT;
DROP VIEW shown;
DELETE FROM identity.identities;
-- The answer of GET /admin/identities?include_credential=... goes in as it stands. Its login names are those of its credentials; a trait's own spelling is kept.
SELECT row_number, status, path, message, warning FROM identity.import_identities('acme', '[
  {"id": "4c0bd1a5-9a2a-44d9-a7e5-30a2d4a4c001", "schema_id": "default", "schema_url": "http://127.0.0.1:4433/schemas/ZGVmYXVsdA", "state": "active",
   "state_changed_at": "2022-05-06T07:08:09.10Z", "created_at": "2022-05-06T07:08:09.10Z", "updated_at": "2022-05-06T07:08:09.10Z",
   "traits": {"email": "Ann@Example.com", "username": "not-a-login"}, "metadata_public": null, "metadata_admin": {"k": 1}, "organization_id": null,
   "verifiable_addresses": [{"id": "4c0bd1a5-9a2a-44d9-a7e5-30a2d4a4c002", "value": "ann@example.com", "verified": true, "via": "email", "status": "completed",
     "verified_at": "2022-05-06T08:00:00Z", "created_at": "2022-05-06T07:08:09.10Z", "updated_at": "2022-05-06T07:08:09.10Z"}],
   "recovery_addresses": [{"id": "4c0bd1a5-9a2a-44d9-a7e5-30a2d4a4c003", "value": "ann@example.com", "via": "email", "created_at": "2022-05-06T07:08:09.10Z", "updated_at": "2022-05-06T07:08:09.10Z"}],
   "credentials": {
     "password": {"type": "password", "identifiers": ["ann@example.com", "ann2@example.com", "+4930123456", "annie"], "config": {"hashed_password": "5f4dcc3b5aa765d61d8327deb882cf99"},
       "version": 0, "created_at": "2022-05-06T07:08:09.10Z", "updated_at": "2022-05-06T07:08:09.10Z"},
     "oidc": {"type": "oidc", "identifiers": ["google:77"], "config": {"providers": [{"subject": "77", "provider": "google", "initial_id_token": "secret", "initial_access_token": "", "initial_refresh_token": "", "organization": ""}]}, "version": 0, "created_at": "2023-05-06T07:08:09Z", "updated_at": "2023-05-06T07:08:09Z"},
     "totp": {"type": "totp", "identifiers": ["4c0bd1a5-9a2a-44d9-a7e5-30a2d4a4c001"], "config": {"totp_url": "otpauth://totp/acme:ann?secret=ABC"}, "version": 0, "created_at": "2023-05-06T07:08:09Z", "updated_at": "2023-05-06T07:08:09Z"},
     "lookup_secret": {"type": "lookup_secret", "identifiers": ["4c0bd1a5-9a2a-44d9-a7e5-30a2d4a4c001"], "config": {"recovery_codes": [{"code": "a", "used_at": null}]}, "version": 0},
     "passkey": {"type": "passkey", "identifiers": ["handle1"], "config": {"credentials": [], "user_handle": "aGFuZGxlMQ=="}, "version": 1},
     "code": {"type": "code", "identifiers": ["ann@example.com"], "config": {"addresses": [{"channel": "email", "address": "ann@example.com"}]}, "version": 1},
     "deviceauthn": {"type": "deviceauthn", "identifiers": null, "config": {"credentials": [{"client_key_id": "k"}]}, "version": 0}}},
  {"external_id": "bob", "traits": {"email": "bob@example.com"}, "credentials": {"password": {"type": "password", "identifiers": ["bob@example.com"], "config": {}, "version": 0},
     "saml": {"type": "saml", "identifiers": ["okta:9"], "version": 0}}},
  {"traits": {"email": "ann2@example.com"}, "credentials": {"password": {"identifiers": []}}},
  {"traits": {"email": "free@example.com"}, "credentials": {"password": {"identifiers": ["Annie"], "type": "totp", "version": "x"}, "code": {"identifiers": [7, ""]}}}]');
SELECT kind, value, traits ->> 'email' AS of FROM identity.identifiers AS n JOIN identity.identities AS i ON i.id = n.identity_id ORDER BY 1, 2;
SELECT type, config, CASE WHEN created_at < '2024-01-01' THEN created_at END AS created_at FROM identity.credentials ORDER BY type;
SELECT verdict FROM identity.authenticate('acme', 'ANN2@example.com', 'password');
SELECT verdict FROM identity.authenticate('acme', 'not-a-login', 'password');
-- Without secrets it says nothing of credentials: an update leaves them, and takes the names.
SELECT status, warning FROM identity.import_identities('acme', '[{"id": "4c0bd1a5-9a2a-44d9-a7e5-30a2d4a4c001",
  "credentials": {"password": {"type": "password", "identifiers": ["ann@example.com"], "version": 0, "created_at": "2022-05-06T07:08:09.10Z", "updated_at": "2022-05-06T07:08:09.10Z"}}}]', 'update');
SELECT array_agg(kind || ' ' || value ORDER BY kind) AS names, (SELECT count(*) FROM identity.credentials AS c WHERE c.identity_id = n.identity_id) AS credentials
FROM identity.identifiers AS n WHERE n.identity_id = '4c0bd1a5-9a2a-44d9-a7e5-30a2d4a4c001' GROUP BY n.identity_id;
-- A name that a row gives up is free for the later ones.
SELECT row_number, status, identifier, message FROM identity.import_identities('acme', '[{"traits": {"username": "BOB@example.com"}},
  {"external_id": "bob", "traits": {"username": "no-name"}, "credentials": {"password": {"identifiers": ["bert"]}}}, {"traits": {"username": "bert"}}, {"traits": {"username": "Bob@Example.com"}}]', 'update', dry_run => true);
-- Answers in a table are a source; the same answer once more, as an update, changes nothing.
CREATE TABLE answers (doc jsonb);
INSERT INTO answers SELECT jsonb_build_object('id', format('4c0bd1a5-9a2a-44d9-a7e5-30a2d4a4d00%s', g), 'schema_id', 'default', 'schema_url', '', 'state', 'inactive', 'state_changed_at', '2022-05-06T07:08:09Z',
    'traits', jsonb_build_object('email', format('Kim%s@Example.com', g)), 'created_at', '2022-05-06T07:08:09Z', 'updated_at', '2022-05-06T07:08:09Z',
    'verifiable_addresses', jsonb_build_array(jsonb_build_object('id', identity.new_id(), 'value', format('kim%s@example.com', g), 'verified', true, 'via', 'email', 'status', 'completed', 'verified_at', '2022-05-06T08:00:00Z')),
    'credentials', jsonb_build_object(
        'password', jsonb_build_object('type', 'password', 'identifiers', jsonb_build_array(format('kim%s@example.com', g), 'kim' || g), 'version', 0, 'created_at', '2022-05-06T07:08:09Z', 'config', '{"hashed_password": "5f4dcc3b5aa765d61d8327deb882cf99"}'::jsonb),
        'passkey', jsonb_build_object('type', 'passkey', 'identifiers', jsonb_build_array('kim' || g), 'version', 1, 'created_at', '2022-05-06T07:08:09Z', 'config', jsonb_build_object('user_handle', encode(convert_to('kim' || g, 'UTF8'), 'base64'), 'credentials', '[{"id": "AQ==", "public_key": "AQ=="}]'::jsonb))))
FROM generate_series(1, 3) AS g;
SELECT status, count(*) FROM identity.import_identities_from('acme', 'answers', report => 'all') GROUP BY 1;
CREATE VIEW all_rows AS SELECT to_jsonb(i) AS r FROM identity.identities AS i UNION ALL SELECT to_jsonb(n) FROM identity.identifiers AS n
    UNION ALL SELECT to_jsonb(c) FROM identity.credentials AS c UNION ALL SELECT to_jsonb(a) FROM identity.addresses AS a;
CREATE TABLE before AS SELECT r FROM all_rows;
SELECT status, count(*) FROM identity.import_identities_from('acme', 'answers', 'update', report => 'all') GROUP BY 1;
SELECT count(*) AS changed FROM ((TABLE before EXCEPT TABLE all_rows) UNION ALL (TABLE all_rows EXCEPT TABLE before)) AS d;
DROP VIEW all_rows;
DROP TABLE answers, before;
DELETE FROM identity.identities;
DELETE FROM identity.identity_schemas;
DELETE FROM identity.realms;
DELETE FROM identity.import_runs;
