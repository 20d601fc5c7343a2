//! A canary on its way: when the clients of a step are at the new version, and when it goes on.
//!
//! Which instances it takes is `strategy::canary`'s. Must not know how a version is judged. Tested by cases
//! (`decide/tests/canary.rs`) and by the simulation.

use crate::base::{Share, Timestamp};
use crate::deploy::pools::{Copy, Pools, count};
use crate::deploy::{Input, StepEnd, Wait, guard, hook, routing, strategy};
use crate::spec::{CanarySpec, CanaryStep, Strategy, Unclear};
use crate::workflow::{Deployment, Event, Finding, Judged, Passed, Phase, Reason};

/// The parameters of a deployment that is a canary and goes forward from an old version.
pub(super) fn spec(deployment: &Deployment) -> Option<&CanarySpec> {
    match &deployment.request.strategy {
        Strategy::Canary(canary) if deployment.from.is_some() && deployment.turned_back().is_none() => {
            Some(canary)
        }
        _ => None,
    }
}

/// The step that a canary is at, or goes to. None: it is none, or all clients are to follow.
fn step(deployment: &Deployment) -> Option<&CanaryStep> {
    spec(deployment).filter(|_| deployment.phase == Phase::Shifting)?.steps.get(deployment.canary.step)
}

/// The part of the clients that is to be at the new version, given how many instances of it serve. None: it is no canary, or
/// not any more.
pub(super) fn share(deployment: &Deployment, serving: u32, wanted: u32) -> Option<Share> {
    let canary = spec(deployment).filter(|_| deployment.phase == Phase::Shifting)?;
    let progress = &deployment.canary;
    let at = |step: usize| canary.steps.get(step).map(|step| step.share);
    let before = || progress.last.and_then(at).unwrap_or(Share::NONE);
    let arrived = |share| progress.reached_at.is_some() || serving >= strategy::needed(share, wanted);
    match at(progress.step) {
        Some(share) if arrived(share) => Some(share),
        _ => Some(before()),
    }
}

/// What has become a fact: the clients of a step are at the new version, or it goes on to the next one.
pub(super) fn fact(input: &Input<'_>, deployment: &Deployment) -> Option<Event> {
    let (step, id) = (step(deployment)?, deployment.request.deployment);
    let progress = &deployment.canary;
    let pools = Pools::of(input, Some(&deployment.request.version));
    let Some(reached_at) = progress.reached_at else {
        let enough = count(&pools.goal, Copy::serves) >= strategy::needed(step.share, pools.wanted);
        let moved = routing::gives(&input.state.table, &deployment.request.version, step.share);
        return (enough && moved).then_some(Event::Reached { deployment: id, step: progress.step });
    };
    if deployment.paused {
        return None;
    }
    let findings = guard::findings(input, deployment);
    let stands = standing(input, step, reached_at, &findings);
    let passed = match stands {
        _ if progress.promoted => Passed::Asked,
        Standing::Good if hook::is_well(input, deployment) => Passed::Good,
        Standing::Unclear(_) if input.spec.deploy.guard.unclear == Unclear::Pass => Passed::Unclear,
        _ => return None,
    };
    Some(Event::Stepped { deployment: id, step: progress.step + 1, passed, findings })
}

/// How a step stands.
enum Standing<'a> {
    /// It has to last until then.
    Young(Timestamp),
    /// Nothing is against the new version.
    Good,
    /// It is not clear yet, and may become so until then.
    Open(&'a Finding, Timestamp),
    /// Too few answers, and no more time.
    Unclear(&'a Finding),
    /// Beyond a limit, and no more time to see whether by chance.
    Doubtful(&'a Finding),
}

fn standing<'a>(
    input: &Input<'_>,
    step: &CanaryStep,
    reached_at: Timestamp,
    findings: &'a [Finding],
) -> Standing<'a> {
    let due = reached_at + step.least;
    let last = due + input.spec.deploy.guard.extend;
    // Of several that are as bad the first one is told.
    let Some(worst) = findings.iter().rev().max_by_key(|finding| finding.verdict) else {
        // Without the proxy's word there is nothing to go by.
        return Standing::Young(due.max(input.now + guard::GLANCE));
    };
    match worst.verdict {
        _ if input.now < due => Standing::Young(due),
        Judged::Good => Standing::Good,
        _ if input.now < last => Standing::Open(worst, last),
        Judged::Unclear => Standing::Unclear(worst),
        Judged::Doubtful | Judged::Worse => Standing::Doubtful(worst),
    }
}

/// What a canary waits for at its step.
pub(super) fn wait(input: &Input<'_>, deployment: &Deployment) -> Option<Wait> {
    let (step, canary) = (step(deployment)?, spec(deployment)?);
    let (at, of, share) = (deployment.canary.step + 1, canary.steps.len(), step.share);
    let findings = guard::findings(input, deployment);
    let until = match deployment.canary.reached_at {
        None => StepEnd::Arrival,
        Some(reached_at) => match standing(input, step, reached_at, &findings) {
            Standing::Young(until) => StepEnd::Time { until },
            Standing::Open(finding, until) => StepEnd::Clarity { finding: finding.clone(), until },
            Standing::Unclear(finding) if input.spec.deploy.guard.unclear == Unclear::Ask => {
                StepEnd::Promotion { finding: finding.clone(), until: patience(input, step, reached_at) }
            }
            Standing::Good if !hook::is_well(input, deployment) => {
                return hook::watch_wait(input, reached_at);
            }
            Standing::Good | Standing::Unclear(_) | Standing::Doubtful(_) => return None,
        },
    };
    Some(Wait::Step { at, of, share, until })
}

/// Until when somebody who is asked may answer.
fn patience(input: &Input<'_>, step: &CanaryStep, reached_at: Timestamp) -> Timestamp {
    let guard = &input.spec.deploy.guard;
    reached_at + step.least + guard.extend + guard.patience
}

/// Why a canary goes back although it was not found worse: nobody can tell in time.
pub(super) fn unclear(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    let (step, reached_at) = (step(deployment)?, deployment.canary.reached_at?);
    if deployment.canary.promoted || deployment.paused {
        return None;
    }
    let findings = guard::findings(input, deployment);
    match standing(input, step, reached_at, &findings) {
        Standing::Doubtful(finding) => Some(Reason::Unclear(finding.clone())),
        Standing::Unclear(finding) => {
            let over = match input.spec.deploy.guard.unclear {
                Unclear::Pass => false,
                Unclear::Back => true,
                Unclear::Ask => input.now >= patience(input, step, reached_at),
            };
            over.then(|| Reason::Unclear(finding.clone()))
        }
        Standing::Young(_) | Standing::Good | Standing::Open(..) => None,
    }
}
