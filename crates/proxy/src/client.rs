//! A client's connection as a value: the stream, what arrived on it, its deadlines, and how to answer on it.
//!
//! `connection` serves it, `forward` and `upgrade` carry its requests out. Tested through the whole proxy.

use std::rc::Rc;

use tandem_core::spec::TimeoutSpec;

use crate::account::Account;
use crate::buffer::Buffer;
use crate::deadline::{Limits, Side, Stop};
use crate::request::Client;
use crate::search::Search;
use crate::stream::ClientStream;
use crate::worker::Worker;

/// A client's connection.
pub(crate) struct Connection {
    pub(crate) worker: Rc<Worker>,
    pub(crate) limits: Rc<Limits>,
    pub(crate) stream: ClientStream,
    /// What arrived and was not used yet.
    pub(crate) buffer: Buffer,
    pub(crate) client: Rc<Client>,
    pub(crate) timeouts: TimeoutSpec,
    /// Where else the file may be that the request under way asks for.
    pub(crate) search: Option<Search>,
    /// What happens to the request under way.
    pub(crate) account: Account,
}

/// What becomes of the client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It goes on.
    Continue,
    /// It ends now, and in order.
    Close,
    /// It ends now, and not as if all were well: something is missing, or nobody is there.
    Abort,
    /// It ends once the client had time to read the answer.
    Linger,
    /// It goes on in HTTP/2.
    Http2,
}

impl Connection {
    /// Sends an answer of the proxy's own.
    pub(crate) async fn send(&mut self, text: &[u8]) -> Result<(), Stop> {
        self.limits.set(Side::Answer, self.timeouts.stream.0);
        let mut parts = [std::io::IoSlice::new(text)];
        let sent = self.limits.write_all(Side::Answer, &mut self.stream, &mut parts, &mut 0).await;
        self.limits.clear(Side::Answer);
        sent
    }

    /// Whether it is a stream of HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        matches!(self.stream, ClientStream::Http2(_))
    }

    /// The connection will end with a reset: for answers whose end is the end of the connection, where anything else
    /// would look complete.
    pub(crate) fn reset_on_close(&mut self) {
        self.stream.abort();
    }
}
