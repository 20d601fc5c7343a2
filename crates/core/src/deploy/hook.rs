//! Hooks: commands of the team's that are asked whether a deployment may go on, each at its moment.
//!
//! What was said is recorded, and not asked again. Who was asked when the controller died is asked anew. Going back asks nobody, and
//! so does a rollback. Tested in `decide/tests/hook.rs`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::base::{DeploymentId, InstanceId, Millis, Revision, Timestamp, VersionLabel};
use crate::deploy::{Input, Wait, strays};
use crate::spec::{Moment, ServiceSpec, StrategyKind};
use crate::workflow::{Deployment, Event, Instance, Phase, Reason, Stage, State};

/// What a hook is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The moment.
    pub moment: Moment,
    /// The version that comes.
    pub version: VersionLabel,
    /// The version that served before. None: this is the first one.
    pub from: Option<VersionLabel>,
    /// The revision of the schema that it was written for. None: it needs none.
    pub revision: Option<Revision>,
    /// How it comes.
    pub strategy: StrategyKind,
    /// The instances of the version that are ready, and where they listen.
    pub instances: BTreeMap<InstanceId, SocketAddr>,
}

/// How far a hook is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It is being run.
    Running {
        /// Since when.
        since: Timestamp,
        /// When it is ended.
        until: Timestamp,
    },
    /// It has nothing against it.
    Agreed {
        /// How long it took.
        took: Millis,
    },
    /// It has; why, for people.
    Objected(String),
}

/// What came of a command that is run again and again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rounds {
    /// How often it was run to its end.
    pub runs: u32,
    /// How often it has failed in a row by now.
    pub failures: u32,
    /// What it said the last time, if that failed; for people.
    pub last: Option<String>,
}

impl Rounds {
    /// One more.
    pub fn take(&mut self, outcome: Result<(), String>) {
        self.runs = self.runs.saturating_add(1);
        match outcome {
            Ok(()) => (self.failures, self.last) = (0, None),
            Err(why) => (self.failures, self.last) = (self.failures.saturating_add(1), Some(why)),
        }
    }
}

/// Who has to be asked now, and about what.
pub fn call(spec: &ServiceSpec, state: &State) -> Option<Call> {
    let deployment = state.deployment.as_ref()?;
    let moment = *moments(deployment).iter().find(|moment| is_open(spec, deployment, **moment))?;
    let call = about(state, deployment, moment);
    // Before one is ready there is nothing to be tried.
    (moment != Moment::Ready || !call.instances.is_empty()).then_some(call)
}

/// Who has to be asked again and again now, and about what.
pub fn watch_call(spec: &ServiceSpec, state: &State) -> Option<Call> {
    let deployment = state.deployment.as_ref().filter(|deployment| is_watched(spec, deployment))?;
    let serves = |(_, i): (InstanceId, &Instance)| i.stage == Stage::Serving;
    let met = state.of_version(&deployment.request.version).any(serves);
    met.then(|| about(state, deployment, Moment::Watch))
}

fn about(state: &State, deployment: &Deployment, moment: Moment) -> Call {
    let request = &deployment.request;
    let ready = state.of_version(&request.version).filter(|(_, i)| is_ready(i));
    Call {
        deployment: request.deployment,
        moment,
        version: request.version.clone(),
        from: deployment.from.clone(),
        revision: state.revision_of(&request.version).cloned(),
        strategy: request.strategy.kind(),
        instances: ready.filter_map(|(id, i)| Some((id, i.address?))).collect(),
    }
}

/// Whether a command is run again and again, as long as the new version has requests.
fn is_watched(spec: &ServiceSpec, deployment: &Deployment) -> bool {
    spec.hooks.watch.is_some()
        && deployment.from.is_some()
        && matches!(deployment.phase, Phase::Shifting | Phase::Baking)
        && strays::brings_new(deployment)
}

/// Whether what is run again and again found nothing the last time; only then a canary goes on.
pub(super) fn is_well(input: &Input<'_>, deployment: &Deployment) -> bool {
    let well = |rounds: &Rounds| rounds.runs > 0 && rounds.failures == 0;
    !is_watched(input.spec, deployment) || rounds(input, deployment).is_some_and(well)
}

