//! The connections that bytes come by and go by, as one type per side: whatever carries them, the request path is the same.
//!
//! Both sides of the path speak HTTP/1.1 text; a stream of HTTP/2 is translated to it where it comes in and goes out
//! (`http2`). Must not know what the bytes mean. Tested through the whole proxy.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::deadline::Readable;
use crate::http2;

/// A client's connection, or one stream of it.
pub(crate) enum ClientStream {
    /// In clear text.
    Tcp(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
    /// One request of an HTTP/2 connection.
    Http2(Box<http2::ClientStream>),
}

impl ClientStream {
    /// Its end will look like what it is, a failure: for answers whose end is the end of the connection, where anything
    /// else would look complete.
    pub(crate) fn abort(&mut self) {
        let _best_effort = match self {
            ClientStream::Tcp(stream) => stream.set_zero_linger(),
            ClientStream::Tls(stream) => stream.get_ref().0.set_zero_linger(),
            // A stream that is dropped before its end is reset.
            ClientStream::Http2(_) => Ok(()),
        };
    }
}

impl Readable for ClientStream {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            ClientStream::Tcp(stream) => stream.poll_read_ready(cx),
            ClientStream::Tls(stream) => {
                let (tcp, session) = stream.get_ref();
                // What was decrypted already does not show at the socket.
                if session.wants_read() { tcp.poll_read_ready(cx) } else { Poll::Ready(Ok(())) }
            }
            ClientStream::Http2(stream) => stream.poll_readable(cx),
        }
    }
}

/// A connection to an instance, or one stream of it.
pub(crate) enum InstanceStream {
    /// A connection of its own.
    Tcp(TcpStream),
    /// One request of an HTTP/2 connection.
    Http2(Box<http2::InstanceStream>),
}

impl Readable for InstanceStream {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            InstanceStream::Tcp(stream) => stream.poll_read_ready(cx),
            InstanceStream::Http2(stream) => stream.poll_readable(cx),
        }
    }
}

/// One of the two directions of a stream, for two futures of one task.
pub(crate) struct Half<'a, S>(&'a RefCell<&'a mut S>);

/// The two directions of a stream.
pub(crate) fn halves<'a, S>(stream: &'a RefCell<&'a mut S>) -> (Half<'a, S>, Half<'a, S>) {
    (Half(stream), Half(stream))
}

impl<S: Readable> Readable for Half<'_, S> {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_readable(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Half<'_, S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.0.borrow_mut()).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Half<'_, S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut **self.0.borrow_mut()).poll_write(cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut **self.0.borrow_mut()).poll_write_vectored(cx, parts)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.0.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.0.borrow_mut()).poll_shutdown(cx)
    }
}

/// Reading and writing of an enum are those of whatever it holds.
macro_rules! delegate {
    ($stream:ident: $($variant:ident),+) => {
        impl AsyncRead for $stream {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($stream::$variant(stream) => Pin::new(stream).poll_read(cx, buf),)+
                }
            }
        }

        impl AsyncWrite for $stream {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $($stream::$variant(stream) => Pin::new(stream).poll_write(cx, data),)+
                }
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                parts: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $($stream::$variant(stream) => Pin::new(stream).poll_write_vectored(cx, parts),)+
                }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($stream::$variant(stream) => Pin::new(stream).poll_flush(cx),)+
                }
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($stream::$variant(stream) => Pin::new(stream).poll_shutdown(cx),)+
                }
            }
        }
    };
}

delegate!(ClientStream: Tcp, Tls, Http2);
delegate!(InstanceStream: Tcp, Http2);
