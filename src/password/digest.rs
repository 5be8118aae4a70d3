//! Schemes that read the password once: a digest of it with its salt, or a keyed one.

use super::draft::{Draft, SALT_BYTES};
use super::encoding;
use super::hash::{Hash, Method, Problem};
use hmac::digest::Digest;
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use md4::Md4;
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_384};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Md4,
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha3With224,
    Sha3With384,
}

/// `$name$…`, and the name is that of the scheme.
pub const PBKDF2: [(&str, Algorithm); 5] = [
    ("pbkdf2-sha1", Algorithm::Sha1),
    ("pbkdf2-sha224", Algorithm::Sha224),
    ("pbkdf2-sha256", Algorithm::Sha256),
    ("pbkdf2-sha384", Algorithm::Sha384),
    ("pbkdf2-sha512", Algorithm::Sha512),
];
pub const HMAC: [(&str, Algorithm); 7] = [
    ("hmac-md4", Algorithm::Md4),
    ("hmac-md5", Algorithm::Md5),
    ("hmac-sha1", Algorithm::Sha1),
    ("hmac-sha224", Algorithm::Sha224),
    ("hmac-sha256", Algorithm::Sha256),
    ("hmac-sha384", Algorithm::Sha384),
    ("hmac-sha512", Algorithm::Sha512),
];
pub const TEMPLATE: [(&str, Algorithm); 4] =
    [("md5", Algorithm::Md5), ("sha1", Algorithm::Sha1), ("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)];
/// How the text starts, and the scheme.
pub const SSHA: [(&str, &str, Algorithm); 3] = [
    ("{SSHA}", "ssha", Algorithm::Sha1),
    ("{SSHA256}", "ssha256", Algorithm::Sha256),
    ("{SSHA512}", "ssha512", Algorithm::Sha512),
];
pub const DJANGO: [(&str, &str, Algorithm); 2] = [
    ("pbkdf2_sha256$", "django-pbkdf2-sha256", Algorithm::Sha256),
    ("pbkdf2_sha1$", "django-pbkdf2-sha1", Algorithm::Sha1),
];

/// Calls a function that is generic over digests with the one that an algorithm is.
macro_rules! with_digest {
    ($algorithm:expr, $function:ident $arguments:tt) => {
        match $algorithm {
            Algorithm::Md4 => $function::<Md4> $arguments,
            Algorithm::Md5 => $function::<Md5> $arguments,
            Algorithm::Sha1 => $function::<Sha1> $arguments,
            Algorithm::Sha224 => $function::<Sha224> $arguments,
            Algorithm::Sha256 => $function::<Sha256> $arguments,
            Algorithm::Sha384 => $function::<Sha384> $arguments,
            Algorithm::Sha512 => $function::<Sha512> $arguments,
            Algorithm::Sha3With224 => $function::<Sha3_224> $arguments,
            Algorithm::Sha3With384 => $function::<Sha3_384> $arguments,
        }
    };
}

impl Algorithm {
    /// What else the name of this one means under PBKDF2 in Ory Kratos, whose names of SHA3 these two are.
    pub fn namesake(self) -> Option<Algorithm> {
        match self {
            Algorithm::Sha224 => Some(Algorithm::Sha3With224),
            Algorithm::Sha384 => Some(Algorithm::Sha3With384),
            _ => None,
        }
    }

    pub fn size(self) -> usize {
        with_digest!(self, size_of_digest())
    }

    /// Of all parts, one after the other.
    pub fn digest<'a>(self, parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        with_digest!(self, digest_of(parts))
    }

    fn hmac(self, key: &[u8], message: &[u8]) -> Result<Vec<u8>, String> {
        with_digest!(self, hmac_of(key, message))
    }

    pub fn pbkdf2(self, password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
        with_digest!(self, pbkdf2_of(password, salt, iterations, output));
    }
}

fn size_of_digest<D: Digest>() -> usize {
    <D as Digest>::output_size()
}

fn digest_of<'a, D: Digest>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    parts.fold(D::new(), |digest, part| digest.chain_update(part)).finalize().to_vec()
}

/// No key has a wrong length, so this does not fail.
fn hmac_of<D: EagerHash>(key: &[u8], message: &[u8]) -> Result<Vec<u8>, String> {
    let mac = <Hmac<D> as KeyInit>::new_from_slice(key).map_err(|e| e.to_string())?;
    Ok(mac.chain_update(message).finalize().into_bytes().to_vec())
}

fn pbkdf2_of<D: EagerHash>(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
    ::pbkdf2::pbkdf2_hmac::<D>(password, salt, iterations, output);
}

/// A digest of pieces, of which the password is one.
struct Digested {
    algorithm: Algorithm,
    pieces: Vec<Piece>,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Password,
    Bytes(Vec<u8>),
}

