-- A row of the target that a trigger of an earlier row has touched is updated all the same, as row by row.
SET client_min_messages = warning;
CREATE TABLE acc (id int PRIMARY KEY, name text, is_default boolean DEFAULT false);
CREATE FUNCTION one_default() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.is_default THEN UPDATE acc SET is_default = false WHERE id <> NEW.id AND is_default; END IF; RETURN NEW; END $$;
CREATE TRIGGER one_default BEFORE INSERT OR UPDATE ON acc FOR EACH ROW EXECUTE FUNCTION one_default();
INSERT INTO acc VALUES (1, 'a', true), (2, 'b', false), (3, 'c', false);
SELECT row_number, status, message FROM identity.import_rows('acc',
  $$SELECT * FROM (VALUES (2, 'b2', true), (1, 'a2', false), (3, 'c2', false)) v (id, name, is_default)$$, on_conflict => 'update', match_on => '{id}', report => 'all');
SELECT * FROM acc ORDER BY id;
DROP TABLE acc;
DROP FUNCTION one_default;

-- The same where an AFTER trigger counts on the parent's row, and one row fails.
CREATE TABLE node (id int PRIMARY KEY, parent int, name text CHECK (name <> 'bad'), children int DEFAULT 0);
CREATE FUNCTION count_children() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE node SET children = children + 1 WHERE id = NEW.parent; RETURN NULL; END $$;
CREATE TRIGGER count_children AFTER UPDATE OF name ON node FOR EACH ROW EXECUTE FUNCTION count_children();
INSERT INTO node VALUES (2, 3, 'a'), (3, 2, 'b'), (4, 1, 'c');
ALTER TABLE node ADD CHECK (children < 100 OR name <> 'late');
CREATE FUNCTION veto() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.name = 'no' THEN RAISE EXCEPTION 'no'; END IF; RETURN NULL; END $$;
CREATE TRIGGER veto AFTER UPDATE ON node FOR EACH ROW EXECUTE FUNCTION veto();
SELECT row_number, status, message FROM identity.import_rows('node',
  $$SELECT * FROM (VALUES (2, 3, 'a2'), (4, 1, 'no'), (3, 2, 'b2')) v (id, parent, name)$$, on_conflict => 'update', match_on => '{id}', report => 'all');
SELECT id, name, children FROM node ORDER BY id;
DROP TABLE node;
DROP FUNCTION count_children, veto;
DELETE FROM identity.import_runs;
