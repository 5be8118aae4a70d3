//! One run of an import: what it knows, and how it runs its statements.

use crate::db::attempt::{self, Failure};
use crate::db::catalog::Table;
use crate::db::progress::{Phase, Progress};
use crate::db::session;
use crate::db::spi;
use crate::error::Result;
use crate::import::job;
use crate::import::mark;
use crate::import::plan::{Assignment, Request};
use crate::import::statements::{Names, Rows, Statements, Write};
use std::collections::BTreeSet;

pub struct Run<'a> {
    pub request: &'a Request,
    pub table: &'a Table,
    pub names: Names,
    pub assignments: Vec<Assignment>,
    /// The source's rows in the target's types.
    pub rows: Rows,
    /// Position of the key by which rows are updated.
    pub match_key: Option<usize>,
    pub total: i64,
    pub progress: Progress,
    /// Values needed a conversion: `staged` is a table of its own.
    pub converted: bool,
    /// Keys are sifted by hash before they are compared.
    pub sieved: bool,
    /// The caller's search path, where it names pg_catalog itself.
    pub search_path: Option<String>,
    /// Inserts and updates must take turns as their rows do.
    pub in_order: bool,
    /// Constraints that would be checked at the end of the transaction, to be checked with each chunk.
    pub deferred: Vec<String>,
    /// How far the writing is: the kind of the rows in hand, and the last row whose turn is over.
    pub turn: (Write, i64),
    /// Rows whose turn is over, and that may go in after all: the row to which they lost did not.
    pub again: BTreeSet<i64>,
    /// Rows of the source have lost to others of it.
    pub contested: bool,
    /// A row did not go in that others had lost to: from then on it is kept which rows went in.
    pub released: bool,
    /// The tables that explain what triggers make of rows are there.
    pub explains: bool,
    /// `rows` has an index by number.
    pub indexed: bool,
    /// The writing has begun.
    pub late: bool,
}

/// A statement's error, and the source row that was in hand; 0: none.
pub struct Stumble {
    pub failure: Failure,
    pub row: i64,
}

impl Run<'_> {
    pub fn statements(&self) -> Statements<'_> {
        Statements {
            table: self.table,
            names: &self.names,
            assignments: &self.assignments,
            late: self.late,
            sieved: self.sieved,
        }
    }

    /// Runs a statement of expressions that the catalog gave, under settings of its own. In them the names of pg_catalog
    /// stand bare: it must come first, wherever the caller's search path has it.
    pub fn attempt_safely(&self, settings: &[(&str, &str)], sql: &str) -> Result<std::result::Result<u64, Stumble>> {
        let mut settings = settings.to_vec();
        let path = self.search_path.as_deref().map(|path| format!("pg_catalog, {path}"));
        settings.extend(path.as_deref().map(|path| ("search_path", path)));
        session::with_settings(&settings, || self.attempt(sql))
    }

    pub fn enter(&mut self, phase: Phase) {
        self.progress.phase = phase;
        self.progress.publish();
    }

    /// Runs a statement that marks its rows. An error that is no row's fault is raised.
    pub fn attempt(&self, sql: &str) -> Result<std::result::Result<u64, Stumble>> {
        self.attempt_to(|| attempt::attempt(sql))
    }

    /// As `attempt`, for what is more than a statement.
    pub fn attempt_to(
        &self,
        mut work: impl FnMut() -> std::result::Result<u64, Failure>,
    ) -> Result<std::result::Result<u64, Stumble>> {
        let mut row = 0;
        let outcome = job::attempt_rows(|| {
            let before = mark::begin(self.progress.rows_done);
            let outcome = work();
            row = mark::restore(before);
            outcome
        })?;
        Ok(outcome.map_err(|failure| Stumble { failure, row }))
    }

    /// Adds what Postgres said of a row to the report.
    pub fn report_failure(&self, row: i64, ord: i32, status: &str, about: &Finding) -> Result<()> {
        let sql = format!(
            "INSERT INTO {} (rn, ord, status, constraint_name, columns, key, sqlstate, message, late)
             VALUES ($1, $2, $3, $4, $5, $6::pg_catalog.jsonb, $7, $8, {})",
            self.names.problem, self.late
        );
        spi::execute_with(
            &sql,
            &[
                row.into(),
                ord.into(),
                status.into(),
                about.constraint.clone().into(),
                about.columns.clone().into(),
                about.key.clone().into(),
                about.failure.sqlstate.as_str().into(),
                about.failure.message.as_str().into(),
            ],
        )?;
        Ok(())
    }

    /// A transaction may hold many runs: their tables do not wait for its end.
    pub fn drop_tables(&self) -> Result<()> {
        let Names { raw, problem, contest, landed, .. } = &self.names;
        let mut tables = vec![raw, problem, contest, landed];
        tables.extend(self.converted.then_some(&self.names.staged));
        tables.extend(self.rows.merged.then_some(&self.names.merged));
        tables.extend(self.explains.then_some([&self.names.fired, &self.names.probe]).into_iter().flatten());
        let tables: Vec<&str> = tables.into_iter().map(String::as_str).collect();
        spi::execute(&format!("DROP TABLE {}", tables.join(", ")))?;
        Ok(())
    }

    pub fn count_problem_rows(&mut self) -> Result<i64> {
        self.progress.problems = spi::number(&self.statements().count_problem_rows(), &[])?;
        self.progress.publish();
        Ok(self.progress.problems)
    }
}

/// A failure with what it is about.
pub struct Finding<'f> {
    pub failure: &'f Failure,
    pub constraint: Option<String>,
    pub columns: Option<Vec<String>>,
    /// JSON text.
    pub key: Option<String>,
}
