//! A connection that changed its protocol: bytes are relayed as they are, both ways, until both sides have ended or
//! the instance's drain deadline has passed.
//!
//! Holds no buffer while nobody says anything. Knows just enough of WebSocket frames (`frames`) to say goodbye where
//! one frame ends and the next has not begun. Tested through the whole proxy.

mod frames;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::IoSlice;
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::buffer::{Buffer, Buffers};
use crate::client::{Connection, Next};
use crate::deadline::{Limits, Readable, Side, Stop};
use crate::inflight::Class;
use crate::request::Request;
use crate::stream::{InstanceStream, halves};
use frames::Frames;

/// `1001 going away`, as a server sends it.
const GOING_AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];
/// The same, as a client sends it: masked, with a mask of zeros.
const GOING_AWAY_MASKED: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];
/// How long a goodbye may take to leave, in milliseconds.
const GOODBYE_MILLIS: u64 = 1000;

/// The longest silence of both sides, in milliseconds: they have their own pings.
const SILENCE_MILLIS: u64 = 3_600_000;
/// The longest silence of one side after the other one ended, in milliseconds.
const HALF_OPEN_MILLIS: u64 = 10_000;

/// How a relay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Both sides were done, or one was gone.
    BySides,
    /// The instance is leaving and the deadline passed.
    ByDrain,
}

/// Relays until it is over. What arrived together with the heads goes first.
pub(crate) async fn relay(
    connection: &mut Connection,
    upstream: &mut InstanceStream,
    from_instance: &mut Buffer,
    request: &Request,
) -> (Next, Ended) {
    let limits = &*connection.limits;
    let buffers = &connection.worker.buffers;
    limits.reclass(Class::WebSocket);
    let websocket = request.upgrade.is_some_and(|protocol| protocol.is_websocket());
    let (to_client, to_instance) = (Frames::new(), Frames::new());
    let silence = Cell::new(SILENCE_MILLIS);
    let ended = {
        let (client, instance) = (RefCell::new(&mut connection.stream), RefCell::new(&mut *upstream));
        let (mut client_read, mut client_write) = halves(&client);
        let (mut instance_read, mut instance_write) = halves(&instance);
        let direction =
            |side, frames, carried| Direction { limits, buffers, side, silence: &silence, frames, carried };
        let account = &connection.account;
        let up = direction(Side::Request, &to_instance, &account.received);
        let down = direction(Side::Answer, &to_client, &account.sent);
        let mut up = pin!(up.run(&mut client_read, &mut connection.buffer, &mut instance_write));
        let mut down = pin!(down.run(&mut instance_read, from_instance, &mut client_write));
        let (mut up_end, mut down_end) = (None, None);
        poll_fn(|cx| {
            poll_once(&mut up_end, up.as_mut(), cx);
            poll_once(&mut down_end, down.as_mut(), cx);
            match (&up_end, &down_end) {
                (Some(Err(Stop::Cut)), _) | (_, Some(Err(Stop::Cut))) => Poll::Ready(Ended::ByDrain),
                (Some(Err(_)), _) | (_, Some(Err(_))) | (Some(_), Some(_)) => Poll::Ready(Ended::BySides),
                (up, down) => {
                    if (up.is_some() || down.is_some())
                        && silence.replace(HALF_OPEN_MILLIS) != HALF_OPEN_MILLIS
                    {
                        let open = if up.is_some() { Side::Answer } else { Side::Request };
                        limits.set(open, HALF_OPEN_MILLIS);
                    }
                    Poll::Pending
                }
            }
        })
        .await
    };
    if ended == Ended::BySides || !websocket {
        return (Next::Close, ended);
    }
    limits.forgive();
    limits.set(Side::Answer, GOODBYE_MILLIS);
    if to_instance.at_boundary() {
        let mut parts = [IoSlice::new(&GOING_AWAY_MASKED)];
        let _gone = limits.write_all(Side::Answer, upstream, &mut parts, &mut 0).await;
    }
    if !to_client.at_boundary() {
        return (Next::Close, ended);
    }
    let mut parts = [IoSlice::new(&GOING_AWAY)];
    let _gone = limits.write_all(Side::Answer, &mut connection.stream, &mut parts, &mut 0).await;
    (Next::Linger, ended)
}

fn poll_once<F: Future>(end: &mut Option<F::Output>, future: Pin<&mut F>, cx: &mut std::task::Context<'_>) {
    if end.is_none()
        && let Poll::Ready(outcome) = future.poll(cx)
    {
        *end = Some(outcome);
    }
}

/// One direction of a relay.
struct Direction<'a> {
    limits: &'a Limits,
    buffers: &'a Buffers,
    side: Side,
    silence: &'a Cell<u64>,
    frames: &'a Frames,
    /// Grows by what was carried.
    carried: &'a Cell<u64>,
}

impl Direction<'_> {
    /// Carries bytes over until their sender ends; then tells the receiver so.
    async fn run(
        &self,
        from: &mut (impl AsyncRead + Readable + Unpin),
        buffer: &mut Buffer,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), Stop> {
        loop {
            if !buffer.is_empty() {
                self.limits.set(self.side, self.silence.get());
                let mut progress = 0;
                let mut parts = [IoSlice::new(buffer.filled())];
                let sent = self.limits.write_all(self.side, to, &mut parts, &mut progress).await;
                self.frames.saw(buffer.filled().get(..progress).unwrap_or_default());
                self.carried.set(self.carried.get() + progress as u64);
                sent?;
            }
            self.buffers.put(std::mem::take(buffer));
            self.limits.set(self.side, self.silence.get());
            self.limits.readable(self.side, from).await?;
            *buffer = self.buffers.small();
            if self.limits.read(self.side, from, buffer).await? == 0 {
                break;
            }
        }
        self.limits.clear(self.side);
        self.limits.within(self.side, |cx| Pin::new(&mut *to).poll_shutdown(cx)).await
    }
}
