//! What PostgreSQL's own parser says about a text: its tokens, its statements as trees, and where it goes wrong.
//!
//! The only place that calls `pg_query`. Knows nothing of files and migrations: positions are bytes of the text that was
//! given. Trees are JSON values, so that a walk sees every node there is and not only those that somebody listed.

use pg_query::protobuf::{RawStmt, Token as Kind};
use serde_json::Value;

/// A word, literal, sign or comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// First byte.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
    kind: i32,
}

impl Token {
    /// `-- …` to the end of the line.
    pub(crate) fn is_line_comment(&self) -> bool {
        self.kind == Kind::SqlComment as i32
    }

    /// Any comment.
    pub(crate) fn is_comment(&self) -> bool {
        self.is_line_comment() || self.kind == Kind::CComment as i32
    }

    /// A sign of one character.
    pub(crate) fn is_sign(&self, sign: u8) -> bool {
        self.kind == i32::from(sign)
    }

    /// A word written without quotes.
    pub(crate) fn is_word(&self, text: &str, word: &str) -> bool {
        self.text(text).eq_ignore_ascii_case(word)
    }

    /// As it stands in the text.
    pub(crate) fn text<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// A text that is not SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What PostgreSQL says.
    pub(crate) message: String,
    /// First and one past the last byte of what it stumbled over, where that can be told.
    pub(crate) at: Option<(usize, usize)>,
}

/// One statement as the parser sees it.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    /// Its first byte: no comment and no space.
    pub(crate) start: usize,
    /// One past its last byte: no `;`.
    pub(crate) end: usize,
    /// Its tree, with positions that count from `base`; None: nested too deeply to be looked at.
    pub(crate) tree: Option<Value>,
    /// Where the tree's positions count from.
    pub(crate) base: usize,
}

/// All tokens, comments included.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    // Not `scan_tokens`: where there is no token it makes a slice of a null pointer.
    let scanned = pg_query::scan(text).map_err(|error| fault(text, &[], error))?;
    let offset = |at: i32| usize::try_from(at).unwrap_or_default();
    Ok(scanned
        .tokens
        .iter()
        .map(|token| Token { start: offset(token.start), end: offset(token.end), kind: token.token })
        .filter(|token| token.start < token.end && text.get(token.start..token.end).is_some())
        .collect())
}

/// The statements of a text whose tokens are known.
pub(crate) fn statements(text: &str, tokens: &[Token]) -> Result<Vec<Parsed>, Fault> {
    match pg_query::parse(text, 0) {
        Ok(result) => Ok(result.protobuf.stmts.iter().filter_map(|raw| parsed(text, tokens, raw)).collect()),
        Err(pg_query::Error::Decode(_)) => deep(text, tokens),
        Err(error) => Err(fault(text, tokens, error)),
    }
}

fn parsed(text: &str, tokens: &[Token], raw: &RawStmt) -> Option<Parsed> {
    let from = usize::try_from(raw.stmt_location).ok()?;
    let length = usize::try_from(raw.stmt_len).ok()?;
    let to = if length == 0 { text.len() } else { from + length };
    let (start, end) = bounds(tokens, from, to)?;
    Some(Parsed {
        start,
        end,
        tree: raw.stmt.as_ref().and_then(|node| serde_json::to_value(node).ok()),
        base: 0,
    })
}

/// From the first to the last token between two bytes that says something.
fn bounds(tokens: &[Token], from: usize, to: usize) -> Option<(usize, usize)> {
    let mut within = tokens.iter().filter(|token| {
        token.start >= from && token.end <= to && !token.is_comment() && !token.is_sign(b';')
    });
    let first = within.next()?;
    Some((first.start, within.next_back().unwrap_or(first).end))
}

/// The same where a statement is nested more deeply than the tree can be handed over: the others still have theirs.
fn deep(text: &str, tokens: &[Token]) -> Result<Vec<Parsed>, Fault> {
    let parts = pg_query::split_with_parser(text).map_err(|error| fault(text, tokens, error))?;
    let mut all = Vec::new();
    for part in parts {
        let from = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
        let Some((start, end)) = bounds(tokens, from, from + part.len()) else { continue };
        let tree = text.get(start..end).and_then(|text| pg_query::parse(text, 0).ok()).and_then(|result| {
            result.protobuf.stmts.first()?.stmt.as_ref().and_then(|node| serde_json::to_value(node).ok())
        });
        all.push(Parsed { start, end, tree, base: start });
    }
    Ok(all)
}

