//! Where it can be seen what goes on: the checked values.
//!
//! Belongs to `service`, and holds the defaults of its part. Tested in place and in `check/tests.rs`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::vocabulary::words;
use crate::base::{Millis, Share};

/// Where it can be seen what goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MonitoringSpec {
    /// Where metrics are told.
    pub metrics: MetricsSpec,
    /// The log of requests.
    pub log: LogSpec,
}

/// Where metrics are told, beside the admin socket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MetricsSpec {
    /// The address at which Prometheus finds them. None: only the admin socket.
    pub listen: Option<SocketAddr>,
}

/// The log of requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSpec {
    /// The file, by an absolute path; `-`: the standard output of `tandem up`. None: there is no log.
    pub access: Option<String>,
    /// How a line looks.
    pub format: LogFormat,
    /// Which part of the requests is logged: of those that went well and were quick.
    pub sample: Share,
    /// Requests that took longer than this are logged in any case.
    pub slow: Millis,
    /// What is logged of queries.
    pub queries: Queries,
}

impl Default for LogSpec {
    fn default() -> Self {
        LogSpec {
            access: None,
            format: LogFormat::Json,
            sample: Share::ALL,
            slow: Millis::from_secs(1),
            queries: Queries::Hidden,
        }
    }
}

impl LogSpec {
    /// Whether a request with this outcome is logged; `lot` decides over those that nothing is to be said of.
    pub fn keeps(&self, status: u16, took: Millis, lot: u64) -> bool {
        status >= 500 || took > self.slow || self.sample.draws(lot)
    }
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A JSON object.
    Json,
    /// As Apache's format of that name.
    Combined,
}

words!(LogFormat: Json = "json", Combined = "combined");

/// What is logged of queries, which may hold what is nobody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Queries {
    /// Nothing.
    Hidden,
    /// All.
    Shown,
}

words!(Queries: Hidden = "hidden", Shown = "shown");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_or_was_slow_is_logged_in_any_case() {
        let log = LogSpec { sample: Share::NONE, slow: Millis(100), ..LogSpec::default() };
        let kept =
            [(200, 5), (499, 100), (500, 5), (200, 101)].map(|(s, took)| log.keeps(s, Millis(took), 0));
        assert_eq!(kept, [false, false, true, true]);
        assert!(LogSpec::default().keeps(200, Millis(0), 999_999));
    }
}
