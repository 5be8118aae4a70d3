-- Keycloak's fine-grained admin permissions, read from the tables of its database.
--
-- A permission of Keycloak grants its scopes where its policies grant, and counts as a deny at its level where they do
-- not. So each becomes rows of one origin: those that allow, to the subjects of its policies where these say whom they
-- are about, and otherwise to everybody under the policy; and one that restricts everybody else.
--
-- Nothing is kept in tables of its own: what was read stands in variables, and the difference to what is there is written.
-- The planner cannot know how many rows a variable has, and takes it for few: functions that join them do without nested loops; and plans
-- that look dear for that are not compiled.
--
-- Security: the functions run as their caller, who has rights on the tables (level admin), and read Keycloak's with these rights.
-- Where those are views or foreign tables of somebody else's, their functions run with the caller's rights too, as in any query.

CREATE FUNCTION identity_internal.keycloak_quirks(realm text, wanted boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF wanted THEN
        -- A permission on all resources that does not grant denies all scopes of each, those that it does not name, too.
        INSERT INTO identity.implied_scopes (realm, resource_type, scope, by_type, by_scope, carries)
        SELECT t.realm, t.name, a, t.name, b, 'type_denies'
        FROM identity.resource_types AS t, unnest(t.scopes) AS a, unnest(t.scopes) AS b
        WHERE t.realm = $1 AND t.name = ANY ('{clients,groups,roles,users,organizations}') AND a <> b AND a <> 'create' AND b <> 'create'
        ON CONFLICT DO NOTHING;
        -- Scopes of one name are one scope: what denies it on a group denies it on the users in the group.
        INSERT INTO identity.implied_scopes (realm, resource_type, scope, by_type, by_scope, carries)
        SELECT $1, 'users', s, 'groups', s, 'resource_denies' FROM unnest('{view,manage,delegate}'::text[]) AS s
        ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM identity.implied_scopes AS i
        WHERE i.realm = $1 AND i.carries = 'type_denies' AND i.by_type = i.resource_type
          AND i.resource_type = ANY ('{clients,groups,roles,users,organizations}');
        DELETE FROM identity.implied_scopes AS i
        WHERE i.realm = $1 AND i.carries = 'resource_denies' AND i.resource_type = 'users' AND i.by_type = 'groups' AND i.by_scope = i.scope
          AND i.scope = ANY ('{view,manage,delegate}');
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_quirks(text, boolean) IS 'Internal: what Keycloak denies beyond what its documentation says, as implied scopes';

-- Version 1 of the feature only permits, and what it permits permits more: the difference to version 2 is in these. The first of them is what
-- tells that a realm has them.
CREATE FUNCTION identity_internal.keycloak_version1(realm text, wanted boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    implied CONSTANT text[] := '{clients view clients configure,clients configure clients manage,users view users manage,users map-roles users manage,
        users manage-group-membership users manage,users reset-password users manage,groups view groups manage,groups manage-membership groups manage,
        groups view-members groups manage-members,users view groups manage-members}';
BEGIN
    IF wanted THEN
        PERFORM identity.add_resource_type(realm, 'clients', '{configure,token-exchange}');
        PERFORM identity.add_resource_type(realm, 'identity-providers', '{token-exchange}', 'keycloak');
        INSERT INTO identity.implied_scopes (realm, resource_type, scope, by_type, by_scope)
        SELECT $1, w[1], w[2], w[3], w[4] FROM unnest(implied) AS i, LATERAL (SELECT regexp_split_to_array(btrim(i), ' +')) AS x (w)
        ON CONFLICT DO NOTHING;
    ELSIF EXISTS (SELECT FROM identity.implied_scopes AS i
                  WHERE i.realm = $1 AND i.resource_type = 'clients' AND i.scope = 'view' AND i.by_type = 'clients' AND i.by_scope = 'configure') THEN
        DELETE FROM identity.implied_scopes AS i
        WHERE i.realm = $1 AND i.carries = 'both'
          AND EXISTS (SELECT FROM unnest(implied) AS n WHERE regexp_split_to_array(btrim(n), ' +') = ARRAY[i.resource_type, i.scope, i.by_type, i.by_scope]::text[]);
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_version1(text, boolean) IS 'Internal: what permissions of version 1 imply beyond those of version 2';

CREATE FUNCTION identity.add_keycloak_types(realm text, group_walk text, quirks boolean = true) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rule text;
BEGIN
    PERFORM identity_internal.check_realm(realm);
    IF group_walk IS NULL OR group_walk <> ALL ('{all,uncovered,version1}'::text[]) THEN
        RAISE EXCEPTION 'group_walk is "%"', identity_internal.shown(COALESCE(group_walk, 'NULL'))
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Use all for Keycloak 26.2 to 26.7, where permissions on every group above a user''s count, uncovered for 26.8, where those on the user''s own group cover them, or version1 for permissions of version 1 of the feature.';
    END IF;
    IF quirks IS NULL THEN
        RAISE EXCEPTION 'quirks is NULL' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give true to deny all that Keycloak denies, or false.';
    END IF;
    rule := CASE group_walk WHEN 'uncovered' THEN 'keycloak_uncovered' ELSE 'keycloak' END;
    IF group_walk <> 'version1' THEN
        -- An earlier import may have been of that one.
        PERFORM identity_internal.keycloak_version1(realm, false);
    END IF;
    PERFORM identity.add_resource_type(realm, t.name, t.scopes, rule) FROM (VALUES
        ('clients', '{create,manage,view,map-roles,map-roles-client-scope,map-roles-composite}'::text[]),
        ('groups', '{create,manage,view,manage-membership,manage-membership-of-members,manage-members,view-members,impersonate-members,delegate,delegate-members}'),
        ('roles', '{create,map-role,map-role-client-scope,map-role-composite}'),
        ('users', '{create,manage,view,impersonate,map-roles,manage-group-membership,reset-password,delegate}'),
        ('organizations', '{create,manage,view}')) AS t (name, scopes);
    -- What is permitted or denied on the members of a group.
    PERFORM identity.imply_scope(realm, 'users', s.scope, s.by_scope, 'groups') FROM (VALUES
        ('view', 'view-members'),
        ('manage', 'manage-members'),
        ('impersonate', 'impersonate-members'),
        ('delegate', 'delegate-members'),
        ('manage-group-membership', 'manage-membership-of-members')) AS s (scope, by_scope);
    PERFORM identity.imply_scope(realm, 'users', 'reset-password', 'manage', fallback => group_walk <> 'version1');
    -- To create is to manage the type.
    PERFORM identity.imply_scope(realm, t, 'create', 'manage') FROM unnest('{clients,groups,users,organizations}'::text[]) AS t;
    -- Who may map all roles of a client may map each, whatever is said of the role.
    PERFORM identity.imply_scope(realm, 'roles', s.scope, s.by_scope, 'clients', carries => 'permits') FROM (VALUES
        ('map-role', 'map-roles'),
        ('map-role-client-scope', 'map-roles-client-scope'),
        ('map-role-composite', 'map-roles-composite')) AS s (scope, by_scope);
    PERFORM identity_internal.keycloak_quirks(realm, quirks AND group_walk <> 'version1');
    IF group_walk = 'version1' THEN
        PERFORM identity_internal.keycloak_version1(realm, true);
    END IF;
END
$$;
COMMENT ON FUNCTION identity.add_keycloak_types(text, text, boolean) IS
'Adds the resource types of Keycloak''s fine-grained admin permissions (version 2) with all their scopes, and a scope create beside them, which manage implies: clients, groups, roles, users, organizations. They combine their levels as Keycloak does. A user stands in the groups into which identity.add_container() puts the user; what is permitted or denied on the members of a group is permitted or denied on the user. reset-password falls back to manage; who may map the roles of a client may map each of them.
group_walk: all, as Keycloak 26.2 to 26.7: permissions on every group above a user''s count; uncovered, as 26.8: those on a farther group count only for scopes that no permission on the user''s own group names; version1, for permissions of version 1 of the feature, which only permit: who manages views, maps roles and manages memberships, too.
quirks (of version 2): what Keycloak denies beyond what its documentation says is denied here, too: a permission on all resources of a type that does not grant denies scopes that it does not name; one on a group denies view and manage of its members.
Errors: 42704 no such realm, 22023 unknown group_walk, or quirks is NULL.';

CREATE FUNCTION identity_internal.keycloak_source(schema text, keycloak_realm text, version1 boolean, OUT server text, OUT realm_id text, OUT name text, OUT problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    servers text[];
    ids text[];
    names text[];
    enabled text;
BEGIN
    EXECUTE format(
        'SELECT array_agg(s.id::text ORDER BY r.name), array_agg(r.id::text ORDER BY r.name), array_agg(r.name::text ORDER BY r.name)
         FROM %1$I.realm AS r LEFT JOIN (%1$I.client AS c JOIN %1$I.resource_server AS s ON s.id = c.id)
              ON c.realm_id = r.id AND c.client_id = CASE WHEN NOT $2 THEN ''admin-permissions'' WHEN r.name = ''master'' THEN ''master-realm'' ELSE ''realm-management'' END
         WHERE r.name = $1 OR ($1 IS NULL AND s.id IS NOT NULL)', schema)
    INTO servers, ids, names USING keycloak_realm, version1;
    IF cardinality(names) > 1 THEN
        RAISE EXCEPTION 'several realms of Keycloak have admin permissions'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('They are %s.', identity_internal.shown(array_to_string(names, ', '))),
                  HINT = 'Say which one: keycloak_realm => its name.';
    END IF;
    IF names IS NULL THEN
        RAISE EXCEPTION 'no realm with admin permissions was found in schema "%"', schema
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = CASE WHEN keycloak_realm IS NULL AND version1 THEN 'No realm has permissions of version 1 of the feature.'
                                WHEN keycloak_realm IS NULL THEN 'No realm has a client admin-permissions.'
                                ELSE format('There is no realm "%s".', identity_internal.shown(keycloak_realm)) END,
                  HINT = 'Enable admin permissions (version 2 of the feature) in the settings of the realm in Keycloak; permissions of version 1 are read with group_walk => version1.';
    END IF;
    server := servers[1];
    realm_id := ids[1];
    name := names[1];
    IF server IS NULL AND version1 THEN
        problem := 'it has no permissions of version 1 of the feature: nothing is permitted';
    ELSIF server IS NULL THEN
        problem := 'it has no client admin-permissions: nothing is permitted';
    ELSIF NOT version1 AND to_regclass(format('%I.realm_attribute', schema)) IS NOT NULL THEN
        EXECUTE format('SELECT min(a.value) FROM %I.realm_attribute AS a WHERE a.realm_id = $1 AND a.name = ''adminPermissionsEnabled''', schema)
        INTO enabled USING realm_id;
        IF lower(enabled) <> 'true' THEN
            -- Keycloak asks none of them.
            server := NULL;
            problem := 'its admin permissions are disabled: nothing is permitted';
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_source(text, text, boolean) IS 'Internal: which realm of Keycloak is read, and the resource server that has its admin permissions; NULL where they are not in force';

CREATE FUNCTION identity_internal.keycloak_policies_read(schema text, server text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
DECLARE
    policies jsonb;
BEGIN
    EXECUTE format(
        'WITH policy AS MATERIALIZED (
             SELECT p.id::text AS id, p.name::text AS name, p.type::text AS type, upper(p.decision_strategy::text) AS strategy, upper(p.logic::text) AS logic
             FROM %1$I.resource_server_policy AS p WHERE p.resource_server_id = $1
         ), configs AS MATERIALIZED (
             SELECT c.policy_id::text AS id, jsonb_object_agg(c.name, c.value) AS config FROM %1$I.policy_config AS c
             WHERE c.policy_id IN (SELECT p.id FROM policy AS p) GROUP BY 1
         ), parts AS MATERIALIZED (
             SELECT a.policy_id::text AS id, jsonb_agg(a.associated_policy_id::text ORDER BY a.associated_policy_id::text) AS ids FROM %1$I.associated_policy AS a GROUP BY 1
         ), scopes AS MATERIALIZED (
             SELECT x.policy_id::text AS id, jsonb_agg(s.name::text ORDER BY s.name::text) AS names
             FROM %1$I.scope_policy AS x JOIN %1$I.resource_server_scope AS s ON s.id = x.scope_id GROUP BY 1
         ), resources AS MATERIALIZED (
             SELECT x.policy_id::text AS id, jsonb_agg(r.name::text ORDER BY r.name::text) AS names
             FROM %1$I.resource_policy AS x JOIN %1$I.resource_server_resource AS r ON r.id = x.resource_id GROUP BY 1)
         SELECT COALESCE(jsonb_agg(jsonb_build_object(
                    ''id'', p.id, ''name'', p.name, ''type'', p.type,
                    ''strategy'', CASE WHEN p.strategy IN (''0'', ''AFFIRMATIVE'') THEN ''affirmative'' WHEN p.strategy IN (''2'', ''CONSENSUS'') THEN ''consensus'' ELSE ''unanimous'' END,
                    ''negative'', COALESCE(p.logic IN (''1'', ''NEGATIVE''), false),
                    ''config'', COALESCE(c.config, ''{}''), ''parts'', COALESCE(a.ids, ''[]''),
                    ''scopes'', COALESCE(s.names, ''[]''), ''resources'', COALESCE(r.names, ''[]''))), ''[]'')
         FROM policy AS p
         LEFT JOIN configs AS c ON c.id = p.id LEFT JOIN parts AS a ON a.id = p.id LEFT JOIN scopes AS s ON s.id = p.id LEFT JOIN resources AS r ON r.id = p.id', schema)
    INTO policies USING server;
    RETURN policies;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_policies_read(text, text) IS 'Internal: the policies of a resource server of Keycloak, its permissions among them';

CREATE FUNCTION identity_internal.keycloak_members_read(schema text, realm_id text, OUT what text[], OUT member text[], OUT container text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
DECLARE
    federated text := '';
BEGIN
    -- Members whom another directory keeps.
    IF to_regclass(format('%I.fed_user_group_membership', schema)) IS NOT NULL THEN
        federated := federated || ' UNION SELECT ''members of groups'', ''user:'' || m.user_id, ''group:'' || m.group_id FROM %1$I.fed_user_group_membership AS m JOIN groups AS g ON g.id = m.group_id';
    END IF;
    IF to_regclass(format('%I.fed_user_role_mapping', schema)) IS NOT NULL THEN
        federated := federated || ' UNION SELECT ''roles of users'', ''user:'' || m.user_id, ''role:'' || m.role_id FROM %1$I.fed_user_role_mapping AS m JOIN roles AS r ON r.id = m.role_id';
    END IF;
    -- The groups of organizations are no groups of the realm.
    EXECUTE format(
        'WITH groups AS MATERIALIZED (
             SELECT g.id::text AS id, g.parent_group::text AS parent FROM %1$I.keycloak_group AS g
             WHERE g.realm_id = $1 AND COALESCE(to_jsonb(g) ->> ''type'', ''0'') = ''0''
         ), roles AS MATERIALIZED (
             SELECT r.id::text AS id FROM %1$I.keycloak_role AS r WHERE r.realm_id = $1
         ), found (what, member, container) AS (
             SELECT ''members of groups'', ''user:'' || m.user_id, ''group:'' || m.group_id FROM %1$I.user_group_membership AS m JOIN groups AS g ON g.id = m.group_id
             UNION SELECT ''roles of users'', ''user:'' || m.user_id, ''role:'' || m.role_id FROM %1$I.user_role_mapping AS m JOIN roles AS r ON r.id = m.role_id
             UNION SELECT ''roles of groups'', ''group:'' || m.group_id, ''role:'' || m.role_id
             FROM %1$I.group_role_mapping AS m JOIN roles AS r ON r.id = m.role_id JOIN groups AS g ON g.id = m.group_id
             UNION SELECT ''composite roles'', ''role:'' || m.composite, ''role:'' || m.child_role
             FROM %1$I.composite_role AS m JOIN roles AS r ON r.id = m.composite JOIN roles AS c ON c.id = m.child_role WHERE m.composite <> m.child_role
             UNION SELECT ''groups in groups'', ''group:'' || g.id, ''group:'' || g.parent FROM groups AS g JOIN groups AS p ON p.id = g.parent WHERE g.id <> g.parent'
         || federated || ')
         SELECT array_agg(f.what), array_agg(f.member), array_agg(f.container) FROM found AS f WHERE f.member IS NOT NULL', schema)
    INTO what, member, container USING realm_id;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_members_read(text, text) IS 'Internal: who is in which group and role of a realm of Keycloak';

-- In version 1 a permission is on one resource, which is named after what it stands for, and is found by its own name.
CREATE FUNCTION identity_internal.keycloak_of_version1(policies jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
    WITH policy AS MATERIALIZED (
        SELECT p.policy, p.policy ->> 'id' AS id, p.policy ->> 'type' IN ('scope', 'resource') AS is_permission, jsonb_array_length(p.policy -> 'parts') AS n
        FROM jsonb_array_elements(policies) AS p (policy)
    ), stands_on AS MATERIALIZED (
        -- A permission on resources is on all their scopes, and one without resources is on all resources.
        SELECT p.id, p.policy ->> 'name' AS name, p.n, r.resource, s.scope, r.resource IS NOT NULL AND s.scope IS NOT NULL AND p.policy ->> 'type' = 'scope' AS is_plain
        FROM policy AS p
        LEFT JOIN LATERAL jsonb_array_elements_text(p.policy -> 'resources') AS r (resource) ON true
        LEFT JOIN LATERAL jsonb_array_elements_text(p.policy -> 'scopes') AS s (scope) ON p.policy ->> 'type' = 'scope'
        WHERE p.is_permission AND p.n > 0
    ), meant AS MATERIALIZED (
        SELECT o.*, k.kind, substr(o.resource, strpos(o.resource, '.resource.') + 10) AS what
        FROM stands_on AS o
        LEFT JOIN LATERAL (SELECT CASE WHEN o.resource = 'Users' THEN 'Users' WHEN o.resource LIKE 'group.resource.%' THEN 'Groups' WHEN o.resource LIKE 'client.resource.%' THEN 'Clients'
                                       WHEN o.resource LIKE 'role.resource.%' THEN 'Roles' WHEN o.resource LIKE 'idp.resource.%' THEN 'Identity-Providers' END AS kind) AS k ON true
    ), judged AS MATERIALIZED (
        SELECT m.id, min(m.kind) AS kind, bool_and(m.kind IS NOT NULL) AS known, array_agg(DISTINCT CASE m.kind WHEN 'Users' THEN 'Users' ELSE m.what END) AS resources,
               min(CASE WHEN NOT m.is_plain THEN 'it is on more than scopes of resources'
                        WHEN m.kind IS NULL THEN format('"%s" is no resource of admin permissions', m.resource)
                        WHEN EXISTS (SELECT FROM stands_on AS o WHERE o.id <> m.id AND COALESCE(o.resource, m.resource) = m.resource AND COALESCE(o.scope, m.scope) = m.scope)
                        THEN 'other permissions are on the same scope of the same resource'
                        WHEN m.kind <> 'Users' AND m.name IS DISTINCT FROM CASE m.kind
                             WHEN 'Groups' THEN replace(m.scope, '-', '.') || '.permission.group.' || m.what
                             WHEN 'Clients' THEN m.scope || '.permission.client.' || m.what
                             WHEN 'Identity-Providers' THEN m.scope || '.permission.idp.' || m.what
                             WHEN 'Roles' THEN m.scope || '.permission.' || m.what END
                        THEN 'Keycloak does not find it by this name'
                        WHEN m.scope = 'user-impersonated' THEN 'who may be impersonated has no counterpart'
                        WHEN m.scope = 'impersonate' AND EXISTS (SELECT FROM stands_on AS o WHERE o.scope = 'user-impersonated')
                        THEN 'who may be impersonated has no counterpart' END) AS problem
        FROM meant AS m GROUP BY m.id)
    SELECT COALESCE(jsonb_agg(CASE WHEN NOT p.is_permission THEN p.policy
        ELSE p.policy || jsonb_build_object('type', 'scope', 'problem', j.problem, 'resources', COALESCE(to_jsonb(j.resources), '[]'), 'config',
            (p.policy -> 'config') || jsonb_build_object('defaultResourceType', COALESCE(j.kind, 'Users'))) END), '[]')
    FROM policy AS p LEFT JOIN judged AS j ON j.id = p.id
$$;
COMMENT ON FUNCTION identity_internal.keycloak_of_version1(jsonb) IS 'Internal: permissions of version 1 as identity_internal.keycloak_permissions() takes those of version 2';

-- All that is read is read here, in one snapshot: that of the query that calls it.
CREATE FUNCTION identity_internal.keycloak_read(schema text, keycloak_realm text, version1 boolean,
    OUT name text, OUT problem text, OUT policies jsonb, OUT clients jsonb, OUT client_scopes jsonb, OUT roles jsonb,
    OUT what text[], OUT member text[], OUT container text[], OUT client_role text[], OUT role_client text[], OUT admin_role text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing text;
    source record;
BEGIN
    IF schema IS NULL OR octet_length(schema) > 63 THEN
        RAISE EXCEPTION 'there is no schema "%"', COALESCE(identity_internal.shown(schema), 'NULL')
            USING ERRCODE = CASE WHEN schema IS NULL THEN 'invalid_parameter_value' ELSE 'undefined_table' END,
                  HINT = 'Give the schema that has Keycloak''s tables.';
    END IF;
    SELECT t INTO missing
    FROM unnest('{resource_server,resource_server_resource,resource_server_scope,resource_server_policy,policy_config,associated_policy,resource_policy,scope_policy,realm,client,keycloak_group,keycloak_role,user_group_membership,user_role_mapping,group_role_mapping,composite_role}'::text[]) AS t
    WHERE to_regclass(format('%I.%I', schema, t)) IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'schema "%" is not that of a Keycloak database', identity_internal.shown(schema)
            USING ERRCODE = 'undefined_table', DETAIL = format('There is no table "%s".', missing),
                  HINT = 'Give the schema that has Keycloak''s tables: restored from a dump, or as foreign tables.';
    END IF;
    SELECT * INTO source FROM identity_internal.keycloak_source(schema, keycloak_realm, version1);
    name := source.name;
    problem := source.problem;
    policies := identity_internal.keycloak_policies_read(schema, source.server);
    IF version1 THEN
        policies := identity_internal.keycloak_of_version1(policies);
    END IF;
    EXECUTE format('SELECT COALESCE(jsonb_object_agg(c.id, c.client_id), ''{}'') FROM %I.client AS c WHERE c.realm_id = $1', schema) INTO clients USING source.realm_id;
    IF to_regclass(format('%I.client_scope', schema)) IS NOT NULL THEN
        EXECUTE format('SELECT COALESCE(jsonb_object_agg(c.id, c.name), ''{}'') FROM %I.client_scope AS c WHERE c.realm_id = $1', schema)
        INTO client_scopes USING source.realm_id;
    END IF;
    EXECUTE format('SELECT COALESCE(jsonb_object_agg(r.id, true), ''{}'') FROM %I.keycloak_role AS r WHERE r.realm_id = $1', schema) INTO roles USING source.realm_id;
    EXECUTE format(
        'SELECT array_agg(r.id::text), array_agg(r.client::text) FROM %I.keycloak_role AS r WHERE r.realm_id = $1 AND r.client_role AND r.client IS NOT NULL', schema)
    INTO client_role, role_client USING source.realm_id;
    -- The roles that make an administrator, which no permission lets anybody map.
    EXECUTE format(
        'SELECT COALESCE(array_agg(r.id::text), ''{}'') FROM %1$I.keycloak_role AS r LEFT JOIN %1$I.client AS c ON c.id = r.client
         WHERE r.realm_id = $1 AND (c.client_id = ''realm-management'' OR $2 = ''master''
               AND (r.name IN (''admin'', ''create-realm'') AND NOT r.client_role OR c.client_id LIKE ''%%-realm''))', schema)
    INTO admin_role USING source.realm_id, name;
    SELECT m.what, m.member, m.container INTO what, member, container FROM identity_internal.keycloak_members_read(schema, source.realm_id) AS m;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_read(text, text, boolean) IS 'Internal: what the admin permissions of a realm of Keycloak consist of, in the snapshot of the calling query';

-- "from" alone is the one number; with "fromEnd", all from one to the other, which are none where they stand the wrong
-- way round.
CREATE FUNCTION identity_internal.keycloak_span(config jsonb, field text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN NULLIF(config ->> field, '') IS NULL THEN NULL
                WHEN (config ->> field)::int > COALESCE(NULLIF(config ->> (field || 'End'), ''), config ->> field)::int THEN '[]'
                ELSE jsonb_build_array(jsonb_build_array((config ->> field)::int, COALESCE(NULLIF(config ->> (field || 'End'), ''), config ->> field)::int)) END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_span(jsonb, text) IS 'Internal: a range of a time policy of Keycloak';

-- The policies that one of Keycloak's is made of: the last is the policy itself, the others are parts of it. And whom
-- it is about, where it says so: nobody else can be granted by it, and all of these are, where `exact`.
CREATE FUNCTION identity_internal.keycloak_policy(policy jsonb, clients jsonb, client_scopes jsonb, roles jsonb, time_zone text,
    OUT kinds text[], OUT documents jsonb[], OUT subjects text[], OUT exact boolean, OUT problem text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    config CONSTANT jsonb := policy -> 'config';
    positive CONSTANT boolean := NOT (policy ->> 'negative')::boolean;
    part CONSTANT text := 'keycloak/part/' || (policy ->> 'id') || '/';
    listed jsonb;
    required jsonb;
    direct jsonb;
    n int;
BEGIN
    CASE policy ->> 'type'
    WHEN 'user' THEN
        subjects := ARRAY(SELECT 'user:' || v FROM jsonb_array_elements_text(COALESCE((config ->> 'users')::jsonb, '[]')) AS v);
        exact := true;
        kinds := '{subject}';
        documents := ARRAY[jsonb_build_object('any', subjects)];
    WHEN 'client' THEN
        -- By which client somebody comes, not who it is.
        listed := (SELECT jsonb_agg(clients -> v) FROM jsonb_array_elements_text(COALESCE((config ->> 'clients')::jsonb, '[]')) AS v WHERE clients ? v);
        kinds := CASE WHEN listed IS NULL THEN '{subject}' ELSE '{attribute}' END;
        documents := ARRAY[CASE WHEN listed IS NULL THEN '{"any": []}' ELSE jsonb_build_object('attribute', 'client_id', 'in', listed) END];
    WHEN 'role' THEN
        -- A role that is gone from Keycloak does not count.
        listed := (SELECT jsonb_agg(v) FROM jsonb_array_elements(COALESCE((config ->> 'roles')::jsonb, '[]')) AS v WHERE roles ? (v ->> 'id'));
        subjects := ARRAY(SELECT 'role:' || (v ->> 'id') FROM jsonb_array_elements(listed) AS v);
        required := COALESCE((SELECT jsonb_agg('role:' || (v ->> 'id')) FROM jsonb_array_elements(listed) AS v WHERE (v ->> 'required')::boolean), '[]');
        kinds := '{subject}';
        documents := ARRAY[jsonb_build_object('any', subjects, 'all', required)];
        exact := required = '[]';
        subjects := CASE WHEN exact THEN subjects ELSE ARRAY[required ->> 0] END;
    WHEN 'group' THEN
        IF config ->> 'groupsClaim' <> '' THEN
            problem := 'groups from a claim have no counterpart';
        END IF;
        listed := COALESCE((config ->> 'groups')::jsonb, '[]');
        subjects := ARRAY(SELECT 'group:' || (v ->> 'id') FROM jsonb_array_elements(listed) AS v);
        direct := COALESCE((SELECT jsonb_agg('group:' || (v ->> 'id')) FROM jsonb_array_elements(listed) AS v WHERE NOT COALESCE((v ->> 'extendChildren')::boolean, false)), '[]');
        listed := COALESCE((SELECT jsonb_agg('group:' || (v ->> 'id')) FROM jsonb_array_elements(listed) AS v WHERE (v ->> 'extendChildren')::boolean), '[]');
        exact := direct = '[]';
        IF exact THEN
            kinds := '{subject}';
            documents := ARRAY[jsonb_build_object('any', listed)];
        ELSIF listed = '[]' THEN
            kinds := '{subject}';
            documents := ARRAY[jsonb_build_object('direct', true, 'any', direct)];
        ELSE
            kinds := '{subject,subject,aggregate}';
            documents := ARRAY[jsonb_build_object('direct', true, 'any', direct), jsonb_build_object('any', listed),
                               jsonb_build_object('strategy', 'affirmative', 'policies', ARRAY[part || 1, part || 2])];
        END IF;
    WHEN 'client-scope' THEN
        problem := CASE WHEN client_scopes IS NULL THEN 'there is no table "client_scope" to read its scopes'' names from' END;
        listed := COALESCE((SELECT jsonb_agg(client_scopes -> (v ->> 'id')) FROM jsonb_array_elements(COALESCE((config ->> 'clientScopes')::jsonb, '[]')) AS v
                            WHERE client_scopes ? (v ->> 'id')), '[]');
        required := COALESCE((SELECT jsonb_agg(client_scopes -> (v ->> 'id')) FROM jsonb_array_elements(COALESCE((config ->> 'clientScopes')::jsonb, '[]')) AS v
                              WHERE client_scopes ? (v ->> 'id') AND (v ->> 'required')::boolean), '[]');
        IF listed = '[]' THEN
            kinds := '{subject}';
            documents := ARRAY['{"any": []}'::jsonb];
        ELSE
            kinds := '{attribute}';
            documents := ARRAY[jsonb_build_object('attribute', 'client_scopes', 'in', listed)];
            FOR n IN 1..jsonb_array_length(required) LOOP
                kinds := kinds || 'attribute'::text;
                documents := documents || jsonb_build_object('attribute', 'client_scopes', 'equals', required -> (n - 1));
            END LOOP;
            IF cardinality(kinds) > 1 THEN
                kinds := kinds || 'aggregate'::text;
                documents := documents || jsonb_build_object('strategy', 'unanimous',
                    'policies', (SELECT jsonb_agg(part || m) FROM generate_series(1, cardinality(documents)) AS m));
            END IF;
        END IF;
    WHEN 'time' THEN
        kinds := '{time}';
        documents := ARRAY[jsonb_strip_nulls(jsonb_build_object('time_zone', time_zone,
            'not_before', NULLIF(btrim(config ->> 'nbf'), ''), 'not_on_or_after', NULLIF(btrim(config ->> 'noa'), ''),
            'years', identity_internal.keycloak_span(config, 'year'), 'months', identity_internal.keycloak_span(config, 'month'),
            'days_of_month', identity_internal.keycloak_span(config, 'dayMonth'), 'hours', identity_internal.keycloak_span(config, 'hour'),
            'minutes', identity_internal.keycloak_span(config, 'minute')))];
    WHEN 'regex' THEN
        kinds := '{attribute}';
        IF config ->> 'pattern' ~ '[*+?}]\+' THEN
            problem := 'its expression has a possessive quantifier, which has no counterpart';
        END IF;
        documents := ARRAY[jsonb_build_object(
            'attribute', ARRAY(SELECT replace(e, '\.', '.') FROM regexp_split_to_table(config ->> 'targetClaim', '(?<!\\)\.') AS e),
            'regex', '^(?:' || (config ->> 'pattern') || ')$')];
    WHEN 'aggregate' THEN
        IF policy -> 'parts' = '[]' THEN
            kinds := '{subject}';
            documents := ARRAY['{"any": []}'::jsonb];
        ELSE
            -- Its parts stand by their ids, until they have names.
            kinds := '{aggregate}';
            documents := ARRAY[jsonb_build_object('strategy', policy -> 'strategy', 'policies', policy -> 'parts')];
        END IF;
    ELSE
        problem := format('policies of type "%s" have no counterpart', policy ->> 'type');
    END CASE;
    FOR n IN 1..COALESCE(cardinality(kinds), 0) LOOP
        problem := COALESCE(problem, identity_internal.policy_problem(kinds[n], documents[n]));
    END LOOP;
    IF NOT positive THEN
        subjects := NULL;
    END IF;
    exact := COALESCE(exact, false) AND positive;
EXCEPTION WHEN data_exception THEN
    problem := format('its configuration cannot be read: %s', SQLERRM);
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_policy(jsonb, jsonb, jsonb, jsonb, text) IS 'Internal: a policy of Keycloak as policies of identity.policies';

CREATE FUNCTION identity_internal.keycloak_order(ids text[], wholes text[], parts text[]) RETURNS text[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'keycloak_order_wrapper';
COMMENT ON FUNCTION identity_internal.keycloak_order(text[], text[], text[]) IS
'Internal: ids in an order in which each comes after its parts, and otherwise as given; without those that have a part which does not come. wholes and parts: pairs of an id and one of its parts';

-- By what name each policy and permission is known here: by that in Keycloak, where nothing else has it, and otherwise by
-- its id. One for which policies written by hand leave no name has none.
CREATE FUNCTION identity_internal.keycloak_names(realm text, policies jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH own AS MATERIALIZED (
        SELECT o.name FROM identity.policies AS o WHERE o.realm = $1 AND o.origin IS NULL AND o.name LIKE 'keycloak/%'
    ), wanted AS (
        SELECT p.id, k.prefix || '/' || p.name AS name, k.prefix || '-id/' || p.id AS by_id, 'keycloak/part/' || p.id || '/' AS parts,
               count(*) OVER (PARTITION BY k.prefix, p.name) AS times
        FROM jsonb_to_recordset(policies) AS p (id text, name text, type text)
        CROSS JOIN LATERAL (SELECT CASE p.type WHEN 'scope' THEN 'keycloak/permission' ELSE 'keycloak/policy' END AS prefix) AS k
        WHERE octet_length(p.id) BETWEEN 1 AND 200
    ), named AS (
        SELECT w.id, CASE WHEN identity_internal.is_name(w.name) AND w.times = 1 AND NOT EXISTS (SELECT FROM own AS o WHERE o.name = w.name) THEN w.name
                          WHEN NOT EXISTS (SELECT FROM own AS o WHERE o.name = w.by_id) THEN w.by_id END AS name
        FROM wanted AS w WHERE NOT EXISTS (SELECT FROM own AS o WHERE starts_with(o.name, w.parts)))
    SELECT COALESCE(jsonb_object_agg(n.id, n.name), '{}') FROM named AS n WHERE n.name IS NOT NULL
$$;
COMMENT ON FUNCTION identity_internal.keycloak_names(text, jsonb) IS 'Internal: the names of policies and permissions of Keycloak, by their ids';

-- The policies, each converted, and whether it is imported: what is made of one that is not is not imported either.
CREATE FUNCTION identity_internal.keycloak_converted(policies jsonb, names jsonb, clients jsonb, client_scopes jsonb, roles jsonb, time_zone text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
    WITH converted AS MATERIALIZED (
        SELECT p.policy ->> 'id' AS id, p.policy, c.kinds, c.documents, c.subjects, c.exact,
               COALESCE(c.problem, CASE WHEN NOT names ? (p.policy ->> 'id') THEN 'policies of your own have its name' END) AS problem
        FROM jsonb_array_elements(policies) AS p (policy)
        CROSS JOIN LATERAL identity_internal.keycloak_policy(p.policy, clients, client_scopes, roles, time_zone) AS c
        WHERE p.policy ->> 'type' <> 'scope'
    ), pairs AS MATERIALIZED (
        SELECT c.id, part FROM converted AS c CROSS JOIN LATERAL jsonb_array_elements_text(c.policy -> 'parts') AS part WHERE c.policy ->> 'type' = 'aggregate'
    ), imported AS (
        SELECT i.id FROM unnest(identity_internal.keycloak_order(
            ARRAY(SELECT c.id FROM converted AS c WHERE c.problem IS NULL ORDER BY c.id),
            ARRAY(SELECT p.id FROM pairs AS p ORDER BY p.id, p.part), ARRAY(SELECT p.part FROM pairs AS p ORDER BY p.id, p.part))) AS i (id))
    SELECT COALESCE(jsonb_agg(c.policy || jsonb_build_object('kinds', c.kinds, 'documents', c.documents, 'subjects', c.subjects, 'exact', c.exact,
               'imported', i.id IS NOT NULL,
               'problem', CASE WHEN i.id IS NULL THEN COALESCE(c.problem, 'it is made of a policy that is not imported') END)), '[]')
    FROM converted AS c LEFT JOIN imported AS i ON i.id = c.id
$$;
COMMENT ON FUNCTION identity_internal.keycloak_converted(jsonb, jsonb, jsonb, jsonb, jsonb, text) IS 'Internal: the policies of Keycloak with what identity.policies is to have of them';

-- The permissions: whom each allows, and under which policy. subjects NULL: everybody; exact: under none.
CREATE FUNCTION identity_internal.keycloak_permissions(policies jsonb, converted jsonb, names jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
    WITH permission AS MATERIALIZED (
        SELECT p.* FROM jsonb_to_recordset(policies) AS p (id text, name text, type text, strategy text, negative boolean, config jsonb, parts text[], scopes text[], resources text[], problem text)
        WHERE p.type = 'scope'
    ), policy AS MATERIALIZED (
        SELECT c.id, c.name, c.subjects, c.exact, c.imported, names ->> c.id AS named, COALESCE(cardinality(c.subjects) <= 100, false) AS narrow
        FROM jsonb_to_recordset(converted) AS c (id text, name text, subjects text[], exact boolean, imported boolean)
    ), part AS MATERIALIZED (
        SELECT p.id, u.part, c.name, c.subjects, c.named, COALESCE(c.exact, false) AS exact, COALESCE(c.imported, false) AS known, COALESCE(c.narrow, false) AS narrow
        FROM permission AS p CROSS JOIN LATERAL unnest(p.parts) AS u (part) LEFT JOIN policy AS c ON c.id = u.part
    ), parts AS MATERIALIZED (
        SELECT a.id, count(*) AS n, bool_and(a.known) AS known, min(COALESCE(a.name, a.part)) FILTER (WHERE NOT a.known) AS unknown,
               bool_and(a.narrow) AS all_narrow, bool_and(a.narrow AND a.exact) AS all_exact, to_jsonb(array_agg(a.named ORDER BY a.part)) AS part_names,
               (array_agg(a.part ORDER BY cardinality(a.subjects), a.part) FILTER (WHERE a.narrow))[1] AS narrowest
        FROM part AS a GROUP BY a.id
    ), united AS MATERIALIZED (
        SELECT a.id, array_agg(DISTINCT s) AS subjects FROM part AS a CROSS JOIN LATERAL unnest(a.subjects) AS s GROUP BY a.id
    ), judged AS (
        SELECT p.id, p.name, p.scopes, p.resources, p.strategy, lower(p.config ->> 'defaultResourceType') AS resource_type, p.config ->> 'defaultResourceType' AS whole,
               COALESCE(a.n, 0) AS n, COALESCE(a.known, false) AND names ? p.id AND NOT p.negative AND p.problem IS NULL AS known,
               CASE WHEN p.problem IS NOT NULL THEN p.problem
                    WHEN p.negative THEN 'a permission with negative logic has no counterpart'
                    WHEN NOT a.known THEN format('policy "%s" is not imported', identity_internal.shown(a.unknown))
                    WHEN NOT names ? p.id THEN 'policies of your own have its name' END AS problem,
               (a.n = 1 OR p.strategy = 'affirmative') AND a.all_exact AS exact,
               CASE WHEN a.n = 1 THEN a.part_names ->> 0 ELSE names ->> p.id END AS holds,
               CASE WHEN a.n = 1 OR p.strategy = 'unanimous' THEN x.subjects
                    WHEN p.strategy = 'affirmative' AND a.all_narrow THEN COALESCE(u.subjects, '{}') END AS subjects,
               a.part_names, COALESCE(names ->> p.id, 'keycloak/permission-id/' || left(p.id, 200)) AS origin
        FROM permission AS p LEFT JOIN parts AS a ON a.id = p.id LEFT JOIN part AS x ON x.id = a.id AND x.part = a.narrowest LEFT JOIN united AS u ON u.id = p.id)
    SELECT COALESCE(jsonb_agg(to_jsonb(j)), '[]') FROM judged AS j
$$;
COMMENT ON FUNCTION identity_internal.keycloak_permissions(jsonb, jsonb, jsonb) IS 'Internal: the permissions of Keycloak, with the subjects that each allows';

-- The rows of identity.policies, with the id of what each belongs to.
CREATE FUNCTION identity_internal.keycloak_policy_rows(converted jsonb, permissions jsonb, names jsonb, group_walk text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
    WITH policy AS (
        SELECT c.id, k.n, k.kind, c.documents -> (k.n::int - 1) AS document, k.n = cardinality(c.kinds) AS is_last, c.negative, c.type, c.parts
        FROM jsonb_to_recordset(converted) AS c (id text, type text, kinds text[], documents jsonb, negative boolean, parts text[], imported boolean)
        CROSS JOIN LATERAL unnest(c.kinds) WITH ORDINALITY AS k (kind, n) WHERE c.imported
    ), wanted (id, name, kind, document, negate) AS (
        SELECT p.id, CASE WHEN p.is_last THEN names ->> p.id ELSE 'keycloak/part/' || p.id || '/' || p.n END, p.kind,
               CASE WHEN p.type = 'aggregate' AND p.kind = 'aggregate'
                    THEN jsonb_set(p.document, '{policies}', (SELECT jsonb_agg(names -> u.part ORDER BY u.part) FROM unnest(p.parts) AS u (part))) ELSE p.document END,
               p.is_last AND p.negative
        FROM policy AS p
        UNION ALL
        SELECT p.id, p.holds, 'aggregate', jsonb_build_object('strategy', p.strategy, 'policies', p.part_names), false
        FROM jsonb_to_recordset(permissions) AS p (id text, holds text, strategy text, part_names jsonb, n int, known boolean, exact boolean)
        WHERE p.n > 1 AND p.known AND NOT p.exact
        UNION ALL
        -- One that never holds: see identity_internal.keycloak_permission_rows().
        SELECT p.id, names ->> p.id, 'subject', '{"any": []}', false
        FROM jsonb_to_recordset(permissions) AS p (id text, resource_type text, n int)
        WHERE p.n = 0 AND p.resource_type = 'groups' AND group_walk = 'uncovered' AND names ? p.id)
    SELECT COALESCE(jsonb_agg(to_jsonb(w)), '[]') FROM wanted AS w
$$;
COMMENT ON FUNCTION identity_internal.keycloak_policy_rows(jsonb, jsonb, jsonb, text) IS 'Internal: what identity.policies is to have';

CREATE FUNCTION identity_internal.keycloak_permission_rows(realm text, permissions jsonb, admin_role text[], group_walk text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
    WITH permission AS MATERIALIZED (
        SELECT p.origin, p.resource_type, p.n, p.known, p.exact, p.holds, p.subjects, NULLIF(r, p.whole) AS resource, s AS scope
        FROM jsonb_to_recordset(permissions) AS p (origin text, resource_type text, whole text, n int, known boolean, exact boolean, holds text,
                                                   subjects text[], scopes text[], resources text[])
        JOIN identity.resource_types AS t ON t.realm = $1 AND t.name = p.resource_type
        CROSS JOIN LATERAL unnest(p.resources) AS r CROSS JOIN LATERAL unnest(p.scopes) AS s
        WHERE s = ANY (t.scopes) AND identity_internal.is_name(r, 512)
    ), wanted (subject, resource_type, resource, scope, effect, policy, origin) AS (
        SELECT '*', p.resource_type, p.resource, p.scope, 'restrict', NULL, p.origin FROM permission AS p WHERE p.n > 0 AND group_walk <> 'version1'
        UNION
        SELECT COALESCE(s, '*'), p.resource_type, p.resource, p.scope, 'allow', CASE WHEN NOT p.exact THEN p.holds END, p.origin
        FROM permission AS p LEFT JOIN LATERAL unnest(p.subjects) AS s ON true
        WHERE p.known AND (p.subjects IS NULL OR identity_internal.is_subject(s))
        UNION
        -- In version 1, who may view or manage all users may view or manage the members of each group.
        SELECT COALESCE(s, '*'), 'groups', NULL, x.of_groups, 'allow', CASE WHEN NOT p.exact THEN p.holds END, p.origin
        FROM permission AS p JOIN (VALUES ('view', 'view-members'), ('manage', 'manage-members')) AS x (scope, of_groups) ON x.scope = p.scope
        LEFT JOIN LATERAL unnest(p.subjects) AS s ON true
        WHERE group_walk = 'version1' AND p.resource_type = 'users' AND p.known AND (p.subjects IS NULL OR identity_internal.is_subject(s))
        UNION
        -- One without a policy says nothing, but on a user's own group it covers those farther up.
        SELECT '*', p.resource_type, p.resource, p.scope, 'allow', p.origin, p.origin
        FROM permission AS p WHERE p.n = 0 AND p.resource_type = 'groups' AND p.resource IS NOT NULL AND group_walk = 'uncovered'
        UNION
        SELECT '*', 'roles', a.id, s, 'restrict', NULL, 'keycloak'
        FROM unnest(admin_role) AS a (id) CROSS JOIN unnest('{map-role,map-role-composite}'::text[]) AS s)
    SELECT COALESCE(jsonb_agg(to_jsonb(w)), '[]') FROM wanted AS w
$$;
COMMENT ON FUNCTION identity_internal.keycloak_permission_rows(text, jsonb, text[], text) IS 'Internal: what identity.permissions is to have';

-- What is written, and what stays.
CREATE FUNCTION identity_internal.keycloak_delete_permissions(realm text, rows jsonb, OUT deleted text[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
BEGIN
    WITH gone AS (
        DELETE FROM identity.permissions AS p
        WHERE p.realm = $1 AND p.origin IS NOT NULL AND (p.origin = 'keycloak' OR p.origin LIKE 'keycloak/%')
          AND NOT EXISTS (SELECT FROM jsonb_to_recordset(rows) AS w (subject text, resource_type text, resource text, scope text, effect text, policy text, origin text)
                          WHERE w.origin = p.origin AND w.subject = p.subject AND w.resource_type = p.resource_type AND COALESCE(w.resource, '') = COALESCE(p.resource, '')
                            AND w.scope = p.scope AND w.effect = p.effect AND COALESCE(w.policy, '') = COALESCE(p.policy, ''))
        RETURNING p.origin)
    SELECT COALESCE(array_agg(DISTINCT g.origin::text), '{}') INTO deleted FROM gone AS g;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_delete_permissions(text, jsonb) IS 'Internal: deletes permissions that Keycloak has no longer; returns their origins';

CREATE FUNCTION identity_internal.keycloak_add_permissions(realm text, rows jsonb, OUT added text[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
BEGIN
    WITH new AS (
        INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope, effect, policy, origin)
        SELECT $1, w.subject, w.resource_type, w.resource, w.scope, w.effect, w.policy, w.origin
        FROM jsonb_to_recordset(rows) AS w (subject text, resource_type text, resource text, scope text, effect text, policy text, origin text)
        WHERE NOT EXISTS (SELECT FROM identity.permissions AS p
                          WHERE p.realm = $1 AND p.origin IS NOT NULL AND w.origin = p.origin AND w.subject = p.subject AND w.resource_type = p.resource_type
                            AND COALESCE(w.resource, '') = COALESCE(p.resource, '') AND w.scope = p.scope AND w.effect = p.effect
                            AND COALESCE(w.policy, '') = COALESCE(p.policy, ''))
        -- An explanation tells permissions in the order in which they were written: the same for every plan.
        ORDER BY w.origin COLLATE "C", w.subject COLLATE "C", w.resource_type COLLATE "C", w.resource COLLATE "C", w.scope COLLATE "C", w.effect COLLATE "C",
          w.policy COLLATE "C"
        ON CONFLICT DO NOTHING RETURNING origin)
    SELECT COALESCE(array_agg(DISTINCT n.origin::text), '{}') INTO added FROM new AS n;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_add_permissions(text, jsonb) IS 'Internal: adds the permissions that are missing; returns their origins';

CREATE FUNCTION identity_internal.keycloak_add_policies(realm text, rows jsonb, OUT added text[], OUT changed text[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
DECLARE
    different jsonb;
BEGIN
    SELECT COALESCE(jsonb_agg(to_jsonb(w)), '[]'), COALESCE(array_agg(DISTINCT w.id) FILTER (WHERE o.name IS NULL), '{}'),
           COALESCE(array_agg(DISTINCT w.id) FILTER (WHERE o.name IS NOT NULL), '{}')
    INTO different, added, changed
    FROM jsonb_to_recordset(rows) AS w (id text, name text, kind text, document jsonb, negate boolean)
    LEFT JOIN identity.policies AS o ON o.realm = $1 AND o.name = w.name
    WHERE o.name IS NULL OR o.kind <> w.kind OR o.config <> w.document OR o.negate <> w.negate;
    INSERT INTO identity.policies AS p (realm, name, kind, config, negate, origin)
    SELECT $1, w.name, w.kind, w.document, w.negate, 'keycloak'
    FROM jsonb_to_recordset(different) AS w (name text, kind text, document jsonb, negate boolean)
    ON CONFLICT ON CONSTRAINT policies_pkey DO UPDATE SET kind = excluded.kind, config = excluded.config, negate = excluded.negate WHERE p.origin = 'keycloak';
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_add_policies(text, jsonb) IS 'Internal: writes the policies that are missing or differ; returns whose they are';

-- A policy that Keycloak has no longer, but a permission or an aggregate written by hand needs, becomes one written by hand.
CREATE FUNCTION identity_internal.keycloak_delete_policies(realm text, rows jsonb, OUT kept text[], OUT deleted text[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
BEGIN
    WITH RECURSIVE obsolete AS MATERIALIZED (
        SELECT p.name, p.config FROM identity.policies AS p
        WHERE p.realm = $1 AND p.origin = 'keycloak' AND NOT EXISTS (SELECT FROM jsonb_to_recordset(rows) AS w (name text) WHERE w.name = p.name)
    ), own_parts AS MATERIALIZED (
        SELECT DISTINCT part FROM identity.policies AS a CROSS JOIN LATERAL jsonb_array_elements_text(a.config -> 'policies') AS part
        WHERE a.realm = $1 AND a.origin IS NULL AND a.kind = 'aggregate'
    ), needed AS (
        SELECT o.name, o.config FROM obsolete AS o
        WHERE EXISTS (SELECT FROM identity.permissions AS p WHERE p.realm = $1 AND p.policy = o.name)
           OR EXISTS (SELECT FROM own_parts AS a WHERE a.part = o.name)
        UNION
        SELECT o.name, o.config FROM needed AS n CROSS JOIN LATERAL jsonb_array_elements_text(n.config -> 'policies') AS part JOIN obsolete AS o ON o.name = part
    ), keep AS (
        UPDATE identity.policies AS p SET origin = NULL FROM needed AS n WHERE p.realm = $1 AND p.name = n.name RETURNING p.name)
    SELECT COALESCE(array_agg(k.name::text), '{}') INTO kept FROM keep AS k;
    WITH gone AS (
        DELETE FROM identity.policies AS p
        WHERE p.realm = $1 AND p.origin = 'keycloak' AND NOT EXISTS (SELECT FROM jsonb_to_recordset(rows) AS w (name text) WHERE w.name = p.name)
        RETURNING p.name)
    SELECT COALESCE(array_agg(g.name::text), '{}') INTO deleted FROM gone AS g;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_delete_policies(text, jsonb) IS 'Internal: deletes policies that Keycloak has no longer';

CREATE FUNCTION identity_internal.keycloak_write_members(realm text, members text[], containers text[], OUT added bigint, OUT removed bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
BEGIN
    DELETE FROM identity.members AS m
    WHERE m.realm = $1 AND m.origin = 'keycloak'
      AND NOT EXISTS (SELECT FROM unnest(members, containers) AS w (member, container) WHERE w.member = m.member AND w.container = m.container);
    GET DIAGNOSTICS removed = ROW_COUNT;
    INSERT INTO identity.members (realm, member, container, origin)
    SELECT $1, w.member, w.container, 'keycloak' FROM unnest(members, containers) AS w (member, container)
    WHERE identity_internal.is_subject(w.member) AND identity_internal.is_subject(w.container)
      AND NOT EXISTS (SELECT FROM identity.members AS m WHERE m.realm = $1 AND m.member = w.member AND m.container = w.container)
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_write_members(text, text[], text[]) IS 'Internal: makes the memberships of Keycloak those of the realm';

-- Users stand in their groups, and the roles of a client in it; but for the roles that make an administrator.
CREATE FUNCTION identity_internal.keycloak_write_containers(realm text, what text[], members text[], containers text[], client_role text[], role_client text[], admin_role text[])
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
DECLARE
    stands record;
BEGIN
    SELECT array_agg(c.t) AS t, array_agg(c.r) AS r, array_agg(c.ct) AS ct, array_agg(c.cr) AS cr INTO stands FROM (
        SELECT CASE f.what WHEN 'members of groups' THEN 'users' ELSE 'groups' END, substr(f.member, strpos(f.member, ':') + 1), 'groups', substr(f.container, 7)
        FROM unnest(what, members, containers) AS f (what, member, container) WHERE f.what IN ('members of groups', 'groups in groups')
        UNION
        SELECT 'roles', f.id, 'clients', f.client FROM unnest(client_role, role_client) AS f (id, client)
        WHERE NOT EXISTS (SELECT FROM unnest(admin_role) AS a (id) WHERE a.id = f.id)) AS c (t, r, ct, cr);
    DELETE FROM identity.resource_containers AS c
    WHERE c.realm = $1 AND c.origin = 'keycloak'
      AND NOT EXISTS (SELECT FROM unnest(stands.t, stands.r, stands.ct, stands.cr) AS w (t, r, ct, cr)
                      WHERE w.t = c.resource_type AND w.r = c.resource AND w.ct = c.container_type AND w.cr = c.container);
    INSERT INTO identity.resource_containers (realm, resource_type, resource, container_type, container, origin)
    SELECT $1, w.t, w.r, w.ct, w.cr, 'keycloak' FROM unnest(stands.t, stands.r, stands.ct, stands.cr) AS w (t, r, ct, cr)
    WHERE identity_internal.is_name(w.r, 512) AND identity_internal.is_name(w.cr, 512)
      AND NOT EXISTS (SELECT FROM identity.resource_containers AS c
                      WHERE c.realm = $1 AND c.resource_type = w.t AND c.resource = w.r AND c.container_type = w.ct AND c.container = w.cr)
    ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_write_containers(text, text[], text[], text[], text[], text[], text[]) IS
'Internal: makes what stands in what in Keycloak so in the realm';

-- Scopes of a later version of Keycloak stand by themselves, so that what a permission on them denies is denied.
CREATE FUNCTION identity_internal.keycloak_types(realm text, group_walk text, quirks boolean, permissions jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity.add_keycloak_types(realm, group_walk, quirks);
    PERFORM identity.add_resource_type(realm, u.resource_type, u.scopes) FROM (
        SELECT p.resource_type, array_agg(DISTINCT s) AS scopes
        FROM jsonb_to_recordset(permissions) AS p (resource_type text, scopes text[]) CROSS JOIN LATERAL unnest(p.scopes) AS s
        JOIN identity.resource_types AS t ON t.realm = $1 AND t.name = p.resource_type
        WHERE p.resource_type = ANY ('{clients,groups,roles,users,organizations}') AND identity_internal.is_name(s) AND s <> ALL (t.scopes)
        GROUP BY p.resource_type) AS u;
    IF FOUND THEN
        PERFORM identity_internal.keycloak_quirks(realm, quirks AND group_walk <> 'version1');
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_types(text, text, boolean, jsonb) IS 'Internal: the resource types of Keycloak, with all scopes that its permissions name';

CREATE FUNCTION identity_internal.keycloak_import(realm text, schema text, group_walk text, keycloak_realm text, time_zone text, quirks boolean)
RETURNS TABLE (kind text, name text, rows bigint, outcome text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    source record;
    names jsonb;
    converted jsonb;
    permissions jsonb;
    policy_rows jsonb;
    permission_rows jsonb;
    wrote_policies record;
    wrote_members record;
    old_policies record;
    had text[];
    deleted text[];
    added text[];
    zone CONSTANT text := CASE WHEN octet_length(time_zone) <= 255 THEN lower(time_zone) END;
BEGIN
    PERFORM identity_internal.lock_realm(realm);
    IF NOT EXISTS (SELECT FROM pg_timezone_names AS z WHERE lower(z.name) = zone) THEN
        RAISE EXCEPTION 'unknown time zone: "%"', COALESCE(identity_internal.shown(time_zone), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the name of the time zone of Keycloak''s server; pg_timezone_names has them.';
    END IF;
    SELECT * INTO source FROM identity_internal.keycloak_read(schema, keycloak_realm, group_walk IS NOT DISTINCT FROM 'version1');
    names := identity_internal.keycloak_names(realm, source.policies);
    converted := identity_internal.keycloak_converted(source.policies, names, source.clients, source.client_scopes, source.roles, time_zone);
    permissions := identity_internal.keycloak_permissions(source.policies, converted, names);
    PERFORM identity_internal.keycloak_types(realm, group_walk, quirks, permissions);
    policy_rows := identity_internal.keycloak_policy_rows(converted, permissions, names, group_walk);
    permission_rows := identity_internal.keycloak_permission_rows(realm, permissions, source.admin_role, group_walk);
    had := ARRAY(SELECT DISTINCT p.origin::text FROM identity.permissions AS p WHERE p.realm = $1 AND p.origin LIKE 'keycloak/%');
    deleted := identity_internal.keycloak_delete_permissions(realm, permission_rows);
    SELECT * INTO wrote_policies FROM identity_internal.keycloak_add_policies(realm, policy_rows);
    added := identity_internal.keycloak_add_permissions(realm, permission_rows);
    SELECT * INTO old_policies FROM identity_internal.keycloak_delete_policies(realm, policy_rows);
    SELECT * INTO wrote_members FROM identity_internal.keycloak_write_members(realm, source.member, source.container);
    PERFORM identity_internal.keycloak_write_containers(realm, source.what, source.member, source.container, source.client_role, source.role_client, source.admin_role);
    RETURN QUERY SELECT 'realm', source.name, 0::bigint, source.problem WHERE source.problem IS NOT NULL;
    RETURN QUERY
    SELECT 'policy', c.name, c.imported::int::bigint,
           CASE WHEN NOT c.imported THEN 'not imported, and what needs it never permits: ' || c.problem
                WHEN u.id IS NOT NULL THEN 'imported, changed'
                WHEN n.id IS NOT NULL THEN 'imported, new' ELSE 'imported' END
    FROM jsonb_to_recordset(converted) AS c (id text, name text, imported boolean, problem text)
    LEFT JOIN unnest(wrote_policies.changed) AS u (id) ON u.id = c.id LEFT JOIN unnest(wrote_policies.added) AS n (id) ON n.id = c.id
    ORDER BY c.name COLLATE "C", c.id COLLATE "C";
    RETURN QUERY SELECT r.* FROM identity_internal.keycloak_permission_report(realm, permissions, permission_rows, wrote_policies.changed, had, added, deleted) AS r;
    RETURN QUERY
    SELECT 'policy', k, 0::bigint, 'no longer in Keycloak, but kept, as one of your own: what you have written needs it' FROM unnest(old_policies.kept) AS k ORDER BY k COLLATE "C";
    RETURN QUERY
    SELECT 'policy', regexp_replace(k, '^keycloak/policy(-id)?/', ''), 0::bigint, 'removed: no longer in Keycloak'
    FROM unnest(old_policies.deleted) AS k WHERE k ~ '^keycloak/policy(-id)?/' ORDER BY k COLLATE "C";
    RETURN QUERY
    SELECT 'membership', f.what, count(*), CASE WHEN f.ok THEN 'imported' ELSE 'not imported: a name has more than 512 bytes' END
    FROM (SELECT w.what, identity_internal.is_subject(w.member) AND identity_internal.is_subject(w.container) AS ok
          FROM unnest(source.what, source.member, source.container) AS w (what, member, container)) AS f
    GROUP BY f.what, f.ok ORDER BY f.what COLLATE "C", f.ok DESC;
    RETURN QUERY
    SELECT 'membership', t, 0::bigint, format('not read: there is no table "%s", so that members whom another directory keeps are missing', t)
    FROM unnest('{fed_user_group_membership,fed_user_role_mapping}'::text[]) AS t WHERE to_regclass(format('%I.%I', schema, t)) IS NULL;
    RETURN QUERY SELECT 'membership', 'all', wrote_members.added, 'new since the last import' WHERE wrote_members.added > 0;
    RETURN QUERY SELECT 'membership', 'all', wrote_members.removed, 'removed: no longer in Keycloak' WHERE wrote_members.removed > 0;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_import(text, text, text, text, text, boolean) IS 'Internal: identity.import_keycloak(), without a dry run';

CREATE FUNCTION identity_internal.keycloak_permission_report(realm text, permissions jsonb, permission_rows jsonb, changed_policies text[], had text[], added text[], deleted text[])
RETURNS TABLE (kind text, name text, rows bigint, outcome text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
    WITH permission AS MATERIALIZED (
        SELECT p.* FROM jsonb_to_recordset(permissions) AS p (id text, name text, origin text, resource_type text, n int, known boolean, problem text, scopes text[], resources text[])
    ), written AS MATERIALIZED (
        SELECT w.origin, count(*) AS n FROM jsonb_to_recordset(permission_rows) AS w (origin text) GROUP BY w.origin
    )
    SELECT 'permission', p.name, COALESCE(w.n, 0),
           CASE WHEN t.name IS NULL THEN format('not imported: there is no resource type "%s"', identity_internal.shown(p.resource_type))
                WHEN cardinality(p.resources) = 0 THEN 'not imported: it is about no resource'
                WHEN p.n = 0 THEN 'ignored, as Keycloak ignores it: it has no policy'
                WHEN NOT p.known THEN 'permits nobody: ' || p.problem
                WHEN EXISTS (SELECT FROM unnest(p.resources) AS r WHERE NOT identity_internal.is_name(r, 512)) THEN 'imported without resources whose names have more than 512 bytes'
                WHEN h.origin IS NULL AND a.origin IS NOT NULL THEN 'imported, new'
                WHEN a.origin IS NOT NULL OR d.origin IS NOT NULL OR c.id IS NOT NULL THEN 'imported, changed' ELSE 'imported' END
    FROM permission AS p LEFT JOIN identity.resource_types AS t ON t.realm = $1 AND t.name = p.resource_type LEFT JOIN written AS w ON w.origin = p.origin
    LEFT JOIN unnest(had) AS h (origin) ON h.origin = p.origin LEFT JOIN unnest(added) AS a (origin) ON a.origin = p.origin
    LEFT JOIN unnest(deleted) AS d (origin) ON d.origin = p.origin LEFT JOIN unnest(changed_policies) AS c (id) ON c.id = p.id
    UNION ALL
    SELECT 'permission', regexp_replace(o, '^keycloak/permission(-id)?/', ''), 0, 'removed: no longer in Keycloak'
    FROM unnest(deleted) AS o WHERE o LIKE 'keycloak/permission%' AND NOT EXISTS (SELECT FROM permission AS p WHERE p.origin = o)
    ORDER BY 2, 4
$$;
COMMENT ON FUNCTION identity_internal.keycloak_permission_report(text, jsonb, jsonb, text[], text[], text[], text[]) IS 'Internal: what became of each permission of Keycloak';

-- A dry run imports, and takes it back. Whoever stands in the same named groups, roles and names of permissions and policies has
-- the same answers: so one of each such class is asked everything, before and after.

-- Who is named, or stands in what is named, and in what.
CREATE FUNCTION identity_internal.keycloak_askers(realm text) RETURNS TABLE (asker text, stands text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
    WITH RECURSIVE named (subject) AS MATERIALIZED (
        SELECT p.subject::text FROM identity.permissions AS p WHERE p.realm = $1 AND p.subject <> '*'
        UNION
        SELECT s FROM identity.policies AS p CROSS JOIN LATERAL jsonb_array_elements_text(COALESCE(p.config -> 'any', '[]') || COALESCE(p.config -> 'all', '[]')) AS s
        WHERE p.realm = $1 AND p.kind = 'subject'
    ), within (member, named) AS (
        SELECT n.subject, n.subject FROM named AS n
        UNION
        SELECT m.member::text, w.named FROM within AS w JOIN identity.members AS m ON m.realm = $1 AND m.container = w.member)
    SELECT w.member, md5(array_agg(ARRAY[w.named, (m.member IS NOT NULL)::text] ORDER BY w.named COLLATE "C")::text)
    FROM within AS w LEFT JOIN identity.members AS m ON m.realm = $1 AND m.member = w.member AND m.container = w.named
    WHERE w.member ~ '^(user|client):' GROUP BY w.member
$$;
COMMENT ON FUNCTION identity_internal.keycloak_askers(text) IS 'Internal: users and clients whose answers can differ from those of anybody else; those whose stands are equal have the same';

-- Every answer that somebody has about a scope: on the type itself, on any resource, and on which the other way round.
CREATE FUNCTION identity_internal.keycloak_answers(realm text, asker text, resource_type text, scope text, OUT on_type boolean, OUT on_others boolean, OUT but text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most CONSTANT int := 100000;
    page text[];
    last text;
    wrong_way bigint;
    n bigint;
BEGIN
    on_type := identity.check_permission(realm, asker, scope, resource_type);
    -- Few may do something on all but some: their lists are read again, with what they may not.
    FOREACH on_others IN ARRAY '{false,true}'::boolean[] LOOP
        but := '{}';
        last := NULL;
        LOOP
            SELECT array_agg(r.resource ORDER BY r.resource COLLATE "C") FILTER (WHERE r.resource IS NOT NULL AND r.permitted <> on_others), max(r.resource COLLATE "C"),
                   count(*) FILTER (WHERE r.resource IS NULL AND r.permitted <> on_others), count(*)
            INTO page, last, wrong_way, n
            FROM identity.permitted_resources(realm, asker, scope, resource_type, last, most, only_permitted => NOT on_others) AS r;
            but := but || page;
            EXIT WHEN wrong_way > 0 OR n < most;
        END LOOP;
        EXIT WHEN wrong_way = 0;
    END LOOP;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_answers(text, text, text, text) IS 'Internal: all answers that a subject has about a scope';

-- One for each class, for those of whom nobody is named.
CREATE FUNCTION identity_internal.keycloak_digests(realm text, askers jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE permitted (resource_type, scope) AS (
        SELECT DISTINCT p.resource_type, p.scope FROM identity.permissions AS p WHERE p.realm = $1 AND p.effect = 'allow'
        UNION
        SELECT i.resource_type, i.scope FROM permitted AS p JOIN identity.implied_scopes AS i ON i.realm = $1 AND i.by_type = p.resource_type AND i.by_scope = p.scope AND i.carries IN ('both', 'permits'))
    SELECT COALESCE(jsonb_agg(jsonb_build_object('stands', a.stands, 'asker', a.asker, 'resource_type', t.resource_type, 'scope', t.scope, 'digest', md5(ROW (x.on_type, x.on_others, x.but)::text),
        'answer', CASE WHEN cardinality(x.but) <= 50 THEN jsonb_build_object('on_type', x.on_type, 'on_others', x.on_others, 'but', x.but) END)), '[]')
    FROM (SELECT k.stands, min(k.asker) AS asker FROM jsonb_to_recordset(askers) AS k (asker text, stands text) GROUP BY k.stands
          UNION ALL SELECT '', 'user:' || gen_random_uuid()) AS a
    CROSS JOIN permitted AS t CROSS JOIN LATERAL identity_internal.keycloak_answers($1, a.asker, t.resource_type, t.scope) AS x
    WHERE (x.on_type OR x.on_others OR x.but <> '{}')
$$;
COMMENT ON FUNCTION identity_internal.keycloak_digests(text, jsonb) IS 'Internal: for each class of askers and each scope, a digest of all answers, where any permits; and the answers, where they are few';

-- What differs: of which class before and after, about which scope.
CREATE FUNCTION identity_internal.keycloak_differing(askers_then jsonb, askers_now jsonb, digests_then jsonb, digests_now jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
    WITH moves AS MATERIALIZED (
        SELECT DISTINCT COALESCE(b.stands, '') AS stood, COALESCE(a.stands, '') AS stands
        FROM jsonb_to_recordset(askers_then) AS b (asker text, stands text) FULL JOIN jsonb_to_recordset(askers_now) AS a (asker text, stands text) ON a.asker = b.asker
        UNION SELECT '', ''
    ), was AS MATERIALIZED (
        SELECT m.stood, m.stands, d.asker, d.resource_type, d.scope, d.digest
        FROM moves AS m JOIN jsonb_to_recordset(digests_then) AS d (stands text, asker text, resource_type text, scope text, digest text) ON d.stands = m.stood
    ), is_now AS MATERIALIZED (
        SELECT m.stood, m.stands, d.asker, d.resource_type, d.scope, d.digest
        FROM moves AS m JOIN jsonb_to_recordset(digests_now) AS d (stands text, asker text, resource_type text, scope text, digest text) ON d.stands = m.stands)
    SELECT COALESCE(jsonb_agg(jsonb_build_object('stood', stood, 'stands', stands, 'resource_type', resource_type, 'scope', scope, 'asked_then', w.asker, 'asked_now', n.asker)), '[]')
    FROM was AS w FULL JOIN is_now AS n USING (stood, stands, resource_type, scope)
    WHERE w.digest IS DISTINCT FROM n.digest
$$;
COMMENT ON FUNCTION identity_internal.keycloak_differing(jsonb, jsonb, jsonb, jsonb) IS 'Internal: classes of askers and scopes about which an answer differs';

CREATE FUNCTION identity_internal.keycloak_asked(realm text, differing jsonb, digests jsonb, which text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
    WITH asked AS MATERIALIZED (
        SELECT DISTINCT d.e ->> which AS asker, d.e ->> 'resource_type' AS resource_type, d.e ->> 'scope' AS scope
        FROM jsonb_array_elements(differing) AS d (e) WHERE d.e ->> which IS NOT NULL
    ), known AS MATERIALIZED (
        SELECT q.asker, q.resource_type, q.scope, k.answer
        FROM asked AS q
        LEFT JOIN jsonb_to_recordset(digests) AS k (asker text, resource_type text, scope text, answer jsonb)
            ON k.asker = q.asker AND k.resource_type = q.resource_type AND k.scope = q.scope
    ), answered AS (
        SELECT k.asker, k.resource_type, k.scope, k.answer FROM known AS k WHERE jsonb_typeof(k.answer) = 'object'
        UNION ALL
        SELECT k.asker, k.resource_type, k.scope, jsonb_build_object('on_type', x.on_type, 'on_others', x.on_others, 'but', x.but)
        FROM (SELECT * FROM known WHERE (jsonb_typeof(answer) = 'object') IS NOT TRUE OFFSET 0) AS k
        CROSS JOIN LATERAL identity_internal.keycloak_answers($1, k.asker, k.resource_type, k.scope) AS x)
    SELECT COALESCE(jsonb_agg(jsonb_build_object('asker', a.asker, 'resource_type', a.resource_type, 'scope', a.scope) || a.answer), '[]') FROM answered AS a
$$;
COMMENT ON FUNCTION identity_internal.keycloak_asked(text, jsonb, jsonb, text) IS 'Internal: the answers that differ, as they were found or as they are now';

-- What decides about everybody: where it is the same, no answer differs.
CREATE FUNCTION identity_internal.keycloak_state(realm text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
    SELECT md5(concat(
        (SELECT md5(string_agg(md5(ROW (t.name, t.scopes, t.combining)::text), '' ORDER BY t.name)) FROM identity.resource_types AS t WHERE t.realm = $1), '/',
        (SELECT md5(string_agg(md5(i::text), '' ORDER BY md5(i::text))) FROM identity.implied_scopes AS i WHERE i.realm = $1), '/',
        (SELECT md5(string_agg(md5(ROW (m.member, m.container)::text), '' ORDER BY md5(ROW (m.member, m.container)::text))) FROM identity.members AS m WHERE m.realm = $1), '/',
        (SELECT md5(string_agg(x.d, '' ORDER BY x.d)) FROM (SELECT md5(ROW (c.resource_type, c.resource, c.container_type, c.container)::text) AS d FROM identity.resource_containers AS c WHERE c.realm = $1) AS x), '/',
        (SELECT md5(string_agg(x.d, '' ORDER BY x.d)) FROM (SELECT md5(ROW (p.name, p.kind, p.config, p.negate)::text) AS d FROM identity.policies AS p WHERE p.realm = $1) AS x), '/',
        (SELECT md5(string_agg(x.d, '' ORDER BY x.d)) FROM (SELECT md5(ROW (p.subject, p.resource_type, p.resource, p.scope, p.effect, p.policy, p.origin)::text) AS d FROM identity.permissions AS p WHERE p.realm = $1) AS x)))
$$;
COMMENT ON FUNCTION identity_internal.keycloak_state(text) IS 'Internal: a digest of all that the permissions of a realm consist of';

-- The difference of two answers in words. A change of all but some is one of the type's other resources.
CREATE FUNCTION identity_internal.keycloak_change(resource_type text, scope text, type_then boolean, others_then boolean, but_then text[], type_now boolean, others_now boolean, but_now text[])
RETURNS TABLE (gained boolean, resources bigint, what text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH named AS MATERIALIZED (
        SELECT r, others_then <> (b.r IS NOT NULL) AS was, others_now <> (n.r IS NOT NULL) AS is_now
        FROM unnest(but_then) AS b (r) FULL JOIN unnest(but_now) AS n (r) USING (r)
    ), others AS (
        SELECT CASE WHEN others_then <> others_now THEN others_now END AS gained
    ), spoken AS (
        SELECT o.gained, NULL::bigint AS resources, count(n.r) AS n, array_agg(n.r ORDER BY n.r COLLATE "C") FILTER (WHERE n.r IS NOT NULL) AS list, true AS is_all
        FROM others AS o LEFT JOIN named AS n ON n.was = n.is_now OR n.is_now <> o.gained WHERE o.gained IS NOT NULL GROUP BY o.gained
        UNION ALL
        SELECT n.is_now, count(*), count(*), array_agg(n.r ORDER BY n.r COLLATE "C"), false
        FROM named AS n CROSS JOIN others AS o WHERE n.was <> n.is_now AND n.is_now IS DISTINCT FROM o.gained GROUP BY n.is_now)
    SELECT s.gained, s.resources,
           format('%s on %s%s', scope, CASE WHEN s.is_all THEN 'all ' || resource_type || CASE WHEN s.n > 0 THEN ' but ' ELSE '' END ELSE resource_type || ' ' END,
                  array_to_string(s.list[:20], ', ') || CASE WHEN s.n > 20 THEN format(' and %s more', s.n - 20) ELSE '' END)
    FROM spoken AS s
    UNION ALL
    SELECT type_now, NULL, format('%s on the type %s', scope, resource_type) WHERE type_then <> type_now
$$;
COMMENT ON FUNCTION identity_internal.keycloak_change(text, text, boolean, boolean, text[], boolean, boolean, text[]) IS 'Internal: what two answers differ in';

CREATE FUNCTION identity.import_keycloak(
    realm text, schema text, group_walk text, keycloak_realm text = NULL, time_zone text = 'UTC', quirks boolean = true, dry_run boolean = false)
RETURNS TABLE (kind text, name text, rows bigint, outcome text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    report jsonb;
    state text;
    differs boolean := true;
    askers_then jsonb;
    askers_now jsonb;
    digests_then jsonb;
    digests_now jsonb;
    differing jsonb := '[]';
    answers_then jsonb;
    answers_now jsonb;
BEGIN
    PERFORM identity_internal.check_realm(realm);
    IF dry_run IS NULL THEN
        RAISE EXCEPTION 'dry_run is NULL' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give true or false.';
    END IF;
    IF NOT dry_run THEN
        RETURN QUERY SELECT i.* FROM identity_internal.keycloak_import(realm, schema, group_walk, keycloak_realm, time_zone, quirks) AS i;
        RETURN;
    END IF;
    PERFORM identity_internal.lock_realm(realm);
    -- To ask everything takes longer than to import: where something is permitted, it is seen first whether anything would differ.
    IF EXISTS (SELECT FROM identity.permissions AS p WHERE p.realm = import_keycloak.realm AND p.effect = 'allow') THEN
        state := identity_internal.keycloak_state(realm);
        BEGIN
            report := (SELECT COALESCE(jsonb_agg(to_jsonb(i)), '[]') FROM identity_internal.keycloak_import(realm, schema, group_walk, keycloak_realm, time_zone, quirks) AS i);
            differs := identity_internal.keycloak_state(realm) <> state;
            RAISE EXCEPTION 'a dry run takes back what it has done' USING ERRCODE = 'IDDRY';
        EXCEPTION WHEN SQLSTATE 'IDDRY' THEN
            NULL;
        END;
    END IF;
    IF differs THEN
        askers_then := (SELECT COALESCE(jsonb_agg(to_jsonb(a)), '[]') FROM identity_internal.keycloak_askers(realm) AS a);
        digests_then := identity_internal.keycloak_digests(realm, askers_then);
        BEGIN
            report := (SELECT COALESCE(jsonb_agg(to_jsonb(i)), '[]') FROM identity_internal.keycloak_import(realm, schema, group_walk, keycloak_realm, time_zone, quirks) AS i);
            askers_now := (SELECT COALESCE(jsonb_agg(to_jsonb(a)), '[]') FROM identity_internal.keycloak_askers(realm) AS a);
            digests_now := identity_internal.keycloak_digests(realm, askers_now);
            differing := identity_internal.keycloak_differing(askers_then, askers_now, digests_then, digests_now);
            answers_now := identity_internal.keycloak_asked(realm, differing, digests_now, 'asked_now');
            RAISE EXCEPTION 'a dry run takes back what it has done' USING ERRCODE = 'IDDRY';
        EXCEPTION WHEN SQLSTATE 'IDDRY' THEN
            NULL;
        END;
        answers_then := identity_internal.keycloak_asked(realm, differing, digests_then, 'asked_then');
    END IF;
    RETURN QUERY SELECT r.* FROM jsonb_to_recordset(report) AS r (kind text, name text, rows bigint, outcome text);
    RETURN QUERY SELECT g.* FROM identity_internal.keycloak_gains(askers_then, askers_now, differing, answers_then, answers_now) AS g;
END
$$;
COMMENT ON FUNCTION identity.import_keycloak(text, text, text, text, text, boolean, boolean) IS
'Reads the fine-grained admin permissions of a realm of Keycloak from the tables of its database, with who is in which group and role, and replaces what an earlier import has written. What was written by hand stays. Subjects and resources are named by Keycloak''s ids: user:ID, group:ID, role:ID.
schema: that of Keycloak''s tables. group_walk, quirks: as identity.add_keycloak_types(); with version1 the permissions of version 1 of the feature are read, which are on the client realm-management. keycloak_realm: the name of the realm, where several have admin permissions. time_zone: that of Keycloak''s server, for time policies.
dry_run: nothing stays written; rows of kind gains and loses say which users and clients would be permitted more and less than now, asked without a context, and * for whoever is not named, nor in a group or role that is; rows is the number of resources, NULL for all.
Returns a row for each policy, permission and kind of membership, with what became of it. What has no counterpart (JavaScript, look-around in a regular expression) never permits. A policy on clients asks for client_id in the context, one on client scopes for client_scopes, by their names.
Errors: 42704 no such realm, 42P01 no such schema or table, 22023 no admin permissions, or several realms, or a bad argument.';

CREATE FUNCTION identity_internal.keycloak_gains(askers_then jsonb, askers_now jsonb, differing jsonb, answers_then jsonb, answers_now jsonb)
RETURNS TABLE (kind text, name text, rows bigint, outcome text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
    WITH asker AS MATERIALIZED (
        SELECT asker, COALESCE(b.stands, '') AS stood, COALESCE(a.stands, '') AS stands
        FROM jsonb_to_recordset(askers_then) AS b (asker text, stands text) FULL JOIN jsonb_to_recordset(askers_now) AS a (asker text, stands text) USING (asker)
        UNION ALL SELECT '*', '', ''
    ), differs AS MATERIALIZED (
        SELECT d.* FROM jsonb_to_recordset(differing) AS d (stood text, stands text, resource_type text, scope text, asked_then text, asked_now text)
    ), change AS MATERIALIZED (
        SELECT d.stood, d.stands, d.resource_type, c.*
        FROM differs AS d
        LEFT JOIN jsonb_to_recordset(answers_then) AS b (asker text, resource_type text, scope text, on_type boolean, on_others boolean, but text[])
            ON b.asker = d.asked_then AND b.resource_type = d.resource_type AND b.scope = d.scope
        LEFT JOIN jsonb_to_recordset(answers_now) AS n (asker text, resource_type text, scope text, on_type boolean, on_others boolean, but text[])
            ON n.asker = d.asked_now AND n.resource_type = d.resource_type AND n.scope = d.scope
        CROSS JOIN LATERAL identity_internal.keycloak_change(d.resource_type, d.scope, COALESCE(b.on_type, false), COALESCE(b.on_others, false), COALESCE(b.but, '{}'),
            COALESCE(n.on_type, false), COALESCE(n.on_others, false), COALESCE(n.but, '{}')) AS c)
    SELECT CASE WHEN c.gained THEN 'gains' ELSE 'loses' END, a.asker, c.resources,
           CASE WHEN c.gained THEN 'would be permitted ' ELSE 'would no longer be permitted ' END || c.what
    FROM asker AS a JOIN change AS c ON c.stood = a.stood AND c.stands = a.stands
    ORDER BY a.asker COLLATE "C", c.gained, c.what COLLATE "C"
$$;
COMMENT ON FUNCTION identity_internal.keycloak_gains(jsonb, jsonb, jsonb, jsonb, jsonb) IS 'Internal: who would be permitted more and less';
