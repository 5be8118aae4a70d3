//! Answers about many resources of one type for one asker: those on which the asker has no permission, and which stand in
//! the same containers as far as these matter, have the same answer. It is found once.

use crate::authorization::judge::{self, Context, Question};
use crate::authorization::plan::{Graph, Model};
use crate::authorization::store::{AT_ONCE, BY_RESOURCE, CONTAINERS, Closure, NAMES_BY_SUBJECT, Store, any, column};
use crate::authorization::subject;
use crate::db::scan::{Index, Key, Row};
use crate::error::Result;
use column::containment::{CONTAINER, CONTAINER_TYPE, RESOURCE};
use column::permission::{RESOURCE as ON_RESOURCE, SCOPE, SUBJECT};
use foldhash::fast::RandomState;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

/// A type and a name.
type Container = (Rc<str>, Rc<str>);

pub struct Alike<'a> {
    question: Question<'a>,
    model: &'a Model,
    graph: &'a Graph,
    asker: Rc<Closure>,
    /// What each container that was met stands in.
    parents: HashMap<Container, Vec<Container>, RandomState>,
    /// Those on which a permission of the asker stands.
    named: HashSet<Container, RandomState>,
    /// What is above each, itself included.
    above: HashMap<Container, Rc<Above>, RandomState>,
    answers: HashMap<String, bool, RandomState>,
}

/// What resources stand in, as it is read.
#[derive(Default)]
struct Found {
    of: HashMap<Rc<str>, Vec<Container>, RandomState>,
    /// One allocation for a name that comes many times.
    names: HashSet<Rc<str>, RandomState>,
}

impl Found {
    fn add(&mut self, row: &Row) {
        let mut shared = |column| {
            let name: &str = row.get(column).unwrap_or_default();
            self.names.get(name).cloned().unwrap_or_else(|| {
                let name: Rc<str> = name.into();
                self.names.insert(name.clone());
                name
            })
        };
        let (resource, container) = (shared(RESOURCE), (shared(CONTAINER_TYPE), shared(CONTAINER)));
        self.of.entry(resource).or_default().push(container);
    }
}

/// So many rows are passed over for each that is wanted, before it is cheaper to look for each.
const FEW_BETWEEN: usize = 6;

/// Hands over the rows of an index below a prefix that are about these resources, which stand in order: reads on from the
/// first to the last as long as few others stand between them, and looks for each of those that are left.
fn each_of(
    store: &mut Store,
    (index, prefix, column): (&Index, &[&str], i16),
    resources: &[&str],
    mut each: impl FnMut(&Row),
) -> Result<()> {
    let Some(first) = resources.first() else { return Ok(()) };
    let keys = |last| prefix.iter().map(|text| Key::Is(text)).chain([last]).collect::<Vec<_>>();
    let (mut at, mut passed) = (0, 0);
    store.collect_while(index, &keys(Key::From(first)), |row| {
        let name: &str = row.get(column).unwrap_or_default();
        while resources.get(at).is_some_and(|resource| *resource < name) {
            at += 1;
        }
        if resources.get(at).is_some_and(|resource| *resource == name) {
            each(row);
        } else {
            passed += 1;
        }
        (0, at < resources.len() && passed <= FEW_BETWEEN * (at + 2))
    })?;
    if passed <= FEW_BETWEEN * (at + 2) {
        return Ok(());
    }
    store.collect(index, &keys(any(&resources[at..])), |row| {
        each(row);
        0
    })
}

struct Above {
    types: BTreeSet<Rc<str>>,
    /// Whether a permission of the asker stands on one of them.
    matters: bool,
}

/// More is not kept from one batch to the next.
const MOST_KEPT: usize = 50_000;

/// So many permissions of others are passed over in search of the asker's; where there are more, all is taken to matter.
const MOST_PASSED: usize = 4096;

/// What a container takes in all the maps, besides its name, and an answer besides its key.
const ENTRY_BYTES: usize = 600;

impl<'a> Alike<'a> {
    pub fn new(store: &mut Store, question: &Question<'a>, model: &'a Model, graph: &'a Graph) -> Result<Self> {
        Ok(Alike {
            question: *question,
            model,
            graph,
            asker: store.closure(question.realm, question.subject)?,
            parents: HashMap::default(),
            named: HashSet::default(),
            above: HashMap::default(),
            answers: HashMap::default(),
        })
    }

    /// Marks those on which a permission of everybody stands, which is the asker's, too.
    pub fn mark_everybodys(&self, store: &mut Store, resources: &mut [(String, bool)]) -> Result<()> {
        let names: Vec<&str> = resources.iter().map(|(name, _)| &**name).collect();
        let mut named: HashSet<String, RandomState> = HashSet::default();
        let Question { realm, resource_type, .. } = self.question;
        for scope in self.graph.scopes_of(resource_type) {
            let prefix = [realm, subject::EVERYBODY, resource_type, scope];
            each_of(store, (&NAMES_BY_SUBJECT, &prefix, ON_RESOURCE), &names, |row| {
                named.insert(row.name(ON_RESOURCE));
            })?;
        }
        resources.iter_mut().for_each(|(name, is_named)| *is_named |= named.contains(name));
        Ok(())
    }

