//! The way back: from the first byte of an instance's answer to its last one at the client.
//!
//! Passes interim answers on, checks and rebuilds the head, carries the body. Tested through the whole proxy.

use std::cell::Cell;
use std::io::IoSlice;

use tandem_core::spec::TimeoutSpec;
use tandem_core::traffic::retry::Progress;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Cause, Failure, Next, class_of};
use crate::account::Account;
use crate::body::{Body, BodyError, Way};
use crate::buffer::Buffer;
use crate::deadline::{Limits, Side, Stop};
use crate::http2::Verdict;
use crate::request::{Framing, Request};
use crate::response::{LARGEST_HEAD, Response, translate};
use crate::search::Search;
use crate::worker::Worker;

/// The most interim answers that are passed on for one request.
const MOST_INTERIM: u32 = 8;
/// How long an instance may take to ask for a body before it is asked for in its place, in milliseconds.
const CONTINUE_MILLIS: u64 = 1000;

/// Where the body of the request is, as far as the answer has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upload {
    /// The client waits to be asked for it.
    Waiting,
    /// It is on its way.
    Running,
    /// All of it was sent, or there is none.
    Done,
}

/// An answer on its way.
pub(super) struct Answer<'a> {
    request: &'a Request,
    worker: &'a Worker,
    limits: &'a Limits,
    timeouts: &'a TimeoutSpec,
    account: &'a Account,
    /// Where else a file may be that the instance lacks.
    pub(super) search: Option<&'a Search>,
    pub(super) upload: Cell<Upload>,
    /// Something of the final answer went to the client.
    pub(super) answered: Cell<bool>,
}

/// An answer that was delivered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivered {
    /// A protocol was changed: the connection belongs to both sides now.
    pub(super) upgraded: bool,
    /// The instance goes on with its connection.
    pub(super) reusable: bool,
    /// What becomes of the client's connection.
    pub(super) next: Next,
}

impl<'a> Answer<'a> {
    pub(super) fn new(
        request: &'a Request,
        worker: &'a Worker,
        limits: &'a Limits,
        timeouts: &'a TimeoutSpec,
        account: &'a Account,
    ) -> Self {
        Answer {
            request,
            worker,
            limits,
            timeouts,
            account,
            search: None,
            upload: Cell::new(Upload::Done),
            answered: Cell::new(false),
        }
    }

    /// How it ended well.
    fn delivered(&self, response: &Response) -> Delivered {
        let done = self.upload.get() == Upload::Done;
        let next = match done {
            true if response.keep_alive => Next::Continue,
            true => Next::Close,
            false => Next::Linger,
        };
        Delivered { upgraded: response.status == 101, reusable: response.reusable && done, next }
    }

