//! The schema engine on a real PostgreSQL, outside of the tests: `histories FOLDER` replays a project's migrations one by one,
//! for `cargo xtask trial histories`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks on these")]

mod folder;
mod history;
mod rows;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["histories", folder] => history::run(folder.as_ref()),
        _ => Err("histories FOLDER".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("tandem-bench-schema: {why}");
            ExitCode::FAILURE
        }
    }
}
