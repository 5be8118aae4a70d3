//! Who asks: a text of a kind and a name, such as `user:42` or `group:/eu/sales`.

/// The kinds of subjects; those that can have members stand last.
pub const KINDS: [&str; 4] = ["user:", "client:", "group:", "role:"];
pub const CONTAINER_KINDS: [&str; 2] = ["group:", "role:"];

/// In a permission: every subject there is.
pub const EVERYBODY: &str = "*";

/// Indexes have room for this many bytes.
const MOST_BYTES: usize = 512;

pub fn is_subject(text: &str) -> bool {
    text.len() <= MOST_BYTES && KINDS.iter().any(|kind| text.len() > kind.len() && text.starts_with(kind))
}

/// A subject that can have members.
pub fn is_container(text: &str) -> bool {
    CONTAINER_KINDS.iter().any(|kind| text.len() > kind.len() && text.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_a_kind_and_a_name() {
        for text in ["user:42", "group:/eu/sales", "role:admin", "client:app", "user: "] {
            assert!(is_subject(text), "{text}");
        }
        for text in ["", "*", "user:", "bob", "USER:42", "service:x"] {
            assert!(!is_subject(text), "{text}");
        }
        assert!(is_container("role:x") && !is_container("user:x"));
    }
}
