//! Rows that break a rule of their own.

use super::*;
use crate::db::catalog::Partitioned;

impl Statements<'_> {
    /// Rows that break NOT NULL or CHECK.
    pub fn find_broken_rules(&self, rows: &Rows) -> Option<Sql> {
        let rules = self.rules(rows);
        if rules.is_empty() {
            return None;
        }
        let about = rules.iter().enumerate().map(|(i, rule)| {
            sql!(
                "({number}, {name}, {columns}, {sqlstate}, {message})",
                number = i + 1,
                name = literal_or_null(rule.name.as_deref()),
                columns = column_names(&rule.columns),
                sqlstate = text(rule.sqlstate),
                message = text(&rule.message),
            )
        });
        Some(sql!(
            "SELECT {problem}
             FROM (SELECT {row} AS rn, ARRAY[{flags}]::pg_catalog.bool[] AS broken, ARRAY[{keys}]::pg_catalog.jsonb[] AS keys
                   FROM {rows} AS r WHERE {any_broken} OFFSET 0) AS c
             CROSS JOIN (VALUES {about}) AS v (n, name, columns, sqlstate, message)
             WHERE c.broken[v.n]",
            problem = Problem {
                name: sql!("v.name"),
                columns: sql!("v.columns"),
                key: sql!("c.keys[v.n]"),
                sqlstate: sql!("v.sqlstate"),
                message: sql!("v.message"),
                ..Problem::new(sql!("c.rn"), ORD_CHECK, "invalid")
            }
            .select(),
            row = self.names.row,
            flags = comma(rules.iter().map(|rule| &rule.broken)),
            keys = comma(rules.iter().map(|rule| &rule.key)),
            rows = self.rows_sql(rows),
            any_broken = any(rules.iter().map(|rule| &rule.broken)),
            about = comma(about),
        ))
    }

    fn rules(&self, rows: &Rows) -> Vec<RowRule> {
        let required = self.table.columns.iter().filter(|c| c.not_null && rows.known.contains(&c.attnum));
        let checks = self.table.checks.iter().filter(|c| plan::computable(&c.reads, &rows.known));
        required.map(|c| self.not_null_rule(c)).chain(checks.map(|c| self.check_rule(c))).collect()
    }

    fn not_null_rule(&self, column: &Column) -> RowRule {
        RowRule {
            broken: sql!("({column} IS NOT DISTINCT FROM NULL)", column = column.sql()),
            name: column.not_null_constraint.clone(),
            columns: vec![column.name.clone()],
            key: json_object([(column.name.as_str(), sql!("NULL::pg_catalog.text"))]),
            sqlstate: "23502",
            message: format!(
                "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                column.name, self.table.relname
            ),
        }
    }

    fn check_rule(&self, check: &Check) -> RowRule {
        let columns: Vec<_> = check.reads.columns.iter().filter_map(|n| self.table.by_number(*n)).collect();
        RowRule {
            broken: sql!("(({check}) IS FALSE)", check = check.sql),
            name: Some(check.name.clone()),
            columns: columns.iter().map(|c| c.name.clone()).collect(),
            key: json_object(columns.iter().map(|c| (c.name.as_str(), c.sql()))),
            sqlstate: "23514",
            message: format!(
                "new row for relation \"{}\" violates check constraint \"{}\"",
                self.table.relname, check.name
            ),
        }
    }

    pub fn foreign_key_is_computable(&self, fk: &ForeignKey, rows: &Rows) -> bool {
        fk.checkable && fk.columns.iter().all(|c| rows.known.contains(c))
    }

    fn referring_columns(&self, fk: &ForeignKey) -> Vec<&Column> {
        fk.columns.iter().filter_map(|n| self.table.by_number(*n)).collect()
    }

    /// Rows that refer to nothing. A reference to the target itself may also be met by the source: see `find_parents`.
    pub fn find_missing_references(&self, position: usize, rows: &Rows) -> Sql {
        let fk = &self.table.foreign_keys[position];
        let given: Vec<Sql> =
            self.referring_columns(fk).iter().map(|c| sql!("r.{column} IS NOT NULL", column = c.sql())).collect();
        let all_given = all(&given);
        let half_given = match fk.full {
            true => sql!("({some_given} AND NOT ({all_given}))", some_given = any(&given), all_given),
            false => sql!("false"),
        };
        let provided = match self.providers(fk, rows, &sql!("p")) {
            Some(joined) => {
                sql!("AND NOT EXISTS (SELECT FROM {rows} AS p WHERE {joined})", rows = self.rows_sql(rows), joined)
            }
            None => sql!(""),
        };
        let from = sql!(
            "{rows} AS r WHERE ({half_given} OR ({all_given}
               AND NOT EXISTS (SELECT FROM {references} AS x WHERE {exists}) {provided}))",
            rows = self.rows_sql(rows),
            half_given,
            all_given,
            references = fk.in_from(),
            exists = self.refers_to(fk, &sql!("x")),
            provided,
        );
        self.report_broken_reference(position, &from, &self.foreign_key_message(fk))
    }

    /// Report rows for the rows `r` of `from`, whose reference is not met.
    fn report_broken_reference(&self, position: usize, from: &Sql, message: &str) -> Sql {
        let fk = &self.table.foreign_keys[position];
        let columns = self.referring_columns(fk);
        let problem = Problem {
            name: text(&fk.name),
            columns: text_array(columns.iter().map(|c| c.name.as_str())),
            key: json_object(columns.iter().map(|c| (c.name.as_str(), sql!("r.{column}", column = c.sql())))),
            sqlstate: text("23503"),
            message: text(message),
            ..Problem::new(sql!("r.{row}", row = self.names.row), foreign_key_ord(position), "invalid")
        };
        sql!("SELECT {problem} FROM {from}", problem = problem.select(), from)
    }

    /// The condition under which row `r` refers to row `referred`.
    fn refers_to(&self, fk: &ForeignKey, referred: &Sql) -> Sql {
        all(self.referring_columns(fk).into_iter().enumerate().map(|(i, c)| {
            sql!(
                "{referred}.{key} {equal} r.{column}",
                referred,
                key = ident(&fk.referenced[i]),
                equal = fk.operators[i].operator(),
                column = c.sql(),
            )
        }))
    }

    fn foreign_key_message(&self, fk: &ForeignKey) -> String {
        format!("insert or update on table \"{}\" violates foreign key constraint \"{}\"", self.table.relname, fk.name)
    }

    /// For a foreign key of the target to itself: the condition under which source row `provider` is what `r` refers to.
    fn providers(&self, fk: &ForeignKey, rows: &Rows, provider: &Sql) -> Option<Sql> {
        let known = |name: &str| self.table.column(name).is_some_and(|c| rows.known.contains(&c.attnum));
        (fk.to_itself && fk.referenced.iter().all(|name| known(name))).then(|| self.refers_to(fk, provider))
    }

    /// Rows that refer to another row of the source, and to none of the target: their parents must go in before them.
    pub fn find_parents(&self, position: usize, rows: &Rows) -> Option<Sql> {
        let fk = &self.table.foreign_keys[position];
        Some(sql!(
            "WITH edge AS (SELECT r.{row} AS child, p.{row} AS parent FROM {rows} AS r JOIN {rows} AS p ON {joined}
               WHERE NOT ({own}) AND NOT EXISTS (SELECT FROM {references} AS x WHERE {exists}))
             SELECT {ord} AS ord, e.child AS rn, {need} AS kind, e.parent AS ref FROM edge AS e
             UNION ALL SELECT DISTINCT {ord}, e.parent, {present}, 0::pg_catalog.int8 FROM edge AS e",
            row = self.names.row,
            rows = self.rows_sql(rows),
            joined = self.providers(fk, rows, &sql!("p"))?,
            own = self.refers_to(fk, &sql!("r")),
            references = fk.in_from(),
            exists = self.refers_to(fk, &sql!("x")),
            ord = foreign_key_ord(position),
            need = KIND_NEED,
            present = KIND_PRESENT,
        ))
    }

    /// Report rows for `losers` that refer to a row of the source which did not go in before them.
    pub fn report_orphans(&self, position: usize, rows: &Rows) -> Sql {
        let from = sql!(
            "{losers} AS l JOIN {rows} AS r ON r.{row} OPERATOR(pg_catalog.=) l.rn",
            losers = self.names.losers,
            rows = self.rows_sql(rows),
            row = self.names.row,
        );
        let message = self.foreign_key_message(&self.table.foreign_keys[position])
            + ": no row of the table or earlier in the source is referred to";
        self.report_broken_reference(position, &from, &message)
    }

    /// Rows for which a partitioned table has no partition.
    pub fn find_unrouted(&self, rows: &Rows, of: &Partitioned) -> Sql {
        let problem = Problem {
            sqlstate: text("23514"),
            message: text(&format!("no partition of relation \"{}\" found for row", of.relname)),
            ..Problem::new(self.names.row.clone(), ORD_WRITE, "invalid")
        };
        sql!(
            "SELECT {problem} FROM {rows} AS r WHERE {unrouted}",
            problem = problem.select(),
            rows = self.rows_sql(rows),
            unrouted = of.has_no_partition(),
        )
    }

    /// Evaluates every expression that the checks, keys and generated columns have, so that a row over which one fails
    /// can be named. A row is marked before anything is evaluated over it.
    pub fn probe(&self, rows: &Rows) -> Sql {
        let Names { row, .. } = self.names;
        let generated = self.table.columns.iter().filter(|c| c.generated && rows.known.contains(&c.attnum));
        let mut expressions: Vec<Sql> = generated.map(|c| sql!("r.{column}", column = c.sql())).collect();
        let checks = self.table.checks.iter().filter(|c| plan::computable(&c.reads, &rows.known));
        expressions.extend(checks.map(|c| sql!("({check})", check = c.sql)));
        for key in self.table.keys.iter().filter(|k| self.key_is_computable(k, rows)) {
            expressions.extend(key.parts.iter().map(part_sql));
            expressions.push(predicate(key));
        }
        sql!(
            "SELECT pg_catalog.count(ROW({expressions})) FROM (
               SELECT r.*{generated} FROM (
                 SELECT s.* FROM ({given}) AS s OFFSET 0) AS r
               WHERE identity_internal.import_mark(r.{row}) OFFSET 0) AS r",
            expressions = comma(expressions),
            generated = self.generated_columns(rows),
            given = self.given_rows(rows),
            row,
        )
    }
}

/// A rule that a row can break by itself.
struct RowRule {
    broken: Sql,
    name: Option<String>,
    columns: Vec<String>,
    key: Sql,
    sqlstate: &'static str,
    message: String,
}
