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
        _ => read_authenticators(reader, config, path),
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
        reader.only(object, &path, &["subject", "provider", "organization", "use_auto_link"]);
        reader.text(object, "organization", &path);
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
    if !url.starts_with("otpauth://totp/") || !url.contains("secret=") {
        reader.fault(child(path, "totp_url"), INVALID_VALUE, "is not of the form otpauth://totp/...?secret=...");
    }
    Some(json!({"totp_url": url}))
}

fn read_codes(reader: &mut Reader, config: &Map<String, Value>, path: &str) -> Option<Value> {
    reader.only(config, path, &["codes"]);
    let codes = reader.array(config, "codes", path)?;
    let path = child(path, "codes");
    for (i, code) in codes.iter().enumerate() {
        let path = format!("{path}/{i}");
        let Some(object) = reader.object(code, &path) else { continue };
        reader.only(object, &path, &["code", "used_at"]);
        reader.required(object, "code", &path);
    }
    Some(json!({"codes": codes}))
}

/// WebAuthn and passkeys: each has at least its id and public key; what else it has is kept as it is.
fn read_authenticators(reader: &mut Reader, config: &Map<String, Value>, path: &str) -> Option<Value> {
    reader.only(config, path, &["credentials", "user_handle"]);
    reader.text(config, "user_handle", path);
    for (i, authenticator) in reader.array(config, "credentials", path)?.iter().enumerate() {
        let path = format!("{path}/credentials/{i}");
        let Some(object) = reader.object(authenticator, &path) else { continue };
        for field in ["id", "public_key"] {
            if !object.get(field).is_some_and(|v| v.as_str().is_some_and(is_base64)) {
                reader.fault(child(&path, field), WRONG_TYPE, "is missing, or not base64");
            }
        }
    }
    Some(Value::Object(config.clone()))
}

fn is_base64(text: &str) -> bool {
    let digit = |b: u8| b.is_ascii_alphanumeric() || b"+/-_".contains(&b);
    !text.is_empty() && text.trim_end_matches('=').bytes().all(digit)
}
