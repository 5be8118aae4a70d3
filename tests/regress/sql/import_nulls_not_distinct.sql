-- One row into a table with a NULLS NOT DISTINCT key of many columns takes no longer than into another.
SET client_min_messages = warning;
CREATE TABLE t (a int, b int, c int, d int, e int, f int, g int, h int, i int, j int, k int, l int, m int,
    UNIQUE NULLS NOT DISTINCT (a, b, c, d, e, f, g, h, i, j, k, l, m));
INSERT INTO t (a) VALUES (1);
SET statement_timeout = '2s';
SELECT row_number, status, constraint_name FROM identity.import_rows('t', 'SELECT 1 AS a');
RESET statement_timeout;
DROP TABLE t;
DELETE FROM identity.import_runs;
