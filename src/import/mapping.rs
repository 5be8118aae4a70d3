//! A mapping: which column of a source of users is which field, and how its values are converted. No SQL is run here.

use crate::error::{Error, Result};
use crate::identifier::{Country, Kind};
use crate::import::convert::{Booleans, Conversion, TimeForm};
use crate::password::SaltedDigest;
use serde_json::{Map, Value};

/// The fields that have a meaning; any other name is a trait's.
pub const FIELDS: [&str; 12] = [
    "original_id",
    "username",
    "email",
    "email_verified",
    "phone",
    "phone_verified",
    "password_hash",
    "password_salt",
    "registered_at",
    "last_login_at",
    "display_name",
    "active",
];

#[derive(Debug)]
pub struct Mapping {
    pub entries: Vec<Entry>,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// A staged user, who is found again by original_id.
    Site,
    /// An identity: it may have an id of its own, and original_id is its external_id.
    Identity,
}

/// Where one field comes from.
#[derive(Debug)]
pub struct Entry {
    pub field: String,
    pub origin: Origin,
    /// Characters taken off both ends of a text; white space, where there is none.
    pub trim: Option<String>,
    /// Texts that mean nothing.
    pub nulls: Vec<String>,
    pub conversion: Conversion,
    /// A value that does not convert is left out, and the row is staged without it.
    pub omits: bool,
}

#[derive(Debug)]
pub enum Origin {
    Column(String),
    Constant(Value),
}

impl Mapping {
    /// That of a site's users.
    pub fn of_site(document: &Value) -> Result<Self> {
        let mapping = Self::parse(document, Target::Site)?;
        if mapping.entry("original_id").is_none() {
            return Err(refuse("The field original_id is not mapped: by it a user is found again."));
        }
        Ok(mapping)
    }

    /// That of identities.
    pub fn of_identities(document: &Value) -> Result<Self> {
        let mapping = Self::parse(document, Target::Identity)?;
        if mapping.entry("last_login_at").is_some() {
            return Err(refuse("last_login_at is mapped, but an identity has no such field."));
        }
        Ok(mapping)
    }

    fn parse(document: &Value, target: Target) -> Result<Self> {
        let object = document.as_object().ok_or_else(|| refuse("The mapping is not an object."))?;
        let entries = object.iter().map(|(field, value)| entry(field, value, target)).collect::<Result<Vec<_>>>()?;
        let mapping = Mapping { entries };
        mapping.check_salt()?;
        Ok(mapping)
    }

    pub fn entry(&self, field: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.field == field)
    }

    /// Whether a field is mapped that is a trait of an identity.
    pub fn has_traits(&self) -> bool {
        self.entries.iter().any(|entry| {
            let others = ["id", "original_id", "password_hash", "password_salt", "registered_at", "active"];
            let verified = ["email_verified", "phone_verified"];
            !others.contains(&entry.field.as_str()) && !verified.contains(&entry.field.as_str())
        })
    }

    /// The source's columns that are read.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> = self.entries.iter().filter_map(Entry::column).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// The columns must be there.
    pub fn check_columns(&self, known: &[String]) -> Result<()> {
        for entry in &self.entries {
            let Some(column) = entry.column().filter(|column| !known.iter().any(|k| k == column)) else { continue };
            let quoted: Vec<String> = known.iter().map(|name| format!("\"{name}\"")).collect();
            let message =
                format!("the mapping of {} names a column \"{column}\" that the source does not have", entry.field);
            return Err(Error::new("42703", message)
                .detail(format!("The source's columns are: {}.", quoted.join(", ")))
                .hint("Give the columns' names as they are, without quotes."));
        }
        Ok(())
    }

    fn check_salt(&self) -> Result<()> {
        let salted = self.entry("password_hash").is_some_and(|entry| match &entry.conversion {
            Conversion::Password(Some(digest)) => digest.needs_salt(),
            _ => false,
        });
        match (self.entry("password_salt").is_some(), salted) {
            (true, false) => {
                Err(refuse("password_salt is mapped, but the format of password_hash has no place for a {SALT}."))
            }
            (false, true) => Err(refuse("The format of password_hash has a {SALT}, but password_salt is not mapped.")),
            _ => Ok(()),
        }
    }
}

impl Entry {
    fn column(&self) -> Option<&str> {
        match &self.origin {
            Origin::Column(name) => Some(name),
            Origin::Constant(_) => None,
        }
    }
}

fn refuse(detail: impl Into<String>) -> Error {
    Error::invalid_argument("the mapping cannot be used").detail(detail).hint(
        "Give field names with their columns: {\"original_id\": \"uid\", \"username\": \"login\", \"registered_at\": {\"column\": \"created\", \"epoch\": \"seconds\"}}. docs/consolidation.md has all conversions.",
    )
}

