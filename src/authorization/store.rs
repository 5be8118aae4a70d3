//! Reads the tables of the permissions, through memory where it remembers. `grants` reads the permissions themselves,
//! `conditions` the policies.

use crate::authorization::memory::{self, Entry, Tag, Whose};
use crate::authorization::plan::{Carries, Combining, Effect, Graph, Implication, Model};
use crate::authorization::policy::{Asker, Policy};
use crate::authorization::subject;
use crate::db::allocate;
use crate::db::scan::{Index, Key, Reader, Row};
use crate::error::{Error, Result};
use foldhash::fast::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

// Each with the columns by which it is ordered.
/// realm, subject, resource_type, scope, resource
pub const BY_SUBJECT: Index = Index::of(c"permissions", c"permissions_subject_key");
/// The same, for what stands in the index itself; of two expressions nothing is read.
pub const NAMES_BY_SUBJECT: Index =
    Index::covering(c"permissions", c"permissions_subject_key", &[1, 3, 4, 6, 5, 7, 0, 0]);
/// realm, resource_type, scope, resource
pub const EVERYBODYS_ALLOWS: Index =
    Index::covering(c"permissions", c"permissions_everybodys_allows_idx", &[1, 4, 6, 5]);
/// realm, resource_type, resource, scope, subject
pub const BY_RESOURCE: Index =
    Index::covering(c"permissions", c"permissions_resource_idx", &[1, 4, 5, 6, 3, 7, 8, 2, 9]);
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
/// realm, name
pub const POLICIES: Index = Index::of(c"policies", c"policies_pkey");
const TYPES: Index = Index::of(c"resource_types", c"resource_types_pkey");
/// realm, resource_type, scope, by_type, by_scope
pub const IMPLIED: Index = Index::of(c"implied_scopes", c"implied_scopes_pkey");

/// Columns by their numbers in the tables.
pub mod column {
    pub mod permission {
        pub const ID: i16 = 2;
        pub const SUBJECT: i16 = 3;
        pub const RESOURCE: i16 = 5;
        pub const SCOPE: i16 = 6;
        pub const EFFECT: i16 = 7;
        pub const POLICY: i16 = 8;
        pub const ORIGIN: i16 = 9;
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
    pub mod implication {
        pub const BY_TYPE: i16 = 4;
        pub const BY_SCOPE: i16 = 5;
        pub const FALLBACK: i16 = 6;
        pub const CARRIES: i16 = 7;
    }
    pub mod resource_type {
        pub const NAME: i16 = 2;
        pub const SCOPES: i16 = 3;
        pub const COMBINING: i16 = 4;
    }
    pub mod policy {
        pub const KIND: i16 = 3;
        pub const CONFIG: i16 = 4;
        pub const NEGATE: i16 = 5;
    }
}

/// A member and what it is in, or a type and a name.
type Pair = (Rc<str>, Rc<str>);

/// What a group or a role is directly in, or the containers of a resource.
pub type Parents = Rc<[Pair]>;

/// A subject, and all that it is in; each with what it was reached from, along a shortest way.
#[derive(Debug)]
pub struct Closure {
    asker: Rc<str>,
    reached: HashMap<Rc<str>, Option<Rc<str>>, RandomState>,
}

impl Closure {
    fn new(asker: &str) -> Self {
        let asker: Rc<str> = asker.into();
        Closure { asker: asker.clone(), reached: HashMap::from_iter([(asker, None)]) }
    }

    /// The subjects whose permissions are the asker's.
    pub fn subjects(&self) -> Vec<&str> {
        let mut subjects: Vec<&str> = self.reached.keys().map(|subject| &**subject).collect();
        if *self.asker != *subject::EVERYBODY {
            subjects.push(subject::EVERYBODY);
        }
        subjects
    }

    /// Whether the permissions of a subject are the asker's.
    pub fn has(&self, subject: &str) -> bool {
        subject == subject::EVERYBODY || self.reached.contains_key(subject)
    }

