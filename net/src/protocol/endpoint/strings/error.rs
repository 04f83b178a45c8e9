//! What is wrong with a description, and where.

use std::error::Error;
use std::fmt;
use std::ops::Range;

/// What is wrong with the description of an endpoint, and where.
///
/// Its text has three lines: what was found and what is allowed, the description, and a mark below the place.
///
/// Counterpart: the `ValueError`, `TypeError` and `KeyError` of `serverFromString`.
///
/// ```
/// use rt::protocol::server_from_string;
///
/// let error = server_from_string("tcp:80a:interface=127.0.0.1").unwrap_err();
/// assert_eq!(error.offset(), 4);
/// assert_eq!(
///     error.to_string(),
///     "port is \"80a\"; allowed is a number from 0 to 65535\n  \
///        tcp:80a:interface=127.0.0.1\n  \
///        \u{20}   ^^^"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStringError {
    description: String,
    place: Range<usize>,
    reason: String,
}

impl EndpointStringError {
    pub(super) fn new(description: &str, place: Range<usize>, reason: impl Into<String>) -> Self {
        Self { description: description.to_owned(), place, reason: reason.into() }
    }

    /// The description as it was given.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Where it is wrong, in bytes from the beginning; the length of the description where something is missing at its end.
    pub fn offset(&self) -> usize {
        self.place.start
    }

    /// What was found and what is allowed, in one line.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for EndpointStringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.description[..self.place.start].chars().count();
        let marked = self.description[self.place.clone()].chars().count().max(1);
        // As many characters as there are, so that the mark is below its place.
        let shown: String = self.description.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        write!(f, "{}\n  {shown}\n  {:before$}{:^<marked$}", self.reason, "", "")
    }
}

impl Error for EndpointStringError {}
