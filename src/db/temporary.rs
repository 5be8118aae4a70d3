//! Temporary tables that stand in somebody else's session.
//!
//! They belong to the owner of the extension, and the session to a caller. What makes that safe: all of the caller's code has run
//! before they are made; CREATE fails where the caller has a table of that name; and while they are held they are in use, so that
//! even a trigger of a third party, on a table of the store, can neither drop them (DISCARD TEMP needs no right) nor put its own
//! in their place.

use crate::error::{Error, Result};
use pgrx::pg_sys;
use std::ffi::CString;

/// Temporary tables in use. They cannot be dropped, truncated or indexed, also not by their owner, until this is gone.
pub struct Held(Vec<pg_sys::Relation>);

impl Held {
    /// Takes hold of temporary tables that the current user has just made.
    pub fn new(names: &[impl AsRef<str>]) -> Result<Self> {
        let mut held = Held(Vec::new());
        for name in names {
            let relation = open(name.as_ref());
            held.0.push(relation);
            // SAFETY: the relation is open.
            if unsafe { (*(*relation).rd_rel).relowner != pg_sys::GetUserId() } {
                let message = format!("temporary table \"{}\" is not the extension's own", name.as_ref());
                return Err(Error::new("42501", message).hint("DISCARD TEMP drops what stands in its way."));
            }
        }
        Ok(held)
    }
}

/// A table of the session's temporary schema.
fn open(name: &str) -> pg_sys::Relation {
    let name = CString::new(name).expect("a table's name has no NUL byte");
    // SAFETY: the names outlive the calls. `drop` closes the relation; on an error Postgres' abort does.
    unsafe {
        let schema = c"pg_temp".as_ptr().cast_mut();
        let table = pg_sys::makeRangeVar(schema, name.as_ptr().cast_mut(), -1);
        pg_sys::relation_openrv(table, pg_sys::AccessShareLock as pg_sys::LOCKMODE)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // After an error Postgres closes them with the transaction.
        if std::thread::panicking() {
            return;
        }
        for relation in self.0.drain(..) {
            // SAFETY: opened by `new`, closed once; the lock stays until the transaction ends.
            unsafe { pg_sys::relation_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE) };
        }
    }
}
