//! What goes over the admin API, as values: requests and answers, for the controller and for the command line alike.
//!
//! Times are milliseconds since 1970 on Tandem's own clock. Fields may be added; a reader ignores those that it does
//! not know.

mod network;
mod queue;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tandem_core::base::{
    Amount, DeploymentId, InstanceId, Millis, Network, Revision, ServiceName, Timestamp, VersionLabel,
};
use tandem_core::contract::{Break, Comparison};
use tandem_core::database::ObservedDatabase;
use tandem_core::deploy::{Fault, Wait};
use tandem_core::spec::{CanaryStep, StrategyKind};
use tandem_core::traffic::{Counts, Health, InFlight, SessionReport};
use tandem_core::workflow::{Diagnosis, Finding, Kind, Phase, Receipt, Recorded, Stage};

pub use network::{AuditEntry, Hold, LoginRequest, Me, Role, ServiceEntry, Ticket};
pub use queue::{Pushed, QueueEntry, QueueStatus, SourceRequest, Who};

/// `GET /v1/status`: how things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The service.
    pub service: ServiceName,
    /// When this was seen.
    pub at: Timestamp,
    /// Where requests arrive.
    pub listen: Vec<SocketAddr>,
    /// The version that is to serve. None before the first deployment.
    pub current: Option<VersionLabel>,
    /// The version before it, to which `rollback` goes.
    pub previous: Option<VersionLabel>,
    /// How many instances are wanted.
    pub wanted: u32,
    /// How many instances serve and are healthy. None: the proxy does not answer.
    pub healthy: Option<u32>,
    /// Every instance, in the order of the numbers.
    pub instances: Vec<InstanceStatus>,
    /// The deployment under way.
    pub deployment: Option<DeploymentStatus>,
    /// That nobody is served but those who are let through. None: all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<MaintenanceStatus>,
    /// What is waited for.
    pub waits: Vec<WaitStatus>,
    /// What is not as it should be and stops nothing, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// What the proxy counted. None: it does not answer.
    pub counts: Option<Counts>,
    /// The clients that are held to each version. Empty: none is held.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sessions: BTreeMap<VersionLabel, SessionReport>,
    /// The database's schema and who uses it. None: there is no database, or it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<ObservedDatabase>,
    /// Whether the configuration on the disk is another one than that in force.
    pub config_changed: bool,
    /// Why nothing goes on at the moment (the disk is full …).
    pub trouble: Option<String>,
}

/// Requests are answered with a page that tells to come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MaintenanceStatus {
    /// Since when.
    pub since: Timestamp,
    /// What clients are told.
    pub message: String,
    /// Who is served all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Network>,
}

/// `GET /v1/link?version=LABEL`: how one version can be seen, whether it has traffic or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionLink {
    /// The version.
    pub version: VersionLabel,
    /// What stands after the `?` of an address. Whoever has it sees that version as long as it runs.
    pub query: String,
    /// Whole addresses, where the configuration tells them.
    pub urls: Vec<String>,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceStatus {
    /// Its number.
    pub instance: InstanceId,
    /// What it runs.
    pub version: VersionLabel,
    /// The revision of the schema that it finds. None: it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// Where it is in its life.
    pub stage: Stage,
    /// When it came there.
    pub since: Timestamp,
    /// Where it listens, once that is known.
    pub address: Option<SocketAddr>,
    /// Whether it answers its checks, with the last failing answer. None: the proxy says nothing of it.
    pub health: Option<Health>,
    /// What is in flight on it. None: not known.
    pub in_flight: Option<InFlight>,
    /// How many requests it was given by the present run of the proxy. None: not known.
    pub requests: Option<u64>,
    /// How many of them failed by its fault. None: not known.
    pub failed: Option<u64>,
    /// How it ended, if it did.
    pub exit: Option<String>,
}

/// A deployment under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentStatus {
    /// Its number.
    pub id: DeploymentId,
    /// To a new version, or back to an earlier one.
    pub kind: Kind,
    /// The version that is to serve at its end.
    pub version: VersionLabel,
    /// The version that served before.
    pub from: Option<VersionLabel>,
    /// How it is carried out.
    pub strategy: StrategyKind,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Where it stands.
    pub phase: Phase,
    /// When it came there.
    pub phase_since: Timestamp,
    /// Whether it was paused.
    pub paused: bool,
    /// If it goes back: why.
    pub turned_back: Option<String>,
    /// How many instances of the version it goes to serve and are healthy. None: the proxy does not answer.
    pub ready: Option<u32>,
    /// How many are wanted.
    pub wanted: u32,
    /// How the contract of the new version differs from that of the version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// How far a canary is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryStatus>,
    /// What was found of the new version so far, compared with its limits and with the version before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingStatus>,
}

/// How far a canary is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CanaryStatus {
    /// Its steps.
    pub steps: Vec<CanaryStep>,
    /// The step that it is at or goes to, from 1; one more than there are: all clients follow.
    pub step: usize,
    /// Since when the clients of that step are at the new version.
    pub reached_at: Option<Timestamp>,
}

/// Something that was found of a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingStatus {
    /// One sentence for people.
    pub sentence: String,
    /// The same for programs.
    pub finding: Finding,
}

/// `POST /v1/deployments/ID/promote`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteRequest {
    /// All steps at once.
    #[serde(default)]
    pub whole: bool,
    /// Only if it is at this step, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
}

