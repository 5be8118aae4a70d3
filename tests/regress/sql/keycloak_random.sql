-- Random realms in Keycloak's own tables: identity.import_keycloak() beside an evaluator written from the description of how Keycloak decides, which
-- reads these tables alone. Every question about every resource by every asker.
SET client_min_messages = warning;
CREATE SCHEMA kc;
CREATE TABLE kc.realm (id varchar(36) PRIMARY KEY, name varchar(255));
CREATE TABLE kc.client (id varchar(36) PRIMARY KEY, client_id varchar(255), realm_id varchar(36));
CREATE TABLE kc.client_scope (id varchar(36) PRIMARY KEY, name varchar(255), realm_id varchar(36));
CREATE TABLE kc.resource_server (id varchar(36) PRIMARY KEY, policy_enforce_mode smallint, decision_strategy smallint DEFAULT 1);
CREATE TABLE kc.resource_server_resource (id varchar(36) PRIMARY KEY, name varchar(255) NOT NULL, type varchar(255), owner varchar(255), resource_server_id varchar(36));
CREATE TABLE kc.resource_server_scope (id varchar(36) PRIMARY KEY, name varchar(255) NOT NULL, resource_server_id varchar(36));
CREATE TABLE kc.resource_server_policy (id varchar(36) PRIMARY KEY, name varchar(255) NOT NULL, type varchar(255) NOT NULL, decision_strategy smallint, logic smallint, resource_server_id varchar(36));
CREATE TABLE kc.policy_config (policy_id varchar(36), name varchar(255), value text, PRIMARY KEY (policy_id, name));
CREATE TABLE kc.associated_policy (policy_id varchar(36), associated_policy_id varchar(36), PRIMARY KEY (policy_id, associated_policy_id));
CREATE TABLE kc.resource_policy (resource_id varchar(36), policy_id varchar(36), PRIMARY KEY (resource_id, policy_id));
CREATE TABLE kc.scope_policy (scope_id varchar(36), policy_id varchar(36), PRIMARY KEY (scope_id, policy_id));
CREATE TABLE kc.keycloak_group (id varchar(36) PRIMARY KEY, name varchar(255), parent_group varchar(36) NOT NULL, realm_id varchar(36), type int DEFAULT 0);
CREATE TABLE kc.keycloak_role (id varchar(36) PRIMARY KEY, name varchar(255), client_role boolean, client varchar(36), realm_id varchar(36));
CREATE TABLE kc.user_group_membership (group_id varchar(36), user_id varchar(36), membership_type varchar(255) DEFAULT 'UNMANAGED');
CREATE TABLE kc.user_role_mapping (role_id varchar(255), user_id varchar(36));
CREATE TABLE kc.group_role_mapping (role_id varchar(36), group_id varchar(36));
CREATE TABLE kc.composite_role (composite varchar(36), child_role varchar(36));
CREATE TABLE kc.fed_user_group_membership (group_id varchar(36), user_id varchar(255), realm_id varchar(36), storage_provider_id varchar(36));
CREATE TABLE kc.fed_user_role_mapping (role_id varchar(36), user_id varchar(255), realm_id varchar(36), storage_provider_id varchar(36));

CREATE TABLE kc.types (type text, scopes text[]);
INSERT INTO kc.types VALUES ('Clients', '{manage,view,map-roles,map-roles-client-scope,map-roles-composite}'), ('Organizations', '{manage,view}'),
    ('Groups', '{manage,view,manage-membership,manage-membership-of-members,manage-members,view-members,impersonate-members}'),
    ('Roles', '{map-role,map-role-client-scope,map-role-composite}'), ('Users', '{manage,view,impersonate,map-roles,manage-group-membership,reset-password}');
CREATE TABLE kc.alias (scope text, of_group text);
INSERT INTO kc.alias VALUES ('view', 'view-members'), ('manage', 'manage-members'), ('impersonate', 'impersonate-members'), ('manage-group-membership', 'manage-membership-of-members');
CREATE TABLE kc.resources (type text, name text);
INSERT INTO kc.resources SELECT 'Users', 'u' || n FROM generate_series(1, 6) n UNION ALL SELECT 'Groups', 'g' || n FROM generate_series(1, 6) n
UNION ALL SELECT 'Roles', r FROM unnest('{r1,r2,cr1,cr2,ra}'::text[]) r UNION ALL SELECT 'Clients', 'c' || n FROM generate_series(1, 3) n UNION ALL SELECT 'Organizations', 'o1'
UNION ALL SELECT 'Users', 'a' || n FROM generate_series(1, 5) n;
CREATE FUNCTION kc.any(texts text[]) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT texts[1 + floor(random() * cardinality(texts))]';
CREATE FUNCTION kc.some(texts text[], low int, high int) RETURNS text[] LANGUAGE sql VOLATILE AS
    'SELECT ARRAY(SELECT t FROM unnest(texts) t ORDER BY random() LIMIT low + floor(random() * (high - low + 1)))';

-- plain: without policies that ask for more than who asks.
CREATE FUNCTION kc.fill(plain boolean = false) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    n int;
    kind text;
    p text;
    t record;
