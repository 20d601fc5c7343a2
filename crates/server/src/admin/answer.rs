//! What every answer carries, and how a refusal looks.

use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::api::{Problem, ProblemCode};

/// What browsers may do with an answer: nothing but what a page of ours needs.
const FIELDS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Why a request is not carried out.
#[derive(Debug)]
pub(super) struct Refusal {
    problem: Problem,
    /// When it may be sent again.
    again: Option<Duration>,
    /// By which methods the path may be asked for.
    allow: Option<String>,
}

impl Refusal {
    pub(super) fn new(code: ProblemCode, detail: impl Into<String>) -> Refusal {
        Problem::new(code, detail).into()
    }

    #[must_use]
    pub(super) fn again(self, after: Duration) -> Refusal {
        Refusal { again: Some(after), ..self }
    }

    #[must_use]
    pub(super) fn allow(self, methods: String) -> Refusal {
        Refusal { allow: Some(methods), ..self }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        Refusal { problem, again: None, allow: None }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let status = self.problem.status;
        let mut answer = self.problem.into_response();
        if status == StatusCode::UNAUTHORIZED.as_u16() {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(methods) = self.allow.and_then(|methods| HeaderValue::try_from(methods).ok()) {
            answer.headers_mut().insert(header::ALLOW, methods);
        }
        if let Some(after) = self.again {
            // At least so long, in whole seconds.
            let seconds = after.as_secs() + 1;
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}

/// A value as JSON.
pub(super) fn json(value: &impl Serialize) -> Response<Body> {
    axum::Json(value).into_response()
}

/// Adds what every answer carries.
pub(super) fn finish(fields: &mut HeaderMap) {
    for &(name, value) in FIELDS {
        fields.insert(name, HeaderValue::from_static(value));
    }
    fields.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
