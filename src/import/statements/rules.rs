//! Rows that break a rule of their own.

use super::*;

impl Statements<'_> {
    /// Rows that break NOT NULL or CHECK.
    pub fn find_broken_rules(&self, rows: &Rows) -> Option<String> {
        let rules = self.rules(rows);
        if rules.is_empty() {
            return None;
        }
        let Names { row, .. } = self.names;
        let conditions: Vec<String> = rules.iter().map(|r| r.broken.clone()).collect();
        let about = rules.iter().enumerate().map(|(i, r)| {
            format!(
                "({}, {}, {}, {}, {})",
                i + 1,
                r.name.as_deref().map_or("NULL::pg_catalog.text".to_string(), literal),
                text_array(r.columns.iter().map(String::as_str)),
                literal(r.sqlstate),
                literal(&r.message)
            )
        });
        Some(format!(
            "INSERT INTO {problem} (rn, ord, status, constraint_name, columns, key, sqlstate, message, late)
             SELECT c.rn, {ORD_CHECK}, 'invalid', v.name, v.columns, c.keys[v.n], v.sqlstate, v.message, {late}
             FROM (SELECT {row} AS rn, ARRAY[{flags}]::pg_catalog.bool[] AS broken, ARRAY[{keys}]::pg_catalog.jsonb[] AS keys
                   FROM {rows} AS r WHERE {any} OFFSET 0) AS c
             CROSS JOIN (VALUES {about}) AS v (n, name, columns, sqlstate, message)
             WHERE c.broken[v.n]",
            problem = self.names.problem,
            late = self.late,
            flags = conditions.join(", "),
            keys = comma(rules.iter().map(|r| r.key.clone())),
            rows = self.rows_sql(rows),
            any = conditions.join(" OR "),
            about = comma(about),
        ))
    }

    fn rules(&self, rows: &Rows) -> Vec<RowRule> {
        let required =
            self.table.columns.iter().filter(|c| c.not_null && rows.known.contains(&c.attnum)).map(|c| RowRule {
                broken: format!("({} IS NOT DISTINCT FROM NULL)", c.quoted),
                name: c.not_null_constraint.clone(),
                columns: vec![c.name.clone()],
                key: json_object([(c.name.as_str(), "NULL::pg_catalog.text".to_string())]),
                sqlstate: "23502",
                message: format!(
                    "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                    c.name, self.table.relname
                ),
            });
        let checks = self.table.checks.iter().filter(|c| plan::computable(&c.reads, &rows.known));
        required.chain(checks.map(|c| self.check_rule(c))).collect()
    }

    fn check_rule(&self, check: &Check) -> RowRule {
        let columns: Vec<_> = check.reads.columns.iter().filter_map(|n| self.table.by_number(*n)).collect();
        RowRule {
            broken: format!("(({}) IS FALSE)", check.sql),
            name: Some(check.name.clone()),
            columns: columns.iter().map(|c| c.name.clone()).collect(),
            key: json_object(columns.iter().map(|c| (c.name.as_str(), c.quoted.clone()))),
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

    /// Rows that refer to nothing. A reference to the target itself may also be met by the source: see `find_parents`.
    pub fn find_missing_references(&self, position: usize, rows: &Rows) -> String {
        let fk = &self.table.foreign_keys[position];
        let columns: Vec<_> = fk.columns.iter().filter_map(|n| self.table.by_number(*n)).collect();
        let all_given = and(columns.iter().map(|c| format!("r.{} IS NOT NULL", c.quoted)));
        let some_given = columns.iter().map(|c| format!("r.{} IS NOT NULL", c.quoted)).collect::<Vec<_>>().join(" OR ");
        let half_given = if fk.full { format!("(({some_given}) AND NOT ({all_given}))") } else { "false".into() };
        let provided = match self.providers(fk, rows, "p") {
            Some(joined) => format!("AND NOT EXISTS (SELECT FROM {} AS p WHERE {joined})", self.rows_sql(rows)),
            None => String::new(),
        };
        let from = format!(
            "{rows} AS r WHERE ({half_given} OR ({all_given}
               AND NOT EXISTS (SELECT FROM {references} AS x WHERE {exists}) {provided}))",
            rows = self.rows_sql(rows),
            references = fk.references,
            exists = self.refers_to(fk, "x"),
        );
        self.report_broken_reference(position, &from, &self.foreign_key_message(fk))
    }

    /// Report rows for the rows `r` of `from`, whose reference is not met.
    fn report_broken_reference(&self, position: usize, from: &str, message: &str) -> String {
        let fk = &self.table.foreign_keys[position];
        let columns: Vec<_> = fk.columns.iter().filter_map(|n| self.table.by_number(*n)).collect();
        format!(
            "INSERT INTO {problem} (rn, ord, status, constraint_name, columns, key, sqlstate, message, late)
             SELECT r.{row}, {ord}, 'invalid', {name}, {names}, {key}, '23503', {message}, {late} FROM {from}",
            problem = self.names.problem,
            row = self.names.row,
            ord = foreign_key_ord(position),
            name = literal(&fk.name),
            names = text_array(columns.iter().map(|c| c.name.as_str())),
            key = json_object(columns.iter().map(|c| (c.name.as_str(), format!("r.{}", c.quoted)))),
            message = literal(message),
            late = self.late,
        )
    }

    /// The condition under which row `r` refers to row `referred`.
    fn refers_to(&self, fk: &ForeignKey, referred: &str) -> String {
        let columns = fk.columns.iter().filter_map(|n| self.table.by_number(*n));
        and(columns
            .enumerate()
            .map(|(i, c)| format!("{referred}.{} {} r.{}", fk.referenced[i], fk.operators[i], c.quoted)))
    }

    fn foreign_key_message(&self, fk: &ForeignKey) -> String {
        format!("insert or update on table \"{}\" violates foreign key constraint \"{}\"", self.table.relname, fk.name)
    }

    /// For a foreign key of the target to itself: the condition under which source row `provider` is what `r` refers to.
    fn providers(&self, fk: &ForeignKey, rows: &Rows, provider: &str) -> Option<String> {
        let known =
            |quoted: &str| self.table.columns.iter().any(|c| c.quoted == quoted && rows.known.contains(&c.attnum));
        if !fk.to_itself || !fk.referenced.iter().all(|q| known(q)) {
            return None;
        }
        Some(self.refers_to(fk, provider))
    }

    /// Rows that refer to another row of the source, and to none of the target: their parents must go in before them.
    pub fn find_parents(&self, position: usize, rows: &Rows) -> Option<String> {
        let fk = &self.table.foreign_keys[position];
        let joined = self.providers(fk, rows, "p")?;
        let exists = self.refers_to(fk, "x");
        let own = self.providers(fk, rows, "r")?;
        Some(format!(
            "WITH edge AS (SELECT r.{row} AS child, p.{row} AS parent FROM {rows} AS r JOIN {rows} AS p ON {joined}
               WHERE NOT ({own}) AND NOT EXISTS (SELECT FROM {references} AS x WHERE {exists}))
             INSERT INTO {contest} (ord, rn, kind, ref)
             SELECT {ord}, e.child, {KIND_NEED}, e.parent FROM edge AS e
             UNION ALL SELECT DISTINCT {ord}, e.parent, {KIND_PRESENT}, 0 FROM edge AS e",
            row = self.names.row,
            rows = self.rows_sql(rows),
            references = fk.references,
            contest = self.names.contest,
            ord = foreign_key_ord(position),
        ))
    }

    /// Report rows for the rows ($1) that refer to a row of the source which did not go in before them.
    pub fn report_orphans(&self, position: usize, rows: &Rows) -> String {
        let from = format!(
            "pg_catalog.unnest($1::pg_catalog.int8[]) AS l (rn) JOIN {} AS r ON r.{} OPERATOR(pg_catalog.=) l.rn",
            self.rows_sql(rows),
            self.names.row
        );
        let message = self.foreign_key_message(&self.table.foreign_keys[position])
            + ": no row of the table or earlier in the source is referred to";
        self.report_broken_reference(position, &from, &message)
    }

    /// Evaluates every expression that the checks, keys and generated columns have, so that a row over which one fails
    /// can be named.
    pub fn probe(&self, rows: &Rows, after: i64) -> String {
        let Names { row, .. } = self.names;
        let mut expressions: Vec<String> = Vec::new();
        expressions.extend(
            self.table
                .columns
                .iter()
                .filter(|c| c.generated && rows.known.contains(&c.attnum))
                .map(|c| format!("r.{}", c.quoted)),
        );
        expressions.extend(
            self.table
                .checks
                .iter()
                .filter(|c| plan::computable(&c.reads, &rows.known))
                .map(|c| format!("({})", c.sql)),
        );
        for key in self.table.keys.iter().filter(|k| self.key_is_computable(k, rows)) {
            expressions.extend(key.parts.iter().map(part_sql));
            expressions.push(predicate(key));
        }
        format!(
            "SELECT pg_catalog.count(ROW({})) FROM (SELECT * FROM {} AS s WHERE s.{row} OPERATOR(pg_catalog.>) {after}
               ORDER BY s.{row} OFFSET 0) AS r WHERE identity_internal.import_mark(r.{row})",
            expressions.join(", "),
            self.rows_sql(rows),
        )
    }
}

/// A rule that a row can break by itself.
struct RowRule {
    broken: String,
    name: Option<String>,
    columns: Vec<String>,
    key: String,
    sqlstate: &'static str,
    message: String,
}
