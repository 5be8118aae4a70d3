-- Login names of several sites in one table: renamed in one pass that is final.
SET client_min_messages = warning;
CREATE TABLE users (id serial PRIMARY KEY, site int, login varchar(12), renamed boolean NOT NULL DEFAULT false);
INSERT INTO users (site, login) VALUES (1, 'bob'), (1, 'fz_bob'), (2, 'bob'), (2, 'Bob'), (2, 'fz_bob'), (3, 'bob'), (1, 'ann'), (2, 'kim'), (3, 'KIM'), (10, 'kim'),
  (2, 'longlonglong'), (3, 'longlonglong'), (3, 'LongLongLong'), (2, 'Straße'), (3, 'STRASSE'), (1, 'dup'), (1, 'DUP'), (2, 'dup'), (2, 'eve'), (3, 'fz_eve'), (1, 'eve'), (2, NULL), (3, NULL), (2, ''), (3, '');
SELECT * FROM identity.find_duplicates('users', 'login', 'site', 'id');
SELECT * FROM identity.find_duplicates('users', 'login', 'site', 'id', 'exact');
-- What would be renamed; then for real. Nothing is renamed that need not be.
SELECT site, row_id, old_login, new_login, duplicate_of, reason FROM identity.dedup_logins('users', 'login', 'site', 'id', '{"2": "fz_", "3": "gx_", "10": "hy_"}', flag => 'renamed', dry_run => true);
SELECT count(*) AS renamed FROM users WHERE renamed;
CREATE TABLE told AS SELECT * FROM identity.dedup_logins('users', 'login', 'site', 'id', '{"2": "fz_", "3": "gx_", "10": "hy_"}', flag => 'renamed');
SELECT site, row_id, old_login, new_login FROM told WHERE new_login <> old_login;
SELECT id, site, login, renamed FROM users ORDER BY id;
SELECT login_key, rows FROM identity.find_duplicates('users', 'login', 'site', 'id');
-- A second pass has nothing to do; new rows alone are renamed then.
SELECT site, row_id, old_login, new_login, reason FROM identity.dedup_logins('users', 'login', 'site', 'id', '{"2": "fz_", "3": "gx_", "10": "hy_"}', flag => 'renamed') WHERE new_login <> old_login;
INSERT INTO users (site, login) VALUES (3, 'ann'), (3, 'bob');
SELECT site, row_id, old_login, new_login FROM identity.dedup_logins('users', 'login', 'site', 'id', '{"2": "fz_", "3": "gx_", "10": "hy_"}', flag => 'renamed') WHERE new_login <> old_login;
-- Undo the first run, after the later ones. One row has gone, one has another name, one name belongs to another row now.
DELETE FROM users WHERE id = 9;
UPDATE users SET login = 'somebody' WHERE id = 10;
INSERT INTO users (site, login) VALUES (1, 'STRASSE');
SELECT DISTINCT run_id AS first FROM told \gset
SELECT site, row_id, login, restored, status, reason FROM identity.undo_dedup(:'first', dry_run => true);
CREATE TABLE undone AS SELECT * FROM identity.undo_dedup(:'first');
SELECT status, count(*) FROM undone GROUP BY 1 ORDER BY 1;
SELECT id, site, login, renamed FROM users WHERE id IN (SELECT row_id::int FROM undone) ORDER BY id;
SELECT row_id, status FROM identity.undo_dedup(:'first');
SELECT run_by = current_user AS mine, target, renamed FROM identity.dedup_runs ORDER BY run_id;
SELECT * FROM identity.undo_dedup('00000000-0000-0000-0000-000000000000');

