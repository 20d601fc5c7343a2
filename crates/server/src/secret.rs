//! The secret by which the keys of versions are made. It stands in a file of its own, for its owner alone, and is made when
//! it is not there; with another one all links and cookies are void.
//!
//! Tested in place.

use std::fs::{self, File};
use std::io::Read;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tandem_core::base::{ServiceName, VersionKey, VersionLabel};

use crate::state::{StateError, StateFolder, write_file};

/// How many bytes it has, and so many of a key.
const LENGTH: usize = 32;
const KEY_LENGTH: usize = 16;

/// By which the keys of versions are made.
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

    /// The key of a version: HMAC-SHA-256 (RFC 2104) of its name, cut to 128 bits, in hexadecimal digits.
    pub(crate) fn key(&self, service: &ServiceName, version: &VersionLabel) -> Option<VersionKey> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{service}\0{version}").as_bytes());
        let code = mac.finalize().into_bytes();
        let digits: String = code.iter().take(KEY_LENGTH).map(|byte| format!("{byte:02x}")).collect();
        digits.parse().ok()
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
