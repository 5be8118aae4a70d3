//! The SQL of a consolidation. What reads or writes the user's table runs under his search path, with every name qualified;
//! the rest runs with `search_path = pg_catalog, pg_temp`.

use crate::consolidation::plan::{Columns, Normalize};
use crate::db::catalog::{Column, Table};
use crate::db::sql::{Sql, comma, literal, relation, sql};

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

    /// Which of some keys, `$1`, the table has.
    pub fn find_keys(&self) -> Sql {
        sql!(
            "SELECT COALESCE(pg_catalog.jsonb_agg(k.key), '[]') FROM (SELECT {key} AS key FROM {from} AS t OFFSET 0) AS k
             WHERE k.key OPERATOR(pg_catalog.=) ANY ($1)",
            key = self.key(),
            from = self.table.in_from(),
        )
    }

    /// One of some keys, `$1`, that several rows have.
    pub fn find_shared_key(&self) -> Sql {
        sql!(
            "SELECT k.key FROM (SELECT {key} AS key FROM {from} AS t OFFSET 0) AS k WHERE k.key OPERATOR(pg_catalog.=) ANY ($1)
             GROUP BY k.key HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 LIMIT 1",
            key = self.key(),
            from = self.table.in_from(),
        )
    }

    /// Gives the rows at `$1` and `$2` the names `$3`. It says how many rows there were, and of which the table made something else.
    pub fn rename(&self) -> Sql {
        let flag = match self.flag {
            Some(flag) if is_boolean(flag) => sql!(", {flag} = true", flag = flag.sql()),
            Some(flag) => sql!(", {flag} = 1", flag = flag.sql()),
            None => sql!(""),
        };
        sql!(
            "WITH given AS (
               UPDATE {from} AS t SET {column} = CAST(p.login AS {kind}){flag}
               FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) WITH ORDINALITY AS p (oid, tid, login, n)
               WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid::pg_catalog.tid
               RETURNING p.n, {login} AS login, p.login AS wanted)
             SELECT pg_catalog.array_agg(g.n), pg_catalog.array_agg(g.n) FILTER (WHERE (g.login OPERATOR(pg_catalog.=) g.wanted) IS NOT TRUE),
               pg_catalog.array_agg(g.login) FILTER (WHERE (g.login OPERATOR(pg_catalog.=) g.wanted) IS NOT TRUE)
             FROM given AS g",
            from = self.table.in_from(),
            column = self.columns.login.sql(),
            kind = self.columns.login.base_sql,
            flag,
            login = self.login(),
        )
    }

    /// Gives old names back to the rows from `first` to `last`, and their flags. done: those that were given, as the table has them.
    pub fn restore(&self, first: i64, last: i64) -> Sql {
        let flag = match self.flag {
            Some(flag) => sql!(", {flag} = CAST(p.old_flag AS {kind})", flag = flag.sql(), kind = flag.base_sql),
            None => sql!(""),
        };
        sql!(
            "WITH given AS (
               UPDATE {from} AS t SET {column} = CAST(p.old_login AS {kind}){flag} FROM pg_temp.pg_identity_pending AS p
               WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
                 AND p.status OPERATOR(pg_catalog.=) 'restored'
                 AND p.n OPERATOR(pg_catalog.>=) {first} AND p.n OPERATOR(pg_catalog.<=) {last}
               RETURNING p.n, {login} AS login)
             INSERT INTO pg_temp.pg_identity_done (n, login) SELECT g.n, g.login FROM given AS g",
            from = self.table.in_from(),
            column = self.columns.login.sql(),
            kind = self.columns.login.base_sql,
            flag,
            first,
            last,
            login = self.login(),
        )
    }

    /// member, for an undo: the rows of the run as they are now, and all others with a name that is to be given back.
    pub fn find_present(&self) -> Sql {
        sql!(
            "CREATE TEMPORARY TABLE pg_temp.pg_identity_member ON COMMIT DROP AS
             SELECT m.* FROM (SELECT t.tableoid AS oid, t.ctid AS tid, t.{row_id}::pg_catalog.text AS row_id, {login} AS login, {key} AS key
                   FROM {from} AS t OFFSET 0) AS m
             WHERE m.row_id OPERATOR(pg_catalog.=) ANY (SELECT u.row_id FROM pg_temp.pg_identity_undo AS u)
               OR m.key OPERATOR(pg_catalog.=) ANY (SELECT u.login_key FROM pg_temp.pg_identity_undo AS u WHERE u.todo)",
            row_id = self.columns.row_id.sql(),
            login = self.login(),
            key = self.key(),
            from = self.table.in_from(),
        )
    }
}

pub fn is_boolean(column: &Column) -> bool {
    pgrx::pg_sys::Oid::from(column.base_oid) == pgrx::pg_sys::BOOLOID
}

/// Former names of rows of this table stay theirs.
pub fn former(target: &str) -> Sql {
    sql!(
        "SELECT r.old_login FROM identity.dedup_rows AS r JOIN identity.dedup_runs AS u ON u.run_id = r.run_id
         WHERE u.target = {target} AND r.new_login IS NOT NULL AND NOT r.restored",
        target = literal(target),
    )
}

