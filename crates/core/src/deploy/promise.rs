//! Contracts that a running instance tells: a version gets its first requests when it is known what it promises.
//!
//! The first new instance that is ready is asked, as long as it has no requests. Nothing of the question is remembered: after a
//! crash it is asked again. Going back asks nothing. Tested in `decide/tests/promise.rs`.

use std::net::SocketAddr;

use crate::base::{InstanceId, Timestamp, VersionLabel};
use crate::contract::{Comparison, Contract};
use crate::deploy::{Input, Wait, facts, strays};
use crate::spec::ServiceSpec;
use crate::workflow::{Deployment, Event, Instance, Phase, Reason, Stage, State};

/// What has to be asked of an instance before its version gets requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The instance.
    pub instance: InstanceId,
    /// What it runs.
    pub version: VersionLabel,
    /// Where it listens.
    pub address: SocketAddr,
    /// The version beside which it would come.
    pub serving: Option<VersionLabel>,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promise {
    /// What the version promises, and how that differs from what the version that serves does.
    Told(Contract, Comparison),
    /// No answer; why, for people. It is asked again.
    Unanswered(String),
    /// An answer that is of no use; why, for people.
    Unusable(String),
}

/// What has to be asked now.
pub fn question(spec: &ServiceSpec, state: &State) -> Option<Question> {
    let (deployment, instance, found) = asked(spec, state)?;
    let (version, serving) = (found.version.clone(), deployment.from.clone());
    Some(Question { instance, version, address: found.address?, serving })
}

/// Whether nothing is against giving an instance its first requests.
pub(super) fn admits(input: &Input<'_>, instance: &Instance) -> bool {
    let untold = input.state.deployment.as_ref().is_some_and(|d| is_untold(input.spec, d));
    !(untold && strays::is_new(input, instance))
}

/// What is waited for before the new version gets requests.
pub(super) fn wait(input: &Input<'_>) -> Option<Wait> {
    let (_, instance, found) = asked(input.spec, input.state)?;
    let path = input.spec.contract.asked()?.to_owned();
    let last = match answer(input, instance) {
        Some(Promise::Unanswered(why)) => Some(why.clone()),
        _ => None,
    };
    Some(Wait::Promise { instance, path, last, until: until(input, found) })
}

/// What follows from the answer.
pub(super) fn facts(input: &Input<'_>, deployment: &Deployment) -> Option<Vec<Event>> {
    let (_, instance, found) = asked(input.spec, input.state)?;
    let id = deployment.request.deployment;
    let back = |reason| Some(vec![Event::TurnedBack { deployment: id, reason }]);
    let no_contract = |why: &String| back(Reason::NoContract { instance, error: why.clone() });
    match answer(input, instance)? {
        Promise::Told(contract, comparison) => match facts::breach(deployment, comparison) {
            Some(reason) => back(reason),
            None => Some(vec![
                Event::Promised { version: found.version.clone(), contract: contract.clone() },
                // Even if nothing differs: it is compared.
                Event::Compared { deployment: id, comparison: comparison.clone() },
            ]),
        },
        Promise::Unusable(why) => no_contract(why),
        Promise::Unanswered(why) if input.now >= until(input, found) => no_contract(why),
        Promise::Unanswered(_) => None,
    }
}

/// Whether the version that is deployed has to be asked, and has not told.
fn is_untold(spec: &ServiceSpec, deployment: &Deployment) -> bool {
    spec.contract.asked().is_some()
        && deployment.comparison.is_none()
        && deployment.phase == Phase::Shifting
        && strays::brings_new(deployment)
}

/// The instance that is asked: the first that is ready.
fn asked<'s>(spec: &ServiceSpec, state: &'s State) -> Option<(&'s Deployment, InstanceId, &'s Instance)> {
    let deployment = state.deployment.as_ref().filter(|deployment| is_untold(spec, deployment))?;
    let mut ready = state.of_version(&deployment.request.version).filter(|(_, i)| i.stage == Stage::Standby);
    ready.next().map(|(id, instance)| (deployment, id, instance))
}

fn answer<'i>(input: &Input<'i>, instance: InstanceId) -> Option<&'i Promise> {
    input.observed.promise.as_ref().filter(|(of, _)| *of == instance).map(|(_, promise)| promise)
}

/// As long as an instance may take to be ready, it may take to answer once it is.
fn until(input: &Input<'_>, instance: &Instance) -> Timestamp {
    instance.ready_at.unwrap_or(instance.since) + input.spec.run.ready.within
}
