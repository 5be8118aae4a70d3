//! What a caller names to be read: a relation, or a query that only reads. It is read with the caller's rights and search path.
//!
//! A source runs code of the caller's: functions, policies, casts, the CHECKs of domains. That code can do in the session
//! whatever the caller can, and more than reads: it drops temporary tables of others (DISCARD TEMP needs no right), and makes its
//! own under their names. So a source is read to its end, into texts of the server's own type, before anything is made or written
//! with another role's rights; of what it left nothing of the caller's is run any more.

use crate::db::attempt::Failure;
use crate::db::query;
use crate::db::session;
use crate::db::spi;
use crate::db::sql::{Sql, comma, ident, qualified, sql};
use crate::db::statement::{self, Statement};
use crate::db::store::Store;
use crate::error::{Error, Place, Result};
use pgrx::prelude::*;

/// A source as one query. `name` is the argument that it was given in.
pub fn query(source: &str, name: &str) -> Result<String> {
    if is_relation_name(source) {
        return relation_query(source);
    }
    let query = one_query(source, name)?;
    statement::analyze(&query).map_err(|failure| misread(failure, &query, name))?;
    Ok(query)
}

/// An error of Postgres in a query, with its place there.
fn misread(failure: Failure, query: &str, name: &str) -> Error {
    let position = failure.position;
    let error = Error::from(failure);
    match position {
        None => error,
        Some(position) => {
            error.at(Place { query: query.to_string(), position, what: format!("query in the argument \"{name}\"") })
        }
    }
}

fn one_query(source: &str, name: &str) -> Result<String> {
    let refuse = |what: &str| {
        Err(Error::invalid_argument(format!("the source is {what}")).hint(
            "Give the name of a relation, or one query: SELECT, VALUES, TABLE or WITH ... SELECT that only reads.",
        ))
    };
    match statement::parse(source).map_err(|failure| misread(failure, source, name))? {
        Statement::Query(text) => Ok(text),
        Statement::WritingQuery => refuse("a query that writes"),
        Statement::Other => refuse("a statement that is not a query"),
        Statement::Several(n) => refuse(&format!("{n} statements")),
        Statement::Empty => refuse("empty"),
    }
}

fn relation_query(name: &str) -> Result<String> {
    let found = spi::value::<String>(
        "SELECT pg_catalog.concat(c.relkind, pg_catalog.format('%I.%I', n.nspname, c.relname))
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
         WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1)",
        &[name.into()],
    )?;
    let Some(found) = found else {
        return Err(Error::new("42P01", format!("relation \"{name}\" does not exist"))
            .hint("The source is the name of a relation, or a query. A name with capitals or special characters needs its double quotes."));
    };
    let (kind, qualified) = found.split_at(1);
    if !["r", "p", "v", "m", "f"].contains(&kind) {
        return Err(Error::new("42809", format!("\"{name}\" is not a relation with rows to import"))
            .hint("Name a table, a view, a materialized view or a foreign table, or give a query."));
    }
    Ok(format!("SELECT * FROM {qualified}"))
}

/// The columns of a source's query and their types.
pub fn columns(query: &str) -> Result<Vec<(String, pg_sys::Oid)>> {
    Spi::connect_mut(|client| {
        let rows = spi::run(client, &format!("SELECT s.* FROM (\n{query}\n) AS s LIMIT 0"), None, &[])?;
        (1..=rows.columns()?).map(|i| Ok((rows.column_name(i)?, rows.column_type_oid(i)?.value()))).collect()
    })
}

/// A column of a source.
#[derive(Debug, Clone)]
pub struct Described {
    pub name: String,
    pub type_oid: u32,
    pub typmod: i32,
    pub collation_oid: u32,
}

/// A source that is a list, as a query for its texts, without NULLs. `name` is the argument that it was given in, `what` is what an error calls it.
pub fn list(source: &str, name: &str, what: &str, hint: &str) -> Result<String> {
    let query = query(source, name)?;
    let columns = columns(&query)?;
    let [(column, _)] = columns.as_slice() else {
        return Err(Error::invalid_argument(format!("{what} does not have one column"))
            .detail(format!("It has {} columns.", columns.len()))
            .hint(hint));
    };
    Ok(list_texts(&query, column).to_string())
}

/// Reads one column of a source's query to its end: its values as text.
pub fn read_column(query: &str, column: &str) -> Result<Store> {
    read(&column_texts(query, column))
}

