//! The permissions that a question is about, and what they say.

use crate::authorization::grants::{Permission, Wanted};
use crate::authorization::judge::{Context, Question, Session};
use crate::authorization::places::Places;
use crate::authorization::plan::{self, Combining, Effect, Graph, Level, Match, Model};
use crate::authorization::policy::{Circumstances, Evaluation, Outcome, Policy};
use crate::authorization::store::{Closure, Store};
use crate::authorization::subject;
use crate::authorization::walk;
use crate::error::Result;
use serde_json::Value;
use std::collections::HashSet;
use std::rc::Rc;

/// What is known of a question before it is known what the asker is in.
pub struct Search {
    model: Rc<Model>,
    graph: Rc<Graph>,
    places: Places,
    /// Everybody's permissions on the resource, and on containers of its type, where they are few.
    near: Option<Vec<Permission>>,
}

impl Search {
    /// `None` where there is nothing to ask: no such realm, type or scope.
    pub fn of(store: &mut Store, question: &Question) -> Result<Option<Self>> {
        let Question { realm, scope, resource_type, resource, .. } = *question;
        let model = store.model(realm)?;
        let Some(graph) = store.graph(&model, realm, resource_type, scope)? else { return Ok(None) };
        let places = Places::for_graph(store, &model, &graph, realm, (resource_type, resource))?;
        let resources = places.resources_of(resource_type);
        let near = if resources.is_empty() {
            Some(Vec::new())
        } else {
            store.few_on_resources(realm, resource_type, &graph.scopes_of(resource_type), &resources)?
        };
        Ok(Some(Search { model, graph, places, near }))
    }

    /// The answer, where it does not depend on what the asker is in.
    pub fn evident(&self, question: &Question) -> Option<bool> {
        if !self.graph.nearest_is_enough() {
            return None;
        }
        let on_it = |p: &&Permission| p.resource.as_deref() == question.resource && p.scope == question.scope;
        let his = [question.subject, subject::EVERYBODY];
        let surely_his = |p: &Permission| p.policy.is_none() && his.contains(&p.subject.as_str());
        plan::evident(self.near.iter().flatten().filter(on_it).map(|p| (p.effect, surely_his(p))))
    }

    pub fn complete(self, store: &mut Store, question: &Question) -> Result<Findings> {
        let asker = store.closure(question.realm, question.subject)?;
        let mut rows = self.rows(store, question, &asker)?;
        if self.graph.combining() == Combining::KeycloakUncovered {
            walk::mark_covered(store, &self.model, question, &mut rows)?;
        }
        Ok(Findings { graph: self.graph, rows })
    }

    fn rows(&self, store: &mut Store, question: &Question, asker: &Closure) -> Result<Vec<Found>> {
        let subjects = asker.subjects();
        let mut rows = Vec::new();
        for resource_type in self.graph.types() {
            let resources = self.places.resources_of(resource_type);
            let level = self.places.level_of_type(resource_type);
            if resources.is_empty() && level.is_none() {
                continue;
            }
            let scopes = self.graph.scopes_of(resource_type);
            let wanted = Wanted { asker, subjects: &subjects, scopes: &scopes };
            let mut add = |level: Option<Level>, permission: Permission| {
                let node = self.graph.find(resource_type, &permission.scope);
                rows.extend(level.zip(node).map(|(level, node)| Found { level, node, permission, covered: false }));
            };
            for permission in self.on_resources(store, question, resource_type, &resources, &wanted)? {
                let resource = permission.resource.as_deref().unwrap_or_default();
                add(self.places.level_of(resource_type, resource), permission);
            }
            if level.is_some() {
                for permission in store.on_type(question.realm, &wanted, resource_type)? {
                    add(level, permission);
                }
            }
        }
        rows.sort_by_key(|row| (row.level, row.permission.effect == Effect::Allow, row.permission.id));
        Ok(rows)
    }

    fn on_resources(
        &self,
        store: &mut Store,
        question: &Question,
        resource_type: &str,
        resources: &[&str],
        wanted: &Wanted,
    ) -> Result<Vec<Permission>> {
        match &self.near {
            _ if resources.is_empty() => Ok(Vec::new()),
            Some(near) if resource_type == question.resource_type => {
                Ok(near.iter().filter(|p| wanted.asker.has(&p.subject)).cloned().collect())
            }
            _ => store.on_resources(question.realm, wanted, resource_type, resources),
        }
    }
}

/// The permissions of the asker, nearest first; of each level the denies first.
pub struct Findings {
    pub graph: Rc<Graph>,
    pub rows: Vec<Found>,
}

pub struct Found {
    pub level: Level,
    pub node: usize,
    pub permission: Permission,
    /// It stands on a farther container, and is not consulted: the nearest one has permissions about its scopes.
    pub covered: bool,
}

