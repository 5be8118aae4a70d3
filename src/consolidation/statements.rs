//! The SQL of a consolidation. What reads or writes the user's table runs as the caller, under the caller's search path, with every name
//! qualified; the rest runs with `search_path = pg_catalog, pg_temp`. Rows that the run keeps are seen under the names of their stores, which
//! nothing else has; all of it is in types of the server's own.

use crate::consolidation::plan::{Columns, Normalize};
use crate::db::catalog::{Column, Table};
use crate::db::sql::{Sql, comma, sql};
use pgrx::pg_sys::{BOOLOID, INT8OID, Oid, TEXTOID};

/// The statements on the user's own table.
pub struct Target<'a> {
    pub table: &'a Table,
    pub columns: &'a Columns,
    pub flag: Option<&'a Column>,
    pub normalize: Normalize,
}

impl Target<'_> {
    pub fn lock(&self) -> Sql {
        sql!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE", table = self.table.sql())
    }

    /// Raises what Postgres would raise for the write itself: a missing right, above all.
    pub fn check_rights(&self) -> Sql {
        let set = [Some(&self.columns.login), self.flag].into_iter().flatten();
        sql!(
            "EXPLAIN UPDATE {from} AS t SET {set} WHERE t.{site} IS NOT NULL AND t.{row_id} IS NOT NULL",
            from = self.table.in_from(),
            set = comma(set.map(|c| sql!("{column} = t.{column}", column = c.sql()))),
            site = self.columns.site.sql(),
            row_id = self.columns.row_id.sql(),
        )
    }

    fn login(&self) -> Sql {
        sql!("t.{column}::pg_catalog.text", column = self.columns.login.sql())
    }

    fn key(&self) -> Sql {
        self.normalize.key(&self.login())
    }

    /// About as many rows as the table has, or more.
    pub fn count_roughly(&self) -> Sql {
        // A row takes 28 bytes and its columns'.
        sql!(
            "SELECT (pg_catalog.sum(pg_catalog.pg_relation_size(COALESCE(p.relid, c.oid))) OPERATOR(pg_catalog./) 36)::pg_catalog.int8
             FROM pg_catalog.pg_class AS c LEFT JOIN LATERAL pg_catalog.pg_partition_tree(c.oid) AS p ON true
             WHERE c.oid OPERATOR(pg_catalog.=) {table}",
            table = self.table.oid
        )
    }

    /// Shows every name to the roll.
    pub fn note_names(&self) -> Sql {
        sql!(
            "SELECT FROM {from} AS t WHERE identity_internal.dedup_note({login})",
            from = self.table.in_from(),
            login = self.login()
        )
    }

    /// Keeps the rows whose name may come twice.
    pub fn keep_rows(&self) -> Sql {
        sql!(
            "SELECT FROM {from} AS t WHERE identity_internal.dedup_may_repeat({login})
             AND identity_internal.dedup_keep(t.tableoid, t.ctid, t.{site}::pg_catalog.text, t.{row_id}::pg_catalog.text, {login}, {flag}::pg_catalog.text)",
            from = self.table.in_from(),
            login = self.login(),
            site = self.columns.site.sql(),
            row_id = self.columns.row_id.sql(),
            flag = self.flag.map_or_else(|| sql!("NULL"), |f| sql!("t.{flag}", flag = f.sql())),
        )
    }

    /// One of the keys in `changed` that several rows have.
    pub fn find_shared_key(&self) -> Sql {
        sql!(
            "SELECT k.key FROM (SELECT {key} AS key FROM {from} AS t OFFSET 0) AS k JOIN changed AS c ON c.key OPERATOR(pg_catalog.=) k.key
             GROUP BY k.key HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 LIMIT 1",
            key = self.key(),
            from = self.table.in_from(),
        )
    }

    /// Gives the rows of `given` their new names. Returns the names that they have then; changed: neither the new name nor the old one.
    pub fn rename(&self) -> Sql {
        let flag = match self.flag {
            Some(flag) if is_boolean(flag) => sql!(", {flag} = true", flag = flag.sql()),
            Some(flag) => sql!(", {flag} = 1", flag = flag.sql()),
            None => sql!(""),
        };
        let login = by_byte(&self.login());
        let changed = sql!(
            ", {login} OPERATOR(pg_catalog.<>) p.login AND {login} OPERATOR(pg_catalog.<>) p.old_login AS changed",
            login
        );
        self.write(&sql!("given"), &flag, &changed)
    }

    /// Gives the rows of `chunk` their old names back, and their flags. Returns the names that they have then.
    pub fn restore(&self) -> Sql {
        let flag = match self.flag {
            Some(flag) => sql!(", {flag} = CAST(p.flag AS {kind})", flag = flag.sql(), kind = flag.base_sql),
            None => sql!(""),
        };
        self.write(&sql!("chunk"), &flag, &sql!(""))
    }

    fn write(&self, rows: &Sql, flag: &Sql, returned: &Sql) -> Sql {
        sql!(
            "UPDATE {from} AS t SET {column} = CAST(p.login AS {kind}){flag} FROM {rows} AS p
             WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
             RETURNING p.n, {login} AS login{returned}",
            from = self.table.in_from(),
            column = self.columns.login.sql(),
            kind = self.columns.login.base_sql,
            flag,
            rows,
            login = by_byte(&self.login()),
            returned,
        )
    }

    /// Where the rows of `undo` are now, and what their names are.
    pub fn find_present(&self) -> Sql {
        sql!(
            "SELECT u.n, m.oid, m.tid, m.login FROM (
               SELECT t.tableoid AS oid, t.ctid AS tid, {site} AS site, {row_id} AS row_id, {login} AS login FROM {from} AS t OFFSET 0) AS m
             JOIN undo AS u ON u.site OPERATOR(pg_catalog.=) m.site AND u.row_id OPERATOR(pg_catalog.=) m.row_id
             WHERE u.todo",
            site = text(&self.columns.site),
            row_id = text(&self.columns.row_id),
            login = by_byte(&self.login()),
            from = self.table.in_from(),
        )
    }

    /// Who has the names that `undo` is to give back.
    pub fn find_holders(&self) -> Sql {
        sql!(
            "SELECT m.key, m.site, m.row_id FROM (
               SELECT {key} AS key, {site} AS site, {row_id} AS row_id FROM {from} AS t OFFSET 0) AS m
             JOIN (SELECT DISTINCT u.login_key FROM undo AS u WHERE u.todo) AS u ON u.login_key OPERATOR(pg_catalog.=) m.key",
            key = self.key(),
            site = text(&self.columns.site),
            row_id = text(&self.columns.row_id),
            from = self.table.in_from(),
        )
    }
}

