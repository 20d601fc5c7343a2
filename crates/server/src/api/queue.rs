//! What came by itself: listed, approved, paused.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use tandem_core::base::Digest;
use tandem_core::deploy::{Command, Wait};
use tandem_core::workflow::Entry;

use super::{Problem, QueueEntry, QueueStatus, WaitStatus};
use crate::office::Office;

/// No reason for a pause is longer, in characters.
const LONGEST: usize = 500;

pub(super) async fn queue(State(office): State<Arc<Office>>) -> Json<QueueStatus> {
    Json(status(&office))
}

pub(super) async fn approve(
    State(office): State<Arc<Office>>,
    Path(digest): Path<String>,
) -> Result<Json<QueueStatus>, Problem> {
    let digest: Digest =
        digest.parse().map_err(|_| Problem::bad_request("that is not the digest of a deliverable"))?;
    office.command(Command::Approve { digest }).await?;
    Ok(Json(status(&office)))
}

/// Has nothing begun by itself.
pub(super) async fn pause(office: &Office, why: Option<String>) -> Result<Json<QueueStatus>, Problem> {
    let why = why.unwrap_or_else(|| "somebody wants it so".to_owned());
    if why.chars().count() > LONGEST {
        return Err(Problem::bad_request(format!("`why` is longer than {LONGEST} characters")));
    }
    office.command(Command::PauseSource { why }).await?;
    Ok(Json(status(office)))
}

pub(super) async fn resume(State(office): State<Arc<Office>>) -> Result<Json<QueueStatus>, Problem> {
    office.command(Command::ResumeSource).await?;
    Ok(Json(status(&office)))
}

fn status(office: &Office) -> QueueStatus {
    let seen = office.seen();
    let (queue, now) = (&seen.view.state.queue, office.clock.now());
    let waits = |entry: &Entry| {
        let of_entry = |wait: &&Wait| {
            matches!(wait, Wait::Queued { version, since, .. }
                if *version == entry.deliverable.version && *since == entry.arrived_at)
        };
        let waits = seen.view.waits.iter().filter(of_entry).filter(|_| entry.waits());
        let told = |wait: &Wait| WaitStatus {
            sentence: wait.sentence(now),
            until: wait.until(),
            wait: wait.clone(),
        };
        waits.map(told).collect()
    };
    let told = |entry: &Entry| QueueEntry {
        digest: entry.deliverable.digest.clone(),
        version: entry.deliverable.version.clone(),
        origin: entry.deliverable.origin.clone(),
        hotfix: entry.deliverable.hotfix,
        arrived_at: entry.arrived_at,
        approved_at: entry.approved_at,
        checked_at: entry.checked_at,
        standing: entry.standing.clone(),
        since: entry.since,
        waits: waits(entry),
    };
    QueueStatus {
        at: seen.view.at,
        paused: queue.paused.clone(),
        entries: queue.entries.iter().rev().map(told).collect(),
        declined: queue.declined.iter().rev().cloned().collect(),
    }
}