impl Method for Digested {
    fn derive(&self, password: &[u8]) -> Result<Vec<u8>, String> {
        Ok(self.algorithm.digest(self.pieces.iter().map(|piece| match piece {
            Piece::Password => password,
            Piece::Bytes(bytes) => bytes,
        })))
    }

    fn is_costly(&self) -> bool {
        false
    }
}

/// `{SSHA}` and the base64 of the digest of password and salt, followed by the salt.
pub fn ssha(scheme: &'static str, algorithm: Algorithm, text: &str) -> Result<Hash, Problem> {
    let mut draft = Draft::new(scheme);
    let size = algorithm.size();
    let most = size.saturating_add(*SALT_BYTES.end());
    let both = draft.bytes("hash_and_salt", encoding::base64(text), size.saturating_add(1)..=most)?;
    let (expected, salt) = both.split_at_checked(size).unwrap_or_default();
    draft.note("salt_bytes", salt.len());
    let pieces = vec![Piece::Password, Piece::Bytes(salt.to_vec())];
    Ok(draft.finish(Digested { algorithm, pieces }, expected.to_vec()))
}

/// `pf=template$salt$hash`, each in base64; of MD5 also the hash alone.
pub fn template(scheme: &'static str, algorithm: Algorithm, parts: &[&str]) -> Result<Hash, Problem> {
    let mut draft = Draft::new(scheme);
    let size = algorithm.size();
    if let (Algorithm::Md5, [hash]) = (algorithm, parts) {
        let expected = draft.bytes("hash", encoding::base64(hash), size..=size)?;
        return Ok(draft.finish(Digested { algorithm, pieces: vec![Piece::Password] }, expected));
    }
    let [template, salt, hash] = draft.parts(parts)?;
    let [template] = draft.values(template, ["pf"])?;
    let template = draft.bytes("template", encoding::base64(template), 1..=1024)?;
    let salt = draft.bytes("salt", encoding::base64(salt), SALT_BYTES)?;
    let expected = draft.bytes("hash", encoding::base64(hash), size..=size)?;
    let pieces = fill(&template, &salt);
    // Without it, any password would be right.
    if !pieces.contains(&Piece::Password) {
        return Err(draft.problem("its template has no {PASSWORD}"));
    }
    Ok(draft.finish(Digested { algorithm, pieces }, expected))
}

/// Puts the salt into a template. A mark inside the salt is no mark.
fn fill(template: &[u8], salt: &[u8]) -> Vec<Piece> {
    let (mut pieces, mut literal, mut rest) = (Vec::new(), Vec::new(), template);
    while let Some((&first, tail)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(b"{PASSWORD}") {
            pieces.push(Piece::Bytes(std::mem::take(&mut literal)));
            pieces.push(Piece::Password);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(b"{SALT}") {
            literal.extend_from_slice(salt);
            rest = after;
        } else {
            literal.push(first);
            rest = tail;
        }
    }
    pieces.push(Piece::Bytes(literal));
    pieces
}

/// 32 hex digits and nothing else: what early web applications stored.
pub fn md5_hex(text: &str) -> Result<Hash, Problem> {
    let mut draft = Draft::new("md5-hex");
    let expected = draft.bytes("hash", encoding::hex(text.as_bytes()), 16..=16)?;
    Ok(draft.finish(Digested { algorithm: Algorithm::Md5, pieces: vec![Piece::Password] }, expected))
}

struct Keyed {
    algorithm: Algorithm,
    key: Vec<u8>,
}

impl Method for Keyed {
    fn derive(&self, password: &[u8]) -> Result<Vec<u8>, String> {
        self.algorithm.hmac(&self.key, password)
    }

    fn is_costly(&self) -> bool {
        false
    }
}

/// `hash$key` in base64. Inside, the hash is in hex once more.
pub fn hmac(scheme: &'static str, algorithm: Algorithm, parts: &[&str]) -> Result<Hash, Problem> {
    let mut draft = Draft::new(scheme);
    let [hash, key] = draft.parts(parts)?;
    let size = algorithm.size();
    let digits = encoding::base64(hash).and_then(|digits| encoding::hex(&digits));
    let expected = draft.bytes("hash", digits, size..=size)?;
    let key = draft.bytes("key", encoding::base64(key), SALT_BYTES)?;
    Ok(draft.finish(Keyed { algorithm, key }, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Piece {
        Piece::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn marks_in_a_salt_stay_as_they_are() {
        assert_eq!(fill(b"a{SALT}b{PASSWORD}c", b"{PASSWORD}"), [bytes("a{PASSWORD}b"), Piece::Password, bytes("c")]);
        assert_eq!(fill(b"{PASSWORD}{PASSWORD", b""), [bytes(""), Piece::Password, bytes("{PASSWORD")]);
        assert_eq!(fill(b"{{SALT}}", b"x"), [bytes("{x}")]);
    }
}
