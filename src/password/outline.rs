//! What a hash says of the work that it makes, without anything of the password: its scheme, its costs and its lengths, as a hash that
//! no password fits. Hashes that take as long to verify have the same outline.

use super::digest::{HMAC, SSHA, TEMPLATE};
use super::encoding;
use super::hash::Hash;

/// Of a hash that can be verified.
pub fn of(text: &str) -> Option<String> {
    let hash = Hash::parse(text).ok()?;
    let outline = match text.strip_prefix('$') {
        Some(rest) => modular(rest)?,
        None => bare(text)?,
    };
    // Whatever the form of the text is: it makes the same work, or it is none.
    let made = Hash::parse(&outline).ok()?;
    (made.scheme() == hash.scheme() && made.parameters() == hash.parameters()).then_some(outline)
}

/// `$name$part$…`
fn modular(rest: &str) -> Option<String> {
    let parts: Vec<&str> = rest.split('$').collect();
    let (name, parts) = parts.split_first()?;
    let blank: Vec<String> = match (*name, parts) {
        ("2a" | "2b" | "2y" | "2z", [cost, both]) => vec![cost.to_string(), crypt64(both)],
        ("argon2id" | "argon2i", [version, costs, salt, hash]) => {
            vec![version.to_string(), costs.to_string(), base64(salt), base64(hash)]
        }
        ("1" | "md5-crypt" | "5" | "sha256-crypt" | "6" | "sha512-crypt", parts) => {
            parts.iter().map(|part| unless_costs(part, crypt64)).collect()
        }
        ("P" | "H", [both]) => {
            let (cost, rest) = both.split_at_checked(1)?;
            vec![format!("{cost}{}", crypt64(rest))]
        }
        (name, [hash, key]) if HMAC.iter().any(|(n, _)| *n == name) => {
            let digits = encoding::base64(hash)?.len();
            vec![encoding::to_bare_base64("0".repeat(digits).as_bytes()), base64(key)]
        }
        (name, [template, salt, hash]) if TEMPLATE.iter().any(|(n, _)| *n == name) => {
            vec![template_of(template)?, base64(salt), base64(hash)]
        }
        (name, [hash]) if TEMPLATE.iter().any(|(n, _)| *n == name) => vec![base64(hash)],
        // PBKDF2 and both kinds of scrypt: the costs come first.
        (_, [costs, rest @ ..]) => {
            std::iter::once(costs.to_string()).chain(rest.iter().map(|part| base64(part))).collect()
        }
        _ => return None,
    };
    Some(format!("${name}${}", blank.join("$")))
}

/// Hashes that do not start with a `$`.
fn bare(text: &str) -> Option<String> {
    if let Some((prefix, rest)) = SSHA.iter().find_map(|(prefix, ..)| Some((prefix, text.strip_prefix(prefix)?))) {
        return Some(format!("{prefix}{}", base64(rest)));
    }
    let parts: Vec<&str> = text.split('$').collect();
    match parts.as_slice() {
        [scheme, iterations, salt, hash] => {
            Some(format!("{scheme}${iterations}${}${}", "x".repeat(salt.len()), base64(hash)))
        }
        [digits] => Some("0".repeat(digits.len())),
        _ => None,
    }
}

/// The letter for nothing but zero bits, as often as there are letters; padding stays.
fn base64(text: &str) -> String {
    text.chars().map(|c| if c == '=' { '=' } else { 'A' }).collect()
}

/// The same in the alphabets of crypt and bcrypt.
fn crypt64(text: &str) -> String {
    ".".repeat(text.len())
}

fn unless_costs(part: &str, blank: impl Fn(&str) -> String) -> String {
    if part.starts_with("rounds=") { part.to_string() } else { blank(part) }
}

/// A template as long as the one of the site, which may have a secret of its own in it.
fn template_of(part: &str) -> Option<String> {
    const PASSWORD: &str = "{PASSWORD}";
    let length = encoding::base64(part.strip_prefix("pf=")?)?.len();
    let rest = "x".repeat(length.checked_sub(PASSWORD.len())?);
    Some(format!("pf={}", encoding::to_bare_base64(format!("{PASSWORD}{rest}").as_bytes())))
}
