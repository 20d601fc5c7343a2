//! Wiring: the only place where everything meets.
//!
//! `supervisor` is what `tandem up` does, `controller` the process that decides, `api` how people talk to it, `admin` how they do so over
//! the network, `exposition`
//! what Prometheus is told, `store` its memory. Nothing here decides what a deployment does next: that is `tandem-core`,
//! driven by `tandem-engine`.
//!
//! Tested in `tests/server` with real files, sockets and processes; end to end with the real binary in `crates/cli`.

mod acme;
mod adapter;
pub mod admin;
pub mod api;
mod audit;
pub mod certificates;
pub mod clock;
pub mod config;
pub mod controller;
pub mod data_plane;
mod errand;
mod exposition;
mod feed;
pub mod front;
pub mod logging;
pub mod message;
mod notify;
mod office;
mod preparations;
pub mod schema;
mod secret;
mod seen;
mod shelf;
pub mod state;
pub mod store;
pub mod supervisor;
mod wake;
