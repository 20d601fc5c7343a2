//! The figures, for people and as JSON.

use std::fmt;

use serde::Serialize;

/// All figures of one run.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figures {
    /// Client connections.
    pub(super) connections: u32,
    /// CPU time.
    pub(super) cpu: Vec<Cost>,
    /// User instructions.
    pub(super) instructions: Vec<Count>,
    /// System calls.
    pub(super) syscalls: Vec<Count>,
}

/// What a proxy costs per request: medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Cost {
    pub(super) peer: String,
    pub(super) threads: u32,
    /// Between the clients and the proxy.
    pub(super) speaks: String,
    /// The size of the answer.
    pub(super) bytes: u32,
    /// CPU time of the proxy's processes in microseconds.
    pub(super) us_per_request: f64,
    pub(super) lowest: f64,
    pub(super) highest: f64,
    /// The median of the ratios to the other within each round.
    pub(super) of_haproxy: Option<f64>,
    pub(super) of_nginx: Option<f64>,
    pub(super) requests_per_second: f64,
    pub(super) p99_ms: f64,
}

/// Something counted per request, by peer.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Count {
    pub(super) peer: String,
    pub(super) per_request: f64,
}

impl Figures {
    pub(super) fn new(connections: u32) -> Self {
        Figures { connections, cpu: Vec::new(), instructions: Vec::new(), syscalls: Vec::new() }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.cpu.is_empty() {
            writeln!(f, "CPU time of the proxy per request, {} connections kept open", self.connections)?;
            writeln!(
                f,
                "threads  speaks  answer  proxy    us/request      spread  of haproxy  of nginx   requests/s   p99 ms"
            )?;
        }
        let ratio = |value: Option<f64>| value.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        for cost in &self.cpu {
            writeln!(
                f,
                "{:>7}  {:<6}  {:>6}  {:<8} {:>9.1} {:>5.1} - {:<5.1} {:>9} {:>9} {:>12.0} {:>8.1}",
                cost.threads,
                cost.speaks,
                cost.bytes,
                cost.peer,
                cost.us_per_request,
                cost.lowest,
                cost.highest,
                ratio(cost.of_haproxy),
                ratio(cost.of_nginx),
                cost.requests_per_second,
                cost.p99_ms
            )?;
        }
        for (what, counts) in [("user instructions", &self.instructions), ("system calls", &self.syscalls)] {
            if !counts.is_empty() {
                writeln!(f, "{what} per request, 1 thread, 100 bytes")?;
            }
            counts
                .iter()
                .try_for_each(|count| writeln!(f, "  {:<8} {:>10.2}", count.peer, count.per_request))?;
        }
        Ok(())
    }
}
