"""Random tables and random sources for them.

A case is made from (seed, number) alone. It is kept as lists of columns, rules, triggers and so on, so that a failing case
can be made smaller by leaving elements out; `Case.setup()` renders it as SQL. All values are expressions over the row's
number g, so that a source of 25,000 rows is as short a script as one of five.
"""

import random
from dataclasses import dataclass, field

H = "CREATE FUNCTION fz.h(n bigint, salt int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.hashint8extended($1, $2) & 2147483647'"


def quote(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    if "\\" in text:
        return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    return "'" + text.replace("'", "''") + "'"


# ---- types ------------------------------------------------------------------------------------------------------


@dataclass
class Kind:
    """A column's type. In `value`, $k is the number that decides equality, $z one that decides the spelling."""

    type: str
    value: str
    base: str = ""  # What a text is cast to before it is assigned; empty: a text is assigned as it is.
    bad: tuple = ()  # Texts that are no value of the type, or too long for it.
    wide: str = ""  # Another type that is assigned, with a value that does not fit.
    wide_bad: str = "NULL"
    key: bool = True  # It has a btree operator class.
    overlaps: str = ""  # An operator for exclusion constraints, and the access method of its operator class.
    needs: tuple = ()  # SQL that makes the type.
    not_null: bool = False  # A domain that is NOT NULL.
    weight: int = 2


def simple(type, value, *bad, **more):
    return Kind(type, value, base=more.pop("base", type), bad=bad, **more)


MOOD = "CREATE TYPE fz.mood AS ENUM ('sad', 'ok', 'happy', 'Happy', 'so so')"
PAIR = "CREATE TYPE fz.pair AS (a int, b text)"
TIMED = "CREATE TYPE fz.timed AS (day date, yes boolean)"
POSITIVE = "CREATE DOMAIN fz.positive AS int CHECK (VALUE > 0) CONSTRAINT small CHECK (VALUE < 100000)"
LABEL = "CREATE DOMAIN fz.label AS text NOT NULL CHECK (length(VALUE) < 30)"
DAY = "CREATE DOMAIN fz.day AS date"
INNER = "CREATE DOMAIN fz.even AS fz.positive CHECK (VALUE % 2 = 0)"
CI = "CREATE COLLATION fz.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"

KINDS = {
    "int": simple("int", "$k::int", "x1", "", "99999999999", wide="bigint", wide_bad="99999999999", weight=6),
    "bigint": simple("bigint", "$k", "1e3x", "9" * 25, wide="numeric", wide_bad="1e30", weight=4),
    "smallint": simple("smallint", "($k % 32000)::int2", "70000", wide="int", wide_bad="70000"),
    "text": Kind("text", "'u' || $k", wide="varchar", weight=8),
    "nocase": Kind("text", "chr(85 + 32 * ($z % 2)::int) || 'ser' || $k", wide="varchar", weight=6),
    "code": Kind("varchar(12)", "'c' || $k", bad=("x" * 40, "éééééééééééééé"), wide="text", weight=5),
    "blank": Kind("char(8)", "'b' || $k", bad=("123456789",), wide="text"),
    "ci": Kind("text COLLATE fz.ci", "chr(85 + 32 * ($z % 2)::int) || $k", needs=(CI,)),
    "icu": Kind('text COLLATE "und-x-icu"', "'é' || $k"),
    "name": Kind("name", "('n' || $k)::name", wide="text"),
    "date": simple("date", "DATE '2020-01-01' + $k::int", "2021-02-30", "day", wide="timestamp", weight=3),
    "timestamptz": simple("timestamptz", "TIMESTAMPTZ '2020-01-01 00:00+00' + $k * INTERVAL '1 hour'", "25:00", wide="date", weight=3),
    "timestamp": simple("timestamp", "TIMESTAMP '2020-01-01' + $k * INTERVAL '1 minute'", "noon-ish"),
    "timetz": simple("timetz", "(TIME '00:00' + $k * INTERVAL '1 second')::timetz", "26:61"),
    "interval": simple("interval", "CASE $z % 2 WHEN 0 THEN $k * INTERVAL '1 day' ELSE $k * INTERVAL '24 hours' END", "a while"),
    "boolean": simple("boolean", "($k % 2 = 0)", "maybe", weight=4),
    "bytea": simple("bytea", "int4send($k::int)", "\\x0g", weight=3),
    "uuid": simple("uuid", "md5($k::text)::uuid", "not-a-uuid", weight=3),
    "numeric": simple("numeric", "CASE $z % 3 WHEN 0 THEN $k::numeric ELSE ($k || '.' || repeat('0', ($z % 5)::int + 1))::numeric END", "1,5", weight=3),
    "price": simple("numeric(7,2)", "$k::numeric / 4", "1e9", base="numeric", wide="numeric", wide_bad="1e9"),
    "float8": simple("float8", "CASE $k % 20 WHEN 0 THEN '-0'::float8 WHEN 1 THEN 'NaN' ELSE ($k / 2)::float8 END", "1.5.1"),
    "inet": simple("inet", "('10.' || $k / 65536 % 256 || '.' || $k / 256 % 256 || '.' || $k % 256)::inet", "10.0.0.256", weight=3),
    "cidr": simple("cidr", "('10.' || $k / 256 % 256 || '.' || $k % 256 || '.0/24')::cidr", "10.0.0.1/24"),
    "macaddr": simple("macaddr", "('08:00:2b:' || to_hex($k / 65536 % 256) || ':' || to_hex($k / 256 % 256) || ':' || to_hex($k % 256))::macaddr", "8:0"),
    "xid8": simple("xid8", "$k::text::xid8", weight=3),
    "bits": simple("bit(16)", "$k::int::bit(16)", "1", "2", base='"bit"'),
    "varbit": simple("varbit(24)", "$k::int::bit(24)::varbit", "102", "1" * 30, base="varbit"),
    "lsn": simple("pg_lsn", "('0/' || to_hex($k))::pg_lsn", "0"),
    "char": Kind('"char"', 'chr(33 + ($k % 90)::int)::"char"'),
    "oid": simple("oid", "$k::oid", "-x"),
    "jsonb": simple("jsonb", "jsonb_build_object('a', $k, 'b', array['x'])", "{a", weight=2),
    "tsvector": simple("tsvector", "to_tsvector('simple', 'w' || $k)", "'"),
    "enum": simple("fz.mood", "('{sad,ok,happy,Happy,so so}'::fz.mood[])[1 + $k % 5]", "angry", needs=(MOOD,), weight=3),
    "positive": simple("fz.positive", "1 + $k::int % 99998", "-1", "x", "200000", base="int", needs=(POSITIVE,), wide="bigint", wide_bad="-5", weight=3),
    "even": simple("fz.even", "2 + 2 * ($k::int % 49998)", "3", "-2", base="int", needs=(POSITIVE, INNER), wide="int", wide_bad="7"),
    "label": Kind("fz.label", "'l' || $k", bad=("x" * 31,), needs=(LABEL,), wide="text", not_null=True),
    "day": simple("fz.day", "DATE '2020-01-01' + $k::int", "never", base="date", needs=(DAY,)),
    "ints": simple("int[]", "ARRAY[$k::int, ($k % 7)::int]", "{1,x}", "1"),
    "ints2": simple("int[]", "CASE $k % 4 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY[NULL, $k::int] WHEN 2 THEN ARRAY[ARRAY[$k::int], ARRAY[0]] ELSE ('[0:0]={' || $k || '}')::int[] END", "{{1},2}"),
    "words": simple("text[]", "ARRAY['a' || $k, 'b']", "{a"),
    "codes": simple("varchar(6)[]", "ARRAY['v' || $k]::varchar[]", "{abcdefghi}", base="varchar[]"),
    "days": simple("date[]", "ARRAY[DATE '2020-01-01' + $k::int]", "{never}"),
    "pair": simple("fz.pair", "ROW($k::int, 'x')::fz.pair", "(x,y)", "(1", needs=(PAIR,), weight=3),
    "timed": simple("fz.timed", "ROW(DATE '2020-01-01' + $k::int, $k % 3 = 0)::fz.timed", "(never,)", needs=(TIMED,)),
    "range": simple("int4range", "int4range((4 * $k)::int, (4 * $k + 3 + $z % 3)::int)", "[3,1)", "[", overlaps="gist &&", weight=3),
    "span": simple("tstzrange", "tstzrange(TIMESTAMPTZ '2020-01-01 00:00+00' + $k * INTERVAL '1 hour', TIMESTAMPTZ '2020-01-01 00:30+00' + ($k + $z % 2) * INTERVAL '1 hour')", "[x,y)", overlaps="gist &&"),
    "multirange": simple("int4multirange", "int4multirange(int4range(($k * 3)::int, ($k * 3 + 2)::int))", "{[1,2}", overlaps="gist &&"),
    "point": simple("point", "point($k, $k % 5)", "(1", key=False, overlaps="gist ~="),
    "box": simple("box", "box(point($k * 3, 0), point($k * 3 + 2 + $z % 2, 1))", "1", key=False, overlaps="gist &&"),
    "json": simple("json", "json_build_object('a', $k)", "{", key=False),
    "xml": simple("text", "'<a>' || $k || '</a>'", base="text"),
}

# ---- names ------------------------------------------------------------------------------------------------------

HOSTILE = [
    "select", "a,b", 'x "y"', "o'hara", "Mixed Case", "тест", "$1", "@site", "new\nline", "a.b", "%I", "{x}", "null", "x y)", "\\",
    "x USING gist(r);create table public.pwned();--", "' || public.pwned() || '", "ctid ", "a--b", "/*", "é" * 30, "x" * 63,
]
# Aliases and columns that the statements of an import have themselves.
ALIASES = ["rn", "ord", "s", "t", "r", "k1", "p0", "h0", "?row", "?oid", "?tid", "own_tid", "holder_tid", "status", "key", "w", "m", "h", "raw"]


# ---- elements ---------------------------------------------------------------------------------------------------


@dataclass
class Column:
    name: str
    kind: Kind
    salt: int
    spread: int
    nulls: int = 0  # One value of so many is NULL; 0: none.
    bads: int = 0  # One value of so many is bad; 0: none.
    form: str = "same"  # How the source has it: same, text, wide; absent: the source lacks it.
    default: str = ""
    made: bool = False  # A sequence or something volatile makes it: it differs from run to run.
    unforeseen: bool = False  # Only the executor knows its value.
    identity: str = ""
    generated: str = ""
    reads: tuple = ()  # Names of the columns that it is generated from.
    not_null: bool = False
    wide_rows: bool = False  # Texts of very different lengths.

    def quoted(self):
        return quote(self.name)

    def ddl(self):
        sql = f"{self.quoted()} {self.kind.type}"
        if self.generated:
            sql += f" GENERATED ALWAYS AS ({self.generated}) STORED"
        elif self.identity:
            sql += f" GENERATED {self.identity} AS IDENTITY"
        elif self.default:
            sql += f" DEFAULT {self.default}"
        return sql + (" NOT NULL" if self.not_null else "")

    def number(self):
        return f"(fz.h(g, {self.salt}) % {self.spread})"

    def value(self):
        value = self.kind.value.replace("$k", self.number()).replace("$z", f"fz.h(g, {self.salt + 1})")
        if self.wide_rows:
            value = f"CASE WHEN fz.h(g, {self.salt}) % 9 = 0 THEN repeat(md5(g::text), 40 + (fz.h(g, {self.salt}) % 160)::int) WHEN g % 3 = 0 THEN 'short' ELSE {value} END"
        return value

    def source(self, bad=True):
        """The value in the source's row g, in the type in which the source has it."""
        value = self.value()
        if self.form == "text":
            value, bads = f"({value})::text", [literal(b) for b in self.kind.bad]
        elif self.form == "wide":
            value, bads = f"({value})::{self.kind.wide}", [f"({self.kind.wide_bad})::{self.kind.wide}"]
        else:
            plain = self.kind.type.split(" COLLATE")[0]
            value, bads = f"({value})::{plain}", []
        if bad and self.bads and bads:
            one = f"(ARRAY[{', '.join(bads)}])[1 + fz.h(g, {self.salt + 3}) % {len(bads)}]"
            value = f"CASE WHEN fz.h(g, {self.salt + 2}) % {self.bads} = 0 THEN {one} ELSE {value} END"
        if self.nulls:
            value = f"CASE WHEN fz.h(g, {self.salt + 4}) % {self.nulls} = 0 THEN NULL ELSE {value} END"
        return value

    def assigned(self):
        """The value as an INSERT by hand gives it, over the source's row s: cast where it would not be assigned."""
        value = f"s.{self.quoted()}"
        return f"CAST({value} AS {self.kind.base})" if self.form == "text" and self.kind.base not in ("", "text") else value


@dataclass
class Rule:
    """A rule that a row can break. `ddl` is SQL with {t} for the table; `shadow` the same for a table that keeps this rule alone."""

    kind: str  # key, exclusion, check, not null, foreign key, self
    name: str
    ddl: str
    reads: tuple
    columns: tuple  # As the report names them.
    sqlstate: str
    shadow: str = ""
    arbiter: str = ""  # How ON CONFLICT names the key.
    conflicts: str = ""  # For exclusion: whether rows h and x exclude each other.
    deferrable: str = ""
    foreseen: bool = True  # False: only the executor can tell.
    primary: bool = False
    partial: bool = False


@dataclass
class Trigger:
    name: str
    when: str  # BEFORE or AFTER
    events: str
    body: str
    what: str
    level: str = "ROW"
    more: str = ""  # Between the table and FOR EACH.
    condition: str = ""
    deferred: bool = False
    touches_rows: bool = False  # It changes other rows of the table, or the new row after it has gone in, or looks at them.

    def ddl(self, table, shadow=""):
        kind = "CONSTRAINT TRIGGER" if self.deferred else "TRIGGER"
        deferred = " DEFERRABLE INITIALLY DEFERRED" if self.deferred else ""
        conditions = " AND ".join(c for c in (self.condition, shadow) if c)
        when = f" WHEN ({conditions})" if conditions else ""
        return f"CREATE {kind} {quote(self.name)} {self.when} {self.events} ON {table}{self.more}{deferred} FOR EACH {self.level}{when} EXECUTE FUNCTION fz.{quote(self.name)}()"

    def function(self):
        return f"CREATE FUNCTION fz.{quote(self.name)}() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN {self.body} END $f$"


@dataclass
class Case:
    seed: str
    number: int
    profile: str
    table: str = "t"
    columns: list = field(default_factory=list)
    rules: list = field(default_factory=list)
    indexes: list = field(default_factory=list)  # (SQL with {t}, a condition that the index can answer)
    triggers: list = field(default_factory=list)
    before: list = field(default_factory=list)  # SQL before the table
    partition_by: str = ""
    partitions: list = field(default_factory=list)  # SQL with {t}
    leaf: str = ""  # The target is a partition.
    after_load: list = field(default_factory=list)
    policies: list = field(default_factory=list)
    rows: int = 0
    only: list = None  # Numbers of the source's rows that are left.
    old_rows: int = 0
    only_old: list = None
    # How it is called.
    mode: str = "skip"
    match: Rule = None
    report: str = "all"
    dry_run: bool = False
    row_id: bool = True
    source_form: str = "query"
    max_problems: int = None
    settings: list = field(default_factory=list)
    role: str = ""
    isolation: str = ""

    # ---- names

    def target(self):
        return f"fz.{quote(self.table)}"

    def import_target(self):
        return self.leaf or self.target()

    def assigned_columns(self):
        return [c for c in self.columns if c.form != "absent" and not c.generated]

    def stored_columns(self):
        return [c for c in self.columns if not c.generated]

    def weak(self):
        """What the judge can say is less: whether a row goes in, and the first error."""
        return bool(self.policies or self.leaf) or any(t.touches_rows for t in self.triggers)

    def fires(self, when, event):
        return any(t.when == when and event in t.events and t.level == "ROW" for t in self.triggers)

    def primary(self):
        return next((r for r in self.rules if r.primary), None)

    def tags(self):
        """The paths that the case takes, for the statistics."""
        total = self.rows
        tags = ["sieve" if 10_000 <= total < 20_000 else "bulk" if total >= 20_000 else "small"]
        tags += [self.mode] if self.mode != "skip" else []
        tags += ["before triggers"] if any(t.when == "BEFORE" and t.level == "ROW" for t in self.triggers) else []
        tags += ["after triggers"] if any(t.when == "AFTER" and t.level == "ROW" for t in self.triggers) else []
        tags += ["deferrable"] if any(r.deferrable for r in self.rules) else []
        tags += ["exclusion"] if any(r.kind == "exclusion" for r in self.rules) else []
        tags += ["to itself"] if any(r.kind == "self" for r in self.rules) else []
        tags += ["foreign key"] if any(r.kind == "foreign key" for r in self.rules) else []
        tags += ["expression key"] if any(r.kind == "key" and "(" in r.arbiter[1:] for r in self.rules) else []
        tags += ["partitioned"] if self.partition_by else []
        tags += ["row security"] if self.policies else []
        tags += ["text source"] if any(c.form == "text" for c in self.columns) else []
        tags += ["dry run"] if self.dry_run else []
        tags += ["hostile names"] if any(n in HOSTILE for n in [self.table] + [c.name for c in self.columns] + [r.name for r in self.rules]) else []
        return tags

    # ---- SQL

    def setup(self):
        t = self.target()
        needs = list(dict.fromkeys(sql for c in self.columns for sql in c.kind.needs))
        body = ", ".join(c.ddl() for c in self.columns) or ""
        by = f" PARTITION BY {self.partition_by}" if self.partition_by else ""
        sql = ["DROP SCHEMA IF EXISTS fz CASCADE", "CREATE SCHEMA fz", H, *needs, *self.before, f"CREATE TABLE {t} ({body}){by}"]
        sql += [p.replace("{t}", t) for p in self.partitions]
        sql += [r.ddl.replace("{t}", t) for r in self.rules]
        sql += [index.replace("{t}", t) for index, _ in self.indexes]
        sql.append(self.fill("src", 0, self.rows, self.only, True))
        sql += self.load_old_rows()
        for trigger in self.triggers:
            sql += [trigger.function(), trigger.ddl(t)]
        sql += [s.replace("{t}", t) for s in self.after_load]
        sql += [p.replace("{t}", t) for p in self.policies]
        if self.role:
            sql += [f"GRANT USAGE ON SCHEMA fz TO {self.role}", f"GRANT ALL ON ALL TABLES IN SCHEMA fz TO {self.role}", f"GRANT ALL ON ALL SEQUENCES IN SCHEMA fz TO {self.role}"]
        return sql

    def fill(self, relation, first, rows, only, bad):
        """CREATE TABLE of source rows: number n, and the source's columns."""
        columns = [f", {c.source(bad)} AS {c.quoted()}" for c in self.assigned_columns()]
        where = "" if only is None else f" WHERE g IN ({', '.join(map(str, only)) or '0'})"
        return f"CREATE TABLE fz.{relation} AS SELECT g::bigint AS n{''.join(columns)} FROM generate_series({first + 1}, {first + rows}) AS g{where}"

    def load_old_rows(self):
        if not self.old_rows:
            return []
        always = " OVERRIDING SYSTEM VALUE" if any(c.identity == "ALWAYS" for c in self.assigned_columns()) else ""
        names = ", ".join(c.quoted() for c in self.assigned_columns())
        values = ", ".join(c.assigned() for c in self.assigned_columns())
        return [
            self.fill("old", 1_000_000, self.old_rows, self.only_old, False),
            "CREATE UNIQUE INDEX ON fz.old (n)",
            f"DO $$ DECLARE i bigint; BEGIN FOR i IN SELECT n FROM fz.old ORDER BY n LOOP BEGIN INSERT INTO {self.target()} ({names}){always} "
            f"SELECT {values} FROM fz.old AS s WHERE s.n = i; SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; "
            "EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$",
        ]

    def call(self, dry_run=False):
        names = ["n"] + [c.quoted() for c in self.assigned_columns()]
        if self.source_form == "relation":
            source = "fz.src"
        elif self.source_form == "no id":
            source = f"SELECT {', '.join(names[1:])} FROM fz.src ORDER BY n"
        else:
            source = f"SELECT {', '.join(reversed(names))} FROM fz.src ORDER BY n"
        arguments = [literal(self.import_target()), literal(source)]
        if self.mode != "skip":
            arguments.append(f"on_conflict => '{self.mode}'")
        if self.match:
            arguments.append(f"match_on => ARRAY[{', '.join(map(literal, self.match.columns))}]")
        if dry_run:
            arguments.append("dry_run => true")
        if self.report != "problems":
            arguments.append(f"report => '{self.report}'")
        if self.max_problems is not None:
            arguments.append(f"max_problems => {self.max_problems}")
        if self.source_form != "no id":
            arguments.append("row_id => 'n'")
        return f"SELECT row_number, row_id, status, constraint_name, columns, key, existing, winner_row, sqlstate, message FROM identity.import_rows({', '.join(arguments)})"


# ---- how a case is made -----------------------------------------------------------------------------------------

# A case's number chooses its profile, so that a short run meets them all.
PROFILES = [
    "plain", "update", "triggers", "sieve text", "plain text", "exclusion", "update triggers", "partitioned", "plain names", "bulk", "abort", "self",
    "update exclusion", "security", "deferrable", "triggers text", "sieve update", "plain large target", "update touch", "tiny", "touch", "update names",
    "exclusion names", "bulk text", "plain", "update", "chunks", "triggers", "plain text", "exclusion", "sieve triggers", "update text", "deferrable update",
    "partitioned text", "triggers names", "self update", "plain", "bulk", "abort triggers", "chunks triggers", "update large target", "tiny update",
]


def make(seed, number):
    return Maker(seed, number).make()


class Maker:
    def __init__(self, seed, number):
        self.random = random.Random(f"import {seed}/{number}")
        self.case = Case(seed=seed, number=number, profile=PROFILES[number % len(PROFILES)])
        self.salt = 10
        self.taken = {"n"}

    def chance(self, probability):
        return self.random.random() < probability

    def has(self, word):
        return word in self.case.profile.split()

    def make(self):
        self.sizes()
        self.call()
        self.table_name()
        self.add_columns()
        self.add_keys()
        self.add_partitions()
        self.add_rules()
        self.add_indexes()
        self.add_triggers()
        self.add_policies()
        self.choose_match()
        self.loaded()
        return self.case

    # ---- sizes and arguments

    def sizes(self):
        case, pick = self.case, self.random.choice
        if self.has("bulk"):
            case.rows, case.old_rows = pick([20_000, 20_001, 20_500, 21_000, 22_000]), pick([0, 0, 50, 2000])
        elif self.has("sieve"):
            case.rows, case.old_rows = pick([10_000, 10_001, 10_500, 12_000, 14_000]), pick([0, 60, 1500])
        elif self.has("tiny"):
            case.rows, case.old_rows = pick([0, 1, 2, 3, 5]), pick([0, 1, 3, 30])
        else:
            case.rows, case.old_rows = pick([8, 15, 30, 60, 120, 120, 250, 500]), pick([0, 5, 20, 50, 100, 200])
        if self.has("target"):
            case.rows, case.old_rows = pick([5, 20, 40]), 1500
        self.large = case.rows >= 10_000

    def call(self):
        case, pick = self.case, self.random.choice
        case.mode = "update" if self.has("update") else pick(["abort", "abort", "error"]) if self.has("abort") else "skip"
        case.report = pick(["problems", "problems", "problems", "all"] if self.large else ["all", "all", "problems"])
        case.dry_run = self.chance(0.1 if self.large else 0.25)
        case.source_form = pick(["query", "query", "relation", "no id"])
        if self.chance(0.04):
            case.max_problems = pick([0, 1, 5, 1000])
        if self.has("chunks") or (not self.large and self.chance(0.3)):
            case.settings.append(f"SET identity.import_chunk_rows = {pick([1, 2, 7, 64])}")
        elif self.large and self.chance(0.15):
            case.settings.append(f"SET identity.import_chunk_rows = {pick([5000, 20_000, 20_001])}")
        if self.chance(0.08):
            case.settings.append(pick([
                "SET work_mem = '64kB'", "SET search_path = fz, public, pg_catalog", "SET search_path = ''", "SET DateStyle = 'German'",
                "SET standard_conforming_strings = off", "SET enable_indexscan = off", "SET IntervalStyle = 'iso_8601'", "SET TimeZone = 'Asia/Kathmandu'",
                "SET bytea_output = 'escape'", "SET extra_float_digits = 0", "SET quote_all_identifiers = on", "SET row_security = off",
                "SET transform_null_equals = on", "SET backslash_quote = on", "SET xmloption = 'document'", "SET check_function_bodies = off",
                "SET array_nulls = off", "SET plan_cache_mode = 'force_generic_plan'", "SET jit_above_cost = 0", "SET constraint_exclusion = on",
            ]))
        if self.chance(0.06) and not self.has("security"):
            case.isolation = pick(["REPEATABLE READ", "SERIALIZABLE"])

    def table_name(self):
        if self.has("names") and self.chance(0.7):
            self.case.table = self.random.choice(HOSTILE)

    def name(self, plain):
        """A name that is not taken: a plain one mostly."""
        pool = HOSTILE + ALIASES if self.has("names") and self.chance(0.5) else ALIASES if self.chance(0.06) else []
        name = self.random.choice(pool) if pool else plain
        number = 1
        while name in self.taken or name == self.case.table:
            number += 1
            name = f"{plain}{number}"
        self.taken.add(name)
        return name

    # ---- columns

    def spread(self):
        """How many values a column has: few make many conflicts."""
        rows = max(self.case.rows, 1)
        if self.large:
            return self.random.choice([rows * 5, rows * 20, rows * 80])
        return self.random.choice([3, max(rows // 3, 2), rows, rows * 2, rows * 4])

    def kind(self, among=None):
        names = [n for n in KINDS if among is None or among(KINDS[n])]
        return KINDS[self.random.choices(names, [KINDS[n].weight for n in names])[0]]

    def column(self, plain, kind=None, **more):
        kind = kind or self.kind()
        self.salt += 10
        rare = 400 if self.large else 25
        column = Column(self.name(plain), kind, self.salt, more.pop("spread", None) or self.spread())
        column.form = self.random.choice(["same", "same", "same", "text", "wide" if kind.wide else "same"])
        if self.has("text") and self.chance(0.7):
            column.form = "text"
        if self.chance(0.5) or self.has("text"):
            column.bads = self.random.choice([rare, rare * 4, 8 if not self.large else rare * 10])
        if self.chance(0.4) and not kind.not_null:
            column.nulls = self.random.choice([4, rare, rare * 3])
        if self.chance(0.15):
            column.not_null = True
        for name, value in more.items():
            setattr(column, name, value)
        if column.not_null and self.large and column.nulls:
            column.nulls = rare * 2
        self.case.columns.append(column)
        return column

    def add_columns(self):
        case = self.case
        how = self.random.choice(["none", "int", "int", "pair", "serial", "identity", "always", "uuid", "any"])
        self.key_columns = []
        if self.has("self"):
            how = "int"
        if how in ("int", "pair"):
            self.key_columns.append(self.column("id", KINDS["int"], nulls=0, spread=self.random.choice([case.rows * 2 + 2, case.rows * 20 + 2]), bads=0))
        if how == "pair":
            self.key_columns.append(self.column("part", self.kind(lambda k: k.key), nulls=0))
        if how in ("serial", "identity", "always"):
            form = self.random.choice(["absent", "absent", "same"])
            identity = {"identity": "BY DEFAULT", "always": "ALWAYS"}.get(how, "")
            default = "nextval('fz.numbers')" if how == "serial" else ""
            case.before += ["CREATE SEQUENCE fz.numbers START 10000000"] if default else []
            column = self.column("id", KINDS["bigint"], nulls=0, form=form, made=form == "absent", identity=identity, default=default, not_null=True, bads=0, spread=case.rows * 4 + 4)
            if identity and column.made:
                column.identity += " "  # START is set after the table.
                case.after_load.append(f"ALTER TABLE {{t}} ALTER COLUMN {column.quoted()} RESTART WITH 10000000")
                column.identity = column.identity.strip()
            self.key_columns.append(column)
        if how == "uuid":
            self.key_columns.append(self.column("id", KINDS["uuid"], form="absent", default="gen_random_uuid()", made=True, not_null=True))
        if how == "any":
            self.key_columns.append(self.column("id", self.kind(lambda k: k.key), nulls=0))
        for number in range(self.random.choice([1, 2, 3, 4, 5])):
            self.column("abcdefgh"[number])
        if self.chance(0.4) or self.large:
            self.column("note", KINDS["text"], wide_rows=True, bads=0)
        if self.large and self.chance(0.5):
            self.column("mail", Kind("varchar(40)", "'m' || $k", bad=("m" + "x" * 60,), wide="text"), form="text", bads=self.random.choice([50, 500, 2000]))
        if self.chance(0.3):
            self.column("active", KINDS["boolean"])
        if self.chance(0.2):
            self.column("fixed", KINDS["int"], form="absent", default="7", nulls=0, not_null=self.chance(0.5))
        if self.chance(0.08):
            self.column("made", KINDS["float8"], form="absent", default="random()", made=True, nulls=0, not_null=False)
        if self.chance(0.08):
            case.before.append("CREATE DOMAIN fz.given AS text DEFAULT 'given'")
            self.column("given", Kind("fz.given", "'x'"), form="absent", unforeseen=True, not_null=self.chance(0.5))
        if self.chance(0.15):
            # One column of the source is not needed.
            column = self.random.choice(case.columns)
            if not column.not_null and not column.kind.not_null and column not in self.key_columns:
                column.form = "absent"
        self.add_generated()
        if self.chance(0.3):
            self.random.shuffle(case.columns)
        if not case.assigned_columns():
            self.column("only", KINDS["int"], form="same")

    def add_generated(self):
        numbers = [c for c in self.case.columns if c.kind in (KINDS["int"], KINDS["smallint"]) and not c.made]
        texts = [c for c in self.case.columns if c.kind in (KINDS["text"], KINDS["nocase"], KINDS["code"]) and not c.made]
        if texts and self.chance(0.25):
            column = self.random.choice(texts)
            self.column("made_of", KINDS["text"], generated=f"lower({column.quoted()})", reads=(column.name,), not_null=False, form="same")
        if numbers and self.chance(0.12):
            column = self.random.choice(numbers)
            division = self.chance(0.3)
            sql = f"1000 / ({column.quoted()} - 3)" if division else f"{column.quoted()} % 1000"
            self.column("computed", KINDS["int"], generated=sql, reads=(column.name,), not_null=False, form="same")

    # ---- rules

    def reads(self, columns):
        """Names of the columns that are read, with those that generated ones are made of."""
        names = []
        for column in columns:
            names += [column.name, *column.reads]
        return tuple(dict.fromkeys(names))

    def add_rule(self, kind, plain, ddl, columns, sqlstate, **more):
        name = more.pop("name", None) or self.name(plain)
        report = more.pop("columns", None) or tuple(c.name for c in columns)
        ddl = ddl.replace("{name}", quote(name))
        shadow = more.pop("shadow", ddl).replace("{name}", quote(name))
        also = more.pop("also_reads", [])
        known = not any(c.made or c.unforeseen or any(self.by_name(n).made for n in c.reads) for c in [*columns, *also])
        rule = Rule(kind, name, ddl, self.reads([*columns, *also]), report, sqlstate, shadow, foreseen=more.pop("foreseen", True) and known, **more)
        self.case.rules.append(rule)
        return rule

    def by_name(self, name):
        return next(c for c in self.case.columns if c.name == name)

    def add_keys(self):
        if self.has("partitioned"):
            return  # add_partitions() makes keys, which have the partition key.
        if self.key_columns:
            self.primary_key(self.key_columns)
        for number in range(self.random.choice([0, 1, 1, 2, 2, 3])):
            self.unique_key(f"key{number}")
        exclusion = self.has("exclusion") or self.chance(0.05)
        if exclusion:
            self.exclusion("excl")
        if exclusion and self.chance(0.2):
            self.exclusion("excl2")

    def primary_key(self, columns):
        names = ", ".join(c.quoted() for c in columns)
        deferrable = self.deferrable()
        for column in columns:
            column.not_null = True
        self.add_rule(
            "key", "pk", f"ALTER TABLE {{t}} ADD CONSTRAINT {{name}} PRIMARY KEY ({names}){deferrable}", columns, "23505",
            shadow=f"ALTER TABLE {{t}} ADD CONSTRAINT {{name}} UNIQUE ({names})", arbiter=f"({names})", deferrable=deferrable, primary=True,
        )

    def deferrable(self):
        if not self.chance(0.6 if self.has("deferrable") else 0.01 if self.large else 0.04):
            return ""
        return self.random.choice([" DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE INITIALLY IMMEDIATE", " DEFERRABLE INITIALLY DEFERRED"])

    def keyable(self):
        return [c for c in self.case.columns if c.kind.key and not c.wide_rows and not (c.made and self.chance(0.8))]

    def unique_key(self, plain, must=()):
        """A unique constraint, or a unique index, which may be partial, or on expressions."""
        columns = [c for c in self.keyable() if c not in must]
        if not columns:
            return
        count = min(len(columns), self.random.choice([1, 1, 1, 2, 2, 3]))
        chosen = self.random.sample(columns, count) + list(must)
        if self.large and len(chosen) == 1 and chosen[0].kind in (KINDS["boolean"], KINDS["enum"], KINDS["smallint"], KINDS["char"]):
            chosen += [c for c in columns if c not in chosen][:1]
        nulls = " NULLS NOT DISTINCT" if self.chance(0.2) else ""
        include = [c for c in self.case.columns if c not in chosen and not c.wide_rows]
        include = f" INCLUDE ({self.random.choice(include).quoted()})" if include and self.chance(0.1) else ""
        if self.chance(0.5):
            names = ", ".join(c.quoted() for c in chosen)
            deferrable = self.deferrable()
            sql = f"ALTER TABLE {{t}} ADD CONSTRAINT {{name}} UNIQUE{nulls} ({names}){include}"
            self.add_rule("key", plain, sql + deferrable, chosen, "23505", shadow=sql, arbiter=f"({names})", deferrable=deferrable)
            return
        parts = [(c.quoted(), "") if c in must else self.key_part(c) for c in chosen]
        predicate, read = self.predicate() if self.chance(0.3) and not must else ("", [])
        where = f" WHERE {predicate}" if predicate else ""
        indexed = ", ".join(part + order for part, order in parts)
        sql = f"CREATE UNIQUE INDEX {{name}} ON {{t}} ({indexed}){include}{nulls}{where}"
        arbiter = f"({', '.join(part for part, _ in parts)}){where}"
        self.add_rule("key", plain, sql, chosen, "23505", arbiter=arbiter, also_reads=read, partial=bool(predicate))

    def key_part(self, column):
        """A column or an expression of it; and how the index orders it."""
        q, kind = column.quoted(), column.kind
        order = self.random.choice(["", "", "", " DESC", " NULLS FIRST"])
        if kind in (KINDS["nocase"], KINDS["text"], KINDS["code"]) and self.chance(0.5):
            text = self.random.choice([f"lower({q})", f"lower({q})", f"upper(left({q}, 8))", f"({q} || 'x')", f"md5({q})", f"(COALESCE({q}, 'none'))"])
            return text, self.random.choice(["", " text_pattern_ops", ' COLLATE "C"', ""])
        if kind in (KINDS["int"], KINDS["bigint"], KINDS["smallint"]) and self.chance(0.2):
            return self.random.choice([f"(({q} % 10007))", f"((COALESCE({q}, 0) / 2))", f"((100000 / ({q} - 4)))", f"((- {q}))"]), ""
        if kind is KINDS["pair"] and self.chance(0.4):
            return f"(({q}).a)", ""
        if kind is KINDS["jsonb"] and self.chance(0.5):
            return f"(({q} ->> 'a'))", ""
        if kind is KINDS["text"] and self.chance(0.2):
            return q, self.random.choice([" text_pattern_ops", ' COLLATE "C"', ' COLLATE "und-x-icu"'])
        return q, order

    def predicate(self):
        choices = []
        for column in self.case.columns:
            if column.made:
                continue
            q = column.quoted()
            choices.append((f"{q} IS NOT NULL", [column]))
            if column.kind is KINDS["boolean"]:
                choices += [(q, [column])] * 4
            if column.kind in (KINDS["int"], KINDS["bigint"]):
                choices.append((f"{q} % 3 <> 0", [column]))
        return self.random.choice(choices) if choices else ("", [])

    def exclusion(self, plain):
        columns = [c for c in self.case.columns if c.kind.overlaps]
        if not columns:
            columns = [self.column("during", self.kind(lambda k: k.overlaps))]
        column = self.random.choice(columns)
        if self.large:
            column.spread = self.case.rows * 10
        method, operator = column.kind.overlaps.split()
        elements, conflicts, chosen = [f"{column.quoted()} WITH {operator}"], [f"h.{column.quoted()} {operator} x.{column.quoted()}"], [column]
        equal = [c for c in self.case.columns if c.kind in (KINDS["int"], KINDS["text"], KINDS["date"], KINDS["bigint"]) and not c.made and not c.wide_rows]
        plain_key = [c for c in self.keyable() if not c.made and c.kind not in (KINDS["ints2"],)]
        if equal and self.chance(0.4):
            other = self.random.choice(equal)
            elements.append(f"{other.quoted()} WITH =")
            conflicts.append(f"h.{other.quoted()} = x.{other.quoted()}")
            chosen.append(other)
            self.case.before.append("CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public")
        elif plain_key and self.chance(0.2):
            column = self.random.choice(plain_key)
            method, elements, chosen = "btree", [f"{column.quoted()} WITH ="], [column]
            conflicts = [f"h.{column.quoted()} = x.{column.quoted()}"]
        predicate, read = self.predicate() if self.chance(0.2) else ("", [])
        where = f" WHERE ({predicate})" if predicate else ""
        if predicate:
            conflicts += [f"({self.qualified(predicate, alias, read)})" for alias in "hx"]
        deferrable = self.deferrable()
        sql = f"ALTER TABLE {{t}} ADD CONSTRAINT {{name}} EXCLUDE USING {method} ({', '.join(elements)})"
        name = None
        if self.has("names") and self.chance(0.5):
            name = self.name("excl") if self.chance(0.5) else f"x USING {method}({chosen[0].quoted()});create table public.pwned();--"
            name = name.encode()[:63].decode(errors="ignore")
            if any(r.name == name for r in self.case.rules):
                name = None
        self.add_rule(
            "exclusion", plain, sql + deferrable + where, chosen, "23P01", shadow=sql + where, conflicts=" AND ".join(conflicts),
            deferrable=deferrable, also_reads=read, partial=bool(predicate), **({"name": name} if name else {}),
        )

    def qualified(self, predicate, alias, columns):
        for column in columns:
            predicate = predicate.replace(column.quoted(), f"{alias}.{column.quoted()}")
        return predicate

    def add_rules(self):
        for column in self.case.columns:
            if column.not_null:
                columns = [column]
                sql = f"ALTER TABLE {{t}} ALTER COLUMN {column.quoted()} SET NOT NULL"
                self.add_rule("not null", "nn", "SELECT 1", columns, "23502", shadow=sql, name=f"not null {column.name}")
        for number in range(self.random.choice([0, 0, 1, 1, 2])):
            self.check(f"check{number}")
        if self.chance(0.25):
            self.foreign_key()
        if self.has("self") or (self.chance(0.06) and not self.has("triggers") and not self.has("partitioned")):
            self.self_reference()

    def check(self, plain):
        columns = [c for c in self.case.columns if not c.made and not c.wide_rows and c.form != "absent"]
        if not columns:
            return
        column = self.random.choice(columns)
        q, kind, few = column.quoted(), column.kind, 300 if self.large else 12
        foreseen, read = True, [column]
        if kind in (KINDS["int"], KINDS["bigint"], KINDS["smallint"]):
            sql = self.random.choice([f"{q} % {few} <> 1", f"{q} >= 0 AND {q} % {few} <> 2", f"1000 / NULLIF({q} % {few}, 5) IS NOT NULL", f"50 / ({q} % {few} - 6) < 1000"])
        elif kind in (KINDS["text"], KINDS["code"], KINDS["nocase"]):
            sql = self.random.choice([f"{q} !~ '{'77' if self.large else '7'}$'", f"length({q}) < 9", f"{q} <> ''", f"left({q}, 1) <> 'U' OR right({q}, 2) <> '11'"])
        elif self.chance(0.1) and not any(c.made for c in self.case.columns):
            sql, foreseen = f"hashtext({{row}}::text) % {few} <> 0", False
        else:
            sql = f"hashtext({q}::text) % {few} <> 0" if kind not in (KINDS["timestamptz"], KINDS["span"], KINDS["interval"], KINDS["float8"], KINDS["date"], KINDS["timestamp"], KINDS["day"]) else f"{q} IS NOT NULL"
        sql = sql.replace("{row}", quote(self.case.table)) if not foreseen else sql
        if not foreseen and self.case.partition_by:
            return
        self.add_rule("check", plain, f"ALTER TABLE {{t}} ADD CONSTRAINT {{name}} CHECK ({sql})", read, "23514", foreseen=foreseen)

    def foreign_key(self):
        case = self.case
        most = max(case.rows, 3)
        case.before.append(
            f"CREATE TABLE fz.parent AS SELECT g AS id, 'p' || g AS code, g % 3 AS region FROM generate_series(0, {most}) AS g WHERE g % {400 if self.large else 9} <> 4;"
            " ALTER TABLE fz.parent ADD PRIMARY KEY (id), ADD UNIQUE (id, region), ADD UNIQUE (code)")
        deferrable = self.random.choice(["", "", " DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE"]) if not self.large else self.deferrable()
        if self.chance(0.25):
            one = self.column("parent_id", KINDS["int"], spread=most, wide_rows=False)
            two = self.column("region", KINDS["int"], spread=3)
            full = self.random.choice(["", " MATCH FULL"])
            target, columns = f"fz.parent (id, region){full}", [one, two]
        elif self.chance(0.3):
            target, columns = "fz.parent (code)", [self.column("parent_code", Kind("text", "'p' || $k"), spread=most)]
        else:
            target, columns = "fz.parent", [self.column("parent_id", KINDS["int"], spread=most)]
        for column in columns:
            column.not_null = False
        names = ", ".join(c.quoted() for c in columns)
        sql = f"ALTER TABLE {{t}} ADD CONSTRAINT {{name}} FOREIGN KEY ({names}) REFERENCES {target}"
        self.add_rule("foreign key", "fk", sql + deferrable, columns, "23503", shadow=sql, deferrable=deferrable)

    def self_reference(self):
        primary = self.case.primary()
        if not primary or len(primary.columns) != 1 or primary.deferrable or self.by_name(primary.columns[0]).kind is not KINDS["int"]:
            return
        key = self.by_name(primary.columns[0])
        up = self.column("up", KINDS["int"], spread=key.spread, nulls=self.random.choice([2, 3, 6]), not_null=False)
        deferrable = self.deferrable()
        sql = f"ALTER TABLE {{t}} ADD CONSTRAINT {{name}} FOREIGN KEY ({up.quoted()}) REFERENCES {{t}} ({key.quoted()})"
        unmet = f"x.{up.quoted()} IS NOT NULL AND (x.{up.quoted()} = x.{key.quoted()}) IS NOT TRUE AND NOT EXISTS (SELECT FROM {self.case.target()} AS h WHERE h.{key.quoted()} = x.{up.quoted()})"
        self.add_rule("self", "up_fk", sql + deferrable, [up], "23503", shadow="SELECT 1", conflicts=unmet, deferrable=deferrable, also_reads=[key])

    # ---- partitions, indexes, triggers, policies

    def add_partitions(self):
        case = self.case
        if not self.has("partitioned"):
            return
        kind = self.random.choice(["LIST", "RANGE", "HASH"])
        column = self.column("tenant", KINDS["int"], spread=9, nulls=self.random.choice([0, 0, 9]), form="same", not_null=False)
        q = column.quoted()
        case.partition_by = f"{kind} ({q})"
        if kind == "LIST":
            case.partitions = [f"CREATE TABLE fz.p1 PARTITION OF {{t}} FOR VALUES IN (0, 1, 2)", f"CREATE TABLE fz.p2 PARTITION OF {{t}} FOR VALUES IN (3, 4, NULL)"]
            if self.chance(0.4):
                case.partitions.append(f"CREATE TABLE fz.p3 PARTITION OF {{t}} DEFAULT")
            if self.chance(0.3):
                case.partitions += [f"CREATE TABLE fz.p4 PARTITION OF {{t}} FOR VALUES IN (5, 6) PARTITION BY HASH ({q})", "CREATE TABLE fz.p5 PARTITION OF fz.p4 FOR VALUES WITH (MODULUS 1, REMAINDER 0)"]
        elif kind == "RANGE":
            case.partitions = [f"CREATE TABLE fz.p1 PARTITION OF {{t}} FOR VALUES FROM (MINVALUE) TO (3)", f"CREATE TABLE fz.p2 PARTITION OF {{t}} FOR VALUES FROM (3) TO (8)"]
        else:
            case.partitions = [f"CREATE TABLE fz.p1 PARTITION OF {{t}} FOR VALUES WITH (MODULUS 2, REMAINDER 0)", f"CREATE TABLE fz.p2 PARTITION OF {{t}} FOR VALUES WITH (MODULUS 2, REMAINDER 1)"]
        if self.key_columns and self.chance(0.7) and not any(c.made for c in self.key_columns):
            column.nulls = 0
            self.primary_key([*self.key_columns, column])
        for number in range(self.random.choice([0, 1, 1, 2])):
            self.unique_key(f"key{number}", must=(column,))
        if self.chance(0.25):
            free = [c for c in self.keyable() if not c.made]
            if free:
                chosen = self.random.choice(free)
                self.add_rule("key", "local", f"CREATE UNIQUE INDEX {{name}} ON fz.p1 ({chosen.quoted()})", [chosen], "23505", foreseen=False)
        if self.chance(0.15) and kind != "HASH":
            case.leaf = "fz.p1"

    def add_indexes(self):
        case = self.case
        for column in case.columns:
            q, kind = column.quoted(), column.kind
            if not self.chance(0.5 if self.large else 0.15) or self.has("partitioned"):
                continue
            if kind in (KINDS["words"], KINDS["ints"], KINDS["jsonb"], KINDS["tsvector"]):
                probe = {"words": f"{q} @> ARRAY['a3']", "ints": f"{q} @> ARRAY[3]", "jsonb": f"""{q} @> '{{"a": 3}}'""", "tsvector": f"{q} @@ 'w3'::tsquery"}
                case.indexes.append((f"CREATE INDEX ON {{t}} USING gin ({q})", next(sql for name, sql in probe.items() if KINDS[name] is kind)))
            elif kind in (KINDS["range"], KINDS["box"], KINDS["multirange"]):
                case.indexes.append((f"CREATE INDEX ON {{t}} USING gist ({q})", f"{q} && {literal('((0,0),(100,1))' if kind is KINDS['box'] else '{[3,99)}' if kind is KINDS['multirange'] else '[3,99)')}"))
            elif kind is KINDS["point"]:
                case.indexes.append((f"CREATE INDEX ON {{t}} USING spgist ({q})", f"{q} <@ box '((0,0),(50,50))'"))
            elif kind in (KINDS["int"], KINDS["bigint"], KINDS["date"], KINDS["text"], KINDS["uuid"], KINDS["code"]) and not column.wide_rows:
                value = {"date": "DATE '2020-01-04'", "text": "'u3'", "uuid": "md5('3')::uuid", "code": "'c3'"}
                value = next((sql for name, sql in value.items() if KINDS[name] is kind), "3")
                method = self.random.choice(["hash", "btree", "brin"])
                case.indexes.append((f"CREATE INDEX ON {{t}} USING {method} ({q})", f"{q} = {value}"))
            elif column.wide_rows:
                case.indexes.append((f"CREATE INDEX ON {{t}} (left({q}, 30)) WHERE {q} IS NOT NULL", f"left({q}, 30) = 'short'"))

    def add_triggers(self):
        case = self.case
        if self.has("touch"):
            self.touching_trigger()
        if not self.has("triggers") and (self.large or not self.chance(0.04)):
            return
        for number in range(self.random.choice([1, 1, 2, 3])):
            self.random.choice([self.before_trigger, self.before_trigger, self.after_trigger])(f"trigger{number}")

    def add_trigger(self, plain, when, body, what, **more):
        events = more.pop("events", None) or ("INSERT OR UPDATE" if self.case.mode == "update" and self.chance(0.6) else "INSERT")
        self.case.triggers.append(Trigger(self.name(plain), when, events, body, what, **more))

    def trigger_columns(self, *kinds):
        return [c for c in self.case.stored_columns() if c.kind in [KINDS[k] for k in kinds] and not c.made and not c.identity]

    def before_trigger(self, plain):
        numbers, texts = self.trigger_columns("int", "bigint"), self.trigger_columns("text", "nocase")
        few = 3000 if self.large else 9
        choices = [("noop", "RETURN NEW;")]
        for c in numbers:
            q = f"NEW.{c.quoted()}"
            choices += [
                ("drops", f"IF {q} % {few} = 1 THEN RETURN NULL; END IF; RETURN NEW;"),
                ("raises", f"IF {q} % {few} = 2 THEN RAISE EXCEPTION 'no %', {q}; END IF; RETURN NEW;"),
                ("divides", f"{q} := 1000 / ({q} % {few} - 3) + {q}; RETURN NEW;"),
                ("changes", f"{q} := {q} / 2; RETURN NEW;"),
                ("empties", f"IF {q} % {few} = 4 THEN {q} := NULL; END IF; RETURN NEW;"),
                ("says unique", f"IF {q} % {few} = 5 THEN RAISE unique_violation USING MESSAGE = 'so to speak', CONSTRAINT = 'no such'; END IF; RETURN NEW;"),
            ]
        for c in texts:
            q = f"NEW.{c.quoted()}"
            choices += [
                ("changes", f"{q} := lower({q}); RETURN NEW;"),
                ("fills", f"{q} := COALESCE({q}, 'filled'); RETURN NEW;"),
                ("drops", f"IF {q} LIKE '%9' THEN RETURN NULL; END IF; RETURN NEW;"),
            ]
        what, body = self.random.choice(choices)
        self.add_trigger(plain, "BEFORE", body, what)

    def after_trigger(self, plain):
        numbers = self.trigger_columns("int", "bigint")
        shown = ", ".join(f"NEW.{c.quoted()}::text" for c in self.case.columns if not c.made)
        choices = [("logs", f"INSERT INTO fz.log VALUES (TG_OP, concat_ws('|', {shown})); RETURN NULL;", {})] * 2
        choices.append(("counts", "UPDATE fz.counter SET n = n + 1; RETURN NULL;", {}))
        choices.append(("statement", "PERFORM 1; RETURN NULL;", {"level": "STATEMENT"}))
        choices.append(("logs statement", "INSERT INTO fz.log SELECT 'S', 'x' FROM new_rows; RETURN NULL;", {"level": "STATEMENT", "more": " REFERENCING NEW TABLE AS new_rows", "events": "INSERT"}))
        choices.append(("deferred", f"INSERT INTO fz.log VALUES ('deferred', concat_ws('|', {shown})); RETURN NULL;", {"deferred": True}))
        few = 4000 if self.large else 9
        for c in numbers:
            raising = f"IF NEW.{c.quoted()} % {few} = 3 THEN RAISE EXCEPTION 'after %', NEW.{c.quoted()}; END IF; RETURN NULL;"
            choices += [("raises after", raising, {}), ("raises after", raising, {"condition": f"NEW.{c.quoted()} > 2"})]
        what, body, more = self.random.choice(choices)
        if "log" in body and not any("fz.log" in sql for sql in self.case.before):
            self.case.before.append("CREATE TABLE fz.log (event text, what text)")
        if "counter" in body and not any("fz.counter" in sql for sql in self.case.before):
            self.case.before.append("CREATE TABLE fz.counter AS SELECT 0 AS n")
        self.add_trigger(plain, "AFTER", body, what, **more)

    def touching_trigger(self):
        """A trigger that changes other rows of the table, or the new row once more."""
        primary, t = self.case.primary(), self.case.target()
        if self.has("update") and primary and not any(self.by_name(c).made for c in primary.columns):
            is_default = self.column("chosen", KINDS["boolean"], form="same", nulls=0, not_null=False)
            other = " OR ".join(f"{self.by_name(c).quoted()} IS DISTINCT FROM NEW.{self.by_name(c).quoted()}" for c in primary.columns)
            q = is_default.quoted()
            body = f"IF NEW.{q} AND pg_trigger_depth() < 2 THEN UPDATE {t} SET {q} = false WHERE {q} AND ({other}); END IF; RETURN NEW;"
            self.case.rules = [r for r in self.case.rules if is_default.name not in r.reads]
            self.add_trigger("one_default", "BEFORE", body, "one default", events="INSERT OR UPDATE", touches_rows=True)
            return
        slug = self.column("slug", KINDS["text"], form="absent", not_null=False, generated="")
        if primary and self.chance(0.6):
            same = " AND ".join(f"{self.by_name(c).quoted()} = NEW.{self.by_name(c).quoted()}" for c in primary.columns)
            self.add_trigger("slug", "AFTER", f"UPDATE {t} SET {slug.quoted()} = 'slug' WHERE {same}; RETURN NULL;", "slug", events="INSERT", touches_rows=True)
        else:
            body = f"NEW.{slug.quoted()} := (SELECT count(*) FROM {t}); RETURN NEW;"
            self.add_trigger("numbered", "BEFORE", body, "numbered", events="INSERT", touches_rows=True)

    def add_policies(self):
        case = self.case
        columns = [c for c in self.trigger_columns("int", "bigint") if not c.made]
        if not self.has("security"):
            return
        if not columns:
            columns = [self.column("tenant", KINDS["int"], form="same", bads=0, not_null=False)]
        q = self.random.choice(columns).quoted()
        case.role = "fuzz_importer"
        case.policies = ["ALTER TABLE {t} ENABLE ROW LEVEL SECURITY", f"CREATE POLICY seen ON {{t}} FOR SELECT USING ({q} % 3 <> 1)"]
        case.policies += [f"CREATE POLICY written ON {{t}} FOR INSERT WITH CHECK ({q} % 5 <> 2)", f"CREATE POLICY changed ON {{t}} FOR UPDATE USING ({q} % 3 <> 1) WITH CHECK (true)"]

    def choose_match(self):
        case = self.case
        if case.mode != "update":
            return
        given = {c.name for c in case.assigned_columns()}
        keys = [r for r in case.rules if r.kind == "key" and r.foreseen and set(r.columns) <= given and not any(self.by_name(c).generated for c in r.columns)]
        # The report of columns must name one key: of several on the same columns the one that comes first is not known.
        keys = [r for r in keys if sum(set(r.columns) == set(o.columns) for o in case.rules if o.kind == "key") == 1]
        if not keys:
            case.mode = "skip"
            return
        case.match = self.random.choice(keys)

    def loaded(self):
        case = self.case
        if case.old_rows and self.chance(0.3) and not case.partition_by:
            case.after_load.append("DO $$ BEGIN DELETE FROM {t} WHERE ctid IN (SELECT ctid FROM {t} LIMIT %d); EXCEPTION WHEN foreign_key_violation THEN NULL; END $$" % self.random.choice([1, 3, case.old_rows // 3 + 1]))
            if self.chance(0.6):
                case.after_load.append("VACUUM {t}")
        if self.chance(0.3):
            case.after_load.append("ANALYZE {t}")
        if self.chance(0.15) and not case.partition_by and not any("row_type" in r.ddl for r in case.rules):
            case.after_load.insert(0, "ALTER TABLE {t} ADD COLUMN gone int DEFAULT 5; ALTER TABLE {t} DROP COLUMN gone")
