//! `identity.permitted_resources` and `identity.permitted_subjects`: a page at a time, in the order of the names, from
//! ordered pieces of indexes that are merged. What a page costs depends on its size and on the number of pieces, not on
//! where it stands.

use crate::authorization::alike::Alike;
use crate::authorization::judge::{self, Context, MOST_RESOURCE, Question};
use crate::authorization::places::Places;
use crate::authorization::plan::{Effect, Graph, Model};
use crate::authorization::store::{
    AT_ONCE, BY_RESOURCE, BY_SUBJECT, BY_TYPE, BY_TYPE_SUBJECT, CONTAINERS, CONTENTS, EVERYBODYS_ALLOWS, MEMBERS,
    MEMBERS_OF, NAMES_BY_SUBJECT, Store, any, column,
};
use crate::authorization::subject;
use crate::db::scan::{Index, Key};
use crate::error::Result;
use column::containment::{CONTAINER, RESOURCE};
use column::permission::{EFFECT, RESOURCE as ON_RESOURCE, SUBJECT};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

/// Names in order: a column of the rows of an index below a prefix.
struct Stream {
    index: &'static Index,
    prefix: Vec<String>,
    column: i16,
    /// Names come many times, next to each other: each is looked for after the one before.
    repeats: bool,
    rows: Rows,
    ready: VecDeque<(String, Said)>,
    more: bool,
}

/// What the rows of a stream are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// They say that a name is there.
    Names,
    /// Permissions of the asker on what they name.
    Permissions,
    /// The same, and all of them allow.
    Allows,
}

/// What is known of a name by the streams that it comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    /// A permission of the asker stands on it.
    own: bool,
    /// Something may permit it.
    allows: bool,
}

/// Rows of one stream that are read at once, and of all streams together.
const CHUNK: usize = 100;
const ALL_CHUNKS: usize = 100_000;

/// The memory that a stream takes, roughly, with the name in hand.
const STREAM_BYTES: usize = 1000;

impl Stream {
    fn new(index: &'static Index, prefix: &[&str], column: i16, repeats: bool) -> Self {
        let prefix = prefix.iter().map(ToString::to_string).collect();
        Stream { index, prefix, column, repeats, rows: Rows::Names, ready: VecDeque::new(), more: true }
    }

    fn of(self, rows: Rows) -> Self {
        Stream { rows, ..self }
    }

    /// `chunk`: so many rows are read at once.
    fn next(&mut self, store: &mut Store, after: &str, chunk: usize) -> Result<Option<(String, Said)>> {
        if self.ready.is_empty() && self.more {
            let most = if self.repeats { 1 } else { chunk };
            let mut keys: Vec<Key> = self.prefix.iter().map(|text| Key::Is(text)).collect();
            keys.push(Key::After(after));
            self.ready = self.read(store, &keys, most)?;
            self.more = self.ready.len() == most;
        }
        Ok(self.ready.pop_front())
    }

    fn read(&self, store: &mut Store, keys: &[Key], most: usize) -> Result<VecDeque<(String, Said)>> {
        let mut found = VecDeque::new();
        store.reader().rows(self.index, keys, |row| {
            let allows =
                self.rows != Rows::Permissions || Effect::of(row.get(EFFECT).unwrap_or_default()) == Effect::Allow;
            found.push_back((row.name(self.column), Said { own: self.rows != Rows::Names, allows }));
            found.len() < most
        })?;
        Ok(found)
    }
}

/// The names of all streams in order, each once.
struct Merge {
    streams: Vec<Stream>,
    heads: BinaryHeap<Reverse<(String, usize, Said)>>,
    chunk: usize,
}

impl Merge {
    fn new(store: &mut Store, mut streams: Vec<Stream>, after: &str) -> Result<Self> {
        let mut heads = BinaryHeap::new();
        let chunk = (ALL_CHUNKS / streams.len().max(1)).clamp(1, CHUNK);
        for (n, stream) in streams.iter_mut().enumerate() {
            heads.extend(stream.next(store, after, chunk)?.map(|(name, said)| Reverse((name, n, said))));
        }
        Ok(Merge { streams, heads, chunk })
    }

    fn next(&mut self, store: &mut Store) -> Result<Option<(String, Said)>> {
        let Some(Reverse((name, n, mut said))) = self.heads.pop() else { return Ok(None) };
        self.advance(store, n, &name)?;
        while self.heads.peek().is_some_and(|Reverse((other, ..))| *other == name) {
            if let Some(Reverse((_, n, more))) = self.heads.pop() {
                said = Said { own: said.own | more.own, allows: said.allows | more.allows };
                self.advance(store, n, &name)?;
            }
        }
        Ok(Some((name, said)))
    }

