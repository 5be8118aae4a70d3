//! Finds what is wrong with the staged rows, before any is written: set by set, not row by row.

use crate::db::catalog::ForeignKey;
use crate::db::progress::Phase;
use crate::db::session;
use crate::db::spi;
use crate::db::sql::{Sql, script, sql};
use crate::error::Result;
use crate::import::contest::{Contest, Entrant, Loss, Rule};
use crate::import::plan;
use crate::import::run::{Finding, Run, Stumble};
use crate::import::sieve;
use crate::import::statements::{
    KIND_FREE, KIND_KEY, KIND_NEED, KIND_PRESENT, KIND_RIVAL, KIND_WAIT, ORD_POISON, Rows, Statements, foreign_key_ord,
    key_ord,
};
use std::collections::BTreeMap;

/// A planner without statistics would read a large target whole to find a few rows.
const BY_INDEX: [(&str, &str); 3] =
    [("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("enable_seqscan", "off")];

/// Nor does it know how many rows a join of temporary tables gives: it must not expect one, and loop over a million.
/// Workers pay off, for what they send has its keys computed.
const IN_BULK: [(&str, &str); 2] = [("enable_nestloop", "off"), ("parallel_tuple_cost", "0")];

/// Rows of a source from which on its keys are sifted by hash.
const SIEVE_FROM: i64 = 10_000;

impl Run<'_> {
    /// Reports every row that cannot go in, as far as the catalog tells.
    pub fn check(&mut self) -> Result<()> {
        self.enter(Phase::Checking);
        if self.foresees_inserts() {
            self.check_rows(self.rows.clone(), !self.table.before_update || !self.rows.merged)?;
        } else if self.rows.merged {
            let updates = Rows { updates_only: true, ..self.rows.clone() };
            self.check_rows(updates, !self.table.before_update)?;
        }
        self.in_order = self.rows.merged && (self.has_triggers() || self.depends_on_order()?);
        self.execute(&self.statements().forget_echoes_of_conversion())?;
        self.execute(&self.statements().index_problems())?;
        self.contested = self.value::<bool>(&self.statements().has_duplicates(), &[])? == Some(true);
        if self.contested {
            self.execute(&self.statements().index_winners())?;
        }
        self.count_problem_rows()?;
        Ok(())
    }

    fn has_triggers(&self) -> bool {
        self.table.before_insert || self.table.before_update
    }

    /// A row needs what another one brings or gives up.
    fn depends_on_order(&self) -> Result<bool> {
        let found = self.value::<bool>(&self.statements().depends_on_order(), &[])?;
        Ok(found.unwrap_or(false))
    }

    /// True where the row that will be inserted is the staged one: no trigger changes it on its way.
    pub fn foresees_inserts(&self) -> bool {
        !self.table.before_insert
    }

    /// `rules`: look at the rules of rows too, not only at the key by which rows are matched.
    fn check_rows(&mut self, mut rows: Rows, rules: bool) -> Result<()> {
        if let Err(stumble) = self.look(&rows, rules)? {
            // An expression fails over some row: name those rows, leave them out, and look again.
            if !self.find_poison(&rows)? {
                return Err(stumble.failure.into());
            }
            rows.poisoned = true;
            if let Err(stumble) = self.look(&rows, rules)? {
                return Err(stumble.failure.into());
            }
        }
        if !self.sieved_keys(&rows).is_empty() {
            self.execute(&self.statements().drop_sifted())?;
        }
        self.decide(&rows)
    }

    fn look(&mut self, rows: &Rows, rules: bool) -> Result<std::result::Result<(), Stumble>> {
        let few = plan::look_up_by_index(self.total, self.target_rows()?);
        self.sieved = rules && !few && self.total >= SIEVE_FROM;
        let settings: &[(&str, &str)] = if few { &BY_INDEX } else { &IN_BULK };
        let found = sieve::with_sieves(2 * self.table.keys.len(), self.total, session::work_mem_bytes(), || {
            self.attempt_with(settings, &script(self.lookups(rows, rules)))
        })?;
        if let Err(stumble) = found {
            return Ok(Err(stumble));
        }
        self.index_exclusions();
        let mut contests = self.contests(rows, rules)?;
        if rows.merged && rules && !self.table.keys.iter().all(|k| k.exclusion) {
            contests.push(self.statements().find_waits(rows));
        }
        if contests.is_empty() {
            return Ok(Ok(()));
        }
        Ok(self.attempt_with(&IN_BULK, &script(contests))?.map(|_| ()))
    }

    /// About how many rows the target has.
    fn target_rows(&self) -> Result<i64> {
        spi::number(
            "SELECT COALESCE(pg_catalog.sum(GREATEST(c.reltuples::pg_catalog.int8,
               pg_catalog.pg_relation_size(c.oid) OPERATOR(pg_catalog./) 200)), 0)::pg_catalog.int8
             FROM pg_catalog.pg_class AS c
             WHERE c.oid OPERATOR(pg_catalog.=) ANY (
                 SELECT $1::pg_catalog.oid UNION SELECT p.relid::pg_catalog.oid FROM pg_catalog.pg_partition_tree($1) AS p)
               AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m}'::pg_catalog.\"char\"[])",
            &[pgrx::pg_sys::Oid::from(self.table.oid).into()],
        )
    }

    /// Gives the staged rows the index of each exclusion constraint, so that finding the pairs that exclude each other does
    /// not compare every row with every other. Where the rows lack a column of it, the pairs are found without.
    fn index_exclusions(&self) {
        for key in self.table.keys.iter().filter(|k| k.exclusion) {
            let _ = self.attempt(&self.statements().index_exclusion(key, &self.rows));
        }
        self.progress.publish();
    }

    fn sieved_keys(&self, rows: &Rows) -> Vec<usize> {
        let statements = self.statements();
        let keys = 0..self.table.keys.len();
        keys.filter(|&p| statements.is_sieved(p) && statements.key_is_computable(&self.table.keys[p], rows)).collect()
    }

    fn lookups(&self, rows: &Rows, rules: bool) -> Vec<Sql> {
        let statements = self.statements();
        // Always one statement, so that a table without rules needs no case of its own.
        let mut sql = vec![sql!("SELECT 1")];
        if !rules {
            return sql;
        }
        let sieved = self.sieved_keys(rows);
        if !sieved.is_empty() {
            sql.push(statements.create_hashes(&sieved, rows));
            sql.extend(sieved.iter().map(|&position| statements.fill_sieve(position)));
            sql.push(statements.create_near(&sieved));
            sql.push(statements.create_close(&sieved, rows));
        }
        sql.extend(statements.find_broken_rules(rows));
        sql.extend(self.find_missing_references(&statements, rows, |_| true));
        sql.extend(self.find_conflicts(&statements, rows));
        sql
    }

    fn find_missing_references(
        &self,
        statements: &Statements,
        rows: &Rows,
        wanted: impl Fn(&ForeignKey) -> bool,
    ) -> Vec<Sql> {
        let references = self.table.foreign_keys.iter().enumerate();
        let references = references.filter(|(_, fk)| wanted(fk) && statements.foreign_key_is_computable(fk, rows));
        references.map(|(position, _)| statements.find_missing_references(position, rows)).collect()
    }

    fn find_conflicts(&self, statements: &Statements, rows: &Rows) -> Vec<Sql> {
        let keys = self.table.keys.iter().enumerate().filter(|(_, key)| statements.key_is_computable(key, rows));
        keys.flat_map(|(position, _)| statements.find_conflicts(position, rows)).collect()
    }

    fn contests(&self, rows: &Rows, rules: bool) -> Result<Vec<Sql>> {
        let statements = self.statements();
        let suspected: Vec<i32> = self.document(&statements.suspected_keys())?;
        let mut sql = Vec::new();
        for (position, key) in self.table.keys.iter().enumerate() {
            let wanted = rules || self.match_key == Some(position);
            if wanted && statements.key_is_computable(key, rows) {
                let clear = statements.is_sieved(position) && !suspected.contains(&key_ord(position));
                sql.extend(statements.find_contests(position, rows, clear));
            }
        }
        for (position, fk) in self.table.foreign_keys.iter().enumerate() {
            if rules && statements.foreign_key_is_computable(fk, rows) {
                sql.extend(statements.find_parents(position, rows));
            }
        }
        Ok(sql)
    }

    /// Reports the rows over which an expression of the table fails. False: there is none.
    pub fn find_poison(&mut self, rows: &Rows) -> Result<bool> {
        let mut after = 0;
        self.index_by_number(&rows.relation)?;
        while let Err(stumble) = self.attempt(&self.statements().probe(rows, after))? {
            if stumble.row <= after {
                return Err(stumble.failure.into());
            }
            after = stumble.row;
            let finding = Finding {
                failure: &stumble.failure,
                constraint: stumble.failure.constraint.clone(),
                columns: stumble.failure.column.clone().map(|c| vec![c]),
                key: None,
            };
            self.report_failure(after, ORD_POISON, "invalid", &finding)?;
        }
        Ok(after > 0)
    }

    /// Plays the contest for keys that several source rows want, and reports who lost.
    fn decide(&self, rows: &Rows) -> Result<()> {
        let mut contest = Contest::default();
        let mut losers = Losers::default();
        let mut entrant = Entrant::default();
        let mut settle = |entrant: &Entrant| -> Result<()> {
            let decision = contest.decide(entrant);
            for (rule, loss) in decision.losses {
                losers.push(entrant.row, rule, loss);
            }
            losers.freed.extend(decision.freed.into_iter().map(|rule| (entrant.row, rule)));
            if losers.len >= Losers::BATCH { self.report_losers(rows, &mut losers) } else { Ok(()) }
        };
        self.stream(&self.statements().contest_in_order(), |entry| {
            let row = entry.number(1)?;
            if row != entrant.row {
                settle(&std::mem::replace(&mut entrant, Entrant { row, ..Entrant::default() }))?;
            }
            entrant.dead = entry.get::<bool>(2)?.unwrap_or(false);
            let item = (entry.get::<i32>(4)?.unwrap_or(0), entry.number(5)?);
            match entry.get::<i32>(3)?.unwrap_or(KIND_PRESENT) {
                KIND_KEY => entrant.keys.push(item),
                KIND_RIVAL => entrant.rivals.push(item),
                KIND_NEED => entrant.needs.push(item),
                KIND_WAIT => entrant.waits.push(item),
                KIND_FREE => entrant.frees.push(item.1),
                _ => {}
            }
            Ok(())
        })?;
        settle(&entrant)?;
        self.report_losers(rows, &mut losers)
    }

    fn report_losers(&self, rows: &Rows, losers: &mut Losers) -> Result<()> {
        let statements = self.statements();
        let Losers { by_rule, freed, .. } = std::mem::take(losers);
        if !freed.is_empty() {
            let (numbers, rules): (Vec<i64>, Vec<Rule>) = freed.into_iter().unzip();
            self.execute_with(&statements.forget_freed(), &[numbers.into(), rules.into()])?;
        }
        for (rule, list) in by_rule {
            let (numbers, winners): (Vec<i64>, Vec<i64>) = list.into_iter().unzip();
            let keys = 0..self.table.keys.len();
            let references = 0..self.table.foreign_keys.len();
            if let Some(position) = keys.into_iter().find(|p| key_ord(*p) == rule) {
                self.execute_with(&statements.report_duplicates(position, rows), &[numbers.into(), winners.into()])?;
            } else if let Some(position) = references.into_iter().find(|p| foreign_key_ord(*p) == rule) {
                self.execute_with(&statements.report_orphans(position, rows), &[numbers.into()])?;
            }
        }
        Ok(())
    }

    /// Looks at `rows` once more, for the conflicts and broken rules of rows that could not be written.
    pub fn look_again(&mut self, rows: &Rows, rules: bool) -> Result<()> {
        let statements = Statements { sieved: false, ..self.statements() };
        let mut sql = Vec::new();
        if rules {
            sql.extend(statements.find_broken_rules(rows));
            // A reference to the target itself has been decided with the whole source in view.
            sql.extend(self.find_missing_references(&statements, rows, |fk| !fk.to_itself));
        }
        sql.extend(self.find_conflicts(&statements, rows));
        if sql.is_empty() {
            return Ok(());
        }
        // An expression that fails over such a row has failed in the executor as well, and is reported from there.
        let _ = self.attempt(&script(sql))?;
        Ok(())
    }
}

/// Rows that lost, by the rule under which they did.
#[derive(Default)]
struct Losers {
    by_rule: BTreeMap<Rule, Vec<(i64, i64)>>,
    /// Conflicts that do not stand.
    freed: Vec<(i64, Rule)>,
    len: usize,
}

impl Losers {
    const BATCH: usize = 50_000;

    fn push(&mut self, row: i64, rule: Rule, loss: Loss) {
        let winner = match loss {
            Loss::Taken(winner) => winner,
            Loss::Missing => 0,
        };
        self.by_rule.entry(rule).or_default().push((row, winner));
        self.len += 1;
    }
}
