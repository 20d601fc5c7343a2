//! How the program ends: exit codes, and failures told to people.
//!
//! The codes are part of the interface: scripts rely on them. Tested in `tests/cli`.

use std::process::ExitCode;

use serde::Serialize;

use crate::terminal::Terminal;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done.
    Done = 0,
    /// It was tried and failed.
    Failed = 1,
    /// The command line or the configuration is wrong; nothing was tried.
    Usage = 2,
    /// The deployment went back by itself.
    RolledBack = 3,
    /// It waits for a person: the deployment is paused.
    Waiting = 4,
    /// It was refused, because of something else that is going on.
    Refused = 5,
    /// No daemon is running.
    NoDaemon = 6,
    /// It took too long.
    TimedOut = 124,
    /// Somebody interrupted it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a verb could not do what it should.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// The exit code that follows.
    pub(crate) exit: Exit,
    message: String,
    help: Option<String>,
}

/// A failure as `--json` prints it.
#[derive(Serialize)]
struct Told<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    exit: u8,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into(), help: None }
    }

    /// The verb was tried and did not work.
    pub(crate) fn failed(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Failed, message)
    }

    /// What was asked for makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    /// Everything was told already; only the exit code is left.
    pub(crate) fn told(exit: Exit) -> Failure {
        Failure::new(exit, "")
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Failure {
        self.help = Some(help.into());
        self
    }

    /// Says it on stderr; with `--json` on stdout as an object.
    pub(crate) fn tell(&self, terminal: &Terminal) {
        if self.message.is_empty() {
            return;
        }
        if terminal.json {
            let help = self.help.as_deref();
            terminal.object(&Told { error: &self.message, help, exit: self.exit as u8 });
            return;
        }
        terminal.error(&self.message);
        if let Some(help) = &self.help {
            terminal.hint(help);
        }
    }
}
