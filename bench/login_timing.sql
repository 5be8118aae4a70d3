-- What the time of one login tells of whether the name exists, in the realm "mixed": for the bench and for a test.
CREATE SCHEMA timing;
CREATE TABLE timing.calls (name text PRIMARY KEY, exists boolean NOT NULL, first float8, second float8);

-- Identities whose passwords have one of these hashes, in turn by chance; and staged users of a site with the last of them.
CREATE FUNCTION timing.fill(hashes text[], identities int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM identity.add_realm('mixed');
    INSERT INTO identity.identities (realm, id) SELECT 'mixed', ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid FROM generate_series(1, identities) AS n;
    INSERT INTO identity.identifiers (realm, kind, value, identity_id)
    SELECT 'mixed', 'username', 'user' || md5(i.id::text), i.id FROM identity.identities AS i WHERE i.realm = 'mixed';
    INSERT INTO identity.credentials (realm, identity_id, type, config)
    SELECT 'mixed', i.id, 'password', jsonb_build_object('hashed_password', hashes[1 + floor(random() * cardinality(hashes))::int])
    FROM identity.identities AS i WHERE i.realm = 'mixed';
END $$;

-- In no order: so many names that exist, and as many that do not; of each name one call, or the shortest of several, and then the same
-- with a "!" behind it.
CREATE PROCEDURE timing.measure(many int, calls int = 1) LANGUAGE plpgsql AS $$
DECLARE
    one record;
    started timestamptz;
    took float8[];
BEGIN
    DELETE FROM timing.calls;
    INSERT INTO timing.calls (name, exists)
    (SELECT i.value, true FROM identity.identifiers AS i WHERE i.realm = 'mixed' ORDER BY random() LIMIT many)
    UNION ALL SELECT 'user' || md5('nobody' || random()), false FROM generate_series(1, many);
    -- The first calls of a session, and of a realm, take longer.
    FOR n IN 1..20 LOOP
        PERFORM identity.authenticate('mixed', 'warm' || n, 'wrong');
    END LOOP;
    COMMIT;
    FOR one IN SELECT c.name FROM timing.calls AS c ORDER BY random() LOOP
        took := '{}';
        FOR n IN 0..2 * calls - 1 LOOP
            started := clock_timestamp();
            PERFORM identity.authenticate('mixed', one.name || repeat('!', n % 2), 'wrong');
            took[n % 2 + 1] := LEAST(took[n % 2 + 1], extract(epoch FROM clock_timestamp() - started)::float8 * 1000);
        END LOOP;
        UPDATE timing.calls AS c SET first = took[1], second = took[2] WHERE c.name = one.name;
        COMMIT;
    END LOOP;
END $$;

-- The share that a threshold gets right, on whichever side of it the names are called existing: the best one of one half of the names is
-- tried on the other half, so that what guesses gets a half. With its standard error.
CREATE FUNCTION timing.shares(OUT feature text, OUT names bigint, OUT share numeric, OUT error numeric) RETURNS SETOF record LANGUAGE sql AS $$
    WITH features AS (
        SELECT f.feature, c.exists, f.value, ntile(2) OVER (PARTITION BY f.feature, c.exists ORDER BY md5(c.name || '2')) AS half
        FROM timing.calls AS c
        CROSS JOIN LATERAL (VALUES ('one call', c.first), ('pairs X, X!', abs(ln(c.first / c.second)))) AS f (feature, value)),
    thresholds AS (
        SELECT f.feature, f.half, f.value, s.above,
               (SELECT avg((((g.value > f.value) = s.above) = g.exists)::int) FROM features AS g WHERE g.feature = f.feature AND g.half = f.half) AS right_here
        FROM features AS f CROSS JOIN (VALUES (true), (false)) AS s (above)),
    best AS (SELECT DISTINCT ON (t.feature, t.half) t.* FROM thresholds AS t ORDER BY t.feature, t.half, t.right_here DESC, t.value)
    SELECT f.feature, count(*), round(avg((((f.value > b.value) = b.above) = f.exists)::int), 3), round((sqrt(0.25 / count(*)))::numeric, 3)
    FROM features AS f JOIN best AS b ON b.feature = f.feature AND b.half <> f.half GROUP BY 1 ORDER BY 1
$$;
