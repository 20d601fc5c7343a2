//! Secrets that are shown once, and what is kept of them. Tested in place.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Another secret of 256 random bits, as text.
pub(super) fn secret() -> io::Result<String> {
    let mut bits = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bits)?;
    Ok(URL_SAFE_NO_PAD.encode(bits))
}

/// What is kept of a secret: its SHA-256. There are too many secrets to try, so no salt is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(secret: &str) -> Digest {
        Digest(<Sha256 as sha2::Digest>::digest(secret.as_bytes()).into())
    }

    /// Whether both are the same; takes as long if they differ early as if they differ late.
    pub(super) fn is(&self, other: &Digest) -> bool {
        black_box(self.0.iter().zip(&other.0).fold(0, |found, (a, b)| found | (a ^ b))) == 0
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Digest, String> {
        let pair =
            |at: usize| text.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = (0..32).map(pair).collect();
        let bytes = bytes.filter(|_| text.len() == 64).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Digest).ok_or_else(|| "it is not a SHA-256 in hexadecimal digits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_digest_alone() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert_eq!(one.len(), 43);
        assert!(Digest::of(&one).is(&Digest::of(&one)) && !Digest::of(&one).is(&Digest::of(&other)));
        let text = String::from(Digest::of("abc"));
        assert_eq!(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::try_from(text), Ok(Digest::of("abc")));
        assert!(Digest::try_from("ä".repeat(32)).is_err());
    }
}
