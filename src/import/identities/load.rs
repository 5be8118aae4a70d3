//! From documents to the run's temporary tables: each is read by `kratos`, and goes in a batch of arrays.

use crate::db::progress::Phase;
use crate::db::source;
use crate::db::spi;
use crate::db::spool::Spool;
use crate::db::{allocate, json};
use crate::error::{Error, Result};
use crate::import::identities::credentials::Credentials;
use crate::import::identities::kratos::{self, Claim, Identity, Item, Known, Shape, Space};
use crate::import::identities::reader::{Fault, INVALID_VALUE, MISSING_VALUE};
use crate::import::identities::run::Run;
use crate::import::identities::schema::{Schema, Schemas};
use crate::import::identities::statements;
use crate::password;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Where the documents come from.
pub enum Source<'a> {
    /// One a row of a query, in its json or jsonb column of this name.
    Query { query: String, column: String },
    /// Those of an array.
    Array(&'a str),
    /// Those of the array "identities" in an object.
    Body(&'a str),
}

impl Source<'_> {
    /// The query, if its rows are documents.
    pub fn query(query: String) -> Result<Self> {
        let columns = source::columns(&query)?;
        let refuse = |detail: String| {
            Err(Error::new("42804", "the source does not have one json or jsonb column")
                .detail(detail)
                .hint("Select the documents alone, an identity a row: 'SELECT doc FROM staging.identities ORDER BY id'. Cast a text: doc::jsonb."))
        };
        match columns.as_slice() {
            [(column, pg_sys::JSONOID | pg_sys::JSONBOID)] => Ok(Source::Query { query, column: column.clone() }),
            [(name, _)] => refuse(format!("Its column \"{name}\" has another type.")),
            columns => refuse(format!("It has {} columns.", columns.len())),
        }
    }
}

/// Documents that are held in memory at a time, about: their text, and their number.
const BATCH_BYTES: usize = 8 << 20;
const BATCH_ROWS: usize = 10_000;

