//! `identity.permitted_resources` and `identity.permitted_subjects`: a page at a time, in the order of the names, from
//! ordered pieces of indexes that are merged. What a page costs depends on its size and on the number of pieces, not on
//! where it stands.

use crate::authorization::judge::{self, Context, Question};
use crate::authorization::places::Places;
use crate::authorization::plan::{Graph, Model};
use crate::authorization::store::{
    BY_RESOURCE, BY_SUBJECT, BY_TYPE, BY_TYPE_SUBJECT, CONTAINERS, CONTENTS, MEMBERS, MEMBERS_OF, Store, any, column,
};
use crate::authorization::subject;
use crate::db::scan::{Index, Key};
use crate::error::Result;
use column::containment::{CONTAINER, RESOURCE};
use column::permission::{RESOURCE as ON_RESOURCE, SUBJECT};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

/// Names in order: a column of the rows of an index below a prefix.
struct Stream {
    index: &'static Index,
    prefix: Vec<String>,
    column: i16,
    /// Names come many times, next to each other: each is looked for after the one before.
    repeats: bool,
    ready: VecDeque<String>,
    more: bool,
}

/// Rows of one stream that are read at once.
const CHUNK: usize = 100;

impl Stream {
    fn new(index: &'static Index, prefix: &[&str], column: i16, repeats: bool) -> Self {
        let prefix = prefix.iter().map(ToString::to_string).collect();
        Stream { index, prefix, column, repeats, ready: VecDeque::new(), more: true }
    }

    fn next(&mut self, store: &mut Store, after: &str) -> Result<Option<String>> {
        if self.ready.is_empty() && self.more {
            let most = if self.repeats { 1 } else { CHUNK };
            let mut keys: Vec<Key> = self.prefix.iter().map(|text| Key::Is(text)).collect();
            keys.push(Key::After(after));
            self.ready = store.column(self.index, &keys, self.column, most)?.into();
            self.more = self.ready.len() == most;
        }
        Ok(self.ready.pop_front())
    }
}

/// The names of all streams in order, each once.
struct Merge {
    streams: Vec<Stream>,
    heads: BinaryHeap<Reverse<(String, usize)>>,
}

impl Merge {
    fn new(store: &mut Store, mut streams: Vec<Stream>, after: &str) -> Result<Self> {
        let mut heads = BinaryHeap::new();
        for (n, stream) in streams.iter_mut().enumerate() {
            heads.extend(stream.next(store, after)?.map(|name| Reverse((name, n))));
        }
        Ok(Merge { streams, heads })
    }

    fn next(&mut self, store: &mut Store) -> Result<Option<String>> {
        let Some(Reverse((name, n))) = self.heads.pop() else { return Ok(None) };
        self.advance(store, n, &name)?;
        while self.heads.peek().is_some_and(|Reverse((other, _))| *other == name) {
            if let Some(Reverse((_, n))) = self.heads.pop() {
                self.advance(store, n, &name)?;
            }
        }
        Ok(Some(name))
    }

    fn advance(&mut self, store: &mut Store, n: usize, after: &str) -> Result<()> {
        self.heads.extend(self.streams[n].next(store, after)?.map(|name| Reverse((name, n))));
        Ok(())
    }
}

/// Resources about which a permission of the subject says something, with their answers; the type's own comes first.
pub fn resources(
    store: &mut Store,
    question: &Question,
    context: &Context,
    after: Option<&str>,
    most: usize,
) -> Result<Vec<(Option<String>, bool)>> {
    let mut page = Vec::new();
    let asks = subject::is_subject(question.subject);
    if after.is_none() {
        page.push((None, asks && judge::check_once(store, question, context)?));
    }
    let model = store.model(question.realm)?;
    let graph = Graph::new(&model, question.resource_type, question.scope);
    let Some(graph) = graph.filter(|_| asks) else { return Ok(page) };
    let streams = streams_of_resources(store, question, &model, &graph)?;
    let mut merge = Merge::new(store, streams, after.unwrap_or_default())?;
    while page.len() < most {
        pgrx::check_for_interrupts!();
        let Some(resource) = merge.next(store)? else { break };
        let permitted = judge::check_once(store, &Question { resource: Some(&resource), ..*question }, context)?;
        page.push((Some(resource), permitted));
    }
    Ok(page)
}

