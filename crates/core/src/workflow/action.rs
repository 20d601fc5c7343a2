//! What can be done to the world, as data.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{InstanceId, VersionLabel};
use crate::database::Job;
use crate::traffic::Table;

/// One thing to do. Doing it twice has the effect of doing it once: the instance id, the version or the generation in
/// it is its idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Action {
    /// Begin to make a version ready to run. That it is ready is observed later.
    Prepare {
        /// The version.
        version: VersionLabel,
        /// Where its deliverable is; understood by the driver.
        source: String,
    },
    /// Start an instance. That it is ready is observed later.
    Start {
        /// The new instance.
        instance: InstanceId,
        /// What it is to run.
        version: VersionLabel,
    },
    /// Put a route table in force.
    Route {
        /// The whole table, with its generation.
        table: Table,
    },
    /// Begin a job on the database's schema. How far it is is observed later.
    Schema {
        /// The job.
        job: Job,
    },
    /// Ask an instance to stop. That it has ended is observed later.
    Stop {
        /// The instance.
        instance: InstanceId,
    },
    /// Remove what is left of an instance that has ended.
    Remove {
        /// The instance.
        instance: InstanceId,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Prepare { version, .. } => write!(f, "prepare {version}"),
            Action::Start { instance, version } => write!(f, "start {instance} of {version}"),
            Action::Route { table } => write!(f, "route by {}", table.generation),
            Action::Schema { job } => job.fmt(f),
            Action::Stop { instance } => write!(f, "stop {instance}"),
            Action::Remove { instance } => write!(f, "remove {instance}"),
        }
    }
}
