//! Bodies on their way, in either direction: decoded, counted, encoded anew, with backpressure.
//!
//! Nothing is read before what was read last is written: a slow receiver slows the sender down, and each direction
//! holds one buffer. Must not know whether it carries a request or an answer. Tested through the whole proxy.

use std::cell::Cell;
use std::io::IoSlice;
use std::mem;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::buffer::{Buffer, Buffers};
use crate::chunked::{Decoder, Step};
use crate::deadline::{Limits, Side, Stop};
use crate::request::Framing;

/// Up to so many bytes a piece is copied behind its head: cheaper than to gather two.
const COPIED: usize = 1024;

/// A body as it is being read.
#[derive(Debug)]
pub(crate) struct Body {
    source: Source,
    seen: u64,
    limit: u64,
}

#[derive(Debug)]
enum Source {
    Length(u64),
    Chunked(Box<Decoder>),
    Close { ended: bool },
}

/// Why a body did not arrive whole.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// Reading it stopped.
    Read(Stop),
    /// Its sender ended before it was complete.
    Truncated,
    /// It is not what its head promised.
    Malformed(&'static str),
    /// It is larger than allowed.
    TooLarge,
    /// Writing it stopped.
    Write(Stop),
}

impl Body {
    /// A body with the given framing, of at most `limit` bytes (0: any number).
    pub(crate) fn new(framing: Framing, limit: u64) -> Self {
        let source = match framing {
            Framing::None => Source::Length(0),
            Framing::Length(length) => Source::Length(length),
            Framing::Chunked => Source::Chunked(Box::new(Decoder::new())),
            Framing::Close => Source::Close { ended: false },
        };
        Body { source, seen: 0, limit }
    }

    /// Whether it was read to its end.
    pub(crate) fn is_done(&self) -> bool {
        match &self.source {
            Source::Length(left) => *left == 0,
            Source::Chunked(decoder) => decoder.is_done(),
            Source::Close { ended } => *ended,
        }
    }

    /// Decodes what is in the buffer: its front is data then.
    fn take(&mut self, buffer: &mut Buffer) -> Result<Step, BodyError> {
        let here = buffer.filled().len();
        let step = match &mut self.source {
            Source::Length(left) => {
                let data = usize::try_from(*left).unwrap_or(usize::MAX).min(here);
                *left -= data as u64;
                Step { data, consumed: data }
            }
            Source::Chunked(decoder) => {
                decoder.decode(buffer.filled_mut()).map_err(|e| BodyError::Malformed(e.0))?
            }
            Source::Close { .. } => Step { data: here, consumed: here },
        };
        self.seen += step.data as u64;
        if self.limit != 0 && self.seen > self.limit {
            return Err(BodyError::TooLarge);
        }
        Ok(step)
    }

    /// The sender ended.
    fn end(&mut self) -> Result<(), BodyError> {
        match &mut self.source {
            Source::Close { ended } => *ended = true,
            _ => return Err(BodyError::Truncated),
        }
        Ok(())
    }
}

/// What both directions of an exchange need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) buffers: &'a Buffers,
    pub(crate) side: Side,
    /// The longest silence, in milliseconds.
    pub(crate) silence: u64,
    /// Grows by what was carried.
    pub(crate) carried: &'a Cell<u64>,
}

impl Way<'_> {
    /// Carries `body` over, what is in `buffer` first. `out` may hold a head: it leaves together with the first piece.
    pub(crate) async fn carry<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &self,
        body: &mut Body,
        from: &mut R,
        buffer: &mut Buffer,
        to: &mut W,
        encoding: Framing,
        out: &mut Vec<u8>,
    ) -> Result<(), BodyError> {
        loop {
            let step = body.take(buffer)?;
            let data = buffer.filled().get(..step.data).unwrap_or_default();
            self.write(body, data, to, encoding, out).await?;
            self.carried.set(self.carried.get() + step.data as u64);
            buffer.consume(step.consumed);
            if body.is_done() {
                return Ok(());
            }
            self.limits.set(self.side, self.silence);
            let room = buffer.room().len();
            let count = self.limits.read(self.side, from, buffer).await.map_err(BodyError::Read)?;
            if count == 0 {
                body.end()?;
            } else if count == room && buffer.filled().len() == room {
                // It came as fast as it could be taken: it is worth a larger buffer.
                self.enlarge(buffer);
            }
        }
    }

    fn enlarge(&self, buffer: &mut Buffer) {
        let mut large = self.buffers.large();
        let filled = buffer.filled();
        if let Some(room) = large.room().get_mut(..filled.len()) {
            room.copy_from_slice(filled);
            large.filled_by(filled.len());
            self.buffers.put(mem::replace(buffer, large));
        } else {
            self.buffers.put(large);
        }
    }

    /// Writes one piece of data with all that has to go before and behind it.
    async fn write<W: AsyncWrite + Unpin>(
        &self,
        body: &Body,
        data: &[u8],
        to: &mut W,
        encoding: Framing,
        out: &mut Vec<u8>,
    ) -> Result<(), BodyError> {
        let mut tail = Vec::new();
        if encoding == Framing::Chunked {
            if !data.is_empty() {
                write_size(out, data.len());
                tail.extend_from_slice(b"\r\n");
            }
            if body.is_done() {
                match &body.source {
                    Source::Chunked(decoder) => {
                        decoder.write_end(&mut tail).map_err(|e| BodyError::Malformed(e.0))?;
                    }
                    _ => tail.extend_from_slice(b"0\r\n\r\n"),
                }
            }
        }
        if out.is_empty() && data.is_empty() && tail.is_empty() {
            return Ok(());
        }
        self.limits.set(self.side, self.silence);
        let mut progress = 0;
        let written = if data.len() <= COPIED {
            out.extend_from_slice(data);
            out.extend_from_slice(&tail);
            self.limits.write_all(self.side, to, &mut [IoSlice::new(out)], &mut progress).await
        } else {
            let mut parts = [IoSlice::new(out), IoSlice::new(data), IoSlice::new(&tail)];
            self.limits.write_all(self.side, to, &mut parts, &mut progress).await
        };
        written.map_err(BodyError::Write)?;
        out.clear();
        Ok(())
    }
}

/// Appends the line that opens a chunk of so many bytes.
fn write_size(out: &mut Vec<u8>, size: usize) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    out.extend((0..digits).rev().map(|at| HEX[size >> (4 * at) & 15]));
    out.extend_from_slice(b"\r\n");
}
