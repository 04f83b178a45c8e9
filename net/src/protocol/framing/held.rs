//! Bytes that have come and could not be delivered yet.

use std::mem;

/// Bytes that have come and could not be delivered yet. Empty, it holds no memory.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// Those before it are delivered. Moving the rest to the front at every line that somebody pauses after would be quadratic.
    start: usize,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Appends `data`. Memory for up to `room` bytes is taken if there is too little: what has not come yet takes none unless the
    /// caller says so.
    pub(super) fn append(&mut self, data: &[u8], room: usize) {
        if self.start > 0 {
            self.bytes.drain(..mem::take(&mut self.start));
        }
        let needed = self.bytes.len() + data.len();
        if needed > self.bytes.capacity() {
            self.bytes.reserve_exact(room.max(needed).max(MINIMUM) - self.bytes.len());
        }
        self.bytes.extend_from_slice(data);
    }

    /// Takes all of it out.
    pub(super) fn take(&mut self) -> Taken {
        Taken(mem::take(self))
    }

    /// Puts back the last `left` bytes of what was taken, in front of what was appended since.
    pub(super) fn put_back(&mut self, taken: Taken, left: usize) {
        let Held { mut bytes, .. } = taken.0;
        let start = bytes.len() - left;
        if left == 0 {
            return;
        }
        if !self.is_empty() {
            bytes.drain(..start);
            bytes.extend_from_slice(self.as_slice());
            *self = Held { bytes, start: 0 };
        } else {
            *self = Held { bytes, start };
        }
    }

    /// Puts `data` in front of what was appended.
    pub(super) fn put_in_front(&mut self, data: &[u8]) {
        if data.is_empty() {
        } else if self.is_empty() {
            self.bytes = data.to_vec();
        } else {
            self.bytes = [data, self.as_slice()].concat();
            self.start = 0;
        }
    }

    /// Gives back memory that is not needed for these bytes, which may stay for long.
    pub(super) fn settle(&mut self) {
        if self.bytes.capacity() > 2 * self.len().max(MINIMUM) {
            self.bytes = self.as_slice().to_vec();
            self.start = 0;
        }
    }
}

/// As little as is reserved.
const MINIMUM: usize = 32;

/// What was held, while it is looked at.
pub(super) struct Taken(Held);

impl Taken {
    pub(super) fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }

    pub(super) fn into_vec(self) -> Vec<u8> {
        let Held { mut bytes, start } = self.0;
        bytes.drain(..start);
        bytes
    }
}
