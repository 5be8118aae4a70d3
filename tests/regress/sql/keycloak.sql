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
CREATE TABLE kc.realm (id varchar(36) PRIMARY KEY, name varchar(255));
CREATE TABLE kc.client (id varchar(36) PRIMARY KEY, client_id varchar(255), realm_id varchar(36));
CREATE TABLE kc.client_scope (id varchar(36) PRIMARY KEY, name varchar(255), realm_id varchar(36));
CREATE TABLE kc.keycloak_role (id varchar(36) PRIMARY KEY, name varchar(255), client_role boolean NOT NULL DEFAULT false, client varchar(36), realm_id varchar(36));
CREATE TABLE kc.user_group_membership (group_id varchar(36), user_id varchar(36), membership_type varchar(255) DEFAULT 'UNMANAGED');
CREATE TABLE kc.user_role_mapping (role_id varchar(255), user_id varchar(36));
CREATE TABLE kc.composite_role (composite varchar(36), child_role varchar(36));
CREATE TABLE kc.group_role_mapping (role_id varchar(36), group_id varchar(36));
CREATE TABLE kc.keycloak_group (id varchar(36) PRIMARY KEY, name varchar(255), parent_group varchar(36) NOT NULL, realm_id varchar(36), type int DEFAULT 0);

INSERT INTO kc.realm VALUES ('realm', 'shop'), ('other', 'elsewhere');
INSERT INTO kc.client VALUES ('rs', 'admin-permissions', 'realm'), ('app', 'shop-app', 'realm'), ('console-id', 'console', 'realm'), ('rm', 'realm-management', 'realm'), ('c1', 'first', 'realm'), ('c2', 'second', 'realm');
INSERT INTO kc.client_scope VALUES ('offline-id', 'offline', 'realm'), ('profile-id', 'profile', 'realm');
INSERT INTO kc.keycloak_role (id, name, realm_id) VALUES ('admin', 'admin', 'realm'), ('auditor', 'auditor', 'realm'), ('boss', 'boss', 'realm'), ('r1', 'r1', 'realm'), ('foreign', 'foreign', 'other');
INSERT INTO kc.keycloak_role VALUES ('c1-role', 'editor', true, 'c1', 'realm'), ('manage-users', 'manage-users', true, 'rm', 'realm');
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
    ('cli', 'clients', '["console-id"]'), ('openid', 'clientScopes', '[{"id":"offline-id","required":true},{"id":"profile-id"}]');
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
INSERT INTO kc.keycloak_group (id, name, parent_group, realm_id) VALUES ('europe', 'europe', ' ', 'realm'), ('sales', 'sales', 'europe', 'realm'), ('staff', 'staff', ' ', 'realm'), ('night', 'night shift', 'staff', 'realm'), ('abroad', 'abroad', ' ', 'other');
INSERT INTO kc.keycloak_group VALUES ('acme-inc', 'an organization''s', ' ', 'realm', 1);
INSERT INTO kc.user_group_membership (group_id, user_id) VALUES ('acme-inc', 'u8'), ('abroad', 'stranger'), ('sales', 'u1'), ('europe', 'u2'), ('staff', 'erin'), ('night', 'dave');
INSERT INTO kc.user_role_mapping VALUES ('boss', 'carol'), ('admin', 'frank'), ('auditor', 'frank'), ('auditor', 'dave');
INSERT INTO kc.composite_role VALUES ('boss', 'admin');

SELECT identity.add_realm('acme');
SELECT * FROM identity.import_keycloak('acme', 'kc', 'all');

-- By the rules: a deny on the resource or on a group of the user's denies; then a permission on the resource itself; then a deny on the type; then one
-- on all groups, unless one on a group permits; then any permission. One grants where all of its policies grant, and where it does not, it denies at
-- its level, on the type whatever scopes it names; what nothing names is denied, but reset-password, which falls back to manage.
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
    ('user:dave', 'view', 'users', 'u1', NULL, false, 'the group sales grants: below staff; all users does not'),
    ('user:dave', 'view', 'users', 'u2', NULL, false, 'u2 is in europe, which nothing names; all groups does not grant: staff itself only'),
    ('user:erin', 'view', 'users', 'u2', NULL, false, 'all groups grants: staff itself; all users does not'),
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
    ('user:zoe', 'impersonate', 'users', 'u1', '{"client_id": "console"}', true, 'by the client'),
    ('user:zoe', 'impersonate', 'users', 'u1', '{"client_id": "other"}', false, 'by another client'),
    ('user:bob', 'map-roles', 'users', 'u1', '{"client_scopes": ["offline", "email"]}', true, 'the required scope is there'),
    ('user:bob', 'map-roles', 'users', 'u1', '{"client_scopes": ["profile"]}', false, 'it is not'),
    ('user:alice', 'view', 'groups', 'europe', NULL, false, 'a permission without a policy grants nothing'),
    ('user:alice', 'create', 'clients', NULL, NULL, false, 'nothing names manage on all clients');
