//! Which organization a login goes to: the walk over an identity's organizations. No SQL is run here.
//!
//! The first that can be logged in to at all decides, with its own rules. None is passed over because of what it asks for.

use crate::error::Result;
use crate::login::context::Context;

/// Why a login is not simply let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    IdentityMissing,
    IdentityInactive,
    OrgMissing,
    OrgSuspended,
    NotMember,
    MembershipSuspended,
    NetworkDenied,
    NoOrganization,
    SsoRequired,
    SsoMisconfigured,
    MfaRequired,
    MfaSetupRequired,
    AttemptsExhausted,
    Deadline,
    Throttled,
}

impl Reason {
    pub fn name(self) -> &'static str {
        match self {
            Self::IdentityMissing => "identity_missing",
            Self::IdentityInactive => "identity_inactive",
            Self::OrgMissing => "org_missing",
            Self::OrgSuspended => "org_suspended",
            Self::NotMember => "not_member",
            Self::MembershipSuspended => "membership_suspended",
            Self::NetworkDenied => "network_denied",
            Self::NoOrganization => "no_organization",
            Self::SsoRequired => "sso_required",
            Self::SsoMisconfigured => "sso_misconfigured",
            Self::MfaRequired => "mfa_required",
            Self::MfaSetupRequired => "mfa_setup_required",
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::Deadline => "deadline",
            Self::Throttled => "throttled",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Allow,
    MfaRequired,
    MfaSetupRequired,
    SsoRedirect,
    Deny,
    Throttled,
}

impl Decision {
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::MfaRequired => "mfa_required",
            Self::MfaSetupRequired => "mfa_setup_required",
            Self::SsoRedirect => "sso_redirect",
            Self::Deny => "deny",
            Self::Throttled => "throttled",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Missing,
    Suspended,
    Active,
}

/// An organization that the login may go to, as it is in the snapshot of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub name: String,
    pub organization: State,
    pub membership: State,
    pub last_used: bool,
    pub is_default: bool,
    /// The order of age.
    pub joined_at: i64,
    pub network_allowed: bool,
    pub mfa_required: bool,
    pub sso_required: bool,
    pub sso_url: Option<String>,
    pub sso_connection: Option<String>,
}

/// The bounds of a walk.
pub struct Limits<'a> {
    pub max_attempts: usize,
    pub fallback: bool,
    pub out_of_time: &'a dyn Fn() -> bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub organization: String,
    /// What it decided; `None`: it could not be logged in to, and the walk went on.
    pub decision: Option<Decision>,
    pub reason: Option<Reason>,
}

