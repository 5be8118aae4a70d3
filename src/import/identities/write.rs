//! Writes what is clean, all of it at once. If the store refuses after all, because another session was faster or a constraint of
//! the user objects, it is decided anew; what is still refused is looked for, and reported.

use crate::db::attempt::{self, Failure};
use crate::db::progress::Phase;
use crate::error::Result;
use crate::import::identities::run::Run;
use crate::import::identities::stores::Items;
use crate::import::job;

/// An identity that the store refused, with what it claims, and what was said of it.
struct Refused {
    items: Items,
    row: i64,
    failure: Failure,
}

impl Run<'_> {
    pub fn write(&mut self) -> Result<()> {
        self.enter(Phase::Writing);
        job::plan_anew(self.total);
        if self.try_all()?.is_ok() {
            return Ok(());
        }
        self.decide()?;
        while let Err(failure) = self.try_all()? {
            // Not to be seen from here: under REPEATABLE READ, or for a rule that is not the store's own.
            let mut clean = self.clean();
            let refused = attempt::provisional(|| {
                let mut refused = Vec::new();
                self.write_by_halves(&mut clean, 1, self.total, failure, &mut refused)?;
                let all_went_in = refused.is_empty();
                Ok((refused, all_went_in))
            })?;
            if refused.is_empty() {
                return Ok(());
            }
            for refused in refused {
                self.report_refusal(&refused)?;
            }
            // Those that lost to a refused row have another chance.
            self.decide()?;
        }
        Ok(())
    }

    /// The items that have no problem.
    pub fn clean(&mut self) -> Items {
        let dead = &self.dead;
        self.targeted.as_mut().unwrap_or(&mut self.read).select(|row| !dead.contains(row))
    }

    fn try_all(&mut self) -> Result<std::result::Result<(), Failure>> {
        if self.dead.is_empty() {
            return self.try_items(self.items());
        }
        let clean = self.clean();
        self.try_items(&clean)
    }

    fn try_items(&self, items: &Items) -> Result<std::result::Result<(), Failure>> {
        if items.item.is_empty() {
            return Ok(Ok(()));
        }
        let statements = if self.updates() { &self.place.replace } else { &self.place.add };
        Ok(self.attempt(statements, items)?.map(|_| ()))
    }

    /// The rows from `first` to `last` are refused together: writes the first half of them, then the second on top of it.
    fn write_by_halves(
        &self,
        items: &mut Items,
        first: i64,
        last: i64,
        failure: Failure,
        refused: &mut Vec<Refused>,
    ) -> Result<()> {
        if items.item.rows() <= 1 {
            let row = items.first()?;
            refused.push(Refused { row, items: items.select(|_| true), failure });
            return Ok(());
        }
        let middle = first + (last - first) / 2;
        for (first, last) in [(first, middle), (middle + 1, last)] {
            let mut half = items.select(|row| (first..=last).contains(&row));
            if let Err(failure) = self.try_items(&half)? {
                self.write_by_halves(&mut half, first, last, failure, refused)?;
            }
        }
        Ok(())
    }

    fn report_refusal(&mut self, refused: &Refused) -> Result<()> {
        let Refused { items, row, failure } = refused;
        let status = if failure.sqlstate == "23505" { "conflict" } else { "invalid" };
        let detail = failure.detail.as_deref().unwrap_or_default();
        let arguments = [
            self.key(),
            (*row).into(),
            status.into(),
            failure.sqlstate.as_str().into(),
            failure.message.as_str().into(),
            detail.into(),
        ];
        let mut told = self.stores.refusal.like();
        self.about(&self.place.refusal, &arguments, items, &mut told)?;
        self.stores.refusal.append(&mut told);
        Ok(())
    }
}
