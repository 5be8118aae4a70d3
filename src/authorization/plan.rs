//! The decision, from rows that have been found. It knows nothing of Postgres.

use crate::authorization::names::Names;
use crate::authorization::policy::Outcome;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
    /// A deny, unless an allow of the same origin, resource and scope counts. A match never has this one.
    Restrict,
}

impl Effect {
    pub fn of(name: &str) -> Self {
        match name {
            "allow" => Effect::Allow,
            "restrict" => Effect::Restrict,
            _ => Effect::Deny,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
            Effect::Restrict => "restrict",
        }
    }
}

/// How what stands at several levels comes to one answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Combining {
    /// The nearest level decides.
    #[default]
    Nearest,
    /// A deny at any level decides.
    DenyOverrides,
    /// As Keycloak decides about users: see `Said::by_five_steps`.
    Keycloak,
    /// The same, without what stands on farther containers and the nearest one has a permission about.
    KeycloakUncovered,
}

impl Combining {
    pub fn of(name: &str) -> Self {
        match name {
            "deny_overrides" => Combining::DenyOverrides,
            "keycloak" => Combining::Keycloak,
            "keycloak_uncovered" => Combining::KeycloakUncovered,
            _ => Combining::Nearest,
        }
    }

    /// Whether a permission on a container is about what stands in it only by a scope of another type that implies
    /// one of its own.
    pub fn is_keycloak(self) -> bool {
        matches!(self, Combining::Keycloak | Combining::KeycloakUncovered)
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
    pub carries: Carries,
}

/// What of a scope is said of the one that it implies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Carries {
    #[default]
    Both,
    /// Who is permitted the one is permitted the other, whatever denies that.
    Permits,
    /// Only denies on the whole type, and only for its resources.
    TypeDenies,
    /// Only denies on resources.
    ResourceDenies,
}

impl Carries {
    pub fn of(name: &str) -> Self {
        match name {
            "permits" => Carries::Permits,
            "type_denies" => Carries::TypeDenies,
            "resource_denies" => Carries::ResourceDenies,
            _ => Carries::Both,
        }
    }

    pub fn only_denies(self) -> bool {
        matches!(self, Carries::TypeDenies | Carries::ResourceDenies)
    }
}

/// What a realm consists of, as far as it does not grow with its permissions.
#[derive(Debug, Default)]
pub struct Model {
    /// By type and name, their numbers.
    scopes: BTreeMap<Rc<str>, BTreeMap<Rc<str>, u32>>,
    /// By number, type and name.
    names: Vec<(Rc<str>, Rc<str>)>,
    /// Those that imply each.
    by: Edges,
    combining: BTreeMap<Rc<str>, Combining>,
    /// Types of resources that stand in containers.
    pub contained: BTreeSet<String>,
    /// Types of resources that are containers.
    pub containers: BTreeSet<String>,
}

impl Model {
    /// `types`: each with its scopes. What is implied by an unknown scope, or is one, does not count.
    pub fn new(types: Vec<(String, Vec<String>, Combining)>, implications: &[Implication]) -> Self {
        let mut model = Model::default();
        for (name, scopes, combining) in types {
            let name: Rc<str> = name.into();
            model.combining.insert(name.clone(), combining);
            let mut numbers = BTreeMap::new();
            for scope in scopes {
                let scope: Rc<str> = scope.into();
                if !numbers.contains_key(&scope) {
                    numbers.insert(scope.clone(), model.names.len() as u32);
                    model.names.push((name.clone(), scope));
                }
            }
            model.scopes.insert(name, numbers);
        }
        let edge = |implication: &Implication| {
            let Implication { resource_type, scope, by_type, by_scope, fallback, carries } = implication;
            let kind = match (fallback, carries) {
                (true, _) => Kind::Fallback,
                (false, Carries::Permits) => Kind::Permits,
                (false, Carries::TypeDenies) => Kind::TypeDenies,
                (false, Carries::ResourceDenies) => Kind::ResourceDenies,
                (false, Carries::Both) if by_type == resource_type => Kind::Implies,
                (false, Carries::Both) => Kind::Contains,
            };
            Some((model.number(resource_type, scope)?, Edge { node: model.number(by_type, by_scope)?, kind }))
        };
        model.by = Edges::new(model.names.len(), implications.iter().filter_map(edge).collect());
        model
    }

