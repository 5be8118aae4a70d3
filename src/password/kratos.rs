//! Hashes in the forms that Ory Kratos reads: the same hash, written otherwise. No password is needed for it.

use super::encoding;
use super::hash::Hash;
use base64ct::{Base64, Encoding};

/// The hash as Kratos reads it; or why there is no such form. It never has a part of the hash.
pub fn form(text: &str) -> Result<String, String> {
    let scheme = Hash::parse(text).map_err(|problem| problem.text)?.scheme();
    let form = match text.strip_prefix('$') {
        Some(rest) => modular(rest),
        None => bare(text),
    };
    form.ok_or_else(|| format!("Kratos has no form of the scheme {scheme} as it is here"))
}

fn modular(rest: &str) -> Option<String> {
    let parts: Vec<&str> = rest.split('$').collect();
    let (name, parts) = parts.split_first()?;
    match (*name, parts) {
        ("2a" | "2b" | "2y" | "2z", _) => Some(format!("${rest}")),
        ("argon2id" | "argon2i", [version, costs, salt, hash]) => {
            let [m, t, p] = values(costs, ["m", "t", "p"])?;
            Some(format!("${name}${version}$m={m},t={t},p={p}${}${}", bare_again(salt)?, bare_again(hash)?))
        }
        ("pbkdf2", parts) => pbkdf2("pbkdf2-sha1", parts),
        ("pbkdf2-sha1" | "pbkdf2-sha256" | "pbkdf2-sha512", parts) => pbkdf2(name, parts),
        // These names are those of SHA-3 in Kratos, which writes its costs so; elsewhere they are those of SHA-2.
        ("pbkdf2-sha224" | "pbkdf2-sha384", [costs, ..]) if costs.contains('=') => pbkdf2(name, parts),
        ("scrypt", [costs, salt, hash]) => {
            let [ln, r, p] = values(costs, ["ln", "r", "p"])?;
            let ln: u32 = ln.parse().ok()?;
            // Kratos has the cost itself there.
            let n = if ln <= 31 { 1_u32.checked_shl(ln)? } else { ln };
            Some(format!("$scrypt$ln={n},r={r},p={p}${}${}", padded(salt)?, padded(hash)?))
        }
        ("firescrypt", [costs, salt, hash, separator, key]) => {
            let [ln, r, p] = values(costs, ["ln", "r", "p"])?;
            let bytes = [salt, hash, separator, key].map(|part| padded(part));
            let [Some(salt), Some(hash), Some(separator), Some(key)] = bytes else { return None };
            Some(format!("$firescrypt$ln={ln},r={r},p={p}${salt}${hash}${separator}${key}"))
        }
        ("1" | "md5-crypt", parts) => Some(format!("$md5-crypt${}", parts.join("$"))),
        ("5" | "sha256-crypt", parts) => Some(format!("$sha256-crypt${}", parts.join("$"))),
        ("6" | "sha512-crypt", parts) => Some(format!("$sha512-crypt${}", parts.join("$"))),
        ("md5", [hash]) => Some(format!("$md5${}", padded(hash)?)),
        ("md5" | "sha1" | "sha256" | "sha512", [template, salt, hash]) => {
            let [template] = values(template, ["pf"])?;
            Some(format!("${name}$pf={}${}${}", padded(template)?, padded(salt)?, padded(hash)?))
        }
        (name, [hash, key]) if name.starts_with("hmac-") => {
            let digits = String::from_utf8(encoding::base64(hash)?).ok()?.to_ascii_lowercase();
            Some(format!("${name}${}${}", Base64::encode_string(digits.as_bytes()), padded(key)?))
        }
        _ => None,
    }
}

/// `i=,l=$salt$hash`, or as passlib writes it.
fn pbkdf2(name: &str, parts: &[&str]) -> Option<String> {
    let [costs, salt, hash] = parts else { return None };
    let (iterations, salt, hash) = if costs.contains('=') {
        let [iterations, _] = values(costs, ["i", "l"])?;
        (iterations, encoding::base64(salt)?, encoding::base64(hash)?)
    } else {
        (*costs, encoding::dotted_base64(salt)?, encoding::dotted_base64(hash)?)
    };
    Some(pbkdf2_of(name, iterations, &salt, &hash))
}

