//! Reads which scopes imply which, for the check of what has been written.

use crate::authorization::circle;
use crate::authorization::plan::Carries;
use crate::authorization::store::{IMPLIED, Store, column};
use crate::db::scan::Key;
use crate::error::Result;
use std::collections::HashMap;

type Scope = (String, String);

/// Scopes, and by which each is implied.
#[derive(Default)]
struct Scopes {
    names: Vec<Scope>,
    numbers: HashMap<Scope, u32>,
    by: Vec<Vec<u32>>,
}

impl Scopes {
    fn number(&mut self, scope: Scope) -> u32 {
        *self.numbers.entry(scope).or_insert_with_key(|scope| {
            self.names.push(scope.clone());
            self.by.push(Vec::new());
            self.names.len() as u32 - 1
        })
    }
}

impl Store {
    /// A circle through one of these scopes, which are types and names: the first of it is the last, too.
    pub fn implied_circle(&mut self, realm: &str, scopes: &[(&str, &str)]) -> Result<Option<Vec<Scope>>> {
        let mut found = Scopes::default();
        let mut asked = Vec::new();
        for (of_type, name) in scopes {
            self.spend(2 * (of_type.len() + name.len()) + 400)?;
            asked.push(found.number((of_type.to_string(), name.to_string())));
        }
        let mut next = 0;
        while next < found.names.len() {
            let (of_type, name) = found.names[next].clone();
            let mut by = Vec::new();
            self.collect(&IMPLIED, &[Key::Is(realm), Key::Is(&of_type), Key::Is(&name)], |row| {
                use column::implication::{BY_SCOPE, BY_TYPE, CARRIES};
                // A deny that comes from another scope goes no farther.
                if Carries::of(&row.name(CARRIES)).only_denies() {
                    return 0;
                }
                by.push((row.name(BY_TYPE), row.name(BY_SCOPE)));
                400
            })?;
            found.by[next] = by.into_iter().map(|scope| found.number(scope)).collect();
            next += 1;
        }
        let circle = circle::through(&found.by, &asked);
        Ok(circle.map(|path| path.iter().map(|number| found.names[*number as usize].clone()).collect()))
    }
}
