//! The JSON shape of Ory Kratos' `PATCH /admin/identities`: from a document to an identity, or to what is wrong with it.
//! No SQL is run here.

use crate::db::json;
use crate::identifier::{self, Kind};
use crate::import::identities::credentials::{self, Credentials};
use crate::import::identities::reader::{Fault, INVALID_VALUE, Reader, TOO_LONG, WRONG_TYPE, child};
use crate::import::identities::rows::{self, Rows};
use crate::import::identities::schema::{Schema, Schemas, Step, Via};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Which of an item's shapes a document may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{"patch_id": …, "create": {…}}`, as in Kratos' request.
    Item,
    /// That, or what stands in `create` by itself.
    Any,
}

/// A key that an identity wants to hold alone in its realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub space: Space,
    pub value: String,
    pub key: String,
    pub path: String,
    /// Of an address. One that comes from a trait has no status of its own.
    pub verified: bool,
    pub status: Option<&'static str>,
    pub verified_at: Option<String>,
}

impl Claim {
    fn new(space: Space, value: &str, key: String, path: &str) -> Self {
        let (value, path) = (value.to_string(), path.to_string());
        Claim { space, value, key, path, verified: false, status: None, verified_at: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    Identifier(Kind),
    Id,
    ExternalId,
    Verifiable(Via),
    Recovery(Via),
}

impl Space {
    /// As the report names it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Identifier(kind) => kind.name(),
            Self::Id => "id",
            Self::ExternalId => "external_id",
            Self::Verifiable(_) => "verifiable_address",
            Self::Recovery(_) => "recovery_address",
        }
    }

    /// As messages name it.
    fn noun(self) -> &'static str {
        match self {
            Self::Identifier(Kind::Oidc) => "oidc subject",
            Self::Identifier(Kind::Saml) => "saml subject",
            Self::Verifiable(_) => "verifiable address",
            Self::Recovery(_) => "recovery address",
            other => other.kind(),
        }
    }
}

/// An identity as a document describes it. What is `None` the document does not say.
#[derive(Default)]
pub struct Identity {
    /// Where it stands in the document.
    pub path: String,
    pub id: Option<Uuid>,
    pub external_id: Option<String>,
    pub schema_id: Option<String>,
    pub state: Option<&'static str>,
    pub traits: Option<Value>,
    pub metadata_public: Option<Value>,
    pub metadata_admin: Option<Value>,
    pub organization_id: Option<Uuid>,
    pub credentials: Option<Credentials>,
    pub claims: Vec<Claim>,
    pub has_verifiable: bool,
    pub has_recovery: bool,
    /// Whether the document says the names of which its traits have some.
    pub has_names: bool,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub state_changed_at: Option<String>,
    /// For a Kratos database.
    pub rows: Option<Rows>,
}

impl Identity {
    pub fn has_identifier(&self) -> bool {
        self.claims.iter().any(|claim| matches!(claim.space, Space::Identifier(_)))
    }
}

/// One item of a request.
#[derive(Default)]
pub struct Item {
    pub patch_id: Option<String>,
    pub identity: Identity,
    /// Empty: it is valid, as far as a document tells.
    pub faults: Vec<Fault>,
    /// What whoever imports it should know if it goes in.
    pub warnings: Vec<String>,
}

/// Of Ory Network, where identities are kept. It has no effect elsewhere.
const REGIONS: [&str; 8] = ["eu-central", "asia-northeast", "us-east", "us-west", "eu", "asia", "us", "global"];

const FIELDS: [&str; 16] = [
    "id",
    "schema_id",
    "traits",
    "state",
    "external_id",
    "organization_id",
    "metadata_public",
    "metadata_admin",
    "verifiable_addresses",
    "recovery_addresses",
    "credentials",
    "region",
    "created_at",
    "updated_at",
    "state_changed_at",
    // Where Kratos serves the identity's schema.
    "schema_url",
];

/// What is known of identity schemas before a document is read.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Where the document goes to a Kratos database: what becomes of hashes that it cannot read.
    pub kratos: Option<Hashes>,
    pub schemas: &'a Schemas,
    /// That of the identity which the document updates, if it does not name one.
    pub kept: Option<&'a str>,
}

/// What becomes of a password whose hash Kratos cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hashes {
    /// It is a fault.
    Report,
    /// Kratos asks its migration hook at the next login.
    Hook,
}

