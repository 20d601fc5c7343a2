//! Real parts for the ports of the engine. Each adapter fits one thing to one port, and decides nothing.
//!
//! Tested in `tests/server/adapter.rs`, and end to end.

pub(crate) mod acme;
pub(crate) mod certificates;
pub(crate) mod contract;
pub(crate) mod database;
pub(crate) mod hook;
pub(crate) mod instances;
pub(crate) mod journal;
pub(crate) mod source;
pub(crate) mod traffic;

use tandem_core::base::Timestamp;

use crate::clock::Clock;

impl tandem_engine::Clock for Clock {
    fn now(&mut self) -> Timestamp {
        Clock::now(self)
    }
}
