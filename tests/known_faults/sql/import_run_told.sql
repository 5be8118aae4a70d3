-- A script learns what an import did: the run's number also where there is nothing to report, and the counts of runs of its own.
SET client_min_messages = warning;
DELETE FROM identity.import_runs;
CREATE TABLE t (id int PRIMARY KEY);
CREATE ROLE loader;
SELECT identity.grant_access('loader', 'importer');
GRANT SELECT, INSERT ON t TO loader;
SELECT count(*) FROM identity.import_rows('t', 'SELECT 100 AS id');
SET ROLE loader;
SELECT run_id FROM identity.import_rows('t', 'SELECT 1 AS id') \gset
SELECT run_id FROM identity.import_rows('t', 'SELECT 1 AS id UNION ALL SELECT 2', report => 'none') \gset
SELECT target, rows_total, inserted, conflict FROM identity.import_runs ORDER BY started_at;
RESET ROLE;
SELECT identity.revoke_access('loader');
DROP TABLE t;
DROP ROLE loader;
DELETE FROM identity.import_runs;