-- keep => 'none': every row of a site with a prefix is renamed. Sites are texts, ids are texts, the flag is a number.
CREATE TABLE accounts (uid text PRIMARY KEY, site text, name text UNIQUE, flag int);
INSERT INTO accounts VALUES ('a', 'main', 'x'), ('b10', 'shop', 'X'), ('b9', 'shop', 'Y'), ('c1', 'club', 'y'), ('c2', 'club', 'only');
SELECT site, row_id, old_login, new_login, duplicate_of FROM identity.dedup_logins('accounts', 'name', 'site', 'uid', '{"shop": "s.", "club": "c."}', flag => 'flag', keep => 'none');
SELECT * FROM accounts ORDER BY uid;
-- Reserved names, and a prefix that composes with the name.
INSERT INTO accounts VALUES ('d1', 'club', 'x '), ('e1', 'shop', ' only'), ('e2', 'acc', U&'\0301t'), ('e3', 'main', U&'\0301T'), ('e4', 'main', 'ét');
SELECT site, row_id, old_login, new_login FROM identity.dedup_logins('accounts', 'name', 'site', 'uid', '{"shop": "s.", "club": "c.", "acc": "e"}', reserved => $$SELECT 'c.x' AS n UNION ALL SELECT 'S.ONLY'$$, max_length => 8);
SELECT count(*) AS left FROM identity.find_duplicates('accounts', 'name', 'site', 'uid');
-- Many rows with one name, and taken names in their way.
CREATE TABLE many (id int PRIMARY KEY, site int, login text);
INSERT INTO many SELECT n, 2, 'bob' FROM generate_series(1, 500) n;
INSERT INTO many SELECT 1000 + n, 1, 'fz_bob' || n FROM generate_series(1, 700) n;
SELECT count(*), min(new_login), max(length(new_login)) FROM identity.dedup_logins('many', 'login', 'site', 'id', '{"2": "fz_"}');
SELECT count(*), count(DISTINCT login) FROM many;
SELECT login FROM many WHERE id IN (1, 2, 3, 500) ORDER BY id;
-- Triggers fire, and a row that one of them keeps is told.
CREATE FUNCTION stubborn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.login = 'stay' THEN RETURN NULL; END IF; NEW.login := NEW.login || '!'; RETURN NEW; END $$;
CREATE TRIGGER stubborn BEFORE UPDATE ON many FOR EACH ROW EXECUTE FUNCTION stubborn();
INSERT INTO many VALUES (1, 1, 'x') ON CONFLICT DO NOTHING;
INSERT INTO many VALUES (5001, 2, 'stay'), (5002, 1, 'stay'), (5003, 2, 'go'), (5004, 1, 'go');
SELECT row_id, old_login, new_login, reason FROM identity.dedup_logins('many', 'login', 'site', 'id', '{"2": "fz_"}');
-- Rights and row-level security are the caller's.
CREATE ROLE deduper;
SELECT identity.grant_access('deduper', 'importer');
SET ROLE deduper;
SELECT * FROM identity.dedup_logins('accounts', 'name', 'site', 'uid', '{"shop": "s."}');
SELECT * FROM identity.undo_dedup(:'first');
RESET ROLE;
GRANT SELECT, UPDATE ON accounts TO deduper;
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY shops ON accounts USING (site <> 'main') WITH CHECK (true);
INSERT INTO accounts VALUES ('g1', 'shop', 'twin'), ('g2', 'club', 'TWIN'), ('g3', 'main', 'Twin');
SET ROLE deduper;
SELECT site, row_id, old_login, new_login FROM identity.dedup_logins('accounts', 'name', 'site', 'uid', '{"shop": "s.", "club": "c."}');
-- Its own runs, nobody else's.
SELECT count(*), bool_and(run_by = 'deduper') AS own FROM identity.dedup_runs;
SELECT count(*) FROM identity.dedup_rows;
RESET ROLE;
-- A trigger of the caller's cannot make the owner of the records run anything: what a run keeps has no name that it could give to something else.
CREATE TABLE bait (id int PRIMARY KEY, site int, login text);
INSERT INTO bait VALUES (1, 1, 'a'), (2, 2, 'a');
CREATE FUNCTION whoami() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'run as %', current_user; RETURN 'x'; END $$;
CREATE FUNCTION swap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE (SELECT string_agg(format('CREATE TEMP VIEW %I AS SELECT whoami() AS site, whoami() AS row_id, whoami() AS status, whoami() AS login, 1::bigint AS n, 1::oid AS oid, whoami() AS now', name), ';')
    FROM unnest('{kept,grouped,allotted,given,done,told,undo,present,holders,pending,chunk,refused,changed}'::text[]) name);
  RETURN NULL; END $$;
