//! A request whose body is still arriving: it goes up while the answer may already come down.
//!
//! Both directions run in one task. The answer decides when it is over: an early answer is delivered although the
//! body is not complete, and the client's connection ends after it. Tested through the whole proxy.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::IoSlice;
use std::pin::pin;
use std::task::Poll;

use tandem_core::spec::TimeoutSpec;
use tandem_core::traffic::retry::Progress;

use super::answer::{Answer, Delivered, Upload};
use super::{Cause, Failure, class_of};
use crate::body::{Body, BodyError, Way};
use crate::buffer::Buffer;
use crate::client::Connection;
use crate::deadline::{Side, Stop};
use crate::inflight::Class;
use crate::request::Request;
use crate::stream::{InstanceStream, halves};

/// How the way up ended.
enum Up {
    /// The instance does not take more; what it has to say comes as its answer.
    Refused,
    /// There is nothing to wait for any more.
    Failed(Cause),
}

/// Sends a request and its body while it arrives, and carries the answer back.
pub(super) async fn exchange(
    connection: &mut Connection,
    request: &Request,
    upstream: &mut InstanceStream,
    buffer: &mut Buffer,
    timeouts: &TimeoutSpec,
    most: u64,
    head: &[u8],
) -> Result<Delivered, Failure> {
    let worker = &*connection.worker;
    let limits = &*connection.limits;
    let waits = request.expects && connection.buffer.is_empty();
    let account = &connection.account;
    let answer = Answer::new(request, worker, limits, timeouts, account);
    answer.upload.set(if waits { Upload::Waiting } else { Upload::Running });
    limits.reclass(Class::Upload);
    limits.set(Side::Request, timeouts.body.0);
    let mut progress = 0;
    if let Err(stop) =
        limits.write_all(Side::Request, upstream, &mut [IoSlice::new(head)], &mut progress).await
    {
        let progress = if progress == 0 { Progress::NothingSent } else { Progress::Begun };
        let cause = Cause::from_instance(stop);
        return Err(Failure { progress, replayable: true, answered: false, cause });
    }
    let (client, instance) = (RefCell::new(&mut connection.stream), RefCell::new(upstream));
    let (mut client_read, mut client_write) = halves(&client);
    let (mut instance_read, mut instance_write) = halves(&instance);
    let (mut text_up, mut text_down) = (worker.buffers.text(), worker.buffers.text());
    let way = Way {
        limits,
        buffers: &worker.buffers,
        side: Side::Request,
        silence: timeouts.body.0,
        carried: &account.received,
    };
    let arriving = &mut connection.buffer;
    let outcome = {
        let mut up = pin!(async {
            // Polled again whenever the task is: the way down asks for the body and then lets this go on.
            let waiting = || answer.upload.get() == Upload::Waiting;
            poll_fn(|_| if waiting() { Poll::Pending } else { Poll::Ready(()) }).await;
            let mut body = Body::new(request.body, most);
            let (from, to) = (&mut client_read, &mut instance_write);
            way.carry(&mut body, from, arriving, to, request.body, &mut text_up).await
        });
        let mut down = pin!(answer.receive(&mut instance_read, buffer, &mut client_write, &mut text_down));
        let mut ended = false;
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = down.as_mut().poll(cx) {
                return Poll::Ready(outcome);
            }
            if ended {
                return Poll::Pending;
            }
            let Poll::Ready(outcome) = up.as_mut().poll(cx) else { return Poll::Pending };
            ended = true;
            limits.clear(Side::Request);
            if !answer.answered.get() {
                limits.set(Side::Answer, timeouts.answer.0);
            }
            match outcome.map_err(Up::from) {
                Ok(()) => {
                    answer.upload.set(Upload::Done);
                    limits.reclass(class_of(false, answer.answered.get()));
                }
                Err(Up::Refused) => {}
                Err(Up::Failed(cause)) => return Poll::Ready(Err(answer.failure(Progress::Begun, cause))),
            }
            Poll::Pending
        })
        .await
    };
    worker.buffers.put_text(text_up);
    worker.buffers.put_text(text_down);
    outcome
}

impl From<BodyError> for Up {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Write(Stop::Io(_)) => Up::Refused,
            BodyError::Write(Stop::Elapsed) => Up::Failed(Cause::Silent("it did not take the body in time")),
            BodyError::Write(Stop::Cut) | BodyError::Read(Stop::Cut) => Up::Failed(Cause::Cut),
            BodyError::Read(Stop::Elapsed) => {
                Up::Failed(Cause::Refused(408, "the body did not come in time"))
            }
            BodyError::Read(Stop::Io(_)) | BodyError::Truncated => Up::Failed(Cause::Client),
            BodyError::Malformed(why) => Up::Failed(Cause::Refused(400, why)),
            BodyError::TooLarge => Up::Failed(Cause::Refused(413, "the body is too large")),
        }
    }
}
