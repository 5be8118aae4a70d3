-- A row is told by its site and its row_id, and the table of a run by what it is.
SET client_min_messages = warning;
CREATE SCHEMA app;
-- Each site numbers its users from 1.
CREATE TABLE app.logins (site_id int, original_id int, login text, flag boolean DEFAULT false, PRIMARY KEY (site_id, original_id));
INSERT INTO app.logins SELECT site, n, CASE WHEN n = 3 AND site = 2 THEN 'only' ELSE 'user' || n END FROM generate_series(1, 3) site, generate_series(1, 3) n;
SELECT * FROM identity.find_duplicates('app.logins', 'login', 'site_id', 'original_id');
SELECT site, row_id, old_login, new_login, duplicate_of FROM identity.dedup_logins('app.logins', 'login', 'site_id', 'original_id', '{"2": "fz_", "3": "gx_"}', flag => 'flag', dry_run => true);
CREATE TABLE told AS SELECT * FROM identity.dedup_logins('app.logins', 'login', 'site_id', 'original_id', '{"2": "fz_", "3": "gx_"}', flag => 'flag');
SELECT * FROM app.logins ORDER BY 1, 2;
SELECT site, row_id, login_key, keeper_site, keeper, old_login, new_login FROM identity.dedup_rows ORDER BY row_number;
-- Another site's row with the number of a renamed one is another row; a row that has moved to another site is missing in the one that it had.
DELETE FROM app.logins WHERE (site_id, original_id) = (3, 1);
UPDATE app.logins SET site_id = 4 WHERE (site_id, original_id) = (3, 2);
INSERT INTO app.logins VALUES (5, 2, 'user2');
UPDATE app.logins SET login = 'moved' WHERE (site_id, original_id) = (1, 2);
SELECT DISTINCT run_id AS run FROM told \gset
SELECT * FROM identity.undo_dedup(:'run', dry_run => true);
SELECT * FROM identity.undo_dedup(:'run');
SELECT * FROM app.logins ORDER BY 1, 2;
-- Without a key that says so the rows are looked at: within a site, and in groups only.
CREATE TABLE app.loose (site text, id int, login text);
INSERT INTO app.loose VALUES ('a', 1, 'bob'), ('b', 1, 'bob'), ('a', 2, 'x'), ('a', 2, 'y'), (NULL, 1, 'eve'), ('b', 2, 'eve');
SELECT login_key, sites, keeper FROM identity.find_duplicates('app.loose', 'login', 'site', 'id');
SELECT site, row_id, new_login FROM identity.dedup_logins('app.loose', 'login', 'site', 'id', '{"b": "b."}', dry_run => true);
INSERT INTO app.loose VALUES ('b', 1, 'BOB');
SELECT * FROM identity.find_duplicates('app.loose', 'login', 'site', 'id');
SELECT * FROM identity.dedup_logins('app.loose', 'login', 'site', 'id', '{"b": "b."}');
DELETE FROM app.loose WHERE login = 'BOB';
INSERT INTO app.loose VALUES (NULL, 1, 'EVE');
SELECT * FROM identity.find_duplicates('app.loose', 'login', 'site', 'id');
UPDATE app.loose SET id = NULL WHERE login = 'EVE';
SELECT * FROM identity.dedup_logins('app.loose', 'login', 'site', 'id', '{"b": "b."}');
-- A key over both columns says nothing of rows where one is NULL, nor does one of some rows, or of more columns.
DELETE FROM app.loose WHERE site IS NULL;
INSERT INTO app.loose VALUES (NULL, 1, 'Bob'), (NULL, 1, 'boB');
ALTER TABLE app.loose ALTER id SET NOT NULL;
CREATE UNIQUE INDEX ON app.loose (site, id) WHERE id > 2;
CREATE UNIQUE INDEX ON app.loose (site, id, login);
SELECT count(*) FROM identity.find_duplicates('app.loose', 'login', 'site', 'id');

