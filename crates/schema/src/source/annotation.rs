//! What a team adds to its migrations in comments, so that the file stays plain SQL for every other tool.

use super::script::Script;
use super::{Place, SourceError};
use crate::expression;
use crate::syntax::{self, Token};

/// `-- @up table.column: expression` or `-- @down table.column: expression`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// `@up` (else `@down`).
    pub up: bool,
    /// The table's schema where it was written.
    pub schema: Option<String>,
    /// The table: of `@up` by its new name, of `@down` by its old one.
    pub table: String,
    /// The column: of `@up` a new one, of `@down` an old one.
    pub column: String,
    /// The value: of `@up` over the old columns, of `@down` over the new ones.
    pub expression: String,
    /// Where the expression stands.
    pub place: Place,
}

/// `-- @expand` or `-- @contract` before a statement: when it is to be run, as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// At expand, for both revisions.
    Expand,
    /// At contract, when the old revision is gone.
    Contract,
}

/// The words after `@` that mean something.
const WORDS: [&str; 4] = ["up", "down", "expand", "contract"];

/// A comment that begins with `@word`.
pub(super) struct Note<'a> {
    /// The word in lower case.
    word: String,
    /// Where the comment starts, and where the `@` stands.
    at: (usize, usize),
    /// What follows, with each piece's first byte; more than one where it goes on over lines.
    rest: Vec<(usize, &'a str)>,
}

/// All comments that begin with `@word`, with the lines over which they go on.
pub(super) fn notes<'a>(text: &'a str, tokens: &[Token]) -> Vec<Note<'a>> {
    let mut found: Vec<Note<'a>> = Vec::new();
    let mut end_of_note = None;
    for token in tokens {
        let line = token.text(text);
        let Some(body) = line.strip_prefix("--").filter(|_| token.is_line_comment()) else {
            end_of_note = None;
            continue;
        };
        let adjoins = end_of_note.is_some_and(|end| {
            text.get(end..token.start)
                .is_some_and(|gap| gap.matches('\n').count() == 1 && gap.trim().is_empty())
        });
        let at = token.end - body.trim_start().len();
        if adjoins && body.starts_with("   ") {
            if let Some(note) = found.last_mut() {
                note.rest.push((at, body.trim_start()));
            }
            end_of_note = Some(token.end);
        } else if let Some(tail) = body.trim_start().strip_prefix('@') {
            let length =
                tail.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(tail.len());
            let (word, rest) = tail.split_at(length);
            let rest = vec![(token.end - rest.len(), rest)];
            found.push(Note { word: word.to_lowercase(), at: (token.start, at), rest });
            end_of_note = Some(token.end);
        } else {
            end_of_note = None;
        }
    }
    found
}

/// The marks of a script, by where their comments start.
pub(super) fn marks(script: &Script<'_>) -> Vec<(usize, Mark)> {
    let mark = |note: &Note<'_>| match note.word.as_str() {
        "expand" => Some(Mark::Expand),
        "contract" => Some(Mark::Contract),
        _ => None,
    };
    script.notes().iter().filter_map(|note| mark(note).map(|mark| (note.at.0, mark))).collect()
}

/// The annotations of a script.
pub(super) fn annotations(script: &Script<'_>) -> (Vec<Annotation>, Vec<SourceError>) {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for note in script.notes() {
        match note.word.as_str() {
            word @ ("up" | "down") => match annotation(script, &note, word == "up") {
                Ok(annotation) => found.push(annotation),
                Err(error) => errors.push(error),
            },
            word => errors.extend(misspelt(word).map(|meant| SourceError {
                message: format!("`@{word}` means nothing here"),
                help: Some(format!("did you mean `@{meant}`?")),
                place: Some(script.place(note.at.1, note.at.1 + 1 + word.len())),
            })),
        }
    }
    (found, errors)
}

fn annotation(script: &Script<'_>, note: &Note<'_>, up: bool) -> Result<Annotation, SourceError> {
    let word = if up { "up" } else { "down" };
    let error = |message: String, start: usize, end: usize| SourceError {
        message,
        help: Some(format!("write it as `-- @{word} table.column: expression`")),
        place: Some(script.place(start, end)),
    };
    let (mut lines, mut from) = (note.rest.iter().copied(), note.at.1);
    let (start, first) = lines.next().unwrap_or((from, ""));
    let Some((names, length)) = target(first) else {
        return Err(error(
            format!("`@{word}` names no `table.column:`"),
            from,
            start + first.trim_end().len(),
        ));
    };
    let mut pieces = vec![(start + length, first.get(length..).unwrap_or_default())];
    pieces.extend(lines);
    pieces.retain(|(_, piece)| !piece.trim().is_empty());
    let (Some((head, first)), Some((tail, last))) = (pieces.first(), pieces.last()) else {
        return Err(error(format!("`@{word}` has no expression"), from, start + length));
    };
    from = head + first.len() - first.trim_start().len();
    let to = tail + last.trim_end().len();
    let expression = plain(&pieces.iter().map(|(_, piece)| piece.trim()).collect::<Vec<_>>().join("\n"));
    if let Err(wrong) = expression::check(&expression) {
        return Err(error(format!("`@{word}` needs one SQL expression: {wrong}"), from, to));
    }
    let mut names = names.into_iter().rev();
    let (column, table, schema) = (names.next(), names.next(), names.next());
    let (Some(column), Some(table)) = (column, table) else {
        return Err(error(format!("`@{word}` names no table"), note.at.1, start + length));
    };
    Ok(Annotation { up, schema, table, column, expression, place: script.place(from, to) })
}

