-- Who may do what: the model, the decision, explanations, listings, and what is refused.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
ALTER SEQUENCE identity.permissions_id_seq RESTART;
SELECT clock_timestamp() AS begun \gset
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
SELECT name, scopes FROM identity.resource_types ORDER BY name;
SELECT resource_type, scope, by_type, by_scope, fallback FROM identity.implied_scopes ORDER BY 1, 2;
-- Any type of the application's own goes the same way; scopes can be added.
SELECT identity.add_resource_type('acme', 'invoices', '{view,pay}'), identity.add_resource_type('acme', 'invoices', '{view,cancel}');
SELECT scopes FROM identity.resource_types WHERE name = 'invoices';

-- Type-level: may the subject create clients? Through nested groups and composite roles.
SELECT identity.grant_permission('acme', 'role:client-admin', 'clients', '{create,view}');
SELECT identity.grant_permission('acme', 'role:client-admin', 'clients', '{create,view,manage}');
SELECT identity.add_member('acme', 'user:1', 'group:/eu/sales'), identity.add_member('acme', 'group:/eu/sales', 'group:/eu'),
       identity.add_member('acme', 'group:/eu', 'role:staff'), identity.add_member('acme', 'role:client-admin', 'role:viewer'),
       identity.add_member('acme', 'role:staff', 'role:client-admin'), identity.add_member('acme', 'client:app', 'role:staff');
SELECT identity.add_member('acme', 'user:1', 'group:/eu/sales') AS again;
SELECT s AS subject, identity.check_permission('acme', s, 'create', 'clients') AS permitted
FROM unnest('{user:1,client:app,group:/eu,role:staff,role:viewer,user:2,*,bob,role:,""}'::text[]) s;
-- Never NULL, never an error.
SELECT identity.check_permission(NULL, 'user:1', 'create', 'clients') AS a, identity.check_permission('acme', NULL, 'create', 'clients') AS b,
       identity.check_permission('acme', 'user:1', NULL, 'clients') AS c, identity.check_permission('acme', 'user:1', 'create', NULL) AS d,
       identity.check_permission('nowhere', 'user:1', 'create', 'clients') AS e, identity.check_permission('acme', 'user:1', 'fly', 'clients') AS f,
       identity.check_permission('acme', 'user:1', 'create', 'planets') AS g, identity.check_permission('acme', 'user:1', 'create', 'clients', '') AS h;
-- Instance-level is apart: it neither gives the type nor takes it.
SELECT identity.grant_permission('acme', 'user:2', 'clients', '{view}', 'c1'), identity.deny_permission('acme', 'user:1', 'clients', '{view}', 'c17');
SELECT * FROM identity.check_permissions('acme', 'user:2', 'clients', '{view,manage}', '{c1,c2,NULL}');
SELECT * FROM identity.check_permissions('acme', 'user:1', 'clients', '{view}', '{c17,c18,NULL}');
SELECT * FROM identity.check_permissions('acme', NULL, 'clients', '{view,NULL}', '{c17}');
SELECT * FROM identity.check_permissions('acme', 'user:1', 'clients', NULL, '{c17}');
-- Within a level deny beats allow; the nearer level beats both.
SELECT identity.grant_permission('acme', 'group:/eu', 'clients', '{view}', 'c17'), identity.deny_permission('acme', 'user:1', 'clients', '{manage}'),
       identity.grant_permission('acme', 'user:1', 'clients', '{manage}', 'c18');
SELECT * FROM identity.check_permissions('acme', 'user:1', 'clients', '{view,manage}', '{c17,c18}');
-- Permissions of everybody.
SELECT identity.grant_permission('acme', '*', 'invoices', '{view}'), identity.deny_permission('acme', 'user:3', 'invoices', '{view}');
SELECT identity.check_permission('acme', 'user:2', 'view', 'invoices') AS known, identity.check_permission('acme', 'user:stranger', 'view', 'invoices', 'i1') AS unknown,
       identity.check_permission('acme', 'user:3', 'view', 'invoices') AS denied;

