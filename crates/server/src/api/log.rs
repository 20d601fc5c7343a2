//! `GET /v1/instances/{id}/log`: what an instance wrote, as plain text; with `follow=true` also what it will write.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header;
use serde::Deserialize;
use tandem_core::base::InstanceId;
use tandem_core::fleet::RunStatus;
use tandem_drivers::{Driver, DriverError, LogChunk, LogPosition};
use tokio::sync::mpsc::{Sender, channel};

use super::stream::{Over, Queue};
use super::{Problem, ProblemCode};
use crate::office::Office;

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;

/// The last so many bytes are searched for the last lines.
const TAIL: u64 = 256 * 1024;

/// How often a log that is followed is looked at: a file does not tell that it grew.
const LOOK: Duration = Duration::from_millis(200);

/// What of a log is wanted.
#[derive(Debug, Deserialize)]
pub(super) struct LogQuery {
    /// Whether to go on until the instance has ended.
    #[serde(default)]
    follow: bool,
    /// The last so many lines. Without it, all that is kept.
    lines: Option<usize>,
}

pub(super) async fn log(
    State(office): State<Arc<Office>>,
    Path(instance): Path<String>,
    query: Result<Query<LogQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let instance: InstanceId = instance
        .parse()
        .map_err(|_| Problem::bad_request(format!("{instance:?} is not an instance: write i7")))?;
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let reader = Reader { driver: office.driver.clone(), instance };
    let from = match query.lines {
        None => LogPosition::START,
        Some(lines) => reader.last_lines(lines).await?,
    };
    // That there is such a log at all is told by the status of the answer.
    reader.read(from, 0).await?;
    let (sender, receiver) = channel(4);
    tokio::spawn(async move {
        let _ = reader.tell(from, query.follow, &sender).await;
    });
    let body = Body::from_stream(Queue(receiver));
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response())
}

#[derive(Clone)]
struct Reader {
    driver: Arc<dyn Driver>,
    instance: InstanceId,
}

impl Reader {
    async fn read(&self, from: LogPosition, limit: usize) -> Result<LogChunk, Problem> {
        let reader = self.clone();
        let read = move || reader.driver.log(reader.instance, from, limit);
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error @ DriverError::NoInstance(_))) => {
                Err(Problem::new(ProblemCode::NotFound, error.to_string()))
            }
            Ok(Err(error)) => Err(Problem::new(ProblemCode::Unavailable, error.to_string())),
            Err(error) => Err(Problem::new(ProblemCode::Internal, error.to_string())),
        }
    }

    /// Where the last `lines` lines begin; at most [`TAIL`] before the end.
    async fn last_lines(&self, lines: usize) -> Result<LogPosition, Problem> {
        let end = self.read(LogPosition(u64::MAX), 0).await?.end;
        let chunk = self.read(end.back(TAIL), TAIL as usize).await?;
        let start = chunk.next.back(chunk.bytes.len() as u64);
        let text = chunk.bytes.strip_suffix(b"\n").unwrap_or(&chunk.bytes);
        let ends = text.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
        let before = match lines {
            0 => Some(chunk.bytes.len()),
            lines => ends.map(|(at, _)| at + 1).nth(lines - 1),
        };
        Ok(LogPosition(start.0 + before.unwrap_or(0) as u64))
    }

    async fn tell(&self, mut from: LogPosition, follow: bool, sender: &Sender<Bytes>) -> Result<(), Over> {
        loop {
            // Asked before reading: what it wrote before it ended is then read for certain.
            let ended = !follow || self.has_ended().await;
            loop {
                let chunk = self.read(from, CHUNK).await.map_err(|_| Over)?;
                from = chunk.next;
                if chunk.bytes.is_empty() {
                    break;
                }
                sender.send(chunk.bytes.into()).await.map_err(|_| Over)?;
            }
            if ended {
                return Ok(());
            }
            tokio::select! {
                () = sender.closed() => return Err(Over),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn has_ended(&self) -> bool {
        let reader = self.clone();
        let seen = tokio::task::spawn_blocking(move || reader.driver.observe()).await;
        match seen {
            Ok(Ok(seen)) => seen.get(&self.instance).is_none_or(|i| matches!(i.status, RunStatus::Exited(_))),
            _ => true,
        }
    }
}
