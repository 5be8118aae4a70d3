//! Writes the clean rows, chunk by chunk. The executor is the judge: what it refuses is reported, and the rest goes in.

use crate::db::attempt::{self, Failure};
use crate::db::bulk;
use crate::db::catalog::{self, Key, Name};
use crate::db::json::Printed;
use crate::db::progress::Phase;
use crate::db::spi::Cursor;
use crate::db::spool::Spool;
use crate::db::sql::{Sql, script};
use crate::db::trigger;
use crate::error::Result;
use crate::import::plan::Report;
use crate::import::run::{Finding, Run, Stumble};
use crate::import::statements::{ORD_WRITE, Order, Range, Rows, Statements, Write, WriteOptions};
use std::collections::BTreeSet;

/// The smallest chunk after a failure.
const SMALLEST: i64 = 64;

/// The smallest chunk that is worth sorting.
const SORT_FROM: i64 = 20_000;

/// Updates go to their rows one by one, by their place, and so in the order of the source: a row may take a key that the
/// one before it has given up. Also where the target is so small that the planner would rather begin with it.
const ROW_BY_ROW: [(&str, &str); 3] =
    [("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("enable_seqscan", "off")];

/// What became of a chunk.
enum Chunk {
    /// Its rows are in, or reported.
    Written,
    /// Something failed, and it is not known which row: they are to be written in smaller chunks, in source order.
    Unsorted,
    /// Everything up to this row is in, or reported.
    FailedAt(i64),
}

impl Run<'_> {
    pub fn write(&mut self, chunk: i64) -> Result<()> {
        self.late = true;
        self.enter(Phase::Writing);
        self.deferred = self.deferred_constraints()?;
        if chunk < self.total || self.in_order {
            self.index_rows()?;
        }
        let all = Range { first: 1, last: self.total };
        if self.in_order {
            for (kind, range) in self.turns()? {
                self.write_span(kind, range, chunk)?;
            }
        } else {
            if self.rows.merged {
                self.write_span(Write::Update, all, chunk)?;
            }
            self.write_span(Write::Insert, all, chunk)?;
        }
        self.count_problem_rows()?;
        Ok(())
    }

    fn turns(&self) -> Result<Vec<(Write, Range)>> {
        let mut turns = Vec::new();
        self.stream(&self.statements().turns(&self.rows), |row| {
            let kind = if row.get::<bool>(1)? == Some(true) { Write::Update } else { Write::Insert };
            turns.push((kind, Range { first: row.number(2)?, last: row.number(3)? }));
            Ok(())
        })?;
        Ok(turns)
    }

    /// Deferred keys and foreign keys, so far as they can be checked now: not those that something else in the caller's
    /// transaction has left open.
    fn deferred_constraints(&self) -> Result<Vec<Name>> {
        let keys = self.table.keys.iter().filter_map(|k| k.deferred.clone());
        let references = self.table.foreign_keys.iter().filter_map(|f| f.deferred.clone());
        let mut met = Vec::new();
        for name in keys.chain(references) {
            if self.attempt_as_caller(&[], &Statements::check_now(std::slice::from_ref(&name)))?.is_ok() {
                met.push(name);
            }
        }
        Ok(met)
    }

    /// Goes through the rows in source order. After a failure the chunks are as small as the rows between two failures,
    /// so that many bad rows cost no more than their number.
    fn write_span(&mut self, kind: Write, span: Range, chunk: i64) -> Result<()> {
        let (mut first, mut size) = (span.first, chunk);
        while first <= span.last {
            let range = Range { first, last: span.last.min(first.saturating_add(size - 1)) };
            match self.write_chunk(kind, range)? {
                Chunk::Written => {
                    first = range.last + 1;
                    size = chunk.min(size.saturating_mul(2));
                }
                Chunk::Unsorted => size = SORT_FROM / 4,
                Chunk::FailedAt(row) => {
                    size = chunk.min(SMALLEST.max(2 * (row - first)));
                    first = row + 1;
                }
            }
            self.write_again()?;
            self.progress.rows_done = first - 1;
            self.progress.publish();
        }
        Ok(())
    }

    /// Rows that had lost to one that then did not go in, when their own turn was over already.
    fn write_again(&mut self) -> Result<()> {
        while let Some(row) = self.again.pop_first() {
            let kind = self.kind_of(row)?;
            self.write_range(kind, Range { first: row, last: row })?;
        }
        Ok(())
    }

    fn kind_of(&self, row: i64) -> Result<Write> {
        let update = self.value::<bool>(&self.statements().is_update(&self.rows, row), &[])?;
        Ok(if update == Some(true) { Write::Update } else { Write::Insert })
    }

    /// Row `winner` did not go in after all: those that lost to it have their turn, now or when it comes.
    fn release(&mut self, winner: i64) -> Result<()> {
        if !self.contested {
            return Ok(());
        }
        self.released = true;
        let mut released = Vec::new();
        self.stream(&self.statements().release(winner), |row| {
            released.push(row.number(1)?);
            Ok(())
        })?;
        for row in released {
            let update = self.kind_of(row)? == Write::Update;
            let (kind, passed) = self.turn;
            let phase_over = !self.in_order && update && kind == Write::Insert;
            let phase_to_come = !self.in_order && !update && kind == Write::Update;
            if phase_over || (row <= passed && !phase_to_come) {
                self.again.insert(row);
            }
        }
        Ok(())
    }

    /// Writes a chunk. Where a row fails that is not the last one: writes what comes before it, and reports it.
    fn write_chunk(&mut self, kind: Write, range: Range) -> Result<Chunk> {
        let order = self.order(kind, range);
        if order != Order::Source {
            return Ok(match self.try_range(kind, range, order)? {
                Ok(()) => Chunk::Written,
                Err(_) => Chunk::Unsorted,
            });
        }
        let Err(stumble) = self.try_range(kind, range, order)? else { return Ok(Chunk::Written) };
        self.index_rows()?;
        let last = self.last_clean(kind, range)?;
        if last < range.first {
            return Ok(Chunk::Written);
        }
        if stumble.row < range.first || stumble.row >= last {
            self.bisect(kind, Range { last, ..range }, stumble)?;
            return Ok(Chunk::FailedAt(last));
        }
        if stumble.row > range.first {
            self.write_range(kind, Range { last: stumble.row - 1, ..range })?;
        }
        self.write_range(kind, Range { first: stumble.row, last: stumble.row })?;
        Ok(Chunk::FailedAt(stumble.row))
    }

    fn write_range(&mut self, kind: Write, range: Range) -> Result<()> {
        match self.try_range(kind, range, Order::Source)? {
            Ok(()) => Ok(()),
            Err(stumble) => self.bisect(kind, range, stumble),
        }
    }

    /// The statement failed after its last row, as AFTER triggers make it: only halving finds the row.
    fn bisect(&mut self, kind: Write, range: Range, stumble: Stumble) -> Result<()> {
        if range.first >= range.last {
            self.turn = (kind, self.turn.1.max(range.last));
            return self.blame(kind, range.last, &stumble.failure);
        }
        if stumble.row == 0 {
            // Not a single row was in hand: the statement itself is refused, by a statement trigger for example.
            return Err(stumble.failure.into());
        }
        let middle = range.first + (range.last - range.first) / 2;
        self.write_range(kind, Range { last: middle, ..range })?;
        self.write_range(kind, Range { first: middle + 1, ..range })
    }

    /// Many rows without a trigger that could see it go into the indexes last, or come in the order of a key.
    fn order(&self, kind: Write, range: Range) -> Order {
        let many = range.last - range.first >= SORT_FROM;
        if !many || kind == Write::Update || self.table.row_triggers {
            Order::Source
        } else if self.indexes_can_wait() {
            Order::IndexesLast
        } else {
            self.statements().sort_key(&self.rows).map_or(Order::Source, Order::Key)
        }
    }

    /// Whether nothing looks into the table's indexes while the rows come in, nor asks afterwards where a row went.
    fn indexes_can_wait(&self) -> bool {
        let table = self.table;
        let calls = table.calls || table.columns.iter().any(|c| c.domain_default);
        let at_once = |key: &Key| !key.exclusion && !key.deferrable;
        table.kind == "r"
            && table.readable
            && !self.unforeseen()
            && !calls
            && table.keys.iter().all(at_once)
            && self.deferred.is_empty()
            && !self.reports_all()
            && (!self.contested
                || !self.released && !table.before_update && table.keys.iter().all(|key| self.is_foreseen(key)))
    }

    /// Whether every row that wants the key is known before it is written: it is in the source, or from a sequence.
    fn is_foreseen(&self, key: &Key) -> bool {
        let from_sequence = |attnum: &i16| {
            let column = self.table.columns.iter().find(|c| c.attnum == *attnum);
            column.is_some_and(|c| !c.identity.is_empty() || !c.generated && c.default_reads.sequence)
        };
        self.statements().key_is_computable(key, &self.rows)
            || !key.reads.whole_row && key.reads.columns.iter().all(from_sequence)
    }

    /// A trigger may change a key, and a policy may hide its holder: only the insert itself can tell.
    fn unforeseen(&self) -> bool {
        self.table.before_insert || self.table.row_security
    }

    fn reports_all(&self) -> bool {
        self.request.report == Report::All && !self.request.dry_run
    }

    fn try_range(&mut self, kind: Write, range: Range, order: Order) -> Result<std::result::Result<(), Stumble>> {
        let mut how = WriteOptions { order, ..self.write_options(kind) };
        how.track &= order != Order::IndexesLast;
        if self.turn.0 != kind && !self.in_order {
            self.turn.1 = 0;
        }
        self.turn.0 = kind;
        let feed = if range.first == 1 && range.last == self.total { Range::ALL } else { range };
        let sql = self.write_and_check(feed, kind, how);
        let settings: &[(&str, &str)] = if kind == Write::Update { &ROW_BY_ROW } else { &[] };
        let outcome = match order {
            Order::IndexesLast => {
                self.attempt_to(|| attempt::attempt_work(|| bulk::insert(&sql)).map_err(Failure::of_one_way))
            }
            _ => self.attempt_as_caller(settings, &sql),
        };
        if let Err(stumble) = outcome? {
            return Ok(Err(stumble));
        }
        self.turn.1 = self.turn.1.max(range.last);
        if how.track {
            self.settle_losers(kind, range)?;
        }
        Ok(Ok(()))
    }

    fn write_options(&self, kind: Write) -> WriteOptions {
        let place = self.table.readable && !self.table.row_security;
        match kind {
            Write::Update => WriteOptions { track: true, place, match_key: self.match_key, ..WriteOptions::default() },
            Write::Insert => {
                let unforeseen = self.unforeseen();
                let deferrable = self.table.keys.iter().any(|k| k.deferrable);
                WriteOptions {
                    track: unforeseen || self.reports_all() || self.contested,
                    place,
                    do_nothing: unforeseen && !deferrable,
                    ..WriteOptions::default()
                }
            }
        }
    }

    /// The statement that writes a range. What would be checked at the end of the transaction is checked with it, then put back.
    fn write_and_check(&self, range: Range, kind: Write, how: WriteOptions) -> Sql {
        let write = self.statements().write(&self.rows, range, kind, how);
        if self.deferred.is_empty() { write } else { script([write, Statements::check_now(&self.deferred)]) }
    }

    fn last_clean(&self, kind: Write, range: Range) -> Result<i64> {
        let last = self.value::<i64>(&self.statements().last_clean(&self.rows, range, kind), &[])?;
        Ok(last.unwrap_or(range.last))
    }

    // ---- rows that did not go in --------------------------------------------------------------------------------

    /// Rows that the statement passed over in silence: a held key, or a trigger that dropped them.
    fn settle_losers(&mut self, kind: Write, range: Range) -> Result<()> {
        let losers = self.losers(kind, range)?;
        if losers.is_empty() {
            return Ok(());
        }
        self.index_rows()?;
        if kind == Write::Insert && self.table.before_insert {
            self.explain_by_triggers(range, true)?;
            for row in losers {
                self.release(row)?;
            }
        }
        for row in self.losers(kind, range)? {
            self.settle(kind, row)?;
        }
        Ok(())
    }

    fn losers(&self, kind: Write, range: Range) -> Result<Vec<i64>> {
        let mut rows = Vec::new();
        self.stream(&self.statements().losers(&self.rows, range, kind), |row| {
            rows.push(row.number(1)?);
            Ok(())
        })?;
        rows.sort_unstable();
        Ok(rows)
    }

    /// Writes one row alone, so that its error, or the lack of one, tells why it did not go in.
    fn settle(&mut self, kind: Write, row: i64) -> Result<()> {
        let range = Range { first: row, last: row };
        let how = WriteOptions { do_nothing: false, ..self.write_options(kind) };
        match self.attempt_as_caller(&[], &self.write_and_check(range, kind, how))? {
            Err(stumble) => self.blame(kind, row, &stumble.failure),
            Ok(_) if self.losers(kind, range)?.is_empty() => Ok(()),
            Ok(_) if kind == Write::Update && self.was_updated_before(row)? => Ok(()),
            Ok(_) => {
                self.report_suppressed(&[row])?;
                self.release(row)
            }
        }
    }

    /// The row of the target that a row wants to update has been updated by another row of the source: reports that.
    fn was_updated_before(&self, row: i64) -> Result<bool> {
        let (Some(position), statements) = (self.match_key, self.statements()) else { return Ok(false) };
        let winner = self.value::<i64>(&statements.updated_by(&self.rows, row), &[])?;
        if let Some(winner) = winner {
            let only = self.rows.only(row);
            self.execute_with(
                &statements.report_duplicates(position, &only),
                &[vec![row].into(), vec![winner].into()],
            )?;
        }
        Ok(winner.is_some())
    }

    fn report_suppressed(&self, rows: &[i64]) -> Result<()> {
        self.execute_with(&self.statements().add_suppressed(), &[rows.to_vec().into()])?;
        Ok(())
    }

    /// Reports what is wrong with a row that the executor refused: everything that can be found, and what it said.
    fn blame(&mut self, kind: Write, row: i64, failure: &Failure) -> Result<()> {
        self.report_blame(kind, row, failure)?;
        self.release(row)
    }

    fn report_blame(&mut self, kind: Write, row: i64, failure: &Failure) -> Result<()> {
        let changed_by_trigger = match kind {
            Write::Insert => self.table.before_insert,
            Write::Update => self.table.before_update,
        };
        if kind == Write::Insert && changed_by_trigger {
            self.explain_by_triggers(Range { first: row, last: row }, false)?;
        } else {
            let only = self.rows.only(row);
            self.look_again(&only, false)?;
            self.execute(&self.statements().name_winners())?;
        }
        let constraint = self.constraint_of(failure)?;
        if kind == Write::Update && changed_by_trigger {
            // What the row wanted under another constraint the trigger may have changed.
            self.execute_with(&self.statements().forget_others(), &[row.into(), constraint.clone().into()])?;
        }
        if self.is_reported(row, constraint.as_deref(), failure.column.as_deref())? {
            return Ok(());
        }
        let held = matches!(failure.sqlstate.as_str(), "23505" | "23P01");
        let position = constraint.as_deref().and_then(|name| self.table.keys.iter().position(|k| k.name == name));
        let mut told = failure.clone();
        if let (true, Some(detail)) = (held, &failure.detail) {
            told.message = format!("{}: {detail}", failure.message);
        }
        let finding = Finding {
            failure: &told,
            columns: match position {
                Some(position) => Some(self.table.keys[position].columns.clone()),
                None => failure.column.clone().map(|c| vec![c]),
            },
            key: position.filter(|_| !changed_by_trigger).map(|p| self.key_of_row(p, row)).transpose()?.flatten(),
            constraint,
        };
        self.report_failure(row, ORD_WRITE, if held { "conflict" } else { "invalid" }, &finding)
    }

    /// The constraint by the name it has on the target: an error names the index of a partition.
    fn constraint_of(&self, failure: &Failure) -> Result<Option<String>> {
        let Some(name) = &failure.constraint else { return Ok(None) };
        let own = self.table.keys.iter().any(|k| &k.name == name);
        if own || self.table.kind != "p" {
            return Ok(Some(name.clone()));
        }
        let root = match &failure.schema {
            Some(schema) => catalog::root_constraint(schema, name)?,
            None => None,
        };
        Ok(root.or_else(|| Some(name.clone())))
    }

    fn is_reported(&self, row: i64, constraint: Option<&str>, column: Option<&str>) -> Result<bool> {
        if constraint.is_none() && column.is_none() {
            return Ok(false);
        }
        let arguments = [row.into(), constraint.into(), column.into()];
        Ok(self.value::<i64>(&self.statements().count_reported(), &arguments)?.is_some_and(|found| found > 0))
    }

    /// The key as the source gives it; a trigger may have made another of it, and then it is not told.
    fn key_of_row(&self, position: usize, row: i64) -> Result<Option<String>> {
        let key = &self.table.keys[position];
        if !self.statements().key_is_computable(key, &self.rows) {
            return Ok(None);
        }
        let sql = self.statements().key_of_row(position, &self.rows, row);
        Ok(self.value::<Printed>(&sql, &[])?.map(|json| json.0))
    }

    /// Fires the BEFORE triggers on the losers of a range, without inserting them, and looks at what they become. What
    /// the triggers do besides is undone. `silent`: the insert said nothing, so a row that a trigger drops was dropped.
    fn explain_by_triggers(&mut self, range: Range, silent: bool) -> Result<()> {
        let columns = self.table.columns.iter().filter(|c| {
            let assigned = self.rows.present.contains(&c.attnum);
            !c.generated && (assigned || (c.identity.is_empty() && !c.default_reads.volatile))
        });
        let present: BTreeSet<i16> = columns.map(|c| c.attnum).collect();
        let Some(mut spool) = self.fire(range)? else { return Ok(()) };
        self.create_fired(&present)?;
        let rows = Rows::new(self.table, &self.names.fired, present, false);
        let mut dropped = Vec::new();
        spool.drain(1000, |batch| {
            let rows_and_texts = batch.iter().map(|line| match line.split_once('\t') {
                Some((row, text)) => (row.parse().unwrap_or(0), Some(text.to_string())),
                None => (line.parse().unwrap_or(0), None),
            });
            let (numbers, texts): (Vec<i64>, Vec<Option<String>>) = rows_and_texts.unzip();
            let gone = numbers.iter().zip(&texts).filter(|(_, text)| text.is_none()).map(|(n, _)| *n);
            dropped.extend(gone);
            self.execute_with(&self.statements().fill_fired(&rows), &[numbers.into(), texts.into()])?;
            Ok(())
        })?;
        if silent {
            self.report_suppressed(&dropped)?;
        }
        self.look_again(&rows, true)?;
        self.execute(&self.statements().name_winners())?;
        self.execute(&self.statements().empty_fired())?;
        Ok(())
    }

    /// Once a run: a transaction keeps a lock for each table that it creates.
    fn create_fired(&mut self, columns: &BTreeSet<i16>) -> Result<()> {
        if !std::mem::replace(&mut self.explains, true) {
            self.execute(&self.statements().create_typed(&self.names.fired, columns))?;
        }
        Ok(())
    }

    /// What the triggers make of the losers of a range, in their order; `None` where a trigger raises: then the row's own error is all
    /// there is to say.
    fn fire(&self, range: Range) -> Result<Option<Spool>> {
        let rows = self.statements().losers_to_fire(&self.rows, range);
        let mut fired = None;
        let outcome = self.attempt_to(|| {
            let mut spool = Spool::new();
            let work = || {
                // The rows are made of expressions of the catalog; the triggers are the caller's.
                let cursor = self.catalog_first(|| Cursor::open(&rows))?;
                trigger::fire_before_insert(self.table.oid.into(), cursor, |number, row| match row {
                    Some(text) => spool.push(&format!("{number}\t{text}")),
                    None => spool.push(&number.to_string()),
                })
            };
            let fired_rows = attempt::attempt_work(|| attempt::rehearse(work))?;
            fired = Some(spool);
            Ok(fired_rows)
        })?;
        Ok(fired.filter(|_| outcome.is_ok()))
    }
}
