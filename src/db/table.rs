//! The extension's own tables, written row by row as Postgres writes its catalogs: no SPI, no plan, no rights. For what is done
//! thousands of times a second; where triggers or constraints have a say, a statement does it.

use crate::db::expression::{self, Expression};
use crate::db::plan::Argument;
use crate::db::scan::{self, Place, Row};
use crate::db::trigger;
use crate::error::{Error, Result};
use pgrx::PgMemoryContexts;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, Datum};
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::ptr::null_mut;

/// Which indexes a new version of a row has to go into: none where it is its default.
#[cfg(any(feature = "pg14", feature = "pg15"))]
type Indexes = bool;
#[cfg(not(any(feature = "pg14", feature = "pg15")))]
type Indexes = pg_sys::TU_UpdateIndexes::Type;

/// A table as the extension makes it.
pub struct Shape {
    pub name: &'static CStr,
    /// The types of its columns.
    pub columns: &'static [pg_sys::Oid],
}

/// A table that is open for writing.
pub struct Table(pg_sys::Relation);

impl Table {
    /// It is locked as by an INSERT or UPDATE, until the end of the transaction. `None` where the table is not as the extension
    /// made it, so that a statement has to write it.
    pub fn open(shape: &Shape) -> Result<Option<Self>> {
        let oid = scan::own_relation(scan::schema(), shape.name)?;
        // SAFETY: `drop` closes it; on an error Postgres' abort does.
        let table = unsafe {
            pg_sys::PreventCommandIfReadOnly(c"UPDATE".as_ptr());
            Table(pg_sys::table_open(oid, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE))
        };
        Ok(table.has(shape).then_some(table))
    }

    /// Whether it is a heap of just these columns, without rules, forced policies and generated columns.
    fn has(&self, shape: &Shape) -> bool {
        // SAFETY: the relation is open.
        unsafe {
            let (form, columns) = ((*self.0).rd_rel, (*self.0).rd_att);
            let constraints = (*columns).constr;
            let types = attributes(columns).iter().map(|a| a.atttypid);
            (*form).relkind == pg_sys::RELKIND_RELATION as c_char
                && (*form).relam == pg_sys::HEAP_TABLE_AM_OID
                && !(*form).relforcerowsecurity
                && (*self.0).rd_rules.is_null()
                && types.eq(shape.columns.iter().copied())
                && (constraints.is_null() || !(*constraints).has_generated_stored)
        }
    }

    /// Whether a new row takes a statement: a trigger or a CHECK has a say.
    pub fn needs_insert(&self) -> bool {
        !self.checks().is_empty()
            || self.triggers().any(|trigger| trigger.tgtype as u32 & pg_sys::TRIGGER_TYPE_INSERT != 0)
    }

    /// Whether a change of `columns` takes a statement: a trigger or a CHECK has a say. The triggers of foreign keys look at a key
    /// that does not change; the trigger by which the audit records changes does not count, for who writes by a table's place puts that on
    /// record.
    pub fn needs_update(&self, columns: &[i16]) -> bool {
        // SAFETY: what a relation has of its CHECKs are texts of expressions over its columns.
        let checked = self.checks().iter().any(|check| unsafe { may_refuse(check, columns) });
        checked || self.fires_on_update(columns)
    }

    fn fires_on_update(&self, columns: &[i16]) -> bool {
        let own = scan::internal_function(c"record_changes");
        self.triggers().any(|trigger| {
            if Some(trigger.tgfoid) == own {
                return false;
            }
            let of: &[i16] = match trigger.tgnattr {
                0 => &[],
                // SAFETY: the array has as many columns as it says.
                n => unsafe { std::slice::from_raw_parts(trigger.tgattr, n as usize) },
            };
            // Without columns of its own it is about all of them.
            let concerned = of.is_empty() || columns.iter().any(|c| of.contains(c));
            let of_a_reference = trigger.tgisinternal && trigger.tgfoid != pg_sys::F_UNIQUE_KEY_RECHECK.into();
            trigger.tgtype as u32 & pg_sys::TRIGGER_TYPE_UPDATE != 0 && concerned && !of_a_reference
        })
    }

    fn checks(&self) -> &[pg_sys::ConstrCheck] {
        // SAFETY: the relation is open as long as this lives; the array has as many CHECKs as it says.
        unsafe {
            let constraints = (*(*self.0).rd_att).constr;
            if constraints.is_null() || (*constraints).num_check == 0 {
                return &[];
            }
            std::slice::from_raw_parts((*constraints).check, (*constraints).num_check as usize)
        }
    }

