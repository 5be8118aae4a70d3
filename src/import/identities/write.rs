//! Writes what is clean, set by set. If the store refuses after all, because another session was faster or a constraint of
//! the user objects, it is decided anew; what is still refused is looked for, and reported.

use crate::db::attempt::{self, Failure};
use crate::db::progress::Phase;
use crate::db::spi;
use crate::error::Result;
use crate::import::identities::run::Run;
use crate::import::identities::statements;

impl Run<'_> {
    pub fn write(&mut self) -> Result<()> {
        self.enter(Phase::Writing);
        let mut looked_again = false;
        loop {
            let before = self.progress.problems;
            let Err(failure) = self.try_rows(1, i64::MAX)? else { return Ok(()) };
            if !looked_again {
                self.decide()?;
                looked_again = self.progress.problems <= before;
                continue;
            }
            // Not to be seen from here: under REPEATABLE READ, or for a rule that is not the store's own.
            let last = self.last_row()?;
            self.find_refused(1, last, failure)?;
            self.decide()?;
        }
    }

    fn last_row(&self) -> Result<i64> {
        self.store(|| spi::number(&self.sql("SELECT max(i.rn) FROM @item AS i"), &[]))
    }

    fn try_rows(&self, first: i64, last: i64) -> Result<std::result::Result<(), Failure>> {
        let clean = statements::clean(first, last);
        let text = |all: &[&str]| self.sql(&all.join(";\n").replace("@clean", &clean));
        attempt::provisional(|| {
            let mut outcome = Ok(0);
            if self.updates() {
                outcome = self.attempt_lookup(&text(&statements::REPLACE))?;
            }
            if outcome.is_ok() {
                outcome = self.attempt(&text(&statements::WRITE))?;
            }
            let keep = outcome.is_ok();
            Ok((outcome.map(|_| ()), keep))
        })
    }

    /// The rows from `first` to `last` are refused: finds those that are refused by themselves.
    fn find_refused(&mut self, first: i64, last: i64, failure: Failure) -> Result<()> {
        if first >= last {
            return self.report_refusal(first, &failure);
        }
        let middle = first + (last - first) / 2;
        let mut found = false;
        for (first, last) in [(first, middle), (middle + 1, last)] {
            if let Err(failure) = self.rehearse_rows(first, last)? {
                self.find_refused(first, last, failure)?;
                found = true;
            }
        }
        // Each half is taken by itself, and both together are not: a rule over several rows. The last row gives way.
        if found { Ok(()) } else { self.report_refusal(last, &failure) }
    }

    fn rehearse_rows(&self, first: i64, last: i64) -> Result<std::result::Result<(), Failure>> {
        attempt::rehearse(|| self.try_rows(first, last))
    }

    fn report_refusal(&self, row: i64, failure: &Failure) -> Result<()> {
        let status = if failure.sqlstate == "23505" { "conflict" } else { "invalid" };
        let detail = failure.detail.as_deref().unwrap_or_default();
        self.store(|| {
            spi::execute_with(
                &self.sql(statements::ADD_REFUSAL),
                &[
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
