-- Rules of the user on the store's tables: what they refuse is found and reported, and the rest goes in.
DELETE FROM identity.import_runs;
SELECT identity.add_realm('acme');
SET statement_timeout = '60s';
SET client_min_messages = warning;
CREATE VIEW shown AS SELECT key FROM identity.identifiers ORDER BY key;
-- A CHECK, and rows that lost to a refused one.
ALTER TABLE identity.identities ADD CONSTRAINT fair CHECK (NOT traits ? 'bad');
SELECT row_number, status, identifier, winner_row, path, sqlstate, message FROM identity.import_identities('acme', '[
  {"traits": {"username": "a"}}, {"traits": {"username": "b", "bad": 1}}, {"traits": {"username": "B"}}, {"traits": {"username": "c", "bad": 1}}, {"traits": {"username": "d", "bad": 1}}, {"traits": {"username": "b"}}]');
SELECT * FROM shown;
SELECT inserted, duplicate, invalid FROM identity.import_runs;
-- A row that takes the key which another one gave up, while a third is refused.
SELECT count(*) FROM identity.import_identities('acme', '[{"external_id": "x", "traits": {"username": "x"}}]');
SELECT row_number, status, identifier, message FROM identity.import_identities('acme', '[{"traits": {"username": "q"}}, {"external_id": "x", "traits": {"username": "y"}}, {"traits": {"username": "x"}}, {"traits": {"username": "z", "bad": 1}}]', 'update');
-- The one that gives the key up is refused.
SELECT row_number, status, identifier, message FROM identity.import_identities('acme', '[{"external_id": "x", "traits": {"username": "y2", "bad": 1}}, {"traits": {"username": "y"}}]', 'update');
SELECT * FROM shown;
ALTER TABLE identity.identities DROP CONSTRAINT fair;
-- A rule over several rows.
CREATE FUNCTION quota() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM identity.identities WHERE realm = NEW.realm) >= 8 THEN RAISE 'quota'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER quota BEFORE INSERT ON identity.identities FOR EACH ROW EXECUTE FUNCTION quota();
SELECT row_number, status, path, sqlstate, message FROM identity.import_identities('acme', (SELECT jsonb_agg(jsonb_build_object('traits', jsonb_build_object('username', 'many' || n)) ORDER BY n) FROM generate_series(1, 6) n));
SELECT count(*) FROM identity.identities;
DROP TRIGGER quota ON identity.identities;
-- A statement trigger refuses everything.
CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no imports today'; END $$;
CREATE TRIGGER closed BEFORE INSERT ON identity.credentials FOR EACH STATEMENT EXECUTE FUNCTION closed();
SELECT row_number, status, message FROM identity.import_identities('acme', '[{"traits": {"username": "m"}}, {"traits": {"username": "n"}}]');
DROP TRIGGER closed ON identity.credentials;
SELECT row_number, status, message FROM identity.import_identities('acme', '[{"traits": {"username": "m"}}, {"traits": {"username": "n"}}]');
DROP FUNCTION quota, closed;
DROP VIEW shown;
DELETE FROM identity.identities;
DELETE FROM identity.realms;
DELETE FROM identity.import_runs;