fn entry(field: &str, value: &Value, target: Target) -> Result<Entry> {
    let given = match value {
        Value::String(column) => Options::column(field, target, column),
        Value::Object(options) => Options { field, target, options: options.clone(), used: Vec::new() },
        _ => return Err(refuse(format!("{field} is neither a column's name nor an object."))),
    };
    given.into_entry()
}

/// The options of one field; each that is read is noted, so that the others can be refused.
struct Options<'a> {
    field: &'a str,
    target: Target,
    options: Map<String, Value>,
    used: Vec<&'static str>,
}

impl<'a> Options<'a> {
    fn column(field: &'a str, target: Target, column: &str) -> Self {
        let options = Map::from_iter([("column".to_string(), Value::from(column))]);
        Options { field, target, options, used: Vec::new() }
    }

    fn into_entry(mut self) -> Result<Entry> {
        let origin = self.origin()?;
        let trim = self.trim()?;
        let nulls = self.texts("null")?.unwrap_or_default();
        let conversion = self.conversion()?;
        let omits = match self.text("on_error")?.as_deref() {
            None | Some("invalid") => false,
            Some("omit") if self.field != "original_id" => true,
            _ => {
                return Err(
                    self.refuse("on_error", "is neither \"invalid\" nor \"omit\" (which original_id cannot be)")
                );
            }
        };
        if let Some(unknown) = self.options.keys().find(|name| !self.used.contains(&name.as_str())) {
            return Err(self.refuse(unknown, "is no option of this field"));
        }
        Ok(Entry { field: self.field.to_string(), origin, trim, nulls, conversion, omits })
    }

    fn origin(&mut self) -> Result<Origin> {
        let constant = self.take("constant");
        match (self.text("column")?, constant) {
            (Some(column), None) => Ok(Origin::Column(column)),
            (None, Some(constant)) if self.field != "original_id" => Ok(Origin::Constant(constant)),
            _ => Err(refuse(format!("{} has not exactly one of column and constant.", self.field))),
        }
    }

    fn trim(&mut self) -> Result<Option<String>> {
        match self.take("trim") {
            None | Some(Value::Bool(true)) => Ok(None),
            Some(Value::Bool(false)) => Ok(Some(String::new())),
            Some(Value::String(characters)) => Ok(Some(characters)),
            Some(_) => Err(self.refuse("trim", "is neither a boolean nor the characters to trim")),
        }
    }

    fn conversion(&mut self) -> Result<Conversion> {
        match self.field {
            "original_id" | "password_salt" | "display_name" => Ok(Conversion::Text),
            "id" if self.target == Target::Identity => Ok(Conversion::Text),
            "username" => Ok(Conversion::Login(Kind::Username, None)),
            "email" => Ok(Conversion::Login(Kind::Email, None)),
            "phone" => Ok(Conversion::Login(Kind::Phone, self.country()?)),
            "email_verified" | "phone_verified" | "active" => Ok(Conversion::Boolean(self.booleans()?)),
            "registered_at" | "last_login_at" => Ok(Conversion::Time(self.time()?)),
            "password_hash" => Ok(Conversion::Password(self.digest()?)),
            _ if self.has(&["true", "false"]) => Ok(Conversion::Boolean(self.booleans()?)),
            _ if self.has(&["epoch", "format", "time_zone"]) => Ok(Conversion::Time(self.time()?)),
            _ => Ok(Conversion::Value),
        }
    }

    fn country(&mut self) -> Result<Option<Country>> {
        let Some(code) = self.text("country")? else { return Ok(None) };
        let country = Country::parse(&code);
        country.map(Some).ok_or_else(|| self.refuse("country", "is no country code of ISO 3166-1, such as \"DE\""))
    }

    fn booleans(&mut self) -> Result<Booleans> {
        Ok(Booleans::new(self.texts("true")?, self.texts("false")?))
    }

    fn time(&mut self) -> Result<TimeForm> {
        let (epoch, format, zone) = (self.text("epoch")?, self.text("format")?, self.text("time_zone")?);
        let form = match (epoch.as_deref(), format, zone) {
            (Some("seconds"), None, None) => return Ok(TimeForm::Seconds),
            (Some("milliseconds"), None, None) => return Ok(TimeForm::Milliseconds),
            (Some(_), None, None) => return Err(self.refuse("epoch", "is neither \"seconds\" nor \"milliseconds\"")),
            (Some(_), _, _) => return Err(self.refuse("epoch", "stands beside format or time_zone")),
            (None, format, zone) => TimeForm::text(format.as_deref(), zone.as_deref()),
        };
        form.map_err(|problem| refuse(format!("{}: {problem}.", self.field)))
    }

    fn digest(&mut self) -> Result<Option<SaltedDigest>> {
        let (scheme, format) = (self.text("scheme")?, self.text("format")?);
        let digest = match (scheme, format) {
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(self.refuse("format", "needs a scheme beside it")),
            (Some(scheme), format) => SaltedDigest::new(&scheme, format.as_deref().unwrap_or("{PASSWORD}")),
        };
        digest.map(Some).map_err(|problem| refuse(format!("password_hash: {problem}.")))
    }

