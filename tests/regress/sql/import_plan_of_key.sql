-- A session that has looked a reference up while its table was small keeps the plan that was good then. An import of many rows does not.
SET client_min_messages = warning;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
INSERT INTO parent VALUES (0);
ANALYZE parent, child;
INSERT INTO child VALUES (-1, 0);
INSERT INTO child VALUES (-2, 0);
INSERT INTO child VALUES (-3, 0);
INSERT INTO child VALUES (-4, 0);
INSERT INTO child VALUES (-5, 0);
INSERT INTO child VALUES (-6, 0);
INSERT INTO child VALUES (-7, 0);
BEGIN;
INSERT INTO parent SELECT generate_series(1, 12000);
SELECT seq_scan AS before FROM pg_stat_xact_user_tables WHERE relname = 'parent' \gset
SELECT count(*) FROM identity.import_rows('child', 'SELECT n AS id, n AS parent FROM generate_series(1, 12000) AS n');
SELECT seq_scan - :before < 10 AS by_index, seq_scan - :before AS scans FROM pg_stat_xact_user_tables WHERE relname = 'parent' \gset
\echo by index: :by_index
SELECT count(*) FROM child;
ROLLBACK;
DROP TABLE child, parent;
