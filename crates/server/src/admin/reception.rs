//! What becomes of a request from the network: who sent it, may they, and where does it go.
//!
//! The checks stand in the order in which they are made. Knows no state of services. Tested in `tests/server/admin`.

mod login;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::IntoResponse;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tandem_core::base::ServiceName;

use super::answer::{Refusal, finish, json};
use super::attempts::Attempts;
use super::callers::{Caller, Callers, Credential};
use super::dashboard::Dashboard;
use super::digest::Digest;
use super::door::{self, Proof};
use super::passage::{self, Asked, Bounds};
use super::permission::{self, HERE, OF_A_SERVICE, Row, Unfit};
use super::places::Places;
use super::session;
use crate::api::ProblemCode;
use crate::audit::Audit;
use crate::clock::wall_time;
use crate::message::{AuditEntry, Me, Role, ServiceEntry};

/// So many calls may be under way, most of them streams: in all …
const CALLS: usize = 256;
/// … and of one caller.
const CALLS_OF_ONE: usize = 32;
/// When one who has too many under way may try again.
const LATER: Duration = Duration::from_secs(1);
/// So many wrong attempts there may be from one address within a minute.
const ATTEMPTS: u32 = 10;
/// So many refusals are written down within a minute: from one address …
const REFUSALS: u32 = 20;
/// … and in all. Otherwise strangers would push out of the audit what was done.
const REFUSALS_OF_ALL: u32 = 200;
/// Stands for all addresses.
const ALL: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
/// So many lines of the audit are told, unless it is said how many.
const LINES: usize = 100;
/// The most that are told.
const MOST_LINES: usize = 1000;

/// Where a request came from, and where to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) from: IpAddr,
    pub(super) local: IpAddr,
}

/// Takes requests from the network.
pub(super) struct Reception {
    /// The sockets of the services.
    services: BTreeMap<ServiceName, PathBuf>,
    hosts: Vec<String>,
    /// Whether connections are encrypted.
    is_secure: bool,
    callers: Arc<Callers>,
    attempts: Attempts,
    refusals: Attempts,
    refusals_of_all: Attempts,
    calls: Places<String>,
    audit: Arc<Audit>,
    dashboard: Dashboard,
}

/// What the audit tells of who asked.
type Who = Option<(String, Role)>;

impl Reception {
    pub(super) fn new(
        services: BTreeMap<ServiceName, PathBuf>,
        hosts: Vec<String>,
        is_secure: bool,
        callers: Arc<Callers>,
        audit: Arc<Audit>,
    ) -> Reception {
        Reception {
            services,
            hosts,
            is_secure,
            callers,
            attempts: Attempts::new(ATTEMPTS),
            refusals: Attempts::new(REFUSALS),
            refusals_of_all: Attempts::new(REFUSALS_OF_ALL),
            calls: Places::new(CALLS, CALLS_OF_ONE),
            audit,
            dashboard: Dashboard::built(),
        }
    }

