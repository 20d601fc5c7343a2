//! The verdict: a pure function of the records.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::RequestKind;
use crate::record::{FailureKind, Outcome, Record};

/// How many examples of each failure are kept.
const EXAMPLES: usize = 5;

/// What a run has shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Requests that were due and have ended.
    pub sent: u64,
    /// Those with a whole answer of their own, status below 400.
    pub answered: u64,
    /// All others.
    pub failed: u64,
    /// The failures by their kind.
    pub failures: BTreeMap<FailureKind, Failures>,
    /// Answers that were for another request; they count as failed too.
    pub crossed: u64,
    /// Answers by the old version to requests sent after the first answer of the new one, during watched flips.
    pub wrong_version: Failures,
    /// Answers by version, for services that name it.
    pub versions: BTreeMap<String, u64>,
    /// Latency of answered requests, from the time at which they were due.
    pub latency: Latency,
    /// The longest time between two answers that follow each other, in microseconds.
    pub longest_gap: u64,
    /// From the start to the last end, in microseconds.
    pub lasted: u64,
    /// The ids of the orders whose execution was acknowledged, for `Journal::check`.
    #[serde(skip)]
    pub acknowledged: Vec<String>,
}

/// How often something went wrong, with some examples.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failures {
    /// How often.
    pub count: u64,
    /// The first few, for people.
    pub examples: Vec<String>,
}

/// Latency in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Latency {
    /// Half of all were quicker.
    pub p50: u64,
    /// 99 of 100 were quicker.
    pub p99: u64,
    /// The slowest.
    pub max: u64,
}

/// A flip that is watched: from `since` to `until`, microseconds from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlipWatch {
    /// The version that is switched away from.
    pub old: String,
    /// The version that is switched to.
    pub new: String,
    /// Each visitor switches for itself.
    pub each: bool,
    /// When the watch began.
    pub since: u64,
    /// When it ended; none: with the run.
    pub until: Option<u64>,
}

impl Failures {
    fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(example());
        }
    }
}

impl Verdict {
    /// Judges records of the run with this name.
    pub(crate) fn over(records: &[Record], flips: &[FlipWatch], run: &str) -> Verdict {
        let mut verdict = Verdict {
            sent: records.len() as u64,
            answered: 0,
            failed: 0,
            failures: BTreeMap::new(),
            crossed: 0,
            wrong_version: Failures::default(),
            versions: BTreeMap::new(),
            latency: latency(records),
            longest_gap: longest_gap(records),
            lasted: records.iter().map(|record| record.end).max().unwrap_or(0),
            acknowledged: Vec::new(),
        };
        for record in records {
            let id = || format!("{run}-{}", record.number);
            match &record.outcome {
                Outcome::Answered { version, .. } => {
                    verdict.answered += 1;
                    if let Some(version) = version {
                        *verdict.versions.entry(version.to_string()).or_default() += 1;
                    }
                    if record.kind == RequestKind::Post {
                        verdict.acknowledged.push(id());
                    }
                }
                Outcome::Failed { kind, what, version } => {
                    verdict.failed += 1;
                    verdict.crossed += u64::from(*kind == FailureKind::Crossed);
                    let by = version.as_ref().map_or(String::new(), |version| format!(" by {version}"));
                    let at = record.end as f64 / 1e6;
                    let example = || format!("{} {:?} at {at:.3} s{by}: {what}", id(), record.kind);
                    verdict.failures.entry(*kind).or_default().add(example);
                }
            }
        }
        for flip in flips {
            if !flip.each {
                verdict.judge_flip(flip, &records.iter().collect::<Vec<_>>(), run);
                continue;
            }
            let mut visitors: BTreeMap<u32, Vec<&Record>> = BTreeMap::new();
            for record in records {
                if let Some(visitor) = record.visitor {
                    visitors.entry(visitor).or_default().push(record);
                }
            }
            visitors.values().for_each(|records| verdict.judge_flip(flip, records, run));
        }
        verdict
    }

    fn judge_flip(&mut self, flip: &FlipWatch, records: &[&Record], run: &str) {
        let until = flip.until.unwrap_or(u64::MAX);
        let by = |record: &Record, wanted: &str| version(record) == Some(wanted);
        let first = records.iter().filter(|record| record.end >= flip.since && record.end <= until);
        let Some(first) = first.filter(|record| by(record, &flip.new)).map(|record| record.end).min() else {
            return;
        };
        for record in records.iter().filter(|record| record.sent > first && record.sent <= until) {
            if by(record, &flip.old) {
                let late = (record.sent - first) as f64 / 1e3;
                let (old, new) = (&flip.old, &flip.new);
                self.wrong_version.add(|| {
                    format!(
                        "{run}-{}: sent {late:.1} ms after the first answer of {new}, answered by {old}",
                        record.number
                    )
                });
            }
        }
    }

