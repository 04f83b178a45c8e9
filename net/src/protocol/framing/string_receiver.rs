//! The protocols that receive strings.

use super::format::{Format, Parsed, StringTooLong};
use super::strings::{StringHandler, StringState, Strings};
use crate::protocol::{ConnectionLost, HandleError, Protocol, ProtocolHandle, Transport};
use std::fmt;
use std::marker::PhantomData;

/// What [`NetstringReceiver`](super::NetstringReceiver), [`Int8StringReceiver`](super::Int8StringReceiver),
/// [`Int16StringReceiver`](super::Int16StringReceiver) and [`Int32StringReceiver`](super::Int32StringReceiver) are; `F` is how strings are
/// told apart.
///
/// A string has at most 99,999 bytes unless [`max_length`](StringReceiver::max_length) says otherwise. It holds at most one string that is not
/// complete, of which only as much takes memory as has come, and of one read what waits for the end of a
/// [pause](Strings::pause_producing).
///
/// Strings that came together with one whose [`string_received`](StringHandler::string_received) closes the connection are still delivered, as in
/// Twisted.
///
/// Counterpart: `twisted.protocols.basic.IntNStringReceiver`.
///
/// ```
/// use rt::protocol::{Int32StringReceiver, Protocol, StringHandler, Strings};
///
/// struct Discard;
/// impl StringHandler for Discard {
///     fn string_received(&mut self, _: &mut Strings<'_>, _: &[u8]) {}
/// }
///
/// fn is_protocol(_: impl Protocol) {}
/// is_protocol(Int32StringReceiver::new(Discard).max_length(4096));
/// ```
pub struct StringReceiver<H, F> {
    handler: H,
    state: StringState,
    format: PhantomData<F>,
}

impl<H: StringHandler, F: Format> StringReceiver<H, F> {
    /// Strings for `handler`.
    pub fn new(handler: H) -> Self {
        Self { handler, state: StringState::default(), format: PhantomData }
    }

    /// How many bytes a received string may have; 99,999 by default.
    pub fn max_length(mut self, max_length: usize) -> Self {
        self.state.max_length = max_length;
        self
    }

