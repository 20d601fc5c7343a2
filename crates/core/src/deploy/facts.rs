//! What has become a fact since the last look: instances that are ready or ended, deployments that go on, go back or
//! are over. Recorded before anything follows from it.

use crate::base::{Digest, InstanceId, Millis, Timestamp, VersionLabel};
use crate::contract::{Comparison, Contract};
use crate::deploy::decision::Preparation;
use crate::deploy::pools::Pools;
use crate::deploy::{Input, Wait, backoff, canary, guard, hook, promise, queue, schema, strategy, strays};
use crate::fleet::{Exit, RunStatus};
use crate::spec::{Pin, Strategy};
use crate::workflow::{Deployment, Event, Instance, Kind, Outcome, Phase, Reason, Receipt, Stage};

/// So many deaths in a row of the version that a deployment goes back to, and the deployment is given up: the service
/// is then held at that version like any other, without a deployment in the way of the next one.
const HOPELESS: u32 = 3;

/// New facts about the traffic; if there are none, about the schema; if there are none, about instances; and only then about
/// the deployment; and after all of that about the queue.
pub(super) fn facts(input: &Input<'_>) -> Vec<Event> {
    if let Some(routed) = of_traffic(input) {
        return vec![routed];
    }
    if let Some(stands) = schema::fact(input) {
        return vec![stands];
    }
    let mut facts = of_instances(input);
    if let Some(deployment) = input.state.deployment.as_ref().filter(|_| facts.is_empty()) {
        facts = of_deployment(input, deployment);
    }
    if facts.is_empty() { queue::facts(input) } else { facts }
}

/// Whether a table that was about to be put in force before a crash is in force, the proxy knows. If it is not, it is
/// as if it had never been thought of.
fn of_traffic(input: &Input<'_>) -> Option<Event> {
    let (pending, report) = (input.state.pending.as_ref()?, input.observed.traffic.as_ref()?);
    let generation = pending.generation;
    (report.generation == generation).then_some(Event::Done { outcome: Outcome::Routed { generation } })
}

fn of_instances(input: &Input<'_>) -> Vec<Event> {
    let mut facts = Vec::new();
    for (&id, instance) in &input.state.instances {
        if let Some(exit) = exit(input, id, instance) {
            let asked = instance.stage == Stage::Stopping;
            let lived = instance.ready_at.map(|ready| input.now.since(ready));
            let record = input.state.crashes.get(&instance.version);
            let crashes = if asked { 0 } else { backoff::count(&input.spec.run.restart, record, lived) };
            facts.push(Event::Ended { instance: id, exit, crashes });
        } else if instance.stage == Stage::Starting && instance.address.is_some() && input.observed.is_up(id)
        {
            facts.push(Event::Ready { instance: id });
        } else if is_previewed(input, id, instance) {
            facts.push(Event::Previewed { instance: id });
            break;
        }
    }
    facts
}

/// A link has brought requests to an instance of the revision that comes: there may be rows now that only it knows.
fn is_previewed(input: &Input<'_>, id: InstanceId, instance: &Instance) -> bool {
    let schema = &input.state.schema;
    let Some(change) = schema.standing.change.as_ref().filter(|_| !schema.used) else { return false };
    input.state.revision_of(&instance.version) == Some(&change.to)
        && input.observed.report(id).is_some_and(|report| report.requests > 0)
}

fn exit(input: &Input<'_>, id: InstanceId, instance: &Instance) -> Option<Exit> {
    // A start that was never confirmed is repeated first, whatever it left behind.
    let unconfirmed = instance.stage == Stage::Starting && instance.address.is_none();
    if unconfirmed || !instance.stage.is_alive() {
        return None;
    }
    match input.observed.instances.get(&id).map(|seen| &seen.status) {
        Some(RunStatus::Exited(exit)) => Some(exit.clone()),
        Some(RunStatus::Running | RunStatus::Orphaned) => None,
        None => Some(Exit::Unknown),
    }
}

