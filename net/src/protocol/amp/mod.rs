//! AMP: two programs that call each other's commands over one connection, many at a time.
//!
//! A [`Command`] is a struct of arguments with a type for what comes back. Each side runs [`Amp`], with a responder for each command
//! that the other side may call; [`Remote`] calls, and gives a Deferred. Answers come in any order.
//!
//! ```
//! use rt::protocol::amp::{Amp, Arguments, Command};
//! use rt::testing::StringTransportWithDisconnection;
//!
//! #[derive(Command)]
//! #[amp(response = Total)]
//! struct Sum { a: i64, b: i64 }
//!
//! #[derive(Arguments)]
//! struct Total { total: i64 }
//!
//! let server = StringTransportWithDisconnection::new(Amp::new().responder(|Sum { a, b }| Total { total: a + b }));
//! let client = StringTransportWithDisconnection::new(Amp::new());
//!
//! let answer = client.handle().with(|amp, _| amp.call_remote(Sum { a: 13, b: 81 }))?;
//! server.data_received(&client.string_transport().value());
//! client.data_received(&server.string_transport().value());
//! assert_eq!(rt::deferred::success_result_of(answer).total, 94);
//! # Ok::<(), rt::protocol::HandleError>(())
//! ```
//!
//! # On the wire
//!
//! An [`AmpBox`] is a sequence of keys and values, each with its length in 16 bits, ended by two zeros. A command has its name under
//! `_command`, and under `_ask` a tag if it wants an answer; an answer has the tag under `_answer`; an error under `_error`, with
//! `_error_code` and `_error_description`.
//!
//! # Errors
//!
//! - A failure that the command [knows](ErrorCodes) goes over the wire by its code, and the caller gets an error of the same type.
//! - Any other failure of a responder, a panic too, is told the caller as [`UnknownRemoteError`] without its text, is reported as an
//!   unhandled failure, and ends the connection.
//! - A command without a responder fails with [`UnhandledCommand`]; the connection goes on.
//! - When the connection goes, all calls that wait for an answer fail with the [`ConnectionLost`](super::ConnectionLost).
//! - A peer that sends what is no AMP is hung up on, and the [`ConnectionLost`](super::ConnectionLost) holds the [`BoxError`] or
//!   [`ProtocolViolation`].
//!
//! # Differences from Twisted
//!
//! - A call whose failure nobody handles does not end the connection: it is reported as any unhandled failure.
//! - A box has [limits](BoxLimits), and so have [calls](Amp::max_calls) and [commands](Amp::max_commands) under way.
//! - Bytes in the clear behind the boxes that start TLS end the connection. There is no responder for `StartTLS` unless one is given.
//! - File descriptors (`Descriptor`) cannot be sent.
//!
//! Counterpart: `twisted.protocols.amp`.

mod amp_box;
mod parser;
mod error;
mod argument;
mod list;
mod decimal;
mod date_time;
mod command;
mod remote;
mod dispatcher;
mod receive;
mod link;
#[cfg(feature = "tls")]
mod start_tls;

pub use amp_box::AmpBox;
pub use argument::{Argument, Field};
pub use command::{Arguments, Command, CommandError, ErrorCodes};
pub use date_time::{DateTime, NoSuchDateTime};
pub use decimal::{Decimal, NotDecimal};
pub use dispatcher::Amp;
pub use error::{
    ArgumentError, BoxError, CallError, ProtocolViolation, RemoteAmpError, UnhandledCommand, UnknownRemoteError,
};
pub use list::{AmpList, ListOf};
pub use parser::{BoxLimits, BoxParser};
pub use remote::Remote;
#[cfg(feature = "macros")]
pub use rt_macros::{AmpArguments as Arguments, AmpCommand as Command};

/// How many bytes a key has at most.
pub const MAX_KEY_LENGTH: usize = 0xFF;

/// How many bytes a value has at most.
pub const MAX_VALUE_LENGTH: usize = 0xFFFF;

const ASK: &str = "_ask";
const ANSWER: &str = "_answer";
const COMMAND: &str = "_command";
const ERROR: &str = "_error";
const ERROR_CODE: &str = "_error_code";
const ERROR_DESCRIPTION: &str = "_error_description";
const UNKNOWN_ERROR_CODE: &str = "UNKNOWN";
const UNHANDLED_ERROR_CODE: &str = "UNHANDLED";
