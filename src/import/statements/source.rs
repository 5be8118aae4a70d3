//! From the source to rows in the target's types.

use super::*;

impl Statements<'_> {
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
             WHERE r.{row} OPERATOR(pg_catalog.>) {after} AND identity_internal.import_mark(r.{row})",
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
    pub fn create_merged(&self, key: &Key, rows: &Rows) -> String {
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
        format!(
            "CREATE TEMPORARY TABLE {unqualified_merged} ON COMMIT DROP AS
             WITH m AS MATERIALIZED (
               SELECT k.rn AS {row}, h.{own_oid}, h.{own_tid}, h.{own_key}{inherited_h}
               FROM {found} AS k JOIN {holders} AS h ON {joined} FOR NO KEY UPDATE OF h)
             SELECT r.{row}, m.{own_oid}, m.{own_tid}, m.{own_key}, {values}
             FROM {rows} AS r LEFT JOIN m ON m.{row} OPERATOR(pg_catalog.=) r.{row}
             ORDER BY r.{row}",
            unqualified_merged = unqualified(merged),
            inherited_h = inherited.replace(", ", ", h."),
            rows = self.rows_sql(rows),
        )
    }
}
