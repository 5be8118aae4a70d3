//! Counting and reporting.

use super::*;

impl Statements<'_> {
    /// How many rows have which status; a row with several problems counts once.
    pub fn count_by_status(&self) -> Sql {
        sql!(
            "SELECT w.status, pg_catalog.count(*) AS n FROM (
               SELECT DISTINCT ON (p.rn) p.rn, p.status FROM {problem} AS p
               ORDER BY p.rn, pg_catalog.array_position('{{invalid,conflict,duplicate,suppressed}}'::pg_catalog.text[], p.status)) AS w
             GROUP BY w.status",
            problem = self.names.problem
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

    /// The report of run $1; `row_id`: the column of the source that it repeats; `all`: the rows that went in, too.
    pub fn report(&self, row_id: Option<&str>, all: Option<&Rows>) -> Sql {
        let Names { raw, row, problem, .. } = self.names;
        let (id, join) = match row_id {
            Some(column) => (
                sql!("raw.{column}::pg_catalog.text", column = ident(column)),
                sql!("LEFT JOIN {raw} AS raw ON raw.{row} OPERATOR(pg_catalog.=) p.rn", raw, row),
            ),
            None => (sql!("NULL::pg_catalog.text"), sql!("")),
        };
        sql!(
            "SELECT $1::pg_catalog.uuid, p.rn, {id}, p.status, p.constraint_name, p.columns, p.key, p.existing, p.winner,
               p.sqlstate, p.message
             FROM (SELECT b.rn, b.ord, b.status, b.constraint_name, b.columns, b.key, b.existing, b.winner, b.sqlstate,
                     b.message FROM {problem} AS b{fine}) AS p {join}
             ORDER BY p.rn, p.ord, p.constraint_name, p.columns",
            id,
            problem,
            fine = all.map(|rows| self.fine_rows(rows)).unwrap_or_default(),
            join,
        )
    }

    /// Rows that went in, or would.
    fn fine_rows(&self, rows: &Rows) -> Sql {
        let Names { row, own_tid, own_key, landed, .. } = self.names;
        let (status, own) = if rows.merged {
            (
                sql!("CASE WHEN s.{own_tid} IS NULL THEN 'inserted' ELSE 'updated' END", own_tid),
                sql!("s.{own_key}", own_key),
            )
        } else {
            (sql!("'inserted'"), sql!("NULL::pg_catalog.jsonb"))
        };
        sql!(
            " UNION ALL SELECT s.{row}, 0, {status}, NULL, NULL, NULL, COALESCE({own}, l.existing), NULL, NULL, NULL
              FROM {relation} AS s LEFT JOIN {landed} AS l ON l.rn OPERATOR(pg_catalog.=) s.{row}
              WHERE identity_internal.import_take(s.{row})",
            row,
            status,
            own,
            relation = rows.relation,
            landed,
        )
    }

    /// A problem that Postgres has told: $1 row, $2 ord, $3 status, $4 constraint, $5 columns, $6 key, $7 SQLSTATE, $8 message.
    pub fn failure() -> Sql {
        let problem = Problem {
            name: sql!("$4"),
            columns: sql!("$5::pg_catalog.text[]"),
            key: sql!("$6::pg_catalog.jsonb"),
            sqlstate: sql!("$7"),
            message: sql!("$8"),
            row: sql!("$1::pg_catalog.int8"),
            ..Problem::new(sql!("$1"), 0, "")
        };
        sql!(
            "SELECT f.rn, $2::pg_catalog.int4 AS ord, $3::pg_catalog.text AS status, f.constraint_name, f.columns, f.key, f.existing, f.winner,
               f.sqlstate, f.message, f.holder_oid, f.holder_tid FROM (SELECT {problem}) AS f",
            problem = problem.select()
        )
    }

    /// The rows ($1) that a BEFORE trigger dropped.
    pub fn suppressed() -> Sql {
        let problem = Problem {
            message: text("a BEFORE trigger dropped the row"),
            ..Problem::new(sql!("u.rn"), ORD_WRITE, "suppressed")
        };
        sql!("SELECT {problem} FROM pg_catalog.unnest($1::pg_catalog.int8[]) AS u (rn)", problem = problem.select())
    }

    /// Problems just found, in `problem`, of which the holder ($1 table, $2 place) is the row that a row ($3) of this source has become: an earlier
    /// one has taken the key; a later one cannot be why a row was refused.
    pub fn name_winners(&self) -> Sql {
        sql!(
            "SELECT p.rn, p.ord, CASE WHEN w.rn IS NULL THEN p.status ELSE 'duplicate' END AS status, p.constraint_name, p.columns, p.key,
               CASE WHEN w.rn IS NULL THEN p.existing END AS existing, COALESCE(w.rn, p.winner) AS winner, p.sqlstate,
               CASE WHEN w.rn IS NULL THEN p.message ELSE pg_catalog.concat('the key was taken by row ', w.rn, ' of the source') END AS message,
               p.holder_oid, p.holder_tid
             FROM {problem} AS p LEFT JOIN ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.tid[]),
               pg_catalog.unnest($3::pg_catalog.int8[])) AS w (oid, tid, rn)
               ON w.oid OPERATOR(pg_catalog.=) p.holder_oid AND w.tid OPERATOR(pg_catalog.=) p.holder_tid
             WHERE (w.rn OPERATOR(pg_catalog.>) p.rn) IS NOT TRUE",
            problem = self.names.problem,
        )
    }
}
