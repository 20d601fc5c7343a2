//! What people may ask for, and what is refused.

use serde::{Deserialize, Serialize};

use crate::base::{DeploymentId, Digest, InstanceId, Revision, VersionLabel};
use crate::database::ChangePhase;
use crate::deploy::queue;
use crate::spec::Strategy;
use crate::traffic::Gate;
use crate::workflow::{Deliverable, Event, Kind, Mark, Phase, Reason, Request, State};

/// Something that somebody asks of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Deploy a version.
    Deploy {
        /// Its label.
        version: VersionLabel,
        /// Where its deliverable is.
        source: String,
        /// How.
        strategy: Strategy,
        /// Whether it may break what clients of the version that serves still call.
        #[serde(default)]
        break_contract: bool,
    },
    /// Go back: turn the deployment under way, or deploy the version from before.
    Rollback {
        /// To this version. None: the one from before.
        to: Option<VersionLabel>,
        /// How, if it takes a deployment of its own.
        strategy: Strategy,
    },
    /// Begin nothing new in this deployment.
    Pause {
        /// The deployment. None: the one under way.
        deployment: Option<DeploymentId>,
    },
    /// Let it go on.
    Resume {
        /// The deployment. None: the one under way.
        deployment: Option<DeploymentId>,
    },
    /// Do not wait any longer for what the new version turns out to be: a canary goes on to its next step, and what is kept
    /// warm is let go.
    Promote {
        /// The deployment. None: the one under way.
        deployment: Option<DeploymentId>,
        /// All steps at once.
        #[serde(default)]
        whole: bool,
        /// Only if it is at this step, from 1. None: whichever it is at.
        #[serde(default)]
        step: Option<usize>,
    },
    /// Turn the deployment back.
    Abort {
        /// The deployment. None: the one under way.
        deployment: Option<DeploymentId>,
    },
    /// Run another number of instances.
    Scale {
        /// How many. 1 to 1000.
        instances: u32,
    },
    /// Have new requests wait, be told to come back, or go on.
    Gate {
        /// Which of it.
        gate: Gate,
    },
    /// Take a deliverable into the queue that came by itself.
    Offer {
        /// The deliverable.
        deliverable: Deliverable,
    },
    /// Remember what came by itself and can't be taken in.
    Decline {
        /// What it is called: a file in the folder, or a version that was pushed.
        name: String,
        /// What tells whether the file has changed since. None: it was pushed.
        mark: Option<Mark>,
        /// Why, for people.
        why: String,
    },
    /// Let a deliverable that waits be deployed.
    Approve {
        /// The deliverable.
        digest: Digest,
    },
    /// Begin nothing by itself.
    PauseSource {
        /// Why, for people.
        why: String,
    },
    /// Begin what waits by itself again.
    ResumeSource,
}

