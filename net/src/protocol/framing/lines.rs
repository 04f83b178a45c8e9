//! Who receives lines, and what it may do about them.

use super::delimiter::Delimiter;
use super::held::Held;
use crate::protocol::{ConnectionLost, ConnectionStream, Transport};
use std::fmt;
use std::io;
use std::ops::Deref;

/// Who receives the lines of a [`LineReceiver`](super::LineReceiver) or [`LineOnlyReceiver`](super::LineOnlyReceiver).
///
/// Every method gets the [`Lines`], which are the connection's [`Transport`], too. Only `line_received` has to be written.
///
/// Counterpart: the methods of `twisted.protocols.basic.LineReceiver` that subclasses override.
///
/// ```
/// use rt::protocol::{LineHandler, LineReceiver, Lines};
/// use rt::testing::StringTransportWithDisconnection;
///
/// struct Shout;
///
/// impl LineHandler for Shout {
///     fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
///         lines.send_line(&line.to_ascii_uppercase());
///     }
/// }
///
/// let connection = StringTransportWithDisconnection::new(LineReceiver::new(Shout));
/// connection.data_received(b"hel");
/// connection.data_received(b"lo\r\nwor");
/// assert_eq!(connection.string_transport().value(), b"HELLO\r\n");
/// ```
pub trait LineHandler: 'static {
    /// The connection is there. Called once, before anything else.
    fn connection_made(&mut self, lines: &mut Lines<'_>) {
        let _ = lines;
    }

    /// A line came, given without its delimiter.
    fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]);

    /// In [raw mode](Lines::set_raw_mode): bytes came.
    ///
    /// # Panics
    ///
    /// If it is not written, and raw mode was asked for.
    fn raw_data_received(&mut self, lines: &mut Lines<'_>, data: &[u8]) {
        let _ = (lines, data);
        panic!("a handler that sets raw mode has to write raw_data_received");
    }

    /// A line is longer than the limit. Unless this is written, the connection is lost.
    ///
    /// Of a `LineReceiver`, `line` is all that has come of it and of what is behind it; none of that comes again. Of a `LineOnlyReceiver`
    /// it is that line alone: the other lines that came with it are thrown away. If its end has not come, **it is kept, and this is called again
    /// when more of it comes**; a method of your own that neither loses the connection nor calls
    /// [`clear_line_buffer`](Lines::clear_line_buffer) lets it grow.
    fn line_length_exceeded(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        let _ = line;
        lines.lose_connection();
    }

    /// The connection is gone, and nothing is called any more.
    fn connection_lost(&mut self, lines: &mut Lines<'_>, reason: &ConnectionLost) {
        let _ = (lines, reason);
    }

    /// The peer sends no more: see [`Protocol::read_connection_lost`](crate::protocol::Protocol::read_connection_lost).
    fn read_connection_lost(&mut self, lines: &mut Lines<'_>) {
        lines.stop_producer();
        lines.lose_connection();
    }

    /// What was written is sent and writing is closed.
    fn write_connection_lost(&mut self, lines: &mut Lines<'_>) {
        let _ = lines;
    }

    /// A TLS handshake is over.
    fn handshake_completed(&mut self, lines: &mut Lines<'_>) {
        let _ = lines;
    }
}

