//! What a statement has changed, put on record: an event for each realm that its rows belong to, and the rows of values.

use crate::audit::changes::{self, Change, Chunk, Rows, Salts};
use crate::audit::{lane, write};
use crate::db::plan::{self, Plan};
use crate::db::table::{Appender, Shape, Table};
use crate::db::transition::{Column, Form, Operation, Row, Statement};
use crate::db::{json, session};
use crate::error::{Error, Result};
use crate::password::Hash;
use pgrx::IntoDatum;
use pgrx::pg_sys::{self, BYTEAOID, INT4OID, INT8OID, TEXTOID};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const VALUES: &[pg_sys::Oid] = &[TEXTOID, INT4OID, INT8OID, INT4OID, INT4OID, BYTEAOID];
const VALUES_TABLE: Shape = Shape { name: c"audit_values", columns: VALUES };
static ADD: Plan = Plan::new(
    "INSERT INTO identity.audit_values (realm, lane, seq, chunk, rows, data) VALUES ($1, $2, $3, $4, $5, $6)",
    VALUES,
);

const PRINTED: &[(&str, &str)] =
    &[("datestyle", "ISO, YMD"), ("intervalstyle", "postgres"), ("extra_float_digits", "1"), ("bytea_output", "hex")];

/// A statement that concerns more realms than this writes several events for some of them.
const MOST_REALMS: usize = 1000;

/// Puts a statement on record. To be called as the owner of the extension.
pub fn record(statement: &Statement) -> Result<()> {
    let layout = Layout::of(statement);
    let table = Table::open(&VALUES_TABLE)?.filter(|table| !table.needs_insert());
    let mut record =
        Record { layout: &layout, open: BTreeMap::new(), salts: Salts::new(), to: table.map(Appender::new) };
    let mut reading = Reading::default();
    let mut read = || {
        statement.rows(|old, new| {
            reading.read(&layout, old, new)?;
            record.add(&reading.realms.0, &reading)?;
            if reading.realms.0 != reading.realms.1 {
                record.add(&reading.realms.1, &reading)?;
            }
            Ok(())
        })
    };
    // A value is the same whoever writes it.
    if statement.columns.iter().any(Column::is_printed) {
        session::with_settings(PRINTED, read)?;
    } else {
        read()?;
    }
    record.finish()
}

/// What is known of the table.
struct Layout<'a> {
    columns: &'a [Column],
    operation: Operation,
    action: String,
    /// The column of the realm.
    realm: Option<usize>,
    /// The column that says whom or what a row is about.
    subject: Option<usize>,
    /// Columns with secrets.
    withheld: Vec<(usize, Withheld)>,
}

#[derive(Clone, Copy)]
enum Withheld {
    /// As in Ory Kratos; which one is said by the column of the type.
    Credential(usize),
    PasswordHash,
    /// Something that may have anything in it.
    Whole,
}

impl<'a> Layout<'a> {
    fn of(statement: &'a Statement) -> Self {
        let (table, columns) = (statement.table.as_str(), statement.columns.as_slice());
        let at = |name: &str| columns.iter().position(|column| column.name == name);
        let subject = match table {
            "realms" | "organizations" | "policies" | "resource_types" => at("name"),
            "identities" => at("id"),
            "sites" => at("name"),
            "identity_schemas" => at("schema_id"),
            "permissions" => at("subject"),
            "members" => at("member"),
            "access_grants" => at("role"),
            _ => at("identity_id"),
        };
        let withheld = match table {
            "credentials" => {
                at("config").zip(at("type")).map(|(config, of_type)| (config, Withheld::Credential(of_type)))
            }
            "staged_identities" => at("password_hash").map(|hash| (hash, Withheld::PasswordHash)),
            "import_runs" => at("source").map(|source| (source, Withheld::Whole)),
            _ => None,
        };
        // No table has bytes but for a key.
        let keys =
            columns.iter().enumerate().filter(|(_, column)| column.is_binary).map(|(at, _)| (at, Withheld::Whole));
        let verb = match statement.operation {
            Operation::Insert => "INSERT",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
        };
        Layout {
            columns,
            operation: statement.operation,
            action: format!("{verb} {table}"),
            realm: if table == "realms" { at("name") } else { at("realm") },
            subject,
            withheld: withheld.into_iter().chain(keys).collect(),
        }
    }

