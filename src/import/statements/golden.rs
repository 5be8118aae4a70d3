//! Every statement of an import, as it is for a table of which every name is awkward: `golden.sql` beside this file.
//!
//! Where a statement is to change, `GOLDEN=write cargo test --lib golden` writes the file anew; what has changed in it is then to be read.

use super::*;
use crate::db::catalog::{Hash, Name, Partitioned};
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
        type_oid: 25,
        label: column.name.clone(),
        operator: equal(),
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
    let exclusion = Key { name: "x USING gist(r);pwned;--".to_string(), exclusion: true, ..unique.clone() };
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
            Column { default: Some(literal("\\' pwned")), ..column(5, "\"pwned\"") },
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
        let Statements { names, assignments, .. } = *statements;
        let source = sql!("SELECT 1 -- a comment at the end");
        self.add(
            "describe_source, read_source",
            [Statements::describe_source(&source), Statements::read_source(names, &source)],
        );
        self.add("explain_insert", [statements.explain_insert()]);
        self.add("explain_update", [statements.explain_update(Some(0)), statements.explain_update(None)]);
        self.add("explain_holders", (0..3).map(|key| statements.explain_holders(key)));
        self.add("values_of", [statements.values_of(&assignments[0])]);
        self.add("without_echoes_of_conversion", [statements.without_echoes_of_conversion()]);
    }

    fn add_checks(&mut self, statements: &Statements, rows: &Rows) {
        let table = statements.table;
        let keys = || 0..table.keys.len();
        self.add("merge, updates", [statements.merge(&table.keys[1], rows), statements.updates()]);
        self.add("probe", [statements.probe(rows)]);
        self.add("find_broken_rules", statements.find_broken_rules(rows));
        self.add("find_missing_references", [statements.find_missing_references(0, rows)]);
        let partitioned = Partitioned { relname: table.relname.clone(), ..Partitioned::default() };
        self.add("find_unrouted", [statements.find_unrouted(rows, &partitioned)]);
        self.add("find_parents", statements.find_parents(0, rows));
        self.add("report_orphans", [statements.report_orphans(0, rows)]);
        self.add("create_hashes", [statements.create_hashes(&[0, 1], rows)]);
        self.add("fill_sieve", [statements.fill_sieve(1)]);
        self.add("create_near", [statements.create_near(&[0, 1])]);
        self.add("add_near, create_met", [statements.add_near(&[0, 1]), statements.create_met(&[0, 1])]);
        self.add("suspected_keys", [statements.suspected_keys()]);
        self.add("null_patterns", keys().filter_map(|key| statements.null_patterns(key, rows)));
        self.add("find_conflicts", keys().map(|key| statements.find_conflicts(key, rows, 0)));
        self.add("find_conflicts, of NULLs", [statements.find_conflicts(1, rows, 2)]);
        self.add("find_contests", keys().flat_map(|key| statements.find_contests(key, rows, false)));
        self.add("report_duplicates", [statements.report_duplicates(1, rows)]);
        self.add("key_of_rows", [statements.key_of_rows(1, rows)]);
    }

    fn add_contest(&mut self, statements: &Statements, rows: &Rows) {
        self.add(
            "contest_in_order",
            [statements.contest_in_order(rows, false), statements.contest_in_order(rows, true)],
        );
        self.add(
            "without_freed, without_withdrawn, with_one_holder",
            [statements.without_freed(rows), statements.without_withdrawn(), statements.with_one_holder()],
        );
    }

    fn add_writes(&mut self, statements: &Statements, rows: &Rows) {
        let track = WriteOptions { track: true, place: true, match_key: Some(1), ..WriteOptions::default() };
        let ordered = |order| WriteOptions { order, ..WriteOptions::default() };
        let ways = [
            (Write::Insert, WriteOptions { do_nothing: true, key: true, ..track }),
            (Write::Insert, ordered(Order::Key(0))),
            (Write::Insert, WriteOptions { order: Order::Key(0), ..track }),
            (Write::Insert, ordered(Order::IndexesLast)),
            (Write::Update, track),
        ];
        let possible = ways.into_iter().filter(|(kind, _)| rows.merged || *kind == Write::Insert);
        self.add("write", possible.map(|(kind, how)| statements.write(rows, kind, how)));
        if rows.merged {
            self.add("find_again", [statements.find_again(&statements.table.keys[1], rows)]);
        }
        self.add("rows_to_fire, same_target", [statements.rows_to_fire(rows), statements.same_target()]);
        let fired = Rows::new(statements.table, &statements.names.fired, BTreeSet::from([1, 2]), false);
        self.add("fill_fired", [statements.fill_fired(&fired)]);
        self.add("name_winners", [statements.name_winners()]);
        self.add("check_now", Statements::check_now(&name("primary")));
    }

    fn add_report(&mut self, statements: &Statements, rows: &Rows) {
        let row_id = "row;\"pwned".to_string();
        self.add("count_by_status", [statements.count_by_status()]);
        self.add("first_problems", [statements.first_problems(5)]);
        self.add("report", [statements.report(None, None), statements.report(Some(&row_id), Some(rows))]);
        self.add("failure, suppressed", [Statements::failure(), Statements::suppressed()]);
    }
}

#[test]
fn every_statement_for_a_table_of_awkward_names() {
    let table = table();
    let taken: BTreeSet<&str> = BTreeSet::from(["?row"]);
    let names = Names::new(&taken);
    let conversions = [None, Some(Coercion::Explicit), Some(Coercion::Text), Some(Coercion::Assignment)];
    let assigned = [0, 1, 3, 4].map(|i| table.columns[i].clone());
    let assignments: Vec<Assignment> =
        (assigned.into_iter().zip(conversions)).map(|(column, conversion)| Assignment { column, conversion }).collect();
    let statements = Statements { table: &table, names: &names, assignments: &assignments, sieved: false };
    let present = BTreeSet::from([1, 2, 4, 5]);
    let rows = Rows::new(&table, &names.rows, present.clone(), false);
    let merged = Rows::new(&table, &names.rows, present, true);
    let lacking = Rows::new(&table, &names.rows, BTreeSet::from([1, 2, 4]), false);
    let mut golden = Golden(String::new());
    golden.add_source(&statements);
    golden.add_checks(&statements, &rows);
    let sieved = Statements { sieved: true, ..statements };
    golden.add("find_conflicts, sieved", [sieved.find_conflicts(1, &lacking, 0)]);
    golden.add("find_contests, sieved", sieved.find_contests(1, &lacking, false));
    golden.add(
        "find_conflicts, merged",
        [statements.find_conflicts(0, &merged, 0), statements.find_conflicts(2, &merged, 0)],
    );
    golden.add("find_waits", [statements.find_waits(&merged)]);
    golden.add_contest(&statements, &merged);
    golden.add_writes(&statements, &rows);
    golden.add_writes(&statements, &merged);
    golden.add_report(&statements, &rows);
    golden.add_report(&statements, &merged);

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/import/statements/golden.sql");
    if std::env::var("GOLDEN").is_ok_and(|what| what == "write") {
        std::fs::write(&file, &golden.0).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    let differs = golden.0.lines().zip(expected.lines()).enumerate().find(|(_, (now, before))| now != before);
    assert_eq!(differs, None, "the first line of golden.sql that differs; see the head of golden.rs");
    assert_eq!(golden.0.len(), expected.len());
}
