//! One consolidation: how it runs its statements on the user's table and on its own temporary tables.

use crate::consolidation::plan::Normalize;
use crate::consolidation::statements::{self, Target};
use crate::db::attempt::{self, Failure};
use crate::db::catalog::{Column, Table};
use crate::db::{session, spi};
use crate::error::{Error, Result};
use crate::import::plan::{self, Blame};
use crate::import::{job, stage};

pub struct Run<'a> {
    pub target: Target<'a>,
}

impl Run<'_> {
    /// Runs a statement on the user's table, under his search path.
    pub fn on_target(&self, sql: &str) -> Result<u64> {
        spi::execute(sql)
    }

    /// Runs a statement on temporary tables, where no name can mean anything but the system's.
    pub fn own(&self, sql: &str) -> Result<u64> {
        session::with_system_names(|| spi::execute(sql))
    }

    pub fn number_of(&self, sql: &str) -> Result<i64> {
        session::with_system_names(|| spi::number(sql, &[]))
    }

    /// repeated, member, prefix and grouped.
    pub fn find_groups(&self, prefixes: &[(String, String)]) -> Result<()> {
        let (sites, texts): (Vec<String>, Vec<String>) = prefixes.iter().cloned().unzip();
        self.on_target(&self.target.find_repeated())?;
        self.on_target(&self.target.find_members(&texts))?;
        session::with_system_names(|| spi::execute_with(statements::CREATE_PREFIXES, &[sites.into(), texts.into()]))?;
        self.own(&statements::group())?;
        self.check_row_ids()
    }

    /// A column with a unique key tells one row; another one is looked at.
    fn check_row_ids(&self) -> Result<()> {
        let row_id = &self.target.columns.row_id;
        let unique = self.target.table.keys.iter().any(|key| {
            !key.exclusion && key.predicate.is_none() && key.parts.len() == 1 && key.parts[0].attnum == row_id.attnum
        });
        if unique && row_id.not_null {
            return Ok(());
        }
        match session::with_system_names(|| spi::value::<String>(statements::AMBIGUOUS_ROW, &[]))? {
            None => Ok(()),
            Some(row) => Err(Error::invalid_argument("row_id does not tell one row")
                .detail(format!("Several rows have the value {row} in \"{}\".", row_id.name))
                .hint("Name a column that is unique over all sites, such as the primary key.")),
        }
    }

    /// Finds a name for each row that waits for one.
    pub fn allocate(&self, max_length: Option<i32>) -> Result<()> {
        allocate(self.target.normalize, max_length, || self.on_target(&self.target.take_odd_names()))
    }

    pub fn take_reserved(&self, source: &str) -> Result<()> {
        let query = stage::source_query(source)?;
        let columns = stage::source_columns(&query)?;
        let [(column, _)] = columns.as_slice() else {
            return Err(Error::invalid_argument("reserved does not have one column")
                .detail(format!("It has {} columns.", columns.len()))
                .hint("Give a relation or a query with the names alone: 'SELECT name FROM reserved_names'."));
        };
        let column = spi::quote_identifier(column);
        self.on_target(&statements::take_reserved(self.target.normalize, &column, &query))?;
        Ok(())
    }

    /// Restores the rows from `first` to `last`; those that the table refuses are found by halves.
    pub fn restore(&self, first: i64, last: i64) -> Result<()> {
        let outcome: std::result::Result<u64, Failure> = attempt::attempt(&self.target.restore(first, last));
        let Err(failure) = outcome else { return Ok(()) };
        if plan::blame(&failure.sqlstate) != Blame::Row {
            return Err(failure.into());
        }
        if first < last {
            let middle = first + (last - first) / 2;
            self.restore(first, middle)?;
            return self.restore(middle + 1, last);
        }
        session::with_system_names(|| {
            spi::execute_with(statements::REFUSE_UNDO, &[first.into(), failure.message.as_str().into()])
        })?;
        Ok(())
    }
}

/// Finds a name for each pending row that waits for one, in rounds. `take_odd` takes, of the new names that do not begin as
/// their prefix does, those that somebody has.
pub fn allocate(normalize: Normalize, max_length: Option<i32>, take_odd: impl Fn() -> Result<u64>) -> Result<()> {
    const BREADTH_MOST: i64 = 1 << 16;
    let own = |sql: &str| session::with_system_names(|| spi::execute(sql));
    let mut breadth = 1;
    loop {
        if session::with_system_names(|| spi::value::<bool>(statements::ANY_ODD, &[]))? == Some(true) {
            take_odd()?;
            own(statements::DROP_ODD)?;
        }
        if session::with_system_names(|| spi::number(statements::WAITING, &[]))? == 0 {
            return Ok(());
        }
        own(statements::TAKE_NEW)?;
        own("ANALYZE pg_temp.pg_identity_pending; ANALYZE pg_temp.pg_identity_taken")?;
        own(&statements::allocate(normalize, max_length, breadth))?;
        breadth = (breadth * 2).min(BREADTH_MOST);
    }
}

pub fn check_session(function: &str) -> Result<()> {
    if session::read_only() {
        return Err(Error::new("25006", format!("cannot execute {function}() in a read-only transaction"))
            .hint("It keeps its findings in temporary tables: run it in a read-write transaction on the primary."));
    }
    job::check_encoding()?;
    stage::check_temporary()
}

/// The column that is set on renamed rows.
pub fn flag_column(table: &Table, name: Option<&str>) -> Result<Option<Column>> {
    let Some(name) = name else { return Ok(None) };
    let column = crate::consolidation::plan::column(table, "flag", name)?;
    let numeric = ["smallint", "integer", "bigint", "numeric"].contains(&column.base_name.as_str());
    if numeric || statements::is_boolean(&column) {
        return Ok(Some(column));
    }
    Err(Error::new("42804", format!("the flag column \"{name}\" is neither a number nor a boolean"))
        .detail(format!("It has the type {}.", column.type_name))
        .hint("Name an int or a boolean column."))
}

/// The most characters that a column takes.
pub fn column_limit(table: &Table, column: &Column) -> Result<Option<i32>> {
    spi::value::<i32>(
        "WITH RECURSIVE t (oid, typmod) AS (
           SELECT a.atttypid, a.atttypmod FROM pg_catalog.pg_attribute AS a
           WHERE a.attrelid OPERATOR(pg_catalog.=) $1 AND a.attnum OPERATOR(pg_catalog.=) $2
           UNION ALL
           SELECT y.typbasetype, y.typtypmod FROM t JOIN pg_catalog.pg_type AS y ON y.oid OPERATOR(pg_catalog.=) t.oid
           WHERE y.typtype OPERATOR(pg_catalog.=) 'd')
         SELECT pg_catalog.min(t.typmod OPERATOR(pg_catalog.-) 4) FROM t
         WHERE t.oid IN ('pg_catalog.varchar'::pg_catalog.regtype, 'pg_catalog.bpchar'::pg_catalog.regtype)
           AND t.typmod OPERATOR(pg_catalog.>) 4",
        &[pgrx::pg_sys::Oid::from(table.oid).into(), column.attnum.into()],
    )
}
