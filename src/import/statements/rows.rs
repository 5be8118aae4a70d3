//! The rows of the source and of the target, as subqueries that the other statements look at.

use super::*;

impl Statements<'_> {
    pub fn key_is_computable(&self, key: &Key, rows: &Rows) -> bool {
        plan::computable(&key.reads, &rows.known)
    }

    /// The rows with every known column of the target, by its own name: what expressions are evaluated over.
    pub(super) fn rows_sql(&self, rows: &Rows) -> String {
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
    pub(super) fn keyed_row(&self, key: &Key, rows: &Rows) -> String {
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
    pub(super) fn holders(&self, key: &Key) -> String {
        format!(
            "(SELECT {place}, {shown}, {parts} FROM {from} AS t WHERE {predicate})",
            place = self.place(),
            shown = self.shown(),
            parts = key_parts(key),
            from = self.table.in_from(),
            predicate = predicate(key),
        )
    }

    /// Where row `t` of the target is, so far as the caller may know.
    pub(super) fn place(&self) -> &'static str {
        if self.table.readable {
            "t.tableoid AS holder_oid, t.ctid AS holder_tid"
        } else {
            "NULL::pg_catalog.oid AS holder_oid, NULL::pg_catalog.tid AS holder_tid"
        }
    }

    pub(super) fn shown(&self) -> String {
        comma(self.shown_columns().into_iter().enumerate().map(|(i, (_, sql))| format!("{sql} AS p{i}")))
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
    pub(super) fn holder_json(&self, alias: &str) -> String {
        let shown = self.shown_columns();
        json_object(shown.iter().enumerate().map(|(i, (name, _))| (*name, format!("{alias}.p{i}"))))
    }

    /// The same as JSON, of row `t` of the target itself.
    pub(super) fn primary_key_json(&self) -> String {
        json_object(self.shown_columns())
    }

    pub(super) fn key_json(&self, key: &Key, alias: &str) -> String {
        json_object(key.parts.iter().enumerate().map(|(i, p)| (p.label.as_str(), format!("{alias}.{}", part_name(i)))))
    }
}
