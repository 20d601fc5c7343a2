//! A body that is written as the text of HTTP/1.1 and leaves by HTTP/2.
//!
//! Takes one piece at a time and the next one when that has left, so a slow receiver slows the sender down. Tested through
//! the whole proxy.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::SendStream;

use super::{broken, text};
use crate::chunked::Decoder;
use crate::request::Framing;

/// A body on its way out.
pub(super) struct Outgoing {
    stream: SendStream<Bytes>,
    body: Written,
    pending: Bytes,
    ended: bool,
}

/// Where the body stands, as it is written.
enum Written {
    /// So many bytes are missing.
    Length(u64),
    Chunked(Box<Decoder>),
    /// A tunnel: until it is shut.
    Tunnel,
    /// A tunnel that is shut.
    Shut,
}

impl Outgoing {
    /// A body in the given framing; for one that has none, the stream has ended already.
    pub(super) fn new(stream: SendStream<Bytes>, framing: Framing) -> Self {
        let (body, ended) = match framing {
            Framing::None | Framing::Length(0) => (Written::Length(0), true),
            Framing::Length(length) => (Written::Length(length), false),
            Framing::Chunked => (Written::Chunked(Box::new(Decoder::new())), false),
            Framing::Close => (Written::Tunnel, false),
        };
        Outgoing { stream, body, pending: Bytes::new(), ended }
    }

    /// Takes a piece, once the one before has left.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(cx))?;
        let taken = match &mut self.body {
            Written::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                *left -= here as u64;
                self.pending = Bytes::copy_from_slice(data.get(..here).unwrap_or_default());
                here
            }
            Written::Chunked(decoder) => {
                let mut data = BytesMut::from(data);
                let wrong = |_| io::Error::from(io::ErrorKind::InvalidData);
                let step = decoder.decode(&mut data).map_err(wrong)?;
                data.truncate(step.data);
                self.pending = data.freeze();
                step.consumed
            }
            Written::Tunnel => {
                self.pending = Bytes::copy_from_slice(data);
                data.len()
            }
            Written::Shut => 0,
        };
        // As much as can leave leaves at once.
        match self.poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(taken)),
        }
    }

    /// Sends what is there.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            self.stream.reserve_capacity(self.pending.len());
            let mut room = self.stream.capacity();
            if room == 0 {
                let Some(more) = ready!(self.stream.poll_capacity(cx)) else {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                };
                room = more.map_err(broken)?;
            }
            let piece = self.pending.split_to(room.min(self.pending.len()));
            let last = self.pending.is_empty() && matches!(self.body, Written::Length(0));
            self.stream.send_data(piece, last).map_err(broken)?;
            self.ended |= last;
        }
        if !self.ended && self.is_complete() {
            self.ended = true;
            self.end().map_err(broken)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Shuts a tunnel.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        if matches!(self.body, Written::Tunnel) {
            self.body = Written::Shut;
        }
        self.poll_flush(cx)
    }

    /// Ready once the receiver wants no more of it.
    pub(super) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_reset(cx).map(|_| ())
    }

    fn is_complete(&self) -> bool {
        match &self.body {
            Written::Length(left) => *left == 0,
            Written::Chunked(decoder) => decoder.is_done(),
            Written::Tunnel => false,
            Written::Shut => true,
        }
    }

    fn end(&mut self) -> Result<(), h2::Error> {
        let trailers = match &self.body {
            Written::Chunked(decoder) => decoder.trailer().and_then(text::to_trailers),
            _ => None,
        };
        match trailers {
            Some(trailers) => self.stream.send_trailers(trailers),
            None => self.stream.send_data(Bytes::new(), true),
        }
    }
}

impl Drop for Outgoing {
    /// What is not complete must not look as if it were.
    fn drop(&mut self) {
        if !self.ended {
            self.stream.send_reset(h2::Reason::INTERNAL_ERROR);
        }
    }
}
