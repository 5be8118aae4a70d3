#!/usr/bin/env bash
# Hierarchies of permissions that are large, deep, or full of ways: answers take a time that grows with what is there, not with the
# number of ways, and whatever takes longer answers to statement_timeout.
. "$(dirname "$0")/../lib.sh"

# Runs SQL with a statement_timeout of a second: its last line, or the error's SQLSTATE. Neither may keep one waiting.
timed() { # what, wanted (a regular expression), SQL
    local began got took most=${limit:-1s}
    most=$((${most%s} * 1000 + 3000))
    began=$(date +%s%N)
    got=$(psql -XqAt -v VERBOSITY=sqlstate -c "SET statement_timeout = '${limit:-1s}'" -c "$3" 2>&1 | tail -n 1) || true
    took=$((($(date +%s%N) - began) / 1000000))
    if [[ $got =~ ^($2)$ ]] && [ $took -lt $most ]; then
        echo "ok: $1 ($took ms: $got)"
    else
        printf 'NOT OK: %s\n  wanted: %s, within %d ms\n  got:    %s, after %d ms\n' "$1" "$2" $most "$got" $took
        exit 1
    fi
}
# An answer or a refusal for its size, or a timeout.
some='.*|ERROR:  (54000|57014)'

ask >/dev/null <<'SQL'
SELECT identity.add_realm('acme'), identity.add_realm('deep'), identity.add_realm('past');
SELECT identity.add_resource_type(r, 'docs', '{view}') FROM unnest('{acme,deep,past}'::text[]) AS r;
SQL

echo "-- A lattice of aggregates: two a level, each of both of the level below. There are 2^60 ways down."
ask >/dev/null <<'SQL'
SET statement_timeout = '20s';
SELECT identity.add_policy('acme', 'p0a', 'subject', '{"any": ["user:1"]}'), identity.add_policy('acme', 'p0b', 'attribute', '{"attribute": "ip", "cidr": "10.0.0.0/8"}');
SELECT identity.add_policy('acme', format('p%s%s', n, s), 'aggregate', jsonb_build_object('policies', ARRAY[format('p%sa', n - 1), format('p%sb', n - 1)]))
FROM generate_series(2, 121) AS i, LATERAL (SELECT i / 2 AS n, CASE i % 2 WHEN 0 THEN 'a' ELSE 'b' END AS s) AS l;
SELECT identity.grant_permission('acme', '*', 'docs', '{view}', policy => 'p60a');
SQL
ip='"ip": "10.1.1.1"'
timed "one more policy" "" "SELECT identity.add_policy('acme', 'top', 'aggregate', '{\"policies\": [\"p60a\", \"p60b\"]}')"
timed "permitted under the lattice" t "SELECT identity.check_permission('acme', 'user:1', 'view', 'docs', context => '{$ip}')"
timed "not permitted under it" f "SELECT identity.check_permission('acme', 'user:2', 'view', 'docs', context => '{$ip}')"
timed "explained" 2 "SELECT count(*) FROM identity.explain_permission('acme', 'user:1', 'view', 'docs', context => '{$ip}')"
timed "a circle through it is refused" "ERROR:  22023" "UPDATE identity.policies SET kind = 'aggregate', config = '{\"policies\": [\"p60a\"]}' WHERE name = 'p0a'"
timed "a policy of it is needed" "ERROR:  23503" "SELECT identity.remove_policy('acme', 'p0a')"
limit=3s timed "2000 chained aggregates in one statement" "" "INSERT INTO identity.policies SELECT 'acme', 'c' || n, 'aggregate', jsonb_build_object('policies', ARRAY[CASE n WHEN 1 THEN 'p0a' ELSE 'c' || n - 1 END]) FROM generate_series(1, 2000) AS n"
timed "all of them gone" "" "DELETE FROM identity.policies WHERE name LIKE 'c%'"

