//! The keeper of one instance: the parent of the app, which keeps its log and exit, passes signals, and outlives all the
//! rest of Tandem. One process for each instance; `ps` shows `tandem keeper shop i17 /var/…/instances/17`.
//!
//! The order, which makes that an instance is started at most once whoever dies when:
//! 1. The driver writes `spec.json`, with the port, then starts the keeper.
//! 2. The keeper locks the instance's folder. Where `keeper.json` stands already, it ends: there is never a second one.
//! 3. It writes `keeper.json`, unlocks, says so to the driver, and only then starts the app, through a second step of
//!    itself (`execution`) that binds the app's life to the keeper's.
//! 4. When no process of the instance is left it writes `exit.json` and ends.
//!
//! So a driver that finds `keeper.json` need not start anything, and one that does not find it may start a keeper.
//!
//! Must not know the driver. Tested by `tests/drivers` with real processes, which are killed at each step.

mod beginning;
mod custody;
mod execution;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde::{Deserialize, Serialize};

/// What the keeper tells its driver when the instance is in its hands.
pub(crate) const READY: &str = "ready";

/// The first argument of the second step.
const EXECUTE: &str = "--exec";

/// How a keeper is started: a program and the arguments that come before the keeper's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeeperCommand {
    program: PathBuf,
    /// What `ps` shows as the program.
    name: String,
    arguments: Vec<String>,
}

impl KeeperCommand {
    /// This very program with the verb `keeper`, also after its file was replaced.
    pub fn this_program() -> KeeperCommand {
        KeeperCommand {
            program: PathBuf::from("/proc/self/exe"),
            name: "tandem".to_owned(),
            arguments: vec!["keeper".to_owned()],
        }
    }

    /// Another program that gives the arguments after `arguments` to [`main`].
    pub fn other(program: &Path, arguments: Vec<String>) -> KeeperCommand {
        KeeperCommand { program: program.to_owned(), name: program.display().to_string(), arguments }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0(&self.name).args(&self.arguments);
        command
    }
}

/// What `tandem keeper …` does with the arguments after `keeper`. Call it first thing in the program, before any thread
/// or runtime is started.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.collect();
    match arguments.as_slice() {
        [step, keeper, program, rest @ ..] if step == EXECUTE => execution::execute(keeper, program, rest),
        [_service, _instance, folder] => custody::run(Path::new(folder)),
        _ => ExitCode::from(2),
    }
}
