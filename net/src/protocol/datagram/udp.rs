//! UDP sockets of ports.

use super::address::{DatagramAddress, Sockets};
use crate::protocol::Address;
use crate::udp::{RecvBatch, UdpSocket};
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

/// How many datagrams are received together at most: with one system call, and before others get their turn.
const DATAGRAMS: usize = 16;

/// More than a UDP datagram can have.
const LENGTH: usize = 65_535;

thread_local! {
    /// What datagrams are received into, by all ports of this thread: one that waits has no memory for them.
    static BATCH: Cell<Option<Box<RecvBatch>>> = const { Cell::new(None) };
}

impl DatagramAddress for SocketAddr {}

impl Sockets for SocketAddr {
    type Socket = UdpSocket;
    type Batch = Box<RecvBatch>;

    fn batch() -> Box<RecvBatch> {
        let kept = BATCH.try_with(Cell::take).ok().flatten();
        kept.unwrap_or_else(|| Box::new(RecvBatch::new(DATAGRAMS, LENGTH)))
    }

    fn recycle(batch: Box<RecvBatch>) {
        let _ = BATCH.try_with(|place| place.set(Some(batch)));
    }

    fn poll_receive(socket: &UdpSocket, cx: &mut Context<'_>, batch: &mut Box<RecvBatch>) -> Poll<io::Result<usize>> {
        socket.poll_recv_many(cx, batch)
    }

    fn deliver(batch: &Box<RecvBatch>, first: usize, mut each: impl FnMut(&[u8], SocketAddr) -> bool) -> usize {
        let mut delivered = 0;
        for datagram in batch.iter().skip(first) {
            delivered += 1;
            if !each(datagram.data, datagram.from) {
                break;
            }
        }
        delivered
    }

    fn try_send(socket: &UdpSocket, data: &[u8], to: Option<&SocketAddr>) -> io::Result<()> {
        match to {
            Some(to) => socket.try_send_to(data, *to),
            None => socket.try_send(data),
        }
        .map(drop)
    }

    fn poll_send(
        socket: &UdpSocket,
        cx: &mut Context<'_>,
        data: &[u8],
        to: Option<&SocketAddr>,
    ) -> Poll<io::Result<()>> {
        match to {
            Some(to) => socket.poll_send_to(cx, data, *to),
            None => socket.poll_send(cx, data),
        }
        .map_ok(drop)
    }

    fn host(socket: &UdpSocket) -> io::Result<SocketAddr> {
        socket.local_addr()
    }

    fn peer(socket: &UdpSocket) -> Option<SocketAddr> {
        socket.peer_addr().ok()
    }

    fn is_same(&self, other: &SocketAddr) -> bool {
        self == other
    }

    fn connect(socket: &UdpSocket, to: &SocketAddr) -> io::Result<()> {
        socket.io().connect(*to)
    }

    fn general(self) -> Address {
        Address::Ip(self)
    }
}
