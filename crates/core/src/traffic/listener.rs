//! What is done with the connections of a listening address, and what their encryption needs.
//!
//! Listening addresses are part of the route table; certificates are not: they have a life of their own, and are secret.

use std::fmt;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Network;
use crate::spec::{Speaks, TlsVersion, Told};

/// What the proxy does with the connections of one address. At one that is not named, HTTP is spoken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listener {
    /// Where they arrive.
    pub address: SocketAddr,
    /// What is spoken there.
    pub speaks: Speaks,
    /// Peers that are believed what they tell of the client.
    #[serde(default)]
    pub trusted: Vec<Network>,
    /// How they tell it.
    #[serde(default)]
    pub told: Told,
}

impl Listener {
    /// HTTP from anybody, in clear text.
    pub fn new(address: SocketAddr) -> Listener {
        Listener { address, speaks: Speaks::default(), trusted: Vec::new(), told: Told::default() }
    }
}

/// What encrypted connections need.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Encryption {
    /// The oldest version of TLS that is spoken.
    #[serde(default)]
    pub oldest: TlsVersion,
    /// Whose certificates clients may show. None: they are not asked for one.
    #[serde(default)]
    pub clients: Option<ClientCheck>,
    /// The certificates, the one for unknown names first.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// What proves to a certificate authority that a name is ours, for as long as it asks.
    #[serde(default)]
    pub challenges: Vec<Challenge>,
}

impl Encryption {
    /// What several services need, together. They agree on who may connect and how, or what the first says holds.
    pub fn join<'a>(all: impl Iterator<Item = &'a Encryption>) -> Encryption {
        all.cloned()
            .reduce(|mut first, next| {
                first.clients = first.clients.or(next.clients);
                first.certificates.extend(next.certificates);
                first.challenges.extend(next.challenges);
                first
            })
            .unwrap_or_default()
    }
}

/// How clients show who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCheck {
    /// The certificates of the authorities that vouch for them, as PEM.
    pub authorities: String,
    /// Who shows none is turned away.
    pub required: bool,
}

/// A certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The names it is for, in lower case; `*.example.com` matches one label.
    pub names: Vec<String>,
    /// The chain, its own certificate first, as PEM.
    pub chain: String,
    /// The private key, as PEM.
    pub key: Secret,
}

/// A question of a certificate authority, and the answer (RFC 8555 section 8.3, RFC 8737).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Challenge {
    /// Asked by HTTP for a token.
    Http {
        /// The last part of the path.
        token: String,
        /// The body of the answer.
        answer: String,
    },
    /// Asked by a handshake: this certificate is the answer.
    Handshake(Certificate),
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What there is for a name: of its own, or by `*` in place of the first label.
pub fn find_name<'a, T>(all: &'a [(Vec<String>, T)], name: &str) -> Option<&'a T> {
    let with = |wanted: &str| {
        let found = all.iter().find(|(names, _)| names.iter().any(|known| known == wanted));
        found.map(|(_, what)| what)
    };
    let wildcard = || with(&format!("*.{}", name.split_once('.')?.1));
    with(name).or_else(wildcard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_its_own_comes_before_a_wildcard() {
        let all = [
            (vec!["*.example.com".to_owned()], 1),
            (vec!["a.example.com".to_owned(), "b.org".to_owned()], 2),
        ];
        let found = |name| find_name(&all, name).copied();
        assert_eq!(found("a.example.com"), Some(2));
        assert_eq!(found("c.example.com"), Some(1));
        assert_eq!(found("b.org"), Some(2));
        assert_eq!((found("d.c.example.com"), found("example.com"), found("com")), (None, None, None));
    }

    #[test]
    fn keys_are_not_shown() {
        let certificate =
            Certificate { names: Vec::new(), chain: String::new(), key: Secret("private".to_owned()) };
        assert!(!format!("{certificate:?}").contains("private"));
    }
}
