//! From a row of a source to a user: every value converted, or named with what is wrong. No SQL is run here.

use crate::db::json;
use crate::identifier::{self, Country, Kind};
use crate::import::identities::reader::{INVALID_VALUE, MISSING_VALUE, Reader, TOO_LONG, WRONG_TYPE};
use crate::import::mapping::{Entry, FIELDS, Mapping, Origin, plain_text};
use crate::password::{self, SaltedDigest};
use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value};

const NOT_A_TIME: &str = "22007";

/// Bytes of an original_id, which is part of index keys.
const ID_MAX: usize = 255;

/// How a field's values are converted.
#[derive(Debug)]
pub enum Conversion {
    /// As it is: a trait.
    Value,
    Text,
    Login(Kind, Option<Country>),
    Boolean(Booleans),
    Time(TimeForm),
    Password(Option<SaltedDigest>),
}

/// The spellings of yes and no, in lower case.
#[derive(Debug)]
pub struct Booleans {
    yes: Vec<String>,
    no: Vec<String>,
}

impl Booleans {
    /// Where neither is given: those of Postgres itself.
    pub fn new(yes: Option<Vec<String>>, no: Option<Vec<String>>) -> Self {
        let lower = |texts: Vec<String>| texts.into_iter().map(|text| text.to_lowercase()).collect::<Vec<_>>();
        let usual = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        if yes.is_none() && no.is_none() {
            return Booleans {
                yes: usual(&["true", "t", "yes", "y", "on", "1"]),
                no: usual(&["false", "f", "no", "n", "off", "0"]),
            };
        }
        Booleans { yes: lower(yes.unwrap_or_default()), no: lower(no.unwrap_or_default()) }
    }

    /// With one list alone, everything else is the opposite.
    fn read(&self, text: &str) -> Option<bool> {
        let text = text.to_lowercase();
        match (self.yes.contains(&text), self.no.contains(&text)) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ if self.no.is_empty() => Some(false),
            _ if self.yes.is_empty() => Some(true),
            _ => None,
        }
    }
}

/// How times are written.
#[derive(Debug)]
pub enum TimeForm {
    Seconds,
    Milliseconds,
    Text { format: Option<String>, zone: Tz },
}

impl TimeForm {
    /// The error is one clause.
    pub fn text(format: Option<&str>, zone: Option<&str>) -> std::result::Result<Self, String> {
        let name = zone.unwrap_or("UTC");
        let zone = name.parse::<Tz>().map_err(|_| format!("the time zone \"{name}\" is unknown"))?;
        if let Some(format) = format
            && StrftimeItems::new(format).any(|item| item == Item::Error)
        {
            return Err(format!("the format \"{format}\" is none of strftime"));
        }
        Ok(TimeForm::Text { format: format.map(str::to_string), zone })
    }

    fn read(&self, text: &str) -> Result<DateTime<Utc>, String> {
        let time = match self {
            TimeForm::Seconds => epoch(text, 1.0)?,
            TimeForm::Milliseconds => epoch(text, 1000.0)?,
            TimeForm::Text { format: Some(format), zone } => {
                formatted(text, format, *zone).ok_or_else(|| format!("is no time of the format {format}"))??
            }
            TimeForm::Text { format: None, zone } => iso(text, *zone).ok_or("is no time of ISO 8601")??,
        };
        if (1..=9999).contains(&time.year()) { Ok(time) } else { Err("is beyond the years 1 to 9999".to_string()) }
    }
}

fn epoch(text: &str, units: f64) -> Result<DateTime<Utc>, String> {
    let number: f64 = text.parse().map_err(|_| "is no number")?;
    // Whole microseconds are what Postgres keeps.
    let micros = number / units * 1e6;
    if !micros.is_finite() || micros.abs() > 253_402_300_799e6 {
        return Err("is beyond the year 9999: look at the unit of epoch".to_string());
    }
    DateTime::from_timestamp_micros(micros.round() as i64).ok_or_else(|| "is no time".to_string())
}

/// None where the text is not of the format; an error where the zone's clocks never showed that time.
fn formatted(text: &str, format: &str, zone: Tz) -> Option<Result<DateTime<Utc>, String>> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, StrftimeItems::new(format)).ok()?;
    if let Ok(time) = parsed.to_datetime() {
        return Some(Ok(time.to_utc()));
    }
    if let Some(seconds) = parsed.timestamp() {
        return DateTime::from_timestamp(seconds, 0).map(Ok);
    }
    let day = parsed.to_naive_date().ok()?;
    let has_clock = parsed.hour_mod_12().is_some();
    let clock = if has_clock { parsed.to_naive_time().ok()? } else { chrono::NaiveTime::MIN };
    Some(in_zone(day.and_time(clock), zone))
}