/// Why something that somebody asked for is not done. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A deployment is under way.
    #[error(
        "{deployment} to {version} is under way: watch it with `tandem watch`, or turn it back with `tandem abort`"
    )]
    Busy {
        /// The deployment.
        deployment: DeploymentId,
        /// Its version.
        version: VersionLabel,
    },
    /// No deployment is under way.
    #[error("no deployment is under way")]
    NothingUnderWay,
    /// Another deployment than the named one is under way.
    #[error("{asked} is over; {active} is under way")]
    Over {
        /// The one that was named.
        asked: DeploymentId,
        /// The one that is under way.
        active: DeploymentId,
    },
    /// The version serves already.
    #[error("{0} serves already: give other content a label of its own with --version")]
    Serves(VersionLabel),
    /// There is no version to go back to.
    #[error("there is no earlier version to go back to")]
    NoEarlierVersion,
    /// The named version was never made ready here.
    #[error("{0} is not known here: deploy it with its deliverable")]
    UnknownVersion(VersionLabel),
    /// The schema of the version is not there any more.
    #[error(
        "{version} was written for the schema {revision}, and the database is at {}: \
         deploy a version that knows that one", at.as_ref().map_or("no revision", Revision::as_str)
    )]
    NoSchema {
        /// The version.
        version: VersionLabel,
        /// What it was written for.
        revision: Revision,
        /// Where the database is.
        at: Option<Revision>,
    },
    /// The deployment goes back already.
    #[error("{0} goes back already")]
    GoesBack(DeploymentId),
    /// It waits for nothing that somebody could decide.
    #[error("{0} is {1}, and there is nothing to promote it past")]
    NothingToPromote(DeploymentId, Phase),
    /// Somebody else was quicker.
    #[error("{deployment} is at step {at}, not at step {asked} any more")]
    OtherStep {
        /// The deployment.
        deployment: DeploymentId,
        /// The step that was named.
        asked: usize,
        /// The step that it is at.
        at: usize,
    },
    /// The deployment is paused already, or not paused.
    #[error("{0} is {1}")]
    Idle(DeploymentId, &'static str),
    /// What is to die in a forecast does not run then.
    #[error("{instance} does not run at step {step} or after it: `tandem plan` lists the steps and who runs")]
    NotThere {
        /// The instance.
        instance: InstanceId,
        /// The step.
        step: usize,
    },
    /// The number is out of range.
    #[error("{0} instances can't be run: ask for 1 to 1000")]
    Number(u32),
    /// New requests can't be treated so.
    #[error("{0}")]
    Gate(&'static str),
    /// No such deliverable came by itself.
    #[error("no deliverable {} is in the queue: `tandem queue` tells which ones are", .0.short())]
    NotQueued(Digest),
    /// The deliverable does not wait any more.
    #[error("{version} does not wait any more: it is {standing}")]
    NotWaiting {
        /// Its version.
        version: VersionLabel,
        /// What has become of it, for people.
        standing: String,
    },
    /// Nothing is begun by itself anyway.
    #[error("the source is paused already, because {0}")]
    SourcePaused(String),
    /// The source goes on anyway.
    #[error("the source is not paused")]
    SourceNotPaused,
}

/// What is to be recorded for a command.
///
/// # Errors
/// The command is refused; the state stays as it is.
pub fn accept(state: &State, command: &Command) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::Deploy { version, source, strategy, break_contract } => {
            free(state)?;
            if state.current.as_ref() == Some(version) {
                return Err(Refusal::Serves(version.clone()));
            }
            let request = request(state, Kind::Deploy, version, source, strategy);
            let requested = Event::Requested(Request { break_contract: *break_contract, ..request });
            Ok(queue::supersede(state.queue.entries.iter(), version).chain([requested]).collect())
        }
        Command::Rollback { to, strategy } => rollback(state, to.as_ref(), strategy),
        Command::Pause { deployment } => match under_way(state, *deployment)? {
            (id, true, _) => Err(Refusal::Idle(id, "paused already")),
            (id, false, _) => Ok(vec![Event::Paused { deployment: id }]),
        },
        Command::Resume { deployment } => match under_way(state, *deployment)? {
            (id, true, _) => Ok(vec![Event::Resumed { deployment: id }]),
            (id, false, _) => Err(Refusal::Idle(id, "not paused")),
        },
        Command::Promote { deployment, whole, step } => promote(state, *deployment, *whole, *step),
        Command::Abort { deployment } => turn_back(under_way(state, *deployment)?),
        Command::Scale { instances: n @ 1..=1000 } => Ok(vec![Event::Scaled { instances: *n }]),
        Command::Scale { instances } => Err(Refusal::Number(*instances)),
        Command::Gate { gate } => match gate.problem() {
            Some(problem) => Err(Refusal::Gate(problem)),
            None => Ok(vec![Event::Gated { gate: gate.clone() }]),
        },
        Command::Offer { deliverable } => Ok(queue::admit(state, deliverable)),
        Command::Decline { name, mark, why } => {
            Ok(vec![Event::Declined { name: name.clone(), mark: *mark, why: why.clone() }])
        }
        Command::Approve { digest } => queue::approve(state, digest),
        Command::PauseSource { why } => queue::pause(state, why),
        Command::ResumeSource => queue::resume(state),
    }
}

