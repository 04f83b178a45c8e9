//! Twisted's half: callback protocols, and what they run on.
//!
//! A [`Protocol`] is told what happens on one connection: it was made, bytes came, it is gone. What it wants done it asks of a
//! [`Transport`]. A [`Factory`] makes a protocol for each connection.
//!
//! # What is where
//!
//! | to | there is |
//! |---|---|
//! | write a protocol | [`Protocol`], [`Transport`], [`ConnectionLost`]; [`Producer`] and [`WriteLimits`] for much data |
//! | call it from elsewhere | [`ProtocolHandle`] |
//! | listen | [`listen_tcp`] and its kin, which give a [`Port`]; [`ListenOptions`] |
//! | connect | [`connect_tcp`] and its kin, which tell a [`ClientFactory`] how it goes and give a [`Connector`]; [`ConnectOptions`], [`ReconnectingClientFactory`] |
//! | say where later, or in a configuration | endpoints: [`TcpServerEndpoint`], [`HostnameEndpoint`] and others; [`server_from_string`], [`client_from_string`]; [`connect_protocol`] gives a Deferred of the running protocol |
//! | receive lines or strings in place of bytes | [`LineReceiver`], [`NetstringReceiver`], [`Int32StringReceiver`] and their kin; [`FileSender`] sends a file |
//! | put something around a factory | [`policy`]: time limits, limits of connections and of bytes per second, logs |
//! | call functions of the peer | [`amp`] |
//! | be between two others | [`PortForwardFactory`] |
//! | speak over something else than a stream | [`DatagramProtocol`] with [`listen_udp`]; [`StandardIo`]; `ProcessProtocol` with `spawn_process` (Unix) |
//! | run a protocol on a stream of your own | [`drive`]; back to a stream goes [`Transport::take_stream`] |
//! | move the bytes yourself | [`connection`], [`Backend`] |
//!
//! Doubles for tests are in [`testing`](crate::testing), and what keeps servers and clients running in [`service`](crate::service).
//!
//! # The rules
//!
//! - `connection_made` comes first, `connection_lost` last; nothing comes after it.
//! - No event comes while the protocol is in another one: a transport records what it is asked, and does it when the
//!   protocol has returned.
//! - All of it happens on one thread, the one that the connection was made on. Nothing here is `Send`.
//! - Every buffer has a limit: see [`WriteLimits`].

mod address;
mod lost;
mod transport;
mod producer;
pub(crate) mod factory;
mod handle;
mod driver;
pub mod connection;

mod listen;
mod port;
mod connect;
mod endpoint;
mod reactor;
mod start;
mod start_tls;

mod framing;
pub mod policy;
pub mod amp;
mod port_forward;
mod pull_to_push;

mod datagram;
mod standard_io;
#[cfg(unix)]
mod process;

pub use address::Address;
pub use factory::{Factory, ForProtocol, for_protocol};
pub use lost::ConnectionLost;
pub use producer::{AlreadyRegistered, Consumer, Producer};
pub use transport::{Backend, Transport, WriteLimits};

pub use driver::{ConnectionStream, drive};
pub use handle::{HandleError, Holds, ProtocolHandle};
pub use start::{NoProtocol, drive_factory};

#[cfg(feature = "tls")]
pub use listen::listen_tls;
#[cfg(unix)]
pub use listen::listen_unix;
pub use listen::{ListenOptions, listen_on, listen_tcp};
pub use port::{Listening, Port};

#[cfg(feature = "tls")]
pub use connect::connect_tls;
#[cfg(unix)]
pub use connect::connect_unix;
pub use connect::{ConnectOptions, Reconnecting, ReconnectingClientFactory, connect_tcp};
pub use factory::{ClientFactory, Connector};

#[cfg(unix)]
pub use endpoint::{AdoptedStreamServerEndpoint, AlreadyListened, UnixClientEndpoint, UnixServerEndpoint};
pub use endpoint::{
    AnyStreamClientEndpoint, AnyStreamServerEndpoint, EndpointStringError, HostnameEndpoint, StreamClientEndpoint,
    StreamServerEndpoint, TcpClientEndpoint, TcpServerEndpoint, client_from_string, connect_protocol,
    quote_string_argument, server_from_string,
};
#[cfg(feature = "tls")]
pub use endpoint::{TlsClientEndpoint, TlsServerEndpoint, wrap_client_tls, wrap_server_tls};
pub use reactor::ReactorTcp;
#[cfg(unix)]
pub use reactor::ReactorUnix;
#[cfg(feature = "tls")]
pub use start_tls::StartTls;

