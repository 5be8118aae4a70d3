-- From permissions on every single resource to one on the type: proposed, proved, done, and undone.
--
-- Security: the functions run as their caller, who has rights on the tables (level admin). So does what the list of resources runs.

CREATE TABLE identity.collapse_runs (
    realm text COLLATE "C" NOT NULL,
    run_id uuid NOT NULL,
    resource_type text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    scope text COLLATE "C" NOT NULL,
    added boolean NOT NULL,
    permission_id bigint NOT NULL,
    run_by name NOT NULL DEFAULT CURRENT_USER,
    run_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    undone_at timestamptz,
    PRIMARY KEY (realm, run_id, subject, scope)
);
CREATE INDEX collapse_runs_run_id_idx ON identity.collapse_runs (run_id);
SELECT pg_catalog.pg_extension_config_dump('identity.collapse_runs', '');
COMMENT ON TABLE identity.collapse_runs IS 'What runs of identity.collapse_permissions() have replaced: a row for each subject and scope';
COMMENT ON COLUMN identity.collapse_runs.realm IS 'The realm';
COMMENT ON COLUMN identity.collapse_runs.run_id IS 'Time-ordered identifier of the run';
COMMENT ON COLUMN identity.collapse_runs.resource_type IS 'The type';
COMMENT ON COLUMN identity.collapse_runs.subject IS 'The subject';
COMMENT ON COLUMN identity.collapse_runs.scope IS 'The scope';
COMMENT ON COLUMN identity.collapse_runs.added IS 'The permission on the type was added: it was not there before';
COMMENT ON COLUMN identity.collapse_runs.permission_id IS 'The permission on the type, which stands in the place of the others';
COMMENT ON COLUMN identity.collapse_runs.run_by IS 'The role that ran it';
COMMENT ON COLUMN identity.collapse_runs.run_at IS 'When';
COMMENT ON COLUMN identity.collapse_runs.undone_at IS 'When identity.undo_collapse() brought the permissions back';