/// ISO 8601 as Postgres, MySQL and the others write it: a date, with a time or without, with an offset or without.
fn iso(text: &str, zone: Tz) -> Option<Result<DateTime<Utc>, String>> {
    let text = text.replacen(' ', "T", 1);
    let with_offset = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"];
    if let Some(time) = with_offset.iter().find_map(|format| DateTime::parse_from_str(&text, format).ok()) {
        return Some(Ok(time.to_utc()));
    }
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    let time = local.iter().find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok());
    let time =
        time.or_else(|| Some(NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_time(chrono::NaiveTime::MIN)));
    time.map(|time| in_zone(time, zone))
}

/// When clocks are put back, the first of the two.
fn in_zone(time: NaiveDateTime, zone: Tz) -> Result<DateTime<Utc>, String> {
    match zone.from_local_datetime(&time) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Ok(time.to_utc()),
        LocalResult::None => Err(format!("is a time that clocks in {zone} skipped")),
    }
}

/// A time as Postgres takes it.
pub fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// A date or a time of ISO 8601, in UTC where it has no offset: for limits in rules.
pub fn limit(text: &str) -> Option<DateTime<Utc>> {
    iso(text, Tz::UTC)?.ok()
}

/// A name to log in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub value: String,
    pub key: String,
}

/// What a row says. It has a secret in it, and so no `Debug`.
#[derive(Default)]
pub struct Person {
    /// Of an identity.
    pub id: Option<String>,
    pub original_id: Option<String>,
    pub username: Option<Login>,
    pub email: Option<Login>,
    pub email_verified: bool,
    pub phone: Option<Login>,
    pub phone_verified: bool,
    pub password_hash: Option<String>,
    pub registered_at: Option<DateTime<Utc>>,
    pub last_login_at: Option<DateTime<Utc>>,
    pub display_name: Option<String>,
    pub active: bool,
    pub traits: Map<String, Value>,
    pub faults: Vec<Fault>,
}

/// What is wrong with a value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub field: String,
    pub reason: String,
    pub sqlstate: &'static str,
    /// The value was left out, and the row is staged without it.
    pub omitted: bool,
}

impl Fault {
    /// A column holds JSON that cannot be stored: `path` says where in the row.
    pub fn of_row(path: String, reason: String, sqlstate: &'static str) -> Self {
        Fault { field: path.trim_start_matches('/').to_string(), reason, sqlstate, omitted: false }
    }
}

impl Person {
    pub fn is_valid(&self) -> bool {
        self.faults.iter().all(|fault| fault.omitted)
    }

    fn set(&mut self, entry: &Entry, value: &Value, salt: Option<&str>) -> Result<(), (String, &'static str)> {
        let Some(text) = entry.text(value)? else { return Ok(()) };
        match &entry.conversion {
            Conversion::Value => {
                let value = if value.is_string() { Value::from(text) } else { value.clone() };
                self.traits.insert(entry.field.clone(), value);
            }
            Conversion::Text => self.set_text(&entry.field, text)?,
            Conversion::Login(kind, country) => self.set_login(*kind, login(*kind, *country, text)?),
            Conversion::Boolean(booleans) => {
                let value = booleans.read(&text).ok_or_else(|| (shown(&text, "is neither yes nor no"), WRONG_TYPE))?;
                self.set_boolean(&entry.field, value);
            }
            Conversion::Time(form) => {
                let time = form.read(&text).map_err(|problem| (shown(&text, &problem), NOT_A_TIME))?;
                self.set_time(&entry.field, time);
            }
            Conversion::Password(digest) => self.password_hash = Some(password(digest.as_ref(), &text, salt)?),
        }
        Ok(())
    }

    fn set_text(&mut self, field: &str, text: String) -> Result<(), (String, &'static str)> {
        let most = if field == "original_id" { ID_MAX } else { identifier::LENGTH_MAX };
        if text.len() > most {
            let problem = format!("is longer than {most} bytes");
            return Err((if field == "password_salt" { problem } else { shown(&text, &problem) }, TOO_LONG));
        }
        match field {
            "id" => self.id = Some(text),
            "original_id" => self.original_id = Some(text),
            "display_name" => self.display_name = Some(text),
            // The salt is read with the hash.
            _ => {}
        }
        Ok(())
    }

