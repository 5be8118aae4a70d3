//! A function's result set, filled by a query, without a detour through Rust values.

use crate::error::{Error, Result};
use pgrx::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::prelude::*;
use std::ffi::{CString, c_char};

mod c {
    use super::*;
    // executor/tstoreReceiver.h, which pgrx does not bind.
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
    }
}

/// The result of a set-returning function: in memory up to `work_mem`, then in a temporary file.
pub struct ResultSet {
    info: *mut pg_sys::ReturnSetInfo,
    store: *mut pg_sys::Tuplestorestate,
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
                    .hint("Call it in FROM: SELECT * FROM identity.…"));
            }
            Ok(ResultSet { info, store: std::ptr::null_mut() })
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

    /// Adds the rows of `query`, whose columns are the function's.
    pub fn append(&mut self, query: &str) -> Result<()> {
        assert!(!self.store.is_null(), "the result is open");
        let query = CString::new(query).expect("SQL text has no NUL byte");
        Spi::connect_mut(|_| {
            // SAFETY: the receiver is made for this store and used up by the one statement.
            unsafe {
                let receiver = pg_guard_ffi_boundary(|| c::CreateTuplestoreDestReceiver());
                pg_guard_ffi_boundary(|| {
                    c::SetTuplestoreDestReceiverParams(
                        receiver,
                        self.store,
                        (*(*self.info).econtext).ecxt_per_query_memory,
                        true,
                        std::ptr::null_mut(),
                        std::ptr::null(),
                    )
                });
                let options = pg_sys::SPIExecuteOptions { dest: receiver, ..Default::default() };
                pg_sys::SPI_execute_extended(query.as_ptr(), &options);
            }
        });
        Ok(())
    }
}