/// Reads some columns of a source's query to its end: a JSON object a row, as text.
pub fn read_rows(query: &str, columns: &[&str]) -> Result<Store> {
    read(&row_texts(query, columns))
}

/// Reads columns of a source's query to its end, as text: those that have a type, in it; the others are NULL.
pub fn read_texts(query: &str, columns: &[(&str, Option<&str>)]) -> Result<Store> {
    read(&typed_texts(query, columns))
}

fn typed_texts(query: &str, columns: &[(&str, Option<&str>)]) -> Sql {
    let columns = comma(columns.iter().map(|(name, of)| {
        let value = match of {
            Some(of) => sql!("{column}::pg_catalog.{of}", column = qualified(&sql!("s"), name), of = ident(of)),
            None => sql!("NULL"),
        };
        sql!("{value}::pg_catalog.text AS {name}", value, name = ident(name))
    }));
    sql!("SELECT {columns} FROM (\n{query}\n) AS s", columns, query = Sql::verbatim(query))
}

fn column_texts(query: &str, column: &str) -> Sql {
    let (column, query) = (qualified(&sql!("s"), column), Sql::verbatim(query));
    sql!("SELECT {column}::pg_catalog.text FROM (\n{query}\n) AS s", column, query)
}

fn row_texts(query: &str, columns: &[&str]) -> Sql {
    let columns = comma(columns.iter().map(|name| qualified(&sql!("s"), name)));
    sql!(
        "SELECT pg_catalog.to_json(r)::pg_catalog.text FROM (SELECT {columns} FROM (\n{query}\n) AS s) AS r",
        columns,
        query = Sql::verbatim(query)
    )
}

/// The texts of a list's query, without NULLs.
fn list_texts(query: &str, column: &str) -> Sql {
    let (column, query) = (qualified(&sql!("l"), column), Sql::verbatim(query));
    sql!("SELECT {column}::pg_catalog.text FROM (\n{query}\n) AS l WHERE {column} IS NOT NULL", column, query)
}

fn read(query: &Sql) -> Result<Store> {
    let mut rows = Store::new();
    read_into(&mut rows, query)?;
    Ok(rows)
}

/// Reads a query of the caller's to its end, once, in its order.
pub fn read_into(rows: &mut Store, query: &Sql) -> Result<()> {
    // A parallel or synchronized scan would return a table's rows in another order each time.
    let ordered = [("synchronize_seqscans", "off"), ("max_parallel_workers_per_gather", "0")];
    session::with_settings(&ordered, || query::fill(rows, query, &[]))?;
    Ok(())
}

/// True where a source is the name of a relation, qualified or not, and not a query.
pub fn is_relation_name(source: &str) -> bool {
    let mut rest = source.trim();
    loop {
        let Some(after) = after_identifier(rest) else { return false };
        rest = after.trim_start();
        match rest.strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None => return rest.is_empty(),
        }
    }
}

/// What follows the identifier that `text` begins with.
fn after_identifier(text: &str) -> Option<&str> {
    if let Some(mut rest) = text.strip_prefix('"') {
        loop {
            let (_, after) = rest.split_once('"')?;
            match after.strip_prefix('"') {
                Some(more) => rest = more,
                None => return Some(after),
            }
        }
    }
    let letter = |c: char| c.is_alphabetic() || c == '_';
    let inside = |c: char| letter(c) || c.is_ascii_digit() || c == '$';
    text.starts_with(letter).then(|| text.trim_start_matches(inside))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::golden::Golden;

    #[test]
    fn golden_columns_are_quoted_whatever_their_names_are() {
        let query = "SELECT * FROM people -- {column} $1";
        let columns =
            ["last, first", "a\"b", "it's", "$1", "@site", "{query}", "s.x", "two\nlines", "größe", ") AS s; --"];
        let mut golden = Golden::default();
        golden.add("row_texts", [row_texts(query, &columns)]);
        golden.add("column_texts", columns.iter().map(|column| column_texts(query, column)));
        golden.add("list_texts", columns.iter().map(|column| list_texts(query, column)));
        golden.check("src/db/source.golden.sql");
    }

    #[test]
    fn a_name_is_told_from_a_query() {
        for name in ["users", " staging.users ", "\"Weird \"\"Name\"\"\"", "a . \"b.c\"", "größe"] {
            assert!(is_relation_name(name), "{name}");
        }
        for query in ["SELECT 1", "TABLE users", "VALUES (1)", "", "a.b.", "\"open", "users;", "users u", "(users)"] {
            assert!(!is_relation_name(query), "{query}");
        }
    }
}
