//! How a new version replaces the old one: the checked values, with every default of their part.
//!
//! Belongs to `service`. What a strategy does is `deploy::strategy`'s. Tested in `check/tests.rs` and in place.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::guard::GuardSpec;
use super::text::{Wrong, quoted};
use super::vocabulary::words;
use crate::base::{Amount, Millis, Share};

/// How a new version replaces the old one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploySpec {
    /// The strategy of deployments that name none.
    pub strategy: StrategyKind,
    /// The parameters of `rolling`.
    pub rolling: RollingSpec,
    /// The parameters of `flip`.
    pub flip: FlipSpec,
    /// The parameters of `canary`.
    pub canary: CanarySpec,
    /// How long the new version is watched under traffic before the deployment counts as done.
    pub bake: Millis,
    /// What makes a deployment go back by itself.
    pub guard: GuardSpec,
}

impl Default for DeploySpec {
    fn default() -> Self {
        DeploySpec {
            strategy: StrategyKind::Rolling,
            rolling: RollingSpec::default(),
            flip: FlipSpec::default(),
            canary: CanarySpec::default(),
            bake: Millis::from_secs(10),
            guard: GuardSpec::default(),
        }
    }
}

impl DeploySpec {
    /// The strategy of rollbacks that name none. Whoever goes back is in a hurry: a canary would go back in steps.
    pub fn back(&self) -> StrategyKind {
        match self.strategy {
            StrategyKind::Canary => StrategyKind::Flip,
            other => other,
        }
    }

    /// The strategy of the given kind with this configuration's parameters.
    pub fn strategy(&self, kind: StrategyKind) -> Strategy {
        match kind {
            StrategyKind::Rolling => Strategy::Rolling(self.rolling),
            StrategyKind::Flip => Strategy::Flip(self.flip),
            StrategyKind::Canary => Strategy::Canary(self.canary.clone()),
        }
    }
}

/// The names of the strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StrategyKind {
    /// A few at a time.
    Rolling,
    /// A second pool, switched to at one instant.
    Flip,
    /// A second pool that gets more and more of the clients.
    Canary,
}

words!(StrategyKind: Rolling = "rolling", Flip = "flip", Canary = "canary");

/// A strategy with its parameters, as a deployment carries it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// A few at a time.
    Rolling(RollingSpec),
    /// A second pool, switched to at one instant.
    Flip(FlipSpec),
    /// A second pool that gets more and more of the clients.
    Canary(CanarySpec),
}

impl Strategy {
    /// The name of the strategy.
    pub fn kind(&self) -> StrategyKind {
        match self {
            Strategy::Rolling(_) => StrategyKind::Rolling,
            Strategy::Flip(_) => StrategyKind::Flip,
            Strategy::Canary(_) => StrategyKind::Canary,
        }
    }

    /// How long the old pool is kept running after it lost its traffic, beyond what is watched anyway.
    pub fn warm(&self) -> Millis {
        match self {
            Strategy::Rolling(_) => Millis::ZERO,
            Strategy::Flip(flip) => flip.warm,
            Strategy::Canary(canary) => canary.warm,
        }
    }
}

/// Parameters of `rolling`. `floor` and `surge` can't be all of the pool and none at once: then nothing could move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RollingSpec {
    /// How many instances are replaced at a time. At least 1 in effect.
    pub batch: Amount,
    /// How many instances there may be beyond the wanted number. None: as many as `batch`.
    pub surge: Option<Amount>,
    /// How many instances must serve at all times. None: all that the surge allows to keep.
    pub floor: Option<Amount>,
}

impl Default for RollingSpec {
    fn default() -> Self {
        RollingSpec { batch: Amount::Count(1), surge: None, floor: None }
    }
}

/// Parameters of `flip`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlipSpec {
    /// How long the old pool is kept running after the switch, so that going back is one table swap.
    pub warm: Millis,
}

impl Default for FlipSpec {
    fn default() -> Self {
        FlipSpec { warm: Millis::from_secs(30) }
    }
}

/// So many steps a canary may have.
pub const MOST_STEPS: usize = 20;

/// Parameters of `canary`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CanarySpec {
    /// What part of the clients the new version gets, and for how long at least; all of them follow after the last step.
    pub steps: Vec<CanaryStep>,
    /// Requests with any of these header fields (names in lower case, whole value or `*`) get the new version at every step.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Requests with any of these cookies (whole value or `*`) do, too.
    #[serde(default)]
    pub cookies: BTreeMap<String, String>,
    /// How long the old pool is kept running after the last step, so that going back is one table swap.
    pub warm: Millis,
}

