-- Many rows go into the indexes last, each in its own order. Whatever the index: it has every row, and no key twice.
SET client_min_messages = warning;
\set VERBOSITY terse
\set SHOW_CONTEXT never
CREATE EXTENSION amcheck;
CREATE TABLE parents (id int PRIMARY KEY);
INSERT INTO parents SELECT generate_series(1, 10);
CREATE TABLE bulk (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login text NOT NULL,
    "E-Mail" text COLLATE "C" CHECK ("E-Mail" <> 'bad'),
    code name,
    score numeric,
    tags text[],
    at timestamptz DEFAULT '2026-01-01 00:00+00',
    parent int REFERENCES parents,
    boss int REFERENCES bulk,
    doubled numeric GENERATED ALWAYS AS (score * 2) STORED,
    gone text,
    note text);
ALTER TABLE bulk DROP COLUMN gone;
CREATE UNIQUE INDEX bulk_login_key ON bulk (lower(login));
CREATE UNIQUE INDEX bulk_email_key ON bulk ("E-Mail" DESC NULLS LAST, score) INCLUDE (note, parent) WHERE "E-Mail" IS NOT NULL;
CREATE UNIQUE INDEX bulk_note_key ON bulk (note);
CREATE INDEX bulk_code_idx ON bulk (code, doubled DESC);
CREATE INDEX bulk_even_idx ON bulk (upper(login) text_pattern_ops) WHERE score % 2 = 0;
CREATE INDEX bulk_hash_idx ON bulk USING hash (login);
CREATE INDEX bulk_tags_idx ON bulk USING gin (tags);
CREATE INDEX bulk_at_idx ON bulk USING brin (at);
CREATE INDEX bulk_boss_idx ON bulk (boss);
INSERT INTO bulk (login, "E-Mail", score, note) SELECT 'Old' || n, 'old' || n, n, repeat('o', 3000) || n FROM generate_series(1, 1000) n;
CREATE TABLE source AS
SELECT n, 'User' || md5(n::text) AS login, CASE WHEN n % 5 > 0 THEN md5(n || 'e') END AS "E-Mail", md5(n || 'c')::name AS code,
       CASE WHEN n % 7 > 0 THEN (n % 977)::numeric END AS score, ARRAY['t' || n % 100, 'u' || n % 7] AS tags, 1 + n % 10 AS parent,
       CASE WHEN n % 3 = 0 THEN 1 + n % 1000 END AS boss, CASE WHEN n % 2 = 0 THEN repeat('n', 5000) || n END AS note
