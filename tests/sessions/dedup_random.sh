#!/usr/bin/env bash
# Random tables of sites that number their users alike: dedup_logins beside a judge that compares what was with what is.
# SEED=7 makes the tables of seed 7 again.
. "$(dirname "$0")/../lib.sh"
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
echo "SEED=$seed"
ask >/dev/null <<'SQL'
CREATE TABLE found (run text, what text, rows jsonb);
CREATE TABLE logins (site text, id int, login text, flag int, PRIMARY KEY (site, id));
CREATE TABLE before (LIKE logins);
CREATE TABLE told (run_id uuid, site text, row_id text, old_login text, new_login text, duplicate_of jsonb, reason text);
CREATE TABLE taken (name text);

-- Names of few letters, of which many are equal, in several spellings; some begin as new names do, some end in counters.
CREATE FUNCTION name(longest int) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT concat(CASE WHEN random() < 0.2 THEN (ARRAY['a_', 'b', 'A_', 'ß-'])[1 + floor(random() * 4)] END,
        (SELECT string_agg((ARRAY['x', 'y', 'X', 'é', U&'e\0301', ' ', '1', U&'\0301'])[1 + floor(random() * 8)], '') FROM generate_series(1, 1 + floor(random() * longest)::int)),
        CASE WHEN random() < 0.3 THEN floor(random() * 12)::text END) $$;

