//! Identifiers as Ory Kratos compares them: what its column `identifier` has, and no key of this extension's own.
//!
//! Kratos asks for PRECIS (RFC 8264), the FreeformClass: width folding, lower case, NFKC, the bidi rule of RFC 5893, and without what is invisible,
//! private or unassigned. Of an identifier that is refused by these rules Kratos takes away what they do not allow, and lowers the rest. A
//! valid international number becomes E.164.
//!
//! The derived properties are made from Unicode's by the rules of RFC 8264, section 8. A character that was assigned after the version of Unicode
//! that a Kratos was built with is taken away there, and kept here.

use icu_properties::props::{
    BidiClass, DefaultIgnorableCodePoint, GeneralCategory, HangulSyllableType, NoncharacterCodePoint, Script,
};
use icu_properties::{CodePointMapData, CodePointMapDataBorrowed, CodePointSetData, CodePointSetDataBorrowed};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat};
use unicode_normalization::UnicodeNormalization;

const CATEGORY: CodePointMapDataBorrowed<'static, GeneralCategory> = CodePointMapData::<GeneralCategory>::new();
const BIDI: CodePointMapDataBorrowed<'static, BidiClass> = CodePointMapData::<BidiClass>::new();
const SCRIPT: CodePointMapDataBorrowed<'static, Script> = CodePointMapData::<Script>::new();
const HANGUL: CodePointMapDataBorrowed<'static, HangulSyllableType> = CodePointMapData::<HangulSyllableType>::new();
const IGNORABLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();
const NO_CHARACTER: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<NoncharacterCodePoint>();

/// An identifier of a password, of WebAuthn or of codes, or an address, as Kratos stores it and looks for it.
pub fn key(value: &str) -> String {
    let value = canonical(value);
    match e164(&value) {
        Some(number) => number,
        None => canonical(&value),
    }
}

/// Longer ones are none for libphonenumber either.
const NUMBER_MAX: usize = 250;

/// Only a number with its country is one.
fn e164(value: &str) -> Option<String> {
    if value.len() > NUMBER_MAX || !value.contains('+') {
        return None;
    }
    let number = PHONE_NUMBER_UTIL.parse(value, None).ok()?;
    let valid = PHONE_NUMBER_UTIL.is_valid_number(&number);
    valid.then(|| PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
}

fn canonical(value: &str) -> String {
    let value = value.trim();
    if value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return value.to_ascii_lowercase();
    }
    // Width needs no folding of its own: NFKC folds it too, and wide letters have lower case as others do.
    let lowered: String = value.chars().flat_map(char::to_lowercase).nfkc().collect();
    if is_allowed(&lowered) { lowered } else { stripped(value) }
}

