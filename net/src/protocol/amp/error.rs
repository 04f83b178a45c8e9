//! What goes wrong in AMP.

use super::{MAX_KEY_LENGTH, MAX_VALUE_LENGTH};
use std::error::Error;
use std::fmt;

/// Why something is no box.
///
/// Counterpart: `TooLong`, `NoEmptyBoxes` and `MalformedAmpBox` of `twisted.protocols.amp`.
///
/// ```
/// use rt::protocol::amp::{AmpBox, BoxError};
///
/// assert_eq!(AmpBox::parse(b"HTTP"), Err(BoxError::KeyTooLong { length: 0x4854 }));
/// assert_eq!(AmpBox::parse(b"\0\x03key"), Err(BoxError::CutOff));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoxError {
    /// A key has more than [`MAX_KEY_LENGTH`] bytes. A peer that does not speak AMP at all is met with this.
    KeyTooLong {
        /// How many bytes it has.
        length: usize,
    },
    /// A value has more than [`MAX_VALUE_LENGTH`] bytes.
    ValueTooLong {
        /// Whose value it is.
        key: Vec<u8>,
        /// How many bytes it has.
        length: usize,
    },
    /// A key has no bytes: on the wire that is the end of the box.
    EmptyKey,
    /// A box has more keys than [`BoxLimits`](super::BoxLimits) allow.
    TooManyKeys {
        /// How many are allowed.
        limit: usize,
    },
    /// A box has more bytes than [`BoxLimits`](super::BoxLimits) allow.
    TooLarge {
        /// How many are allowed.
        limit: usize,
    },
    /// The bytes end within a box.
    CutOff,
}

impl fmt::Display for BoxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BoxError::KeyTooLong { length } => {
                write!(f, "a key of {length} bytes: an AMP box has keys of 1 to {MAX_KEY_LENGTH}")
            }
            BoxError::ValueTooLong { key, length } => {
                write!(f, "a value of {length} bytes for the key {}: ", key.escape_ascii())?;
                write!(f, "an AMP box has values of at most {MAX_VALUE_LENGTH}")
            }
            BoxError::EmptyKey => write!(f, "an empty key: an AMP box has keys of 1 to {MAX_KEY_LENGTH} bytes"),
            BoxError::TooManyKeys { limit } => write!(f, "an AMP box with more than {limit} keys"),
            BoxError::TooLarge { limit } => write!(f, "an AMP box with more than {limit} bytes"),
            BoxError::CutOff => f.write_str("an AMP box is cut off"),
        }
    }
}

impl Error for BoxError {}

/// Why a box has not the arguments that were looked for, or cannot take them.
///
/// ```
/// use rt::protocol::amp::{AmpBox, ArgumentError};
///
/// let error = AmpBox::new().argument::<u8>("age").unwrap_err();
/// assert_eq!(error, ArgumentError::Missing { name: "age".to_owned() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgumentError {
    /// It is not there.
    Missing {
        /// Its name.
        name: String,
    },
    /// It is something else.
    Malformed {
        /// Its name.
        name: String,
        /// What it should be.
        expected: &'static str,
        /// What it is; the beginning, if it is long.
        found: Vec<u8>,
    },
    /// It is a value that cannot be written in AMP.
    Unwritable {
        /// Its name.
        name: String,
        /// What it should be.
        expected: &'static str,
    },
    /// It does not go into a box.
    Unfit(BoxError),
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArgumentError::Missing { name } => write!(f, "the argument {name} is missing"),
            ArgumentError::Malformed { name, expected, found } => {
                write!(f, "the argument {name} should be {expected}, and is {}", found.escape_ascii())
            }
            ArgumentError::Unwritable { name, expected } => {
                write!(f, "the argument {name} cannot be written as {expected}")
            }
            ArgumentError::Unfit(error) => error.fmt(f),
        }
    }
}

impl Error for ArgumentError {}

/// An error with a code, as it goes over the wire.
///
/// A responder that fails with one sends it. Who calls by name, not by a [`Command`](super::Command), gets one.
///
/// Counterpart: `twisted.protocols.amp.RemoteAmpError`.
///
/// ```
/// use rt::protocol::amp::RemoteAmpError;
///
/// let error = RemoteAmpError::new("BUSY", "come back tomorrow").fatal();
/// assert_eq!(error.to_string(), "BUSY: come back tomorrow");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteAmpError {
    /// What both sides know it by.
    pub code: Vec<u8>,
    /// For people.
    pub description: String,
    /// Whether the responding side closes the connection after it. Not known of an error that came over the wire.
    pub is_fatal: bool,
}

impl RemoteAmpError {
    /// An error after which the connection goes on.
    pub fn new(code: impl Into<Vec<u8>>, description: impl Into<String>) -> Self {
        Self { code: code.into(), description: description.into(), is_fatal: false }
    }

    /// The same error; the connection is closed after it.
    pub fn fatal(mut self) -> Self {
        self.is_fatal = true;
        self
    }
}

impl fmt::Display for RemoteAmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.escape_ascii(), self.description)
    }
}

impl Error for RemoteAmpError {}