BEGIN
    TRUNCATE kc.realm, kc.client, kc.client_scope, kc.resource_server, kc.resource_server_resource, kc.resource_server_scope, kc.resource_server_policy, kc.policy_config, kc.associated_policy,
        kc.resource_policy, kc.scope_policy, kc.keycloak_group, kc.keycloak_role, kc.user_group_membership, kc.user_role_mapping, kc.group_role_mapping, kc.composite_role,
        kc.fed_user_group_membership, kc.fed_user_role_mapping;
    INSERT INTO kc.realm VALUES ('realm', 'shop'), ('other', 'other');
    INSERT INTO kc.client VALUES ('rs', 'admin-permissions', 'realm'), ('c1', 'console', 'realm'), ('c2', 'cli', 'realm'), ('c3', 'app', 'realm'), ('rm', 'realm-management', 'realm'), ('cx', 'cli', 'other');
    INSERT INTO kc.client_scope VALUES ('cs1', 'offline', 'realm'), ('cs2', 'profile', 'realm'), ('cs3', 'email', 'realm');
    INSERT INTO kc.resource_server VALUES ('rs', 0);
    INSERT INTO kc.resource_server_resource SELECT 'r-' || x.type, x.type, x.type, 'rs', 'rs' FROM kc.types x UNION ALL SELECT 'r-' || r.name, r.name, NULL, 'rs', 'rs' FROM kc.resources r;
    INSERT INTO kc.resource_server_scope SELECT DISTINCT 's-' || s, s, 'rs' FROM kc.types x, unnest(x.scopes) s;
    -- Parents have lower numbers; g7 is an organization's.
    INSERT INTO kc.keycloak_group SELECT 'g' || g, 'g' || g, CASE WHEN g > 1 AND random() < 0.7 THEN 'g' || (1 + floor(random() * (g - 1)))::int ELSE ' ' END, 'realm', 0 FROM generate_series(1, 6) g;
    INSERT INTO kc.keycloak_group VALUES ('g7', 'organization', ' ', 'realm', 1), ('gx', 'gx', ' ', 'other', 0);
    INSERT INTO kc.user_group_membership (group_id, user_id) SELECT DISTINCT kc.any('{g1,g2,g3,g4,g5,g6,g6,g7}'), kc.any('{u1,u2,u3,u4,u5,a1,a2,a3,a4}') FROM generate_series(1, 12) UNION SELECT 'gx', 'u6' UNION SELECT 'g7', 'u6';
    INSERT INTO kc.fed_user_group_membership VALUES (kc.any('{g3,g4,g5}'), 'a5', 'realm', 'ldap');
    INSERT INTO kc.keycloak_role VALUES ('r1', 'r1', false, NULL, 'realm'), ('r2', 'r2', false, NULL, 'realm'), ('r3', 'r3', false, NULL, 'realm'), ('rx', 'rx', false, NULL, 'other'),
        ('cr1', 'cr1', true, 'c1', 'realm'), ('cr2', 'cr2', true, 'c2', 'realm'), ('ra', 'manage-users', true, 'rm', 'realm');
    INSERT INTO kc.user_role_mapping SELECT DISTINCT kc.any('{r1,r2,r3,cr1}'), kc.any('{a1,a2,a3,a4,u1}') FROM generate_series(1, 5) UNION SELECT 'rx', 'a1';
    INSERT INTO kc.fed_user_role_mapping VALUES (kc.any('{r1,r2,r3}'), 'a5', 'realm', 'ldap');
    INSERT INTO kc.group_role_mapping VALUES (kc.any('{r1,r2}'), kc.any('{g1,g2,g3}'));
    INSERT INTO kc.composite_role VALUES ('r1', kc.any('{r2,r3}'));
    FOR n IN 1..12 LOOP
        p := 'p' || n;
        kind := kc.any('{user,user,role,role,group,group,client,client-scope,time,regex,aggregate,aggregate}');
        IF kind = 'aggregate' AND n < 4 OR plain AND kind IN ('client', 'client-scope', 'time', 'regex') THEN kind := 'user'; END IF;
        INSERT INTO kc.resource_server_policy VALUES (p, 'policy ' || n, kind, floor(random() * 3), CASE WHEN random() < 0.25 THEN 1 ELSE 0 END, 'rs');
        CASE kind
        WHEN 'user' THEN INSERT INTO kc.policy_config VALUES (p, 'users', to_jsonb(kc.some('{a1,a2,a3,a4,a5}', 0, 3)));
        WHEN 'role' THEN INSERT INTO kc.policy_config SELECT p, 'roles', jsonb_agg(jsonb_build_object('id', r, 'required', random() < 0.2)) FROM unnest(kc.some('{r1,r2,r3,cr1,gone}', 1, 3)) r;
        WHEN 'group' THEN INSERT INTO kc.policy_config SELECT p, 'groups', jsonb_agg(jsonb_build_object('id', g, 'extendChildren', random() < 0.6)) FROM unnest(kc.some('{g1,g2,g3,g4,g5}', 1, 3)) g;
        WHEN 'client' THEN INSERT INTO kc.policy_config VALUES (p, 'clients', to_jsonb(kc.some('{c1,c2,c3,gone}', 1, 2)));
        WHEN 'client-scope' THEN INSERT INTO kc.policy_config SELECT p, 'clientScopes', jsonb_agg(jsonb_build_object('id', c, 'required', random() < 0.4)) FROM unnest(kc.some('{cs1,cs2,cs3,gone}', 1, 3)) c;
        WHEN 'time' THEN INSERT INTO kc.policy_config VALUES (p, 'hour', kc.any('{7,9,13}')), (p, 'hourEnd', kc.any('{12,16,20}'));
        WHEN 'regex' THEN INSERT INTO kc.policy_config VALUES (p, 'targetClaim', kc.any(ARRAY['team.name', 'example\.com/dept'])), (p, 'pattern', kc.any('{sales|marketing,s.*}'));
        ELSE INSERT INTO kc.associated_policy SELECT p, 'p' || o FROM generate_series(1, n - 1) o ORDER BY random() LIMIT floor(random() * 4);
        END CASE;
    END LOOP;
    FOR t IN SELECT x.type, x.scopes, g FROM kc.types x, generate_series(1, CASE x.type WHEN 'Groups' THEN 9 WHEN 'Users' THEN 7 ELSE 4 END) g LOOP
        p := 'perm-' || t.type || t.g;
        INSERT INTO kc.resource_server_policy VALUES (p, t.type || ' ' || t.g, 'scope', CASE WHEN random() < 0.6 THEN 1 ELSE floor(random() * 3) END, 0, 'rs');
        INSERT INTO kc.policy_config VALUES (p, 'defaultResourceType', t.type);
        INSERT INTO kc.scope_policy SELECT 's-' || s, p FROM unnest(kc.some(t.scopes, 1, 3)) s;
        INSERT INTO kc.resource_policy SELECT 'r-' || r, p FROM unnest(CASE WHEN random() < 0.3 THEN ARRAY[t.type] ELSE kc.some(ARRAY(SELECT r.name FROM kc.resources r WHERE r.type = t.type), 1, 2) END) r;
        INSERT INTO kc.associated_policy SELECT p, 'p' || o FROM generate_series(1, 12) o ORDER BY random() LIMIT CASE WHEN random() < 0.1 THEN 0 WHEN random() < 0.7 THEN 1 ELSE 2 END;
    END LOOP;
