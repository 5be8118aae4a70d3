//! Statements of a run: they see its stores (`db::store`) under their names, and their rows go into another one.
//!
//! A run of few rows would spend most of its time on planning. So the plans of its statements are kept in the session, by the statement's text,
//! the settings that it is planned under, the shape of the stores and the class of size that the run belongs to: the planner is told the upper end
//! of the class, and of a large run the true number of rows. The server analyses a kept statement anew when something that it uses has changed, or
//! when the search path is another one.

use crate::db::attempt::{self, Failure};
use crate::db::session;
use crate::db::sql::Sql;
use crate::db::store::{Filling, Store};
use crate::error::{Error, Result};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::prelude::*;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int};
use std::ptr::null_mut;

/// Settings under which a statement is planned: what it runs, such as a trigger, has the session's own.
pub type Lookups = &'static [(&'static str, &'static str)];

mod c {
    use super::*;
    // The server's own functions, without the wrappers of pgrx that would turn an error into a panic.
    unsafe extern "C-unwind" {
        pub fn SPI_prepare_cursor(
            src: *const c_char,
            count: c_int,
            types: *mut pg_sys::Oid,
            options: c_int,
        ) -> pg_sys::SPIPlanPtr;
        pub fn SPI_execute_plan_extended(plan: pg_sys::SPIPlanPtr, options: *const pg_sys::SPIExecuteOptions) -> c_int;
        // catalog/pg_inherits.h, which pgrx does not bind.
        pub fn find_all_inheritors(
            table: pg_sys::Oid,
            lock: pg_sys::LOCKMODE,
            parents: *mut *mut pg_sys::List,
        ) -> *mut pg_sys::List;
        pub fn SPI_execute(src: *const c_char, read_only: bool, most: std::ffi::c_long) -> c_int;
        pub fn SPI_plan_get_cached_plan(plan: pg_sys::SPIPlanPtr) -> *mut pg_sys::CachedPlan;
    }
}

/// A statement, with all that it is run with.
pub struct Query<'q> {
    pub sql: &'q str,
    pub arguments: &'q [DatumWithOid<'q>],
    pub stores: &'q [(&'static str, &'q Store)],
    pub lookups: Lookups,
    /// What is run right after it, and stands or falls with it.
    pub then: Option<&'q Checks>,
    /// Where it is attempted: its subtransaction is left open (`attempt::close_to`).
    pub open: bool,
    /// So many rows belong to the run.
    pub size: i64,
}

impl<'q> Query<'q> {
    /// A statement that sees these stores, and is planned for their sizes.
    pub fn over(
        sql: &'q str,
        arguments: &'q [DatumWithOid<'q>],
        stores: &'q [(&'static str, &'q Store)],
        lookups: Lookups,
    ) -> Self {
        Query { sql, arguments, stores, lookups, then: None, open: false, size: i64::MAX }
    }
}

/// The one number of a query that is asked in every run; 0 where it is NULL.
pub fn kept_number(sql: &str, arguments: &[DatumWithOid]) -> Result<i64> {
    let mut number = 0;
    let mut store = Store::new();
    kept(sql, arguments).fill(&mut store, &mut |_| {})?;
    store.each(|row| {
        number = row.number(1);
        Ok(())
    })?;
    Ok(number)
}

/// The one jsonb value of such a query, as a Rust type.
pub fn kept_document<T: DeserializeOwned>(sql: &str, arguments: &[DatumWithOid]) -> Result<T> {
    let mut document = serde_json::Value::Null;
    let mut store = Store::new();
    kept(sql, arguments).fill(&mut store, &mut |_| {})?;
    store.each(|row| {
        document = row.get::<pgrx::JsonB>(1).map_or(serde_json::Value::Null, |json| json.0);
        Ok(())
    })?;
    serde_json::from_value(document)
        .map_err(|e| Error::new("XX000", format!("pg_identity could not read the catalog: {e}")))
}

/// Puts what a query returns into a store.
pub fn fill(store: &mut Store, sql: &str, arguments: &[DatumWithOid]) -> Result<u64> {
    Query { size: i64::MAX, ..kept(sql, arguments) }.fill(store, &mut |_| {})
}

/// Sends what a query returns to a receiver, which is used up by it.
pub fn send(sql: &str, arguments: &[DatumWithOid], receiver: *mut pg_sys::DestReceiver) -> Result<()> {
    Query { size: i64::MAX, ..kept(sql, arguments) }.send(receiver)
}

