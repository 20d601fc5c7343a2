//! The keys that take one of a few words, and what other programs call the same.
//!
//! Each check gives the canonical word, or says which ones there are. Tested by `check/tests.rs`.

use super::balance::Policy;
use super::database::{Access, Names, Naming};
use super::deploy::StrategyKind;
use super::guard::Unclear;
use super::listen::{Speaks, Told};
use super::monitoring::{LogFormat, Queries};
use super::notify::{MessageFormat, Occasion};
use super::service::Protocol;
use super::session::Pin;
use super::text::{Wrong, nearest, quoted};
use super::tls::{AcmeChallenge, ClientCertificate, TlsVersion};

/// Signals by which an app may be asked to stop.
pub(super) static SIGNALS: &[&str] = &["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "WINCH"];

/// What instances speak.
pub(super) fn protocol(text: &str) -> Result<String, Wrong> {
    match text.trim() {
        "h2" | "h2c" | "grpc" | "http/2" => {
            Err(Wrong::new(format!("is {}, another name", quoted(text)), "Tandem calls that \"http2\""))
        }
        name => one_of(text, name, Protocol::ALL),
    }
}

/// By which rule an instance is chosen.
pub(super) fn policy(text: &str) -> Result<String, Wrong> {
    let ours = match text.trim() {
        "leastconn" | "least_conn" | "least-connections" | "least_request" | "random" | "p2c" => "least",
        "roundrobin" | "round_robin" | "rr" => "round-robin",
        "source" | "ip_hash" | "consistent-hash" | "consistent_hash" | "ring_hash" | "maglev" => "hash",
        name => return one_of(text, name, Policy::ALL),
    };
    Err(Wrong::new(
        format!("is {}, another name", quoted(text)),
        format!("Tandem calls that {}", quoted(ours)),
    ))
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

/// How trusted peers tell of clients.
pub(super) fn told(text: &str) -> Result<String, Wrong> {
    one_of(text, text.trim(), Told::ALL)
}

/// Of what people are told.
pub(super) fn occasion(text: &str) -> Result<String, Wrong> {
    one_of(text, text.trim(), Occasion::ALL)
}

/// How a message looks.
pub(super) fn message_format(text: &str) -> Result<String, Wrong> {
    one_of(text, text.trim(), MessageFormat::ALL)
}

/// How a line of the log looks.
pub(super) fn log_format(text: &str) -> Result<String, Wrong> {
    one_of(text, text.trim(), LogFormat::ALL)
}

/// What is logged of queries.
pub(super) fn queries(text: &str) -> Result<String, Wrong> {
    one_of(text, text.trim(), Queries::ALL)
}

/// A version of TLS.
pub(super) fn tls_version(text: &str) -> Result<String, Wrong> {
    one_of(text, text.trim().trim_start_matches("TLSv"), TlsVersion::ALL)
}

/// How an authority is shown that a name is ours.
pub(super) fn acme_challenge(text: &str) -> Result<String, Wrong> {
    match text.trim() {
        "http-01" => {
            Err(Wrong::new(format!("is {}, another name", quoted(text)), "Tandem calls that \"http\""))
        }
        "tls-alpn-01" | "tls-alpn" => {
            Err(Wrong::new(format!("is {}, another name", quoted(text)), "Tandem calls that \"tls\""))
        }
        name => one_of(text, name, AcmeChallenge::ALL),
    }
}

/// Whether clients must show a certificate.
pub(super) fn client_certificate(text: &str) -> Result<String, Wrong> {
    one_of(text, text.trim(), ClientCertificate::ALL)
}

pub(super) fn signal(text: &str) -> Result<String, Wrong> {
    let name = text.trim().to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    if name == "KILL" {
        return Err(Wrong::new(
            "is \"KILL\", which no app can catch",
            "leave it out: Tandem itself kills an app that is still there after `grace`",
        ));
    }
    one_of(text, name, SIGNALS)
}

pub(super) fn strategy(text: &str) -> Result<String, Wrong> {
    match text.trim() {
        "blue-green" | "blue_green" | "bluegreen" | "atomic" | "red-black" => {
            Err(Wrong::new(format!("is {}, another name", quoted(text)), "Tandem calls that \"flip\""))
        }
        name => one_of(text, name, StrategyKind::ALL),
    }
}

/// What is done with a canary that can't be judged.
pub(super) fn unclear(text: &str) -> Result<String, Wrong> {
    let ours = match text.trim() {
        "wait" | "pause" | "manual" => "ask",
        "promote" | "go" | "continue" => "pass",
        "rollback" | "abort" | "fail" => "back",
        name => return one_of(text, name, Unclear::ALL),
    };
    Err(Wrong::new(
        format!("is {}, another name", quoted(text)),
        format!("Tandem calls that {}", quoted(ours)),
    ))
}

/// The canonical word, if it is one of the known ones.
fn one_of(text: &str, name: &str, known: &'static [&'static str]) -> Result<String, Wrong> {
    if known.contains(&name) {
        return Ok(name.to_owned());
    }
    let all: Vec<String> = known.iter().map(|word| format!("\"{word}\"")).collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"? Possible are {}", all.join(", ")),
        None => format!("possible are {}", all.join(", ")),
    };
    Err(Wrong::new(format!("is {}, which is not known here", quoted(text)), help))
}

/// How the app writes the names of tables.
pub(super) fn names(text: &str) -> Result<String, Wrong> {
    one_of(text, text.trim(), Names::ALL)
}

/// How an instance is told its revision.
pub(super) fn access(text: &str) -> Result<String, Wrong> {
    one_of(text, text.trim(), Access::ALL)
}

/// Who says what the app's sessions are called.
pub(super) fn naming(text: &str) -> Result<String, Wrong> {
    one_of(text, text.trim(), Naming::ALL)
}

/// What clients are held to.
pub(super) fn pin(text: &str) -> Result<String, Wrong> {
    match text.trim() {
        "sticky" | "session" | "cookie" => {
            Err(Wrong::new(format!("is {}, another name", quoted(text)), "Tandem calls that \"stay\""))
        }
        name => one_of(text, name, Pin::ALL),
    }
}
