//! What only UDP has: broadcast and groups.

use super::UdpTransport;
use crate::udp::UdpSocket;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// Of UDP sockets: broadcast, and groups of receivers (multicast).
///
/// All of these fail with [`NotConnected`](io::ErrorKind::NotConnected) when the socket is closed.
impl UdpTransport {
    /// Whether datagrams may be sent to broadcast addresses. Not so unless this is called.
    ///
    /// Counterpart: `setBroadcastAllowed`.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt`.
    pub fn set_broadcast_allowed(&self, is_allowed: bool) -> io::Result<()> {
        self.with_socket(|socket| socket.set_broadcast(is_allowed))?
    }

    /// Whether datagrams may be sent to broadcast addresses.
    ///
    /// Counterpart: `getBroadcastAllowed`.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn broadcast_allowed(&self) -> io::Result<bool> {
        self.with_socket(UdpSocket::broadcast)?
    }

    /// Receives what is sent to a group, on the interface that the system chooses. For another interface:
    /// [`with_socket`](UdpTransport::with_socket).
    ///
    /// Counterpart: `joinGroup`.
    ///
    /// # Errors
    ///
    /// It is no address of a group, or joined already; no interface can do that.
    pub fn join_group(&self, group: IpAddr) -> io::Result<()> {
        self.with_socket(|socket| match group {
            IpAddr::V4(group) => socket.join_multicast_v4(group, Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(group) => socket.join_multicast_v6(&group, 0),
        })?
    }

    /// Undoes [`join_group`](UdpTransport::join_group).
    ///
    /// Counterpart: `leaveGroup`.
    ///
    /// # Errors
    ///
    /// The group was not joined.
    pub fn leave_group(&self, group: IpAddr) -> io::Result<()> {
        self.with_socket(|socket| match group {
            IpAddr::V4(group) => socket.leave_multicast_v4(group, Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(group) => socket.leave_multicast_v6(&group, 0),
        })?
    }

    /// How many routers a datagram to a group may pass: 1, and so none, unless this is called.
    ///
    /// Counterpart: `setTTL`.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt`.
    pub fn set_multicast_ttl(&self, ttl: u8) -> io::Result<()> {
        let is_v6 = self.host().is_ipv6();
        self.with_socket(|socket| match is_v6 {
            false => socket.set_multicast_ttl_v4(ttl.into()),
            true => socket.set_multicast_hops_v6(ttl.into()),
        })?
    }

    /// Whether this machine gets what is sent to groups from here. It does unless this is called.
    ///
    /// Counterpart: `setLoopbackMode`.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt`.
    pub fn set_multicast_loopback(&self, is_on: bool) -> io::Result<()> {
        let is_v6 = self.host().is_ipv6();
        self.with_socket(|socket| match is_v6 {
            false => socket.set_multicast_loop_v4(is_on),
            true => socket.set_multicast_loop_v6(is_on),
        })?
    }

    /// The interface by which datagrams to groups leave: that with this address. Of IPv4; for IPv6:
    /// [`with_socket`](UdpTransport::with_socket) and `set_multicast_if_v6`.
    ///
    /// Counterpart: `setOutgoingInterface`.
    ///
    /// # Errors
    ///
    /// There is no such interface.
    pub fn set_outgoing_interface(&self, address: Ipv4Addr) -> io::Result<()> {
        self.with_socket(|socket| socket.set_multicast_if_v4(address))?
    }
}
