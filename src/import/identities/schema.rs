//! Identity schemas of Ory Kratos: which traits are identifiers, and which are addresses. No SQL is run here.
//!
//! Of a JSON Schema only the extension "ory.sh/kratos" below `properties.traits` is read, through `properties`, `items`, `allOf` and
//! `$ref`: `credentials.….identifier: true`, `verification.via`, `recovery.via`. Below the other keywords it depends on a trait's value
//! whether the extension applies, and values are not validated here: so a schema that has it there is none.

use crate::identifier::Kind;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

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
    pub logins: Logins,
}

/// The credentials of Kratos that a trait is a login name of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Logins {
    pub password: bool,
    pub webauthn: bool,
    /// Where its codes are sent.
    pub code: Option<Via>,
}

impl Logins {
    fn of(extension: &Map<String, Value>) -> Self {
        let credential = |name| extension.get("credentials").and_then(|all: &Value| all.get(name));
        let is = |name| credential(name).and_then(|c| c.get("identifier")) == Some(&Value::Bool(true));
        let via = credential("code").and_then(|c| c.get("via")).and_then(Value::as_str).and_then(Via::parse);
        let code = is("code").then(|| via.unwrap_or(Via::Email));
        Logins { password: is("password"), webauthn: is("webauthn"), code }
    }

    fn add(&mut self, other: Logins) {
        self.password |= other.password;
        self.webauthn |= other.webauthn;
        self.code = self.code.or(other.code);
    }
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
            logins: Logins { password: true, ..Logins::default() },
        };
        let kinds = [("email", Kind::Email), ("phone", Kind::Phone), ("username", Kind::Username)];
        Schema { roles: kinds.map(role).to_vec() }
    }
}

impl Schema {
    pub fn parse(schema: &Value) -> Result<Self, String> {
        let traits = schema.pointer("/properties/traits").ok_or("it has no properties.traits")?;
        let mut walk =
            Walk { root: schema, path: Vec::new(), open: Vec::new(), parts: 0, looked_at: 0, roles: Vec::new() };
        walk.collect(traits)?;
        let roles = walk.roles;
        if roles.iter().all(|role| role.identifier.is_none()) {
            return Err("no trait is an identifier: none has \"ory.sh/kratos\": {\"credentials\": {\"password\": \
                        {\"identifier\": true}}}"
                .to_string());
        }
        Ok(Schema { roles })
    }
}

const EXTENSION: &str = "ory.sh/kratos";
/// Keywords that always apply; and those below which no part of the schema is.
const FOLLOWED: [&str; 5] = ["properties", "items", "allOf", "$ref", EXTENSION];
const NO_SCHEMAS: [&str; 6] = ["definitions", "$defs", "enum", "const", "default", "examples"];
/// A schema that refers to itself twice over would have more parts than can be counted.
const MOST_PARTS: usize = 10_000;
const MOST_LEVELS: usize = 200;
const MOST_LOOKED_AT: usize = 1_000_000;

/// A walk through all parts of a schema that apply to traits.
struct Walk<'a> {
    root: &'a Value,
    path: Vec<Step>,
    /// The parts that the walk is in, from the outermost on.
    open: Vec<&'a Value>,
    parts: usize,
    /// Below keywords that are not followed.
    looked_at: usize,
    roles: Vec<Role>,
}

impl<'a> Walk<'a> {
    fn collect(&mut self, node: &'a Value) -> Result<(), String> {
        self.parts += 1;
        if self.parts > MOST_PARTS || self.open.len() >= MOST_LEVELS {
            return Err(format!("it has more than {MOST_PARTS} parts, or {MOST_LEVELS} levels"));
        }
        if self.open.iter().any(|open| std::ptr::eq(*open, node)) {
            return self.refuse(node, "$ref", "it refers to itself");
        }
        self.open.push(node);
        // As in Kratos, what stands beside "$ref" has no effect.
        match node.get("$ref") {
            Some(reference) => {
                self.ignore_all(node, |keyword| keyword != "$ref", "Kratos ignores what stands beside \"$ref\"")?;
                let target = self.target(reference)?;
                self.collect(target)?;
            }
            None => self.collect_members(node)?,
        }
        self.open.pop();
        Ok(())
    }

