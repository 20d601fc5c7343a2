//! A version that is watched against its limits, and against the version before: what is found.
//!
//! Pure arithmetic on sums. What follows from it is `guard`'s and `canary`'s. Tested in place.

use super::evidence::{at_most, exceeds, exceeds_by};
use crate::spec::{ErrorLimit, GuardSpec, LatencyLimit};
use crate::traffic::Answers;
use crate::workflow::{Compared, Finding, Judged};

/// What is found of the answers of a new version, with those of the version before if there are any.
pub fn judge(spec: &GuardSpec, new: &Answers, before: Option<&Answers>) -> Vec<Finding> {
    let judge = Judge { sample: u64::from(spec.sample), new, before };
    let quantiles = [(50, spec.p50), (95, spec.p95), (99, spec.p99)];
    let latencies = quantiles.into_iter().filter_map(|(at, limit)| Some(judge.latency(at, limit?)));
    let needed = Finding {
        what: Compared::Answers { needed: spec.sample },
        verdict: if new.all >= judge.sample { Judged::Good } else { Judged::Unclear },
        of: new.all,
        against: None,
    };
    [needed].into_iter().chain(spec.errors.map(|limit| judge.errors(limit))).chain(latencies).collect()
}

struct Judge<'a> {
    /// Fewer are too few.
    sample: u64,
    new: &'a Answers,
    before: Option<&'a Answers>,
}

impl Judge<'_> {
    fn errors(&self, limit: ErrorLimit) -> Finding {
        let (failed, of) = (self.new.failed, self.new.all);
        let seen = failed as f64 / of.max(1) as f64;
        let (verdict, before) = match limit {
            ErrorLimit::Share(share) => {
                let limit = share.fraction();
                (self.verdict(seen > limit, exceeds(failed, of, limit), true), None)
            }
            ErrorLimit::More(more) => {
                let known = self.before.filter(|before| before.all > 0);
                let (lost, all) = known.map_or((0, 0), |before| (before.failed, before.all));
                let limit = lost as f64 / all.max(1) as f64 + more.fraction();
                let surely = exceeds_by((failed, of), (lost, all), more.fraction());
                (self.verdict(seen > limit, surely, all >= self.sample), known.map(|before| before.failed))
            }
        };
        let against = before.and(self.before).map(|before| before.all);
        Finding { what: Compared::Errors { failed, before, limit }, verdict, of, against }
    }

    /// Of so many of each hundred. That a quantile exceeds a limit means that more than the rest exceed it: a rate, too.
    fn latency(&self, quantile: u32, limit: LatencyLimit) -> Finding {
        let beyond = f64::from(100 - quantile) / 100.0;
        let of = self.new.latencies.count();
        let micros = self.new.latencies.quantile(beyond);
        let longer = |limit: u64| micros.is_none_or(|micros| micros > limit) && of > 0;
        let (verdict, before) = match limit {
            LatencyLimit::Time(time) => {
                let limit = time.0.saturating_mul(1000);
                let surely = exceeds(self.new.latencies.longer_than(limit), of, beyond);
                (self.verdict(longer(limit), surely, true), None)
            }
            LatencyLimit::Times(hundredths) => {
                let times = |micros: u64| micros.saturating_mul(u64::from(hundredths)) / 100;
                let known = self.before.filter(|before| before.latencies.count() > 0);
                let before = known.and_then(|before| before.latencies.quantile(beyond));
                let surely = known.and_then(|before| longest(before, beyond)).is_some_and(|longest| {
                    exceeds(self.new.latencies.longer_than(times(longest)), of, beyond)
                });
                let enough = known.is_some_and(|before| before.latencies.count() >= self.sample);
                (self.verdict(before.is_some_and(|before| longer(times(before))), surely, enough), before)
            }
        };
        let against = before.and(self.before).map(|before| before.latencies.count());
        Finding { what: Compared::Latency { quantile, micros, before, limit }, verdict, of, against }
    }

    /// `enough`: there is enough to compare with.
    fn verdict(&self, beyond: bool, surely: bool, enough: bool) -> Judged {
        match () {
            () if surely => Judged::Worse,
            () if self.new.all < self.sample || !enough => Judged::Unclear,
            () if beyond => Judged::Doubtful,
            () => Judged::Good,
        }
    }
}

