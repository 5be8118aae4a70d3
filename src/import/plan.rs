//! What an import is to do: its arguments, and how the source's columns meet the target's. No SQL is run here.

use crate::db::catalog::{Column, Key, Table};
use crate::db::expression::Coercion;
use crate::db::source::Described;
#[cfg(test)]
use crate::db::sql::{Sql, sql};
use crate::error::{Error, Result};
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    Skip,
    Update,
    Abort,
    Error,
}

impl OnConflict {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "skip" => Ok(Self::Skip),
            "update" => Ok(Self::Update),
            "abort" => Ok(Self::Abort),
            "error" => Ok(Self::Error),
            other => Err(Error::invalid_argument(format!("unknown on_conflict: \"{other}\""))
                .hint("Use 'skip', 'update', 'abort' or 'error'.")),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Update => "update",
            Self::Abort => "abort",
            Self::Error => "error",
        }
    }

    /// One problem, and nothing is imported.
    pub fn all_or_nothing(self) -> bool {
        matches!(self, Self::Abort | Self::Error)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    Problems,
    All,
    None,
}

impl Report {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "problems" => Ok(Self::Problems),
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            other => Err(Error::invalid_argument(format!("unknown report: \"{other}\""))
                .hint("Use 'problems', 'all' or 'none'.")),
        }
    }
}

/// The arguments of `import_rows`, checked as far as they can be without looking at the database.
#[derive(Debug, Clone)]
pub struct Request {
    pub source: String,
    pub on_conflict: OnConflict,
    pub match_on: Vec<String>,
    pub dry_run: bool,
    pub report: Report,
    pub max_problems: Option<i64>,
    pub row_id: Option<String>,
}

impl Request {
    pub fn check(&self) -> Result<()> {
        match (self.on_conflict, self.match_on.is_empty()) {
            (OnConflict::Update, true) => {
                return Err(Error::invalid_argument("on_conflict => 'update' needs match_on")
                    .hint("Name the columns of a unique key, for example match_on => '{email}'."));
            }
            (mode, false) if mode != OnConflict::Update => {
                return Err(Error::invalid_argument(format!(
                    "match_on has no meaning with on_conflict => '{}'",
                    mode.name()
                ))
                .hint("Leave match_on out, or use on_conflict => 'update'."));
            }
            _ => {}
        }
        match self.max_problems {
            Some(n) if n < 0 => Err(Error::invalid_argument("max_problems is negative")
                .detail(format!("max_problems is {n}."))
                .hint("Use 0 to import nothing if anything is wrong, or NULL for no limit.")),
            _ => Ok(()),
        }
    }
}

/// Refuses what cannot be imported into.
pub fn check_target(table: &Table) -> Result<()> {
    let wrong =
        |what: &str, hint: &str| Err(Error::new("42809", format!("\"{}\" is {what}", table.relname)).hint(hint));
    match table.kind.as_str() {
        "r" | "p" => {}
        "v" => return wrong("a view", "Import into the table under the view: its keys are what the report names."),
        "m" => return wrong("a materialized view", "Import into a table, then REFRESH the materialized view."),
        "f" => {
            return wrong(
                "a foreign table",
                "Import into a table of this database. A foreign table can be the source.",
            );
        }
        "i" | "I" => return wrong("an index", "Name the index's table."),
        "S" => return wrong("a sequence", "Name a table."),
        _ => return wrong("not a table", "Name an ordinary or a partitioned table."),
    }
    if let Some(rule) = table.insert_rules.first() {
        return Err(Error::new("0A000", format!("table \"{}\" has a rule on INSERT or UPDATE", table.relname))
            .detail(format!("Rule \"{rule}\" would rewrite the import, and its rows could not be accounted for."))
            .hint("Replace the rule by a trigger, or disable it for the import: ALTER TABLE ... DISABLE RULE ..."));
    }
    Ok(())
}

/// A source column that goes into a target column.
#[derive(Debug, Clone)]
pub struct Assignment {
    pub column: Column,
    /// `None`: the value goes in as it is.
    pub conversion: Option<Coercion>,
}