END $$;

-- The evaluator. What an admin is in:
CREATE MATERIALIZED VIEW kc.direct_groups AS SELECT m.user_id AS u, m.group_id AS g FROM kc.user_group_membership m JOIN kc.keycloak_group x ON x.id = m.group_id AND x.type = 0 AND x.realm_id = 'realm'
    UNION SELECT m.user_id, m.group_id FROM kc.fed_user_group_membership m;
CREATE MATERIALIZED VIEW kc.above AS WITH RECURSIVE up (g, above) AS (SELECT id::text, id::text FROM kc.keycloak_group UNION SELECT up.g, x.parent_group FROM up JOIN kc.keycloak_group x ON x.id = up.above WHERE x.parent_group <> ' ')
    SELECT * FROM up;
CREATE MATERIALIZED VIEW kc.has_role AS WITH RECURSIVE r (u, r) AS (
        SELECT user_id::text, role_id::text FROM kc.user_role_mapping UNION SELECT user_id, role_id FROM kc.fed_user_role_mapping
        UNION SELECT d.u, m.role_id FROM kc.direct_groups d JOIN kc.above a ON a.g = d.g JOIN kc.group_role_mapping m ON m.group_id = a.above
        UNION SELECT r.u, c.child_role FROM r JOIN kc.composite_role c ON c.composite = r.r)
    SELECT * FROM r;
CREATE FUNCTION kc.counts(strategy int, yes bigint, n bigint) RETURNS boolean LANGUAGE sql AS 'SELECT CASE strategy WHEN 0 THEN yes > 0 WHEN 2 THEN yes > n - yes ELSE yes = n END';
CREATE TABLE kc.held (id text, w text, x jsonb, yes boolean);
CREATE FUNCTION kc.holds(p text, who text, x jsonb) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    policy kc.resource_server_policy;
    c jsonb;
    result boolean;
BEGIN
    SELECT * INTO policy FROM kc.resource_server_policy WHERE id = p;
    SELECT COALESCE(jsonb_object_agg(name, value), '{}') INTO c FROM kc.policy_config WHERE policy_id = p;
    result := CASE policy.type
        WHEN 'user' THEN (c ->> 'users')::jsonb ? who
        WHEN 'role' THEN (SELECT COALESCE(bool_or(h), false) AND NOT COALESCE(bool_or(required AND NOT h), false)
            FROM (SELECT EXISTS (SELECT FROM kc.has_role WHERE u = who AND r = v ->> 'id') AS h, (v ->> 'required')::boolean AS required
                  FROM jsonb_array_elements((c ->> 'roles')::jsonb) v WHERE EXISTS (SELECT FROM kc.keycloak_role k WHERE k.id = v ->> 'id')) y)
        WHEN 'group' THEN EXISTS (SELECT FROM jsonb_array_elements((c ->> 'groups')::jsonb) v JOIN kc.direct_groups d ON d.u = who JOIN kc.above a ON a.g = d.g AND a.above = v ->> 'id'
            WHERE a.above = a.g OR (v ->> 'extendChildren')::boolean)
        WHEN 'client' THEN EXISTS (SELECT FROM jsonb_array_elements_text((c ->> 'clients')::jsonb) v JOIN kc.client k ON k.id = v WHERE k.client_id = x ->> 'client_id')
        WHEN 'client-scope' THEN (SELECT COALESCE(bool_or(h), false) AND NOT COALESCE(bool_or(required AND NOT h), false)
            FROM (SELECT x -> 'client_scopes' ? k.name AS h, (v ->> 'required')::boolean AS required FROM jsonb_array_elements((c ->> 'clientScopes')::jsonb) v JOIN kc.client_scope k ON k.id = v ->> 'id') y)
        WHEN 'time' THEN date_part('hour', (x ->> 'now')::timestamptz AT TIME ZONE 'UTC') BETWEEN (c ->> 'hour')::int AND (c ->> 'hourEnd')::int
        WHEN 'regex' THEN CASE WHEN c ->> 'targetClaim' = 'team.name' THEN x -> 'team' ->> 'name' ELSE x ->> 'example.com/dept' END ~ ('^(?:' || (c ->> 'pattern') || ')$')
        ELSE COALESCE((SELECT kc.counts(policy.decision_strategy, count(*) FILTER (WHERE h.yes), count(*)) FROM kc.associated_policy a JOIN kc.held h ON h.id = a.associated_policy_id AND h.w = who AND h.x = $3 WHERE a.policy_id = p HAVING count(*) > 0), false) END;
    RETURN result <> (policy.logic = 1);
END $$;

