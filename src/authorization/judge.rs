//! From a question to its answer: what is found for it, and what that says.

use crate::authorization::memory::{self, Entry, Tag};
use crate::authorization::plan::Effect;
use crate::authorization::plan::{self, Graph, Level, Match, Model};
use crate::authorization::policy::{Circumstances, Outcome, Policy};
use crate::authorization::store::{Closure, Permission, Store};
use crate::authorization::subject;
use crate::db::{json, session};
use crate::error::Result;
use chrono::{DateTime, Utc};
use pgrx::AnyElement;
use serde_json::Value;
use std::cell::OnceCell;
use std::rc::Rc;

/// May the subject do this?
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub realm: &'a str,
    pub subject: &'a str,
    pub scope: &'a str,
    pub resource_type: &'a str,
    /// `None`: on the whole type.
    pub resource: Option<&'a str>,
}

/// The permissions that a question is about.
pub struct Findings {
    pub graph: Graph,
    pub asker: Rc<Closure>,
    pub rows: Vec<Found>,
}

pub struct Found {
    pub level: Level,
    pub node: usize,
    pub permission: Permission,
    pub policy: Option<Rc<Policy>>,
}

/// A resource or a container of it, and how far away it is.
pub struct Place {
    pub level: Level,
    pub resource_type: String,
    pub resource: String,
}

/// Where permissions can stand for a question.
pub struct Places {
    pub on_resources: Vec<Place>,
    pub on_types: Vec<(Level, String)>,
}

/// The context of a question: parsed when a policy asks for it.
pub struct Context {
    given: Option<AnyElement>,
    parsed: OnceCell<Value>,
}

impl Context {
    /// `given`: a jsonb value.
    pub fn new(given: Option<AnyElement>) -> Self {
        Context { given, parsed: OnceCell::new() }
    }

    pub fn value(&self) -> &Value {
        let parse = |given| serde_json::from_str(&json::jsonb_text(given)).ok();
        self.parsed.get_or_init(|| self.given.and_then(parse).unwrap_or(Value::Null))
    }

    /// The time of the question: the statement's, unless the context says another.
    fn now(&self) -> Option<DateTime<Utc>> {
        match self.value().get("now") {
            None => DateTime::from_timestamp_micros(session::statement_time()),
            Some(now) => DateTime::parse_from_rfc3339(now.as_str()?).ok().map(|now| now.to_utc()),
        }
    }
}

/// Answers from memory, or by reading.
pub fn check(store: &mut Store, question: &Question, context: &Context) -> Result<bool> {
    let Question { realm, subject, scope, resource_type, resource } = *question;
    let (tag, texts) = match resource {
        None => (Tag::OnType, &[realm, subject, scope, resource_type][..]),
        Some(resource) => (Tag::OnResource, &[realm, subject, scope, resource_type, resource][..]),
    };
    match memory::recall(tag, texts) {
        Some(Entry::Answer(permitted)) => return Ok(permitted),
        Some(Entry::Findings(findings)) => return Ok(findings.permit(context)),
        _ => {}
    }
    let findings = if subject::is_subject(subject) { find(store, question)? } else { None };
    let (permitted, entry, payload) = match findings {
        Some(findings) if findings.rows.iter().any(|row| row.policy.is_some()) => {
            let (permitted, payload, findings) = (findings.permit(context), findings.bytes(), Rc::new(findings));
            (permitted, Entry::Findings(findings), payload)
        }
        findings => {
            let permitted = findings.is_some_and(|findings| findings.permit(context));
            (permitted, Entry::Answer(permitted), 0)
        }
    };
    memory::remember(tag, texts, entry, payload);
    Ok(permitted)
}

/// The same, and nothing is remembered of the answer: for listings, which ask about everything once.
pub fn check_once(store: &mut Store, question: &Question, context: &Context) -> Result<bool> {
    Ok(find(store, question)?.is_some_and(|findings| findings.permit(context)))
}

/// `None` where there is nothing to ask: no such realm, type or scope. The subject `*` stands for one of whom nothing is known.
pub fn find(store: &mut Store, question: &Question) -> Result<Option<Findings>> {
    let Question { realm, subject: asker, scope, resource_type, resource } = *question;
    let model = store.model(realm)?;
    let Some(graph) = Graph::new(&model, resource_type, scope) else { return Ok(None) };
    let asker = store.closure(realm, asker)?;
    let places = places(store, &model, realm, resource_type, resource)?;
    let rows = rows(store, realm, &graph, &asker, &places)?;
    Ok(Some(Findings { graph, asker, rows }))
}

