//! The session around a call: its settings, its user, its locks.

use crate::db::spi;
use crate::error::{Error, Result};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;

/// Settings changed for the length of `work`, and put back after it, as for a function with a SET clause.
pub fn with_settings<T>(settings: &[(&str, &str)], work: impl FnOnce() -> Result<T>) -> Result<T> {
    // SAFETY: the nest level is closed below; on an error Postgres' abort closes it.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    let result = apply(settings).and_then(|()| work());
    // SAFETY: `level` is the level opened above. `false` also puts back what SET LOCAL changed.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    result
}

fn apply(settings: &[(&str, &str)]) -> Result<()> {
    for (name, value) in settings {
        let args: [DatumWithOid; 2] = [(*name).into(), (*value).into()];
        spi::value::<String>("SELECT pg_catalog.set_config($1, $2, true)", &args)?;
    }
    Ok(())
}

/// Runs `work` as the owner of this extension: for its own tables, which callers have no rights on.
pub fn as_extension_owner<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let owner =
        spi::value::<pg_sys::Oid>("SELECT extowner FROM pg_catalog.pg_extension WHERE extname = 'pg_identity'", &[])?
            .ok_or_else(|| Error::new("42704", "extension \"pg_identity\" is not installed here"))?;
    let mut user = pg_sys::InvalidOid;
    let mut context = 0;
    // SAFETY: the user and the context are put back below; on an error Postgres' abort puts them back.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        let local = pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32;
        pg_sys::SetUserIdAndSecContext(owner, context | local);
        let result = work();
        pg_sys::SetUserIdAndSecContext(user, context);
        result
    }
}

/// Waits for every other import into `target` to end its transaction, then keeps others waiting for this one.
///
/// The lock is on the pair (the table, sub-object 1), which nothing else in Postgres takes: it is no table lock, so
/// readers and ordinary writers go on. pg_locks shows it as locktype `object`.
pub fn lock_for_import(target: pg_sys::Oid) {
    // SAFETY: takes a heavyweight lock that the transaction's end releases.
    unsafe {
        pg_sys::LockDatabaseObject(pg_sys::RelationRelationId, target, 1, pg_sys::ExclusiveLock as i32);
    }
}

/// True in a transaction that may not write: READ ONLY, or on a standby.
pub fn read_only() -> bool {
    // SAFETY: plain reads of the server's state.
    unsafe { pg_sys::XactReadOnly || pg_sys::RecoveryInProgress() }
}
