-- Every function, table and sequence has its place in the list that the levels are made of, and what is granted is what is listed.
SET client_min_messages = warning;
CREATE FUNCTION owned_objects() RETURNS TABLE (object text, kind text, acl aclitem[], owner oid) LANGUAGE sql AS $$
    SELECT format('%s %I.%I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname), 'relation', c.relacl, c.relowner
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('identity', 'identity_internal') AND c.relkind IN ('r', 'v', 'S')
    UNION ALL
    SELECT 'FUNCTION ' || f.oid::regprocedure, 'function', COALESCE(f.proacl, acldefault('f', f.proowner)), f.proowner
    FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace WHERE n.nspname IN ('identity', 'identity_internal')
    UNION ALL
    SELECT format('SCHEMA %I', n.nspname), 'schema', n.nspacl, n.nspowner FROM pg_namespace n WHERE n.nspname IN ('identity', 'identity_internal')
$$;
-- The list names functions as their COMMENTs do; here as the catalog does.
CREATE VIEW listed AS
SELECT r.level, p.privilege, CASE WHEN r.object LIKE 'FUNCTION %' THEN 'FUNCTION ' || substr(r.object, 10)::regprocedure ELSE r.object END AS object
FROM identity_internal.access_rights() r CROSS JOIN LATERAL regexp_split_to_table(r.privilege, ', ') AS p (privilege);

-- Each is listed once.
SELECT object, privilege, count(*) FROM listed GROUP BY 1, 2 HAVING count(*) > 1;
-- What is for users has a level, and what is listed exists.
SELECT o.object FROM owned_objects() o
WHERE o.object ~ '^(FUNCTION|TABLE) identity\.' AND NOT EXISTS (SELECT FROM listed l WHERE l.object = o.object) ORDER BY 1;
SELECT l.object FROM listed l WHERE NOT EXISTS (SELECT FROM owned_objects() o WHERE o.object = l.object) ORDER BY 1;

-- All belongs to identity_owner, who is nobody else; after installation nobody else has a right.
SELECT DISTINCT owner::regrole FROM owned_objects() WHERE kind <> 'schema';
SELECT rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = 'identity_owner';
SELECT o.object, a.grantee::regrole, a.privilege_type FROM owned_objects() o, aclexplode(o.acl) a
WHERE a.grantee NOT IN (o.owner, 'identity_owner'::regrole) ORDER BY 1;
-- Functions that run as their owner have a search_path of their own, and are few.
SELECT f.oid::regprocedure AS definer, proconfig FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
WHERE n.nspname LIKE 'identity%' AND f.prosecdef ORDER BY f.oid::regprocedure::text COLLATE "C";

-- What each level gets: what is listed for it, no more and no less.
CREATE ROLE level_application; CREATE ROLE level_registrar; CREATE ROLE level_notifier;
CREATE ROLE level_auditor; CREATE ROLE level_importer; CREATE ROLE level_admin;
SELECT count(identity.grant_access('level_' || l, l)) FROM unnest('{application,registrar,notifier,auditor,importer,admin}'::text[]) l;
CREATE VIEW granted AS
SELECT a.grantee::regrole::text AS role, a.privilege_type AS privilege, o.object FROM owned_objects() o, aclexplode(o.acl) a
WHERE a.grantee::regrole::text LIKE 'level\_%';
CREATE VIEW entitled AS
SELECT 'level_' || v AS role, l.privilege, l.object FROM unnest('{application,registrar,notifier,auditor,importer,admin}'::text[]) v
JOIN listed l ON l.level = 'any' OR identity_internal.level_includes(v, l.level);
SELECT 'granted, not listed' AS what, * FROM (TABLE granted EXCEPT TABLE entitled) x
UNION ALL SELECT 'listed, not granted', * FROM (TABLE entitled EXCEPT TABLE granted) x ORDER BY 1, 2, 4;
-- The whole of it, for a human eye: functions, then tables.
SELECT replace(object, 'FUNCTION identity.', '') AS function, string_agg(replace(role, 'level_', ''), ' ' ORDER BY role) AS levels
FROM granted WHERE object LIKE 'FUNCTION identity.%' GROUP BY 1 ORDER BY 1;
SELECT replace(object, 'TABLE identity.', '') AS "table", string_agg(role || ' ' || privileges, '; ' ORDER BY role) AS levels
FROM (SELECT object, replace(role, 'level_', '') AS role, string_agg(lower(privilege), ' ' ORDER BY privilege) AS privileges
      FROM granted WHERE object LIKE 'TABLE%' GROUP BY 1, 2) g GROUP BY 1 ORDER BY 1;
-- Every table with a realm that a role may read keeps the realms apart.
SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'identity'::regnamespace AND c.relkind = 'r' AND NOT c.relrowsecurity
  AND EXISTS (SELECT FROM granted g WHERE g.object = format('TABLE identity.%I', c.relname)) ORDER BY 1;

-- A gate and what is behind it are alike: names, types, volatility. Nobody may call what is behind it.
SELECT g.oid::regprocedure FROM pg_proc g LEFT JOIN pg_proc f
  ON f.pronamespace = 'identity_internal'::regnamespace AND f.proname = g.proname AND f.proargtypes = g.proargtypes
WHERE g.pronamespace = 'identity'::regnamespace AND g.prosrc LIKE '%\_gate\_wrapper'
  AND (f.oid IS NULL OR f.prosecdef OR (f.prorettype, f.proretset, f.proallargtypes, f.proargnames, f.provolatile, f.proisstrict)
       IS DISTINCT FROM (g.prorettype, g.proretset, g.proallargtypes, g.proargnames, g.provolatile, g.proisstrict)
       OR g.proargnames[1] <> 'realm'
       OR EXISTS (SELECT FROM listed l WHERE l.object = 'FUNCTION ' || f.oid::regprocedure));
-- And each asks for the level that it is listed under.
SELECT g.oid::regprocedure, g.prosrc, l.level FROM pg_proc g JOIN listed l ON l.object = 'FUNCTION ' || g.oid::regprocedure
WHERE g.prosrc LIKE '%\_gate\_wrapper' AND g.prosrc <> l.level || '_gate_wrapper';

SELECT count(identity.revoke_access('level_' || l)) FROM unnest('{application,registrar,notifier,auditor,importer,admin}'::text[]) l;
SELECT count(*) FROM granted;
SELECT count(*) FROM identity.access_grants;
DROP ROLE level_application, level_registrar, level_notifier, level_auditor, level_importer, level_admin;
DROP VIEW entitled, granted, listed;
DROP FUNCTION owned_objects;
