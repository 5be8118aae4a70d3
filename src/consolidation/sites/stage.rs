//! One site's users, from the source into the SSO layer.

use crate::audit::{self, Event};
use crate::consolidation::sites::rules::{Domains, Rules};
use crate::consolidation::sites::statements::{self, Found};
use crate::db::progress::{self, Phase, Progress};
use crate::db::query::{self, Lookups, Query};
use crate::db::returns::ResultSet;
use crate::db::store::{self, Store};
use crate::db::{attempt, json, scan, session, source, spi};
use crate::error::Result;
use crate::import::convert::{Fault, Person, read_row, timestamp};
use crate::import::identities::lock_realm;
use crate::import::job::{self, with_memory};
use crate::import::mapping::Mapping;
use crate::import::plan::Report;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::{IntoDatum, JsonB};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

pub struct Request {
    pub realm: String,
    pub site: String,
    pub source: String,
    pub mapping: Mapping,
    pub rules: Rules,
    pub dry_run: bool,
    pub report: Report,
}

/// A list of domains is held in memory.
const MOST_DOMAINS: usize = 1_000_000;

pub fn stage(mut request: Request, mut result: ResultSet) -> Result<()> {
    let owner = session::extension_owner()?;
    let site = session::as_owner(owner, || site_id(&request))?;
    let query = source::query(&request.source, "source")?;
    let columns: Vec<String> = source::columns(&query)?.into_iter().map(|(name, _)| name).collect();
    request.mapping.check_columns(&columns)?;
    if let Domains::Source(source) = &request.rules.disposable_domains {
        let hint = "Give an array, or a relation or a query with the domains alone: 'SELECT domain FROM disposable'.";
        request.rules.disposable_domains = Domains::listed(spi::list(
            "disposable_domains",
            &source::list(source, "rules", "disposable_domains", hint)?,
            MOST_DOMAINS,
        )?);
    }
    result.open();
    // A staging has no record, and so no number.
    let progress = Progress::new(scan::own_relation(scan::schema(), c"staged_identities")?, Uuid::nil());
    progress.publish();
    // A dry run gives its locks back.
    attempt::provisional(|| {
        let _owner = store::own_stores();
        with_memory(|| {
            let source = source::read_rows(&query, &request.mapping.columns())?;
            // From here on nothing of the caller's runs; others wait for what follows.
            lock_realm(&request.realm)?;
            session::as_owner(owner, || Run::new(&request, site, progress).stage(source, &mut result))
        })?;
        Ok(((), !request.dry_run))
    })?;
    progress::end();
    Ok(())
}

fn site_id(request: &Request) -> Result<i32> {
    let site = spi::value::<i32>(
        "SELECT identity_internal.site_id($1, $2)",
        &[request.realm.as_str().into(), request.site.as_str().into()],
    )?;
    Ok(site.unwrap_or_default())
}

/// One staging: its site, and the rows that it keeps. Nothing of the caller's runs in it.
struct Run<'a> {
    request: &'a Request,
    site: i32,
    total: i64,
    progress: Progress,
    found: Found,
    /// Users of the source as they were read, and then with what is to be done with each.
    given: Store,
    item: Store,
    /// Values that do not convert.
    fault: Store,
    /// Users who have moved on to the main tables.
    moved: Store,
}

impl<'a> Run<'a> {
    fn new(request: &'a Request, site: i32, progress: Progress) -> Self {
        Run {
            request,
            site,
            total: 0,
            progress,
            found: Found::InBulk,
            given: Store::by_byte(&statements::GIVEN),
            item: Store::by_byte(&statements::ITEM),
            fault: Store::by_byte(&statements::FAULT),
            moved: Store::by_byte(&statements::MOVED),
        }
    }

    fn stage(&mut self, source: Store, result: &mut ResultSet) -> Result<()> {
        self.progress.rows_total = source.rows();
        self.progress.enter(Phase::Checking);
        self.load(source)?;
        self.progress.problems = self.fault.rows();
        if job::lookups(self.total, query::kept_number(statements::STORED, &[])?) == job::BY_INDEX {
            self.found = Found::ByIndex;
        }
        self.decide()?;
        self.progress.enter(Phase::Writing);
        job::plan_anew(self.total);
        for statement in statements::write(self.found) {
            self.look_up(&statement, |query| query.run())?;
        }
        self.progress.enter(Phase::Reporting);
        if self.request.report != Report::None {
            let report = statements::report(self.request.report == Report::All);
            self.join(&report, |query| query.send(result.receiver()))?;
        }
        self.record(self.count()?)
    }

