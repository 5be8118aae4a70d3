//! What a run keeps: the identities of its source with what they claim, and what is found out about them. Statements see each store under its name.

use crate::db::store::Store;
use crate::error::Result;
use pgrx::pg_sys::{BOOLOID, INT4OID, INT8OID, JSONBOID, Oid, TEXTOID, TIMESTAMPTZOID, UUIDOID};

/// Identities of the source, all or some: an item each, in the order of the source, and the keys that it claims.
pub struct Items {
    pub item: Store,
    pub claim: Store,
    /// Only for a Kratos database, where a credential is a row with an id of its own.
    pub credential: Store,
}

impl Items {
    pub fn new() -> Self {
        Items { item: Store::by_byte(&ITEM), claim: Store::by_byte(&CLAIM), credential: Store::by_byte(&CREDENTIAL) }
    }

    pub fn all(&self) -> [(&'static str, &Store); 3] {
        [("item", &self.item), ("claim", &self.claim), ("credential", &self.credential)]
    }

    /// The number of the first.
    pub fn first(&mut self) -> Result<i64> {
        let mut first = None;
        self.item.each(|row| {
            first = first.or(Some(row.number(1)));
            Ok(())
        })?;
        Ok(first.unwrap_or(0))
    }

    /// Those whose number is wanted.
    pub fn select(&mut self, wanted: impl Fn(i64) -> bool) -> Items {
        let mut some = Items::new();
        let pairs = [
            (&mut self.item, &mut some.item),
            (&mut self.claim, &mut some.claim),
            (&mut self.credential, &mut some.credential),
        ];
        for (from, to) in pairs {
            from.rewind();
            from.copy_to(i64::MAX, to, &wanted);
        }
        some
    }
}

const ITEM: [(&str, Oid); 22] = [
    ("rn", INT8OID),
    ("patch_id", TEXTOID),
    ("path", TEXTOID),
    ("given_id", UUIDOID),
    ("id", UUIDOID),
    ("external_id", TEXTOID),
    ("schema_id", TEXTOID),
    ("state", TEXTOID),
    ("traits", JSONBOID),
    ("metadata_public", JSONBOID),
    ("metadata_admin", JSONBOID),
    ("organization_id", UUIDOID),
    ("credentials", JSONBOID),
    ("has_identifier", BOOLOID),
    ("has_verifiable", BOOLOID),
    ("has_recovery", BOOLOID),
    ("has_names", BOOLOID),
    ("created_at", TIMESTAMPTZOID),
    ("updated_at", TIMESTAMPTZOID),
    ("state_changed_at", TIMESTAMPTZOID),
    ("aal", TEXTOID),
    ("target", UUIDOID),
];

/// `names`: the document has its identifiers, which are claims. `own`: its identifier is the identity's id.
const CREDENTIAL: [(&str, Oid); 9] = [
    ("rn", INT8OID),
    ("id", UUIDOID),
    ("identity_id", UUIDOID),
    ("type", TEXTOID),
    ("config", JSONBOID),
    ("version", INT4OID),
    ("created_at", TIMESTAMPTZOID),
    ("names", BOOLOID),
    ("own", BOOLOID),
];

/// Of two claims with equal space, role, via and key only one can be met. `proved`: the identity has the key as a verified address.
const CLAIM: [(&str, Oid); 15] = [
    ("rn", INT8OID),
    ("ord", INT4OID),
    ("space", TEXTOID),
    ("role", TEXTOID),
    ("via", TEXTOID),
    ("kind", TEXTOID),
    ("key", TEXTOID),
    ("value", TEXTOID),
    ("path", TEXTOID),
    ("verified", BOOLOID),
    ("status", TEXTOID),
    ("verified_at", TIMESTAMPTZOID),
    ("proved", BOOLOID),
    ("id", UUIDOID),
    ("target", UUIDOID),
];

const PROBLEM: [(&str, Oid); 10] = [
    ("rn", INT8OID),
    ("ord", INT4OID),
    ("status", TEXTOID),
    ("kind", TEXTOID),
    ("value", TEXTOID),
    ("existing", UUIDOID),
    ("winner", INT8OID),
    ("path", TEXTOID),
    ("sqlstate", TEXTOID),
    ("message", TEXTOID),
];

/// Those of an item are told in the order of their places.
const WARNING: [(&str, Oid); 3] = [("rn", INT8OID), ("place", INT4OID), ("warning", TEXTOID)];

const CONFLICT: [(&str, Oid); 12] = [
    ("rn", INT8OID),
    ("ord", INT4OID),
    ("space", TEXTOID),
    ("role", TEXTOID),
    ("via", TEXTOID),
    ("key", TEXTOID),
    ("kind", TEXTOID),
    ("value", TEXTOID),
    ("holder_kind", TEXTOID),
    ("existing", UUIDOID),
    ("path", TEXTOID),
    ("message", TEXTOID),
];

pub struct Stores {
    /// What is wrong with the documents themselves.
    pub fault: Store,
    /// What the store refused of items, for reasons of its own.
    pub refusal: Store,
    /// What there is to say of documents of which nothing is wrong.
    pub noted: Store,
    pub found: Found,
}

/// What one decision has found.
pub struct Found {
    /// In mode update: which identity each item updates.
    pub target: Store,
    /// Keys that identities of the store hold.
    pub conflict: Store,
    /// Claims that rows of the source dispute.
    pub contest: Store,
    /// Claims that were lost to another row of the source.
    pub loss: Store,
    /// Conflicts that are none, since a row of the source gives up the key.
    pub freed: Store,
    /// All that is wrong with items.
    pub problem: Store,
    /// What there is to say of items that went in.
    pub warning: Store,
}

impl Stores {
    pub fn new() -> Self {
        Stores {
            fault: Store::by_byte(&PROBLEM),
            refusal: Store::by_byte(&PROBLEM),
            noted: Store::by_byte(&WARNING),
            found: Found::new(),
        }
    }

    /// Whether anything has been found that is wrong with an item.
    pub fn has_problems(&self) -> bool {
        let Found { conflict, loss, .. } = &self.found;
        [&self.fault, &self.refusal, conflict, loss].iter().any(|store| !store.is_empty())
    }

    pub fn all(&self) -> [(&'static str, &Store); 10] {
        let found = &self.found;
        [
            ("fault", &self.fault),
            ("refusal", &self.refusal),
            ("target", &found.target),
            ("noted", &self.noted),
            ("conflict", &found.conflict),
            ("contest", &found.contest),
            ("loss", &found.loss),
            ("freed", &found.freed),
            ("problem", &found.problem),
            ("warning", &found.warning),
        ]
    }
}

impl Found {
    pub fn new() -> Self {
        Found {
            target: Store::by_byte(&[("rn", INT8OID), ("id", UUIDOID)]),
            conflict: Store::by_byte(&CONFLICT),
            contest: Store::by_byte(&[("rn", INT8OID), ("ord", INT4OID), ("slot", INT8OID), ("role", INT4OID)]),
            loss: Store::by_byte(&[("rn", INT8OID), ("ord", INT4OID), ("winner", INT8OID)]),
            freed: Store::by_byte(&[("rn", INT8OID), ("ord", INT4OID)]),
            problem: Store::by_byte(&PROBLEM),
            warning: Store::by_byte(&WARNING),
        }
    }
}
