//! UDP: the socket, its options, and many datagrams in one call.

mod options;
mod peek;
mod socket;
mod system;

pub use socket::UdpSocket;
