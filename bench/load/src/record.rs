//! What became of each request.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::RequestKind;

/// One request and its end. Times are microseconds from the start of the run.
#[derive(Debug, Clone)]
pub struct Record {
    /// Counts from 0; the id is the run's name and this number.
    pub number: u64,
    /// What was sent.
    pub kind: RequestKind,
    /// Which visitor sent it, if one did.
    pub visitor: Option<u32>,
    /// When it was meant to be sent.
    pub due: u64,
    /// When its first byte was written. `due` if none ever was.
    pub sent: u64,
    /// When its answer was complete, or the failure known.
    pub end: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// An answer that is whole, is for this request, and has a status below 400.
    Answered {
        /// The status.
        status: u16,
        /// Which version answered, if it said so.
        version: Option<Arc<str>>,
    },
    /// Anything else.
    Failed {
        /// In which way.
        kind: FailureKind,
        /// What was seen, for people.
        what: String,
        /// Which version answered, if one did and said so.
        version: Option<Arc<str>>,
    },
}

/// In which way a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// No connection.
    Connect,
    /// The connection was closed or broken before any byte of the answer.
    Closed,
    /// The answer began and broke off.
    Cut,
    /// The answer is not HTTP.
    Malformed,
    /// Not done in time.
    Timeout,
    /// A status of 400 or above.
    Status,
    /// The answer was for another request.
    Crossed,
    /// The generator had too many in flight to send it.
    Overload,
}

impl FailureKind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            FailureKind::Connect => "connect",
            FailureKind::Closed => "closed",
            FailureKind::Cut => "cut",
            FailureKind::Malformed => "malformed",
            FailureKind::Timeout => "timeout",
            FailureKind::Status => "status",
            FailureKind::Crossed => "crossed",
            FailureKind::Overload => "overload",
        }
    }
}

/// Whole microseconds.
pub(crate) fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}
