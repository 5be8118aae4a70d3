-- Each level from a role that has it, and from one that has none.
DELETE FROM identity.import_runs;
SET client_min_messages = warning;
CREATE ROLE nobody; CREATE ROLE application; CREATE ROLE importer; CREATE ROLE administrator;
SELECT identity.grant_access('application', 'application'), identity.grant_access('importer', 'importer'), identity.grant_access('administrator', 'admin');
SELECT identity.add_realm('acme');
SELECT count(*) FROM identity.import_identities('acme', '[{"traits": {"username": "bob"}, "metadata_admin": 1, "credentials": {"password": {"config": {"hashed_password": "5f4dcc3b5aa765d61d8327deb882cf99"}}}}]');

-- What a role may do, found out by doing it.
CREATE FUNCTION allowed(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'yes';
EXCEPTION WHEN insufficient_privilege THEN RETURN 'no';
END $$;
CREATE FUNCTION probe() RETURNS TABLE (what text, allowed text) LANGUAGE sql AS $$
    SELECT s, allowed(s) FROM unnest(ARRAY[
        'SELECT identity.normalize_identifier(''username'', ''x'')',
        'SELECT identity.identifier_skeleton(''x'')',
        'SELECT identity.unicode_version()',
        'SELECT * FROM identity.inspect_password_hash(''x'')',
        'SELECT identity.verify_password(''5f4dcc3b5aa765d61d8327deb882cf99'', ''x'')',
        'SELECT name FROM identity.realms',
        'SELECT * FROM identity.identities_view',
        'SELECT * FROM identity.import_identities(''acme'', ''[]'')',
        'SELECT * FROM identity.import_identities_from(''acme'', ''SELECT NULL::json'', dry_run => true)',
        'SELECT identity.patch_identities(''acme'', ''{"identities": []}'')',
        'SELECT * FROM identity.recheck_identifiers(''acme'')',
        'SELECT * FROM identity.import_progress',
        'SELECT * FROM identity.identity_schemas',
        'SELECT identity.add_realm(''new'')',
        'SELECT identity.set_identity_schema(''acme'', ''x'', ''{"properties": {"traits": {"ory.sh/kratos": {"credentials": {"code": {"identifier": true}}}}}}'')',
        'SELECT * FROM identity.identities',
        'SELECT * FROM identity.identifiers',
        'SELECT * FROM identity.credentials',
        'SELECT * FROM identity.addresses',
        'SELECT * FROM identity.import_runs',
        'UPDATE identity.identities SET state = ''inactive''',
        'DELETE FROM identity.identities WHERE false',
        'SELECT identity.grant_access(''nobody'', ''admin'')']) WITH ORDINALITY AS t (s, n) ORDER BY n
$$;
GRANT EXECUTE ON FUNCTION probe(), allowed(text) TO PUBLIC;
SET ROLE nobody; CREATE TEMP TABLE p0 AS SELECT * FROM probe(); RESET ROLE;
SET ROLE application; CREATE TEMP TABLE p1 AS SELECT * FROM probe(); RESET ROLE;
SET ROLE importer; CREATE TEMP TABLE p2 AS SELECT * FROM probe(); RESET ROLE;
SET ROLE administrator; CREATE TEMP TABLE p3 AS SELECT * FROM probe(); RESET ROLE;
SELECT left(what, 60) AS what, p0.allowed AS nobody, p1.allowed AS application, p2.allowed AS importer, p3.allowed AS admin
FROM p0 JOIN p1 USING (what) JOIN p2 USING (what) JOIN p3 USING (what);

-- An importer writes the store through the functions, and reads the source with his own rights.
CREATE TABLE docs (doc jsonb);
INSERT INTO docs VALUES ('{"traits": {"username": "kim"}, "credentials": {"password": {"config": {"password": "p"}}}}'), ('{"traits": {"username": "BOB"}}');
SET ROLE importer;
SELECT status FROM identity.import_identities_from('acme', 'docs');
RESET ROLE;
GRANT SELECT ON docs TO importer;
SET ROLE importer;
SELECT row_number, status, identifier FROM identity.import_identities_from('acme', 'docs', report => 'all');
SELECT identity.patch_identities('acme', '{"identities": [{"create": {"traits": {"username": "kim"}}}]}') #>> '{identities,0,error,reason}' AS reason;
SELECT current_user;
RESET ROLE;
SELECT run_by, target, rows_total FROM identity.import_runs ORDER BY run_id;
-- His search path means nothing to the store's statements; his functions run as himself.
CREATE FUNCTION who() RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
CREATE SCHEMA evil;
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
GRANT USAGE ON SCHEMA evil TO importer;
SET ROLE importer;
SET search_path = evil, public, pg_catalog;
SELECT row_number, status, identifier FROM identity.import_identities_from('acme', $$SELECT jsonb_build_object('traits', jsonb_build_object('username', 'i-am-' || who())) FROM generate_series(1, 2)$$, report => 'all');
RESET search_path;
RESET ROLE;
SELECT username FROM identity.identities_view ORDER BY 1;
-- A failed call leaves the role as it was.
SET ROLE importer;
SELECT * FROM identity.import_identities('nowhere', '[]');
SELECT current_user;
RESET ROLE;
DELETE FROM identity.identities;
DELETE FROM identity.identity_schemas;
DELETE FROM identity.realms;
DELETE FROM identity.import_runs;
DROP FUNCTION allowed, probe, who;
DROP SCHEMA evil CASCADE;
DROP TABLE docs, p0, p1, p2, p3;
SELECT identity.revoke_access(r) FROM unnest('{application,importer,administrator}'::text[]) r;
DROP ROLE nobody, application, importer, administrator;
