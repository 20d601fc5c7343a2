//! `POST /v1/tickets` at a Unix socket: whoever may use the sockets of services gets into the dashboard, too.
//!
//! Tested in `tests/server/admin`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::routing::post;
use axum::{Json, Router};

use super::callers::{Callers, TICKET};
use crate::api::{AdminSocket, Peer, Problem, ProblemCode};
use crate::audit::Audit;
use crate::clock::wall_time;
use crate::message::{AuditEntry, Role, Ticket};

/// What a ticket is made of.
pub(super) struct TicketDesk {
    pub(super) callers: Arc<Callers>,
    pub(super) audit: Arc<Audit>,
    /// Where the dashboard is.
    pub(super) url: String,
}

/// Answers until the runtime ends.
pub(super) async fn serve(socket: AdminSocket, desk: TicketDesk) {
    let router = Router::new().route("/v1/tickets", post(ticket)).with_state(Arc::new(desk));
    let service = router.into_make_service_with_connect_info::<Peer>();
    if let Err(error) = axum::serve(socket, service).await {
        tracing::error!(%error, "tickets for the dashboard can't be had any more");
    }
}

async fn ticket(
    State(desk): State<Arc<TicketDesk>>,
    ConnectInfo(Peer(uid)): ConnectInfo<Peer>,
) -> Result<Json<Ticket>, Problem> {
    let now = wall_time();
    let ticket = desk.callers.ticket(uid, now);
    let ticket = ticket.map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))?;
    desk.audit.note(AuditEntry {
        at: now,
        who: format!("uid:{uid}"),
        role: Some(Role::Admin),
        from: None,
        method: "POST".to_owned(),
        path: "/v1/tickets".to_owned(),
        status: 200,
    });
    Ok(Json(Ticket { url: format!("{}/#ticket={ticket}", desk.url), within: TICKET }))
}

/// Where the dashboard is, as people of this machine write it: by the first of its names, else by its address.
pub(super) fn url(address: SocketAddr, hosts: &[String], is_secure: bool) -> String {
    let scheme = if is_secure { "https" } else { "http" };
    let host = match hosts.first() {
        Some(host) => host.clone(),
        None if address.ip().is_unspecified() => "localhost".to_owned(),
        None if address.is_ipv6() => format!("[{}]", address.ip()),
        None => address.ip().to_string(),
    };
    format!("{scheme}://{host}:{}", address.port())
}