    fn detail(&self, rows: i64, digest: &[u8]) -> Value {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let form = |(at, column): (usize, &Column)| match column.form {
            _ if self.withheld.iter().any(|(withheld, _)| *withheld == at) => 'j',
            Form::Text => 't',
            Form::Json => 'j',
            Form::Uuid => 'u',
            Form::Time => 'z',
            Form::Boolean => 'b',
            Form::Number => 'n',
        };
        let forms: String = self.columns.iter().enumerate().map(form).collect();
        json!({ "rows": rows, "values": hex::encode(digest), "columns": names, "forms": forms })
    }
}

/// The row in hand.
#[derive(Default)]
struct Reading {
    old: Image,
    new: Image,
    change: Change,
    /// The realms that it was in, and is in.
    realms: (String, String),
    subject: Option<String>,
}

/// The values of a row, one after the other.
#[derive(Default)]
struct Image {
    bytes: Vec<u8>,
    /// Where each ends; `None` for NULL.
    ends: Vec<(usize, bool)>,
}

impl Image {
    fn read(&mut self, columns: &[Column], row: &Row) -> Result<()> {
        self.bytes.clear();
        self.ends.clear();
        for column in columns {
            let is_there = row.read(column, &mut self.bytes)?;
            self.ends.push((self.bytes.len(), is_there));
        }
        Ok(())
    }

    fn value(&self, at: usize) -> Option<&[u8]> {
        let (end, is_there) = self.ends[at];
        let start = if at == 0 { 0 } else { self.ends[at - 1].0 };
        is_there.then(|| &self.bytes[start..end])
    }
}

impl Reading {
    fn read(&mut self, layout: &Layout, old: Option<&Row>, new: Option<&Row>) -> Result<()> {
        if let Some(old) = old {
            self.old.read(layout.columns, old)?;
        }
        if let Some(new) = new {
            self.new.read(layout.columns, new)?;
        }
        let (before, after) = match layout.operation {
            Operation::Insert => (&self.new, &self.new),
            Operation::Update => (&self.old, &self.new),
            Operation::Delete => (&self.old, &self.old),
        };
        let operation = match layout.operation {
            Operation::Insert => changes::INSERT,
            Operation::Update => changes::UPDATE,
            Operation::Delete => changes::DELETE,
        };
        self.change.begin(operation);
        for at in 0..layout.columns.len() {
            match secret(layout, before, at)? {
                Some(withheld) => self.change.add(Some(&withheld)),
                None => self.change.add(before.value(at)),
            }
        }
        if layout.operation == Operation::Update {
            for at in 0..layout.columns.len() {
                if before.value(at) == after.value(at) {
                    self.change.add_same();
                } else if let Some(withheld) = secret(layout, after, at)? {
                    self.change.add_new(Some(&withheld));
                } else {
                    self.change.add_new(after.value(at));
                }
            }
        }
        put(&mut self.realms.0, layout.realm, before);
        put(&mut self.realms.1, layout.realm, after);
        self.subject = layout.subject.and_then(|at| after.value(at).map(|value| shown(layout.columns[at].form, value)));
        Ok(())
    }
}

fn put(realm: &mut String, at: Option<usize>, image: &Image) {
    realm.clear();
    realm.push_str(&String::from_utf8_lossy(at.and_then(|at| image.value(at)).unwrap_or_default()));
}

fn shown(form: Form, value: &[u8]) -> String {
    match form {
        Form::Uuid => uuid::Uuid::from_slice(value).unwrap_or_default().to_string(),
        _ => String::from_utf8_lossy(value).into_owned(),
    }
}

/// What is on record in place of a secret; `None` for NULL, and for what is none.
fn secret(layout: &Layout, image: &Image, at: usize) -> Result<Option<Vec<u8>>> {
    let Some((_, withheld)) = layout.withheld.iter().find(|(column, _)| *column == at) else { return Ok(None) };
    let Some(value) = image.value(at) else { return Ok(None) };
    let withheld = match withheld {
        Withheld::Credential(of_type) => {
            let of_type = String::from_utf8_lossy(image.value(*of_type).unwrap_or_default());
            if of_type == "password" {
                changes::withheld(scheme_of_config(value))?
            } else {
                changes::withheld(Some(&of_type))?
            }
        }
        Withheld::PasswordHash => changes::withheld(scheme(&String::from_utf8_lossy(value)))?,
        Withheld::Whole => changes::withheld(None)?,
    };
    Ok(Some(withheld))
}

