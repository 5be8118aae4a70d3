-- An error in a source says where in it, and in which argument it stands.
CREATE TABLE t (id int PRIMARY KEY, email text);
CREATE TABLE staging (id int, email text);
SELECT * FROM identity.import_rows('t', 'SELECT id,
    emial
FROM staging');
SELECT * FROM identity.import_rows('t', 'SELECT id FORM staging');
DROP TABLE t, staging;
