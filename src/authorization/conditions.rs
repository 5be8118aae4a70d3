//! Reads policies with all that they are made of, each once.

use crate::authorization::circle;
use crate::authorization::memory::{self, Entry, Tag, Whose};
use crate::authorization::policy::{Config, Policy};
use crate::authorization::store::{POLICIES, Store, column};
use crate::db::json;
use crate::db::scan::Key;
use crate::error::Result;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// A question counts so much memory for a policy, besides its text. A regular expression may take more, but few do.
const USUAL: usize = 64 << 10;

/// A policy that has been read, before its parts have.
struct Draft {
    name: String,
    negate: bool,
    /// Or why there is none.
    config: std::result::Result<Config, String>,
}

/// A policy and all below it, as far as they were not known.
#[derive(Default)]
struct Drafts {
    drafts: Vec<Draft>,
    numbers: HashMap<String, u32>,
    /// By number, those that each is made of.
    parts: Vec<Vec<u32>>,
}

impl Drafts {
    fn add(&mut self, draft: Draft) -> u32 {
        let number = self.drafts.len() as u32;
        self.numbers.insert(draft.name.clone(), number);
        self.drafts.push(draft);
        self.parts.push(Vec::new());
        number
    }
}

impl Store {
    /// A circle through one of these policies: names, the first of which is the last, too.
    pub fn policy_circle(&mut self, realm: &str, names: &[&str]) -> Result<Option<Vec<String>>> {
        let mut found = Drafts::default();
        let mut asked = Vec::new();
        for name in names {
            let number = match found.numbers.get(*name) {
                Some(number) => *number,
                None => found.add(self.draft(realm, name)?),
            };
            asked.push(number);
        }
        self.follow(realm, &mut found)?;
        let circle = circle::through(&found.parts, &asked);
        Ok(circle.map(|path| path.iter().map(|number| found.drafts[*number as usize].name.clone()).collect()))
    }

    /// A policy with all that it is made of. One that is missing, or made of itself, never tells.
    pub fn policy(&mut self, realm: &str, name: &str) -> Result<Rc<Policy>> {
        if let Some(Entry::Policy(policy)) = memory::recall(Tag::Policy, &[realm, name]) {
            return Ok(policy);
        }
        if let Some(policy) = self.policies.get(name) {
            return Ok(policy.clone());
        }
        let drafts = self.drafts(realm, name)?;
        let policy = self.build(drafts)?;
        let entry = Entry::Policy(policy.clone());
        memory::remember(Tag::Policy, &[realm, name], Whose::Nobody, entry, bytes_with_parts(&policy));
        Ok(policy)
    }

    /// The first is the one that is asked for.
    fn drafts(&mut self, realm: &str, name: &str) -> Result<Drafts> {
        let mut found = Drafts::default();
        found.add(self.draft(realm, name)?);
        self.follow(realm, &mut found)?;
        Ok(found)
    }

    /// Adds all that these are made of.
    fn follow(&mut self, realm: &str, found: &mut Drafts) -> Result<()> {
        let mut next = 0;
        while next < found.drafts.len() {
            let parts = found.drafts[next].config.as_ref().map_or(&[][..], Config::parts).to_vec();
            for part in parts {
                let number = match found.numbers.get(&part) {
                    Some(number) => *number,
                    // Known whole: its own parts are not looked at.
                    None if self.policies.contains_key(&part) => continue,
                    None => found.add(self.draft(realm, &part)?),
                };
                found.parts[next].push(number);
            }
            next += 1;
        }
        Ok(())
    }

    fn draft(&mut self, realm: &str, name: &str) -> Result<Draft> {
        use column::policy::{CONFIG, KIND, NEGATE};
        let mut found = None;
        self.spend(3 * name.len() + 400)?;
        self.collect_while(&POLICIES, &[Key::Is(realm), Key::Is(name)], |row| {
            found = Some((row.name(KIND), row.printed_json(CONFIG), row.flag(NEGATE)));
            (0, false)
        })?;
        let Some((kind, text, negate)) = found else {
            let config = Err(format!("there is no policy \"{name}\""));
            return Ok(Draft { name: name.to_string(), negate: false, config });
        };
        let text = text?;
        json::ensure(&text)?;
        let parsed = serde_json::from_str(&text).map_err(|e| e.to_string());
        let config = parsed.and_then(|document| Config::parse(&kind, &document));
        let config = config.map_err(|problem| format!("policy \"{name}\": {problem}"));
        self.spend_for_all(2 * text.len())?;
        Ok(Draft { name: name.to_string(), negate, config })
    }

    /// Builds what each is made of before it.
    fn build(&mut self, drafts: Drafts) -> Result<Rc<Policy>> {
        let Drafts { drafts, parts, .. } = drafts;
        let asked = drafts[0].name.clone();
        let mut drafts: Vec<Option<Draft>> = drafts.into_iter().map(Some).collect();
        for component in circle::components(&parts, &[0]) {
            let in_circle = circle::is_circle(&component, &parts);
            for draft in component.iter().filter_map(|number| drafts[*number as usize].take()) {
                let policy = if in_circle {
                    Policy::broken(format!("policy \"{}\" is made of itself", draft.name))
                } else {
                    self.policy_of(&draft.name, draft.negate, draft.config)
                };
                self.spend_for_all(policy.bytes().min(USUAL))?;
                self.policies.insert(draft.name, Rc::new(policy));
            }
        }
        Ok(self.policies[&asked].clone())
    }

    /// Its parts are known.
    fn policy_of(&self, name: &str, negate: bool, config: std::result::Result<Config, String>) -> Policy {
        match config {
            Err(why) => Policy::broken(why),
            Ok(config) => {
                let parts = config.parts().iter().filter_map(|part| self.policies.get(part).cloned()).collect();
                Policy::new(name, negate, config, parts)
            }
        }
    }
}

/// The memory that a policy takes with its parts, roughly.
fn bytes_with_parts(policy: &Rc<Policy>) -> usize {
    let mut seen = HashSet::from([Rc::as_ptr(policy)]);
    let (mut bytes, mut left) = (0, vec![policy]);
    while let Some(policy) = left.pop() {
        bytes += policy.bytes();
        left.extend(policy.parts().iter().filter(|part| seen.insert(Rc::as_ptr(part))));
    }
    bytes
}