/// Pairs the source's columns with the target's. `coerce` tells how a type gets into another.
pub fn assign_columns(
    table: &Table,
    source: &[Described],
    row_id: Option<&str>,
    coerce: impl Fn(u32, u32) -> Coercion,
) -> Result<Vec<Assignment>> {
    if let Some(row_id) = row_id
        && !source.iter().any(|c| c.name == row_id)
    {
        return Err(Error::new("42703", format!("row_id names a column \"{row_id}\" that the source does not have"))
            .detail(format!("The source's columns are: {}.", list(source.iter().map(|c| c.name.as_str()))))
            .hint("row_id names one column of the source; its value is repeated in the report."));
    }
    refuse_unknown(table, source, row_id)?;
    refuse_generated(table, source)?;
    let assignments: Vec<Assignment> = table
        .columns
        .iter()
        .filter_map(|column| {
            let from = source.iter().find(|s| s.name == column.name)?;
            let same = from.type_oid == column.type_oid
                && (column.typmod == -1 || from.typmod == column.typmod)
                && from.collation_oid == column.collation_oid;
            let conversion = (!same).then(|| match coerce(from.type_oid, column.type_oid) {
                Coercion::Assignment => Coercion::Assignment,
                _ => coerce(from.type_oid, column.base_oid).at_least_explicit(),
            });
            Some(Assignment { column: column.clone(), conversion })
        })
        .collect();
    if assignments.is_empty() {
        return Err(Error::invalid_argument(format!("the source has no column of \"{}\"", table.relname))
            .detail(format!("The table's columns are: {}.", list(table.columns.iter().map(|c| c.name.as_str()))))
            .hint("Name the source's columns as the target's: SELECT login AS username, ... FROM ..."));
    }
    Ok(assignments)
}

impl Coercion {
    fn at_least_explicit(self) -> Self {
        if self == Coercion::Assignment { Coercion::Explicit } else { self }
    }
}

fn refuse_unknown(table: &Table, source: &[Described], row_id: Option<&str>) -> Result<()> {
    let unknown: Vec<&str> = source
        .iter()
        .map(|c| c.name.as_str())
        .filter(|name| table.column(name).is_none() && Some(*name) != row_id)
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::new("42703", format!("the source has columns that \"{}\" does not have: {}", table.relname, list(unknown)))
        .detail(format!("The table's columns are: {}.", list(table.columns.iter().map(|c| c.name.as_str()))))
        .hint("Give a query as the source, which selects the columns to import and names them as the target does: 'SELECT login AS username, ... FROM ...'. A column for the report alone is named by row_id."))
}

fn refuse_generated(table: &Table, source: &[Described]) -> Result<()> {
    let generated: Vec<&str> =
        source.iter().map(|c| c.name.as_str()).filter(|name| table.column(name).is_some_and(|c| c.generated)).collect();
    if generated.is_empty() {
        return Ok(());
    }
    Err(Error::new("428C9", format!("the source has generated columns of \"{}\": {}", table.relname, list(generated)))
        .detail("A generated column takes its value from the others and cannot be imported.")
        .hint("Give a query as the source that leaves them out."))
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ")
}

/// The unique key that `match_on` names: its position in `table.keys`.
///
/// A key qualifies where its columns, or those its expressions read, are just these. A key over the whole table comes
/// before a partial one, a plain one before one of expressions.
pub fn match_key(table: &Table, match_on: &[String], assigned: &[Assignment]) -> Result<usize> {
    let wanted: BTreeSet<&str> = match_on.iter().map(String::as_str).collect();
    for name in &wanted {
        if table.column(name).is_none() {
            return Err(Error::new(
                "42703",
                format!("match_on names a column \"{name}\" that \"{}\" does not have", table.relname),
            )
            .hint("match_on names columns of the target that a unique key covers."));
        }
        if !assigned.iter().any(|a| a.column.name == *name) {
            return Err(Error::invalid_argument(format!(
                "match_on names a column \"{name}\" that the source does not have"
            ))
            .hint("The source must bring the columns by which its rows are found in the target."));
        }
    }
    let rank = |key: &Key| (key.predicate.is_some(), key.parts.iter().any(|p| p.attnum == 0));
    table
        .keys
        .iter()
        .enumerate()
        .filter(|(_, k)| !k.exclusion && k.columns.iter().map(String::as_str).collect::<BTreeSet<_>>() == wanted)
        .min_by_key(|(_, k)| rank(k))
        .map(|(i, _)| i)
        .ok_or_else(|| {
            let keys = table
                .keys
                .iter()
                .filter(|k| !k.exclusion)
                .map(|k| format!("\"{}\" ({})", k.name, k.columns.join(", ")));
            let keys: Vec<String> = keys.collect();
            let detail = if keys.is_empty() {
                "The table has no unique key.".to_string()
            } else {
                format!("The table's unique keys are: {}.", keys.join("; "))
            };
            Error::invalid_argument(format!(
                "no unique key of \"{}\" covers match_on ({})",
                table.relname,
                match_on.join(", ")
            ))
            .detail(detail)
            .hint("match_on lists all columns of one unique key, and no others.")
        })
}