    /// Carries the answer from the instance to the client.
    pub(super) async fn receive<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &self,
        from: &mut R,
        buffer: &mut Buffer,
        to: &mut W,
        out: &mut Vec<u8>,
    ) -> Result<Delivered, Failure> {
        let response = self.head(from, buffer, to, out).await?;
        if response.status == 404 && self.search.is_some_and(Search::is_promising) {
            return Err(self.failure(Progress::Begun, Cause::Lacking));
        }
        buffer.consume(response.head);
        self.account.answered(response.status);
        self.answered.set(true);
        if response.body == Framing::None {
            self.write(to, out).await?;
            return Ok(self.delivered(&response));
        }
        let mut body = Body::new(response.body, 0);
        let at_hand = matches!(response.body, Framing::Length(n) if n <= buffer.filled().len() as u64);
        if !at_hand {
            self.limits.reclass(class_of(self.upload.get() != Upload::Done, true));
        }
        let way = Way {
            limits: self.limits,
            buffers: &self.worker.buffers,
            side: Side::Answer,
            silence: self.timeouts.stream.0,
            carried: &self.account.sent,
        };
        let carried = way.carry(&mut body, from, buffer, to, response.encoding, out).await;
        carried.map(|()| self.delivered(&response)).map_err(|error| {
            let cause = match error {
                BodyError::Read(stop) => Cause::from_instance(stop),
                BodyError::Truncated => Cause::Instance("the answer ended before it was complete".to_owned()),
                BodyError::Malformed(why) => Cause::Instance(why.to_owned()),
                BodyError::TooLarge => Cause::Instance("the answer is too large".to_owned()),
                BodyError::Write(stop) => Cause::from_client(&stop),
            };
            self.failure(Progress::Begun, cause)
        })
    }

    /// Reads until the head of the final answer is there; interim answers are passed on meanwhile.
    async fn head<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &self,
        from: &mut R,
        buffer: &mut Buffer,
        to: &mut W,
        out: &mut Vec<u8>,
    ) -> Result<Response, Failure> {
        let mut interim = 0;
        if self.upload.get() == Upload::Waiting {
            self.limits.set(Side::Answer, CONTINUE_MILLIS);
        }
        *buffer = self.worker.buffers.small();
        loop {
            out.clear();
            let wrong = |why: &str| self.failure(Progress::Begun, Cause::Instance(why.to_owned()));
            let keep_alive = !self.worker.shared.is_closing() && self.upload.get() == Upload::Done;
            let response = match buffer.is_empty() {
                true => None,
                false => translate(buffer.filled(), self.request, keep_alive, out).map_err(|e| wrong(e.0))?,
            };
            match response {
                Some(response) if response.status >= 200 || response.status == 101 => return Ok(response),
                Some(response) => {
                    buffer.consume(response.head);
                    interim += 1;
                    if interim > MOST_INTERIM {
                        return Err(wrong("the instance sent too many interim answers"));
                    }
                    self.interim(response.status, to, out).await?;
                    continue;
                }
                None => {}
            }
            if buffer.room().is_empty() {
                buffer.grow(LARGEST_HEAD);
            }
            let progress =
                if buffer.is_empty() && interim == 0 { Progress::SentOnReused } else { Progress::Begun };
            match self.limits.read(Side::Answer, from, buffer).await {
                Ok(0) => {
                    let end = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                    return Err(self.failure(progress, Cause::from_instance(Stop::Io(end))));
                }
                Ok(_) => {}
                // The instance does not ask for the body, perhaps because it never does: it is asked for here.
                Err(Stop::Elapsed) if self.upload.get() == Upload::Waiting => {
                    self.interim(100, to, out).await?;
                }
                Err(Stop::Io(error)) if Verdict::of(&error) == Some(Verdict::Untouched) => {
                    let cause = Cause::from_instance(Stop::Io(error));
                    return Err(self.failure(Progress::NothingSent, cause));
                }
                Err(stop @ Stop::Io(_)) => return Err(self.failure(progress, Cause::from_instance(stop))),
                Err(stop) => return Err(self.failure(Progress::Begun, Cause::from_instance(stop))),
            }
        }
    }

    /// Passes an interim answer on, if the client can understand it and waits for it.
    async fn interim<W: AsyncWrite + Unpin>(
        &self,
        status: u16,
        to: &mut W,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let waiting = self.upload.get() == Upload::Waiting;
        if waiting {
            self.limits.clear(Side::Answer);
        }
        match status {
            100 if waiting => {
                self.upload.set(Upload::Running);
                out.clear();
                out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            100 => return Ok(()),
            _ if self.request.http10 => return Ok(()),
            _ => {}
        }
        self.write(to, out).await
    }

    async fn write<W: AsyncWrite + Unpin>(&self, to: &mut W, out: &[u8]) -> Result<(), Failure> {
        let mut progress = 0;
        let written = self.limits.write_all(Side::Answer, to, &mut [IoSlice::new(out)], &mut progress).await;
        written.map_err(|stop| self.failure(Progress::Begun, Cause::from_client(&stop)))
    }

    pub(super) fn failure(&self, progress: Progress, cause: Cause) -> Failure {
        let replayable = self.upload.get() == Upload::Done;
        Failure { progress, replayable, answered: self.answered.get(), cause }
    }
}
