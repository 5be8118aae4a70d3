//! Names that are numbered in the order in which they come.

use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::rc::Rc;

/// So many are looked through; more are found by their hashes.
const FEW: usize = 8;

#[derive(Debug, Default)]
pub struct Names {
    names: Vec<Rc<str>>,
    /// Empty as long as they are few.
    numbers: HashMap<Rc<str>, usize, RandomState>,
}

impl Names {
    pub fn find(&self, name: &str) -> Option<usize> {
        if self.numbers.is_empty() {
            self.names.iter().position(|known| **known == *name)
        } else {
            self.numbers.get(name).copied()
        }
    }

    /// The number of a name, which is a new one where the name is.
    pub fn add(&mut self, name: &Rc<str>) -> usize {
        if let Some(number) = self.find(name) {
            return number;
        }
        let number = self.names.len();
        self.names.push(name.clone());
        if number >= FEW {
            let from = if number == FEW { 0 } else { number };
            self.numbers.extend(self.names[from..].iter().cloned().zip(from..));
        }
        number
    }

    pub fn name(&self, number: usize) -> &str {
        &self.names[number]
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_one_number() {
        let mut names = Names::default();
        for round in 0..2 {
            for n in 0..50 {
                assert_eq!(names.add(&format!("n{n}").into()), n, "{round}");
                assert_eq!(names.find(&format!("n{n}")), Some(n));
            }
        }
        assert_eq!((names.len(), names.name(49), names.find("n50")), (50, "n49", None));
        assert_eq!(names.iter().collect::<Vec<_>>()[..3], ["n0", "n1", "n2"]);
    }
}
