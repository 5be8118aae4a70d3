//! What the application knows of a login: the factors that were given, and where it comes from.

use crate::error::{Error, Result};
use crate::login::throttle;
use serde::Deserialize;
use std::collections::HashMap;

/// What counts as a second factor. Others that the application names do not.
const SECOND_FACTORS: &[&str] = &["totp", "webauthn", "passkey", "lookup_secret", "sms", "email", "push"];

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Of the session as a whole: the password. They open no organization that asks for more.
    pub factors: Vec<String>,
    /// Of the session with each organization.
    pub organizations: HashMap<String, Given>,
    pub ip: Option<String>,
    /// Factors that were tried just now, and were wrong: the login counts as a failed one.
    pub failed_factors: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Given {
    pub factors: Vec<String>,
    /// Connections by which single sign-on was done.
    pub sso: Vec<String>,
}

impl Context {
    pub fn parse(text: &str) -> Result<Self> {
        if text == "{}" {
            return Ok(Context::default());
        }
        let refuse = || {
            Error::invalid_argument("context is not as it should be").hint(
                "Give an object such as {\"factors\": [\"password\"], \"organizations\": {\"acme\": {\"factors\": [\"totp\"], \
                 \"sso\": [\"conn-1\"]}}, \"ip\": \"192.0.2.7\"}.",
            )
        };
        if !text.starts_with('{') {
            return Err(refuse());
        }
        let mut context: Context = serde_json::from_str(text).map_err(|_| refuse())?;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_belong_to_one_organization() {
        let context = Context::parse(
            r#"{"factors": ["password", "totp"], "ip": "::ffff:192.0.2.7", "more": 1,
                "organizations": {"acme": {"factors": ["totp"], "sso": ["c1"]}, "beta": {"factors": ["password", ""]}}}"#,
        )
        .unwrap();
        assert_eq!(context.ip.as_deref(), Some("192.0.2.7"));
        assert!(context.has_second_factor("acme"));
        assert!(!context.has_second_factor("beta"));
        assert!(!context.has_second_factor("gamma"));
        assert!(context.has_sso("acme", Some("c1")) && context.has_sso("acme", None));
        assert!(!context.has_sso("acme", Some("c2")) && !context.has_sso("beta", None));
    }

    #[test]
    fn what_is_no_context_is_refused() {
        for wrong in [r#"[]"#, r#""x""#, r#"{"factors": "password"}"#, r#"{"organizations": []}"#, r#"{"ip": "here"}"#]
        {
            assert_eq!(Context::parse(wrong).unwrap_err().sqlstate, "22023", "{wrong}");
        }
    }
}