-- Containers: nested groups of users, nearest first; what is permitted on the members of a group is permitted on its members.
SELECT identity.add_container('acme', 'users', 'u1', 'groups', 'sales'), identity.add_container('acme', 'groups', 'sales', 'groups', 'europe'), identity.add_container('acme', 'groups', 'europe', 'groups', 'all');
SELECT identity.grant_permission('acme', 'user:boss', 'groups', '{view-members,manage-members}', 'all'), identity.deny_permission('acme', 'user:boss', 'groups', '{manage-members}', 'europe'),
       identity.grant_permission('acme', 'user:clerk', 'users', '{view}', 'u1'), identity.grant_permission('acme', 'user:visitor', 'groups', '{view-members}');
SELECT s AS subject, r AS resource, identity.check_permission('acme', s, 'view', 'users', r) AS view, identity.check_permission('acme', s, 'manage', 'users', r) AS manage,
       identity.check_permission('acme', s, 'reset-password', 'users', r) AS reset
FROM unnest('{user:boss,user:clerk,user:visitor}'::text[]) s, unnest('{u1,u2,NULL}'::text[]) r;
-- reset-password falls back to manage where nothing names it.
SELECT identity.grant_permission('acme', 'user:helpdesk', 'users', '{manage}'), identity.grant_permission('acme', 'user:root', 'users', '{manage}');
SELECT identity.deny_permission('acme', 'user:helpdesk', 'users', '{reset-password}');
SELECT s AS subject, identity.check_permission('acme', s, 'manage', 'users', 'u9') AS manage, identity.check_permission('acme', s, 'reset-password', 'users', 'u9') AS reset FROM unnest('{user:helpdesk,user:root}'::text[]) s;
-- A scope that implies another of its type.
SELECT identity.imply_scope('acme', 'invoices', 'view', 'pay');
SELECT identity.grant_permission('acme', 'user:3', 'invoices', '{pay}', 'i1');
SELECT * FROM identity.check_permissions('acme', 'user:3', 'invoices', '{view,pay}', '{i1,i2}');

-- Why?
SELECT * FROM identity.explain_permission('acme', 'user:1', 'view', 'clients', 'c17');
SELECT step, level, resource, scope, effect, subject, via, outcome FROM identity.explain_permission('acme', 'user:boss', 'manage', 'users', 'u1');
SELECT step, level, resource, scope, effect, subject, via, outcome FROM identity.explain_permission('acme', 'user:2', 'create', 'clients');
SELECT step, level, scope, effect, outcome FROM identity.explain_permission('acme', 'user:helpdesk', 'reset-password', 'users', 'u9');
SELECT outcome FROM identity.explain_permission('acme', 'user:1', 'fly', 'clients')
UNION ALL SELECT outcome FROM identity.explain_permission('acme', 'user:1', 'view', 'planets')
UNION ALL SELECT outcome FROM identity.explain_permission('nowhere', 'user:1', 'view', 'clients')
UNION ALL SELECT outcome FROM identity.explain_permission('acme', 'bob', 'view', 'clients')
UNION ALL SELECT outcome FROM identity.explain_permission('acme', 'user:1', 'view', NULL);

-- Lists.
SELECT * FROM identity.permitted_resources('acme', 'user:1', 'view', 'clients');
SELECT * FROM identity.permitted_resources('acme', 'user:boss', 'view', 'users');
SELECT * FROM identity.permitted_resources('acme', 'user:visitor', 'view', 'users');
SELECT * FROM identity.permitted_resources('acme', 'user:nobody', 'view', 'clients');
SELECT * FROM identity.permitted_subjects('acme', 'view', 'clients');
SELECT * FROM identity.permitted_subjects('acme', 'view', 'clients', 'c17');
SELECT * FROM identity.permitted_subjects('acme', 'view', 'users', 'u1');
SELECT * FROM identity.permitted_subjects('acme', 'view', 'invoices', max_rows => 4);
SELECT * FROM identity.permitted_subjects('acme', 'view', 'invoices', after => 'role:staff', max_rows => 3);
SELECT * FROM identity.permitted_subjects('nowhere', 'view', 'clients');
SELECT * FROM identity.permitted_resources('acme', 'user:1', 'view', 'clients', max_rows => 0);
SELECT * FROM identity.permitted_subjects('acme', 'view', 'clients', max_rows => NULL);

