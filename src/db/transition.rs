//! The rows of a statement, as an AFTER trigger finds them in its transition tables; or the one row of a row trigger.

use crate::db::allocate;
use crate::db::table::attributes;
use crate::error::{Error, Result};
use pgrx::PgMemoryContexts;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, Datum};
use pgrx::prelude::*;
use std::cell::Cell;
use std::ffi::CStr;

mod c {
    use super::*;
    // The server's own functions, without the wrappers of pgrx: they are called for each row, within one guard.
    unsafe extern "C-unwind" {
        pub fn tuplestore_gettupleslot(
            store: *mut pg_sys::Tuplestorestate,
            forward: bool,
            copy: bool,
            slot: *mut pg_sys::TupleTableSlot,
        ) -> bool;
        pub fn slot_getsomeattrs_int(slot: *mut pg_sys::TupleTableSlot, columns: std::ffi::c_int);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Insert,
    Update,
    Delete,
}

/// How the bytes of a value are to be understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Text,
    Json,
    /// Sixteen bytes.
    Uuid,
    /// Microseconds since 2000: eight bytes, the highest first.
    Time,
    /// One byte, 0 or 1.
    Boolean,
    /// Decimal digits.
    Number,
}

pub struct Column {
    pub name: String,
    pub form: Form,
    /// Of type bytea.
    pub is_binary: bool,
    /// From 0.
    at: usize,
    /// A value of another type is printed by this.
    print: pg_sys::Oid,
}

impl Column {
    /// Whether settings of the session have a say in how its values are printed.
    pub fn is_printed(&self) -> bool {
        self.form == Form::Text && self.print != pg_sys::InvalidOid
    }
}

/// A statement that has changed rows of a table.
pub struct Statement {
    pub operation: Operation,
    pub table: String,
    pub relation: pg_sys::Oid,
    /// But for those that are generated from others.
    pub columns: Vec<Column>,
    old: Option<Rows>,
    new: Option<Rows>,
}

impl Statement {
    /// # Safety
    /// `fcinfo` is the call that is being served.
    pub unsafe fn of(fcinfo: pg_sys::FunctionCallInfo) -> Result<Self> {
        // SAFETY: the context of a call of a trigger is its data, and its relation is open as long as the call is served.
        unsafe {
            let data = (*fcinfo).context.cast::<pg_sys::TriggerData>();
            if data.is_null() || (*data).type_ != pg_sys::NodeTag::T_TriggerData {
                return Err(misused());
            }
            let Some(operation) = operation(data) else { return Err(misused()) };
            let relation = (*data).tg_relation;
            let old = Rows::of((*data).tg_oldtable, relation);
            let new = Rows::of((*data).tg_newtable, relation);
            Self::with(data, operation, old, new)
        }
    }

    /// The same, of a row trigger, too; `None` for TRUNCATE, which has no rows to show.
    ///
    /// # Safety
    /// `fcinfo` is the call that is being served.
    pub unsafe fn that_changed_rows(fcinfo: pg_sys::FunctionCallInfo) -> Result<Option<Self>> {
        // SAFETY: as in `of`; the slots of a row trigger have the rows as long as the call is served.
        unsafe {
            let data = (*fcinfo).context.cast::<pg_sys::TriggerData>();
            if data.is_null() || (*data).type_ != pg_sys::NodeTag::T_TriggerData {
                return Err(misused());
            }
            let Some(operation) = operation(data) else { return Ok(None) };
            if (*data).tg_event & pg_sys::TRIGGER_EVENT_ROW == 0 {
                return Self::of(fcinfo).map(Some);
            }
            let row = Rows::one((*data).tg_trigslot, (*data).tg_relation);
            let (old, new) = match operation {
                Operation::Insert => (None, row),
                Operation::Update => (row, Rows::one((*data).tg_newslot, (*data).tg_relation)),
                Operation::Delete => (row, None),
            };
            Self::with(data, operation, old, new).map(Some)
        }
    }

    /// # Safety
    /// The data are those of the call that is being served.
    unsafe fn with(
        data: *mut pg_sys::TriggerData,
        operation: Operation,
        old: Option<Rows>,
        new: Option<Rows>,
    ) -> Result<Self> {
        // SAFETY: as the caller promises; the relation is open.
        unsafe {
            let relation = (*data).tg_relation;
            let complete = match operation {
                Operation::Insert => new.is_some(),
                Operation::Update => old.is_some() && new.is_some(),
                Operation::Delete => old.is_some(),
            };
            if !complete {
                return Err(misused());
            }
            Ok(Statement {
                operation,
                table: pgrx::name_data_to_str(&(*(*relation).rd_rel).relname).to_string(),
                relation: (*relation).rd_id,
                columns: columns((*relation).rd_att),
                old,
                new,
            })
        }
    }

