//! The extension's own tables, read through their indexes as Postgres reads its catalogs: by what is committed now, and by
//! this transaction's own changes, whatever snapshot the caller's query has. No SPI, no rights, no transaction id.

use crate::error::{Error, Result};
use pgrx::pg_sys;
use pgrx::{FromDatum, IntoDatum, PgMemoryContexts, check_for_interrupts};
use std::ffi::CStr;

/// An index over text columns of collation "C", and its table.
pub struct Index {
    pub table: &'static CStr,
    pub name: &'static CStr,
}

/// What a column of the index must be: the first key is about its first column, and so on.
pub enum Key<'a> {
    Is(&'a str),
    /// One of several. Rows then come in no order.
    In(&'a [&'a str]),
    After(&'a str),
    From(&'a str),
}

/// Reads with one snapshot, so that what it reads belongs together.
pub struct Reader {
    snapshot: pg_sys::Snapshot,
    schema: pg_sys::Oid,
    memory: PgMemoryContexts,
}

impl Reader {
    pub fn new() -> Self {
        // SAFETY: the catalog's snapshot is the newest there is, and no parallel worker refuses it; registering copies it. It
        // is given back by `drop`, or by the transaction's abort.
        let snapshot = unsafe { pg_sys::RegisterSnapshot(pg_sys::GetCatalogSnapshot(pg_sys::InvalidOid)) };
        Reader { snapshot, schema: schema(), memory: PgMemoryContexts::new("identity permissions") }
    }

    /// Hands over the rows that fit `keys`, in the order of the index, until `each` has seen enough and says false.
    pub fn rows(&mut self, index: &Index, keys: &[Key], mut each: impl FnMut(&Row) -> bool) -> Result<()> {
        let (table, name) = (self.oid(index.table)?, self.oid(index.name)?);
        let snapshot = self.snapshot;
        // SAFETY: opened and closed in pairs; the keys live in the memory context that is reset after the scan. On an error
        // Postgres' abort closes what is open.
        unsafe {
            self.memory.switch_to(|_| {
                let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
                let heap = pg_sys::table_open(table, lock);
                let index = pg_sys::index_open(name, lock);
                let mut keys: Vec<pg_sys::ScanKeyData> = (1..).zip(keys).map(|(n, key)| scan_key(n, key)).collect();
                let slot = pg_sys::table_slot_create(heap, std::ptr::null_mut());
                let scan = begin_scan(heap, index, snapshot, keys.len() as i32);
                pg_sys::index_rescan(scan, keys.as_mut_ptr(), keys.len() as i32, std::ptr::null_mut(), 0);
                let forward = pg_sys::ScanDirection::ForwardScanDirection;
                while pg_sys::index_getnext_slot(scan, forward, slot) && each(&Row(slot)) {
                    check_for_interrupts!();
                }
                pg_sys::index_endscan(scan);
                pg_sys::ExecDropSingleTupleTableSlot(slot);
                pg_sys::index_close(index, lock);
                pg_sys::table_close(heap, lock);
            });
            self.memory.reset();
        }
        Ok(())
    }

    fn oid(&self, name: &CStr) -> Result<pg_sys::Oid> {
        relation(self.schema, name).ok_or_else(|| {
            Error::new("42P01", format!("relation \"identity.{}\" does not exist", name.to_string_lossy()))
                .hint("It belongs to the extension: DROP EXTENSION pg_identity and CREATE EXTENSION pg_identity make it anew.")
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // After an error Postgres gives it back with the transaction.
        if !std::thread::panicking() {
            // SAFETY: registered by `new`, given back once.
            unsafe { pg_sys::UnregisterSnapshot(self.snapshot) };
        }
    }
}

/// A row in hand; columns are numbered from 1, as in the table.
pub struct Row(*mut pg_sys::TupleTableSlot);

impl Row {
    pub fn text(&self, column: i16) -> Option<String> {
        // SAFETY: the column is one of the table's, and of type text.
        unsafe {
            let (value, null) = self.datum(column);
            String::from_datum(value, null)
        }
    }

    /// A column that is never NULL.
    pub fn name(&self, column: i16) -> String {
        self.text(column).unwrap_or_default()
    }

    /// Without a copy of it.
    pub fn text_is_one_of(&self, column: i16, texts: &[&str]) -> bool {
        // SAFETY: the column is one of the table's, and of type text; it is looked at while the row is in hand.
        let text = unsafe {
            let (value, null) = self.datum(column);
            <&str>::from_datum(value, null)
        };
        text.is_some_and(|text| texts.contains(&text))
    }

    pub fn number(&self, column: i16) -> i64 {
        // SAFETY: the column is one of the table's, and of type bigint.
        unsafe {
            let (value, null) = self.datum(column);
            i64::from_datum(value, null).unwrap_or_default()
        }
    }

    pub fn flag(&self, column: i16) -> bool {
        // SAFETY: the column is one of the table's, and of type boolean.
        unsafe {
            let (value, null) = self.datum(column);
            bool::from_datum(value, null).unwrap_or_default()
        }
    }

    pub fn texts(&self, column: i16) -> Vec<String> {
        // SAFETY: the column is one of the table's, and of type text[].
        unsafe {
            let (value, null) = self.datum(column);
            Vec::<Option<String>>::from_datum(value, null).unwrap_or_default().into_iter().flatten().collect()
        }
    }

    pub fn jsonb(&self, column: i16) -> serde_json::Value {
        // SAFETY: the column is one of the table's, and of type jsonb.
        unsafe {
            let (value, null) = self.datum(column);
            pgrx::JsonB::from_datum(value, null).map_or(serde_json::Value::Null, |json| json.0)
        }
    }

    /// # Safety
    /// `column` is one of the table's.
    unsafe fn datum(&self, column: i16) -> (pg_sys::Datum, bool) {
        // SAFETY: the slot holds a tuple, which is taken apart as far as the column.
        unsafe {
            if (*self.0).tts_nvalid < column {
                pg_sys::slot_getsomeattrs_int(self.0, i32::from(column));
            }
            let at = column as usize - 1;
            (*(*self.0).tts_values.add(at), *(*self.0).tts_isnull.add(at))
        }
    }
}

/// The schema of the extension.
pub fn schema() -> pg_sys::Oid {
    // SAFETY: a look into the system's cache.
    unsafe { pg_sys::get_namespace_oid(c"identity".as_ptr(), true) }
}

/// A relation of the extension.
pub fn relation(schema: pg_sys::Oid, name: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: a look into the system's cache.
    let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// # Safety
/// Both relations are open, and the snapshot is registered.
unsafe fn begin_scan(
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    keys: i32,
) -> pg_sys::IndexScanDesc {
    // SAFETY: as the caller promises.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        return pg_sys::index_beginscan(heap, index, snapshot, keys, 0);
        #[cfg(feature = "pg18")]
        return pg_sys::index_beginscan(heap, index, snapshot, std::ptr::null_mut(), keys, 0);
    }
}

fn scan_key(column: i16, key: &Key) -> pg_sys::ScanKeyData {
    let (flags, strategy, procedure, value) = match key {
        Key::Is(text) => (0, pg_sys::BTEqualStrategyNumber, pg_sys::F_TEXTEQ, text.into_datum()),
        Key::In(texts) => {
            let array = texts.to_vec().into_datum();
            (pg_sys::SK_SEARCHARRAY, pg_sys::BTEqualStrategyNumber, pg_sys::F_TEXTEQ, array)
        }
        Key::After(text) => (0, pg_sys::BTGreaterStrategyNumber, pg_sys::F_TEXT_GT, text.into_datum()),
        Key::From(text) => (0, pg_sys::BTGreaterEqualStrategyNumber, pg_sys::F_TEXT_GE, text.into_datum()),
    };
    let mut entry = pg_sys::ScanKeyData::default();
    // SAFETY: the entry is this function's own; the argument is of the type that the procedure takes.
    unsafe {
        pg_sys::ScanKeyEntryInitialize(
            &mut entry,
            flags as i32,
            column,
            strategy as pg_sys::StrategyNumber,
            pg_sys::TEXTOID,
            pg_sys::C_COLLATION_OID,
            pg_sys::Oid::from(procedure),
            value.expect("a text is not NULL"),
        );
    }
    entry
}
