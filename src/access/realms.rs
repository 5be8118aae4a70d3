//! The realms that a role has a level for: read from `identity.access_grants`, and kept until a grant, a membership in a role or
//! a role itself changes.

use crate::access::Level;
use crate::db::role::{self, Role};
use crate::db::scan::{Index, Reader};
use crate::db::{invalidation, session};
use crate::error::Result;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

const GRANTS: Index = Index::of(c"access_grants", c"access_grants_role_key");

/// Columns of a grant by their numbers in the table.
mod column {
    pub const ROLE: i16 = 1;
    pub const LEVEL: i16 = 2;
    pub const REALM: i16 = 3;
}

#[derive(Default)]
pub struct Realms {
    all: bool,
    named: BTreeSet<String>,
}

impl Realms {
    pub fn is_empty(&self) -> bool {
        !self.all && self.named.is_empty()
    }

    pub fn has(&self, realm: &str) -> bool {
        self.all || self.named.contains(realm)
    }

    pub fn has_all(&self) -> bool {
        self.all
    }

    /// The realms that were named one by one.
    pub fn named(&self) -> Vec<String> {
        self.named.iter().cloned().collect()
    }
}

/// A role's number, and a level; none: any of them.
type Question = (u32, Option<Level>);

#[derive(Default)]
struct Known {
    /// When the levels of access had changed last.
    changed: u64,
    /// Few: one for each role and level that this session asks as.
    answers: Vec<(Question, Rc<Realms>)>,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// The realms for which the current role has a level that includes `level`, itself or through a role whose rights it has.
pub fn of_current_role(level: Option<Level>) -> Result<Rc<Realms>> {
    let role = role::current();
    invalidation::now();
    let changed = invalidation::access();
    let question = (role.to_u32(), level);
    let known = KNOWN.with_borrow_mut(|known| {
        if known.changed != changed {
            known.answers.clear();
            known.changed = changed;
            invalidation::watch();
        }
        known.answers.iter().find(|(asked, _)| *asked == question).map(|(_, realms)| Rc::clone(realms))
    });
    if let Some(realms) = known {
        return Ok(realms);
    }
    let realms = Rc::new(read(role, level)?);
    KNOWN.with_borrow_mut(|known| {
        if known.changed == invalidation::access() {
            known.answers.push((question, Rc::clone(&realms)));
        }
    });
    Ok(realms)
}

fn read(role: Role, level: Option<Level>) -> Result<Realms> {
    let mut realms = Realms::default();
    if role::is_superuser(role) || role::has_rights_of(role, session::extension_owner()?) {
        realms.all = true;
        return Ok(realms);
    }
    let mut granted = Vec::new();
    Reader::latest().rows(&GRANTS, &[], |row| {
        granted.push((row.get::<Role>(column::ROLE), row.name(column::LEVEL), row.text(column::REALM)));
        true
    })?;
    for (holder, held, realm) in granted {
        let holds = Level::parse(&held).is_some_and(|held| level.is_none_or(|level| held.includes(level)));
        if holds && holder.is_some_and(|holder| role::has_rights_of(role, holder)) {
            match realm {
                None => realms.all = true,
                Some(realm) => _ = realms.named.insert(realm),
            }
        }
    }
    Ok(realms)
}
