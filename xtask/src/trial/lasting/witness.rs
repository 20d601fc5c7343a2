//! Clients of what lasts: each opens one thing, stays with it to its end, and tells what it saw.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::judgement::Seen;
use super::now;
use crate::trial::wire::{Head, Wire};

/// The size of uploads and downloads.
const LARGE: usize = 100 << 20;
/// Uploads are sent in pieces of this size,
const PIECE: usize = 64 * 1024;
/// so long apart: all of them take 20 s.
const PIECE_EVERY: Duration = Duration::from_micros(12_500);
/// The time between two messages on a WebSocket.
const MESSAGE_EVERY: Duration = Duration::from_millis(200);

/// What is watched.
#[derive(Debug, Clone, Copy)]
pub(super) enum Watch {
    /// An answer that takes 20 s to begin.
    Slow,
    /// 100 MB sent in 20 s.
    Upload,
    /// 100 MB received, so many milliseconds between two pieces.
    Download { pause: u32 },
    /// Server-sent events, two a second.
    Events,
    /// A WebSocket that echoes.
    Socket,
}

impl Watch {
    pub(super) fn name(self) -> &'static str {
        match self {
            Watch::Slow => "request of 20 s",
            Watch::Upload => "upload of 100 MB",
            Watch::Download { pause: ..=20 } => "download of 100 MB, in 20 s",
            Watch::Download { .. } => "download of 100 MB, in 100 s",
            Watch::Events => "events",
            Watch::Socket => "WebSocket",
        }
    }

    /// Stays with it to its end.
    ///
    /// # Errors
    /// It did not even begin as it should.
    pub(super) async fn run(self, address: SocketAddr) -> Result<Seen, String> {
        let began = now();
        let watched = match self {
            Watch::Slow => slow(address).await,
            Watch::Upload => upload(address).await,
            Watch::Download { pause } => download(address, pause).await,
            Watch::Events => events(address).await,
            Watch::Socket => socket(address).await,
        };
        let (head, whole, how) = watched.map_err(|why| format!("after {} ms: {why}", now() - began))?;
        let instance = head.field("tandem-shop-instance").trim_start_matches('i').parse();
        let instance = instance.map_err(|_| format!("status {}, from no instance", head.status()))?;
        Ok(Seen { instance, began, ended: now(), whole: whole && head.status() < 300, how })
    }
}

/// The head of the answer, whether all was right, and what was seen.
type Watched = io::Result<(Head, bool, String)>;

async fn slow(address: SocketAddr) -> Watched {
    let mut wire = Wire::open(address).await?;
    wire.ask("GET", "/slow?ms=20000", "Connection: close\r\n").await?;
    let head = wire.head().await?;
    let body = wire.rest().await?;
    Ok((head, body == "20000 ms\n", body.trim().to_owned()))
}

