//! Functions made to be slow: bcrypt, Argon2, PBKDF2, scrypt and Firebase's variant of it.

use super::digest::Algorithm;
use super::draft::{Draft, HASH_BYTES, SALT_BYTES};
use super::encoding;
use super::hash::{Hash, Method, Problem, check_length};
use crate::db::allocate;
use argon2::{Argon2, Version};
use ctr::cipher::{KeyIvInit, StreamCipher};

/// At the limits, a verification takes seconds, with the longest of hashes a minute, and at most one gibibyte.
const MOST_MEMORY_KIB: u32 = 1_048_576;
const MOST_ITERATIONS: u32 = 10_000_000;
const MOST_SCRYPT_LOG2: u32 = 17;
const MOST_SCRYPT_N: u32 = 1 << MOST_SCRYPT_LOG2;

struct Bcrypt {
    cost: u32,
    salt: [u8; 16],
}

/// `cost$` and 22 letters of salt, then 31 of hash. The versions that come here differ in nothing that is still made.
pub fn bcrypt(parts: &[&str]) -> Result<Hash, Problem> {
    let mut draft = Draft::new("bcrypt");
    let [cost_text, text] = draft.parts(parts)?;
    let cost = draft.number("cost", cost_text, 4..=15)?;
    if cost_text.len() != 2 {
        return Err(draft.problem("its cost has not two digits"));
    }
    let (salt, hash) = text.split_at_checked(22).ok_or_else(|| draft.problem("its salt is incomplete"))?;
    let salt = encoding::bcrypt_salt(salt).ok_or_else(|| draft.problem("its salt is not well encoded"))?;
    let expected = draft.bytes("hash", encoding::bcrypt64(hash), 23..=23)?;
    Ok(draft.finish(Bcrypt { cost, salt }, expected))
}

impl Method for Bcrypt {
    /// bcrypt reads 72 bytes, the last of them a zero if there is room for it. It drops the last byte of its result.
    fn derive(&self, password: &[u8]) -> Result<Vec<u8>, String> {
        let key: Vec<u8> = password.iter().copied().chain([0]).take(72).collect();
        let mut derived = ::bcrypt::bcrypt(self.cost, self.salt, &key).to_vec();
        derived.truncate(23);
        Ok(derived)
    }
}

struct Argon {
    variant: argon2::Algorithm,
    params: argon2::Params,
    salt: Vec<u8>,
    size: usize,
}

/// `v=19$m=,t=,p=$salt$hash`
pub fn argon2(scheme: &'static str, variant: argon2::Algorithm, parts: &[&str]) -> Result<Hash, Problem> {
    let mut draft = Draft::new(scheme);
    if !parts.first().is_some_and(|first| first.starts_with("v=")) {
        return Err(draft.problem("it does not say its version; only version 19 is supported"));
    }
    let [version, costs, salt, hash] = draft.parts(parts)?;
    let [version] = draft.values(version, ["v"])?;
    draft.number("version", version, 19..=19)?;
    refuse_extras(&draft, costs)?;
    let [memory, iterations, lanes] = draft.values(costs, ["m", "t", "p"])?;
    let memory = draft.number("memory_kib", memory, 8..=MOST_MEMORY_KIB)?;
    let iterations = draft.number("iterations", iterations, 1..=10)?;
    let lanes = draft.number("parallelism", lanes, 1..=16)?;
    let salt = draft.bytes("salt", encoding::base64(salt), argon2::MIN_SALT_LEN..=*SALT_BYTES.end())?;
    let expected = draft.bytes("hash", encoding::base64(hash), HASH_BYTES)?;
    let params = argon2::Params::new(memory, iterations, lanes, None);
    let params = params.map_err(|_| draft.problem("memory_kib is less than 8 for each of parallelism"))?;
    Ok(draft.finish(Argon { variant, params, salt, size: expected.len() }, expected))
}

/// Both change the result, and what they stand for may not be in the text.
fn refuse_extras(draft: &Draft, costs: &str) -> Result<(), Problem> {
    let given = |name: &&str| costs.split(',').any(|pair| pair.split('=').next() == Some(name));
    let extra = ["keyid", "data"].into_iter().find(given);
    extra.map_or(Ok(()), |name| Err(draft.problem(format!("the parameter {name} is not supported"))))
}

impl Method for Argon {
    /// The library reports memory that it does not get.
    fn derive(&self, password: &[u8]) -> Result<Vec<u8>, String> {
        let mut derived = vec![0; self.size];
        let argon2 = Argon2::new(self.variant, Version::V0x13, self.params.clone());
        let made = allocate::trying(|| argon2.hash_password_into(password, &self.salt, &mut derived));
        made.map_err(|e| format!("argon2: {e}"))?;
        Ok(derived)
    }
}

