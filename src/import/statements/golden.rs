//! Every statement of an import, as it is for a table of which every name is awkward: `golden.sql` beside this file.
//!
//! Where a statement is to change, `GOLDEN=write cargo test --lib golden` writes the file anew; what has changed in it is then to be read.

use super::*;
use crate::db::catalog::{Hash, Name};
use crate::db::expression::{Coercion, Expression};
use std::path::Path;

/// In every name and value that is not the extension's own. It stands nowhere but between quotes.
const MARK: &str = "pwned";

const SCHEMA: &str = "s'\";pwned";

fn name(what: &str) -> Name {
    Name { schema: SCHEMA.to_string(), name: format!("{what} pwned';--") }
}

fn column(attnum: i16, name_of_column: &str) -> Column {
    Column {
        attnum,
        name: name_of_column.to_string(),
        type_sql: name("type").sql(),
        base_sql: name("base").sql(),
        updatable: true,
        ..Column::default()
    }
}

fn reads(columns: &[i16]) -> Expression {
    Expression { columns: columns.to_vec(), ..Expression::default() }
}

fn equal() -> Name {
    Name { schema: SCHEMA.to_string(), name: "=".to_string() }
}

fn part(column: &Column, hash: Hash) -> KeyPart {
    KeyPart {
        attnum: column.attnum,
        label: column.name.clone(),
        operator: equal(),
        operator_class: name("class"),
        groups: true,
        collation: None,
        nullable: true,
        collatable: true,
        hash: Some(hash),
        sql: column.sql(),
    }
}

fn table() -> Table {
    let direct = Hash { function: name("hash"), direct: true, ..Hash::default() };
    let of_array = Hash { direct: false, type_sql: name("type").sql(), ..direct.clone() };
    let [id, login, other] = [column(1, "a, pwned"), column(2, "@pwned $1"), column(4, "größe\n\\pwned'")];
    let expression = sql!("{function}({login})", function = name("function").sql(), login = login.sql());
    let primary = Key {
        name: "p\"'pwned".to_string(),
        primary: true,
        parts: vec![part(&id, direct.clone())],
        columns: vec![id.name.clone()],
        reads: reads(&[1]),
        nulls_distinct: true,
        deferred: Some(name("primary")),
        ..Key::default()
    };
    let unique = Key {
        name: "u @ord {} pwned".to_string(),
        parts: vec![
            KeyPart { collation: Some(name("collation")), ..part(&other, of_array) },
            KeyPart { attnum: 0, label: "f('pwned')".to_string(), sql: expression, ..part(&login, direct) },
        ],
        columns: vec![other.name.clone(), login.name.clone()],
        reads: reads(&[2, 4]),
        predicate: Some(sql!("{login} IS NOT NULL", login = login.sql())),
        ..Key::default()
    };
    let exclusion = Key {
        name: "x USING gist(r);pwned;--".to_string(),
        access_method: "gi'st pwned".to_string(),
        exclusion: true,
        ..unique.clone()
    };
    let check = Check {
        name: "c 'pwned'".to_string(),
        sql: sql!("{login} <> {value}", login = login.sql(), value = literal("it's pwned")),
        reads: reads(&[2]),
        ..Check::default()
    };
    let foreign_key = ForeignKey {
        name: "f $1 pwned".to_string(),
        references: name("table"),
        only: true,
        columns: vec![4],
        referenced: vec![id.name.clone()],
        operators: vec![equal()],
        full: true,
        to_itself: true,
        checkable: true,
        deferred: None,
    };
    Table {
        oid: 16384,
        schema: SCHEMA.to_string(),
        relname: "t USING gist(r);pwned;--".to_string(),
        kind: "r".to_string(),
        readable: true,
        columns: vec![
            Column { identity: "a".to_string(), not_null: true, ..id },
            login,
            Column {
                generated: true,
                default: Some(sql!("{check}", check = check.sql)),
                default_reads: reads(&[2]),
                ..column(3, "{pwned}")
            },
            other,
            Column {
                default: Some(literal("\\' pwned")),
                collation: Some(name("collation")),
                ..column(5, "\"pwned\"")
            },
        ],
        keys: vec![primary, unique, exclusion],
        checks: vec![check],
        foreign_keys: vec![foreign_key],
        ..Table::default()
    }
}

