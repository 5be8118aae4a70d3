-- The caller's rights, no more.
SET client_min_messages = warning;
DELETE FROM identity.import_runs;
CREATE ROLE anybody;
CREATE ROLE importer;
GRANT CREATE ON SCHEMA public TO importer;
CREATE TABLE people (id serial PRIMARY KEY, name text UNIQUE, owner text DEFAULT current_user, mail text UNIQUE);
CREATE TABLE source (name text, mail text);
INSERT INTO people (name, mail, owner) VALUES ('bob', 'bob@x', 'boss'), ('kim', 'kim@x', 'importer');
INSERT INTO source VALUES ('bob', 'b@x'), ('kim', 'k@x'), ('lea', 'bob@x'), ('new', 'new@x');

-- PUBLIC has nothing.
SET ROLE anybody;
SELECT * FROM identity.import_rows('people', 'source');
SELECT * FROM identity.import_runs;
RESET ROLE;
SELECT identity.grant_access('nobody here', 'importer');
SELECT identity.grant_access('importer', 'owner');
SELECT identity.grant_access('importer', 'importer');

-- Neither the target, nor the source, nor the target's keys.
SET ROLE importer;
SELECT * FROM identity.import_rows('people', 'source');
RESET ROLE;
GRANT INSERT ON people TO importer;
GRANT USAGE ON SEQUENCE people_id_seq TO importer;
SET ROLE importer;
SELECT * FROM identity.import_rows('people', 'source');
RESET ROLE;
GRANT SELECT ON source TO importer;
SET ROLE importer;
SELECT * FROM identity.import_rows('people', 'source');
RESET ROLE;
-- Columns are enough: those of the keys to read, those of the source to write.
REVOKE INSERT ON people FROM importer;
GRANT SELECT (id, name, mail), INSERT (name, mail) ON people TO importer;
SET ROLE importer;
SELECT row_number, status, constraint_name, key, existing FROM identity.import_rows('people', 'source', dry_run => true);
SELECT * FROM identity.import_rows('people', $$SELECT 'x' AS name, 'boss' AS owner$$);
SELECT * FROM identity.import_rows('people', 'source', on_conflict => 'update', match_on => '{name}');
-- It reads the records of its own runs.
SELECT count(*), bool_and(run_by = 'importer') AS own FROM identity.import_runs;
RESET ROLE;

-- Row-level security: a holder that the caller may not see is a conflict without a face; a row that he may not write is invalid.
GRANT SELECT, INSERT, UPDATE ON people TO importer;
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON people USING (owner = current_user) WITH CHECK (name <> 'evil');
SET ROLE importer;
CREATE TEMP TABLE told AS SELECT * FROM identity.import_rows('people',
  $$SELECT * FROM source UNION ALL VALUES ('evil', 'e@x'), ('new', 'other@x')$$, report => 'all', dry_run => true);
SELECT row_number, status, constraint_name, columns, key, existing, winner_row, sqlstate, message FROM identity.import_rows('people',
  $$SELECT * FROM source UNION ALL VALUES ('evil', 'e@x'), ('new', 'other@x')$$, report => 'all');
SELECT row_number, status, constraint_name, key FROM told;
SELECT name, owner FROM people ORDER BY id;
-- An update finds only what the caller may update.
SELECT row_number, status, constraint_name, columns, key, existing ? 'id' AS named, winner_row FROM identity.import_rows('people',
  $$SELECT * FROM (VALUES ('bob', 'b@x'), ('kim', 'k2@x'), ('kim', 'k3@x')) v (name, mail)$$,
  on_conflict => 'update', match_on => '{name}', report => 'all');
RESET ROLE;
SELECT name, owner, mail FROM people ORDER BY id;
SELECT run_by, count(*) > 0 AS some FROM identity.import_runs GROUP BY 1;

-- A role that loses its level loses all of it.
SELECT identity.revoke_access('importer');
SET ROLE importer;
SELECT * FROM identity.import_rows('people', 'source');
RESET ROLE;
DROP TABLE people, source, told;
REVOKE CREATE ON SCHEMA public FROM importer;
DROP ROLE anybody, importer;

