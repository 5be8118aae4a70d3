//! Writing the clean rows.

use super::*;
use crate::db::catalog::Name;

/// Of so many rows one is marked, where it is for the progress alone.
const MARK_EVERY: i64 = 100;

impl Statements<'_> {
    /// The source's columns of a row `s`.
    fn assigned_values(&self) -> Sql {
        comma(self.assignments.iter().map(|a| sql!("s.{column}", column = a.column.sql())))
    }

    /// The key in whose order many rows are written: neighbours in an index are then inserted one after the other, which
    /// spares most of the way down to its leaves. The largest index gains most. Only where the key is of columns, all of them staged:
    /// a write runs under the caller's search path, where an expression of the catalog may mean something else.
    pub fn sort_key(&self, rows: &Rows) -> Option<usize> {
        let sortable = |key: &Key| !key.exclusion && key.parts.iter().all(|part| rows.present.contains(&part.attnum));
        let keys = self.table.keys.iter().enumerate().filter(|(_, key)| sortable(key));
        keys.max_by_key(|(_, key)| key.size).map(|(position, _)| position)
    }

    /// A text is sorted by its bytes: that is many times faster than by a language's rules, and near enough.
    fn rough_order(&self, part: &KeyPart) -> Sql {
        let bytes = if part.collatable { sql!(" COLLATE pg_catalog.\"C\"") } else { sql!("") };
        sql!("s.{column}{bytes}", column = part.sql, bytes)
    }

    /// Writes the clean ones of `rows`.
    pub fn write(&self, rows: &Rows, kind: Write, how: WriteOptions) -> Sql {
        let write = match kind {
            Write::Insert => self.insert(rows, how),
            Write::Update => self.update(rows, how),
        };
        if !how.track {
            return write;
        }
        let place = if how.place {
            sql!("t.tableoid AS oid, t.ctid AS tid")
        } else {
            sql!("NULL::pg_catalog.oid AS oid, NULL::pg_catalog.tid AS tid")
        };
        let key = if how.key { self.primary_key_json() } else { sql!("NULL::pg_catalog.jsonb") };
        sql!(
            "{write} RETURNING identity_internal.import_current() AS rn, {place}, {key} AS existing",
            write,
            place,
            key
        )
    }

    /// A row is marked as it is handed to the executor. In the order of a key that is above the sort; where a failure is followed by another way to
    /// write, a mark blames nobody: then it is set now and then, for the progress to be seen.
    fn insert(&self, rows: &Rows, how: WriteOptions) -> Sql {
        let Names { row, own_tid, .. } = self.names;
        let always = self.assignments.iter().any(|a| a.column.identity == "a");
        let new = if rows.merged { sql!(" AND s.{own_tid} IS NULL", own_tid) } else { sql!("") };
        let clean = sql!(
            "{relation} AS s WHERE identity_internal.import_take(s.{row}){new}",
            relation = rows.relation,
            row,
            new
        );
        let from = match how.order {
            Order::Source | Order::IndexesLast => clean,
            Order::Key(position) => sql!(
                "(SELECT s.{row}, {columns} FROM {clean} ORDER BY {order} OFFSET 0) AS s WHERE {mark}",
                row,
                columns = self.assigned_values(),
                clean,
                order = comma(self.table.keys[position].parts.iter().map(|part| self.rough_order(part))),
                mark = if how.track {
                    sql!("identity_internal.import_mark(s.{row})", row)
                } else {
                    sql!(
                        "(s.{row} OPERATOR(pg_catalog.%) {every} OPERATOR(pg_catalog.<>) 0
                          OR identity_internal.import_mark(s.{row}, {every}))",
                        row,
                        every = MARK_EVERY,
                    )
                },
            ),
        };
        sql!(
            "INSERT INTO {target} AS t ({columns}){overriding} SELECT {values} FROM {from}{on_conflict}{returning}",
            target = self.table.sql(),
            columns = self.assigned_columns(),
            overriding = if always { sql!(" OVERRIDING SYSTEM VALUE") } else { sql!("") },
            values = self.assigned_values(),
            from,
            on_conflict = if how.do_nothing { sql!(" ON CONFLICT DO NOTHING") } else { sql!("") },
            returning = if how.order == Order::IndexesLast { sql!(" RETURNING t.ctid") } else { sql!("") },
        )
    }

    /// OFFSET 0 keeps the row's own look at whether it goes in below the join.
    fn update(&self, rows: &Rows, how: WriteOptions) -> Sql {
        let Names { row, own_oid, own_tid, .. } = self.names;
        let assigned = |column: &Column| self.assignments.iter().any(|a| a.column.attnum == column.attnum);
        let set = self.columns_to_set(how.match_key).into_iter().map(|c| {
            // Where only the key itself came, there is nothing to change; the row counts as updated.
            let from = if assigned(c) { sql!("s") } else { sql!("t") };
            sql!("{column} = {from}.{column}", column = c.sql(), from)
        });
        sql!(
            "UPDATE {target} AS t SET {set}
             FROM (SELECT s.{row}, s.{own_oid}, s.{own_tid}, {columns} FROM {relation} AS s
                   WHERE s.{own_tid} IS NOT NULL AND identity_internal.import_take(s.{row}) OFFSET 0) AS s
             WHERE t.tableoid OPERATOR(pg_catalog.=) s.{own_oid} AND t.ctid OPERATOR(pg_catalog.=) s.{own_tid}
               AND identity_internal.import_mark(s.{row}, t.ctid)",
            target = self.table.in_from(),
            set = comma(set),
            columns = self.assigned_values(),
            relation = rows.relation,
            own_oid,
            own_tid,
            row,
        )
    }

    /// The columns that an update changes: those of the source, but not a GENERATED ALWAYS identity, nor columns of the
    /// matching key that the caller may not change; they are equal anyway. Where nothing is left, any column.
    pub fn columns_to_set(&self, match_key: Option<usize>) -> Vec<&Column> {
        let matched = |name: &String| match_key.is_some_and(|p| self.table.keys[p].columns.contains(name));
        let assigned = self.assignments.iter().map(|a| &a.column);
        let columns: Vec<&Column> =
            assigned.filter(|c| c.identity != "a" && (c.updatable || !matched(&c.name))).collect();
        if !columns.is_empty() {
            return columns;
        }
        let any = self.table.columns.iter().filter(|c| c.identity != "a" && !c.generated);
        any.max_by_key(|c| c.updatable).into_iter().collect()
    }

    /// The rows, each with the row of the target's type that its BEFORE triggers are shown.
    pub fn rows_to_fire(&self, rows: &Rows) -> Sql {
        let assigned: BTreeSet<i16> = self.assignments.iter().map(|a| a.column.attnum).collect();
        let values = self.table.columns.iter().map(|c| match &c.default {
            _ if assigned.contains(&c.attnum) => sql!("s.{column}", column = c.sql()),
            // A sequence's value would be used up for nothing: an identity or serial column stays empty here.
            Some(default) if !c.generated && c.identity.is_empty() && !c.default_reads.volatile => default.clone(),
            _ => sql!("NULL"),
        });
        sql!(
            "SELECT s.{row} AS rn, CAST(ROW({values}) AS {target}) AS shown FROM {relation} AS s",
            row = self.names.row,
            values = comma(values),
            target = self.table.sql(),
            relation = rows.relation,
        )
    }

    /// Rows ($1) as texts of the target's type ($2), into `fired`.
    pub fn fill_fired(&self, fired: &Rows) -> Sql {
        let columns = self.table.columns.iter().filter(|c| fired.present.contains(&c.attnum)).map(Column::sql);
        sql!(
            "SELECT x.rn AS {row}, {values}
             FROM (SELECT u.rn, CAST(u.txt AS {target}) AS r
                   FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int8[]), pg_catalog.unnest($2::pg_catalog.text[])) AS u (rn, txt)
                   WHERE u.txt IS NOT NULL OFFSET 0) AS x",
            row = self.names.row,
            values = comma(columns.map(|column| sql!("(x.r).{column}", column))),
            target = self.table.sql(),
        )
    }

    /// The rows, each with the place where the row of the target is now that it updates: a trigger may have changed it since it was found.
    pub fn find_again(&self, key: &Key, rows: &Rows) -> Sql {
        let Names { row, own_oid, own_tid, own_key, .. } = self.names;
        let present = self.table.columns.iter().filter(|c| rows.present.contains(&c.attnum));
        sql!(
            "SELECT s.{row}, h.holder_oid AS {own_oid}, h.holder_tid AS {own_tid}, s.{own_key}, {columns} FROM {relation} AS s
             LEFT JOIN (SELECT k.rn, t.holder_oid, t.holder_tid FROM {keyed} AS k JOIN {holders} AS t ON {joined}) AS h
               ON h.rn OPERATOR(pg_catalog.=) s.{row} ORDER BY s.{row}",
            row,
            own_oid,
            own_tid,
            own_key,
            columns = comma(present.map(|c| sql!("s.{column}", column = c.sql()))),
            relation = rows.relation,
            keyed = self.keyed_row(key, rows),
            holders = self.holders(key),
            joined = all(key
                .parts
                .iter()
                .enumerate()
                .map(|(i, p)| sql!("t.{k} {equal} k.{k}", k = part_name(i), equal = p.operator.operator()))),
        )
    }

    /// The rows that update the same row of the target as that in `fired`.
    pub fn same_target(&self) -> Sql {
        let Names { row, own_oid, own_tid, rows, fired, .. } = self.names;
        sql!(
            "SELECT o.{row} FROM {rows} AS o JOIN {fired} AS s
               ON o.{own_tid} OPERATOR(pg_catalog.=) s.{own_tid} AND o.{own_oid} OPERATOR(pg_catalog.=) s.{own_oid}",
            row,
            own_oid,
            own_tid,
            rows,
            fired,
        )
    }

    /// The values by which the rows are refused under a key, where they can be told.
    pub fn key_of_rows(&self, position: usize, rows: &Rows) -> Sql {
        let key = &self.table.keys[position];
        sql!(
            "SELECT {key_json}::pg_catalog.text AS key FROM {keyed} AS s",
            key_json = self.key_json(key, &sql!("s")),
            keyed = self.keyed_row(key, rows),
        )
    }

    /// Checks a deferred constraint now, and defers it again.
    pub fn check_now(constraint: &Name) -> [Sql; 2] {
        [Self::check_aside(constraint), sql!("SET CONSTRAINTS {name} DEFERRED", name = constraint.sql())]
    }

    /// Checks it, and leaves it so.
    pub fn check_aside(constraint: &Name) -> Sql {
        sql!("SET CONSTRAINTS {name} IMMEDIATE", name = constraint.sql())
    }
}
