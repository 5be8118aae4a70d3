//! What a consolidation is to do: its arguments, checked. No SQL is run here.

use crate::db::catalog::{Column, Table};
use crate::db::sql::{Sql, literal, sql};
use crate::error::{Error, Result};
use crate::identifier::{self, Kind};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How names are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalize {
    Exact,
    Username,
    Email,
}

impl Normalize {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "exact" => Ok(Self::Exact),
            "username" => Ok(Self::Username),
            "email" => Ok(Self::Email),
            other => Err(Error::invalid_argument(format!("unknown normalize: \"{other}\""))
                .hint("Use 'exact', 'username' or 'email'.")),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Username => "username",
            Self::Email => "email",
        }
    }

    /// A text's key.
    pub fn key_of(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Exact => Cow::Borrowed(text),
            Self::Username if is_own_key(text) => Cow::Borrowed(text),
            Self::Username => Cow::Owned(identifier::key(Kind::Username, text)),
            Self::Email => Cow::Owned(identifier::key(Kind::Email, text)),
        }
    }

    /// The SQL of a text's key.
    pub fn key(self, text: &Sql) -> Sql {
        match self {
            Self::Exact => sql!("({text} COLLATE pg_catalog.\"C\")", text),
            _ => sql!(
                "(identity.normalize_identifier({kind}, {text}) COLLATE pg_catalog.\"C\")",
                kind = literal(self.name()),
                text
            ),
        }
    }
}

/// What the keys of new names begin with. A key that begins otherwise is in nobody's way.
#[derive(Debug, Clone)]
pub struct Heads(pub Vec<String>);

impl Heads {
    pub fn of<'p>(normalize: Normalize, prefixes: impl IntoIterator<Item = &'p String>) -> Self {
        let mut heads: Vec<String> = prefixes.into_iter().map(|prefix| normalize.head(prefix)).collect();
        heads.sort_unstable();
        heads.dedup();
        Heads(heads)
    }

    pub fn begin(&self, key: &str) -> bool {
        self.0.iter().any(|head| key.starts_with(head.as_str()))
    }
}

impl Normalize {
    /// What the key of every text begins with that begins with this prefix. Letters can go together with what comes after them, and a
    /// sign of an address or a number changes what comes before it: where that is not sure it is nothing.
    fn head(self, prefix: &str) -> String {
        if self == Self::Exact {
            return prefix.to_string();
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if !prefix.bytes().all(plain) {
            return String::new();
        }
        prefix.trim_end_matches(|last: char| last.is_ascii_alphabetic()).to_ascii_lowercase()
    }
}

/// Most names of a table are: each is asked several times.
fn is_own_key(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase() && b != b'@' && b != b'+')
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    First,
    None,
}

impl Keep {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "first" => Ok(Self::First),
            "none" => Ok(Self::None),
            other => Err(Error::invalid_argument(format!("unknown keep: \"{other}\"")).hint("Use 'first' or 'none'.")),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::None => "none",
        }
    }
}

/// The columns of a table that holds the login names of all sites.
#[derive(Debug, Clone)]
pub struct Columns {
    pub login: Column,
    pub site: Column,
    pub row_id: Column,
}

impl Columns {
    pub fn of(table: &Table, login: &str, site: &str, row_id: &str) -> Result<Self> {
        if !matches!(table.kind.as_str(), "r" | "p") {
            return Err(Error::new("42809", format!("\"{}\" is not a table", table.relname))
                .hint("Name an ordinary or a partitioned table."));
        }
        Ok(Columns {
            login: column(table, "login", login)?,
            site: column(table, "site", site)?,
            row_id: column(table, "row_id", row_id)?,
        })
    }
}

pub fn column(table: &Table, argument: &str, name: &str) -> Result<Column> {
    table.column(name).cloned().ok_or_else(|| {
        let known: Vec<String> = table.columns.iter().map(|c| format!("\"{}\"", c.name)).collect();
        let message = format!("{argument} names a column \"{name}\" that \"{}\" does not have", table.relname);
        Error::new("42703", message)
            .detail(format!("The table's columns are: {}.", known.join(", ")))
            .hint("Give the columns' names as they are, without quotes.")
    })
}

