-- Two identities that are one person: what the one has goes to the other, and comes back if that was wrong.
--
-- Security: as in 33_identities.sql. What was taken is kept with its secrets, in a table on which nobody has a right, until it is given back or the
-- identity that stayed is deleted.

CREATE TABLE identity.merges (
    realm text COLLATE "C" NOT NULL,
    merge_id uuid NOT NULL,
    kept uuid NOT NULL,
    dropped uuid NOT NULL,
    merged_by name NOT NULL,
    merged_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    undone_at timestamptz,
    PRIMARY KEY (realm, merge_id),
    FOREIGN KEY (realm, kept) REFERENCES identity.identities ON DELETE CASCADE
);
CREATE INDEX merges_kept_idx ON identity.merges (realm, kept);
SELECT pg_catalog.pg_extension_config_dump('identity.merges', '');
COMMENT ON TABLE identity.merges IS 'Identities that identity.merge_identities() has made one; a row goes with the identity that stayed';
COMMENT ON COLUMN identity.merges.realm IS 'The realm';
COMMENT ON COLUMN identity.merges.merge_id IS 'By which identity.undo_merge() finds it: a time-ordered UUID';
COMMENT ON COLUMN identity.merges.kept IS 'The identity that stayed';
COMMENT ON COLUMN identity.merges.dropped IS 'The id of the one that went';
COMMENT ON COLUMN identity.merges.merged_by IS 'The role that did it';
COMMENT ON COLUMN identity.merges.merged_at IS 'When';
COMMENT ON COLUMN identity.merges.undone_at IS 'When it was undone; NULL: it stands';

CREATE TABLE identity_internal.merged_rows (
    realm text COLLATE "C" NOT NULL,
    merge_id uuid NOT NULL,
    taken jsonb NOT NULL,
    PRIMARY KEY (realm, merge_id),
    FOREIGN KEY (realm, merge_id) REFERENCES identity.merges ON DELETE CASCADE
);
SELECT pg_catalog.pg_extension_config_dump('identity_internal.merged_rows', '');
COMMENT ON TABLE identity_internal.merged_rows IS 'Internal: all that identities had which are merged into others, by table, with what became of it. Secret: nobody has a right on it';

CREATE TYPE identity_internal.merge_line AS (item text, value text, status text, reason text);
COMMENT ON TYPE identity_internal.merge_line IS 'Internal: a line of the report of a merge';

