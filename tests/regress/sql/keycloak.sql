-- Fine-grained admin permissions in the tables of a Keycloak database, and the answers that Keycloak's rules give.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
ALTER SEQUENCE identity.permissions_id_seq RESTART;
CREATE SCHEMA kc;
CREATE TABLE kc.resource_server (id varchar(36) PRIMARY KEY, allow_rs_remote_mgmt boolean DEFAULT false NOT NULL, policy_enforce_mode smallint NOT NULL, decision_strategy smallint DEFAULT 1 NOT NULL);
CREATE TABLE kc.resource_server_resource (id varchar(36) PRIMARY KEY, name varchar(255) NOT NULL, type varchar(255), icon_uri varchar(255), owner varchar(255) NOT NULL, resource_server_id varchar(36) NOT NULL, owner_managed_access boolean DEFAULT false NOT NULL, display_name varchar(255));
CREATE TABLE kc.resource_server_scope (id varchar(36) PRIMARY KEY, name varchar(255) NOT NULL, icon_uri varchar(255), resource_server_id varchar(36) NOT NULL, display_name varchar(255));
CREATE TABLE kc.resource_server_policy (id varchar(36) PRIMARY KEY, name varchar(255) NOT NULL, description varchar(255), type varchar(255) NOT NULL, decision_strategy smallint, logic smallint, resource_server_id varchar(36) NOT NULL, owner varchar(255));
CREATE TABLE kc.policy_config (policy_id varchar(36) NOT NULL, name varchar(255) NOT NULL, value text, PRIMARY KEY (policy_id, name));
CREATE TABLE kc.associated_policy (policy_id varchar(36) NOT NULL, associated_policy_id varchar(36) NOT NULL, PRIMARY KEY (policy_id, associated_policy_id));
CREATE TABLE kc.resource_policy (resource_id varchar(36) NOT NULL, policy_id varchar(36) NOT NULL, PRIMARY KEY (resource_id, policy_id));
CREATE TABLE kc.scope_policy (scope_id varchar(36) NOT NULL, policy_id varchar(36) NOT NULL, PRIMARY KEY (scope_id, policy_id));
CREATE TABLE kc.user_group_membership (group_id varchar(36), user_id varchar(36), membership_type varchar(255) DEFAULT 'UNMANAGED');
CREATE TABLE kc.user_role_mapping (role_id varchar(255), user_id varchar(36));
CREATE TABLE kc.composite_role (composite varchar(36), child_role varchar(36));
CREATE TABLE kc.group_role_mapping (role_id varchar(36), group_id varchar(36));
CREATE TABLE kc.keycloak_group (id varchar(36) PRIMARY KEY, name varchar(255), parent_group varchar(36) NOT NULL, realm_id varchar(36), type int DEFAULT 0);

-- Two resource servers: the realm's admin permissions, and an application's own, which has nothing to do with them.
INSERT INTO kc.resource_server VALUES ('rs', false, 0, 1), ('app', false, 0, 1);
INSERT INTO kc.resource_server_resource (id, name, type, owner, resource_server_id)
SELECT 'r-' || n, n, CASE WHEN n IN ('Clients', 'Groups', 'Users', 'Roles') THEN n END, 'rs', 'rs' FROM unnest('{Clients,Groups,Users,Roles,c1,c2,sales,europe,u1,u2,u3,u4}'::text[]) n;
INSERT INTO kc.resource_server_scope (id, name, resource_server_id) SELECT 's-' || n, n, 'rs' FROM unnest('{view,manage,view-members,manage-members,reset-password,map-role,map-roles,impersonate}'::text[]) n;
INSERT INTO kc.resource_server_policy (id, name, type, decision_strategy, logic, resource_server_id) VALUES
    ('alice-bob', 'alice and bob', 'user', 1, 0, 'rs'), ('alice', 'alice alone', 'user', 1, 0, 'rs'), ('not-bob', 'everybody but bob', 'user', 1, 1, 'rs'),
    ('admins', 'role admin', 'role', 1, 0, 'rs'), ('both', 'role admin, and auditor', 'role', 1, 0, 'rs'), ('staff', 'staff and below', 'group', 1, 0, 'rs'),
    ('staff-only', 'staff itself', 'group', 1, 0, 'rs'), ('hours', 'working hours', 'time', 1, 0, 'rs'), ('sales', 'of the department', 'regex', 1, 0, 'rs'),
    ('script', 'a script', 'js', 1, 0, 'rs'), ('either', 'alice or working hours', 'aggregate', 0, 0, 'rs'), ('neither', 'neither of them', 'aggregate', 0, 1, 'rs'),
    ('app-policy', 'alice and bob', 'user', 1, 0, 'app'), ('cli', 'the console', 'client', 1, 0, 'rs'), ('openid', 'with the scope', 'client-scope', 1, 0, 'rs');
