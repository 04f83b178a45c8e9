//! Single datagrams, by the shortest way to the system.

use std::io;
use std::net::SocketAddr;

/// Without the C library around them, for the reason that `tcp/stream.rs` gives.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod calls {
    use super::{SocketAddr, io};
    use rustix::net::{RecvFlags, SendFlags, SocketAddrAny, recv, recvfrom, send, sendto};

    pub(crate) fn receive(io: &mio::net::UdpSocket, buf: &mut [u8]) -> io::Result<usize> {
        let (received, _) = recv(io, buf, RecvFlags::empty())?;
        Ok(received)
    }

    pub(crate) fn receive_from(io: &mio::net::UdpSocket, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (received, _, from) = recvfrom(io, buf, RecvFlags::empty())?;
        Ok((received, ip(from)?))
    }

    pub(crate) fn transmit(io: &mio::net::UdpSocket, buf: &[u8]) -> io::Result<usize> {
        Ok(send(io, buf, SendFlags::empty())?)
    }

    pub(crate) fn transmit_to(io: &mio::net::UdpSocket, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        Ok(sendto(io, buf, SendFlags::empty(), &target)?)
    }

    fn ip(address: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
        let not_ip = || io::Error::new(io::ErrorKind::InvalidData, "a datagram came from no IPv4 or IPv6 address");
        address.and_then(|address| SocketAddr::try_from(address).ok()).ok_or_else(not_ip)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod calls {
    use super::{SocketAddr, io};

    pub(crate) fn receive(io: &mio::net::UdpSocket, buf: &mut [u8]) -> io::Result<usize> {
        io.recv(buf)
    }

    pub(crate) fn receive_from(io: &mio::net::UdpSocket, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        io.recv_from(buf)
    }

    pub(crate) fn transmit(io: &mio::net::UdpSocket, buf: &[u8]) -> io::Result<usize> {
        io.send(buf)
    }

    pub(crate) fn transmit_to(io: &mio::net::UdpSocket, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        io.send_to(buf, target)
    }
}

pub(crate) use calls::{receive, receive_from, transmit, transmit_to};
