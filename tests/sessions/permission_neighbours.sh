#!/usr/bin/env bash
# A change leaves what a session remembers of other realms, and, where it is about one user, of other users; and whatever another session
# changes, in whatever realm, answers from memory are those without it, at once. SEED=... repeats a run.
. "$(dirname "$0")/../lib.sh"
seed=${SEED:-$RANDOM}
echo "seed $seed"
ask >/dev/null <<'SQL'
CREATE EXTENSION dblink;
SELECT identity.add_realm(r), identity.add_resource_type(r, 'clients', '{view,create}') FROM unnest('{acme,north,south}'::text[]) r;
SELECT identity.grant_permission('acme', s, 'clients', '{create}') FROM unnest('{user:1,user:2,group:1}'::text[]) s;
SELECT identity.add_member('acme', 'user:3', 'group:1');
CREATE FUNCTION misses() RETURNS bigint LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN (SELECT misses FROM identity.permission_cache_status()); END';
-- How many of the remembered answers about three users a statement of another session has cost.
CREATE FUNCTION lost(change text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    asked record;
    before bigint;
    lost int := 0;
BEGIN
    FOR times IN 1..2 LOOP
        lost := 0;
        FOR asked IN SELECT n, s, r FROM generate_series(1, 3) n, unnest('{create,view}'::text[]) s, unnest('{c1,NULL}'::text[]) r LOOP
            before := misses();
            PERFORM identity.check_permission('acme', 'user:' || asked.n, asked.s, 'clients', asked.r);
            IF misses() > before THEN lost := lost + 1; END IF;
        END LOOP;
        IF times = 1 THEN PERFORM * FROM dblink('other', change) AS t (answer text); END IF;
    END LOOP;
    RETURN lost;
END $$;
SQL
session_start
tell "SELECT dblink_connect('other', 'dbname=$db host=$PGHOST port=$PGPORT user=$PGUSER options=''-c lock_timeout=100''')" >/dev/null
lost() { tell "SELECT lost(\$\$$1\$\$)"; }
expect "nothing has changed" 0 "$(lost "SELECT 1")"
expect "another realm: a grant to a user" 0 "$(lost "SELECT identity.grant_permission('north', 'user:1', 'clients', '{create}')")"
expect "another realm: everything" 0 "$(lost "SELECT concat(identity.grant_permission('north', '*', 'clients', '{create}'), identity.add_member('north', 'group:1', 'group:2'), identity.add_container('north', 'clients', 'c1', 'clients', 'c2'), identity.imply_scope('north', 'clients', 'view', 'create'), identity.add_policy('north', 'p', 'subject', '{\"any\": [\"user:1\"]}'))")"
expect "a grant to another user" 0 "$(lost "SELECT identity.grant_permission('acme', 'user:4', 'clients', '{create}')")"
expect "and on a resource" 0 "$(lost "SELECT identity.grant_permission('acme', 'user:4', 'clients', '{create}', 'c1')")"
expect "another user comes into a group" 0 "$(lost "SELECT identity.add_member('acme', 'user:4', 'group:1')")"
expect "a role of the cluster" 0 "$(lost "CREATE ROLE identity_neighbour")"
ask -c "DROP ROLE identity_neighbour"
expect "a grant to one of the three" 4 "$(lost "SELECT identity.grant_permission('acme', 'user:1', 'clients', '{view}')")"
expect "one of the three comes into a group" 4 "$(lost "SELECT identity.add_member('acme', 'user:1', 'group:1')")"
expect "a grant to a group" 12 "$(lost "SELECT identity.grant_permission('acme', 'group:2', 'clients', '{view}')")"
expect "a policy" 12 "$(lost "SELECT identity.add_policy('acme', 'p', 'subject', '{\"any\": [\"user:1\"]}')")"
expect "a table is emptied" 12 "$(lost "TRUNCATE identity.resource_containers")"

# Random changes, by another session and by this one, some of them undone; after each, random questions with memory and without it.
ask -v seed="$seed" >/dev/null <<'SQL'
CREATE FUNCTION one_of(texts text[]) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT texts[1 + floor(random() * cardinality(texts))]';
SELECT identity.add_realm(r) FROM unnest('{one,two,three}'::text[]) r;
INSERT INTO identity.resource_types SELECT r, t, '{view,manage,view-members}', c FROM unnest('{one,two,three}'::text[]) r, (VALUES ('users', 'nearest'), ('groups', 'nearest'), ('ours', 'keycloak_uncovered')) t (t, c);
INSERT INTO identity.implied_scopes (realm, resource_type, scope, by_type, by_scope) SELECT r, t, 'view', 'groups', 'view-members' FROM unnest('{one,two,three}'::text[]) r, unnest('{users,ours}'::text[]) t;
CREATE FUNCTION random_change() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r text := one_of('{one,two,three}'); t text := one_of('{users,groups,ours}');
    s text := one_of('{user:1,user:2,user:3,client:1,group:1,group:2,group:3,role:1,role:2,*}'); m text := one_of('{user:1,user:2,user:3,client:1,group:1,group:2}');
    res text := one_of('{a,b,g1,g2,g3,NULL}');
BEGIN
    RETURN CASE floor(random() * 15)
        WHEN 0 THEN format('DELETE FROM identity.permissions WHERE realm = %L AND subject = %L', r, s)
        WHEN 1 THEN format('DELETE FROM identity.members WHERE realm = %L AND member = %L', r, m)
        WHEN 2 THEN format('UPDATE identity.permissions SET subject = %L WHERE id = (SELECT id FROM identity.permissions WHERE realm = %L ORDER BY random() LIMIT 1)', s, r)
        WHEN 3 THEN format('INSERT INTO identity.resource_containers VALUES (%L, %L, %L, ''groups'', %L) ON CONFLICT DO NOTHING', r, one_of('{users,ours}'), one_of('{a,b}'), one_of('{g1,g2,g3}'))
        WHEN 4 THEN format('INSERT INTO identity.resource_containers SELECT %L, ''groups'', ''g'' || n, ''groups'', ''g'' || n + 1 FROM (SELECT 1 + floor(random() * 2)::int AS n) x ON CONFLICT DO NOTHING', r)
        WHEN 5 THEN format('DELETE FROM identity.resource_containers WHERE realm = %L AND resource = %L', r, one_of('{a,b,g1,g2}'))
        WHEN 6 THEN format('INSERT INTO identity.policies (realm, name, kind, config) VALUES (%L, %L, ''subject'', %L) ON CONFLICT (realm, name) DO UPDATE SET config = excluded.config', r, one_of('{p,q}'), jsonb_build_object('any', ARRAY[s]))
        WHEN 7 THEN format('UPDATE identity.resource_types SET combining = %L WHERE realm = %L AND name = %L', one_of('{nearest,deny_overrides,keycloak,keycloak_uncovered}'), r, t)
        WHEN 8 THEN format('INSERT INTO identity.members VALUES (%L, %L, %L) ON CONFLICT DO NOTHING', r, m, one_of('{group:3,role:1,role:2}'))
        WHEN 9 THEN format('UPDATE identity.members SET realm = %L WHERE realm = %L AND member = %L AND NOT EXISTS (SELECT FROM identity.members x WHERE x.realm = %1$L AND x.member = %3$L)', one_of('{one,two,three}'), r, m)
        ELSE format('INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope, effect, policy, origin) VALUES (%L, %L, %L, NULLIF(%L, ''NULL''), %L, %L, NULLIF(%L, ''''), NULLIF(%L, '''')) ON CONFLICT DO NOTHING',
            r, s, t, res, one_of('{view,manage,view-members}'), one_of('{allow,allow,deny,restrict}'), CASE WHEN random() < 0.2 THEN one_of('{p,q}') ELSE '' END, CASE WHEN random() < 0.3 THEN one_of('{o,u}') ELSE '' END) END;
END $$;
CREATE TABLE questions AS SELECT r, s, t, c, NULLIF(res, 'NULL') AS res FROM unnest('{one,two,three}'::text[]) r, unnest('{user:1,user:2,user:3,client:1,group:1}'::text[]) s,
    unnest('{users,groups,ours}'::text[]) t, unnest('{view,manage,view-members}'::text[]) c, unnest('{a,b,g1,g2,NULL}'::text[]) res;
CREATE FUNCTION answers() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT string_agg(CASE WHEN identity.check_permission(r, s, c, t, res) THEN '1' ELSE '0' END, '' ORDER BY r, s, t, c, res) FROM questions);
END $$;
-- Some of the questions, so that what is remembered is of different times.
CREATE FUNCTION ask_some() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count(*) FILTER (WHERE identity.check_permission(r, s, c, t, res)) FROM questions WHERE random() < 0.2;
END $$;
CREATE FUNCTION fuzz(rounds int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    remembered text; read text; change text; how text; wrong int := 0; permitted int := 0; hits bigint;
BEGIN
    FOR n IN 1..rounds LOOP
        PERFORM ask_some();
        change := random_change();
        how := one_of('{other,other,other,abandoned,own,undone,prepared}');
        IF how = 'own' THEN
            BEGIN EXECUTE change; EXCEPTION WHEN invalid_parameter_value OR integrity_constraint_violation THEN NULL; END;
        ELSIF how = 'undone' THEN
            BEGIN EXECUTE change; PERFORM ask_some(); RAISE unique_violation; EXCEPTION WHEN invalid_parameter_value OR integrity_constraint_violation THEN NULL; END;
        ELSE
            -- What this transaction has locked is left alone.
            PERFORM dblink_exec('other', 'ROLLBACK', false);
            PERFORM dblink_exec('other', CASE how WHEN 'other' THEN change WHEN 'abandoned' THEN format('BEGIN; %s; ROLLBACK', change) ELSE format('BEGIN; %s; PREPARE TRANSACTION ''neighbour''', change) END, false);
            IF how = 'prepared' THEN
                PERFORM ask_some();
                PERFORM dblink_exec('other', one_of('{COMMIT,ROLLBACK}') || ' PREPARED ''neighbour''', false);
            END IF;
        END IF;
        remembered := answers();
        PERFORM set_config('identity.permission_cache', 'off', true);
        read := answers();
        PERFORM set_config('identity.permission_cache', 'on', true);
        permitted := permitted + length(replace(read, '0', ''));
        IF remembered <> read THEN
            wrong := wrong + 1;
            RAISE WARNING 'round %, %: %', n, how, change;
        END IF;
    END LOOP;
    RETURN format('%s wrong, permitted some: %s', wrong, permitted > rounds);
END $$;
SQL
tell "SET client_min_messages = error; SELECT setseed($seed / 32768.0)" >/dev/null
tell "DO \$\$ BEGIN FOR n IN 1..300 LOOP BEGIN EXECUTE random_change(); EXCEPTION WHEN invalid_parameter_value OR integrity_constraint_violation THEN NULL; END; END LOOP; END \$\$" >/dev/null
# The own changes of a transaction keep rows locked: it is ended every now and then.
for _ in $(seq "${ROUNDS:-8}"); do
    expect "30 random changes" "0 wrong, permitted some: t" "$(tell "SELECT fuzz(30)")"
done
session_stop
