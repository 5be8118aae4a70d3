//! From a question to its answer, through what is remembered.

use crate::authorization::findings::{Findings, Search};
use crate::authorization::memory::{self, Entry, Tag};
use crate::authorization::store::Store;
use crate::authorization::subject;
use crate::db::{json, session};
use crate::error::Result;
use chrono::{DateTime, Utc};
use pgrx::AnyElement;
use serde_json::Value;
use std::cell::OnceCell;
use std::rc::Rc;

/// May the subject do this? The subject `*` stands for one of whom nothing is known.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub realm: &'a str,
    pub subject: &'a str,
    pub scope: &'a str,
    pub resource_type: &'a str,
    /// `None`: on the whole type.
    pub resource: Option<&'a str>,
}

/// The context of a question: parsed when a policy asks for it.
pub struct Context {
    given: Option<AnyElement>,
    parsed: OnceCell<Value>,
}

impl Context {
    /// `given`: a jsonb value.
    pub fn new(given: Option<AnyElement>) -> Self {
        Context { given, parsed: OnceCell::new() }
    }

    pub fn value(&self) -> &Value {
        let parse = |given| serde_json::from_str(&json::jsonb_text(given)).ok();
        self.parsed.get_or_init(|| self.given.and_then(parse).unwrap_or(Value::Null))
    }

    /// The time of the question: the statement's, unless the context says another.
    pub fn now(&self) -> Option<DateTime<Utc>> {
        match self.value().get("now") {
            None => DateTime::from_timestamp_micros(session::statement_time()),
            Some(now) => DateTime::parse_from_rfc3339(now.as_str()?).ok().map(|now| now.to_utc()),
        }
    }
}

/// Answers from memory, or by reading.
pub fn check(store: &mut Store, question: &Question, context: &Context) -> Result<bool> {
    let Question { realm, subject, scope, resource_type, resource } = *question;
    if !subject::is_subject(subject) {
        return Ok(false);
    }
    let (tag, texts) = match resource {
        None => (Tag::OnType, &[realm, subject, scope, resource_type][..]),
        Some(resource) => (Tag::OnResource, &[realm, subject, scope, resource_type, resource][..]),
    };
    match memory::recall(tag, texts) {
        Some(Entry::Answer(permitted)) => return Ok(permitted),
        Some(Entry::Findings(findings)) => return findings.permit(store, question, context),
        _ => {}
    }
    match answer(store, question)? {
        Answer::Findings(findings) if findings.depend_on_policies() => {
            let (bytes, findings) = (findings.bytes(), Rc::new(findings));
            memory::remember(tag, texts, Entry::Findings(findings.clone()), bytes);
            findings.permit(store, question, context)
        }
        answer => {
            let permitted = answer.permits(store, question, context)?;
            memory::remember(tag, texts, Entry::Answer(permitted), 0);
            Ok(permitted)
        }
    }
}

/// The same, and nothing is remembered of the answer: for listings, which ask about everything once.
pub fn check_once(store: &mut Store, question: &Question, context: &Context) -> Result<bool> {
    answer(store, question)?.permits(store, question, context)
}

enum Answer {
    Known(bool),
    Findings(Findings),
}

impl Answer {
    fn permits(&self, store: &mut Store, question: &Question, context: &Context) -> Result<bool> {
        match self {
            Answer::Known(permitted) => Ok(*permitted),
            Answer::Findings(findings) => findings.permit(store, question, context),
        }
    }
}

fn answer(store: &mut Store, question: &Question) -> Result<Answer> {
    let Some(search) = Search::of(store, question)? else { return Ok(Answer::Known(false)) };
    match search.evident(question) {
        Some(permitted) => Ok(Answer::Known(permitted)),
        None => Ok(Answer::Findings(search.complete(store, question)?)),
    }
}
