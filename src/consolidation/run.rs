//! What the functions on the user's own table have in common: what they ask of the session and the table, and how their statements run.

use crate::consolidation::plan::{self, Room};
use crate::consolidation::statements::{self, Target};
use crate::db::attempt;
use crate::db::catalog::{Column, Table};
use crate::db::query::{Lookups, Query};
use crate::db::store::Store;
use crate::db::{session, spi};
use crate::error::{Error, Result};
use crate::import::job::IN_BULK;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;

/// Rows of a store that are found by their place in the table.
pub const BY_PLACE: Lookups = &[("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("enable_seqscan", "off")];

/// What a statement returns, as a store. No name in it can mean anything but the system's, or a row of the run.
pub fn derive(
    sql: &str,
    arguments: &[DatumWithOid],
    stores: &[(&'static str, &Store)],
    lookups: Lookups,
) -> Result<Store> {
    let mut rows = Store::new();
    session::with_system_names(|| Query::over(sql, arguments, stores, lookups).fill(&mut rows, &mut |_| {}))?;
    Ok(rows)
}

/// Raises what Postgres would raise for the write itself: a missing right, above all. It leaves no lock behind.
pub fn check_rights(target: &Target) -> Result<()> {
    if session::in_recovery() {
        return check_privileges(target);
    }
    attempt::rehearse(|| spi::execute(&target.check_rights()))?;
    Ok(())
}

/// The same on a standby, where not even the plan of a write is made.
fn check_privileges(target: &Target) -> Result<()> {
    let columns = [Some(&target.columns.login), target.flag];
    for column in columns.into_iter().flatten() {
        let allowed = spi::value::<bool>(
            "SELECT pg_catalog.has_column_privilege($1, $2, 'UPDATE')",
            &[pg_sys::Oid::from(target.table.oid).into(), column.attnum.into()],
        )?;
        if allowed != Some(true) {
            return Err(Error::new("42501", format!("permission denied for table {}", target.table.relname)));
        }
    }
    Ok(())
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

/// Refuses a session in which nothing can be written.
pub fn check_writable(function: &str, dry_run: bool) -> Result<()> {
    if !session::read_only() {
        return Ok(());
    }
    let error = Error::new("25006", format!("cannot execute {function}() in a read-only transaction"))
        .hint("Run it in a read-write transaction on the primary.");
    Err(if dry_run {
        error.detail("A dry run writes too, and rolls back, so that triggers and constraints have their say.")
    } else {
        error
    })
}

/// Finds whether each row of a group has a name, which is its site and its row_id. A unique key says so; else they are looked at.
pub fn check_row_ids(target: &Target, kept: &Store) -> Result<()> {
    let (site, row_id) = (&target.columns.site, &target.columns.row_id);
    let tells = |attnum| [site, row_id].into_iter().any(|column| column.attnum == attnum && column.not_null);
    let unique = target.table.keys.iter().any(|key| {
        !key.exclusion && !key.deferrable && key.predicate.is_none() && key.parts.iter().all(|part| tells(part.attnum))
    });
    if unique && row_id.not_null {
        return Ok(());
    }
    derive(statements::FIND_UNNAMED, &[], &[("kept", kept)], IN_BULK)?.each(|row| {
        let of_site = row.text(2)?.map_or_else(|| "without a site".to_string(), |site| format!("of site {site}"));
        let detail = match row.text(3)? {
            Some(row) => format!("Several rows {of_site} have the value {row} in \"{}\".", row_id.name),
            None => format!("A row {of_site} has no value in \"{}\".", row_id.name),
        };
        Err(Error::invalid_argument("site and row_id do not tell one row")
            .detail(detail)
            .hint("Name a column that is unique within each site, such as the primary key."))
    })
}

/// The column that is set on renamed rows.
pub fn flag_column(table: &Table, name: Option<&str>) -> Result<Option<Column>> {
    let Some(name) = name else { return Ok(None) };
    let column = plan::column(table, "flag", name)?;
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