    /// Whether nothing went wrong, and something was answered.
    pub fn is_clean(&self) -> bool {
        self.failed == 0 && self.crossed == 0 && self.wrong_version.count == 0 && self.answered > 0
    }
}

fn version(record: &Record) -> Option<&str> {
    match &record.outcome {
        Outcome::Answered { version, .. } | Outcome::Failed { version, .. } => version.as_deref(),
    }
}

fn answered(records: &[Record]) -> impl Iterator<Item = &Record> {
    records.iter().filter(|record| matches!(record.outcome, Outcome::Answered { .. }))
}

fn latency(records: &[Record]) -> Latency {
    // A slow upload takes as long as it is made to take: it says nothing of the service.
    let quick = answered(records).filter(|record| record.kind != RequestKind::Upload);
    let mut all: Vec<u64> = quick.map(|record| record.end.saturating_sub(record.due)).collect();
    all.sort_unstable();
    let at = |share: usize| {
        all.get((all.len() * share / 100).min(all.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    Latency { p50: at(50), p99: at(99), max: all.last().copied().unwrap_or(0) }
}

fn longest_gap(records: &[Record]) -> u64 {
    // Slow uploads end when they end: what is left of them after the last quick request is no gap.
    let quick = answered(records).filter(|record| record.kind != RequestKind::Upload);
    let mut ends: Vec<u64> = quick.map(|record| record.end).collect();
    ends.sort_unstable();
    ends.windows(2).filter_map(|pair| Some(pair.last()? - pair.first()?)).max().unwrap_or(0)
}

fn millis(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1e3)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "sent {}, answered {}, failed {}, crossed {}, wrong version after the flip {}",
            self.sent, self.answered, self.failed, self.crossed, self.wrong_version.count
        )?;
        let Latency { p50, p99, max } = self.latency;
        write!(
            f,
            "latency from the intended time: p50 {}, p99 {}, longest {}; longest gap between answers {}; {:.1} s in all",
            millis(p50),
            millis(p99),
            millis(max),
            millis(self.longest_gap),
            self.lasted as f64 / 1e6
        )?;
        if !self.versions.is_empty() {
            let all: Vec<String> =
                self.versions.iter().map(|(version, count)| format!("{version} {count}")).collect();
            write!(f, "\nanswers by version: {}", all.join(", "))?;
        }
        for (kind, failures) in &self.failures {
            write!(f, "\nfailed ({}): {}", kind.name(), failures.count)?;
            failures.examples.iter().try_for_each(|example| write!(f, "\n  {example}"))?;
        }
        self.wrong_version.examples.iter().try_for_each(|example| write!(f, "\nwrong version: {example}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u64, sent: u64, end: u64, version: &str) -> Record {
        let outcome = Outcome::Answered { status: 200, version: Some(version.into()) };
        Record {
            number,
            kind: RequestKind::Get,
            visitor: Some((number % 2) as u32),
            due: sent,
            sent,
            end,
            outcome,
        }
    }

    fn flip(until: Option<u64>) -> Vec<FlipWatch> {
        vec![FlipWatch { old: "v1".to_owned(), new: "v2".to_owned(), each: false, since: 10, until }]
    }

    #[test]
    fn an_old_answer_counts_only_if_its_request_was_sent_after_the_first_new_answer() {
        let records = [
            record(0, 5, 30, "v1"),
            record(1, 12, 20, "v2"),
            record(2, 19, 40, "v1"),
            record(3, 21, 41, "v1"),
        ];
        let verdict = Verdict::over(&records, &flip(None), "r");
        assert_eq!(verdict.wrong_version.count, 1);
        assert!(verdict.wrong_version.examples.iter().all(|text| text.starts_with("r-3:")));
        assert!(!verdict.is_clean());
    }

    #[test]
    fn each_visitor_switches_for_itself() {
        let mut watch = flip(None);
        watch[0].each = true;
        let records = [record(0, 12, 20, "v2"), record(1, 21, 41, "v1"), record(2, 22, 42, "v1")];
        let verdict = Verdict::over(&records, &watch, "r");
        assert_eq!(verdict.wrong_version.count, 1);
        assert!(verdict.wrong_version.examples[0].starts_with("r-2:"), "{verdict}");
    }

    #[test]
    fn after_its_end_a_watch_sees_nothing() {
        let records = [record(1, 12, 20, "v2"), record(3, 21, 41, "v1")];
        assert!(Verdict::over(&records, &flip(Some(20)), "r").is_clean());
    }

    #[test]
    fn latency_and_gaps() {
        let records: Vec<Record> = (0..100).map(|n| record(n, n * 10, n * 10 + n, "v1")).collect();
        let verdict = Verdict::over(&records, &[], "r");
        assert_eq!(verdict.latency, Latency { p50: 50, p99: 99, max: 99 });
        assert_eq!(verdict.longest_gap, 11);
    }

    #[test]
    fn nothing_sent_is_not_clean() {
        assert!(!Verdict::over(&[], &[], "r").is_clean());
    }
}
