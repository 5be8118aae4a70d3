//! What a statement that writes a table of the permissions is about: what sessions have to forget of it.

use crate::authorization::subject;
use crate::db::invalidation::Topic;
use std::collections::{BTreeSet, HashMap};

/// A realm's bucket. Primary and standbys have to come to the same, today and after an upgrade.
pub fn of_realm(realm: &str) -> u8 {
    bucket([realm])
}

/// The bucket of a user or a client of a realm.
pub fn of_subject(realm: &str, subject: &str) -> u8 {
    bucket([realm, subject])
}

/// FNV-1a, folded.
fn bucket<const N: usize>(texts: [&str; N]) -> u8 {
    let mut hash: u32 = 0x811c_9dc5;
    // No text of Postgres has a zero byte.
    for byte in texts.into_iter().flat_map(|text| text.bytes().chain([0])) {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    hash.to_le_bytes().into_iter().fold(0, |folded, byte| folded ^ byte)
}

/// A table, as far as it matters to what is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    Access,
    /// Its rows are about whom they name, and about all in what they name.
    Members,
    Permissions,
    /// Each row may be about everything in its realm.
    OfRealm,
}

impl Table {
    pub fn of(name: &str) -> Self {
        match name {
            "access_grants" => Table::Access,
            "members" => Table::Members,
            "permissions" => Table::Permissions,
            _ => Table::OfRealm,
        }
    }

    /// The column of the subject.
    pub fn subject(self) -> Option<&'static str> {
        match self {
            Table::Members => Some("member"),
            Table::Permissions => Some("subject"),
            Table::Access | Table::OfRealm => None,
        }
    }
}

/// A statement about more subjects of a realm than these is about all of the realm: so the messages stay few.
const MOST_SUBJECTS: usize = 16;

/// What the rows of one statement are about.
pub struct Changes {
    table: Table,
    /// Of each realm the buckets of its subjects; `None`: all of it.
    realms: HashMap<String, Option<BTreeSet<u8>>>,
}

impl Changes {
    pub fn of(table: Table) -> Self {
        Changes { table, realms: HashMap::new() }
    }

    /// A row that was there, or is.
    pub fn add(&mut self, realm: &str, subject: &str) {
        if !self.realms.contains_key(realm) {
            self.realms.insert(realm.to_string(), Some(BTreeSet::new()));
        }
        let Some(of_realm) = self.realms.get_mut(realm) else { return };
        // What concerns a group or a role concerns whoever is in it.
        let is_of_one =
            self.table.subject().is_some() && !subject::is_container(subject) && subject != subject::EVERYBODY;
        match of_realm {
            Some(subjects) if is_of_one && subjects.len() < MOST_SUBJECTS => {
                _ = subjects.insert(of_subject(realm, subject))
            }
            _ => *of_realm = None,
        }
    }

    pub fn topics(&self) -> BTreeSet<Topic> {
        if self.table == Table::Access {
            return BTreeSet::from([Topic::Access]);
        }
        let mut topics = BTreeSet::new();
        for (realm, subjects) in &self.realms {
            let Some(subjects) = subjects else {
                topics.insert(Topic::Realm(of_realm(realm)));
                continue;
            };
            topics.extend(subjects.iter().map(|bucket| Topic::Subject(*bucket)));
            if self.table == Table::Permissions {
                topics.insert(Topic::Permissions(of_realm(realm)));
            }
        }
        topics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(table: &str, rows: &[(&str, &str)]) -> Vec<Topic> {
        let mut changes = Changes::of(Table::of(table));
        for (realm, subject) in rows {
            changes.add(realm, subject);
        }
        changes.topics().into_iter().collect()
    }

    #[test]
    fn a_users_rows_are_about_that_user() {
        let (a, subject) = (of_realm("a"), of_subject("a", "user:1"));
        assert_eq!(topics("members", &[("a", "user:1")]), [Topic::Subject(subject)]);
        assert_eq!(topics("permissions", &[("a", "user:1"); 2]), [Topic::Subject(subject), Topic::Permissions(a)]);
    }

    #[test]
    fn other_rows_are_about_their_realm() {
        let a = [Topic::Realm(of_realm("a"))];
        assert_eq!(topics("permissions", &[("a", "*")]), a);
        assert_eq!(topics("permissions", &[("a", "user:1"), ("a", "group:1"), ("a", "user:2")]), a);
        assert_eq!(topics("members", &[("a", "role:1")]), a);
        assert_eq!(topics("policies", &[("a", "")]), a);
        assert_eq!(topics("resource_containers", &[("a", "")]), a);
        assert_eq!(topics("access_grants", &[]), [Topic::Access]);
        assert!(topics("permissions", &[]).is_empty());
    }

    #[test]
    fn many_subjects_are_their_realm() {
        let subjects: Vec<String> = (0..200).map(|n| format!("user:{n}")).collect();
        let rows: Vec<(&str, &str)> = subjects.iter().map(|subject| ("a", subject.as_str())).collect();
        assert_eq!(topics("permissions", &rows), [Topic::Realm(of_realm("a"))]);
    }

    /// A dump that is restored, and a standby of an older version, count on it.
    #[test]
    fn buckets_stay_and_are_spread() {
        assert_eq!((of_realm("acme"), of_subject("acme", "user:1")), (BUCKETS_OF_ACME.0, BUCKETS_OF_ACME.1));
        let mut counts = [0; 256];
        for n in 0..25_600 {
            counts[usize::from(of_realm(&format!("realm {n}")))] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }

    const BUCKETS_OF_ACME: (u8, u8) = (174, 96);
}