    /// Answers a request, and notes it if it is to be noted.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let (head, body) = request.into_parts();
        let mut who = None;
        let admitted = self.admit(&head, body, peer, &mut who).await;
        let mut answer = admitted.unwrap_or_else(IntoResponse::into_response);
        let is_refused = matches!(answer.status().as_u16(), 401 | 403 | 421 | 429);
        let is_done = who.is_some() && permission::is_unsafe(&head.method) && !is_refused;
        let is_tried = is_refused || permission::is_unsafe(&head.method);
        if is_done || is_tried && self.is_told(peer) {
            let (who, role) = who.unzip();
            self.audit.note(AuditEntry {
                at: wall_time(),
                who: who.unwrap_or_else(|| "?".to_owned()),
                role,
                from: Some(peer.from.to_canonical().to_string()),
                method: head.method.to_string(),
                path: head.uri.path().to_owned(),
                status: answer.status().as_u16(),
            });
        }
        finish(answer.headers_mut());
        answer
    }

    /// Whether a refusal is written down.
    fn is_told(&self, peer: Peer) -> bool {
        let now = Instant::now();
        let counts = [(&self.refusals, peer.from), (&self.refusals_of_all, ALL)];
        let has_room = counts.iter().all(|(counts, address)| counts.check(*address, now).is_ok());
        if has_room {
            counts.iter().for_each(|(counts, address)| counts.count(*address, now));
        }
        has_room
    }

    async fn admit(
        &self,
        head: &Parts,
        body: Incoming,
        peer: Peer,
        who: &mut Who,
    ) -> Result<Response<Body>, Refusal> {
        let host = door::host(&head.headers, peer.local, &self.hosts)
            .filter(|_| head.uri.authority().is_none())
            .ok_or_else(|| {
                Refusal::new(
                    ProblemCode::WrongHost,
                    "name the host in `hosts` of [admin], or ask for the address itself",
                )
            })?;
        let own = format!("{}://{host}", if self.is_secure { "https" } else { "http" });
        let path = head.uri.path();
        if path != "/v1" && !path.starts_with("/v1/") {
            return self.file(head);
        }
        if path == "/v1/login" {
            return self.log_in(head, body, &own, peer, who).await;
        }
        let (caller, by) = self.caller(head, peer)?;
        *who = Some((caller.name.clone(), caller.role));
        if let Credential::Session(_) = by {
            let proof = if permission::is_unsafe(&head.method) { Proof::Own } else { Proof::NoOther };
            from_here(&own, head, proof)?;
        }
        match path.strip_prefix("/v1/services/").and_then(|rest| rest.split_once('/')) {
            Some((service, rest)) => self.ask(service, rest, head, body, caller, by).await,
            None => self.own(head, &caller, by),
        }
    }

    /// A file of the dashboard; there is nothing secret in them.
    fn file(&self, head: &Parts) -> Result<Response<Body>, Refusal> {
        if permission::is_unsafe(&head.method) {
            return Err(unfit(Unfit::Method("GET,HEAD".to_owned())));
        }
        self.dashboard.at(head.uri.path(), &head.headers).ok_or_else(|| unfit(Unfit::Path))
    }

    /// Who sent a request, and by what that is known.
    fn caller(&self, head: &Parts, peer: Peer) -> Result<(Caller, Credential), Refusal> {
        let by = if head.headers.contains_key(header::AUTHORIZATION) {
            self.may_try(peer)?;
            session::bearer(&head.headers).map(|token| Credential::Token(Digest::of(token)))
        } else {
            let session = session::of(&head.headers, self.is_secure).ok_or_else(|| {
                let detail = "log in, or send a token: Authorization: Bearer tdm_…";
                Refusal::new(ProblemCode::Unauthorized, detail)
            })?;
            Some(Credential::Session(Digest::of(session)))
        };
        let found = by.map(|by| self.find(by)).transpose()?.flatten();
        match (found, by) {
            (Some(caller), Some(by)) => Ok((caller, by)),
            // Sessions end by themselves, and nobody can guess one: pages that did not notice are no attempt.
            (None, Some(Credential::Session(_))) => {
                Err(Refusal::new(ProblemCode::Unauthorized, "the session is over: log in again"))
            }
            _ => Err(self.wrong(peer, "the token is not good: it is wrong, over or revoked")),
        }
    }

    fn find(&self, by: Credential) -> Result<Option<Caller>, Refusal> {
        self.callers.find(by, wall_time()).map_err(|error| {
            tracing::error!("{error}");
            Refusal::new(
                ProblemCode::Unavailable,
                "who may ask can't be read at the moment; the log says why",
            )
        })
    }

    /// Whether somebody may try to show who they are.
    fn may_try(&self, peer: Peer) -> Result<(), Refusal> {
        self.attempts.check(peer.from, Instant::now()).map_err(|left| {
            Refusal::new(ProblemCode::TooMany, "too many wrong attempts from this address").again(left)
        })
    }

    /// The refusal of one who tried in vain.
    fn wrong(&self, peer: Peer, detail: &str) -> Refusal {
        self.attempts.count(peer.from, Instant::now());
        Refusal::new(ProblemCode::Unauthorized, detail)
    }

    /// What is answered here.
    fn own(&self, head: &Parts, caller: &Caller, by: Credential) -> Result<Response<Body>, Refusal> {
        let path = head.uri.path();
        permit(HERE, &head.method, path, caller)?;
        match path {
            "/v1/me" => Ok(json(&self.me(caller))),
            "/v1/services" => {
                let entry = |name: ServiceName| ServiceEntry { name };
                Ok(json(&self.known(caller).map(entry).collect::<Vec<_>>()))
            }
            "/v1/logout" => {
                if let Credential::Session(session) = by {
                    self.callers.close(&session, wall_time());
                }
                let cookie = session::cookie("", self.is_secure, 0);
                Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
            }
            // It tells of all services.
            "/v1/audit" if caller.services.is_empty() => Ok(json(&self.audit.newest(lines(head)?))),
            "/v1/audit" => Err(Refusal::new(ProblemCode::Forbidden, "this token is not for all services")),
            _ => Err(unfit(Unfit::Path)),
        }
    }

    fn me(&self, caller: &Caller) -> Me {
        let Caller { name, role, expires, .. } = caller.clone();
        Me { name, role, services: self.known(caller).collect(), expires }
    }

    fn known<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = ServiceName> + 'a {
        self.services.keys().filter(|name| caller.knows(name)).cloned()
    }

    /// Passes a call on to a service.
    async fn ask(
        &self,
        service: &str,
        rest: &str,
        head: &Parts,
        body: Incoming,
        caller: Caller,
        by: Credential,
    ) -> Result<Response<Body>, Refusal> {
        let mut services = self.services.iter();
        let found = services.find(|(name, _)| name.as_str() == service && caller.knows(name));
        // Whether there is one that they may not ask about is not told.
        let (name, socket) = found.ok_or_else(|| {
            Refusal::new(ProblemCode::NotFound, "there is no such service, or this token is not for it")
        })?;
        let path = format!("/v1/{rest}");
        let role = permit(OF_A_SERVICE, &head.method, &path, &caller)?;
        let place = self.calls.take(caller.name.clone()).ok_or_else(|| {
            let detail = format!(
                "no more than {CALLS_OF_ONE} calls of one caller may be under way, and {CALLS} in all"
            );
            Refusal::new(ProblemCode::TooMany, detail).again(LATER)
        })?;
        let query = head.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let bounds = Bounds::of(&path);
        let (method, fields) = (head.method.clone(), head.headers.clone());
        let asked = Asked { method, path: path + &query, fields, body, bounds };
        let (callers, name) = (self.callers.clone(), name.clone());
        let may = move || match callers.find(by, wall_time()) {
            Ok(found) => found.is_some_and(|caller| caller.role >= role && caller.knows(&name)),
            Err(_) => false,
        };
        passage::pass(socket, asked, may, place).await
    }
}

