//! The SQL of an import, as text. Nothing is run here.
//!
//! All of it reads; only `write` changes the target. Relations of a run that a statement sees beside the target (`db::store`):
//! - `raw`: the source as it came, numbered in its order;
//! - `rows`: the same rows in the target's types (`raw` itself where no value needs a conversion), with `on_conflict => 'update'` merged with the row
//!   that each of them updates; or some of these rows, which stand in for all;
//! - `fired`: rows as the target's BEFORE triggers leave them, to explain why they lost;
//! - `problem`: the report so far; `contest`: keys that several source rows want, for `contest.rs` to decide;
//! - `losers`: rows that have lost, and to whom;
//! - `landed`: the row of the target that a source row became, where the report shows it;
//! - `hashes`: a hash of each key of each row; `near`: rows of the target of which a key may be in the source; `met`: the hashes of the source's
//!   rows of which a key may be in `near`; `close`: these rows.

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
use crate::db::sql::{Sql, all, any, comma, concat, ident, literal, literal_or_null, sql, text_array};
use crate::import::plan::{self, Assignment};
use std::collections::BTreeSet;

/// The names of a run's relations. They mean nothing outside of its own statements.
pub mod relations {
    pub const RAW: &str = "pg_identity_raw";
    pub const ROWS: &str = "pg_identity_rows";
    pub const FIRED: &str = "pg_identity_fired";
    pub const PROBLEM: &str = "pg_identity_problem";
    pub const CONTEST: &str = "pg_identity_contest";
    pub const LOSERS: &str = "pg_identity_losers";
    pub const LANDED: &str = "pg_identity_landed";
    pub const HASHES: &str = "pg_identity_hashes";
    pub const NEAR: &str = "pg_identity_near";
    pub const MET: &str = "pg_identity_met";
    pub const CLOSE: &str = "pg_identity_close";
}

/// The same as SQL, and names of the columns in them that are not the user's.
#[derive(Debug, Clone)]
pub struct Names {
    pub raw: Sql,
    pub rows: Sql,
    pub fired: Sql,
    pub problem: Sql,
    pub contest: Sql,
    pub losers: Sql,
    pub landed: Sql,
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
    /// The name of `row` as it is.
    pub row_name: String,
}

impl Names {
    /// `taken` are the column names of source and target.
    pub fn new(taken: &BTreeSet<&str>) -> Self {
        let free = |what: &str| {
            let mut name = format!("?{what}");
            while taken.contains(name.as_str()) {
                name.push('?');
            }
            name
        };
        Names {
            raw: ident(relations::RAW),
            rows: ident(relations::ROWS),
            fired: ident(relations::FIRED),
            problem: ident(relations::PROBLEM),
            contest: ident(relations::CONTEST),
            losers: ident(relations::LOSERS),
            landed: ident(relations::LANDED),
            hashes: ident(relations::HASHES),
            near: ident(relations::NEAR),
            met: ident(relations::MET),
            close: ident(relations::CLOSE),
            row: ident(&free("row")),
            own_oid: ident(&free("oid")),
            own_tid: ident(&free("tid")),
            own_key: ident(&free("key")),
            row_name: free("row"),
        }
    }
}

/// What the rows of a relation have.
#[derive(Debug, Clone)]
pub struct Rows {
    pub relation: Sql,
    /// Target columns that it has.
    pub present: BTreeSet<i16>,
    /// Target columns whose value can be told from it.
    pub known: BTreeSet<i16>,
    /// It has the `own_*` columns.
    pub merged: bool,
}

impl Rows {
    pub fn new(table: &Table, relation: &Sql, present: BTreeSet<i16>, merged: bool) -> Self {
        let known = plan::known_columns(table, &present);
        Rows { relation: relation.clone(), present, known, merged }
    }
}

/// What is known of the target and the run: everything the statements are made of.
#[derive(Clone, Copy)]
pub struct Statements<'a> {
    pub table: &'a Table,
    pub names: &'a Names,
    pub assignments: &'a [Assignment],
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
    /// Tell which rows went in.
    pub track: bool,
    /// Tell where they went, too.
    pub place: bool,
    /// And their primary key.
    pub key: bool,
    /// A held key drops the row instead of failing the statement.
    pub do_nothing: bool,
    pub order: Order,
    /// The key by which an update finds its row.
    pub match_key: Option<usize>,
}

/// Columns of `problem`, in its order.
struct Problem {
    row: Sql,
    ord: i32,
    status: &'static str,
    name: Sql,
    columns: Sql,
    key: Sql,
    existing: Sql,
    winner: Sql,
    sqlstate: Sql,
    message: Sql,
    holder: Sql,
}

impl Problem {
    fn new(row: Sql, ord: i32, status: &'static str) -> Self {
        Problem {
            row,
            ord,
            status,
            name: sql!("NULL::pg_catalog.text"),
            columns: sql!("NULL::pg_catalog.text[]"),
            key: sql!("NULL::pg_catalog.jsonb"),
            existing: sql!("NULL::pg_catalog.jsonb"),
            winner: sql!("NULL::pg_catalog.int8"),
            sqlstate: sql!("NULL::pg_catalog.text"),
            message: sql!("NULL::pg_catalog.text"),
            holder: sql!("NULL::pg_catalog.oid AS holder_oid, NULL::pg_catalog.tid AS holder_tid"),
        }
    }

    fn select(&self) -> Sql {
        sql!(
            "{row} AS rn, {ord} AS ord, {status}::pg_catalog.text AS status, {name} AS constraint_name, {columns} AS columns, {key} AS key,
               {existing} AS existing, {winner} AS winner, {sqlstate} AS sqlstate, {message} AS message, {holder}",
            row = self.row,
            ord = self.ord,
            status = literal(self.status),
            name = self.name,
            columns = self.columns,
            key = self.key,
            existing = self.existing,
            winner = self.winner,
            sqlstate = self.sqlstate,
            message = self.message,
            holder = self.holder,
        )
    }
}

/// A text constant that is no longer of an unknown type.
fn text(value: &str) -> Sql {
    sql!("{value}::pg_catalog.text", value = literal(value))
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
        let names = Names::new(&BTreeSet::from(["?row", "?row?", "id"]));
        assert_eq!(&*names.row, "\"?row??\"");
        assert_eq!(names.row_name, "?row??");
        assert_eq!(&*names.own_oid, "\"?oid\"");
    }
}
