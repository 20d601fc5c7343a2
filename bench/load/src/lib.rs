//! The open-loop load generator: requests at a rate that does not wait for answers, and a verdict over them.
//!
//! Latency counts from the time at which a request was meant to be sent, so that a stall is seen in full. Each
//! request has its own id, by which crossed answers and orders executed twice are found. Knows nothing of Tandem: it
//! judges any web server from outside, and retries nothing.
//!
//! ```no_run
//! # async fn example() -> Result<(), tandem_load::StartError> {
//! use tandem_load::{Load, Plan};
//! let load = Load::start(Plan::new("127.0.0.1:8080".parse().unwrap()))?;
//! load.watch_flip("v1", "v2"); // then flip
//! let verdict = load.stop().await;
//! assert!(verdict.is_clean(), "{verdict}");
//! # Ok(()) }
//! ```
//!
//! Tested in `tests/load` against small servers that misbehave in each way that the verdict must see.

mod arrivals;
mod connection;
mod journal;
mod plan;
mod record;
mod request;
mod run;
mod verdict;
mod visitor;

pub use journal::{Journal, JournalVerdict};
pub use plan::{Mix, Pace, ParseMixError, Plan, RequestKind, UploadPlan};
pub use record::{FailureKind, Outcome, Record};
pub use run::{Load, StartError};
pub use verdict::{Failures, FlipWatch, Latency, Verdict};
