//! What a document becomes in the tables of a Kratos database: credentials and their identifiers, by type, and addresses. No SQL is run here.

use crate::identifier;
use crate::import::identities::credentials::TYPES;
use crate::import::identities::kratos::{Hashes, Identity, SHOWN, trait_text, values};
use crate::import::identities::reader::{Fault, INVALID_VALUE, Reader, TOO_LONG, child};
use crate::import::identities::schema::{Role, Schema, Via};
use crate::password;
use base64ct::{Base64, Encoding};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

#[derive(Default)]
pub struct Rows {
    pub keys: Vec<Key>,
    pub credentials: Vec<Credential>,
}

impl Rows {
    pub fn has_identifier(&self) -> bool {
        self.keys.iter().any(|key| matches!(key.space, Space::Login(_)))
    }
}

/// Something that one identity of a network has alone.
pub struct Key {
    pub space: Space,
    pub value: String,
    pub key: String,
    pub path: String,
    pub verified: bool,
    /// Of an address; one that comes from a trait has none of its own.
    pub status: Option<&'static str>,
    pub verified_at: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// An identifier of a credential of this type.
    Login(&'static str),
    Verifiable(Via),
    Recovery(Via),
}

impl Space {
    /// As the report names it.
    pub fn kind(self) -> &'static str {
        match self {
            Space::Login(kind) => kind,
            Space::Verifiable(_) => "verifiable_address",
            Space::Recovery(_) => "recovery_address",
        }
    }
}

/// A credential. Its config is that of the identity.
pub struct Credential {
    pub kind: &'static str,
    /// The document says its identifiers.
    pub names: bool,
}

/// Kratos' columns have so many characters.
const IDENTIFIER_MAX: usize = 255;
const ADDRESS_MAX: usize = 400;
const EXTERNAL_ID_MAX: usize = 64;
const SCHEMA_ID_MAX: usize = 2048;

/// Login names of these types are the user's own words, and compared in Kratos' form. Others are compared as they are.
const WRITTEN: [&str; 3] = ["password", "webauthn", "code"];

/// The configs of the identity become those of Kratos' tables. `schema`: that of the identity, and whether it was given.
pub fn read(
    reader: &mut Reader,
    body: &Map<String, Value>,
    path: &str,
    schema: Option<(&Schema, bool)>,
    hashes: Hashes,
    identity: &mut Identity,
) -> Rows {
    check_lengths(reader, path, identity);
    let mut rows = Rows::default();
    let roles = schema.map_or(&[][..], |(schema, _)| &schema.roles);
    read_names(reader, body, path, roles, &mut rows);
    read_subjects(reader, path, identity, &mut rows);
    read_addresses(reader, body, path, roles, &mut rows);
    if schema.is_some_and(|(_, given)| given) && identity.traits.is_some() {
        warn_of_addresses(reader, body, path, roles, &rows);
    }
    let mut seen = BTreeSet::new();
    rows.keys.retain(|key| seen.insert((key.space, key.key.clone())));
    for kind in TYPES {
        let has_config = identity
            .credentials
            .as_ref()
            .is_some_and(|all| all.configs.contains_key(kind) || kind == "password" && all.password.is_some());
        let names = rows.keys.iter().any(|key| key.space == Space::Login(kind));
        if has_config || names {
            rows.credentials.push(Credential { kind, names });
        }
    }
    write_configs(reader, path, hashes, identity, &rows);
    rows
}

fn below(path: &str, names: &[&str]) -> String {
    names.iter().fold(path.to_string(), |path, name| child(&path, name))
}

fn check_lengths(reader: &mut Reader, path: &str, identity: &Identity) {
    let texts =
        [("external_id", &identity.external_id, EXTERNAL_ID_MAX), ("schema_id", &identity.schema_id, SCHEMA_ID_MAX)];
    for (name, text, most) in texts {
        let length = text.as_ref().map_or(0, |text| text.chars().count());
        if length > most {
            reader.fault(
                child(path, name),
                TOO_LONG,
                format!("is longer than the {most} characters of Kratos' column: {length}"),
            );
        }
    }
}

