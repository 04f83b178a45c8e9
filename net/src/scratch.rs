//! One buffer per thread, that bytes are read into on their way to somewhere else.
//!
//! So what waits for bytes holds no memory for them. And hyper and tokio hand out memory that nobody has initialized, which safe code
//! cannot read into: to zero all of it first costs for the room there is (8 KiB and more a request), to copy costs for the bytes that
//! came, some hundred.

use std::cell::Cell;
#[cfg(any(test, feature = "hyper", feature = "tokio-io"))]
use std::{io, task::Poll};

/// As much as one read takes at most. What a socket holds beyond it, the next read takes.
pub(crate) const LENGTH: usize = 64 * 1024;

thread_local! {
    /// `None` before the first use, and while it is in use.
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// The thread's buffer, until it is dropped.
pub(crate) struct Scratch(Option<Box<[u8]>>);

impl Scratch {
    /// Another one, where this thread's is in use already or the thread ends.
    pub(crate) fn take() -> Self {
        let kept = SCRATCH.try_with(Cell::take).ok().flatten();
        Self(Some(kept.unwrap_or_else(|| vec![0; LENGTH].into())))
    }

    pub(crate) fn buffer(&mut self) -> &mut [u8] {
        self.0.as_mut().expect("only drop takes it")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = SCRATCH.try_with(|place| place.set(self.0.take()));
    }
}

/// Lets `read` read at most `room` bytes and `take` have what came.
#[cfg(any(test, feature = "hyper", feature = "tokio-io"))]
pub(crate) fn read_through(
    room: usize,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
    take: impl FnOnce(&[u8]),
) -> Poll<io::Result<()>> {
    let mut scratch = Scratch::take();
    let room = &mut scratch.buffer()[..room.min(LENGTH)];
    read(room).map_ok(|count| take(&room[..count]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_there_is_room_for() {
        let mut taken = Vec::new();
        let read = |buf: &mut [u8]| {
            assert_eq!(buf.len(), 3);
            buf.copy_from_slice(b"abc");
            Poll::Ready(Ok(2))
        };
        assert!(matches!(read_through(3, read, |bytes| taken.extend_from_slice(bytes)), Poll::Ready(Ok(()))));
        assert_eq!(taken, b"ab");
    }

    #[test]
    fn a_read_within_a_read() {
        let mut taken = Vec::new();
        let outer = |buf: &mut [u8]| {
            let inner = |buf: &mut [u8]| {
                buf[0] = b'i';
                Poll::Ready(Ok(1))
            };
            buf[0] = b'o';
            let mut passed_on = 0;
            assert!(read_through(1, inner, |bytes| passed_on = bytes[0]).is_ready());
            buf[1] = passed_on;
            Poll::Ready(Ok(2))
        };
        assert!(read_through(usize::MAX, outer, |bytes| taken.extend_from_slice(bytes)).is_ready());
        assert_eq!(taken, b"oi");
    }

    #[test]
    fn nothing_is_taken_from_a_read_that_waits_or_fails() {
        assert!(read_through(8, |_| Poll::Pending, |_| panic!("nothing came")).is_pending());
        let failed = read_through(8, |_| Poll::Ready(Err(io::ErrorKind::Other.into())), |_| panic!("nothing came"));
        assert!(matches!(failed, Poll::Ready(Err(_))));
    }
}
