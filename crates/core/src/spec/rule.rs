//! What is done with some requests of a service and not with all: the checked values, and the texts that they are made of.
//!
//! Belongs to `service`, and holds the defaults of its part. What a rule means for a request is `traffic::rule`'s. Tested in
//! `check/tests/rule.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::template::Template;
use super::text::{self, Wrong, quoted};

/// So many rules a service may have: they are looked at one after the other.
pub(super) const MOST_RULES: usize = 100;
/// So many header fields a rule may look at, set or remove.
const MOST_FIELDS: usize = 32;
/// The longest value of a header field, in bytes.
const LONGEST_VALUE: usize = 4096;
/// The longest body of an answer, in bytes.
const LONGEST_BODY: usize = 16 * 1024;
/// The value that stands for any.
pub const ANY_VALUE: &str = "*";

/// One rule. A request obeys the first one that fits it, and no other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RuleSpec {
    /// What it is called where it is told of.
    pub name: Option<String>,
    /// What the path begins with, by whole segments; with `=` before it, the whole path. None: any.
    pub path: Option<String>,
    /// Host names as in a listen. Empty: any.
    pub hosts: Vec<String>,
    /// Methods. Empty: any.
    pub methods: Vec<String>,
    /// Header fields that must all be there, by their names in lower case, with the whole value; `*` is any value.
    pub headers: BTreeMap<String, String>,
    /// The client is sent there.
    pub redirect: Option<Template>,
    /// The body of an answer that is given in place of an instance's.
    pub answer: Option<String>,
    /// The status of the redirect or the answer.
    pub status: Option<u32>,
    /// The type of the answer's body.
    pub content_type: Option<String>,
    /// The path that the instance is asked for.
    pub rewrite: Option<Template>,
    /// What becomes of the request's header fields.
    pub request: FieldChanges,
    /// What becomes of the answer's header fields.
    pub response: FieldChanges,
}

/// Header fields that are set or removed, by their names in lower case. What is set replaces what was there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FieldChanges {
    /// Names and values.
    pub set: BTreeMap<String, String>,
    /// Names.
    pub remove: Vec<String>,
}

impl RuleSpec {
    /// What people know it by: its name, else its path.
    pub fn label(&self) -> &str {
        self.name.as_deref().or(self.path.as_deref()).unwrap_or(ANY_VALUE)
    }

    /// Whether every request fits it.
    pub fn fits_all(&self) -> bool {
        let any_path = self.path.as_deref().is_none_or(|path| path == "/");
        any_path && self.hosts.is_empty() && self.methods.is_empty() && self.headers.is_empty()
    }

    /// The status of its redirect or its answer.
    pub fn status(&self) -> u16 {
        // A redirect that keeps the method, so that a form is not lost.
        let default = if self.redirect.is_some() { 308 } else { 200 };
        self.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(default)
    }

    /// The type of its answer's body.
    pub fn content_type(&self) -> &str {
        self.content_type.as_deref().unwrap_or("text/plain; charset=utf-8")
    }
}

impl FieldChanges {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }

    /// Whether a field that is there is to go, perhaps to be set anew. Underscores count as hyphens: many apps can't tell
    /// them apart, and a client could smuggle a value in.
    pub fn takes_away(&self, name: &str) -> bool {
        self.set.keys().chain(&self.remove).any(|known| is_same_field(known, name))
    }
}

/// Whether two names mean the same field to an app.
fn is_same_field(a: &str, b: &str) -> bool {
    let plain = |b: u8| if b == b'_' { b'-' } else { b.to_ascii_lowercase() };
    a.len() == b.len() && a.bytes().map(plain).eq(b.bytes().map(plain))
}

/// Fields by which messages are framed, routed or trusted, which Tandem itself makes: no rule may touch them.
const OWN_FIELDS: &[&str] = &[
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// Whether a header field is Tandem's own to make.
pub fn is_own_field(name: &str) -> bool {
    let forwarding = name.get(..12).is_some_and(|start| is_same_field(start, "x-forwarded-"));
    forwarding || OWN_FIELDS.iter().any(|own| is_same_field(own, name))
}

/// The path of a rule.
pub(super) fn path(text: &str) -> Result<String, Wrong> {
    let exact = text.strip_prefix('=').map(str::trim_start);
    let path = text::path(exact.unwrap_or(text))?;
    if path.contains(['?', '*', '{']) {
        return Err(Wrong::new(
            format!("is {}, and paths are taken as they stand", quoted(text)),
            "write what they begin with, such as \"/api\", or one path as \"=/api\"",
        ));
    }
    Ok(if exact.is_some() { format!("={path}") } else { path })
}

/// A name for people and for metrics.
pub(super) fn name(text: &str) -> Result<String, Wrong> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        return Err(Wrong::new(
            format!("is {}, which can't be the name of a rule", quoted(text)),
            "use letters, digits, '-', '_' and '.', at most 64 of them",
        ));
    }
    Ok(text.to_owned())
}

/// A method.
pub(super) fn method(text: &str) -> Result<String, Wrong> {
    if text.is_empty() || text.len() > 32 || !text.chars().all(|c| c.is_ascii_uppercase() || c == '-') {
        let upper = text.to_ascii_uppercase();
        let help = if text.chars().all(|c| c.is_ascii_alphabetic()) && !text.is_empty() {
            format!("write it in capitals: {}", quoted(&upper))
        } else {
            "write for example \"GET\"".to_owned()
        };
        return Err(Wrong::new(format!("holds {}, which is not a method", quoted(text)), help));
    }
    Ok(text.to_owned())
}

/// The name of a field that a rule looks at.
pub(super) fn any_field(text: &str) -> Result<String, Wrong> {
    text::field(text).map(|name| name.to_ascii_lowercase())
}

/// The name of a field that a rule changes.
pub(super) fn changed_field(text: &str) -> Result<String, Wrong> {
    let name = any_field(text)?;
    if is_own_field(&name) {
        return Err(Wrong::new(
            format!("holds {}, which Tandem itself makes", quoted(text)),
            "leave it out: messages are framed, routed or trusted by it",
        ));
    }
    Ok(name)
}

/// The value of a header field.
pub(super) fn value(text: &str) -> Result<String, Wrong> {
    let fits = |c: char| c == ' ' || c.is_ascii_graphic();
    if text.len() > LONGEST_VALUE || !text.chars().all(fits) || text.trim() != text {
        return Err(Wrong::new(
            format!("holds {}, which can't be the value of a header field", quoted(text)),
            "use what can be seen of ASCII and single spaces between, in one line",
        ));
    }
    Ok(text.to_owned())
}

/// The body of an answer.
pub(super) fn body(text: &str) -> Result<String, Wrong> {
    if text.len() > LONGEST_BODY {
        let help = "let an instance answer what is longer than 16 KiB";
        return Err(Wrong::new("is too long to be an answer of its own", help));
    }
    Ok(text.to_owned())
}

/// Whether these are more fields than a rule may name.
pub(super) fn are_too_many(fields: usize) -> bool {
    fields > MOST_FIELDS
}