impl Attempt {
    pub fn outcome(&self) -> &'static str {
        self.decision.map_or("failed", Decision::name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub decision: Decision,
    pub organization: Option<String>,
    pub reason: Option<Reason>,
    pub redirect_url: Option<String>,
    pub switched: bool,
    /// The organization is the one that was used last.
    pub last_used: bool,
    /// The decision is about a second factor: one is asked for, or was.
    pub second_factor: bool,
    pub attempts: Vec<Attempt>,
}

impl Outcome {
    /// A refusal without a look at any organization.
    pub fn refused(decision: Decision, reason: Reason) -> Self {
        Outcome {
            decision,
            organization: None,
            reason: Some(reason),
            redirect_url: None,
            switched: false,
            last_used: false,
            second_factor: false,
            attempts: Vec::new(),
        }
    }
}

/// Requested, last used, default, oldest; then the others by age. Ties by name. Each once.
pub fn in_order(mut candidates: Vec<Candidate>, requested: Option<&str>) -> Vec<Candidate> {
    candidates.sort_by(|a, b| (a.joined_at, &a.name).cmp(&(b.joined_at, &b.name)));
    candidates.sort_by_key(|c| {
        if Some(c.name.as_str()) == requested {
            0
        } else if c.last_used {
            1
        } else if c.is_default {
            2
        } else {
            3
        }
    });
    candidates.dedup_by(|a, b| a.name == b.name);
    candidates
}

/// Goes through `candidates` in their order until one decides. `enrolled` tells whether the identity has a second factor.
pub fn walk(
    candidates: &[Candidate],
    requested: Option<&str>,
    context: &Context,
    limits: &Limits,
    enrolled: impl FnOnce() -> Result<bool>,
) -> Result<Outcome> {
    let mut outcome = Outcome::refused(Decision::Deny, Reason::NoOrganization);
    for candidate in candidates {
        if let Some(stop) = limits.reached(outcome.attempts.len()) {
            outcome.reason = Some(stop);
            return Ok(outcome);
        }
        let name = candidate.name.clone();
        let Some(obstacle) = obstacle(candidate) else {
            let (decision, reason) = rules(candidate, context, enrolled)?;
            let tried = outcome.attempts.first().and_then(|a| a.reason);
            outcome.attempts.push(Attempt { organization: name.clone(), decision: Some(decision), reason });
            outcome.switched = requested.is_some_and(|r| r != name);
            outcome.reason = if outcome.switched { tried } else { reason };
            if decision == Decision::SsoRedirect {
                outcome.redirect_url = candidate.sso_url.clone();
            }
            outcome.decision = decision;
            outcome.organization = Some(name);
            outcome.last_used = candidate.last_used;
            outcome.second_factor =
                candidate.mfa_required && matches!(decision, Decision::Allow | Decision::MfaRequired);
            return Ok(outcome);
        };
        if outcome.attempts.is_empty() {
            outcome.reason = Some(obstacle);
        }
        outcome.attempts.push(Attempt { organization: name, decision: None, reason: Some(obstacle) });
        if !limits.fallback {
            break;
        }
    }
    Ok(outcome)
}

impl Limits<'_> {
    fn reached(&self, attempts: usize) -> Option<Reason> {
        if attempts >= self.max_attempts {
            Some(Reason::AttemptsExhausted)
        } else if (self.out_of_time)() {
            Some(Reason::Deadline)
        } else {
            None
        }
    }
}

/// Whether a walk ends here.
pub fn decides(candidate: &Candidate) -> bool {
    obstacle(candidate).is_none()
}

/// Why nobody, or not this identity, logs in to it from here.
fn obstacle(candidate: &Candidate) -> Option<Reason> {
    match (candidate.organization, candidate.membership) {
        (State::Missing, _) => Some(Reason::OrgMissing),
        (State::Suspended, _) => Some(Reason::OrgSuspended),
        (State::Active, State::Missing) => Some(Reason::NotMember),
        (State::Active, State::Suspended) => Some(Reason::MembershipSuspended),
        (State::Active, State::Active) if !candidate.network_allowed => Some(Reason::NetworkDenied),
        (State::Active, State::Active) => None,
    }
}

/// What the organization asks for, by the factors that were given for it.
fn rules(
    candidate: &Candidate,
    context: &Context,
    enrolled: impl FnOnce() -> Result<bool>,
) -> Result<(Decision, Option<Reason>)> {
    if candidate.sso_required {
        if !candidate.sso_url.as_deref().is_some_and(is_sso_url) {
            return Ok((Decision::Deny, Some(Reason::SsoMisconfigured)));
        }
        if !context.has_sso(&candidate.name, candidate.sso_connection.as_deref()) {
            return Ok((Decision::SsoRedirect, Some(Reason::SsoRequired)));
        }
    }
    if candidate.mfa_required && !context.has_second_factor(&candidate.name) {
        return Ok(if enrolled()? {
            (Decision::MfaRequired, Some(Reason::MfaRequired))
        } else {
            (Decision::MfaSetupRequired, Some(Reason::MfaSetupRequired))
        });
    }
    Ok((Decision::Allow, None))
}

/// A URL of a single sign-on has so many bytes at most.
const MOST_URL: usize = 65_536;

/// An absolute http or https URL with a host, and without a user or a password.
pub fn is_sso_url(text: &str) -> bool {
    if text.len() > MOST_URL {
        return false;
    }
    let Ok(url) = url::Url::parse(text) else { return false };
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests;
