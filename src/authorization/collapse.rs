//! `identity.collapse_permissions`: the list is read as the caller reads it; the rest is SQL, which runs as the caller too.

use crate::db::returns::ResultSet;
use crate::db::session::{self, with_system_names};
use crate::db::source;
use crate::db::spi;
use crate::error::{Error, Result};
use uuid::Uuid;

/// The list is held in memory.
const MOST_RESOURCES: usize = 1_000_000;

pub fn collapse(
    realm: &str,
    resource_type: &str,
    resources: &str,
    dry_run: bool,
    result: &mut ResultSet,
) -> Result<()> {
    if session::read_only() {
        return Err(Error::new("25006", "cannot execute collapse_permissions() in a read-only transaction")
            .hint("Run it in a read-write transaction on the primary."));
    }
    let hint = "Give a relation or a query with the names alone: 'SELECT client_id FROM clients'.";
    let list = source::list(resources, "resources", "the list of resources", hint)?;
    let mut listed = spi::list("the list of resources", &list, MOST_RESOURCES)?;
    listed.sort_unstable();
    listed.dedup();
    let run_id = Uuid::now_v7().to_string();
    with_system_names(|| {
        result.append_with(
            "SELECT CASE WHEN c.action = 'replaced' THEN $5::uuid END, c.subject, c.scope, c.instance_rows, c.resources, c.action,
               c.equivalent, c.reason
             FROM identity_internal.collapse_listed($1, $2, $3, $4, $5::uuid) AS c",
            &[realm.into(), resource_type.into(), listed.into(), dry_run.into(), run_id.as_str().into()],
        )
    })
}