SELECT subject, scope, type, resource, context, wanted, because FROM kc.wanted WHERE identity.check_permission('acme', subject, scope, type, resource, context) IS DISTINCT FROM wanted;
SELECT count(*) FILTER (WHERE wanted) AS permitted, count(*) FILTER (WHERE NOT wanted) AS denied FROM kc.wanted WHERE identity.check_permission('acme', subject, scope, type, resource, context) = wanted;
SELECT step, level, resource, scope, effect, subject, policy, outcome FROM identity.explain_permission('acme', 'user:alice', 'view', 'clients', 'c1');
-- Users of another realm and of an organization's group are no members.
SELECT count(*) AS foreign_members FROM identity.members WHERE member IN ('user:stranger', 'user:u8');
SELECT container_type, container FROM identity.resource_containers WHERE resource IN ('u8', 'stranger', 'c1-role', 'manage-users');
-- A second import replaces the first, memberships too; a dry run says who gains and who loses, and writes nothing.
DELETE FROM kc.policy_config WHERE policy_id = 'alice-bob';
INSERT INTO kc.policy_config VALUES ('alice-bob', 'users', '["bob"]');
DELETE FROM kc.user_role_mapping WHERE user_id = 'carol';
DELETE FROM kc.resource_server_policy WHERE id IN ('p-user 4', 'p-user 4, either', 'either');
DELETE FROM kc.policy_config WHERE policy_id = 'p-user 4, either';
SELECT count(*) AS permissions FROM identity.permissions;
SELECT kind, name, rows, outcome FROM identity.import_keycloak('acme', 'kc', 'all', dry_run => true) WHERE outcome NOT LIKE 'imported' AND outcome NOT LIKE 'not imported%' AND outcome NOT LIKE 'permits nobody%';
SELECT identity.check_permission('acme', 'user:alice', 'view', 'clients') AS alice_still;
SELECT kind, name, rows, outcome FROM identity.import_keycloak('acme', 'kc', 'all', time_zone => 'Europe/Berlin') WHERE outcome NOT LIKE 'imported' AND outcome NOT LIKE 'not imported%' AND outcome NOT LIKE 'permits nobody%';
SELECT count(*) AS permissions FROM identity.permissions;
SELECT identity.check_permission('acme', 'user:alice', 'view', 'clients') AS alice, identity.check_permission('acme', 'user:bob', 'view', 'clients') AS bob,
       identity.check_permission('acme', 'user:carol', 'manage', 'clients', 'c1') AS carol, identity.check_permission('acme', 'user:frank', 'manage', 'clients', 'c1') AS frank,
       identity.check_permission('acme', 'user:alice', 'view', 'users', 'u9', '{"now": "2026-01-05T08:30:00Z"}') AS half_past_nine_in_berlin;
SELECT * FROM identity.permission_problems('acme');
-- What is written by hand is never deleted and never stops it: a grant under an imported policy, an aggregate of one, a membership, a policy of the
-- name that one would have, a type's scope.
BEGIN;
-- It is imported by its id, where one written by hand has its name.
DELETE FROM identity.permissions WHERE origin IS NOT NULL;
DELETE FROM identity.policies WHERE name = 'keycloak/policy/role admin';
SELECT identity.add_policy('acme', 'keycloak/policy/role admin', 'subject', '{"any": ["user:mallory"]}'), identity.add_policy('acme', 'keycloak/part/staff/1', 'subject', '{"any": ["user:mallory"]}');
SELECT identity.add_member('acme', 'user:erin', 'group:staff') AS was_new, identity.add_member('acme', 'user:gina', 'role:admin'), identity.add_container('acme', 'users', 'u1', 'groups', 'sales') AS was_new;
SELECT identity.grant_permission('acme', 'user:gina', 'clients', '{view}', 'c9', 'keycloak/policy/working hours'), identity.add_policy('acme', 'mine', 'aggregate', '{"policies": ["keycloak/policy/staff itself"]}');
DELETE FROM kc.resource_server_policy WHERE name IN ('working hours', 'staff itself');
DELETE FROM kc.user_group_membership WHERE user_id IN ('erin', 'u1');
SELECT kind, name, rows, outcome FROM identity.import_keycloak('acme', 'kc', 'all') WHERE outcome ~ 'own|kept';
SELECT name, config, origin FROM identity.policies WHERE name ~ 'admin|hours|itself|mine|part/staff' AND name !~ 'permission' ORDER BY name;
SELECT subject, resource, policy, origin FROM identity.permissions WHERE origin IS NULL;
SELECT member, container, origin FROM identity.members WHERE member IN ('user:erin', 'user:gina') ORDER BY 1;
SELECT identity.check_permission('acme', 'user:mallory', 'manage', 'clients', 'c1') AS mallory, identity.check_permission('acme', 'user:frank', 'manage', 'clients', 'c1') AS frank,
       identity.check_permission('acme', 'user:gina', 'manage', 'clients', 'c1') AS gina;
