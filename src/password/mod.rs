//! Password hashes: `identity.inspect_password_hash` and `identity.verify_password`, and the hash of a new password.
//!
//! `hash` parses and verifies all families, and knows nothing of Postgres.

mod compose;
mod crypt;
mod digest;
mod draft;
mod encoding;
mod hash;
mod kdf;
mod outline;
#[cfg(test)]
mod tests;

use crate::db::interrupt;
use crate::error::{Error, Result};
pub use compose::SaltedDigest;
pub use hash::Hash;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, JsonB};
use serde_json::Value;

// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
static ARGON2_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(19_456);
static ARGON2_ITERATIONS: GucSetting<i32> = GucSetting::<i32>::new(2);
static ARGON2_PARALLELISM: GucSetting<i32> = GucSetting::<i32>::new(1);

pub fn define_settings() {
    let define = |name, short, long, setting, least, most, flags| {
        GucRegistry::define_int_guc(name, short, long, setting, least, most, GucContext::Userset, flags);
    };
    define(
        c"identity.argon2_memory",
        c"Memory that hashing one new password takes.",
        c"Of argon2id, with which plain-text passwords in an import are hashed.",
        &ARGON2_MEMORY,
        8,
        1_048_576,
        GucFlags::UNIT_KB,
    );
    define(
        c"identity.argon2_iterations",
        c"Passes over that memory.",
        c"Of argon2id.",
        &ARGON2_ITERATIONS,
        1,
        10,
        GucFlags::default(),
    );
    define(
        c"identity.argon2_parallelism",
        c"Lanes of that memory; identity.argon2_memory is at least eight times as many kilobytes.",
        c"Of argon2id.",
        &ARGON2_PARALLELISM,
        1,
        16,
        GucFlags::default(),
    );
}

/// The argon2id hash of a new password; the inner error says why there can be none.
pub fn hash(password: &str) -> Result<std::result::Result<String, String>> {
    if let Err(message) = hash::check_length(password.as_bytes()) {
        return Ok(Err(message));
    }
    let password = password.to_string();
    let setting = |guc: &GucSetting<i32>| guc.get().unsigned_abs();
    let (memory, passes, lanes) = (setting(&ARGON2_MEMORY), setting(&ARGON2_ITERATIONS), setting(&ARGON2_PARALLELISM));
    interrupt::abandonable(move || kdf::argon2id(password.as_bytes(), memory, passes, lanes))
}

/// The hash of a new password; NULL where there can be none.
#[pg_extern(sql = false)]
fn hash_password(password: &str) -> std::result::Result<Option<String>, ErrorReport> {
    Ok(hash(password)?.ok())
}

/// Whether a password is the one that a hash was made of.
pub fn verify(hash: Hash, password: &str) -> Result<bool> {
    let verified = if let Err(message) = hash::check_length(password.as_bytes()) {
        Err(message)
    } else if hash.is_costly() {
        let password = password.to_string();
        interrupt::abandonable(move || hash.verify(password.as_bytes()))?
    } else {
        hash.verify(password.as_bytes())
    };
    verified.map_err(|message| Error::new("53200", format!("the password cannot be verified: {message}")))
}

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn inspect_password_hash(
    hash: Option<&str>,
) -> TableIterator<
    'static,
    (
        name!(scheme, Option<String>),
        name!(parameters, Option<JsonB>),
        name!(supported, bool),
        name!(problem, Option<String>),
    ),
> {
    let parsed = hash.map(Hash::parse);
    let (scheme, parameters, problem) = match parsed {
        None => (None, None, Some("it is NULL".to_string())),
        Some(Ok(hash)) => (Some(hash.scheme()), Some(hash.parameters()), None),
        Some(Err(problem)) => (problem.scheme, problem.scheme.map(|_| problem.parameters), Some(problem.text)),
    };
    let parameters = parameters.map(|p| JsonB(Value::Object(p)));
    TableIterator::once((scheme.map(str::to_string), parameters, problem.is_none(), problem))
}

/// See the comment on `identity_internal.hash_outline` in `sql/51_decoys.sql`.
#[pg_extern(sql = false)]
fn hash_outline(hash: &str) -> Option<String> {
    outline::of(hash)
}

#[pg_extern(sql = false)]
fn verify_password(hash: Option<&str>, password: Option<&str>) -> std::result::Result<bool, ErrorReport> {
    let (Some(hash), Some(password)) = (hash, password) else { return Ok(false) };
    let hash = Hash::parse(hash).map_err(|problem| {
        Error::invalid_argument("the password hash cannot be verified")
            .detail(format!("As {}: {}.", problem.scheme.unwrap_or("a whole"), problem.text))
            .hint("See SELECT * FROM identity.inspect_password_hash(...), and docs/passwords.md for the schemes.")
    })?;
    Ok(verify(hash, password)?)
}
