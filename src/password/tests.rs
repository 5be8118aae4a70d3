//! Hashes made by other implementations, limits, and texts that are no hashes.

use super::digest::{DJANGO, HMAC, PBKDF2, SSHA, TEMPLATE};
use super::hash::{Hash, Problem};
use super::kdf::argon2id;
use super::outline;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

/// Scheme, password, hash; made by tests/passwords/generate.py.
const HASHES: &str = include_str!("../../tests/passwords/hashes.tsv");

/// Bytes in base64: 3, 15 and 30 of them, all zero.
const B3: &str = "AAAA";
const B15: &str = "AAAAAAAAAAAAAAAAAAAA";
const B30: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn hashes() -> Vec<[&'static str; 3]> {
    HASHES.lines().map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap()).collect()
}

fn hash(text: &str) -> Hash {
    Hash::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"))
}

fn problem(text: &str) -> Problem {
    Hash::parse(text).expect_err(text)
}

fn schemes() -> BTreeSet<&'static str> {
    let mut schemes: BTreeSet<&str> = [
        "bcrypt",
        "argon2id",
        "argon2i",
        "scrypt",
        "firescrypt",
        "md5-crypt",
        "sha256-crypt",
        "sha512-crypt",
        "phpass",
    ]
    .into();
    schemes.insert("md5-hex");
    schemes.extend(PBKDF2.iter().chain(&HMAC).chain(&TEMPLATE).map(|(scheme, _)| *scheme));
    schemes.extend(SSHA.iter().chain(&DJANGO).map(|(_, scheme, _)| *scheme));
    schemes
}

#[test]
fn hashes_of_other_implementations_are_verified() {
    for [scheme, password, text] in hashes() {
        let hash = hash(text);
        assert_eq!(hash.scheme(), scheme);
        assert_eq!(hash.verify(password.as_bytes()), Ok(true), "{text} of {password:?}");
        assert_eq!(hash.verify(format!("x{password}").as_bytes()), Ok(false), "{text}");
    }
}

#[test]
fn an_outline_makes_the_same_work_and_has_nothing_of_the_password() {
    for [_, password, text] in hashes() {
        let outline = outline::of(text).unwrap_or_else(|| panic!("{text} has no outline"));
        let (made, hash) = (hash(&outline), hash(text));
        assert_eq!((made.scheme(), made.parameters()), (hash.scheme(), hash.parameters()), "{text}");
        assert_eq!(made.is_costly(), hash.is_costly());
        assert_eq!(made.verify(password.as_bytes()), Ok(false), "{text}");
        assert_eq!(outline::of(&outline).as_deref(), Some(outline.as_str()));
        // What is left of the parts that are neither the scheme nor costs: letters of one kind.
        for part in outline.split('$').skip(2).filter(|part| part.len() > 12 && !part.contains('=')) {
            let letters: BTreeSet<char> = part.chars().collect();
            assert!(letters.len() <= 2 || part.starts_with("MDAw"), "{text}: {part}");
        }
    }
    assert_eq!(outline::of("$2x$10$MSQah2e5/ruYtDu/sNncUOiQI5Qg7yrXnteEa/XJVS7UxAekakG8."), None);
    assert_eq!(outline::of("").or(outline::of("$")).or(outline::of("secret")), None);
}

#[test]
fn every_scheme_has_hashes_of_another_implementation() {
    let found: BTreeSet<&str> = hashes().into_iter().map(|[scheme, ..]| scheme).collect();
    assert_eq!(found, schemes());
}

/// The example that Firebase publishes with its variant of scrypt.
#[test]
fn the_published_firebase_hash_is_verified() {
    let hash = hash(
        "$firescrypt$ln=14,r=8,p=1$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+\
         VHjoZilo78198JAdRuid5lQ==$Bw==$jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDz\
         ZvpjeJ9WmXA==",
    );
    assert_eq!(hash.verify(b"user1password"), Ok(true));
    assert_eq!(hash.verify(b"user2password"), Ok(false));
}

#[test]
fn parameters_are_costs_and_sizes() {
    let parameters = |text: &str| serde_json::Value::Object(hash(text).parameters());
    assert_eq!(
        parameters(&format!("$2b$10$.....................e{}", ".".repeat(31))),
        json!({"cost": 10, "hash_bytes": 23})
    );
    assert_eq!(
        parameters(&format!("$argon2id$v=19$m=65536,t=3,p=4${B15}${B30}")),
        json!({
            "version": 19, "memory_kib": 65536, "iterations": 3, "parallelism": 4, "salt_bytes": 15, "hash_bytes": 30
        })
    );
    assert_eq!(
        parameters(&format!("$scrypt$ln=14,r=8,p=1${B15}${B30}")),
        json!({"ln": 14, "n": 16384, "r": 8, "p": 1, "salt_bytes": 15, "hash_bytes": 30})
    );
    assert_eq!(
        parameters(&format!("$5$${}", ".".repeat(43))),
        json!({"rounds": 5000, "salt_bytes": 0, "hash_bytes": 32})
    );
}