/// The id and the external_id of a document that has one of them, and no schema_id.
pub fn unnamed_schema(text: &str) -> Option<(Option<Uuid>, Option<String>)> {
    if text.len() > json::MOST_BYTES {
        return None;
    }
    let document = serde_json::from_str::<Value>(text).ok()?;
    let body = document.get("create").unwrap_or(&document);
    let text = |name| body.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let (id, external_id) = (text("id").and_then(|id| Uuid::parse_str(id).ok()), text("external_id"));
    let found = text("schema_id").is_none() && (id.is_some() || external_id.is_some());
    found.then(|| (id, external_id.map(str::to_string)))
}

/// Reads one document. `None`: it asks for nothing (`create` is null).
pub fn read(text: &str, path: &str, shape: Shape, known: Known) -> Option<Item> {
    let mut reader = Reader::default();
    let mut item = Item::default();
    if let Some(document) = reader.parse(text, path) {
        item = read_item(&mut reader, &document, path, shape, known)?;
    }
    item.faults = reader.faults;
    item.warnings = reader.warnings;
    Some(item)
}

fn read_item(reader: &mut Reader, document: &Value, path: &str, shape: Shape, known: Known) -> Option<Item> {
    let mut item = Item::default();
    let Some(object) = reader.object(document, path) else { return Some(item) };
    if shape == Shape::Any && !object.contains_key("create") && !object.contains_key("patch_id") {
        item.identity = read_identity(reader, object, path, known);
        return Some(item);
    }
    reader.only(object, path, &["patch_id", "create"]);
    item.patch_id = reader.text(object, "patch_id", path).map(str::to_string);
    match object.get("create") {
        None | Some(Value::Null) if reader.faults.is_empty() => return None,
        None | Some(Value::Null) => {}
        Some(body) => {
            let path = child(path, "create");
            if let Some(body) = reader.object(body, &path) {
                item.identity = read_identity(reader, body, &path, known);
            }
        }
    }
    Some(item)
}

fn read_identity(reader: &mut Reader, body: &Map<String, Value>, path: &str, known: Known) -> Identity {
    reader.only(body, path, &FIELDS);
    reader.choice(body, "region", path, &REGIONS);
    reader.text(body, "schema_url", path);
    let mut identity = Identity {
        path: path.to_string(),
        id: reader.uuid(body, "id", path),
        external_id: reader.text(body, "external_id", path).filter(|t| !t.is_empty()).map(str::to_string),
        schema_id: reader.text(body, "schema_id", path).filter(|t| !t.is_empty()).map(str::to_string),
        state: reader.choice(body, "state", path, &["active", "inactive"]),
        metadata_public: body.get("metadata_public").cloned(),
        metadata_admin: body.get("metadata_admin").cloned(),
        organization_id: reader.uuid(body, "organization_id", path),
        created_at: reader.time(body, "created_at", path),
        updated_at: reader.time(body, "updated_at", path),
        state_changed_at: reader.time(body, "state_changed_at", path),
        ..Identity::default()
    };
    claim_ids(reader, &mut identity, path);
    let mut names = None;
    if let Some(value) = body.get("credentials").filter(|v| !v.is_null()) {
        let path = child(path, "credentials");
        (identity.credentials, names) = credentials::read(reader, value, &path, &mut identity.claims);
    }
    read_addresses(reader, body, path, &mut identity);
    let schema = known.schemas.get(identity.schema_id.as_deref().or(known.kept));
    if schema.is_none() {
        reader.fault(
            child(path, "schema_id"),
            INVALID_VALUE,
            if known.kratos.is_some() {
                "schemas has no identity schema of this name"
            } else {
                "the realm has no identity schema of this name"
            },
        );
    }
    let keys = names.as_deref().map(keys_of);
    read_traits(reader, body, path, schema, keys.as_ref(), &mut identity);
    identity.has_names = names.is_some() || identity.traits.is_some();
    for (name, path) in names.unwrap_or_default() {
        claim_identifier(reader, credentials::kind_of(&name), &name, &path, &mut identity.claims);
    }
    settle_claims(&mut identity.claims);
    if let Some(hashes) = known.kratos {
        // What the store would refuse as an identifier Kratos may take.
        reader.faults.retain(|fault| fault.identifier.is_none());
        let named = known.schemas.are_named();
        identity.rows =
            Some(rows::read(reader, body, path, schema.map(|schema| (schema, named)), hashes, &mut identity));
    }
    identity
}

