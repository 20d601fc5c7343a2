//! Problems of a configuration, told to people: with the line and a caret on a terminal, plainly otherwise, as an
//! array with `--json`.
//!
//! Tested in `tests/cli`.

use std::path::Path;

use serde::Serialize;
use tandem_core::spec::{Problem, ServiceSpec};
use tandem_server::config::ConfigError;
use tandem_server::front::Front;
use tandem_server::state::StateFolder;

use crate::excerpt::Excerpt;
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

/// Reads and checks a configuration and those that it names; tells all problems.
///
/// # Errors
/// One can't be read, there are problems, which have been told, or the services don't go together.
pub(crate) fn front(path: &Path, state: &Path, terminal: &Terminal) -> Result<Front, Failure> {
    Front::load(path, &StateFolder::at(state)).map_err(|error| match error {
        ConfigError::Problems { path, text, problems } => tell(&path, &text, &problems, terminal),
        // Read once more, it says where it is no text.
        ConfigError::Read { path, source } => place::read_config(&path)
            .err()
            .unwrap_or_else(|| Failure::usage(format!("{} can't be read: {source}", place::shown(&path)))),
        other => Failure::usage(other.to_string()),
    })
}

/// Tells the problems; what is left is the exit code.
pub(crate) fn tell(path: &Path, text: &str, problems: &[Problem], terminal: &Terminal) -> Failure {
    let file = place::shown(path);
    if terminal.json {
        let problems = problems.iter().map(|problem| Told::of(problem, &file, text)).collect();
        terminal.object(&All { problems });
    } else {
        for problem in problems {
            let excerpt = Excerpt {
                file: &file,
                text,
                span: problem.span.clone(),
                message: &problem.message,
                help: problem.help.as_deref(),
            };
            excerpt.say(terminal);
        }
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
