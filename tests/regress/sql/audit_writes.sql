-- Events are written without a statement, and login times too: what a statement would do for them is done all the same.
SET client_min_messages = warning;
\set VERBOSITY terse
\set SHOW_CONTEXT never
CREATE FUNCTION verify(realm text, OUT events bigint, OUT intact boolean, OUT broken bigint) LANGUAGE sql AS $$
    SELECT sum(v.events), bool_and(v.intact), min(v.first_broken / 1048576) FROM identity.verify_audit(realm) v $$;
SELECT identity.add_realm('written');
-- The hash of whatever is in an event is the one that identity_internal.audit_hash says.
SET application_name = 'a "quoted" \ name';
SELECT identity_internal.audit('written', E'tab\tline\nreturn\rform\fback\b bell\a "quoted" \\ / \u00e9 \u2028 \U0001F600', E'\x7f', '{"b": 1.50, "a": [1e3, null, true, "\u00e9\u0001\"", {"": {}}], "longer": -0.0}') > 0 AS written;
SELECT identity_internal.audit('written', '', NULL, '[]') > 0 AS written;
SELECT identity_internal.audit('written', 'large', repeat('x', 9000), jsonb_build_object('text', (SELECT string_agg(md5(n::text), ' ') FROM generate_series(1, 1000) n))) > 0 AS written;
RESET application_name;
SET timezone = 'Asia/Kathmandu'; SET extra_float_digits = 0; SET datestyle = 'German';
SELECT * FROM verify('written');
RESET timezone; RESET extra_float_digits; RESET datestyle;
SELECT bool_and(hash = sha256(prev || convert_to(jsonb_build_array(realm, lane, seq, EXTRACT(epoch FROM at), session_role, acting_role, application_name, client_addr, action, subject, detail)::text, 'UTF8'))) AS as_written
FROM identity.audit_events WHERE realm = 'written';

-- Many events of one statement, savepoints that are rolled back, and a table of heads that is written anew, shorter.
SELECT count(identity_internal.audit('written', 'many', n::text, '{}')) FROM generate_series(1, 3000) n;
BEGIN;
SELECT identity_internal.audit('written', 'kept', NULL, '{}') > 0 AS written;
SAVEPOINT s;
SELECT identity_internal.audit('written', 'lost', NULL, '{}') > 0 AS written;
SELECT identity_internal.audit('', 'lost', NULL, '{}') > 0 AS written;
ROLLBACK TO s;
SELECT identity_internal.audit('written', 'kept', NULL, '{}') > 0 AS written;
COMMIT;
BEGIN; SELECT identity_internal.audit('written', 'lost', NULL, '{}') > 0 AS written; ROLLBACK;
VACUUM FULL identity.audit_heads;
SELECT identity_internal.audit('written', 'after', NULL, '{}') > 0 AS written;
VACUUM identity.audit_heads;
SELECT identity_internal.audit('written', 'after', NULL, '{}') > 0 AS written;
SELECT * FROM verify('written');
SELECT action, count(*) FROM identity.audit_events WHERE realm = 'written' GROUP BY action HAVING length(action) BETWEEN 1 AND 5 ORDER BY 1;
-- An index that was added to the events has them too.
CREATE INDEX added_idx ON identity.audit_events (action) WHERE realm = 'written';
SELECT identity_internal.audit('written', 'indexed', NULL, '{}') > 0 AS written;
SET enable_seqscan = off;
SELECT count(*) FROM identity.audit_events WHERE realm = 'written' AND action = 'indexed';
RESET enable_seqscan;
DROP INDEX identity.added_idx;
-- A trigger that forwards events has each; a constraint that was added holds. Functions of the extension write as identity_owner: a
-- trigger function that needs other tables is SECURITY DEFINER, or that role gets the right.
CREATE TABLE forwarded (what text, action text);
CREATE FUNCTION forward() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        INSERT INTO public.forwarded VALUES ('row', NEW.action);
    ELSE
        INSERT INTO public.forwarded SELECT 'statement', action FROM added;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER forward AFTER INSERT ON identity.audit_events FOR EACH ROW EXECUTE FUNCTION forward();
