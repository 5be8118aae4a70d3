//! `identity.find_duplicates` and `identity.dedup_logins`: what one run does, from the readings of the table to its record.
//!
//! The table and the caller's list are read to their ends first. From then on the run has rows of its own, in types of the server's own, and
//! nothing of the caller's is run but what the one UPDATE sets off.

use crate::consolidation::allot::Form;
use crate::consolidation::audit;
use crate::consolidation::names;
use crate::consolidation::plan::{Heads, Keep};
use crate::consolidation::roll::{self, Roll};
use crate::consolidation::run::{self, BY_PLACE, derive};
use crate::consolidation::statements::{self, Target};
use crate::db::query::{Lookups, Query};
use crate::db::returns::ResultSet;
use crate::db::store::{self, Store};
use crate::db::{session, source, spi};
use crate::error::{Error, Result};
use crate::import::job::IN_BULK;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The arguments of `dedup_logins`.
pub struct Request {
    pub prefixes: BTreeMap<String, String>,
    pub prefixes_json: String,
    pub keep: Keep,
    pub max_length: Option<i32>,
    pub reserved: Option<String>,
    pub dry_run: bool,
}

/// Groups stay in the order in which they are sorted.
const IN_ORDER: Lookups = &[("enable_hashagg", "off")];

pub fn find_duplicates(target: &Target, result: &mut ResultSet) -> Result<()> {
    let _owner = store::own_stores();
    let kept = read(target, &BTreeMap::new())?.kept;
    run::check_row_ids(target, &kept)?;
    let stores = [("kept", &kept)];
    session::with_system_names(|| {
        Query::over(statements::FIND_DUPLICATES, &[], &stores, IN_ORDER).send(result.receiver())
    })
}

pub fn dedup(target: &Target, request: &Request, result: &mut ResultSet) -> Result<()> {
    let room = run::room(target.table, &target.columns.login)?.within(request.max_length, &request.prefixes)?;
    run::check_rights(target)?;
    if !request.dry_run {
        run::check_isolation("dedup_logins")?;
        spi::execute(&target.lock())?;
    }
    let _owner = store::own_stores();
    let Roll { kept, mut taken, .. } = read(target, &request.prefixes)?;
    run::check_row_ids(target, &kept)?;
    let heads = Heads::of(target.normalize, request.prefixes.values());
    if let Some(reserved) = &request.reserved {
        let hint = "Give a relation or a query with the names alone: 'SELECT name FROM reserved_names'.";
        take(target, &heads, &source::list(reserved, "reserved", "reserved", hint)?, &[], &mut taken)?;
    }
    take_former(target, &heads, &mut taken)?;
    let grouped = derive(statements::GROUP, &[(request.keep == Keep::None).into()], &[("kept", &kept)], IN_BULK)?;
    drop(kept);
    let wishes = derive(statements::WISHES, &[], &[("grouped", &grouped)], IN_BULK)?;
    let allotted = names::allot(Form { normalize: target.normalize, room }, wishes, taken)?;
    let done =
        if request.dry_run { Store::by_byte(&statements::RENAMED) } else { rename(target, &grouped, &allotted)? };
    let stores = [("grouped", &grouped), ("allotted", &allotted), ("done", &done)];
    let told = derive(statements::TELL, &[request.dry_run.into()], &stores, IN_BULK)?;
    drop((grouped, allotted, done));
    finish(target, request, &told, result)
}

/// Reads the table: the rows whose name may come twice, and the keys that begin as a new name would.
fn read(target: &Target, prefixes: &BTreeMap<String, String>) -> Result<Roll> {
    let rows = usize::try_from(spi::number(&target.count_roughly(), &[])?).unwrap_or(0);
    let roll = Roll::new(target.normalize, prefixes.clone(), rows, session::work_mem_bytes());
    roll::with_roll(roll, || {
        spi::execute(&target.note_names())?;
        spi::execute(&target.keep_rows())?;
        Ok(())
    })
}

