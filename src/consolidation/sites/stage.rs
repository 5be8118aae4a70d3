//! One site's users, from the source into the SSO layer.

use crate::audit::{self, Event};
use crate::consolidation::sites::convert::{Fault, Person, convert, timestamp};
use crate::consolidation::sites::mapping::Mapping;
use crate::consolidation::sites::rules::{Domains, Rules};
use crate::consolidation::sites::statements::{self, Found};
use crate::db::returns::ResultSet;
use crate::db::spi;
use crate::db::spool::Spool;
use crate::db::temporary::Held;
use crate::db::{attempt, json, session, source};
use crate::error::Result;
use crate::import::identities::lock_realm;
use crate::import::identities::reader::Reader;
use crate::import::job::{self, with_memory};
use crate::import::plan::Report;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub struct Request {
    pub realm: String,
    pub site: String,
    pub source: String,
    pub mapping: Mapping,
    pub rules: Rules,
    pub dry_run: bool,
    pub report: Report,
}

/// Rows that are held in memory at a time, and about so many bytes of them.
const BATCH: i64 = 2_000;
const BATCH_BYTES: usize = 8 << 20;

/// A list of domains is held in memory.
const MOST_DOMAINS: usize = 1_000_000;

pub fn stage(mut request: Request, mut result: ResultSet) -> Result<()> {
    let owner = session::extension_owner()?;
    let site = session::as_owner(owner, || site_id(&request))?;
    let query = source::query(&request.source)?;
    let columns: Vec<String> = source::columns(&query)?.into_iter().map(|(name, _)| name).collect();
    request.mapping.check_columns(&columns)?;
    if let Domains::Source(source) = &request.rules.disposable_domains {
        let hint = "Give an array, or a relation or a query with the domains alone: 'SELECT domain FROM disposable'.";
        request.rules.disposable_domains = Domains::listed(spi::list(
            "disposable_domains",
            &source::list(source, "disposable_domains", hint)?,
            MOST_DOMAINS,
        )?);
    }
    result.open();
    let run = Run { request: &request, site };
    // A dry run gives its locks back.
    attempt::provisional(|| {
        with_memory(|| {
            let source = source::read_rows(&query, &request.mapping.columns())?;
            // From here on nothing of the caller's runs; others wait for what follows.
            lock_realm(&request.realm)?;
            session::as_owner(owner, || run.stage(source, &mut result))
        })?;
        Ok(((), !request.dry_run))
    })
}

fn site_id(request: &Request) -> Result<i32> {
    let site = spi::value::<i32>(
        "SELECT identity_internal.site_id($1, $2)",
        &[request.realm.as_str().into(), request.site.as_str().into()],
    )?;
    Ok(site.unwrap_or_default())
}

struct Run<'a> {
    request: &'a Request,
    site: i32,
}

impl Run<'_> {
    fn stage(&self, source: Spool, result: &mut ResultSet) -> Result<()> {
        spi::execute(statements::CREATE)?;
        let mut held = Held::new(&statements::STAGING)?;
        let total = self.load(source)?;
        spi::execute(statements::ANALYZE_ITEMS)?;
        let lookups = job::lookups(total, spi::number(statements::STORED, &[])?);
        let mut found = Found::InBulk;
        if lookups == job::BY_INDEX {
            found = Found::ByIndex;
            drop(held);
            spi::execute(statements::INDEX_ITEMS)?;
            held = Held::new(&statements::STAGING)?;
        }
        let counts = session::with_settings(lookups, || self.write(found, result))?;
        drop(held);
        spi::execute(&statements::drop(&statements::STAGING))?;
        let Request { realm, site, .. } = self.request;
        audit::record(&Event { realm, action: "stage_site", subject: Some(site), detail: &counts })?;
        let counted: Vec<String> = counts.iter().map(|(status, rows)| format!("{rows} {status}")).collect();
        let what = if self.request.dry_run { "dry run: " } else { "" };
        let rows = if total == 1 { "row" } else { "rows" };
        notice!("{what}site {}: {total} {rows}: {}", self.request.site, counted.join(", "));
        Ok(())
    }

    /// Writes the items, reports them, and counts them by status.
    fn write(&self, found: Found, result: &mut ResultSet) -> Result<BTreeMap<String, i64>> {
        for statement in statements::decide(found).iter().chain(&statements::write(found)) {
            spi::execute_with(statement, &self.place())?;
        }
        if self.request.report != Report::None {
            result.append(&statements::report(self.request.report == Report::All))?;
        }
        spi::document(statements::COUNT, &[])
    }

    /// The realm and the site, as the first parameters of a statement.
    fn place(&self) -> [DatumWithOid<'_>; 2] {
        [self.request.realm.as_str().into(), self.site.into()]
    }

    /// Converts the source's rows, a batch at a time.
    fn load(&self, mut source: Spool) -> Result<i64> {
        let (mut row, mut more) = (0, true);
        while more {
            let mut batch = Batch::default();
            let (before, mut bytes) = (row, 0);
            more = false;
            while let Some(text) = source.next() {
                let text = text.unwrap_or_default();
                row += 1;
                bytes += text.len();
                json::ensure(&text)?;
                batch.push(row, self.read(&text), &self.request.rules);
                if row == before + BATCH || bytes >= BATCH_BYTES {
                    more = true;
                    break;
                }
            }
            let Batch { items, faults } = batch;
            spi::execute_built(statements::ADD_ITEMS, || self.place().into_iter().chain(items.arguments()).collect())?;
            spi::execute_built(statements::ADD_FAULTS, || faults.arguments())?;
        }
        Ok(row)
    }

    fn read(&self, text: &str) -> Person {
        let mut reader = Reader::default();
        if let Some(Value::Object(row)) = reader.parse(text, "") {
            return convert(&self.request.mapping, &row);
        }
        let faults = reader.faults.into_iter().map(|fault| Fault::of_row(fault.path, fault.message, fault.sqlstate));
        if text.len() > json::MOST_BYTES {
            return Person { faults: faults.collect(), ..Person::default() };
        }
        let row: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let original_id = convert(&self.request.mapping, &row).original_id;
        Person { original_id, faults: faults.collect(), ..Person::default() }
    }
}