    fn number(&self, resource_type: &str, scope: &str) -> Option<u32> {
        self.scopes.get(resource_type)?.get(scope).copied()
    }

    /// The scopes of a type, in order; `None` where the realm has no such type.
    pub fn scopes_of(&self, resource_type: &str) -> Option<impl ExactSizeIterator<Item = &str>> {
        Some(self.scopes.get(resource_type)?.keys().map(|scope| &**scope))
    }

    pub fn combining(&self, resource_type: &str) -> Combining {
        self.combining.get(resource_type).copied().unwrap_or_default()
    }

    pub fn knows(&self, resource_type: &str, scope: &str) -> bool {
        self.number(resource_type, scope).is_some()
    }

    /// The memory that it takes, roughly.
    pub fn bytes(&self) -> usize {
        let names: usize = self.names.iter().map(|(_, scope)| scope.len() + 120).sum();
        let types: usize = self.scopes.keys().map(|name| name.len() + 200).sum();
        1000 + names + types + self.by.bytes()
    }
}

/// The scopes that a question is about: its own, and those that imply it.
#[derive(Debug)]
pub struct Graph {
    pub nodes: Vec<Node>,
    by: Edges,
    types: Names,
    /// The nodes of each type.
    of_type: Vec<OfType>,
}

#[derive(Debug)]
pub struct Node {
    pub resource_type: Rc<str>,
    pub scope: Rc<str>,
}

#[derive(Debug, Default)]
struct OfType {
    scopes: Names,
    nodes: Vec<u32>,
    combining: Combining,
}

#[derive(Debug, Clone, Copy)]
struct Edge {
    node: u32,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Another scope of the same type: who may do that may do this.
    Implies,
    /// The same thing said on a container: it permits and denies.
    Contains,
    Fallback,
    Permits,
    TypeDenies,
    ResourceDenies,
}

impl Kind {
    fn only_denies(self) -> bool {
        matches!(self, Kind::TypeDenies | Kind::ResourceDenies)
    }
}

/// The edges of a graph, those of one node next to each other.
#[derive(Debug, Default)]
struct Edges {
    edges: Vec<Edge>,
    /// Where those of a node begin; one more at the end.
    first: Vec<u32>,
}

impl Edges {
    fn new(nodes: usize, mut edges: Vec<(u32, Edge)>) -> Self {
        edges.sort_by_key(|(from, _)| *from);
        let mut first = vec![0; nodes + 1];
        for (from, _) in &edges {
            first[*from as usize + 1] += 1;
        }
        for n in 0..nodes {
            first[n + 1] += first[n];
        }
        Edges { edges: edges.into_iter().map(|(_, edge)| edge).collect(), first }
    }

    fn from(&self, node: usize) -> &[Edge] {
        &self.edges[self.first[node] as usize..self.first[node + 1] as usize]
    }

    fn bytes(&self) -> usize {
        8 * self.edges.len() + 4 * self.first.len()
    }
}

impl Graph {
    /// `None` where the realm knows no such type or scope.
    pub fn new(model: &Model, resource_type: &str, scope: &str) -> Option<Self> {
        let mut numbers = vec![model.number(resource_type, scope)?];
        let mut nodes = HashMap::from([(numbers[0], 0)]);
        let mut edges = Vec::new();
        // Those from which only denies come are not asked what implies them.
        let mut asked = vec![true];
        let mut pending = vec![0];
        while let Some(from) = pending.pop() {
            for edge in model.by.from(numbers[from] as usize) {
                let node = *nodes.entry(edge.node).or_insert_with(|| {
                    numbers.push(edge.node);
                    asked.push(false);
                    numbers.len() as u32 - 1
                });
                edges.push((from as u32, Edge { node, kind: edge.kind }));
                if !edge.kind.only_denies() && !asked[node as usize] {
                    asked[node as usize] = true;
                    pending.push(node as usize);
                }
            }
        }
        let by = Edges::new(numbers.len(), edges);
        let mut graph = Graph { nodes: Vec::new(), by, types: Names::default(), of_type: Vec::new() };
        for number in numbers {
            let (resource_type, scope) = model.names[number as usize].clone();
            let combining = model.combining(&resource_type);
            graph.add(Node { resource_type, scope }, combining);
        }
        Some(graph)
    }