/// Former names of this table's rows stand in the records, which only the owner of the extension reads.
fn take_former(target: &Target, heads: &Heads, taken: &mut Store) -> Result<()> {
    let table = target.table;
    let arguments = [session::origin().into(), pg_sys::Oid::from(table.oid).into(), table.name.as_str().into()];
    session::as_extension_owner(|| take(target, heads, statements::FORMER, &arguments, taken))
}

fn take(target: &Target, heads: &Heads, sql: &str, arguments: &[DatumWithOid], taken: &mut Store) -> Result<()> {
    spi::stream_with(sql, arguments, |row| {
        let name = row.get::<String>(1)?.unwrap_or_default();
        let key = target.normalize.key_of(&name);
        if heads.begin(&key) {
            names::take(taken, &key);
        }
        Ok(())
    })
}

/// Gives rows their new names; returns the names that they have then. Where the table made something else of one, that must be nobody else's.
fn rename(target: &Target, grouped: &Store, allotted: &Store) -> Result<Store> {
    let stores = [("grouped", grouped), ("allotted", allotted)];
    let given = derive(statements::GIVEN, &[], &stores, IN_BULK)?;
    let mut done = Store::by_byte(&statements::RENAMED);
    Query::over(&target.rename(), &[], &[("given", &given)], BY_PLACE).fill(&mut done, &mut |_| {})?;
    drop(given);
    let changed = derive(&statements::changed(target.normalize), &[], &[("done", &done)], IN_BULK)?;
    if changed.is_empty() {
        return Ok(done);
    }
    let mut shared = Store::new();
    Query::over(&target.find_shared_key(), &[], &[("changed", &changed)], IN_BULK).fill(&mut shared, &mut |_| {})?;
    shared.each(|row| {
        let key = row.text(1)?.unwrap_or_default();
        Err(Error::new("23505", "the table made of a new name one that another row has")
            .detail(format!("Two rows have the name \"{key}\" now. A trigger or the column's type changes names."))
            .hint("Nothing was renamed. Give max_length, so that names fit as they are, or change the trigger."))
    })?;
    Ok(done)
}

fn finish(target: &Target, request: &Request, told: &Store, result: &mut ResultSet) -> Result<()> {
    let run_id = Uuid::now_v7().to_string();
    let stores = [("told", told)];
    let renamed = derive(statements::COUNT_RENAMED, &[], &stores, IN_BULK)?.first_number();
    if !request.dry_run {
        record(target, request, &run_id, told, renamed)?;
    }
    let arguments = [run_id.as_str().into()];
    session::with_system_names(|| {
        Query::over(statements::REPORT, &arguments, &stores, IN_BULK).send(result.receiver())
    })?;
    let what = if request.dry_run { "dry run: " } else { "" };
    notice!("{what}{renamed} row{} of {} renamed", if renamed == 1 { "" } else { "s" }, target.table.name);
    Ok(())
}

fn record(target: &Target, request: &Request, run_id: &str, told: &Store, renamed: i64) -> Result<()> {
    let Target { table, columns, flag, normalize } = target;
    let caller = session::current_role_name()?;
    let arguments = [
        run_id.into(),
        table.name.as_str().into(),
        pg_sys::Oid::from(table.oid).into(),
        session::origin().into(),
        columns.login.name.as_str().into(),
        columns.site.name.as_str().into(),
        columns.row_id.name.as_str().into(),
        flag.map(|f| f.name.as_str()).into(),
        normalize.name().into(),
        request.prefixes_json.as_str().into(),
        request.keep.name().into(),
        caller.into(),
        renamed.into(),
    ];
    session::as_extension_owner(|| {
        spi::execute_with(statements::RECORD_RUN, &arguments)?;
        Query::over(statements::RECORD_ROWS, &[run_id.into()], &[("told", told)], IN_BULK).run()
    })?;
    audit("dedup_logins", &table.name, &json!({"run_id": run_id, "renamed": renamed}))
}