/// PostgreSQL's words, and the place that it means: its parser reads from left to right, so the first token after which it
/// says the same of the text up to there is the one.
fn fault(text: &str, tokens: &[Token], error: pg_query::Error) -> Fault {
    let message = match error {
        pg_query::Error::Conversion(error) => {
            let at = error.nul_position();
            return Fault { message: "holds a NUL byte".to_owned(), at: Some((at, at + 1)) };
        }
        pg_query::Error::Parse(message)
        | pg_query::Error::Scan(message)
        | pg_query::Error::Split(message) => message,
        other => other.to_string(),
    };
    let at = if message.ends_with("at end of input") {
        Some((text.trim_end().len(), text.trim_end().len()))
    } else {
        by_tokens(text, tokens, &message).or_else(|| by_words(text, &message))
    };
    Fault { message, at }
}

fn by_tokens(text: &str, tokens: &[Token], message: &str) -> Option<(usize, usize)> {
    let same = |token: &Token| {
        let error = text.get(..token.end).and_then(|text| pg_query::parse(text, 0).err());
        matches!(error, Some(pg_query::Error::Parse(found)) if found == message)
    };
    let spoken: Vec<&Token> = tokens.iter().filter(|token| !token.is_comment()).collect();
    let index = spoken.partition_point(|token| !same(token));
    spoken.get(index).map(|token| (token.start, token.end))
}

/// Where scanning fails, the message quotes the text from there on.
fn by_words(text: &str, message: &str) -> Option<(usize, usize)> {
    let quoted = message.split_once(" at or near \"")?.1.strip_suffix('"')?;
    let at = text.rfind(quoted)?;
    let line = quoted.find('\n').unwrap_or(quoted.len());
    (!quoted.is_empty()).then_some((at, at + line))
}

/// Calls `see` for each node of a tree, from the outside in: with its kind (`ColumnRef`) and its fields.
/// What `see` returns says whether to look into the node, too.
pub(crate) fn walk<'a>(tree: &'a Value, see: &mut dyn FnMut(&'a str, &'a Value) -> bool) {
    match tree {
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        Value::Object(fields) => {
            for (key, value) in fields {
                let node = key.starts_with(|first: char| first.is_ascii_uppercase());
                if !node || see(key, value) {
                    walk(value, see);
                }
            }
        }
        _ => {}
    }
}

/// The kind and the fields of a node (`{"node": {"SelectStmt": {…}}}`).
pub(crate) fn node(value: &Value) -> Option<(&str, &Value)> {
    let (kind, fields) = value.get("node")?.as_object()?.iter().next()?;
    Some((kind, fields))
}

/// A field that is a list.
pub(crate) fn list<'a>(fields: &'a Value, name: &str) -> &'a [Value] {
    fields.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A field that is a text; empty where there is none.
pub(crate) fn word<'a>(fields: &'a Value, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A field that is true.
pub(crate) fn flag(fields: &Value, name: &str) -> bool {
    fields.get(name).and_then(Value::as_bool).unwrap_or_default()
}

/// A field that is there.
pub(crate) fn part<'a>(fields: &'a Value, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

/// The text of a `String` node.
pub(crate) fn name(value: &Value) -> Option<&str> {
    node(value).filter(|(kind, _)| *kind == "String").map(|(_, fields)| word(fields, "sval"))
}

/// A position in the text.
pub(crate) fn location(fields: &Value, base: usize) -> Option<usize> {
    let at = fields.get("location").and_then(Value::as_i64)?;
    usize::try_from(at).ok().map(|at| at + base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> (String, String) {
        let found = tokens(text).and_then(|tokens| statements(text, &tokens).map(|_| ()));
        let fault = found.expect_err("it is wrong");
        let (start, end) = fault.at.expect("a place");
        (fault.message, text[start..end].to_owned() + "|" + &text[end..])
    }

    #[test]
    fn a_syntax_error_is_found_where_it_is() {
        assert_eq!(at("select 'ü', 1 x y, x y; select 2").1, "y|, x y; select 2");
        assert_eq!(at("SELECT 1;\nALTER TABLE t ADD COLUM x int;\nSELECT 2").1, "int|;\nSELECT 2");
        assert_eq!(at("create table a (\n").1, "|\n");
        assert_eq!(at("select 'ü'; select 'open\n more").1, "'open|\n more");
        assert_eq!(at("select 1; select $x$ never").1, "$x$ never|");
        assert_eq!(at("select 1 limit 1 offset 2 limit 3; select 1").1, "limit| 3; select 1");
        assert_eq!(at("select 1\0; select").1, "\0|; select");
    }

    #[test]
    fn what_is_nested_too_deeply_is_still_divided() {
        let text = format!("select 1; select {}1; select 3", "1 + ".repeat(300));
        let tokens = tokens(&text).unwrap();
        let all = statements(&text, &tokens).unwrap();
        assert_eq!(all.len(), 3);
        assert!(all[0].tree.is_some() && all[1].tree.is_none() && all[2].tree.is_some());
        assert_eq!(&text[all[2].start..all[2].end], "select 3");
    }
}
