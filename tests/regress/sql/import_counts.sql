-- A script learns what an import did: the run's number and its counts, also where there is nothing to report, and the runs of its own.
SET client_min_messages = warning;
DELETE FROM identity.import_runs;
CREATE TABLE t (id int PRIMARY KEY);
CREATE ROLE loader;
SELECT identity.grant_access('loader', 'importer');
GRANT SELECT, INSERT ON t TO loader;
SELECT count(*) FROM identity.import_rows('t', 'SELECT 100 AS id');
SET ROLE loader;
SELECT run_id, row_number, status, message::jsonb ->> 'inserted' AS inserted FROM identity.import_rows('t', 'SELECT 1 AS id', report => 'counts') \gset
SELECT :row_number, :'status', :inserted, count(*) FROM identity.import_runs WHERE run_id = :'run_id';
SELECT count(*) FROM identity.import_rows('t', 'SELECT 1 AS id UNION ALL SELECT 2', report => 'none');
SELECT row_number, status, message FROM identity.import_rows('t', 'SELECT n AS id FROM generate_series(1, 4) AS n', report => 'counts', dry_run => true);
SELECT row_number, status, message FROM identity.import_rows('t', 'SELECT n AS id FROM generate_series(1, 4) AS n', report => 'counts', on_conflict => 'abort');
SELECT target, outcome, rows_total, inserted, conflict, withheld FROM identity.import_runs ORDER BY started_at;
RESET ROLE;
SELECT identity.add_realm('acme');
SELECT row_number, status, message FROM identity.import_identities('acme', '[{"traits": {"username": "ann"}}, {"traits": {"username": "ann"}}]', report => 'counts');
SELECT * FROM identity.stage_site('acme', 'forum', 'SELECT 1 AS id', '{"original_id": "id"}', report => 'counts');
DELETE FROM identity.identities WHERE realm = 'acme';
DELETE FROM identity.realms WHERE name = 'acme';
SELECT identity.revoke_access('loader');
DROP TABLE t;
DROP ROLE loader;
DELETE FROM identity.import_runs;
