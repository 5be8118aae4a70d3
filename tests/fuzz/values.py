"""Values for the arguments of a function, as SQL: hostile ones by type, and valid ones by the argument's name."""

import json

from tables import literal


def sql(*texts):
    return [literal(t) for t in texts]


# SQL that a source may run in the caller's own name while a function works.
MISCHIEF = [
    "DISCARD TEMP", "DISCARD PLANS", "RESET ALL", "RESET ROLE", "SET ROLE postgres", "SET SESSION AUTHORIZATION postgres", "SET CONSTRAINTS ALL DEFERRED",
    "SET CONSTRAINTS ALL IMMEDIATE", "SET search_path = fuzz_app", "SET LOCAL row_security = off", "DROP TABLE IF EXISTS own", "DROP TABLE IF EXISTS own CASCADE",
    "ALTER TABLE own ADD COLUMN more int", "ALTER TABLE own DROP COLUMN login", "TRUNCATE own", "DELETE FROM own", "INSERT INTO own VALUES (77, 1, 'x')", "LOCK TABLE own",
    "CREATE INDEX ON own (login)", "VACUUM own", "COMMIT", "ROLLBACK", "SAVEPOINT a", "LISTEN x", "NOTIFY x", "CREATE TEMPORARY TABLE pg_identity_raw_1 (a int)",
    "CREATE TEMPORARY TABLE pg_identity_item (a int)", "SELECT identity.import_rows('own', 'SELECT 5 AS id')", "SELECT * FROM pg_authid", "DROP EXTENSION pg_identity",
    "SELECT pg_terminate_backend(pg_backend_pid()) WHERE false", "SET client_encoding = 'SQL_ASCII'", "SET standard_conforming_strings = off", "SET default_transaction_read_only = on",
]

NAMES = [
    "", " ", "x", "select", "a,b", "last, first", 'x "y"', "o'hara", "m@site", "@site", "$1", "%s %I", "{realm}", "new\nline", "tab\t", "\\", "\\x00", "\x01", "NULL", "null", "*", "user:", ":", "user:*",
    "'; DROP TABLE x; --", "x USING gist(r);create table fuzz_app.pwned();--", "(SELECT 1)", "1); SELECT 1; --", "тест", "аdmin", "ＡＤＭＩＮ", "ﬁ", "e\u0301", "\u202eabc", "\u200b", "\ufeff", "😀", "\U0010ffff",
    "pg_catalog.pg_class", "pg_authid", "identity.identities", "-1", "1e400000", "NaN", "infinity", "0x10", "(0,1)", "{}", "{a", "[", "(((((", "^(x+x+)+y$", "a" * 63, "a" * 64, "x" * 255, "x" * 256, "x" * 513,
]
LONG = [
    "repeat('x', 4097)", "repeat('x', 100000)", "repeat('é', 1000000)", "repeat('x', 10000000)", "repeat('(', 20000)", "repeat('a|', 50000)", "repeat(U&'\\0301', 20000)", "'user:' || repeat('x', 1000000)",
    "repeat('.', 100000) || '@x.example'", "repeat('[', 10000) || repeat(']', 10000)", "repeat('1', 5000)", "repeat('a.', 30000)",
]
TEXTS = sql(*NAMES) + LONG
QUERIES = sql(
    "SELECT 1 AS id", "fuzz_app.users", "SELECT * FROM fuzz_app.users", "TABLE fuzz_app.forum", "VALUES (1)", "SELECT 1/0 AS id", "SELECT 1; SELECT 2", "SELECT 1 AS id --", "SELECT 1 AS id /*", "SELECT $1 AS id",
    "SELECT 1 AS id)", "(SELECT 1 AS id", "", ";", "SELECT", "SELECT 1 AS id, 2 AS id", 'SELECT 1 AS id, 2 AS "?row", 3 AS rn', "DELETE FROM fuzz_app.users RETURNING *", "WITH d AS (DELETE FROM fuzz_app.users RETURNING *) SELECT * FROM d",
    "COMMIT", "EXPLAIN SELECT 1", "SHOW search_path", "COPY (SELECT 1) TO STDOUT", "SELECT 1 AS id INTO x", "SELECT id FROM fuzz_app.users FOR UPDATE", "SELECT * FROM pg_authid", "SELECT * FROM fuzz_app.secret", "SELECT NULL::fuzz_app.users AS id",
    "SELECT generate_series(1, 50000) AS id", "SELECT generate_series(1, 20000) AS id, 'x' AS login", "SELECT pg_sleep(20) AS id", "SELECT 1 AS id, repeat('y', 1000000) AS login", "SELECT 'x' AS id, NULL AS login", "no_such_table", "fuzz_app.names",
    '"last, first"', 'fuzz_app."last, first"', "pg_catalog.pg_class", "identity.identities", "SELECT doc FROM fuzz_app.documents", "fuzz_app.documents", "SELECT 'c1'", "SELECT '{\"traits\": {\"username\": \"zoe\"}}'::jsonb", "SELECT NULL::jsonb",
    "SELECT n::text AS uid, 'login' || n AS login, 'm' || n AS mail, 'Y' AS mail_ok, 1 AS created, n AS seen, '' AS city, '' AS pw FROM generate_series(1, 300) n", "SELECT 1 AS id, 'z' AS login, 2 AS site",
    "SELECT fuzz_app.plant() AS id", "SELECT fuzz_app.plant() AS uid, 'planted' AS login", "SELECT fuzz_app.plant() AS doc", "SELECT 3 AS id, fuzz_app.plant() AS login",
) + [f"'SELECT fuzz_app.mischief(' || quote_literal({literal(m)}) || ') AS id'" for m in MISCHIEF] + [f"'SELECT n AS id, CASE n WHEN 2 THEN fuzz_app.mischief(' || quote_literal({literal(m)}) || ') ELSE n::text END AS login FROM generate_series(1, 3) n'" for m in MISCHIEF]

