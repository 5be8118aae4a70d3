//! New names for rows that cannot keep theirs: prefix and old name, with a counter where that is taken. No SQL is run here.
//!
//! The names that are taken are many, and stay where they are: a batch of wishes proposes names, all that is taken is shown to it, and
//! it gives the proposed names that are left. So the memory is that of a batch.

use crate::consolidation::plan::{Normalize, Room};
use crate::error::{Error, Result};
use std::collections::HashMap;
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

/// A row that is to get another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub row: i64,
    pub prefix: Box<str>,
    pub login: Box<str>,
    /// The digits of the counters that are tried for it.
    pub digits: u32,
}

impl Wish {
    pub fn new(row: i64, prefix: &str, login: &str) -> Self {
        Wish { row, prefix: prefix.into(), login: login.into(), digits: 1 }
    }

    /// About what it takes, with a name that is proposed for it.
    pub fn bytes(&self) -> usize {
        self.prefix.len() + self.login.len() + 128
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub login: String,
    pub key: String,
    /// 1: the plain name.
    pub counter: u32,
    /// The old name is not whole in it.
    pub cut: bool,
}

/// How names are made.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    pub normalize: Normalize,
    pub room: Room,
}

/// Names with the counters of so many digits that differ in these alone: by the key of the first of them.
type Pool = (u64, u32);

/// Of each pool: the counter to be tried next. What is below it is taken.
#[derive(Debug, Default)]
pub struct Counters {
    next: HashMap<Pool, u32>,
    /// Pools that have not come so far are forgotten, where they would be too many: they are tried from their beginning again.
    least: u32,
}

impl Counters {
    fn next(&self, pool: Pool) -> u32 {
        self.next.get(&pool).copied().unwrap_or(range(pool.1).0)
    }

    /// To be called between batches, which remember what they have tried.
    pub fn forget(&mut self, most: usize) {
        while self.next.len() > most {
            self.least = self.least.max(1) * 2;
            let least = self.least;
            self.next.retain(|pool, next| *next - range(pool.1).0 > least);
        }
    }
}

/// The counters of so many digits.
fn range(digits: u32) -> (u32, u32) {
    (if digits == 1 { 2 } else { 10_u32.pow(digits - 1) }, 10_u32.pow(digits) - 1)
}

/// So many names are proposed for a pool beyond those that it needs, for some will be taken.
const SPARE: usize = 3;

/// More names than there can be rows.
const MOST_DIGITS: u32 = 9;

/// Wishes that are worked on together.
pub struct Batch {
    form: Form,
    wishes: Vec<Wish>,
    /// The keys that are proposed, by their hashes: whether they are free.
    proposed: HashMap<u64, bool, BuildHasherDefault<Itself>>,
    /// How often counters have been proposed.
    round: u32,
}

impl Batch {
    pub fn new(form: Form, wishes: Vec<Wish>) -> Self {
        Batch { form, wishes, proposed: HashMap::default(), round: 0 }
    }

    /// Is shown a key that somebody has or had.
    pub fn take(&mut self, hash: u64) {
        if let Some(free) = self.proposed.get_mut(&hash) {
            *free = false;
        }
    }

    pub fn propose_plain(&mut self) -> Result<()> {
        for wish in &self.wishes {
            self.proposed.insert(hash(&self.form.name(wish, 1)?.key), true);
        }
        Ok(())
    }

    /// Gives plain names that are free; returns the wishes without one.
    pub fn give_plain(&mut self, mut give: impl FnMut(&Wish, &Name)) -> Result<Vec<Wish>> {
        let mut waiting = Vec::new();
        for wish in std::mem::take(&mut self.wishes) {
            let name = self.form.name(&wish, 1)?;
            if self.claim(&name) == Some(true) {
                give(&wish, &name);
            } else {
                waiting.push(wish);
            }
        }
        Ok(waiting)
    }

