//! The one way in which SQL is built: a text with typed holes.
//!
//! ```ignore
//! let columns: Vec<Sql> = names.iter().map(|name| ident(name)).collect();
//! let site = literal(site);
//! sql!("SELECT {columns} FROM {from} AS t WHERE t.site = {site} AND t.n > {first}",
//!     columns = comma(&columns), from = relation("app", "users"), site, first = 7_i64)
//! ```
//!
//! A hole takes a piece of SQL or a number, and nothing else: a text must become an identifier or a literal before it fits, and what
//! it then contains is not looked at again. A list stays a list until its hole joins it.

use std::fmt::{self, Display};
use std::ops::Deref;

/// A piece of SQL: an identifier, a literal, an expression, a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sql(String);

impl Sql {
    /// Takes a text that is SQL already: an expression as the server prints it, or a query of the caller's that the grammar has
    /// taken for one. A name or a value is no such text.
    pub fn verbatim(text: impl Into<String>) -> Self {
        Sql(text.into())
    }

    #[doc(hidden)]
    pub fn from_template(template: fmt::Arguments) -> Self {
        Sql(template.to_string())
    }
}

impl Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Deref for Sql {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// What fits into a hole.
pub trait Hole: Display {}

impl Hole for Sql {}
impl Hole for bool {}
impl Hole for i16 {}
impl Hole for i32 {}
impl Hole for i64 {}
impl Hole for u32 {}
impl Hole for usize {}
impl<T: Hole + ?Sized> Hole for &T {}

#[doc(hidden)]
pub fn hole<T: Hole>(value: T) -> T {
    value
}

/// SQL from a template. The holes are `{name}`, each given as `name = value`, or as `name` alone for a variable of that name.
/// A brace of the text is doubled, as in `format!`.
macro_rules! sql {
    ($template:literal $(, $name:ident $(= $value:expr)?)* $(,)?) => {
        // In a template that comes from `concat!` a hole cannot reach for a variable by itself: it takes what was given.
        $crate::db::sql::Sql::from_template(format_args!(
            concat!($template)
            $(, $name = $crate::db::sql::hole(&$crate::db::sql::sql!(@value $name $(= $value)?)))*
        ))
    };
    (@value $name:ident = $value:expr) => { $value };
    (@value $name:ident) => { $name };
}
pub(crate) use sql;

/// A name as an identifier. It is quoted whether it needs quotes or not, so that no list of keywords decides.
pub fn ident(name: &str) -> Sql {
    Sql(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// A relation, function, operator class or other object by its schema and name.
pub fn relation(schema: &str, name: &str) -> Sql {
    qualified(&ident(schema), name)
}

/// `name` within what `qualifier` stands for: a column of an alias, an object of a schema.
pub fn qualified(qualifier: &Sql, name: &str) -> Sql {
    Sql(format!("{qualifier}.{}", ident(name)))
}

/// An operator, to be called by its schema.
pub fn operator(schema: &str, name: &str) -> Sql {
    assert!(name.chars().all(|c| "+-*/<>=~!@#%^&|`?".contains(c)), "an operator's name has no other characters");
    Sql(format!("OPERATOR({}.{name})", ident(schema)))
}

/// A text constant, which the server reads as this text whatever `standard_conforming_strings` says.
pub fn literal(text: &str) -> Sql {
    let quoted = text.replace('\'', "''");
    Sql(if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") })
}

/// A text constant, or NULL of type text.
pub fn literal_or_null(text: Option<&str>) -> Sql {
    text.map_or_else(|| sql!("NULL::pg_catalog.text"), literal)
}

/// An array constant of texts.
pub fn text_array<'t>(texts: impl IntoIterator<Item = &'t str>) -> Sql {
    sql!("ARRAY[{texts}]::pg_catalog.text[]", texts = comma(texts.into_iter().map(literal)))
}

/// A list: `a, b`.
pub fn comma(items: impl IntoIterator<Item = impl Hole>) -> Sql {
    joined(items, ", ")
}

/// True where all conditions are, and where there is none.
pub fn all(conditions: impl IntoIterator<Item = impl Hole>) -> Sql {
    let all = joined(conditions, " AND ");
    if all.is_empty() { sql!("true") } else { all }
}

/// True where one of the conditions is; false where there is none. It has its own parentheses.
pub fn any(conditions: impl IntoIterator<Item = impl Hole>) -> Sql {
    let any = joined(conditions, " OR ");
    if any.is_empty() { sql!("false") } else { sql!("({any})", any) }
}

/// Pieces one after the other, each with what sets it apart from the one before in its own text.
pub fn concat(pieces: impl IntoIterator<Item = impl Hole>) -> Sql {
    joined(pieces, "")
}

fn joined(items: impl IntoIterator<Item = impl Hole>, between: &str) -> Sql {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    Sql(items.join(between))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_quoted_as_the_server_reads_them() {
        assert_eq!(&*ident("users"), "\"users\"");
        assert_eq!(&*ident("x\"; DROP"), "\"x\"\"; DROP\"");
        assert_eq!(&*relation("a.b", "größe\n"), "\"a.b\".\"größe\n\"");
        assert_eq!(&*qualified(&sql!("t"), "last, first"), "t.\"last, first\"");
        assert_eq!(&*operator("o p", "<>"), "OPERATOR(\"o p\".<>)");
        assert_eq!(&*literal("it's"), "'it''s'");
        assert_eq!(&*literal(r"a\'b"), r"E'a\\''b'");
        assert_eq!(&*literal_or_null(None), "NULL::pg_catalog.text");
        assert_eq!(&*text_array(["a", "b', 'c"]), "ARRAY['a', 'b'', ''c']::pg_catalog.text[]");
    }

    #[test]
    fn what_fills_a_hole_is_not_filled_again() {
        let realm = literal("m@site {site} $1 {}");
        let site = literal("{realm}");
        let both = sql!("{realm}, {site}, $1, '{{}}'", realm, site);
        assert_eq!(&*both, "'m@site {site} $1 {}', '{realm}', $1, '{}'");
        assert_eq!(&*sql!("({both}) = {n}", both, n = 7_i64), "('m@site {site} $1 {}', '{realm}', $1, '{}') = 7");
    }

    #[test]
    fn lists_are_joined_in_their_hole() {
        let columns = vec![ident("a, b"), ident("c")];
        let of = |alias: &str| comma(columns.iter().map(|c| sql!("{alias}.{c}", alias = Sql::verbatim(alias), c)));
        assert_eq!(&*comma(&columns), "\"a, b\", \"c\"");
        assert_eq!(&*of("t"), "t.\"a, b\", t.\"c\"");
        assert_eq!(&*all(Vec::<Sql>::new()), "true");
        assert_eq!(&*any(Vec::<Sql>::new()), "false");
        assert_eq!(&*all([sql!("a"), sql!("b")]), "a AND b");
        assert_eq!(&*any([sql!("a"), sql!("b")]), "(a OR b)");
        assert_eq!(&*concat([sql!(", a"), sql!(", b")]), ", a, b");
    }
}
