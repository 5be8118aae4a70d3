//! Identifiers: what a login name is compared by. `identity.normalize_identifier` and its companions.

mod check;
mod email;
mod fold;
mod key;
mod kind;
pub mod kratos;
mod phone;
mod skeleton;

use crate::db::argument;
use crate::error::{Error, shown};
pub use check::{LENGTH_MAX, check};
pub use key::key;
pub use kind::Kind;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
pub use phone::Country;

/// A text of so many bytes at most has a key; those of which identifiers are made have a limit of their own.
const MOST_BYTES: usize = 65_536;

fn kind(name: &str) -> crate::error::Result<Kind> {
    Kind::parse(name).ok_or_else(|| {
        Error::invalid_argument(format!("unknown kind of identifier: \"{}\"", shown(name)))
            .hint(format!("Use one of {}.", Kind::ALL.map(Kind::name).join(", ")))
    })
}

/// What is wrong with a value as a new identifier; NULL: nothing.
#[pg_extern(sql = false)]
fn identifier_problem(kind: &str, value: &str) -> Result<Option<String>, ErrorReport> {
    Ok(check(self::kind(kind)?, value).err())
}

#[pg_extern(sql = false)]
fn normalize_identifier(kind: &str, value: &str) -> Result<String, ErrorReport> {
    let kind = self::kind(kind)?;
    argument::check_length("the identifier", value, MOST_BYTES)?;
    Ok(key(kind, value))
}

#[pg_extern(sql = false)]
fn identifier_skeleton(key: &str) -> Result<String, ErrorReport> {
    argument::check_length("the key", key, MOST_BYTES)?;
    Ok(skeleton::skeleton(key))
}

#[pg_extern(sql = false)]
fn kratos_identifier(value: &str) -> Result<String, ErrorReport> {
    argument::check_length("the identifier", value, MOST_BYTES)?;
    Ok(kratos::key(value))
}

#[pg_extern(sql = false)]
fn unicode_version() -> String {
    fold::unicode_version()
}