fn streams_of_resources(store: &mut Store, question: &Question, model: &Model, graph: &Graph) -> Result<Vec<Stream>> {
    let Question { realm, resource_type, .. } = *question;
    let closure = store.closure(realm, question.subject)?;
    let subjects = closure.subjects();
    let mut streams = Vec::new();
    for subject in &subjects {
        for scope in graph.scopes_of(resource_type) {
            streams.push(Stream::new(&BY_SUBJECT, &[realm, subject, resource_type, scope], ON_RESOURCE, false));
        }
    }
    if !model.contained.contains(resource_type) {
        return Ok(streams);
    }
    let mut granted = BTreeSet::new();
    for container_type in graph.types() {
        let scopes = graph.scopes_of(container_type);
        if container_type != resource_type {
            let keys = [Key::Is(realm), Key::Is(container_type), any(&scopes), any(&subjects)];
            if store.next(&BY_TYPE, &keys, SUBJECT)?.is_some() {
                // It says something about everything that stands in a container of that type.
                streams.push(Stream::new(&CONTAINERS, &[realm, resource_type], RESOURCE, true));
                return Ok(streams);
            }
        }
        for subject in &subjects {
            for scope in &scopes {
                let named = [realm, subject, container_type, scope];
                granted.extend(granted_containers(store, &named, container_type)?);
            }
        }
    }
    for (container_type, container) in with_containers_below(store, realm, model, granted)? {
        let prefix = [realm, container_type.as_str(), container.as_str(), resource_type];
        streams.push(Stream::new(&CONTENTS, &prefix, RESOURCE, false));
    }
    Ok(streams)
}

/// The containers of a type that permissions name: both are looked for in turn, each from where the other stands, so
/// that it takes as many steps as the fewer of them.
fn granted_containers(store: &mut Store, named: &[&str; 4], container_type: &str) -> Result<Vec<(String, String)>> {
    let [realm, subject, of_type, scope] = *named;
    let mut found = Vec::new();
    let mut at = String::new();
    loop {
        pgrx::check_for_interrupts!();
        let containers = [Key::Is(realm), Key::Is(container_type), Key::From(&at)];
        let Some(container) = store.next(&CONTENTS, &containers, CONTAINER)? else { break };
        let permissions = [Key::Is(realm), Key::Is(subject), Key::Is(of_type), Key::Is(scope), Key::From(&container)];
        let Some(resource) = store.next(&BY_SUBJECT, &permissions, ON_RESOURCE)? else { break };
        if resource == container {
            found.push((container_type.to_string(), container.clone()));
            // The next text in the order of bytes: NUL is in no text of Postgres, so this is the least that is greater.
            at = container + "\u{1}";
        } else {
            at = resource;
        }
    }
    Ok(found)
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
            for inner in store.column(&CONTENTS, &keys, RESOURCE, usize::MAX)? {
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

/// Subjects that may; `*`, which comes first, for those that the realm knows nothing of.
pub fn subjects(
    store: &mut Store,
    question: &Question,
    context: &Context,
    after: Option<&str>,
    most: usize,
) -> Result<Vec<String>> {
    let mut page = Vec::new();
    let model = store.model(question.realm)?;
    let Some(graph) = Graph::new(&model, question.resource_type, question.scope) else { return Ok(page) };
    if after.is_none_or(|after| after < subject::EVERYBODY) && judge::check_once(store, question, context)? {
        page.push(subject::EVERYBODY.to_string());
    }
    let streams = streams_of_subjects(store, question, &model, &graph)?;
    let mut merge = Merge::new(store, streams, after.unwrap_or_default())?;
    while page.len() < most {
        pgrx::check_for_interrupts!();
        let Some(subject) = merge.next(store)? else { break };
        let of_subject = Question { subject: &subject, ..*question };
        if subject != subject::EVERYBODY && judge::check_once(store, &of_subject, context)? {
            page.push(subject);
        }
    }
    Ok(page)
}

fn streams_of_subjects(store: &mut Store, question: &Question, model: &Model, graph: &Graph) -> Result<Vec<Stream>> {
    let Question { realm, resource_type, resource, .. } = *question;
    let places = Places::of(store, model, realm, resource_type, resource)?;
    let mut streams = Vec::new();
    for place in &places.on_resources {
        for scope in graph.scopes_of(&place.resource_type) {
            streams.push(Stream::new(
                &BY_RESOURCE,
                &[realm, &place.resource_type, &place.resource, scope],
                SUBJECT,
                true,
            ));
        }
    }
    for (_, on_type) in &places.on_types {
        for scope in graph.scopes_of(on_type) {
            streams.push(Stream::new(&BY_TYPE, &[realm, on_type, scope], SUBJECT, true));
        }
    }
    let mut containers = BTreeSet::new();
    let mut everybody = false;
    for stream in &mut streams {
        everybody |= stream.next_after(store, subject::EVERYBODY, true)?.is_some_and(|name| name == subject::EVERYBODY);
        for kind in subject::CONTAINER_KINDS {
            let mut at = kind.to_string();
            while let Some(name) = stream.next_after(store, &at, false)?.filter(|name| name.starts_with(kind)) {
                containers.insert(name.clone());
                at = name;
            }
        }
    }
    if everybody {
        return Ok(known_subjects(realm));
    }
    for container in with_members_below(store, realm, containers)? {
        streams.push(Stream::new(&MEMBERS_OF, &[realm, &container], column::member::MEMBER, false));
    }
    Ok(streams)
}

impl Stream {
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
                    frontier.push(name.clone());
                }
                at = name;
            }
        }
    }
    Ok(all)
}
