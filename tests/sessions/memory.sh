#!/usr/bin/env bash
# Every function of the extension that takes a text, an array of texts or a document, with huge ones, in a server that has little memory:
# each answers or raises an error that can be read, and neither the server nor the session goes down.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools/cluster.sh remove memory
PG_IDENTITY_SHARED_BUFFERS=16MB tools/cluster.sh start memory
trap 'tools/cluster.sh remove memory' EXIT
eval "$(tools/cluster.sh env memory)"
. tests/lib.sh

ask >/dev/null <<'SQL'
SELECT identity.add_realm('acme'), identity.add_resource_type('acme', 'docs', '{view,edit}'), identity.add_site('acme', 2, 'shop'), identity.add_organization('acme', 'north');
SELECT identity.grant_permission('acme', 'user:1', 'docs', '{view}'), identity.grant_permission('acme', 'user:2', 'docs', '{view}', 'd1', NULL);
SELECT identity.add_policy('acme', 'regex', 'attribute', '{"attribute": "x", "regex": "^y+$"}'), identity.grant_permission('acme', '*', 'docs', '{edit}', policy => 'regex');
SELECT count(*) FROM identity.import_identities('acme', '[{"id": "00000000-0000-0000-0000-000000000001", "traits": {"username": "ann"}, "credentials": {"password": {"config": {"hashed_password": "0cc175b9c0f1b6a831c399e269772661"}}}}]');
SELECT identity.add_membership('acme', '00000000-0000-0000-0000-000000000001', 'north');
CREATE TABLE people (id int PRIMARY KEY, login text, site text, was text);
INSERT INTO people VALUES (1, 'ann', 'main', NULL), (2, 'ann', 'shop', NULL);

