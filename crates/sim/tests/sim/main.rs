//! The simulation: seeds, a crash at every call, and the plain course of things.

#![allow(clippy::print_stderr, reason = "a failing run prints its trace")]

mod crash_everywhere;
mod guard;
mod seeds;

use tandem_sim::Outcome;

/// Kills of the controller unwind on purpose; only other panics are worth a message.
fn quiet() {
    std::panic::set_hook(Box::new(|info| {
        if let Some(text) = info.payload().downcast_ref::<String>() {
            eprintln!("{text}");
        } else if let Some(text) = info.payload().downcast_ref::<&str>() {
            eprintln!("{text} ({:?})", info.location());
        }
    }));
}

fn explain(outcome: &Outcome, replay: &str) -> String {
    let tail = outcome.trace.len().saturating_sub(120);
    format!("{}\n{}\nreplay: {replay}", outcome.trace[tail..].join("\n"), outcome.broken.join("\n"))
}
