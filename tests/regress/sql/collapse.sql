-- From permissions on every single client to one on the type, where that changes no answer; and back.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
ALTER SEQUENCE identity.permissions_id_seq RESTART;
SELECT identity.add_realm('acme');
-- Types as Keycloak has them, whose levels combine as those of other types.
DO $$
BEGIN
    PERFORM identity.add_resource_type('acme', t.name, t.scopes) FROM (VALUES
        ('clients', '{create,manage,view,map-roles,map-roles-client-scope,map-roles-composite}'::text[]),
        ('groups', '{create,manage,view,manage-membership,manage-membership-of-members,manage-members,view-members,impersonate-members}'),
        ('roles', '{create,map-role,map-role-client-scope,map-role-composite}'),
        ('users', '{create,manage,view,impersonate,map-roles,manage-group-membership,reset-password}'),
        ('organizations', '{create,manage,view}')) AS t (name, scopes);
    PERFORM identity.imply_scope('acme', 'users', s.scope, s.by_scope, 'groups') FROM (VALUES
        ('view', 'view-members'), ('manage', 'manage-members'), ('impersonate', 'impersonate-members'), ('manage-group-membership', 'manage-membership-of-members')) AS s (scope, by_scope);
    PERFORM identity.imply_scope('acme', 'users', 'reset-password', 'manage', fallback => true);
END $$;
CREATE TABLE clients (client text);
INSERT INTO clients SELECT 'c' || n FROM generate_series(1, 100) n;
SELECT identity.add_member('acme', 'user:1', 'group:staff'), identity.add_member('acme', 'user:2', 'group:staff'), identity.add_member('acme', 'user:3', 'group:other');
-- The group may view and manage all; user:9 all but one; user:7 under a policy; user:5 all, and he is denied the type.
INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope) SELECT 'acme', 'group:staff', 'clients', client, s FROM clients, unnest('{view,manage,map-roles}'::text[]) s;
INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope) SELECT 'acme', s, 'clients', client, 'view' FROM clients, unnest('{user:5,user:6,user:9}'::text[]) s WHERE (client, s) <> ('c50', 'user:9');
SELECT identity.add_policy('acme', 'p', 'time', '{"hours": [[8, 18]]}');
INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope, policy) SELECT 'acme', 'user:7', 'clients', client, 'view', 'p' FROM clients;
SELECT identity.grant_permission('acme', 'user:6', 'clients', '{view}');
SELECT identity.deny_permission('acme', 'user:5', 'clients', '{view}'), identity.deny_permission('acme', 'user:2', 'clients', '{view}', 'c3'),
       identity.deny_permission('acme', 'user:2', 'clients', '{manage}'), identity.deny_permission('acme', 'user:3', 'clients', '{map-roles}');
