//! One run of an import: what it knows, and how it runs its statements.

use crate::db::attempt::{self, Failure};
use crate::db::catalog::{Name, Table};
use crate::db::progress::{Phase, Progress};
use crate::db::session;
use crate::db::spi;
use crate::db::sql::{Sql, comma, sql};
use crate::error::Result;
use crate::import::job;
use crate::import::mark;
use crate::import::plan::{Assignment, Request};
use crate::import::statements::{Names, Rows, Statements, Write};
use pgrx::datum::DatumWithOid;
use pgrx::{FromDatum, IntoDatum};
use serde::de::DeserializeOwned;
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
    /// The search path of its statements, but for those that run code of the user's as an INSERT would.
    pub search_path: String,
    /// Inserts and updates must take turns as their rows do.
    pub in_order: bool,
    /// Constraints that would be checked at the end of the transaction, to be checked with each chunk.
    pub deferred: Vec<Name>,
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
    /// Relations that have an index by row number.
    pub indexed: BTreeSet<Sql>,
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

    pub fn enter(&mut self, phase: Phase) {
        self.progress.phase = phase;
        self.progress.publish();
    }

    /// Runs `work` where the names of pg_catalog mean nothing else, and every other name what it means to the caller.
    pub fn catalog_first<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        session::with_settings(&[("search_path", &self.search_path)], work)
    }

    pub fn execute(&self, sql: &Sql) -> Result<u64> {
        self.execute_with(sql, &[])
    }

    pub fn execute_with(&self, sql: &Sql, arguments: &[DatumWithOid]) -> Result<u64> {
        self.catalog_first(|| spi::execute_with(sql, arguments))
    }

    pub fn value<T: FromDatum + IntoDatum>(&self, sql: &Sql, arguments: &[DatumWithOid]) -> Result<Option<T>> {
        self.catalog_first(|| spi::value(sql, arguments))
    }

    pub fn number(&self, sql: &Sql) -> Result<i64> {
        self.catalog_first(|| spi::number(sql, &[]))
    }

    pub fn document<T: DeserializeOwned>(&self, sql: &Sql) -> Result<T> {
        self.catalog_first(|| spi::document(sql, &[]))
    }

    pub fn stream(&self, sql: &Sql, each: impl FnMut(&spi::Row) -> Result<()>) -> Result<()> {
        self.catalog_first(|| spi::stream(sql, each))
    }

    /// Runs a statement of which a row may be the fault. An error that is no row's fault is raised.
    pub fn attempt(&self, sql: &Sql) -> Result<std::result::Result<u64, Stumble>> {
        self.attempt_with(&[], sql)
    }

    /// As `attempt`, under further settings.
    pub fn attempt_with(&self, settings: &[(&str, &str)], sql: &Sql) -> Result<std::result::Result<u64, Stumble>> {
        self.catalog_first(|| self.attempt_as_caller(settings, sql))
    }

    /// As `attempt_with`, under the search path that the caller has set: for what an INSERT of the caller's would do too. In such a
    /// statement every name is qualified.
    pub fn attempt_as_caller(&self, settings: &[(&str, &str)], sql: &Sql) -> Result<std::result::Result<u64, Stumble>> {
        session::with_settings(settings, || self.attempt_to(|| attempt::attempt(sql)))
    }

    /// As `attempt_as_caller`, for what is more than a statement.
    pub fn attempt_to(
        &self,
        mut work: impl FnMut() -> std::result::Result<u64, Failure>,
    ) -> Result<std::result::Result<u64, Stumble>> {
        let mut row = 0;
        let outcome = job::attempt_rows(|| {
            let outcome;
            (outcome, row) = mark::during(self.progress.rows_done, self.total, &mut work);
            outcome
        })?;
        Ok(outcome.map_err(|failure| Stumble { failure, row }))
    }

    /// Adds what Postgres said of a row to the report.
    pub fn report_failure(&self, row: i64, ord: i32, status: &str, about: &Finding) -> Result<()> {
        self.execute_with(
            &self.statements().add_failure(),
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

    /// Lets the planner find rows by number.
    pub fn index_by_number(&mut self, relation: &Sql) -> Result<()> {
        if self.indexed.insert(relation.clone()) {
            self.execute(&self.statements().index_by_number(relation))?;
            self.progress.publish();
        }
        Ok(())
    }

    /// A transaction may hold many runs: their tables do not wait for its end.
    pub fn drop_tables(&self) -> Result<()> {
        let Names { raw, problem, contest, landed, .. } = &self.names;
        let mut tables = vec![raw, problem, contest, landed];
        tables.extend(self.converted.then_some(&self.names.staged));
        tables.extend(self.rows.merged.then_some(&self.names.merged));
        tables.extend(self.explains.then_some(&self.names.fired));
        self.execute(&sql!("DROP TABLE {tables}", tables = comma(tables)))?;
        Ok(())
    }

    pub fn count_problem_rows(&mut self) -> Result<i64> {
        self.progress.problems = self.number(&self.statements().count_problem_rows())?;
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