/// The names in the credentials; where there are none, those in the traits.
fn read_names(reader: &mut Reader, body: &Map<String, Value>, path: &str, roles: &[Role], rows: &mut Rows) {
    let credentials = body.get("credentials").and_then(Value::as_object);
    let mut said = false;
    for kind in TYPES {
        let identifiers = credentials.and_then(|all| all.get(kind)?.get("identifiers")?.as_array());
        let Some(identifiers) = identifiers else { continue };
        said |= WRITTEN.contains(&kind);
        // That of these is the identity's id, or in the config.
        if ["totp", "lookup_secret", "oidc", "saml", "passkey"].contains(&kind) {
            continue;
        }
        let path = below(path, &["credentials", kind, "identifiers"]);
        for (i, name) in identifiers.iter().enumerate() {
            if let Some(name) = name.as_str() {
                add_key(reader, Space::Login(kind), name, &format!("{path}/{i}"), rows);
            }
        }
    }
    read_code_addresses(reader, credentials, path, rows);
    if said {
        return;
    }
    for (role, path, text) in in_traits(reader, body, path, roles) {
        let logins = role.logins;
        let kinds = [("password", logins.password), ("webauthn", logins.webauthn), ("code", logins.code.is_some())];
        for (kind, _) in kinds.into_iter().filter(|(_, is)| *is) {
            add_key(reader, Space::Login(kind), &text, &path, rows);
        }
    }
}

/// Where codes are sent is what one logs in with, if the document does not say it otherwise.
fn read_code_addresses(reader: &mut Reader, credentials: Option<&Map<String, Value>>, path: &str, rows: &mut Rows) {
    let code = credentials.and_then(|all| all.get("code")).filter(|code| code.get("identifiers").is_none());
    let addresses = code.and_then(|code| code.get("config")?.get("addresses")?.as_array());
    let path = below(path, &["credentials", "code", "config", "addresses"]);
    for (i, address) in addresses.into_iter().flatten().enumerate() {
        if let Some(address) = address.get("address").and_then(Value::as_str) {
            add_key(reader, Space::Login("code"), address, &format!("{path}/{i}/address"), rows);
        }
    }
}

/// What the traits have that means something.
fn in_traits<'r>(
    reader: &mut Reader,
    body: &Map<String, Value>,
    path: &str,
    roles: &'r [Role],
) -> Vec<(&'r Role, String, String)> {
    let Some(traits) = body.get("traits").filter(|traits| traits.is_object()) else { return Vec::new() };
    let (path, before) = (child(path, "traits"), reader.faults.len());
    let mut found = Vec::new();
    for role in roles {
        for (path, value) in values(traits, &role.path, &path) {
            if let Some(text) = trait_text(reader, value, &path) {
                found.push((role, path, text.to_string()));
            }
        }
    }
    // They have been told before.
    reader.faults.truncate(before);
    found
}

/// Identifiers that are in a config: subjects of providers, and the handle of passkeys.
fn read_subjects(reader: &mut Reader, path: &str, identity: &Identity, rows: &mut Rows) {
    let Some(credentials) = &identity.credentials else { return };
    let place = |kind: &str, name: &str| below(path, &["credentials", kind, "config", name]);
    for kind in ["oidc", "saml"] {
        let providers = credentials.configs.get(kind).and_then(|config| config.get("providers")?.as_array());
        for (i, provider) in providers.into_iter().flatten().enumerate() {
            let text = |name: &str| provider.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            if let (Some(provider), Some(subject)) = (text("provider"), text("subject")) {
                let path = format!("{}/{i}/subject", place(kind, "providers"));
                add_key(reader, Space::Login(kind), &format!("{provider}:{subject}"), &path, rows);
            }
        }
    }
    let handle = credentials.configs.get("passkey").and_then(|config| config.get("user_handle")?.as_str());
    if let Some(handle) = handle.filter(|handle| !handle.is_empty()).and_then(|handle| Base64::decode_vec(handle).ok())
    {
        let path = place("passkey", "user_handle");
        match String::from_utf8(handle).ok().filter(|text| !text.contains('\0')) {
            Some(text) => add_key(reader, Space::Login("passkey"), &text, &path, rows),
            None => reader.fault(
                path,
                INVALID_VALUE,
                "is no text once it is decoded: Kratos cannot store it as an identifier",
            ),
        }
    }
}

