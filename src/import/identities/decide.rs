//! Who gets which key: the store is asked set by set, the rows that dispute one go through `contest` in source order.

use crate::db::progress::Phase;
use crate::db::spi;
use crate::error::Result;
use crate::import::contest::{Contest, Decision, Entrant, Loss};
use crate::import::identities::run::Run;
use crate::import::identities::statements::{FREES, WAITS, WANTS};
use pgrx::datum::DatumWithOid;

/// Decisions on their way to the report.
#[derive(Default)]
struct Decisions {
    rows: Vec<i64>,
    ords: Vec<i32>,
    winners: Vec<i64>,
    freed_rows: Vec<i64>,
    freed_ords: Vec<i32>,
}

const BATCH: usize = 10_000;

impl Run<'_> {
    /// Decides anew which items go in, by the store as it is now.
    pub fn decide(&mut self) -> Result<()> {
        self.enter(Phase::Checking);
        let statements = &self.statements;
        self.execute(&statements.forget_decision())?;
        if self.updates() {
            self.look_up(&statements.find_targets())?;
        }
        self.look_up(&statements.find_conflicts())?;
        self.execute(&statements.find_rivals())?;
        if self.updates() {
            self.look_up(&statements.find_freed())?;
        }
        self.hold_contest()?;
        self.execute(&statements.forget_echoes())?;
        if self.is_large() {
            self.execute(&statements.analyze())?;
        }
        self.progress.problems = self.store(|| spi::number(&statements.count_problems(), &[]))?;
        self.progress.publish();
        Ok(())
    }

    fn hold_contest(&self) -> Result<()> {
        let mut contest = Contest::default();
        let mut decisions = Decisions::default();
        let mut entrant = Entrant::default();
        self.store(|| {
            spi::stream(&self.statements.read_contest(), |row| {
                let number = row.number(1)?;
                if number != entrant.row {
                    let done = std::mem::replace(&mut entrant, Entrant { row: number, ..Entrant::default() });
                    self.settle(&mut contest, &done, &mut decisions)?;
                }
                let (ord, slot) = (row.get::<i32>(2)?.unwrap_or(0), row.number(3)?);
                match row.get::<i32>(4)? {
                    Some(WANTS) => entrant.keys.push((ord, slot)),
                    Some(WAITS) => entrant.waits.push((ord, slot)),
                    Some(FREES) => entrant.frees.push(slot),
                    _ => {}
                }
                entrant.dead = row.get::<bool>(5)? == Some(true);
                Ok(())
            })
        })?;
        self.settle(&mut contest, &entrant, &mut decisions)?;
        self.note(&mut decisions)
    }

    fn settle(&self, contest: &mut Contest, entrant: &Entrant, decisions: &mut Decisions) -> Result<()> {
        if entrant.row == 0 {
            return Ok(());
        }
        decisions.add(entrant.row, contest.decide(entrant));
        if decisions.rows.len() + decisions.freed_rows.len() < BATCH { Ok(()) } else { self.note(decisions) }
    }

    fn note(&self, decisions: &mut Decisions) -> Result<()> {
        let Decisions { rows, ords, winners, freed_rows, freed_ords } = std::mem::take(decisions);
        self.store(|| {
            spi::execute_built(&self.statements.add_losses(), || vec![rows.into(), ords.into(), winners.into()])?;
            let freed = || -> Vec<DatumWithOid> { vec![freed_rows.into(), freed_ords.into()] };
            spi::execute_built(&self.statements.forget_freed(), freed)
        })?;
        Ok(())
    }
}

impl Decisions {
    fn add(&mut self, row: i64, decision: Decision) {
        for (ord, loss) in decision.losses {
            if let Loss::Taken(winner) = loss {
                self.rows.push(row);
                self.ords.push(ord);
                self.winners.push(winner);
            }
        }
        for ord in decision.freed {
            self.freed_rows.push(row);
            self.freed_ords.push(ord);
        }
    }
}
