//! From documents to the run's rows: each is read by `kratos`, and becomes an item with its claims, or faults.

use crate::db::convert::timestamptz;
use crate::db::progress::Phase;
use crate::db::query;
use crate::db::source;
use crate::db::store::Store;
use crate::db::{allocate, json};
use crate::error::{Error, Result, readable};
use crate::import::convert::{self, Person};
use crate::import::identities::credentials::Credentials;
use crate::import::identities::kratos::{self, Claim, Identity, Item, Known, Shape, Space};
use crate::import::identities::reader::{Fault, INVALID_VALUE, MISSING_VALUE};
use crate::import::identities::rows::{self, Key, Rows};
use crate::import::identities::run::{Rules, Run};
use crate::import::identities::schema::{Schema, Schemas};
use crate::import::identities::statements;
use crate::import::mapping::Mapping;
use crate::password;
use pgrx::prelude::*;
use pgrx::{IntoDatum, JsonB};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use uuid::Uuid;

/// Where the documents come from.
pub enum Source<'a> {
    /// One a row of a query, in its json or jsonb column of this name.
    Query { query: String, column: String },
    /// Rows of a query, of which a mapping makes documents.
    Rows { query: String, mapping: Rc<Mapping> },
    /// Those of an array.
    Array(&'a str),
    /// Those of the array "identities" in an object.
    Body(&'a str),
}

/// Documents, when no code of the caller's is needed any more to have them.
pub enum Documents<'a> {
    /// As texts, in the order of the source.
    Read(Store),
    /// Rows, as texts.
    Rows(Store, Rc<Mapping>),
    Array(&'a str),
    Body(&'a str),
}

impl<'a> Source<'a> {
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

    /// The query, if it has the columns that the mapping names.
    pub fn rows(query: String, mapping: Mapping) -> Result<Self> {
        let columns: Vec<String> = source::columns(&query)?.into_iter().map(|(name, _)| name).collect();
        mapping.check_columns(&columns)?;
        Ok(Source::Rows { query, mapping: Rc::new(mapping) })
    }

    /// Reads a query to its end, in the caller's name.
    pub fn read(&self) -> Result<Documents<'a>> {
        Ok(match self {
            Source::Query { query, column } => Documents::Read(source::read_column(query, column)?),
            Source::Rows { query, mapping } => {
                Documents::Rows(source::read_rows(query, &mapping.columns())?, mapping.clone())
            }
            Source::Array(text) => Documents::Array(text),
            Source::Body(text) => Documents::Body(text),
        })
    }
}

/// Documents that are held in memory at a time, about: their text, and their number.
const BATCH_BYTES: usize = 8 << 20;
const BATCH_ROWS: usize = 10_000;

#[derive(Default)]
struct Document {
    row: i64,
    path: String,
    text: Option<String>,
    /// What was found wrong with the row that it was to be made of, and what was left out of it.
    faults: Vec<Fault>,
    warnings: Vec<String>,
}

/// Documents on their way to be read, a batch at a time.
#[derive(Default)]
struct Pending {
    documents: Vec<Document>,
    bytes: usize,
}

impl Pending {
    /// Takes one more, and gives all of them back when they are a batch.
    fn push(&mut self, document: Document) -> Option<Vec<Document>> {
        self.bytes += document.text.as_ref().map_or(0, String::len);
        self.documents.push(document);
        if self.bytes < BATCH_BYTES && self.documents.len() < BATCH_ROWS {
            return None;
        }
        self.bytes = 0;
        Some(std::mem::take(&mut self.documents))
    }
}

impl Run<'_> {
    pub fn load(&mut self, documents: Documents) -> Result<()> {
        self.enter(Phase::Reading);
        let schemas = self.schemas()?;
        match documents {
            Documents::Read(texts) => self.load_texts(texts, &schemas, text_document)?,
            Documents::Rows(rows, mapping) => {
                self.load_texts(rows, &schemas, |row, text| mapped_document(row, &mapping, text))?
            }
            Documents::Array(text) => self.load_array(text, "", Shape::Any, &schemas)?,
            Documents::Body(text) => self.load_body(text, &schemas)?,
        }
        self.prepare_lookups()
    }

    fn schemas(&self) -> Result<Schemas> {
        if let Rules::Kratos { schemas, .. } = &self.place.rules {
            return Ok(schemas.clone());
        }
        let named: BTreeMap<String, Value> = query::kept_document(statements::SCHEMAS, &[self.key()])?;
        let parse = |(name, schema): (String, Value)| match Schema::parse(&schema) {
            Ok(schema) => Ok((name, schema)),
            Err(problem) => Err(unusable(&self.place.key, &name, problem)),
        };
        Ok(Schemas::new(named.into_iter().map(parse).collect::<Result<_>>()?))
    }

    fn load_texts(
        &mut self,
        mut texts: Store,
        schemas: &Schemas,
        document: impl Fn(i64, Option<String>) -> Result<Document>,
    ) -> Result<()> {
        let (mut row, mut pending) = (0, Pending::default());
        texts.each(|text| {
            row += 1;
            match pending.push(document(row, text.text(1)?)?) {
                Some(batch) => self.add(&batch, Shape::Any, schemas),
                None => Ok(()),
            }
        })?;
        self.add(&pending.documents, Shape::Any, schemas)
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
        let (mut row, mut pending) = (0, Pending::default());
        let mut outcome = Ok(());
        let mut add = |item: &RawValue| {
            row += 1;
            let path = format!("{prefix}/{}", row - 1);
            let document = Document { row, path, text: Some(allocate::text(item.get())?), ..Document::default() };
            match pending.push(document) {
                Some(batch) => self.add(&batch, shape, schemas),
                None => Ok(()),
            }
        };
        let read = each_item(&mut serde_json::Deserializer::from_str(text), |item| {
            outcome = add(item);
            outcome.clone()
        });
        outcome?;
        read.map_err(unreadable)?;
        self.add(&pending.documents, shape, schemas)
    }

    /// Reads documents, and keeps what they say.
    fn add(&mut self, documents: &[Document], shape: Shape, schemas: &Schemas) -> Result<()> {
        let kept = if self.updates() && schemas.are_named() { self.kept_schemas(documents)? } else { BTreeMap::new() };
        for document in documents {
            pgrx::check_for_interrupts!();
            json::ensure(document.text.as_deref().unwrap_or_default())?;
            let kratos = match self.place.rules {
                Rules::Store => None,
                Rules::Kratos { hashes, .. } => Some(hashes),
            };
            let known = Known { kratos, schemas, kept: kept.get(&document.row).map(String::as_str) };
            let item = match &document.text {
                Some(text) => kratos::read(text, &document.path, shape, known),
                None if document.faults.is_empty() => Some(nothing()),
                None => Some(Item { faults: document.faults.clone(), ..Item::default() }),
            };
            if let Some(mut item) = item {
                item.warnings.extend(document.warnings.iter().cloned());
                self.add_item(document.row, item)?;
            }
        }
        self.progress.rows_total = self.total;
        self.progress.publish();
        Ok(())
    }

    /// The identity schemas of the identities that are updated by documents which name none.
    fn kept_schemas(&self, documents: &[Document]) -> Result<BTreeMap<i64, String>> {
        let (mut rows, mut ids, mut external_ids) = (Vec::new(), Vec::new(), Vec::new());
        for document in documents {
            let Some((id, external_id)) = document.text.as_deref().and_then(kratos::unnamed_schema) else { continue };
            rows.push(document.row);
            ids.push(id.map(|id| id.to_string()));
            external_ids.push(external_id);
        }
        query::kept_document(&self.place.kept_schemas, &[self.key(), rows.into(), ids.into(), external_ids.into()])
    }

    fn add_item(&mut self, row: i64, mut item: Item) -> Result<()> {
        let rows = item.identity.rows.take();
        let has_identifier = rows.as_ref().map_or(item.identity.has_identifier(), Rows::has_identifier);
        if !has_identifier && item.faults.is_empty() && !self.updates() {
            item.warnings.push("the identity has no identifier".to_string());
        }
        if item.faults.is_empty()
            && let Some(credentials) = &mut item.identity.credentials
            && let Some(fault) = hash_password(credentials)?
        {
            item.faults.push(fault);
        }
        // Time-ordered (version 7), so that bulk inserts append to the indexes.
        let id = item.identity.id.unwrap_or_else(Uuid::now_v7);
        let claims = std::mem::take(&mut item.identity.claims);
        let mut aal = None;
        match rows {
            None => self.add_claims(row, id, claims),
            Some(rows) => {
                let credentials = item.identity.credentials.take().unwrap_or_default();
                aal = rows::assurance(&rows, Some(&credentials.configs));
                self.add_rows(row, id, claims, rows, credentials);
            }
        }
        if !item.faults.is_empty() {
            self.faulty.insert(row);
        }
        for (i, warning) in item.warnings.into_iter().enumerate() {
            self.stores.noted.add(|| [row.into_datum(), (i as i32).into_datum(), warning.into_datum()]);
        }
        for (i, fault) in item.faults.into_iter().enumerate() {
            self.stores.fault.add(|| fault_row(row, i, fault));
        }
        self.read.item.add(|| item_row(row, id, has_identifier, aal, item.patch_id, item.identity));
        self.total += 1;
        Ok(())
    }

    fn add_claims(&mut self, row: i64, id: Uuid, claims: Vec<Claim>) {
        let verified =
            |claim: &Claim| matches!(claim.space, Space::Verifiable(_) | Space::Recovery(_)) && claim.verified;
        let proved: BTreeSet<String> = claims.iter().filter(|c| verified(c)).map(|c| c.key.clone()).collect();
        for (i, claim) in claims.into_iter().enumerate() {
            let proved = proved.contains(&claim.key);
            self.read.claim.add(|| claim_row(row, i, claim, proved, id));
        }
    }
}

