-- Authorization: who may do what, on which resources. One flat table of permissions, and what gives it its meaning:
-- types with their scopes, members of groups and roles, containers of resources, implied scopes, policies.
--
-- Security: identity.check_permission() and its kin read these tables as the server reads its catalogs, with no right
-- of the caller's but to call them. The functions that write run as their caller, who needs the access level admin.
--
-- Every change of these tables is told to all sessions, which forget what they remember of it: by statement triggers,
-- ENABLE ALWAYS; and by a row trigger for logical replication, whose apply worker fires no statement triggers.

-- What is told: the invalidation of a label, which no column has. Realms share 256 buckets, and so do users and clients.
DO $$
BEGIN
    EXECUTE pg_catalog.format('CREATE TYPE identity_internal.permission_topic AS ENUM (%s)', (
        SELECT pg_catalog.string_agg(pg_catalog.quote_literal(t.label), ', ')
        FROM (SELECT pg_catalog.unnest('{everything,access}'::pg_catalog.text[]) AS label
              UNION ALL
              SELECT k.kind OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) b.bucket
              FROM pg_catalog.unnest('{realm,subject,permissions}'::pg_catalog.text[]) AS k (kind)
              CROSS JOIN pg_catalog.generate_series(0, 255) AS b (bucket)) AS t));
END
$$;
COMMENT ON TYPE identity_internal.permission_topic IS 'Internal: what a change of permissions is about. No value of it is stored: the invalidation of a label tells sessions what they have to forget';

CREATE FUNCTION identity_internal.permissions_changed() RETURNS trigger
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'permissions_changed_wrapper';
COMMENT ON FUNCTION identity_internal.permissions_changed() IS 'Internal: makes every session forget what it remembers of the permissions that have changed, when the change commits';

