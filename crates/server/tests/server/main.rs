//! The server package with real files, sockets and processes. Everything lies in temporary folders.
#![allow(clippy::unwrap_used)]

mod state;
mod store;
