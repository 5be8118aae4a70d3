//! From the source to rows in the target's types.

use crate::db::attempt;
use crate::db::catalog::Known;
use crate::db::convert::{self, BadValue, Target};
use crate::db::progress::Phase;
use crate::db::query;
use crate::db::source::{self, Described};
use crate::db::sql::Sql;
use crate::db::store::Store;
use crate::error::{Error, Result};
use crate::import::plan::{self, Assignment, Blame, OnConflict};
use crate::import::run::{Finding, How, Run};
use crate::import::statements::{ORD_CONVERSION, Rows, Statements};
use std::collections::{BTreeMap, BTreeSet};

/// Raises what Postgres would raise for the write itself: a missing right, above all. No row is touched.
pub fn check_rights(run: &Run, known: &Known) -> Result<()> {
    let (table, statements) = (run.table, run.statements());
    let check = |statement: Sql| {
        known.allows(&statement, || run.catalog_first(|| Ok(attempt::attempt(&statement).map(|_| ())?)))
    };
    check(statements.explain_insert())?;
    if run.request.on_conflict == OnConflict::Update {
        check(statements.explain_update(run.match_key))?;
        if !table.readable {
            return Err(Error::new("42501", format!("permission denied for table {}", table.relname))
                .detail("on_conflict => 'update' reads the rows that it updates.")
                .hint(format!("GRANT SELECT ON {} TO the importing role.", table.name)));
        }
    }
    for position in 0..table.keys.len() {
        check(statements.explain_holders(position)).map_err(|error| {
            error.detail("An import looks up who holds a key: it reads the key's columns, and the primary key's.").hint(
                format!("GRANT SELECT ON {} TO the importing role, for the table or for these columns.", table.name),
            )
        })?;
    }
    Ok(())
}

/// The columns of the source, of which no row is read.
pub fn describe_source(source: &Sql) -> Result<Vec<Described>> {
    let sql = Statements::describe_source(source);
    let mut store = Store::new();
    query::fill(&mut store, &sql, &[])?;
    let columns = store.description().into_iter();
    Ok(columns
        .map(|(name, type_oid, typmod, collation)| Described {
            name,
            type_oid: type_oid.to_u32(),
            typmod,
            collation_oid: collation.to_u32(),
        })
        .collect())
}

impl Run<'_> {
    /// Reads the source once, in its order, as the caller would read it.
    pub fn read_source(&mut self, source: &Sql) -> Result<()> {
        self.enter(Phase::Reading);
        let sql = Statements::read_source(&self.names, source);
        source::read_into(&mut self.stores.raw, &sql)?;
        self.total = self.stores.raw.rows();
        self.progress.rows_total = self.total;
        Ok(())
    }

    /// Puts the rows into the target's types. What does not fit is reported.
    pub fn convert_source(&mut self) -> Result<()> {
        let present: BTreeSet<i16> = self.assignments.iter().map(|a| a.column.attnum).collect();
        self.rows = Rows::new(self.table, &self.names.rows, present, false);
        if self.assignments.iter().all(|a| a.conversion.is_none()) {
            return Ok(());
        }
        let columns: Vec<_> = self
            .assignments
            .iter()
            .map(|a| (a.column.name.as_str(), a.column.type_oid.into(), a.column.typmod, a.column.collation_oid.into()))
            .collect();
        let mut rows = Store::typed(&self.names.row_name, &columns);
        let given = self.stores.raw.description();
        let targets: Vec<Target> = self.assignments.iter().map(|a| target(a, &given)).collect();
        let mut bad = Vec::new();
        convert::convert(&mut self.stores.raw, &mut rows, &targets, |value| {
            if plan::blame(&value.failure.sqlstate) != Blame::Row {
                return Err(value.failure.into());
            }
            bad.push(value);
            Ok(())
        })?;
        self.stores.rows = Some(rows);
        self.report_bad_values(bad)
    }

    /// Each with the value that the source has.
    fn report_bad_values(&mut self, bad: Vec<BadValue>) -> Result<()> {
        let mut rows: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
        bad.iter().for_each(|value| rows.entry(value.target).or_default().push(value.row));
        let mut values = BTreeMap::new();
        for (target, rows) in rows {
            let sql = self.statements().values_of(&self.assignments[target]);
            let mut given = self.fetch(&sql, How { arguments: &[rows.into()], ..How::default() })?;
            given.each(|row| {
                values.insert((row.number(1), target), row.get::<String>(2));
                Ok(())
            })?;
        }
        for value in bad {
            let finding = Finding {
                failure: &value.failure,
                constraint: value.failure.constraint.clone(),
                columns: Some(vec![self.assignments[value.target].column.name.clone()]),
                key: values.remove(&(value.row, value.target)).flatten(),
            };
            self.report_failure(value.row, ORD_CONVERSION, "invalid", &finding)?;
            self.unconverted = true;
        }
        Ok(())
    }

    /// With `on_conflict => 'update'`: finds the row that each source row updates, and locks it.
    pub fn merge(&mut self) -> Result<()> {
        let Some(position) = self.match_key else { return Ok(()) };
        let key = &self.table.keys[position];
        let sql = self.statements().merge(key, &self.rows);
        let how = How { lookups: self.lookups_of(self.total)?, ..How::default() };
        let merged = match self.attempt_fetch(&sql, how)? {
            Ok(merged) => merged,
            Err(stumble) => {
                if !self.find_poison()? {
                    return Err(stumble.failure.into());
                }
                match self.attempt_fetch(&sql, how)? {
                    Ok(merged) => merged,
                    Err(stumble) => return Err(stumble.failure.into()),
                }
            }
        };
        let assigned: BTreeSet<i16> = self.assignments.iter().map(|a| a.column.attnum).collect();
        let generated = self.table.columns.iter().filter(|c| c.generated).map(|c| c.attnum);
        let mut present: BTreeSet<i16> = self.rows.known.union(&assigned).copied().collect();
        for column in generated {
            present.remove(&column);
        }
        self.stores.part = None;
        self.stores.rows = Some(merged);
        self.rows = Rows::new(self.table, &self.names.rows, present, true);
        let mut updates = self.fetch(&self.statements().updates(), How::default())?;
        updates.each(|row| {
            self.updates.insert(row.number(1));
            Ok(())
        })
    }
}

fn target(assignment: &Assignment, given: &[(String, pgrx::pg_sys::Oid, i32, pgrx::pg_sys::Oid)]) -> Target {
    let column = &assignment.column;
    let position = given.iter().position(|(name, ..)| *name == column.name).expect("the source has the column");
    Target {
        from: position as i16 + 1,
        coercion: assignment.conversion,
        type_oid: column.type_oid.into(),
        typmod: column.typmod,
        base_oid: column.base_oid.into(),
    }
}
