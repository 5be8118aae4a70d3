//! A table as the executor's target, outside of a statement: its triggers, and BEFORE INSERT row triggers fired on a row that is not inserted.

use pgrx::pg_sys;

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

/// What the BEFORE INSERT row triggers of the row's own table make of it; `None` where one of them drops it.
///
/// # Safety
/// `row` is a composite datum whose type is the row type of an ordinary or partitioned table.
pub unsafe fn fire_before_insert(row: pg_sys::Datum) -> Option<pg_sys::Datum> {
    // SAFETY: the executor state, the relation and the slot are opened and closed here, in the order the executor
    // itself uses; the tuple's header is that of a detoasted composite datum.
    unsafe {
        let header = pg_sys::pg_detoast_datum(row.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>();
        let relid = pg_sys::typeidTypeRelid((*header).t_choice.t_datum.datum_typeid);
        let relation = pg_sys::table_open(relid, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
        let estate = pg_sys::CreateExecutorState();
        let target = target(relation);
        let slot = pg_sys::MakeSingleTupleTableSlot((*relation).rd_att, &raw const pg_sys::TTSOpsHeapTuple);

        let mut tuple = pg_sys::HeapTupleData {
            t_len: (*header).t_choice.t_datum.datum_len_ as u32 >> 2,
            t_data: header,
            t_tableOid: relid,
            ..Default::default()
        };
        pg_sys::ExecForceStoreHeapTuple(&mut tuple, slot, false);
        let kept = (*target).ri_TrigDesc.is_null()
            || !(*(*target).ri_TrigDesc).trig_insert_before_row
            || pg_sys::ExecBRInsertTriggers(estate, target, slot);
        let result = kept.then(|| pg_sys::ExecFetchSlotHeapTupleDatum(slot));

        pg_sys::ExecDropSingleTupleTableSlot(slot);
        pg_sys::FreeExecutorState(estate);
        pg_sys::table_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        result
    }
}
