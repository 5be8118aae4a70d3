-- As if the rows came one by one, in the cases where that is hard.
SET client_min_messages = warning;
CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;

-- The row that wins a key is refused afterwards: the next one that wants it goes in. Whatever refuses it:
-- an AFTER trigger,
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.n < 0 THEN RAISE EXCEPTION 'refused'; END IF; RETURN NULL; END $$;
CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, v text UNIQUE, n int);
CREATE TRIGGER refuse AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT row_number, status, constraint_name, winner_row FROM identity.import_rows('t',
  $$SELECT * FROM (VALUES (1, 'x', 'p', -1), (2, 'x', 'q', 1), (3, 'x', 'r', 2), (4, 'y', 'q', 2), (5, 'z', 'r', 2)) v (id, u, v, n)$$);
SELECT id FROM t ORDER BY 1;
DROP TABLE t;
-- a unique index of one partition,
CREATE TABLE p (r int, u text, UNIQUE (r)) PARTITION BY LIST (r);
CREATE TABLE p1 PARTITION OF p DEFAULT;
CREATE UNIQUE INDEX p1_u ON p1 (u);
INSERT INTO p VALUES (2, 'q');
SELECT row_number, status, constraint_name, winner_row FROM identity.import_rows('p', $$SELECT * FROM (VALUES (1, 'q'), (1, 's')) v (r, u)$$);
SELECT * FROM p ORDER BY 1;
DROP TABLE p;
-- a key that takes its default,
CREATE TABLE t (id serial PRIMARY KEY, u text UNIQUE);
INSERT INTO t VALUES (1, 'a');
SELECT row_number, status, constraint_name, winner_row FROM identity.import_rows('t', $$SELECT 'x' AS u UNION ALL SELECT 'x' UNION ALL SELECT 'x'$$);
SELECT * FROM t ORDER BY 1;
DROP TABLE t;
-- a policy,
CREATE ROLE loader;
SELECT identity.grant_access('loader', 'importer');
CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, n int);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY positive ON t WITH CHECK (n > 0);
GRANT SELECT, INSERT ON t TO loader;
SET ROLE loader;
SELECT row_number, status, constraint_name, winner_row, sqlstate FROM identity.import_rows('t', $$SELECT * FROM (VALUES (1, 'x', -1), (2, 'x', 1), (3, 'x', 1)) v (id, u, n)$$);
RESET ROLE;
SELECT id FROM t ORDER BY 1;
SELECT identity.revoke_access('loader');
DROP TABLE t;
DROP ROLE loader;
-- a BEFORE UPDATE trigger.
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF NEW.v = 'nul' THEN RETURN NULL; END IF; IF NEW.v = 'dup' THEN NEW.v := 'b'; END IF; RETURN NEW; END $$;
CREATE TABLE t (id int PRIMARY KEY, v text UNIQUE);
CREATE TRIGGER meddle BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION meddle();
INSERT INTO t VALUES (1, 'a'), (2, 'b');
SELECT row_number, status, constraint_name, key, winner_row FROM identity.import_rows('t', $$SELECT * FROM (VALUES (1, 'dup'), (1, 'nul'), (1, 'fine')) v (id, v)$$,
  on_conflict => 'update', match_on => '{id}', report => 'all');
SELECT * FROM t ORDER BY 1;
DROP TABLE t;

-- Inserts and updates take turns where one needs the other, or a trigger could.
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES t);
INSERT INTO t VALUES (1, NULL);
SELECT row_number, status FROM identity.import_rows('t', $$SELECT * FROM (VALUES (2, NULL::int), (1, 2), (3, 1)) v (id, parent)$$,
  on_conflict => 'update', match_on => '{id}', report => 'all');
SELECT * FROM t ORDER BY 1;
DROP TABLE t;
CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE);
INSERT INTO t VALUES (1, 'old');
CREATE TRIGGER noop BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION noop();
SELECT row_number, status, constraint_name, existing FROM identity.import_rows('t', $$SELECT * FROM (VALUES (2, 'old'), (1, 'new'), (3, 'old')) v (id, u)$$,
  on_conflict => 'update', match_on => '{id}');
SELECT * FROM t ORDER BY 1;
SELECT row_number, status, constraint_name, existing FROM identity.import_rows('t', $$SELECT * FROM (VALUES (4, 'newer'), (1, 'newer')) v (id, u)$$,
  on_conflict => 'update', match_on => '{id}');
DROP TABLE t;

-- With a trigger that changes nothing, a later row is never named as the winner.
CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, v text UNIQUE);
CREATE TRIGGER noop BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION noop();
SELECT row_number, status, constraint_name, winner_row FROM identity.import_rows('t', $$SELECT * FROM (VALUES (1, 'a', 'p'), (2, 'a', 'z'), (3, 'c', 'z')) v (id, u, v)$$);
-- ... and thousands of bad rows need no lock each.
SELECT status, count(*) FROM identity.import_rows('t', $$SELECT NULLIF(n % 2, 0) * n AS id, n::text AS u FROM generate_series(10, 1509) n$$) GROUP BY 1;
SELECT count(*) < 60 AS few_locks FROM pg_locks WHERE pid = pg_backend_pid();
DROP TABLE t;

