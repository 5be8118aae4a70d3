-- An error in a source says where in it, and in which argument it stands.
CREATE TABLE t (id int PRIMARY KEY, email text);
CREATE TABLE staging (id int, email text);
SELECT * FROM identity.import_rows('t', 'SELECT id,
    emial
FROM staging');
SELECT * FROM identity.import_rows('t', 'SELECT id FORM staging');
-- Whichever function reads it, and whichever argument it is.
SELECT identity.add_realm('placed'), identity.add_site('placed', 2, 'forum', 'fz_');
SELECT * FROM identity.import_identities_from('placed', 'SELECT to_jsonb(x) FROM staging AS s');
SELECT * FROM identity.stage_site('placed', 'forum', 'staging', '{"original_id": "id"}', '{"disposable_domains": "SELECT domain FROM domains"}');
SELECT * FROM identity.collapse_permissions('placed', 'clients', 'SELECT 1 +');
-- A client that reads the fields gets them, too; another error has none of it.
DO $$
DECLARE context text;
BEGIN
    PERFORM * FROM identity.import_rows('t', 'SELECT id FORM staging');
EXCEPTION WHEN syntax_error THEN
    GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
    RAISE NOTICE '%', split_part(context, E'\n', 1);
END $$;
SELECT 1/0;
SELECT * FROM identity.import_rows('t', 'SELECT 1/0 AS id');
DELETE FROM identity.sites WHERE realm = 'placed';
DELETE FROM identity.realms WHERE name = 'placed';
DROP TABLE t, staging;