CREATE FUNCTION identity_internal.is_subject(subject text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'is_subject_wrapper';
COMMENT ON FUNCTION identity_internal.is_subject(text) IS 'Internal: whether a text is a subject: user:..., group:..., role:... or client:..., of 512 bytes at most';

CREATE FUNCTION identity_internal.is_name(name text, most int = 255) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'is_name_wrapper';
COMMENT ON FUNCTION identity_internal.is_name(text, int) IS 'Internal: whether a text has 1 to `most` bytes';

CREATE FUNCTION identity_internal.are_names(names text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT cardinality(names) > 0 AND bool_and(n IS NOT NULL AND identity_internal.is_name(n)) FROM unnest(names) AS n $$;
COMMENT ON FUNCTION identity_internal.are_names(text[]) IS 'Internal: whether an array has names, and nothing else';

CREATE FUNCTION identity_internal.policy_problem(kind text, config jsonb) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'policy_problem_wrapper';
COMMENT ON FUNCTION identity_internal.policy_problem(text, jsonb) IS 'Internal: why a document is no configuration of a policy; NULL where it is one';

CREATE TABLE identity.resource_types (
    realm text COLLATE "C" NOT NULL REFERENCES identity.realms,
    name text COLLATE "C" NOT NULL CHECK (identity_internal.is_name(name)),
    scopes text[] COLLATE "C" NOT NULL CHECK (identity_internal.are_names(scopes)),
    combining text COLLATE "C" NOT NULL DEFAULT 'nearest'
        CHECK (combining OPERATOR(pg_catalog.=) ANY ('{nearest,deny_overrides,keycloak,keycloak_uncovered}'::pg_catalog.text[])),
    PRIMARY KEY (realm, name)
);
SELECT pg_catalog.pg_extension_config_dump('identity.resource_types', '');
COMMENT ON TABLE identity.resource_types IS 'The types of resources, and what can be permitted on each';
COMMENT ON COLUMN identity.resource_types.realm IS 'The realm';
COMMENT ON COLUMN identity.resource_types.name IS 'Such as clients';
COMMENT ON COLUMN identity.resource_types.scopes IS 'Such as view, manage, create. A permission on any other scope has no effect';
COMMENT ON COLUMN identity.resource_types.combining IS 'How permissions at several levels come to one answer: nearest, deny_overrides, keycloak, keycloak_uncovered. See identity.add_resource_type()';

CREATE TABLE identity.implied_scopes (
    realm text COLLATE "C" NOT NULL REFERENCES identity.realms,
    resource_type text COLLATE "C" NOT NULL,
    scope text COLLATE "C" NOT NULL,
    by_type text COLLATE "C" NOT NULL,
    by_scope text COLLATE "C" NOT NULL,
    fallback boolean NOT NULL DEFAULT false,
    carries text COLLATE "C" NOT NULL DEFAULT 'both'
        CHECK (carries OPERATOR(pg_catalog.=) ANY ('{both,permits,type_denies,resource_denies}'::pg_catalog.text[])),
    PRIMARY KEY (realm, resource_type, scope, by_type, by_scope, carries),
    CONSTRAINT implied_scopes_fallback CHECK (NOT fallback OR carries OPERATOR(pg_catalog.=) 'both')
);
SELECT pg_catalog.pg_extension_config_dump('identity.implied_scopes', '');
COMMENT ON TABLE identity.implied_scopes IS 'Which permissions are permissions on another scope, too';
COMMENT ON COLUMN identity.implied_scopes.realm IS 'The realm';
COMMENT ON COLUMN identity.implied_scopes.resource_type IS 'The type of the implied scope';
COMMENT ON COLUMN identity.implied_scopes.scope IS 'The implied scope';
COMMENT ON COLUMN identity.implied_scopes.by_type IS 'The type of the scope that implies it: the same, or that of a container';
COMMENT ON COLUMN identity.implied_scopes.by_scope IS 'The scope that implies it';
COMMENT ON COLUMN identity.implied_scopes.fallback IS 'Only where no permission names the implied scope itself';
COMMENT ON COLUMN identity.implied_scopes.carries IS 'What comes from the scope that implies it: both, permits, type_denies, resource_denies. See identity.imply_scope()';

CREATE TABLE identity.members (
    realm text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL CHECK (identity_internal.is_subject(member)),
    container text COLLATE "C" NOT NULL CHECK (identity_internal.is_subject(container)),
    PRIMARY KEY (realm, member, container),
    origin text COLLATE "C" CHECK (identity_internal.is_name(origin)),
    CONSTRAINT members_kinds CHECK (container OPERATOR(pg_catalog.~) '^role:'
        OR (container OPERATOR(pg_catalog.~) '^group:' AND member OPERATOR(pg_catalog.!~) '^role:')),
    CONSTRAINT members_not_itself CHECK (member OPERATOR(pg_catalog.<>) container)
);
CREATE INDEX members_container_idx ON identity.members (realm, container, member);
SELECT pg_catalog.pg_extension_config_dump('identity.members', '');
COMMENT ON TABLE identity.members IS 'Who is in which group or role';
COMMENT ON COLUMN identity.members.realm IS 'The realm';
COMMENT ON COLUMN identity.members.member IS 'A user, client, group or role';
COMMENT ON COLUMN identity.members.container IS 'A group or a role; a role is in no group';
COMMENT ON COLUMN identity.members.origin IS 'What wrote it, such as keycloak. NULL: written by hand';

CREATE TABLE identity.resource_containers (
    realm text COLLATE "C" NOT NULL,
    resource_type text COLLATE "C" NOT NULL CHECK (identity_internal.is_name(resource_type)),
    resource text COLLATE "C" NOT NULL CHECK (identity_internal.is_name(resource, 512)),
    container_type text COLLATE "C" NOT NULL CHECK (identity_internal.is_name(container_type)),
    container text COLLATE "C" NOT NULL CHECK (identity_internal.is_name(container, 512)),
    PRIMARY KEY (realm, resource_type, resource, container_type, container),
    origin text COLLATE "C" CHECK (identity_internal.is_name(origin)),
    CONSTRAINT resource_containers_not_itself CHECK (
        resource_type OPERATOR(pg_catalog.<>) container_type OR resource OPERATOR(pg_catalog.<>) container)
);
CREATE INDEX resource_containers_container_idx ON identity.resource_containers (realm, container_type, container, resource_type, resource);
SELECT pg_catalog.pg_extension_config_dump('identity.resource_containers', '');
COMMENT ON TABLE identity.resource_containers IS 'Which resource stands in which: a user in a group, a client in a folder';
COMMENT ON COLUMN identity.resource_containers.realm IS 'The realm';
COMMENT ON COLUMN identity.resource_containers.resource_type IS 'The resource''s type';
COMMENT ON COLUMN identity.resource_containers.resource IS 'The resource';
COMMENT ON COLUMN identity.resource_containers.container_type IS 'The container''s type';
COMMENT ON COLUMN identity.resource_containers.container IS 'The container, itself a resource';
COMMENT ON COLUMN identity.resource_containers.origin IS 'What wrote it, such as keycloak. NULL: written by hand';

CREATE TABLE identity.policies (
    realm text COLLATE "C" NOT NULL REFERENCES identity.realms,
    name text COLLATE "C" NOT NULL CHECK (identity_internal.is_name(name)),
    kind text COLLATE "C" NOT NULL CHECK (kind OPERATOR(pg_catalog.=) ANY ('{subject,time,attribute,aggregate}'::pg_catalog.text[])),
    config jsonb NOT NULL,
    negate boolean NOT NULL DEFAULT false,
    origin text COLLATE "C" CHECK (identity_internal.is_name(origin)),
    PRIMARY KEY (realm, name),
    CONSTRAINT is_policy CHECK (identity_internal.policy_problem(kind, config) IS NULL)
);
SELECT pg_catalog.pg_extension_config_dump('identity.policies', '');
COMMENT ON TABLE identity.policies IS 'Conditions on permissions';
COMMENT ON COLUMN identity.policies.realm IS 'The realm';
COMMENT ON COLUMN identity.policies.name IS 'The name by which permissions and aggregates know it';
COMMENT ON COLUMN identity.policies.kind IS 'subject, time, attribute or aggregate';
COMMENT ON COLUMN identity.policies.config IS 'As its kind wants it: see identity.add_policy()';
COMMENT ON COLUMN identity.policies.negate IS 'It holds where it would fail, and fails where it would hold';
COMMENT ON COLUMN identity.policies.origin IS 'What wrote it, such as keycloak. NULL: written by hand';

CREATE TABLE identity.permissions (
    realm text COLLATE "C" NOT NULL,
    id bigint GENERATED BY DEFAULT AS IDENTITY,
    subject text COLLATE "C" NOT NULL CHECK (subject OPERATOR(pg_catalog.=) '*' OR identity_internal.is_subject(subject)),
    resource_type text COLLATE "C" NOT NULL CHECK (identity_internal.is_name(resource_type)),
    resource text COLLATE "C" CHECK (identity_internal.is_name(resource, 512)),
    scope text COLLATE "C" NOT NULL CHECK (identity_internal.is_name(scope)),
    effect text COLLATE "C" NOT NULL DEFAULT 'allow' CHECK (effect OPERATOR(pg_catalog.=) ANY ('{allow,deny,restrict}'::pg_catalog.text[])),
    policy text COLLATE "C" CHECK (identity_internal.is_name(policy)),
    origin text COLLATE "C" CHECK (identity_internal.is_name(origin)),
    PRIMARY KEY (realm, id)
);
-- Permissions on one resource and those on a whole type live in indexes of their own: what concerns a type never meets
-- the rows of its resources.
CREATE UNIQUE INDEX permissions_subject_key ON identity.permissions
    (realm, subject, resource_type, scope, resource, effect, (COALESCE(policy, '')), (COALESCE(origin, ''))) WHERE resource IS NOT NULL;
CREATE INDEX permissions_resource_idx ON identity.permissions (realm, resource_type, resource, scope, subject)
    INCLUDE (effect, policy, id, origin) WHERE resource IS NOT NULL;
-- What everybody may: few rows among many that restrict everybody.
CREATE INDEX permissions_everybodys_allows_idx ON identity.permissions (realm, resource_type, scope, resource)
    WHERE resource IS NOT NULL AND subject OPERATOR(pg_catalog.=) '*' AND effect OPERATOR(pg_catalog.=) 'allow';
CREATE UNIQUE INDEX permissions_type_key ON identity.permissions
    (realm, resource_type, scope, subject, effect, (COALESCE(policy, '')), (COALESCE(origin, ''))) WHERE resource IS NULL;
CREATE INDEX permissions_type_subject_idx ON identity.permissions (realm, subject) WHERE resource IS NULL;
CREATE INDEX permissions_policy_idx ON identity.permissions (realm, policy) WHERE policy IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('identity.permissions', '');
SELECT pg_catalog.pg_extension_config_dump('identity.permissions_id_seq', '');
COMMENT ON TABLE identity.permissions IS 'Who may do what, and who may not. Write it with identity.grant_permission() and its kin, or with INSERT and COPY';
COMMENT ON COLUMN identity.permissions.realm IS 'The realm';
COMMENT ON COLUMN identity.permissions.id IS 'Number of the row, for identity.explain_permission()';
COMMENT ON COLUMN identity.permissions.subject IS 'user:..., group:..., role:... or client:..., whose members it concerns, too; * is everybody';
COMMENT ON COLUMN identity.permissions.resource_type IS 'The type, as identity.resource_types has it';
COMMENT ON COLUMN identity.permissions.resource IS 'The resource; NULL: every resource of the type, and the type itself';
COMMENT ON COLUMN identity.permissions.scope IS 'What is permitted or denied';
COMMENT ON COLUMN identity.permissions.effect IS 'allow, deny, or restrict: a deny, unless an allow of the same origin, resource and scope counts';
COMMENT ON COLUMN identity.permissions.policy IS 'It counts only where this policy holds; where the policy cannot tell, an allow does not count and a deny does';
COMMENT ON COLUMN identity.permissions.origin IS 'What wrote it, such as keycloak/permission/NAME: rows of one origin belong together. NULL: written by hand';
CREATE INDEX permissions_origin_idx ON identity.permissions (realm, origin) WHERE origin IS NOT NULL;

DO $$
DECLARE
    written text;
BEGIN
    FOREACH written IN ARRAY '{resource_types,implied_scopes,members,resource_containers,policies,permissions}'::pg_catalog.text[] LOOP
        EXECUTE pg_catalog.format(
            'CREATE TRIGGER a_inserted AFTER INSERT ON identity.%1$I REFERENCING NEW TABLE AS new_rows
                 FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.permissions_changed();
             CREATE TRIGGER a_updated AFTER UPDATE ON identity.%1$I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
                 FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.permissions_changed();
             CREATE TRIGGER a_deleted AFTER DELETE ON identity.%1$I REFERENCING OLD TABLE AS old_rows
                 FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.permissions_changed();
             CREATE TRIGGER a_truncated AFTER TRUNCATE ON identity.%1$I
                 FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.permissions_changed();
             CREATE TRIGGER a_row_replicated AFTER INSERT OR UPDATE OR DELETE ON identity.%1$I
                 FOR EACH ROW EXECUTE FUNCTION identity_internal.permissions_changed();
             ALTER TABLE identity.%1$I ENABLE ALWAYS TRIGGER a_inserted, ENABLE ALWAYS TRIGGER a_updated,
                 ENABLE ALWAYS TRIGGER a_deleted, ENABLE ALWAYS TRIGGER a_truncated, ENABLE REPLICA TRIGGER a_row_replicated', written);
    END LOOP;
END
$$;

-- Questions.

CREATE FUNCTION identity.check_permission(
    realm text, subject text, scope text, resource_type text, resource text = NULL, context jsonb = NULL)
RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'check_permission_wrapper';
COMMENT ON FUNCTION identity.check_permission(text, text, text, text, text, jsonb) IS
'May the subject do this?
subject: user:..., group:..., role:... or client:.... resource: NULL asks about the type as a whole ("may this subject create clients?"). context: a JSON object, for policies; "now" in it is taken for the time.
Never NULL, and no error for what is unknown: false. 54000: the context has more than 1 MB, or the question comes to more than there is memory for. A committed grant or revoke counts from the next call on, in every session and in the middle of a transaction.';

CREATE FUNCTION identity.check_permissions(
    realm text, subject text, resource_type text, scopes text[], resources text[], context jsonb = NULL)
RETURNS TABLE (resource text, scope text, permitted boolean)
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'check_permissions_wrapper';
COMMENT ON FUNCTION identity.check_permissions(text, text, text, text[], text[], jsonb) IS
'Many questions of identity.check_permission() at once, by one snapshot: each scope on each resource. A NULL among the resources asks about the type.
Returns a row for each, in the order given. Errors: 54000 more than a million questions, or as identity.check_permission().';

CREATE FUNCTION identity.explain_permission(
    realm text, subject text, scope text, resource_type text, resource text = NULL, context jsonb = NULL)
RETURNS TABLE (step int, level text, resource_type text, resource text, scope text, permission_id bigint, effect text, subject text, via text[], policy text, outcome text)
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'explain_permission_wrapper';
COMMENT ON FUNCTION identity.explain_permission(text, text, text, text, text, jsonb) IS
'Why identity.check_permission() answers as it does: every permission that it considers, from the nearest level on, by which membership it concerns the subject, what its policy says, and whether it decides; last, the answer.
Where the answer is no, rows of level "missing" show permissions of others that would permit it, up to ten.';

CREATE FUNCTION identity.permitted_resources(
    realm text, subject text, scope text, resource_type text, after text = NULL, max_rows int = 1000, context jsonb = NULL, only_permitted boolean = false)
RETURNS TABLE (resource text, permitted boolean)
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'permitted_resources_wrapper';
COMMENT ON FUNCTION identity.permitted_resources(text, text, text, text, text, int, jsonb, boolean) IS
'What the subject may do this on: first (resource NULL) the answer for every resource that is not listed, which is that of the type, unless what denies on the type denies other scopes of its resources (type_denies); then every resource for which a permission of the subject says something, directly or through a container, with its answer.
after: the last resource of the page before. max_rows: the size of a page, 1 to 100000. A page costs the same wherever it stands. only_permitted: without the resources on which the subject may not.
Errors: 22023 max_rows out of range, or only_permitted is NULL.';

CREATE FUNCTION identity.permitted_subjects(
    realm text, scope text, resource_type text, resource text = NULL, after text = NULL, max_rows int = 1000, context jsonb = NULL)
RETURNS TABLE (subject text)
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'permitted_subjects_wrapper';
COMMENT ON FUNCTION identity.permitted_subjects(text, text, text, text, text, int, jsonb) IS
'Who may do this: every subject that a membership or a permission of the realm names, and that identity.check_permission() permits it. * first: so may everybody whom none names.
after: the last subject of the page before. max_rows: the size of a page, 1 to 100000.
Errors: 22023 max_rows out of range.';

CREATE FUNCTION identity.permission_cache_status()
RETURNS TABLE (entries bigint, bytes bigint, max_bytes bigint, hits bigint, misses bigint, flushes bigint)
LANGUAGE c VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'permission_cache_status_wrapper';
COMMENT ON FUNCTION identity.permission_cache_status() IS
'What this session remembers of permissions: entries and their bytes, the bytes that it may use (identity.permission_cache_size), questions to memory that were answered and that were not, and how often all of it was forgotten at once.';

-- The model.

CREATE FUNCTION identity_internal.reaches(realm text, subject text, container text) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reaches_wrapper';
COMMENT ON FUNCTION identity_internal.reaches(text, text, text) IS 'Internal: whether a subject is a container, or is in it, by what is committed now';

CREATE FUNCTION identity_internal.stands_in(realm text, resource_type text, resource text, container_type text, container text) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'stands_in_wrapper';
COMMENT ON FUNCTION identity_internal.stands_in(text, text, text, text, text) IS 'Internal: whether a resource is a container, or stands in it, by what is committed now';

-- One at a time for each realm: two that each add half of a circle would not see each other.
CREATE FUNCTION identity_internal.lock_realm(realm text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_realm(realm);
    PERFORM FROM identity.realms AS r WHERE r.name = lock_realm.realm FOR NO KEY UPDATE;
END
$$;
COMMENT ON FUNCTION identity_internal.lock_realm(text) IS 'Internal: waits for others who change the realm''s hierarchies, then keeps them waiting; raises where there is no such realm';

CREATE FUNCTION identity_internal.check_subject(subject text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF subject IS NULL OR NOT identity_internal.is_subject(subject) THEN
        RAISE EXCEPTION 'invalid subject: "%"', identity_internal.shown(subject)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'A subject is user:..., group:..., role:... or client:..., of 512 bytes at most.';
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.check_subject(text) IS 'Internal: raises where a text is no subject';

CREATE FUNCTION identity_internal.check_name(what text, name text, most int = 255) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF name IS NULL OR NOT identity_internal.is_name(name, most) THEN
        RAISE EXCEPTION 'invalid %: "%"', what, identity_internal.shown(name)
            USING ERRCODE = 'invalid_parameter_value', HINT = format('It has 1 to %s bytes.', most);
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.check_name(text, text, int) IS 'Internal: raises where a text is no name';

CREATE FUNCTION identity_internal.check_scopes(realm text, resource_type text, scopes text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known text[];
    unknown text[];
BEGIN
    PERFORM identity_internal.check_realm(realm);
    SELECT t.scopes INTO known FROM identity.resource_types AS t WHERE t.realm = check_scopes.realm AND t.name = resource_type;
    IF known IS NULL THEN
        RAISE EXCEPTION 'resource type "%" does not exist in realm "%"', identity_internal.shown(resource_type), realm
            USING ERRCODE = 'undefined_object',
                  HINT = 'Add it: SELECT identity.add_resource_type(realm, name, scopes). identity.resource_types has those that exist.';
    END IF;
    unknown := ARRAY(SELECT identity_internal.shown(s) FROM unnest(scopes) AS s WHERE NOT EXISTS (SELECT FROM unnest(known) AS k WHERE k = s) LIMIT 10);
    IF scopes IS NULL OR cardinality(scopes) = 0 OR cardinality(unknown) > 0 THEN
        RAISE EXCEPTION 'no scope of resource type "%": %', resource_type,
                COALESCE('"' || NULLIF(array_to_string(unknown, '", "'), '') || '"', 'none is given')
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('It has the scopes %s%s.', array_to_string(known[:50], ', '),
                                  CASE WHEN cardinality(known) > 50 THEN format(' and %s more', cardinality(known) - 50) END),
                  HINT = 'identity.add_resource_type() adds a scope to a type.';
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.check_scopes(text, text, text[]) IS 'Internal: raises where a realm, a resource type or one of its scopes does not exist';

CREATE FUNCTION identity.add_resource_type(realm text, name text, scopes text[], combining text = NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_realm(realm);
    PERFORM identity_internal.check_name('resource type', name);
    IF scopes IS NULL OR identity_internal.are_names(scopes) IS NOT TRUE THEN
        RAISE EXCEPTION 'invalid scopes of resource type "%"', name
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('They are %s.', identity_internal.shown(quote_literal(scopes[:50]))),
                  HINT = 'Give an array of names, such as ''{view,manage,create}''. A name has 1 to 255 bytes.';
    END IF;
    IF combining <> ALL ('{nearest,deny_overrides,keycloak,keycloak_uncovered}'::text[]) THEN
        RAISE EXCEPTION 'unknown combining: "%"', identity_internal.shown(combining)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use nearest, deny_overrides, keycloak or keycloak_uncovered.';
    END IF;
    INSERT INTO identity.resource_types AS t (realm, name, scopes, combining)
    VALUES (add_resource_type.realm, add_resource_type.name, ARRAY(SELECT DISTINCT s FROM unnest(add_resource_type.scopes) AS s ORDER BY s),
            COALESCE(add_resource_type.combining, 'nearest'))
    ON CONFLICT ON CONSTRAINT resource_types_pkey DO UPDATE
        SET scopes = ARRAY(SELECT DISTINCT s FROM unnest(t.scopes || excluded.scopes) AS s ORDER BY s),
            combining = COALESCE(add_resource_type.combining, t.combining)
        WHERE t.combining <> add_resource_type.combining
           OR EXISTS (SELECT FROM unnest(excluded.scopes) AS s WHERE NOT EXISTS (SELECT FROM unnest(t.scopes) AS k WHERE k = s));
END
$$;
COMMENT ON FUNCTION identity.add_resource_type(text, text, text[], text) IS
'Adds a type of resources with what can be permitted on it, or adds scopes to one that exists. combining: how permissions at several levels come to one answer; NULL: nearest for a new type, and no change of one that exists.
nearest: those on the resource decide, then those on its containers from the nearest on, on their types, and on the type; at one level, a deny.
deny_overrides: a deny at any level denies.
keycloak: a deny on the resource or on a container denies; then an allow on the resource permits; then a deny on the type denies; then one on a container''s type, unless a container allows; then any allow permits. Containers count only by scopes of theirs that imply the one asked for.
keycloak_uncovered: the same, but a permission on a farther container counts only if it has a scope that no permission on the container in which the resource directly stands has.
Errors: 42704 no such realm, 22023 invalid name or combining.';

CREATE FUNCTION identity.imply_scope(
    realm text, resource_type text, scope text, by_scope text, by_type text = NULL, fallback boolean = false, carries text = 'both') RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.lock_realm(realm);
    PERFORM identity_internal.check_scopes(realm, resource_type, ARRAY[scope]);
    PERFORM identity_internal.check_scopes(realm, COALESCE(by_type, resource_type), ARRAY[by_scope]);
    IF carries IS NULL OR carries <> ALL ('{both,permits,type_denies,resource_denies}'::text[]) OR (fallback AND carries <> 'both') THEN
        RAISE EXCEPTION 'invalid carries: "%"', identity_internal.shown(carries)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use both, permits, type_denies or resource_denies; both with a fallback.';
    END IF;
    INSERT INTO identity.implied_scopes AS i (realm, resource_type, scope, by_type, by_scope, fallback, carries)
    VALUES ($1, $2, $3, COALESCE($5, $2), $4, COALESCE($6, false), $7)
    ON CONFLICT ON CONSTRAINT implied_scopes_pkey DO UPDATE SET fallback = excluded.fallback WHERE i.fallback <> excluded.fallback;
END
$$;
COMMENT ON FUNCTION identity.imply_scope(text, text, text, text, text, boolean, text) IS
'Makes a permission on by_scope one on scope, too.
by_type: NULL, or the same type: who may do by_scope on a resource may do scope; who is denied by_scope is not denied scope. Another type: by_scope on a container of the resource permits, and denies, scope on the resource.
fallback: only where no permission that matches names scope itself.
carries: both, what is said above; permits: who is permitted by_scope is permitted scope, whatever denies that; type_denies: what denies by_scope on the whole type denies scope on its resources; resource_denies: what denies by_scope on the resource or the container denies scope.
Errors: 42704 no such realm or type, 22023 no such scope or carries, or it would imply itself.';

CREATE FUNCTION identity_internal.implied_circle(realm text, types text[], scopes text[]) RETURNS text[]
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'implied_circle_wrapper';
COMMENT ON FUNCTION identity_internal.implied_circle(text, text[], text[]) IS
'Internal: a circle of implied scopes through one of these, from it to itself; NULL where there is none. Each scope is visited once';

CREATE FUNCTION identity_internal.circle(names text[], separator text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_to_string(CASE WHEN array_ndims(names) = 1 AND cardinality(names) > 20 THEN names[:10] || '...'::text || names[cardinality(names) - 9:] ELSE names END, separator)
$$;
COMMENT ON FUNCTION identity_internal.circle(text[], text) IS 'Internal: a circle as a message shows it: a long one without what is in its middle';

CREATE FUNCTION identity_internal.check_implications() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_realm record;
    circle text[];
BEGIN
    FOR of_realm IN SELECT w.realm, array_agg(w.resource_type) AS types, array_agg(w.scope) AS scopes FROM written AS w GROUP BY w.realm LOOP
        circle := identity_internal.implied_circle(of_realm.realm, of_realm.types, of_realm.scopes);
        IF circle IS NOT NULL THEN
            RAISE EXCEPTION 'a scope would imply itself'
                USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is implied: %s.', identity_internal.circle(circle, ' by ')),
                      HINT = 'Delete one of these rows of identity.implied_scopes first.';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION identity_internal.check_implications() IS 'Internal: refuses scopes that imply themselves';
CREATE TRIGGER check_inserted AFTER INSERT ON identity.implied_scopes REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.check_implications();
CREATE TRIGGER check_updated AFTER UPDATE ON identity.implied_scopes REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.check_implications();

CREATE FUNCTION identity.add_member(realm text, member text, container text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_realm(realm);
    PERFORM identity_internal.check_subject(member);
    PERFORM identity_internal.check_subject(container);
    IF container !~ '^(group|role):' OR (container ~ '^group:' AND member ~ '^role:') THEN
        RAISE EXCEPTION '"%" cannot be in "%"', member, container
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Users, clients and groups can be in a group or a role, and roles in a role.';
    END IF;
    IF member ~ '^(group|role):' THEN
        PERFORM identity_internal.lock_realm(realm);
        IF identity_internal.reaches(realm, container, member) THEN
            RAISE EXCEPTION '"%" cannot be in "%": it would be in itself', member, container
                USING ERRCODE = 'invalid_parameter_value', DETAIL = format('"%s" is "%s", or is in it.', container, member),
                      HINT = 'Remove a membership on the way between them first: identity.members has them.';
        END IF;
    END IF;
    INSERT INTO identity.members (realm, member, container) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN true;
    END IF;
    -- One that an import has written does not go with it any more.
    UPDATE identity.members AS m SET origin = NULL WHERE m.realm = $1 AND m.member = $2 AND m.container = $3 AND m.origin IS NOT NULL;
    RETURN false;
END
$$;
COMMENT ON FUNCTION identity.add_member(text, text, text) IS
'Puts a user, a client, a group or a role into a group or a role, so that what is permitted to that is permitted to it. False: it was in it already.
Errors: 42704 no such realm, 22023 invalid subject, or it would be in itself.';

CREATE FUNCTION identity.remove_member(realm text, member text, container text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_realm(realm);
    PERFORM identity_internal.check_subject(member);
    PERFORM identity_internal.check_subject(container);
    DELETE FROM identity.members AS m WHERE m.realm = $1 AND m.member = $2 AND m.container = $3;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION identity.remove_member(text, text, text) IS
'Takes a member out of a group or a role. False: it was not directly in it. Errors: 42704 no such realm, 22023 invalid subject.';

CREATE FUNCTION identity_internal.check_containment(realm text, resource_type text, resource text, container_type text, container text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown text;
BEGIN
    PERFORM identity_internal.check_realm(realm);
    PERFORM identity_internal.check_name('resource', resource, 512);
    PERFORM identity_internal.check_name('container', container, 512);
    SELECT identity_internal.shown(n) INTO unknown FROM unnest(ARRAY[resource_type, container_type]) AS n
    WHERE NOT EXISTS (SELECT FROM identity.resource_types AS t WHERE t.realm = check_containment.realm AND t.name = n) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'resource type "%" does not exist in realm "%"', unknown, realm
            USING ERRCODE = 'undefined_object',
                  HINT = 'Add it: SELECT identity.add_resource_type(realm, name, scopes). identity.resource_types has those that exist.';
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.check_containment(text, text, text, text, text) IS 'Internal: raises where a resource and its container are not well named';

CREATE FUNCTION identity.add_container(realm text, resource_type text, resource text, container_type text, container text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_containment(realm, resource_type, resource, container_type, container);
    PERFORM identity_internal.lock_realm(realm);
    IF identity_internal.stands_in(realm, container_type, container, resource_type, resource) THEN
        RAISE EXCEPTION '%', format('%s "%s" cannot stand in %s "%s": it would stand in itself', resource_type, resource, container_type, container)
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('%s "%s" is it, or stands in it.', container_type, container),
                  HINT = 'Remove a container on the way between them first: identity.resource_containers has them.';
    END IF;
    INSERT INTO identity.resource_containers (realm, resource_type, resource, container_type, container)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN true;
    END IF;
    -- One that an import has written does not go with it any more.
    UPDATE identity.resource_containers AS c SET origin = NULL
    WHERE c.realm = $1 AND c.resource_type = $2 AND c.resource = $3 AND c.container_type = $4 AND c.container = $5 AND c.origin IS NOT NULL;
    RETURN false;
END
$$;
COMMENT ON FUNCTION identity.add_container(text, text, text, text, text) IS
'Puts a resource into a container, itself a resource: a user into a group, a client into a folder. Permissions on the container concern the resource where none on the resource itself decides. False: it stood there already.
Errors: 42704 no such realm or type, 22023 invalid name, or it would stand in itself.';

CREATE FUNCTION identity.remove_container(realm text, resource_type text, resource text, container_type text, container text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_containment(realm, resource_type, resource, container_type, container);
    DELETE FROM identity.resource_containers AS c
    WHERE c.realm = $1 AND c.resource_type = $2 AND c.resource = $3 AND c.container_type = $4 AND c.container = $5;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION identity.remove_container(text, text, text, text, text) IS
'Takes a resource out of a container. False: it did not directly stand in it. Errors: 42704 no such realm or type, 22023 invalid name.';

-- Policies.

CREATE FUNCTION identity.add_policy(realm text, name text, kind text, config jsonb, negate boolean = false) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    problem text;
BEGIN
    PERFORM identity_internal.lock_realm(realm);
    PERFORM identity_internal.check_name('name of a policy', name);
    problem := CASE WHEN kind IS NULL OR config IS NULL THEN 'kind or config is NULL' ELSE identity_internal.policy_problem(kind, config) END;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'invalid policy "%"', name
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('%s.', problem), HINT = 'See docs/authorization.md for the kinds of policies.';
    END IF;
    INSERT INTO identity.policies (realm, name, kind, config, negate) VALUES ($1, $2, $3, $4, COALESCE($5, false));
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'policy "%" exists already in realm "%"', name, realm
        USING ERRCODE = 'duplicate_object', HINT = 'Change it with UPDATE identity.policies, or remove it: SELECT identity.remove_policy(realm, name).';
END
$$;
COMMENT ON FUNCTION identity.add_policy(text, text, text, jsonb, boolean) IS
'Adds a condition for permissions. negate: it holds where it would fail. By kind, config is:
subject: {"any": [subjects], "all": [subjects], "direct": false}: the asker is, or is in, one of any and each of all; direct: not by way of another.
time: {"not_before", "not_on_or_after", "years", "months", "days_of_month", "weekdays" (1 is Monday), "hours", "minutes", "time_zone"}; numbers are arrays of numbers and of [from, to].
attribute: {"attribute": name or path in the context}, and one of "equals": value, "in": [values], "regex": text, "cidr": network or [networks], "at_least"/"at_most": number.
aggregate: {"policies": [names], "strategy": "unanimous" | "affirmative" | "consensus"}.
Errors: 42704 no such realm, 22023 invalid policy, 42710 it exists already, 54000 config has more than 16 MB.';

CREATE FUNCTION identity.remove_policy(realm text, name text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.lock_realm(realm);
    DELETE FROM identity.policies AS p WHERE p.realm = $1 AND p.name = $2;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION identity.remove_policy(text, text) IS
'Removes a policy. False: there is none of that name. Errors: 42704 no such realm, 23503 a permission or another policy needs it.';

CREATE FUNCTION identity_internal.policy_circle(realm text, names text[]) RETURNS text[]
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'policy_circle_wrapper';
COMMENT ON FUNCTION identity_internal.policy_circle(text, text[]) IS
'Internal: a circle of aggregates through one of these policies, from it to itself; NULL where there is none. Each policy is visited once';

CREATE FUNCTION identity_internal.check_policies_written() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing record;
    of_realm record;
    circle text[];
BEGIN
    SELECT w.name, part INTO missing
    FROM written AS w CROSS JOIN LATERAL jsonb_array_elements_text(w.config -> 'policies') AS part
    WHERE w.kind = 'aggregate' AND NOT EXISTS (SELECT FROM identity.policies AS p WHERE p.realm = w.realm AND p.name = part) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'invalid policy "%"', missing.name
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('There is no policy "%s".', identity_internal.shown(missing.part)),
                  HINT = 'Add the policies that it is made of first, or in the same statement.';
    END IF;
    FOR of_realm IN SELECT w.realm, array_agg(w.name) AS names FROM written AS w WHERE w.kind = 'aggregate' GROUP BY w.realm LOOP
        circle := identity_internal.policy_circle(of_realm.realm, of_realm.names);
        IF circle IS NOT NULL THEN
            RAISE EXCEPTION 'a policy would be made of itself'
                USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is made: %s.', identity_internal.circle(circle, ' of ')),
                      HINT = 'An aggregate cannot be among the policies that it is made of.';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION identity_internal.check_policies_written() IS 'Internal: refuses aggregates of missing policies, and those made of themselves';
CREATE TRIGGER check_inserted AFTER INSERT ON identity.policies REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.check_policies_written();
CREATE TRIGGER check_updated AFTER UPDATE ON identity.policies REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.check_policies_written();

CREATE FUNCTION identity_internal.check_policies_gone() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    needed record;
BEGIN
    WITH missing AS MATERIALIZED (
        SELECT g.realm, g.name FROM gone AS g
        WHERE NOT EXISTS (SELECT FROM identity.policies AS p WHERE p.realm = g.realm AND p.name = g.name)
    ), needed_by AS (
        SELECT m.realm, m.name, p.id, NULL::text AS aggregate
        FROM missing AS m JOIN identity.permissions AS p ON p.realm = m.realm AND p.policy = m.name
        UNION ALL
        SELECT m.realm, m.name, NULL::bigint, a.name
        FROM identity.policies AS a CROSS JOIN LATERAL jsonb_array_elements_text(a.config -> 'policies') AS part
        JOIN missing AS m ON m.realm = a.realm AND m.name = part
        WHERE a.kind = 'aggregate' AND EXISTS (SELECT FROM missing)
    )
    SELECT n.* INTO needed FROM needed_by AS n LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'policy "%" of realm "%" is needed', needed.name, needed.realm
            USING ERRCODE = 'foreign_key_violation',
                  DETAIL = CASE WHEN needed.id IS NULL THEN format('Policy "%s" is made of it.', needed.aggregate)
                         ELSE format('Permission %s depends on it.', needed.id) END,
                  HINT = 'Remove what needs it first.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION identity_internal.check_policies_gone() IS 'Internal: refuses to take policies away that permissions or aggregates need';
CREATE TRIGGER check_deleted AFTER DELETE ON identity.policies REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.check_policies_gone();
CREATE TRIGGER check_renamed AFTER UPDATE ON identity.policies REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.check_policies_gone();

-- Permissions.

CREATE FUNCTION identity_internal.check_permission_arguments(
    realm text, subject text, resource_type text, scopes text[], resource text, policy text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_scopes(realm, resource_type, scopes);
    IF subject IS DISTINCT FROM '*' THEN
        PERFORM identity_internal.check_subject(subject);
    END IF;
    IF resource IS NOT NULL THEN
        PERFORM identity_internal.check_name('resource', resource, 512);
    END IF;
    IF policy IS NOT NULL AND NOT EXISTS (
        SELECT FROM identity.policies AS p WHERE p.realm = check_permission_arguments.realm AND p.name = policy) THEN
        RAISE EXCEPTION 'policy "%" does not exist in realm "%"', identity_internal.shown(policy), realm
            USING ERRCODE = 'undefined_object', HINT = 'Add it with identity.add_policy(); identity.policies has those that exist.';
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.check_permission_arguments(text, text, text, text[], text, text) IS 'Internal: raises where there can be no such permission';

CREATE FUNCTION identity_internal.add_permissions(
    realm text, subject text, resource_type text, scopes text[], resource text, policy text, effect text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    written bigint;
BEGIN
    PERFORM identity_internal.check_permission_arguments(realm, subject, resource_type, scopes, resource, policy);
    INSERT INTO identity.permissions (realm, subject, resource_type, scope, resource, effect, policy)
    SELECT $1, $2, $3, s, $5, $7, $6 FROM unnest($4) AS s ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END
$$;
COMMENT ON FUNCTION identity_internal.add_permissions(text, text, text, text[], text, text, text) IS 'Internal: grant_permission() and deny_permission()';

CREATE FUNCTION identity.grant_permission(
    realm text, subject text, resource_type text, scopes text[], resource text = NULL, policy text = NULL) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ SELECT identity_internal.add_permissions($1, $2, $3, $4, $5, $6, 'allow') $$;
COMMENT ON FUNCTION identity.grant_permission(text, text, text, text[], text, text) IS
'Permits the subject, and all that are in it, the scopes on a resource; on the whole type where resource is NULL; only where the policy holds, if one is named. subject: * is everybody.
Returns how many permissions that added: those that were there already do not count.
Errors: 42704 no such realm, type or policy, 22023 invalid subject, scope or resource.';

CREATE FUNCTION identity.deny_permission(
    realm text, subject text, resource_type text, scopes text[], resource text = NULL, policy text = NULL) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ SELECT identity_internal.add_permissions($1, $2, $3, $4, $5, $6, 'deny') $$;
COMMENT ON FUNCTION identity.deny_permission(text, text, text, text[], text, text) IS
'Denies what identity.grant_permission() permits, with the same arguments: at its level, a deny counts more than an allow.
Returns how many permissions that added. Errors: 42704 no such realm, type or policy, 22023 invalid subject, scope or resource.';

CREATE FUNCTION identity.revoke_permission(
    realm text, subject text, resource_type text, scopes text[], resource text = NULL, policy text = NULL, effect text = NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone bigint;
    -- What restricts goes only if it is named: without it, others are permitted more.
    effects CONSTANT text[] := CASE WHEN effect IS NULL THEN '{allow,deny}' ELSE ARRAY[effect] END;
BEGIN
    PERFORM identity_internal.check_permission_arguments(realm, subject, resource_type, scopes, resource, policy);
    IF effect <> ALL ('{allow,deny,restrict}'::text[]) THEN
        RAISE EXCEPTION 'unknown effect: "%"', identity_internal.shown(effect)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use allow, deny, restrict, or NULL for allow and deny.';
    END IF;
    IF resource IS NULL THEN
        DELETE FROM identity.permissions AS p
        WHERE p.realm = $1 AND p.subject = $2 AND p.resource_type = $3 AND p.scope = ANY ($4) AND p.resource IS NULL
          AND ($6 IS NULL OR p.policy = $6) AND p.effect = ANY (effects);
    ELSE
        DELETE FROM identity.permissions AS p
        WHERE p.realm = $1 AND p.subject = $2 AND p.resource_type = $3 AND p.scope = ANY ($4) AND p.resource = $5
          AND ($6 IS NULL OR p.policy = $6) AND p.effect = ANY (effects);
    END IF;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION identity.revoke_permission(text, text, text, text[], text, text, text) IS
'Takes permissions away that name exactly this subject, type and resource (NULL: the whole type, not its resources), and one of the scopes. policy NULL: with any policy, and with none. effect: allow, deny or restrict; NULL: allow and deny.
Returns how many that were. Errors: 42704 no such realm, type or policy, 22023 invalid subject, scope, resource or effect.';

CREATE FUNCTION identity.permission_problems(realm text)
RETURNS TABLE (permission_id bigint, subject text, resource_type text, resource text, scope text, policy text, problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_realm(realm);
    RETURN QUERY
    SELECT p.id, p.subject::text, p.resource_type::text, p.resource::text, p.scope::text, p.policy::text,
           CASE WHEN t.name IS NULL THEN 'no such resource type: it has no effect'
                WHEN s.scope IS NULL THEN 'no such scope of the type: it has no effect'
                ELSE 'no such policy: ' || CASE p.effect WHEN 'allow' THEN 'it never permits' ELSE 'it always denies' END END
    FROM identity.permissions AS p
    LEFT JOIN identity.resource_types AS t ON t.realm = p.realm AND t.name = p.resource_type
    LEFT JOIN (SELECT DISTINCT k.name, u.scope FROM identity.resource_types AS k, unnest(k.scopes) AS u (scope)
               WHERE k.realm = permission_problems.realm) AS s ON s.name = p.resource_type AND s.scope = p.scope
    LEFT JOIN identity.policies AS c ON c.realm = p.realm AND c.name = p.policy
    WHERE p.realm = permission_problems.realm
      AND (s.scope IS NULL OR (p.policy IS NOT NULL AND c.name IS NULL))
    ORDER BY p.id;
END
$$;
COMMENT ON FUNCTION identity.permission_problems(text) IS
'Permissions that name a type, a scope or a policy that does not exist: to be called after they were loaded with INSERT or COPY. No rows: there are none.
Errors: 42704 no such realm.';
