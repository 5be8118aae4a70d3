//! The SQL of an import, as text. Nothing is run here.
//!
//! Temporary tables of a run:
//! - `raw`: the source as it came, numbered in its order;
//! - `staged`: the same rows in the target's types (it is `raw` itself where no value needs a conversion), and with
//!   `on_conflict => 'update'` merged with the row that each of them updates;
//! - `problem`: the report so far; a row of the source that stands here does not go in;
//! - `contest`: keys that several source rows want, for `contest.rs` to decide;
//! - `landed`: which row of the target a source row became, where that must be known;
//! - `fired`: rows as the target's BEFORE triggers leave them, to explain why they lost;
//! - `hashes`: a hash of each key of each row;
//! - `probe`: one column, converted alone to find the values that fail.

use crate::db::catalog::{Check, ForeignKey, Key, KeyPart, Table};
use crate::import::plan::{self, Assignment};
use std::collections::BTreeSet;

/// Names of one run's temporary tables, and of the columns in them that are not the user's.
#[derive(Debug, Clone)]
pub struct Names {
    pub raw: String,
    pub staged: String,
    pub merged: String,
    pub problem: String,
    pub contest: String,
    pub landed: String,
    pub fired: String,
    pub probe: String,
    pub hashes: String,
    /// The row's number in the source.
    pub row: String,
    /// The target row that a row updates: table, place and primary key.
    pub own_oid: String,
    pub own_tid: String,
    pub own_key: String,
}

impl Names {
    /// `run` sets apart the runs of one session; `taken` are the column names of source and target.
    pub fn new(run: u64, taken: &BTreeSet<&str>) -> Self {
        let table = |what: &str| format!("pg_temp.pg_identity_{what}_{run}");
        let column = |what: &str| {
            let mut name = format!("?{what}");
            while taken.contains(name.as_str()) {
                name.push('?');
            }
            format!("\"{name}\"")
        };
        Names {
            raw: table("raw"),
            staged: table("staged"),
            merged: table("merged"),
            problem: table("problem"),
            contest: table("contest"),
            landed: table("landed"),
            fired: table("fired"),
            probe: table("probe"),
            hashes: table("hashes"),
            row: column("row"),
            own_oid: column("oid"),
            own_tid: column("tid"),
            own_key: column("key"),
        }
    }
}

/// A relation with source rows in the target's types.
#[derive(Debug, Clone)]
pub struct Rows {
    pub relation: String,
    /// Target columns that it has.
    pub present: BTreeSet<i16>,
    /// Target columns whose value can be told from it.
    pub known: BTreeSet<i16>,
    /// It has the `own_*` columns.
    pub merged: bool,
    /// Rows that cannot be looked at, because an expression over them fails, are in `problem` and stay out.
    pub poisoned: bool,
    /// Only those that update a row of the target.
    pub updates_only: bool,
    /// Only the row of this number.
    pub only: Option<i64>,
}

impl Rows {
    pub fn new(table: &Table, relation: &str, present: BTreeSet<i16>, merged: bool) -> Self {
        let known = plan::known_columns(table, &present);
        Rows {
            relation: relation.to_string(),
            present,
            known,
            merged,
            poisoned: false,
            updates_only: false,
            only: None,
        }
    }

    /// The one row of a number.
    pub fn only(&self, row: i64) -> Self {
        Rows { only: Some(row), ..self.clone() }
    }
}

/// What is known of the target and the run: everything the statements are made of.
#[derive(Clone, Copy)]
pub struct Statements<'a> {
    pub table: &'a Table,
    pub names: &'a Names,
    pub assignments: &'a [Assignment],
    /// Problems found from now on belong to the writing phase.
    pub late: bool,
    /// Keys are sifted by hash before they are compared.
    pub sieved: bool,
}

/// `ord` of report rows that come before those of the keys.
pub const ORD_POISON: i32 = -2;
pub const ORD_CONVERSION: i32 = -1;
const ORD_CHECK: i32 = 0;
const ORD_FOREIGN_KEY: i32 = 1;
const ORD_KEYS: i32 = 1000;
pub const ORD_WRITE: i32 = 100_000;

/// `ord` of the key at a position of `table.keys`.
pub fn key_ord(position: usize) -> i32 {
    ORD_KEYS + position as i32
}

/// `ord` of the foreign key at a position of `table.foreign_keys`.
pub fn foreign_key_ord(position: usize) -> i32 {
    ORD_FOREIGN_KEY + position as i32
}

/// A text constant.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

fn text_array<'s>(items: impl IntoIterator<Item = &'s str>) -> String {
    let items: Vec<String> = items.into_iter().map(literal).collect();
    format!("ARRAY[{}]::pg_catalog.text[]", items.join(", "))
}

fn comma(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(", ")
}

fn and(items: impl IntoIterator<Item = String>) -> String {
    let all: Vec<String> = items.into_iter().collect();
    if all.is_empty() { "true".to_string() } else { all.join(" AND ") }
}

fn json_object<'s>(pairs: impl IntoIterator<Item = (&'s str, String)>) -> String {
    let pairs = comma(pairs.into_iter().map(|(name, value)| format!("{}, {value}", literal(name))));
    format!("pg_catalog.jsonb_build_object({pairs})")
}

/// A key part over unqualified columns, compared as its index compares it.
fn part_sql(part: &KeyPart) -> String {
    match &part.collation {
        Some(collation) => format!("(({}) COLLATE {collation})", part.sql),
        None => format!("({})", part.sql),
    }
}

/// One hash of all parts: the hash of each is the seed of the next.
fn key_hash(key: &Key, value: impl Fn(usize, &KeyPart) -> String) -> String {
    key.parts.iter().enumerate().fold("0::pg_catalog.int8".to_string(), |seed, (i, part)| {
        format!("{}({}, {seed})", part.hash.as_deref().unwrap_or_default(), value(i, part))
    })
}

/// A key's parts as k1, k2, …
fn key_parts(key: &Key) -> String {
    comma(key.parts.iter().enumerate().map(|(i, p)| format!("{} AS {}", part_sql(p), part_name(i))))
}

fn predicate(key: &Key) -> String {
    key.predicate.as_ref().map_or("true".to_string(), |p| format!("({p})"))
}

