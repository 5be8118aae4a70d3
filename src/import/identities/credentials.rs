//! The credentials of an identity, as Ory Kratos imports them. No SQL is run here.

use crate::identifier::{self, Kind};
use crate::import::identities::kratos::{Claim, claim_identifier};
use crate::import::identities::reader::{INVALID_VALUE, MISSING_VALUE, Reader, WRONG_TYPE, child};
use crate::password;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Checked credentials: what the store keeps.
#[derive(Default)]
pub struct Credentials {
    /// By type, as the store keeps them.
    pub configs: Map<String, Value>,
    /// When they were made, as far as the document says.
    pub created_at: BTreeMap<&'static str, String>,
    /// The login names of the document, if it says them here, each with its path.
    pub names: Option<Vec<(String, String)>>,
    /// A password in plain text, to be hashed before it is kept.
    pub password: Option<Password>,
}

/// A password in plain text. It is shown nowhere: it has no `Debug`.
pub struct Password {
    pub text: String,
    pub path: String,
}

impl Credentials {
    /// By type, each with its config and when it was made.
    pub fn into_json(self) -> Value {
        let Credentials { configs, created_at, .. } = self;
        let entry = |(kind, config): (String, Value)| {
            let created_at = created_at.get(kind.as_str());
            (kind, json!({"config": config, "created_at": created_at}))
        };
        configs.into_iter().map(entry).collect()
    }
}

pub const TYPES: [&str; 9] =
    ["password", "oidc", "saml", "totp", "lookup_secret", "webauthn", "passkey", "code", "deviceauthn"];
/// What a credential has beside its config in Kratos' tables and answers.
const STORED: [&str; 5] = ["type", "identifiers", "version", "created_at", "updated_at"];

/// A credential of a document: its type, and whether it is as Kratos has it in its tables, and not as it is imported there.
#[derive(Clone, Copy)]
struct Form {
    kind: &'static str,
    stored: bool,
}

/// Reads `credentials`; the names that they log in with become claims. None: nothing is said of credentials, but perhaps of names.
pub fn read(
    reader: &mut Reader,
    value: &Value,
    path: &str,
    claims: &mut Vec<Claim>,
) -> (Option<Credentials>, Option<Vec<(String, String)>>) {
    let Some(object) = reader.object(value, path) else { return (None, None) };
    reader.only(object, path, &TYPES);
    let (mut credentials, mut without_config) = (Credentials::default(), false);
    for kind in TYPES {
        let Some(value) = object.get(kind).filter(|v| !v.is_null()) else { continue };
        let path = child(path, kind);
        let Some(credential) = reader.object(value, &path) else { continue };
        let form = Form { kind, stored: STORED.iter().any(|name| credential.contains_key(*name)) };
        read_stored(reader, form, credential, &path, &mut credentials, claims);
        match credential.get("config").filter(|config| !form.stored || !config.is_null()) {
            Some(config) => {
                let path = child(&path, "config");
                let Some(config) = reader.object(config, &path) else { continue };
                if let Some(kept) = read_config(reader, form, config, &path, &mut credentials, claims) {
                    credentials.configs.insert(kind.to_string(), kept);
                }
            }
            None if form.stored => {
                without_config = true;
                reader.warn(format!("the credential {kind} is not kept: it has no config"));
            }
            None => reader.fault(child(&path, "config"), MISSING_VALUE, "is missing"),
        }
    }
    let names = credentials.names.take();
    // Who asks Kratos for an identity without its secrets does not ask here to delete them.
    let says_nothing = without_config && credentials.configs.is_empty() && credentials.password.is_none();
    ((!says_nothing).then_some(credentials), names)
}