/// What a quantile surely does not exceed. None: too few to tell.
fn longest(answers: &Answers, beyond: f64) -> Option<u64> {
    let all = answers.latencies.count();
    answers.latencies.ends().find(|(_, longer)| at_most(*longer, all) <= beyond).map(|(end, _)| end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Millis, Share};
    use crate::traffic::Latencies;

    /// So many answers of which so many failed, each taking one of these times.
    fn answers(all: u64, failed: u64, micros: &[u64]) -> Answers {
        let mut counts = vec![0; Latencies::BUCKETS];
        for at in 0..all {
            counts[Latencies::bucket(micros[at as usize % micros.len()])] += 1;
        }
        Answers { all, failed, latencies: Latencies::of(counts) }
    }

    fn verdict(spec: GuardSpec, new: &Answers, before: &Answers) -> Judged {
        judge(&spec, new, Some(before)).iter().map(|finding| finding.verdict).max().unwrap()
    }

    #[test]
    fn errors_are_compared_with_the_version_before_or_with_a_limit() {
        let more = GuardSpec::default();
        let limit = GuardSpec { errors: Some(ErrorLimit::Share(Share::percent(1))), ..more };
        let (fast, old) = (&[1_000], answers(10_000, 30, &[1_000]));
        for (failed, all, than_before, than_limit) in [
            (0, 199, Judged::Unclear, Judged::Unclear),
            (0, 200, Judged::Good, Judged::Good),
            (25, 2_000, Judged::Good, Judged::Doubtful),
            (30, 2_000, Judged::Doubtful, Judged::Doubtful),
            (80, 2_000, Judged::Worse, Judged::Worse),
            (20, 40, Judged::Worse, Judged::Worse),
        ] {
            let new = answers(all, failed, fast);
            assert_eq!(verdict(more, &new, &old), than_before, "{failed}/{all} and before 30/10000");
            assert_eq!(verdict(limit, &new, &Answers::default()), than_limit, "{failed}/{all}");
        }
        let new = answers(1_000, 0, fast);
        assert_eq!(verdict(more, &new, &Answers::default()), Judged::Unclear, "nothing to compare with");
    }

    #[test]
    fn latencies_are_compared_with_the_version_before_or_with_a_limit() {
        let none = GuardSpec { errors: None, ..GuardSpec::default() };
        let times = GuardSpec { p99: Some(LatencyLimit::Times(120)), ..none };
        let limit = GuardSpec { p95: Some(LatencyLimit::Time(Millis(50))), ..none };
        // A few in a hundred are slow.
        let mut usual = vec![10_000; 98];
        usual.extend([40_000, 40_000]);
        let slower: Vec<u64> = usual.iter().map(|micros| micros * 3 / 2).collect();
        let old = answers(5_000, 0, &usual);
        for (new, than_before) in [
            (answers(5_000, 0, &usual), Judged::Good),
            (answers(5_000, 0, &slower), Judged::Worse),
            (answers(300, 0, &slower), Judged::Doubtful),
            (answers(50, 0, &slower), Judged::Unclear),
        ] {
            assert_eq!(verdict(times, &new, &old), than_before, "{:?}", new.latencies.quantile(0.01));
        }
        assert_eq!(verdict(times, &old, &answers(50, 0, &usual)), Judged::Unclear, "little to compare with");
        assert_eq!(verdict(limit, &old, &Answers::default()), Judged::Good);
        let slow = answers(1_000, 0, &[10_000, 90_000]);
        assert_eq!(verdict(limit, &slow, &Answers::default()), Judged::Worse);
        assert_eq!(verdict(limit, &answers(0, 0, &[1]), &old), Judged::Unclear);
    }
}
