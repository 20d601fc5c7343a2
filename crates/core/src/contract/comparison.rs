//! What breaks when a client that was written for one document talks to a server of another.
//!
//! There is one rule: whoever reads must understand whatever the other side may write. A client writes requests and a server
//! reads them; a server writes answers and a client reads them. So the same walk (`fit`) serves both, and the way back (a
//! client of the new version and a server of the old one) is the same question with the documents exchanged.
//!
//! Where a schema says more than is understood here, a difference counts as a break. Tested in `comparison/tests.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Operation;
use super::document::{Described, Document, Part};
use super::fit::{Fits, Server, Side};

#[cfg(test)]
mod tests;

/// Something that breaks a client.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// The operation, as requests are counted by.
    pub operation: Operation,
    /// The operation as the client's document writes it.
    pub shown: String,
    /// What breaks, for people. Empty: all of it, the server has no such operation.
    pub what: String,
}

/// All that breaks a client that was written for one document at a server of another.
pub fn breaks(client: &Document<'_>, server: &Document<'_>, age: Server) -> Vec<Finding> {
    if client.root == server.root {
        return Vec::new();
    }
    let mut exchange = Exchange {
        requests: Fits::new(Side::Request, age, client, server),
        answers: Fits::new(Side::Answer, age, server, client),
        gone: age.gone(),
    };
    let parts = |(operation, asked)| {
        let offered = server.operations.get(operation);
        (operation, asked, offered.map(|offered| exchange.of_operation(asked, offered)))
    };
    let all: Vec<(&Operation, &Described<'_>, Option<Vec<Told<'_>>>)> =
        client.operations.iter().map(parts).collect();
    exchange.requests.settle();
    exchange.answers.settle();
    let mut findings = BTreeSet::new();
    for (operation, asked, told) in all {
        let lines = match told {
            None => vec![String::new()],
            Some(told) => told.into_iter().flat_map(|told| exchange.lines(told)).collect(),
        };
        findings.extend(lines.into_iter().map(|what| {
            let (operation, shown) = (operation.clone(), asked.shown.clone());
            Finding { operation, shown, what }
        }));
    }
    findings.into_iter().collect()
}

/// Something to be told of an operation, once all pairs of schemas are settled.
enum Told<'d> {
    Line(String),
    Request(usize, &'d str),
    Answer(usize, &'d str),
}

/// All that client and server exchange.
struct Exchange<'d> {
    requests: Fits<'d>,
    answers: Fits<'d>,
    gone: &'static str,
}

impl<'d> Exchange<'d> {
    fn of_operation(&mut self, asked: &'d Described<'d>, offered: &'d Described<'d>) -> Vec<Told<'d>> {
        let mut told = self.of_request(asked, offered);
        told.extend(self.of_answers(asked, offered));
        told.extend(locked(asked, offered).map(Told::Line));
        told
    }

    fn of_request(&mut self, asked: &'d Described<'d>, offered: &'d Described<'d>) -> Vec<Told<'d>> {
        let mut told = Vec::new();
        let mut line = |key: &str, part: &Part<'_>, what: &str| {
            told.push(Told::Line(format!("{} {what}", entire(key, part))));
        };
        for (key, part) in &offered.sent {
            if part.required && asked.sent.get(key).is_none_or(|sent| !sent.required) {
                line(key, part, "is required");
            }
        }
        for (key, part) in asked.sent.iter().filter(|(key, _)| !offered.sent.contains_key(*key)) {
            line(key, part, self.gone);
        }
        let both = asked.sent.iter().filter_map(|(key, part)| Some((part, offered.sent.get(key)?)));
        told.extend(both.map(|(part, other)| Told::Request(self.requests.add(part, other), &part.title)));
        told
    }

    fn of_answers(&mut self, asked: &'d Described<'d>, offered: &'d Described<'d>) -> Vec<Told<'d>> {
        let mut told = Vec::new();
        for ((status, form), part) in &asked.answers {
            match answer(offered, status, form) {
                Some(other) => told.push(Told::Answer(self.answers.add(other, part), &part.title)),
                // Nobody waits for an error.
                None if matches!(status.as_bytes().first(), Some(b'2' | b'3')) => {
                    let form = if form.is_empty() { String::new() } else { format!(" as {form}") };
                    told.push(Told::Line(format!("response {status}{form} {}", self.gone)));
                }
                None => {}
            }
        }
        told
    }

    fn lines(&self, told: Told<'d>) -> Vec<String> {
        match told {
            Told::Line(line) => vec![line],
            Told::Request(pair, title) => self.requests.told(pair, title),
            Told::Answer(pair, title) => self.answers.told(pair, title),
        }
    }
}

/// A part that is there or not, for people: of a body its form is told, too.
fn entire(key: &str, part: &Part<'_>) -> String {
    if key.starts_with("body") { format!("request {key}") } else { part.title.clone() }
}

/// The answer that a server gives where a client waits for one: `2XX` and `default` are said of many a status.
fn answer<'o, 'd>(offered: &'o Described<'d>, status: &str, form: &str) -> Option<&'o Part<'d>> {
    let range = status.get(..1).map(|first| format!("{first}XX")).unwrap_or_default();
    let family = form.split_once('/').map(|(family, _)| format!("{family}/*")).unwrap_or_default();
    let of_status = |status: &str| {
        let mut all = offered.answers.iter().filter(move |((known, _), _)| known == status);
        let exact = |form: &str| offered.answers.get(&(status.to_owned(), form.to_owned()));
        if form.is_empty() {
            return all.next().map(|(_, part)| part);
        }
        exact(form).or_else(|| exact(&family)).or_else(|| exact("*/*"))
    };
    of_status(status).or_else(|| of_status(&range)).or_else(|| of_status("DEFAULT"))
}

/// Each way in that a client may take must be one that the server accepts.
fn locked(asked: &Described<'_>, offered: &Described<'_>) -> Option<String> {
    let held = |way: &BTreeMap<&str, BTreeSet<&str>>| {
        offered.security.iter().any(|wanted| {
            wanted.iter().all(|(scheme, scopes)| way.get(scheme).is_some_and(|had| scopes.is_subset(had)))
        })
    };
    if asked.security.iter().all(held) {
        return None;
    }
    let way = |way: &BTreeMap<&str, BTreeSet<&str>>| {
        let scheme = |(scheme, scopes): (&&str, &BTreeSet<&str>)| match scopes.is_empty() {
            true => (*scheme).to_owned(),
            false => format!("{scheme} ({})", scopes.iter().copied().collect::<Vec<_>>().join(", ")),
        };
        way.iter().map(scheme).collect::<Vec<_>>().join(" with ")
    };
    let wanted: Vec<String> = offered.security.iter().map(way).collect();
    Some(format!("authorization by {} is required", wanted.join(" or ")))
}
