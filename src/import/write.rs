//! Writes the clean rows, chunk by chunk. The executor is the judge: what it refuses is reported, and the rest goes in.

use crate::db::attempt::{self, Failure};
use crate::db::bulk;
use crate::db::catalog::{self, Key};
use crate::db::progress::Phase;
use crate::db::query::{self, Checks, Lookups};
use crate::db::sql::sql;
use crate::db::store::Store;
use crate::db::trigger;
use crate::error::Result;
use crate::import::job;
use crate::import::plan::Report;
use crate::import::release::Losses;
use crate::import::run::{Finding, How, Run, Stumble};
use crate::import::statements::{ORD_WRITE, Order, Range, Rows, Statements, Write, WriteOptions, key_ord, relations};
use pgrx::IntoDatum;
use pgrx::itemptr::item_pointer_get_both;
use pgrx::pg_sys;
use std::collections::BTreeSet;

/// The smallest chunk after a failure.
const SMALLEST: i64 = 64;

/// The smallest chunk that is worth sorting.
const SORT_FROM: i64 = 20_000;

/// Updates go to their rows one by one, by their place, and so in the order of the source: a row may take a key that the
/// one before it has given up. Also where the target is so small that the planner would rather begin with it.
const ROW_BY_ROW: Lookups = &[("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("enable_seqscan", "off")];

/// Rows whose triggers are fired again at a time.
const EXPLAINED: usize = 10_000;

/// So many statements' subtransactions are left open.
const MOST_OPEN: i32 = 100;

/// What became of a chunk.
enum Chunk {
    /// Its rows are in, or reported.
    Written,
    /// Something failed, and it is not known which row: they are to be written in smaller chunks, in source order.
    Unsorted,
    /// Everything up to this row is in, or reported.
    FailedAt(i64),
    /// It is known of more rows now that they do not go in.
    Again,
}

/// Rows of a chunk that are read again and again.
pub struct Window {
    rows: Store,
    range: Range,
}

impl Run<'_> {
    /// What has been written stays open until all is: a session that waits for a key of it goes on if this run gives it back.
    pub fn write(&mut self, chunk: i64) -> Result<()> {
        self.enter(Phase::Writing);
        job::plan_anew(self.total);
        self.deferred = self.deferred_constraints()?;
        self.level = attempt::nest_level();
        let written = self.write_rows(chunk);
        attempt::close_to(self.level, written.is_ok());
        written?;
        self.window = None;
        self.withdraw()?;
        self.tell_problems();
        Ok(())
    }

    fn write_rows(&mut self, chunk: i64) -> Result<()> {
        let all = Range { first: 1, last: self.total };
        if self.in_order {
            let mut first = 1;
            while let Some((kind, range)) = self.next_turn(first) {
                self.write_span(kind, range, chunk)?;
                first = range.last + 1;
            }
        } else {
            if self.rows.merged {
                self.write_span(Write::Update, all, chunk)?;
            }
            self.write_span(Write::Insert, all, chunk)?;
        }
        Ok(())
    }

    /// Rows of one kind that follow each other.
    fn next_turn(&self, first: i64) -> Option<(Write, Range)> {
        if first > self.total {
            return None;
        }
        let kind = self.kind_of(first);
        let last = (first + 1..=self.total).take_while(|row| self.kind_of(*row) == kind).last().unwrap_or(first);
        Some((kind, Range { first, last }))
    }

    fn kind_of(&self, row: i64) -> Write {
        if self.updates.contains(row) { Write::Update } else { Write::Insert }
    }

    /// Whether a row is to be written so.
    fn is_wanted(&self, kind: Write, row: i64) -> bool {
        self.kind_of(row) == kind && !self.is_dead(row)
    }

    /// Deferred keys and foreign keys, so far as they can be checked now: not those that something else in the caller's
    /// transaction has left open.
    fn deferred_constraints(&self) -> Result<Option<Checks>> {
        let keys = self.table.keys.iter().filter_map(|k| k.deferred.as_ref());
        let references = self.table.foreign_keys.iter().filter_map(|f| f.deferred.as_ref());
        let table = self.table.oid.into();
        let open = query::is_pending(table);
        let mut checks = Checks { table, now: Vec::new(), aside: Vec::new() };
        for constraint in keys.chain(references) {
            let mut check = Checks { table, now: Vec::new(), aside: Vec::new() };
            if constraint.shared {
                check.aside.push(Statements::check_aside(&constraint.name));
            } else {
                check.now.extend(Statements::check_now(&constraint.name));
            }
            let how = How { as_caller: true, then: Some(&check), ..How::default() };
            if !open || self.attempt(&sql!("SELECT 1"), how)?.is_ok() {
                checks.now.append(&mut check.now);
                checks.aside.append(&mut check.aside);
            }
        }
        Ok((!checks.now.is_empty() || !checks.aside.is_empty()).then_some(checks))
    }

    /// Goes through the rows in source order. After a failure the chunks are as small as the rows between two failures,
    /// so that many bad rows cost no more than their number.
    fn write_span(&mut self, kind: Write, span: Range, chunk: i64) -> Result<()> {
        let (mut first, mut size) = (span.first, chunk);
        while first <= span.last {
            let range = Range { first, last: span.last.min(first.saturating_add(size - 1)) };
            self.open_window(range);
            match self.write_chunk(kind, range)? {
                Chunk::Written => {
                    first = range.last + 1;
                    size = chunk.min(size.saturating_mul(2));
                }
                Chunk::Unsorted => size = SORT_FROM / 4,
                Chunk::Again => {}
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
            self.write_range(self.kind_of(row), Range { first: row, last: row })?;
        }
        Ok(())
    }

    /// Row `winner` did not go in after all: those that lost to it have their turn, now or when it comes.
    fn release(&mut self, winner: i64) -> Result<()> {
        if !self.contested {
            return Ok(());
        }
        if self.losses.is_none() {
            self.losses = Some(self.collect_losses()?);
        }
        let released = self.losses.as_mut().map(|losses| losses.release(winner)).unwrap_or_default();
        for row in released {
            self.dead.borrow_mut().remove(row);
            let update = self.kind_of(row) == Write::Update;
            let (kind, passed) = self.turn;
            let phase_over = !self.in_order && update && kind == Write::Insert;
            let phase_to_come = !self.in_order && !update && kind == Write::Update;
            if phase_over || (row <= passed && !phase_to_come) {
                self.again.insert(row);
            }
        }
        Ok(())
    }

    fn collect_losses(&mut self) -> Result<Losses> {
        let mut losses = Losses::default();
        self.stores.problem.each(|problem| {
            if problem.get::<&str>(3) == Some("duplicate") {
                losses.add_loss(problem.number(8), problem.number(1), problem.get::<i32>(2).unwrap_or(0));
            }
            Ok(())
        })?;
        self.stores.problem.each(|problem| {
            losses.count_problem(problem.number(1));
            Ok(())
        })?;
        Ok(losses)
    }

    /// Takes what does not count any more out of the report.
    fn withdraw(&mut self) -> Result<()> {
        let Some(losses) = self.losses.take() else { return Ok(()) };
        let columns = [("rn", pg_sys::INT8OID), ("ord", pg_sys::INT4OID), ("winner", pg_sys::INT8OID)];
        let mut losers = Store::with_columns(&columns);
        for (row, ord, winner) in losses.withdrawn() {
            losers.put(&[row.into_datum(), ord.into_datum(), winner.into_datum()]);
        }
        self.stores.losers = Some(losers);
        self.replace_problems(&self.statements().without_withdrawn())?;
        self.stores.losers = None;
        Ok(())
    }

    /// Writes a chunk. Where a row fails that is not the last one: writes what comes before it, and reports it.
    fn write_chunk(&mut self, kind: Write, range: Range) -> Result<Chunk> {
        let order = self.order(kind, range);
        let Err(stumble) = self.try_range(kind, range, order)? else { return Ok(Chunk::Written) };
        if self.find_alike(range.first, &stumble.failure)? {
            return Ok(Chunk::Again);
        }
        if order != Order::Source {
            return Ok(Chunk::Unsorted);
        }
        let Some(last) = (range.first..=range.last).rev().find(|row| self.is_wanted(kind, *row)) else {
            return Ok(Chunk::Written);
        };
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

    /// Rows for which there is no partition are many where there is one: all from `first` on are found at once. False: nothing of the kind.
    fn find_alike(&mut self, first: i64, failure: &Failure) -> Result<bool> {
        let unrouted = failure.sqlstate == "23514" && failure.constraint.is_none() && self.table.kind == "p";
        if !unrouted || std::mem::replace(&mut self.routed, true) {
            return Ok(false);
        }
        let range = Range { first, last: self.total };
        let rest = self.read(range, |run, row| !run.is_dead(row) && !run.landed.contains(row));
        self.stores.part = Some(rest);
        let mut found = Vec::new();
        for of in self.catalog_first(|| catalog::partitioned(self.table.oid.into()))? {
            let sql = self.statements().find_unrouted(&self.rows, &of);
            // Where a row lacks a value that decides, the executor finds out.
            found.extend(self.attempt_fetch(&sql, How::default())?.ok());
        }
        self.stores.part = None;
        self.read_to = i64::MAX;
        let mut rows = Vec::new();
        for mut problems in found {
            problems.each(|problem| {
                rows.push(problem.number(1));
                Ok(())
            })?;
            self.add_problems(problems);
        }
        for row in &rows {
            self.release(*row)?;
        }
        Ok(!rows.is_empty())
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
            && self.deferred.is_none()
            && !self.reports_all()
            && (!self.contested
                || self.losses.is_none() && !table.before_update && table.keys.iter().all(|key| self.is_foreseen(key)))
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
        if self.turn.0 != kind && !self.in_order {
            self.turn.1 = 0;
        }
        self.turn.0 = kind;
        let how = WriteOptions { order, ..self.write_options(kind) };
        let outcome = self.with_part(kind, range, |run| {
            if order == Order::IndexesLast { run.insert_indexes_last() } else { run.write_part(kind, how) }
        })?;
        let placed = match outcome {
            Ok(placed) => placed,
            Err(stumble) => return Ok(Err(stumble)),
        };
        self.turn.1 = self.turn.1.max(range.last);
        self.written = true;
        if attempt::nest_level() - self.level >= MOST_OPEN {
            attempt::close_to(self.level, true);
        }
        if how.track && order != Order::IndexesLast {
            self.note_landed(placed)?;
            self.settle_losers(kind, range)?;
        }
        Ok(Ok(()))
    }

    /// Writes the rows that stand in for all; returns those that went in, where that is to be known.
    fn write_part(&self, kind: Write, how: WriteOptions) -> Result<std::result::Result<Store, Stumble>> {
        let lookups = if kind == Write::Update { ROW_BY_ROW } else { &[] };
        let then = self.deferred.as_ref();
        let write = self.statements().write(&self.rows, kind, how);
        self.attempt_fetch(&write, How { lookups, then, as_caller: true, open: true, ..How::default() })
    }

    fn insert_indexes_last(&self) -> Result<std::result::Result<Store, Stumble>> {
        let how = WriteOptions { order: Order::IndexesLast, ..WriteOptions::default() };
        let write = self.statements().write(&self.rows, Write::Insert, how);
        let stores = self.stores.all();
        let outcome = self.attempt_to(|| {
            Ok(attempt::attempt_work_open(|| bulk::insert(&write, &stores)).map_err(Failure::of_one_way))
        })?;
        Ok(outcome.map(|_| Store::new()))
    }

    fn write_options(&self, kind: Write) -> WriteOptions {
        let place = self.table.readable && !self.table.row_security;
        let key = place && self.reports_all();
        match kind {
            Write::Update => WriteOptions { track: true, place, match_key: self.match_key, ..WriteOptions::default() },
            Write::Insert => {
                let unforeseen = self.unforeseen();
                let deferrable = self.table.keys.iter().any(|k| k.deferrable);
                WriteOptions {
                    track: unforeseen || self.reports_all() || self.contested,
                    place,
                    key,
                    do_nothing: unforeseen && !deferrable,
                    ..WriteOptions::default()
                }
            }
        }
    }

    // ---- rows that stand in for all -----------------------------------------------------------------------------

    /// Runs `work` where the clean rows of one kind in a range stand in for all rows.
    fn with_part<T>(&mut self, kind: Write, range: Range, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let moved = kind == Write::Update && self.written;
        if range.first > 1 || range.last < self.total || moved {
            let part = self.pick(range, |run, row| run.is_wanted(kind, row));
            self.stores.part = Some(part);
        }
        if moved {
            self.find_targets_again()?;
        }
        let outcome = work(self);
        self.stores.part = None;
        outcome
    }

    /// What this run has written, with its triggers, may have moved rows that others are to update.
    fn find_targets_again(&mut self) -> Result<()> {
        let (Some(position), Some(part)) = (self.match_key, &self.stores.part) else { return Ok(()) };
        let sql = self.statements().find_again(&self.table.keys[position], &self.rows);
        let how = How { lookups: self.lookups_of(part.rows())?, ..How::default() };
        // An expression that fails over a row has failed before.
        if let Ok(part) = self.attempt_fetch(&sql, how)? {
            self.stores.part = Some(part);
        }
        Ok(())
    }

    /// Runs `work` where just these rows stand in for all; in their order.
    fn with_rows<T>(&mut self, rows: &[i64], work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return work(self) };
        let range = Range { first: *first, last: *last };
        let before = self.stores.part.take();
        self.stores.part = Some(self.pick(range, |_, row| rows.binary_search(&row).is_ok()));
        let outcome = work(self);
        self.stores.part = before;
        outcome
    }

    /// Copies rows of a range. They are looked for in the chunk in hand, if it has them.
    fn pick(&mut self, range: Range, wanted: impl Fn(&Self, i64) -> bool) -> Store {
        if let Some(mut window) = self.window.take() {
            if window.range.first <= range.first && range.last <= window.range.last {
                let mut part = window.rows.like();
                window.rows.rewind();
                window.rows.copy_to(range.last, &mut part, |row| row >= range.first && wanted(self, row));
                self.window = Some(window);
                return part;
            }
            self.window = Some(window);
        }
        self.read(range, wanted)
    }

    /// The same from all rows: it goes on where it last ended, if it can.
    fn read(&mut self, range: Range, wanted: impl Fn(&Self, i64) -> bool) -> Store {
        let as_they_came = self.stores.rows.is_none();
        let mut rows = self.stores.rows.take().unwrap_or_else(|| std::mem::replace(&mut self.stores.raw, Store::new()));
        if range.first <= self.read_to {
            rows.rewind();
        }
        self.read_to = range.last;
        let mut part = rows.like();
        rows.copy_to(range.last, &mut part, |row| row >= range.first && wanted(self, row));
        if as_they_came {
            self.stores.raw = rows
        } else {
            self.stores.rows = Some(rows)
        }
        part
    }

    /// Keeps the rows of a chunk at hand, unless they are all there are.
    fn open_window(&mut self, range: Range) {
        self.window = None;
        if range.first > 1 || range.last < self.total {
            let rows = self.read(range, |_, _| true);
            self.window = Some(Window { rows, range });
        }
    }

    // ---- rows that did not go in --------------------------------------------------------------------------------

    fn note_landed(&mut self, mut placed: Store) -> Result<()> {
        let landed = &mut self.landed;
        placed.each(|row| {
            let place = row.get::<pg_sys::Oid>(2).zip(row.get::<pg_sys::ItemPointerData>(3));
            let place = place.map(|(table, tid)| {
                let (block, number) = item_pointer_get_both(tid);
                (table.to_u32(), block, number)
            });
            landed.add(row.number(1), place);
            Ok(())
        })?;
        if self.reports_all() {
            self.stores.landed.append(&mut placed);
        }
        Ok(())
    }

    /// Rows that the statement passed over in silence: a held key, or a trigger that dropped them.
    fn settle_losers(&mut self, kind: Write, range: Range) -> Result<()> {
        let losers = self.losers(kind, range);
        if losers.is_empty() {
            return Ok(());
        }
        if kind == Write::Insert && self.table.before_insert {
            for some in losers.chunks(EXPLAINED) {
                self.explain_by_triggers(some, true)?;
            }
            for row in losers {
                if self.is_dead(row) {
                    self.release(row)?;
                }
            }
        }
        for row in self.losers(kind, range) {
            self.settle(kind, row)?;
        }
        Ok(())
    }

    /// Clean rows of a range that did not land: a trigger dropped them, or their key was held.
    fn losers(&self, kind: Write, range: Range) -> Vec<i64> {
        let lost = |row: &i64| self.is_wanted(kind, *row) && !self.landed.contains(*row);
        (range.first..=range.last).filter(lost).collect()
    }

    /// Writes one row alone, so that its error, or the lack of one, tells why it did not go in.
    fn settle(&mut self, kind: Write, row: i64) -> Result<()> {
        let range = Range { first: row, last: row };
        let how = WriteOptions { do_nothing: false, ..self.write_options(kind) };
        match self.with_part(kind, range, |run| run.write_part(kind, how))? {
            Err(stumble) => self.blame(kind, row, &stumble.failure),
            Ok(placed) => {
                self.note_landed(placed)?;
                if self.landed.contains(row) || kind == Write::Update && self.was_updated_before(row)? {
                    return Ok(());
                }
                self.report_suppressed(&[row])?;
                self.release(row)
            }
        }
    }

    /// The row of the target that a row wants to update has been updated by another row of the source: reports that.
    fn was_updated_before(&mut self, row: i64) -> Result<bool> {
        let Some(position) = self.match_key else { return Ok(false) };
        let mut others = self.with_rows(&[row], |run| {
            let mut part = run.stores.part.take().expect("the row is picked");
            let sql = run.statements().same_target();
            let found = run.fetch(&sql, How { instead: Some((relations::FIRED, &part)), ..How::default() });
            part.rewind();
            run.stores.part = Some(part);
            found
        })?;
        let mut winner = None;
        others.each(|other| {
            let other = other.number(1);
            if other < row && self.landed.contains(other) {
                winner = Some(winner.map_or(other, |winner: i64| winner.min(other)));
            }
            Ok(())
        })?;
        let Some(winner) = winner else { return Ok(false) };
        let columns = [("rn", pg_sys::INT8OID), ("ord", pg_sys::INT4OID), ("winner", pg_sys::INT8OID)];
        let mut losers = Store::with_columns(&columns);
        losers.put(&[row.into_datum(), key_ord(position).into_datum(), winner.into_datum()]);
        self.stores.losers = Some(losers);
        let sql = self.statements().report_duplicates(position, &self.rows);
        let found = self.with_rows(&[row], |run| run.fetch(&sql, How::default()))?;
        self.stores.losers = None;
        self.add_problems(found);
        Ok(true)
    }

    fn report_suppressed(&mut self, rows: &[i64]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let found =
            self.fetch(&Statements::suppressed(), How { arguments: &[rows.to_vec().into()], ..How::default() })?;
        self.add_problems(found);
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
        let constraint = self.constraint_of(failure)?;
        let mut told = Told::default();
        if kind == Write::Insert && changed_by_trigger {
            told = self.explain_by_triggers(&[row], false)?;
        } else {
            let rows = self.rows.clone();
            let found = self.with_rows(&[row], |run| run.look_again(&rows, 1, false))?;
            for problems in found {
                let problems = self.name_winners(problems)?;
                // What the row wanted under another constraint a trigger may have changed.
                let only = (kind == Write::Update && changed_by_trigger).then_some(constraint.as_deref());
                told.add(self.keep_problems(problems, only)?);
            }
        }
        if told.has(row, constraint.as_deref(), failure.column.as_deref()) {
            return Ok(());
        }
        let held = matches!(failure.sqlstate.as_str(), "23505" | "23P01");
        let position = constraint.as_deref().and_then(|name| self.table.keys.iter().position(|k| k.name == name));
        let mut said = failure.clone();
        if let (true, Some(detail)) = (held, &failure.detail) {
            said.message = format!("{}: {detail}", failure.message);
        }
        let finding = Finding {
            failure: &said,
            columns: match position {
                Some(position) => Some(self.table.keys[position].columns.clone()),
                None => failure.column.clone().map(|c| vec![c]),
            },
            key: match position.filter(|_| !changed_by_trigger) {
                Some(position) => self.key_of_row(position, row)?,
                None => None,
            },
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

    /// The key as the source gives it; a trigger may have made another of it, and then it is not told.
    fn key_of_row(&mut self, position: usize, row: i64) -> Result<Option<String>> {
        let key = &self.table.keys[position];
        if !self.statements().key_is_computable(key, &self.rows) {
            return Ok(None);
        }
        let sql = self.statements().key_of_rows(position, &self.rows);
        let mut told = None;
        self.with_rows(&[row], |run| run.fetch(&sql, How::default()))?.each(|row| {
            told = row.get::<String>(1);
            Ok(())
        })?;
        Ok(told)
    }

    /// Conflicts that have just been found: those with rows that this source has put in are duplicates.
    fn name_winners(&mut self, mut found: Store) -> Result<Store> {
        let (mut tables, mut places, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        let mut met = BTreeSet::new();
        let landed = &mut self.landed;
        found.each(|problem| {
            let holder = problem.get::<pg_sys::Oid>(11).zip(problem.get::<pg_sys::ItemPointerData>(12));
            let Some((table, tid)) = holder else { return Ok(()) };
            let (block, number) = item_pointer_get_both(tid);
            let place = (table.to_u32(), block, number);
            if !met.insert(place) {
                return Ok(());
            }
            if let Some(row) = landed.now_at(place)? {
                tables.push(table);
                places.push(tid);
                rows.push(row);
            }
            Ok(())
        })?;
        if rows.is_empty() {
            return Ok(found);
        }
        let arguments = [tables.into(), places.into(), rows.into()];
        let instead = Some((relations::PROBLEM, &found));
        self.fetch(&self.statements().name_winners(), How { arguments: &arguments, instead, ..How::default() })
    }

    /// Adds problems to the report: all, or only those about a constraint. Returns what they are about.
    fn keep_problems(&mut self, mut found: Store, only: Option<Option<&str>>) -> Result<Told> {
        let mut told = Told::default();
        let mut kept = Vec::new();
        found.each(|problem| {
            let constraint = problem.get::<String>(4);
            let wanted = only.is_none_or(|only| only.is_some() && constraint.as_deref() == only);
            kept.push(wanted);
            if wanted {
                told.0.push((problem.number(1), constraint, problem.get::<Vec<String>>(5).unwrap_or_default()));
            }
            Ok(())
        })?;
        let mut problems = found.like();
        let mut kept = kept.into_iter();
        found.rewind();
        found.copy_to(i64::MAX, &mut problems, |_| kept.next().unwrap_or(false));
        self.add_problems(problems);
        Ok(told)
    }

    /// Fires the BEFORE triggers on rows that did not go in, without inserting them, and looks at what they become. What
    /// the triggers do besides is undone. `silent`: the insert said nothing, so a row that a trigger drops was dropped.
    fn explain_by_triggers(&mut self, losers: &[i64], silent: bool) -> Result<Told> {
        let mut told = Told::default();
        let columns = self.table.columns.iter().filter(|c| {
            let assigned = self.rows.present.contains(&c.attnum);
            !c.generated && (assigned || (c.identity.is_empty() && !c.default_reads.volatile))
        });
        let present: BTreeSet<i16> = columns.map(|c| c.attnum).collect();
        let Some(fired) = self.fire(losers)? else { return Ok(told) };
        let rows = Rows::new(self.table, &self.names.fired, present, false);
        let dropped: Vec<i64> = fired.iter().filter(|(_, text)| text.is_none()).map(|(row, _)| *row).collect();
        if silent {
            self.report_suppressed(&dropped)?;
        }
        let (numbers, texts): (Vec<i64>, Vec<Option<String>>) = fired.into_iter().unzip();
        let count = numbers.len() as i64;
        let sql = self.statements().fill_fired(&rows);
        self.stores.fired =
            Some(self.fetch(&sql, How { arguments: &[numbers.into(), texts.into()], ..How::default() })?);
        let found = self.look_again(&rows, count, true)?;
        self.stores.fired = None;
        for problems in found {
            let problems = self.name_winners(problems)?;
            told.add(self.keep_problems(problems, None)?);
        }
        Ok(told)
    }

    /// What the triggers make of rows, in their order; `None` where a trigger raises: then the row's own error is all
    /// there is to say.
    fn fire(&mut self, losers: &[i64]) -> Result<Option<Fired>> {
        let sql = self.statements().rows_to_fire(&self.rows);
        let mut shown = self.with_rows(losers, |run| run.fetch(&sql, How::default()))?;
        let mut fired = Vec::new();
        let outcome = self.attempt_to(|| {
            fired.clear();
            let work = || {
                trigger::fire_before_insert(self.table.oid.into(), &mut shown, |number, row| fired.push((number, row)))
            };
            Ok(attempt::attempt_work(|| attempt::rehearse(work)))
        })?;
        Ok(outcome.is_ok().then_some(fired))
    }
}

/// Rows as the triggers leave them, as texts; `None`: dropped.
type Fired = Vec<(i64, Option<String>)>;

/// What has been told of rows: row, constraint, columns.
#[derive(Default)]
struct Told(Vec<(i64, Option<String>, Vec<String>)>);

impl Told {
    fn add(&mut self, other: Told) {
        self.0.extend(other.0);
    }

    /// Whether a row has been told about a constraint, or where there is none about a column.
    fn has(&self, row: i64, constraint: Option<&str>, column: Option<&str>) -> bool {
        self.0.iter().any(|(told, about, columns)| {
            *told == row
                && match (constraint, column) {
                    (Some(constraint), _) => about.as_deref() == Some(constraint),
                    (None, Some(column)) => columns.iter().any(|c| c == column),
                    (None, None) => false,
                }
        })
    }
}
