//! A table as its catalog describes it: columns, keys, and the rules its rows must keep.

use crate::db::expression::{self, Expression};
use crate::db::sql::{self, Sql, sql};
use crate::db::{invalidation, query, session, spi};
use crate::error::{Error, Result};
use pgrx::pg_sys::Oid;
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// The name of an object outside the target: of a collation, an operator class, a referenced table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Name {
    pub schema: String,
    pub name: String,
}

impl Name {
    pub fn sql(&self) -> Sql {
        sql::relation(&self.schema, &self.name)
    }

    /// Of an operator.
    pub fn operator(&self) -> Sql {
        sql::operator(&self.schema, &self.name)
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Table {
    pub oid: u32,
    pub schema: String,
    pub relname: String,
    /// Qualified, for people to read.
    pub name: String,
    pub kind: String,
    pub insert_rules: Vec<String>,
    /// BEFORE INSERT row triggers, of the table or of a partition.
    pub before_insert: bool,
    pub before_update: bool,
    /// INSERT row triggers of the user's own, BEFORE or AFTER.
    pub row_triggers: bool,
    /// A default, or a CHECK of the table or of a column's domain, calls a function that may look into the table and sees the
    /// rows of the statement that calls it: one that is volatile, and neither the server's own nor C.
    pub calls: bool,
    /// Row-level security applies to the caller.
    pub row_security: bool,
    /// The caller may read every column.
    pub readable: bool,
    pub columns: Vec<Column>,
    #[serde(default)]
    pub keys: Vec<Key>,
    #[serde(default)]
    pub checks: Vec<Check>,
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Column {
    pub attnum: i16,
    pub name: String,
    /// Its type, for people to read.
    pub type_name: String,
    pub type_oid: u32,
    pub typmod: i32,
    /// The type below all domains, without length: what a value is cast to before it is assigned.
    pub base_oid: u32,
    pub collation_oid: u32,
    /// The caller may change it.
    pub updatable: bool,
    pub not_null: bool,
    pub not_null_constraint: Option<String>,
    /// `a` always, `d` by default, empty for none.
    pub identity: String,
    pub generated: bool,
    /// The column's domain gives a default of its own.
    pub domain_default: bool,
    pub default_node: Option<String>,
    #[serde(skip)]
    pub type_sql: Sql,
    #[serde(skip)]
    pub base_sql: Sql,
    /// What it takes where no value is given, or what it is generated from.
    #[serde(skip)]
    pub default: Option<Sql>,
    #[serde(skip)]
    pub default_reads: Expression,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Key {
    pub name: String,
    pub primary: bool,
    /// Bytes of its index.
    pub size: i64,
    pub exclusion: bool,
    /// Checked at the end of the transaction unless SET CONSTRAINTS says otherwise: its name for that statement.
    pub deferred: Option<Deferred>,
    pub deferrable: bool,
    pub nulls_distinct: bool,
    pub expression_node: Option<String>,
    pub predicate_node: Option<String>,
    pub parts: Vec<KeyPart>,
    #[serde(skip)]
    pub predicate: Option<Sql>,
    /// Columns the parts read, in the table's order for expressions.
    #[serde(skip)]
    pub columns: Vec<String>,
    /// All attribute numbers that the parts and the predicate read.
    #[serde(skip)]
    pub reads: Expression,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct KeyPart {
    /// 0: an expression.
    pub attnum: i16,
    /// What a report calls it: the column's name, or the expression.
    pub label: String,
    pub type_oid: u32,
    /// The operator by which two rows exclude each other.
    pub operator: Name,
    /// GROUP BY compares as the index does.
    pub groups: bool,
    pub collation: Option<Name>,
    pub nullable: bool,
    pub collatable: bool,
    /// The extended hash function that agrees with `operator`.
    pub hash: Option<Hash>,
    /// The column or the expression, over unqualified column names.
    #[serde(skip)]
    pub sql: Sql,
}

/// How the values of a part of a key are hashed.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Hash {
    pub function: Name,
    /// What the operator class is declared for; a polymorphic one has the type of the part here.
    pub type_oid: u32,
    /// The function is declared for that type. Where it is declared for another one of equal shape, as that of date is for
    /// integer, no call by its name would find it.
    pub direct: bool,
    #[serde(skip)]
    pub type_sql: Sql,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Check {
    pub name: String,
    pub node: String,
    #[serde(skip)]
    pub sql: Sql,
    #[serde(skip)]
    pub reads: Expression,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct ForeignKey {
    pub name: String,
    pub references: Name,
    /// Postgres' own check reads the referenced table without its children.
    pub only: bool,
    pub columns: Vec<i16>,
    /// Columns of the referenced table, with the operators that compare them.
    pub referenced: Vec<String>,
    pub operators: Vec<Name>,
    /// MATCH FULL: all columns NULL, or none.
    pub full: bool,
    pub to_itself: bool,
    /// The caller sees what Postgres' own check will see.
    pub checkable: bool,
    /// As of a key.
    pub deferred: Option<Deferred>,
}

/// A constraint that is checked at the end of the transaction, by its name for SET CONSTRAINTS.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Deferred {
    #[serde(flatten)]
    pub name: Name,
    /// Other tables have constraints of that name, of which SET CONSTRAINTS changes the modes too.
    pub shared: bool,
}

impl Column {
    pub fn sql(&self) -> Sql {
        sql::ident(&self.name)
    }
}

impl Key {
    /// Equal keys have equal hashes, and GROUP BY finds them equal.
    pub fn hashable(&self) -> bool {
        !self.exclusion && self.parts.iter().all(|p| p.groups && p.hash.is_some())
    }
}

/// The ranges of the server's own over types that have a greatest value.
const RANGES: [u32; 6] = [3904, 3906, 3908, 3910, 3912, 3926];

impl KeyPart {
    /// Two rows exclude each other where their ranges overlap.
    pub fn is_overlap(&self) -> bool {
        let Name { schema, name } = &self.operator;
        schema == "pg_catalog" && name == "&&" && RANGES.contains(&self.type_oid)
    }
}

impl ForeignKey {
    pub fn in_from(&self) -> Sql {
        let table = self.references.sql();
        if self.only { sql!("ONLY {table}", table) } else { table }
    }
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    pub fn by_number(&self, attnum: i16) -> Option<&Column> {
        self.columns.iter().find(|c| c.attnum == attnum)
    }

    pub fn primary_key(&self) -> Option<&Key> {
        self.keys.iter().find(|k| k.primary)
    }

    pub fn sql(&self) -> Sql {
        sql::relation(&self.schema, &self.relname)
    }

    /// The table in FROM: without its inheritance children, which have keys of their own.
    pub fn in_from(&self) -> Sql {
        let table = self.sql();
        if self.kind == "p" { table } else { sql!("ONLY {table}", table) }
    }
}

/// Reads the description of `oid` as the current user sees it. Its expressions are printed for the search path that is set, and mean
/// what they say under that path alone.
pub fn table(oid: Oid) -> Result<Table> {
    let mut table = session::with_system_names(|| read_table(oid))?;
    print_expressions(&mut table);
    Ok(table)
}

/// What the session keeps of a table: until anything changes in the catalog that it may come from.
pub struct Known {
    pub table: Table,
    /// Statements for which the current user has been found to have the rights.
    allowed: RefCell<HashSet<String>>,
}

impl Known {
    /// Whether a statement is allowed: `check` finds out, once.
    pub fn allows(&self, statement: &str, check: impl FnOnce() -> Result<()>) -> Result<()> {
        if !self.allowed.borrow().contains(statement) {
            check()?;
            self.allowed.borrow_mut().insert(statement.to_string());
        }
        Ok(())
    }
}

/// The table, the user, the search path, and settings that change what a user sees.
type KnownAs = (u32, u32, String, i32, bool);

thread_local! {
    static KNOWN: RefCell<(u64, HashMap<KnownAs, Rc<Known>>)> = RefCell::new((0, HashMap::new()));
}

/// So many tables are kept.
const MOST_KNOWN: usize = 50;

/// As `table`, from memory if it is there. The table is locked: so what others have changed has been heard of.
pub fn known(oid: Oid, search_path: &str) -> Result<Rc<Known>> {
    let generation = invalidation::catalog_generation();
    let (user, role, row_security) = session::sees_as();
    let key = (oid.to_u32(), user.to_u32(), search_path.to_string(), role, row_security);
    let found = KNOWN.with_borrow(|(of, known)| known.get(&key).filter(|_| *of == generation).cloned());
    if let Some(found) = found {
        return Ok(found);
    }
    let table = session::with_settings(&[("search_path", search_path)], || table(oid))?;
    let made = Rc::new(Known { table, allowed: RefCell::default() });
    KNOWN.with_borrow_mut(|(of, known)| {
        if *of != generation || known.len() >= MOST_KNOWN {
            known.clear();
        }
        *of = generation;
        known.insert(key, Rc::clone(&made));
    });
    Ok(made)
}

fn read_table(oid: Oid) -> Result<Table> {
    let args = [oid.into()];
    let mut table: Table = query::kept_document::<Option<Table>>(TABLE, &args)?
        .ok_or_else(|| Error::new("42P01", format!("there is no relation with OID {}", oid.to_u32())))?;
    table.keys = query::kept_document(KEYS, &args)?;
    table.checks = query::kept_document(CHECKS, &args)?;
    table.foreign_keys = query::kept_document(FOREIGN_KEYS, &args)?;
    for column in &mut table.columns {
        column.type_sql = expression::type_sql(column.type_oid.into(), column.typmod);
        column.base_sql = expression::type_sql(column.base_oid.into(), -1);
        column.default_reads = inspect(column.default_node.as_deref());
    }
    for check in &mut table.checks {
        check.reads = expression::inspect(&check.node);
    }
    let columns = table.columns.clone();
    for key in &mut table.keys {
        read_key(key, &columns);
    }
    Ok(table)
}

fn inspect(node: Option<&str>) -> Expression {
    node.map(expression::inspect).unwrap_or_default()
}

fn read_key(key: &mut Key, columns: &[Column]) {
    let in_expressions = inspect(key.expression_node.as_deref());
    let in_predicate = inspect(key.predicate_node.as_deref());
    let mut in_parts: Vec<i16> = key.parts.iter().map(|p| p.attnum).filter(|n| *n > 0).collect();
    in_parts.extend(&in_expressions.columns);
    in_parts.dedup();
    key.columns =
        in_parts.iter().filter_map(|n| columns.iter().find(|c| c.attnum == *n)).map(|c| c.name.clone()).collect();
    key.reads.whole_row = in_expressions.whole_row || in_predicate.whole_row;
    key.reads.columns = in_parts;
    key.reads.columns.extend(&in_predicate.columns);
    for part in &mut key.parts {
        part.hash.take_if(|hash| !expression::can_hash(hash.type_oid.into(), hash.direct));
        if let Some(hash) = &mut part.hash {
            hash.type_sql = expression::type_sql(hash.type_oid.into(), -1);
        }
    }
}

fn print_expressions(table: &mut Table) {
    let oid = Oid::from(table.oid);
    let print = |node: &Option<String>| node.as_ref().map(|node| expression::print(node, &table.relname, oid));
    for column in &mut table.columns {
        column.default = print(&column.default_node).and_then(|printed| printed.into_iter().next());
    }
    for check in &mut table.checks {
        check.sql = sql::concat(expression::print(&check.node, &table.relname, oid));
    }
    for key in &mut table.keys {
        key.predicate = print(&key.predicate_node).and_then(|printed| printed.into_iter().next());
        let mut expressions = print(&key.expression_node).unwrap_or_default().into_iter();
        for part in &mut key.parts {
            let column = table.columns.iter().find(|c| c.attnum == part.attnum).map(Column::sql);
            part.sql = column.or_else(|| expressions.next()).unwrap_or_default();
        }
    }
}

/// The constraint or index, at the top of its partition tree, that an index of a partition belongs to.
pub fn root_constraint(schema: &str, name: &str) -> Result<Option<String>> {
    spi::value::<String>(
        "SELECT COALESCE(k.conname, r.relname)::pg_catalog.text
         FROM pg_catalog.pg_class i
         JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) i.relnamespace
         JOIN pg_catalog.pg_class r ON r.oid OPERATOR(pg_catalog.=) pg_catalog.pg_partition_root(i.oid)
         LEFT JOIN pg_catalog.pg_constraint k ON k.conindid OPERATOR(pg_catalog.=) r.oid
              AND k.contype OPERATOR(pg_catalog.=) ANY ('{p,u,x}'::pg_catalog.\"char\"[])
         WHERE n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.name
           AND i.relname OPERATOR(pg_catalog.=) $2::pg_catalog.name",
        &[schema.into(), name.into()],
    )
}

/// A partitioned table: its name, what its rows must keep, and what those of each of its partitions must keep.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Partitioned {
    pub relname: String,
    pub own: Option<String>,
    pub partitions: Vec<String>,
}

impl Partitioned {
    /// The condition under which there is no partition for a row.
    pub fn has_no_partition(&self) -> Sql {
        let own = self.own.as_deref().map_or_else(|| sql!("true"), Sql::verbatim);
        let partitions =
            sql::any(self.partitions.iter().map(|rule| sql!("({rule})", rule = Sql::verbatim(rule.as_str()))));
        sql!("({own}) AND ({partitions}) IS NOT TRUE", own, partitions)
    }
}

/// The table and its partitions that are partitioned, and have none for the rest. Their rules are printed for the search path that is set.
pub fn partitioned(oid: Oid) -> Result<Vec<Partitioned>> {
    query::kept_document(
        "SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
           'relname', c.relname,
           'own', pg_catalog.pg_get_partition_constraintdef(c.oid),
           'partitions', (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.pg_get_partition_constraintdef(i.inhrelid)), '[]')
                          FROM pg_catalog.pg_inherits AS i WHERE i.inhparent OPERATOR(pg_catalog.=) c.oid))), '[]')
         FROM pg_catalog.pg_partition_tree($1) AS t
         JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.relid
         JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid OPERATOR(pg_catalog.=) c.oid
         WHERE p.partdefid OPERATOR(pg_catalog.=) 0",
        &[oid.into()],
    )
}

