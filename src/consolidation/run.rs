//! One consolidation: how it runs its statements on the user's table and on its own temporary tables.

use crate::consolidation::allot::{Allotment, Taken, Wish, hash};
use crate::consolidation::members::{Groups, Member};
use crate::consolidation::plan::Room;
use crate::consolidation::roll::{self, Roll};
use crate::consolidation::statements::{self, Target};
use crate::db::attempt::{self, Failure};
use crate::db::catalog::{Column, Table};
use crate::db::{allocate, session, source, spi};
use crate::error::{Error, Result};
use crate::import::plan::{self, Blame};
use pgrx::pg_sys;
use std::collections::BTreeMap;

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

    /// The rows that share a name, and the keys that begin as a new name would.
    pub fn find_groups(&self, prefixes: &BTreeMap<String, String>) -> Result<(Groups, Taken)> {
        let rows = usize::try_from(spi::number(&self.target.count_roughly(), &[])?).unwrap_or(0);
        let roll = Roll::new(self.target.normalize, prefixes.clone(), rows, session::work_mem_bytes());
        let roll = roll::with_roll(roll, || {
            self.on_target(&self.target.note_names())?;
            self.on_target(&self.target.keep_rows())?;
            Ok::<_, Error>(())
        })?;
        let groups = Groups::new(roll.members, roll.sites);
        self.check_row_ids(&groups)?;
        Ok((groups, roll.taken))
    }

    /// A column with a unique key tells one row; another one is looked at.
    fn check_row_ids(&self, groups: &Groups) -> Result<()> {
        let row_id = &self.target.columns.row_id;
        let unique = self.target.table.keys.iter().any(|key| {
            !key.exclusion
                && !key.deferrable
                && key.predicate.is_none()
                && key.parts.len() == 1
                && key.parts[0].attnum == row_id.attnum
        });
        if unique && row_id.not_null {
            return Ok(());
        }
        match groups.ambiguous_row() {
            None => Ok(()),
            Some(row) => Err(Error::invalid_argument("row_id does not tell one row")
                .detail(format!("Several rows have the value {row} in \"{}\".", row_id.name))
                .hint("Name a column that is unique over all sites, such as the primary key.")),
        }
    }

    /// Keys of names that are never given: those of a relation or query of the caller's.
    pub fn take_reserved(&self, reserved: &str, taken: &mut Taken) -> Result<()> {
        let hint = "Give a relation or a query with the names alone: 'SELECT name FROM reserved_names'.";
        self.take(&source::list(reserved, "reserved", "reserved", hint)?, taken)
    }

    /// Former names of this table's rows stand in the records, which only the extension's owner reads.
    pub fn take_former(&self, taken: &mut Taken) -> Result<()> {
        let sql = statements::former(&self.target.table.name);
        session::as_extension_owner(|| self.take(&sql, taken))
    }

    fn take(&self, names: &str, taken: &mut Taken) -> Result<()> {
        spi::stream(names, |row| {
            let name = row.get::<String>(1)?.unwrap_or_default();
            allocate::insert(taken, hash(&self.target.normalize.key_of(&name)))
        })
    }

    /// Gives each wish a name that nobody has.
    pub fn allot<'a>(&self, wishes: Vec<Wish<'a>>, room: Room, taken: &mut Taken) -> Result<Allotment<'a>> {
        let mut allotment = Allotment::new(self.target.normalize, room, wishes);
        allotment.settle(taken, |keys| spi::document(&self.target.find_keys(), &[keys.into()]))?;
        Ok(allotment)
    }

    /// Gives rows their new names. For each: the name that it has now; None where the table left it as it was. Where it made
    /// something else of one, that must be nobody else's.
    pub fn rename(&self, rows: &[&Member], names: &[&str]) -> Result<Vec<Option<String>>> {
        let tables: Vec<pg_sys::Oid> = rows.iter().map(|row| row.table.into()).collect();
        let places: Vec<String> = rows.iter().map(|row| format!("({},{})", row.place.0, row.place.1)).collect();
        let given: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let arguments = || vec![tables.into(), places.into(), given.into()];
        // Each row is found by its place.
        let by_place = [("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("enable_seqscan", "off")];
        let mut now = vec![None; rows.len()];
        session::with_settings(&by_place, || {
            spi::read_built(&self.target.rename(), arguments, |row| {
                for n in row.get::<Vec<i64>>(1)?.unwrap_or_default() {
                    now[n as usize - 1] = Some(names[n as usize - 1].to_string());
                }
                let changed = row.get::<Vec<i64>>(2)?.unwrap_or_default();
                let changed_to = row.get::<Vec<Option<String>>>(3)?.unwrap_or_default();
                for (n, login) in changed.into_iter().zip(changed_to) {
                    let n = n as usize - 1;
                    let login = login.unwrap_or_default();
                    now[n] = (*login != *rows[n].login).then_some(login);
                }
                Ok(())
            })
        })?;
        self.check_changed(names, &now)?;
        Ok(now)
    }

    fn check_changed(&self, names: &[&str], now: &[Option<String>]) -> Result<()> {
        let key = |name: &String| self.target.normalize.key_of(name).into_owned();
        let changed = names.iter().zip(now).filter_map(|(name, now)| now.as_ref().filter(|now| now != name));
        let keys: Vec<String> = changed.map(key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let Some(shared) = spi::value::<String>(&self.target.find_shared_key(), &[keys.into()])? else { return Ok(()) };
        Err(Error::new("23505", "the table made of a new name one that another row has")
            .detail(format!("Two rows have the name \"{shared}\" now. A trigger or the column's type changes names."))
            .hint("Nothing was renamed. Give max_length, so that names fit as they are, or change the trigger."))
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

/// Names that others have given since a snapshot would not be seen: under a lock as well.
pub fn check_isolation(function: &str) -> Result<()> {
    if !session::keeps_snapshot() {
        return Ok(());
    }
    Err(Error::new("0A000", format!("{function}() does not run under REPEATABLE READ or SERIALIZABLE"))
        .detail("It has to see every name that others have given by the time it has its lock.")
        .hint("Run it in a transaction of isolation level READ COMMITTED; a dry run may take any."))
}

pub fn check_session(function: &str) -> Result<()> {
    if session::read_only() {
        return Err(Error::new("25006", format!("cannot execute {function}() in a read-only transaction"))
            .hint("It keeps its findings in temporary tables: run it in a read-write transaction on the primary."));
    }
    check_temporary()
}

/// Refuses a caller who may not create temporary tables, before Postgres does so by the name of their schema.
fn check_temporary() -> Result<()> {
    let allowed = spi::value::<bool>(
        "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')",
        &[],
    )?;
    if allowed == Some(true) {
        return Ok(());
    }
    Err(Error::new("42501", "permission denied to create temporary tables")
        .detail("It keeps its findings in temporary tables.")
        .hint("GRANT TEMPORARY ON DATABASE ... TO the calling role."))
}

/// The column that is set on renamed rows.
pub fn flag_column(table: &Table, name: Option<&str>) -> Result<Option<Column>> {
    let Some(name) = name else { return Ok(None) };
    let column = crate::consolidation::plan::column(table, "flag", name)?;
    let base = pg_sys::Oid::from(column.base_oid);
    let numeric = [pg_sys::INT2OID, pg_sys::INT4OID, pg_sys::INT8OID, pg_sys::NUMERICOID].contains(&base);
    if numeric || statements::is_boolean(&column) {
        return Ok(Some(column));
    }
    Err(Error::new("42804", format!("the flag column \"{name}\" is neither a number nor a boolean"))
        .detail(format!("It has the type {}.", column.type_name))
        .hint("Name an int or a boolean column."))
}

/// What fits a column of names.
pub fn room(table: &Table, column: &Column) -> Result<Room> {
    let base = pg_sys::Oid::from(column.base_oid);
    Ok(Room {
        characters: column_limit(table, column)?,
        bytes: (base == pg_sys::NAMEOID).then_some(pg_sys::NAMEDATALEN as usize - 1),
        trims: base == pg_sys::BPCHAROID,
    })
}

/// The most characters that a column takes.
fn column_limit(table: &Table, column: &Column) -> Result<Option<i32>> {
    spi::value::<i32>(
        "WITH RECURSIVE t (oid, typmod) AS (
           SELECT a.atttypid, a.atttypmod FROM pg_catalog.pg_attribute AS a
           WHERE a.attrelid OPERATOR(pg_catalog.=) $1 AND a.attnum OPERATOR(pg_catalog.=) $2
           UNION ALL
           SELECT y.typbasetype, y.typtypmod FROM t JOIN pg_catalog.pg_type AS y ON y.oid OPERATOR(pg_catalog.=) t.oid
           WHERE y.typtype OPERATOR(pg_catalog.=) 'd')
         SELECT pg_catalog.min(t.typmod OPERATOR(pg_catalog.-) 4) FROM t
         WHERE t.oid OPERATOR(pg_catalog.=) ANY ('{pg_catalog.varchar,pg_catalog.bpchar}'::pg_catalog.regtype[])
           AND t.typmod OPERATOR(pg_catalog.>) 4",
        &[pg_sys::Oid::from(table.oid).into(), column.attnum.into()],
    )
}