    fn advance(&mut self, store: &mut Store, n: usize, after: &str) -> Result<()> {
        let next = self.streams[n].next(store, after, self.chunk)?;
        self.heads.extend(next.map(|(name, said)| Reverse((name, n, said))));
        Ok(())
    }
}

/// Where a page begins. No name is longer than this, so that what a longer one has more does not matter.
fn start(after: Option<&str>) -> &str {
    after.map_or("", |after| &after[..after.floor_char_boundary(MOST_RESOURCE + 4)])
}

/// No resource has this name, so that nothing but what is said of the whole type is about it.
const ANY_OTHER: &str = "";

/// Hands over the resources about which a permission of the subject says something, with their answers; that of all
/// others comes first.
pub fn resources(
    store: &mut Store,
    question: &Question,
    context: &Context,
    (after, most): (Option<&str>, usize),
    only_permitted: bool,
    mut tell: impl FnMut(Option<&str>, bool),
) -> Result<()> {
    let asks = question.can_be();
    let mut told = 0;
    if after.is_none() {
        let other = Question { resource: Some(ANY_OTHER), ..*question };
        tell(None, asks && judge::check_once(store, &other, context)?);
        told += 1;
    }
    if !asks || told >= most {
        return Ok(());
    }
    let model = store.model(question.realm)?;
    let graph = store.graph(&model, question.realm, question.resource_type, question.scope)?;
    let Some(graph) = graph else { return Ok(()) };
    let streams = streams_of_resources(store, question, &model, &graph, only_permitted)?;
    let mut merge = Merge::new(store, streams, start(after))?;
    let mut alike = Alike::new(store, question, &model, &graph)?;
    let mut at_once = (most - told).clamp(FEWEST, AT_ONCE);
    while told < most {
        let mut batch = batch(store, &mut merge, at_once, only_permitted)?;
        if only_permitted {
            alike.mark_everybodys(store, &mut batch)?;
        }
        let permitted = alike.answer(store, context, &batch)?;
        let answers = batch.iter().zip(&permitted).filter(|(_, permitted)| **permitted || !only_permitted);
        for ((resource, _), permitted) in answers.take(most - told) {
            tell(Some(resource), *permitted);
            told += 1;
        }
        if batch.len() < at_once {
            break;
        }
        at_once = (2 * at_once).min(AT_ONCE);
    }
    Ok(())
}

/// So many resources are looked at together, or more.
const FEWEST: usize = 16;

/// The next resources, and whether a permission of the asker stands on each. `allows`: but for those that nothing permits.
fn batch(store: &mut Store, merge: &mut Merge, most: usize, allows: bool) -> Result<Vec<(String, bool)>> {
    let mut batch = Vec::new();
    while batch.len() < most {
        pgrx::check_for_interrupts!();
        let Some((resource, said)) = merge.next(store)? else { break };
        if said.allows || !allows {
            batch.push((resource, said.own));
        }
    }
    Ok(batch)
}

fn streams_of_resources(
    store: &mut Store,
    question: &Question,
    model: &Model,
    graph: &Graph,
    allows: bool,
) -> Result<Vec<Stream>> {
    let Question { realm, resource_type, .. } = *question;
    let closure = store.closure(realm, question.subject)?;
    let subjects = closure.subjects();
    let mut streams = Vec::new();
    let scopes = graph.scopes_of(resource_type);
    store.spend_for_all(STREAM_BYTES.saturating_mul(subjects.len()).saturating_mul(scopes.len()))?;
    for subject in &subjects {
        for scope in &scopes {
            // What denies, or restricts, everybody adds nothing to what is permitted: it is looked for where it matters.
            streams.push(if allows && *subject == subject::EVERYBODY {
                Stream::new(&EVERYBODYS_ALLOWS, &[realm, resource_type, scope], ON_RESOURCE, false).of(Rows::Allows)
            } else {
                // Of several rows about one resource those that allow come first, so that they are not missed where a
                // stream goes on after a name.
                let prefix = [realm, subject, resource_type, scope];
                Stream::new(&NAMES_BY_SUBJECT, &prefix, ON_RESOURCE, false).of(Rows::Permissions)
            });
        }
    }
    if !model.contained.contains(resource_type) || !graph.asks_containers() {
        return Ok(streams);
    }
    let mut granted = BTreeSet::new();
    let of_containers = |name: &&str| !graph.combining().is_keycloak() || *name != resource_type;
    for container_type in graph.types().filter(of_containers) {
        let scopes = graph.scopes_of(container_type);
        if container_type != resource_type && says_something(store, realm, container_type, &scopes, &subjects, allows)?
        {
            // About everything that stands in a container of that type.
            streams.push(Stream::new(&CONTAINERS, &[realm, resource_type], RESOURCE, true));
            return Ok(streams);
        }
        for subject in &subjects {
            for scope in &scopes {
                let named = [realm, subject, container_type, scope];
                add_granted_containers(store, &named, allows, &mut granted)?;
            }
        }
    }
    for (container_type, container) in with_containers_below(store, realm, model, granted)? {
        store.spend_for_all(STREAM_BYTES)?;
        let prefix = [realm, container_type.as_str(), container.as_str(), resource_type];
        streams.push(Stream::new(&CONTENTS, &prefix, RESOURCE, false));
    }
    Ok(streams)
}

