//! Rows that a run keeps for itself, outside all tables: a tuplestore, in memory up to `work_mem`, then in a temporary file.
//!
//! A statement sees it as an ephemeral named relation (`db::query`), as a trigger's statement sees its transition tables: it has no
//! catalog row and no lock, and nobody else can name it. It is read from its beginning, in the order in which its rows came, and has no
//! index. It belongs to the subtransaction in which it was made: rows that were added in one within that stay when that is rolled back.

use crate::db::allocate;
use crate::db::spi::Composite;
use crate::error::Result;
use pgrx::PgMemoryContexts;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, Datum};
use pgrx::varlena::text_to_rust_str;
use std::cell::Cell;
use std::ffi::{CString, c_char, c_int};
use std::ptr::null_mut;

mod c {
    use super::*;
    // The server's own functions, without the wrappers of pgrx: they are called for each row, within one guard for many.
    unsafe extern "C-unwind" {
        pub fn CreateTuplestoreDestReceiver() -> *mut pg_sys::DestReceiver;
        pub fn SetTuplestoreDestReceiverParams(
            receiver: *mut pg_sys::DestReceiver,
            store: *mut pg_sys::Tuplestorestate,
            context: pg_sys::MemoryContext,
            detoast: bool,
            target: pg_sys::TupleDesc,
            map_failure: *const c_char,
        );
        pub fn tuplestore_gettupleslot(
            state: *mut pg_sys::Tuplestorestate,
            forward: bool,
            copy: bool,
            slot: *mut pg_sys::TupleTableSlot,
        ) -> bool;
        pub fn tuplestore_puttupleslot(state: *mut pg_sys::Tuplestorestate, slot: *mut pg_sys::TupleTableSlot);
        pub fn slot_getsomeattrs_int(slot: *mut pg_sys::TupleTableSlot, columns: c_int);
    }
}

/// catalog/pg_collation.dat
const C_COLLATION: pg_sys::Oid = pg_sys::Oid::from_u32(950);

/// So many rows are read between two looks for a cancel.
const BATCH: usize = 1000;

thread_local! {
    static OWNER: Cell<pg_sys::ResourceOwner> = const { Cell::new(null_mut()) };
}

/// Stores that are made as long as this lives belong to the subtransaction in which it was made, not to one within that.
pub struct Owner(pg_sys::ResourceOwner);

pub fn own_stores() -> Owner {
    // SAFETY: a plain read of the transaction's state.
    Owner(OWNER.replace(unsafe { pg_sys::CurrentResourceOwner }))
}

impl Drop for Owner {
    fn drop(&mut self) {
        OWNER.set(self.0);
    }
}

pub struct Store {
    memory: Option<PgMemoryContexts>,
    /// What the values of a row take while it is made.
    scratch: Option<PgMemoryContexts>,
    pub(super) state: *mut pg_sys::Tuplestorestate,
    /// NULL until it is known what its rows are.
    pub(super) columns: pg_sys::TupleDesc,
    slot: *mut pg_sys::TupleTableSlot,
    rows: i64,
    /// Names and types of the columns: a plan for a store of one shape must not read one of another.
    pub(super) shape: Vec<u8>,
    /// The number of the row in the slot, where the first column is one.
    pending: bool,
}

impl Store {
    /// An empty one. Its columns are those of what fills it.
    pub fn new() -> Self {
        let mut memory = PgMemoryContexts::new("pg_identity store");
        // SAFETY: it lives in a context of its own, which `drop` frees; its owner outlives it.
        let state = unsafe {
            let current = pg_sys::CurrentResourceOwner;
            if !OWNER.get().is_null() {
                pg_sys::CurrentResourceOwner = OWNER.get();
            }
            let state = memory.switch_to(|_| pg_sys::tuplestore_begin_heap(false, false, pg_sys::work_mem));
            pg_sys::CurrentResourceOwner = current;
            state
        };
        Store {
            memory: Some(memory),
            scratch: None,
            state,
            columns: null_mut(),
            slot: null_mut(),
            rows: 0,
            shape: Vec::new(),
            pending: false,
        }
    }

