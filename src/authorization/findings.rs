//! The permissions that a question is about, and what they say.

use crate::authorization::judge::{Context, Question};
use crate::authorization::places::Places;
use crate::authorization::plan::{self, Effect, Graph, Level, Match};
use crate::authorization::policy::{Circumstances, Outcome};
use crate::authorization::store::{Closure, Permission, Store};
use crate::authorization::subject;
use crate::error::Result;

/// What is known of a question before it is known what the asker is in.
pub struct Search {
    graph: Graph,
    places: Places,
    /// Everybody's permissions on the resource, and on containers of its type, where they are few.
    near: Option<Vec<Permission>>,
}

impl Search {
    /// `None` where there is nothing to ask: no such realm, type or scope.
    pub fn of(store: &mut Store, question: &Question) -> Result<Option<Self>> {
        let Question { realm, scope, resource_type, resource, .. } = *question;
        let model = store.model(realm)?;
        let Some(graph) = Graph::new(&model, resource_type, scope) else { return Ok(None) };
        let places = Places::of(store, &model, realm, resource_type, resource)?;
        let resources = places.resources_of(resource_type);
        let near = if resources.is_empty() {
            Some(Vec::new())
        } else {
            store.few_on_resources(realm, resource_type, &graph.scopes_of(resource_type), &resources)?
        };
        Ok(Some(Search { graph, places, near }))
    }

    /// The answer, where it does not depend on what the asker is in.
    pub fn evident(&self, question: &Question) -> Option<bool> {
        let on_it = |p: &&Permission| p.resource.as_deref() == question.resource && p.scope == question.scope;
        let his = [question.subject, subject::EVERYBODY];
        let surely_his = |p: &Permission| p.policy.is_none() && his.contains(&p.subject.as_str());
        plan::evident(self.near.iter().flatten().filter(on_it).map(|p| (p.effect, surely_his(p))))
    }

    pub fn complete(self, store: &mut Store, question: &Question) -> Result<Findings> {
        let asker = store.closure(question.realm, question.subject)?;
        let rows = self.rows(store, question, &asker)?;
        Ok(Findings { graph: self.graph, rows })
    }

    fn rows(&self, store: &mut Store, question: &Question, asker: &Closure) -> Result<Vec<Found>> {
        let subjects = asker.subjects();
        let mut rows = Vec::new();
        for resource_type in self.graph.types() {
            let mut add = |level: Option<Level>, permission: Permission| {
                let node = self.graph.find(resource_type, &permission.scope);
                rows.extend(level.zip(node).map(|(level, node)| Found { level, node, permission }));
            };
            for permission in self.on_resources(store, question, resource_type, &subjects)? {
                let resource = permission.resource.as_deref().unwrap_or_default();
                add(self.places.level_of(resource_type, resource), permission);
            }
            let level = self.places.level_of_type(resource_type);
            if level.is_some() {
                let scopes = self.graph.scopes_of(resource_type);
                for permission in store.on_type(question.realm, &subjects, resource_type, &scopes)? {
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
        subjects: &[&str],
    ) -> Result<Vec<Permission>> {
        let resources = self.places.resources_of(resource_type);
        match &self.near {
            _ if resources.is_empty() => Ok(Vec::new()),
            Some(near) if resource_type == question.resource_type => {
                Ok(near.iter().filter(|p| subjects.contains(&p.subject.as_str())).cloned().collect())
            }
            _ => store.on_resources(
                question.realm,
                subjects,
                resource_type,
                &self.graph.scopes_of(resource_type),
                &resources,
            ),
        }
    }
}

/// The permissions of the asker, nearest first; of each level the denies first.
pub struct Findings {
    pub graph: Graph,
    pub rows: Vec<Found>,
}

pub struct Found {
    pub level: Level,
    pub node: usize,
    pub permission: Permission,
}

/// What became of a permission: whether it matches, and what its policy said.
pub struct Finding {
    pub matched: Option<Match>,
    pub outcome: Option<Outcome>,
}

impl Findings {
    pub fn depend_on_policies(&self) -> bool {
        self.rows.iter().any(|row| row.permission.policy.is_some())
    }

    pub fn permit(&self, store: &mut Store, question: &Question, context: &Context) -> Result<bool> {
        Ok(self
            .decide(&self.evaluate(store, question, context)?)
            .is_some_and(|decided| decided.effect == Effect::Allow))
    }

    pub fn decide(&self, findings: &[Finding]) -> Option<Match> {
        let matches: Vec<Match> = findings.iter().filter_map(|finding| finding.matched).collect();
        plan::decide(&self.graph, &matches)
    }

    /// One for each row.
    pub fn evaluate(&self, store: &mut Store, question: &Question, context: &Context) -> Result<Vec<Finding>> {
        let one = |(n, row): (usize, &Found)| {
            let Permission { effect, policy, .. } = &row.permission;
            let outcome = match policy {
                None => None,
                Some(name) => {
                    let policy = store.policy(question.realm, name)?;
                    let asker = store.closure(question.realm, question.subject)?;
                    let now = context.now();
                    Some(policy.evaluate(&Circumstances { asker: &*asker, context: context.value(), now }))
                }
            };
            let counts = outcome.as_ref().is_none_or(|outcome| plan::counts(*effect, outcome));
            let matched = counts.then_some(Match { level: row.level, node: row.node, effect: *effect, row: n });
            Ok(Finding { matched, outcome })
        };
        self.rows.iter().enumerate().map(one).collect()
    }

    /// The memory that they take, roughly.
    pub fn bytes(&self) -> usize {
        let texts = |p: &Permission| [&p.resource, &p.policy].into_iter().flatten().map(String::len).sum::<usize>();
        let row =
            |row: &Found| 256 + row.permission.subject.len() + row.permission.scope.len() + texts(&row.permission);
        let node = |node: &plan::Node| 256 + node.resource_type.len() + node.scope.len();
        self.rows.iter().map(row).sum::<usize>() + self.graph.nodes.iter().map(node).sum::<usize>()
    }
}