async fn upload(address: SocketAddr) -> Watched {
    let mut wire = Wire::open(address).await?;
    let fields = format!("Content-Length: {LARGE}\r\nConnection: close\r\n");
    wire.ask("POST", "/upload", &fields).await?;
    let mut hash = Sha256::new();
    let mut clock = tokio::time::interval(PIECE_EVERY);
    for number in 0..LARGE / PIECE {
        clock.tick().await;
        let piece = vec![(number % 251) as u8; PIECE];
        hash.update(&piece);
        wire.send(&piece).await?;
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let head = wire.head().await?;
    let body = wire.rest().await?;
    let right = body.contains(&digest) && body.contains(&format!("\"bytes\":{LARGE},"));
    let how = if right { "length and checksum are right".to_owned() } else { body };
    Ok((head, right, how))
}

async fn download(address: SocketAddr, pause: u32) -> Watched {
    let mut wire = Wire::open(address).await?;
    wire.ask("GET", &format!("/download?bytes={LARGE}&pause={pause}"), "").await?;
    let head = wire.head().await?;
    let mut count = 0;
    let end = loop {
        if count >= LARGE {
            break "done".to_owned();
        }
        match wire.read().await {
            Ok(Some(bytes)) => count += bytes.len(),
            Ok(None) => break "closed".to_owned(),
            Err(why) => break why.to_string(),
        }
    };
    let told = head.field("content-length").to_owned();
    Ok((head, count == LARGE, format!("{count} of {told} bytes, {end}")))
}

async fn events(address: SocketAddr) -> Watched {
    let mut wire = Wire::open(address).await?;
    wire.ask("GET", "/events", "").await?;
    let head = wire.head().await?;
    let mut text = String::new();
    let end = loop {
        match wire.read().await {
            Ok(Some(bytes)) => text.push_str(&String::from_utf8_lossy(&bytes)),
            Ok(None) if text.ends_with("\r\n0\r\n\r\n") => break "ended in order".to_owned(),
            Ok(None) => break "closed".to_owned(),
            Err(why) => break why.to_string(),
        }
    };
    let numbers: Vec<usize> =
        text.lines().filter_map(|line| line.strip_prefix("id: ")?.trim().parse().ok()).collect();
    if !numbers.iter().copied().eq(0..numbers.len()) {
        return Err(io::Error::other(format!("events are missing: {numbers:?}")));
    }
    // A stream without an end is never whole.
    Ok((head, false, format!("{} events, {end}", numbers.len())))
}

async fn socket(address: SocketAddr) -> Watched {
    let (mut wire, head) = upgrade(address).await?;
    let mut echoed = 0;
    let end = loop {
        let sent = wire.send(&text_frame(&format!("m{echoed}"))).await;
        let answer = match sent {
            Ok(()) => frame(&mut wire).await,
            Err(why) => Err(why),
        };
        match answer {
            Ok((1, text)) if text.ends_with(format!(" m{echoed}").as_bytes()) => echoed += 1,
            Ok((1, text)) => return Err(io::Error::other(format!("m{echoed} was answered by {text:?}"))),
            other => break other,
        }
        if let Ok(early) = tokio::time::timeout(MESSAGE_EVERY, frame(&mut wire)).await {
            break early;
        }
    };
    let end = match end {
        Ok((8, code)) => {
            let code = code.iter().take(2).fold(0_u32, |code, byte| code << 8 | u32::from(*byte));
            format!("closed with code {code}")
        }
        Ok((opcode, _)) => format!("ended by a frame of kind {opcode}"),
        Err(why) => format!("broken off: {why}"),
    };
    Ok((head, false, format!("{echoed} echoes, {end}")))
}

async fn upgrade(address: SocketAddr) -> io::Result<(Wire, Head)> {
    let mut wire = Wire::open(address).await?;
    let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Key: dGhpcyBpcyBhIHRyaWFsIQ==\r\n";
    wire.ask("GET", "/ws", fields).await?;
    let head = wire.head().await?;
    if head.status() != 101 {
        return Err(io::Error::other(format!("no upgrade: status {}", head.status())));
    }
    Ok((wire, head))
}

/// A short text, masked as clients must.
fn text_frame(text: &str) -> Vec<u8> {
    let mask = [7, 1, 9, 3];
    let mut frame = vec![0x81, 0x80 | text.len().min(125) as u8];
    frame.extend(mask);
    frame.extend(text.bytes().take(125).zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The next frame, which is short: its kind and its content. Nothing is lost if it is not waited for to the end.
async fn frame(wire: &mut Wire) -> io::Result<(u8, Vec<u8>)> {
    let mut frame = wire.whole(|bytes| Some(2 + usize::from(bytes.get(1)? & 0x7f))).await?;
    let kind = frame.first().map_or(0, |byte| byte & 0x0f);
    Ok((kind, frame.split_off(2)))
}

/// What a new stream of events says first.
pub(super) async fn first_event(address: SocketAddr) -> Result<String, String> {
    let read = async {
        let mut wire = Wire::open(address).await?;
        wire.ask("GET", "/events", "").await?;
        wire.head().await?;
        let mut text = String::new();
        while let Some(bytes) = wire.read().await? {
            text.push_str(&String::from_utf8_lossy(&bytes));
            let data = text.lines().find_map(|line| line.strip_prefix("data: "));
            if let (Some(data), true) = (data, text.contains("\n\n")) {
                return Ok(data.to_owned());
            }
        }
        Err(io::Error::from(io::ErrorKind::UnexpectedEof))
    };
    read.await.map_err(|why| format!("events: {why}"))
}

/// What a new WebSocket answers.
pub(super) async fn one_echo(address: SocketAddr) -> Result<String, String> {
    let ask = async {
        let (mut wire, _) = upgrade(address).await?;
        wire.send(&text_frame("hello")).await?;
        let (_, text) = frame(&mut wire).await?;
        Ok::<_, io::Error>(String::from_utf8_lossy(&text).into_owned())
    };
    ask.await.map_err(|why| format!("WebSocket: {why}"))
}