/// A connection that is received line by line, as its [`LineHandler`] sees it. Derefs to its [`Transport`].
///
/// All of it may be called within any method of the handler: what comes of it comes when the method has returned.
///
/// Counterpart: the methods of `twisted.protocols.basic.LineReceiver` that subclasses call.
///
/// ```
/// use rt::protocol::{LineHandler, LineReceiver, Lines};
/// use rt::testing::StringTransportWithDisconnection;
///
/// /// A number, and after it as many bytes.
/// struct Upload {
///     missing: usize,
///     body: Vec<u8>,
/// }
///
/// impl LineHandler for Upload {
///     fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
///         match std::str::from_utf8(line).ok().and_then(|line| line.parse().ok()) {
///             Some(length) => {
///                 self.missing = length;
///                 lines.set_raw_mode();
///             }
///             None => lines.lose_connection(),
///         }
///     }
///
///     fn raw_data_received(&mut self, lines: &mut Lines<'_>, data: &[u8]) {
///         let (body, rest) = data.split_at(self.missing.min(data.len()));
///         self.body.extend_from_slice(body);
///         self.missing -= body.len();
///         if self.missing == 0 {
///             lines.set_line_mode(rest);
///         }
///     }
/// }
///
/// let connection = StringTransportWithDisconnection::new(LineReceiver::new(Upload { missing: 0, body: Vec::new() }));
/// connection.data_received(b"3\r\nabc2\r\nde");
/// connection.handle().with(|receiver, _| assert_eq!(receiver.handler().body, b"abcde")).unwrap();
/// ```
pub struct Lines<'a> {
    transport: &'a Transport,
    pub(super) state: &'a mut LineState,
    /// What has come and is not delivered yet; `state.held` comes behind it.
    pub(super) rest: &'a [u8],
    /// What the raw call that runs was given: bytes of it that are handed back need not be copied.
    pub(super) raw: &'a [u8],
    /// Whether there may be something to deliver after a call from outside.
    pub(super) again: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(transport: &'a Transport, state: &'a mut LineState, rest: &'a [u8]) -> Self {
        Self { transport, state, rest, raw: &[], again: false }
    }

    /// Sends `line` and the delimiter.
    pub fn send_line(&self, line: &[u8]) {
        send_line(self.transport, line, self.state.delimiter.as_bytes());
    }

    /// What comes from here on goes to [`LineHandler::raw_data_received`], as it comes.
    ///
    /// # Panics
    ///
    /// On a `LineOnlyReceiver`, which has no raw mode.
    pub fn set_raw_mode(&mut self) {
        assert!(self.state.has_raw_mode, "a LineOnlyReceiver has no raw mode: take a LineReceiver");
        self.state.is_raw = true;
    }

    /// What comes from here on are lines again, beginning with `extra`: bytes that the raw mode was given and did not want.
    ///
    /// Handing back the end of what [`raw_data_received`](LineHandler::raw_data_received) was given does not copy it.
    pub fn set_line_mode(&mut self, extra: &[u8]) {
        self.state.is_raw = false;
        if extra.is_empty() {
            return;
        }
        self.again = true;
        let is_end = self.raw.as_ptr_range().end == extra.as_ptr_range().end && extra.len() <= self.raw.len();
        if is_end && self.rest.is_empty() && self.state.held.is_empty() {
            self.rest = &self.raw[self.raw.len() - extra.len()..];
        } else {
            self.state.hold(extra);
        }
    }

    /// Whether [raw mode](Lines::set_raw_mode) is on.
    pub fn is_raw_mode(&self) -> bool {
        self.state.is_raw
    }

    /// Takes out what has come and is not delivered yet.
    pub fn clear_line_buffer(&mut self) -> Vec<u8> {
        let mut cleared = std::mem::take(&mut self.rest).to_vec();
        cleared.append(&mut self.state.held.take().into_vec());
        cleared
    }

    /// Changes what ends a line.
    ///
    /// # Panics
    ///
    /// If `delimiter` is empty.
    pub fn set_delimiter(&mut self, delimiter: &[u8]) {
        self.state.set_delimiter(delimiter);
    }

    /// Changes how long a line may be, in bytes, without the delimiter.
    pub fn set_max_length(&mut self, max_length: usize) {
        self.state.max_length = max_length;
    }

    /// Delivers no more, and reads no more, until [`resume_producing`](Lines::resume_producing).
    ///
    /// So does [`Transport::pause_producing`], called from wherever.
    pub fn pause_producing(&mut self) {
        self.transport.pause_producing();
    }

    /// Delivers again, and reads again.
    pub fn resume_producing(&mut self) {
        self.state.is_stopped = false;
        self.transport.resume_producing();
        self.again = true;
    }

    /// Delivers no more, and closes the connection when what was written is sent.
    pub fn stop_producing(&mut self) {
        self.state.is_stopped = true;
        self.transport.stop_producing();
    }

    /// Whether it is paused or stopped.
    pub fn is_paused(&self) -> bool {
        self.state.is_stopped || self.transport.is_paused()
    }

    /// Takes the connection over as a stream, as [`Transport::take_stream`] does; what has come and is not delivered yet goes to the
    /// stream. `unread` is what it reads before that: of what
    /// [`raw_data_received`](LineHandler::raw_data_received) was given, the bytes that it does not want.
    ///
    /// # Errors
    ///
    /// Those of [`Transport::take_stream`]; what has come is delivered as ever then.
    pub fn take_stream(&mut self, unread: &[u8]) -> io::Result<ConnectionStream> {
        let unread = [unread, self.rest, self.state.held.as_slice()].concat();
        let stream = self.transport.take_stream(&unread)?;
        drop(self.clear_line_buffer());
        Ok(stream)
    }

    /// The connection.
    pub fn transport(&self) -> &'a Transport {
        self.transport
    }
}