/// Runs a statement that is run in every run.
pub fn execute_kept(sql: &str, arguments: &[DatumWithOid]) -> Result<u64> {
    kept(sql, arguments).run()
}

/// A statement that is run in every run, and sees no stores.
fn kept<'q>(sql: &'q str, arguments: &'q [DatumWithOid<'q>]) -> Query<'q> {
    Query { sql, arguments, stores: &[], lookups: &[], then: None, open: false, size: 1 }
}

/// What became of a statement: an error of its own is a value where it is caught.
type Outcome = Result<std::result::Result<u64, Failure>>;

/// Constraints of a table that would be checked at the end of the transaction, to be checked with a statement. Where all of them are checked at once
/// by the transaction's own will nothing is left to check, and nothing is changed.
pub struct Checks {
    pub table: pg_sys::Oid,
    /// Checks, and defers again.
    pub now: Vec<Sql>,
    /// Checks that are taken back, with the change of modes that they take. The constraint is checked once more at the end.
    pub aside: Vec<Sql>,
}

/// Runs of more rows than this plan each statement for itself.
const MOST_KEPT_FOR: i64 = 20_000;

/// So many plans are kept at the most.
const MOST_KEPT: usize = 300;

#[derive(PartialEq, Eq, Hash)]
struct Key {
    sql: String,
    lookups: Lookups,
    class: i64,
    shape: Vec<u8>,
    types: Vec<u32>,
}

thread_local! {
    static KEPT: RefCell<HashMap<Key, pg_sys::SPIPlanPtr>> = RefCell::new(HashMap::new());
}

/// The upper end of the class of size; `None`: the plan is not kept.
fn class(size: i64) -> Option<i64> {
    [1, 30, 300, 2000, MOST_KEPT_FOR].into_iter().find(|most| size <= *most)
}

