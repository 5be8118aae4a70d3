//! Reads the permissions on resources and on types, by the way that costs least: everybody's where they are few, and the
//! asker's where his subjects and scopes are.

use crate::authorization::memory::{self, Entry, Tag, Whose};
use crate::authorization::plan::Effect;
use crate::authorization::store::{AT_ONCE, BY_RESOURCE, BY_SUBJECT, BY_TYPE, Closure, Store, any, column};
use crate::db::scan::{Index, Key, Row};
use crate::error::Result;
use std::collections::HashSet;
use std::rc::Rc;

/// A row of `identity.permissions`.
#[derive(Clone)]
pub struct Permission {
    pub id: i64,
    pub subject: String,
    pub resource: Option<String>,
    pub scope: String,
    pub effect: Effect,
    pub policy: Option<String>,
    pub origin: Option<String>,
}

/// So many permissions on one resource are rather read than looked up by subject.
const FEW: usize = 32;

/// So many permissions on a whole type are kept in memory, for each scope.
const KEPT: usize = 256;

/// So many permissions on one resource, or on one type, are rather read than looked up by many subjects and scopes.
const MANY: usize = 4096;

/// So many scopes of a type are looked up one by one.
const FEW_SCOPES: usize = 64;

/// Whose permissions are looked for, and on which scopes.
pub struct Wanted<'a> {
    pub asker: &'a Closure,
    /// Those of the asker.
    pub subjects: &'a [&'a str],
    pub scopes: &'a [&'a str],
}

impl Store {
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
        if scopes.len() * resources.len() > AT_ONCE || resources.iter().any(is_crowded) {
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
        memory::remember(Tag::Crowded, &[realm, resource_type, crowded], Whose::Nobody, Entry::Answer(true), 0);
        Ok(None)
    }

    /// The asker's permissions on resources of a type.
    pub fn on_resources(
        &mut self,
        realm: &str,
        wanted: &Wanted,
        resource_type: &str,
        resources: &[&str],
    ) -> Result<Vec<Permission>> {
        let Wanted { subjects, scopes, .. } = *wanted;
        if let Some(found) = self.few_of_asker(realm, wanted, resource_type, resources)? {
            return Ok(found);
        }
        let mut found = Vec::new();
        if subjects.len().saturating_mul(scopes.len()).saturating_mul(resources.len()) <= AT_ONCE {
            let keys = [Key::Is(realm), any(subjects), Key::Is(resource_type), any(scopes), any(resources)];
            self.add(&BY_SUBJECT, &keys, &mut found)?;
            return Ok(found);
        }
        let known: HashSet<&str> = scopes.iter().copied().collect();
        for resource in resources {
            let keys = [Key::Is(realm), Key::Is(resource_type), Key::Is(resource)];
            if self.add_of_few(&BY_RESOURCE, &keys, wanted, &known, &mut found)? {
                continue;
            }
            for subjects in subjects.chunks(AT_ONCE.div_ceil(scopes.len())) {
                for scopes in scopes.chunks(AT_ONCE) {
                    let keys = [Key::Is(realm), any(subjects), Key::Is(resource_type), any(scopes), Key::Is(resource)];
                    self.add(&BY_SUBJECT, &keys, &mut found)?;
                }
            }
        }
        Ok(found)
    }

    /// The same, where few permissions stand on the resources, whosever and on whichever scopes: then it is one descent in
    /// the index for each resource. `None` where there may be many.
    fn few_of_asker(
        &mut self,
        realm: &str,
        wanted: &Wanted,
        resource_type: &str,
        resources: &[&str],
    ) -> Result<Option<Vec<Permission>>> {
        let is_crowded = |resource: &&str| memory::recall(Tag::Crowded, &[realm, resource_type, resource]).is_some();
        if resources.len() > FEW || resources.iter().any(is_crowded) {
            return Ok(None);
        }
        let known: HashSet<&str> = wanted.scopes.iter().copied().collect();
        let (mut found, mut seen, mut last) = (Vec::new(), 0, String::new());
        let keys = [Key::Is(realm), Key::Is(resource_type), any(resources)];
        self.collect_while(&BY_RESOURCE, &keys, |row| {
            seen += 1;
            if seen > FEW * resources.len() {
                last = row.name(column::permission::RESOURCE);
                return (0, false);
            }
            let text = |column| row.get::<&str>(column).unwrap_or_default();
            let (scope, subject) = (text(column::permission::SCOPE), text(column::permission::SUBJECT));
            if !known.contains(scope) || !wanted.asker.has(subject) {
                return (0, true);
            }
            found.push(permission(row));
            (found.last().map_or(0, Permission::bytes), true)
        })?;
        if last.is_empty() {
            return Ok(Some(found));
        }
        memory::remember(Tag::Crowded, &[realm, resource_type, &last], Whose::Nobody, Entry::Answer(true), 0);
        Ok(None)
    }

