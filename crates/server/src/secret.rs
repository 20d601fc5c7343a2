//! The secret by which the keys of versions and the passwords of roles are made. It stands in a file of its own, for its owner
//! alone, and is made when it is not there; with another one all links and cookies are void, and roles get other names.
//!
//! Tested in place.

pub(crate) mod verifier;

use std::fs::{self, File};
use std::io::Read;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tandem_core::base::{ServiceName, VersionKey, VersionLabel};

use crate::state::{StateError, StateFolder, write_file};

/// How many bytes it has, and so many of a key.
const LENGTH: usize = 32;
const KEY_LENGTH: usize = 16;

/// How many digits of a code tell the roles of one secret from those of another.
const MARK_DIGITS: usize = 8;

/// By which the keys of versions and the passwords of roles are made.
#[derive(Clone)]
pub(crate) struct Secret([u8; LENGTH]);

impl Secret {
    /// The secret of a state folder.
    pub(crate) fn open(state: &StateFolder) -> Result<Secret, StateError> {
        let path = state.secret();
        if let Ok(Ok(known)) = fs::read(&path).map(<[u8; LENGTH]>::try_from) {
            return Ok(Secret(known));
        }
        let mut made = [0; LENGTH];
        File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut made)).map_err(|source| {
            StateError::Io { doing: "read random bytes for", path: path.clone(), source }
        })?;
        write_file(&path, &made)?;
        Ok(Secret(made))
    }

    /// The key of a version: a code of its name, cut to 128 bits, in hexadecimal digits.
    pub(crate) fn key(&self, service: &ServiceName, version: &VersionLabel) -> Option<VersionKey> {
        let code = self.code(&format!("{service}\0{version}"))?;
        code.get(..2 * KEY_LENGTH)?.parse().ok()
    }

    /// What the names of roles end in: those of a service, in a database.
    pub(crate) fn mark(&self, service: &ServiceName, database: &str) -> Option<String> {
        let mut code = self.code(&format!("role\0mark\0{service}\0{database}"))?;
        code.truncate(MARK_DIGITS);
        Some(code)
    }

    /// The password of a role.
    pub(crate) fn password(&self, role: &str) -> Option<String> {
        self.code(&format!("role\0password\0{role}"))
    }

    /// With what its verifier is salted: always the same, so that one that is set again is no other.
    pub(crate) fn salt(&self, role: &str) -> Option<String> {
        self.code(&format!("role\0salt\0{role}"))
    }

    /// HMAC-SHA-256 (RFC 2104) in hexadecimal digits. Texts for different uses have different numbers of parts.
    fn code(&self, text: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(text.as_bytes());
        Some(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_for_ever_and_another_for_each_version() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::at(folder.path());
        let key = |secret: &Secret, version: &str| {
            secret.key(&"shop".parse().unwrap(), &version.parse().unwrap()).unwrap()
        };
        let secret = Secret::open(&state).unwrap();
        assert_eq!(key(&secret, "v1"), key(&Secret::open(&state).unwrap(), "v1"));
        assert_ne!(key(&secret, "v1"), key(&secret, "v2"));
        assert_eq!(key(&secret, "v1").as_str().len(), 32);
        fs::write(state.secret(), "short").unwrap();
        assert_ne!(
            key(&secret, "v1"),
            key(&Secret::open(&state).unwrap(), "v1"),
            "a damaged one is made anew"
        );
    }
}
