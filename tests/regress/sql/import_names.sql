-- A name is never SQL: whatever schemas, tables, columns, constraints, types, collations and functions are called, it means what it names.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE SCHEMA "s'c;h""e.ma @site $1";
SET search_path = "s'c;h""e.ma @site $1", public;
CREATE DOMAIN "do, main" AS varchar(20) CHECK (VALUE <> 'bad');
CREATE COLLATION "col, ""late" (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE FUNCTION "lo'wer, ($1)"(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.lower($1)';
CREATE OPERATOR CLASS "op class; --" FOR TYPE anyrange USING gist AS
    OPERATOR 3 && (anyrange, anyrange), OPERATOR 18 = (anyrange, anyrange), FUNCTION 1 range_gist_consistent(internal, anyrange, int2, oid, internal), FUNCTION 2 range_gist_union(internal, internal),
    FUNCTION 5 range_gist_penalty(internal, internal, internal), FUNCTION 6 range_gist_picksplit(internal, internal), FUNCTION 7 range_gist_same(anyrange, anyrange, internal);
CREATE TABLE "parent, ""table" ("key, 1" int, "@site" text, PRIMARY KEY ("key, 1", "@site"));
INSERT INTO "parent, ""table" VALUES (1, 'one'), (2, 'two');
CREATE TABLE "x USING gist(r);create table public.pwned();--" (
    "a, b" int CONSTRAINT "primary;--" PRIMARY KEY,
    "last, first" text COLLATE "col, ""late" CONSTRAINT "unique, ($1) {}" UNIQUE,
    "@site" text,
    "$1" int CONSTRAINT "check '1' @rn" CHECK ("$1" < 100),
    "new
line" "do, main" NOT NULL DEFAULT 'new''line',
    "größe \ 'n'" int4range,
    "{hole}" text,
    "%s" text GENERATED ALWAYS AS ("lo'wer, ($1)"("{hole}") || '@realm $1 {}') STORED,
    "select" int,
    CONSTRAINT "x USING gist(r);create table public.pwned2();--" EXCLUDE USING gist ("select" WITH =, "größe \ 'n'" "op class; --" WITH &&) WHERE ("$1" IS NOT NULL),
    CONSTRAINT "foreign, 'key'" FOREIGN KEY ("$1", "@site") REFERENCES "parent, ""table" MATCH FULL,
    CONSTRAINT "self" FOREIGN KEY ("select") REFERENCES "x USING gist(r);create table public.pwned();--" DEFERRABLE INITIALLY DEFERRED);
CREATE UNIQUE INDEX "in""dex, @contest" ON "x USING gist(r);create table public.pwned();--" ("lo'wer, ($1)"("{hole}"), ("$1" + 1)) WHERE "{hole}" <> 'it''s @realm $1 {}';
INSERT INTO "x USING gist(r);create table public.pwned();--" VALUES (1, 'Ann', 'one', 1, 'x', '[1,5)', 'A', DEFAULT, 1);
CREATE TABLE "sou, rce" AS SELECT * FROM (VALUES
    (1, 'bea', 'one', 1, 'x', '[5,9)', 'B', 1, 'r1 @site'),            -- the primary key is held
    (2, 'ANN', 'one', 1, 'x', '[4,6)', 'a', 1, 'r2 $1'),               -- so are all others
    (3, 'cid', 'one', 2, 'x', '[20,30)', 'C', 1, 'r3 {}'),             -- refers to nothing
    (4, 'dan', 'two', 2, 'bad', '[20,30)', 'D', 1, 'r4'),              -- not of the domain
    (5, 'eve', 'two', 200, 'x', '[20,30)', 'E', 1, 'r5'),              -- breaks the CHECK
    (6, 'fay', 'two', 2, NULL, '[20,30)', 'F', 1, 'r6'),               -- is not given
    (7, 'gus', NULL, 2, 'x', '[20,30)', 'G', 1, 'r7'),                 -- half a reference
    (8, 'hal', 'two', 2, 'x', '[20,30)', 'H', 99, 'r8'),               -- refers to no row of the table
    (9, 'ivy', 'two', 2, 'x', '[20,30)', 'I', 1, 'r9'),                -- goes in
    (10, 'IVY', 'two', 2, 'x', '[29,31)', 'i', 1, 'r10'),              -- loses to it, under every key
    (11, 'joy', 'two', 2, 'x', '[40,50)', 'it''s @realm $1 {}', 9, 'r11')) v
    ("a, b", "last, first", "@site", "$1", "new
line", "größe \ 'n'", "{hole}", "select", "row; id");
SELECT row_number AS n, row_id, status, CASE WHEN sqlstate <> '23502' THEN constraint_name END AS constraint_name, columns, key, existing, winner_row, sqlstate, message
FROM identity.import_rows('"x USING gist(r);create table public.pwned();--"', '"sou, rce"', row_id => 'row; id', dry_run => true);
SELECT row_number AS n, row_id, status, CASE WHEN sqlstate <> '23502' THEN constraint_name END AS constraint_name, existing
FROM identity.import_rows('"x USING gist(r);create table public.pwned();--"', 'SELECT * FROM "sou, rce"', row_id => 'row; id', report => 'all');
SELECT * FROM "x USING gist(r);create table public.pwned();--" ORDER BY 1;
-- Updates, by each key that can find a row.
SELECT row_number AS n, row_id, status, constraint_name, existing, winner_row
FROM identity.import_rows('"x USING gist(r);create table public.pwned();--"', $$SELECT "last, first", 'new @site $1 {}' AS "new
line", CASE lower("last, first") WHEN 'ann' THEN 1 WHEN 'ivy' THEN 9 ELSE 23 END AS "a, b", "row; id" FROM "sou, rce" WHERE "a, b" IN (2, 3, 9, 10)$$,
  row_id => 'row; id', report => 'all', on_conflict => 'update', match_on => '{"last, first"}');
SELECT row_number AS n, status, constraint_name, existing
FROM identity.import_rows('"x USING gist(r);create table public.pwned();--"', $$SELECT 'i' AS "{hole}", 2 AS "$1", 'two' AS "@site", 'by two @realm $1 {}' AS "new
line"$$,
  report => 'all', on_conflict => 'update', match_on => ARRAY['$1', '{hole}']);
SELECT * FROM "x USING gist(r);create table public.pwned();--" ORDER BY 1;

-- Triggers that change keys, many rows, and a large source.
CREATE FUNCTION "trig'ger @rn"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW."last, first" := NEW."last, first" || '!'; RETURN NEW; END $$;
CREATE TRIGGER "a, trigger" BEFORE INSERT ON "x USING gist(r);create table public.pwned();--" FOR EACH ROW WHEN (NEW."a, b" < 200) EXECUTE FUNCTION "trig'ger @rn"();
SELECT row_number AS n, status, constraint_name, key, existing, winner_row, message
FROM identity.import_rows('"x USING gist(r);create table public.pwned();--"', $$SELECT n AS "a, b", 'N' || n % 3 AS "last, first" FROM generate_series(100, 104) n$$);
DROP TRIGGER "a, trigger" ON "x USING gist(r);create table public.pwned();--";
SELECT status, constraint_name, count(*)
FROM identity.import_rows('"x USING gist(r);create table public.pwned();--"', $$SELECT n % 22000 + 1000 AS "a, b", 'M' || n % 21000 AS "last, first", 'h' || n AS "{hole}" FROM generate_series(1, 23000) n$$)
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM "x USING gist(r);create table public.pwned();--";

-- Duplicates and their renaming.
TRUNCATE "x USING gist(r);create table public.pwned();--";
ALTER TABLE "x USING gist(r);create table public.pwned();--" DROP CONSTRAINT "unique, ($1) {}", DROP CONSTRAINT "foreign, 'key'", DROP CONSTRAINT "x USING gist(r);create table public.pwned2();--";
INSERT INTO "x USING gist(r);create table public.pwned();--" ("a, b", "last, first", "@site", "$1") VALUES (1, 'it''s $1', 'main; @site', 0), (2, 'It''s $1', 'sub''site', 0), (3, 'it''s $1', 'sub''site', 0);
SELECT * FROM identity.find_duplicates('"x USING gist(r);create table public.pwned();--"', 'last, first', '@site', 'a, b');
SELECT site, row_id, old_login, new_login, duplicate_of, reason
FROM identity.dedup_logins('"x USING gist(r);create table public.pwned();--"', 'last, first', '@site', 'a, b', '{"sub''site": "@site $1 ''"}', flag => '$1');
SELECT site, row_id, login, restored, status FROM identity.undo_dedup((SELECT run_id FROM identity.dedup_runs ORDER BY run_id DESC LIMIT 1));
SELECT "a, b", "last, first", "$1" FROM "x USING gist(r);create table public.pwned();--" ORDER BY 1;

-- A constraint that reads as an index's definition, and would make a table.
CREATE TABLE reserved (id int PRIMARY KEY, r int4range, CONSTRAINT "x USING gist(r);create table public.pwned2();--" EXCLUDE USING gist (r WITH &&));
SELECT row_number AS n, status, constraint_name FROM identity.import_rows('reserved', 'SELECT n AS id, int4range(n * 10, n * 10 + n * 6) AS r FROM generate_series(1, 3) n');
CREATE TABLE "t USING gist(r);create table public.pwned();--" (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&));
SELECT row_number AS n, status, constraint_name FROM identity.import_rows('"t USING gist(r);create table public.pwned();--"', 'SELECT n AS id, int4range(n * 10, n * 10 + n * 6) AS r FROM generate_series(1, 3) n');
SELECT to_regclass('public.pwned'), to_regclass('public.pwned2');
RESET search_path;
DROP SCHEMA "s'c;h""e.ma @site $1" CASCADE;
DELETE FROM identity.dedup_runs;
DELETE FROM identity.import_runs;