INSERT INTO kc.policy_config VALUES
    ('alice-bob', 'users', '["alice","bob"]'), ('alice', 'users', '["alice"]'), ('not-bob', 'users', '["bob"]'), ('app-policy', 'users', '["mallory"]'),
    ('admins', 'roles', '[{"id":"admin","required":false}]'), ('both', 'roles', '[{"id":"admin","required":false},{"id":"auditor","required":true}]'),
    ('staff', 'groups', '[{"id":"staff","extendChildren":true}]'), ('staff-only', 'groups', '[{"id":"staff","extendChildren":false}]'),
    ('hours', 'hour', '9'), ('hours', 'hourEnd', '16'), ('hours', 'nbf', '2020-01-01 00:00:00'),
    ('sales', 'targetClaim', 'department.name'), ('sales', 'pattern', 'sales|marketing'), ('script', 'code', 'script-policy.js'),
    ('cli', 'clients', '["console"]'), ('openid', 'clientScopes', '[{"id":"offline","required":true},{"id":"profile"}]');
INSERT INTO kc.associated_policy VALUES ('either', 'alice'), ('either', 'hours'), ('neither', 'alice'), ('neither', 'hours');

-- A permission: its name, type, resources, scopes and policies.
CREATE FUNCTION kc.permission(n text, t text, resources text[], scopes text[], policies text[], strategy int = 1) RETURNS void LANGUAGE sql AS $$
    INSERT INTO kc.resource_server_policy (id, name, type, decision_strategy, logic, resource_server_id) VALUES ('p-' || n, n, 'scope', strategy, 0, 'rs');
    INSERT INTO kc.policy_config VALUES ('p-' || n, 'defaultResourceType', t);
    INSERT INTO kc.resource_policy SELECT 'r-' || r, 'p-' || n FROM unnest(resources) r;
    INSERT INTO kc.scope_policy SELECT 's-' || s, 'p-' || n FROM unnest(scopes) s;
    INSERT INTO kc.associated_policy SELECT 'p-' || n, p FROM unnest(policies) p;
$$;
SELECT kc.permission('all clients', 'Clients', '{Clients}', '{view}', '{alice-bob}'),
       kc.permission('one client', 'Clients', '{c1}', '{view,manage}', '{admins}'),
       kc.permission('c1 for bob too', 'Clients', '{c1}', '{map-roles}', '{not-bob}'),
       kc.permission('c1 for admins', 'Clients', '{c1}', '{map-roles}', '{admins}'),
       kc.permission('members of sales', 'Groups', '{sales}', '{view-members}', '{staff}'),
       kc.permission('members of all groups', 'Groups', '{Groups}', '{view-members}', '{staff-only}'),
       kc.permission('all users', 'Users', '{Users}', '{view,manage}', '{alice,hours}'),
       kc.permission('user 3', 'Users', '{u3}', '{view}', '{not-bob}'),
       kc.permission('user 4', 'Users', '{u4}', '{reset-password}', '{both}'),
       kc.permission('user 4, either', 'Users', '{u4}', '{impersonate}', '{either}'),
       kc.permission('roles, by regex', 'Roles', '{Roles}', '{map-role}', '{sales}'),
       kc.permission('clients, by script', 'Clients', '{c2}', '{manage}', '{script,alice}'),
       kc.permission('user 2, affirmative', 'Users', '{u2}', '{map-roles}', '{alice,admins}', 0),
       kc.permission('user 3, neither', 'Users', '{u3}', '{map-roles}', '{neither}'),
       kc.permission('user 1, from the console', 'Users', '{u1}', '{impersonate}', '{cli}'),
       kc.permission('user 1, offline', 'Users', '{u1}', '{map-roles}', '{openid}'),
       kc.permission('no policy', 'Groups', '{europe}', '{view}', '{}');
