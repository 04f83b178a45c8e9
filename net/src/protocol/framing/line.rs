//! The protocols that receive lines.

use super::deliver_lines::{Stop, deliver, deliver_line, deliver_unfinished, search_limit};
use super::held::Taken;
use super::lines::{LineHandler, LineState, Lines, send_line};
use crate::protocol::{ConnectionLost, HandleError, Protocol, ProtocolHandle, Transport};
use std::fmt;

/// A [`Protocol`] that receives lines, or raw bytes where its [`LineHandler`] asks for them.
///
/// A line ends with `\r\n` and has at most 16,384 bytes, unless [`delimiter`](LineProtocol::delimiter) and
/// [`max_length`](LineProtocol::max_length) say otherwise. It holds at most one line without an end, and of one read what waits for the end of a
/// [pause](Lines::pause_producing).
///
/// Counterpart: `twisted.protocols.basic.LineReceiver`; the `LinesCodec` of tokio-util.
///
/// ```
/// use rt::protocol::{LineHandler, LineReceiver, Lines};
/// use rt::testing::StringTransportWithDisconnection;
///
/// struct Echo;
///
/// impl LineHandler for Echo {
///     fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
///         match line {
///             b"quit" => lines.lose_connection(),
///             _ => lines.send_line(line),
///         }
///     }
/// }
///
/// let receiver = LineReceiver::new(Echo).delimiter(b"\n").max_length(1024);
/// let connection = StringTransportWithDisconnection::new(receiver);
/// connection.data_received(b"hello\nquit\nnot seen\n");
/// assert_eq!(connection.string_transport().value(), b"hello\n");
/// ```
pub type LineReceiver<H> = LineProtocol<H, true>;

/// A [`Protocol`] that receives lines and nothing else.
///
/// Its differences from a [`LineReceiver`] are Twisted's: there is no [raw mode](Lines::set_raw_mode); when the connection is being closed, or a line
/// is too long, the other lines that came with it are thrown away; where a delimiter of several bytes comes in pieces, its first part counts as one
/// of the line, so that a line of nearly the longest length may be too long; and see [`LineHandler::line_length_exceeded`].
///
/// Counterpart: `twisted.protocols.basic.LineOnlyReceiver`.
///
/// ```
/// use rt::protocol::{LineHandler, LineOnlyReceiver, Lines};
/// use rt::testing::StringTransportWithDisconnection;
///
/// struct Log(Vec<Vec<u8>>);
///
/// impl LineHandler for Log {
///     fn line_received(&mut self, _: &mut Lines<'_>, line: &[u8]) {
///         self.0.push(line.to_vec());
///     }
/// }
///
/// let connection = StringTransportWithDisconnection::new(LineOnlyReceiver::new(Log(Vec::new())));
/// connection.data_received(b"one\r\ntwo\r");
/// connection.data_received(b"\nthr");
/// connection.handle().with(|receiver, _| assert_eq!(receiver.handler().0, [b"one", b"two"])).unwrap();
/// ```
pub type LineOnlyReceiver<H> = LineProtocol<H, false>;

/// What [`LineReceiver`] and [`LineOnlyReceiver`] are; `RAW` says whether there is a raw mode.
///
/// ```
/// use rt::protocol::{LineHandler, LineReceiver, Lines, Protocol};
///
/// struct Discard;
/// impl LineHandler for Discard {
///     fn line_received(&mut self, _: &mut Lines<'_>, _: &[u8]) {}
/// }
///
/// fn is_protocol(_: impl Protocol) {}
/// is_protocol(LineReceiver::new(Discard));
/// ```
pub struct LineProtocol<H, const RAW: bool> {
    handler: H,
    state: LineState,
}

impl<H: LineHandler, const RAW: bool> LineProtocol<H, RAW> {
    /// Lines for `handler`.
    pub fn new(handler: H) -> Self {
        Self { handler, state: LineState::new(RAW) }
    }