    fn set_login(&mut self, kind: Kind, login: Login) {
        match kind {
            Kind::Email => self.email = Some(login),
            Kind::Phone => self.phone = Some(login),
            _ => self.username = Some(login),
        }
    }

    fn set_boolean(&mut self, field: &str, value: bool) {
        match field {
            "email_verified" => self.email_verified = value,
            "phone_verified" => self.phone_verified = value,
            "active" => self.active = value,
            name => {
                self.traits.insert(name.to_string(), Value::from(value));
            }
        }
    }

    fn set_time(&mut self, field: &str, time: DateTime<Utc>) {
        match field {
            "registered_at" => self.registered_at = Some(time),
            "last_login_at" => self.last_login_at = Some(time),
            name => {
                self.traits.insert(name.to_string(), Value::from(timestamp(time)));
            }
        }
    }
}

/// Reads a row of the source: a JSON object, as text.
pub fn read_row(mapping: &Mapping, text: &str) -> Person {
    let mut reader = Reader::default();
    if let Some(Value::Object(row)) = reader.parse(text, "") {
        return convert(mapping, &row);
    }
    let faults = reader.faults.into_iter().map(|fault| Fault::of_row(fault.path, fault.message, fault.sqlstate));
    if text.len() > json::MOST_BYTES {
        return Person { faults: faults.collect(), ..Person::default() };
    }
    let row: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let original_id = convert(mapping, &row).original_id;
    Person { original_id, faults: faults.collect(), ..Person::default() }
}

/// Converts a row, which has the source's values by column.
pub fn convert(mapping: &Mapping, row: &Map<String, Value>) -> Person {
    let mut person = Person { active: true, ..Person::default() };
    let value_of = |entry: &Entry| match &entry.origin {
        Origin::Column(column) => row.get(column).cloned().unwrap_or(Value::Null),
        Origin::Constant(value) => value.clone(),
    };
    let salt = mapping.entry("password_salt").and_then(|entry| entry.text(&value_of(entry)).ok().flatten());
    for entry in &mapping.entries {
        if let Err((reason, sqlstate)) = person.set(entry, &value_of(entry), salt.as_deref()) {
            let field = entry.field.clone();
            person.faults.push(Fault { field, reason, sqlstate, omitted: entry.omits });
        }
    }
    let is_found_by_it = mapping.entry("original_id").is_some();
    if is_found_by_it && person.original_id.is_none() && !person.faults.iter().any(|fault| fault.field == "original_id")
    {
        let (field, reason) = ("original_id".to_string(), "is missing".to_string());
        person.faults.push(Fault { field, reason, sqlstate: MISSING_VALUE, omitted: false });
    }
    person
}

impl Entry {
    /// The value as a trimmed text; none where it means nothing.
    fn text(&self, value: &Value) -> Result<Option<String>, (String, &'static str)> {
        let text = match value {
            Value::Null => return Ok(None),
            Value::Array(_) | Value::Object(_) if FIELDS.contains(&self.field.as_str()) => {
                return Err(("is an array or an object".to_string(), WRONG_TYPE));
            }
            value => plain_text(value).unwrap_or_else(|| value.to_string()),
        };
        let text = match &self.trim {
            None => text.trim(),
            Some(characters) => text.trim_matches(|c| characters.contains(c)),
        };
        let means_nothing = text.is_empty() || self.nulls.iter().any(|null| null == text);
        Ok((!means_nothing).then(|| text.to_string()))
    }
}

fn login(kind: Kind, country: Option<Country>, text: String) -> Result<Login, (String, &'static str)> {
    let value = match country {
        None => text,
        Some(country) => {
            let number = country.e164(&text);
            number.ok_or_else(|| (shown(&text, &format!("is no valid phone number of {country}")), INVALID_VALUE))?
        }
    };
    match identifier::check(kind, &value) {
        Ok(()) => Ok(Login { key: identifier::key(kind, &value), value }),
        Err(problem) if value.len() > identifier::LENGTH_MAX => Err((problem, TOO_LONG)),
        Err(problem) => Err((shown(&value, &problem), INVALID_VALUE)),
    }
}

