"""Hostile values into every function that some role may call.

The functions are those of pg_proc that the extension owns; the roles are one of each level of access, and one without any. A case is a
session of one role: some calls in a transaction that is rolled back. What a call may answer is not known here; what may never happen is.
"""

import os
import random
import re
import time

import psycopg

import values
from tables import literal, quote

TIMEOUT = 3  # seconds a statement may take; the server has one more to say so
CALLS = 20  # calls a case
# Errors that say that nobody thought of the case; of functions that take no SQL of the caller's, those of statements gone wrong too,
# unless their comment has the error. An internal function may miss what its callers make before they call it.
NEVER = re.compile(r"XX...|22000|P000.")
BROKEN_SQL = {"42601", "42883", "42P01", "42703", "42804", "42702", "42725", "42P02", "42846", "42P18", "42803", "42712"}

FUNCTIONS = """
SELECT p.oid, quote_ident(n.nspname) || '.' || quote_ident(p.proname), p.pronargs, p.pronargdefaults,
       COALESCE(p.proargnames[1:p.pronargs], '{}'), ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS u (t, i) ORDER BY i), p.proretset,
       COALESCE(obj_description(p.oid, 'pg_proc'), '')
FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'pg_identity' JOIN pg_proc AS p ON p.oid = d.objid JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND p.prokind <> 'a'
ORDER BY p.proname, p.oid::regprocedure::text"""

# What a caller could gain, as the caller's own session sees it before it is rolled back.
GAINS = """
SELECT current_user || ' ' || session_user || ' ' || current_setting('is_superuser'),
  (SELECT md5(string_agg(r::text, ',' ORDER BY r.oid)) FROM pg_roles AS r), (SELECT md5(string_agg(m::text, ',' ORDER BY m.roleid, m.member)) FROM pg_auth_members AS m),
  (SELECT md5(string_agg(concat(c.oid, c.relowner, c.relacl, c.relrowsecurity), ',' ORDER BY c.oid)) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname NOT LIKE 'pg\\_t%' AND n.nspname NOT LIKE 'fuzz%'),
  (SELECT md5(string_agg(concat(p.oid, p.proowner, p.proacl, p.prosecdef), ',' ORDER BY p.oid)) FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname NOT LIKE 'pg\\_t%' AND n.nspname NOT LIKE 'fuzz%'),
  (SELECT md5(string_agg(concat(n.oid, n.nspowner, n.nspacl), ',' ORDER BY n.oid)) FROM pg_namespace AS n WHERE n.nspname NOT LIKE 'pg\\_t%' AND n.nspname NOT LIKE 'fuzz%'),
  (SELECT string_agg(c.oid::regclass::text, ',') FROM pg_class AS c WHERE c.relname = 'pwned')"""

GAINS_ARE = ["who the caller is", "the roles", "the memberships of roles", "owners and rights of relations", "owners and rights of functions", "owners and rights of schemas", "a table that a name has made"]


class Function:
    def __init__(self, oid, name, arguments, defaults, names, types, returns_set, comment):
        self.oid, self.name, self.names, self.types = oid, name, names, types
        self.required = arguments - defaults
        self.returns_set, self.comment = returns_set, comment
        self.is_internal = name.split(".")[-1].startswith("_") or "internal" in name
        # Some arguments are SQL, or name what is looked up by SQL.
        self.takes_sql = any(n in ("source", "resources", "reserved", "schema") for n in names) or "regclass" in types
        self.weight = 4 if self.takes_sql else 1


class Failure:
    def __init__(self, what, text):
        self.what, self.text, self.row = what, text, 0

    def __str__(self):
        return f"{self.what}: {self.text}"


