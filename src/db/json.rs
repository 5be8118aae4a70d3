//! JSON values as they are: pgrx' own types parse them whole, refuse deep ones, and end the process where memory is short.

use crate::db::allocate;
use crate::error::{Error, Result};
use pgrx::pg_sys;
use pgrx::{AnyElement, FromDatum, IntoDatum};
use serde_json::Value;
use std::ffi::{CStr, CString};

/// A document that is kept in a table, or that says what is to be done, has so many bytes at most.
pub const MOST_BYTES: usize = 16 << 20;

/// What an application says of a question or a login has so many bytes at most.
pub const MOST_CONTEXT: usize = 1 << 20;

/// A jsonb value from its text.
pub fn jsonb(text: &str) -> pg_sys::Datum {
    let text = CString::new(text).expect("JSON text has no NUL byte");
    // SAFETY: jsonb_in takes a NUL-terminated text.
    let value = unsafe { pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[text.as_c_str().into_datum()]) };
    value.expect("jsonb_in returns a value")
}

/// Hands over a jsonb value as it is printed, in UTF-8 whatever the database's encoding is.
pub fn with_printed<T>(value: pg_sys::Datum, work: impl FnOnce(&[u8]) -> T) -> T {
    // SAFETY: the value is a jsonb; what it is printed to is NUL-terminated, and so is what that is converted to. Both live
    // as long as the memory context of the call.
    let printed = unsafe {
        let json = pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<pg_sys::Jsonb>();
        let text = pg_sys::JsonbToCString(std::ptr::null_mut(), &raw mut (*json).root, 0);
        let length = CStr::from_ptr(text).count_bytes() as i32;
        CStr::from_ptr(pg_sys::pg_server_to_any(text, length, pg_sys::pg_enc::PG_UTF8 as i32))
    };
    work(printed.to_bytes())
}

/// A jsonb value of a query's result, as it is printed. It may be nested as deep as it likes.
pub struct Printed(pub String);

impl FromDatum for Printed {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, null: bool, _: pg_sys::Oid) -> Option<Self> {
        (!null).then(|| with_printed(datum, |printed| Printed(String::from_utf8_lossy(printed).into_owned())))
    }
}

impl IntoDatum for Printed {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(jsonb(&self.0))
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

/// Refuses a jsonb value of more than `most` bytes, before it is looked at.
pub fn check_size(name: &str, value: pg_sys::Datum, most: usize) -> Result<()> {
    // SAFETY: the value is a jsonb, as it is stored or whole.
    let bytes = unsafe { pg_sys::toast_raw_datum_size(value) };
    if bytes > most { Err(too_large(name, bytes, most)) } else { Ok(()) }
}

fn too_large(name: &str, bytes: usize, most: usize) -> Error {
    Error::new("54000", format!("{name} is too large"))
        .detail(format!("It has {bytes} bytes."))
        .hint(format!("Give a document of at most {most} bytes."))
}

/// Hands over the text of a jsonb value that has at most `most` bytes, as it is stored and as it is printed.
pub fn with_text<T>(name: &str, value: pg_sys::Datum, most: usize, work: impl FnOnce(&str) -> Result<T>) -> Result<T> {
    check_size(name, value, most)?;
    with_printed(value, |printed| {
        if printed.len() > most {
            return Err(too_large(name, printed.len(), most));
        }
        work(&String::from_utf8_lossy(printed))
    })
}

/// A jsonb argument as a document of at most `MOST_BYTES`.
pub fn document(name: &str, value: AnyElement) -> Result<Value> {
    with_text(name, value.datum(), MOST_BYTES, |text| parse(name, text))
}

/// A document from its text, if it is not too deep, and if there is memory for it.
pub fn parse(name: &str, text: &str) -> Result<Value> {
    ensure(text)?;
    serde_json::from_str(text).map_err(|error| {
        Error::new("54001", format!("{name} cannot be read"))
            .detail(format!("{error}."))
            .hint("Give a document that is nested at most 127 levels deep.")
    })
}

/// So much is taken without a look whether it is there.
const SMALL: usize = 64 << 10;

/// Sees that there is memory for a document.
pub fn ensure(text: &str) -> Result<()> {
    if text.len() < SMALL / 100 { Ok(()) } else { allocate::ensure(weight(text)) }
}

/// The memory that a document takes when it is taken apart, at most about.
pub fn weight(text: &str) -> usize {
    let of = |byte| match byte {
        // The first node of a map has room for eleven entries.
        b'{' => 700,
        b'[' | b',' => 120,
        _ => 2,
    };
    text.bytes().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_unless_it_is_too_deep() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse("config", &nested(127)).is_ok());
        assert_eq!(parse("config", &nested(200)).unwrap_err().sqlstate, "54001");
        assert!(parse("config", &nested(200)).unwrap_err().detail.unwrap().contains("recursion limit"));
    }
}
