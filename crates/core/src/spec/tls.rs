//! What encrypted connections need: the checked values.
//!
//! Belongs to `service`, and holds the defaults of its part. Tested in `check/tests.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::vocabulary::words;

/// What encrypted connections need.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TlsSpec {
    /// From files with certificates (the chain, its own first) to files with their keys. The first one, in the order of the
    /// names of the files, serves unknown names.
    pub certificates: BTreeMap<String, String>,
    /// The oldest version that is spoken.
    pub oldest: TlsVersion,
    /// A file with the authorities that vouch for clients. None: clients are not asked for a certificate.
    pub client_ca: Option<String>,
    /// Whether clients must show one.
    pub client: ClientCertificate,
    /// Certificates that an authority gives.
    #[serde(default)]
    pub acme: AcmeSpec,
}

/// Certificates that an authority gives by itself to whoever shows that a name is theirs (ACME, RFC 8555).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeSpec {
    /// Whether the authority's terms are accepted. Nothing is asked of it before.
    pub accepted: bool,
    /// The word for a known authority, or the URL of its directory.
    pub directory: String,
    /// The mail address by which it can reach the team.
    pub contact: Option<String>,
    /// The names to have certificates for. Empty: those of the addresses where https is spoken.
    pub hosts: Vec<String>,
    /// How a name is shown to be ours. None: as suits the addresses.
    pub challenge: Option<AcmeChallenge>,
    /// The number of the account that the authority knows already, where it wants one.
    pub eab_kid: Option<String>,
    /// The key of that account, or where it is.
    pub eab_key: Option<String>,
    /// A file with the authorities that vouch for the directory itself. None: those of the system.
    pub ca: Option<String>,
}

impl Default for AcmeSpec {
    fn default() -> Self {
        AcmeSpec {
            accepted: false,
            directory: "letsencrypt".to_owned(),
            contact: None,
            hosts: Vec::new(),
            challenge: None,
            eab_kid: None,
            eab_key: None,
            ca: None,
        }
    }
}

impl AcmeSpec {
    /// Authorities that have a word, and where their directories are.
    pub(super) const KNOWN: &'static [(&'static str, &'static str)] = &[
        ("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory"),
        ("letsencrypt-staging", "https://acme-staging-v02.api.letsencrypt.org/directory"),
    ];

    /// The URL of the directory.
    pub fn url(&self) -> &str {
        let known = AcmeSpec::KNOWN.iter().find(|(word, _)| *word == self.directory);
        known.map_or(&self.directory, |(_, url)| url)
    }
}

/// How an authority is shown that a name is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AcmeChallenge {
    /// It asks for a token on port 80 (HTTP-01).
    Http,
    /// It shakes hands on port 443 (TLS-ALPN-01).
    Tls,
}

words!(AcmeChallenge: Http = "http", Tls = "tls");

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TlsVersion {
    /// 1.2 and newer.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// 1.3 and newer.
    #[serde(rename = "1.3")]
    V1_3,
}

words!(TlsVersion: V1_2 = "1.2", V1_3 = "1.3");

/// Whether clients must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificate {
    /// Who shows none is turned away.
    #[default]
    Required,
    /// Who shows none is served all the same.
    Optional,
}

words!(ClientCertificate: Required = "required", Optional = "optional");