/// The role that a call needs, if the caller has it.
fn permit(table: &[Row], method: &Method, path: &str, caller: &Caller) -> Result<Role, Refusal> {
    let role = permission::needed(table, method, path).map_err(unfit)?;
    if caller.role >= role {
        return Ok(role);
    }
    let detail =
        format!("this needs the role {}, and {} is {}", role.name(), caller.name, caller.role.name());
    Err(Refusal::new(ProblemCode::Forbidden, detail))
}

/// What a page of somebody else sent in the name of a browser is not carried out.
fn from_here(own: &str, head: &Parts, proof: Proof) -> Result<(), Refusal> {
    if door::is_from(own, &head.headers, proof) {
        return Ok(());
    }
    Err(Refusal::new(
        ProblemCode::Forbidden,
        format!("with a cookie this is only taken from a page of {own}"),
    ))
}

fn unfit(why: Unfit) -> Refusal {
    match why {
        Unfit::Path => Refusal::new(ProblemCode::NotFound, "the admin API has no such path"),
        Unfit::Method(those) => {
            let detail = format!("this path is there, but not for this method: it takes {those}");
            Refusal::new(ProblemCode::MethodNotAllowed, detail).allow(those)
        }
    }
}

/// How many lines are asked for: `limit=20`.
fn lines(head: &Parts) -> Result<usize, Refusal> {
    let limit = head.uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("limit="));
    match limit.map(str::parse) {
        None => Ok(LINES),
        Some(Ok(limit)) if limit <= MOST_LINES => Ok(limit),
        Some(_) => {
            Err(Refusal::new(ProblemCode::BadRequest, format!("`limit` is a number up to {MOST_LINES}")))
        }
    }
}
