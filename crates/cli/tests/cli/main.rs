//! The program itself: run as people and scripts run it, with real files and sockets.
//!
//! `alone` needs no daemon; `daemon` is a stand-in that answers from a script, by which `talk` tests what is shown and
//! how it ends. The whole with a real daemon is in `service`.

mod alone;
mod daemon;
mod doctor;
mod guide;
mod schema;
mod talk;
mod top;

use std::path::Path;
use std::process::{Command, Output};

/// The program in a folder, with an environment that does not depend on who runs the tests.
fn tandem(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    command
        .current_dir(folder)
        .args(words)
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .env_remove("GITHUB_ACTIONS")
        .env_remove("GITLAB_CI")
        .env("TZ", "UTC");
    command
}

/// What a run printed and how it ended, for snapshots.
fn ran(folder: &Path, words: &[&str]) -> String {
    told(&tandem(folder, words).output().expect("the program runs"), folder)
}

fn told(output: &Output, folder: &Path) -> String {
    let folder = folder.canonicalize().expect("the folder is there");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&*folder.to_string_lossy(), "[here]");
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    let exit = output.status.code().map_or_else(|| "a signal".to_owned(), |code| code.to_string());
    format!("exit {exit}\n--- stdout\n{out}--- stderr\n{err}")
}
