//! What the application knows of a login: the factors that were given, and where it comes from.
//!
//! Whatever is not of the form is refused: a key that is misspelt would be a rule that is not followed.

use crate::error::{Error, Result, shown};
use crate::login::throttle;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// What counts as a second factor. Others that the application names do not.
const SECOND_FACTORS: &[&str] = &["totp", "webauthn", "passkey", "lookup_secret", "sms", "email", "push"];

/// The first factor. All others that were wrong are counted as second factors.
const PASSWORD: &str = "password";

/// The audit keeps the factors that were wrong: so many, of so many bytes.
const MOST_FAILED: usize = 20;
const MOST_FACTOR: usize = 64;

#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Of the session with each organization.
    pub organizations: HashMap<String, Given>,
    pub ip: Option<String>,
    /// Factors that were tried just now, and were wrong: the login counts as a failed one.
    pub failed_factors: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Given {
    pub factors: Vec<String>,
    /// Connections by which single sign-on was done.
    pub sso: Vec<String>,
}

/// What is wrong, as a sentence.
type Checked<T> = std::result::Result<T, String>;

impl Context {
    pub fn parse(value: &Value) -> Result<Self> {
        let mut context = read(value).map_err(|problem| {
            Error::invalid_argument("context is not as it should be").detail(problem).hint(
                "Give an object such as {\"factors\": [\"password\"], \"organizations\": {\"acme\": {\"factors\": [\"totp\"], \
                 \"sso\": [\"conn-1\"]}}, \"ip\": \"192.0.2.7\", \"failed_factors\": []}; each key may be left out, and there are no others.",
            )
        })?;
        if let Some(ip) = &mut context.ip {
            *ip = throttle::parse(ip)?.to_string();
        }
        Ok(context)
    }

    pub fn has_second_factor(&self, organization: &str) -> bool {
        let given = self.organizations.get(organization);
        given.is_some_and(|g| g.factors.iter().any(|f| SECOND_FACTORS.contains(&f.as_str())))
    }

    /// Whether single sign-on was done for the organization, by the connection where it names one.
    pub fn has_sso(&self, organization: &str, connection: Option<&str>) -> bool {
        let given = self.organizations.get(organization);
        given.is_some_and(|g| g.sso.iter().any(|done| connection.is_none_or(|c| c == done)))
    }

    /// Whether single sign-on was done for any organization.
    pub fn is_signed_on(&self) -> bool {
        self.organizations.values().any(|given| !given.sso.is_empty())
    }

    pub fn failed_password(&self) -> bool {
        self.failed_factors.iter().any(|factor| factor == PASSWORD)
    }

    pub fn failed_second_factor(&self) -> bool {
        self.failed_factors.iter().any(|factor| factor != PASSWORD)
    }
}

fn read(value: &Value) -> Checked<Context> {
    let mut context = Context::default();
    for (key, value) in object("context", value)? {
        match key.as_str() {
            // Of the session as a whole: they open no organization that asks for more.
            "factors" => drop(texts("factors", value)?),
            "organizations" => context.organizations = organizations(value)?,
            "ip" => context.ip = address(value)?,
            "failed_factors" => context.failed_factors = failed_factors(value)?,
            _ => return Err(format!("\"{}\" is no key of it.", shown(key))),
        }
    }
    Ok(context)
}

fn organizations(value: &Value) -> Checked<HashMap<String, Given>> {
    let of = |(name, given): (&String, &Value)| Ok((name.clone(), given_for(name, given)?));
    object("organizations", value)?.iter().map(of).collect()
}

fn given_for(organization: &str, value: &Value) -> Checked<Given> {
    let path = format!("organizations.{}", shown(organization));
    let mut given = Given::default();
    for (key, value) in object(&path, value)? {
        let path = format!("{path}.{}", shown(key));
        match key.as_str() {
            "factors" => given.factors = texts(&path, value)?,
            "sso" => given.sso = texts(&path, value)?,
            _ => return Err(format!("{path} is no key of it.")),
        }
    }
    Ok(given)
}

/// NULL, where the application does not know it.
fn address(value: &Value) -> Checked<Option<String>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        other => Err(format!("ip is {}, not a string.", kind(other))),
    }
}

fn failed_factors(value: &Value) -> Checked<Vec<String>> {
    let factors = texts("failed_factors", value)?;
    if factors.len() > MOST_FAILED || factors.iter().any(|factor| factor.len() > MOST_FACTOR) {
        return Err(format!(
            "failed_factors has more than {MOST_FAILED} elements, or one of more than {MOST_FACTOR} bytes."
        ));
    }
    Ok(factors)
}

fn object<'a>(path: &str, value: &'a Value) -> Checked<&'a Map<String, Value>> {
    value.as_object().ok_or_else(|| format!("{path} is {}, not an object.", kind(value)))
}

fn texts(path: &str, value: &Value) -> Checked<Vec<String>> {
    let array = value.as_array().ok_or_else(|| format!("{path} is {}, not an array of strings.", kind(value)))?;
    let text = |v: &Value| {
        v.as_str()
            .map(str::to_string)
            .ok_or_else(|| format!("{path} has an element that is {}, not a string.", kind(v)))
    };
    array.iter().map(text).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn factors_belong_to_one_organization() {
        let context = Context::parse(&json!({
            "factors": ["password", "totp"], "ip": "::ffff:192.0.2.7", "failed_factors": ["password"],
            "organizations": {"acme": {"factors": ["totp"], "sso": ["c1"]}, "beta": {"factors": ["password", ""]}}
        }))
        .unwrap();
        assert_eq!(context.ip.as_deref(), Some("192.0.2.7"));
        assert!(context.has_second_factor("acme"));
        assert!(!context.has_second_factor("beta"));
        assert!(!context.has_second_factor("gamma"));
        assert!(context.has_sso("acme", Some("c1")) && context.has_sso("acme", None) && context.is_signed_on());
        assert!(!context.has_sso("acme", Some("c2")) && !context.has_sso("beta", None));
        assert!(context.failed_password() && !context.failed_second_factor());
        assert_eq!(Context::parse(&json!({"ip": null})).unwrap().ip, None);
    }

    #[test]
    fn what_is_no_context_is_refused_and_says_where() {
        for (wrong, detail) in [
            (json!([]), "context is an array, not an object."),
            (json!("x"), "context is a string, not an object."),
            (json!(null), "context is null, not an object."),
            (json!({"IP": "192.0.2.7"}), "\"IP\" is no key of it."),
            (json!({"ip": 7}), "ip is a number, not a string."),
            (json!({"factors": "password"}), "factors is a string, not an array of strings."),
            (json!({"factors": null}), "factors is null, not an array of strings."),
            (json!({"factors": [1]}), "factors has an element that is a number, not a string."),
            (json!({"organizations": []}), "organizations is an array, not an object."),
            (json!({"organizations": {"a": [["totp"], []]}}), "organizations.a is an array, not an object."),
            (json!({"organizations": {"a": {"factor": []}}}), "organizations.a.factor is no key of it."),
            (
                json!({"organizations": {"a": {"sso": {}}}}),
                "organizations.a.sso is an object, not an array of strings.",
            ),
            (
                json!({"failed_factors": ["x".repeat(65)]}),
                "failed_factors has more than 20 elements, or one of more than 64 bytes.",
            ),
        ] {
            let error = Context::parse(&wrong).unwrap_err();
            assert_eq!((error.sqlstate.as_str(), error.detail.as_deref()), ("22023", Some(detail)), "{wrong}");
        }
        assert_eq!(Context::parse(&json!({"ip": "here"})).unwrap_err().sqlstate, "22023");
    }
}
