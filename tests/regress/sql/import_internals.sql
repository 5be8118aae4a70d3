-- The functions that an import's own statements call are called by anybody with anything: they do nothing, and break nothing.
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE ROLE hostile;
SELECT identity.grant_access('hostile', 'importer');
-- What need not be called from SQL is no SQL function: the triggers of a table are fired for rows that the import itself has.
SELECT proname FROM pg_proc WHERE pronamespace = 'identity'::regnamespace AND proname ~ 'before_insert';
CREATE FUNCTION called(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    EXECUTE 'SELECT (' || call || ')::text' INTO answer;
    RETURN coalesce(answer, 'NULL');
EXCEPTION WHEN OTHERS THEN RETURN sqlstate || ' ' || sqlerrm;
END $$;
-- Every function that an importer has for an import, with every combination of these values.
CREATE TABLE functions AS
SELECT p.oid::regprocedure::text AS name, p.proname, p.proargtypes::oid[] AS types, '{}'::text[] AS arguments
FROM pg_proc p WHERE p.pronamespace = 'identity_internal'::regnamespace AND p.proname ~ '^(import|dedup)_' AND has_function_privilege('hostile', p.oid, 'EXECUTE');
SELECT name FROM functions ORDER BY 1;
CREATE TABLE hostile_values (type oid, value text);
INSERT INTO hostile_values
SELECT 'int8'::regtype, v FROM unnest('{NULL,0,-1,7,9223372036854775807,-9223372036854775808}'::text[]) v UNION ALL
SELECT 'int4'::regtype, v FROM unnest('{NULL,0,-1,7,2147483647,-2147483648}'::text[]) v UNION ALL
SELECT 'oid'::regtype, v FROM unnest('{NULL,0,4294967295}'::text[]) v UNION ALL
SELECT 'tid'::regtype, v FROM unnest('{NULL,"(0,0)","(4294967295,65535)"}'::text[]) v UNION ALL
SELECT 'text'::regtype, v FROM unnest('{NULL,"",a}'::text[]) v;
CREATE TABLE calls AS
WITH RECURSIVE c AS (
    SELECT name, proname, types, arguments FROM functions
    UNION ALL
    SELECT c.name, c.proname, c.types, c.arguments || format('%L::%s', v.value, v.type::regtype)
    FROM c JOIN hostile_values v ON v.type = c.types[array_lower(c.types, 1) + coalesce(array_length(c.arguments, 1), 0)])
SELECT name, format('identity_internal.%I(%s)', proname, array_to_string(arguments, ', ')) AS call FROM c
WHERE coalesce(array_length(arguments, 1), 0) = coalesce(array_length(types, 1), 0);
GRANT SELECT ON calls TO hostile;
SET ROLE hostile;
SELECT name, called(call) AS answer, count(*) FROM calls GROUP BY 1, 2 ORDER BY 1, 2;
-- A number that was noted outside an import is not remembered.
SELECT identity_internal.import_mark(7, 1), identity_internal.import_current();

-- In the source of an import.
CREATE TEMP TABLE t (n int PRIMARY KEY, note text UNIQUE);
SELECT row_number, status, key FROM identity.import_rows('pg_temp.t',
  $$SELECT n % 5 AS n, called(format('identity_internal.import_mark(%s, 1)', -n)) || n % 7 || called('identity_internal.import_sieve_add(0, 1)') AS note FROM generate_series(1, 8) n$$);
TRUNCATE t;
-- In the source of a large one, in a CHECK, and in triggers: another row is blamed, or none, and the rest goes in all the same.
ALTER TABLE t ADD CHECK (CASE WHEN n % 1000 = 0 THEN identity_internal.import_sieve_add(n % 4, n) AND identity_internal.import_sieve_holds(-n, n) ELSE true END);
SELECT count(*), min(row_number), min(status) FROM identity.import_rows('pg_temp.t',
  $$SELECT n % 11990 AS n, 'n' || n AS note FROM generate_series(0, 11999) n WHERE identity_internal.import_mark(-n, -n) AND NOT coalesce(identity_internal.dedup_note('x'), true)$$);
RESET ROLE;
TRUNCATE t;
CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM identity_internal.import_mark((ARRAY[-1, 0, 3, 1000000, 9223372036854775807])[NEW.n % 5 + 1], 2147483647);
    IF NEW.n % 4 = 0 THEN RAISE EXCEPTION 'not %', NEW.n; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER forge AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION forge();
SELECT row_number, status, message FROM identity.import_rows('pg_temp.t', 'SELECT n FROM generate_series(1, 9) n');
SELECT array_agg(n ORDER BY n) FROM t;
DROP TRIGGER forge ON t;

-- In a search for duplicates: what is kept is no row of the table, and nothing is renamed for it.
CREATE TABLE logins (id int PRIMARY KEY, site int, login text);
INSERT INTO logins VALUES (1, 1, 'ann'), (2, 2, 'ann'), (3, 2, 'bob');
CREATE FUNCTION forged(n int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM identity_internal.dedup_note('ann'), identity_internal.dedup_keep(t, p, NULL, NULL, l, NULL)
        FROM unnest('{NULL,0,4294967295}'::oid[]) t, unnest('{NULL,"(0,0)","(9,9)"}'::tid[]) p, unnest('{NULL,"",cid}'::text[]) l;
    RETURN true;
END $$;
CREATE VIEW reserved AS SELECT 'x' AS name WHERE forged(1);
SELECT site, row_id, old_login, new_login FROM identity.dedup_logins('logins', 'login', 'site', 'id', '{"2": "b_"}', reserved => 'reserved');
SELECT * FROM logins ORDER BY id;
SELECT identity.revoke_access('hostile');
DROP VIEW reserved;
DROP TABLE t, logins, calls, functions, hostile_values;
DROP FUNCTION forge, forged, called;
DROP ROLE hostile;
DELETE FROM identity.dedup_runs;
DELETE FROM identity.import_runs;