-- Which permissions are consulted for a resource (NULL: the type itself), and as what.
CREATE FUNCTION kc.consulted(walk text) RETURNS TABLE (type text, resource text, permission text, as_what text) LANGUAGE sql STABLE AS $$
    WITH on_it AS (SELECT x.policy_id::text AS p, r.name::text AS r FROM kc.resource_policy x JOIN kc.resource_server_resource r ON r.id = x.resource_id),
    named AS (SELECT o.r, array_agg(DISTINCT s.scope_id::text) AS scopes FROM on_it o JOIN kc.scope_policy s ON s.policy_id = o.p GROUP BY 1),
    asked AS (SELECT y.type, y.name FROM kc.resources y UNION ALL SELECT y.type, NULL FROM kc.types y), above AS MATERIALIZED (SELECT * FROM kc.above)
    SELECT a.type, a.name, o.p, 'own' FROM asked a JOIN on_it o ON o.r = COALESCE(a.name, a.type)
    UNION SELECT a.type, a.name, o.p, 'type' FROM asked a JOIN on_it o ON o.r = a.type WHERE a.name IS NOT NULL
    UNION SELECT a.type, a.name, o.p, 'all groups' FROM asked a JOIN kc.direct_groups d ON d.u = a.name JOIN on_it o ON o.r = 'Groups' WHERE a.type = 'Users'
    UNION SELECT a.type, a.name, o.p, 'group' FROM asked a JOIN kc.direct_groups d ON d.u = a.name JOIN above b ON b.g = d.g JOIN on_it o ON o.r = b.above
    LEFT JOIN named n ON n.r = d.g
    WHERE a.type = 'Users' AND (walk = 'all' OR b.above = b.g OR NOT ARRAY(SELECT s.scope_id::text FROM kc.scope_policy s WHERE s.policy_id = o.p) <@ COALESCE(n.scopes, '{}')) $$;

CREATE TABLE kc.contexts (x jsonb);
INSERT INTO kc.contexts VALUES ('{"now": "2026-01-05T08:30:00Z", "client_id": "cli", "client_scopes": ["offline", "email"], "team": {"name": "sales"}, "example.com/dept": "marketing"}'),
    ('{"now": "2026-01-05T15:30:00Z", "client_id": "console", "client_scopes": ["profile"], "team": {"name": "it"}, "example.com/dept": "sales"}');
CREATE TABLE kc.answers (who text, x jsonb, type text, resource text, scope text, permitted boolean, named boolean);
CREATE FUNCTION kc.evaluate_policies() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    REFRESH MATERIALIZED VIEW kc.direct_groups;
    REFRESH MATERIALIZED VIEW kc.above;
    REFRESH MATERIALIZED VIEW kc.has_role;
    TRUNCATE kc.held;
    -- An aggregate is made of policies with lower numbers.
    FOR n IN 1..12 LOOP
        INSERT INTO kc.held SELECT 'p' || n, w, x.x, kc.holds('p' || n, w, x.x) FROM unnest('{a1,a2,a3,a4,a5,a6}'::text[]) w, kc.contexts x;
    END LOOP;