INSERT INTO kc.keycloak_group (id, name, parent_group) VALUES ('europe', 'europe', ' '), ('sales', 'sales', 'europe'), ('staff', 'staff', ' '), ('night', 'night shift', 'staff');
INSERT INTO kc.user_group_membership (group_id, user_id) VALUES ('sales', 'u1'), ('europe', 'u2'), ('staff', 'erin'), ('night', 'dave');
INSERT INTO kc.user_role_mapping VALUES ('boss', 'carol'), ('admin', 'frank'), ('auditor', 'frank'), ('auditor', 'dave');
INSERT INTO kc.composite_role VALUES ('boss', 'admin');

SELECT identity.add_realm('acme');
SELECT * FROM identity.import_keycloak('acme', 'kc');

-- By the rules: the resource, then for users their groups from the direct one on, all groups, then the type; a permission grants where all of its
-- policies grant, and where it does not, it denies at its level; what nothing names is denied, but reset-password, which falls back to manage.
CREATE TABLE kc.wanted (subject text, scope text, type text, resource text, context jsonb, wanted boolean, because text);
INSERT INTO kc.wanted VALUES
    ('user:alice', 'view', 'clients', NULL, NULL, true, 'all clients'),
    ('user:alice', 'view', 'clients', 'c2', NULL, true, 'all clients'),
    ('user:alice', 'view', 'clients', 'c1', NULL, false, 'the permission on c1 does not grant, and is nearer'),
    ('user:carol', 'view', 'clients', 'c1', NULL, true, 'role admin, by a composite role'),
    ('user:carol', 'view', 'clients', 'c2', NULL, false, 'all clients does not grant'),
    ('user:carol', 'manage', 'clients', 'c1', NULL, true, 'role admin'),
    ('user:carol', 'manage', 'clients', NULL, NULL, false, 'nothing names it'),
    ('user:mallory', 'view', 'clients', NULL, NULL, false, 'another resource server''s policy'),
    ('user:carol', 'map-roles', 'clients', 'c1', NULL, true, 'both permissions grant'),
    ('user:alice', 'map-roles', 'clients', 'c1', NULL, false, 'one grants, and one denies: the deny wins'),
    ('user:dave', 'view', 'users', 'u1', NULL, true, 'the group sales: below staff'),
    ('user:dave', 'view', 'users', 'u2', NULL, false, 'u2 is in europe, which nothing names; all groups does not grant: staff itself only'),
    ('user:erin', 'view', 'users', 'u2', NULL, true, 'all groups, by staff itself'),
    ('user:erin', 'view', 'users', 'u9', NULL, false, 'in no group; all users does not grant'),
    ('user:alice', 'view', 'users', 'u9', '{"now": "2026-01-05T12:00:00Z"}', true, 'all users, in working hours'),
    ('user:alice', 'view', 'users', 'u9', '{"now": "2026-01-05T17:00:00Z"}', false, 'after hours'),
    ('user:bob', 'view', 'users', 'u9', '{"now": "2026-01-05T12:00:00Z"}', false, 'one of two policies does not grant'),
    ('user:alice', 'view', 'users', 'u1', '{"now": "2026-01-05T12:00:00Z"}', false, 'the group sales does not grant, and is nearer than all users'),
    ('user:alice', 'view', 'users', 'u3', '{"now": "2026-01-05T23:00:00Z"}', true, 'the permission on u3 grants, whatever the hour'),
    ('user:bob', 'view', 'users', 'u3', NULL, false, 'everybody but bob'),
    ('user:alice', 'reset-password', 'users', 'u9', '{"now": "2026-01-05T12:00:00Z"}', true, 'nothing names it: manage'),
    ('user:alice', 'reset-password', 'users', 'u9', '{"now": "2026-01-05T17:00:00Z"}', false, 'nothing names it: manage, after hours'),
    ('user:alice', 'reset-password', 'users', 'u4', '{"now": "2026-01-05T12:00:00Z"}', false, 'user 4 names it and does not grant'),
    ('user:frank', 'reset-password', 'users', 'u4', NULL, true, 'both roles'),
    ('user:dave', 'reset-password', 'users', 'u4', NULL, true, 'the required role is one of the listed'),
    ('user:carol', 'reset-password', 'users', 'u4', NULL, false, 'without the required role'),
    ('user:alice', 'impersonate', 'users', 'u4', '{"now": "2026-01-05T23:00:00Z"}', true, 'alice or working hours'),
    ('user:bob', 'impersonate', 'users', 'u4', '{"now": "2026-01-05T12:00:00Z"}', true, 'alice or working hours'),
    ('user:bob', 'impersonate', 'users', 'u4', '{"now": "2026-01-05T23:00:00Z"}', false, 'neither'),
    ('user:bob', 'map-roles', 'users', 'u3', '{"now": "2026-01-05T23:00:00Z"}', true, 'neither alice nor working hours'),
    ('user:bob', 'map-roles', 'users', 'u3', '{"now": "2026-01-05T12:00:00Z"}', false, 'working hours'),
    ('user:bob', 'map-role', 'roles', 'r1', '{"department": {"name": "sales"}}', true, 'the department matches'),
    ('user:bob', 'map-role', 'roles', 'r1', '{"department": {"name": "sales2"}}', false, 'the whole of it has to match'),
    ('user:bob', 'map-role', 'roles', 'r1', '{"department": {"name": "marketing"}}', true, 'the other alternative'),
    ('user:bob', 'map-role', 'roles', 'r1', NULL, false, 'no claim'),
    ('user:alice', 'manage', 'clients', 'c2', NULL, false, 'a script cannot be imported: it does not grant'),
    ('user:alice', 'map-roles', 'users', 'u2', NULL, true, 'affirmative: one of two'),
    ('user:carol', 'map-roles', 'users', 'u2', NULL, true, 'affirmative: the other'),
    ('user:bob', 'map-roles', 'users', 'u2', NULL, false, 'affirmative: none'),
    ('client:console', 'impersonate', 'users', 'u1', NULL, true, 'the client'),
    ('client:other', 'impersonate', 'users', 'u1', NULL, false, 'another client'),
    ('user:bob', 'map-roles', 'users', 'u1', '{"client_scopes": ["offline", "email"]}', true, 'the required scope is there'),
    ('user:bob', 'map-roles', 'users', 'u1', '{"client_scopes": ["profile"]}', false, 'it is not'),
    ('user:alice', 'view', 'groups', 'europe', NULL, false, 'a permission without a policy grants nothing'),
    ('user:alice', 'create', 'clients', NULL, NULL, false, 'Keycloak has no such scope');