/// The prefix of each site that has one.
pub fn prefixes(value: &serde_json::Value) -> Result<BTreeMap<String, String>> {
    let refuse = |detail: String| {
        Err(Error::invalid_argument("prefixes is not an object of sites and their prefixes")
            .detail(detail)
            .hint("Give for example {\"2\": \"fz_\", \"3\": \"gx_\"}; a site without a prefix is the main site."))
    };
    let Some(object) = value.as_object() else { return refuse("It is another kind of JSON.".to_string()) };
    let mut prefixes = BTreeMap::new();
    for (site, prefix) in object {
        match prefix {
            serde_json::Value::Null => {}
            serde_json::Value::String(prefix) if !prefix.is_empty() => {
                prefixes.insert(site.clone(), prefix.clone());
            }
            _ => return refuse(format!("The prefix of site \"{site}\" is not a text of at least one character.")),
        }
    }
    Ok(prefixes)
}

/// What fits the column of names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    pub characters: Option<i32>,
    pub bytes: Option<usize>,
    /// Its type drops blanks at the end.
    pub trims: bool,
}

impl Room {
    /// What is asked for, within what the column takes.
    pub fn within(self, asked: Option<i32>, prefixes: &BTreeMap<String, String>) -> Result<Room> {
        if asked.is_some_and(|n| n < 1) {
            return Err(Error::invalid_argument("max_length is less than 1").hint("Leave it out for no limit."));
        }
        let most = match (asked, self.characters) {
            (Some(asked), Some(column)) => Some(asked.min(column)),
            (asked, column) => asked.or(column),
        };
        if let Some(most) = most
            && let Some((site, prefix)) = prefixes.iter().find(|(_, p)| p.chars().count() as i32 >= most)
        {
            return Err(Error::invalid_argument(format!("the prefix of site \"{site}\" leaves no room for a name"))
                .detail(format!("The prefix has {} characters, and a name at most {most}.", prefix.chars().count()))
                .hint("Give a shorter prefix, or widen the column."));
        }
        Ok(Room { characters: most, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        #[test]
        fn a_name_that_is_its_own_key_is(name in "[ -~äÄ]{0,8}") {
            prop_assert_eq!(Normalize::Username.key_of(&name), identifier::key(Kind::Username, &name));
        }
    }

    proptest! {
        #[test]
        fn a_key_begins_as_its_prefix_says(
            prefix in "[ -~]{1,4}|[a-zA-Z0-9_.-]{1,3}|\\PC{1,2}",
            login in "\\PC{0,6}|[ -~\u{300}-\u{338}\u{20e3}\u{200d}@+.]{0,6}",
        ) {
            for normalize in [Normalize::Exact, Normalize::Username, Normalize::Email] {
                let (head, name) = (normalize.head(&prefix), format!("{prefix}{login}"));
                prop_assert!(normalize.key_of(&name).starts_with(&head), "{:?} {:?} {:?}", normalize, name, head);
            }
        }
    }

    #[test]
    fn most_prefixes_say_how_a_key_begins() {
        for (prefix, head) in
            [("fz_", "fz_"), ("FZ-", "fz-"), ("site2", "site2"), ("fz", ""), ("a.b", "a."), ("ä_", ""), ("@_", "")]
        {
            assert_eq!(Normalize::Username.head(prefix), head, "{prefix}");
        }
    }

    #[test]
    fn prefixes_are_texts_by_site() {
        let some = prefixes(&json!({"2": "fz_", "1": null})).unwrap();
        assert_eq!(some, BTreeMap::from([("2".to_string(), "fz_".to_string())]));
        for wrong in [json!([]), json!({"2": ""}), json!({"2": 7}), json!("fz_")] {
            assert_eq!(prefixes(&wrong).unwrap_err().sqlstate, "22023");
        }
    }

    #[test]
    fn the_smaller_limit_counts_and_a_prefix_must_fit() {
        let prefixes = BTreeMap::from([("2".to_string(), "fz_".to_string())]);
        let ten = Room { characters: Some(10), ..Room::default() };
        assert_eq!(ten.within(Some(20), &prefixes), Ok(ten));
        assert_eq!(Room::default().within(Some(10), &prefixes), Ok(ten));
        assert_eq!(Room::default().within(None, &prefixes), Ok(Room::default()));
        assert!(Room::default().within(Some(3), &prefixes).is_err());
        assert!(Room::default().within(Some(0), &prefixes).is_err());
    }
}
