//! A hash while it is being read: keeps what is known of it, for the hash or for the problem that ends the reading.

use super::hash::{Hash, Method, Problem};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Salts in use have 8 to 64 bytes; the limit only keeps nonsense out.
pub const SALT_BYTES: RangeInclusive<usize> = 0..=1024;
/// A derived key of fewer bytes is met by chance too often; one of more costs time for nothing.
pub const HASH_BYTES: RangeInclusive<usize> = 8..=512;

pub struct Draft {
    scheme: &'static str,
    parameters: Map<String, Value>,
}

impl Draft {
    pub fn new(scheme: &'static str) -> Draft {
        Draft { scheme, parameters: Map::new() }
    }

    /// The text must come from here, not from the hash: it may be shown to people who may not see the hash.
    pub fn problem(&self, text: impl Into<String>) -> Problem {
        Problem { scheme: Some(self.scheme), parameters: self.parameters.clone(), text: text.into() }
    }

    /// All parts after the name of the scheme.
    pub fn parts<'a, const N: usize>(&self, parts: &[&'a str]) -> Result<[&'a str; N], Problem> {
        let count = parts.len();
        parts.try_into().map_err(|_| self.problem(format!("after its name come {count} parts, not {N}")))
    }

    /// The values of `name=value,…`, in the order of the names; each must be there once.
    pub fn values<'a, const N: usize>(&self, text: &'a str, names: [&str; N]) -> Result<[&'a str; N], Problem> {
        let expected = || self.problem(format!("its parameters are not {}", names.join(", ")));
        let mut found = [None; N];
        for pair in text.split(',') {
            let (name, value) = pair.split_once('=').ok_or_else(expected)?;
            let slot = names.iter().position(|n| *n == name).and_then(|i| found.get_mut(i)).ok_or_else(expected)?;
            if slot.replace(value).is_some() {
                return Err(expected());
            }
        }
        if found.contains(&None) {
            return Err(expected());
        }
        Ok(found.map(Option::unwrap_or_default))
    }

    pub fn number(&mut self, name: &str, text: &str, allowed: RangeInclusive<u32>) -> Result<u32, Problem> {
        let digits = (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let value: Option<u64> = text.parse().ok().filter(|_| digits);
        let value = value.ok_or_else(|| self.problem(format!("{name} is not a whole number of 1 to 18 digits")))?;
        self.note(name, value);
        let (least, most) = (allowed.start(), allowed.end());
        let small = u32::try_from(value).ok().filter(|small| allowed.contains(small));
        small.ok_or_else(|| self.problem(format!("{name} is {value}, but only {least} to {most} is allowed")))
    }

    /// What a decoder made of a part, if its length is right.
    pub fn bytes(
        &mut self,
        name: &str,
        decoded: Option<Vec<u8>>,
        allowed: RangeInclusive<usize>,
    ) -> Result<Vec<u8>, Problem> {
        let plain = name.replace('_', " ");
        let bytes = decoded.ok_or_else(|| self.problem(format!("its {plain} is not well encoded")))?;
        let count = bytes.len();
        self.note(&format!("{name}_bytes"), count);
        if allowed.contains(&count) {
            return Ok(bytes);
        }
        let (least, most) = (allowed.start(), allowed.end());
        let limit = if least == most { least.to_string() } else { format!("{least} to {most}") };
        Err(self.problem(format!("its {plain} has {count} bytes, not {limit}")))
    }

    pub fn note(&mut self, name: &str, value: impl Into<Value>) {
        self.parameters.insert(name.to_owned(), value.into());
    }

    pub fn finish(self, method: impl Method + 'static, expected: Vec<u8>) -> Hash {
        Hash::new(self.scheme, self.parameters, Arc::new(method), expected)
    }
}
