//! Certificates from an authority: what may be written of them, and what follows for a service.
//!
//! The values stand in `tls`. Knows nothing of how an authority is asked. Tested in place and by `check/tests.rs`.

use super::listen::ListenSpec;
use super::listen::Speaks;
use super::service::ServiceSpec;
use super::text::{self, Wrong, is_variable, quoted};
use super::tls::{AcmeChallenge, AcmeSpec};

/// The most names for which certificates are asked.
pub(super) const MOST_NAMES: usize = 100;
/// The port on which authorities shake hands, and no other (RFC 8737).
const HTTPS: u16 = 443;
/// The word of consent.
pub(super) const ACCEPTED: &str = "accepted";

impl ServiceSpec {
    /// The names for which certificates are asked, each once: those that are written, or those of the addresses where https
    /// is spoken. For names with a star, authorities want a proof that only the domain's name server can give.
    pub fn acme_names(&self) -> Vec<String> {
        let mut names = self.tls.acme.hosts.clone();
        if names.is_empty() {
            let secure = self.listen.iter().filter(|listen| listen.speaks == Speaks::Https);
            names.extend(
                secure.flat_map(|listen| &listen.hosts).filter(|name| !name.starts_with('*')).cloned(),
            );
        }
        names.sort();
        names.dedup();
        names
    }

    /// How an authority is shown that names are ours. Where https is on port 443, by a handshake: that needs nothing that
    /// is not there anyway. On any other port nobody would shake hands, so the authority is left to ask on port 80.
    pub fn acme_challenge(&self) -> AcmeChallenge {
        let usual = |listen: &ListenSpec| listen.speaks == Speaks::Https && listen.address.port() == HTTPS;
        let fitting = || if self.listen.iter().any(usual) { AcmeChallenge::Tls } else { AcmeChallenge::Http };
        self.tls.acme.challenge.unwrap_or_else(fitting)
    }
}

/// Consent to the terms.
pub(super) fn terms(text: &str) -> Result<String, Wrong> {
    if text.trim() == ACCEPTED {
        return Ok(ACCEPTED.to_owned());
    }
    let help = "read the authority's terms, and write terms = \"accepted\" if you accept them";
    Err(Wrong::new(format!("is {}, which is no consent", quoted(text)), help))
}

/// A known authority, or the URL of its directory.
pub(super) fn directory(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    let is_url = text.strip_prefix("https://").is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic())
    });
    if is_url || AcmeSpec::KNOWN.iter().any(|(word, _)| *word == text) {
        return Ok(text.to_owned());
    }
    let what = format!("is {}, which is no directory of an authority", quoted(text));
    Err(Wrong::new(
        what,
        "write \"letsencrypt\", \"letsencrypt-staging\" or its URL, which begins with https://",
    ))
}

/// A mail address.
pub(super) fn contact(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    let address = text.strip_prefix("mailto:").unwrap_or(text);
    let is_whole =
        address.split_once('@').is_some_and(|(name, host)| !name.is_empty() && text::host(host).is_ok());
    if is_whole && address.chars().all(|c| c.is_ascii_graphic() && !matches!(c, ',' | '?' | '%')) {
        return Ok(address.to_owned());
    }
    Err(Wrong::new(
        format!("is {}, which is no mail address", quoted(text)),
        "write for example \"ops@example.com\"",
    ))
}

/// A name that a certificate is asked for.
pub(super) fn host(text: &str) -> Result<String, Wrong> {
    match text::host(text)? {
        name if name.starts_with('*') => Err(Wrong::new(
            format!("holds {}, and for names with a star authorities want a proof by DNS", quoted(text)),
            "name the hosts one by one, or name files in `tls.certificates`",
        )),
        name => Ok(name),
    }
}

/// A key of an account, or the variable that holds it. What a wrong one says is not shown.
pub(super) fn account_key(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=');
    match text.strip_prefix("env:") {
        Some(name) if is_variable(name) => Ok(text.to_owned()),
        None if !text.is_empty() && text.chars().all(fits) => Ok(text.to_owned()),
        _ => Err(Wrong::new(
            "is not the key of an account, in base64url",
            "copy it as the authority shows it, or write for example \"env:ACME_KEY\"",
        )),
    }
}

/// The number of an account.
pub(super) fn account_number(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
        let what = format!("is {}, which is not the number of an account", quoted(text));
        return Err(Wrong::new(what, "copy it as the authority shows it"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(listens: &[(&str, Speaks, &[&str])]) -> ServiceSpec {
        let mut spec = ServiceSpec::draft();
        for (address, speaks, hosts) in listens {
            let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
            let address = address.parse().unwrap();
            spec.listen.push(ListenSpec { address, speaks: *speaks, hosts, ..ListenSpec::draft() });
        }
        spec
    }

    #[test]
    fn names_are_those_of_https_unless_others_are_written() {
        let mut spec = spec(&[
            ("[::]:80", Speaks::Redirect, &["other.example"]),
            ("[::]:443", Speaks::Https, &["b.example", "*.b.example", "a.example"]),
            ("[::]:444", Speaks::Https, &["a.example"]),
        ]);
        assert_eq!(spec.acme_names(), ["a.example", "b.example"]);
        spec.tls.acme.hosts = vec!["c.example".to_owned()];
        assert_eq!(spec.acme_names(), ["c.example"]);
    }

    #[test]
    fn a_handshake_is_the_proof_only_where_an_authority_comes_for_one() {
        assert_eq!(spec(&[("[::]:443", Speaks::Https, &[])]).acme_challenge(), AcmeChallenge::Tls);
        assert_eq!(spec(&[("[::]:8443", Speaks::Https, &[])]).acme_challenge(), AcmeChallenge::Http);
        assert_eq!(spec(&[("[::]:443", Speaks::Http, &[])]).acme_challenge(), AcmeChallenge::Http);
        let mut written = spec(&[("[::]:443", Speaks::Https, &[])]);
        written.tls.acme.challenge = Some(AcmeChallenge::Http);
        assert_eq!(written.acme_challenge(), AcmeChallenge::Http);
    }

    #[test]
    fn words_of_the_field_become_canonical() {
        assert_eq!(contact("mailto:ops@example.com").as_deref(), Ok("ops@example.com"));
        assert_eq!(directory("https://127.0.0.1:14000/dir").as_deref(), Ok("https://127.0.0.1:14000/dir"));
        assert_eq!(account_key("env:KEY").as_deref(), Ok("env:KEY"));
        for bad in ["http://a.example/dir", "letsencrypt.org", "https://", "https:///dir", "https://a b"] {
            assert!(directory(bad).is_err(), "{bad}");
        }
        for bad in ["ops", "@example.com", "ops@", "a@b,c@d", "a b@c"] {
            assert!(contact(bad).is_err(), "{bad}");
        }
        assert!(account_key("env:").is_err() && account_key("a+b/").is_err());
        assert!(host("*.example.com").is_err());
    }
}
