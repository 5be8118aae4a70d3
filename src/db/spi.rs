//! Running SQL in the caller's transaction, with the caller's rights.

use crate::db::allocate;
use crate::db::json::Printed;
use crate::db::session;
use crate::error::{Error, Result};
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::{SpiClient, SpiTupleTable};
use pgrx::{FromDatum, IntoDatum};
use serde::de::DeserializeOwned;

/// Runs one statement; returns the number of rows it processed.
pub fn execute(sql: &str) -> Result<u64> {
    execute_with(sql, &[])
}

pub fn execute_with(sql: &str, args: &[DatumWithOid]) -> Result<u64> {
    Spi::connect_mut(|client| Ok(run(client, sql, None, args)?.len() as u64))
}

/// `update` would take a transaction id, which there is none of on a standby.
pub fn run<'c>(
    client: &'c mut SpiClient,
    sql: &str,
    most: Option<i64>,
    args: &[DatumWithOid],
) -> Result<SpiTupleTable<'c>> {
    Ok(if session::in_recovery() { client.select(sql, most, args)? } else { client.update(sql, most, args)? })
}

/// The one value of a query that returns one row with one column.
pub fn value<T: FromDatum + IntoDatum>(sql: &str, args: &[DatumWithOid]) -> Result<Option<T>> {
    Spi::connect_mut(|client| {
        let rows = run(client, sql, Some(1), args)?;
        if rows.is_empty() {
            return Ok(None);
        }
        Ok(rows.first().get::<T>(1)?)
    })
}

/// As `value`, for a count or another value that is never NULL.
pub fn number(sql: &str, args: &[DatumWithOid]) -> Result<i64> {
    Ok(value::<i64>(sql, args)?.unwrap_or(0))
}

/// Reads the one jsonb value of a query into a Rust type.
pub fn document<T: DeserializeOwned>(sql: &str, args: &[DatumWithOid]) -> Result<T> {
    let json = value::<Printed>(sql, args)?.map_or("null".to_owned(), |json| json.0);
    serde_json::from_str(&json).map_err(|e| Error::new("XX000", format!("pg_identity could not read the catalog: {e}")))
}

/// Runs a query and hands its rows to `each`, a batch of `BATCH` at a time, in bounded memory.
pub fn stream(sql: &str, each: impl FnMut(&Row) -> Result<()>) -> Result<()> {
    stream_with(sql, &[], each)
}

/// As `stream`, for a query with parameters.
pub fn stream_with(sql: &str, args: &[DatumWithOid], mut each: impl FnMut(&Row) -> Result<()>) -> Result<()> {
    const BATCH: i64 = 10_000;
    let mut cursor = Cursor::open(sql, args)?;
    while cursor.fetch(BATCH, &mut each)? {}
    Ok(())
}

/// The texts of a query with one column, which is a list of the caller's: one with more than `most` elements is refused.
pub fn list(name: &str, sql: &str, most: usize) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    stream(sql, |row| {
        if texts.len() == most {
            return Err(Error::new("54000", format!("{name} is too large"))
                .detail(format!("It has more than {most} rows."))
                .hint(format!("Give at most {most}.")));
        }
        match row.get::<&str>(1)? {
            Some(text) => allocate::push(&mut texts, allocate::text(text)?),
            None => Ok(()),
        }
    })?;
    Ok(texts)
}

/// A query that is read a batch at a time.
pub struct Cursor(String);

impl Cursor {
    fn open(sql: &str, args: &[DatumWithOid]) -> Result<Self> {
        Ok(Cursor(Spi::connect_mut(|client| {
            let read_only = session::in_recovery();
            let cursor =
                if read_only { client.try_open_cursor(sql, args)? } else { client.try_open_cursor_mut(sql, args)? };
            Ok::<_, Error>(cursor.detach_into_name())
        })?))
    }

    /// Hands over at most `most` rows; false where they were the last, and the cursor is closed. A batch is freed when its
    /// SPI connection ends: one connection a batch.
    pub fn fetch(&mut self, most: i64, mut each: impl FnMut(&Row) -> Result<()>) -> Result<bool> {
        Spi::connect_mut(|client| {
            let mut cursor = client.find_cursor(&self.0)?;
            let mut rows = 0;
            for tuple in cursor.fetch(most)? {
                each(&Row(tuple))?;
                rows += 1;
            }
            if rows == most {
                cursor.detach_into_name();
            }
            Ok(rows == most)
        })
    }
}

/// A row of a cursor.
pub struct Row<'a>(pgrx::spi::SpiHeapTupleData<'a>);

impl Row<'_> {
    pub fn get<T: FromDatum + IntoDatum>(&self, ordinal: usize) -> Result<Option<T>> {
        Ok(self.0.get::<T>(ordinal)?)
    }
}

/// A row as a value, of a batch that is being read. It is gone with the batch.
pub struct Composite {
    pub datum: pg_sys::Datum,
    pub type_oid: pg_sys::Oid,
}