-- The run's table is found when it has another name and another schema, and its columns are there.
CREATE TABLE app.people (id int PRIMARY KEY, site int, login text UNIQUE);
INSERT INTO app.people VALUES (1, 1, 'ann'), (2, 2, 'Ann'), (3, 2, 'ANN');
SELECT run_id AS run FROM identity.dedup_logins('app.people', 'login', 'site', 'id', '{"2": "fz_"}') LIMIT 1 \gset
CREATE SCHEMA archive;
ALTER TABLE app.people SET SCHEMA archive;
ALTER TABLE archive.people RENAME TO persons;
-- A table that took its name is another one, if it has the same rows.
CREATE TABLE app.people AS TABLE archive.persons;
SELECT row_id, login, restored, status FROM identity.undo_dedup(:'run', dry_run => true);
ALTER TABLE archive.persons RENAME login TO name;
SELECT * FROM identity.undo_dedup(:'run');
ALTER TABLE archive.persons RENAME name TO login;
-- Names that rows of it had before stay theirs, under its new name too.
INSERT INTO archive.persons VALUES (4, 1, 'nn'), (5, 2, 'NN');
UPDATE archive.persons SET login = 'other' WHERE id = 1;
SELECT row_id, new_login FROM identity.dedup_logins('archive.persons', 'login', 'site', 'id', '{"2": "A"}');
SELECT row_id, login, restored, status FROM identity.undo_dedup(:'run');
SELECT * FROM archive.persons ORDER BY id;
SELECT * FROM app.people ORDER BY id;
-- It is gone: nothing else is touched, unless it is named.
SELECT run_id AS run FROM identity.dedup_runs ORDER BY run_id DESC LIMIT 1 \gset
DROP TABLE app.people;
CREATE TABLE app.people AS TABLE archive.persons;
DROP TABLE archive.persons;
CREATE TABLE archive.persons AS TABLE app.people;
SELECT * FROM identity.undo_dedup(:'run');
SELECT row_id, login, restored, status FROM identity.undo_dedup(:'run', target => 'archive.persons');
SELECT * FROM archive.persons ORDER BY id;
SELECT * FROM identity.undo_dedup(:'run', target => 'told');
-- In another database, restored from a dump: by its name.
UPDATE identity.dedup_runs SET origin = '1/1', target_oid = 'told'::regclass WHERE run_id = :'run';
UPDATE identity.dedup_rows SET restored = false WHERE run_id = :'run';
SELECT row_id, status FROM identity.undo_dedup(:'run', dry_run => true);
DROP TABLE archive.persons;
SELECT * FROM identity.undo_dedup(:'run');

-- What only reads runs where nothing can be written.
BEGIN READ ONLY;
SELECT count(*) FROM identity.find_duplicates('app.people', 'login', 'site', 'id');
SELECT row_id, new_login FROM identity.dedup_logins('app.people', 'login', 'site', 'id', '{"2": "fz_"}', keep => 'none', dry_run => true);
SAVEPOINT here;
SELECT * FROM identity.dedup_logins('app.people', 'login', 'site', 'id', '{"2": "fz_"}');
ROLLBACK TO here;
SELECT * FROM identity.undo_dedup(:'run', dry_run => true);
ROLLBACK TO here;
SELECT * FROM identity.stage_site('acme', 'a', 'SELECT 1 AS id', '{"original_id": "id"}', dry_run => true);
ROLLBACK TO here;
SELECT * FROM identity.dedup_site_logins('acme', dry_run => true);
ROLLBACK;

-- Rows that share a counter, names that reach into each other's, a prefix that goes together with what comes after it.
CREATE TABLE app.many (site int, id int, login text, PRIMARY KEY (site, id));
INSERT INTO app.many SELECT 2, n, CASE n % 3 WHEN 0 THEN 'bob' WHEN 1 THEN 'bob1' ELSE 'Bob' END FROM generate_series(1, 90) n;
INSERT INTO app.many SELECT 1, n, 'fz_bob' || n FROM generate_series(5, 20) n;
INSERT INTO app.many SELECT 3, n, CASE n % 2 WHEN 0 THEN U&'\0301t' ELSE U&'\0301T' END FROM generate_series(1, 6) n;
INSERT INTO app.many VALUES (1, 100, U&'\00E9t'), (1, 101, U&'\00E9t3');
SELECT site, count(*), count(DISTINCT new_login), max(new_login COLLATE "C") FROM identity.dedup_logins('app.many', 'login', 'site', 'id', '{"2": "fz_", "3": "e"}', keep => 'none') GROUP BY 1 ORDER BY 1;
SELECT count(*), count(DISTINCT identity.normalize_identifier('username', login)) FROM app.many;
-- Restored names that the table refuses: they alone are left.
SELECT run_id AS run FROM identity.dedup_runs ORDER BY run_id DESC LIMIT 1 \gset
ALTER TABLE app.many ADD CHECK (login <> 'Bob' OR id <> 20), ADD CHECK (login <> 'bob1' OR id NOT IN (1, 88));
SELECT status, count(*), min(reason) FROM identity.undo_dedup(:'run') GROUP BY 1 ORDER BY 1;
SELECT id, login FROM app.many WHERE site = 2 AND login LIKE 'fz%' ORDER BY 1;

DROP SCHEMA app, archive CASCADE;
DROP TABLE told;
DELETE FROM identity.dedup_runs; DELETE FROM identity.dedup_rows;
