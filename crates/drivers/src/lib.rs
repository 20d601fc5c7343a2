//! Where instances run. A driver makes versions ready, starts and stops instances, and tells what it sees; what follows
//! from that is decided elsewhere. Everything here blocks; no runtime is needed or known.
//!
//! Must not know: the proxy, the engine, deployments, strategies.
//!
//! Tested by `conformance`, the suite that every driver has to pass, and by `tests/drivers` with real processes.

pub mod conformance;
pub mod docker;
mod driver;
pub mod process;

pub use driver::{Connection, Driver, DriverError, LogChunk, LogPosition, RunCommand, StartInstance};
