//! The server package with real files, sockets and processes. Everything lies in temporary folders.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod admin;
mod api;
mod certificates;
mod config;
mod metrics;
mod source;
mod state;
mod store;
mod supervisor;
mod waiting;
