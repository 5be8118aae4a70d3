//! An INSERT of many rows that fills the indexes last, each in its own order.
//!
//! The executor inserts a row, and then its entry into every index, at a random place of most of them: with large indexes that
//! is what an import spends its time on. Here the executor puts the rows into the table and does all else that an INSERT does,
//! but finds no index; then the entries of each index are sorted, and inserted as the executor inserts them: by the index's own
//! access method, which checks unique keys. Only then do AFTER triggers fire.
//!
//! For an ordinary table without row triggers of the user's own, without deferrable keys and exclusion constraints: until the
//! indexes are filled nothing must look into them.

use crate::db::progress::{self, Phase};
use crate::db::query;
use crate::db::store::Store;
use crate::db::trigger;
use crate::error::{Error, Result};
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, Datum};
use pgrx::prelude::*;
use std::ffi::CString;
use std::ptr::null_mut;

mod c {
    use super::*;
    // The server's own functions, without the wrappers of pgrx: they are called for each row, within one guard for many.
    unsafe extern "C-unwind" {
        pub fn FormIndexDatum(
            info: *mut pg_sys::IndexInfo,
            slot: *mut pg_sys::TupleTableSlot,
            estate: *mut pg_sys::EState,
            values: *mut Datum,
            nulls: *mut bool,
        );
        pub fn tuplesort_puttupleslot(sort: *mut pg_sys::Tuplesortstate, slot: *mut pg_sys::TupleTableSlot);
        pub fn tuplesort_gettupleslot(
            sort: *mut pg_sys::Tuplesortstate,
            forward: bool,
            copy: bool,
            slot: *mut pg_sys::TupleTableSlot,
            abbreviated: *mut Datum,
        ) -> bool;
        pub fn ExecStoreVirtualTuple(slot: *mut pg_sys::TupleTableSlot) -> *mut pg_sys::TupleTableSlot;
        pub fn slot_getsomeattrs_int(slot: *mut pg_sys::TupleTableSlot, columns: std::ffi::c_int);
        pub fn index_insert(
            index: pg_sys::Relation,
            values: *mut Datum,
            nulls: *mut bool,
            place: pg_sys::ItemPointer,
            table: pg_sys::Relation,
            check: pg_sys::IndexUniqueCheck::Type,
            unchanged: bool,
            info: *mut pg_sys::IndexInfo,
        ) -> bool;
        pub fn MemoryContextReset(context: pg_sys::MemoryContext);
    }
}

/// So many entries go into an index between two looks for a cancel.
const BATCH: usize = 1000;

