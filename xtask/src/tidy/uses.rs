//! Which paths a source names: its `use` declarations spread out, and paths written in place.

use super::tree::Source;

/// A path such as `std::collections::HashMap` and where it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The line, from 1.
    pub(super) line: usize,
    /// The path's parts.
    pub(super) parts: Vec<String>,
}

impl Named {
    /// Whether the path is `prefix` (`a::b`) or lies below it.
    pub(super) fn is_under(&self, prefix: &str) -> bool {
        let mut parts = self.parts.iter();
        prefix.split("::").all(|wanted| parts.next().is_some_and(|part| part == wanted))
    }
}

/// All paths of two parts or more, and every `use`, in the source's program code (tests left out), from the crate's
/// root where they begin with `crate`, `self` or `super`.
pub(super) fn paths(source: &Source) -> Vec<Named> {
    let mut tokens = Vec::new();
    for (line, text) in source.program_lines() {
        tokens.extend(split(text).into_iter().map(|token| (line, token)));
    }
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((line, token)) = tokens.get(at) {
        if *token == "use" {
            at = tree(&tokens, at + 1, &[], &mut found);
        } else if is_word(token) {
            let (parts, next) = plain(&tokens, at);
            if parts.len() > 1 {
                found.push(Named { line: *line, parts });
            }
            at = next;
        } else {
            at += 1;
        }
    }
    for named in &mut found {
        from_root(source, &mut named.parts);
    }
    found
}

type Tokens<'a> = [(usize, &'a str)];

/// Reads one tree of a `use` from `at`; returns where it ends.
fn tree(tokens: &Tokens<'_>, at: usize, before: &[String], found: &mut Vec<Named>) -> usize {
    let mut parts = before.to_vec();
    let mut at = at;
    while let Some((line, token)) = tokens.get(at) {
        match *token {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|(_, token)| *token != "}" && *token != ";") {
                    at = tree(tokens, at, &parts, found);
                    at += usize::from(tokens.get(at).is_some_and(|(_, token)| *token == ","));
                }
                return at + 1;
            }
            "as" => at += 2,
            word if is_word(word) || word == "*" => {
                parts.push(word.to_owned());
                at += 1;
                if tokens.get(at).is_none_or(|(_, token)| *token != "::") {
                    found.push(Named { line: *line, parts: parts.clone() });
                }
            }
            _ => return at,
        }
    }
    at
}

/// Reads `a::b::c` from `at`.
fn plain(tokens: &Tokens<'_>, at: usize) -> (Vec<String>, usize) {
    let mut parts = Vec::new();
    let mut at = at;
    while let Some((_, word)) = tokens.get(at).filter(|(_, token)| is_word(token)) {
        parts.push((*word).to_owned());
        at += 1;
        if tokens.get(at).is_none_or(|(_, token)| *token != "::") {
            break;
        }
        at += 1;
    }
    (parts, at)
}

/// Turns `self::x` and `super::x` into `crate::…`.
fn from_root(source: &Source, parts: &mut Vec<String>) {
    let relative = parts.iter().take_while(|part| *part == "self" || *part == "super").count();
    if relative == 0 {
        return;
    }
    let up = parts.iter().take(relative).filter(|part| *part == "super").count();
    let mut module: Vec<String> = source.module().into_iter().map(str::to_owned).collect();
    module.truncate(module.len().saturating_sub(up));
    let rest = parts.split_off(relative);
    *parts = std::iter::once("crate".to_owned()).chain(module).chain(rest).collect();
}

fn is_word(token: &str) -> bool {
    token.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
}

/// Words, `::` and single signs.
fn split(line: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let source = Source::new(path.to_owned(), text.to_owned());
        paths(&source).into_iter().map(|named| named.parts.join("::")).collect()
    }

    #[test]
    fn trees_are_spread_out_and_relative_paths_resolved() {
        let text = "use std::{fs, io::{self, Read as R}};\nuse super::x::Y;\nuse crate::*;\nfn f() { std::env::var(a::<u8>()); }";
        assert_eq!(
            found("crates/p/src/a/b.rs", text),
            ["std::fs", "std::io::self", "std::io::Read", "crate::a::x::Y", "crate::*", "std::env::var"]
        );
    }

    #[test]
    fn tests_are_left_out() {
        assert!(found("crates/p/src/a.rs", "#[cfg(test)]\nmod tests {\n  use std::fs;\n}").is_empty());
    }
}