impl Deref for Lines<'_> {
    type Target = Transport;

    fn deref(&self) -> &Transport {
        self.transport
    }
}

impl fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let undelivered = self.rest.len() + self.state.held.len();
        f.debug_struct("Lines")
            .field("transport", self.transport)
            .field("is_raw_mode", &self.state.is_raw)
            .field("undelivered", &undelivered)
            .finish_non_exhaustive()
    }
}

/// Sends `line` and `delimiter`, for who has nothing but the transport.
///
/// ```
/// use rt::protocol::send_line;
/// use rt::testing::StringTransport;
///
/// let double = StringTransport::new();
/// send_line(&double.transport(), b"hello", b"\r\n");
/// assert_eq!(double.value(), b"hello\r\n");
/// ```
///
/// Counterpart: `sendLine`.
pub fn send_line(transport: &Transport, line: &[u8], delimiter: &[u8]) {
    transport.backend().write_sequence(&[line, delimiter]);
}

/// All of a receiver but its handler.
pub(super) struct LineState {
    pub(super) held: Held,
    pub(super) delimiter: Delimiter,
    pub(super) max_length: usize,
    pub(super) is_raw: bool,
    pub(super) is_stopped: bool,
    /// Whether all of `held` was searched, in vain. What comes is then all that has to be searched.
    pub(super) is_partial: bool,
    pub(super) has_raw_mode: bool,
}

/// Twisted's `MAX_LENGTH`.
const MAX_LENGTH: usize = 16384;

impl LineState {
    pub(super) fn new(has_raw_mode: bool) -> Self {
        Self {
            held: Held::default(),
            delimiter: Delimiter::CRLF,
            max_length: MAX_LENGTH,
            is_raw: false,
            is_stopped: false,
            is_partial: false,
            has_raw_mode,
        }
    }

    pub(super) fn set_delimiter(&mut self, delimiter: &[u8]) {
        self.delimiter = Delimiter::new(delimiter);
        self.is_partial = false;
    }

    /// From how many bytes on a line without an end is too long.
    pub(super) fn limit(&self) -> usize {
        self.max_length.saturating_add(self.delimiter.len())
    }

    /// Keeps bytes that nobody has looked at.
    pub(super) fn hold(&mut self, data: &[u8]) {
        self.is_partial = false;
        self.append(data);
    }

    /// Keeps bytes behind others: memory doubles as it grows, up to the longest line.
    pub(super) fn append(&mut self, data: &[u8]) {
        let room = (2 * (self.held.len() + data.len())).min(self.limit());
        self.held.append(data, room);
    }
}
