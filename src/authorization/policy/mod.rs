//! Policies: conditions on a permission. They are parsed when they are written, so that none fails when it is asked,
//! and know nothing of Postgres.
//!
//! A policy holds, fails, or cannot tell: the context lacks what it asks about. What cannot tell counts against the
//! asker: its allow row does not match, its deny row does.

mod attribute;
mod time;

use crate::authorization::subject;
use attribute::Attribute;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::rc::Rc;
use time::Time;

/// What a policy says of a question. `Unknown` has the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Holds,
    Fails,
    Unknown(String),
}

impl Outcome {
    fn of(holds: bool) -> Self {
        if holds { Outcome::Holds } else { Outcome::Fails }
    }

    fn negated(self) -> Self {
        match self {
            Outcome::Holds => Outcome::Fails,
            Outcome::Fails => Outcome::Holds,
            unknown => unknown,
        }
    }
}

/// What policies ask about.
pub trait Asker {
    /// The asker is this subject, or is in it; `direct`: without another one between.
    fn is_in(&self, subject: &str, direct: bool) -> bool;
}

/// The circumstances of a question.
pub struct Circumstances<'a> {
    pub asker: &'a dyn Asker,
    pub context: &'a Value,
    /// `None`: the context gives one that is no time.
    pub now: Option<DateTime<Utc>>,
}

/// A policy as it is kept: parsed, and with the policies that it is made of.
#[derive(Debug)]
pub struct Policy {
    negate: bool,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Subject(Subject),
    Time(Time),
    Attribute(Attribute),
    Aggregate(Strategy, Vec<Rc<Policy>>),
    /// A policy that cannot be evaluated, and why.
    Broken(String),
}

