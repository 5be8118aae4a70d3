//! The general rule of keys: Unicode's toNFKC_Casefold, then trimming.
//!
//! toNFKC_Casefold (The Unicode Standard, 3.13, D147; here with the NFD before it that D147's use in caseless
//! matching, D148, asks for) is what Unicode defines for comparing identifiers. It is in one:
//! - compatibility composition, so that full-width letters and ligatures are plain letters;
//! - full case folding, so that `ß` is `ss` and the final sigma a sigma (lower-casing would keep both);
//! - removal of all that is Default_Ignorable_Code_Point: zero-width characters, bidi controls, the soft hyphen,
//!   variation selectors, Hangul fillers, tags.
//!
//! Case folding without a language: `İ` is `i` and a dot above, `ı` stays itself, so that neither is `i`.
//!
//! All tables are of one Unicode version, and a test says so: `unicode-normalization` for NFD, NFKC and NFC,
//! `icu_casemap` for the folding, `icu_properties` for what is ignorable. `caseless` is behind them.

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_properties::props::{ChangesWhenNfkcCasefolded, DefaultIgnorableCodePoint};
use icu_properties::{CodePointSetData, CodePointSetDataBorrowed};
use unicode_normalization::{UNICODE_VERSION, UnicodeNormalization};

const CHANGES: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<ChangesWhenNfkcCasefolded>();
const IGNORABLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();
const CASES: CaseMapperBorrowed<'static> = CaseMapper::new();

/// The version of Unicode by whose tables keys are made, as `18.0.0`: to be stored with the keys.
///
/// Folding and normalisation of *assigned* characters are stable between versions; what changes is characters that
/// were unassigned when a key was made. It says nothing of phone numbers: see [`super::phone`].
pub fn unicode_version() -> String {
    let (major, minor, update) = UNICODE_VERSION;
    format!("{major}.{minor}.{update}")
}

/// The key of a name: toNFKC_Casefold, without White_Space at its ends. The key of a key is itself.
///
/// The ends are trimmed last: white space may have stood behind something invisible.
pub fn name(value: &str) -> String {
    // ASCII is its own normal form, and none of it is ignorable.
    if value.is_ascii() {
        return value.trim().to_ascii_lowercase();
    }
    trimmed(nfkc_casefold(value))
}

/// Invisible, and of no weight in a name.
pub fn is_ignorable(c: char) -> bool {
    IGNORABLE.contains(c)
}

/// Full case folding, no more.
pub fn case_folded(text: &str) -> String {
    CASES.fold_string(text).into_owned()
}

fn nfkc_casefold(value: &str) -> String {
    let mut mapped = String::with_capacity(value.len());
    for c in value.nfd() {
        if CHANGES.contains(c) {
            push_mapping(c, &mut mapped);
        } else {
            mapped.push(c);
        }
    }
    mapped.nfc().collect()
}

/// The property NFKC_Casefold of a character: folded, normalised and freed from what is ignorable until nothing
/// changes. It ends for every character there is: a test tries them all.
fn push_mapping(c: char, to: &mut String) {
    if c.is_ascii() {
        return to.push(c.to_ascii_lowercase());
    }
    let mut text = String::from(c);
    loop {
        let next: String = CASES.fold_string(&text).nfkc().filter(|c| !is_ignorable(*c)).collect();
        if next == text {
            return to.push_str(&text);
        }
        text = next;
    }
}

