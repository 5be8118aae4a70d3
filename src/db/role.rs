//! Roles of the server and their rights.

use pgrx::pg_sys;

pub type Role = pg_sys::Oid;

/// The role whose rights apply now.
pub fn current() -> Role {
    // SAFETY: a plain read of the session's state.
    unsafe { pg_sys::GetUserId() }
}

pub fn is_superuser(role: Role) -> bool {
    // SAFETY: a look into the system's cache.
    unsafe { pg_sys::superuser_arg(role) }
}

/// Whether `role` has a right, such as `ACL_INSERT`, on a table or on one of its columns at least.
pub fn has_right_on_columns(role: Role, table: pg_sys::Oid, right: u32) -> bool {
    let (right, any) = (pg_sys::AclMode::from(right), pg_sys::AclMaskHow::ACLMASK_ANY);
    // SAFETY: looks into the system's cache.
    unsafe {
        pg_sys::pg_class_aclcheck(table, role, right) == pg_sys::AclResult::ACLCHECK_OK
            || pg_sys::pg_attribute_aclcheck_all(table, role, right, any) == pg_sys::AclResult::ACLCHECK_OK
    }
}

/// Whether `role` is `other`, or inherits its rights.
pub fn has_rights_of(role: Role, other: Role) -> bool {
    // SAFETY: a look into the system's cache; a role that does not exist has no members.
    unsafe { pg_sys::has_privs_of_role(role, other) }
}