impl Default for CanarySpec {
    fn default() -> Self {
        let step =
            |percent: u32| CanaryStep { share: Share::percent(percent), least: Millis::from_secs(300) };
        CanarySpec {
            steps: vec![step(10), step(50)],
            headers: BTreeMap::new(),
            cookies: BTreeMap::new(),
            warm: Millis::from_secs(30),
        }
    }
}

impl CanarySpec {
    /// What is wrong with the steps together, for people; it continues a sentence that begins with them.
    pub fn problem(&self) -> Option<String> {
        let shares = || self.steps.iter().map(|step| step.share);
        if self.steps.is_empty() {
            return Some("are none: all clients would get the new version at once, as with flip".to_owned());
        }
        if self.steps.len() > MOST_STEPS {
            return Some(format!("are {}, more than {MOST_STEPS}", self.steps.len()));
        }
        if let Some((before, after)) = shares().zip(shares().skip(1)).find(|(a, b)| a >= b) {
            return Some(format!("go from {before} to {after}: each must be larger than the one before"));
        }
        let nobody = shares().any(|share| share == Share::NONE);
        if nobody && self.headers.is_empty() && self.cookies.is_empty() {
            return Some("begin with 0%, and no `headers` or `cookies` choose anybody".to_owned());
        }
        shares().any(|share| share == Share::ALL).then(|| "end with 100%, which follows by itself".to_owned())
    }
}

/// One step of a canary, written `5% for 10m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("examples" = ["5% for 10m"]))]
pub struct CanaryStep {
    /// The part of the clients that get the new version.
    pub share: Share,
    /// For how long at least.
    pub least: Millis,
}

/// A text that is no step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a step: write a share and a length of time, such as \"5% for 10m\"")]
pub struct StepError(String);

impl FromStr for CanaryStep {
    type Err = StepError;

    fn from_str(text: &str) -> Result<Self, StepError> {
        let wrong = || StepError(text.to_owned());
        let (share, rest) = text.trim().split_once('%').ok_or_else(wrong)?;
        let rest = rest.trim_start();
        let least = rest.strip_prefix("for ").unwrap_or(rest);
        let share = format!("{share}%").parse().map_err(|_| wrong())?;
        Ok(CanaryStep { share, least: least.parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for CanaryStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.share, self.least)
    }
}

impl TryFrom<String> for CanaryStep {
    type Error = StepError;

    fn try_from(text: String) -> Result<Self, StepError> {
        text.parse()
    }
}

impl From<CanaryStep> for String {
    fn from(step: CanaryStep) -> String {
        step.to_string()
    }
}

/// One step, as it may be written.
pub(super) fn step(text: &str) -> Result<String, Wrong> {
    text.parse::<CanaryStep>().map(|step| step.to_string()).map_err(|_| {
        Wrong::new(
            format!("holds {}, which is not a step", quoted(text)),
            "write a share and a length of time, such as \"5% for 10m\"",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(steps: &[&str]) -> CanarySpec {
        let steps = steps.iter().map(|step| step.parse().unwrap()).collect();
        CanarySpec { steps, ..CanarySpec::default() }
    }

    #[test]
    fn steps_are_read_and_shown() {
        for (text, shown) in
            [("5% for 10m", "5% for 10m"), (" 0.5 % 1h 30m", "0.5% for 1h 30m"), ("50%for 0s", "50% for 0s")]
        {
            assert_eq!(
                text.parse::<CanaryStep>().map(|step| step.to_string()).as_deref(),
                Ok(shown),
                "{text}"
            );
        }
        for text in ["", "5%", "10m", "5 for 10m", "101% for 1m", "5% for", "5% for ever"] {
            assert!(text.parse::<CanaryStep>().is_err(), "{text}");
        }
    }

    #[test]
    fn steps_grow_and_somebody_is_served_at_each() {
        assert_eq!(CanarySpec::default().problem(), None);
        for steps in [&[][..], &["5% for 1m", "5% for 1m"], &["5% for 1m", "100% for 1m"], &["0% for 1m"]] {
            assert!(canary(steps).problem().is_some(), "{steps:?}");
        }
        let mut chosen = canary(&["0% for 1m", "5% for 1m"]);
        chosen.cookies.insert("beta".to_owned(), "*".to_owned());
        assert_eq!(chosen.problem(), None);
    }
}
