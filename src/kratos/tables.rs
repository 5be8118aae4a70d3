//! The tables of a Kratos database, as the catalog describes them: whether they are what Kratos' migrations make, and whether they can be read or
//! written by somebody who does not trust their owner.

use crate::db::query;
use crate::db::spi;
use crate::db::sql::{Sql, relation, sql};
use crate::error::{Error, Result};
use pgrx::pg_sys;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What is done with the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Read,
    /// Rows are added.
    Write,
    /// And changed.
    Update,
}

/// A table that is used, with the columns that are, each with its type.
struct Wanted {
    name: &'static str,
    columns: &'static [(&'static str, &'static str)],
    /// The keys that tell one identity from another: the columns of each, by name. None: it is only read.
    keys: Option<&'static [&'static str]>,
}

const UUID: &str = "uuid";
const TEXT: &str = "character varying";
const TIME: &str = "timestamp without time zone";

const TABLES: [Wanted; 7] = [
    Wanted { name: "networks", columns: &[("id", UUID), ("created_at", TIME)], keys: None },
    Wanted {
        name: "identities",
        columns: &[
            ("id", UUID),
            ("nid", UUID),
            ("schema_id", TEXT),
            ("traits", "jsonb"),
            ("created_at", TIME),
            ("updated_at", TIME),
            ("state", TEXT),
            ("state_changed_at", TIME),
            ("metadata_public", "jsonb"),
            ("metadata_admin", "jsonb"),
            ("available_aal", TEXT),
            ("organization_id", UUID),
            ("external_id", TEXT),
        ],
        keys: Some(&["id", "external_id,nid"]),
    },
    Wanted { name: "identity_credential_types", columns: &[("id", UUID), ("name", TEXT)], keys: None },
    Wanted {
        name: "identity_credentials",
        columns: &[
            ("id", UUID),
            ("nid", UUID),
            ("identity_id", UUID),
            ("identity_credential_type_id", UUID),
            ("config", "jsonb"),
            ("version", "integer"),
            ("created_at", TIME),
            ("updated_at", TIME),
        ],
        keys: Some(&["id"]),
    },
    Wanted {
        name: "identity_credential_identifiers",
        columns: &[
            ("id", UUID),
            ("nid", UUID),
            ("identity_id", UUID),
            ("identity_credential_id", UUID),
            ("identity_credential_type_id", UUID),
            ("identifier", TEXT),
            ("created_at", TIME),
            ("updated_at", TIME),
        ],
        keys: Some(&["identifier,identity_credential_type_id,nid"]),
    },
    Wanted {
        name: "identity_verifiable_addresses",
        columns: &[
            ("id", UUID),
            ("nid", UUID),
            ("identity_id", UUID),
            ("via", TEXT),
            ("value", TEXT),
            ("verified", "boolean"),
            ("status", TEXT),
            ("verified_at", TIME),
            ("created_at", TIME),
            ("updated_at", TIME),
        ],
        keys: Some(&["nid,value,via"]),
    },
    Wanted {
        name: "identity_recovery_addresses",
        columns: &[
            ("id", UUID),
            ("nid", UUID),
            ("identity_id", UUID),
            ("via", TEXT),
            ("value", TEXT),
            ("break_glass_for_organization", UUID),
            ("created_at", TIME),
            ("updated_at", TIME),
        ],
        keys: Some(&["nid,value,via"]),
    },
];

/// A table as the catalog has it.
#[derive(Debug, Deserialize)]
struct Table {
    kind: String,
    owner: String,
    /// The owner is who calls, or a superuser.
    trusted: bool,
    columns: BTreeMap<String, String>,
    oid: u32,
    /// The caller may take any lock on it.
    may_lock: bool,
    /// What would run code of the owner's when the table is read, and when it is written.
    read_code: Vec<String>,
    write_code: Vec<String>,
    /// Columns that need a value, and have none by themselves.
    required: Vec<String>,
    /// Unique keys: their columns, by name. That of external_id has a condition.
    keys: Vec<String>,
}

