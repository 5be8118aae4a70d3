//! A row of values as `identity.audit_changes` returns it.

use crate::audit::changes::{self, Row, Values};
use crate::db::transition;
use serde_json::Value;
use serde_json::value::RawValue;

/// Its number, the columns that have changed, its values before and after as JSON, and whether they were erased.
pub type Shown = (i32, Option<Vec<String>>, Option<String>, Option<String>, bool);

pub fn row(number: i32, row: &Row, columns: &[String], forms: &str) -> Shown {
    let Row::Kept { operation, values, .. } = row else { return (number, None, None, None, true) };
    let Some(parts) = changes::parts(*operation, values, columns.len()) else {
        return (number, None, None, None, false);
    };
    let text = |values: Values| document(columns, forms, &values);
    let changed = (*operation == changes::UPDATE).then(|| {
        let changed = columns.iter().zip(&parts.changed).filter(|(_, changed)| **changed);
        changed.map(|(column, _)| column.clone()).collect()
    });
    (number, changed, parts.old.map(text), parts.new.map(text), false)
}

fn document(columns: &[String], forms: &str, values: &Values) -> String {
    let mut document = String::from("{");
    for ((column, form), value) in columns.iter().zip(forms.chars()).zip(values) {
        if document.len() > 1 {
            document.push_str(", ");
        }
        document.push_str(&Value::from(column.as_str()).to_string());
        document.push_str(": ");
        document.push_str(&value.map_or_else(|| "null".to_string(), |value| json(form, value)));
    }
    document.push('}');
    document
}

fn json(form: char, value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let known = match form {
        'j' => serde_json::from_str::<&RawValue>(&text).ok().map(|json| json.get().to_string()),
        'n' => text.parse::<i64>().ok().map(|number| number.to_string()),
        'b' => Some((value == [1]).to_string()),
        'u' => uuid::Uuid::from_slice(value).ok().map(|uuid| format!("\"{uuid}\"")),
        'z' => value.try_into().ok().map(|bytes| format!("\"{}\"", transition::time(i64::from_be_bytes(bytes)))),
        _ => None,
    };
    known.unwrap_or_else(|| Value::from(text).to_string())
}
