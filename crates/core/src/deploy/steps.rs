//! From the moves of a strategy, and from what is left over of earlier ones, to actions.

use crate::base::{InstanceId, Timestamp, VersionLabel};
use crate::deploy::strategy::Moves;
use crate::deploy::{Decision, Input, Wait, backoff};
use crate::fleet::RunStatus;
use crate::workflow::{Action, Instance, Stage};

/// How long after the last deadline of draining, or after the grace, an instance is waited for before Tandem acts
/// itself: the proxy and the keeper are the first to act.
const MARGIN: crate::base::Millis = crate::base::Millis::from_secs(5);

/// Instances that were begun but not confirmed, and the new ones that the moves ask for.
pub(super) fn starts(input: &Input<'_>, moves: &Moves, decision: &mut Decision) {
    for (&id, instance) in &input.state.instances {
        if instance.stage == Stage::Starting && instance.address.is_none() {
            decision.actions.push(Action::Start { instance: id, version: instance.version.clone() });
        } else if instance.stage == Stage::Starting {
            let health = input.observed.report(id).map(|r| r.health.clone()).unwrap_or_default();
            let until = instance.since + input.spec.run.ready.within;
            decision.wait(Wait::NotReady { instance: id, health, until });
        }
    }
    let mut id = input.state.last_instance;
    let left = input.state.deployment.as_ref().and_then(|deployment| deployment.from.as_ref());
    for (version, number) in [(left, moves.restore), (input.state.goal(), moves.start)] {
        let Some(version) = version.filter(|version| number > 0 && may_start(input, version, decision))
        else {
            continue;
        };
        for _ in 0..number {
            id = id.next();
            decision.actions.push(Action::Start { instance: id, version: version.clone() });
        }
    }
}

/// Whether a version that died of late is started again already.
fn may_start(input: &Input<'_>, version: &VersionLabel, decision: &mut Decision) -> bool {
    if let Some(record) = input.state.crashes.get(version) {
        let until = backoff::not_before(&input.spec.run.restart, record);
        if input.now < until {
            let (version, record) = (version.clone(), record.clone());
            let (crashes, instance, exit) = (record.count, record.instance, record.exit);
            decision.wait(Wait::Backoff { version, crashes, instance, exit, until });
            return false;
        }
    }
    true
}

/// Instances that are on their way out (those that the moves call back are not): stopped once nothing is in flight, removed once they have ended.
pub(super) fn departures(input: &Input<'_>, moves: &Moves, decision: &mut Decision) {
    for (&id, instance) in &input.state.instances {
        let orphaned = input.observed.instances.get(&id).is_some_and(|i| i.status == RunStatus::Orphaned);
        match instance.stage {
            Stage::Ended => decision.actions.push(Action::Remove { instance: id }),
            Stage::Draining if moves.serve.contains(&id) => {}
            Stage::Draining => drained(input, id, instance, decision),
            Stage::Stopping => stopping(input, id, instance, decision),
            Stage::Starting | Stage::Standby | Stage::Serving if orphaned => {
                decision.actions.push(Action::Stop { instance: id });
            }
            Stage::Starting | Stage::Standby | Stage::Serving => {}
        }
    }
}

fn drained(input: &Input<'_>, id: InstanceId, instance: &Instance, decision: &mut Decision) {
    let until = instance.since + input.spec.run.stop.drain.longest() + MARGIN;
    let known = input.observed.traffic.as_ref().filter(|r| r.generation >= input.state.table.generation);
    let in_flight = known.map(|r| r.instances.get(&id).map(|i| i.in_flight).unwrap_or_default());
    match in_flight {
        Some(in_flight) if in_flight.total() == 0 || input.now >= until => {
            decision.actions.push(Action::Stop { instance: id });
        }
        _ => decision.wait(Wait::Draining { instance: id, in_flight, until: later(until, input.now) }),
    }
}

fn stopping(input: &Input<'_>, id: InstanceId, instance: &Instance, decision: &mut Decision) {
    let until = instance.since + input.spec.run.stop.grace + MARGIN;
    if !instance.signalled {
        decision.actions.push(Action::Stop { instance: id });
    } else {
        decision.wait(Wait::Stopping { instance: id, until: later(until, input.now) });
    }
}

/// A deadline that has passed is looked at again, but not at once.
fn later(until: Timestamp, now: Timestamp) -> Timestamp {
    if until > now { until } else { now + MARGIN }
}