-- Of whom each has one, the identity that stays keeps its own; only what lists providers is joined.
CREATE FUNCTION identity_internal.credential_fate(type text, is_held boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN NOT is_held THEN 'moved' WHEN type IN ('oidc', 'saml') THEN 'joined' ELSE 'dropped' END
$$;
COMMENT ON FUNCTION identity_internal.credential_fate(text, boolean) IS 'Internal: what becomes of a credential, where the identity that stays has one of the type or not';

-- All that an identity has, and what is to become of it.
CREATE FUNCTION identity_internal.taken_of(realm text, kept uuid, dropped uuid) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH credentials AS MATERIALIZED (
        SELECT c.*, identity_internal.credential_fate(c.type, k.type IS NOT NULL) AS fate
        FROM identity.credentials AS c
        LEFT JOIN identity.credentials AS k ON k.realm = c.realm AND k.identity_id = $2 AND k.type = c.type
        WHERE c.realm = $1 AND c.identity_id = $3)
    SELECT jsonb_build_object(
        'identity', (SELECT to_jsonb(i) FROM identity.identities AS i WHERE i.realm = $1 AND i.id = $3),
        'external_id', (SELECT CASE WHEN d.external_id IS NULL THEN NULL WHEN k.external_id IS NULL THEN 'moved' ELSE 'dropped' END
                        FROM identity.identities AS d, identity.identities AS k WHERE d.realm = $1 AND d.id = $3 AND k.realm = $1 AND k.id = $2),
        'identifiers', (SELECT COALESCE(jsonb_agg(to_jsonb(n) || jsonb_build_object('fate',
                            CASE WHEN EXISTS (SELECT FROM credentials AS c WHERE c.type = n.kind AND c.fate = 'dropped') THEN 'dropped' ELSE 'moved' END)
                            ORDER BY n.kind, n.key), '[]')
                        FROM identity.identifiers AS n WHERE n.realm = $1 AND n.identity_id = $3),
        'addresses', (SELECT COALESCE(jsonb_agg(to_jsonb(a) || '{"fate": "moved"}' ORDER BY a.role, a.via, a.key), '[]')
                      FROM identity.addresses AS a WHERE a.realm = $1 AND a.identity_id = $3),
        'credentials', (SELECT COALESCE(jsonb_agg(to_jsonb(c) ORDER BY c.type), '[]') FROM credentials AS c),
        'memberships', (SELECT COALESCE(jsonb_agg(to_jsonb(m) || jsonb_build_object('fate', CASE WHEN k.realm IS NULL THEN 'moved' ELSE 'dropped' END)
                                                  ORDER BY m.organization), '[]')
                        FROM identity.memberships AS m
                        LEFT JOIN identity.memberships AS k ON k.realm = m.realm AND k.identity_id = $2 AND k.organization = m.organization
                        WHERE m.realm = $1 AND m.identity_id = $3),
        'staged', (SELECT COALESCE(jsonb_agg(jsonb_build_object('site_id', s.site_id, 'original_id', s.original_id) ORDER BY s.site_id, s.original_id), '[]')
                   FROM identity.staged_identities AS s WHERE s.realm = $1 AND s.identity_id = $3),
        'proposals', (SELECT COALESCE(jsonb_agg(p.proposal_id ORDER BY p.proposal_id), '[]') FROM identity.link_proposals AS p
                      WHERE p.realm = $1 AND p.identity_id = $3 AND NOT EXISTS (
                          SELECT FROM identity.link_proposals AS o
                          WHERE (o.realm, o.site_id, o.original_id, o.identity_id) = (p.realm, p.site_id, p.original_id, $2))))
$$;
COMMENT ON FUNCTION identity_internal.taken_of(text, uuid, uuid) IS 'Internal: what identity.merge_identities() takes from one identity and gives to another';

CREATE FUNCTION identity_internal.merge_report(taken jsonb, dropped uuid) RETURNS SETOF identity_internal.merge_line
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'external_id', taken #>> '{identity,external_id}', taken ->> 'external_id',
        CASE taken ->> 'external_id' WHEN 'dropped' THEN 'the identity that stays has one of its own' END
    WHERE taken ->> 'external_id' IS NOT NULL
    UNION ALL
    SELECT n ->> 'kind', n ->> 'value', n ->> 'fate', CASE n ->> 'fate' WHEN 'dropped' THEN 'it goes with its credential' END
    FROM jsonb_array_elements(taken -> 'identifiers') AS n
    UNION ALL
    SELECT concat(a ->> 'role', '_address'), a ->> 'value', a ->> 'fate', NULL FROM jsonb_array_elements(taken -> 'addresses') AS a
    UNION ALL
    SELECT 'credential', c ->> 'type', c ->> 'fate',
        CASE c ->> 'fate' WHEN 'dropped' THEN 'the identity that stays has one of its own' WHEN 'joined' THEN 'with the providers of the identity that stays' END
    FROM jsonb_array_elements(taken -> 'credentials') AS c
    UNION ALL
    SELECT 'membership', m ->> 'organization', m ->> 'fate', CASE m ->> 'fate' WHEN 'dropped' THEN 'the identity that stays is a member' END
    FROM jsonb_array_elements(taken -> 'memberships') AS m
    UNION ALL
    SELECT 'staged user', concat(t.name, ':', s ->> 'original_id'), 'moved', NULL
    FROM jsonb_array_elements(taken -> 'staged') AS s
    LEFT JOIN identity.sites AS t ON t.realm = taken #>> '{identity,realm}' AND t.site_id = (s ->> 'site_id')::int
    UNION ALL
    SELECT 'subject', concat('user:', dropped), 'left', format('%s permissions and %s memberships in groups and roles are the subject''s own', p.n, g.n)
    FROM (SELECT count(*) FROM identity.permissions AS p WHERE p.realm = taken #>> '{identity,realm}' AND p.subject = concat('user:', dropped)) AS p (n),
         (SELECT count(*) FROM identity.members AS g WHERE g.realm = taken #>> '{identity,realm}' AND g.member = concat('user:', dropped)) AS g (n)
    WHERE p.n + g.n > 0
$$;
COMMENT ON FUNCTION identity_internal.merge_report(jsonb, uuid) IS 'Internal: what becomes of each thing that is taken';

CREATE FUNCTION identity_internal.move_taken(realm text, kept uuid, dropped uuid, taken jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE identity.identifiers AS n SET identity_id = $2
    FROM jsonb_array_elements(taken -> 'identifiers') AS t
    WHERE t ->> 'fate' = 'moved' AND n.realm = $1 AND n.key = (t ->> 'key') COLLATE "C" AND n.identity_id = $3;
    UPDATE identity.addresses AS a SET identity_id = $2 WHERE a.realm = $1 AND a.identity_id = $3;
    UPDATE identity.credentials AS c SET identity_id = $2
    FROM jsonb_array_elements(taken -> 'credentials') AS t
    WHERE t ->> 'fate' = 'moved' AND c.realm = $1 AND c.identity_id = $3 AND c.type = t ->> 'type';
    UPDATE identity.credentials AS c
    SET config = jsonb_set(c.config, '{providers}', COALESCE(c.config -> 'providers', '[]') || COALESCE(t #> '{config,providers}', '[]'))
    FROM jsonb_array_elements(taken -> 'credentials') AS t
    WHERE t ->> 'fate' = 'joined' AND c.realm = $1 AND c.identity_id = $2 AND c.type = t ->> 'type';
    -- At most one is the default, and one was used last.
    UPDATE identity.memberships AS m
    SET identity_id = $2,
        is_default = m.is_default AND NOT EXISTS (SELECT FROM identity.memberships AS o WHERE o.realm = $1 AND o.identity_id = $2 AND o.is_default),
        last_used = m.last_used AND NOT EXISTS (SELECT FROM identity.memberships AS o WHERE o.realm = $1 AND o.identity_id = $2 AND o.last_used)
    FROM jsonb_array_elements(taken -> 'memberships') AS t
    WHERE t ->> 'fate' = 'moved' AND m.realm = $1 AND m.identity_id = $3 AND m.organization = t ->> 'organization';
    UPDATE identity.staged_identities AS s SET identity_id = $2 WHERE s.realm = $1 AND s.identity_id = $3;
    UPDATE identity.link_proposals AS p SET identity_id = $2
    FROM jsonb_array_elements_text(taken -> 'proposals') AS t (id) WHERE p.realm = $1 AND p.proposal_id = t.id::bigint;
    DELETE FROM identity.identities AS i WHERE i.realm = $1 AND i.id = $3;
    UPDATE identity.identities AS i
    SET external_id = CASE taken ->> 'external_id' WHEN 'moved' THEN taken #>> '{identity,external_id}' ELSE i.external_id END, updated_at = now()
    WHERE i.realm = $1 AND i.id = $2;
END
$$;
COMMENT ON FUNCTION identity_internal.move_taken(text, uuid, uuid, jsonb) IS 'Internal: gives one identity what is taken from another, and removes that';

CREATE FUNCTION identity_internal.merge_identities(realm text, kept uuid, dropped uuid, dry_run boolean)
RETURNS TABLE (merge_id uuid, item text, value text, status text, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id CONSTANT uuid := identity.new_id();
    taken jsonb;
BEGIN
    IF kept = dropped THEN
        RAISE EXCEPTION 'an identity is not merged with itself' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('Both are %s.', kept), HINT = 'Give the identity that stays and the one that goes.';
    ELSIF dry_run IS NULL THEN
        RAISE EXCEPTION 'dry_run is NULL' USING ERRCODE = 'null_value_not_allowed', HINT = 'Give true or false.';
    END IF;
    -- In one order, so that two sessions that merge the same two do not wait for each other.
    PERFORM identity_internal.check_identity(realm, LEAST(kept, dropped)), identity_internal.check_identity(realm, GREATEST(kept, dropped))
    WHERE kept IS NOT NULL AND dropped IS NOT NULL;
    IF kept IS NULL OR dropped IS NULL THEN
        PERFORM identity_internal.check_identity(realm, NULL);
    END IF;
    taken := identity_internal.taken_of(realm, kept, dropped);
    IF NOT dry_run THEN
        merge_id := id;
        INSERT INTO identity.merges (realm, merge_id, kept, dropped, merged_by) VALUES ($1, id, $2, $3, session_user);
        INSERT INTO identity_internal.merged_rows (realm, merge_id, taken) VALUES ($1, id, taken);
        PERFORM identity_internal.audit(realm, 'merge_identities', kept::text, jsonb_build_object('merge_id', id, 'dropped', dropped));
    END IF;
    RETURN QUERY SELECT merge_identities.merge_id, r.* FROM identity_internal.merge_report(taken, dropped) AS r;
    IF NOT dry_run THEN
        PERFORM identity_internal.move_taken(realm, kept, dropped, taken);
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.merge_identities(text, uuid, uuid, boolean) IS 'Internal: what identity.merge_identities() carries out';

CREATE FUNCTION identity.merge_identities(realm text, kept uuid, dropped uuid, dry_run boolean = false)
RETURNS TABLE (merge_id uuid, item text, value text, status text, reason text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'admin_gate_wrapper';
COMMENT ON FUNCTION identity.merge_identities(text, uuid, uuid, boolean) IS
'Makes two identities one: dropped gives its login names, addresses, credentials, memberships, staged users and, where kept has none, its external_id to kept, and is removed. Traits, metadata and state of kept stay as they are. Permissions are those of a subject, which stays as it is: the report says how many.
Returns a row for each thing that dropped has. item: a kind of login name, verifiable_address, recovery_address, credential, membership, external_id, staged user or subject. status: moved; joined (the providers of both); dropped (kept has one of its own, with the reason); left. merge_id is NULL in a dry run.
identity.undo_merge(realm, merge_id) brings dropped back. Until then, or until kept is deleted, its credentials are kept where nobody has a right to read them.
Errors: 42704 no such realm or identity, 22023 both are the same.';

-- What is still as the merge left it goes back.
CREATE FUNCTION identity_internal.give_back(realm text, kept uuid, dropped uuid, taken jsonb) RETURNS SETOF identity_internal.merge_line
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone CONSTANT text := 'it has been changed, removed or given to another since';
    back CONSTANT identity.identities := jsonb_populate_record(NULL::identity.identities, taken -> 'identity');
    one jsonb;
    former jsonb;
    held jsonb;
    is_back boolean := true;
BEGIN
    IF taken ->> 'external_id' = 'moved' THEN
        UPDATE identity.identities AS i SET external_id = NULL WHERE i.realm = $1 AND i.id = $2 AND i.external_id = back.external_id;
        is_back := FOUND;
    ELSIF taken ->> 'external_id' = 'dropped' THEN
        is_back := NOT EXISTS (SELECT FROM identity.identities AS i WHERE i.realm = $1 AND i.external_id = back.external_id);
    END IF;
    INSERT INTO identity.identities (realm, id, external_id, schema_id, state, traits, metadata_public, metadata_admin, organization_id, created_at, updated_at, state_changed_at)
    VALUES (back.realm, back.id, CASE WHEN is_back THEN back.external_id END, back.schema_id, back.state, back.traits, back.metadata_public, back.metadata_admin,
        back.organization_id, back.created_at, back.updated_at, back.state_changed_at);
    IF taken ->> 'external_id' IS NOT NULL THEN
        RETURN QUERY SELECT 'external_id', back.external_id, CASE WHEN is_back THEN 'back' ELSE 'gone' END, CASE WHEN NOT is_back THEN gone END;
    END IF;
    FOR one IN SELECT t.* FROM jsonb_array_elements(taken -> 'identifiers') AS t LOOP
        IF one ->> 'fate' = 'moved' THEN
            UPDATE identity.identifiers AS n SET identity_id = $3 WHERE n.realm = $1 AND n.key = (one ->> 'key') COLLATE "C" AND n.identity_id = $2;
        ELSE
            INSERT INTO identity.identifiers (realm, key, kind, value, identity_id) VALUES ($1, one ->> 'key', one ->> 'kind', one ->> 'value', $3) ON CONFLICT DO NOTHING;
        END IF;
        RETURN QUERY SELECT one ->> 'kind', one ->> 'value', CASE WHEN FOUND THEN 'back' ELSE 'gone' END, CASE WHEN NOT FOUND THEN gone END;
    END LOOP;
    FOR one IN SELECT t.* FROM jsonb_array_elements(taken -> 'addresses') AS t LOOP
        UPDATE identity.addresses AS a SET identity_id = $3
        WHERE a.realm = $1 AND a.role = one ->> 'role' AND a.via = one ->> 'via' AND a.key = (one ->> 'key') COLLATE "C" AND a.identity_id = $2;
        RETURN QUERY SELECT concat(one ->> 'role', '_address'), one ->> 'value', CASE WHEN FOUND THEN 'back' ELSE 'gone' END, CASE WHEN NOT FOUND THEN gone END;
    END LOOP;
    FOR one IN SELECT t.* FROM jsonb_array_elements(taken -> 'credentials') AS t LOOP
        is_back := true;
        former := one -> 'config';
        IF one ->> 'fate' = 'moved' THEN
            UPDATE identity.credentials AS c SET identity_id = $3
            WHERE c.realm = $1 AND c.identity_id = $2 AND c.type = one ->> 'type' AND c.config = former;
            is_back := FOUND;
        ELSE
            IF one ->> 'fate' = 'joined' THEN
                -- Providers that are still there, as they were.
                SELECT jsonb_agg(p.provider ORDER BY p.n) INTO held
                FROM identity.credentials AS c
                CROSS JOIN LATERAL jsonb_array_elements(former -> 'providers') WITH ORDINALITY AS p (provider, n)
                WHERE c.realm = $1 AND c.identity_id = $2 AND c.type = one ->> 'type' AND c.config -> 'providers' @> jsonb_build_array(p.provider);
                is_back := held IS NOT NULL;
                former := jsonb_set(former, '{providers}', COALESCE(held, '[]'));
                UPDATE identity.credentials AS c
                SET config = jsonb_set(c.config, '{providers}', COALESCE((
                    SELECT jsonb_agg(p.provider ORDER BY p.n) FROM jsonb_array_elements(c.config -> 'providers') WITH ORDINALITY AS p (provider, n)
                    WHERE NOT held @> jsonb_build_array(p.provider)), '[]'))
                WHERE is_back AND c.realm = $1 AND c.identity_id = $2 AND c.type = one ->> 'type';
            END IF;
            INSERT INTO identity.credentials (realm, identity_id, type, config, created_at)
            SELECT $1, $3, one ->> 'type', former, (one ->> 'created_at')::timestamptz WHERE is_back;
        END IF;
        RETURN QUERY SELECT 'credential', one ->> 'type', CASE WHEN is_back THEN 'back' ELSE 'gone' END, CASE WHEN NOT is_back THEN gone END;
    END LOOP;
    FOR one IN SELECT t.* FROM jsonb_array_elements(taken -> 'memberships') AS t LOOP
        IF one ->> 'fate' = 'moved' THEN
            UPDATE identity.memberships AS m SET identity_id = $3, is_default = (one ->> 'is_default')::boolean, last_used = (one ->> 'last_used')::boolean
            WHERE m.realm = $1 AND m.identity_id = $2 AND m.organization = one ->> 'organization';
        ELSE
            INSERT INTO identity.memberships (realm, identity_id, organization, state, is_default, last_used, last_login, joined_at)
            SELECT $1, $3, m.organization, m.state, m.is_default, m.last_used, m.last_login, m.joined_at FROM jsonb_populate_record(NULL::identity.memberships, one) AS m;
        END IF;
        RETURN QUERY SELECT 'membership', one ->> 'organization', CASE WHEN FOUND THEN 'back' ELSE 'gone' END, CASE WHEN NOT FOUND THEN gone END;
    END LOOP;
    UPDATE identity.staged_identities AS s SET identity_id = $3
    FROM jsonb_array_elements(taken -> 'staged') AS t
    WHERE s.realm = $1 AND s.site_id = (t ->> 'site_id')::int AND s.original_id = (t ->> 'original_id') COLLATE "C" AND s.identity_id = $2;
    UPDATE identity.link_proposals AS p SET identity_id = $3
    FROM jsonb_array_elements_text(taken -> 'proposals') AS t (id) WHERE p.realm = $1 AND p.proposal_id = t.id::bigint AND p.identity_id = $2;
END
$$;
COMMENT ON FUNCTION identity_internal.give_back(text, uuid, uuid, jsonb) IS 'Internal: what identity.undo_merge() does, when the merge has been found';

CREATE FUNCTION identity_internal.undo_merge(realm text, merge_id uuid)
RETURNS TABLE (identity_id uuid, item text, value text, status text, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    merge identity.merges;
    former jsonb;
BEGIN
    PERFORM identity_internal.check_realm(realm);
    SELECT m.* INTO merge FROM identity.merges AS m WHERE m.realm = $1 AND m.merge_id = $2 FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no merge %', COALESCE(merge_id::text, 'NULL')
            USING ERRCODE = 'undefined_object', HINT = 'identity.merges has those whose identity is still there.';
    ELSIF merge.undone_at IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM identity_internal.check_identity(realm, merge.kept);
    SELECT r.taken INTO STRICT former FROM identity_internal.merged_rows AS r WHERE r.realm = $1 AND r.merge_id = $2;
    IF EXISTS (SELECT FROM identity.identities AS i WHERE i.realm = $1 AND i.id = merge.dropped) THEN
        RAISE EXCEPTION 'the identity is there again'
            USING ERRCODE = 'unique_violation', DETAIL = format('Identity %s has been written since the merge.', merge.dropped),
                  HINT = 'Delete it first, or leave the merge as it is.', SCHEMA = 'identity', TABLE = 'identities', CONSTRAINT = 'identities_pkey';
    END IF;
    RETURN QUERY SELECT merge.dropped, g.* FROM identity_internal.give_back(realm, merge.kept, merge.dropped, former) AS g;
    DELETE FROM identity_internal.merged_rows AS r WHERE r.realm = $1 AND r.merge_id = $2;
    UPDATE identity.merges AS m SET undone_at = now() WHERE m.realm = $1 AND m.merge_id = $2;
    PERFORM identity_internal.audit(realm, 'undo_merge', merge.kept::text, jsonb_build_object('merge_id', merge_id, 'dropped', merge.dropped));
END
$$;
COMMENT ON FUNCTION identity_internal.undo_merge(text, uuid) IS 'Internal: what identity.undo_merge() carries out';

CREATE FUNCTION identity.undo_merge(realm text, merge_id uuid)
RETURNS TABLE (identity_id uuid, item text, value text, status text, reason text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'admin_gate_wrapper';
COMMENT ON FUNCTION identity.undo_merge(text, uuid) IS
'Undoes identity.merge_identities(): the identity that went is there again, with what it had, as far as the other one still has it as it came. Names, addresses and credentials that were changed, removed or given to another since stay so.
Returns a row for each thing: back, or gone with the reason; no rows where it was undone before.
Errors: 42704 no such realm or merge, 23505 the identity has been written anew.';
