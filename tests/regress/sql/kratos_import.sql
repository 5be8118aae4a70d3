-- Identities into the tables of a live Kratos database.
SET client_min_messages = warning;
CREATE SCHEMA import_ory;
SET search_path = import_ory;
\set ECHO none
\i tests/kratos/tables.sql
\set ECHO all
SET search_path = public, import_ory;
CREATE FUNCTION id(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE TABLE docs (n int GENERATED ALWAYS AS IDENTITY, doc jsonb);
-- What the tables have, without what is made by chance.
CREATE VIEW credentials AS
SELECT COALESCE(i.external_id, i.id::text) AS who, t.name AS type, c.config, c.version, (SELECT array_agg(replace(n.identifier, i.id::text, '(own id)') ORDER BY n.identifier) FROM identity_credential_identifiers AS n
    WHERE n.identity_credential_id = c.id AND n.identity_id = c.identity_id AND n.nid = c.nid AND n.identity_credential_type_id = c.identity_credential_type_id) AS identifiers,
    CASE WHEN c.created_at < '2024-01-01' THEN c.created_at END AS created_at
FROM identities AS i JOIN identity_credentials AS c ON c.identity_id = i.id AND c.nid = i.nid JOIN identity_credential_types AS t ON t.id = c.identity_credential_type_id ORDER BY 1, 2;
CREATE VIEW addresses AS
SELECT COALESCE(i.external_id, i.id::text) AS who, a.role, a.via, a.value, a.verified, a.status, a.verified_at FROM identities AS i JOIN (
    SELECT identity_id, 'verifiable' AS role, via, value, verified, status, CASE WHEN verified_at < '2024-01-01' THEN verified_at END AS verified_at FROM identity_verifiable_addresses
    UNION ALL SELECT identity_id, 'recovery', via, value, NULL, NULL, NULL FROM identity_recovery_addresses) AS a ON a.identity_id = i.id ORDER BY 1, 2, 3, 4;
CREATE VIEW people AS
SELECT COALESCE(external_id, id::text) AS who, nid, schema_id, traits, state, state_changed_at = now() AT TIME ZONE 'UTC' AS state_changed_now, metadata_public, metadata_admin, available_aal, organization_id,
    CASE WHEN created_at < '2024-01-01' THEN created_at END AS created_at, CASE WHEN updated_at < '2024-01-01' THEN updated_at END AS updated_at FROM identities ORDER BY 1;
CREATE FUNCTION report(docs jsonb, on_conflict text = 'skip', hashes text = 'report', dry_run boolean = false, report text = 'all', schemas jsonb = NULL)
RETURNS TABLE (row_number bigint, status text, identifier_kind text, identifier text, existing_identity uuid, winner_row bigint, path text, sqlstate text, message text, warning text) LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE docs;
    INSERT INTO docs (doc) SELECT jsonb_array_elements(report.docs);
    RETURN QUERY SELECT r.row_number, r.status, r.identifier_kind, r.identifier, r.existing_identity, r.winner_row, r.path, r.sqlstate, r.message, r.warning
        FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs ORDER BY n', schemas => report.schemas, on_conflict => report.on_conflict, dry_run => report.dry_run, report => report.report, hashes => report.hashes) AS r;
END $$;

SELECT * FROM report('[{"traits": {"username": "early"}}]');
INSERT INTO networks VALUES (id(1), '2020-01-01', '2020-01-01');
-- One with all there is.
BEGIN;
SELECT * FROM report('[{"external_id": "all", "schema_id": "customer", "state": "inactive", "traits": {"email": "Bob@Exämple.com", "username": " ＢＯＢ "}, "metadata_public": {"a": 1}, "metadata_admin": ["b"],
  "organization_id": "00000000-0000-4000-8000-000000000077", "created_at": "2015-01-02T03:04:05+02:00", "updated_at": "2016-01-02T03:04:05Z",
  "verifiable_addresses": [{"value": "Bob@Exämple.com", "via": "email", "verified": true, "verified_at": "2015-02-03T00:00:00Z"}, {"value": "+86 138 0013 8000", "via": "sms", "status": "sent"}, {"value": "now@x.org", "verified": true}],
  "recovery_addresses": [{"value": "Bob@Exämple.com"}],
  "credentials": {"password": {"config": {"hashed_password": "$6$rounds=5000$saltsalt$7y7wgtqEAnEH8Os/GAHhVkFZ8jwCDC3FYdt5cMFFXrBBBZmQhJRVrlkcTzt0VBQ6cfJb0bVTwFZMJVbmvLcgv/"}},
    "oidc": {"config": {"providers": [{"subject": "S1", "provider": "google", "organization": "00000000-0000-4000-8000-000000000077", "use_auto_link": true}]}},
    "saml": {"config": {"providers": [{"subject": "S2", "provider": "okta"}]}},
    "totp": {"config": {"totp_url": "otpauth://totp/x?secret=ABC"}}, "lookup_secret": {"config": {"codes": [{"code": "abc"}]}},
    "webauthn": {"config": {"credentials": [{"id": "QUJD", "public_key": "QUJD", "is_passwordless": true}], "user_handle": "QUJD"}},
    "passkey": {"config": {"credentials": [{"id": "QUJE", "public_key": "QUJD"}], "user_handle": "QUJE"}},
    "code": {"identifiers": ["code@x.org"], "created_at": "2019-01-01T00:00:00Z"}, "deviceauthn": {"config": {"keys": []}}}}]');
