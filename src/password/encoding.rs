//! The alphabets in which hashes write bytes.
//!
//! All decoders refuse a last letter with bits that stand for no byte: it says that the text was cut or damaged.

use base64ct::{Base64, Base64Bcrypt, Base64Pbkdf2, Base64ShaCrypt, Base64Unpadded, Encoding};

/// bcrypt's order of letters: its last salt letter is looked up here.
const BCRYPT: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// crypt's order of letters: a letter stands for a number below 64.
const CRYPT: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Standard base64. Whether it is padded says nothing about the bytes, and exports differ in it.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    if text.ends_with('=') { Base64::decode_vec(text).ok() } else { Base64Unpadded::decode_vec(text).ok() }
}

pub fn to_bare_base64(bytes: &[u8]) -> String {
    Base64Unpadded::encode_string(bytes)
}

/// Unpadded base64 with a dot where the standard has a plus.
pub fn dotted_base64(text: &str) -> Option<Vec<u8>> {
    Base64Pbkdf2::decode_vec(text).ok()
}

/// The base64 of crypt and phpass: groups start with their lowest bits.
pub fn crypt64(text: &str) -> Option<Vec<u8>> {
    Base64ShaCrypt::decode_vec(text).ok()
}

/// The number that one letter of crypt's alphabet stands for.
pub fn crypt64_digit(letter: u8) -> Option<u32> {
    CRYPT.iter().position(|&l| l == letter).and_then(|position| u32::try_from(position).ok())
}

/// The bytes of a bcrypt hash, without its salt.
pub fn bcrypt64(text: &str) -> Option<Vec<u8>> {
    Base64Bcrypt::decode_vec(text).ok()
}

/// A bcrypt salt: 22 letters for 16 bytes. Only two bits of the last letter count, and some makers of salts have drawn
/// all six by chance; every implementation ignores them.
pub fn bcrypt_salt(text: &str) -> Option<[u8; 16]> {
    let (&last, start) = text.as_bytes().split_last()?;
    let value = BCRYPT.iter().position(|&l| l == last)?;
    let mut letters = start.to_vec();
    letters.push(*BCRYPT.get(value & 0b11_0000)?);
    bcrypt64(std::str::from_utf8(&letters).ok()?)?.try_into().ok()
}

pub fn hex(text: &[u8]) -> Option<Vec<u8>> {
    hex::decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_that_stand_for_no_byte_are_refused_except_in_a_bcrypt_salt() {
        assert_eq!(base64("AAE="), Some(vec![0, 1]));
        assert_eq!(base64("AAE"), Some(vec![0, 1]));
        assert_eq!(base64("AAF"), None);
        assert_eq!(base64("AAE=="), None);
        assert_eq!(base64("A"), None);
        assert_eq!(base64("="), None);
        assert_eq!(base64("===="), None);
        assert_eq!(bcrypt_salt("......................"), Some([0; 16]));
        assert_eq!(bcrypt_salt(".....................A"), Some([0; 16]));
        assert_eq!(bcrypt_salt("....................."), None);
        assert_eq!(bcrypt_salt(""), None);
    }

    #[test]
    fn crypt_letters_are_numbers() {
        assert_eq!(crypt64_digit(b'.'), Some(0));
        assert_eq!(crypt64_digit(b'z'), Some(63));
        assert_eq!(crypt64_digit(b'='), None);
    }
}
