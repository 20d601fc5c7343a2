//! What a canary waits for at a step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::round_up;
use crate::base::{Millis, Timestamp};
use crate::workflow::Finding;

/// What ends a step of a canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "end")]
pub enum StepEnd {
    /// Its clients are not at the new version yet: then it begins.
    Arrival,
    /// It has to last so long.
    Time {
        /// Until then.
        until: Timestamp,
    },
    /// It is not clear yet whether the new version is good.
    Clarity {
        /// What is not clear.
        finding: Finding,
        /// Until then it may become clear.
        until: Timestamp,
    },
    /// Somebody must say whether it may go on.
    Promotion {
        /// What is not clear.
        finding: Finding,
        /// When it goes back if nobody does.
        until: Timestamp,
    },
}

impl StepEnd {
    /// When it ends by itself.
    pub(super) fn at(&self) -> Option<Timestamp> {
        match self {
            StepEnd::Arrival => None,
            StepEnd::Time { until } | StepEnd::Clarity { until, .. } | StepEnd::Promotion { until, .. } => {
                Some(*until)
            }
        }
    }

    pub(super) fn sentence(&self, now: Timestamp) -> String {
        let left = self.at().map_or(Millis::ZERO, |until| round_up(until.since(now)));
        match self {
            StepEnd::Arrival => "its clients are to come to the new version".to_owned(),
            StepEnd::Time { .. } => format!("its clients are at the new version for another {left}"),
            StepEnd::Clarity { finding, .. } => format!(
                "it goes on for {left} at most, until it is clear: {finding}; `tandem promote` decides it now"
            ),
            StepEnd::Promotion { finding, .. } => format!(
                "it waits for somebody, because nobody can tell: {finding}; `tandem promote` or `tandem abort`; in {left} it \
                 goes back"
            ),
        }
    }
}
