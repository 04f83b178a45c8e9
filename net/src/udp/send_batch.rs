//! Many datagrams that go, in memory that is used again and again.

use std::fmt;
use std::net::SocketAddr;

/// Datagrams for [`UdpSocket::send_many`](crate::UdpSocket::send_many), copied into one buffer.
///
/// It is allocated once and used again: datagrams leave it when they are sent.
///
/// Counterpart: none in tokio; the buffers of `sendmmsg`. An example is at [`RecvBatch`](crate::RecvBatch).
pub struct SendBatch {
    bytes: Vec<u8>,
    datagrams: Vec<Outgoing>,
    max_bytes: usize,
    max_datagrams: usize,
    /// The first datagram that is not sent yet, and where it begins.
    first: usize,
    start: usize,
}

#[derive(Clone, Copy)]
pub(super) struct Outgoing {
    pub(super) length: usize,
    /// `None`: to where the socket is connected.
    pub(super) to: Option<SocketAddr>,
}

impl SendBatch {
    /// Room for `datagrams` that have `bytes` in all.
    pub fn new(datagrams: usize, bytes: usize) -> SendBatch {
        SendBatch {
            bytes: Vec::with_capacity(bytes),
            datagrams: Vec::with_capacity(datagrams),
            max_bytes: bytes,
            max_datagrams: datagrams,
            first: 0,
            start: 0,
        }
    }

    /// Adds a datagram to `to`. `false`: there is no room, send the others first.
    ///
    /// Datagrams of one length that go to one address one after the other are the cheapest: Linux takes them as one (`UDP_SEGMENT`).
    #[must_use = "false means that the datagram was not added"]
    pub fn push(&mut self, datagram: &[u8], to: SocketAddr) -> bool {
        self.add(datagram, Some(to))
    }

    /// Adds a datagram to where the socket is connected. `false`: there is no room, send the others first.
    #[must_use = "false means that the datagram was not added"]
    pub fn push_connected(&mut self, datagram: &[u8]) -> bool {
        self.add(datagram, None)
    }

    fn add(&mut self, datagram: &[u8], to: Option<SocketAddr>) -> bool {
        if self.len() == self.max_datagrams || self.rest().len() + datagram.len() > self.max_bytes {
            return false;
        }
        if self.datagrams.len() == self.max_datagrams || self.bytes.len() + datagram.len() > self.max_bytes {
            self.close_up();
        }
        self.bytes.extend_from_slice(datagram);
        self.datagrams.push(Outgoing { length: datagram.len(), to });
        true
    }

    /// Moves what is left to the front.
    fn close_up(&mut self) {
        self.datagrams.drain(..self.first);
        self.bytes.drain(..self.start);
        (self.first, self.start) = (0, 0);
    }

    /// How many datagrams are to be sent.
    pub fn len(&self) -> usize {
        self.datagrams.len() - self.first
    }

    /// Whether all are sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Throws away what is not sent.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.datagrams.clear();
        (self.first, self.start) = (0, 0);
    }

    /// The datagrams to be sent.
    pub(super) fn pending(&self) -> &[Outgoing] {
        &self.datagrams[self.first..]
    }

    /// Their bytes, one after the other.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The first `count` are sent, or failed.
    pub(super) fn advance(&mut self, count: usize) {
        self.start += self.pending()[..count].iter().map(|datagram| datagram.length).sum::<usize>();
        self.first += count;
        if self.is_empty() {
            self.clear();
        }
    }
}

impl fmt::Debug for SendBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBatch")
            .field("datagrams", &self.len())
            .field("bytes", &self.rest().len())
            .field("max_datagrams", &self.max_datagrams)
            .field("max_bytes", &self.max_bytes)
            .finish()
    }
}
