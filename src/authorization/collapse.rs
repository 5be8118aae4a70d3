//! `identity.collapse_permissions`: the list is read as the caller reads it; the rest is SQL.

use crate::db::returns::ResultSet;
use crate::db::session::{self, with_system_names};
use crate::db::source;
use crate::db::spi::{self, literal};
use crate::error::{Error, Result};
use uuid::Uuid;

pub fn collapse(
    realm: &str,
    resource_type: &str,
    resources: &str,
    dry_run: bool,
    result: &mut ResultSet,
) -> Result<()> {
    if session::read_only() {
        return Err(Error::new("25006", "cannot execute collapse_permissions() in a read-only transaction")
            .hint("It keeps the list in a temporary table: run it in a read-write transaction on the primary."));
    }
    let hint = "Give a relation or a query with the names alone: 'SELECT client_id FROM clients'.";
    let list = source::list(resources, "the list of resources", hint)?;
    spi::execute(&format!(
        "CREATE TEMPORARY TABLE identity_collapse_list ON COMMIT DROP AS
         SELECT DISTINCT s.resource COLLATE pg_catalog.\"C\" AS resource FROM (\n{list}\n) AS s (resource)"
    ))?;
    let run_id = Uuid::now_v7().to_string();
    with_system_names(|| {
        spi::execute("ANALYZE pg_temp.identity_collapse_list")?;
        result.append(&format!(
            "SELECT CASE WHEN c.action OPERATOR(pg_catalog.=) 'replaced' THEN {run}::pg_catalog.uuid END, c.subject, c.scope, c.instance_rows,
                    c.resources, c.action, c.equivalent, c.reason
             FROM identity_internal.collapse_listed({realm}, {resource_type}, {dry_run}, {run}::pg_catalog.uuid) AS c",
            run = literal(&run_id),
            realm = literal(realm),
            resource_type = literal(resource_type),
        ))?;
        spi::execute("DROP TABLE pg_temp.identity_collapse_list")?;
        Ok(())
    })
}
