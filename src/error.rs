//! The one error type of the extension: what a user reads when a call cannot be carried out.

use crate::db::fields;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use std::borrow::Cow;

pub type Result<T> = std::result::Result<T, Error>;

/// An error with its SQLSTATE, a message, the values it is about, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub place: Option<Place>,
}

/// Where in a query of the caller's the error is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub query: String,
    /// The number of a character, from 1.
    pub position: i32,
    /// What the query is, for the context of the error.
    pub what: String,
}

impl Error {
    pub fn new(sqlstate: &str, message: impl Into<String>) -> Self {
        Error { sqlstate: sqlstate.to_string(), message: message.into(), detail: None, hint: None, place: None }
    }

    /// `22023`: an argument has a value that the function does not take.
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Error::new("22023", message)
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// As it is raised next.
    fn report(self) -> ErrorReport {
        if let Some(place) = self.place {
            fields::hand_on_place(place);
        }
        let code = PgSqlErrorCode::from(pack_sqlstate(&self.sqlstate));
        let mut report = ErrorReport::new(code, readable(self.message), "pg_identity");
        if let Some(detail) = self.detail {
            report = report.set_detail(readable(detail));
        }
        if let Some(hint) = self.hint {
            report = report.set_hint(readable(hint));
        }
        report
    }

    /// Raises the error in Postgres.
    pub fn raise(self) -> ! {
        self.report().report(PgLogLevel::ERROR);
        unreachable!("ERROR does not return")
    }
}

/// A text as a message shows it: one that is longer than any name is cut.
pub fn shown(text: &str) -> Cow<'_, str> {
    const MOST: usize = 600;
    if text.len() <= MOST { text.into() } else { start(text, 100).into() }
}

/// A message, of which nobody reads more than so much.
pub fn readable(message: String) -> String {
    const MOST: usize = 10_000;
    if message.len() <= MOST { message } else { start(&message, MOST) }
}

fn start(text: &str, bytes: usize) -> String {
    format!("{}...", &text[..text.floor_char_boundary(bytes)])
}

/// An argument that must not be NULL.
pub fn required<T>(name: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| {
        Error::new("22004", format!("{name} is NULL"))
            .hint("Give a value, or leave the argument out where it has a default.")
    })
}

impl From<Error> for ErrorReport {
    fn from(error: Error) -> Self {
        error.report()
    }
}

/// A failure of the SPI interface itself: a mistake in this extension, not in the caller's data.
impl From<pgrx::spi::Error> for Error {
    fn from(error: pgrx::spi::Error) -> Self {
        Error::new("XX000", format!("pg_identity could not read a result: {error}"))
    }
}

/// Postgres packs the five characters of a SQLSTATE into six bits each.
pub fn pack_sqlstate(code: &str) -> i32 {
    code.bytes().take(5).enumerate().fold(0, |packed, (i, c)| packed | ((i32::from(c) - 48) & 0x3f) << (6 * i))
}

/// The five characters of a packed SQLSTATE.
pub fn unpack_sqlstate(packed: i32) -> String {
    (0..5).map(|i| char::from((((packed >> (6 * i)) & 0x3f) + 48) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shown("name"), "name");
        assert_eq!(shown(&"ä".repeat(300)), "ä".repeat(300));
        assert_eq!(shown(&"ä€".repeat(300)), "ä€".repeat(20) + "...");
        assert_eq!(readable("ä".repeat(5000)), "ä".repeat(5000));
        assert_eq!(readable("ä".repeat(6000)).len(), 10_003);
    }

    #[test]
    fn sqlstates_survive_packing() {
        for code in ["22023", "23505", "42P01", "P0001", "XX000", "57014"] {
            assert_eq!(unpack_sqlstate(pack_sqlstate(code)), code);
        }
    }
}
