//! A place in a file shown to people: with the line and a caret on a terminal, as `file:line:column:` otherwise.
//!
//! Tested in `tests/cli`.

use std::ops::Range;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, NamedSource, SourceSpan};

use crate::annotation::Annotation;
use crate::terminal::Terminal;

/// Something to say about a place in a file.
pub(crate) struct Excerpt<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
    pub(crate) span: Range<usize>,
    pub(crate) message: &'a str,
    pub(crate) help: Option<&'a str>,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
struct Drawn {
    message: String,
    #[source_code]
    source_code: NamedSource<String>,
    #[label]
    label: SourceSpan,
    #[help]
    help: Option<String>,
}

impl Excerpt<'_> {
    /// Says it on stderr.
    pub(crate) fn say(&self, terminal: &Terminal) {
        if terminal.progress_is_seen {
            terminal.say(self.drawn(terminal.colors()));
        } else {
            terminal.say(self.plain());
        }
        let (line, column) = self.position();
        let help = self.help.map(|help| format!("\n{help}")).unwrap_or_default();
        let message = format!("{}{help}", self.message);
        Annotation { file: self.file, line, column, message }.show(terminal);
    }

    /// Line and column of the beginning, both counted from 1, the column in characters.
    pub(crate) fn position(&self) -> (usize, usize) {
        let before = self.text.get(..self.span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }

    fn plain(&self) -> String {
        let (line, column) = self.position();
        let head = format!("{}:{line}:{column}: {}", self.file, self.message);
        match self.help {
            Some(help) => format!("{head}\n  help: {}", help.replace('\n', "\n        ")),
            None => head,
        }
    }

    /// With the line of the file and a caret.
    fn drawn(&self, colors: bool) -> String {
        let theme = if colors { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        // What a terminal would obey is replaced byte by byte, so that places stay right.
        let shown = |c: char| if c.is_ascii_control() && c != '\n' && c != '\t' { ' ' } else { c };
        let drawn = Drawn {
            message: self.message.to_owned(),
            source_code: NamedSource::new(self.file, self.text.chars().map(shown).collect()),
            label: self.span.clone().into(),
            help: self.help.map(str::to_owned),
        };
        let mut page = String::new();
        let handler = GraphicalReportHandler::new_themed(theme).with_context_lines(1);
        match handler.render_report(&mut page, &drawn) {
            Ok(()) => page,
            Err(_) => self.plain(),
        }
    }
}