-- To revoke what is permitted to everybody does not lift what restricts everybody.
SELECT identity.revoke_permission('acme', '*', 'clients', '{view}') AS revoked, count(*) FILTER (WHERE effect = 'restrict') > 0 AS restricted FROM identity.permissions WHERE resource_type = 'clients' AND resource IS NULL;
ROLLBACK;
-- A bad row is one of the report, and denies. Names may be long, and alike.
BEGIN;
INSERT INTO kc.resource_server_policy (id, name, type, decision_strategy, logic, resource_server_id) VALUES
    ('no-json', 'no JSON', 'user', 1, 0, 'rs'), ('no-hour', 'no hour', 'time', 1, 0, 'rs'), ('no-list', 'no list', 'role', 1, 1, 'rs'), ('claimed', 'groups of a claim', 'group', 1, 0, 'rs'), ('greedy', 'possessive', 'regex', 1, 0, 'rs'),
    ('of-bad', 'made of a bad one', 'aggregate', 0, 1, 'rs'), ('long', repeat('é', 255), 'user', 1, 0, 'rs'), ('p-long', repeat('x', 255), 'scope', 1, 0, 'rs'), ('permission/x', 'permission/x', 'user', 1, 0, 'rs'),
    ('p-not', 'a negative permission', 'scope', 1, 1, 'rs'), ('gone-role', 'a role that is gone', 'role', 1, 0, 'rs'), ('in-circle', 'in a circle', 'aggregate', 1, 0, 'rs');
INSERT INTO kc.policy_config VALUES ('no-json', 'users', '["a"'), ('no-hour', 'hour', 'nine'), ('no-list', 'roles', '{"id": 1}'), ('claimed', 'groups', '[{"id":"staff","extendChildren":true}]'), ('claimed', 'groupsClaim', 'g'),
    ('greedy', 'targetClaim', 'c'), ('greedy', 'pattern', 'a++b'), ('long', 'users', '["alice"]'), ('p-long', 'defaultResourceType', 'Clients'), ('permission/x', 'users', '["alice"]'), ('p-not', 'defaultResourceType', 'Clients'),
    ('gone-role', 'roles', '[{"id":"gone","required":true},{"id":"admin","required":false}]');
INSERT INTO kc.associated_policy VALUES ('of-bad', 'no-json'), ('of-bad', 'alice'), ('p-long', 'long'), ('p-not', 'long'), ('in-circle', 'in-circle');
INSERT INTO kc.scope_policy VALUES ('s-view', 'p-long'), ('s-view', 'p-not');
INSERT INTO kc.resource_server_resource (id, name, owner, resource_server_id) VALUES ('r-c3', 'c3', 'rs', 'rs'), ('r-c4', 'c4', 'rs', 'rs'), ('r-c5', 'c5', 'rs', 'rs');
INSERT INTO kc.resource_policy VALUES ('r-c3', 'p-long'), ('r-c4', 'p-not');
SELECT kc.permission('x', 'Clients', '{c5}', '{manage}', '{permission/x}'), kc.permission('bad policies', 'Clients', '{c5}', '{map-roles}', '{no-list}'), kc.permission('of a circle', 'Clients', '{c5}', '{view}', '{in-circle}'),
       kc.permission('a type to come', 'Planets', '{c5}', '{view}', '{alice}'), kc.permission('about nothing', 'Clients', '{}', '{view}', '{alice}');