SELECT * FROM people;
SELECT * FROM credentials;
SELECT * FROM addresses;
COMMIT;
-- The login names of a document are those in its credentials; without them, those in its traits.
SELECT * FROM report('[{"external_id": "traits", "traits": {"email": "traits@x.org", "username": "Traits"}}, {"external_id": "none", "traits": {"name": "Nobody"}}, {"external_id": "hook", "traits": {"username": "hook"}, "credentials": {"password": {"config": {"use_password_migration_hook": true}}}}]');
SELECT * FROM credentials WHERE who IN ('traits', 'none', 'hook');
-- By identity schemas.
SELECT * FROM report('[{"external_id": "schema", "schema_id": "person", "traits": {"mail": "Schema@X.org", "mobile": "+49 176 671 11 638"}}, {"traits": {"mail": "x@y.z"}}, {"schema_id": "other", "traits": {}}]', schemas => '{"person": {"properties": {"traits": {"properties": {
  "mail": {"type": "string", "format": "email", "ory.sh/kratos": {"credentials": {"password": {"identifier": true}, "webauthn": {"identifier": true}, "code": {"identifier": true, "via": "email"}}, "verification": {"via": "email"}, "recovery": {"via": "email"}}},
  "mobile": {"type": "string", "format": "tel", "ory.sh/kratos": {"credentials": {"code": {"identifier": true, "via": "sms"}}, "verification": {"via": "sms"}}}}}}}}');
SELECT * FROM credentials WHERE who = 'schema';
SELECT * FROM addresses WHERE who = 'schema';
-- Conflicts, and who holds the key; whoever loses takes none of its keys.
SELECT * FROM report(jsonb_build_array(
  '{"external_id": "held", "traits": {"username": "HELD"}, "credentials": {"oidc": {"config": {"providers": [{"subject": "h", "provider": "google"}]}}}, "verifiable_addresses": [{"value": "held@x.org"}], "recovery_addresses": [{"value": "held@x.org"}]}'::jsonb, jsonb_build_object('id', id(51), 'traits', '{"username": "fifty-one"}'::jsonb)));
SELECT r.row_number, r.status, r.identifier_kind, r.identifier, e.external_id AS holder, r.winner_row, r.path, r.sqlstate, r.message FROM report(jsonb_build_array(
  -- Each key is held.
  '{"external_id": "held", "traits": {"username": " held", "email": "free@x.org"}, "credentials": {"oidc": {"config": {"providers": [{"subject": "h", "provider": "google"}, {"subject": "H", "provider": "google"}]}}}, "verifiable_addresses": [{"value": "Held@X.org"}, {"value": "held@x.org", "via": "sms"}], "recovery_addresses": [{"value": "HELD@x.org"}]}'::jsonb,
  -- The loser's address is free.
  '{"external_id": "first", "traits": {"username": "one", "email": "free@x.org"}}'::jsonb,
  '{"external_id": "second", "traits": {"username": "ONE", "email": "also-free@x.org"}}'::jsonb,
  '{"external_id": "third", "traits": {"username": "three", "email": "Also-Free@x.org"}}'::jsonb,
  jsonb_build_object('id', id(51), 'traits', '{"username": "other"}'::jsonb),
  -- As an identifier of another type it is another key.
  '{"external_id": "code", "credentials": {"code": {"identifiers": ["held"]}}}'::jsonb)) AS r LEFT JOIN identities AS e ON e.id = r.existing_identity;