DEEP = [f"(repeat('[', {n}) || repeat(']', {n}))::{{type}}" for n in (100, 127, 128, 129, 1000, 3000, 10000)] + [f"""(repeat('{{{{"a":', {n}) || '1' || repeat('}}}}', {n}))::{{type}}""" for n in (127, 128, 129, 2000, 10000)]
JSON = [
    "null", "true", "0", "-1", '""', '"x"', "[]", "{}", "[[]]", "[null]", "[{}]", "[1,2]", '{"": ""}', '{"a": null}', "1e131000", "-0", "1e-16000", "[1e131000]", '{"identities": {}}', '{"identities": [null, 1, "x", [], {}, {"create": []}]}',
    '[{"traits": null}]', '[{"traits": {"username": ["x"]}}]', '[{"traits": {"username": {"a": 1}}, "credentials": []}]', '{"now": "infinity"}', '{"now": 1e300}', '{"ip": "::ffff:1.2.3.4/33"}', '{"organizations": [[]]}', '{"hours": [[25, -1]]}',
    '{"policies": ["hours", "hours"]}', '{"policies": [null]}', '{"any": []}', '{"any": ["user:*"]}', '{"attribute": [], "equals": null}', '{"attribute": "a", "regex": "(((((((((("}', '{"attribute": "a", "regex": "(a{1000}){1000}"}', '{"attribute": "ip", "cidr": ["x"]}',
    '{"original_id": ""}', '{"original_id": "no such column"}', '{"original_id": {"column": "uid", "epoch": "years"}}', '{"original_id": {"constant": {"a": [1]}}}', '{"2": ""}', '{"2": "fz_", "x": 5}', '{"mfa_required": "yes"}', '{"is_default": null}',
    '{"factors": ["totp", null, 5]}', '{"\\u0001": "\\ud83d\\ude00"}',
]
JSON_MADE = DEEP + [
    "(SELECT jsonb_object_agg('k' || n, n) FROM generate_series(1, 20000) AS n)::{type}", "(SELECT jsonb_agg(n) FROM generate_series(1, 50000) AS n)::{type}", "to_jsonb(repeat('x', 1000000))::{type}", "jsonb_build_object(repeat('k', 100000), 1)::{type}",
    "(SELECT jsonb_agg(jsonb_build_object('traits', jsonb_build_object('username', 'many' || n))) FROM generate_series(1, 3000) AS n)::{type}",
]
ROWS = [
    "42", "'x'::text", "'hello world this is a text of some length'::text", "true", "NULL::int", "now()", "1.5", "ARRAY[1, 2]", "ARRAY[NULL]::text[]", "'{\"a\": 1}'::jsonb", "ROW(1, 'a')", "ROW()", "NULL::fuzz_app.users", "ROW(7, NULL)::fuzz_app.guarded",
    "ROW(7, 'x')::fuzz_app.guarded", "(SELECT u FROM fuzz_app.users AS u LIMIT 1)", "ROW(1, 2)::fuzz_app.small", "1::fuzz_app.small", "ROW(1, 'x')::fuzz_app.pair", "int4range(1, 2)", "'(0,1)'::tid", "1::oid", "'pg_class'::regclass", "'x'::name",
    "'\\xffffffffc90800000000000000000100020018000000'::bytea", "'\\xffffffff410600000000000000000500060018ff0000'::bytea || decode(repeat('ff', 200), 'hex')", "decode(repeat('00', 100), 'hex')", "repeat('x', 1000000)", "'\"char\"'::\"char\"",
    "(SELECT c FROM pg_class AS c LIMIT 1)", "(SELECT t FROM pg_type AS t WHERE typname = 'int4')", "NULL::record", "'a'::cstring", "point(1, 2)", "'1 day'::interval", "'x'::bpchar", "'{}'::fuzz_app.users[]",
]
OIDS = ["0", "1", "1259", "2619", "4294967295", "'pg_authid'::regclass", "'pg_class_oid_index'::regclass", "'fuzz_app.users'::regclass", "'fuzz_app.guarded'::regclass", "'fuzz_app.names'::regclass", "'fuzz_app.\"last, first\"'::regclass", "'own'::regclass", "'fuzz_app.secret'::regclass"]
EXTENSION_TABLES = ["identities", "permissions", "realms", "audit_events", "credentials", "import_progress"]

