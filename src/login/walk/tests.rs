use super::*;
use crate::login::context::Given;
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};

const URL: &str = "https://sso.example.com/in";

fn member(name: &str, joined_at: i64) -> Candidate {
    Candidate {
        name: name.to_string(),
        organization: State::Active,
        membership: State::Active,
        last_used: false,
        is_default: false,
        joined_at,
        network_allowed: true,
        mfa_required: false,
        sso_required: false,
        sso_url: None,
        sso_connection: None,
    }
}

fn gone(name: &str) -> Candidate {
    Candidate { organization: State::Missing, ..member(name, 0) }
}

fn given(organization: &str, factors: &[&str], sso: &[&str]) -> Context {
    let texts = |list: &[&str]| list.iter().map(|t| t.to_string()).collect();
    let given = Given { factors: texts(factors), sso: texts(sso) };
    Context { organizations: HashMap::from([(organization.to_string(), given)]), ..Context::default() }
}

fn run(candidates: &[Candidate], requested: Option<&str>, context: &Context) -> Outcome {
    let limits = Limits { max_attempts: 10, fallback: true, out_of_time: &|| false };
    walk(candidates, requested, context, &limits, || Ok(true)).unwrap()
}

fn decided(outcome: &Outcome) -> (Decision, Option<Reason>, Option<&str>) {
    (outcome.decision, outcome.reason, outcome.organization.as_deref())
}

#[test]
fn requested_then_last_used_then_default_then_by_age() {
    let candidates = vec![
        member("young", 9),
        member("twin-b", 1),
        member("twin-a", 1),
        Candidate { is_default: true, ..member("default", 8) },
        Candidate { last_used: true, ..member("last", 7) },
        member("asked", 6),
        member("asked", 6),
    ];
    let names: Vec<String> = in_order(candidates, Some("asked")).into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["asked", "last", "default", "twin-a", "twin-b", "young"]);
}

#[test]
fn the_first_valid_one_decides_and_the_reason_is_that_of_the_requested() {
    let outcome = run(&[gone("acme"), member("beta", 1)], Some("acme"), &Context::default());
    assert_eq!(decided(&outcome), (Decision::Allow, Some(Reason::OrgMissing), Some("beta")));
    assert!(outcome.switched);
    assert_eq!(outcome.attempts.len(), 2);

    let outcome = run(&[gone("acme"), member("beta", 1)], None, &Context::default());
    assert_eq!(decided(&outcome), (Decision::Allow, None, Some("beta")));
    assert!(!outcome.switched);

    let suspended = Candidate { membership: State::Suspended, ..member("beta", 1) };
    let outcome = run(&[gone("acme"), suspended], Some("acme"), &Context::default());
    assert_eq!(decided(&outcome), (Decision::Deny, Some(Reason::OrgMissing), None));
    assert_eq!(outcome.attempts[1].reason, Some(Reason::MembershipSuspended));

    assert_eq!(decided(&run(&[], None, &Context::default())), (Decision::Deny, Some(Reason::NoOrganization), None));
}

#[test]
fn none_is_passed_over_for_what_it_asks() {
    let strict = Candidate { mfa_required: true, ..member("acme", 1) };
    let others = [strict, member("beta", 2)];
    let outcome = run(&others, None, &given("beta", &["totp"], &[]));
    assert_eq!(decided(&outcome), (Decision::MfaRequired, Some(Reason::MfaRequired), Some("acme")));
    assert_eq!(run(&others, None, &given("acme", &["totp"], &[])).decision, Decision::Allow);
    assert_eq!(run(&others, None, &given("acme", &["password"], &[])).decision, Decision::MfaRequired);

    let limits = Limits { max_attempts: 10, fallback: true, out_of_time: &|| false };
    let outcome = walk(&others, None, &Context::default(), &limits, || Ok(false)).unwrap();
    assert_eq!(outcome.decision, Decision::MfaSetupRequired);
}

#[test]
fn single_sign_on_comes_before_the_second_factor_and_never_fails_open() {
    let both = Candidate {
        mfa_required: true,
        sso_required: true,
        sso_url: Some(URL.to_string()),
        sso_connection: Some("c1".to_string()),
        ..member("acme", 1)
    };
    let others = [both.clone(), member("beta", 2)];
    let outcome = run(&others, None, &given("acme", &["totp"], &["c2"]));
    assert_eq!(decided(&outcome), (Decision::SsoRedirect, Some(Reason::SsoRequired), Some("acme")));
    assert_eq!(outcome.redirect_url.as_deref(), Some(URL));
    assert_eq!(run(&others, None, &given("beta", &["totp"], &["c1"])).decision, Decision::SsoRedirect);
    assert_eq!(run(&others, None, &given("acme", &[], &["c1"])).decision, Decision::MfaRequired);
    assert_eq!(run(&others, None, &given("acme", &["totp"], &["c1"])).decision, Decision::Allow);
    for url in [None, Some(""), Some("sso.example.com"), Some("javascript:x")] {
        let broken = Candidate { sso_url: url.map(str::to_string), ..both.clone() };
        let outcome = run(&[broken, member("beta", 2)], None, &given("acme", &["totp"], &["c1"]));
        assert_eq!(decided(&outcome), (Decision::Deny, Some(Reason::SsoMisconfigured), Some("acme")));
    }
}

