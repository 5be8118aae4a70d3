//! From the source to rows in the target's types, and the rights that an import needs.

use super::*;

impl Statements<'_> {
    /// The source's rows, numbered in their order.
    pub fn read_source(names: &Names, source: &Sql) -> Sql {
        sql!("SELECT pg_catalog.row_number() OVER () AS {row}, s.* FROM (\n{source}\n) AS s", row = names.row, source)
    }

    /// None of them, for their columns and the rights that they need.
    pub fn describe_source(source: &Sql) -> Sql {
        sql!("SELECT s.* FROM (\n{source}\n) AS s LIMIT 0", source)
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

    /// The columns of the target that the source gives.
    pub(super) fn assigned_columns(&self) -> Sql {
        comma(self.assignments.iter().map(|a| a.column.sql()))
    }

    /// The values of a column of `raw` in the rows $1, as JSON.
    pub fn values_of(&self, assignment: &Assignment) -> Sql {
        let Names { raw, row, .. } = self.names;
        sql!(
            "SELECT r.{row}, pg_catalog.jsonb_build_object({name}, r.{column}::pg_catalog.text)::pg_catalog.text AS value FROM {raw} AS r
             WHERE r.{row} OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.int8[])",
            name = literal(&assignment.column.name),
            column = assignment.column.sql(),
            raw,
            row,
        )
    }

    /// `problem` without those that only say that a failed value is missing.
    pub fn without_echoes_of_conversion(&self) -> Sql {
        sql!(
            "SELECT p.* FROM {problem} AS p WHERE NOT EXISTS (
               SELECT FROM {problem} AS b
               WHERE b.ord OPERATOR(pg_catalog.=) {conversion} AND b.rn OPERATOR(pg_catalog.=) p.rn
                 AND p.ord OPERATOR(pg_catalog.>) {conversion} AND p.columns OPERATOR(pg_catalog.&&) b.columns)",
            problem = self.names.problem,
            conversion = ORD_CONVERSION,
        )
    }

    /// The rows, each completed by the row of the target that it updates, if there is one, and that it locks.
    pub fn merge(&self, key: &Key, rows: &Rows) -> Sql {
        let Names { row, own_oid, own_tid, own_key, .. } = self.names;
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
            "WITH m AS MATERIALIZED (
               SELECT k.rn AS {row}, h.{own_oid}, h.{own_tid}, h.{own_key}{inherited}
               FROM {found} AS k JOIN {holders} AS h ON {joined} FOR NO KEY UPDATE OF h)
             SELECT r.{row}, m.{own_oid}, m.{own_tid}, m.{own_key}, {values}
             FROM {rows} AS r LEFT JOIN m ON m.{row} OPERATOR(pg_catalog.=) r.{row}
             ORDER BY r.{row}",
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

    /// The rows of `rows` that update one of the target.
    pub fn updates(&self) -> Sql {
        let Names { row, own_tid, rows, .. } = self.names;
        sql!("SELECT s.{row} FROM {rows} AS s WHERE s.{own_tid} IS NOT NULL", row, own_tid, rows)
    }
}