/// A column's value as text.
fn text(column: &Column) -> Sql {
    by_byte(&sql!("t.{column}::pg_catalog.text", column = column.sql()))
}

fn by_byte(text: &Sql) -> Sql {
    sql!("({text} COLLATE pg_catalog.\"C\")", text)
}

pub fn is_boolean(column: &Column) -> bool {
    pgrx::pg_sys::Oid::from(column.base_oid) == pgrx::pg_sys::BOOLOID
}

// The rest sees rows of the run and the records alone, with `search_path = pg_catalog, pg_temp`. What reads one store, and sorts nothing,
// returns its rows in the order in which they lie in it.

/// A row among `kept` whose name another row has, and that nothing tells from another row.
pub const FIND_UNNAMED: &str = "
SELECT count(*), k.site, k.row_id FROM (
  SELECT k.place, k.site, k.row_id, count(*) OVER (PARTITION BY k.hash, COALESCE(k.key, k.login)) AS members FROM kept AS k) AS k
WHERE k.members > 1 GROUP BY k.place, k.site, k.row_id HAVING count(*) > 1 OR k.row_id IS NULL ORDER BY k.place LIMIT 1";

/// The names that several rows have; in each group the rows of the main site come first.
pub const FIND_DUPLICATES: &str = "
SELECT d.key, d.members, d.sites, d.rows, d.rows -> 0 FROM (
  SELECT g.key, count(*)::int AS members, array_agg(g.site) FILTER (WHERE g.of_next_site) AS sites,
    jsonb_agg(jsonb_build_object('site', g.site, 'row_id', g.row_id, 'login', g.login)) AS rows
  FROM (
    SELECT COALESCE(k.key, k.login) AS key, k.site, k.row_id, k.login,
      row_number() OVER w = 1 OR k.site IS DISTINCT FROM lag(k.site) OVER w AS of_next_site
    FROM kept AS k
    WINDOW w AS (PARTITION BY COALESCE(k.key, k.login) ORDER BY NOT k.main, k.place)) AS g
  GROUP BY g.key HAVING count(*) > 1) AS d
