-- Keycloak's fine-grained admin permissions (version 2), read from the tables of its database.
--
-- A permission of Keycloak grants its scopes where its policies grant, and counts as a deny at its level where they do
-- not. So each becomes rows of one origin: those that allow, to the subjects of its policies where these say whom they
-- are about, and otherwise to everybody under the policy; and one that restricts everybody else.
--
-- Nothing is kept in tables of its own: what was read stands in variables, and the difference to what is there is written.
--
-- Security: the functions run as their caller, who has rights on the tables (level admin), and read Keycloak's with these rights.
-- Where those are views or foreign tables of somebody else's, their functions run with the caller's rights too, as in any query.

CREATE FUNCTION identity.add_keycloak_types(realm text, group_walk text, quirks boolean = true) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rule text;
BEGIN
    IF group_walk IS NULL OR group_walk <> ALL ('{all,uncovered}'::text[]) THEN
        RAISE EXCEPTION 'group_walk is "%"', identity_internal.shown(COALESCE(group_walk, 'NULL'))
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Use all for Keycloak 26.2 to 26.7, where permissions on every group above a user''s count, or uncovered for 26.8, where those on the user''s own group cover them.';
    END IF;
    IF quirks IS NULL THEN
        RAISE EXCEPTION 'quirks is NULL' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give true to deny all that Keycloak denies, or false.';
    END IF;
    rule := CASE group_walk WHEN 'all' THEN 'keycloak' ELSE 'keycloak_uncovered' END;
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
    PERFORM identity.imply_scope(realm, 'users', 'reset-password', 'manage', fallback => true);
    -- To create is to manage the type.
    PERFORM identity.imply_scope(realm, t, 'create', 'manage') FROM unnest('{clients,groups,users,organizations}'::text[]) AS t;
    -- Who may map all roles of a client may map each, whatever is said of the role.
    PERFORM identity.imply_scope(realm, 'roles', s.scope, s.by_scope, 'clients', carries => 'permits') FROM (VALUES
        ('map-role', 'map-roles'),
        ('map-role-client-scope', 'map-roles-client-scope'),
        ('map-role-composite', 'map-roles-composite')) AS s (scope, by_scope);
    IF quirks THEN
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
        WHERE i.realm = $1 AND i.carries IN ('type_denies', 'resource_denies') AND i.resource_type = ANY ('{clients,groups,roles,users,organizations}');
    END IF;
END
$$;
COMMENT ON FUNCTION identity.add_keycloak_types(text, text, boolean) IS
'Adds the resource types of Keycloak''s fine-grained admin permissions (version 2) with all their scopes, and a scope create beside them, which manage implies: clients, groups, roles, users, organizations. They combine their levels as Keycloak does. A user stands in the groups into which identity.add_container() puts him; what is permitted or denied on the members of a group is so on him. reset-password falls back to manage; who may map the roles of a client may map each of them.
group_walk: all, as Keycloak 26.2 to 26.7: permissions on every group above a user''s count; uncovered, as 26.8: those on a farther group count only for scopes that no permission on the user''s own group names.
quirks: what Keycloak denies beyond what its documentation says is denied here, too: a permission on all resources of a type that does not grant denies scopes that it does not name; one on a group denies view and manage of its members.
Errors: 42704 no such realm, 22023 unknown group_walk.';