/// Documents, when no code of the caller's is needed any more to have them.
enum Documents<'a> {
    /// As texts, in the order of the source.
    Read(Spool),
    /// Those of an array.
    Array(&'a str),
    /// Those of the array "identities" in an object.
    Body(&'a str),
}

struct Document {
    row: i64,
    path: String,
    text: Option<String>,
}

impl Run<'_> {
    pub fn load(&mut self, source: &Source) -> Result<()> {
        self.enter(Phase::Reading);
        let documents = match source {
            Source::Query { query, column } => Documents::Read(source::read_column(query, column)?),
            Source::Array(text) => Documents::Array(text),
            Source::Body(text) => Documents::Body(text),
        };
        self.create_tables()?;
        let schemas = self.schemas()?;
        match documents {
            Documents::Read(texts) => self.load_texts(texts, &schemas)?,
            Documents::Array(text) => self.load_array(text, "", Shape::Any, &schemas)?,
            Documents::Body(text) => self.load_body(text, &schemas)?,
        }
        self.prepare_lookups()
    }

    fn schemas(&self) -> Result<Schemas> {
        let named: BTreeMap<String, Value> = self.store(|| spi::document(statements::SCHEMAS, &[self.realm()]))?;
        let parsed = named.into_iter().filter_map(|(name, schema)| Some((name, Schema::parse(&schema).ok()?)));
        Ok(Schemas::new(parsed.collect()))
    }

    fn load_texts(&mut self, mut texts: Spool, schemas: &Schemas) -> Result<()> {
        let (mut bytes, mut pending) = (0, Vec::new());
        for row in 1.. {
            let Some(text) = texts.next() else { break };
            bytes += text.as_ref().map_or(0, String::len);
            pending.push(Document { row, path: String::new(), text });
            if bytes >= BATCH_BYTES || pending.len() >= BATCH_ROWS {
                self.add(&std::mem::take(&mut pending), Shape::Any, schemas)?;
                bytes = 0;
            }
        }
        self.add(&pending, Shape::Any, schemas)
    }

    fn load_body(&mut self, text: &str, schemas: &Schemas) -> Result<()> {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            identities: &'a RawValue,
        }
        let body: Body = serde_json::from_str(text).map_err(unreadable)?;
        self.load_array(body.identities.get(), "/identities", Shape::Item, schemas)
    }

    /// Takes the documents of an array one after the other: there may be as many as the text has letters.
    fn load_array(&mut self, text: &str, prefix: &str, shape: Shape, schemas: &Schemas) -> Result<()> {
        let (mut bytes, mut pending) = (0, Vec::new());
        let mut row = 0;
        let mut outcome = Ok(());
        let mut add = |item: &RawValue| {
            row += 1;
            bytes += item.get().len();
            pending.push(Document {
                row,
                path: format!("{prefix}/{}", row - 1),
                text: Some(allocate::text(item.get())?),
            });
            if bytes >= BATCH_BYTES || pending.len() >= BATCH_ROWS {
                self.add(&std::mem::take(&mut pending), shape, schemas)?;
                bytes = 0;
            }
            Ok(())
        };
        let read = each_item(&mut serde_json::Deserializer::from_str(text), |item| {
            outcome = add(item);
            outcome.clone()
        });
        outcome?;
        read.map_err(unreadable)?;
        self.add(&pending, shape, schemas)
    }

    /// Reads documents, and puts what they say into the temporary tables.
    fn add(&mut self, documents: &[Document], shape: Shape, schemas: &Schemas) -> Result<()> {
        let kept = if self.updates() && schemas.are_named() { self.kept_schemas(documents)? } else { BTreeMap::new() };
        let mut batch = Batch::default();
        for document in documents {
            pgrx::check_for_interrupts!();
            json::ensure(document.text.as_deref().unwrap_or_default())?;
            let known = Known { schemas, kept: kept.get(&document.row).map(String::as_str) };
            let item = match &document.text {
                Some(text) => kratos::read(text, &document.path, shape, known),
                None => Some(nothing()),
            };
            if let Some(item) = item {
                batch.push(document.row, item, self)?;
            }
        }
        self.total += batch.items.rn.len() as i64;
        self.progress.rows_total = self.total;
        self.progress.publish();
        let Batch { items, claims, faults, warned, warnings } = batch;
        self.store(|| {
            spi::execute_built(&self.statements.add_items(), || items.arguments())?;
            spi::execute_built(&self.statements.add_claims(), || claims.arguments())?;
            spi::execute_built(&self.statements.add_warnings(), || vec![warned.into(), warnings.into()])?;
            spi::execute_built(&self.statements.add_faults(), || faults.arguments())
        })?;
        Ok(())
    }

    /// The identity schemas of the identities that are updated by documents which name none.
    fn kept_schemas(&self, documents: &[Document]) -> Result<BTreeMap<i64, String>> {
        let (mut rows, mut ids, mut external_ids) = (Vec::new(), Texts::new(), Texts::new());
        for document in documents {
            let Some((id, external_id)) = document.text.as_deref().and_then(kratos::unnamed_schema) else { continue };
            rows.push(document.row);
            ids.push(id.map(|id| id.to_string()));
            external_ids.push(external_id);
        }
        let arguments = [self.realm(), rows.into(), ids.into(), external_ids.into()];
        self.store(|| spi::document(statements::KEPT_SCHEMAS, &arguments))
    }
}

/// Hands the items of a JSON array over as they are. Where `each` fails, the reading ends.
pub fn each_item<'de, D: Deserializer<'de>>(
    deserializer: D,
    each: impl FnMut(&'de RawValue) -> Result<()>,
) -> std::result::Result<(), D::Error> {
    struct Each<F>(F);
    impl<'de, F: FnMut(&'de RawValue) -> Result<()>> Visitor<'de> for Each<F> {
        type Value = ();

        fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
            formatter.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> std::result::Result<(), A::Error> {
            while let Some(item) = items.next_element::<&RawValue>()? {
                (self.0)(item).map_err(|error| A::Error::custom(error.message))?;
            }
            Ok(())
        }
    }
    deserializer.deserialize_seq(Each(each))
}

