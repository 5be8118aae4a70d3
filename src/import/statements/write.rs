//! Writing the clean rows.

use super::*;

/// Of so many rows one is marked, where it is for the progress alone.
const MARK_EVERY: i64 = 100;

impl Statements<'_> {
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
    fn feed(&self, rows: &Rows, range: Range, kind: Write, order: Order) -> String {
        let Names { row, own_oid, own_tid, .. } = self.names;
        let own = if rows.merged { format!(", s.{own_oid}, s.{own_tid}") } else { String::new() };
        format!(
            "(SELECT s.{row}{own}, {columns} FROM {relation} AS s WHERE {clean} ORDER BY {order} OFFSET 0)",
            columns = comma(self.assignments.iter().map(|a| format!("s.{}", a.column.quoted))),
            relation = rows.relation,
            clean = self.clean_range(rows, range, kind),
            order = match order {
                Order::Key(position) =>
                    comma(self.table.keys[position].parts.iter().map(|part| self.rough_order(part))),
                Order::Source | Order::IndexesLast => format!("s.{row}"),
            },
        )
    }

    /// The key in whose order many rows are written: neighbours in an index are then inserted one after the other, which
    /// spares most of the way down to its leaves. The largest index gains most. Only where every column of the key is staged.
    pub fn sort_key(&self, rows: &Rows) -> Option<usize> {
        let sortable = |key: &Key| {
            let staged = key.reads.columns.iter().all(|c| rows.present.contains(c));
            !key.exclusion && !key.reads.whole_row && staged
        };
        let keys = self.table.keys.iter().enumerate().filter(|(_, key)| sortable(key));
        keys.max_by_key(|(_, key)| key.size).map(|(position, _)| position)
    }

    /// A text is sorted by its bytes: that is many times faster than by a language's rules, and near enough.
    fn rough_order(&self, part: &KeyPart) -> String {
        let bytes = if part.collatable { " COLLATE pg_catalog.\"C\"" } else { "" };
        format!("({}){bytes}", part.sql)
    }

    pub fn write(&self, rows: &Rows, range: Range, kind: Write, how: WriteOptions) -> String {
        let write = match kind {
            Write::Insert => self.insert(rows, range, how),
            Write::Update => self.update(rows, range, how),
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
            "WITH w AS ({write} RETURNING identity_internal.import_current() AS rn, {place})
             INSERT INTO {} (rn, oid, tid) SELECT w.rn, w.oid, w.tid FROM w",
            self.names.landed
        )
    }

    pub(super) fn insert(&self, rows: &Rows, range: Range, how: WriteOptions) -> String {
        let always = self.assignments.iter().any(|a| a.column.identity == "a");
        format!(
            "INSERT INTO {target} AS t ({columns}){overriding} SELECT {values} FROM {feed} AS s
             WHERE {mark}{on_conflict}{returning}",
            target = self.table.name,
            columns = comma(self.assignments.iter().map(|a| a.column.quoted.clone())),
            overriding = if always { " OVERRIDING SYSTEM VALUE" } else { "" },
            values = comma(self.assignments.iter().map(|a| format!("s.{}", a.column.quoted))),
            feed = self.feed(rows, range, Write::Insert, how.order),
            mark = self.mark(how),
            on_conflict = if how.do_nothing { " ON CONFLICT DO NOTHING" } else { "" },
            returning = if how.order == Order::IndexesLast { " RETURNING t.ctid" } else { "" },
        )
    }

    /// Marks a row as it is handed to the executor. Where a failure is followed by another way to write, a mark blames nobody:
    /// then it is set now and then, for the progress to be seen.
    fn mark(&self, how: WriteOptions) -> String {
        let row = &self.names.row;
        if how.order == Order::Source || how.track {
            return format!("identity_internal.import_mark(s.{row})");
        }
        format!(
            "(s.{row} OPERATOR(pg_catalog.%) {MARK_EVERY} OPERATOR(pg_catalog.<>) 0
              OR identity_internal.import_mark(s.{row}, {MARK_EVERY}))"
        )
    }

    pub(super) fn update(&self, rows: &Rows, range: Range, how: WriteOptions) -> String {
        let Names { row, own_oid, own_tid, .. } = self.names;
        let assigned = |q: &str| self.assignments.iter().any(|a| a.column.quoted == q);
        let settable = comma(self.columns_to_set(how.match_key).into_iter().map(|q| {
            // Where only the key itself came, there is nothing to change; the row counts as updated.
            format!("{q} = {}.{q}", if assigned(q) { "s" } else { "t" })
        }));
        format!(
            "UPDATE {target} AS t SET {settable} FROM {feed} AS s
             WHERE t.tableoid OPERATOR(pg_catalog.=) s.{own_oid} AND t.ctid OPERATOR(pg_catalog.=) s.{own_tid}
               AND identity_internal.import_mark(s.{row}, t.ctid)",
            target = self.table.in_from(),
            feed = self.feed(rows, range, Write::Update, Order::Source),
        )
    }

    /// The columns that an update changes: those of the source, but not a GENERATED ALWAYS identity, nor columns of the
    /// matching key that the caller may not change; they are equal anyway. Where nothing is left, any column.
    pub fn columns_to_set(&self, match_key: Option<usize>) -> Vec<&str> {
        let matched = |name: &String| match_key.is_some_and(|p| self.table.keys[p].columns.contains(name));
        let columns: Vec<&str> = self
            .assignments
            .iter()
            .map(|a| &a.column)
            .filter(|c| c.identity != "a" && (c.updatable || !matched(&c.name)))
            .map(|c| c.quoted.as_str())
            .collect();
        if !columns.is_empty() {
            return columns;
        }
        let any = self.table.columns.iter().filter(|c| c.identity != "a" && !c.generated);
        any.max_by_key(|c| c.updatable).map(|c| c.quoted.as_str()).into_iter().collect()
    }

    /// Runs of rows of one kind, in source order: whether they are updates, the first and the last of them.
    pub fn turns(&self, rows: &Rows) -> String {
        let Names { row, own_tid, .. } = self.names;
        format!(
            "SELECT g.updates, pg_catalog.min(g.rn), pg_catalog.max(g.rn) FROM (
               SELECT s.{row} AS rn, s.{own_tid} IS NOT NULL AS updates,
                 pg_catalog.row_number() OVER (ORDER BY s.{row}) OPERATOR(pg_catalog.-)
                 pg_catalog.row_number() OVER (PARTITION BY s.{own_tid} IS NOT NULL ORDER BY s.{row}) AS run
               FROM {relation} AS s) AS g
             GROUP BY g.updates, g.run ORDER BY 2",
            relation = rows.relation,
        )
    }

    /// Whether a row of the source is an update.
    pub fn is_update(&self, rows: &Rows, number: i64) -> String {
        let Names { row, own_tid, .. } = self.names;
        if !rows.merged {
            return "SELECT false".to_string();
        }
        format!(
            "SELECT s.{own_tid} IS NOT NULL FROM {} AS s WHERE s.{row} OPERATOR(pg_catalog.=) {number}",
            rows.relation
        )
    }

    /// The earlier row of the source that has updated what row `number` wants to update.
    pub fn updated_by(&self, rows: &Rows, number: i64) -> String {
        let Names { row, own_oid, own_tid, landed, .. } = self.names;
        format!(
            "SELECT pg_catalog.min(l.rn) FROM {relation} AS s
             JOIN {relation} AS o ON o.{own_tid} OPERATOR(pg_catalog.=) s.{own_tid} AND o.{own_oid} OPERATOR(pg_catalog.=) s.{own_oid}
             JOIN {landed} AS l ON l.rn OPERATOR(pg_catalog.=) o.{row}
             WHERE s.{row} OPERATOR(pg_catalog.=) {number} AND o.{row} OPERATOR(pg_catalog.<) {number}",
            relation = rows.relation,
        )
    }

    /// Takes back that rows lost to row `winner`, which did not go in; returns those that have no other problem.
    pub fn release(&self, winner: i64) -> String {
        format!(
            "WITH gone AS (DELETE FROM {problem} AS p WHERE p.status OPERATOR(pg_catalog.=) 'duplicate'
               AND p.winner OPERATOR(pg_catalog.=) {winner} RETURNING p.rn, p.ord)
             SELECT DISTINCT g.rn FROM gone AS g WHERE NOT EXISTS (
               SELECT FROM {problem} AS p WHERE p.rn OPERATOR(pg_catalog.=) g.rn
               AND NOT EXISTS (SELECT FROM gone AS o WHERE o.rn OPERATOR(pg_catalog.=) p.rn AND o.ord OPERATOR(pg_catalog.=) p.ord))
             ORDER BY 1",
            problem = self.names.problem,
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
             SELECT s.{row}, identity_internal.import_before_insert(CAST(ROW({values}) AS {target}))::pg_catalog.text
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

    /// Takes back the late conflicts of a row ($1) under other constraints than one ($2).
    pub fn forget_others(&self) -> String {
        format!(
            "DELETE FROM {} AS p WHERE p.rn OPERATOR(pg_catalog.=) $1 AND p.late
               AND p.status IN ('conflict', 'duplicate') AND p.constraint_name IS DISTINCT FROM $2::pg_catalog.text",
            self.names.problem
        )
    }

    /// Conflicts found late whose holder is a row that this run has put in: an earlier one has taken the key; a later one
    /// cannot be why a row was refused.
    pub fn name_winners(&self) -> String {
        let Names { problem, landed, .. } = self.names;
        format!(
            "DELETE FROM {problem} AS p USING {landed} AS l
             WHERE p.status OPERATOR(pg_catalog.=) 'conflict' AND p.late AND l.rn OPERATOR(pg_catalog.>) p.rn
               AND l.oid OPERATOR(pg_catalog.=) p.holder_oid AND l.tid OPERATOR(pg_catalog.=) p.holder_tid;
             UPDATE {problem} AS p SET status = 'duplicate', existing = NULL, winner = l.rn,
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
}
