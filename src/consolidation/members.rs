//! The rows that share a login name: who they are, in which order, and who keeps the name. No SQL is run here.

use crate::consolidation::allot::Wish;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Where it lies: its table (a partition, perhaps), and its place in that.
    pub table: u32,
    pub place: (u32, u16),
    pub site: usize,
    pub row_id: RowId,
    pub login: Box<str>,
    /// None where it is the login itself.
    key: Option<Box<str>>,
    hash: u64,
    pub flag: Option<Box<str>>,
}

impl Member {
    pub fn new(site: usize, row_id: RowId, login: &str, key: &str, hash: u64) -> Self {
        let key = (key != login).then(|| key.into());
        Member { table: 0, place: (0, 0), site, row_id, login: login.into(), key, hash, flag: None }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn key(&self) -> &str {
        self.key.as_ref().unwrap_or(&self.login)
    }
}

/// The value of the column that tells a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowId {
    Number(i64),
    /// A number of other spelling, or of more digits.
    Digits(i128, Box<str>),
    Text(Box<str>),
    Null,
}

impl RowId {
    pub fn parse(text: Option<&str>) -> Self {
        let Some(text) = text else { return RowId::Null };
        if !text.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit()) {
            return RowId::Text(text.into());
        }
        match (text.parse::<i64>(), text.parse::<i128>()) {
            (Ok(number), _) if number.to_string() == text => RowId::Number(number),
            (_, Ok(number)) => RowId::Digits(number, text.into()),
            _ => RowId::Text(text.into()),
        }
    }

    fn number(&self) -> Option<i128> {
        match self {
            RowId::Number(number) => Some((*number).into()),
            RowId::Digits(number, _) => Some(*number),
            RowId::Text(_) | RowId::Null => None,
        }
    }

    pub fn text(&self) -> Option<String> {
        match self {
            RowId::Number(number) => Some(number.to_string()),
            RowId::Digits(_, text) | RowId::Text(text) => Some(text.to_string()),
            RowId::Null => None,
        }
    }
}

/// Numbers come first, in their order; then texts, byte by byte; NULL is last.
impl Ord for RowId {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (RowId::Number(one), RowId::Number(two)) = (self, other) {
            return one.cmp(two);
        }
        let last = |id: &RowId| (id.number().is_none(), *id == RowId::Null);
        last(self)
            .cmp(&last(other))
            .then_with(|| self.number().cmp(&other.number()))
            .then_with(|| self.text().cmp(&other.text()))
    }
}

impl PartialOrd for RowId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The sites that were met, each with its prefix, and its rank by name; as numbers where they are numbers.
#[derive(Debug, Default)]
pub struct Sites {
    places: BTreeMap<Option<String>, usize>,
    sites: Vec<Site>,
    last: usize,
}

#[derive(Debug)]
pub struct Site {
    pub name: Option<String>,
    pub prefix: Option<String>,
    rank: usize,
}

impl Sites {
    /// The number of a site.
    pub fn place(&mut self, name: Option<&str>, prefixes: &BTreeMap<String, String>) -> usize {
        // Rows of one site come together, as a rule.
        if self.sites.get(self.last).is_none_or(|last| last.name.as_deref() != name) {
            let name = name.map(str::to_string);
            self.last = *self.places.entry(name.clone()).or_insert_with(|| {
                let prefix = name.as_ref().and_then(|name| prefixes.get(name).cloned());
                self.sites.push(Site { name, prefix, rank: 0 });
                self.sites.len() - 1
            });
        }
        self.last
    }

    fn rank(&mut self) {
        let mut order: Vec<usize> = (0..self.sites.len()).collect();
        order.sort_by_key(|&site| RowId::parse(self.sites[site].name.as_deref()));
        for (rank, site) in order.into_iter().enumerate() {
            self.sites[site].rank = rank;
        }
    }
}

/// Rows that share a key, group by group; in each the rows of the main site come first.
pub struct Groups {
    pub members: Vec<Member>,
    sites: Sites,
    /// The members of all groups, and where each group is among them. Members whose key nobody shares are in none.
    order: Vec<usize>,
    groups: Vec<Range<usize>>,
}

impl Groups {
    pub fn new(members: Vec<Member>, mut sites: Sites) -> Self {
        sites.rank();
        // By hash first: that needs no look at the members.
        let mut hashes: Vec<(u64, usize)> = members.iter().enumerate().map(|(i, member)| (member.hash, i)).collect();
        hashes.sort_unstable();
        let mut found = Groups { members, sites, order: Vec::new(), groups: Vec::new() };
        for alike in hashes.chunk_by(|one, two| one.0 == two.0).filter(|alike| alike.len() > 1) {
            let mut alike: Vec<usize> = alike.iter().map(|(_, member)| *member).collect();
            alike.sort_unstable_by(|&one, &two| found.compare_in_group(one, two));
            for group in alike.chunk_by(|&one, &two| found.members[one].key() == found.members[two].key()) {
                if group.len() > 1 {
                    let start = found.order.len();
                    found.order.extend_from_slice(group);
                    found.groups.push(start..found.order.len());
                }
            }
        }
        found
    }