/// What the rules refuse is taken away. A sigma is lowered here by its place in the word, as it is not above.
fn stripped(value: &str) -> String {
    let kept: String = value.nfkc().filter(|c| free(*c) == Property::Valid && !is_other(*c)).collect();
    kept.to_lowercase()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Property {
    Valid,
    /// It depends on what stands around it.
    Context,
    Disallowed,
}

/// The derived property in the FreeformClass.
fn free(c: char) -> Property {
    match c {
        '\u{DF}' | '\u{3C2}' | '\u{6FD}' | '\u{6FE}' | '\u{F0B}' | '\u{3007}' | '!'..='~' => return Property::Valid,
        '\u{B7}' | '\u{375}' | '\u{5F3}' | '\u{5F4}' | '\u{30FB}' => return Property::Context,
        '\u{660}'..='\u{669}' | '\u{6F0}'..='\u{6F9}' => return Property::Context,
        '\u{640}' | '\u{7FA}' | '\u{302E}' | '\u{302F}' | '\u{3031}'..='\u{3035}' | '\u{303B}' => {
            return Property::Disallowed;
        }
        _ => {}
    }
    use GeneralCategory as G;
    let jamo = matches!(
        HANGUL.get(c),
        HangulSyllableType::LeadingJamo | HangulSyllableType::VowelJamo | HangulSyllableType::TrailingJamo
    );
    let category = CATEGORY.get(c);
    if matches!(category, G::Unassigned | G::Control) || jamo || IGNORABLE.contains(c) || NO_CHARACTER.contains(c) {
        return Property::Disallowed;
    }
    let kept = !matches!(category, G::Format | G::PrivateUse | G::Surrogate | G::LineSeparator | G::ParagraphSeparator);
    // What has a compatible form is allowed, whatever it is.
    if kept || !c.nfkc().eq([c]) { Property::Valid } else { Property::Disallowed }
}

/// What Kratos refuses beside: the categories C of Unicode, and what is ignorable.
fn is_other(c: char) -> bool {
    use GeneralCategory as G;
    matches!(CATEGORY.get(c), G::Control | G::Format | G::PrivateUse | G::Surrogate | G::Unassigned)
        || IGNORABLE.contains(c)
        || NO_CHARACTER.contains(c)
}

fn is_allowed(text: &str) -> bool {
    let allowed = |c: char| match free(c) {
        Property::Valid => !is_other(c),
        Property::Context => true,
        Property::Disallowed => false,
    };
    !text.is_empty() && text.chars().all(allowed) && in_context(text) && is_bidi(text)
}

/// The rules of RFC 5892, appendix A, for what is allowed in some places.
fn in_context(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let has = |of: &dyn Fn(char) -> bool| chars.iter().any(|c| of(*c));
    let script = |c: Option<&char>, of: Script| c.is_some_and(|c| SCRIPT.get(*c) == of);
    chars.iter().enumerate().all(|(i, c)| {
        let before = i.checked_sub(1).and_then(|i| chars.get(i));
        let after = chars.get(i + 1);
        match c {
            '\u{B7}' => before == Some(&'l') && after == Some(&'l'),
            '\u{375}' => script(after, Script::Greek),
            '\u{5F3}' | '\u{5F4}' => script(before, Script::Hebrew),
            '\u{30FB}' => has(&|c| [Script::Hiragana, Script::Katakana, Script::Han].contains(&SCRIPT.get(c))),
            '\u{660}'..='\u{669}' => !has(&|c| ('\u{6F0}'..='\u{6F9}').contains(&c)),
            '\u{6F0}'..='\u{6F9}' => !has(&|c| ('\u{660}'..='\u{669}').contains(&c)),
            _ => true,
        }
    })
}

/// The rule of RFC 5893, section 2, for a text that has a character of a script from right to left.
fn is_bidi(text: &str) -> bool {
    use BidiClass as B;
    let classes: Vec<BidiClass> = text.chars().map(|c| BIDI.get(c)).collect();
    let has = |of: BidiClass| classes.contains(&of);
    if ![B::RightToLeft, B::ArabicLetter, B::ArabicNumber].into_iter().any(has) {
        return true;
    }
    const NEUTRAL: [BidiClass; 7] = [
        B::EuropeanNumber,
        B::EuropeanSeparator,
        B::CommonSeparator,
        B::EuropeanTerminator,
        B::OtherNeutral,
        B::BoundaryNeutral,
        B::NonspacingMark,
    ];
    let last = classes.iter().rev().find(|class| **class != B::NonspacingMark).copied();
    let within = |own: &[BidiClass]| classes.iter().all(|class| own.contains(class) || NEUTRAL.contains(class));
    match classes.first().copied() {
        Some(B::RightToLeft | B::ArabicLetter) => {
            within(&[B::RightToLeft, B::ArabicLetter, B::ArabicNumber])
                && matches!(last, Some(B::RightToLeft | B::ArabicLetter | B::EuropeanNumber | B::ArabicNumber))
                && !(has(B::EuropeanNumber) && has(B::ArabicNumber))
        }
        Some(B::LeftToRight) => within(&[B::LeftToRight]) && matches!(last, Some(B::LeftToRight | B::EuropeanNumber)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_compared_as_kratos_does() {
        for (value, expected) in [
            ("  EXAMPLE@DOMAIN.COM  ", "example@domain.com"),
            ("+1 650-253-0000", "+16502530000"),
            ("+49 176 671 11 638", "+4917667111638"),
            ("invalid-phone", "invalid-phone"),
            ("  ", ""),
            ("al\u{200B}ice\u{FEFF}@ex\u{200D}ample.com", "alice@example.com"),
            ("\u{202A}alice@example.com\u{202C}", "alice@example.com"),
            ("ALICE\u{200B}SMITH", "alicesmith"),
            ("ａｌｉｃｅ@example.com", "alice@example.com"),
            ("oﬃce@example.com", "office@example.com"),
            ("a\u{3164}b\u{115F}c\u{FE0F}d\u{E0100}", "abcd"),
            // Not folded, and not in punycode.
            ("Straße@Exämple.com", "straße@exämple.com"),
            ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
            // Of what is refused the sigma is lowered by its place.
            ("ΣΊΣΥΦΟΣ\u{200B}", "σίσυφος"),
            ("İstanbul", "i\u{307}stanbul"),
            // A digit of a script from right to left behind a letter from left to right.
            ("user\u{663}", "user"),
            ("\u{5D1}\u{5D5}\u{5D1}", "\u{5D1}\u{5D5}\u{5D1}"),
            ("l\u{B7}l", "l\u{B7}l"),
            ("a\u{B7}b", "ab"),
            ("a\tb", "ab"),
            ("a b", "a b"),
            ("Bob\u{1100}", "bob"),
            ("ｶﾞ", "ガ"),
        ] {
            assert_eq!(key(value), expected, "{value:?}");
            assert_eq!(key(expected), expected, "{value:?}, again");
        }
    }
}
