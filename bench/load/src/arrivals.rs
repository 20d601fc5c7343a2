//! When requests are due, and of which kind: a fixed sequence for each seed.

use std::time::Duration;

use crate::plan::{Pace, Plan, RequestKind};

/// The requests of a run in order, each with its time from the start.
pub(crate) struct Arrivals {
    random: u64,
    number: u64,
    at: f64,
    plan: Plan,
}

/// A request that is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// Counts from 0.
    pub(crate) number: u64,
    /// The time from the start.
    pub(crate) due: Duration,
    /// What is to be sent.
    pub(crate) kind: RequestKind,
}

impl Arrivals {
    pub(crate) fn of(plan: &Plan) -> Self {
        Arrivals { random: plan.seed, number: 0, at: 0.0, plan: plan.clone() }
    }

    /// A sequence that looks random (splitmix64).
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        if self.number >= self.plan.at_most {
            return None;
        }
        let due = Duration::from_secs_f64(self.at);
        if due > self.plan.lasting {
            return None;
        }
        let random = self.next_random();
        let arrival = Arrival { number: self.number, due, kind: self.plan.mix.pick(random) };
        // 53 bits: as many as a float holds; never 0, so that the logarithm is finite.
        let share = ((self.next_random() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        self.at += match self.plan.pace {
            Pace::Constant => 1.0 / self.plan.rate,
            Pace::Poisson => -share.ln() / self.plan.rate,
        };
        self.number += 1;
        Some(arrival)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_paces_keep_the_rate() {
        for pace in [Pace::Constant, Pace::Poisson] {
            let mut plan = Plan::new(([127, 0, 0, 1], 1).into());
            (plan.rate, plan.pace, plan.lasting) = (1000.0, pace, Duration::from_secs(10));
            let count = Arrivals::of(&plan).count();
            assert!((9_700..=10_300).contains(&count), "{pace:?}: {count}");
        }
    }

    #[test]
    fn a_run_is_bounded_in_number() {
        let mut plan = Plan::new(([127, 0, 0, 1], 1).into());
        plan.at_most = 7;
        assert_eq!(Arrivals::of(&plan).count(), 7);
    }
}