/// The peer failed with an error that the command does not know.
///
/// ```
/// use rt::protocol::amp::{Amp, Command, UnknownRemoteError};
/// use rt::testing::StringTransportWithDisconnection;
///
/// #[derive(Command)]
/// struct Ping;
///
/// let client = StringTransportWithDisconnection::new(Amp::new());
/// let answer = client.handle().with(|amp, _| amp.call_remote(Ping))?;
/// client.data_received(b"\0\x06_error\0\x011\0\x0b_error_code\0\x04BUSY\0\x12_error_description\0\x07not now\0\0");
/// let failure = rt::deferred::failure_result_of(answer);
/// assert_eq!(failure.downcast_ref::<UnknownRemoteError>().unwrap().code, b"BUSY");
/// # Ok::<(), rt::protocol::HandleError>(())
/// ```
///
/// Counterpart: `twisted.protocols.amp.UnknownRemoteError`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownRemoteError {
    /// The code that the peer sent: `UNKNOWN` if it has none for it either.
    pub code: Vec<u8>,
    /// What the peer says of it.
    pub description: String,
}

impl fmt::Display for UnknownRemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peer failed with {}: {}", self.code.escape_ascii(), self.description)
    }
}

impl Error for UnknownRemoteError {}

/// The peer has no responder for the command.
///
/// ```
/// use rt::protocol::amp::{Amp, Command, UnhandledCommand};
/// use rt::testing::StringTransportWithDisconnection;
///
/// #[derive(Command)]
/// struct Ping;
///
/// let (client, server) = (Amp::new(), Amp::new());
/// let (client, server) = (StringTransportWithDisconnection::new(client), StringTransportWithDisconnection::new(server));
/// let answer = client.handle().with(|amp, _| amp.call_remote(Ping))?;
/// server.data_received(&client.string_transport().value());
/// client.data_received(&server.string_transport().value());
/// assert!(rt::deferred::failure_result_of(answer).check::<UnhandledCommand>());
/// # Ok::<(), rt::protocol::HandleError>(())
/// ```
///
/// Counterpart: `twisted.protocols.amp.UnhandledCommand`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnhandledCommand {
    /// What the peer says of it.
    pub description: String,
}

impl fmt::Display for UnhandledCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peer does not know the command: {}", self.description)
    }
}

impl Error for UnhandledCommand {}

/// Why a command cannot be sent. On a connection that is gone, it is the
/// [`ConnectionLost`](crate::protocol::ConnectionLost) instead.
///
/// ```
/// use rt::protocol::amp::{Amp, AmpBox, CallError};
///
/// let too_early = Amp::new().remote().call_remote_string("Ping", AmpBox::new());
/// assert_eq!(rt::deferred::failure_result_of(too_early).downcast_ref(), Some(&CallError::NotConnected));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// There is no connection yet.
    NotConnected,
    /// The connection has gone over to another protocol, or is about to.
    ///
    /// Counterpart: `twisted.protocols.amp.ProtocolSwitched`.
    Switched,
    /// As many calls as [`Amp::max_calls`](super::Amp::max_calls) allows wait for an answer.
    TooManyCalls {
        /// How many are allowed.
        limit: usize,
    },
    /// TLS is there already, or was asked for.
    ///
    /// Counterpart: `twisted.protocols.amp.OnlyOneTLS`.
    OnlyOneTls,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::NotConnected => f.write_str("there is no connection yet that the command could go over"),
            CallError::Switched => f.write_str("the connection has gone over to another protocol"),
            CallError::TooManyCalls { limit } => write!(f, "{limit} calls wait for an answer, and no more may"),
            CallError::OnlyOneTls => f.write_str("TLS can be started once on a connection"),
        }
    }
}

impl Error for CallError {}

/// Why a peer that sends boxes is hung up on: they make no conversation.
///
/// ```
/// use rt::protocol::amp::Amp;
/// use rt::testing::{Request, StringTransportWithDisconnection};
///
/// let side = StringTransportWithDisconnection::new(Amp::new());
/// side.data_received(b"\0\x07_answer\0\x011\0\0");
/// let Some(Request::AbortConnection(reason)) = side.string_transport().take_requests().pop() else { panic!() };
/// assert_eq!(reason.to_string(), "the connection was lost: an answer to the question 1, which was not asked");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolViolation {
    /// A box that is neither a command, nor an answer, nor an error.
    ///
    /// Counterpart: `twisted.protocols.amp.NoEmptyBoxes`.
    NoMeaning,
    /// An answer to a question that was not asked.
    NotAsked {
        /// What it says that it answers.
        tag: Vec<u8>,
    },
    /// An error without its code or description.
    Incomplete,
    /// Bytes in the clear behind the box after which TLS begins: somebody in between may have put them there.
    BeforeTls,
}

impl fmt::Display for ProtocolViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProtocolViolation::NoMeaning => f.write_str("an AMP box that is no command, no answer and no error"),
            ProtocolViolation::NotAsked { tag } => {
                write!(f, "an answer to the question {}, which was not asked", tag.escape_ascii())
            }
            ProtocolViolation::Incomplete => f.write_str("an AMP error without a code or a description"),
            ProtocolViolation::BeforeTls => f.write_str("bytes in the clear where TLS has to begin"),
        }
    }
}

impl Error for ProtocolViolation {}