#[test]
fn only_digests_are_cheap() {
    let cheap = |scheme: &str| {
        ["ssha", "sha1", "sha256", "sha512", "ssha256", "ssha512", "md5", "md5-hex"].contains(&scheme)
            || scheme.starts_with("hmac-")
    };
    for [scheme, _, text] in hashes() {
        assert_eq!(hash(text).is_costly(), !cheap(scheme), "{scheme}");
    }
}

/// At its limit a cost is read; beyond it, the same text is refused.
#[test]
fn costs_are_limited() {
    let bcrypt = format!("$2b$@${}", ".".repeat(53));
    let argon2 = |costs: &str| format!("$argon2id$v=19${costs}${B15}${B30}");
    let pbkdf2 = |costs: &str| format!("$pbkdf2-sha256${costs}${B15}${B30}");
    let scrypt = |costs: &str| format!("$scrypt${costs}${B15}${B30}");
    let fire = |costs: &str| format!("$firescrypt${costs}${B15}${B30}${B3}${B30}");
    let sha512 = format!("$6$rounds=@$salt${}", ".".repeat(86));
    let django = format!("pbkdf2_sha1$@$salt${}=", "A".repeat(27));
    let phpass = format!("$P$@{}", ".".repeat(30));
    let cases: [(&str, &[&str], &[&str]); 18] = [
        (&bcrypt, &["04", "15"], &["03", "16", "31", "99", "4", "004", "+4"]),
        (&argon2("m=@,t=1,p=1"), &["8", "1048576"], &["7", "1048577", "4294967296", "0", ""]),
        (&argon2("m=@,t=1,p=16"), &["128"], &["127"]),
        (&argon2("m=64,t=@,p=1"), &["1", "10"], &["0", "11"]),
        (&argon2("m=128,t=1,p=@"), &["1", "16"], &["0", "17"]),
        (&pbkdf2("i=@,l=30"), &["1", "10000000"], &["0", "10000001", "99999999999999999999", "-1"]),
        (&pbkdf2("i=1,l=@"), &["30"], &["29", "31", "0", "513", "4294967326"]),
        (&pbkdf2("@").replace(B30, B15), &["1", "10000000"], &["0", "10000001"]),
        (&scrypt("ln=@,r=8,p=1"), &["1", "17", "32", "16384", "131072"], &["0", "18", "31", "33", "131071", "262144"]),
        (&scrypt("ln=64,r=@,p=1"), &["1", "8"], &["0", "9"]),
        (&scrypt("ln=64,r=8,p=@"), &["1", "10"], &["0", "11"]),
        (&fire("ln=@,r=8,p=1"), &["1", "17"], &["0", "18", "32", "64"]),
        (&fire("ln=14,r=@,p=1"), &["1", "8"], &["0", "9"]),
        (&fire("ln=14,r=8,p=@"), &["1", "10"], &["0", "11"]),
        (&sha512, &["1000", "1000000"], &["999", "1000001", "0", ""]),
        (&sha512.replace("$6$", "$sha512-crypt$"), &["1000", "1000000"], &["999", "1000001"]),
        (&django, &["1", "10000000"], &["0", "10000001"]),
        (&phpass, &["5", "6", "M"], &["4", "N", "z", "", "é", "="]),
    ];
    for (text, allowed, refused) in cases {
        allowed.iter().for_each(|value| drop(hash(&text.replace('@', value))));
        refused.iter().for_each(|value| drop(problem(&text.replace('@', value))));
    }
}

/// A hash part of the shortest and the longest length, and lengths beyond.
#[test]
fn sizes_are_limited() {
    let zeros = |size: usize| super::encoding::to_bare_base64(&vec![0; size]);
    let cases: [(&str, &[usize], &[usize]); 8] = [
        ("$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAA$@", &[8, 512], &[0, 7, 513]),
        ("$argon2i$v=19$m=64,t=1,p=1$@$AAAAAAAAAAAA", &[8, 1024], &[0, 7, 1025]),
        ("$pbkdf2-sha512$1$AAAA$@", &[8, 512], &[7, 513]),
        ("$pbkdf2-sha512$1$@$AAAAAAAAAAAA", &[0, 1024], &[1025]),
        ("$scrypt$ln=64,r=8,p=1$AAAA$@", &[8, 512], &[7, 513]),
        ("{SSHA}@", &[21, 1044], &[0, 20, 1045]),
        ("$md5$@", &[16], &[0, 15, 17]),
        ("$sha256$pf=e1BBU1NXT1JEfQ==$AAAA$@", &[32], &[0, 31, 33]),
    ];
    for (text, allowed, refused) in cases {
        allowed.iter().for_each(|&size| drop(hash(&text.replace('@', &zeros(size)))));
        refused.iter().for_each(|&size| drop(problem(&text.replace('@', &zeros(size)))));
    }
    let long = format!("pbkdf2_sha1$1${}${}=", "s".repeat(4096 - 43), "A".repeat(27));
    assert_eq!(long.len(), 4096);
    assert_eq!(problem(&long).scheme, Some("django-pbkdf2-sha1"));
    assert_eq!(problem(&format!("{long}=")).text, "it has 4097 bytes, more than 4096");
}