    /// Whether it has changed no row.
    pub fn is_empty(&self) -> bool {
        self.old.iter().chain(&self.new).all(Rows::is_empty)
    }

    /// Hands over the rows: as each was, and as it is.
    pub fn rows(&self, mut each: impl FnMut(Option<&Row>, Option<&Row>) -> Result<()>) -> Result<()> {
        let mut memory = PgMemoryContexts::new("pg_identity changed rows");
        loop {
            check_for_interrupts!();
            for _ in 0..BATCH {
                let more = self.old.as_ref().is_none_or(Rows::next) & self.new.as_ref().is_none_or(Rows::next);
                if !more {
                    return Ok(());
                }
                let row = |rows: &Rows| Row { slot: rows.slot };
                let (old, new) = (self.old.as_ref().map(row), self.new.as_ref().map(row));
                // SAFETY: what is made of a row is not used after it.
                unsafe { memory.switch_to(|_| each(old.as_ref(), new.as_ref()))? };
            }
            // SAFETY: as above.
            unsafe { memory.reset() };
        }
    }
}

/// So many rows between two looks for a cancel; what they are made of is freed then.
const BATCH: usize = 100;

fn misused() -> Error {
    Error::new("39P01", "this function is a trigger of the tables of pg_identity")
        .detail("It is called after a statement, with its transition tables.")
}

/// # Safety
/// The data are those of a trigger's call.
unsafe fn operation(data: *mut pg_sys::TriggerData) -> Option<Operation> {
    // SAFETY: as the caller promises.
    match unsafe { (*data).tg_event } & pg_sys::TRIGGER_EVENT_OPMASK {
        pg_sys::TRIGGER_EVENT_INSERT => Some(Operation::Insert),
        pg_sys::TRIGGER_EVENT_UPDATE => Some(Operation::Update),
        pg_sys::TRIGGER_EVENT_DELETE => Some(Operation::Delete),
        _ => None,
    }
}

/// A transition table, read from its begin, or the one row of a row trigger.
struct Rows {
    source: Source,
    slot: *mut pg_sys::TupleTableSlot,
    columns: i32,
}

enum Source {
    Table(*mut pg_sys::Tuplestorestate),
    /// The slot has the row; whether it has been read.
    Slot(Cell<bool>),
}

impl Rows {
    /// # Safety
    /// The store is NULL, or has rows of the relation, which stays open.
    unsafe fn of(store: *mut pg_sys::Tuplestorestate, relation: pg_sys::Relation) -> Option<Self> {
        if store.is_null() {
            return None;
        }
        // SAFETY: as the caller promises. Other triggers read the same store: each has a place of its own in it.
        unsafe {
            let place = pg_sys::tuplestore_alloc_read_pointer(store, pg_sys::EXEC_FLAG_REWIND as i32);
            pg_sys::tuplestore_select_read_pointer(store, place);
            pg_sys::tuplestore_rescan(store);
            let columns = (*relation).rd_att;
            let slot = pg_sys::MakeSingleTupleTableSlot(columns, &raw const pg_sys::TTSOpsMinimalTuple);
            Some(Rows { source: Source::Table(store), slot, columns: (*columns).natts })
        }
    }

    /// # Safety
    /// The slot is NULL, or has a row of the relation; both stay.
    unsafe fn one(slot: *mut pg_sys::TupleTableSlot, relation: pg_sys::Relation) -> Option<Self> {
        // SAFETY: as the caller promises.
        let columns = unsafe { (*(*relation).rd_att).natts };
        (!slot.is_null()).then(|| Rows { source: Source::Slot(Cell::new(false)), slot, columns })
    }

    fn is_empty(&self) -> bool {
        match self.source {
            // SAFETY: the store is open as long as the call is served.
            Source::Table(store) => unsafe { pg_sys::tuplestore_tuple_count(store) == 0 },
            Source::Slot(_) => false,
        }
    }

