//! Where a row of a table is now that this transaction may have changed since it was written.

use crate::db::session;
use crate::error::Result;
use pgrx::itemptr::{item_pointer_get_both, item_pointer_set_all};
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, Datum};
use std::ptr::null_mut;

/// A place in a table: the table, the page, the number in the page.
pub type Place = (u32, u32, u16);

/// Whether the row in a place was written by this transaction.
pub fn is_own(place: Place) -> Result<bool> {
    with_table(place.0, |table, snapshot| {
        let mut tid = item(place);
        // SAFETY: the slot is of the table's own kind, and used up here; the row's system column is there where the row is.
        unsafe {
            let slot = pg_sys::table_slot_create(table, null_mut());
            let fetch = (*(*table).rd_tableam).tuple_fetch_row_version.expect("every table can be read");
            let found = pg_guard_ffi_boundary(|| fetch(table, &mut tid, snapshot, slot));
            let own = found && {
                let mut null = false;
                let get = (*(*slot).tts_ops).getsysattr.expect("a row of a table has system columns");
                let writer: Datum =
                    pg_guard_ffi_boundary(|| get(slot, pg_sys::MinTransactionIdAttributeNumber, &mut null));
                pg_sys::TransactionIdIsCurrentTransactionId((writer.value() as u32).into())
            };
            pg_sys::ExecDropSingleTupleTableSlot(slot);
            own
        }
    })
}

/// The places where the rows are now that were written to these places of one table.
pub fn latest(table: u32, places: impl Iterator<Item = Place>, mut each: impl FnMut(Place, Place)) -> Result<()> {
    with_table(table, |relation, snapshot| {
        // SAFETY: the scan is of the table, and ended here.
        unsafe {
            let access = (*relation).rd_tableam;
            let (begin, end) = ((*access).scan_begin, (*access).scan_end);
            let flags = pg_sys::ScanOptions::SO_TYPE_TIDSCAN;
            let begin = begin.expect("every table can be read");
            let scan = pg_guard_ffi_boundary(|| begin(relation, snapshot, 0, null_mut(), null_mut(), flags));
            for place in places {
                pgrx::check_for_interrupts!();
                let mut tid = item(place);
                pg_sys::table_tuple_get_latest_tid(scan, &mut tid);
                let (block, number) = item_pointer_get_both(tid);
                each(place, (table, block, number));
            }
            let end = end.expect("every table can be read");
            pg_guard_ffi_boundary(|| end(scan));
        }
    })
}

fn item(place: Place) -> pg_sys::ItemPointerData {
    let mut tid = pg_sys::ItemPointerData::default();
    item_pointer_set_all(&mut tid, place.1, place.2);
    tid
}

fn with_table<T>(table: u32, work: impl FnOnce(pg_sys::Relation, pg_sys::Snapshot) -> T) -> Result<T> {
    session::with_snapshot(|| {
        // SAFETY: the table has been written by this transaction, and is closed as it was opened.
        unsafe {
            let relation = pg_sys::table_open(table.into(), pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            let outcome = work(relation, pg_sys::GetActiveSnapshot());
            pg_sys::table_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
            Ok(outcome)
        }
    })
}
