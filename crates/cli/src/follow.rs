//! Following a deployment until it is over, through restarts of the daemon.
//!
//! The deployment does not need to be followed: leaving is always possible. Tested in `tests/cli`.

use std::time::Duration;

use tandem_core::base::{DeploymentId, Millis};
use tandem_core::deploy::{StepEnd, Wait};
use tandem_core::workflow::{Event, Kind, Reason, Receipt, Verdict};
use tandem_server::api::{DeploymentRecord, JournalEvent, Status};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use crate::client::{Client, Message};
use crate::failure::{Exit, Failure};
use crate::progress::Progress;
use crate::story;
use crate::terminal::{BAD, GOOD, Terminal};

/// How long a daemon that went away is waited for.
const ABSENCE: Duration = Duration::from_secs(60);
/// From one try to reach it to the next.
const RETRY: Duration = Duration::from_millis(200);
/// How often waits are shown anew.
const TICK: Duration = Duration::from_secs(1);
/// Longer than anyone watches.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// How the following ended.
enum End {
    Finished,
    Paused,
    Asked,
    Left,
    TimedOut,
}

/// Follows the deployment to its end and tells how it went. `undo`: that it goes back is what was asked for.
///
/// # Errors
/// The daemon went away and did not come back, or it refuses.
pub(crate) async fn follow(
    client: &Client,
    id: DeploymentId,
    at_most: Option<Millis>,
    undo: bool,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())
        .map_err(|error| Failure::failed(format!("can't listen for interrupts: {error}")))?;
    let mut progress = Progress::new(terminal);
    let deadline = Instant::now() + at_most.map_or(FOREVER, |at_most| at_most.to_std().min(FOREVER));
    let end = tokio::select! {
        end = through_restarts(client, id, &mut progress) => end,
        _ = interrupt.recv() => Ok(End::Left),
        () = sleep_until(deadline) => Ok(End::TimedOut),
    };
    let end = match end {
        Ok(end) => end,
        Err(failure) => {
            progress.end(None);
            terminal
                .hint(&format!("{id} goes on as soon as the daemon runs: watch it with `tandem watch {id}`"));
            return Err(failure);
        }
    };
    if !matches!(end, End::Finished) {
        progress.end(None);
        return Ok(leave(&end, id, terminal));
    }
    let record: DeploymentRecord = client.get(&format!("/v1/deployments/{}", id.0)).await?;
    let settled = record.receipt.as_ref().map(|receipt| receipt.verdict == Verdict::Settled);
    progress.end(settled);
    Ok(tell(&record, undo, terminal))
}

fn leave(end: &End, id: DeploymentId, terminal: &Terminal) -> Exit {
    let (what, exit) = match end {
        End::Paused => ("is paused", Exit::Waiting),
        End::Asked => ("waits for somebody", Exit::Waiting),
        End::TimedOut => ("is not over yet and goes on", Exit::TimedOut),
        End::Left | End::Finished => ("goes on", Exit::Interrupted),
    };
    let next = match end {
        End::Paused => "let it go on with `tandem resume`",
        End::Asked => "let it go on with `tandem promote`, or turn it back with `tandem abort`",
        End::TimedOut | End::Left | End::Finished => "turn it back with `tandem abort`",
    };
    if terminal.json {
        terminal.object(&serde_json::json!({ "id": id, "exit": exit as u8 }));
    }
    terminal.say(format_args!("{id} {what}: watch it with `tandem watch {id}`, {next}"));
    exit
}

/// Reads the deployment's events; when the daemon goes away, waits for the next one.
async fn through_restarts(
    client: &Client,
    id: DeploymentId,
    progress: &mut Progress<'_>,
) -> Result<End, Failure> {
    let path = format!("/v1/deployments/{}/events", id.0);
    let mut seen = None;
    let mut absent_since: Option<Instant> = None;
    let mut known = false;
    loop {
        let failure = match client.messages(&path, seen).await {
            Ok(mut messages) => {
                if absent_since.take().is_some() {
                    progress.remark("the daemon is back");
                }
                known = true;
                let end = read(&mut messages, &mut seen, progress).await;
                if let Some(end) = end {
                    return Ok(end);
                }
                None
            }
            Err(failure) if known && failure.exit == Exit::NoDaemon => Some(failure),
            Err(failure) => return Err(failure),
        };
        let since = *absent_since.get_or_insert_with(|| {
            progress.remark(
                "the daemon went away: the instances serve on, and the deployment goes on with its successor",
            );
            Instant::now()
        });
        if since.elapsed() > ABSENCE {
            return Err(
                failure.unwrap_or_else(|| Failure::new(Exit::NoDaemon, "the daemon does not come back"))
            );
        }
        sleep(RETRY).await;
    }
}

