//! `tandem`: puts a new version of a web service into production without its users noticing.
//!
//! `args` says what may be written on the command line, `verb` holds one file per verb, `client` talks to the daemon,
//! `terminal` is the only way to the screen. Nothing here decides anything about services. Tested by running the
//! program itself (`tests/cli`).

mod annotation;
mod args;
mod client;
mod columns;
mod contract;
mod excerpt;
mod failure;
mod follow;
mod place;
mod problems;
mod progress;
#[cfg(test)]
mod reference;
mod story;
mod terminal;
mod verb;

use std::process::ExitCode;

use failure::Exit;

/// The keeper's verb. It is not an ordinary one: a keeper has to begin before anything else does, and what comes after
/// the verb is its own affair.
const KEEPER: &str = "keeper";

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|verb| verb == KEEPER) {
        return tandem_drivers::process::keeper::main(words);
    }
    let args = match args::parse() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let terminal = terminal::Terminal::new(args.global.json, args.global.no_color);
    match (verb::run(&args, &terminal), terminal.unwritten()) {
        (Ok(_), Some(error)) => {
            terminal.error(&format!("the output could not be written: {error}"));
            Exit::Failed.into()
        }
        (Ok(exit), None) => exit.into(),
        (Err(failure), _) => {
            failure.tell(&terminal);
            failure.exit.into()
        }
    }
}
