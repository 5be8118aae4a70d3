//! A table as its catalog describes it: columns, keys, and the rules its rows must keep.

use crate::db::expression::{self, Expression};
use crate::db::{session, spi};
use crate::error::{Error, Result};
use pgrx::pg_sys::Oid;
use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Table {
    pub oid: u32,
    /// Qualified and quoted, ready for SQL text.
    pub name: String,
    /// The bare name, as Postgres' messages give it.
    pub relname: String,
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
    pub quoted: String,
    pub type_name: String,
    pub type_oid: u32,
    pub typmod: i32,
    /// The type below all domains, without length: what a value is cast to before it is assigned.
    pub base_name: String,
    pub base_oid: u32,
    pub collation_oid: u32,
    /// Qualified, where the column has one of its own.
    pub collation: Option<String>,
    /// The caller may change it.
    pub updatable: bool,
    pub not_null: bool,
    pub not_null_constraint: Option<String>,
    /// `a` always, `d` by default, empty for none.
    pub identity: String,
    pub generated: bool,
    pub default: Option<String>,
    pub default_node: Option<String>,
    /// The column's domain gives a default of its own.
    pub domain_default: bool,
    #[serde(skip)]
    pub default_reads: Expression,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Key {
    pub name: String,
    /// CREATE INDEX, as pg_get_indexdef gives it.
    pub definition: String,
    pub primary: bool,
    /// Bytes of its index.
    pub size: i64,
    pub exclusion: bool,
    /// Checked at the end of the transaction unless SET CONSTRAINTS says otherwise; qualified for that statement.
    pub deferred: Option<String>,
    pub deferrable: bool,
    pub nulls_distinct: bool,
    pub predicate: Option<String>,
    pub expression_node: Option<String>,
    pub predicate_node: Option<String>,
    pub parts: Vec<KeyPart>,
    /// Columns the parts read, in the table's order for expressions.
    #[serde(skip)]
    pub columns: Vec<String>,
    /// All attribute numbers that the parts and the predicate read.
    #[serde(skip)]
    pub reads: Expression,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct KeyPart {
    pub attnum: i16,
    /// A column or an expression, over unqualified column names.
    pub sql: String,
    /// What a report calls it: the column's name, or the expression.
    pub label: String,
    /// The operator by which two rows exclude each other, as OPERATOR(schema.name).
    pub operator: String,
    /// GROUP BY compares as the index does.
    pub groups: bool,
    pub collation: Option<String>,
    pub nullable: bool,
    pub collatable: bool,
    /// The extended hash function that agrees with `operator`, qualified.
    pub hash: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Check {
    pub name: String,
    pub sql: String,
    pub node: String,
    #[serde(skip)]
    pub reads: Expression,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct ForeignKey {
    pub name: String,
    /// The referenced table, qualified, with ONLY where Postgres' own check reads it so.
    pub references: String,
    pub columns: Vec<i16>,
    /// Quoted columns of the referenced table, with the operator that compares them.
    pub referenced: Vec<String>,
    pub operators: Vec<String>,
    /// MATCH FULL: all columns NULL, or none.
    pub full: bool,
    pub to_itself: bool,
    /// The caller sees what Postgres' own check will see.
    pub checkable: bool,
    /// As of a key.
    pub deferred: Option<String>,
}

impl Key {
    /// Equal keys have equal hashes, and GROUP BY finds them equal.
    pub fn hashable(&self) -> bool {
        !self.exclusion && self.parts.iter().all(|p| p.groups && p.hash.is_some())
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

    /// The table in FROM: without its inheritance children, which have keys of their own.
    pub fn in_from(&self) -> String {
        if self.kind == "p" { self.name.clone() } else { format!("ONLY {}", self.name) }
    }
}

/// Reads the description of `oid` as the current user sees it. In its expressions every name is qualified.
pub fn table(oid: Oid) -> Result<Table> {
    session::with_system_names(|| read_table(oid))
}

fn read_table(oid: Oid) -> Result<Table> {
    let args = [oid.into()];
    let mut table: Table = spi::document::<Option<Table>>(TABLE, &args)?
        .ok_or_else(|| Error::new("42P01", format!("there is no relation with OID {}", oid.to_u32())))?;
    table.keys = spi::document(KEYS, &args)?;
    table.checks = spi::document(CHECKS, &args)?;
    table.foreign_keys = spi::document(FOREIGN_KEYS, &args)?;
    for column in &mut table.columns {
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
}

/// The constraint or index, at the top of its partition tree, that an index of a partition belongs to.
pub fn root_constraint(schema: &str, name: &str) -> Result<Option<String>> {
    spi::value::<String>(
        "SELECT COALESCE(k.conname, r.relname)::pg_catalog.text
         FROM pg_catalog.pg_class i
         JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) i.relnamespace
         JOIN pg_catalog.pg_class r ON r.oid OPERATOR(pg_catalog.=) pg_catalog.pg_partition_root(i.oid)
         LEFT JOIN pg_catalog.pg_constraint k ON k.conindid OPERATOR(pg_catalog.=) r.oid
              AND k.contype IN ('p', 'u', 'x')
         WHERE n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.name
           AND i.relname OPERATOR(pg_catalog.=) $2::pg_catalog.name",
        &[schema.into(), name.into()],
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
  'name', pg_catalog.format('%I.%I', n.nspname, c.relname),
  'relname', c.relname,
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
      'quoted', pg_catalog.quote_ident(a.attname),
      'type_name', pg_catalog.format_type(a.atttypid, a.atttypmod),
      'type_oid', a.atttypid::pg_catalog.int8,
      'typmod', a.atttypmod,
      'base_name', pg_catalog.format_type(b.type_oid, -1),
      'base_oid', b.type_oid::pg_catalog.int8,
      'collation_oid', a.attcollation::pg_catalog.int8,
      'collation', (SELECT pg_catalog.format('%I.%I', cn.nspname, l.collname)
                    FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace cn ON cn.oid = l.collnamespace
                    WHERE l.oid = a.attcollation AND a.attcollation <> t.typcollation),
      'updatable', pg_catalog.has_column_privilege(c.oid, a.attnum, 'UPDATE'),
      'not_null', a.attnotnull,
      'not_null_constraint', (SELECT k.conname FROM pg_catalog.pg_constraint k
                              WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey[1] = a.attnum),
      'identity', a.attidentity,
      'generated', a.attgenerated <> '',
      'default', pg_catalog.pg_get_expr(d.adbin, d.adrelid),
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
  'definition', pg_catalog.pg_get_indexdef(i.indexrelid),
  'primary', i.indisprimary,
  'size', pg_catalog.pg_relation_size(i.indexrelid),
  'exclusion', i.indisexclusion,
  'deferrable', COALESCE(c.condeferrable, false),
  'deferred', CASE WHEN c.condeferred THEN pg_catalog.format('%I.%I', n.nspname, c.conname) END,
  'nulls_distinct', NOT COALESCE((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::pg_catalog.bool, false),
  'predicate', pg_catalog.pg_get_expr(i.indpred, i.indrelid),
  'expression_node', i.indexprs::pg_catalog.text,
  'predicate_node', i.indpred::pg_catalog.text,
  'parts', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'attnum', i.indkey[s.n - 1],
      'sql', pg_catalog.pg_get_indexdef(i.indexrelid, s.n, false),
      'label', COALESCE(a.attname, pg_catalog.pg_get_indexdef(i.indexrelid, s.n, false)),
      'operator', pg_catalog.format('OPERATOR(%I.%s)', opn.nspname, op.oprname),
      'groups', NOT i.indisexclusion AND EXISTS (
          SELECT FROM pg_catalog.pg_opclass dc
          JOIN pg_catalog.pg_amop da ON da.amopfamily = dc.opcfamily AND da.amopstrategy = 3
               AND da.amoplefttype = dc.opcintype AND da.amoprighttype = dc.opcintype
          WHERE dc.opcmethod = 403 AND dc.opcdefault AND dc.opcintype = oc.opcintype AND da.amopopr = op.oid),
      'collation', (SELECT pg_catalog.format('%I.%I', cn.nspname, l.collname)
          FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace cn ON cn.oid = l.collnamespace
          WHERE l.oid = i.indcollation[s.n - 1] AND (l.oid <> 100 OR COALESCE(a.attcollation, 100) <> 100)),
      'nullable', NOT COALESCE(a.attnotnull, false),
      'collatable', i.indcollation[s.n - 1] <> 0,
      'hash', (SELECT pg_catalog.format('%I.%I', pn.nspname, pr.proname)
          FROM pg_catalog.pg_opclass hc
          JOIN pg_catalog.pg_amop ha ON ha.amopfamily = hc.opcfamily AND ha.amopstrategy = 1
               AND ha.amoplefttype = hc.opcintype AND ha.amoprighttype = hc.opcintype
          JOIN pg_catalog.pg_amproc hp ON hp.amprocfamily = hc.opcfamily AND hp.amprocnum = 2
               AND hp.amproclefttype = hc.opcintype AND hp.amprocrighttype = hc.opcintype
          JOIN pg_catalog.pg_proc pr ON pr.oid = hp.amproc
          JOIN pg_catalog.pg_namespace pn ON pn.oid = pr.pronamespace
          WHERE hc.opcmethod = 405 AND hc.opcdefault AND hc.opcintype = oc.opcintype AND ha.amopopr = op.oid)
    ) ORDER BY s.n)
    FROM pg_catalog.generate_series(1, i.indnkeyatts) s(n)
    JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[s.n - 1]
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
WHERE i.indrelid = $1 AND (i.indisunique OR i.indisexclusion) AND i.indislive";

const CHECKS: &str = "
SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
  'name', c.conname,
  'sql', pg_catalog.pg_get_expr(c.conbin, c.conrelid),
  'node', c.conbin::pg_catalog.text
) ORDER BY c.conname), '[]')
FROM pg_catalog.pg_constraint c
WHERE c.conrelid = $1 AND c.contype = 'c'
  AND COALESCE((pg_catalog.to_jsonb(c) ->> 'conenforced')::pg_catalog.bool, true)";

const FOREIGN_KEYS: &str = "
SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
  'name', c.conname,
  'references', pg_catalog.format('%s%I.%I', CASE WHEN r.relkind = 'p' THEN '' ELSE 'ONLY ' END, n.nspname, r.relname),
  'columns', c.conkey,
  'referenced', (SELECT pg_catalog.jsonb_agg(pg_catalog.quote_ident(a.attname) ORDER BY k.n)
     FROM pg_catalog.unnest(c.confkey) WITH ORDINALITY k(attnum, n)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum),
  'operators', (SELECT pg_catalog.jsonb_agg(pg_catalog.format('OPERATOR(%I.%s)', opn.nspname, op.oprname) ORDER BY k.n)
     FROM pg_catalog.unnest(c.conpfeqop) WITH ORDINALITY k(opr, n)
     JOIN pg_catalog.pg_operator op ON op.oid = k.opr
     JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace),
  'full', c.confmatchtype = 'f',
  'to_itself', c.confrelid = c.conrelid,
  'deferred', CASE WHEN c.condeferred THEN pg_catalog.format('%I.%I', own.nspname, c.conname) END,
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
