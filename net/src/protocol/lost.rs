//! Why a connection is gone.

use rt_deferred::Failure;
use std::error::Error;
use std::fmt;
use std::io;

/// Why a connection is gone.
///
/// Counterpart: `ConnectionDone`, `ConnectionLost`, `ConnectionAborted` and their kin in `twisted.internet.error`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectionLost {
    /// It was closed in good order, by this side or the other.
    Done,
    /// This side gave it up: [`Transport::abort_connection`](crate::protocol::Transport::abort_connection), or the runtime ended.
    Aborted,
    /// The system or the peer ended it.
    Lost(Failure),
    /// The peer did not take what was written, and more was written than
    /// [`WriteLimits::cap`](crate::protocol::WriteLimits::cap) allows.
    WriteLimit {
        /// How many bytes waited to be sent.
        unsent: usize,
        /// How many were allowed.
        cap: usize,
    },
    /// Nothing came, or something was not done, in the time that a policy allows.
    TimedOut,
    /// TLS could not be established, or was violated.
    Tls(Failure),
    /// A method of the protocol panicked.
    Panicked(Failure),
}

impl ConnectionLost {
    /// Whether it was closed in good order, by this side or the other.
    pub fn is_clean(&self) -> bool {
        matches!(self, ConnectionLost::Done)
    }

    /// The kind of the system's error, if that was the reason.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            ConnectionLost::Lost(failure) | ConnectionLost::Tls(failure) => failure.kind(),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectionLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectionLost::Done => f.write_str("the connection was closed"),
            ConnectionLost::Aborted => f.write_str("the connection was aborted by this side"),
            ConnectionLost::Lost(failure) => write!(f, "the connection was lost: {failure}"),
            ConnectionLost::WriteLimit { unsent, cap } => {
                write!(f, "the peer does not read: {unsent} bytes waited to be sent, and at most {cap} may")
            }
            ConnectionLost::TimedOut => f.write_str("the connection timed out"),
            ConnectionLost::Tls(failure) => write!(f, "TLS failed: {failure}"),
            ConnectionLost::Panicked(failure) => write!(f, "the protocol panicked: {failure}"),
        }
    }
}

impl Error for ConnectionLost {}

impl From<io::Error> for ConnectionLost {
    fn from(error: io::Error) -> ConnectionLost {
        ConnectionLost::Lost(Failure::new(error))
    }
}
