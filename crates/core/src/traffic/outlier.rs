//! Which instances are left alone although their checks are good: those that fail far more than the others do.
//!
//! What all do alike is nobody's own fault (their database is down), and takes nobody out. Knows no time and no sockets.
//! Tested in place.

use std::cmp::Reverse;

use crate::base::Millis;
use crate::spec::EjectSpec;

/// An outlier fails at least so many times as often as the others.
const TIMES: u128 = 2;
/// A rest grows no more after so many.
const MOST_RESTS: u32 = 10;

/// What was seen of an instance within the time that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Requests that ended.
    pub requests: u64,
    /// Of these, those that failed.
    pub failed: u64,
}

/// The indices of those that are to be left alone now, the worst first. `resting`: how many of the pool are already.
pub fn outliers(seen: &[Seen], resting: usize, spec: &EjectSpec) -> Vec<usize> {
    let pool = seen.len() + resting;
    // One of several can always be left alone: that is what this is for.
    let most = usize::try_from(spec.most.of(pool as u64)).unwrap_or(pool).max(usize::from(pool > 1));
    let room = most.min(pool.saturating_sub(1)).saturating_sub(resting);
    let all = seen.iter().fold(Seen::default(), |sum, one| Seen {
        requests: sum.requests + one.requests,
        failed: sum.failed + one.failed,
    });
    let is_outlier = |one: &Seen| {
        let others = Seen { requests: all.requests - one.requests, failed: all.failed - one.failed };
        one.requests >= u64::from(spec.requests)
            && one.failed > 0
            && spec.errors.is_reached(one.failed, one.requests)
            && others.requests > 0
            && u128::from(one.failed) * u128::from(others.requests)
                >= TIMES * u128::from(others.failed) * u128::from(one.requests)
    };
    let mut found: Vec<usize> = (0..seen.len()).filter(|&at| seen.get(at).is_some_and(is_outlier)).collect();
    found.sort_by_key(|&at| seen.get(at).map(|one| Reverse(one.failed * 1_000_000 / one.requests.max(1))));
    found.truncate(room);
    found
}

/// How long one is left alone for the `nth` time, the first being 1.
pub fn rest(nth: u32, spec: &EjectSpec) -> Millis {
    Millis(spec.rest.0.saturating_mul(u64::from(nth.clamp(1, MOST_RESTS))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Share;

    const NONE: [usize; 0] = [];

    fn spec() -> EjectSpec {
        EjectSpec { errors: "50%".parse().unwrap(), ..EjectSpec::default() }
    }

    fn found(seen: &[(u64, u64)], resting: usize) -> Vec<usize> {
        let seen: Vec<Seen> = seen.iter().map(|&(failed, requests)| Seen { requests, failed }).collect();
        outliers(&seen, resting, &spec())
    }

    #[test]
    fn who_fails_far_more_than_the_others_is_one() {
        assert_eq!(found(&[(0, 100), (60, 100), (1, 100)], 0), [1]);
        assert_eq!(found(&[(0, 100), (49, 100), (1, 100)], 0), NONE, "less than half of its requests");
        assert_eq!(found(&[(0, 100), (19, 19), (1, 100)], 0), NONE, "too few to say");
        assert_eq!(found(&[(90, 100), (95, 100), (90, 100)], 0), NONE, "all of them do");
        assert_eq!(found(&[(100, 100)], 0), NONE, "there is no other");
        assert_eq!(found(&[(100, 100), (0, 0)], 0), NONE, "of the other nothing is known");
    }

    #[test]
    fn no_more_than_a_part_of_the_pool_is_left_alone() {
        let three = [(60, 100), (80, 100), (0, 1000), (0, 1000), (70, 100)];
        assert_eq!(found(&three, 0), [1, 4], "the worst of them: two of five are half");
        assert_eq!(found(&three, 1), [1, 4]);
        assert_eq!(found(&three, 2), [1], "of seven three");
        assert_eq!(found(&three, 4), NONE, "of nine four, and they are");
        assert_eq!(found(&[(60, 100), (0, 100)], 0), [0], "one of two");
        let none = EjectSpec { most: Share::NONE, ..spec() };
        let seen = [Seen { requests: 100, failed: 60 }, Seen { requests: 100, failed: 0 }];
        assert_eq!(outliers(&seen, 0, &none), [0], "one can always go");
    }

    #[test]
    fn a_rest_grows_up_to_ten_times() {
        let rest = |nth| rest(nth, &spec()).0;
        assert_eq!(
            [0, 1, 2, 10, 11, u32::MAX].map(rest),
            [30_000, 30_000, 60_000, 300_000, 300_000, 300_000]
        );
    }
}