    /// Goes on to the next row; false where there is none.
    fn next(&self) -> bool {
        // SAFETY: the slot is of the rows. Only C code runs within the guard.
        unsafe {
            pg_guard_ffi_boundary(|| {
                let found = match &self.source {
                    Source::Table(store) => c::tuplestore_gettupleslot(*store, true, false, self.slot),
                    Source::Slot(read) => !read.replace(true),
                };
                if found {
                    c::slot_getsomeattrs_int(self.slot, self.columns);
                }
                found
            })
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // After an error Postgres frees it with the transaction.
        if matches!(self.source, Source::Table(_)) && !std::thread::panicking() {
            // SAFETY: made by `of`, freed once.
            unsafe { pg_sys::ExecDropSingleTupleTableSlot(self.slot) };
        }
    }
}

pub struct Row {
    slot: *mut pg_sys::TupleTableSlot,
}

impl Row {
    /// Adds the bytes of a value to `bytes`; false where it is NULL.
    pub fn read(&self, column: &Column, bytes: &mut Vec<u8>) -> Result<bool> {
        // SAFETY: the slot has a row, taken apart; the column is one of its own.
        unsafe {
            if *(*self.slot).tts_isnull.add(column.at) {
                return Ok(false);
            }
            let value = *(*self.slot).tts_values.add(column.at);
            match column.form {
                Form::Uuid => bytes.extend_from_slice(&*value.cast_mut_ptr::<[u8; 16]>()),
                Form::Time => bytes.extend_from_slice(&(value.value() as i64).to_be_bytes()),
                Form::Boolean => bytes.push(u8::from(value.value() as u8 != 0)),
                Form::Json => read_json(value, bytes)?,
                Form::Text if column.print == pg_sys::InvalidOid => read_text(value, bytes)?,
                Form::Text | Form::Number => read_printed(value, column.print, bytes)?,
            }
        }
        Ok(true)
    }
}

/// # Safety
/// The value is a text.
unsafe fn read_text(value: Datum, bytes: &mut Vec<u8>) -> Result<()> {
    // SAFETY: as the caller promises.
    unsafe {
        let text = pg_sys::pg_detoast_datum_packed(value.cast_mut_ptr());
        let (start, length) = (pgrx::varlena::vardata_any(text), pgrx::varlena::varsize_any_exhdr(text));
        add(std::slice::from_raw_parts(start.cast::<u8>(), length), bytes)
    }
}

/// # Safety
/// The value is a jsonb.
unsafe fn read_json(value: Datum, bytes: &mut Vec<u8>) -> Result<()> {
    // SAFETY: as the caller promises; what it is printed to is NUL-terminated, in the database's encoding, which is UTF8.
    unsafe {
        let json = pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<pg_sys::Jsonb>();
        let text = pg_sys::JsonbToCString(std::ptr::null_mut(), &raw mut (*json).root, 0);
        add(CStr::from_ptr(text).to_bytes(), bytes)
    }
}

/// # Safety
/// The function is the output function of the value's type.
unsafe fn read_printed(value: Datum, print: pg_sys::Oid, bytes: &mut Vec<u8>) -> Result<()> {
    // SAFETY: as the caller promises; what a type prints is NUL-terminated.
    unsafe {
        let text = pg_sys::OidOutputFunctionCall(print, value);
        add(CStr::from_ptr(text).to_bytes(), bytes)
    }
}

/// A value of so many bytes is copied without a look whether there is memory for it.
const SMALL: usize = 64 << 10;

fn add(value: &[u8], bytes: &mut Vec<u8>) -> Result<()> {
    if value.len() > SMALL {
        allocate::ensure(2 * (bytes.len() + value.len()))?;
    }
    bytes.extend_from_slice(value);
    Ok(())
}

/// # Safety
/// The description is that of an open relation.
unsafe fn columns(description: pg_sys::TupleDesc) -> Vec<Column> {
    // SAFETY: as the caller promises.
    let attributes = unsafe { attributes(description) };
    let kept = attributes.iter().enumerate().filter(|(_, a)| !a.attisdropped && a.attgenerated == 0);
    kept.map(|(at, attribute)| {
        let (form, is_printed) = form(attribute.atttypid);
        let mut print = pg_sys::InvalidOid;
        if is_printed {
            let mut varlena = false;
            // SAFETY: every type has an output function.
            unsafe { pg_sys::getTypeOutputInfo(attribute.atttypid, &mut print, &mut varlena) };
        }
        let is_binary = attribute.atttypid == pg_sys::BYTEAOID;
        Column { name: pgrx::name_data_to_str(&attribute.attname).to_string(), form, is_binary, at, print }
    })
    .collect()
}

/// How values of a type are kept, and whether its output function makes that of them.
fn form(of_type: pg_sys::Oid) -> (Form, bool) {
    match of_type {
        pg_sys::TEXTOID => (Form::Text, false),
        pg_sys::JSONBOID => (Form::Json, false),
        pg_sys::UUIDOID => (Form::Uuid, false),
        pg_sys::TIMESTAMPTZOID => (Form::Time, false),
        pg_sys::BOOLOID => (Form::Boolean, false),
        pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID => (Form::Number, true),
        _ => (Form::Text, true),
    }
}

/// A time of `Form::Time` as JSON has it: ISO 8601, in the session's time zone.
pub fn time(microseconds: i64) -> String {
    let mut buffer = [0u8; pg_sys::MAXDATELEN as usize + 1];
    // SAFETY: the buffer has room for any time; what is written there is NUL-terminated.
    unsafe {
        let text = pg_sys::JsonEncodeDateTime(
            buffer.as_mut_ptr().cast(),
            Datum::from(microseconds),
            pg_sys::TIMESTAMPTZOID,
            std::ptr::null(),
        );
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}