/// What a credential has beside its config.
fn read_stored(
    reader: &mut Reader,
    form: Form,
    credential: &Map<String, Value>,
    path: &str,
    credentials: &mut Credentials,
    claims: &mut Vec<Claim>,
) {
    let Form { kind, .. } = form;
    let known: Vec<&str> = ["config"].into_iter().chain(STORED).collect();
    reader.only(credential, path, &known);
    if reader.text(credential, "type", path).is_some_and(|name| name != kind) {
        reader.fault(child(path, "type"), INVALID_VALUE, format!("is not {kind}"));
    }
    reader.whole::<i64>(credential, "version", path);
    reader.time(credential, "updated_at", path);
    if let Some(created_at) = reader.time(credential, "created_at", path) {
        credentials.created_at.insert(kind, created_at);
    }
    if credential.contains_key("identifiers") {
        let identifiers = reader.array(credential, "identifiers", path).map_or(&[][..], Vec::as_slice);
        read_identifiers(reader, kind, identifiers, &child(path, "identifiers"), credentials, claims);
    }
}

/// The identifiers of TOTP and lookup codes are the identity's id; that of a passkey is its user handle, which is in its config.
fn read_identifiers(
    reader: &mut Reader,
    kind: &str,
    identifiers: &[Value],
    path: &str,
    credentials: &mut Credentials,
    claims: &mut Vec<Claim>,
) {
    let names = matches!(kind, "password" | "webauthn" | "code").then(|| credentials.names.get_or_insert_default());
    let mut names = names;
    for (i, value) in identifiers.iter().enumerate() {
        let path = format!("{path}/{i}");
        let Some(text) = value.as_str() else {
            reader.fault(path, WRONG_TYPE, "is not a text");
            continue;
        };
        match (&mut names, kind) {
            (Some(names), _) => names.push((text.to_string(), path)),
            (None, "oidc") => drop(claim_identifier(reader, Kind::Oidc, text, &path, claims)),
            (None, "saml") => drop(claim_identifier(reader, Kind::Saml, text, &path, claims)),
            _ => {}
        }
    }
}

/// The kind of a login name of which nothing is known but itself.
pub fn kind_of(name: &str) -> Kind {
    let is = |kind| identifier::check(kind, name).is_ok();
    if name.contains('@') && is(Kind::Email) {
        Kind::Email
    } else if name.trim_start().starts_with('+') && is(Kind::Phone) {
        Kind::Phone
    } else {
        Kind::Username
    }
}

fn read_config(
    reader: &mut Reader,
    form: Form,
    config: &Map<String, Value>,
    path: &str,
    credentials: &mut Credentials,
    claims: &mut Vec<Claim>,
) -> Option<Value> {
    match form.kind {
        "password" => read_password(reader, form, config, path, credentials),
        "oidc" => read_providers(reader, form, Kind::Oidc, config, path, claims),
        "saml" => read_providers(reader, form, Kind::Saml, config, path, claims),
        "totp" => read_totp(reader, config, path),
        "lookup_secret" => read_codes(reader, config, path),
        "webauthn" | "passkey" => read_authenticators(reader, form, config, path, claims),
        // Codes are sent to addresses; of devices Kratos says no more.
        _ => Some(Value::Object(config.clone())),
    }
}

fn read_password(
    reader: &mut Reader,
    form: Form,
    config: &Map<String, Value>,
    path: &str,
    credentials: &mut Credentials,
) -> Option<Value> {
    reader.only(config, path, &["hashed_password", "password", "use_password_migration_hook"]);
    let hash = reader.text(config, "hashed_password", path).filter(|t| !t.is_empty());
    let plain = reader.text(config, "password", path).filter(|t| !t.is_empty());
    let hook = reader.boolean(config, "use_password_migration_hook", path) == Some(true);
    match (hash, plain, hook) {
        (Some(hash), None, false) => {
            if let Err(problem) = password::parse(hash) {
                let message = format!("the password hash cannot be used: {}", problem.text);
                reader.fault(child(path, "hashed_password"), INVALID_VALUE, message);
            }
            Some(json!({"hashed_password": hash}))
        }
        (None, Some(plain), false) => {
            credentials.password = Some(Password { text: plain.to_string(), path: child(path, "password") });
            None
        }
        (None, None, true) => Some(json!({"use_password_migration_hook": true})),
        // Kratos has one for each identity that has a name for it.
        (None, None, false) if form.stored => None,
        (None, None, false) => {
            let what = "one of hashed_password, password and use_password_migration_hook must be given";
            reader.fault(path, MISSING_VALUE, what);
            None
        }
        _ => {
            let what = "only one of hashed_password, password and use_password_migration_hook can be given";
            reader.fault(path, INVALID_VALUE, what);
            None
        }
    }
}

