//! The data plane: takes requests in, finds each an instance, streams both ways.
//!
//! `forward` is read first: it is the life of one request. Around it, per thread: `worker`, `listener`, `connection`,
//! `stream`, `announcement`, `tls`, `handshake`, `multiplex`, `http2`, `pool`, `deadline`; the message format: `request`, `response`, `rule`, `field`, `chunked`, `body`; shared between threads:
//! `snapshot`, `instance`, `inflight`, `counts`, `calls`, `meter` and `log` (which `account` fills), `audience`; beside the path: `search` and `shelf`, `prober`, `control`, `saved`,
//! `handover`.
//! Must not know deployments: it is told a table and reports counts and health. Decisions that can be made without
//! sockets are in `tandem_core::traffic`. Tested on real sockets (`tests/proxy`) and in place.

pub mod control;
pub mod handover;
pub mod process;
pub mod tls;

mod account;
mod announcement;
mod audience;
mod body;
mod buffer;
mod calls;
mod chunked;
mod client;
mod connection;
mod counts;
mod deadline;
mod field;
mod forward;
mod handshake;
mod http2;
mod inflight;
mod instance;
mod listener;
mod log;
mod meter;
mod multiplex;
mod outliers;
mod pool;
mod prober;
mod request;
mod respond;
mod response;
mod rule;
mod saved;
mod search;
mod shelf;
mod snapshot;
mod stream;
mod upgrade;
mod worker;
