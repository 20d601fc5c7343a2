//! What is said of deliverables that come by themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tandem_core::base::{Digest, Timestamp, VersionLabel};
use tandem_core::workflow::{Declined, Origin, QueueStanding, SourcePause};

use super::WaitStatus;

/// Who began a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Somebody asked for it.
    #[default]
    Somebody,
    /// Its deliverable came by itself.
    Source,
}

/// `GET /v1/queue`: what came by itself, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueStatus {
    /// When this was seen.
    pub at: Timestamp,
    /// Why nothing is begun by itself. None: it is.
    pub paused: Option<SourcePause>,
    /// What came, the newest first.
    pub entries: Vec<QueueEntry>,
    /// What came and was not taken in, the newest first.
    pub declined: Vec<Declined>,
}

/// A deliverable that came by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueEntry {
    /// Of what it is made.
    pub digest: Digest,
    /// The label of its version.
    pub version: VersionLabel,
    /// How it came: an object with `from`, and with the name of the file if it appeared in the folder.
    pub origin: Origin,
    /// Whether it waits for no window and no interval.
    pub hotfix: bool,
    /// When it came.
    pub arrived_at: Timestamp,
    /// When somebody approved it.
    pub approved_at: Option<Timestamp>,
    /// When it passed the check.
    pub checked_at: Option<Timestamp>,
    /// What has become of it: an object with `standing`, and what belongs to that.
    pub standing: QueueStanding,
    /// Since when.
    pub since: Timestamp,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<WaitStatus>,
}

/// `POST /v1/source/pause`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceRequest {
    /// Why, for people. None: somebody wants it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The answer to `POST /v1/push`: 202 if the deliverable was taken in, 200 if it was known already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pushed {
    /// Of what it is made.
    pub digest: Digest,
    /// The label of its version.
    pub version: VersionLabel,
    /// What has become of it.
    pub standing: QueueStanding,
}
