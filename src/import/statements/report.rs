//! Counting and reporting.

use super::*;

impl Statements<'_> {
    /// How many rows have which status; a row with several problems counts once.
    pub fn count_by_status(&self) -> String {
        format!(
            "SELECT COALESCE(pg_catalog.jsonb_object_agg(c.status, c.n), '{{}}') FROM (
               SELECT w.status, pg_catalog.count(*) AS n FROM (
                 SELECT DISTINCT ON (p.rn) p.rn, p.status FROM {} AS p
                 ORDER BY p.rn, pg_catalog.array_position('{{invalid,conflict,duplicate,suppressed}}'::pg_catalog.text[], p.status)) AS w
               GROUP BY w.status) AS c",
            self.names.problem
        )
    }

    /// Rows of the source that update a row of the target.
    pub fn count_updates(&self, rows: &Rows) -> String {
        let Names { row, own_tid, problem, .. } = self.names;
        format!(
            "SELECT pg_catalog.count(*) FROM {} AS s WHERE s.{own_tid} IS NOT NULL
             AND NOT EXISTS (SELECT FROM {problem} AS p WHERE p.rn OPERATOR(pg_catalog.=) s.{row})",
            rows.relation
        )
    }

    /// The first problems, a line each.
    pub fn first_problems(&self, most: i64) -> String {
        format!(
            "SELECT pg_catalog.concat('row ', p.rn, ': ', p.status, ' ', p.constraint_name, ' ', p.key, ': ', p.message)
             FROM {} AS p ORDER BY p.rn, p.ord LIMIT {most}",
            self.names.problem
        )
    }

    pub fn count_problem_rows(&self) -> String {
        format!("SELECT pg_catalog.count(DISTINCT p.rn) FROM {} AS p", self.names.problem)
    }

    pub fn report(&self, run: &str, row_id: Option<&str>, all: Option<&Rows>) -> String {
        let Names { raw, row, problem, .. } = self.names;
        let (id, join) = match row_id {
            Some(column) => (
                format!("raw.{column}::pg_catalog.text"),
                format!("LEFT JOIN {raw} AS raw ON raw.{row} OPERATOR(pg_catalog.=) p.rn"),
            ),
            None => ("NULL::pg_catalog.text".to_string(), String::new()),
        };
        let fine = all.map(|rows| self.fine_rows(rows)).unwrap_or_default();
        format!(
            "SELECT {run}::pg_catalog.uuid, p.rn, {id}, p.status, p.constraint_name, p.columns, p.key, p.existing, p.winner,
               p.sqlstate, p.message
             FROM (SELECT b.rn, b.ord, b.status, b.constraint_name, b.columns, b.key, b.existing, b.winner, b.sqlstate,
                     b.message FROM {problem} AS b{fine}) AS p {join}
             ORDER BY p.rn, p.ord, p.constraint_name, p.columns",
            run = literal(run),
        )
    }

    /// Rows that went in, or would.
    fn fine_rows(&self, rows: &Rows) -> String {
        let Names { row, own_tid, own_key, problem, landed, .. } = self.names;
        let (status, own) = if rows.merged {
            (format!("CASE WHEN s.{own_tid} IS NULL THEN 'inserted' ELSE 'updated' END"), format!("s.{own_key}"))
        } else {
            ("'inserted'".to_string(), "NULL::pg_catalog.jsonb".to_string())
        };
        let (placed, existing) = if self.table.readable {
            (
                format!(
                    "LEFT JOIN {landed} AS l ON l.rn OPERATOR(pg_catalog.=) s.{row}
                     LEFT JOIN {} AS t ON t.tableoid OPERATOR(pg_catalog.=) l.oid AND t.ctid OPERATOR(pg_catalog.=) l.tid",
                    self.table.in_from()
                ),
                format!("COALESCE({own}, CASE WHEN t.ctid IS NOT NULL THEN {} END)", self.primary_key_json()),
            )
        } else {
            (String::new(), own)
        };
        format!(
            " UNION ALL SELECT s.{row}, 0, {status}, NULL, NULL, NULL, {existing}, NULL, NULL, NULL
              FROM {relation} AS s {placed}
              WHERE NOT EXISTS (SELECT FROM {problem} AS q WHERE q.rn OPERATOR(pg_catalog.=) s.{row})",
            relation = rows.relation,
        )
    }
}
