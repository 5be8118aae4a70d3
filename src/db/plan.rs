//! Statements that are prepared once a session, for calls that are made thousands of times a second.
//!
//! The server keeps the plan, and analyses it anew, by its qualified names, when something that it uses has changed. It does not
//! know when a table has grown: these statements look up few rows by a key, and are planned by index whatever the size is. The
//! settings that see to it are changed for the planning alone: what a statement runs, such as a trigger, has the session's own.

use crate::db::session;
use crate::error::{Error, Result};
use pgrx::IntoDatum;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::ffi::CString;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

pub type Argument = Option<pg_sys::Datum>;

/// The SPI's argument for "the snapshot of this command".
const CURRENT: pg_sys::Snapshot = std::ptr::null_mut();

/// What makes the planner take indexes, and look up each row of one table in the next.
const BY_INDEX: [(&str, &str); 4] =
    [("enable_seqscan", "off"), ("enable_bitmapscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")];

/// One statement with the types of its parameters.
pub struct Plan {
    sql: &'static str,
    types: &'static [pg_sys::Oid],
    prepared: AtomicPtr<pg_sys::_SPI_plan>,
    /// Which of the server's plans for it was made under `BY_INDEX`; the server counts from 1.
    by_index: AtomicI32,
}

impl Plan {
    pub const fn new(sql: &'static str, types: &'static [pg_sys::Oid]) -> Self {
        Plan { sql, types, prepared: AtomicPtr::new(std::ptr::null_mut()), by_index: AtomicI32::new(0) }
    }

    /// Runs a query under the caller's own snapshot, for what it raises. It writes nothing, and works on a standby.
    pub fn check(&self, arguments: &[Argument]) -> Result<()> {
        Spi::connect(|_| self.execute(arguments, CURRENT, true))
    }

    /// Runs a statement that writes. It sees what is committed now, also under REPEATABLE READ: for rows whose writers take
    /// turns by a lock.
    pub fn write_latest(&self, arguments: &[Argument]) -> Result<()> {
        Spi::connect_mut(|_| {
            // SAFETY: the command counter moves on so that the snapshot, which the SPI copies at once, has this
            // transaction's own rows too.
            let latest = unsafe {
                pg_sys::CommandCounterIncrement();
                pg_sys::GetLatestSnapshot()
            };
            self.execute(arguments, latest, false)
        })
    }

    /// Runs it within an SPI connection.
    fn execute(&self, arguments: &[Argument], snapshot: pg_sys::Snapshot, read_only: bool) -> Result<()> {
        assert_eq!(arguments.len(), self.types.len(), "a value for each parameter");
        let mut values: Vec<pg_sys::Datum> = arguments.iter().map(|a| a.unwrap_or(pg_sys::Datum::null())).collect();
        let nulls: Vec<std::ffi::c_char> =
            arguments.iter().map(|a| if a.is_some() { b' ' } else { b'n' } as std::ffi::c_char).collect();
        // SAFETY: there is a value and a null flag for each parameter.
        unsafe {
            let status = pg_sys::SPI_execute_snapshot(
                self.planned()?,
                values.as_mut_ptr(),
                nulls.as_ptr(),
                snapshot,
                std::ptr::null_mut(),
                read_only,
                true,
                0,
            );
            if status < 0 {
                return Err(Error::new(
                    "XX000",
                    format!("pg_identity could not run a statement (SPI status {status})"),
                ));
            }
        }
        Ok(())
    }

    /// The statement with a plan that was made under `BY_INDEX`. If the server finds after this that it has to plan anew, this
    /// one time it does so by the session's settings: the next call replaces that plan.
    fn planned(&self) -> Result<pg_sys::SPIPlanPtr> {
        let kept = self.prepared.load(Ordering::Relaxed);
        if !kept.is_null() {
            match valid_plan(kept) {
                Some(number) if number == self.by_index.load(Ordering::Relaxed) => return Ok(kept),
                Some(_) => self.forget(kept),
                None => {}
            }
        }
        let statement = self.prepared()?;
        let number = session::with_settings(&BY_INDEX, || make_plan(statement))?;
        self.by_index.store(number, Ordering::Relaxed);
        Ok(statement)
    }

    fn prepared(&self) -> Result<pg_sys::SPIPlanPtr> {
        let kept = self.prepared.load(Ordering::Relaxed);
        if !kept.is_null() {
            return Ok(kept);
        }
        let sql = CString::new(self.sql).expect("SQL text has no NUL byte");
        // SAFETY: as many types as it says; a kept plan stays for the life of the session, or until `forget` frees it.
        unsafe {
            let plan = pg_sys::SPI_prepare_cursor(
                sql.as_ptr(),
                self.types.len() as i32,
                self.types.as_ptr().cast_mut(),
                pg_sys::CURSOR_OPT_GENERIC_PLAN as i32,
            );
            if plan.is_null() {
                return Err(cannot_prepare());
            }
            pg_sys::SPI_keepplan(plan);
            self.prepared.store(plan, Ordering::Relaxed);
            Ok(plan)
        }
    }

    fn forget(&self, kept: pg_sys::SPIPlanPtr) {
        self.prepared.store(std::ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: it was kept by `prepared`, and nobody has it any more; a statement that is running holds its own plan.
        unsafe { pg_sys::SPI_freeplan(kept) };
    }
}

/// The number of the plan that the server has for a statement; `None` where it has none that holds.
fn valid_plan(statement: pg_sys::SPIPlanPtr) -> Option<i32> {
    // SAFETY: the statement is a kept one; its one source lives as long as itself.
    unsafe {
        let source = source(statement);
        let plan = (*source).gplan;
        ((*source).is_valid && !plan.is_null() && (*plan).is_valid).then_some((*source).generation)
    }
}

/// Has the server plan a statement, and returns the number of the plan.
fn make_plan(statement: pg_sys::SPIPlanPtr) -> Result<i32> {
    // SAFETY: within an SPI connection; the plan is released to whom it was given, and stays the statement's.
    unsafe {
        let plan = pg_sys::SPI_plan_get_cached_plan(statement);
        if plan.is_null() {
            return Err(cannot_prepare());
        }
        pg_sys::ReleaseCachedPlan(plan, pg_sys::CurrentResourceOwner);
        Ok((*source(statement)).generation)
    }
}

/// # Safety
/// The statement is one that `prepared` made: one query.
unsafe fn source(statement: pg_sys::SPIPlanPtr) -> *mut pg_sys::CachedPlanSource {
    // SAFETY: as the caller promises, the list has one element.
    unsafe { (*(*pg_sys::SPI_plan_get_plan_sources(statement)).elements).ptr_value.cast() }
}

fn cannot_prepare() -> Error {
    Error::new("XX000", "pg_identity could not prepare a statement")
}

pub fn text(value: &str) -> Argument {
    value.into_datum()
}