/// Runs `sql`, which is an INSERT … RETURNING ctid into a table of the kind above, and sees `stores`. Returns how many rows went in.
pub fn insert(sql: &str, stores: &[(&'static str, &Store)]) -> Result<u64> {
    let text = CString::new(sql).expect("SQL text has no NUL byte");
    Spi::connect_mut(|_| {
        for (name, store) in stores {
            query::register(name, store, None)?;
        }
        // SAFETY: the calls pair up as the server's own do for a statement. What is allocated belongs to the SPI connection;
        // on an error the subtransaction's end closes what is open.
        unsafe {
            let prepared = pg_sys::SPI_prepare(text.as_ptr(), 0, null_mut());
            if prepared.is_null() {
                return Err(unexpected());
            }
            let plan = pg_sys::SPI_plan_get_cached_plan(prepared);
            if plan.is_null() || (*(*plan).stmt_list).length != 1 {
                return Err(unexpected());
            }
            pg_sys::CommandCounterIncrement();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            let rows = execute((*(*(*plan).stmt_list).elements).ptr_value.cast(), &text, query::environment(stores))?;
            pg_sys::PopActiveSnapshot();
            pg_sys::ReleaseCachedPlan(plan, null_mut());
            pg_sys::CommandCounterIncrement();
            Ok(rows)
        }
    })
}

/// The table, or the statement, is not of the kind that was asked for: it may have changed since.
fn unexpected() -> Error {
    Error::new("XX000", "pg_identity could not fill the indexes of a table after its rows")
}

/// # Safety
/// Within an SPI connection, with an active snapshot; `statement` is planned from `text`.
unsafe fn execute(
    statement: *mut pg_sys::PlannedStmt,
    text: &CString,
    stores: *mut pg_sys::QueryEnvironment,
) -> Result<u64> {
    let mut places = Places::new();
    // SAFETY: as the caller promises; the receiver outlives the query.
    unsafe {
        let query = pg_sys::CreateQueryDesc(
            statement,
            text.as_ptr(),
            pg_sys::GetActiveSnapshot(),
            null_mut(),
            (&raw mut places).cast(),
            null_mut(),
            stores,
            0,
        );
        pg_sys::ExecutorStart(query, 0);
        let target = hide_indexes((*query).planstate)?;
        #[cfg(not(feature = "pg18"))]
        pg_sys::ExecutorRun(query, pg_sys::ScanDirection::ForwardScanDirection, 0, true);
        #[cfg(feature = "pg18")]
        pg_sys::ExecutorRun(query, pg_sys::ScanDirection::ForwardScanDirection, 0);
        let rows = (*(*query).estate).es_processed;
        fill_indexes((*target).ri_RelationDesc, &places.runs)?;
        pg_sys::ExecutorFinish(query);
        pg_sys::ExecutorEnd(query);
        pg_sys::FreeQueryDesc(query);
        Ok(rows)
    }
}

/// Makes the executor believe that it has opened the target's indexes, and that there are none.
///
/// # Safety
/// The executor has started the plan, and not run it.
unsafe fn hide_indexes(plan: *mut pg_sys::PlanState) -> Result<*mut pg_sys::ResultRelInfo> {
    // SAFETY: a node is what its tag says; the executor opens indexes where the array is missing, and reads no more of it than
    // the count says.
    unsafe {
        if (*plan).type_ != pg_sys::NodeTag::T_ModifyTableState {
            return Err(unexpected());
        }
        let target = (*plan.cast::<pg_sys::ModifyTableState>()).resultRelInfo;
        if has_row_triggers((*target).ri_TrigDesc) {
            return Err(unexpected());
        }
        (*target).ri_NumIndices = 0;
        (*target).ri_IndexRelationDescs = pg_sys::palloc0(size_of::<pg_sys::Relation>()).cast();
        Ok(target)
    }
}

/// Whether there are INSERT row triggers other than those of foreign keys.
///
/// # Safety
/// The description is NULL or a table's.
unsafe fn has_row_triggers(triggers: *mut pg_sys::TriggerDesc) -> bool {
    const INSERT_ROW: u32 = pg_sys::TRIGGER_TYPE_INSERT | pg_sys::TRIGGER_TYPE_ROW;
    // SAFETY: as the caller promises.
    unsafe {
        trigger::all(triggers).iter().any(|trigger| {
            trigger.tgtype as u32 & INSERT_ROW == INSERT_ROW
                && trigger.tgenabled != pg_sys::TRIGGER_DISABLED as std::ffi::c_char
                && pg_sys::RI_FKey_trigger_type(trigger.tgfoid) == pg_sys::RI_TRIGGER_NONE as i32
        })
    }
}

/// Rows of one page, by their numbers there.
struct Run {
    block: u32,
    first: u16,
    last: u16,
}

/// Takes the places that the INSERT returns. The executor sees its first field.
#[repr(C)]
struct Places {
    receiver: pg_sys::DestReceiver,
    runs: Vec<Run>,
}

impl Places {
    fn new() -> Self {
        let receiver = pg_sys::DestReceiver {
            receiveSlot: Some(receive),
            rStartup: Some(start),
            rShutdown: Some(end),
            rDestroy: Some(end),
            mydest: pg_sys::CommandDest::DestNone,
        };
        Places { receiver, runs: Vec::new() }
    }

    fn add(&mut self, block: u32, number: u16) {
        match self.runs.last_mut() {
            Some(run) if run.block == block && run.last + 1 == number => run.last = number,
            _ => self.runs.push(Run { block, first: number, last: number }),
        }
    }
}

unsafe extern "C-unwind" fn receive(slot: *mut pg_sys::TupleTableSlot, receiver: *mut pg_sys::DestReceiver) -> bool {
    // SAFETY: the receiver is the first field of `Places`; the slot is virtual, and has the one column that is returned.
    unsafe {
        let place = *(*(*slot).tts_values).cast_mut_ptr::<pg_sys::ItemPointerData>();
        let (block, number) = pgrx::itemptr::item_pointer_get_both(place);
        (*receiver.cast::<Places>()).add(block, number);
    }
    true
}

unsafe extern "C-unwind" fn start(_: *mut pg_sys::DestReceiver, _: std::ffi::c_int, _: pg_sys::TupleDesc) {}

unsafe extern "C-unwind" fn end(_: *mut pg_sys::DestReceiver) {}

/// An index that is being filled.
struct Filling {
    index: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
    /// The predicate of a partial index.
    predicate: *mut pg_sys::ExprState,
    /// `None`: an access method that knows no order; entries go in as they come.
    sort: Option<Sort>,
    unique: pg_sys::IndexUniqueCheck::Type,
}

/// The entries of a B-tree, each with the place of its row as one more column.
struct Sort {
    state: *mut pg_sys::Tuplesortstate,
    columns: usize,
    put: *mut pg_sys::TupleTableSlot,
    get: *mut pg_sys::TupleTableSlot,
}

/// What entries are made with: a row, and the columns of its entry.
struct Entry {
    table: pg_sys::Relation,
    estate: *mut pg_sys::EState,
    econtext: *mut pg_sys::ExprContext,
    slot: *mut pg_sys::TupleTableSlot,
    values: [Datum; pg_sys::INDEX_MAX_KEYS as usize],
    nulls: [bool; pg_sys::INDEX_MAX_KEYS as usize],
}

/// # Safety
/// The rows are this command's own, and in no index yet.
unsafe fn fill_indexes(table: pg_sys::Relation, runs: &[Run]) -> Result<()> {
    // SAFETY: opened and closed in the order of the executor; what is allocated is the executor state's.
    unsafe {
        let estate = pg_sys::CreateExecutorState();
        let target = trigger::target(table);
        pg_sys::ExecOpenIndices(target, false);
        let mut entry = Entry {
            table,
            estate,
            econtext: pg_sys::MakePerTupleExprContext(estate),
            slot: pg_sys::table_slot_create(table, null_mut()),
            values: [Datum::null(); pg_sys::INDEX_MAX_KEYS as usize],
            nulls: [false; pg_sys::INDEX_MAX_KEYS as usize],
        };
        (*entry.econtext).ecxt_scantuple = entry.slot;
        let fillings = fillings(target, estate)?;
        progress::publish_phase(Phase::Indexing);
        for run in runs {
            check_for_interrupts!();
            if !entry.take(run, &fillings) {
                return Err(unexpected());
            }
        }
        let mut entries = 0;
        for filling in &fillings {
            if let Some(sort) = &filling.sort {
                pg_sys::tuplesort_performsort(sort.state);
                while entry.insert_sorted(filling, sort) {
                    check_for_interrupts!();
                    entries += BATCH;
                    progress::publish_rows_done((entries / fillings.len()) as i64);
                }
                sort.end();
            }
        }
        pg_sys::ExecDropSingleTupleTableSlot(entry.slot);
        pg_sys::ExecCloseIndices(target);
        pg_sys::FreeExecutorState(estate);
    }
    Ok(())
}

/// # Safety
/// The target's indexes are open.
unsafe fn fillings(target: *mut pg_sys::ResultRelInfo, estate: *mut pg_sys::EState) -> Result<Vec<Filling>> {
    // SAFETY: the arrays have as many elements as the count says.
    unsafe {
        let (indexes, infos) = ((*target).ri_IndexRelationDescs, (*target).ri_IndexRelationInfo);
        let all = (0..(*target).ri_NumIndices as usize).map(|i| (*indexes.add(i), *infos.add(i)));
        let ready: Vec<_> = all.filter(|(_, info)| (**info).ii_ReadyForInserts).collect();
        let at_once = |index: pg_sys::Relation| {
            let form = (*index).rd_index;
            !(*form).indisexclusion && (*form).indimmediate
        };
        if !ready.iter().all(|(index, _)| at_once(*index)) {
            return Err(unexpected());
        }
        let sorted = |index: pg_sys::Relation| (*(*index).rd_rel).relam == pg_sys::BTREE_AM_OID;
        let sorts = ready.iter().filter(|(index, _)| sorted(*index)).count().max(1);
        let memory = (pg_sys::work_mem / sorts as i32).max(64);
        let filling = |(index, info): (pg_sys::Relation, *mut pg_sys::IndexInfo)| Filling {
            index,
            info,
            predicate: pg_sys::ExecPrepareQual((*info).ii_Predicate, estate),
            sort: sorted(index).then(|| Sort::begin(index, memory)),
            unique: if (*(*index).rd_index).indisunique {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES
            } else {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO
            },
        };
        Ok(ready.into_iter().map(filling).collect())
    }
}

impl Sort {
    /// Sorts nearly as the index does: text by its bytes, which is many times faster than by a language's rules. It is enough that
    /// neighbours come one after the other.
    ///
    /// # Safety
    /// The index is open, and a B-tree.
    unsafe fn begin(index: pg_sys::Relation, memory: i32) -> Self {
        // SAFETY: the index's arrays have an element for each of its keys.
        unsafe {
            let (all, keys) = ((*(*index).rd_att).natts as usize, (*(*index).rd_index).indnkeyatts as usize);
            let columns = pg_sys::CreateTemplateTupleDesc(all as i32 + 1);
            for column in 1..=all as i16 {
                pg_sys::TupleDescCopyEntry(columns, column, (*index).rd_att, column);
            }
            pg_sys::TupleDescInitEntry(columns, all as i16 + 1, c"ctid".as_ptr(), pg_sys::TIDOID, -1, 0);
            let option = |key: usize, flag: u32| *(*index).rd_indoption.add(key) as u32 & flag != 0;
            let mut numbers: Vec<i16> = (1..=keys as i16).collect();
            let mut operators: Vec<pg_sys::Oid> = (0..keys)
                .map(|key| {
                    let (family, of) = (*(*index).rd_opfamily.add(key), *(*index).rd_opcintype.add(key));
                    let down = option(key, pg_sys::INDOPTION_DESC);
                    let strategy = if down { pg_sys::BTGreaterStrategyNumber } else { pg_sys::BTLessStrategyNumber };
                    pg_sys::get_opfamily_member(family, of, of, strategy as i16)
                })
                .collect();
            let mut collations: Vec<pg_sys::Oid> = (0..keys)
                .map(|key| match *(*index).rd_indcollation.add(key) {
                    pg_sys::InvalidOid => pg_sys::InvalidOid,
                    _ => pg_sys::C_COLLATION_OID,
                })
                .collect();
            let mut nulls_first: Vec<bool> = (0..keys).map(|key| option(key, pg_sys::INDOPTION_NULLS_FIRST)).collect();
            let state = pg_sys::tuplesort_begin_heap(
                columns,
                keys as i32,
                numbers.as_mut_ptr(),
                operators.as_mut_ptr(),
                collations.as_mut_ptr(),
                nulls_first.as_mut_ptr(),
                memory,
                null_mut(),
                Default::default(),
            );
            Sort {
                state,
                columns: all,
                put: pg_sys::MakeSingleTupleTableSlot(columns, &raw const pg_sys::TTSOpsVirtual),
                get: pg_sys::MakeSingleTupleTableSlot(columns, &raw const pg_sys::TTSOpsMinimalTuple),
            }
        }
    }

    /// # Safety
    /// Within a guard; there are as many values as the index has columns.
    unsafe fn add(&self, values: *const Datum, nulls: *const bool, place: &mut pg_sys::ItemPointerData) {
        // SAFETY: as the caller promises; the slot has room for them, and for the place.
        unsafe {
            let clear = (*(*self.put).tts_ops).clear.expect("every slot can be cleared");
            clear(self.put);
            std::ptr::copy_nonoverlapping(values, (*self.put).tts_values, self.columns);
            std::ptr::copy_nonoverlapping(nulls, (*self.put).tts_isnull, self.columns);
            *(*self.put).tts_values.add(self.columns) = Datum::from(place as *mut pg_sys::ItemPointerData);
            *(*self.put).tts_isnull.add(self.columns) = false;
            c::ExecStoreVirtualTuple(self.put);
            c::tuplesort_puttupleslot(self.state, self.put);
        }
    }

    /// The next entry: the slot has its columns, and the place is returned.
    ///
    /// # Safety
    /// Within a guard; the sort is done.
    unsafe fn next(&self) -> Option<pg_sys::ItemPointer> {
        // SAFETY: as the caller promises.
        unsafe {
            if !c::tuplesort_gettupleslot(self.state, true, false, self.get, null_mut()) {
                return None;
            }
            c::slot_getsomeattrs_int(self.get, self.columns as i32 + 1);
            Some((*(*self.get).tts_values.add(self.columns)).cast_mut_ptr())
        }
    }

    /// # Safety
    /// Nothing after it.
    unsafe fn end(&self) {
        // SAFETY: made by `begin`.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(self.put);
            pg_sys::ExecDropSingleTupleTableSlot(self.get);
            pg_sys::tuplesort_end(self.state);
        }
    }
}

impl Entry {
    /// Makes the entries of a page's rows: for the sort, or into an index that has none. False where a row is no longer as it
    /// was written: something has changed it since.
    ///
    /// # Safety
    /// The rows are this command's own; the indexes are open.
    unsafe fn take(&mut self, run: &Run, fillings: &[Filling]) -> bool {
        // SAFETY: as the caller promises. Within the guard no value is dropped that an error would jump over.
        unsafe {
            let fetch = (*(*self.table).rd_tableam).tuple_fetch_row_version.expect("every table can be read");
            pg_guard_ffi_boundary(|| {
                let before = pg_sys::CurrentMemoryContext;
                for number in run.first..=run.last {
                    let mut place = pg_sys::ItemPointerData::default();
                    pgrx::itemptr::item_pointer_set_all(&mut place, run.block, number);
                    if !fetch(self.table, &mut place, &raw mut pg_sys::SnapshotSelfData, self.slot) {
                        return false;
                    }
                    pg_sys::CurrentMemoryContext = (*self.econtext).ecxt_per_tuple_memory;
                    for filling in fillings {
                        self.make(filling, &mut place);
                    }
                    pg_sys::CurrentMemoryContext = before;
                    c::MemoryContextReset((*self.econtext).ecxt_per_tuple_memory);
                }
                true
            })
        }
    }

    /// # Safety
    /// Within a guard; the slot has the row of that place.
    unsafe fn make(&mut self, filling: &Filling, place: &mut pg_sys::ItemPointerData) {
        let (values, nulls) = (self.values.as_mut_ptr(), self.nulls.as_mut_ptr());
        // SAFETY: as the caller promises; there is room for the columns of any index.
        unsafe {
            if !self.fits(filling.predicate) {
                return;
            }
            c::FormIndexDatum(filling.info, self.slot, self.estate, values, nulls);
            match &filling.sort {
                Some(sort) => sort.add(values, nulls, place),
                None => self.insert(filling, values, nulls, place),
            }
        }
    }

    /// # Safety
    /// Within a guard; the slot has a row.
    unsafe fn fits(&self, predicate: *mut pg_sys::ExprState) -> bool {
        if predicate.is_null() {
            return true;
        }
        let mut null = false;
        // SAFETY: as the executor evaluates a prepared condition, which is never NULL.
        unsafe {
            let evaluate = (*predicate).evalfunc.expect("a prepared expression can be evaluated");
            evaluate(predicate, self.econtext, &mut null).value() != 0
        }
    }

    /// # Safety
    /// Within a guard; the values are those of the entry.
    unsafe fn insert(&self, filling: &Filling, values: *mut Datum, nulls: *mut bool, place: pg_sys::ItemPointer) {
        // SAFETY: as the caller promises.
        unsafe {
            c::index_insert(filling.index, values, nulls, place, self.table, filling.unique, false, filling.info);
        }
    }

    /// Inserts the next entries of an index; false where they were the last.
    ///
    /// # Safety
    /// The sort is done, and the index open.
    unsafe fn insert_sorted(&self, filling: &Filling, sort: &Sort) -> bool {
        // SAFETY: as the caller promises. Within the guard no value is dropped that an error would jump over.
        unsafe {
            pg_guard_ffi_boundary(|| {
                let before = pg_sys::CurrentMemoryContext;
                for _ in 0..BATCH {
                    let Some(place) = sort.next() else { return false };
                    pg_sys::CurrentMemoryContext = (*self.econtext).ecxt_per_tuple_memory;
                    self.insert(filling, (*sort.get).tts_values, (*sort.get).tts_isnull, place);
                    pg_sys::CurrentMemoryContext = before;
                }
                c::MemoryContextReset((*self.econtext).ecxt_per_tuple_memory);
                true
            })
        }
    }
}