impl Run<'_> {
    /// What a Kratos database gets. Of the claims only those of the identity itself are the same.
    fn add_rows(&mut self, row: i64, id: Uuid, claims: Vec<Claim>, rows: Rows, mut credentials: Credentials) {
        let own = claims.into_iter().filter(|claim| matches!(claim.space, Space::Id | Space::ExternalId));
        let mut position = 0;
        for claim in own {
            self.read.claim.add(|| claim_row(row, position, claim, false, id));
            position += 1;
        }
        for key in rows.keys {
            self.read.claim.add(|| key_row(row, position, key, id));
            position += 1;
        }
        for credential in rows.credentials {
            let kind = credential.kind;
            let config = credentials.configs.remove(kind);
            let created_at = credentials.created_at.get(kind).map(|time| timestamptz(time));
            let own = rows::is_own(kind, credential.names);
            self.read.credential.add(|| {
                [
                    row.into_datum(),
                    uuid(Uuid::now_v7()),
                    uuid(id),
                    kind.into_datum(),
                    jsonb(config),
                    rows::version(kind).into_datum(),
                    created_at,
                    credential.names.into_datum(),
                    own.into_datum(),
                ]
            });
        }
    }
}

fn text_document(row: i64, text: Option<String>) -> Result<Document> {
    Ok(Document { row, text, ..Document::default() })
}

