//! Rows that lost a key to another row of the source, for when that one does not go in after all.

use std::collections::HashMap;

/// Kept from the first such time on.
#[derive(Debug, Default)]
pub struct Losses {
    /// Of each winner, the rows that lost to it, and under which rule.
    by_winner: HashMap<i64, Vec<(i64, i32)>>,
    /// How many problems each of these rows has.
    problems: HashMap<i64, u32>,
    /// What does not count any more: row, rule, winner.
    withdrawn: Vec<(i64, i32, i64)>,
}

impl Losses {
    pub fn add_loss(&mut self, winner: i64, row: i64, ord: i32) {
        self.by_winner.entry(winner).or_default().push((row, ord));
        self.problems.entry(row).or_default();
    }

    /// Of all problems, after all losses have been added.
    pub fn count_problem(&mut self, row: i64) {
        if let Some(problems) = self.problems.get_mut(&row) {
            *problems += 1;
        }
    }

    /// Takes back that rows lost to `winner`; returns those that have no other problem.
    pub fn release(&mut self, winner: i64) -> Vec<i64> {
        let mut free = Vec::new();
        for (row, ord) in self.by_winner.remove(&winner).unwrap_or_default() {
            self.withdrawn.push((row, ord, winner));
            let problems = self.problems.entry(row).or_default();
            *problems = problems.saturating_sub(1);
            if *problems == 0 {
                free.push(row);
            }
        }
        free.sort_unstable();
        free
    }

    pub fn withdrawn(&self) -> &[(i64, i32, i64)] {
        &self.withdrawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_free_when_nothing_else_is_wrong_with_it() {
        let mut losses = Losses::default();
        losses.add_loss(1, 3, 1000);
        losses.add_loss(2, 3, 1001);
        losses.add_loss(1, 4, 1000);
        [1, 3, 3, 4, 4].into_iter().for_each(|row| losses.count_problem(row));
        assert!(losses.release(1).is_empty());
        assert_eq!(losses.release(2), [3]);
        assert!(losses.release(2).is_empty());
        assert_eq!(losses.withdrawn(), [(3, 1000, 1), (4, 1000, 1), (3, 1001, 2)]);
    }
}
