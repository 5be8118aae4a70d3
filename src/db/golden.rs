//! Statements as they are rendered, beside a file that says how they should be.
//!
//! Where a statement is to change, `GOLDEN=write cargo test --lib golden` writes the files anew; what has changed in them is then to be
//! read.

use std::ops::Deref;
use std::path::Path;

#[derive(Default)]
pub struct Golden(String);

impl Golden {
    /// Adds statements under the name of what makes them.
    pub fn add<S: Deref<Target = str>>(&mut self, what: &str, statements: impl IntoIterator<Item = S>) {
        for statement in statements {
            self.0.push_str(&format!("==== {what}\n{}\n", statement.trim_start_matches('\n')));
        }
    }

    /// Compares all of them with a file below the crate's root.
    pub fn check(self, file: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if std::env::var("GOLDEN").is_ok_and(|what| what == "write") {
            std::fs::write(&path, &self.0).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap();
        let differs = self.0.lines().zip(expected.lines()).enumerate().find(|(_, (now, before))| now != before);
        assert_eq!(differs, None, "the first line that differs from {file}; see the head of golden.rs");
        assert_eq!(self.0.len(), expected.len(), "{file} has another length");
    }
}
