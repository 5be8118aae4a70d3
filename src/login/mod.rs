//! Login routing: `identity.resolve_login` and `preview_login`, in `sql/50_login.sql`.
//!
//! `context` and `settings` read what the application gives, `read` what the store has, `walk` decides, `write` remembers it and
//! puts it on record, `throttle` holds back who fails too often.

mod context;
mod read;
mod settings;
mod throttle;
mod walk;
mod write;

use crate::access::{self, Level};
use crate::db::plan::{self, Argument};
use crate::db::scan::Place;
use crate::db::{argument, json, returns, session};
use crate::error::{Error, Result, required};
use context::Context;
use pgrx::datum::Interval;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, Array, GucContext, GucFlags, GucRegistry, GucSetting, IntoDatum, JsonB, Uuid};
use read::{Store, Who};
use std::time::{Duration, Instant};
use throttle::{Held, Login};
use walk::{Decision, Limits, Outcome, Reason};

static DEADLINE: GucSetting<i32> = GucSetting::<i32>::new(1000);

pub fn define_settings() {
    GucRegistry::define_int_guc(
        c"identity.login_deadline",
        c"How long a login goes on to try organizations.",
        c"Checked before each; after it the login is denied with the reason \"deadline\".",
        &DEADLINE,
        1,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    throttle::define_settings();
}

/// The arguments of a login, checked.
struct Request {
    realm: String,
    /// `None`: nobody was authenticated.
    identity: Option<Uuid>,
    /// The identity's id as text: whose failures are counted.
    subject: Option<String>,
    organization: Option<String>,
    context: Context,
    max_attempts: i32,
    fallback: bool,
}

/// An identity, and whose failures are counted.
type Somebody<'a> = (Who<'a>, Login<'a>);

/// What is decided, before anything is written.
struct Resolved {
    outcome: Outcome,
    held: Held,
    /// Where the membership is that was used last, if it was read.
    last_used: Option<Place>,
}

impl Request {
    fn new(
        realm: Option<&str>,
        identity: Option<Uuid>,
        organization: Option<&str>,
        context: Option<AnyElement>,
        max_attempts: Option<i32>,
        fallback: Option<bool>,
    ) -> Result<Self> {
        let max_attempts = required("max_attempts", max_attempts)?;
        if max_attempts < 1 {
            return Err(Error::invalid_argument("max_attempts is less than 1")
                .detail(format!("It is {max_attempts}."))
                .hint("Leave it out for 10."));
        }
        Ok(Request {
            realm: argument::name("realm", realm)?,
            identity,
            subject: identity.map(|id| uuid::Uuid::from_bytes(*id.as_bytes()).to_string()),
            organization: argument::name_if_given("organization", organization)?,
            context: context.map_or(Ok(Context::default()), read_context)?,
            max_attempts,
            fallback: required("fallback", fallback)?,
        })
    }

    /// Whose login it is; `None` where nobody was authenticated.
    fn somebody(&self) -> Result<Option<Somebody<'_>>> {
        let (Some(identity), Some(subject)) = (self.identity, &self.subject) else { return Ok(None) };
        let login = Login::new(&self.realm, subject, self.ip())?;
        Ok(Some((Who { realm: &self.realm, identity }, login)))
    }

    /// Decides; writes nothing.
    fn resolve(&self, somebody: Option<&Somebody>) -> Result<Resolved> {
        match somebody {
            Some((who, login)) => self.resolve_for(*who, login),
            None => self.resolve_for_nobody(),
        }
    }

    /// What comes first is read first: most logins end there.
    fn resolve_for(&self, who: Who, login: &Login) -> Result<Resolved> {
        let started = Instant::now();
        let mut store = Store::new(who, self.ip())?;
        let active = store.active()?;
        if active.is_none() {
            read::check_realm(&self.realm)?;
        }
        let held = if store.has_failures(login)? { login.held()? } else { Held::default() };
        let outcome = match active {
            _ if held.wait.is_some() => Outcome::refused(Decision::Throttled, Reason::Throttled),
            Some(true) => self.route(&mut store, started)?,
            Some(false) => Outcome::refused(Decision::Deny, Reason::IdentityInactive),
            None => Outcome::refused(Decision::Deny, Reason::IdentityMissing),
        };
        Ok(Resolved { outcome, held, last_used: store.last_used() })
    }

    /// The answer of `authenticate` is handed on as it is: without an identity the login is refused, and whoever refused it
    /// first has counted that.
    fn resolve_for_nobody(&self) -> Result<Resolved> {
        read::check_realm(&self.realm)?;
        self.ip().map(throttle::parse).transpose()?;
        let outcome = Outcome::refused(Decision::Deny, Reason::IdentityMissing);
        Ok(Resolved { outcome, held: Held::default(), last_used: None })
    }

    fn ip(&self) -> Option<&str> {
        self.context.ip.as_deref()
    }

    /// Finds the organization.
    fn route(&self, store: &mut Store, started: Instant) -> Result<Outcome> {
        let requested = self.organization.as_deref();
        let candidates = match store.first(requested)?.filter(walk::decides) {
            Some(candidate) => vec![candidate],
            None => walk::in_order(store.candidates(requested, self.max_attempts as usize)?, requested),
        };
        let deadline = Duration::from_millis(DEADLINE.get() as u64);
        let limits = Limits {
            max_attempts: self.max_attempts as usize,
            fallback: self.fallback,
            out_of_time: &|| started.elapsed() > deadline,
        };
        walk::walk(&candidates, requested, &self.context, &limits, || store.has_second_factor())
    }

    /// Writes what a login leaves, and returns the number of its event.
    fn leave(&self, somebody: Option<&Somebody>, resolved: &Resolved) -> Result<i64> {
        if let Some((who, login)) = somebody {
            self.remember(*who, login, resolved)?;
        }
        let Resolved { outcome, held, .. } = resolved;
        let subject = self.subject.as_deref();
        write::record(&self.realm, subject, self.organization.as_deref(), &self.context, outcome, held.wait)
    }

    /// The organization that was used last, and whether the login failed.
    fn remember(&self, who: Who, login: &Login, resolved: &Resolved) -> Result<()> {
        let Resolved { outcome, held, last_used } = resolved;
        match (&outcome.organization, outcome.decision) {
            (Some(organization), Decision::Allow) => {
                write::remember(who, organization, last_used.filter(|_| outcome.last_used))?;
                if held.failed_before {
                    login.succeeded()?;
                }
            }
            (_, Decision::Throttled) => {}
            (_, decision) => {
                if decision == Decision::Deny || !self.context.failed_factors.is_empty() {
                    login.failed()?;
                }
            }
        }
        Ok(())
    }
}

