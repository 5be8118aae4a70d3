//! Identifiers: what a login name is compared by. `identity.normalize_identifier` and its companions.

mod check;
mod email;
mod fold;
mod key;
mod kind;
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

#[pg_extern(sql = false)]
fn normalize_identifier(kind: &str, value: &str) -> Result<String, ErrorReport> {
    let known = Kind::ALL.map(Kind::name).join(", ");
    let kind = Kind::parse(kind).ok_or_else(|| {
        Error::invalid_argument(format!("unknown kind of identifier: \"{}\"", shown(kind)))
            .hint(format!("Use one of {known}."))
    })?;
    argument::check_length("the identifier", value, MOST_BYTES)?;
    Ok(key(kind, value))
}

#[pg_extern(sql = false)]
fn identifier_skeleton(key: &str) -> Result<String, ErrorReport> {
    argument::check_length("the key", key, MOST_BYTES)?;
    Ok(skeleton::skeleton(key))
}

#[pg_extern(sql = false)]
fn unicode_version() -> String {
    fold::unicode_version()
}
