//! What the answers of a version were like, in sums: by these a new version is compared with an old one.
//!
//! Finer than what is shown to monitoring systems, since 1.5 times as slow must be seen. Knows neither how it is counted nor what
//! follows from it. Tested in place.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answers of one version, growing during one run of the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Answers {
    /// All requests that instances of it were given and that ended, but those whose client went away.
    pub all: u64,
    /// Of these, those that failed: answered 5xx, or not at all.
    pub failed: u64,
    /// How long the heads of answers took.
    pub latencies: Latencies,
}

impl Answers {
    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Answers) -> Answers {
        Answers {
            all: self.all.saturating_add(other.all),
            failed: self.failed.saturating_add(other.failed),
            latencies: self.latencies.plus(&other.latencies),
        }
    }

    /// What came since `before`. Saturates at zero.
    #[must_use]
    pub fn since(&self, before: &Answers) -> Answers {
        Answers {
            all: self.all.saturating_sub(before.all),
            failed: self.failed.saturating_sub(before.failed),
            latencies: self.latencies.since(&before.latencies),
        }
    }
}

/// How often something took how long, in buckets of which each ends an eighth of a power of two after the one before; what
/// is not there is none. Written as pairs: numbers as keys are not read back where an event is flattened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Vec<(u16, u64)>", into = "Vec<(u16, u64)>")]
pub struct Latencies(BTreeMap<u16, u64>);

impl From<Vec<(u16, u64)>> for Latencies {
    fn from(pairs: Vec<(u16, u64)>) -> Latencies {
        Latencies(pairs.into_iter().collect())
    }
}

impl From<Latencies> for Vec<(u16, u64)> {
    fn from(latencies: Latencies) -> Vec<(u16, u64)> {
        latencies.0.into_iter().collect()
    }
}

/// Up to 2 to this power microseconds all is one bucket.
const FIRST: u32 = 8;
/// From 2 to this power microseconds on (67 s) all is one bucket.
const LAST: u32 = 26;
/// Each power of two has so many buckets, as a power of two.
const PARTS: u32 = 3;

impl Latencies {
    /// The number of buckets.
    pub const BUCKETS: usize = (((LAST - FIRST) << PARTS) + 2) as usize;

    /// The bucket for a length in microseconds.
    pub fn bucket(micros: u64) -> usize {
        let octave = micros.checked_ilog2().unwrap_or(0);
        if octave < FIRST {
            return 0;
        }
        if octave >= LAST {
            return Self::BUCKETS - 1;
        }
        let part = (micros >> (octave - PARTS)) & ((1 << PARTS) - 1);
        (1 + ((octave - FIRST) << PARTS)) as usize + part as usize
    }

    /// Where a bucket begins and ends, in microseconds; the last one has no end.
    fn span(bucket: u16) -> (u64, Option<u64>) {
        let start = |bucket: u16| {
            let (octave, part) = ((bucket - 1) >> PARTS, (bucket - 1) & ((1 << PARTS) - 1));
            let octave = u32::from(octave) + FIRST;
            (1_u64 << octave) + (u64::from(part) << (octave - PARTS))
        };
        let is_last = usize::from(bucket) + 1 >= Self::BUCKETS;
        match bucket {
            0 => (0, Some(1 << FIRST)),
            _ if is_last => (1 << LAST, None),
            _ => (start(bucket), Some(start(bucket + 1))),
        }
    }

    /// From the counts of all buckets, in their order.
    pub fn of(counts: impl IntoIterator<Item = u64>) -> Latencies {
        Latencies((0_u16..).zip(counts).filter(|(_, count)| *count > 0).collect())
    }

    /// How often in all.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// How often it surely took longer than this, in microseconds.
    pub fn longer_than(&self, micros: u64) -> u64 {
        self.0.iter().filter(|(bucket, _)| Self::span(**bucket).0 >= micros).map(|(_, count)| count).sum()
    }

    /// The length that all but this share (0 to 1) of them surely did not exceed, in microseconds. None: there are none, or it
    /// is longer than can be told.
    pub fn quantile(&self, beyond: f64) -> Option<u64> {
        let allowed = beyond * self.count() as f64;
        self.ends().find(|(_, longer)| (*longer as f64) <= allowed).map(|(end, _)| end)
    }

    /// The ends of the buckets that hold something, each with how often it took longer.
    pub fn ends(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut longer = self.count();
        self.0.iter().filter_map(move |(bucket, count)| {
            longer -= count;
            Self::span(*bucket).1.map(|end| (end, longer))
        })
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Latencies) -> Latencies {
        let mut sum = self.0.clone();
        for (bucket, count) in &other.0 {
            let known = sum.entry(*bucket).or_default();
            *known = known.saturating_add(*count);
        }
        Latencies(sum)
    }

    /// What came since `before`. Saturates at zero.
    #[must_use]
    pub fn since(&self, before: &Latencies) -> Latencies {
        let earlier = |bucket: &u16| before.0.get(bucket).copied().unwrap_or_default();
        let rest = self.0.iter().map(|(bucket, count)| (*bucket, count.saturating_sub(earlier(bucket))));
        Latencies(rest.filter(|(_, count)| *count > 0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(micros: &[u64]) -> Latencies {
        let mut counts = vec![0; Latencies::BUCKETS];
        micros.iter().for_each(|micros| counts[Latencies::bucket(*micros)] += 1);
        Latencies::of(counts)
    }

    #[test]
    fn each_length_lies_in_its_bucket_and_buckets_are_narrow() {
        let lengths =
            (0..40).flat_map(|power| [(1_u64 << power) - 1, 1 << power, (1 << power) + (1 << power) / 3]);
        for micros in lengths {
            let bucket = Latencies::bucket(micros);
            assert!(bucket < Latencies::BUCKETS, "{micros}");
            let (start, end) = Latencies::span(bucket as u16);
            assert!(start <= micros && end.is_none_or(|end| micros < end), "{micros} in {start}..{end:?}");
            if let Some(end) = end.filter(|_| start > 0) {
                assert!((end - start) * 8 <= start, "{start}..{end}");
            }
        }
        assert_eq!((Latencies::bucket(0), Latencies::bucket(u64::MAX)), (0, Latencies::BUCKETS - 1));
    }

    #[test]
    fn quantiles_and_what_is_longer_are_told_to_a_bucket() {
        let seen = latencies(&[1_000, 1_000, 1_000, 60_000]);
        assert_eq!((seen.count(), seen.longer_than(1_024), seen.longer_than(61_440)), (4, 1, 0));
        assert_eq!((seen.quantile(0.25), seen.quantile(0.0)), (Some(1_024), Some(61_440)));
        assert_eq!(latencies(&[]).quantile(0.5), None);
        assert_eq!(latencies(&[u64::MAX]).quantile(0.01), None, "longer than can be told");
    }

    #[test]
    fn sums_are_added_and_subtracted() {
        let (before, after) = (latencies(&[1, 60_000]), latencies(&[1, 60_000, 60_000, 7_000]));
        assert_eq!(after.since(&before), latencies(&[60_000, 7_000]));
        assert_eq!(after.since(&before).plus(&before), after);
        assert_eq!(before.since(&after), Latencies::default());
    }
}
