-- Bad arguments: each has its SQLSTATE, says what is wrong, and what to do.
CREATE TABLE people (id int PRIMARY KEY, email text, tag text, note text GENERATED ALWAYS AS (lower(email)) STORED);
CREATE UNIQUE INDEX people_email ON people (email);
CREATE TABLE source (id int, email text, tag text);
CREATE VIEW people_view AS SELECT * FROM people;
CREATE MATERIALIZED VIEW people_mat AS SELECT * FROM people;
CREATE SEQUENCE numbers;

CREATE FUNCTION try(call text) RETURNS TABLE (code text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'SELECT count(*) FROM ' || call;
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    code := SQLSTATE;
    RETURN NEXT;
END $$;
\x on
SELECT * FROM try($$identity.import_rows('people', 'source', on_conflict => 'merge')$$);
SELECT * FROM try($$identity.import_rows('people', 'source', report => 'some')$$);
SELECT * FROM try($$identity.import_rows('people', 'source', max_problems => -1)$$);
SELECT * FROM try($$identity.import_rows('people', 'source', dry_run => NULL)$$);
SELECT * FROM try($$identity.import_rows(NULL, 'source')$$);
SELECT * FROM try($$identity.import_rows('people', 'source', on_conflict => 'update')$$);
SELECT * FROM try($$identity.import_rows('people', 'source', match_on => '{id}')$$);
SELECT * FROM try($$identity.import_rows('people', 'source', on_conflict => 'update', match_on => '{tag}')$$);
SELECT * FROM try($$identity.import_rows('people', 'source', on_conflict => 'update', match_on => '{nothing}')$$);
SELECT * FROM try($$identity.import_rows('people', 'SELECT email FROM source', on_conflict => 'update', match_on => '{id}')$$);
SELECT * FROM try($$identity.import_rows('people', 'source', row_id => 'login')$$);
-- sources
SELECT * FROM try($$identity.import_rows('people', 'nowhere.users')$$);
SELECT * FROM try($$identity.import_rows('people', 'numbers')$$);
SELECT * FROM try($$identity.import_rows('people', '')$$);
SELECT * FROM try($$identity.import_rows('people', 'SELECT 1 AS id; SELECT 2 AS id')$$);
SELECT * FROM try($$identity.import_rows('people', 'DELETE FROM source RETURNING *')$$);
SELECT * FROM try($$identity.import_rows('people', 'WITH d AS (DELETE FROM source RETURNING *) SELECT * FROM d')$$);
SELECT * FROM try($$identity.import_rows('people', 'SELECT 1 AS id INTO elsewhere')$$);
SELECT * FROM try($$identity.import_rows('people', 'SELECT 1 AS id) s; DROP TABLE source; --')$$);
SELECT * FROM try($$identity.import_rows('people', 'SELECT id, email, tag AS label, 1 AS x FROM source')$$);
SELECT * FROM try($$identity.import_rows('people', 'SELECT id, note FROM people')$$);
SELECT * FROM try($$identity.import_rows('people', 'SELECT 1')$$);
SELECT * FROM try($$identity.import_rows('people', 'SELECT 1 AS label', row_id => 'label')$$);
-- targets
SELECT * FROM try($$identity.import_rows('people_view', 'source')$$);
SELECT * FROM try($$identity.import_rows('people_mat', 'source')$$);
SELECT * FROM try($$identity.import_rows('numbers', 'source')$$);
SELECT * FROM try($$identity.import_rows('people_email', 'source')$$);
CREATE RULE people_rule AS ON INSERT TO people DO INSTEAD NOTHING;
SELECT * FROM try($$identity.import_rows('people', 'source')$$);
ALTER TABLE people DISABLE RULE people_rule;
SELECT * FROM try($$identity.import_rows('people', 'source')$$);
-- a transaction that may not write, also for a dry run
BEGIN READ ONLY;
SELECT * FROM identity.import_rows('people', 'source');
ROLLBACK;
BEGIN READ ONLY;
SELECT * FROM identity.import_rows('people', 'source', dry_run => true);
ROLLBACK;
\x off
SELECT count(*) FROM source;
DROP FUNCTION try;
DROP TABLE people, source CASCADE;
DROP SEQUENCE numbers;