/// Something that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitStatus {
    /// One sentence for people.
    pub sentence: String,
    /// When the wait ends by itself.
    pub until: Option<Timestamp>,
    /// The same for programs.
    pub wait: Wait,
}

/// `GET /v1/why`: what is waited for, one sentence each. Empty: nothing, all is as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// What goes on: `d7 (shop v2, rolling) is shifting`. None: no deployment is under way.
    pub deployment: Option<String>,
    /// The sentences.
    pub waits: Vec<String>,
    /// What is not as it should be and stops nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// Which strategy, and its parameters; what is not said is as configured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StrategyChoice {
    /// The strategy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<StrategyKind>,
    /// Only for `rolling`: how many at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Amount>,
    /// Only for `rolling`: how many beyond the wanted number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surge: Option<Amount>,
    /// Only for `rolling`: how many must serve at all times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Amount>,
    /// Only for `flip` and `canary`: how long the old pool is kept warm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm: Option<Millis>,
    /// Only for `canary`: its steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<CanaryStep>>,
}

/// `POST /v1/deployments`. Answered by 202 and [`Accepted`] when it is recorded. With the header `Idempotency-Key`, the
/// same request sent again gets the same answer, as long as the controller runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeployRequest {
    /// The deliverable: the absolute path of a folder or archive, or where instances are containers the name of an image with
    /// its tag or digest.
    pub source: String,
    /// The label of the version.
    pub version: VersionLabel,
    /// How.
    #[serde(default)]
    pub how: StrategyChoice,
    /// Whether it may break what clients of the version that serves still call.
    #[serde(default)]
    pub break_contract: bool,
}

/// `POST /v1/rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// The version to go back to. None: the one before.
    #[serde(default)]
    pub to: Option<VersionLabel>,
    /// How, if it takes a deployment of its own.
    #[serde(default)]
    pub how: StrategyChoice,
}

/// The answer to whatever begins or changes a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// The deployment.
    pub id: DeploymentId,
}

/// The answer to a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RollbackAccepted {
    /// The deployment.
    pub id: DeploymentId,
    /// What live versions of other services do not find any more, or this one does not find with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Break>,
}

/// `POST /v1/scale`, and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// How many instances are wanted. 1 to 1000.
    pub instances: u32,
}

/// `POST /v1/plan`: what would a deployment do? Answered by [`tandem_core::deploy::Forecast`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The version. None: a new one.
    #[serde(default)]
    pub version: Option<VersionLabel>,
    /// The deliverable, whose contract is to be compared: the absolute path of a folder or archive, or the
    /// name of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How.
    #[serde(default)]
    pub how: StrategyChoice,
    /// A rollback, to `version` or to the one from before, and no deployment.
    #[serde(default)]
    pub back: bool,
    /// Whether other ways are to be weighed against it.
    #[serde(default)]
    pub ways: bool,
    /// What is to die on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// `GET /v1/deployments`: a list of these, the newest first; `GET /v1/deployments/{id}`: one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentRecord {
    /// Its number.
    pub id: DeploymentId,
    /// To a new version, or back to an earlier one.
    pub kind: Kind,
    /// The version that was to serve at its end.
    pub version: VersionLabel,
    /// How it was to be carried out.
    pub strategy: StrategyKind,
    /// Who began it.
    #[serde(default)]
    pub who: Who,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was over. None: it is under way.
    pub finished_at: Option<Timestamp>,
    /// If it went or goes back: why.
    pub turned_back: Option<String>,
    /// What was found about the instance for which it went back.
    pub diagnosis: Option<Diagnosis>,
    /// Its receipt, once it is over.
    pub receipt: Option<Receipt>,
}

/// One event of the journal, as `event: journal` in the streams `GET /v1/events` and `GET /v1/deployments/{id}/events`.
/// The id of the stream's event is `seq`. Between them stand events `event: status` with a [`Status`], without an id:
/// one at the beginning and one after each change. The stream of a deployment ends after its `finished`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalEvent {
    /// The place in the journal.
    pub seq: u64,
    /// The deployment that was under way.
    pub deployment: Option<DeploymentId>,
    /// The event and its time: an object with `at`, `event` and the fields of the event.
    pub recorded: Recorded,
}

/// `GET /v1/config`: the configuration in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigInForce {
    /// All of it, defaults included, as TOML with remarks.
    pub shown: String,
    /// Where it came from.
    pub path: String,
    /// Whether that file is another one by now.
    pub changed: bool,
}

/// Every refusal: `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The kind, as a URI: `about:blank`, since `code` tells it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do, for people.
    pub detail: String,
    /// The kind, for programs. The names are stable.
    pub code: ProblemCode,
}

/// The kinds of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// The request is not what the API understands.
    BadRequest,
    /// There is no such thing.
    NotFound,
    /// The path is known, the method is not.
    MethodNotAllowed,
    /// Over the network: it does not say who asks, or not rightly.
    Unauthorized,
    /// Over the network: whoever asks may not do that.
    Forbidden,
    /// Over the network: it asks for a host that is not ours.
    WrongHost,
    /// Over the network: too much, or too often. `Retry-After` tells when to try again.
    TooMany,
    /// The body is too large.
    TooLarge,
    /// The `Idempotency-Key` was used for another request.
    KeyUsed,
    /// A deployment is under way. The detail names it and tells since when.
    Busy,
    /// The request does not fit how things stand.
    Conflict,
    /// It can't be done now: the disk is full, or too much is asked at once. Try again.
    Unavailable,
    /// A fault of Tandem.
    Internal,
}
