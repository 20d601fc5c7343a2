//! The whole proxy, as a process of its own, between real sockets: scripted clients on one side, scripted instances
//! on the other. Each test starts its own proxy; none depends on the speed of the machine.
#![allow(missing_docs)]

mod balance;
mod calls;
mod control;
mod drain;
mod exchange;
mod gate;
mod health;
mod http2;
mod instance;
mod leave;
mod log;
mod metrics;
mod proxy;
mod relay;
mod rules;
mod secure;
mod services;
mod sessions;
mod strict;
mod trust;
