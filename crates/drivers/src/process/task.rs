//! A command that is run to its end: its own process group, its output kept for the message, a bound on its time.
//!
//! Tested by the conformance suite.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};

use super::command;
use crate::driver::RunCommand;

/// So much of the end of its output is told.
const SAID: u64 = 4096;

/// Runs it in `files`. The error continues a sentence that begins with the command.
pub(super) fn run(task: &RunCommand, files: &Path) -> Result<(), String> {
    let mut env = command::passed_on(std::env::vars());
    env.extend(task.env.clone());
    let (program, arguments) = task.words.split_first().ok_or("is empty")?;
    let program = command::resolve(program, files, &env)?;
    let failed = |why: io::Error| format!("could not be run: {why}");
    let mut output = tempfile::tempfile().map_err(failed)?;
    let mut process = Command::new(program);
    process
        .args(arguments)
        .current_dir(files)
        .env_clear()
        .envs(&env)
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(output.try_clone().map_err(failed)?)
        .process_group(0);
    let mut child = process.spawn().map_err(failed)?;
    let group = Pid::from_child(&child);
    let (sender, ended) = mpsc::channel();
    let waiting = thread::Builder::new().name("command".to_owned()).spawn(move || {
        let _ = sender.send(child.wait());
    });
    waiting.map_err(failed)?;
    let status = match ended.recv_timeout(task.within) {
        Ok(status) => status.map_err(failed)?,
        Err(_) => {
            let _ = kill_process_group(group, Signal::KILL);
            let _ = ended.recv();
            return Err(format!("took longer than {} s{}", task.within.as_secs(), said(&mut output)));
        }
    };
    // What it left running in the background has nobody to report to.
    let _ = kill_process_group(group, Signal::KILL);
    if status.success() { Ok(()) } else { Err(format!("{}{}", how(status), said(&mut output))) }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The end of what it said.
fn said(output: &mut File) -> String {
    let mut bytes = Vec::new();
    let length = output.seek(SeekFrom::End(0)).unwrap_or_default();
    let read = output
        .seek(SeekFrom::Start(length.saturating_sub(SAID)))
        .and_then(|_| output.take(SAID).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    match read {
        Ok(_) if !text.trim().is_empty() => format!(": {}", text.trim()),
        _ => String::new(),
    }
}