const TABLE: &str = "
WITH RECURSIVE base(attnum, type_oid) AS (
  SELECT a.attnum, a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT b.attnum, t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type_oid WHERE t.typtype = 'd'
), bases AS (
  SELECT b.attnum, b.type_oid FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type_oid WHERE t.typtype <> 'd'
), members AS (
  SELECT $1::pg_catalog.oid AS relid UNION SELECT p.relid FROM pg_catalog.pg_partition_tree($1) p
), triggers AS (
  SELECT g.tgtype FROM pg_catalog.pg_trigger g JOIN members m ON m.relid = g.tgrelid
  WHERE NOT g.tgisinternal AND g.tgtype::pg_catalog.int4 & 1 <> 0
    AND g.tgenabled IN ('A', CASE pg_catalog.current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END)
)
SELECT pg_catalog.jsonb_build_object(
  'oid', c.oid::pg_catalog.int8,
  'schema', n.nspname,
  'relname', c.relname,
  'name', pg_catalog.format('%I.%I', n.nspname, c.relname),
  'kind', c.relkind,
  'insert_rules', (SELECT COALESCE(pg_catalog.jsonb_agg(r.rulename), '[]') FROM pg_catalog.pg_rewrite r
                   WHERE r.ev_class = c.oid AND r.ev_type IN ('2', '3') AND r.ev_enabled <> 'D'),
  'before_insert', EXISTS (SELECT FROM triggers WHERE tgtype::pg_catalog.int4 & 6 = 6),
  'before_update', EXISTS (SELECT FROM triggers WHERE tgtype::pg_catalog.int4 & 18 = 18),
  'row_triggers', EXISTS (SELECT FROM triggers WHERE tgtype::pg_catalog.int4 & 4 <> 0),
  'calls', EXISTS (
      SELECT FROM pg_catalog.pg_depend p
      LEFT JOIN pg_catalog.pg_proc f ON p.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND f.oid = p.refobjid
      LEFT JOIN pg_catalog.pg_language l ON l.oid = f.prolang
      WHERE (f.provolatile = 'v' AND l.lanname NOT IN ('internal', 'c') OR p.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass)
        AND (p.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
               AND p.objid IN (SELECT d.oid FROM pg_catalog.pg_attrdef d WHERE d.adrelid = c.oid)
             OR p.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
               AND p.objid IN (SELECT k.oid FROM pg_catalog.pg_constraint k
                               WHERE k.contype = 'c' AND (k.conrelid = c.oid OR k.contypid IN (SELECT b.type_oid FROM base b))))),
  'row_security', pg_catalog.row_security_active(c.oid),
  'readable', pg_catalog.has_table_privilege(c.oid, 'SELECT'),
  'columns', (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'attnum', a.attnum,
      'name', a.attname,
      'type_name', pg_catalog.format_type(a.atttypid, a.atttypmod),
      'type_oid', a.atttypid::pg_catalog.int8,
      'typmod', a.atttypmod,
      'base_oid', b.type_oid::pg_catalog.int8,
      'collation_oid', a.attcollation::pg_catalog.int8,
      'updatable', pg_catalog.has_column_privilege(c.oid, a.attnum, 'UPDATE'),
      'not_null', a.attnotnull,
      'not_null_constraint', (SELECT k.conname FROM pg_catalog.pg_constraint k
                              WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey[1] = a.attnum),
      'identity', a.attidentity,
      'generated', a.attgenerated <> '',
      'default_node', d.adbin::pg_catalog.text,
      'domain_default', t.typtype = 'd' AND t.typdefault IS NOT NULL
    ) ORDER BY a.attnum), '[]')
    FROM pg_catalog.pg_attribute a
    JOIN bases b ON b.attnum = a.attnum
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = $1";