echo "-- Rows written past the checks, as a restore or replication writes them: a deep chain of policies, circles, a lattice."
ask >/dev/null <<'SQL'
SET session_replication_role = replica;
INSERT INTO identity.policies SELECT 'past', 'chain' || n, 'aggregate', jsonb_build_object('policies', ARRAY['chain' || n + 1]) FROM generate_series(1, 100000) AS n;
INSERT INTO identity.policies VALUES ('past', 'chain100001', 'subject', '{"all": []}');
INSERT INTO identity.policies SELECT 'past', format('l%s%s', n, s), 'aggregate', jsonb_build_object('policies', ARRAY[format('l%sa', n + 1), format('l%sb', n + 1)])
FROM generate_series(1, 60) AS n, unnest('{a,b}'::text[]) AS s;
INSERT INTO identity.policies SELECT 'past', 'ring' || n, 'aggregate', jsonb_build_object('strategy', 'affirmative', 'policies', ARRAY['ring' || n % 20000 + 1, 'chain100001']) FROM generate_series(1, 20000) AS n;
INSERT INTO identity.permissions (realm, subject, resource_type, scope, resource, policy)
VALUES ('past', '*', 'docs', 'view', 'chain', 'chain1'), ('past', '*', 'docs', 'view', 'near the end', 'chain100000'), ('past', '*', 'docs', 'view', 'lattice', 'l1a'), ('past', '*', 'docs', 'view', 'ring', 'ring1');
SQL
limit=10s timed "a chain of 100000 policies" f "SELECT identity.check_permission('past', 'user:1', 'view', 'docs', 'chain')"
timed "the same within a second" "f|ERROR:  57014" "SELECT identity.check_permission('past', 'user:1', 'view', 'docs', 'chain')"
timed "the end of it" t "SELECT identity.check_permission('past', 'user:1', 'view', 'docs', 'near the end')"
timed "a lattice without an end" f "SELECT identity.check_permission('past', 'user:1', 'view', 'docs', 'lattice')"
timed "a ring" f "SELECT identity.check_permission('past', 'user:1', 'view', 'docs', 'ring')"
timed "why the ring does not permit" 1 "SELECT count(*) FROM identity.explain_permission('past', 'user:1', 'view', 'docs', 'ring') WHERE outcome ~ 'policy \"ring1\" is made of itself'"

echo "-- A chain of 50000 implied scopes, and a lattice of them."
timed "50000 scopes" "" "SELECT identity.add_resource_type('deep', 't', ARRAY(SELECT 's' || g FROM generate_series(0, 50000) AS g))"
limit=10s timed "each implied by the next, in one statement" "" "INSERT INTO identity.implied_scopes SELECT 'deep', 't', 's' || g, 't', 's' || g + 1 FROM generate_series(0, 49999) AS g"
ask -c "SELECT identity.grant_permission('deep', 'user:1', 't', '{s50000}'), identity.grant_permission('deep', 'user:1', 't', '{s50000}', 'c1')" >/dev/null
limit=3s timed "the first scope is permitted by the last" t "SELECT identity.check_permission('deep', 'user:1', 's0', 't')"
limit=3s timed "on a resource" t "SELECT identity.check_permission('deep', 'user:1', 's0', 't', 'c1')"
limit=3s timed "not to another" f "SELECT identity.check_permission('deep', 'user:2', 's0', 't', 'c1')"
limit=3s timed "explained" 3 "SELECT count(*) FROM identity.explain_permission('deep', 'user:1', 's0', 't', 'c1')"
limit=3s timed "why not" 3 "SELECT count(*) FROM identity.explain_permission('deep', 'user:2', 's0', 't', 'c1')"
limit=3s timed "a circle of 50000 is refused" "ERROR:  22023" "INSERT INTO identity.implied_scopes VALUES ('deep', 't', 's50000', 't', 's0')"
timed "permitted_resources" "$some" "SELECT count(*) FROM identity.permitted_resources('deep', 'user:1', 's0', 't')"
timed "permitted_subjects" "$some" "SELECT count(*) FROM identity.permitted_subjects('deep', 's0', 't', 'c1')"
timed "50000 scopes again" "" "SELECT identity.add_resource_type('deep', 't', ARRAY(SELECT 's' || g FROM generate_series(0, 50000) AS g))"
timed "an unknown scope among many" "ERROR:  22023" "SELECT identity.grant_permission('deep', 'user:1', 't', ARRAY(SELECT 'x' || g FROM generate_series(1, 10000) AS g))"
ask >/dev/null <<'SQL'
SET statement_timeout = '20s';
SELECT identity.add_resource_type('acme', 'lattice', ARRAY(SELECT format('s%s%s', n, s) FROM generate_series(0, 60) AS n, unnest('{a,b}'::text[]) AS s));
SELECT identity.imply_scope('acme', 'lattice', format('s%s%s', n, s), format('s%s%s', n + 1, b)) FROM generate_series(0, 59) AS n, unnest('{a,b}'::text[]) AS s, unnest('{a,b}'::text[]) AS b;
SELECT identity.grant_permission('acme', 'user:1', 'lattice', '{s60b}');
SQL
timed "one more implication" "" "SELECT identity.imply_scope('acme', 'lattice', 's0a', 's0b')"
timed "permitted through the lattice" t "SELECT identity.check_permission('acme', 'user:1', 's0a', 'lattice')"