-- What is taken back.
SELECT identity.revoke_permission('acme', 'user:1', 'clients', '{manage}', effect => 'allow') AS none_of_the_type,
       identity.revoke_permission('acme', 'user:1', 'clients', '{manage,view}', 'c18') AS one,
       identity.revoke_permission('acme', 'user:1', 'clients', '{manage}') AS denied,
       identity.revoke_permission('acme', 'user:1', 'clients', '{manage}') AS again;
SELECT identity.remove_member('acme', 'user:1', 'group:/eu/sales') AS was, identity.remove_member('acme', 'user:1', 'group:/eu/sales') AS was_not;
SELECT identity.remove_container('acme', 'users', 'u1', 'groups', 'sales') AS was, identity.remove_container('acme', 'users', 'u1', 'groups', 'sales') AS was_not;
SELECT identity.check_permission('acme', 'user:1', 'create', 'clients') AS no_longer, identity.check_permission('acme', 'user:boss', 'view', 'users', 'u1') AS nor_this;

-- Circles are refused, of any length.
SELECT identity.add_member('acme', 'group:/eu', 'group:/eu');
SELECT identity.add_member('acme', 'group:/eu', 'group:/eu/sales');
SELECT identity.add_member('acme', 'role:viewer', 'role:staff');
SELECT identity.add_container('acme', 'groups', 'all', 'groups', 'sales');
SELECT identity.imply_scope('acme', 'invoices', 'pay', 'view');
INSERT INTO identity.implied_scopes VALUES ('acme', 'groups', 'view-members', 'users', 'view');
-- Rows that came past the functions end no question.
INSERT INTO identity.members VALUES ('acme', 'role:viewer', 'role:staff');
INSERT INTO identity.resource_containers VALUES ('acme', 'groups', 'all', 'groups', 'sales');
SELECT identity.check_permission('acme', 'role:viewer', 'create', 'clients') AS circular, identity.check_permission('acme', 'user:boss', 'view-members', 'groups', 'sales') AS stands_in_itself;
DELETE FROM identity.members WHERE member = 'role:viewer';
DELETE FROM identity.resource_containers WHERE resource = 'all';

-- What else is refused.
\set VERBOSITY default
SELECT identity.add_member('acme', 'role:x', 'group:/eu');
SELECT identity.add_member('acme', 'user:1', 'user:2');
SELECT identity.add_member('acme', 'bob', 'role:x');
SELECT identity.add_member('nowhere', 'user:1', 'role:x');
SELECT identity.add_resource_type('nowhere', 'x', '{view}');
SELECT identity.add_resource_type('acme', 'x', '{view,NULL}');
SELECT identity.add_resource_type('acme', '', '{view}');
SELECT identity.grant_permission('acme', 'user:1', 'planets', '{view}');
SELECT identity.grant_permission('acme', 'user:1', 'clients', '{view,fly}');
SELECT identity.grant_permission('acme', 'user:1', 'clients', NULL);
SELECT identity.grant_permission('acme', 'bob', 'clients', '{view}');
SELECT identity.grant_permission('acme', NULL, 'clients', '{view}');
SELECT identity.grant_permission('acme', 'user:1', 'clients', '{view}', '');
SELECT identity.grant_permission('acme', 'user:1', 'clients', '{view}', policy => 'none');
SELECT identity.revoke_permission('acme', 'user:1', 'clients', '{view}', effect => 'allowed');
SELECT identity.imply_scope('acme', 'clients', 'view', 'fly');
SELECT identity.add_container('acme', 'clients', 'c1', 'folders', 'f1');
SELECT identity.add_container('acme', 'clients', NULL, 'groups', 'f1');