CREATE TABLE identity.collapsed_permissions (
    realm text COLLATE "C" NOT NULL,
    run_id uuid NOT NULL,
    id bigint NOT NULL,
    subject text COLLATE "C" NOT NULL,
    resource_type text COLLATE "C" NOT NULL,
    resource text COLLATE "C" NOT NULL,
    scope text COLLATE "C" NOT NULL,
    PRIMARY KEY (realm, run_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('identity.collapsed_permissions', '');
COMMENT ON TABLE identity.collapsed_permissions IS 'The permissions that runs of identity.collapse_permissions() have replaced, until they are brought back';
COMMENT ON COLUMN identity.collapsed_permissions.realm IS 'The realm';
COMMENT ON COLUMN identity.collapsed_permissions.run_id IS 'The run';
COMMENT ON COLUMN identity.collapsed_permissions.id IS 'As in identity.permissions';
COMMENT ON COLUMN identity.collapsed_permissions.subject IS 'As in identity.permissions';
COMMENT ON COLUMN identity.collapsed_permissions.resource_type IS 'As in identity.permissions';
COMMENT ON COLUMN identity.collapsed_permissions.resource IS 'As in identity.permissions';
COMMENT ON COLUMN identity.collapsed_permissions.scope IS 'As in identity.permissions';

-- The answers stay the same unless a deny stands, for somebody whom the permission concerns, farther away than the
-- resource: it loses to a permission on the resource, and would not lose to one on the type. Denies on a listed
-- resource itself do not count, if it contains nothing: they beat both.
CREATE FUNCTION identity_internal.collapse_obstacle(realm text, subject text, resource_type text, scope text, resources text[]) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    obstacle bigint;
BEGIN
    WITH RECURSIVE concerned (t, s) AS (
        SELECT $3 COLLATE "C", $4 COLLATE "C"
        UNION
        SELECT i.resource_type, i.scope FROM concerned AS c
        JOIN identity.implied_scopes AS i ON i.realm = $1 AND i.by_type = c.t AND i.by_scope = c.s
    ), nodes (t, s) AS (
        SELECT c.t, c.s FROM concerned AS c
        UNION
        SELECT i.by_type, i.by_scope FROM nodes AS n
        JOIN identity.implied_scopes AS i ON i.realm = $1 AND i.resource_type = n.t AND i.scope = n.s
    ), denies AS MATERIALIZED (
        SELECT p.id, p.subject FROM nodes AS n
        JOIN identity.permissions AS p ON p.realm = $1 AND p.resource_type = n.t AND p.scope = n.s AND p.effect <> 'allow'
        WHERE p.resource IS NULL OR p.resource_type <> $3
           OR p.resource <> ALL ($5)
           OR EXISTS (SELECT FROM identity.resource_containers AS c
                      WHERE c.realm = $1 AND c.container_type = p.resource_type AND c.container = p.resource)
    ), members (m) AS (
        SELECT $2 COLLATE "C" WHERE EXISTS (SELECT FROM denies)
        UNION
        SELECT g.member FROM members AS m JOIN identity.members AS g ON g.realm = $1 AND g.container = m.m
    ), holders (h) AS (
        SELECT m.m FROM members AS m
        UNION
        SELECT g.container FROM holders AS h JOIN identity.members AS g ON g.realm = $1 AND g.member = h.h
    )
    SELECT min(d.id) INTO obstacle FROM denies AS d WHERE '*' IN (d.subject, $2) OR d.subject IN (SELECT h.h FROM holders AS h);
    RETURN obstacle;
END
$$;
COMMENT ON FUNCTION identity_internal.collapse_obstacle(text, text, text, text, text[]) IS
'Internal: the first permission for which a permission on each resource of the list is not the same as one on the type; NULL where there is none';

CREATE FUNCTION identity_internal.collapse_listed(realm text, resource_type text, list text[], dry_run boolean, run_id uuid)
RETURNS TABLE (subject text, scope text, instance_rows bigint, resources bigint, action text, equivalent boolean, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    listed CONSTANT bigint := cardinality(list);
    held record;
    obstacle bigint;
    added boolean;
    names boolean;
    stands_for bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM identity.resource_types AS t WHERE t.realm = $1 AND t.name = $2) THEN
        RAISE EXCEPTION 'resource type "%" does not exist in realm "%"', identity_internal.shown(resource_type), identity_internal.shown(realm)
            USING ERRCODE = 'undefined_object', HINT = 'identity.resource_types has those that exist.';
    END IF;
    IF listed = 0 THEN
        RAISE EXCEPTION 'the list of resources is empty'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a relation or a query with one column, the names of all resources of the type.';
    END IF;
    IF NOT dry_run THEN
        LOCK TABLE identity.permissions IN SHARE ROW EXCLUSIVE MODE;
    END IF;
    -- Where a permission on a container covers those farther up, one on the type does not stand for it.
    names := EXISTS (SELECT FROM identity.resource_types AS t JOIN identity.implied_scopes AS i ON i.realm = t.realm AND i.resource_type = t.name
                     WHERE t.realm = $1 AND t.combining = 'keycloak_uncovered' AND i.by_type = $2 AND i.by_type <> t.name);
    FOR held IN
        SELECT p.subject, p.scope, count(*) AS rows, l.n
        FROM identity.permissions AS p JOIN unnest(list) AS r (resource) ON r.resource COLLATE "C" = p.resource CROSS JOIN (SELECT listed AS n) AS l
        WHERE p.realm = $1 AND p.resource_type = $2 AND p.effect = 'allow' AND p.policy IS NULL AND p.origin IS NULL
        GROUP BY p.subject, p.scope, l.n HAVING count(*) = l.n
        ORDER BY p.subject, p.scope
    LOOP
        obstacle := identity_internal.collapse_obstacle($1, held.subject, $2, held.scope, list);
        subject := held.subject;
        scope := held.scope;
        instance_rows := held.rows;
        resources := listed;
        equivalent := obstacle IS NULL AND NOT names;
        action := CASE WHEN NOT equivalent THEN 'kept' WHEN dry_run THEN 'would be replaced' ELSE 'replaced' END;
        reason := CASE WHEN names THEN 'permissions on a single resource cover those on what contains it'
                       WHEN NOT equivalent THEN format('permission %s denies, and would no longer lose to it', obstacle) END;
        IF equivalent AND NOT dry_run THEN
            WITH gone AS (
                DELETE FROM identity.permissions AS p USING unnest(list) AS r (resource)
                WHERE p.realm = $1 AND p.resource_type = $2 AND p.subject = held.subject AND p.scope = held.scope AND p.resource = r.resource COLLATE "C"
                  AND p.effect = 'allow' AND p.policy IS NULL AND p.origin IS NULL
                RETURNING p.id, p.subject, p.resource_type, p.resource, p.scope)
            INSERT INTO identity.collapsed_permissions (realm, run_id, id, subject, resource_type, resource, scope)
            SELECT $1, $5, g.id, g.subject, g.resource_type, g.resource, g.scope FROM gone AS g;
            INSERT INTO identity.permissions (realm, subject, resource_type, scope) VALUES ($1, held.subject, $2, held.scope)
            ON CONFLICT DO NOTHING RETURNING id INTO stands_for;
            added := FOUND;
            IF NOT added THEN
                SELECT p.id INTO STRICT stands_for FROM identity.permissions AS p
                WHERE p.realm = $1 AND p.resource_type = $2 AND p.subject = held.subject AND p.scope = held.scope AND p.resource IS NULL
                  AND p.effect = 'allow' AND p.policy IS NULL AND p.origin IS NULL;
            END IF;
            INSERT INTO identity.collapse_runs (realm, run_id, resource_type, subject, scope, added, permission_id)
            VALUES ($1, $5, $2, held.subject, held.scope, added, stands_for);
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION identity_internal.collapse_listed(text, text, text[], boolean, uuid) IS 'Internal: identity.collapse_permissions(), when the list has been read';

CREATE FUNCTION identity.collapse_permissions(realm text, resource_type text, resources text, dry_run boolean = true)
RETURNS TABLE (run_id uuid, subject text, scope text, instance_rows bigint, resources bigint, action text, equivalent boolean, reason text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'collapse_permissions_wrapper';
COMMENT ON FUNCTION identity.collapse_permissions(text, text, text, boolean) IS
'Finds the subjects that are permitted a scope, without a policy, on every resource of a list, and replaces these permissions by one on the type, where every answer about a resource of the list stays the same for everybody. It then holds for resources to come, too.
resources: a relation''s name or a query, with one column: the resources of the type. dry_run: the same report, nothing written.
Returns a row for each subject and scope. action: would be replaced, replaced, or kept, with the reason. identity.undo_collapse(run_id) brings the permissions back.
Errors: 42704 no such realm or type, 22023 bad list.';

CREATE FUNCTION identity.undo_collapse(run_id uuid)
RETURNS TABLE (subject text, scope text, restored bigint, type_permission text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    collapsed record;
    stands boolean;
BEGIN
    IF NOT EXISTS (SELECT FROM identity.collapse_runs AS r WHERE r.run_id = $1) THEN
        RAISE EXCEPTION 'there is no run %', COALESCE($1::text, 'NULL')
            USING ERRCODE = 'undefined_object', HINT = 'identity.collapse_runs has the runs.';
    END IF;
    FOR collapsed IN
        SELECT r.* FROM identity.collapse_runs AS r WHERE r.run_id = $1 AND r.undone_at IS NULL ORDER BY r.subject, r.scope FOR UPDATE
    LOOP
        subject := collapsed.subject;
        scope := collapsed.scope;
        -- Whoever has revoked the permission on the type since has revoked what it stands for. One that was granted anew is another one.
        PERFORM FROM identity.permissions AS p
        WHERE p.realm = collapsed.realm AND p.id = collapsed.permission_id AND p.resource_type = collapsed.resource_type
          AND p.subject = collapsed.subject AND p.scope = collapsed.scope AND p.resource IS NULL AND p.effect = 'allow' AND p.policy IS NULL
          AND p.origin IS NULL
        FOR UPDATE;
        stands := FOUND;
        WITH back AS (
            DELETE FROM identity.collapsed_permissions AS c
            WHERE c.realm = collapsed.realm AND c.run_id = $1 AND c.subject = collapsed.subject AND c.scope = collapsed.scope RETURNING c.*)
        INSERT INTO identity.permissions (realm, id, subject, resource_type, resource, scope)
        SELECT b.realm, b.id, b.subject, b.resource_type, b.resource, b.scope FROM back AS b WHERE stands ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS restored = ROW_COUNT;
        type_permission := CASE WHEN NOT stands THEN 'was revoked' WHEN collapsed.added THEN 'removed' ELSE 'was there before' END;
        IF stands AND collapsed.added THEN
            -- Another run may have replaced permissions by the same one: it is that run's from now on.
            UPDATE identity.collapse_runs AS r SET added = true
            WHERE (r.realm, r.run_id, r.subject, r.scope) = (
                SELECT o.realm, o.run_id, o.subject, o.scope FROM identity.collapse_runs AS o
                WHERE o.realm = collapsed.realm AND o.permission_id = collapsed.permission_id AND o.run_id <> $1 AND o.undone_at IS NULL
                ORDER BY o.run_id LIMIT 1);
            IF FOUND THEN
                type_permission := 'stays for another run';
            ELSE
                DELETE FROM identity.permissions AS p WHERE p.realm = collapsed.realm AND p.id = collapsed.permission_id;
            END IF;
        END IF;
        UPDATE identity.collapse_runs AS r SET undone_at = now()
        WHERE r.realm = collapsed.realm AND r.run_id = $1 AND r.subject = collapsed.subject AND r.scope = collapsed.scope;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION identity.undo_collapse(uuid) IS
'Brings the permissions back that a run of identity.collapse_permissions() has replaced, and removes the one on the type that it added. Where that one was revoked since, so were those that it stood for: they do not come back. Returns a row for each subject and scope; none where it was undone before.
Errors: 42704 no such run.';
