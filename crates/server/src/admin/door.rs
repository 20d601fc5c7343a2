//! Whether a request may come in at all: which host it asks for, and which page sent it.
//!
//! A name that an attacker lets lead here (DNS rebinding) is not ours; a page of somebody else may not use a browser's cookie.
//! Pure; tested in place.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, HeaderName, header};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The host that a request names, as it is written, if that is one of ours: the very address it came to, `localhost` where
/// that is loopback, or one of `names`. Ports do not matter: tunnels have others.
pub(super) fn host(fields: &HeaderMap, local: IpAddr, names: &[String]) -> Option<String> {
    let authority: Authority = only(fields, &header::HOST)?.parse().ok()?;
    let (written, name) = (authority.as_str(), authority.host().to_ascii_lowercase());
    let local = local.to_canonical();
    let is_local = match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => address.to_canonical() == local,
        Err(_) => name == "localhost" && local.is_loopback(),
    };
    let is_ours = is_local || names.contains(&name);
    (is_ours && !written.contains('@')).then(|| written.to_ascii_lowercase())
}

/// How much a request must show of the page that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// It may come from no page, but from no other either.
    NoOther,
    /// It comes from a page of ours.
    Own,
}

/// Whether a request comes from a page of the origin `own`, as far as it must.
pub(super) fn is_from(own: &str, fields: &HeaderMap, proof: Proof) -> bool {
    let lone = |name: &HeaderName| fields.get_all(name).iter().count() < 2;
    let said = |name: &HeaderName| fields.get(name).map(|value| value.as_bytes());
    let is_unknown_fine = proof == Proof::NoOther;
    let origin = match said(&header::ORIGIN) {
        Some(origin) => origin.eq_ignore_ascii_case(own.as_bytes()),
        None => is_unknown_fine,
    };
    let site = match said(&FETCH_SITE) {
        Some(b"same-origin") | None => true,
        // Somebody has typed the address.
        Some(b"none") => is_unknown_fine,
        Some(_) => false,
    };
    origin && site && lone(&header::ORIGIN) && lone(&FETCH_SITE)
}

/// The one value of a field; none if there are several.
pub(super) fn only<'a>(fields: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = fields.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(all: &[(&HeaderName, &str)]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in all {
            fields.append(*name, value.parse().unwrap());
        }
        fields
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let names = ["deploy.example.com".to_owned()];
        let asked = |host: &str, local: &str| {
            super::host(&fields(&[(&header::HOST, host)]), local.parse().unwrap(), &names)
        };
        for (host, local) in [
            ("127.0.0.1:7443", "127.0.0.1"),
            ("127.0.0.1", "::ffff:127.0.0.1"),
            ("[::1]:9", "::1"),
            ("LocalHost:7443", "127.0.0.1"),
            ("Deploy.Example.com", "192.0.2.7"),
            ("deploy.example.com:8443", "127.0.0.1"),
            ("192.0.2.7:7443", "192.0.2.7"),
        ] {
            assert_eq!(asked(host, local), Some(host.to_ascii_lowercase()), "{host} at {local}");
        }
        for (host, local) in [
            ("evil.example:7443", "127.0.0.1"),
            ("localhost:7443", "192.0.2.7"),
            ("127.0.0.1:7443", "192.0.2.7"),
            ("0.0.0.0:7443", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("deploy.example.com.evil.example", "127.0.0.1"),
            ("x@localhost", "127.0.0.1"),
            ("localhost/evil", "127.0.0.1"),
            ("", "127.0.0.1"),
        ] {
            assert_eq!(asked(host, local), None, "{host} at {local}");
        }
        let two = fields(&[(&header::HOST, "localhost"), (&header::HOST, "localhost")]);
        assert_eq!(host(&two, "127.0.0.1".parse().unwrap(), &names), None);
    }

    #[test]
    fn pages_of_others_are_told_from_ours() {
        let own = "https://deploy.example.com";
        let (origin, site) = (&header::ORIGIN, &FETCH_SITE);
        type Came<'a> = &'a [(&'a HeaderName, &'a str)];
        // What came, whether a page of ours sent it, whether it may be that no other did.
        let cases: &[(Came<'_>, bool, bool)] = &[
            (&[], false, true),
            (&[(origin, own)], true, true),
            (&[(origin, own), (site, "same-origin")], true, true),
            (&[(site, "none")], false, true),
            (&[(origin, own), (site, "none")], false, true),
            (&[(origin, own), (site, "same-site")], false, false),
            (&[(origin, own), (site, "cross-site")], false, false),
            (&[(site, "cross-site")], false, false),
            (&[(origin, "http://deploy.example.com")], false, false),
            (&[(origin, "https://deploy.example.com:8443")], false, false),
            (&[(origin, "https://deploy.example.com.evil.example")], false, false),
            (&[(origin, "null")], false, false),
            (&[(origin, own), (origin, own)], false, false),
        ];
        for (came, is_own, is_no_other) in cases {
            let fields = fields(came);
            assert_eq!(is_from(own, &fields, Proof::Own), *is_own, "{came:?}");
            assert_eq!(is_from(own, &fields, Proof::NoOther), *is_no_other, "{came:?}");
        }
    }
}
