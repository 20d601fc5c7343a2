//! Values and decisions of Tandem.
//!
//! Everything here is a plain value or a pure function of values: no runtime, no sockets, no files, no clock and
//! no randomness. Time arrives as an argument; collections have a fixed order. That is what lets the simulator, the
//! forecast and production run the very same decisions.
//!
//! Modules may look only to their left: `base → spec → contract → traffic → fleet → database → workflow → deploy`, where `workflow` is the
//! journal and the state that it amounts to.
//!
//! Tested by readable cases, properties, and by `tandem-sim`, which runs the decisions in a faulty world.

pub mod base;
pub mod contract;
pub mod database;
pub mod deploy;
pub mod fleet;
pub mod spec;
pub mod traffic;
pub mod workflow;
