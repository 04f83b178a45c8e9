//! Protocols over datagrams: UDP and, on Unix, Unix sockets.

mod transport;
mod port;
mod options;
mod address;
mod place;
mod task;
mod state;
mod queue;
mod udp;
#[cfg(unix)]
mod unix;

pub use address::DatagramAddress;
pub use port::{DatagramPort, UdpPort, adopt_udp, connect_udp, listen_multicast, listen_udp};
pub use transport::{DatagramBackend, DatagramTransport, UdpTransport};
#[cfg(unix)]
pub use unix::{
    UnixDatagramPort, UnixDatagramTransport, adopt_unix_datagram, connect_unix_datagram, listen_unix_datagram,
};

use super::ConnectionLost;
use std::io;
use std::net::SocketAddr;

/// What happens on a socket for datagrams, told to an object that lives as long as the socket.
///
/// Every method gets the socket's [`DatagramTransport`], of which it may keep a clone. Only `datagram_received` has to be written.
/// `A` is the kind of address: those of UDP unless it is said, `std::os::unix::net::SocketAddr` for Unix sockets.
///
/// No event comes while the protocol is in another one, and all of them come on one thread. A panic in a method closes the socket
/// with [`ConnectionLost::Panicked`], and is reported as an unhandled failure; only `stop_protocol` is called after it.
///
/// Counterpart: `twisted.internet.protocol.DatagramProtocol`.
///
/// ```
/// use rt::protocol::{DatagramProtocol, UdpTransport, listen_udp};
/// use std::net::SocketAddr;
///
/// struct Echo;
///
/// impl DatagramProtocol for Echo {
///     fn datagram_received(&mut self, transport: &UdpTransport, data: &[u8], from: SocketAddr) {
///         transport.write(data, from);
///     }
/// }
///
/// # fn main() -> Result<(), rt::Failure> {
/// # rt::block_on(async {
/// let port = listen_udp("127.0.0.1:0", Echo)?;
/// let client = rt::net::UdpSocket::bind("127.0.0.1:0").await?;
/// client.send_to(b"hello", port.host()).await?;
/// assert_eq!(client.recv(&mut [0; 16]).await?, 5);
/// port.stop_listening().await?;
/// # Ok(())
/// # })
/// # }
/// ```
pub trait DatagramProtocol<A: DatagramAddress = SocketAddr>: 'static {
    /// The socket is there. Called once, before anything else.
    fn start_protocol(&mut self, transport: &DatagramTransport<A>) {
        let _ = transport;
    }

    /// A datagram came, whole, maybe empty.
    ///
    /// Datagrams are at most 65,535 bytes long. That is more than UDP can carry; of a longer one from a Unix socket the rest is lost.
    fn datagram_received(&mut self, transport: &DatagramTransport<A>, data: &[u8], from: A);

    /// Nobody listens where this socket is [connected](DatagramTransport::connect) to. It was told about an earlier datagram; one may
    /// go on and send others.
    fn connection_refused(&mut self, transport: &DatagramTransport<A>) {
        let _ = transport;
    }

    /// A datagram could not be sent to `to` (`None`: to where the socket is connected), and is lost.
    ///
    /// When more than 16 fail in one turn, it is called for the first 16 of them.
    fn send_failed(&mut self, transport: &DatagramTransport<A>, to: Option<A>, error: io::Error) {
        let _ = (transport, to, error);
    }

    /// The socket is closed, and nothing is called any more. What is written from here on is thrown away.
    fn stop_protocol(&mut self, transport: &DatagramTransport<A>, reason: &ConnectionLost) {
        let _ = (transport, reason);
    }
}

/// A [`DatagramProtocol`] for a socket that sends to one address and receives from there only.
///
/// It sends with `transport.write(data, None)`.
///
/// Counterpart: `twisted.internet.protocol.ConnectedDatagramProtocol`. Its `connectionFailed` is what [`connect_udp`] returns.
///
/// ```
/// use rt::protocol::{ConnectedDatagramProtocol, UdpTransport, connect_udp};
///
/// /// Asks once, and closes with the answer.
/// struct Ask;
///
/// impl ConnectedDatagramProtocol for Ask {
///     fn start_protocol(&mut self, transport: &UdpTransport) {
///         transport.write(b"what time is it?", None);
///     }
///     fn datagram_received(&mut self, transport: &UdpTransport, data: &[u8]) {
///         assert_eq!(data, b"tea time");
///         drop(transport.stop_listening());
///     }
/// }
///
/// # fn main() -> Result<(), rt::Failure> {
/// # rt::block_on(async {
/// let server = rt::net::UdpSocket::bind("127.0.0.1:0").await?;
/// let asking = connect_udp(server.local_addr()?, Ask)?;
/// let (_, from) = server.recv_from(&mut [0; 100]).await?;
/// server.send_to(b"tea time", from).await?;
/// assert!(asking.closed().await?.is_clean());
/// # Ok(())
/// # })
/// # }
/// ```
pub trait ConnectedDatagramProtocol<A: DatagramAddress = SocketAddr>: 'static {
    /// The socket is there. Called once, before anything else.
    fn start_protocol(&mut self, transport: &DatagramTransport<A>) {
        let _ = transport;
    }

    /// A datagram came, whole, maybe empty.
    fn datagram_received(&mut self, transport: &DatagramTransport<A>, data: &[u8]);

    /// Nobody listens there. It was told about an earlier datagram; one may go on and send others.
    fn connection_refused(&mut self, transport: &DatagramTransport<A>) {
        let _ = transport;
    }

    /// A datagram could not be sent, and is lost; see [`DatagramProtocol::send_failed`].
    fn send_failed(&mut self, transport: &DatagramTransport<A>, error: io::Error) {
        let _ = (transport, error);
    }

    /// The socket is closed, and nothing is called any more. What is written from here on is thrown away.
    fn stop_protocol(&mut self, transport: &DatagramTransport<A>, reason: &ConnectionLost) {
        let _ = (transport, reason);
    }
}
