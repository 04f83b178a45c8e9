//! Who receives strings, and what it may do about them.

use super::format::{Format, StringTooLong};
use super::held::Held;
use crate::protocol::{ConnectionLost, ConnectionStream, Transport};
use std::fmt;
use std::io;
use std::ops::Deref;

/// Who receives the strings of a [`NetstringReceiver`](super::NetstringReceiver), [`Int8StringReceiver`](super::Int8StringReceiver),
/// [`Int16StringReceiver`](super::Int16StringReceiver) or [`Int32StringReceiver`](super::Int32StringReceiver).
///
/// Every method gets the [`Strings`], which are the connection's [`Transport`], too. Only `string_received` has to be written.
///
/// Counterpart: the methods of `twisted.protocols.basic.IntNStringReceiver` that subclasses override.
///
/// ```
/// use rt::protocol::{Int16StringReceiver, StringHandler, Strings};
/// use rt::testing::StringTransportWithDisconnection;
///
/// struct Reverse;
///
/// impl StringHandler for Reverse {
///     fn string_received(&mut self, strings: &mut Strings<'_>, string: &[u8]) {
///         let reversed: Vec<u8> = string.iter().rev().copied().collect();
///         strings.send_string(&reversed).expect("it came with a prefix of the same size");
///     }
/// }
///
/// let connection = StringTransportWithDisconnection::new(Int16StringReceiver::new(Reverse));
/// connection.data_received(b"\x00\x03ab");
/// connection.data_received(b"c\x00");
/// assert_eq!(connection.string_transport().value(), b"\x00\x03cba");
/// ```
pub trait StringHandler: 'static {
    /// The connection is there. Called once, before anything else.
    fn connection_made(&mut self, strings: &mut Strings<'_>) {
        let _ = strings;
    }

    /// A string came.
    fn string_received(&mut self, strings: &mut Strings<'_>, string: &[u8]);

    /// A prefix announces a string of `length` bytes, which is more than the limit. Unless this is written, the connection is lost.
    ///
    /// Nothing comes after it, whatever this does. For netstrings it is not called: they lose the connection.
    fn length_limit_exceeded(&mut self, strings: &mut Strings<'_>, length: usize) {
        let _ = length;
        strings.lose_connection();
    }

    /// The connection is gone, and nothing is called any more.
    fn connection_lost(&mut self, strings: &mut Strings<'_>, reason: &ConnectionLost) {
        let _ = (strings, reason);
    }

    /// The peer sends no more: see [`Protocol::read_connection_lost`](crate::protocol::Protocol::read_connection_lost).
    fn read_connection_lost(&mut self, strings: &mut Strings<'_>) {
        strings.stop_producer();
        strings.lose_connection();
    }

    /// What was written is sent and writing is closed.
    fn write_connection_lost(&mut self, strings: &mut Strings<'_>) {
        let _ = strings;
    }

    /// A TLS handshake is over.
    fn handshake_completed(&mut self, strings: &mut Strings<'_>) {
        let _ = strings;
    }
}

/// A connection that is received string by string, as its [`StringHandler`] sees it. Derefs to its [`Transport`].
///
/// All of it may be called within any method of the handler: what comes of it comes when the method has returned.
///
/// Counterpart: the methods of `twisted.protocols.basic.IntNStringReceiver` that subclasses call.
///
/// ```
/// use rt::protocol::{NetstringReceiver, StringHandler, Strings};
/// use rt::testing::StringTransportWithDisconnection;
///
/// #[derive(Default)]
/// struct OneByOne(Vec<Vec<u8>>);
///
/// impl StringHandler for OneByOne {
///     fn string_received(&mut self, strings: &mut Strings<'_>, string: &[u8]) {
///         self.0.push(string.to_vec());
///         strings.pause_producing();
///     }
/// }
///
/// let connection = StringTransportWithDisconnection::new(NetstringReceiver::new(OneByOne::default()));
/// connection.data_received(b"1:a,1:b,");
/// let handle = connection.handle();
/// handle.with(|receiver, _| assert_eq!(receiver.handler().0, [b"a"])).unwrap();
/// handle.with(|receiver, transport| receiver.resume_producing(transport)).unwrap();
/// handle.with(|receiver, _| assert_eq!(receiver.handler().0, [b"a", b"b"])).unwrap();
/// ```
pub struct Strings<'a> {
    transport: &'a Transport,
    pub(super) state: &'a mut StringState,
    send: fn(&Transport, &[u8]) -> Result<(), StringTooLong>,
    /// What has come and is not delivered yet.
    pub(super) rest: &'a [u8],
    /// Whether there may be something to deliver after a call from outside.
    pub(super) again: bool,
}