    fn add(&mut self, node: Node, combining: Combining) {
        let number = self.types.add(&node.resource_type);
        if number == self.of_type.len() {
            self.of_type.push(OfType { combining, ..OfType::default() });
        }
        let of_type = &mut self.of_type[number];
        of_type.scopes.add(&node.scope);
        of_type.nodes.push(self.nodes.len() as u32);
        self.nodes.push(node);
    }

    /// That of the type that the question is about.
    pub fn combining(&self) -> Combining {
        self.of_type[0].combining
    }

    /// Whether what the resource stands in can matter.
    pub fn asks_containers(&self) -> bool {
        !self.combining().is_keycloak() || self.types.len() > 1
    }

    /// Whether permissions on the resource itself can be all that matters: the nearest decides, and nothing else can
    /// permit.
    pub fn nearest_is_enough(&self) -> bool {
        self.combining() == Combining::Nearest && self.by.edges.iter().all(|edge| edge.kind != Kind::Permits)
    }

    fn combining_of(&self, node: usize) -> Combining {
        let number = self.types.find(&self.nodes[node].resource_type);
        number.map_or(Combining::default(), |number| self.of_type[number].combining)
    }

    fn is_asked_type(&self, node: usize) -> bool {
        self.nodes[node].resource_type == self.nodes[0].resource_type
    }

    pub fn find(&self, resource_type: &str, scope: &str) -> Option<usize> {
        let of_type = &self.of_type[self.types.find(resource_type)?];
        Some(of_type.nodes[of_type.scopes.find(scope)?] as usize)
    }

    /// The scopes of a type that the question is about.
    pub fn scopes_of(&self, resource_type: &str) -> Vec<&str> {
        self.types.find(resource_type).map_or_else(Vec::new, |number| self.of_type[number].scopes.iter().collect())
    }

    /// The types that the question is about; its own is the first.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.types.iter()
    }

    /// The memory that it takes, roughly.
    pub fn bytes(&self) -> usize {
        200 + 100 * self.nodes.len() + self.by.bytes() + 200 * self.of_type.len()
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
        Effect::Deny | Effect::Restrict => *outcome != Outcome::Fails,
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
            (Effect::Deny, false) | (Effect::Restrict, _) => perhaps_denied = true,
            (Effect::Allow, _) => allowed |= surely_his,
        }
    }
    (allowed && !perhaps_denied).then_some(true)
}

/// The permission that decides; `None` where nothing matches. `on_resource`: the question is about one.
pub fn decide(graph: &Graph, matches: &[Match], on_resource: bool) -> Option<Match> {
    let mut own = vec![Said::default(); graph.nodes.len()];
    for m in matches {
        let of_container = matches!(m.level, Level::Container(_)) && graph.is_asked_type(m.node);
        if !(of_container && graph.combining().is_keycloak()) {
            own[m.node].add(*m);
        }
    }
    Decisions { graph, own, on_resource, decided: vec![None; graph.nodes.len()] }.of(0)
}

/// What matching permissions say of a scope: the nearest of each effect in each class of levels.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    allows: [Option<Match>; CLASSES],
    denies: [Option<Match>; CLASSES],
    /// It permits, whatever denies.
    anyway: Option<Match>,
}

const CLASSES: usize = 4;
const INSTANCE: usize = 0;
const CONTAINER: usize = 1;
const CONTAINER_TYPE: usize = 2;
const TYPE: usize = 3;

impl Level {
    fn class(self) -> usize {
        match self {
            Level::Instance => INSTANCE,
            Level::Container(_) => CONTAINER,
            Level::ContainerType => CONTAINER_TYPE,
            Level::Type => TYPE,
        }
    }
}

