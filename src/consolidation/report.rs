//! What came of a run: for the caller's result, and for the record.

use crate::consolidation::allot::{Allotment, Name, Wish};
use crate::consolidation::members::{Groups, Row};
use crate::db::json;
use crate::db::returns::ResultSet;
use pgrx::IntoDatum;
use pgrx::datum::DatumWithOid;
use serde::Serialize;
use std::borrow::Cow;
use uuid::Uuid;

/// Who lost a name, and what they have now.
pub struct Outcome<'a> {
    pub groups: &'a Groups,
    pub renamed: &'a [Row],
    /// Rows of the main site, which keep theirs.
    pub kept: &'a [Row],
    /// The name of each renamed row; None where the table left it as it was.
    pub now: &'a [Option<String>],
}

/// A row of the record; one that kept its name has no new one, and no keeper.
pub struct Recorded<'a> {
    row: Row,
    new_login: Option<&'a str>,
}

impl Outcome<'_> {
    pub fn count(&self) -> i64 {
        self.now.iter().flatten().count() as i64
    }

    /// In the order of the record's key.
    pub fn recorded(&self) -> Vec<Recorded<'_>> {
        let renamed = self.renamed.iter().zip(self.now);
        let renamed = renamed.map(|(row, now)| Recorded { row: *row, new_login: now.as_deref() });
        let kept = self.kept.iter().map(|row| Recorded { row: *row, new_login: None });
        let mut rows: Vec<Recorded> = renamed.chain(kept).collect();
        rows.sort_by_cached_key(|recorded| self.groups.members[recorded.row.member].row_id.text());
        rows
    }
}

pub fn record_arguments(run_id: Uuid, groups: &Groups, rows: &[Recorded]) -> Vec<DatumWithOid<'static>> {
    let column =
        |value: &dyn Fn(&Recorded) -> Option<String>| -> Vec<Option<String>> { rows.iter().map(value).collect() };
    let member = |r: &Recorded| &groups.members[r.row.member];
    vec![
        run_id.to_string().into(),
        column(&|r| member(r).row_id.text()).into(),
        column(&|r| groups.site(r.row.member).name.clone()).into(),
        column(&|r| Some(member(r).key().to_string())).into(),
        column(&|r| r.new_login.and_then(|_| groups.members[r.row.keeper].row_id.text())).into(),
        column(&|r| Some(member(r).login.to_string())).into(),
        column(&|r| r.new_login.map(str::to_string)).into(),
        column(&|r| member(r).flag.as_ref().map(|flag| flag.to_string())).into(),
    ]
}

/// The rows of `dedup_logins`.
pub fn renamed(run_id: Uuid, outcome: &Outcome, allotment: &Allotment, result: &mut ResultSet) {
    let groups = outcome.groups;
    let run_id = pgrx::Uuid::from_bytes(*run_id.as_bytes());
    result.put(lines(outcome, allotment).into_iter(), |line| {
        let Row { member, keeper } = line.row;
        let login = &groups.members[member].login;
        vec![
            run_id.into_datum(),
            groups.site(member).name.as_deref().into_datum(),
            groups.members[member].row_id.text().into_datum(),
            (&**login).into_datum(),
            line.new_login.unwrap_or(login).into_datum(),
            if member == keeper { None } else { Some(json::jsonb(&text_of(&Described::of(groups, keeper)))) },
            line.reason.into_datum(),
        ]
    });
}

struct Line<'a> {
    row: Row,
    /// None where the row keeps its name.
    new_login: Option<&'a str>,
    reason: Cow<'static, str>,
}

/// Renamed rows and rows of the main site, in the order of sites and rows.
fn lines<'a>(outcome: &'a Outcome, allotment: &Allotment) -> Vec<Line<'a>> {
    let renamed = outcome.renamed.iter().zip(outcome.now).zip(allotment.names.iter().flatten());
    let renamed = renamed.map(|((row, now), name)| {
        let plain = outcome.groups.wish(row.member);
        Line { row: *row, new_login: now.as_deref(), reason: reason(plain, now.as_deref(), name) }
    });
    let kept = outcome.kept.iter().map(|row| Line {
        row: *row,
        new_login: None,
        reason: "the main site's rows are not renamed".into(),
    });
    let mut lines: Vec<Line> = renamed.chain(kept).collect();
    lines.sort_by(|one, two| outcome.groups.compare(one.row.member, two.row.member));
    lines
}

fn reason(wish: Wish, now: Option<&str>, name: &Name) -> Cow<'static, str> {
    let counter = if name.counter > 1 { ", and a counter: the name was taken" } else { "" };
    let whole = name.login.strip_prefix(wish.prefix).is_some_and(|rest| rest.starts_with(wish.login));
    let cut = if whole { "" } else { "; cut to the limit" };
    match now {
        None => "a trigger or a policy left the row as it was".into(),
        Some(now) if now != name.login => "a trigger changed the new name".into(),
        Some(_) if counter.is_empty() && cut.is_empty() => "the site's prefix".into(),
        Some(_) => format!("the site's prefix{counter}{cut}").into(),
    }
}

/// The rows of `find_duplicates`.
pub fn duplicates(groups: &Groups, result: &mut ResultSet) {
    result.put(groups.by_key().into_iter(), |members| {
        let mut sites: Vec<Option<String>> = Vec::new();
        for &member in members {
            let site = &groups.site(member).name;
            if !sites.contains(site) {
                sites.push(site.clone());
            }
        }
        let rows: Vec<Described> = members.iter().map(|&member| Described::of(groups, member)).collect();
        vec![
            groups.members[members[0]].key().into_datum(),
            (members.len() as i32).into_datum(),
            sites.into_datum(),
            Some(json::jsonb(&text_of(&rows))),
            Some(json::jsonb(&text_of(&rows[0]))),
        ]
    });
}

/// A row as the reports show it.
#[derive(Serialize)]
struct Described<'a> {
    site: Option<&'a str>,
    row_id: Option<String>,
    login: &'a str,
}

impl<'a> Described<'a> {
    fn of(groups: &'a Groups, member: usize) -> Self {
        let (site, member) = (groups.site(member).name.as_deref(), &groups.members[member]);
        Described { site, row_id: member.row_id.text(), login: &member.login }
    }
}

fn text_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts are JSON")
}
