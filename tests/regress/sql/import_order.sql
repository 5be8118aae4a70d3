-- A heap does not keep the order in which rows came: a narrow row goes back onto a page that a wide one did not fit on. The rows of a source are
-- taken in their order all the same.
SET client_min_messages = warning;
CREATE TABLE wide (n int, note text);
-- Four rows leave room on the first page for the ninth, but not for those between.
INSERT INTO wide SELECT n, repeat('x', CASE WHEN n <= 4 THEN 1650 WHEN n <= 8 THEN 1900 ELSE 900 END) FROM generate_series(1, 12) n;
CREATE TABLE copied (n bigint, note text);
INSERT INTO copied SELECT n, note FROM wide ORDER BY n;
SELECT array_agg(n ORDER BY ctid) AS not_in_order FROM copied;
DROP TABLE copied;

-- Values that do not convert.
CREATE TABLE t (n int PRIMARY KEY, code varchar(4), note text);
SELECT row_number, status, columns, key, sqlstate FROM identity.import_rows('t',
  $$SELECT n, CASE WHEN n IN (2, 6, 9, 11) THEN 'too long' ELSE 'c' || n END AS code, note FROM wide ORDER BY n$$);
SELECT array_agg(n ORDER BY n) FROM t;
DROP TABLE t;

-- A CHECK, and an expression of a key, that fail.
CREATE TABLE t (n int CHECK (10 / n < 20), note text);
CREATE UNIQUE INDEX ON t ((100 / (n - 3)));
SELECT row_number, status, constraint_name, columns, sqlstate, message FROM identity.import_rows('t',
  $$SELECT CASE n WHEN 6 THEN 0 WHEN 9 THEN 0 WHEN 11 THEN 3 ELSE n + 10 END AS n, note FROM wide ORDER BY wide.n$$);
SELECT array_agg(n ORDER BY n) FROM t;
DROP TABLE t;

-- A generated column that fails, the first row and one on each page.
CREATE TABLE t (n int, note text, share int GENERATED ALWAYS AS (1000 / n) STORED UNIQUE);
SELECT row_number, status, constraint_name, columns, sqlstate, message FROM identity.import_rows('t',
  $$SELECT CASE WHEN n IN (1, 6, 9, 12) THEN 0 ELSE n * n END AS n, note FROM wide ORDER BY wide.n$$);
SELECT array_agg(n ORDER BY n) FROM t;
DROP TABLE t;
-- The same where rows are updated.
CREATE TABLE t (id int PRIMARY KEY, n int, note text, share int GENERATED ALWAYS AS (1000 / n) STORED UNIQUE);
INSERT INTO t SELECT n, n, 'old' FROM generate_series(2, 12, 2) n;
SELECT row_number, status, sqlstate, message FROM identity.import_rows('t',
  $$SELECT n AS id, CASE WHEN n IN (1, 6, 9, 12) THEN 0 ELSE n * n END AS n, note || 'y' AS note FROM wide ORDER BY wide.n$$, on_conflict => 'update', match_on => '{id}');
SELECT array_agg(format('%s %s', id, n) ORDER BY id) FROM t;
DROP TABLE t;

-- Triggers that are asked what they make of the rows that did not go in: in the order of the rows.
CREATE TABLE t (n int PRIMARY KEY, note text);
INSERT INTO t VALUES (6), (9), (12);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'shown %', NEW.n; RETURN NEW; END $$;
CREATE TRIGGER tell BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tell();
\set SHOW_CONTEXT never
SELECT row_number, status, constraint_name, key FROM identity.import_rows('t', 'SELECT * FROM wide ORDER BY n');
DROP TABLE t;
DROP FUNCTION tell;

-- Rows that are updated give up keys in their order, in a target of one page.
CREATE TABLE t (id int PRIMARY KEY, name text UNIQUE, note text);
INSERT INTO t SELECT n, 'n' || n FROM generate_series(1, 12) n;
SELECT row_number, status, constraint_name, winner_row FROM identity.import_rows('t',
  $$SELECT n AS id, 'n' || n - 1 AS name, note FROM wide ORDER BY n$$, on_conflict => 'update', match_on => '{id}');
SELECT array_agg(format('%s %s', id, name) ORDER BY id) FROM t;
DROP TABLE t, wide;
