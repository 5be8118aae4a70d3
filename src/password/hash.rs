//! A password hash as another system exported it: what it says of itself, and whether a password fits.
//!
//! Reading a hash checks all of it, costs included, so that what is wrong is known when the row comes in and not when
//! its owner logs in for the first time, and so that no stored text can make a login run without end.

use super::digest::{DJANGO, HMAC, PBKDF2, SSHA, TEMPLATE};
use super::{crypt, digest, kdf};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// No hash in use comes near it.
const MAX_TEXT: usize = 4096;
/// Schemes that read the whole password in each round take the longer, the longer it is. Others stop here, too.
pub const MAX_PASSWORD: usize = 4096;

/// How a scheme makes of a password what it stores.
pub trait Method: Send + Sync {
    /// Fails only for want of memory.
    fn derive(&self, password: &[u8]) -> Result<Vec<u8>, String>;

    /// What it makes where a text of the scheme can be read in a second way.
    fn derive_otherwise(&self, _password: &[u8]) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    /// Made to take long. Otherwise the time is that of reading the password once.
    fn is_costly(&self) -> bool {
        true
    }
}

/// A parsed password hash.
#[derive(Clone)]
pub struct Hash {
    scheme: &'static str,
    parameters: Map<String, Value>,
    method: Arc<dyn Method>,
    expected: Vec<u8>,
}

/// Why a text is no hash that can be verified. Never contains any part of the text but the name of the scheme, and the
/// numbers that are its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// None: nothing in the text tells.
    pub scheme: Option<&'static str>,
    /// Those that were read before the problem was met.
    pub parameters: Map<String, Value>,
    pub text: String,
}

/// Known, so that they can be called by their names, but not verified.
const UNSUPPORTED: [(&str, &str, &str); 9] = [
    ("$2$", "bcrypt", "the first version of bcrypt, 2, is not supported"),
    (
        "$2x$",
        "bcrypt",
        "version 2x comes from a faulty bcrypt that confuses passwords beyond ASCII; it is not supported",
    ),
    ("$argon2d$", "argon2d", "argon2d is not supported"),
    ("$apr1$", "apr1", "Apache's MD5 crypt is not supported"),
    ("$y$", "yescrypt", "yescrypt is not supported"),
    ("$gy$", "gost-yescrypt", "gost-yescrypt is not supported"),
    ("$7$", "scrypt-crypt", "the scrypt of crypt, 7, is not supported"),
    ("{SHA}", "sha", "an LDAP hash without salt is not supported"),
    ("{SMD5}", "smd5", "the LDAP hash SMD5 is not supported"),
];

impl Hash {
    pub fn parse(text: &str) -> Result<Hash, Problem> {
        if text.len() > MAX_TEXT {
            return Err(Problem::unknown(format!("it has {} bytes, more than {MAX_TEXT}", text.len())));
        }
        if let Some(rest) = text.strip_prefix('$') {
            let parts: Vec<&str> = rest.split('$').collect();
            if let Some((name, parts)) = parts.split_first() {
                return modular(name, parts).unwrap_or_else(|| Err(Problem::unsupported(text)));
            }
        }
        bare(text).unwrap_or_else(|| Err(Problem::unsupported(text)))
    }

    pub(super) fn new(
        scheme: &'static str,
        parameters: Map<String, Value>,
        method: Arc<dyn Method>,
        expected: Vec<u8>,
    ) -> Hash {
        Hash { scheme, parameters, method, expected }
    }

    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Costs and sizes: nothing that helps to find the password.
    pub fn parameters(&self) -> Map<String, Value> {
        self.parameters.clone()
    }

    /// Verifying may take seconds, and a lot of memory.
    pub fn is_costly(&self) -> bool {
        self.method.is_costly()
    }

    /// Fails if it could not be found out: for want of memory, or because the password is longer than any should be.
    pub fn verify(&self, password: &[u8]) -> Result<bool, String> {
        check_length(password)?;
        let mut fits = self.method.derive(password)?.as_slice().ct_eq(&self.expected);
        // Whatever the first says, so that the time does not tell which of them a hash is.
        if let Some(derived) = self.method.derive_otherwise(password)? {
            fits |= derived.as_slice().ct_eq(&self.expected);
        }
        Ok(fits.into())
    }
}

