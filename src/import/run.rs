//! One run of an import: what it knows, what it keeps, and how it runs its statements.

use crate::db::attempt::Failure;
use crate::db::catalog::Table;
use crate::db::progress::{Phase, Progress};
use crate::db::query::{Checks, Lookups, Query};
use crate::db::session;
use crate::db::sql::Sql;
use crate::db::store::Store;
use crate::error::Result;
use crate::import::job;
use crate::import::landed::Landed;
use crate::import::mark::{self, Dead};
use crate::import::numbers::NumberSet;
use crate::import::plan::{Assignment, Request};
use crate::import::release::Losses;
use crate::import::statements::{Names, Rows, Statements, Write, relations};
use crate::import::write::Window;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use std::collections::BTreeSet;
use std::rc::Rc;

pub struct Run<'a> {
    pub request: &'a Request,
    pub table: &'a Table,
    pub names: Names,
    pub assignments: Vec<Assignment>,
    /// What the source's rows have, in the target's types.
    pub rows: Rows,
    pub stores: Stores,
    /// Position of the key by which rows are updated.
    pub match_key: Option<usize>,
    pub total: i64,
    pub progress: Progress,
    /// Keys are sifted by hash before they are compared.
    pub sieved: bool,
    /// The search path of its statements, but for those that run code of the user's as an INSERT would.
    pub search_path: String,
    /// Rows that have a problem.
    pub dead: Dead,
    /// Rows of which a value could not be converted.
    pub unconverted: bool,
    /// Rows over which an expression of the table fails: nothing more is looked up for them.
    pub poisoned: NumberSet,
    /// Rows that update one of the target.
    pub updates: NumberSet,
    /// Inserts and updates must take turns as their rows do.
    pub in_order: bool,
    /// Constraints that would be checked at the end of the transaction, to be checked with each chunk.
    pub deferred: Option<Checks>,
    /// How far the writing is: the kind of the rows in hand, and the last row whose turn is over.
    pub turn: (Write, i64),
    /// Rows whose turn is over, and that may go in after all: the row to which they lost did not.
    pub again: BTreeSet<i64>,
    /// Rows of the source have lost to others of it.
    pub contested: bool,
    /// Who has lost to whom, from the first time that a row did not go in to which others had lost.
    pub losses: Option<Losses>,
    /// Where the rows went, so far as it must be known.
    pub landed: Landed,
    /// The rows of the chunk in hand, where it is not all of them.
    pub window: Option<Window>,
    /// The number up to which all rows have been read.
    pub read_to: i64,
    /// The search path is that of its statements now.
    pub is_catalog_first: bool,
    /// The level of the transaction to which the writing goes back.
    pub level: i32,
    /// Rows have been written.
    pub written: bool,
    /// Rows without a partition have been looked for.
    pub routed: bool,
}

/// The rows that a run keeps. `None`: there is none of it yet.
pub struct Stores {
    pub raw: Store,
    /// `None`: they are those of `raw`.
    pub rows: Option<Store>,
    /// Some of the rows, which stand in for all of them.
    pub part: Option<Store>,
    pub fired: Option<Store>,
    pub problem: Store,
    pub contest: Store,
    pub losers: Option<Store>,
    /// With the report of all rows: what they became.
    pub landed: Store,
    pub hashes: Option<Store>,
    pub near: Option<Store>,
    pub met: Option<Store>,
    pub close: Option<Store>,
}

impl Stores {
    pub fn new() -> Self {
        use pg_sys::{INT4OID, INT8OID, JSONBOID, OIDOID, TEXTARRAYOID, TEXTOID, TIDOID};
        let problem = [
            ("rn", INT8OID),
            ("ord", INT4OID),
            ("status", TEXTOID),
            ("constraint_name", TEXTOID),
            ("columns", TEXTARRAYOID),
            ("key", JSONBOID),
            ("existing", JSONBOID),
            ("winner", INT8OID),
            ("sqlstate", TEXTOID),
            ("message", TEXTOID),
            ("holder_oid", OIDOID),
            ("holder_tid", TIDOID),
        ];
        let contest = [("ord", INT4OID), ("rn", INT8OID), ("kind", INT4OID), ("ref", INT8OID)];
        let landed = [("rn", INT8OID), ("oid", OIDOID), ("tid", TIDOID), ("existing", JSONBOID)];
        Stores {
            raw: Store::new(),
            rows: None,
            part: None,
            fired: None,
            problem: Store::with_columns(&problem),
            contest: Store::with_columns(&contest),
            losers: None,
            landed: Store::with_columns(&landed),
            hashes: None,
            near: None,
            met: None,
            close: None,
        }
    }

    /// All rows of the source, in the target's types.
    pub fn rows(&mut self) -> &mut Store {
        self.rows.as_mut().unwrap_or(&mut self.raw)
    }

    pub fn all(&self) -> Vec<(&'static str, &Store)> {
        let rows = self.part.as_ref().or(self.rows.as_ref()).unwrap_or(&self.raw);
        let some = [
            (relations::FIRED, &self.fired),
            (relations::LOSERS, &self.losers),
            (relations::HASHES, &self.hashes),
            (relations::NEAR, &self.near),
            (relations::MET, &self.met),
            (relations::CLOSE, &self.close),
        ];
        let mut all = vec![
            (relations::RAW, &self.raw),
            (relations::ROWS, rows),
            (relations::PROBLEM, &self.problem),
            (relations::CONTEST, &self.contest),
            (relations::LANDED, &self.landed),
        ];
        all.extend(some.into_iter().filter_map(|(name, store)| Some((name, store.as_ref()?))));
        all
    }
}

