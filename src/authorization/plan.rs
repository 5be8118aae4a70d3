//! The decision, from rows that have been found. It knows nothing of Postgres.

use crate::authorization::policy::Outcome;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

impl Effect {
    pub fn name(self) -> &'static str {
        match self {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        }
    }
}

/// How far a permission stands from the resource: the nearest decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// On the resource.
    Instance,
    /// On a container of the resource, at this distance.
    Container(u32),
    /// On the whole type of one of its containers.
    ContainerType,
    /// On the whole type of the resource.
    Type,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Level::Instance => "instance",
            Level::Container(_) => "container",
            Level::ContainerType => "container type",
            Level::Type => "type",
        }
    }
}

/// That a permission on one scope is one on another, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Implication {
    pub resource_type: String,
    pub scope: String,
    pub by_type: String,
    pub by_scope: String,
    /// Only where no permission names the scope itself.
    pub fallback: bool,
}

/// What a realm consists of, as far as it does not grow with its permissions.
#[derive(Debug, Default)]
pub struct Model {
    pub scopes: BTreeMap<String, BTreeSet<String>>,
    pub implications: Vec<Implication>,
    /// Types of resources that stand in containers.
    pub contained: BTreeSet<String>,
    /// Types of resources that are containers.
    pub containers: BTreeSet<String>,
}

impl Model {
    pub fn knows(&self, resource_type: &str, scope: &str) -> bool {
        self.scopes.get(resource_type).is_some_and(|scopes| scopes.contains(scope))
    }
}

/// The scopes that a question is about: its own, and those that imply it.
#[derive(Debug)]
pub struct Graph {
    pub nodes: Vec<Node>,
}

#[derive(Debug)]
pub struct Node {
    pub resource_type: String,
    pub scope: String,
    by: Vec<Edge>,
}

#[derive(Debug)]
struct Edge {
    node: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Another scope of the same type: who may do that may do this.
    Implies,
    /// The same thing said on a container: it permits and denies.
    Contains,
    Fallback,
}

impl Graph {
    /// `None` where the realm knows no such type or scope.
    pub fn new(model: &Model, resource_type: &str, scope: &str) -> Option<Self> {
        if !model.knows(resource_type, scope) {
            return None;
        }
        let mut graph = Graph { nodes: Vec::new() };
        graph.node(resource_type, scope);
        let mut next = 0;
        while next < graph.nodes.len() {
            graph.add_edges(model, next);
            next += 1;
        }
        Some(graph)
    }

    fn add_edges(&mut self, model: &Model, at: usize) {
        for implication in &model.implications {
            let node = &self.nodes[at];
            let Implication { resource_type, scope, by_type, by_scope, fallback } = implication;
            if *resource_type != node.resource_type || *scope != node.scope || !model.knows(by_type, by_scope) {
                continue;
            }
            let kind = match (fallback, by_type == resource_type) {
                (true, _) => Kind::Fallback,
                (false, true) => Kind::Implies,
                (false, false) => Kind::Contains,
            };
            let node = self.node(by_type, by_scope);
            self.nodes[at].by.push(Edge { node, kind });
        }
    }

    fn node(&mut self, resource_type: &str, scope: &str) -> usize {
        self.find(resource_type, scope).unwrap_or_else(|| {
            let node = Node { resource_type: resource_type.to_string(), scope: scope.to_string(), by: Vec::new() };
            self.nodes.push(node);
            self.nodes.len() - 1
        })
    }

    pub fn find(&self, resource_type: &str, scope: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.resource_type == resource_type && node.scope == scope)
    }

    /// The scopes of a type that the question is about.
    pub fn scopes_of(&self, resource_type: &str) -> Vec<&str> {
        self.nodes.iter().filter(|n| n.resource_type == resource_type).map(|n| n.scope.as_str()).collect()
    }

    /// The types that the question is about; its own is the first.
    pub fn types(&self) -> Vec<&str> {
        let mut types = Vec::new();
        for node in &self.nodes {
            if !types.contains(&node.resource_type.as_str()) {
                types.push(&node.resource_type);
            }
        }
        types
    }
}

/// A permission that matches the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    pub level: Level,
    pub node: usize,
    pub effect: Effect,
    /// Which row it is, for the one who asked.
    pub row: usize,
}

/// Whether a permission with a policy counts: what the policy cannot tell counts against the asker.
pub fn counts(effect: Effect, outcome: &Outcome) -> bool {
    match effect {
        Effect::Allow => *outcome == Outcome::Holds,
        Effect::Deny => *outcome != Outcome::Fails,
    }
}

