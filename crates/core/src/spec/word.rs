//! The keys that take one of a few words, and what other programs call the same.
//!
//! Each check gives the canonical word, or says which ones there are. Tested by `check/tests.rs`.

use super::service::Protocol;
use super::text::{Wrong, one_of, quoted};
use super::tls::{ClientCertificate, Speaks, TlsVersion};

/// What instances speak.
pub(super) fn protocol(text: &str) -> Result<String, Wrong> {
    match text.trim() {
        "h2" | "h2c" | "grpc" | "http/2" => {
            Err(Wrong::new(format!("is {}, another name", quoted(text)), "Tandem calls that \"http2\""))
        }
        name => one_of(text, name, Protocol::ALL),
    }
}

/// What is spoken at an address.
pub(super) fn speaks(text: &str) -> Result<String, Wrong> {
    match text.trim() {
        "tls" | "ssl" => {
            Err(Wrong::new(format!("is {}, another name", quoted(text)), "Tandem calls that \"https\""))
        }
        name => one_of(text, name, Speaks::ALL),
    }
}

/// A version of TLS.
pub(super) fn tls_version(text: &str) -> Result<String, Wrong> {
    one_of(text, text.trim().trim_start_matches("TLSv"), TlsVersion::ALL)
}

/// Whether clients must show a certificate.
pub(super) fn client_certificate(text: &str) -> Result<String, Wrong> {
    one_of(text, text.trim(), ClientCertificate::ALL)
}