ALTER FUNCTION forward() SECURITY INVOKER;
SELECT identity_internal.audit('written', 'forward', NULL, '{}') > 0 AS written;
ALTER FUNCTION forward() SECURITY DEFINER;
SELECT identity_internal.audit('written', 'forward', NULL, '{}') > 0 AS written;
DROP TRIGGER forward ON identity.audit_events;
CREATE TRIGGER forward AFTER INSERT ON identity.audit_events REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION forward();
SELECT identity_internal.audit('written', 'forward', NULL, '{}') > 0 AS written;
DROP TRIGGER forward ON identity.audit_events;
SELECT * FROM forwarded ORDER BY 1;
-- It finds the session's settings of the planner, and what it sets lasts as long as it says.
CREATE FUNCTION plan_otherwise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'seqscan %, bitmapscan %, hashjoin %, mergejoin %', current_setting('enable_seqscan'), current_setting('enable_bitmapscan'), current_setting('enable_hashjoin'), current_setting('enable_mergejoin');
    SET LOCAL enable_hashjoin = on;
    SET LOCAL enable_mergejoin = off;
    RETURN NULL;
END $$;
CREATE TRIGGER plan_otherwise AFTER INSERT ON identity.audit_events FOR EACH ROW EXECUTE FUNCTION plan_otherwise();
SET enable_bitmapscan = off;
BEGIN;
SELECT identity_internal.audit('written', 'plan', NULL, '{}') > 0 AS written;
SELECT identity_internal.audit('written', 'plan', NULL, '{}') > 0 AS written;
SHOW enable_mergejoin;
COMMIT;
RESET enable_bitmapscan;
SELECT name, setting, source FROM pg_settings WHERE name ~ '^enable_' AND source <> 'default';
DROP TRIGGER plan_otherwise ON identity.audit_events;
ALTER TABLE identity.audit_events ADD CONSTRAINT mine CHECK (action <> 'forbidden');
SELECT identity_internal.audit('written', 'forbidden', NULL, '{}');
ALTER TABLE identity.audit_events DROP CONSTRAINT mine;
BEGIN;
ALTER TABLE identity.audit_events ADD COLUMN shift text DEFAULT 'night';
SELECT identity_internal.audit('written', 'shift', NULL, '{}') > 0 AS written;
SELECT action, shift FROM identity.audit_events WHERE action = 'shift';
ALTER TABLE identity.audit_events DROP COLUMN shift;
SELECT identity_internal.audit('written', 'shift', NULL, '{}') > 0 AS written;
ROLLBACK;
SELECT intact FROM verify('written');

-- A tool that copies the heads by a trigger is told of them; a chain goes on after that.
CREATE TABLE copied (realm text, seq bigint);
CREATE FUNCTION copy_head() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN INSERT INTO public.copied VALUES (NEW.realm, NEW.seq); RETURN NULL; END $$;
CREATE TRIGGER copy_head AFTER INSERT OR UPDATE ON identity.audit_heads FOR EACH ROW EXECUTE FUNCTION copy_head();
SELECT count(identity_internal.audit(r, 'copied', NULL, '{}')) FROM unnest('{written,never met,written,never met}'::text[]) r;
DROP TRIGGER copy_head ON identity.audit_heads;
SELECT realm, count(*), max(seq) - min(seq) AS moved FROM copied WHERE realm <> '' GROUP BY 1 ORDER BY 1;
SELECT count(identity_internal.audit(r, 'copied', NULL, '{}')) FROM unnest('{written,never met,written,never met}'::text[]) r;
SELECT r, intact FROM unnest('{written,never met}'::text[]) r, verify(r);
-- What a column was made, it gets.
BEGIN;
ALTER TABLE identity.audit_events ALTER client_addr TYPE text;
SELECT identity_internal.audit('written', 'typed', NULL, '{}') > 0 AS written;
ROLLBACK;
SELECT intact FROM verify('written');
-- The heads take no more room for ten thousand events, each in a transaction of its own.
CREATE PROCEDURE many() LANGUAGE plpgsql AS $$ BEGIN FOR n IN 1 .. 10000 LOOP PERFORM identity_internal.audit('written', 'one', NULL, '{}'); COMMIT; END LOOP; END $$;
SELECT pg_relation_size('identity.audit_heads') AS size \gset
CALL many();
SELECT pg_relation_size('identity.audit_heads') - :size < 5 * 8192 AS as_before;

