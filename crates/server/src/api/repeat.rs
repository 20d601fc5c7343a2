//! Requests that are sent again: with the same `Idempotency-Key`, the same answer, and nothing is done a second time.
//!
//! Known to a controller as long as it runs; after that, what is under way refuses whatever would begin it again. Knows
//! nothing of what is asked. Tested in `tests/server/api.rs`, and with a
//! rollback end to end in `crates/cli`.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::{Problem, ProblemCode};

/// So many answers are kept; of more, the oldest is forgotten.
const KEPT: usize = 100;
/// The longest key, in bytes.
const LONGEST_KEY: usize = 255;

/// The answers to requests that had a key, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<VecDeque<Kept>>);

#[derive(Debug)]
struct Kept {
    key: Vec<u8>,
    /// What was asked: method, path and body.
    asked: [u8; 32],
    answer: Answer,
}

#[derive(Debug, Clone)]
struct Answer {
    status: StatusCode,
    kind: Option<HeaderValue>,
    body: Bytes,
}

/// Has a request that changes something done once, however often it comes with one key.
pub(super) async fn once(
    State(repeats): State<Arc<Repeats>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if *request.method() != Method::POST {
        return Ok(next.run(request).await);
    }
    let Some(key) = key(request.headers())? else { return Ok(next.run(request).await) };
    let (head, body) = request.into_parts();
    let body = Bytes::from_request(Request::from_parts(head.clone(), body), &()).await;
    let body = body.map_err(|error| Problem::unreadable(&error))?;
    let asked = Sha256::new()
        .chain_update(head.method.as_str())
        .chain_update(b" ")
        .chain_update(head.uri.path())
        .chain_update(b"\n")
        .chain_update(&body)
        .finalize()
        .into();
    let request = Request::from_parts(head, body.into());
    // Whoever hangs up now will ask again: what is begun is brought to its end, and its answer kept.
    let answered = tokio::spawn(async move { repeats.answer(key, asked, request, next).await }).await;
    answered.unwrap_or_else(|error| Err(Problem::new(ProblemCode::Internal, error.to_string())))
}

impl Repeats {
    /// One after the other, so that the same request sent twice at once is done once.
    async fn answer(
        &self,
        key: Vec<u8>,
        asked: [u8; 32],
        request: Request,
        next: Next,
    ) -> Result<Response, Problem> {
        let mut kept = self.0.lock().await;
        match kept.iter().find(|kept| kept.key == key) {
            Some(same) if same.asked == asked => return Ok(same.answer.clone().into_response()),
            Some(_) => {
                let why =
                    "this Idempotency-Key was used for another request: take a new one for each request";
                return Err(Problem::new(ProblemCode::KeyUsed, why));
            }
            None => {}
        }
        let (head, body) = next.run(request).await.into_parts();
        // What is answered to what changes something is small, and in memory already.
        let body = axum::body::to_bytes(body, usize::MAX).await;
        let body = body.map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))?;
        let answer = Answer { status: head.status, kind: head.headers.get(CONTENT_TYPE).cloned(), body };
        // What was refused was not done, and may be asked for again under its key.
        if answer.status.is_success() {
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(Kept { key, asked, answer: answer.clone() });
        }
        Ok(answer.into_response())
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let kind = self.kind.map(|kind| (CONTENT_TYPE, kind));
        (self.status, HeaderMap::from_iter(kind), self.body).into_response()
    }
}

/// The key of a request, if it has one.
fn key(fields: &HeaderMap) -> Result<Option<Vec<u8>>, Problem> {
    let mut all = fields.get_all("idempotency-key").iter();
    let Some(key) = all.next() else { return Ok(None) };
    if all.next().is_some() || key.is_empty() || key.len() > LONGEST_KEY {
        let why = format!("Idempotency-Key is one text of 1 to {LONGEST_KEY} bytes");
        return Err(Problem::bad_request(why));
    }
    Ok(Some(key.as_bytes().to_vec()))
}
