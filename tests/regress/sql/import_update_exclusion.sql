-- A key of an exclusion constraint that an updated row gives up is free for the later rows, as that of a unique one.
SET client_min_messages = warning;
CREATE TABLE room (id int PRIMARY KEY, during int4range, EXCLUDE USING gist (during WITH &&));
INSERT INTO room VALUES (1, '[0,10)');
SELECT row_number, status, constraint_name, existing FROM identity.import_rows('room',
  $$SELECT * FROM (VALUES (1, int4range '[20,30)'), (2, int4range '[0,10)')) v (id, during)$$, on_conflict => 'update', match_on => '{id}', report => 'all');
SELECT * FROM room ORDER BY id;
DROP TABLE room;
DELETE FROM identity.import_runs;