/// Why the deployment goes back: what is run again and again has failed too often.
pub(super) fn unwell(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    let rounds = rounds(input, deployment).filter(|_| is_watched(input.spec, deployment))?;
    let (failures, limit) = (rounds.failures, input.spec.hooks.watch_fails);
    let error = rounds.last.clone().unwrap_or_default();
    (failures >= limit).then_some(Reason::Unwell { failures, limit, error })
}

/// That it is waited for what is run again and again to find nothing.
pub(super) fn watch_wait(input: &Input<'_>, since: Timestamp) -> Option<Wait> {
    let command = input.spec.hooks.watch.as_ref()?.first()?.clone();
    let until = input.now + input.spec.hooks.within;
    Some(Wait::Hook { moment: Moment::Watch, command, since, until })
}

fn rounds<'i>(input: &Input<'i>, deployment: &Deployment) -> Option<&'i Rounds> {
    let (of, rounds) = input.observed.rounds.as_ref()?;
    (*of == deployment.request.deployment).then_some(rounds)
}

/// Whether the new version may be made ready to run.
pub(super) fn may_begin(input: &Input<'_>, deployment: &Deployment) -> bool {
    !is_open(input.spec, deployment, Moment::Begin)
}

/// Whether instances of the new version may be started.
pub(super) fn may_start(input: &Input<'_>, deployment: &Deployment) -> bool {
    !is_open(input.spec, deployment, Moment::Release)
}

/// Whether nothing is against giving an instance its first requests.
pub(super) fn admits(input: &Input<'_>, instance: &Instance) -> bool {
    let open = input.state.deployment.as_ref().is_some_and(|d| is_open(input.spec, d, Moment::Ready));
    !(open && strays::is_new(input, instance))
}

/// Whether what is kept for the way back may go.
pub(super) fn may_retire(input: &Input<'_>, deployment: &Deployment) -> bool {
    !is_open(input.spec, deployment, Moment::Serving)
}

/// Whose word is waited for.
pub(super) fn wait(input: &Input<'_>) -> Option<Wait> {
    let call = call(input.spec, input.state)?;
    let command = input.spec.hooks.command(call.moment)?.first()?.clone();
    let (since, until) = match answer(input, &call) {
        Some(Asked::Running { since, until }) => (*since, *until),
        _ => (input.now, input.now + input.spec.hooks.within),
    };
    Some(Wait::Hook { moment: call.moment, command, since, until })
}

/// What follows from what it said.
pub(super) fn fact(input: &Input<'_>) -> Option<Event> {
    let call = call(input.spec, input.state)?;
    let (deployment, moment) = (call.deployment, call.moment);
    match answer(input, &call)? {
        Asked::Running { .. } => None,
        Asked::Agreed { took } => Some(Event::Agreed { deployment, moment, took: *took }),
        Asked::Objected(error) => {
            let reason = Reason::Objected { moment, error: error.clone() };
            Some(Event::TurnedBack { deployment, reason })
        }
    }
}

/// The moments that belong to a phase, in their order.
fn moments(deployment: &Deployment) -> &'static [Moment] {
    match deployment.phase {
        Phase::Preparing => &[Moment::Begin],
        Phase::Shifting => &[Moment::Release, Moment::Ready],
        Phase::Baking => &[Moment::Serving],
        Phase::Expanding | Phase::Retiring => &[],
    }
}

/// Whether somebody has a word at this moment of a deployment, and has not said it.
fn is_open(spec: &ServiceSpec, deployment: &Deployment, moment: Moment) -> bool {
    spec.hooks.command(moment).is_some()
        && !deployment.agreed.contains(&moment)
        && strays::brings_new(deployment)
}

fn is_ready(instance: &Instance) -> bool {
    matches!(instance.stage, Stage::Standby | Stage::Serving)
}

fn answer<'i>(input: &Input<'i>, call: &Call) -> Option<&'i Asked> {
    let (deployment, moment, asked) = input.observed.hook.as_ref()?;
    (*deployment == call.deployment && *moment == call.moment).then_some(asked)
}
