//! What is answered in place of the instances: the checked values of `[[rule]]`, and the checks of its texts.
//!
//! Which rule a request meets, and what a redirect leads to, is said by `traffic::rule`. Tested in place and in
//! `check/tests.rs`.

use serde::{Deserialize, Serialize};

use super::found::Found;
use super::problem::{Problem, ProblemCode};
use super::service::ServiceSpec;
use super::text::{self, Wrong, quoted};

/// The methods that a rule may name: all that are served.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// The statuses that make a client follow `Location`.
const REDIRECTS: [u32; 5] = [301, 302, 303, 307, 308];
/// The statuses of answers that can't have a body.
const BODILESS: [u32; 3] = [204, 205, 304];
/// What a redirect may hold in place of a part of the request.
const PLACEHOLDERS: [&str; 3] = ["{host}", "{path}", "{query}"];
/// The longest body that a rule may answer with, in bytes.
const LONGEST_BODY: usize = 16 * 1024;
/// The longest target of a redirect, in bytes.
const LONGEST_TARGET: usize = 2 * 1024;
/// So many rules a service may have: they are looked at one after the other.
const MOST_RULES: usize = 100;

/// Requests that are answered at once: sent elsewhere (`redirect`), or told a status and a text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RuleSpec {
    /// What the path begins with, by whole segments; all of the path behind a `=`. None: all paths.
    #[serde(default)]
    pub path: Option<String>,
    /// The methods, in capitals. Empty: all.
    #[serde(default)]
    pub methods: Vec<String>,
    /// The host names, lower case; `*.example.com` matches one label. Empty: all that the service has.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Where the client is sent, with `{host}`, `{path}` and `{query}` of its request. None: it is told `status` and `body`.
    #[serde(default)]
    pub redirect: Option<String>,
    /// The status. None: that of a permanent redirect.
    #[serde(default)]
    pub status: Option<u32>,
    /// The text of the answer.
    #[serde(default)]
    pub body: Option<String>,
    /// The media type of the text. None: plain text.
    #[serde(default, rename = "type")]
    pub media: Option<String>,
}

impl RuleSpec {
    /// The status of the answer.
    pub fn answers(&self) -> u16 {
        self.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(308)
    }

    /// What is wrong with it as a whole: the key, what happened, what to do.
    fn contradiction(&self) -> Option<(&'static str, String, &'static str)> {
        let (body, media) = (self.body.is_some(), self.media.is_some());
        Some(match (&self.redirect, self.status) {
            (None, None) => (
                "",
                "a [[rule]] says neither `redirect` nor `status`, so it does nothing".to_owned(),
                "add for example redirect = \"https://new.example{path}{query}\", or status = 404",
            ),
            (Some(_), Some(status)) if !REDIRECTS.contains(&status) => (
                "status",
                format!("`rule.status` is {status}, which sends nobody anywhere"),
                "with `redirect`, write 301, 302, 303, 307 or 308, or leave `status` out",
            ),
            (None, Some(status)) if REDIRECTS.contains(&status) => (
                "status",
                format!("`rule.status` is {status}, and there is no `redirect`"),
                "add for example redirect = \"https://new.example{path}{query}\"",
            ),
            (Some(_), _) if body => {
                ("body", "`rule.body` stands beside `redirect`".to_owned(), "leave one of them out")
            }
            (_, Some(status)) if body && BODILESS.contains(&status) => (
                "body",
                format!("`rule.body` stands beside the status {status}, which can't have one"),
                "leave it out, or take another status",
            ),
            _ if media && !body => (
                "type",
                "`rule.type` has no `body` beside it".to_owned(),
                "add the `body`, or leave the type out",
            ),
            _ => return None,
        })
    }
}

/// Each rule says one thing to do, and says it whole; and there are not too many.
pub(super) fn rules_make_sense(spec: &ServiceSpec, found: &mut Found) {
    for (at, rule) in spec.rules.iter().enumerate() {
        let keys = ["redirect", "status", "body", "type"].map(|key| format!("rule[{at}].{key}"));
        let good = found.good(&keys.each_ref().map(String::as_str));
        let wrong = match at {
            MOST_RULES => Some((
                "",
                format!("there are more than {MOST_RULES} rules"),
                "let one with a shorter `path` stand for several",
            )),
            _ => rule.contradiction().filter(|_| good),
        };
        let Some((key, message, help)) = wrong else { continue };
        let span = match key {
            "" => found.list_span("rule", at),
            key => found.span(&format!("rule[{at}].{key}")),
        };
        found.problems.push(Problem::new(ProblemCode::Contradiction, span, message).help(help));
    }
}