-- The search path of the caller cannot put other functions, operators, types or relations under the extension's own SQL: what pg_catalog has is
-- copied as traps, also for types that pg_catalog itself would only come to by a coercion.
CREATE SCHEMA evil;
CREATE FUNCTION evil.spring() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.try(VARIADIC statements text[]) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE statement text;
BEGIN FOREACH statement IN ARRAY statements LOOP EXECUTE statement; END LOOP; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN false; END $$;
CREATE VIEW evil.stand_ins AS SELECT 'text' AS one, 'text[]' AS many UNION ALL SELECT 'bigint', 'bigint[]' UNION ALL SELECT 'integer', 'integer[]' UNION ALL
    SELECT 'jsonb', 'jsonb[]' UNION ALL SELECT 'date', 'date[]' UNION ALL SELECT 'character varying', 'character varying[]' UNION ALL SELECT 'boolean', 'boolean[]';
SELECT count(*) > 2500 AS functions FROM (
    SELECT DISTINCT p.proname, replace(replace(replace(pg_get_function_identity_arguments(p.oid), 'VARIADIC ', ''), 'anyarray', s.many), 'anyelement', s.one) AS arguments
    FROM pg_proc p CROSS JOIN evil.stand_ins s WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind <> 'p') f
WHERE evil.try(format('CREATE FUNCTION evil.%I(%s) RETURNS boolean LANGUAGE plpgsql AS $t$ BEGIN RAISE EXCEPTION ''trapped: function %s''; END $t$', proname,
    regexp_replace(regexp_replace(arguments, '\mORDER BY\M', ','), '"any"', 'text', 'g'), proname));
-- What takes any number of values of any type.
SELECT count(*) > 100 AS variadic FROM (SELECT DISTINCT p.proname FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proargtypes::oid[] && '{"\"any\""}'::regtype[]::oid[]) f,
    evil.stand_ins s, generate_series(0, 6) n
WHERE evil.try(format('CREATE FUNCTION evil.%I(%s) RETURNS boolean LANGUAGE plpgsql AS $t$ BEGIN RAISE EXCEPTION ''trapped: function %s''; END $t$', proname,
    array_to_string(array_fill(s.one, ARRAY[n]), ', '), proname));
CREATE FUNCTION evil.op(anyelement, anyelement) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped: operator'; END $$;
CREATE VIEW evil.compared AS SELECT unnest('{text,varchar,bpchar,name,"\"char\"",int2,int4,int8,oid,regclass,regtype,tid,date,timestamptz,bool,jsonb,uuid,text[],int4[]}'::text[]) AS type;
SELECT count(*) > 2500 AS operators FROM (
    SELECT o.oprname, o.oprleft::regtype::text AS l, o.oprright::regtype::text AS r FROM pg_operator o WHERE o.oprnamespace = 'pg_catalog'::regnamespace
    UNION SELECT o, l.type, r.type FROM unnest('{=,<>,<,>,<=,>=,~~,~,||}'::text[]) o, evil.compared l, evil.compared r) o
WHERE evil.try(format('CREATE FUNCTION evil.op_%s(%s) RETURNS boolean LANGUAGE plpgsql AS $t$ BEGIN RAISE EXCEPTION ''trapped: %s %s %s''; END $t$',
        md5(concat(oprname, l, r)), concat_ws(', ', NULLIF(l, '-'), r), replace(l, '"', ''), replace(oprname, '%', '%%'), replace(r, '"', '')),
        format('CREATE OPERATOR evil.%s (FUNCTION = evil.op_%s, %s)', oprname, md5(concat(oprname, l, r)), concat_ws(', ', 'LEFTARG = ' || NULLIF(l, '-'), 'RIGHTARG = ' || r)));
SELECT count(*) > 50 AS types FROM pg_type t WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typelem = 0
    AND evil.try(format('CREATE DOMAIN evil.%I AS pg_catalog.%I CHECK (evil.spring())', typname, typname));
SELECT count(*) > 100 AS relations FROM pg_class c WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
    AND evil.try(format('CREATE VIEW evil.%I AS SELECT evil.spring()', relname));

