-- The report of a small import: every conflict with its constraint, key, holder; every row accounted for.
DELETE FROM identity.import_runs;
CREATE SCHEMA app;
CREATE TABLE app.users (
    id bigserial PRIMARY KEY,
    username text NOT NULL,
    email text,
    phone text UNIQUE,
    age int CHECK (age > 0)
);
CREATE UNIQUE INDEX users_username_key ON app.users (lower(username));
CREATE UNIQUE INDEX users_email_key ON app.users (lower(email));
INSERT INTO app.users (username, email, phone) VALUES ('bob', 'bob@x.com', '+1'), ('eve', 'eve@x.com', '+2');

CREATE SCHEMA staging;
CREATE TABLE staging.users (login text, username text, email text, phone text, age text);
INSERT INTO staging.users VALUES
    ('r1', 'alice', 'alice@x.com', '+3', '20'),
    ('r2', 'Bob', 'new@x.com', '+4', '5'),       -- a name that is held
    ('r3', 'BOB', 'EVE@x.com', '+1', '-3'),      -- three keys held by two rows, and a broken CHECK
    ('r4', 'carol', 'ALICE@x.com', '+5', '7'),   -- an e-mail that r1 takes
    ('r5', 'dan', 'carol@x.com', '+6', 'x7'),    -- no number
    ('r6', NULL, 'z@x.com', NULL, NULL),         -- no name
    ('r7', 'carol', 'c2@x.com', '+5', '8');      -- the keys that r4, which lost, has left

-- The default report: problems only. The source may be text throughout.
SELECT row_number, row_id, status, constraint_name, columns, key, existing, winner_row, sqlstate, message
FROM identity.import_rows('app.users', 'staging.users', row_id => 'login');

SELECT username, email, phone, age FROM app.users ORDER BY id;

-- One row a run; its counts add up to the source's rows.
SELECT target, source, on_conflict, outcome, run_by = current_user AS by_me, started_at <= clock_timestamp() AS started,
       duration > '0' AS lasted, rows_total, inserted, updated, conflict, duplicate, invalid, suppressed, withheld
FROM identity.import_runs \gx

-- report => 'all' has a line for each row; the inserted ones show their new key.
TRUNCATE app.users RESTART IDENTITY;
SELECT row_number, status, constraint_name, existing
FROM identity.import_rows('app.users', 'SELECT username, email FROM staging.users', report => 'all');

-- report => 'none' is silent, but for the counts.
SELECT count(*) FROM identity.import_rows('app.users', 'SELECT username, email FROM staging.users', report => 'none');

-- The source is a query of any reading kind, with comments, a semicolon, an order of its own.
TRUNCATE app.users RESTART IDENTITY;
SELECT * FROM identity.import_rows('app.users', 'VALUES (1)');
SELECT row_number, key FROM identity.import_rows('app.users', $$WITH s AS (SELECT 'Zoe' AS username) SELECT * FROM s UNION ALL SELECT 'zoe' -- twice
;$$);
SELECT row_number, winner_row FROM identity.import_rows('app.users', $$SELECT username FROM (VALUES (1, 'Kim'), (2, 'kim'), (3, 'KIM')) v (n, username) ORDER BY n DESC$$);
SELECT username FROM app.users ORDER BY id;

-- An empty source is no error.
SELECT * FROM identity.import_rows('app.users', 'SELECT username FROM app.users WHERE false');

-- Columns that the source lacks take their defaults; one that is NOT NULL without a default is every row's problem.
SELECT row_number, status, columns, key, sqlstate FROM identity.import_rows('app.users', $$SELECT 'q@x.com' AS email$$);

-- Several runs, and a target that is also the source, in one transaction.
BEGIN;
SELECT row_number, existing IS NOT NULL AS named, columns FROM identity.import_rows('app.users', 'TABLE app.users') ORDER BY 1, 3;
SELECT count(*) FROM identity.import_rows('app.users', $$SELECT 'u' || n AS username FROM generate_series(1, 5) n$$);
SELECT count(*) FROM identity.import_rows('app.users', $$SELECT 'u' || n AS username FROM generate_series(1, 5) n$$);
ROLLBACK;

-- In the select list a set-returning function works as well.
SELECT (identity.import_rows('app.users', $$SELECT 'in a list' AS username$$, report => 'all')).status;

SET client_min_messages = warning;
DROP SCHEMA app, staging CASCADE;
