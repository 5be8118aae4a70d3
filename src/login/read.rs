//! What a login reads: the identity, its memberships and their organizations, all in one snapshot.

use crate::db::plan::{self, Argument, Plan, Row};
use crate::error::Result;
use crate::login::walk::{Candidate, State};
use pgrx::IntoDatum;
use pgrx::pg_sys::{INT8OID, TEXTOID, UUIDOID};

/// The columns of a candidate: `m` is the membership, `o` the organization, `$4` the client's address.
macro_rules! candidate {
    () => {
        "o.name IS NOT NULL AND o.state OPERATOR(pg_catalog.<>) 'deleted', o.state OPERATOR(pg_catalog.=) 'active',
         o.mfa_required, o.sso_required, o.sso_url, o.sso_connection,
         pg_catalog.cardinality(o.allowed_networks) OPERATOR(pg_catalog.>) 0 IS NOT TRUE
           OR $4::pg_catalog.inet OPERATOR(pg_catalog.<<=) ANY (o.allowed_networks),
         m.organization, m.state OPERATOR(pg_catalog.=) 'active', m.last_used, m.is_default, m.joined_at"
    };
}

macro_rules! join_organization {
    () => {
        "LEFT JOIN identity.organizations AS o ON o.realm OPERATOR(pg_catalog.=) $1 AND o.name OPERATOR(pg_catalog.=) m.organization"
    };
}

/// The identity's state, and its oldest memberships. The index has them in this order, however many there are.
static OLDEST: Plan = Plan::new(
    concat!(
        "SELECT ",
        candidate!(),
        ", i.state OPERATOR(pg_catalog.=) 'active'
         FROM identity.identities AS i
         LEFT JOIN LATERAL (
           SELECT * FROM identity.memberships AS s
           WHERE s.realm OPERATOR(pg_catalog.=) $1 AND s.identity_id OPERATOR(pg_catalog.=) $2
           ORDER BY s.joined_at, s.organization LIMIT $3) AS m ON true ",
        join_organization!(),
        " WHERE i.realm OPERATOR(pg_catalog.=) $1 AND i.id OPERATOR(pg_catalog.=) $2"
    ),
    &[TEXTOID, UUIDOID, INT8OID, TEXTOID],
);

/// Of an identity with more memberships than were read, those that come first.
static FIRST: Plan = Plan::new(
    concat!(
        "SELECT ",
        candidate!(),
        "
         FROM (
           SELECT s.* FROM identity.memberships AS s
           WHERE s.realm OPERATOR(pg_catalog.=) $1 AND s.identity_id OPERATOR(pg_catalog.=) $2
             AND s.organization OPERATOR(pg_catalog.=) $3
           UNION ALL
           SELECT s.* FROM identity.memberships AS s
           WHERE s.realm OPERATOR(pg_catalog.=) $1 AND s.identity_id OPERATOR(pg_catalog.=) $2 AND s.last_used
           UNION ALL
           SELECT s.* FROM identity.memberships AS s
           WHERE s.realm OPERATOR(pg_catalog.=) $1 AND s.identity_id OPERATOR(pg_catalog.=) $2 AND s.is_default) AS m ",
        join_organization!()
    ),
    &[TEXTOID, UUIDOID, TEXTOID, TEXTOID],
);

/// An organization of which the identity is no member.
static ORGANIZATION: Plan = Plan::new(
    "SELECT o.state OPERATOR(pg_catalog.=) 'active' FROM identity.organizations AS o
     WHERE o.realm OPERATOR(pg_catalog.=) $1 AND o.name OPERATOR(pg_catalog.=) $2 AND o.state OPERATOR(pg_catalog.<>) 'deleted'",
    &[TEXTOID, TEXTOID],
);

static SECOND_FACTORS: Plan = Plan::new(
    "SELECT true FROM identity.credentials AS c
     WHERE c.realm OPERATOR(pg_catalog.=) $1 AND c.identity_id OPERATOR(pg_catalog.=) $2
       AND c.type OPERATOR(pg_catalog.=) ANY ('{totp,webauthn,passkey,lookup_secret}'::pg_catalog.text[]) LIMIT 1",
    &[TEXTOID, UUIDOID],
);

static REALM: Plan = Plan::new("SELECT identity._check_realm($1)", &[TEXTOID]);

/// Whose login it is.
#[derive(Clone, Copy)]
pub struct Who<'a> {
    pub realm: &'a str,
    pub identity: pgrx::Uuid,
}

pub struct Found {
    /// `None`: there is no such identity.
    pub active: Option<bool>,
    /// In no order.
    pub candidates: Vec<Candidate>,
}

/// The identity, and the organizations that a walk of `most` attempts can meet.
pub fn find(who: Who, requested: Option<&str>, ip: Option<&str>, most: i64) -> Result<Found> {
    let mut found = Found { active: None, candidates: Vec::new() };
    let [realm, identity] = who.arguments();
    let (name, ip) = (requested.and_then(plan::text), ip.and_then(plan::text));
    // One more than the walk takes tells that there are more.
    let limit = most.saturating_add(1);
    OLDEST.read(&[realm, identity, limit.into_datum(), ip], |row| {
        found.active = Some(row.flag(13));
        found.candidates.extend(candidate(row));
        Ok(())
    })?;
    if found.candidates.len() as i64 == limit {
        FIRST.read(&[realm, identity, name, ip], |row| {
            found.candidates.extend(candidate(row));
            Ok(())
        })?;
    }
    if let Some(requested) = requested.filter(|r| found.candidates.iter().all(|c| c.name != *r)) {
        found.candidates.push(stranger(requested, organization(realm, requested)?));
    }
    if found.active.is_none() {
        REALM.read(&[realm], |_| Ok(()))?;
    }
    Ok(found)
}

/// Whether the identity has set up a second factor.
pub fn has_second_factor(who: Who) -> Result<bool> {
    let mut has = false;
    SECOND_FACTORS.read(&who.arguments(), |_| {
        has = true;
        Ok(())
    })?;
    Ok(has)
}

impl Who<'_> {
    pub fn arguments(&self) -> [Argument; 2] {
        [plan::text(self.realm), self.identity.into_datum()]
    }
}

/// `None` for an identity without memberships.
fn candidate(row: &Row) -> Option<Candidate> {
    Some(Candidate {
        name: row.get::<String>(8)?,
        organization: state(row.flag(1), row.flag(2)),
        membership: state(true, row.flag(9)),
        last_used: row.flag(10),
        is_default: row.flag(11),
        joined_at: row.number(12),
        network_allowed: row.flag(7),
        mfa_required: row.flag(3),
        sso_required: row.flag(4),
        sso_url: row.get::<String>(5),
        sso_connection: row.get::<String>(6),
    })
}

fn state(there: bool, active: bool) -> State {
    match (there, active) {
        (false, _) => State::Missing,
        (true, false) => State::Suspended,
        (true, true) => State::Active,
    }
}

fn organization(realm: Argument, name: &str) -> Result<State> {
    let mut found = State::Missing;
    ORGANIZATION.read(&[realm, plan::text(name)], |row| {
        found = state(true, row.flag(1));
        Ok(())
    })?;
    Ok(found)
}

/// The candidate of an identity that is no member.
fn stranger(name: &str, organization: State) -> Candidate {
    Candidate {
        name: name.to_string(),
        organization,
        membership: State::Missing,
        last_used: false,
        is_default: false,
        joined_at: 0,
        network_allowed: false,
        mfa_required: false,
        sso_required: false,
        sso_url: None,
        sso_connection: None,
    }
}
