//! Login routing: `identity.resolve_login` and `preview_login`, in `sql/50_login.sql`.
//!
//! `context` and `settings` read what the application gives, `read` what the store has, `walk` decides, `write` remembers it and
//! puts it on record, `throttle` holds back who fails too often, but not, for what strangers did, where `known` knows the address.

mod context;
mod known;
mod members;
mod pace;
mod read;
mod settings;
mod throttle;
mod walk;
mod write;

use crate::access::{self, Level};
use crate::db::plan::{self, Argument};
use crate::db::scan::{Place, Reader};
use crate::db::{argument, json, returns, session};
use crate::error::{Error, Result, required};
use context::Context;
use pgrx::datum::Interval;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, Array, GucContext, GucFlags, GucRegistry, GucSetting, IntoDatum, JsonB, Uuid};
use read::{Store, Who};
use std::time::{Duration, Instant};
use throttle::{Failure, Held, Login};
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
    known::define_settings();
}

/// An organization's name is not longer.
const MOST_NAME: usize = 255;

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
    /// What earlier failures mean for this login.
    held: Held,
    /// The same of its second factor, where it is about one.
    factor: Option<Held>,
    /// Where the membership is that was used last, if it was read.
    last_used: Option<Place>,
}

/// What a login is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To be decided, and put on record.
    Login,
    /// To be told.
    Preview,
}

impl Purpose {
    /// Of failures: a login counts all that are committed, a preview works on standbys.
    fn reader(self) -> Reader {
        match self {
            Purpose::Login => throttle::latest(),
            Purpose::Preview => Reader::of_statement(),
        }
    }
}

impl Resolved {
    fn refused(decision: Decision, reason: Reason, held: Held) -> Self {
        Resolved { outcome: Outcome::refused(decision, reason), held, factor: None, last_used: None }
    }

    fn wait(&self) -> Option<i64> {
        self.held.wait.max(self.factor.and_then(|factor| factor.wait))
    }
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
            organization: organization.map(name_as_kept),
            context: context.map_or(Ok(Context::default()), read_context)?,
            max_attempts,
            fallback: required("fallback", fallback)?,
        })
    }

    /// Whose login it is; `None` where nobody was authenticated.
    fn somebody(&self) -> Result<Option<Somebody<'_>>> {
        let (Some(identity), Some(subject)) = (self.identity, &self.subject) else { return Ok(None) };
        let login = Login::proved(&self.realm, identity, subject, self.ip(), self.context.is_signed_on())?;
        Ok(Some((Who { realm: &self.realm, identity }, login)))
    }

    /// Decides; writes nothing.
    fn resolve(&self, somebody: Option<&Somebody>, purpose: Purpose) -> Result<Resolved> {
        match somebody {
            Some((who, login)) => self.resolve_for(*who, login, purpose),
            None => self.resolve_for_nobody(),
        }
    }

    /// What comes first is read first: most logins end there.
    fn resolve_for(&self, who: Who, login: &Login, purpose: Purpose) -> Result<Resolved> {
        let started = Instant::now();
        let mut store = Store::new(who, self.ip())?;
        let active = store.active()?;
        if active.is_none() {
            read::check_realm(&self.realm)?;
        }
        let held = login.held(&mut purpose.reader())?;
        let outcome = match active {
            _ if held.wait.is_some() => Outcome::refused(Decision::Throttled, Reason::Throttled),
            Some(true) => self.route(&mut store, started)?,
            Some(false) => Outcome::refused(Decision::Deny, Reason::IdentityInactive),
            None => Outcome::refused(Decision::Deny, Reason::IdentityMissing),
        };
        let resolved = Resolved { outcome, held, factor: None, last_used: store.last_used() };
        if self.is_about_factor(&resolved.outcome) { hold_factor(resolved, login, purpose) } else { Ok(resolved) }
    }

    /// Whether the throttle of second factors has a say.
    fn is_about_factor(&self, outcome: &Outcome) -> bool {
        outcome.decision != Decision::Throttled
            && (outcome.second_factor || self.context.failed_second_factor() || self.right_factor(outcome))
    }

    /// Whether a second factor was given for the organization that lets in.
    fn right_factor(&self, outcome: &Outcome) -> bool {
        let organization = outcome.organization.as_deref();
        outcome.decision == Decision::Allow && organization.is_some_and(|name| self.context.has_second_factor(name))
    }

    /// The answer of `authenticate` is handed on as it is: without an identity the login is refused, and whoever refused it
    /// first has counted that.
    fn resolve_for_nobody(&self) -> Result<Resolved> {
        read::check_realm(&self.realm)?;
        Ok(Resolved::refused(Decision::Deny, Reason::IdentityMissing, Held::default()))
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
        let subject = self.subject.as_deref();
        let organization = self.organization.as_deref();
        write::record(&self.realm, subject, organization, &self.context, &resolved.outcome, resolved.wait())
    }

    /// The organization that was used last, where it was used from, and whether the login failed.
    fn remember(&self, who: Who, login: &Login, resolved: &Resolved) -> Result<()> {
        let Resolved { outcome, held, last_used, .. } = resolved;
        if outcome.decision == Decision::Throttled {
            return Ok(());
        }
        let failure = self.failure(resolved);
        let failed = failure.login.is_some() || failure.factor.is_some();
        if let (Some(organization), Decision::Allow) = (&outcome.organization, outcome.decision) {
            write::remember(who, organization, last_used.filter(|_| outcome.last_used))?;
            if !failed {
                login.succeeded(*held)?;
                known::remember(&self.realm, who.identity, login.client.as_ref())?;
            }
        }
        if failed {
            login.failed(failure)?;
        }
        match resolved.factor.filter(|_| failure.factor.is_none()) {
            Some(factor) if self.right_factor(outcome) => login.factor_succeeded(factor)?,
            Some(factor) => login.leave_factor(factor),
            None => {}
        }
        Ok(())
    }

    /// What of a login that is not held back has failed.
    fn failure(&self, resolved: &Resolved) -> Failure {
        let failed = resolved.outcome.decision == Decision::Deny || self.context.failed_password();
        Failure {
            login: failed.then_some(None),
            factor: self.context.failed_second_factor().then(|| resolved.factor.and_then(|factor| factor.slot)),
        }
    }
}

