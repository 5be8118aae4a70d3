//! Identifiers: what a login name is compared by. `identity.normalize_identifier` and its companions.

mod check;
mod email;
mod fold;
mod key;
mod kind;
mod phone;
mod skeleton;

use crate::error::Error;
pub use check::{LENGTH_MAX, check};
pub use key::key;
pub use kind::Kind;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
pub use phone::Country;

#[pg_extern(sql = false)]
fn normalize_identifier(kind: &str, value: &str) -> Result<String, ErrorReport> {
    let known = Kind::ALL.map(Kind::name).join(", ");
    let kind = Kind::parse(kind).ok_or_else(|| {
        Error::invalid_argument(format!("unknown kind of identifier: \"{kind}\"")).hint(format!("Use one of {known}."))
    })?;
    Ok(key(kind, value))
}

#[pg_extern(sql = false)]
fn identifier_skeleton(key: &str) -> String {
    skeleton::skeleton(key)
}

#[pg_extern(sql = false)]
fn unicode_version() -> String {
    fold::unicode_version()
}