-- All that is read is read here, in one snapshot: that of the query that calls it.
CREATE FUNCTION identity_internal.keycloak_read(schema text, keycloak_realm text,
    OUT policies jsonb, OUT clients jsonb, OUT client_scopes jsonb, OUT roles jsonb,
    OUT what text[], OUT member text[], OUT container text[], OUT client_role text[], OUT role_client text[], OUT admin_role text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing text;
    servers text[];
    names text[];
    server text;
    realm_id text;
    federated text := '';
BEGIN
    IF schema IS NULL THEN
        RAISE EXCEPTION 'schema is NULL' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the schema that has Keycloak''s tables.';
    END IF;
    IF octet_length(schema) > 63 THEN
        RAISE EXCEPTION 'there is no schema "%"', identity_internal.shown(schema)
            USING ERRCODE = 'undefined_table', HINT = 'Give the schema that has Keycloak''s tables.';
    END IF;
    SELECT t INTO missing
    FROM unnest('{resource_server,resource_server_resource,resource_server_scope,resource_server_policy,policy_config,associated_policy,resource_policy,scope_policy,realm,client,client_scope,keycloak_group,keycloak_role,user_group_membership,user_role_mapping,group_role_mapping,composite_role}'::text[]) AS t
    WHERE to_regclass(format('%I.%I', schema, t)) IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'schema "%" is not that of a Keycloak database', identity_internal.shown(schema)
            USING ERRCODE = 'undefined_table', DETAIL = format('There is no table "%s".', missing),
                  HINT = 'Give the schema that has Keycloak''s tables: restored from a dump, or as foreign tables.';
    END IF;
    EXECUTE format(
        'SELECT array_agg(s.id::text ORDER BY r.name), array_agg(r.name::text ORDER BY r.name), min(r.id::text)
         FROM %1$I.resource_server AS s JOIN %1$I.client AS c ON c.id = s.id JOIN %1$I.realm AS r ON r.id = c.realm_id
         WHERE c.client_id = ''admin-permissions'' AND ($1 IS NULL OR r.name = $1)', schema)
    INTO servers, names, realm_id USING keycloak_realm;
    IF cardinality(servers) > 1 THEN
        RAISE EXCEPTION 'several realms of Keycloak have admin permissions'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('They are %s.', array_to_string(names, ', ')),
                  HINT = 'Say which one: keycloak_realm => its name.';
    END IF;
    IF servers IS NULL THEN
        RAISE EXCEPTION 'no realm with admin permissions was found in schema "%"', schema
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = CASE WHEN keycloak_realm IS NULL THEN 'No realm has a client admin-permissions.'
                                ELSE format('No realm "%s" has a client admin-permissions.', identity_internal.shown(keycloak_realm)) END,
                  HINT = 'Enable admin permissions (version 2 of the feature) in the settings of the realm in Keycloak; permissions of version 1 are not read.';
    END IF;
    server := servers[1];
    EXECUTE format(
        'WITH configs AS MATERIALIZED (
             SELECT c.policy_id::text AS id, jsonb_object_agg(c.name, c.value) AS config FROM %1$I.policy_config AS c GROUP BY 1
         ), parts AS MATERIALIZED (
             SELECT a.policy_id::text AS id, jsonb_agg(a.associated_policy_id::text ORDER BY a.associated_policy_id::text) AS ids FROM %1$I.associated_policy AS a GROUP BY 1
         ), scopes AS MATERIALIZED (
             SELECT x.policy_id::text AS id, jsonb_agg(s.name::text ORDER BY s.name::text) AS names
             FROM %1$I.scope_policy AS x JOIN %1$I.resource_server_scope AS s ON s.id = x.scope_id GROUP BY 1
         ), resources AS MATERIALIZED (
             SELECT x.policy_id::text AS id, jsonb_agg(r.name::text ORDER BY r.name::text) AS names
             FROM %1$I.resource_policy AS x JOIN %1$I.resource_server_resource AS r ON r.id = x.resource_id GROUP BY 1)
         SELECT COALESCE(jsonb_agg(jsonb_build_object(
                    ''id'', p.id::text, ''name'', p.name::text, ''type'', p.type::text,
                    ''strategy'', CASE upper(p.decision_strategy::text) WHEN ''0'' THEN ''affirmative'' WHEN ''2'' THEN ''consensus''
                        WHEN ''AFFIRMATIVE'' THEN ''affirmative'' WHEN ''CONSENSUS'' THEN ''consensus'' ELSE ''unanimous'' END,
                    ''negative'', COALESCE(upper(p.logic::text) IN (''1'', ''NEGATIVE''), false),
                    ''config'', COALESCE(c.config, ''{}''), ''parts'', COALESCE(a.ids, ''[]''),
                    ''scopes'', COALESCE(s.names, ''[]''), ''resources'', COALESCE(r.names, ''[]''))), ''[]'')
         FROM %1$I.resource_server_policy AS p
         LEFT JOIN configs AS c ON c.id = p.id LEFT JOIN parts AS a ON a.id = p.id LEFT JOIN scopes AS s ON s.id = p.id LEFT JOIN resources AS r ON r.id = p.id
         WHERE p.resource_server_id = $1', schema)
    INTO policies USING server;
    EXECUTE format('SELECT COALESCE(jsonb_object_agg(c.id, c.client_id), ''{}'') FROM %I.client AS c WHERE c.realm_id = $1', schema) INTO clients USING realm_id;
    EXECUTE format('SELECT COALESCE(jsonb_object_agg(c.id, c.name), ''{}'') FROM %I.client_scope AS c WHERE c.realm_id = $1', schema) INTO client_scopes USING realm_id;
    EXECUTE format('SELECT COALESCE(jsonb_object_agg(r.id, true), ''{}'') FROM %I.keycloak_role AS r WHERE r.realm_id = $1', schema) INTO roles USING realm_id;
    EXECUTE format(
        'SELECT array_agg(r.id::text), array_agg(r.client::text) FROM %I.keycloak_role AS r WHERE r.realm_id = $1 AND r.client_role', schema)
    INTO client_role, role_client USING realm_id;
    -- The roles that make an administrator, which no permission lets anybody map.
    EXECUTE format(
        'SELECT COALESCE(array_agg(r.id::text), ''{}'') FROM %1$I.keycloak_role AS r LEFT JOIN %1$I.client AS c ON c.id = r.client
         WHERE r.realm_id = $1 AND (c.client_id = ''realm-management'' OR (SELECT k.name FROM %1$I.realm AS k WHERE k.id = $1) = ''master''
               AND (r.name IN (''admin'', ''create-realm'') AND NOT r.client_role OR c.client_id LIKE ''%%-realm''))', schema)
    INTO admin_role USING realm_id;
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
         SELECT array_agg(f.what), array_agg(f.member), array_agg(f.container) FROM found AS f', schema)
    INTO what, member, container USING realm_id;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_read(text, text) IS 'Internal: what the admin permissions of a realm of Keycloak consist of, in the snapshot of the calling query';

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

-- What is written, and what stays. A policy that Keycloak has no longer, but a permission or an aggregate written by
-- hand needs, becomes one written by hand.
CREATE FUNCTION identity_internal.keycloak_write(realm text,
    policy_names text[], policy_kinds text[], policy_documents jsonb[], policy_negates boolean[], rows jsonb,
    members text[], member_containers text[], contained_types text[], contained text[], container_types text[], containers text[],
    OUT kept text[], OUT members_added bigint, OUT members_removed bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    written CONSTANT text[] := ARRAY(SELECT jsonb_array_elements_text(rows -> 'key'));
BEGIN
    DELETE FROM identity.permissions AS p
    WHERE p.realm = $1 AND p.origin IS NOT NULL AND (p.origin = 'keycloak' OR p.origin LIKE 'keycloak/%')
      AND NOT EXISTS (SELECT FROM unnest(written) AS w (key)
                      WHERE w.key = concat_ws(E'\x01', p.subject, p.resource_type, COALESCE(p.resource, ''), p.scope, p.effect, COALESCE(p.policy, ''), p.origin));
    INSERT INTO identity.policies AS p (realm, name, kind, config, negate, origin)
    SELECT $1, w.name, w.kind, w.document, w.negate, 'keycloak'
    FROM unnest(policy_names, policy_kinds, policy_documents, policy_negates) AS w (name, kind, document, negate)
    WHERE NOT EXISTS (SELECT FROM identity.policies AS o WHERE o.realm = $1 AND o.name = w.name AND o.kind = w.kind AND o.config = w.document AND o.negate = w.negate)
    ON CONFLICT ON CONSTRAINT policies_pkey DO UPDATE SET kind = excluded.kind, config = excluded.config, negate = excluded.negate WHERE p.origin = 'keycloak';
    INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope, effect, policy, origin)
    SELECT $1, w.parts[1], w.parts[2], NULLIF(w.parts[3], ''), w.parts[4], w.parts[5], NULLIF(w.parts[6], ''), w.parts[7]
    FROM (SELECT string_to_array(u.key, E'\x01') AS parts, u.key FROM unnest(written) AS u (key)) AS w
    WHERE NOT EXISTS (SELECT FROM identity.permissions AS p
                      WHERE p.realm = $1 AND p.origin IS NOT NULL
                        AND w.key = concat_ws(E'\x01', p.subject, p.resource_type, COALESCE(p.resource, ''), p.scope, p.effect, COALESCE(p.policy, ''), p.origin))
    ON CONFLICT DO NOTHING;
    WITH RECURSIVE obsolete AS MATERIALIZED (
        SELECT p.name, p.config FROM identity.policies AS p
        WHERE p.realm = $1 AND p.origin = 'keycloak' AND NOT EXISTS (SELECT FROM unnest(policy_names) AS w (name) WHERE w.name = p.name)
    ), own_parts AS MATERIALIZED (
        SELECT a.name AS whole, part FROM identity.policies AS a CROSS JOIN LATERAL jsonb_array_elements_text(a.config -> 'policies') AS part
        WHERE a.realm = $1 AND a.origin IS NULL AND a.kind = 'aggregate'
    ), needed AS (
        SELECT o.name, o.config FROM obsolete AS o
        WHERE EXISTS (SELECT FROM identity.permissions AS p WHERE p.realm = $1 AND p.policy = o.name)
           OR EXISTS (SELECT FROM own_parts AS a WHERE a.part = o.name)
        UNION
        SELECT o.name, o.config FROM needed AS n CROSS JOIN LATERAL jsonb_array_elements_text(n.config -> 'policies') AS part JOIN obsolete AS o ON o.name = part
    ), keep AS (
        UPDATE identity.policies AS p SET origin = NULL FROM needed AS n WHERE p.realm = $1 AND p.name = n.name RETURNING p.name)
    SELECT array_agg(k.name::text) INTO kept FROM keep AS k;
    DELETE FROM identity.policies AS p
    WHERE p.realm = $1 AND p.origin = 'keycloak' AND NOT EXISTS (SELECT FROM unnest(policy_names) AS w (name) WHERE w.name = p.name);
    DELETE FROM identity.members AS m
    WHERE m.realm = $1 AND m.origin = 'keycloak'
      AND NOT EXISTS (SELECT FROM unnest(members, member_containers) AS w (member, container) WHERE w.member = m.member AND w.container = m.container);
    GET DIAGNOSTICS members_removed = ROW_COUNT;
    INSERT INTO identity.members (realm, member, container, origin)
    SELECT $1, w.member, w.container, 'keycloak' FROM unnest(members, member_containers) AS w (member, container)
    WHERE NOT EXISTS (SELECT FROM identity.members AS m WHERE m.realm = $1 AND m.member = w.member AND m.container = w.container)
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS members_added = ROW_COUNT;
    DELETE FROM identity.resource_containers AS c
    WHERE c.realm = $1 AND c.origin = 'keycloak'
      AND NOT EXISTS (SELECT FROM unnest(contained_types, contained, container_types, containers) AS w (t, r, ct, cr)
                      WHERE w.t = c.resource_type AND w.r = c.resource AND w.ct = c.container_type AND w.cr = c.container);
    INSERT INTO identity.resource_containers (realm, resource_type, resource, container_type, container, origin)
    SELECT $1, w.t, w.r, w.ct, w.cr, 'keycloak' FROM unnest(contained_types, contained, container_types, containers) AS w (t, r, ct, cr)
    WHERE NOT EXISTS (SELECT FROM identity.resource_containers AS c
                      WHERE c.realm = $1 AND c.resource_type = w.t AND c.resource = w.r AND c.container_type = w.ct AND c.container = w.cr)
    ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_write(text, text[], text[], jsonb[], boolean[], jsonb, text[], text[], text[], text[], text[], text[]) IS
'Internal: writes what differs from what the last import of Keycloak left';

CREATE FUNCTION identity_internal.keycloak_import(realm text, schema text, group_walk text, keycloak_realm text, time_zone text, quirks boolean)
RETURNS TABLE (kind text, name text, rows bigint, outcome text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    source record;
    converted jsonb;
    permissions jsonb;
    names jsonb;
    imported text[];
    policy_names text[];
    policy_kinds text[];
    policy_documents jsonb[];
    policy_negates boolean[];
    written jsonb;
    result record;
    in_groups record;
BEGIN
    PERFORM identity_internal.check_realm(realm);
    SELECT * INTO source FROM identity_internal.keycloak_read(schema, keycloak_realm);
    PERFORM identity_internal.lock_realm(realm);
    PERFORM identity.add_keycloak_types(realm, group_walk, quirks);
    -- The policies: each converted, and named by its name in Keycloak where nobody else has that.
    SELECT COALESCE(jsonb_agg(p.policy || jsonb_build_object('kinds', c.kinds, 'documents', to_jsonb(c.documents), 'subjects', c.subjects, 'exact', c.exact, 'problem', c.problem)), '[]')
    INTO converted
    FROM jsonb_array_elements(source.policies) AS p (policy)
    CROSS JOIN LATERAL identity_internal.keycloak_policy(p.policy, source.clients, source.client_scopes, source.roles, time_zone) AS c
    WHERE p.policy ->> 'type' <> 'scope';
    SELECT COALESCE(jsonb_object_agg(p.id, CASE WHEN octet_length(n.name) > 255 OR EXISTS (
               SELECT FROM identity.policies AS o WHERE o.realm = $1 AND o.name = n.name AND o.origin IS NULL) THEN 'keycloak/policy-id/' || p.id ELSE n.name END), '{}')
    INTO names
    FROM jsonb_to_recordset(source.policies) AS p (id text, name text, type text)
    CROSS JOIN LATERAL (SELECT 'keycloak/' || CASE p.type WHEN 'scope' THEN 'permission/' ELSE 'policy/' END || p.name) AS n (name);
    imported := identity_internal.keycloak_order(
        ARRAY(SELECT c.id FROM jsonb_to_recordset(converted) AS c (id text, problem text) WHERE c.problem IS NULL ORDER BY c.id),
        ARRAY(SELECT c.id FROM jsonb_to_recordset(converted) AS c (id text, type text, parts text[]), unnest(c.parts) AS u (part) WHERE c.type = 'aggregate' ORDER BY c.id, u.part),
        ARRAY(SELECT u.part FROM jsonb_to_recordset(converted) AS c (id text, type text, parts text[]), unnest(c.parts) AS u (part) WHERE c.type = 'aggregate' ORDER BY c.id, u.part));
    -- The permissions: whom each allows, and under which policy.
    WITH permission AS MATERIALIZED (
        SELECT p.* FROM jsonb_to_recordset(source.policies) AS p (id text, name text, type text, strategy text, config jsonb, parts text[], scopes text[], resources text[])
        WHERE p.type = 'scope'
    ), policy AS MATERIALIZED (
        SELECT c.* FROM jsonb_to_recordset(converted) AS c (id text, name text, subjects text[], exact boolean, problem text)
    ), part AS MATERIALIZED (
        SELECT p.id, u.part, c.subjects, c.exact, c.name, i.id IS NOT NULL AS known, COALESCE(cardinality(c.subjects) <= 100, false) AS narrow
        FROM permission AS p CROSS JOIN LATERAL unnest(p.parts) AS u (part)
        LEFT JOIN policy AS c ON c.id = u.part LEFT JOIN unnest(imported) AS i (id) ON i.id = u.part
    ), parts AS MATERIALIZED (
        SELECT a.id, count(*) AS n, bool_and(a.known) AS known, min(COALESCE(a.name, a.part)) FILTER (WHERE NOT a.known) AS unknown,
               bool_and(a.narrow) AS all_narrow, bool_and(a.narrow AND a.exact) AS all_exact,
               (array_agg(a.part ORDER BY cardinality(a.subjects), a.part) FILTER (WHERE a.narrow))[1] AS narrowest
        FROM part AS a GROUP BY a.id
    ), judged AS (
        SELECT p.id, p.name, p.scopes, p.resources, p.strategy, lower(p.config ->> 'defaultResourceType') AS resource_type, p.config ->> 'defaultResourceType' AS whole,
               COALESCE(a.n, 0) AS n, COALESCE(a.known, false) AS known, a.unknown,
               (a.n = 1 OR p.strategy = 'affirmative') AND a.all_exact AS exact,
               CASE WHEN a.n = 1 THEN names ->> p.parts[1] ELSE names ->> p.id END AS holds,
               CASE WHEN a.n = 1 OR p.strategy = 'unanimous' THEN (SELECT x.subjects FROM part AS x WHERE x.id = a.id AND x.part = a.narrowest)
                    WHEN p.strategy = 'affirmative' AND a.all_narrow THEN ARRAY(SELECT DISTINCT s FROM part AS x, unnest(x.subjects) AS s WHERE x.id = a.id) END AS subjects,
               to_jsonb(ARRAY(SELECT names ->> x.part FROM part AS x WHERE x.id = p.id ORDER BY x.part)) AS part_names,
               CASE WHEN octet_length(p.name) <= 240 THEN 'keycloak/' || p.name ELSE 'keycloak/' || p.id END AS origin
        FROM permission AS p LEFT JOIN parts AS a ON a.id = p.id)
    SELECT COALESCE(jsonb_agg(to_jsonb(j)), '[]') INTO permissions FROM judged AS j;
    WITH policy AS (
        SELECT c.id, k.n, k.kind, c.documents -> (k.n::int - 1) AS document, k.n = cardinality(c.kinds) AS is_last, c.negative, c.type, c.parts
        FROM jsonb_to_recordset(converted) AS c (id text, type text, kinds text[], documents jsonb, negative boolean, parts text[])
        JOIN unnest(imported) AS i (id) ON i.id = c.id CROSS JOIN LATERAL unnest(c.kinds) WITH ORDINALITY AS k (kind, n)
    ), wanted (name, kind, document, negate) AS (
        SELECT CASE WHEN p.is_last THEN names ->> p.id ELSE 'keycloak/part/' || p.id || '/' || p.n END, p.kind,
               CASE WHEN p.type = 'aggregate' AND p.kind = 'aggregate'
                    THEN jsonb_set(p.document, '{policies}', (SELECT jsonb_agg(names -> u.part ORDER BY u.part) FROM unnest(p.parts) AS u (part))) ELSE p.document END,
               p.is_last AND p.negative
        FROM policy AS p
        UNION ALL
        SELECT p.holds, 'aggregate', jsonb_build_object('strategy', p.strategy, 'policies', p.part_names), false
        FROM jsonb_to_recordset(permissions) AS p (holds text, strategy text, part_names jsonb, n int, known boolean, exact boolean)
        WHERE p.n > 1 AND p.known AND NOT p.exact
        UNION ALL
        SELECT 'keycloak/nobody', 'subject', '{"any": []}', false WHERE group_walk = 'uncovered')
    SELECT array_agg(w.name), array_agg(w.kind), array_agg(w.document), array_agg(w.negate) INTO policy_names, policy_kinds, policy_documents, policy_negates FROM wanted AS w;
    WITH permission AS MATERIALIZED (
        SELECT p.origin, p.resource_type, p.n, p.known, p.exact, p.holds, p.subjects, CASE WHEN r = p.whole THEN '' ELSE r END AS resource, s AS scope
        FROM jsonb_to_recordset(permissions) AS p (origin text, resource_type text, whole text, n int, known boolean, exact boolean, holds text,
                                                   subjects text[], scopes text[], resources text[])
        JOIN identity.resource_types AS t ON t.realm = $1 AND t.name = p.resource_type
        CROSS JOIN LATERAL unnest(p.resources) AS r CROSS JOIN LATERAL unnest(p.scopes) AS s
        WHERE s = ANY (t.scopes) AND octet_length(r) BETWEEN 1 AND 512
    ), wanted (subject, resource_type, resource, scope, effect, policy, origin) AS (
        SELECT '*', p.resource_type, p.resource, p.scope, 'restrict', '', p.origin FROM permission AS p WHERE p.n > 0
        UNION
        SELECT COALESCE(s, '*'), p.resource_type, p.resource, p.scope, 'allow', CASE WHEN p.exact THEN '' ELSE p.holds END, p.origin
        FROM permission AS p LEFT JOIN LATERAL unnest(p.subjects) AS s ON true
        WHERE p.known AND (p.subjects IS NULL OR identity_internal.is_subject(s))
        UNION
        -- One without a policy says nothing, but on a user's own group it covers those farther up.
        SELECT '*', p.resource_type, p.resource, p.scope, 'allow', 'keycloak/nobody', p.origin
        FROM permission AS p WHERE p.n = 0 AND p.resource_type = 'groups' AND p.resource <> '' AND group_walk = 'uncovered'
        UNION
        SELECT '*', 'roles', a.id, s, 'restrict', '', 'keycloak'
        FROM unnest(source.admin_role) AS a (id) CROSS JOIN unnest('{map-role,map-role-composite}'::text[]) AS s)
    SELECT jsonb_build_object('key', COALESCE(jsonb_agg(concat_ws(E'\x01', w.subject, w.resource_type, w.resource, w.scope, w.effect, w.policy, w.origin)), '[]'))
    INTO written FROM wanted AS w;
    SELECT array_agg(c.t) AS t, array_agg(c.r) AS r, array_agg(c.ct) AS ct, array_agg(c.cr) AS cr INTO in_groups FROM (
        SELECT CASE f.what WHEN 'members of groups' THEN 'users' ELSE 'groups' END, substr(f.member, strpos(f.member, ':') + 1), 'groups', substr(f.container, 7)
        FROM unnest(source.what, source.member, source.container) AS f (what, member, container) WHERE f.what IN ('members of groups', 'groups in groups')
        UNION
        SELECT 'roles', f.id, 'clients', f.client FROM unnest(source.client_role, source.role_client) AS f (id, client)
        WHERE f.client IS NOT NULL AND NOT EXISTS (SELECT FROM unnest(source.admin_role) AS a (id) WHERE a.id = f.id)) AS c (t, r, ct, cr);
    SELECT * INTO result FROM identity_internal.keycloak_write(realm, policy_names, policy_kinds, policy_documents, policy_negates, written,
        source.member, source.container, in_groups.t, in_groups.r, in_groups.ct, in_groups.cr);
    RETURN QUERY
    SELECT 'policy', c.name, CASE WHEN i.id IS NULL THEN 0 ELSE 1 END::bigint,
           CASE WHEN i.id IS NOT NULL THEN 'imported'
                ELSE 'not imported, and what needs it never permits: ' || COALESCE(c.problem, 'it is made of a policy that is not imported') END
    FROM jsonb_to_recordset(converted) AS c (id text, name text, problem text) LEFT JOIN unnest(imported) AS i (id) ON i.id = c.id ORDER BY c.name COLLATE "C";
    RETURN QUERY
    SELECT 'permission', p.name, COALESCE(w.n, 0),
           CASE WHEN t.name IS NULL THEN format('not imported: there is no resource type "%s"', identity_internal.shown(p.resource_type))
                WHEN cardinality(p.resources) = 0 THEN 'not imported: it is about no resource'
                WHEN p.n = 0 THEN 'ignored, as Keycloak ignores it: it has no policy'
                WHEN u.unknown IS NOT NULL THEN format('imported without the scope "%s", which type "%s" has not', identity_internal.shown(u.unknown), p.resource_type)
                WHEN NOT p.known THEN format('permits nobody: policy "%s" is not imported', identity_internal.shown(p.unknown))
                ELSE 'imported' END
    FROM jsonb_to_recordset(permissions) AS p (name text, origin text, resource_type text, n int, known boolean, unknown text, scopes text[], resources text[])
    LEFT JOIN identity.resource_types AS t ON t.realm = $1 AND t.name = p.resource_type
    LEFT JOIN LATERAL (SELECT min(s) AS unknown FROM unnest(p.scopes) AS s WHERE s <> ALL (t.scopes)) AS u ON true
    LEFT JOIN (SELECT split_part(x.key, E'\x01', 7) AS origin, count(*) AS n FROM jsonb_array_elements_text(written -> 'key') AS x (key) GROUP BY 1) AS w ON w.origin = p.origin
    ORDER BY p.name COLLATE "C";
    RETURN QUERY
    SELECT 'membership', f.what, count(*), 'imported' FROM unnest(source.what) AS f (what) GROUP BY f.what ORDER BY f.what COLLATE "C";
    RETURN QUERY SELECT 'membership', 'all', result.members_added, 'new since the last import' WHERE result.members_added > 0;
    RETURN QUERY SELECT 'membership', 'all', result.members_removed, 'removed: no longer in Keycloak' WHERE result.members_removed > 0;
    RETURN QUERY
    SELECT 'policy', k, 0::bigint, 'no longer in Keycloak, but kept, as one of your own: what you have written needs it' FROM unnest(result.kept) AS k ORDER BY k COLLATE "C";
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_import(text, text, text, text, text, boolean) IS 'Internal: identity.import_keycloak(), without a dry run';

-- A dry run imports, notes what has changed, takes it back, and asks who may do more or less than before: those whom the
-- changed permissions, policies and memberships name, about what they name.
CREATE FUNCTION identity_internal.keycloak_state(realm text, OUT permissions jsonb, OUT policies jsonb, OUT members jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (SELECT COALESCE(jsonb_agg(jsonb_build_array(p.subject, p.resource_type, p.resource, p.scope, p.effect, p.policy, p.origin)), '[]') FROM identity.permissions AS p
            WHERE p.realm = $1 AND (p.policy IS NOT NULL OR p.origin IS NOT NULL)),
           (SELECT COALESCE(jsonb_agg(jsonb_build_array(p.name, p.kind, p.config, p.negate)), '[]') FROM identity.policies AS p WHERE p.realm = $1),
           (SELECT COALESCE(jsonb_agg(jsonb_build_array(m.member, m.container)), '[]') FROM identity.members AS m WHERE m.realm = $1)
$$;
COMMENT ON FUNCTION identity_internal.keycloak_state(text) IS 'Internal: what an import of Keycloak can change';

CREATE FUNCTION identity_internal.keycloak_asked(realm text, was jsonb, is_now jsonb, OUT subject text, OUT resource_type text, OUT resource text, OUT scope text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE policy AS MATERIALIZED (
        SELECT e -> 0 #>> '{}' AS name, e ->> 1 AS kind, e -> 2 AS config, e FROM jsonb_array_elements(was -> 'policies') AS e
        UNION
        SELECT e -> 0 #>> '{}', e ->> 1, e -> 2, e FROM jsonb_array_elements(is_now -> 'policies') AS e
    ), changed_policy (name) AS (
        SELECT p.name FROM policy AS p GROUP BY p.name HAVING count(*) > 1
        UNION
        SELECT p.name FROM changed_policy AS c JOIN policy AS p ON p.kind = 'aggregate' AND p.config -> 'policies' ? c.name
    ), about (name, subject) AS (
        SELECT p.name, s FROM policy AS p CROSS JOIN LATERAL jsonb_array_elements_text(COALESCE(p.config -> 'any', '[]') || COALESCE(p.config -> 'all', '[]')) AS s
        WHERE p.kind = 'subject'
        UNION
        SELECT p.name, a.subject FROM about AS a JOIN policy AS p ON p.kind = 'aggregate' AND p.config -> 'policies' ? a.name
    ), old AS MATERIALIZED (SELECT e FROM jsonb_array_elements(was -> 'permissions') AS e
    ), new AS MATERIALIZED (SELECT e FROM jsonb_array_elements(is_now -> 'permissions') AS e
    ), permission AS MATERIALIZED (
        SELECT e FROM old UNION SELECT e FROM new
    ), changed AS MATERIALIZED (
        (SELECT e FROM old EXCEPT SELECT e FROM new) UNION (SELECT e FROM new EXCEPT SELECT e FROM old)
        UNION SELECT p.e FROM permission AS p JOIN changed_policy AS c ON c.name = p.e ->> 5
    ), moved (member, container) AS (
        SELECT (m.e ->> 0) COLLATE "C", (m.e ->> 1) COLLATE "C" FROM (
            (SELECT e FROM jsonb_array_elements(was -> 'members') AS e EXCEPT SELECT e FROM jsonb_array_elements(is_now -> 'members') AS e)
            UNION (SELECT e FROM jsonb_array_elements(is_now -> 'members') AS e EXCEPT SELECT e FROM jsonb_array_elements(was -> 'members') AS e)) AS m
    ), reached (member, container) AS (
        SELECT m.member, m.container FROM moved AS m
        UNION
        SELECT r.member, g.container FROM reached AS r JOIN identity.members AS g ON g.realm = $1 AND g.member = r.container
    ), asked (subject, resource_type, resource, scope) AS (
        SELECT c.e ->> 0, c.e ->> 1, c.e ->> 2, c.e ->> 3 FROM changed AS c WHERE c.e ->> 0 <> '*'
        UNION
        SELECT a.subject, c.e ->> 1, c.e ->> 2, c.e ->> 3 FROM changed AS c JOIN about AS a ON a.name = c.e ->> 5 WHERE c.e ->> 0 = '*'
        UNION
        -- What restricts everybody concerns those who are permitted the scope in some other way.
        SELECT p.e ->> 0, c.e ->> 1, c.e ->> 2, c.e ->> 3 FROM changed AS c
        JOIN permission AS p ON p.e ->> 1 = c.e ->> 1 AND p.e ->> 3 = c.e ->> 3 AND p.e ->> 4 = 'allow' AND p.e ->> 0 <> '*'
            AND (p.e ->> 2 IS NULL OR c.e ->> 2 IS NULL)
        WHERE c.e ->> 4 = 'restrict'
        UNION
        SELECT r.member, p.resource_type, p.resource, p.scope FROM reached AS r
        JOIN identity.permissions AS p ON p.realm = $1 AND p.subject = r.container AND p.effect = 'allow')
    SELECT a.subject, a.resource_type, a.resource, a.scope FROM asked AS a
$$;
COMMENT ON FUNCTION identity_internal.keycloak_asked(text, jsonb, jsonb) IS 'Internal: the questions whose answers an import of Keycloak may change';

CREATE FUNCTION identity.import_keycloak(
    realm text, schema text, group_walk text, keycloak_realm text = NULL, time_zone text = 'UTC', quirks boolean = true, dry_run boolean = false)
RETURNS TABLE (kind text, name text, rows bigint, outcome text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    was jsonb;
    is_now jsonb;
    report jsonb;
    asked jsonb;
    most CONSTANT int := 10000;
BEGIN
    IF dry_run IS NULL THEN
        RAISE EXCEPTION 'dry_run is NULL' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give true or false.';
    END IF;
    IF NOT dry_run THEN
        RETURN QUERY SELECT * FROM identity_internal.keycloak_import(realm, schema, group_walk, keycloak_realm, time_zone, quirks);
        RETURN;
    END IF;
    PERFORM identity_internal.lock_realm(realm);
    was := (SELECT to_jsonb(s) FROM identity_internal.keycloak_state(realm) AS s);
    BEGIN
        report := (SELECT jsonb_agg(to_jsonb(i)) FROM identity_internal.keycloak_import(realm, schema, group_walk, keycloak_realm, time_zone, quirks) AS i);
        is_now := (SELECT to_jsonb(s) FROM identity_internal.keycloak_state(realm) AS s);
        asked := (SELECT jsonb_agg(jsonb_build_array(a.subject, a.resource_type, a.resource, a.scope,
                         identity.check_permission(realm, a.subject, a.scope, a.resource_type, a.resource)))
                  FROM (SELECT * FROM identity_internal.keycloak_asked(realm, was, is_now) AS k LIMIT most + 1) AS a);
        RAISE EXCEPTION 'a dry run takes back what it has done' USING ERRCODE = 'IDDRY';
    EXCEPTION WHEN SQLSTATE 'IDDRY' THEN
        NULL;
    END;
    RETURN QUERY SELECT r.* FROM jsonb_to_recordset(report) AS r (kind text, name text, rows bigint, outcome text);
    RETURN QUERY
    SELECT CASE WHEN q.after THEN 'gains' ELSE 'loses' END, q.subject, count(*),
           format('%s %s on %s', CASE WHEN q.after THEN 'would be permitted' ELSE 'would no longer be permitted' END, string_agg(q.scope, ', ' ORDER BY q.scope COLLATE "C"),
                  CASE WHEN q.resource IS NULL THEN 'all ' || q.resource_type ELSE format('%s "%s"', q.resource_type, q.resource) END)
    FROM (SELECT e ->> 0 AS subject, e ->> 1 AS resource_type, e ->> 2 AS resource, e ->> 3 AS scope, (e ->> 4)::boolean AS after FROM jsonb_array_elements(asked) AS e) AS q
    WHERE q.after <> identity.check_permission(realm, q.subject, q.scope, q.resource_type, q.resource)
    GROUP BY q.after, q.subject, q.resource_type, q.resource ORDER BY q.subject COLLATE "C", q.after, q.resource_type COLLATE "C", q.resource COLLATE "C" NULLS FIRST;
    IF jsonb_array_length(asked) > most THEN
        RETURN QUERY SELECT 'gains', '...', NULL::bigint, format('there is more to compare: the first %s questions were asked', most);
    END IF;
END
$$;
COMMENT ON FUNCTION identity.import_keycloak(text, text, text, text, text, boolean, boolean) IS
'Reads the fine-grained admin permissions (version 2) of a realm of Keycloak from the tables of its database, with who is in which group and role, and replaces what an earlier import has written. What was written by hand stays. Subjects and resources are named by Keycloak''s ids: user:ID, group:ID, role:ID.
schema: that of Keycloak''s tables. group_walk, quirks: as identity.add_keycloak_types(). keycloak_realm: the name of the realm, where several have admin permissions. time_zone: that of Keycloak''s server, for time policies.
dry_run: nothing stays written; rows of kind gains and loses say who would be permitted more and less, of those whom the changed permissions, policies and memberships name.
Returns a row for each policy, permission and kind of membership, with what became of it. What has no counterpart (JavaScript, look-around in a regular expression) never permits. A policy on clients asks for client_id in the context, one on client scopes for client_scopes, by their names.
Errors: 42704 no such realm, 42P01 no such schema or table, 22023 no admin permissions, or several realms, or a bad argument.';
