//! The fields of an error that pgrx's error type has no place for: which schema, table, column and constraint it is about, and where in a query of the
//! caller's it is. Clients read them apart from the text of the message.

use crate::db::attempt::Failure;
use crate::error::Place;
use pgrx::pg_sys;
use std::cell::RefCell;
use std::ffi::{CString, c_int, c_void};

mod c {
    use super::*;
    unsafe extern "C-unwind" {
        /// utils/elog.h, without pgrx's wrapper: it is called within the server's own report of an error.
        pub fn err_generic_string(field: c_int, text: *const std::ffi::c_char) -> c_int;
        pub fn internalerrposition(position: c_int) -> c_int;
        pub fn internalerrquery(query: *const std::ffi::c_char) -> c_int;
        pub fn errcontext_msg(format: *const std::ffi::c_char, ...) -> c_int;
    }
}

thread_local! {
    static FIELDS: RefCell<Vec<(c_int, CString)>> = const { RefCell::new(Vec::new()) };
    /// The query, the position in it, and what it is.
    static PLACE: RefCell<Option<(CString, c_int, CString)>> = const { RefCell::new(None) };
    static CALLBACK: RefCell<pg_sys::ErrorContextCallback> = RefCell::new(pg_sys::ErrorContextCallback::default());
}

/// Puts the fields of a failure into the error that is raised next: to be called right before it is. They come in where the server asks who has
/// something to add to an error; whoever catches that error takes that question back.
pub fn hand_on(failure: &Failure) {
    let named = [
        (pg_sys::PG_DIAG_SCHEMA_NAME, &failure.schema),
        (pg_sys::PG_DIAG_TABLE_NAME, &failure.table),
        (pg_sys::PG_DIAG_COLUMN_NAME, &failure.column),
        (pg_sys::PG_DIAG_CONSTRAINT_NAME, &failure.constraint),
    ];
    let fields: Vec<_> = named
        .into_iter()
        .filter_map(|(field, text)| Some((field as c_int, CString::new(text.as_deref()?).ok()?)))
        .collect();
    if fields.is_empty() {
        return;
    }
    FIELDS.set(fields);
    ask();
}

/// The same of where in a query an error is.
pub fn hand_on_place(place: Place) {
    let (Ok(query), Ok(what)) = (CString::new(place.query), CString::new(place.what)) else { return };
    PLACE.set(Some((query, place.position, what)));
    ask();
}

fn ask() {
    CALLBACK.with_borrow_mut(|callback| {
        callback.callback = Some(add);
        // SAFETY: the callback lives as long as the session, and is on the stack once: the error that follows takes it off.
        unsafe {
            // An error that was not raised after all has left it there.
            if pg_sys::error_context_stack != &raw mut *callback {
                callback.previous = pg_sys::error_context_stack;
                pg_sys::error_context_stack = callback;
            }
        }
    });
}

unsafe extern "C-unwind" fn add(_: *mut c_void) {
    FIELDS.with_borrow_mut(|fields| {
        for (field, text) in fields.drain(..) {
            // SAFETY: the server is reporting an error, and copies the text.
            unsafe { c::err_generic_string(field, text.as_ptr()) };
        }
    });
    if let Some((query, position, what)) = PLACE.take() {
        // SAFETY: as above; the one text is what the format takes.
        unsafe {
            c::internalerrposition(position);
            c::internalerrquery(query.as_ptr());
            c::errcontext_msg(c"%s".as_ptr(), what.as_ptr());
        }
    }
}
