//! A small HTTP/1.1 client: one connection, one request at a time, nothing retried.

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::record::FailureKind;
use crate::request::Request;

/// The longest head of an answer.
const LONGEST_HEAD: usize = 64 * 1024;
/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// A connection to the target.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Bytes that were read and not used yet.
    unread: Vec<u8>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) version: Option<String>,
    pub(crate) id: Option<String>,
    /// The cookie that it sets.
    pub(crate) cookie: Option<String>,
    /// Whether the connection may carry another request.
    pub(crate) reusable: bool,
}

/// A failure and what was seen of it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) what: String,
}

/// The names of the headers that answers are searched for.
pub(crate) struct Marks<'a> {
    pub(crate) version: &'a str,
    pub(crate) id: &'a str,
}

/// How the body of an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

fn failure(kind: FailureKind, what: impl Into<String>) -> Failure {
    Failure { kind, what: what.into() }
}

impl Connection {
    /// Opens one.
    pub(crate) async fn open(target: SocketAddr) -> Result<Connection, Failure> {
        let stream =
            TcpStream::connect(target).await.map_err(|why| failure(FailureKind::Connect, why.to_string()))?;
        stream.set_nodelay(true).map_err(|why| failure(FailureKind::Connect, why.to_string()))?;
        Ok(Connection { stream, unread: Vec::new() })
    }

    /// Whether the other side has not closed it, as far as can be known without writing.
    pub(crate) fn is_open(&self) -> bool {
        let mut byte = [0];
        matches!(self.stream.try_read(&mut byte), Err(why) if why.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and reads its whole answer. Notes in `sent` when the first byte was about to be written.
    pub(crate) async fn exchange(
        &mut self,
        request: &Request,
        marks: &Marks<'_>,
        start: Instant,
        sent: &AtomicU64,
    ) -> Result<Answer, Failure> {
        sent.store(crate::record::micros(start.elapsed()), Ordering::Relaxed);
        if let Err(why) = self.write(request).await {
            // An answer may have come before the connection broke; without one the request is lost.
            return match self.answer(marks).await {
                Ok(answer) if answer.status >= 400 => Ok(Answer { reusable: false, ..answer }),
                _ => Err(failure(FailureKind::Closed, format!("while sending: {why}"))),
            };
        }
        self.answer(marks).await
    }

    async fn write(&mut self, request: &Request) -> io::Result<()> {
        self.stream.write_all(&request.first).await?;
        if let Some(slow) = &request.slow {
            for _ in 0..slow.chunks {
                self.stream.write_all(&slow.chunk).await?;
                tokio::time::sleep(slow.every).await;
            }
            self.stream.write_all(b"0\r\n\r\n").await?;
        }
        Ok(())
    }

    async fn answer(&mut self, marks: &Marks<'_>) -> Result<Answer, Failure> {
        loop {
            let (answer, framing, length) = self.head(marks).await?;
            self.unread.drain(..length);
            if answer.status < 200 && answer.status != 101 {
                continue;
            }
            match framing {
                Framing::Length(length) => self.skip(length).await?,
                Framing::Chunked => self.skip_chunks().await?,
                Framing::UntilClose => {
                    while self.fill().await? > 0 {
                        self.unread.clear();
                    }
                }
            }
            let clean = self.unread.is_empty();
            return Ok(Answer {
                reusable: answer.reusable && clean && framing != Framing::UntilClose,
                ..answer
            });
        }
    }

    /// Reads until the head of an answer is whole.
    async fn head(&mut self, marks: &Marks<'_>) -> Result<(Answer, Framing, usize), Failure> {
        loop {
            match parse(&self.unread, marks)? {
                Some(found) => return Ok(found),
                None if self.unread.len() > LONGEST_HEAD => {
                    return Err(failure(FailureKind::Malformed, "the head of the answer is too long"));
                }
                None => {}
            }
            let begun = !self.unread.is_empty();
            match self.fill().await {
                Ok(0) if begun => {
                    return Err(failure(FailureKind::Cut, "closed within the head of the answer"));
                }
                Ok(0) => return Err(failure(FailureKind::Closed, "closed without an answer")),
                Err(why) if !begun => return Err(failure(FailureKind::Closed, why.what)),
                Err(why) => return Err(why),
                Ok(_) => {}
            }
        }
    }

    async fn skip(&mut self, length: u64) -> Result<(), Failure> {
        let mut left = length;
        loop {
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(self.unread.len());
            self.unread.drain(..here);
            left -= here as u64;
            if left == 0 {
                return Ok(());
            }
            if self.fill().await? == 0 {
                return Err(failure(
                    FailureKind::Cut,
                    format!("closed {left} bytes before the end of the body"),
                ));
            }
        }
    }

    async fn skip_chunks(&mut self) -> Result<(), Failure> {
        loop {
            let line = self.line().await?;
            let digits = line.split(';').next().unwrap_or("").trim().to_owned();
            let size = u64::from_str_radix(&digits, 16)
                .map_err(|_| failure(FailureKind::Malformed, format!("{digits:?} is not a chunk size")))?;
            if size == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(());
            }
            self.skip(size).await?;
            if !self.line().await?.is_empty() {
                return Err(failure(FailureKind::Malformed, "a chunk is longer than it says"));
            }
        }
    }

    async fn line(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.unread.drain(..end + 2).take(end).collect::<Vec<u8>>();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if self.unread.len() > LONGEST_HEAD {
                return Err(failure(FailureKind::Malformed, "a line of the body is too long"));
            }
            if self.fill().await? == 0 {
                return Err(failure(FailureKind::Cut, "closed before the last chunk"));
            }
        }
    }

