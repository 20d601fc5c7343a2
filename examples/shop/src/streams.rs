//! What takes long: server-sent events, WebSockets, slow answers, downloads and uploads.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::{Interval, interval};

use crate::Shared;

/// The longest that `/slow` takes.
const SLOWEST: Duration = Duration::from_secs(600);
/// The largest download, in bytes.
const LARGEST: u64 = 4 << 30;
/// Downloads are made of pieces of this size.
const PIECE: usize = 64 * 1024;
/// The time between two events.
const TICK: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
pub(crate) struct Slow {
    #[serde(default)]
    ms: u64,
}

/// `GET /slow?ms=2000`
pub(crate) async fn slow(Query(slow): Query<Slow>) -> String {
    tokio::time::sleep(Duration::from_millis(slow.ms).min(SLOWEST)).await;
    format!("{} ms\n", slow.ms)
}

#[derive(Deserialize)]
pub(crate) struct Download {
    #[serde(default)]
    bytes: u64,
    /// The time between two pieces, in milliseconds.
    #[serde(default)]
    pause: u64,
}

/// `GET /download?bytes=1000000&pause=10`
pub(crate) async fn download(Query(download): Query<Download>) -> Response {
    let bytes = download.bytes.min(LARGEST);
    let pause = Duration::from_millis(download.pause).min(SLOWEST);
    let piece = Bytes::from(vec![b'd'; PIECE]);
    let pieces = stream::unfold(bytes, move |left| {
        let size = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let next = piece.slice(..size);
        async move {
            if size == 0 {
                return None;
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            Some((Ok::<_, Infallible>(next), left - size as u64))
        }
    });
    let fields = [(CONTENT_TYPE, "application/octet-stream".to_owned()), (CONTENT_LENGTH, bytes.to_string())];
    (fields, Body::from_stream(pieces)).into_response()
}

/// `POST /upload`: tells the length and the SHA-256 of what came.
pub(crate) async fn upload(body: Body) -> Result<String, (StatusCode, String)> {
    let mut hash = Sha256::new();
    let mut length = 0_u64;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece =
            piece.map_err(|why| (StatusCode::BAD_REQUEST, format!("the upload broke off: {why}\n")))?;
        length += piece.len() as u64;
        hash.update(&piece);
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{{\"bytes\":{length},\"sha256\":\"{digest}\"}}\n"))
}

/// `GET /events`: a tick twice a second until the shop closes.
pub(crate) async fn events(State(shop): Shared) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let begin = (interval(TICK), shop.closing.clone(), 0_u64);
    let version = shop.version.clone();
    let ticks = stream::unfold(begin, move |(mut clock, mut closing, number)| {
        let version = version.clone();
        async move {
            let event = Event::default().id(number.to_string()).data(format!("{version} {number}"));
            next_tick(&mut clock, &mut closing).await.then_some((Ok(event), (clock, closing, number + 1)))
        }
    });
    Sse::new(ticks).keep_alive(KeepAlive::default())
}

/// Waits for the next tick; false if the shop closes first.
async fn next_tick(clock: &mut Interval, closing: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        _ = closing.wait_for(|closing| *closing) => false,
        _ = clock.tick() => true,
    }
}

#[derive(Deserialize)]
pub(crate) struct Socket {
    /// Sends a tick twice a second, besides the echo.
    #[serde(default)]
    tick: bool,
}

/// `GET /ws`: sends back what comes, each message with the version before it.
pub(crate) async fn socket(
    State(shop): Shared,
    Query(socket): Query<Socket>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let (version, closing) = (shop.version.clone(), shop.closing.clone());
    upgrade.on_upgrade(move |stream| talk(stream, version, closing, socket.tick))
}

async fn talk(mut stream: WebSocket, version: String, mut closing: watch::Receiver<bool>, tick: bool) {
    let mut clock = interval(TICK);
    loop {
        let reply = tokio::select! {
            message = stream.recv() => match message {
                Some(Ok(Message::Text(text))) => Message::text(format!("{version} {text}")),
                Some(Ok(Message::Binary(bytes))) => Message::Binary(bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            open = next_tick(&mut clock, &mut closing) => match open {
                true if tick => Message::text(format!("{version} tick")),
                true => continue,
                false => Message::Close(None),
            },
        };
        let last = matches!(reply, Message::Close(_));
        if stream.send(reply).await.is_err() || last {
            return;
        }
    }
}