#[test]
fn known_schemes_that_are_not_verified_are_named() {
    let said = |text: &str| (problem(text).scheme, problem(text).text);
    assert_eq!(said(&format!("$2x$10${}", ".".repeat(53))).0, Some("bcrypt"));
    assert_eq!(said("$argon2d$v=19$m=64,t=1,p=1$AAAAAAAAAAAA$AAAAAAAAAAAA").0, Some("argon2d"));
    assert_eq!(
        said("$argon2id$v=19$m=64,t=1,p=1,keyid=AAAA$AAAAAAAAAAAA$AAAAAAAAAAAA").1,
        "the parameter keyid is not supported"
    );
    assert_eq!(
        said("$argon2id$v=19$m=64,t=1,p=1,data=AAAA$AAAAAAAAAAAA$AAAAAAAAAAAA").1,
        "the parameter data is not supported"
    );
    assert_eq!(
        said("$argon2id$v=16$m=64,t=1,p=1$AAAAAAAAAAAA$AAAAAAAAAAAA").1,
        "version is 16, but only 19 to 19 is allowed"
    );
    assert_eq!(said("$argon2id$m=64,t=1,p=1$AAAAAAAAAAAA$AAAAAAAAAAAA").0, Some("argon2id"));
    assert_eq!(said("$hmac-sha3$AAAA$AAAA").0, None);
    assert_eq!(said("correct horse battery staple"), (None, "it is not a password hash of a known scheme".to_owned()));
    assert_eq!(said("").0, None);
    assert_eq!(said("$").0, None);
}

/// A template that leaves the password out would let everybody in.
#[test]
fn a_template_must_use_the_password() {
    let text = |template: &str| format!("$md5$pf={template}$AAAA${}==", "A".repeat(22));
    assert_eq!(hash(&text("e1BBU1NXT1JEfQ==")).scheme(), "md5");
    assert_eq!(problem(&text("e1NBTFR9")).text, "its template has no {PASSWORD}");
    problem(&text(""));
}

#[test]
fn damaged_hashes_are_refused() {
    for text in [
        "$md5$",
        "$md5$$",
        "$md5$$$",
        "$md5$pf=$$",
        "$md5-crypt$$",
        "$md5-crypt$whuMjZj.HMFoaTaZRRtkO0",
        "$sha256-crypt$$",
        "$sha1$NW9wbWtnejAzcg==$2qU2SGWP8viTM1md3FiI3+rjWXQ=",
        "{SSHA}tooshort",
        "{SSHA384}czO44OTV17PcF1cRxWrLZLy9xHd7CWyVYplr1rOhuMlx/7IK",
        "$hmac-md5$$MTIzNDU=",
        "$hmac-md5$ZmU4Njk3Zjc0MmQwODA0MDVkMTI3MGU2MTYzMzE2Zjk=",
        "$scrypt$ln=16384,r=8$AAAAAAAAAAAA$AAAAAAAAAAAA",
        "$scrypt$ln=16384,r=8,r=8$AAAAAAAAAAAA$AAAAAAAAAAAA",
        "$scrypt$ln=16384,r=8,p=1,$AAAAAAAAAAAA$AAAAAAAAAAAA",
        "098f6bcd4621d373cade4e832627b4f",
        "098f6bcd4621d373cade4e832627b4fg",
        " 098f6bcd4621d373cade4e832627b4f6",
    ] {
        problem(text);
    }
}

#[test]
fn bcrypt_reads_72_bytes_and_zeros_like_others() {
    let [_, long, text] =
        hashes().into_iter().find(|[scheme, password, _]| *scheme == "bcrypt" && password.len() == 100).unwrap();
    assert_eq!(hash(text).verify(&long.as_bytes()[..72]), Ok(true));
    assert_eq!(hash(text).verify(&long.as_bytes()[..71]), Ok(false));
    assert_eq!(hash(text).verify(b"a\0b"), Ok(false));
    assert_eq!(hash(text).verify(&[0; 200]), Ok(false));
}

