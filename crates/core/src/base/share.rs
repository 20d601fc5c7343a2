//! A part of a whole, down to a millionth.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// So many of each million; written as a percentage: `1%`, `0.25%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Share(u32);

/// The text is no percentage from 0 to 100.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a share: write a percentage such as \"1%\" or \"0.25%\"")]
pub struct ShareError(String);

/// A million.
const WHOLE: u32 = 1_000_000;

impl Share {
    /// All.
    pub const ALL: Share = Share(WHOLE);
    /// None.
    pub const NONE: Share = Share(0);
    /// Every other one.
    pub const HALF: Share = Share(WHOLE / 2);

    /// So many percent; all at most.
    pub const fn percent(percent: u32) -> Share {
        if percent < 100 { Share(percent * (WHOLE / 100)) } else { Share(WHOLE) }
    }

    /// As a fraction, from 0 to 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }

    /// So many of a number, rounded down.
    pub fn of(self, whole: u64) -> u64 {
        let part = u128::from(whole) * u128::from(self.0) / u128::from(WHOLE);
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// So many of a number, rounded up.
    pub fn of_rounded_up(self, whole: u32) -> u32 {
        (u64::from(whole) * u64::from(self.0)).div_ceil(u64::from(WHOLE)) as u32
    }

    /// The nearest to a fraction from 0 to 1.
    pub fn nearest(fraction: f64) -> Share {
        Share((fraction.clamp(0.0, 1.0) * f64::from(WHOLE)).round() as u32)
    }

    /// Whether a part of a whole is at least this share of it.
    pub fn is_reached(self, part: u64, whole: u64) -> bool {
        u128::from(part) * u128::from(WHOLE) >= u128::from(whole) * u128::from(self.0)
    }

    /// Whether one that drew this lot is among them. Any number will do that is as likely as any other.
    pub fn draws(self, lot: u64) -> bool {
        (lot % u64::from(WHOLE)) < u64::from(self.0)
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let wrong = || ShareError(text.to_owned());
        let number = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || fraction.len() > 4 || !digits(whole) || !digits(fraction) {
            return Err(wrong());
        }
        let percent: u32 = whole.parse().map_err(|_| wrong())?;
        let rest: u32 = format!("{fraction:0<4}").parse().map_err(|_| wrong())?;
        let millionths = percent.checked_mul(WHOLE / 100).and_then(|all| all.checked_add(rest));
        millionths.filter(|all| *all <= WHOLE).map(Share).ok_or_else(wrong)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:04}", self.0 % (WHOLE / 100));
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}%", self.0 / (WHOLE / 100)),
            digits => write!(f, "{}.{digits}%", self.0 / (WHOLE / 100)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages() {
        for (text, millionths) in
            [("1%", 10_000), ("0.25 %", 2_500), ("100%", WHOLE), ("0.0001%", 1), ("0%", 0)]
        {
            let share: Share = text.parse().unwrap();
            assert_eq!(share.0, millionths, "{text}");
            assert_eq!(share.to_string().parse(), Ok(share));
        }
        for text in ["1", "101%", "100.0001%", "-1%", "1.00001%", ".5%", "%", "1e1%", "99999999999%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert_eq!(Share(2_500).to_string(), "0.25%");
    }

    #[test]
    fn as_many_lots_draw_as_the_share_says() {
        let share = Share(10_000);
        assert_eq!((0..1_000_000).filter(|lot| share.draws(*lot)).count(), 10_000);
        assert!(Share::ALL.draws(u64::MAX) && !Share::NONE.draws(0));
    }
}
