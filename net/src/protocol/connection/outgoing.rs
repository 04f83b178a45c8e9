//! Bytes on their way out.

use std::cell::Cell;
use std::mem;

/// Bytes on their way out: a *head* that is being sent, and what was written since.
///
/// What is written goes to the end of one buffer. A connection that has nothing to send holds no memory: the buffer is the thread's
/// spare one while it is written and sent in the same turn, which is the rule.
#[derive(Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// Where the head begins. Bytes before it are of earlier heads, and not yet moved out of the way.
    head: usize,
    /// How far the head is sent.
    sent: usize,
    /// Where the head ends.
    tail: usize,
}

thread_local! {
    /// A buffer that is not in use.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The largest buffer that is kept as a spare.
const LARGEST_SPARE: usize = 64 * 1024;
/// A buffer of at most this size is kept while its bytes wait for the peer, however few they are.
const SMALL: usize = 1024;

impl Outgoing {
    #[inline]
    pub(super) fn push(&mut self, data: &[u8]) {
        if self.bytes.capacity() == 0 {
            self.bytes = SPARE.try_with(Cell::take).unwrap_or_default();
        }
        self.bytes.extend_from_slice(data);
    }

    #[inline]
    pub(super) fn unsent(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// With what is sent of the head already: what Twisted compares with its buffer size.
    #[inline]
    pub(super) fn len_with_sent(&self) -> usize {
        self.bytes.len() - self.head
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.unsent() == 0
    }

    /// What is to be sent now: the head, which takes in all that was written since if less than `limit` is left of it.
    #[inline]
    pub(super) fn offer(&mut self, limit: usize) -> &[u8] {
        if self.tail - self.sent < limit {
            // Moves what is left to the front when that is the smaller part.
            if self.sent > self.bytes.len() / 2 {
                self.bytes.drain(..self.sent);
                self.sent = 0;
            }
            self.head = self.sent;
            self.tail = self.bytes.len();
        }
        &self.bytes[self.sent..self.tail]
    }

    #[inline]
    pub(super) fn sent(&mut self, count: usize) {
        assert!(count <= self.tail - self.sent, "more bytes were taken than were offered");
        self.sent += count;
    }

    /// All is sent, or thrown away.
    #[inline]
    pub(super) fn clear(&mut self) {
        (self.head, self.sent, self.tail) = (0, 0, 0);
        let mut bytes = mem::take(&mut self.bytes);
        if bytes.capacity() <= LARGEST_SPARE {
            bytes.clear();
            let _ = SPARE.try_with(|spare| spare.set(bytes));
        }
    }

    /// What is left waits for the peer: keeps no more memory than it needs, by a factor of two.
    pub(super) fn settle(&mut self) {
        if self.bytes.capacity() > SMALL.max(2 * self.unsent()) {
            let rest = Outgoing {
                bytes: self.bytes[self.sent..].to_vec(),
                head: 0,
                // The sent part of the head is gone, which only makes a push producer pause later.
                sent: 0,
                tail: self.tail - self.sent,
            };
            self.clear();
            *self = rest;
        }
    }
}