fn trimmed(text: String) -> String {
    let inner = text.trim();
    if inner.len() == text.len() { text } else { inner.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every character there is.
    fn characters() -> impl Iterator<Item = char> {
        '\0'..=char::MAX
    }

    #[test]
    fn equal_names_have_equal_keys() {
        let cases: &[(&str, &str)] = &[
            ("Bob", "bob"),
            ("  bob\t", "bob"),
            ("\u{3000}bob\u{A0}", "bob"),
            ("STRASSE", "strasse"),
            ("Straße", "strasse"),
            ("STRAẞE", "strasse"),
            ("ﬁsh", "fish"),
            ("Ｂｏｂ１", "bob1"),
            ("\u{212A}elvin", "kelvin"),
            ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
            ("σίσυφος", "σίσυφοσ"),
            ("İ", "i\u{307}"),
            ("ı", "ı"),
            ("É", "é"),
            ("E\u{301}", "é"),
            ("ᾳ", "αι"),
            ("α\u{345}", "αι"),
            // The iota comes after the accent, whichever was written first.
            ("α\u{345}\u{301}", "άι"),
            ("α\u{301}\u{345}", "άι"),
            ("ᾴ", "άι"),
            ("a\u{34F}\u{301}", "á"),
            ("ｶﾞ", "ガ"),
            ("한", "한"),
            ("", ""),
            (" \u{200B} \u{FEFF}", ""),
            // White space behind something invisible.
            ("\u{200E} bob \u{202C}", "bob"),
            // What stands between stays.
            ("b  ob", "b  ob"),
            // Look-alikes are not equal.
            ("аdmin", "аdmin"),
        ];
        for (value, expected) in cases {
            assert_eq!(&name(value), expected, "{value:?}");
        }
        assert_ne!(name("İ"), name("I"));
        assert_ne!(name("ı"), name("I"));
        assert_ne!(name("аdmin"), name("admin"));
    }

    #[test]
    fn what_is_invisible_is_removed() {
        let bidi = ['\u{61C}', '\u{200E}', '\u{200F}'].into_iter().chain('\u{202A}'..='\u{202E}');
        let bidi = bidi.chain('\u{2066}'..='\u{2069}');
        let zero_width = ('\u{200B}'..='\u{200D}').chain(['\u{2060}', '\u{FEFF}', '\u{180E}', '\u{AD}']);
        let others = ['\u{34F}', '\u{115F}', '\u{3164}', '\u{FFA0}', '\u{FE0F}', '\u{E0041}', '\u{E01EF}'];
        for c in bidi.chain(zero_width).chain(others) {
            assert_eq!(name(&format!("a{c}b{c}")), "ab", "{c:?}");
        }
    }

    #[test]
    fn the_key_of_a_key_is_itself_for_every_character() {
        for c in characters() {
            let key = name(c.encode_utf8(&mut [0; 4]));
            assert_eq!(name(&key), key, "{c:?}");
        }
    }

    #[test]
    fn the_key_of_a_key_is_itself_with_the_marks_that_fold_and_reorder() {
        // Planes 4 to 13 and the private ones have no characters.
        for c in characters().filter(|c| !matches!(*c, '\u{40000}'..='\u{DFFFF}' | '\u{F0000}'..)) {
            for mark in ['\u{345}', '\u{307}'] {
                for pair in [[c, mark], [mark, c]] {
                    let key = name(&pair.iter().collect::<String>());
                    assert_eq!(name(&key), key, "{pair:?}");
                }
            }
        }
    }

    /// Unicode publishes which characters toNFKC_Casefold changes. That the tables of normalisation, folding and
    /// ignorable characters agree with that list shows that they are of one version.
    #[test]
    fn all_tables_are_of_one_version() {
        for c in characters() {
            let mut mapping = String::new();
            push_mapping(c, &mut mapping);
            assert_eq!(CHANGES.contains(c), mapping != String::from(c), "{c:?}");
        }
        let (major, minor, update) = UNICODE_VERSION;
        assert_eq!(unicode_security::UNICODE_VERSION, (major.into(), minor.into(), update.into()));
    }

    #[test]
    fn the_version_has_three_numbers() {
        let version = unicode_version();
        assert_eq!(version.split('.').filter(|part| part.parse::<u8>().is_ok()).count(), 3, "{version}");
    }

    proptest! {
        #[test]
        fn the_key_of_a_key_is_itself(chars in prop::collection::vec(any::<char>(), 0..12)) {
            let key = name(&chars.iter().collect::<String>());
            prop_assert_eq!(name(&key), key);
        }

        #[test]
        fn the_key_of_a_key_is_itself_with_many_marks(
            value in "[A-Za-zİıßǰΐΆΩῼﬁ\u{345}\u{300}-\u{30F}\u{323}\u{34F}\u{200B}\u{37A}\u{1100}\u{1161}\u{AC00}  ]{0,12}",
        ) {
            let key = name(&value);
            prop_assert_eq!(name(&key), key);
        }

        /// Two ways to write the same text, by Unicode's own word, have one key.
        #[test]
        fn canonical_equivalents_have_one_key(chars in prop::collection::vec(any::<char>(), 0..12)) {
            let value: String = chars.iter().collect();
            prop_assert_eq!(name(&value.nfd().collect::<String>()), name(&value));
            prop_assert_eq!(name(&value.nfc().collect::<String>()), name(&value));
        }

        #[test]
        fn the_short_way_of_ascii_is_the_long_way(value in "[\\x00-\\x7F]{0,40}") {
            prop_assert_eq!(name(&value), trimmed(nfkc_casefold(&value)));
        }
    }
}