    fn has(&self, options: &[&str]) -> bool {
        options.iter().any(|option| self.options.contains_key(*option))
    }

    fn take(&mut self, option: &'static str) -> Option<Value> {
        self.used.push(option);
        self.options.get(option).cloned()
    }

    fn text(&mut self, option: &'static str) -> Result<Option<String>> {
        match self.take(option) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.refuse(option, "is not a text")),
        }
    }

    /// A text, a number or a boolean, or an array of them, as texts.
    fn texts(&mut self, option: &'static str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.take(option) else { return Ok(None) };
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        let texts: Option<Vec<String>> = values.iter().map(plain_text).collect();
        texts.map(Some).ok_or_else(|| self.refuse(option, "is no list of texts"))
    }

    fn refuse(&self, option: &str, what: &str) -> Error {
        refuse(format!("{}: \"{option}\" {what}.", self.field))
    }
}

/// A scalar as it reads; none where it is null, an array or an object.
pub fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn detail(mapping: Value) -> String {
        Mapping::of_site(&mapping).expect_err("a bad mapping").detail.expect("it has a detail")
    }

    #[test]
    fn columns_constants_and_traits_are_mapped() {
        let mapping = Mapping::of_site(&json!({
            "original_id": "uid", "username": {"column": "login", "trim": "' "}, "city": "town", "plan": {"constant": "gold"},
            "phone": {"column": "mobile", "country": "DE", "on_error": "omit"}, "email": "mail", "email_verified": {"constant": true},
            "password_hash": {"column": "pw", "scheme": "md5", "format": "{PASSWORD}{SALT}"}, "password_salt": "salt",
            "registered_at": {"column": "created", "epoch": "seconds", "null": [0]},
            "last_login_at": {"column": "seen", "format": "%d.%m.%Y %H:%M", "time_zone": "Europe/Berlin"},
        }))
        .expect("a mapping");
        assert_eq!(mapping.columns(), ["created", "login", "mail", "mobile", "pw", "salt", "seen", "town", "uid"]);
        assert_eq!(mapping.entry("registered_at").expect("mapped").nulls, ["0"]);
        assert!(mapping.entry("phone").expect("mapped").omits);
        let known: Vec<String> = mapping.columns().into_iter().skip(1).map(str::to_string).collect();
        assert_eq!(mapping.check_columns(&known).expect_err("missing").sqlstate, "42703");
    }

    #[test]
    fn a_bad_mapping_is_refused_by_what_is_wrong() {
        let cases = [
            (json!([]), "The mapping is not an object."),
            (json!({"username": "u"}), "The field original_id is not mapped: by it a user is found again."),
            (json!({"original_id": 1}), "original_id is neither a column's name nor an object."),
            (json!({"original_id": {"constant": 1}}), "original_id has not exactly one of column and constant."),
            (
                json!({"original_id": {"column": "a", "on_error": "omit"}}),
                "original_id: \"on_error\" is neither \"invalid\" nor \"omit\" (which original_id cannot be).",
            ),
            (
                json!({"original_id": "a", "email": {"column": "b", "epoch": "seconds"}}),
                "email: \"epoch\" is no option of this field.",
            ),
            (
                json!({"original_id": "a", "registered_at": {"column": "b", "epoch": "days"}}),
                "registered_at: \"epoch\" is neither \"seconds\" nor \"milliseconds\".",
            ),
            (
                json!({"original_id": "a", "registered_at": {"column": "b", "time_zone": "Mars/Base"}}),
                "registered_at: the time zone \"Mars/Base\" is unknown.",
            ),
            (
                json!({"original_id": "a", "registered_at": {"column": "b", "format": "%Q"}}),
                "registered_at: the format \"%Q\" is none of strftime.",
            ),
            (
                json!({"original_id": "a", "phone": {"column": "b", "country": "Germany"}}),
                "phone: \"country\" is no country code of ISO 3166-1, such as \"DE\".",
            ),
            (
                json!({"original_id": "a", "password_hash": "p", "password_salt": "s"}),
                "password_salt is mapped, but the format of password_hash has no place for a {SALT}.",
            ),
            (
                json!({"original_id": "a", "password_hash": {"column": "p", "scheme": "md5", "format": "{SALT}{PASSWORD}"}}),
                "The format of password_hash has a {SALT}, but password_salt is not mapped.",
            ),
            (
                json!({"original_id": "a", "password_hash": {"column": "p", "scheme": "crc32"}}),
                "password_hash: the scheme \"crc32\" is none of md5, sha1, sha256 and sha512.",
            ),
        ];
        for (mapping, expected) in cases {
            assert_eq!(detail(mapping), expected);
        }
    }
}
