//! A sum of money.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Millis;

/// So much of a currency, down to a millionth; written as `0.048 EUR`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[0-9]{1,9}([.][0-9]{1,6})? [^ ]{1,8}$"))]
pub struct Price {
    millionths: u64,
    currency: String,
}

/// The text is no sum of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a price: write a number and a currency, such as \"0.048 EUR\"")]
pub struct PriceError(String);

const WHOLE: u64 = 1_000_000;
const HOUR: u128 = 3_600_000;

impl Price {
    /// What is to be paid for a length of time, if this is the price of an hour. Rounded to the nearest millionth.
    #[must_use]
    pub fn of(&self, length: Millis) -> Price {
        let millionths = (u128::from(self.millionths) * u128::from(length.0) + HOUR / 2) / HOUR;
        Price { millionths: u64::try_from(millionths).unwrap_or(u64::MAX), currency: self.currency.clone() }
    }
}

impl FromStr for Price {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Price, PriceError> {
        let wrong = || PriceError(text.to_owned());
        let (number, currency) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let currency = currency.trim();
        let named =
            (1..=8).contains(&currency.chars().count()) && currency.chars().all(char::is_alphanumeric);
        if whole.is_empty()
            || whole.len() > 9
            || fraction.len() > 6
            || !digits(whole)
            || !digits(fraction)
            || !named
        {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let rest: u64 = format!("{fraction:0<6}").parse().map_err(|_| wrong())?;
        Ok(Price { millionths: whole * WHOLE + rest, currency: currency.to_owned() })
    }
}

impl TryFrom<String> for Price {
    type Error = PriceError;

    fn try_from(text: String) -> Result<Price, PriceError> {
        text.parse()
    }
}

impl From<Price> for String {
    fn from(price: Price) -> String {
        price.to_string()
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:06}", self.millionths % WHOLE);
        // Whoever reads money expects two places at least.
        let kept = fraction.trim_end_matches('0').len().max(2);
        write!(f, "{}.{} {}", self.millionths / WHOLE, &fraction[..kept], self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_written_and_multiplied() {
        let price: Price = "0.048 EUR".parse().unwrap();
        assert_eq!(price.to_string(), "0.048 EUR");
        assert_eq!(price.of(Millis::from_secs(1800)).to_string(), "0.024 EUR");
        assert_eq!(price.of(Millis::from_secs(36_000)).to_string(), "0.48 EUR");
        assert_eq!("12 USD".parse::<Price>().unwrap().to_string(), "12.00 USD");
        for wrong in ["", "1", "EUR 1", "1.0000001 EUR", "-1 EUR", "1 €", "1 E U", ".5 EUR", "9999999999 EUR"]
        {
            assert_eq!(wrong.parse::<Price>(), Err(PriceError(wrong.to_owned())), "{wrong}");
        }
    }
}