/// Nothing of a hash is told.
fn password(digest: Option<&SaltedDigest>, text: &str, salt: Option<&str>) -> Result<String, (String, &'static str)> {
    let says_all = text.starts_with(['$', '{']);
    let hash = match digest.filter(|_| !says_all) {
        None => text.to_string(),
        Some(digest) if digest.needs_salt() && salt.is_none() => {
            return Err(("its salt is missing".to_string(), MISSING_VALUE));
        }
        Some(digest) => digest.hash(text, salt.unwrap_or_default()).map_err(|problem| (problem, INVALID_VALUE))?,
    };
    match password::parse(&hash) {
        Ok(_) => Ok(hash),
        Err(problem) => Err((format!("the password hash cannot be used: {}", problem.text), INVALID_VALUE)),
    }
}

/// A value, as much of it as fits a line, and what is wrong with it.
fn shown(value: &str, problem: &str) -> String {
    const SHOWN: usize = 60;
    let cut: String = value.chars().take(SHOWN).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
    let more = if value.chars().nth(SHOWN).is_some() { "..." } else { "" };
    format!("\"{cut}{more}\" {problem}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn person(mapping: Value, row: Value) -> Person {
        let mapping = Mapping::of_site(&mapping).expect("a mapping");
        convert(&mapping, row.as_object().expect("a row"))
    }

    fn time(options: Value, value: Value) -> Result<String, String> {
        let mut options = options;
        options["column"] = json!("t");
        let person = person(json!({"original_id": "id", "registered_at": options}), json!({"id": 1, "t": value}));
        match person.faults.as_slice() {
            [] => Ok(person.registered_at.map_or("none".to_string(), timestamp)),
            [fault] => Err(fault.reason.clone()),
            faults => panic!("{faults:?}"),
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        let berlin = json!({"format": "%d.%m.%Y %H:%M", "time_zone": "Europe/Berlin"});
        let cases = [
            (json!({}), json!("2020-01-31 10:00:00"), Ok("2020-01-31T10:00:00.000000Z")),
            (json!({}), json!("2020-01-31T10:00:00.5+02"), Ok("2020-01-31T08:00:00.500000Z")),
            (json!({}), json!("2020-01-31T10:00:00Z"), Ok("2020-01-31T10:00:00.000000Z")),
            (json!({}), json!("2020-01-31"), Ok("2020-01-31T00:00:00.000000Z")),
            (json!({}), json!(" "), Ok("none")),
            (json!({}), json!("2020-02-30"), Err("\"2020-02-30\" is no time of ISO 8601")),
            (json!({}), json!("infinity"), Err("\"infinity\" is no time of ISO 8601")),
            (json!({"epoch": "seconds"}), json!(1580464800), Ok("2020-01-31T10:00:00.000000Z")),
            (json!({"epoch": "seconds"}), json!("-1"), Ok("1969-12-31T23:59:59.000000Z")),
            (json!({"epoch": "milliseconds"}), json!(1580464800123i64), Ok("2020-01-31T10:00:00.123000Z")),
            (
                json!({"epoch": "seconds"}),
                json!(1580464800123i64),
                Err("\"1580464800123\" is beyond the year 9999: look at the unit of epoch"),
            ),
            (json!({"epoch": "seconds", "null": 0}), json!(0), Ok("none")),
            (json!({"epoch": "seconds"}), json!("soon"), Err("\"soon\" is no number")),
            (berlin.clone(), json!("31.07.2020 10:00"), Ok("2020-07-31T08:00:00.000000Z")),
            (berlin.clone(), json!("25.10.2020 02:30"), Ok("2020-10-25T00:30:00.000000Z")),
            (
                berlin.clone(),
                json!("29.03.2020 02:30"),
                Err("\"29.03.2020 02:30\" is a time that clocks in Europe/Berlin skipped"),
            ),
            (berlin, json!("31.07.2020"), Err("\"31.07.2020\" is no time of the format %d.%m.%Y %H:%M")),
            (json!({"format": "%Y%m%d"}), json!(20200131), Ok("2020-01-31T00:00:00.000000Z")),
            (
                json!({"format": "%d/%b/%Y:%H:%M:%S %z"}),
                json!("10/Oct/2020:13:55:36 -0700"),
                Ok("2020-10-10T20:55:36.000000Z"),
            ),
        ];
        for (options, value, expected) in cases {
            let expected = expected.map(str::to_string).map_err(str::to_string);
            assert_eq!(time(options.clone(), value.clone()), expected, "{options} {value}");
        }
    }

    #[test]
    fn a_row_is_converted_field_by_field() {
        let mapping = json!({
            "original_id": "uid", "username": {"column": "login", "trim": "' "}, "email": "mail", "email_verified": {"column": "ok", "true": ["J"]},
            "phone": {"column": "tel", "country": "DE"}, "display_name": "name", "active": "on", "plan": {"constant": "gold"},
            "vip": {"column": "vip", "true": "J", "false": "N"}, "tags": "tags",
        });
        let row = json!({"uid": 7, "login": "'bob'  ", "mail": " Bob@X.org", "ok": "j", "tel": 1701234567, "name": "Bob", "on": 0, "vip": "N", "tags": ["a"]});
        let bob = person(mapping, row);
        assert_eq!(bob.faults, []);
        assert_eq!(bob.original_id.as_deref(), Some("7"));
        let login = |value: &str, key: &str| Some(Login { value: value.to_string(), key: key.to_string() });
        assert_eq!(bob.username, login("bob", "bob"));
        assert_eq!(bob.email, login("Bob@X.org", "bob@x.org"));
        assert_eq!(bob.phone, login("+491701234567", "+491701234567"));
        assert!(bob.email_verified && !bob.phone_verified && !bob.active);
        assert_eq!(Value::Object(bob.traits), json!({"plan": "gold", "vip": false, "tags": ["a"]}));
    }

    #[test]
    fn what_does_not_convert_is_named() {
        let mapping = json!({
            "original_id": "uid", "username": "login", "email": {"column": "mail", "on_error": "omit"}, "phone": {"column": "tel", "country": "DE"},
            "password_hash": {"column": "pw", "scheme": "md5", "format": "{PASSWORD}{SALT}"}, "password_salt": "salt", "active": "on",
        });
        let row = json!({"uid": null, "login": ["x"], "mail": "nobody", "tel": 12, "pw": "5ebe2294ecd0e0f08eab7690d2a6ee69", "on": "vielleicht"});
        let nobody = person(mapping, row);
        let faults: Vec<(&str, &str, &str, bool)> =
            nobody.faults.iter().map(|f| (f.field.as_str(), f.reason.as_str(), f.sqlstate, f.omitted)).collect();
        let expected = [
            ("active", "\"vielleicht\" is neither yes nor no", "22P02", false),
            ("email", "\"nobody\" is no e-mail address: it has no @", "22023", true),
            ("password_hash", "its salt is missing", "22004", false),
            ("phone", "\"12\" is no valid phone number of DE", "22023", false),
            ("username", "is an array or an object", "22P02", false),
            ("original_id", "is missing", "22004", false),
        ];
        assert_eq!(faults, expected);
        assert!(!nobody.is_valid());
    }

    #[test]
    fn nothing_of_a_hash_is_told() {
        let mapping = json!({"original_id": "id", "password_hash": "pw"});
        let nobody = person(mapping, json!({"id": 1, "pw": "hunter2"}));
        assert!(!nobody.faults[0].reason.contains("hunter2"));
        let digest = json!({"column": "pw", "scheme": "md5", "format": "{SALT}{PASSWORD}"});
        let mapping = json!({"original_id": "id", "password_hash": digest, "password_salt": "salt"});
        let nobody = person(mapping, json!({"id": 1, "pw": "x", "salt": "hunter2".repeat(200)}));
        assert!(nobody.faults.iter().all(|fault| !fault.reason.contains("hunter2")));
    }

    proptest! {
        #[test]
        fn any_value_is_converted_or_named(text: String, number: f64, digits in "[0-9 +./:-]{0,20}") {
            let mapping = Mapping::of_site(&json!({
                "original_id": "a", "username": "b", "email": "c", "phone": {"column": "d", "country": "CN"}, "password_hash": {"column": "e", "scheme": "sha1"},
                "registered_at": {"column": "f", "epoch": "seconds"}, "last_login_at": {"column": "g", "format": "%d.%m.%Y", "time_zone": "Asia/Shanghai"},
                "seen": {"column": "h", "time_zone": "America/Sao_Paulo"},
            })).expect("a mapping");
            for value in [json!(text), json!(number), json!(digits)] {
                let row = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|column| (column.to_string(), value.clone()));
                let person = convert(&mapping, &Map::from_iter(row));
                prop_assert!(person.original_id.is_some() || !person.is_valid());
            }
        }
    }
}
