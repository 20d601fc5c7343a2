//! Metrics, at the admin socket and, where the configuration wants it, at an address of their own.
//!
//! At that address there is nothing else: each connection is answered once, within a bounded time, a bounded number of them at
//! once. `crate::exposition` says what is told. Tested in `tests/server/metrics.rs`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tandem_core::traffic::metrics::Metrics;
use tandem_proxy::control::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::exposition::{Figures, Format, Scene};
use crate::office::Office;

/// So many are answered at once; others wait in the accept queue.
const MOST: usize = 16;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest head of a request that is read, in bytes.
const LONGEST_HEAD: usize = 8 * 1024;
/// After a failure to accept (no file descriptors left …), the next attempt.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What the proxy measured. None: it does not answer. Waits for it.
pub(super) fn measured(office: &Office) -> Option<Metrics> {
    let service = &office.config.spec.service;
    Client::connect(&office.state.proxy_socket()).and_then(|mut client| client.metrics(service)).ok()
}

/// Everything as text.
pub(super) async fn page(office: Arc<Office>, format: Format) -> io::Result<String> {
    let write = move || {
        let metrics = measured(&office);
        let proxy = metrics.as_ref().and_then(|metrics| Figures::of(metrics.pid));
        let controller = Figures::of(std::process::id());
        let processes = [("proxy", proxy), ("controller", controller)];
        let processes: Vec<_> = processes.iter().filter_map(|(name, of)| Some((*name, (*of)?))).collect();
        let history = office.feed.history();
        let last = history.iter().find(|deployment| deployment.is_over());
        Scene { status: &office.status(), last, metrics: metrics.as_ref(), processes: &processes }
            .text(format)
    };
    tokio::task::spawn_blocking(write).await.map_err(io::Error::other)
}

/// Answers at an address of their own until the runtime ends.
pub(crate) async fn serve(address: SocketAddr, office: Arc<Office>) {
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        // The service goes on: nothing depends on being looked at.
        Err(error) => {
            return tracing::error!(%address, %error, "metrics can't be told at `metrics.listen`, only at the admin socket");
        }
    };
    let places = Arc::new(Semaphore::new(MOST));
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let office = office.clone();
                tokio::spawn(async move {
                    // Whoever is too slow, or goes away, asks again.
                    let _late = tokio::time::timeout(PATIENCE, answer(stream, office)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%address, %error, "metrics can't accept a connection");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, office: Arc<Office>) -> io::Result<()> {
    let head = head(&mut stream).await?;
    let mut lines = head.split("\r\n");
    let line: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let fields = lines.filter_map(|line| line.split_once(':'));
    let accept: Vec<&str> =
        fields.filter(|(name, _)| name.eq_ignore_ascii_case("accept")).map(|f| f.1).collect();
    let format = Format::accepted(Some(&accept.join(",")));
    let (status, kind, body) = match line.as_slice() {
        ["GET" | "HEAD", path, version] if version.starts_with("HTTP/1.") => {
            match path.split('?').next().unwrap_or_default() {
                "/metrics" => ("200 OK", format.content_type(), page(office, format).await?),
                _ => ("404 Not Found", "text/plain; charset=utf-8", "only /metrics is here\n".to_owned()),
            }
        }
        _ => ("400 Bad Request", "text/plain; charset=utf-8", "write GET /metrics HTTP/1.1\n".to_owned()),
    };
    let length = body.len();
    let body = if line.first() == Some(&"HEAD") { "" } else { &body };
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// The head of a request, or of as much as is ever read.
async fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::with_capacity(LONGEST_HEAD);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < LONGEST_HEAD {
        if (&mut *stream).take((LONGEST_HEAD - head.len()) as u64).read_buf(&mut head).await? == 0 {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