echo "-- Containers that stand in containers, and groups in groups, 100000 deep."
ask >/dev/null <<'SQL'
INSERT INTO identity.resource_containers SELECT 'acme', 'docs', 'd' || n, 'docs', 'd' || n + 1 FROM generate_series(1, 100000) AS n;
INSERT INTO identity.members SELECT 'acme', 'group:' || n, 'group:' || n + 1 FROM generate_series(1, 100000) AS n;
INSERT INTO identity.members VALUES ('acme', 'user:1', 'group:1'), ('acme', 'user:2', 'group:50000');
SELECT identity.grant_permission('acme', 'user:7', 'docs', '{view}', 'd100001'), identity.grant_permission('acme', 'group:100001', 'docs', '{view}', 'deep');
SELECT identity.deny_permission('acme', 'user:8', 'docs', '{view}');
VACUUM ANALYZE identity.resource_containers, identity.members;
SQL
limit=10s timed "permitted by the outermost container" t "SELECT identity.check_permission('acme', 'user:7', 'view', 'docs', 'd1')"
limit=10s timed "not permitted" f "SELECT identity.check_permission('acme', 'user:8', 'view', 'docs', 'd1')"
timed "the same within a second" "t|ERROR:  57014" "SELECT identity.check_permission('acme', 'user:7', 'view', 'docs', 'd1')"
limit=10s timed "explained" "$some" "SELECT count(*) FROM identity.explain_permission('acme', 'user:7', 'view', 'docs', 'd1')"
limit=10s timed "one more container" t "SELECT identity.add_container('acme', 'docs', 'd0', 'docs', 'd1')"
limit=10s timed "a circle of containers is refused" "ERROR:  22023" "SELECT identity.add_container('acme', 'docs', 'd100001', 'docs', 'd1')"
timed "listed by subjects" "$some" "SELECT count(*) FROM identity.permitted_subjects('acme', 'view', 'docs', 'd1')"
timed "listed by resources" "$some" "SELECT count(*) FROM identity.permitted_resources('acme', 'user:7', 'view', 'docs')"
limit=10s timed "permitted by the outermost group" t "SELECT identity.check_permission('acme', 'user:1', 'view', 'docs', 'deep')"
limit=10s timed "explained, with the way" 100001 "SELECT cardinality(via) FROM identity.explain_permission('acme', 'user:1', 'view', 'docs', 'deep') WHERE outcome = 'decides'"
limit=10s timed "one more group" t "SELECT identity.add_member('acme', 'group:0', 'group:1')"
limit=10s timed "a circle of groups is refused" "ERROR:  22023" "SELECT identity.add_member('acme', 'group:100001', 'group:1')"
timed "all members" "$some" "SELECT count(*) FROM identity.permitted_subjects('acme', 'view', 'docs', 'deep')"
timed "in a deep container, by a deep group" "t|f|ERROR:  57014" "SELECT identity.check_permission('acme', 'user:1', 'view', 'docs', 'd1')"
ask -c "INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope) SELECT 'acme', 'group:' || n, 'docs', 'all groups', 'view' FROM generate_series(1, 100000) AS n" -c "VACUUM ANALYZE identity.permissions"
timed "an explanation that would be too large" "ERROR:  (54000|57014)" "SELECT count(*) FROM identity.explain_permission('acme', 'user:1', 'view', 'docs', 'all groups')"

echo "-- Many questions at once, and a slow condition."
names="ARRAY(SELECT 'n' || g FROM generate_series(1, 10000) AS g)"
timed "10000 x 10000" "ERROR:  54000" "SELECT count(*) FROM identity.check_permissions('acme', 'user:1', 'docs', $names, $names)"
timed "1000 x 1000" "1000000|ERROR:  57014" "SELECT count(*) FROM identity.check_permissions('acme', 'user:1', 'docs', ($names)[:1000], ($names)[:1000])"
ask -c "SELECT identity.add_policy('acme', 'slow', 'attribute', '{\"attribute\": \"text\", \"regex\": \"[a-c]{1,500}[a-d]{1,500}[x-z]\"}'), identity.grant_permission('acme', '*', 'docs', '{view}', 'slow', 'slow')" >/dev/null
timed "a slow regular expression on a long text" "ERROR:  57014" "SELECT identity.check_permission('acme', 'user:9', 'view', 'docs', 'slow', jsonb_build_object('text', repeat('ab', 500000)))"
timed "a context that is too large" "ERROR:  54000" "SELECT identity.check_permission('acme', 'user:9', 'view', 'docs', 'slow', jsonb_build_object('text', repeat('ab', 600000)))"
expect "none of all that crashed the server" 0 "$(grep -c 'terminated by signal\|PANIC' "$(ask -c 'SHOW data_directory')/server.log" || true)"
