//! JSON arguments as they are: pgrx' own types parse them whole, and refuse deep ones.

use pgrx::AnyElement;
use pgrx::pg_sys;
use std::ffi::CStr;

/// The text of a jsonb value.
pub fn jsonb_text(value: AnyElement) -> String {
    // SAFETY: the SQL declaration gives the argument the type jsonb; jsonb_out returns a NUL-terminated text.
    let text = unsafe { pgrx::direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(value.datum())]) };
    text.map(|t| t.to_string_lossy().into_owned()).unwrap_or_default()
}