/// A new hash. Its costs must be within the limits for those that are read, so that it can be verified.
pub fn argon2id(password: &[u8], memory_kib: u32, iterations: u32, parallelism: u32) -> Result<String, String> {
    check_length(password)?;
    let costs = format!("$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}");
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|e| format!("no random salt: {e}"))?;
    let encode =
        |hash: &[u8]| format!("{costs}${}${}", encoding::to_bare_base64(&salt), encoding::to_bare_base64(hash));
    Hash::parse(&encode(&[0; 32])).map_err(|problem| problem.text)?;
    let params = argon2::Params::new(memory_kib, iterations, parallelism, Some(32)).map_err(|e| e.to_string())?;
    let hash =
        Argon { variant: argon2::Algorithm::Argon2id, params, salt: salt.to_vec(), size: 32 }.derive(password)?;
    Ok(encode(&hash))
}

struct Pbkdf2 {
    algorithm: Algorithm,
    /// What the scheme's name means in some systems.
    namesake: Option<Algorithm>,
    iterations: u32,
    salt: Vec<u8>,
    size: usize,
}

/// `i=,l=$salt$hash` in standard base64, or `iterations$salt$hash` with dots for its pluses.
pub fn pbkdf2(scheme: &'static str, algorithm: Algorithm, parts: &[&str]) -> Result<Hash, Problem> {
    let mut draft = Draft::new(scheme);
    let [costs, salt, hash] = draft.parts(parts)?;
    if !costs.contains('=') {
        let iterations = draft.number("iterations", costs, 1..=MOST_ITERATIONS)?;
        let salt = draft.bytes("salt", encoding::dotted_base64(salt), SALT_BYTES)?;
        let expected = draft.bytes("hash", encoding::dotted_base64(hash), HASH_BYTES)?;
        let size = expected.len();
        return Ok(draft.finish(Pbkdf2 { algorithm, namesake: None, iterations, salt, size }, expected));
    }
    let [iterations, length] = draft.values(costs, ["i", "l"])?;
    let iterations = draft.number("iterations", iterations, 1..=MOST_ITERATIONS)?;
    draft.number("length", length, 0..=u32::MAX)?;
    let salt = draft.bytes("salt", encoding::base64(salt), SALT_BYTES)?;
    let expected = draft.bytes("hash", encoding::base64(hash), HASH_BYTES)?;
    // The hash tells its own length. Ory Kratos pays no attention to the other one, and some write it in bits.
    let (namesake, size) = (algorithm.namesake(), expected.len());
    Ok(draft.finish(Pbkdf2 { algorithm, namesake, iterations, salt, size }, expected))
}

/// `iterations$salt$hash`, the salt as it is, the hash in base64 and as long as the digest.
pub fn django(scheme: &'static str, algorithm: Algorithm, text: &str) -> Result<Hash, Problem> {
    let mut draft = Draft::new(scheme);
    let parts: Vec<&str> = text.split('$').collect();
    let [iterations, salt, hash] = draft.parts(&parts)?;
    let iterations = draft.number("iterations", iterations, 1..=MOST_ITERATIONS)?;
    let salt = draft.bytes("salt", Some(salt.as_bytes().to_vec()), SALT_BYTES)?;
    let size = algorithm.size();
    let expected = draft.bytes("hash", encoding::base64(hash), size..=size)?;
    Ok(draft.finish(Pbkdf2 { algorithm, namesake: None, iterations, salt, size }, expected))
}

impl Method for Pbkdf2 {
    fn derive(&self, password: &[u8]) -> Result<Vec<u8>, String> {
        let mut derived = vec![0; self.size];
        self.algorithm.pbkdf2(password, &self.salt, self.iterations, &mut derived);
        Ok(derived)
    }

    fn derive_otherwise(&self, password: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let Some(namesake) = self.namesake else { return Ok(None) };
        let mut derived = vec![0; self.size];
        namesake.pbkdf2(password, &self.salt, self.iterations, &mut derived);
        Ok(Some(derived))
    }
}

struct Scrypt {
    params: ::scrypt::Params,
    salt: Vec<u8>,
    size: usize,
}

