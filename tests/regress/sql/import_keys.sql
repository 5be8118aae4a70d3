-- Every kind of key.
\set QUIET on
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION IF NOT EXISTS btree_gist;
\set QUIET off

-- Quoting, dropped columns, another order of columns, arrays, jsonb, domains, citext, identity and generated columns.
CREATE SCHEMA "Weird ""Schema""";
CREATE DOMAIN short AS varchar(8) CHECK (VALUE <> 'bad');
CREATE TABLE "Weird ""Schema"""."Weird ""Name""" (
    gone int,
    "Id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "e-mail" citext UNIQUE,
    "key" short UNIQUE,
    gone_too text,
    tags text[] UNIQUE,
    doc jsonb DEFAULT '{"a": 1}',
    "it's" text GENERATED ALWAYS AS (lower("key"::text)) STORED UNIQUE,
    "select" uuid DEFAULT gen_random_uuid() UNIQUE
);
ALTER TABLE "Weird ""Schema"""."Weird ""Name""" DROP COLUMN gone, DROP COLUMN gone_too;
CREATE TABLE "my source" (tags text[], "e-mail" text, doc json, "key" text);
INSERT INTO "my source" VALUES
    ('{a,b}', 'A@x.com', '{"n": 1}', 'one'),
    ('{a,b}', 'a@X.com', '{"n": 2}', 'ONE'),
    ('{b,a}', 'b@x.com', NULL, 'much too long'),
    (NULL, 'c@x.com', '[]', 'bad'),
    (NULL, NULL, '[]', 'two');
SELECT row_number, status, constraint_name, columns, key, existing, winner_row, sqlstate, message
FROM identity.import_rows('"Weird ""Schema"""."Weird ""Name"""', '"my source"');
SELECT row_number, status, constraint_name, columns, key, existing
FROM identity.import_rows('"Weird ""Schema"""."Weird ""Name"""', '"my source"') WHERE row_number <= 2;
SELECT "Id", "e-mail", "key", tags, doc, "it's", "select" IS NOT NULL AS has_default FROM "Weird ""Schema"""."Weird ""Name""" ORDER BY 1;
-- A value given for a GENERATED ALWAYS identity is kept, as COPY keeps it.
SELECT row_number, status, constraint_name, key, existing FROM identity.import_rows('"Weird ""Schema"""."Weird ""Name"""', 'SELECT 77 AS "Id" UNION ALL SELECT 77');
DROP SCHEMA "Weird ""Schema""" CASCADE;
DROP TABLE "my source";
DROP DOMAIN short;

-- Partial, INCLUDE, several columns, a column that takes its default, NULLs.
CREATE TABLE t (realm text DEFAULT 'main', name text, ext int, gone boolean DEFAULT false, UNIQUE (realm, name) INCLUDE (ext));
CREATE UNIQUE INDEX t_ext_live ON t (ext) WHERE NOT gone;
INSERT INTO t VALUES ('main', 'bob', 1, false), ('other', 'eve', 2, true);
SELECT row_number, status, constraint_name, columns, key, existing ? 'ctid' AS placed, winner_row
FROM identity.import_rows('t', $$VALUES ('bob', 5, false), ('eve', 2, false), ('kim', 2, false), ('lea', 2, true), ('lea', 9, true), (NULL, NULL, false), (NULL, NULL, false)$$)
  AS r;
SELECT row_number, status, constraint_name, columns, key, existing ? 'ctid' AS placed, winner_row
FROM identity.import_rows('t', $$SELECT * FROM (VALUES ('bob', 5, false), ('eve', 2, false), ('kim', 2, false), ('lea', 2, true), ('lea', 9, true), (NULL, NULL, false), (NULL, NULL, false)) v (name, ext, gone)$$);
SELECT * FROM t ORDER BY ctid;
DROP TABLE t;

-- NULLS NOT DISTINCT: NULL is a value like another.
CREATE TABLE t (a int, b int, n int, UNIQUE NULLS NOT DISTINCT (a, b));
INSERT INTO t VALUES (1, NULL, 0), (NULL, NULL, 0), (2, 2, 0);
SELECT row_number, status, key, winner_row FROM identity.import_rows('t',
  $$SELECT * FROM (VALUES (1, NULL::int, 1), (NULL, NULL, 2), (2, 2, 3), (NULL, 7, 4), (NULL, 7, 5), (3, NULL, 6), (3, NULL, 7), (4, 4, 8), (4, 4, 9)) v (a, b, n)$$);
SELECT * FROM t ORDER BY n, a, b;
DROP TABLE t;

-- Deferrable keys, immediate and deferred; the run checks them, the transaction's end has nothing left to refuse.
CREATE TABLE t (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, name text UNIQUE DEFERRABLE);
INSERT INTO t VALUES (1, 'a');
BEGIN;
SELECT row_number, status, constraint_name, key, existing, winner_row FROM identity.import_rows('t',
  $$SELECT * FROM (VALUES (1, 'b'), (2, 'a'), (3, 'c'), (3, 'd'), (4, 'c'), (5, 'e')) v (id, name)$$);
COMMIT;
SELECT * FROM t ORDER BY id;
DROP TABLE t;