    /// The answers, in the same order. `resources`: at most `AT_ONCE`, and whether a permission of the asker stands on each.
    pub fn answer(&mut self, store: &mut Store, context: &Context, resources: &[(String, bool)]) -> Result<Vec<bool>> {
        if self.parents.len() + self.answers.len() > MOST_KEPT {
            self.forget();
        }
        let plain: Vec<&str> = resources.iter().filter(|(_, is_named)| !is_named).map(|(name, _)| &**name).collect();
        let mut stands_in = self.containers_of(store, &self.question.resource_type.into(), &plain)?;
        self.look_around(store, stands_in.values().flatten().cloned().collect())?;
        let mut answers = Vec::with_capacity(resources.len());
        for (resource, is_named) in resources {
            let question = Question { resource: Some(resource), ..self.question };
            if *is_named {
                answers.push(judge::check_once(store, &question, context)?);
                continue;
            }
            let key = self.key(&stands_in.remove(&**resource).unwrap_or_default());
            let answer = match self.answers.get(&key) {
                Some(answer) => *answer,
                None => {
                    let answer = judge::check_once(store, &question, context)?;
                    self.answers.insert(key, answer);
                    answer
                }
            };
            answers.push(answer);
        }
        Ok(answers)
    }

    fn forget(&mut self) {
        self.parents.clear();
        self.named.clear();
        self.above.clear();
        self.answers.clear();
    }

    /// What resources of a type directly stand in. `resources`: in order.
    fn containers_of(
        &self,
        store: &mut Store,
        resource_type: &Rc<str>,
        resources: &[&str],
    ) -> Result<HashMap<Rc<str>, Vec<Container>, RandomState>> {
        let mut found = Found::default();
        if self.model.contained.contains(&**resource_type) && self.graph.asks_containers() {
            let rows = (&CONTAINERS, &[self.question.realm, resource_type][..], RESOURCE);
            for resources in resources.chunks(AT_ONCE) {
                each_of(store, rows, resources, |row| found.add(row))?;
            }
        }
        Ok(found.of)
    }

    /// Reads what is above these containers, as far as it is not known, and which of it matters.
    fn look_around(&mut self, store: &mut Store, containers: HashSet<Container, RandomState>) -> Result<()> {
        let mut fresh: BTreeMap<Rc<str>, Vec<Rc<str>>> = BTreeMap::new();
        let mut frontier: Vec<Container> = containers.into_iter().collect();
        while !frontier.is_empty() {
            let mut of_type: BTreeMap<Rc<str>, Vec<Rc<str>>> = BTreeMap::new();
            for (container_type, container) in frontier {
                if let Entry::Vacant(unknown) = self.parents.entry((container_type.clone(), container.clone())) {
                    store.spend_for_all(container.len() + ENTRY_BYTES)?;
                    unknown.insert(Vec::new());
                    of_type.entry(container_type).or_default().push(container);
                }
            }
            let mut next = Vec::new();
            for (container_type, mut names) in of_type {
                names.sort_unstable();
                let texts: Vec<&str> = names.iter().map(|name| &**name).collect();
                for (name, parents) in self.containers_of(store, &container_type, &texts)? {
                    next.extend(parents.iter().cloned());
                    self.parents.insert((container_type.clone(), name), parents);
                }
                fresh.entry(container_type).or_default().extend(names);
            }
            frontier = next;
        }
        for (container_type, names) in fresh {
            self.find_named(store, &container_type, &names)?;
        }
        Ok(())
    }

    /// Finds out on which containers a permission of the asker stands.
    fn find_named(&mut self, store: &mut Store, container_type: &Rc<str>, containers: &[Rc<str>]) -> Result<()> {
        let scopes: HashSet<&str, RandomState> = self.graph.scopes_of(container_type).into_iter().collect();
        if scopes.is_empty() {
            return Ok(());
        }
        for containers in containers.chunks(AT_ONCE) {
            let names: Vec<&str> = containers.iter().map(|name| &**name).collect();
            let keys = [Key::Is(self.question.realm), Key::Is(container_type), any(&names)];
            let mut passed = 0;
            store.collect_while(&BY_RESOURCE, &keys, |row| {
                passed += 1;
                if scopes.contains(row.get::<&str>(SCOPE).unwrap_or_default())
                    && self.asker.has(row.get(SUBJECT).unwrap_or_default())
                {
                    self.named.insert((container_type.clone(), row.shared(ON_RESOURCE)));
                }
                (0, passed < MOST_PASSED)
            })?;
            if passed >= MOST_PASSED {
                self.named.extend(containers.iter().map(|name| (container_type.clone(), name.clone())));
            }
        }
        Ok(())
    }

    /// Resources of the same key have the same answer: they stand in containers of the same types, and in the same of
    /// those that matter.
    fn key(&mut self, containers: &[Container]) -> String {
        let mut types: BTreeSet<Rc<str>> = BTreeSet::new();
        let mut key = String::new();
        for container in containers {
            let above = self.above(container);
            types.extend(above.types.iter().cloned());
            if above.matters {
                // No text of Postgres has a zero byte.
                key.extend([&*container.0, "\0", &*container.1, "\0"]);
            }
        }
        key.push('\0');
        key.extend(types.iter().flat_map(|name| [&**name, "\0"]));
        key
    }

    fn above(&mut self, container: &Container) -> Rc<Above> {
        if let Some(above) = self.above.get(container) {
            return above.clone();
        }
        let mut found = Above { types: BTreeSet::new(), matters: false };
        let mut seen: HashSet<&Container, RandomState> = HashSet::default();
        let mut pending = vec![container];
        while let Some(next) = pending.pop() {
            if seen.insert(next) {
                found.types.insert(next.0.clone());
                found.matters |= self.named.contains(next);
                pending.extend(self.parents.get(next).into_iter().flatten());
            }
        }
        let found = Rc::new(found);
        self.above.insert(container.clone(), found.clone());
        found
    }
}
