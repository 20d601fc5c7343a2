//! End to end: the real program, a real shop, real load; deployments, bad versions, and `kill -9` of every kind of process.
//!
//! The load is open-loop and each request has its own id, so whatever gets lost or doubled is seen from outside. Each
//! test has a folder and a port of its own.

mod authority;
mod canary;
mod certificates;
mod command;
mod contract;
mod deployments;
mod docker;
mod failures;
mod guide;
mod hooks;
mod kills;
mod monitoring;
mod network;
mod pooler;
mod reload;
mod schema;
mod services;
mod sessions;
mod source;
mod stage;
mod strays;
