//! What a request says of the version that it wants: a link, a label, a cookie; and what its client is told.
//!
//! Reads the parts of the head, and asks `core::traffic::session` for the rule. Only where a service has more than one
//! live version; nobody else pays for it. Tested in place and through the whole proxy.

use tandem_core::base::VersionLabel;
use tandem_core::traffic::Sessions;
use tandem_core::traffic::session::{Asked, Placement, cookie, place};

/// The parameter by which pages of Next.js and others name the deployment that they were made by.
const LABEL: &str = "dpl";

/// Where a request goes, if that is not left to chance, and what its client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The version.
    pub(crate) version: VersionLabel,
    /// No other version will do.
    pub(crate) only: bool,
    /// The client, if it is known.
    pub(crate) client: Option<u32>,
    /// The value of `Set-Cookie`.
    pub(crate) cookie: Option<String>,
}

/// What a request's session comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Any version will do.
    Anywhere,
    /// One version is to serve it.
    Session(Box<Session>),
    /// The client is to come again at this target, with this value of `Set-Cookie`.
    Again(Box<(String, String)>),
}

/// What the fields of a request say, as they came.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fields<'a> {
    pub(super) cookie: Option<&'a [u8]>,
    pub(super) deployment: Option<&'a [u8]>,
    /// Whether it is one of those that get the version that comes.
    pub(super) chosen: bool,
}

/// Whether a request is one of those that get the version that comes, by any of its fields.
pub(super) fn is_chosen(sessions: &Sessions, fields: &[httparse::Header<'_>]) -> bool {
    let Some(chosen) = &sessions.chosen else { return false };
    fields.iter().any(|field| {
        let Ok(text) = std::str::from_utf8(field.value) else { return false };
        let mut cookies = pairs(text).filter(|_| field.name.eq_ignore_ascii_case("cookie"));
        chosen.by_header(&field.name.to_ascii_lowercase(), text)
            || cookies.any(|(name, value)| chosen.by_cookie(name, value))
    })
}

/// Finds out where a request goes. `safe`: it changes nothing, so its client may be sent to the same place again. `secure`: it
/// came by `https`.
pub(super) fn read(
    sessions: &Sessions,
    fields: Fields<'_>,
    target: &str,
    safe: bool,
    secure: bool,
    random: u32,
) -> Outcome {
    let name = sessions.cookie.as_str();
    let set = |value: &str| set(name, value, secure);
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let parameter = |name: &str| {
        query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name)).map(|(_, v)| v)
    };
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let asked = Asked {
        link: parameter(name),
        label: fields.deployment.and_then(text).or_else(|| parameter(LABEL)),
        cookie: fields.cookie.and_then(text).and_then(|cookies| value(cookies, name)),
        chosen: fields.chosen,
    };
    let session = |at: usize, only, client, cookie| {
        let version = sessions.versions.get(at).map(|live| live.version.clone());
        version.map_or(Outcome::Anywhere, |version| {
            Outcome::Session(Box::new(Session { version, only, client, cookie }))
        })
    };
    let key = |at: usize| sessions.versions.get(at).and_then(|live| live.key.as_ref());
    match place(sessions, asked, random) {
        Placement::Anywhere => Outcome::Anywhere,
        Placement::Only(at) => session(at, true, None, None),
        Placement::Preferred { version, client, tell } => {
            let told = client.filter(|_| tell).zip(key(version));
            session(version, false, client, told.map(|(id, key)| set(&cookie(key, id))))
        }
        Placement::Linked(to) => {
            let cookie = match to.and_then(key) {
                Some(key) => set(key.as_str()),
                None => set("") + "; Max-Age=0",
            };
            match to {
                _ if safe => Outcome::Again(Box::new((without(target, name), cookie))),
                Some(at) => session(at, true, None, Some(cookie)),
                None => Outcome::Anywhere,
            }
        }
    }
}

/// A cookie's value, out of all that the client sent.
fn value<'a>(cookies: &'a str, name: &str) -> Option<&'a str> {
    pairs(cookies).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Names and values of cookies.
fn pairs(cookies: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.map(|(name, value)| (name, value.trim_matches('"')))
}

/// For as long as the browser is open, for every path, out of reach of scripts, and of clear text if it came without.
fn set(name: &str, value: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")
}

/// The target without a parameter; on this host whatever it says.
fn without(target: &str, name: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // What begins with two slashes would name another host.
    let path = format!("/{}", path.trim_start_matches('/'));
    let left = query.split('&').filter(|pair| pair.split_once('=').is_none_or(|(key, _)| key != name));
    let left: Vec<&str> = left.filter(|pair| !pair.is_empty()).collect();
    if left.is_empty() { path } else { format!("{path}?{}", left.join("&")) }
}

#[cfg(test)]
mod tests {
    use tandem_core::base::Millis;
    use tandem_core::traffic::session::PLACES;
    use tandem_core::traffic::{Chosen, LiveVersion};

