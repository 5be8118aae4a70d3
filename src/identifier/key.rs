//! The key of an identifier: two identifiers of a kind are the same when their keys are the same bytes.

use super::Kind;
use super::{email, fold, phone};

/// The key of an identifier. Every value has one, if it is empty; what is wrong with a value, `check` says.
///
/// The key of a key is itself: keys can be stored, and made again.
pub fn key(kind: Kind, value: &str) -> String {
    match kind {
        Kind::Username => username(value),
        Kind::Email => email::key(value),
        Kind::Phone => phone::key(value),
        // The provider decides which subjects are the same, and it compares bytes (OpenID Connect Core, 2: "sub" is
        // case-sensitive).
        Kind::Oidc | Kind::Saml => value.to_owned(),
        // Bytes, written in the one way that `check` allows.
        Kind::Passkey => value.to_owned(),
    }
}

/// A username that reads as an address or a number has the key of that: whatever its kind, one login has one key.
fn username(value: &str) -> String {
    let name = fold::name(value);
    if name.contains('@') {
        email::key(value)
    } else if name.starts_with('+') {
        phone::key(value)
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_kind_has_its_rule() {
        let cases = [
            (Kind::Username, " Bob@BÜCHER.de ", "bob@xn--bcher-kva.de"),
            (Kind::Username, "+86 138 0013 8000", "+8613800138000"),
            (Kind::Username, "ＢÜcher", "bücher"),
            (Kind::Email, " Bob@BÜCHER.de ", "bob@xn--bcher-kva.de"),
            (Kind::Phone, "+86 138 0013 8000", "+8613800138000"),
            (Kind::Oidc, " Google:AbC ", " Google:AbC "),
            (Kind::Saml, "Okta:Ｂob", "Okta:Ｂob"),
            (Kind::Passkey, "passkey:QUJD", "passkey:QUJD"),
        ];
        for (kind, value, expected) in cases {
            assert_eq!(key(kind, value), expected, "{kind:?} {value:?}");
        }
    }

    #[test]
    fn the_key_of_a_key_is_itself_for_every_character() {
        for c in '\0'..=char::MAX {
            let value = c.to_string();
            for kind in Kind::ALL {
                let once = key(kind, &value);
                assert_eq!(key(kind, &once), once, "{kind:?} {c:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_key_of_a_key_is_itself(value: String, chars in prop::collection::vec(any::<char>(), 0..12)) {
            let other: String = chars.into_iter().collect();
            for kind in Kind::ALL {
                for value in [&value, &other] {
                    let once = key(kind, value);
                    prop_assert_eq!(&key(kind, &once), &once);
                }
            }
        }
    }
}
