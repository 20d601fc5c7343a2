//! How requests are divided among the instances of a version: the checked values.
//!
//! Belongs to `service`, and holds the defaults of its part. Tested in `check/tests.rs`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::vocabulary::words;
use crate::base::{Millis, Share};

/// How an instance is chosen, and which are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct BalanceSpec {
    /// By which rule.
    pub policy: Policy,
    /// Of `hash`: what requests have in common that go to the same instance.
    pub by: Affinity,
    /// Over how long a new instance gets its full part. 0: at once.
    pub slow_start: Millis,
    /// So many requests at once on one instance, at most. 0: any number.
    pub concurrent: u32,
    /// When an instance is left alone although its checks are good.
    pub eject: EjectSpec,
}

/// By which rule an instance is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The less loaded of two that are drawn.
    #[default]
    Least,
    /// Each in its turn.
    RoundRobin,
    /// The same for the same key, as far as its load allows.
    Hash,
}

words!(Policy: Least = "least", RoundRobin = "round-robin", Hash = "hash");

/// What requests have in common that go to the same instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum Affinity {
    /// The client's address.
    #[default]
    Client,
    /// The path, without its query.
    Path,
    /// The value of a cookie.
    Cookie(String),
    /// The value of a header field.
    Header(String),
}

/// A text that names nothing that requests have in common.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is none of client, path, cookie:NAME, header:NAME")]
pub struct NoAffinity;

impl FromStr for Affinity {
    type Err = NoAffinity;

    fn from_str(text: &str) -> Result<Self, NoAffinity> {
        // The bytes of a token, RFC 9110 section 5.6.2.
        let token = |name: &str| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            (!name.is_empty() && name.len() <= 128 && name.bytes().all(fits)).then(|| name.to_owned())
        };
        match text.split_once(':') {
            None if text == "client" => Ok(Affinity::Client),
            None if text == "path" => Ok(Affinity::Path),
            Some(("cookie", name)) => token(name).map(Affinity::Cookie).ok_or(NoAffinity),
            Some(("header", name)) => token(name).map(Affinity::Header).ok_or(NoAffinity),
            _ => Err(NoAffinity),
        }
    }
}

impl fmt::Display for Affinity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Affinity::Client => f.write_str("client"),
            Affinity::Path => f.write_str("path"),
            Affinity::Cookie(name) => write!(f, "cookie:{name}"),
            Affinity::Header(name) => write!(f, "header:{name}"),
        }
    }
}

impl TryFrom<String> for Affinity {
    type Error = NoAffinity;

    fn try_from(text: String) -> Result<Self, NoAffinity> {
        text.parse()
    }
}

impl From<Affinity> for String {
    fn from(affinity: Affinity) -> String {
        affinity.to_string()
    }
}

/// When an instance is left alone: it fails more than the others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EjectSpec {
    /// The part of its requests that failed (answered 5xx, or not at all). 0 %: none is ejected.
    pub errors: Share,
    /// Of so many at least.
    pub requests: u32,
    /// Within this time.
    pub within: Millis,
    /// For so long the first time; each time longer, up to ten times.
    pub rest: Millis,
    /// No more than this part of the instances at once.
    pub most: Share,
}

impl Default for EjectSpec {
    fn default() -> Self {
        EjectSpec {
            errors: Share::NONE,
            requests: 20,
            within: Millis::from_secs(10),
            rest: Millis::from_secs(30),
            most: Share::HALF,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affinities_are_read_and_shown() {
        for text in ["client", "path", "cookie:session", "header:X-Tenant"] {
            assert_eq!(text.parse::<Affinity>().unwrap().to_string(), text);
        }
        for text in ["", "cookie", "cookie:", "header:a b", "Client", "client:x"] {
            assert_eq!(text.parse::<Affinity>(), Err(NoAffinity), "{text}");
        }
    }
}
