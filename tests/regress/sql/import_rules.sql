-- Rows that are wrong in themselves are reported; the rest goes in.
SET client_min_messages = warning;
CREATE DOMAIN mail AS text CHECK (VALUE LIKE '%@%') NOT NULL;
CREATE TABLE sites (id int PRIMARY KEY, name text);
INSERT INTO sites VALUES (1, 'main');
CREATE TABLE people (
    id int PRIMARY KEY,
    name varchar(5) NOT NULL,
    mail mail,
    born date,
    rank smallint CHECK (rank < 10),
    site int REFERENCES sites,
    CONSTRAINT known CHECK (rank IS NULL OR name <> 'root')
);
CREATE TABLE source (id text, name text, mail text, born text, rank text, site text);
INSERT INTO source VALUES
    ('1', 'ok', 'a@x', '2000-02-29', '1', '1'),
    ('2', 'too long', 'b@x', NULL, NULL, NULL),
    ('3', NULL, 'c@x', NULL, NULL, NULL),
    ('4', 'dan', 'no mail', NULL, NULL, NULL),
    ('5', 'eve', 'e@x', '2001-02-29', NULL, NULL),
    ('6', 'fay', 'f@x', NULL, '70000', NULL),
    ('7', 'root', 'g@x', NULL, '12', '2'),        -- two CHECKs and a foreign key
    ('8', NULL, 'x', 'never', '1e3', '3'),        -- everything
    ('1', NULL, 'i@x', NULL, NULL, NULL),         -- a duplicate too
    ('10', 'joe', 'j@x', NULL, NULL, '1');
-- NOT NULL has a name from PostgreSQL 18 on.
SELECT row_number, status, NULLIF(constraint_name, 'people_name_not_null') AS constraint_name, columns, key, winner_row, sqlstate, message
FROM identity.import_rows('people', 'source');
SELECT * FROM people ORDER BY id;

-- One bad value among many costs no subtransaction a row, and is found in any chunk.
CREATE TABLE many (n int PRIMARY KEY CHECK (n <> 777), t text);
CREATE FUNCTION picky() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.n % 10000 = 0 THEN RAISE EXCEPTION 'no round numbers' USING ERRCODE = 'P0007', DETAIL = 'not shown'; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER picky AFTER INSERT ON many FOR EACH ROW EXECUTE FUNCTION picky();
SELECT row_number, status, constraint_name, columns, key, sqlstate, message
FROM identity.import_rows('many', $$SELECT CASE n WHEN 4321 THEN 'x' ELSE n::text END AS n, 't' AS t FROM generate_series(1, 30001) n$$);
SELECT count(*), min(n), max(n) FROM many;
DROP TABLE many;
DROP FUNCTION picky();

-- References to the table itself: a parent is an older row, or an earlier one of the source that goes in.
CREATE TABLE staff (id int PRIMARY KEY, name text UNIQUE, boss int REFERENCES staff, CHECK (name <> 'bad'));
INSERT INTO staff VALUES (1, 'ann', NULL);
SELECT row_number, status, constraint_name, key, winner_row, sqlstate, message FROM identity.import_rows('staff',
  $$SELECT * FROM (VALUES (2, 'bob', 1), (3, 'cid', 2), (4, 'dan', 4), (5, 'eve', 6), (6, 'fay', 2), (7, 'gus', 99),
                          (8, 'bad', 1), (9, 'hal', 8), (3, 'ivy', 1), (10, 'joy', 3)) v (id, name, boss)$$);
SELECT * FROM staff ORDER BY id;
DROP TABLE staff;

-- MATCH FULL, a deferred foreign key, and one to a table that the caller cannot read.
CREATE TABLE pairs (a int, b int, PRIMARY KEY (a, b));
INSERT INTO pairs VALUES (1, 1);
CREATE TABLE t (n int PRIMARY KEY, a int, b int, site int REFERENCES sites DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (a, b) REFERENCES pairs MATCH FULL);
BEGIN;
SELECT row_number, status, constraint_name, columns, key, sqlstate FROM identity.import_rows('t',
  $$SELECT * FROM (VALUES (1, 1, 1, 1), (2, 1, NULL, NULL), (3, 1, 2, 5), (4, NULL, NULL, NULL)) v (n, a, b, site)$$);
COMMIT;
SELECT * FROM t ORDER BY n;
CREATE ROLE loader;
SELECT identity.grant_access('loader', 'importer');
GRANT SELECT, INSERT ON t TO loader;
SET ROLE loader;
SELECT row_number, status, constraint_name, sqlstate, message FROM identity.import_rows('t',
  $$SELECT * FROM (VALUES (5, 1, 1), (6, 7, 7), (7, 1, 1)) v (n, a, b)$$);
RESET ROLE;
SELECT * FROM t ORDER BY n;
SELECT identity.revoke_access('loader');
DROP TABLE t, pairs;
DROP ROLE loader;

-- A CHECK that fails, rather than being false.
CREATE TABLE t (n int, CHECK (10 / n > 1), s text UNIQUE);
SELECT row_number, status, constraint_name, key, winner_row, sqlstate, message FROM identity.import_rows('t',
  $$SELECT * FROM (VALUES (1, 'a'), (0, 'b'), (9, 'c'), (2, 'b'), (0, 'a')) v (n, s)$$);
SELECT * FROM t ORDER BY n;
DROP TABLE t;

-- max_problems: one more, and nothing goes in.
CREATE TABLE t (n int PRIMARY KEY);
SELECT count(*) FROM identity.import_rows('t', 'SELECT n / 2 AS n FROM generate_series(2, 9) n', max_problems => 3);
SELECT count(*) FROM t;
SELECT count(*) FROM identity.import_rows('t', 'SELECT n / 2 AS n FROM generate_series(2, 9) n', max_problems => 4);
SELECT count(*) FROM t;
SELECT outcome, rows_total, inserted, duplicate, withheld FROM identity.import_runs ORDER BY started_at DESC LIMIT 2;
DROP TABLE t, people, sites, source;
DROP DOMAIN mail;
