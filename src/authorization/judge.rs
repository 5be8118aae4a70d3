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

/// May the subject do this? The subject `*` stands for one of whom nothing is known.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub realm: &'a str,
    pub subject: &'a str,
    pub scope: &'a str,
    pub resource_type: &'a str,
    /// `None`: on the whole type.
    pub resource: Option<&'a str>,
}

/// The permissions that decide a question.
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
    if !subject::is_subject(subject) {
        return Ok(false);
    }
    match memory::recall(tag, texts) {
        Some(Entry::Answer(permitted)) => return Ok(permitted),
        Some(Entry::Findings(findings)) => return Ok(findings.permit(context)),
        _ => {}
    }
    let (permitted, entry, payload) = match answer(store, question)? {
        Answer::Known(permitted) => (permitted, Entry::Answer(permitted), 0),
        Answer::Findings(findings) => {
            let (permitted, payload) = (findings.permit(context), findings.bytes());
            let depends = findings.rows.iter().any(|row| row.policy.is_some());
            (permitted, if depends { Entry::Findings(Rc::new(findings)) } else { Entry::Answer(permitted) }, payload)
        }
    };
    memory::remember(tag, texts, entry, payload);
    Ok(permitted)
}

/// The same, and nothing is remembered of the answer: for listings, which ask about everything once.
pub fn check_once(store: &mut Store, question: &Question, context: &Context) -> Result<bool> {
    Ok(match answer(store, question)? {
        Answer::Known(permitted) => permitted,
        Answer::Findings(findings) => findings.permit(context),
    })
}

enum Answer {
    Known(bool),
    Findings(Findings),
}

fn answer(store: &mut Store, question: &Question) -> Result<Answer> {
    let Some(search) = search(store, question)? else { return Ok(Answer::Known(false)) };
    match evident(question, &search) {
        Some(permitted) => Ok(Answer::Known(permitted)),
        None => Ok(Answer::Findings(search.complete(store, question)?)),
    }
}

/// The permissions that a question is about. `None` where there is nothing to ask: no such realm, type or scope.
pub fn find(store: &mut Store, question: &Question) -> Result<Option<Findings>> {
    search(store, question)?.map(|search| search.complete(store, question)).transpose()
}

/// What is known of a question before it is known what the asker is in.
struct Search {
    graph: Graph,
    places: Places,
    /// Everybody's permissions on the resource, and on containers of its type, where they are few.
    near: Option<Vec<Permission>>,
}

fn search(store: &mut Store, question: &Question) -> Result<Option<Search>> {
    let Question { realm, scope, resource_type, resource, .. } = *question;
    let model = store.model(realm)?;
    let Some(graph) = Graph::new(&model, resource_type, scope) else { return Ok(None) };
    let places = places(store, &model, realm, resource_type, resource)?;
    let resources = places.resources_of(resource_type);
    let near = if resources.is_empty() {
        Some(Vec::new())
    } else {
        store.few_on_resources(realm, resource_type, &graph.scopes_of(resource_type), &resources)?
    };
    Ok(Some(Search { graph, places, near }))
}

/// The answer, where permissions of the asker himself, or of everybody, give it on the resource: then it does not matter what he is in.
fn evident(question: &Question, search: &Search) -> Option<bool> {
    let resource = question.resource?;
    let on_it = |p: &&Permission| p.resource.as_deref() == Some(resource) && p.scope == question.scope;
    let here: Vec<&Permission> = search.near.as_ref()?.iter().filter(on_it).collect();
    let concern =
        |p: &&&Permission| p.policy.is_none() && [question.subject, subject::EVERYBODY].contains(&p.subject.as_str());
    if here.iter().filter(concern).any(|p| p.effect == Effect::Deny) {
        return Some(false);
    }
    let denied = here.iter().any(|p| p.effect == Effect::Deny);
    (!denied && here.iter().any(|p| concern(&p))).then_some(true)
}

impl Search {
    fn complete(self, store: &mut Store, question: &Question) -> Result<Findings> {
        let asker = store.closure(question.realm, question.subject)?;
        let rows = rows(store, question, &self, &asker)?;
        Ok(Findings { graph: self.graph, asker, rows })
    }
}

impl Places {
    /// The resource and its containers, as far as they are of this type.
    fn resources_of(&self, resource_type: &str) -> Vec<&str> {
        self.on_resources.iter().filter(|p| p.resource_type == resource_type).map(|p| p.resource.as_str()).collect()
    }
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

fn rows(store: &mut Store, question: &Question, search: &Search, asker: &Closure) -> Result<Vec<Found>> {
    let Search { graph, places, near } = search;
    let subjects = asker.subjects();
    let mut found = Vec::new();
    for resource_type in graph.types() {
        let scopes = graph.scopes_of(resource_type);
        let mut add = |level: Level, permission: Permission| {
            if let Some(node) = graph.find(resource_type, &permission.scope) {
                found.push(Found { level, node, permission, policy: None });
            }
        };
        let resources = places.resources_of(resource_type);
        if !resources.is_empty() {
            let his = |p: &&Permission| subjects.contains(&p.subject.as_str());
            let permissions = match near {
                Some(near) if resource_type == question.resource_type => near.iter().filter(his).cloned().collect(),
                _ => store.on_resources(question.realm, &subjects, resource_type, &scopes, &resources)?,
            };
            for permission in permissions {
                let here =
                    |p: &&Place| p.resource_type == resource_type && permission.resource.as_ref() == Some(&p.resource);
                if let Some(place) = places.on_resources.iter().find(here) {
                    add(place.level, permission);
                }
            }
        }
        if let Some((level, _)) = places.on_types.iter().find(|(_, name)| name == resource_type) {
            for permission in store.on_type(question.realm, &subjects, resource_type, &scopes)? {
                add(*level, permission);
            }
        }
    }
    for row in &mut found {
        if let Some(name) = &row.permission.policy {
            row.policy = Some(store.policy(question.realm, name)?);
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
