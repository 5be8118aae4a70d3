//! Reading JSON that people wrote: each value that is not as it should be becomes a fault with its path. No SQL is run here.

use crate::db::json;
use base64ct::{Base64, Encoding};
use chrono::{DateTime, Datelike, NaiveDateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

/// What is wrong with a document, and where. The message never has a value of it: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A JSON pointer (RFC 6901).
    pub path: String,
    pub sqlstate: &'static str,
    pub message: String,
    /// The identifier that it is about.
    pub identifier: Option<(&'static str, String)>,
}

pub const INVALID_VALUE: &str = "22023";
pub const MISSING_VALUE: &str = "22004";
pub const TOO_LONG: &str = "22001";
pub const WRONG_TYPE: &str = "22P02";
pub const UNKNOWN_FIELD: &str = "42703";
const INVALID_TIME: &str = "22007";
const UNTRANSLATABLE: &str = "22P05";
const OUT_OF_RANGE: &str = "22003";
const TOO_COMPLEX: &str = "54001";

#[derive(Debug, Default)]
pub struct Reader {
    pub faults: Vec<Fault>,
    pub warnings: Vec<String>,
}

/// The path of a member.
pub fn child(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

impl Reader {
    pub fn fault(&mut self, path: impl Into<String>, sqlstate: &'static str, message: impl Into<String>) {
        self.faults.push(Fault { path: path.into(), sqlstate, message: message.into(), identifier: None });
    }

    /// As a fault, a warning shows no value; one that is given twice is said once.
    pub fn warn(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// A document, of which Postgres can keep every value.
    pub fn parse(&mut self, text: &str, path: &str) -> Option<Value> {
        if text.len() > json::MOST_BYTES {
            self.fault(path, TOO_LONG, format!("the document has more than {} bytes", json::MOST_BYTES));
            return None;
        }
        // By a name of this kind the parser tells itself how to read what follows.
        if text.contains("$serde_json::private::") {
            self.fault(path, UNTRANSLATABLE, "a name begins with $serde_json::private::, which is reserved");
            return None;
        }
        match serde_json::from_str::<Value>(text) {
            Ok(value) => self.storable(&value, path).then_some(value),
            Err(error) => {
                // The parser's messages tell what it met and where, and show no value.
                let complex = error.to_string().starts_with("recursion");
                let sqlstate = if complex { TOO_COMPLEX } else { WRONG_TYPE };
                self.fault(path, sqlstate, format!("the JSON cannot be read: {error}"));
                None
            }
        }
    }

    /// False where a value below `path` is one that jsonb cannot hold: a NUL character, or a number beyond `numeric`.
    fn storable(&mut self, value: &Value, path: &str) -> bool {
        match value {
            Value::String(text) => self.without_nul(text, path),
            Value::Number(number) => {
                let fits = fits_numeric(&number.to_string());
                if !fits {
                    self.fault(path, OUT_OF_RANGE, "the number is out of range");
                }
                fits
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .fold(true, |fine, (i, item)| (leaf(item) || self.storable(item, &format!("{path}/{i}"))) && fine),
            Value::Object(members) => members.iter().fold(true, |fine, (name, member)| {
                self.without_nul(name, path) && (leaf(member) || self.storable(member, &child(path, name))) && fine
            }),
            Value::Null | Value::Bool(_) => true,
        }
    }

    fn without_nul(&mut self, text: &str, path: &str) -> bool {
        let fine = !text.contains('\0');
        if !fine {
            self.fault(path, UNTRANSLATABLE, "a text has the character \\u0000, which Postgres cannot store");
        }
        fine
    }

    pub fn object<'v>(&mut self, value: &'v Value, path: &str) -> Option<&'v Map<String, Value>> {
        let object = value.as_object();
        if object.is_none() {
            self.fault(path, WRONG_TYPE, "is not an object");
        }
        object
    }

    /// A member that is an array; none where it is absent or null.
    pub fn array<'v>(&mut self, object: &'v Map<String, Value>, name: &str, path: &str) -> Option<&'v Vec<Value>> {
        let value = object.get(name).filter(|v| !v.is_null())?;
        let array = value.as_array();
        if array.is_none() {
            self.fault(child(path, name), WRONG_TYPE, "is not an array");
        }
        array
    }

    /// Faults for members that the shape does not have.
    pub fn only(&mut self, object: &Map<String, Value>, path: &str, known: &[&str]) {
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            let known = known.join(", ");
            self.fault(child(path, name), UNKNOWN_FIELD, format!("the field is unknown; known are {known}"));
        }
    }

    /// A member that is a text; none where it is absent or null.
    pub fn text<'v>(&mut self, object: &'v Map<String, Value>, name: &str, path: &str) -> Option<&'v str> {
        let value = object.get(name).filter(|v| !v.is_null())?;
        let text = value.as_str();
        if text.is_none() {
            self.fault(child(path, name), WRONG_TYPE, "is not a text");
        }
        text
    }

    /// A text that must be there, and not be empty.
    pub fn required<'v>(&mut self, object: &'v Map<String, Value>, name: &str, path: &str) -> Option<&'v str> {
        let before = self.faults.len();
        let text = self.text(object, name, path).filter(|text| !text.is_empty());
        if text.is_none() && self.faults.len() == before {
            self.fault(child(path, name), MISSING_VALUE, "is missing or empty");
        }
        text
    }

    pub fn boolean(&mut self, object: &Map<String, Value>, name: &str, path: &str) -> Option<bool> {
        let value = object.get(name).filter(|v| !v.is_null())?;
        let boolean = value.as_bool();
        if boolean.is_none() {
            self.fault(child(path, name), WRONG_TYPE, "is neither true nor false");
        }
        boolean
    }

    /// A member that is an object; none where it is absent or null.
    pub fn member<'v>(
        &mut self,
        object: &'v Map<String, Value>,
        name: &str,
        path: &str,
    ) -> Option<&'v Map<String, Value>> {
        let value = object.get(name).filter(|v| !v.is_null())?;
        self.object(value, &child(path, name))
    }

    /// A whole number of a few bits.
    pub fn whole<T: TryFrom<i64>>(&mut self, object: &Map<String, Value>, name: &str, path: &str) {
        let value = object.get(name).filter(|v| !v.is_null());
        if value.is_some_and(|value| value.as_i64().and_then(|number| T::try_from(number).ok()).is_none()) {
            self.fault(child(path, name), WRONG_TYPE, "is not a whole number that fits");
        }
    }

    pub fn uuid(&mut self, object: &Map<String, Value>, name: &str, path: &str) -> Option<Uuid> {
        let text = self.text(object, name, path).filter(|text| !text.is_empty())?;
        let uuid = Uuid::parse_str(text).ok();
        if uuid.is_none() {
            self.fault(child(path, name), WRONG_TYPE, "is not a UUID");
        }
        uuid
    }

    /// A date and time of RFC 3339, in UTC, as Postgres reads it whatever the settings of the session are. One without an offset is in
    /// UTC, for so a `timestamp` of Kratos' tables becomes JSON.
    pub fn time(&mut self, object: &Map<String, Value>, name: &str, path: &str) -> Option<String> {
        let text = self.text(object, name, path)?;
        let time = utc(text).map(|time| time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
        if time.is_none() {
            self.fault(child(path, name), INVALID_TIME, "is not a date and time of RFC 3339");
        }
        time.filter(|time| time != GO_ZERO)
    }

    /// A text that stands for bytes; none where it is absent or empty.
    pub fn base64<'v>(&mut self, object: &'v Map<String, Value>, name: &str, path: &str) -> Option<&'v str> {
        let text = self.text(object, name, path).filter(|text| !text.is_empty())?;
        let fine = Base64::decode_vec(text).is_ok();
        if !fine {
            self.fault(child(path, name), WRONG_TYPE, "is not base64 (of the standard alphabet, with padding)");
        }
        fine.then_some(text)
    }

    /// A text that is one of a few; `default` where it is absent or empty.
    pub fn choice(
        &mut self,
        object: &Map<String, Value>,
        name: &str,
        path: &str,
        choices: &[&'static str],
    ) -> Option<&'static str> {
        let text = self.text(object, name, path).filter(|text| !text.is_empty())?;
        let found = choices.iter().find(|choice| **choice == text).copied();
        if found.is_none() {
            self.fault(child(path, name), INVALID_VALUE, format!("is none of {}", choices.join(", ")));
        }
        found
    }
}

