//! The schema engine on a real PostgreSQL, outside of the tests: `histories FOLDER [WORD,WORD]` replays a project's migrations one by
//! one (only those whose names hold a word by Tandem), for `cargo xtask trial histories`; `nemesis ROWS [WORD]` measures stalls and errors of nineteen operations under load, for
//! `cargo xtask bench schema`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks on these")]

mod folder;
mod history;
mod load;
mod nemesis;
mod rows;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["histories", folder, only @ ..] => history::run(folder.as_ref(), only.first().copied()),
        ["nemesis", rows, only @ ..] => match rows.parse() {
            Ok(rows) => nemesis::run(rows, only.first().copied()),
            Err(_) => Err(format!("{rows} is no number of rows")),
        },
        _ => Err("histories FOLDER [WORD,WORD], or nemesis ROWS [WORD]".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("tandem-bench-schema: {why}");
            ExitCode::FAILURE
        }
    }
}
