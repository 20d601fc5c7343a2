//! A body that comes by HTTP/2, read as the text of HTTP/1.1.
//!
//! The window opens by what was read, so a slow receiver slows the sender down. Tested through the whole proxy.

use std::io::{self, Write};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::RecvStream;
use tokio::io::ReadBuf;

use super::{broken, text};
use crate::request::Framing;

/// What is read, in this order: the head, then the body.
pub(super) struct Incoming {
    stream: RecvStream,
    framing: Framing,
    /// Text that goes before the data.
    text: Vec<u8>,
    at: usize,
    data: Bytes,
    ended: bool,
}

impl Incoming {
    /// The given text, then the body of the stream in the given framing.
    pub(super) fn new(stream: RecvStream, framing: Framing, text: Vec<u8>) -> Self {
        let ended = framing == Framing::None;
        Incoming { stream, framing, text, at: 0, data: Bytes::new(), ended }
    }

    /// Reads what there is. Nothing read: the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        loop {
            self.give(buf)?;
            if buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            match self.poll_fill(cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Err(error)) if buf.filled().len() == before => return Poll::Ready(Err(error)),
                Poll::Pending if buf.filled().len() == before => return Poll::Pending,
                // What was read already goes first; the rest is met again.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Ready once something can be read, the end included.
    pub(super) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.at < self.text.len() || !self.data.is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_fill(cx))?;
        Poll::Ready(Ok(()))
    }

    fn give(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let text = self.text.get(self.at..).unwrap_or_default();
        let count = text.len().min(buf.remaining());
        buf.put_slice(text.get(..count).unwrap_or_default());
        self.at += count;
        let count = self.data.len().min(buf.remaining());
        if count == 0 {
            return Ok(());
        }
        buf.put_slice(self.data.get(..count).unwrap_or_default());
        self.data.advance(count);
        if self.data.is_empty() && self.framing == Framing::Chunked {
            self.say(b"\r\n");
        }
        self.stream.flow_control().release_capacity(count).map_err(broken)
    }

    fn say(&mut self, text: &[u8]) {
        if self.at == self.text.len() {
            self.text.clear();
            self.at = 0;
        }
        self.text.extend_from_slice(text);
    }

    /// Gets the next piece; false at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.ended {
            return Poll::Ready(Ok(self.at < self.text.len()));
        }
        while self.data.is_empty() {
            let Some(data) = ready!(self.stream.poll_data(cx)) else { return self.poll_end(cx) };
            self.data = data.map_err(broken)?;
        }
        if self.framing == Framing::Chunked {
            let mut size = Vec::with_capacity(12);
            write!(size, "{:x}\r\n", self.data.len())?;
            self.say(&size);
        }
        Poll::Ready(Ok(true))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let trailers = ready!(self.stream.poll_trailers(cx)).map_err(broken)?;
        self.ended = true;
        if self.framing == Framing::Chunked {
            let mut end = b"0\r\n".to_vec();
            trailers.iter().for_each(|trailers| text::from_trailers(trailers, &mut end));
            end.extend_from_slice(b"\r\n");
            self.say(&end);
        }
        Poll::Ready(Ok(self.at < self.text.len()))
    }
}