/// The text is that of a jsonb value, which has been looked at before.
fn unreadable(error: serde_json::Error) -> Error {
    Error::new("XX000", format!("pg_identity could not read the documents: {error}"))
}

fn nothing() -> Item {
    let fault = Fault {
        path: String::new(),
        sqlstate: MISSING_VALUE,
        message: "the document is NULL".to_string(),
        identifier: None,
    };
    Item { faults: vec![fault], ..Item::default() }
}

#[derive(Default)]
struct Batch {
    items: Items,
    claims: Claims,
    faults: Faults,
    warned: Vec<i64>,
    warnings: Texts,
}

impl Batch {
    fn push(&mut self, row: i64, mut item: Item, run: &Run) -> Result<()> {
        let nameless = !item.identity.has_identifier() && item.faults.is_empty();
        if nameless && !run.updates() {
            item.warnings.push("the identity has no identifier".to_string());
        }
        if item.faults.is_empty()
            && let Some(credentials) = &mut item.identity.credentials
            && let Some(fault) = hash_password(credentials)?
        {
            item.faults.push(fault);
        }
        for (i, claim) in item.identity.claims.drain(..).enumerate() {
            self.claims.push(row, i as i32, claim);
        }
        for warning in item.warnings {
            self.warned.push(row);
            self.warnings.push(Some(warning));
        }
        for fault in item.faults {
            self.faults.push(row, fault);
        }
        self.items.push(row, item.patch_id, item.identity);
        Ok(())
    }
}

/// Puts a hash in the place of a plain text.
fn hash_password(credentials: &mut Credentials) -> Result<Option<Fault>> {
    let Some(plain) = credentials.password.take() else { return Ok(None) };
    let hash = match password::hash(&plain.text)? {
        Ok(hash) => hash,
        Err(message) => {
            let path = plain.path;
            return Ok(Some(Fault { path, sqlstate: INVALID_VALUE, message, identifier: None }));
        }
    };
    credentials.configs.insert("password".to_string(), serde_json::json!({"hashed_password": hash}));
    Ok(None)
}

type Texts = Vec<Option<String>>;

#[derive(Default)]
struct Items {
    rn: Vec<i64>,
    patch_id: Texts,
    path: Texts,
    given_id: Texts,
    id: Texts,
    external_id: Texts,
    schema_id: Texts,
    state: Texts,
    traits: Texts,
    metadata_public: Texts,
    metadata_admin: Texts,
    organization_id: Texts,
    credentials: Texts,
    has_verifiable: Vec<bool>,
    has_recovery: Vec<bool>,
    has_names: Vec<bool>,
    created_at: Texts,
    updated_at: Texts,
    state_changed_at: Texts,
}

impl Items {
    fn push(&mut self, row: i64, patch_id: Option<String>, identity: Identity) {
        let text = |value: Option<Value>| value.map(|v| v.to_string());
        self.rn.push(row);
        self.patch_id.push(patch_id);
        self.path.push(Some(identity.path));
        self.given_id.push(identity.id.map(|id| id.to_string()));
        // Time-ordered (version 7), so that bulk inserts append to the indexes.
        self.id.push(Some(identity.id.unwrap_or_else(Uuid::now_v7).to_string()));
        self.external_id.push(identity.external_id);
        self.schema_id.push(identity.schema_id);
        self.state.push(identity.state.map(str::to_string));
        self.traits.push(text(identity.traits));
        self.metadata_public.push(text(identity.metadata_public));
        self.metadata_admin.push(text(identity.metadata_admin));
        self.organization_id.push(identity.organization_id.map(|id| id.to_string()));
        self.credentials.push(text(identity.credentials.map(Credentials::into_json)));
        self.has_verifiable.push(identity.has_verifiable);
        self.has_recovery.push(identity.has_recovery);
        self.has_names.push(identity.has_names);
        self.created_at.push(identity.created_at);
        self.updated_at.push(identity.updated_at);
        self.state_changed_at.push(identity.state_changed_at);
    }

