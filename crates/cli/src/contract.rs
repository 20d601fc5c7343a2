//! What a version's contract breaks, for people.
//!
//! Tested in `tests/cli`.

use tandem_core::base::VersionLabel;
use tandem_core::contract::{Break, Comparison};

use crate::terminal::{BAD, CARE, DIM, Terminal, clean};

/// Shows what a deployment would break, and whether it would be refused for that.
pub(crate) fn show(comparison: &Comparison, to: &VersionLabel, terminal: &Terminal) {
    if comparison.is_empty() {
        return;
    }
    let line = |one: &Break| clean(&one.to_string()).into_owned();
    terminal.line("");
    for one in &comparison.broken {
        match one.hurts() {
            true => terminal.line(format_args!("{BAD}✘{BAD:#} {}", line(one))),
            false => terminal.line(format_args!("{CARE}!{CARE:#} {}", line(one))),
        }
    }
    if !comparison.ahead.is_empty() {
        terminal.line(format_args!("clients of {to} while the version before serves, too:"));
        comparison.ahead.iter().for_each(|one| terminal.line(format_args!("  {DIM}{}{DIM:#}", line(one))));
    }
    if comparison.more > 0 {
        terminal.line(format_args!("and {} more operations", comparison.more));
    }
    if comparison.hurts().next().is_some() {
        terminal.line("refused, unless it is deployed with --break-contract");
    }
}

/// The same in one sentence. None: nobody calls what is broken.
pub(crate) fn sentence(comparison: &Comparison) -> Option<String> {
    let broken: Vec<String> = comparison.hurts().map(ToString::to_string).collect();
    (!broken.is_empty()).then(|| format!("it breaks clients, as was allowed: {}", broken.join("; ")))
}