fn of_deployment(input: &Input<'_>, deployment: &Deployment) -> Vec<Event> {
    let id = deployment.request.deployment;
    if let Some(said) = hook::fact(input) {
        return vec![said];
    }
    if let Some(preparation) = preparation(input, deployment) {
        return preparation;
    }
    if deployment.baseline.is_none()
        && let Some(report) = &input.observed.traffic
    {
        let counts = report.counts.get(&input.spec.service).copied().unwrap_or_default();
        return vec![Event::Counted { deployment: id, counts }];
    }
    if let Some(serving) = lower_capacity(input, deployment) {
        return vec![Event::CapacityFell { deployment: id, serving }];
    }
    if deployment.phase == Phase::Expanding && schema::is_there(input, deployment) {
        return expanded(input, deployment);
    }
    if let Some(watched) = guard::watched(input, deployment) {
        return vec![watched];
    }
    if let Some(reason) = guard::verdict(input, deployment) {
        return vec![Event::TurnedBack { deployment: id, reason }];
    }
    if let Some(told) = promise::facts(input, deployment) {
        return told;
    }
    // Too late to hold it back: it is remembered for the receipt, once.
    if let Some(stray) = strays::of_deployment(input, deployment).filter(|_| deployment.stray.is_none()) {
        return vec![Event::Strayed { deployment: id, stray }];
    }
    let next = next_phase(input, deployment);
    let pause = match &next {
        Some(Event::Finished { receipt, .. }) => queue::pause_after(input, deployment, &receipt.verdict),
        _ => None,
    };
    next.into_iter().chain(pause).collect()
}

fn preparation(input: &Input<'_>, deployment: &Deployment) -> Option<Vec<Event>> {
    let (id, version) = (deployment.request.deployment, &deployment.request.version);
    let is_open = deployment.turned_back().is_none() && hook::may_begin(input, deployment);
    if deployment.phase != Phase::Preparing || !is_open {
        return None;
    }
    // What served before is ready to run; only what is handed over anew may be something else under a known label.
    if deployment.request.kind == Kind::Rollback && input.state.releases.contains_key(version) {
        return Some(vec![Event::Entered { deployment: id, phase: Phase::Shifting }]);
    }
    match input.observed.prepared.get(version) {
        Some(Preparation::Ready { digest, revision, key, contract }) => {
            let (contract, comparison) = contract.clone().unzip();
            if let Some(reason) = comparison.as_ref().and_then(|comparison| breach(deployment, comparison)) {
                return Some(vec![Event::TurnedBack { deployment: id, reason }]);
            }
            let (contract, comparison) = match input.spec.contract.asked() {
                // Only what it needs of others is known by now.
                Some(_) => (kept(input, version, digest), None),
                None => (contract, comparison.filter(|comparison| !comparison.is_empty())),
            };
            let is_there = input.state.schema.standing.serves(revision.as_ref());
            let phase = if is_there { Phase::Shifting } else { Phase::Expanding };
            let (version, digest) = (version.clone(), digest.clone());
            let (revision, key) = (revision.clone(), key.clone());
            let mut facts = vec![Event::Prepared { version, digest, revision, key, contract }];
            facts.extend(comparison.map(|comparison| Event::Compared { deployment: id, comparison }));
            facts.push(Event::Entered { deployment: id, phase });
            Some(facts)
        }
        Some(Preparation::Failed(error)) => Some(vec![Event::TurnedBack {
            deployment: id,
            reason: Reason::NotPrepared { error: error.clone() },
        }]),
        Some(Preparation::Running | Preparation::Unsettled) | None => None,
    }
}

/// What is known of the contract of a deliverable that ran before.
fn kept(input: &Input<'_>, version: &VersionLabel, digest: &Digest) -> Option<Contract> {
    let release = input.state.releases.get(version).filter(|release| release.digest == *digest)?;
    release.contract.clone()
}

/// So many operations are named where a deployment is turned back for them.
const NAMED: usize = 5;

/// What clients still call, and may not be broken unless somebody said so.
pub(super) fn breach(deployment: &Deployment, comparison: &Comparison) -> Option<Reason> {
    let all = comparison.hurts().count();
    let breaks: Vec<_> = comparison.hurts().take(NAMED).cloned().collect();
    let more = all - breaks.len();
    (all > 0 && !deployment.request.break_contract).then_some(Reason::BreaksContract { breaks, more })
}