impl Statements<'_> {
    pub fn key_is_computable(&self, key: &Key, rows: &Rows) -> bool {
        plan::computable(&key.reads, &rows.known)
    }

    // ---- reading the source -------------------------------------------------------------------------------------

    /// An empty `raw` with the source's columns; they are looked at before the source is read.
    pub fn create_raw(names: &Names, source: &str) -> String {
        let Names { raw, row, .. } = names;
        format!(
            "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS
             SELECT 0::pg_catalog.int8 AS {row}, s.* FROM (\n{source}\n) AS s WITH NO DATA",
            unqualified(raw)
        )
    }

    pub fn fill_raw(names: &Names, source: &str) -> String {
        format!("INSERT INTO {} SELECT pg_catalog.row_number() OVER (), s.* FROM (\n{source}\n) AS s", names.raw)
    }

    pub fn create_problem(names: &Names) -> String {
        format!(
            "CREATE TEMPORARY TABLE {} (
               rn pg_catalog.int8, ord pg_catalog.int4, status pg_catalog.text, constraint_name pg_catalog.text,
               columns pg_catalog.text[], key pg_catalog.jsonb, existing pg_catalog.jsonb, winner pg_catalog.int8,
               sqlstate pg_catalog.text, message pg_catalog.text,
               holder_oid pg_catalog.oid, holder_tid pg_catalog.tid, late pg_catalog.bool) ON COMMIT DROP;
             CREATE TEMPORARY TABLE {} (ord pg_catalog.int4, rn pg_catalog.int8, kind pg_catalog.int4, ref pg_catalog.int8)
               ON COMMIT DROP;
             CREATE TEMPORARY TABLE {} (rn pg_catalog.int8, oid pg_catalog.oid, tid pg_catalog.tid) ON COMMIT DROP",
            unqualified(&names.problem),
            unqualified(&names.contest),
            unqualified(&names.landed),
        )
    }

    /// `staged`, or with another name `fired`: empty, in the target's types.
    pub fn create_typed(&self, relation: &str, columns: &BTreeSet<i16>) -> String {
        let columns = self.table.columns.iter().filter(|c| columns.contains(&c.attnum)).map(|c| {
            let collation = c.collation.as_ref().map(|l| format!(" COLLATE {l}")).unwrap_or_default();
            format!("{} {}{collation}", c.quoted, c.type_name)
        });
        let columns: String = columns.map(|c| format!(", {c}")).collect();
        format!(
            "CREATE TEMPORARY TABLE {} ({} pg_catalog.int8{columns}) ON COMMIT DROP",
            unqualified(relation),
            self.names.row
        )
    }

    /// Converts the rows of `raw` from number `from` to `to` that have no problem yet.
    pub fn convert(&self) -> String {
        let Names { raw, staged, problem, row, .. } = self.names;
        format!(
            "INSERT INTO {staged} ({row}, {columns}) SELECT r.{row}, {values} FROM {raw} AS r
             WHERE NOT EXISTS (SELECT FROM {problem} AS p WHERE p.rn OPERATOR(pg_catalog.=) r.{row})",
            columns = comma(self.assignments.iter().map(|a| a.column.quoted.clone())),
            values = comma(self.assignments.iter().map(|a| a.value("r"))),
        )
    }

    /// Converts one column alone, in source order, into `probe`, so that a value that fails can be named.
    pub fn convert_column(&self, assignment: &Assignment, after: i64) -> String {
        let Names { raw, probe, row, .. } = self.names;
        format!(
            "INSERT INTO {probe} ({row}, {column}) SELECT r.{row}, {value} FROM {raw} AS r
             WHERE r.{row} OPERATOR(pg_catalog.>) {after} AND identity._import_mark(r.{row})",
            column = assignment.column.quoted,
            value = assignment.value("r"),
        )
    }

    /// Rows of which a value failed, with NULL in its place: they are looked at for further problems.
    pub fn convert_rest(&self) -> String {
        let Names { raw, staged, problem, row, .. } = self.names;
        let values = self.assignments.iter().map(|a| {
            format!(
                "CASE WHEN {} OPERATOR(pg_catalog.=) ANY (p.failed) THEN NULL ELSE {} END",
                literal(&a.column.name),
                a.value("r")
            )
        });
        format!(
            "INSERT INTO {staged} ({row}, {columns}) SELECT r.{row}, {values} FROM {raw} AS r
             JOIN (SELECT b.rn, pg_catalog.array_agg(b.columns[1]) AS failed FROM {problem} AS b
                   WHERE b.ord OPERATOR(pg_catalog.=) {ORD_CONVERSION} GROUP BY b.rn) AS p
               ON p.rn OPERATOR(pg_catalog.=) r.{row} ORDER BY r.{row}",
            columns = comma(self.assignments.iter().map(|a| a.column.quoted.clone())),
            values = comma(values),
        )
    }

    /// Problems that only say that a failed value is missing.
    pub fn forget_echoes_of_conversion(&self) -> String {
        let Names { problem, .. } = self.names;
        format!(
            "DELETE FROM {problem} AS p USING {problem} AS b
             WHERE b.ord OPERATOR(pg_catalog.=) {ORD_CONVERSION} AND b.rn OPERATOR(pg_catalog.=) p.rn
               AND p.ord OPERATOR(pg_catalog.>) {ORD_CONVERSION} AND p.columns OPERATOR(pg_catalog.&&) b.columns"
        )
    }

    /// `merged`: the rows of `staged`, each completed by the row of the target that it updates, if there is one.
    pub fn create_merged(&self, key: &Key, rows: &Rows, lock: bool) -> String {
        let Names { row, own_oid, own_tid, own_key, merged, .. } = self.names;
        let assigned: BTreeSet<i16> = self.assignments.iter().map(|a| a.column.attnum).collect();
        let kept: Vec<_> =
            self.table.columns.iter().filter(|c| !c.generated && rows.known.contains(&c.attnum)).collect();
        let inherited = kept.iter().filter(|c| !assigned.contains(&c.attnum));
        let inherited: String = inherited.map(|c| format!(", {}", c.quoted)).collect();
        let values = comma(kept.iter().map(|c| {
            if assigned.contains(&c.attnum) {
                format!("r.{q}", q = c.quoted)
            } else {
                format!("CASE WHEN m.{row} IS NULL THEN r.{q} ELSE m.{q} END AS {q}", q = c.quoted)
            }
        }));
        let found = self.keyed_row(key, rows);
        let holders = format!(
            "(SELECT t.tableoid AS {own_oid}, t.ctid AS {own_tid}, {pk} AS {own_key}, {parts}{inherited}
              FROM {from} AS t WHERE {predicate})",
            pk = self.primary_key_json(),
            parts = key_parts(key),
            from = self.table.in_from(),
            predicate = predicate(key),
        );
        let joined = and(
            (0..key.parts.len()).map(|i| format!("h.{k} {op} k.{k}", k = part_name(i), op = key.parts[i].operator))
        );
        let lock = if lock { " FOR NO KEY UPDATE OF h" } else { "" };
        format!(
            "CREATE TEMPORARY TABLE {unqualified_merged} ON COMMIT DROP AS
             WITH m AS MATERIALIZED (
               SELECT k.rn AS {row}, h.{own_oid}, h.{own_tid}, h.{own_key}{inherited_h}
               FROM {found} AS k JOIN {holders} AS h ON {joined}{lock})
             SELECT r.{row}, m.{own_oid}, m.{own_tid}, m.{own_key}, {values}
             FROM {rows} AS r LEFT JOIN m ON m.{row} OPERATOR(pg_catalog.=) r.{row}
             ORDER BY r.{row}",
            unqualified_merged = unqualified(merged),
            inherited_h = inherited.replace(", ", ", h."),
            rows = self.rows_sql(rows),
        )
    }

    // ---- sifting keys by their hash --------------------------------------------------------------------------------

    pub fn is_sieved(&self, position: usize) -> bool {
        self.sieved && self.table.keys[position].hashable()
    }

    /// `hashes`: a hash of every key of every row, so that a key is computed once for all that is asked of it.
    pub fn create_hashes(&self, positions: &[usize], rows: &Rows) -> String {
        let hashes: String = positions
            .iter()
            .map(|&position| {
                let key = &self.table.keys[position];
                // The hash functions are strict: a key with a NULL has none.
                let hash = key_hash(key, |_, part| part_sql(part));
                format!(", CASE WHEN {} THEN {hash} END AS h{position}", predicate(key))
            })
            .collect();
        format!(
            "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT r.{} AS rn{hashes} FROM {} AS r; ANALYZE {}",
            unqualified(&self.names.hashes),
            self.names.row,
            self.rows_sql(rows),
            self.names.hashes
        )
    }

    /// Fills the sieve of a key with the source's hashes, and notes those that come twice.
    pub fn fill_sieve(&self, position: usize) -> String {
        format!(
            "WITH maybe AS MATERIALIZED (
               SELECT h.h{position} AS hash FROM {hashes} AS h WHERE identity._import_sieve_add({position}, h.h{position}))
             INSERT INTO {contest} (ord, rn, kind, ref)
             SELECT {ord}, 0, {KIND_SUSPECT}, h.h{position} FROM {hashes} AS h
             WHERE h.h{position} IN (SELECT m.hash FROM maybe AS m)
             GROUP BY h.h{position} HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1",
            hashes = self.names.hashes,
            contest = self.names.contest,
            ord = key_ord(position),
        )
    }

    /// Keys of which a hash comes twice in the source.
    pub fn suspected_keys(&self) -> String {
        format!(
            "SELECT COALESCE(pg_catalog.jsonb_agg(DISTINCT c.ord), '[]') FROM {} AS c
             WHERE c.kind OPERATOR(pg_catalog.=) {KIND_SUSPECT}",
            self.names.contest
        )
    }

    // ---- looking at the rows ------------------------------------------------------------------------------------

    /// The rows with every known column of the target, by its own name: what expressions are evaluated over.
    fn rows_sql(&self, rows: &Rows) -> String {
        let Names { row, own_oid, own_tid, own_key, problem, .. } = self.names;
        let mut columns = vec![format!("s.{row}")];
        if rows.merged {
            columns.extend([own_oid, own_tid, own_key].map(|c| format!("s.{c}")));
        }
        for c in self.table.columns.iter().filter(|c| !c.generated && rows.known.contains(&c.attnum)) {
            columns.push(if rows.present.contains(&c.attnum) {
                format!("s.{}", c.quoted)
            } else {
                let default = c.default.as_deref().unwrap_or("NULL");
                format!("CAST({default} AS {}) AS {}", c.type_name, c.quoted)
            });
        }
        let mut conditions = Vec::new();
        if rows.poisoned {
            conditions.push(format!(
                "NOT EXISTS (SELECT FROM {problem} AS p WHERE p.rn OPERATOR(pg_catalog.=) s.{row}
                   AND p.ord OPERATOR(pg_catalog.=) {ORD_POISON})"
            ));
        }
        if rows.updates_only {
            conditions.push(format!("s.{own_tid} IS NOT NULL"));
        }
        conditions.extend(rows.only.map(|n| format!("s.{row} OPERATOR(pg_catalog.=) {n}")));
        // A fence: no expression may be evaluated over a poisoned row before it is left out.
        let fence = if rows.poisoned { " OFFSET 0" } else { "" };
        let plain = format!("(SELECT {} FROM {} AS s WHERE {}{fence})", comma(columns), rows.relation, and(conditions));
        let generated = self.table.columns.iter().filter(|c| c.generated && rows.known.contains(&c.attnum));
        let generated: String =
            generated.map(|c| format!(", ({}) AS {}", c.default.as_deref().unwrap_or("NULL"), c.quoted)).collect();
        if generated.is_empty() { plain } else { format!("(SELECT r.*{generated} FROM {plain} AS r)") }
    }

    /// The rows under a key's predicate, with the key's parts as k1, k2, …
    fn keyed_row(&self, key: &Key, rows: &Rows) -> String {
        let Names { row, own_oid, own_tid, .. } = self.names;
        let own = if rows.merged { format!(", r.{own_oid} AS own_oid, r.{own_tid} AS own_tid") } else { String::new() };
        format!(
            "(SELECT r.{row} AS rn{own}, {} FROM {} AS r WHERE {})",
            key_parts(key),
            self.rows_sql(rows),
            predicate(key),
        )
    }

    /// A query that needs the rights that looking for a key's holders needs.
    pub fn read_holders(&self, position: usize) -> String {
        format!("SELECT * FROM {} AS t", self.holders(&self.table.keys[position]))
    }

    /// The target's rows under a key's predicate, with the key's parts and what a report shows of a holder.
    fn holders(&self, key: &Key) -> String {
        let (oid, tid) = if self.table.readable {
            ("t.tableoid", "t.ctid")
        } else {
            ("NULL::pg_catalog.oid", "NULL::pg_catalog.tid")
        };
        let shown = comma(self.shown_columns().into_iter().enumerate().map(|(i, (_, sql))| format!("{sql} AS p{i}")));
        format!(
            "(SELECT {oid} AS holder_oid, {tid} AS holder_tid, {shown}, {parts} FROM {from} AS t WHERE {predicate})",
            parts = key_parts(key),
            from = self.table.in_from(),
            predicate = predicate(key),
        )
    }

    /// What a report shows of row `t` of the target: its primary key; its place, where there is none.
    fn shown_columns(&self) -> Vec<(&str, String)> {
        match self.table.primary_key() {
            Some(key) => {
                let columns = key.parts.iter().filter_map(|p| self.table.by_number(p.attnum));
                columns.map(|c| (c.name.as_str(), format!("t.{}", c.quoted))).collect()
            }
            None if self.table.readable => vec![("ctid", "t.ctid::pg_catalog.text".to_string())],
            None => vec![("ctid", "NULL::pg_catalog.text".to_string())],
        }
    }

    /// The same as JSON, of a row of `holders`.
    fn holder_json(&self, alias: &str) -> String {
        let shown = self.shown_columns();
        json_object(shown.iter().enumerate().map(|(i, (name, _))| (*name, format!("{alias}.p{i}"))))
    }

    /// The same as JSON, of row `t` of the target itself.
    fn primary_key_json(&self) -> String {
        json_object(self.shown_columns())
    }

    fn key_json(&self, key: &Key, alias: &str) -> String {
        json_object(key.parts.iter().enumerate().map(|(i, p)| (p.label.as_str(), format!("{alias}.{}", part_name(i)))))
    }

    /// Rows that break NOT NULL or CHECK.
    pub fn find_broken_rules(&self, rows: &Rows) -> Option<String> {
        let rules = self.rules(rows);
        if rules.is_empty() {
            return None;
        }
        let Names { row, .. } = self.names;
        let conditions: Vec<String> = rules.iter().map(|r| r.broken.clone()).collect();
        let about = rules.iter().enumerate().map(|(i, r)| {
            format!(
                "({}, {}, {}, {}, {})",
                i + 1,
                r.name.as_deref().map_or("NULL::pg_catalog.text".to_string(), literal),
                text_array(r.columns.iter().map(String::as_str)),
                literal(r.sqlstate),
                literal(&r.message)
            )
        });
        Some(format!(
            "INSERT INTO {problem} (rn, ord, status, constraint_name, columns, key, sqlstate, message, late)
             SELECT c.rn, {ORD_CHECK}, 'invalid', v.name, v.columns, c.keys[v.n], v.sqlstate, v.message, {late}
             FROM (SELECT {row} AS rn, ARRAY[{flags}]::pg_catalog.bool[] AS broken, ARRAY[{keys}]::pg_catalog.jsonb[] AS keys
                   FROM {rows} AS r WHERE {any} OFFSET 0) AS c
             CROSS JOIN (VALUES {about}) AS v (n, name, columns, sqlstate, message)
             WHERE c.broken[v.n]",
            problem = self.names.problem,
            late = self.late,
            flags = conditions.join(", "),
            keys = comma(rules.iter().map(|r| r.key.clone())),
            rows = self.rows_sql(rows),
            any = conditions.join(" OR "),
            about = comma(about),
        ))
    }

    fn rules(&self, rows: &Rows) -> Vec<RowRule> {
        let required =
            self.table.columns.iter().filter(|c| c.not_null && rows.known.contains(&c.attnum)).map(|c| RowRule {
                broken: format!("({} IS NOT DISTINCT FROM NULL)", c.quoted),
                name: c.not_null_constraint.clone(),
                columns: vec![c.name.clone()],
                key: json_object([(c.name.as_str(), "NULL::pg_catalog.text".to_string())]),
                sqlstate: "23502",
                message: format!(
                    "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                    c.name, self.table.relname
                ),
            });
        let checks = self.table.checks.iter().filter(|c| plan::computable(&c.reads, &rows.known));
        required.chain(checks.map(|c| self.check_rule(c))).collect()
    }

    fn check_rule(&self, check: &Check) -> RowRule {
        let columns: Vec<_> = check.reads.columns.iter().filter_map(|n| self.table.by_number(*n)).collect();
        RowRule {
            broken: format!("(({}) IS FALSE)", check.sql),
            name: Some(check.name.clone()),
            columns: columns.iter().map(|c| c.name.clone()).collect(),
            key: json_object(columns.iter().map(|c| (c.name.as_str(), c.quoted.clone()))),
            sqlstate: "23514",
            message: format!(
                "new row for relation \"{}\" violates check constraint \"{}\"",
                self.table.relname, check.name
            ),
        }
    }

    pub fn foreign_key_is_computable(&self, fk: &ForeignKey, rows: &Rows) -> bool {
        fk.checkable && fk.columns.iter().all(|c| rows.known.contains(c))
    }

    /// Rows that refer to nothing. A reference to the target itself may also be met by the source: see `find_parents`.
    pub fn find_missing_references(&self, position: usize, rows: &Rows) -> String {
        let fk = &self.table.foreign_keys[position];
        let columns: Vec<_> = fk.columns.iter().filter_map(|n| self.table.by_number(*n)).collect();
        let all_given = and(columns.iter().map(|c| format!("r.{} IS NOT NULL", c.quoted)));
        let some_given = columns.iter().map(|c| format!("r.{} IS NOT NULL", c.quoted)).collect::<Vec<_>>().join(" OR ");
        let half_given = if fk.full { format!("(({some_given}) AND NOT ({all_given}))") } else { "false".into() };
        let provided = match self.providers(fk, rows, "p") {
            Some(joined) => format!("AND NOT EXISTS (SELECT FROM {} AS p WHERE {joined})", self.rows_sql(rows)),
            None => String::new(),
        };
        format!(
            "INSERT INTO {problem} (rn, ord, status, constraint_name, columns, key, sqlstate, message, late)
             SELECT r.{row}, {ord}, 'invalid', {name}, {names}, {key}, '23503', {message}, {late}
             FROM {rows} AS r
             WHERE ({half_given} OR ({all_given}
               AND NOT EXISTS (SELECT FROM {references} AS x WHERE {exists}) {provided}))",
            problem = self.names.problem,
            row = self.names.row,
            ord = foreign_key_ord(position),
            name = literal(&fk.name),
            names = text_array(columns.iter().map(|c| c.name.as_str())),
            key = json_object(columns.iter().map(|c| (c.name.as_str(), format!("r.{}", c.quoted)))),
            message = literal(&self.foreign_key_message(fk)),
            late = self.late,
            rows = self.rows_sql(rows),
            references = fk.references,
            exists = and((0..columns.len())
                .map(|i| format!("x.{} {} r.{}", fk.referenced[i], fk.operators[i], columns[i].quoted))),
        )
    }

    fn foreign_key_message(&self, fk: &ForeignKey) -> String {
        format!("insert or update on table \"{}\" violates foreign key constraint \"{}\"", self.table.relname, fk.name)
    }

    /// For a foreign key of the target to itself: the condition under which source row `provider` is what `r` refers to.
    fn providers(&self, fk: &ForeignKey, rows: &Rows, provider: &str) -> Option<String> {
        let known =
            |quoted: &str| self.table.columns.iter().any(|c| c.quoted == quoted && rows.known.contains(&c.attnum));
        if !fk.to_itself || !fk.referenced.iter().all(|q| known(q)) {
            return None;
        }
        let columns: Vec<_> = fk.columns.iter().filter_map(|n| self.table.by_number(*n)).collect();
        Some(and((0..columns.len())
            .map(|i| format!("{provider}.{} {} r.{}", fk.referenced[i], fk.operators[i], columns[i].quoted))))
    }

    /// Rows that refer to another row of the source, and to none of the target: their parents must go in before them.
    pub fn find_parents(&self, position: usize, rows: &Rows) -> Option<String> {
        let fk = &self.table.foreign_keys[position];
        let joined = self.providers(fk, rows, "p")?;
        let columns: Vec<_> = fk.columns.iter().filter_map(|n| self.table.by_number(*n)).collect();
        let exists =
            and((0..columns.len())
                .map(|i| format!("x.{} {} r.{}", fk.referenced[i], fk.operators[i], columns[i].quoted)));
        let own = self.providers(fk, rows, "r")?;
        Some(format!(
            "WITH edge AS (SELECT r.{row} AS child, p.{row} AS parent FROM {rows} AS r JOIN {rows} AS p ON {joined}
               WHERE NOT ({own}) AND NOT EXISTS (SELECT FROM {references} AS x WHERE {exists}))
             INSERT INTO {contest} (ord, rn, kind, ref)
             SELECT {ord}, e.child, {KIND_NEED}, e.parent FROM edge AS e
             UNION ALL SELECT DISTINCT {ord}, e.parent, {KIND_PRESENT}, 0 FROM edge AS e",
            row = self.names.row,
            rows = self.rows_sql(rows),
            references = fk.references,
            contest = self.names.contest,
            ord = foreign_key_ord(position),
        ))
    }

    /// Rows whose key the target holds already.
    pub fn find_conflicts(&self, position: usize, rows: &Rows) -> Vec<String> {
        let key = &self.table.keys[position];
        let not_own = if rows.merged {
            "(s.own_tid IS NULL OR NOT (s.own_oid OPERATOR(pg_catalog.=) t.holder_oid
               AND s.own_tid OPERATOR(pg_catalog.=) t.holder_tid))"
        } else {
            "true"
        };
        null_patterns(key)
            .into_iter()
            .map(|nulls| {
                let joined = and(key.parts.iter().enumerate().map(|(i, p)| {
                    let k = part_name(i);
                    if nulls.contains(&i) {
                        format!("s.{k} IS NULL AND t.{k} IS NULL")
                    } else {
                        format!("t.{k} {} s.{k}", p.operator)
                    }
                }));
                let once = if key.exclusion { "DISTINCT ON (s.rn)" } else { "" };
                let order = if key.exclusion { "ORDER BY s.rn" } else { "" };
                format!(
                    "INSERT INTO {problem} (rn, ord, status, constraint_name, columns, key, existing, sqlstate, message,
                       holder_oid, holder_tid, late)
                     SELECT {once} s.rn, {ord}, 'conflict', {name}, {columns}, {key_json}, {holder}, {sqlstate},
                       'the key is held by an existing row', t.holder_oid, t.holder_tid, {late}
                     FROM {pairs} WHERE {not_own} {order}",
                    problem = self.names.problem,
                    ord = key_ord(position),
                    name = literal(&key.name),
                    columns = text_array(key.columns.iter().map(String::as_str)),
                    key_json = self.key_json(key, "s"),
                    sqlstate = literal(key_sqlstate(key)),
                    late = self.late,
                    holder = self.holder_json("t"),
                    pairs = if nulls.is_empty() && self.is_sieved(position) {
                        self.sifted_pairs(position, rows, &joined)
                    } else {
                        format!("{} AS s JOIN {} AS t ON {joined}", self.keyed_row(key, rows), self.holders(key))
                    },
                )
            })
            .collect()
    }

    /// Source rows `s` and target rows `t` with an equal key, where keys are sifted: the target's rows that pass the sieve,
    /// those of them whose hash the source has, and then those whose key it has. The steps are materialized, so that each
    /// key of the target is computed once, and of the source only those that are compared; IS TRUE keeps the planner from
    /// computing them all for a hash join, and the comparison with 1 has it expect few rows to pass, not every third.
    fn sifted_pairs(&self, position: usize, rows: &Rows, joined: &str) -> String {
        let key = &self.table.keys[position];
        format!(
            "(WITH passed AS MATERIALIZED (
                SELECT t.* FROM (SELECT t.*, {hash} AS hash FROM (SELECT t.* FROM {holders} AS t OFFSET 0) AS t OFFSET 0) AS t
                WHERE identity._import_sieve_holds({position}, t.hash)::pg_catalog.int4 OPERATOR(pg_catalog.=) 1)
              SELECT h.rn, t.* FROM passed AS t JOIN {hashes} AS h ON h.h{position} OPERATOR(pg_catalog.=) t.hash
              OFFSET 0) AS t
             JOIN {keyed} AS s ON s.rn OPERATOR(pg_catalog.=) t.rn AND ({joined}) IS TRUE",
            hash = key_hash(key, |i, _| format!("t.{}", part_name(i))),
            holders = self.holders(key),
            hashes = self.names.hashes,
            keyed = self.keyed_row(key, rows),
        )
    }

    /// Keys that more than one row of the source wants, and the rows that want them.
    /// `clear`: no two of its keys have the same hash.
    pub fn find_contests(&self, position: usize, rows: &Rows, clear: bool) -> Vec<String> {
        let key = &self.table.keys[position];
        if key.exclusion || !key.parts.iter().all(|p| p.groups) {
            return vec![self.find_rivals(position, rows)];
        }
        let mut statements = Vec::new();
        if !clear {
            statements.push(self.find_repeated(position, &self.given_keys(position, rows)));
        }
        if !key.nulls_distinct && key.parts.iter().any(|p| p.nullable) {
            let some_null: Vec<String> = (0..key.parts.len()).map(|i| format!("s.{} IS NULL", part_name(i))).collect();
            let null_keys =
                format!("SELECT s.* FROM {} AS s WHERE {}", self.keyed_row(key, rows), some_null.join(" OR "));
            statements.push(self.find_repeated(position, &null_keys));
        }
        statements
    }

    /// The keys without NULL; where they are sifted, only those whose hash comes twice.
    fn given_keys(&self, position: usize, rows: &Rows) -> String {
        let key = &self.table.keys[position];
        let keyed = self.keyed_row(key, rows);
        if !self.is_sieved(position) {
            let given = and((0..key.parts.len()).map(|i| format!("s.{} IS NOT NULL", part_name(i))));
            return format!("SELECT s.* FROM {keyed} AS s WHERE {given}");
        }
        format!(
            "SELECT s.* FROM {hashes} AS h JOIN {keyed} AS s ON s.rn OPERATOR(pg_catalog.=) h.rn
             WHERE h.h{position} IN (SELECT c.ref FROM {contest} AS c
               WHERE c.kind OPERATOR(pg_catalog.=) {KIND_SUSPECT} AND c.ord OPERATOR(pg_catalog.=) {ord})",
            hashes = self.names.hashes,
            contest = self.names.contest,
            ord = key_ord(position),
        )
    }

    /// Enters the rows of `keys` that have an equal key, under a number of their own for each key. NULLs are equal here.
    fn find_repeated(&self, position: usize, keys: &str) -> String {
        let parts = comma((0..self.table.keys[position].parts.len()).map(part_name));
        format!(
            "INSERT INTO {contest} (ord, rn, kind, ref)
             SELECT {ord}, w.rn, {KIND_KEY}, w.number OPERATOR(pg_catalog.+)
               (SELECT COALESCE(pg_catalog.max(c.ref), 0) FROM {contest} AS c WHERE c.kind OPERATOR(pg_catalog.=) {KIND_KEY})
             FROM (SELECT k.rn, pg_catalog.count(*) OVER (PARTITION BY {parts}) AS members,
                          pg_catalog.dense_rank() OVER (ORDER BY {parts}) AS number
                   FROM ({keys}) AS k) AS w
             WHERE w.members OPERATOR(pg_catalog.>) 1",
            contest = self.names.contest,
            ord = key_ord(position),
        )
    }

    /// An exclusion constraint's operators are no equality: which earlier rows exclude a row.
    fn find_rivals(&self, position: usize, rows: &Rows) -> String {
        let key = &self.table.keys[position];
        let joined =
            and(key.parts.iter().enumerate().map(|(i, p)| format!("e.{k} {} s.{k}", p.operator, k = part_name(i))));
        format!(
            "WITH pair AS (SELECT s.rn, e.rn AS earlier FROM {keyed} AS s JOIN {keyed} AS e
               ON {joined} AND e.rn OPERATOR(pg_catalog.<) s.rn)
             INSERT INTO {contest} (ord, rn, kind, ref)
             SELECT {ord}, p.rn, {KIND_RIVAL}, p.earlier FROM pair AS p
             UNION ALL SELECT DISTINCT {ord}, p.earlier, {KIND_PRESENT}, 0 FROM pair AS p",
            contest = self.names.contest,
            ord = key_ord(position),
            keyed = self.keyed_row(key, rows),
        )
    }

    /// The contest's entries in source order: row, whether it is out already, kind, rule, reference.
    pub fn contest_in_order(&self) -> String {
        format!(
            "SELECT c.rn, p.rn IS NOT NULL, c.kind, c.ord, c.ref
             FROM {contest} AS c LEFT JOIN (SELECT DISTINCT p.rn FROM {problem} AS p) AS p
               ON p.rn OPERATOR(pg_catalog.=) c.rn
             WHERE c.kind OPERATOR(pg_catalog.<>) {KIND_SUSPECT} ORDER BY c.rn, c.kind, c.ord, c.ref",
            problem = self.names.problem,
            contest = self.names.contest,
        )
    }

    /// Report rows for the rows ($1) that lost a key to earlier ones ($2).
    pub fn report_duplicates(&self, position: usize, rows: &Rows) -> String {
        let key = &self.table.keys[position];
        format!(
            "INSERT INTO {problem} (rn, ord, status, constraint_name, columns, key, winner, sqlstate, message, late)
             SELECT s.rn, {ord}, 'duplicate', {name}, {columns}, {key_json}, l.winner, {sqlstate},
               pg_catalog.concat('the key was taken by row ', l.winner, ' of the source'), {late}
             FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int8[]), pg_catalog.unnest($2::pg_catalog.int8[])) AS l (rn, winner)
             JOIN {keyed} AS s ON s.rn OPERATOR(pg_catalog.=) l.rn",
            problem = self.names.problem,
            ord = key_ord(position),
            name = literal(&key.name),
            columns = text_array(key.columns.iter().map(String::as_str)),
            key_json = self.key_json(key, "s"),
            sqlstate = literal(key_sqlstate(key)),
            late = self.late,
            keyed = self.keyed_row(key, rows),
        )
    }

    /// Report rows for the rows ($1) that refer to a row of the source which did not go in before them.
    pub fn report_orphans(&self, position: usize, rows: &Rows) -> String {
        let fk = &self.table.foreign_keys[position];
        let columns: Vec<_> = fk.columns.iter().filter_map(|n| self.table.by_number(*n)).collect();
        format!(
            "INSERT INTO {problem} (rn, ord, status, constraint_name, columns, key, sqlstate, message, late)
             SELECT r.{row}, {ord}, 'invalid', {name}, {names}, {key}, '23503', {message}, {late}
             FROM pg_catalog.unnest($1::pg_catalog.int8[]) AS l (rn)
             JOIN {rows} AS r ON r.{row} OPERATOR(pg_catalog.=) l.rn",
            problem = self.names.problem,
            row = self.names.row,
            ord = foreign_key_ord(position),
            name = literal(&fk.name),
            names = text_array(columns.iter().map(|c| c.name.as_str())),
            key = json_object(columns.iter().map(|c| (c.name.as_str(), format!("r.{}", c.quoted)))),
            message = literal(&format!(
                "{}: no row of the table or earlier in the source is referred to",
                self.foreign_key_message(fk)
            )),
            late = self.late,
            rows = self.rows_sql(rows),
        )
    }

    /// Evaluates every expression that the checks, keys and generated columns have, so that a row over which one fails
    /// can be named.
    pub fn probe(&self, rows: &Rows, after: i64) -> String {
        let Names { row, .. } = self.names;
        let mut expressions: Vec<String> = Vec::new();
        expressions.extend(
            self.table
                .columns
                .iter()
                .filter(|c| c.generated && rows.known.contains(&c.attnum))
                .map(|c| format!("r.{}", c.quoted)),
        );
        expressions.extend(
            self.table
                .checks
                .iter()
                .filter(|c| plan::computable(&c.reads, &rows.known))
                .map(|c| format!("({})", c.sql)),
        );
        for key in self.table.keys.iter().filter(|k| self.key_is_computable(k, rows)) {
            expressions.extend(key.parts.iter().map(part_sql));
            expressions.push(predicate(key));
        }
        format!(
            "SELECT pg_catalog.count(ROW({})) FROM (SELECT * FROM {} AS s WHERE s.{row} OPERATOR(pg_catalog.>) {after}
               ORDER BY s.{row} OFFSET 0) AS r WHERE identity._import_mark(r.{row})",
            expressions.join(", "),
            self.rows_sql(rows),
        )
    }

    // ---- writing ------------------------------------------------------------------------------------------------

    fn clean_range(&self, rows: &Rows, range: Range, kind: Write) -> String {
        let Names { row, own_tid, problem, .. } = self.names;
        let kind = match (rows.merged, kind) {
            (false, _) => String::new(),
            (true, Write::Insert) => format!(" AND s.{own_tid} IS NULL"),
            (true, Write::Update) => format!(" AND s.{own_tid} IS NOT NULL"),
        };
        let within = |column: &str| {
            if range == Range::ALL {
                return "true".to_string();
            }
            let Range { first, last } = range;
            format!("{column} OPERATOR(pg_catalog.>=) {first} AND {column} OPERATOR(pg_catalog.<=) {last}")
        };
        format!(
            "{staged}{kind} AND NOT EXISTS (SELECT FROM {problem} AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s.{row} AND {reported})",
            staged = within(&format!("s.{row}")),
            reported = within("p.rn"),
        )
    }

    /// The clean rows of a range, in source order or a key's. OFFSET 0 keeps the mark above the sort: a row is to be marked when the
    /// executor takes it, not when it is read.
    fn feed(&self, rows: &Rows, range: Range, kind: Write, sort_by: Option<usize>) -> String {
        let Names { row, own_oid, own_tid, .. } = self.names;
        let own = if rows.merged { format!(", s.{own_oid}, s.{own_tid}") } else { String::new() };
        format!(
            "(SELECT s.{row}{own}, {columns} FROM {relation} AS s WHERE {clean} ORDER BY {order} OFFSET 0)",
            columns = comma(self.assignments.iter().map(|a| format!("s.{}", a.column.quoted))),
            relation = rows.relation,
            clean = self.clean_range(rows, range, kind),
            order = match sort_by {
                Some(position) => comma(self.table.keys[position].parts.iter().map(|part| self.rough_order(part))),
                None => format!("s.{row}"),
            },
        )
    }

    /// The key in whose order many rows are written: neighbours in an index are then inserted one after the other, which
    /// spares most of the way down to its leaves. Only where every column of the key is staged.
    pub fn sort_key(&self, rows: &Rows) -> Option<usize> {
        let sortable = |key: &Key| {
            let staged = key.reads.columns.iter().all(|c| rows.present.contains(c));
            !key.exclusion && !key.reads.whole_row && staged
        };
        let keys = self.table.keys.iter().enumerate().filter(|(_, key)| sortable(key));
        keys.max_by_key(|(_, key)| !key.primary).map(|(position, _)| position)
    }

    /// A text is sorted by its bytes: that is many times faster than by a language's rules, and near enough.
    fn rough_order(&self, part: &KeyPart) -> String {
        let bytes = if part.collatable { " COLLATE pg_catalog.\"C\"" } else { "" };
        format!("({}){bytes}", part.sql)
    }

    pub fn write(&self, rows: &Rows, range: Range, kind: Write, how: WriteOptions) -> String {
        let write = match kind {
            Write::Insert => self.insert(rows, range, how),
            Write::Update => self.update(rows, range),
        };
        if !how.track {
            return write;
        }
        let place = if how.place {
            "t.tableoid AS oid, t.ctid AS tid"
        } else {
            "NULL::pg_catalog.oid AS oid, NULL::pg_catalog.tid AS tid"
        };
        format!(
            "WITH w AS ({write} RETURNING identity._import_current() AS rn, {place})
             INSERT INTO {} (rn, oid, tid) SELECT w.rn, w.oid, w.tid FROM w",
            self.names.landed
        )
    }

    fn insert(&self, rows: &Rows, range: Range, how: WriteOptions) -> String {
        let always = self.assignments.iter().any(|a| a.column.identity == "a");
        format!(
            "INSERT INTO {target} AS t ({columns}){overriding} SELECT {values} FROM {feed} AS s
             WHERE identity._import_mark(s.{row}){on_conflict}",
            target = self.table.name,
            columns = comma(self.assignments.iter().map(|a| a.column.quoted.clone())),
            overriding = if always { " OVERRIDING SYSTEM VALUE" } else { "" },
            values = comma(self.assignments.iter().map(|a| format!("s.{}", a.column.quoted))),
            feed = self.feed(rows, range, Write::Insert, how.sort_by),
            row = self.names.row,
            on_conflict = if how.do_nothing { " ON CONFLICT DO NOTHING" } else { "" },
        )
    }

    fn update(&self, rows: &Rows, range: Range) -> String {
        let Names { row, own_oid, own_tid, .. } = self.names;
        let settable = self.assignments.iter().filter(|a| a.column.identity != "a");
        let settable: Vec<String> = settable.map(|a| format!("{q} = s.{q}", q = a.column.quoted)).collect();
        let settable = if settable.is_empty() {
            // Only the key itself came: there is nothing to change, but the row counts as updated.
            let q = &self.assignments[0].column.quoted;
            format!("{q} = t.{q}")
        } else {
            settable.join(", ")
        };
        format!(
            "UPDATE {target} AS t SET {settable} FROM {feed} AS s
             WHERE t.tableoid OPERATOR(pg_catalog.=) s.{own_oid} AND t.ctid OPERATOR(pg_catalog.=) s.{own_tid}
               AND identity._import_mark(s.{row}, t.ctid)",
            target = self.table.in_from(),
            feed = self.feed(rows, range, Write::Update, None),
        )
    }

    /// The last clean row of a range.
    pub fn last_clean(&self, rows: &Rows, range: Range, kind: Write) -> String {
        format!(
            "SELECT pg_catalog.max(s.{}) FROM {} AS s WHERE {}",
            self.names.row,
            rows.relation,
            self.clean_range(rows, range, kind)
        )
    }

    /// Clean rows of a range that did not land: a trigger dropped them, or their key was held.
    pub fn losers(&self, rows: &Rows, range: Range, kind: Write) -> String {
        let Names { row, landed, .. } = self.names;
        format!(
            "SELECT s.{row} FROM {} AS s WHERE {}
             AND NOT EXISTS (SELECT FROM {landed} AS l WHERE l.rn OPERATOR(pg_catalog.=) s.{row})",
            rows.relation,
            self.clean_range(rows, range, kind)
        )
    }

    /// Fires the BEFORE triggers on the losers of a range, into `fired`, a row of the target's type each.
    pub fn fire_on_losers(&self, rows: &Rows, range: Range, into: &str) -> String {
        let assigned: BTreeSet<i16> = self.assignments.iter().map(|a| a.column.attnum).collect();
        let values = comma(self.table.columns.iter().map(|c| {
            if assigned.contains(&c.attnum) {
                format!("s.{}", c.quoted)
            } else if c.generated || (c.default.is_none() && c.identity.is_empty()) {
                "NULL".to_string()
            } else {
                // A sequence's value would be used up for nothing: an identity or serial column stays empty here.
                c.default.clone().filter(|_| !c.default_reads.volatile).unwrap_or("NULL".to_string())
            }
        }));
        format!(
            "INSERT INTO {into} (rn, txt)
             SELECT s.{row}, identity._import_before_insert(CAST(ROW({values}) AS {target}))::pg_catalog.text
             FROM {relation} AS s WHERE s.{row} IN ({losers})",
            row = self.names.row,
            target = self.table.name,
            relation = rows.relation,
            losers = self.losers(rows, range, Write::Insert),
        )
    }

    /// Rows ($1) as texts of the target's type ($2), into `fired`.
    pub fn fill_fired(&self, fired: &Rows) -> String {
        let columns: Vec<_> = self.table.columns.iter().filter(|c| fired.present.contains(&c.attnum)).collect();
        format!(
            "INSERT INTO {relation} ({row}, {names}) SELECT x.rn, {values}
             FROM (SELECT u.rn, CAST(u.txt AS {target}) AS r
                   FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int8[]), pg_catalog.unnest($2::pg_catalog.text[])) AS u (rn, txt)
                   WHERE u.txt IS NOT NULL OFFSET 0) AS x",
            relation = fired.relation,
            row = self.names.row,
            names = comma(columns.iter().map(|c| c.quoted.clone())),
            values = comma(columns.iter().map(|c| format!("(x.r).{}", c.quoted))),
            target = self.table.name,
        )
    }

    /// Conflicts found late whose holder is a row that this run has put in.
    pub fn name_winners(&self) -> String {
        let Names { problem, landed, .. } = self.names;
        format!(
            "UPDATE {problem} AS p SET status = 'duplicate', existing = NULL, winner = l.rn,
               message = pg_catalog.concat('the key was taken by row ', l.rn, ' of the source')
             FROM {landed} AS l
             WHERE p.status OPERATOR(pg_catalog.=) 'conflict' AND p.late
               AND l.oid OPERATOR(pg_catalog.=) p.holder_oid AND l.tid OPERATOR(pg_catalog.=) p.holder_tid"
        )
    }

    /// The values by which row `row` was refused under a key, where they can be told.
    pub fn key_of_row(&self, position: usize, rows: &Rows, row: i64) -> String {
        let key = &self.table.keys[position];
        format!(
            "SELECT {} FROM {} AS s WHERE s.rn OPERATOR(pg_catalog.=) {row}",
            self.key_json(key, "s"),
            self.keyed_row(key, rows)
        )
    }

    // ---- the report ---------------------------------------------------------------------------------------------

    /// How many rows have which status; a row with several problems counts once.
    pub fn count_by_status(&self) -> String {
        format!(
            "SELECT COALESCE(pg_catalog.jsonb_object_agg(c.status, c.n), '{{}}') FROM (
               SELECT w.status, pg_catalog.count(*) AS n FROM (
                 SELECT DISTINCT ON (p.rn) p.rn, p.status FROM {} AS p
                 ORDER BY p.rn, pg_catalog.array_position('{{invalid,conflict,duplicate,suppressed}}'::pg_catalog.text[], p.status)) AS w
               GROUP BY w.status) AS c",
            self.names.problem
        )
    }

    /// Rows of the source that update a row of the target.
    pub fn count_updates(&self, rows: &Rows) -> String {
        let Names { row, own_tid, problem, .. } = self.names;
        format!(
            "SELECT pg_catalog.count(*) FROM {} AS s WHERE s.{own_tid} IS NOT NULL
             AND NOT EXISTS (SELECT FROM {problem} AS p WHERE p.rn OPERATOR(pg_catalog.=) s.{row})",
            rows.relation
        )
    }

    /// The first problems, a line each.
    pub fn first_problems(&self, most: i64) -> String {
        format!(
            "SELECT pg_catalog.concat('row ', p.rn, ': ', p.status, ' ', p.constraint_name, ' ', p.key, ': ', p.message)
             FROM {} AS p ORDER BY p.rn, p.ord LIMIT {most}",
            self.names.problem
        )
    }

    pub fn count_problem_rows(&self) -> String {
        format!("SELECT pg_catalog.count(DISTINCT p.rn) FROM {} AS p", self.names.problem)
    }

    pub fn report(&self, run: &str, row_id: Option<&str>, all: Option<&Rows>) -> String {
        let Names { raw, row, problem, .. } = self.names;
        let (id, join) = match row_id {
            Some(column) => (
                format!("raw.{column}::pg_catalog.text"),
                format!("LEFT JOIN {raw} AS raw ON raw.{row} OPERATOR(pg_catalog.=) p.rn"),
            ),
            None => ("NULL::pg_catalog.text".to_string(), String::new()),
        };
        let fine = all.map(|rows| self.fine_rows(rows)).unwrap_or_default();
        format!(
            "SELECT {run}::pg_catalog.uuid, p.rn, {id}, p.status, p.constraint_name, p.columns, p.key, p.existing, p.winner,
               p.sqlstate, p.message
             FROM (SELECT b.rn, b.ord, b.status, b.constraint_name, b.columns, b.key, b.existing, b.winner, b.sqlstate,
                     b.message FROM {problem} AS b{fine}) AS p {join}
             ORDER BY p.rn, p.ord, p.constraint_name, p.columns",
            run = literal(run),
        )
    }

    /// Rows that went in, or would.
    fn fine_rows(&self, rows: &Rows) -> String {
        let Names { row, own_tid, own_key, problem, landed, .. } = self.names;
        let (status, own) = if rows.merged {
            (format!("CASE WHEN s.{own_tid} IS NULL THEN 'inserted' ELSE 'updated' END"), format!("s.{own_key}"))
        } else {
            ("'inserted'".to_string(), "NULL::pg_catalog.jsonb".to_string())
        };
        let (placed, existing) = if self.table.readable {
            (
                format!(
                    "LEFT JOIN {landed} AS l ON l.rn OPERATOR(pg_catalog.=) s.{row}
                     LEFT JOIN {} AS t ON t.tableoid OPERATOR(pg_catalog.=) l.oid AND t.ctid OPERATOR(pg_catalog.=) l.tid",
                    self.table.in_from()
                ),
                format!("COALESCE({own}, CASE WHEN t.ctid IS NOT NULL THEN {} END)", self.primary_key_json()),
            )
        } else {
            (String::new(), own)
        };
        format!(
            " UNION ALL SELECT s.{row}, 0, {status}, NULL, NULL, NULL, {existing}, NULL, NULL, NULL
              FROM {relation} AS s {placed}
              WHERE NOT EXISTS (SELECT FROM {problem} AS q WHERE q.rn OPERATOR(pg_catalog.=) s.{row})",
            relation = rows.relation,
        )
    }
}

