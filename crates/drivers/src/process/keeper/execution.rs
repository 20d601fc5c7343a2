//! The second step of a keeper: a process that turns into the app. What must happen between fork and exec happens here,
//! in ordinary code, instead of in a forked copy of the keeper.
//!
//! Its standard input is a pipe to the keeper: a message in it means that the app could not be executed; its end without
//! one, that it was. The app itself gets an empty standard input.
//!
//! Must not know the instance. Tested by `tests/drivers`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::process::{Signal, getppid, set_parent_process_death_signal, setpgid};

/// Becomes `program`. Returns only if that fails; the keeper is told why.
pub(super) fn execute(keeper: &OsStr, program: &OsStr, arguments: &[OsString]) -> ExitCode {
    let Ok(mut report) = io::stdin().as_fd().try_clone_to_owned().map(File::from) else {
        return ExitCode::from(126);
    };
    let why = match prepare(keeper) {
        // The name is what the file is called; the keeper has found the file.
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(error) => error,
    };
    let _ = write!(report, "{}: {why}", program.to_string_lossy());
    ExitCode::from(126)
}

fn prepare(keeper: &OsStr) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The keeper may have died before the line above, and then nobody would send that signal.
    let parent = getppid().map(|pid| pid.as_raw_pid().to_string());
    if parent.as_deref().map(OsStr::new) != Some(keeper) {
        return Err(io::Error::other("the keeper died"));
    }
    setpgid(None, None)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(())
}