fn expanded(input: &Input<'_>, deployment: &Deployment) -> Vec<Event> {
    let (id, version) = (deployment.request.deployment, &deployment.request.version);
    let mut facts = vec![Event::Entered { deployment: id, phase: Phase::Shifting }];
    if let Some(to) = input.state.revision_of(version) {
        let rows = input.observed.database.as_ref().map_or(0, |seen| seen.rows);
        facts.insert(0, Event::Expanded { deployment: id, to: to.clone(), rows });
    }
    facts
}

/// The capacity, if it is known, mattered from the start, and is the lowest so far.
fn lower_capacity(input: &Input<'_>, deployment: &Deployment) -> Option<u32> {
    input.observed.traffic.as_ref()?;
    deployment.from.as_ref()?;
    let serving = Pools::of(input, None).capacity();
    deployment.lowest_capacity.is_none_or(|lowest| serving < lowest).then_some(serving)
}

fn next_phase(input: &Input<'_>, deployment: &Deployment) -> Option<Event> {
    let id = deployment.request.deployment;
    let entered = |phase| Some(Event::Entered { deployment: id, phase });
    let back = deployment.turned_back().is_some();
    let pools = Pools::of(input, deployment.goal());
    match deployment.phase {
        Phase::Preparing | Phase::Expanding => None,
        Phase::Shifting => {
            if back && goal_is_hopeless(input, deployment) {
                return Some(finished(input, deployment));
            }
            if let Some(fact) = canary::fact(input, deployment) {
                return Some(fact);
            }
            let complete = strategy::shift(deployment, &pools).complete;
            if complete { entered(if back { Phase::Retiring } else { Phase::Baking }) } else { None }
        }
        Phase::Baking => {
            let over = input.now >= baked_at(input, deployment) && held(input, deployment).is_none();
            if over && hook::may_retire(input, deployment) { entered(Phase::Retiring) } else { None }
        }
        Phase::Retiring => {
            let gone = !input.state.instances.values().any(|i| Some(&i.version) != deployment.goal());
            gone.then(|| finished(input, deployment))
        }
    }
}

/// When the phase of baking is over: all that the strategy keeps warm included. A first version has nothing to go back
/// to, and nothing to be compared with.
pub(super) fn baked_at(input: &Input<'_>, deployment: &Deployment) -> Timestamp {
    let bake = match &deployment.request.strategy {
        _ if deployment.from.is_none() => Millis::ZERO,
        _ if deployment.canary.promoted => Millis::ZERO,
        strategy => input.spec.deploy.bake.max(strategy.warm()),
    };
    deployment.phase_since + bake
}

/// The sessions that hold the old version, or may: what is known of them is that no request came for a while.
pub(super) fn held(input: &Input<'_>, deployment: &Deployment) -> Option<Wait> {
    let spec = &input.spec.sessions;
    let version = deployment.from.as_ref()?;
    let flip = matches!(deployment.request.strategy, Strategy::Flip(_));
    let limit = deployment.phase_since + spec.limit;
    let over = deployment.turned_back().is_some() || deployment.canary.promoted || input.now >= limit;
    if spec.pin != Pin::Stay || !flip || over {
        return None;
    }
    let report = input.observed.traffic.as_ref();
    let of_service = report.and_then(|report| report.sessions.get(&input.spec.service));
    let seen = of_service.and_then(|sessions| sessions.get(version)).copied().unwrap_or_default();
    let over = input.now + Millis(spec.idle.0.saturating_sub(seen.quiet.0));
    (over > input.now).then(|| Wait::Sessions {
        version: version.clone(),
        clients: seen.clients,
        quiet: seen.quiet,
        until: over.min(limit),
        limit,
    })
}

fn goal_is_hopeless(input: &Input<'_>, deployment: &Deployment) -> bool {
    let record = deployment.goal().and_then(|goal| input.state.crashes.get(goal));
    record.is_some_and(|r| r.count >= HOPELESS && r.last >= deployment.phase_since)
}

fn finished(input: &Input<'_>, deployment: &Deployment) -> Event {
    let counts = input
        .observed
        .traffic
        .as_ref()
        .map(|report| report.counts.get(&input.spec.service).copied().unwrap_or_default());
    let receipt = Receipt::of(deployment, input.wanted(), counts, input.now);
    Event::Finished { deployment: deployment.request.deployment, receipt: Box::new(receipt) }
}