/// The document that a mapping makes of a row.
fn mapped_document(row: i64, mapping: &Mapping, text: Option<String>) -> Result<Document> {
    let text = text.unwrap_or_default();
    json::ensure(&text)?;
    let mut person = convert::read_row(mapping, &text);
    let (omitted, faults): (Vec<_>, Vec<_>) =
        std::mem::take(&mut person.faults).into_iter().partition(|fault| fault.omitted);
    let fault = |fault: convert::Fault| Fault {
        path: format!("/{}", fault.field),
        sqlstate: fault.sqlstate,
        message: fault.reason,
        identifier: None,
    };
    Ok(Document {
        row,
        path: String::new(),
        text: faults.is_empty().then(|| document_of(person, mapping).to_string()),
        faults: faults.into_iter().map(fault).collect(),
        warnings: omitted.into_iter().map(|fault| format!("{} {}: left out", fault.field, fault.reason)).collect(),
    })
}

/// What a row says, in the form of the documents. What is not mapped is not in it: so an update leaves it as it is. The traits are one whole.
fn document_of(person: Person, mapping: &Mapping) -> Value {
    let logins = [("username", person.username), ("email", person.email), ("phone", person.phone)];
    let verified = [("email", "email", person.email_verified), ("phone", "sms", person.phone_verified)];
    let mut traits = person.traits;
    traits.extend(logins.into_iter().filter_map(|(name, login)| Some((name.to_string(), login?.value.into()))));
    traits.extend(person.display_name.map(|name| ("display_name".to_string(), name.into())));
    let addresses: Vec<Value> = verified
        .into_iter()
        .filter(|(.., verified)| *verified)
        .filter_map(|(name, via, _)| {
            Some(json!({"value": traits.get(name)?, "via": via, "verified": true, "status": "completed"}))
        })
        .collect();
    let mut document = Map::new();
    let mut set = |name: &str, value: Option<Value>| document.extend(value.map(|value| (name.to_string(), value)));
    set("id", person.id.map(Value::from));
    set("external_id", person.original_id.map(Value::from));
    set("state", mapping.entry("active").map(|_| if person.active { "active" } else { "inactive" }.into()));
    set("created_at", person.registered_at.map(|time| convert::timestamp(time).into()));
    set("verifiable_addresses", (!addresses.is_empty()).then_some(addresses.into()));
    let credentials = |hash: String| json!({"password": {"config": {"hashed_password": hash}}});
    set("credentials", person.password_hash.map(credentials));
    set("traits", mapping.has_traits().then_some(Value::Object(traits)));
    Value::Object(document)
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

/// A schema was checked when it was stored. It is another one now, or other rules hold: to go on without it would be to know no login names of
/// identities that have it.
fn unusable(realm: &str, schema_id: &str, problem: String) -> Error {
    Error::new("22023", format!("identity schema \"{schema_id}\" of realm \"{realm}\" cannot be used"))
        .detail(format!("{}.", readable(problem)))
        .hint("Store one that can be used with identity.set_identity_schema().")
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
    credentials.configs.insert("password".to_string(), json!({"hashed_password": hash}));
    Ok(None)
}

type Row = Vec<Option<pg_sys::Datum>>;

fn uuid(id: Uuid) -> Option<pg_sys::Datum> {
    pgrx::Uuid::from_bytes(id.into_bytes()).into_datum()
}

fn jsonb(value: Option<Value>) -> Option<pg_sys::Datum> {
    value.map(JsonB).into_datum()
}

fn item_row(
    row: i64,
    id: Uuid,
    has_identifier: bool,
    aal: Option<&str>,
    patch_id: Option<String>,
    identity: Identity,
) -> Row {
    vec![
        row.into_datum(),
        patch_id.into_datum(),
        identity.path.into_datum(),
        identity.id.and_then(uuid),
        uuid(id),
        identity.external_id.into_datum(),
        identity.schema_id.into_datum(),
        identity.state.into_datum(),
        jsonb(identity.traits),
        jsonb(identity.metadata_public),
        jsonb(identity.metadata_admin),
        identity.organization_id.and_then(uuid),
        jsonb(identity.credentials.map(Credentials::into_json)),
        has_identifier.into_datum(),
        identity.has_verifiable.into_datum(),
        identity.has_recovery.into_datum(),
        identity.has_names.into_datum(),
        identity.created_at.as_deref().map(timestamptz),
        identity.updated_at.as_deref().map(timestamptz),
        identity.state_changed_at.as_deref().map(timestamptz),
        aal.into_datum(),
        None,
    ]
}

fn key_row(row: i64, position: usize, key: Key, id: Uuid) -> Row {
    let (space, role, via) = match key.space {
        rows::Space::Login(kind) => ("identifier", kind, None),
        rows::Space::Verifiable(via) => ("address", "verifiable", Some(via.name())),
        rows::Space::Recovery(via) => ("address", "recovery", Some(via.name())),
    };
    vec![
        row.into_datum(),
        (position as i32).into_datum(),
        space.into_datum(),
        role.into_datum(),
        via.into_datum(),
        key.space.kind().into_datum(),
        key.key.into_datum(),
        key.value.into_datum(),
        key.path.into_datum(),
        key.verified.into_datum(),
        key.status.into_datum(),
        key.verified_at.as_deref().map(timestamptz),
        false.into_datum(),
        uuid(id),
        None,
    ]
}

fn claim_row(row: i64, position: usize, claim: Claim, proved: bool, id: Uuid) -> Row {
    let (space, role, via) = match claim.space {
        Space::Identifier(_) => ("identifier", None, None),
        Space::Id => ("id", None, None),
        Space::ExternalId => ("external_id", None, None),
        Space::Verifiable(via) => ("address", Some("verifiable"), Some(via.name())),
        Space::Recovery(via) => ("address", Some("recovery"), Some(via.name())),
    };
    vec![
        row.into_datum(),
        (position as i32).into_datum(),
        space.into_datum(),
        role.into_datum(),
        via.into_datum(),
        claim.space.kind().into_datum(),
        claim.key.into_datum(),
        claim.value.into_datum(),
        claim.path.into_datum(),
        claim.verified.into_datum(),
        claim.status.into_datum(),
        claim.verified_at.as_deref().map(timestamptz),
        proved.into_datum(),
        uuid(id),
        None,
    ]
}

/// Faults come before conflicts in the report, in the order in which they were met.
fn fault_row(row: i64, position: usize, fault: Fault) -> Row {
    let (kind, value) = fault.identifier.map_or((None, None), |(kind, value)| (Some(kind), Some(value)));
    vec![
        row.into_datum(),
        (position as i32 - 1_000_000).into_datum(),
        "invalid".into_datum(),
        kind.into_datum(),
        value.into_datum(),
        None,
        None,
        fault.path.into_datum(),
        fault.sqlstate.into_datum(),
        fault.message.into_datum(),
    ]
}
