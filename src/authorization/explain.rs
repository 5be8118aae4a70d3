//! `identity.explain_permission`: why the answer is what it is.

use crate::authorization::findings::{Finding, Findings, Found, Search};
use crate::authorization::grants::{Permission, permission};
use crate::authorization::judge::{Context, MOST_NAME, Question};
use crate::authorization::places::Places;
use crate::authorization::plan::{Combining, Effect, Graph, Level, Match};
use crate::authorization::policy::Outcome;
use crate::authorization::store::{AT_ONCE, BY_RESOURCE, BY_TYPE, Closure, Store, any};
use crate::authorization::subject;
use crate::db::scan::Key;
use crate::error::{Error, Result, shown};
use std::borrow::Cow;

/// The arguments as they came.
pub struct Asked<'a> {
    pub realm: Option<&'a str>,
    pub subject: Option<&'a str>,
    pub scope: Option<&'a str>,
    pub resource_type: Option<&'a str>,
    pub resource: Option<&'a str>,
}

#[derive(Default)]
pub struct Step<'a> {
    pub level: &'static str,
    pub resource_type: Option<Cow<'a, str>>,
    pub resource: Option<Cow<'a, str>>,
    pub scope: Option<Cow<'a, str>>,
    pub permission_id: Option<i64>,
    pub effect: Option<&'static str>,
    pub subject: Option<Cow<'a, str>>,
    pub via: Option<Vec<&'a str>>,
    pub policy: Option<&'a str>,
    pub outcome: String,
}

/// Permissions of others are shown up to this number.
const MISSING: usize = 10;

/// Names in the column `via`, of all rows together.
const MOST_VIA: usize = 1_000_000;

/// Scopes that a message enumerates.
const MOST_SCOPES: usize = 50;

/// Hands the steps over as they are found.
pub fn explain(store: &mut Store, asked: &Asked, context: &Context, mut tell: impl FnMut(&Step)) -> Result<()> {
    let question = match question(store, asked)? {
        Ok(question) => question,
        Err(reason) => {
            tell(&answer(asked, format!("not permitted: {reason}")));
            return Ok(());
        }
    };
    let Some(search) = Search::of(store, &question)? else {
        tell(&answer(asked, "not permitted: there is nothing to ask about".to_string()));
        return Ok(());
    };
    let asker = store.closure(question.realm, question.subject)?;
    let findings = search.complete(store, &question)?;
    let evaluated = findings.evaluate(store, &question, context)?;
    let decided = findings.decide(&question, &evaluated);
    let combining = findings.graph.combining();
    let mut via = 0;
    for ((row, found), finding) in findings.rows.iter().enumerate().zip(&evaluated) {
        let step = step(&findings, &asker, found, reading(row, found, finding, decided, combining));
        via += step.via.as_ref().map_or(0, Vec::len);
        if via > MOST_VIA {
            return Err(too_large());
        }
        tell(&step);
    }
    if decided.is_none_or(|decided| decided.effect == Effect::Deny) {
        for (node, permission) in missing(store, &question, &findings, &asker, decided)? {
            let outcome = format!("would permit it, if {} were, or were in, {}", question.subject, permission.subject);
            tell(&Step { level: "missing", outcome, ..of_permission(&findings.graph, node, &permission) });
        }
    }
    tell(&answer(asked, verdict(&findings, decided)));
    Ok(())
}

fn too_large() -> Error {
    Error::new("54000", "the explanation is too large")
        .detail(format!("Its ways by which permissions concern the subject have more than {MOST_VIA} names."))
        .hint("Groups and roles are nested very deeply: identity.members has them.")
}

/// The question, or why it is none.
fn question<'a>(store: &mut Store, asked: &Asked<'a>) -> Result<std::result::Result<Question<'a>, String>> {
    let Asked { realm, subject, scope, resource_type, resource } = *asked;
    let (Some(realm), Some(subject), Some(scope), Some(resource_type)) = (realm, subject, scope, resource_type) else {
        return Ok(Err("realm, subject, scope or resource_type is NULL".to_string()));
    };
    if !subject::is_subject(subject) {
        return Ok(Err(format!("\"{}\" is no subject: user:..., group:..., role:... or client:...", shown(subject))));
    }
    let no_type = || format!("realm \"{}\" has no resource type \"{}\"", shown(realm), shown(resource_type));
    if realm.len().max(resource_type.len()) > MOST_NAME {
        return Ok(Err(no_type()));
    }
    let model = store.model(realm)?;
    let Some(scopes) = model.scopes_of(resource_type) else { return Ok(Err(no_type())) };
    if !model.knows(resource_type, scope) {
        let more = scopes.len().saturating_sub(MOST_SCOPES);
        let mut known = scopes.take(MOST_SCOPES).collect::<Vec<_>>().join(", ");
        if more > 0 {
            known += &format!(" and {more} more");
        }
        return Ok(Err(format!("resource type \"{resource_type}\" has no scope \"{}\", but {known}", shown(scope))));
    }
    let question = Question { realm, subject, scope, resource_type, resource };
    Ok(if question.can_be() { Ok(question) } else { Err("the name of the resource is too long".to_string()) })
}

