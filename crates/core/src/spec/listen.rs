//! Where requests arrive, what is spoken there, and who is believed: the checked values.
//!
//! Belongs to `service`, and holds the defaults of its part. Tested in `check/tests.rs`.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::service::ServiceSpec;
use super::vocabulary::words;
use crate::base::Network;

/// An address on which requests arrive, and the hosts that are served there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenSpec {
    /// The address and port to listen on.
    pub address: SocketAddr,
    /// Host names, without port, lower case; `*.example.com` matches one label. Empty: all hosts.
    pub hosts: Vec<String>,
    /// What paths begin with, by whole segments. Empty: all paths.
    #[serde(default)]
    pub paths: Vec<String>,
    /// What is spoken there.
    #[serde(default)]
    pub speaks: Speaks,
    /// Peers that are believed what they tell of the client: proxies of the team's own.
    #[serde(default)]
    pub trusted: Vec<Network>,
    /// How trusted peers tell it.
    #[serde(default)]
    pub told: Told,
}

/// What several lists name together, in order; a list that is empty stands for everything, and so does the sum.
fn union<'a>(lists: impl Iterator<Item = &'a Vec<String>>) -> Vec<String> {
    let mut all = BTreeSet::new();
    for list in lists {
        if list.is_empty() {
            return Vec::new();
        }
        all.extend(list.iter().cloned());
    }
    all.into_iter().collect()
}

impl ServiceSpec {
    /// The hosts that are served, at any address. Empty: all.
    pub fn hosts(&self) -> Vec<String> {
        union(self.listen.iter().map(|listen| &listen.hosts))
    }

    /// What the paths that are served begin with. Empty: all.
    pub fn paths(&self) -> Vec<String> {
        union(self.listen.iter().map(|listen| &listen.paths))
    }
}

impl ListenSpec {
    /// All hosts, at an address that is still to be filled in.
    pub(super) fn draft() -> ListenSpec {
        ListenSpec {
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            hosts: Vec::new(),
            paths: Vec::new(),
            speaks: Speaks::Http,
            trusted: Vec::new(),
            told: Told::Fields,
        }
    }
}

/// What is spoken at a listening address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Speaks {
    /// HTTP in clear text.
    #[default]
    Http,
    /// HTTP, encrypted.
    Https,
    /// HTTP in clear text, only to send clients to `https`.
    Redirect,
}

words!(Speaks: Http = "http", Https = "https", Redirect = "redirect");

/// How a trusted peer tells whom it passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    /// By the fields `X-Forwarded-*` and `Forwarded` of each request.
    #[default]
    Fields,
    /// By the PROXY protocol (version 1 or 2) at the beginning of each connection.
    Proxy,
}

words!(Told: Fields = "fields", Proxy = "proxy");