fn scheme_of_config(config: &[u8]) -> Option<&'static str> {
    let config = std::str::from_utf8(config).ok()?;
    json::ensure(config).ok()?;
    let config: Value = serde_json::from_str(config).ok()?;
    scheme(config.get("hashed_password")?.as_str()?)
}

fn scheme(hash: &str) -> Option<&'static str> {
    match Hash::parse(hash) {
        Ok(hash) => Some(hash.scheme()),
        Err(problem) => problem.scheme,
    }
}

/// The events that are being written.
struct Record<'a> {
    layout: &'a Layout<'a>,
    open: BTreeMap<String, Open>,
    salts: Salts,
    /// `None` where a trigger, say of a tool that copies the table, is to be told.
    to: Option<Appender>,
}

struct Open {
    lane: i32,
    seq: i64,
    rows: Rows,
    subject: Subject,
}

/// Whom the rows of an event are about.
enum Subject {
    Nobody,
    One(Option<String>),
    Several,
}

impl Record<'_> {
    fn add(&mut self, realm: &str, reading: &Reading) -> Result<()> {
        if !self.open.contains_key(realm) {
            self.begin(realm)?;
        }
        let open = self.open.get_mut(realm).expect("the event that was begun");
        open.subject = match std::mem::replace(&mut open.subject, Subject::Several) {
            Subject::Nobody => Subject::One(reading.subject.clone()),
            Subject::One(subject) if subject == reading.subject => Subject::One(subject),
            _ => Subject::Several,
        };
        if let Some(chunk) = open.rows.add(&reading.change, &mut self.salts) {
            write_chunk(&mut self.to, realm, (open.lane, open.seq), &chunk)?;
        }
        Ok(())
    }

    fn begin(&mut self, realm: &str) -> Result<()> {
        // A lane that comes into being is announced in the chains of the database.
        if !realm.is_empty()
            && let Some(open) = self.open.remove("")
        {
            self.end("", open)?;
        }
        if self.open.len() == MOST_REALMS {
            self.end_all()?;
        }
        let lane = lane::take();
        let seq = write::next_seq(realm, lane)?;
        let open = Open { lane, seq, rows: Rows::default(), subject: Subject::Nobody };
        self.open.insert(realm.to_string(), open);
        Ok(())
    }

    fn end(&mut self, realm: &str, open: Open) -> Result<()> {
        let Open { lane, seq, rows, subject } = open;
        let count = rows.count;
        let (last, digest) = rows.finish();
        write_chunk(&mut self.to, realm, (lane, seq), &last)?;
        let subject = if let Subject::One(subject) = subject { subject } else { None };
        let detail = json::jsonb(&self.layout.detail(count, &digest).to_string());
        let event = write::append(realm, lane, &self.layout.action, subject.as_deref(), detail)?;
        if event != write::event_id(lane, seq) {
            return Err(Error::new("55000", "the audit was written while a statement was put on record")
                .detail("A trigger of identity.audit_values has changed something that is on record.")
                .hint("Let the trigger do no more than copy the row."));
        }
        Ok(())
    }

    fn end_all(&mut self) -> Result<()> {
        for (realm, open) in std::mem::take(&mut self.open) {
            self.end(&realm, open)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.end_all()
    }
}

fn write_chunk(to: &mut Option<Appender>, realm: &str, (lane, seq): (i32, i64), chunk: &Chunk) -> Result<()> {
    let values = || {
        [
            plan::text(realm),
            lane.into_datum(),
            seq.into_datum(),
            chunk.number.into_datum(),
            chunk.rows.into_datum(),
            chunk.data.as_slice().into_datum(),
        ]
    };
    match to {
        Some(to) => to.add(values),
        None => ADD.write_latest(&values())?,
    }
    Ok(())
}
