//! The state of a service: what the journal amounts to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{
    DeploymentId, Digest, Generation, InstanceId, Revision, Timestamp, VersionKey, VersionLabel,
};
use crate::contract::Contract;
use crate::database::Standing;
use crate::fleet::Exit;
use crate::traffic::{Gate, Table};
use crate::workflow::{Deployment, Pace, Queue};

/// Everything that Tandem remembers of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The number of instances that somebody asked for; None: what the configuration says.
    pub scaled: Option<u32>,
    /// What becomes of new requests.
    #[serde(default)]
    pub gate: Gated,
    /// The version that is to serve. None before the first deployment.
    pub current: Option<VersionLabel>,
    /// The version that served before the current one.
    pub previous: Option<VersionLabel>,
    /// The versions that are ready to run.
    pub releases: BTreeMap<VersionLabel, Release>,
    /// Every instance that was begun and is not removed yet.
    pub instances: BTreeMap<InstanceId, Instance>,
    /// The highest instance number ever used.
    pub last_instance: InstanceId,
    /// The highest deployment number ever used.
    pub last_deployment: DeploymentId,
    /// The table that is in force, as the proxy confirmed it.
    pub table: Table,
    /// A table that was about to be put in force, and is not confirmed. The proxy's word settles whether it was.
    pub pending: Option<Table>,
    /// The highest generation ever given to a table.
    pub last_generation: Generation,
    /// The deployment in progress.
    pub deployment: Option<Deployment>,
    /// How often instances of a version died unasked of late.
    pub crashes: BTreeMap<VersionLabel, CrashRecord>,
    /// The schema of the database, as far as it was seen.
    #[serde(default)]
    pub schema: Schema,
    /// How long things took of late.
    #[serde(default)]
    pub pace: Pace,
    /// The deliverables that came by themselves.
    #[serde(default)]
    pub queue: Queue,
}

/// What somebody wants done with new requests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gated {
    /// What.
    pub kind: Gate,
    /// Since when.
    pub since: Timestamp,
}

/// What is remembered of the database's schema.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schema {
    /// Where it stands.
    pub standing: Standing,
    /// The revision that a deployment of this service asked for last.
    pub begun: Option<Revision>,
    /// Whether an instance of the revision that comes was ever given requests: there may be rows then that only it knows.
    pub used: bool,
    /// When the version that serves was settled.
    pub settled_at: Option<Timestamp>,
}

/// A version that is ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Of what its deliverable is made.
    pub digest: Digest,
    /// Where it came from.
    pub source: String,
    /// The revision of the schema that it was written for. None: it needs none.
    #[serde(default)]
    pub revision: Option<Revision>,
    /// By which clients can ask for it. None: they can't.
    #[serde(default)]
    pub key: Option<VersionKey>,
    /// What it promises to its clients. None: nothing that is written down.
    #[serde(default)]
    pub contract: Option<Contract>,
}

/// Deaths that nobody asked for, of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashRecord {
    /// How many in a row.
    pub count: u32,
    /// When the last one was seen.
    pub last: Timestamp,
    /// Who it was.
    pub instance: InstanceId,
    /// How it died.
    pub exit: Exit,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// What it runs.
    pub version: VersionLabel,
    /// Where it listens; None until its start is confirmed.
    pub address: Option<SocketAddr>,
    /// Where it is in its life.
    pub stage: Stage,
    /// When it came there.
    pub since: Timestamp,
    /// When it answered its checks for the first time.
    pub ready_at: Option<Timestamp>,
    /// How it ended; while it is stopping, why it could not be started.
    pub exit: Option<Exit>,
    /// Whether `Stop` was confirmed.
    pub signalled: bool,
}

/// Where an instance is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Begun, not ready yet. It has had no request.
    Starting,
    /// Ready, and given only requests that ask for its version: before its first one, or kept warm.
    Standby,
    /// Given requests.
    Serving,
    /// Given no more requests; what it has begun may finish.
    Draining,
    /// Asked to stop, or about to be.
    Stopping,
    /// No process of it is left.
    Ended,
}

impl Stage {
    /// Whether a process of it runs, or may run.
    pub fn is_alive(self) -> bool {
        self != Stage::Ended
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Stage::Starting => "starting",
            Stage::Standby => "standby",
            Stage::Serving => "serving",
            Stage::Draining => "draining",
            Stage::Stopping => "stopping",
            Stage::Ended => "ended",
        })
    }
}

impl State {
    /// The number of instances that are wanted, given what the configuration says.
    pub fn wanted(&self, configured: u32) -> u32 {
        self.scaled.unwrap_or(configured)
    }

    /// The version that is to serve when all that is under way is over.
    pub fn goal(&self) -> Option<&VersionLabel> {
        match &self.deployment {
            Some(deployment) => deployment.goal(),
            None => self.current.as_ref(),
        }
    }

    /// The versions that clients may meet: those of which something runs, the one that is to serve, and the one that comes.
    pub fn live(&self) -> BTreeSet<VersionLabel> {
        let alive = self.instances.values().filter(|instance| instance.stage.is_alive());
        let comes = self.deployment.iter().map(|deployment| &deployment.request.version);
        alive.map(|instance| &instance.version).chain(&self.current).chain(comes).cloned().collect()
    }

    /// The revision of the schema that a version was written for, if that is known.
    pub fn revision_of(&self, version: &VersionLabel) -> Option<&Revision> {
        self.releases.get(version).and_then(|release| release.revision.as_ref())
    }

    /// The revisions that deliverables were written for, by what they are made of.
    pub fn revisions(&self) -> BTreeMap<Digest, Revision> {
        let known = |release: &Release| Some((release.digest.clone(), release.revision.clone()?));
        self.releases.values().filter_map(known).collect()
    }

    /// How many instances run, or may run, of versions that were written for a revision.
    pub fn alive_at(&self, revision: &Revision) -> u32 {
        let at = |i: &&Instance| i.stage.is_alive() && self.revision_of(&i.version) == Some(revision);
        self.instances.values().filter(at).count() as u32
    }

    /// The instances of a version, in the order of their numbers.
    pub fn of_version<'a>(
        &'a self,
        version: &'a VersionLabel,
    ) -> impl Iterator<Item = (InstanceId, &'a Instance)> {
        self.instances.iter().filter(move |(_, i)| i.version == *version).map(|(id, i)| (*id, i))
    }
}
