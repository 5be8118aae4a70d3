-- An import makes no object, keeps no lock that an INSERT would not keep, can be prepared for a commit in two phases, and needs no right to
-- make temporary tables.
SET client_min_messages = warning;
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent VALUES (1);
CREATE TABLE people (id serial PRIMARY KEY, name text UNIQUE, mail varchar(20), parent int REFERENCES parent);
-- Rows that went into the catalog itself; the store's own tables are none of it.
CREATE FUNCTION written() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(pg_stat_get_xact_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_updated(c.oid)) FROM pg_class c
    WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' $$;
\set rows '$$SELECT * FROM (VALUES (''ann'', ''a@x'', ''1''), (''ann'', ''b@x'', ''1''), (''bob'', repeat(''x'', 30), ''2''), (''cid'', ''c@x'', ''2'')) v (name, mail, parent)$$'
BEGIN;
SELECT written() AS before \gset
SELECT row_number, status, constraint_name, columns FROM identity.import_rows('people', :rows, report => 'all');
SELECT row_number, status, constraint_name, columns FROM identity.import_rows('people', :rows, report => 'all', on_conflict => 'update', match_on => '{name}');
SELECT row_number, status, constraint_name, columns FROM identity.import_rows('people', 'SELECT ''n'' || n AS name, ''n'' || n AS mail FROM generate_series(1, 25000) n');
SELECT identity.add_realm('acme') \gset
\set people '[{"traits": {"username": "ann", "email": "ann@x.example"}}, {"traits": {"username": "Ann"}}, {"traits": {"username": "bob"}, "external_id": "7"}, {"id": 3}]'
SELECT row_number, status, identifier, winner_row FROM identity.import_identities('acme', :'people');
SELECT row_number, status, identifier, winner_row FROM identity.import_identities('acme', :'people', on_conflict => 'update');
SELECT status, count(*) FROM identity.import_identities_from('acme', 'SELECT jsonb_build_object(''traits'', jsonb_build_object(''username'', ''n'' || n % 24990)) AS doc FROM generate_series(1, 25000) n', report => 'all') GROUP BY 1 ORDER BY 1;
SELECT jsonb_path_query_array(identity.patch_identities('acme', '{"identities": [{"create": {"traits": {"username": "cid"}}}, {"create": {"traits": {"username": "bob"}}}]}'), '$.identities.action');
SELECT written() - :before AS written;
-- Nor do searches for duplicates, renamings and their undoing.
CREATE TABLE logins (site int, id int, login text, PRIMARY KEY (site, id));
INSERT INTO logins SELECT site, n, 'user' || n FROM generate_series(1, 2) site, generate_series(1, 20000) n;
SELECT identity.add_site('acme', 2, 'forum', 'fo_') \gset
SELECT written() AS before \gset
SELECT count(*) FROM identity.find_duplicates('logins', 'login', 'site', 'id');
SELECT count(*) FROM identity.dedup_logins('logins', 'login', 'site', 'id', '{"2": "fz_"}', reserved => 'SELECT ''fz_user1''', dry_run => true);
SELECT run_id AS run FROM identity.dedup_logins('logins', 'login', 'site', 'id', '{"2": "fz_"}') LIMIT 1 \gset
SELECT status, count(*) FROM identity.undo_dedup(:'run', dry_run => true) GROUP BY 1;
SELECT status, count(*) FROM identity.undo_dedup(:'run') GROUP BY 1;
SELECT count(*) FROM identity.stage_site('acme', 'forum', 'SELECT id, ''n'' || id AS login, md5(''p'') AS p FROM logins WHERE site = 2', '{"original_id": "id", "username": "login", "password_hash": "p"}', '{"no_identifier": false}', report => 'none');
SELECT count(*) FROM identity.dedup_site_logins('acme', dry_run => true);
SELECT run_id AS run FROM identity.dedup_site_logins('acme') LIMIT 1 \gset
SELECT status, count(*) FROM identity.undo_dedup(:'run') GROUP BY 1;
SELECT written() - :before AS written;
ROLLBACK;
-- They can be prepared, too.
CREATE TABLE logins (site int, id int, login text, PRIMARY KEY (site, id));
INSERT INTO logins SELECT site, n, 'user' || n FROM generate_series(1, 2) site, generate_series(1, 3) n;
BEGIN;
SELECT count(*) FROM identity.find_duplicates('logins', 'login', 'site', 'id');
PREPARE TRANSACTION 'found';
COMMIT PREPARED 'found';
BEGIN;
SELECT count(*) FROM identity.dedup_logins('logins', 'login', 'site', 'id', '{"2": "fz_"}');
PREPARE TRANSACTION 'renamed';
COMMIT PREPARED 'renamed';
SELECT run_id AS run FROM identity.dedup_runs \gset
BEGIN;
SELECT count(*) FROM identity.undo_dedup(:'run');
PREPARE TRANSACTION 'undone';
COMMIT PREPARED 'undone';
SELECT * FROM logins ORDER BY 1, 2;
-- Many imports in one transaction, as of a script that goes through its files.
BEGIN;
DO $$ BEGIN FOR i IN 1 .. 3 LOOP PERFORM identity.import_rows('people', format('SELECT ''u%s'' AS name', i)); END LOOP; END $$;
SELECT count(*) AS locks FROM pg_locks WHERE pid = pg_backend_pid() \gset
DO $$ BEGIN FOR i IN 4 .. 1000 LOOP PERFORM identity.import_rows('people', format('SELECT ''u%s'' AS name', i)); END LOOP; END $$;
SELECT count(*) - :locks < 100 AS few_more_locks FROM pg_locks WHERE pid = pg_backend_pid();
SELECT count(*) FROM people;
SELECT identity.add_realm('acme') \gset
DO $$ BEGIN FOR i IN 1 .. 1000 LOOP
    PERFORM identity.import_identities('acme', jsonb_build_array(jsonb_build_object('traits', jsonb_build_object('username', 'u' || i))));
