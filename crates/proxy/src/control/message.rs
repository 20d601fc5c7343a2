//! What goes over the control socket: one JSON value per line.

use std::io::{self, BufRead, Read};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tandem_core::base::{Generation, Millis, ServiceName};
use tandem_core::contract::CallReport;
use tandem_core::spec::LogSpec;
use tandem_core::traffic::metrics::Metrics;
use tandem_core::traffic::{Encryption, Table, TrafficReport};

/// The longest line, in bytes: a table of tens of thousands of instances.
const LONGEST_LINE: u64 = 32 * 1024 * 1024;
/// The longest time that a watcher may ask to wait.
pub(super) const LONGEST_WATCH: Duration = Duration::from_secs(60);

/// What the proxy is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Question {
    /// Put this table of a service in force.
    Apply { service: ServiceName, table: Table },
    /// Use these certificates of a service from now on.
    Encrypt { service: ServiceName, encryption: Encryption },
    /// Write requests down by these rules from now on.
    Log(LogSpec),
    /// Tell of a service when something differs from what was seen.
    Watch { service: ServiceName, seen: u64, at_most: Millis },
    /// Tell how often operations were called. A question of its own: there may be thousands of them.
    Calls,
    /// Tell what was measured of a service. A question of its own: it is much, and nothing is decided by it.
    Metrics { service: ServiceName },
    /// Hand the listening sockets over: they are the answer.
    Listeners,
    /// Who are you.
    Process,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Applied(Generation),
    Encrypted,
    Logged,
    Fenced { current: Generation },
    Invalid(String),
    Report { change: u64, report: TrafficReport },
    Calls(CallReport),
    Metrics(Box<Metrics>),
    Process { pid: u32, services: Vec<ServiceName> },
}

/// Reads one line; `None` at the end.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    from.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long or was cut"));
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

/// Writes one line.
pub(super) fn write(to: &mut impl io::Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line)
}
