//! The rows of a query, put into a tuplestore as they come: none is held besides.

use crate::db::attempt;
use crate::error::{Error, Result};
use pgrx::datum::DatumWithOid;
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

/// A tuplestore, and what is known of it.
pub struct Store {
    pub store: *mut pg_sys::Tuplestorestate,
    /// The memory context that it lives in.
    pub context: pg_sys::MemoryContext,
    /// The columns that its rows must have; NULL: they are what they are.
    pub columns: pg_sys::TupleDesc,
}

/// Runs `query` with the current user's rights and search path, to its end, and returns the number of its rows.
///
/// # Safety
/// The store is open, and lives in its context.
pub unsafe fn run_into(to: &Store, query: &str, arguments: &[DatumWithOid]) -> Result<u64> {
    let query = CString::new(query).expect("SQL text has no NUL byte");
    Spi::connect_mut(|_| {
        // SAFETY: the receiver is made for this store and used up by the one statement; the parameters live as long as the
        // connection.
        let status = unsafe {
            let receiver = receiver(to);
            let options = pg_sys::SPIExecuteOptions {
                params: attempt::parameters(arguments),
                dest: receiver,
                ..Default::default()
            };
            pg_sys::SPI_execute_extended(query.as_ptr(), &options)
        };
        if status < 0 {
            return Err(Error::new("42601", format!("a query that cannot be run here (SPI status {status})")));
        }
        // SAFETY: a plain read of what the statement left.
        Ok(unsafe { pg_sys::SPI_processed })
    })
}

/// What puts the rows of one statement into a store.
///
/// # Safety
/// The store is open, and lives in its context.
pub unsafe fn receiver(to: &Store) -> *mut pg_sys::DestReceiver {
    // SAFETY: as the caller promises.
    unsafe {
        let receiver = pg_guard_ffi_boundary(|| c::CreateTuplestoreDestReceiver());
        let otherwise = c"the rows of a source have other columns than it was asked for".as_ptr();
        pg_guard_ffi_boundary(|| {
            c::SetTuplestoreDestReceiverParams(receiver, to.store, to.context, true, to.columns, otherwise)
        });
        receiver
    }
}
