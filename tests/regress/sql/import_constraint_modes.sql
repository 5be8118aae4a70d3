-- An import leaves the modes of constraints as the transaction has them: of its own, and of others of the same name.
SET client_min_messages = warning;
CREATE TABLE referred (id int PRIMARY KEY);
INSERT INTO referred VALUES (1);
CREATE TABLE own (id int PRIMARY KEY, ref int, CONSTRAINT ref_key FOREIGN KEY (ref) REFERENCES referred DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE namesake (id int PRIMARY KEY, ref int, CONSTRAINT ref_key FOREIGN KEY (ref) REFERENCES referred DEFERRABLE INITIALLY IMMEDIATE);
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT row_number, status FROM identity.import_rows('own', 'SELECT 1 AS id, 1 AS ref', report => 'all');
INSERT INTO own VALUES (2, 999);
ROLLBACK;
BEGIN;
SELECT row_number, status FROM identity.import_rows('own', 'SELECT 1 AS id, 1 AS ref', report => 'all');
INSERT INTO namesake VALUES (2, 999);
ROLLBACK;
DROP TABLE namesake;
-- Its own constraint is checked with the import also where another of that name cannot be deferred.
CREATE TABLE namesake (id int PRIMARY KEY, ref int, CONSTRAINT ref_key FOREIGN KEY (ref) REFERENCES referred);
CREATE ROLE loader;
SELECT identity.grant_access('loader', 'importer');
GRANT SELECT, INSERT ON own TO loader;
SET ROLE loader;
SELECT row_number, status, constraint_name FROM identity.import_rows('own', 'SELECT g AS id, g AS ref FROM generate_series(1, 2) g', report => 'all');
RESET ROLE;
SELECT * FROM own;
SELECT identity.revoke_access('loader');
DROP TABLE namesake, own, referred;
DROP ROLE loader;
DELETE FROM identity.import_runs;