pub fn check_length(password: &[u8]) -> Result<(), String> {
    let fits = password.len() <= MAX_PASSWORD;
    fits.then_some(()).ok_or_else(|| format!("a password of more than {MAX_PASSWORD} bytes is not verified"))
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hash")
            .field("scheme", &self.scheme)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

impl Problem {
    fn unknown(text: impl Into<String>) -> Problem {
        Problem { scheme: None, parameters: Map::new(), text: text.into() }
    }

    fn unsupported(hash: &str) -> Problem {
        let known = UNSUPPORTED.into_iter().find(|(prefix, ..)| hash.starts_with(prefix));
        known.map_or_else(
            || Problem::unknown("it is not a password hash of a known scheme"),
            |(_, scheme, text)| Problem { scheme: Some(scheme), ..Problem::unknown(text) },
        )
    }
}

/// `$name$part$…`
fn modular(name: &str, parts: &[&str]) -> Option<Result<Hash, Problem>> {
    let table = |table: &'static [(&'static str, digest::Algorithm)]| table.iter().find(|(n, _)| *n == name);
    Some(match name {
        "2a" | "2b" | "2y" | "2z" => kdf::bcrypt(parts),
        "argon2id" => kdf::argon2("argon2id", argon2::Algorithm::Argon2id, parts),
        "argon2i" => kdf::argon2("argon2i", argon2::Algorithm::Argon2i, parts),
        "pbkdf2" => kdf::pbkdf2("pbkdf2-sha1", digest::Algorithm::Sha1, parts),
        "scrypt" => kdf::scrypt(parts),
        "firescrypt" => kdf::firescrypt(parts),
        "1" | "md5-crypt" => crypt::md5_crypt(parts),
        "5" | "sha256-crypt" => crypt::sha256_crypt(parts),
        "6" | "sha512-crypt" => crypt::sha512_crypt(parts),
        "P" | "H" => crypt::phpass(parts),
        _ => {
            let pbkdf2 = table(&PBKDF2).map(|&(scheme, algorithm)| kdf::pbkdf2(scheme, algorithm, parts));
            let hmac = || table(&HMAC).map(|&(scheme, algorithm)| digest::hmac(scheme, algorithm, parts));
            let template = || table(&TEMPLATE).map(|&(scheme, algorithm)| digest::template(scheme, algorithm, parts));
            return pbkdf2.or_else(hmac).or_else(template);
        }
    })
}

/// Hashes that do not start with a `$`.
fn bare(text: &str) -> Option<Result<Hash, Problem>> {
    for (prefix, scheme, algorithm) in SSHA {
        if let Some(rest) = text.strip_prefix(prefix) {
            return Some(digest::ssha(scheme, algorithm, rest));
        }
    }
    for (prefix, scheme, algorithm) in DJANGO {
        if let Some(rest) = text.strip_prefix(prefix) {
            return Some(kdf::django(scheme, algorithm, rest));
        }
    }
    let is_md5 = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_md5.then(|| digest::md5_hex(text))
}

#[cfg(test)]
mod tests {
    use super::super::outline;
    use super::*;

    /// What is verified for a name that nobody has takes as long as for one that somebody has.
    #[test]
    fn an_outline_is_read_in_as_many_ways_as_its_hash() {
        for (name, twice) in [("pbkdf2-sha224", true), ("pbkdf2-sha384", true), ("pbkdf2-sha256", false)] {
            let text = format!("${name}$i=1,l=16$AAAB$AAAAAAAAAAAAAAAAAAAAAQ");
            let outline = outline::of(&text).unwrap();
            assert_ne!(outline, text);
            for text in [text, outline] {
                let hash = Hash::parse(&text).unwrap();
                assert_eq!(hash.method.derive_otherwise(b"x").unwrap().is_some(), twice, "{text}");
            }
        }
    }
}
