//! The database's schema beside the deployments: expanded before the first new instance, contracted when nothing needs
//! the old revision any more, undone when nothing ever needed the new one.
//!
//! Rules: one job at a time; a change that this service did not begin is left to whoever did; and rows that only the new
//! revision knows are not given up without need, so after a rollback the schema stays expanded until the next deployment
//! has use for it, or can't go on without its end.

use crate::base::{Millis, Revision};
use crate::database::{Change, ChangePhase, Job, ObservedDatabase, Work};
use crate::deploy::{Decision, Input, Preparation, Wait};
use crate::workflow::{Action, Deployment, Event, Phase, Reason};

/// A job that failed is tried again after this time, the second time after twice as long, and so on.
const AGAIN: Millis = Millis::from_secs(5);

/// A deployment goes back when expanding has failed so often in a row.
const ATTEMPTS: u32 = 5;

/// The database stands elsewhere than was known. While it is being changed from here, its standing is not news.
pub(super) fn fact(input: &Input<'_>) -> Option<Event> {
    let seen = input.observed.database.as_ref()?;
    let at_work = matches!(seen.work, Work::Running { .. });
    let news = !at_work && seen.standing != input.state.schema.standing;
    news.then(|| Event::Stands(seen.standing.clone()))
}

/// Whether the version that is deployed finds its schema, as far as is known.
pub(super) fn is_there(input: &Input<'_>, deployment: &Deployment) -> bool {
    let revision = input.state.revision_of(&deployment.request.version);
    input.state.schema.standing.serves(revision)
}

/// Expanding came to nothing for good. What failed before this deployment came so far says nothing of it.
pub(super) fn failure(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    let seen = input.observed.database.as_ref().filter(|_| deployment.phase == Phase::Expanding)?;
    match &seen.work {
        Work::Failed { job: Job::Expand { .. }, error, at, attempts, again }
            if *at >= deployment.phase_since && (!again || *attempts >= ATTEMPTS) =>
        {
            Some(Reason::NotExpanded { error: error.clone() })
        }
        _ => None,
    }
}

/// What is to be done to the schema now, or waited for.
pub(super) fn tend(input: &Input<'_>, decision: &mut Decision) {
    if input.spec.database.url.is_none() {
        return;
    }
    let need = need(input);
    let Some(seen) = &input.observed.database else {
        if need != Need::Nothing {
            decision.wait(Wait::DatabaseAway);
        }
        return;
    };
    if let Work::Running { job, progress } = &seen.work {
        decision.wait(Wait::Schema { job: job.clone(), progress: progress.clone() });
        if let Job::Expand { to, .. } = job
            && wanted(input).as_ref() != Some(job)
        {
            // Nobody waits for it any more. Rows may be filled for hours: it is cut off.
            decision.actions.push(Action::Schema { job: Job::Undo { to: to.clone() } });
        }
        return;
    }
    match need {
        Need::Nothing => {}
        Need::Wait(wait) => decision.wait(wait),
        Need::Job(job) => match hindrance(input, seen, &job) {
            Some(wait) => decision.wait(wait),
            None => decision.actions.push(Action::Schema { job }),
        },
    }
}

/// What the schema needs.
#[derive(Debug, PartialEq)]
enum Need {
    Nothing,
    Wait(Wait),
    Job(Job),
}

/// Why a job can't be begun at this moment.
fn hindrance(input: &Input<'_>, seen: &ObservedDatabase, job: &Job) -> Option<Wait> {
    if let Some(who) = &seen.operator {
        return Some(Wait::Operator { who: who.clone() });
    }
    let Work::Failed { job: failed, error, at, attempts, .. } = &seen.work else { return None };
    let until = *at + Millis(AGAIN.0.saturating_mul(u64::from(*attempts)));
    (failed == job && input.now < until).then(|| Wait::SchemaFailed {
        job: job.clone(),
        error: error.clone(),
        attempts: *attempts,
        until,
    })
}

/// The job that the deployment under way needs.
fn wanted(input: &Input<'_>) -> Option<Job> {
    let expanding = |d: &&Deployment| d.phase == Phase::Expanding && d.turned_back().is_none();
    let version = &input.state.deployment.as_ref().filter(expanding)?.request.version;
    let to = input.state.revision_of(version)?;
    Some(Job::Expand { version: version.clone(), to: to.clone() })
}

