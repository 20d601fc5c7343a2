//! The handshake of an encrypted connection, within the time that its limits allow.
//!
//! Which certificate is shown is decided by `tls`. Tested through the whole proxy.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::deadline::{Limits, Side, Stop};
use crate::tls::{ASKING, HTTP2, Tls};

/// What came of a handshake.
pub(crate) enum Shaken {
    /// A client that speaks HTTP/1.1, or says nothing of what it speaks.
    Http1(Box<TlsStream<TcpStream>>),
    /// A client that speaks HTTP/2.
    Http2(Box<TlsStream<TcpStream>>),
    /// An authority that has its answer.
    Done,
    /// They did not come to an understanding.
    Failed,
}

/// Shakes hands on a connection within the time that its limits allow.
pub(crate) async fn shake(tls: &Tls, limits: &Rc<Limits>, stream: TcpStream) -> Shaken {
    let shaken = within(limits, Box::pin(handshake(tls, stream))).await;
    let Ok(stream) = shaken else { return Shaken::Failed };
    let protocol = stream.get_ref().1.alpn_protocol();
    if protocol == Some(HTTP2) {
        Shaken::Http2(Box::new(stream))
    } else if protocol == Some(ASKING) {
        Shaken::Done
    } else {
        Shaken::Http1(Box::new(stream))
    }
}

async fn handshake(tls: &Tls, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let asking = begun.client_hello().alpn().is_some_and(|mut protocols| protocols.any(|p| p == ASKING));
    let config = if asking { &tls.asking } else { &tls.usual };
    begun.into_stream(Arc::clone(config)).await
}

async fn within<T>(
    limits: &Limits,
    mut future: Pin<Box<impl Future<Output = io::Result<T>>>>,
) -> Result<T, Stop> {
    limits.within(Side::Request, |cx| future.as_mut().poll(cx)).await
}
