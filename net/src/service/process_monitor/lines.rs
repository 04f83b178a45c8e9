//! What a process writes, line by line.

use futures_util::io::{AsyncRead, AsyncReadExt};

/// A longer line comes in pieces of this size.
const MAX_LENGTH: usize = 16 * 1024;

/// Gives the lines of `input` to `tell`, up to its end.
pub(super) async fn read_lines(mut input: impl AsyncRead + Unpin, mut tell: impl FnMut(&[u8])) {
    let mut held = vec![0; MAX_LENGTH];
    let mut length = 0;
    // An error is an end, too: who reads a process's log can do nothing about it.
    while let Ok(count @ 1..) = input.read(&mut held[length..]).await {
        length += count;
        let mut begin = 0;
        while let Some(end) = memchr::memchr(b'\n', &held[begin..length]) {
            tell(&held[begin..begin + end]);
            begin += end + 1;
        }
        held.copy_within(begin..length, 0);
        length -= begin;
        if length == MAX_LENGTH {
            tell(&held);
            length = 0;
        }
    }
    if length > 0 {
        tell(&held[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_LENGTH, read_lines};
    use rt_runtime::block_on;

    fn lines_of(input: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        block_on(read_lines(input, |line| lines.push(line.to_vec())));
        lines
    }

    #[test]
    fn lines_with_and_without_an_end() {
        assert_eq!(lines_of(b"one\n\ntwo"), [&b"one"[..], b"", b"two"]);
        assert!(lines_of(b"").is_empty());
    }

    #[test]
    fn line_that_is_too_long_comes_in_pieces() {
        let long = vec![b'x'; MAX_LENGTH + 3];
        assert_eq!(lines_of(&long), [vec![b'x'; MAX_LENGTH], b"xxx".to_vec()]);
        let exact = [vec![b'x'; MAX_LENGTH], b"\ny\n".to_vec()].concat();
        assert_eq!(lines_of(&exact), [vec![b'x'; MAX_LENGTH], b"".to_vec(), b"y".to_vec()]);
    }
}