pub const RECORD_RUN: &str = "
INSERT INTO identity.dedup_runs (run_id, target, login, site, row_id, flag, normalize, prefixes, keep, run_by, renamed)
VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $11)";

pub const RECORD_ROWS: &str = "
INSERT INTO identity.dedup_rows (run_id, row_id, site, login_key, keeper, old_login, new_login, old_flag)
SELECT $1::uuid, r.* FROM ROWS FROM (unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8)) AS r";

/// The rows of a run as its record has them: of each a JSON array, as text.
pub const READ_UNDO: &str = "
SELECT jsonb_build_array(r.row_id, r.site, r.login_key, r.keeper, r.old_login, r.new_login, r.old_flag, r.new_login IS NOT NULL AND NOT r.restored)::text
FROM identity.dedup_rows AS r WHERE r.run_id = $1::uuid";

/// undo: these rows, in a table of the caller's own; todo: those that have their new name from the run.
pub const CREATE_UNDO: &str = r#"
CREATE TEMPORARY TABLE pg_temp.pg_identity_undo (
  row_id text COLLATE "C", site text, login_key text COLLATE "C", keeper text COLLATE "C", old_login text, new_login text,
  old_flag text, todo bool) ON COMMIT DROP"#;

pub const ADD_UNDO: &str = "
INSERT INTO pg_temp.pg_identity_undo (row_id, site, login_key, keeper, old_login, new_login, old_flag, todo)
SELECT r.v ->> 0, r.v ->> 1, r.v ->> 2, r.v ->> 3, r.v ->> 4, r.v ->> 5, r.v ->> 6, (r.v ->> 7)::bool
FROM unnest($1) AS t (text) CROSS JOIN LATERAL CAST(t.text AS jsonb) AS r (v)";

pub const DECIDE_UNDO: &str = "
CREATE TEMPORARY TABLE pg_temp.pg_identity_done (n int8, login text) ON COMMIT DROP;
CREATE TEMPORARY TABLE pg_temp.pg_identity_pending ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY u.site COLLATE \"C\", length(u.row_id), u.row_id COLLATE \"C\") AS n, m.oid, m.tid, u.row_id, u.site, u.old_login, u.new_login, u.old_flag,
  m.login AS login, o.row_id AS other,
  CASE WHEN m.row_id IS NULL THEN 'missing' WHEN m.login IS DISTINCT FROM u.new_login THEN 'changed'
       WHEN o.row_id IS NOT NULL THEN 'taken' ELSE 'restored' END AS status,
  NULL::text AS reason
FROM pg_temp.pg_identity_undo AS u
LEFT JOIN pg_temp.pg_identity_member AS m ON m.row_id = u.row_id
LEFT JOIN (
  SELECT x.key, min(x.row_id) AS row_id FROM pg_temp.pg_identity_member AS x
  WHERE NOT EXISTS (SELECT FROM pg_temp.pg_identity_undo AS k WHERE k.login_key = x.key AND (k.row_id = x.row_id OR k.keeper = x.row_id)) GROUP BY x.key) AS o
  ON o.key = u.login_key
WHERE u.todo";

pub const REFUSE_UNDO: &str =
    "UPDATE pg_temp.pg_identity_pending AS p SET status = 'refused', reason = $2 WHERE p.n = $1";

pub const REPORT_UNDO: &str = "
SELECT p.site, p.row_id, CASE p.status WHEN 'restored' THEN p.new_login ELSE p.login END,
  CASE p.status WHEN 'restored' THEN p.old_login END, p.status,
  CASE p.status WHEN 'missing' THEN 'there is no such row'
                WHEN 'changed' THEN 'the row has another name by now'
                WHEN 'taken' THEN concat('row ', p.other, ' has the name now') ELSE p.reason END
FROM pg_temp.pg_identity_pending AS p ORDER BY p.n";

pub const RESTORED: &str = "SELECT p.row_id FROM pg_temp.pg_identity_pending AS p WHERE p.status = 'restored'";

pub const RECORD_UNDO: &str = "
UPDATE identity.dedup_rows AS r SET restored = true WHERE r.run_id = $1::uuid AND r.row_id = ANY ($2)";

pub const COUNT_PENDING: &str = "SELECT count(*) FROM pg_temp.pg_identity_pending";

pub fn drop(tables: &[&str]) -> Sql {
    let tables = tables.iter().map(|name| relation("pg_temp", &format!("pg_identity_{name}")));
    sql!("DROP TABLE {tables}", tables = comma(tables))
}

/// Rows that a trigger or a policy kept as they were.
pub const REFUSE_KEPT: &str = "
UPDATE pg_temp.pg_identity_pending AS p SET status = 'refused', reason = 'a trigger or a policy left the row as it was'
WHERE p.status = 'restored' AND NOT EXISTS (SELECT FROM pg_temp.pg_identity_done AS d WHERE d.n = p.n);
UPDATE pg_temp.pg_identity_pending AS p SET status = 'refused', reason = concat('the table made \"', d.login, '\" of it'), login = d.login
FROM pg_temp.pg_identity_done AS d WHERE p.status = 'restored' AND d.n = p.n AND d.login IS DISTINCT FROM p.old_login";
