//! Digests that a site keeps in columns of their own become hashes that say everything of themselves.

use super::digest::{Algorithm, TEMPLATE};
use super::encoding;

/// How a site digests passwords: `md5`, `sha1`, `sha256` or `sha512`, of a template with `{PASSWORD}` and `{SALT}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaltedDigest {
    scheme: &'static str,
    algorithm: Algorithm,
    template: String,
}

impl SaltedDigest {
    /// The error is one clause.
    pub fn new(scheme: &str, template: &str) -> Result<Self, String> {
        let Some((scheme, algorithm)) = TEMPLATE.into_iter().find(|(name, _)| *name == scheme) else {
            return Err(format!("the scheme \"{scheme}\" is none of md5, sha1, sha256 and sha512"));
        };
        if !template.contains("{PASSWORD}") {
            return Err("the format has no {PASSWORD}".to_string());
        }
        Ok(SaltedDigest { scheme, algorithm, template: template.to_string() })
    }

    pub fn needs_salt(&self) -> bool {
        self.template.contains("{SALT}")
    }

    /// The hash of a digest, in hexadecimal or base64, and its salt. The error is one clause without either.
    pub fn hash(&self, digest: &str, salt: &str) -> Result<String, String> {
        let size = self.algorithm.size();
        let hex = (digest.len() == 2 * size).then(|| encoding::hex(digest.to_ascii_lowercase().as_bytes())).flatten();
        let digest = hex.or_else(|| encoding::base64(digest).filter(|bytes| bytes.len() == size));
        let digest = digest.ok_or_else(|| {
            format!("is no {} digest: neither {} hexadecimal digits nor their base64", self.scheme, 2 * size)
        })?;
        let base64 = encoding::to_bare_base64;
        let template = base64(self.template.as_bytes());
        Ok(format!("${}$pf={template}${}${}", self.scheme, base64(salt.as_bytes()), base64(&digest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::Hash;

    fn verifies(hash: &str, password: &str) -> bool {
        Hash::parse(hash).is_ok_and(|hash| hash.verify(password.as_bytes()) == Ok(true))
    }

    #[test]
    fn a_digest_and_its_salt_become_a_hash() {
        // printf %s 'secretpepper' | md5sum
        let after = SaltedDigest::new("md5", "{PASSWORD}{SALT}").expect("a scheme");
        let hash = after.hash("175f352dfaefb7086c066a36e69be09c", "pepper").expect("a digest");
        assert!(verifies(&hash, "secret") && !verifies(&hash, "secre"));
        assert_eq!(after.hash("175F352DFAEFB7086C066A36E69BE09C", "pepper").as_ref(), Ok(&hash));
        assert_eq!(after.hash("F181LfrvtwhsBmo25pvgnA==", "pepper"), Ok(hash));
        // printf %s 'secret' | sha1sum
        let plain = SaltedDigest::new("sha1", "{PASSWORD}").expect("a scheme");
        assert!(!plain.needs_salt());
        assert!(verifies(&plain.hash("e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", "").expect("a digest"), "secret"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_digest() {
        assert!(SaltedDigest::new("crc32", "{PASSWORD}").is_err());
        assert!(SaltedDigest::new("md5", "{SALT}").is_err());
        let problem = SaltedDigest::new("md5", "{PASSWORD}").expect("a scheme").hash("175f352d", "");
        let problem = problem.expect_err("too short");
        assert_eq!(problem, "is no md5 digest: neither 32 hexadecimal digits nor their base64");
    }
}