    fn triggers(&self) -> impl Iterator<Item = &pg_sys::Trigger> {
        // SAFETY: the relation is open as long as this lives.
        unsafe { trigger::all((*self.0).trigdesc).iter() }
    }

    /// Adds a row; a value for each column, of its type.
    pub fn insert(&self, values: &[Argument]) -> Result<()> {
        // SAFETY: the relation is open; the slot has its columns, and is used up here.
        unsafe {
            let columns = (*self.0).rd_att;
            let mut given = attributes(columns).iter().zip(values);
            if let Some((missing, _)) = given.find(|(column, value)| column.attnotnull && value.is_none()) {
                let name = pgrx::name_data_to_str(&missing.attname);
                return Err(Error::new(
                    "23502",
                    format!("null value in column \"{name}\" violates not-null constraint"),
                ));
            }
            let slot = pg_sys::MakeSingleTupleTableSlot(columns, &raw const pg_sys::TTSOpsVirtual);
            for (i, value) in values.iter().enumerate() {
                set(slot, i, value.unwrap_or(Datum::null()), value.is_none());
            }
            pg_sys::ExecStoreVirtualTuple(slot);
            let (relation, add) = (self.0, (*(*self.0).rd_tableam).tuple_insert.expect("every table can be added to"));
            let command = pg_sys::GetCurrentCommandId(true);
            pg_guard_ffi_boundary(|| add(relation, slot, command, 0, null_mut()));
            self.add_to_indexes(slot, None);
            pg_sys::ExecDropSingleTupleTableSlot(slot);
            // What follows sees it.
            pg_sys::CommandCounterIncrement();
        }
        Ok(())
    }

    /// Changes columns of a row, as it is now, if `change` finds that it is the one. Waits for who is changing it. Returns where
    /// it is then; `None` where it is no longer there, or not to be changed.
    pub fn update(&self, place: Place, change: impl FnOnce(&Row) -> Option<Vec<(i16, Argument)>>) -> Option<Place> {
        // SAFETY: the relation is open; the slots have its columns, and are used up here.
        unsafe {
            let old = pg_sys::table_slot_create(self.0, null_mut());
            let new = pg_sys::MakeSingleTupleTableSlot((*self.0).rd_att, &raw const pg_sys::TTSOpsVirtual);
            let changed = self.fetch(place, old) && self.fill(old, new, change) && self.replace(place, new);
            let place = changed.then(|| Place((*new).tts_tid));
            pg_sys::ExecDropSingleTupleTableSlot(new);
            pg_sys::ExecDropSingleTupleTableSlot(old);
            pg_sys::CommandCounterIncrement();
            place
        }
    }

    /// Reads the row that is now in a place; false where there is none.
    ///
    /// # Safety
    /// The slot is one of the table's own.
    unsafe fn fetch(&self, place: Place, slot: *mut pg_sys::TupleTableSlot) -> bool {
        let mut tid = place.0;
        // SAFETY: as the caller promises.
        unsafe {
            // The table may have been made shorter.
            let block = pgrx::itemptr::item_pointer_get_block_number(&tid);
            if block >= pg_sys::RelationGetNumberOfBlocksInFork(self.0, pg_sys::ForkNumber::MAIN_FORKNUM) {
                return false;
            }
            // As a scan does it that comes to a page: else nothing would remove the versions that are dead.
            let buffer = pg_sys::ReadBuffer(self.0, block);
            pg_sys::heap_page_prune_opt(self.0, buffer);
            pg_sys::ReleaseBuffer(buffer);
            // What is committed now, and this transaction's own: for a single row it takes no more than a look at that.
            let (relation, snapshot) = (self.0, &raw mut pg_sys::SnapshotSelfData);
            let fetch = (*(*relation).rd_tableam).tuple_fetch_row_version.expect("every table can be read");
            pg_guard_ffi_boundary(|| fetch(relation, &mut tid, snapshot, slot))
        }
    }