SELECT external_id FROM identities WHERE external_id IN ('first', 'second', 'third', 'code') ORDER BY 1;
-- What is wrong with a document.
SELECT row_number, status, identifier_kind, replace(left(identifier, 20), chr(8203), '(no width)') AS identifier, path, sqlstate, message FROM report(jsonb_build_array(
  jsonb_build_object('traits', jsonb_build_object('username', repeat('x', 256)), 'external_id', repeat('e', 65), 'schema_id', repeat('s', 2049)),
  jsonb_build_object('traits', '{"username": "long address"}'::jsonb, 'recovery_addresses', jsonb_build_array(jsonb_build_object('value', repeat('x', 395) || '@x.org'))),
  jsonb_build_object('traits', jsonb_build_object('username', U&'\200B\E000')),
  '{"traits": {"username": "handle"}, "credentials": {"passkey": {"config": {"credentials": [{"id": "QUJE", "public_key": "QUJD"}], "user_handle": "/w=="}}}}'::jsonb,
  '{"traits": {"username": "phpass"}, "credentials": {"password": {"config": {"hashed_password": "$P$984478476IagS59wHZvyQMArzfx58u."}}}}'::jsonb,
  '{"traits": {"username": "no hash"}, "credentials": {"password": {"config": {"hashed_password": "plain"}}}}'::jsonb,
  '{"traits": {"username": "odd"}, "colour": "red"}'::jsonb, '[]'::jsonb));
-- Names that the store would refuse go in.
SELECT status FROM report(jsonb_build_array(jsonb_build_object('external_id', 'odd', 'credentials', jsonb_build_object('password', jsonb_build_object('identifiers', '["not@an@address", "@", "+1"]'::jsonb))))); SELECT * FROM credentials WHERE who = 'odd';
-- Hashes that Kratos cannot read, with the hook.
SELECT status, warning FROM report('[{"external_id": "phpass", "traits": {"username": "phpass"}, "credentials": {"password": {"config": {"hashed_password": "$P$984478476IagS59wHZvyQMArzfx58u."}}}}]', hashes => 'hook');
SELECT type, config, identifiers FROM credentials WHERE who = 'phpass';
-- A dry run has the same report, and writes nothing.
SELECT count(*) AS before FROM identities \gset
SELECT row_number, status, message FROM report('[{"traits": {"username": "dry"}}, {"traits": {"username": "DRY"}}]', dry_run => true);
SELECT row_number, status, message FROM report('[{"traits": {"username": "dry"}}, {"traits": {"username": "DRY"}}]', 'abort');
SELECT row_number, status, message FROM report('[{"traits": {"username": "dry"}}, {"traits": {"username": "DRY"}}]', 'error');
SELECT count(*) - :before AS written FROM identities;
SELECT row_number, status, message FROM report('[{"traits": {"username": "counted"}}, {"traits": {"username": "COUNTED"}}]', report => 'counts');
SELECT target, realm, source, outcome, rows_total, inserted, duplicate FROM identity.import_runs WHERE target LIKE '%import_ory%' ORDER BY started_at DESC LIMIT 1;

