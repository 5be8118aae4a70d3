//! From the source to rows in the target's types.

use super::*;

impl Statements<'_> {
    /// An empty `raw` with the source's columns; they are looked at before the source is read.
    pub fn create_raw(names: &Names, source: &Sql) -> Sql {
        sql!(
            "CREATE TEMPORARY TABLE {raw} ON COMMIT DROP AS
             SELECT 0::pg_catalog.int8 AS {row}, s.* FROM (\n{source}\n) AS s WITH NO DATA",
            raw = names.raw,
            row = names.row,
            source,
        )
    }

    pub fn fill_raw(names: &Names, source: &Sql) -> Sql {
        sql!(
            "INSERT INTO {raw} SELECT pg_catalog.row_number() OVER (), s.* FROM (\n{source}\n) AS s",
            raw = names.raw,
            source
        )
    }

    /// The columns of `raw` but the first, and their types.
    pub fn columns_of_raw(names: &Names) -> Sql {
        sql!(
            "SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
               'name', a.attname, 'type_oid', a.atttypid::pg_catalog.int8,
               'typmod', a.atttypmod, 'collation_oid', a.attcollation::pg_catalog.int8) ORDER BY a.attnum), '[]')
             FROM pg_catalog.pg_attribute AS a
             WHERE a.attrelid OPERATOR(pg_catalog.=) {raw}::pg_catalog.regclass AND a.attnum OPERATOR(pg_catalog.>) 1",
            raw = literal(&names.raw),
        )
    }

    pub fn create_problem(names: &Names) -> Sql {
        script([
            sql!(
                "CREATE TEMPORARY TABLE {problem} (
                   rn pg_catalog.int8, ord pg_catalog.int4, status pg_catalog.text, constraint_name pg_catalog.text,
                   columns pg_catalog.text[], key pg_catalog.jsonb, existing pg_catalog.jsonb, winner pg_catalog.int8,
                   sqlstate pg_catalog.text, message pg_catalog.text,
                   holder_oid pg_catalog.oid, holder_tid pg_catalog.tid, late pg_catalog.bool) ON COMMIT DROP",
                problem = names.problem
            ),
            sql!(
                "CREATE TEMPORARY TABLE {contest} (ord pg_catalog.int4, rn pg_catalog.int8, kind pg_catalog.int4, ref pg_catalog.int8)
                   ON COMMIT DROP",
                contest = names.contest
            ),
            sql!(
                "CREATE TEMPORARY TABLE {landed} (rn pg_catalog.int8, oid pg_catalog.oid, tid pg_catalog.tid) ON COMMIT DROP",
                landed = names.landed
            ),
        ])
    }

    /// A statement that needs the rights that an insert of the source's columns needs.
    pub fn explain_insert(&self) -> Sql {
        sql!(
            "EXPLAIN INSERT INTO {target} ({columns}) VALUES ({defaults})",
            target = self.table.sql(),
            columns = self.assigned_columns(),
            defaults = comma(self.assignments.iter().map(|_| sql!("DEFAULT"))),
        )
    }

    /// The same of an update.
    pub fn explain_update(&self, match_key: Option<usize>) -> Sql {
        let columns = self.columns_to_set(match_key);
        sql!(
            "EXPLAIN UPDATE {target} AS t SET {set}",
            target = self.table.in_from(),
            set = comma(columns.iter().map(|c| sql!("{column} = t.{column}", column = c.sql()))),
        )
    }

    pub fn explain_holders(&self, position: usize) -> Sql {
        sql!("EXPLAIN {read}", read = self.read_holders(position))
    }

    /// `staged`, or with another name `fired` or `probe`: empty, in the target's types.
    pub fn create_typed(&self, relation: &Sql, columns: &BTreeSet<i16>) -> Sql {
        let columns = self.table.columns.iter().filter(|c| columns.contains(&c.attnum));
        let columns = columns.map(|c| {
            let collation = match &c.collation {
                Some(collation) => sql!(" COLLATE {collation}", collation = collation.sql()),
                None => sql!(""),
            };
            sql!(", {column} {of}{collation}", column = c.sql(), of = c.type_sql, collation)
        });
        sql!(
            "CREATE TEMPORARY TABLE {relation} ({row} pg_catalog.int8{columns}) ON COMMIT DROP",
            relation,
            row = self.names.row,
            columns = concat(columns),
        )
    }

    /// The columns of the target that the source gives.
    pub(super) fn assigned_columns(&self) -> Sql {
        comma(self.assignments.iter().map(|a| a.column.sql()))
    }

    /// Converts the rows of `raw` that have no problem yet.
    pub fn convert(&self) -> Sql {
        let Names { raw, staged, problem, row, .. } = self.names;
        sql!(
            "INSERT INTO {staged} ({row}, {columns}) SELECT r.{row}, {values} FROM {raw} AS r
             WHERE NOT EXISTS (SELECT FROM {problem} AS p WHERE p.rn OPERATOR(pg_catalog.=) r.{row})",
            staged,
            row,
            columns = self.assigned_columns(),
            values = comma(self.assignments.iter().map(|a| a.value(&sql!("r")))),
            raw,
            problem,
        )
    }

    /// Converts one column alone, in source order from behind row `after`, into `probe`, so that a value that fails can be named. A
    /// row is marked before its value is converted.
    pub fn convert_column(&self, assignment: &Assignment, after: i64) -> Sql {
        let Names { raw, probe, row, .. } = self.names;
        sql!(
            "INSERT INTO {probe} ({row}, {column}) SELECT r.{row}, {value}
             FROM (SELECT s.{row}, s.{column} FROM {raw} AS s WHERE s.{row} OPERATOR(pg_catalog.>) {after}
                   ORDER BY s.{row} OFFSET 0) AS r
             WHERE identity_internal.import_mark(r.{row})",
            probe,
            row,
            column = assignment.column.sql(),
            value = assignment.value(&sql!("r")),
            raw,
            after,
        )
    }

    /// The value of a column of `raw` in row $1, as JSON.
    pub fn value_of(&self, assignment: &Assignment) -> Sql {
        let Names { raw, row, .. } = self.names;
        sql!(
            "SELECT pg_catalog.jsonb_build_object({name}, r.{column}::pg_catalog.text)::pg_catalog.text FROM {raw} AS r
             WHERE r.{row} OPERATOR(pg_catalog.=) $1",
            name = literal(&assignment.column.name),
            column = assignment.column.sql(),
            raw,
            row,
        )
    }

    /// Rows of which a value failed, with NULL in its place: they are looked at for further problems.
    pub fn convert_rest(&self) -> Sql {
        let Names { raw, staged, problem, row, .. } = self.names;
        let values = self.assignments.iter().map(|a| {
            sql!(
                "CASE WHEN {name} OPERATOR(pg_catalog.=) ANY (p.failed) THEN NULL ELSE {value} END",
                name = literal(&a.column.name),
                value = a.value(&sql!("r")),
            )
        });
        sql!(
            "INSERT INTO {staged} ({row}, {columns}) SELECT r.{row}, {values} FROM {raw} AS r
             JOIN (SELECT b.rn, pg_catalog.array_agg(b.columns[1]) AS failed FROM {problem} AS b
                   WHERE b.ord OPERATOR(pg_catalog.=) {conversion} GROUP BY b.rn) AS p
               ON p.rn OPERATOR(pg_catalog.=) r.{row}",
            staged,
            row,
            columns = self.assigned_columns(),
            values = comma(values),
            raw,
            problem,
            conversion = ORD_CONVERSION,
        )
    }

    /// Problems that only say that a failed value is missing.
    pub fn forget_echoes_of_conversion(&self) -> Sql {
        sql!(
            "DELETE FROM {problem} AS p USING {problem} AS b
             WHERE b.ord OPERATOR(pg_catalog.=) {conversion} AND b.rn OPERATOR(pg_catalog.=) p.rn
               AND p.ord OPERATOR(pg_catalog.>) {conversion} AND p.columns OPERATOR(pg_catalog.&&) b.columns",
            problem = self.names.problem,
            conversion = ORD_CONVERSION,
        )
    }

    /// `merged`: the rows of `staged`, each completed by the row of the target that it updates, if there is one.
    pub fn create_merged(&self, key: &Key, rows: &Rows) -> Sql {
        let Names { row, own_oid, own_tid, own_key, merged, .. } = self.names;
        let assigned: BTreeSet<i16> = self.assignments.iter().map(|a| a.column.attnum).collect();
        let kept: Vec<&Column> =
            self.table.columns.iter().filter(|c| !c.generated && rows.known.contains(&c.attnum)).collect();
        let inherited: Vec<Sql> =
            kept.iter().filter(|c| !assigned.contains(&c.attnum)).map(|column| column.sql()).collect();
        let values = comma(kept.iter().map(|c| {
            let column = c.sql();
            if assigned.contains(&c.attnum) {
                sql!("r.{column}", column)
            } else {
                sql!("CASE WHEN m.{row} IS NULL THEN r.{column} ELSE m.{column} END AS {column}", row, column)
            }
        }));
        let holders = sql!(
            "(SELECT t.tableoid AS {own_oid}, t.ctid AS {own_tid}, {primary_key} AS {own_key}, {parts}{inherited}
              FROM {from} AS t WHERE {predicate})",
            own_oid,
            own_tid,
            primary_key = self.primary_key_json(),
            own_key,
            parts = key_parts(key),
            inherited = concat(inherited.iter().map(|column| sql!(", {column}", column))),
            from = self.table.in_from(),
            predicate = predicate(key),
        );
        let joined = all(key
            .parts
            .iter()
            .enumerate()
            .map(|(i, p)| sql!("h.{k} {equal} k.{k}", k = part_name(i), equal = p.operator.operator())));
        sql!(
            "CREATE TEMPORARY TABLE {merged} ON COMMIT DROP AS
             WITH m AS MATERIALIZED (
               SELECT k.rn AS {row}, h.{own_oid}, h.{own_tid}, h.{own_key}{inherited}
               FROM {found} AS k JOIN {holders} AS h ON {joined} FOR NO KEY UPDATE OF h)
             SELECT r.{row}, m.{own_oid}, m.{own_tid}, m.{own_key}, {values}
             FROM {rows} AS r LEFT JOIN m ON m.{row} OPERATOR(pg_catalog.=) r.{row}
             ORDER BY r.{row}",
            merged,
            row,
            own_oid,
            own_tid,
            own_key,
            inherited = concat(inherited.iter().map(|column| sql!(", h.{column}", column))),
            found = self.keyed_row(key, rows),
            holders,
            joined,
            values,
            rows = self.rows_sql(rows),
        )
    }

    /// Lets the planner find rows by number, and know how many there are.
    pub fn index_by_number(&self, relation: &Sql) -> Sql {
        sql!("CREATE INDEX ON {relation} ({row}); ANALYZE {relation} ({row})", relation, row = self.names.row)
    }

    pub fn index_landed(&self) -> Sql {
        sql!("CREATE INDEX ON {landed} (rn); CREATE INDEX ON {landed} (tid)", landed = self.names.landed)
    }

    pub fn index_problems(&self) -> Sql {
        sql!("CREATE INDEX ON {problem} (rn); ANALYZE {problem} (rn)", problem = self.names.problem)
    }

    pub fn index_winners(&self) -> Sql {
        sql!("CREATE INDEX ON {problem} (winner)", problem = self.names.problem)
    }
}