SELECT kind, left(name, 30) AS name, rows, outcome FROM identity.import_keycloak('acme', 'kc', 'all') WHERE outcome ~ '^(not imported|permits nobody|ignored)' OR octet_length(name) > 200 OR name IN ('x', 'permission/x', 'a role that is gone');
SELECT identity.check_permission('acme', 'user:alice', 'view', 'clients', 'c3') AS long_names, identity.check_permission('acme', 'user:alice', 'view', 'clients', 'c4') AS negative,
       identity.check_permission('acme', 'user:alice', 'manage', 'clients', 'c5') AS alike, identity.check_permission('acme', 'user:alice', 'map-roles', 'clients', 'c5') AS bad_policy,
       identity.check_permission('acme', 'user:alice', 'view', 'clients', 'c5') AS circle, identity.check_permission('acme', 'user:alice', 'view', 'planets', 'c5') AS unknown_type;
ROLLBACK;
-- Scopes of Keycloak 26.8, and of one to come: what denies one on all users denies the others.
BEGIN;
INSERT INTO kc.resource_server_scope (id, name, resource_server_id) SELECT 's-' || n, n, 'rs' FROM unnest('{delegate,delegate-members,foresee}'::text[]) n;
SELECT kc.permission('delegates', 'Groups', '{europe}', '{delegate-members}', '{alice}'), kc.permission('seer', 'Clients', '{Clients}', '{foresee}', '{alice-bob}');
INSERT INTO kc.policy_config VALUES ('bob', 'users', '["bob","dora"]');
INSERT INTO kc.resource_server_policy (id, name, type, decision_strategy, logic, resource_server_id) VALUES ('bob', 'bob and dora', 'user', 1, 0, 'rs');
SELECT kc.permission('clients of dora', 'Clients', '{Clients}', '{map-roles}', '{bob}');
SELECT count(*) > 0 AS imported FROM identity.import_keycloak('acme', 'kc', 'uncovered');
SELECT identity.check_permission('acme', 'user:alice', 'delegate', 'users', 'u2') AS delegated, identity.check_permission('acme', 'user:bob', 'foresee', 'clients', 'c9') AS foresees,
       identity.check_permission('acme', 'user:bob', 'map-roles', 'clients', 'c9') AS bob, identity.check_permission('acme', 'user:dora', 'map-roles', 'clients', 'c9') AS dora_is_denied_to_foresee;
SELECT count(*) > 0 AS imported FROM identity.import_keycloak('acme', 'kc', 'uncovered', quirks => false);
SELECT identity.check_permission('acme', 'user:dora', 'map-roles', 'clients', 'c9') AS dora_without_quirks;
ROLLBACK;
-- What a permission on a group denies, its users are denied by the same name; and the two ways up from a user's group.
BEGIN;
INSERT INTO kc.policy_config VALUES ('just-bob', 'users', '["bob"]');
INSERT INTO kc.resource_server_policy (id, name, type, decision_strategy, logic, resource_server_id) VALUES ('just-bob', 'bob alone', 'user', 1, 0, 'rs');
DELETE FROM kc.resource_policy WHERE policy_id IN ('p-all users', 'p-members of all groups', 'p-members of sales', 'p-no policy');
SELECT kc.permission('users for bob', 'Users', '{Users}', '{view}', '{just-bob}'), kc.permission('europe for alice', 'Groups', '{europe}', '{view}', '{alice}'),
       kc.permission('managed by alice', 'Groups', '{europe}', '{manage-members}', '{alice}'), kc.permission('sales managed by bob', 'Groups', '{sales}', '{manage-members}', '{just-bob}');
