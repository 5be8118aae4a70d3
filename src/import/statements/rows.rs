//! The rows of the source and of the target, as subqueries that the other statements look at.

use super::*;

impl Statements<'_> {
    pub fn key_is_computable(&self, key: &Key, rows: &Rows) -> bool {
        plan::computable(&key.reads, &rows.known)
    }

    /// The rows with every known column of the target, by its own name: what expressions are evaluated over.
    pub(super) fn rows_sql(&self, rows: &Rows) -> Sql {
        let given = sql!("({given})", given = self.given_rows(rows));
        let generated = self.generated_columns(rows);
        if generated.is_empty() { given } else { sql!("(SELECT r.*{generated} FROM {given} AS r)", generated, given) }
    }

    /// The rows with all known columns but those that are generated from others.
    pub(super) fn given_rows(&self, rows: &Rows) -> Sql {
        let Names { row, own_oid, own_tid, own_key, .. } = self.names;
        let mut columns = vec![sql!("s.{row}", row)];
        if rows.merged {
            columns.extend([own_oid, own_tid, own_key].map(|c| sql!("s.{c}", c)));
        }
        for c in self.table.columns.iter().filter(|c| !c.generated && rows.known.contains(&c.attnum)) {
            columns.push(if rows.present.contains(&c.attnum) {
                sql!("s.{column}", column = c.sql())
            } else {
                let default = c.default.clone().unwrap_or_else(|| sql!("NULL"));
                sql!("CAST({default} AS {of}) AS {column}", default, of = c.type_sql, column = c.sql())
            });
        }
        sql!("SELECT {columns} FROM {relation} AS s", columns = comma(columns), relation = rows.relation)
    }

    /// Each of the known columns that are generated, over rows `r`, after a comma.
    pub(super) fn generated_columns(&self, rows: &Rows) -> Sql {
        let generated = self.table.columns.iter().filter(|c| c.generated && rows.known.contains(&c.attnum));
        concat(generated.map(|c| {
            let value = c.default.clone().unwrap_or_else(|| sql!("NULL"));
            sql!(", ({value}) AS {column}", value, column = c.sql())
        }))
    }

    /// The rows under a key's predicate, with the key's parts as k1, k2, …
    pub(super) fn keyed_row(&self, key: &Key, rows: &Rows) -> Sql {
        let Names { row, own_oid, own_tid, .. } = self.names;
        let own = match rows.merged {
            true => sql!(", r.{own_oid} AS own_oid, r.{own_tid} AS own_tid", own_oid, own_tid),
            false => sql!(""),
        };
        sql!(
            "(SELECT r.{row} AS rn{own}, {parts} FROM {rows} AS r WHERE {predicate})",
            row,
            own,
            parts = key_parts(key),
            rows = self.rows_sql(rows),
            predicate = predicate(key),
        )
    }

    /// A query that needs the rights that looking for a key's holders needs.
    pub fn read_holders(&self, position: usize) -> Sql {
        sql!("SELECT * FROM {holders} AS t", holders = self.holders(&self.table.keys[position]))
    }

    /// The target's rows under a key's predicate, with the key's parts and what a report shows of a holder.
    pub(super) fn holders(&self, key: &Key) -> Sql {
        sql!(
            "(SELECT {place}, {shown}, {parts} FROM {from} AS t WHERE {predicate})",
            place = self.place(),
            shown = self.shown(),
            parts = key_parts(key),
            from = self.table.in_from(),
            predicate = predicate(key),
        )
    }

    /// Where row `t` of the target is, so far as the caller may know.
    pub(super) fn place(&self) -> Sql {
        if self.table.readable {
            sql!("t.tableoid AS holder_oid, t.ctid AS holder_tid")
        } else {
            sql!("NULL::pg_catalog.oid AS holder_oid, NULL::pg_catalog.tid AS holder_tid")
        }
    }

    pub(super) fn shown(&self) -> Sql {
        let shown = self.shown_columns().into_iter().enumerate();
        comma(shown.map(|(number, (_, value))| sql!("{value} AS p{number}", value, number)))
    }

    /// What a report shows of row `t` of the target: its primary key; its place, where there is none.
    fn shown_columns(&self) -> Vec<(&str, Sql)> {
        match self.table.primary_key() {
            Some(key) => {
                let columns = key.parts.iter().filter_map(|p| self.table.by_number(p.attnum));
                columns.map(|c| (c.name.as_str(), sql!("t.{column}", column = c.sql()))).collect()
            }
            None if self.table.readable => vec![("ctid", sql!("t.ctid::pg_catalog.text"))],
            None => vec![("ctid", sql!("NULL::pg_catalog.text"))],
        }
    }

    /// The same as JSON, of a row `t` of `holders`.
    pub(super) fn holder_json(&self) -> Sql {
        let shown = self.shown_columns();
        json_object(shown.iter().enumerate().map(|(number, (name, _))| (*name, sql!("t.p{number}", number))))
    }

    /// The same as JSON, of row `t` of the target itself.
    pub(super) fn primary_key_json(&self) -> Sql {
        json_object(self.shown_columns())
    }

    pub(super) fn key_json(&self, key: &Key, alias: &Sql) -> Sql {
        let part = |i: usize| sql!("{alias}.{part}", alias, part = part_name(i));
        json_object(key.parts.iter().enumerate().map(|(i, p)| (p.label.as_str(), part(i))))
    }
}
