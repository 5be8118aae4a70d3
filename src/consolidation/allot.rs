//! New names for rows that cannot keep theirs: prefix and old name, with a counter where that is taken. No SQL is run here.

use crate::consolidation::plan::Normalize;
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};

/// A key's hash is all that is kept of it: of two keys with one hash, the second is taken for the first, and costs a counter.
pub fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(key.as_bytes());
    hasher.finish()
}

/// A hash is its own hash.
#[derive(Default)]
pub struct Itself(u64);

impl Hasher for Itself {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Keys that no new name may have, by their hashes.
pub type Taken = HashSet<u64, BuildHasherDefault<Itself>>;

/// A row that is to get another name.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub prefix: &'a str,
    pub login: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub login: String,
    pub key: String,
    /// 1: the plain name.
    pub counter: u32,
}

/// The names of all wishes, in the order in which they come.
pub struct Allotment<'a> {
    normalize: Normalize,
    max_length: Option<i32>,
    wishes: Vec<Wish<'a>>,
    pub names: Vec<Option<Name>>,
    /// By the hash of the plain name's key: the counter to be tried next.
    next: HashMap<u64, u32, BuildHasherDefault<Itself>>,
}

impl<'a> Allotment<'a> {
    pub fn new(normalize: Normalize, max_length: Option<i32>, wishes: Vec<Wish<'a>>) -> Self {
        let names = vec![None; wishes.len()];
        Allotment { normalize, max_length, wishes, names, next: HashMap::default() }
    }

    /// Gives every wish a name that nobody has; `held` says which of some keys, of which nobody knows yet, somebody has.
    pub fn settle(&mut self, taken: &mut Taken, held: impl Fn(Vec<String>) -> Result<HashSet<String>>) -> Result<()> {
        loop {
            self.assign(taken)?;
            let odd = self.odd_keys();
            let held = if odd.is_empty() { HashSet::new() } else { held(odd)? };
            if held.is_empty() {
                return Ok(());
            }
            self.withdraw(&held);
        }
    }

    /// Gives every wish without a name one that is not taken. Plain names go first, so that a counter takes nobody's plain name.
    fn assign(&mut self, taken: &mut Taken) -> Result<()> {
        let mut waiting = Vec::new();
        for (i, wish) in self.wishes.iter().enumerate() {
            if self.names[i].is_some() {
                continue;
            }
            let plain = self.name(wish, 1)?;
            let stem = hash(&plain.key);
            if taken.insert(stem) {
                self.names[i] = Some(plain);
            } else {
                waiting.push((i, stem));
            }
        }
        for (i, stem) in waiting {
            let mut counter = self.next.get(&stem).copied().unwrap_or(2);
            let name = loop {
                let name = self.name(&self.wishes[i], counter)?;
                counter += 1;
                if taken.insert(hash(&name.key)) {
                    break name;
                }
            };
            self.next.insert(stem, counter);
            self.names[i] = Some(name);
        }
        Ok(())
    }

    /// Keys of names that do not begin as their prefix does, for composition may change its last character: nobody has asked
    /// yet who has them.
    fn odd_keys(&self) -> Vec<String> {
        let odd = |(name, wish): (&Option<Name>, &Wish)| {
            let key = &name.as_ref()?.key;
            (!key.starts_with(&*self.normalize.key_of(wish.prefix))).then(|| key.clone())
        };
        self.names.iter().zip(&self.wishes).filter_map(odd).collect()
    }

    /// Takes back the names with these keys: somebody has them.
    fn withdraw(&mut self, keys: &HashSet<String>) {
        for name in &mut self.names {
            if name.as_ref().is_some_and(|name| keys.contains(&name.key)) {
                *name = None;
            }
        }
    }

    /// Cut in the old name, so that prefix and counter stay.
    fn name(&self, wish: &Wish, counter: u32) -> Result<Name> {
        let suffix = if counter == 1 { String::new() } else { counter.to_string() };
        let base = match self.max_length {
            None => wish.login,
            Some(most) => {
                let room = most - wish.prefix.chars().count() as i32 - suffix.len() as i32;
                if room < 0 {
                    return Err(no_room(wish, most));
                }
                first(wish.login, room as usize)
            }
        };
        let login = [wish.prefix, base, &suffix].concat();
        let key = self.normalize.key_of(&login).into_owned();
        Ok(Name { login, key, counter })
    }
}

