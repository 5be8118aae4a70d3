//! What a login reads: the identity, its memberships and their organizations, all in one snapshot.

use crate::db::plan::{self, Argument, Plan, Row};
use crate::error::Result;
use crate::login::throttle::Login;
use crate::login::walk::{Candidate, State};
use pgrx::IntoDatum;
use pgrx::pg_sys::{self, INT8OID, TEXTOID, UUIDOID};

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

/// LIMIT keeps it a look-up by name for each of many memberships: no plan reads the realm's organizations whole. It has its
/// price, so the one membership that comes first is joined plainly.
macro_rules! join_organization {
    () => {
        "LEFT JOIN LATERAL (
           SELECT * FROM identity.organizations AS n
           WHERE n.realm OPERATOR(pg_catalog.=) $1 AND n.name OPERATOR(pg_catalog.=) m.organization LIMIT 1) AS o ON true"
    };
}

/// What most logins come to: the identity, the one membership that comes first, and whether failed logins are counted for it.
macro_rules! first {
    ($membership:literal) => {
        concat!(
            "SELECT ",
            candidate!(),
            ", i.state OPERATOR(pg_catalog.=) 'active',
             EXISTS (SELECT FROM identity.login_failures AS f
                     WHERE f.realm OPERATOR(pg_catalog.=) $1 AND f.kind OPERATOR(pg_catalog.=) 'subject'
                       AND f.key OPERATOR(pg_catalog.=) $5),
             EXISTS (SELECT FROM identity.login_failures AS f
                     WHERE f.realm OPERATOR(pg_catalog.=) $1 AND f.kind OPERATOR(pg_catalog.=) 'address'
                       AND f.key OPERATOR(pg_catalog.=) $6)
             FROM identity.identities AS i
             LEFT JOIN identity.memberships AS m
               ON m.realm OPERATOR(pg_catalog.=) $1 AND m.identity_id OPERATOR(pg_catalog.=) $2 AND ",
            $membership,
            " ",
            "LEFT JOIN identity.organizations AS o ON o.realm OPERATOR(pg_catalog.=) $1 AND o.name OPERATOR(pg_catalog.=) m.organization",
            " WHERE i.realm OPERATOR(pg_catalog.=) $1 AND i.id OPERATOR(pg_catalog.=) $2"
        )
    };
}

const FIRST_TYPES: &[pg_sys::Oid] = &[TEXTOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID];
static REQUESTED: Plan = Plan::new(first!("m.organization OPERATOR(pg_catalog.=) $3"), FIRST_TYPES);
static LAST_USED: Plan = Plan::new(first!("m.last_used"), FIRST_TYPES);

/// The oldest memberships. The index has them in this order, however many there are.
static OLDEST: Plan = Plan::new(
    concat!(
        "SELECT ",
        candidate!(),
        " FROM (
           SELECT s.* FROM identity.memberships AS s
           WHERE s.realm OPERATOR(pg_catalog.=) $1 AND s.identity_id OPERATOR(pg_catalog.=) $2
           ORDER BY s.joined_at, s.organization LIMIT $3) AS m ",
        join_organization!()
    ),
    &[TEXTOID, UUIDOID, INT8OID, TEXTOID],
);

/// The memberships that come before the oldest, which may be among those.
static FOREMOST: Plan = Plan::new(
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

/// What a login meets first.
#[derive(Default)]
pub struct First {
    /// `None`: there is no such identity.
    pub active: Option<bool>,
    /// Requested, or last used; `None` where it is not a membership of the identity.
    pub candidate: Option<Candidate>,
    /// Failures of the subject, or from the address, are on record.
    pub failures: bool,
}

/// The identity with the membership that comes first.
pub fn first(who: Who, requested: Option<&str>, login: &Login, ip: Option<&str>) -> Result<First> {
    let mut first = First::default();
    let mut rows = 0;
    let [realm, identity] = who.arguments();
    let plan = if requested.is_some() { &REQUESTED } else { &LAST_USED };
    let names = [requested.and_then(plan::text), ip.and_then(plan::text), plan::text(login.subject), login.address()];
    plan.read(&[&[realm, identity], &names[..]].concat(), |row| {
        rows += 1;
        first.active = Some(row.flag(13));
        first.candidate = candidate(row).filter(|_| rows == 1);
        first.failures = row.flag(14) || row.flag(15);
        Ok(())
    })?;
    Ok(first)
}

/// The organizations that a walk of `most` attempts can meet, in no order.
pub fn candidates(who: Who, requested: Option<&str>, ip: Option<&str>, most: i64) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    let mut add = |row: &Row| {
        found.extend(candidate(row));
        Ok(())
    };
    let [realm, identity] = who.arguments();
    let (name, ip) = (requested.and_then(plan::text), ip.and_then(plan::text));
    // One more than the walk takes tells that there are more.
    let limit = most.saturating_add(1);
    OLDEST.read(&[realm, identity, limit.into_datum(), ip], &mut add)?;
    FOREMOST.read(&[realm, identity, name, ip], &mut add)?;
    if let Some(requested) = requested.filter(|r| found.iter().all(|c| c.name != *r)) {
        found.push(stranger(requested, organization(realm, requested)?));
    }
    Ok(found)
}

/// An error where there is no such realm.
pub fn check_realm(who: Who) -> Result<()> {
    REALM.read(&who.arguments()[..1], |_| Ok(()))
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
