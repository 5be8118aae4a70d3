//! The kinds of identifier.

/// What an identifier is: it decides how its key is made, and what is wrong with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    Username,
    Email,
    Phone,
    /// A subject of an OpenID Connect provider: `provider:subject`.
    Oidc,
    /// A subject of a SAML provider: `provider:subject`.
    Saml,
    /// The user handle of a passkey: `passkey:` and its base64.
    Passkey,
}

impl Kind {
    pub const ALL: [Kind; 6] = [Kind::Username, Kind::Email, Kind::Phone, Kind::Oidc, Kind::Saml, Kind::Passkey];

    /// The kind of this name, as [`Kind::name`] gives it: in lower case, and nothing else.
    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Username => "username",
            Kind::Email => "email",
            Kind::Phone => "phone",
            Kind::Oidc => "oidc",
            Kind::Saml => "saml",
            Kind::Passkey => "passkey",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(kind));
        }
        for name in ["", "Email", "email ", "mail"] {
            assert_eq!(Kind::parse(name), None, "{name:?}");
        }
    }
}
