//! One import of identities: what it knows, and how it runs its statements on the store of identities and on its own rows.

use crate::db::attempt::Failure;
use crate::db::progress::{Phase, Progress};
use crate::db::query::{self, Lookups, Query};
use crate::db::sql::Sql;
use crate::db::store::Store;
use crate::db::{scan, session};
use crate::error::Result;
use crate::import::identities::kratos::Hashes;
use crate::import::identities::schema::Schemas;
use crate::import::identities::statements::*;
use crate::import::identities::stores::{Items, Stores};
use crate::import::job::{self, Company};
use crate::import::numbers::NumberSet;
use crate::import::plan::{OnConflict, Report};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use std::borrow::Cow;
use uuid::Uuid;

/// The arguments of an import of identities.
pub struct Request {
    pub realm: String,
    pub on_conflict: OnConflict,
    pub dry_run: bool,
    pub report: Report,
}

/// Where the identities of a run go, as statements on its tables. `$1` of each is the part of the tables that is meant.
pub struct Place {
    /// A realm, or a network.
    pub key: String,
    pub table: pg_sys::Oid,
    /// How many identifiers there are, about.
    pub stored: Text,
    pub rules: Rules,
    pub kept_schemas: Text,
    pub find_targets: Text,
    pub claims_as_verified: Text,
    /// Without updates, and with them.
    pub find_conflicts: [Text; 2],
    pub find_freed: Text,
    pub add: Vec<Text>,
    pub replace: Vec<Text>,
    pub warnings: Vec<Text>,
    pub warnings_of_updates: Vec<Text>,
    pub refusal: Text,
}

/// A statement.
pub type Text = Cow<'static, str>;

/// What documents are read for.
#[derive(Clone)]
pub enum Rules {
    /// The store, by the identity schemas of its realm.
    Store,
    /// A Kratos database, by these.
    Kratos { schemas: Schemas, hashes: Hashes },
}

impl Place {
    pub fn store(realm: &str) -> Result<Self> {
        let built = |sql: Sql| Text::Owned(sql.to_string());
        let listed = |all: &[&'static str]| all.iter().copied().map(Text::Borrowed).collect();
        Ok(Place {
            key: realm.to_string(),
            table: identities()?,
            stored: STORED.into(),
            rules: Rules::Store,
            kept_schemas: KEPT_SCHEMAS.into(),
            find_targets: FIND_TARGETS.into(),
            claims_as_verified: CLAIMS_AS_VERIFIED.into(),
            find_conflicts: [built(find_conflicts(false)), built(find_conflicts(true))],
            find_freed: built(find_freed(&gives_up_names())),
            add: listed(&ADD),
            replace: listed(&REPLACE),
            warnings: listed(&[FIND_WARNINGS]),
            warnings_of_updates: listed(&[FIND_NAMELESS]),
            refusal: built(refusal()),
        })
    }

    /// What looks for things to be said of the identities that went in.
    pub fn find_warnings(&self, updates: bool) -> impl Iterator<Item = &str> {
        let more = self.warnings_of_updates.iter().filter(move |_| updates);
        self.warnings.iter().chain(more).map(|sql| &**sql)
    }
}

/// It works where no name can mean anything but the system's: as the owner of the store, so that nothing of the caller's runs in it; or on a Kratos
/// database, as the caller.
pub struct Run<'a> {
    pub request: &'a Request,
    pub place: Place,
    pub total: i64,
    pub progress: Progress,
    /// How the rows of the run are looked up in the store.
    lookups: Lookups,
    /// The identities of the source, as it has them.
    pub read: Items,
    /// In mode update: the same with the identities that they update.
    pub targeted: Option<Items>,
    pub stores: Stores,
    /// Rows of which the document itself is wrong.
    pub faulty: NumberSet,
    /// In mode update: rows that update an identity.
    pub updated: NumberSet,
    /// Rows that have a problem.
    pub dead: NumberSet,
}

/// Fewer rows than this are looked up by index, however few the store has.
const ALWAYS_BY_INDEX: i64 = 100;

impl<'a> Run<'a> {
    pub fn new(place: Place, request: &'a Request, run_id: Uuid) -> Self {
        Run {
            request,
            total: 0,
            progress: Progress::new(place.table, run_id),
            place,
            lookups: job::BY_INDEX,
            read: Items::new(),
            targeted: None,
            stores: Stores::new(),
            faulty: NumberSet::default(),
            updated: NumberSet::default(),
            dead: NumberSet::default(),
        }
    }

    pub fn updates(&self) -> bool {
        self.request.on_conflict == OnConflict::Update
    }

    pub fn items(&self) -> &Items {
        self.targeted.as_ref().unwrap_or(&self.read)
    }

