//! One import of identities: how it runs its statements on the store and on its own temporary tables.

use crate::db::attempt::{self, Failure};
use crate::db::progress::{Phase, Progress};
use crate::db::temporary::Held;
use crate::db::{session, spi};
use crate::error::Result;
use crate::import::identities::statements::{self, Statements};
use crate::import::job::{self, Lookups};
use crate::import::plan::{OnConflict, Report};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// The arguments of an import of identities.
pub struct Request {
    pub realm: String,
    pub on_conflict: OnConflict,
    pub dry_run: bool,
    pub report: Report,
}

pub struct Run<'a> {
    pub request: &'a Request,
    pub total: i64,
    pub progress: Progress,
    /// Rows of the store belong to this role; the caller needs no right on them.
    owner: pg_sys::Oid,
    /// How the items are looked up in the store.
    lookups: Lookups,
    indexed: bool,
    pub statements: Statements,
    /// Names of the run's temporary tables, and the hold on them.
    tables: [String; 5],
    held: Option<Held>,
}

/// From this many identities on, statistics of the temporary tables pay for themselves.
const ANALYZE_FROM: i64 = 1000;

impl<'a> Run<'a> {
    pub fn new(request: &'a Request, run_id: Uuid) -> Result<Self> {
        static RUNS: AtomicU64 = AtomicU64::new(1);
        let owner = session::extension_owner()?;
        let target = identities()?;
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let run = Run {
            request,
            total: 0,
            progress: Progress::new(target, run_id),
            owner,
            lookups: job::BY_INDEX,
            indexed: false,
            statements: Statements::new(number, request.on_conflict == OnConflict::Update),
            tables: statements::tables(number),
            held: None,
        };
        run.store(|| spi::execute_with("SELECT identity_internal.check_realm($1)", &[request.realm.as_str().into()]))?;
        lock_realm(&request.realm)?;
        Ok(run)
    }

    pub fn updates(&self) -> bool {
        self.request.on_conflict == OnConflict::Update
    }

    pub fn is_large(&self) -> bool {
        self.total >= ANALYZE_FROM
    }

    /// Runs `work` with the rights of the store's owner, where no name can mean anything but the system's.
    pub fn store<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        session::as_owner(self.owner, work)
    }

    /// The realm, as the first parameter of a statement.
    pub fn realm(&self) -> DatumWithOid<'_> {
        self.request.realm.as_str().into()
    }

    pub fn execute(&self, statement: &str) -> Result<u64> {
        self.store(|| spi::execute_with(statement, &[self.realm()]))
    }

    /// Makes the run's temporary tables. Nothing of the caller's runs from here on.
    pub fn create_tables(&mut self) -> Result<()> {
        self.execute(&self.statements.create())?;
        self.hold_tables()
    }

    fn hold_tables(&mut self) -> Result<()> {
        self.held = Some(self.store(|| Held::new(&self.tables))?);
        Ok(())
    }

    pub fn drop_tables(&mut self) -> Result<()> {
        self.held = None;
        self.execute(&self.statements.drop())?;
        Ok(())
    }

    /// Chooses how the items are looked up, once they are there.
    pub fn prepare_lookups(&mut self) -> Result<()> {
        if self.is_large() {
            self.execute(&self.statements.analyze())?;
        }
        let stored = self.store(|| spi::number(statements::STORED, &[]))?;
        self.lookups = job::lookups(self.total, stored);
        if self.lookups == job::BY_INDEX {
            self.index_rows()?;
        }
        Ok(())
    }

    /// Gives the temporary tables an index by row: for few items, or where single rows are looked for.
    pub fn index_rows(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.indexed, true) {
            self.held = None;
            self.execute(&self.statements.index_rows())?;
            self.hold_tables()?;
        }
        Ok(())
    }

    /// The answer of a statement that asks whether there is any.
    pub fn any(&self, statement: &str) -> Result<bool> {
        Ok(self.store(|| spi::value::<bool>(statement, &[]))? == Some(true))
    }

    /// Runs a statement that joins the items with the store.
    pub fn look_up(&self, statement: &str) -> Result<u64> {
        session::with_settings(self.lookups, || self.execute(statement))
    }

    /// As `attempt`, for statements that join the items with the store.
    pub fn attempt_lookup(&self, sql: &str) -> Result<std::result::Result<u64, Failure>> {
        session::with_settings(self.lookups, || self.attempt(sql))
    }

    /// Runs statements in a subtransaction. An error that is no row's fault is raised.
    pub fn attempt(&self, sql: &str) -> Result<std::result::Result<u64, Failure>> {
        self.store(|| job::attempt_rows(|| attempt::attempt_with(sql, &[self.realm()])))
    }

    pub fn enter(&mut self, phase: Phase) {
        self.progress.phase = phase;
        self.progress.rows_total = self.total;
        self.progress.publish();
    }
}

fn identities() -> Result<pg_sys::Oid> {
    let oid = spi::value::<pg_sys::Oid>("SELECT 'identity.identities'::pg_catalog.regclass::pg_catalog.oid", &[])?;
    Ok(oid.unwrap_or(pg_sys::InvalidOid))
}

/// Keeps every import into a realm, and its consolidation, waiting until the transaction ends.
pub fn lock_realm(realm: &str) -> Result<()> {
    session::lock_for_import(identities()?, part_of(realm));
    Ok(())
}

/// Imports into one realm go one after the other: with several unique keys no order of rows avoids deadlocks.
fn part_of(realm: &str) -> u16 {
    let hash = realm.bytes().fold(0u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    (hash % 65_000) as u16 + 2
}
