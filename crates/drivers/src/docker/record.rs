//! What the driver writes down of versions and instances: enough to find them again on their engines after a restart.
//!
//! The engines say what runs; the records say what is ours, and what was begun. Holds no secrets: an instance's
//! environment is the engine's alone. Tested through the driver.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use tandem_core::base::{Digest, ServiceName, VersionLabel};
use tandem_core::spec::EngineHost;

use crate::process::record::Record;

/// `version.json`: what a version was made from, and where its image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VersionRecord {
    pub(super) digest: Digest,
    /// The image in a registry, held to its digest. None: it came in an archive.
    pub(super) reference: Option<String>,
    /// The image on each engine.
    pub(super) images: BTreeMap<String, ImageRecord>,
}

/// An image on an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ImageRecord {
    /// The engine's own name for it.
    pub(super) id: String,
    /// Names that it got because we pulled or loaded it, and that go with the version.
    pub(super) names: Vec<String>,
}

/// `container.json`: an instance that was to be started. Written before its container is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ContainerRecord {
    pub(super) service: ServiceName,
    pub(super) version: VersionLabel,
    pub(super) host: EngineHost,
    /// The name of its container.
    pub(super) name: String,
    /// The port on which it listens in there.
    pub(super) port: u16,
    /// Where it is reached; known when it was started.
    pub(super) address: Option<SocketAddr>,
    /// Why its container could not be started.
    pub(super) failed: Option<String>,
}

/// `mark.json`: up to where an instance's log was taken over from its engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct MarkRecord {
    /// The time of the last line, as the engine tells it.
    pub(super) last: String,
}

/// `identity.json`: who we are on an engine that others use, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IdentityRecord {
    pub(super) state: String,
}

impl Record for VersionRecord {
    const FILE: &'static str = "version.json";
}
impl Record for ContainerRecord {
    const FILE: &'static str = "container.json";
}
impl Record for MarkRecord {
    const FILE: &'static str = "mark.json";
}
impl Record for IdentityRecord {
    const FILE: &'static str = "identity.json";
}