FROM generate_series(1, 40000) n;
-- What holds and what does not is the same as row by row: 50 logins are held.
UPDATE source SET login = 'OLD' || n / 700 WHERE n % 700 = 3 AND n / 700 BETWEEN 1 AND 50;
\set rows '$$SELECT n AS "row", login, "E-Mail", code, score, tags, parent, boss, note FROM source ORDER BY n$$'
CREATE TABLE report AS SELECT * FROM identity.import_rows('bulk', :rows, row_id => 'row');
SELECT status, constraint_name, count(*) FROM report GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*), count(DISTINCT lower(login)) AS logins, count("E-Mail") AS emails, count(score) AS scores, sum(doubled) = 2 * sum(score) AS doubled, max(id) - min(id) + 1 AS ids, count(at) AS at FROM bulk;
-- In source order, as the numbers tell.
SELECT count(*) FROM (SELECT b.id, lag(b.id) OVER (ORDER BY s.n) AS before FROM source s JOIN bulk b USING (login)) o WHERE id <= before;
SELECT bt_index_check(i, true) FROM unnest('{bulk_pkey,bulk_login_key,bulk_email_key,bulk_note_key,bulk_code_idx,bulk_even_idx}'::regclass[]) i;
SELECT count(*) FROM verify_heapam('bulk');
SET enable_seqscan = off; SET enable_bitmapscan = on;
SELECT count(*) FROM bulk WHERE tags @> '{t3}';
SELECT count(*) FROM source s JOIN bulk b ON b.login = s.login WHERE s.parent = 4 AND s.code = b.code;
SELECT count(*) FROM bulk WHERE at > '2025-12-31 00:00+00' AND at < '2026-01-02 00:00+00';
SELECT count(*) FROM bulk b WHERE EXISTS (SELECT FROM bulk o WHERE lower(o.login) = lower(b.login) AND o.id = b.id);
RESET enable_seqscan; RESET enable_bitmapscan;
SELECT count(*) FROM bulk WHERE tags @> '{t3}';
-- A rule that a row breaks, a foreign key, a key too long for its index: the rest goes in all the same.
DELETE FROM bulk WHERE login NOT LIKE 'Old%';
UPDATE source SET "E-Mail" = 'bad' WHERE n = 39999;
UPDATE source SET parent = 99 WHERE n = 20000;
UPDATE source SET note = (SELECT string_agg(md5(g::text), '') FROM generate_series(1, 300) g) WHERE n = 30000;
SELECT row_id, status, constraint_name, sqlstate FROM identity.import_rows('bulk', :rows, row_id => 'row') WHERE constraint_name IS DISTINCT FROM 'bulk_login_key';
SELECT count(*) FROM bulk;
SELECT bt_index_check(i, true) FROM unnest('{bulk_pkey,bulk_login_key,bulk_email_key,bulk_note_key,bulk_code_idx,bulk_even_idx}'::regclass[]) i;
-- A dry run leaves nothing behind, nor does a run that is given up.
SELECT count(*) FROM identity.import_rows('bulk', 'SELECT ''dry'' || n AS login FROM generate_series(1, 30000) n', dry_run => true);
SELECT count(*) FROM identity.import_rows('bulk', 'SELECT ''dry'' || n AS login, CASE WHEN n = 29999 THEN ''bad'' END AS "E-Mail" FROM generate_series(1, 30000) n', on_conflict => 'abort');
SELECT count(*) FROM bulk WHERE login LIKE 'dry%';
-- Rows that share keys with each other: the same rows lose to the same ones as where each row's place is kept.
CREATE TABLE shared (id serial, a text, b text, c int CHECK (c <> 7), PRIMARY KEY (id));
CREATE UNIQUE INDEX shared_a_key ON shared (lower(a)); CREATE UNIQUE INDEX shared_b_key ON shared (b) WHERE c > 0;
INSERT INTO shared (a, b, c) SELECT 'A' || n, 'b' || n, 1 FROM generate_series(1, 60000, 100) n;
SELECT setseed(0.5);
CREATE TABLE crowd AS SELECT n, 'a' || floor(random() * 60000)::int AS a, 'b' || floor(random() * 60000)::int AS b, floor(random() * 20000)::int AS c FROM generate_series(1, 45000) n;
\set crowd '$$SELECT a, b, c FROM crowd ORDER BY n$$'
BEGIN;
CREATE TABLE one_by_one AS SELECT * FROM identity.import_rows('shared', :crowd, report => 'all');
CREATE TABLE in_one_by_one AS SELECT a, b, c FROM shared;
DELETE FROM shared WHERE id > 600;
SELECT count(*) FROM shared;
CREATE TABLE together AS SELECT * FROM identity.import_rows('shared', :crowd);
SELECT status, count(*), count(DISTINCT winner_row) > 0 AS to_rows FROM together GROUP BY 1 ORDER BY 1;
SELECT count(*) AS differences FROM (
    (SELECT row_number, status, constraint_name, key, winner_row FROM together EXCEPT SELECT row_number, status, constraint_name, key, winner_row FROM one_by_one)
    UNION ALL (SELECT row_number, status, constraint_name, key, winner_row FROM one_by_one WHERE status <> 'inserted' EXCEPT SELECT row_number, status, constraint_name, key, winner_row FROM together)
    UNION ALL (SELECT 0, a, b, NULL::jsonb, c FROM shared EXCEPT SELECT 0, a, b, NULL::jsonb, c FROM in_one_by_one)) AS d (row_number, status, constraint_name, key, winner_row);
SELECT (SELECT count(*) FROM shared) = (SELECT count(*) FROM in_one_by_one) AS same;
COMMIT;
SELECT bt_index_check(i, true) FROM unnest('{shared_pkey,shared_a_key,shared_b_key}'::regclass[]) i;
DROP TABLE shared, crowd, one_by_one, in_one_by_one, together;

