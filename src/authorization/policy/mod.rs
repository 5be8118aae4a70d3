//! Policies: conditions on a permission. They are parsed when they are written, so that none fails when it is asked,
//! and know nothing of Postgres.
//!
//! A policy holds, fails, or cannot tell: the context lacks what it asks about. What cannot tell counts against the
//! asker: its allow row does not match, its deny row does.

mod attribute;
mod time;

use crate::authorization::subject;
use crate::error::Result;
use attribute::Attribute;
use chrono::{DateTime, Utc};
use foldhash::fast::RandomState;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::rc::Rc;
use time::Time;

/// Policies made of policies are followed so far. So what follows them by recursion needs little of the stack.
pub const DEEPEST: usize = 100;

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
    pub host: &'a dyn Host,
}

/// What a long evaluation needs of its surroundings.
pub trait Host {
    /// Looks whether the question has been given up.
    fn pause(&self);

    /// Whether the expression is found in the text, which may take long.
    fn finds(&self, regex: &Regex, text: &str) -> Result<bool>;
}

/// What policies say under one set of circumstances, each found out once.
pub struct Evaluation<'a> {
    circumstances: Circumstances<'a>,
    /// By the address of the policy, which outlives this.
    known: HashMap<*const Policy, Outcome, RandomState>,
}

