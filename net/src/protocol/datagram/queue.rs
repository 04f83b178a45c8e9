//! Datagrams that wait for room in the system, up to a limit.

use std::collections::VecDeque;
use std::io;

/// What may wait unless something else is said, in bytes.
const BYTES: usize = 256 * 1024;

/// What may wait in any case: an empty datagram has no bytes.
const DATAGRAMS: usize = 1024;

pub(super) struct Queue<A> {
    waiting: VecDeque<(Box<[u8]>, Option<A>)>,
    bytes: usize,
    limit: usize,
}

impl<A> Queue<A> {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), bytes: 0, limit: BYTES }
    }

    /// Adds a datagram, or gives its address back if there is no room.
    pub(super) fn push(&mut self, data: &[u8], to: Option<A>) -> Result<(), (Option<A>, io::Error)> {
        if self.waiting.len() >= DATAGRAMS || self.bytes.saturating_add(data.len()) > self.limit {
            let what = format!(
                "{} bytes in {} datagrams wait to be sent, and no more than {} bytes and {DATAGRAMS} datagrams may",
                self.bytes,
                self.waiting.len(),
                self.limit
            );
            return Err((to, io::Error::new(io::ErrorKind::QuotaExceeded, what)));
        }
        self.bytes += data.len();
        self.waiting.push_back((data.into(), to));
        Ok(())
    }

    /// The one to be sent next.
    pub(super) fn front(&self) -> Option<(&[u8], Option<&A>)> {
        self.waiting.front().map(|(data, to)| (&**data, to.as_ref()))
    }

    /// Takes it out: it is sent, or lost.
    pub(super) fn pop(&mut self) -> Option<A> {
        let (data, to) = self.waiting.pop_front()?;
        self.bytes -= data.len();
        if self.waiting.is_empty() {
            // What waits for seldom needs no memory meanwhile.
            self.waiting = VecDeque::new();
        }
        to
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    /// Throws everything away.
    pub(super) fn clear(&mut self) {
        (self.waiting, self.bytes) = (VecDeque::new(), 0);
    }
}