/// What became of a permission.
fn reading(row: usize, found: &Found, finding: &Finding, decided: Option<Match>, combining: Combining) -> String {
    let because = match &finding.outcome {
        None => String::new(),
        Some(Outcome::Holds) => ": its policy holds".to_string(),
        Some(Outcome::Fails) => ": its policy does not hold".to_string(),
        Some(Outcome::Unknown(why)) => format!(": its policy cannot tell, {why}"),
    };
    let standing = match decided {
        _ if found.covered => "not consulted, a nearer container has permissions on its scopes",
        _ if finding.lifted => "does not restrict: the permission permits",
        _ if finding.matched.is_none() => "does not count",
        Some(decided) if decided.row == row => "decides",
        Some(decided) if combining != Combining::Nearest => match (decided.effect, finding.matched.map(|m| m.effect)) {
            (decided, Some(effect)) if decided == effect => "says the same",
            (Effect::Deny, _) => "overridden by a deny",
            _ => "overridden",
        },
        Some(decided) if decided.level < found.level => "not reached, a nearer level decides",
        Some(decided)
            if decided.level == found.level && finding.matched.is_some_and(|m| m.effect != decided.effect) =>
        {
            "overridden by a deny"
        }
        Some(decided) if decided.level == found.level => "says the same",
        _ => "does not imply the scope here",
    };
    format!("{standing}{because}")
}

fn step<'a>(findings: &'a Findings, asker: &'a Closure, found: &'a Found, outcome: String) -> Step<'a> {
    let path = asker.path(&found.permission.subject);
    Step {
        level: found.level.name(),
        via: (!path.is_empty()).then_some(path),
        outcome,
        ..of_permission(&findings.graph, found.node, &found.permission)
    }
}

fn of_permission<'a>(graph: &'a Graph, node: usize, permission: &'a Permission) -> Step<'a> {
    Step {
        resource_type: Some((&*graph.nodes[node].resource_type).into()),
        resource: permission.resource.as_deref().map(Cow::from),
        scope: Some((&*permission.scope).into()),
        permission_id: Some(permission.id),
        effect: Some(permission.effect.name()),
        subject: Some((&*permission.subject).into()),
        policy: permission.policy.as_deref(),
        ..Step::default()
    }
}

/// Permissions of others that would permit it, from the nearest on: nearer than the deny that decided, if one did.
fn missing(
    store: &mut Store,
    question: &Question,
    findings: &Findings,
    asker: &Closure,
    decided: Option<Match>,
) -> Result<Vec<(usize, Permission)>> {
    let model = store.model(question.realm)?;
    let graph = &findings.graph;
    let asked = (question.resource_type, question.resource);
    let places = Places::for_graph(store, &model, graph, question.realm, asked)?;
    let mut shown = Vec::new();
    let restricts = decided.map(|decided| &findings.rows[decided.row].permission);
    let restricts = restricts.filter(|permission| permission.effect == Effect::Restrict);
    let nearer =
        |level: Level| decided.is_none_or(|decided| graph.combining() == Combining::Nearest && level < decided.level);
    let decides = |level: Level| nearer(level) || decided.is_some_and(|d| restricts.is_some() && d.level == level);
    let permits = |level: Level, permission: &Permission| {
        let of_bundle = |by: &Permission| {
            (&by.origin, &by.resource, &by.scope) == (&permission.origin, &permission.resource, &permission.scope)
        };
        nearer(level) || restricts.is_some_and(of_bundle)
    };
    let mut show = |level: Level, permission: Permission, resource_type: &str| {
        if permission.effect == Effect::Allow
            && permits(level, &permission)
            && !asker.has(&permission.subject)
            && let Some(node) = graph.find(resource_type, &permission.scope)
        {
            shown.push((node, permission));
        }
        shown.len() < MISSING
    };
    let mut more = true;
    for place in places.on_resources() {
        let scopes = graph.scopes_of(place.resource_type);
        if more && decides(place.level) && !scopes.is_empty() {
            let mut keys = vec![Key::Is(question.realm), Key::Is(place.resource_type), Key::Is(place.resource)];
            keys.extend(some(&scopes));
            store.reader().rows(&BY_RESOURCE, &keys, |row| {
                more = show(place.level, permission(row), place.resource_type);
                more
            })?;
        }
    }
    for (level, resource_type) in places.on_types().rev() {
        let scopes = graph.scopes_of(resource_type);
        if more && decides(level) && !scopes.is_empty() {
            let mut keys = vec![Key::Is(question.realm), Key::Is(resource_type)];
            keys.extend(some(&scopes));
            store.reader().rows(&BY_TYPE, &keys, |row| {
                more = show(level, permission(row), resource_type);
                more
            })?;
        }
    }
    Ok(shown)
}

/// A key for scopes where they are few; where they are many, all rows are looked at.
fn some<'a>(scopes: &'a [&'a str]) -> Option<Key<'a>> {
    (scopes.len() <= AT_ONCE).then(|| any(scopes))
}

fn verdict(findings: &Findings, decided: Option<Match>) -> String {
    match decided {
        None if findings.rows.is_empty() => {
            "not permitted: no permission of the subject, or of what it is in, says anything".to_string()
        }
        None => "not permitted: no permission counts".to_string(),
        Some(m) => {
            let permission = &findings.rows[m.row].permission;
            let (answer, verb) = match m.effect {
                Effect::Allow => ("permitted", "allows"),
                Effect::Deny | Effect::Restrict => ("not permitted", "denies"),
            };
            format!("{answer}: permission {} {verb} {} at level {}", permission.id, permission.scope, m.level.name())
        }
    }
}

fn answer<'a>(asked: &Asked<'a>, outcome: String) -> Step<'a> {
    Step {
        level: "answer",
        resource_type: asked.resource_type.map(shown),
        resource: asked.resource.map(shown),
        scope: asked.scope.map(shown),
        subject: asked.subject.map(shown),
        outcome,
        ..Step::default()
    }
}
