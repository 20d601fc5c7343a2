//! What is wrong with a configuration, said so that a person can mend it.
//!
//! A problem knows its place in the text but not the name of the file, nor how it is painted: the command line does
//! that. Tested by the cases in `check/tests.rs`.

use std::fmt;
use std::ops::Range;

/// The kinds of problems, for programs. The names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemCode {
    /// The text is not TOML.
    Syntax,
    /// A key that Tandem does not know.
    UnknownKey,
    /// A key that must be there is not.
    MissingKey,
    /// A value of another type than the key takes.
    WrongType,
    /// A value of the right type that says nothing sensible.
    BadValue,
    /// A number or length of time that is too small or too large.
    OutOfRange,
    /// Values that are good alone but not together.
    Contradiction,
}

impl ProblemCode {
    /// The name of the kind, as it is printed and as programs may rely on it.
    pub fn as_str(self) -> &'static str {
        match self {
            ProblemCode::Syntax => "syntax",
            ProblemCode::UnknownKey => "unknown-key",
            ProblemCode::MissingKey => "missing-key",
            ProblemCode::WrongType => "wrong-type",
            ProblemCode::BadValue => "bad-value",
            ProblemCode::OutOfRange => "out-of-range",
            ProblemCode::Contradiction => "contradiction",
        }
    }
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is wrong with the text of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Which kind it is.
    pub code: ProblemCode,
    /// What is wrong: one line, without control characters.
    pub message: String,
    /// Where: a range of bytes of the text, on character boundaries, perhaps empty.
    pub span: Range<usize>,
    /// What to do about it, where that can be said.
    pub help: Option<String>,
}

impl Problem {
    pub(super) fn new(code: ProblemCode, span: Range<usize>, message: impl Into<String>) -> Problem {
        Problem { code, message: message.into(), span, help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// Line and column of the beginning in `text`, both counted from 1, the column in characters.
    pub fn position(&self, text: &str) -> (usize, usize) {
        let before = text.get(..self.span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }

    /// The problem as plain lines: `file:line:column: message`, and the help below it.
    pub fn plain(&self, file: &str, text: &str) -> String {
        let (line, column) = self.position(text);
        let head = format!("{file}:{line}:{column}: {}\n", self.message);
        match &self.help {
            Some(help) => format!("{head}  help: {}\n", help.replace('\n', "\n        ")),
            None => head,
        }
    }
}
