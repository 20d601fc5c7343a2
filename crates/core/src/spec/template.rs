//! A text with places that are filled from a request: where its client is sent, or what an instance is asked for instead.
//!
//! Knows which places there are and where they may stand, so that no request can lead its client to another host than the
//! one that is written. What fills them is `traffic::rule`'s. Tested in place.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Wrong, quoted};

/// The longest text.
const LONGEST: usize = 1024;
/// The most places.
const MOST: usize = 8;

/// A text with places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Template(Vec<Part>);

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A text as it stands.
    Text(String),
    /// `{path}`: the path of the request, without its query.
    Path,
    /// `{rest}`: what follows in it after the rule's own path.
    Rest,
    /// `{query}`: the query, without the `?`.
    Query,
    /// `{host}`: the host of the request, without a port.
    Host,
}

/// A text that is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotATemplate(&'static str);

impl Template {
    /// Its pieces, in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// Whether it says a query of its own: then that of the request does not follow by itself.
    pub fn has_query(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Text(text) if text.contains('?')))
    }

    fn begins_with_path(&self) -> bool {
        match self.0.first() {
            Some(Part::Text(text)) => text.starts_with('/'),
            first => matches!(first, Some(Part::Path | Part::Rest)),
        }
    }
}

impl Part {
    fn named(name: &str) -> Option<Part> {
        match name {
            "path" => Some(Part::Path),
            "rest" => Some(Part::Rest),
            "query" => Some(Part::Query),
            "host" => Some(Part::Host),
            _ => None,
        }
    }
}

impl FromStr for Template {
    type Err = NotATemplate;

    fn from_str(text: &str) -> Result<Self, NotATemplate> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(NotATemplate("which is empty or longer than 1024 characters"));
        }
        if !text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '#' | '\\' | '"' | '<' | '>')) {
            return Err(NotATemplate("and a URL can't contain one of its characters"));
        }
        let mut parts = Vec::new();
        let mut left = text;
        while let Some((before, after)) = left.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(NotATemplate("where a brace is not closed"))?;
            let place = Part::named(name).ok_or(NotATemplate("with a place that is not known"))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(place);
            left = after;
        }
        if !left.is_empty() {
            parts.push(Part::Text(left.to_owned()));
        }
        if parts.iter().filter(|part| !matches!(part, Part::Text(_))).count() > MOST {
            return Err(NotATemplate("with more than 8 places"));
        }
        if parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains('}'))) {
            return Err(NotATemplate("where a brace is not opened"));
        }
        Ok(Template(parts))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| {
            f.write_str(match part {
                Part::Text(text) => text,
                Part::Path => "{path}",
                Part::Rest => "{rest}",
                Part::Query => "{query}",
                Part::Host => "{host}",
            })
        })
    }
}

impl TryFrom<String> for Template {
    type Error = NotATemplate;

    fn try_from(text: String) -> Result<Self, NotATemplate> {
        text.parse()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> String {
        template.to_string()
    }
}

fn parsed(text: &str) -> Result<Template, Wrong> {
    text.parse().map_err(|NotATemplate(why)| {
        Wrong::new(format!("is {}, {why}", quoted(text)), "places are {path}, {rest}, {query} and {host}")
    })
}

/// Where a client is sent: a path of the same host, or a whole URL whose host the request has no part in but by its own.
pub(super) fn redirect(text: &str) -> Result<String, Wrong> {
    let template = parsed(text)?;
    let wrong = |why: &str| {
        let help = "write for example \"https://new.example{path}\" or \"/new{rest}\"";
        Err(Wrong::new(format!("is {}, {why}", quoted(text)), help))
    };
    let whole = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match whole {
        None if !template.begins_with_path() => return wrong("which is neither a URL nor a path"),
        None => {}
        Some(rest) => {
            let ends = ["/", "?", "{path}", "{rest}"].iter().filter_map(|end| rest.find(end)).min();
            let authority = rest.get(..ends.unwrap_or(rest.len())).unwrap_or("").replace("{host}", "host");
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
            if authority.is_empty() || authority.starts_with(':') || !authority.bytes().all(fits) {
                return wrong("whose host is not one");
            }
        }
    }
    let question = text.find('?').unwrap_or(text.len());
    if text.find("{query}").is_some_and(|at| at < question) {
        return wrong("where {query} stands before a question mark");
    }
    Ok(text.to_owned())
}

/// What an instance is asked for: a path.
pub(super) fn rewrite(text: &str) -> Result<String, Wrong> {
    let template = parsed(text)?;
    let wrong = |why: &str| {
        let help = "write for example \"{rest}\", \"/v2{path}\" or \"/index.html\"";
        Err(Wrong::new(format!("is {}, {why}", quoted(text)), help))
    };
    if !template.begins_with_path() {
        return wrong("which does not begin like a path");
    }
    if template.has_query() || template.0.iter().any(|part| matches!(part, Part::Query | Part::Host)) {
        return wrong("and only the path is rewritten: the query stays, and the host does not belong there");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_shown() {
        for text in ["/", "{path}", "https://{host}:8443{path}?a={query}&b", "/a{rest}/b"] {
            assert_eq!(text.parse::<Template>().map(|read| read.to_string()).as_deref(), Ok(text));
        }
        for wrong in ["", "/{", "/}", "/{p}", "/a b", "/a\r\nb", "/ä", "/a#b", "/\\evil", &"{path}".repeat(9)]
        {
            assert!(wrong.parse::<Template>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_request_chooses_the_host() {
        for good in [
            "https://new.example{path}",
            "http://{host}",
            "https://www.{host}:444{rest}?{query}",
            "{path}",
            "/a",
        ] {
            assert!(redirect(good).is_ok(), "{good}");
        }
        for bad in [
            "new.example{path}",
            "{host}/x",
            "{query}",
            "https://",
            "https://{path}",
            "https:///x",
            "https://a{query}",
            "https://:80/",
            "https://me@a/",
            "javascript:{path}",
            "/a{query}?",
        ] {
            assert!(redirect(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_path_is_rewritten() {
        for good in ["{rest}", "{path}", "/v2{path}", "/v2{rest}", "/x", "/"] {
            assert!(rewrite(good).is_ok(), "{good}");
        }
        for bad in ["x", "https://a/", "/a?b", "/{host}", "/{query}", "{host}{path}"] {
            assert!(rewrite(bad).is_err(), "{bad}");
        }
    }
}