BY_TYPE = {
    "text": TEXTS + QUERIES[:20],
    "name": sql(*NAMES[:40]),
    "boolean": ["true", "false"],
    "integer": ["0", "1", "-1", "2", "10", "1000", "100000", "2147483647", "-2147483648"],
    "smallint": ["0", "1", "-1", "32767", "-32768"],
    "bigint": ["0", "1", "-1", "2", "100", "9223372036854775807", "-9223372036854775808", "4294967296"],
    "numeric": ["0", "-1", "'NaN'", "'infinity'", "1e100000", "1e-1000"],
    "double precision": ["0", "'NaN'", "'-infinity'", "1e308", "'-0'"],
    "uuid": sql("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "01a21625-4181-7602-b6a9-83cac991bb2b"),
    "timestamp with time zone": ["now()", "'infinity'", "'-infinity'", "'4713-01-01 00:00 BC'", "'294276-12-31'", "'epoch'", "now() - interval '1 second'", "now() + interval '100 years'"],
    "interval": ["'0'", "'-1 day'", "'178000000 years'", "'1 microsecond'"],
    "inet": sql("0.0.0.0/0", "::/0", "::ffff:10.0.0.1", "255.255.255.255", "10.0.0.1/8"),
    "bytea": ["''", "'\\x00'", "decode(repeat('ff', 32), 'hex')", "decode(repeat('00', 1000000), 'hex')"],
    "oid": OIDS,
    "regclass": ["0::regclass", "4294967295::oid::regclass"] + OIDS[5:] + [f"'identity.{t}'::regclass" for t in EXTENSION_TABLES] + ["'pg_catalog.pg_class'::regclass", "'pg_toast.pg_toast_1255'::regclass", "1::regclass"],
    "tid": sql("(0,0)", "(0,1)", "(4294967295,65535)", "(0,65535)"),
    "jsonb": sql(*JSON) + [j.format(type="jsonb") for j in JSON_MADE],
    "json": sql(*JSON) + [j.format(type="json") for j in JSON_MADE],
    "anyelement": ROWS,
}
ARRAYS = {
    "text[]": ["'{}'", "ARRAY[NULL]::text[]", "'{a,NULL}'", "'{{a,b},{c,d}}'", "'[0:1]={a,b}'", "'[5:5]={view}'", "'[-3:-2][1:1]={{a},{b}}'", "'{\"\"}'", "ARRAY[repeat('x', 1000000)]", "array(SELECT 's' || n FROM generate_series(1, 10000) AS n)",
               "array(SELECT NULL::text FROM generate_series(1, 1000))", "'{view,view,view}'", "'{\"a,b\",\"{}\",\"NULL\"}'", "array_fill('x'::text, ARRAY[10, 10, 10])"],
    "bigint[]": ["'{}'", "'{NULL}'", "'{1,NULL,-1}'", "'{{1,2},{3,4}}'", "'[0:0]={1}'", "'{9223372036854775807}'", "array(SELECT n FROM generate_series(1, 50000) AS n)"],
}

# Arguments whose names no column has.
BY_NAME = {
    "target": ["'fuzz_app.users'", "'own'", "'fuzz_app.\"last, first\"'", "'own'"],
    "source": QUERIES + QUERIES[:3] * 5 + [q for q in QUERIES if "plant" in q] * 10,
    "resources": sql("SELECT 'c1'", "SELECT 'c1' AS c UNION ALL SELECT 'c2'"),
    "reserved": sql("SELECT 'bob'", "SELECT NULL"),
    "login": sql("login", "bob", "ann", "bob@main.example", "user1", "fz_user2", "+4917012345", "user3"),
    "site": sql("site", "forum", "shop", "main", "2"),
    "row_id": sql("id", "n", "login"),
    "flag": sql("renamed", "age"),
    "normalize": sql("exact", "username", "email"),
    "keep": sql("first", "none"),
    "prefixes": sql('{"2": "fz_", "3": "gx_"}'),
    "on_conflict": sql("skip", "update", "abort", "error"),
    "report": sql("problems", "all", "none"),
    "match_on": ["'{id}'", "'{login}'", "'{\"a,b\"}'", "'{id,login}'"],
    "mapping": sql('{"original_id": "uid", "username": "login"}', '{"original_id": "uid", "username": "login", "email": {"column": "mail", "on_error": "omit"}, "email_verified": {"column": "mail_ok", "true": "Y", "false": "N"}, "phone": {"column": "tel", "country": "DE"}, "password_hash": {"column": "pw", "scheme": "md5"}, "registered_at": {"column": "created", "epoch": "seconds"}}'),
    "rules": sql('{"test_accounts": ["^test[0-9]+$"], "disposable_domains": ["mailinator.com"], "not_logged_in_since": "2020-01-01"}'),
    "rule": sql("test_accounts"),
    "identities": sql('[{"traits": {"username": "zoe", "email": "zoe@x.example"}, "credentials": {"password": {"config": {"password": "x"}}}, "verifiable_addresses": [{"via": "email", "value": "zoe@x.example", "verified": true, "status": "completed"}]}]', '[{"traits": {"username": "bob"}}, {"traits": {"username": "Bob"}}]'),
    "body": sql('{"identities": [{"patch_id": "00000000-0000-0000-0000-000000000001", "create": {"traits": {"username": "yan"}}}]}'),
    "schema": sql("fuzz_app", '{"properties": {"traits": {"properties": {"username": {"type": "string", "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}}}}}}}'),
    "context": sql('{}', '{"ip": "10.0.0.1", "now": "2026-01-01T00:00:00Z", "team": "sales"}', '{"client_addr": "10.0.0.1", "password": true, "factors": ["password"]}', '{"address": "10.0.0.1"}'),
    "settings": sql('{"mfa_required": true}', '{"sso_required": true, "sso_url": "https://x.example/"}', '{"role": "admin", "is_default": true}', '{"allowed_networks": ["10.0.0.0/8"], "verified_domains": ["x.example"]}'),
    "config": sql('{"hours": [[8, 18]], "time_zone": "Europe/Berlin"}', '{"any": ["group:x"]}', '{"attribute": "team", "equals": "sales"}', '{"policies": ["hours", "team"], "strategy": "consensus"}', '{"attribute": "a", "regex": "^a+$"}', '{"attribute": "ip", "cidr": ["10.0.0.0/8"]}'),
    "kind": sql("username", "email", "phone", "subject", "time", "attribute", "aggregate", "user"),
    "scopes": ["'{view}'", "'{view,manage}'", "'{open,close}'"],
    "scope": sql("view", "manage", "open"),
    "subject": sql("user:1", "user:2", "group:/eu/sales", "role:staff", "*", "client:app"),
    "member": sql("user:1", "user:7", "group:/eu/sales"),
    "container": sql("group:/eu/sales", "role:staff", "sales"),
    "hash": sql("$2a$04$abcdefghijklmnopqrstuuWcJ0xkFV6h6ZPCbWLEuXZfOnqXpYR5K", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "$md5$XUFAKrxLKna5cZ2REBfFkg==", "$pbkdf2-sha256$i=1000,l=32$c2FsdA$AAAA", "{SSHA}abc", "$scrypt$ln=16384,r=8,p=1$c2FsdA==$AAAA", "$1$abc$def", "$sha256$pf=e1NBTFR9e1BBU1NXT1JEfQ==$c2FsdA==$AAAA"),
    "password": sql("pw1", "x", "wrong"),
    "scheme": sql("argon2id"),
    "level": sql("application", "registrar", "notifier", "auditor", "importer", "admin", "checker"),
    "role": sql("fuzz_nobody", "postgres", "public"),
    "checkpoint": sql("{}", '{"lanes": []}', "[]"),
    "email": sql("bob@example.com", "x"),
    "state": sql("sent", "failed", "pending", "active"),
    "hash_or_slot": ["0"],
}

# Arguments that fit each other, for functions that have the first two of them.
PLANTED = [q for q in QUERIES if "plant" in q]
KITS = [
    {"target": "'own'", "source": literal("SELECT 5 AS id, 'new' AS login"), "on_conflict": "'skip'", "match_on": "NULL", "row_id": "NULL", "max_problems": "NULL", "report": "'all'"},
    {"target": "'own'", "source": literal("SELECT 1 AS id, 'bob' AS login UNION ALL SELECT 2, 'bob' UNION ALL SELECT 9, NULL"), "on_conflict": "'update'", "match_on": "'{id}'", "row_id": "'login'", "max_problems": "5"},
    {"target": literal('fuzz_app."last, first"'), "source": literal('SELECT n AS "a,b", n AS "new\nline" FROM generate_series(1, 5) AS n'), "on_conflict": "'update'", "match_on": literal('{"a,b"}'), "row_id": "NULL", "max_problems": "NULL"},
    {"target": "'own'", "login": "'login'", "site": "'site'", "row_id": "'id'", "prefixes": literal('{"2": "fz_"}'), "flag": "'renamed'", "keep": "'first'", "normalize": "'username'", "max_length": "20", "reserved": "NULL"},
    {"target": "'own'", "login": "'login'", "site": "'site'", "row_id": "'id'", "prefixes": literal('{"2": "fz_"}'), "flag": "NULL", "keep": "'none'", "normalize": "'exact'", "max_length": "NULL", "reserved": literal("SELECT 'fz_bob'")},
    {"source": "'fuzz_app.documents'", "realm": "'acme'", "on_conflict": "'skip'", "report": "'all'"},
    {"source": "'fuzz_app.forum'", "mapping": BY_NAME["mapping"][1], "site": "'forum'", "rules": BY_NAME["rules"][0], "report": "'all'"},
    {"source": PLANTED[1], "mapping": BY_NAME["mapping"][0], "site": "'forum'", "rules": "'{}'", "report": "'all'"},
    {"source": literal("SELECT jsonb_build_object('traits', jsonb_build_object('username', fuzz_app.plant())) AS doc"), "realm": "'acme'", "on_conflict": "'skip'", "report": "'all'"},
    {"resources": literal("SELECT 'c1'"), "resource_type": "'clients'"},
    {"schema": "'fuzz_app'", "resource_server": "'rs'", "time_zone": "'UTC'"},
    {"kind": "'time'", "config": BY_NAME["config"][0], "name": "'another'"},
    {"kind": "'aggregate'", "config": BY_NAME["config"][3], "name": "'another'"},
    {"kind": "'attribute'", "config": BY_NAME["config"][4], "name": "'another'"},
    {"kind": "'username'", "value": "'Bob'"},
    {"kind": "'phone'", "value": "'+49 170 1234567'"},
]


def mutations(text, random):
    """A JSON text with one thing in it changed."""
    document = json.loads(text)
    paths = list(places(document))
    path = random.choice(paths)
    value = random.choice([None, True, 0, -1, 1e300, "", "x" * 3000, [], {}, [[]], {"a": {}}, "\u0001", "2026-13-45", ["x", None], {"": None}, 10**40, "@site", "$1", "é"])
    if random.random() < 0.3:
        value = {"unknown": value} if random.random() < 0.5 else [value]
    return json.dumps(replaced(document, path, value))


def places(document, path=()):
    yield path
    if isinstance(document, dict):
        for key in document:
            yield from places(document[key], (*path, key))
    elif isinstance(document, list):
        for i in range(len(document)):
            yield from places(document[i], (*path, i))


def replaced(document, path, value):
    if not path:
        return value
    if isinstance(document, dict):
        return {k: replaced(v, path[1:], value) if k == path[0] else v for k, v in document.items()}
    return [replaced(v, path[1:], value) if i == path[0] else v for i, v in enumerate(document)]
