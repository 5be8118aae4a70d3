//! From a question to its answer, through what is remembered.

use crate::authorization::findings::{Findings, Search};
use crate::authorization::memory::{self, Entry, Tag, Whose};
use crate::authorization::policy::Host;
use crate::authorization::store::Store;
use crate::authorization::subject;
use crate::db::{allocate, interrupt, json, session};
use crate::error::Result;
use chrono::{DateTime, Utc};
use pgrx::AnyElement;
use regex::Regex;
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

/// So many bytes the name of a realm, a type or a scope has at most, as the tables keep them.
pub const MOST_NAME: usize = 255;

/// The same of a resource.
pub const MOST_RESOURCE: usize = 512;

impl Question<'_> {
    /// Whether there can be such a subject and such names; without it, there is nothing to look for.
    pub fn can_be(&self) -> bool {
        self.names_can_be() && subject::is_subject(self.subject)
    }

    /// The same, whoever the subject is.
    pub fn names_can_be(&self) -> bool {
        let names = [self.realm, self.scope, self.resource_type];
        names.iter().all(|name| name.len() <= MOST_NAME)
            && self.resource.is_none_or(|resource| resource.len() <= MOST_RESOURCE)
    }
}

/// The context of a question: parsed when a policy asks for it.
pub struct Context {
    given: Option<AnyElement>,
    parsed: OnceCell<Value>,
}

impl Context {
    /// `given`: a jsonb value.
    pub fn new(given: Option<AnyElement>) -> Result<Self> {
        if let Some(given) = given {
            json::check_size("context", given.datum(), json::MOST_CONTEXT)?;
        }
        Ok(Context { given, parsed: OnceCell::new() })
    }

    pub fn value(&self) -> Result<&Value> {
        if let Some(parsed) = self.parsed.get() {
            return Ok(parsed);
        }
        let parse = |text: &str| {
            json::ensure(text)?;
            // One that is nested too deeply tells no policy anything.
            Ok(serde_json::from_str(text).unwrap_or(Value::Null))
        };
        let parsed = match self.given {
            None => Value::Null,
            Some(given) => json::with_text("context", given.datum(), json::MOST_CONTEXT, parse)?,
        };
        Ok(self.parsed.get_or_init(|| parsed))
    }

    /// The time of the question: the statement's, unless the context says another.
    pub fn now(&self) -> Result<Option<DateTime<Utc>>> {
        let given = |now: &Value| Some(DateTime::parse_from_rfc3339(now.as_str()?).ok()?.to_utc());
        Ok(match self.value()?.get("now") {
            None => DateTime::from_timestamp_micros(session::statement_time()),
            Some(now) => given(now),
        })
    }
}

/// A text may be so long to be searched by a regular expression in this thread, which answers to no cancel meanwhile.
const SHORT: usize = 8192;

/// The session that asks.
pub struct Session;

impl Host for Session {
    fn pause(&self) {
        pgrx::check_for_interrupts!();
    }

    fn finds(&self, regex: &Regex, text: &str) -> Result<bool> {
        if text.len() <= SHORT {
            return Ok(regex.is_match(text));
        }
        let (regex, text) = (regex.clone(), allocate::text(text)?);
        interrupt::abandonable(move || regex.is_match(&text))
    }
}

/// Answers one question, from memory or by reading.
pub fn check_one(question: &Question, context: &Context) -> Result<bool> {
    if !question.can_be() {
        return Ok(false);
    }
    match recall(question) {
        Some(Entry::Answer(permitted)) => Ok(permitted),
        recalled => check_from(&mut Store::new(), recalled, question, context),
    }
}

/// The same, for one question of several.
pub fn check(store: &mut Store, question: &Question, context: &Context) -> Result<bool> {
    if !question.can_be() {
        return Ok(false);
    }
    check_from(store, recall(question), question, context)
}

fn recall(question: &Question) -> Option<Entry> {
    let Question { realm, subject, scope, resource_type, resource } = *question;
    match resource {
        None => memory::recall(Tag::OnType, &[realm, subject, scope, resource_type]),
        Some(resource) => memory::recall(Tag::OnResource, &[realm, subject, scope, resource_type, resource]),
    }
}

fn remember(question: &Question, whose: Whose, entry: Entry, payload: usize) {
    let Question { realm, subject, scope, resource_type, resource } = *question;
    let on_type = [realm, subject, scope, resource_type];
    match resource {
        None => memory::remember(Tag::OnType, &on_type, whose, entry, payload),
        Some(resource) => {
            let on_resource = [realm, subject, scope, resource_type, resource];
            memory::remember(Tag::OnResource, &on_resource, whose, entry, payload);
        }
    }
}

fn check_from(store: &mut Store, recalled: Option<Entry>, question: &Question, context: &Context) -> Result<bool> {
    match recalled {
        Some(Entry::Answer(permitted)) => return Ok(permitted),
        Some(Entry::Findings(findings)) => {
            store.begin_question();
            return findings.permit(store, question, context);
        }
        _ => {}
    }
    let answer = answer(store, question)?.settled(store, question)?;
    let whose = answer.whose(question);
    match answer {
        Answer::Findings(findings) if findings.depend_on_policies() => {
            let (bytes, findings) = (findings.bytes(), Rc::new(findings));
            remember(question, whose, Entry::Findings(findings.clone()), bytes);
            findings.permit(store, question, context)
        }
        answer => {
            let permitted = answer.permits(store, question, context)?;
            remember(question, whose, Entry::Answer(permitted), 0);
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
    fn settled(self, store: &mut Store, question: &Question) -> Result<Answer> {
        match self {
            Answer::Findings(findings) if findings.depend_on_policies() => {
                Ok(Answer::Findings(findings.settled(store, question)?))
            }
            answer => Ok(answer),
        }
    }

    fn whose<'a>(&self, question: &Question<'a>) -> Whose<'a> {
        match self {
            Answer::Findings(findings) if findings.depend_on_anybody() => Whose::SubjectAndAnybody(question.subject),
            _ => Whose::Subject(question.subject),
        }
    }

    fn permits(&self, store: &mut Store, question: &Question, context: &Context) -> Result<bool> {
        match self {
            Answer::Known(permitted) => Ok(*permitted),
            Answer::Findings(findings) => findings.permit(store, question, context),
        }
    }
}

fn answer(store: &mut Store, question: &Question) -> Result<Answer> {
    store.begin_question();
    let Some(search) = Search::of(store, question)? else { return Ok(Answer::Known(false)) };
    match search.evident(question) {
        Some(permitted) => Ok(Answer::Known(permitted)),
        None => Ok(Answer::Findings(search.complete(store, question)?)),
    }
}
