//! The fleet as its driver sees it: what runs, what ended and how. Facts only; what follows from them is decided in
//! `deploy`. Must not know deployments or traffic.
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{InstanceId, VersionLabel};

/// Every instance that the driver has anything of, dead ones that were not removed yet included.
pub type ObservedInstances = BTreeMap<InstanceId, ObservedInstance>;

/// One instance as its driver sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedInstance {
    /// The version it was started from.
    pub version: VersionLabel,
    /// Where it is to listen.
    pub address: SocketAddr,
    /// Whether it runs.
    pub status: RunStatus,
}

/// Whether an instance runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "status", content = "exit")]
pub enum RunStatus {
    /// It runs under its keeper.
    Running,
    /// Its keeper is gone but processes of it are left; `stop` ends them.
    Orphaned,
    /// No process of it is left.
    Exited(Exit),
}

/// How an instance ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It could not be executed at all; why, for people.
    NotExecuted(String),
    /// It took more memory than it may have, and was killed for it.
    OutOfMemory,
    /// Nobody was left to see how (its keeper was killed, or the machine was restarted).
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exited with code {code}"),
            Exit::Signal(signal) => write!(f, "was killed by signal {signal}"),
            Exit::NotExecuted(why) => write!(f, "could not be executed: {why}"),
            Exit::OutOfMemory => f.write_str("took more memory than it may have and was killed"),
            Exit::Unknown => f.write_str("ended without a witness"),
        }
    }
}

/// What a driver can tell of an instance that does not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Findings {
    /// How it ended, if it did.
    pub exit: Option<Exit>,
    /// The last lines that it wrote, oldest first, control characters removed.
    pub log: Vec<String>,
    /// The addresses on which its own processes listen.
    pub listens: Vec<SocketAddr>,
    /// A process that is not the instance's, but listens on its port: for people, `pid 4711 (nginx)`.
    pub stranger: Option<String>,
}