-- Deferred foreign keys are checked with the import, also where they could not be looked up before.
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
CREATE TRIGGER noop BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION noop();
BEGIN;
SELECT row_number, status, constraint_name, sqlstate FROM identity.import_rows('t', $$SELECT * FROM (VALUES (1, NULL::int), (2, 9)) v (id, p)$$);
COMMIT;
SELECT * FROM t;
-- What the caller has left open before stays open.
BEGIN;
INSERT INTO t VALUES (3, 7);
SELECT row_number, status FROM identity.import_rows('t', $$SELECT 4 AS id, 8 AS p$$, report => 'all');
INSERT INTO parents VALUES (7), (8);
COMMIT;
SELECT * FROM t ORDER BY 1;
DROP TABLE t, parents;

-- GENERATED ALWAYS identity as the matching key; the right to change only what changes.
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
INSERT INTO t (v) VALUES ('a');
SELECT row_number, status, existing FROM identity.import_rows('t', $$SELECT * FROM (VALUES (1, 'b'), (9, 'c')) v (id, v)$$, on_conflict => 'update', match_on => '{id}', report => 'all');
SELECT row_number, status, existing FROM identity.import_rows('t', 'SELECT 1 AS id', on_conflict => 'update', match_on => '{id}', report => 'all');
SELECT * FROM t ORDER BY 1;
DROP TABLE t;

-- A matching key over which an expression fails.
CREATE TABLE t (e int, d text, n int);
CREATE UNIQUE INDEX t_key ON t ((12 / e), d);
INSERT INTO t VALUES (3, 'x', 1), (4, 'q', 1);
SELECT row_number, status, sqlstate FROM identity.import_rows('t', $$SELECT * FROM (VALUES (0, 'x', 2), (4, 'q', 5)) v (e, d, n)$$, on_conflict => 'update', match_on => '{e,d}', report => 'all');
SELECT * FROM t ORDER BY 1;
DROP TABLE t;

-- Types whose bare name means a length of one.
CREATE DOMAIN bits AS bit(3);
CREATE TABLE t (c char(4), ca char(4)[], b bit(3), ba bit(2)[], d bits, v varchar(3)[], n numeric(5, 2));
SELECT row_number, status, columns, message FROM identity.import_rows('t',
  $$SELECT 'ab'::text AS c, '{wxyz}'::text AS ca, '101'::text AS b, '{10,01}'::text AS ba, '111'::text AS d, '{abc}'::text AS v, '12.345'::text AS n
    UNION ALL SELECT 'abcde', '{vwxyz}', '10', '{1}', '1', '{abcd}', '1234.5'$$);
SELECT * FROM t;
DROP TABLE t;
DROP DOMAIN bits;

-- pg_catalog last in the search path.
CREATE SCHEMA evil;
CREATE FUNCTION evil.eq(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.eq);
CREATE TABLE public.t (id int PRIMARY KEY, n int CHECK (n = 1));
SET search_path = evil, public, pg_catalog;
SELECT row_number, status, constraint_name FROM identity.import_rows('t', 'SELECT 2 AS id, 1 AS n UNION ALL SELECT 3, 2', report => 'all');
RESET search_path;
DROP TABLE t;
DROP SCHEMA evil CASCADE;

-- session_replication_role = replica: foreign keys and ordinary triggers are asleep, here as there.
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES parents);
SET session_replication_role = replica;
SELECT row_number, status FROM identity.import_rows('t', 'SELECT 1 AS id, 5 AS p', report => 'all');
RESET session_replication_role;
DROP TABLE t, parents;

-- An error inside a block that catches it leaves the transaction as it was.
CREATE TABLE t (n int);
DO $$
BEGIN
    INSERT INTO t VALUES (1);
    BEGIN
        INSERT INTO t VALUES (2);
        PERFORM identity.import_rows('t', 'SELECT 1 / (n - 5) AS n FROM generate_series(1, 9) n');
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
END $$;
SELECT * FROM t;
DROP TABLE t;

-- A foreign table as the source.
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE remote (id int, name text) SERVER files OPTIONS (program 'printf "1,a\n2,b\n2,c\n"', format 'csv');
CREATE TABLE t (id int PRIMARY KEY, name text);
SELECT row_number, status, key, winner_row FROM identity.import_rows('t', 'remote');
SELECT * FROM t ORDER BY 1;
DROP TABLE t;
DROP EXTENSION file_fdw CASCADE;
DROP FUNCTION noop, refuse, meddle;
