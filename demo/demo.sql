-- Three sites become one: their users go into one table, and what cannot go in is named.
\set ON_ERROR_STOP 1
\set QUIET 1
\pset footer off
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS app CASCADE;
DROP SCHEMA IF EXISTS staging CASCADE;
DROP EXTENSION IF EXISTS pg_identity;
RESET client_min_messages;
CREATE EXTENSION pg_identity;

CREATE SCHEMA app;
CREATE TABLE app.users (
    id bigserial PRIMARY KEY,
    username text NOT NULL,
    email text CHECK (email LIKE '%@%'),
    phone text UNIQUE,
    joined date
);
CREATE UNIQUE INDEX users_username_key ON app.users (lower(username));
CREATE UNIQUE INDEX users_email_key ON app.users (lower(email));

CREATE SCHEMA staging;
CREATE TABLE staging.users (n serial, site text, login text, mail text, mobile text, joined text);
ALTER TABLE staging.users ALTER site SET DEFAULT 'north';
\copy staging.users (login, mail, mobile, joined) FROM 'demo/north.csv' CSV HEADER
ALTER TABLE staging.users ALTER site SET DEFAULT 'south';
\copy staging.users (login, mail, mobile, joined) FROM 'demo/south.csv' CSV HEADER
ALTER TABLE staging.users ALTER site SET DEFAULT 'west';
\copy staging.users (login, mail, mobile, joined) FROM 'demo/west.csv' CSV HEADER

\echo
\echo '== The main site goes in first'
\echo
SELECT count(*) AS problems FROM identity.import_rows('app.users',
    $$SELECT login AS username, mail AS email, mobile AS phone, joined FROM staging.users WHERE site = 'north' ORDER BY n$$);

\echo
\echo '== Then the two others: what would happen?'
\echo
SELECT row_id, status, constraint_name, key, existing, winner_row AS winner, message
FROM identity.import_rows('app.users',
    $$SELECT login AS username, mail AS email, mobile AS phone, joined, concat_ws(' ', site, login) AS who
      FROM staging.users WHERE site <> 'north' ORDER BY n$$,
    row_id => 'who', dry_run => true);

\echo
\echo '== The same for real; the report can be kept'
\echo
CREATE TABLE staging.report AS
SELECT * FROM identity.import_rows('app.users',
    $$SELECT login AS username, mail AS email, mobile AS phone, joined, concat_ws(' ', site, login) AS who
      FROM staging.users WHERE site <> 'north' ORDER BY n$$,
    row_id => 'who');
SELECT id, username, email, phone, joined FROM app.users ORDER BY id;

\echo
\echo '== Every run is on record'
\echo
SELECT target, outcome, rows_total AS rows, inserted, conflict, duplicate, invalid FROM identity.import_runs ORDER BY run_id;