    /// What ends a line; `\r\n` by default.
    ///
    /// # Panics
    ///
    /// If it is empty.
    pub fn delimiter(mut self, delimiter: &[u8]) -> Self {
        self.state.set_delimiter(delimiter);
        self
    }

    /// How many bytes a line may have, without the delimiter; 16,384 by default.
    pub fn max_length(mut self, max_length: usize) -> Self {
        self.state.max_length = max_length;
        self
    }

    /// Who receives the lines.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// Who receives the lines.
    pub fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Calls `f` with the handler and its lines, from outside of the handler's methods. Lines that it brings about, by
    /// [`set_line_mode`](Lines::set_line_mode) or [`resume_producing`](Lines::resume_producing), are delivered before this returns.
    pub fn with<T>(&mut self, transport: &Transport, f: impl FnOnce(&mut H, &mut Lines<'_>) -> T) -> T {
        let mut lines = Lines::new(transport, &mut self.state, &[]);
        let result = f(&mut self.handler, &mut lines);
        if lines.again {
            self.deliver_held(transport);
        }
        result
    }

    /// Sends `line` and the delimiter.
    pub fn send_line(&self, transport: &Transport, line: &[u8]) {
        send_line(transport, line, self.state.delimiter.as_bytes());
    }

    /// Delivers and reads no more until [`resume_producing`](LineProtocol::resume_producing).
    pub fn pause_producing(&mut self, transport: &Transport) {
        self.with(transport, |_, lines| lines.pause_producing());
    }

    /// Reads again, and delivers what has come.
    pub fn resume_producing(&mut self, transport: &Transport) {
        self.with(transport, |_, lines| lines.resume_producing());
    }

    /// Delivers no more, and closes the connection when what was written is sent.
    pub fn stop_producing(&mut self, transport: &Transport) {
        self.with(transport, |_, lines| lines.stop_producing());
    }

    /// Takes out what has come and is not delivered yet.
    pub fn clear_line_buffer(&mut self) -> Vec<u8> {
        self.state.held.take().into_vec()
    }

    /// Bytes came while none are held: they are delivered from where they are.
    fn deliver_from(&mut self, transport: &Transport, data: &[u8]) {
        let mut lines = Lines::new(transport, &mut self.state, data);
        let stop = deliver::<H, RAW>(&mut self.handler, &mut lines);
        let left = lines.rest.len();
        self.keep(transport, left, data, stop);
    }

    /// Bytes came that may end the line that is held: what is held is not searched again, and no more is copied than belongs to that line.
    fn deliver_across(&mut self, transport: &Transport, data: &[u8]) {
        let Self { handler, state, .. } = self;
        let searched = search_limit::<RAW>(state).saturating_sub(state.held.len()).min(data.len());
        let Some(at) = state.delimiter.find_across(state.held.as_slice(), &data[..searched]) else {
            state.append(data);
            let taken = state.held.take();
            let mut lines = Lines::new(transport, state, taken.as_slice());
            let stop = deliver_unfinished::<H, RAW>(handler, &mut lines);
            let left = lines.rest.len();
            self.put_back(taken, left, stop);
            return self.go_on(transport, stop);
        };
        let held = state.held.len();
        let end = at + state.delimiter.len() - held;
        state.held.append(&data[..at.saturating_sub(held)], at);
        let taken = state.held.take();
        let mut lines = Lines::new(transport, state, &data[end..]);
        let stop = deliver_line::<H, RAW>(handler, &mut lines, &taken.as_slice()[..at]);
        drop(taken);
        let stop = stop.unwrap_or_else(|| deliver::<H, RAW>(handler, &mut lines));
        let left = lines.rest.len();
        self.keep(transport, left, data, stop);
    }

    /// What is held may have lines in it.
    fn deliver_held(&mut self, transport: &Transport) {
        let mut stop = Stop::Extended;
        while stop == Stop::Extended {
            let taken = self.state.held.take();
            let mut lines = Lines::new(transport, &mut self.state, taken.as_slice());
            stop = deliver::<H, RAW>(&mut self.handler, &mut lines);
            let left = lines.rest.len();
            self.put_back(taken, left, stop);
        }
    }

    /// Keeps the last `left` bytes of `data`.
    fn keep(&mut self, transport: &Transport, left: usize, data: &[u8], stop: Stop) {
        let state = &mut self.state;
        state.is_partial = stop == Stop::Partial && state.held.is_empty();
        state.held.put_in_front(&data[data.len() - left..]);
        self.go_on(transport, stop);
    }

    /// Keeps the last `left` bytes of what was held.
    fn put_back(&mut self, taken: Taken, left: usize, stop: Stop) {
        let state = &mut self.state;
        state.is_partial = stop == Stop::Partial && state.held.is_empty();
        state.held.put_back(taken, left);
        if stop == Stop::Partial {
            state.held.settle();
        }
    }

    fn go_on(&mut self, transport: &Transport, stop: Stop) {
        if stop == Stop::Extended {
            self.deliver_held(transport);
        }
    }
}

impl<H: LineHandler, const RAW: bool> ProtocolHandle<LineProtocol<H, RAW>> {
    /// Calls `f` with the handler and its lines: [`LineProtocol::with`] within [`ProtocolHandle::with`].
    ///
    /// # Errors
    ///
    /// Those of [`ProtocolHandle::with`].
    ///
    /// ```
    /// use rt::protocol::{LineHandler, LineReceiver, Lines};
    /// use rt::testing::StringTransportWithDisconnection;
    ///
    /// #[derive(Default)]
    /// struct Questions(u32);
    ///
    /// impl Questions {
    ///     fn ask(&mut self, lines: &Lines<'_>) {
    ///         self.0 += 1;
    ///         lines.send_line(format!("question {}", self.0).as_bytes());
    ///     }
    /// }
    ///
    /// impl LineHandler for Questions {
    ///     fn line_received(&mut self, _: &mut Lines<'_>, _: &[u8]) {}
    /// }
    ///
    /// let connection = StringTransportWithDisconnection::new(LineReceiver::new(Questions::default()));
    /// connection.handle().with_handler(|questions, lines| questions.ask(lines))?;
    /// assert_eq!(connection.string_transport().value(), b"question 1\r\n");
    /// # Ok::<(), rt::protocol::HandleError>(())
    /// ```
    pub fn with_handler<R>(&self, f: impl FnOnce(&mut H, &mut Lines<'_>) -> R) -> Result<R, HandleError> {
        self.with(|receiver, transport| receiver.with(transport, f))
    }
}

impl<H: LineHandler, const RAW: bool> Protocol for LineProtocol<H, RAW> {
    fn connection_made(&mut self, transport: &Transport) {
        self.with(transport, |handler, lines| handler.connection_made(lines));
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let state = &mut self.state;
        if state.held.is_empty() {
            self.deliver_from(transport, data);
        } else if state.is_stopped || transport.is_paused() {
            state.hold(data);
        } else if state.is_partial && !state.is_raw {
            self.deliver_across(transport, data);
        } else {
            state.hold(data);
            self.deliver_held(transport);
        }
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        self.with(transport, |handler, lines| handler.connection_lost(lines, reason));
    }

    fn read_connection_lost(&mut self, transport: &Transport) {
        self.with(transport, |handler, lines| handler.read_connection_lost(lines));
    }

    fn write_connection_lost(&mut self, transport: &Transport) {
        self.with(transport, |handler, lines| handler.write_connection_lost(lines));
    }

    fn handshake_completed(&mut self, transport: &Transport) {
        self.with(transport, |handler, lines| handler.handshake_completed(lines));
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        if !self.state.held.is_empty() && !self.state.is_partial {
            self.deliver_held(transport);
        }
    }
}

impl<H, const RAW: bool> fmt::Debug for LineProtocol<H, RAW> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineProtocol").field("undelivered", &self.state.held.len()).finish_non_exhaustive()
    }
}
