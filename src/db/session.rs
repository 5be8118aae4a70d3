//! The session around a call: its settings, its user, its locks.

use crate::db::{scan, spi, sql};
use crate::error::Result;
use pgrx::pg_sys;
use std::ffi::{CStr, CString, c_char};
use std::sync::OnceLock;

/// Settings changed for the length of `work`, and put back after it, as for a function with a SET clause.
pub fn with_settings<T>(settings: &[(&str, &str)], work: impl FnOnce() -> Result<T>) -> Result<T> {
    // SAFETY: the nest level is closed below; on an error Postgres' abort closes it.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    for (name, value) in settings {
        save_setting(name, value);
    }
    let result = work();
    // SAFETY: `level` is the level opened above.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    result
}

fn save_setting(name: &str, value: &str) {
    let (name, value) = (CString::new(name), CString::new(value));
    let (name, value) = (name.expect("a setting's name has no NUL byte"), value.expect("nor has its value"));
    // SAFETY: both strings outlive the call, which copies them.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}

/// Runs `work` where no name can mean anything but the system's, and where the catalog gives every other name qualified.
pub fn with_system_names<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    with_settings(&[("search_path", "pg_catalog, pg_temp")], work)
}

/// The search path that is set, with pg_catalog before all else: under it an expression that the catalog prints means what it says,
/// and the names that functions leave bare mean what they mean to the caller. pg_temp, which comes first where a path does not name
/// it, comes after pg_catalog.
pub fn catalog_first() -> Result<String> {
    // SAFETY: the list is one of OIDs, made for this call; a schema's name is NUL-terminated, or NULL where there is none any more.
    let schemas: Vec<String> = unsafe {
        let path = pg_sys::fetch_search_path(true);
        let schemas = if path.is_null() { 0 } else { (*path).length as usize };
        (0..schemas)
            .map(|i| pg_sys::get_namespace_name((*(*path).elements.add(i)).oid_value))
            .filter(|name| !name.is_null())
            .map(|name| CStr::from_ptr(name).to_string_lossy().into_owned())
            .collect()
    };
    Ok(first_in_path(&schemas))
}

fn first_in_path(schemas: &[String]) -> String {
    let named = |schema: &String| if schema.starts_with("pg_temp_") { "pg_temp".to_string() } else { schema.clone() };
    let mut path: Vec<String> = schemas.iter().map(named).filter(|schema| schema != "pg_catalog").collect();
    if !path.iter().any(|schema| schema == "pg_temp") {
        path.insert(0, "pg_temp".to_string());
    }
    path.insert(0, "pg_catalog".to_string());
    sql::comma(path.iter().map(|schema| sql::ident(schema))).to_string()
}

/// Who looks at the catalog, and settings that change what there is to see: the role of replication, and whether policies apply.
pub fn sees_as() -> (pg_sys::Oid, i32, bool) {
    // SAFETY: plain reads of the session's state.
    unsafe { (pg_sys::GetUserId(), pg_sys::SessionReplicationRole, pg_sys::row_security) }
}

/// The name of the role whose rights apply.
pub fn current_role_name() -> Result<String> {
    Ok(spi::value::<String>("SELECT CURRENT_USER::pg_catalog.text", &[])?.unwrap_or_default())
}

/// Runs `work` as the owner of this extension: for its own tables, which callers have no rights on.
pub fn as_extension_owner<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    as_owner(extension_owner()?, work)
}

/// As `as_extension_owner`, where the owner is known. No name can mean anything but the system's: nothing of the caller's
/// is run with the owner's rights.
pub fn as_owner<T>(owner: pg_sys::Oid, work: impl FnOnce() -> Result<T>) -> Result<T> {
    as_user(owner, || with_system_names(work))
}

