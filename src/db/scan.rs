//! The extension's own tables, read through their indexes as Postgres reads its catalogs. No SPI, no plan, no rights, no
//! transaction id.

use crate::db::{allocate, json};
use crate::error::{Error, Result};
use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum, PgMemoryContexts, Uuid, check_for_interrupts};
use std::ffi::CStr;
use std::rc::Rc;

/// An index over columns of text, of collation "C", of uuid and of int; and its table.
pub struct Index {
    pub table: &'static CStr,
    pub name: &'static CStr,
    /// The table's columns in the order of the index, where that has all that is wanted: then rows of pages that all
    /// can see are read from the index alone.
    pub covers: Option<&'static [i16]>,
}

impl Index {
    pub const fn of(table: &'static CStr, name: &'static CStr) -> Self {
        Index { table, name, covers: None }
    }

    pub const fn covering(table: &'static CStr, name: &'static CStr, columns: &'static [i16]) -> Self {
        Index { table, name, covers: Some(columns) }
    }
}

/// What a column of the index must be: the first key is about its first column, and so on.
pub enum Key<'a> {
    Is(&'a str),
    IsUuid(Uuid),
    IsInt(i32),
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
    /// Reads what is committed now, and this transaction's own changes, whatever snapshot the caller's query has.
    pub fn latest() -> Self {
        // SAFETY: the catalog's snapshot is the newest there is, and no parallel worker refuses it.
        unsafe { Self::under(pg_sys::GetCatalogSnapshot(pg_sys::InvalidOid)) }
    }

    /// Reads what the statement that is run sees.
    pub fn of_statement() -> Self {
        // SAFETY: a function that is called from SQL has an active snapshot.
        unsafe { Self::under(pg_sys::GetActiveSnapshot()) }
    }

    /// # Safety
    /// The snapshot is a valid one.
    unsafe fn under(snapshot: pg_sys::Snapshot) -> Self {
        // SAFETY: as the caller promises; registering copies it. It is given back by `drop`, or by the transaction's abort.
        let snapshot = unsafe { pg_sys::RegisterSnapshot(snapshot) };
        Reader { snapshot, schema: schema(), memory: PgMemoryContexts::new("identity rows") }
    }

    /// Hands over the rows that fit `keys`, in the order of the index, until `each` has seen enough and says false.
    pub fn rows(&mut self, index: &Index, keys: &[Key], mut each: impl FnMut(&Row) -> bool) -> Result<()> {
        check_for_interrupts!();
        let (table, name) = (own_relation(self.schema, index.table)?, own_relation(self.schema, index.name)?);
        let snapshot = self.snapshot;
        // SAFETY: opened and closed in pairs; the keys live in the memory context that is reset after the scan. On an
        // error Postgres' abort closes what is open.
        unsafe {
            self.memory.switch_to(|_| {
                let mut scan = Scan::open(table, name, snapshot, keys, index.covers.is_some());
                while let Some(row) = scan.next(index.covers) {
                    if !each(&row) {
                        break;
                    }
                    check_for_interrupts!();
                }
                scan.close();
            });
            self.memory.reset();
        }
        Ok(())
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

const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;

/// An open index scan.
struct Scan {
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    scan: pg_sys::IndexScanDesc,
    slot: *mut pg_sys::TupleTableSlot,
    /// The page of the visibility map that was looked at last.
    visible: pg_sys::Buffer,
    /// The tuple of the index in hand, taken apart.
    values: [pg_sys::Datum; MOST_COLUMNS],
    nulls: [bool; MOST_COLUMNS],
}

impl Scan {
    /// # Safety
    /// The snapshot is registered; the keys fit the index.
    unsafe fn open(
        table: pg_sys::Oid,
        index: pg_sys::Oid,
        snapshot: pg_sys::Snapshot,
        keys: &[Key],
        wants_index: bool,
    ) -> Self {
        // SAFETY: as the caller promises; the relations are locked while they are open.
        unsafe {
            let heap = pg_sys::table_open(table, LOCK);
            if (*heap).rd_tableam.is_null() {
                ereport!(
                    ERROR,
                    PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
                    "a table of pg_identity is no ordinary table"
                );
            }
            let index = pg_sys::index_open(index, LOCK);
            let mut keys: Vec<pg_sys::ScanKeyData> = (1..).zip(keys).map(|(n, key)| scan_key(n, key)).collect();
            let slot = pg_sys::table_slot_create(heap, std::ptr::null_mut());
            let scan = begin_scan(heap, index, snapshot, keys.len() as i32);
            // Before the scan begins: then the index makes room for its tuples.
            (*scan).xs_want_itup = wants_index;
            pg_sys::index_rescan(scan, keys.as_mut_ptr(), keys.len() as i32, std::ptr::null_mut(), 0);
            Scan {
                heap,
                index,
                scan,
                slot,
                visible: pg_sys::InvalidBuffer as pg_sys::Buffer,
                values: [pg_sys::Datum::null(); MOST_COLUMNS],
                nulls: [false; MOST_COLUMNS],
            }
        }
    }

    /// # Safety
    /// `covers` are the columns of the index, one for each of its.
    unsafe fn next(&mut self, covers: Option<&'static [i16]>) -> Option<Row<'_>> {
        let forward = pg_sys::ScanDirection::ForwardScanDirection;
        // SAFETY: the scan is open; an index tuple is handed out where it was asked for.
        unsafe {
            let Some(columns) = covers else {
                return pg_sys::index_getnext_slot(self.scan, forward, self.slot).then_some(Row::Heap(self.slot));
            };
            loop {
                let tid = pg_sys::index_getnext_tid(self.scan, forward);
                if tid.is_null() {
                    return None;
                }
                let page = pgrx::itemptr::item_pointer_get_block_number_no_check(*tid);
                let all_visible = pg_sys::VISIBILITYMAP_ALL_VISIBLE as u8;
                // A serializable transaction is to be seen to have read the row.
                let seen_by_all = pg_sys::XactIsoLevel != pg_sys::XACT_SERIALIZABLE as i32
                    && pg_sys::visibilitymap_get_status(self.heap, page, &mut self.visible) & all_visible != 0;
                if seen_by_all || pg_sys::index_fetch_heap(self.scan, self.slot) {
                    let (tuple, descriptor) = ((*self.scan).xs_itup, (*self.scan).xs_itupdesc);
                    pg_sys::index_deform_tuple(tuple, descriptor, self.values.as_mut_ptr(), self.nulls.as_mut_ptr());
                    return Some(Row::Index { columns, values: &self.values, nulls: &self.nulls });
                }
            }
        }
    }

    /// # Safety
    /// To be called once, and nothing after it.
    unsafe fn close(self) {
        // SAFETY: what `open` opened, in the reverse order.
        unsafe {
            if self.visible != pg_sys::InvalidBuffer as pg_sys::Buffer {
                pg_sys::ReleaseBuffer(self.visible);
            }
            pg_sys::index_endscan(self.scan);
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::index_close(self.index, LOCK);
            pg_sys::table_close(self.heap, LOCK);
        }
    }
}

/// No index has more.
const MOST_COLUMNS: usize = pg_sys::INDEX_MAX_KEYS as usize;

/// Where a version of a row is.
#[derive(Clone, Copy)]
pub struct Place(pub(super) pg_sys::ItemPointerData);

/// A row in hand; columns are numbered from 1, as in the table.
pub enum Row<'a> {
    Heap(*mut pg_sys::TupleTableSlot),
    Index { columns: &'static [i16], values: &'a [pg_sys::Datum], nulls: &'a [bool] },
}

impl Row<'_> {
    /// A column; `None` where it is NULL.
    pub fn get<T: FromDatum>(&self, column: i16) -> Option<T> {
        // SAFETY: the column is one of the table's, and of the type that the caller asks for.
        unsafe {
            let (value, null) = self.datum(column);
            T::from_datum(value, null)
        }
    }

    pub fn text(&self, column: i16) -> Option<String> {
        self.get(column)
    }

    /// A text that is never NULL.
    pub fn name(&self, column: i16) -> String {
        self.text(column).unwrap_or_default()
    }

    /// A text that is never NULL, to be shared.
    pub fn shared(&self, column: i16) -> Rc<str> {
        self.get::<&str>(column).unwrap_or_default().into()
    }

    /// A bigint, or the microseconds of a time, that is never NULL.
    pub fn number(&self, column: i16) -> i64 {
        self.get(column).unwrap_or_default()
    }

    /// A boolean that is never NULL.
    pub fn flag(&self, column: i16) -> bool {
        self.get(column).unwrap_or_default()
    }

    /// An array of text; empty for NULL.
    pub fn texts(&self, column: i16) -> Vec<String> {
        self.get::<Vec<Option<String>>>(column).unwrap_or_default().into_iter().flatten().collect()
    }

    /// An array of inet or cidr, as text; empty for NULL.
    pub fn networks(&self, column: i16) -> Vec<String> {
        let elements: pgrx::Array<pg_sys::Datum> = match self.get(column) {
            Some(elements) => elements,
            None => return Vec::new(),
        };
        // SAFETY: the elements are of type inet, or of cidr, which is the same; the array that they are in is alive.
        elements
            .iter()
            .filter_map(|e| e.and_then(|e| unsafe { pgrx::Inet::from_datum(e, false) }))
            .map(|e| e.0)
            .collect()
    }

    /// A jsonb, as it is printed; empty for NULL.
    pub fn printed_json(&self, column: i16) -> Result<String> {
        // SAFETY: the column is one of the table's.
        let (value, null) = unsafe { self.datum(column) };
        if null {
            return Ok(String::new());
        }
        json::with_printed(value, |printed| allocate::text(&String::from_utf8_lossy(printed)))
    }

    /// Where the row is; `None` for one that was read from the index alone.
    pub fn place(&self) -> Option<Place> {
        match self {
            // SAFETY: the slot holds a row of a table.
            Row::Heap(slot) => Some(Place(unsafe { (**slot).tts_tid })),
            Row::Index { .. } => None,
        }
    }

    /// # Safety
    /// `column` is one of the table's.
    unsafe fn datum(&self, column: i16) -> (pg_sys::Datum, bool) {
        match self {
            // SAFETY: the slot holds a tuple, which is taken apart as far as the column.
            Row::Heap(slot) => unsafe {
                if (**slot).tts_nvalid < column {
                    pg_sys::slot_getsomeattrs_int(*slot, i32::from(column));
                }
                let at = column as usize - 1;
                (*(**slot).tts_values.add(at), *(**slot).tts_isnull.add(at))
            },
            Row::Index { columns, values, nulls } => {
                let at = columns.iter().position(|c| *c == column).expect("the index has the column");
                (values[at], nulls[at])
            }
        }
    }
}

/// The schema of the extension.
pub fn schema() -> pg_sys::Oid {
    // SAFETY: a look into the system's cache.
    unsafe { pg_sys::get_namespace_oid(c"identity".as_ptr(), true) }
}

/// The schema of what is the extension's own affair.
pub fn internal_schema() -> pg_sys::Oid {
    // SAFETY: a look into the system's cache.
    unsafe { pg_sys::get_namespace_oid(c"identity_internal".as_ptr(), true) }
}

/// A function of `identity_internal` without arguments.
pub fn internal_function(name: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: a look into the system's cache, by a list of no types.
    let oid = unsafe {
        let types = pg_sys::buildoidvector(std::ptr::null(), 0);
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as pg_sys::AttrNumber,
            pg_sys::Datum::from(name.as_ptr()),
            pg_sys::Datum::from(types),
            internal_schema().into(),
            pg_sys::Datum::null(),
        )
    };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// A relation of the extension.
pub fn relation(schema: pg_sys::Oid, name: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: a look into the system's cache.
    let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// A relation of the extension, which has to be there.
pub fn own_relation(schema: pg_sys::Oid, name: &CStr) -> Result<pg_sys::Oid> {
    relation(schema, name).ok_or_else(|| {
        Error::new("42P01", format!("relation \"identity.{}\" does not exist", name.to_string_lossy())).hint(
            "It belongs to the extension: DROP EXTENSION pg_identity and CREATE EXTENSION pg_identity make it anew.",
        )
    })
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
    let text = (pg_sys::TEXTOID, pg_sys::C_COLLATION_OID);
    let uuid = (pg_sys::UUIDOID, pg_sys::InvalidOid);
    let int = (pg_sys::INT4OID, pg_sys::InvalidOid);
    let equal = pg_sys::BTEqualStrategyNumber;
    let ((of_type, collation), flags, strategy, procedure, value) = match key {
        Key::Is(value) => (text, 0, equal, pg_sys::F_TEXTEQ, value.into_datum()),
        Key::IsUuid(value) => (uuid, 0, equal, pg_sys::F_UUID_EQ, value.into_datum()),
        Key::IsInt(value) => (int, 0, equal, pg_sys::F_INT4EQ, value.into_datum()),
        Key::In(values) => (text, pg_sys::SK_SEARCHARRAY, equal, pg_sys::F_TEXTEQ, values.to_vec().into_datum()),
        Key::After(value) => (text, 0, pg_sys::BTGreaterStrategyNumber, pg_sys::F_TEXT_GT, value.into_datum()),
        Key::From(value) => (text, 0, pg_sys::BTGreaterEqualStrategyNumber, pg_sys::F_TEXT_GE, value.into_datum()),
    };
    let mut entry = pg_sys::ScanKeyData::default();
    // SAFETY: the entry is this function's own; the argument is of the type that the procedure takes.
    unsafe {
        pg_sys::ScanKeyEntryInitialize(
            &mut entry,
            flags as i32,
            column,
            strategy as pg_sys::StrategyNumber,
            of_type,
            collation,
            pg_sys::Oid::from(procedure),
            value.expect("a key is not NULL"),
        );
    }
    entry
}
