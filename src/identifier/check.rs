//! What is wrong with a value as a new identifier.

use super::key::key;
use super::{Kind, email, phone};
use base64ct::{Base64, Encoding};

/// Bytes. A B-tree entry of Postgres takes about 2,700, and shares them with the other columns of its index.
pub const LENGTH_MAX: usize = 1024;

/// What is wrong with a value as a new identifier of its kind: one clause, to follow the value's column or path in a
/// report. The value is not in it: a report may go where the value may not.
///
/// A name may be anything that can be seen; what is asked of addresses and numbers, `email::check` and `phone::check`
/// say.
pub fn check(kind: Kind, value: &str) -> Result<(), String> {
    // First, for the rest takes time in proportion.
    if value.len() > LENGTH_MAX {
        return Err(format!("is longer than {} bytes ({})", grouped(LENGTH_MAX), grouped(value.len())));
    }
    let key = key(kind, value);
    if key.is_empty() {
        return Err("is empty".to_owned());
    }
    if let Some(control) = value.chars().find(|c| c.is_control()) {
        return Err(format!("has a control character (U+{:04X})", u32::from(control)));
    }
    match kind {
        Kind::Username => {}
        Kind::Email => email::check(value)?,
        Kind::Phone => phone::check(value)?,
        Kind::Oidc | Kind::Saml => check_subject(value)?,
        Kind::Passkey => check_handle(value)?,
    }
    // One character can become eighteen, and a domain's ASCII form can be longer than the domain.
    if key.len() > LENGTH_MAX {
        return Err(format!("has a key longer than {} bytes ({})", grouped(LENGTH_MAX), grouped(key.len())));
    }
    Ok(())
}

/// The first colon divides: a subject may have others.
fn check_subject(value: &str) -> Result<(), String> {
    let what = match value.split_once(':') {
        None => "it has no colon",
        Some(("", _)) => "nothing stands before its first colon",
        Some((_, "")) => "nothing stands after its first colon",
        Some(_) => return Ok(()),
    };
    Err(format!("is no provider:subject: {what}"))
}

/// Equal handles must be equal texts: standard base64 with its padding, as JSON of Ory Kratos has it.
fn check_handle(value: &str) -> Result<(), String> {
    let handle = value.strip_prefix("passkey:").and_then(|text| Base64::decode_vec(text).ok());
    let fine = handle.is_some_and(|bytes| !bytes.is_empty());
    fine.then_some(()).ok_or_else(|| "is not passkey: and a user handle in base64".to_owned())
}

/// A number with a comma before each group of three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn good_values_pass() {
        let longest = "a".repeat(1024);
        let cases = [
            (Kind::Username, "bob"),
            (Kind::Username, " Bob Smith "),
            (Kind::Username, "аdmin"),
            (Kind::Username, "bob@x.org"),
            (Kind::Username, "\u{200B}鲍勃"),
            (Kind::Username, &longest),
            (Kind::Email, "Bob@example.com"),
            (Kind::Phone, "+86 138 0013 8000"),
            (Kind::Phone, "13800138000"),
            (Kind::Oidc, "google:1234"),
            (Kind::Oidc, "https://issuer:a:b"),
            (Kind::Saml, "okta: "),
            (Kind::Passkey, "passkey:AQ=="),
        ];
        for (kind, value) in cases {
            assert_eq!(check(kind, value), Ok(()), "{kind:?} {value:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases: &[(Kind, &str, &str)] = &[
            (Kind::Username, "", "is empty"),
            (Kind::Username, " \u{200B}\u{202E}\u{3000}", "is empty"),
            (Kind::Passkey, "AQ==", "is not passkey: and a user handle in base64"),
            (Kind::Passkey, "passkey:AQ", "is not passkey: and a user handle in base64"),
            (Kind::Passkey, "passkey:_-==", "is not passkey: and a user handle in base64"),
            (Kind::Passkey, "passkey:", "is not passkey: and a user handle in base64"),
            (Kind::Email, " ", "is empty"),
            (Kind::Phone, "", "is empty"),
            (Kind::Oidc, "", "is empty"),
            (Kind::Username, &"a".repeat(2000), "is longer than 1,024 bytes (2,000)"),
            (Kind::Saml, &"é".repeat(513), "is longer than 1,024 bytes (1,026)"),
            // U+FDFA is 3 bytes, and 33 in its key.
            (Kind::Username, &"\u{FDFA}".repeat(100), "has a key longer than 1,024 bytes (3,300)"),
            (Kind::Username, "b\0b", "has a control character (U+0000)"),
            (Kind::Username, "bob\n", "has a control character (U+000A)"),
            (Kind::Email, "bob\u{85}@x.org", "has a control character (U+0085)"),
            (Kind::Oidc, "google:\u{7F}", "has a control character (U+007F)"),
            (Kind::Email, "bob", "is no e-mail address: it has no @"),
            (Kind::Phone, "bob", "is no phone number: it has no digit"),
            (Kind::Oidc, "google", "is no provider:subject: it has no colon"),
            (Kind::Oidc, ":1", "is no provider:subject: nothing stands before its first colon"),
            (Kind::Saml, "okta:", "is no provider:subject: nothing stands after its first colon"),
        ];
        for (kind, value, what) in cases {
            assert_eq!(check(*kind, value).as_ref().map_err(String::as_str), Err(*what), "{kind:?} {value:?}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        let cases = [(0, "0"), (999, "999"), (1024, "1,024"), (1_234_567, "1,234,567")];
        for (number, expected) in cases {
            assert_eq!(grouped(number), expected);
        }
    }

    proptest! {
        #[test]
        fn every_value_is_answered_without_repeating_it(value: String, chars in prop::collection::vec(any::<char>(), 0..12)) {
            let other: String = chars.into_iter().collect();
            for kind in Kind::ALL {
                for value in [&value, &other] {
                    if let Err(what) = check(kind, value) {
                        prop_assert!(value.chars().count() < 8 || !what.contains(value.as_str()));
                    }
                }
            }
        }
    }
}
