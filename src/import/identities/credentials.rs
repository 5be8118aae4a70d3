//! The credentials of an identity, as Ory Kratos imports them. No SQL is run here.

use crate::identifier::Kind;
use crate::import::identities::kratos::{Claim, claim_identifier};
use crate::import::identities::reader::{INVALID_VALUE, MISSING_VALUE, Reader, WRONG_TYPE, child};
use crate::password;
use serde_json::{Map, Value, json};

/// Checked credentials: what the store keeps.
#[derive(Default)]
pub struct Credentials {
    /// By type, as the store keeps them.
    pub configs: Map<String, Value>,
    /// A password in plain text, to be hashed before it is kept.
    pub password: Option<Password>,
}

/// A password in plain text. It is shown nowhere: it has no `Debug`.
pub struct Password {
    pub text: String,
    pub path: String,
}

const TYPES: [&str; 7] = ["password", "oidc", "saml", "totp", "lookup_secret", "webauthn", "passkey"];

/// Reads `credentials`; the names that they log in with become claims.
pub fn read(reader: &mut Reader, value: &Value, path: &str, claims: &mut Vec<Claim>) -> Option<Credentials> {
    let object = reader.object(value, path)?;
    reader.only(object, path, &TYPES);
    let mut credentials = Credentials::default();
    for kind in TYPES {
        let Some(value) = object.get(kind).filter(|v| !v.is_null()) else { continue };
        let path = child(path, kind);
        let Some(credential) = reader.object(value, &path) else { continue };
        reader.only(credential, &path, &["config"]);
        let Some(config) = credential.get("config") else {
            reader.fault(child(&path, "config"), MISSING_VALUE, "is missing");
            continue;
        };
        let path = child(&path, "config");
        let Some(config) = reader.object(config, &path) else { continue };
        if let Some(kept) = read_config(reader, kind, config, &path, &mut credentials, claims) {
            credentials.configs.insert(kind.to_string(), kept);
        }
    }
    Some(credentials)
}

fn read_config(
    reader: &mut Reader,
    kind: &str,
    config: &Map<String, Value>,
    path: &str,
    credentials: &mut Credentials,
    claims: &mut Vec<Claim>,
) -> Option<Value> {
    match kind {
        "password" => read_password(reader, config, path, credentials),
        "oidc" => read_providers(reader, Kind::Oidc, config, path, claims),
        "saml" => read_providers(reader, Kind::Saml, config, path, claims),
        "totp" => read_totp(reader, config, path),
        "lookup_secret" => read_codes(reader, config, path),
        _ => read_authenticators(reader, kind, config, path, claims),
    }
}

fn read_password(
    reader: &mut Reader,
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

fn read_providers(
    reader: &mut Reader,
    kind: Kind,
    config: &Map<String, Value>,
    path: &str,
    claims: &mut Vec<Claim>,
) -> Option<Value> {
    reader.only(config, path, &["providers"]);
    let providers = reader.array(config, "providers", path)?;
    let path = child(path, "providers");
    for (i, provider) in providers.iter().enumerate() {
        let path = format!("{path}/{i}");
        let Some(object) = reader.object(provider, &path) else { continue };
        let known: &[&str] = match kind {
            Kind::Oidc => &["subject", "provider", "organization", "use_auto_link"],
            _ => &["subject", "provider", "organization"],
        };
        reader.only(object, &path, known);
        reader.uuid(object, "organization", &path);
        reader.boolean(object, "use_auto_link", &path);
        let subject = reader.required(object, "subject", &path);
        let provider = reader.required(object, "provider", &path);
        if let (Some(subject), Some(provider)) = (subject, provider) {
            claim_identifier(reader, kind, &format!("{provider}:{subject}"), &child(&path, "subject"), claims);
        }
    }
    Some(json!({"providers": providers}))
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
    kind: &str,
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
    if kind == "passkey" {
        let fine = reader.faults.len() == before;
        if fine && authenticators.is_none_or(Vec::is_empty) {
            reader.fault(child(path, "credentials"), MISSING_VALUE, "is missing or empty: nobody could log in");
        }
        match handle {
            Some(handle) => {
                let name = format!("passkey:{handle}");
                claim_identifier(reader, Kind::Passkey, &name, &child(path, "user_handle"), claims);
            }
            None if fine => reader.fault(
                child(path, "user_handle"),
                MISSING_VALUE,
                "is missing or empty: nobody could log in",
            ),
            None => {}
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
