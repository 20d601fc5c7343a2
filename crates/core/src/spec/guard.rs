//! What makes a deployment go back by itself, and what it takes for a canary to go on: the checked values.
//!
//! Belongs to `deploy`, and holds the defaults of its part. How a version is judged is `deploy::guard`'s. Tested in place and in
//! `check/tests.rs`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Wrong, quoted};
use super::vocabulary::words;
use crate::base::{Millis, Share};

/// What makes a deployment go back by itself, and what it takes for a canary to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardSpec {
    /// So many instances of the new version may die after having been ready; one more and the deployment goes back.
    pub crashes: u32,
    /// How many of its answers may be failures (5xx, or none). None: any number.
    pub errors: Option<ErrorLimit>,
    /// How long half of its answers may take at most, to the head. None: any time.
    pub p50: Option<LatencyLimit>,
    /// The same of 95 %.
    pub p95: Option<LatencyLimit>,
    /// The same of 99 %.
    pub p99: Option<LatencyLimit>,
    /// A canary's step is passed when so many answers of the new version were counted in it.
    pub sample: u32,
    /// How much longer than it should a step may last until it is clear whether the new version is good.
    pub extend: Millis,
    /// What is done if it is not clear then.
    pub unclear: Unclear,
    /// How long somebody who is asked may take; then the deployment goes back.
    pub patience: Millis,
}

impl Default for GuardSpec {
    fn default() -> Self {
        GuardSpec {
            crashes: 1,
            errors: Some(ErrorLimit::More(Share::percent(1))),
            p50: None,
            p95: None,
            p99: None,
            sample: 200,
            extend: Millis::from_secs(1800),
            unclear: Unclear::Ask,
            patience: Millis::from_secs(86_400),
        }
    }
}

/// What is done with a canary when there is too little traffic to judge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unclear {
    /// It waits for somebody to promote it.
    Ask,
    /// It goes on, and says that nobody knows.
    Pass,
    /// It goes back.
    Back,
}

words!(Unclear: Ask = "ask", Pass = "pass", Back = "back");

/// How many answers of the new version may be failures: `< 1%`, or `< +1%` for so much more than the old version's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum ErrorLimit {
    /// This part of them.
    Share(Share),
    /// This part of them more than of the old version's.
    More(Share),
}

/// How long answers of the new version may take: `< 300ms`, or `< 1.5x` for so many times the old version's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum LatencyLimit {
    /// This time.
    Time(Millis),
    /// So many hundredths of what the old version takes. More than 100.
    Times(u32),
}

/// A text that is no limit of a guard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no limit")]
pub struct LimitError;

/// The word for no limit.
pub(super) const ANY: &str = "any";

/// How many answers may be failures.
pub(super) fn errors(text: &str) -> Result<String, Wrong> {
    limit::<ErrorLimit>(
        text,
        "write \"< 1%\", or \"< +1%\" for so much more than the old version's, or \"any\"",
    )
}

/// How long answers may take.
pub(super) fn latency(text: &str) -> Result<String, Wrong> {
    let help = "write \"< 300ms\", or \"< 1.5x\" for so many times what the old version takes, or \"any\"";
    limit::<LatencyLimit>(text, help)
}

fn limit<T: FromStr<Err = LimitError> + ToString>(text: &str, help: &str) -> Result<String, Wrong> {
    if text.trim() == ANY {
        return Ok(ANY.to_owned());
    }
    let wrong = |_| Wrong::new(format!("is {}, which is no limit", quoted(text)), help);
    text.parse::<T>().map(|limit| limit.to_string()).map_err(wrong)
}

/// What follows the sign, which may be left out.
fn bound(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('<').map_or(text, |rest| rest.strip_prefix('=').unwrap_or(rest)).trim()
}

impl FromStr for ErrorLimit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let bound = bound(text);
        let share = |text: &str| text.trim().parse().map_err(|_| LimitError);
        match bound.strip_prefix('+') {
            Some(more) => Ok(ErrorLimit::More(share(more)?)),
            None => Ok(ErrorLimit::Share(share(bound)?)),
        }
    }
}

impl fmt::Display for ErrorLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorLimit::Share(share) => write!(f, "< {share}"),
            ErrorLimit::More(share) => write!(f, "< +{share}"),
        }
    }
}

impl FromStr for LatencyLimit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let bound = bound(text);
        let Some(times) = bound.strip_suffix('x') else {
            let time: Millis = bound.parse().map_err(|_| LimitError)?;
            return if time.0 > 0 { Ok(LatencyLimit::Time(time)) } else { Err(LimitError) };
        };
        let (whole, fraction) = times.trim().split_once('.').unwrap_or((times.trim(), ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > 4 || fraction.len() > 2 || !digits(whole) || !digits(fraction) {
            return Err(LimitError);
        }
        let hundredths: u32 = format!("{whole}{fraction:0<2}").parse().map_err(|_| LimitError)?;
        if hundredths > 100 { Ok(LatencyLimit::Times(hundredths)) } else { Err(LimitError) }
    }
}

impl fmt::Display for LatencyLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LatencyLimit::Time(time) => write!(f, "< {time}"),
            LatencyLimit::Times(hundredths) => {
                let (whole, fraction) = (hundredths / 100, format!("{:02}", hundredths % 100));
                match fraction.trim_end_matches('0') {
                    "" => write!(f, "< {whole}x"),
                    digits => write!(f, "< {whole}.{digits}x"),
                }
            }
        }
    }
}

macro_rules! as_text {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = LimitError;

            fn try_from(text: String) -> Result<Self, LimitError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(limit: $type) -> String {
                limit.to_string()
            }
        }
    };
}

as_text!(ErrorLimit);
as_text!(LatencyLimit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_shown() {
        for (text, shown) in [("< 1%", "< 1%"), ("0.5 %", "< 0.5%"), ("<+1%", "< +1%"), ("<= 2%", "< 2%")] {
            assert_eq!(
                text.parse::<ErrorLimit>().map(|limit| limit.to_string()).as_deref(),
                Ok(shown),
                "{text}"
            );
        }
        for (text, shown) in
            [("< 1.5x", "< 1.5x"), ("2x", "< 2x"), ("<1.05x", "< 1.05x"), ("< 300ms", "< 300ms")]
        {
            assert_eq!(
                text.parse::<LatencyLimit>().map(|limit| limit.to_string()).as_deref(),
                Ok(shown),
                "{text}"
            );
        }
        for text in ["", "<", "1", "> 1%", "101%", "+", "-1%", "+-1%"] {
            assert_eq!(text.parse::<ErrorLimit>(), Err(LimitError), "{text}");
        }
        for text in ["", "x", "1x", "0.5x", "1.555x", "99999x", "300", "0ms", "> 2x", "-2x"] {
            assert_eq!(text.parse::<LatencyLimit>(), Err(LimitError), "{text}");
        }
    }
}
