-- The caller's rights, no more.
SET client_min_messages = warning;
DELETE FROM identity.import_runs;
CREATE ROLE anybody;
CREATE ROLE importer;
GRANT CREATE ON SCHEMA public TO importer;
CREATE TABLE people (id serial PRIMARY KEY, name text UNIQUE, owner text DEFAULT current_user, mail text UNIQUE);
CREATE TABLE source (name text, mail text);
INSERT INTO people (name, mail, owner) VALUES ('bob', 'bob@x', 'boss'), ('kim', 'kim@x', 'importer');
INSERT INTO source VALUES ('bob', 'b@x'), ('kim', 'k@x'), ('lea', 'bob@x'), ('new', 'new@x');

-- PUBLIC has nothing.
SET ROLE anybody;
SELECT * FROM identity.import_rows('people', 'source');
SELECT * FROM identity.import_runs;
RESET ROLE;
SELECT identity.grant_access('nobody here', 'importer');
SELECT identity.grant_access('importer', 'owner');
SELECT identity.grant_access('importer', 'importer');

-- Neither the target, nor the source, nor the target's keys.
SET ROLE importer;
SELECT * FROM identity.import_rows('people', 'source');
RESET ROLE;
GRANT INSERT ON people TO importer;
GRANT USAGE ON SEQUENCE people_id_seq TO importer;
SET ROLE importer;
SELECT * FROM identity.import_rows('people', 'source');
RESET ROLE;
GRANT SELECT ON source TO importer;
SET ROLE importer;
SELECT * FROM identity.import_rows('people', 'source');
RESET ROLE;
-- Columns are enough: those of the keys to read, those of the source to write.
REVOKE INSERT ON people FROM importer;
GRANT SELECT (id, name, mail), INSERT (name, mail) ON people TO importer;
SET ROLE importer;
SELECT row_number, status, constraint_name, key, existing FROM identity.import_rows('people', 'source', dry_run => true);
SELECT * FROM identity.import_rows('people', $$SELECT 'x' AS name, 'boss' AS owner$$);
SELECT * FROM identity.import_rows('people', 'source', on_conflict => 'update', match_on => '{name}');
-- Only an admin reads the records of runs.
SELECT * FROM identity.import_runs;
RESET ROLE;

-- Row-level security: a holder that the caller may not see is a conflict without a face; a row that he may not write is invalid.
GRANT SELECT, INSERT, UPDATE ON people TO importer;
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON people USING (owner = current_user) WITH CHECK (name <> 'evil');
SET ROLE importer;
CREATE TEMP TABLE told AS SELECT * FROM identity.import_rows('people',
  $$SELECT * FROM source UNION ALL VALUES ('evil', 'e@x'), ('new', 'other@x')$$, report => 'all', dry_run => true);
SELECT row_number, status, constraint_name, columns, key, existing, winner_row, sqlstate, message FROM identity.import_rows('people',
  $$SELECT * FROM source UNION ALL VALUES ('evil', 'e@x'), ('new', 'other@x')$$, report => 'all');
SELECT row_number, status, constraint_name, key FROM told;
SELECT name, owner FROM people ORDER BY id;
-- An update finds only what the caller may update.
SELECT row_number, status, constraint_name, columns, key, existing ? 'id' AS named, winner_row FROM identity.import_rows('people',
  $$SELECT * FROM (VALUES ('bob', 'b@x'), ('kim', 'k2@x'), ('kim', 'k3@x')) v (name, mail)$$,
  on_conflict => 'update', match_on => '{name}', report => 'all');
RESET ROLE;
SELECT name, owner, mail FROM people ORDER BY id;
SELECT run_by, count(*) > 0 AS some FROM identity.import_runs GROUP BY 1;

-- A role that loses its level loses all of it.
SELECT identity.revoke_access('importer');
SET ROLE importer;
SELECT * FROM identity.import_rows('people', 'source');
RESET ROLE;
DROP TABLE people, source, told;
REVOKE CREATE ON SCHEMA public FROM importer;
DROP ROLE anybody, importer;

-- The search path of the caller cannot put other functions or operators under the extension's own SQL.
CREATE SCHEMA evil;
CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION evil.count(anyelement) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
CREATE TABLE t (name text PRIMARY KEY);
INSERT INTO t VALUES ('a');
SET search_path = evil, pg_catalog, public;
SELECT row_number, status, existing FROM identity.import_rows('t', $$SELECT 'a' AS name UNION ALL SELECT 'b'$$);
RESET search_path;
DROP TABLE t;
DROP SCHEMA evil CASCADE;
