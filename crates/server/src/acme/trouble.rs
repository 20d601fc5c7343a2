//! Why no certificate was had, in words: what happened, where, and what to do.
//!
//! An authority's own words are shown with what they mostly mean; they are foreign text, and are cut and cleaned. Tested in place.

use std::error::Error as _;
use std::fmt;

use instant_acme::{Error, Problem};
use tandem_core::base::Millis;
use tandem_core::spec::AcmeChallenge;

/// The longest text of others that is shown, in characters.
const LONGEST: usize = 300;
/// What the names of errors begin with (RFC 8555 section 6.7).
const KINDS: &str = "urn:ietf:params:acme:error:";

/// Why no certificate was had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    why: String,
    advice: String,
    /// How long the authority wants no other try.
    pub(crate) delay: Option<Millis>,
    /// The authority does not know the account.
    pub(crate) is_stranger: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.why, self.advice)
    }
}

/// What went wrong, as it was told.
#[derive(Debug)]
pub(crate) struct Cause {
    /// The kind of error, if an authority told it.
    kind: Option<String>,
    words: String,
}

impl From<Error> for Cause {
    fn from(error: Error) -> Cause {
        if let Error::Api(problem) = error {
            return Cause::from(&problem);
        }
        let mut words = error.to_string();
        let mut source = error.source();
        while let Some(deeper) = source {
            let more = deeper.to_string();
            if !words.contains(&more) {
                words = format!("{words}: {more}");
            }
            source = deeper.source();
        }
        Cause { kind: None, words }
    }
}

impl From<&Problem> for Cause {
    fn from(problem: &Problem) -> Cause {
        let kind = problem.r#type.as_deref().unwrap_or_default();
        let below = problem.subproblems.iter().filter_map(|below| below.detail.clone());
        let words: Vec<String> = problem.detail.iter().cloned().chain(below).collect();
        let words = if words.is_empty() { kind.to_owned() } else { words.join("; ") };
        Cause { kind: Some(kind.trim_start_matches(KINDS).to_owned()), words }
    }
}

impl From<&str> for Cause {
    fn from(words: &str) -> Cause {
        Cause { kind: None, words: words.to_owned() }
    }
}

impl Cause {
    fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }
}

impl Trouble {
    /// Trouble of our own, which no name is to blame for.
    pub(crate) fn new(why: impl ToString, advice: &str) -> Trouble {
        let (why, advice) = (why.to_string(), advice.to_owned());
        Trouble { why, advice, delay: None, is_stranger: false }
    }

    /// The authority itself can't be had.
    pub(crate) fn with_authority(directory: &str, cause: &Cause, delay: Option<Millis>) -> Trouble {
        let why = format!("the certificate authority {directory} can't be asked: {}", cleaned(&cause.words));
        let advice = match cause.kind.as_deref() {
            Some("externalAccountRequired") => {
                "it wants one that it knows: set eab_kid and eab_key in [tls.acme]"
            }
            Some("invalidContact" | "unsupportedContact") => "look at `tls.acme.contact`",
            Some("unauthorized" | "malformed") => "look at eab_kid and eab_key in [tls.acme]",
            Some("rateLimited") => "it wants to be asked less often",
            Some(_) => "look at what it says",
            None => {
                "look at `tls.acme.directory`, at `tls.acme.ca`, and at whether this machine reaches it (name server, firewall)"
            }
        };
        Trouble { delay, ..Trouble::new(why, advice) }
    }

    /// It gives no certificate for this name.
    pub(crate) fn with_name(
        name: &str,
        challenge: AcmeChallenge,
        cause: &Cause,
        delay: Option<Millis>,
    ) -> Trouble {
        let advice = advice(name, challenge, cause.kind.as_deref());
        let trouble = Trouble::new(cleaned(&cause.words), &advice);
        Trouble { delay, is_stranger: cause.is("accountDoesNotExist"), ..trouble }
    }
}

/// What to do when a name has got none.
fn advice(name: &str, challenge: AcmeChallenge, kind: Option<&str>) -> String {
    let port = match challenge {
        AcmeChallenge::Http => 80,
        AcmeChallenge::Tls => 443,
    };
    match kind {
        Some("connection" | "tls") => format!(
            "the authority must reach this proxy on port {port} of {name}: look at the firewall, at port forwarding, and at where \
             the name leads"
        ),
        Some("dns") => format!("look at the A and AAAA records of {name}"),
        Some("caa") => format!("the CAA records of {name} must name this authority"),
        Some("unauthorized" | "incorrectResponse") => format!(
            "something else answers on port {port} of {name}: look at its A and AAAA records, and at what stands before this proxy"
        ),
        Some("rejectedIdentifier" | "unsupportedIdentifier") => {
            format!(
                "this authority gives none for {name}: leave it out of `hosts`, or take another authority"
            )
        }
        Some("rateLimited") => {
            "the authority wants to be asked less often: nothing is to be done but to wait".to_owned()
        }
        Some("userActionRequired") => {
            "the authority wants something from you: look at what it says".to_owned()
        }
        _ => "nothing is to be done unless it stays so".to_owned(),
    }
}

/// The words of others, fit for a terminal and for one line.
fn cleaned(words: &str) -> String {
    let cut: String = words.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if cut.len() < words.len() { format!("{cut}…") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str, detail: &str) -> Cause {
        let text = serde_json::json!({ "type": format!("{KINDS}{kind}"), "detail": detail });
        Cause::from(&serde_json::from_value::<Problem>(text).unwrap())
    }

    #[test]
    fn each_common_failure_says_what_to_do() {
        let told = |challenge, kind| {
            Trouble::with_name("a.example", challenge, &problem(kind, "it said so"), None).to_string()
        };
        for (challenge, kind, advice) in [
            (AcmeChallenge::Http, "connection", "port 80 of a.example"),
            (AcmeChallenge::Tls, "connection", "port 443 of a.example"),
            (AcmeChallenge::Http, "dns", "A and AAAA records"),
            (AcmeChallenge::Http, "caa", "CAA records"),
            (AcmeChallenge::Http, "unauthorized", "something else answers on port 80"),
            (AcmeChallenge::Http, "rejectedIdentifier", "leave it out of `hosts`"),
            (AcmeChallenge::Http, "rateLimited", "wait"),
        ] {
            let told = told(challenge, kind);
            assert!(told.starts_with("it said so; ") && told.contains(advice), "{told}");
        }
    }

    #[test]
    fn words_of_others_can_not_paint_the_terminal() {
        let long = format!("\u{1b}[31mred\n{}", "x".repeat(10_000));
        let told =
            Trouble::with_name("a.example", AcmeChallenge::Tls, &problem("dns", &long), None).to_string();
        assert!(!told.contains(['\u{1b}', '\n']) && told.len() < 600, "{told}");
    }

    #[test]
    fn an_account_that_is_not_known_any_more_is_told_apart() {
        let known =
            |kind| Trouble::with_name("a.example", AcmeChallenge::Tls, &problem(kind, ""), None).is_stranger;
        assert!(known("accountDoesNotExist") && !known("unauthorized"));
    }
}
