//! Reads the tables of the permissions, through memory where it remembers.

use crate::authorization::memory::{self, Entry, Tag};
use crate::authorization::plan::{Effect, Implication, Model};
use crate::authorization::policy::{Asker, Config, Policy};
use crate::authorization::subject;
use crate::db::scan::{Index, Key, Reader};
use crate::error::Result;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

// Each with the columns by which it is ordered.
/// realm, subject, resource_type, scope, resource
pub const BY_SUBJECT: Index = Index::of(c"permissions", c"permissions_subject_key");
/// realm, resource_type, resource, scope, subject
pub const BY_RESOURCE: Index = Index::covering(c"permissions", c"permissions_resource_idx", &[1, 4, 5, 6, 3, 7, 8, 2]);
/// realm, resource_type, scope, subject
pub const BY_TYPE: Index = Index::of(c"permissions", c"permissions_type_key");
/// realm, subject
pub const BY_TYPE_SUBJECT: Index = Index::of(c"permissions", c"permissions_type_subject_idx");
/// realm, member, container
pub const MEMBERS: Index = Index::covering(c"members", c"members_pkey", &[1, 2, 3]);
/// realm, container, member
pub const MEMBERS_OF: Index = Index::covering(c"members", c"members_container_idx", &[1, 3, 2]);
/// realm, resource_type, resource, container_type, container
pub const CONTAINERS: Index = Index::covering(c"resource_containers", c"resource_containers_pkey", &[1, 2, 3, 4, 5]);
/// realm, container_type, container, resource_type, resource
pub const CONTENTS: Index =
    Index::covering(c"resource_containers", c"resource_containers_container_idx", &[1, 4, 5, 2, 3]);
const TYPES: Index = Index::of(c"resource_types", c"resource_types_pkey");
const IMPLIED: Index = Index::of(c"implied_scopes", c"implied_scopes_pkey");
const POLICIES: Index = Index::of(c"policies", c"policies_pkey");

/// Columns by their numbers in the tables.
pub mod column {
    pub mod permission {
        pub const ID: i16 = 2;
        pub const SUBJECT: i16 = 3;
        pub const RESOURCE: i16 = 5;
        pub const SCOPE: i16 = 6;
        pub const EFFECT: i16 = 7;
        pub const POLICY: i16 = 8;
    }
    pub mod member {
        pub const MEMBER: i16 = 2;
        pub const CONTAINER: i16 = 3;
    }
    pub mod containment {
        pub const RESOURCE_TYPE: i16 = 2;
        pub const RESOURCE: i16 = 3;
        pub const CONTAINER_TYPE: i16 = 4;
        pub const CONTAINER: i16 = 5;
    }
}

/// A row of `identity.permissions`.
#[derive(Clone)]
pub struct Permission {
    pub id: i64,
    pub subject: String,
    pub resource: Option<String>,
    pub scope: String,
    pub effect: Effect,
    pub policy: Option<String>,
}

/// So many permissions on one resource are rather read than looked up by subject.
const FEW: usize = 32;

/// So many permissions on a whole type are kept in memory, for each scope.
const KEPT: usize = 256;

/// Policies made of policies are followed so far.
const DEEPEST: usize = 100;

/// A subject, and all that it is in; each with what it was reached from, along a shortest way.
#[derive(Debug)]
pub struct Closure {
    asker: String,
    reached: HashMap<String, Option<String>>,
}

impl Closure {
    fn new(asker: &str) -> Self {
        Closure { asker: asker.to_string(), reached: HashMap::from([(asker.to_string(), None)]) }
    }

    /// The subjects whose permissions are the asker's.
    pub fn subjects(&self) -> Vec<&str> {
        let mut subjects: Vec<&str> = self.reached.keys().map(String::as_str).collect();
        if self.asker != subject::EVERYBODY {
            subjects.push(subject::EVERYBODY);
        }
        subjects
    }

    /// From the first that the asker is in to `subject`; empty for the asker itself.
    pub fn path(&self, subject: &str) -> Vec<String> {
        let mut path = Vec::new();
        let mut at = self.reached.get_key_value(subject);
        while let Some((name, Some(from))) = at {
            path.push(name.clone());
            at = self.reached.get_key_value(from.as_str());
        }
        path.reverse();
        path
    }