/// The role that owns the extension's tables and functions: found by the table, not by a name that another role may have.
pub fn extension_owner() -> Result<pg_sys::Oid> {
    let table = scan::own_relation(scan::schema(), c"realms")?;
    // SAFETY: the table is closed as it was opened.
    unsafe {
        let table = pg_sys::table_open(table, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let owner = (*(*table).rd_rel).relowner;
        pg_sys::table_close(table, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        Ok(owner)
    }
}

/// Runs `work` with the rights of `role`.
pub(super) fn as_user<T>(role: pg_sys::Oid, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut user = pg_sys::InvalidOid;
    let mut context = 0;
    // SAFETY: the user and the context are put back below; on an error Postgres' abort puts them back.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        let local = pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32;
        pg_sys::SetUserIdAndSecContext(role, context | local);
        let result = work();
        pg_sys::SetUserIdAndSecContext(user, context);
        result
    }
}

/// Waits for every other import into `target` to end its transaction, then keeps others waiting for this one.
///
/// The lock is on the table as a sub-object, `part`, from 1 on, which nothing else in Postgres takes: it is no table lock, so
/// readers and ordinary writers go on. pg_locks shows it as locktype `object`.
pub fn lock_for_import(target: pg_sys::Oid, part: u16) {
    lock_part(target, part, pg_sys::ExclusiveLock);
}

/// The same lock, shared: it is only kept from those who want it for themselves.
pub fn share_for_import(target: pg_sys::Oid, part: u16) {
    lock_part(target, part, pg_sys::ShareLock);
}

fn lock_part(target: pg_sys::Oid, part: u16, mode: u32) {
    // SAFETY: takes a heavyweight lock that the end of the transaction releases, or that of the subtransaction if it is rolled back.
    unsafe { pg_sys::LockDatabaseObject(pg_sys::RelationRelationId, target, part, mode as i32) };
}

/// Locks a table as an INSERT does, until the end of the transaction, if the current user may write it. What its catalog says then stays so.
pub fn lock_for_writing(table: pg_sys::Oid) -> Result<()> {
    // SAFETY: a look into the catalog, and a heavyweight lock that the transaction's end releases.
    unsafe {
        let rights = pg_sys::AclMode::from(pg_sys::ACL_INSERT | pg_sys::ACL_UPDATE);
        let user = pg_sys::GetUserId();
        let allowed = |mask| mask == pg_sys::AclResult::ACLCHECK_OK;
        let any = pg_sys::AclMaskHow::ACLMASK_ANY;
        let mut missing = false;
        let on_table = pg_sys::pg_class_aclcheck_ext(table, user, rights, &mut missing);
        if !missing && (allowed(on_table) || allowed(pg_sys::pg_attribute_aclcheck_all(table, user, rights, any))) {
            pg_sys::LockRelationOid(table, pg_sys::RowExclusiveLock as i32);
        }
    }
    Ok(())
}

/// Every plan that the session keeps is made anew when it is used next.
pub fn forget_plans() {
    // SAFETY: plans in use are kept until they are not.
    unsafe { pg_sys::ResetPlanCache() };
}

/// The memory that one operation may use, in bytes.
pub fn work_mem_bytes() -> usize {
    // SAFETY: a plain read of the server's setting, which is in kilobytes.
    usize::try_from(unsafe { pg_sys::work_mem }).unwrap_or(4096) * 1024
}

/// The memory that work may use which sorts and groups, as a setting: that of an index build, or of a single operation where that is more.
pub fn most_memory() -> String {
    // SAFETY: plain reads of the server's settings.
    unsafe { format!("{}kB", pg_sys::work_mem.max(pg_sys::maintenance_work_mem)) }
}

/// The transaction, or the subtransaction, in which this is done.
pub fn subtransaction() -> pg_sys::TransactionId {
    // SAFETY: to be called in a transaction that writes.
    unsafe { pg_sys::GetCurrentTransactionId() }
}

/// The depth of triggers: 0 outside of them.
pub fn trigger_depth() -> i32 {
    // SAFETY: the function takes no argument, and returns an int4.
    unsafe { pgrx::direct_function_call::<i32>(pg_sys::pg_trigger_depth, &[]) }.unwrap_or_default()
}

/// The number of this server process among those that are running, from 0, and how many there can be.
pub fn number() -> (u32, u32) {
    // SAFETY: plain reads of the process's own state.
    unsafe {
        #[cfg(not(any(feature = "pg17", feature = "pg18")))]
        let number = pg_sys::MyBackendId - 1;
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        let number = pg_sys::MyProcNumber;
        (number.max(0) as u32, pg_sys::MaxBackends.max(1) as u32)
    }
}

/// True with the settings that pg_restore and the scripts of pg_dump make.
pub fn has_settings_of_a_restore() -> bool {
    // SAFETY: plain reads of the session's settings.
    unsafe { !pg_sys::check_function_bodies && !pg_sys::row_security }
}

/// True in a transaction that may not write: READ ONLY, or on a standby.
pub fn read_only() -> bool {
    // SAFETY: plain reads of the server's state.
    unsafe { pg_sys::XactReadOnly || pg_sys::RecoveryInProgress() }
}

/// True on a standby.
pub fn in_recovery() -> bool {
    // SAFETY: a plain read of the server's state.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// The cluster and the database, in which an oid means what it meant before. A database that was restored from a dump is another one.
pub fn origin() -> String {
    // SAFETY: plain reads of the server's state.
    unsafe { format!("{}/{}", pg_sys::GetSystemIdentifier(), pg_sys::MyDatabaseId.to_u32()) }
}

/// True where all statements of the transaction see the snapshot of the first.
pub fn keeps_snapshot() -> bool {
    // SAFETY: a plain read of the server's state.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

/// Who is at work: the role that logged in, the one that it works as (SET ROLE), and the application's name for itself.
pub fn who() -> [String; 3] {
    // SAFETY: both roles are the session's own; their names and the application's are NUL-terminated.
    unsafe {
        let role = |oid| text(pg_sys::GetUserNameFromId(oid, true));
        [role(pg_sys::GetSessionUserId()), role(pg_sys::GetOuterUserId()), text(pg_sys::application_name)]
    }
}

/// The address that the client reached the database from; `None` for a local socket. It stays for the session.
pub fn client_addr() -> Result<Option<String>> {
    static ADDRESS: OnceLock<Option<String>> = OnceLock::new();
    if let Some(address) = ADDRESS.get() {
        return Ok(address.clone());
    }
    let address = spi::value::<String>("SELECT pg_catalog.host(pg_catalog.inet_client_addr())", &[])?;
    Ok(ADDRESS.get_or_init(|| address).clone())
}

/// # Safety
/// `text` is NULL or NUL-terminated.
unsafe fn text(text: *const c_char) -> String {
    // SAFETY: as the caller promises.
    unsafe { if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() } }
}

/// A timestamptz counts its microseconds from 2000.
pub const FROM_1970_TO_2000: i64 = 946_684_800_000_000;

/// The clock, in the microseconds of a timestamptz.
pub fn clock() -> i64 {
    // SAFETY: a plain reading of the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// The clock, as a timestamptz.
pub fn now() -> pg_sys::Datum {
    pg_sys::Datum::from(clock())
}

/// Runs `work` under one snapshot of this moment, with all that this transaction has done so far. Under REPEATABLE READ it is the
/// transaction's snapshot.
pub fn with_snapshot<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // SAFETY: what is pushed is popped; on an error Postgres' abort pops it.
    unsafe {
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let result = work();
        pg_sys::PopActiveSnapshot();
        result
    }
}

/// What this transaction has done so far is seen by snapshots that are taken after this.
pub fn see_own_changes() {
    // SAFETY: to be called where a statement may write.
    unsafe { pg_sys::CommandCounterIncrement() }
}

/// When the client's statement began: microseconds since 1970, in UTC.
pub fn statement_time() -> i64 {
    // SAFETY: a plain read of the session's state.
    unsafe { pg_sys::GetCurrentStatementStartTimestamp() + FROM_1970_TO_2000 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_comes_first_and_the_rest_keeps_its_order() {
        let path = |schemas: &[&str]| first_in_path(&schemas.iter().map(|s| s.to_string()).collect::<Vec<_>>());
        assert_eq!(path(&["pg_catalog", "public"]), r#""pg_catalog", "pg_temp", "public""#);
        assert_eq!(path(&["pg_temp_7", "pg_catalog", "a, b"]), r#""pg_catalog", "pg_temp", "a, b""#);
        assert_eq!(path(&["evil", "pg_catalog", "pg_temp_7"]), r#""pg_catalog", "evil", "pg_temp""#);
    }
}