/// A policy as it is kept: parsed, and with the policies that it is made of.
#[derive(Debug)]
pub struct Policy {
    negate: bool,
    test: Test,
    /// How far the policies that it is made of go down: 0 for one that is made of none.
    height: usize,
    asks_context: bool,
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
    pub fn parse(kind: &str, config: &Value) -> std::result::Result<Self, String> {
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
    fn parse(config: &Value) -> std::result::Result<Self, String> {
        let parsed = Subject::deserialize(config).map_err(|e| e.to_string())?;
        if parsed.any.is_none() && parsed.all.is_none() {
            return Err("it has neither \"any\" nor \"all\", the subjects that the asker is or is in".to_string());
        }
        let named = parsed.any.iter().chain(&parsed.all).flatten();
        match named.into_iter().find(|name| !subject::is_subject(name)) {
            Some(name) => Err(format!("\"{name}\" is no subject: user:..., group:..., role:... or client:...")),
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
    fn parse(config: &Value) -> std::result::Result<Self, String> {
        let parsed = Aggregate::deserialize(config).map_err(|e| e.to_string())?;
        if parsed.policies.is_empty() {
            return Err("\"policies\" is empty: name the policies that it is made of".to_string());
        }
        Ok(parsed)
    }
}

impl Policy {
    /// `parts` are those that `config` names, in its order.
    pub fn new(name: &str, negate: bool, config: Config, parts: Vec<Rc<Policy>>) -> Self {
        let height = parts.iter().map(|part| part.height + 1).max().unwrap_or(0);
        if height > DEEPEST {
            return Policy::broken(format!("policy \"{name}\" is nested too deeply"));
        }
        let asks_context = match &config {
            Config::Subject(_) => false,
            Config::Time(_) | Config::Attribute(_) => true,
            Config::Aggregate(_) => parts.iter().any(|part| part.asks_context),
        };
        let test = match config {
            Config::Subject(subject) => Test::Subject(subject),
            Config::Time(time) => Test::Time(time),
            Config::Attribute(attribute) => Test::Attribute(attribute),
            Config::Aggregate(aggregate) => Test::Aggregate(aggregate.strategy, parts),
        };
        Policy { negate, test, height, asks_context }
    }

    /// A policy that never tells.
    pub fn broken(why: impl Into<String>) -> Self {
        Policy { negate: false, test: Test::Broken(why.into()), height: 0, asks_context: false }
    }

    /// Whether what it says depends on more than who asks.
    pub fn asks_context(&self) -> bool {
        self.asks_context
    }

    /// The policies that it is made of.
    pub fn parts(&self) -> &[Rc<Policy>] {
        if let Test::Aggregate(_, parts) = &self.test { parts } else { &[] }
    }

    /// The memory that it takes, roughly, without its parts.
    pub fn bytes(&self) -> usize {
        match &self.test {
            Test::Attribute(attribute) => attribute.bytes(),
            Test::Subject(subject) => {
                500 + subject.any.iter().chain(&subject.all).flatten().map(|s| s.len() + 50).sum::<usize>()
            }
            Test::Aggregate(_, parts) => 500 + 16 * parts.len(),
            Test::Time(_) | Test::Broken(_) => 1000,
        }
    }
}

impl<'a> Evaluation<'a> {
    pub fn under(circumstances: Circumstances<'a>) -> Self {
        Evaluation { circumstances, known: HashMap::default() }
    }

    pub fn of(&mut self, policy: &'a Policy) -> Result<Outcome> {
        if let Some(outcome) = self.known.get(&std::ptr::from_ref(policy)) {
            return Ok(outcome.clone());
        }
        let Circumstances { asker, context, now, host } = self.circumstances;
        host.pause();
        let outcome = match &policy.test {
            Test::Subject(subject) => Outcome::of(subject.test(asker)),
            Test::Time(time) => match now {
                Some(now) => Outcome::of(time.test(now)),
                None => Outcome::Unknown("\"now\" of the context is no time".to_string()),
            },
            Test::Attribute(attribute) => attribute.test(context, host)?,
            Test::Aggregate(strategy, parts) => {
                let mut tally = Tally::default();
                for part in parts {
                    tally.add(self.of(part)?);
                }
                strategy.combine(tally)
            }
            Test::Broken(why) => Outcome::Unknown(why.clone()),
        };
        let outcome = if policy.negate { outcome.negated() } else { outcome };
        self.known.insert(policy, outcome.clone());
        Ok(outcome)
    }
}

/// What the parts of an aggregate said.
#[derive(Default)]
struct Tally {
    hold: usize,
    fail: usize,
    unknown: usize,
    /// The first reason why one cannot tell.
    why: Option<String>,
}

impl Tally {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Holds => self.hold += 1,
            Outcome::Fails => self.fail += 1,
            Outcome::Unknown(why) => {
                self.unknown += 1;
                self.why.get_or_insert(why);
            }
        }
    }
}

impl Strategy {
    fn combine(self, tally: Tally) -> Outcome {
        let Tally { hold, fail, unknown, why } = tally;
        // What is unknown may turn out either way: the outcome is known if it is the same for both.
        let holds_with = |more: usize, less: usize| match self {
            Strategy::Unanimous => fail + less == 0,
            Strategy::Affirmative => hold + more > 0,
            Strategy::Consensus => hold + more > fail + less,
        };
        let (best, worst) = (holds_with(unknown, 0), holds_with(0, unknown));
        match why {
            Some(why) if best != worst => Outcome::Unknown(why),
            _ => Outcome::of(best),
        }
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

    /// Counts the policies that are evaluated.
    #[derive(Default)]
    pub(super) struct Counting(std::cell::Cell<usize>);
    impl Host for Counting {
        fn pause(&self) {
            self.0.set(self.0.get() + 1);
        }

        fn finds(&self, regex: &Regex, text: &str) -> Result<bool> {
            Ok(regex.is_match(text))
        }
    }

    fn policy(kind: &str, config: Value, negate: bool, parts: Vec<Rc<Policy>>) -> Policy {
        Policy::new("p", negate, Config::parse(kind, &config).unwrap(), parts)
    }

    fn ask(policy: &Policy, context: Value) -> Outcome {
        ask_of(policy, context, &Counting::default())
    }

    fn ask_of(policy: &Policy, context: Value, host: &Counting) -> Outcome {
        let now = Some(DateTime::UNIX_EPOCH);
        Evaluation::under(Circumstances { asker: &Nobody, context: &context, now, host }).of(policy).unwrap()
    }

    fn always() -> Rc<Policy> {
        Rc::new(policy("subject", json!({"all": []}), false, vec![]))
    }

    #[test]
    fn a_shared_part_is_evaluated_once() {
        let both = json!({"policies": ["a", "b"]});
        let mut level = [always(), always()];
        for _ in 0..60 {
            level = [false, false].map(|_| Rc::new(policy("aggregate", both.clone(), false, level.to_vec())));
        }
        let host = Counting::default();
        assert_eq!(ask_of(&level[0], Value::Null, &host), Outcome::Holds);
        assert!(host.0.get() < 200, "{}", host.0.get());
    }

    #[test]
    fn what_is_nested_too_deeply_never_tells() {
        let one = json!({"policies": ["a"]});
        let mut deep = always();
        for n in 0..300 {
            let holds = ask(&deep, Value::Null) == Outcome::Holds;
            assert_eq!(holds, n <= DEEPEST, "{n} aggregates");
            deep = Rc::new(policy("aggregate", one.clone(), false, vec![deep]));
        }
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
