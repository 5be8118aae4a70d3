//! The levels of access, and what each includes.

use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Authenticates, routes logins, checks permissions.
    Application,
    /// Adds identities, and changes none.
    Registrar,
    /// Sends the notices of new login names.
    Notifier,
    /// Reads and verifies the audit.
    Auditor,
    /// Imports, stages and consolidates; what the three above but for the auditor may do.
    Importer,
    /// Everything.
    Admin,
}

impl Level {
    pub const ALL: [Level; 6] =
        [Level::Application, Level::Registrar, Level::Notifier, Level::Auditor, Level::Importer, Level::Admin];

    pub fn name(self) -> &'static str {
        match self {
            Level::Application => "application",
            Level::Registrar => "registrar",
            Level::Notifier => "notifier",
            Level::Auditor => "auditor",
            Level::Importer => "importer",
            Level::Admin => "admin",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }

    pub fn includes(self, part: Level) -> bool {
        self == part
            || match self {
                Level::Admin => true,
                Level::Importer => matches!(part, Level::Application | Level::Registrar | Level::Notifier),
                _ => false,
            }
    }

    pub fn unknown(name: &str) -> Error {
        let names: Vec<&str> = Level::ALL.into_iter().map(Level::name).collect();
        Error::invalid_argument(format!("invalid value for argument \"level\": \"{name}\""))
            .hint(format!("Valid values are {}.", names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_back() {
        for level in Level::ALL {
            assert_eq!(Level::parse(level.name()), Some(level));
        }
        assert_eq!(Level::parse("checker"), None);
    }

    #[test]
    fn inclusion_is_transitive_and_ends_at_admin() {
        for a in Level::ALL {
            assert!(a.includes(a) && Level::Admin.includes(a));
            assert!(a == Level::Admin || !a.includes(Level::Admin));
            for b in Level::ALL.into_iter().filter(|b| a.includes(*b)) {
                assert!(Level::ALL.into_iter().filter(|c| b.includes(*c)).all(|c| a.includes(c)));
            }
        }
    }

    #[test]
    fn the_audit_is_for_auditors_and_admins() {
        let readers: Vec<_> = Level::ALL.into_iter().filter(|level| level.includes(Level::Auditor)).collect();
        assert_eq!(readers, [Level::Auditor, Level::Admin]);
    }
}