-- The time of a login: by the table itself, and where a trigger wants to know of it.
INSERT INTO identity.identities (realm, id) VALUES ('written', '00000000-0000-0000-0000-000000000001');
SELECT identity.add_organization('written', o) FROM unnest('{north,south}'::text[]) o;
SELECT identity.add_membership('written', '00000000-0000-0000-0000-000000000001', o) FROM unnest('{north,south}'::text[]) o;
CREATE FUNCTION log_in(requested text DEFAULT NULL, OUT decision text, OUT organization text, OUT later boolean, OUT last_used text) LANGUAGE plpgsql AS $$
DECLARE
    before CONSTANT timestamptz := (SELECT max(m.last_login) FROM identity.memberships m WHERE m.realm = 'written');
BEGIN
    SELECT l.decision, l.organization INTO decision, organization
    FROM identity.resolve_login('written', '00000000-0000-0000-0000-000000000001', requested) l;
    SELECT m.last_login > COALESCE(before, '-infinity'), (SELECT string_agg(u.organization, ', ') FROM identity.memberships u WHERE u.realm = 'written' AND u.last_used)
    INTO later, log_in.last_used FROM identity.memberships m WHERE m.realm = 'written' AND m.organization = log_in.organization;
END $$;
SELECT * FROM log_in('south');
SELECT * FROM log_in();
SELECT l.* FROM generate_series(1, 300) n, log_in(CASE WHEN n < 0 THEN 'north' END) l WHERE NOT later;
SELECT l.last_used, count(*) FROM generate_series(1, 300) n, log_in(CASE WHEN n % 3 = 0 THEN 'north' WHEN n % 7 = 0 THEN 'south' END) l WHERE l.later GROUP BY 1 ORDER BY 1;
CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN INSERT INTO public.forwarded VALUES ('login', NEW.organization); RETURN NULL; END $$;
CREATE TRIGGER seen AFTER UPDATE OF last_login ON identity.memberships FOR EACH ROW EXECUTE FUNCTION seen();
SELECT * FROM log_in('north');
SELECT * FROM log_in();
DROP TRIGGER seen ON identity.memberships;
SELECT * FROM log_in();
-- A CHECK of one's own is heeded, also where it stands in the place of one that was there; one that cannot be broken is no matter.
BEGIN;
ALTER TABLE identity.memberships DROP CONSTRAINT memberships_state_check, ADD CONSTRAINT mine CHECK (last_login < '2000-01-01' OR last_login IS NULL) NOT VALID;
SELECT * FROM log_in();
ROLLBACK;
BEGIN;
ALTER TABLE identity.memberships DROP CONSTRAINT memberships_state_check, ADD CONSTRAINT mine CHECK (state <> 'active') NOT VALID;
SELECT * FROM log_in();
ROLLBACK;
BEGIN;
ALTER TABLE identity.memberships DROP CONSTRAINT memberships_state_check, ADD CONSTRAINT mine CHECK (memberships IS DISTINCT FROM NULL AND date_part('year', now()) < 2000) NOT VALID;
SELECT * FROM log_in();
ROLLBACK;
BEGIN;
ALTER TABLE identity.memberships ADD CONSTRAINT mine CHECK (octet_length(organization) < 100);
SELECT * FROM log_in();
ROLLBACK;
SELECT * FROM forwarded WHERE what = 'login';
SELECT intact FROM verify('written');
DROP TABLE forwarded;
DELETE FROM identity.identities WHERE realm = 'written';
DELETE FROM identity.organizations WHERE realm = 'written';
DELETE FROM identity.realms;
DROP FUNCTION log_in, verify, forward, seen, copy_head, plan_otherwise;
DROP PROCEDURE many; DROP TABLE copied;