const KEYS: &str = "
SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
  'name', COALESCE(c.conname, ic.relname),
  'primary', i.indisprimary,
  'size', pg_catalog.pg_relation_size(i.indexrelid),
  'exclusion', i.indisexclusion,
  'deferrable', COALESCE(c.condeferrable, false),
  'deferred', CASE WHEN c.condeferred THEN pg_catalog.jsonb_build_object('schema', n.nspname, 'name', c.conname, 'shared', EXISTS (
    SELECT FROM pg_catalog.pg_constraint o WHERE o.conname = c.conname AND o.connamespace = c.connamespace
      AND o.conrelid <> c.conrelid AND o.conrelid NOT IN (SELECT p.relid FROM pg_catalog.pg_partition_tree(c.conrelid) p))) END,
  'nulls_distinct', NOT COALESCE((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::pg_catalog.bool, false),
  'expression_node', i.indexprs::pg_catalog.text,
  'predicate_node', i.indpred::pg_catalog.text,
  'parts', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'attnum', i.indkey[s.n - 1],
      'type_oid', ia.atttypid::pg_catalog.int8,
      'label', COALESCE(a.attname, pg_catalog.pg_get_indexdef(i.indexrelid, s.n, false)),
      'operator', pg_catalog.jsonb_build_object('schema', opn.nspname, 'name', op.oprname),
      'groups', NOT i.indisexclusion AND EXISTS (
          SELECT FROM pg_catalog.pg_opclass dc
          JOIN pg_catalog.pg_amop da ON da.amopfamily = dc.opcfamily AND da.amopstrategy = 3
               AND da.amoplefttype = dc.opcintype AND da.amoprighttype = dc.opcintype
          WHERE dc.opcmethod = 403 AND dc.opcdefault AND dc.opcintype = oc.opcintype AND da.amopopr = op.oid),
      'collation', (SELECT pg_catalog.jsonb_build_object('schema', cn.nspname, 'name', l.collname)
          FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace cn ON cn.oid = l.collnamespace
          WHERE l.oid = i.indcollation[s.n - 1] AND (l.oid <> 100 OR COALESCE(a.attcollation, 100) <> 100)),
      'nullable', NOT COALESCE(a.attnotnull, false),
      'collatable', i.indcollation[s.n - 1] <> 0,
      'hash', (SELECT pg_catalog.jsonb_build_object(
            'function', pg_catalog.jsonb_build_object('schema', pn.nspname, 'name', pr.proname),
            'type_oid', (CASE WHEN ot.typtype = 'p' THEN ia.atttypid ELSE hc.opcintype END)::pg_catalog.int8,
            'direct', pr.proargtypes[0] = hc.opcintype)
          FROM pg_catalog.pg_opclass hc
          JOIN pg_catalog.pg_amop ha ON ha.amopfamily = hc.opcfamily AND ha.amopstrategy = 1
               AND ha.amoplefttype = hc.opcintype AND ha.amoprighttype = hc.opcintype
          JOIN pg_catalog.pg_amproc hp ON hp.amprocfamily = hc.opcfamily AND hp.amprocnum = 2
               AND hp.amproclefttype = hc.opcintype AND hp.amprocrighttype = hc.opcintype
          JOIN pg_catalog.pg_proc pr ON pr.oid = hp.amproc
          JOIN pg_catalog.pg_namespace pn ON pn.oid = pr.pronamespace
          JOIN pg_catalog.pg_type ot ON ot.oid = hc.opcintype
          WHERE hc.opcmethod = 405 AND hc.opcdefault AND hc.opcintype = oc.opcintype AND ha.amopopr = op.oid)
    ) ORDER BY s.n)
    FROM pg_catalog.generate_series(1, i.indnkeyatts) s(n)
    JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[s.n - 1]
    JOIN pg_catalog.pg_attribute ia ON ia.attrelid = i.indexrelid AND ia.attnum = s.n
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[s.n - 1] AND a.attnum > 0
    JOIN pg_catalog.pg_operator op ON op.oid = COALESCE(c.conexclop[s.n],
        (SELECT m.amopopr FROM pg_catalog.pg_amop m
         WHERE m.amopfamily = oc.opcfamily AND m.amopstrategy = 3
           AND m.amoplefttype = oc.opcintype AND m.amoprighttype = oc.opcintype))
    JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace)
) ORDER BY i.indisprimary DESC, i.indexrelid), '[]')
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = ic.relnamespace
LEFT JOIN pg_catalog.pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('p', 'u', 'x')
WHERE i.indrelid = $1 AND (i.indisunique OR i.indisexclusion) AND i.indislive
  -- While an index is rebuilt concurrently there are two of it, and one is not valid.
  AND (i.indisvalid OR NOT EXISTS (
    SELECT FROM pg_catalog.pg_index v
    WHERE v.indrelid = i.indrelid AND v.indisvalid AND v.indisunique = i.indisunique AND v.indkey = i.indkey AND v.indclass = i.indclass
      AND v.indcollation = i.indcollation AND v.indnkeyatts = i.indnkeyatts
      AND pg_catalog.to_jsonb(v) -> 'indnullsnotdistinct' IS NOT DISTINCT FROM pg_catalog.to_jsonb(i) -> 'indnullsnotdistinct'
      AND pg_catalog.pg_get_expr(v.indexprs, v.indrelid) IS NOT DISTINCT FROM pg_catalog.pg_get_expr(i.indexprs, i.indrelid)
      AND pg_catalog.pg_get_expr(v.indpred, v.indrelid) IS NOT DISTINCT FROM pg_catalog.pg_get_expr(i.indpred, i.indrelid)))";