CREATE VIEW answers AS SELECT s AS subject, x AS scope, c.client, identity.check_permission('acme', s, x, 'clients', c.client) AS permitted
FROM (SELECT 'user:' || n FROM generate_series(1, 9) n UNION ALL SELECT 'group:staff') u (s), unnest('{view,manage,map-roles}'::text[]) x, clients c;
CREATE TABLE before AS SELECT * FROM answers;
SELECT run_id IS NULL AS dry, subject, scope, instance_rows, resources, action, equivalent, reason FROM identity.collapse_permissions('acme', 'clients', 'clients');
SELECT count(*) FROM identity.permissions;
CREATE TABLE told AS SELECT * FROM identity.collapse_permissions('acme', 'clients', 'SELECT client FROM clients', dry_run => false);
SELECT run_id IS NULL AS kept, subject, scope, instance_rows, action, equivalent FROM told;
SELECT count(*) FROM identity.permissions;
SELECT subject, scope FROM identity.permissions WHERE resource IS NULL AND effect = 'allow' ORDER BY 1, 2;
SELECT count(*) AS changed FROM (TABLE answers EXCEPT TABLE before) x;
SELECT identity.check_permission('acme', 'user:1', 'view', 'clients', 'to come') AS holds_for_new_ones;
-- Once more: what is left is kept.
SELECT subject, scope, action FROM identity.collapse_permissions('acme', 'clients', 'clients', false);
SELECT DISTINCT run_id AS run FROM told WHERE run_id IS NOT NULL \gset
SELECT * FROM identity.undo_collapse(:'run');
SELECT * FROM identity.undo_collapse(:'run');
SELECT count(*) AS permissions, count(DISTINCT id) AS ids FROM identity.permissions;
SELECT count(*) AS changed FROM (TABLE answers EXCEPT TABLE before) x;
SELECT identity.check_permission('acme', 'user:1', 'view', 'clients', 'to come') AS no_longer;
-- A deny on a container of a resource is farther away than the resource, and nearer than the type; one on a listed resource that contains others is one.
INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope) SELECT 'acme', 'user:boss', 'groups', 'g' || n, 'view-members' FROM generate_series(1, 3) n;
SELECT identity.add_container('acme', 'groups', 'g1', 'groups', 'g2'), identity.add_container('acme', 'users', 'u1', 'groups', 'g1');
SELECT action, equivalent FROM identity.collapse_permissions('acme', 'groups', $$SELECT 'g' || n FROM generate_series(1, 3) n$$);
SELECT identity.deny_permission('acme', 'user:boss', 'groups', '{view-members}', 'g3');
SELECT action, equivalent FROM identity.collapse_permissions('acme', 'groups', $$SELECT 'g' || n FROM generate_series(1, 3) n$$);
SELECT identity.deny_permission('acme', 'user:boss', 'users', '{view}');
SELECT action, equivalent FROM identity.collapse_permissions('acme', 'groups', $$SELECT 'g' || n FROM generate_series(1, 3) n$$);
SELECT identity.revoke_permission('acme', 'user:boss', 'users', '{view}'), identity.deny_permission('acme', '*', 'groups', '{view-members}', 'g2');
SELECT action, equivalent FROM identity.collapse_permissions('acme', 'groups', $$SELECT 'g' || n FROM generate_series(1, 3) n$$);
-- What an import has written is not the collapse's: it stands for nothing, is not replaced, and stays when the collapse is undone.
INSERT INTO identity.permissions (realm, subject, resource_type, scope, origin) VALUES ('acme', 'user:both', 'clients', 'view', 'import/1');
INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope, origin) SELECT 'acme', 'user:imported', 'clients', client, 'view', 'import/2' FROM clients;
INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope) SELECT 'acme', 'user:both', 'clients', client, 'view' FROM clients;
CREATE TABLE told_again AS SELECT * FROM identity.collapse_permissions('acme', 'clients', 'clients', false);
SELECT subject, scope, action FROM told_again WHERE subject IN ('user:both', 'user:imported');
SELECT subject, resource, origin FROM identity.permissions WHERE subject = 'user:both' ORDER BY id;
SELECT run_id AS run FROM told_again WHERE subject = 'user:both' \gset
SELECT subject, restored, type_permission FROM identity.undo_collapse(:'run') WHERE subject = 'user:both';
SELECT count(*) AS restored, count(*) FILTER (WHERE resource IS NULL) AS on_type, min(origin) AS imported FROM identity.permissions WHERE subject = 'user:both';
DROP TABLE told_again;
-- What is refused.
SELECT * FROM identity.collapse_permissions('acme', 'planets', 'clients');
SELECT * FROM identity.collapse_permissions('acme', 'clients', 'SELECT 1 WHERE false');
SELECT * FROM identity.collapse_permissions('acme', 'clients', 'SELECT 1, 2');
SELECT * FROM identity.collapse_permissions('acme', 'clients', NULL);
SELECT * FROM identity.undo_collapse('00000000-0000-0000-0000-000000000000');
DROP TABLE before, told, clients CASCADE;
TRUNCATE identity.permissions, identity.members, identity.resource_containers, identity.policies, identity.implied_scopes, identity.resource_types, identity.collapse_runs, identity.collapsed_permissions;
DELETE FROM identity.realms;