/// A path, with a `=` before it if all of it must be the same.
pub(super) fn path(text: &str) -> Result<String, Wrong> {
    let (mark, path) = text.strip_prefix('=').map_or(("", text), |path| ("=", path));
    if path.ends_with('*') {
        let path = path.trim_end_matches('*');
        let help = format!("write {}: it stands for all below it", quoted(path));
        return Err(Wrong::new(format!("is {}, and no patterns are understood", quoted(text)), help));
    }
    if path.contains('?') {
        let what = format!("is {}, and the query is not looked at", quoted(text));
        return Err(Wrong::new(what, "leave out what follows the ?"));
    }
    text::path(path).map(|path| format!("{mark}{path}"))
}

/// A method that is served.
pub(super) fn method(text: &str) -> Result<String, Wrong> {
    if METHODS.contains(&text) {
        return Ok(text.to_owned());
    }
    let capitals = text.to_ascii_uppercase();
    let help = match METHODS.contains(&capitals.as_str()) {
        true => format!("write it in capitals: {}", quoted(&capitals)),
        false => format!("known are {}", METHODS.join(", ")),
    };
    Err(Wrong::new(format!("holds {}, which is not a method that is served", quoted(text)), help))
}

/// Where a redirect leads: a path of the same host, or a URL whose host is whole before anything of the client's path.
pub(super) fn redirect(text: &str) -> Result<String, Wrong> {
    let is = |what: &str| format!("is {}, {what}", quoted(text));
    if text.len() > LONGEST_TARGET {
        return Err(Wrong { what: format!("is longer than {LONGEST_TARGET} characters"), help: None });
    }
    if let Some(c) = text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '\\' | '"' | '<' | '>')) {
        let help = "write such characters as %XX, as a browser would send them";
        return Err(Wrong::new(is(&format!("and a URL can't contain {c:?}")), help));
    }
    let plain = PLACEHOLDERS.iter().fold(text.to_owned(), |text, name| text.replace(name, " "));
    if plain.contains(['{', '}']) {
        return Err(Wrong::new(
            is("with braces around something else"),
            "known are {host}, {path} and {query}",
        ));
    }
    if text.starts_with("//") {
        return Err(Wrong::new(is("which names a host without a scheme"), format!("write \"https:{text}\"")));
    }
    if text.starts_with('/') || text.starts_with("{path}") {
        return Ok(text.to_owned());
    }
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        let help = "begin with https://, or with a slash to stay on the same host";
        return Err(Wrong::new(is("which is neither a URL nor a path"), help));
    };
    let ends = ["/", "?", "#", "{path}", "{query}"].map(|end| rest.find(end).unwrap_or(rest.len()));
    let (host, after) = rest.split_at(ends.into_iter().min().unwrap_or(rest.len()));
    let host = host.replace("{host}", "h");
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    // A query may be empty: what follows it would then be a part of the host.
    if host.is_empty() || !host.bytes().all(fits) || after.starts_with("{query}") {
        let help =
            "write the whole host, then a path: what a client sends must not become a part of the host";
        return Err(Wrong::new(is("whose host is not one"), help));
    }
    Ok(text.to_owned())
}

/// The text of an answer.
pub(super) fn body(text: &str) -> Result<String, Wrong> {
    match text.len() {
        0..=LONGEST_BODY => Ok(text.to_owned()),
        _ => Err(Wrong { what: format!("is longer than {LONGEST_BODY} bytes"), help: None }),
    }
}

/// A media type.
pub(super) fn media(text: &str) -> Result<String, Wrong> {
    let fits = |b: u8| b.is_ascii_graphic() || b == b' ';
    let named = text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
    if named && text.len() <= 128 && text.trim() == text && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(
        format!("is {}, which is not a media type", quoted(text)),
        "write for example \"text/html\"",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_client_becomes_the_host_of_a_redirect() {
        for good in [
            "/new",
            "{path}{query}",
            "/{path}",
            "https://new.example{path}",
            "https://new.example:8443/a{path}{query}",
            "https://www.{host}{path}",
            "https://[::1]/",
            "http://{host}?from={path}",
        ] {
            assert_eq!(redirect(good).ok().as_deref(), Some(good));
        }
        for bad in [
            "",
            "new",
            "//evil.example",
            "https://",
            "https://{path}",
            "https:///{path}",
            "https://{query}.example",
            "https://new.example{query}.evil",
            "https://user@new.example",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: x=y",
            "/a b",
            "/\\evil.example",
            "/{name}",
            "/{path",
            "/{{path}query}",
        ] {
            assert!(redirect(bad).is_err(), "{bad:?}");
        }
    }
}
