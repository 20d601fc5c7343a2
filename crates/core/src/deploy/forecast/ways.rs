//! The ways to deploy, weighed against each other: in time, in instances, in capacity and in the mixed state.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Step;
use crate::base::Amount;
use crate::spec::{DeploySpec, RollingSpec, Strategy, StrategyKind};
use crate::workflow::Figures;

/// One way to deploy, with what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Way {
    /// Its name, for people: `rolling, 2 at a time`.
    pub name: String,
    /// How it is carried out.
    pub strategy: Strategy,
    /// What it costs.
    pub figures: Figures,
    /// What would be done, in order.
    pub steps: Vec<Step>,
    /// No other way is at least as good in everything, and better in something.
    pub unbeaten: bool,
}

impl Figures {
    /// Whether whoever chooses these loses nothing and wins something.
    fn beats(&self, other: &Figures) -> bool {
        // What is to be large is subtracted from what it can't exceed.
        let prices = |figures: &Figures| {
            [
                figures.served.0,
                u64::from(figures.peak),
                u64::from(u32::MAX - figures.lowest_capacity.unwrap_or(u32::MAX)),
                figures.mixed_state.0,
                figures.extra.0,
                figures.back.map_or(0, |back| back.0),
                figures.first.of(u64::from(u32::MAX)),
            ]
        };
        let pairs: Vec<(u64, u64)> = prices(self).into_iter().zip(prices(other)).collect();
        pairs.iter().all(|(mine, theirs)| mine <= theirs) && pairs.iter().any(|(mine, theirs)| mine < theirs)
    }
}

/// Strategies worth weighing for so many instances, each with its name.
pub(super) fn candidates(spec: &DeploySpec, wanted: u32) -> Vec<(String, Strategy)> {
    let batches: BTreeSet<u32> =
        [1, wanted.div_ceil(10), wanted.div_ceil(4), wanted.div_ceil(2), wanted].into();
    // One by one through a large fleet is nothing that anybody waits for.
    let batches = batches.into_iter().filter(|batch| (1..=wanted).contains(batch) && batch * 50 >= wanted);
    let rolling = |batch: u32, surge: Option<Amount>| {
        let extra = if surge.is_some() { ", none extra" } else { "" };
        let strategy = RollingSpec { batch: Amount::Count(batch), surge, floor: None };
        (format!("rolling, {batch} at a time{extra}"), Strategy::Rolling(strategy))
    };
    let mut candidates = Vec::new();
    for batch in batches {
        candidates.push(rolling(batch, None));
        if batch < wanted {
            candidates.push(rolling(batch, Some(Amount::Count(0))));
        }
    }
    for kind in [StrategyKind::Flip, StrategyKind::Canary] {
        candidates.push((kind.name().to_owned(), spec.strategy(kind)));
    }
    candidates
}

/// Marks those that nothing else beats.
pub(super) fn weigh(ways: &mut [Way]) {
    let all: Vec<Figures> = ways.iter().map(|way| way.figures).collect();
    for way in ways {
        way.unbeaten = !all.iter().any(|other| other.beats(&way.figures));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Millis, Share};
    use crate::spec::FlipSpec;

    #[test]
    fn what_another_way_beats_in_everything_is_not_marked() {
        let figures = |secs: u64, peak, back: u64| Figures {
            took: Millis::ZERO,
            served: Millis::from_secs(secs),
            back: Some(Millis::from_secs(back)),
            first: Share::ALL,
            mixed_state: Millis::ZERO,
            peak,
            lowest_capacity: Some(4),
            extra: Millis::ZERO,
        };
        let unbeaten = |all: &[Figures]| {
            let way = |figures: &Figures| Way {
                name: String::new(),
                strategy: Strategy::Flip(FlipSpec::default()),
                figures: *figures,
                steps: Vec::new(),
                unbeaten: false,
            };
            let mut ways: Vec<Way> = all.iter().map(way).collect();
            weigh(&mut ways);
            ways.iter().map(|way| way.unbeaten).collect::<Vec<_>>()
        };
        let (quick, small, slow) = (figures(10, 8, 0), figures(40, 5, 20), figures(41, 8, 0));
        assert_eq!(unbeaten(&[quick, small, slow]), [true, true, false]);
        // Those that are alike beat each other in nothing.
        assert_eq!(unbeaten(&[quick, quick]), [true, true]);
        let starved = Figures { lowest_capacity: Some(3), ..quick };
        assert_eq!(unbeaten(&[quick, starved]), [true, false]);
    }
}