/// A rule that a row can break by itself.
struct RowRule {
    broken: String,
    name: Option<String>,
    columns: Vec<String>,
    key: String,
    sqlstate: &'static str,
    message: String,
}

/// Kinds of entries in `contest`.
pub const KIND_KEY: i32 = 0;
pub const KIND_RIVAL: i32 = 1;
pub const KIND_NEED: i32 = 2;
/// The row is only referred to by others.
pub const KIND_PRESENT: i32 = 3;
/// No row: the hash of a key that may come twice.
pub const KIND_SUSPECT: i32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Insert,
    Update,
}

/// Source rows by number, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub first: i64,
    pub last: i64,
}

impl Range {
    pub const ALL: Range = Range { first: 1, last: i64::MAX };
}

#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// Keep in `landed` which rows went in.
    pub track: bool,
    /// Keep where they went, too.
    pub place: bool,
    /// A held key drops the row instead of failing the statement.
    pub do_nothing: bool,
    /// Write in the order of the key at this position, not of the source.
    pub sort_by: Option<usize>,
}

fn key_sqlstate(key: &Key) -> &'static str {
    if key.exclusion { "23P01" } else { "23505" }
}

fn part_name(position: usize) -> String {
    format!("k{}", position + 1)
}

fn unqualified(relation: &str) -> &str {
    relation.strip_prefix("pg_temp.").unwrap_or(relation)
}

