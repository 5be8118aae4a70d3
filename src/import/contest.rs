//! Who wins a key that several rows of one source want: as if the rows came one by one.
//!
//! The database finds the rows that share a key, and the keys they share; only those come here, in source order.
//! A row wins all of its keys or none: one that loses leaves its keys to later rows.

use crate::import::numbers::NumberSet;

/// Position of a constraint in the plan's list.
pub type Rule = i32;

/// A row with a stake in the contest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entrant {
    pub row: i64,
    /// It cannot go in, whatever the others do.
    pub dead: bool,
    /// Keys it wants: a rule, and a number that all rows with an equal key share.
    pub keys: Vec<(Rule, i64)>,
    /// Earlier rows that exclude it, for rules that are no equality.
    pub rivals: Vec<(Rule, i64)>,
    /// Rows of the source one of which, for each rule, must have gone in before it.
    pub needs: Vec<(Rule, i64)>,
    /// Keys it wants that a row of the target holds, which the source updates: by a number for each such key and row.
    pub waits: Vec<(Rule, i64)>,
    /// Keys of that kind that the row it updates gives up, if it goes in.
    pub frees: Vec<i64>,
}

/// Why a row loses under a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The key was taken by this earlier row.
    Taken(i64),
    /// No row that it refers to went in before it.
    Missing,
}

/// What becomes of an entrant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Empty: it goes in, if it is not dead.
    pub losses: Vec<(Rule, Loss)>,
    /// Rules under which the target held its keys when the run began, and earlier rows have made all of them free.
    pub freed: Vec<Rule>,
}

/// Keeps eight bytes for each key that is wanted twice, and a bit for each row of the source.
#[derive(Debug, Default)]
pub struct Contest {
    holders: Vec<i64>,
    winners: NumberSet,
    freed: NumberSet,
}

impl Contest {
    /// Decides the next row; rows come in source order.
    pub fn decide(&mut self, entrant: &Entrant) -> Decision {
        let mut losses: Vec<(Rule, Loss)> = entrant
            .keys
            .iter()
            .filter_map(|&(rule, key)| self.holder(key).map(|row| (rule, Loss::Taken(row))))
            .collect();
        losses.extend(self.lost_to_rivals(entrant));
        losses.extend(self.unmet_needs(entrant));
        let held: Vec<Rule> =
            entrant.waits.iter().filter(|(_, key)| !self.freed.contains(*key)).map(|(rule, _)| *rule).collect();
        let mut freed: Vec<Rule> = entrant.waits.iter().map(|(rule, _)| *rule).filter(|r| !held.contains(r)).collect();
        freed.dedup();
        if losses.is_empty() && held.is_empty() && !entrant.dead {
            self.enter(entrant);
        }
        Decision { losses, freed }
    }

    fn enter(&mut self, entrant: &Entrant) {
        for &(_, key) in &entrant.keys {
            let slot = key as usize;
            if self.holders.len() <= slot {
                self.holders.resize(slot + 1, 0);
            }
            self.holders[slot] = entrant.row;
        }
        self.winners.insert(entrant.row);
        for &key in &entrant.frees {
            self.freed.insert(key);
        }
    }

    /// Row numbers start at 1: a 0 is a free key.
    fn holder(&self, key: i64) -> Option<i64> {
        self.holders.get(key as usize).copied().filter(|&row| row > 0)
    }

    /// One loss a rule: to the first rival that went in.
    fn lost_to_rivals(&self, entrant: &Entrant) -> Vec<(Rule, Loss)> {
        let mut losses: Vec<(Rule, Loss)> = Vec::new();
        for &(rule, rival) in &entrant.rivals {
            let known = losses.iter().any(|(r, _)| *r == rule);
            if !known && self.winners.contains(rival) {
                losses.push((rule, Loss::Taken(rival)));
            }
        }
        losses
    }

