//! Numbers in the decimal system, digit by digit.

use super::Argument;
use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// A number in the decimal system, as it is written: `1.50` is not `1.5`.
///
/// It can be sent, received, compared as text and parsed into another type; there is no arithmetic. What it may be is what Python's
/// `decimal` writes: digits with a point and an exponent, `Infinity`, `NaN`, `sNaN`, each with a sign or without.
///
/// Counterpart: `twisted.protocols.amp.Decimal`.
///
/// ```
/// use rt::protocol::amp::Decimal;
///
/// let price: Decimal = "19.90".parse()?;
/// assert_eq!(price.as_str(), "19.90");
/// assert!("19,90".parse::<Decimal>().is_err());
/// # Ok::<(), rt::protocol::amp::NotDecimal>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal(String);

impl Decimal {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Decimal {
    type Err = NotDecimal;

    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        if is_decimal(text) { Ok(Self(text.to_owned())) } else { Err(NotDecimal) }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Argument for Decimal {
    const EXPECTED: &str = "a decimal number";

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok()?.parse().ok()
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        Some(self.0.clone().into_bytes())
    }
}

fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if ["inf", "infinity", "nan", "snan"].iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
        return true;
    }
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (number, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let has_digits = !exponent.is_empty() && [whole, fraction].iter().any(|part| !part.is_empty());
    has_digits && are_digits(whole) && are_digits(fraction) && are_digits(exponent)
}

/// A text that is no decimal number.
///
/// ```
/// use rt::protocol::amp::{Decimal, NotDecimal};
///
/// assert_eq!("much".parse::<Decimal>(), Err(NotDecimal));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotDecimal;

impl fmt::Display for NotDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a decimal number, which has digits, a point, an exponent (1.5E+2), or is Infinity or NaN")
    }
}

impl Error for NotDecimal {}