/// A statement's error, and the source row that was in hand; 0: none.
pub struct Stumble {
    pub failure: Failure,
    pub row: i64,
}

/// How a statement is run.
#[derive(Clone, Copy, Default)]
pub struct How<'h> {
    pub arguments: &'h [DatumWithOid<'h>],
    pub lookups: Lookups,
    /// What is checked right after it, and stands or falls with it.
    pub then: Option<&'h Checks>,
    /// What it writes stays in a subtransaction of its own that is left open.
    pub open: bool,
    /// Under the search path that the caller has set: for what an INSERT of the caller's would do too. In such a statement every name is qualified.
    pub as_caller: bool,
    /// In the place of the store of this name.
    pub instead: Option<(&'static str, &'h Store)>,
}

impl<'a> Run<'a> {
    pub fn statements(&self) -> Statements<'_> {
        Statements { table: self.table, names: &self.names, assignments: &self.assignments, sieved: self.sieved }
    }

    pub fn enter(&mut self, phase: Phase) {
        self.progress.phase = phase;
        self.progress.publish();
    }

    /// As `catalog_first`, for many statements.
    pub fn all_catalog_first<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let search_path = self.search_path.clone();
        session::with_settings(&[("search_path", &search_path)], || {
            self.is_catalog_first = true;
            let result = work(self);
            self.is_catalog_first = false;
            result
        })
    }

    /// Runs `work` where the names of pg_catalog mean nothing else, and every other name what it means to the caller.
    pub fn catalog_first<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.is_catalog_first {
            return work();
        }
        session::with_settings(&[("search_path", &self.search_path)], work)
    }

    fn with_query<T>(&self, sql: &Sql, how: How, work: impl FnOnce(&Query) -> Result<T>) -> Result<T> {
        let mut stores = self.stores.all();
        if let Some((name, store)) = how.instead {
            stores.retain(|(known, _)| *known != name);
            stores.push((name, store));
        }
        let query = Query {
            sql,
            arguments: how.arguments,
            stores: &stores,
            lookups: how.lookups,
            then: how.then,
            open: how.open,
            size: self.total,
        };
        if how.as_caller { work(&query) } else { self.catalog_first(|| work(&query)) }
    }

    /// What a statement returns, in a store of its own.
    pub fn fetch(&self, sql: &Sql, how: How) -> Result<Store> {
        let mut store = Store::new();
        self.with_query(sql, how, |query| query.fill(&mut store, &mut |_| {}))?;
        Ok(store)
    }

    /// Sends what a statement returns elsewhere.
    pub fn send(&self, sql: &Sql, how: How, receiver: *mut pg_sys::DestReceiver) -> Result<()> {
        let send = || self.with_query(sql, how, |query| query.send(receiver));
        mark::during(0, self.total, &self.dead, send).0
    }

    /// Runs a statement of which a row may be the fault. An error that is no row's fault is raised.
    pub fn attempt(&self, sql: &Sql, how: How) -> Result<std::result::Result<u64, Stumble>> {
        self.attempt_to(|| self.with_query(sql, how, |query| Ok(query.attempt())))
    }

    /// The same of one that returns rows.
    pub fn attempt_fetch(&self, sql: &Sql, how: How) -> Result<std::result::Result<Store, Stumble>> {
        let mut store = Store::new();
        let outcome = self.attempt_to(|| {
            store = Store::new();
            self.with_query(sql, how, |query| Ok(query.attempt_fill(&mut store, &mut |_| {})))
        })?;
        Ok(outcome.map(|_| store))
    }

    /// As `attempt`, for what is more than a statement.
    pub fn attempt_to(
        &self,
        mut work: impl FnMut() -> Result<std::result::Result<u64, Failure>>,
    ) -> Result<std::result::Result<u64, Stumble>> {
        let mut row = 0;
        let outcome = job::attempt_rows(|| {
            let outcome;
            (outcome, row) = mark::during(self.progress.rows_done, self.total, &self.dead, &mut work);
            outcome.unwrap_or_else(|error| Err(error.into()))
        })?;
        Ok(outcome.map_err(|failure| Stumble { failure, row }))
    }

    pub fn is_dead(&self, row: i64) -> bool {
        self.dead.borrow().contains(row)
    }

    /// Adds to the report what a statement has found.
    pub fn add_problems(&mut self, mut found: Store) {
        if found.is_empty() {
            return;
        }
        let dead = Rc::clone(&self.dead);
        let mut dead = dead.borrow_mut();
        found.rewind();
        found.copy_to(i64::MAX, &mut self.stores.problem, |row| {
            dead.insert(row);
            true
        });
        drop(dead);
        self.tell_problems();
    }

    pub fn tell_problems(&mut self) {
        self.progress.problems = self.dead.borrow().len();
        self.progress.publish();
    }

    /// Adds what Postgres said of a row to the report.
    pub fn report_failure(&mut self, row: i64, ord: i32, status: &str, about: &Finding) -> Result<()> {
        let arguments = [
            row.into(),
            ord.into(),
            status.into(),
            about.constraint.clone().into(),
            about.columns.clone().into(),
            about.key.clone().into(),
            about.failure.sqlstate.as_str().into(),
            about.failure.message.as_str().into(),
        ];
        let found = self.fetch(&Statements::failure(), How { arguments: &arguments, ..How::default() })?;
        self.add_problems(found);
        Ok(())
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
