//! Where log lines go: stderr, for people if that is a terminal, as JSON if not.
//!
//! Must not know what is logged. A log that can't be written is dropped: it never stops a process.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Starts logging for this process. `TANDEM_LOG` chooses what is shown (`debug`, `tandem_proxy=trace`); without it,
/// `info` and above. Called once; a second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_env("TANDEM_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).log_internal_errors(false);
    let _ = if io::stderr().is_terminal() {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        log.with_ansi(colour).with_target(false).compact().try_init()
    } else {
        log.json().flatten_event(true).with_ansi(false).try_init()
    };
}