-- Update: what a document has is replaced, credentials each by itself.
SELECT status FROM report('[{"external_id": "up", "traits": {"email": "up@x.org", "username": "up"}, "state": "active", "verifiable_addresses": [{"value": "up@x.org", "verified": true, "verified_at": "2015-01-01T00:00:00Z"}],
  "credentials": {"password": {"config": {"hashed_password": "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}}, "totp": {"config": {"totp_url": "otpauth://totp/x?secret=ABC"}}}}]');
SELECT id AS up FROM identities WHERE external_id = 'up' \gset
SELECT n.id AS kept FROM identity_credential_identifiers n WHERE identity_id = :'up' AND identifier = 'up' \gset
BEGIN;
SELECT * FROM report('[{"external_id": "up", "traits": {"username": "UP", "email": "new@x.org"}, "state": "inactive", "metadata_public": {"new": true}}, {"external_id": "taker", "traits": {"username": "taker", "email": "up@x.org"}}, {"external_id": "up", "state": "active"}]', 'update');
SELECT * FROM people WHERE who = 'up';
SELECT * FROM credentials WHERE who IN ('up', 'taker');
SELECT * FROM addresses WHERE who = 'up';
SELECT count(*) AS same_row FROM identity_credential_identifiers WHERE id = :'kept';
COMMIT;
SELECT status FROM report(jsonb_build_array(jsonb_build_object('id', :'up', 'credentials', '{"password": {"config": {"hashed_password": "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"}}, "lookup_secret": {"config": {"codes": [{"code": "new"}]}}}'::jsonb,
  'verifiable_addresses', '[{"value": "up@x.org", "verified": true}, {"value": "more@x.org"}]'::jsonb, 'external_id', 'renamed')), 'update');
SELECT * FROM credentials WHERE who = 'renamed';
SELECT * FROM addresses WHERE who = 'renamed';
-- Another's name is not taken by an update.
SELECT row_number, status, identifier_kind, identifier, existing_identity = :'up' AS held_by_up, message FROM report('[{"external_id": "taker", "traits": {"username": "up"}}]', 'update');

-- The database that is written to has an opinion: a trigger of its owner's.
CREATE FUNCTION no_bots() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.traits ->> 'username' LIKE 'bot%' THEN RAISE EXCEPTION 'no bots' USING ERRCODE = 'P0001'; END IF; RETURN NEW; END $$;
CREATE TRIGGER no_bots BEFORE INSERT ON identities FOR EACH ROW EXECUTE FUNCTION no_bots();
SELECT row_number, status, sqlstate, message FROM report('[{"traits": {"username": "human"}}, {"traits": {"username": "bot 1"}}, {"traits": {"username": "human too"}}]');
DROP TRIGGER no_bots ON identities;

-- What cannot be done.
SELECT * FROM identity.import_kratos('nowhere', 'SELECT doc FROM docs');
SELECT * FROM identity.import_kratos('import_ory', 'SELECT n FROM docs');
SELECT * FROM identity.import_kratos('import_ory', 'DELETE FROM docs RETURNING doc');
SELECT * FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs', id(2));
SELECT * FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs', on_conflict => 'merge');
SELECT * FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs', hashes => 'keep');
SELECT * FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs', schemas => '[]');
SELECT * FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs', schemas => '{"default": {}}');
SELECT * FROM identity.import_kratos(NULL, 'SELECT doc FROM docs');
SELECT * FROM identity.import_kratos('import_ory', NULL);
BEGIN READ ONLY;
SELECT * FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs', dry_run => true);
ROLLBACK;
BEGIN;
DROP TABLE identity_recovery_addresses CASCADE;
SELECT * FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs');
ROLLBACK;
BEGIN;
ALTER TABLE identities ADD COLUMN tenant uuid, ADD COLUMN plan text NOT NULL DEFAULT 'free';
SELECT count(*) FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs');
UPDATE identities SET tenant = id(1);
ALTER TABLE identities ALTER COLUMN tenant SET NOT NULL;
SELECT * FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs');
ROLLBACK;
BEGIN;
DROP INDEX identity_credential_identifiers_identifier_nid_type_uq_idx;
SELECT * FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs');
ROLLBACK;

-- With the caller's rights alone.
CREATE ROLE kratos_importer;
GRANT USAGE ON SCHEMA public, import_ory TO kratos_importer;
GRANT SELECT ON docs TO kratos_importer;
SELECT identity.add_realm('kratos') IS NOT NULL AS made, identity.grant_access('kratos_importer', 'importer', '{kratos}');
TRUNCATE docs;
INSERT INTO docs (doc) VALUES ('{"external_id": "granted", "traits": {"username": "granted"}}');
SET ROLE kratos_importer;
SELECT * FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs', report => 'all');
RESET ROLE;
GRANT SELECT ON ALL TABLES IN SCHEMA import_ory TO kratos_importer;
SET ROLE kratos_importer;
SELECT * FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs', report => 'all');
RESET ROLE;
GRANT INSERT ON identities, identity_credentials, identity_credential_identifiers, identity_verifiable_addresses, identity_recovery_addresses TO kratos_importer;
SET ROLE kratos_importer;
SELECT row_number, status FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs', report => 'all');
SELECT row_number, status FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs', report => 'all', on_conflict => 'update');
RESET ROLE;
GRANT UPDATE, DELETE ON identities, identity_credentials, identity_credential_identifiers, identity_verifiable_addresses, identity_recovery_addresses TO kratos_importer;
SET ROLE kratos_importer;
SELECT row_number, status FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs', report => 'all', on_conflict => 'update');
RESET ROLE;

-- The tables are those of somebody who is not to be trusted: nothing of theirs is run.
CREATE ROLE kratos_villain;
GRANT USAGE, CREATE ON SCHEMA public, import_ory TO kratos_villain;
DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'import_ory'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO kratos_villain', t);
    END LOOP; END $$;
INSERT INTO docs (doc) VALUES ('{"external_id": "villain", "traits": {"username": "villain"}}');
SELECT row_number, status, identifier FROM identity.import_kratos('import_ory', 'SELECT doc FROM docs ORDER BY n', report => 'all');
CREATE FUNCTION spoils() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'CAUGHT as %', current_user; RETURN true; END $$;
CREATE FUNCTION spoils_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'CAUGHT as %', current_user; RETURN NEW; END $$;
CREATE FUNCTION attack(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text; more text;
BEGIN
    SET LOCAL ROLE kratos_villain;
    SET LOCAL client_min_messages = error;
    EXECUTE what;
    RESET client_min_messages;
    RESET ROLE;
    BEGIN
        PERFORM identity.import_kratos('import_ory', $s$SELECT '{"traits": {"username": "attacked"}}'::jsonb$s$);
        said := 'imported';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, more = PG_EXCEPTION_DETAIL;
    END;
    RAISE EXCEPTION USING MESSAGE = concat_ws(': ', said, more), ERRCODE = 'ZZ000';
EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
    RETURN SQLERRM;
END $$;
SELECT attack('CREATE TRIGGER odd BEFORE INSERT ON import_ory.identities FOR EACH ROW EXECUTE FUNCTION spoils_row()');
SELECT attack('CREATE TRIGGER odd AFTER INSERT ON import_ory.identity_recovery_addresses EXECUTE FUNCTION spoils_row()');
SELECT attack('CREATE RULE odd AS ON INSERT TO import_ory.identities DO ALSO SELECT public.spoils()');
SELECT attack('ALTER TABLE import_ory.identities ADD COLUMN odd boolean DEFAULT public.spoils()');
SELECT attack('ALTER TABLE import_ory.identities ADD COLUMN odd text, ALTER COLUMN odd SET DEFAULT pg_read_file(''PG_VERSION'')');
SELECT attack('ALTER TABLE import_ory.identities ADD COLUMN odd boolean GENERATED ALWAYS AS (public.spoils()) STORED');
SELECT attack('ALTER TABLE import_ory.identity_credentials ADD CONSTRAINT odd CHECK (public.spoils())');
SELECT attack('CREATE INDEX odd ON import_ory.identity_credentials ((id::text || public.spoils()::text))');
SELECT attack('CREATE STATISTICS import_ory.odd ON (id::text || public.spoils()::text), nid FROM import_ory.identities');
SELECT attack('CREATE DOMAIN public.odd AS text CHECK (public.spoils()); ALTER TABLE import_ory.identities ADD COLUMN odd public.odd');
SELECT attack('ALTER TABLE import_ory.identities RENAME TO hidden; CREATE VIEW import_ory.identities AS SELECT * FROM import_ory.hidden');
SELECT attack('CREATE TABLE import_ory.child () INHERITS (import_ory.identities); CREATE TRIGGER odd BEFORE UPDATE OR DELETE ON import_ory.child FOR EACH ROW EXECUTE FUNCTION public.spoils_row()');
SELECT attack('ALTER TABLE import_ory.identities ADD COLUMN fine timestamptz DEFAULT now(), ADD COLUMN also_fine text DEFAULT ''x'', ADD CONSTRAINT fine CHECK (nid IS NOT NULL)');
SELECT attack('CREATE FUNCTION public.eq(uuid, uuid) RETURNS boolean LANGUAGE sql AS ''SELECT public.spoils()''; CREATE OPERATOR public.= (leftarg = uuid, rightarg = uuid, function = public.eq); SET LOCAL search_path = public');

SELECT identity.revoke_access('kratos_importer');
DROP SCHEMA import_ory CASCADE;
DROP TABLE docs;
DROP FUNCTION id(int), report(jsonb, text, text, boolean, text, jsonb), no_bots(), spoils(), spoils_row(), attack(text);
DROP OWNED BY kratos_importer, kratos_villain;
DROP ROLE kratos_importer, kratos_villain;
DELETE FROM identity.identities WHERE realm = 'kratos';
DELETE FROM identity.realms WHERE name = 'kratos';
DELETE FROM identity.import_runs;