/// The tables of the schema `$1`, by name. An expression is harmless if it has columns and constants, comparisons of the system's own, and no
/// function but a few: all others could be asked to do something by whoever owns the table.
const DESCRIBE: &str = r#"
WITH tables AS (
  SELECT c.oid, c.relname, c.relkind, c.relowner
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = ANY ($2)),
expressions AS (
  SELECT i.indrelid AS oid, 'read' AS use, format('the index %I', x.relname) AS place, e.tree::text AS tree
  FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid CROSS JOIN LATERAL (VALUES (i.indexprs), (i.indpred)) AS e (tree)
  WHERE i.indrelid IN (SELECT t.oid FROM tables AS t) AND e.tree IS NOT NULL
  UNION ALL
  SELECT s.stxrelid, 'read', format('the statistics %I', s.stxname), s.stxexprs::text
  FROM pg_statistic_ext AS s WHERE s.stxrelid IN (SELECT t.oid FROM tables AS t) AND s.stxexprs IS NOT NULL
  UNION ALL
  SELECT k.conrelid, 'read', format('the constraint %I', k.conname), k.conbin::text
  FROM pg_constraint AS k WHERE k.conrelid IN (SELECT t.oid FROM tables AS t) AND k.conbin IS NOT NULL
  UNION ALL
  SELECT d.adrelid, 'write', format('the default of column %I', a.attname), d.adbin::text
  FROM pg_attrdef AS d JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
  WHERE d.adrelid IN (SELECT t.oid FROM tables AS t)),
code AS (
  SELECT e.oid, e.use, e.place FROM expressions AS e
  WHERE EXISTS (SELECT FROM regexp_matches(e.tree, '\{([A-Z]+)', 'g') AS m (node)
                WHERE m.node[1] <> ALL ('{VAR,CONST,OPEXPR,BOOLEXPR,NULLTEST,RELABELTYPE,SQLVALUEFUNCTION,FUNCEXPR}'))
    OR EXISTS (SELECT FROM regexp_matches(e.tree, ':opno (\d+)', 'g') AS m (operator) WHERE m.operator[1]::int8 >= 16384)
    OR EXISTS (SELECT FROM regexp_matches(e.tree, ':funcid (\d+)', 'g') AS m (function)
               WHERE m.function[1]::oid <> ALL ('{pg_catalog.now(),pg_catalog.gen_random_uuid(),pg_catalog.lower(text),"pg_catalog.varchar(character varying,integer,boolean)"}'::regprocedure[]))
  UNION ALL
  SELECT t.tgrelid, 'write', format('the trigger %I', t.tgname) FROM pg_trigger AS t
  WHERE t.tgrelid IN (SELECT t.oid FROM tables AS t) AND NOT t.tgisinternal
  UNION ALL
  SELECT r.ev_class, 'write', format('the rule %I', r.rulename) FROM pg_rewrite AS r WHERE r.ev_class IN (SELECT t.oid FROM tables AS t)
  UNION ALL
  SELECT t.oid, 'read', 'row-level security' FROM tables AS t WHERE row_security_active(t.oid)
  UNION ALL
  SELECT a.attrelid, 'write', format('the domain of column %I', a.attname)
  FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid
  WHERE a.attrelid IN (SELECT t.oid FROM tables AS t) AND a.attnum > 0 AND NOT a.attisdropped AND y.typtype = 'd')
SELECT COALESCE(jsonb_object_agg(t.relname, jsonb_build_object(
  'kind', t.relkind,
  'owner', o.rolname,
  'trusted', o.rolsuper OR o.rolname = current_user,
  'columns', (SELECT jsonb_object_agg(a.attname, format_type(a.atttypid, NULL)) FROM pg_attribute AS a
              WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'oid', t.oid::int8,
  'may_lock', has_table_privilege(t.oid, 'UPDATE') OR has_table_privilege(t.oid, 'DELETE') OR has_table_privilege(t.oid, 'TRUNCATE'),
  'write_code', (SELECT COALESCE(jsonb_agg(c.place ORDER BY c.place), '[]') FROM code AS c WHERE c.oid = t.oid),
  'required', (SELECT COALESCE(jsonb_agg(a.attname ORDER BY a.attnum), '[]') FROM pg_attribute AS a
               WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''),
  'keys', (SELECT COALESCE(jsonb_agg(k.columns), '[]') FROM (
             SELECT (SELECT string_agg(a.attname::text, ',' ORDER BY a.attname) FROM pg_attribute AS a
                     WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])) AS columns
             FROM pg_index AS i
             WHERE i.indrelid = t.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts
               AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = '(external_id IS NOT NULL)')) AS k),
  'read_code', (SELECT COALESCE(jsonb_agg(c.place ORDER BY c.place), '[]') FROM code AS c WHERE c.oid = t.oid AND c.use = 'read'))), '{}')
