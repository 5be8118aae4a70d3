-- A source that is large enough for its keys to be sifted by hash is judged as its pieces are, which are looked up one by one.
SET client_min_messages = warning;
CREATE TABLE p (id bigserial PRIMARY KEY, a text, b int, c text, d numeric, active bool);
CREATE UNIQUE INDEX p_a ON p (lower(a));
CREATE UNIQUE INDEX p_bc ON p (b, c) WHERE active;
CREATE UNIQUE INDEX p_d ON p (d) NULLS NOT DISTINCT;
INSERT INTO p (a, b, c, d, active) SELECT 'a' || n, n % 300, 'c' || n / 300, n * 7, true FROM generate_series(1, 9000) n;
CREATE TABLE q (id bigserial PRIMARY KEY, a text, b int, c text, d numeric, active bool);
CREATE UNIQUE INDEX p_a_too ON q (lower(a));
CREATE UNIQUE INDEX p_bc_too ON q (b, c) WHERE active;
CREATE UNIQUE INDEX p_d_too ON q (d) NULLS NOT DISTINCT;
INSERT INTO q (a, b, c, d, active) SELECT a, b, c, d, active FROM p ORDER BY id;
-- Every key is often held, often wanted twice, and sometimes NULL.
CREATE FUNCTION pick(n int, what text, most int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT abs(hashtext(what || n)) % most $$;
CREATE TABLE source AS SELECT n, CASE WHEN pick(n, 'x', 10) > 0 THEN CASE pick(n, 'y', 2) WHEN 0 THEN 'A' ELSE 'a' END || pick(n, 'a', 30000) END AS a,
    pick(n, 'b', 300) AS b, CASE WHEN pick(n, 'z', 10) > 0 THEN 'c' || pick(n, 'c', 300) END AS c,
    CASE WHEN pick(n, 'w', 5000) > 0 THEN pick(n, 'd', 100000) END AS d, pick(n, 'v', 2) = 0 AS active
FROM generate_series(1, 25000) n;
CREATE TABLE whole AS SELECT * FROM identity.import_rows('p', 'SELECT a, b, c, d, active FROM source ORDER BY n', report => 'all');
CREATE TABLE pieces AS SELECT * FROM whole WHERE false;
DO $$ BEGIN
    FOR low IN 1 .. 25000 BY 1000 LOOP
        INSERT INTO pieces SELECT r.run_id, r.row_number + low - 1, r.row_id, r.status, replace(r.constraint_name, '_too', ''), r.columns, r.key,
                r.existing, r.winner_row + low - 1, r.sqlstate, r.message
            FROM identity.import_rows('q', format('SELECT a, b, c, d, active FROM source WHERE n BETWEEN %s AND %s ORDER BY n', low, low + 999), report => 'all') r;
    END LOOP; END $$;
SELECT count(*) FILTER (WHERE status = 'inserted') > 5000 AS many_in, count(*) FILTER (WHERE status = 'conflict') > 5000 AS many_held, count(*) FILTER (WHERE status = 'duplicate') > 1000 AS many_twice FROM whole;
SELECT count(*) AS other_rows FROM (SELECT a, b, c, d, active FROM p EXCEPT ALL SELECT a, b, c, d, active FROM q) d;
-- What is a duplicate in the whole may be a conflict with an earlier piece; the row and the constraint are the same.
SELECT count(*) AS other_problems FROM (
    (SELECT row_number, constraint_name, key FROM whole WHERE status <> 'inserted' EXCEPT SELECT row_number, constraint_name, key FROM pieces WHERE status <> 'inserted')
    UNION ALL
    (SELECT row_number, constraint_name, key FROM pieces WHERE status <> 'inserted' EXCEPT SELECT row_number, constraint_name, key FROM whole WHERE status <> 'inserted')) d;
-- The holders are those who hold the key.
SELECT count(*) AS wrong_holders FROM whole w WHERE w.status = 'conflict' AND w.constraint_name = 'p_a'
    AND NOT EXISTS (SELECT FROM p WHERE p.id = (w.existing ->> 'id')::bigint AND lower(p.a) = w.key ->> 'lower(a)');
DROP TABLE p, q, source, whole, pieces;
DROP FUNCTION pick;
DELETE FROM identity.import_runs;