SELECT subject, scope, type, resource, context, wanted, because FROM kc.wanted WHERE identity.check_permission('acme', subject, scope, type, resource, context) IS DISTINCT FROM wanted;
SELECT count(*) FILTER (WHERE wanted) AS permitted, count(*) FILTER (WHERE NOT wanted) AS denied FROM kc.wanted WHERE identity.check_permission('acme', subject, scope, type, resource, context) = wanted;
SELECT step, level, resource, scope, effect, subject, policy, outcome FROM identity.explain_permission('acme', 'user:alice', 'view', 'clients', 'c1');
-- A second import replaces the first.
DELETE FROM kc.policy_config WHERE policy_id = 'alice-bob';
INSERT INTO kc.policy_config VALUES ('alice-bob', 'users', '["bob"]');
SELECT count(*) AS permissions FROM identity.permissions;
SELECT kind, count(*), sum(rows) FROM identity.import_keycloak('acme', 'kc', time_zone => 'Europe/Berlin') GROUP BY kind ORDER BY kind;
SELECT count(*) AS permissions FROM identity.permissions;
SELECT identity.check_permission('acme', 'user:alice', 'view', 'clients') AS alice, identity.check_permission('acme', 'user:bob', 'view', 'clients') AS bob,
       identity.check_permission('acme', 'user:alice', 'view', 'users', 'u9', '{"now": "2026-01-05T08:30:00Z"}') AS half_past_nine_in_berlin;
SELECT * FROM identity.permission_problems('acme');
-- What is refused.
SELECT * FROM identity.import_keycloak('acme', 'public');
SELECT * FROM identity.import_keycloak('acme', NULL);
SELECT * FROM identity.import_keycloak('nowhere', 'kc');
SELECT * FROM identity.import_keycloak('acme', 'kc', resource_server => 'app');
INSERT INTO kc.resource_server VALUES ('other', false, 0, 1);
INSERT INTO kc.resource_server_policy (id, name, type, decision_strategy, logic, resource_server_id) VALUES ('o', 'o', 'scope', 1, 0, 'other');
INSERT INTO kc.policy_config VALUES ('o', 'defaultResourceType', 'Users');
SELECT * FROM identity.import_keycloak('acme', 'kc');
SELECT count(*) FROM identity.import_keycloak('acme', 'kc', resource_server => 'rs');

DROP SCHEMA kc CASCADE;
TRUNCATE identity.permissions, identity.members, identity.resource_containers, identity.policies, identity.implied_scopes, identity.resource_types;
DELETE FROM identity.realms;