class Callers:
    def __init__(self, seed):
        self.seed = seed
        self.skip = os.environ.get("SKIP_CALLS")
        self.admin = psycopg.connect(autocommit=True)
        self.admin.execute("SET client_min_messages = warning")
        with open(os.path.join(os.path.dirname(__file__), "store.sql")) as script:
            self.admin.execute(script.read())
        self.functions = [Function(*row) for row in self.admin.execute(FUNCTIONS).fetchall()]
        self.roles = {level: self.make_role(level) for level in [*self.levels(), "nobody"]}
        self.harvest()
        self.count, self.answered, self.called = 0, 0, set()

    def levels(self):
        rights = next(f for f in self.functions if f.name.endswith("access_rights"))
        return [level for (level,) in self.admin.execute(f"SELECT level FROM {rights.name}() WHERE level NOT IN ('any', 'owner') GROUP BY level ORDER BY level").fetchall()]

    def make_role(self, level):
        """A role of a level, with a schema and tables of its own. Returns what it may call."""
        role = f"fuzz_{level}"
        if not self.admin.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchall():
            self.admin.execute(f"CREATE ROLE {role} LOGIN")
        self.admin.execute(f"ALTER ROLE {role} NOSUPERUSER")
        if level != "nobody":
            self.admin.execute(f"SELECT identity.grant_access('{role}', '{level}')")
        own = f"fuzz_own_{level}"
        self.admin.execute(f"""
            DROP SCHEMA IF EXISTS {own} CASCADE; CREATE SCHEMA {own} AUTHORIZATION {role};
            CREATE TABLE {own}.own (id int PRIMARY KEY, site int, login text UNIQUE, renamed boolean); ALTER TABLE {own}.own OWNER TO {role};
            INSERT INTO {own}.own VALUES (1, 1, 'bob'), (2, 2, 'bob2'), (3, 2, 'ann');
            GRANT USAGE, CREATE ON SCHEMA fuzz_app TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA fuzz_app TO {role};
            REVOKE ALL ON fuzz_app.secret FROM {role}; REVOKE ALL ON fuzz_app.guarded FROM {role};
            ALTER ROLE {role} SET search_path = {own}, public""")
        may = self.admin.execute("SELECT p.oid FROM pg_proc AS p WHERE has_function_privilege(%s, p.oid, 'EXECUTE') AND has_schema_privilege(%s, p.pronamespace, 'USAGE') AND p.oid = ANY (%s)", [role, role, [f.oid for f in self.functions]]).fetchall()
        may = {oid for (oid,) in may}
        return [f for f in self.functions if f.oid in may and not (self.skip and re.search(self.skip, f.name))]

    def harvest(self):
        """Values that are there, by realm and by the names of the columns that have them; None stands for those of no realm."""
        realms = [name for (name,) in self.admin.execute("SELECT name FROM identity.realms ORDER BY 1").fetchall()]
        self.valid = {realm: {name: list(texts) for name, texts in values.BY_NAME.items()} for realm in realms}
        for realm, found in self.valid.items():
            found["realm"] = [literal(realm)]
        columns = self.admin.execute("""
            SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname, quote_ident(a.attname),
                EXISTS (SELECT FROM pg_attribute AS r WHERE r.attrelid = c.oid AND r.attname = 'realm')
            FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'pg_identity'
            JOIN pg_class AS c ON c.oid = d.objid AND c.relkind = 'r' JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_class'::regclass AND d.deptype = 'e' AND a.attname <> 'realm' ORDER BY 1, a.attnum""").fetchall()
        for table, name, column, has_realm in columns:
            for realm, found in self.valid.items():
                where = f" AND realm = {literal(realm)}" if has_realm else ""
                rows = self.admin.execute(f"SELECT DISTINCT left({column}::text, 2000) FROM {table} WHERE {column} IS NOT NULL{where} ORDER BY 1 LIMIT 6").fetchall()
                found.setdefault(name, []).extend(literal(text) for (text,) in rows)

    # ---- a call as SQL

    def call(self, random, function):
        """SQL of a call: mostly valid values with one that is not; by names, so that any default may be left out."""
        how = random.choices(["one", "none", "all"], [5, 2, 2])[0]
        given = [i for i in range(len(function.types)) if i < function.required or random.random() < 0.6]
        wrong = {"one": [random.choice(given)] if given else [], "none": [], "all": given}[how]
        fitting = dict(self.valid[random.choice(["acme", *self.valid])])
        kits = [k for k in values.KITS if set(list(k)[:2]) <= set(function.names)]
        if kits and random.random() < 0.7:
            fitting.update({name: [value] for name, value in random.choice(kits).items() if name != "realm"})
        arguments = []
        for i in given:
            name = function.names[i] if i < len(function.names) else ""
            value = self.value(random, fitting.get(name), function.types[i], i in wrong)
            arguments.append(f"{quote(name)} => {value}" if name else value)
        called = f"{function.name}({', '.join(arguments)})"
        return f"SELECT left(x::text, 3000) FROM {called} AS x LIMIT 100" if function.returns_set else f"SELECT left(({called})::text, 3000)"

    def value(self, random, valid, type, wrong):
        cast = "" if type in ("anyelement", "anyarray", '"any"') else f"::{type}"
        if valid and not wrong:
            return self.typed(random.choice(valid), cast)
        if wrong and random.random() < 0.12:
            return f"NULL{cast}" if cast else "NULL::int"
        if type in ("jsonb", "json") and valid and random.random() < 0.5:
            text = random.choice(valid)
            try:
                text = literal(values.mutations(text[1:-1].replace("''", "'"), random))
            except ValueError:
                pass
            return self.typed(text, cast)
        pool = values.BY_TYPE.get(type) or values.ARRAYS.get(type)
        if pool is None:
            return self.strange(random, type)
        return self.typed(random.choice(pool), cast)

    def typed(self, value, cast):
        return f"({value}){cast}" if cast else value

    def strange(self, random, type):
        """A value of a type that no pool has: an array, a row of a table, or something else."""
        if type.endswith("[]"):
            pool = values.BY_TYPE.get(type[:-2], ["NULL"])
            return random.choice([f"'{{}}'::{type}", f"ARRAY[NULL]::{type}", f"ARRAY[{random.choice(pool)}]::{type}", f"ARRAY[ARRAY[{random.choice(pool)}]]::{type}"])
        return random.choice([f"NULL::{type}", f"(SELECT v FROM {type} AS v LIMIT 1)"] if "." in type else [f"NULL::{type}"])

    # ---- running a case

    def run(self, number):
        """A session of one role. Its failures, and what to paste into psql."""
        self.failures = []
        started = self.admin.execute("SELECT pg_postmaster_start_time()").fetchone()
        said = self.session(number, False)
        if any(f.what in ("gain", "timeout") for f in self.failures):
            # Once more: to see which call it was, or whether the machine was merely busy.
            self.failures = []
            said = self.session(number, True)
        if self.failures or self.admin.broken:
            self.recover(started)
        return self.failures, said

    def session(self, number, look_each_time):
        chance = random.Random(f"calls {self.seed}/{number}")
        self.level = chance.choices(list(self.roles), [max(len(f), 1) ** 0.5 for f in self.roles.values()])[0]
        said = [f"\\connect - fuzz_{self.level}", f"SET statement_timeout = '{TIMEOUT}s';", "BEGIN;"]
        try:
            session = psycopg.connect(user=f"fuzz_{self.level}", autocommit=True, options=f"-c statement_timeout={TIMEOUT}s -c client_min_messages=notice")
        except psycopg.OperationalError as error:
            self.failures.append(Failure("crash", f"no connection: {error}"))
            return said
        try:
            session.execute("BEGIN")
            self.calls(session, chance, said, look_each_time)
        except psycopg.OperationalError as error:
            self.failures.append(Failure("crash", f"the connection broke: {error}"))
        finally:
            session.close()  # What was done is rolled back.
        return said

    def calls(self, session, chance, said, look_each_time):
        functions = self.roles[self.level] or self.functions
        notices = []
        session.add_notice_handler(lambda n: notices.append(f"{n.message_primary} {n.message_detail or ''} {n.message_hint or ''}"))
        before = session.execute(GAINS).fetchone()
        for number in range(CALLS):
            function = chance.choices(functions, [f.weight for f in functions])[0]
            sql = self.call(chance, function)
            said += ["SAVEPOINT fuzz;", sql + ";"]
            session.execute("SAVEPOINT fuzz")
            notices.clear()
            if not self.one_call(session, function, sql, notices):
                return
            self.count += 1
            self.called.add(function.name)
            status = session.info.transaction_status
            if status == psycopg.pq.TransactionStatus.IDLE:
                self.failures.append(Failure("transaction", f"the call has ended its transaction: {sql}"))
            if self.failures:
                return
            if status == psycopg.pq.TransactionStatus.INERROR:
                session.execute("ROLLBACK TO SAVEPOINT fuzz")
                said.append("ROLLBACK TO SAVEPOINT fuzz;")
            if look_each_time or number == CALLS - 1:
                self.look_for_gains(session, before, sql)
                if self.failures:
                    return

    def look_for_gains(self, session, before, sql):
        session.execute("SET client_encoding = 'UTF8'")  # A source may have set another.
        after = session.execute(GAINS).fetchone()
        gained = [what for what, one, other in zip(GAINS_ARE, before, after) if one != other]
        if gained:
            self.failures.append(Failure("gain", f"changed are {', '.join(gained)} after {sql}"))

    def one_call(self, session, function, sql, notices):
        """False where the session cannot go on."""
        begun, texts, error = time.monotonic(), [], None
        try:
            texts = [str(row) for row in session.execute(sql).fetchall()]
            self.answered += 1
        except psycopg.Error as raised:
            error = raised
        took = time.monotonic() - begun
        if session.broken:
            self.failures.append(Failure("crash", f"{error} after {sql}"))
            return False
        if took > TIMEOUT + 1:
            self.failures.append(Failure("timeout", f"{took:.1f} s, with a statement_timeout of {TIMEOUT}: {sql}"))
        if error is not None:
            d = error.diag
            texts.append(f"{d.message_primary} {d.message_detail or ''} {d.message_hint or ''}")
            broken = {"42601"} if function.is_internal else BROKEN_SQL
            if NEVER.fullmatch(error.sqlstate or "") or error.sqlstate in broken and not function.takes_sql and error.sqlstate not in function.comment:
                self.failures.append(Failure("sqlstate", f"{error.sqlstate}: {error}: {sql}"))
            self.look_at_letters(texts[-1], sql)
        for notice in notices:
            self.look_at_letters(notice, sql)
        if any("TOP SECRET" in text for text in texts + notices):
            self.failures.append(Failure("secret", f"the call shows what the caller may not read: {sql}"))
        return True

    def look_at_letters(self, text, sql):
        """A message of ours is ASCII; what it quotes may be anything."""
        own = {c for c in text if ord(c) > 127} - self.letters()
        if own:
            self.failures.append(Failure("not ASCII", f"{''.join(sorted(own))} in {text[:300]!r}: {sql}"))

    def letters(self):
        if not hasattr(self, "known_letters"):
            pools = [*values.BY_TYPE.values(), *values.ARRAYS.values(), *(pool for found in self.valid.values() for pool in found.values())]
            self.known_letters = {c for pool in pools for text in pool for c in text if ord(c) > 127} | set("éäüßЖ\u0301")
            self.known_letters |= {c for text in list(self.known_letters) for c in text.upper() + text.lower()}
        return self.known_letters - set("…")

    def recover(self, started):
        """After a failure: is the server still the one that it was? A crash takes a moment to end the other sessions."""
        if any(f.what == "crash" for f in self.failures):
            time.sleep(2)
        for _ in range(60):
            try:
                if self.admin.broken or self.admin.closed:
                    self.admin = psycopg.connect(autocommit=True)
                    if not any("all sessions" in f.text for f in self.failures):
                        self.failures.append(Failure("crash", "all sessions were ended: the server has restarted"))
                if self.admin.execute("SELECT pg_postmaster_start_time()").fetchone() != started:
                    self.failures.append(Failure("crash", "the postmaster has restarted"))
                return
            except psycopg.OperationalError:
                time.sleep(0.5)
