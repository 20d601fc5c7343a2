//! Commands of a version that are no instances: a container of its own that ends and is removed.
//!
//! Must not know what the command is for. Tested by the conformance suite.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::WaitContainerOptions;
use futures_util::StreamExt;

use super::container;
use super::engine::{Engine, SLOW};
use super::logbook;
use super::trouble::Trouble;

/// So many of its last lines are told of a command that failed.
const LINES: usize = 10;
/// And so many of their last characters.
const LONGEST: usize = 2000;

/// How a command went.
pub(super) enum Outcome {
    Done,
    /// It failed or took too long; how, and what it said last.
    Failed(String),
}

/// Runs the command in a container of the body until it ends, at most for so long.
pub(super) async fn run(
    engine: &Engine,
    body: ContainerCreateBody,
    within: Duration,
) -> Result<Outcome, Trouble> {
    let name = format!("tandem-task-{}-{}", std::process::id(), unique());
    container::create(engine, &name, body).await?;
    let outcome = watch(engine, &name, within).await;
    let removed = container::remove(engine, &name, true).await;
    let outcome = outcome?;
    removed.map(|()| outcome)
}

async fn watch(engine: &Engine, name: &str, within: Duration) -> Result<Outcome, Trouble> {
    if let Err(trouble) = container::start(engine, name).await {
        return match trouble {
            Trouble::Away(_) => Err(trouble),
            Trouble::Refused { message, .. } => {
                Ok(Outcome::Failed(format!("could not be executed: {}", container::not_executed(&message))))
            }
        };
    }
    let own = name.to_owned();
    let ended = engine.call(within + SLOW, |docker| async move {
        let mut ends = docker.wait_container(&own, None::<WaitContainerOptions>);
        // That it failed comes as an error; how it ended is asked for below in any case.
        Ok(tokio::time::timeout(within, ends.next()).await.is_ok())
    });
    if !ended.await? {
        return Ok(Outcome::Failed(format!(
            "took longer than {} s and was killed{}",
            within.as_secs_f32(),
            said(engine, name).await
        )));
    }
    let state = container::inspect(engine, name).await?.and_then(|found| found.state);
    match state.map(|state| container::exit(&state)) {
        Some(tandem_core::fleet::Exit::Code(0)) => Ok(Outcome::Done),
        Some(exit) => Ok(Outcome::Failed(format!("{exit}{}", said(engine, name).await))),
        None => Ok(Outcome::Failed("was removed by somebody before it ended".to_owned())),
    }
}

/// The last that it said, as the end of a sentence.
async fn said(engine: &Engine, name: &str) -> String {
    let bytes = logbook::tail(engine, name, LINES).await.unwrap_or_default();
    let text: String =
        String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control() || *c == '\n').collect();
    let text = text.trim();
    let from = text.char_indices().rev().nth(LONGEST).map_or(0, |(at, _)| at);
    match text.get(from..).unwrap_or_default() {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

/// Different for each task of this process, and of one that had its number before.
pub(super) fn unique() -> u128 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    now.wrapping_mul(1000).wrapping_add(u128::from(next % 1000))
}
