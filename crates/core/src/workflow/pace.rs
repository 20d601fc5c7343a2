//! How long things took of late: what forecasts reckon with.

use std::collections::{BTreeMap, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{InstanceId, Millis};
use crate::spec::Moment;
use crate::workflow::{Receipt, Verdict};

/// So many lengths of a kind are remembered: the instances of a few deployments.
const KEPT: usize = 16;

/// So many forecasts are remembered with what came of them.
const JUDGED: usize = 5;

/// How long things took of late, as folded from the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pace {
    /// From the request of a deployment until its version was ready to run.
    pub prepare: Recent,
    /// From the start of an instance until it answered its checks.
    pub ready: Recent,
    /// From an instance's last new request until nothing was in flight.
    pub drain: Recent,
    /// From the signal to stop until no process was left.
    pub stop: Recent,
    /// How long hooks took.
    #[serde(default)]
    pub hooks: BTreeMap<Moment, Recent>,
    /// Requests in 1000 seconds, as the last deployment that had any saw them. None: none was counted yet.
    pub requests: Option<u64>,
    /// Forecasts beside what came of them, the newest last.
    pub forecasts: VecDeque<Judgement>,
}

impl Pace {
    /// What the end of a deployment tells.
    pub(super) fn learn(&mut self, receipt: &Receipt) {
        if let Some(counts) = receipt.counts.filter(|counts| counts.requests > 0) {
            self.requests = counts.requests.saturating_mul(1_000_000).checked_div(receipt.took.0);
        }
        // What was foreseen of the first deployment was all assumed, and says nothing of the next ones.
        let judged = receipt.foreseen.filter(|_| receipt.from.is_some());
        if let (Verdict::Settled, Some(foreseen)) = (&receipt.verdict, judged) {
            push(&mut self.forecasts, JUDGED, Judgement { foreseen: foreseen.took, took: receipt.took });
        }
    }
}

/// The last lengths of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recent(VecDeque<Millis>);

impl Recent {
    /// One more.
    pub(crate) fn add(&mut self, took: Millis) {
        push(&mut self.0, KEPT, took);
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one in the middle.
    pub fn typical(&self) -> Option<Millis> {
        let mut sorted: Vec<Millis> = self.0.iter().copied().collect();
        sorted.sort();
        sorted.get(sorted.len() / 2).copied()
    }

    /// How long it may take for an instance. They are dealt out in turn, so that of several at once some are as slow as some were.
    pub fn of(&self, instance: InstanceId) -> Option<Millis> {
        let turn = instance.0.checked_rem(self.0.len() as u64)?;
        self.0.get(turn as usize).copied()
    }
}

/// A forecast beside what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Judgement {
    /// How long the deployment was to take.
    pub foreseen: Millis,
    /// How long it took.
    pub took: Millis,
}

impl Judgement {
    /// By how many percent of what it took the forecast was off.
    pub fn percent_off(&self) -> u64 {
        let off = self.foreseen.0.abs_diff(self.took.0);
        off.saturating_mul(100).checked_div(self.took.0).unwrap_or_default()
    }
}

fn push<T>(recent: &mut VecDeque<T>, most: usize, new: T) {
    recent.push_back(new);
    while recent.len() > most {
        recent.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lengths_are_dealt_out_in_turn_and_old_ones_forgotten() {
        let mut recent = Recent::default();
        assert_eq!((recent.typical(), recent.of(InstanceId(3)), recent.is_empty()), (None, None, true));
        for length in 1..=20 {
            recent.add(Millis(length));
        }
        assert_eq!((recent.len(), recent.typical()), (16, Some(Millis(13))));
        let mut dealt: Vec<u64> = (7..23).filter_map(|id| recent.of(InstanceId(id))).map(|m| m.0).collect();
        dealt.sort_unstable();
        assert_eq!(dealt, (5..=20).collect::<Vec<_>>());
    }

    #[test]
    fn a_forecast_is_judged_by_what_came() {
        let judged =
            |foreseen, took| Judgement { foreseen: Millis(foreseen), took: Millis(took) }.percent_off();
        assert_eq!((judged(80, 100), judged(125, 100), judged(5, 0)), (20, 25, 0));
    }
}
