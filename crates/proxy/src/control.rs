//! The local socket by which the proxy is told its table and asked for what it sees.
//!
//! One line of JSON each way (`message`); `client` is what the controller and the supervisor use, `server` runs in
//! the proxy on threads of its own. Whoever can open the socket may do everything: it is created for its owner only.
//! Tested through the whole proxy.

mod client;
mod message;
mod server;

pub use client::{Client, ControlError};
pub(crate) use server::{Places, serve};