/// Columns whose value is known before the executor has seen the row, given those that are `present` in it.
///
/// A volatile default (a sequence, a random UUID) is not known, nor is what is generated from it.
pub fn known_columns(table: &Table, present: &BTreeSet<i16>) -> BTreeSet<i16> {
    let mut known: BTreeSet<i16> = table
        .columns
        .iter()
        .filter(|c| !c.generated && (present.contains(&c.attnum) || has_known_default(c)))
        .map(|c| c.attnum)
        .collect();
    let generated: Vec<i16> = table
        .columns
        .iter()
        .filter(|c| c.generated && computable(&c.default_reads, &known))
        .map(|c| c.attnum)
        .collect();
    known.extend(generated);
    known
}

fn has_known_default(column: &Column) -> bool {
    column.identity.is_empty() && !column.domain_default && !(column.default.is_some() && column.default_reads.volatile)
}

/// True where an expression can be evaluated over the known columns.
pub fn computable(reads: &crate::db::expression::Expression, known: &BTreeSet<i16>) -> bool {
    !reads.whole_row && reads.columns.iter().all(|c| known.contains(c))
}

/// What a SQLSTATE says of a failed write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The row is wrong, or its key is taken: a report row.
    Row,
    /// Two sessions waited for each other, and this one was told to give way: the statement can be tried again.
    Deadlock,
    /// The server, the session or the transaction: the import cannot go on.
    Session,
}

pub fn blame(sqlstate: &str) -> Blame {
    if sqlstate == "40P01" {
        return Blame::Deadlock;
    }
    let session = ["08", "25", "40", "53", "57", "58", "72", "F0"].iter().any(|class| sqlstate.starts_with(class))
        || matches!(sqlstate, "55P03" | "XX001" | "XX002");
    if session { Blame::Session } else { Blame::Row }
}