-- Huge values, as they are stored. What is compressed is as large as ever when a function looks at it.
CREATE TABLE huge (name text PRIMARY KEY, t text, a text[], j jsonb, b bytea);
INSERT INTO huge (name, t) VALUES ('long', repeat('x', 30000000)), ('letters', repeat('x', 300000000)), ('subject', 'user:' || repeat('x', 300000000)), ('spaces', repeat(' ', 300000000)), ('quotes', repeat('''', 300000000)), ('wide', repeat('ﷺ', 100000000));
INSERT INTO huge (name, a) SELECT 'many', array_agg('n' || g) FROM generate_series(1, 10000) AS g;
INSERT INTO huge (name, a) SELECT 'most', array_agg('n' || g) FROM generate_series(1, 3000000) AS g;
INSERT INTO huge (name, a) SELECT 'large', ARRAY[t] FROM huge WHERE name = 'letters';
INSERT INTO huge (name, j) VALUES ('text', jsonb_build_object('x', repeat('y', 200000000))), ('key', jsonb_build_object(repeat('y', 200000000), 1)), ('words', jsonb_build_object('any', repeat('y', 200000000)));
INSERT INTO huge (name, j) SELECT 'numbers', jsonb_agg(1) FROM generate_series(1, 300000);
INSERT INTO huge (name, j) SELECT 'members', jsonb_object_agg('k' || g, g) FROM generate_series(1, 300000) AS g;
INSERT INTO huge (name, j) SELECT 'objects', jsonb_build_object('identities', jsonb_agg('{"create": {"traits": {"username": "x"}}}'::jsonb)) FROM generate_series(1, 10000);
INSERT INTO huge (name, j) SELECT 'deep', (repeat('{"x": ', 5000) || '1' || repeat('}', 5000))::jsonb;
INSERT INTO huge (name, j) SELECT 'digits', jsonb_agg('1e131000'::jsonb) FROM generate_series(1, 3000);
INSERT INTO huge (name, b) SELECT 'bytes', convert_to(t, 'UTF8') FROM huge WHERE name = 'letters';

-- What each argument is where another one is huge.
CREATE TABLE usual (function text, argument text, value text, PRIMARY KEY (argument, function));
INSERT INTO usual (function, argument, value) VALUES
    ('', 'realm', '''acme'''), ('', 'subject', '''user:1'''), ('', 'scope', '''view'''), ('', 'resource_type', '''docs'''), ('', 'resource', '''d1'''),
    ('', 'scopes', '''{view}'''), ('', 'resources', '''{d1}'''), ('collapse_permissions', 'resources', '''SELECT ''''d1'''''''), ('', 'context', '''{}'''), ('', 'context_value', '''{}'''),
    ('', 'effect', '''allow'''), ('', 'policy', '''regex'''), ('', 'kind', '''subject'''), ('normalize_identifier', 'kind', '''username'''), ('', 'config', '''{"all": []}'''),
    ('', 'names', '''{docs}'''), ('', 'types', '''{docs}'''), ('', 'member', '''user:1'''), ('', 'container', '''group:1'''), ('', 'container_type', '''docs'''), ('', 'by_scope', '''edit'''), ('', 'by_type', '''docs'''),
    ('', 'site', '''shop'''), ('dedup_logins', 'site', '''site'''), ('find_duplicates', 'site', '''site'''), ('', 'login', '''ann'''), ('dedup_logins', 'login', '''login'''), ('find_duplicates', 'login', '''login'''),
    ('', 'row_id', '''id'''), ('', 'flag', '''was'''), ('', 'keep', '''first'''), ('', 'normalize', '''username'''), ('', 'prefixes', '''{"shop": "s_"}'''), ('', 'reserved', '''SELECT ''''root'''''''),
    ('', 'target', '''people'''), ('', 'source', '''SELECT 3 AS id'''), ('import_identities_from', 'source', '''SELECT ''''{}''''::json AS d'''), ('stage_site', 'source', '''SELECT 1 AS id, ''''bob'''' AS u'''),
    ('', 'on_conflict', '''skip'''), ('', 'report', '''problems'''), ('', 'match_on', '''{id}'''), ('', 'identities', '''[]'''), ('', 'body', '''{"identities": []}'''),
    ('', 'mapping', '''{"original_id": "id", "username": "u"}'''), ('', 'rules', '''{}'''), ('', 'original_ids', '''{1}'''), ('', 'original_id', '''1'''), ('', 'rule', '''spam'''), ('', 'state', '''sent'''),
    ('', 'hash', '''0cc175b9c0f1b6a831c399e269772661'''), ('', 'password', '''a'''), ('', 'settings', '''{}'''), ('', 'organization', '''north'''), ('', 'schema', '''public'''), ('set_identity_schema', 'schema', '''{}'''), ('schema_problem', 'schema', '''{}'''),
    ('', 'time_zone', '''UTC'''), ('', 'level', '''admin'''), ('', 'role', 'quote_ident(current_user)'), ('', 'name', '''new'''), ('', 'email', '''ann@example.com'''), ('', 'address', '''192.0.2.7'''), ('', 'url', '''https://example.com/'''),
    ('', 'identity_id', '''00000000-0000-0000-0000-000000000001'''), ('', 'dry_run', 'true'), ('', 'max_rows', '10'), ('', 'most', '255'), ('', 'what', '''name'''), ('', 'site_id', '3'), ('', 'fallback', 'true'), ('', 'max_attempts', '10'),
    ('', 'target_realm', '''acme'''), ('', 'domains', '''{example.com}'''), ('', 'scheme', '''argon2id'''), ('', 'key', '''ann'''), ('', 'table', '''people''::regclass'), ('', 'place', '''(0,1)'''), ('', 'checkpoint', 'identity.audit_checkpoint(''acme'')'), ('', 'before', 'now() - interval ''1 year''');

-- Those that are in C, and those that a level of access may call. Only the first make anything of their own of an argument.
CREATE ROLE admin_of_memory;
SELECT identity.grant_access('admin_of_memory', 'admin');
CREATE TABLE candidates AS
SELECT p.oid, p.proname AS function, n AS number, p.proargnames[n] AS argument, t.type, l.lanname = 'c' AS in_c
FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'pg_identity' JOIN pg_language AS l ON l.oid = p.prolang,
unnest(p.proargtypes) WITH ORDINALITY AS t (type, n)
WHERE p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype AND (l.lanname = 'c' OR has_function_privilege('admin_of_memory', p.oid, 'EXECUTE'));

-- Each function with one huge argument, in turn, and with all that can be huge.
CREATE TABLE calls AS
WITH choices AS (
    SELECT c.*, h.name AS huge, CASE c.type WHEN 'text'::regtype THEN 't' WHEN 'text[]'::regtype THEN 'a' WHEN 'jsonb'::regtype THEN 'j' ELSE 'b' END AS field
    FROM candidates AS c JOIN huge AS h ON CASE c.type WHEN 'text'::regtype THEN h.t IS NOT NULL WHEN 'text[]'::regtype THEN h.a IS NOT NULL WHEN 'jsonb'::regtype THEN h.j IS NOT NULL WHEN 'bytea'::regtype THEN h.b IS NOT NULL END
    WHERE CASE WHEN NOT c.in_c THEN h.name = ANY ('{long,many,text,bytes}')
               WHEN c.type = 'text'::regtype THEN h.name = 'letters' OR h.name = 'subject' AND c.argument = ANY ('{subject,member,container}')
                   OR h.name = ANY ('{spaces,wide}') AND c.argument = ANY ('{login,value,key,password,hash}') OR h.name = 'quotes' AND c.argument = ANY ('{source,resources,reserved}')
               WHEN c.type = 'jsonb'::regtype THEN h.name = ANY ('{text,deep,members}') OR h.name = 'digits' AND c.function = 'resolve_login' OR c.argument = ANY ('{identities,config}')
               ELSE true END
), every AS (
    SELECT c.oid, c.function, c.argument || ': ' || c.huge AS label, c.number, c.huge, c.field FROM choices AS c
    UNION ALL
    SELECT c.oid, c.function, 'all', NULL, NULL, NULL FROM choices AS c WHERE c.in_c GROUP BY c.oid, c.function HAVING count(DISTINCT c.number) > 1
)
SELECT row_number() OVER (ORDER BY e.function, e.number, e.huge) AS n, e.function, e.label,
       format('SELECT count(*) FROM %s(%s) AS f', e.oid::regproc, (
           SELECT string_agg(CASE WHEN e.number = a.number OR e.number IS NULL AND k.field IS NOT NULL
                                  THEN format('(SELECT h.%s FROM huge AS h WHERE h.name = %L)', COALESCE(e.field, k.field), COALESCE(e.huge, k.huge))
                                  ELSE format('%s::%s', COALESCE(o.value, u.value, CASE a.type WHEN 'text'::regtype THEN '''x''' ELSE 'NULL' END), format_type(a.type, NULL)) END, ', ' ORDER BY a.number)
           FROM candidates AS a
           LEFT JOIN usual AS o ON o.argument = a.argument AND o.function = e.function
           LEFT JOIN usual AS u ON u.argument = a.argument AND u.function = ''
           LEFT JOIN (VALUES ('text'::regtype, 't', 'letters'), ('text[]', 'a', 'large'), ('jsonb', 'j', 'text'), ('bytea', 'b', 'bytes')) AS k (type, field, huge) ON k.type = a.type
           WHERE a.oid = e.oid)) AS statement
FROM every AS e;
CREATE TABLE answers (n bigint PRIMARY KEY, answer text, length int, seconds numeric);

-- Makes a call, keeps what came of it, and undoes what it did.
CREATE FUNCTION make_call(n bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    began CONSTANT timestamptz := clock_timestamp();
    detail text;
    hint text;
BEGIN
    EXECUTE (SELECT c.statement FROM calls AS c WHERE c.n = make_call.n);
    RAISE EXCEPTION USING ERRCODE = 'ZZZZZ', MESSAGE = 'an answer';
EXCEPTION WHEN OTHERS OR query_canceled THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    INSERT INTO answers VALUES (n, SQLSTATE || ' ' || left(SQLERRM, 300) || ' | ' || left(detail, 300),
        length(SQLERRM) + length(detail) + length(hint), round(EXTRACT(epoch FROM clock_timestamp() - began), 3));
END
$$;
SQL
tools/cluster.sh stop memory
# The limit is of the address space: what the server itself takes is in it.
(ulimit -v "${LIMIT:-1400000}" && tools/cluster.sh start memory)
calls=$(ask -c 'SELECT count(*) FROM calls')
echo "-- $calls calls of $(ask -c 'SELECT count(DISTINCT function) FROM calls') functions"
expect "calls of functions in C" t "$(ask -c "SELECT count(DISTINCT function) > 30 FROM candidates WHERE in_c")"
{
    echo "SET statement_timeout = '60s'; SET lc_messages = 'C'; SET client_min_messages = error;"
    for n in $(seq "$calls"); do printf '\\echo %s\nSELECT make_call(%s);\n' "$n" "$n"; done
    echo "SELECT 'the session is alive';"
} | psql -XqAt >"$PGHOST/calls.log" 2>&1 || true
during() { ask -c "SELECT format('%s(%s)', c.function, c.label) FROM calls AS c WHERE c.n = $(grep -E '^[0-9]+$' "$PGHOST/calls.log" | tail -n 1)"; }
expect "the session lived through all of them" "the session is alive" "$(tail -n 1 "$PGHOST/calls.log" | grep alive || during)"
expect "calls that did not end within a minute" "" "$(ask -c "SELECT c.function, c.label FROM answers AS a JOIN calls AS c USING (n) WHERE a.answer LIKE '57014%'")"
expect "errors that nobody foresaw" "" "$(ask -c "SELECT c.function, c.label, a.answer FROM answers AS a JOIN calls AS c USING (n) WHERE a.answer LIKE 'XX%' AND a.answer NOT LIKE 'XX000 invalid memory alloc request size%'")"
expect "errors that nobody can read" "" "$(ask -c "SELECT c.function, c.label, a.length, left(a.answer, 60) FROM answers AS a JOIN calls AS c USING (n) WHERE a.length > 20000")"
echo "-- the slowest: $(ask -c "SELECT string_agg(format('%s(%s) %s s', c.function, c.label, a.seconds), ', ' ORDER BY a.seconds DESC) FROM (SELECT * FROM answers ORDER BY seconds DESC LIMIT 3) AS a JOIN calls AS c USING (n)")"
echo "-- answers: $(ask -c "SELECT string_agg(format('%s %s', n, answer), ', ' ORDER BY n DESC) FROM (SELECT replace(left(answer, 5), 'ZZZZZ', 'results') AS answer, count(*) AS n FROM answers GROUP BY 1) AS a")"

# By as little as there is left: a session ends at worst, and the server goes on.
for kilobytes in 0 500 2000 5000 9000 12000 18000 24000 32000 48000; do
    session_start
    tell "SELECT identity.check_permission('acme', 'user:1', 'view', 'docs'), identity.unicode_version()" >/dev/null
    taken=$(awk '/^VmSize/ { print $2 }' "/proc/$session_pid/status")
    tools/cluster.sh run memory prlimit --pid "$session_pid" --as=$(((taken + kilobytes) * 1024))
    {
        echo "SELECT count(*) FROM identity.import_identities('acme', (SELECT jsonb_agg(jsonb_build_object('traits', jsonb_build_object('username', 'u' || g))) FROM generate_series(1, 5000) AS g));"
        echo "SELECT count(*) FROM identity.check_permissions('acme', 'user:1', 'docs', '{view,edit}', ARRAY(SELECT 'r' || g FROM generate_series(1, 20000) AS g), '{\"x\": \"y\"}');"
        echo "SELECT identity.verify_password('\$argon2id\$v=19\$m=65536,t=1,p=1\$c2FsdHNhbHQ\$c2FsdHNhbHRzYWx0c2FsdA', 'x');"
    } >&"$session" 2>/dev/null || true
    exec {session}>&-
    while kill -0 "$session_pid" 2>/dev/null; do sleep 0.05; done
    echo "ok: with $kilobytes kB left: $(grep -o 'ERROR:  out of memory\|FATAL:  out of memory\|ERROR:.*\|^[0-9]*$' "$session_said" | tr '\n' ' ')"
    rm -f "$session_said"
    expect "the server has not restarted" 0 "$(grep -c 'terminated by signal\|PANIC' "$PGHOST/server.log" || true)"
done
