//! From the source to rows in the target's types.

use crate::db::attempt;
use crate::db::catalog::Table;
use crate::db::expression;
use crate::db::progress::Phase;
use crate::db::session;
use crate::db::spi;
use crate::db::sql::{Sql, sql};
use crate::error::{Error, Result};
use crate::import::plan::{self, Assignment, OnConflict, Request, SourceColumn};
use crate::import::run::{Finding, Run, Stumble};
use crate::import::statements::{Names, ORD_CONVERSION, Rows, Statements};
use std::collections::BTreeSet;

/// Raises what Postgres would raise for the write itself: a missing right, above all. No row is touched.
pub fn check_rights(run: &Run) -> Result<()> {
    let (table, statements) = (run.table, run.statements());
    run.execute(&statements.explain_insert())?;
    if run.request.on_conflict == OnConflict::Update {
        run.execute(&statements.explain_update(run.match_key))?;
        if !table.readable {
            return Err(Error::new("42501", format!("permission denied for table {}", table.relname))
                .detail("on_conflict => 'update' reads the rows that it updates.")
                .hint(format!("GRANT SELECT ON {} TO the importing role.", table.name)));
        }
    }
    for position in 0..table.keys.len() {
        run.catalog_first(|| {
            attempt::attempt(&statements.explain_holders(position)).map_err(|failure| {
                Error::from(failure)
                    .detail("An import looks up who holds a key: it reads the key's columns, and the primary key's.")
                    .hint(format!(
                        "GRANT SELECT ON {} TO the importing role, for the table or for these columns.",
                        table.name
                    ))
            })
        })?;
    }
    Ok(())
}

/// Refuses a caller who may not create temporary tables, before Postgres does so by the name of their schema.
pub fn check_temporary() -> Result<()> {
    let allowed = spi::value::<bool>(
        "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')",
        &[],
    )?;
    if allowed == Some(true) {
        return Ok(());
    }
    Err(Error::new("42501", "permission denied to create temporary tables")
        .detail("An import keeps its source and its report in temporary tables.")
        .hint("GRANT TEMPORARY ON DATABASE ... TO the importing role."))
}

/// Creates `raw` for the source, still empty, and pairs its columns with the target's.
pub fn describe_source(names: &Names, table: &Table, request: &Request, query: &Sql) -> Result<Vec<Assignment>> {
    spi::execute(&Statements::create_raw(names, query))?;
    let columns: Vec<SourceColumn> = spi::document(&Statements::columns_of_raw(names), &[])?;
    plan::assign_columns(table, &columns, request.row_id.as_deref(), |from, to| {
        expression::coercion(from.into(), to.into())
    })
}

impl Run<'_> {
    /// Reads the source once, in its order, as the caller would read it.
    pub fn read_source(&mut self, query: &Sql) -> Result<()> {
        self.enter(Phase::Reading);
        let fill = Statements::fill_raw(&self.names, query);
        // A parallel or synchronized scan would return a table's rows in another order each time.
        let ordered = [("synchronize_seqscans", "off"), ("max_parallel_workers_per_gather", "0")];
        let rows = session::with_settings(&ordered, || spi::execute(&fill))?;
        self.total = i64::try_from(rows).unwrap_or(i64::MAX);
        self.progress.rows_total = self.total;
        Ok(())
    }

    /// Puts the rows into the target's types. What does not fit is reported.
    pub fn convert_source(&mut self) -> Result<()> {
        let present: BTreeSet<i16> = self.assignments.iter().map(|a| a.column.attnum).collect();
        if self.assignments.iter().all(|a| a.conversion.is_none()) {
            self.rows = Rows::new(self.table, &self.names.raw, present, false);
        } else {
            self.converted = true;
            self.rows = Rows::new(self.table, &self.names.staged, present.clone(), false);
            self.execute(&self.statements().create_typed(&self.names.staged, &present))?;
            let convert = self.statements().convert();
            if self.attempt_as_caller(&[], &convert)?.is_err() {
                self.find_bad_values()?;
                if let Err(stumble) = self.attempt_as_caller(&[], &convert)? {
                    return Err(stumble.failure.into());
                }
                // A domain that is NOT NULL cannot hold the gap: then those rows are reported for the bad value alone.
                let _ = self.attempt_as_caller(&[], &self.statements().convert_rest())?;
            }
        }
        Ok(())
    }

    /// Looks at one column after the other, and goes on behind each value that fails.
    fn find_bad_values(&mut self) -> Result<()> {
        let raw = self.names.raw.clone();
        self.index_by_number(&raw)?;
        for assignment in self.assignments.iter().filter(|a| a.conversion.is_some()) {
            let only = BTreeSet::from([assignment.column.attnum]);
            self.execute(&self.statements().create_typed(&self.names.probe, &only))?;
            let mut after = 0;
            while let Err(stumble) =
                self.attempt_as_caller(&[], &self.statements().convert_column(assignment, after))?
            {
                if stumble.row <= after {
                    return Err(stumble.failure.into());
                }
                after = stumble.row;
                self.report_bad_value(assignment, &stumble)?;
            }
            self.execute(&sql!("DROP TABLE {probe}", probe = self.names.probe))?;
        }
        Ok(())
    }

    fn report_bad_value(&self, assignment: &Assignment, stumble: &Stumble) -> Result<()> {
        let value = self.value::<String>(&self.statements().value_of(assignment), &[stumble.row.into()])?;
        let finding = Finding {
            failure: &stumble.failure,
            constraint: stumble.failure.constraint.clone(),
            columns: Some(vec![assignment.column.name.clone()]),
            key: value,
        };
        self.report_failure(stumble.row, ORD_CONVERSION, "invalid", &finding)
    }

    /// With `on_conflict => 'update'`: finds the row that each source row updates, and locks it.
    pub fn merge(&mut self) -> Result<()> {
        let Some(position) = self.match_key else { return Ok(()) };
        let key = &self.table.keys[position];
        if let Err(stumble) = self.attempt(&self.statements().create_merged(key, &self.rows))? {
            if !self.find_poison(&self.rows.clone())? {
                return Err(stumble.failure.into());
            }
            self.rows.poisoned = true;
            if let Err(stumble) = self.attempt(&self.statements().create_merged(key, &self.rows))? {
                return Err(stumble.failure.into());
            }
        }
        let assigned: BTreeSet<i16> = self.assignments.iter().map(|a| a.column.attnum).collect();
        let generated = self.table.columns.iter().filter(|c| c.generated).map(|c| c.attnum);
        let mut present: BTreeSet<i16> = self.rows.known.union(&assigned).copied().collect();
        for column in generated {
            present.remove(&column);
        }
        self.rows = Rows { poisoned: self.rows.poisoned, ..Rows::new(self.table, &self.names.merged, present, true) };
        Ok(())
    }

    /// Lets the planner find the rows, and where they went, by number.
    pub fn index_rows(&mut self) -> Result<()> {
        let (relation, landed) = (self.rows.relation.clone(), self.names.landed.clone());
        self.index_by_number(&relation)?;
        if self.indexed.insert(landed) {
            self.execute(&self.statements().index_landed())?;
        }
        Ok(())
    }
}