fn read_context(context: AnyElement) -> Result<Context> {
    json::with_text("context", context.datum(), json::MOST_CONTEXT, |text| {
        json::ensure(text)?;
        Context::parse(text)
    })
}

/// The columns of the answer.
fn answer(resolved: &Resolved, event: Option<i64>) -> Result<[Argument; 8]> {
    let Resolved { outcome, held, .. } = resolved;
    let wait = held.wait.map(interval).transpose()?;
    Ok([
        plan::text(outcome.decision.name()),
        outcome.organization.as_deref().and_then(plan::text),
        outcome.reason.and_then(|r| plan::text(r.name())),
        outcome.redirect_url.as_deref().and_then(plan::text),
        outcome.switched.into_datum(),
        (outcome.attempts.len() as i32).into_datum(),
        event.into_datum(),
        wait.into_datum(),
    ])
}

fn interval(microseconds: i64) -> Result<Interval> {
    Interval::new(0, 0, microseconds).map_err(|_| Error::new("22008", "interval out of range"))
}

/// See the comment on `identity.resolve_login` in `sql/50_login.sql`.
#[pg_extern(sql = false)]
fn resolve_login(
    realm: Option<&str>,
    identity_id: Option<Uuid>,
    organization: Option<&str>,
    context: Option<AnyElement>,
    max_attempts: Option<i32>,
    fallback: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<Option<AnyElement>, ErrorReport> {
    if session::read_only() {
        return Err(Error::new("25006", "cannot execute resolve_login() in a read-only transaction")
            .hint("It leaves an event of the audit. identity.preview_login() gives the same decision, and writes nothing.")
            .into());
    }
    access::require(Level::Application, realm)?;
    let request = Request::new(realm, identity_id, organization, context, max_attempts, fallback)?;
    let values = session::as_extension_owner(|| {
        let somebody = request.somebody()?;
        let resolved = session::with_snapshot(|| request.resolve(somebody.as_ref()))?;
        let event = request.leave(somebody.as_ref(), &resolved)?;
        answer(&resolved, Some(event))
    })?;
    // SAFETY: this is the call that is being served; the values are those of its OUT parameters.
    Ok(unsafe { returns::row(fcinfo, &values) })
}

/// See the comment on `identity.preview_login` in `sql/50_login.sql`.
#[pg_extern(sql = false)]
fn preview_login(
    realm: Option<&str>,
    identity_id: Option<Uuid>,
    organization: Option<&str>,
    context: Option<AnyElement>,
    max_attempts: Option<i32>,
    fallback: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<Option<AnyElement>, ErrorReport> {
    access::require(Level::Application, realm)?;
    let request = Request::new(realm, identity_id, organization, context, max_attempts, fallback)?;
    let values = session::as_extension_owner(|| answer(&request.resolve(request.somebody()?.as_ref())?, None))?;
    // SAFETY: as above.
    Ok(unsafe { returns::row(fcinfo, &values) })
}

/// See the comment on `identity_internal.login_wait` in `sql/50_login.sql`.
#[pg_extern(sql = false)]
fn login_wait(
    realm: Option<&str>,
    subject: Option<&str>,
    address: Option<&str>,
) -> std::result::Result<Option<Interval>, ErrorReport> {
    let (realm, subject) = (required("realm", realm)?, required("subject", subject)?);
    let held = Login::new(realm, subject, address)?.held()?;
    Ok(held.wait.map(interval).transpose()?)
}

/// See the comment on `identity_internal.login_failed` in `sql/50_login.sql`.
#[pg_extern(sql = false)]
fn login_failed(
    realm: Option<&str>,
    subject: Option<&str>,
    address: Option<&str>,
) -> std::result::Result<(), ErrorReport> {
    let (realm, subject) = (required("realm", realm)?, required("subject", subject)?);
    Ok(Login::new(realm, subject, address)?.failed()?)
}

/// See the comment on `identity_internal.login_succeeded` in `sql/50_login.sql`.
#[pg_extern(sql = false)]
fn login_succeeded(realm: Option<&str>, subject: Option<&str>) -> std::result::Result<(), ErrorReport> {
    let (realm, subject) = (required("realm", realm)?, required("subject", subject)?);
    Ok(Login::new(realm, subject, None)?.succeeded()?)
}

#[pg_extern(sql = false)]
fn login_address(address: &str) -> std::result::Result<String, ErrorReport> {
    Ok(throttle::network(address)?)
}

#[pg_extern(sql = false)]
fn is_sso_url(url: &str) -> bool {
    walk::is_sso_url(url)
}

#[pg_extern(sql = false)]
fn are_domains(domains: Array<&str>) -> bool {
    domains.iter().all(|d| d.is_some_and(|d| settings::domain(d).as_deref() == Some(d)))
}

#[pg_extern(sql = false)]
fn organization_settings(settings: Option<AnyElement>) -> std::result::Result<JsonB, ErrorReport> {
    let settings = json::document("settings", required("settings", settings)?)?;
    Ok(JsonB(settings::check(&settings, settings::ORGANIZATION, &["active", "suspended", "deleted"])?))
}

#[pg_extern(sql = false)]
fn membership_settings(settings: Option<AnyElement>) -> std::result::Result<JsonB, ErrorReport> {
    let settings = json::document("settings", required("settings", settings)?)?;
    Ok(JsonB(settings::check(&settings, settings::MEMBERSHIP, &["active", "suspended"])?))
}