#[test]
fn a_password_beyond_reason_is_not_verified() {
    let md5 = hash("098f6bcd4621d373cade4e832627b4f6");
    assert_eq!(md5.verify(b"test"), Ok(true));
    assert_eq!(md5.verify(&[b'x'; 4096]), Ok(false));
    md5.verify(&[b'x'; 4097]).unwrap_err();
    argon2id(&[b'x'; 4097], 64, 1, 1).unwrap_err();
}

#[test]
fn new_hashes_verify_and_differ() {
    let (one, two) = (argon2id(b"secret", 64, 2, 2).unwrap(), argon2id(b"secret", 64, 2, 2).unwrap());
    assert_ne!(one, two);
    assert!(one.starts_with("$argon2id$v=19$m=64,t=2,p=2$"));
    let hash = hash(&one);
    assert_eq!(hash.verify(b"secret"), Ok(true));
    assert_eq!(hash.verify(b"Secret"), Ok(false));
    assert_eq!(hash.parameters()["salt_bytes"], 16);
    assert_eq!(hash.parameters()["hash_bytes"], 32);
    for (memory, iterations, lanes) in
        [(0, 1, 1), (1_048_577, 1, 1), (64, 0, 1), (64, 11, 1), (64, 1, 0), (64, 1, 17), (64, 1, 9)]
    {
        argon2id(b"secret", memory, iterations, lanes).unwrap_err();
    }
}

#[test]
fn hashes_can_go_to_another_thread() {
    fn check<T: Send + Sync + Clone + 'static>() {}
    check::<Hash>();
}

/// What could be a salt, a hash or a key: all of the text but its name and its numbers.
fn secrets(text: &str) -> impl Iterator<Item = &str> {
    let named = usize::from(text.starts_with(['$', '{']));
    let parts = text.trim_start_matches(['$', '{']).split(['$', '}', ',']).skip(named);
    // Shorter ones may be a piece of a word that is also in the answer.
    parts.filter(|part| part.len() >= 10 && !part.bytes().all(|b| b.is_ascii_digit()))
}

fn assert_silent(text: &str) {
    let said = match Hash::parse(text) {
        Ok(hash) => format!("{hash:?} {:?}", hash.parameters()),
        Err(problem) => format!("{problem:?}"),
    };
    for secret in secrets(text) {
        assert!(!said.contains(secret), "{said} of {text}");
    }
}

#[test]
fn nothing_secret_is_said() {
    for [_, _, text] in hashes() {
        assert_silent(text);
        assert_silent(&text[..text.len() - 1]);
        assert_silent(&format!("{text}="));
        assert_silent(&format!("{text}$"));
    }
    let shown = format!("{:?}", hash("098f6bcd4621d373cade4e832627b4f6"));
    assert_eq!(shown, r#"Hash { scheme: "md5-hex", parameters: {"hash_bytes": Number(16)}, .. }"#);
}

fn mutated() -> impl Strategy<Value = String> {
    let letters = "[$={},./+0-9A-Za-zé\\PC]{0,4}";
    (proptest::sample::select(hashes()), any::<prop::sample::Index>(), 0..4_usize, letters).prop_map(
        |([_, _, text], at, cut, insert)| {
            let letters: Vec<char> = text.chars().collect();
            let at = at.index(letters.len() + 1);
            let start: String = letters[..at].iter().collect();
            let end: String = letters[(at + cut).min(letters.len())..].iter().collect();
            start + &insert + &end
        },
    )
}

/// Nothing here depends on what the hash is worth: it must only not fail, nor talk.
fn read_and_use(text: &str) {
    assert_silent(text);
    if let Ok(hash) = Hash::parse(text)
        && !hash.is_costly()
    {
        hash.verify(b"secret").unwrap();
        hash.verify(b"").unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_can_be_read(text in ".*") {
        read_and_use(&text);
    }

    #[test]
    fn damaged_hashes_can_be_read(text in mutated()) {
        read_and_use(&text);
    }

    #[test]
    fn cut_hashes_can_be_read([_, _, text] in proptest::sample::select(hashes()), at in any::<prop::sample::Index>()) {
        read_and_use(&text[..at.index(text.len())]);
    }

    #[test]
    fn texts_in_the_form_of_a_hash_can_be_read(
        name in proptest::sample::select(vec!["2b", "argon2id", "pbkdf2-sha1", "scrypt", "firescrypt", "1", "5", "P", "md5", "sha1", "hmac-md4"]),
        parts in proptest::collection::vec("(v=19|rounds=[0-9]{1,5}|pf=[A-Za-z0-9]{0,8}|ln=[0-9]{1,3},r=[0-9],p=[0-9]|i=[0-9]{1,3},l=[0-9]{1,3}|[./A-Za-z0-9=+é]{0,60})", 0..6),
    ) {
        read_and_use(&format!("${name}${}", parts.join("$")));
    }
}
