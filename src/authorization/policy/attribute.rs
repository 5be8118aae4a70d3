//! Policies on an attribute of the context.

use super::{Host, Outcome};
use crate::error;
use ipnet::IpNet;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::{Number, Value};
use std::cmp::Ordering;
use std::net::IpAddr;

/// A compiled regular expression may take this much memory, and a search with it as much again.
const REGEX_BYTES: usize = 1 << 18;

#[derive(Debug)]
pub struct Attribute {
    path: Vec<String>,
    test: Test,
}

#[derive(Debug)]
enum Test {
    /// One of these values.
    In(Vec<Value>),
    Regex(Regex),
    Cidr(Vec<IpNet>),
    Range {
        at_least: Option<Number>,
        at_most: Option<Number>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    attribute: OneOrMore,
    #[serde(default, deserialize_with = "present")]
    equals: Option<Value>,
    r#in: Option<Vec<Value>>,
    regex: Option<String>,
    cidr: Option<OneOrMore>,
    at_least: Option<Number>,
    at_most: Option<Number>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, or an array of texts, was expected")]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn into_vec(self) -> Vec<String> {
        match self {
            OneOrMore::One(text) => vec![text],
            OneOrMore::More(texts) => texts,
        }
    }
}

/// A key with the value null is there.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Attribute {
    pub fn parse(config: &Value) -> Result<Self, String> {
        let document = Document::deserialize(config).map_err(|e| e.to_string())?;
        let path = document.attribute.into_vec();
        if path.is_empty() || path.iter().any(String::is_empty) {
            return Err(
                "\"attribute\" is empty: name an attribute of the context, or an array with its path".to_string()
            );
        }
        let mut tests = Vec::new();
        tests.extend(document.equals.map(|value| Test::In(vec![value])));
        tests.extend(document.r#in.map(Test::In));
        tests.extend(document.regex.map(|text| regex(&text)).transpose()?);
        tests.extend(document.cidr.map(|texts| networks(&texts.into_vec())).transpose()?);
        let (at_least, at_most) = (document.at_least, document.at_most);
        if at_least.is_some() || at_most.is_some() {
            tests.push(Test::Range { at_least, at_most });
        }
        match tests.pop() {
            Some(test) if tests.is_empty() => Ok(Attribute { path, test }),
            _ => Err("it has one test: equals, in, regex, cidr, or a range with at_least, at_most or both".to_string()),
        }
    }

    /// The memory that it takes, roughly.
    pub fn bytes(&self) -> usize {
        match &self.test {
            Test::Regex(_) => REGEX_BYTES,
            Test::In(values) => 500 + 200 * values.len(),
            Test::Cidr(networks) => 500 + 32 * networks.len(),
            Test::Range { .. } => 500,
        }
    }

    /// An array holds where one of its elements does.
    pub fn test(&self, context: &Value, host: &dyn Host) -> error::Result<Outcome> {
        let value = self.path.iter().try_fold(context, |value, key| value.get(key));
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return Ok(Outcome::Unknown(format!("the context has no \"{}\"", self.path.join("."))));
        };
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let mut outcome = Outcome::Fails;
        for value in values {
            host.pause();
            match self.test.holds(value, host)? {
                Some(true) => return Ok(Outcome::Holds),
                Some(false) => {}
                None => outcome = Outcome::Unknown(format!("\"{}\" is no {}", self.path.join("."), self.test.wants())),
            }
        }
        Ok(outcome)
    }
}

impl Test {
    /// `None`: the value is of a kind that the test cannot look at.
    fn holds(&self, value: &Value, host: &dyn Host) -> error::Result<Option<bool>> {
        Ok(match self {
            Test::In(values) => Some(values.iter().any(|v| equal(v, value))),
            Test::Regex(regex) => value.as_str().map(|text| host.finds(regex, text)).transpose()?,
            Test::Cidr(networks) => value.as_str().and_then(|text| within(networks, text)),
            Test::Range { at_least, at_most } => {
                let Value::Number(number) = value else { return Ok(None) };
                let beyond = |bound: &Option<Number>, order: Ordering| {
                    bound.as_ref().is_some_and(|bound| compare(number, bound) == Some(order))
                };
                Some(!beyond(at_least, Ordering::Less) && !beyond(at_most, Ordering::Greater))
            }
        })
    }

    fn wants(&self) -> &'static str {
        match self {
            Test::In(_) => "value",
            Test::Regex(_) => "text",
            Test::Cidr(_) => "IP address",
            Test::Range { .. } => "number",
        }
    }
}

fn regex(text: &str) -> Result<Test, String> {
    let compiled = RegexBuilder::new(text).size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES).build();
    compiled.map(Test::Regex).map_err(|e| format!("the regular expression cannot be used: {e}"))
}

