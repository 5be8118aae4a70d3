-- The report names a row that went in also where an AFTER trigger has updated it since.
SET client_min_messages = warning;
CREATE TABLE page (id int PRIMARY KEY, title text, slug text UNIQUE, words int);
CREATE FUNCTION slugged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.slug := lower(NEW.title); RETURN NEW; END $$;
CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE page SET words = length(NEW.title) WHERE id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER slugged BEFORE INSERT ON page FOR EACH ROW EXECUTE FUNCTION slugged();
CREATE TRIGGER counted AFTER INSERT ON page FOR EACH ROW EXECUTE FUNCTION counted();
SELECT row_number, status, constraint_name, existing, winner_row FROM identity.import_rows('page',
  $$SELECT * FROM (VALUES (4, 'One'), (5, 'Two'), (6, 'ONE')) v (id, title)$$, report => 'all');
SELECT * FROM page ORDER BY id;
DROP TABLE page;
DROP FUNCTION slugged, counted;
DELETE FROM identity.import_runs;
