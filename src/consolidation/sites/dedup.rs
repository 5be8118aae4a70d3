//! Duplicate login names across the main tables and the SSO layer.

use crate::audit::{self, Event};
use crate::consolidation::allot::{Allotment, Taken, Wish, hash};
use crate::consolidation::plan::{Normalize, Room};
use crate::consolidation::sites::lock_staged;
use crate::consolidation::sites::statements;
use crate::db::returns::ResultSet;
use crate::db::temporary::Held;
use crate::db::{attempt, session, spi};
use crate::error::Result;
use crate::import::identities::lock_realm;
use crate::import::job::with_memory;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use serde_json::json;
use uuid::Uuid;

/// In UTF-8, so many characters fit the limit of an identifier.
const ROOM: Room = Room { characters: Some(255), bytes: None, trims: false };

pub fn dedup(realm: &str, dry_run: bool, mut result: ResultSet) -> Result<()> {
    let caller = session::current_role_name()?;
    let owner = session::extension_owner()?;
    session::as_owner(owner, || spi::execute_with("SELECT identity_internal.check_realm($1)", &[realm.into()]))?;
    result.open();
    let run_id = Uuid::now_v7().to_string();
    // A dry run does all of it, and rolls back: then its locks are gone, too.
    attempt::provisional(|| {
        lock_realm(realm)?;
        lock_staged(realm, true);
        session::as_owner(owner, || with_memory(|| run(realm, &run_id, &caller, dry_run, &mut result)))?;
        Ok(((), !dry_run))
    })
}

fn run(realm: &str, run_id: &str, caller: &str, dry_run: bool, result: &mut ResultSet) -> Result<()> {
    let in_realm: [DatumWithOid; 1] = [realm.into()];
    let of_run: [DatumWithOid; 2] = [realm.into(), run_id.into()];
    for statement in [statements::FIND_REPEATED, statements::GROUP, statements::CREATE_PENDING] {
        spi::execute_with(statement, &in_realm)?;
    }
    let held = Held::new(&statements::DEDUP)?;
    allot(realm)?;
    spi::execute_with(statements::RECORD_RUN, &[realm.into(), run_id.into(), caller.into()])?;
    let mut counts = [0; statements::APPLY.len()];
    for (count, statement) in counts.iter_mut().zip(statements::APPLY) {
        *count = spi::execute_with(statement, &of_run)?;
    }
    let [changed, _, renamed, proposed] = counts;
    spi::execute_with(statements::COUNT_RUN, &[realm.into(), run_id.into(), (proposed as i64).into()])?;
    result.append_with(statements::REPORT_DEDUP, &of_run)?;
    drop(held);
    spi::execute(&statements::drop(&statements::DEDUP))?;
    let detail = json!({"run_id": run_id, "renamed": renamed, "withdrawn": changed - renamed, "proposed": proposed});
    audit::record(&Event { realm, action: "dedup_site_logins", subject: None, detail: &detail })?;
    let what = if dry_run { "dry run: " } else { "" };
    let withdrawn = changed - renamed;
    notice!(
        "{what}names changed: {renamed}, addresses that log in no more: {withdrawn}, new link proposals: {proposed}"
    );
    Ok(())
}

/// Finds the new names of the pending users.
fn allot(realm: &str) -> Result<()> {
    let normalize = Normalize::Username;
    let (mut pending, mut taken) = (Vec::new(), Taken::default());
    spi::stream(statements::PENDING, |row| {
        pending.push((row.get::<String>(1)?.unwrap_or_default(), row.get::<String>(2)?.unwrap_or_default()));
        Ok(())
    })?;
    spi::stream_with(statements::TAKEN, &[realm.into()], |row| {
        taken.insert(hash(&row.get::<String>(1)?.unwrap_or_default()));
        Ok(())
    })?;
    let wishes = pending.iter().map(|(prefix, login)| Wish { prefix, login }).collect();
    let mut allotment = Allotment::new(normalize, ROOM, wishes);
    allotment.settle(&mut taken, |keys| spi::document(statements::HELD, &[realm.into(), keys.into()]))?;
    spi::execute_built(statements::SET_NAMES, || {
        let names = || allotment.names.iter().flatten();
        let logins: Vec<String> = names().map(|name| name.login.clone()).collect();
        let keys: Vec<String> = names().map(|name| name.key.clone()).collect();
        let counters: Vec<i32> = names().map(|name| name.counter as i32).collect();
        vec![logins.into(), keys.into(), counters.into()]
    })?;
    Ok(())
}
