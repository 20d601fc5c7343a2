//! `POST /v1/login`: a token or a ticket for a session.

use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use http::request::Parts;
use http::{Method, Response, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::{Peer, Reception, Who, from_here, unfit};
use crate::admin::answer::{Refusal, json};
use crate::admin::callers::Credential;
use crate::admin::digest::Digest;
use crate::admin::door::{self, Proof};
use crate::admin::permission::Unfit;
use crate::admin::session;
use crate::api::ProblemCode;
use crate::clock::wall_time;
use crate::message::LoginRequest;

/// The largest login that is read, in bytes.
const LARGEST: usize = 4096;
/// How long it may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

impl Reception {
    /// `POST /v1/login`.
    pub(super) async fn log_in(
        &self,
        head: &Parts,
        body: Incoming,
        own: &str,
        peer: Peer,
        who: &mut Who,
    ) -> Result<Response<Body>, Refusal> {
        if head.method != Method::POST {
            return Err(unfit(Unfit::Method("POST".to_owned())));
        }
        // No form of another page can send JSON.
        if door::only(&head.headers, &header::CONTENT_TYPE).is_none_or(|kind| !is_json(kind)) {
            return Err(Refusal::new(
                ProblemCode::BadRequest,
                "a login is JSON: Content-Type: application/json",
            ));
        }
        from_here(own, head, Proof::NoOther)?;
        self.may_try(peer)?;
        let LoginRequest { token, ticket } = read(body).await?;
        let now = wall_time();
        let failed = |error: std::io::Error| Refusal::new(ProblemCode::Internal, error.to_string());
        let session = match (token, ticket) {
            (Some(token), None) => {
                let token = Digest::of(token.trim());
                match self.find(Credential::Token(token))? {
                    Some(_) => Some(self.callers.open(token, now).map_err(failed)?),
                    None => None,
                }
            }
            (None, Some(ticket)) => self.callers.use_ticket(&ticket, now).map_err(failed)?,
            _ => return Err(Refusal::new(ProblemCode::BadRequest, "name either a `token` or a `ticket`")),
        };
        let Some(session) = session else {
            return Err(self.wrong(peer, "that is not good for a login: it is wrong, over, revoked or used"));
        };
        let caller = self.find(Credential::Session(Digest::of(&session)))?;
        let caller = caller.ok_or_else(|| self.wrong(peer, "that was revoked at this moment"))?;
        *who = Some((caller.name.clone(), caller.role));
        let seconds = caller.expires.map_or(0, |ends| ends.since(now).0 / 1000);
        let cookie = session::cookie(&session, self.is_secure, seconds);
        Ok(([(header::SET_COOKIE, cookie)], json(&self.me(&caller))).into_response())
    }
}

fn is_json(kind: &str) -> bool {
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

async fn read(body: Incoming) -> Result<LoginRequest, Refusal> {
    let wrong = |detail: String| Refusal::new(ProblemCode::BadRequest, detail);
    let read = tokio::time::timeout(PATIENCE, Limited::new(body, LARGEST).collect()).await;
    let read = read.map_err(|_| wrong(format!("the login took longer than {} s", PATIENCE.as_secs())))?;
    let bytes = read.map_err(|error| wrong(format!("the login can't be read: {error}")))?.to_bytes();
    serde_json::from_slice(&bytes)
        .map_err(|_| wrong("a login is {\"token\": …} or {\"ticket\": …}".to_owned()))
}