    fn collect_members(&mut self, node: &'a Value) -> Result<(), String> {
        if let Some(extension) = node.get(EXTENSION)
            && let Some(role) = role(node, extension, &self.path)?
        {
            self.add(role);
        }
        for (name, property) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
            self.enter(Step::Property(name.clone()), property)?;
        }
        match node.get("items") {
            Some(Value::Array(items)) => {
                for item in items {
                    self.refuse(item, "items", "it is an array")?;
                }
            }
            Some(items) => self.enter(Step::Items, items)?,
            None => {}
        }
        for part in node.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.collect(part)?;
        }
        self.ignore_all(
            node,
            |keyword| !FOLLOWED.contains(&keyword),
            "it depends on the trait's value whether that applies",
        )
    }

    fn enter(&mut self, step: Step, node: &'a Value) -> Result<(), String> {
        self.path.push(step);
        self.collect(node)?;
        self.path.pop();
        Ok(())
    }

    /// A trait has one role, wherever its parts stand: what an earlier one does not say a later one adds.
    fn add(&mut self, role: Role) {
        let same = |r: &Role| {
            let fits = |one: Option<Via>, other: Option<Via>| one.is_none() || other.is_none() || one == other;
            r.path == role.path && fits(r.verification, role.verification) && fits(r.recovery, role.recovery)
        };
        match self.roles.iter_mut().find(|r| same(r)) {
            Some(known) => {
                // A format beside one of them says more than the trait's name.
                let named = |kind: &Kind| *kind == Kind::Username;
                known.identifier = known.identifier.filter(|k| !named(k)).or(role.identifier).or(known.identifier);
                known.verification = known.verification.or(role.verification);
                known.recovery = known.recovery.or(role.recovery);
                known.logins.add(role.logins);
            }
            None => self.roles.push(role),
        }
    }

    /// The part of this schema that a reference names by its place.
    fn target(&self, reference: &Value) -> Result<&'a Value, String> {
        let pointer = reference.as_str().and_then(|text| text.strip_prefix('#')).filter(|text| !text.contains('%'));
        let Some(pointer) = pointer else {
            return Err(format!(
                "\"$ref\"{}: only a reference to a place in the same schema can be followed: \"#/...\"",
                self.place()
            ));
        };
        let target = self.root.pointer(pointer);
        target.ok_or_else(|| format!("\"$ref\"{}: the schema has no such place", self.place()))
    }

    /// Nothing is missed below the keywords of `node` that are not followed.
    fn ignore_all(&mut self, node: &'a Value, unfollowed: impl Fn(&str) -> bool, why: &str) -> Result<(), String> {
        for (keyword, part) in node.as_object().into_iter().flatten() {
            if !unfollowed(keyword) || NO_SCHEMAS.contains(&keyword.as_str()) {
                continue;
            }
            if keyword == EXTENSION {
                return Err(format!("\"{EXTENSION}\"{} cannot be followed: {why}", self.place()));
            }
            self.refuse(part, keyword, why)?;
        }
        Ok(())
    }

    /// An error where the extension stands somewhere in `part`, or in what it refers to.
    fn refuse(&mut self, part: &'a Value, keyword: &str, why: &str) -> Result<(), String> {
        if !self.has_extension(part)? {
            return Ok(());
        }
        Err(format!("\"{keyword}\"{} has \"{EXTENSION}\" below it, which cannot be followed: {why}", self.place()))
    }

    fn has_extension(&mut self, part: &'a Value) -> Result<bool, String> {
        let (mut rest, mut seen) = (vec![part], BTreeSet::new());
        while let Some(part) = rest.pop() {
            self.looked_at += 1;
            if self.looked_at > MOST_LOOKED_AT {
                return Err(format!("it has more than {MOST_LOOKED_AT} parts"));
            }
            match part {
                Value::Object(members) if members.contains_key(EXTENSION) => return Ok(true),
                Value::Object(members) => rest.extend(members.values()),
                Value::Array(items) => rest.extend(items),
                _ => {}
            }
            if let Some(reference) = part.get("$ref").and_then(Value::as_str)
                && seen.insert(reference)
            {
                rest.extend(reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)));
            }
        }
        Ok(false)
    }

    /// Where the walk is, as messages say it.
    fn place(&self) -> String {
        let steps = self.path.iter().map(|step| match step {
            Step::Property(name) => format!("/{name}"),
            Step::Items => "/*".to_string(),
        });
        format!(" of traits{}", steps.collect::<String>())
    }
}