impl Said {
    fn add(&mut self, m: Match) {
        let slots = if m.effect == Effect::Allow { &mut self.allows } else { &mut self.denies };
        let slot = &mut slots[m.level.class()];
        *slot = Some(slot.map_or(m, |before| nearer(before, m)));
    }

    fn add_all(&mut self, other: &Said) {
        other.allows.iter().chain(&other.denies).flatten().for_each(|m| self.add(*m));
        self.permit_anyway(other.anyway);
    }

    fn permit_anyway(&mut self, m: Option<Match>) {
        self.anyway = self.anyway.into_iter().chain(m).reduce(nearer);
    }

    fn is_nothing(&self) -> bool {
        self.anyway.or_else(|| self.nearest()).is_none()
    }

    /// The answer by the rule of a type.
    fn combined(&self, combining: Combining) -> Option<Match> {
        self.anyway.or_else(|| match combining {
            Combining::Nearest => self.nearest(),
            Combining::DenyOverrides => self.denies.iter().chain(&self.allows).flatten().next().copied(),
            Combining::Keycloak | Combining::KeycloakUncovered => self.by_five_steps(),
        })
    }

    fn nearest(&self) -> Option<Match> {
        self.denies.iter().chain(&self.allows).flatten().copied().reduce(nearer)
    }

    /// A deny on the resource or on a container denies; then an allow on the resource allows; then a deny on the type
    /// denies; then one on the type of the containers, unless one of them allows; then any allow allows.
    fn by_five_steps(&self) -> Option<Match> {
        let Said { allows, denies, .. } = self;
        denies[INSTANCE]
            .or(denies[CONTAINER])
            .or(allows[INSTANCE])
            .or(denies[TYPE])
            .or(allows[CONTAINER])
            .or(denies[CONTAINER_TYPE])
            .or(allows[CONTAINER_TYPE])
            .or(allows[TYPE])
    }

    /// The answer for a container of the resource, as if it were asked about itself.
    fn combined_for_container(&self, combining: Combining) -> Option<Match> {
        let moved = |slots: &[Option<Match>; CLASSES]| [slots[CONTAINER], None, None, slots[CONTAINER_TYPE]];
        Said { allows: moved(&self.allows), denies: moved(&self.denies), anyway: self.anyway }.combined(combining)
    }
}

/// What decides each scope, found out once for each.
struct Decisions<'a> {
    graph: &'a Graph,
    /// What the permissions that name a scope say of it.
    own: Vec<Said>,
    on_resource: bool,
    decided: Vec<Option<Decided>>,
}

/// What comes to a scope: from the permissions that name it, and by others that imply it; and the denies that come to
/// it, but not to what it implies.
#[derive(Clone, Copy, Default)]
struct Decided {
    said: Said,
    denied: Said,
}

/// A scope that is being decided.
struct Step {
    node: usize,
    /// The edge to look at next.
    next: usize,
    said: Said,
    /// Whether the fallbacks are looked at, and not the other edges.
    fallbacks: bool,
}