-- A default that looks into the table sees each row before it; so does an AFTER trigger of the statement.
CREATE TABLE queue (place int, name text);
CREATE FUNCTION next_place() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT COALESCE(max(place), 0) + 1 FROM queue); END $$;
ALTER TABLE queue ALTER place SET DEFAULT next_place();
CREATE UNIQUE INDEX ON queue (place);
SET enable_seqscan = off;
SELECT count(*) FROM identity.import_rows('queue', 'SELECT ''n'' || n AS name FROM generate_series(1, 21000) n');
RESET enable_seqscan;
SELECT count(*), min(place), max(place), count(DISTINCT place) FROM queue;
-- So does a CHECK that counts: three of a team have room.
CREATE TABLE seats (id int PRIMARY KEY, team int);
CREATE INDEX ON seats (team);
CREATE FUNCTION room(t int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) < 3 FROM seats WHERE team = t); END $$;
ALTER TABLE seats ADD CHECK (room(team));
SET enable_seqscan = off;
SELECT status, count(*) FROM identity.import_rows('seats', 'SELECT n AS id, n / 4 AS team FROM generate_series(1, 28000) n WHERE n % 400 < 4 OR n % 4 > 0') GROUP BY 1;
SELECT max(n) FROM (SELECT count(*) AS n FROM seats GROUP BY team) t;
RESET enable_seqscan;
-- A later chunk has a row that shares a key with one of an earlier chunk, where an update's trigger hides keys.
CREATE TABLE touched (id serial PRIMARY KEY, email text UNIQUE, login text UNIQUE, at timestamptz);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at = now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON touched FOR EACH ROW EXECUTE FUNCTION touch();
SET identity.import_chunk_rows = 25000;
SELECT row_number, status, constraint_name, winner_row FROM identity.import_rows('touched',
    $$SELECT 'e' || n AS email, CASE n WHEN 40000 THEN 'l100' ELSE 'l' || n END AS login FROM generate_series(1, 50000) n UNION ALL SELECT 'e1', 'x'$$,
    on_conflict => 'update', match_on => '{email}') ORDER BY 1;
RESET identity.import_chunk_rows;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL enable_seqscan = off;
    RAISE WARNING '% rows in the transition table, % found by the index', (SELECT count(*) FROM added), (SELECT count(*) FROM bulk WHERE lower(login) >= 'told' AND lower(login) < 'tole');
    RESET enable_seqscan;
    RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT ON bulk REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tell();
SELECT count(*) FROM identity.import_rows('bulk', 'SELECT ''told'' || n AS login FROM generate_series(1, 25000) n');
-- Who may not read the table, a partitioned table, a table without any index.
CREATE ROLE writer;
GRANT INSERT, SELECT (id, login, "E-Mail", score, note) ON bulk TO writer;
SELECT identity.grant_access('writer', 'importer');
DROP TRIGGER tell ON bulk;
SET ROLE writer;
SELECT count(*) FROM identity.import_rows('bulk', 'SELECT ''writer'' || n AS login FROM generate_series(1, 25000) n');
RESET ROLE;
CREATE TABLE parted (id int PRIMARY KEY, login text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (15000);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (15000) TO (50000);
SELECT count(*) FROM identity.import_rows('parted', 'SELECT 30001 - n AS id FROM generate_series(1, 30000) n');
SELECT count(*) FROM identity.import_rows('parted_2', 'SELECT 60001 - n AS id FROM generate_series(10000, 40000) n') WHERE constraint_name IS NULL;
CREATE TABLE plain (login text);
SELECT count(*) FROM identity.import_rows('plain', 'SELECT ''n'' || n AS login FROM generate_series(1, 30000) n');
SELECT (SELECT count(*) FROM bulk WHERE login LIKE 'writer%') AS by_writer, (SELECT count(*) FROM parted) AS parted, (SELECT count(*) FROM plain) AS plain;
SELECT bt_index_check(i, true) FROM unnest('{bulk_pkey,bulk_login_key,parted_1_pkey,parted_2_pkey}'::regclass[]) i;
SELECT identity.revoke_access('writer');
DROP TABLE bulk, source, report, queue, parted, plain, parents, seats, touched;
DROP FUNCTION next_place, tell, room, touch;
DROP OWNED BY writer; DROP ROLE writer;
DROP EXTENSION amcheck;