    use super::*;

    fn sessions() -> Sessions {
        let live = |version: &str, share, holds| LiveVersion {
            version: version.parse().unwrap(),
            key: format!("secret{version}").parse().ok(),
            share,
            holds,
            known: share > 0,
        };
        let versions =
            vec![live("v2", PLACES / 2, true), live("v1", PLACES / 2, false), live("v3", 0, false)];
        Sessions { cookie: "tandem".to_owned(), pins: true, idle: Millis::ZERO, versions, chosen: None }
    }

    fn at(target: &str, cookie: &str, deployment: &str, safe: bool) -> Outcome {
        let some = |text: &'static str| Some(text.as_bytes()).filter(|text| !text.is_empty());
        let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        let fields = Fields { cookie: some(leak(cookie)), deployment: some(leak(deployment)), chosen: false };
        read(&sessions(), fields, target, safe, false, 0xf000_0001)
    }

    fn version(outcome: &Outcome) -> (&str, bool, Option<&str>) {
        let Outcome::Session(session) = outcome else { panic!("{outcome:?}") };
        (session.version.as_str(), session.only, session.cookie.as_deref())
    }

    #[test]
    fn a_client_is_told_its_version_and_its_place() {
        let told = "tandem=secretv1.f0000001; Path=/; HttpOnly; SameSite=Lax";
        assert_eq!(version(&at("/", "", "", true)), ("v1", false, Some(told)));
        assert_eq!(version(&at("/", "a=b; tandem=secretv1.f0000001", "", true)), ("v1", false, None));
        let moved = "tandem=secretv2.00000001; Path=/; HttpOnly; SameSite=Lax";
        assert_eq!(version(&at("/", "tandem=secretv1.00000001;x", "", true)), ("v2", false, Some(moved)));
        assert_eq!(version(&at("/", "tandem=secretv2.f0000001", "", true)), ("v2", false, None));
    }

    #[test]
    fn pages_name_the_deployment_that_made_them() {
        assert_eq!(version(&at("/x?dpl=v2&y", "tandem=secretv1.f0000001", "", true)), ("v2", false, None));
        assert_eq!(version(&at("/", "", "v2", false)), ("v2", false, None));
        assert_eq!(version(&at("/?dpl=v3", "tandem=secretv1.f0000001", "", true)), ("v1", false, None));
    }

    #[test]
    fn who_is_chosen_gets_the_version_that_comes() {
        let mut sessions = sessions();
        let header = |name, value: &'static str| httparse::Header { name, value: value.as_bytes() };
        assert!(!is_chosen(&sessions, &[header("X-Canary", "1")]), "nobody is");
        let one = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
        sessions.chosen = Some(Chosen { headers: one("x-canary", "1"), cookies: one("beta", "*") });
        for (name, value, chosen) in [
            ("X-Canary", "1", true),
            ("X-Canary", "2", false),
            ("Cookie", "a=b; beta=x", true),
            ("Cookie", "beta", false),
            ("Beta", "x", false),
        ] {
            assert_eq!(
                is_chosen(&sessions, &[header("Host", "a"), header(name, value)]),
                chosen,
                "{name}: {value}"
            );
        }
        let outcome =
            read(&sessions, Fields { chosen: true, ..Fields::default() }, "/", true, false, 0xf000_0001);
        assert_eq!(version(&outcome), ("v2", false, None));
    }

    #[test]
    fn a_link_becomes_a_cookie_and_stays_on_its_host() {
        let again = |target: &str| match at(target, "", "", true) {
            Outcome::Again(again) => *again,
            other => panic!("{other:?}"),
        };
        let cookie = "tandem=secretv3; Path=/; HttpOnly; SameSite=Lax".to_owned();
        assert_eq!(again("/a?x=1&tandem=secretv3&y"), ("/a?x=1&y".to_owned(), cookie.clone()));
        assert_eq!(again("//evil.example/?tandem=secretv3").0, "/evil.example/");
        assert_eq!(version(&at("/?tandem=secretv3", "", "", false)), ("v3", true, Some(cookie.as_str())));
        assert_eq!(version(&at("/", "tandem=secretv3", "", true)), ("v3", true, None));
        assert!(again("/?tandem=none").1.contains("Max-Age=0"));
    }

    #[test]
    fn a_cookie_that_came_by_https_stays_there() {
        let outcome = read(&sessions(), Fields::default(), "/", true, true, 0xf000_0001);
        assert!(version(&outcome).2.unwrap().ends_with("; SameSite=Lax; Secure"), "{outcome:?}");
    }

    #[test]
    fn nothing_from_outside_is_too_odd() {
        for (target, cookie) in
            [("/?", ";;=;"), ("/?&&=&tandem", "tandem"), ("*", "tandem=\"\""), ("/?tandem=", "=")]
        {
            assert_eq!(version(&at(target, cookie, "", true)).0, "v1", "{target} {cookie}");
        }
    }
}
