//! E-mail addresses: their keys, and what is wrong with one.
//!
//! The last `@` divides: a quoted local part may have others. The local part goes by the rule of names, though a
//! mail server may tell `Bob` from `bob` (RFC 5321, 2.4): hardly any does, and people do not. The domain goes by IDNA
//! (UTS #46, non-transitional) to its ASCII form, as the DNS compares it: `faß.de` and `fass.de` are two domains, so
//! that the rule of names, which folds `ß`, is wrong for it.

use super::fold;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use std::borrow::Cow;

/// `@`, and what compatibility composition makes one: full-width and small. A test tries all characters.
const AT: [char; 3] = ['@', '\u{FF20}', '\u{FE6B}'];

/// Bytes (RFC 5321, 4.5.3.1.1).
const LOCAL_MAX: usize = 64;

/// Bytes: a path of 256 (RFC 5321, 4.5.3.1.3) without its angle brackets.
const ADDRESS_MAX: usize = 254;

/// Bytes of a domain as it is written, with all that is invisible.
const DOMAIN_MAX: usize = 4096;

/// Other than letters and digits (RFC 5322, 3.2.3, atext).
const ATOM_SIGNS: &[u8] = b"!#$%&'*+-/=?^_`{|}~";

/// The key of an address. Without an `@`, or with a domain that is none, the rule of names decides.
pub fn key(value: &str) -> String {
    let Some((local, domain)) = split(value) else { return fold::name(value) };
    let mut key = fold::name(local);
    key.push('@');
    key.push_str(&domain_key(domain));
    key
}

/// What is wrong with an address. What stands around it, white space or invisible, is no fault: the key has none.
///
/// Internationalised addresses (RFC 6531) are addresses, and so is `user@localhost`: a name without a dot is a name in
/// many a company's network. No addresses here are display names (`Bob <bob@x.org>`),
/// comments, and domain literals (`bob@[127.0.0.1]`), for which no user will ask.
pub fn check(value: &str) -> Result<(), String> {
    let value = value.trim_matches(|c: char| c.is_whitespace() || fold::is_ignorable(c));
    let Some((local, domain)) = split(value) else { return Err(fault("it has no @")) };
    let folded = fold::name(local);
    if folded.is_empty() {
        return Err(fault("nothing stands before the @"));
    }
    if local.len() > LOCAL_MAX {
        return Err(fault(&format!("more than {LOCAL_MAX} bytes stand before the @ ({})", local.len())));
    }
    // Compatibility composition can make signs of what were letters: three dots of an ellipsis.
    if !is_local_part(local) || !is_local_part(&folded) {
        return Err(fault("what stands before the @ is malformed"));
    }
    if ascii_domain(domain).is_none() {
        return Err(fault("what stands after the @ is no domain"));
    }
    if value.len() > ADDRESS_MAX {
        return Err(fault(&format!("it is longer than {ADDRESS_MAX} bytes ({})", value.len())));
    }
    Ok(())
}

fn fault(what: &str) -> String {
    format!("is no e-mail address: {what}")
}

fn split(value: &str) -> Option<(&str, &str)> {
    if value.is_ascii() { value.rsplit_once('@') } else { value.rsplit_once(AT) }
}

/// A domain that IDNA refuses goes by the rule of names, which may make one of it that IDNA takes.
fn domain_key(domain: &str) -> String {
    ascii_domain(domain).unwrap_or_else(|| {
        let folded = fold::name(domain);
        let folded = folded.trim_end_matches(|c: char| c == '.' || c.is_whitespace());
        ascii_domain(folded).unwrap_or_else(|| folded.to_owned())
    })
}

/// The ASCII form of a domain, without the dot of the root; none, if it is no host name (letters, digits, hyphens
/// inside; labels of 63, names of 253 bytes).
fn ascii_domain(domain: &str) -> Option<String> {
    let domain = domain.trim();
    if is_plain(domain) { Some(domain.to_ascii_lowercase()) } else { by_idna(domain) }
}

/// Whether IDNA would change no more of a host name than the case of its letters.
fn is_plain(domain: &str) -> bool {
    let ends_well = |label: &[u8]| label.first() != Some(&b'-') && label.last() != Some(&b'-');
    let encoded = |label: &[u8]| label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"xn--"));
    let letters = |label: &[u8]| label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    let plain = |label: &[u8]| (1..=63).contains(&label.len()) && letters(label) && ends_well(label) && !encoded(label);
    domain.len() <= 253 && domain.as_bytes().split(|byte| *byte == b'.').all(plain)
}

