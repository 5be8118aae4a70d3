//! The SQL of an import, as text. Nothing is run here.
//!
//! Temporary tables of a run:
//! - `raw`: the source as it came, numbered in its order;
//! - `staged`: the same rows in the target's types (it is `raw` itself where no value needs a conversion), and with
//!   `on_conflict => 'update'` merged with the row that each of them updates;
//! - `problem`: the report so far; a row of the source that stands here does not go in;
//! - `contest`: keys that several source rows want, for `contest.rs` to decide;
//! - `landed`: which row of the target a source row became, where that must be known;
//! - `fired`: rows as the target's BEFORE triggers leave them, to explain why they lost;
//! - `hashes`: a hash of each key of each row;
//! - `near`: rows of the target of which a key may be in the source;
//! - `met`: the hashes of the source's rows of which a key may be in `near`; `close`: these rows;
//! - `probe`: one column, converted alone to find the values that fail.
//!
//! A heap does not keep the order in which its rows came: what needs the rows in their order sorts them.

#[cfg(test)]
mod golden;
mod keys;
mod report;
mod rows;
mod rules;
mod sift;
mod source;
mod write;

use crate::db::catalog::{Check, Column, ForeignKey, Key, KeyPart, Table};
use crate::db::sql::{self, Sql, all, any, comma, concat, ident, literal, literal_or_null, script, sql, text_array};
use crate::import::plan::{self, Assignment};
use std::collections::BTreeSet;

/// Names of one run's temporary tables, and of the columns in them that are not the user's.
#[derive(Debug, Clone)]
pub struct Names {
    pub raw: Sql,
    pub staged: Sql,
    pub merged: Sql,
    pub problem: Sql,
    pub contest: Sql,
    pub landed: Sql,
    pub fired: Sql,
    pub probe: Sql,
    pub hashes: Sql,
    pub near: Sql,
    pub met: Sql,
    pub close: Sql,
    /// The row's number in the source.
    pub row: Sql,
    /// The target row that a row updates: table, place and primary key.
    pub own_oid: Sql,
    pub own_tid: Sql,
    pub own_key: Sql,
}

impl Names {
    /// `run` sets apart the runs of one session; `taken` are the column names of source and target.
    pub fn new(run: u64, taken: &BTreeSet<&str>) -> Self {
        let table = |what: &str| sql::relation("pg_temp", &format!("pg_identity_{what}_{run}"));
        let column = |what: &str| {
            let mut name = format!("?{what}");
            while taken.contains(name.as_str()) {
                name.push('?');
            }
            ident(&name)
        };
        Names {
            raw: table("raw"),
            staged: table("staged"),
            merged: table("merged"),
            problem: table("problem"),
            contest: table("contest"),
            landed: table("landed"),
            fired: table("fired"),
            probe: table("probe"),
            hashes: table("hashes"),
            near: table("near"),
            met: table("met"),
            close: table("close"),
            row: column("row"),
            own_oid: column("oid"),
            own_tid: column("tid"),
            own_key: column("key"),
        }
    }
}

/// A relation with source rows in the target's types.
#[derive(Debug, Clone)]
pub struct Rows {
    pub relation: Sql,
    /// Target columns that it has.
    pub present: BTreeSet<i16>,
    /// Target columns whose value can be told from it.
    pub known: BTreeSet<i16>,
    /// It has the `own_*` columns.
    pub merged: bool,
    /// Rows that cannot be looked at, because an expression over them fails, are in `problem` and stay out.
    pub poisoned: bool,
    /// Only those that update a row of the target.
    pub updates_only: bool,
    /// Only the row of this number.
    pub only: Option<i64>,
}

impl Rows {
    pub fn new(table: &Table, relation: &Sql, present: BTreeSet<i16>, merged: bool) -> Self {
        let known = plan::known_columns(table, &present);
        Rows { relation: relation.clone(), present, known, merged, poisoned: false, updates_only: false, only: None }
    }

    /// The one row of a number.
    pub fn only(&self, row: i64) -> Self {
        Rows { only: Some(row), ..self.clone() }
    }
}

/// What is known of the target and the run: everything the statements are made of.
#[derive(Clone, Copy)]
pub struct Statements<'a> {
    pub table: &'a Table,
    pub names: &'a Names,
    pub assignments: &'a [Assignment],
    /// Problems found from now on belong to the writing phase.
    pub late: bool,
    /// Keys are sifted by hash before they are compared.
    pub sieved: bool,
}

