//! Problems of a configuration, told to people: with the line and a caret on a terminal, plainly otherwise, as an
//! array with `--json`.
//!
//! Tested in `tests/cli`.

use std::path::Path;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, NamedSource, SourceSpan};
use serde::Serialize;
use tandem_core::spec::{Problem, ServiceSpec};

use crate::failure::{Exit, Failure};
use crate::place;
use crate::terminal::Terminal;

/// Reads and checks a configuration; tells all its problems.
///
/// # Errors
/// It can't be read, or there are problems, which have been told.
pub(crate) fn read(path: &Path, terminal: &Terminal) -> Result<ServiceSpec, Failure> {
    let text = place::read_config(path)?;
    tandem_core::spec::read(&text).map_err(|problems| tell(path, &text, &problems, terminal))
}

/// Tells the problems; what is left is the exit code.
pub(crate) fn tell(path: &Path, text: &str, problems: &[Problem], terminal: &Terminal) -> Failure {
    let file = place::shown(path);
    if terminal.json {
        let problems = problems.iter().map(|problem| Told::of(problem, &file, text)).collect();
        terminal.object(&All { problems });
    } else if terminal.progress_is_seen {
        for problem in problems {
            terminal.say(drawn(problem, &file, text, terminal.colors()));
        }
    } else {
        let plain: String = problems.iter().map(|problem| problem.plain(&file, text)).collect();
        terminal.say(plain.trim_end());
    }
    Failure::told(Exit::Usage)
}

#[derive(Serialize)]
struct All {
    problems: Vec<Told>,
}

/// A problem as `--json` prints it.
#[derive(Serialize)]
struct Told {
    file: String,
    line: usize,
    column: usize,
    code: &'static str,
    message: String,
    help: Option<String>,
}

impl Told {
    fn of(problem: &Problem, file: &str, text: &str) -> Told {
        let (line, column) = problem.position(text);
        Told {
            file: file.to_owned(),
            line,
            column,
            code: problem.code.as_str(),
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    }
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

/// With the line of the file and a caret.
fn drawn(problem: &Problem, file: &str, text: &str, colors: bool) -> String {
    let theme = if colors { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    // What a terminal would obey is replaced byte by byte, so that places stay right.
    let harmless: String =
        text.chars().map(|c| if c.is_ascii_control() && c != '\n' && c != '\t' { ' ' } else { c }).collect();
    let drawn = Drawn {
        message: problem.message.clone(),
        source_code: NamedSource::new(file, harmless),
        label: problem.span.clone().into(),
        help: problem.help.clone(),
    };
    let mut page = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_context_lines(1);
    match handler.render_report(&mut page, &drawn) {
        Ok(()) => page,
        Err(_) => problem.plain(file, text),
    }
}