FROM tables AS t JOIN pg_roles AS o ON o.oid = t.relowner"#;

/// The tables of one schema, checked and locked: they stay what they are until the transaction ends.
pub struct Tables {
    schema: String,
    oids: BTreeMap<String, u32>,
}

impl Tables {
    /// To be called where names are the system's.
    pub fn open(schema: &str, to: Use) -> Result<Self> {
        let mut tables = Tables { schema: schema.to_string(), oids: BTreeMap::new() };
        let found = tables.check_names()?;
        // A table that is being changed, or turned into a view, is waited for.
        for wanted in &TABLES {
            let may_lock = found.get(wanted.name).is_some_and(|table| table.may_lock);
            let mode = match (to, wanted.keys) {
                (Use::Read, _) | (_, None) => sql!("ACCESS SHARE"),
                // Kept from autovacuum too: to it, a table that one transaction fills has no rows, and plans that are made by what it says of the
                // table read whole indexes. Nor are statistics made meanwhile.
                _ if may_lock => sql!("SHARE UPDATE EXCLUSIVE"),
                _ => sql!("ROW EXCLUSIVE"),
            };
            spi::execute(&sql!("LOCK TABLE ONLY {name} IN {mode} MODE", name = tables.table(wanted.name), mode))?;
        }
        tables.check(to)?;
        Ok(tables)
    }

    #[cfg(test)]
    pub fn of(schema: &str) -> Self {
        Tables { schema: schema.to_string(), oids: BTreeMap::new() }
    }

    pub fn identities(&self) -> Result<pg_sys::Oid> {
        self.oid("identities")
    }

    pub fn identifiers(&self) -> Result<pg_sys::Oid> {
        self.oid("identity_credential_identifiers")
    }

    fn oid(&self, name: &str) -> Result<pg_sys::Oid> {
        let oid = self.oids.get(name).copied();
        oid.map(pg_sys::Oid::from).ok_or_else(|| Error::new("42P01", format!("table \"{name}\" does not exist")))
    }

    /// One of them, for a statement.
    pub fn table(&self, name: &str) -> Sql {
        relation(&self.schema, name)
    }

    fn describe(&self) -> Result<BTreeMap<String, Table>> {
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        query::kept_document(DESCRIBE, &[self.schema.as_str().into(), names.into()])
    }

    fn check_names(&self) -> Result<BTreeMap<String, Table>> {
        let found = self.describe()?;
        if found.is_empty() {
            return Err(Error::new("3F000", format!("schema \"{}\" has no tables of Ory Kratos", self.schema))
                .detail(format!("It has none of {}.", names(TABLES.iter().map(|table| table.name))))
                .hint("Give the name of the schema in which Kratos' migrations have made its tables, as it is."));
        }
        let missing: Vec<&str> =
            TABLES.iter().map(|table| table.name).filter(|name| !found.contains_key(*name)).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        Err(Error::new("42P01", format!("schema \"{}\" lacks tables of Ory Kratos", self.schema))
            .detail(format!("Missing: {}.", names(missing)))
            .hint(MIGRATE))
    }

    fn check(&mut self, to: Use) -> Result<()> {
        let found = self.describe()?;
        for wanted in &TABLES {
            let Some(table) = found.get(wanted.name) else { continue };
            self.check_trust(wanted.name, table, to)?;
            self.check_columns(wanted, table)?;
            if to != Use::Read && wanted.keys.is_some() {
                self.check_writable(wanted, table)?;
            }
        }
        self.oids = found.into_iter().map(|(name, table)| (name, table.oid)).collect();
        Ok(())
    }

