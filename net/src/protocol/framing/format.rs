//! How strings are told apart.

use super::strings::StringTooLong;
use crate::protocol::Transport;
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
