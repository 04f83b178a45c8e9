//! From bytes in pieces to boxes.

use super::{AmpBox, BoxError, MAX_KEY_LENGTH};
use std::mem;

/// How much one box that the peer sends may hold.
///
/// Twisted has no such limits.
///
/// ```
/// use rt::protocol::amp::{BoxError, BoxLimits, BoxParser};
///
/// let mut parser = BoxParser::new(BoxLimits { keys: 1, ..BoxLimits::default() });
/// let mut piece: &[u8] = b"\0\x01a\0\0\0\x01b\0\0\0\0";
/// assert_eq!(parser.next_box(&mut piece), Err(BoxError::TooManyKeys { limit: 1 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxLimits {
    /// How many keys, counting a key that is there twice twice. 1,024 by default.
    pub keys: usize,
    /// How many bytes in all, as sent, with the two that end it. 1 MiB by default.
    pub bytes: usize,
}

impl Default for BoxLimits {
    fn default() -> Self {
        Self { keys: 1024, bytes: 1024 * 1024 }
    }
}

/// Makes boxes of bytes that come in pieces.
///
/// It holds the part of a box that has come, at most [`BoxLimits::bytes`], and nothing between boxes. A length that breaks a limit is
/// refused before what it announces has come.
///
/// Counterpart: the parsing half of `twisted.protocols.amp.BinaryBoxProtocol`.
///
/// ```
/// use rt::protocol::amp::{BoxLimits, BoxParser};
///
/// let mut parser = BoxParser::new(BoxLimits::default());
/// let mut piece: &[u8] = b"\0\x01a";
/// assert_eq!(parser.next_box(&mut piece)?, None);
/// let mut piece: &[u8] = b"\0\x0213\0\0\0";
/// let whole = parser.next_box(&mut piece)?.expect("its end came");
/// assert_eq!(whole.get("a"), Some(&b"13"[..]));
/// assert_eq!(piece, b"\0");
/// # Ok::<(), rt::protocol::amp::BoxError>(())
/// ```
#[derive(Debug)]
pub struct BoxParser {
    limits: BoxLimits,
    /// The beginning of a box.
    begun: Vec<u8>,
    scan: Scan,
    error: Option<BoxError>,
}

impl BoxParser {
    /// A parser at the beginning of a box.
    pub fn new(limits: BoxLimits) -> Self {
        Self { limits, begun: Vec::new(), scan: Scan::default(), error: None }
    }

    /// The next box, and `data` begins behind it; or `None`, and `data` is used up.
    ///
    /// # Errors
    ///
    /// What came is no box. There is no way on from there: the same error comes again.
    pub fn next_box(&mut self, data: &mut &[u8]) -> Result<Option<AmpBox>, BoxError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        self.parse(data).inspect_err(|error| {
            self.begun = Vec::new();
            self.error = Some(error.clone());
        })
    }

    /// Whether a part of a box has come, and not its end.
    pub fn is_in_box(&self) -> bool {
        !self.begun.is_empty()
    }

    fn parse(&mut self, data: &mut &[u8]) -> Result<Option<AmpBox>, BoxError> {
        if self.begun.is_empty() {
            return match self.scan.advance(data, self.limits)? {
                Progress::End(end) => {
                    let (whole, rest) = data.split_at(end);
                    *data = rest;
                    Ok(Some(self.whole(whole.to_vec())))
                }
                Progress::Needs(_) => {
                    self.begun.extend_from_slice(mem::take(data));
                    Ok(None)
                }
            };
        }
        // Not a byte beyond the end of the box is put aside.
        loop {
            match self.scan.advance(&self.begun, self.limits)? {
                Progress::End(_) => {
                    let whole = mem::take(&mut self.begun);
                    return Ok(Some(self.whole(whole)));
                }
                Progress::Needs(_) if data.is_empty() => return Ok(None),
                Progress::Needs(end) => {
                    let (wanted, rest) = data.split_at(data.len().min(end - self.begun.len()));
                    self.begun.extend_from_slice(wanted);
                    *data = rest;
                }
            }
        }
    }

    fn whole(&mut self, mut wire: Vec<u8>) -> AmpBox {
        self.scan = Scan::default();
        wire.truncate(wire.len() - 2);
        AmpBox::from_pairs(wire)
    }
}

/// How far a box has been looked at.
#[derive(Debug, Default)]
struct Scan {
    /// Up to here.
    at: usize,
    keys: usize,
    value_is_next: bool,
}

enum Progress {
    /// The box ends there.
    End(usize),
    /// Nothing can be said before so many of its bytes have come.
    Needs(usize),
}

impl Scan {
    fn advance(&mut self, bytes: &[u8], limits: BoxLimits) -> Result<Progress, BoxError> {
        loop {
            let Some(length) = bytes.get(self.at..).and_then(<[u8]>::first_chunk) else {
                return Ok(Progress::Needs(self.at + 2));
            };
            let length = usize::from(u16::from_be_bytes(*length));
            let end = self.at + 2 + length;
            let is_end = !self.value_is_next && length == 0;
            if !self.value_is_next {
                if length > MAX_KEY_LENGTH {
                    return Err(BoxError::KeyTooLong { length });
                }
                if !is_end && self.keys == limits.keys {
                    return Err(BoxError::TooManyKeys { limit: limits.keys });
                }
            }
            // At least a value follows a key, and an end follows a value.
            let least = match (is_end, self.value_is_next) {
                (true, _) => end,
                (false, true) => end + 2,
                (false, false) => end + 4,
            };
            if least > limits.bytes {
                return Err(BoxError::TooLarge { limit: limits.bytes });
            }
            if bytes.len() < end {
                return Ok(Progress::Needs(end));
            }
            self.at = end;
            if is_end {
                return Ok(Progress::End(end));
            }
            self.keys += usize::from(!self.value_is_next);
            self.value_is_next = !self.value_is_next;
        }
    }
}
