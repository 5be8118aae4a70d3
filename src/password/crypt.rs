//! The schemes of crypt(3) over MD5 and SHA-2, and phpass, which borrows their alphabet.

use super::digest::Algorithm;
use super::draft::Draft;
use super::encoding;
use super::hash::{Hash, Method, Problem};
use std::iter;

/// Where the bytes of the digest stand in the text, in the order in which decoding meets them: crypt deals them out to
/// groups of three, and writes each group from its end.
const MD5_ORDER: [usize; 16] = [12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11];
const SHA256_ORDER: [usize; 32] = [
    20, 10, 0, 11, 1, 21, 2, 22, 12, 23, 13, 3, 14, 4, 24, 5, 25, 15, 26, 16, 6, 17, 7, 27, 8, 28, 18, 29, 19, 9, 30,
    31,
];
const SHA512_ORDER: [usize; 64] = [
    42, 21, 0, 1, 43, 22, 23, 2, 44, 45, 24, 3, 4, 46, 25, 26, 5, 47, 48, 27, 6, 7, 49, 28, 29, 8, 50, 51, 30, 9, 10,
    52, 31, 32, 11, 53, 54, 33, 12, 13, 55, 34, 35, 14, 56, 57, 36, 15, 16, 58, 37, 38, 17, 59, 60, 39, 18, 19, 61, 40,
    41, 20, 62, 63,
];

/// What SHA-crypt does if the text does not say.
const DEFAULT_ROUNDS: u32 = 5000;

/// A digest from its text.
fn decode<const N: usize>(text: &str, order: [usize; N]) -> Option<Vec<u8>> {
    let mixed = encoding::crypt64(text).filter(|mixed| mixed.len() == N)?;
    let mut digest = vec![0; N];
    for (position, byte) in iter::zip(order, mixed) {
        *digest.get_mut(position)? = byte;
    }
    Some(digest)
}

/// Salts are used as they are written. crypt takes any letter that cannot end a line or a field of its files.
fn salt(draft: &mut Draft, text: &str, most: usize) -> Result<Vec<u8>, Problem> {
    let printable = text.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    draft.bytes("salt", printable.then(|| text.as_bytes().to_vec()), 0..=most)
}

struct Md5Crypt {
    salt: Vec<u8>,
}

/// `salt$hash`
pub fn md5_crypt(parts: &[&str]) -> Result<Hash, Problem> {
    let mut draft = Draft::new("md5-crypt");
    let [salt_text, hash] = draft.parts(parts)?;
    let salt = salt(&mut draft, salt_text, 8)?;
    let expected = draft.bytes("hash", decode(hash, MD5_ORDER), 16..=16)?;
    Ok(draft.finish(Md5Crypt { salt }, expected))
}

impl Method for Md5Crypt {
    fn derive(&self, password: &[u8]) -> Result<Vec<u8>, String> {
        let mut digest = self.first(password);
        for round in 0..1000 {
            digest = self.round(round, password, &digest);
        }
        Ok(digest)
    }
}

impl Md5Crypt {
    /// Password, name of the scheme and salt; a digest of password, salt and password, cut or repeated to the length
    /// of the password; and for each bit of that length, from the lowest, a zero or the password's first letter.
    fn first(&self, password: &[u8]) -> Vec<u8> {
        let inner = md5(&[password, &self.salt, password]);
        let repeated: Vec<u8> = inner.into_iter().cycle().take(password.len()).collect();
        let letter = password.first().copied().unwrap_or_default();
        let lengths =
            iter::successors(Some(password.len()), |length| Some(length >> 1)).take_while(|&length| length > 0);
        let bits: Vec<u8> = lengths.map(|length| if length & 1 == 1 { 0 } else { letter }).collect();
        md5(&[password, b"$1$", &self.salt, &repeated, &bits])
    }

    /// Password and last digest change places by turns; salt and password come between them in most rounds.
    fn round(&self, round: u32, password: &[u8], digest: &[u8]) -> Vec<u8> {
        let (start, end) = if round % 2 == 1 { (password, digest) } else { (digest, password) };
        let salt = if round.is_multiple_of(3) { &[][..] } else { &self.salt };
        let again = if round.is_multiple_of(7) { &[][..] } else { password };
        md5(&[start, salt, again, end])
    }
}

