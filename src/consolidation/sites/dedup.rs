//! Duplicate login names across the main tables and the SSO layer.

use crate::audit::{self, Event};
use crate::consolidation::allot::Form;
use crate::consolidation::names;
use crate::consolidation::plan::{Heads, Normalize, Room};
use crate::consolidation::sites::lock_staged;
use crate::consolidation::sites::statements;
use crate::db::progress::{self, Phase, Progress};
use crate::db::query::{self, Lookups, Query};
use crate::db::returns::ResultSet;
use crate::db::store::{self, Store};
use crate::db::{attempt, scan, session, spi};
use crate::error::Result;
use crate::import::identities::{lock_realm, lookups};
use crate::import::job::{self, with_memory};
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
    let run_id = Uuid::now_v7();
    let mut progress = Progress::new(scan::own_relation(scan::schema(), c"staged_identifiers")?, run_id);
    let run_id = run_id.to_string();
    progress.publish();
    // A dry run does all of it, and rolls back: then its locks are gone, too.
    attempt::provisional(|| {
        let _owner = store::own_stores();
        lock_realm(realm)?;
        lock_staged(realm, true);
        session::as_owner(owner, || {
            with_memory(|| Run::new(realm, &run_id).dedup(&caller, dry_run, &mut progress, &mut result))
        })?;
        Ok(((), !dry_run))
    })?;
    progress::end();
    Ok(())
}

/// One run: what it has found, and how it runs its statements.
struct Run<'a> {
    realm: &'a str,
    run_id: &'a str,
    login: Store,
    late: Store,
    repeated: Store,
    grouped: Store,
    pending: Store,
    allotted: Store,
    renamed: Store,
}

impl<'a> Run<'a> {
    fn new(realm: &'a str, run_id: &'a str) -> Self {
        Run {
            realm,
            run_id,
            login: Store::new(),
            late: Store::new(),
            repeated: Store::new(),
            grouped: Store::new(),
            pending: Store::new(),
            allotted: Store::by_byte(&names::ALLOTTED),
            renamed: Store::new(),
        }
    }

    fn dedup(&mut self, caller: &str, dry_run: bool, progress: &mut Progress, result: &mut ResultSet) -> Result<()> {
        self.find()?;
        progress.rows_total = self.login.rows();
        progress.problems = self.pending.rows();
        progress.enter(Phase::Checking);
        self.allot()?;
        progress.enter(Phase::Writing);
        let [changed, renamed, proposed] = self.apply(caller)?;
        progress.enter(Phase::Reporting);
        self.with(statements::REPORT_DEDUP, &self.of_run(), job::IN_BULK, |query| query.send(result.receiver()))?;
        let withdrawn = changed - renamed;
        let detail = json!({"run_id": self.run_id, "renamed": renamed, "withdrawn": withdrawn, "proposed": proposed});
        audit::record(&Event { realm: self.realm, action: "dedup_site_logins", subject: None, detail: &detail })?;
        let what = if dry_run { "dry run: " } else { "" };
        notice!(
            "{what}names changed: {renamed}, addresses that log in no more: {withdrawn}, new link proposals: {proposed}"
        );
        Ok(())
    }

    /// Finds who shares a name with whom, and whose is to change.
    fn find(&mut self) -> Result<()> {
        self.login = self.fetch(statements::FIND_LOGINS, job::IN_BULK)?;
        self.late = self.fetch(statements::FIND_LATE, job::IN_BULK)?;
        self.repeated = self.fetch(statements::FIND_REPEATED, lookups(self.login.rows())?)?;
        self.grouped = self.fetch(statements::GROUP, lookups(self.repeated.rows())?)?;
        self.pending = self.fetch(statements::FIND_PENDING, job::IN_BULK)?;
        Ok(())
    }

    /// Finds the new names of the pending users.
    fn allot(&mut self) -> Result<()> {
        let (mut wishes, mut taken) = (Store::by_byte(&names::WISH), Store::by_byte(&names::TAKEN));
        self.pending.each(|row| {
            let (prefix, login) = (row.text(4)?.unwrap_or_default(), row.text(5)?.unwrap_or_default());
            names::wish(&mut wishes, row.number(1), &prefix, &login);
            Ok(())
        })?;
        let prefixes: Vec<String> = spi::value(statements::PREFIXES, &[self.realm.into()])?.unwrap_or_default();
        let heads = Heads::of(Normalize::Username, &prefixes).0;
        spi::stream_with(statements::TAKEN, &[self.realm.into(), heads.into()], |row| {
            names::take(&mut taken, &row.get::<String>(1)?.unwrap_or_default());
            Ok(())
        })?;
        self.allotted = names::allot(Form { normalize: Normalize::Username, room: ROOM }, wishes, taken)?;
        self.renamed = self.fetch(statements::FIND_RENAMED, job::IN_BULK)?;
        Ok(())
    }

    /// Writes what was decided; returns how many names are changed in all, how many of these get another one, and the new proposals.
    fn apply(&self, caller: &str) -> Result<[u64; 3]> {
        let of_run = self.of_run();
        spi::execute_with(statements::RECORD_RUN, &[self.realm.into(), self.run_id.into(), caller.into()])?;
        let staged = query::kept_number(statements::STORED, &[])?;
        let [former, names, notices, proposals] = statements::APPLY;
        let changed = self.with(former, &of_run, job::IN_BULK, |query| query.run())?;
        let of_changed = job::lookups(changed as i64, staged);
        self.with(names, &of_run, of_changed, |query| query.run())?;
        let renamed = self.with(notices, &of_run, of_changed, |query| query.run())?;
        let proposed = self.with(proposals, &[self.realm.into()], job::IN_BULK, |query| query.run())?;
        spi::execute_with(statements::COUNT_RUN, &[self.realm.into(), self.run_id.into(), (proposed as i64).into()])?;
        Ok([changed, renamed, proposed])
    }

    fn of_run(&self) -> [DatumWithOid<'_>; 2] {
        [self.realm.into(), self.run_id.into()]
    }

    fn fetch(&self, sql: &str, lookups: Lookups) -> Result<Store> {
        let mut store = Store::new();
        self.with(sql, &[self.realm.into()], lookups, |query| query.fill(&mut store, &mut |_| {}))?;
        Ok(store)
    }

    fn with<T>(
        &self,
        sql: &str,
        arguments: &[DatumWithOid],
        lookups: Lookups,
        work: impl FnOnce(&Query) -> Result<T>,
    ) -> Result<T> {
        let stores = [
            ("login", &self.login),
            ("late", &self.late),
            ("repeated", &self.repeated),
            ("grouped", &self.grouped),
            ("pending", &self.pending),
            ("allotted", &self.allotted),
            ("renamed", &self.renamed),
        ];
        work(&Query::over(sql, arguments, &stores, lookups))
    }
}