/// Whether one of the subjects has a permission on the type, with one of the scopes.
fn says_something(
    store: &mut Store,
    realm: &str,
    resource_type: &str,
    scopes: &[&str],
    subjects: &[&str],
    allows: bool,
) -> Result<bool> {
    for scopes in scopes.chunks(AT_ONCE) {
        for subjects in subjects.chunks(AT_ONCE.div_ceil(scopes.len())) {
            let keys = [Key::Is(realm), Key::Is(resource_type), any(scopes), any(subjects)];
            if store.next_that(&BY_TYPE, &keys, SUBJECT, allows)?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The containers of a type that permissions name: both are looked for in turn, each from where the other stands, so
/// that it takes as many steps as the fewer of them.
fn add_granted_containers(
    store: &mut Store,
    named: &[&str; 4],
    allows: bool,
    found: &mut BTreeSet<(String, String)>,
) -> Result<()> {
    let [realm, subject, of_type, scope] = *named;
    let mut at = String::new();
    loop {
        pgrx::check_for_interrupts!();
        let containers = [Key::Is(realm), Key::Is(of_type), Key::From(&at)];
        let Some(container) = store.next(&CONTENTS, &containers, CONTAINER)? else { break };
        let resource = if allows && subject == subject::EVERYBODY {
            let permissions = [Key::Is(realm), Key::Is(of_type), Key::Is(scope), Key::From(&container)];
            store.next(&EVERYBODYS_ALLOWS, &permissions, ON_RESOURCE)?
        } else {
            let [realm, subject, of_type, scope] = named.map(Key::Is);
            let permissions = [realm, subject, of_type, scope, Key::From(&container)];
            store.next_that(&BY_SUBJECT, &permissions, ON_RESOURCE, allows)?
        };
        let Some(resource) = resource else { break };
        if resource == container {
            store.spend(container.len() + 200)?;
            found.insert((of_type.to_string(), container.clone()));
            // The next text in the order of bytes: NUL is in no text of Postgres, so this is the least that is greater.
            at = container + "\u{1}";
        } else {
            at = resource;
        }
    }
    Ok(())
}

/// Containers, and those that stand in them.
fn with_containers_below(
    store: &mut Store,
    realm: &str,
    model: &Model,
    containers: BTreeSet<(String, String)>,
) -> Result<BTreeSet<(String, String)>> {
    let mut frontier: Vec<(String, String)> = containers.iter().cloned().collect();
    let mut all = containers;
    while let Some((container_type, container)) = frontier.pop() {
        for inner_type in &model.containers {
            pgrx::check_for_interrupts!();
            let keys = [&container_type, &container, inner_type].map(|text| Key::Is(text));
            let keys: Vec<Key> = std::iter::once(Key::Is(realm)).chain(keys).collect();
            let mut inner = Vec::new();
            store.collect(&CONTENTS, &keys, |row| {
                inner.push(row.name(RESOURCE));
                200
            })?;
            for inner in inner {
                let inner = (inner_type.clone(), inner);
                if !all.contains(&inner) {
                    all.insert(inner.clone());
                    frontier.push(inner);
                }
            }
        }
    }
    Ok(all)
}

/// Hands over the subjects that may; `*`, which comes first, for those that the realm knows nothing of.
pub fn subjects(
    store: &mut Store,
    question: &Question,
    context: &Context,
    (after, most): (Option<&str>, usize),
    mut tell: impl FnMut(&str),
) -> Result<()> {
    if !question.names_can_be() {
        return Ok(());
    }
    let model = store.model(question.realm)?;
    let graph = store.graph(&model, question.realm, question.resource_type, question.scope)?;
    let Some(graph) = graph else { return Ok(()) };
    let mut told = 0;
    if after.is_none_or(|after| after < subject::EVERYBODY) && judge::check_once(store, question, context)? {
        tell(subject::EVERYBODY);
        told += 1;
    }
    let streams = streams_of_subjects(store, question, &model, &graph)?;
    let mut merge = Merge::new(store, streams, start(after))?;
    while told < most {
        pgrx::check_for_interrupts!();
        let Some((subject, _)) = merge.next(store)? else { break };
        let of_subject = Question { subject: &subject, ..*question };
        if subject != subject::EVERYBODY && judge::check_once(store, &of_subject, context)? {
            tell(&subject);
            told += 1;
        }
    }
    Ok(())
}

fn streams_of_subjects(store: &mut Store, question: &Question, model: &Model, graph: &Graph) -> Result<Vec<Stream>> {
    let Question { realm, resource_type, resource, .. } = *question;
    let places = Places::for_graph(store, model, graph, realm, (resource_type, resource))?;
    let mut streams = Vec::new();
    for place in places.on_resources() {
        for scope in graph.scopes_of(place.resource_type) {
            store.spend_for_all(STREAM_BYTES)?;
            let prefix = [realm, place.resource_type, place.resource, scope];
            streams.push(Stream::new(&BY_RESOURCE, &prefix, SUBJECT, true));
        }
    }
    for (_, on_type) in places.on_types() {
        for scope in graph.scopes_of(on_type) {
            store.spend_for_all(STREAM_BYTES)?;
            streams.push(Stream::new(&BY_TYPE, &[realm, on_type, scope], SUBJECT, true));
        }
    }
    let mut containers = BTreeSet::new();
    let mut everybody = false;
    for stream in &mut streams {
        everybody |= stream.allows_everybody(store)?;
        for kind in subject::CONTAINER_KINDS {
            let mut at = kind.to_string();
            while let Some(name) = stream.next_after(store, &at, false)?.filter(|name| name.starts_with(kind)) {
                store.spend(name.len() + 100)?;
                containers.insert(name.clone());
                at = name;
            }
        }
    }
    if everybody {
        return Ok(known_subjects(realm));
    }
    for container in with_members_below(store, realm, containers)? {
        store.spend_for_all(STREAM_BYTES)?;
        streams.push(Stream::new(&MEMBERS_OF, &[realm, &container], column::member::MEMBER, false));
    }
    Ok(streams)
}

impl Stream {
    /// Whether a row allows everybody. One that denies, or restricts, adds nobody to a list.
    fn allows_everybody(&self, store: &mut Store) -> Result<bool> {
        let mut keys: Vec<Key> = self.prefix.iter().map(|text| Key::Is(text)).collect();
        keys.push(Key::Is(subject::EVERYBODY));
        Ok(store.next_that(self.index, &keys, self.column, true)?.is_some())
    }

    /// The first name after `at`, or from it on, wherever the stream stands.
    fn next_after(&self, store: &mut Store, at: &str, itself: bool) -> Result<Option<String>> {
        pgrx::check_for_interrupts!();
        let mut keys: Vec<Key> = self.prefix.iter().map(|text| Key::Is(text)).collect();
        keys.push(if itself { Key::From(at) } else { Key::After(at) });
        store.next(self.index, &keys, self.column)
    }
}

/// Everybody whom the realm names.
fn known_subjects(realm: &str) -> Vec<Stream> {
    vec![
        Stream::new(&MEMBERS, &[realm], column::member::MEMBER, true),
        Stream::new(&MEMBERS_OF, &[realm], column::member::CONTAINER, true),
        Stream::new(&BY_SUBJECT, &[realm], SUBJECT, true),
        Stream::new(&BY_TYPE_SUBJECT, &[realm], SUBJECT, true),
    ]
}

/// Groups and roles, and those that are in them.
fn with_members_below(store: &mut Store, realm: &str, containers: BTreeSet<String>) -> Result<BTreeSet<String>> {
    let mut frontier: Vec<String> = containers.iter().cloned().collect();
    let mut all = containers;
    while let Some(container) = frontier.pop() {
        let members = Stream::new(&MEMBERS_OF, &[realm, &container], column::member::MEMBER, false);
        for kind in subject::CONTAINER_KINDS {
            let mut at = kind.to_string();
            while let Some(name) = members.next_after(store, &at, false)?.filter(|name| name.starts_with(kind)) {
                if all.insert(name.clone()) {
                    store.spend(2 * name.len() + 200)?;
                    frontier.push(name.clone());
                }
                at = name;
            }
        }
    }
    Ok(all)
}