/// What of a statement is neither an identifier in quotes nor a literal.
fn outside_quotes(statement: &str) -> String {
    let (mut outside, mut rest) = (String::new(), statement);
    while let Some(start) = rest.find(['"', '\'']) {
        outside.push_str(&rest[..start]);
        let quote = rest.as_bytes()[start] as char;
        let escapes = quote == '\'' && rest[..start].ends_with('E');
        let (mut end, inside) = (start + 1, rest);
        loop {
            end += inside[end..].find([quote, '\\']).expect("what is opened is closed");
            match (&inside[end..end + 1], inside.as_bytes().get(end + 1)) {
                ("\\", _) => end += if escapes { 2 } else { 1 },
                (_, Some(next)) if *next as char == quote => end += 2,
                _ => break,
            }
        }
        rest = &inside[end + 1..];
    }
    outside + rest
}

#[test]
fn quotes_are_told_from_the_rest() {
    assert_eq!(outside_quotes(r#"a "b ""c" d 'e''f' g E'h\\i\'j' k '\' l"#), "a  d  g E k  l");
}

/// The statements, each under the name of what makes it.
struct Golden(String);

impl Golden {
    fn add(&mut self, what: &str, statements: impl IntoIterator<Item = Sql>) {
        for statement in statements {
            assert!(!outside_quotes(&statement).contains(MARK), "a name is not quoted in {what}: {statement}");
            self.0.push_str(&format!("==== {what}\n{statement}\n"));
        }
    }

    fn add_source(&mut self, statements: &Statements) {
        let Statements { names, assignments, table, .. } = *statements;
        let source = sql!("SELECT 1 -- a comment at the end");
        let all: BTreeSet<i16> = table.columns.iter().map(|c| c.attnum).collect();
        self.add("create_raw", [Statements::create_raw(names, &source)]);
        self.add("fill_raw", [Statements::fill_raw(names, &source)]);
        self.add("columns_of_raw", [Statements::columns_of_raw(names)]);
        self.add("create_problem", [Statements::create_problem(names)]);
        self.add("explain_insert", [statements.explain_insert()]);
        self.add("explain_update", [statements.explain_update(Some(0)), statements.explain_update(None)]);
        self.add("explain_holders", (0..3).map(|key| statements.explain_holders(key)));
        self.add("create_typed", [statements.create_typed(&names.staged, &all)]);
        self.add("convert", [statements.convert(), statements.convert_rest()]);
        self.add("convert_column", assignments.iter().map(|a| statements.convert_column(a, 7)));
        self.add("value_of", [statements.value_of(&assignments[0])]);
        self.add("forget_echoes_of_conversion", [statements.forget_echoes_of_conversion()]);
        self.add("index_by_number", [statements.index_by_number(&names.staged)]);
        self.add(
            "index_landed, index_problems, index_winners",
            [statements.index_landed(), statements.index_problems(), statements.index_winners()],
        );
    }

    fn add_checks(&mut self, statements: &Statements, rows: &Rows) {
        let table = statements.table;
        let keys = || 0..table.keys.len();
        self.add("create_merged", [statements.create_merged(&table.keys[1], rows)]);
        self.add("probe", [statements.probe(&Rows { poisoned: true, ..rows.clone() }, 7)]);
        self.add("find_broken_rules", statements.find_broken_rules(rows));
        self.add("find_missing_references", [statements.find_missing_references(0, rows)]);
        self.add("find_parents", statements.find_parents(0, rows));
        self.add("report_orphans", [statements.report_orphans(0, rows)]);
        self.add("create_hashes", [statements.create_hashes(&[0, 1], rows)]);
        self.add("fill_sieve", [statements.fill_sieve(1)]);
        self.add("create_near", [statements.create_near(&[0, 1])]);
        self.add("create_close", [statements.create_close(&[0, 1], rows)]);
        self.add("suspected_keys, drop_sifted", [statements.suspected_keys(), statements.drop_sifted()]);
        self.add("find_conflicts", keys().flat_map(|key| statements.find_conflicts(key, rows)));
        self.add("find_contests", keys().flat_map(|key| statements.find_contests(key, rows, false)));
        self.add("index_exclusion", [statements.index_exclusion(&table.keys[2], rows)]);
        self.add("report_duplicates", [statements.report_duplicates(1, &rows.only(7))]);
        self.add("key_of_row", [statements.key_of_row(1, rows, 7)]);
    }

    fn add_contest(&mut self, statements: &Statements) {
        self.add("has_duplicates, depends_on_order", [statements.has_duplicates(), statements.depends_on_order()]);
        self.add("forget_freed", [statements.forget_freed()]);
        self.add("contest_in_order", [statements.contest_in_order()]);
    }

    fn add_writes(&mut self, statements: &Statements, rows: &Rows) {
        let range = Range { first: 3, last: 9 };
        let track = WriteOptions { track: true, place: true, match_key: Some(1), ..WriteOptions::default() };
        let ordered = |order| WriteOptions { order, ..WriteOptions::default() };
        let ways = [
            (Write::Insert, WriteOptions { do_nothing: true, ..track }),
            (Write::Insert, ordered(Order::Key(0))),
            (Write::Insert, ordered(Order::IndexesLast)),
            (Write::Update, track),
        ];
        let possible = ways.into_iter().filter(|(kind, _)| rows.merged || *kind == Write::Insert);
        self.add("write", possible.map(|(kind, how)| statements.write(rows, range, kind, how)));
        self.add("write all", [statements.write(rows, Range::ALL, Write::Insert, track)]);
        self.add("is_update", [statements.is_update(rows, 7)]);
        if rows.merged {
            self.add("turns, updated_by", [statements.turns(rows), statements.updated_by(rows, 7)]);
            self.add("count_updates", [statements.count_updates(rows)]);
        }
        self.add("last_clean", [statements.last_clean(rows, range, Write::Insert)]);
        self.add("losers", [statements.losers(rows, range, Write::Insert)]);
        self.add("losers_to_fire", [statements.losers_to_fire(rows, range)]);
        let fired = Rows::new(statements.table, &statements.names.fired, BTreeSet::from([1, 2]), false);
        self.add("fill_fired, empty_fired", [statements.fill_fired(&fired), statements.empty_fired()]);
        self.add("release", [statements.release(7)]);
        self.add("forget_others, name_winners", [statements.forget_others(), statements.name_winners()]);
        let deferred: Vec<Name> = statements.table.keys.iter().filter_map(|key| key.deferred.clone()).collect();
        self.add("check_now", [Statements::check_now(&deferred)]);
    }

    fn add_report(&mut self, statements: &Statements, rows: &Rows) {
        let row_id = "row;\"pwned".to_string();
        self.add(
            "count_by_status, count_problem_rows",
            [statements.count_by_status(), statements.count_problem_rows()],
        );
        self.add("first_problems", [statements.first_problems(5)]);
        self.add("report", [statements.report("run", None, None), statements.report("run", Some(&row_id), Some(rows))]);
        self.add(
            "add_failure, add_suppressed, count_reported",
            [statements.add_failure(), statements.add_suppressed(), statements.count_reported()],
        );
    }
}

#[test]
fn every_statement_for_a_table_of_awkward_names() {
    let table = table();
    let taken: BTreeSet<&str> = BTreeSet::from(["?row"]);
    let names = Names::new(7, &taken);
    let conversions = [None, Some(Coercion::Explicit), Some(Coercion::Text), Some(Coercion::Assignment)];
    let assigned = [0, 1, 3, 4].map(|i| table.columns[i].clone());
    let assignments: Vec<Assignment> =
        (assigned.into_iter().zip(conversions)).map(|(column, conversion)| Assignment { column, conversion }).collect();
    let statements = Statements { table: &table, names: &names, assignments: &assignments, late: false, sieved: false };
    let present = BTreeSet::from([1, 2, 4, 5]);
    let rows = Rows::new(&table, &names.staged, present.clone(), false);
    let merged = Rows { updates_only: true, ..Rows::new(&table, &names.merged, present, true) };
    let lacking = Rows::new(&table, &names.raw, BTreeSet::from([1, 2, 4]), false);
    let mut golden = Golden(String::new());
    golden.add_source(&statements);
    golden.add_checks(&statements, &rows);
    let sieved = Statements { sieved: true, late: true, ..statements };
    golden.add("find_conflicts, sieved", sieved.find_conflicts(1, &lacking));
    golden.add("find_contests, sieved", sieved.find_contests(1, &lacking, false));
    golden.add("find_conflicts, merged", statements.find_conflicts(0, &merged));
    golden.add("find_waits", [statements.find_waits(&merged)]);
    golden.add_contest(&statements);
    golden.add_writes(&statements, &rows);
    golden.add_writes(&statements, &merged);
    golden.add_report(&statements, &rows);
    golden.add_report(&Statements { late: true, ..statements }, &merged);

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/import/statements/golden.sql");
    if std::env::var("GOLDEN").is_ok_and(|what| what == "write") {
        std::fs::write(&file, &golden.0).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    let differs = golden.0.lines().zip(expected.lines()).enumerate().find(|(_, (now, before))| now != before);
    assert_eq!(differs, None, "the first line of golden.sql that differs; see the head of golden.rs");
    assert_eq!(golden.0.len(), expected.len());
}