/// `ln=,r=,p=$salt$hash`. In some systems `ln` is the cost N itself, in others, as its name says, its logarithm. They
/// do not overlap: an N as small as a logarithm protects nothing, and nobody makes such hashes.
pub fn scrypt(parts: &[&str]) -> Result<Hash, Problem> {
    let mut draft = Draft::new("scrypt");
    let [costs, salt, hash] = draft.parts(parts)?;
    let [cost, r, p] = draft.values(costs, ["ln", "r", "p"])?;
    let log2 = scrypt_log2(&mut draft, cost)?;
    let params = scrypt_params(&mut draft, log2, r, p)?;
    let salt = draft.bytes("salt", encoding::base64(salt), SALT_BYTES)?;
    let expected = draft.bytes("hash", encoding::base64(hash), HASH_BYTES)?;
    Ok(draft.finish(Scrypt { params, salt, size: expected.len() }, expected))
}

fn scrypt_log2(draft: &mut Draft, text: &str) -> Result<u32, Problem> {
    let value = draft.number("ln", text, 1..=MOST_SCRYPT_N)?;
    if value <= 31 {
        return draft.number("ln", text, 1..=MOST_SCRYPT_LOG2);
    }
    if !value.is_power_of_two() {
        return Err(draft.problem(format!("ln is {value}, which is neither a logarithm nor a power of two")));
    }
    Ok(value.ilog2())
}

fn scrypt_params(draft: &mut Draft, log2: u32, r: &str, p: &str) -> Result<::scrypt::Params, Problem> {
    draft.note("n", 1_u64 << log2);
    let r = draft.number("r", r, 1..=8)?;
    let p = draft.number("p", p, 1..=10)?;
    let log2 = u8::try_from(log2).ok();
    let params = log2.and_then(|log2| ::scrypt::Params::new(log2, r, p).ok());
    params.ok_or_else(|| draft.problem("its costs do not go together"))
}

impl Method for Scrypt {
    fn derive(&self, password: &[u8]) -> Result<Vec<u8>, String> {
        let mut derived = vec![0; self.size];
        run_scrypt(password, &self.salt, self.params, &mut derived)?;
        Ok(derived)
    }
}

/// The library ends the process if it does not get its memory, 128 MiB at most: so see first whether there is so much.
fn run_scrypt(password: &[u8], salt: &[u8], params: ::scrypt::Params, derived: &mut [u8]) -> Result<(), String> {
    let blocks = params.n().saturating_add(u64::from(params.p())).saturating_add(1);
    let needed = blocks.saturating_mul(u64::from(params.r())).saturating_mul(128);
    let needed = usize::try_from(needed).unwrap_or(usize::MAX);
    allocate::ensure(needed).map_err(|_| "scrypt: not enough memory".to_owned())?;
    ::scrypt::scrypt(password, salt, &params, derived).map_err(|e| format!("scrypt: {e}"))
}

struct Firescrypt {
    params: ::scrypt::Params,
    salt: Vec<u8>,
    signer_key: Vec<u8>,
}

/// `ln=,r=,p=$salt$hash$separator$signer key`; here, `ln` is always the logarithm.
pub fn firescrypt(parts: &[&str]) -> Result<Hash, Problem> {
    let mut draft = Draft::new("firescrypt");
    let [costs, salt, hash, separator, signer_key] = draft.parts(parts)?;
    let [log2, r, p] = draft.values(costs, ["ln", "r", "p"])?;
    let log2 = draft.number("ln", log2, 1..=MOST_SCRYPT_LOG2)?;
    let params = scrypt_params(&mut draft, log2, r, p)?;
    let mut salt = draft.bytes("salt", encoding::base64(salt), SALT_BYTES)?;
    salt.extend(draft.bytes("separator", encoding::base64(separator), SALT_BYTES)?);
    let signer_key = draft.bytes("signer_key", encoding::base64(signer_key), HASH_BYTES)?;
    let size = signer_key.len();
    let expected = draft.bytes("hash", encoding::base64(hash), size..=size)?;
    Ok(draft.finish(Firescrypt { params, salt, signer_key }, expected))
}

impl Method for Firescrypt {
    /// The signer key of the project, encrypted with a key that scrypt makes of the password.
    fn derive(&self, password: &[u8]) -> Result<Vec<u8>, String> {
        let mut key = [0; 32];
        run_scrypt(password, &self.salt, self.params, &mut key)?;
        let mut derived = self.signer_key.clone();
        let mut cipher = ctr::Ctr128BE::<aes::Aes256>::new(&key.into(), &[0; 16].into());
        cipher.try_apply_keystream(&mut derived).map_err(|e| format!("firescrypt: {e}"))?;
        Ok(derived)
    }
}