#[test]
fn bounds_end_the_walk() {
    let many: Vec<Candidate> = (0..20).map(|n| gone(&format!("o{n}"))).collect();
    let context = Context::default();
    let bounded = |max_attempts, fallback, out_of_time: &dyn Fn() -> bool| {
        walk(&many, None, &context, &Limits { max_attempts, fallback, out_of_time }, || Ok(true)).unwrap()
    };
    let outcome = bounded(3, true, &|| false);
    assert_eq!((outcome.reason, outcome.attempts.len()), (Some(Reason::AttemptsExhausted), 3));
    let outcome = bounded(20, true, &|| false);
    assert_eq!((outcome.reason, outcome.attempts.len()), (Some(Reason::OrgMissing), 20));
    let outcome = bounded(10, false, &|| false);
    assert_eq!((outcome.reason, outcome.attempts.len()), (Some(Reason::OrgMissing), 1));
    let outcome = bounded(10, true, &|| true);
    assert_eq!((outcome.reason, outcome.attempts.len()), (Some(Reason::Deadline), 0));
}

#[test]
fn an_error_is_an_error() {
    let strict = Candidate { mfa_required: true, ..member("acme", 1) };
    let limits = Limits { max_attempts: 10, fallback: true, out_of_time: &|| false };
    let failed = || Err(crate::error::Error::new("58030", "disk"));
    let result = walk(&[strict, member("beta", 2)], None, &Context::default(), &limits, failed);
    assert_eq!(result.unwrap_err().sqlstate, "58030");
}

fn any_state() -> impl Strategy<Value = State> {
    prop_oneof![Just(State::Missing), Just(State::Suspended), Just(State::Active), Just(State::Active)]
}

fn any_candidate() -> impl Strategy<Value = Candidate> {
    let flags = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.8), any::<bool>(), any::<bool>());
    let url = prop_oneof![Just(None), Just(Some("no url".to_string())), Just(Some(URL.to_string()))];
    let connection = prop_oneof![Just(None), Just(Some("c0".to_string())), Just(Some("c1".to_string()))];
    (0..8u8, any_state(), any_state(), flags, -3..3i64, url, connection).prop_map(
        |(name, organization, membership, flags, joined_at, sso_url, sso_connection)| Candidate {
            name: format!("o{name}"),
            organization,
            membership,
            last_used: flags.0,
            is_default: flags.1,
            network_allowed: flags.2,
            mfa_required: flags.3,
            sso_required: flags.4,
            joined_at,
            sso_url,
            sso_connection,
        },
    )
}

fn any_context() -> impl Strategy<Value = Context> {
    let words = |words: &'static [&'static str]| {
        prop::collection::vec(prop::sample::select(words).prop_map(str::to_string), 0..3)
    };
    let given =
        (words(&["password", "totp", ""]), words(&["c0", "c1"])).prop_map(|(factors, sso)| Given { factors, sso });
    let organizations = prop::collection::hash_map((0..8u8).prop_map(|n| format!("o{n}")), given, 0..6);
    organizations.prop_map(|organizations| Context { organizations, ..Context::default() })
}

/// Written from the rules alone: whether these factors open this organization.
fn is_open(candidate: &Candidate, context: &Context) -> bool {
    let given = context.organizations.get(&candidate.name).cloned().unwrap_or_default();
    let sso = candidate.sso_url.as_deref() == Some(URL)
        && given.sso.iter().any(|done| candidate.sso_connection.as_ref().is_none_or(|c| c == done));
    let mfa = given.factors.contains(&"totp".to_string());
    candidate.organization == State::Active
        && candidate.membership == State::Active
        && candidate.network_allowed
        && (sso || !candidate.sso_required)
        && (mfa || !candidate.mfa_required)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn every_walk_ends_and_keeps_the_rules(
        candidates in prop::collection::vec(any_candidate(), 0..12),
        context in any_context(),
        requested in prop::option::of((0..8u8).prop_map(|n| format!("o{n}"))),
        max_attempts in 1..12usize,
        fallback: bool,
        enrolled: bool,
        patience in 0..12usize,
    ) {
        // One row an organization, as the store's key has it.
        let mut names = BTreeSet::new();
        let candidates: Vec<Candidate> = candidates.into_iter().filter(|c| names.insert(c.name.clone())).collect();
        let requested = requested.filter(|r| names.contains(r));
        let ordered = in_order(candidates.clone(), requested.as_deref());
        prop_assert_eq!(ordered.len(), candidates.len());
        let asked = std::cell::Cell::new(0);
        let out_of_time = || { asked.set(asked.get() + 1); asked.get() > patience };
        let limits = Limits { max_attempts, fallback, out_of_time: &out_of_time };
        let outcome = walk(&ordered, requested.as_deref(), &context, &limits, || Ok(enrolled)).unwrap();

        let tried: Vec<&str> = outcome.attempts.iter().map(|a| a.organization.as_str()).collect();
        prop_assert_eq!(tried.iter().collect::<BTreeSet<_>>().len(), tried.len(), "each organization once");
        let most = if fallback { max_attempts } else { 1 };
        prop_assert!(tried.len() <= most);
        prop_assert!(tried.iter().zip(&ordered).all(|(name, c)| *name == c.name), "in the stated order");

        let chosen = outcome.organization.as_deref().map(|o| candidates.iter().find(|c| c.name == o).unwrap());
        if outcome.decision == Decision::Allow {
            prop_assert!(is_open(chosen.unwrap(), &context), "never in where a rule is unmet");
        }
        // Whoever was passed over was not there to be logged in to: what it asks for is no reason.
        let passed = outcome.attempts.iter().filter(|a| a.decision.is_none());
        for attempt in passed {
            let one = candidates.iter().find(|c| c.name == attempt.organization).unwrap();
            prop_assert!(one.organization != State::Active || one.membership != State::Active || !one.network_allowed);
        }
        prop_assert_eq!(outcome.redirect_url.is_some(), outcome.decision == Decision::SsoRedirect);
        prop_assert_eq!(outcome.switched, outcome.organization.is_some() && requested.is_some() && outcome.organization != requested);
        prop_assert_eq!(outcome.reason.is_none(), outcome.decision == Decision::Allow && !outcome.switched);
    }
}
