-- on_conflict and dry_run.
SET client_min_messages = notice;
CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL, mail text, phone text UNIQUE, seen int DEFAULT 0);
CREATE UNIQUE INDEX people_mail ON people (lower(mail));
INSERT INTO people (name, mail, phone) VALUES ('ann', 'ann@x', '1'), ('bob', 'bob@x', '2'), ('cid', 'cid@x', '3');
CREATE TABLE source (name text, mail text, phone text);
INSERT INTO source VALUES
    ('Ann', 'ANN@x', '1'),      -- the row itself
    ('Bob', 'bob@x', '3'),      -- found by mail, its phone is held by cid
    ('Dan', 'dan@x', '4'),      -- new
    ('Ann II', 'ann@X', '5'),   -- a second row for ann
    (NULL, 'cid@x', '3'),       -- found, but invalid
    ('Eve', NULL, '6'),         -- NULL finds nothing: new
    ('Fay', 'fay@x', '2');      -- new, its phone is held by bob

-- A dry run says what the real run will do, and leaves nothing.
CREATE TABLE told AS SELECT * FROM identity.import_rows('people', 'source', on_conflict => 'update', match_on => '{mail}', report => 'all', dry_run => true);
SELECT count(*) FROM people WHERE name <> lower(name);
CREATE TABLE done AS SELECT * FROM identity.import_rows('people', 'source', on_conflict => 'update', match_on => '{mail}', report => 'all');
-- NOT NULL has a name from PostgreSQL 18 on.
SELECT row_number, status, NULLIF(constraint_name, 'people_name_not_null') AS constraint_name, columns, key, existing, winner_row, sqlstate, message
FROM done;
SELECT row_number, status, constraint_name, columns, key, winner_row, sqlstate FROM told
EXCEPT SELECT row_number, status, constraint_name, columns, key, winner_row, sqlstate FROM done;
SELECT name, mail, phone, seen FROM people ORDER BY id;

-- abort: nothing goes in, the whole report comes back, and the run is on record.
SELECT row_number, status, constraint_name, existing, winner_row FROM identity.import_rows('people',
  $$SELECT * FROM (VALUES ('new', '7'), ('old', '1'), ('twice', '7')) v (name, phone)$$, on_conflict => 'abort', report => 'all');
SELECT count(*) FROM people WHERE name IN ('new', 'old');
SELECT outcome, inserted, conflict, duplicate, withheld FROM identity.import_runs ORDER BY started_at DESC LIMIT 1;
SELECT * FROM identity.import_rows('people', $$SELECT 'gil' AS name, '8' AS phone$$, on_conflict => 'abort');
SELECT count(*) FROM people WHERE name = 'gil';

-- error: raises, with the counts, the first problems, and the dry run that shows all.
SELECT * FROM identity.import_rows('people', $$SELECT * FROM (VALUES ('new', '9', '0'), ('old', '1', '0'), ('pat', '2', 'x')) v (name, phone, seen)$$, on_conflict => 'error');
SELECT count(*) FROM people WHERE name = 'new';
SELECT * FROM identity.import_rows('people', $$SELECT 'hal' AS name, '10' AS phone$$, on_conflict => 'error');
SELECT count(*) FROM people WHERE name = 'hal';

-- update by a primary key, by several columns, by a partial key; only the key comes.
SELECT row_number, status, existing FROM identity.import_rows('people', 'SELECT 1 AS id, 5 AS seen', on_conflict => 'update', match_on => '{id}', report => 'all');
SELECT id, seen FROM people WHERE id = 1;
CREATE TABLE t (realm int, name text, n int, gone boolean DEFAULT false, PRIMARY KEY (realm, name));
CREATE UNIQUE INDEX t_live ON t (n) WHERE NOT gone;
INSERT INTO t VALUES (1, 'a', 1, false), (1, 'b', 2, false), (2, 'a', 3, true);
SELECT row_number, status, constraint_name, existing FROM identity.import_rows('t', $$SELECT * FROM (VALUES (1, 'a', 10), (2, 'b', 20), (2, 'a', 2)) v (realm, name, n)$$,
  on_conflict => 'update', match_on => '{name,realm}', report => 'all');
SELECT * FROM t ORDER BY 1, 2;
SELECT row_number, status, existing FROM identity.import_rows('t', $$SELECT * FROM (VALUES (10, 3, 'z'), (3, 4, 'q')) v (n, realm, name)$$, on_conflict => 'update', match_on => '{n}', report => 'all');
SELECT * FROM t ORDER BY 1, 2;
SELECT row_number, status, existing FROM identity.import_rows('t', $$SELECT 1 AS realm, 'b' AS name$$, on_conflict => 'update', match_on => '{name,realm}', report => 'all');

-- A key that the updated row keeps, because the source does not bring it, is no conflict with itself.
SELECT row_number, status FROM identity.import_rows('t', $$SELECT 1 AS realm, 'b' AS name, true AS gone$$, on_conflict => 'update', match_on => '{name,realm}', report => 'all');

-- A key that a row of the target gives up is free for the later rows of the source, not for the earlier ones.
CREATE TABLE chain (id int PRIMARY KEY, login text UNIQUE);
INSERT INTO chain VALUES (1, 'a'), (2, 'b'), (3, 'c');
SELECT row_number, status, constraint_name, key, existing, winner_row FROM identity.import_rows('chain',
  $$SELECT * FROM (VALUES (1, 'x'), (2, 'a'), (9, 'b'), (4, 'c'), (3, 'd'), (5, 'c')) v (id, login)$$,
  on_conflict => 'update', match_on => '{id}', report => 'all');
SELECT * FROM chain ORDER BY id;
SELECT row_number, status, constraint_name, key, existing, winner_row FROM identity.import_rows('chain',
  $$SELECT * FROM (VALUES (1, 'x'), (2, 'a'), (9, 'b'), (4, 'c'), (3, 'd'), (5, 'c')) v (id, login)$$,
  on_conflict => 'update', match_on => '{id}', report => 'all');
SELECT * FROM chain ORDER BY id;
DROP TABLE people, source, told, done, t, chain;