-- What is wrong with what a run did, by set operations on the two tables alone.
CREATE FUNCTION judge(run text, prefixes jsonb, form text, keep text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    wrong jsonb;
BEGIN
    DROP TABLE IF EXISTS seen;
    CREATE TEMP TABLE seen AS
    SELECT b.site, b.id, b.login AS old, l.login AS new, l.login IS DISTINCT FROM b.login AS renamed, prefixes ->> b.site AS prefix, l.flag,
        CASE form WHEN 'exact' THEN b.login ELSE identity.normalize_identifier(form, b.login) END COLLATE "C" AS old_key,
        CASE form WHEN 'exact' THEN l.login ELSE identity.normalize_identifier(form, l.login) END COLLATE "C" AS new_key
    FROM before b JOIN logins l USING (site, id);
    ALTER TABLE seen ADD members int, ADD place int;
    ANALYZE seen;
    UPDATE seen s SET members = g.members, place = g.place
    FROM (SELECT site, id, count(*) OVER (PARTITION BY old_key) AS members,
            row_number() OVER (PARTITION BY old_key ORDER BY prefix IS NOT NULL, site COLLATE "C", id) AS place FROM seen) g
    WHERE (s.site, s.id) = (g.site, g.id);

    FOR wrong IN SELECT to_jsonb(s) FROM seen s WHERE s.renamed <> (s.members > 1 AND s.prefix IS NOT NULL AND (s.place > 1 OR keep = 'none')) LOOP
        INSERT INTO found VALUES (run, 'a row that is renamed and need not be, or the other way round', wrong); END LOOP;
    FOR wrong IN SELECT jsonb_agg(s) FROM seen s GROUP BY s.new_key HAVING count(*) > 1 AND count(*) FILTER (WHERE prefix IS NOT NULL AND renamed) > 0 LOOP
        INSERT INTO found VALUES (run, 'a new name that another row has', wrong); END LOOP;
    FOR wrong IN SELECT to_jsonb(s) FROM seen s WHERE s.renamed AND EXISTS (SELECT FROM seen o WHERE o.old_key = s.new_key) LOOP
        INSERT INTO found VALUES (run, 'a new name that a row had before', wrong); END LOOP;
    FOR wrong IN SELECT to_jsonb(s) FROM seen s JOIN taken t ON s.renamed
        AND s.new_key = CASE form WHEN 'exact' THEN t.name ELSE identity.normalize_identifier(form, t.name) END LOOP
        INSERT INTO found VALUES (run, 'a new name that is reserved', wrong); END LOOP;
    FOR wrong IN SELECT to_jsonb(s) FROM seen s WHERE s.renamed AND (NOT starts_with(s.new, s.prefix) OR s.flag IS DISTINCT FROM 1) OR NOT s.renamed AND s.flag IS NOT NULL LOOP
        INSERT INTO found VALUES (run, 'a name without its prefix, or a wrong flag', wrong); END LOOP;
    FOR wrong IN SELECT to_jsonb(s) FROM (SELECT *, CASE form WHEN 'exact' THEN prefix || old ELSE identity.normalize_identifier(form, prefix || old) END AS plain FROM seen) s
        WHERE s.renamed AND s.new <> s.prefix || s.old
          AND NOT EXISTS (SELECT FROM seen o WHERE s.plain = o.old_key) AND NOT EXISTS (SELECT FROM seen o WHERE s.plain = o.new_key)
          AND NOT EXISTS (SELECT FROM taken t WHERE s.plain = CASE form WHEN 'exact' THEN t.name ELSE identity.normalize_identifier(form, t.name) END) LOOP
        INSERT INTO found VALUES (run, 'a counter that was not needed', wrong); END LOOP;
    FOR wrong IN SELECT jsonb_build_object('seen', s, 'told', t) FROM (SELECT * FROM seen WHERE renamed) s
        FULL JOIN (SELECT * FROM told WHERE new_login <> old_login) t ON (t.site, t.row_id) = (s.site, s.id::text) AND (t.old_login, t.new_login) = (s.old, s.new)
        WHERE s.id IS NULL OR t.row_id IS NULL LOOP
        INSERT INTO found VALUES (run, 'a report that is not what was done', wrong); END LOOP;
END $$;

CREATE FUNCTION try(run text, rows int, longest int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    prefixes jsonb := (ARRAY['{"2": "a_", "3": "b"}', '{"2": "a_", "3": "a_"}', '{"1": "A_", "2": "ß-", "3": "e"}']::jsonb[])[1 + floor(random() * 3)];
    form text := (ARRAY['username', 'exact', 'email'])[1 + floor(random() * 3)];
    keep text := (ARRAY['first', 'none'])[1 + floor(random() * 2)];
    dry jsonb;
    real jsonb;
BEGIN
    TRUNCATE logins, before, told, taken;
    INSERT INTO logins SELECT 1 + n % 4, n / 4, name(longest) FROM generate_series(4, rows) n;
    INSERT INTO before TABLE logins;
    INSERT INTO taken SELECT DISTINCT name(longest) FROM generate_series(1, 20);
    -- With little memory and with much the names are the same.
    SET LOCAL work_mem = '64kB'; SET LOCAL maintenance_work_mem = '1MB';
    SELECT jsonb_agg(jsonb_build_array(d.site, d.row_id, d.new_login, d.reason) ORDER BY d.site, d.row_id) INTO dry
    FROM identity.dedup_logins('logins', 'login', 'site', 'id', prefixes, 'flag', keep, form, reserved => 'taken', dry_run => true) d;
    SET LOCAL work_mem = '64MB';
    INSERT INTO told SELECT * FROM identity.dedup_logins('logins', 'login', 'site', 'id', prefixes, 'flag', keep, form, reserved => 'taken');
    SELECT jsonb_agg(jsonb_build_array(d.site, d.row_id, d.new_login, d.reason) ORDER BY d.site, d.row_id) INTO real FROM told d;
    IF dry IS DISTINCT FROM real THEN
        INSERT INTO found VALUES (run, 'a dry run with little memory that tells something else', jsonb_build_array(dry, real));
    END IF;
    PERFORM judge(run, prefixes, form, keep);
    IF EXISTS (SELECT FROM told WHERE new_login <> old_login) THEN
        INSERT INTO found SELECT run, 'a row that is not given back', to_jsonb(u) FROM (SELECT DISTINCT run_id FROM told) t, identity.undo_dedup(t.run_id) u WHERE u.status <> 'restored';
    END IF;
    INSERT INTO found SELECT run, 'a row that is not as it was', to_jsonb(d) FROM (TABLE logins EXCEPT TABLE before) d;
END $$;
SQL
{
    echo "SET client_min_messages = error; SELECT setseed($seed / 1073741824.0);"
    for n in $(seq 60); do echo "SELECT try('$n', 20 + floor(random() * 400)::int, 1 + floor(random() * 4)::int);"; done
    # More than fits into the memory at once.
    echo "SELECT try('large', 30000, 2); SELECT try('long', 30000, 9);"
} | ask >/dev/null
expect "what is wrong" "" "$(ask -c "SELECT run, what, left(rows::text, 400) FROM found LIMIT 10")"
expect "rows were renamed" t "$(ask -c "SELECT count(*) > 1000 AND bool_and(restored) FROM identity.dedup_rows WHERE new_login IS NOT NULL")"
