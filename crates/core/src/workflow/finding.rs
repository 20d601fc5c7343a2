//! What was found of a version that is watched: a value beside its limit, with the numbers that it rests on.
//!
//! Values only, for the journal and for people; how they are found is `deploy::guard`'s. Tested in place.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Grouped, Share};
use crate::spec::{ErrorLimit, LatencyLimit};

/// One thing that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What.
    pub what: Compared,
    /// What came of it.
    pub verdict: Judged,
    /// So many answers of the new version were counted.
    pub of: u64,
    /// So many of the version before, if it was compared with that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<u64>,
}

/// What was compared, with its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "compared")]
pub enum Compared {
    /// Nothing yet.
    Answers {
        /// So many are needed.
        needed: u32,
    },
    /// How many answers are failures.
    Errors {
        /// So many of the new version's.
        failed: u64,
        /// So many of the version's before, if it was compared with that one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
        /// The limit.
        limit: ErrorLimit,
    },
    /// How long answers take, to the head.
    Latency {
        /// Of so many of each hundred.
        quantile: u32,
        /// What they did not exceed, in microseconds. None: longer than can be told.
        micros: Option<u64>,
        /// What those of the version before did not exceed, if it was compared with that one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
        /// The limit.
        limit: LatencyLimit,
    },
}

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// Within its limit.
    Good,
    /// Too few answers to tell.
    Unclear,
    /// Beyond its limit, and it may be by chance.
    Doubtful,
    /// Beyond its limit, and not by chance.
    Worse,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.verdict >= Judged::Doubtful { '>' } else { '≤' };
        let of = Grouped(self.of);
        match &self.what {
            Compared::Answers { .. } if self.verdict == Judged::Good => write!(f, "{of} answers")?,
            Compared::Answers { needed } => write!(f, "{of} of {} answers", Grouped(u64::from(*needed)))?,
            Compared::Errors { failed, before, limit } => {
                write!(f, "errors {} ({failed}/{of}) {sign} ", part(*failed, self.of))?;
                match (limit, before.zip(self.against)) {
                    (ErrorLimit::More(more), Some((before, against))) => {
                        write!(f, "{} ({before}/{}) + {more}", part(before, against), Grouped(against))?;
                    }
                    (ErrorLimit::More(more), None) => write!(f, "before + {more}")?,
                    (ErrorLimit::Share(share), _) => write!(f, "{share}")?,
                }
            }
            Compared::Latency { quantile, micros, before, limit } => {
                let shown =
                    |micros: &Option<u64>| micros.map_or_else(|| "more than a minute".to_owned(), time);
                write!(f, "p{quantile} {} ({of} answers) {sign} ", shown(micros))?;
                match limit {
                    LatencyLimit::Time(limit) => write!(f, "{limit}")?,
                    LatencyLimit::Times(_) => {
                        let against = Grouped(self.against.unwrap_or(0));
                        let times = limit.to_string();
                        let times = times.trim_start_matches("< ");
                        write!(f, "{times} {} ({against} answers)", shown(before))?;
                    }
                }
            }
        }
        match self.verdict {
            Judged::Good | Judged::Worse => Ok(()),
            Judged::Unclear => f.write_str(", too few to tell"),
            Judged::Doubtful => f.write_str(", perhaps by chance"),
        }
    }
}

/// A part of a whole as a percentage, to a hundredth.
fn part(part: u64, whole: u64) -> Share {
    let fraction = part as f64 / whole.max(1) as f64;
    Share::nearest((fraction * 10_000.0).round() / 10_000.0)
}

/// A length for people.
fn time(micros: u64) -> String {
    match micros {
        0..10_000 => format!("{}.{}ms", micros / 1000, micros % 1000 / 100),
        10_000..10_000_000 => format!("{}ms", micros / 1000),
        _ => format!("{}s", micros / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Millis;

    #[test]
    fn findings_show_value_limit_and_sample() {
        let errors = |limit, before| Compared::Errors { failed: 38, before, limit };
        let latency =
            |limit, before| Compared::Latency { quantile: 99, micros: Some(312_400), before, limit };
        let one = Share::percent(1);
        for (what, against, verdict, shown) in [
            (errors(ErrorLimit::Share(one), None), None, Judged::Worse, "errors 1.9% (38/2 004) > 1%"),
            (
                errors(ErrorLimit::More(one), Some(5)),
                Some(1_000),
                Judged::Doubtful,
                "errors 1.9% (38/2 004) > 0.5% (5/1 000) + 1%, perhaps by chance",
            ),
            (
                latency(LatencyLimit::Times(150), Some(180_000)),
                Some(4_301),
                Judged::Worse,
                "p99 312ms (2 004 answers) > 1.5x 180ms (4 301 answers)",
            ),
            (
                latency(LatencyLimit::Time(Millis(400)), None),
                None,
                Judged::Good,
                "p99 312ms (2 004 answers) ≤ 400ms",
            ),
            (
                Compared::Answers { needed: 9_000 },
                None,
                Judged::Unclear,
                "2 004 of 9 000 answers, too few to tell",
            ),
        ] {
            let finding = Finding { what, verdict, of: 2_004, against };
            assert_eq!(finding.to_string(), shown);
        }
    }
}
