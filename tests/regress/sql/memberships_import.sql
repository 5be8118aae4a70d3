-- Memberships in bulk.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT identity.add_realm('staffed'), identity.add_organization('staffed', 'acme'), identity.add_organization('staffed', 'Globex'), identity.add_organization('staffed', 'initech');
SELECT count(*) FROM identity.import_identities('staffed', (SELECT jsonb_agg(jsonb_build_object('id', format('00000000-0000-0000-0000-%s', lpad(n::text, 12, '0')),
    'traits', jsonb_build_object('username', 'user' || n))) FROM generate_series(1, 300) AS n));
SELECT identity.add_membership('staffed', '00000000-0000-0000-0000-000000000001', 'acme', '{"is_default": true}');
CREATE FUNCTION id(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT format('00000000-0000-0000-0000-%s', lpad(n::text, 12, '0'))::uuid $$;
CREATE TABLE staff (person uuid, company text, state text, main boolean);
INSERT INTO staff VALUES (id(1), 'acme', NULL, NULL), (id(1), 'Globex', 'active', true), (id(1), 'initech', 'suspended', true), (id(2), 'acme', NULL, false),
    (id(2), 'acme', NULL, true), (id(2), 'globex', NULL, NULL), (NULL, 'acme', NULL, NULL), (id(3), NULL, NULL, NULL), (id(4), 'acme', 'retired', NULL), (id(999), 'acme', NULL, NULL);
\set source 'SELECT person AS identity_id, company AS organization, state, main AS is_default FROM staff'
CREATE VIEW memberships AS SELECT right(identity_id::text, 3) AS identity, organization, state, is_default FROM identity.memberships WHERE realm = 'staffed';
SELECT row_number, status, right(identity_id::text, 3) AS identity, organization, sqlstate, message FROM identity.import_memberships('staffed', :'source', dry_run => true);
SELECT * FROM memberships ORDER BY 1, 2;
SELECT row_number, status, right(identity_id::text, 3) AS identity, organization, sqlstate, message FROM identity.import_memberships('staffed', :'source');
SELECT * FROM memberships ORDER BY 1, 2;
-- A second time everything is a conflict.
SELECT status, count(*) FROM identity.import_memberships('staffed', :'source') GROUP BY 1 ORDER BY 1;
-- A relation, and texts; all of a realm.
CREATE VIEW everybody AS SELECT id(n)::text AS identity_id, 'initech'::text AS organization FROM generate_series(1, 300) AS n;
SELECT status, count(*) FROM identity.import_memberships('staffed', 'everybody') GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM memberships WHERE organization = 'initech';
SELECT e.detail FROM identity.audit_events AS e WHERE e.realm = 'staffed' AND e.action = 'import_memberships' ORDER BY e.seq, e.lane;
SELECT * FROM identity.import_memberships('staffed', 'SELECT 1 AS identity, ''acme'' AS organization');
SELECT * FROM identity.import_memberships('staffed', 'SELECT person AS identity_id FROM staff');
SELECT * FROM identity.import_memberships('staffed', 'SELECT ''nobody'' AS identity_id, ''acme'' AS organization');
SELECT * FROM identity.import_memberships('staffed', 'DELETE FROM staff RETURNING person AS identity_id, company AS organization');
SELECT * FROM identity.import_memberships('nowhere', :'source');
SELECT * FROM identity.import_memberships('staffed', NULL);
-- The source is read with the caller's rights; the tables are written with the owner's.
CREATE ROLE staff_admin;
SELECT identity.grant_access('staff_admin', 'admin', '{staffed}');
SET ROLE staff_admin;
SELECT * FROM identity.import_memberships('staffed', 'SELECT person AS identity_id, company AS organization FROM public.staff');
SELECT status, organization FROM identity.import_memberships('staffed', 'SELECT ''00000000-0000-0000-0000-000000000300'' AS identity_id, ''acme'' AS organization');
RESET ROLE;
SELECT identity.revoke_access('staff_admin');
DROP ROLE staff_admin;

DROP VIEW memberships, everybody;
DROP TABLE staff;
DROP FUNCTION id;
DELETE FROM identity.identities WHERE realm = 'staffed';
DELETE FROM identity.organizations WHERE realm = 'staffed';
DELETE FROM identity.import_runs WHERE realm = 'staffed';
DELETE FROM identity.realms WHERE name = 'staffed';
