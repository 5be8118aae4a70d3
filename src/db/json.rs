//! JSON values as they are: pgrx' own types parse them whole, and refuse deep ones.

use pgrx::pg_sys;
use pgrx::{AnyElement, IntoDatum};
use std::ffi::{CStr, CString};

/// The text of a jsonb value.
pub fn jsonb_text(value: AnyElement) -> String {
    // SAFETY: the SQL declaration gives the argument the type jsonb; jsonb_out returns a NUL-terminated text.
    let text = unsafe { pgrx::direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(value.datum())]) };
    text.map(|t| t.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A jsonb value from its text.
pub fn jsonb(text: &str) -> Option<pg_sys::Datum> {
    let text = CString::new(text).expect("JSON text has no NUL byte");
    // SAFETY: jsonb_in takes a NUL-terminated text.
    unsafe { pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[text.as_c_str().into_datum()]) }
}
