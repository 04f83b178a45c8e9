//! Many datagrams that came, in memory that is used again and again.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// How many datagrams one system call receives or sends one by one; trains of datagrams are longer.
pub(super) const DATAGRAMS_PER_CALL: usize = 32;

/// Room for datagrams that [`UdpSocket::recv_many`](crate::UdpSocket::recv_many) receives.
///
/// It is allocated once and used again: each call puts other datagrams into it.
///
/// Counterpart: none in tokio; the buffers of `recvmmsg`.
///
/// ```
/// use rt::net::{RecvBatch, SendBatch, UdpSocket};
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // Three datagrams leave together, and arrive in as few calls as they can.
/// let server = UdpSocket::bind("127.0.0.1:0").await?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// let mut going = SendBatch::new(16, 4096);
/// for word in ["one", "two", "three"] {
///     assert!(going.push(word.as_bytes(), server.local_addr()?));
/// }
/// assert_eq!(client.send_many(&mut going).await?, 3);
///
/// let mut come = RecvBatch::new(16, 1500);
/// let mut words = Vec::new();
/// while words.len() < 3 {
///     server.recv_many(&mut come).await?;
///     words.extend(come.iter().map(|datagram| String::from_utf8_lossy(datagram.data).into_owned()));
/// }
/// assert_eq!(words, ["one", "two", "three"]);
/// # Ok(())
/// # })
/// # }
/// ```
pub struct RecvBatch {
    /// A slot has room for one byte more than `size`: a datagram that takes it was longer.
    bytes: Box<[u8]>,
    size: usize,
    slots: Box<[Slot]>,
    filled: usize,
    /// What came after datagrams that were there, where they are received one by one.
    error: Option<io::Error>,
}

/// What is in a slot: a datagram, or a train of them (with [`set_gro`](crate::UdpSocket::set_gro)).
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) from: SocketAddr,
    /// In all, up to `size + 1`.
    pub(super) length: usize,
    /// Of each datagram but the last.
    pub(super) stride: usize,
}

/// A datagram in a [`RecvBatch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Datagram<'a> {
    /// Its bytes, maybe none.
    pub data: &'a [u8],
    /// Where it came from.
    pub from: SocketAddr,
    /// It was longer than there was room; the rest is lost.
    pub is_truncated: bool,
}

impl RecvBatch {
    /// The most datagrams of a batch: as many as one system call receives.
    pub const MAX_DATAGRAMS: usize = DATAGRAMS_PER_CALL;

    /// Room for `datagrams` of up to `size` bytes each. Memory is touched when datagrams come.
    ///
    /// # Panics
    ///
    /// If `datagrams` is not from 1 to [`MAX_DATAGRAMS`](RecvBatch::MAX_DATAGRAMS), or `size` not from 1 to 65,535.
    pub fn new(datagrams: usize, size: usize) -> RecvBatch {
        assert!(
            (1..=Self::MAX_DATAGRAMS).contains(&datagrams),
            "a batch has room for 1 to {} datagrams, not for {datagrams}",
            Self::MAX_DATAGRAMS
        );
        assert!((1..=65_535).contains(&size), "a datagram has room for 1 to 65535 bytes, not for {size}");
        let nothing = Slot { from: SocketAddr::from(([0; 4], 0)), length: 0, stride: 0 };
        RecvBatch {
            bytes: vec![0; datagrams * (size + 1)].into_boxed_slice(),
            size,
            slots: vec![nothing; datagrams].into_boxed_slice(),
            filled: 0,
            error: None,
        }
    }

    /// The datagrams that the last call received, in the order in which they came.
    pub fn iter(&self) -> Datagrams<'_> {
        Datagrams { batch: self, slot: 0, at: 0 }
    }

    /// How many datagrams the last call received.
    pub fn len(&self) -> usize {
        self.slots[..self.filled].iter().map(|slot| slot.datagrams(self.size)).sum()
    }

    /// Whether it holds none: before the first call, and after one that failed.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// The buffers of all slots, and the slots.
    pub(super) fn parts(&mut self) -> (std::slice::ChunksExactMut<'_, u8>, &mut [Slot]) {
        (self.bytes.chunks_exact_mut(self.size + 1), &mut self.slots)
    }

    /// `filled` slots hold something from now on; how many datagrams those are.
    pub(super) fn set_filled(&mut self, filled: usize) -> usize {
        self.filled = filled;
        self.len()
    }

    /// An error for the next call.
    #[cfg_attr(any(target_os = "linux", target_os = "android"), expect(dead_code, reason = "the system keeps it"))]
    pub(super) fn error(&mut self) -> &mut Option<io::Error> {
        &mut self.error
    }
}

impl Slot {
    fn datagrams(&self, size: usize) -> usize {
        let length = self.length.min(size);
        if self.stride == 0 { 1 } else { length.div_ceil(self.stride).max(1) }
    }
}

impl<'a> IntoIterator for &'a RecvBatch {
    type Item = Datagram<'a>;
    type IntoIter = Datagrams<'a>;

    fn into_iter(self) -> Datagrams<'a> {
        self.iter()
    }
}

impl fmt::Debug for RecvBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvBatch")
            .field("datagrams", &self.len())
            .field("room", &self.slots.len())
            .field("size", &self.size)
            .finish()
    }
}

/// The iterator of [`RecvBatch::iter`].
#[derive(Clone, Debug)]
pub struct Datagrams<'a> {
    batch: &'a RecvBatch,
    slot: usize,
    /// Where in the slot the next datagram begins.
    at: usize,
}

impl<'a> Iterator for Datagrams<'a> {
    type Item = Datagram<'a>;

    fn next(&mut self) -> Option<Datagram<'a>> {
        let RecvBatch { bytes, size, slots, filled, .. } = self.batch;
        let slot = slots[..*filled].get(self.slot)?;
        let start = self.slot * (size + 1);
        let length = slot.length.min(*size);
        let end = length.min(self.at.saturating_add(slot.stride.max(1)));
        let datagram = Datagram {
            data: &bytes[start + self.at..start + end],
            from: slot.from,
            is_truncated: end == length && slot.length > *size,
        };
        (self.slot, self.at) = if end == length { (self.slot + 1, 0) } else { (self.slot, end) };
        Some(datagram)
    }
}

impl std::iter::FusedIterator for Datagrams<'_> {}