/// What login names are compared by.
fn keys_of(names: &[(String, String)]) -> BTreeSet<String> {
    names.iter().map(|(name, _)| identifier::key(credentials::kind_of(name), name)).collect()
}

fn claim_ids(reader: &mut Reader, identity: &mut Identity, path: &str) {
    let mut claim = |space, value: String, field: &str| {
        identity.claims.push(Claim::new(space, &value, value.clone(), &child(path, field)));
    };
    if let Some(id) = identity.id {
        claim(Space::Id, id.to_string(), "id");
    }
    if let Some(external_id) = &identity.external_id {
        if external_id.len() > identifier::LENGTH_MAX {
            reader.fault(child(path, "external_id"), TOO_LONG, too_long(external_id.len()));
        }
        claim(Space::ExternalId, external_id.clone(), "external_id");
    }
}

fn too_long(bytes: usize) -> String {
    format!("is longer than {} bytes: {bytes}", identifier::LENGTH_MAX)
}

/// Where the document has names, with these keys, a trait is no other one.
fn read_traits(
    reader: &mut Reader,
    body: &Map<String, Value>,
    path: &str,
    schema: Option<&Schema>,
    names: Option<&BTreeSet<String>>,
    identity: &mut Identity,
) {
    let Some(traits) = body.get("traits").filter(|v| !v.is_null()) else { return };
    let path = child(path, "traits");
    if reader.object(traits, &path).is_none() {
        return;
    }
    for role in schema.map_or(&[][..], |s| &s.roles) {
        let spaces = [role.verification.map(Space::Verifiable), role.recovery.map(Space::Recovery)];
        spaces.into_iter().flatten().for_each(|space| replaces(identity, space));
        for (path, value) in values(traits, &role.path, &path) {
            let Some(text) = trait_text(reader, value, &path) else { continue };
            // What is wrong with it as an identifier is not said again of the address.
            let named = |kind: &Kind| names.is_none_or(|keys| keys.contains(&identifier::key(*kind, text)));
            if let Some(kind) = role.identifier.filter(named)
                && !claim_identifier(reader, kind, text, &path, &mut identity.claims)
            {
                continue;
            }
            for space in spaces.into_iter().flatten() {
                claim_address(reader, space, text, &path, &mut identity.claims);
            }
        }
    }
    identity.traits = Some(traits.clone());
}

/// An empty or absent trait is none, as in Kratos.
pub fn trait_text<'v>(reader: &mut Reader, value: &'v Value, path: &str) -> Option<&'v str> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.as_str()).filter(|text| !text.trim().is_empty()),
        _ => {
            reader.fault(path, WRONG_TYPE, "is an identifier or an address, and not a text");
            None
        }
    }
}

/// The values at a path of steps, each with its own path.
pub fn values<'v>(value: &'v Value, steps: &[Step], path: &str) -> Vec<(String, &'v Value)> {
    let Some((step, rest)) = steps.split_first() else { return vec![(path.to_string(), value)] };
    match step {
        Step::Property(name) => value.get(name).map_or(vec![], |member| values(member, rest, &child(path, name))),
        Step::Items => {
            let items = value.as_array().map_or(&[][..], Vec::as_slice).iter().enumerate();
            items.flat_map(|(i, item)| values(item, rest, &format!("{path}/{i}"))).collect()
        }
    }
}

/// Whether it can be one.
pub fn claim_identifier(reader: &mut Reader, kind: Kind, value: &str, path: &str, claims: &mut Vec<Claim>) -> bool {
    claim(reader, Space::Identifier(kind), kind, value, path, claims)
}

fn claim_address(reader: &mut Reader, space: Space, value: &str, path: &str, claims: &mut Vec<Claim>) -> bool {
    let (Space::Verifiable(via) | Space::Recovery(via)) = space else { return false };
    claim(reader, space, via.kind(), value, path, claims)
}

/// An update replaces the addresses of a role that its document has, by itself or in its traits.
fn replaces(identity: &mut Identity, space: Space) {
    match space {
        Space::Verifiable(_) => identity.has_verifiable = true,
        Space::Recovery(_) => identity.has_recovery = true,
        _ => {}
    }
}

