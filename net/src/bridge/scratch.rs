//! One buffer per thread, through which bytes come into memory that nobody has initialized.
//!
//! hyper and tokio hand out such memory, which safe code cannot read into. To zero all of it first costs for the room there is
//! (8 KiB and more a request); to copy costs for the bytes that came, some hundred.

use std::cell::Cell;
use std::io;
use std::task::Poll;

/// As much as one read takes at most. What a socket holds beyond it, the next read takes.
const LENGTH: usize = 64 * 1024;

thread_local! {
    /// `None` before the first use, and while it is in use.
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Lets `read` read at most `room` bytes and `take` have what came.
pub(super) fn read_through(
    room: usize,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
    take: impl FnOnce(&[u8]),
) -> Poll<io::Result<()>> {
    // Another stream that is read within `read`, or while the thread ends, has a buffer of its own.
    let mut scratch = SCRATCH.try_with(Cell::take).ok().flatten().unwrap_or_else(|| vec![0; LENGTH].into());
    let length = room.min(LENGTH);
    let outcome = read(&mut scratch[..length]).map_ok(|count| take(&scratch[..count]));
    let _ = SCRATCH.try_with(|place| place.set(Some(scratch)));
    outcome
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