/// `ord` of report rows that come before those of the keys.
pub const ORD_POISON: i32 = -2;
pub const ORD_CONVERSION: i32 = -1;
const ORD_CHECK: i32 = 0;
const ORD_FOREIGN_KEY: i32 = 1;
const ORD_KEYS: i32 = 1000;
pub const ORD_WRITE: i32 = 100_000;

/// `ord` of the key at a position of `table.keys`.
pub fn key_ord(position: usize) -> i32 {
    ORD_KEYS + position as i32
}

/// `ord` of the foreign key at a position of `table.foreign_keys`.
pub fn foreign_key_ord(position: usize) -> i32 {
    ORD_FOREIGN_KEY + position as i32
}

fn column_names(names: &[String]) -> Sql {
    text_array(names.iter().map(String::as_str))
}

fn json_object<'s>(pairs: impl IntoIterator<Item = (&'s str, Sql)>) -> Sql {
    let pairs = pairs.into_iter().map(|(name, value)| sql!("{name}, {value}", name = literal(name), value));
    sql!("pg_catalog.jsonb_build_object({pairs})", pairs = comma(pairs))
}

/// A key part over unqualified columns, compared as its index compares it.
fn part_sql(part: &KeyPart) -> Sql {
    let value = &part.sql;
    match &part.collation {
        Some(collation) => sql!("(({value}) COLLATE {collation})", value, collation = collation.sql()),
        None => sql!("({value})", value),
    }
}

/// A part of a key in `near`, which has those of all keys.
fn near_part(position: usize, part: usize) -> Sql {
    sql!("k{position}_{part}", position, part)
}

/// One hash of all parts: the hash of each is the seed of the next. A key with a NULL has none.
fn key_hash(key: &Key, value: impl Fn(usize, &KeyPart) -> Sql) -> Sql {
    key.parts.iter().enumerate().fold(sql!("0::pg_catalog.int8"), |seed, (i, part)| {
        let value = value(i, part);
        match &part.hash {
            Some(hash) if hash.direct => {
                sql!("{function}({value}, {seed})", function = hash.function.sql(), value, seed)
            }
            // The server finds the function for the elements of an array by itself.
            Some(hash) => sql!(
                "CASE WHEN {value} IS DISTINCT FROM NULL
                   THEN pg_catalog.hash_array_extended(ARRAY[CAST({value} AS {of})], {seed}) END",
                value,
                of = hash.type_sql,
                seed,
            ),
            None => sql!("NULL::pg_catalog.int8"),
        }
    })
}

/// A key's parts as k1, k2, …
fn key_parts(key: &Key) -> Sql {
    comma(key.parts.iter().enumerate().map(|(i, p)| sql!("{part} AS {name}", part = part_sql(p), name = part_name(i))))
}

fn predicate(key: &Key) -> Sql {
    key.predicate.as_ref().map_or_else(|| sql!("true"), |predicate| sql!("({predicate})", predicate))
}

/// Kinds of entries in `contest`.
pub const KIND_KEY: i32 = 0;
pub const KIND_RIVAL: i32 = 1;
pub const KIND_NEED: i32 = 2;
/// The row is only referred to by others.
pub const KIND_PRESENT: i32 = 3;
/// No row: the hash of a key that may come twice.
pub const KIND_SUSPECT: i32 = 4;
/// The row wants a key that the target holds in a row which the source updates.
pub const KIND_WAIT: i32 = 5;
/// The row updates such a row of the target, and gives another value to the key.
pub const KIND_FREE: i32 = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Insert,
    Update,
}

/// Source rows by number, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub first: i64,
    pub last: i64,
}

impl Range {
    pub const ALL: Range = Range { first: 1, last: i64::MAX };
}

/// How the rows of a chunk come into the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Source,
    /// In the order of the key at this position.
    Key(usize),
    /// In the order of the source, and into the indexes after that: `db::bulk`.
    IndexesLast,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// Keep in `landed` which rows went in.
    pub track: bool,
    /// Keep where they went, too.
    pub place: bool,
    /// A held key drops the row instead of failing the statement.
    pub do_nothing: bool,
    pub order: Order,
    /// The key by which an update finds its row.
    pub match_key: Option<usize>,
}

fn key_sqlstate(key: &Key) -> &'static str {
    if key.exclusion { "23P01" } else { "23505" }
}

fn part_name(position: usize) -> Sql {
    sql!("k{number}", number = position + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_columns_never_meet_the_users() {
        let names = Names::new(7, &BTreeSet::from(["?row", "?row?", "id"]));
        assert_eq!(&*names.row, "\"?row??\"");
        assert_eq!(&*names.own_oid, "\"?oid\"");
        assert_eq!(&*names.raw, "\"pg_temp\".\"pg_identity_raw_7\"");
    }
}