fn md5(parts: &[&[u8]]) -> Vec<u8> {
    Algorithm::Md5.digest(parts.iter().copied())
}

struct Sha256Crypt {
    salt: Vec<u8>,
    rounds: sha_crypt::Params,
}

struct Sha512Crypt {
    salt: Vec<u8>,
    rounds: sha_crypt::Params,
}

pub fn sha256_crypt(parts: &[&str]) -> Result<Hash, Problem> {
    let mut draft = Draft::new("sha256-crypt");
    let (rounds, salt, hash) = sha_crypt(&mut draft, parts)?;
    let expected = draft.bytes("hash", decode(hash, SHA256_ORDER), 32..=32)?;
    Ok(draft.finish(Sha256Crypt { salt, rounds }, expected))
}

pub fn sha512_crypt(parts: &[&str]) -> Result<Hash, Problem> {
    let mut draft = Draft::new("sha512-crypt");
    let (rounds, salt, hash) = sha_crypt(&mut draft, parts)?;
    let expected = draft.bytes("hash", decode(hash, SHA512_ORDER), 64..=64)?;
    Ok(draft.finish(Sha512Crypt { salt, rounds }, expected))
}

/// `rounds=n$salt$hash` or `salt$hash`. Fewer than 1000 rounds are refused: crypt raises them, and writes the raised
/// number, so that no hash it made has fewer.
fn sha_crypt<'a>(draft: &mut Draft, parts: &[&'a str]) -> Result<(sha_crypt::Params, Vec<u8>, &'a str), Problem> {
    let (rounds, parts) = match parts {
        [first, rest @ ..] if first.starts_with("rounds=") => {
            let [rounds] = draft.values(first, ["rounds"])?;
            (draft.number("rounds", rounds, sha_crypt::Params::ROUNDS_MIN..=1_000_000)?, rest)
        }
        _ => (DEFAULT_ROUNDS, parts),
    };
    draft.note("rounds", rounds);
    let [salt_text, hash] = draft.parts(parts)?;
    let salt = salt(draft, salt_text, 16)?;
    let rounds = sha_crypt::Params::new(rounds).map_err(|_| draft.problem("its rounds are not allowed"))?;
    Ok((rounds, salt, hash))
}

impl Method for Sha256Crypt {
    fn derive(&self, password: &[u8]) -> Result<Vec<u8>, String> {
        Ok(sha_crypt::sha256_crypt(password, &self.salt, self.rounds).to_vec())
    }
}

impl Method for Sha512Crypt {
    fn derive(&self, password: &[u8]) -> Result<Vec<u8>, String> {
        Ok(sha_crypt::sha512_crypt(password, &self.salt, self.rounds).to_vec())
    }
}

struct Phpass {
    salt: Vec<u8>,
    iterations: u32,
}

/// One letter for the logarithm of the iterations, eight of salt, and 22 for an MD5 digest.
pub fn phpass(parts: &[&str]) -> Result<Hash, Problem> {
    let mut draft = Draft::new("phpass");
    let [text] = draft.parts(parts)?;
    let malformed = || Draft::new("phpass").problem("it is not a letter for its cost, 8 of salt and 22 of hash");
    let (cost, rest) = text.split_at_checked(1).ok_or_else(malformed)?;
    let (salt_text, hash) = rest.split_at_checked(8).ok_or_else(malformed)?;
    let cost = cost.bytes().next().and_then(encoding::crypt64_digit).ok_or_else(malformed)?;
    let cost = draft.number("log2_iterations", &cost.to_string(), 7..=24)?;
    let salt = salt(&mut draft, salt_text, 8)?;
    let expected = draft.bytes("hash", encoding::crypt64(hash), 16..=16)?;
    Ok(draft.finish(Phpass { salt, iterations: 1 << cost }, expected))
}

impl Method for Phpass {
    fn derive(&self, password: &[u8]) -> Result<Vec<u8>, String> {
        let first = md5(&[&self.salt, password]);
        Ok((0..self.iterations).fold(first, |digest, _| md5(&[&digest, password])))
    }
}
