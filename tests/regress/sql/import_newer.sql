-- What PostgreSQL 18 brought: virtual generated columns, keys without overlaps, constraints that are not enforced, or not valid.
-- Older servers end the test here: import_newer_1.out.
SELECT current_setting('server_version_num')::int < 180000 AS older \gset
\if :older
    \quit
\endif
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- A column that is computed when it is read has a CHECK and a NOT NULL.
CREATE TABLE priced (
    id int PRIMARY KEY,
    net int,
    gross int GENERATED ALWAYS AS (net * 2) VIRTUAL NOT NULL CONSTRAINT cheap CHECK (gross < 100)
);
SELECT row_number, status, constraint_name, columns, key, sqlstate, message
FROM identity.import_rows('priced', 'SELECT * FROM (VALUES (1, 10), (2, 50), (3, NULL), (4, 49), (1, 1)) v (id, net)', report => 'all');
TABLE priced ORDER BY id;
SELECT row_number, status, constraint_name, message
FROM identity.import_rows('priced', 'SELECT 5 AS id, 10 AS net, 20 AS gross');

-- A key that excludes what overlaps; an empty range is no value for it.
CREATE TABLE stay (
    room int,
    during int4range,
    guest text,
    PRIMARY KEY (room, during WITHOUT OVERLAPS)
);
INSERT INTO stay VALUES (1, '[0,10)', 'held');
SELECT row_number, status, constraint_name, columns, key, existing, winner_row, sqlstate, message
FROM identity.import_rows('stay', $$SELECT * FROM (VALUES
    (1, '[5,15)'::int4range, 'too early'), (1, '[10,20)', 'next'), (1, '[19,30)', 'too early again'),
    (2, '[5,15)', 'elsewhere'), (2, 'empty', 'never'), (NULL, '[1,2)', 'nowhere')) v (room, during, guest)$$, report => 'all');
TABLE stay ORDER BY room, during;
-- It tells no row that an update could be for.
SELECT row_number, status FROM identity.import_rows('stay', $$SELECT 1 AS room, '[5,15)'::int4range AS during$$, on_conflict => 'update', match_on => '{room,during}');
SELECT row_number, status FROM identity.import_rows('stay', $$SELECT 1 AS room, '[5,15)'::int4range AS during$$, on_conflict => 'update');

-- A foreign key into it: some row of the room has to cover the time.
CREATE TABLE breakfast (
    id int PRIMARY KEY,
    room int,
    during int4range,
    CONSTRAINT covered FOREIGN KEY (room, PERIOD during) REFERENCES stay (room, PERIOD during)
);
SELECT row_number, status, constraint_name, columns, key, sqlstate, message
FROM identity.import_rows('breakfast', $$SELECT * FROM (VALUES
    (1, 1, '[1,2)'::int4range), (2, 1, '[5,20)'), (3, 1, '[15,25)'), (4, 3, '[1,2)'), (5, NULL, '[1,2)')) v (id, room, during)$$, report => 'all');

-- An exclusion constraint over partitions, from PostgreSQL 17 on.
CREATE TABLE booking (
    id int,
    room int,
    during int4range,
    CONSTRAINT once EXCLUDE USING gist (room WITH =, during WITH &&)
) PARTITION BY LIST (room);
CREATE TABLE booking_1 PARTITION OF booking FOR VALUES IN (1);
CREATE TABLE booking_2 PARTITION OF booking FOR VALUES IN (2);
INSERT INTO booking VALUES (0, 1, '[0,10)');
SELECT row_number, status, constraint_name, columns, key, winner_row, sqlstate
FROM identity.import_rows('booking', $$SELECT * FROM (VALUES
    (1, 1, '[5,15)'::int4range), (2, 2, '[5,15)'), (3, 2, '[10,20)'), (4, 1, '[10,20)')) v (id, room, during)$$, report => 'all');

-- Rules that are not enforced refuse no row; those that are not valid yet hold for new rows.
CREATE TABLE loose (
    id int PRIMARY KEY,
    n int CONSTRAINT small CHECK (n < 10) NOT ENFORCED,
    parent int CONSTRAINT parent REFERENCES priced NOT ENFORCED,
    name text
);
INSERT INTO loose VALUES (0, 1, 1, NULL);
ALTER TABLE loose ADD CONSTRAINT named NOT NULL name NOT VALID;
SELECT row_number, status, constraint_name, columns, key, sqlstate, message
FROM identity.import_rows('loose', $$SELECT * FROM (VALUES (1, 99, 99, 'a'), (2, 1, 1, NULL)) v (id, n, parent, name)$$, report => 'all');
TABLE loose ORDER BY id;
DROP TABLE priced, breakfast, stay, booking, loose CASCADE;
