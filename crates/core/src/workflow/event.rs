//! What the journal holds.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{DeploymentId, Digest, InstanceId, Millis, Revision, Timestamp, VersionKey, VersionLabel};
use crate::contract::{Comparison, Contract};
use crate::database::{Job, Standing};
use crate::fleet::{Exit, Findings};
use crate::spec::{Moment, Strategy};
use crate::traffic::{Answers, Counts, Gate, Health};
use crate::workflow::{Action, Deliverable, Figures, Finding, Kind, Mark, Phase, Reason, Receipt, Stray};

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recorded {
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened to a service and must not be forgotten. New kinds may be added; the fields of those that
/// are here keep their meaning, since old journals are read by new programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Somebody asked for a deployment, and it was accepted; or a deliverable of the queue is deployed by itself.
    Requested(Request),
    /// What it was foreseen to cost when it began.
    Foreseen {
        /// The deployment.
        deployment: DeploymentId,
        /// The figures.
        figures: Figures,
    },
    /// A deliverable came by itself.
    Arrived(Deliverable),
    /// Something came by itself and is not taken in.
    Declined {
        /// What it is called: a file in the folder, or a version that was pushed.
        name: String,
        /// What tells whether the file has changed since. None: it was pushed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark: Option<Mark>,
        /// Why, for people.
        why: String,
    },
    /// A deliverable that waited is not deployed, because another version is in its place.
    Superseded {
        /// The deliverable.
        digest: Digest,
        /// The other version.
        by: VersionLabel,
    },
    /// A deliverable that waited may not be deployed.
    Refused {
        /// The deliverable.
        digest: Digest,
        /// Why, for people.
        why: String,
    },
    /// A deliverable that waits has passed the check.
    Checked {
        /// The deliverable.
        digest: Digest,
    },
    /// Somebody approved a deliverable that waits.
    Approved {
        /// The deliverable.
        digest: Digest,
    },
    /// Nothing is begun by itself from now on.
    SourcePaused {
        /// Why, for people.
        why: String,
    },
    /// What waits is begun by itself again.
    SourceResumed,
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
    /// Somebody said that it may go on without waiting any longer for what the new version turns out to be.
    Promoted {
        /// The deployment.
        deployment: DeploymentId,
        /// All steps at once, and not only this one.
        whole: bool,
    },
    /// A hook has nothing against it that the deployment goes on.
    Agreed {
        /// The deployment.
        deployment: DeploymentId,
        /// The moment of the hook.
        moment: Moment,
        /// How long it took.
        took: Millis,
    },
    /// The new version is watched from now on.
    Watched {
        /// The deployment.
        deployment: DeploymentId,
        /// The run of the proxy.
        run: u64,
        /// The sums by now, by version.
        answers: BTreeMap<VersionLabel, Answers>,
    },
    /// The clients of a canary's step are at the new version.
    Reached {
        /// The deployment.
        deployment: DeploymentId,
        /// The step, from 0.
        step: usize,
    },
    /// A canary goes on to another step.
    Stepped {
        /// The deployment.
        deployment: DeploymentId,
        /// The step, from 0.
        step: usize,
        /// Why.
        passed: Passed,
        /// What was found at the step before.
        #[serde(default)]
        findings: Vec<Finding>,
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
        receipt: Box<Receipt>,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// The deliverable of the queue that is deployed by itself. None: somebody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<Digest>,
}

/// Why a canary went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Passed {
    /// The new version was found good.
    Good,
    /// Nobody knows, and that was to be enough.
    Unclear,
    /// Somebody said so.
    Asked,
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// What was found about an instance that does not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