ORDER BY d.key";

/// Every row whose name another row has, but those that come first and keep it, in the order of sites and rows; each with the first of its
/// group. main: it stays as it is; `$1`: a row that comes first is renamed like the others, unless it is of the main site.
pub const GROUP: &str = "
SELECT row_number() OVER (ORDER BY g.place) AS n, g.oid, g.tid, g.prefix, g.site, g.row_id, g.key, g.login, g.flag, g.main,
  g.keeper_site, g.keeper, g.keeper_login, g.rank = 1 AS first
FROM (
  SELECT k.oid, k.tid, k.prefix, k.site, k.row_id, k.key, k.login, k.flag, k.main, k.place,
    row_number() OVER w AS rank, count(*) OVER w AS members,
    first_value(k.site) OVER w AS keeper_site, first_value(k.row_id) OVER w AS keeper, first_value(k.login) OVER w AS keeper_login
  FROM kept AS k
  WINDOW w AS (PARTITION BY k.hash, COALESCE(k.key, k.login) ORDER BY NOT k.main, k.place
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS g
WHERE g.members > 1 AND (g.rank > 1 OR $1 AND NOT g.main)
ORDER BY g.place";

pub const WISHES: &str = "SELECT g.n, g.prefix, g.login FROM grouped AS g WHERE NOT g.main";

pub const GIVEN: &str = "
SELECT g.n, g.oid, g.tid, g.login AS old_login, a.login FROM grouped AS g JOIN allotted AS a ON a.n = g.n WHERE NOT g.main ORDER BY g.n";

/// A new name that a row has after it was written.
pub const RENAMED: [(&str, Oid); 3] = [("n", INT8OID), ("login", TEXTOID), ("changed", BOOLOID)];

/// An old name that a row has after it was written.
pub const DONE: [(&str, Oid); 2] = [("n", INT8OID), ("login", TEXTOID)];

/// Rows that were to get another name, and what became of them. now: NULL where the row was left as it was; `$1`: in a dry run every row has
/// the name that was found for it.
pub const TELL: &str = "
SELECT g.n, g.site, g.row_id, g.key, g.login, g.flag, g.keeper_site, g.keeper, g.keeper_login, g.first, a.login AS given, a.counter, a.cut,
  CASE WHEN $1 THEN a.login WHEN d.n IS NOT NULL AND d.login IS DISTINCT FROM g.login THEN COALESCE(d.login, '') END AS now
FROM grouped AS g LEFT JOIN allotted AS a ON a.n = g.n LEFT JOIN done AS d ON d.n = g.n
ORDER BY g.n";

/// The keys of names that the table made of others.
pub fn changed(normalize: Normalize) -> Sql {
    sql!("SELECT DISTINCT {key} AS key FROM done AS d WHERE d.changed", key = normalize.key(&sql!("d.login")))
}

pub const COUNT_RENAMED: &str = "SELECT count(*) FROM told AS t WHERE t.now IS NOT NULL";

pub const REPORT: &str = "
SELECT $1::uuid, t.site, t.row_id, t.login, COALESCE(t.now, t.login),
  CASE WHEN NOT t.first THEN jsonb_build_object('site', t.keeper_site, 'row_id', t.keeper, 'login', t.keeper_login) END,
  CASE WHEN t.given IS NULL THEN 'the main site''s rows are not renamed'
       WHEN t.now IS NULL THEN 'a trigger or a policy left the row as it was'
       WHEN t.now <> t.given THEN 'a trigger changed the new name'
       ELSE concat('the site''s prefix', CASE WHEN t.counter > 1 THEN ', and a counter: the name was taken' END,
         CASE WHEN t.cut THEN '; cut to the limit' END) END
FROM told AS t";

/// Former names of rows of a table stay theirs. The table: where it is (`$1`), its oid there (`$2`), and its name elsewhere (`$3`).
pub const FORMER: &str = "
SELECT r.old_login FROM identity.dedup_rows AS r JOIN identity.dedup_runs AS u ON u.run_id = r.run_id
WHERE CASE WHEN u.origin = $1 THEN u.target_oid = $2 ELSE u.target = $3 END AND r.new_login IS NOT NULL AND NOT r.restored";

pub const RECORD_RUN: &str = "
INSERT INTO identity.dedup_runs (run_id, target, target_oid, origin, login, site, row_id, flag, normalize, prefixes, keep, run_by, renamed)
VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11, $12, $13)";

pub const RECORD_ROWS: &str = "
INSERT INTO identity.dedup_rows (run_id, row_number, site, row_id, login_key, keeper_site, keeper, old_login, new_login, old_flag)
SELECT $1::uuid, t.n, t.site, t.row_id, COALESCE(t.key, t.login), t.keeper_site, t.keeper, t.login, t.now, t.flag FROM told AS t";

/// The rows of a run. todo: those that have their new name from the run.
pub const READ_UNDO: &str = "
SELECT r.row_number AS n, r.site, r.row_id, r.login_key, r.keeper_site, r.keeper, r.old_login, r.new_login, r.old_flag,
  r.new_login IS NOT NULL AND NOT r.restored AS todo
FROM identity.dedup_rows AS r WHERE r.run_id = $1::uuid ORDER BY r.row_number";

/// What is to become of each row of `undo`. other: a row that has the name and was no member of the group.
pub const DECIDE_UNDO: &str = "
SELECT u.n, p.oid, p.tid, u.site, u.row_id, u.old_login, u.new_login, u.old_flag, p.login, o.site AS other_site, o.row_id AS other,
  CASE WHEN p.n IS NULL THEN 'missing' WHEN p.login IS DISTINCT FROM u.new_login THEN 'changed'
       WHEN o.key IS NOT NULL THEN 'taken' ELSE 'restored' END AS status
FROM undo AS u
LEFT JOIN (
  SELECT DISTINCT ON (f.n) f.n, f.oid, f.tid, f.login FROM present AS f JOIN undo AS x ON x.n = f.n
  ORDER BY f.n, (f.login = x.new_login) IS TRUE DESC, f.oid, f.tid) AS p ON p.n = u.n
LEFT JOIN (
  SELECT DISTINCT ON (h.key) h.key, h.site, h.row_id FROM holders AS h
  WHERE NOT EXISTS (SELECT FROM undo AS x
      WHERE x.login_key = h.key AND x.row_id = h.row_id AND COALESCE('=' || x.site, '') = COALESCE('=' || h.site, ''))
    AND NOT EXISTS (SELECT FROM undo AS x
      WHERE x.login_key = h.key AND x.keeper = h.row_id AND COALESCE('=' || x.keeper_site, '') = COALESCE('=' || h.site, ''))
  ORDER BY h.key, h.site, h.row_id) AS o ON o.key = u.login_key
WHERE u.todo ORDER BY u.n";

/// The rows of `pending` that are to be written.
pub const CHUNK: &str = "
SELECT p.n, p.oid, p.tid, p.old_login AS login, p.old_flag AS flag FROM pending AS p WHERE p.status = 'restored'";

/// A row that the table refused, and why.
pub const REFUSED: [(&str, Oid); 2] = [("n", INT8OID), ("reason", TEXTOID)];

/// What became of the rows of `pending`.
pub const TELL_UNDO: &str = "
SELECT f.n, f.site, f.row_id,
  CASE f.fate WHEN 'restored' THEN f.new_login WHEN 'made' THEN f.done ELSE f.login END AS login,
  CASE f.fate WHEN 'restored' THEN f.old_login END AS restored,
  CASE WHEN f.fate IN ('left', 'made') THEN 'refused' ELSE f.fate END AS status,
  CASE f.fate WHEN 'missing' THEN 'there is no such row'
              WHEN 'changed' THEN 'the row has another name by now'
              WHEN 'taken' THEN concat('row ', f.other, ' of site ' || f.other_site, ' has the name now')
              WHEN 'left' THEN 'a trigger or a policy left the row as it was'
              WHEN 'made' THEN concat('the table made \"', f.done, '\" of it') ELSE f.reason END AS reason
FROM (
  SELECT p.*, r.reason, d.login AS done,
    CASE WHEN p.status <> 'restored' THEN p.status WHEN r.n IS NOT NULL THEN 'refused' WHEN d.n IS NULL THEN 'left'
         WHEN d.login IS DISTINCT FROM p.old_login THEN 'made' ELSE 'restored' END AS fate
  FROM pending AS p LEFT JOIN refused AS r ON r.n = p.n LEFT JOIN done AS d ON d.n = p.n) AS f
ORDER BY f.n";

pub const REPORT_UNDO: &str = "SELECT t.site, t.row_id, t.login, t.restored, t.status, t.reason FROM told AS t";

pub const RECORD_UNDO: &str = "
UPDATE identity.dedup_rows AS r SET restored = true FROM told AS t
WHERE r.run_id = $1::uuid AND r.row_number = t.n AND t.status = 'restored'";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::golden::Golden;
    use pgrx::pg_sys::INT4OID;

    fn column(name: &str, base: Oid, base_sql: &str) -> Column {
        Column {
            name: name.to_string(),
            base_oid: base.to_u32(),
            base_sql: Sql::verbatim(base_sql),
            ..Column::default()
        }
    }

    #[test]
    fn golden_names_are_quoted_whatever_they_are() {
        let table = Table {
            schema: "s\"a".to_string(),
            relname: "last, first".to_string(),
            kind: "r".to_string(),
            ..Table::default()
        };
        let columns = Columns {
            login: column("lo'g\"in", TEXTOID, "pg_catalog.text"),
            site: column("{from}", INT8OID, "pg_catalog.int8"),
            row_id: column("$1", INT8OID, "pg_catalog.int8"),
        };
        let mut golden = Golden::default();
        for flag in
            [None, Some(column("fl;ag", BOOLOID, "pg_catalog.bool")), Some(column("n", INT4OID, "pg_catalog.int4"))]
        {
            let flag = flag.as_ref();
            for normalize in [Normalize::Exact, Normalize::Username] {
                let target = Target { table: &table, columns: &columns, flag, normalize };
                golden.add("check_rights", [target.check_rights()]);
                golden.add("readings", [target.note_names(), target.keep_rows()]);
                golden.add("writings", [target.rename(), target.restore()]);
                golden.add("lookups", [target.find_shared_key(), target.find_present(), target.find_holders()]);
            }
        }
        golden.add("changed", [changed(Normalize::Exact), changed(Normalize::Email)]);
        golden.check("src/consolidation/statements.golden.sql");
    }
}