fn read_addresses(reader: &mut Reader, body: &Map<String, Value>, path: &str, roles: &[Role], rows: &mut Rows) {
    for (name, verifiable) in [("verifiable_addresses", true), ("recovery_addresses", false)] {
        let path = child(path, name);
        for (i, address) in body.get(name).and_then(Value::as_array).into_iter().flatten().enumerate() {
            let text = |name: &str| address.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            let (Some(value), Some(via)) = (text("value"), Via::parse(text("via").unwrap_or("email"))) else {
                continue;
            };
            let space = if verifiable { Space::Verifiable(via) } else { Space::Recovery(via) };
            let verified = verifiable && address.get("verified") == Some(&Value::Bool(true));
            let status = ["pending", "sent", "completed"].into_iter().find(|known| text("status") == Some(known));
            let before = rows.keys.len();
            add_key(reader, space, value, &format!("{path}/{i}/value"), rows);
            let is_object = address.as_object();
            let verified_at = is_object.filter(|_| verified).and_then(|object| {
                let faults = reader.faults.len();
                let time = reader.time(object, "verified_at", "");
                reader.faults.truncate(faults);
                time
            });
            if let Some(key) = rows.keys.get_mut(before) {
                key.verified = verified;
                key.status = status.or(Some(if verified { "completed" } else { "pending" }));
                key.verified_at = verified_at;
            }
        }
    }
    for (role, path, text) in in_traits(reader, body, path, roles) {
        let spaces = [role.verification.map(Space::Verifiable), role.recovery.map(Space::Recovery)];
        for space in spaces.into_iter().flatten() {
            add_key(reader, space, &text, &path, rows);
        }
    }
}

/// Kratos makes the addresses anew from the traits at each update.
fn warn_of_addresses(reader: &mut Reader, body: &Map<String, Value>, path: &str, roles: &[Role], rows: &Rows) {
    let kept: BTreeSet<(Space, String)> = in_traits(reader, body, path, roles)
        .into_iter()
        .flat_map(|(role, _, text)| {
            let spaces = [role.verification.map(Space::Verifiable), role.recovery.map(Space::Recovery)];
            spaces.into_iter().flatten().map(move |space| (space, identifier::kratos::key(&text)))
        })
        .collect();
    let lost = |key: &&Key| !matches!(key.space, Space::Login(_)) && !kept.contains(&(key.space, key.key.clone()));
    if rows.keys.iter().any(|key| lost(&key)) {
        reader.warn("an address is that of no trait: Kratos drops it when the identity is updated");
    }
}

fn add_key(reader: &mut Reader, space: Space, value: &str, path: &str, rows: &mut Rows) {
    let (most, written) = match space {
        Space::Login(kind) => (IDENTIFIER_MAX, WRITTEN.contains(&kind)),
        _ => (ADDRESS_MAX, true),
    };
    let key = if written && value.len() <= MOST_READ { identifier::kratos::key(value) } else { value.to_string() };
    let length = key.chars().count();
    let (sqlstate, message) = if key.is_empty() {
        (INVALID_VALUE, "nothing is left of it in Kratos' form".to_string())
    } else if length > most {
        (TOO_LONG, format!("is longer than the {most} characters of Kratos' column: {length}"))
    } else {
        let (value, path) = (value.to_string(), path.to_string());
        rows.keys.push(Key { space, value, key, path, verified: false, status: None, verified_at: None });
        return;
    };
    let shown = value.chars().take(SHOWN).collect();
    reader.faults.push(Fault { path: path.to_string(), sqlstate, message, identifier: Some((space.kind(), shown)) });
}

/// Longer ones are too long in every form.
const MOST_READ: usize = 65_536;

