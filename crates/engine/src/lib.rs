//! The loop behind every deployment: observe → decide → check → journal → act → journal.
//!
//! The engine owns the *ports*: the traits through which it sees and changes the world. It knows neither sockets nor
//! SQL, has no clock of its own and never blocks but in a port. `tandem-server` fits real parts to the ports;
//! `tandem-sim` fits a seeded world to them and crashes it at every call.

mod engine;
mod ports;
mod run;

pub use engine::{Engine, EngineError, Pass, View};
pub use ports::{
    Clock, Contracts, Database, Hooks, Instances, Journal, PortError, Ports, Source, Start, Traffic,
};
pub use run::{Message, Outside, Stop, run};