/// The configuration of a policy by its kind; an aggregate's parts are names.
#[derive(Debug)]
pub enum Config {
    Subject(Subject),
    Time(Time),
    Attribute(Attribute),
    Aggregate(Aggregate),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    any: Option<Vec<String>>,
    all: Option<Vec<String>>,
    #[serde(default)]
    direct: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregate {
    pub policies: Vec<String>,
    #[serde(default)]
    strategy: Strategy,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Strategy {
    #[default]
    Unanimous,
    Affirmative,
    Consensus,
}

impl Config {
    /// The error says what is wrong with the document.
    pub fn parse(kind: &str, config: &Value) -> Result<Self, String> {
        if !config.is_object() {
            return Err("the configuration is no JSON object".to_string());
        }
        match kind {
            "subject" => Subject::parse(config).map(Config::Subject),
            "time" => Time::parse(config).map(Config::Time),
            "attribute" => Attribute::parse(config).map(Config::Attribute),
            "aggregate" => Aggregate::parse(config).map(Config::Aggregate),
            _ => Err(format!("\"{kind}\" is no kind of policy: subject, time, attribute or aggregate")),
        }
    }

    /// The policies that it is made of.
    pub fn parts(&self) -> &[String] {
        if let Config::Aggregate(aggregate) = self { &aggregate.policies } else { &[] }
    }
}

impl Subject {
    fn parse(config: &Value) -> Result<Self, String> {
        let parsed = Subject::deserialize(config).map_err(|e| e.to_string())?;
        if parsed.any.is_none() && parsed.all.is_none() {
            return Err("it has neither \"any\" nor \"all\", the subjects that the asker is or is in".to_string());
        }
        let named = parsed.any.iter().chain(&parsed.all).flatten();
        match named.into_iter().find(|name| !subject::is_subject(name)) {
            Some(name) => Err(format!("\"{name}\" is no subject: user:…, group:…, role:… or client:…")),
            None => Ok(parsed),
        }
    }

    fn test(&self, asker: &dyn Asker) -> bool {
        let is_in = |name: &String| asker.is_in(name, self.direct);
        self.any.as_ref().is_none_or(|any| any.iter().any(is_in))
            && self.all.as_ref().is_none_or(|all| all.iter().all(is_in))
    }
}

impl Aggregate {
    fn parse(config: &Value) -> Result<Self, String> {
        let parsed = Aggregate::deserialize(config).map_err(|e| e.to_string())?;
        if parsed.policies.is_empty() {
            return Err("\"policies\" is empty: name the policies that it is made of".to_string());
        }
        Ok(parsed)
    }
}

impl Policy {
    /// `parts` are those that `config` names, in its order.
    pub fn new(negate: bool, config: Config, parts: Vec<Rc<Policy>>) -> Self {
        let test = match config {
            Config::Subject(subject) => Test::Subject(subject),
            Config::Time(time) => Test::Time(time),
            Config::Attribute(attribute) => Test::Attribute(attribute),
            Config::Aggregate(aggregate) => Test::Aggregate(aggregate.strategy, parts),
        };
        Policy { negate, test }
    }

    /// A policy that never tells.
    pub fn broken(why: impl Into<String>) -> Self {
        Policy { negate: false, test: Test::Broken(why.into()) }
    }

    pub fn evaluate(&self, circumstances: &Circumstances) -> Outcome {
        let outcome = match &self.test {
            Test::Subject(subject) => Outcome::of(subject.test(circumstances.asker)),
            Test::Time(time) => match circumstances.now {
                Some(now) => Outcome::of(time.test(now)),
                None => Outcome::Unknown("\"now\" of the context is no time".to_string()),
            },
            Test::Attribute(attribute) => attribute.test(circumstances.context),
            Test::Aggregate(strategy, parts) => strategy.combine(parts.iter().map(|p| p.evaluate(circumstances))),
            Test::Broken(why) => Outcome::Unknown(why.clone()),
        };
        if self.negate { outcome.negated() } else { outcome }
    }

    /// The memory that it takes, roughly, with its parts.
    pub fn bytes(&self) -> usize {
        match &self.test {
            Test::Attribute(attribute) => attribute.bytes(),
            Test::Subject(subject) => {
                500 + subject.any.iter().chain(&subject.all).flatten().map(|s| s.len() + 50).sum::<usize>()
            }
            Test::Aggregate(_, parts) => 500 + parts.iter().map(|part| part.bytes()).sum::<usize>(),
            Test::Time(_) | Test::Broken(_) => 1000,
        }
    }
}

impl Strategy {
    fn combine(self, outcomes: impl Iterator<Item = Outcome>) -> Outcome {
        let (mut hold, mut fail, mut unknown) = (0, 0, Vec::new());
        for outcome in outcomes {
            match outcome {
                Outcome::Holds => hold += 1,
                Outcome::Fails => fail += 1,
                Outcome::Unknown(why) => unknown.push(why),
            }
        }
        // What is unknown may turn out either way: the outcome is known if it is the same for both.
        let holds_with = |more: usize, less: usize| match self {
            Strategy::Unanimous => fail + less == 0,
            Strategy::Affirmative => hold + more > 0,
            Strategy::Consensus => hold + more > fail + less,
        };
        let (best, worst) = (holds_with(unknown.len(), 0), holds_with(0, unknown.len()));
        if best == worst { Outcome::of(best) } else { Outcome::Unknown(unknown.swap_remove(0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Nobody;
    impl Asker for Nobody {
        fn is_in(&self, subject: &str, direct: bool) -> bool {
            subject == "user:1" || subject == "group:near" || (subject == "group:far" && !direct)
        }
    }

    fn policy(kind: &str, config: Value, negate: bool, parts: Vec<Rc<Policy>>) -> Policy {
        Policy::new(negate, Config::parse(kind, &config).unwrap(), parts)
    }

    fn ask(policy: &Policy, context: Value) -> Outcome {
        policy.evaluate(&Circumstances { asker: &Nobody, context: &context, now: Some(DateTime::UNIX_EPOCH) })
    }

    #[test]
    fn subjects_are_any_of_and_all_of() {
        let holds = |config: Value| ask(&policy("subject", config, false, vec![]), Value::Null) == Outcome::Holds;
        assert!(holds(json!({"any": ["role:x", "group:far"]})));
        assert!(!holds(json!({"any": ["role:x", "group:far"], "direct": true})));
        assert!(holds(json!({"all": ["user:1", "group:near"], "direct": true})));
        assert!(!holds(json!({"all": ["user:1", "role:x"]})));
        assert!(!holds(json!({"any": []})));
        assert!(holds(json!({"all": []})));
        assert!(!holds(json!({"any": ["user:1"], "all": ["role:x"]})));
    }

    #[test]
    fn a_bad_configuration_says_what_is_wrong() {
        let problem = |kind: &str, config: Value| Config::parse(kind, &config).unwrap_err();
        assert!(problem("subject", json!({})).contains("neither"));
        assert!(problem("subject", json!({"any": ["bob"]})).contains("\"bob\" is no subject"));
        assert!(problem("subject", json!({"some": []})).contains("unknown field `some`"));
        assert!(problem("aggregate", json!({"policies": []})).contains("empty"));
        assert!(problem("aggregate", json!({"policies": ["a"], "strategy": "most"})).contains("unknown variant"));
        assert!(problem("javascript", json!({})).contains("no kind of policy"));
        assert!(problem("time", json!([])).contains("no JSON object"));
    }

    #[test]
    fn aggregates_know_what_they_can() {
        let says = |outcome: Outcome| {
            Rc::new(match outcome {
                Outcome::Holds => policy("subject", json!({"all": []}), false, vec![]),
                Outcome::Fails => policy("subject", json!({"any": []}), false, vec![]),
                Outcome::Unknown(why) => Policy::broken(why),
            })
        };
        let unknown = || Outcome::Unknown("why".to_string());
        let case = |strategy: &str, parts: &[Outcome]| {
            let names: Vec<String> = parts.iter().map(|_| "p".to_string()).collect();
            let config = json!({"policies": names, "strategy": strategy});
            ask(&policy("aggregate", config, false, parts.iter().cloned().map(says).collect()), Value::Null)
        };
        use Outcome::{Fails, Holds};
        assert_eq!(case("unanimous", &[Holds, Holds]), Holds);
        assert_eq!(case("unanimous", &[Holds, Fails, unknown()]), Fails);
        assert_eq!(case("unanimous", &[Holds, unknown()]), unknown());
        assert_eq!(case("affirmative", &[Fails, Holds, unknown()]), Holds);
        assert_eq!(case("affirmative", &[Fails, unknown()]), unknown());
        assert_eq!(case("affirmative", &[Fails, Fails]), Fails);
        assert_eq!(case("consensus", &[Holds, Fails]), Fails);
        assert_eq!(case("consensus", &[Holds, Holds, Fails]), Holds);
        assert_eq!(case("consensus", &[Holds, Holds, unknown()]), Holds);
        assert_eq!(case("consensus", &[Holds, unknown()]), unknown());
        assert_eq!(case("consensus", &[Fails, unknown()]), Fails);
    }

    #[test]
    fn negation_leaves_the_unknown_unknown() {
        let absent = policy("attribute", json!({"attribute": "ip", "cidr": "10.0.0.0/8"}), true, vec![]);
        assert!(matches!(ask(&absent, Value::Null), Outcome::Unknown(_)));
        assert_eq!(ask(&absent, json!({"ip": "11.0.0.1"})), Outcome::Holds);
        assert_eq!(ask(&absent, json!({"ip": "10.0.0.1"})), Outcome::Fails);
    }
}
