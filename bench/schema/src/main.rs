//! The schema engine on a real PostgreSQL, outside of the tests: `histories FOLDER [WORD,WORD]` replays a project's migrations one
//! by one (only those whose names hold a word by Tandem), for `cargo xtask trial histories`. For `cargo xtask bench schema`:
//! `nemesis ROWS [WORD]` measures stalls and errors of nineteen operations under load, `backfill ROWS` rows per second,
//! `writes ROWS` what writers pay in mixed state.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks on these")]

mod backfill;
mod folder;
mod history;
mod load;
mod nemesis;
mod operation;
mod reshape;
mod rows;
mod stage;
mod writes;

use std::process::ExitCode;

/// Rounds of the backfill.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |rows: &str| rows.parse().map_err(|_| format!("{rows} is no number of rows"));
    let done = match words.as_slice() {
        ["histories", folder, only @ ..] => history::run(folder.as_ref(), only.first().copied()),
        ["nemesis", rows, only @ ..] => {
            number(rows).and_then(|rows| nemesis::run(rows, only.first().copied()))
        }
        ["backfill", rows] => number(rows).and_then(|rows| backfill::run(rows, ROUNDS)),
        ["writes", rows] => number(rows).and_then(writes::run),
        _ => {
            Err("histories FOLDER [WORD,WORD], nemesis ROWS [WORD], backfill ROWS, or writes ROWS".to_owned())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("tandem-bench-schema: {why}");
            ExitCode::FAILURE
        }
    }
}
