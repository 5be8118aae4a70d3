//! The hash of an event. `identity_internal.audit_hash` in `sql/15_audit.sql` says what it is, and verifies it.

use crate::db::session::FROM_1970_TO_2000;
use sha2::{Digest, Sha256};

/// All that an event's hash is of, but for its place in the chain.
pub struct Entry<'a> {
    pub realm: &'a str,
    pub lane: i32,
    /// Microseconds since 2000, as in a timestamptz.
    pub at: i64,
    pub session_role: &'a str,
    pub acting_role: &'a str,
    pub application_name: &'a str,
    pub client_addr: Option<&'a str>,
    pub action: &'a str,
    pub subject: Option<&'a str>,
    /// As jsonb prints it.
    pub detail: &'a [u8],
}

/// The hash of the event that follows the one with the hash `prev`.
pub fn hash(prev: &[u8], seq: i64, entry: &Entry) -> [u8; 32] {
    let columns = [
        string(Some(entry.realm)),
        entry.lane.to_string(),
        seq.to_string(),
        epoch(entry.at),
        string(Some(entry.session_role)),
        string(Some(entry.acting_role)),
        string(Some(entry.application_name)),
        string(entry.client_addr),
        string(Some(entry.action)),
        string(entry.subject),
    ];
    let mut hash = Sha256::new();
    hash.update(prev);
    hash.update(b"[");
    for column in columns {
        hash.update(column);
        hash.update(b", ");
    }
    hash.update(entry.detail);
    hash.update(b"]");
    hash.finalize().into()
}

/// As jsonb prints it: with the short escapes, and no more of them than JSON needs.
fn string(text: Option<&str>) -> String {
    serde_json::to_string(&text).expect("a text can be written as JSON")
}

/// Seconds since 1970 with six decimals, as EXTRACT(epoch FROM …) returns them.
fn epoch(at: i64) -> String {
    let microseconds = i128::from(at) + i128::from(FROM_1970_TO_2000);
    let sign = if microseconds < 0 { "-" } else { "" };
    let microseconds = microseconds.unsigned_abs();
    format!("{sign}{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_seconds() {
        assert_eq!(epoch(0), "946684800.000000");
        assert_eq!(epoch(1), "946684800.000001");
        assert_eq!(epoch(-946_684_800_000_000), "0.000000");
        assert_eq!(epoch(-946_684_800_500_000), "-0.500000");
    }

    #[test]
    fn strings_are_written_as_jsonb_prints_them() {
        assert_eq!(string(None), "null");
        assert_eq!(
            string(Some("a\"\\/\u{8}\t\n\u{c}\r\u{1}\u{1f}\u{7f}é\u{2028}")),
            "\"a\\\"\\\\/\\b\\t\\n\\f\\r\\u0001\\u001f\u{7f}é\u{2028}\""
        );
    }

    #[test]
    fn every_column_and_the_place_count() {
        let entry = || Entry {
            realm: "acme",
            lane: 3,
            at: 1,
            session_role: "s",
            acting_role: "a",
            application_name: "psql",
            client_addr: Some("192.0.2.7"),
            action: "x",
            subject: Some("y"),
            detail: b"{}",
        };
        let hashes = [
            hash(b"", 1, &entry()),
            hash(b"p", 1, &entry()),
            hash(b"", 2, &entry()),
            hash(b"", 1, &Entry { realm: "acme2", ..entry() }),
            hash(b"", 1, &Entry { lane: 4, ..entry() }),
            hash(b"", 1, &Entry { at: 2, ..entry() }),
            hash(b"", 1, &Entry { session_role: "b", ..entry() }),
            hash(b"", 1, &Entry { acting_role: "b", ..entry() }),
            hash(b"", 1, &Entry { application_name: "", ..entry() }),
            hash(b"", 1, &Entry { client_addr: None, ..entry() }),
            hash(b"", 1, &Entry { action: "z", ..entry() }),
            hash(b"", 1, &Entry { subject: None, ..entry() }),
            hash(b"", 1, &Entry { detail: b"[]", ..entry() }),
        ];
        assert_eq!(hashes.iter().collect::<std::collections::BTreeSet<_>>().len(), hashes.len());
    }
}