    /// From the first that the asker is in to `subject`; empty for the asker itself.
    pub fn path(&self, subject: &str) -> Vec<&str> {
        let mut path = Vec::new();
        let mut at = self.reached.get_key_value(subject);
        while let Some((name, Some(from))) = at {
            path.push(&**name);
            at = self.reached.get_key_value(from);
        }
        path.reverse();
        path
    }

    fn bytes(&self) -> usize {
        self.reached.keys().map(|name| name.len() + CLOSURE_ENTRY).sum()
    }
}

/// What a name in a closure takes, besides its letters.
const CLOSURE_ENTRY: usize = 160;

impl Asker for Closure {
    fn is_in(&self, subject: &str, direct: bool) -> bool {
        let from = self.reached.get(subject);
        from.is_some_and(|from| !direct || from.as_ref().is_none_or(|from| *from == self.asker))
    }
}

/// One question, or several that belong together: one snapshot for all of them, and one realm.
pub struct Store {
    reader: Option<Reader>,
    /// The memory that the question in hand takes, roughly.
    spent: usize,
    /// So much of it stays for the next question.
    kept: usize,
    /// So much was seen to be there.
    ensured: usize,
    /// What the last asker is in.
    asker: Option<(Rc<str>, Rc<Closure>)>,
    /// The scopes that the last question was about, and those that imply it.
    graph: Option<(Rc<str>, Rc<str>, Rc<Graph>)>,
    /// Policies that were read for these questions.
    pub(super) policies: HashMap<String, Rc<Policy>, RandomState>,
}

/// The memory that one question may take.
const MOST_BYTES: usize = 256 << 20;

/// So much is taken without a look whether it is there.
const SMALL: usize = 64 << 10;

/// So many members are looked up in one scan, and so many combinations of keys: between two scans a cancel is answered.
pub const AT_ONCE: usize = 512;

/// A key for one of several, or for the one.
pub fn any<'a>(texts: &'a [&'a str]) -> Key<'a> {
    match texts {
        [text] => Key::Is(text),
        texts => Key::In(texts),
    }
}

impl Store {
    pub fn new() -> Self {
        Store {
            reader: None,
            spent: 0,
            kept: 0,
            ensured: SMALL,
            asker: None,
            graph: None,
            policies: HashMap::default(),
        }
    }

    /// The snapshot is taken when the first row is needed.
    pub fn reader(&mut self) -> &mut Reader {
        self.reader.get_or_insert_with(Reader::latest)
    }

    /// What the question before took is given back, but for what is kept.
    pub fn begin_question(&mut self) {
        self.spent = self.kept;
    }

    /// Counts memory that the question takes, and sees that it, and as much again, is there.
    pub fn spend(&mut self, bytes: usize) -> Result<()> {
        self.spent += bytes;
        if self.spent > MOST_BYTES {
            return Err(Error::new("54000", "a question about permissions is about too much")
                .detail(format!("It takes more than {} MB.", MOST_BYTES >> 20))
                .hint("See how many groups, containers, scopes, policies or permissions it comes to, and remove those that are not needed."));
        }
        if self.spent > self.ensured {
            self.ensured = 2 * self.spent;
            allocate::ensure(self.ensured)?;
        }
        Ok(())
    }

    /// Counts memory that is kept for the questions that follow.
    pub fn spend_for_all(&mut self, bytes: usize) -> Result<()> {
        self.kept += bytes;
        self.spend(bytes)
    }

    pub fn model(&mut self, realm: &str) -> Result<Rc<Model>> {
        if let Some(Entry::Model(model)) = memory::recall(Tag::Model, &[realm]) {
            return Ok(model);
        }
        let types = self.types(realm)?;
        let implications = self.implications(realm)?;
        let mut model = Model::new(types, &implications);
        model.contained = self.distinct(&CONTAINERS, realm, column::containment::RESOURCE_TYPE)?;
        model.containers = self.distinct(&CONTENTS, realm, column::containment::CONTAINER_TYPE)?;
        let model = Rc::new(model);
        memory::remember(Tag::Model, &[realm], Whose::Nobody, Entry::Model(model.clone()), model.bytes());
        Ok(model)
    }

    fn types(&mut self, realm: &str) -> Result<Vec<(String, Vec<String>, Combining)>> {
        use column::resource_type::{COMBINING, NAME, SCOPES};
        let mut types: Vec<(String, Vec<String>, Combining)> = Vec::new();
        self.collect(&TYPES, &[Key::Is(realm)], |row| {
            let (name, scopes) = (row.name(NAME), row.texts(SCOPES));
            let bytes = 300 + scopes.iter().map(|scope| scope.len() + 150).sum::<usize>();
            types.push((name, scopes, Combining::of(&row.name(COMBINING))));
            bytes
        })?;
        Ok(types)
    }

    fn implications(&mut self, realm: &str) -> Result<Vec<Implication>> {
        use column::implication::{BY_SCOPE, BY_TYPE, CARRIES, FALLBACK};
        let mut implications = Vec::new();
        self.collect(&IMPLIED, &[Key::Is(realm)], |row| {
            implications.push(Implication {
                resource_type: row.name(2),
                scope: row.name(3),
                by_type: row.name(BY_TYPE),
                by_scope: row.name(BY_SCOPE),
                fallback: row.flag(FALLBACK),
                carries: Carries::of(&row.name(CARRIES)),
            });
            300
        })?;
        Ok(implications)
    }

    /// Hands all rows that fit to `each`, which says how much memory it took of each.
    pub fn collect(&mut self, index: &Index, keys: &[Key], mut each: impl FnMut(&Row) -> usize) -> Result<()> {
        self.collect_while(index, keys, |row| (each(row), true))
    }

    /// The same, until `each` has seen enough and says false.
    pub fn collect_while(
        &mut self,
        index: &Index,
        keys: &[Key],
        mut each: impl FnMut(&Row) -> (usize, bool),
    ) -> Result<()> {
        let mut reader = self.reader.take().unwrap_or_else(Reader::latest);
        let mut spent = Ok(());
        let read = reader.rows(index, keys, |row| {
            let (bytes, more) = each(row);
            spent = self.spend(bytes);
            more && spent.is_ok()
        });
        self.reader = Some(reader);
        read.and(spent)
    }

    /// The scopes that a question is about; `None` where the realm knows no such type or scope.
    pub fn graph(&mut self, model: &Model, realm: &str, resource_type: &str, scope: &str) -> Result<Option<Rc<Graph>>> {
        if let Some((of_type, of_scope, graph)) = &self.graph
            && (&**of_type, &**of_scope) == (resource_type, scope)
        {
            return Ok(Some(graph.clone()));
        }
        let texts = [realm, resource_type, scope];
        let graph = match memory::recall(Tag::Graph, &texts) {
            Some(Entry::Graph(graph)) => graph,
            _ => {
                let Some(graph) = Graph::new(model, resource_type, scope) else { return Ok(None) };
                self.spend(graph.bytes())?;
                let (bytes, graph) = (graph.bytes(), Rc::new(graph));
                memory::remember(Tag::Graph, &texts, Whose::Nobody, Entry::Graph(graph.clone()), bytes);
                graph
            }
        };
        self.graph = Some((resource_type.into(), scope.into(), graph.clone()));
        Ok(Some(graph))
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

    /// The same among permissions, or among those that allow.
    pub fn next_that(&mut self, index: &Index, keys: &[Key], column: i16, allows: bool) -> Result<Option<String>> {
        let mut found = self.column(index, keys, column, allows, 1)?;
        Ok(found.pop())
    }

    /// A column of at most `most` rows, in the index's order; `allows`: of permissions that allow.
    pub fn column(
        &mut self,
        index: &Index,
        keys: &[Key],
        column: i16,
        allows: bool,
        most: usize,
    ) -> Result<Vec<String>> {
        let mut found = Vec::new();
        self.reader().rows(index, keys, |row| {
            if !allows || Effect::of(&row.name(column::permission::EFFECT)) == Effect::Allow {
                found.push(row.name(column));
            }
            found.len() < most
        })?;
        Ok(found)
    }

    pub fn closure(&mut self, realm: &str, asker: &str) -> Result<Rc<Closure>> {
        if let Some((last, closure)) = &self.asker
            && **last == *asker
        {
            return Ok(closure.clone());
        }
        let closure = match memory::recall(Tag::Closure, &[realm, asker]) {
            Some(Entry::Closure(closure)) => closure,
            _ => self.read_closure(realm, asker)?,
        };
        self.asker = Some((closure.asker.clone(), closure.clone()));
        Ok(closure)
    }

    fn read_closure(&mut self, realm: &str, asker: &str) -> Result<Rc<Closure>> {
        let mut closure = Closure::new(asker);
        let mut frontier = if asker == subject::EVERYBODY { Vec::new() } else { vec![closure.asker.clone()] };
        while !frontier.is_empty() {
            let mut next = Vec::new();
            for members in frontier.chunks(AT_ONCE) {
                for (member, container) in self.groups_of(realm, members)? {
                    if !closure.reached.contains_key(&container) {
                        self.spend(container.len() + CLOSURE_ENTRY)?;
                        closure.reached.insert(container.clone(), Some(member));
                        next.push(container);
                    }
                }
            }
            frontier = next;
        }
        let closure = Rc::new(closure);
        let entry = Entry::Closure(closure.clone());
        memory::remember(Tag::Closure, &[realm, asker], Whose::Subject(asker), entry, closure.bytes());
        Ok(closure)
    }

    /// What the members are directly in. Groups and roles are remembered: many ask by way of them.
    fn groups_of(&mut self, realm: &str, members: &[Rc<str>]) -> Result<Vec<Pair>> {
        let mut pairs = Vec::new();
        let mut missing: Vec<&Rc<str>> = Vec::new();
        for member in members {
            match memory::recall(Tag::Groups, &[realm, member]) {
                Some(Entry::Parents(parents)) => pairs.extend(parents.iter().cloned()),
                _ => missing.push(member),
            }
        }
        if !missing.is_empty() {
            self.read_groups(realm, &missing, &mut pairs)?;
        }
        Ok(pairs)
    }

    fn read_groups(&mut self, realm: &str, members: &[&Rc<str>], pairs: &mut Vec<Pair>) -> Result<()> {
        let names: Vec<&str> = members.iter().map(|member| &***member).collect();
        let mut found: Vec<Pair> = Vec::new();
        let before = self.spent;
        self.collect(&MEMBERS, &[Key::Is(realm), any(&names)], |row| {
            let member = row.shared(column::member::MEMBER);
            found.push((member, row.shared(column::member::CONTAINER)));
            160
        })?;
        let mut of_each: HashMap<&str, Vec<Pair>, RandomState> = HashMap::default();
        for pair in &found {
            of_each.entry(&*pair.0).or_default().push(pair.clone());
        }
        for member in members.iter().filter(|member| subject::is_container(member)) {
            remember_parents(Tag::Groups, &[realm, member], of_each.remove(&***member).unwrap_or_default());
        }
        pairs.extend(found);
        // The pairs are given back when their names have been looked at.
        self.spent = before;
        Ok(())
    }

    /// The containers that a resource directly stands in, as types and names.
    pub fn containers_of(&mut self, realm: &str, resource_type: &str, resource: &str) -> Result<Parents> {
        use column::containment::{CONTAINER, CONTAINER_TYPE};
        let texts = [realm, resource_type, resource];
        if let Some(Entry::Parents(parents)) = memory::recall(Tag::Containers, &texts) {
            return Ok(parents);
        }
        let mut found = Vec::new();
        self.collect(&CONTAINERS, &texts.map(Key::Is), |row| {
            found.push((row.shared(CONTAINER_TYPE), row.shared(CONTAINER)));
            160
        })?;
        Ok(remember_parents(Tag::Containers, &texts, found))
    }
}

fn remember_parents(tag: Tag, texts: &[&str], parents: Vec<Pair>) -> Parents {
    let bytes = parents.iter().map(|(a, b)| a.len() + b.len() + 96).sum();
    let parents: Parents = parents.into();
    memory::remember(tag, texts, Whose::Nobody, Entry::Parents(parents.clone()), bytes);
    parents
}
