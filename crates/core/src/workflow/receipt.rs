//! What a deployment reports at its end, in the clients' terms.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Grouped, Millis, Share, Timestamp, VersionLabel};
use crate::traffic::Counts;
use crate::workflow::{Deployment, Expanded, Stray};

/// How a deployment ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// The new version serves.
    Settled,
    /// The version from before serves; `reason` says why, for people.
    RolledBack {
        /// Why it went back.
        reason: String,
    },
    /// The deliverable could not be used, and what ran before was never touched; or it was the first version and did
    /// not come up, and nothing serves.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What a deployment costs in time and instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// From the request to the end.
    pub took: Millis,
    /// From the request until the new version has all requests.
    pub served: Millis,
    /// If somebody turned back at the last moment: from then on until the version from before had all requests again. None:
    /// there is none.
    pub back: Option<Millis>,
    /// The part of the clients that meets the new version first.
    pub first: Share,
    /// How long two versions run at once.
    pub mixed_state: Millis,
    /// The greatest number of instances that run at once.
    pub peak: u32,
    /// The lowest number of healthy serving instances. None: none is needed (the first deployment).
    pub lowest_capacity: Option<u32>,
    /// How long instances beyond the wanted number run, all of them together.
    pub extra: Millis,
}

/// How a deployment went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The version from before.
    pub from: Option<VersionLabel>,
    /// The version that was asked for.
    pub to: VersionLabel,
    /// From the request to the end.
    pub took: Millis,
    /// What the proxy counted meanwhile. None: the counts at the beginning or at the end were not to be had.
    pub counts: Option<Counts>,
    /// The lowest number of healthy serving instances. None: none was ever needed (the first deployment).
    pub lowest_capacity: Option<u32>,
    /// The number of instances that was wanted.
    pub wanted: u32,
    /// How long two versions ran at once.
    pub mixed_state: Millis,
    /// What was made of the database's schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expanded: Option<Expanded>,
    /// A new instance that used the database as another revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stray: Option<Stray>,
    /// How many operations it broke that clients called, or may have called.
    #[serde(default)]
    pub broken: usize,
    /// What was foreseen when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreseen: Option<Figures>,
}

impl Receipt {
    /// The figures of `deployment`, which ends at `now`.
    pub fn of(deployment: &Deployment, wanted: u32, counts: Option<Counts>, now: Timestamp) -> Receipt {
        let verdict = match (deployment.turned_back(), &deployment.from) {
            (None, _) => Verdict::Settled,
            (Some(reason), Some(_)) if !reason.is_refusal() => {
                Verdict::RolledBack { reason: reason.to_string() }
            }
            (Some(reason), _) => Verdict::Failed { reason: reason.to_string() },
        };
        Receipt {
            verdict,
            from: deployment.from.clone(),
            to: deployment.request.version.clone(),
            took: now.since(deployment.requested_at),
            counts: deployment.baseline.zip(counts).map(|(before, after)| after.since(&before)),
            lowest_capacity: deployment.lowest_capacity,
            wanted,
            mixed_state: deployment.mixed_state(now),
            expanded: deployment.expanded.clone(),
            stray: deployment.stray.clone(),
            broken: deployment.comparison.as_ref().map_or(0, |comparison| comparison.hurts().count()),
            foreseen: deployment.foreseen,
        }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = self.from.as_ref().map_or("nothing", VersionLabel::as_str);
        match &self.verdict {
            Verdict::Settled => {
                write!(f, "{from} → {} in {}", self.to, self.took.rough())?;
                if let Some(foreseen) = &self.foreseen {
                    write!(f, " (foreseen {})", foreseen.took.rough())?;
                }
            }
            Verdict::RolledBack { reason } => {
                write!(
                    f,
                    "{from} → {} rolled back to {from} after {}, because {reason}",
                    self.to,
                    self.took.rough()
                )?;
            }
            Verdict::Failed { reason } => {
                write!(f, "{} failed after {}, because {reason}", self.to, self.took.rough())?;
                // Nothing of it ever had requests beside the version from before: there is no more to tell.
                if let Some(from) = &self.from {
                    return write!(f, "; {from} serves on, untouched");
                }
            }
        }
        match &self.counts {
            Some(c) => {
                write!(f, ": {} requests, {} failed", Grouped(c.requests), Grouped(c.failed))?;
                if c.cut > 0 {
                    write!(f, " (of these {} at the drain deadline)", Grouped(c.cut))?;
                }
                let (retried, moved) = (Grouped(c.retried), Grouped(c.websockets_moved));
                write!(f, ", {retried} retried, {moved} WebSockets moved")?;
            }
            None => f.write_str(": requests not counted")?,
        }
        if let Some(lowest) = self.lowest_capacity {
            write!(f, ", capacity never below {lowest}/{}", self.wanted)?;
        }
        if self.from.is_some() {
            write!(f, ", mixed state {}", self.mixed_state.rough())?;
        }
        if let Some(expanded) = &self.expanded {
            let (to, rows) = (&expanded.to, Grouped(expanded.rows));
            write!(f, ", schema {to} expanded, {rows} rows backfilled")?;
        }
        match self.broken {
            0 => {}
            1 => f.write_str(", 1 operation in use broken")?,
            broken => write!(f, ", {broken} operations in use broken")?,
        }
        if let Some(stray) = &self.stray {
            write!(f, "; {}", stray.brief())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::base::DeploymentId;
    use crate::spec::{FlipSpec, Strategy};
    use crate::workflow::{CanaryProgress, Direction, Kind, Phase, Reason, Request};

    fn turned_back(reason: Reason) -> Deployment {
        Deployment {
            request: Request {
                deployment: DeploymentId(2),
                kind: Kind::Deploy,
                version: "v2".parse().unwrap(),
                source: "/v2".to_owned(),
                strategy: Strategy::Flip(FlipSpec::default()),
                break_contract: false,
                queued: None,
            },
            from: Some("v1".parse().unwrap()),
            requested_at: Timestamp(1_000),
            phase: Phase::Retiring,
            phase_since: Timestamp(1_000),
            direction: Direction::Back { reason },
            paused: false,
            baseline: None,
            lowest_capacity: Some(4),
            crashes: 0,
            mixed_since: None,
            last_left_at: None,
            expanded: None,
            stray: None,
            comparison: None,
            watch: None,
            agreed: BTreeSet::new(),
            canary: CanaryProgress::default(),
            foreseen: None,
        }
    }

    #[test]
    fn what_never_ran_failed_and_what_ran_was_rolled_back() {
        let unusable = turned_back(Reason::NotPrepared { error: "it is empty".to_owned() });
        let receipt = Receipt::of(&unusable, 4, None, Timestamp(1_321));
        assert!(matches!(receipt.verdict, Verdict::Failed { .. }));
        assert_eq!(
            receipt.to_string(),
            "v2 failed after 0.3s, because the deliverable can't be used: it is empty; v1 serves on, untouched"
        );
        let receipt = Receipt::of(&turned_back(Reason::Asked), 4, None, Timestamp(1_321));
        assert!(matches!(receipt.verdict, Verdict::RolledBack { .. }));
        assert!(receipt.to_string().starts_with("v1 → v2 rolled back to v1 after 0.3s, because"));
    }
}
