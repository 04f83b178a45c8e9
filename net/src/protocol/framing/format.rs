//! How strings are told apart.

use crate::protocol::Transport;
use std::error::Error;
use std::fmt;
use std::ops::Range;

/// How strings are told apart.
pub trait Format: 'static {
    /// What `bytes` begin with; there is at least one.
    fn parse(bytes: &[u8], max_length: usize) -> Parsed;

    /// Whether each piece of data that comes after a mistake is answered by losing the connection again, as Twisted does.
    const REFUSES_AGAIN: bool;

    /// Sends a string.
    fn send(transport: &Transport, string: &[u8]) -> Result<(), StringTooLong>;
}

/// What bytes begin with.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A string is there, and how many bytes it takes with all that belongs to it.
    String {
        /// Where it is.
        string: Range<usize>,
        /// How many bytes it takes with all that belongs to it.
        total: usize,
    },
    /// A part of a string is there, which takes so many bytes at least.
    Incomplete(usize),
    /// A longer string than is allowed is announced.
    TooLong(usize),
    /// This is no string, nor the beginning of one.
    Malformed,
}

/// A string is longer than its prefix can say. It was not sent.
///
/// Counterpart: `StringTooLongError`.
///
/// ```
/// use rt::protocol::send_int8_string;
/// use rt::testing::StringTransport;
///
/// let error = send_int8_string(&StringTransport::new().transport(), &[0; 256]).unwrap_err();
/// assert_eq!(error.to_string(), "a string of 256 bytes is too long: the prefix allows 255");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringTooLong {
    /// Its length in bytes.
    pub length: usize,
    /// How long it may be.
    pub max: usize,
}

impl fmt::Display for StringTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string of {} bytes is too long: the prefix allows {}", self.length, self.max)
    }
}

impl Error for StringTooLong {}