fn role(node: &Value, extension: &Value, path: &[Step]) -> Result<Option<Role>, String> {
    let extension = extension.as_object().ok_or("\"ory.sh/kratos\" is not an object")?;
    let role = Role {
        path: path.to_vec(),
        identifier: is_identifier(extension).then(|| kind(node, path)),
        verification: channel(extension, "verification")?,
        recovery: channel(extension, "recovery")?,
        logins: Logins::of(extension),
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
#[derive(Debug, Default, Clone)]
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

    type Found = (String, Option<Kind>, Option<Via>);

    fn parsed(traits: Value) -> Result<Vec<Found>, String> {
        let definitions = json!({
            "mail": {"type": "string", "format": "email", "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}}},
            "name": {"type": "string"},
            "person": {"properties": {"mail": {"$ref": "#/definitions/mail"}, "friend": {"$ref": "#/definitions/person"}}},
            "tree": {"properties": {"name": {"$ref": "#/definitions/name"}, "next": {"$ref": "#/definitions/tree"}}},
            "twice": {"allOf": [{"$ref": "#/definitions/half"}, {"$ref": "#/definitions/half"}]},
            "half": {"allOf": [{"type": "string"}, {"$ref": "#/definitions/mail"}]}});
        let schema = Schema::parse(&json!({"definitions": definitions, "properties": {"traits": traits}}))?;
        let path = |role: &Role| {
            let name = |step: &Step| match step {
                Step::Property(name) => name.clone(),
                Step::Items => "*".to_string(),
            };
            role.path.iter().map(name).collect::<Vec<_>>().join("/")
        };
        Ok(schema.roles.iter().map(|role| (path(role), role.identifier, role.verification)).collect())
    }

    #[test]
    fn references_and_all_of_are_followed() {
        let mail = |path: &str, via| (path.to_string(), Some(Kind::Email), via);
        for (traits, found) in [
            (json!({"properties": {"a": {"$ref": "#/definitions/mail"}}}), mail("a", None)),
            (json!({"properties": {"a": {"items": {"$ref": "#/definitions/mail"}}}}), mail("a/*", None)),
            (json!({"$ref": "#/definitions/half"}), mail("", None)),
            (json!({"allOf": [{"properties": {"a": {"allOf": [{"$ref": "#/definitions/mail"}]}}}]}), mail("a", None)),
            // One trait has one role.
            (json!({"properties": {"a": {"$ref": "#/definitions/twice"}}}), mail("a", None)),
            (
                json!({"properties": {"a": {"ory.sh/kratos": {"credentials": {"code": {"identifier": true}}, "verification": {"via": "email"}},
                    "allOf": [{"$ref": "#/definitions/mail"}]}}}),
                mail("a", Some(Via::Email)),
            ),
            // What has no extension below it changes nothing.
            (
                json!({"properties": {"a": {"$ref": "#/definitions/mail"}, "t": {"$ref": "#/definitions/tree"}}, "anyOf": [{"required": ["a"]}],
                    "if": {"properties": {"t": {"$ref": "#/definitions/tree"}}}, "patternProperties": {"^x": {}}}),
                mail("a", None),
            ),
        ] {
            assert_eq!(parsed(traits.clone()), Ok(vec![found]), "{traits}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        let extension = || json!({"properties": {"b": {"ory.sh/kratos": identifier()}}});
        let refused = |traits: Value| parsed(traits).unwrap_err();
        for keyword in ["if", "then", "else", "not", "additionalProperties", "contains", "propertyNames"] {
            let said = refused(json!({"properties": {"a": {keyword: extension()}}}));
            let expected = format!(
                "\"{keyword}\" of traits/a has \"ory.sh/kratos\" below it, which cannot be followed: \
                                    it depends on the trait's value whether that applies"
            );
            assert_eq!(said, expected);
        }
        for keyword in ["anyOf", "oneOf", "items", "prefixItems"] {
            assert!(
                refused(json!({keyword: [{}, {"$ref": "#/definitions/mail"}]}))
                    .starts_with(&format!("\"{keyword}\" of traits has"))
            );
        }
        for (traits, said) in [
            (
                json!({"$ref": "https://example.com/person.json"}),
                "\"$ref\" of traits: only a reference to a place in the same schema",
            ),
            (json!({"properties": {"a": {"$ref": "#person"}}}), "\"$ref\" of traits/a: the schema has no such place"),
            (
                json!({"$ref": "#/definitions/person"}),
                "\"$ref\" of traits/friend has \"ory.sh/kratos\" below it, which cannot be followed: it refers to itself",
            ),
            (
                json!({"$ref": "#/definitions/name", "ory.sh/kratos": identifier()}),
                "\"ory.sh/kratos\" of traits cannot be followed: Kratos ignores",
            ),
            (
                json!({"$ref": "#/definitions/name", "properties": extension()}),
                "\"properties\" of traits has \"ory.sh/kratos\" below it",
            ),
        ] {
            let refusal = refused(traits.clone());
            assert!(refusal.starts_with(said), "{traits}: {refusal}");
        }
    }

    #[test]
    fn a_schema_that_would_never_end_is_none() {
        let mut definitions = Map::new();
        for i in 0..60 {
            let next = json!({"$ref": format!("#/definitions/d{}", i + 1)});
            definitions.insert(format!("d{i}"), json!({"properties": {"a": next, "b": next}}));
        }
        let schema = json!({"definitions": definitions, "properties": {"traits": {"$ref": "#/definitions/d0"}}});
        assert!(Schema::parse(&schema).unwrap_err().contains("the schema has no such place"));
        definitions.insert("d60".to_string(), json!({"ory.sh/kratos": identifier()}));
        let schema = json!({"definitions": definitions, "properties": {"traits": {"$ref": "#/definitions/d0"}}});
        assert_eq!(Schema::parse(&schema).unwrap_err(), "it has more than 10000 parts, or 200 levels");
        let chain = (0..5000).map(|i| (format!("d{i}"), json!({"$ref": format!("#/definitions/d{}", i + 1)})));
        let schema = json!({"definitions": chain.collect::<Map<_, _>>(), "properties": {"traits": {"$ref": "#/definitions/d0"}}});
        assert_eq!(Schema::parse(&schema).unwrap_err(), "it has more than 10000 parts, or 200 levels");
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