    fn bytes(&self) -> usize {
        self.reached.keys().map(|name| 2 * name.len() + 128).sum()
    }
}

impl Asker for Closure {
    fn is_in(&self, subject: &str, direct: bool) -> bool {
        let from = self.reached.get(subject);
        from.is_some_and(|from| !direct || from.as_deref().is_none_or(|from| from == self.asker))
    }
}

/// One question, or several that belong together: one snapshot for all of them.
pub struct Store {
    reader: Option<Reader>,
}

/// A key for one of several, or for the one.
pub fn any<'a>(texts: &'a [&'a str]) -> Key<'a> {
    match texts {
        [text] => Key::Is(text),
        texts => Key::In(texts),
    }
}

impl Store {
    pub fn new() -> Self {
        Store { reader: None }
    }

    /// The snapshot is taken when the first row is needed.
    pub fn reader(&mut self) -> &mut Reader {
        self.reader.get_or_insert_with(Reader::latest)
    }

    pub fn model(&mut self, realm: &str) -> Result<Rc<Model>> {
        if let Some(Entry::Model(model)) = memory::recall(Tag::Model, &[realm]) {
            return Ok(model);
        }
        let mut model = Model::default();
        let reader = self.reader();
        reader.rows(&TYPES, &[Key::Is(realm)], |row| {
            model.scopes.insert(row.name(2), row.texts(3).into_iter().collect());
            true
        })?;
        reader.rows(&IMPLIED, &[Key::Is(realm)], |row| {
            model.implications.push(Implication {
                resource_type: row.name(2),
                scope: row.name(3),
                by_type: row.name(4),
                by_scope: row.name(5),
                fallback: row.flag(6),
            });
            true
        })?;
        model.contained = self.distinct(&CONTAINERS, realm, column::containment::RESOURCE_TYPE)?;
        model.containers = self.distinct(&CONTENTS, realm, column::containment::CONTAINER_TYPE)?;
        let scopes: usize = model.scopes.iter().map(|(name, scopes)| name.len() + 100 * (1 + scopes.len())).sum();
        let model = Rc::new(model);
        memory::remember(
            Tag::Model,
            &[realm],
            Entry::Model(model.clone()),
            scopes + 300 * model.implications.len() + 1000,
        );
        Ok(model)
    }

    /// The values of an index's second column, one descent for each.
    fn distinct(&mut self, index: &Index, realm: &str, column: i16) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        let mut last = String::new();
        while let Some(next) = self.next(index, &[Key::Is(realm), Key::After(&last)], column)? {
            found.insert(next.clone());
            last = next;
        }
        Ok(found)
    }

    /// A column of the first row that fits.
    pub fn next(&mut self, index: &Index, keys: &[Key], column: i16) -> Result<Option<String>> {
        let mut found = None;
        self.reader().rows(index, keys, |row| {
            found = row.text(column);
            false
        })?;
        Ok(found)
    }

    /// A column of at most `most` rows, in the index's order.
    pub fn column(&mut self, index: &Index, keys: &[Key], column: i16, most: usize) -> Result<Vec<String>> {
        let mut found = Vec::new();
        self.reader().rows(index, keys, |row| {
            found.push(row.name(column));
            found.len() < most
        })?;
        Ok(found)
    }

    pub fn closure(&mut self, realm: &str, asker: &str) -> Result<Rc<Closure>> {
        if let Some(Entry::Closure(closure)) = memory::recall(Tag::Closure, &[realm, asker]) {
            return Ok(closure);
        }
        let mut closure = Closure::new(asker);
        let mut frontier = if asker == subject::EVERYBODY { Vec::new() } else { vec![asker.to_string()] };
        while !frontier.is_empty() {
            let mut next = Vec::new();
            for (member, container) in self.groups_of(realm, &frontier)? {
                if !closure.reached.contains_key(&container) {
                    closure.reached.insert(container.clone(), Some(member));
                    next.push(container);
                }
            }
            frontier = next;
        }
        let closure = Rc::new(closure);
        memory::remember(Tag::Closure, &[realm, asker], Entry::Closure(closure.clone()), closure.bytes());
        Ok(closure)
    }

    /// What the members are directly in. Groups and roles are remembered: many ask by way of them.
    fn groups_of(&mut self, realm: &str, members: &[String]) -> Result<Vec<(String, String)>> {
        let mut pairs = Vec::new();
        let mut missing = Vec::new();
        for member in members {
            match memory::recall(Tag::Groups, &[realm, member]) {
                Some(Entry::Parents(parents)) => pairs.extend(parents.iter().cloned()),
                _ => missing.push(member.as_str()),
            }
        }
        if missing.is_empty() {
            return Ok(pairs);
        }
        let mut found: BTreeMap<&str, Vec<(String, String)>> =
            missing.iter().map(|member| (*member, Vec::new())).collect();
        self.reader().rows(&MEMBERS, &[Key::Is(realm), any(&missing)], |row| {
            let member = row.name(column::member::MEMBER);
            if let Some(parents) = found.get_mut(member.as_str()) {
                parents.push((member, row.name(column::member::CONTAINER)));
            }
            true
        })?;
        for (member, parents) in found {
            pairs.extend(parents.iter().cloned());
            if subject::is_container(member) {
                remember_parents(Tag::Groups, &[realm, member], parents);
            }
        }
        Ok(pairs)
    }

    /// The containers that a resource directly stands in, as types and names.
    pub fn containers_of(
        &mut self,
        realm: &str,
        resource_type: &str,
        resource: &str,
    ) -> Result<Rc<[(String, String)]>> {
        let texts = [realm, resource_type, resource];
        if let Some(Entry::Parents(parents)) = memory::recall(Tag::Containers, &texts) {
            return Ok(parents);
        }
        let mut found = Vec::new();
        self.reader().rows(&CONTAINERS, &texts.map(Key::Is), |row| {
            found.push((row.name(column::containment::CONTAINER_TYPE), row.name(column::containment::CONTAINER)));
            true
        })?;
        Ok(remember_parents(Tag::Containers, &texts, found))
    }

    /// A policy with all that it is made of. One that is missing, or made of itself, never tells.
    pub fn policy(&mut self, realm: &str, name: &str) -> Result<Rc<Policy>> {
        self.policy_below(realm, name, &mut Vec::new())
    }

    fn policy_below(&mut self, realm: &str, name: &str, above: &mut Vec<String>) -> Result<Rc<Policy>> {
        if let Some(Entry::Policy(policy)) = memory::recall(Tag::Policy, &[realm, name]) {
            return Ok(policy);
        }
        if above.iter().any(|other| other == name) {
            return Ok(Rc::new(Policy::broken(format!("policy \"{name}\" is made of itself"))));
        }
        if above.len() > DEEPEST {
            return Ok(Rc::new(Policy::broken(format!("policy \"{name}\" is nested too deeply"))));
        }
        let mut found = None;
        self.reader().rows(&POLICIES, &[Key::Is(realm), Key::Is(name)], |row| {
            found = Some((row.name(3), row.jsonb(4), row.flag(5)));
            false
        })?;
        let Some((kind, document, negate)) = found else {
            return Ok(Rc::new(Policy::broken(format!("there is no policy \"{name}\""))));
        };
        let policy = match Config::parse(&kind, &document) {
            Err(problem) => Policy::broken(format!("policy \"{name}\": {problem}")),
            Ok(config) => {
                above.push(name.to_string());
                let mut parts = Vec::new();
                for part in config.parts() {
                    parts.push(self.policy_below(realm, part, above)?);
                }
                above.pop();
                Policy::new(negate, config, parts)
            }
        };
        let policy = Rc::new(policy);
        // A part of a circle says something else when it is asked by itself.
        if above.is_empty() {
            memory::remember(Tag::Policy, &[realm, name], Entry::Policy(policy.clone()), policy.bytes());
        }
        Ok(policy)
    }

    /// Everybody's permissions on resources of a type; `None` where they are many. To read few is one descent in the
    /// index, not one for each subject that an asker is or is in.
    pub fn few_on_resources(
        &mut self,
        realm: &str,
        resource_type: &str,
        scopes: &[&str],
        resources: &[&str],
    ) -> Result<Option<Vec<Permission>>> {
        let is_crowded = |resource: &&str| memory::recall(Tag::Crowded, &[realm, resource_type, resource]).is_some();
        if resources.iter().any(is_crowded) {
            return Ok(None);
        }
        let keys = [Key::Is(realm), Key::Is(resource_type), any(resources), any(scopes)];
        let mut found: Vec<Permission> = Vec::new();
        self.reader().rows(&BY_RESOURCE, &keys, |row| {
            found.push(permission(row));
            found.len() <= FEW
        })?;
        if found.len() <= FEW {
            return Ok(Some(found));
        }
        let crowded = found.last().and_then(|row| row.resource.as_deref()).unwrap_or_default();
        memory::remember(Tag::Crowded, &[realm, resource_type, crowded], Entry::Answer(true), 0);
        Ok(None)
    }

    /// The permissions of subjects on resources of a type.
    pub fn on_resources(
        &mut self,
        realm: &str,
        subjects: &[&str],
        resource_type: &str,
        scopes: &[&str],
        resources: &[&str],
    ) -> Result<Vec<Permission>> {
        let keys = [Key::Is(realm), any(subjects), Key::Is(resource_type), any(scopes), any(resources)];
        let mut found = Vec::new();
        self.reader().rows(&BY_SUBJECT, &keys, |row| {
            found.push(permission(row));
            true
        })?;
        Ok(found)
    }

    /// The permissions of subjects on a whole type.
    pub fn on_type(
        &mut self,
        realm: &str,
        subjects: &[&str],
        resource_type: &str,
        scopes: &[&str],
    ) -> Result<Vec<Permission>> {
        let mut found = Vec::new();
        for scope in scopes {
            match self.type_rows(realm, resource_type, scope)? {
                Some(rows) => {
                    for subject in subjects {
                        let first = rows.partition_point(|row| row.subject.as_str() < *subject);
                        found.extend(rows[first..].iter().take_while(|row| row.subject == *subject).cloned());
                    }
                }
                None => {
                    let keys = [Key::Is(realm), Key::Is(resource_type), Key::Is(scope), any(subjects)];
                    self.reader().rows(&BY_TYPE, &keys, |row| {
                        found.push(permission(row));
                        true
                    })?;
                }
            }
        }
        Ok(found)
    }

    /// All permissions of a scope on a whole type, where they are few: most questions come to them, and find nothing.
    fn type_rows(&mut self, realm: &str, resource_type: &str, scope: &str) -> Result<Option<Rc<[Permission]>>> {
        let texts = [realm, resource_type, scope];
        if let Some(Entry::OnType(rows)) = memory::recall(Tag::TypeRows, &texts) {
            return Ok(rows);
        }
        let mut found = Vec::new();
        self.reader().rows(&BY_TYPE, &texts.map(Key::Is), |row| {
            found.push(permission(row));
            found.len() <= KEPT
        })?;
        let bytes = found.iter().map(|row| row.subject.len() + row.scope.len() + 192).sum();
        let rows: Option<Rc<[Permission]>> = (found.len() <= KEPT).then(|| found.into());
        memory::remember(Tag::TypeRows, &texts, Entry::OnType(rows.clone()), bytes);
        Ok(rows)
    }
}

fn remember_parents(tag: Tag, texts: &[&str], parents: Vec<(String, String)>) -> Rc<[(String, String)]> {
    let bytes = parents.iter().map(|(a, b)| a.len() + b.len() + 96).sum();
    let parents: Rc<[(String, String)]> = parents.into();
    memory::remember(tag, texts, Entry::Parents(parents.clone()), bytes);
    parents
}

pub fn permission(row: &crate::db::scan::Row) -> Permission {
    use column::permission::{EFFECT, ID, POLICY, RESOURCE, SCOPE, SUBJECT};
    Permission {
        id: row.number(ID),
        subject: row.name(SUBJECT),
        resource: row.text(RESOURCE),
        scope: row.name(SCOPE),
        effect: if row.name(EFFECT) == "allow" { Effect::Allow } else { Effect::Deny },
        policy: row.text(POLICY),
    }
}
