//! The settings of organizations and memberships, checked when they are written.

use crate::error::{Error, Result, shown};
use crate::identifier::{self, Kind};
use crate::login::walk::is_sso_url;
use ipnet::IpNet;
use serde_json::{Map, Value};
use std::net::IpAddr;

/// A value as it is stored, or what it should be.
type Checked = std::result::Result<Value, &'static str>;

pub const ORGANIZATION: &[&str] =
    &["state", "mfa_required", "sso_required", "sso_url", "sso_connection", "allowed_networks", "verified_domains"];

pub const MEMBERSHIP: &[&str] = &["state", "is_default"];

/// The settings as they are stored. Any that is not `known`, or has a value that it cannot have, is an error.
pub fn check(settings: &Value, known: &[&str], states: &[&str]) -> Result<Value> {
    let Some(given) = settings.as_object() else {
        return Err(Error::invalid_argument("settings is not an object")
            .hint(format!("Give an object with any of: {}.", known.join(", "))));
    };
    let mut checked = Map::new();
    for (name, value) in given {
        if !known.contains(&name.as_str()) {
            return Err(Error::invalid_argument(format!("unknown setting: \"{}\"", shown(name)))
                .hint(format!("There are: {}.", known.join(", "))));
        }
        let stored = one(name, value, states).map_err(|should| {
            Error::invalid_argument(format!("invalid value of setting \"{name}\""))
                .detail(format!("The value is {}.", shown(&value.to_string())))
                .hint(should)
        })?;
        checked.insert(name.clone(), stored);
    }
    Ok(Value::Object(checked))
}

fn one(name: &str, value: &Value, states: &[&str]) -> Checked {
    let nullable = ["sso_url", "sso_connection", "allowed_networks", "verified_domains"].contains(&name);
    if nullable && value.is_null() {
        return Ok(Value::Null);
    }
    match name {
        "state" => text(value, |state| states.contains(&state).then(|| state.to_string()))
            .ok_or("Give \"active\" or \"suspended\"; of an organization also \"deleted\"."),
        "sso_url" => text(value, |url| is_sso_url(url).then(|| url.to_string()))
            .ok_or("Give an http or https URL with a host, and without a user or a password."),
        "sso_connection" => text(value, |name| (!name.is_empty()).then(|| name.to_string())).ok_or("Give a name."),
        "allowed_networks" => texts(value, cidr).ok_or(
            "Give an array of networks, such as [\"192.0.2.0/24\", \"2001:db8::/32\"], without bits beyond the mask.",
        ),
        "verified_domains" => texts(value, domain).ok_or("Give an array of domain names, such as [\"example.com\"]."),
        _ => value.as_bool().map(Value::Bool).ok_or("Give true or false."),
    }
}

fn text(value: &Value, stored: impl Fn(&str) -> Option<String>) -> Option<Value> {
    value.as_str().and_then(stored).map(Value::String)
}

fn texts(value: &Value, stored: impl Fn(&str) -> Option<String>) -> Option<Value> {
    value.as_array()?.iter().map(|v| text(v, &stored)).collect::<Option<Vec<Value>>>().map(Value::Array)
}

/// A network, or the one of a single address.
pub fn network(text: &str) -> Option<IpNet> {
    text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()
}

/// A network as it is stored: without bits beyond its mask.
fn cidr(text: &str) -> Option<String> {
    network(text).filter(|network| *network == network.trunc()).map(|network| network.to_string())
}

/// The domain in ASCII, as it is compared.
pub fn domain(text: &str) -> Option<String> {
    // First, for the rest takes time and memory in proportion.
    if text.len() > identifier::LENGTH_MAX {
        return None;
    }
    let address = format!("x@{text}");
    identifier::check(Kind::Email, &address).ok()?;
    identifier::key(Kind::Email, &address).strip_prefix("x@").map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn organization(settings: Value) -> Result<Value> {
        check(&settings, ORGANIZATION, &["active", "suspended", "deleted"])
    }

    #[test]
    fn settings_are_stored_in_one_form() {
        let stored = organization(json!({
            "state": "suspended", "mfa_required": true, "sso_url": "https://sso.example.com/in?x=1", "sso_connection": null,
            "allowed_networks": ["192.0.2.0/24", "2001:DB8::/32", "198.51.100.7"], "verified_domains": ["Example.COM", "faß.de"],
        }));
        assert_eq!(
            stored.unwrap(),
            json!({
                "state": "suspended", "mfa_required": true, "sso_url": "https://sso.example.com/in?x=1", "sso_connection": null,
                "allowed_networks": ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32"],
                "verified_domains": ["example.com", "xn--fa-hia.de"],
            })
        );
    }

    #[test]
    fn wrong_settings_are_refused() {
        for wrong in [
            json!([]),
            json!(null),
            json!({"mfa": true}),
            json!({"state": "gone"}),
            json!({"state": null}),
            json!({"mfa_required": "yes"}),
            json!({"mfa_required": null}),
            json!({"sso_url": ""}),
            json!({"sso_url": "sso.example.com"}),
            json!({"sso_url": "javascript:alert(1)"}),
            json!({"sso_url": "ftp://example.com"}),
            json!({"sso_url": "https://user:secret@example.com"}),
            json!({"sso_url": "https://example.com/a b"}),
            json!({"sso_url": "https://"}),
            json!({"sso_connection": ""}),
            json!({"allowed_networks": "192.0.2.0/24"}),
            json!({"allowed_networks": ["192.0.2.1/24"]}),
            json!({"allowed_networks": ["here"]}),
            json!({"allowed_networks": [null]}),
            json!({"verified_domains": ["a b"]}),
            json!({"verified_domains": ["bob@example.com"]}),
        ] {
            assert_eq!(organization(wrong.clone()).unwrap_err().sqlstate, "22023", "{wrong}");
        }
        assert!(check(&json!({"state": "deleted"}), MEMBERSHIP, &["active", "suspended"]).is_err());
        assert!(check(&json!({"is_default": true}), MEMBERSHIP, &["active", "suspended"]).is_ok());
    }
}