/// Of a user of one moment, and secret. Kratos imports none.
const TOKENS: [&str; 3] = ["initial_id_token", "initial_access_token", "initial_refresh_token"];

fn read_providers(
    reader: &mut Reader,
    form: Form,
    kind: Kind,
    config: &Map<String, Value>,
    path: &str,
    claims: &mut Vec<Claim>,
) -> Option<Value> {
    reader.only(config, path, &["providers"]);
    let providers = reader.array(config, "providers", path)?;
    let path = child(path, "providers");
    let mut kept = Vec::new();
    for (i, provider) in providers.iter().enumerate() {
        let path = format!("{path}/{i}");
        let Some(object) = reader.object(provider, &path) else { continue };
        let links = kind == Kind::Oidc || form.stored;
        let known = ["subject", "provider", "organization"].into_iter().chain(TOKENS);
        let known: Vec<&str> = known.chain(links.then_some("use_auto_link")).collect();
        reader.only(object, &path, &known);
        reader.uuid(object, "organization", &path);
        reader.boolean(object, "use_auto_link", &path);
        let subject = reader.required(object, "subject", &path);
        let provider = reader.required(object, "provider", &path);
        if let (Some(subject), Some(provider)) = (subject, provider) {
            claim_identifier(reader, kind, &format!("{provider}:{subject}"), &child(&path, "subject"), claims);
        }
        kept.push(without_tokens(reader, object, &path));
    }
    Some(json!({"providers": kept}))
}

fn without_tokens(reader: &mut Reader, provider: &Map<String, Value>, path: &str) -> Map<String, Value> {
    let mut kept = provider.clone();
    for name in TOKENS {
        if reader.text(provider, name, path).is_some_and(|token| !token.is_empty()) {
            reader.warn("tokens of providers are not kept");
        }
        kept.remove(name);
    }
    kept
}

fn read_totp(reader: &mut Reader, config: &Map<String, Value>, path: &str) -> Option<Value> {
    reader.only(config, path, &["totp_url"]);
    let url = reader.required(config, "totp_url", path)?;
    // The second form is in use with Kratos, which takes any.
    let known = ["otpauth://totp/", "totp://"].iter().any(|start| url.starts_with(start));
    if !known || !url.contains("secret=") {
        let what = "is not of the form otpauth://totp/...?secret=... or totp://...?secret=...";
        reader.fault(child(path, "totp_url"), INVALID_VALUE, what);
    }
    Some(json!({"totp_url": url}))
}

fn read_codes(reader: &mut Reader, config: &Map<String, Value>, path: &str) -> Option<Value> {
    reader.only(config, path, &["codes", "recovery_codes"]);
    let given = |name: &&str| config.get(*name).is_some_and(|v| !v.is_null());
    let mut names = ["codes", "recovery_codes"].into_iter().filter(given);
    // The second is the name in Kratos' own tables.
    let name = names.next().unwrap_or("codes");
    if names.next().is_some() {
        reader.fault(path, INVALID_VALUE, "only one of codes and recovery_codes can be given");
    }
    let codes = reader.array(config, name, path)?;
    let path = child(path, name);
    for (i, code) in codes.iter().enumerate() {
        let path = format!("{path}/{i}");
        let Some(object) = reader.object(code, &path) else { continue };
        reader.only(object, &path, &["code", "used_at"]);
        reader.required(object, "code", &path);
        reader.time(object, "used_at", &path);
    }
    Some(json!({"codes": codes}))
}

