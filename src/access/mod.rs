//! Who may call what, and for which realms: the levels of access that `identity.grant_access()` gives.
//!
//! `level` says what a level includes, `realms` finds out which realms a role has it for. Every function of the extension that is
//! about a realm asks `require` or `allows` as the role that called it, before it does anything as another.

mod gate;
mod level;
mod realms;

use crate::db::sql::literal;
use crate::db::{reserve, session};
use crate::error::{Error, Result};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use realms::Realms;
use std::rc::Rc;

pub use level::Level;

/// Raises where the current role may not act on `realm` at this level. `None`: the function has to say itself that a realm is
/// missing; '' is the database as a whole, which belongs to those who have all realms.
pub fn require(level: Level, realm: Option<&str>) -> Result<()> {
    let realms = of_caller(level)?;
    match realm {
        Some(realm) if !realms.has(realm) => Err(unknown_realm(realm)),
        _ => Ok(()),
    }
}

/// Raises where the current role has this level for no realm.
pub fn require_any(level: Level) -> Result<()> {
    require(level, None)
}

/// Whether `realm` is one of those that the current role has this level for. Raises where it has the level for none.
pub fn covers(level: Level, realm: &str) -> Result<bool> {
    Ok(of_caller(level)?.has(realm))
}

/// The realms that the current role has this level for: at least one.
fn of_caller(level: Level) -> Result<Rc<Realms>> {
    // Who asks here goes on to run statements.
    reserve::hold()?;
    let realms = realms::of_current_role(Some(level))?;
    if realms.is_empty() { Err(lacks(level)) } else { Ok(realms) }
}

fn lacks(level: Level) -> Error {
    let role = session::current_role_name().unwrap_or_default();
    Error::new("42501", format!("role \"{role}\" does not have the access level {}", level.name())).hint(format!(
        "A superuser can run: SELECT identity.grant_access({}, '{}').",
        literal(&role),
        level.name()
    ))
}

/// The same words for a realm that the role does not have and for one that does not exist.
fn unknown_realm(realm: &str) -> Error {
    Error::new("42704", format!("realm \"{realm}\" does not exist"))
        .hint("SELECT name FROM identity.realms shows the realms that you have access to.")
}

/// See the comment on `identity_internal.level_includes` in `sql/01_access.sql`.
#[pg_extern(sql = false)]
fn level_includes(level: &str, part: &str) -> bool {
    match (Level::parse(level), Level::parse(part)) {
        (Some(level), Some(part)) => level.includes(part),
        _ => false,
    }
}

/// See the comment on `identity_internal.has_all_realms` in `sql/01_access.sql`.
#[pg_extern(sql = false)]
fn has_all_realms(level: Option<&str>) -> std::result::Result<bool, ErrorReport> {
    Ok(realms::of_current_role(level_argument(level)?)?.has_all())
}

/// See the comment on `identity_internal.my_realms` in `sql/01_access.sql`.
#[pg_extern(sql = false)]
fn my_realms(level: Option<&str>) -> std::result::Result<SetOfIterator<'static, String>, ErrorReport> {
    Ok(SetOfIterator::new(realms::of_current_role(level_argument(level)?)?.named()))
}

fn level_argument(level: Option<&str>) -> Result<Option<Level>> {
    level.map(|name| Level::parse(name).ok_or_else(|| Level::unknown(name))).transpose()
}