pub use framing::{
    FileSender, FileTransferStopped, Int8StringReceiver, Int16StringReceiver, Int32StringReceiver, IntPrefix,
    LineHandler, LineOnlyReceiver, LineProtocol, LineReceiver, Lines, Netstring, NetstringReceiver,
    StatefulStringHandler, StatefulStringProtocol, StringHandler, StringReceiver, StringTooLong, Strings,
    send_int8_string, send_int16_string, send_int32_string, send_line, send_netstring,
};
pub use port_forward::{PortForwardFactory, ProxyClient, ProxyServer};
pub use pull_to_push::PullToPush;

pub use datagram::{
    ConnectedDatagramProtocol, DatagramAddress, DatagramBackend, DatagramPort, DatagramProtocol, DatagramTransport,
    UdpPort, UdpTransport, adopt_udp, connect_udp, listen_multicast, listen_udp,
};
#[cfg(unix)]
pub use datagram::{
    UnixDatagramPort, UnixDatagramTransport, adopt_unix_datagram, connect_unix_datagram, listen_unix_datagram,
};
#[cfg(unix)]
pub use process::{
    ChildFd, ProcessEnd, ProcessEndpoint, ProcessHandle, ProcessProtocol, ProcessTransport, spawn_process,
    spawn_process_with_fds,
};
pub use standard_io::{StandardIo, StandardIoEndpoint};

pub(crate) use driver::drive_from;
#[cfg(not(feature = "tls"))]
pub(crate) use start_tls::StartTls;

/// What happens on one connection, told to an object that lives as long as the connection.
///
/// Every method gets the connection's [`Transport`], of which it may keep a clone. Only `data_received` has to be written.
///
/// A panic in a method ends the connection with [`ConnectionLost::Panicked`], and is reported as an unhandled failure.
///
/// Counterpart: `twisted.internet.protocol.Protocol`, with `IHalfCloseableProtocol` and `IHandshakeListener`.
///
/// ```
/// use rt::protocol::{Protocol, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no protocol",
    label = "this does not implement `rt::Protocol`",
    note = "a `LineHandler` is run by `LineReceiver::new(…)`, a `StringHandler` by `NetstringReceiver::new(…)` or one of its kin"
)]
pub trait Protocol: 'static {
    /// The connection is there. Called once, before anything else.
    fn connection_made(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// Bytes came, as many as were there: what the peer wrote in one piece may come in several, and several in one.
    fn data_received(&mut self, transport: &Transport, data: &[u8]);

    /// The connection is gone, and nothing is called any more. What is written to the transport from here on is thrown away.
    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        let _ = (transport, reason);
    }

    /// The peer sends no more; it may still read. Unless this is written, the connection is closed when what was written to it is
    /// flushed. Then a registered producer is stopped.
    ///
    /// Counterpart: `IHalfCloseableProtocol.readConnectionLost`. Where a protocol does not have it, Twisted closes at once and
    /// throws away what was not sent.
    fn read_connection_lost(&mut self, transport: &Transport) {
        transport.stop_producer();
        transport.lose_connection();
    }

    /// What was written is sent and writing is closed, after [`Transport::lose_write_connection`].
    fn write_connection_lost(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// The TLS handshake that `Transport::start_tls` or a TLS endpoint began is over: the peer's certificates are known.
    fn handshake_completed(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// Reading goes on after [`Transport::pause_producing`]: who holds back bytes that have come already delivers them now.
    fn reading_resumed(&mut self, transport: &Transport) {
        let _ = transport;
    }
}

/// The methods, handed on to what is in the box or reference.
macro_rules! protocol_in_a_box {
    ($($protocol:ty),*) => {$(
        impl<P: Protocol + ?Sized> Protocol for $protocol {
            fn connection_made(&mut self, transport: &Transport) {
                (**self).connection_made(transport);
            }
            fn data_received(&mut self, transport: &Transport, data: &[u8]) {
                (**self).data_received(transport, data);
            }
            fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
                (**self).connection_lost(transport, reason);
            }
            fn read_connection_lost(&mut self, transport: &Transport) {
                (**self).read_connection_lost(transport);
            }
            fn write_connection_lost(&mut self, transport: &Transport) {
                (**self).write_connection_lost(transport);
            }
            fn handshake_completed(&mut self, transport: &Transport) {
                (**self).handshake_completed(transport);
            }
            fn reading_resumed(&mut self, transport: &Transport) {
                (**self).reading_resumed(transport);
            }
        }
    )*};
}

protocol_in_a_box!(Box<P>);
