//! The rules of a route as the threads share them, and what they do to heads of messages.
//!
//! A head is never changed in place: it is built anew from its lines, which were checked at the door, so it stays canonical.
//! Which rule a request obeys and where it leads is decided by `core::traffic::rule`. Does no I/O. Tested through the whole
//! proxy.

use std::sync::Arc;

use tandem_core::spec::RuleSpec;
use tandem_core::traffic::rule::{Asked, expand, fits};

use crate::field::{request_line, write_field};

/// The longest target that a rule may make, in bytes.
const LONGEST_TARGET: usize = 16 * 1024;

/// A rule in force.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) spec: RuleSpec,
}

/// The rules of a route, in the order in which they are looked at.
pub(crate) type Rules = Vec<Arc<Rule>>;

/// The rule that a request obeys.
pub(crate) fn find(rules: &Rules, asked: &Asked<'_>, fields: &[httparse::Header<'_>]) -> Option<Arc<Rule>> {
    let has = |name: &str, value: Option<&str>| {
        let same = |field: &httparse::Header<'_>| {
            field.name.eq_ignore_ascii_case(name) && value.is_none_or(|value| field.value == value.as_bytes())
        };
        fields.iter().any(same)
    };
    rules.iter().find(|rule| fits(&rule.spec, asked, has)).cloned()
}

impl Rule {
    /// Where the client of a request is sent. None: nowhere, or further than a line can bear.
    pub(crate) fn location(&self, asked: &Asked<'_>) -> Option<String> {
        let mut location = Vec::new();
        expand(self.spec.redirect.as_ref()?, &self.spec, asked, &mut location);
        String::from_utf8(location).ok().filter(|location| location.len() <= LONGEST_TARGET)
    }

    /// Whether an instance gets another head than the client sent.
    pub(crate) fn changes_request(&self) -> bool {
        self.spec.rewrite.is_some() || !self.spec.request.is_empty()
    }

    /// Builds the head of a request anew, as an instance is to get it; false: its target would be too long.
    pub(crate) fn rebuild(&self, head: &[u8], host: &str, out: &mut Vec<u8>) -> bool {
        let Some((method, target)) = request_line(head) else { return false };
        out.extend_from_slice(method.as_bytes());
        out.push(b' ');
        match &self.spec.rewrite {
            // What is asked of the server as a whole has no path that could be another one.
            Some(template) if target.starts_with('/') => {
                expand(template, &self.spec, &Asked { method, host, target }, out);
            }
            _ => out.extend_from_slice(target.as_bytes()),
        }
        if out.len() > LONGEST_TARGET {
            return false;
        }
        out.extend_from_slice(b" HTTP/1.1\r\n");
        let changes = &self.spec.request;
        for line in head.split_inclusive(|&b| b == b'\n').skip(1) {
            let name = line.split(|&b| b == b':').next().unwrap_or_default();
            let goes = std::str::from_utf8(name).is_ok_and(|name| changes.takes_away(name));
            if line != b"\r\n" && !goes {
                out.extend_from_slice(line);
            }
        }
        for (name, value) in &changes.set {
            write_field(out, name, value.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        true
    }
}
