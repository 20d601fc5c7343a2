//! One client's connection: requests one after the other until somebody wants to end it.
//!
//! Holds no buffer while it waits for a request. Ends in an orderly way: an answer that was sent is not destroyed by
//! what the client still sends. Tested through the whole proxy.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use tandem_core::spec::{TimeoutSpec, Told};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use crate::account::Account;
use crate::announcement::{self, Announced};
use crate::buffer::Buffer;
use crate::client::{Connection, Next};
use crate::deadline::{Limits, Side, Stop};
use crate::forward::forward;
use crate::handshake::{self, Shaken};
use crate::http2;
use crate::multiplex;
use crate::request::{Client, Door, Refusal, Request, admit, believes};
use crate::respond::Own;
use crate::stream::ClientStream;
use crate::worker::{View, Worker};

/// How long, and how much, a client may go on sending after the last answer.
const LINGER_MILLIS: u64 = 2000;
const LINGER_BYTES: usize = 512 * 1024;

/// After so long without a request a connection is put to sleep, in milliseconds.
const NAP_MILLIS: u64 = 1000;

/// Why no request came out of what arrived.
enum Absent {
    /// The client is done, or was silent between requests for too long.
    Ended,
    /// The client goes on in HTTP/2.
    Http2,
    /// What came is refused.
    Refused(Refusal),
}

/// Serves a client until its connection ends.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    mut stream: TcpStream,
    mut peer: SocketAddr,
    address: SocketAddr,
) {
    let limits = worker.limits().await;
    let view = worker.view();
    let timeouts = view.snapshot.table.routes.first().map_or_else(TimeoutSpec::default, |r| r.timeouts);
    let listeners = &view.snapshot.table.listeners;
    let listener = listeners.iter().find(|listener| listener.address == address);
    if listener.is_some_and(|listener| believes(listener, Told::Proxy, peer)) {
        limits.set(Side::Request, timeouts.head.0);
        match Box::pin(announced(&limits, &mut stream)).await {
            Some(Announced::Client(client)) => peer = client,
            Some(Announced::Peer) => {}
            None => return,
        }
    }
    let client = Rc::new(Client::new(peer, address, listener, listeners));
    drop(view);
    let stream = match client.secure {
        false => ClientStream::Tcp(stream),
        true => {
            limits.set(Side::Request, timeouts.head.0);
            let shaken = Box::pin(shake(&worker, &limits, stream)).await;
            limits.clear(Side::Request);
            worker.at_door(|door| match &shaken {
                Shaken::Failed => door.failed_handshakes.add(1),
                _ => door.handshakes.add(1),
            });
            match shaken {
                Shaken::Http1(stream) => ClientStream::Tls(stream),
                Shaken::Http2(stream) => {
                    let stream = ClientStream::Tls(stream);
                    let serving =
                        multiplex::serve(worker, limits, stream, Buffer::default(), client, timeouts);
                    return Box::pin(serving).await;
                }
                Shaken::Done | Shaken::Failed => return,
            }
        }
    };
    let buffer = Buffer::default();
    let account = Account::new(&worker);
    let mut connection =
        Connection { worker, limits, stream, buffer, client, timeouts, search: None, account };
    while connection.wait(u64::MAX).await.is_ok() {
        // A conversation needs some kilobytes of state; a connection that sleeps is not to carry them.
        match Box::pin(connection.converse()).await {
            Next::Continue if connection.worker.shared.is_ending() => return,
            Next::Continue => {}
            Next::Abort => return,
            Next::Close => return Box::pin(connection.close()).await,
            Next::Linger => return Box::pin(connection.linger()).await,
            Next::Http2 => {
                let Connection { worker, limits, stream, buffer, client, timeouts, .. } = connection;
                return Box::pin(multiplex::serve(worker, limits, stream, buffer, client, timeouts)).await;
            }
        }
    }
    Box::pin(connection.close()).await;
}

/// What a trusted peer says of the client, within the time that the limits allow.
async fn announced(limits: &Limits, stream: &mut TcpStream) -> Option<Announced> {
    let mut reading = Box::pin(announcement::read(stream));
    limits.within(Side::Request, |cx| reading.as_mut().poll(cx).map(Ok)).await.ok()?
}

/// Shakes hands with a client that wants to be spoken to in secret.
async fn shake(worker: &Worker, limits: &Rc<Limits>, stream: TcpStream) -> Shaken {
    match worker.shared.tls.load_full() {
        Some(tls) => handshake::shake(&tls, limits, stream).await,
        // Nothing could be said that it would understand.
        None => Shaken::Failed,
    }
}

impl Connection {
    /// Waits for the first byte of a request, at most so many milliseconds, then takes a buffer.
    async fn wait(&mut self, at_most: u64) -> Result<(), Stop> {
        self.limits.set(Side::Request, self.timeouts.idle.0.min(at_most));
        self.limits.set_idle(true);
        let readable = self.limits.readable(Side::Request, &mut self.stream).await;
        self.limits.set_idle(false);
        readable?;
        self.buffer = self.worker.buffers.small();
        Ok(())
    }

