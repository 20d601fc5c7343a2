//! What the journal holds.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::base::{DeploymentId, Digest, InstanceId, Millis, Revision, Timestamp, VersionKey, VersionLabel};
use crate::contract::{Break, Comparison, Contract};
use crate::database::{Job, Standing};
use crate::fleet::{Exit, Findings};
use crate::spec::Strategy;
use crate::traffic::{Counts, Gate, Health};
use crate::workflow::{Action, Kind, Phase, Receipt, Stray};

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened to a service and must not be forgotten. New kinds may be added; the fields of those that
/// are here keep their meaning, since old journals are read by new programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// Somebody asked for another number of instances.
    Scaled {
        /// How many are wanted from now on.
        instances: u32,
    },
    /// Somebody has new requests wait, be told to come back, or go on.
    Gated {
        /// Which of it.
        gate: Gate,
    },
    /// Somebody asked for a deployment, and it was accepted.
    Requested(Request),
    /// Somebody paused the deployment: nothing new is begun.
    Paused {
        /// The deployment.
        deployment: DeploymentId,
    },
    /// Somebody let it go on.
    Resumed {
        /// The deployment.
        deployment: DeploymentId,
    },
    /// The deployment entered a phase.
    Entered {
        /// The deployment.
        deployment: DeploymentId,
        /// The phase.
        phase: Phase,
    },
    /// The deployment goes back to the version it came from.
    TurnedBack {
        /// The deployment.
        deployment: DeploymentId,
        /// Why.
        reason: Reason,
    },
    /// What was found about an instance that made a deployment turn back.
    Diagnosed(Diagnosis),
    /// The counts of the service when the deployment began.
    Counted {
        /// The deployment.
        deployment: DeploymentId,
        /// The counts.
        counts: Counts,
    },
    /// Fewer healthy instances serve than ever before in the deployment.
    CapacityFell {
        /// The deployment.
        deployment: DeploymentId,
        /// How many serve and are healthy.
        serving: u32,
    },
    /// The deployment is over.
    Finished {
        /// The deployment.
        deployment: DeploymentId,
        /// How it went.
        receipt: Receipt,
    },
    /// A version is ready to run.
    Prepared {
        /// The version.
        version: VersionLabel,
        /// Of what its deliverable is made.
        digest: Digest,
        /// The revision of the schema that it was written for. None: it needs none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<Revision>,
        /// By which clients can ask for it. None: they can't.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<VersionKey>,
        /// What it promises to its clients. None: nothing that is written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contract: Option<Contract>,
    },
    /// An instance told what its version promises to its clients.
    Promised {
        /// The version.
        version: VersionLabel,
        /// What it promises.
        contract: Contract,
    },
    /// The contract of the version that comes was compared with that of the version that serves. Not recorded if a deliverable's
    /// differs only by what is new.
    Compared {
        /// The deployment.
        deployment: DeploymentId,
        /// In what.
        comparison: Comparison,
    },
    /// The database's schema stands elsewhere than it did, by whose hand ever.
    Stands(Standing),
    /// The schema was expanded for a deployment.
    Expanded {
        /// The deployment.
        deployment: DeploymentId,
        /// The revision that is served from now on.
        to: Revision,
        /// How many rows were filled.
        rows: u64,
    },
    /// An instance of a revision that comes was given a request that a link asked for.
    Previewed {
        /// The instance.
        instance: InstanceId,
    },
    /// An instance with requests uses the database and not as its revision.
    Strayed {
        /// The deployment.
        deployment: DeploymentId,
        /// The instance.
        stray: Stray,
    },
    /// An instance answered its health checks for the first time.
    Ready {
        /// The instance.
        instance: InstanceId,
    },
    /// No process of an instance is left.
    Ended {
        /// The instance.
        instance: InstanceId,
        /// How it ended.
        exit: Exit,
        /// How many instances of its version died unasked in a row, this one included; 0 if it was asked to stop.
        crashes: u32,
    },
    /// An action is about to be done.
    Begun {
        /// The action.
        action: Action,
    },
    /// An action was done.
    Done {
        /// What came of it.
        outcome: Outcome,
    },
    /// An action could not be done.
    Failed {
        /// The action.
        action: Action,
        /// Why, for people.
        error: String,
    },
}

/// A deployment that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its number.
    pub deployment: DeploymentId,
    /// Whether it goes to a new version or back to an earlier one.
    pub kind: Kind,
    /// The version that is to serve at its end.
    pub version: VersionLabel,
    /// Where its deliverable is; understood by the driver.
    pub source: String,
    /// How it is to be carried out.
    pub strategy: Strategy,
    /// Whether it may break what clients of the version that serves still call.
    #[serde(default)]
    pub break_contract: bool,
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "done")]
pub enum Outcome {
    /// A version is being prepared.
    Preparing {
        /// The version.
        version: VersionLabel,
    },
    /// An instance was started.
    Started {
        /// The instance.
        instance: InstanceId,
        /// Where it is to listen.
        address: SocketAddr,
    },
    /// A table is in force.
    Routed {
        /// Its generation.
        generation: crate::base::Generation,
    },
    /// A job on the schema is being done.
    Working {
        /// The job.
        job: Job,
    },
    /// An instance was asked to stop.
    Stopping {
        /// The instance.
        instance: InstanceId,
    },
    /// Nothing is left of an instance.
    Removed {
        /// The instance.
        instance: InstanceId,
    },
}