fn rollback(state: &State, to: Option<&VersionLabel>, strategy: &Strategy) -> Result<Vec<Event>, Refusal> {
    if let Some(active) = &state.deployment
        && to.is_none_or(|to| active.from.as_ref() == Some(to))
    {
        return turn_back(under_way(state, None)?);
    }
    free(state)?;
    let to = to.or(state.previous.as_ref()).ok_or(Refusal::NoEarlierVersion)?;
    if state.current.as_ref() == Some(to) {
        return Err(Refusal::Serves(to.clone()));
    }
    let release = state.releases.get(to).ok_or_else(|| Refusal::UnknownVersion(to.clone()))?;
    let standing = &state.schema.standing;
    if let Some(revision) = release.revision.as_ref().filter(|revision| !standing.serves(Some(revision))) {
        let at = match &standing.change {
            Some(change) if change.phase == ChangePhase::Contracting => Some(change.to.clone()),
            _ => standing.revision.clone(),
        };
        return Err(Refusal::NoSchema { version: to.clone(), revision: revision.clone(), at });
    }
    Ok(vec![Event::Requested(request(state, Kind::Rollback, to, &release.source, strategy))])
}

fn promote(
    state: &State,
    deployment: Option<DeploymentId>,
    whole: bool,
    step: Option<usize>,
) -> Result<Vec<Event>, Refusal> {
    let (id, paused, back) = under_way(state, deployment)?;
    let Some(active) = state.deployment.as_ref() else { return Err(Refusal::NothingUnderWay) };
    let steps = match &active.request.strategy {
        Strategy::Canary(canary) if active.phase == Phase::Shifting && active.from.is_some() => {
            canary.steps.len()
        }
        Strategy::Canary(_) | Strategy::Rolling(_) | Strategy::Flip(_) => 0,
    };
    let at = active.canary.step;
    match step {
        _ if back => Err(Refusal::GoesBack(id)),
        _ if paused => Err(Refusal::Idle(id, "paused; `tandem resume` lets it go on")),
        _ if at >= steps && active.phase != Phase::Baking => Err(Refusal::NothingToPromote(id, active.phase)),
        Some(asked) if asked != at + 1 => Err(Refusal::OtherStep { deployment: id, asked, at: at + 1 }),
        _ => Ok(vec![Event::Promoted { deployment: id, whole }]),
    }
}

fn turn_back((id, _, back): (DeploymentId, bool, bool)) -> Result<Vec<Event>, Refusal> {
    if back {
        return Err(Refusal::GoesBack(id));
    }
    Ok(vec![Event::TurnedBack { deployment: id, reason: Reason::Asked }])
}

fn free(state: &State) -> Result<(), Refusal> {
    match &state.deployment {
        Some(active) => Err(Refusal::Busy {
            deployment: active.request.deployment,
            version: active.request.version.clone(),
        }),
        None => Ok(()),
    }
}

/// The deployment under way, whether it is paused, and whether it goes back.
fn under_way(state: &State, asked: Option<DeploymentId>) -> Result<(DeploymentId, bool, bool), Refusal> {
    let deployment = state.deployment.as_ref().ok_or(Refusal::NothingUnderWay)?;
    let active = deployment.request.deployment;
    match asked {
        Some(asked) if asked != active => Err(Refusal::Over { asked, active }),
        _ => Ok((active, deployment.paused, deployment.turned_back().is_some())),
    }
}

fn request(state: &State, kind: Kind, version: &VersionLabel, source: &str, strategy: &Strategy) -> Request {
    Request {
        deployment: state.last_deployment.next(),
        kind,
        version: version.clone(),
        source: source.to_owned(),
        strategy: strategy.clone(),
        break_contract: false,
        queued: None,
    }
}
