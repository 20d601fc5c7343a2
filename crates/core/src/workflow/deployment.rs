//! A deployment in progress.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Millis, Revision, Timestamp, VersionLabel};
use crate::contract::Comparison;
use crate::spec::Moment;
use crate::traffic::{Answers, Counts};
use crate::workflow::{Figures, Reason, Request, Stray};

/// A deployment in progress, as folded from the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// What was asked for.
    pub request: Request,
    /// The version that served before. None: this is the first one.
    pub from: Option<VersionLabel>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Where it stands.
    pub phase: Phase,
    /// When it came there.
    pub phase_since: Timestamp,
    /// Whether it goes towards the new version or back.
    pub direction: Direction,
    /// Whether it was paused.
    pub paused: bool,
    /// The counts of the service when it began, once known.
    pub baseline: Option<Counts>,
    /// The lowest number of healthy serving instances so far.
    pub lowest_capacity: Option<u32>,
    /// How many new instances died after they were ready.
    pub crashes: u32,
    /// When the first new instance was started.
    pub mixed_since: Option<Timestamp>,
    /// When the last instance of the version that is being left ended.
    pub last_left_at: Option<Timestamp>,
    /// What was made of the database's schema for it.
    #[serde(default)]
    pub expanded: Option<Expanded>,
    /// The first new instance that was seen to use the database as another revision when it had requests already.
    #[serde(default)]
    pub stray: Option<Stray>,
    /// How the contract of the new version differs from that of the version before.
    #[serde(default)]
    pub comparison: Option<Comparison>,
    /// From when on the new version is compared with the old one.
    #[serde(default)]
    pub watch: Option<Watch>,
    /// How far a canary is.
    #[serde(default)]
    pub canary: CanaryProgress,
    /// The hooks that have agreed, by their moments.
    #[serde(default)]
    pub agreed: BTreeSet<Moment>,
    /// What was foreseen when it began.
    #[serde(default)]
    pub foreseen: Option<Figures>,
}

/// From when on versions are compared: what comes after it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The run of the proxy: sums of another one can't be compared with these.
    pub run: u64,
    /// The sums at its beginning, by version.
    pub answers: BTreeMap<VersionLabel, Answers>,
}

/// How far a canary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CanaryProgress {
    /// The step that it is at or goes to, from 0. As many as there are steps: all clients are to follow.
    pub step: usize,
    /// Since when the clients of that step are at the new version.
    pub reached_at: Option<Timestamp>,
    /// The last step whose clients came: while it goes to another one they stay. None: no clients came yet.
    #[serde(default)]
    pub last: Option<usize>,
    /// Somebody said that it may go on.
    pub promoted: bool,
}

/// A schema that was expanded for a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expanded {
    /// The revision that is served from then on, beside the one before.
    pub to: Revision,
    /// How many rows were filled.
    pub rows: u64,
    /// How long it took.
    pub took: Millis,
}

impl Deployment {
    /// The version that is to serve when it is over, by its present direction. None: none, there was none before.
    pub fn goal(&self) -> Option<&VersionLabel> {
        match self.direction {
            Direction::Forward => Some(&self.request.version),
            Direction::Back { .. } => self.from.as_ref(),
        }
    }

    /// Whether it goes back, and why.
    pub fn turned_back(&self) -> Option<&Reason> {
        match &self.direction {
            Direction::Forward => None,
            Direction::Back { reason } => Some(reason),
        }
    }

    /// How long two versions have been running at once, up to `now` or to the end of the version that was left.
    pub fn mixed_state(&self, now: Timestamp) -> Millis {
        match (self.mixed_since, &self.from) {
            (Some(since), Some(_)) => self.last_left_at.unwrap_or(now).since(since),
            _ => Millis::ZERO,
        }
    }
}

/// Whether a deployment goes to a new version or to an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// To a version that was handed over.
    Deploy,
    /// To the version that served before.
    Rollback,
}

/// Which way a deployment goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "direction")]
pub enum Direction {
    /// Towards the new version.
    Forward,
    /// Back to the version that it came from.
    Back {
        /// Why.
        reason: Reason,
    },
}

/// Where a deployment stands. Phases follow one another in this order; going back starts at `Shifting` again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The deliverable is made ready to run.
    Preparing,
    /// The database's schema is brought to where both versions find their own.
    Expanding,
    /// Instances are started and traffic is moved, step by step, as the strategy says.
    Shifting,
    /// The new version has the traffic and is watched; what the strategy keeps warm is kept.
    Baking,
    /// What is left of the other version is drained and stopped.
    Retiring,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Phase::Preparing => "preparing",
            Phase::Expanding => "expanding",
            Phase::Shifting => "shifting",
            Phase::Baking => "baking",
            Phase::Retiring => "retiring",
        })
    }
}
