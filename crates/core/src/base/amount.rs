//! A number of instances, given outright or as a part of the whole.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// So many instances: `2`, or `25%` of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^([0-9]{1,9}|([0-9]|[1-9][0-9]|100)%)$"))]
pub enum Amount {
    /// That many.
    Count(u32),
    /// That many of each hundred, 0 to 100.
    Percent(u32),
}

/// The text is neither a number nor a percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an amount: write a number such as 2, or a percentage such as \"25%\"")]
pub struct AmountError(String);

impl Amount {
    /// The amount out of `whole`, rounded up: 25 % of 3 is 1, of 5 is 2, of 0 is 0.
    pub fn of_rounded_up(self, whole: u32) -> u32 {
        match self {
            Amount::Count(count) => count,
            Amount::Percent(percent) => share(whole, percent).div_ceil(100) as u32,
        }
    }

    /// The amount out of `whole`, rounded down: 25 % of 3 is 0, of 5 is 1.
    pub fn of_rounded_down(self, whole: u32) -> u32 {
        match self {
            Amount::Count(count) => count,
            Amount::Percent(percent) => (share(whole, percent) / 100) as u32,
        }
    }
}

fn share(whole: u32, percent: u32) -> u64 {
    u64::from(whole) * u64::from(percent)
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let wrong = || AmountError(text.to_owned());
        match text.trim().strip_suffix('%') {
            Some(number) => match number.trim().parse() {
                Ok(percent @ 0..=100) => Ok(Amount::Percent(percent)),
                _ => Err(wrong()),
            },
            None => text.trim().parse().map(Amount::Count).map_err(|_| wrong()),
        }
    }
}

impl TryFrom<String> for Amount {
    type Error = AmountError;

    fn try_from(text: String) -> Result<Self, AmountError> {
        text.parse()
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> String {
        amount.to_string()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Count(count) => write!(f, "{count}"),
            Amount::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_pool_are_rounded_towards_safety_by_the_caller() {
        let quarter: Amount = "25%".parse().unwrap();
        assert_eq!((quarter.of_rounded_up(3), quarter.of_rounded_down(3)), (1, 0));
        assert_eq!((quarter.of_rounded_up(8), quarter.of_rounded_down(8)), (2, 2));
        assert_eq!("2".parse::<Amount>().unwrap().of_rounded_up(100), 2);
        assert!("101%".parse::<Amount>().is_err());
        assert!("-1".parse::<Amount>().is_err());
    }
}