    fn unmet_needs(&self, entrant: &Entrant) -> Vec<(Rule, Loss)> {
        let mut rules: Vec<Rule> = entrant.needs.iter().map(|(rule, _)| *rule).collect();
        rules.dedup();
        let met = |rule: Rule| entrant.needs.iter().any(|&(r, provider)| r == rule && self.winners.contains(provider));
        rules.into_iter().filter(|&rule| !met(rule)).map(|rule| (rule, Loss::Missing)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entrant(row: i64, keys: &[(Rule, i64)]) -> Entrant {
        Entrant { row, keys: keys.to_vec(), ..Entrant::default() }
    }

    #[test]
    fn a_row_that_loses_leaves_its_keys_to_later_rows() {
        let mut contest = Contest::default();
        assert_eq!(contest.decide(&entrant(1, &[(0, 0)])).losses, []);
        assert_eq!(contest.decide(&entrant(2, &[(0, 0), (1, 1)])).losses, [(0, Loss::Taken(1))]);
        assert_eq!(contest.decide(&entrant(3, &[(1, 1)])).losses, []);
        assert_eq!(contest.decide(&entrant(4, &[(0, 0), (1, 1)])).losses, [(0, Loss::Taken(1)), (1, Loss::Taken(3))]);
    }

    #[test]
    fn a_dead_row_is_told_what_it_loses_and_takes_nothing() {
        let mut contest = Contest::default();
        let dead = |row| Entrant { dead: true, ..entrant(row, &[(0, 0)]) };
        assert_eq!(contest.decide(&dead(1)).losses, []);
        assert_eq!(contest.decide(&entrant(2, &[(0, 0)])).losses, []);
        assert_eq!(contest.decide(&dead(3)).losses, [(0, Loss::Taken(2))]);
    }

    #[test]
    fn a_row_goes_in_after_the_row_it_refers_to() {
        let mut contest = Contest::default();
        let child = |row, parent| Entrant { needs: vec![(5, parent)], ..entrant(row, &[]) };
        assert_eq!(contest.decide(&child(1, 2)).losses, [(5, Loss::Missing)]);
        assert_eq!(contest.decide(&entrant(2, &[])).losses, []);
        assert_eq!(contest.decide(&child(3, 2)).losses, []);
        assert_eq!(contest.decide(&child(4, 1)).losses, [(5, Loss::Missing)]);
    }

    #[test]
    fn a_key_is_free_when_its_holder_has_given_it_up() {
        let mut contest = Contest::default();
        let wait = |row, key| Entrant { waits: vec![(7, key)], ..entrant(row, &[(7, 1)]) };
        let free = |row, key| Entrant { frees: vec![key], ..entrant(row, &[]) };
        assert!(contest.decide(&wait(1, 1)).freed.is_empty());
        assert_eq!(contest.decide(&Entrant { dead: true, ..free(2, 1) }), Decision::default());
        assert!(contest.decide(&wait(3, 1)).freed.is_empty());
        assert_eq!(contest.decide(&free(4, 1)), Decision::default());
        assert_eq!(contest.decide(&wait(5, 1)), Decision { losses: vec![], freed: vec![7] });
        assert_eq!(contest.decide(&wait(6, 1)), Decision { losses: vec![(7, Loss::Taken(5))], freed: vec![7] });
    }

    #[test]
    fn a_rival_excludes_only_if_it_went_in() {
        let mut contest = Contest::default();
        let after =
            |row, rivals: &[i64]| Entrant { rivals: rivals.iter().map(|r| (2, *r)).collect(), ..entrant(row, &[]) };
        assert_eq!(contest.decide(&after(1, &[])).losses, []);
        assert_eq!(contest.decide(&after(2, &[1])).losses, [(2, Loss::Taken(1))]);
        assert_eq!(contest.decide(&after(3, &[2])).losses, []);
    }

    proptest! {
        /// The contest agrees with the plain rule: look at everything that went in before.
        #[test]
        fn agrees_with_one_by_one(rows in prop::collection::vec((prop::collection::vec((0i32..3, 0i64..6), 0..4), any::<bool>()), 0..40)) {
            let mut contest = Contest::default();
            let mut inside: Vec<Entrant> = Vec::new();
            for (i, (mut keys, dead)) in rows.into_iter().enumerate() {
                // A key's number belongs to one rule, and a row has one key a rule.
                keys.sort_unstable();
                keys.dedup_by_key(|(rule, _)| *rule);
                let keys: Vec<(Rule, i64)> = keys.into_iter().map(|(rule, key)| (rule, i64::from(rule) * 10 + key)).collect();
                let row = Entrant { row: i as i64 + 1, dead, keys, ..Entrant::default() };
                let naive: Vec<(Rule, Loss)> = row.keys.iter().filter_map(|key| {
                    inside.iter().find(|other| other.keys.contains(key)).map(|other| (key.0, Loss::Taken(other.row)))
                }).collect();
                prop_assert_eq!(contest.decide(&row).losses, naive.clone());
                if naive.is_empty() && !dead {
                    inside.push(row);
                }
            }
        }
    }
}
