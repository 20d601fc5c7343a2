//! What a PostgreSQL server keeps of a password (SCRAM-SHA-256, RFC 5802 and 7677): made here, so that the password itself never
//! reaches the server, nor its log.
//!
//! The crate that the client library brings for it salts at random. A pooler that passes logins on needs the verifier to stay
//! the one by which its clients were let in. Tested in place, by the example of RFC 7677.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// As PostgreSQL does unless it is told otherwise. The passwords are no words that could be guessed.
const ITERATIONS: u32 = 4096;

/// The verifier of a password of plain letters and digits. None: never, a key may have any length.
pub(crate) fn verifier(password: &str, salt: &[u8]) -> Option<String> {
    let salted = salted(password.as_bytes(), salt)?;
    let stored = Sha256::digest(code(&salted, b"Client Key")?);
    let server = code(&salted, b"Server Key")?;
    let [salt, stored, server] = [salt, &stored, &server].map(|bytes| BASE64_STANDARD.encode(bytes));
    Some(format!("SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}"))
}

/// PBKDF2 (RFC 8018) for a key of one block.
fn salted(password: &[u8], salt: &[u8]) -> Option<[u8; 32]> {
    let mut last = code(password, &[salt, &[0, 0, 0, 1]].concat())?;
    let mut all = last;
    for _ in 1..ITERATIONS {
        last = code(password, &last)?;
        all.iter_mut().zip(last).for_each(|(byte, other)| *byte ^= other);
    }
    Some(all)
}

fn code(key: &[u8], text: &[u8]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text);
    Some(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_what_the_rfc_says() {
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        assert_eq!(
            verifier("pencil", &salt).unwrap(),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }
}