-- A table with expressions of every kind, which name functions, operators and types of pg_catalog.
CREATE DOMAIN public.birthday AS date CHECK (VALUE > '1900-01-01' AND date_part('year', VALUE) < 2100);
CREATE TABLE public.parents (code varchar(8) PRIMARY KEY);
INSERT INTO parents VALUES ('a'), ('b');
CREATE TABLE public.t (
    id int PRIMARY KEY CHECK (id IN (1, 2, 3) OR id BETWEEN 4 AND 90000),
    name varchar(40) NOT NULL CHECK (lower(name) <> 'bad' AND name NOT LIKE 'x%' AND concat(name, '!') <> '!'),
    born birthday UNIQUE,
    tags text[] DEFAULT array_append('{}'::text[], 'new') CHECK (array_position(tags, 'no') IS NULL),
    doc jsonb DEFAULT jsonb_build_object('a', 1),
    code varchar(8) DEFAULT lower('A') REFERENCES parents,
    upper_name text GENERATED ALWAYS AS (upper(name) || '!') STORED,
    during int4range,
    boss int REFERENCES t DEFERRABLE INITIALLY DEFERRED,
    login text,
    site int DEFAULT 1,
    renamed boolean DEFAULT false,
    EXCLUDE USING gist (during WITH &&) WHERE (COALESCE(id, 0) + 1 > 0));
CREATE UNIQUE INDEX t_name ON t (lower(name), (doc ->> 'n')) WHERE name <> 'free' OR length(name) > 40;
CREATE UNIQUE INDEX t_tags ON t (lower(tags[1] || '')) WHERE tags IS NOT NULL AND tags <> '{new}'::text[];
INSERT INTO t (id, name, born, tags, during, login, site) VALUES (1, 'Ann', '2000-01-01', '{one}', '[1,5)', 'ann', 1), (2, 'Bob', '2000-01-02', '{two}', '[5,9)', 'ann', 2), (3, 'Cid', '2000-01-03', '{three}', '[9,12)', 'cid', 2);
CREATE TABLE sourced AS SELECT * FROM (VALUES (1, 'x1', '2001-01-01', NULL, NULL, 'a', 1), (4, 'ANN', '2000-01-01', 'one', '[4,6)', 'a', 1), (5, 'Dan', '2001-02-29', 'five', '[20,25)', 'a', 1),
    (6, 'Eve', '2001-01-06', 'no', '[30,35)', 'c', 1), (7, 'Fay', '2001-01-07', 'seven', '[40,45)', 'b', 77), (8, 'Gus', '2001-01-08', 'eight', '[50,55)', 'b', 2),
    (9, 'GUS', '2001-01-08', 'eight', '[54,56)', 'b', 9)) v (id, name, born, tag, during, code, boss);
CREATE VIEW source AS SELECT id, name, born, ARRAY[tag] AS tags, during, code, boss FROM sourced;
CREATE VIEW many AS SELECT n AS id, 'n' || n AS name, date '1950-01-01' + n AS born, ARRAY['t' || n] AS tags, jsonb_build_object('n', n % 3) AS doc
    FROM (SELECT n - n % 100 / 99 AS n FROM generate_series(10, 21000) n) n;
