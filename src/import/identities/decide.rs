//! Who gets which key: the store is asked set by set, the rows that dispute one go through `contest` in source order.

use crate::db::progress::Phase;
use crate::db::store::Store;
use crate::error::Result;
use crate::import::contest::{Contest, Decision, Entrant, Loss};
use crate::import::identities::run::Run;
use crate::import::identities::statements;
use crate::import::identities::stores::{Found, Items};
use crate::import::numbers::NumberSet;
use pgrx::IntoDatum;

/// Entries of `contest`: the item wants a key that others want too.
const WANTS: i32 = 0;
/// It wants a key of an identity that the source updates.
const WAITS: i32 = 1;
/// It updates such an identity, and gives up the key.
const FREES: i32 = 2;

impl Run<'_> {
    /// Decides which items go in, by the store as it is now.
    pub fn decide(&mut self) -> Result<()> {
        self.enter(Phase::Checking);
        self.stores.found = Found::new();
        if self.updates() {
            self.find_targets()?;
        }
        let held = self.find_conflicts()?;
        if self.total > 1 {
            let mut rivals = self.stores.found.contest.like();
            self.join(statements::FIND_RIVALS, self.items(), &mut rivals, &mut |_| {})?;
            self.stores.found.contest = rivals;
        }
        let doomed = self.find_doomed(held)?;
        self.hold_contest(&doomed)?;
        self.collect_problems()
    }

    fn find_targets(&mut self) -> Result<()> {
        let (mut target, mut updated) = (self.stores.found.target.like(), NumberSet::default());
        self.look_up(&self.place.find_targets, &self.read, &mut target, &mut |row| {
            updated.insert(row);
        })?;
        self.stores.found.target = target;
        self.updated = updated;
        let mut found = Items::new();
        self.join(statements::ITEMS_WITH_TARGETS, &self.read, &mut found.item, &mut |_| {})?;
        self.join(statements::CLAIMS_WITH_TARGETS, &self.read, &mut found.claim, &mut |_| {})?;
        let mut claim = found.claim.like();
        self.look_up(&self.place.claims_as_verified, &found, &mut claim, &mut |_| {})?;
        found.claim = claim;
        found.credential.append(&mut self.read.credential);
        self.targeted = Some(found);
        Ok(())
    }

    /// Returns the rows of which the store holds a key.
    fn find_conflicts(&mut self) -> Result<NumberSet> {
        let mut held = NumberSet::default();
        let mut conflict = self.stores.found.conflict.like();
        let note = &mut |row| {
            held.insert(row);
        };
        self.look_up(&self.place.find_conflicts[usize::from(self.updates())], self.items(), &mut conflict, note)?;
        self.stores.found.conflict = conflict;
        Ok(held)
    }

    /// The rows that cannot go in, whatever the others do.
    fn find_doomed(&mut self, held: NumberSet) -> Result<NumberSet> {
        let mut doomed = held;
        if self.updates() && !doomed.is_empty() {
            self.add_freed()?;
            doomed = NumberSet::default();
            let mut rows = Store::new();
            self.join(statements::FIND_HELD, self.items(), &mut rows, &mut |row| {
                doomed.insert(row);
            })?;
        }
        for store in [&mut self.stores.fault, &mut self.stores.refusal] {
            store.each(|row| {
                doomed.insert(row.number(1));
                Ok(())
            })?;
        }
        Ok(doomed)
    }

    fn add_freed(&mut self) -> Result<()> {
        let mut freed = self.stores.found.contest.like();
        self.join(&self.place.find_freed, self.items(), &mut freed, &mut |_| {})?;
        self.stores.found.contest.append(&mut freed);
        Ok(())
    }

    fn hold_contest(&mut self, doomed: &NumberSet) -> Result<()> {
        if self.stores.found.contest.is_empty() {
            return Ok(());
        }
        let mut entries = self.stores.found.contest.like();
        self.join(statements::READ_CONTEST, self.items(), &mut entries, &mut |_| {})?;
        let found = &mut self.stores.found;
        let mut contest = Contest::default();
        let mut entrant = Entrant::default();
        entries.each(|entry| {
            let row = entry.number(1);
            if row != entrant.row {
                settle(&mut contest, &entrant, found);
                entrant = Entrant { row, dead: doomed.contains(row), ..Entrant::default() };
            }
            let (ord, slot) = (entry.get::<i32>(2).unwrap_or(0), entry.number(3));
            match entry.get::<i32>(4) {
                Some(WANTS) => entrant.keys.push((ord, slot)),
                Some(WAITS) => entrant.waits.push((ord, slot)),
                Some(FREES) => entrant.frees.push(slot),
                _ => {}
            }
            Ok(())
        })?;
        settle(&mut contest, &entrant, found);
        Ok(())
    }

    fn collect_problems(&mut self) -> Result<()> {
        let mut dead = NumberSet::default();
        let mut problem = self.stores.found.problem.like();
        if self.stores.has_problems() {
            self.join(&statements::find_problems(), self.items(), &mut problem, &mut |row| {
                dead.insert(row);
            })?;
        }
        self.progress.problems = problem.rows();
        self.progress.publish();
        self.stores.found.problem = problem;
        self.dead = dead;
        Ok(())
    }
}

/// Puts on record what an entrant has lost, and what it need not wait for.
fn settle(contest: &mut Contest, entrant: &Entrant, found: &mut Found) {
    if entrant.row == 0 {
        return;
    }
    let Decision { losses, freed } = contest.decide(entrant);
    for (ord, loss) in losses {
        if let Loss::Taken(winner) = loss {
            found.loss.put(&[entrant.row.into_datum(), ord.into_datum(), winner.into_datum()]);
        }
    }
    for ord in freed {
        found.freed.put(&[entrant.row.into_datum(), ord.into_datum()]);
    }
}
