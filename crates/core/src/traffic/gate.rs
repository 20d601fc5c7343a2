//! Whether the requests of a service go on to its instances: an operator can have them wait, or be told to come back.
//!
//! What is in flight goes on in any case. Tested in place and through the whole proxy.

use std::fmt::Write;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Millis, Network};

/// The longest that requests can be held.
const LONGEST_HOLD: Millis = Millis::from_secs(5 * 60);
/// The latest that clients are told to come back.
const LATEST_RETURN: Millis = Millis::from_secs(7 * 86_400);
/// The longest page, in bytes: it is part of the route table.
const LONGEST_PAGE: usize = 64 * 1024;
/// The longest message, in bytes.
const LONGEST_MESSAGE: usize = 1024;
/// So many networks may be let through.
const MOST_ALLOWED: usize = 64;

/// What becomes of new requests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "gate")]
pub enum Gate {
    /// They go on.
    #[default]
    Open,
    /// They wait, each so long at most; then they go on. Too many of them are answered with 503.
    Held {
        /// The longest that one waits, and that the gate stays so: 1 ms to 5 min.
        longest: Millis,
    },
    /// They are answered with 503 and a page.
    Closed(Maintenance),
}

/// What clients are told while nobody is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// What is told, as plain text; up to 1024 bytes.
    pub message: String,
    /// The whole page, as HTML, in place of our own; up to 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// When clients are told to come back: 1 s to 7 days.
    pub retry_after: Millis,
    /// Clients who are served all the same. Up to 64 networks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Network>,
}

impl Gate {
    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        *self == Gate::Open
    }

    /// What is wrong with it, if anything is.
    pub fn problem(&self) -> Option<&'static str> {
        match self {
            Gate::Held { longest } if *longest == Millis::ZERO || *longest > LONGEST_HOLD => {
                Some("requests can be held for 1 ms to 5 min")
            }
            Gate::Open | Gate::Held { .. } => None,
            Gate::Closed(told) => {
                let late = !(Millis::from_secs(1)..=LATEST_RETURN).contains(&told.retry_after);
                let long = told.page.as_ref().is_some_and(|page| page.len() > LONGEST_PAGE);
                match () {
                    () if late => Some("clients can be told to come back in 1 s to 7 days"),
                    () if long => Some("the page is longer than 64 KiB"),
                    () if told.message.len() > LONGEST_MESSAGE => {
                        Some("the message is longer than 1024 bytes")
                    }
                    () if told.allow.len() > MOST_ALLOWED => {
                        Some("more than 64 networks can't be let through")
                    }
                    () => None,
                }
            }
        }
    }
}

impl Maintenance {
    /// Whether a client is served all the same.
    pub fn allows(&self, client: IpAddr) -> bool {
        self.allow.iter().any(|network| network.contains(client))
    }

    /// The page, in HTML.
    pub fn html(&self) -> String {
        self.page.clone().unwrap_or_else(|| {
            format!(
                "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Maintenance</title>\n<h1>We will be back soon</h1>\n<p>{}</p>\n",
                escaped(&self.message)
            )
        })
    }
}

/// A text as it stands in HTML.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '"' | '\'' => drop(write!(html, "&#{};", u32::from(c))),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(message: &str) -> Maintenance {
        let allow = vec!["10.0.0.0/8".parse().unwrap()];
        Maintenance { message: message.to_owned(), page: None, retry_after: Millis::from_secs(60), allow }
    }

    #[test]
    fn a_message_is_text_and_a_page_is_a_page() {
        assert!(told("a <b> & \"c\"").html().contains("<p>a &#60;b&#62; &#38; &#34;c&#34;</p>"));
        let own = Maintenance { page: Some("<p>x".to_owned()), ..told("") };
        assert_eq!(own.html(), "<p>x");
        assert!(own.allows("10.1.2.3".parse().unwrap()) && !own.allows("11.1.2.3".parse().unwrap()));
    }

    #[test]
    fn everything_has_a_bound() {
        let hold = |millis| Gate::Held { longest: Millis(millis) }.problem();
        assert!(hold(0).is_some() && hold(1).is_none() && hold(300_000).is_none() && hold(300_001).is_some());
        let closed = |told| Gate::Closed(told).problem();
        assert_eq!(closed(told(&"x".repeat(1024))), None);
        assert!(closed(told(&"x".repeat(1025))).is_some());
        assert!(closed(Maintenance { page: Some("x".repeat(64 * 1024 + 1)), ..told("") }).is_some());
        assert!(closed(Maintenance { retry_after: Millis(999), ..told("") }).is_some());
        assert!(closed(Maintenance { allow: vec!["::1".parse().unwrap(); 65], ..told("") }).is_some());
        assert_eq!(Gate::Open.problem(), None);
    }
}