    fn arguments(self) -> Vec<DatumWithOid<'static>> {
        vec![
            self.rn.into(),
            self.patch_id.into(),
            self.path.into(),
            self.given_id.into(),
            self.id.into(),
            self.external_id.into(),
            self.schema_id.into(),
            self.state.into(),
            self.traits.into(),
            self.metadata_public.into(),
            self.metadata_admin.into(),
            self.organization_id.into(),
            self.credentials.into(),
            self.has_verifiable.into(),
            self.has_recovery.into(),
            self.has_names.into(),
            self.created_at.into(),
            self.updated_at.into(),
            self.state_changed_at.into(),
        ]
    }
}

#[derive(Default)]
struct Claims {
    rn: Vec<i64>,
    ord: Vec<i32>,
    space: Texts,
    role: Texts,
    via: Texts,
    kind: Texts,
    key: Texts,
    value: Texts,
    path: Texts,
    verified: Vec<bool>,
    status: Texts,
    verified_at: Texts,
}

impl Claims {
    fn push(&mut self, row: i64, ord: i32, claim: Claim) {
        let (space, role, via) = match claim.space {
            Space::Identifier(_) => ("identifier", None, None),
            Space::Id => ("id", None, None),
            Space::ExternalId => ("external_id", None, None),
            Space::Verifiable(via) => ("address", Some("verifiable"), Some(via.name())),
            Space::Recovery(via) => ("address", Some("recovery"), Some(via.name())),
        };
        self.rn.push(row);
        self.ord.push(ord);
        self.space.push(Some(space.to_string()));
        self.role.push(role.map(str::to_string));
        self.via.push(via.map(str::to_string));
        self.kind.push(Some(claim.space.kind().to_string()));
        self.key.push(Some(claim.key));
        self.value.push(Some(claim.value));
        self.path.push(Some(claim.path));
        self.verified.push(claim.verified);
        self.status.push(claim.status.map(str::to_string));
        self.verified_at.push(claim.verified_at);
    }

    fn arguments(self) -> Vec<DatumWithOid<'static>> {
        vec![
            self.rn.into(),
            self.ord.into(),
            self.space.into(),
            self.role.into(),
            self.via.into(),
            self.kind.into(),
            self.key.into(),
            self.value.into(),
            self.path.into(),
            self.verified.into(),
            self.status.into(),
            self.verified_at.into(),
        ]
    }
}

#[derive(Default)]
struct Faults {
    rn: Vec<i64>,
    ord: Vec<i32>,
    kind: Texts,
    value: Texts,
    path: Texts,
    sqlstate: Texts,
    message: Texts,
}

impl Faults {
    fn push(&mut self, row: i64, fault: Fault) {
        // Faults come before conflicts in the report, in the order in which they were met.
        let before = self.rn.iter().rev().take_while(|rn| **rn == row).count();
        self.rn.push(row);
        self.ord.push(before as i32 - 1_000_000);
        let (kind, value) =
            fault.identifier.map_or((None, None), |(kind, value)| (Some(kind.to_string()), Some(value)));
        self.kind.push(kind);
        self.value.push(value);
        self.path.push(Some(fault.path));
        self.sqlstate.push(Some(fault.sqlstate.to_string()));
        self.message.push(Some(fault.message));
    }

    fn arguments(self) -> Vec<DatumWithOid<'static>> {
        vec![
            self.rn.into(),
            self.ord.into(),
            self.kind.into(),
            self.value.into(),
            self.path.into(),
            self.sqlstate.into(),
            self.message.into(),
        ]
    }
}
