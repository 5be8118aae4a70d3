//! What a hash may cost, and whether one costs more than another. No setting is read here.

use super::hash::{Hash, Problem};
use serde_json::Value;

/// The most that a hash which is verified may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub memory_kib: u64,
    pub argon2_iterations: u64,
    pub bcrypt_cost: u64,
    pub pbkdf2_iterations: u64,
    pub crypt_rounds: u64,
    pub phpass_log2: u64,
}

/// What argon2id takes for a new hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Costs {
    pub memory_kib: u64,
    pub iterations: u64,
}

impl Limits {
    pub fn check(&self, hash: &Hash) -> Result<(), Problem> {
        let limited = match family(hash.scheme()) {
            Family::Argon2 => vec![
                ("memory_kib", number(hash, "memory_kib"), self.memory_kib),
                ("iterations", number(hash, "iterations"), self.argon2_iterations),
            ],
            Family::Scrypt => vec![("its memory in KiB", scrypt_kib(hash), self.memory_kib)],
            Family::Bcrypt => vec![("cost", number(hash, "cost"), self.bcrypt_cost)],
            Family::Pbkdf2 => vec![("iterations", number(hash, "iterations"), self.pbkdf2_iterations)],
            Family::Crypt => vec![("rounds", number(hash, "rounds"), self.crypt_rounds)],
            Family::Phpass => vec![("log2_iterations", number(hash, "log2_iterations"), self.phpass_log2)],
            Family::Digest => vec![],
        };
        match limited.into_iter().find(|(_, cost, most)| cost > most) {
            Some((name, cost, most)) => Err(Problem {
                scheme: Some(hash.scheme()),
                parameters: hash.parameters(),
                text: format!("{name} is {cost}, but the settings allow {most} at most"),
            }),
            None => Ok(()),
        }
    }
}

/// Whether argon2id at these costs would be stronger than a hash, or as strong in another scheme. A hash is never replaced by a weaker one.
pub fn strengthens(costs: Costs, hash: &Hash) -> bool {
    if family(hash.scheme()) == Family::Argon2 {
        let old = Costs { memory_kib: number(hash, "memory_kib"), iterations: number(hash, "iterations") };
        let none_less = costs.memory_kib >= old.memory_kib && costs.iterations >= old.iterations;
        return none_less && (costs != old || hash.scheme() != "argon2id");
    }
    costs.memory_kib as f64 * costs.iterations as f64 / UNIT >= units(hash)
}

/// Of argon2id: OWASP's first choice, 19 MiB twice.
const UNIT: f64 = 19_456.0 * 2.0;

/// How strong a hash of another scheme is against guessing on graphics processors, in such units, roughly: those that are known to be weaker
/// at any cost that occurs have none.
fn units(hash: &Hash) -> f64 {
    match family(hash.scheme()) {
        Family::Bcrypt => 2_f64.powi(number(hash, "cost") as i32 - 12),
        Family::Scrypt => scrypt_kib(hash) as f64 * number(hash, "p").max(1) as f64 / 65_536.0,
        Family::Pbkdf2 => number(hash, "iterations") as f64 / 6_000_000.0,
        _ => 0.0,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Argon2,
    Scrypt,
    Bcrypt,
    Pbkdf2,
    Crypt,
    Phpass,
    Digest,
}

fn family(scheme: &str) -> Family {
    match scheme {
        "argon2id" | "argon2i" => Family::Argon2,
        "scrypt" | "firescrypt" => Family::Scrypt,
        "bcrypt" => Family::Bcrypt,
        "sha256-crypt" | "sha512-crypt" => Family::Crypt,
        "phpass" => Family::Phpass,
        _ if scheme.starts_with("pbkdf2-") || scheme.starts_with("django-pbkdf2-") => Family::Pbkdf2,
        _ => Family::Digest,
    }
}

/// A cost; 0 where the hash has none of the name.
fn number(hash: &Hash, name: &str) -> u64 {
    hash.parameters().get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// 128 bytes for each of N times r.
fn scrypt_kib(hash: &Hash) -> u64 {
    number(hash, "n").saturating_mul(number(hash, "r")) / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> Hash {
        Hash::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"))
    }

    fn argon2(scheme: &str, memory: u32, iterations: u32) -> Hash {
        hash(&format!("${scheme}$v=19$m={memory},t={iterations},p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2g"))
    }

    fn bcrypt(cost: u32) -> Hash {
        hash(&format!("$2b${cost:02}$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"))
    }

    #[test]
    fn a_hash_is_replaced_by_a_stronger_one_and_never_by_a_weaker_one() {
        let new = Costs { memory_kib: 19_456, iterations: 2 };
        for (old, replaced) in [
            (argon2("argon2id", 8, 1), true),
            (argon2("argon2id", 19_456, 1), true),
            (argon2("argon2id", 19_456, 2), false),
            (argon2("argon2i", 19_456, 2), true),
            (argon2("argon2id", 65_536, 1), false),
            (argon2("argon2id", 8, 3), false),
            (argon2("argon2i", 65_536, 3), false),
            (bcrypt(12), true),
            (bcrypt(13), false),
            (hash("5f4dcc3b5aa765d61d8327deb882cf99"), true),
            (hash("$scrypt$ln=16384,r=8,p=1$c2FsdHNhbHQ=$aGFzaGhhc2hoYXNoaGFzaGhhc2g="), true),
            (hash("$scrypt$ln=131072,r=8,p=1$c2FsdHNhbHQ=$aGFzaGhhc2hoYXNoaGFzaGhhc2g="), false),
            (hash("$pbkdf2-sha256$i=600000,l=16$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"), true),
            (hash("$pbkdf2-sha256$i=9000000,l=16$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"), false),
        ] {
            assert_eq!(strengthens(new, &old), replaced, "{old:?}");
        }
        assert!(strengthens(Costs { memory_kib: 19_456, iterations: 4 }, &bcrypt(13)));
    }

    #[test]
    fn costs_have_limits() {
        let limits = Limits {
            memory_kib: 65_536,
            argon2_iterations: 3,
            bcrypt_cost: 12,
            pbkdf2_iterations: 1_000_000,
            crypt_rounds: 10_000,
            phpass_log2: 13,
        };
        assert!(limits.check(&argon2("argon2id", 65_536, 3)).is_ok());
        assert!(limits.check(&bcrypt(12)).is_ok());
        assert!(limits.check(&hash("5f4dcc3b5aa765d61d8327deb882cf99")).is_ok());
        for (over, text) in [
            (argon2("argon2id", 65_537, 3), "memory_kib is 65537, but the settings allow 65536 at most"),
            (argon2("argon2i", 8, 4), "iterations is 4, but the settings allow 3 at most"),
            (bcrypt(13), "cost is 13, but the settings allow 12 at most"),
            (
                hash("$scrypt$ln=131072,r=8,p=1$c2FsdHNhbHQ=$aGFzaGhhc2hoYXNoaGFzaGhhc2g="),
                "its memory in KiB is 131072, but the settings allow 65536 at most",
            ),
        ] {
            assert_eq!(limits.check(&over).unwrap_err().text, text);
        }
    }
}
