"""import_rows against a loop that inserts the rows of the source one by one.

The judge is a PL/pgSQL block, run in a transaction that is rolled back. It inserts (or updates) each row in a subtransaction and
notes what became of it. To tell which rules a refused row breaks, not only the first, each rule has a table of its own, the
shadow: it has the same rows, the same BEFORE triggers and this one rule. A refused row is tried on each of them.
"""

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

import psycopg

from tables import literal, quote

UNDO = "FZ000"
PLAIN, OUTCOME, CONVERSION = 1000, 0, -1  # Numbers of what was tried; the rules count from 1, the columns down from -1.


@dataclass
class Difference:
    row: int  # 0: of no row
    what: str
    text: str
    rule: object = None

    def __str__(self):
        return f"row {self.row}: {self.what}: {self.text}" if self.row else f"{self.what}: {self.text}"


# ---- the judge's SQL --------------------------------------------------------------------------------------------


class Judge:
    def __init__(self, case):
        self.case = case
        self.t = quote(case.table)
        self.assigned = case.assigned_columns()
        self.names = ", ".join(c.quoted() for c in self.assigned)
        self.values = ", ".join(c.assigned() for c in self.assigned)
        self.always = " OVERRIDING SYSTEM VALUE" if any(c.identity == "ALWAYS" for c in self.assigned) else ""
        self.shadowed = [] if case.weak() else [(k, r) for k, r in enumerate(case.rules, 1) if r.foreseen and r.kind != "self"]
        self.keys = [(k, r) for k, r in self.shadowed if r.kind in ("key", "exclusion")]

    def statements(self):
        case = self.case
        sql = ["CREATE UNIQUE INDEX ON fz.src (n)", "CREATE TABLE fz.verdict (n bigint, tried int, outcome text, sqlstate text, name text, message text, holder_n bigint, holders jsonb)"]
        if not case.weak():
            sql += self.make_shadow("fz_plain", None)
            for k, rule in self.shadowed:
                sql += self.make_shadow(f"fz_{k}", rule)
            for number, column in enumerate(self.assigned, 1):
                sql.append(f"CREATE TABLE fz.conversion{number} (c {column.kind.type})")
        if case.match:
            sql += self.make_shadow("fz_row", None, triggers=False)
            parts = ", ".join(f"{part} AS k{i}" for i, part in enumerate(self.match_parts(), 1))
            sql.append(f"CREATE TABLE fz.took AS SELECT {parts}, 0::bigint AS n, false AS inserted FROM fz_row.{self.t} WITH NO DATA")
            sql.append(f"CREATE INDEX ON fz.took ({', '.join(f'k{i}' for i in range(1, len(self.match_parts()) + 1))})")
        deferred = [f"fz.{quote(r.name)}" for r in case.rules if r.deferrable]
        if deferred:
            sql.append(f"SET CONSTRAINTS {', '.join(deferred)} IMMEDIATE")
        if case.role:
            sql += [f"GRANT ALL ON ALL TABLES IN SCHEMA fz TO {case.role}", f"SET LOCAL ROLE {case.role}"]
        return sql + [self.block()]

    def make_shadow(self, schema, rule, triggers=True):
        """A table as the target, with one rule; further columns say which row of which source stands where in the target."""
        case, t = self.case, f"{schema}.{self.t}"
        sql = [f"CREATE SCHEMA {schema}", f"CREATE TABLE {t} (LIKE {case.target()} INCLUDING DEFAULTS INCLUDING GENERATED)"]
        changes = ["ADD fuzz_n bigint, ADD fuzz_part oid, ADD fuzz_at tid, ADD fuzz_pk jsonb"]
        for column in case.columns:
            changes.append(f"ALTER {column.quoted()} DROP NOT NULL")
            if column.made and column.default:
                changes.append(f"ALTER {column.quoted()} DROP DEFAULT")
        sql.append(f"ALTER TABLE {t} {', '.join(changes)}")
        if rule:
            sql.append(rule.shadow.replace("{t}", t))
        if rule and rule.kind in ("key", "exclusion"):
            columns = ", ".join(c.quoted() for c in case.stored_columns())
            source = case.import_target() if case.partition_by else f"ONLY {case.import_target()}"
            sql.append(f"INSERT INTO {t} ({columns}, fuzz_n, fuzz_part, fuzz_at, fuzz_pk) SELECT {columns}, 0, tableoid, ctid, {self.primary_json()} FROM {source}")
            sql.append(f"CREATE INDEX ON {t} (fuzz_at)")
        for trigger in case.triggers if triggers else []:
            if trigger.when == "BEFORE" and trigger.level == "ROW" and "INSERT" in trigger.events:
                trigger = type(trigger)(**{**vars(trigger), "events": "INSERT"})
                sql.append(trigger.ddl(t, shadow="NEW.fuzz_n IS NULL"))
        return sql

    def primary_json(self):
        primary = self.case.primary()
        if not primary:
            return "jsonb_build_object('ctid', ctid::text)"
        return "jsonb_build_object(" + ", ".join(f"{literal(c)}, {quote(c)}" for c in primary.columns) + ")"

    def match_parts(self):
        """The parts of the matching key, split at the commas outside of parentheses and quotes."""
        text, parts, depth, quoted, start = self.case.match.arbiter, [], 0, "", 1
        for i, character in enumerate(text):
            if quoted:
                quoted = "" if character == quoted else quoted
            elif character in "\"'":
                quoted = character
            elif character == "(":
                depth += 1
            elif character == ")":
                depth -= 1
                if depth == 0:
                    parts.append(text[start:i].strip())
                    self.match_where = text[i + 1:]
                    return parts
            elif character == "," and depth == 1:
                parts.append(text[start:i].strip())
                start = i + 1
        raise ValueError(text)

    def block(self):
        case = self.case
        update = self.find_match() if case.match else ""
        explain = "" if case.weak() else f"IF outcome = 'failed' THEN {self.explain()} END IF;"
        insert = f"INSERT INTO {case.import_target()} AS t ({self.names}){self.always} SELECT {self.values} FROM fz.src AS s WHERE s.n = i RETURNING t.tableoid, t.ctid INTO new_part, new_at;"
        if case.role:
            insert = insert.replace(" RETURNING t.tableoid, t.ctid INTO new_part, new_at", "")
        write = insert
        if case.match:
            write = f"""IF taken IS NOT NULL THEN RAISE unique_violation USING MESSAGE = 'taken', CONSTRAINT = {literal(case.match.name)};
      ELSIF hit_at IS NOT NULL THEN {self.update()} ELSE {insert} END IF;"""
        return f"""DO $judge$
DECLARE
  i bigint; bad int[]; count bigint; outcome text; st text; cn text; msg text; new_part oid; new_at tid; wanted record; own record;
  hit_part oid; hit_at tid; hit_pk jsonb; taken bigint; taken_inserted boolean; broken boolean; found_n bigint; found_pk jsonb; holders jsonb[];
BEGIN
  FOR i IN SELECT n FROM fz.src ORDER BY n LOOP
    hit_part := NULL; hit_at := NULL; hit_pk := NULL; taken := NULL; st := NULL; cn := NULL; msg := NULL; bad := '{{}}'; new_at := NULL;
    {update}
    BEGIN
      {write}
      GET DIAGNOSTICS count = ROW_COUNT;
      outcome := CASE count WHEN 0 THEN 'suppressed' ELSE 'in' END;
    EXCEPTION WHEN OTHERS THEN
      outcome := 'failed'; GET STACKED DIAGNOSTICS st = RETURNED_SQLSTATE, cn = CONSTRAINT_NAME, msg = MESSAGE_TEXT;
    END;
    INSERT INTO fz.verdict VALUES (i, {OUTCOME}, CASE WHEN outcome = 'in' AND hit_at IS NOT NULL THEN 'updated' ELSE outcome END, st, cn, msg, taken, hit_pk);
    IF outcome = 'in' THEN {self.keep()} END IF;
    {explain}
  END LOOP;
END $judge$"""

    def find_match(self):
        """The target's row that row i updates, and the row of the source that has had the same key before it."""
        parts = self.match_parts()
        keys = ", ".join(f"{part} AS k{i}" for i, part in enumerate(parts, 1))
        took = " AND ".join(f"k.k{i} = wanted.k{i}" for i in range(1, len(parts) + 1))
        held = " AND ".join(f"{part} = wanted.k{i}" for i, part in enumerate(parts, 1))
        where = f"{self.match_where} AND" if self.match_where else " WHERE"
        return f"""BEGIN
      INSERT INTO fz_row.{self.t} ({self.names}) SELECT {self.values} FROM fz.src AS s WHERE s.n = i;
      SELECT {keys} INTO wanted FROM fz_row.{self.t}{self.match_where};
      SELECT k.n, k.inserted INTO taken, taken_inserted FROM fz.took AS k WHERE {took};
      SELECT tableoid, ctid, {self.primary_json()} INTO hit_part, hit_at, hit_pk FROM {self.case.import_target()}{where} {held};
      IF taken IS NOT NULL AND taken_inserted THEN hit_at := NULL; hit_part := NULL; END IF;
      RAISE SQLSTATE '{UNDO}';
    EXCEPTION WHEN SQLSTATE '{UNDO}' THEN NULL; WHEN OTHERS THEN NULL; END;
    SELECT * INTO own FROM {self.case.import_target()} AS t WHERE t.tableoid = hit_part AND t.ctid = hit_at;"""

    def update(self):
        settable = [c for c in self.assigned if c.identity != "ALWAYS"]
        if settable:
            changes = ", ".join(f"{c.quoted()} = {c.assigned()}" for c in settable)
        else:
            any_column = next(c for c in self.case.stored_columns() if c.identity != "ALWAYS")
            changes = f"{any_column.quoted()} = t.{any_column.quoted()}"
        return f"UPDATE {self.case.import_target()} AS t SET {changes} FROM fz.src AS s WHERE s.n = i AND t.tableoid = hit_part AND t.ctid = hit_at RETURNING t.tableoid, t.ctid INTO new_part, new_at;"

    def keep(self):
        """A row has gone in: so it does into the shadows."""
        case, sql = self.case, ["NULL;"]
        columns = ", ".join(c.quoted() for c in case.stored_columns())
        for k, _ in self.keys:
            shadow = f"fz_{k}.{self.t}"
            if case.match:
                sql.append(f"IF hit_at IS NOT NULL THEN DELETE FROM {shadow} WHERE fuzz_part = hit_part AND fuzz_at = hit_at RETURNING fuzz_pk INTO hit_pk; END IF;")
            sql.append(f"INSERT INTO {shadow} ({columns}, fuzz_n, fuzz_part, fuzz_at, fuzz_pk) SELECT {columns}, i, tableoid, ctid, COALESCE(hit_pk, {self.primary_json()}) FROM {case.import_target()} AS t WHERE t.tableoid = new_part AND t.ctid = new_at;")
        if case.match:
            # Of a table that triggers change, the row's key is the source's.
            parts = ", ".join(self.match_parts())
            more = f"{self.match_where} AND" if self.match_where else " WHERE"
            sql.append(f"INSERT INTO fz.took SELECT {parts}, i, hit_at IS NULL FROM {case.import_target()} AS t{more} t.tableoid = new_part AND t.ctid = new_at;" if not case.weak() else
                       f"INSERT INTO fz_row.{self.t} ({self.names}) SELECT {self.values} FROM fz.src AS s WHERE s.n = i; INSERT INTO fz.took SELECT {parts}, i, hit_at IS NULL FROM fz_row.{self.t}{self.match_where}; DELETE FROM fz_row.{self.t};")
        return "\n      ".join(sql)

    # ---- which rules a refused row breaks

    def explain(self):
        sql = []
        for number, column in enumerate(self.assigned, 1):
            sql.append(self.attempt(CONVERSION * number, f"INSERT INTO fz.conversion{number} SELECT {column.assigned()} FROM fz.src AS s WHERE s.n = i;", on_error=f"bad := bad || {number};"))
        not_null = [str(number) for number, column in enumerate(self.assigned, 1) if column.kind.not_null]
        rules = [self.explain_plain()] + [self.explain_rule(k, rule) for k, rule in self.shadowed]
        # A bad value cannot be left out of a domain that is NOT NULL; and BEFORE triggers are not shown half a row.
        stop = f"bad && ARRAY[{', '.join(not_null)}]::int[]"
        if self.case.fires("BEFORE", "INSERT"):
            stop += " OR (bad <> '{}' AND hit_at IS NULL)"
        if self.case.fires("BEFORE", "UPDATE"):
            stop += " OR hit_at IS NOT NULL"
        if self.case.match:
            match = [str(number) for number, column in enumerate(self.assigned, 1) if column.name in self.case.match.reads]
            stop += f" OR bad && ARRAY[{', '.join(match)}]::int[]"
        sql.append(f"IF NOT ({stop}) THEN {' '.join(rules)} END IF;")
        return "\n      ".join(sql)

    def attempt(self, tried, work, on_error="", after=""):
        return f"""BEGIN {work} RAISE SQLSTATE '{UNDO}';
      EXCEPTION WHEN SQLSTATE '{UNDO}' THEN {after or "NULL;"} WHEN OTHERS THEN GET STACKED DIAGNOSTICS st = RETURNED_SQLSTATE, cn = CONSTRAINT_NAME, msg = MESSAGE_TEXT; {on_error}
        INSERT INTO fz.verdict VALUES (i, {tried}, 'failed', st, cn, msg); END;"""

    def row(self, shadow):
        """INSERT of row i into a shadow: as it is, or over the row that it updates."""
        given = {c.name: f"CASE WHEN {number} = ANY (bad) THEN NULL ELSE {c.assigned()} END" for number, c in enumerate(self.assigned, 1)}
        insert = f"INSERT INTO {shadow} AS h ({self.names}) SELECT {', '.join(given.values())} FROM fz.src AS s WHERE s.n = i"
        if not self.case.match:
            return insert, ""
        columns = self.case.stored_columns()
        values = ", ".join(given[c.name] if c.name in given and c.identity != "ALWAYS" else f"own.{c.quoted()}" for c in columns)
        update = f"INSERT INTO {shadow} AS h ({', '.join(c.quoted() for c in columns)}, fuzz_n) SELECT {values}, -1 FROM fz.src AS s WHERE s.n = i"
        return insert, update

    def into(self, shadow, more=""):
        insert, update = self.row(shadow)
        if not update:
            return f"{insert}{more};"
        return f"IF hit_at IS NULL THEN {insert}{more}; ELSE DELETE FROM {shadow} WHERE fuzz_part = hit_part AND fuzz_at = hit_at; {update}{more}; END IF;"

    def explain_plain(self):
        """The row with no rule at all: what fails here is an expression or a trigger. Meanwhile exclusions are looked up."""
        looks, notes = [], []
        for k, rule in enumerate(self.case.rules, 1):
            if rule.kind == "exclusion" and rule.foreseen:
                looks.append(f"BEGIN holders[{k}] := (SELECT jsonb_agg(jsonb_build_array(h.fuzz_n, h.fuzz_pk)) FROM fz_{k}.{self.t} AS h, fz_plain.{self.t} AS x WHERE {rule.conflicts} AND (hit_at IS NULL OR (h.fuzz_part, h.fuzz_at) <> (hit_part, hit_at))); EXCEPTION WHEN OTHERS THEN NULL; END;")
            if rule.kind == "self" and rule.foreseen:
                looks.append(f"holders[{k}] := (SELECT to_jsonb(count(*)) FROM fz_plain.{self.t} AS x WHERE {rule.conflicts});")
                notes.append(f"IF holders[{k}] <> '0' THEN INSERT INTO fz.verdict VALUES (i, {k}, 'broken', '23503', {literal(rule.name)}); END IF;")
        return "holders := '{}'; " + self.attempt(PLAIN, self.into(f"fz_plain.{self.t}") + " ".join(looks), after=" ".join(notes))

    def explain_rule(self, k, rule):
        shadow = f"fz_{k}.{self.t}"
        if rule.kind == "key":
            where = f" ON CONFLICT {rule.arbiter} DO UPDATE SET fuzz_n = h.fuzz_n RETURNING h.fuzz_n, h.fuzz_pk INTO found_n, found_pk"
            work = "found_n := NULL; " + self.into(shadow, where)
            return self.attempt(k, work, after=f"IF found_n >= 0 THEN INSERT INTO fz.verdict VALUES (i, {k}, 'broken', '23505', {literal(rule.name)}, NULL, found_n, found_pk); END IF;")
        if rule.kind == "exclusion":
            return self.attempt(k, self.into(shadow)) + self.note_holders(k)
        return self.attempt(k, self.into(shadow))

    def note_holders(self, k):
        return f" EXECUTE 'UPDATE fz.verdict SET holders = $1 WHERE n = $2 AND tried = {k}' USING holders[{k}], i;"