/// What an authenticator has in Kratos.
const AUTHENTICATOR: [&str; 10] = [
    "id",
    "public_key",
    "attestation_type",
    "authenticator",
    "display_name",
    "added_at",
    "is_passwordless",
    "flags",
    "transport",
    "attestation",
];
const FLAGS: [&str; 4] = ["user_present", "user_verified", "backup_eligible", "backup_state"];
const ATTESTATION: [&str; 5] =
    ["client_dataJSON", "client_data_hash", "authenticator_data", "public_key_algorithm", "object"];

/// WebAuthn and passkeys. They are kept as they are. A passkey logs in by its user handle, so nobody else has it.
fn read_authenticators(
    reader: &mut Reader,
    form: Form,
    config: &Map<String, Value>,
    path: &str,
    claims: &mut Vec<Claim>,
) -> Option<Value> {
    reader.only(config, path, &["credentials", "user_handle"]);
    let before = reader.faults.len();
    let handle = reader.base64(config, "user_handle", path);
    let authenticators = reader.array(config, "credentials", path);
    for (i, authenticator) in authenticators.into_iter().flatten().enumerate() {
        let path = format!("{path}/credentials/{i}");
        if let Some(object) = reader.object(authenticator, &path) {
            check_authenticator(reader, object, &path);
        }
    }
    if form.kind == "passkey" {
        let fine = reader.faults.len() == before;
        if let Some(handle) = handle {
            let name = format!("passkey:{handle}");
            claim_identifier(reader, Kind::Passkey, &name, &child(path, "user_handle"), claims);
        }
        let missing = [("user_handle", handle.is_none()), ("credentials", authenticators.is_none_or(Vec::is_empty))];
        for (name, _) in missing.into_iter().filter(|(_, missing)| *missing && fine) {
            if form.stored {
                reader.warn(format!("the passkey cannot log in: it has no {name}"));
            } else {
                reader.fault(child(path, name), MISSING_VALUE, "is missing or empty: nobody could log in");
            }
        }
    }
    Some(Value::Object(config.clone()))
}

fn check_authenticator(reader: &mut Reader, authenticator: &Map<String, Value>, path: &str) {
    reader.only(authenticator, path, &AUTHENTICATOR);
    for field in ["id", "public_key"] {
        let before = reader.faults.len();
        if reader.base64(authenticator, field, path).is_none() && reader.faults.len() == before {
            reader.fault(child(path, field), MISSING_VALUE, "is missing or empty");
        }
    }
    reader.text(authenticator, "attestation_type", path);
    reader.text(authenticator, "display_name", path);
    reader.time(authenticator, "added_at", path);
    reader.boolean(authenticator, "is_passwordless", path);
    for (i, transport) in reader.array(authenticator, "transport", path).into_iter().flatten().enumerate() {
        if !transport.is_string() {
            reader.fault(format!("{path}/transport/{i}"), WRONG_TYPE, "is not a text");
        }
    }
    if let Some(device) = reader.member(authenticator, "authenticator", path) {
        let path = child(path, "authenticator");
        reader.only(device, &path, &["aaguid", "sign_count", "clone_warning"]);
        reader.base64(device, "aaguid", &path);
        reader.whole::<u32>(device, "sign_count", &path);
        reader.boolean(device, "clone_warning", &path);
    }
    if let Some(flags) = reader.member(authenticator, "flags", path) {
        let path = child(path, "flags");
        reader.only(flags, &path, &FLAGS);
        for flag in FLAGS {
            reader.boolean(flags, flag, &path);
        }
    }
    if let Some(attestation) = reader.member(authenticator, "attestation", path) {
        let path = child(path, "attestation");
        reader.only(attestation, &path, &ATTESTATION);
        reader.whole::<i64>(attestation, "public_key_algorithm", &path);
        for field in ["client_dataJSON", "client_data_hash", "authenticator_data", "object"] {
            reader.base64(attestation, field, &path);
        }
    }
}