impl<'a> Strings<'a> {
    pub(super) fn new<F: Format>(transport: &'a Transport, state: &'a mut StringState, rest: &'a [u8]) -> Self {
        Self { transport, state, send: F::send, rest, again: false }
    }

    /// Sends `string`, in the way that strings are received.
    ///
    /// # Errors
    ///
    /// It is longer than the prefix can say; nothing is sent. Netstrings have no such limit.
    pub fn send_string(&self, string: &[u8]) -> Result<(), StringTooLong> {
        (self.send)(self.transport, string)
    }

    /// Changes how long a received string may be, in bytes.
    pub fn set_max_length(&mut self, max_length: usize) {
        self.state.max_length = max_length;
    }

    /// Delivers no more, and reads no more, until [`resume_producing`](Strings::resume_producing).
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

    /// Takes out what has come and is not delivered yet, for who goes on with another protocol.
    ///
    /// Counterpart: `recvd`.
    pub fn take_received(&mut self) -> Vec<u8> {
        let mut received = std::mem::take(&mut self.rest).to_vec();
        received.append(&mut self.state.held.take().into_vec());
        received
    }

    /// Takes the connection over as a stream, as [`Transport::take_stream`] does; what has come and is not delivered yet goes to the
    /// stream. `unread` is what it reads before that.
    ///
    /// # Errors
    ///
    /// Those of [`Transport::take_stream`]; what has come is delivered as ever then.
    pub fn take_stream(&mut self, unread: &[u8]) -> io::Result<ConnectionStream> {
        let unread = [unread, self.rest, self.state.held.as_slice()].concat();
        let stream = self.transport.take_stream(&unread)?;
        drop(self.take_received());
        Ok(stream)
    }

    /// The connection.
    pub fn transport(&self) -> &'a Transport {
        self.transport
    }
}

impl Deref for Strings<'_> {
    type Target = Transport;

    fn deref(&self) -> &Transport {
        self.transport
    }
}

impl fmt::Debug for Strings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let undelivered = self.rest.len() + self.state.held.len();
        f.debug_struct("Strings")
            .field("transport", self.transport)
            .field("undelivered", &undelivered)
            .finish_non_exhaustive()
    }
}

/// All of a receiver but its handler.
pub(super) struct StringState {
    pub(super) held: Held,
    pub(super) max_length: usize,
    pub(super) is_stopped: bool,
    /// The peer has sent what cannot be gone on after.
    pub(super) is_broken: bool,
}

impl StringState {
    /// Keeps bytes of a string that takes `total` bytes. Of those that have not come it makes room for seven times as many as have: moving a
    /// string that grows is what costs most, and who announces much and sends little gets little.
    pub(super) fn append(&mut self, data: &[u8], total: usize) {
        let room = (8 * (self.held.len() + data.len())).min(total);
        self.held.append(data, room);
    }
}

/// Twisted's `MAX_LENGTH`.
const MAX_LENGTH: usize = 99999;

impl Default for StringState {
    fn default() -> Self {
        Self { held: Held::default(), max_length: MAX_LENGTH, is_stopped: false, is_broken: false }
    }
}
