//! Time limits of connections: one field per direction and connection, looked at by one slow tick per thread.
//!
//! A timer per operation would cost more than the operation. Here setting a limit is one store; ten times a second a
//! thread looks over its connections and wakes those whose time is over, or whose instance has left and won't wait
//! any longer. So limits hold to about a tenth of a second. All reads and writes of a connection go through `read`
//! and `write_all`, which end when the limit has passed. Must not know HTTP. Tested through the whole proxy.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::buffer::Buffer;
use crate::inflight::Class;
use crate::pool::Permit;

/// Which half of an exchange a limit is for: they run at the same time while a body is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The request, from the client to the instance.
    Request,
    /// The answer, from the instance to the client.
    Answer,
}

/// What can be waited for without a buffer at hand.
pub(crate) trait Readable {
    /// Ready once something can be read, the end included; or once it is worth trying.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Why reading or writing ended.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The connection failed.
    Io(io::Error),
    /// Its time limit passed.
    Elapsed,
    /// Its instance left, and the drain deadline passed.
    Cut,
}

/// The limits of one connection.
#[derive(Debug)]
pub(crate) struct Limits {
    now: Rc<Cell<u64>>,
    ends: [Cell<u64>; 2],
    cut: Cell<bool>,
    idle: Cell<bool>,
    jitter: u64,
    waker: RefCell<Option<Waker>>,
    flight: RefCell<Option<Permit>>,
}

impl Limits {
    /// Limits by the given clock, for the task that polls this.
    pub(crate) async fn new(now: Rc<Cell<u64>>, jitter: u64) -> Rc<Self> {
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        Rc::new(Limits {
            now,
            ends: [const { Cell::new(u64::MAX) }; 2],
            cut: Cell::new(false),
            idle: Cell::new(false),
            jitter,
            waker: RefCell::new(Some(waker)),
            flight: RefCell::new(None),
        })
    }

    /// The given side has so many milliseconds from now.
    pub(crate) fn set(&self, side: Side, millis: u64) {
        self.end(side).set(self.now.get().saturating_add(millis));
    }

    /// The given side has no limit.
    pub(crate) fn clear(&self, side: Side) {
        self.end(side).set(u64::MAX);
    }

    fn end(&self, side: Side) -> &Cell<u64> {
        let [request, answer] = &self.ends;
        if side == Side::Request { request } else { answer }
    }

    /// A request begins on an instance.
    pub(crate) fn begin(&self, permit: Permit) {
        self.cut.set(false);
        *self.flight.borrow_mut() = Some(permit);
    }

    /// The request is over: its permit is given back.
    pub(crate) fn finish(&self) {
        self.cut.set(false);
        self.clear(Side::Request);
        self.clear(Side::Answer);
        let permit = self.flight.borrow_mut().take();
        drop(permit);
    }

    /// A cut was noticed: what is left to say may still be said.
    pub(crate) fn forgive(&self) {
        self.finish();
    }

    /// The connection waits for a request, or does not any more.
    pub(crate) fn set_idle(&self, idle: bool) {
        self.idle.set(idle);
    }

    /// What is in flight is of another class now.
    pub(crate) fn reclass(&self, class: Class) {
        if let Some(permit) = self.flight.borrow_mut().as_mut() {
            permit.reclass(class);
        }
    }

    /// Looks at the limits, and wakes the connection if one has passed.
    /// `closing`: the process is to end, and connections that wait for a request are to be closed.
    pub(crate) fn tick(&self, closing: bool) {
        let now = self.now.get();
        if closing && self.idle.get() {
            self.set(Side::Request, 0);
        }
        let cut = self.flight.borrow().as_ref().is_some_and(|permit| now >= permit.cut_at(self.jitter));
        self.cut.set(self.cut.get() || cut);
        if self.cut.get() || self.ends.iter().any(|end| now >= end.get()) {
            self.wake();
        }
    }

    /// Has the connection polled again.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Whether the given side has to stop.
    pub(crate) fn stop(&self, side: Side) -> Option<Stop> {
        if self.cut.get() {
            return Some(Stop::Cut);
        }
        (self.now.get() >= self.end(side).get()).then_some(Stop::Elapsed)
    }

    /// The outcome of `poll`, or the reason to stop.
    pub(crate) async fn within<T>(
        &self,
        side: Side,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Result<T, Stop> {
        poll_fn(|cx| match poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(outcome.map_err(Stop::Io)),
            Poll::Pending => self.stop(side).map_or(Poll::Pending, |stop| Poll::Ready(Err(stop))),
        })
        .await
    }

    /// Waits until something can be read, the end included, without holding a buffer meanwhile.
    pub(crate) async fn readable(&self, side: Side, stream: &mut impl Readable) -> Result<(), Stop> {
        self.within(side, |cx| stream.poll_readable(cx)).await
    }

    /// Reads once into the room of the buffer. 0: the other side has ended, or there is no room.
    pub(crate) async fn read<R: AsyncRead + Unpin>(
        &self,
        side: Side,
        from: &mut R,
        into: &mut Buffer,
    ) -> Result<usize, Stop> {
        self.within(side, |cx| {
            let mut room = ReadBuf::new(into.room());
            let poll = Pin::new(&mut *from).poll_read(cx, &mut room);
            let count = room.filled().len();
            poll.map_ok(|()| {
                into.filled_by(count);
                count
            })
        })
        .await
    }

    /// Writes all of the parts. `progress` is raised by what was written, also when it fails.
    pub(crate) async fn write_all<W: AsyncWrite + Unpin>(
        &self,
        side: Side,
        to: &mut W,
        mut parts: &mut [IoSlice<'_>],
        progress: &mut usize,
    ) -> Result<(), Stop> {
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            let count = self
                .within(side, |cx| match &*parts {
                    [one] => Pin::new(&mut *to).poll_write(cx, one),
                    several => Pin::new(&mut *to).poll_write_vectored(cx, several),
                })
                .await?;
            if count == 0 {
                return Err(Stop::Io(io::ErrorKind::WriteZero.into()));
            }
            *progress += count;
            IoSlice::advance_slices(&mut parts, count);
        }
        // What encrypts or frames may have taken it without having sent it.
        self.within(side, |cx| Pin::new(&mut *to).poll_flush(cx)).await
    }
}
