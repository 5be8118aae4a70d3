-- Random realms: identity.check_permission() beside an evaluator written straight from the rules, listings beside checks, with the
-- cache and without it.
SET client_min_messages = warning;
CREATE SCHEMA naive;

-- A policy is true, false, or NULL where it cannot tell.
CREATE FUNCTION naive.policy(r text, n text, context jsonb, subjects text[]) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    p identity.policies;
    result boolean;
    yes int; no int; unknown int;
BEGIN
    SELECT * INTO p FROM identity.policies WHERE realm = r AND name = n;
    IF NOT FOUND THEN RETURN NULL; END IF;
    IF p.kind = 'attribute' THEN
        result := context -> (p.config ->> 'attribute') = p.config -> 'equals';
    ELSIF p.kind = 'subject' THEN
        result := EXISTS (SELECT FROM jsonb_array_elements_text(p.config -> 'any') s WHERE s = ANY (subjects));
    ELSE
        SELECT count(*) FILTER (WHERE o), count(*) FILTER (WHERE NOT o), count(*) FILTER (WHERE o IS NULL) INTO yes, no, unknown
        FROM (SELECT naive.policy(r, part, context, subjects) o FROM jsonb_array_elements_text(p.config -> 'policies') part) x;
        result := CASE p.config ->> 'strategy'
            WHEN 'unanimous' THEN CASE WHEN no > 0 THEN false WHEN unknown > 0 THEN NULL ELSE true END
            WHEN 'affirmative' THEN CASE WHEN yes > 0 THEN true WHEN unknown > 0 THEN NULL ELSE false END
            ELSE CASE WHEN yes > no + unknown THEN true WHEN yes + unknown <= no THEN false END END;
    END IF;
    RETURN CASE WHEN p.negate THEN NOT result ELSE result END;
END $$;

-- The subject, and all that it is in.
CREATE FUNCTION naive.subjects(r text, s text) RETURNS text[] LANGUAGE sql STABLE AS $$
    WITH RECURSIVE c (n) AS (SELECT s COLLATE "C" UNION SELECT m.container FROM c JOIN identity.members m ON m.realm = r AND m.member = c.n)
    SELECT array_agg(n::text) FROM c $$;

-- Where permissions can stand, and how far away: the resource, its containers by distance, their types, its type.
CREATE FUNCTION naive.places(r text, t text, res text) RETURNS TABLE (level int, resource_type text, resource text) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE p (level, t, res) AS (
        SELECT 0, t COLLATE "C", res COLLATE "C" WHERE res IS NOT NULL
        UNION
        SELECT p.level + 1, c.container_type, c.container FROM p JOIN identity.resource_containers c ON c.realm = r AND c.resource_type = p.t AND c.resource = p.res
        WHERE p.level < 20),
    nearest AS (SELECT min(level) AS level, p.t, p.res FROM p GROUP BY 2, 3)
    SELECT * FROM nearest
    UNION ALL SELECT DISTINCT 100, n.t, NULL FROM nearest n WHERE n.t <> $2
    UNION ALL SELECT 200, $2, NULL $$;

