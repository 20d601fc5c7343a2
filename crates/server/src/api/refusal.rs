//! Whatever is not done is answered by a problem document that says why, and what to do.

use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use tandem_core::deploy::Refusal;

use super::{Problem, ProblemCode};
use crate::office::CommandError;

impl Problem {
    /// A problem of the given kind; `detail` is for people.
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Problem {
        let (status, title) = match code {
            ProblemCode::BadRequest => (StatusCode::BAD_REQUEST, "the request can't be understood"),
            ProblemCode::NotFound => (StatusCode::NOT_FOUND, "there is no such thing"),
            ProblemCode::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "not by this method"),
            ProblemCode::Unauthorized => (StatusCode::UNAUTHORIZED, "who asks is not known"),
            ProblemCode::Forbidden => (StatusCode::FORBIDDEN, "this is not allowed"),
            ProblemCode::WrongHost => {
                (StatusCode::MISDIRECTED_REQUEST, "this is not the host that was asked for")
            }
            ProblemCode::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too much at once, or too often"),
            ProblemCode::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the request is too large"),
            ProblemCode::KeyUsed => (StatusCode::UNPROCESSABLE_ENTITY, "the key belongs to another request"),
            ProblemCode::Busy => (StatusCode::CONFLICT, "a deployment is under way"),
            ProblemCode::Conflict => (StatusCode::CONFLICT, "it does not fit how things stand"),
            ProblemCode::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "not now"),
            ProblemCode::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "a fault of Tandem"),
        };
        Problem {
            kind: "about:blank".to_owned(),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code,
        }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(ProblemCode::BadRequest, detail)
    }

    /// A body that did not come, or is too large.
    pub(super) fn unreadable(error: &BytesRejection) -> Problem {
        let is_large = error.status() == StatusCode::PAYLOAD_TOO_LARGE;
        let code = if is_large { ProblemCode::TooLarge } else { ProblemCode::BadRequest };
        Problem::new(code, error.body_text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Problem {
        match error {
            CommandError::Refused(refusal) => refusal.into(),
            CommandError::Failed(error) => Problem::new(ProblemCode::Unavailable, error.to_string()),
            CommandError::Full => {
                Problem::new(ProblemCode::Unavailable, "too much is asked at once; try again in a moment")
            }
            CommandError::Ending => {
                Problem::new(ProblemCode::Unavailable, "the controller ends at this moment; try again")
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let code = match &refusal {
            Refusal::Busy { .. } => ProblemCode::Busy,
            Refusal::UnknownVersion(_) | Refusal::NotQueued(_) => ProblemCode::NotFound,
            Refusal::Number(_) | Refusal::Gate(_) => ProblemCode::BadRequest,
            _ => ProblemCode::Conflict,
        };
        Problem::new(code, refusal.to_string())
    }
}