fn by_idna(domain: &str) -> Option<String> {
    // The time that it takes grows faster than the text.
    if domain.len() > DOMAIN_MAX {
        return None;
    }
    let domain = without_invisible(domain);
    let (hyphens, length) = (Hyphens::CheckFirstLast, DnsLength::VerifyAllowRootDot);
    let ascii = Uts46::new().to_ascii(domain.trim().as_bytes(), AsciiDenyList::STD3, hyphens, length).ok()?;
    let mut ascii = ascii.into_owned();
    if ascii.ends_with('.') {
        ascii.pop();
    }
    Some(ascii)
}

/// IDNA itself drops most of what is invisible, but refuses marks of direction, which come along with pasted text. It
/// knows where the two joiners mean something.
fn without_invisible(domain: &str) -> Cow<'_, str> {
    if domain.is_ascii() {
        return domain.into();
    }
    let seen = |c: &char| matches!(c, '\u{200C}' | '\u{200D}') || !fold::is_ignorable(*c);
    domain.chars().filter(seen).collect::<String>().into()
}

/// RFC 5322, 3.4.1, without comments, folding white space and obsolete forms, with RFC 6531's letters.
fn is_local_part(local: &str) -> bool {
    match local.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').is_some_and(is_quoted),
        None => local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_char)),
    }
}

/// What is between two quotes: a quote or a backslash needs a backslash before it.
fn is_quoted(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let fine = match c {
            '"' => false,
            '\\' => chars.next().is_some_and(|next| matches!(next, ' '..='~')),
            _ => !c.is_control(),
        };
        if !fine {
            return false;
        }
    }
    !text.is_empty()
}

