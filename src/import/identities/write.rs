//! Writes what is clean, set by set. If the store refuses after all, because another session was faster or a constraint of
//! the user objects, it is decided anew; what is still refused is looked for, and reported.

use crate::db::attempt::{self, Failure};
use crate::db::progress::Phase;
use crate::db::spi;
use crate::error::Result;
use crate::import::identities::run::Run;

/// Rows that the store refused, each with what it said.
type Refused = Vec<(i64, Failure)>;

impl Run<'_> {
    pub fn write(&mut self) -> Result<()> {
        self.enter(Phase::Writing);
        let last = self.store(|| spi::number(&self.statements.last_row(), &[]))?;
        if self.try_rows(1, last)?.is_ok() {
            return Ok(());
        }
        self.decide()?;
        while let Err(failure) = self.try_rows(1, last)? {
            // Not to be seen from here: under REPEATABLE READ, or for a rule that is not the store's own.
            self.index_rows()?;
            let refused = attempt::provisional(|| {
                let mut refused = Refused::new();
                self.write_by_halves(1, last, failure, &mut refused)?;
                let all_went_in = refused.is_empty();
                Ok((refused, all_went_in))
            })?;
            if refused.is_empty() {
                return Ok(());
            }
            for (row, failure) in refused {
                self.report_refusal(row, &failure)?;
            }
            // Those that lost to a refused row have another chance.
            self.decide()?;
        }
        Ok(())
    }

    fn try_rows(&self, first: i64, last: i64) -> Result<std::result::Result<(), Failure>> {
        if !self.any(&self.statements.any_clean(first, last))? {
            return Ok(Ok(()));
        }
        attempt::provisional(|| {
            let mut outcome = Ok(0);
            if self.updates() {
                outcome = self.attempt_lookup(&self.statements.replace(first, last))?;
            }
            if outcome.is_ok() {
                outcome = self.attempt(&self.statements.write(first, last))?;
            }
            let keep = outcome.is_ok();
            Ok((outcome.map(|_| ()), keep))
        })
    }

    /// The rows from `first` to `last` are refused together: writes the first half of them, then the second on top of it.
    fn write_by_halves(&self, first: i64, last: i64, failure: Failure, refused: &mut Refused) -> Result<()> {
        if first >= last {
            refused.push((first, failure));
            return Ok(());
        }
        let middle = first + (last - first) / 2;
        for (first, last) in [(first, middle), (middle + 1, last)] {
            if let Err(failure) = self.try_rows(first, last)? {
                self.write_by_halves(first, last, failure, refused)?;
            }
        }
        Ok(())
    }

    fn report_refusal(&self, row: i64, failure: &Failure) -> Result<()> {
        let status = if failure.sqlstate == "23505" { "conflict" } else { "invalid" };
        let detail = failure.detail.as_deref().unwrap_or_default();
        self.store(|| {
            spi::execute_with(
                &self.statements.add_refusal(),
                &[
                    self.realm(),
                    row.into(),
                    status.into(),
                    failure.sqlstate.as_str().into(),
                    failure.message.as_str().into(),
                    detail.into(),
                ],
            )
        })?;
        Ok(())
    }
}