fn pbkdf2_of(name: &str, iterations: &str, salt: &[u8], hash: &[u8]) -> String {
    let (length, salt, hash) = (hash.len(), encoding::to_bare_base64(salt), encoding::to_bare_base64(hash));
    format!("${name}$i={iterations},l={length}${salt}${hash}")
}

/// Hashes that do not start with a `$`.
fn bare(text: &str) -> Option<String> {
    for prefix in ["{SSHA}", "{SSHA256}", "{SSHA512}"] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return Some(format!("{prefix}{}", padded(rest)?));
        }
    }
    // Django's.
    for (prefix, name) in [("pbkdf2_sha256$", "pbkdf2-sha256"), ("pbkdf2_sha1$", "pbkdf2-sha1")] {
        if let Some(rest) = text.strip_prefix(prefix) {
            let parts: Vec<&str> = rest.split('$').collect();
            let [iterations, salt, hash] = parts.as_slice() else { return None };
            return Some(pbkdf2_of(name, iterations, salt.as_bytes(), &encoding::base64(hash)?));
        }
    }
    Some(format!("$md5${}", Base64::encode_string(&encoding::hex(text.as_bytes())?)))
}

/// The values of `name=value,…`, in whatever order they stand.
fn values<'t, const N: usize>(text: &'t str, names: [&str; N]) -> Option<[&'t str; N]> {
    let value = |name: &str| text.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let mut found = [""; N];
    for (place, name) in found.iter_mut().zip(names) {
        *place = value(name)?;
    }
    Some(found)
}

fn padded(text: &str) -> Option<String> {
    Some(Base64::encode_string(&encoding::base64(text)?))
}

fn bare_again(text: &str) -> Option<String> {
    Some(encoding::to_bare_base64(&encoding::base64(text)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_the_same_hash() {
        for line in include_str!("../../tests/passwords/hashes.tsv").lines() {
            let mut fields = line.split('\t');
            let (Some(scheme), Some(password), Some(hash)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            let Ok(form) = form(hash) else {
                assert!(scheme == "phpass" || scheme.ends_with("224") || scheme.ends_with("384"), "{scheme}");
                continue;
            };
            let (before, after) = (Hash::parse(hash).unwrap(), Hash::parse(&form).unwrap());
            let verified = |hash: &Hash| hash.verify(password.as_bytes()).unwrap();
            if !after.is_costly() {
                assert_eq!(verified(&before), verified(&after), "{scheme} {hash}");
            }
            assert_eq!(self::form(&form), Ok(form.clone()), "{scheme}");
        }
    }

    #[test]
    fn hashes_are_written_as_kratos_reads_them() {
        for (hash, expected) in [
            ("$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", Some("$md5-crypt$saltsalt$qjXMvbEw8oaL.CzflDtaK/")),
            ("098f6bcd4621d373cade4e832627b4f6", Some("$md5$CY9rzUYh03PK3k6DJie09g==")),
            ("$P$984478476IagS59wHZvyQMArzfx58u.", None),
            (
                "pbkdf2_sha256$1000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                Some("$pbkdf2-sha256$i=1000,l=32$c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            ),
            (
                "$argon2id$v=19$t=2,m=64,p=1$c2FsdHNhbHQ=$AAAAAAAAAAAAAAAAAAAAAA==",
                Some("$argon2id$v=19$m=64,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"),
            ),
            (
                "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
                Some("$scrypt$ln=16384,r=8,p=1$c2FsdHNhbHQ=$AAAAAAAAAAAAAAAAAAAAAA=="),
            ),
        ] {
            assert_eq!(form(hash).ok().as_deref(), expected, "{hash}");
        }
    }
}