    /// Reads some more; 0 at the end.
    async fn fill(&mut self) -> Result<usize, Failure> {
        self.unread.reserve(PIECE);
        self.stream.read_buf(&mut self.unread).await.map_err(|why| failure(FailureKind::Cut, why.to_string()))
    }
}

/// The head at the start of `bytes`, its framing and its length; none while it is not whole.
fn parse(bytes: &[u8], marks: &Marks<'_>) -> Result<Option<(Answer, Framing, usize)>, Failure> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Response::new(&mut fields);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(why) => return Err(failure(FailureKind::Malformed, why.to_string())),
    };
    let status = head.code.unwrap_or(0);
    let text = |name: &str| {
        let field = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(field.value).ok().map(str::to_owned)
    };
    let framing = if matches!(status, 100..=199 | 204 | 304) {
        Framing::Length(0)
    } else if text("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        Framing::Chunked
    } else if let Some(length) = text("content-length") {
        let wrong = || failure(FailureKind::Malformed, format!("{length:?} is not a length"));
        Framing::Length(length.trim().parse().map_err(|_| wrong())?)
    } else {
        Framing::UntilClose
    };
    let reusable = match text("connection").map(|value| value.to_ascii_lowercase()) {
        Some(value) if value.contains("close") => false,
        Some(value) if value.contains("keep-alive") => true,
        _ => head.version == Some(1),
    };
    let answer = Answer {
        status,
        version: text(marks.version),
        id: text(marks.id),
        cookie: text("set-cookie"),
        reusable,
    };
    Ok(Some((answer, framing, length)))
}

/// Connections that wait for their next request, the latest used first.
#[derive(Default)]
pub(crate) struct Idle(Mutex<Vec<Connection>>);

impl Idle {
    fn list(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// One that is still open; those found closed are dropped, as browsers do.
    pub(crate) fn take(&self) -> Option<Connection> {
        let mut list = self.list();
        while let Some(connection) = list.pop() {
            if connection.is_open() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps one for later; beyond `most` it is closed.
    pub(crate) fn put(&self, connection: Connection, most: usize) {
        let mut list = self.list();
        if list.len() < most {
            list.push(connection);
        }
    }
}
