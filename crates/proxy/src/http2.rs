//! HTTP/2 at both ends of the path, translated there to the HTTP/1.1 text that all of the path speaks.
//!
//! A request that comes as a stream of HTTP/2 is served as if it had come on a connection of its own (`client`), and goes to
//! an instance that speaks HTTP/2 as if it had one (`instance`). So there is one door, one way of forwarding, one set of
//! deadlines, and what was never text (pseudo-fields, lengths that are implied) is checked like text. `text` translates
//! heads, `incoming` and `outgoing` bodies. The framing itself is the `h2` crate's. Must not know routes; who serves the streams
//! is `multiplex`.
//! Tested through the whole proxy, and `text` in place.

mod client;
mod incoming;
mod instance;
mod outgoing;
mod text;

use std::io;

pub(crate) use client::{ClientStream, handshake};
pub(crate) use instance::{InstanceStream, Pool};

/// The beginning of a client's connection that speaks HTTP/2 without having agreed on it (RFC 9113, section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// So many requests of one connection are under way at once.
const MOST_STREAMS: u32 = 128;
/// So many bytes of one body may be on their way to us before they were passed on.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all bodies of one connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// So many bytes of one body are held until they can leave.
const SEND_BUFFER: usize = 128 * 1024;
/// So many requests may be withdrawn before anybody looked at them, and so many errors be made, before a connection is ended.
const MOST_RESETS: usize = 32;

/// What an error of a stream says beyond that it failed. Travels in an `io::Error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Verdict {
    /// The other side did not begin with what it was sent: it refused the stream, or said goodbye before it (RFC 9113,
    /// section 8.7; the `h2` crate gives the goodbye only to streams that it does not cover).
    #[error("the instance refused the request before it looked at it")]
    Untouched,
    /// What was to be sent can't be said in HTTP/2.
    #[error("the request can't be said in HTTP/2")]
    Unsayable,
}

impl Verdict {
    /// The verdict in an error, if there is one.
    pub(crate) fn of(error: &io::Error) -> Option<Verdict> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<Verdict> for io::Error {
    fn from(verdict: Verdict) -> io::Error {
        io::Error::other(verdict)
    }
}

/// An error of a stream as one of a connection.
fn broken(error: h2::Error) -> io::Error {
    let untouched = error.reason() == Some(h2::Reason::REFUSED_STREAM)
        || error.is_remote() && error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
    match error.into_io() {
        Some(error) => error,
        None if untouched => Verdict::Untouched.into(),
        None => io::ErrorKind::ConnectionReset.into(),
    }
}
