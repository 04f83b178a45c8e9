//! TLS, by rustls.
//!
//! - [`TlsConnector`] puts a stream under TLS as a client, [`TlsAcceptor`] as a server; both give a [`TlsStream`].
//! - [`TlsListener`] accepts TCP connections and shakes hands with many clients at once.
//! - [`SniResolver`] chooses among certificates and loads them again while the server runs.
//! - [`LazyAccept`] shows what a client asks for before the configuration is chosen.
//!
//! Any stream can go under TLS, also one that has been in use (STARTTLS).
//!
//! ```
//! # #[cfg(feature = "tls")]
//! # fn main() -> std::io::Result<()> {
//! use futures_util::io::{AsyncReadExt, AsyncWriteExt};
//! use rt::net::tls::{TlsAcceptor, TlsConnector};
//! use rt::net::{TcpListener, TcpStream};
//!
//! // A certificate for localhost that certifies itself, made by the crate rcgen.
//! let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
//! let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
//! let acceptor = TlsAcceptor::builder().certificate_pem(&certificate, &key).build()?;
//! let connector = TlsConnector::builder().only_these_roots().root_pem(&certificate).build()?;
//!
//! rt::block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?;
//!     let server = rt::spawn(async move {
//!         let (stream, _) = listener.accept().await?;
//!         let mut stream = acceptor.accept(stream).await?;
//!         stream.write_all(b"hello under TLS").await?;
//!         stream.close().await
//!     });
//!     let mut stream = connector.connect("localhost", TcpStream::connect(address).await?).await?;
//!     let mut text = String::new();
//!     stream.read_to_string(&mut text).await?;
//!     assert_eq!(text, "hello under TLS");
//!     server.await.unwrap()
//! })
//! # }
//! # #[cfg(not(feature = "tls"))]
//! # fn main() {}
//! ```
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
mod acceptor_builder;
mod lazy;
mod listener;

pub use acceptor::TlsAcceptor;
pub use acceptor_builder::TlsAcceptorBuilder;
pub use connector::{TlsConnector, TlsConnectorBuilder};
pub use handshake::{Accept, Connect};
pub use lazy::{LazyAccept, StartHandshake};
pub use listener::TlsListener;
pub use resolver::SniResolver;
pub use stream::TlsStream;

/// The version of rustls that is used here, for its configurations and errors.
pub use rustls;
