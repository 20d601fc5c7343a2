//! Which rule a request meets, and where a redirect leads.
//!
//! Rules are looked at in the order of the file, and the first one that fits decides. Hosts come in lower case and without a
//! port, paths as they were sent. Finding one allocates nothing. Tested in place.

use super::matching::is_below;
use crate::spec::RuleSpec;

/// The position of the first rule for a request; `target` may have a query.
pub fn find(rules: &[RuleSpec], method: &str, host: &str, target: &str) -> Option<usize> {
    let host = host.strip_suffix('.').unwrap_or(host);
    rules.iter().position(|rule| {
        let path = rule.path.as_deref().is_none_or(|path| fits_path(path, target));
        let method = rule.methods.is_empty() || rule.methods.iter().any(|known| known == method);
        path && method && (rule.hosts.is_empty() || rule.hosts.iter().any(|name| fits_host(name, host)))
    })
}

fn fits_path(path: &str, target: &str) -> bool {
    match path.strip_prefix('=') {
        Some(whole) => split(target).0 == whole,
        None => is_below(target, path.trim_end_matches('/')),
    }
}

fn fits_host(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => name == host,
    }
}

/// The path of a target, and its query with the `?`.
fn split(target: &str) -> (&str, &str) {
    target.split_at(target.find('?').unwrap_or(target.len()))
}

/// Where a redirect leads a request for this host (as it was sent) and target. What begins as a path stays one: two slashes at
/// its beginning would name another host.
pub fn location(redirect: &str, host: &str, target: &str) -> String {
    let (path, query) = split(target);
    let path = if path.starts_with('/') { path } else { "/" };
    let mut location = String::with_capacity(redirect.len() + host.len() + target.len());
    let mut rest = redirect;
    // One pass: what a client sends is never looked at for placeholders again.
    while let Some(at) = rest.find('{') {
        let (before, after) = rest.split_at(at);
        location.push_str(before);
        let (name, left) = after.split_at(after.find('}').map_or(after.len(), |end| end + 1));
        match name {
            "{host}" => location.push_str(host),
            "{path}" => location.push_str(path),
            "{query}" => location.push_str(query),
            other => location.push_str(other),
        }
        rest = left;
    }
    location.push_str(rest);
    match location.starts_with('/') {
        true => format!("/{}", location.trim_start_matches('/')),
        false => location,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str, methods: &[&str], hosts: &[&str]) -> RuleSpec {
        let all = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let path = Some(path.to_owned()).filter(|path| !path.is_empty());
        RuleSpec { path, methods: all(methods), hosts: all(hosts), ..RuleSpec::default() }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = [
            rule("=/", &[], &["old.example"]),
            rule("/api", &["POST", "PUT"], &[]),
            rule("/api/", &[], &["*.example"]),
            rule("=/api/v1", &[], &[]),
            rule("", &["DELETE"], &[]),
        ];
        for (method, host, target, wanted) in [
            ("GET", "old.example", "/", Some(0)),
            ("GET", "old.example.", "/?a=b", Some(0)),
            ("GET", "old.example", "/a", None),
            ("GET", "older.example", "/", None),
            ("POST", "x.org", "/api/v1", Some(1)),
            ("PUT", "x.org", "/api?x", Some(1)),
            ("POST", "x.org", "/apis", None),
            ("GET", "x.example", "/api/v1", Some(2)),
            ("GET", "x.example", "/api", Some(2)),
            ("GET", "a.x.example", "/api/v1", Some(3)),
            ("GET", "example", "/api/v1?q", Some(3)),
            ("GET", "x.org", "/api/v1/", None),
            ("DELETE", "x.org", "*", Some(4)),
        ] {
            assert_eq!(find(&rules, method, host, target), wanted, "{method} {host} {target}");
        }
    }

    #[test]
    fn a_redirect_keeps_what_it_says_and_nothing_else() {
        for (redirect, target, wanted) in [
            ("https://new.example{path}{query}", "/a/b?c=d", "https://new.example/a/b?c=d"),
            ("https://new.example{path}{query}", "/a", "https://new.example/a"),
            ("https://new.example{path}", "*", "https://new.example/"),
            ("https://www.{host}{path}", "//evil", "https://www.x.org:81//evil"),
            ("/new", "/old?a", "/new"),
            ("{path}", "//evil.example/", "/evil.example/"),
            ("/{path}", "/evil.example", "/evil.example"),
            ("/go?to={path}", "/{host}{query}?x", "/go?to=/{host}{query}"),
        ] {
            assert_eq!(location(redirect, "x.org:81", target), wanted, "{redirect} {target}");
        }
    }
}
