//! JSON values as they are: pgrx' own types parse them whole, and refuse deep ones.

use pgrx::pg_sys;
use pgrx::{AnyElement, IntoDatum};
use std::ffi::{CStr, CString};

/// The text of a jsonb value.
pub fn jsonb_text(value: AnyElement) -> String {
    String::from_utf8_lossy(&printed(value.datum())).into_owned()
}

/// A jsonb value from its text.
pub fn jsonb(text: &str) -> pg_sys::Datum {
    let text = CString::new(text).expect("JSON text has no NUL byte");
    // SAFETY: jsonb_in takes a NUL-terminated text.
    let value = unsafe { pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[text.as_c_str().into_datum()]) };
    value.expect("jsonb_in returns a value")
}

/// A jsonb value as it is printed, in UTF-8 whatever the database's encoding is.
pub fn printed(value: pg_sys::Datum) -> Vec<u8> {
    // SAFETY: the value is a jsonb; what it is printed to is NUL-terminated, and so is what that is converted to.
    unsafe {
        let json = pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<pg_sys::Jsonb>();
        let text = pg_sys::JsonbToCString(std::ptr::null_mut(), &raw mut (*json).root, 0);
        let length = CStr::from_ptr(text).count_bytes() as i32;
        let utf8 = pg_sys::pg_server_to_any(text, length, pg_sys::pg_enc::PG_UTF8 as i32);
        CStr::from_ptr(utf8).to_bytes().to_vec()
    }
}
