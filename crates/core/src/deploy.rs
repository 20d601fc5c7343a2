//! Deployments: from what is wanted and what was observed to what is to be done.
//!
//! [`decide()`] is the entry: pure and total. It is called again and again; each time it says what has become a fact
//! (to be recorded), what is to be done now (as data), what is waited for, and when to look again. Must not know how
//! anything is carried out. Tested by cases (`decide/tests.rs`) and by the simulation, with [`check()`] as the oracle.

mod backoff;
mod calendar;
mod canary;
mod check;
mod command;
mod decide;
mod decision;
mod diagnosis;
mod facts;
mod forecast;
mod guard;
mod hook;
mod pools;
mod promise;
mod queue;
pub mod routing;
mod schema;
mod steps;
mod strategy;
mod strays;
mod wait;

pub use calendar::{Calendar, Zone};
pub use check::{Violation, check};
pub use command::{Command, Refusal, accept};
pub use decide::decide;
pub use decision::{Decision, Input, Observed, Preparation};
pub use diagnosis::likely_cause;
pub use forecast::{Basis, Estimate, Fault, Forecast, Step, Way, forecast, foreseen, ways};
pub use guard::{findings, judge};
pub use hook::{Asked, Call, Rounds, call, watch_call};
pub use promise::{Promise, Question, question};
pub use queue::{Condition, ObservedSource, to_be_checked};
pub use strays::{strays, unseen_since};
pub use wait::{StepEnd, Wait};
