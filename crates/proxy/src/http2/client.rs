//! A stream of a client's HTTP/2 connection, as if it were a connection with one request.
//!
//! Tested through the whole proxy.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::{Builder, Handshake, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::{CONNECTION_WINDOW, MOST_RESETS, MOST_STREAMS, SEND_BUFFER, STREAM_WINDOW, broken, text};
use crate::request::Framing;

/// Begins to speak HTTP/2 with a client. `head`: the largest head of a request, in bytes.
pub(crate) fn handshake<S: AsyncRead + AsyncWrite + Unpin>(stream: S, head: u32) -> Handshake<S, Bytes> {
    Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(head)
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(MOST_RESETS)
        .max_local_error_reset_streams(Some(MOST_RESETS))
        .enable_connect_protocol()
        .handshake(stream)
}

/// One request of a connection.
pub(crate) struct ClientStream {
    incoming: Incoming,
    answer: Rc<RefCell<Answer>>,
}

/// Its answer, for the one who writes it and the one who looks whether it is still wanted.
struct Answer {
    of_head: bool,
    state: State,
}

enum State {
    /// Its head was not written yet.
    Head(SendResponse<Bytes>),
    Body(Outgoing),
    Gone,
}

impl ClientStream {
    /// The stream of a request, and who looks whether it is still wanted. `random`: any bits.
    pub(crate) fn new(
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
        random: [u64; 2],
    ) -> (Self, Watch) {
        let (parts, body) = request.into_parts();
        let mut head = Vec::with_capacity(512);
        let framing = text::from_request(&parts, body.is_end_stream(), random, &mut head);
        let answer = Answer { of_head: parts.method == http::Method::HEAD, state: State::Head(respond) };
        let answer = Rc::new(RefCell::new(answer));
        let watch = Watch(Rc::clone(&answer));
        (ClientStream { incoming: Incoming::new(body, framing, head), answer }, watch)
    }

    /// Ready once something can be read, the end included.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.incoming.poll_readable(cx)
    }
}

/// Looks whether a request is still wanted.
pub(crate) struct Watch(Rc<RefCell<Answer>>);

impl Watch {
    /// Ready once the client has withdrawn it.
    pub(crate) fn poll_withdrawn(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.borrow_mut().poll_reset(cx)
    }
}

impl Answer {
    /// Sends a head: whole, as all heads are written. The final one opens the body.
    fn head(&mut self, data: &[u8]) -> io::Result<usize> {
        let State::Head(respond) = &mut self.state else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let wrong = || io::Error::from(io::ErrorKind::InvalidData);
        let end = memchr::memmem::find(data, b"\r\n\r\n").ok_or_else(wrong)? + 4;
        let head = data.get(..end).unwrap_or_default();
        let (response, framing) = text::to_response(head, self.of_head).ok_or_else(wrong)?;
        if response.status().is_informational() {
            respond.send_informational(response).map_err(broken)?;
            return Ok(end);
        }
        let whole = matches!(framing, Framing::None | Framing::Length(0));
        let stream = respond.send_response(response, whole).map_err(broken)?;
        self.state = State::Body(Outgoing::new(stream, framing));
        Ok(end)
    }

    /// Ready once the client does not want it any more.
    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.state {
            State::Head(respond) => respond.poll_reset(cx).map(|_: Result<Reason, _>| ()),
            State::Body(body) => body.poll_reset(cx),
            State::Gone => Poll::Ready(()),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let State::Head(mut respond) = std::mem::replace(&mut self.state, State::Gone) {
            respond.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.incoming.poll_read(cx, buf)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let mut answer = self.answer.borrow_mut();
        match &mut answer.state {
            State::Head(_) => Poll::Ready(answer.head(data)),
            State::Body(body) => body.poll_write(cx, data),
            State::Gone => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.answer.borrow_mut().state {
            State::Body(body) => body.poll_flush(cx),
            State::Head(_) | State::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.answer.borrow_mut().state {
            State::Body(body) => {
                ready!(body.poll_shutdown(cx))?;
                Poll::Ready(Ok(()))
            }
            State::Head(_) | State::Gone => Poll::Ready(Ok(())),
        }
    }
}
