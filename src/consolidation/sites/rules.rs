//! The rules that keep dead users and dirty data out of the way. No SQL is run here.

use crate::error::{Error, Result};
use crate::import::convert::{Person, limit};
use chrono::{DateTime, Utc};
use regex::{RegexSet, RegexSetBuilder};
use serde_json::Value;
use std::collections::HashSet;

#[derive(Debug)]
pub struct Rules {
    not_logged_in_since: Option<DateTime<Utc>>,
    never_logged_in_registered_before: Option<DateTime<Utc>>,
    no_identifier: bool,
    test_accounts: RegexSet,
    pub disposable_domains: Domains,
}

#[derive(Debug)]
pub enum Domains {
    Listed(HashSet<String>),
    /// A relation or query with one column, still to be read.
    Source(String),
}

const NAMES: [&str; 5] = [
    "not_logged_in_since",
    "never_logged_in_registered_before",
    "no_identifier",
    "test_accounts",
    "disposable_domains",
];

impl Rules {
    pub fn parse(document: &Value) -> Result<Self> {
        let rules = document.as_object().ok_or_else(|| refuse("The rules are not an object.".to_string()))?;
        if let Some(unknown) = rules.keys().find(|name| !NAMES.contains(&name.as_str())) {
            return Err(refuse(format!("\"{unknown}\" is no rule; known are {}.", NAMES.join(", "))));
        }
        let get = |name: &str| rules.get(name).filter(|value| !value.is_null());
        let date = |name: &str| match get(name) {
            None => Ok(None),
            Some(value) => value
                .as_str()
                .and_then(limit)
                .map(Some)
                .ok_or_else(|| refuse(format!("{name} is not a date of ISO 8601, such as \"2020-01-31\"."))),
        };
        let no_identifier = match get("no_identifier") {
            None => true,
            Some(value) => value.as_bool().ok_or_else(|| refuse("no_identifier is not a boolean.".to_string()))?,
        };
        Ok(Rules {
            not_logged_in_since: date("not_logged_in_since")?,
            never_logged_in_registered_before: date("never_logged_in_registered_before")?,
            no_identifier,
            test_accounts: patterns(get("test_accounts"))?,
            disposable_domains: domains(get("disposable_domains"))?,
        })
    }

    /// The rule that keeps a person out, and the field that it looks at.
    pub fn quarantine(&self, person: &Person) -> Option<(&'static str, &'static str)> {
        if self.no_identifier && person.username.is_none() && person.email.is_none() && person.phone.is_none() {
            return Some(("no_identifier", "username"));
        }
        if let Some(field) = self.test_account(person) {
            return Some(("test_accounts", field));
        }
        if self.is_disposable(person) {
            return Some(("disposable_domains", "email"));
        }
        match (person.last_login_at, person.registered_at) {
            (Some(seen), _) if self.not_logged_in_since.is_some_and(|limit| seen < limit) => {
                Some(("not_logged_in_since", "last_login_at"))
            }
            (None, Some(joined)) if self.never_logged_in_registered_before.is_some_and(|limit| joined < limit) => {
                Some(("never_logged_in_registered_before", "registered_at"))
            }
            _ => None,
        }
    }

    fn test_account(&self, person: &Person) -> Option<&'static str> {
        let names = [("username", &person.username), ("email", &person.email)];
        let matches = |login: &str| self.test_accounts.is_match(login);
        names.into_iter().find(|(_, login)| login.as_ref().is_some_and(|l| matches(&l.value))).map(|(field, _)| field)
    }

    /// A domain of the list, or one below it.
    fn is_disposable(&self, person: &Person) -> bool {
        let Domains::Listed(listed) = &self.disposable_domains else { return false };
        let Some((_, domain)) = person.email.as_ref().and_then(|email| email.key.rsplit_once('@')) else {
            return false;
        };
        let mut rest = Some(domain);
        while let Some(domain) = rest {
            if listed.contains(domain) {
                return true;
            }
            rest = domain.split_once('.').map(|(_, parent)| parent);
        }
        false
    }
}

