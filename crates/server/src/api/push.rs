//! `POST /v1/push`: a deliverable over HTTP, for example from CI. It goes into the same queue as what appears in the folder.
//!
//! The body goes to the disk as it comes. Tested in `tests/server/source.rs`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use tandem_core::base::{Digest, VersionLabel};
use tandem_core::deploy::Command;
use tandem_core::workflow::{Event, Origin};
use tokio::sync::Semaphore;

use super::{Problem, ProblemCode, Pushed};
use crate::adapter::source::inbox::{Incoming, NotKept};
use crate::adapter::source::proof::Proof;
use crate::office::Office;

/// So many may arrive at once; others are told to come back.
const AT_ONCE: usize = 4;
/// The longest silence while one arrives.
const SILENCE: Duration = Duration::from_secs(60);

/// How long one may take to arrive.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long the rest of what is refused may take.
const DRAIN: Duration = Duration::from_secs(5);

/// How many more may arrive at once.
pub(super) struct Room(Semaphore);

impl Default for Room {
    fn default() -> Room {
        Room(Semaphore::new(AT_ONCE))
    }
}

pub(super) async fn push(
    State(office): State<Arc<Office>>,
    request: Request,
    room: Arc<Room>,
) -> Result<(StatusCode, Json<Pushed>), Problem> {
    let Ok(_place) = room.0.try_acquire() else {
        let why = format!("{AT_ONCE} deliverables are arriving at this moment: try again");
        return Err(Problem::new(ProblemCode::TooMany, why));
    };
    let (head, mut body) = request.into_parts();
    let keeper = office.source.clone();
    let arrived = match asked(&head.headers) {
        Ok(asked) => {
            let received = tokio::time::timeout(LONGEST, receive(&office, &mut body)).await;
            let late = |_| Problem::bad_request(format!("it took longer than {} s", LONGEST.as_secs()));
            received.map_err(late).flatten().map(|incoming| (asked, incoming))
        }
        Err(problem) => Err(problem),
    };
    if arrived.is_err() && !head.headers.contains_key(http::header::EXPECT) {
        drain(body).await;
    }
    let ((version, proof, hotfix), incoming) = arrived?;
    let work = {
        let (keeper, version) = (keeper.clone(), version.clone());
        // What is kept is kept until the engine has it: the runtime lives as long.
        move || -> Result<_, NotKept> {
            let kept = keeper.inbox().keep(incoming, &proof)?;
            let mut deliverable = keeper.deliverable(&kept, version, "", Origin::Push);
            deliverable.hotfix |= hotfix;
            let events = tokio::runtime::Handle::current()
                .block_on(office.command(Command::Offer { deliverable: deliverable.clone() }));
            Ok((deliverable.digest, events, office))
        }
    };
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))?;
    let (digest, events, office) = done.map_err(|not_kept| refused(&version, not_kept))?;
    let events = events?;
    if let Some(Event::Declined { why, .. }) = events.first() {
        return Err(Problem::new(ProblemCode::Conflict, format!("{version} is not taken in: {why}")));
    }
    let seen = office.seen();
    let entry = seen.view.state.queue.entry(&digest);
    let missing = || Problem::new(ProblemCode::Internal, "it was taken in, and is not there");
    let entry = entry.ok_or_else(missing)?;
    let status = if events.is_empty() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let (version, standing) = (entry.deliverable.version.clone(), entry.standing.clone());
    Ok((status, Json(Pushed { digest, version, standing })))
}

/// Takes the body in as it comes.
async fn receive(office: &Office, body: &mut Body) -> Result<Incoming, Problem> {
    let not_kept = |not_kept| refused("the deliverable", not_kept);
    let mut incoming = office.source.inbox().begin(body.size_hint().lower()).map_err(not_kept)?;
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await;
        let silent = |_| Problem::bad_request(format!("nothing came for {} s", SILENCE.as_secs()));
        let Some(frame) = frame.map_err(silent)? else { return Ok(incoming) };
        let frame =
            frame.map_err(|error| Problem::bad_request(format!("the deliverable broke off: {error}")))?;
        if let Some(part) = frame.data_ref() {
            // A page for the disk's cache; the disk itself is waited for on another thread, when it is all there.
            incoming.write(part).map_err(not_kept)?;
        }
    }
}

/// Reads the rest of what is refused: whoever sends without being told to go on reads the answer only after that.
async fn drain(mut body: Body) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = tokio::time::timeout(DRAIN, rest).await;
}

/// What the fields of a request say.
fn asked(fields: &HeaderMap) -> Result<(VersionLabel, Proof, bool), Problem> {
    let text = |name: &str| match fields.get(name).map(|value| value.to_str()) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text.trim())),
        Some(Err(_)) => Err(Problem::bad_request(format!("{name} is not plain text"))),
    };
    let version = text("Tandem-Version")?;
    let version =
        version.ok_or_else(|| Problem::bad_request("Tandem-Version is missing: the label of the version"))?;
    let version =
        version.parse().map_err(|error| Problem::bad_request(format!("Tandem-Version: {error}")))?;
    let digest = match text("Content-Digest")? {
        Some(text) => Some(sha_256(text).ok_or_else(|| {
            Problem::bad_request("Content-Digest holds no SHA-256: write sha-256=:…:, in base64 (RFC 9530)")
        })?),
        None => None,
    };
    let signature = match text("Tandem-Signature")? {
        Some(text) => {
            let bytes = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let wrong = || Problem::bad_request("Tandem-Signature is not the file of a signature, in base64");
            Some(bytes.ok_or_else(wrong)?)
        }
        None => None,
    };
    let hotfix = match text("Tandem-Hotfix")? {
        None => false,
        Some("1" | "true") => true,
        Some(_) => return Err(Problem::bad_request("Tandem-Hotfix is 1, or not there")),
    };
    Ok((version, Proof { digest, signature }, hotfix))
}

/// The SHA-256 among the digests of a field.
fn sha_256(text: &str) -> Option<Digest> {
    let own = text.split(',').find_map(|one| one.trim().strip_prefix("sha-256=:"))?;
    let bytes = STANDARD.decode(own.strip_suffix(':')?).ok().filter(|bytes| bytes.len() == 32)?;
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().parse().ok()
}

fn refused(what: impl std::fmt::Display, not_kept: NotKept) -> Problem {
    match not_kept {
        NotKept::Refused(why) => Problem::bad_request(format!("{what} is not taken in: {why}")),
        NotKept::TooLarge(why) => {
            Problem::new(ProblemCode::TooLarge, format!("{what} is not taken in: {why}"))
        }
        NotKept::Trouble(why) => {
            Problem::new(ProblemCode::Unavailable, format!("{what} can't be taken in: {why}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_digest_may_stand_among_others() {
        let (digest, written) = ("ab".repeat(32), STANDARD.encode([0xab; 32]));
        for text in [format!("sha-256=:{written}:"), format!("md5=:eA==:, sha-256=:{written}:")] {
            assert_eq!(sha_256(&text).unwrap().as_str(), digest);
        }
        for text in ["", "sha-256=abc", "sha-256=:eA==:", "sha-512=:eA==:"] {
            assert_eq!(sha_256(text), None, "{text}");
        }
    }
}
