//! Instances that talk to the database and not as their revision: told by their sessions, while two revisions are served.
//!
//! Each instance is given the URL of its own revision. An app that has another one written into it, or sets its own path,
//! would read and write the tables in the shape of the wrong revision, so it is given no requests. What can't be told to be an
//! instance's session (behind a pooler, through a Unix socket) says nothing.

use crate::base::{InstanceId, Millis, Timestamp};
use crate::database::Session;
use crate::deploy::{Input, Wait};
use crate::spec::{Access, Naming};
use crate::workflow::{Deployment, Instance, Kind, Phase, Stage, State, Stray};

/// Some clients say who they are only after they have connected: so long a session is given for it.
const SETTLING: Millis = Millis::from_secs(3);

/// What the sessions of an instance say.
enum Said {
    /// Nothing yet: the database was not looked at since the instance became ready.
    Unseen,
    /// Nothing yet: they have only begun.
    Settling(Timestamp),
    /// Nothing against it: one is of its revision, or there is none.
    Nothing,
    /// None is of its revision.
    Otherwise(Stray),
}

/// When the last instance became ready that may have opened sessions and has had no requests: what was seen of the database
/// before that says nothing of it.
pub fn unseen_since(state: &State) -> Timestamp {
    let waiting = state.instances.values().filter(|i| i.stage == Stage::Standby);
    let mixed = state.schema.standing.mixed().is_some();
    waiting.filter(|_| mixed).filter_map(|i| i.ready_at).max().unwrap_or_default()
}

/// Whether nothing is against giving an instance its first requests.
pub(super) fn admits(input: &Input<'_>, id: InstanceId, instance: &Instance) -> bool {
    !is_new(input, instance) || matches!(said(input, id, instance), Said::Nothing)
}

/// What must be known of new instances before they are given requests.
pub(super) fn waits(input: &Input<'_>) -> Vec<Wait> {
    let new = || input.state.instances.iter().filter(|(_, instance)| is_new(input, instance));
    if input.observed.database.is_none() && new().any(|(&id, instance)| !admits(input, id, instance)) {
        return vec![Wait::DatabaseAway];
    }
    new()
        .filter_map(|(&id, instance)| match said(input, id, instance) {
            Said::Unseen => Some(Wait::Unseen { instance: id }),
            Said::Settling(until) => Some(Wait::Settling { instance: id, until }),
            Said::Nothing | Said::Otherwise(_) => None,
        })
        .collect()
}

/// The first instance of the version that is deployed which talks to the database and not as its revision.
pub(super) fn of_deployment(input: &Input<'_>, deployment: &Deployment) -> Option<Stray> {
    if !brings_new(deployment) {
        return None;
    }
    input.state.of_version(&deployment.request.version).find_map(|(id, instance)| stray(input, id, instance))
}

/// All instances with requests that talk to the database and not as their revision.
pub fn strays(input: &Input<'_>) -> Vec<Stray> {
    let serving = input.state.instances.iter().filter(|(_, i)| i.stage == Stage::Serving);
    serving.filter_map(|(&id, instance)| stray(input, id, instance)).collect()
}

/// Whether a deployment goes on to something new: the way back is never made longer.
pub(super) fn brings_new(deployment: &Deployment) -> bool {
    let Deployment { request, from, .. } = deployment;
    let new = request.kind == Kind::Deploy && from.as_ref() != Some(&request.version);
    new && deployment.turned_back().is_none()
}

/// Whether an instance is about to get its first requests in such a deployment. One that drains may never have had any, and be
/// given some yet.
pub(super) fn is_new(input: &Input<'_>, instance: &Instance) -> bool {
    let mut deployment =
        input.state.deployment.iter().filter(|d| d.phase == Phase::Shifting && brings_new(d));
    matches!(instance.stage, Stage::Standby | Stage::Draining)
        && deployment.any(|d| d.request.version == instance.version)
}

fn stray(input: &Input<'_>, id: InstanceId, instance: &Instance) -> Option<Stray> {
    if !matches!(instance.stage, Stage::Standby | Stage::Serving) {
        return None;
    }
    match said(input, id, instance) {
        Said::Otherwise(stray) => Some(stray),
        Said::Unseen | Said::Settling(_) | Said::Nothing => None,
    }
}

fn said(input: &Input<'_>, id: InstanceId, instance: &Instance) -> Said {
    let revision = input.state.revision_of(&instance.version);
    let (Some(revision), true) = (revision, input.state.schema.standing.mixed().is_some()) else {
        return Said::Nothing;
    };
    let Some(seen) = input.observed.database.as_ref().filter(|seen| Some(seen.at) >= instance.ready_at)
    else {
        return Said::Unseen;
    };
    let sessions = seen.sessions.get(&id).map(Vec::as_slice).unwrap_or_default();
    let database = &input.spec.database;
    // The name that would tell is the app's own: only that of another revision says anything. A role is never the app's own.
    let untold = database.application_name == Naming::Own && database.access == Access::Url;
    let own = |session: &&Session| session.revision.as_ref().map_or(untold, |other| other == revision);
    if sessions.is_empty() || sessions.iter().any(|session| own(&session)) {
        return Said::Nothing;
    }
    let settled: Vec<Session> = sessions.iter().filter(|session| session.age >= SETTLING).cloned().collect();
    if settled.is_empty() {
        let oldest = sessions.iter().map(|session| session.age).max().unwrap_or_default();
        return Said::Settling(seen.at + Millis(SETTLING.0.saturating_sub(oldest.0)));
    }
    let (version, revision) = (instance.version.clone(), revision.clone());
    let (variable, access) = (database.variable.clone(), database.access);
    Said::Otherwise(Stray { instance: id, version, revision, variable, access, sessions: settled })
}
