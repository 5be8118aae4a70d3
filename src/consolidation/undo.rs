//! `identity.undo_dedup` of a run on the user's own table: finds the table, and gives the rows of the run their old names.

use crate::consolidation::audit;
use crate::consolidation::run::{self, BY_PLACE, derive};
use crate::consolidation::statements::{self, Target};
use crate::db::attempt;
use crate::db::query::{self, Query};
use crate::db::returns::ResultSet;
use crate::db::store::{self, Store};
use crate::db::{session, spi};
use crate::error::{Error, Result};
use crate::import::job::{BY_INDEX, IN_BULK};
use crate::import::plan::{self, Blame};
use pgrx::IntoDatum;
use pgrx::pg_sys;
use serde::Deserialize;
use serde_json::json;

/// A run as it was recorded.
#[derive(Deserialize)]
pub struct Recorded {
    pub target: String,
    /// Printed as a number.
    target_oid: String,
    origin: String,
    pub login: String,
    pub site: String,
    pub row_id: String,
    pub flag: Option<String>,
    pub normalize: String,
    pub run_by: String,
}

/// The record of a run.
pub fn recorded(run_id: &str) -> Result<Recorded> {
    let run: Option<Recorded> = session::as_extension_owner(|| {
        spi::document(
            "SELECT pg_catalog.to_jsonb(r) FROM identity.dedup_runs AS r WHERE r.run_id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid",
            &[run_id.into()],
        )
    })?;
    run.ok_or_else(|| {
        Error::new("42704", format!("there is no run {run_id}")).hint("identity.dedup_runs has the runs.")
    })
}

impl Recorded {
    /// The table of the run. In the database in which it was made it is told by its oid, whatever its name is by now; a table that has its
    /// name there is another one. In a database that was restored from a dump it has another oid, and the name that it had.
    pub fn table(&self) -> Result<pg_sys::Oid> {
        let (found, detail) = if self.origin == session::origin() {
            let found = spi::value::<pg_sys::Oid>(
                "SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) $1::pg_catalog.oid",
                &[self.target_oid.as_str().into()],
            )?;
            (found, "It was dropped since; a table that has its name by now is another one.")
        } else {
            let found = spi::value::<pg_sys::Oid>(
                "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid",
                &[self.target.as_str().into()],
            )?;
            (
                found,
                "The run was made in another database or cluster, and no table here has the name that its table had there.",
            )
        };
        found.ok_or_else(|| {
            Error::new("42P01", format!("table {} of this run does not exist any more", self.target))
                .detail(detail)
                .hint("If it was restored from a dump or made anew, name it: undo_dedup(run_id, target => 'schema.table').")
        })
    }
}

pub fn undo(target: &Target, run_id: &str, dry_run: bool, result: &mut ResultSet) -> Result<()> {
    run::check_rights(target)?;
    if !dry_run {
        run::check_isolation("undo_dedup")?;
        spi::execute(&target.lock())?;
    }
    // A dry run restores the names too, and rolls back: constraints and triggers have their say.
    attempt::provisional(|| {
        let _owner = store::own_stores();
        let pending = decide(target, run_id)?;
        let [done, refused] = restore(target, &pending)?;
        let stores = [("pending", &pending), ("done", &done), ("refused", &refused)];
        let told = derive(statements::TELL_UNDO, &[], &stores, IN_BULK)?;
        let stores = [("told", &told)];
        session::with_system_names(|| {
            Query::over(statements::REPORT_UNDO, &[], &stores, IN_BULK).send(result.receiver())
        })?;
        if !dry_run {
            let restored = session::as_extension_owner(|| {
                let lookups = if told.rows() < 1000 { BY_INDEX } else { IN_BULK };
                Query::over(statements::RECORD_UNDO, &[run_id.into()], &stores, lookups).run()
            })?;
            audit("undo_dedup", &target.table.name, &json!({"run_id": run_id, "restored": restored}))?;
        }
        Ok(((), !dry_run))
    })
}

/// Reads what the record has of the run's rows, and then the table: what is to become of each row.
fn decide(target: &Target, run_id: &str) -> Result<Store> {
    let (mut undo, mut present, mut holders) = (Store::new(), Store::new(), Store::new());
    session::as_extension_owner(|| query::fill(&mut undo, statements::READ_UNDO, &[run_id.into()]))?;
    let stores = [("undo", &undo)];
    Query::over(&target.find_present(), &[], &stores, IN_BULK).fill(&mut present, &mut |_| {})?;
    Query::over(&target.find_holders(), &[], &stores, IN_BULK).fill(&mut holders, &mut |_| {})?;
    let stores = [("undo", &undo), ("present", &present), ("holders", &holders)];
    derive(statements::DECIDE_UNDO, &[], &stores, IN_BULK)
}

/// Gives old names back: the rows that were written, with the names that they have then, and those that the table refused.
fn restore(target: &Target, pending: &Store) -> Result<[Store; 2]> {
    let mut chunk = derive(statements::CHUNK, &[], &[("pending", pending)], IN_BULK)?;
    let mut outcome = [Store::by_byte(&statements::DONE), Store::by_byte(&statements::REFUSED)];
    restore_chunk(&target.restore(), &mut chunk, &mut outcome)?;
    Ok(outcome)
}

/// Writes rows; those that the table refuses are found by halves.
fn restore_chunk(sql: &str, chunk: &mut Store, outcome: &mut [Store; 2]) -> Result<()> {
    let mut written = outcome[0].like();
    let Err(failure) = Query::over(sql, &[], &[("chunk", chunk)], BY_PLACE).attempt_fill(&mut written, &mut |_| {})
    else {
        outcome[0].append(&mut written);
        return Ok(());
    };
    drop(written);
    if plan::blame(&failure.sqlstate) != Blame::Row {
        return Err(failure.into());
    }
    if chunk.rows() > 1 {
        return chunk.halves().iter_mut().try_for_each(|half| restore_chunk(sql, half, outcome));
    }
    let row = chunk.first_number();
    outcome[1].add(|| [row.into_datum(), failure.message.as_str().into_datum()]);
    Ok(())
}