-- An exclusion constraint: one holder is named, and earlier rows of the source exclude later ones.
CREATE TABLE rooms (id serial PRIMARY KEY, room int, during int4range, EXCLUDE USING gist (room WITH =, during WITH &&));
INSERT INTO rooms (room, during) VALUES (1, '[10,20)'), (1, '[20,30)');
SELECT row_number, status, constraint_name, columns, key, existing, winner_row, sqlstate FROM identity.import_rows('rooms',
  $$SELECT room, during::int4range FROM (VALUES (1, '[15,25)'), (2, '[1,5)'), (2, '[4,8)'), (2, '[7,9)'), (2, 'empty'), (NULL, '[1,5)')) v (room, during)$$);
SELECT room, during FROM rooms ORDER BY id;
DROP TABLE rooms;

-- A collation that does not tell case apart, and an opclass that is not the default.
CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE t (name text COLLATE caseless UNIQUE, path text);
CREATE UNIQUE INDEX t_path ON t (path text_pattern_ops);
INSERT INTO t VALUES ('Bob', '/a');
SELECT row_number, status, constraint_name, key, winner_row FROM identity.import_rows('t',
  $$SELECT * FROM (VALUES ('BOB', '/b'), ('Eve', '/c'), ('EVE', '/d'), ('x', '/a'), ('y', '/c')) v (name, path)$$);
DROP TABLE t;
DROP COLLATION caseless;

-- Partitions: keys of the whole, and one that a single partition has for itself.
CREATE TABLE p (realm int, name text, mail text, PRIMARY KEY (realm, name)) PARTITION BY LIST (realm);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 (name text, mail text, realm int NOT NULL);
ALTER TABLE p2 ADD PRIMARY KEY (realm, name);
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES IN (2);
CREATE UNIQUE INDEX p1_mail ON p1 (mail);
INSERT INTO p VALUES (1, 'a', 'a@x'), (2, 'a', 'a@x');
SELECT row_number, status, constraint_name, key, existing, winner_row, sqlstate, message FROM identity.import_rows('p',
  $$SELECT * FROM (VALUES (1, 'a', 'q'), (2, 'b', 'a@x'), (1, 'b', 'a@x'), (3, 'c', 'c'), (1, 'c', 'c'), (1, 'd', 'c')) v (realm, name, mail)$$);
SELECT tableoid::regclass, * FROM p ORDER BY 2, 3;
DROP TABLE p;

-- A child of plain inheritance has keys of its own: only the table named counts.
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
INSERT INTO child VALUES (1);
SELECT row_number, status FROM identity.import_rows('parent', 'SELECT id FROM child', report => 'all');
DROP TABLE parent CASCADE;

-- A sequence that lags behind its column: the rows that meet a taken number are reported, the others go in.
CREATE TABLE t (id serial PRIMARY KEY, name text);
INSERT INTO t VALUES (1, 'a'), (2, 'b');
SELECT row_number, status, constraint_name, sqlstate, message FROM identity.import_rows('t', $$SELECT 'n' || n AS name FROM generate_series(1, 4) n$$);
SELECT * FROM t ORDER BY id;
DROP TABLE t;

-- An index expression that fails over some row: that row is invalid.
CREATE TABLE t (doc jsonb);
CREATE UNIQUE INDEX t_n ON t (((doc ->> 'n')::int));
SELECT row_number, status, constraint_name, key, winner_row, sqlstate, message FROM identity.import_rows('t',
  $$SELECT d::jsonb AS doc FROM unnest('{"{\"n\": 1}","{\"n\": \"x\"}","{\"n\": 1}","{}"}'::text[]) d$$);
SELECT * FROM t;
DROP TABLE t;

-- Many rows, in small chunks and in one: the same.
CREATE TABLE t (id serial PRIMARY KEY, a int UNIQUE, b text UNIQUE);
INSERT INTO t (a, b) SELECT n, 'b' || n FROM generate_series(1, 100000, 7) n;
CREATE TABLE source AS SELECT (n * 37) % 47000 AS a, 'b' || (n * 11) % 90000 AS b FROM generate_series(1, 60000) n;
CREATE TABLE outcome AS SELECT 'one' AS way, r.* FROM identity.import_rows('t', 'source', dry_run => true) r;
SET identity.import_chunk_rows = 777;
INSERT INTO outcome SELECT 'small', r.* FROM identity.import_rows('t', 'source', dry_run => true) r;
RESET identity.import_chunk_rows;
INSERT INTO outcome SELECT 'real', r.* FROM identity.import_rows('t', 'source') r;
SELECT way, status, count(*), count(DISTINCT row_number) FROM outcome GROUP BY 1, 2 ORDER BY 1, 2;
-- ... and the same as one by one.
TRUNCATE t RESTART IDENTITY;
INSERT INTO t (a, b) SELECT n, 'b' || n FROM generate_series(1, 100000, 7) n;
CREATE TABLE one_by_one (n bigint);
DO $$
DECLARE r record; n bigint := 0;
BEGIN
    FOR r IN SELECT * FROM source LOOP
        n := n + 1;
        INSERT INTO t (a, b) VALUES (r.a, r.b) ON CONFLICT DO NOTHING;
        IF FOUND THEN INSERT INTO one_by_one VALUES (n); END IF;
    END LOOP;
END $$;
SELECT count(*) AS rows_that_went_in, count(*) FILTER (WHERE o.row_number IS NOT NULL) AS of_them_reported
FROM one_by_one LEFT JOIN (SELECT DISTINCT row_number FROM outcome WHERE way = 'real') o ON o.row_number = n;
DROP TABLE t, source, outcome, one_by_one;