GRANT SELECT, UPDATE ON bait TO deduper;
ALTER FUNCTION swap() OWNER TO deduper;
CREATE TRIGGER swap AFTER UPDATE ON bait FOR EACH STATEMENT EXECUTE FUNCTION swap();
SET ROLE deduper;
SELECT run_id AS bait FROM identity.dedup_logins('bait', 'login', 'site', 'id', '{"2": "b_"}') \gset
SELECT count(*) FROM pg_views WHERE viewowner = 'deduper';
DISCARD TEMP;
SELECT status FROM identity.undo_dedup(:'bait');
SELECT count(*) FROM pg_views WHERE viewowner = 'deduper';
DISCARD TEMP;
SELECT * FROM bait ORDER BY id;
RESET ROLE;
DROP TABLE bait;
DROP FUNCTION whoami, swap;
-- Types that shorten names, and triggers that do.
CREATE TABLE short (id int PRIMARY KEY, s int, login name);
INSERT INTO short SELECT n, n % 2 + 1, repeat('a', 62) || chr(98 + (n - 1) / 2) FROM generate_series(1, 4) n;
SELECT row_id, right(new_login, 4) AS new_login, octet_length(new_login), reason FROM identity.dedup_logins('short', 'login', 's', 'id', '{"2": "fz_"}');
SELECT count(DISTINCT login) FROM short;
CREATE TABLE padded (id int PRIMARY KEY, s int, login char(6));
INSERT INTO padded VALUES (1, 1, 'ab cd'), (2, 2, 'ab cd'), (3, 1, 'fz_ab');
SELECT row_id, new_login, reason FROM identity.dedup_logins('padded', 'login', 's', 'id', '{"2": "fz_"}', "normalize" => 'exact');
CREATE TABLE cutting (id int PRIMARY KEY, s int, login text);
INSERT INTO cutting VALUES (1, 1, 'bob1'), (2, 2, 'bob1'), (3, 1, 'bob2'), (4, 2, 'bob2'), (5, 2, 'eve'), (6, 1, 'eve');
CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.login := left(NEW.login, 6); RETURN NEW; END $$;
CREATE TRIGGER cut BEFORE UPDATE ON cutting FOR EACH ROW EXECUTE FUNCTION cut();
SELECT * FROM identity.dedup_logins('cutting', 'login', 's', 'id', '{"2": "fz_"}');
SELECT row_id, new_login FROM identity.dedup_logins('cutting', 'login', 's', 'id', '{"2": "fz_"}', max_length => 6);
-- An undo keeps a name that is NULL by now, and tells when the table made something else of an old one.
CREATE TABLE fickle (id int PRIMARY KEY, s int, login text);
INSERT INTO fickle VALUES (1, 1, 'bob'), (2, 2, 'bob'), (3, 2, 'BOB'), (4, 2, 'Bob');
CREATE FUNCTION keep4() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.id = 4 THEN OLD ELSE NEW END; END $$;
CREATE TRIGGER keep4 BEFORE UPDATE ON fickle FOR EACH ROW EXECUTE FUNCTION keep4();
CREATE TABLE fickle_run AS SELECT * FROM identity.dedup_logins('fickle', 'login', 's', 'id', '{"2": "fz_"}');
SELECT row_id, new_login, reason FROM fickle_run;
UPDATE fickle SET login = NULL WHERE id = 2;
CREATE FUNCTION lower_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.login := lower(NEW.login) || '_x'; RETURN NEW; END $$;
CREATE TRIGGER zz BEFORE UPDATE ON fickle FOR EACH ROW EXECUTE FUNCTION lower_it();
SELECT row_id, login, restored, status, reason FROM (SELECT DISTINCT run_id FROM fickle_run) r, identity.undo_dedup(r.run_id);
SELECT * FROM fickle ORDER BY id;
-- Only what is committed when the lock is there counts: not a snapshot from before.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM identity.dedup_logins('fickle', 'login', 's', 'id', '{"2": "fz_"}', dry_run => true);
SELECT * FROM identity.dedup_logins('fickle', 'login', 's', 'id', '{"2": "fz_"}');
ROLLBACK;
DROP TABLE short, padded, cutting, fickle, fickle_run;
DROP FUNCTION cut, keep4, lower_it;
-- Arguments.
SELECT * FROM identity.dedup_logins('users', 'nick', 'site', 'id', '{}');
SELECT * FROM identity.dedup_logins('users', 'login', 'site', 'id', '[]');
SELECT * FROM identity.dedup_logins('users', 'login', 'site', 'id', '{"2": "much too long"}');
SELECT * FROM identity.dedup_logins('users', 'login', 'site', 'id', '{"2": "x"}', keep => 'all');
SELECT * FROM identity.dedup_logins('users', 'login', 'site', 'id', '{"2": "x"}', flag => 'login');
SELECT * FROM identity.dedup_logins('users', 'login', 'site', 'site', '{"2": "x"}');
SELECT * FROM identity.find_duplicates('users', 'login', 'site', 'id', 'lower');
SELECT * FROM identity.find_duplicates('pg_views', 'viewname', 'schemaname', 'viewname');
SELECT identity.revoke_access('deduper');
DROP OWNED BY deduper;
DROP ROLE deduper;
DROP TABLE users, accounts, many, told, undone;
DROP FUNCTION stubborn;
DELETE FROM identity.dedup_runs;
DELETE FROM identity.dedup_rows;