impl Query<'_> {
    /// Runs it; an error is raised. Returns how many rows it has worked on.
    pub fn run(&self) -> Result<u64> {
        self.connected(|to| self.execute(to, null_mut(), false))?.map_err(Error::from)
    }

    /// Runs it, and puts the rows that it returns into a store; `note` is told the number that is their first column.
    pub fn fill(&self, store: &mut Store, note: &mut dyn FnMut(i64)) -> Result<u64> {
        self.connected(|to| {
            let mut filling = Filling::new(store, note);
            self.execute(to, filling.receiver(), false)
        })?
        .map_err(Error::from)
    }

    /// As `fill`, for a receiver of the caller's.
    pub fn send(&self, receiver: *mut pg_sys::DestReceiver) -> Result<()> {
        self.connected(|to| self.execute(to, receiver, false))?.map(|_| ()).map_err(Error::from)
    }

    /// As `run`, in a subtransaction; an error comes back as a value.
    pub fn attempt(&self) -> std::result::Result<u64, Failure> {
        flat(self.connected(|to| in_subtransaction(self.open, || self.execute(to, null_mut(), true))))
    }

    /// As `fill`, in a subtransaction. The store was made outside of it, and keeps what came before the error.
    pub fn attempt_fill(&self, store: &mut Store, note: &mut dyn FnMut(i64)) -> std::result::Result<u64, Failure> {
        flat(self.connected(|to| {
            let mut filling = Filling::new(store, note);
            in_subtransaction(self.open, || self.execute(to, filling.receiver(), true))
        }))
    }

    fn connected(&self, work: impl FnOnce(&Prepared) -> Outcome) -> Outcome {
        Spi::connect_mut(|_| {
            self.register()?;
            self.prepared(work)
        })
    }

    /// Lets the statements of the connection see the stores.
    fn register(&self) -> Result<()> {
        self.stores.iter().try_for_each(|(name, store)| register(name, store, class(self.size)))
    }

    fn prepared(&self, work: impl FnOnce(&Prepared) -> Outcome) -> Outcome {
        let key = class(self.size).map(|class| self.key(class));
        let kept = key.as_ref().and_then(|key| KEPT.with_borrow(|kept| kept.get(key).copied()));
        let prepared = Prepared { plan: std::cell::Cell::new(kept.unwrap_or(null_mut())) };
        let outcome = work(&prepared);
        if let (Some(key), None, Ok(Ok(_))) = (key, kept, &outcome) {
            keep(key, prepared.plan.get());
        }
        outcome
    }

    fn key(&self, class: i64) -> Key {
        let mut shape = Vec::new();
        for (name, store) in self.stores {
            shape.extend(name.bytes());
            shape.push(0);
            shape.extend(&store.shape);
        }
        Key {
            sql: self.sql.to_string(),
            lookups: self.lookups,
            class,
            shape,
            types: self.arguments.iter().map(|a| a.oid().to_u32()).collect(),
        }
    }

    /// `caught`: in a subtransaction that the caller rolls back on an error of the statement.
    fn execute(&self, prepared: &Prepared, receiver: *mut pg_sys::DestReceiver, caught: bool) -> Outcome {
        let text = CString::new(self.sql).expect("SQL text has no NUL byte");
        let types: Vec<pg_sys::Oid> = self.arguments.iter().map(DatumWithOid::oid).collect();
        let call = |work: &mut dyn FnMut() -> c_int| -> std::result::Result<c_int, Failure> {
            if caught {
                // SAFETY: in the subtransaction; nothing but the server's code runs in it.
                unsafe { attempt::catch(work) }
            } else {
                // SAFETY: an error becomes a panic, as everywhere.
                Ok(unsafe { pg_sys::ffi::pg_guard_ffi_boundary(&mut *work) })
            }
        };
        // SAFETY: as many types as parameters; the parameters live as long as this call; the receiver is used up by the one statement.
        unsafe {
            let mut plan = prepared.plan.get();
            if plan.is_null() {
                let options = pg_sys::CURSOR_OPT_GENERIC_PLAN | pg_sys::CURSOR_OPT_PARALLEL_OK;
                let (source, count, types) = (text.as_ptr(), types.len() as c_int, types.as_ptr().cast_mut());
                let to = &raw mut plan;
                let made = call(&mut || {
                    *to = c::SPI_prepare_cursor(source, count, types, options as c_int);
                    0
                });
                if let Err(failure) = made {
                    return Ok(Err(failure));
                }
                if plan.is_null() {
                    return Err(Error::new("42601", "a statement that cannot be run here"));
                }
                prepared.plan.set(plan);
            }
            if !self.lookups.is_empty() && !is_planned(plan) {
                let planned = session::with_settings(self.lookups, || {
                    Ok(call(&mut || {
                        let cached = c::SPI_plan_get_cached_plan(plan);
                        if !cached.is_null() && (*plan_source(plan)).is_saved {
                            pg_sys::ReleaseCachedPlan(cached, pg_sys::CurrentResourceOwner);
                        }
                        0
                    }))
                })?;
                if let Err(failure) = planned {
                    return Ok(Err(failure));
                }
            }
            let options = pg_sys::SPIExecuteOptions {
                params: attempt::parameters(self.arguments),
                dest: receiver,
                ..Default::default()
            };
            let options_at = &raw const options;
            let status = match call(&mut || c::SPI_execute_plan_extended(plan, options_at)) {
                Ok(status) => status,
                Err(failure) => return Ok(Err(failure)),
            };
            if status < 0 {
                return Err(Error::new("42601", format!("a statement that cannot be run here (SPI status {status})")));
            }
            let rows = pg_sys::SPI_processed;
            if let Some(checks) = self.then.filter(|checks| is_pending(checks.table)) {
                let check = |sql: &Sql| {
                    let text = CString::new(&**sql).expect("SQL text has no NUL byte");
                    let text = text.as_ptr();
                    call(&mut || c::SPI_execute(text, false, 0)).map(|_| ())
                };
                let now = checks.now.iter().try_for_each(check);
                let aside =
                    || checks.aside.iter().try_for_each(|sql| attempt::in_subtransaction(|| check(sql), |_| false));
                if let Err(failure) = now.and_then(|()| aside()) {
                    return Ok(Err(failure));
                }
            }
            Ok(Ok(rows))
        }
    }
}

/// Runs statements that see the same stores, one after the other in one subtransaction: all of them stand, or none, and the error that one raises
/// comes back as a value.
pub fn attempt_all(queries: &[Query]) -> std::result::Result<u64, Failure> {
    // The connection is the one around the subtransaction: an error may leave those of triggers open in it, which its rollback closes.
    flat(Spi::connect_mut(|_| {
        queries.first().map_or(Ok(()), Query::register)?;
        in_subtransaction(false, || {
            let mut rows = 0;
            for query in queries {
                match query.prepared(|to| query.execute(to, null_mut(), true))? {
                    Ok(done) => rows += done,
                    Err(failure) => return Ok(Err(failure)),
                }
            }
            Ok(Ok(rows))
        })
    }))
}

