//! Phone numbers: E.164 is the key of a number that is valid, the rule of names decides for the rest.
//!
//! Which numbers are valid is Google's libphonenumber's word, as `rlibphonenumber` carries it: numbering plans change
//! several times a year, so that another release may know a number that this one does not, or the reverse. Then the key
//! of a number that is written with spaces changes; one that is written as E.164 has it is its own key either way.
//! Parsing alone is not enough: it makes +86110 of "110" in China, which nobody can call.

use super::fold;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};
use std::fmt;

/// E.164 has up to 15; a prefix for dialling abroad, or for the trunk, may stand in a number as it is written.
const DIGITS_MAX: usize = 22;

/// Written between digits, after compatibility composition: hyphens and dashes, the minus, the stroke of katakana.
const SEPARATORS: &str = " -.()/[]~\u{2010}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{30FC}";

/// The key of a number. Only the international form, with a `+`, says in which country it is: a `00` is dialled in many
/// countries, but not in all.
pub fn key(value: &str) -> String {
    let name = fold::name(value);
    international(&name).unwrap_or(name)
}

/// A number without any digit is none. Whether one without a `+` is valid depends on its country.
pub fn check(value: &str) -> Result<(), String> {
    if fold::name(value).chars().any(|c| digit(c).is_some()) {
        Ok(())
    } else {
        Err("is no phone number: it has no digit".to_owned())
    }
}

fn international(name: &str) -> Option<String> {
    let dialled = dialled(name).filter(|dialled| dialled.starts_with('+'))?;
    let number = e164(&dialled)?;
    // Some plans drop or move digits: what comes out must be the same number when it goes in.
    (number == dialled || e164(&number).as_ref() == Some(&number)).then_some(number)
}

/// A number's digits, and its `+`. None, if there is anything that is not part of a number: letters (words on the
/// keys, an extension), `,` and `;` (a pause), `#` and `*`.
fn dialled(name: &str) -> Option<String> {
    let mut dialled = String::with_capacity(DIGITS_MAX);
    for c in name.chars() {
        match digit(c) {
            Some(digit) => dialled.push(digit),
            None if c == '+' && dialled.is_empty() => dialled.push('+'),
            None if SEPARATORS.contains(c) => {}
            None => return None,
        }
    }
    (dialled.len() <= DIGITS_MAX).then_some(dialled)
}

/// Full-width digits are ASCII already; Arabic and Persian ones stay what they are in compatibility composition.
fn digit(c: char) -> Option<char> {
    let zero = match c {
        '0'..='9' => return Some(c),
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6F0}'..='\u{6F9}' => 0x6F0,
        _ => return None,
    };
    char::from_digit(c as u32 - zero, 10)
}

fn e164(dialled: &str) -> Option<String> {
    e164_in(dialled, None)
}

fn e164_in(dialled: &str, region: Option<Region>) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.parse(dialled, region).ok()?;
    let valid = PHONE_NUMBER_UTIL.is_valid_number(&number);
    valid.then(|| PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
}

/// A country in which numbers are dialled that do not say it themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country(Region);

impl Country {
    /// By its code of ISO 3166-1 alpha-2.
    pub fn parse(code: &str) -> Option<Self> {
        let code = code.to_ascii_uppercase();
        PHONE_NUMBER_UTIL.get_supported_regions().find(|region| *region.as_region_str() == *code).map(Country)
    }