    /// Fills `new` with the columns of `old`, but for those that change.
    ///
    /// # Safety
    /// Both slots have the table's columns; `old` has a row.
    unsafe fn fill(
        &self,
        old: *mut pg_sys::TupleTableSlot,
        new: *mut pg_sys::TupleTableSlot,
        change: impl FnOnce(&Row) -> Option<Vec<(i16, Argument)>>,
    ) -> bool {
        let Some(changes) = change(&Row::Heap(old)) else { return false };
        // SAFETY: as the caller promises; a change is of one of the columns.
        unsafe {
            let columns = (*(*self.0).rd_att).natts;
            pg_sys::slot_getsomeattrs_int(old, columns);
            for i in 0..columns as usize {
                set(new, i, *(*old).tts_values.add(i), *(*old).tts_isnull.add(i));
            }
            for (column, value) in changes {
                set(new, column as usize - 1, value.unwrap_or(Datum::null()), value.is_none());
            }
            pg_sys::ExecStoreVirtualTuple(new);
        }
        true
    }

    /// # Safety
    /// The slot has a row.
    unsafe fn replace(&self, place: Place, slot: *mut pg_sys::TupleTableSlot) -> bool {
        let mut tid = place.0;
        let mut failure = pg_sys::TM_FailureData::default();
        let mut lock = pg_sys::LockTupleMode::LockTupleExclusive;
        // SAFETY: as the caller promises; no index is left without the new version.
        unsafe {
            let relation = self.0;
            let update = (*(*relation).rd_tableam).tuple_update.expect("every table can be changed");
            let (command, snapshot) = (pg_sys::GetCurrentCommandId(true), &raw mut pg_sys::SnapshotSelfData);
            let mut indexes = Indexes::default();
            let result = pg_guard_ffi_boundary(|| {
                update(
                    relation,
                    &mut tid,
                    slot,
                    command,
                    snapshot,
                    null_mut(),
                    true,
                    &mut failure,
                    &mut lock,
                    &mut indexes,
                )
            });
            if result != pg_sys::TM_Result::TM_Ok {
                return false;
            }
            if indexes != Indexes::default() {
                self.add_to_indexes(slot, Some(indexes));
            }
        }
        true
    }

    /// # Safety
    /// The slot has the row that was written last; `update`: in place of another one, with what that told of the indexes.
    unsafe fn add_to_indexes(&self, slot: *mut pg_sys::TupleTableSlot, update: Option<Indexes>) {
        // SAFETY: as the caller promises; the executor's state is made and freed here, in the order that it uses itself.
        unsafe {
            let estate = pg_sys::CreateExecutorState();
            let target = trigger::target(self.0);
            pg_sys::ExecOpenIndices(target, false);
            insert_into_indexes(target, slot, estate, update);
            pg_sys::ExecCloseIndices(target);
            pg_sys::FreeExecutorState(estate);
        }
    }
}

/// Adds many rows to a table: as `Table::insert`, with what that makes for each row made once. What follows sees them when
/// it is dropped.
pub struct Appender {
    table: Table,
    memory: PgMemoryContexts,
    row: PgMemoryContexts,
    estate: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
}

impl Appender {
    pub fn new(table: Table) -> Self {
        let mut memory = PgMemoryContexts::new("pg_identity appender");
        // SAFETY: the relation is open as long as the table; what is made here lives in the context, until `drop`.
        let (estate, target, slot) = unsafe {
            memory.switch_to(|_| {
                let target = trigger::target(table.0);
                pg_sys::ExecOpenIndices(target, false);
                let slot = pg_sys::MakeSingleTupleTableSlot((*table.0).rd_att, &raw const pg_sys::TTSOpsVirtual);
                (pg_sys::CreateExecutorState(), target, slot)
            })
        };
        Appender { table, memory, row: PgMemoryContexts::new("pg_identity appended row"), estate, target, slot }
    }