    fn record(&self, counts: BTreeMap<String, i64>) -> Result<()> {
        let Request { realm, site, .. } = self.request;
        audit::record(&Event { realm, action: "stage_site", subject: Some(site), detail: &counts })?;
        let counted: Vec<String> = counts.iter().map(|(status, rows)| format!("{rows} {status}")).collect();
        let what = if self.request.dry_run { "dry run: " } else { "" };
        let (total, rows) = (self.total, if self.total == 1 { "row" } else { "rows" });
        notice!("{what}site {site}: {total} {rows}: {}", counted.join(", "));
        Ok(())
    }

    /// What is to be done with each user. Whoever has moved on since, at the first login, is left alone.
    fn decide(&mut self) -> Result<()> {
        let mut item = self.item.like();
        self.look_up(&statements::decide(self.found), |query| query.fill(&mut item, &mut |_| {}))?;
        self.item = item;
        let mut moved = self.moved.like();
        self.look_up(&statements::lock(self.found), |query| query.fill(&mut moved, &mut |_| {}))?;
        if moved.is_empty() {
            return Ok(());
        }
        self.moved = moved;
        let mut item = self.item.like();
        self.join(statements::LEAVE_MOVED, |query| query.fill(&mut item, &mut |_| {}))?;
        self.item = item;
        Ok(())
    }

    fn count(&self) -> Result<BTreeMap<String, i64>> {
        let (mut rows, mut counts) = (Store::new(), BTreeMap::new());
        self.join(statements::COUNT, |query| query.fill(&mut rows, &mut |_| {}))?;
        rows.each(|row| {
            counts.insert(row.text(1)?.unwrap_or_default(), row.number(2));
            Ok(())
        })?;
        Ok(counts)
    }

    /// Works with a statement that joins rows of the run with tables.
    fn look_up<T>(&self, sql: &str, work: impl FnOnce(&Query) -> Result<T>) -> Result<T> {
        let lookups = match self.found {
            Found::InBulk => job::IN_BULK,
            Found::ByIndex => job::BY_INDEX,
        };
        self.with(sql, lookups, work)
    }

    /// With one that joins rows of the run with each other alone.
    fn join<T>(&self, sql: &str, work: impl FnOnce(&Query) -> Result<T>) -> Result<T> {
        self.with(sql, job::IN_BULK, work)
    }

    fn with<T>(&self, sql: &str, lookups: Lookups, work: impl FnOnce(&Query) -> Result<T>) -> Result<T> {
        let arguments: [DatumWithOid; 2] = [self.request.realm.as_str().into(), self.site.into()];
        let stores = [("given", &self.given), ("item", &self.item), ("fault", &self.fault), ("moved", &self.moved)];
        work(&Query { sql, arguments: &arguments, stores: &stores, lookups, then: None, open: false, size: self.total })
    }

    /// Converts the source's rows.
    fn load(&mut self, mut source: Store) -> Result<()> {
        source.each(|row| {
            let text = row.text(1)?.unwrap_or_default();
            json::ensure(&text)?;
            self.total += 1;
            self.add(read_row(&self.request.mapping, &text));
            Ok(())
        })
    }

    fn add(&mut self, mut person: Person) {
        let (row, valid) = (self.total, person.is_valid());
        for fault in std::mem::take(&mut person.faults) {
            self.fault.add(|| fault_row(row, person.original_id.clone(), fault));
        }
        if valid {
            let quarantine = self.request.rules.quarantine(&person);
            self.given.add(|| given_row(row, person, quarantine));
        }
    }
}

type Row = Vec<Option<pg_sys::Datum>>;

fn given_row(row: i64, person: Person, quarantine: Option<(&'static str, &'static str)>) -> Row {
    let [username, email, phone] =
        [person.username, person.email, person.phone].map(|login| login.map(|login| (login.value, login.key)).unzip());
    let (rule, rule_field) = quarantine.unzip();
    vec![
        row.into_datum(),
        person.original_id.into_datum(),
        username.0.into_datum(),
        username.1.into_datum(),
        email.0.into_datum(),
        email.1.into_datum(),
        person.email_verified.into_datum(),
        phone.0.into_datum(),
        phone.1.into_datum(),
        person.phone_verified.into_datum(),
        person.password_hash.into_datum(),
        person.registered_at.map(timestamp).into_datum(),
        person.last_login_at.map(timestamp).into_datum(),
        person.display_name.into_datum(),
        person.active.into_datum(),
        JsonB(Value::Object(person.traits)).into_datum(),
        rule.into_datum(),
        rule_field.into_datum(),
    ]
}

fn fault_row(row: i64, original_id: Option<String>, fault: Fault) -> Row {
    vec![
        row.into_datum(),
        original_id.into_datum(),
        fault.field.into_datum(),
        fault.reason.into_datum(),
        fault.sqlstate.into_datum(),
    ]
}