impl Domains {
    /// The names of domains, compared as e-mail addresses are.
    pub fn listed(names: impl IntoIterator<Item = String>) -> Self {
        let key = |name: String| {
            let address = format!("x@{}", name.trim().trim_start_matches('@'));
            crate::identifier::key(crate::identifier::Kind::Email, &address)[2..].to_string()
        };
        Domains::Listed(names.into_iter().map(key).collect())
    }
}

fn refuse(detail: String) -> Error {
    Error::invalid_argument("the rules cannot be used").detail(detail).hint(
        "Give an object: {\"not_logged_in_since\": \"2020-01-01\", \"test_accounts\": [\"^test\"], \"disposable_domains\": [\"mailinator.com\"]}. docs/consolidation.md has all rules.",
    )
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_string)).collect()
}

fn patterns(value: Option<&Value>) -> Result<RegexSet> {
    let Some(value) = value else { return Ok(RegexSet::empty()) };
    let patterns =
        texts(value).ok_or_else(|| refuse("test_accounts is not an array of regular expressions.".to_string()))?;
    let set = RegexSetBuilder::new(patterns).case_insensitive(true).size_limit(1 << 20).build();
    set.map_err(|problem| refuse(format!("test_accounts: {problem}.")))
}

fn domains(value: Option<&Value>) -> Result<Domains> {
    match value {
        None => Ok(Domains::listed([])),
        Some(Value::String(source)) => Ok(Domains::Source(source.clone())),
        Some(value) => texts(value).map(Domains::listed).ok_or_else(|| {
            refuse("disposable_domains is neither an array of domains nor the name of a relation.".to_string())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::convert::convert;
    use crate::import::mapping::Mapping;
    use serde_json::json;

    fn person(row: Value) -> Person {
        let mapping =
            json!({"original_id": "id", "username": "u", "email": "e", "registered_at": "r", "last_login_at": "l"});
        let mut row = row;
        row["id"] = json!(1);
        convert(&Mapping::of_site(&mapping).expect("a mapping"), row.as_object().expect("a row"))
    }

    #[test]
    fn each_rule_keeps_out_whom_it_is_for() {
        let rules = Rules::parse(&json!({
            "not_logged_in_since": "2020-01-01", "never_logged_in_registered_before": "2021-01-01", "test_accounts": ["^test", "^qa[0-9]+$"],
            "disposable_domains": ["mailinator.com", "BÜCHER.de"],
        }))
        .expect("rules");
        let cases = [
            (json!({"u": "bob", "l": "2020-01-01"}), None),
            (json!({"u": "bob", "l": "2019-12-31 23:59:59", "r": "2022-01-01"}), Some("not_logged_in_since")),
            (json!({"u": "bob", "r": "2020-12-31"}), Some("never_logged_in_registered_before")),
            (json!({"u": "bob", "r": "2021-01-01"}), None),
            (json!({"u": "bob"}), None),
            (json!({"u": "Tester"}), Some("test_accounts")),
            (json!({"u": "bob", "e": "test@x.org"}), Some("test_accounts")),
            (json!({"u": "qa12"}), Some("test_accounts")),
            (json!({"u": "qa12b"}), None),
            (json!({"e": "a@mail.Mailinator.com"}), Some("disposable_domains")),
            (json!({"e": "a@notmailinator.com"}), None),
            (json!({"e": "a@xn--bcher-kva.de"}), Some("disposable_domains")),
            (json!({}), Some("no_identifier")),
        ];
        for (row, expected) in cases {
            assert_eq!(rules.quarantine(&person(row.clone())).map(|(rule, _)| rule), expected, "{row}");
        }
        let lenient = Rules::parse(&json!({"no_identifier": false})).expect("rules");
        assert_eq!(lenient.quarantine(&person(json!({}))), None);
    }

    #[test]
    fn bad_rules_are_refused() {
        for rules in [
            json!([]),
            json!({"dead": true}),
            json!({"not_logged_in_since": "3 years"}),
            json!({"no_identifier": "yes"}),
            json!({"test_accounts": "("}),
            json!({"test_accounts": ["("]}),
            json!({"disposable_domains": [1]}),
        ] {
            let error = Rules::parse(&rules).expect_err("bad rules");
            assert_eq!((error.sqlstate.as_str(), error.detail.is_some()), ("22023", true), "{rules}");
        }
    }
}
