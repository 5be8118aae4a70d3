//! Writing the clean rows.

use super::*;
use crate::db::catalog::Name;

/// Of so many rows one is marked, where it is for the progress alone.
const MARK_EVERY: i64 = 100;

impl Statements<'_> {
    fn clean_range(&self, rows: &Rows, range: Range, kind: Write) -> Sql {
        let Names { row, own_tid, problem, .. } = self.names;
        let kind = match (rows.merged, kind) {
            (false, _) => sql!(""),
            (true, Write::Insert) => sql!(" AND s.{own_tid} IS NULL", own_tid),
            (true, Write::Update) => sql!(" AND s.{own_tid} IS NOT NULL", own_tid),
        };
        let within = |column: Sql| {
            if range == Range::ALL {
                return sql!("true");
            }
            let Range { first, last } = range;
            sql!(
                "{column} OPERATOR(pg_catalog.>=) {first} AND {column} OPERATOR(pg_catalog.<=) {last}",
                column,
                first,
                last
            )
        };
        sql!(
            "{staged}{kind} AND NOT EXISTS (SELECT FROM {problem} AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s.{row} AND {reported})",
            staged = within(sql!("s.{row}", row)),
            kind,
            problem,
            row,
            reported = within(sql!("p.rn")),
        )
    }

    /// The clean rows of a range, in source order or a key's. OFFSET 0 keeps the mark above the sort: a row is to be marked when the
    /// executor takes it, not when it is read.
    fn feed(&self, rows: &Rows, range: Range, kind: Write, order: Order) -> Sql {
        let Names { row, own_oid, own_tid, .. } = self.names;
        let own = match rows.merged {
            true => sql!(", s.{own_oid}, s.{own_tid}", own_oid, own_tid),
            false => sql!(""),
        };
        sql!(
            "(SELECT s.{row}{own}, {columns} FROM {relation} AS s WHERE {clean} ORDER BY {order} OFFSET 0)",
            row,
            own,
            columns = self.assigned_values(),
            relation = rows.relation,
            clean = self.clean_range(rows, range, kind),
            order = match order {
                Order::Key(position) =>
                    comma(self.table.keys[position].parts.iter().map(|part| self.rough_order(part))),
                Order::Source | Order::IndexesLast => sql!("s.{row}", row),
            },
        )
    }

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

    pub fn write(&self, rows: &Rows, range: Range, kind: Write, how: WriteOptions) -> Sql {
        let write = match kind {
            Write::Insert => self.insert(rows, range, how),
            Write::Update => self.update(rows, range, how),
        };
        if !how.track {
            return write;
        }
        let place = if how.place {
            sql!("t.tableoid AS oid, t.ctid AS tid")
        } else {
            sql!("NULL::pg_catalog.oid AS oid, NULL::pg_catalog.tid AS tid")
        };
        sql!(
            "WITH w AS ({write} RETURNING identity_internal.import_current() AS rn, {place})
             INSERT INTO {landed} (rn, oid, tid) SELECT w.rn, w.oid, w.tid FROM w",
            write,
            place,
            landed = self.names.landed,
        )
    }

    fn insert(&self, rows: &Rows, range: Range, how: WriteOptions) -> Sql {
        let always = self.assignments.iter().any(|a| a.column.identity == "a");
        sql!(
            "INSERT INTO {target} AS t ({columns}){overriding} SELECT {values} FROM {feed} AS s
             WHERE {mark}{on_conflict}{returning}",
            target = self.table.sql(),
            columns = self.assigned_columns(),
            overriding = if always { sql!(" OVERRIDING SYSTEM VALUE") } else { sql!("") },
            values = self.assigned_values(),
            feed = self.feed(rows, range, Write::Insert, how.order),
            mark = self.mark(how),
            on_conflict = if how.do_nothing { sql!(" ON CONFLICT DO NOTHING") } else { sql!("") },
            returning = if how.order == Order::IndexesLast { sql!(" RETURNING t.ctid") } else { sql!("") },
        )
    }

    /// Marks a row as it is handed to the executor. Where a failure is followed by another way to write, a mark blames nobody:
    /// then it is set now and then, for the progress to be seen.
    fn mark(&self, how: WriteOptions) -> Sql {
        let row = &self.names.row;
        if how.order == Order::Source || how.track {
            return sql!("identity_internal.import_mark(s.{row})", row);
        }
        sql!(
            "(s.{row} OPERATOR(pg_catalog.%) {every} OPERATOR(pg_catalog.<>) 0
              OR identity_internal.import_mark(s.{row}, {every}))",
            row,
            every = MARK_EVERY,
        )
    }

    fn update(&self, rows: &Rows, range: Range, how: WriteOptions) -> Sql {
        let Names { row, own_oid, own_tid, .. } = self.names;
        let assigned = |column: &Column| self.assignments.iter().any(|a| a.column.attnum == column.attnum);
        let set = self.columns_to_set(how.match_key).into_iter().map(|c| {
            // Where only the key itself came, there is nothing to change; the row counts as updated.
            let from = if assigned(c) { sql!("s") } else { sql!("t") };
            sql!("{column} = {from}.{column}", column = c.sql(), from)
        });
        sql!(
            "UPDATE {target} AS t SET {set} FROM {feed} AS s
             WHERE t.tableoid OPERATOR(pg_catalog.=) s.{own_oid} AND t.ctid OPERATOR(pg_catalog.=) s.{own_tid}
               AND identity_internal.import_mark(s.{row}, t.ctid)",
            target = self.table.in_from(),
            set = comma(set),
            feed = self.feed(rows, range, Write::Update, Order::Source),
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

    /// Runs of rows of one kind, in source order: whether they are updates, the first and the last of them.
    pub fn turns(&self, rows: &Rows) -> Sql {
        let Names { row, own_tid, .. } = self.names;
        sql!(
            "SELECT g.updates, pg_catalog.min(g.rn), pg_catalog.max(g.rn) FROM (
               SELECT s.{row} AS rn, s.{own_tid} IS NOT NULL AS updates,
                 pg_catalog.row_number() OVER (ORDER BY s.{row}) OPERATOR(pg_catalog.-)
                 pg_catalog.row_number() OVER (PARTITION BY s.{own_tid} IS NOT NULL ORDER BY s.{row}) AS run
               FROM {relation} AS s) AS g
             GROUP BY g.updates, g.run ORDER BY 2",
            row,
            own_tid,
            relation = rows.relation,
        )
    }

    /// Whether a row of the source is an update.
    pub fn is_update(&self, rows: &Rows, number: i64) -> Sql {
        let Names { row, own_tid, .. } = self.names;
        if !rows.merged {
            return sql!("SELECT false");
        }
        sql!(
            "SELECT s.{own_tid} IS NOT NULL FROM {relation} AS s WHERE s.{row} OPERATOR(pg_catalog.=) {number}",
            own_tid,
            relation = rows.relation,
            row,
            number,
        )
    }

    /// The earlier row of the source that has updated what row `number` wants to update.
    pub fn updated_by(&self, rows: &Rows, number: i64) -> Sql {
        let Names { row, own_oid, own_tid, landed, .. } = self.names;
        sql!(
            "SELECT pg_catalog.min(l.rn) FROM {relation} AS s
             JOIN {relation} AS o ON o.{own_tid} OPERATOR(pg_catalog.=) s.{own_tid} AND o.{own_oid} OPERATOR(pg_catalog.=) s.{own_oid}
             JOIN {landed} AS l ON l.rn OPERATOR(pg_catalog.=) o.{row}
             WHERE s.{row} OPERATOR(pg_catalog.=) {number} AND o.{row} OPERATOR(pg_catalog.<) {number}",
            relation = rows.relation,
            own_tid,
            own_oid,
            landed,
            row,
            number,
        )
    }

    /// Takes back that rows lost to row `winner`, which did not go in; returns those that have no other problem.
    pub fn release(&self, winner: i64) -> Sql {
        sql!(
            "WITH gone AS (DELETE FROM {problem} AS p WHERE p.status OPERATOR(pg_catalog.=) 'duplicate'
               AND p.winner OPERATOR(pg_catalog.=) {winner} RETURNING p.rn, p.ord)
             SELECT DISTINCT g.rn FROM gone AS g WHERE NOT EXISTS (
               SELECT FROM {problem} AS p WHERE p.rn OPERATOR(pg_catalog.=) g.rn
               AND NOT EXISTS (SELECT FROM gone AS o WHERE o.rn OPERATOR(pg_catalog.=) p.rn AND o.ord OPERATOR(pg_catalog.=) p.ord))
             ORDER BY 1",
            problem = self.names.problem,
            winner,
        )
    }

    /// The last clean row of a range.
    pub fn last_clean(&self, rows: &Rows, range: Range, kind: Write) -> Sql {
        sql!(
            "SELECT pg_catalog.max(s.{row}) FROM {relation} AS s WHERE {clean}",
            row = self.names.row,
            relation = rows.relation,
            clean = self.clean_range(rows, range, kind),
        )
    }

    /// Clean rows of a range that did not land: a trigger dropped them, or their key was held.
    pub fn losers(&self, rows: &Rows, range: Range, kind: Write) -> Sql {
        let Names { row, landed, .. } = self.names;
        sql!(
            "SELECT s.{row} FROM {relation} AS s WHERE {clean}
             AND NOT EXISTS (SELECT FROM {landed} AS l WHERE l.rn OPERATOR(pg_catalog.=) s.{row})",
            row,
            relation = rows.relation,
            clean = self.clean_range(rows, range, kind),
            landed,
        )
    }

    /// The losers of a range, each with the row of the target's type that its BEFORE triggers are shown.
    pub fn losers_to_fire(&self, rows: &Rows, range: Range) -> Sql {
        let assigned: BTreeSet<i16> = self.assignments.iter().map(|a| a.column.attnum).collect();
        let values = self.table.columns.iter().map(|c| match &c.default {
            _ if assigned.contains(&c.attnum) => sql!("s.{column}", column = c.sql()),
            // A sequence's value would be used up for nothing: an identity or serial column stays empty here.
            Some(default) if !c.generated && c.identity.is_empty() && !c.default_reads.volatile => default.clone(),
            _ => sql!("NULL"),
        });
        sql!(
            "SELECT s.{row}, CAST(ROW({values}) AS {target})
             FROM {relation} AS s WHERE s.{row} OPERATOR(pg_catalog.=) ANY ({losers}) ORDER BY s.{row}",
            row = self.names.row,
            values = comma(values),
            target = self.table.sql(),
            relation = rows.relation,
            losers = self.losers(rows, range, Write::Insert),
        )
    }

    /// Rows ($1) as texts of the target's type ($2), into `fired`.
    pub fn fill_fired(&self, fired: &Rows) -> Sql {
        let columns = || self.table.columns.iter().filter(|c| fired.present.contains(&c.attnum)).map(Column::sql);
        sql!(
            "INSERT INTO {relation} ({row}, {columns}) SELECT x.rn, {values}
             FROM (SELECT u.rn, CAST(u.txt AS {target}) AS r
                   FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int8[]), pg_catalog.unnest($2::pg_catalog.text[])) AS u (rn, txt)
                   WHERE u.txt IS NOT NULL OFFSET 0) AS x",
            relation = fired.relation,
            row = self.names.row,
            columns = comma(columns()),
            values = comma(columns().map(|column| sql!("(x.r).{column}", column))),
            target = self.table.sql(),
        )
    }

    pub fn empty_fired(&self) -> Sql {
        sql!("TRUNCATE {fired}", fired = self.names.fired)
    }

    /// Takes back the late conflicts of a row ($1) under other constraints than one ($2).
    pub fn forget_others(&self) -> Sql {
        sql!(
            "DELETE FROM {problem} AS p WHERE p.rn OPERATOR(pg_catalog.=) $1 AND p.late
               AND p.status OPERATOR(pg_catalog.=) ANY (ARRAY['conflict', 'duplicate'])
               AND (p.constraint_name OPERATOR(pg_catalog.=) $2::pg_catalog.text) IS NOT TRUE",
            problem = self.names.problem
        )
    }

    /// Conflicts found late whose holder is a row that this run has put in: an earlier one has taken the key; a later one
    /// cannot be why a row was refused.
    pub fn name_winners(&self) -> Sql {
        let Names { problem, landed, .. } = self.names;
        sql!(
            "DELETE FROM {problem} AS p USING {landed} AS l
             WHERE p.status OPERATOR(pg_catalog.=) 'conflict' AND p.late AND l.rn OPERATOR(pg_catalog.>) p.rn
               AND l.oid OPERATOR(pg_catalog.=) p.holder_oid AND l.tid OPERATOR(pg_catalog.=) p.holder_tid;
             UPDATE {problem} AS p SET status = 'duplicate', existing = NULL, winner = l.rn,
               message = pg_catalog.concat('the key was taken by row ', l.rn, ' of the source')
             FROM {landed} AS l
             WHERE p.status OPERATOR(pg_catalog.=) 'conflict' AND p.late
               AND l.oid OPERATOR(pg_catalog.=) p.holder_oid AND l.tid OPERATOR(pg_catalog.=) p.holder_tid",
            problem,
            landed,
        )
    }

    /// The values by which row `row` was refused under a key, where they can be told.
    pub fn key_of_row(&self, position: usize, rows: &Rows, row: i64) -> Sql {
        let key = &self.table.keys[position];
        sql!(
            "SELECT {key_json} FROM {keyed} AS s WHERE s.rn OPERATOR(pg_catalog.=) {row}",
            key_json = self.key_json(key, &sql!("s")),
            keyed = self.keyed_row(key, rows),
            row,
        )
    }

    /// Checks deferred constraints now, and defers them again.
    pub fn check_now(constraints: &[Name]) -> Sql {
        let names = comma(constraints.iter().map(Name::sql));
        sql!("SET CONSTRAINTS {names} IMMEDIATE;\nSET CONSTRAINTS {names} DEFERRED", names)
    }
}
