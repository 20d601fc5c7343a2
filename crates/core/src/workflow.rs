//! The journal: events, and the state that is folded from them.
//!
//! The state of a service is nothing but the fold of its events; an event that does not fit is an error, never
//! ignored. Must not know how decisions are made. Tested by trying every event in every stage (`fold/tests.rs`) and by
//! the simulation.

mod action;
mod deployment;
mod event;
mod fold;
mod receipt;
mod state;
mod stray;

pub use action::Action;
pub use deployment::{Deployment, Direction, Expanded, Kind, Phase};
pub(crate) use event::last_answer;
pub use event::{Diagnosis, Event, Outcome, Reason, Recorded, Request};
pub use fold::Illegal;
pub use receipt::{Receipt, Verdict};
pub use state::{CrashRecord, Gated, Instance, Release, Schema, Stage, State};
pub use stray::Stray;
