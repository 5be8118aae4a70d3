//! Which permissions on farther containers are consulted, where those of the nearest ones cover others: from each
//! container in which a resource directly stands, a permission farther up is consulted if it has a scope that no
//! permission on that container names.
//!
//! The rows of one origin on a container are one permission; any other row is one of its own.

use crate::authorization::findings::Found;
use crate::authorization::judge::Question;
use crate::authorization::plan::{Level, Model};
use crate::authorization::store::{BY_RESOURCE, Store, column};
use crate::authorization::subject;
use crate::db::scan::Key;
use crate::error::Result;
use column::permission::{ORIGIN, SCOPE};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

type Scopes = BTreeSet<String>;

/// Marks the rows that are not consulted.
pub fn mark_covered(store: &mut Store, model: &Model, question: &Question, rows: &mut [Found]) -> Result<()> {
    let is_far = |row: &Found| matches!(row.level, Level::Container(2..));
    let (Some(resource), true) = (question.resource, rows.iter().any(is_far)) else { return Ok(()) };
    let mut walk = Walk::new(store, model, question, resource)?;
    let mut bundles: HashMap<(String, String), HashMap<String, Scopes>> = HashMap::new();
    for row in rows.iter_mut().filter(|row| is_far(row)) {
        let on = row.permission.resource.clone().unwrap_or_default();
        let of_type = walk.type_of(&on);
        let mut own = Scopes::from([row.permission.scope.clone()]);
        if let Some(origin) = &row.permission.origin {
            let key = (of_type.clone(), on.clone());
            if !bundles.contains_key(&key) {
                bundles.insert(key.clone(), bundles_on(store, question.realm, &of_type, &on)?);
            }
            own.extend(bundles[&key].get(origin).into_iter().flatten().cloned());
        }
        row.covered = walk.covers(store, question.realm, &on, &own)?;
    }
    Ok(())
}

/// The ways up from the containers of a resource.
struct Walk {
    /// Each container, its type, and from which of the nearest ones it is reached.
    reached: HashMap<Rc<str>, (Rc<str>, Vec<usize>)>,
    nearest: Vec<(Rc<str>, Rc<str>)>,
    /// The scopes that permissions on the nearest ones name.
    named: Vec<Option<Scopes>>,
}

impl Walk {
    fn new(store: &mut Store, model: &Model, question: &Question, resource: &str) -> Result<Self> {
        let nearest = store.containers_of(question.realm, question.resource_type, resource)?.to_vec();
        let mut walk = Walk { reached: HashMap::new(), named: vec![None; nearest.len()], nearest };
        for from in 0..walk.nearest.len() {
            let mut frontier = vec![walk.nearest[from].clone()];
            let mut seen = HashSet::new();
            while let Some((of_type, container)) = frontier.pop() {
                if !seen.insert(container.clone()) {
                    continue;
                }
                store.spend(container.len() + 160)?;
                if model.contained.contains(&*of_type) {
                    frontier.extend(store.containers_of(question.realm, &of_type, &container)?.iter().cloned());
                }
                walk.reached.entry(container).or_insert_with(|| (of_type, Vec::new())).1.push(from);
            }
        }
        Ok(walk)
    }

    fn type_of(&self, container: &str) -> String {
        self.reached.get(container).map_or_else(String::new, |(of_type, _)| of_type.to_string())
    }

    /// Whether each of the nearest containers from which this one is reached has permissions about all these scopes.
    fn covers(&mut self, store: &mut Store, realm: &str, container: &str, scopes: &Scopes) -> Result<bool> {
        let Some((of_type, from)) = self.reached.get(container).cloned() else { return Ok(false) };
        for nearest in from {
            if self.nearest[nearest].0 != of_type || !scopes.is_subset(self.named(store, realm, nearest)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn named(&mut self, store: &mut Store, realm: &str, nearest: usize) -> Result<&Scopes> {
        if self.named[nearest].is_none() {
            let (of_type, container) = &self.nearest[nearest];
            self.named[nearest] = Some(scopes_on(store, realm, of_type, container)?);
        }
        Ok(self.named[nearest].get_or_insert_default())
    }
}

/// The scopes that permissions on a container name, one descent in the index for each.
fn scopes_on(store: &mut Store, realm: &str, of_type: &str, container: &str) -> Result<Scopes> {
    let mut scopes = Scopes::new();
    let mut last = String::new();
    loop {
        let keys = [Key::Is(realm), Key::Is(of_type), Key::Is(container), Key::After(&last)];
        let Some(scope) = store.next(&BY_RESOURCE, &keys, SCOPE)? else { return Ok(scopes) };
        scopes.insert(scope.clone());
        last = scope;
    }
}

/// The scopes of each origin on a container. What restricts is everybody's, so that everybody's rows have all of them.
fn bundles_on(store: &mut Store, realm: &str, of_type: &str, container: &str) -> Result<HashMap<String, Scopes>> {
    let mut bundles: HashMap<String, Scopes> = HashMap::new();
    for scope in &scopes_on(store, realm, of_type, container)? {
        let keys = [Key::Is(realm), Key::Is(of_type), Key::Is(container), Key::Is(scope), Key::Is(subject::EVERYBODY)];
        store.collect(&BY_RESOURCE, &keys, |row| {
            if let Some(origin) = row.text(ORIGIN) {
                bundles.entry(origin).or_default().insert(scope.clone());
            }
            200
        })?;
    }
    Ok(bundles)
}