    fn check_trust(&self, name: &str, table: &Table, to: Use) -> Result<()> {
        if table.trusted {
            return Ok(());
        }
        let code = if to == Use::Read { &table.read_code } else { &table.write_code };
        let what = match (table.kind.as_str(), code.first()) {
            ("r", None) => return Ok(()),
            ("r", Some(_)) => format!("It has {}.", code.join(", ")),
            _ => "It is no ordinary table.".to_string(),
        };
        Err(Error::new("42501", format!("table {} could run code of its owner with your rights", self.table(name)))
            .detail(what)
            .hint(format!(
                "Call this as the owner, role \"{}\", or let the owner remove it from the table.",
                table.owner
            )))
    }

    fn check_columns(&self, wanted: &Wanted, table: &Table) -> Result<()> {
        for (column, expected) in wanted.columns {
            let detail = match table.columns.get(*column) {
                Some(found) if found == expected => continue,
                Some(found) => format!("Column \"{column}\" is of type {found}, and not {expected}."),
                None => format!("Column \"{column}\" is missing."),
            };
            let name = self.table(wanted.name);
            return Err(Error::new("42703", format!("table {name} is not that of a current Ory Kratos"))
                .detail(detail)
                .hint(MIGRATE));
        }
        Ok(())
    }

    fn check_writable(&self, wanted: &Wanted, table: &Table) -> Result<()> {
        let name = self.table(wanted.name);
        if table.kind != "r" {
            return Err(Error::new("42809", format!("{name} is no ordinary table"))
                .hint("Import into the tables that Kratos' migrations have made."));
        }
        let known = |column: &&String| wanted.columns.iter().any(|(name, _)| name == column);
        let unknown: Vec<&str> = table.required.iter().filter(|column| !known(column)).map(String::as_str).collect();
        if !unknown.is_empty() {
            return Err(Error::new("42703", format!("table {name} needs values that this does not know"))
                .detail(format!("Columns that cannot be NULL and have no default: {}.", names(unknown)))
                .hint("Give them a default, or import with the release of this extension that knows this version of Kratos."));
        }
        match wanted.keys.unwrap_or_default().iter().find(|key| !table.keys.iter().any(|found| found == *key)) {
            None => Ok(()),
            Some(key) => Err(Error::new("42704", format!("table {name} is not that of a current Ory Kratos"))
                .detail(format!("It has no unique key of {}.", key.replace(',', ", ")))
                .hint(MIGRATE)),
        }
    }

    /// The network whose identities are meant, in the database's own form. Kratos works with the oldest one.
    pub fn network(&self, given: Option<&str>) -> Result<String> {
        let networks = self.table("networks");
        let found = spi::list(
            "networks",
            &sql!("SELECT n.id::text FROM ONLY {networks} AS n ORDER BY n.created_at, n.id", networks),
            MOST_NETWORKS,
        )?;
        let name = &self.schema;
        match (given, found.as_slice()) {
            (Some(nid), found) if found.iter().any(|id| id == nid) => Ok(nid.to_string()),
            (Some(nid), _) => Err(Error::new("42704", format!("network {nid} does not exist in schema \"{name}\""))
                .hint(format!("SELECT id FROM {networks} shows those that do."))),
            (None, [only]) => Ok(only.clone()),
            (None, []) => Err(Error::new("42704", format!("schema \"{name}\" has no network"))
                .hint("Kratos makes one when it starts for the first time.")),
            (None, several) => Err(Error::invalid_argument(format!("schema \"{name}\" has several networks"))
                .detail(format!("They are {}.", names(several.iter().map(String::as_str))))
                .hint("Give one as nid. Kratos itself works with the oldest, which comes first here.")),
        }
    }
}

/// Kratos itself has one.
const MOST_NETWORKS: usize = 1000;

const MIGRATE: &str = "Run the migrations of a current Kratos on it: kratos migrate sql.";

fn names<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}