    /// True where it is free, which it is no more then; none where it has not been proposed.
    fn claim(&mut self, name: &Name) -> Option<bool> {
        let free = self.proposed.get_mut(&hash(&name.key))?;
        Some(std::mem::replace(free, false))
    }

    /// Proposes names with counters; false where all wishes have a name.
    /// Beyond those that are needed they are at most about `most`.
    pub fn propose_counted(&mut self, counters: &Counters, most: usize) -> Result<bool> {
        self.proposed.clear();
        let mut pools: HashMap<Pool, (usize, usize)> = HashMap::new();
        for (i, wish) in self.wishes.iter().enumerate() {
            pools.entry(self.form.pool(wish, wish.digits)?).or_insert((i, 0)).1 += 1;
        }
        let mut pools: Vec<(usize, usize)> = pools.into_values().collect();
        pools.sort_unstable();
        // Where many are taken it takes more of them each time.
        let (more, share) = (1 << self.round.min(20), most / pools.len().max(1));
        self.round += 1;
        for (first, count) in pools {
            let least = count + SPARE;
            self.propose_for(first, least.saturating_mul(more).min(share.max(least)), counters)?;
        }
        Ok(!self.wishes.is_empty())
    }

    /// Proposes so many names of a wish, with counters of ever more digits.
    fn propose_for(&mut self, wish: usize, mut names: usize, counters: &Counters) -> Result<()> {
        let wish = &self.wishes[wish];
        for digits in wish.digits..=MOST_DIGITS {
            // What does not fit is an error when it is needed.
            let Ok(pool) = self.form.pool(wish, digits) else { break };
            let next = counters.next(pool);
            let end = next.saturating_add(u32::try_from(names).unwrap_or(u32::MAX)).min(range(digits).1 + 1);
            for counter in next..end {
                self.proposed.insert(hash(&self.form.name(wish, counter)?.key), true);
            }
            names -= (end.max(next) - next) as usize;
            if names == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Gives names with counters: to each wish the first that is free, in their order. Where one would need a name that was not proposed, it
    /// waits, and those after it, for it might take what they would.
    pub fn give_counted(&mut self, counters: &mut Counters, mut give: impl FnMut(&Wish, &Name)) -> Result<()> {
        let mut wishes = std::mem::take(&mut self.wishes).into_iter();
        for mut wish in wishes.by_ref() {
            match self.first_free(&mut wish, counters)? {
                Some(name) => give(&wish, &name),
                None => {
                    self.wishes.push(wish);
                    break;
                }
            }
        }
        self.wishes.extend(wishes);
        Ok(())
    }

    fn first_free(&mut self, wish: &mut Wish, counters: &mut Counters) -> Result<Option<Name>> {
        while wish.digits <= MOST_DIGITS {
            let pool = self.form.pool(wish, wish.digits)?;
            for counter in counters.next(pool)..=range(wish.digits).1 {
                let name = self.form.name(wish, counter)?;
                let Some(free) = self.claim(&name) else { return Ok(None) };
                counters.next.insert(pool, counter + 1);
                if free {
                    return Ok(Some(name));
                }
            }
            wish.digits += 1;
        }
        Err(no_room(wish))
    }
}

impl Form {
    fn pool(&self, wish: &Wish, digits: u32) -> Result<Pool> {
        Ok((hash(&self.name(wish, range(digits).0)?.key), digits))
    }

    fn name(&self, wish: &Wish, counter: u32) -> Result<Name> {
        let suffix = if counter == 1 { String::new() } else { counter.to_string() };
        let base = self.base(wish, suffix.len())?;
        let mut login = [&*wish.prefix, base, &suffix].concat();
        if self.room.trims {
            login.truncate(login.trim_end_matches(' ').len());
        }
        let key = self.normalize.key_of(&login).into_owned();
        Ok(Name { login, key, counter, cut: base.len() < wish.login.len() })
    }

    /// The old name, cut so that prefix and counter stay.
    fn base<'w>(&self, wish: &'w Wish, suffix: usize) -> Result<&'w str> {
        let mut base = &*wish.login;
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

fn no_room(wish: &Wish) -> Error {
    Error::invalid_argument(format!("no name that fits is free for \"{}\"", wish.login))
        .detail(format!("All names that begin with \"{}\" are taken, with every counter that fits.", wish.prefix))
        .hint("Give a shorter prefix, or widen the column or max_length.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn allot(max_length: Option<i32>, taken: &[&str], wishes: &[(&str, &str)]) -> Result<Vec<String>> {
        allot_in(Room { characters: max_length, ..Room::default() }, taken, wishes, 1000, 1000)
    }

    /// In batches of so many wishes, with so many names proposed at a time.
    fn allot_in(room: Room, taken: &[&str], wishes: &[(&str, &str)], batch: usize, most: usize) -> Result<Vec<String>> {
        let form = Form { normalize: Normalize::Username, room };
        let mut taken: Vec<u64> = taken.iter().map(|key| hash(key)).collect();
        let (mut names, mut waiting) = (vec![String::new(); wishes.len()], Vec::new());
        let mut wishes: Vec<Wish> =
            wishes.iter().enumerate().map(|(i, (prefix, login))| Wish::new(i as i64, prefix, login)).collect();
        while !wishes.is_empty() {
            let mut batch = Batch::new(form, wishes.drain(..batch.min(wishes.len())).collect());
            batch.propose_plain()?;
            taken.iter().for_each(|hash| batch.take(*hash));
            waiting.extend(batch.give_plain(|wish, name| {
                names[wish.row as usize].clone_from(&name.login);
                taken.push(hash(&name.key));
            })?);
        }
        let mut counters = Counters::default();
        while !waiting.is_empty() {
            let mut batch = Batch::new(form, waiting.drain(..batch.min(waiting.len())).collect());
            counters.forget(most);
            while batch.propose_counted(&counters, most)? {
                taken.iter().for_each(|hash| batch.take(*hash));
                batch.give_counted(&mut counters, |wish, name| {
                    names[wish.row as usize].clone_from(&name.login);
                    taken.push(hash(&name.key));
                })?;
            }
        }
        Ok(names)
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
            allot_in(bytes, &[], &[("fz_", "äöü"), ("fz_", "abcd"), ("fz_", "abce")], 9, 9).unwrap(),
            ["fz_ä", "fz_abc", "fz_ab2"]
        );
        let padded = Room { characters: Some(6), trims: true, ..Room::default() };
        assert_eq!(allot_in(padded, &["fz_ab"], &[("fz_", "ab cd")], 9, 9).unwrap(), ["fz_ab2"]);
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
    fn thousands_of_taken_counters_take_few_rounds() {
        let taken: Vec<String> = (2..50_000).map(|n| format!("fz_bob{n}")).chain(["fz_bob".to_string()]).collect();
        let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
        assert_eq!(allot(None, &taken, &[("fz_", "bob"); 2]).unwrap(), ["fz_bob50000", "fz_bob50001"]);
    }

    proptest! {
        #[test]
        fn names_are_new_and_their_own(
            logins in prop::collection::vec("[abAB0-9\u{308}]{0,4}", 0..40),
            held in prop::collection::vec("[fg]_[ab]{0,3}[23]?", 0..10),
            max_length in prop::option::of(6i32..10),
            (batch, most) in (1usize..50, 1usize..50),
        ) {
            let wishes: Vec<(&str, &str)> =
                logins.iter().enumerate().map(|(i, login)| (["f_", "g_"][i % 2], login.as_str())).collect();
            let held: Vec<&str> = held.iter().map(String::as_str).collect();
            let room = Room { characters: max_length, ..Room::default() };
            let names = allot_in(room, &held, &wishes, batch, most).unwrap();
            prop_assert_eq!(names.len(), wishes.len());
            // Whatever the memory, they are the same.
            prop_assert_eq!(&names, &allot_in(room, &held, &wishes, 1000, 1000).unwrap());
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
