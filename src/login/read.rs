//! What a login reads: the identity, its memberships and their organizations, all in one snapshot.
//!
//! Row by row through the indexes: the executor's way to five rows of four tables takes longer than all else that a login does.

use crate::db::plan::{self, Plan};
use crate::db::scan::{Index, Key, Place, Reader, Row};
use crate::error::Result;
use crate::login::settings;
use crate::login::throttle;
use crate::login::walk::{Candidate, State};
use pgrx::pg_sys::TEXTOID;
use std::net::IpAddr;

/// realm, id
const IDENTITIES: Index = Index::of(c"identities", c"identities_pkey");
/// realm, identity_id, type
const CREDENTIALS: Index = Index::covering(c"credentials", c"credentials_pkey", &[1, 2, 3]);
/// realm, name
const ORGANIZATIONS: Index = Index::of(c"organizations", c"organizations_pkey");
/// realm, identity_id, organization
const MEMBERSHIPS: Index = Index::of(c"memberships", c"memberships_pkey");
/// realm, identity_id, joined_at, organization
const BY_AGE: Index = Index::of(c"memberships", c"memberships_joined_at_idx");
/// realm, identity_id; those that were used last: one, where no two logins met
const LAST_USED: Index = Index::of(c"memberships", c"memberships_last_used_idx");
/// realm, identity_id; the default
const DEFAULT: Index = Index::of(c"memberships", c"memberships_is_default_key");

/// Columns by their numbers in the tables.
pub mod column {
    pub mod identity {
        pub const STATE: i16 = 5;
    }
    pub mod credential {
        pub const TYPE: i16 = 3;
    }
    pub mod organization {
        pub const STATE: i16 = 3;
        pub const MFA_REQUIRED: i16 = 4;
        pub const SSO_REQUIRED: i16 = 5;
        pub const SSO_URL: i16 = 6;
        pub const SSO_CONNECTION: i16 = 7;
        pub const ALLOWED_NETWORKS: i16 = 8;
    }
    pub mod membership {
        pub const REALM: i16 = 1;
        pub const IDENTITY: i16 = 2;
        pub const ORGANIZATION: i16 = 3;
        pub const STATE: i16 = 4;
        pub const IS_DEFAULT: i16 = 5;
        pub const LAST_USED: i16 = 6;
        pub const LAST_LOGIN: i16 = 7;
        pub const JOINED_AT: i16 = 8;
    }
}

/// Credentials that are a second factor.
const SECOND_FACTORS: &[&str] = &["totp", "webauthn", "passkey", "lookup_secret"];

static REALM: Plan = Plan::new("SELECT identity_internal.check_realm($1)", &[TEXTOID]);

/// Whose login it is.
#[derive(Clone, Copy)]
pub struct Who<'a> {
    pub realm: &'a str,
    pub identity: pgrx::Uuid,
}

/// An error where there is no such realm.
pub fn check_realm(realm: &str) -> Result<()> {
    REALM.check(&[plan::text(realm)])
}

/// The tables, as the statement that is run sees them.
pub struct Store<'a> {
    who: Who<'a>,
    /// Where the client is.
    address: Option<IpAddr>,
    reader: Reader,
    /// Where the membership is that was used last.
    last_used: Option<Place>,
}

impl<'a> Store<'a> {
    pub fn new(who: Who<'a>, ip: Option<&str>) -> Result<Self> {
        Ok(Store {
            who,
            address: ip.map(throttle::parse).transpose()?,
            reader: Reader::of_statement(),
            last_used: None,
        })
    }

    /// Whether the identity is active; `None`: there is none.
    pub fn active(&mut self) -> Result<Option<bool>> {
        let mut active = None;
        self.reader.rows(&IDENTITIES, &self.who.keys(), |row| {
            active = Some(row.name(column::identity::STATE) == "active");
            false
        })?;
        Ok(active)
    }

    /// The membership that comes first: of the organization that is requested, or the last used.
    pub fn first(&mut self, requested: Option<&str>) -> Result<Option<Candidate>> {
        let found = match requested {
            Some(name) => self.of(name)?,
            None => self.memberships(&LAST_USED, usize::MAX)?,
        };
        match <[Candidate; 1]>::try_from(found) {
            Ok([one]) => Ok(Some(self.with_rules(one)?)),
            Err(_) => Ok(None),
        }
    }

