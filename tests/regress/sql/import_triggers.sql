-- Triggers see what an INSERT shows them, and what they do to a row is what is judged.
SET client_min_messages = warning;
CREATE TABLE people (id serial PRIMARY KEY, name text UNIQUE, mail text UNIQUE, site text DEFAULT 'main', CHECK (site <> 'closed'));
CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.name = 'nobody' THEN RETURN NULL; END IF;
    IF NEW.name = 'boom' THEN RAISE EXCEPTION 'no %', NEW.name; END IF;
    NEW.name := lower(NEW.name);
    NEW.mail := lower(trim(NEW.mail));
    RETURN NEW;
END $$;
CREATE TRIGGER tidy BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION tidy();
INSERT INTO people (name, mail) VALUES ('bob', 'bob@x'), ('eve', 'eve@x');
CREATE TABLE source (name text, mail text, site text);
INSERT INTO source VALUES
    ('Ann', ' ANN@x', 'main'),
    ('BOB', 'new@x', 'main'),         -- becomes bob, who exists
    ('nobody', 'nobody@x', 'main'),   -- dropped
    ('ANN', 'BOB@X ', 'main'),        -- becomes ann, whom row 1 took, and bob@x, whom bob holds
    ('boom', 'boom@x', 'main'),       -- raises
    ('Cid', 'cid@x', 'closed'),       -- breaks the CHECK
    ('BOB', 'EVE@x', 'closed'),       -- breaks the CHECK, and two keys
    ('cid', 'ann@x ', NULL),          -- ann@x is row 1's
    ('Dan', 'cid@x', NULL);
SELECT row_number, status, constraint_name, columns, key, existing, winner_row, sqlstate, message FROM identity.import_rows('people', 'source', dry_run => true);
SELECT count(*) FROM people;
SELECT row_number, status, constraint_name, key, existing IS NOT NULL AS named, winner_row FROM identity.import_rows('people', 'source', report => 'all');
SELECT name, mail, site FROM people ORDER BY id;

-- The same in single rows.
DELETE FROM people WHERE name NOT IN ('bob', 'eve');
SET identity.import_chunk_rows = 1;
SELECT row_number, status, constraint_name, winner_row FROM identity.import_rows('people', 'source');
RESET identity.import_chunk_rows;
SELECT name, mail FROM people ORDER BY id;

-- What a trigger writes beside, it writes once for each row that it sees, not again for the report.
CREATE TABLE seen (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO seen VALUES (concat_ws(' ', TG_WHEN, TG_LEVEL, TG_OP, TG_TABLE_NAME, NEW.name));
    RETURN NEW;
END $$;
CREATE TRIGGER a_note BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER after_note AFTER INSERT ON people FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION note_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO seen SELECT concat_ws(' ', TG_WHEN, TG_LEVEL, TG_OP, count(*)) FROM new_rows;
    RETURN NULL;
END $$;
CREATE TRIGGER statement_note AFTER INSERT ON people REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_statement();
SELECT row_number, status, constraint_name FROM identity.import_rows('people', $$SELECT * FROM (VALUES ('Fay'), ('BOB'), ('Gus')) v (name)$$);
SELECT what, count(*) FROM seen GROUP BY 1 ORDER BY 1;
DROP TRIGGER a_note ON people;
DROP TRIGGER after_note ON people;
DROP TRIGGER statement_note ON people;
DROP TRIGGER tidy ON people;

-- A deferred constraint trigger speaks at the end of the transaction, as declared; an immediate one names its row.
CREATE FUNCTION veto() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF NEW.name LIKE 'x%' THEN RAISE EXCEPTION 'vetoed' USING ERRCODE = '23514', CONSTRAINT = 'veto', COLUMN = 'name'; END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER veto AFTER INSERT ON people DEFERRABLE FOR EACH ROW EXECUTE FUNCTION veto();
SELECT row_number, status, constraint_name, columns, sqlstate, message FROM identity.import_rows('people', $$SELECT * FROM (VALUES ('x1'), ('hal'), ('x2')) v (name)$$);
SELECT name FROM people WHERE name IN ('x1', 'hal', 'x2');
DROP TRIGGER veto ON people;

-- BEFORE UPDATE triggers, with on_conflict => 'update'.
CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.site = 'skip' THEN RETURN NULL; END IF;
    NEW.mail := upper(NEW.mail);
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION guard();
INSERT INTO people (name, mail) VALUES ('zed', 'TAKEN@X');
SELECT row_number, status, constraint_name, columns, existing->>'id' IS NOT NULL AS named, sqlstate FROM identity.import_rows('people',
  $$SELECT * FROM (VALUES ('bob', 'b2@x', 'a'), ('eve', 'e2@x', 'skip'), ('hal', 'taken@x', 'a'), ('new', 'n@x', 'skip'), ('bob', 'b3@x', 'a')) v (name, mail, site)$$,
  on_conflict => 'update', match_on => '{name}', report => 'all');
SELECT name, mail, site FROM people WHERE name IN ('bob', 'eve', 'hal', 'new') ORDER BY name;

-- Triggers remember things from one row to the next, also where they are only asked what they make of rows.
CREATE TABLE many (id int PRIMARY KEY, name text UNIQUE);
CREATE FUNCTION settled() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog SET work_mem = '1MB' AS $$
BEGIN NEW.name := upper(NEW.name); RETURN NEW; END $$;
CREATE FUNCTION thirds() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN IF NEW.id % 3 = 0 THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER a BEFORE INSERT ON many FOR EACH ROW EXECUTE FUNCTION settled();
CREATE TRIGGER b BEFORE INSERT ON many FOR EACH ROW WHEN (NEW.name LIKE '%9') EXECUTE FUNCTION thirds();
SELECT status, constraint_name, count(*), min(row_number), max(row_number), min(key::text) FROM identity.import_rows('many',
  $$SELECT n AS id, CASE WHEN n % 2 = 0 THEN 'N' ELSE 'n' END || n % 1001 AS name FROM generate_series(1, 5000) n$$) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*), min(name) FROM many;
DROP TABLE many;
DROP FUNCTION settled, thirds;

-- An import inside a trigger of another import.
CREATE TABLE outer_table (n int PRIMARY KEY);
CREATE TABLE inner_table (n int PRIMARY KEY);
CREATE FUNCTION nested() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM identity.import_rows('inner_table', format('SELECT n FROM generate_series(1, %s) n', NEW.n));
    RETURN NEW;
END $$;
CREATE TRIGGER nested BEFORE INSERT ON outer_table FOR EACH ROW EXECUTE FUNCTION nested();
SELECT row_number, status, winner_row, key FROM identity.import_rows('outer_table', 'SELECT n % 3 + 1 AS n FROM generate_series(0, 4) n', report => 'all');
SELECT count(*) FROM inner_table;
DROP TABLE people, source, seen, outer_table, inner_table;
DROP FUNCTION tidy, note, note_statement, veto, guard, nested;