/// Asks the throttle of second factors. A login that is decided takes a slot there.
fn hold_factor(resolved: Resolved, login: &Login, purpose: Purpose) -> Result<Resolved> {
    let factor = match purpose {
        Purpose::Login => login.enter_factor()?,
        Purpose::Preview => login.factor_held(&mut purpose.reader())?,
    };
    Ok(match factor.wait {
        Some(_) => {
            let held = Held { wait: factor.wait, ..resolved.held };
            Resolved::refused(Decision::Throttled, Reason::Throttled, held)
        }
        None => Resolved { factor: Some(factor), ..resolved },
    })
}

/// The name of an organization that is asked for, as it is compared and kept: one that is too long for any is cut, and stays too
/// long for any.
fn name_as_kept(name: &str) -> String {
    if name.len() <= MOST_NAME {
        return name.to_string();
    }
    let end = (0..=MOST_NAME).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", &name[..end])
}

fn read_context(context: AnyElement) -> Result<Context> {
    json::with_text("context", context.datum(), json::MOST_CONTEXT, |text| match text {
        "{}" => Ok(Context::default()),
        _ => Context::parse(&json::parse("context", text)?),
    })
}

/// The columns of the answer.
fn answer(resolved: &Resolved, event: Option<i64>) -> Result<[Argument; 8]> {
    let Resolved { outcome, .. } = resolved;
    let wait = resolved.wait().map(interval).transpose()?;
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
        let resolved = session::with_snapshot(|| request.resolve(somebody.as_ref(), Purpose::Login))?;
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
    let values = session::as_extension_owner(|| {
        answer(&request.resolve(request.somebody()?.as_ref(), Purpose::Preview)?, None)
    })?;
    // SAFETY: as above.
    Ok(unsafe { returns::row(fcinfo, &values) })
}

/// What names are counted under is a digest, an id, or a user's number at a site: no longer than this, in bytes.
const MOST_OF_NAME: usize = 65_536;

/// Whose login by name and password it is.
fn by_name<'a>(
    realm: Option<&'a str>,
    name: Option<&'a str>,
    subject: Option<&'a str>,
    identity: Option<Uuid>,
    address: Option<&str>,
) -> Result<Login<'a>> {
    let (name, subject) = (required("name", name)?, required("subject", subject)?);
    argument::check_length("name", name, MOST_OF_NAME)?;
    argument::check_length("subject", subject, MOST_OF_NAME)?;
    Ok(Login {
        realm: required("realm", realm)?,
        name,
        subject,
        identity,
        client: address.map(throttle::client).transpose()?,
        signed_on: false,
    })
}

/// See the comment on `identity_internal.login_begins` in `sql/50_login.sql`.
#[pg_extern(sql = false)]
fn login_begins(
    realm: Option<&str>,
    name: Option<&str>,
    subject: Option<&str>,
    identity_id: Option<Uuid>,
    address: Option<&str>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<Option<AnyElement>, ErrorReport> {
    let held = by_name(realm, name, subject, identity_id, address)?.enter()?;
    let values =
        [held.wait.map(interval).transpose()?.into_datum(), held.failed_before.into_datum(), held.slot.into_datum()];
    // SAFETY: this is the call that is being served; the values are those of its OUT parameters.
    Ok(unsafe { returns::row(fcinfo, &values) })
}

/// See the comment on `identity_internal.login_failed` in `sql/50_login.sql`.
#[pg_extern(sql = false)]
fn login_failed(
    realm: Option<&str>,
    name: Option<&str>,
    subject: Option<&str>,
    identity_id: Option<Uuid>,
    address: Option<&str>,
    slot: Option<i32>,
) -> std::result::Result<(), ErrorReport> {
    let login = by_name(realm, name, subject, identity_id, address)?;
    Ok(login.failed(Failure { login: Some(slot), factor: None })?)
}

/// See the comment on `identity_internal.login_succeeded` in `sql/50_login.sql`.
#[pg_extern(sql = false)]
fn login_succeeded(
    realm: Option<&str>,
    name: Option<&str>,
    identity_id: Option<Uuid>,
    address: Option<&str>,
    failed_before: Option<bool>,
    slot: Option<i32>,
) -> std::result::Result<(), ErrorReport> {
    let login = by_name(realm, name, name, identity_id, address)?;
    login.succeeded(Held { wait: None, failed_before: failed_before.unwrap_or(false), slot })?;
    Ok(login.identity.map_or(Ok(()), |identity| known::remember(login.realm, identity, login.client.as_ref()))?)
}

/// See the comment on `identity_internal.login_address` in `sql/50_login.sql`.
#[pg_extern(sql = false)]
fn login_address(address: &str) -> std::result::Result<String, ErrorReport> {
    Ok(throttle::client(address)?.address)
}

/// See the comment on `identity_internal.context_address` in `sql/50_login.sql`.
#[pg_extern(sql = false)]
fn context_address(context: Option<AnyElement>) -> std::result::Result<Option<String>, ErrorReport> {
    Ok(context.map(read_context).transpose()?.and_then(|context| context.ip))
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
