//! Which rule a request obeys, and where it leads.
//!
//! Knows requests by their parts and nothing of how they came. Paths are compared as they were sent. Tested in place.

use super::matching::is_below;
use crate::spec::{ANY_VALUE, Part, RuleSpec, Template};

/// A request as a rule sees it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a str,
    /// The host as it was sent, without a port.
    pub host: &'a str,
    /// The path with its query; `*` of OPTIONS.
    pub target: &'a str,
}

impl<'a> Asked<'a> {
    fn path(&self) -> &'a str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }

    fn query(&self) -> Option<&'a str> {
        self.target.split_once('?').map(|(_, query)| query)
    }
}

/// Whether a request fits a rule. `has` tells whether it has a header field of a name, with a value or with any.
pub fn fits(rule: &RuleSpec, asked: &Asked<'_>, has: impl Fn(&str, Option<&str>) -> bool) -> bool {
    let path = |path: &String| path_fits(path, asked.path());
    let value = |value: &'_ str| -> bool { value != ANY_VALUE };
    rule.path.as_ref().is_none_or(path)
        && (rule.methods.is_empty() || rule.methods.iter().any(|method| method == asked.method))
        && (rule.hosts.is_empty() || rule.hosts.iter().any(|host| host_fits(host, asked.host)))
        && rule.headers.iter().all(|(name, wanted)| has(name, Some(wanted.as_str()).filter(|v| value(v))))
}

fn path_fits(wanted: &str, path: &str) -> bool {
    match wanted.strip_prefix('=') {
        Some(exact) => path == exact,
        None => path.starts_with('/') && is_below(path, wanted.trim_end_matches('/')),
    }
}

fn host_fits(wanted: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    match wanted.strip_prefix("*.") {
        Some(rest) => host.split_once('.').is_some_and(|(_, after)| after.eq_ignore_ascii_case(rest)),
        None => host.eq_ignore_ascii_case(wanted),
    }
}

/// Appends what a template comes to for a request that fits its rule.
///
/// It never begins with two slashes, which would name another host, and the query follows by itself.
pub fn expand(template: &Template, rule: &RuleSpec, asked: &Asked<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    // What is asked of the server as a whole has no path.
    let path = Some(asked.path()).filter(|path| path.starts_with('/')).unwrap_or("/");
    for part in template.parts() {
        let text = match part {
            Part::Text(text) => text,
            Part::Path => path,
            Part::Rest => rest(rule, path),
            Part::Query => asked.query().unwrap_or_default(),
            Part::Host => asked.host,
        };
        out.extend_from_slice(text.as_bytes());
    }
    let written = out.get(start..).unwrap_or_default();
    let slashes = written.iter().take_while(|&&b| b == b'/').count();
    if written.is_empty() {
        out.push(b'/');
    }
    out.drain(start..start + slashes.saturating_sub(1));
    if let Some(query) = asked.query().filter(|_| !template.has_query()) {
        out.push(b'?');
        out.extend_from_slice(query.as_bytes());
    }
}

/// What follows in a path after that of the rule.
fn rest<'p>(rule: &RuleSpec, path: &'p str) -> &'p str {
    let own = rule.path.as_deref().unwrap_or_default();
    let own = own.strip_prefix('=').unwrap_or_else(|| own.trim_end_matches('/'));
    path.strip_prefix(own).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str) -> RuleSpec {
        RuleSpec { path: Some(path.to_owned()).filter(|path| !path.is_empty()), ..RuleSpec::default() }
    }

    fn get(target: &str) -> Asked<'_> {
        Asked { method: "GET", host: "Shop.Example", target }
    }

    #[test]
    fn paths_fit_by_whole_segments_or_as_a_whole() {
        for (path, target, wanted) in [
            ("/api", "/api", true),
            ("/api", "/api/x?y", true),
            ("/api", "/api?x", true),
            ("/api/", "/api", true),
            ("/api", "/apis", false),
            ("/api", "/API", false),
            ("=/api", "/api?x", true),
            ("=/api", "/api/", false),
            ("=/", "/", true),
            ("=/", "/a", false),
            ("/", "/a", true),
            ("/", "*", false),
            ("", "*", true),
        ] {
            assert_eq!(fits(&rule(path), &get(target), |_, _| false), wanted, "{path} {target}");
        }
    }

    #[test]
    fn all_that_is_named_must_fit() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let has = |name: &str, value: Option<&str>| name == "x-a" && value.is_none_or(|value| value == "1");
        let mut one = rule("/");
        one.methods = words(&["HEAD", "GET"]);
        one.hosts = words(&["a.org", "*.example"]);
        one.headers.insert("x-a".to_owned(), "1".to_owned());
        assert!(fits(&one, &get("/"), has));
        assert!(!fits(&one, &Asked { method: "POST", ..get("/") }, has));
        for (host, wanted) in
            [("A.ORG", true), ("a.org.", true), ("example", false), ("a.b.example", false), ("b.org", false)]
        {
            assert_eq!(fits(&one, &Asked { host, ..get("/") }, has), wanted, "{host}");
        }
        for (name, value, wanted) in [("x-a", "*", true), ("x-a", "2", false), ("x-b", "*", false)] {
            one.headers = [(name.to_owned(), value.to_owned())].into();
            assert_eq!(fits(&one, &get("/"), has), wanted, "{name} {value}");
        }
    }

    #[test]
    fn places_are_filled_and_the_host_stays_what_is_written() {
        for (path, template, target, wanted) in [
            ("/old", "https://new.example{path}", "/old/a?b=c", "https://new.example/old/a?b=c"),
            ("/old", "https://new.example{rest}", "/old?x", "https://new.example?x"),
            ("/old", "/new{rest}", "/old//evil.example", "/new//evil.example"),
            ("/old", "/{rest}", "/old//evil.example/x", "/evil.example/x"),
            ("", "{path}", "///evil.example", "/evil.example"),
            ("", "https://{host}:8443{path}", "/a", "https://Shop.Example:8443/a"),
            ("", "/x?from={path}&{query}", "/a?b", "/x?from=/a&b"),
            ("", "/x?", "/a?b", "/x?"),
            ("", "/x", "*", "/x"),
            ("", "/v2{path}", "*", "/v2/"),
            ("/api/", "{rest}", "/api", "/"),
            ("/api", "{rest}", "/api/?", "/?"),
            ("/api", "{rest}", "/api/a?b?c", "/a?b?c"),
            ("=/a", "/b{rest}", "/a", "/b"),
        ] {
            let mut out = b"Location: ".to_vec();
            expand(&template.parse().unwrap(), &rule(path), &get(target), &mut out);
            let out = String::from_utf8(out).unwrap();
            assert_eq!(out.strip_prefix("Location: "), Some(wanted), "{template} {target}");
        }
    }
}
