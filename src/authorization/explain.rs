//! `identity.explain_permission`: why the answer is what it is.

use crate::authorization::findings::{Finding, Findings, Found, Search};
use crate::authorization::judge::{Context, Question};
use crate::authorization::places::Places;
use crate::authorization::plan::{Effect, Graph, Level, Match};
use crate::authorization::policy::Outcome;
use crate::authorization::store::{BY_RESOURCE, BY_TYPE, Closure, Permission, Store, any, permission};
use crate::authorization::subject;
use crate::db::scan::Key;
use crate::error::Result;

/// The arguments as they came.
pub struct Asked<'a> {
    pub realm: Option<&'a str>,
    pub subject: Option<&'a str>,
    pub scope: Option<&'a str>,
    pub resource_type: Option<&'a str>,
    pub resource: Option<&'a str>,
}

#[derive(Default)]
pub struct Step {
    pub level: String,
    pub resource_type: Option<String>,
    pub resource: Option<String>,
    pub scope: Option<String>,
    pub permission_id: Option<i64>,
    pub effect: Option<String>,
    pub subject: Option<String>,
    pub via: Option<Vec<String>>,
    pub policy: Option<String>,
    pub outcome: String,
}

/// Permissions of others are shown up to this number.
const MISSING: usize = 10;

pub fn explain(store: &mut Store, asked: &Asked, context: &Context) -> Result<Vec<Step>> {
    let question = match question(store, asked)? {
        Ok(question) => question,
        Err(reason) => return Ok(vec![answer(asked, &format!("not permitted: {reason}"))]),
    };
    let Some(search) = Search::of(store, &question)? else {
        return Ok(vec![answer(asked, "not permitted: there is nothing to ask about")]);
    };
    let asker = store.closure(question.realm, question.subject)?;
    let findings = search.complete(store, &question)?;
    let evaluated = findings.evaluate(store, &question, context)?;
    let decided = findings.decide(&evaluated);
    let mut steps: Vec<Step> = Vec::new();
    for ((row, found), finding) in findings.rows.iter().enumerate().zip(&evaluated) {
        steps.push(step(&findings, &asker, found, &reading(row, found, finding, decided)));
    }
    if decided.is_none_or(|decided| decided.effect == Effect::Deny) {
        steps.extend(missing(store, &question, &findings, &asker, decided)?);
    }
    steps.push(answer(asked, &verdict(&findings, decided)));
    Ok(steps)
}

/// The question, or why it is none.
fn question<'a>(store: &mut Store, asked: &Asked<'a>) -> Result<std::result::Result<Question<'a>, String>> {
    let Asked { realm, subject, scope, resource_type, resource } = *asked;
    let (Some(realm), Some(subject), Some(scope), Some(resource_type)) = (realm, subject, scope, resource_type) else {
        return Ok(Err("realm, subject, scope or resource_type is NULL".to_string()));
    };
    if !subject::is_subject(subject) {
        return Ok(Err(format!("\"{subject}\" is no subject: user:…, group:…, role:… or client:…")));
    }
    let model = store.model(realm)?;
    let Some(scopes) = model.scopes.get(resource_type) else {
        return Ok(Err(format!("realm \"{realm}\" has no resource type \"{resource_type}\"")));
    };
    if !scopes.contains(scope) {
        let known: Vec<&str> = scopes.iter().map(String::as_str).collect();
        return Ok(Err(format!(
            "resource type \"{resource_type}\" has no scope \"{scope}\", but {}",
            known.join(", ")
        )));
    }
    Ok(Ok(Question { realm, subject, scope, resource_type, resource }))
}

/// What became of a permission.
fn reading(row: usize, found: &Found, finding: &Finding, decided: Option<Match>) -> String {
    let because = match &finding.outcome {
        None => String::new(),
        Some(Outcome::Holds) => ": its policy holds".to_string(),
        Some(Outcome::Fails) => ": its policy does not hold".to_string(),
        Some(Outcome::Unknown(why)) => format!(": its policy cannot tell, {why}"),
    };
    let standing = match decided {
        _ if finding.matched.is_none() => "does not count",
        Some(decided) if decided.row == row => "decides",
        Some(decided) if decided.level < found.level => "not reached, a nearer level decides",
        Some(decided) if decided.level == found.level && decided.effect != found.permission.effect => {
            "overridden by a deny"
        }
        Some(decided) if decided.level == found.level => "says the same",
        _ => "does not imply the scope here",
    };
    format!("{standing}{because}")
}

fn step(findings: &Findings, asker: &Closure, found: &Found, outcome: &str) -> Step {
    let path = asker.path(&found.permission.subject);
    Step {
        level: found.level.name().to_string(),
        via: (!path.is_empty()).then_some(path),
        outcome: outcome.to_string(),
        ..of_permission(&findings.graph, found.node, &found.permission)
    }
}

fn of_permission(graph: &Graph, node: usize, permission: &Permission) -> Step {
    Step {
        resource_type: Some(graph.nodes[node].resource_type.clone()),
        resource: permission.resource.clone(),
        scope: Some(permission.scope.clone()),
        permission_id: Some(permission.id),
        effect: Some(permission.effect.name().to_string()),
        subject: Some(permission.subject.clone()),
        policy: permission.policy.clone(),
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
) -> Result<Vec<Step>> {
    let model = store.model(question.realm)?;
    let places = Places::of(store, &model, question.realm, question.resource_type, question.resource)?;
    let mine = asker.subjects();
    let mut steps: Vec<Step> = Vec::new();
    let graph = &findings.graph;
    let decides = |level: Level| decided.is_none_or(|decided| level < decided.level);
    let mut show = |permission: Permission, resource_type: &str| {
        if permission.effect == Effect::Allow
            && !mine.contains(&permission.subject.as_str())
            && let Some(node) = graph.find(resource_type, &permission.scope)
        {
            let outcome = format!("would permit it, if {} were, or were in, {}", question.subject, permission.subject);
            steps.push(Step { level: "missing".to_string(), outcome, ..of_permission(graph, node, &permission) });
        }
        steps.len() < MISSING
    };
    let mut more = true;
    for place in &places.on_resources {
        let scopes = graph.scopes_of(&place.resource_type);
        if more && decides(place.level) && !scopes.is_empty() {
            let keys = [Key::Is(question.realm), Key::Is(&place.resource_type), Key::Is(&place.resource), any(&scopes)];
            store.reader().rows(&BY_RESOURCE, &keys, |row| {
                more = show(permission(row), &place.resource_type);
                more
            })?;
        }
    }
    for (level, resource_type) in places.on_types.iter().rev() {
        let scopes = graph.scopes_of(resource_type);
        if more && decides(*level) && !scopes.is_empty() {
            let keys = [Key::Is(question.realm), Key::Is(resource_type), any(&scopes)];
            store.reader().rows(&BY_TYPE, &keys, |row| {
                more = show(permission(row), resource_type);
                more
            })?;
        }
    }
    Ok(steps)
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
                Effect::Deny => ("not permitted", "denies"),
            };
            format!("{answer}: permission {} {verb} {} at level {}", permission.id, permission.scope, m.level.name())
        }
    }
}

fn answer(asked: &Asked, outcome: &str) -> Step {
    let owned = |text: Option<&str>| text.map(str::to_string);
    Step {
        level: "answer".to_string(),
        resource_type: owned(asked.resource_type),
        resource: owned(asked.resource),
        scope: owned(asked.scope),
        subject: owned(asked.subject),
        outcome: outcome.to_string(),
        ..Step::default()
    }
}
