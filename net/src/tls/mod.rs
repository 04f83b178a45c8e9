//! TLS, by rustls.
//!
//! - [`TlsConnector`] puts a stream under TLS as a client, [`TlsAcceptor`] as a server; both give a [`TlsStream`].
//! - [`TlsListener`] accepts TCP connections and shakes hands with many clients at once.
//! - [`SniResolver`] chooses among certificates and loads them again while the server runs.
//! - [`LazyAccept`] shows what a client asks for before the configuration is chosen.
//!
//! Any stream can go under TLS, also one that has been in use (STARTTLS).
//!
//! The cryptography is ring's, unless the process has installed another provider for rustls.
//!
//! Counterpart: the crate `tokio-rustls`; Twisted's `twisted.internet.ssl`.

mod error;
mod pem;
mod transport;
mod session;
mod stream;
mod handshake;
mod connector;
mod resolver;
mod acceptor;
mod lazy;
mod listener;

pub use acceptor::{TlsAcceptor, TlsAcceptorBuilder};
pub use connector::{TlsConnector, TlsConnectorBuilder};
pub use handshake::{Accept, Connect};
pub use lazy::{LazyAccept, StartHandshake};
pub use listener::TlsListener;
pub use resolver::SniResolver;
pub use stream::TlsStream;

/// The version of rustls that is used here, for its configurations and errors.
pub use rustls;