fn is_atom_char(c: char) -> bool {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => byte.is_ascii_alphanumeric() || ATOM_SIGNS.contains(&byte),
        _ => !c.is_whitespace() && !c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_addresses_have_equal_keys() {
        let cases = [
            ("Bob@Example.COM", "bob@example.com"),
            (" bob@example.com\n", "bob@example.com"),
            ("bob@example.com.", "bob@example.com"),
            ("bob @ example.com", "bob@example.com"),
            ("bob@localhost", "bob@localhost"),
            ("Ｂｏｂ＠ｅｘａｍｐｌｅ．ｃｏｍ", "bob@example.com"),
            ("bob﹫example。com", "bob@example.com"),
            ("bob@BÜCHER.de", "bob@xn--bcher-kva.de"),
            ("bob@bu\u{308}cher.de", "bob@xn--bcher-kva.de"),
            ("bob@XN--BCHER-KVA.de", "bob@xn--bcher-kva.de"),
            // Non-transitional: two domains, one local part.
            ("weiß@weiß.de", "weiss@xn--wei-7ka.de"),
            ("weiss@weiss.de", "weiss@weiss.de"),
            ("weiß@weiß.de\u{200E}", "weiss@xn--wei-7ka.de"),
            ("用户@例子.中国", "用户@xn--fsqu00a.xn--fiqs8s"),
            // The last @ divides.
            ("\"A@B\"@C.org", "\"a@b\"@c.org"),
            ("a@b@C.org", "a@b@c.org"),
            // No address, and yet a key.
            ("Bob", "bob"),
            ("", ""),
            ("@", "@"),
            ("Bob@", "bob@"),
            ("@X.org", "@x.org"),
            ("bob@.", "bob@"),
            ("bob@Foo_Bar.org..", "bob@foo_bar.org"),
            ("bob@[127.0.0.1]", "bob@[127.0.0.1]"),
            ("bob@ex\u{200B}am\u{202E}ple.com", "bob@example.com"),
        ];
        for (value, expected) in cases {
            assert_eq!(key(value), expected, "{value:?}");
            assert_eq!(key(expected), expected, "{value:?}");
        }
    }

    #[test]
    fn nothing_else_becomes_an_at() {
        for c in '\0'..=char::MAX {
            assert_eq!(AT.contains(&c), fold::name(c.encode_utf8(&mut [0; 4])).contains('@'), "{c:?}");
        }
    }

    #[test]
    fn the_key_of_a_key_is_itself_for_every_character_of_a_domain() {
        // Ideographs and syllables, of which IDNA changes none, and planes without characters would take most of the time.
        let left_out = |c: &char| {
            matches!(c, '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' | '\u{20000}'..='\u{2F7FF}')
                || matches!(c, '\u{30000}'..='\u{DFFFF}' | '\u{F0000}'..)
        };
        for c in ('\0'..=char::MAX).filter(|c| !left_out(c)) {
            for value in [format!("a@x{c}y.de"), format!("a@{c}.de")] {
                let once = key(&value);
                assert_eq!(key(&once), once, "{value:?}");
            }
        }
    }

    #[test]
    fn addresses_are_addresses() {
        let label = "a".repeat(63);
        let long = format!("{}@{label}.{label}.{}.org", "b".repeat(58), "c".repeat(63));
        assert_eq!(long.len(), ADDRESS_MAX);
        let cases = [
            "bob@example.com",
            "bob.smith+tag@sub.example.com",
            "user@localhost",
            "bob@example.com.",
            "o'neil!#$%&*/=?^_`{|}~@x.org",
            "\"a b@\\\"c\"@x.org",
            " bob@x.org ",
            "\u{FEFF}bob@x.org\u{200B}",
            "用户@例子.中国",
            "हिन्दी@उदाहरण.भारत",
            "e\u{301}@x.org",
            "😀@x.org",
            "bob＠x.org",
            "bob@faß.de",
            "bob@r3---sn.example.com",
            "bob@xn--bcher-kva.de",
            &format!("{}@x.org", "b".repeat(64)),
            &long,
        ];
        for value in cases {
            assert_eq!(check(value), Ok(()), "{value:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        let label = "a".repeat(63);
        let cases: &[(&str, &str)] = &[
            ("bob", "it has no @"),
            ("@x.org", "nothing stands before the @"),
            (" \u{200B}@x.org", "nothing stands before the @"),
            (&format!("{}@x.org", "b".repeat(65)), "more than 64 bytes stand before the @ (65)"),
            (&format!("{}@x.org", "é".repeat(33)), "more than 64 bytes stand before the @ (66)"),
            ("bob smith@x.org", "what stands before the @ is malformed"),
            ("bob @x.org", "what stands before the @ is malformed"),
            ("bob..smith@x.org", "what stands before the @ is malformed"),
            (".bob@x.org", "what stands before the @ is malformed"),
            ("a@b@x.org", "what stands before the @ is malformed"),
            ("a＠b@x.org", "what stands before the @ is malformed"),
            ("bob\u{A0}smith@x.org", "what stands before the @ is malformed"),
            ("\"\"@x.org", "what stands before the @ is malformed"),
            ("\"@x.org", "what stands before the @ is malformed"),
            ("\"a\"b\"@x.org", "what stands before the @ is malformed"),
            ("\"a\\\"@x.org", "what stands before the @ is malformed"),
            ("bob@", "what stands after the @ is no domain"),
            ("bob@.", "what stands after the @ is no domain"),
            ("bob@x..org", "what stands after the @ is no domain"),
            ("bob@-x.org", "what stands after the @ is no domain"),
            ("bob@x_y.org", "what stands after the @ is no domain"),
            ("bob@x y.org", "what stands after the @ is no domain"),
            ("bob@[127.0.0.1]", "what stands after the @ is no domain"),
            ("Bob <bob@x.org>", "what stands before the @ is malformed"),
            ("<bob@x.org>", "what stands before the @ is malformed"),
            ("bob@x.org (Bob)", "what stands after the @ is no domain"),
            ("bob@xn--a.org", "what stands after the @ is no domain"),
            (&format!("bob@{label}a.org"), "what stands after the @ is no domain"),
            (&format!("{}@{label}.{label}.{label}.org", "b".repeat(59)), "it is longer than 254 bytes (255)"),
        ];
        for (value, what) in cases {
            assert_eq!(check(value), Err(fault(what)), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn the_key_of_a_key_is_itself(
            value in "[a-zA-Z@.ß ]{0,6}[@＠﹫][a-zA-ZüßςΣ.。．@_ \\-\u{200B}-\u{200F}\u{308}\u{94D}\u{915}\u{5D0}\u{660}1]{0,12}",
            local: String,
            label in prop::collection::vec(any::<char>(), 0..8),
            puny in "[xX][nN]--[a-z0-9\\-]{0,12}",
        ) {
            let label: String = label.into_iter().collect();
            for value in [value, format!("{local}@{label}.org"), format!("{local}@{label}"), format!("{local}@{puny}.{label}")] {
                let once = key(&value);
                prop_assert_eq!(&key(&once), &once, "{:?}", value);
            }
        }

        #[test]
        fn the_short_way_of_a_plain_domain_is_the_long_way(
            domain in "([a-zA-Z0-9\\-_]{0,5}|[xX]n--[a-z]{1,3}|a{61,64})(\\.([a-zA-Z0-9\\-]{0,3}|b{61,64})){0,4}",
        ) {
            if is_plain(&domain) {
                prop_assert_eq!(Some(domain.to_ascii_lowercase()), by_idna(&domain));
            }
        }

        #[test]
        fn a_check_never_fails_to_answer(value: String, local: String, domain: String) {
            let _ = check(&value);
            let _ = check(&format!("{local}@{domain}"));
        }

        /// What is an address has a key that is one, too.
        #[test]
        fn the_key_of_an_address_is_an_address(value in "[a-zA-Zßé.'\" +]{1,8}@[a-zA-Züß\\-。.]{1,10}") {
            if check(&value).is_ok() {
                prop_assert_eq!(check(&key(&value)), Ok(()), "{:?}", value);
            }
        }
    }
}