    /// The organizations that a walk of `most` attempts can meet, in no order.
    pub fn candidates(&mut self, requested: Option<&str>, most: usize) -> Result<Vec<Candidate>> {
        // One more than the walk takes tells that there are more.
        let mut found = self.memberships(&BY_AGE, most.saturating_add(1))?;
        found.extend(self.memberships(&LAST_USED, usize::MAX)?);
        found.extend(self.memberships(&DEFAULT, 1)?);
        if let Some(name) = requested {
            let membership = self.of(name)?;
            found.extend(if membership.is_empty() { vec![stranger(name)] } else { membership });
        }
        found.into_iter().map(|candidate| self.with_rules(candidate)).collect()
    }

    /// Whether the identity has set up a second factor.
    pub fn has_second_factor(&mut self) -> Result<bool> {
        let mut has = false;
        self.reader.rows(&CREDENTIALS, &self.who.keys(), |row| {
            has = SECOND_FACTORS.contains(&row.name(column::credential::TYPE).as_str());
            !has
        })?;
        Ok(has)
    }

    /// The membership of an organization.
    fn of(&mut self, organization: &str) -> Result<Vec<Candidate>> {
        let [realm, identity] = self.who.keys();
        self.read_memberships(&MEMBERSHIPS, &[realm, identity, Key::Is(organization)], 1)
    }

    /// The first `most` of the identity's memberships, in the order of an index.
    fn memberships(&mut self, index: &Index, most: usize) -> Result<Vec<Candidate>> {
        self.read_memberships(index, &self.who.keys(), most)
    }

    fn read_memberships(&mut self, index: &Index, keys: &[Key], most: usize) -> Result<Vec<Candidate>> {
        let (mut found, mut last_used) = (Vec::new(), self.last_used);
        self.reader.rows(index, keys, |row| {
            let candidate = membership(row);
            if candidate.last_used {
                last_used = row.place();
            }
            found.push(candidate);
            found.len() < most
        })?;
        self.last_used = last_used;
        Ok(found)
    }

    /// Where the membership is that was used last, if it was read.
    pub fn last_used(&self) -> Option<Place> {
        self.last_used
    }

    /// A candidate with what its organization says, if that is there.
    fn with_rules(&mut self, mut candidate: Candidate) -> Result<Candidate> {
        use column::organization as at;
        let name = candidate.name.clone();
        let address = self.address;
        self.reader.rows(&ORGANIZATIONS, &[Key::Is(self.who.realm), Key::Is(&name)], |row| {
            candidate.organization = match row.name(at::STATE).as_str() {
                "active" => State::Active,
                "suspended" => State::Suspended,
                _ => State::Missing,
            };
            candidate.mfa_required = row.flag(at::MFA_REQUIRED);
            candidate.sso_required = row.flag(at::SSO_REQUIRED);
            candidate.sso_url = row.text(at::SSO_URL);
            candidate.sso_connection = row.text(at::SSO_CONNECTION);
            candidate.network_allowed = allowed(row, at::ALLOWED_NETWORKS, address);
            false
        })?;
        Ok(candidate)
    }
}

impl<'a> Who<'a> {
    fn keys(&self) -> [Key<'a>; 2] {
        [Key::Is(self.realm), Key::IsUuid(self.identity)]
    }
}

/// A candidate of which the organization is not known yet.
fn membership(row: &Row) -> Candidate {
    use column::membership as at;
    Candidate {
        membership: if row.name(at::STATE) == "active" { State::Active } else { State::Suspended },
        last_used: row.flag(at::LAST_USED),
        is_default: row.flag(at::IS_DEFAULT),
        joined_at: row.number(at::JOINED_AT),
        ..stranger(&row.name(at::ORGANIZATION))
    }
}

/// The candidate of an identity that is no member.
fn stranger(name: &str) -> Candidate {
    Candidate {
        name: name.to_string(),
        organization: State::Missing,
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

/// Whether a column of networks is NULL, or empty, or has one that the address is in.
fn allowed(row: &Row, column: i16, address: Option<IpAddr>) -> bool {
    let networks = row.networks(column);
    let is_in = |text: &str| settings::network(text).zip(address).is_some_and(|(network, ip)| network.contains(&ip));
    networks.is_empty() || networks.iter().any(|network| is_in(network))
}
