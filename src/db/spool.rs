//! Texts kept outside tables, so that they outlive the rollback of a subtransaction within the current one: in memory up to `work_mem`, then in
//! a temporary file, as Postgres' own tuplestore does it.

use crate::db::allocate;
use crate::db::receive::{self, Store};
use crate::error::Result;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::varlena::text_to_rust_str;

pub struct Spool {
    store: Store,
    slot: *mut pg_sys::TupleTableSlot,
}

impl Spool {
    /// Opens a spool that belongs to the current memory context and to the current (sub)transaction, which frees it and its file
    /// if it is rolled back.
    pub fn new() -> Self {
        // SAFETY: all three are made in the current memory context and freed by `drop`; a one-column descriptor
        // is initialised before the slot is made of it.
        unsafe {
            let columns = pg_sys::CreateTemplateTupleDesc(1);
            pg_sys::TupleDescInitEntry(columns, 1, c"text".as_ptr(), pg_sys::TEXTOID, -1, 0);
            let store = pg_sys::tuplestore_begin_heap(false, false, pg_sys::work_mem);
            Spool {
                store: Store { store, context: pg_sys::CurrentMemoryContext, columns },
                slot: pg_sys::MakeSingleTupleTableSlot(columns, &raw const pg_sys::TTSOpsMinimalTuple),
            }
        }
    }

    /// Adds what a query with one column of type text returns. It is read to its end.
    pub fn fill(&mut self, query: &str, arguments: &[DatumWithOid]) -> Result<u64> {
        // SAFETY: the store was made by `new`, in this context.
        unsafe { receive::run_into(&self.store, query, arguments) }
    }

    /// Hands over the texts in the order they came, in batches of at most `size`. NULLs are left out.
    pub fn drain(&mut self, size: usize, mut each: impl FnMut(Vec<String>) -> Result<()>) -> Result<()> {
        let mut batch = Vec::new();
        while let Some(text) = self.next() {
            batch.extend(text);
            if batch.len() == size {
                each(std::mem::take(&mut batch))?;
            }
        }
        if batch.is_empty() { Ok(()) } else { each(batch) }
    }

    /// Takes the next text, which may be NULL; none at the end.
    pub fn next(&mut self) -> Option<Option<String>> {
        pgrx::check_for_interrupts!();
        // SAFETY: the slot was made for this store's tuples; its value is read before the next fetch.
        unsafe {
            if !pg_sys::tuplestore_gettupleslot(self.store.store, true, false, self.slot) {
                return None;
            }
            pg_sys::slot_getsomeattrs_int(self.slot, 1);
            Some((!*(*self.slot).tts_isnull).then(|| text(*(*self.slot).tts_values)))
        }
    }
}

/// # Safety
/// The value is a text.
unsafe fn text(value: pg_sys::Datum) -> String {
    let given = value.cast_mut_ptr();
    // SAFETY: as the caller promises; what had to be unpacked is a copy of this function's own.
    unsafe {
        let unpacked = pg_sys::pg_detoast_datum_packed(given);
        let text = text_to_rust_str(unpacked).expect("the database's encoding is UTF8");
        let text = allocate::text(text).unwrap_or_else(|error| error.raise());
        if unpacked != given {
            pg_sys::pfree(unpacked.cast());
        }
        text
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // After an error Postgres frees all of it with the transaction, and these pointers are stale.
        if std::thread::panicking() {
            return;
        }
        // SAFETY: made by `new`, freed once.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::tuplestore_end(self.store.store);
            pg_sys::FreeTupleDesc(self.store.columns);
        }
    }
}