/// The first characters of a text.
fn first(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}

fn no_room(wish: &Wish, most: i32) -> Error {
    Error::invalid_argument(format!("no name of {most} characters is free for \"{}\"", wish.login))
        .detail(format!("All names that begin with \"{}\" are taken, with every counter that fits.", wish.prefix))
        .hint("Give a shorter prefix, or widen the column or max_length.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn allot(max_length: Option<i32>, taken: &[&str], wishes: &[(&str, &str)]) -> Result<Vec<String>> {
        let mut hashes: Taken = taken.iter().map(|key| hash(key)).collect();
        let wishes = wishes.iter().map(|(prefix, login)| Wish { prefix, login }).collect();
        let mut allotment = Allotment::new(Normalize::Username, max_length, wishes);
        allotment.assign(&mut hashes)?;
        Ok(allotment.names.into_iter().flatten().map(|name| name.login).collect())
    }

    #[test]
    fn a_name_is_prefix_and_login_and_a_counter_where_that_is_taken() {
        let names = allot(None, &["fz_bob"], &[("fz_", "bob"), ("fz_", "Bob"), ("fz_", "ann"), ("gx_", "bob")]);
        assert_eq!(names.unwrap(), ["fz_bob2", "fz_Bob3", "fz_ann", "gx_bob"]);
    }

    #[test]
    fn a_counter_takes_nobodys_plain_name() {
        let names = allot(None, &[], &[("fz_", "bob"), ("fz_", "bob"), ("fz_", "bob2")]);
        assert_eq!(names.unwrap(), ["fz_bob", "fz_bob3", "fz_bob2"]);
    }

    #[test]
    fn the_old_name_is_cut_on_a_character_and_not_the_counter() {
        assert_eq!(allot(Some(6), &[], &[("fz_", "Straße"), ("fz_", "Strand")]).unwrap(), ["fz_Str", "fz_St2"]);
        assert_eq!(allot(Some(5), &[], &[("fz_", "äöü")]).unwrap(), ["fz_äö"]);
        let all: Vec<(&str, &str)> = vec![("fz_", "a"); 10];
        assert_eq!(allot(Some(4), &[], &all[..9]).unwrap()[8], "fz_9");
        assert_eq!(allot(Some(4), &[], &all).unwrap_err().sqlstate, "22023");
    }

    #[test]
    fn odd_keys_are_asked_for_and_withdrawn() {
        // The diaeresis goes together with the prefix's last letter.
        let wishes = vec![Wish { prefix: "fa", login: "\u{308}x" }];
        let mut allotment = Allotment::new(Normalize::Username, None, wishes);
        let mut taken = Taken::default();
        allotment.assign(&mut taken).unwrap();
        assert_eq!(allotment.odd_keys(), ["fäx"]);
        allotment.withdraw(&HashSet::from(["fäx".to_string()]));
        allotment.assign(&mut taken).unwrap();
        assert_eq!(allotment.names[0].as_ref().unwrap().key, "fäx2");
    }

    proptest! {
        #[test]
        fn names_are_new_and_their_own(
            logins in prop::collection::vec("[abAB0-9\u{308}]{0,4}", 0..40),
            held in prop::collection::vec("[fg]_[ab]{0,3}[23]?", 0..10),
            max_length in prop::option::of(6i32..10),
        ) {
            let wishes: Vec<(&str, &str)> =
                logins.iter().enumerate().map(|(i, login)| (["f_", "g_"][i % 2], login.as_str())).collect();
            let held: Vec<&str> = held.iter().map(String::as_str).collect();
            let names = allot(max_length, &held, &wishes).unwrap();
            prop_assert_eq!(names.len(), wishes.len());
            let keys: HashSet<String> = names.iter().map(|name| Normalize::Username.key_of(name).into_owned()).collect();
            prop_assert_eq!(keys.len(), names.len());
            prop_assert!(held.iter().all(|key| !keys.contains(*key)));
            for (name, (prefix, _)) in names.iter().zip(&wishes) {
                prop_assert!(name.starts_with(prefix));
                prop_assert!(max_length.is_none_or(|most| name.chars().count() <= most as usize));
            }
        }
    }
}
