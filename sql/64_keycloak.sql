-- Keycloak's fine-grained admin permissions (version 2), read from the tables of its database.
--
-- A permission of Keycloak grants its scopes where its policies grant, and counts as a deny at its level where they do
-- not. So each becomes two rows of everybody's: an allow under the policy, and a deny under its negation.
--
-- Security: the functions run as their caller, who has rights on the tables (level admin), and read Keycloak's with these rights.
-- Where those are views or foreign tables of somebody else's, their functions run with the caller's rights too, as in any query.
-- The temporary table that keeps the policies is the caller's own, and nothing with other rights reads it.

CREATE FUNCTION identity_internal.keycloak_read(schema text, resource_server text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing text;
    servers text[];
BEGIN
    IF schema IS NULL THEN
        RAISE EXCEPTION 'schema is NULL' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the schema that has Keycloak''s tables.';
    END IF;
    IF octet_length(schema) > 63 THEN
        RAISE EXCEPTION 'there is no schema "%"', identity_internal.shown(schema)
            USING ERRCODE = 'undefined_table', HINT = 'Give the schema that has Keycloak''s tables.';
    END IF;
    SELECT t INTO missing
    FROM unnest('{resource_server,resource_server_resource,resource_server_scope,resource_server_policy,policy_config,associated_policy,resource_policy,scope_policy}'::text[]) AS t
    WHERE to_regclass(format('%I.%I', schema, t)) IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'schema "%" is not that of a Keycloak database', identity_internal.shown(schema)
            USING ERRCODE = 'undefined_table', DETAIL = format('There is no table "%s".', missing),
                  HINT = 'Give the schema that has Keycloak''s tables: restored from a dump, or as foreign tables.';
    END IF;
    EXECUTE format(
        'SELECT pg_catalog.array_agg(DISTINCT p.resource_server_id::pg_catalog.text ORDER BY p.resource_server_id::pg_catalog.text)
         FROM %1$I.resource_server_policy AS p
         JOIN %1$I.resource_server AS s ON s.id OPERATOR(pg_catalog.=) p.resource_server_id
         JOIN %1$I.policy_config AS c ON c.policy_id OPERATOR(pg_catalog.=) p.id AND c.name OPERATOR(pg_catalog.=) ''defaultResourceType''
         WHERE p.type OPERATOR(pg_catalog.=) ''scope''', schema) INTO servers;
    IF resource_server IS NULL AND cardinality(servers) > 1 THEN
        RAISE EXCEPTION 'several realms of Keycloak have admin permissions'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('Their resource servers are %s.', array_to_string(servers, ', ')),
                  HINT = 'Say which one: resource_server => the id of the client admin-permissions of a realm.';
    END IF;
    IF resource_server IS NOT NULL AND resource_server <> ALL (COALESCE(servers, '{}')) OR servers IS NULL THEN
        RAISE EXCEPTION 'no admin permissions were found in schema "%"', schema
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('Resource servers that have some: %s.', COALESCE(array_to_string(servers, ', '), 'none')),
                  HINT = 'They are policies of type "scope" with a defaultResourceType: version 2 of the feature.';
    END IF;
    EXECUTE format(
        'CREATE TEMPORARY TABLE pg_temp.identity_keycloak ON COMMIT DROP AS
         SELECT p.id::pg_catalog.text AS id, p.name::pg_catalog.text AS name, p.type::pg_catalog.text AS type,
                CASE pg_catalog.upper(p.decision_strategy::pg_catalog.text) WHEN ''0'' THEN ''affirmative'' WHEN ''2'' THEN ''consensus''
                     WHEN ''AFFIRMATIVE'' THEN ''affirmative'' WHEN ''CONSENSUS'' THEN ''consensus'' ELSE ''unanimous'' END AS strategy,
                COALESCE(pg_catalog.upper(p.logic::pg_catalog.text) OPERATOR(pg_catalog.=) ANY (ARRAY[''1'', ''NEGATIVE'']), false) AS negative,
                COALESCE((SELECT pg_catalog.jsonb_object_agg(c.name, c.value) FROM %1$I.policy_config AS c
                          WHERE c.policy_id OPERATOR(pg_catalog.=) p.id), ''{}'') AS config,
                ARRAY(SELECT a.associated_policy_id::pg_catalog.text FROM %1$I.associated_policy AS a
                      WHERE a.policy_id OPERATOR(pg_catalog.=) p.id ORDER BY 1) AS parts,
                ARRAY(SELECT s.name::pg_catalog.text FROM %1$I.scope_policy AS x
                      JOIN %1$I.resource_server_scope AS s ON s.id OPERATOR(pg_catalog.=) x.scope_id
                      WHERE x.policy_id OPERATOR(pg_catalog.=) p.id ORDER BY 1) AS scopes,
                ARRAY(SELECT r.name::pg_catalog.text FROM %1$I.resource_policy AS x
                      JOIN %1$I.resource_server_resource AS r ON r.id OPERATOR(pg_catalog.=) x.resource_id
                      WHERE x.policy_id OPERATOR(pg_catalog.=) p.id ORDER BY 1) AS resources
         FROM %1$I.resource_server_policy AS p WHERE p.resource_server_id::pg_catalog.text OPERATOR(pg_catalog.=) %2$L', schema, COALESCE(resource_server, servers[1]));
    CREATE INDEX ON pg_temp.identity_keycloak (id);
    ANALYZE pg_temp.identity_keycloak;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_read(text, text) IS 'Internal: puts the policies of a resource server of Keycloak, permissions among them, into a temporary table';

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

-- The policies that one of Keycloak's is made of, in the order in which they can be written. A policy whose last part
-- is NULL cannot be imported.
CREATE FUNCTION identity_internal.keycloak_policy(p_name text, p_type text, config jsonb, strategy text, negative boolean, parts text[], time_zone text)
RETURNS TABLE (name text, kind text, document jsonb, negate boolean)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    listed jsonb;
BEGIN
    name := p_name;
    negate := negative;
    CASE p_type
    WHEN 'user', 'client' THEN
        kind := 'subject';
        document := jsonb_build_object('any', COALESCE((
            SELECT jsonb_agg(p_type || ':' || v) FROM jsonb_array_elements_text((config ->> (p_type || 's'))::jsonb) AS v), '[]'));
    WHEN 'role' THEN
        kind := 'subject';
        listed := COALESCE((config ->> 'roles')::jsonb, '[]');
        document := jsonb_build_object(
            'any', COALESCE((SELECT jsonb_agg('role:' || (v ->> 'id')) FROM jsonb_array_elements(listed) AS v), '[]'),
            'all', COALESCE((SELECT jsonb_agg('role:' || (v ->> 'id')) FROM jsonb_array_elements(listed) AS v WHERE (v ->> 'required')::boolean), '[]'));
    WHEN 'group' THEN
        listed := COALESCE((config ->> 'groups')::jsonb, '[]');
        kind := 'subject';
        negate := false;
        name := p_name || '/direct';
        document := jsonb_build_object('direct', true, 'any', COALESCE((
            SELECT jsonb_agg('group:' || (v ->> 'id')) FROM jsonb_array_elements(listed) AS v WHERE NOT COALESCE((v ->> 'extendChildren')::boolean, false)), '[]'));
        RETURN NEXT;
        name := p_name || '/with children';
        document := jsonb_build_object('any', COALESCE((
            SELECT jsonb_agg('group:' || (v ->> 'id')) FROM jsonb_array_elements(listed) AS v WHERE (v ->> 'extendChildren')::boolean), '[]'));
        RETURN NEXT;
        name := p_name;
        negate := negative;
        kind := 'aggregate';
        document := jsonb_build_object('strategy', 'affirmative', 'policies', jsonb_build_array(p_name || '/direct', p_name || '/with children'));
    WHEN 'client-scope' THEN
        listed := COALESCE((config ->> 'clientScopes')::jsonb, '[]');
        kind := 'attribute';
        negate := false;
        name := p_name || '/any';
        document := jsonb_build_object('attribute', 'client_scopes', 'in', COALESCE((SELECT jsonb_agg(v -> 'id') FROM jsonb_array_elements(listed) AS v), '[]'));
        RETURN NEXT;
        FOR document IN SELECT v -> 'id' FROM jsonb_array_elements(listed) AS v WHERE (v ->> 'required')::boolean LOOP
            name := p_name || '/' || (document #>> '{}');
            document := jsonb_build_object('attribute', 'client_scopes', 'equals', document);
            RETURN NEXT;
        END LOOP;
        name := p_name;
        negate := negative;
        kind := 'aggregate';
        document := jsonb_build_object('strategy', 'unanimous', 'policies', jsonb_build_array(p_name || '/any') || COALESCE((
            SELECT jsonb_agg(p_name || '/' || (v ->> 'id')) FROM jsonb_array_elements(listed) AS v WHERE (v ->> 'required')::boolean), '[]'));
    WHEN 'time' THEN
        kind := 'time';
        document := jsonb_strip_nulls(jsonb_build_object('time_zone', time_zone,
            'not_before', NULLIF(config ->> 'nbf', ''), 'not_on_or_after', NULLIF(config ->> 'noa', ''),
            'years', identity_internal.keycloak_span(config, 'year'), 'months', identity_internal.keycloak_span(config, 'month'),
            'days_of_month', identity_internal.keycloak_span(config, 'dayMonth'), 'hours', identity_internal.keycloak_span(config, 'hour'),
            'minutes', identity_internal.keycloak_span(config, 'minute')));
    WHEN 'regex' THEN
        kind := 'attribute';
        document := jsonb_build_object('attribute', string_to_array(config ->> 'targetClaim', '.'), 'regex', '^(?:' || (config ->> 'pattern') || ')$');
    WHEN 'aggregate', 'scope' THEN
        kind := 'aggregate';
        document := jsonb_build_object('strategy', strategy, 'policies', parts);
    ELSE
        kind := p_type;
        document := NULL;
    END CASE;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_policy(text, text, jsonb, text, boolean, text[], text) IS 'Internal: a policy of Keycloak as policies of identity.policies';

CREATE FUNCTION identity_internal.keycloak_order(ids text[], wholes text[], parts text[]) RETURNS text[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'keycloak_order_wrapper';
COMMENT ON FUNCTION identity_internal.keycloak_order(text[], text[], text[]) IS
'Internal: ids in an order in which each comes after its parts, and otherwise as given; without those that have a part which does not come. wholes and parts: pairs of an id and one of its parts';

-- Policies are written when their parts are; what is left cannot be imported, and neither can what is made of it.
CREATE FUNCTION identity_internal.keycloak_policies(realm text, time_zone text)
RETURNS TABLE (name text, problem text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    prefix CONSTANT text := 'keycloak/';
    candidate record;
    part record;
    refused text[] := '{}';
BEGIN
    FOR candidate IN
        SELECT k.*
        FROM (SELECT array_agg(i.id ORDER BY i.type = 'scope', i.name) AS ids FROM pg_temp.identity_keycloak AS i
              WHERE i.type <> 'scope' OR cardinality(i.parts) > 0) AS i,
             (SELECT COALESCE(array_agg(w.id), '{}') AS wholes, COALESCE(array_agg(p), '{}') AS parts
              FROM pg_temp.identity_keycloak AS w, unnest(w.parts) AS p) AS e,
             unnest(identity_internal.keycloak_order(i.ids, e.wholes, e.parts)) WITH ORDINALITY AS o (id, n)
        JOIN pg_temp.identity_keycloak AS k ON k.id = o.id
        ORDER BY o.n
    LOOP
        problem := CASE WHEN candidate.parts && refused THEN 'it depends on a policy that cannot be imported' END;
        name := prefix || CASE WHEN candidate.type = 'scope' THEN 'permission/' ELSE '' END || candidate.name;
        IF problem IS NULL THEN
            FOR part IN
                SELECT p.* FROM identity_internal.keycloak_policy(name, candidate.type, candidate.config, candidate.strategy, candidate.negative,
                    ARRAY(SELECT prefix || o.name FROM pg_temp.identity_keycloak AS o WHERE o.id = ANY (candidate.parts) ORDER BY o.name), time_zone) AS p
            LOOP
                problem := COALESCE(problem, CASE WHEN part.document IS NULL THEN format('policies of type "%s" have no counterpart', part.kind)
                                                  ELSE identity_internal.policy_problem(part.kind, part.document) END);
                IF problem IS NULL THEN
                    INSERT INTO identity.policies (realm, name, kind, config, negate) VALUES ($1, part.name, part.kind, part.document, part.negate);
                END IF;
            END LOOP;
        END IF;
        IF problem IS NOT NULL THEN
            refused := refused || candidate.id;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_policies(text, text) IS 'Internal: writes the policies of Keycloak that can be written, and says which cannot';

CREATE FUNCTION identity_internal.keycloak_members(realm text, schema text) RETURNS TABLE (kind text, rows bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    source record;
BEGIN
    FOR source IN SELECT * FROM (VALUES
        ('members of groups', 'user_group_membership', 'members', $q$SELECT $1, 'user:' || user_id, 'group:' || group_id FROM %I.user_group_membership$q$),
        ('roles of users', 'user_role_mapping', 'members', $q$SELECT $1, 'user:' || user_id, 'role:' || role_id FROM %I.user_role_mapping$q$),
        ('roles of groups', 'group_role_mapping', 'members', $q$SELECT $1, 'group:' || group_id, 'role:' || role_id FROM %I.group_role_mapping$q$),
        ('composite roles', 'composite_role', 'members', $q$SELECT $1, 'role:' || composite, 'role:' || child_role FROM %I.composite_role$q$),
        ('groups in groups', 'keycloak_group', 'members',
         $q$SELECT $1, 'group:' || id, 'group:' || parent_group FROM %I.keycloak_group WHERE pg_catalog.btrim(parent_group) OPERATOR(pg_catalog.<>) ''$q$),
        ('users in groups', 'user_group_membership', 'resource_containers', $q$SELECT $1, 'users', user_id, 'groups', group_id FROM %I.user_group_membership$q$),
        ('groups in groups', 'keycloak_group', 'resource_containers',
         $q$SELECT $1, 'groups', id, 'groups', parent_group FROM %I.keycloak_group WHERE pg_catalog.btrim(parent_group) OPERATOR(pg_catalog.<>) ''$q$)
        ) AS t (what, read, target, query)
    LOOP
        CONTINUE WHEN octet_length(schema) > 63 OR to_regclass(format('%I.%I', schema, source.read)) IS NULL;
        EXECUTE format('INSERT INTO identity.%I ', source.target) || format(source.query, schema) || ' ON CONFLICT DO NOTHING' USING realm;
        GET DIAGNOSTICS rows = ROW_COUNT;
        kind := source.what || CASE source.target WHEN 'members' THEN ' (as subjects)' ELSE ' (as resources)' END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION identity_internal.keycloak_members(text, text) IS 'Internal: reads who is in which group and role from Keycloak''s tables, as far as they are there';

CREATE FUNCTION identity.import_keycloak(realm text, schema text, time_zone text = 'UTC', resource_server text = NULL)
RETURNS TABLE (kind text, name text, rows bigint, outcome text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    permission record;
    policy record;
    problems jsonb := '{}';
    holds text;
    unknown text;
BEGIN
    PERFORM identity_internal.lock_realm(realm);
    PERFORM identity_internal.keycloak_read(schema, resource_server);
    PERFORM identity.add_keycloak_types(realm);
    DELETE FROM identity.permissions AS p WHERE p.realm = $1 AND p.policy LIKE 'keycloak/%';
    DELETE FROM identity.policies AS p WHERE p.realm = $1 AND p.name LIKE 'keycloak/%';
    FOR policy IN SELECT * FROM identity_internal.keycloak_policies(realm, time_zone) LOOP
        IF policy.problem IS NOT NULL THEN
            problems := problems || jsonb_build_object(policy.name, policy.problem);
        END IF;
        IF policy.name NOT LIKE 'keycloak/permission/%' THEN
            RETURN QUERY SELECT 'policy', policy.name, CASE WHEN policy.problem IS NULL THEN 1 ELSE 0 END::bigint, COALESCE('not imported: ' || policy.problem, 'imported');
        END IF;
    END LOOP;
    FOR permission IN
        SELECT k.*, lower(k.config ->> 'defaultResourceType') AS resource_type FROM pg_temp.identity_keycloak AS k WHERE k.type = 'scope' ORDER BY k.name
    LOOP
        holds := 'keycloak/permission/' || permission.name;
        kind := 'permission';
        name := permission.name;
        SELECT s INTO unknown FROM unnest(permission.scopes) AS s
        WHERE NOT EXISTS (SELECT FROM identity.resource_types AS t WHERE t.realm = $1 AND t.name = permission.resource_type AND s = ANY (t.scopes)) LIMIT 1;
        outcome := CASE WHEN FOUND THEN format('imported, but the type "%s" has no scope "%s"', permission.resource_type, unknown)
                        WHEN cardinality(permission.resources) = 0 THEN 'not imported: it is about no resource'
                        WHEN cardinality(permission.parts) = 0 THEN 'imported as a deny: it has no policy'
                        WHEN problems ->> holds IS NOT NULL THEN 'imported as a deny: ' || (problems ->> holds)
                        ELSE 'imported' END;
        -- The deny: under the negation of the policy; always, where there is no policy. It stands under a name of the
        -- import, to be replaced by the next.
        INSERT INTO identity.policies (realm, name, kind, config, negate)
        SELECT $1, 'keycloak/unless/' || permission.name, p.kind, p.config, NOT p.negate
        FROM identity.policies AS p WHERE p.realm = $1 AND p.name = holds
        UNION ALL
        SELECT $1, 'keycloak/unless/' || permission.name, 'subject', '{"all": []}', false
        WHERE NOT EXISTS (SELECT FROM identity.policies AS p WHERE p.realm = $1 AND p.name = holds);
        INSERT INTO identity.permissions AS p (realm, subject, resource_type, resource, scope, effect, policy)
        SELECT $1, '*', permission.resource_type, NULLIF(r, permission.config ->> 'defaultResourceType'), s, e.effect, e.policy
        FROM unnest(permission.resources) AS r, unnest(permission.scopes) AS s,
             (VALUES ('allow', holds), ('deny', 'keycloak/unless/' || permission.name)) AS e (effect, policy)
        WHERE e.effect = 'deny' OR EXISTS (SELECT FROM identity.policies AS x WHERE x.realm = $1 AND x.name = holds)
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS rows = ROW_COUNT;
        RETURN NEXT;
    END LOOP;
    RETURN QUERY SELECT 'membership', m.kind, m.rows, 'imported' FROM identity_internal.keycloak_members(realm, schema) AS m;
    DROP TABLE pg_temp.identity_keycloak;
END
$$;
COMMENT ON FUNCTION identity.import_keycloak(text, text, text, text) IS
'Reads the fine-grained admin permissions (version 2) of a realm of Keycloak from the tables of its database, and replaces those of an earlier import: permissions, policies and, where the tables are there, who is in which group and role. Subjects and resources are named by Keycloak''s ids: user:ID, group:ID, role:ID, client:ID.
schema: that of Keycloak''s tables. time_zone: that of Keycloak''s server, for time policies. resource_server: the id of the client admin-permissions, where several realms have one.
Returns a row for each policy, permission and kind of membership, with what became of it. What has no counterpart (JavaScript, look-around in a regular expression) never permits.
Errors: 42704 no such realm, 42P01 no such schema or table, 22023 no admin permissions, or several.';