/// The configs as Kratos' tables have them.
fn write_configs(reader: &mut Reader, path: &str, hashes: Hashes, identity: &mut Identity, rows: &Rows) {
    let names = |kind: &'static str| rows.keys.iter().filter(move |key| key.space == Space::Login(kind));
    if names("code").next().is_some() {
        let credentials = identity.credentials.get_or_insert_default();
        // It has one now.
        reader.warnings.retain(|warning| warning != "the credential code is not kept: it has no config");
        credentials.configs.entry("code").or_insert_with(|| {
            let channel = |key: &str| if key.starts_with('+') { "sms" } else { "email" };
            let addresses: Vec<Value> =
                names("code").map(|key| json!({"address": key.key, "channel": channel(&key.key)})).collect();
            json!({"addresses": addresses})
        });
    }
    let Some(credentials) = &mut identity.credentials else { return };
    if let Some(hash) = credentials.configs.get("password").and_then(|config| config.get("hashed_password")?.as_str()) {
        let config = match (password::kratos::form(hash), hashes) {
            (Ok(form), _) => {
                warn_of_hash(reader, &form);
                json!({"hashed_password": form})
            }
            (Err(_), Hashes::Hook) => {
                reader.warn("Kratos cannot read the password's hash: it asks its migration hook at the next login");
                json!({"use_password_migration_hook": true})
            }
            (Err(problem), Hashes::Report) => {
                let path = below(path, &["credentials", "password", "config", "hashed_password"]);
                // A hash that cannot be used at all has been told.
                if !reader.faults.iter().any(|fault| fault.path == path) {
                    reader.fault(path, INVALID_VALUE, format!("the password hash cannot be used: {problem}"));
                }
                return;
            }
        };
        credentials.configs.insert("password".to_string(), config);
    }
    for kind in ["oidc", "saml"] {
        let providers =
            credentials.configs.get_mut(kind).and_then(|config| config.get_mut("providers")?.as_array_mut());
        for provider in providers.into_iter().flatten().filter_map(Value::as_object_mut) {
            for token in ["initial_id_token", "initial_access_token", "initial_refresh_token"] {
                provider.entry(token).or_insert_with(|| json!(""));
            }
        }
    }
    if let Some(codes) = credentials.configs.get_mut("lookup_secret").and_then(Value::as_object_mut)
        && let Some(codes) = codes.remove("codes")
    {
        credentials.configs.insert("lookup_secret".to_string(), json!({"recovery_codes": codes}));
    }
}

/// What a hash does not say of itself.
fn warn_of_hash(reader: &mut Reader, form: &str) {
    for (name, read_as) in [("pbkdf2-sha224", "SHA3-224"), ("pbkdf2-sha384", "SHA3-384")] {
        if form.strip_prefix('$').is_some_and(|rest| rest.starts_with(name)) {
            reader.warn(format!(
                "Kratos reads {name} as PBKDF2 with {read_as}: a hash that was made with SHA-2 lets nobody in"
            ));
        }
    }
}

/// The version of the config of a type.
pub fn version(kind: &str) -> i32 {
    i32::from(["password", "webauthn", "passkey", "code"].contains(&kind))
}

/// The identifier of these is the identity's id.
pub fn is_own(kind: &str, names: bool) -> bool {
    matches!(kind, "totp" | "lookup_secret") || kind == "deviceauthn" && !names
}

/// How far an identity with these credentials can prove itself. `None`: that is for Kratos' settings to say, which it asks at the next login.
pub fn assurance(rows: &Rows, configs: Option<&Map<String, Value>>) -> Option<&'static str> {
    let config = |kind: &str| configs.and_then(|configs| configs.get(kind));
    let keys = |kind: &str| config(kind).and_then(|config| config.get("credentials")?.as_array());
    let passwordless = |key: &Value| key.get("is_passwordless") == Some(&Value::Bool(true));
    let has_second = config("totp").is_some()
        || config("lookup_secret").is_some()
        || keys("webauthn").is_some_and(|keys| keys.iter().any(|key| !passwordless(key)));
    if has_second {
        return Some("aal2");
    }
    let named = |kind: &'static str| rows.keys.iter().any(|key| key.space == Space::Login(kind));
    let has_hash = config("password").is_some_and(|config| config.get("hashed_password").is_some());
    let has_first = has_hash && named("password")
        || named("oidc")
        || named("saml")
        || named("passkey")
        || keys("webauthn").is_some_and(|keys| keys.iter().any(passwordless));
    match (has_first, named("code")) {
        (true, _) => Some("aal1"),
        (false, true) => None,
        (false, false) => Some("aal0"),
    }
}
