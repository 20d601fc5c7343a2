//! What a rule means together, and beside others. Tested in `tests/rule.rs`.

use std::collections::BTreeSet;

use super::super::found::Found;
use super::super::problem::{Problem, ProblemCode};
use super::super::rule::{MOST_RULES, RuleSpec, are_too_many};
use super::contradiction;

/// Where an answer may send a client.
const REDIRECTS: [u32; 5] = [301, 302, 303, 307, 308];

pub(super) fn rules_make_sense(rules: &[RuleSpec], found: &mut Found) {
    if rules.len() > MOST_RULES {
        let message = format!("there are {} rules, more than {MOST_RULES}", rules.len());
        let problem = Problem::new(ProblemCode::OutOfRange, found.table_span("rule[0]"), message);
        found
            .problems
            .push(problem.help("let one rule fit more requests, or let an instance tell them apart"));
    }
    for (at, rule) in rules.iter().enumerate() {
        ends_or_forwards(at, rule, found);
        status_fits(at, rule, found);
        fields_are_few(at, rule, found);
    }
    names_differ(rules, found);
    all_are_reached(rules, found);
}

/// A rule answers, or it changes what is forwarded.
fn ends_or_forwards(at: usize, rule: &RuleSpec, found: &mut Found) {
    let path = |key: &str| format!("rule[{at}].{key}");
    if rule.redirect.is_some() && rule.answer.is_some() {
        let message = "`rule.answer` answers, and `rule.redirect` too".to_owned();
        contradiction(found, &path("answer"), message, "leave one of them out");
    }
    let ends = rule.redirect.is_some() || rule.answer.is_some();
    let key = if rule.redirect.is_some() { "redirect" } else { "answer" };
    for (name, is_set) in [
        ("rewrite", rule.rewrite.is_some()),
        ("request.set", !rule.request.set.is_empty()),
        ("request.remove", !rule.request.remove.is_empty()),
    ] {
        if ends && is_set {
            let message =
                format!("`rule.{name}` changes what an instance gets, and with `rule.{key}` none gets it");
            contradiction(found, &path(name), message, "leave one of them out");
        }
    }
    if rule.content_type.is_some() && rule.answer.is_none() && found.good(&[&path("answer")]) {
        let message = "`rule.type` is that of an answer, and there is none".to_owned();
        contradiction(found, &path("type"), message, "write its body: answer = \"\"");
    }
}

fn status_fits(at: usize, rule: &RuleSpec, found: &mut Found) {
    let path = |key: &str| format!("rule[{at}].{key}");
    let Some(status) = rule.status else { return };
    if !found.good(&[&path("redirect"), &path("answer")]) {
        return;
    }
    let wrong = match (&rule.redirect, rule.answer.as_deref()) {
        (None, None) => ("is that of an answer, and there is none", "write its body: answer = \"\""),
        (Some(_), _) if !REDIRECTS.contains(&status) => {
            ("sends no client anywhere", "possible are 301, 302, 303, 307 and 308")
        }
        (None, Some(body)) if matches!(status, 204 | 304) && !body.is_empty() => {
            ("is that of an answer without a body", "write answer = \"\"")
        }
        _ => return,
    };
    contradiction(found, &path("status"), format!("`rule.status` is {status}, which {}", wrong.0), wrong.1);
}

fn fields_are_few(at: usize, rule: &RuleSpec, found: &mut Found) {
    for (key, count) in [
        ("headers", rule.headers.len()),
        ("request.set", rule.request.set.len()),
        ("request.remove", rule.request.remove.len()),
        ("response.set", rule.response.set.len()),
        ("response.remove", rule.response.remove.len()),
    ] {
        if are_too_many(count) {
            let message = format!("`rule.{key}` names {count} header fields, more than a rule may");
            let span = found.span(&format!("rule[{at}].{key}"));
            found.problems.push(Problem::new(ProblemCode::OutOfRange, span, message));
        }
    }
}

fn names_differ(rules: &[RuleSpec], found: &mut Found) {
    let mut seen = BTreeSet::new();
    for (at, rule) in rules.iter().enumerate() {
        if let Some(name) = &rule.name
            && !seen.insert(name)
        {
            let message = format!("two rules have the name {name}");
            contradiction(found, &format!("rule[{at}].name"), message, "give one of them another name");
        }
    }
}

/// Rules are looked at in the order of the file, and the first one that fits is obeyed.
fn all_are_reached(rules: &[RuleSpec], found: &mut Found) {
    let Some(at) = rules.iter().position(RuleSpec::fits_all) else { return };
    let path = |key: &str| format!("rule[{at}].{key}");
    if at + 1 < rules.len()
        && found.good(&[&path("path"), &path("hosts"), &path("methods"), &path("headers")])
    {
        let message = "no rule after this one is ever reached: it fits every request".to_owned();
        let problem =
            Problem::new(ProblemCode::Contradiction, found.table_span(&format!("rule[{at}]")), message);
        found.problems.push(problem.help("rules are looked at in the order of the file: move it to the end"));
    }
}
