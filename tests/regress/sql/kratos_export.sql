-- Identities out of a Kratos database, as documents that the store takes as they stand.
SET client_min_messages = warning;
CREATE SCHEMA export_ory;
SET search_path = export_ory;
\set ECHO none
\i tests/kratos/tables.sql
\set ECHO all
RESET search_path;
SET search_path = public, export_ory;
CREATE FUNCTION kind(name text) RETURNS uuid LANGUAGE sql AS 'SELECT id FROM identity_credential_types AS t WHERE t.name = $1';
CREATE FUNCTION id(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;

-- Kratos has not started yet.
SELECT * FROM identity.export_kratos('export_ory');
INSERT INTO networks VALUES (id(1), '2020-01-01', '2020-01-01');
SELECT * FROM identity.export_kratos('export_ory');

CREATE FUNCTION credential(identity int, type text, config jsonb, identifiers text[], version int = 1, at timestamp = '2021-05-06 07:08:09.5') RETURNS void LANGUAGE sql AS $$
    WITH new AS (
        INSERT INTO identity_credentials VALUES (gen_random_uuid(), config, kind(type), id(identity), at, at, id(1), version) RETURNING *)
    INSERT INTO identity_credential_identifiers
    SELECT gen_random_uuid(), n, new.id, at, at, id(1), kind(type), id(identity) FROM new, unnest(identifiers) AS n
$$;
-- One with all there is. The login names are not in the traits.
INSERT INTO identities VALUES (id(10), 'customer', '{"email": "Trait@Example.com", "n": 1.10, "none": null}', '2020-02-03 04:05:06', '2021-02-03 04:05:06.123456', id(1),
    'inactive', '2020-03-04 05:06:07', '{"vip": true}', '["x"]', 'aal2', id(77), 'ext-10');
SELECT credential(10, 'password', '{"hashed_password": "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}', '{name@example.com,"second name"}');
SELECT credential(10, 'oidc', '{"providers": [{"subject": "s1", "provider": "google", "initial_id_token": "secret", "initial_access_token": "", "initial_refresh_token": "", "organization": ""}, {"subject": "s2", "provider": "github"}]}', '{google:s1,github:s2}');
SELECT credential(10, 'saml', '{"providers": [{"subject": "s3", "provider": "okta", "initial_id_token": "", "initial_access_token": "", "initial_refresh_token": "", "use_auto_link": true}]}', '{okta:s3}');
SELECT credential(10, 'totp', '{"totp_url": "otpauth://totp/x?secret=ABC"}', ARRAY[id(10)::text]);
SELECT credential(10, 'lookup_secret', '{"recovery_codes": [{"code": "abc"}, {"code": "def", "used_at": "2021-01-01T00:00:00Z"}]}', ARRAY[id(10)::text]);
SELECT credential(10, 'webauthn', '{"credentials": [{"id": "QUJD", "public_key": "QUJD"}], "user_handle": "QUJD"}', '{name@example.com}');
SELECT credential(10, 'passkey', '{"credentials": [{"id": "QUJE", "public_key": "QUJD"}], "user_handle": "QUJE"}', '{ABD}');
SELECT credential(10, 'code', '{"addresses": [{"channel": "email", "address": "name@example.com"}]}', '{name@example.com}');
SELECT credential(10, 'deviceauthn', '{"keys": []}', ARRAY[id(10)::text]);
INSERT INTO identity_verifiable_addresses VALUES (gen_random_uuid(), 'completed', 'email', true, 'name@example.com', '2020-05-05', id(10), '2020-05-04', '2020-05-06', id(1)),
    (gen_random_uuid(), 'sent', 'phone', false, '+8613800138000', NULL, id(10), '2020-05-04', '2020-05-06', id(1)),
    (gen_random_uuid(), 'odd', 'pigeon', false, 'coop 7', NULL, id(10), '2020-05-04', '2020-05-06', id(1));
INSERT INTO identity_recovery_addresses VALUES (gen_random_uuid(), 'email', 'name@example.com', id(10), '2020-05-04', '2020-05-06', id(1), id(5));
-- One of nothing, one without a password, one of an older Kratos, one with two passwords, one of a type that nobody knows.
INSERT INTO identities SELECT id(n), 'default', '{}', '2020-01-01', '2020-01-01', id(1) FROM generate_series(11, 15) AS n;
SELECT credential(12, 'password', '{}', '{twelve}');
SELECT credential(13, 'webauthn', '{"credentials": [{"id": "QUJF", "public_key": "QUJD"}]}', '{thirteen}', 0);
SELECT credential(13, 'code', '{"address_type": "sms", "used_at": null}', '{+8613800138001}', 0);
SELECT credential(14, 'password', '{"hashed_password": "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}', '{fourteen}', at => '2022-01-01');
SELECT credential(14, 'password', '{"use_password_migration_hook": true}', '{four-teen}');
INSERT INTO identity_credential_types VALUES (id(9), 'iris');
SELECT credential(15, 'iris', '{"scan": 1}', '{left}');
-- What follows from a network is not what belongs to another.
INSERT INTO networks VALUES (id(2), '2021-01-01', '2021-01-01');
INSERT INTO identities VALUES (id(20), 'default', '{}', '2020-01-01', '2020-01-01', id(2));

SELECT * FROM identity.export_kratos('export_ory');
\pset format unaligned
SELECT identity_id, warning, jsonb_pretty(document) AS document FROM identity.export_kratos('export_ory', id(1), 'SELECT id(10)');
SELECT identity_id, warning, document FROM identity.export_kratos('export_ory', id(1), 'SELECT id FROM identities') WHERE identity_id <> id(10);
\pset format aligned
SELECT identity_id FROM identity.export_kratos('export_ory', id(2));
SELECT * FROM identity.export_kratos('export_ory', id(3));
-- Some of them.
CREATE TABLE chosen AS SELECT id(12)::text AS id UNION ALL VALUES (NULL), (id(12)::text), (id(999)::text);
SELECT identity_id, document -> 'credentials' AS credentials FROM identity.export_kratos('export_ory', id(1), 'chosen');
SELECT identity_id FROM identity.export_kratos('export_ory', id(1), 'SELECT id FROM identities WHERE created_at > ''2020-01-02''');
SELECT * FROM identity.export_kratos('export_ory', id(1), 'SELECT ''bob''');
SELECT * FROM identity.export_kratos('export_ory', id(1), 'SELECT 1, 2');
-- Whatever the session's settings are.
SET TimeZone = 'Asia/Shanghai';
SET DateStyle = 'German';
SELECT document ->> 'updated_at' AS updated_at FROM identity.export_kratos('export_ory', id(1), 'SELECT id(10)');
RESET TimeZone;
RESET DateStyle;

-- The store takes them.
SELECT identity.add_realm('exported') IS NOT NULL AS made;
SELECT row_number, status, identity_id, path, message, warning FROM identity.import_identities_from('exported', 'SELECT document FROM identity.export_kratos(''export_ory'', id(1))', report => 'all');
SELECT identity_id, kind, value FROM identity.identifiers WHERE realm = 'exported' ORDER BY 1, 2, 3;
SELECT identity_id, type, created_at AT TIME ZONE 'UTC' AS created_at, config FROM identity.credentials WHERE realm = 'exported' ORDER BY 1, 2;
SELECT role, via, value, verified, status, verified_at AT TIME ZONE 'UTC' AS verified_at FROM identity.addresses WHERE realm = 'exported' ORDER BY 1, 2, 3;
SELECT id, external_id, schema_id, state, traits, metadata_public, metadata_admin, organization_id, created_at AT TIME ZONE 'UTC' AS created_at, updated_at AT TIME ZONE 'UTC' AS updated_at, state_changed_at AT TIME ZONE 'UTC' AS state_changed_at FROM identity.identities WHERE realm = 'exported' ORDER BY 1;

-- What is no Kratos database.
SELECT * FROM identity.export_kratos('nowhere');
SELECT * FROM identity.export_kratos('public');
SELECT * FROM identity.export_kratos(NULL);
SELECT * FROM identity.export_kratos('x"; DROP SCHEMA public; --');
BEGIN;
ALTER TABLE identity_recovery_addresses RENAME TO old;
SELECT * FROM identity.export_kratos('export_ory');
ROLLBACK;
BEGIN;
ALTER TABLE identities DROP COLUMN external_id;
SELECT * FROM identity.export_kratos('export_ory');
ROLLBACK;
BEGIN;
ALTER TABLE identities ALTER COLUMN traits TYPE json;
SELECT * FROM identity.export_kratos('export_ory');
ROLLBACK;

-- With the caller's rights alone.
CREATE ROLE kratos_reader;
GRANT USAGE ON SCHEMA public TO kratos_reader;
SET ROLE kratos_reader;
SELECT * FROM identity.export_kratos('export_ory', id(2));
RESET ROLE;
SELECT identity.grant_access('kratos_reader', 'importer', '{exported}');
SET ROLE kratos_reader;
SELECT * FROM identity.export_kratos('export_ory', id(2));
RESET ROLE;
GRANT USAGE ON SCHEMA export_ory TO kratos_reader;
SET ROLE kratos_reader;
SELECT * FROM identity.export_kratos('export_ory', id(2));
RESET ROLE;
GRANT SELECT ON ALL TABLES IN SCHEMA export_ory TO kratos_reader;
SET ROLE kratos_reader;
SELECT * FROM identity.export_kratos('export_ory', id(2));
RESET ROLE;

-- The tables are those of somebody who is not to be trusted: nothing of theirs is run.
CREATE ROLE kratos_owner;
GRANT USAGE ON SCHEMA public, export_ory TO kratos_owner;
DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'export_ory'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO kratos_owner', t);
    END LOOP; END $$;
SELECT identity_id FROM identity.export_kratos('export_ory', id(2));
CREATE FUNCTION spoils() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'CAUGHT as %', current_user; RETURN true; END $$;
BEGIN;
CREATE INDEX ON identities (id) WHERE spoils();
SELECT * FROM identity.export_kratos('export_ory', id(2));
ROLLBACK;
BEGIN;
CREATE STATISTICS IF NOT EXISTS odd ON (id::text || spoils()::text), nid FROM identities;
SELECT * FROM identity.export_kratos('export_ory', id(2));
ROLLBACK;
BEGIN;
ALTER TABLE identity_credentials RENAME TO hidden;
CREATE VIEW export_ory.identity_credentials AS SELECT * FROM hidden WHERE spoils();
ALTER VIEW export_ory.identity_credentials OWNER TO kratos_owner;
SELECT * FROM identity.export_kratos('export_ory', id(2));
ROLLBACK;
BEGIN;
CREATE POLICY odd ON identities USING (spoils());
ALTER TABLE identities ENABLE ROW LEVEL SECURITY;
SET LOCAL ROLE kratos_reader;
SELECT * FROM identity.export_kratos('export_ory', id(2));
ROLLBACK;
-- Its owner may.
BEGIN;
SELECT identity.grant_access('kratos_owner', 'importer', '{exported}');
CREATE INDEX ON identities (id) WHERE spoils();
SET LOCAL ROLE kratos_owner;
SELECT identity_id FROM identity.export_kratos('export_ory', id(2));
ROLLBACK;
-- A child of a table is no part of it.
BEGIN;
CREATE TABLE child () INHERITS (identities);
INSERT INTO child SELECT id(21), 'default', '{}', '2020-01-01', '2020-01-01', id(2);
SELECT identity_id FROM identity.export_kratos('export_ory', id(2));
ROLLBACK;

SELECT identity.revoke_access('kratos_reader');
DROP SCHEMA export_ory CASCADE;
DROP FUNCTION kind(text), id(int), credential(int, text, jsonb, text[], int, timestamp), spoils();
DROP TABLE chosen;
DROP OWNED BY kratos_reader, kratos_owner;
DROP ROLE kratos_reader, kratos_owner;
DELETE FROM identity.identities WHERE realm = 'exported';
DELETE FROM identity.realms WHERE name = 'exported';
DELETE FROM identity.import_runs;