const CHECKS: &str = "
SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
  'name', c.conname,
  'node', c.conbin::pg_catalog.text
) ORDER BY c.conname), '[]')
FROM pg_catalog.pg_constraint c
WHERE c.conrelid = $1 AND c.contype = 'c'
  AND COALESCE((pg_catalog.to_jsonb(c) ->> 'conenforced')::pg_catalog.bool, true)";

const FOREIGN_KEYS: &str = "
SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
  'name', c.conname,
  'references', pg_catalog.jsonb_build_object('schema', n.nspname, 'name', r.relname),
  'only', r.relkind <> 'p',
  'columns', c.conkey,
  'referenced', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.n)
     FROM pg_catalog.unnest(c.confkey) WITH ORDINALITY k(attnum, n)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum),
  'operators', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('schema', opn.nspname, 'name', op.oprname) ORDER BY k.n)
     FROM pg_catalog.unnest(c.conpfeqop) WITH ORDINALITY k(opr, n)
     JOIN pg_catalog.pg_operator op ON op.oid = k.opr
     JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace),
  'full', c.confmatchtype = 'f',
  'to_itself', c.confrelid = c.conrelid,
  'deferred', CASE WHEN c.condeferred THEN pg_catalog.jsonb_build_object('schema', own.nspname, 'name', c.conname, 'shared', EXISTS (
    SELECT FROM pg_catalog.pg_constraint o WHERE o.conname = c.conname AND o.connamespace = c.connamespace
      AND o.conrelid <> c.conrelid AND o.conrelid NOT IN (SELECT p.relid FROM pg_catalog.pg_partition_tree(c.conrelid) p))) END,
  'checkable', NOT pg_catalog.row_security_active(c.confrelid)
     AND NOT COALESCE((pg_catalog.to_jsonb(c) ->> 'conperiod')::pg_catalog.bool, false)
     AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
     AND (SELECT pg_catalog.bool_and(pg_catalog.has_column_privilege(c.confrelid, k.attnum, 'SELECT'))
          FROM pg_catalog.unnest(c.confkey) k(attnum))
) ORDER BY c.conname), '[]')
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON r.oid = c.confrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
JOIN pg_catalog.pg_namespace own ON own.oid = c.connamespace
WHERE c.conrelid = $1 AND c.contype = 'f'
  AND pg_catalog.current_setting('session_replication_role') <> 'replica'
  AND COALESCE((pg_catalog.to_jsonb(c) ->> 'conenforced')::pg_catalog.bool, true)
  AND (c.conparentid = 0 OR NOT EXISTS (
      SELECT FROM pg_catalog.pg_constraint p WHERE p.oid = c.conparentid AND p.conrelid = $1))";
