-- Migration at the first login: who a name is, whether the password is right, and the user's way from the layer into the main tables.

ALTER TABLE identity.realms ADD COLUMN password_scheme text COLLATE "C"
    CHECK (password_scheme OPERATOR(pg_catalog.=) 'argon2id');
COMMENT ON COLUMN identity.realms.password_scheme IS 'What a password is hashed with anew when its owner logs in: argon2id; NULL: hashes stay as they are';

CREATE FUNCTION identity_internal.set_password_scheme(realm text, scheme text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_realm(realm);
    IF scheme <> 'argon2id' THEN
        RAISE EXCEPTION 'unknown password scheme: "%"', identity_internal.shown(scheme)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use argon2id; or NULL, to leave hashes as they are.';
    END IF;
    UPDATE identity.realms AS r SET password_scheme = scheme WHERE r.name = realm;
    PERFORM identity_internal.audit(realm, 'set_password_scheme', NULL, jsonb_build_object('scheme', scheme));
END
$$;
COMMENT ON FUNCTION identity_internal.set_password_scheme(text, text) IS 'Internal: what identity.set_password_scheme() carries out';

CREATE FUNCTION identity.set_password_scheme(realm text, scheme text) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'admin_gate_wrapper';
COMMENT ON FUNCTION identity.set_password_scheme(text, text) IS
'Says what passwords of a realm are hashed with anew when their owners log in by identity.authenticate(): argon2id, at the costs of identity.argon2_memory, argon2_iterations and argon2_parallelism, within those that the superuser''s settings allow, and only where the new hash is not weaker than the old one; NULL: hashes stay as they are.
Errors: 42704 no such realm, 22023 unknown scheme.';

CREATE FUNCTION identity_internal.hash_password(password text) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'hash_password_wrapper';
COMMENT ON FUNCTION identity_internal.hash_password(text) IS 'Internal: the argon2id hash of a password; NULL where it cannot be hashed';

CREATE FUNCTION identity_internal.is_weaker_hash(hash text) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'is_weaker_hash_wrapper';
COMMENT ON FUNCTION identity_internal.is_weaker_hash(text) IS
'Internal: whether a hash that identity_internal.hash_password() makes now is stronger than this one; or as strong, where this one is of another scheme';

CREATE FUNCTION identity_internal.password_fits(password text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'password_fits_wrapper';
COMMENT ON FUNCTION identity_internal.password_fits(text) IS 'Internal: whether a password is not longer than those that are verified';

CREATE FUNCTION identity_internal.login_key(login text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN octet_length(login) > 65536 THEN E'\n' || encode(sha256(convert_to(login, 'UTF8')), 'hex')
                ELSE identity.normalize_identifier('username', login) END;
END
$$;
COMMENT ON FUNCTION identity_internal.login_key(text) IS 'Internal: the key of a login name; of one that is longer than any, a text that is no key';

CREATE TYPE identity_internal.login_candidate AS (
    layer text, identity_id uuid, site_id int, original_id text, identifier_kind text, via text, hash text, active boolean);
COMMENT ON TYPE identity_internal.login_candidate IS 'Internal: who a login name may be, with the password hash; layer: main or staged; via: identifier or former name';

-- Of the names that a login may be, whoever has it now comes first, and keeps all others out; a former name counts only where nobody has it.
-- Every name takes the same steps, in statements whose plans are kept, and reads as many pages that nobody has read lately: of a name that
-- nobody has, those of a row that is drawn for it. The name beside it would not do: the next name that is tried between the two would find
-- its row read. So the time tells little of who is found. A plan that was made while the tables were empty is still the one by their keys.
CREATE FUNCTION identity_internal.candidates(realm text, login text, drawn_by text) RETURNS identity_internal.login_candidate[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    asked CONSTANT text := identity_internal.login_key(login);
    pages CONSTANT bigint := GREATEST(1, pg_relation_size('identity.identifiers') / current_setting('block_size')::int);
    own CONSTANT tid := (SELECT n.ctid FROM identity.identifiers AS n WHERE n.realm = $1 AND n.key = asked COLLATE "C");
    page bigint := 0;
    drawn tid;
    main identity_internal.login_candidate[];
    staged identity_internal.login_candidate[];
    former identity_internal.login_candidate[];
BEGIN
    -- A user's username may be the address too.
    staged := ARRAY(
        SELECT DISTINCT ON (n.site_id, n.original_id)
            ROW('staged', NULL, n.site_id, n.original_id, n.kind, 'identifier', s.password_hash, s.active)::identity_internal.login_candidate
        FROM identity.staged_identifiers AS n
        JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
        WHERE n.realm = $1 AND n.key = asked COLLATE "C" AND n.logs_in AND s.state = 'staged'
          AND NOT EXISTS (SELECT FROM identity_internal.late_names AS l
                          WHERE l.realm = n.realm AND l.key = n.key AND l.site_id = n.site_id AND l.original_id = n.original_id)
        ORDER BY n.site_id, n.original_id, n.kind);
    former := ARRAY(
        SELECT DISTINCT ON (f.site_id, f.original_id)
            ROW(CASE WHEN f.identity_id IS NULL THEN 'staged' ELSE 'main' END, f.identity_id, f.site_id, f.original_id, f.kind, 'former name',
                CASE WHEN f.identity_id IS NULL THEN s.password_hash ELSE c.config ->> 'hashed_password' END,
                CASE WHEN f.identity_id IS NULL THEN s.active ELSE i.state = 'active' END)::identity_internal.login_candidate
        FROM identity_internal.former_names AS f
        JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
        LEFT JOIN identity.identities AS i ON i.realm = f.realm AND i.id = f.identity_id
        LEFT JOIN identity.credentials AS c ON c.realm = f.realm AND c.identity_id = f.identity_id AND c.type = 'password'
        WHERE f.realm = $1 AND f.key = asked COLLATE "C" AND (f.identity_id IS NULL OR i.id IS NOT NULL)
        ORDER BY f.site_id, f.original_id, f.until DESC);
    page := CASE WHEN own IS NOT NULL THEN (own::text::point)[0]::bigint
                 WHEN staged <> '{}' OR former <> '{}' THEN 0
                 ELSE ('x' || right(drawn_by, 8))::bit(32)::bigint % pages END;
    drawn := (SELECT n.ctid FROM identity.identifiers AS n WHERE n.ctid >= format('(%s,0)', page)::tid LIMIT 1);
    main := ARRAY(
        SELECT ROW('main', n.identity_id, NULL, NULL, n.kind, 'identifier', c.config ->> 'hashed_password', i.state = 'active')::identity_internal.login_candidate
        FROM identity.identifiers AS n
        JOIN identity.identities AS i ON i.realm = n.realm AND i.id = n.identity_id
        LEFT JOIN identity.credentials AS c ON c.realm = n.realm AND c.identity_id = n.identity_id AND c.type = 'password'
        WHERE n.ctid = COALESCE(own, drawn));
    RETURN CASE WHEN own IS NOT NULL THEN main WHEN staged <> '{}' THEN staged ELSE former END;
END
$$;
COMMENT ON FUNCTION identity_internal.candidates(text, text, text) IS
'Internal: identity.login_candidates(), with the password hash. drawn_by: a text that ends with eight hexadecimal digits, which draw the row that is read for a name that nobody has';

CREATE FUNCTION identity_internal.login_candidates(realm text, login text)
RETURNS TABLE (layer text, identity_id uuid, site text, original_id text, identifier_kind text, via text, scheme text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT c.layer, c.identity_id, t.name::text, c.original_id, c.identifier_kind, c.via, (identity.inspect_password_hash(c.hash)).scheme
    FROM unnest(identity_internal.candidates($1, $2, identity_internal.key_as_counted($1, $2))) AS c
    LEFT JOIN identity.sites AS t ON t.realm = $1 AND t.site_id = c.site_id;
END
$$;
COMMENT ON FUNCTION identity_internal.login_candidates(text, text) IS 'Internal: what identity.login_candidates() carries out';

CREATE FUNCTION identity.login_candidates(realm text, login text)
RETURNS TABLE (layer text, identity_id uuid, site text, original_id text, identifier_kind text, via text, scheme text)
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'application_gate_wrapper';
COMMENT ON FUNCTION identity.login_candidates(text, text) IS
'Who a login name may be: the identity of the main tables that has it; else the staged users who have it; else those who had it before a renaming, for identity.former_name_grace.
layer: main or staged. via: identifier, or former name. scheme: of the password hash; NULL without one. Several rows: duplicates that identity.dedup_site_logins() has not seen yet. No rows: nobody, or no such realm.';

CREATE TYPE identity_internal.promotion AS (original_id text, status text, identity_id uuid, constraint_name text, key jsonb, existing jsonb);
COMMENT ON TYPE identity_internal.promotion IS 'Internal: what became of a staged user, or stands against it';

CREATE TYPE identity_internal.kept_name AS (original_id text, kind text, logs_in boolean, constraint_name text, key text, existing jsonb);
COMMENT ON TYPE identity_internal.kept_name IS 'Internal: a name of a staged user that somebody else keeps';

-- Here and below each row is looked up by the tables' keys, in the order that is written, whatever the planner believes of tables without statistics: of
-- the realm and the site as constants it would expect one row (OFFSET 0 hides them).
CREATE FUNCTION identity_internal.kept_names(realm text, site_id int, original_ids text[]) RETURNS SETOF identity_internal.kept_name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET jit = off
AS $$
BEGIN
    RETURN QUERY
    WITH names AS MATERIALIZED (
        SELECT n.realm, n.site_id, n.original_id, n.kind, n.logs_in, k.key,
            CASE n.kind WHEN 'email' THEN s.email_verified WHEN 'phone' THEN s.phone_verified ELSE false END AS verified
        FROM (SELECT $1 AS realm, $2 AS site_id, o.original_id FROM unnest(original_ids) AS o (original_id) OFFSET 0) AS u
        JOIN identity.staged_identities AS s ON (s.realm, s.site_id, s.original_id) = (u.realm, u.site_id, u.original_id)
        JOIN identity.staged_identifiers AS n ON (n.realm, n.site_id, n.original_id) = (u.realm, u.site_id, u.original_id)
        -- Who was staged long ago may have a key of an earlier version.
        CROSS JOIN LATERAL (SELECT identity.normalize_identifier(n.kind, n.value) COLLATE "C" AS key) AS k
    ), addressed AS MATERIALIZED (
        SELECT n.*, r.role, r.via FROM names AS n
        CROSS JOIN (VALUES ('verifiable', 'email'), ('verifiable', 'sms'), ('recovery', 'email'), ('recovery', 'sms')) AS r (role, via)
    ), renamed AS MATERIALIZED (
        SELECT n.* FROM names AS n
        WHERE EXISTS (SELECT FROM identity.former_logins AS f WHERE f.realm = n.realm AND f.old_key = n.key))
    SELECT n.original_id, n.kind, n.logs_in, 'addresses_pkey', n.key, jsonb_build_object('realm', a.realm, 'id', a.identity_id)
    FROM addressed AS n
    JOIN identity.addresses AS a ON (a.realm, a.role, a.via, a.key) = (n.realm, n.role, n.via, n.key)
    WHERE a.verified
    UNION
    SELECT n.original_id, n.kind, n.logs_in, 'staged_identifiers_pkey', n.key, jsonb_build_object('realm', o.realm, 'site_id', o.site_id, 'original_id', o.original_id)
    FROM names AS n
    JOIN identity.staged_identifiers AS o ON (o.realm, o.key) = (n.realm, n.key)
    JOIN identity.staged_identities AS s ON (s.realm, s.site_id, s.original_id) = (o.realm, o.site_id, o.original_id)
    WHERE NOT n.verified AND (o.site_id, o.original_id) <> (n.site_id, n.original_id) AND s.state = 'staged'
      AND CASE o.kind WHEN 'email' THEN s.email_verified WHEN 'phone' THEN s.phone_verified ELSE false END
    UNION
    SELECT n.original_id, n.kind, n.logs_in, 'former_logins_pkey', n.key,
        jsonb_build_object('realm', n.realm, 'site_id', l.owner_site_id, 'original_id', l.owner_original_id)
    FROM renamed AS n
    CROSS JOIN LATERAL (
        SELECT l.owner_site_id, l.owner_original_id FROM identity_internal.late_names AS l
        WHERE (l.realm, l.key, l.site_id, l.original_id, l.kind) = (n.realm, n.key, n.site_id, n.original_id, n.kind) OFFSET 0) AS l;
END
$$;
COMMENT ON FUNCTION identity_internal.kept_names(text, int, text[]) IS
'Internal: names of staged users that do not become theirs in the main tables: verified addresses of identities, or, where the user has not proved them, of other staged users; and former names of others';

CREATE FUNCTION identity_internal.promotion_conflicts(realm text, site_id int, original_ids text[]) RETURNS SETOF identity_internal.promotion
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET jit = off
AS $$
DECLARE
    kept CONSTANT identity_internal.kept_name[] := ARRAY(
        SELECT k::identity_internal.kept_name FROM identity_internal.kept_names($1, $2, original_ids) AS k WHERE k.logs_in);
BEGIN
    RETURN QUERY
    WITH users AS MATERIALIZED (
        SELECT $1 AS realm, $2 AS site_id, u.original_id, t.name || ':' || u.original_id AS external_id
        FROM unnest(original_ids) AS u (original_id)
        JOIN identity.sites AS t ON (t.realm, t.site_id) = ($1, $2)
    ), names AS MATERIALIZED (
        SELECT n.realm, n.original_id, n.kind, identity.normalize_identifier(n.kind, n.value) COLLATE "C" AS key
        FROM users AS u
        JOIN identity.staged_identifiers AS n ON (n.realm, n.site_id, n.original_id) = (u.realm, u.site_id, u.original_id)
        WHERE n.logs_in
    ), found (original_id, constraint_name, key, existing) AS (
        SELECT n.original_id, 'identifiers_pkey', jsonb_build_object('realm', i.realm, 'key', i.key), jsonb_build_object('realm', i.realm, 'id', i.identity_id)
        FROM names AS n
        JOIN identity.identifiers AS i ON (i.realm, i.key) = (n.realm, n.key)
        UNION
        -- Whoever has no other name would take one that somebody else has proved to be theirs, or had before.
        SELECT k.original_id, k.constraint_name, jsonb_build_object('realm', $1, 'key', k.key), k.existing
        FROM unnest(kept) AS k
        WHERE k.original_id NOT IN (
            SELECT n.original_id FROM names AS n WHERE (n.original_id, n.kind) NOT IN (SELECT o.original_id, o.kind FROM unnest(kept) AS o))
        UNION
        SELECT u.original_id, 'identities_external_id_key', jsonb_build_object('realm', i.realm, 'external_id', i.external_id), jsonb_build_object('realm', i.realm, 'id', i.id)
        FROM users AS u
        JOIN identity.identities AS i ON (i.realm, i.external_id) = (u.realm, u.external_id))
    SELECT f.original_id, 'conflict', NULL::uuid, f.constraint_name, f.key, f.existing FROM found AS f ORDER BY f.original_id, f.constraint_name, f.key;
END
$$;
COMMENT ON FUNCTION identity_internal.promotion_conflicts(text, int, text[]) IS 'Internal: what stands against the promotion of staged users';

-- Writes the identities of staged users, locked before, and leaves their tombstones.
CREATE FUNCTION identity_internal.write_promoted(realm text, site_id int, original_ids text[], renewed text = NULL)
RETURNS TABLE (original_id text, identity_id uuid)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET jit = off
AS $$
DECLARE
    new_ids CONSTANT uuid[] := ARRAY(SELECT identity.new_id() FROM unnest(original_ids));
    kept identity_internal.kept_name[] := ARRAY(SELECT k::identity_internal.kept_name FROM identity_internal.kept_names($1, $2, original_ids) AS k);
    nameless text;
BEGIN
    INSERT INTO identity.identities (realm, id, external_id, state, traits, created_at)
    SELECT s.realm, u.id, t.name || ':' || s.original_id, CASE WHEN s.active THEN 'active' ELSE 'inactive' END,
        s.traits || jsonb_strip_nulls(jsonb_build_object('display_name', s.display_name)) || COALESCE(n.names, '{}'),
        COALESCE(s.registered_at, now())
    FROM (SELECT $1 AS realm, $2 AS site_id, o.* FROM unnest(original_ids, new_ids) AS o (original_id, id) OFFSET 0) AS u
    JOIN identity.staged_identities AS s ON (s.realm, s.site_id, s.original_id) = (u.realm, u.site_id, u.original_id)
    JOIN identity.sites AS t ON (t.realm, t.site_id) = (s.realm, s.site_id)
    CROSS JOIN LATERAL (
        SELECT jsonb_object_agg(m.kind, m.value) AS names FROM identity.staged_identifiers AS m
        WHERE (m.realm, m.site_id, m.original_id) = (s.realm, s.site_id, s.original_id)) AS n;
    INSERT INTO identity.credentials (realm, identity_id, type, config)
    SELECT s.realm, u.id, 'password', jsonb_build_object('hashed_password', COALESCE(renewed, s.password_hash))
    FROM (SELECT $1 AS realm, $2 AS site_id, o.* FROM unnest(original_ids, new_ids) AS o (original_id, id) OFFSET 0) AS u
    JOIN identity.staged_identities AS s ON (s.realm, s.site_id, s.original_id) = (u.realm, u.site_id, u.original_id)
    WHERE COALESCE(renewed, s.password_hash) IS NOT NULL;
    -- An address that is another's already stays in the traits alone. Only one that was verified recovers an account. If another session
    -- is writing it, this waits, and then it is asked again whose it is.
    INSERT INTO identity.addresses (realm, role, via, key, value, identity_id, verified, status)
    SELECT n.realm, r.role, CASE n.kind WHEN 'email' THEN 'email' ELSE 'sms' END, n.key, n.value, u.id, v.verified,
        CASE WHEN v.verified THEN 'completed' ELSE 'pending' END
    FROM (SELECT $1 AS realm, $2 AS site_id, o.* FROM unnest(original_ids, new_ids) AS o (original_id, id) OFFSET 0) AS u
    JOIN identity.staged_identities AS s ON (s.realm, s.site_id, s.original_id) = (u.realm, u.site_id, u.original_id)
    JOIN identity.staged_identifiers AS n ON (n.realm, n.site_id, n.original_id) = (u.realm, u.site_id, u.original_id)
    CROSS JOIN LATERAL (SELECT CASE n.kind WHEN 'email' THEN s.email_verified ELSE s.phone_verified END AS verified) AS v
    CROSS JOIN (VALUES ('verifiable'), ('recovery')) AS r (role)
    WHERE n.kind <> 'username' AND (r.role = 'verifiable' OR v.verified)
      AND (n.original_id, n.kind) NOT IN (SELECT k.original_id, k.kind FROM unnest(kept) AS k WHERE k.constraint_name = 'addresses_pkey')
      AND (v.verified OR (n.original_id, n.kind) NOT IN (SELECT k.original_id, k.kind FROM unnest(kept) AS k))
    ON CONFLICT DO NOTHING;
    kept := kept || ARRAY(
        SELECT k::identity_internal.kept_name FROM identity_internal.kept_names($1, $2, original_ids) AS k
        WHERE ((k.existing ->> 'id')::uuid = ANY (new_ids)) IS NOT TRUE);
    -- Nor does such an address become a login name, whichever kind of name it is here.
    INSERT INTO identity.identifiers (realm, key, kind, value, identity_id)
    SELECT DISTINCT ON (u.id, k.key) n.realm, k.key, n.kind, n.value, u.id
    FROM (SELECT $1 AS realm, $2 AS site_id, o.* FROM unnest(original_ids, new_ids) AS o (original_id, id) OFFSET 0) AS u
    JOIN identity.staged_identifiers AS n ON (n.realm, n.site_id, n.original_id) = (u.realm, u.site_id, u.original_id)
    CROSS JOIN LATERAL (SELECT identity.normalize_identifier(n.kind, n.value) COLLATE "C" AS key) AS k
    WHERE n.logs_in AND (n.original_id, n.kind) NOT IN (SELECT k.original_id, k.kind FROM unnest(kept) AS k)
    ORDER BY u.id, k.key, n.kind;
    SELECT u.original_id INTO nameless
    FROM (SELECT $1 AS realm, $2 AS site_id, o.* FROM unnest(original_ids, new_ids) AS o (original_id, id) OFFSET 0) AS u
    WHERE NOT EXISTS (SELECT FROM identity.identifiers AS i WHERE i.realm = u.realm AND i.identity_id = u.id)
      AND EXISTS (SELECT FROM identity.staged_identifiers AS n WHERE (n.realm, n.site_id, n.original_id) = (u.realm, u.site_id, u.original_id) AND n.logs_in)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'every login name is kept by somebody else' USING ERRCODE = 'unique_violation', CONSTRAINT = 'addresses_pkey';
    END IF;
    UPDATE identity.staged_identities AS s
    SET state = 'promoted', identity_id = u.id, password_hash = NULL, username = NULL, email = NULL, phone = NULL,
        display_name = NULL, traits = '{}', changed_at = now()
    FROM (SELECT $1 AS realm, $2 AS site_id, o.* FROM unnest(original_ids, new_ids) AS o (original_id, id) OFFSET 0) AS u
    WHERE (s.realm, s.site_id, s.original_id) = (u.realm, u.site_id, u.original_id);
    DELETE FROM identity.staged_identifiers AS n
    USING (SELECT $1 AS realm, $2 AS site_id, o.original_id FROM unnest(original_ids) AS o (original_id) OFFSET 0) AS u
    WHERE (n.realm, n.site_id, n.original_id) = (u.realm, u.site_id, u.original_id);
    PERFORM identity_internal.audit($1, 'promote_identity', u.id::text, jsonb_build_object('site_id', $2, 'original_id', u.original_id))
    FROM unnest(original_ids, new_ids) AS u (original_id, id);
    RETURN QUERY SELECT u.* FROM unnest(original_ids, new_ids) AS u (original_id, id);
END
$$;
COMMENT ON FUNCTION identity_internal.write_promoted(text, int, text[], text) IS
'Internal: staged users become identities of the main tables. renewed: a password hash in the place of the only user''s';

CREATE FUNCTION identity_internal.promote_staged(realm text, site_id int, original_id text, proved text = NULL, renewed text = NULL)
RETURNS TABLE (status text, identity_id uuid, constraint_name text, key jsonb, existing jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    staged identity.staged_identities;
    refused text;
BEGIN
    PERFORM identity_internal.lock_staged(realm, false);
    -- Of two sessions that promote one user, the second waits here, and finds the tombstone.
    SELECT s.* INTO staged FROM identity.staged_identities AS s WHERE (s.realm, s.site_id, s.original_id) = ($1, $2, $3) FOR UPDATE;
    IF staged.state IN ('promoted', 'linked') THEN
        RETURN QUERY SELECT CASE staged.state WHEN 'promoted' THEN 'promoted before' ELSE 'linked' END, staged.identity_id, NULL, NULL::jsonb, NULL::jsonb;
        RETURN;
    ELSIF staged.state = 'quarantined' THEN
        RETURN QUERY SELECT 'quarantined', NULL::uuid, NULL, NULL::jsonb, NULL::jsonb;
        RETURN;
    END IF;
    IF staged.password_hash <> proved THEN
        RETURN QUERY SELECT 'changed', NULL::uuid, NULL, NULL::jsonb, NULL::jsonb;
        RETURN;
    END IF;
    RETURN QUERY SELECT c.status, NULL::uuid, c.constraint_name, c.key, c.existing FROM identity_internal.promotion_conflicts($1, $2, ARRAY[$3]) AS c;
    IF FOUND THEN
        RETURN;
    END IF;
    BEGIN
        RETURN QUERY SELECT 'promoted', w.identity_id, NULL, NULL::jsonb, NULL::jsonb FROM identity_internal.write_promoted($1, $2, ARRAY[$3], renewed) AS w;
    EXCEPTION WHEN integrity_constraint_violation THEN
        -- Another session was faster; or somebody's own constraint refuses the row, which is not shown: it has secrets.
        GET STACKED DIAGNOSTICS refused = CONSTRAINT_NAME;
        RETURN QUERY
        SELECT 'conflict', NULL::uuid, COALESCE(c.constraint_name, refused), c.key, c.existing
        FROM (SELECT) AS one LEFT JOIN identity_internal.promotion_conflicts($1, $2, ARRAY[$3]) AS c ON true;
    END;
END
$$;
COMMENT ON FUNCTION identity_internal.promote_staged(text, int, text, text, text) IS
'Internal: identity.promote_identity(). proved: the hash that the password was verified by; status is changed, where it is another one by now. renewed: what takes its place';

CREATE FUNCTION identity_internal.promote_identity(realm text, site text, original_id text)
RETURNS TABLE (status text, identity_id uuid, constraint_name text, key jsonb, existing jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    number CONSTANT int := identity_internal.site_id(realm, site);
BEGIN
    IF NOT EXISTS (SELECT FROM identity.staged_identities AS s WHERE (s.realm, s.site_id, s.original_id) = ($1, number, $3)) THEN
        RAISE EXCEPTION 'site "%" has no user "%"', site, identity_internal.shown(original_id)
            USING ERRCODE = 'undefined_object', HINT = 'identity.stage_site() stages users; original_id is the user''s key at the site.';
    END IF;
    RETURN QUERY SELECT p.* FROM identity_internal.promote_staged(realm, number, original_id) AS p;
END
$$;
COMMENT ON FUNCTION identity_internal.promote_identity(text, text, text) IS 'Internal: what identity.promote_identity() carries out';

CREATE FUNCTION identity.promote_identity(realm text, site text, original_id text)
RETURNS TABLE (status text, identity_id uuid, constraint_name text, key jsonb, existing jsonb)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'importer_gate_wrapper';
COMMENT ON FUNCTION identity.promote_identity(text, text, text) IS
'Makes a staged user an identity of the main tables, with the user''s login names, addresses and password hash, and leaves a tombstone in the layer. For applications that verify passwords themselves; identity.authenticate() does it at the first login.
status: promoted; promoted before, linked (identity_id is the identity that the user has); quarantined; conflict (a row for each key that another identity holds: nothing was written, nothing is lost).
Errors: 42704 no such realm, site or user.';

-- Users of one site, locked before: those against whom nothing stands are written together.
CREATE FUNCTION identity_internal.promote_users(realm text, site_id int, original_ids text[]) RETURNS SETOF identity_internal.promotion
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET jit = off
AS $$
DECLARE
    held CONSTANT identity_internal.promotion[] := ARRAY(
        SELECT c::identity_internal.promotion FROM identity_internal.promotion_conflicts($1, $2, original_ids) AS c);
    -- Of two users with one name the first keeps it.
    repeated CONSTANT identity_internal.promotion[] := ARRAY(
        SELECT ROW(r.original_id, 'conflict', NULL, 'staged_identifiers_pkey', jsonb_build_object('realm', $1, 'key', r.key),
                   jsonb_build_object('realm', $1, 'site_id', $2, 'original_id', r.first))::identity_internal.promotion
        FROM (SELECT n.original_id, n.key, min(n.original_id) OVER (PARTITION BY n.key) AS first
              FROM (SELECT $1 AS realm, $2 AS site_id, o.original_id FROM unnest(original_ids) AS o (original_id) OFFSET 0) AS u
              JOIN identity.staged_identifiers AS n ON (n.realm, n.site_id, n.original_id) = (u.realm, u.site_id, u.original_id)
              WHERE n.logs_in AND (n.original_id, n.kind) NOT IN (
                  SELECT k.original_id, k.kind FROM identity_internal.kept_names($1, $2, original_ids) AS k)) AS r
        WHERE r.first <> r.original_id);
    clean CONSTANT text[] := ARRAY(
        SELECT u.original_id FROM unnest(original_ids) AS u (original_id)
        WHERE u.original_id NOT IN (SELECT p.original_id FROM unnest(repeated || held) AS p));
BEGIN
    RETURN QUERY SELECT p.* FROM unnest(held || repeated) AS p;
    RETURN QUERY SELECT w.original_id, 'promoted', w.identity_id, NULL, NULL::jsonb, NULL::jsonb FROM identity_internal.write_promoted($1, $2, clean) AS w;
END
$$;
COMMENT ON FUNCTION identity_internal.promote_users(text, int, text[]) IS 'Internal: some users of identity.promote_site()';

-- A thousand at a time. Where the tables refuse one of them, for another session was faster or by a constraint of the user's own, each is tried
-- by itself. Whoever is being promoted at a login is left to it.
CREATE FUNCTION identity_internal.promote_site(realm text, site text, max_users bigint)
RETURNS TABLE (original_id text, status text, identity_id uuid, constraint_name text, key jsonb, existing jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off SET jit = off
AS $$
DECLARE
    number CONSTANT int := identity_internal.site_id(realm, site);
    remaining bigint := COALESCE(max_users, 9223372036854775807);
    users text[];
    after text := '';
    done identity_internal.promotion[];
BEGIN
    IF max_users < 0 THEN
        RAISE EXCEPTION 'max_users is less than 0' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('It is %s.', max_users), HINT = 'Leave it out for all users of the site.';
    END IF;
    PERFORM identity_internal.lock_staged(realm, false);
    LOOP
        users := ARRAY(
            SELECT s.original_id FROM identity.staged_identities AS s
            WHERE s.realm = $1 AND s.site_id = number AND s.original_id > after COLLATE "C" AND s.state = 'staged'
            ORDER BY s.original_id LIMIT LEAST(1000, remaining) FOR UPDATE SKIP LOCKED);
        EXIT WHEN users = '{}';
        IF after = '' AND cardinality(users) = 1000 THEN
            -- By which the server looks up foreign keys: they may have been made while the tables were empty.
            DISCARD PLANS;
        END IF;
        BEGIN
            done := ARRAY(SELECT p::identity_internal.promotion FROM identity_internal.promote_users(realm, number, users) AS p);
        EXCEPTION WHEN integrity_constraint_violation THEN
            done := ARRAY(
                SELECT ROW(u.original_id, p.status, p.identity_id, p.constraint_name, p.key, p.existing)::identity_internal.promotion
                FROM unnest(users) AS u (original_id)
                CROSS JOIN LATERAL identity_internal.promote_staged(realm, number, u.original_id) AS p);
        END;
        RETURN QUERY SELECT d.* FROM unnest(done) AS d ORDER BY d.original_id;
        after := users[cardinality(users)];
        remaining := remaining - cardinality(users);
    END LOOP;
END
$$;
COMMENT ON FUNCTION identity_internal.promote_site(text, text, bigint) IS 'Internal: what identity.promote_site() carries out';

CREATE FUNCTION identity.promote_site(realm text, site text, max_users bigint = NULL)
RETURNS TABLE (original_id text, status text, identity_id uuid, constraint_name text, key jsonb, existing jsonb)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'importer_gate_wrapper';
COMMENT ON FUNCTION identity.promote_site(text, text, bigint) IS
'Promotes the staged users of a site, as identity.promote_identity() does it for one: those who have not logged in since, once the site is closed. In the order of original_id, max_users of them at the most: a script that commits in between calls it until it returns no rows with the status promoted. Users in quarantine stay where they are.
Returns a row for each user, several where there are several conflicts. status: promoted; conflict (a name, an address or the external_id is somebody else''s: nothing of that user was written). Of two users of the site with one login name the first is promoted: run identity.dedup_site_logins() before.
Locks: first logins of the users that are promoted wait until the transaction ends; users who are logging in for the first time at this moment are passed over.
Errors: 42704 no such realm or site, 22023 max_users is less than 0.';

CREATE FUNCTION identity_internal.current_login(realm text, identity_id uuid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT n.value FROM identity.identifiers AS n WHERE n.realm = $1 AND n.identity_id = $2
    ORDER BY n.kind <> 'username', n.kind, n.key LIMIT 1
$$;
COMMENT ON FUNCTION identity_internal.current_login(text, uuid) IS 'Internal: a name that an identity logs in with: its username, if it has one';

-- A constraint that somebody has added may refuse the new hash; what it says of the row would have both hashes in it. The old one stays then.
CREATE FUNCTION identity_internal.renew_hash(realm text, identity_id uuid, hash text, renewed text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    refused text;
BEGIN
    UPDATE identity.credentials AS c SET config = jsonb_set(c.config, '{hashed_password}', to_jsonb(renewed))
    WHERE c.realm = $1 AND c.identity_id = $2 AND c.type = 'password' AND c.config ->> 'hashed_password' = hash;
EXCEPTION WHEN integrity_constraint_violation THEN
    GET STACKED DIAGNOSTICS refused = CONSTRAINT_NAME;
    RAISE WARNING 'constraint "%" of identity.credentials refuses a new password hash', refused
        USING DETAIL = 'The identity logs in, and keeps the hash that it has.';
END
$$;
COMMENT ON FUNCTION identity_internal.renew_hash(text, uuid, text, text) IS 'Internal: replaces a password hash, if it is still the one that the password was verified by';

-- The password was right: the way into the main tables, and the notices that need no sending any more.
CREATE FUNCTION identity_internal.admit(realm text, layer text, identity_id uuid, site_id int, original_id text, hash text, password text)
RETURNS TABLE (admitted uuid, promoted boolean, problem text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    scheme CONSTANT text := (SELECT r.password_scheme FROM identity.realms AS r WHERE r.name = $1);
    renewed text;
    outcome record;
BEGIN
    IF scheme = 'argon2id' AND identity_internal.is_weaker_hash(hash) THEN
        renewed := identity_internal.hash_password(password);
    END IF;
    IF layer = 'main' THEN
        PERFORM identity_internal.renew_hash(realm, identity_id, hash, renewed) WHERE renewed IS NOT NULL;
        RETURN QUERY SELECT $3, false, NULL;
        RETURN;
    END IF;
    SELECT p.* INTO outcome FROM identity_internal.promote_staged($1, $4, $5, hash, renewed) AS p LIMIT 1;
    IF outcome.status = 'promoted before' AND NOT EXISTS (
        SELECT FROM identity.identities AS i WHERE i.realm = $1 AND i.id = outcome.identity_id AND i.state = 'active') THEN
        RETURN QUERY SELECT NULL::uuid, false, 'identity_inactive';
        RETURN;
    END IF;
    IF outcome.status IN ('promoted', 'promoted before') THEN
        -- Nobody waits for a worker that is sending one at this moment.
        WITH known AS MATERIALIZED (
            SELECT n.realm, n.notice_id FROM identity.notices AS n
            WHERE (n.realm, n.site_id, n.original_id) = ($1, $4, $5) AND n.state IN ('pending', 'sent', 'bounced')
            FOR NO KEY UPDATE SKIP LOCKED)
        UPDATE identity.notices AS n SET state = 'acknowledged', changed_at = now()
        FROM known AS k WHERE (n.realm, n.notice_id) = (k.realm, k.notice_id);
    END IF;
    -- A linked identity has a password of its own.
    RETURN QUERY SELECT CASE WHEN outcome.status IN ('promoted', 'promoted before') THEN outcome.identity_id END, outcome.status = 'promoted',
        CASE outcome.status WHEN 'conflict' THEN 'promotion_conflict' WHEN 'quarantined' THEN 'quarantined'
                            WHEN 'linked' THEN 'wrong_password' WHEN 'changed' THEN 'wrong_password' END;
END
$$;
COMMENT ON FUNCTION identity_internal.admit(text, text, uuid, int, text, text, text) IS 'Internal: what follows a right password';

-- Nobody, and whoever has no password that can be verified, takes as long as somebody else: the same statements, over stand-ins.
CREATE FUNCTION identity_internal.verify_login(realm text, login text, password text, candidates identity_internal.login_candidate[])
RETURNS TABLE (problem text, owner identity_internal.login_candidate)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stand_ins CONSTANT identity_internal.login_candidate[] := ARRAY(
        SELECT ROW(NULL, NULL, NULL, NULL, NULL, NULL, d.hash, NULL)::identity_internal.login_candidate FROM unnest(identity_internal.decoys(realm, login)) AS d (hash));
    tried CONSTANT identity_internal.login_candidate[] := ARRAY(
        SELECT c::identity_internal.login_candidate FROM unnest(CASE WHEN candidates = '{}' THEN stand_ins ELSE candidates END) AS c
        CROSS JOIN LATERAL identity.inspect_password_hash(c.hash) AS h
        WHERE h.supported);
    -- OFFSET 0: each is verified, whatever else is asked of it.
    fitting CONSTANT identity_internal.login_candidate[] := ARRAY(
        SELECT v.candidate
        FROM (SELECT c::identity_internal.login_candidate AS candidate, identity.verify_password(c.hash, password) AS fits
              FROM unnest(CASE WHEN tried = '{}' THEN stand_ins ELSE tried END) AS c OFFSET 0) AS v
        WHERE v.fits AND (v.candidate).layer IS NOT NULL);
BEGIN
    owner := CASE WHEN cardinality(fitting) = 1 THEN fitting[1] END;
    problem := CASE WHEN candidates = '{}' THEN 'unknown_login' WHEN fitting = '{}' THEN 'wrong_password' WHEN cardinality(fitting) > 1 THEN 'ambiguous_login'
                    WHEN NOT (fitting[1]).active THEN 'identity_inactive' END;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION identity_internal.verify_login(text, text, text, identity_internal.login_candidate[]) IS
'Internal: which of those whom a login name may be proves the name theirs by a password, or why nobody does';

CREATE FUNCTION identity_internal.authenticate(realm text, login text, password text, context jsonb)
RETURNS TABLE (verdict text, identity_id uuid, promoted boolean, renamed_to text, reason text, retry_after interval)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    address CONSTANT text := identity_internal.context_address(context);
    name CONSTANT text := identity_internal.key_as_counted(realm, identity_internal.login_key(COALESCE(login, '')));
    -- Whose failures these are as well; of a name that is nobody's its own.
    subject text := name;
    started CONSTANT timestamptz := clock_timestamp();
    candidates identity_internal.login_candidate[];
    owner uuid;
    who identity_internal.login_candidate;
    proof record;
    start record;
BEGIN
    PERFORM identity_internal.check_realm(realm);
    promoted := false;
    candidates := identity_internal.candidates(realm, login, name);
    owner := (candidates[1]).identity_id;
    subject := COALESCE(owner::text, (candidates[1]).site_id || ':' || (candidates[1]).original_id, name);
    SELECT b.* INTO start FROM identity_internal.login_begins(realm, name, subject, owner, address) AS b;
    retry_after := start.wait;
    IF retry_after IS NOT NULL THEN
        verdict := 'throttled';
        reason := 'throttled';
    ELSE
        IF NOT identity_internal.password_fits(password) THEN
            reason := 'password_too_long';
        ELSE
            SELECT w.* INTO proof FROM identity_internal.verify_login(realm, login, password, candidates) AS w;
            reason := proof.problem;
            who := proof.owner;
        END IF;
        IF reason IS NULL THEN
            SELECT a.admitted, a.promoted, a.problem INTO identity_id, promoted, reason
            FROM identity_internal.admit(realm, who.layer, who.identity_id, who.site_id, who.original_id, who.hash, password) AS a;
        END IF;
        IF identity_id IS NULL THEN
            verdict := 'denied';
            PERFORM identity_internal.login_failed(realm, name, subject, owner, address, start.slot);
        ELSE
            verdict := 'authenticated';
            PERFORM identity_internal.login_succeeded(realm, name, identity_id, address, start.failed_before, start.slot);
        END IF;
        IF verdict = 'authenticated' AND who.via = 'former name' THEN
            renamed_to := identity_internal.current_login(realm, identity_id);
            reason := 'former_name';
        END IF;
    END IF;
    PERFORM identity_internal.audit(realm, 'authenticate', COALESCE(identity_id::text, subject),
        jsonb_strip_nulls(jsonb_build_object('verdict', verdict, 'reason', reason, 'ip', address)));
    IF verdict <> 'authenticated' THEN
        PERFORM identity_internal.wait_for_step(started);
    END IF;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION identity_internal.authenticate(text, text, text, jsonb) IS 'Internal: what identity.authenticate() carries out';

CREATE FUNCTION identity.authenticate(realm text, login text, password text, context jsonb = '{}')
RETURNS TABLE (verdict text, identity_id uuid, promoted boolean, renamed_to text, reason text, retry_after interval)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'application_gate_wrapper';
COMMENT ON FUNCTION identity.authenticate(text, text, text, jsonb) IS
'Verifies a login name and a password, first in the main tables, then among the staged users, and makes a staged user whose password is right an identity of the main tables in the same transaction (with a hash of the realm''s own scheme, where identity.set_password_scheme() has set one).
verdict: authenticated, denied, or throttled (too many failures of this name or address; until retry_after is over). promoted: it happened now. renamed_to: the new name, where the login was by a former one. reason, for the application and not for the user: unknown_login, wrong_password, password_too_long (more than 4096 bytes; nothing is verified), ambiguous_login (several staged users have this name and this password), identity_inactive, promotion_conflict (identity.promote_identity() names the conflict), quarantined; former_name.
A wrong password never falls through to another person. An unknown login makes the work of a password of the realm: which, is drawn for each name by a secret of the realm. context: what identity.resolve_login() takes; "ip" is the address that failures are counted for.
Errors: 42704 no such realm, 22023 a context of another form.';
