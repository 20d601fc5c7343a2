//! A connection as a trial's client sees it: what it sends byte by byte, and the head and the bytes that come back.
//! Bounded by a timeout for each read. Judges nothing.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest silence that is waited out.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest head.
const LONGEST_HEAD: usize = 64 * 1024;

/// An open connection.
pub(super) struct Wire {
    stream: TcpStream,
    /// What was read and not used yet.
    unread: Vec<u8>,
}

/// The head of an answer.
pub(super) struct Head {
    text: String,
}

impl Head {
    pub(super) fn status(&self) -> u16 {
        self.text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The value of a field; empty if there is none.
    pub(super) fn field(&self, name: &str) -> &str {
        let named = |line: &&str| line.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name));
        let line = self.text.lines().skip(1).find(named);
        line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    }
}

impl Wire {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Wire> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Wire { stream, unread: Vec::new() })
    }

    /// Sends a head without a body; `fields` are whole lines.
    pub(super) async fn ask(&mut self, method: &str, path: &str, fields: &str) -> io::Result<()> {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: trial\r\n{fields}\r\n");
        self.send(head.as_bytes()).await
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The head of the answer.
    pub(super) async fn head(&mut self) -> io::Result<Head> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                return Ok(Head { text: String::from_utf8_lossy(&head).into_owned() });
            }
            if self.unread.len() > LONGEST_HEAD || !self.more().await? {
                return Err(io::Error::other("no whole head came"));
            }
        }
    }

    /// What came, at least one byte; none at the end.
    pub(super) async fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.unread.is_empty() && !self.more().await? {
            return Ok(None);
        }
        Ok(Some(std::mem::take(&mut self.unread)))
    }

    /// As many bytes as `length` finds that the next piece has, once it can tell.
    pub(super) async fn whole(&mut self, length: impl Fn(&[u8]) -> Option<usize>) -> io::Result<Vec<u8>> {
        loop {
            if let Some(length) = length(&self.unread).filter(|length| *length <= self.unread.len()) {
                return Ok(self.unread.drain(..length).collect());
            }
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// All that comes until the end.
    pub(super) async fn rest(&mut self) -> io::Result<String> {
        let mut all = Vec::new();
        while let Some(bytes) = self.read().await? {
            all.extend(bytes);
        }
        Ok(String::from_utf8_lossy(&all).into_owned())
    }

    async fn more(&mut self) -> io::Result<bool> {
        self.unread.reserve(64 * 1024);
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
        Ok(read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? > 0)
    }
}

/// One GET on a connection of its own: the head, and the body as it came.
pub(super) async fn get(address: SocketAddr, path: &str) -> io::Result<(Head, String)> {
    let mut wire = Wire::open(address).await?;
    wire.ask("GET", path, "Connection: close\r\n").await?;
    let head = wire.head().await?;
    let body = wire.rest().await?;
    Ok((head, body))
}