    /// Adds a row; a value for each column, of its type, and none of them NULL.
    pub fn add<const N: usize>(&mut self, values: impl FnOnce() -> [Argument; N]) {
        let Appender { table, memory, row, estate, target, slot } = self;
        // SAFETY: the slot has the table's columns. What an index entry is made with is the executor state's, and is freed with the
        // row's own values once the row is in the table.
        unsafe {
            row.switch_to(|_| {
                for (i, value) in values().into_iter().enumerate() {
                    set(*slot, i, value.expect("a value that is not NULL"), false);
                }
                pg_sys::ExecStoreVirtualTuple(*slot);
                let add = (*(*table.0).rd_tableam).tuple_insert.expect("every table can be added to");
                let (command, relation, slot) = (pg_sys::GetCurrentCommandId(true), table.0, *slot);
                pg_guard_ffi_boundary(|| add(relation, slot, command, 0, null_mut()));
            });
            memory.switch_to(|_| insert_into_indexes(*target, *slot, *estate, None));
            let clear = (*(**slot).tts_ops).clear.expect("every slot can be cleared");
            clear(*slot);
            if !(**estate).es_per_tuple_exprcontext.is_null() {
                pg_sys::MemoryContextReset((*(**estate).es_per_tuple_exprcontext).ecxt_per_tuple_memory);
            }
            row.reset();
        }
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        // After an error Postgres closes and frees all of it with the transaction.
        if !std::thread::panicking() {
            // SAFETY: made by `new`, taken apart once.
            unsafe {
                pg_sys::ExecCloseIndices(self.target);
                pg_sys::ExecDropSingleTupleTableSlot(self.slot);
                pg_sys::FreeExecutorState(self.estate);
                pg_sys::CommandCounterIncrement();
            }
        }
    }
}

/// # Safety
/// The target's indexes are open, and the slot has the row that was written last; `update`: in place of another one, with what that told
/// of the indexes.
unsafe fn insert_into_indexes(
    target: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    estate: *mut pg_sys::EState,
    update: Option<Indexes>,
) {
    // SAFETY: as the caller promises.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        pg_sys::ExecInsertIndexTuples(target, slot, estate, update.is_some(), false, null_mut(), null_mut());
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        pg_sys::ExecInsertIndexTuples(
            target,
            slot,
            estate,
            update.is_some(),
            false,
            null_mut(),
            null_mut(),
            update == Some(pg_sys::TU_UpdateIndexes::TU_Summarizing),
        );
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // After an error Postgres closes it with the transaction.
        if !std::thread::panicking() {
            // SAFETY: opened by `open`, closed once; the lock stays until the transaction ends.
            unsafe { pg_sys::table_close(self.0, pg_sys::NoLock as pg_sys::LOCKMODE) };
        }
    }
}

/// What the CHECKs that were met in this session read.
type Known = Vec<(CString, Expression)>;

thread_local! {
    static KNOWN: RefCell<Known> = const { RefCell::new(Vec::new()) };
}

/// Of so many CHECKs it is kept.
const MOST_KNOWN: usize = 16;

/// Whether a row that the table has may break a CHECK when `columns` change: it reads one of them, or not only columns; or it was
/// never asked about the rows that there were before it.
///
/// # Safety
/// The CHECK is one that an open relation has.
unsafe fn may_refuse(check: &pg_sys::ConstrCheck, columns: &[i16]) -> bool {
    // SAFETY: as the caller promises.
    let tree = unsafe { CStr::from_ptr(check.ccbin) };
    let reads_them = |reads: &Expression| {
        reads.whole_row || reads.may_change || reads.columns.iter().any(|column| columns.contains(column))
    };
    !check.ccvalid
        || KNOWN.with_borrow_mut(|known| {
            if let Some((_, reads)) = known.iter().find(|(met, _)| met.as_c_str() == tree) {
                return reads_them(reads);
            }
            if known.len() == MOST_KNOWN {
                known.clear();
            }
            let reads = expression::inspect(&tree.to_string_lossy());
            let answer = reads_them(&reads);
            known.push((tree.to_owned(), reads));
            answer
        })
}

/// The columns of a table as its catalog has them.
///
/// # Safety
/// The description is that of a relation that stays open.
pub(super) unsafe fn attributes<'a>(columns: pg_sys::TupleDesc) -> &'a [pg_sys::FormData_pg_attribute] {
    // SAFETY: as the caller promises; there are as many as the description says. From PostgreSQL 18 on they follow the short
    // forms that the executor works with.
    unsafe {
        let count = (*columns).natts as usize;
        #[cfg(not(feature = "pg18"))]
        let first = (*columns).attrs.as_ptr();
        #[cfg(feature = "pg18")]
        let first = (*columns).compact_attrs.as_ptr().add(count).cast();
        std::slice::from_raw_parts(first, count)
    }
}

/// # Safety
/// The slot has such a column, from 0.
unsafe fn set(slot: *mut pg_sys::TupleTableSlot, column: usize, value: Datum, null: bool) {
    // SAFETY: as the caller promises.
    unsafe {
        *(*slot).tts_values.add(column) = value;
        *(*slot).tts_isnull.add(column) = null;
    }
}