/// What became of a permission: whether it matches, and what its policy said.
pub struct Finding {
    pub matched: Option<Match>,
    pub outcome: Option<Outcome>,
    /// It restricts, and an allow of its bundle counts.
    pub lifted: bool,
}

/// What belongs together: an origin, a resource, and a scope.
type Bundle<'a> = (Option<&'a str>, Option<&'a str>, usize);

impl Findings {
    pub fn depend_on_policies(&self) -> bool {
        self.rows.iter().any(|row| row.permission.policy.is_some())
    }

    /// Whether permissions of others have a say: they cover farther containers.
    pub fn depend_on_anybody(&self) -> bool {
        self.graph.combining() == Combining::KeycloakUncovered
    }

    pub fn permit(&self, store: &mut Store, question: &Question, context: &Context) -> Result<bool> {
        Ok(self
            .decide(question, &self.evaluate(store, question, context)?)
            .is_some_and(|decided| decided.effect == Effect::Allow))
    }

    pub fn decide(&self, question: &Question, findings: &[Finding]) -> Option<Match> {
        let matches: Vec<Match> = findings.iter().filter_map(|finding| finding.matched).collect();
        plan::decide(&self.graph, &matches, question.resource.is_some())
    }

    /// One for each row.
    pub fn evaluate(&self, store: &mut Store, question: &Question, context: &Context) -> Result<Vec<Finding>> {
        let outcomes = self.outcomes(store, question, context)?;
        let counts = |row: &Found, outcome: &Option<Outcome>| {
            let effect = row.permission.effect;
            !row.covered && outcome.as_ref().is_none_or(|outcome| plan::counts(effect, outcome))
        };
        let granted: HashSet<Bundle> = self
            .rows
            .iter()
            .zip(&outcomes)
            .filter(|(row, outcome)| row.permission.effect == Effect::Allow && counts(row, outcome))
            .map(|(row, _)| row.bundle())
            .collect();
        let finding = |(number, (row, outcome)): (usize, (&Found, Option<Outcome>))| {
            let lifted = row.permission.effect == Effect::Restrict && granted.contains(&row.bundle());
            let effect = if row.permission.effect == Effect::Allow { Effect::Allow } else { Effect::Deny };
            let counts = counts(row, &outcome) && !lifted;
            let matched = counts.then_some(Match { level: row.level, node: row.node, effect, row: number });
            Finding { matched, outcome, lifted }
        };
        Ok(self.rows.iter().zip(outcomes).enumerate().map(finding).collect())
    }

    /// What the policy of each row says, if it has one.
    fn outcomes(&self, store: &mut Store, question: &Question, context: &Context) -> Result<Vec<Option<Outcome>>> {
        if !self.depend_on_policies() {
            return Ok(vec![None; self.rows.len()]);
        }
        let policy = |row: &Found| row.permission.policy.as_ref().map(|name| store.policy(question.realm, name));
        let policies = self.rows.iter().map(policy).map(Option::transpose).collect::<Result<Vec<_>>>()?;
        let asker = store.closure(question.realm, question.subject)?;
        let circumstances =
            Circumstances { asker: &*asker, context: context.value()?, now: context.now()?, host: &Session };
        let mut evaluation = Evaluation::under(circumstances);
        policies.iter().map(|policy| policy.as_deref().map(|policy| evaluation.of(policy)).transpose()).collect()
    }

    /// Leaves out what needs no context: rows that never count for this asker, and policies that always hold for him.
    pub fn settled(mut self, store: &mut Store, question: &Question) -> Result<Findings> {
        let names = self.rows.iter().map(|row| row.permission.policy.as_deref());
        let policy = |name: Option<&str>| name.map(|name| store.policy(question.realm, name)).transpose();
        let policies = names.map(policy).collect::<Result<Vec<_>>>()?;
        let settles = |policy: &Option<Rc<Policy>>| policy.as_ref().is_some_and(|policy| !policy.asks_context());
        if !policies.iter().any(settles) {
            return Ok(self);
        }
        let asker = store.closure(question.realm, question.subject)?;
        let circumstances = Circumstances { asker: &*asker, context: &Value::Null, now: None, host: &Session };
        let mut evaluation = Evaluation::under(circumstances);
        let mut rows = Vec::with_capacity(self.rows.len());
        for (mut row, policy) in self.rows.into_iter().zip(&policies) {
            if let Some(policy) = policy.as_deref().filter(|policy| !policy.asks_context()) {
                if !plan::counts(row.permission.effect, &evaluation.of(policy)?) {
                    continue;
                }
                row.permission.policy = None;
            }
            rows.push(row);
        }
        self.rows = rows;
        Ok(self)
    }

    /// The memory that they take, roughly.
    pub fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.permission.bytes() + 32).sum::<usize>() + self.graph.bytes()
    }
}

impl Found {
    fn bundle(&self) -> Bundle<'_> {
        (self.permission.origin.as_deref(), self.permission.resource.as_deref(), self.node)
    }
}