CREATE VIEW same AS SELECT id, name || '?' AS name, born FROM t WHERE id < 3 UNION ALL SELECT 9, 'Hal', '2001-01-01';
CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN NEW.name := initcap(NEW.name); RETURN NEW; END $$;
CREATE ROLE importer;
SELECT identity.grant_access('importer', 'admin');
GRANT ALL ON SCHEMA evil, public TO importer;
GRANT ALL ON ALL TABLES IN SCHEMA public TO importer;
ALTER TABLE t OWNER TO importer;
GRANT ALL ON DATABASE :"DBNAME" TO importer;
SELECT identity.add_realm('acme'), identity.add_site('acme', 1, 'main'), identity.add_site('acme', 2, 'shop');
CREATE VIEW documents AS SELECT jsonb_build_object('traits', jsonb_build_object('username', u)) AS doc FROM unnest('{ann,bob,ANN}'::text[]) u;
CREATE VIEW users AS SELECT 1 AS id, 'ann' AS u, 'ann@example.org' AS m UNION ALL SELECT 2, 'zoe', 'zoe@example.org' UNION ALL SELECT 2, 'zoe', NULL;
CREATE VIEW domains AS SELECT 'trash.example' AS domain;
GRANT ALL ON ALL TABLES IN SCHEMA public TO importer;
SET ROLE importer;
SET search_path = evil, pg_catalog, public;
SELECT row_number, status, constraint_name, columns, key, existing, winner_row FROM identity.import_rows('public.t', 'public.source', row_id => 'id', dry_run => true);
SELECT row_number, row_id, status, constraint_name FROM identity.import_rows('public.t', 'public.source', row_id => 'id', report => 'all');
SELECT * FROM identity.import_rows('public.t', 'public.source', on_conflict => 'error');
SELECT * FROM identity.import_rows('public.t', 'public.source', on_conflict => 'abort', max_problems => 1) LIMIT 0;
SELECT row_number, status, constraint_name, existing FROM identity.import_rows('public.t', 'public.same', on_conflict => 'update', match_on => '{id}', report => 'all');
SELECT row_number, status, constraint_name FROM identity.import_rows('public.t', 'public.same', on_conflict => 'update', match_on => '{born}');
SELECT status, constraint_name, pg_catalog.count(*) FROM identity.import_rows('public.t', 'public.many', dry_run => true) GROUP BY status, constraint_name ORDER BY status, constraint_name;
CREATE TRIGGER tidy BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.tidy();
SELECT row_number, status, constraint_name, key, winner_row FROM identity.import_rows('public.t', 'public.source');
DROP TRIGGER tidy ON public.t;
ALTER TABLE public.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON public.t USING (true) WITH CHECK (true);
SELECT row_number, status, constraint_name FROM identity.import_rows('public.t', 'public.source');
ALTER TABLE public.t DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
SELECT login_key, members, sites FROM identity.find_duplicates('public.t', 'login', 'site', 'id');
SELECT login_key, members FROM identity.find_duplicates('public.t', 'login', 'site', 'name', "normalize" => 'exact');
SELECT site, row_id, old_login, new_login FROM identity.dedup_logins('public.t', 'login', 'site', 'id', '{"2": "b_"}', flag => 'renamed', reserved => 'public.domains', dry_run => true);
SELECT run_id FROM identity.dedup_logins('public.t', 'login', 'site', 'id', '{"2": "b_"}', flag => 'renamed', keep => 'none', "normalize" => 'email', max_length => 20) \gset
SELECT site, row_id, login, restored, status, reason FROM identity.undo_dedup(:'run_id');
SELECT row_number, status, identifier, warning FROM identity.import_identities('acme', '[{"traits": {"username": "kim"}}, {"traits": {"username": "KIM"}}]');
SELECT row_number, status, identifier FROM identity.import_identities_from('acme', 'public.documents', report => 'all');
SELECT row_number, status FROM identity.import_identities_from('acme', 'public.documents', on_conflict => 'update', dry_run => true, report => 'all');
SELECT pg_catalog.jsonb_object_keys(identity.patch_identities('acme', '{"identities": [{"create": {"traits": {"username": "pat"}}}]}'));
SELECT * FROM identity.recheck_identifiers('acme');
SELECT row_number, original_id, status FROM identity.stage_site('acme', 'shop', 'public.users', '{"original_id": "id", "username": "u", "email": "m"}', '{"disposable_domains": "public.domains"}', report => 'all');
SELECT site, row_id, new_login, kind FROM identity.dedup_site_logins('acme', dry_run => true);
SELECT site, row_id, new_login, kind FROM identity.dedup_site_logins('acme');
RESET search_path;
RESET ROLE;
SELECT id, name, born, tags, code, upper_name, login, renamed FROM t ORDER BY id;
SET client_min_messages = error;
SELECT identity.revoke_access('importer');
-- A few at a time: so many objects are more than the locks that one transaction may hold.
DO $$ DECLARE trap regprocedure; dropped int := 0; BEGIN
    FOR trap IN SELECT oid FROM pg_proc WHERE pronamespace = 'evil'::regnamespace AND proname LIKE 'op\_%' LOOP
        EXECUTE format('DROP FUNCTION %s CASCADE', trap);
        dropped := dropped + 1;
        IF dropped % 500 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$;
DROP SCHEMA evil CASCADE;
DROP VIEW source, many, same, documents, users, domains;
DROP TABLE t, sourced, parents;
DROP DOMAIN birthday;
DROP FUNCTION tidy;
DROP OWNED BY importer;
DROP ROLE importer;
DELETE FROM identity.former_logins WHERE realm = 'acme';
DELETE FROM identity.site_dedup_runs WHERE realm = 'acme';
DELETE FROM identity.staged_identities WHERE realm = 'acme';
DELETE FROM identity.sites WHERE realm = 'acme';
DELETE FROM identity.identities WHERE realm = 'acme';
DELETE FROM identity.realms WHERE name = 'acme';
DELETE FROM identity.dedup_runs;
DELETE FROM identity.import_runs;