    /// The asker's permissions on a whole type.
    pub fn on_type(&mut self, realm: &str, wanted: &Wanted, resource_type: &str) -> Result<Vec<Permission>> {
        let mut found = Vec::new();
        if wanted.scopes.len() > FEW_SCOPES {
            let known = wanted.scopes.iter().copied().collect();
            let keys = [Key::Is(realm), Key::Is(resource_type)];
            if self.add_of_few(&BY_TYPE, &keys, wanted, &known, &mut found)? {
                return Ok(found);
            }
        }
        for scope in wanted.scopes {
            match self.type_rows(realm, resource_type, scope)? {
                Some(rows) => self.add_from(&rows, wanted, &mut found)?,
                None => {
                    for subjects in wanted.subjects.chunks(AT_ONCE) {
                        let keys = [Key::Is(realm), Key::Is(resource_type), Key::Is(scope), any(subjects)];
                        self.add(&BY_TYPE, &keys, &mut found)?;
                    }
                }
            }
        }
        Ok(found)
    }

    /// Adds the asker's permissions among those of a type, which are ordered by subject.
    fn add_from(&mut self, rows: &[Permission], wanted: &Wanted, found: &mut Vec<Permission>) -> Result<()> {
        let before = found.len();
        if wanted.subjects.len() > rows.len() {
            found.extend(rows.iter().filter(|row| wanted.asker.has(&row.subject)).cloned());
        } else {
            for subject in wanted.subjects {
                let first = rows.partition_point(|row| row.subject.as_str() < *subject);
                found.extend(rows[first..].iter().take_while(|row| row.subject == *subject).cloned());
            }
        }
        let bytes = found[before..].iter().map(Permission::bytes).sum();
        self.spend(bytes)
    }

    /// Adds all permissions that fit.
    fn add(&mut self, index: &Index, keys: &[Key], found: &mut Vec<Permission>) -> Result<()> {
        self.collect(index, keys, |row| {
            let permission = permission(row);
            let bytes = permission.bytes();
            found.push(permission);
            bytes
        })
    }

    /// Adds the asker's permissions among those that fit, if these are few; false where they are many, and nothing is
    /// added.
    fn add_of_few(
        &mut self,
        index: &Index,
        keys: &[Key],
        wanted: &Wanted,
        scopes: &HashSet<&str>,
        found: &mut Vec<Permission>,
    ) -> Result<bool> {
        let (before, mut seen) = (found.len(), 0);
        self.collect_while(index, keys, |row| {
            seen += 1;
            let permission = permission(row);
            if !scopes.contains(permission.scope.as_str()) || !wanted.asker.has(&permission.subject) {
                return (0, seen <= MANY);
            }
            let bytes = permission.bytes();
            found.push(permission);
            (bytes, seen <= MANY)
        })?;
        if seen > MANY {
            found.truncate(before);
        }
        Ok(seen <= MANY)
    }

    /// All permissions of a scope on a whole type, where they are few: most questions come to them, and find nothing.
    fn type_rows(&mut self, realm: &str, resource_type: &str, scope: &str) -> Result<Option<Rc<[Permission]>>> {
        let texts = [realm, resource_type, scope];
        if let Some(Entry::OnType(rows)) = memory::recall(Tag::TypeRows, &texts) {
            return Ok(rows);
        }
        // What is not kept is not worth more than the descents that it saves.
        let most = if memory::enabled() { KEPT } else { FEW };
        let mut found = Vec::new();
        self.reader().rows(&BY_TYPE, &texts.map(Key::Is), |row| {
            found.push(permission(row));
            found.len() <= most
        })?;
        let bytes = found.iter().map(Permission::bytes).sum();
        let rows: Option<Rc<[Permission]>> = (found.len() <= most).then(|| found.into());
        memory::remember(Tag::TypeRows, &texts, Whose::Anybody, Entry::OnType(rows.clone()), bytes);
        Ok(rows)
    }
}

impl Permission {
    /// The memory that it takes, roughly.
    pub fn bytes(&self) -> usize {
        let texts = [&self.resource, &self.policy, &self.origin].into_iter().flatten().map(String::len).sum::<usize>();
        256 + self.subject.len() + self.scope.len() + texts
    }
}

pub fn permission(row: &Row) -> Permission {
    use column::permission::{EFFECT, ID, ORIGIN, POLICY, RESOURCE, SCOPE, SUBJECT};
    Permission {
        id: row.number(ID),
        subject: row.name(SUBJECT),
        resource: row.text(RESOURCE),
        scope: row.name(SCOPE),
        effect: Effect::of(&row.name(EFFECT)),
        policy: row.text(POLICY),
        origin: row.text(ORIGIN),
    }
}