fn need(input: &Input<'_>) -> Need {
    let wanted = wanted(input).filter(|_| !is_paused(input));
    match (&input.state.schema.standing.change, wanted) {
        (None, Some(job)) => Need::Job(job),
        (None, None) => Need::Nothing,
        (Some(change), wanted) => match change.phase {
            ChangePhase::Mixed => settlement(input, change),
            ChangePhase::Expanding => match wanted {
                Some(job @ Job::Expand { .. }) if goes_to(&job, &change.to) => Need::Job(job),
                _ if begun_here(input, change) && !is_paused(input) => {
                    Need::Job(Job::Undo { to: change.to.clone() })
                }
                _ => in_the_way(input, change),
            },
            ChangePhase::Contracting if begun_here(input, change) => {
                Need::Job(Job::Contract { to: change.to.clone() })
            }
            ChangePhase::Undoing if begun_here(input, change) => {
                Need::Job(Job::Undo { to: change.to.clone() })
            }
            ChangePhase::Contracting | ChangePhase::Undoing => in_the_way(input, change),
        },
    }
}

/// Both revisions are served: which of them is to go, and when?
fn settlement(input: &Input<'_>, change: &Change) -> Need {
    let state = input.state;
    let unsettled = unsettled(input);
    if state.deployment.is_some() && !unsettled {
        return Need::Nothing;
    }
    let current = state.current.as_ref().and_then(|version| state.revision_of(version));
    if current == Some(&change.to) {
        return contraction(input, change, unsettled);
    }
    if !begun_here(input, change) {
        return in_the_way(input, change);
    }
    if state.schema.used && !unsettled || state.alive_at(&change.to) > 0 {
        return Need::Nothing;
    }
    match sessions(input, false) {
        0 => Need::Job(Job::Undo { to: change.to.clone() }),
        clients => Need::Wait(Wait::Clients { revision: Some(change.to.clone()), clients }),
    }
}

/// The new revision stays: the old one goes when nothing of it is left and its time is over. A deployment that can't begin
/// before that does not wait for the time.
fn contraction(input: &Input<'_>, change: &Change, unsettled: bool) -> Need {
    let state = input.state;
    if let Some(revision) = &change.from {
        let keep = input.spec.database.keep;
        let until = state.schema.settled_at.map_or(input.now, |settled| settled + keep);
        if !unsettled && state.previous.is_some() && input.now < until {
            return Need::Wait(Wait::Kept { revision: revision.clone(), until });
        }
        if state.alive_at(revision) > 0 {
            return Need::Nothing;
        }
    }
    match sessions(input, true) {
        0 => Need::Job(Job::Contract { to: change.to.clone() }),
        clients => Need::Wait(Wait::Clients { revision: change.from.clone(), clients }),
    }
}

fn sessions(input: &Input<'_>, old: bool) -> u32 {
    let seen = input.observed.database.as_ref();
    seen.map_or(0, |seen| if old { seen.old_clients } else { seen.new_clients })
}

/// Whether the deliverable under way can't be planned before the change that is there is over.
fn unsettled(input: &Input<'_>) -> bool {
    let deployment = input.state.deployment.as_ref().filter(|d| d.phase == Phase::Preparing);
    let found = deployment.and_then(|d| input.observed.prepared.get(&d.request.version));
    found == Some(&Preparation::Unsettled)
}

fn in_the_way(input: &Input<'_>, change: &Change) -> Need {
    let expanding = input.state.deployment.as_ref().is_some_and(|d| d.phase == Phase::Expanding);
    if unsettled(input) || expanding {
        Need::Wait(Wait::ForeignChange { to: change.to.clone() })
    } else {
        Need::Nothing
    }
}

fn begun_here(input: &Input<'_>, change: &Change) -> bool {
    input.state.schema.begun.as_ref() == Some(&change.to)
}

fn is_paused(input: &Input<'_>) -> bool {
    input.state.deployment.as_ref().is_some_and(|deployment| deployment.paused)
}

fn goes_to(job: &Job, revision: &Revision) -> bool {
    matches!(job, Job::Expand { to, .. } if to == revision)
}