    /// An empty one with these columns: names and types.
    pub fn with_columns(columns: &[(&str, pg_sys::Oid)]) -> Self {
        let mut store = Store::new();
        // SAFETY: the description has as many columns as are filled in; `describe` copies it.
        unsafe {
            let description = pg_sys::CreateTemplateTupleDesc(columns.len() as c_int);
            for (i, (name, of)) in columns.iter().enumerate() {
                let name = CString::new(*name).expect("a name has no NUL byte");
                pg_sys::TupleDescInitEntry(description, i as i16 + 1, name.as_ptr(), *of, -1, 0);
            }
            store.describe(description);
            pg_sys::FreeTupleDesc(description);
        }
        store
    }

    /// An empty one with these columns, of which texts are compared by byte.
    pub fn by_byte(columns: &[(&str, pg_sys::Oid)]) -> Self {
        let of = |of: pg_sys::Oid| if of == pg_sys::TEXTOID { C_COLLATION } else { pg_sys::InvalidOid };
        let columns: Vec<_> = columns.iter().map(|&(name, oid)| (name, oid, -1, of(oid))).collect();
        let [(number, ..), columns @ ..] = columns.as_slice() else { return Store::new() };
        Store::typed(number, columns)
    }

    /// An empty one with a row number and columns of these names, types, type modifiers and collations.
    pub fn typed(number: &str, columns: &[(&str, pg_sys::Oid, i32, pg_sys::Oid)]) -> Self {
        let mut store = Store::new();
        // SAFETY: as in `with_columns`.
        unsafe {
            let description = pg_sys::CreateTemplateTupleDesc(columns.len() as c_int + 1);
            let number = CString::new(number).expect("a name has no NUL byte");
            pg_sys::TupleDescInitEntry(description, 1, number.as_ptr(), pg_sys::INT8OID, -1, 0);
            for (i, (name, of, typmod, collation)) in columns.iter().enumerate() {
                let name = CString::new(*name).expect("a name has no NUL byte");
                pg_sys::TupleDescInitEntry(description, i as i16 + 2, name.as_ptr(), *of, *typmod, 0);
                pg_sys::TupleDescInitEntryCollation(description, i as i16 + 2, *collation);
            }
            store.describe(description);
            pg_sys::FreeTupleDesc(description);
        }
        store
    }

    /// An empty one with the columns of this.
    pub fn like(&self) -> Self {
        let mut store = Store::new();
        if !self.columns.is_null() {
            // SAFETY: the description is this store's own.
            unsafe { store.describe(self.columns) };
        }
        store
    }