-- The level and the effect that a scope of a type gets, for a resource of the type asked about: effects are 1 (deny) and 2 (allow), so that
-- the least (level, effect) decides.
CREATE FUNCTION naive.verdict(r text, subjects text[], t text, s text, asked_type text, asked text, context jsonb) RETURNS int[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    best int[];
    i record;
    v int[];
BEGIN
    SELECT ARRAY[l.level, CASE p.effect WHEN 'deny' THEN 1 ELSE 2 END] INTO best
    FROM identity.permissions p JOIN naive.places(r, asked_type, asked) l ON l.resource_type = p.resource_type AND l.resource IS NOT DISTINCT FROM p.resource
    WHERE p.realm = r AND p.resource_type = t AND p.scope = s AND (p.subject = '*' OR p.subject = ANY (subjects))
      AND CASE WHEN p.policy IS NULL THEN true
               WHEN p.effect = 'allow' THEN COALESCE(naive.policy(r, p.policy, context, subjects), false)
               ELSE COALESCE(naive.policy(r, p.policy, context, subjects), true) END
    ORDER BY 1 LIMIT 1;
    FOR i IN SELECT * FROM identity.implied_scopes x WHERE x.realm = r AND x.resource_type = t AND x.scope = s AND NOT x.fallback LOOP
        v := naive.verdict(r, subjects, i.by_type, i.by_scope, asked_type, asked, context);
        IF i.by_type <> t OR v[2] = 2 THEN best := LEAST(best, v); END IF;
    END LOOP;
    IF best IS NULL THEN
        FOR i IN SELECT * FROM identity.implied_scopes x WHERE x.realm = r AND x.resource_type = t AND x.scope = s AND x.fallback LOOP
            v := naive.verdict(r, subjects, i.by_type, i.by_scope, asked_type, asked, context);
            IF v[2] = 2 THEN best := LEAST(best, v); END IF;
        END LOOP;
    END IF;
    RETURN best;
END $$;
CREATE FUNCTION naive.permitted(r text, subject text, s text, t text, res text, context jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM identity.resource_types x WHERE x.realm = r AND x.name = t AND s = ANY (x.scopes))
       AND COALESCE((naive.verdict(r, naive.subjects(r, subject), s => s, t => t, asked_type => t, asked => res, context => context))[2] = 2, false) $$;

-- The same for types that combine their levels in other ways, and for permissions of several rows. First the rows that count, as an array of
-- [level, type, scope, effect]: what restricts is a deny, unless an allow of its origin, resource and scope counts; and a permission on a farther
-- container may be covered.
CREATE FUNCTION naive.covered(r text, t text, res text, on_type text, on_it text, scopes text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    WITH RECURSIVE up (dt, d, t, c) AS (
        SELECT container_type, container, container_type, container FROM identity.resource_containers WHERE realm = r AND resource_type = $2 AND resource = $3
        UNION
        SELECT up.dt, up.d, x.container_type, x.container FROM up JOIN identity.resource_containers x ON x.realm = r AND x.resource_type = up.t AND x.resource = up.c)
    SELECT bool_and(up.dt = on_type AND up.d <> on_it AND scopes <@ ARRAY(SELECT p.scope::text FROM identity.permissions p WHERE p.realm = r AND p.resource_type = up.dt AND p.resource = up.d))
    FROM up WHERE up.t = on_type AND up.c = on_it $$;
CREATE FUNCTION naive.rows(r text, subjects text[], t text, res text, context jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
    WITH rows AS (
        SELECT l.level, p.resource_type, p.resource, p.scope, p.effect, p.origin
        FROM identity.permissions p JOIN naive.places(r, $3, $4) l ON l.resource_type = p.resource_type AND l.resource IS NOT DISTINCT FROM p.resource
        WHERE p.realm = r AND (p.subject = '*' OR p.subject = ANY (subjects))
          AND CASE WHEN p.policy IS NULL THEN true
                   WHEN p.effect = 'allow' THEN COALESCE(naive.policy(r, p.policy, context, subjects), false)
                   ELSE COALESCE(naive.policy(r, p.policy, context, subjects), true) END
          AND NOT (l.level BETWEEN 2 AND 99 AND (SELECT x.combining FROM identity.resource_types x WHERE x.realm = r AND x.name = $3) = 'keycloak_uncovered'
                   AND naive.covered(r, $3, $4, p.resource_type, p.resource,
                           CASE WHEN p.origin IS NULL THEN ARRAY[p.scope::text]
                                ELSE ARRAY(SELECT o.scope::text FROM identity.permissions o WHERE o.realm = r AND o.resource_type = p.resource_type AND o.resource = p.resource AND o.origin = p.origin) END)))
    SELECT COALESCE(jsonb_agg(jsonb_build_array(x.level, x.resource_type, x.scope, CASE x.effect WHEN 'allow' THEN 'allow' ELSE 'deny' END)), '[]')
    FROM rows x
    WHERE x.effect <> 'restrict' OR NOT EXISTS (SELECT FROM rows a WHERE a.effect = 'allow' AND a.origin IS NOT DISTINCT FROM x.origin AND a.resource_type = x.resource_type
                                                AND a.resource IS NOT DISTINCT FROM x.resource AND a.scope = x.scope) $$;

-- The answer to what is said, [level, effect, level where it stands], by the rule of a type. Levels: 0 the resource, 1 to 99 containers, 100 their
-- types, 200 the type.
CREATE FUNCTION naive.rule(combining text, said jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    -- The nearest deny, and the nearest allow, between two levels.
    d0 jsonb; d1 jsonb; d100 jsonb; d200 jsonb; a0 jsonb; a1 jsonb; a100 jsonb; a200 jsonb; anyway jsonb;
BEGIN
    SELECT e INTO anyway FROM jsonb_array_elements(said) e WHERE e ->> 1 = 'anyway' ORDER BY (e ->> 2)::int LIMIT 1;
    IF anyway IS NOT NULL THEN RETURN jsonb_build_array(anyway -> 0, 'allow', anyway -> 2); END IF;
    IF combining = 'nearest' THEN
        RETURN (SELECT e FROM jsonb_array_elements(said) e ORDER BY (e ->> 0)::int, e ->> 1 DESC, (e ->> 2)::int LIMIT 1);
    ELSIF combining = 'deny_overrides' THEN
        RETURN (SELECT e FROM jsonb_array_elements(said) e ORDER BY e ->> 1 DESC, (e ->> 0)::int, (e ->> 2)::int LIMIT 1);
    END IF;
    SELECT min(e) FILTER (WHERE x = 'deny' AND l = 0), min(e) FILTER (WHERE x = 'deny' AND l BETWEEN 1 AND 99), min(e) FILTER (WHERE x = 'deny' AND l = 100), min(e) FILTER (WHERE x = 'deny' AND l = 200),
           min(e) FILTER (WHERE x = 'allow' AND l = 0), min(e) FILTER (WHERE x = 'allow' AND l BETWEEN 1 AND 99), min(e) FILTER (WHERE x = 'allow' AND l = 100), min(e) FILTER (WHERE x = 'allow' AND l = 200)
    INTO d0, d1, d100, d200, a0, a1, a100, a200
    FROM (SELECT e::text AS e, e ->> 1 AS x, (e ->> 0)::int AS l FROM jsonb_array_elements(said) e) y;
    IF d0 IS NOT NULL OR d1 IS NOT NULL THEN RETURN COALESCE(d0, d1); END IF;
    IF a0 IS NOT NULL THEN RETURN a0; END IF;
    IF d200 IS NOT NULL THEN RETURN d200; END IF;
    IF d100 IS NOT NULL AND a1 IS NULL THEN RETURN d100; END IF;
    RETURN COALESCE(a1, a100, a200);
END $$;
CREATE FUNCTION naive.combining(r text, t text) RETURNS text LANGUAGE sql STABLE AS 'SELECT x.combining FROM identity.resource_types x WHERE x.realm = r AND x.name = t';
-- What is said of a scope: {"said": pairs, "denied": pairs}.
CREATE FUNCTION naive.said(r text, rows jsonb, t text, s text, asked_type text, asked text) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    own CONSTANT text := naive.combining(r, asked_type);
    said jsonb; denied jsonb;
    i record;
    v jsonb; other jsonb;
BEGIN
    SELECT COALESCE(jsonb_agg(jsonb_build_array(e -> 0, e -> 3, e -> 0)), '[]') INTO said FROM jsonb_array_elements(rows) e
    WHERE e ->> 1 = t AND e ->> 2 = s AND NOT (t = asked_type AND own LIKE 'keycloak%' AND (e ->> 0)::int BETWEEN 1 AND 99);
    FOR i IN SELECT * FROM identity.implied_scopes x WHERE x.realm = r AND x.resource_type = t AND x.scope = s AND NOT x.fallback AND carries IN ('both', 'permits') LOOP
        other := naive.said(r, rows, i.by_type, i.by_scope, asked_type, asked);
        IF i.carries = 'both' AND i.by_type <> t THEN
            said := said || (other -> 'said');
        ELSE
            v := CASE WHEN i.by_type = asked_type THEN naive.rule(own, (other -> 'said') || (other -> 'denied'))
                      WHEN i.carries = 'both' THEN naive.rule(own, other -> 'said')
                      ELSE naive.rule(naive.combining(r, i.by_type), (SELECT COALESCE(jsonb_agg(jsonb_build_array(CASE WHEN (e ->> 0)::int = 100 THEN 200 ELSE 0 END, e -> 1, e -> 2)), '[]')
                           FROM jsonb_array_elements((other -> 'said') || (other -> 'denied')) e WHERE (e ->> 0)::int BETWEEN 1 AND 100 OR e ->> 1 = 'anyway')) END;
            IF v ->> 1 = 'allow' THEN said := said || jsonb_build_array(jsonb_build_array(v -> 2, CASE i.carries WHEN 'both' THEN 'allow' ELSE 'anyway' END, v -> 2)); END IF;
        END IF;
    END LOOP;
    IF said = '[]' THEN
        FOR i IN SELECT * FROM identity.implied_scopes x WHERE x.realm = r AND x.resource_type = t AND x.scope = s AND x.fallback LOOP
            other := naive.said(r, rows, i.by_type, i.by_scope, asked_type, asked);
            v := naive.rule(own, (other -> 'said') || CASE WHEN i.by_type = asked_type THEN other -> 'denied' ELSE '[]' END);
            IF v ->> 1 = 'allow' THEN said := said || jsonb_build_array(jsonb_build_array(v -> 2, 'allow', v -> 2)); END IF;
        END LOOP;
        RETURN jsonb_build_object('said', said, 'denied', '[]'::jsonb);
    END IF;
    SELECT COALESCE(jsonb_agg(jsonb_build_array(e -> 0, 'deny', e -> 0)), '[]') INTO denied
    FROM jsonb_array_elements(rows) e JOIN identity.implied_scopes x ON x.realm = r AND x.resource_type = t AND x.scope = s AND e ->> 1 = x.by_type AND e ->> 2 = x.by_scope
    WHERE e ->> 3 = 'deny' AND NOT (x.by_type = asked_type AND own LIKE 'keycloak%' AND (e ->> 0)::int BETWEEN 1 AND 99)
      AND CASE x.carries WHEN 'type_denies' THEN asked IS NOT NULL AND (e ->> 0)::int >= 100 WHEN 'resource_denies' THEN (e ->> 0)::int < 100 END;
    RETURN jsonb_build_object('said', said, 'denied', denied);
END $$;
CREATE FUNCTION naive.permitted_combined(r text, subject text, s text, t text, res text, context jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM identity.resource_types x WHERE x.realm = r AND x.name = t AND s = ANY (x.scopes))
       AND COALESCE(naive.rule(naive.combining(r, t), (x -> 'said') || (x -> 'denied')) ->> 1 = 'allow', false)
    FROM naive.said(r, naive.rows(r, naive.subjects(r, subject), t, res, context), t, s, t, res) x $$;

-- A realm of three types, where things of type users stand in groups, and both in organizations.
CREATE FUNCTION naive.any(texts text[]) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT texts[1 + floor(random() * cardinality(texts))]';
CREATE FUNCTION naive.one(n int) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT (1 + floor(random() * n))::int::text';
CREATE FUNCTION naive.fill(r text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    scopes text[];
BEGIN
    PERFORM identity.add_realm(r);
    INSERT INTO identity.resource_types VALUES (r, 'users', '{view,manage,reset}'), (r, 'groups', '{view,manage,view-members}'), (r, 'orgs', '{view,audit}');
    IF random() < 0.7 THEN PERFORM identity.imply_scope(r, 'users', 'view', 'manage'); END IF;
    IF random() < 0.7 THEN PERFORM identity.imply_scope(r, 'users', 'view', 'view-members', 'groups'); END IF;
    IF random() < 0.5 THEN PERFORM identity.imply_scope(r, 'groups', 'view-members', 'manage'); END IF;
    IF random() < 0.5 THEN PERFORM identity.imply_scope(r, 'users', 'reset', 'manage', fallback => true); END IF;
    IF random() < 0.5 THEN PERFORM identity.imply_scope(r, 'groups', 'view', 'audit', 'orgs'); END IF;
    IF random() < 0.5 THEN PERFORM identity.imply_scope(r, 'groups', 'view', 'view-members', fallback => random() < 0.5); END IF;
    INSERT INTO identity.policies VALUES
        (r, 'a', 'attribute', '{"attribute": "a", "equals": 1}', random() < 0.3), (r, 'b', 'attribute', '{"attribute": "b", "equals": 1}', false),
        (r, 's', 'subject', jsonb_build_object('any', ARRAY['user:1', 'group:' || naive.one(3)]), random() < 0.3),
        (r, 'all', 'aggregate', jsonb_build_object('policies', '{a,b,s}'::text[], 'strategy', naive.any('{unanimous,affirmative,consensus}')), random() < 0.3);
    -- Members only of what has a greater number: no circles.
    INSERT INTO identity.members SELECT DISTINCT r, m, c FROM (
        SELECT naive.any('{user:1,user:2,user:3,client:1}') AS m, naive.any('{group:1,group:2,group:3,role:1,role:2}') AS c FROM generate_series(1, 5)
        UNION ALL SELECT * FROM (VALUES ('group:1', 'group:2'), ('group:2', 'group:3'), ('group:1', 'role:1'), ('group:3', 'role:2'), ('role:1', 'role:2'), ('role:2', 'role:3')) v WHERE random() < 0.6) x;
    INSERT INTO identity.resource_containers SELECT DISTINCT r, t, n, ct, c FROM (
        SELECT 'users' AS t, 'u' || naive.one(5) AS n, 'groups' AS ct, 'g' || naive.one(4) AS c FROM generate_series(1, 5)
        UNION ALL SELECT * FROM (VALUES ('groups', 'g1', 'groups', 'g2'), ('groups', 'g2', 'groups', 'g3'), ('groups', 'g4', 'groups', 'g3'), ('groups', 'g3', 'orgs', 'o1'), ('groups', 'g2', 'orgs', 'o2'), ('users', 'u1', 'orgs', 'o2')) v WHERE random() < 0.6) x;
    INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope, effect, policy)
    SELECT r, naive.any('{user:1,user:2,group:1,group:2,group:3,role:1,role:2,role:3,client:1,user:4}' || CASE WHEN random() < 0.3 THEN '{*}'::text[] END), t,
           CASE WHEN random() < 0.7 THEN left(t, 1) || naive.one(5) END, naive.any(scopes_of), naive.any('{allow,allow,deny}'),
           CASE WHEN random() < 0.3 THEN naive.any('{a,b,s,all,missing}') END
    FROM (SELECT x.name AS t, x.scopes || CASE WHEN random() < 0.1 THEN '{unknown}'::text[] END AS scopes_of FROM generate_series(1, 8) CROSS JOIN identity.resource_types x WHERE x.realm = r ORDER BY 1, 2 OFFSET 0) y
    ON CONFLICT DO NOTHING;
    -- In every second realm so many others have permissions on a resource, or on a type, that they are looked up in another way.
    IF right(r, 1) IN ('0', '2', '4', '6', '8') THEN
        INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope)
        SELECT r, 'client:other' || n, t, left(t, 1) || v, s FROM generate_series(1, 20) n, (VALUES ('users', 1, 'view'), ('users', 1, 'manage'), ('groups', 2, 'view-members'), ('groups', 2, 'view'), ('groups', 3, 'manage'), ('groups', 3, 'view-members')) x (t, v, s);
        INSERT INTO identity.permissions (realm, subject, resource_type, scope) SELECT r, 'client:other' || n, 'users', 'view' FROM generate_series(1, 300) n;
    END IF;
END $$;

-- The same, with types that combine their levels in any way, scopes that bring only permissions or only denies, and permissions of several rows.
CREATE FUNCTION naive.fill_combined(r text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    bundle record;
    scopes text[];
    chosen text;
BEGIN
    PERFORM naive.fill(r);
    UPDATE identity.resource_types SET combining = naive.any('{nearest,deny_overrides,keycloak,keycloak,keycloak_uncovered,keycloak_uncovered}') WHERE realm = r;
    IF random() < 0.5 THEN PERFORM identity.imply_scope(r, 'users', 'manage', 'view', carries => 'type_denies'); END IF;
    IF random() < 0.5 THEN PERFORM identity.imply_scope(r, 'users', 'reset', 'view', carries => 'type_denies'); END IF;
    IF random() < 0.5 THEN PERFORM identity.imply_scope(r, 'users', 'view', 'view', 'groups', carries => 'resource_denies'); END IF;
    IF random() < 0.5 THEN PERFORM identity.imply_scope(r, 'users', 'view', 'reset', carries => 'resource_denies'); END IF;
    IF random() < 0.5 THEN PERFORM identity.imply_scope(r, 'groups', 'view', 'manage', carries => 'type_denies'); END IF;
    IF random() < 0.5 THEN PERFORM identity.imply_scope(r, 'groups', 'view-members', 'view', carries => 'type_denies'); END IF;
    IF random() < 0.4 THEN PERFORM identity.imply_scope(r, 'users', 'manage', 'manage', 'groups', carries => 'permits'); END IF;
    IF random() < 0.3 THEN PERFORM identity.imply_scope(r, 'groups', 'manage', 'audit', 'orgs', carries => 'permits'); END IF;
    IF random() < 0.3 THEN PERFORM identity.imply_scope(r, 'users', 'reset', 'view', carries => 'permits'); END IF;
    -- Permissions of an origin: everybody is restricted, and some are allowed.
    FOR bundle IN SELECT 'o' || n AS origin, x.name AS t, x.scopes, CASE WHEN random() < 0.7 THEN left(x.name, 1) || naive.one(4) END AS resource
                  FROM generate_series(1, 4) n CROSS JOIN identity.resource_types x WHERE x.realm = r ORDER BY 1, 2 LOOP
        scopes := ARRAY(SELECT s FROM unnest(bundle.scopes) s ORDER BY random() LIMIT 1 + floor(random() * 2));
        FOREACH chosen IN ARRAY scopes LOOP
            INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope, effect, origin) VALUES (r, '*', bundle.t, bundle.resource, chosen, 'restrict', bundle.origin);
            INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope, effect, policy, origin)
            SELECT r, naive.any('{user:1,user:2,group:1,group:2,role:1,role:2,*}'), bundle.t, bundle.resource, chosen, 'allow', CASE WHEN random() < 0.3 THEN naive.any('{a,b,s,all}') END, bundle.origin
            FROM generate_series(1, 2) ON CONFLICT DO NOTHING;
        END LOOP;
    END LOOP;
END $$;

CREATE TABLE naive.questions AS
SELECT s AS subject, t AS type, c AS scope, CASE WHEN n > 0 THEN left(t, 1) || n END AS resource, x AS context
FROM unnest('{user:1,user:2,user:3,user:4,user:stranger,client:1,group:1,group:3,role:1,role:3,nobody}'::text[]) s,
     (VALUES ('users', 'view'), ('users', 'manage'), ('users', 'reset'), ('groups', 'view'), ('groups', 'view-members'), ('orgs', 'audit'), ('orgs', 'unknown')) k (t, c),
     generate_series(0, 5) n, (VALUES (NULL::jsonb), ('{"a": 1, "b": 2}')) v (x);

-- Pages of three, one after the other.
CREATE FUNCTION naive.resources(r text, s text, c text, t text, x jsonb) RETURNS TABLE (resource text, permitted boolean) LANGUAGE plpgsql AS $$
DECLARE
    last text;
    rows int := 0;
BEGIN
    LOOP
        RETURN QUERY SELECT * FROM identity.permitted_resources(r, s, c, t, after => last, max_rows => 3, context => x);
        SELECT max(p.resource COLLATE "C"), count(*) INTO last, rows FROM identity.permitted_resources(r, s, c, t, after => last, max_rows => 3, context => x) p;
        EXIT WHEN rows < 3;
    END LOOP;
END $$;
CREATE FUNCTION naive.listed_subjects(r text, c text, t text, res text, x jsonb) RETURNS TABLE (subject text) LANGUAGE plpgsql AS $$
DECLARE
    last text;
    rows int := 0;
BEGIN
    LOOP
        RETURN QUERY SELECT * FROM identity.permitted_subjects(r, c, t, res, after => last, max_rows => 3, context => x);
        SELECT max(p.subject COLLATE "C"), count(*) INTO last, rows FROM identity.permitted_subjects(r, c, t, res, after => last, max_rows => 3, context => x) p;
        EXIT WHEN rows < 3;
    END LOOP;
END $$;

SELECT setseed(0.5);
SELECT count(naive.fill('random ' || n)) FROM generate_series(1, 25) n;
SELECT count(naive.fill_combined('random combined ' || n)) FROM generate_series(1, 8) n;
CREATE TABLE naive.answers AS
SELECT r, q.*, naive.permitted(r, subject, scope, type, resource, context) AND subject <> 'nobody' AS wanted
FROM naive.questions q, (SELECT 'random ' || n FROM generate_series(1, 25) n) x (r)
UNION ALL
SELECT r, q.*, naive.permitted_combined(r, subject, scope, type, resource, context) AND subject <> 'nobody'
FROM naive.questions q, (SELECT 'random combined ' || n FROM generate_series(1, 8) n) x (r);
-- The two evaluators agree where both can be asked.
SELECT count(*) AS differ FROM naive.answers WHERE r IN ('random 1', 'random 2') AND subject <> 'nobody' AND naive.permitted_combined(r, subject, scope, type, resource, context) <> wanted;
SELECT count(*), count(*) FILTER (WHERE wanted) > 2000 AS many_permitted FROM naive.answers;

-- Checks, without and with the cache; with it, each question twice.
SET identity.permission_cache = off;
SELECT count(*) AS wrong FROM naive.answers WHERE identity.check_permission(r, subject, scope, type, resource, context) IS DISTINCT FROM wanted;
SET identity.permission_cache = on;
SELECT count(*) AS wrong FROM naive.answers WHERE identity.check_permission(r, subject, scope, type, resource, context) IS DISTINCT FROM wanted;
SELECT count(*) AS wrong FROM naive.answers WHERE identity.check_permission(r, subject, scope, type, resource, context) IS DISTINCT FROM wanted;
SET identity.permission_cache_size = '64kB';
SELECT count(*) AS wrong FROM naive.answers WHERE identity.check_permission(r, subject, scope, type, resource, context) IS DISTINCT FROM wanted;
RESET identity.permission_cache_size;
SELECT count(*) AS wrong FROM (SELECT DISTINCT r, subject, type, context FROM naive.answers) a
CROSS JOIN LATERAL identity.check_permissions(r, subject, type, '{view,manage,reset,view-members,audit,unknown}', ARRAY[left(type, 1) || 1, left(type, 1) || 2, NULL], context) c
JOIN naive.answers n USING (r, subject, type, context, scope) WHERE n.resource IS NOT DISTINCT FROM c.resource AND c.permitted IS DISTINCT FROM n.wanted;
-- The explanation says the same.
SELECT count(*) AS wrong FROM naive.answers a
WHERE (SELECT outcome LIKE 'permitted%' FROM identity.explain_permission(r, subject, scope, type, resource, context) ORDER BY step DESC LIMIT 1) IS DISTINCT FROM wanted;

-- Listings of resources: a listed one has its answer, the others that of the type.
CREATE TABLE naive.listed AS
SELECT DISTINCT r, subject, type, scope, context FROM naive.answers;
CREATE TABLE naive.resource_lists AS
SELECT l.*, p.resource, p.permitted, p.n FROM naive.listed l CROSS JOIN LATERAL naive.resources(r, subject, scope, type, context) WITH ORDINALITY AS p (resource, permitted, n);
SELECT count(*) FILTER (WHERE COALESCE(p.permitted, t.permitted) IS DISTINCT FROM wanted) AS wrong, count(p.permitted) > 2000 AS many_listed
FROM naive.answers a
LEFT JOIN naive.resource_lists p ON (a.r, a.subject, a.type, a.scope) = (p.r, p.subject, p.type, p.scope) AND a.context IS NOT DISTINCT FROM p.context AND a.resource = p.resource
LEFT JOIN naive.resource_lists t ON (a.r, a.subject, a.type, a.scope) = (t.r, t.subject, t.type, t.scope) AND a.context IS NOT DISTINCT FROM t.context AND t.resource IS NULL
WHERE a.resource IS NOT NULL OR a.r NOT LIKE '% combined %';
-- One page has what pages of three have.
SELECT count(*) AS differ FROM naive.listed l
WHERE ARRAY(SELECT p FROM identity.permitted_resources(r, subject, scope, type, context => context) p)
    IS DISTINCT FROM ARRAY(SELECT ROW(p.resource, p.permitted) FROM naive.resource_lists p WHERE (l.r, l.subject, l.type, l.scope) = (p.r, p.subject, p.type, p.scope) AND l.context IS NOT DISTINCT FROM p.context ORDER BY n);
-- Where what is not listed is not permitted, a list of what is permitted is whole.
SELECT count(*) AS wrong FROM naive.listed l
WHERE NOT (SELECT permitted FROM identity.permitted_resources(r, subject, scope, type, context => context, max_rows => 1))
  AND ARRAY(SELECT p FROM identity.permitted_resources(r, subject, scope, type, context => context, only_permitted => true) p)
    IS DISTINCT FROM ARRAY(SELECT p FROM identity.permitted_resources(r, subject, scope, type, context => context) p WHERE permitted OR resource IS NULL);
SELECT count(*) AS out_of_order FROM (SELECT resource COLLATE "C" <= lag(resource COLLATE "C") OVER (PARTITION BY r, subject, type, scope, context ORDER BY n) AS bad FROM naive.resource_lists) x WHERE bad;

-- Lists of many: three hundred users stand in groups and organizations, at all distances, and permissions stand here and there.
SELECT count(naive.fill_combined('random many ' || n)) FROM generate_series(1, 12) n;
INSERT INTO identity.resource_containers SELECT DISTINCT 'random many ' || n, 'users', 'v' || u, CASE WHEN w < 0.7 THEN 'groups' ELSE 'orgs' END, CASE WHEN w < 0.7 THEN 'g' || naive.one(9) ELSE 'o' || naive.one(3) END
FROM (SELECT n, u, random() AS w FROM generate_series(1, 12) n, generate_series(1, 300) u, generate_series(1, 3) OFFSET 0) x;
INSERT INTO identity.resource_containers SELECT 'random many ' || n, 'groups', 'g' || g, 'groups', 'g' || g + 1 FROM generate_series(1, 12) n, generate_series(5, 8) g;
INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope, effect)
SELECT 'random many ' || n, naive.any('{user:1,user:2,group:1,role:1,*,client:9}'), 'users', 'v' || naive.one(300), naive.any('{view,manage,reset}'), naive.any('{allow,deny}') FROM generate_series(1, 12) n, generate_series(1, 60) ON CONFLICT DO NOTHING;
CREATE TABLE naive.many AS
SELECT r, s, c, p.* FROM (SELECT 'random many ' || n FROM generate_series(1, 12) n) x (r), unnest('{user:1,user:2,user:3,group:3,client:1}'::text[]) s, unnest('{view,manage,reset}'::text[]) c
CROSS JOIN LATERAL identity.permitted_resources(r, s, c, 'users', max_rows => 2000) p;
SELECT count(*) FILTER (WHERE identity.check_permission(r, s, c, 'users', resource) <> permitted) AS wrong, count(*) FILTER (WHERE permitted) > 2000 AS many_permitted, count(*) FILTER (WHERE NOT permitted) > 2000 AS many_not FROM naive.many WHERE resource IS NOT NULL;
SELECT count(*) AS differ FROM (SELECT DISTINCT r, s, c FROM naive.many) m
WHERE ARRAY(SELECT resource FROM identity.permitted_resources(r, s, c, 'users', max_rows => 2000, only_permitted => true))
    IS DISTINCT FROM ARRAY(SELECT resource FROM naive.many p WHERE (p.r, p.s, p.c) = (m.r, m.s, m.c) AND (permitted OR resource IS NULL) ORDER BY resource COLLATE "C" NULLS FIRST)
  AND NOT (SELECT permitted FROM naive.many p WHERE (p.r, p.s, p.c) = (m.r, m.s, m.c) AND resource IS NULL);

-- Listings of subjects: all that may and are known, and * for the others.
CREATE TABLE naive.subject_lists AS
SELECT l.*, p.subject, p.n FROM (SELECT DISTINCT r, type, scope, resource, context FROM naive.answers) l
CROSS JOIN LATERAL naive.listed_subjects(r, scope, type, resource, context) WITH ORDINALITY AS p (subject, n);
SELECT count(*) FILTER (WHERE (p.subject IS NOT NULL) IS DISTINCT FROM wanted) AS wrong, count(p.subject) > 2000 AS many_listed
FROM (SELECT a.*, EXISTS (SELECT FROM identity.members m WHERE m.realm = r AND a.subject IN (m.member, m.container))
             OR EXISTS (SELECT FROM identity.permissions p WHERE p.realm = r AND p.subject = a.subject) AS known FROM naive.answers a WHERE subject <> 'nobody') a
LEFT JOIN naive.subject_lists p ON (a.r, a.type, a.scope) = (p.r, p.type, p.scope) AND a.resource IS NOT DISTINCT FROM p.resource AND a.context IS NOT DISTINCT FROM p.context
    AND p.subject = CASE WHEN known THEN a.subject ELSE '*' END;
SELECT count(*) AS out_of_order FROM (SELECT subject COLLATE "C" <= lag(subject COLLATE "C") OVER (PARTITION BY r, type, scope, resource, context ORDER BY n) AS bad FROM naive.subject_lists) x WHERE bad;
SELECT count(*) AS not_permitted FROM naive.subject_lists WHERE subject <> '*' AND NOT identity.check_permission(r, subject, scope, type, resource, context);

-- In parallel workers, who remember nothing, the answers are the same.
SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
EXPLAIN (COSTS OFF) SELECT count(*) AS wrong FROM naive.answers WHERE identity.check_permission(r, subject, scope, type, resource, context) IS DISTINCT FROM wanted;
SELECT count(*) AS wrong FROM naive.answers WHERE identity.check_permission(r, subject, scope, type, resource, context) IS DISTINCT FROM wanted;
RESET min_parallel_table_scan_size; RESET parallel_setup_cost; RESET parallel_tuple_cost;

-- What identity.collapse_permissions() replaces changes no answer: in each realm somebody gets a scope on every resource first.
INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope)
SELECT r.name, s, v.t, left(v.t, 1) || n, v.c FROM (SELECT name, naive.any('{user:1,group:1,group:2,role:1,role:2}') AS s FROM identity.realms WHERE name LIKE 'random %' ORDER BY name) r,
    (VALUES ('users', 'view'), ('users', 'manage'), ('groups', 'view-members'), ('groups', 'manage'), ('orgs', 'audit')) v (t, c), generate_series(1, 5) n