    /// The E.164 form of a number as it is dialled there, with the trunk's prefix or without; none where it is not valid.
    pub fn e164(self, value: &str) -> Option<String> {
        let number = e164_in(&dialled(&fold::name(value))?, Some(self.0))?;
        (key(&number) == number).then_some(number)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0.as_region_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_valid_international_number_is_e164() {
        let cases = [
            ("+8613800138000", "+8613800138000"),
            ("+86 138-0013-8000", "+8613800138000"),
            (" (+86) 138.0013.8000 ", "+8613800138000"),
            ("＋８６　１３８００１３８０００", "+8613800138000"),
            ("\u{202A}+86\u{A0}138\u{2011}0013\u{2013}8000\u{202C}", "+8613800138000"),
            ("+٤٩ ٣٠ ١٢٣٤٥٦", "+4930123456"),
            ("+44 (0)20 7031 3000", "+442070313000"),
            ("+1 (650) 253-0000", "+16502530000"),
            ("+39 06 698 12345", "+390669812345"),
        ];
        for (value, expected) in cases {
            assert_eq!(key(value), expected, "{value:?}");
        }
    }

    #[test]
    fn the_rest_goes_by_the_rule_of_names() {
        let cases = [
            // No country.
            ("13800138000", "13800138000"),
            ("138 0013 8000", "138 0013 8000"),
            ("0086 13800138000", "0086 13800138000"),
            ("110", "110"),
            // Not valid.
            ("+86110", "+86110"),
            ("+86 1", "+86 1"),
            ("+999 123456789", "+999 123456789"),
            ("+", "+"),
            // An extension, a word, a pause, two numbers.
            ("+1 650 253 0000 x123", "+1 650 253 0000 x123"),
            ("+1 650 253 0000;ext=123", "+1 650 253 0000;ext=123"),
            ("+1 800 FLOWERS", "+1 800 flowers"),
            ("+16502530000,1", "+16502530000,1"),
            ("+16502530000 +16502530001", "+16502530000 +16502530001"),
            ("Bob", "bob"),
            ("", ""),
        ];
        for (value, expected) in cases {
            assert_eq!(key(value), expected, "{value:?}");
        }
    }

    #[test]
    fn a_country_completes_its_numbers() {
        let germany = Country::parse("de").expect("a country");
        let cases = [
            ("0170 1234567", Some("+491701234567")),
            ("1701234567", Some("+491701234567")),
            ("0049 170 1234567", Some("+491701234567")),
            ("+33 6 12 34 56 78", Some("+33612345678")),
            ("12", None),
            ("call me", None),
            ("", None),
        ];
        for (value, expected) in cases {
            assert_eq!(germany.e164(value).as_deref(), expected, "{value:?}");
        }
        assert_eq!(germany.to_string(), "DE");
        assert_eq!(Country::parse("CN").expect("a country").e164("13800138000").as_deref(), Some("+8613800138000"));
        for code in ["", "XX", "Germany", "1", "Ä"] {
            assert_eq!(Country::parse(code), None, "{code:?}");
        }
    }

    #[test]
    fn a_number_has_a_digit() {
        for value in ["+86 13800138000", "110", "٣", "１"] {
            assert_eq!(check(value), Ok(()), "{value:?}");
        }
        for value in ["", "+", "Bob"] {
            assert!(check(value).is_err(), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn the_key_of_a_key_is_itself(value in "[+＋]?[0-9]{1,3}[ \\-(]{0,2}[0-9]{1,4}[ )\\-]{0,2}[0-9]{1,10}[ x#]{0,2}[0-9]{0,3}") {
            let once = key(&value);
            prop_assert_eq!(&key(&once), &once);
        }

        /// Calling codes of plans that rewrite numbers: Argentina, Mexico, Brazil, Italy, Russia, Hungary, China.
        #[test]
        fn the_key_of_a_key_is_itself_where_plans_rewrite(
            code in prop::sample::select(vec!["54", "54 9", "54 0", "52", "52 1", "55", "39", "7", "7 8", "36", "86", "86 0", "1", "44"]),
            rest in "[0-9]{6,13}",
        ) {
            let once = key(&format!("+{code} {rest}"));
            prop_assert_eq!(&key(&once), &once);
        }

        #[test]
        fn any_text_has_a_key(value: String, digits in "[+0-9\u{660}-\u{669} ]{0,30}") {
            for value in [value, digits] {
                let _ = (key(&value), check(&value));
            }
        }
    }
}
