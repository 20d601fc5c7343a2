//! When a deployment goes back by itself, and what is found of a new version on the way.
//!
//! `judge` compares the answers of the new version with its limits and with the version before, `evidence` says how sure that is.

mod evidence;
mod judge;

pub use judge::judge;

use crate::base::Millis;
use crate::deploy::pools::{Copy, Pools, count};
use crate::deploy::{Input, canary, hook, schema, strays};
use crate::fleet::Exit;
use crate::traffic::Answers;
use crate::workflow::{Deployment, Event, Finding, Judged, Phase, Reason, Stage};

/// While a new version is watched it is looked at so often.
pub(super) const GLANCE: Millis = Millis::from_secs(1);

/// Why the deployment must go back. None: it need not, or does already.
pub(super) fn verdict(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    if deployment.turned_back().is_some() || deployment.phase == Phase::Preparing {
        return None;
    }
    if deployment.phase == Phase::Expanding {
        return schema::failure(input, deployment);
    }
    ended_early(input, deployment)
        .or_else(|| not_ready(input, deployment))
        .or_else(|| crashed(input, deployment))
        .or_else(|| unhealthy(input, deployment))
        .or_else(|| worse(input, deployment))
        .or_else(|| hook::unwell(input, deployment))
        .or_else(|| canary::unclear(input, deployment))
        .or_else(|| strayed(input, deployment))
}

/// From when on the new version is compared with the old one: that is remembered, with the sums by then, and once more when
/// a proxy begins to count anew.
pub(super) fn watched(input: &Input<'_>, deployment: &Deployment) -> Option<Event> {
    let report = input.observed.traffic.as_ref().filter(|_| is_watched(input, deployment))?;
    let begun = deployment.watch.as_ref().is_some_and(|watch| watch.run == report.run);
    let answers = || report.answers.get(&input.spec.service).cloned().unwrap_or_default();
    let deployment = deployment.request.deployment;
    (!begun).then(|| Event::Watched { deployment, run: report.run, answers: answers() })
}

/// Whether there is something to compare: a new version that gets requests, or is about to, and an old one.
pub(super) fn is_watched(input: &Input<'_>, deployment: &Deployment) -> bool {
    let guard = &input.spec.deploy.guard;
    let limited = guard.errors.is_some() || [guard.p50, guard.p95, guard.p99].iter().any(Option::is_some);
    deployment.turned_back().is_none()
        && deployment.from.is_some()
        && matches!(deployment.phase, Phase::Shifting | Phase::Baking)
        && (limited || canary::spec(deployment).is_some())
}

/// What is found of the new version since it is watched. Empty: it is not.
pub fn findings(input: &Input<'_>, deployment: &Deployment) -> Vec<Finding> {
    let report = input.observed.traffic.as_ref().filter(|_| is_watched(input, deployment));
    let watch = deployment.watch.as_ref().zip(report).filter(|(watch, report)| watch.run == report.run);
    let Some((watch, report)) = watch else { return Vec::new() };
    let sums = |version| report.answers.get(&input.spec.service)?.get(version);
    let since = |version| {
        let now: &Answers = sums(version)?;
        Some(watch.answers.get(version).map_or_else(|| now.clone(), |before| now.since(before)))
    };
    let guard = &input.spec.deploy.guard;
    let before = deployment.from.as_ref().and_then(|from| {
        // A flip leaves no window in which both serve: then the new version is compared with all that is known of the old one.
        let lately = since(from).filter(|answers| answers.all >= u64::from(guard.sample));
        lately.or_else(|| sums(from).cloned())
    });
    let new = since(&deployment.request.version).unwrap_or_default();
    judge(guard, &new, before.as_ref())
}

/// The new version is worse than it may be, and not by chance.
fn worse(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    let findings = findings(input, deployment);
    findings.into_iter().find(|finding| finding.verdict == Judged::Worse).map(Reason::Worse)
}

fn ended_early(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    input.state.of_version(&deployment.request.version).find_map(|(id, instance)| {
        let exit = instance.exit.clone().filter(|_| instance.ready_at.is_none())?;
        let unasked = !instance.signalled || matches!(exit, Exit::NotExecuted(_));
        unasked.then_some(Reason::EndedEarly { instance: id, exit })
    })
}

fn not_ready(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    // While the proxy is away nothing can become ready; that is no fault of the instance.
    let report = input.observed.traffic.as_ref()?;
    let within = input.spec.run.ready.within;
    let (id, _) = input
        .state
        .of_version(&deployment.request.version)
        .find(|(_, i)| i.stage == Stage::Starting && input.now.since(i.since) >= within)?;
    let health = report.instances.get(&id).map(|r| r.health.clone()).unwrap_or_default();
    Some(Reason::NotReady { instance: id, within, health })
}

fn crashed(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    let limit = input.spec.deploy.guard.crashes;
    if deployment.crashes <= limit {
        return None;
    }
    let (instance, _) =
        input.state.of_version(&deployment.request.version).filter(|(_, i)| i.exit.is_some()).last()?;
    Some(Reason::Crashed { instance, crashes: deployment.crashes, limit })
}

/// A new instance uses the database and not as its revision. As long as requests still move, none more go to its version;
/// later that is only told.
fn strayed(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    let stray = strays::of_deployment(input, deployment).filter(|_| deployment.phase == Phase::Shifting)?;
    Some(Reason::Strayed(stray))
}

/// Fewer than half of those that should carry the traffic are healthy.
fn unhealthy(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    input.observed.traffic.as_ref()?;
    let pools = Pools::of(input, Some(&deployment.request.version));
    let healthy = count(&pools.goal, Copy::serves);
    let of = match deployment.phase {
        Phase::Preparing | Phase::Expanding => 0,
        Phase::Shifting => count(&pools.goal, |c| c.stage == Stage::Serving),
        Phase::Baking | Phase::Retiring => pools.wanted,
    };
    (healthy * 2 < of).then_some(Reason::Unhealthy { healthy, of })
}
