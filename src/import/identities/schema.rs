//! Identity schemas of Ory Kratos: which traits are identifiers, and which are addresses. No SQL is run here.
//!
//! Of a JSON Schema only the extension "ory.sh/kratos" below `properties.traits` is read, through `properties` and `items`:
//! `credentials.….identifier: true`, `verification.via`, `recovery.via`.

use crate::identifier::Kind;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The channel of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    Email,
    Sms,
}

impl Via {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "email" => Some(Self::Email),
            // Kratos once called it so.
            "sms" | "phone" => Some(Self::Sms),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    /// The kind of identifier by whose rules such an address is compared.
    pub fn kind(self) -> Kind {
        match self {
            Self::Email => Kind::Email,
            Self::Sms => Kind::Phone,
        }
    }
}

/// What a trait is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub path: Vec<Step>,
    pub identifier: Option<Kind>,
    pub verification: Option<Via>,
    pub recovery: Option<Via>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Property(String),
    Items,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    pub roles: Vec<Role>,
}

impl Default for Schema {
    /// Without a schema the traits email, phone and username are identifiers.
    fn default() -> Self {
        let role = |(name, kind): (&str, Kind)| Role {
            path: vec![Step::Property(name.to_string())],
            identifier: Some(kind),
            verification: None,
            recovery: None,
        };
        let kinds = [("email", Kind::Email), ("phone", Kind::Phone), ("username", Kind::Username)];
        Schema { roles: kinds.map(role).to_vec() }
    }
}

impl Schema {
    pub fn parse(schema: &Value) -> Result<Self, String> {
        let traits = schema.pointer("/properties/traits").ok_or("it has no properties.traits")?;
        let mut roles = Vec::new();
        collect(traits, &mut Vec::new(), &mut roles)?;
        if roles.iter().all(|role| role.identifier.is_none()) {
            return Err("no trait is an identifier: none has \"ory.sh/kratos\": {\"credentials\": {\"password\": \
                        {\"identifier\": true}}}"
                .to_string());
        }
        Ok(Schema { roles })
    }
}

fn collect(node: &Value, path: &mut Vec<Step>, roles: &mut Vec<Role>) -> Result<(), String> {
    if let Some(extension) = node.get("ory.sh/kratos") {
        roles.extend(role(node, extension, path)?);
    }
    if let Some(properties) = node.get("properties").and_then(Value::as_object) {
        for (name, property) in properties {
            path.push(Step::Property(name.clone()));
            collect(property, path, roles)?;
            path.pop();
        }
    }
    if let Some(items) = node.get("items") {
        path.push(Step::Items);
        collect(items, path, roles)?;
        path.pop();
    }
    Ok(())
}

fn role(node: &Value, extension: &Value, path: &[Step]) -> Result<Option<Role>, String> {
    let extension = extension.as_object().ok_or("\"ory.sh/kratos\" is not an object")?;
    let role = Role {
        path: path.to_vec(),
        identifier: is_identifier(extension).then(|| kind(node, path)),
        verification: channel(extension, "verification")?,
        recovery: channel(extension, "recovery")?,
    };
    Ok((role.identifier.is_some() || role.verification.is_some() || role.recovery.is_some()).then_some(role))
}

fn is_identifier(extension: &Map<String, Value>) -> bool {
    let credentials = extension.get("credentials").and_then(Value::as_object);
    credentials.is_some_and(|all| all.values().any(|c| c.get("identifier") == Some(&Value::Bool(true))))
}

fn channel(extension: &Map<String, Value>, purpose: &str) -> Result<Option<Via>, String> {
    let Some(via) = extension.get(purpose).and_then(|p| p.get("via")) else { return Ok(None) };
    let via = via.as_str().and_then(Via::parse);
    via.map(Some).ok_or_else(|| format!("{purpose}.via is neither \"email\" nor \"sms\""))
}

/// Kratos's schema does not tell the kind of an identifier: its format does, else its name.
fn kind(node: &Value, path: &[Step]) -> Kind {
    let name = path.iter().rev().find_map(|step| match step {
        Step::Property(name) => Some(name.to_lowercase()),
        Step::Items => None,
    });
    let named = |what: &str| name.as_deref().is_some_and(|n| n.contains(what));
    match node.get("format").and_then(Value::as_str) {
        Some("email" | "idn-email") => Kind::Email,
        Some("tel") => Kind::Phone,
        _ if named("mail") => Kind::Email,
        _ if named("phone") || named("mobile") => Kind::Phone,
        _ => Kind::Username,
    }
}

/// The identity schemas of a realm.
#[derive(Debug, Default)]
pub struct Schemas {
    named: BTreeMap<String, Schema>,
    built_in: Schema,
}

impl Schemas {
    pub fn new(named: BTreeMap<String, Schema>) -> Self {
        Schemas { named, built_in: Schema::default() }
    }

    pub fn are_named(&self) -> bool {
        !self.named.is_empty()
    }

    /// The schema of an identity; none where the realm has schemas, and not this one.
    pub fn get(&self, schema_id: Option<&str>) -> Option<&Schema> {
        match self.named.get(schema_id.unwrap_or("default")) {
            None if self.named.is_empty() || schema_id.is_none() => Some(&self.built_in),
            found => found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn identifier() -> Value {
        json!({"credentials": {"password": {"identifier": true}}, "verification": {"via": "email"}})
    }

    #[test]
    fn identifiers_are_found_at_any_depth() {
        let schema = json!({"properties": {"traits": {"type": "object", "properties": {
            "contact": {"type": "object", "properties": {"email": {"type": "string", "ory.sh/kratos": identifier()}}},
            "aliases": {"type": "array", "items": {"type": "string", "ory.sh/kratos": {"credentials": {"code": {"identifier": true}}}}},
            "name": {"type": "string"}}}}});
        let schema = Schema::parse(&schema).unwrap();
        let found: Vec<_> = schema.roles.iter().map(|r| (r.path.len(), r.identifier, r.verification)).collect();
        assert_eq!(found, [(2, Some(Kind::Username), None), (2, Some(Kind::Email), Some(Via::Email))]);
    }

    #[test]
    fn a_schema_without_an_identifier_is_none() {
        assert!(Schema::parse(&json!({"properties": {"traits": {"properties": {"email": {}}}}})).is_err());
        assert!(Schema::parse(&json!({})).is_err());
        let via = json!({"properties": {"traits": {"properties": {"email": {"ory.sh/kratos": {"recovery": {"via": "owl"}}}}}}});
        assert_eq!(Schema::parse(&via).unwrap_err(), "recovery.via is neither \"email\" nor \"sms\"");
    }

    #[test]
    fn a_realm_with_schemas_knows_no_others() {
        let schemas = Schemas::new(BTreeMap::from([("customer".to_string(), Schema { roles: vec![] })]));
        assert_eq!(schemas.get(Some("customer")), Some(&Schema { roles: vec![] }));
        assert_eq!(schemas.get(Some("other")), None);
        assert_eq!(schemas.get(None), Some(&Schema::default()));
        assert_eq!(Schemas::default().get(Some("anything")), Some(&Schema::default()));
    }
}
