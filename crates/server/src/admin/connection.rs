//! Connections from the network: accepted, encrypted where a certificate is named, and bounded in number and time.
//!
//! Tested in `tests/server/admin`.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::attempts::source;
use super::places::{Place, Places};
use super::reception::{Peer, Reception};

/// So many connections there may be: in all …
const CONNECTIONS: usize = 512;
/// … and from one address. Those beyond are closed at once.
const CONNECTIONS_OF_ONE: usize = 128;
/// How long a handshake may take, and the head of a request, also after the one before.
const PATIENCE: Duration = Duration::from_secs(15);
/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 32 * 1024;
/// The most fields in it.
const MOST_FIELDS: usize = 64;
/// After a failure to accept (no file descriptors left …), the next attempt.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What connections need to be encrypted.
///
/// # Errors
/// The certificate can't be used.
pub(super) fn encryption(chain: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let told = |error: &dyn std::error::Error| error.to_string();
    let (certificate, _) = crate::certificates::pair(chain, key).map_err(|error| told(&error))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.chain.as_bytes()).collect();
    let chain = chain.map_err(|error| told(&error))?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key.0.as_bytes()).map_err(|error| told(&error))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| told(&error))?;
    let mut config =
        builder.with_no_client_auth().with_single_cert(chain, key).map_err(|error| told(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves connections for ever.
pub(super) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, reception: Arc<Reception>) {
    let places = Places::new(CONNECTIONS, CONNECTIONS_OF_ONE);
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Whoever finds no place may come again.
                let Some(place) = places.take(source(address.ip())) else { continue };
                let (tls, reception) = (tls.clone(), reception.clone());
                tokio::spawn(async move {
                    // Whatever ends a connection is the business of its other end.
                    let _over = talk(stream, address, tls, reception, place).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "connections from the network can't be accepted");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

async fn talk(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    reception: Arc<Reception>,
    _place: Place<IpAddr>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let peer = Peer { from: address.ip(), local: stream.local_addr()?.ip() };
    match tls {
        None => converse(stream, peer, reception).await,
        Some(tls) => {
            let stream = tokio::time::timeout(PATIENCE, tls.accept(stream)).await??;
            converse(stream, peer, reception).await
        }
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    reception: Arc<Reception>,
) -> io::Result<()> {
    let answer = service_fn(|request| {
        let reception = reception.clone();
        async move { Ok::<_, Infallible>(reception.answer(request, peer).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_FIELDS)
        .serve_connection(TokioIo::new(stream), answer)
        .await
        .map_err(io::Error::other)
}