END LOOP; END $$;
SELECT count(*) - :locks < 200 AS few_more_locks FROM pg_locks WHERE pid = pg_backend_pid();
PREPARE TRANSACTION 'imported';
SELECT count(*) FROM people;
COMMIT PREPARED 'imported';
SELECT count(*) FROM people;
SELECT count(*) FROM identity.identities WHERE realm = 'acme';
-- TEMPORARY was taken from everybody.
DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$;
CREATE ROLE loader;
SELECT identity.grant_access('loader', 'importer');
GRANT SELECT, INSERT ON people TO loader;
GRANT SELECT ON parent TO loader;
GRANT USAGE ON SEQUENCE people_id_seq TO loader;
SET ROLE loader;
SELECT has_database_privilege(current_database(), 'TEMPORARY');
SELECT row_number, status, constraint_name FROM identity.import_rows('people', 'SELECT * FROM (VALUES (''u1'', 1), (''dan'', 1), (''eve'', 9)) v (name, parent)', report => 'all');
SELECT row_number, status, identifier FROM identity.import_identities('acme', '[{"traits": {"username": "u1"}}, {"traits": {"username": "dan"}}]');
RESET ROLE;
GRANT SELECT, UPDATE ON logins TO loader;
SET ROLE loader;
SELECT count(*) FROM identity.find_duplicates('logins', 'login', 'site', 'id');
SELECT run_id AS run FROM identity.dedup_logins('logins', 'login', 'site', 'id', '{"2": "fz_"}') LIMIT 1 \gset
SELECT row_id, restored, status FROM identity.undo_dedup(:'run');
RESET ROLE;
DELETE FROM identity.identities WHERE realm = 'acme';
DELETE FROM identity.realms WHERE name = 'acme';
DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database()); END $$;
DROP TABLE people, parent, logins;
DELETE FROM identity.dedup_runs; DELETE FROM identity.dedup_rows;
DROP FUNCTION written;
SELECT identity.revoke_access('loader');
DROP ROLE loader;
-- Rows that only the executor can refuse are found together.
CREATE TABLE parted (id int, place text, PRIMARY KEY (id, place)) PARTITION BY LIST (place);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a') PARTITION BY RANGE (id);
CREATE TABLE parted_a1 PARTITION OF parted_a FOR VALUES FROM (0) TO (20000);
CREATE TABLE parted_b PARTITION OF parted FOR VALUES IN ('b');
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS before \gset
SELECT status, sqlstate, message, count(*), min(row_number), max(row_number) FROM identity.import_rows('parted',
    'SELECT n AS id, CASE n % 2 WHEN 0 THEN ''a'' ELSE CASE n % 10 WHEN 1 THEN ''b'' ELSE ''c'' END END AS place FROM generate_series(1, 25000) n') GROUP BY 1, 2, 3 ORDER BY 3;
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint - :before < 1000 AS few_transactions;
SELECT tableoid::regclass, count(*) FROM parted GROUP BY 1 ORDER BY 1;
DROP TABLE parted;
DELETE FROM identity.import_runs;
