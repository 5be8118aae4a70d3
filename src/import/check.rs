//! Finds what is wrong with the rows, before any is written: set by set, not row by row.

use crate::db::catalog::ForeignKey;
use crate::db::progress::Phase;
use crate::db::query::{self, Lookups};
use crate::db::session;
use crate::db::sql::Sql;
use crate::db::store::Store;
use crate::error::Result;
use crate::import::contest::{Contest, Decision, Entrant, Loss, Rule};
use crate::import::numbers::NumberSet;
use crate::import::plan;
use crate::import::run::{Finding, How, Run, Stumble};
use crate::import::sieve;
use crate::import::statements::{
    KIND_FREE, KIND_KEY, KIND_NEED, KIND_PRESENT, KIND_RIVAL, KIND_WAIT, ORD_POISON, Rows, Statements, foreign_key_ord,
    key_ord,
};
use pgrx::IntoDatum;
use pgrx::pg_sys;
use std::collections::BTreeMap;

/// A planner without statistics would read a large target whole to find a few rows.
const BY_INDEX: Lookups = &[("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("enable_seqscan", "off")];

/// Nor does it know how many rows a join gives: it must not expect one, and loop over a million.
/// Workers pay off, for what they send has its keys computed.
const IN_BULK: Lookups = &[("enable_nestloop", "off"), ("parallel_tuple_cost", "0")];

/// Rows of a source from which on its keys are sifted by hash.
const SIEVE_FROM: i64 = 10_000;

/// Rows that are probed at a time.
const PROBED: i64 = 1000;

/// Where the rows of a statement go.
enum To {
    Problem,
    Contest,
    Hashes,
    Near,
    Met,
    Nowhere,
}

/// What has been found, before it counts.
#[derive(Default)]
struct Found {
    problems: Vec<Store>,
}

impl Run<'_> {
    /// Reports every row that cannot go in, as far as the catalog tells.
    pub fn check(&mut self) -> Result<()> {
        self.enter(Phase::Checking);
        let (mut needs, mut waits) = (false, false);
        if self.foresees_inserts() {
            let rules = !self.table.before_update || !self.rows.merged;
            (needs, waits) = self.check_rows(rules)?;
        } else if self.rows.merged {
            let mut part = self.stores.rows().like();
            let updates = std::mem::take(&mut self.updates);
            let rows = self.stores.rows();
            rows.rewind();
            rows.copy_to(i64::MAX, &mut part, |row| updates.contains(row));
            self.updates = updates;
            self.stores.part = Some(part);
            (needs, waits) = self.check_rows(!self.table.before_update)?;
        }
        self.stores.part = None;
        self.in_order = self.rows.merged && (self.has_triggers() || needs || waits);
        if self.unconverted {
            self.replace_problems(&self.statements().without_echoes_of_conversion())?;
        }
        self.stores.contest = self.stores.contest.like();
        self.tell_problems();
        Ok(())
    }

    fn has_triggers(&self) -> bool {
        self.table.before_insert || self.table.before_update
    }

    /// True where the row that will be inserted is the staged one: no trigger changes it on its way.
    pub fn foresees_inserts(&self) -> bool {
        !self.table.before_insert
    }

    /// `rules`: look at the rules of rows too, not only at the key by which rows are matched. Returns whether a row needs what another one brings,
    /// and whether one waits for what another one gives up.
    fn check_rows(&mut self, rules: bool) -> Result<(bool, bool)> {
        if let Err(stumble) = self.look(rules)? {
            // An expression fails over some row: name those rows, leave them out, and look again.
            self.stores.contest = self.stores.contest.like();
            if !self.find_poison()? {
                return Err(stumble.failure.into());
            }
            if let Err(stumble) = self.look(rules)? {
                return Err(stumble.failure.into());
            }
        }
        let outcome = self.decide()?;
        (self.stores.hashes, self.stores.near, self.stores.met, self.stores.close) = (None, None, None, None);
        Ok(outcome)
    }

    fn look(&mut self, rules: bool) -> Result<std::result::Result<(), Stumble>> {
        let few = self.are_few(self.total)?;
        self.sieved = rules && !few && self.total >= SIEVE_FROM;
        let lookups = if few { BY_INDEX } else { IN_BULK };
        let (count, memory) = (2 * self.table.keys.len(), session::work_mem_bytes());
        let mut found = Found::default();
        let looked = sieve::with_sieves(if self.sieved { count } else { 0 }, self.total, memory, || {
            self.look_up(rules, lookups, &mut found)
        })?;
        if let Err(stumble) = looked {
            return Ok(Err(stumble));
        }
        if self.total > 1
            && let Err(stumble) = self.find_contests(rules)?
        {
            return Ok(Err(stumble));
        }
        found.problems.into_iter().for_each(|problems| self.add_problems(problems));
        if self.total > 1 && self.rows.merged && rules && !self.table.keys.is_empty() {
            let sql = self.statements().find_waits(&self.rows);
            return self.find(&sql, To::Contest, IN_BULK, &mut Found::default());
        }
        Ok(Ok(()))
    }

    /// Whether so many rows are looked up one by one.
    fn are_few(&self, rows: i64) -> Result<bool> {
        Ok(plan::look_up_by_index(rows, self.target_rows()?))
    }

    /// How so many rows are joined with the target.
    pub fn lookups_of(&self, rows: i64) -> Result<Lookups> {
        Ok(if self.are_few(rows)? { BY_INDEX } else { IN_BULK })
    }

    /// About how many rows the target has.
    fn target_rows(&self) -> Result<i64> {
        query::kept_number(
            "SELECT COALESCE(pg_catalog.sum(GREATEST(c.reltuples::pg_catalog.int8,
               pg_catalog.pg_relation_size(c.oid) OPERATOR(pg_catalog./) 200)), 0)::pg_catalog.int8
             FROM pg_catalog.pg_class AS c
             WHERE c.oid OPERATOR(pg_catalog.=) ANY (
                 SELECT $1::pg_catalog.oid UNION SELECT p.relid::pg_catalog.oid FROM pg_catalog.pg_partition_tree($1) AS p)
               AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m}'::pg_catalog.\"char\"[])",
            &[pg_sys::Oid::from(self.table.oid).into()],
        )
    }

    /// Runs a statement that finds something.
    fn find(
        &mut self,
        sql: &Sql,
        to: To,
        lookups: Lookups,
        found: &mut Found,
    ) -> Result<std::result::Result<(), Stumble>> {
        let mut store = match self.attempt_fetch(sql, How { lookups, ..How::default() })? {
            Ok(store) => store,
            Err(stumble) => return Ok(Err(stumble)),
        };
        match to {
            To::Problem => found.problems.push(store),
            To::Contest => self.stores.contest.append(&mut store),
            To::Hashes => self.stores.hashes = Some(store),
            To::Near => self.stores.near = Some(store),
            To::Met => {
                self.stores.close = Some(self.close_to(&mut store)?);
                self.stores.met = Some(store);
            }
            To::Nowhere => {}
        }
        Ok(Ok(()))
    }

    /// The rows that `met` has the hashes of.
    fn close_to(&mut self, met: &mut Store) -> Result<Store> {
        let mut numbers = NumberSet::default();
        met.each(|row| {
            numbers.insert(row.number(1));
            Ok(())
        })?;
        let rows = match &mut self.stores.part {
            Some(part) => part,
            None => self.stores.rows(),
        };
        let mut close = rows.like();
        rows.rewind();
        rows.copy_to(i64::MAX, &mut close, |row| numbers.contains(row));
        Ok(close)
    }

    fn sieved_keys(&self) -> Vec<usize> {
        let statements = self.statements();
        let keys = 0..self.table.keys.len();
        keys.filter(|&p| statements.is_sieved(p) && statements.key_is_computable(&self.table.keys[p], &self.rows))
            .collect()
    }

    fn look_up(
        &mut self,
        rules: bool,
        lookups: Lookups,
        found: &mut Found,
    ) -> Result<std::result::Result<(), Stumble>> {
        if !rules {
            return Ok(Ok(()));
        }
        let mut all = Vec::new();
        let (sieved, statements) = (self.sieved_keys(), self.statements());
        if !sieved.is_empty() {
            all.push((statements.create_hashes(&sieved, &self.rows), To::Hashes));
            all.extend(sieved.iter().map(|&position| (statements.fill_sieve(position), To::Contest)));
            all.push((statements.create_near(&sieved), To::Near));
            all.push((statements.add_near(&sieved), To::Nowhere));
            all.push((statements.create_met(&sieved), To::Met));
        }
        let rows = self.rows.clone();
        all.extend(statements.find_broken_rules(&rows).map(|sql| (sql, To::Problem)));
        let references = self.find_missing_references(&statements, &rows, |_| true);
        all.extend(references.into_iter().map(|sql| (sql, To::Problem)));
        for (sql, to) in all {
            if let Err(stumble) = self.find(&sql, to, lookups, found)? {
                return Ok(Err(stumble));
            }
        }
        self.find_conflicts(&rows, lookups, found)
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

    fn find_conflicts(
        &mut self,
        rows: &Rows,
        lookups: Lookups,
        found: &mut Found,
    ) -> Result<std::result::Result<(), Stumble>> {
        for (position, key) in self.table.keys.iter().enumerate() {
            if !self.statements().key_is_computable(key, rows) {
                continue;
            }
            for nulls in match self.null_patterns(position, rows)? {
                Ok(patterns) => patterns,
                Err(stumble) => return Ok(Err(stumble)),
            } {
                let sql = self.statements().find_conflicts(position, rows, nulls);
                if let Err(stumble) = self.find(&sql, To::Problem, lookups, found)? {
                    return Ok(Err(stumble));
                }
            }
        }
        Ok(Ok(()))
    }

    /// The parts of a key that are NULL together in some row, as bits.
    fn null_patterns(&self, position: usize, rows: &Rows) -> Result<std::result::Result<Vec<i64>, Stumble>> {
        let Some(sql) = self.statements().null_patterns(position, rows) else { return Ok(Ok(vec![0])) };
        let mut patterns = match self.attempt_fetch(&sql, How::default())? {
            Ok(patterns) => patterns,
            Err(stumble) => return Ok(Err(stumble)),
        };
        let mut all = Vec::new();
        patterns.each(|row| {
            all.push(row.number(1));
            Ok(())
        })?;
        Ok(Ok(all))
    }

    fn find_contests(&mut self, rules: bool) -> Result<std::result::Result<(), Stumble>> {
        let rows = self.rows.clone();
        let mut all = Vec::new();
        let mut suspected = Vec::new();
        if self.sieved {
            self.fetch(&self.statements().suspected_keys(), How::default())?.each(|row| {
                suspected.extend(row.get::<i32>(1));
                Ok(())
            })?;
        }
        let statements = self.statements();
        for (position, key) in self.table.keys.iter().enumerate() {
            let wanted = rules || self.match_key == Some(position);
            if wanted && statements.key_is_computable(key, &rows) {
                let clear = statements.is_sieved(position) && !suspected.contains(&key_ord(position));
                all.extend(statements.find_contests(position, &rows, clear));
            }
        }
        for (position, fk) in self.table.foreign_keys.iter().enumerate() {
            if rules && statements.foreign_key_is_computable(fk, &rows) {
                all.extend(statements.find_parents(position, &rows));
            }
        }
        for sql in all {
            if let Err(stumble) = self.find(&sql, To::Contest, IN_BULK, &mut Found::default())? {
                return Ok(Err(stumble));
            }
        }
        Ok(Ok(()))
    }

    /// Reports the rows over which an expression of the table fails, and leaves them out of what is looked at. False: there is none.
    pub fn find_poison(&mut self) -> Result<bool> {
        let mut all = self.stores.part.take().unwrap_or_else(|| {
            let rows = self.stores.rows();
            let mut all = rows.like();
            all.append(rows);
            all
        });
        let before = self.poisoned.len();
        all.rewind();
        let mut last = 0;
        while last < self.total {
            last += PROBED;
            let mut part = all.like();
            all.copy_to(last, &mut part, |_| true);
            self.probe(part)?;
        }
        let mut part = all.like();
        all.rewind();
        all.copy_to(i64::MAX, &mut part, |row| !self.poisoned.contains(row));
        self.stores.part = Some(part);
        Ok(self.poisoned.len() > before)
    }

    /// The same of some rows.
    fn probe(&mut self, mut part: Store) -> Result<()> {
        while !part.is_empty() {
            self.stores.part = Some(part);
            let Err(stumble) = self.attempt(&self.statements().probe(&self.rows), How::default())? else {
                return Ok(());
            };
            if stumble.row == 0 || !self.poisoned.insert(stumble.row) {
                return Err(stumble.failure.into());
            }
            let finding = Finding {
                failure: &stumble.failure,
                constraint: stumble.failure.constraint.clone(),
                columns: stumble.failure.column.clone().map(|c| vec![c]),
                key: None,
            };
            self.report_failure(stumble.row, ORD_POISON, "invalid", &finding)?;
            let mut probed = self.stores.part.take().expect("it was put there");
            part = probed.like();
            probed.rewind();
            probed.copy_to(i64::MAX, &mut part, |row| row > stumble.row);
        }
        Ok(())
    }

    /// Plays the contest for keys that several source rows want, and reports who lost.
    fn decide(&mut self) -> Result<(bool, bool)> {
        let (mut needs, mut waits) = (false, false);
        if self.stores.contest.is_empty() {
            return Ok((needs, waits));
        }
        self.stores.contest.each(|entry| {
            let kind = entry.get::<i32>(3).unwrap_or(KIND_PRESENT);
            needs |= kind == KIND_NEED;
            waits |= kind == KIND_WAIT;
            Ok(())
        })?;
        let in_order = self.statements().contest_in_order(&self.rows, waits);
        let mut entries = self.fetch(&in_order, How { lookups: IN_BULK, ..How::default() })?;
        let mut contest = Contest::default();
        let mut losers = Losers::default();
        let mut entrant = Entrant::default();
        entries.each(|entry| {
            let row = entry.number(1);
            if row != entrant.row {
                let before = std::mem::replace(&mut entrant, Entrant { row, ..Entrant::default() });
                losers.add(before.row, contest.decide(&before));
            }
            entrant.dead = entry.get::<bool>(2).unwrap_or(false);
            let item = (entry.get::<i32>(4).unwrap_or(0), entry.number(5));
            match entry.get::<i32>(3).unwrap_or(KIND_PRESENT) {
                KIND_KEY => entrant.keys.push(item),
                KIND_RIVAL => entrant.rivals.push(item),
                KIND_NEED => entrant.needs.push(item),
                KIND_WAIT => entrant.waits.push(item),
                KIND_FREE => entrant.frees.push(item.1),
                _ => {}
            }
            Ok(())
        })?;
        losers.add(entrant.row, contest.decide(&entrant));
        self.report_losers(losers)?;
        Ok((needs, waits))
    }

    fn report_losers(&mut self, losers: Losers) -> Result<()> {
        if !losers.freed.is_empty() {
            self.stores.losers = Some(losers.freed);
            self.replace_problems(&self.statements().without_freed(&self.rows))?;
        }
        if self.rows.merged && self.table.keys.iter().any(|k| k.exclusion) {
            self.replace_problems(&self.statements().with_one_holder())?;
        }
        let keys = 0..self.table.keys.len();
        let references = 0..self.table.foreign_keys.len();
        for (rule, list) in losers.by_rule {
            self.stores.losers = Some(list);
            let (key, reference) =
                (keys.clone().find(|p| key_ord(*p) == rule), references.clone().find(|p| foreign_key_ord(*p) == rule));
            let sql = match (key, reference) {
                (Some(position), _) => self.statements().report_duplicates(position, &self.rows),
                (_, Some(position)) => self.statements().report_orphans(position, &self.rows),
                _ => continue,
            };
            let found = self.fetch(&sql, How { lookups: IN_BULK, ..How::default() })?;
            self.contested |= key.is_some() && !found.is_empty();
            self.add_problems(found);
        }
        self.stores.losers = None;
        Ok(())
    }

    /// Keeps of the problems those that a statement returns.
    pub fn replace_problems(&mut self, sql: &Sql) -> Result<()> {
        let mut kept = self.fetch(sql, How { lookups: IN_BULK, ..How::default() })?;
        let mut dead = NumberSet::default();
        let mut problem = self.stores.problem.like();
        kept.rewind();
        kept.copy_to(i64::MAX, &mut problem, |row| {
            dead.insert(row);
            true
        });
        self.stores.problem = problem;
        self.dead.replace(dead);
        Ok(())
    }

    /// Looks at the rows that stand in for all once more, for the conflicts and broken rules of rows that could not be written. An expression that
    /// fails over such a row has failed in the executor as well, and is reported from there.
    pub fn look_again(&mut self, rows: &Rows, count: i64, rules: bool) -> Result<Vec<Store>> {
        let sieved = std::mem::take(&mut self.sieved);
        let lookups = self.lookups_of(count)?;
        let mut found = Found::default();
        let mut all = Vec::new();
        if rules {
            let statements = self.statements();
            all.extend(statements.find_broken_rules(rows));
            // A reference to the target itself has been decided with the whole source in view.
            all.extend(self.find_missing_references(&statements, rows, |fk| !fk.to_itself));
        }
        let mut failed = false;
        for sql in all {
            failed |= self.find(&sql, To::Problem, lookups, &mut found)?.is_err();
        }
        failed |= self.find_conflicts(rows, lookups, &mut found)?.is_err();
        self.sieved = sieved;
        Ok(if failed { Vec::new() } else { found.problems })
    }
}

/// Rows that lost, by the rule under which they did.
struct Losers {
    by_rule: BTreeMap<Rule, Store>,
    /// Conflicts that do not stand.
    freed: Store,
}

impl Default for Losers {
    fn default() -> Self {
        Losers { by_rule: BTreeMap::new(), freed: loser_store() }
    }
}

fn loser_store() -> Store {
    Store::with_columns(&[("rn", pg_sys::INT8OID), ("ord", pg_sys::INT4OID), ("winner", pg_sys::INT8OID)])
}

impl Losers {
    fn add(&mut self, row: i64, decision: Decision) {
        for (rule, loss) in decision.losses {
            let winner = match loss {
                Loss::Taken(winner) => winner,
                Loss::Missing => 0,
            };
            let store = self.by_rule.entry(rule).or_insert_with(loser_store);
            store.put(&[row.into_datum(), rule.into_datum(), winner.into_datum()]);
        }
        for rule in decision.freed {
            self.freed.put(&[row.into_datum(), rule.into_datum(), None]);
        }
    }
}
