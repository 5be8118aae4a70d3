//! New names for rows that cannot keep theirs: prefix and old name, with a counter where that is taken. No SQL is run here.

use crate::consolidation::plan::{Normalize, Room};
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
    room: Room,
    wishes: Vec<Wish<'a>>,
    pub names: Vec<Option<Name>>,
    /// By the hash of the key that stands before a counter, and the counter's digits: the counter to be tried next.
    next: HashMap<(u64, u32), u32>,
}

impl<'a> Allotment<'a> {
    pub fn new(normalize: Normalize, room: Room, wishes: Vec<Wish<'a>>) -> Self {
        let names = vec![None; wishes.len()];
        Allotment { normalize, room, wishes, names, next: HashMap::default() }
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
            let plain = self.name(*wish, 1)?;
            if taken.insert(hash(&plain.key)) {
                self.names[i] = Some(plain);
            } else {
                waiting.push(i);
            }
        }
        for i in waiting {
            self.names[i] = Some(self.counted(self.wishes[i], taken)?);
        }
        Ok(())
    }

    /// The first name with a counter that is free. Names that are equal once they are cut for a counter share their counters.
    fn counted(&mut self, wish: Wish<'a>, taken: &mut Taken) -> Result<Name> {
        let mut digits = 1;
        loop {
            let (least, most) = (if digits == 1 { 2 } else { 10_u32.pow(digits - 1) }, 10_u32.pow(digits) - 1);
            let stem = [wish.prefix, self.base(wish, digits as usize)?].concat();
            let pool = (hash(&self.normalize.key_of(&stem)), digits);
            let mut counter = self.next.get(&pool).copied().unwrap_or(least);
            while counter <= most {
                let name = self.name(wish, counter)?;
                counter += 1;
                if taken.insert(hash(&name.key)) {
                    self.next.insert(pool, counter);
                    return Ok(name);
                }
            }
            self.next.insert(pool, counter);
            digits += 1;
        }
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

    fn name(&self, wish: Wish<'a>, counter: u32) -> Result<Name> {
        let suffix = if counter == 1 { String::new() } else { counter.to_string() };
        let mut login = [wish.prefix, self.base(wish, suffix.len())?, &suffix].concat();
        if self.room.trims {
            login.truncate(login.trim_end_matches(' ').len());
        }
        let key = self.normalize.key_of(&login).into_owned();
        Ok(Name { login, key, counter })
    }

    /// The old name, cut so that prefix and counter stay.
    fn base(&self, wish: Wish<'a>, suffix: usize) -> Result<&'a str> {
        let mut base = wish.login;
        if let Some(most) = self.room.characters {
            let room = (most as usize).checked_sub(wish.prefix.chars().count() + suffix);
            base = first(base, room.ok_or_else(|| no_room(wish))?);
        }
        if let Some(most) = self.room.bytes {
            let room = most.checked_sub(wish.prefix.len() + suffix).ok_or_else(|| no_room(wish))?;
            base = &base[..base.floor_char_boundary(room)];
        }
        Ok(base)
    }
}

/// The first characters of a text.
fn first(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}

fn no_room(wish: Wish) -> Error {
    Error::invalid_argument(format!("no name that fits is free for \"{}\"", wish.login))
        .detail(format!("All names that begin with \"{}\" are taken, with every counter that fits.", wish.prefix))
        .hint("Give a shorter prefix, or widen the column or max_length.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn allot(max_length: Option<i32>, taken: &[&str], wishes: &[(&str, &str)]) -> Result<Vec<String>> {
        allot_in(Room { characters: max_length, ..Room::default() }, taken, wishes)
    }

    fn allot_in(room: Room, taken: &[&str], wishes: &[(&str, &str)]) -> Result<Vec<String>> {
        let mut hashes: Taken = taken.iter().map(|key| hash(key)).collect();
        let wishes = wishes.iter().map(|(prefix, login)| Wish { prefix, login }).collect();
        let mut allotment = Allotment::new(Normalize::Username, room, wishes);
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
    fn names_fit_bytes_and_lose_blanks_at_the_end() {
        let bytes = Room { bytes: Some(6), ..Room::default() };
        assert_eq!(
            allot_in(bytes, &[], &[("fz_", "äöü"), ("fz_", "abcd"), ("fz_", "abce")]).unwrap(),
            ["fz_ä", "fz_abc", "fz_ab2"]
        );
        let padded = Room { characters: Some(6), trims: true, ..Room::default() };
        assert_eq!(allot_in(padded, &["fz_ab"], &[("fz_", "ab cd")]).unwrap(), ["fz_ab2"]);
    }

    #[test]
    fn names_that_are_cut_share_their_counters() {
        let logins: Vec<String> = ('\u{4e00}'..).take(3000).map(|c| format!("aaaaa{c}")).collect();
        let wishes: Vec<(&str, &str)> = logins.iter().map(|login| ("fz_", login.as_str())).collect();
        let plain: Vec<String> = logins.iter().map(|login| format!("fz_{login}")).collect();
        let plain: Vec<&str> = plain.iter().map(String::as_str).collect();
        let names = allot(Some(9), &plain, &wishes).unwrap();
        assert_eq!((names[0].as_str(), names[2999].as_str()), ("fz_aaaaa2", "fz_aa3001"));
    }

    #[test]
    fn odd_keys_are_asked_for_and_withdrawn() {
        // The diaeresis goes together with the prefix's last letter.
        let wishes = vec![Wish { prefix: "fa", login: "\u{308}x" }];
        let mut allotment = Allotment::new(Normalize::Username, Room::default(), wishes);
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
