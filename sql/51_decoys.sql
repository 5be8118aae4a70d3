-- What is verified for a login name that nobody has, so that it takes as long as for one that somebody has.
--
-- For each realm a summary is kept of the hashes that its names are verified by: their outlines, which have the scheme, the costs and the
-- lengths of a hash and nothing else of it, and how many names have them. For an unknown name one of them is drawn, by a digest with the
-- realm's secret: always the same one, as often each as among the names of the realm. No other name's hash has a say in it.

CREATE FUNCTION identity_internal.hash_outline(hash text) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'hash_outline_wrapper';
COMMENT ON FUNCTION identity_internal.hash_outline(text) IS
'Internal: a hash that takes as long to verify, and has nothing of the password or the salt; NULL where the hash cannot be verified';

CREATE TABLE identity_internal.login_decoys (
    realm text COLLATE "C" PRIMARY KEY,
    made_at timestamptz NOT NULL,
    size bigint NOT NULL,
    outlines jsonb NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('identity_internal.login_decoys', '');
COMMENT ON TABLE identity_internal.login_decoys IS 'Internal: of each realm [[weight, [outline, ...]], ...], and how large the tables were when it was made. Nobody has a right on it';

-- Of a small realm all is looked at, some thousand rows of each table; of a large one those of some pages of the table; or, where these
-- have hardly any of the realm, its first and its last rows.
CREATE FUNCTION identity_internal.sample_outlines(realm text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    most CONSTANT int := 1000;
    -- Of the table's pages, so that some thousand rows are read.
    share float8 := LEAST(1, 100 / GREATEST(1, pg_relation_size('identity.credentials') / current_setting('block_size')::int)::float8);
    weight float8 := 1;
    hashes text[];
    users text[][];
    sampled text[][];
    main jsonb;
    staged jsonb;
BEGIN
    hashes := ARRAY(SELECT c.config ->> 'hashed_password' FROM identity.credentials AS c WHERE c.realm = $1 AND c.type = 'password'
                    ORDER BY c.identity_id LIMIT most + 1);
    IF cardinality(hashes) > most THEN
        sampled := ARRAY(SELECT c.config ->> 'hashed_password' FROM identity.credentials AS c TABLESAMPLE SYSTEM (100 * share)
                         WHERE c.realm = $1 AND c.type = 'password');
        IF cardinality(sampled) >= 100 THEN
            hashes := sampled;
            weight := 1 / share;
        ELSE
            hashes := hashes || ARRAY(SELECT c.config ->> 'hashed_password' FROM identity.credentials AS c WHERE c.realm = $1 AND c.type = 'password'
                                      ORDER BY c.identity_id DESC LIMIT most);
            weight := GREATEST(cardinality(sampled) / share, most) / cardinality(hashes);
        END IF;
    END IF;
    SELECT jsonb_agg(jsonb_build_array(s.n * weight, jsonb_build_array(s.outline))) INTO main FROM (
        SELECT h.outline, count(*) AS n FROM (SELECT identity_internal.hash_outline(h) AS outline FROM unnest(hashes) AS h) AS h
        WHERE h.outline IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 100) AS s;

    share := LEAST(1, 40 / GREATEST(1, pg_relation_size('identity.staged_identities') / current_setting('block_size')::int)::float8);
    weight := 1;
    users := ARRAY(SELECT ARRAY[s.site_id::text, s.original_id] FROM identity.staged_identities AS s WHERE s.realm = $1 AND s.state = 'staged'
                   ORDER BY s.site_id, s.original_id LIMIT most + 1);
    IF array_length(users, 1) > most THEN
        sampled := ARRAY(SELECT ARRAY[s.site_id::text, s.original_id] FROM identity.staged_identities AS s TABLESAMPLE SYSTEM (100 * share)
                         WHERE s.realm = $1 AND s.state = 'staged');
        IF array_length(sampled, 1) >= 100 THEN
            users := sampled;
            weight := 1 / share;
        ELSE
            users := users || ARRAY(SELECT ARRAY[s.site_id::text, s.original_id] FROM identity.staged_identities AS s
                                    WHERE s.realm = $1 AND s.state = 'staged' ORDER BY s.site_id DESC, s.original_id DESC LIMIT most);
            weight := GREATEST(COALESCE(array_length(sampled, 1), 0) / share, most) / array_length(users, 1);
        END IF;
    END IF;
    -- Before duplicates are told apart, all who have a name are tried. The name counts once.
    SELECT jsonb_agg(jsonb_build_array(s.n * weight, to_jsonb(s.outlines))) INTO staged FROM (
        SELECT o.outlines, sum(1.0 / cardinality(o.outlines)) AS n
        FROM generate_subscripts(users, 1) AS i
        CROSS JOIN LATERAL (
            SELECT n.key FROM identity.staged_identifiers AS n
            WHERE n.realm = $1 AND n.site_id = users[i][1]::int AND n.original_id = users[i][2] COLLATE "C" AND n.logs_in
              AND NOT EXISTS (SELECT FROM identity.identifiers AS m WHERE m.realm = $1 AND m.key = n.key)
            ORDER BY n.kind DESC LIMIT 1) AS named
        CROSS JOIN LATERAL (
            SELECT ARRAY(
                SELECT identity_internal.hash_outline(s.password_hash) FROM identity.staged_identifiers AS n
                JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
                WHERE n.realm = $1 AND n.key = named.key AND n.logs_in AND s.state = 'staged' AND identity_internal.hash_outline(s.password_hash) IS NOT NULL
                ORDER BY 1 LIMIT 20) AS outlines) AS o
        WHERE o.outlines <> '{}' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 100) AS s;
    RETURN COALESCE(main, '[]') || COALESCE(staged, '[]');
END
$$;
COMMENT ON FUNCTION identity_internal.sample_outlines(text) IS 'Internal: the outlines of the hashes that names of the realm are verified by, with how many names have them, about';

-- How far two summaries are apart: the share of names that are answered otherwise.
CREATE FUNCTION identity_internal.outlines_apart(one jsonb, other jsonb) RETURNS float8
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH shares AS (
        SELECT e.side, e.entry -> 1 AS outlines, (e.entry ->> 0)::float8 / sum((e.entry ->> 0)::float8) OVER (PARTITION BY e.side) AS share
        FROM (SELECT 1 AS side, jsonb_array_elements($1) AS entry UNION ALL SELECT 2, jsonb_array_elements($2)) AS e)
    SELECT COALESCE(sum(abs(d.difference)) / 2, 0) FROM (
        SELECT sum(CASE s.side WHEN 1 THEN s.share ELSE -s.share END) AS difference FROM shares AS s GROUP BY s.outlines) AS d
$$;
COMMENT ON FUNCTION identity_internal.outlines_apart(jsonb, jsonb) IS 'Internal: 0 where two summaries say the same, 1 where they have nothing in common';

-- The summary is made anew after ten minutes, or when the tables have grown by a tenth, by whichever login comes first; it waits for no
-- other. One that says about the same is left as it is, so that names keep their answers.
CREATE FUNCTION identity_internal.outlines(realm text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    size CONSTANT bigint := pg_relation_size('identity.credentials') + pg_relation_size('identity.staged_identities');
    kept identity_internal.login_decoys;
    made jsonb;
BEGIN
    SELECT d.* INTO kept FROM identity_internal.login_decoys AS d WHERE d.realm = $1;
    IF kept.made_at > clock_timestamp() - interval '10 minutes' AND size BETWEEN kept.size * 0.9 AND kept.size * 1.1 THEN
        RETURN kept.outlines;
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtextextended('pg_identity: decoys of ' || realm, 0)) THEN
        RETURN COALESCE(kept.outlines, identity_internal.sample_outlines(realm));
    END IF;
    -- A realm that came by replication has none yet.
    PERFORM identity_internal.add_secret(realm);
    made := identity_internal.sample_outlines(realm);
    IF kept.outlines <> '[]' AND identity_internal.outlines_apart(made, kept.outlines) < 0.05 THEN
        made := kept.outlines;
    END IF;
    INSERT INTO identity_internal.login_decoys AS d (realm, made_at, size, outlines) VALUES ($1, clock_timestamp(), size, made)
    ON CONFLICT ON CONSTRAINT login_decoys_pkey DO UPDATE SET made_at = excluded.made_at, size = excluded.size, outlines = excluded.outlines;
    RETURN made;
END
$$;
COMMENT ON FUNCTION identity_internal.outlines(text) IS 'Internal: the summary of a realm''s hashes, made anew if it is old';

-- Each entry draws a number for the name, and the first of them wins (weighted rendezvous hashing): a name changes its answer only as far
-- as the shares change.
CREATE FUNCTION identity_internal.decoys(realm text, login text) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    digest CONSTANT bytea := identity_internal.keyed_digest(realm, 'decoy ' || identity_internal.login_key(COALESCE(login, '')));
    outlines CONSTANT jsonb := identity_internal.outlines(realm);
BEGIN
    RETURN (
        SELECT ARRAY(SELECT jsonb_array_elements_text(e.entry -> 1))
        FROM jsonb_array_elements(outlines) AS e (entry)
        CROSS JOIN LATERAL (SELECT sha256(digest || convert_to((e.entry -> 1)::text, 'UTF8')) AS digest) AS n
        ORDER BY ln((('x' || encode(substring(n.digest FOR 6), 'hex'))::bit(48)::bigint + 1) / 281474976710658.0::float8) / (e.entry ->> 0)::float8 DESC
        LIMIT 1);
END
$$;
COMMENT ON FUNCTION identity_internal.decoys(text, text) IS 'Internal: what is verified for a login name that nobody has: always the same for a name; NULL where nobody has a password';
