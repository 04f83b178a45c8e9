//! Doubles of connections, for tests of protocols without sockets, time or a runtime.
//!
//! - [`StringTransport`] keeps what is written to it and notes what is asked of it.
//! - [`StringTransportWithDisconnection`] runs a protocol on one, and tells it that the connection is lost.
//!
//! Counterpart: `twisted.internet.testing`.

mod disconnection;
mod string_transport;

pub use disconnection::StringTransportWithDisconnection;
pub use string_transport::{Request, StringTransport};