fn networks(texts: &[String]) -> Result<Test, String> {
    texts.iter().map(|text| network(text)).collect::<Result<_, _>>().map(Test::Cidr)
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(address);
    let network = network.ok_or_else(|| format!("\"{text}\" is no network: use CIDR, such as 10.0.0.0/8"))?;
    if network.addr() != network.network() {
        return Err(format!("\"{text}\" has bits set to the right of its mask: the network is {}", network.trunc()));
    }
    Ok(network)
}

/// `None`: the text is no address.
fn within(networks: &[IpNet], text: &str) -> Option<bool> {
    let address = text.parse::<IpAddr>().ok()?.to_canonical();
    Some(networks.iter().any(|network| network.contains(&address)))
}

/// Numbers are equal by value: 1 is 1.0.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Some(Ordering::Equal),
        _ => a == b,
    }
}

/// Whole numbers exactly, others as floating point.
fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Counting;
    use super::*;
    use serde_json::json;

    fn ask(config: Value, context: Value) -> Outcome {
        Attribute::parse(&config).unwrap().test(&context, &Counting::default()).unwrap()
    }

    fn unknown(config: Value, context: Value) -> bool {
        matches!(ask(config, context), Outcome::Unknown(_))
    }

    #[test]
    fn values_are_equal_or_in_a_list() {
        assert_eq!(ask(json!({"attribute": "team", "equals": "sales"}), json!({"team": "sales"})), Outcome::Holds);
        assert_eq!(
            ask(json!({"attribute": "team", "equals": "sales"}), json!({"team": ["x", "sales"]})),
            Outcome::Holds
        );
        assert_eq!(ask(json!({"attribute": "n", "in": [1, 2]}), json!({"n": 2.0})), Outcome::Holds);
        assert_eq!(ask(json!({"attribute": "n", "in": [1, 2]}), json!({"n": "2"})), Outcome::Fails);
        assert_eq!(ask(json!({"attribute": ["user", "team"], "in": []}), json!({"user": {"team": 1}})), Outcome::Fails);
        assert!(unknown(json!({"attribute": ["user", "team"], "equals": 1}), json!({"user": 1})));
        assert!(unknown(json!({"attribute": "a", "equals": null}), json!({"a": null})));
    }

    #[test]
    fn a_regex_is_searched_in_linear_time() {
        assert_eq!(ask(json!({"attribute": "a", "regex": "^x+$"}), json!({"a": "xxx"})), Outcome::Holds);
        assert_eq!(
            ask(json!({"attribute": "a", "regex": "(x+x+)+y"}), json!({"a": "x".repeat(100_000)})),
            Outcome::Fails
        );
        assert!(unknown(json!({"attribute": "a", "regex": "1"}), json!({"a": 1})));
    }

    #[test]
    fn addresses_are_in_networks() {
        let config = json!({"attribute": "ip", "cidr": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]});
        for (ip, held) in [
            ("10.1.2.3", true),
            ("11.1.2.3", false),
            ("::ffff:10.1.2.3", true),
            ("2001:db8::1", true),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
        ] {
            assert_eq!(ask(config.clone(), json!({"ip": ip})) == Outcome::Holds, held, "{ip}");
        }
        assert!(unknown(config, json!({"ip": "localhost"})));
    }

    #[test]
    fn numbers_are_in_ranges() {
        let config =
            json!({"attribute": "n", "at_least": 9_007_199_254_740_993_i64, "at_most": 9_007_199_254_740_993_i64});
        assert_eq!(ask(config.clone(), json!({"n": 9_007_199_254_740_993_i64})), Outcome::Holds);
        assert_eq!(ask(config.clone(), json!({"n": 9_007_199_254_740_992_i64})), Outcome::Fails);
        assert_eq!(ask(json!({"attribute": "n", "at_most": 0.5}), json!({"n": 0.5})), Outcome::Holds);
        assert_eq!(ask(json!({"attribute": "n", "at_most": 0.5}), json!({"n": 1})), Outcome::Fails);
        assert!(unknown(config, json!({"n": "9"})));
    }

    #[test]
    fn bad_tests_are_refused() {
        let problem = |config: Value| Attribute::parse(&config).unwrap_err();
        assert!(problem(json!({"attribute": "a"})).contains("one test"));
        assert!(problem(json!({"attribute": "a", "equals": 1, "regex": "x"})).contains("one test"));
        assert!(problem(json!({"attribute": "a", "regex": "(x"})).contains("cannot be used"));
        assert!(problem(json!({"attribute": "a", "regex": "(?=x)"})).contains("look-around"));
        assert!(problem(json!({"attribute": "a", "regex": "(x{1000}){1000}"})).contains("size limit"));
        assert!(problem(json!({"attribute": "a", "cidr": "10.0.0.1/8"})).contains("the network is 10.0.0.0/8"));
        assert!(problem(json!({"attribute": "a", "cidr": "10.0.0.0/33"})).contains("no network"));
        assert!(problem(json!({"attribute": "", "equals": 1})).contains("empty"));
        assert!(problem(json!({"equals": 1})).contains("missing field"));
    }
}
