//! Texts kept outside tables, so that they outlive the rollback of a subtransaction: in memory up to `work_mem`, then in
//! a temporary file, as Postgres' own tuplestore does it.

use crate::error::Result;
use pgrx::pg_sys;
use pgrx::{FromDatum, IntoDatum};

pub struct Spool {
    store: *mut pg_sys::Tuplestorestate,
    columns: pg_sys::TupleDesc,
    slot: *mut pg_sys::TupleTableSlot,
}

impl Spool {
    /// Opens a spool that belongs to the current transaction level and memory context.
    pub fn new() -> Self {
        // SAFETY: all three are made in the current memory context and freed by `drop`; a one-column descriptor
        // is initialised before the slot is made of it.
        unsafe {
            let columns = pg_sys::CreateTemplateTupleDesc(1);
            pg_sys::TupleDescInitEntry(columns, 1, c"text".as_ptr(), pg_sys::TEXTOID, -1, 0);
            Spool {
                store: pg_sys::tuplestore_begin_heap(false, true, pg_sys::work_mem),
                slot: pg_sys::MakeSingleTupleTableSlot(columns, &raw const pg_sys::TTSOpsMinimalTuple),
                columns,
            }
        }
    }

    pub fn push(&mut self, text: &str) {
        // SAFETY: one value and one null flag, as the descriptor has one column; the store copies the value.
        unsafe {
            let mut value = text.into_datum().expect("a text is not NULL");
            let mut null = false;
            pg_sys::tuplestore_putvalues(self.store, self.columns, &raw mut value, &raw mut null);
            pg_sys::pfree(value.cast_mut_ptr());
        }
    }

    /// Hands over the texts in the order they came, in batches of at most `size`.
    pub fn drain(&mut self, size: usize, mut each: impl FnMut(Vec<String>) -> Result<()>) -> Result<()> {
        let mut batch = Vec::new();
        while let Some(text) = self.next() {
            batch.push(text);
            if batch.len() == size {
                each(std::mem::take(&mut batch))?;
            }
        }
        if batch.is_empty() { Ok(()) } else { each(batch) }
    }

    fn next(&mut self) -> Option<String> {
        // SAFETY: the slot was made for this store's tuples; its value is read before the next fetch.
        unsafe {
            if !pg_sys::tuplestore_gettupleslot(self.store, true, false, self.slot) {
                return None;
            }
            pg_sys::slot_getsomeattrs_int(self.slot, 1);
            String::from_datum(*(*self.slot).tts_values, *(*self.slot).tts_isnull)
        }
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
            pg_sys::tuplestore_end(self.store);
            pg_sys::FreeTupleDesc(self.columns);
        }
    }
}
