//! A seeded world for the engine: virtual time, faults, and the promises of the design checked after every step.
//!
//! The real engine loop runs here over fake ports. Nothing is random but by the seed, so every run can be repeated:
//! `SIM_SEED=17 cargo test -p tandem-sim seeds -- --nocapture`. Must not know how production fits the ports.

mod answers;
mod contract;
mod database;
mod hook;
mod ports;
mod promises;
mod random;
pub mod run;
mod scenario;
mod schema;
mod world;

pub use random::Random;
pub use run::{Outcome, run};
pub use scenario::{Behaviour, Faults, Scenario};
pub use world::{CrashAt, Moment};