/// The names before the `:`, and where what follows it begins.
fn target(text: &str) -> Option<(Vec<String>, usize)> {
    let mut names = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (name, after) = identifier(rest)?;
        names.push(name);
        let after = after.trim_start();
        if let Some(next) = after.strip_prefix('.') {
            rest = next.trim_start();
        } else {
            // `table.column::int` is no target but a cast.
            let value = after.strip_prefix(':').filter(|value| !value.starts_with(':'))?;
            return matches!(names.len(), 2 | 3).then_some((names, text.len() - value.len()));
        }
    }
}

/// An identifier as PostgreSQL reads it, and what follows.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let starts = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        return starts.then(|| (name.to_ascii_lowercase(), rest));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('"')?;
        name.push_str(rest.get(..end)?);
        rest = rest.get(end + 1..)?;
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return (!name.is_empty()).then_some((name, rest)),
        }
    }
}

/// An expression without comments and final `;`: it is put into other statements.
fn plain(text: &str) -> String {
    let Ok(tokens) = syntax::tokens(text) else { return text.to_owned() };
    let spoken: Vec<&Token> = tokens.iter().filter(|token| !token.is_comment()).collect();
    let closing = spoken.iter().rev().take_while(|token| token.is_sign(b';')).count();
    let mut plain = String::new();
    let mut last = None;
    for token in spoken.iter().take(spoken.len() - closing) {
        if let Some(end) = last {
            let gap: &str = text.get(end..token.start).unwrap_or_default();
            let commented = tokens
                .iter()
                .any(|other| other.is_comment() && other.start >= end && other.end <= token.start);
            plain.push_str(if commented { "\n" } else { gap });
        }
        plain.push_str(token.text(text));
        last = Some(token.end);
    }
    plain
}

/// The word that was meant by one that is nearly it.
fn misspelt(word: &str) -> Option<&'static str> {
    let near = |meant: &&&str| {
        // Two slips in a long word, one in a short one.
        let slips = slips(word, meant);
        slips > 0 && slips <= if meant.len() > 4 { 2 } else { 1 }
    };
    WORDS.iter().filter(near).min_by_key(|meant| slips(word, meant)).copied()
}

/// How many letters are to be changed, added, left out or swapped with the next.
fn slips(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut best = (row[j] + usize::from(a != b)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Annotation>, Vec<SourceError>) {
        annotations(&Script::new("a.sql", text, 0).expect("it can be scanned"))
    }

    fn only(text: &str) -> Annotation {
        let (mut found, errors) = read(text);
        assert_eq!((found.len(), errors), (1, Vec::new()));
        found.remove(0)
    }

    fn error(text: &str) -> (String, String) {
        let (found, errors) = read(text);
        assert_eq!((found, errors.len()), (Vec::new(), 1));
        let place = errors[0].place.clone().expect("a place");
        (errors[0].message.clone(), text[place.start..place.end].to_owned())
    }

    #[test]
    fn names_and_expressions() {
        let text = "-- x\n--@up Users.Phone:  coalesce(tel, 'ä:--')  -- why\nselect 1;";
        let found = only(text);
        assert_eq!((found.schema, &*found.table, &*found.column), (None, "users", "phone"));
        assert_eq!(found.expression, "coalesce(tel, 'ä:--')");
        assert!(text[found.place.start..].starts_with("coalesce"));
        let found = only("-- @down \"My S\".\"My \"\"Table\"\"\" . \"ü.x\": a::int;");
        assert_eq!((found.up, found.schema.as_deref()), (false, Some("My S")));
        assert_eq!((&*found.table, &*found.column, &*found.expression), ("My \"Table\"", "ü.x", "a::int"));
    }

    #[test]
    fn an_expression_goes_on_over_indented_lines() {
        let text = "-- @up t.c:\n--   CASE WHEN a -- first\n--     THEN 'x'\r\n--   END\n-- no more\n--   nor this\nselect 1";
        assert_eq!(only(text).expression, "CASE WHEN a\nTHEN 'x'\nEND");
        assert_eq!(only("-- @up t.c: a +\n--    1\n\n--    2").expression, "a +\n1");
    }

    #[test]
    fn what_is_no_annotation() {
        assert_eq!(error("-- @up t.c: a b c").1, "a b c");
        assert_eq!(error("-- @up t.c: 1; DROP TABLE t").1, "1; DROP TABLE t");
        assert_eq!(error("-- @up t.c: 1) FROM (u").1, "1) FROM (u");
        assert_eq!(error("-- @up t.c: a, b").1, "a, b");
        assert_eq!(error("-- @up t.c: a FROM b").1, "a FROM b");
        assert_eq!(error("-- @up t.c: 'open").1, "'open");
        assert!(error("-- @up t.c:").0.contains("no expression"));
        assert!(error("-- @up t: 1").0.contains("names no"));
        assert!(error("-- @up t.c::int").0.contains("names no"));
        assert_eq!(error("select 1; -- @upp t.c: 1").1, "@upp");
        assert_eq!(read("-- @dwon x").1[0].help.as_deref(), Some("did you mean `@down`?"));
        assert_eq!(
            read("-- @author me\n-- @todo\n-- mail me@up.com\nselect '-- @up x', $$\n-- @up y\n$$").1,
            []
        );
    }
}
