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

/// Who has to be asked now, and about what.
pub fn call(spec: &ServiceSpec, state: &State) -> Option<Call> {
    let deployment = state.deployment.as_ref()?;
    let moment = *moments(deployment).iter().find(|moment| is_open(spec, deployment, **moment))?;
    let request = &deployment.request;
    let ready = state.of_version(&request.version).filter(|(_, i)| is_ready(i));
    let instances: BTreeMap<_, _> = ready.filter_map(|(id, i)| Some((id, i.address?))).collect();
    // Before one is ready there is nothing to be tried.
    (moment != Moment::Ready || !instances.is_empty()).then(|| Call {
        deployment: request.deployment,
        moment,
        version: request.version.clone(),
        from: deployment.from.clone(),
        revision: state.revision_of(&request.version).cloned(),
        strategy: request.strategy.kind(),
        instances,
    })
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
