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
pub mod kratos;
mod limits;
mod outline;
#[cfg(test)]
mod tests;

use crate::db::interrupt;
use crate::error::{Error, Result};
pub use compose::SaltedDigest;
pub use hash::Hash;
use hash::Problem;
use limits::{Costs, Limits};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, JsonB};
use serde_json::Value;

// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
static ARGON2_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(19_456);
static ARGON2_ITERATIONS: GucSetting<i32> = GucSetting::<i32>::new(2);
static ARGON2_PARALLELISM: GucSetting<i32> = GucSetting::<i32>::new(1);
static ARGON2_MIN_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(19_456);
static ARGON2_MIN_ITERATIONS: GucSetting<i32> = GucSetting::<i32>::new(2);
static MAX_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(1_048_576);
static MAX_ARGON2_ITERATIONS: GucSetting<i32> = GucSetting::<i32>::new(10);
static MAX_BCRYPT_COST: GucSetting<i32> = GucSetting::<i32>::new(15);
static MAX_PBKDF2_ITERATIONS: GucSetting<i32> = GucSetting::<i32>::new(10_000_000);
static MAX_CRYPT_ROUNDS: GucSetting<i32> = GucSetting::<i32>::new(1_000_000);
static MAX_PHPASS_LOG2: GucSetting<i32> = GucSetting::<i32>::new(24);

pub fn define_settings() {
    // What everybody may set, above what a superuser says is the least.
    let define = |name, short, long, setting, least, most, flags| {
        GucRegistry::define_int_guc(name, short, long, setting, least, most, GucContext::Userset, flags);
    };
    define(
        c"identity.argon2_memory",
        c"Memory that hashing one new password takes.",
        c"Of argon2id, with which plain-text passwords in an import are hashed. Less than identity.argon2_min_memory counts as that.",
        &ARGON2_MEMORY,
        8,
        1_048_576,
        GucFlags::UNIT_KB,
    );
    define(
        c"identity.argon2_iterations",
        c"Passes over that memory.",
        c"Of argon2id. Fewer than identity.argon2_min_iterations count as that.",
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
    define_limits();
}

/// What a superuser says that passwords may cost.
fn define_limits() {
    let define = |name, short, setting, least, most, flags| {
        let long = c"More than there may be is not verified; less than there must be is raised.";
        GucRegistry::define_int_guc(name, short, long, setting, least, most, GucContext::Suset, flags);
    };
    let (kib, none) = (GucFlags::UNIT_KB, GucFlags::default());
    let least = c"The least memory that hashing a new password takes.";
    define(c"identity.argon2_min_memory", least, &ARGON2_MIN_MEMORY, 8, 1_048_576, kib);
    let least = c"The fewest passes over that memory.";
    define(c"identity.argon2_min_iterations", least, &ARGON2_MIN_ITERATIONS, 1, 10, none);
    let most = c"The most memory that hashing or verifying a password takes, of argon2 and scrypt.";
    define(c"identity.password_max_memory", most, &MAX_MEMORY, 8, 1_048_576, kib);
    let most = c"The most passes over the memory of argon2.";
    define(c"identity.password_max_argon2_iterations", most, &MAX_ARGON2_ITERATIONS, 1, 10, none);
    let most = c"The highest cost of bcrypt.";
    define(c"identity.password_max_bcrypt_cost", most, &MAX_BCRYPT_COST, 4, 15, none);
    let most = c"The most iterations of PBKDF2.";
    define(c"identity.password_max_pbkdf2_iterations", most, &MAX_PBKDF2_ITERATIONS, 1, 10_000_000, none);
    let most = c"The most rounds of SHA-crypt.";
    define(c"identity.password_max_crypt_rounds", most, &MAX_CRYPT_ROUNDS, 1_000, 1_000_000, none);
    let most = c"The logarithm of the most iterations of phpass.";
    define(c"identity.password_max_phpass_log2", most, &MAX_PHPASS_LOG2, 7, 24, none);
}

fn value(setting: &GucSetting<i32>) -> u64 {
    u64::from(setting.get().unsigned_abs())
}

fn limits() -> Limits {
    Limits {
        memory_kib: value(&MAX_MEMORY),
        argon2_iterations: value(&MAX_ARGON2_ITERATIONS),
        bcrypt_cost: value(&MAX_BCRYPT_COST),
        pbkdf2_iterations: value(&MAX_PBKDF2_ITERATIONS),
        crypt_rounds: value(&MAX_CRYPT_ROUNDS),
        phpass_log2: value(&MAX_PHPASS_LOG2),
    }
}

/// What a new hash costs: what is set, within what a superuser allows.
fn costs() -> Costs {
    let within = |set, least, most| value(set).max(value(least)).min(value(most));
    Costs {
        memory_kib: within(&ARGON2_MEMORY, &ARGON2_MIN_MEMORY, &MAX_MEMORY),
        iterations: within(&ARGON2_ITERATIONS, &ARGON2_MIN_ITERATIONS, &MAX_ARGON2_ITERATIONS),
    }
}

/// A hash that the settings allow to verify.
pub fn parse(text: &str) -> std::result::Result<Hash, Problem> {
    let hash = Hash::parse(text)?;
    limits().check(&hash)?;
    Ok(hash)
}

/// The argon2id hash of a new password; the inner error says why there can be none.
pub fn hash(password: &str) -> Result<std::result::Result<String, String>> {
    if let Err(message) = hash::check_length(password.as_bytes()) {
        return Ok(Err(message));
    }
    let password = password.to_string();
    let (costs, lanes) = (costs(), ARGON2_PARALLELISM.get().unsigned_abs());
    let (memory, passes) = (costs.memory_kib as u32, costs.iterations as u32);
    interrupt::abandonable(move || kdf::argon2id(password.as_bytes(), memory, passes, lanes))
}

/// The hash of a new password; NULL where there can be none.
#[pg_extern(sql = false)]
fn hash_password(password: &str) -> std::result::Result<Option<String>, ErrorReport> {
    Ok(hash(password)?.ok())
}

/// See the comment on `identity_internal.is_weaker_hash` in `sql/32_migration.sql`.
#[pg_extern(sql = false)]
fn is_weaker_hash(hash: &str) -> bool {
    parse(hash).is_ok_and(|hash| limits::strengthens(costs(), &hash))
}

/// See the comment on `identity_internal.password_fits` in `sql/32_migration.sql`.
#[pg_extern(sql = false)]
fn password_fits(password: &str) -> bool {
    hash::check_length(password.as_bytes()).is_ok()
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
    let parsed = hash.map(parse);
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
    parse(hash).ok().and_then(|_| outline::of(hash))
}

#[pg_extern(sql = false)]
fn verify_password(hash: Option<&str>, password: Option<&str>) -> std::result::Result<bool, ErrorReport> {
    let (Some(hash), Some(password)) = (hash, password) else { return Ok(false) };
    let hash = parse(hash).map_err(|problem| {
        Error::invalid_argument("the password hash cannot be verified")
            .detail(format!("As {}: {}.", problem.scheme.unwrap_or("a whole"), problem.text))
            .hint("See SELECT * FROM identity.inspect_password_hash(...), and docs/passwords.md for the schemes.")
    })?;
    Ok(verify(hash, password)?)
}