/// The events of one connection. None: it broke before the deployment was over.
async fn read(
    messages: &mut crate::client::Messages,
    seen: &mut Option<u64>,
    progress: &mut Progress<'_>,
) -> Option<End> {
    let mut tick = tokio::time::interval(TICK);
    loop {
        let message = tokio::select! {
            message = messages.next() => message?,
            _ = tick.tick() => {
                progress.tick();
                continue;
            }
        };
        if let Some(end) = took(&message, seen, progress) {
            return Some(end);
        }
    }
}

fn took(message: &Message, seen: &mut Option<u64>, progress: &mut Progress<'_>) -> Option<End> {
    match message.kind.as_str() {
        "journal" => {
            // An event of a later version of Tandem: nothing that this one could tell.
            let event: JournalEvent = serde_json::from_str(&message.data).ok()?;
            *seen = Some(event.seq);
            progress.happened(&event);
            matches!(event.recorded.event, Event::Finished { .. }).then_some(End::Finished)
        }
        "status" => {
            let status: Status = serde_json::from_str(&message.data).ok()?;
            let paused = status.deployment.as_ref().is_some_and(|deployment| deployment.paused);
            let asks = |wait: &Wait| matches!(wait, Wait::Step { until: StepEnd::Promotion { .. }, .. });
            let asked = status.waits.iter().any(|wait| asks(&wait.wait));
            progress.stands(status);
            match progress.is_live() {
                false if paused => Some(End::Paused),
                false if asked => Some(End::Asked),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Tells how a deployment that is over went.
pub(crate) fn tell(record: &DeploymentRecord, undo: bool, terminal: &Terminal) -> Exit {
    let Some(receipt) = &record.receipt else {
        terminal.say(format_args!("{} is over, but its receipt is missing", record.id));
        return Exit::Failed;
    };
    let exit = exit_of(receipt, record.kind, undo);
    if terminal.json {
        terminal.object(record);
        return exit;
    }
    let good = exit == Exit::Done;
    if let (false, Some(diagnosis)) = (good, &record.diagnosis) {
        for line in story::diagnosis(diagnosis) {
            terminal.say(format_args!("  {line}"));
        }
    }
    let text = receipt.to_string();
    let text = crate::terminal::clean(&text);
    if good {
        terminal.line(format_args!("{GOOD}✔{GOOD:#} {text}"));
    } else {
        terminal.line(format_args!("{BAD}✘{BAD:#} {text}"));
    }
    exit
}

fn exit_of(receipt: &Receipt, kind: Kind, undo: bool) -> Exit {
    match &receipt.verdict {
        Verdict::Settled => Exit::Done,
        Verdict::RolledBack { reason } => {
            let asked = *reason == Reason::Asked.to_string();
            match (undo, asked) {
                // A deployment under way was turned back; but a rollback of its own that failed is no success.
                (true, true) => Exit::Done,
                (true, false) if kind == Kind::Deploy => Exit::Done,
                (false, true) => Exit::Failed,
                (_, false) => Exit::RolledBack,
            }
        }
        Verdict::Failed { .. } => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_back_is_a_success_only_for_who_wanted_it() {
        let exit = |reason: &str, kind, undo| {
            let verdict = Verdict::RolledBack { reason: reason.to_owned() };
            let to = "v2".parse().unwrap();
            let (took, mixed_state) = (Millis::ZERO, Millis::ZERO);
            let receipt = Receipt {
                expanded: None,
                stray: None,
                broken: 0,
                verdict,
                from: None,
                to,
                took,
                counts: None,
                lowest_capacity: None,
                wanted: 1,
                mixed_state,
                foreseen: None,
            };
            exit_of(&receipt, kind, undo)
        };
        let asked = Reason::Asked.to_string();
        assert_eq!(exit(&asked, Kind::Deploy, true), Exit::Done);
        assert_eq!(exit("crashes", Kind::Deploy, true), Exit::Done);
        assert_eq!(exit("crashes", Kind::Rollback, true), Exit::RolledBack);
        assert_eq!(exit(&asked, Kind::Deploy, false), Exit::Failed);
        assert_eq!(exit("crashes", Kind::Deploy, false), Exit::RolledBack);
    }
}
