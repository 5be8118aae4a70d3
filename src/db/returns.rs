//! A function's result set, filled by a query, without a detour through Rust values.

use crate::db::{query, store};
use crate::error::{Error, Result};
use pgrx::FromDatum;
use pgrx::PgMemoryContexts;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;

/// The one row of a function with OUT parameters.
///
/// # Safety
/// `fcinfo` is the call that is being served, and `values` are of the types that its declaration says.
pub unsafe fn row(fcinfo: pg_sys::FunctionCallInfo, values: &[Option<pg_sys::Datum>]) -> Option<pgrx::AnyElement> {
    let mut nulls: Vec<bool> = values.iter().map(Option::is_none).collect();
    let mut values: Vec<pg_sys::Datum> = values.iter().map(|v| v.unwrap_or(pg_sys::Datum::null())).collect();
    // SAFETY: the descriptor is the declaration's own; there is a value and a flag for each of its columns.
    unsafe {
        let mut columns: pg_sys::TupleDesc = std::ptr::null_mut();
        pg_sys::get_call_result_type(fcinfo, std::ptr::null_mut(), &mut columns);
        let columns = pg_sys::BlessTupleDesc(columns);
        assert_eq!((*columns).natts as usize, values.len(), "a value for each column");
        let tuple = pg_sys::heap_form_tuple(columns, values.as_mut_ptr(), nulls.as_mut_ptr());
        let row = pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data);
        pgrx::AnyElement::from_polymorphic_datum(row, false, pg_sys::RECORDOID)
    }
}

/// The result of a set-returning function: in memory up to `work_mem`, then in a temporary file.
pub struct ResultSet {
    info: *mut pg_sys::ReturnSetInfo,
    store: *mut pg_sys::Tuplestorestate,
    /// What the values of a row take.
    memory: Option<PgMemoryContexts>,
}

impl ResultSet {
    /// Errors where the caller cannot take a set: before any work is done.
    ///
    /// # Safety
    /// `fcinfo` is the call that is being served.
    pub unsafe fn of(fcinfo: pg_sys::FunctionCallInfo) -> Result<Self> {
        // SAFETY: resultinfo, where it is a ReturnSetInfo, says what the caller allows.
        unsafe {
            let info = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
            let materialize = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
            if info.is_null()
                || (*info).type_ != pg_sys::NodeTag::T_ReturnSetInfo
                || (*info).allowedModes & materialize as i32 == 0
                || (*info).expectedDesc.is_null()
            {
                return Err(Error::new("0A000", "this function returns a set of rows, which is not accepted here")
                    .hint("Call it in FROM: SELECT * FROM identity...."));
            }
            Ok(ResultSet { info, store: std::ptr::null_mut(), memory: None })
        }
    }

    /// Opens the empty result, outside any subtransaction that may be rolled back: the rows outlive it.
    pub fn open(&mut self) {
        // SAFETY: the store and its descriptor live in the per-query context, as a materialized result must.
        unsafe {
            let econtext = (*self.info).econtext;
            let mut context = PgMemoryContexts::For((*econtext).ecxt_per_query_memory);
            let (store, columns) = context.switch_to(|_| {
                (
                    pg_sys::tuplestore_begin_heap(true, false, pg_sys::work_mem),
                    pg_sys::CreateTupleDescCopy((*self.info).expectedDesc),
                )
            });
            self.store = store;
            (*self.info).returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
            (*self.info).setResult = store;
            (*self.info).setDesc = columns;
        }
    }

    /// Adds one row, of the types that the function declares. What its values take is freed with it.
    pub fn add<V: AsRef<[Option<pg_sys::Datum>]>>(&mut self, values: impl FnOnce() -> V) {
        assert!(!self.store.is_null(), "the result is open");
        pgrx::check_for_interrupts!();
        let (info, store) = (self.info, self.store);
        let memory = self.memory.get_or_insert_with(|| PgMemoryContexts::new("pg_identity row"));
        // SAFETY: the descriptor has as many columns as there are values; the store copies the row before the context is
        // emptied.
        unsafe {
            memory.switch_to(|_| put_row(info, store, values().as_ref()));
            memory.reset();
        }
    }

    /// Adds the rows of `query`, whose columns are the function's.
    pub fn append_with(&mut self, query: &str, arguments: &[DatumWithOid]) -> Result<()> {
        query::send(query, arguments, self.receiver())
    }

    /// What adds the rows of one statement.
    pub fn receiver(&mut self) -> *mut pg_sys::DestReceiver {
        assert!(!self.store.is_null(), "the result is open");
        // SAFETY: `open` has made the store in the per-query context.
        unsafe { store::receiver(self.store, (*(*self.info).econtext).ecxt_per_query_memory) }
    }
}

/// # Safety
/// The result is open, and the values are of the types of its columns.
unsafe fn put_row(
    info: *mut pg_sys::ReturnSetInfo,
    store: *mut pg_sys::Tuplestorestate,
    values: &[Option<pg_sys::Datum>],
) {
    const MOST_COLUMNS: usize = 16;
    let mut nulls = [false; MOST_COLUMNS];
    let mut datums = [pg_sys::Datum::null(); MOST_COLUMNS];
    for (n, value) in values.iter().enumerate() {
        nulls[n] = value.is_none();
        datums[n] = value.unwrap_or(pg_sys::Datum::null());
    }
    // SAFETY: store and descriptor live as long as the call that is being served.
    unsafe {
        let columns = (*info).setDesc;
        assert_eq!(values.len(), (*columns).natts as usize, "a value for each column");
        pg_sys::tuplestore_putvalues(store, columns, datums.as_mut_ptr(), nulls.as_mut_ptr());
    }
}