/// A small source is looked up in a large target by its indexes; otherwise both are read once.
pub fn look_up_by_index(source_rows: i64, target_rows: i64) -> bool {
    source_rows.saturating_mul(20) < target_rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::catalog::KeyPart;

    fn column(attnum: i16, name: &str, type_oid: u32) -> Column {
        Column {
            attnum,
            name: name.into(),
            type_oid,
            base_oid: type_oid,
            base_sql: sql!("integer"),
            typmod: -1,
            ..Column::default()
        }
    }

    fn key(name: &str, columns: &[&str], predicate: Option<Sql>, expression: bool) -> Key {
        Key {
            name: name.into(),
            columns: columns.iter().map(|c| c.to_string()).collect(),
            predicate,
            parts: vec![KeyPart { attnum: if expression { 0 } else { 1 }, ..KeyPart::default() }],
            ..Key::default()
        }
    }

    fn table() -> Table {
        Table {
            relname: "users".into(),
            kind: "r".into(),
            columns: vec![column(1, "id", 20), column(2, "email", 25), column(4, "age", 23)],
            keys: vec![
                key("partial", &["email"], Some(sql!("age > 1")), false),
                key("by_lower", &["email"], None, true),
                key("plain", &["email"], None, false),
                key("wide", &["email", "age"], None, false),
            ],
            ..Table::default()
        }
    }

    fn source(names: &[(&str, u32)]) -> Vec<Described> {
        let column =
            |&(name, type_oid): &(&str, u32)| Described { name: name.into(), type_oid, typmod: -1, collation_oid: 0 };
        names.iter().map(column).collect()
    }

    fn same_or_text(from: u32, to: u32) -> Coercion {
        if from == to { Coercion::Assignment } else { Coercion::Explicit }
    }

    #[test]
    fn modes_are_the_documented_words() {
        for word in ["skip", "update", "abort", "error"] {
            assert_eq!(OnConflict::parse(word).unwrap().name(), word);
        }
        assert_eq!(OnConflict::parse("merge").unwrap_err().sqlstate, "22023");
        assert_eq!(Report::parse("some").unwrap_err().sqlstate, "22023");
    }

    #[test]
    fn match_on_goes_with_update_and_nothing_else() {
        let request = |on_conflict, match_on: &[&str]| Request {
            source: "s".into(),
            on_conflict,
            match_on: match_on.iter().map(|s| s.to_string()).collect(),
            dry_run: false,
            report: Report::Problems,
            max_problems: None,
            row_id: None,
        };
        assert!(request(OnConflict::Skip, &[]).check().is_ok());
        assert!(request(OnConflict::Update, &["id"]).check().is_ok());
        assert!(request(OnConflict::Update, &[]).check().is_err());
        assert!(request(OnConflict::Abort, &["id"]).check().is_err());
    }

    #[test]
    fn columns_meet_by_name_and_keep_the_targets_order() {
        let assigned = assign_columns(&table(), &source(&[("age", 25), ("email", 25)]), None, same_or_text).unwrap();
        let names: Vec<_> = assigned.iter().map(|a| (a.column.name.as_str(), a.conversion)).collect();
        assert_eq!(names, [("email", None), ("age", Some(Coercion::Explicit))]);
    }

    #[test]
    fn an_unknown_column_is_named() {
        let error = assign_columns(&table(), &source(&[("login", 25), ("email", 25)]), None, same_or_text).unwrap_err();
        assert_eq!(error.sqlstate, "42703");
        assert!(error.message.contains("\"login\""));
        assert!(
            assign_columns(&table(), &source(&[("login", 25), ("email", 25)]), Some("login"), same_or_text).is_ok()
        );
    }

    #[test]
    fn a_whole_plain_key_is_preferred_for_matching() {
        let t = table();
        let all = assign_columns(&t, &source(&[("age", 23), ("email", 25)]), None, same_or_text).unwrap();
        assert_eq!(t.keys[match_key(&t, &["email".into()], &all).unwrap()].name, "plain");
        assert_eq!(t.keys[match_key(&t, &["age".into(), "email".into()], &all).unwrap()].name, "wide");
        assert_eq!(match_key(&t, &["age".into()], &all).unwrap_err().sqlstate, "22023");
        assert_eq!(match_key(&t, &["id".into()], &all).unwrap_err().sqlstate, "22023");
        assert_eq!(match_key(&t, &["nope".into()], &all).unwrap_err().sqlstate, "42703");
    }

    #[test]
    fn a_volatile_default_is_not_known_nor_what_is_generated_from_it() {
        let mut t = table();
        t.columns[0].default = Some(sql!("nextval('s')"));
        t.columns[0].default_reads.volatile = true;
        t.columns[2].default = Some(sql!("18"));
        let mut generated = column(5, "tag", 25);
        generated.generated = true;
        generated.default_reads.columns = vec![1, 2];
        t.columns.push(generated);
        assert_eq!(known_columns(&t, &BTreeSet::from([2])), BTreeSet::from([2, 4]));
        assert_eq!(known_columns(&t, &BTreeSet::from([1, 2])), BTreeSet::from([1, 2, 4, 5]));
    }

    #[test]
    fn only_the_row_is_blamed_for_the_row() {
        for row in ["23505", "23514", "22001", "P0001", "42501", "XX000", "54000"] {
            assert_eq!(blame(row), Blame::Row, "{row}");
        }
        for session in ["57014", "53100", "40001", "25006", "55P03"] {
            assert_eq!(blame(session), Blame::Session, "{session}");
        }
        assert_eq!(blame("40P01"), Blame::Deadlock);
    }
}
