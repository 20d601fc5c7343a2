//! Time as a value. Nothing here can ask what time it is.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01 UTC, on a clock that does not jump while Tandem runs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// How a length of time is told: `1h 30m`, `5m`, `3m 12s`, `250ms`.
const LENGTH: &str = "^(?=.)([0-9]{1,9}h)?( ?[0-9]{1,9}m)?( ?[0-9]{1,9}s)?( ?[0-9]{1,9}ms)?$";

/// A length of time in milliseconds. Written by people, and in files, as `250ms`, `30s`, `5m`, `1h 30m`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = LENGTH))]
pub struct Millis(pub u64);

impl Timestamp {
    /// The time from `earlier` to this; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Millis> for Timestamp {
    type Output = Timestamp;

    fn add(self, length: Millis) -> Timestamp {
        Timestamp(self.0.saturating_add(length.0))
    }
}

impl Sub<Millis> for Timestamp {
    type Output = Timestamp;

    fn sub(self, length: Millis) -> Timestamp {
        Timestamp(self.0.saturating_sub(length.0))
    }
}

impl Millis {
    /// No time at all.
    pub const ZERO: Millis = Millis(0);

    /// So many seconds.
    pub const fn from_secs(secs: u64) -> Millis {
        Millis(secs * 1000)
    }

    /// For people to read at a glance: `0.3s`, `4.1s`, `3m 12s`, `1h 5m`.
    pub fn rough(self) -> String {
        let tenths = (self.0 + 50) / 100;
        let secs = (self.0 + 500) / 1000;
        match (tenths, secs) {
            (0..600, _) => format!("{}.{}s", tenths / 10, tenths % 10),
            (_, 0..3600) => format!("{}m {}s", secs / 60, secs % 60),
            _ => format!("{}h {}m", secs / 3600, secs / 60 % 60),
        }
    }

    /// The same length for the standard library.
    pub const fn to_std(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl Add for Millis {
    type Output = Millis;

    fn add(self, other: Millis) -> Millis {
        Millis(self.0.saturating_add(other.0))
    }
}

/// Why a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseMillisError {
    /// No unit and number can be read in it.
    #[error("{0:?} is not a length of time: write for example \"500ms\", \"30s\", \"5m\" or \"1h 30m\"")]
    Form(String),
    /// It is negative.
    #[error("{0:?} is negative: a length of time is zero or more")]
    Negative(String),
}

impl FromStr for Millis {
    type Err = ParseMillisError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length: jiff::SignedDuration =
            text.trim().parse().map_err(|_| ParseMillisError::Form(text.to_owned()))?;
        u64::try_from(length.as_millis()).map(Millis).map_err(|_| ParseMillisError::Negative(text.to_owned()))
    }
}

impl TryFrom<String> for Millis {
    type Error = ParseMillisError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Millis> for String {
    fn from(length: Millis) -> String {
        length.to_string()
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.0 / 3_600_000, "h"),
            (self.0 / 60_000 % 60, "m"),
            (self.0 / 1000 % 60, "s"),
            (self.0 % 1000, "ms"),
        ];
        let text: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
        f.pad(&if text.is_empty() { "0s".to_owned() } else { text.join(" ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_people_write_them() {
        for (text, millis) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("0s", 0),
            ("10 minutes", 600_000),
        ] {
            assert_eq!(text.parse(), Ok(Millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for millis in [0, 1, 999, 1000, 61_001, 3_600_000, 90_061_001] {
            assert_eq!(Millis(millis).to_string().parse(), Ok(Millis(millis)));
        }
    }

    #[test]
    fn at_a_glance_nobody_wants_milliseconds() {
        for (millis, text) in [
            (0, "0.0s"),
            (16, "0.0s"),
            (4088, "4.1s"),
            (59_940, "59.9s"),
            (59_960, "1m 0s"),
            (192_400, "3m 12s"),
            (3_599_700, "1h 0m"),
            (3_900_000, "1h 5m"),
        ] {
            assert_eq!(Millis(millis).rough(), text);
        }
    }

    #[test]
    fn nonsense_and_negative_lengths_are_refused() {
        assert!(matches!("30".parse::<Millis>(), Err(ParseMillisError::Form(_))));
        assert!(matches!("soon".parse::<Millis>(), Err(ParseMillisError::Form(_))));
        assert!(matches!("-5s".parse::<Millis>(), Err(ParseMillisError::Negative(_))));
    }
}