CREATE TABLE kc.asked (walk text, quirks boolean, views_u2 boolean, manages_u1 boolean, alice_manages_u2 boolean);
CREATE FUNCTION kc.ask(walk text, quirks boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count(*) FROM identity.import_keycloak('acme', 'kc', walk, quirks => quirks);
    INSERT INTO kc.asked VALUES (walk, quirks, identity.check_permission('acme', 'user:bob', 'view', 'users', 'u2'), identity.check_permission('acme', 'user:bob', 'manage', 'users', 'u1'),
        identity.check_permission('acme', 'user:alice', 'manage', 'users', 'u2'));
END $$;
SELECT kc.ask('all', true), kc.ask('all', false), kc.ask('uncovered', true), kc.ask('uncovered', false);
TABLE kc.asked;
ROLLBACK;
-- Roles of a client may be mapped by whoever may map the client's roles; those that make an administrator by nobody.
BEGIN;
DELETE FROM kc.resource_policy WHERE policy_id IN ('p-c1 for bob too', 'p-c1 for admins');
SELECT kc.permission('roles of c1', 'Clients', '{c1}', '{map-roles}', '{alice}'), kc.permission('all roles', 'Roles', '{Roles}', '{map-role}', '{alice}'),
       kc.permission('mapped by the console', 'Clients', '{c2}', '{map-roles}', '{cli}');
DELETE FROM kc.resource_policy WHERE policy_id = 'p-roles, by regex';
SELECT count(*) > 0 AS imported FROM identity.import_keycloak('acme', 'kc', 'all');
SELECT r AS role, identity.check_permission('acme', 'user:alice', 'map-role', 'roles', r) AS alice, identity.check_permission('acme', 'user:bob', 'map-role', 'roles', r) AS bob FROM unnest('{c1-role,r1,manage-users}'::text[]) AS r;
ROLLBACK;
-- By which client somebody comes, not who it is.
SELECT identity.check_permission('acme', 'client:console', 'impersonate', 'users', 'u1') AS is_it, identity.check_permission('acme', 'user:bob', 'impersonate', 'users', 'u1', '{"client_id": "console"}') AS by_it,
       identity.check_permission('acme', 'user:bob', 'impersonate', 'users', 'u1', '{"client_id": "console-id"}') AS by_its_id;
-- One that fails leaves what there was; everything deleted in Keycloak is gone here.
BEGIN;
SELECT count(*) AS permissions, count(DISTINCT origin) AS origins FROM identity.permissions \gset before_
CREATE FUNCTION kc.full() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''the disk is full''; END';
CREATE TRIGGER is_full AFTER INSERT ON identity.policies FOR EACH ROW EXECUTE FUNCTION kc.full();
UPDATE kc.resource_server_policy SET name = name || ', renamed';
SAVEPOINT s;
SELECT * FROM identity.import_keycloak('acme', 'kc', 'all');
ROLLBACK TO s;
SELECT count(*) = :before_permissions AND count(DISTINCT origin) = :before_origins AS as_it_was FROM identity.permissions;
ROLLBACK;
BEGIN;
DELETE FROM kc.resource_server_policy WHERE resource_server_id = 'rs';
SELECT kind, count(*), min(outcome) FROM identity.import_keycloak('acme', 'kc', 'all') WHERE kind <> 'membership' GROUP BY kind ORDER BY kind;
SELECT origin, count(*) FROM identity.permissions GROUP BY origin;
SELECT count(*) AS policies FROM identity.policies;
ROLLBACK;
BEGIN;
CREATE TABLE kc.realm_attribute (name varchar(255), realm_id varchar(36), value text);
INSERT INTO kc.realm_attribute VALUES ('adminPermissionsEnabled', 'realm', 'true'), ('adminPermissionsEnabled', 'other', 'false');
SELECT count(*) > 20 AS enabled FROM identity.import_keycloak('acme', 'kc', 'all') WHERE outcome LIKE 'imported%';
UPDATE kc.realm_attribute SET value = 'false';
SELECT kind, name, outcome FROM identity.import_keycloak('acme', 'kc', 'all') WHERE kind = 'realm';
SELECT count(*) AS permitted FROM identity.permissions WHERE effect = 'allow';
SELECT kind, name, outcome FROM identity.import_keycloak('acme', 'kc', 'all', 'elsewhere') WHERE kind = 'realm';
ROLLBACK;
-- What is refused.
SELECT * FROM identity.import_keycloak('acme', 'public', 'all');
SELECT * FROM identity.import_keycloak('acme', NULL, 'all');
SELECT * FROM identity.import_keycloak('nowhere', 'kc', 'all');
SELECT * FROM identity.import_keycloak('acme', 'kc', 'both');
SELECT * FROM identity.import_keycloak('acme', 'kc', NULL);
SELECT * FROM identity.import_keycloak('acme', 'kc', 'all', 'nowhere');
SELECT * FROM identity.import_keycloak('acme', 'kc', 'all', time_zone => 'Mars/North');
SELECT * FROM identity.import_keycloak('acme', 'kc', 'all', quirks => NULL);
SELECT * FROM identity.import_keycloak('acme', 'kc', 'all', dry_run => NULL);
INSERT INTO kc.client VALUES ('other', 'admin-permissions', 'other');
INSERT INTO kc.resource_server VALUES ('other', false, 0, 1);
SELECT * FROM identity.import_keycloak('acme', 'kc', 'all');
SELECT count(*) > 20 AS imported FROM identity.import_keycloak('acme', 'kc', 'all', 'shop');
UPDATE kc.client SET client_id = 'admin-fine' WHERE client_id = 'admin-permissions';
SELECT * FROM identity.import_keycloak('acme', 'kc', 'all');

DROP SCHEMA kc CASCADE;
TRUNCATE identity.permissions, identity.members, identity.resource_containers, identity.policies, identity.implied_scopes, identity.resource_types;
DELETE FROM identity.realms;