fn claim(reader: &mut Reader, space: Space, kind: Kind, value: &str, path: &str, claims: &mut Vec<Claim>) -> bool {
    if let Err(problem) = identifier::check(kind, value) {
        let sqlstate = if value.len() > identifier::LENGTH_MAX { TOO_LONG } else { INVALID_VALUE };
        let message = format!("the {} {problem}", space.noun());
        let shown = value.chars().take(SHOWN).collect();
        reader.faults.push(Fault { path: path.into(), sqlstate, message, identifier: Some((space.kind(), shown)) });
        return false;
    }
    let key = identifier::key(kind, value);
    claims.push(Claim::new(space, value, key, path));
    true
}

/// Characters of a bad identifier that a report shows.
pub const SHOWN: usize = 100;

fn read_addresses(reader: &mut Reader, body: &Map<String, Value>, path: &str, identity: &mut Identity) {
    if let Some(addresses) = reader.array(body, "verifiable_addresses", path) {
        identity.has_verifiable = true;
        let path = child(path, "verifiable_addresses");
        for (i, address) in addresses.iter().enumerate() {
            read_address(reader, address, &format!("{path}/{i}"), true, &mut identity.claims);
        }
    }
    if let Some(addresses) = reader.array(body, "recovery_addresses", path) {
        identity.has_recovery = true;
        let path = child(path, "recovery_addresses");
        for (i, address) in addresses.iter().enumerate() {
            read_address(reader, address, &format!("{path}/{i}"), false, &mut identity.claims);
        }
    }
}

/// What addresses have in Kratos, and in whatever is made from its types.
const VERIFIABLE: [&str; 8] = ["id", "value", "verified", "via", "status", "verified_at", "created_at", "updated_at"];
const RECOVERY: [&str; 6] = ["id", "value", "via", "break_glass_for_organization", "created_at", "updated_at"];

fn read_address(reader: &mut Reader, address: &Value, path: &str, verifiable: bool, claims: &mut Vec<Claim>) {
    let Some(object) = reader.object(address, path) else { return };
    reader.only(object, path, if verifiable { &VERIFIABLE } else { &RECOVERY });
    check_unkept(reader, object, path);
    let value = reader.required(object, "value", path);
    let before = reader.faults.len();
    // One that is absent or empty is an e-mail address, as in Kratos.
    let via =
        reader.choice(object, "via", path, &["email", "sms"]).or((reader.faults.len() == before).then_some("email"));
    let verified = verifiable && reader.boolean(object, "verified", path).unwrap_or(false);
    let verified_at = if verifiable { reader.time(object, "verified_at", path) } else { None };
    let status =
        if verifiable { reader.choice(object, "status", path, &["pending", "sent", "completed"]) } else { None };
    let (Some(value), Some(via)) = (value, via.and_then(Via::parse)) else { return };
    let space = if verifiable { Space::Verifiable(via) } else { Space::Recovery(via) };
    if claim_address(reader, space, value, &child(path, "value"), claims)
        && let Some(claim) = claims.last_mut()
    {
        claim.verified = verified;
        claim.verified_at = verified_at;
        claim.status = status.or(Some(if verified { "completed" } else { "pending" }));
    }
}

/// What an address has only in Kratos' own tables.
fn check_unkept(reader: &mut Reader, address: &Map<String, Value>, path: &str) {
    reader.uuid(address, "id", path);
    if reader.uuid(address, "break_glass_for_organization", path).is_some() {
        reader.warn("break_glass_for_organization of a recovery address is not kept");
    }
    reader.time(address, "created_at", path);
    reader.time(address, "updated_at", path);
}

/// An identity that names a key twice holds it once: as the kind that says most of it, an address as it came first.
fn settle_claims(claims: &mut Vec<Claim>) {
    let rank = |claim: &Claim| match claim.space {
        Space::Identifier(Kind::Email) => 0,
        Space::Identifier(Kind::Phone) => 1,
        Space::Identifier(Kind::Oidc) => 2,
        Space::Identifier(Kind::Saml) => 3,
        Space::Identifier(Kind::Passkey) => 4,
        _ => 5,
    };
    claims.sort_by_key(rank);
    let mut seen = BTreeSet::new();
    claims.retain(|claim| {
        let space = match claim.space {
            Space::Identifier(_) => None,
            other => Some(other),
        };
        seen.insert((space, claim.key.clone()))
    });
}