# ---- running a case ---------------------------------------------------------------------------------------------


class Verdict:
    def __init__(self):
        self.outcome = self.sqlstate = self.name = self.message = self.taken = self.updates = None
        self.bad = {}  # column number: (sqlstate, message)
        self.broken = {}  # rule number: (sqlstate, name, message, holder's row, holder)
        self.failed = []  # SQLSTATEs of expressions and triggers that failed


class Runner:
    """Runs cases on one connection; what they leave is dropped by the next."""

    def __init__(self):
        self.connection = psycopg.connect(autocommit=True)
        self.notices = []
        self.connection.add_notice_handler(lambda notice: self.notices.append(notice.message_primary))
        # The settings are the library's, which the first function of it loads.
        self.run_sql("SET client_min_messages = warning; LOAD 'pg_identity'")
        self.has_amcheck = bool(self.rows("SELECT FROM pg_available_extensions WHERE name = 'amcheck'"))
        if self.has_amcheck:
            self.run_sql("CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA public")

    def run_sql(self, sql):
        return self.connection.execute(sql)

    def rows(self, sql):
        return self.connection.execute(sql).fetchall()

    def run(self, case):
        """The differences between the import and the judge."""
        self.case = case
        self.differences = []
        self.run_sql("ROLLBACK; RESET ALL; SET client_min_messages = warning; DROP TABLE IF EXISTS public.pwned")
        for statement in case.setup():
            self.run_sql(statement)
        self.numbers = [n for (n,) in self.rows("SELECT n FROM fz.src ORDER BY n")]
        before = self.contents()
        verdicts, wanted = self.judge()
        dry = None
        if case.dry_run or case.mode == "error":
            dry = self.import_rows(dry_run=True)
            if self.contents() != before:
                self.differ(0, "dry run", "the dry run has changed the table")
        report = self.import_rows(dry_run=False)
        got = self.contents()
        self.compare(verdicts, before, wanted, got, report, dry)
        self.look_for_damage()
        return sorted(self.differences, key=lambda d: d.row)

    def differ(self, row, what, text, rule=None):
        self.differences.append(Difference(row, what, text, rule))

    def contents(self):
        """What can be compared of the tables: their rows as texts, as a multiset."""
        columns = ", ".join(c.quoted() for c in self.case.columns if not c.made and not any(self.is_made(n) for n in c.reads))
        contents = {"table": Counter(text for (text,) in self.rows(f"SELECT ROW({columns})::text FROM {self.case.target()}"))}
        for table, sql in (("log", "event, what"), ("counter", "n")):
            if any(f"fz.{table}" in b for b in self.case.before):
                contents[table] = Counter(str(row) for row in self.rows(f"SELECT {sql} FROM fz.{table}"))
        return contents

    def is_made(self, name):
        return any(c.name == name and c.made for c in self.case.columns)

    def apply_settings(self):
        for setting in self.case.settings:
            self.run_sql(setting)

    def judge(self):
        self.run_sql("BEGIN")
        try:
            self.run_sql("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
            self.apply_settings()
            for statement in Judge(self.case).statements():
                self.run_sql(statement)
            self.run_sql("RESET ROLE; RESET ALL; SET CONSTRAINTS ALL IMMEDIATE")
            verdicts = self.read_verdicts()
            wanted = self.contents()
        finally:
            self.run_sql("ROLLBACK")
        self.run_sql("SET client_min_messages = warning")
        return verdicts, wanted

    def read_verdicts(self):
        verdicts = defaultdict(Verdict)
        for n, tried, outcome, sqlstate, name, message, holder_n, holders in self.rows("SELECT * FROM fz.verdict"):
            verdict = verdicts[n]
            if tried == OUTCOME:
                verdict.outcome, verdict.sqlstate, verdict.name, verdict.message = outcome, sqlstate, name or None, message
                verdict.taken, verdict.updates = holder_n, holders
            elif tried < 0:
                verdict.bad[-tried] = (sqlstate, message)
            elif tried != PLAIN and self.is_own_error(self.case.rules[tried - 1], sqlstate, name, outcome):
                verdict.broken[tried] = (sqlstate, name, message, holder_n, holders)
            else:
                verdict.failed.append(sqlstate)
        return verdicts

    def is_own_error(self, rule, sqlstate, name, outcome):
        return outcome == "broken" or sqlstate == rule.sqlstate and (rule.kind == "not null" or name == rule.name)

    def import_rows(self, dry_run):
        """The report's rows by number of the source's row; an error as a string."""
        case = self.case
        self.notices.clear()
        self.run_sql("BEGIN" + (f" ISOLATION LEVEL {case.isolation}" if case.isolation else ""))
        settings = self.rows("SELECT name, setting FROM pg_settings ORDER BY name")
        try:
            self.apply_settings()
            if case.role:
                self.run_sql(f"SET LOCAL ROLE {case.role}")
            self.run_sql("SET LOCAL client_min_messages = notice")
            rows = self.rows(case.call(dry_run))
            self.run_sql("RESET ROLE; RESET ALL; SET client_min_messages = warning; SET CONSTRAINTS ALL IMMEDIATE")
            changed = set(self.rows("SELECT name, setting FROM pg_settings ORDER BY name")) - set(settings)
            if changed:
                self.differ(0, "settings", f"the import has changed {changed}")
            self.run_sql("COMMIT")
        except psycopg.Error as error:
            if self.connection.broken:
                raise
            self.run_sql("ROLLBACK; RESET ALL; SET client_min_messages = warning")
            return f"{error.sqlstate}: {error}".strip()
        report = defaultdict(list)
        for row in rows:
            number = row[0]
            if not 1 <= number <= len(self.numbers):
                self.differ(0, "row number", f"the report has a row {number} of {len(self.numbers)}")
                continue
            if case.source_form != "no id" and row[1] != str(self.numbers[number - 1]):
                self.differ(self.numbers[number - 1], "row_id", f"the report has {row[1]}")
            report[self.numbers[number - 1]].append(Problem(*row[2:]))
        self.compare_counts(report, dry_run)
        return report

    # ---- comparing

    def compare_counts(self, report, dry_run):
        """The NOTICE adds up, and agrees with the report."""
        notice = next((n for n in self.notices if " inserted, " in n), "")
        counts = {name: int(count) for count, name in re.findall(r"(\d+) (inserted|updated|conflict|duplicate|invalid|suppressed|clean but withheld)", notice)}
        total = int((re.search(r": (\d+) rows?:", notice) or [0, -1])[1])
        if total != len(self.numbers) or sum(counts.values()) != total:
            self.differ(0, "counts", f"they do not add up to {len(self.numbers)}: {notice}")
        first = ["invalid", "conflict", "duplicate", "suppressed", "inserted", "updated"]
        told = Counter(min((p.status for p in problems), key=first.index) for problems in report.values())
        for status in first[:4] + (first[4:] if self.case.report == "all" and "given up" not in notice else []):
            if told[status] != counts.get(status, 0):
                self.differ(0, "counts", f"{told[status]} rows are {status} in the report: {notice}")

    def compare(self, verdicts, before, wanted, got, report, dry):
        case = self.case
        failed = [n for n in self.numbers if verdicts[n].outcome in ("failed", "suppressed")]
        given_up = bool(failed) and case.mode in ("abort", "error") or case.max_problems is not None and len(failed) > case.max_problems
        if case.mode == "error" and failed:
            if not isinstance(report, str) or not report.startswith("23000"):
                self.differ(0, "on_conflict error", f"it does not raise 23000: {str(report)[:300]}")
            report, dry = dry, None
        if isinstance(report, str) or isinstance(dry, str):
            self.differ(0, "aborted", f"the import raises {report if isinstance(report, str) else 'in the dry run ' + dry}")
            return
        expected = before if given_up else wanted
        for name in expected:
            if got[name] != expected[name]:
                missing, extra = list((expected[name] - got[name]).elements()), list((got[name] - expected[name]).elements())
                self.differ(0, name, f"missing: {missing[:5]}, not wanted: {extra[:5]} ({len(missing)} and {len(extra)})")
        if dry is not None and not case.isolation and self.without_places(dry) != self.without_places(report):
            n = next(n for n in self.numbers if self.without_places(dry).get(n) != self.without_places(report).get(n))
            self.differ(n, "dry run", f"its report is {dry[n]}, the real one {report[n]}")
        gave_up_early = case.max_problems is not None and len(failed) > case.max_problems
        for n in self.numbers:
            self.compare_row(n, verdicts[n], report.get(n, []), given_up, gave_up_early)
        if case.report == "all" and not given_up:
            self.compare_existing(report)

    def without_places(self, report):
        """Places in the table and made keys may differ between two runs; what is reported of inserted rows too."""
        return {n: sorted((p.status, p.name or "", str(p.columns), p.winner or 0, p.sqlstate or "") for p in problems) for n, problems in report.items() if problems}

    def compare_row(self, n, verdict, rows, given_up, gave_up_early):
        problems = [p for p in rows if p.status not in ("inserted", "updated")]
        fine = [p for p in rows if p.status in ("inserted", "updated")]
        if verdict.outcome in ("in", "updated"):
            if problems:
                self.differ(n, "refused", f"one by one it goes in; the report has {problems}", self.rule_of(problems[0]))
            elif self.case.report == "all" and not given_up:
                wanted = "updated" if verdict.outcome == "updated" else "inserted"
                if [p.status for p in fine] != [wanted]:
                    self.differ(n, "status", f"one by one it is {wanted}; the report has {fine}")
            return
        if fine:
            self.differ(n, "accepted", f"one by one it is {self.tell(verdict)}; the report has {fine}")
        elif not problems and not gave_up_early:
            self.differ(n, "accepted", f"one by one it is {self.tell(verdict)}; the report has nothing")
        elif verdict.outcome == "suppressed":
            if [p.status for p in problems] not in ([["suppressed"]] + ([[]] if gave_up_early else [])):
                self.differ(n, "suppressed", f"a BEFORE trigger drops it; the report has {problems}")
        elif problems:
            self.compare_problems(n, verdict, problems)

    def tell(self, verdict):
        rules = [self.case.rules[k - 1].name for k in verdict.broken]
        return f"{verdict.outcome} {verdict.sqlstate or ''} {verdict.message or ''}, and breaks {rules}, bad values {verdict.bad}, failing {verdict.failed}"

    def rule_of(self, problem):
        for rule in self.case.rules:
            if rule.kind == "not null":
                if problem.sqlstate == "23502" and problem.columns == list(rule.columns):
                    return rule
            elif problem.name == rule.name:
                return rule
        return None

    def compare_problems(self, n, verdict, problems):
        """A refused row: is all that it breaks reported, and nothing else?"""
        case = self.case
        columns = case.assigned_columns()
        bad = {columns[k - 1].name: error for k, error in verdict.bad.items()}
        # A rule that reads a bad value is not looked at.
        broken = {k: b for k, b in verdict.broken.items() if not set(case.rules[k - 1].reads) & set(bad)}
        expected = {("value", name) for name in bad} | {("rule", case.rules[k - 1].name) for k in broken}
        got = {}
        for problem in problems:
            name = problem.columns[0] if problem.columns and len(problem.columns) == 1 else None
            rule = self.rule_of(problem)
            if name in bad and problem.sqlstate == bad[name][0] and problem.status == "invalid" and not (rule and rule.kind != "not null" and problem.sqlstate == rule.sqlstate and rule.name == problem.name):
                got["value", name] = problem
                if problem.message != bad[name][1]:
                    self.differ(n, "message", f"{problem.message!r}, and Postgres says {bad[name][1]!r}")
            elif rule:
                if ("rule", rule.name) in got:
                    self.differ(n, "twice", f"{problem}", rule)
                got["rule", rule.name] = problem
            else:
                got["other", problem.sqlstate, problem.name] = problem
        what = f"one by one it is {self.tell(verdict)}; the report has {problems}"
        if case.weak():
            return self.compare_first(n, verdict, problems, what)
        if verdict.failed:
            # A row over which an expression or a trigger fails is reported for that alone.
            for key, problem in got.items():
                if key[0] == "other" and key[1] not in verdict.failed:
                    self.differ(n, "another error", what)
            # That a generated column fails is for the executor to tell, which is asked where nothing else is wrong.
            generated = any("/" in c.generated for c in case.columns)
            if not any(key[0] == "other" for key in got) and not bad and not (generated and got):
                self.differ(n, "failure not told", what)
            return
        if verdict.taken:
            # The second of two rows for one row of the target may be told to lose other keys to the first.
            winner = self.numbers.index(verdict.taken) + 1
            expected.add(("rule", case.match.name))
            got = {key: p for key, p in got.items() if key in expected or p.winner != winner}
        if verdict.updates is not None and case.fires("BEFORE", "UPDATE") or self.matches_by_bad_value(bad):
            return self.compare_first(n, verdict, problems, what)
        if not expected:
            if len(problems) != 1 or problems[0].sqlstate != verdict.sqlstate:
                self.differ(n, "executor", what)
            return
        for key in expected - set(got):
            self.differ(n, "not reported", f"{key[1]}: {what}", self.rule_named(key))
        for key in set(got) - expected - {("rule", verdict.name)}:
            self.differ(n, "not broken", f"{key}: {what}", self.rule_named(key))
        for k, broken in broken.items():
            if ("rule", case.rules[k - 1].name) in got:
                self.compare_problem(n, case.rules[k - 1], broken, got["rule", case.rules[k - 1].name])
        if verdict.taken and (problem := got.get(("rule", case.match.name))):
            if problem.status != "duplicate" or problem.winner != winner:
                self.differ(n, "winner", f"row {verdict.taken} has updated the same row: {problem}")

    def rule_named(self, key):
        return next((r for r in self.case.rules if key[0] == "rule" and r.name == key[1]), None)

    def matches_by_bad_value(self, bad):
        return self.case.match and any(name in bad for name in self.case.match.reads)

    def compare_first(self, n, verdict, problems, what):
        """Where the judge knows the first error alone: it is among those that are reported, or they are of the same kind."""
        same = any(p.sqlstate == verdict.sqlstate and (not verdict.name or p.name in (verdict.name, None) or self.case.partition_by) for p in problems)
        if not same and not any(self.rule_of(p) for p in problems) and not verdict.bad:
            self.differ(n, "another error", what)

    def compare_problem(self, n, rule, broken, problem):
        sqlstate, _, message, holder_n, holders = broken
        if problem.sqlstate != sqlstate:
            self.differ(n, "sqlstate", f"{problem}, and Postgres says {sqlstate}", rule)
        if sorted(problem.columns or []) != sorted(rule.columns):
            self.differ(n, "columns", f"{problem} has not the columns {rule.columns}", rule)
        if rule.kind not in ("key", "exclusion"):
            if problem.status != "invalid":
                self.differ(n, "status", f"{problem} is a broken rule", rule)
            if message and rule.kind != "self" and not problem.message.startswith(message):
                self.differ(n, "message", f"{problem.message!r}, and Postgres says {message!r}", rule)
            return
        if rule.kind == "exclusion":
            known = holders or []
        else:
            known = [[holder_n, holders]]
        for row, pk in known:
            # A row that the source has updated may be called by what it was or by who has updated it.
            winner = self.numbers.index(row) + 1 if row else None
            was_there = not row or self.case.match is not None
            if problem.status == "conflict" and was_there and self.is_place(problem.existing, pk):
                return
            if problem.status == "duplicate" and winner and problem.winner == winner:
                return
        if known:
            self.differ(n, "holder", f"{problem}, and the key is held by (row, existing) {known}", rule)

    def is_place(self, existing, pk):
        return existing == pk

    def compare_existing(self, report):
        """What report => 'all' says where rows went: rows that are there, each once."""
        if self.case.role:
            return
        judge = Judge(self.case)
        there = {json.dumps(pk, sort_keys=True) for (pk,) in self.rows(f"SELECT {judge.primary_json()} FROM {self.case.target()}")}
        seen = Counter()
        for n, rows in report.items():
            for problem in rows:
                if problem.status in ("inserted", "updated"):
                    place = json.dumps(problem.existing, sort_keys=True)
                    seen[place] += 1
                    if problem.existing is None:
                        self.differ(n, "existing", "a row that went in has no existing")
                    elif problem.status == "inserted" and place not in there:
                        self.differ(n, "existing", f"there is no row {place}")
        for place, times in seen.items():
            if times > 1 and place != "null" and "ctid" not in place:
                self.differ(0, "existing", f"{times} rows went to {place}")

    # ---- after the import

    def look_for_damage(self):
        """Indexes that do not fit their table, tables left over, and what a hostile name may have made."""
        if self.rows("SELECT FROM pg_class WHERE relname = 'pwned'"):
            self.differ(0, "injection", "there is a table pwned: a name was run as SQL")
            self.run_sql("DROP TABLE IF EXISTS public.pwned")
        left = self.rows("SELECT relname FROM pg_class WHERE relname LIKE 'pg\\_identity%' AND relpersistence = 't'")
        if left:
            self.differ(0, "left over", f"{left}")
        if self.has_amcheck:
            self.check_btrees()
        for _, probe in self.case.indexes:
            counts = []
            for seq, index in (("on", "off"), ("off", "on")):
                self.run_sql(f"SET enable_seqscan = {seq}; SET enable_indexscan = {index}; SET enable_bitmapscan = {index}; SET enable_indexonlyscan = {index}")
                counts.append(self.rows(f"SELECT count(*) FROM {self.case.target()} WHERE {probe}")[0][0])
            if counts[0] != counts[1]:
                self.differ(0, "index", f"{probe}: {counts[0]} rows by the table, {counts[1]} by the index")
        self.run_sql("RESET ALL; SET client_min_messages = warning")

    def check_btrees(self):
        sql = f"""SELECT public.bt_index_check(i.indexrelid::regclass, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                  WHERE i.indrelid IN (SELECT relid FROM pg_partition_tree({literal(self.case.target())}) UNION SELECT {literal(self.case.target())}::regclass)
                    AND c.relkind = 'i' AND c.relam = 403 AND i.indisvalid"""
        try:
            self.run_sql(sql)
        except psycopg.Error as error:
            self.differ(0, "index", f"amcheck: {error}")


@dataclass
class Problem:
    status: str
    name: str
    columns: list
    key: object
    existing: object
    winner: int
    sqlstate: str
    message: str

    def __repr__(self):
        told = [self.status] + [f"{n}={getattr(self, n)!r}" for n in ("name", "columns", "key", "existing", "winner", "sqlstate", "message") if getattr(self, n) is not None]
        return f"<{' '.join(told)}>"