    /// Answers requests until none has come for a while (then it goes on with the next one) or the end.
    async fn converse(&mut self) -> Next {
        loop {
            let mut out = self.worker.buffers.text();
            let next = self.exchange(&mut out).await;
            self.worker.buffers.put_text(out);
            if next != Next::Continue || self.worker.shared.is_ending() {
                return next;
            }
            if !self.buffer.is_empty() {
                continue;
            }
            self.worker.buffers.put(std::mem::take(&mut self.buffer));
            match self.wait(NAP_MILLIS).await {
                Ok(()) => {}
                Err(Stop::Elapsed) if self.timeouts.idle.0 > NAP_MILLIS => return Next::Continue,
                Err(_) => return Next::Close,
            }
        }
    }

    /// Ends the connection in order: under TLS an end that was not announced may be an attacker's (RFC 8446, section 6.1).
    async fn close(&mut self) {
        if matches!(self.stream, ClientStream::Tls(_)) {
            self.limits.set(Side::Answer, LINGER_MILLIS);
            let stream = &mut self.stream;
            let _gone = self.limits.within(Side::Answer, |cx| Pin::new(&mut *stream).poll_shutdown(cx)).await;
        }
    }

    /// Takes one request and answers it.
    pub(crate) async fn exchange(&mut self, out: &mut Vec<u8>) -> Next {
        self.limits.set(Side::Request, self.timeouts.head.0);
        let admitted = self.admit(out).await;
        self.limits.clear(Side::Request);
        match admitted {
            Ok((view, request)) => {
                if let Some((route, _)) = view.route(request.route) {
                    self.timeouts = route.timeouts;
                }
                self.account.begin(&view, &request, &self.client, self.is_http2(), out);
                let itself = match self.may_answer_itself(out) {
                    true => Box::pin(self.answer_itself(&request, out)).await,
                    false => None,
                };
                let next = match itself {
                    Some(next) => next,
                    None => forward(self, view, &request, out).await,
                };
                self.account.end();
                next
            }
            Err(Absent::Ended) => Next::Abort,
            Err(Absent::Http2) => Next::Http2,
            Err(Absent::Refused(refusal)) => {
                self.account.refused(&refusal, &self.client);
                self.refuse(refusal, out).await;
                Next::Linger
            }
        }
    }

    /// Reads until a whole head is there and was found good, by the table of that moment: a slow client's request goes
    /// where requests go when it is whole, not where they went when it began.
    async fn admit(&mut self, out: &mut Vec<u8>) -> Result<(Rc<View>, Request), Absent> {
        let random = [self.worker.random(), self.worker.random()];
        let refused = |status, why| Err(Absent::Refused(Refusal { status, why }));
        loop {
            let view = self.worker.view();
            let limits = &view.snapshot.limits;
            let largest = limits.head as usize;
            // One empty line before a request is forgiven, as RFC 9112 section 2.2 asks for.
            if self.buffer.filled().starts_with(b"\r\n") {
                self.buffer.consume(2);
            }
            let preface = is_preface(self.buffer.filled());
            if preface == Some(true) {
                return Err(Absent::Http2);
            }
            if preface == Some(false) {
                out.clear();
                let door = Door {
                    hosts: &view.snapshot.hosts,
                    routes: &view.snapshot.table.routes,
                    rules: &view.snapshot.rules,
                    client: &self.client,
                    fields: limits.fields as usize,
                    random,
                };
                match admit(self.buffer.filled(), &door, out) {
                    Ok(Some(request)) if request.head <= largest => {
                        self.buffer.consume(request.head);
                        return Ok((view, request));
                    }
                    Ok(None) if self.buffer.filled().len() < largest => {}
                    Ok(_) => return refused(431, "the head of the request is too large"),
                    Err(refusal) => return Err(Absent::Refused(refusal)),
                }
            }
            if self.buffer.room().is_empty() {
                self.buffer.grow(largest + 4096);
            }
            match self.limits.read(Side::Request, &mut self.stream, &mut self.buffer).await {
                Ok(0) | Err(Stop::Io(_)) => return Err(Absent::Ended),
                Ok(_) => {}
                Err(_) if self.buffer.is_empty() => return Err(Absent::Ended),
                Err(_) => return refused(408, "the head of the request did not come in time"),
            }
        }
    }

    /// Answers a request that was not accepted.
    async fn refuse(&mut self, refusal: Refusal, out: &mut Vec<u8>) {
        let json = false;
        let own = Own {
            status: refusal.status,
            why: refusal.why,
            id: None,
            json,
            is_head: false,
            keep_alive: false,
        };
        out.clear();
        own.write(out);
        let _gone = self.send(out).await;
    }

    /// Ends the connection so that the client can read the last answer although it is still sending: a close with
    /// unread bytes would reset the connection and take the answer with it.
    async fn linger(&mut self) {
        self.limits.set(Side::Answer, LINGER_MILLIS);
        if self.limits.within(Side::Answer, |cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await.is_err()
        {
            return;
        }
        let mut buffer = self.worker.buffers.small();
        let mut left = LINGER_BYTES;
        while left > 0 {
            buffer.consume(usize::MAX);
            match self.limits.read(Side::Answer, &mut self.stream, &mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
        self.worker.buffers.put(buffer);
    }
}

/// Whether a client begins to speak HTTP/2. None: nobody can tell yet.
fn is_preface(bytes: &[u8]) -> Option<bool> {
    match bytes.first() {
        None => None,
        Some(b'P') if bytes.starts_with(http2::PREFACE) => Some(true),
        Some(b'P') if http2::PREFACE.starts_with(bytes) => None,
        _ => Some(false),
    }
}
