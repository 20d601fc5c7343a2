//! Who changed something at the socket: noted by the user at the other end.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::Method;

use super::Peer;
use crate::clock::wall_time;
use crate::message::AuditEntry;
use crate::office::Office;

/// A field of calls that whoever passes them on has noted: by the name of a token, which is not known here.
pub(crate) const NOTED: &str = "tandem-noted";

/// The same routes, with what changes something written down.
pub(super) fn noted(router: Router, office: Arc<Office>) -> Router {
    router.layer(from_fn_with_state(office, note))
}

async fn note(
    State(office): State<Arc<Office>>,
    ConnectInfo(Peer(uid)): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let is_known = matches!(method, Method::GET | Method::HEAD) || request.headers().contains_key(NOTED);
    let answer = next.run(request).await;
    if !is_known {
        // As it would be asked for over the network.
        let rest = path.strip_prefix("/v1").unwrap_or(&path);
        office.audit.note(AuditEntry {
            at: wall_time(),
            who: format!("uid:{uid}"),
            role: None,
            from: None,
            method: method.to_string(),
            path: format!("/v1/services/{}{rest}", office.config.spec.service),
            status: answer.status().as_u16(),
        });
    }
    answer
}