    pub fn rows(&self) -> i64 {
        self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Takes a copy of the description of its rows.
    ///
    /// # Safety
    /// It is one, and the store has none yet.
    unsafe fn describe(&mut self, description: pg_sys::TupleDesc) {
        let memory = self.memory.as_mut().expect("the store is open");
        // SAFETY: as the caller promises.
        unsafe {
            memory.switch_to(|_| {
                self.columns = pg_sys::CreateTupleDescCopy(description);
                self.slot = pg_sys::MakeSingleTupleTableSlot(self.columns, &raw const pg_sys::TTSOpsMinimalTuple);
            });
            self.shape = shape(self.columns);
        }
    }

    /// The columns by name, type, type modifier and collation.
    pub fn description(&self) -> Vec<(String, pg_sys::Oid, i32, pg_sys::Oid)> {
        // SAFETY: a description has as many columns as it says.
        unsafe {
            attributes(self.columns)
                .map(|a| (pgrx::name_data_to_str(&a.attname).to_string(), a.atttypid, a.atttypmod, a.attcollation))
                .collect()
        }
    }

    /// Reads it anew from its first row.
    pub fn rewind(&mut self) {
        // SAFETY: the store's first read pointer is that of these functions; statements have others.
        unsafe {
            pg_sys::tuplestore_select_read_pointer(self.state, 0);
            pg_sys::tuplestore_rescan(self.state);
        }
        self.pending = false;
    }

    /// The next row; false at the end.
    fn advance(&mut self) -> bool {
        if self.columns.is_null() {
            return false;
        }
        // SAFETY: the slot was made for this store's rows.
        unsafe {
            pg_sys::tuplestore_select_read_pointer(self.state, 0);
            pg_sys::tuplestore_gettupleslot(self.state, true, false, self.slot)
        }
    }

    /// Hands over its rows from the first on.
    pub fn each(&mut self, mut each: impl FnMut(&StoredRow) -> Result<()>) -> Result<()> {
        self.rewind();
        let mut read = 0;
        while self.advance() {
            each(&StoredRow(self.slot))?;
            read += 1;
            if read % BATCH == 0 {
                pgrx::check_for_interrupts!();
            }
        }
        Ok(())
    }

    /// The bigint of its one row.
    pub fn first_number(&mut self) -> i64 {
        self.rewind();
        if self.advance() { StoredRow(self.slot).number(1) } else { 0 }
    }

    /// Its first half and its second half.
    pub fn halves(&mut self) -> [Store; 2] {
        let (first, half) = (self.rows / 2, self.like());
        let mut halves = [half, self.like()];
        for (second, half) in halves.iter_mut().enumerate() {
            let mut row = 0;
            self.rewind();
            self.copy_to(i64::MAX, half, |_| {
                row += 1;
                (row > first) == (second == 1)
            });
        }
        halves
    }

    /// Copies the rows that come next and whose number is at most `last` into another store, so far as `wanted` says so. Numbers
    /// rise. To be begun with `rewind`, or where the last call ended.
    pub fn copy_to(&mut self, last: i64, to: &mut Store, mut wanted: impl FnMut(i64) -> bool) {
        if to.columns.is_null() {
            // SAFETY: the description is this store's own.
            unsafe { to.describe(self.columns) };
        }
        let mut more = true;
        while more {
            pgrx::check_for_interrupts!();
            // SAFETY: both stores have rows of the same description. What `wanted` keeps has no destructor that an error of the server
            // would jump over.
            more = unsafe {
                pg_sys::tuplestore_select_read_pointer(self.state, 0);
                pg_guard_ffi_boundary(|| {
                    for _ in 0..BATCH {
                        if !self.pending && !c::tuplestore_gettupleslot(self.state, true, false, self.slot) {
                            return false;
                        }
                        self.pending = true;
                        let number = number(self.slot);
                        if number > last {
                            return false;
                        }
                        self.pending = false;
                        if wanted(number) {
                            c::tuplestore_puttupleslot(to.state, self.slot);
                            to.rows += 1;
                        }
                    }
                    true
                })
            };
        }
    }

    /// Adds the rows of another one with the same columns.
    pub fn append(&mut self, other: &mut Store) {
        other.rewind();
        other.copy_to(i64::MAX, self, |_| true);
    }

    /// Adds a row of these values, which it copies.
    pub fn put(&mut self, values: &[Option<Datum>]) {
        let mut nulls: Vec<bool> = values.iter().map(Option::is_none).collect();
        let mut values: Vec<Datum> = values.iter().map(|v| v.unwrap_or(Datum::null())).collect();
        // SAFETY: there is a value for each column, of its type.
        unsafe {
            assert_eq!((*self.columns).natts as usize, values.len(), "a value for each column");
            pg_sys::tuplestore_putvalues(self.state, self.columns, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
        self.rows += 1;
    }

    /// Adds a row of values that are made for it, and freed with it.
    pub fn add<V: AsRef<[Option<Datum>]>>(&mut self, values: impl FnOnce() -> V) {
        let memory = self.memory.as_mut().expect("the store is open");
        // It lives as long as the store, whatever context the first row comes in.
        // SAFETY: the store copies the row before the context is emptied.
        unsafe {
            let new = || memory.switch_to(|_| PgMemoryContexts::new("pg_identity row"));
            let mut scratch = self.scratch.take().unwrap_or_else(new);
            scratch.switch_to(|_| self.put(values().as_ref()));
            scratch.reset();
            self.scratch = Some(scratch);
        }
    }

    /// Adds the row in a slot of its own description.
    ///
    /// # Safety
    /// Within a guard; the slot has such a row.
    pub(super) unsafe fn put_slot(&mut self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: as the caller promises.
        unsafe { c::tuplestore_puttupleslot(self.state, slot) };
        self.rows += 1;
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // The one for rows lies in the store's own, and goes first.
        let memory = (self.scratch.take(), self.memory.take());
        // After an error Postgres frees all of it with the transaction.
        if std::thread::panicking() {
            std::mem::forget(memory);
            return;
        }
        // SAFETY: made by `new`, freed once; what else there is goes with the context.
        unsafe { pg_sys::tuplestore_end(self.state) };
    }
}

/// A row that is being read.
pub struct StoredRow(*mut pg_sys::TupleTableSlot);

impl StoredRow {
    /// The value of a column, from 1; `None` where it is NULL.
    pub fn get<T: pgrx::FromDatum>(&self, column: c_int) -> Option<T> {
        // SAFETY: the slot has a row with that column, of the type that the caller asks for.
        unsafe {
            pg_sys::slot_getsomeattrs_int(self.0, column);
            let i = column as usize - 1;
            T::from_datum(*(*self.0).tts_values.add(i), *(*self.0).tts_isnull.add(i))
        }
    }

    /// A value of a composite type.
    pub fn composite(&self, column: c_int) -> Option<Composite> {
        let datum = self.get::<AnyDatum>(column)?.0;
        // SAFETY: the slot's description has that column.
        let type_oid = unsafe { super::table::attributes((*self.0).tts_tupleDescriptor)[column as usize - 1].atttypid };
        Some(Composite { datum, type_oid })
    }

    /// A text, however long.
    pub fn text(&self, column: c_int) -> Result<Option<String>> {
        let Some(AnyDatum(value)) = self.get(column) else { return Ok(None) };
        let given = value.cast_mut_ptr();
        // SAFETY: the column is one of texts; what had to be unpacked is a copy of this function's own.
        unsafe {
            let unpacked = pg_sys::pg_detoast_datum_packed(given);
            let text = text_to_rust_str(unpacked).expect("the database's encoding is UTF8");
            let text = allocate::text(text)?;
            if unpacked != given {
                pg_sys::pfree(unpacked.cast());
            }
            Ok(Some(text))
        }
    }

    /// A bigint that is never NULL.
    pub fn number(&self, column: c_int) -> i64 {
        self.get(column).unwrap_or(0)
    }
}

/// A value of any type.
struct AnyDatum(Datum);

impl pgrx::FromDatum for AnyDatum {
    unsafe fn from_polymorphic_datum(datum: Datum, null: bool, _: pg_sys::Oid) -> Option<Self> {
        (!null).then_some(AnyDatum(datum))
    }
}

/// # Safety
/// Within a guard; the slot has a row whose first column is a bigint.
unsafe fn number(slot: *mut pg_sys::TupleTableSlot) -> i64 {
    // SAFETY: as the caller promises.
    unsafe {
        if (*slot).tts_nvalid < 1 {
            c::slot_getsomeattrs_int(slot, 1);
        }
        (*(*slot).tts_values).value() as i64
    }
}

/// # Safety
/// The description is one that stays as long as what is read of it.
unsafe fn attributes<'a>(columns: pg_sys::TupleDesc) -> impl Iterator<Item = &'a pg_sys::FormData_pg_attribute> {
    // SAFETY: as the caller promises; there are as many as the description says.
    unsafe { super::table::attributes(columns).iter() }
}

/// # Safety
/// As of `attributes`.
unsafe fn shape(columns: pg_sys::TupleDesc) -> Vec<u8> {
    let mut shape = Vec::new();
    // SAFETY: as the caller promises.
    for a in unsafe { attributes(columns) } {
        shape.extend(pgrx::name_data_to_str(&a.attname).bytes());
        shape.push(0);
        shape.extend(a.atttypid.to_u32().to_ne_bytes());
        shape.extend(a.atttypmod.to_ne_bytes());
        shape.extend(a.attcollation.to_u32().to_ne_bytes());
    }
    shape
}

/// The server's own receiver, which puts the rows of one statement into a tuplestore. It takes values that are stored elsewhere (TOAST) along, for
/// what they belong to may be gone when they are read.
///
/// # Safety
/// The tuplestore is open, and lives in this memory context.
pub(super) unsafe fn receiver(
    state: *mut pg_sys::Tuplestorestate,
    memory: pg_sys::MemoryContext,
) -> *mut pg_sys::DestReceiver {
    // SAFETY: as the caller promises.
    unsafe {
        pg_guard_ffi_boundary(|| {
            let receiver = c::CreateTuplestoreDestReceiver();
            c::SetTuplestoreDestReceiverParams(receiver, state, memory, true, null_mut(), std::ptr::null());
            receiver
        })
    }
}

/// Takes the rows of a statement into a store. The executor sees its first field.
#[repr(C)]
pub(super) struct Filling<'f> {
    receiver: pg_sys::DestReceiver,
    store: &'f mut Store,
    /// Is told the number of each row.
    note: &'f mut dyn FnMut(i64),
    inner: *mut pg_sys::DestReceiver,
}

impl<'f> Filling<'f> {
    pub fn new(store: &'f mut Store, note: &'f mut dyn FnMut(i64)) -> Self {
        let receiver = pg_sys::DestReceiver {
            receiveSlot: Some(receive),
            rStartup: Some(start),
            rShutdown: Some(end),
            rDestroy: Some(destroy),
            mydest: pg_sys::CommandDest::DestNone,
        };
        let memory = store.memory.as_ref().expect("the store is open").value();
        // SAFETY: the receiver is made for this store, and used up by one statement.
        let inner = unsafe { self::receiver(store.state, memory) };
        Filling { receiver, store, note, inner }
    }

    pub fn receiver(&mut self) -> *mut pg_sys::DestReceiver {
        (&raw mut *self).cast()
    }
}

unsafe extern "C-unwind" fn start(receiver: *mut pg_sys::DestReceiver, operation: c_int, columns: pg_sys::TupleDesc) {
    // SAFETY: the receiver is the first field of `Filling`.
    unsafe {
        let filling = receiver.cast::<Filling>();
        if (*filling).store.columns.is_null() {
            (*filling).store.describe(columns);
        }
        let inner = (*filling).inner;
        (*inner).rStartup.expect("a receiver starts")(inner, operation, columns);
    }
}

unsafe extern "C-unwind" fn receive(slot: *mut pg_sys::TupleTableSlot, receiver: *mut pg_sys::DestReceiver) -> bool {
    // SAFETY: as above; the first column is a row's number wherever it is asked for.
    unsafe {
        let filling = receiver.cast::<Filling>();
        let number = number(slot);
        ((*filling).note)(number);
        (*filling).store.rows += 1;
        let inner = (*filling).inner;
        (*inner).receiveSlot.expect("a receiver receives")(slot, inner)
    }
}

unsafe extern "C-unwind" fn end(receiver: *mut pg_sys::DestReceiver) {
    // SAFETY: as above.
    unsafe {
        let inner = (*receiver.cast::<Filling>()).inner;
        (*inner).rShutdown.expect("a receiver ends")(inner);
    }
}

unsafe extern "C-unwind" fn destroy(_: *mut pg_sys::DestReceiver) {}