    /// Who receives the strings.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// Who receives the strings.
    pub fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Calls `f` with the handler and its strings, from outside of the handler's methods. Strings that
    /// [`resume_producing`](Strings::resume_producing) brings about are delivered before this returns.
    pub fn with<T>(&mut self, transport: &Transport, f: impl FnOnce(&mut H, &mut Strings<'_>) -> T) -> T {
        let mut strings = Strings::new::<F>(transport, &mut self.state, &[]);
        let result = f(&mut self.handler, &mut strings);
        if strings.again {
            self.deliver_held(transport);
        }
        result
    }

    /// Sends `string`, in the way that strings are received.
    ///
    /// # Errors
    ///
    /// It is longer than the prefix can say; nothing is sent. Netstrings have no such limit.
    pub fn send_string(&self, transport: &Transport, string: &[u8]) -> Result<(), StringTooLong> {
        F::send(transport, string)
    }

    /// Delivers and reads no more until [`resume_producing`](StringReceiver::resume_producing).
    pub fn pause_producing(&mut self, transport: &Transport) {
        self.with(transport, |_, strings| strings.pause_producing());
    }

    /// Reads again, and delivers what has come.
    pub fn resume_producing(&mut self, transport: &Transport) {
        self.with(transport, |_, strings| strings.resume_producing());
    }

    /// Delivers no more, and closes the connection when what was written is sent.
    pub fn stop_producing(&mut self, transport: &Transport) {
        self.with(transport, |_, strings| strings.stop_producing());
    }

    /// Whether the peer has sent what is no string, or a longer one than is allowed. Nothing comes after that.
    ///
    /// Counterpart: `NetstringReceiver.brokenPeer`.
    pub fn is_broken_peer(&self) -> bool {
        self.state.is_broken
    }

    /// Takes out what has come and is not delivered yet, for who goes on with another protocol.
    ///
    /// Counterpart: `recvd`.
    pub fn take_received(&mut self) -> Vec<u8> {
        self.state.held.take().into_vec()
    }

    /// Bytes came while none are held: they are delivered from where they are.
    fn deliver_from(&mut self, transport: &Transport, data: &[u8]) {
        let mut strings = Strings::new::<F>(transport, &mut self.state, data);
        let incomplete = deliver::<H, F>(&mut self.handler, &mut strings);
        let left = strings.rest.len();
        self.keep(&data[data.len() - left..], incomplete);
    }

    /// Bytes came behind others: no more is copied than belongs to the string that is held.
    fn deliver_across(&mut self, transport: &Transport, mut data: &[u8]) {
        let Self { handler, state, .. } = self;
        let mut parsed = F::parse(state.held.as_slice(), state.max_length);
        if !matches!(parsed, Parsed::Incomplete(_)) {
            // A pause is over, and nobody has told.
            state.held.append(data, 0);
            return self.deliver_held(transport);
        }
        while let Parsed::Incomplete(total) = parsed {
            let missing = total.saturating_sub(state.held.len());
            let Some((more, rest)) = data.split_at_checked(missing) else {
                return state.append(data, total);
            };
            state.append(more, total);
            data = rest;
            parsed = F::parse(state.held.as_slice(), state.max_length);
        }
        let taken = state.held.take();
        let mut strings = Strings::new::<F>(transport, state, data);
        deliver_parsed::<H, F>(handler, &mut strings, taken.as_slice(), parsed);
        drop(taken);
        let incomplete = deliver::<H, F>(handler, &mut strings);
        let left = strings.rest.len();
        self.keep(&data[data.len() - left..], incomplete);
    }

    /// What is held may have strings in it.
    fn deliver_held(&mut self, transport: &Transport) {
        if self.state.held.is_empty() {
            return;
        }
        let taken = self.state.held.take();
        let mut strings = Strings::new::<F>(transport, &mut self.state, taken.as_slice());
        let incomplete = deliver::<H, F>(&mut self.handler, &mut strings);
        let left = strings.rest.len();
        self.state.held.put_back(taken, left);
        if incomplete.is_some() {
            self.state.held.settle();
        }
    }

    /// Keeps bytes that were not delivered; `incomplete` says how many the string takes that they are the beginning of.
    fn keep(&mut self, data: &[u8], incomplete: Option<usize>) {
        if !data.is_empty() {
            self.state.append(data, incomplete.unwrap_or(0));
        }
    }
}

/// Delivers what there is to deliver of `strings.rest`. If what is left is incomplete: how many bytes it takes.
fn deliver<H: StringHandler, F: Format>(handler: &mut H, strings: &mut Strings<'_>) -> Option<usize> {
    while !strings.rest.is_empty() && !strings.is_paused() {
        let bytes = strings.rest;
        let parsed = F::parse(bytes, strings.state.max_length);
        match &parsed {
            Parsed::Incomplete(total) => return Some(*total),
            Parsed::String { total, .. } => strings.rest = &bytes[*total..],
            Parsed::TooLong(_) | Parsed::Malformed => {}
        }
        deliver_parsed::<H, F>(handler, strings, bytes, parsed);
    }
    None
}

/// Delivers what was found in `bytes`, of which `strings.rest` is behind.
fn deliver_parsed<H: StringHandler, F: Format>(
    handler: &mut H,
    strings: &mut Strings<'_>,
    bytes: &[u8],
    parsed: Parsed,
) {
    match parsed {
        Parsed::String { string, .. } => handler.string_received(strings, &bytes[string]),
        Parsed::TooLong(length) if !F::REFUSES_AGAIN => {
            refuse(strings);
            handler.length_limit_exceeded(strings, length);
        }
        Parsed::TooLong(_) | Parsed::Malformed => {
            refuse(strings);
            strings.lose_connection();
        }
        Parsed::Incomplete(_) => {}
    }
}

fn refuse(strings: &mut Strings<'_>) {
    strings.state.is_broken = true;
    strings.rest = &[];
}

impl<H: StringHandler, F: Format> ProtocolHandle<StringReceiver<H, F>> {
    /// Calls `f` with the handler and its strings: [`StringReceiver::with`] within [`ProtocolHandle::with`].
    ///
    /// # Errors
    ///
    /// Those of [`ProtocolHandle::with`].
    ///
    /// ```
    /// use rt::protocol::{NetstringReceiver, StringHandler, Strings};
    /// use rt::testing::StringTransportWithDisconnection;
    ///
    /// struct Discard;
    ///
    /// impl StringHandler for Discard {
    ///     fn string_received(&mut self, _: &mut Strings<'_>, _: &[u8]) {}
    /// }
    ///
    /// let connection = StringTransportWithDisconnection::new(NetstringReceiver::new(Discard));
    /// connection.handle().with_handler(|_, strings| strings.send_string(b"hello"))??;
    /// assert_eq!(connection.string_transport().value(), b"5:hello,");
    /// # Ok::<(), rt::Failure>(())
    /// ```
    pub fn with_handler<R>(&self, f: impl FnOnce(&mut H, &mut Strings<'_>) -> R) -> Result<R, HandleError> {
        self.with(|receiver, transport| receiver.with(transport, f))
    }
}

impl<H: StringHandler, F: Format> Protocol for StringReceiver<H, F> {
    fn connection_made(&mut self, transport: &Transport) {
        self.with(transport, |handler, strings| handler.connection_made(strings));
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let state = &mut self.state;
        if state.is_broken {
            if F::REFUSES_AGAIN {
                transport.lose_connection();
            }
        } else if state.held.is_empty() {
            self.deliver_from(transport, data);
        } else if state.is_stopped || transport.is_paused() {
            state.held.append(data, 0);
        } else {
            self.deliver_across(transport, data);
        }
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        self.with(transport, |handler, strings| handler.connection_lost(strings, reason));
    }

    fn read_connection_lost(&mut self, transport: &Transport) {
        self.with(transport, |handler, strings| handler.read_connection_lost(strings));
    }

    fn write_connection_lost(&mut self, transport: &Transport) {
        self.with(transport, |handler, strings| handler.write_connection_lost(strings));
    }

    fn handshake_completed(&mut self, transport: &Transport) {
        self.with(transport, |handler, strings| handler.handshake_completed(strings));
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        self.deliver_held(transport);
    }
}

impl<H, F> fmt::Debug for StringReceiver<H, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StringReceiver").field("undelivered", &self.state.held.len()).finish_non_exhaustive()
    }
}
