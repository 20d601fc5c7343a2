//! The way on to the socket of a service, and its answer back, both as they come.
//!
//! Only fields that the service's API knows go over, in either direction: what is between two neighbours, and what shows
//! who asks, stays here. Tested in `tests/server/admin`.

use std::error::Error;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{LengthLimitError, Limited};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::answer::Refusal;
use crate::api::{NOTED, ProblemCode};

/// The largest body that is passed on, in bytes: services read no larger ones.
const LARGEST: usize = 512 * 1024;
/// How long a request may take to arrive, and a service to begin its answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether somebody may still see an answer that goes on.
const LOOK: Duration = Duration::from_secs(2);

/// What a service is told.
const ASKED: &[&str] = &[
    "accept",
    "content-digest",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "tandem-hotfix",
    "tandem-signature",
    "tandem-version",
];
/// What it tells.
const TOLD: &[&str] =
    &["allow", "cache-control", "content-length", "content-type", "retry-after", "x-accel-buffering"];

/// What is asked of a service.
pub(super) struct Asked {
    pub(super) method: Method,
    /// At the service's socket, with its query.
    pub(super) path: String,
    pub(super) fields: HeaderMap,
    pub(super) body: Incoming,
    pub(super) bounds: Bounds,
}

/// What bounds a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The largest body that is passed on, in bytes.
    largest: usize,
    /// How long the request may take to arrive, and the service to begin its answer.
    patience: Duration,
}

impl Bounds {
    /// Of a call to that path at the service's socket. A deliverable is as large as the service allows; it does not wait
    /// long for more of it.
    pub(super) fn of(path: &str) -> Bounds {
        match path {
            "/v1/push" => Bounds { largest: usize::MAX, patience: Duration::from_secs(3600) },
            _ => Bounds { largest: LARGEST, patience: PATIENCE },
        }
    }
}

/// Asks a service. What comes is passed on as long as `may` says so; with the answer `place` is given back.
///
/// # Errors
/// The request is too large or too slow, or the service does not answer.
pub(super) async fn pass<P: Send + Unpin + 'static>(
    socket: &Path,
    asked: Asked,
    may: impl Fn() -> bool + Send + Unpin + 'static,
    place: P,
) -> Result<Response<Body>, Refusal> {
    let patience = asked.bounds.patience;
    let answer = timeout(patience, send(socket, asked)).await;
    let silent = || {
        let detail = format!("there was no answer within {} s", patience.as_secs());
        Refusal::new(ProblemCode::Unavailable, detail)
    };
    let (head, body) = answer.map_err(|_| silent())??.into_parts();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answer = Response::new(Body::new(Watched { body, may, looks, _place: place }));
    *answer.status_mut() = head.status;
    *answer.headers_mut() = chosen(&head.headers, TOLD);
    Ok(answer)
}

async fn send(socket: &Path, asked: Asked) -> Result<Response<Incoming>, Refusal> {
    let away = |error: &dyn Error| {
        let detail =
            format!("the controller of the service does not answer at the moment ({error}): try again");
        Refusal::new(ProblemCode::Unavailable, detail)
    };
    let largest = asked.bounds.largest;
    if asked.body.size_hint().lower() > largest as u64 {
        return Err(too_large());
    }
    let stream = UnixStream::connect(socket).await.map_err(|error| away(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| away(&error))?;
    // Ends with the answer, or when nobody wants it any more.
    tokio::spawn(connection);
    let mut request = Request::new(Limited::new(asked.body, largest));
    *request.method_mut() = asked.method;
    *request.uri_mut() = asked.path.parse().map_err(|error| away(&error))?;
    *request.headers_mut() = chosen(&asked.fields, ASKED);
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("tandem"));
    // It is written down here, by name.
    request.headers_mut().insert(NOTED, HeaderValue::from_static("1"));
    sender.send_request(request).await.map_err(|error| match was_too_large(&error) {
        true => too_large(),
        false => away(&error),
    })
}

fn chosen(fields: &HeaderMap, names: &[&str]) -> HeaderMap {
    let known = fields.iter().filter(|(name, _)| names.contains(&name.as_str()));
    known.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn too_large() -> Refusal {
    Refusal::new(ProblemCode::TooLarge, format!("the body of a request has at most {} KiB", LARGEST / 1024))
}

fn was_too_large(error: &hyper::Error) -> bool {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// An answer as it comes, cut off when whoever asked may not see it any more.
struct Watched<F, P> {
    body: Incoming,
    may: F,
    looks: Interval,
    _place: P,
}

impl<F: Fn() -> bool + Unpin, P: Unpin> hyper::body::Body for Watched<F, P> {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        while self.looks.poll_tick(context).is_ready() {
            if !(self.may)() {
                return Poll::Ready(Some(Err("whoever asked may not see this any more".into())));
            }
        }
        Pin::new(&mut self.body).poll_frame(context).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
