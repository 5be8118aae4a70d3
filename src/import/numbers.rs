//! Sets of row numbers: a bit for each row of the source.

#[derive(Debug, Default)]
pub struct NumberSet {
    words: Vec<u64>,
    len: i64,
}

impl NumberSet {
    /// True where it was not there.
    pub fn insert(&mut self, number: i64) -> bool {
        let (word, bit) = place(number);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let added = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.len += i64::from(added);
        added
    }

    pub fn remove(&mut self, number: i64) {
        let (word, bit) = place(number);
        if self.contains(number) {
            self.words[word] &= !bit;
            self.len -= 1;
        }
    }

    pub fn contains(&self, number: i64) -> bool {
        let (word, bit) = place(number);
        self.words.get(word).is_some_and(|w| w & bit != 0)
    }

    pub fn len(&self) -> i64 {
        self.len
    }

    /// How many of its numbers the other one does not have.
    pub fn count_without(&self, other: &NumberSet) -> i64 {
        let theirs = other.words.iter().copied().chain(std::iter::repeat(0));
        self.words.iter().zip(theirs).map(|(own, theirs)| i64::from((own & !theirs).count_ones())).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

fn place(number: i64) -> (usize, u64) {
    (number as usize / 64, 1 << (number as usize % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_there_once() {
        let mut set = NumberSet::default();
        assert!(set.insert(1) && set.insert(200) && !set.insert(1));
        assert!(set.contains(200) && !set.contains(64) && !set.contains(100_000));
        let mut other = NumberSet::default();
        assert_eq!(set.count_without(&other), 2);
        other.insert(200);
        assert_eq!((set.count_without(&other), other.count_without(&set)), (1, 0));
        set.remove(1);
        set.remove(1);
        assert_eq!((set.len(), set.is_empty(), set.contains(1)), (1, false, false));
    }
}
