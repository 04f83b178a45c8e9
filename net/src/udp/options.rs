//! What the system lets one set on a UDP socket.

use crate::udp::socket::UdpSocket;
use socket2::SockRef;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Pairs of a getter and a setter.
macro_rules! options {
    ($($(#[$about:meta])* $getter:ident, $setter:ident: $kind:ty, $get:expr, $set:expr;)*) => {
        impl UdpSocket {
            $(
                $(#[$about])*
                ///
                /// # Errors
                ///
                /// Those of `getsockopt`.
                pub fn $getter(&self) -> io::Result<$kind> {
                    let get: fn(SockRef<'_>) -> io::Result<$kind> = $get;
                    get(SockRef::from(self.io()))
                }

                #[doc = concat!("Sets what [`", stringify!($getter), "`](UdpSocket::", stringify!($getter), ") tells.")]
                ///
                /// # Errors
                ///
                /// Those of `setsockopt`.
                pub fn $setter(&self, value: $kind) -> io::Result<()> {
                    let set: fn(SockRef<'_>, $kind) -> io::Result<()> = $set;
                    set(SockRef::from(self.io()), value)
                }
            )*
        }
    };
}

options! {
    /// Whether datagrams may be sent to a broadcast address (`SO_BROADCAST`).
    broadcast, set_broadcast: bool, |s| s.broadcast(), |s, v| s.set_broadcast(v);
    /// The time to live of the packets sent, in hops (IPv4).
    ttl, set_ttl: u32, |s| s.ttl_v4(), |s, v| s.set_ttl_v4(v);
    /// Whether this host's own multicast datagrams come back to it (IPv4).
    multicast_loop_v4, set_multicast_loop_v4: bool, |s| s.multicast_loop_v4(), |s, v| s.set_multicast_loop_v4(v);
    /// The time to live of multicast packets, in hops (IPv4). It is 1 at first: they do not leave the local network.
    multicast_ttl_v4, set_multicast_ttl_v4: u32, |s| s.multicast_ttl_v4(), |s, v| s.set_multicast_ttl_v4(v);
    /// The address of the interface by which multicast datagrams leave (IPv4); unspecified: the system chooses.
    multicast_if_v4, set_multicast_if_v4: Ipv4Addr, |s| s.multicast_if_v4(), |s, v| s.set_multicast_if_v4(&v);
    /// Whether this host's own multicast datagrams come back to it (IPv6).
    multicast_loop_v6, set_multicast_loop_v6: bool, |s| s.multicast_loop_v6(), |s, v| s.set_multicast_loop_v6(v);
    /// The limit of hops of multicast packets (IPv6). It is 1 at first: they do not leave the local network.
    multicast_hops_v6, set_multicast_hops_v6: u32, |s| s.multicast_hops_v6(), |s, v| s.set_multicast_hops_v6(v);
    /// The index of the interface by which multicast datagrams leave (IPv6); 0: the system chooses.
    multicast_if_v6, set_multicast_if_v6: u32, |s| s.multicast_if_v6(), |s, v| s.set_multicast_if_v6(v);
    /// The size of the system's receive buffer in bytes, its own accounting included. What does not fit is lost. Linux keeps twice
    /// what was set.
    recv_buffer_size, set_recv_buffer_size: usize, |s| s.recv_buffer_size(), |s, v| s.set_recv_buffer_size(v);
    /// The size of the system's send buffer in bytes, its own accounting included. Linux keeps twice what was set.
    send_buffer_size, set_send_buffer_size: usize, |s| s.send_buffer_size(), |s, v| s.set_send_buffer_size(v);
}

#[cfg(not(any(target_os = "fuchsia", target_os = "redox", target_os = "solaris", target_os = "illumos")))]
options! {
    /// The type-of-service byte of the packets sent (IPv4).
    tos_v4, set_tos_v4: u32, |s| s.tos_v4(), |s, v| s.set_tos_v4(v);
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "macos"))]
options! {
    /// The traffic class of the packets sent (IPv6).
    tclass_v6, set_tclass_v6: u32, |s| s.tclass_v6(), |s, v| s.set_tclass_v6(v);
}

impl UdpSocket {
    /// Receives what is sent to the group `multiaddr`, on the interface that has the address `interface`; unspecified: the system
    /// chooses.
    ///
    /// # Errors
    ///
    /// `multiaddr` is no multicast address, or there is no such interface.
    pub fn join_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        SockRef::from(self.io()).join_multicast_v4(&multiaddr, &interface)
    }

    /// Receives what is sent to the group `multiaddr`, on the interface with the index `interface`; 0: the system chooses.
    ///
    /// # Errors
    ///
    /// `multiaddr` is no multicast address, or there is no such interface.
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        SockRef::from(self.io()).join_multicast_v6(multiaddr, interface)
    }

    /// Undoes [`join_multicast_v4`](UdpSocket::join_multicast_v4).
    ///
    /// # Errors
    ///
    /// The group was not joined on this interface.
    pub fn leave_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        SockRef::from(self.io()).leave_multicast_v4(&multiaddr, &interface)
    }

    /// Undoes [`join_multicast_v6`](UdpSocket::join_multicast_v6).
    ///
    /// # Errors
    ///
    /// The group was not joined on this interface.
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        SockRef::from(self.io()).leave_multicast_v6(multiaddr, interface)
    }

    /// The network device that this socket is bound to (`SO_BINDTODEVICE`).
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        SockRef::from(self.io()).device()
    }

    /// Sends and receives through one network device only; `None`: through any.
    ///
    /// # Errors
    ///
    /// There is no such device, or this process may not.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        SockRef::from(self.io()).bind_device(interface)
    }

    /// Takes the error that is pending on the socket.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io().take_error()
    }
}
