//! A connection below HTTP/2, with a bound on how long its other side may refuse to take what it is sent.
//!
//! The deadlines of the requests bound what each of them waits for; this bounds the connection itself, whose own frames
//! would else wait forever. Tested through the whole proxy.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::buffer::Buffer;
use crate::deadline::{Limits, Side};

/// A connection, what was read of it already, and its limits.
pub(super) struct Guarded<S> {
    stream: S,
    read: Buffer,
    limits: Rc<Limits>,
    /// The longest time without progress, in milliseconds.
    patience: u64,
    stuck: bool,
}

impl<S> Guarded<S> {
    /// What is in `read` comes before what is in the stream.
    pub(super) fn new(stream: S, read: Buffer, limits: Rc<Limits>, patience: u64) -> Self {
        Guarded { stream, read, limits, patience, stuck: false }
    }

    fn watch<T>(&mut self, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match (&poll, self.stuck) {
            (Poll::Ready(_), true) => {
                self.stuck = false;
                self.limits.clear(Side::Answer);
            }
            (Poll::Ready(_), false) => {}
            (Poll::Pending, false) => {
                self.stuck = true;
                self.limits.set(Side::Answer, self.patience);
            }
            (Poll::Pending, true) if self.limits.stop(Side::Answer).is_some() => {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            (Poll::Pending, true) => {}
        }
        poll
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = self.read.filled().len().min(buf.remaining());
        buf.put_slice(self.read.filled().get(..count).unwrap_or_default());
        self.read.consume(count);
        if self.read.is_empty() {
            self.read = Buffer::default();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, data);
        self.watch(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.watch(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(poll)
    }
}
