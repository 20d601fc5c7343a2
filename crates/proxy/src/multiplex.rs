//! A client's HTTP/2 connection: each of its streams is served like a connection with one request.
//!
//! A stream that its client withdraws ends at once, and with it what an instance does for it. When the process is to end, the
//! client is told twice, so that no request that is on its way is lost (RFC 9113, section 6.8). Tested through the whole proxy.

mod guarded;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h2::server::{Connection as Framed, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tandem_core::spec::TimeoutSpec;

use crate::account::Account;
use crate::buffer::Buffer;
use crate::client::Connection;
use crate::deadline::{Limits, Side};
use crate::http2;
use crate::request::Client;
use crate::stream::ClientStream;
use crate::worker::{Place, Worker};

use guarded::Guarded;

/// How long the first frames of a connection, and its goodbye, may take, in milliseconds.
const HANDSHAKE_MILLIS: u64 = 10_000;

/// Serves the streams of a connection until it ends. What is in `read` came already.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    limits: Rc<Limits>,
    stream: ClientStream,
    read: Buffer,
    client: Rc<Client>,
    timeouts: TimeoutSpec,
) {
    limits.set(Side::Request, HANDSHAKE_MILLIS);
    let head = worker.view().snapshot.limits.head;
    let guarded = Guarded::new(stream, read, Rc::clone(&limits), timeouts.stream.0);
    let mut handshake = http2::handshake(guarded, head);
    let shaken = limits.within(Side::Request, |cx| Pin::new(&mut handshake).poll(cx).map_err(told)).await;
    let Ok(mut framed) = shaken else { return };
    let open: Rc<()> = Rc::default();
    let (mut idle, mut leaving) = (false, false);
    loop {
        let now_idle = Rc::strong_count(&open) == 1;
        if now_idle && !idle && !leaving {
            limits.set(Side::Request, timeouts.idle.0);
        } else if !now_idle && idle && !leaving {
            limits.clear(Side::Request);
        }
        idle = now_idle;
        let step = next(&mut framed, &limits, &worker, leaving, &open, idle).await;
        match step {
            Step::Request(request, mut respond) => {
                // A stream costs what a connection costs, and counts as one.
                let Some(place) = worker.stream_place() else {
                    respond.send_reset(Reason::REFUSED_STREAM);
                    continue;
                };
                let exchange = Exchange {
                    place,
                    parent: Rc::clone(&limits),
                    worker: Rc::clone(&worker),
                    client: Rc::clone(&client),
                    timeouts,
                    open: Rc::clone(&open),
                };
                tokio::task::spawn_local(exchange.run(*request, respond));
                limits.clear(Side::Request);
            }
            Step::Quiet => {}
            Step::Leave => {
                leaving = true;
                framed.graceful_shutdown();
                limits.set(Side::Request, HANDSHAKE_MILLIS.max(timeouts.idle.0));
            }
            Step::End => return,
        }
    }
}

/// What a connection does next.
enum Step {
    /// A request came.
    Request(Box<Request<RecvStream>>, SendResponse<Bytes>),
    /// The last stream ended.
    Quiet,
    /// It has been idle for long enough, or the process is to end.
    Leave,
    /// It has ended.
    End,
}

async fn next(
    framed: &mut Framed<Guarded<ClientStream>, Bytes>,
    limits: &Limits,
    worker: &Worker,
    leaving: bool,
    open: &Rc<()>,
    idle: bool,
) -> Step {
    poll_fn(|cx| {
        match framed.poll_accept(cx) {
            Poll::Ready(Some(Ok((request, respond)))) => {
                return Poll::Ready(Step::Request(Box::new(request), respond));
            }
            Poll::Ready(_) => return Poll::Ready(Step::End),
            Poll::Pending => {}
        }
        let elapsed = limits.stop(Side::Request).is_some();
        match leaving {
            true if elapsed && Rc::strong_count(open) == 1 => Poll::Ready(Step::End),
            false if elapsed || worker.shared.is_closing() => Poll::Ready(Step::Leave),
            _ if !idle && Rc::strong_count(open) == 1 => Poll::Ready(Step::Quiet),
            _ => Poll::Pending,
        }
    })
    .await
}

fn told(error: h2::Error) -> io::Error {
    io::Error::other(error)
}

/// What a stream needs of its connection.
struct Exchange {
    place: Place,
    worker: Rc<Worker>,
    /// The limits of the connection, which looks again when a stream has ended.
    parent: Rc<Limits>,
    client: Rc<Client>,
    timeouts: TimeoutSpec,
    open: Rc<()>,
}

impl Exchange {
    async fn run(self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let Exchange { place, worker, parent, client, timeouts, open } = self;
        let limits = worker.limits().await;
        let random = [worker.random(), worker.random()];
        let (stream, watch) = http2::ClientStream::new(request, respond, random);
        let stream = ClientStream::Http2(Box::new(stream));
        let (buffer, mut out) = (worker.buffers.small(), worker.buffers.text());
        let account = Account::new(&worker);
        let mut connection =
            Connection { worker, limits, stream, buffer, client, timeouts, search: None, account };
        {
            let mut exchange = Box::pin(connection.exchange(&mut out));
            poll_fn(|cx| match exchange.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => watch.poll_withdrawn(cx),
            })
            .await;
        }
        let buffers = &connection.worker.buffers;
        buffers.put_text(out);
        buffers.put(std::mem::take(&mut connection.buffer));
        drop((connection, place, open));
        parent.wake();
    }
}