ON CONFLICT DO NOTHING;
CREATE TABLE naive.before AS SELECT *, identity.check_permission(r, subject, scope, type, resource, context) AS permitted FROM naive.answers WHERE resource IS NOT NULL;
CREATE TABLE naive.collapsed AS SELECT r.name, t, c.* FROM identity.realms r, unnest('{users,groups,orgs}'::text[]) t
CROSS JOIN LATERAL identity.collapse_permissions(r.name, t, format('SELECT %L || n FROM generate_series(1, 5) n', left(t, 1)), false) c WHERE r.name LIKE 'random %';
SELECT count(*) FILTER (WHERE action = 'replaced') > 20 AS many_replaced, count(*) FILTER (WHERE action = 'kept') > 20 AS many_kept FROM naive.collapsed;
SELECT count(*) AS changed FROM naive.before WHERE identity.check_permission(r, subject, scope, type, resource, context) <> permitted;
SELECT count(*) FROM (SELECT DISTINCT run_id FROM naive.collapsed WHERE run_id IS NOT NULL) c CROSS JOIN LATERAL identity.undo_collapse(c.run_id) HAVING count(*) <> (SELECT count(*) FROM naive.collapsed WHERE action = 'replaced');
SELECT count(*) AS changed FROM naive.before WHERE identity.check_permission(r, subject, scope, type, resource, context) <> permitted;

DROP SCHEMA naive CASCADE;
TRUNCATE identity.permissions, identity.members, identity.resource_containers, identity.policies, identity.implied_scopes, identity.resource_types, identity.collapse_runs, identity.collapsed_permissions;
DELETE FROM identity.realms WHERE name LIKE 'random %';
