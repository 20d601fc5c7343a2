//! The journal: events, and the state that is folded from them.
//!
//! The state of a service is nothing but the fold of its events; an event that does not fit is an error, never
//! ignored. Must not know how decisions are made. Tested by trying every event in every stage (`fold/tests.rs`) and by
//! the simulation.

mod action;
mod deployment;
mod event;
mod finding;
mod fold;
mod pace;
mod queue;
mod reason;
mod receipt;
mod state;
mod stray;

pub use action::Action;
pub use deployment::{CanaryProgress, Deployment, Direction, Expanded, Kind, Phase, Watch};
pub use event::{Diagnosis, Event, Outcome, Passed, Recorded, Request};
pub use finding::{Compared, Finding, Judged};
pub use fold::Illegal;
pub use pace::{Judgement, Pace, Recent};
pub use queue::{Declined, Deliverable, Entry, Mark, Origin, Queue, QueueStanding, SourcePause};
pub use reason::Reason;
pub(crate) use reason::last_answer;
pub use receipt::{Figures, Receipt, Verdict};
pub use state::{CrashRecord, Gated, Instance, Release, Schema, Stage, State};
pub use stray::Stray;