type Texts = Vec<Option<String>>;

#[derive(Default)]
struct Batch {
    items: Items,
    faults: Faults,
}

impl Batch {
    fn push(&mut self, row: i64, mut person: Person, rules: &Rules) {
        let valid = person.is_valid();
        for fault in std::mem::take(&mut person.faults) {
            self.faults.push(row, person.original_id.clone(), fault);
        }
        if valid {
            let quarantine = rules.quarantine(&person);
            self.items.push(row, person, quarantine);
        }
    }
}

#[derive(Default)]
struct Items {
    rn: Vec<i64>,
    original_id: Texts,
    username: Texts,
    username_key: Texts,
    email: Texts,
    email_key: Texts,
    email_verified: Vec<bool>,
    phone: Texts,
    phone_key: Texts,
    phone_verified: Vec<bool>,
    password_hash: Texts,
    registered_at: Texts,
    last_login_at: Texts,
    display_name: Texts,
    active: Vec<bool>,
    traits: Texts,
    rule: Texts,
    rule_field: Texts,
}

impl Items {
    fn push(&mut self, row: i64, person: Person, quarantine: Option<(&'static str, &'static str)>) {
        self.rn.push(row);
        self.original_id.push(person.original_id);
        let logins = [
            (person.username, &mut self.username, &mut self.username_key),
            (person.email, &mut self.email, &mut self.email_key),
            (person.phone, &mut self.phone, &mut self.phone_key),
        ];
        for (login, values, keys) in logins {
            let (value, key) = login.map(|login| (login.value, login.key)).unzip();
            values.push(value);
            keys.push(key);
        }
        self.email_verified.push(person.email_verified);
        self.phone_verified.push(person.phone_verified);
        self.password_hash.push(person.password_hash);
        self.registered_at.push(person.registered_at.map(timestamp));
        self.last_login_at.push(person.last_login_at.map(timestamp));
        self.display_name.push(person.display_name);
        self.active.push(person.active);
        self.traits.push(Some(Value::Object(person.traits).to_string()));
        let (rule, field) = quarantine.unzip();
        self.rule.push(rule.map(str::to_string));
        self.rule_field.push(field.map(str::to_string));
    }

    fn arguments(self) -> Vec<DatumWithOid<'static>> {
        vec![
            self.rn.into(),
            self.original_id.into(),
            self.username.into(),
            self.username_key.into(),
            self.email.into(),
            self.email_key.into(),
            self.email_verified.into(),
            self.phone.into(),
            self.phone_key.into(),
            self.phone_verified.into(),
            self.password_hash.into(),
            self.registered_at.into(),
            self.last_login_at.into(),
            self.display_name.into(),
            self.active.into(),
            self.traits.into(),
            self.rule.into(),
            self.rule_field.into(),
        ]
    }
}

#[derive(Default)]
struct Faults {
    rn: Vec<i64>,
    original_id: Texts,
    field: Texts,
    reason: Texts,
    sqlstate: Texts,
}

impl Faults {
    fn push(&mut self, row: i64, original_id: Option<String>, fault: Fault) {
        self.rn.push(row);
        self.original_id.push(original_id);
        self.field.push(Some(fault.field));
        self.reason.push(Some(fault.reason));
        self.sqlstate.push(Some(fault.sqlstate.to_string()));
    }

    fn arguments(self) -> Vec<DatumWithOid<'static>> {
        vec![self.rn.into(), self.original_id.into(), self.field.into(), self.reason.into(), self.sqlstate.into()]
    }
}
