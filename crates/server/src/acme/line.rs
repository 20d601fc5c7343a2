//! The line to an authority: requests over TLS, each within a bounded time and with a bounded answer.
//!
//! Remembers how long the authority wants us to wait: the client of the protocol does not pass that on with errors.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tandem_core::base::Millis;

use super::trouble::Trouble;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// Who asks, for the authority's logs.
const NAME: HeaderValue = HeaderValue::from_static(concat!("tandem/", env!("CARGO_PKG_VERSION")));

/// How long an authority wants us to wait, if its last answer said so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Delay(Arc<Mutex<Option<Millis>>>);

impl Delay {
    /// Reads it and forgets it.
    pub(crate) fn take(&self) -> Option<Millis> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, answered: &HeaderMap) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            answered.get(RETRY_AFTER).and_then(|value| length(value.to_str().ok()?, SystemTime::now()));
    }
}

/// A length of time as `Retry-After` has it: in seconds, or up to a date.
fn length(text: &str, now: SystemTime) -> Option<Millis> {
    if let Ok(seconds) = text.trim().parse::<u32>() {
        return Some(Millis::from_secs(u64::from(seconds)));
    }
    let until = httpdate::parse_http_date(text.trim()).ok()?;
    Some(Millis(until.duration_since(now).ok()?.as_millis() as u64))
}

/// Connections to an authority.
pub(crate) struct Line {
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    delay: Delay,
}

impl Line {
    /// A line to whom one of the `roots` (PEM) vouches for; without any, those of the system.
    pub(crate) fn new(roots: Option<&str>, delay: Delay) -> Result<Line, Trouble> {
        let unusable = |error: &dyn ToString| {
            let why = format!("nobody can be trusted to vouch for the authority: {}", error.to_string());
            Trouble::new(
                why,
                "install the system's certificates (Debian: ca-certificates), or name a file in `tls.acme.ca`",
            )
        };
        let provider = Arc::new(ring::default_provider());
        let builder = HttpsConnectorBuilder::new();
        let builder = match roots {
            None => builder.with_provider_and_native_roots(provider).map_err(|error| unusable(&error))?,
            Some(text) => {
                let mut trusted = RootCertStore::empty();
                for root in CertificateDer::pem_slice_iter(text.as_bytes()) {
                    let root = root.map_err(|error| unusable(&error))?;
                    trusted.add(root).map_err(|error| unusable(&error))?;
                }
                let config = rustls::ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .map_err(|error| unusable(&error))?;
                builder.with_tls_config(config.with_root_certificates(trusted).with_no_client_auth())
            }
        };
        let connector = builder.https_only().enable_http1().build();
        Ok(Line { client: Client::builder(TokioExecutor::new()).build(connector), delay })
    }
}

impl HttpClient for Line {
    fn request(
        &self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        request.headers_mut().insert(USER_AGENT, NAME);
        let url = request.uri().to_string();
        let (answer, delay) = (self.client.request(request), self.delay.clone());
        Box::pin(async move {
            let whole = async { read(answer.await.map_err(|error| Error::Other(Box::new(error)))?).await };
            let late = |_| other(ErrorKind::TimedOut, format!("no answer within {}s", PATIENCE.as_secs()));
            let answered = tokio::time::timeout(PATIENCE, whole).await.map_err(late)??;
            delay.note(&answered.parts.headers);
            match foreign(answered.parts.status, &answered.parts.headers) {
                true => {
                    Err(other(ErrorKind::InvalidData, format!("{url} answers {}", answered.parts.status)))
                }
                false => Ok(answered),
            }
        })
    }
}

async fn read(answer: Response<Incoming>) -> Result<BytesResponse, Error> {
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.map_err(Error::Other)?.to_bytes();
    Ok(BytesResponse { parts, body: Box::new(body) })
}

/// An error that no authority answers with: those of the protocol say what is wrong.
fn foreign(status: StatusCode, fields: &HeaderMap) -> bool {
    let said =
        fields.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"));
    (status.is_client_error() || status.is_server_error()) && !said
}

fn other(kind: ErrorKind, why: String) -> Error {
    Error::Other(Box::new(io::Error::new(kind, why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_read_as_seconds_and_as_dates() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2026 07:28:00 GMT").unwrap();
        assert_eq!(length("120", now), Some(Millis::from_secs(120)));
        assert_eq!(length("Wed, 21 Oct 2026 07:30:00 GMT", now), Some(Millis::from_secs(120)));
        for none in ["", "-1", "soon", "Wed, 21 Oct 2026 07:27:00 GMT"] {
            assert_eq!(length(none, now), None, "{none}");
        }
    }
}
