-- Keys of many types: the same rows conflict and are duplicates under each of them, below and above the number of rows from which keys are sifted.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS citext;
CREATE DOMAIN day AS date CHECK (VALUE > '1900-01-01');
CREATE DOMAIN moment AS timestamptz;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b date);
CREATE TYPE flagged AS (a int, b bit(16));
-- The value of each type for a number; a type with few values is taken together with the number.
CREATE TABLE kinds (id serial PRIMARY KEY, type text UNIQUE, value text, few boolean DEFAULT false);
INSERT INTO kinds (type, value) VALUES
    ('date', 'date ''2000-01-01'' + n'), ('day', 'date ''2000-01-01'' + n'), ('timestamptz', 'timestamptz ''2000-01-01'' + n * interval ''1 hour'''),
    ('moment', 'timestamptz ''2000-01-01'' + n * interval ''1 hour'''), ('timestamp', 'timestamp ''2000-01-01'' + n * interval ''1 hour'''),
    ('bytea', 'decode(lpad(to_hex(n), 8, ''0''), ''hex'')'), ('xid8', 'n::text::xid8'), ('uuid', 'lpad(to_hex(n), 32, ''0'')::uuid'), ('numeric', 'n / 4.0'),
    ('inet', 'inet ''10.0.0.0'' + n'), ('varchar(20)', '''v'' || n'), ('char(20)', '''c'' || n'), ('interval', 'n * interval ''1 minute'''),
    ('jsonb', 'jsonb_build_object(''n'', n)'), ('text[]', 'ARRAY[''a'', n::text]'), ('money', 'n::money'), ('time', 'time ''00:00'' + n * interval ''1 second'''),
    ('timetz', 'timetz ''00:00+00'' + n * interval ''1 second'''), ('oid', 'n::oid'), ('int4range', 'int4range(n, n + 5)'),
    ('macaddr', '(''0a0000'' || lpad(to_hex(n), 6, ''0''))::macaddr'), ('bit varying(40)', 'n::bit(32)'), ('name', '(''n'' || n)::name'), ('float8', 'n / 8.0'),
    ('pg_lsn', '(''0/'' || to_hex(n))::pg_lsn'), ('int', 'n'), ('text', '''t'' || n'), ('citext', '''t'' || n'), ('date[]', 'ARRAY[date ''2000-01-01'' + n]'),
    ('bit(16)[]', 'ARRAY[(n % 65536)::bit(16)]'), ('boolean[]', 'ARRAY(SELECT (n >> i) % 2 = 1 FROM generate_series(0, 15) i)'), ('pair', 'ROW(n, date ''2000-01-01'' + n % 7)::pair'),
    ('flagged', 'ROW(n, (n % 7)::bit(16))::flagged'), ('datemultirange', 'datemultirange(daterange(date ''2000-01-01'' + n, date ''2000-01-01'' + n + 1))');
INSERT INTO kinds (type, value, few) VALUES ('boolean', 'n % 2 = 0', true), ('"char"', '(n % 100 + 20)::"char"', true), ('mood', '(enum_range(NULL::mood))[n % 3 + 1]', true);
SELECT format('CREATE TABLE keyed (n int, "date(moment)" timestamptz, %s)', string_agg(format('c%s %s, UNIQUE (%s)', id, type, concat_ws(', ', CASE WHEN few THEN 'n' END, 'c' || id)), ', ' ORDER BY id)) FROM kinds \gexec
CREATE UNIQUE INDEX keyed_expression ON keyed (n, date("date(moment)" AT TIME ZONE 'UTC'));
SELECT format('CREATE VIEW rows AS SELECT n, timestamptz ''2000-01-01'' + n * interval ''1 day'' AS "date(moment)", %s FROM (SELECT s, CASE WHEN s %% 100 = 0 THEN s - 1 ELSE s END AS n FROM generate_series(1, 20000) s) s',
    string_agg(format('(%s)::%s AS c%s', value, type, id), ', ' ORDER BY id)) FROM kinds \gexec
SELECT count(*) FROM kinds;

-- One in ten is held, one in a hundred comes twice: its number, and so each of its keys.
CREATE TABLE told (size int, row_number bigint, status text, constraint_name text, winner_row bigint);
INSERT INTO keyed SELECT * FROM rows WHERE n % 10 = 3;
INSERT INTO told SELECT 9999, row_number, status, constraint_name, winner_row FROM identity.import_rows('keyed', 'SELECT * FROM rows LIMIT 9999', dry_run => true);
INSERT INTO told SELECT 20000, row_number, status, constraint_name, winner_row FROM identity.import_rows('keyed', 'SELECT * FROM rows');
SELECT size, status, constraints, count(*), count(*) FILTER (WHERE winner_row IS DISTINCT FROM CASE status WHEN 'duplicate' THEN row_number - 1 END) AS wrong_winners
FROM (SELECT size, row_number, status, min(winner_row) AS winner_row, count(DISTINCT constraint_name) AS constraints FROM told GROUP BY 1, 2, 3) t GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT count(*), count(DISTINCT n) FROM keyed;
DROP VIEW rows;
DROP TABLE keyed, told, kinds;
DROP DOMAIN day, moment;
DROP TYPE mood, pair, flagged;
