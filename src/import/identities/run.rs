//! One import of identities: how it runs its statements on the store and on its own temporary tables.

use crate::db::attempt::{self, Failure};
use crate::db::progress::{Phase, Progress};
use crate::db::{session, spi};
use crate::error::Result;
use crate::import::identities::statements;
use crate::import::job;
use crate::import::plan::{self, OnConflict, Report};
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
    lookups: &'static [(&'static str, &'static str)],
    indexed: bool,
    /// Sets apart the runs of one session.
    number: u64,
}

/// From this many identities on, statistics of the temporary tables pay for themselves.
const ANALYZE_FROM: i64 = 1000;

/// A store without statistics looks to the planner as if a realm were a two-hundredth of it: it would read the realm whole
/// for each item. This leaves it the one plan that costs no more than the items: by the unique keys.
const BY_INDEX: &[(&str, &str)] = &[
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
];

/// Many items: both sides are read once.
const IN_BULK: &[(&str, &str)] = &[("enable_nestloop", "off")];

impl<'a> Run<'a> {
    pub fn new(request: &'a Request, run_id: Uuid) -> Result<Self> {
        static RUNS: AtomicU64 = AtomicU64::new(1);
        let owner = session::extension_owner()?;
        let target = identities()?;
        let run = Run {
            request,
            total: 0,
            progress: Progress::new(target, run_id),
            owner,
            lookups: BY_INDEX,
            indexed: false,
            number: RUNS.fetch_add(1, Ordering::Relaxed),
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

    /// A statement of `statements`, with the names of this run and of its realm.
    pub fn sql(&self, template: &str) -> String {
        statements::fill(template, self.number, &self.request.realm)
    }

    /// Runs `work` with the rights of the store's owner, where no name can mean anything but the system's.
    pub fn store<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        session::as_owner(self.owner, work)
    }

    pub fn execute(&self, template: &str) -> Result<u64> {
        self.store(|| spi::execute(&self.sql(template)))
    }

    /// Chooses how the items are looked up, once they are there.
    pub fn prepare_lookups(&mut self) -> Result<()> {
        if self.is_large() {
            self.execute(statements::ANALYZE)?;
        }
        let stored = self.store(|| spi::number(statements::STORED, &[]))?;
        if plan::look_up_by_index(self.total, stored) {
            self.index_rows()?;
        } else {
            self.lookups = IN_BULK;
        }
        Ok(())
    }

    /// Gives the temporary tables an index by row: for few items, or where single rows are looked for.
    pub fn index_rows(&mut self) -> Result<()> {
        if !self.indexed {
            self.execute(statements::INDEX_ROWS)?;
            self.indexed = true;
        }
        Ok(())
    }

    /// The answer of a statement that asks whether there is any.
    pub fn any(&self, template: &str) -> Result<bool> {
        Ok(self.store(|| spi::value::<bool>(&self.sql(template), &[]))? == Some(true))
    }

    /// Runs a statement that joins the items with the store.
    pub fn look_up(&self, template: &str) -> Result<u64> {
        session::with_settings(self.lookups, || self.execute(template))
    }

    /// As `attempt`, for statements that join the items with the store.
    pub fn attempt_lookup(&self, sql: &str) -> Result<std::result::Result<u64, Failure>> {
        session::with_settings(self.lookups, || self.attempt(sql))
    }

    /// Runs statements in a subtransaction. An error that is no row's fault is raised.
    pub fn attempt(&self, sql: &str) -> Result<std::result::Result<u64, Failure>> {
        self.store(|| job::attempt_rows(|| attempt::attempt(sql)))
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