fn in_subtransaction(open: bool, work: impl FnOnce() -> Outcome) -> Outcome {
    attempt::in_subtransaction_as(open, work, |outcome| matches!(outcome, Ok(Ok(_))))
}

fn flat(outcome: Outcome) -> std::result::Result<u64, Failure> {
    outcome.unwrap_or_else(|error| Err(error.into()))
}

/// The statement's plan, once there is one.
struct Prepared {
    plan: std::cell::Cell<pg_sys::SPIPlanPtr>,
}

/// # Safety
/// Within an SPI connection; the plan is one of a single statement.
unsafe fn plan_source(plan: pg_sys::SPIPlanPtr) -> *mut pg_sys::CachedPlanSource {
    // SAFETY: as the caller promises, the list has one element.
    unsafe { (*(*pg_sys::SPI_plan_get_plan_sources(plan)).elements).ptr_value.cast() }
}

/// Whether it has a plan that holds.
///
/// # Safety
/// As of `plan_source`.
unsafe fn is_planned(plan: pg_sys::SPIPlanPtr) -> bool {
    // SAFETY: as the caller promises.
    unsafe {
        let source = plan_source(plan);
        let cached = (*source).gplan;
        (*source).is_valid && !cached.is_null() && (*cached).is_valid
    }
}

fn keep(key: Key, plan: pg_sys::SPIPlanPtr) {
    KEPT.with_borrow_mut(|kept| {
        if kept.len() >= MOST_KEPT {
            // SAFETY: they were kept here, and a statement that is running holds its own.
            kept.drain().for_each(|(_, plan)| unsafe {
                pg_sys::SPI_freeplan(plan);
            });
        }
        // SAFETY: the plan was prepared within this connection.
        if unsafe { pg_sys::SPI_keepplan(plan) } == 0
            && let Some(former) = kept.insert(key, plan)
        {
            // SAFETY: as above. A trigger of the statement's own has kept the same one meanwhile.
            unsafe { pg_sys::SPI_freeplan(former) };
        }
    });
}

/// Whether something is left to be checked of a table, or of a partition, at the end of the transaction.
pub fn is_pending(table: pg_sys::Oid) -> bool {
    // SAFETY: looks into the queue of events; the list is one of OIDs.
    unsafe {
        let tables = pg_sys::ffi::pg_guard_ffi_boundary(|| c::find_all_inheritors(table, 0, null_mut()));
        (0..(*tables).length as usize).any(|i| pg_sys::AfterTriggerPendingOnRel((*(*tables).elements.add(i)).oid_value))
    }
}

/// Lets the statements of this connection see a store.
pub(super) fn register(name: &str, store: &Store, class: Option<i64>) -> Result<()> {
    if store.columns.is_null() {
        return Ok(());
    }
    // SAFETY: what is allocated belongs to the connection, which outlives its statements; so does the store.
    let status = unsafe { pg_sys::SPI_register_relation(relation(name, store, class)) };
    if status < 0 {
        return Err(Error::new(
            "XX000",
            format!("pg_identity could not show rows to a statement (SPI status {status})"),
        ));
    }
    Ok(())
}

/// The same for an executor that is run by hand.
pub(super) fn environment(stores: &[(&'static str, &Store)]) -> *mut pg_sys::QueryEnvironment {
    // SAFETY: as above.
    unsafe {
        let environment = pg_sys::create_queryEnv();
        for (name, store) in stores.iter().filter(|(_, store)| !store.columns.is_null()) {
            pg_sys::register_ENR(environment, relation(name, store, None));
        }
        environment
    }
}

/// # Safety
/// The store is open, and its rows are described; it outlives what is returned.
unsafe fn relation(name: &str, store: &Store, class: Option<i64>) -> pg_sys::EphemeralNamedRelation {
    let name = CString::new(name).expect("a name has no NUL byte");
    // SAFETY: it is allocated as large as it is.
    unsafe {
        let relation: *mut pg_sys::EphemeralNamedRelationData =
            pg_sys::palloc0(size_of::<pg_sys::EphemeralNamedRelationData>()).cast();
        (*relation).md.name = pg_sys::pstrdup(name.as_ptr());
        (*relation).md.tupdesc = store.columns;
        (*relation).md.enrtype = pg_sys::EphemeralNameRelationType::ENR_NAMED_TUPLESTORE;
        (*relation).md.enrtuples = class.unwrap_or(store.rows()).max(1) as f64;
        (*relation).reldata = store.state.cast();
        relation
    }
}