END $$;
CREATE TABLE kc.permission (id text, strategy int, type text, scopes text[]);
CREATE TABLE kc.grants (id text, who text, x jsonb, yes boolean);
CREATE TABLE kc.looked_at (type text, resource text, permission text, as_what text);
CREATE TABLE kc.tally (who text, x jsonb, type text, resource text, scope text, named boolean, granted boolean, own boolean, by_a_group boolean, denied_own boolean, denied_group boolean, denied_all_groups boolean, denied_type boolean);
CREATE FUNCTION kc.evaluate(walk text, quirks boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE kc.answers, kc.permission, kc.grants, kc.looked_at, kc.tally;
    INSERT INTO kc.permission
    SELECT p.id, p.decision_strategy, c.value, ARRAY(SELECT y.name::text FROM kc.scope_policy s JOIN kc.resource_server_scope y ON y.id = s.scope_id WHERE s.policy_id = p.id)
    FROM kc.resource_server_policy p JOIN kc.policy_config c ON c.policy_id = p.id AND c.name = 'defaultResourceType' WHERE p.type = 'scope';
    INSERT INTO kc.grants
    SELECT p.id, h.w, h.x, kc.counts(p.strategy, count(*) FILTER (WHERE h.yes), count(*))
    FROM kc.permission p JOIN kc.associated_policy a ON a.policy_id = p.id JOIN kc.held h ON h.id = a.associated_policy_id GROUP BY p.id, p.strategy, h.w, h.x;
    INSERT INTO kc.looked_at SELECT * FROM kc.consulted(walk);
    ANALYZE kc.permission, kc.grants, kc.looked_at;
    INSERT INTO kc.tally
    SELECT who, x, type, resource, scope,
        bool_or(itself),
        COALESCE(bool_or(yes AND (itself OR by_group)), false),
        COALESCE(bool_or(yes AND itself AND as_what = 'own'), false),
        COALESCE(bool_or(yes AND by_group AND as_what = 'group'), false),
        COALESCE(bool_or(NOT yes AND as_what = 'own' AND itself), false),
        COALESCE(bool_or(NOT yes AND as_what = 'group' AND (by_group OR same_name AND quirks)), false),
        COALESCE(bool_or(NOT yes AND as_what = 'all groups' AND by_group), false),
        COALESCE(bool_or(NOT yes AND as_what = 'type' AND (quirks OR itself)), false)
    FROM (SELECT c.type, c.resource, c.as_what, s AS scope, p.type = c.type AND s = ANY (p.scopes) AS itself, s = ANY (p.scopes) AS same_name, g.who, g.x, g.yes,
                 COALESCE(a.of_group = ANY (p.scopes), false) AND c.as_what IN ('group', 'all groups') AS by_group
          FROM kc.looked_at c JOIN kc.permission p ON p.id = c.permission JOIN kc.grants g ON g.id = p.id JOIN kc.types t ON t.type = c.type CROSS JOIN unnest(t.scopes) s
          LEFT JOIN kc.alias a ON a.scope = s AND c.type = 'Users') consulted
    GROUP BY who, x, type, resource, scope;
    ANALYZE kc.tally;
    INSERT INTO kc.answers
    SELECT w, x.x, t.type, r.name, s,
        COALESCE(y.granted AND NOT y.denied_own AND NOT y.denied_group AND NOT (y.denied_type AND NOT y.own) AND NOT (y.denied_all_groups AND NOT y.own AND NOT y.by_a_group), false),
        COALESCE(y.named, false)
    FROM unnest('{a1,a2,a3,a4,a5,a6}'::text[]) w CROSS JOIN kc.contexts x CROSS JOIN kc.types t CROSS JOIN LATERAL (SELECT z.name FROM kc.resources z WHERE z.type = t.type UNION ALL SELECT NULL) r CROSS JOIN unnest(t.scopes) s
    LEFT JOIN kc.tally y ON y.who = w AND y.x = x.x AND y.type = t.type AND COALESCE(y.resource, '') = COALESCE(r.name, '') AND y.scope = s;
    ANALYZE kc.answers;
    -- To reset a password, where nothing names it, is to manage; to create is to manage the type; and who may map all roles of a client may map each,
    -- but nobody a role that makes an administrator.
    UPDATE kc.answers a SET permitted = m.permitted FROM kc.answers m
    WHERE a.scope = 'reset-password' AND NOT a.named AND m.scope = 'manage' AND (m.who, m.x, m.type) = (a.who, a.x, a.type) AND COALESCE(m.resource, '') = COALESCE(a.resource, '');
    INSERT INTO kc.answers SELECT who, x, type, NULL, 'create', permitted, true FROM kc.answers WHERE scope = 'manage' AND resource IS NULL;
    UPDATE kc.answers a SET permitted = a.permitted OR m.permitted FROM kc.answers m, kc.keycloak_role r
    WHERE a.type = 'Roles' AND r.id = a.resource AND m.type = 'Clients' AND m.resource = r.client AND m.scope = replace(a.scope, 'map-role', 'map-roles') AND (m.who, m.x) = (a.who, a.x);
    UPDATE kc.answers SET permitted = false WHERE type = 'Roles' AND resource = 'ra' AND scope IN ('map-role', 'map-role-composite');
END $$;

CREATE TABLE kc.results (n int, walk text, quirks boolean, questions bigint, permitted bigint, more bigint, less bigint, lists bigint);
CREATE TABLE kc.differences AS SELECT 0 AS n, ''::text AS walk, true AS quirks, a.*, true AS here FROM kc.answers a LIMIT 0;
CREATE FUNCTION kc.compare(n int, walk text, quirks boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count(*) FROM identity.import_keycloak('acme', 'kc', walk, quirks => quirks);
    PERFORM kc.evaluate(walk, quirks);
    INSERT INTO kc.differences SELECT n, walk, quirks, a.*, c FROM kc.answers a CROSS JOIN LATERAL identity.check_permission('acme', 'user:' || who, scope, lower(type), resource, x) c WHERE c <> permitted;
    INSERT INTO kc.results SELECT $1, $2, $3, (SELECT count(*) FROM kc.answers), (SELECT count(*) FROM kc.answers WHERE permitted),
        (SELECT count(*) FROM kc.differences d WHERE (d.n, d.walk, d.quirks) = ($1, $2, $3) AND here),
        (SELECT count(*) FROM kc.differences d WHERE (d.n, d.walk, d.quirks) = ($1, $2, $3) AND NOT here),
        -- The list of what is permitted has what the evaluator permits, where others are not permitted.
        (SELECT count(*) FROM (SELECT DISTINCT who, x, type, scope FROM kc.answers WHERE scope <> 'create') q
         WHERE NOT (SELECT permitted FROM identity.permitted_resources('acme', 'user:' || who, scope, lower(type), context => x, max_rows => 1))
           AND ARRAY(SELECT r.resource FROM identity.permitted_resources('acme', 'user:' || who, scope, lower(type), context => x, only_permitted => true) r WHERE permitted)
             IS DISTINCT FROM ARRAY(SELECT a.resource FROM kc.answers a WHERE (a.who, a.x, a.type, a.scope) = (q.who, q.x, q.type, q.scope) AND a.permitted AND a.resource IS NOT NULL ORDER BY a.resource COLLATE "C"));
END $$;

SELECT identity.add_realm('acme');
SELECT setseed(0.25);
DO $$
BEGIN
    FOR n IN 1..3 LOOP
        PERFORM kc.fill(), kc.evaluate_policies();
        PERFORM kc.compare(n, 'all', true), kc.compare(n, 'uncovered', true), kc.compare(n, 'all', false);
    END LOOP;
END $$;
SELECT walk, quirks, count(*) AS realms, sum(permitted) > 500 AS many_permitted, sum(more) AS permitted_here_alone, sum(less) AS permitted_there_alone, sum(lists) AS lists_differ
FROM kc.results GROUP BY walk, quirks ORDER BY walk, quirks DESC;
SELECT DISTINCT n, walk, quirks, who, type, resource, scope, permitted FROM kc.differences ORDER BY n, walk, quirks, who, type, resource, scope LIMIT 20;

-- Imported again, and nothing has changed.
SELECT (SELECT count(*) FROM identity.audit_events) AS events \gset before_
SELECT count(*) > 30 AS reported, count(*) FILTER (WHERE outcome ~ 'new|changed|removed') AS as_changed FROM identity.import_keycloak('acme', 'kc', 'all', quirks => false);
SELECT count(*) - :before_events AS new_events FROM identity.audit_events;

-- A dry run beside the evaluator: every answer that differs between what is imported and another realm is announced, and nothing else. Some
-- permissions are written by hand, which the evaluator does not know: for these realms the answers here, which the import changes, are asked.
CREATE TABLE kc.state AS SELECT 'user:' || who AS who, lower(type) AS type, resource, scope, permitted FROM kc.answers LIMIT 0;
CREATE TABLE kc.was AS TABLE kc.state;
CREATE TABLE kc.announced (kind text, name text, rows bigint, outcome text);
CREATE TABLE kc.expanded (who text, type text, resource text, scope text, gained boolean);
CREATE TABLE kc.proof (by_hand boolean, n int, walk text, who text, type text, resource text, scope text, gained boolean, differs boolean, announced boolean);
CREATE TABLE kc.dry_runs (by_hand boolean, n int, walk text, left_something boolean);
CREATE FUNCTION kc.take(by_hand boolean) RETURNS void LANGUAGE sql AS $$
    TRUNCATE kc.state;
    INSERT INTO kc.state SELECT DISTINCT 'user:' || who, lower(type), resource, scope,
        CASE WHEN by_hand THEN identity.check_permission('acme', 'user:' || who, scope, lower(type), resource) ELSE permitted END FROM kc.answers;
$$;
CREATE FUNCTION kc.mark() RETURNS text LANGUAGE sql AS $$
    SELECT md5(concat((SELECT string_agg(p::text, ',' ORDER BY id) FROM identity.permissions p), (SELECT string_agg(p::text, ',' ORDER BY name) FROM identity.policies p),
        (SELECT string_agg(m::text, ',' ORDER BY m::text) FROM identity.members m), (SELECT string_agg(m::text, ',' ORDER BY m::text) FROM identity.resource_containers m),
        (SELECT string_agg(m::text, ',' ORDER BY m::text) FROM identity.implied_scopes m), (SELECT string_agg(m::text, ',' ORDER BY m::text) FROM identity.resource_types m)))
$$;
CREATE FUNCTION kc.prove(n int, by_hand boolean, walk text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    mark text;
    named text[];
BEGIN
    -- What is imported now, and then another realm.
    PERFORM kc.fill(NOT by_hand), kc.evaluate_policies(), kc.evaluate(walk, true);
    PERFORM count(*) FROM identity.import_keycloak('acme', 'kc', walk);
    PERFORM kc.take(by_hand);
    TRUNCATE kc.was;
    INSERT INTO kc.was TABLE kc.state;
    IF random() < 0.5 THEN
        PERFORM kc.fill(NOT by_hand);
    ELSE
        DELETE FROM kc.user_role_mapping WHERE random() < 0.5;
        DELETE FROM kc.user_group_membership WHERE random() < 0.2;
        UPDATE kc.resource_server_policy SET logic = 1 - logic WHERE type <> 'scope' AND random() < 0.2;
        DELETE FROM kc.resource_server_policy WHERE type = 'scope' AND random() < 0.2;
    END IF;
    mark := kc.mark();
    named := ARRAY(SELECT asker FROM identity_internal.keycloak_askers('acme'));
    TRUNCATE kc.announced, kc.expanded;
    INSERT INTO kc.announced SELECT * FROM identity.import_keycloak('acme', 'kc', walk, dry_run => true);
    mark := NULLIF(mark, kc.mark());
    PERFORM count(*) FROM identity.import_keycloak('acme', 'kc', walk);
    named := named || ARRAY(SELECT asker FROM identity_internal.keycloak_askers('acme'));
    PERFORM kc.evaluate_policies(), kc.evaluate(walk, true);
    PERFORM kc.take(by_hand);
    INSERT INTO kc.expanded
    SELECT w.who, k.type, k.resource, k.scope, a.kind = 'gains'
    FROM kc.announced a CROSS JOIN LATERAL regexp_match(a.outcome, '^would (?:no longer )?be permitted (\S+) on (all |the type |)(\S+)(?: but)?(?: (.*))?$') m
    JOIN (SELECT DISTINCT who FROM kc.state) w ON w.who = a.name OR (a.name = '*' AND w.who <> ALL (named))
    JOIN (SELECT DISTINCT type, resource, scope FROM kc.state) k ON k.scope = m[1] AND k.type = m[3]
        AND CASE m[2] WHEN 'the type ' THEN k.resource IS NULL WHEN 'all ' THEN k.resource IS NOT NULL AND k.resource <> ALL (COALESCE(string_to_array(m[4], ', '), '{}')) ELSE k.resource = ANY (string_to_array(m[4], ', ')) END
    WHERE a.kind IN ('gains', 'loses');
    WITH differs AS (
        SELECT b.who, b.type, COALESCE(b.resource, '') AS resource, b.scope, i.permitted AS gained FROM kc.was b JOIN kc.state i USING (who, type, scope)
        WHERE b.resource IS NOT DISTINCT FROM i.resource AND b.permitted <> i.permitted
    ), said AS (
        SELECT e.who, e.type, COALESCE(e.resource, '') AS resource, e.scope, e.gained FROM kc.expanded e)
    INSERT INTO kc.proof
    SELECT by_hand, n, walk, who, type, resource, scope, gained, d.who IS NOT NULL, s.who IS NOT NULL FROM differs d FULL JOIN said s USING (who, type, resource, scope, gained);
    INSERT INTO kc.dry_runs VALUES (by_hand, n, walk, mark IS NOT NULL);
END $$;
DO $$
BEGIN
    FOR n IN 1..2 LOOP
        PERFORM kc.prove(n, false, 'all'), kc.prove(n, false, 'uncovered');
    END LOOP;
    PERFORM identity.add_member('acme', 'user:a6', 'group:g2'), identity.add_member('acme', 'client:robot', 'role:r1');
    PERFORM identity.grant_permission('acme', 'group:g2', 'users', '{view}'), identity.grant_permission('acme', 'role:r2', 'clients', '{manage}', 'c1'),
            identity.deny_permission('acme', 'user:a3', 'users', '{manage}', 'u2'), identity.grant_permission('acme', 'user:a6', 'groups', '{view-members}', 'g3');
    FOR n IN 1..2 LOOP
        PERFORM kc.prove(n, true, 'all'), kc.prove(n, true, 'uncovered');
    END LOOP;
END $$;
SELECT by_hand, count(*) FILTER (WHERE gained) > 100 AS gains, count(*) FILTER (WHERE NOT gained) > 100 AS losses,
    count(*) FILTER (WHERE NOT differs) AS announced_alone, count(*) FILTER (WHERE NOT announced) AS not_announced
FROM kc.proof GROUP BY by_hand ORDER BY by_hand;
SELECT * FROM kc.proof WHERE NOT (differs AND announced) ORDER BY by_hand, n, walk, who, type, resource, scope LIMIT 20;
SELECT count(*) AS dry_runs, count(*) FILTER (WHERE left_something) AS left_something FROM kc.dry_runs;
SELECT count(*) AS without_a_meaning FROM kc.announced WHERE kind IN ('gains', 'loses') AND outcome !~ '^would (no longer )?be permitted \S+ on (all |the type |)(clients|groups|roles|users|organizations)( |$)';

-- What was written by hand goes.
DELETE FROM identity.permissions WHERE realm = 'acme' AND origin IS NULL;
DELETE FROM identity.members WHERE realm = 'acme' AND origin IS NULL;
-- Version 1 of the feature: a permission for each scope of what has been switched on, found by its name, on the resource server of realm-management.
CREATE FUNCTION kc.permission1(n text, on_what text, scope text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO kc.resource_server_policy VALUES (md5(n), n, 'scope', CASE WHEN random() < 0.7 THEN 1 ELSE floor(random() * 3) END, 0, 'rm');
    INSERT INTO kc.scope_policy VALUES ('t-' || scope, md5(n));
    INSERT INTO kc.resource_policy VALUES ('t-' || on_what, md5(n));
    INSERT INTO kc.associated_policy SELECT md5(n), 'p' || o FROM generate_series(1, 12) o WHERE n <> 'user-impersonated.permission.users' ORDER BY random() LIMIT CASE WHEN random() < 0.2 THEN 0 WHEN random() < 0.7 THEN 1 ELSE 2 END;
$$;
CREATE FUNCTION kc.fill1() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM kc.fill();
    TRUNCATE kc.resource_server_resource, kc.resource_server_scope, kc.resource_policy, kc.scope_policy;
    DELETE FROM kc.associated_policy a USING kc.resource_server_policy p WHERE p.id = a.policy_id AND p.type = 'scope';
    DELETE FROM kc.policy_config WHERE name = 'defaultResourceType';
    DELETE FROM kc.resource_server_policy WHERE type = 'scope';
    UPDATE kc.resource_server SET id = 'rm';
    UPDATE kc.resource_server_policy SET resource_server_id = 'rm';
    INSERT INTO kc.resource_server_scope SELECT 't-' || s, s, 'rm' FROM unnest('{manage,view,map-roles,impersonate,user-impersonated,manage-group-membership,manage-members,view-members,manage-membership,configure,map-roles-client-scope,map-roles-composite,token-exchange,map-role,map-role-client-scope,map-role-composite}'::text[]) s;
    INSERT INTO kc.resource_server_resource SELECT 't-' || n, n, NULL, 'rm', 'rm' FROM (SELECT 'Users' UNION ALL SELECT 'group.resource.g' || n FROM generate_series(1, 6) n
        UNION ALL SELECT 'client.resource.c' || n FROM generate_series(1, 3) n UNION ALL SELECT 'role.resource.' || r FROM unnest('{r1,r2,cr1,cr2,ra}'::text[]) r UNION ALL SELECT 'idp.resource.i1') x (n);
    PERFORM kc.permission1(s || '.permission.users', 'Users', s) FROM unnest('{manage,view,map-roles,manage-group-membership,user-impersonated}'::text[]) s WHERE random() < 0.8;
    PERFORM kc.permission1('admin-impersonating.permission.users', 'Users', 'impersonate');
    PERFORM kc.permission1(replace(s, '-', '.') || '.permission.group.g' || g, 'group.resource.g' || g, s) FROM generate_series(1, 6) g, unnest('{manage,view,manage-members,view-members,manage-membership}'::text[]) s WHERE random() < 0.8;
    PERFORM kc.permission1(s || '.permission.client.c' || c, 'client.resource.c' || c, s)
    FROM generate_series(1, 3) c, unnest('{manage,view,configure,map-roles,map-roles-client-scope,map-roles-composite,token-exchange}'::text[]) s WHERE random() < 0.8;
    PERFORM kc.permission1(s || '.permission.' || r, 'role.resource.' || r, s) FROM unnest('{r1,r2,cr1,cr2,ra}'::text[]) r, unnest('{map-role,map-role-client-scope,map-role-composite}'::text[]) s WHERE random() < 0.8;
    PERFORM kc.permission1('token-exchange.permission.idp.i1', 'idp.resource.i1', 'token-exchange');
END $$;
-- The evaluator of version 1: what grants, and what follows from it.
CREATE TABLE kc.granted1 (name text, who text, x jsonb);
CREATE FUNCTION kc.ok1(n text, w text, c jsonb) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM kc.granted1 g WHERE (g.name, g.who, g.x) = (n, w, c))';
CREATE FUNCTION kc.members1(what text, g text, w text, c jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT kc.ok1('manage.permission.users', w, c) OR kc.ok1('manage.members.permission.group.' || g, w, c)
        OR what = 'view' AND (kc.ok1('view.permission.users', w, c) OR kc.ok1('view.members.permission.group.' || g, w, c)) $$;
CREATE FUNCTION kc.user1(what text, u text, w text, c jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT kc.ok1('manage.permission.users', w, c) OR what = 'view' AND kc.ok1('view.permission.users', w, c)
        OR EXISTS (SELECT FROM kc.direct_groups d JOIN kc.above a ON a.g = d.g WHERE d.u = user1.u AND kc.members1(what, a.above, w, c)) $$;
CREATE FUNCTION kc.permitted1(t text, r text, s text, w text, c jsonb) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    CASE t
    WHEN 'Users' THEN
        RETURN CASE WHEN s IN ('view', 'manage') THEN kc.user1(s, r, w, c) WHEN s = 'reset-password' THEN kc.user1('manage', r, w, c)
                    WHEN s = 'impersonate' THEN kc.ok1('admin-impersonating.permission.users', w, c)
                    ELSE kc.user1('manage', r, w, c) OR kc.ok1(s || '.permission.users', w, c) END;
    WHEN 'Groups' THEN
        RETURN CASE s WHEN 'manage-members' THEN kc.members1('manage', r, w, c) WHEN 'view-members' THEN kc.members1('view', r, w, c)
                      ELSE kc.ok1('manage.permission.group.' || r, w, c) OR kc.ok1(replace(s, '-', '.') || '.permission.group.' || r, w, c) END;
    WHEN 'Clients' THEN
        RETURN kc.ok1(s || '.permission.client.' || r, w, c) OR s IN ('view', 'configure') AND (kc.ok1('configure.permission.client.' || r, w, c) OR kc.ok1('manage.permission.client.' || r, w, c));
    WHEN 'Roles' THEN
        RETURN (kc.ok1(s || '.permission.' || r, w, c) AND NOT (r = 'ra' AND s <> 'map-role-client-scope'))
            OR (SELECT kc.ok1(replace(s, 'map-role', 'map-roles') || '.permission.client.' || k.client, w, c) FROM kc.keycloak_role k WHERE k.id = r AND k.client_role AND r <> 'ra') IS TRUE;
    ELSE
        RETURN kc.ok1('token-exchange.permission.idp.' || r, w, c);
    END CASE;
END $$;
CREATE TABLE kc.types1 (type text, scopes text[]);
INSERT INTO kc.types1 VALUES ('Clients', '{manage,view,configure,map-roles,map-roles-client-scope,map-roles-composite,token-exchange}'), ('Groups', '{manage,view,manage-membership,manage-members,view-members}'),
    ('Roles', '{map-role,map-role-client-scope,map-role-composite}'), ('Users', '{manage,view,impersonate,map-roles,manage-group-membership,reset-password}'), ('Identity-Providers', '{token-exchange}');
CREATE TABLE kc.answers1 (n int, who text, x jsonb, type text, resource text, scope text, there boolean, here boolean);
DO $$
BEGIN
    FOR n IN 1..4 LOOP
        PERFORM kc.fill1(), kc.evaluate_policies();
        TRUNCATE kc.granted1;
        INSERT INTO kc.granted1 SELECT p.name, h.w, h.x FROM kc.resource_server_policy p JOIN kc.associated_policy a ON a.policy_id = p.id JOIN kc.held h ON h.id = a.associated_policy_id WHERE p.type = 'scope'
            GROUP BY p.id, p.name, p.decision_strategy, h.w, h.x HAVING kc.counts(p.decision_strategy, count(*) FILTER (WHERE h.yes), count(*));
        PERFORM count(*) FROM identity.import_keycloak('acme', 'kc', 'version1');
        INSERT INTO kc.answers1
        SELECT n, w, x.x, t.type, r.name, s, kc.permitted1(t.type, r.name, s, w, x.x), identity.check_permission('acme', 'user:' || w, s, lower(t.type), r.name, x.x)
        FROM unnest('{a1,a2,a3,a4,a5,a6}'::text[]) w CROSS JOIN kc.contexts x CROSS JOIN kc.types1 t JOIN (TABLE kc.resources UNION ALL SELECT 'Identity-Providers', 'i1') r (type, name) ON r.type = t.type CROSS JOIN unnest(t.scopes) s;
    END LOOP;
END $$;
SELECT count(DISTINCT n) AS realms, count(*) FILTER (WHERE there) > 1000 AS many_permitted, count(*) FILTER (WHERE NOT there) > 1000 AS many_not,
    count(*) FILTER (WHERE here AND NOT there) AS permitted_here_alone, count(*) FILTER (WHERE there AND NOT here) AS permitted_there_alone FROM kc.answers1;
SELECT * FROM kc.answers1 WHERE here <> there ORDER BY n, who, x::text, type, resource, scope LIMIT 20;
SELECT (SELECT count(*) FROM identity.audit_events) AS events \gset before_
SELECT count(*) FILTER (WHERE outcome ~ 'new|changed|removed') AS as_changed FROM identity.import_keycloak('acme', 'kc', 'version1');
SELECT count(*) - :before_events AS new_events FROM identity.audit_events;
-- What somebody has changed so that Keycloak would ask more than one permission, or not find it, permits nobody.
SELECT kc.permission1('another view', 'Users', 'view'), kc.permission1('map-roles.permission.client.gone', 'client.resource.c3', 'map-roles');
INSERT INTO kc.associated_policy SELECT md5(n), 'p1' FROM unnest('{another view,view.permission.users,map-roles.permission.client.gone,user-impersonated.permission.users,admin-impersonating.permission.users,manage.permission.client.c1}'::text[]) n ON CONFLICT DO NOTHING;
INSERT INTO kc.resource_server_policy VALUES (md5('user-impersonated.permission.users'), 'user-impersonated.permission.users', 'scope', 1, 0, 'rm'), (md5('view.permission.users'), 'view.permission.users', 'scope', 1, 0, 'rm') ON CONFLICT DO NOTHING;
INSERT INTO kc.scope_policy VALUES ('t-user-impersonated', md5('user-impersonated.permission.users')), ('t-view', md5('view.permission.users')) ON CONFLICT DO NOTHING;
INSERT INTO kc.resource_policy VALUES ('t-Users', md5('user-impersonated.permission.users')), ('t-Users', md5('view.permission.users')) ON CONFLICT DO NOTHING;
SELECT name, rows, outcome FROM identity.import_keycloak('acme', 'kc', 'version1') WHERE outcome LIKE 'permits nobody%' ORDER BY name COLLATE "C";
SELECT count(*) AS left_over FROM identity.permissions p WHERE p.resource_type = 'users' AND p.scope IN ('view', 'impersonate') AND p.origin LIKE 'keycloak/%';
-- Back to version 2, whose rules are as if there had never been another.
SELECT kc.fill(), kc.evaluate_policies() \g /dev/null
SELECT kc.compare(9, 'all', true);
SELECT permitted > 100 AS many_permitted, more, less, lists FROM kc.results WHERE n = 9;

DROP SCHEMA kc CASCADE;
TRUNCATE identity.permissions, identity.members, identity.resource_containers, identity.policies, identity.implied_scopes, identity.resource_types;
DELETE FROM identity.realms;