    fn compare_in_group(&self, one: usize, two: usize) -> Ordering {
        let key = |member: usize| self.members[member].key();
        let is_main = |member: usize| self.site(member).prefix.is_none();
        key(one).cmp(key(two)).then_with(|| is_main(two).cmp(&is_main(one))).then_with(|| self.compare(one, two))
    }

    /// By site and row.
    pub fn compare(&self, one: usize, two: usize) -> Ordering {
        let rank = |member: usize| self.site(member).rank;
        rank(one).cmp(&rank(two)).then_with(|| self.members[one].row_id.cmp(&self.members[two].row_id))
    }

    pub fn site(&self, member: usize) -> &Site {
        &self.sites.sites[self.members[member].site]
    }

    /// What a row of a site with a prefix asks for.
    pub fn wish(&self, member: usize) -> Wish<'_> {
        let prefix = self.site(member).prefix.as_deref().unwrap_or_default();
        Wish { prefix, login: &self.members[member].login }
    }

    /// The members of each group, in the order of the keys.
    pub fn by_key(&self) -> Vec<&[usize]> {
        let mut groups: Vec<&[usize]> = self.groups.iter().map(|group| &self.order[group.clone()]).collect();
        groups.sort_by(|one, two| self.members[one[0]].key().cmp(self.members[two[0]].key()));
        groups
    }

    /// Every member of a group with its keeper, in the order of sites and rows.
    pub fn rows(&self) -> Vec<Row> {
        let group = |group: &Range<usize>| {
            let members = &self.order[group.clone()];
            members.iter().map(|&member| Row { member, keeper: members[0] })
        };
        let mut rows: Vec<Row> = self.groups.iter().flat_map(group).collect();
        // As they lie in the table they are nearly in order.
        rows.sort_unstable_by_key(|row| row.member);
        rows.sort_by(|one, two| self.compare(one.member, two.member));
        rows
    }

    /// A row_id that does not tell one row of a group.
    pub fn ambiguous_row(&self) -> Option<String> {
        let mut ids: Vec<&RowId> = self.order.iter().map(|&member| &self.members[member].row_id).collect();
        ids.sort_unstable();
        let twice = ids.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        let bad = ids.last().copied().filter(|id| **id == RowId::Null).or(twice);
        bad.map(|id| id.text().unwrap_or_else(|| "NULL".to_string()))
    }
}

/// A member of a group, and who comes first in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub member: usize,
    pub keeper: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consolidation::allot::hash;

    fn groups(rows: &[(&str, &str, &str)], prefixes: &[(&str, &str)]) -> Groups {
        let prefixes = prefixes.iter().map(|(site, prefix)| (site.to_string(), prefix.to_string())).collect();
        let mut sites = Sites::default();
        let members = rows.iter().map(|(site, id, login)| {
            let key = login.to_lowercase();
            Member::new(sites.place(Some(site), &prefixes), RowId::parse(Some(id)), login, &key, hash(&key))
        });
        Groups::new(members.collect::<Vec<_>>(), sites)
    }

    fn shown(groups: &Groups) -> Vec<String> {
        let id = |member: usize| groups.members[member].row_id.text().unwrap();
        groups.rows().iter().map(|row| format!("{} of {}", id(row.member), id(row.keeper))).collect()
    }

    #[test]
    fn the_main_site_comes_first_then_sites_and_rows_by_number() {
        let rows = [("10", "1", "bob"), ("9", "20", "BOB"), ("9", "3", "bob"), ("main", "9", "Bob"), ("9", "5", "ann")];
        let groups = groups(&rows, &[("9", "a_"), ("10", "b_")]);
        assert_eq!(shown(&groups), ["3 of 9", "20 of 9", "1 of 9", "9 of 9"]);
        assert_eq!(groups.site(groups.rows()[0].keeper).prefix, None);
    }

    #[test]
    fn numbers_come_before_texts() {
        let order = ["-5", "0", "007", "7", "9223372036854775808", "", "a", "b"];
        let ids: Vec<RowId> = order.iter().map(|text| RowId::parse(Some(text))).collect();
        let mut sorted = ids.clone();
        sorted.sort();
        assert_eq!(sorted.iter().map(|id| id.text().unwrap()).collect::<Vec<_>>(), order);
        assert!(RowId::parse(None) > RowId::parse(Some("z")));
    }

    #[test]
    fn a_row_id_tells_one_row() {
        assert_eq!(groups(&[("1", "1", "bob"), ("2", "1", "ann")], &[]).ambiguous_row(), None);
        assert_eq!(groups(&[("1", "1", "bob"), ("2", "1", "bob")], &[]).ambiguous_row(), Some("1".to_string()));
    }
}