-- COPY and INSERT … SELECT are as good; the constraints are the rules, and a function finds what names nothing.
COPY identity.permissions (realm, subject, resource_type, resource, scope, effect, policy) FROM STDIN;
acme	user:7	clients	c1	view	allow	\N
acme	user:7	clients	c2	fly	allow	\N
acme	user:7	planets	\N	view	deny	\N
acme	user:7	clients	c3	view	deny	nowhere
acme	user:7	clients	\N	view	allow	nowhere
\.
SELECT subject, resource_type, resource, scope, policy, problem FROM identity.permission_problems('acme');
SELECT * FROM identity.permitted_resources('acme', 'user:7', 'view', 'clients');
INSERT INTO identity.permissions (realm, subject, resource_type, scope) SELECT 'acme', 'user:' || n, 'roles', 'create' FROM generate_series(1, 5000) n;
SELECT count(*) FROM generate_series(1, 5001) n WHERE identity.check_permission('acme', 'user:' || n, 'create', 'roles');
INSERT INTO identity.permissions (realm, subject, resource_type, scope) VALUES ('acme', 'user:1', 'roles', 'create') ON CONFLICT DO NOTHING;
\set VERBOSITY terse
INSERT INTO identity.permissions (realm, subject, resource_type, scope) VALUES ('acme', 'bob', 'roles', 'create');
INSERT INTO identity.permissions (realm, subject, resource_type, scope, effect) VALUES ('acme', 'user:1', 'roles', 'create', 'maybe');
INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope) VALUES ('acme', 'user:1', 'roles', '', 'create');
INSERT INTO identity.permissions (realm, subject, resource_type, scope) VALUES ('acme', 'user:1', 'roles', 'create');
INSERT INTO identity.members VALUES ('acme', 'role:x', 'group:x');
INSERT INTO identity.members VALUES ('acme', 'role:x', 'role:x');
INSERT INTO identity.resource_containers VALUES ('acme', 'groups', 'g', 'groups', 'g');
\set VERBOSITY default

-- All of it is on record: one event a statement.
SELECT e.action, e.subject, e.detail -> 'rows' AS rows, left((c.new - 'id')::text, 130) AS first FROM identity.audit_events AS e
LEFT JOIN LATERAL (SELECT * FROM identity.audit_changes(e.realm, e.event_id) LIMIT 1) AS c ON true
WHERE realm = 'acme' AND at > :'begun' AND ((action LIKE '%permissions' AND (detail ->> 'rows')::int > 2) OR action LIKE '%implied_scopes') ORDER BY at;

-- An application asks, and reads no table; an administrator does the rest.
CREATE ROLE permission_app; CREATE ROLE permission_admin;
SELECT identity.grant_access('permission_app', 'application'), identity.grant_access('permission_admin', 'admin');
SET ROLE permission_app;
SELECT identity.check_permission('acme', 'user:9', 'create', 'roles'), (SELECT count(*) FROM identity.explain_permission('acme', 'user:9', 'create', 'roles')),
       (SELECT count(*) FROM identity.permitted_resources('acme', 'user:7', 'view', 'clients')), (SELECT count(*) FROM identity.permitted_subjects('acme', 'view', 'clients', 'c1'));
SELECT count(*) FROM identity.permissions;
SELECT identity.grant_permission('acme', 'user:9', 'roles', '{create}');
SET ROLE permission_admin;
SELECT identity.grant_permission('acme', 'user:new', 'roles', '{create}'), identity.deny_permission('acme', 'user:new', 'roles', '{create}'), identity.add_member('acme', 'group:new', 'group:/eu'),
       identity.add_container('acme', 'users', 'u5', 'groups', 'new'), identity.revoke_permission('acme', 'user:new', 'roles', '{create}');
SELECT identity.add_policy('acme', 'p', 'subject', '{"any": []}'), identity.remove_policy('acme', 'p');
RESET ROLE;
-- Read-only transactions read.
BEGIN TRANSACTION READ ONLY;
SELECT identity.check_permission('acme', 'user:9', 'create', 'roles'), (SELECT count(*) FROM identity.explain_permission('acme', 'user:9', 'create', 'roles')),
       (SELECT count(*) FROM identity.permitted_resources('acme', 'user:7', 'view', 'clients')), (SELECT count(*) FROM identity.permitted_subjects('acme', 'view', 'clients', 'c1')),
       (SELECT count(*) FROM identity.check_permissions('acme', 'user:9', 'roles', '{create}', '{NULL}'));
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_transaction_id;
COMMIT;

SELECT identity.revoke_access(r) FROM unnest('{permission_app,permission_admin}'::text[]) r;
DROP ROLE permission_app, permission_admin;
TRUNCATE identity.permissions, identity.members, identity.resource_containers, identity.policies, identity.implied_scopes, identity.resource_types;
DELETE FROM identity.realms;