    /// The realm, or the network, as the first parameter of a statement.
    pub fn key(&self) -> DatumWithOid<'_> {
        self.place.key.as_str().into()
    }

    /// Chooses how the rows are looked up, once they are there.
    pub fn prepare_lookups(&mut self) -> Result<()> {
        if self.total >= ALWAYS_BY_INDEX {
            self.lookups = job::lookups(self.total, query::kept_number(&self.place.stored, &[])?);
        }
        Ok(())
    }

    /// What a statement returns that joins rows of the run with the store. `note` is told the number of each row.
    pub fn look_up(&self, sql: &str, items: &Items, to: &mut Store, note: &mut dyn FnMut(i64)) -> Result<()> {
        self.with(sql, &[self.key()], items, None, self.lookups, |query| query.fill(to, note).map(|_| ()))
    }

    /// The same of one that joins rows of the run with each other alone: each store is read once.
    pub fn join(&self, sql: &str, items: &Items, to: &mut Store, note: &mut dyn FnMut(i64)) -> Result<()> {
        self.with(sql, &[], items, None, job::IN_BULK, |query| query.fill(to, note).map(|_| ()))
    }

    /// Sends what a statement returns elsewhere; `fine` are the items that went in.
    pub fn send(
        &self,
        sql: &str,
        arguments: &[DatumWithOid],
        items: &Items,
        fine: &Store,
        to: *mut pg_sys::DestReceiver,
    ) -> Result<()> {
        self.with(sql, arguments, items, Some(fine), job::IN_BULK, |query| query.send(to))
    }

    /// What a statement returns about a row.
    pub fn about(&self, sql: &str, arguments: &[DatumWithOid], items: &Items, to: &mut Store) -> Result<()> {
        self.with(sql, arguments, items, None, &[], |query| query.fill(to, &mut |_| {}).map(|_| ()))
    }

    /// Runs statements that write items: all of them stand, or none. An error that is no row's fault is raised.
    pub fn attempt(&self, statements: &[Text], items: &Items) -> Result<std::result::Result<u64, Failure>> {
        let (key, stores) = ([self.key()], self.visible(items, None));
        let queries: Vec<Query> = statements.iter().map(|sql| self.query(sql, &key, &stores, self.lookups)).collect();
        let work = || job::attempt_rows(|| query::attempt_all(&queries));
        match self.place.rules {
            Rules::Store => work(),
            // A session keeps the plans by which foreign keys are checked: none is to be made for a table that looks empty, and is being filled.
            Rules::Kratos { .. } => session::with_settings(&[("enable_seqscan", "off")], work),
        }
    }

    fn with<T>(
        &self,
        sql: &str,
        arguments: &[DatumWithOid],
        items: &Items,
        fine: Option<&Store>,
        lookups: Lookups,
        work: impl FnOnce(&Query) -> T,
    ) -> T {
        work(&self.query(sql, arguments, &self.visible(items, fine), lookups))
    }

    fn visible<'s>(&'s self, items: &'s Items, fine: Option<&'s Store>) -> Vec<(&'static str, &'s Store)> {
        items.all().into_iter().chain(self.stores.all()).chain(fine.map(|fine| ("fine", fine))).collect()
    }

    fn query<'q>(
        &self,
        sql: &'q str,
        arguments: &'q [DatumWithOid<'q>],
        stores: &'q [(&'static str, &'q Store)],
        lookups: Lookups,
    ) -> Query<'q> {
        Query { sql, arguments, stores, lookups, then: None, open: false, size: self.total }
    }

    pub fn enter(&mut self, phase: Phase) {
        self.progress.phase = phase;
        self.progress.rows_total = self.total;
        self.progress.publish();
    }
}

/// How so many rows are looked up among the identifiers of the store.
pub fn lookups(rows: i64) -> Result<Lookups> {
    Ok(job::lookups(rows, query::kept_number(STORED, &[])?))
}

fn identities() -> Result<pg_sys::Oid> {
    scan::own_relation(scan::schema(), c"identities")
}

/// Keeps every import into a realm, and its consolidation, waiting until the transaction ends.
pub fn lock_realm(realm: &str) -> Result<()> {
    Company::Alone.lock(identities()?, part_of(realm));
    Ok(())
}

/// For an import: others may run beside it, for the keys decide who comes first; whoever reads all of the realm waits.
pub fn share_realm(realm: &str, company: Company) -> Result<()> {
    company.lock(identities()?, part_of(realm));
    Ok(())
}

fn part_of(realm: &str) -> u16 {
    let hash = realm.bytes().fold(0u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    (hash % 65_000) as u16 + 2
}