/// Why a deployment goes back. Each kind carries the value, the limit and the sample on which it was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Reason {
    /// Somebody asked for it.
    Asked,
    /// The deliverable could not be made ready.
    NotPrepared {
        /// Why, for people.
        error: String,
    },
    /// Clients call what the new version does not do any more as it was promised.
    BreaksContract {
        /// What that is, a few of it.
        breaks: Vec<Break>,
        /// How many more operations there are.
        more: usize,
    },
    /// The schema could not be expanded.
    NotExpanded {
        /// Why, for people.
        error: String,
    },
    /// A new instance did not become healthy in time.
    NotReady {
        /// The instance.
        instance: InstanceId,
        /// How long it was given.
        within: Millis,
        /// What its last check met.
        health: Health,
    },
    /// A new instance ended before it was ready.
    EndedEarly {
        /// The instance.
        instance: InstanceId,
        /// How.
        exit: Exit,
    },
    /// Too many new instances died after they were ready.
    Crashed {
        /// The last of them.
        instance: InstanceId,
        /// How many died.
        crashes: u32,
        /// How many may.
        limit: u32,
    },
    /// A new instance did not tell what its version promises, or nothing that can be used.
    NoContract {
        /// The instance.
        instance: InstanceId,
        /// Why, for people.
        error: String,
    },
    /// Too few of the new instances that serve are healthy.
    Unhealthy {
        /// How many are healthy.
        healthy: u32,
        /// Out of so many.
        of: u32,
    },
    /// A new instance uses the database and not as its revision.
    Strayed(Stray),
}

impl Reason {
    /// The instance at which it showed, if it was one.
    pub fn instance(&self) -> Option<InstanceId> {
        match self {
            Reason::NotReady { instance, .. }
            | Reason::EndedEarly { instance, .. }
            | Reason::Crashed { instance, .. } => Some(*instance),
            Reason::Asked
            | Reason::NotPrepared { .. }
            | Reason::BreaksContract { .. }
            | Reason::NoContract { .. }
            | Reason::NotExpanded { .. }
            | Reason::Unhealthy { .. }
            // What it does wrong is said in full.
            | Reason::Strayed(_) => None,
        }
    }

    /// Whether the deliverable was refused before anything of it had requests.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Reason::NotPrepared { .. }
                | Reason::BreaksContract { .. }
                | Reason::NoContract { .. }
                | Reason::NotExpanded { .. }
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Asked => f.write_str("somebody asked for it"),
            Reason::NotPrepared { error } => write!(f, "the deliverable can't be used: {error}"),
            Reason::BreaksContract { breaks, more } => {
                f.write_str("it would break clients")?;
                breaks.iter().try_for_each(|one| write!(f, "; {one}"))?;
                if *more > 0 {
                    write!(f, "; and {more} more operations")?;
                }
                f.write_str("; deploy it with --break-contract if that is meant")
            }
            Reason::NoContract { instance, error } => {
                write!(f, "the contract of {instance} can't be used: {error}")
            }
            Reason::NotExpanded { error } => write!(f, "the schema can't be expanded: {error}"),
            Reason::NotReady { instance, within, health } => {
                write!(f, "{instance} was not ready within {within}: {}", last_answer(health))
            }
            Reason::EndedEarly { instance, exit: exit @ Exit::NotExecuted(_) } => {
                write!(f, "{instance} {exit}")
            }
            Reason::EndedEarly { instance, exit } => write!(f, "{instance} {exit} before it was ready"),
            Reason::Crashed { instance, crashes, limit } => {
                write!(f, "crashes {crashes} > {limit}: {instance} was the last")
            }
            Reason::Unhealthy { healthy, of } => {
                write!(f, "healthy new instances {healthy}/{of} < half")
            }
            Reason::Strayed(stray) => stray.fmt(f),
        }
    }
}

/// What the last health check met, for people.
pub(crate) fn last_answer(health: &Health) -> &str {
    match health {
        Health::Unknown => "it was never checked",
        Health::Up => "it is healthy",
        Health::Failing { last } | Health::Down { last } => last,
    }
}

/// What was found about an instance that does not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The deployment that turned back for it.
    pub deployment: DeploymentId,
    /// The instance.
    pub instance: InstanceId,
    /// What its last health check met.
    pub health: Health,
    /// What its driver found.
    pub findings: Findings,
    /// The likely cause, for people, with what to do.
    pub cause: String,
}
