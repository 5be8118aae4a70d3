//! A table as the executor's target, outside of a statement: its triggers, and BEFORE INSERT row triggers fired on a row that is not inserted.

use crate::db::session;
use crate::db::spi::Composite;
use crate::db::store::Store;
use crate::error::{Error, Result};
use pgrx::PgMemoryContexts;
use pgrx::pg_sys;
use std::ffi::CStr;

/// The triggers of a table; NULL: none.
///
/// # Safety
/// The description is NULL or that of a relation that stays open.
pub unsafe fn all<'a>(triggers: *mut pg_sys::TriggerDesc) -> &'a [pg_sys::Trigger] {
    // SAFETY: as the caller promises; the array has as many triggers as it says.
    unsafe {
        if triggers.is_null() {
            return &[];
        }
        std::slice::from_raw_parts((*triggers).triggers, (*triggers).numtriggers as usize)
    }
}

/// A relation as the executor has its target, of no statement.
///
/// # Safety
/// The relation is open, and stays so as long as the target is used.
pub unsafe fn target(relation: pg_sys::Relation) -> *mut pg_sys::ResultRelInfo {
    // SAFETY: as the caller promises; 0 says that there is no range table to look into.
    unsafe {
        let target: *mut pg_sys::ResultRelInfo = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast();
        (*target).type_ = pg_sys::NodeTag::T_ResultRelInfo;
        pg_sys::InitResultRelInfo(target, relation, 0, std::ptr::null_mut(), 0);
        target
    }
}

/// Shows rows of `table` to its BEFORE INSERT row triggers, without inserting them. `rows` are their numbers and the rows, of
/// the table's own type, on which the caller has checked the right to insert; `each` is told what became of a row, as text: `None` where
/// a trigger drops it. Returns how many there were.
pub fn fire_before_insert(
    table: pg_sys::Oid,
    rows: &mut Store,
    mut each: impl FnMut(i64, Option<String>),
) -> Result<u64> {
    let firing = Firing::on(table);
    let mut fired = 0;
    // The triggers see what has been written so far.
    session::with_snapshot(|| {
        rows.each(|row| {
            let shown = row.composite(2).ok_or_else(unexpected)?;
            each(row.number(1), firing.fire(shown)?);
            fired += 1;
            Ok(())
        })
    })?;
    Ok(fired)
}

fn unexpected() -> Error {
    Error::new("XX000", "pg_identity has no row to show to a table's triggers")
}

/// A table whose triggers are fired. It stays open.
struct Firing {
    relation: pg_sys::Relation,
    estate: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    /// The context of what is made of one row.
    row: pg_sys::MemoryContext,
    /// The output function of the table's row type.
    print: pg_sys::Oid,
}

impl Firing {
    fn on(table: pg_sys::Oid) -> Self {
        // SAFETY: made in the order of the executor itself, in its own context, and taken apart by `drop`.
        unsafe {
            let relation = pg_sys::table_open(table, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
            let estate = pg_sys::CreateExecutorState();
            let (mut print, mut varlena) = (pg_sys::InvalidOid, false);
            pg_sys::getTypeOutputInfo((*(*relation).rd_rel).reltype, &mut print, &mut varlena);
            PgMemoryContexts::For((*estate).es_query_cxt).switch_to(|_| Firing {
                relation,
                estate,
                target: target(relation),
                slot: pg_sys::MakeSingleTupleTableSlot((*relation).rd_att, &raw const pg_sys::TTSOpsHeapTuple),
                row: (*pg_sys::MakePerTupleExprContext(estate)).ecxt_per_tuple_memory,
                print,
            })
        }
    }

    fn fire(&self, row: Composite) -> Result<Option<String>> {
        // SAFETY: as the executor does it: triggers are called in its own context, where what they remember from one row to the next
        // stays; what is made of a row is in the context that is emptied after it.
        unsafe {
            let stored = PgMemoryContexts::For(self.row).switch_to(|_| self.store(row));
            let kept = stored.map(|()| PgMemoryContexts::For((*self.estate).es_query_cxt).switch_to(|_| self.call()));
            let text = kept.map(|kept| kept.then(|| PgMemoryContexts::For(self.row).switch_to(|_| self.printed())));
            let clear = (*(*self.slot).tts_ops).clear.expect("every slot can be cleared");
            clear(self.slot);
            pg_sys::MemoryContextReset(self.row);
            text
        }
    }

    /// Puts a row into the slot.
    ///
    /// # Safety
    /// In the context of one row.
    unsafe fn store(&self, row: Composite) -> Result<()> {
        // SAFETY: a composite value has the header of a tuple; it is of the table's own type, so that the slot, which is of the table's
        // descriptor, can hold it. What the slot points to lives as long as the context of the row.
        unsafe {
            let header = pg_sys::pg_detoast_datum(row.datum.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>();
            let own = (*(*self.relation).rd_rel).reltype;
            if row.type_oid != own || (*header).t_choice.t_datum.datum_typeid != own {
                return Err(unexpected());
            }
            let tuple: pg_sys::HeapTuple = pg_sys::palloc0(size_of::<pg_sys::HeapTupleData>()).cast();
            (*tuple).t_len = (*header).t_choice.t_datum.datum_len_ as u32 >> 2;
            (*tuple).t_data = header;
            (*tuple).t_tableOid = (*self.relation).rd_id;
            pg_sys::ExecForceStoreHeapTuple(tuple, self.slot, false);
            Ok(())
        }
    }

    /// Calls the triggers; false where one of them drops the row.
    ///
    /// # Safety
    /// In the executor's context; the slot has a row.
    unsafe fn call(&self) -> bool {
        // SAFETY: as the caller promises.
        unsafe {
            let triggers = (*self.target).ri_TrigDesc;
            triggers.is_null()
                || !(*triggers).trig_insert_before_row
                || pg_sys::ExecBRInsertTriggers(self.estate, self.target, self.slot)
        }
    }

    /// # Safety
    /// In the context of one row; the slot has a row.
    unsafe fn printed(&self) -> String {
        // SAFETY: as the caller promises; what a type prints is NUL-terminated.
        unsafe {
            let text = pg_sys::OidOutputFunctionCall(self.print, pg_sys::ExecFetchSlotHeapTupleDatum(self.slot));
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }
}

impl Drop for Firing {
    fn drop(&mut self) {
        // After an error Postgres closes all of it with the subtransaction, and these pointers are stale.
        if std::thread::panicking() {
            return;
        }
        // SAFETY: made by `on`, taken apart once.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::FreeExecutorState(self.estate);
            pg_sys::table_close(self.relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        }
    }
}
