//! HTTP/2 connections to an instance, and one request on one of them.
//!
//! A thread has a few connections to each instance and puts requests on the first that has room. Tested through the whole
//! proxy.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::{CONNECTION_WINDOW, MOST_RESETS, SEND_BUFFER, STREAM_WINDOW, Verdict, broken, text};
use crate::request::Framing;

/// So many requests of one thread are put on one connection, unless the instance wants fewer.
const MOST_ON_ONE: usize = 100;
/// So many connections of one thread to one instance there may be.
const MOST_CONNECTIONS: usize = 16;
/// The largest head of an answer.
const LARGEST_HEAD: u32 = 64 * 1024;

/// The connections of one thread to one instance.
#[derive(Debug, Default)]
pub(crate) struct Pool(RefCell<Vec<Shared>>);

/// A connection with all that is on it.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    requests: SendRequest<Bytes>,
    /// One for the pool and one for each request that is on it.
    users: Rc<()>,
    since: u64,
}

impl Pool {
    /// A connection that has room for one more request. `now`: milliseconds of the proxy's clock.
    pub(crate) async fn take(&self, now: u64) -> Option<Shared> {
        let found = |cx: &mut Context<'_>| {
            let mut connections = self.0.borrow_mut();
            connections.retain_mut(|shared| !matches!(shared.requests.poll_ready(cx), Poll::Ready(Err(_))));
            let full = connections.len() >= MOST_CONNECTIONS;
            let mut open = connections.iter_mut();
            let least =
                if full { open.min_by_key(|shared| shared.load()) } else { open.find(|s| s.has_room()) };
            Poll::Ready(least.map(|shared| {
                shared.since = now;
                shared.clone()
            }))
        };
        poll_fn(found).await
    }

    /// Speaks HTTP/2 on a new connection.
    pub(crate) async fn open(&self, stream: TcpStream, now: u64) -> io::Result<Shared> {
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(LARGEST_HEAD)
            .max_send_buffer_size(SEND_BUFFER)
            .max_local_error_reset_streams(Some(MOST_RESETS));
        let (requests, connection) = builder.handshake(stream).await.map_err(broken)?;
        // It ends by itself when nobody has a handle on it and nothing is on it.
        tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to an instance ended");
            }
        });
        let shared = Shared { requests, users: Rc::default(), since: now };
        self.0.borrow_mut().push(shared.clone());
        Ok(shared)
    }

    /// Gives up what was used last before `oldest` milliseconds.
    pub(crate) fn prune(&self, now: u64, oldest: u64) {
        self.0.borrow_mut().retain(|shared| shared.load() > 0 || now.saturating_sub(shared.since) < oldest);
    }

    /// Gives all connections up: what is on them finishes.
    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

impl Shared {
    fn load(&self) -> usize {
        Rc::strong_count(&self.users) - 1
    }

    fn has_room(&self) -> bool {
        self.load() < self.requests.current_max_send_streams().min(MOST_ON_ONE)
    }

    /// A request on it. `trailers`: the client takes them.
    pub(crate) fn stream(self, trailers: bool) -> InstanceStream {
        let Shared { requests, users, .. } = self;
        InstanceStream { out: Out::Head { requests, trailers }, answer: Answer::None, _user: users }
    }
}

/// One request of a connection.
pub(crate) struct InstanceStream {
    out: Out,
    answer: Answer,
    _user: Rc<()>,
}

enum Out {
    /// Its head was not written yet.
    Head {
        requests: SendRequest<Bytes>,
        trailers: bool,
    },
    Body(Outgoing),
}

enum Answer {
    /// There is no request yet.
    None,
    /// Its head did not come yet.
    Awaited(ResponseFuture),
    Body(Incoming),
}

impl InstanceStream {
    /// Ready once something can be read, the end included.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_answer(cx))?.poll_readable(cx)
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut Incoming>> {
        if let Answer::Awaited(answer) = &mut self.answer {
            let (parts, body) = ready!(Pin::new(answer).poll(cx)).map_err(broken)?.into_parts();
            let mut head = Vec::with_capacity(512);
            let framing = text::from_response(&parts, body.is_end_stream(), &mut head);
            self.answer = Answer::Body(Incoming::new(body, framing, head));
        }
        match &mut self.answer {
            Answer::Body(body) => Poll::Ready(Ok(body)),
            _ => Poll::Ready(Err(Verdict::Untouched.into())),
        }
    }

    /// Sends the head: whole, as all heads are written.
    fn head(&mut self, data: &[u8]) -> io::Result<usize> {
        let Out::Head { requests, trailers } = &mut self.out else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let unsayable = || io::Error::from(Verdict::Unsayable);
        let end = memchr::memmem::find(data, b"\r\n\r\n").ok_or_else(unsayable)? + 4;
        let head = data.get(..end).unwrap_or_default();
        let (request, framing) = text::to_request(head, *trailers).ok_or_else(unsayable)?;
        let whole = matches!(framing, Framing::None | Framing::Length(0));
        let (answer, body) = requests.send_request(request, whole).map_err(broken)?;
        self.answer = Answer::Awaited(answer);
        self.out = Out::Body(Outgoing::new(body, framing));
        Ok(end)
    }
}

impl AsyncRead for InstanceStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_answer(cx))?.poll_read(cx, buf)
    }
}

impl AsyncWrite for InstanceStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.out {
            Out::Head { .. } => Poll::Ready(self.head(data)),
            Out::Body(body) => body.poll_write(cx, data),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.out {
            Out::Head { .. } => Poll::Ready(Ok(())),
            Out::Body(body) => body.poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