/// The resource, its containers from the nearest on, their types, and the type of the resource.
pub fn places(
    store: &mut Store,
    model: &Model,
    realm: &str,
    resource_type: &str,
    resource: Option<&str>,
) -> Result<Places> {
    let mut on_resources: Vec<Place> = Vec::new();
    if let Some(resource) = resource {
        let here = (resource_type.to_string(), resource.to_string());
        let mut frontier = vec![here];
        let mut distance = 0;
        while !frontier.is_empty() {
            let level = if distance == 0 { Level::Instance } else { Level::Container(distance) };
            let mut next = Vec::new();
            for (resource_type, resource) in frontier {
                let is_here = |place: &Place| place.resource_type == resource_type && place.resource == resource;
                if on_resources.iter().any(is_here) {
                    continue;
                }
                if model.contained.contains(&resource_type) {
                    next.extend(store.containers_of(realm, &resource_type, &resource)?.iter().cloned());
                }
                on_resources.push(Place { level, resource_type, resource });
            }
            frontier = next;
            distance += 1;
        }
    }
    let mut on_types = vec![(Level::Type, resource_type.to_string())];
    for place in on_resources.iter().skip(1) {
        if !on_types.iter().any(|(_, known)| *known == place.resource_type) {
            on_types.push((Level::ContainerType, place.resource_type.clone()));
        }
    }
    Ok(Places { on_resources, on_types })
}

fn rows(store: &mut Store, realm: &str, graph: &Graph, asker: &Closure, places: &Places) -> Result<Vec<Found>> {
    let subjects = asker.subjects();
    let mut found = Vec::new();
    for resource_type in graph.types() {
        let scopes = graph.scopes_of(resource_type);
        let mut add = |level: Level, permission: Permission| {
            if let Some(node) = graph.find(resource_type, &permission.scope) {
                found.push(Found { level, node, permission, policy: None });
            }
        };
        let here: Vec<&Place> =
            places.on_resources.iter().filter(|place| place.resource_type == resource_type).collect();
        if !here.is_empty() {
            let resources: Vec<&str> = here.iter().map(|place| place.resource.as_str()).collect();
            for permission in store.on_resources(realm, &subjects, resource_type, &scopes, &resources)? {
                let place = here.iter().find(|place| permission.resource.as_deref() == Some(&place.resource));
                if let Some(place) = place {
                    add(place.level, permission);
                }
            }
        }
        if let Some((level, _)) = places.on_types.iter().find(|(_, name)| name == resource_type) {
            for permission in store.on_type(realm, &subjects, resource_type, &scopes)? {
                add(*level, permission);
            }
        }
    }
    for row in &mut found {
        if let Some(name) = &row.permission.policy {
            row.policy = Some(store.policy(realm, name)?);
        }
    }
    found.sort_by_key(|row| (row.level, row.permission.effect == Effect::Allow, row.permission.id));
    Ok(found)
}

impl Findings {
    pub fn permit(&self, context: &Context) -> bool {
        let matches: Vec<Match> =
            self.outcomes(context).into_iter().filter_map(|(m, matched, _)| matched.then_some(m)).collect();
        plan::decide(&self.graph, &matches).is_some_and(|decided| decided.effect == Effect::Allow)
    }

    /// Of each row whether it matches, and what its policy said.
    pub fn outcomes(&self, context: &Context) -> Vec<(Match, bool, Option<Outcome>)> {
        let one = |(row, found): (usize, &Found)| {
            let effect = found.permission.effect;
            let outcome = found.policy.as_ref().map(|policy| {
                policy.evaluate(&Circumstances { asker: &*self.asker, context: context.value(), now: context.now() })
            });
            let matched = match (&outcome, effect) {
                (None, _) => true,
                (Some(outcome), Effect::Allow) => *outcome == Outcome::Holds,
                (Some(outcome), Effect::Deny) => *outcome != Outcome::Fails,
            };
            (Match { level: found.level, node: found.node, effect, row }, matched, outcome)
        };
        self.rows.iter().enumerate().map(one).collect()
    }

    fn bytes(&self) -> usize {
        200 * (self.graph.nodes.len() + 1) + 400 * self.rows.len()
    }
}
