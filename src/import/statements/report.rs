//! Counting and reporting.

use super::*;

impl Statements<'_> {
    /// How many rows have which status; a row with several problems counts once.
    pub fn count_by_status(&self) -> Sql {
        sql!(
            "SELECT COALESCE(pg_catalog.jsonb_object_agg(c.status, c.n), '{{}}') FROM (
               SELECT w.status, pg_catalog.count(*) AS n FROM (
                 SELECT DISTINCT ON (p.rn) p.rn, p.status FROM {problem} AS p
                 ORDER BY p.rn, pg_catalog.array_position('{{invalid,conflict,duplicate,suppressed}}'::pg_catalog.text[], p.status)) AS w
               GROUP BY w.status) AS c",
            problem = self.names.problem
        )
    }

    /// Rows of the source that update a row of the target.
    pub fn count_updates(&self, rows: &Rows) -> Sql {
        let Names { row, own_tid, problem, .. } = self.names;
        sql!(
            "SELECT pg_catalog.count(*) FROM {relation} AS s WHERE s.{own_tid} IS NOT NULL
             AND NOT EXISTS (SELECT FROM {problem} AS p WHERE p.rn OPERATOR(pg_catalog.=) s.{row})",
            relation = rows.relation,
            own_tid,
            problem,
            row,
        )
    }

    /// The first problems, a line each.
    pub fn first_problems(&self, most: i64) -> Sql {
        sql!(
            "SELECT pg_catalog.concat('row ', p.rn, ': ', p.status, ' ', p.constraint_name, ' ', p.key, ': ', p.message)
             FROM {problem} AS p ORDER BY p.rn, p.ord LIMIT {most}",
            problem = self.names.problem,
            most,
        )
    }

    pub fn count_problem_rows(&self) -> Sql {
        sql!("SELECT pg_catalog.count(DISTINCT p.rn) FROM {problem} AS p", problem = self.names.problem)
    }

    /// The report of run `run`; `row_id`: the column of the source that it repeats; `all`: the rows that went in, too.
    pub fn report(&self, run: &str, row_id: Option<&str>, all: Option<&Rows>) -> Sql {
        let Names { raw, row, problem, .. } = self.names;
        let (id, join) = match row_id {
            Some(column) => (
                sql!("raw.{column}::pg_catalog.text", column = ident(column)),
                sql!("LEFT JOIN {raw} AS raw ON raw.{row} OPERATOR(pg_catalog.=) p.rn", raw, row),
            ),
            None => (sql!("NULL::pg_catalog.text"), sql!("")),
        };
        sql!(
            "SELECT {run}::pg_catalog.uuid, p.rn, {id}, p.status, p.constraint_name, p.columns, p.key, p.existing, p.winner,
               p.sqlstate, p.message
             FROM (SELECT b.rn, b.ord, b.status, b.constraint_name, b.columns, b.key, b.existing, b.winner, b.sqlstate,
                     b.message FROM {problem} AS b{fine}) AS p {join}
             ORDER BY p.rn, p.ord, p.constraint_name, p.columns",
            run = literal(run),
            id,
            problem,
            fine = all.map(|rows| self.fine_rows(rows)).unwrap_or_default(),
            join,
        )
    }

    /// Rows that went in, or would.
    fn fine_rows(&self, rows: &Rows) -> Sql {
        let Names { row, own_tid, own_key, problem, landed, .. } = self.names;
        let (status, own) = if rows.merged {
            (
                sql!("CASE WHEN s.{own_tid} IS NULL THEN 'inserted' ELSE 'updated' END", own_tid),
                sql!("s.{own_key}", own_key),
            )
        } else {
            (sql!("'inserted'"), sql!("NULL::pg_catalog.jsonb"))
        };
        let (placed, existing) = if self.table.readable {
            (
                sql!(
                    "LEFT JOIN {landed} AS l ON l.rn OPERATOR(pg_catalog.=) s.{row}
                     LEFT JOIN {target} AS t ON t.tableoid OPERATOR(pg_catalog.=) l.oid AND t.ctid OPERATOR(pg_catalog.=) l.tid",
                    landed,
                    row,
                    target = self.table.in_from(),
                ),
                sql!(
                    "COALESCE({own}, CASE WHEN t.ctid IS NOT NULL THEN {key} END)",
                    own,
                    key = self.primary_key_json()
                ),
            )
        } else {
            (sql!(""), own)
        };
        sql!(
            " UNION ALL SELECT s.{row}, 0, {status}, NULL, NULL, NULL, {existing}, NULL, NULL, NULL
              FROM {relation} AS s {placed}
              WHERE NOT EXISTS (SELECT FROM {problem} AS q WHERE q.rn OPERATOR(pg_catalog.=) s.{row})",
            row,
            status,
            existing,
            relation = rows.relation,
            placed,
            problem,
        )
    }

    /// Adds a problem that Postgres has told: $1 row, $2 ord, $3 status, $4 constraint, $5 columns, $6 key, $7 SQLSTATE, $8 message.
    pub fn add_failure(&self) -> Sql {
        sql!(
            "INSERT INTO {problem} (rn, ord, status, constraint_name, columns, key, sqlstate, message, late)
             VALUES ($1, $2, $3, $4, $5, $6::pg_catalog.jsonb, $7, $8, {late})",
            problem = self.names.problem,
            late = self.late,
        )
    }

    /// Reports the rows ($1) that a BEFORE trigger dropped.
    pub fn add_suppressed(&self) -> Sql {
        sql!(
            "INSERT INTO {problem} (rn, ord, status, message, late)
             SELECT u.rn, {ord}, 'suppressed', 'a BEFORE trigger dropped the row', {late}
             FROM pg_catalog.unnest($1::pg_catalog.int8[]) AS u (rn)",
            problem = self.names.problem,
            ord = ORD_WRITE,
            late = self.late,
        )
    }

    /// How many problems of a row ($1) are about a constraint ($2), or where there is none about a column ($3).
    pub fn count_reported(&self) -> Sql {
        sql!(
            "SELECT pg_catalog.count(*) FROM {problem} AS p WHERE p.rn OPERATOR(pg_catalog.=) $1
             AND (p.constraint_name OPERATOR(pg_catalog.=) $2
                  OR ($2 IS NULL AND $3 OPERATOR(pg_catalog.=) ANY (p.columns)))",
            problem = self.names.problem
        )
    }
}