impl Decisions<'_> {
    fn of(mut self, node: usize) -> Option<Match> {
        let mut steps = vec![self.begin(node)];
        while let Some(step) = steps.last_mut() {
            let edges = self.graph.by.from(step.node);
            let Some(edge) = edges.get(step.next) else {
                if step.said.is_nothing() && !step.fallbacks {
                    (step.fallbacks, step.next) = (true, 0);
                    continue;
                }
                // What falls back is named by nothing, so that nothing denies it either.
                let denied = if step.fallbacks { Said::default() } else { self.denied(step.node) };
                self.decided[step.node] = Some(Decided { said: step.said, denied });
                steps.pop();
                continue;
            };
            if step.fallbacks != (edge.kind == Kind::Fallback) || edge.kind.only_denies() {
                step.next += 1;
            } else if let Some(implied) = &self.decided[edge.node as usize] {
                self.add(step, *edge, implied);
                step.next += 1;
            } else {
                steps.push(self.begin(edge.node as usize));
            }
        }
        self.answer(node, &self.decided[node]?)
    }

    /// One that is being decided counts as nothing: implications may have been written in a circle.
    fn begin(&mut self, node: usize) -> Step {
        self.decided[node] = Some(Decided::default());
        Step { node, next: 0, said: self.own[node], fallbacks: false }
    }

    fn add(&self, step: &mut Step, edge: Edge, implied: &Decided) {
        let node = edge.node as usize;
        let allowed = |answer: Option<Match>| answer.filter(|m| m.effect == Effect::Allow);
        match edge.kind {
            Kind::Contains => step.said.add_all(&implied.said),
            Kind::Permits => step.said.permit_anyway(allowed(self.answer_for_itself(node, implied))),
            _ => {
                if let Some(m) = allowed(self.answer(node, implied)) {
                    step.said.add(m);
                }
            }
        }
    }

    fn answer(&self, node: usize, decided: &Decided) -> Option<Match> {
        let mut all = decided.said;
        if self.graph.is_asked_type(node) {
            all.add_all(&decided.denied);
        }
        all.combined(self.graph.combining())
    }

    fn answer_for_itself(&self, node: usize, decided: &Decided) -> Option<Match> {
        if self.graph.is_asked_type(node) {
            return self.answer(node, decided);
        }
        let mut all = decided.said;
        all.add_all(&decided.denied);
        all.combined_for_container(self.graph.combining_of(node))
    }

    /// The denies that other scopes bring to one.
    fn denied(&self, node: usize) -> Said {
        let mut denied = Said::default();
        for edge in self.graph.by.from(node) {
            let denies = &self.own[edge.node as usize].denies;
            let classes: &[usize] = match edge.kind {
                Kind::ResourceDenies => &[INSTANCE, CONTAINER],
                Kind::TypeDenies if self.on_resource => &[CONTAINER_TYPE, TYPE],
                _ => &[],
            };
            classes.iter().filter_map(|class| denies[*class]).for_each(|m| denied.add(m));
        }
        denied
    }
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
        let types = vec![
            ("users".to_string(), scopes(&["view", "manage", "admin", "reset-password"]), Combining::Nearest),
            ("groups".to_string(), scopes(&["view", "view-members"]), Combining::Nearest),
        ];
        let implication = |(resource_type, scope, by_type, by_scope, fallback): &(&str, &str, &str, &str, bool)| {
            implication((resource_type, scope), (by_type, by_scope), *fallback)
        };
        Model::new(types, &implications.iter().map(implication).collect::<Vec<_>>())
    }

    fn implication(implied: (&str, &str), by: (&str, &str), fallback: bool) -> Implication {
        Implication {
            resource_type: implied.0.to_string(),
            scope: implied.1.to_string(),
            by_type: by.0.to_string(),
            by_scope: by.1.to_string(),
            fallback,
            carries: Carries::Both,
        }
    }

    /// Asks for users.view, where permissions are (level, type.scope, effect).
    fn ask(model: &Model, scope: &str, rows: &[(Level, &str, &str, Effect)]) -> Option<bool> {
        let graph = Graph::new(model, "users", scope).unwrap();
        let found = rows.iter().enumerate().filter_map(|(row, (level, resource_type, scope, effect))| {
            Some(Match { level: *level, node: graph.find(resource_type, scope)?, effect: *effect, row })
        });
        decide(&graph, &found.collect::<Vec<_>>(), true).map(|m| m.effect == Effect::Allow)
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
        let scopes = (0..40).flat_map(|layer| [name(layer, 0), name(layer, 1)]).collect();
        let between = |layer: usize| [(layer, 0, 0), (layer, 0, 1), (layer, 1, 0), (layer, 1, 1)];
        let implications = (0..39).flat_map(between).map(|(layer, from, to)| {
            implication(("users", &name(layer, from)), ("users", &name(layer + 1, to)), false)
        });
        let m = Model::new(vec![("users".to_string(), scopes, Combining::Nearest)], &implications.collect::<Vec<_>>());
        let last = name(39, 1);
        assert_eq!(ask(&m, &name(0, 0), &[(Type, "users", &last, Allow)]), Some(true));
    }

    #[test]
    fn a_long_chain_is_gone_in_a_small_stack() {
        let name = |n: usize| format!("s{n}");
        let implications: Vec<Implication> =
            (0..50_000).map(|n| implication(("users", &name(n)), ("users", &name(n + 1)), false)).collect();
        let m = Model::new(
            vec![("users".to_string(), (0..=50_000).map(name).collect(), Combining::Nearest)],
            &implications,
        );
        assert_eq!(ask(&m, "s0", &[(Type, "users", "s50000", Allow)]), Some(true));
        assert_eq!(ask(&m, "s1", &[(Type, "users", "s0", Allow)]), None);
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

    /// The same for a type that combines its levels in another way: users.view is implied by groups.view-members.
    fn ask_combined(combining: Combining, rows: &[(Level, &str, &str, Effect)]) -> Option<bool> {
        let types = vec![
            ("users".to_string(), vec!["view".to_string(), "manage".to_string()], combining),
            ("groups".to_string(), vec!["view".to_string(), "view-members".to_string()], Combining::Nearest),
        ];
        let carries = |by: (&str, &str), carries| Implication { carries, ..implication(("users", "view"), by, false) };
        let implications = [
            carries(("groups", "view-members"), Carries::Both),
            carries(("groups", "view"), Carries::ResourceDenies),
            carries(("users", "manage"), Carries::TypeDenies),
        ];
        ask(&Model::new(types, &implications), "view", rows)
    }

    #[test]
    fn a_deny_anywhere_overrides_where_the_type_says_so() {
        let rows = [(Instance, "users", "view", Allow), (Type, "users", "view", Deny)];
        assert_eq!(ask_combined(Combining::Nearest, &rows), Some(true));
        assert_eq!(ask_combined(Combining::DenyOverrides, &rows), Some(false));
        assert_eq!(ask_combined(Combining::Keycloak, &rows), Some(true));
    }

    #[test]
    fn five_steps_of_keycloak() {
        let ask = |rows: &[(Level, &str, &str, Effect)]| ask_combined(Combining::Keycloak, rows);
        let own = |effect| (Instance, "users", "view", effect);
        let on_type = |effect| (Type, "users", "view", effect);
        let group = |effect| (Container(1), "groups", "view-members", effect);
        let all_groups = |effect| (ContainerType, "groups", "view-members", effect);
        assert_eq!(ask(&[own(Allow), group(Deny)]), Some(false));
        assert_eq!(ask(&[own(Allow), on_type(Deny), all_groups(Deny)]), Some(true));
        assert_eq!(ask(&[group(Allow), on_type(Deny)]), Some(false));
        assert_eq!(ask(&[all_groups(Deny), on_type(Allow)]), Some(false));
        assert_eq!(ask(&[all_groups(Deny), group(Allow)]), Some(true));
        assert_eq!(ask(&[all_groups(Allow)]), Some(true));
        assert_eq!(ask(&[]), None);
        // Parents of a group say nothing of it as a resource.
        assert_eq!(ask(&[(Container(1), "users", "view", Allow)]), None);
    }

    #[test]
    fn denies_of_other_scopes_deny_and_permit_nothing() {
        let ask = |rows: &[(Level, &str, &str, Effect)]| ask_combined(Combining::Keycloak, rows);
        let on_type = (Type, "users", "view", Allow);
        assert_eq!(ask(&[on_type, (Type, "users", "manage", Deny)]), Some(false));
        assert_eq!(ask(&[on_type, (Instance, "users", "manage", Deny)]), Some(true));
        assert_eq!(ask(&[on_type, (Container(1), "groups", "view", Deny)]), Some(false));
        assert_eq!(ask(&[(Container(1), "groups", "view", Allow)]), None);
    }

    #[test]
    fn an_unknown_scope_is_no_question_and_implies_nothing() {
        let m = model(&[("users", "view", "users", "everything", false)]);
        assert!(Graph::new(&m, "users", "everything").is_none());
        assert!(Graph::new(&m, "planets", "view").is_none());
        assert_eq!(Graph::new(&m, "users", "view").unwrap().nodes.len(), 1);
    }
}