/// The answer, where permissions on the resource itself give it that are surely the asker's: his own, or everybody's,
/// under no policy. The others count against him if he is in their subjects and their policies hold. `here`: effects,
/// and whether it is surely his.
pub fn evident(here: impl Iterator<Item = (Effect, bool)>) -> Option<bool> {
    let (mut allowed, mut perhaps_denied) = (false, false);
    for (effect, surely_his) in here {
        match (effect, surely_his) {
            (Effect::Deny, true) => return Some(false),
            (Effect::Deny, false) => perhaps_denied = true,
            (Effect::Allow, _) => allowed |= surely_his,
        }
    }
    (allowed && !perhaps_denied).then_some(true)
}

/// The permission that decides: the nearest, and of the nearest a deny; `None` where nothing matches.
pub fn decide(graph: &Graph, matches: &[Match]) -> Option<Match> {
    verdict(graph, 0, matches, &mut vec![None; graph.nodes.len()])
}

/// `decided`: the nodes that are decided, each once. One that is being decided counts as nothing: implications may have
/// been written in a circle.
fn verdict(graph: &Graph, node: usize, matches: &[Match], decided: &mut [Option<Option<Match>>]) -> Option<Match> {
    if let Some(known) = decided[node] {
        return known;
    }
    decided[node] = Some(None);
    let own = matches.iter().filter(|m| m.node == node).copied();
    let mut nearest = own.reduce(nearer);
    for edge in graph.nodes[node].by.iter().filter(|edge| edge.kind != Kind::Fallback) {
        let implied = verdict(graph, edge.node, matches, decided);
        let implied = implied.filter(|m| edge.kind == Kind::Contains || m.effect == Effect::Allow);
        nearest = nearest.into_iter().chain(implied).reduce(nearer);
    }
    if nearest.is_none() {
        let fallbacks = graph.nodes[node].by.iter().filter(|edge| edge.kind == Kind::Fallback);
        let implied = fallbacks.filter_map(|edge| verdict(graph, edge.node, matches, decided));
        nearest = implied.filter(|m| m.effect == Effect::Allow).reduce(nearer);
    }
    decided[node] = Some(nearest);
    nearest
}