/// Which parts of a key are NULL when two keys are compared: never any, unless the key says NULLS NOT DISTINCT.
///
/// A join on one pattern is an equality that can be hashed; a key of n nullable parts has 2^n of them.
fn null_patterns(key: &Key) -> Vec<Vec<usize>> {
    let nullable: Vec<usize> = (0..key.parts.len()).filter(|&i| key.parts[i].nullable).collect();
    if key.nulls_distinct || key.exclusion {
        return vec![vec![]];
    }
    (0..1usize << nullable.len().min(16))
        .map(|bits| nullable.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, &i)| i).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_quoted_as_the_server_quotes_them() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\b"), r"E'a\\b'");
    }

    #[test]
    fn own_columns_never_meet_the_users() {
        let names = Names::new(7, &BTreeSet::from(["?row", "?row?", "id"]));
        assert_eq!(names.row, "\"?row??\"");
        assert_eq!(names.own_oid, "\"?oid\"");
        assert_eq!(names.raw, "pg_temp.pg_identity_raw_7");
    }

    #[test]
    fn nulls_not_distinct_compares_every_pattern_of_nulls() {
        let part = |nullable| KeyPart { nullable, ..KeyPart::default() };
        let mut key = Key { parts: vec![part(true), part(false), part(true)], nulls_distinct: true, ..Key::default() };
        assert_eq!(null_patterns(&key), [Vec::<usize>::new()]);
        key.nulls_distinct = false;
        assert_eq!(null_patterns(&key), [vec![], vec![0], vec![2], vec![0, 2]]);
    }
}