/// What Go writes for a time that was never set.
const GO_ZERO: &str = "0001-01-01T00:00:00.000000Z";

/// Years that Postgres reads without more ado: 1 to 9999.
fn utc(text: &str) -> Option<DateTime<Utc>> {
    let with_offset = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let without = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|time| time.and_utc());
    with_offset.or_else(|_| without()).ok().filter(|time| (1..=9999).contains(&time.year()))
}

/// Values that are always storable, so that no path is built for them.
fn leaf(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::String(text) => !text.contains('\0'),
        Value::Number(number) => number.is_i64() || number.is_u64(),
        _ => false,
    }
}

/// `numeric` has up to 131072 digits before the point, and 16383 after it.
fn fits_numeric(number: &str) -> bool {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let Ok(exponent) = exponent.parse::<i64>() else { return false };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (whole, fraction) = (whole.len() as i64, fraction.len() as i64);
    whole.saturating_add(exponent) <= 131_072 && fraction.saturating_sub(exponent) <= 16_383
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_json_pointers() {
        assert_eq!(child("/a", "b/c~d"), "/a/b~1c~0d");
    }

    #[test]
    fn what_jsonb_cannot_hold_is_a_fault_at_its_place() {
        let mut reader = Reader::default();
        assert!(reader.parse(r#"{"a": ["x\u0000y", 1e999999], "b": 1e20, "c": "\\u0000"}"#, "/0").is_none());
        let faults: Vec<_> = reader.faults.iter().map(|f| (f.path.as_str(), f.sqlstate)).collect();
        assert_eq!(faults, [("/0/a/0", UNTRANSLATABLE), ("/0/a/1", OUT_OF_RANGE)]);
    }

    #[test]
    fn a_number_keeps_its_digits() {
        let text = r#"{"n":1.10,"m":123456789012345678901234567890}"#;
        let value = Reader::default().parse(text, "").unwrap();
        assert_eq!(value["n"].to_string(), "1.10");
        assert_eq!(value["m"].to_string(), "123456789012345678901234567890");
    }

    #[test]
    fn times_are_those_of_rfc_3339() {
        let read = |text: &str| {
            let (mut reader, value) = (Reader::default(), serde_json::json!({"t": text}));
            let time = reader.time(value.as_object().unwrap(), "t", "");
            (time, reader.faults.pop().map(|fault| fault.sqlstate))
        };
        for (text, time) in [
            ("2015-03-04T05:06:07Z", "2015-03-04T05:06:07.000000Z"),
            ("2015-03-04T05:06:07.123456789+02:00", "2015-03-04T03:06:07.123456Z"),
            ("2015-03-04T05:06:07.5", "2015-03-04T05:06:07.500000Z"),
            ("0999-12-31T23:59:59Z", "0999-12-31T23:59:59.000000Z"),
        ] {
            assert_eq!(read(text), (Some(time.to_string()), None), "{text}");
        }
        assert_eq!(read("0001-01-01T00:00:00Z"), (None, None));
        for text in
            ["yesterday", "", "2015-03-04", "2015-02-29T00:00:00Z", "0000-01-01T00:00:00Z", "12015-01-01T00:00:00"]
        {
            assert_eq!(read(text), (None, Some(INVALID_TIME)), "{text}");
        }
    }

    #[test]
    fn a_document_too_deep_is_a_fault() {
        let mut reader = Reader::default();
        assert!(reader.parse(&format!("{}{}", "[".repeat(500), "]".repeat(500)), "/7").is_none());
        assert_eq!((reader.faults[0].path.as_str(), reader.faults[0].sqlstate), ("/7", TOO_COMPLEX));
    }
}