fn nearer(a: Match, b: Match) -> Match {
    let denies_first = |m: &Match| (m.level, m.effect == Effect::Allow);
    if denies_first(&b) < denies_first(&a) { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(implications: &[(&str, &str, &str, &str, bool)]) -> Model {
        let scopes = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Model {
            scopes: BTreeMap::from([
                ("users".to_string(), scopes(&["view", "manage", "admin", "reset-password"])),
                ("groups".to_string(), scopes(&["view", "view-members"])),
            ]),
            implications: implications
                .iter()
                .map(|(resource_type, scope, by_type, by_scope, fallback)| Implication {
                    resource_type: resource_type.to_string(),
                    scope: scope.to_string(),
                    by_type: by_type.to_string(),
                    by_scope: by_scope.to_string(),
                    fallback: *fallback,
                })
                .collect(),
            ..Model::default()
        }
    }

    /// Asks for users.view, where permissions are (level, type.scope, effect).
    fn ask(model: &Model, scope: &str, rows: &[(Level, &str, &str, Effect)]) -> Option<bool> {
        let graph = Graph::new(model, "users", scope).unwrap();
        let found = rows.iter().enumerate().filter_map(|(row, (level, resource_type, scope, effect))| {
            Some(Match { level: *level, node: graph.find(resource_type, scope)?, effect: *effect, row })
        });
        decide(&graph, &found.collect::<Vec<_>>()).map(|m| m.effect == Effect::Allow)
    }

    use Effect::{Allow, Deny};
    use Level::{Container, ContainerType, Instance, Type};

    #[test]
    fn the_nearest_level_decides_and_deny_beats_allow_in_it() {
        let m = model(&[]);
        assert_eq!(ask(&m, "view", &[]), None);
        assert_eq!(ask(&m, "view", &[(Type, "users", "view", Allow)]), Some(true));
        assert_eq!(ask(&m, "view", &[(Type, "users", "view", Deny), (Instance, "users", "view", Allow)]), Some(true));
        assert_eq!(
            ask(&m, "view", &[(Instance, "users", "view", Allow), (Instance, "users", "view", Deny)]),
            Some(false)
        );
        assert_eq!(
            ask(&m, "view", &[(Container(2), "users", "view", Allow), (Container(1), "users", "view", Deny)]),
            Some(false)
        );
        assert_eq!(
            ask(&m, "view", &[(ContainerType, "users", "view", Allow), (Type, "users", "view", Deny)]),
            Some(true)
        );
    }

    #[test]
    fn who_may_do_the_one_may_do_the_other_but_not_the_reverse() {
        let m = model(&[("users", "view", "users", "manage", false), ("users", "manage", "users", "admin", false)]);
        assert_eq!(ask(&m, "view", &[(Type, "users", "manage", Allow)]), Some(true));
        assert_eq!(ask(&m, "view", &[(Type, "users", "admin", Allow)]), Some(true));
        assert_eq!(ask(&m, "manage", &[(Type, "users", "view", Allow)]), None);
        // Who may not manage may still view.
        assert_eq!(ask(&m, "view", &[(Instance, "users", "manage", Deny), (Type, "users", "view", Allow)]), Some(true));
        // Who may manage all but this one may not view this one for it.
        assert_eq!(ask(&m, "view", &[(Instance, "users", "manage", Deny), (Type, "users", "manage", Allow)]), None);
        assert_eq!(ask(&m, "view", &[(Instance, "users", "manage", Deny), (Type, "users", "admin", Allow)]), None);
        assert_eq!(ask(&m, "view", &[(Instance, "users", "manage", Allow), (Type, "users", "view", Deny)]), Some(true));
        assert_eq!(
            ask(&m, "view", &[(Instance, "users", "manage", Allow), (Instance, "users", "view", Deny)]),
            Some(false)
        );
    }

    #[test]
    fn a_scope_of_the_container_permits_and_denies() {
        let m = model(&[("users", "view", "groups", "view-members", false)]);
        assert_eq!(ask(&m, "view", &[(Container(1), "groups", "view-members", Allow)]), Some(true));
        let near_and_far =
            [(Container(1), "groups", "view-members", Deny), (Container(2), "groups", "view-members", Allow)];
        assert_eq!(ask(&m, "view", &near_and_far), Some(false));
        assert_eq!(
            ask(&m, "view", &[(ContainerType, "groups", "view-members", Deny), (Type, "users", "view", Allow)]),
            Some(false)
        );
        assert_eq!(ask(&m, "view", &[(Container(1), "groups", "view", Allow)]), None);
    }

    #[test]
    fn a_fallback_decides_only_where_nothing_names_the_scope() {
        let m = model(&[("users", "reset-password", "users", "manage", true)]);
        assert_eq!(ask(&m, "reset-password", &[(Type, "users", "manage", Allow)]), Some(true));
        let named = [(Type, "users", "reset-password", Deny), (Instance, "users", "manage", Allow)];
        assert_eq!(ask(&m, "reset-password", &named), Some(false));
        assert_eq!(ask(&m, "reset-password", &[(Type, "users", "manage", Deny)]), None);
    }

    #[test]
    fn a_circle_of_implications_ends() {
        let m = model(&[("users", "view", "users", "manage", false), ("users", "manage", "users", "view", false)]);
        assert_eq!(ask(&m, "view", &[(Type, "users", "manage", Allow)]), Some(true));
        assert_eq!(ask(&m, "manage", &[(Type, "users", "view", Allow)]), Some(true));
        assert_eq!(ask(&m, "view", &[]), None);
    }

    #[test]
    fn many_ways_between_two_scopes_are_gone_once() {
        let name = |layer: usize, n: usize| format!("s{layer}.{n}");
        let mut m = Model::default();
        let scopes = (0..40).flat_map(|layer| [name(layer, 0), name(layer, 1)]).collect();
        m.scopes.insert("users".to_string(), scopes);
        for (layer, from, to) in (0..39).flat_map(|layer| [(layer, 0, 0), (layer, 0, 1), (layer, 1, 0), (layer, 1, 1)])
        {
            m.implications.push(Implication {
                resource_type: "users".to_string(),
                scope: name(layer, from),
                by_type: "users".to_string(),
                by_scope: name(layer + 1, to),
                fallback: false,
            });
        }
        let last = name(39, 1);
        assert_eq!(ask(&m, &name(0, 0), &[(Type, "users", &last, Allow)]), Some(true));
    }

    #[test]
    fn what_is_surely_his_is_evident_unless_another_may_deny_it() {
        let evident = |here: &[(Effect, bool)]| super::evident(here.iter().copied());
        assert_eq!(evident(&[]), None);
        assert_eq!(evident(&[(Allow, true)]), Some(true));
        assert_eq!(evident(&[(Allow, false)]), None);
        assert_eq!(evident(&[(Allow, true), (Deny, false)]), None);
        assert_eq!(evident(&[(Deny, false), (Allow, true), (Deny, true)]), Some(false));
    }

    #[test]
    fn an_unknown_scope_is_no_question_and_implies_nothing() {
        let m = model(&[("users", "view", "users", "everything", false)]);
        assert!(Graph::new(&m, "users", "everything").is_none());
        assert!(Graph::new(&m, "planets", "view").is_none());
        assert_eq!(Graph::new(&m, "users", "view").unwrap().nodes.len(), 1);
    }
}
