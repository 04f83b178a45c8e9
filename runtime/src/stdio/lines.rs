//! What was read and not yet taken, as lines or as bytes.

use std::io;

/// Bytes in the order in which they came, then what ended them.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// How many of `bytes` are taken.
    start: usize,
    /// How many of the others are known to hold no newline.
    scanned: usize,
    /// The rest of a line that was too long is to be dropped.
    skipping: bool,
    /// Comes after the bytes; is told once.
    ended: Option<Ended>,
}

enum Ended {
    /// The last read found the end of input.
    End,
    /// The last read failed.
    Failed(io::Error),
}

impl Buffer {
    /// Appends what a read has brought.
    pub(super) fn push(&mut self, result: io::Result<&[u8]>) {
        match result {
            Ok([]) => self.ended = Some(Ended::End),
            Ok(bytes) => {
                self.bytes.drain(..std::mem::take(&mut self.start));
                self.bytes.extend_from_slice(bytes);
            }
            Err(error) => self.ended = Some(Ended::Failed(error)),
        }
    }

    /// The next line without its ending, or `None` if more must be read for it.
    pub(super) fn take_line(&mut self, limit: usize) -> Option<io::Result<Option<String>>> {
        self.skip();
        let found = self.rest()[self.scanned..].iter().position(|byte| *byte == b'\n');
        if let Some(at) = found {
            let with_ending = self.scanned + at + 1;
            let line = line(&self.rest()[..with_ending], limit);
            self.take(with_ending);
            return Some(line.map(Some));
        }
        self.scanned = self.rest().len();
        // A carriage return in the last place may turn out to be half of an ending.
        if self.scanned - usize::from(self.rest().ends_with(b"\r")) > limit {
            self.take(self.scanned);
            self.skipping = true;
            return Some(Err(too_long(limit)));
        }
        match self.ended.take()? {
            Ended::Failed(error) => Some(Err(error)),
            Ended::End if self.rest().is_empty() => {
                // A line that was cut off ends with the input.
                self.skipping = false;
                Some(Ok(None))
            }
            Ended::End => {
                let line = line(self.rest(), limit);
                self.take(self.rest().len());
                // To be told when there is nothing before it.
                self.ended = Some(Ended::End);
                Some(line.map(Some))
            }
        }
    }

    /// Some bytes, 0 of them at the end, or `None` if more must be read. `out` is not empty.
    pub(super) fn take_bytes(&mut self, out: &mut [u8]) -> Option<io::Result<usize>> {
        self.skip();
        let count = out.len().min(self.rest().len());
        if count > 0 {
            out[..count].copy_from_slice(&self.rest()[..count]);
            self.take(count);
            return Some(Ok(count));
        }
        match self.ended.take()? {
            Ended::Failed(error) => Some(Err(error)),
            Ended::End => {
                self.skipping = false;
                Some(Ok(0))
            }
        }
    }

    /// What is not taken.
    fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn take(&mut self, count: usize) {
        self.start += count;
        self.scanned = self.scanned.saturating_sub(count);
    }

    /// Drops the rest of a line that was too long, as far as it is there.
    fn skip(&mut self) {
        if self.skipping {
            let newline = self.rest().iter().position(|byte| *byte == b'\n');
            self.skipping = newline.is_none();
            self.take(newline.map_or(self.rest().len(), |at| at + 1));
        }
    }
}

/// A line from its bytes, of which the last may be its ending.
fn line(bytes: &[u8], limit: usize) -> io::Result<String> {
    let line = match bytes.strip_suffix(b"\n") {
        Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
        None => bytes,
    };
    if line.len() > limit {
        return Err(too_long(limit));
    }
    match std::str::from_utf8(line) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "a line of standard input is not UTF-8 (first at byte {} of {}); it was skipped: read bytes with \
                 AsyncRead if input may be anything else",
                error.valid_up_to(),
                line.len()
            ),
        )),
    }
}

fn too_long(limit: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "a line of standard input is longer than {limit} bytes; it was skipped: allow more with \
             Stdin::max_line_length, or read bytes with AsyncRead"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Buffer;

    fn buffer(bytes: &[u8]) -> Buffer {
        let mut buffer = Buffer::default();
        buffer.push(Ok(bytes));
        buffer
    }

    /// The next line, which is there.
    fn next(buffer: &mut Buffer, limit: usize) -> String {
        buffer.take_line(limit).expect("enough was read").expect("a good line").expect("not the end")
    }

    fn refused(buffer: &mut Buffer, limit: usize) -> String {
        let error = buffer.take_line(limit).expect("enough was read").expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        error.to_string()
    }

    fn is_end(buffer: &mut Buffer) -> bool {
        matches!(buffer.take_line(10), Some(Ok(None)))
    }

    #[test]
    fn endings_are_stripped_once() {
        let mut buffer = buffer(b"one\ntwo\r\n\n\r\nthree\r\r\nfo\rur\n");
        for expected in ["one", "two", "", "", "three\r", "fo\rur"] {
            assert_eq!(next(&mut buffer, 10), expected);
        }
        assert!(buffer.take_line(10).is_none());
    }

    #[test]
    fn line_in_pieces() {
        let mut buffer = buffer(b"o");
        assert!(buffer.take_line(10).is_none());
        buffer.push(Ok(b"ne\r"));
        assert!(buffer.take_line(10).is_none());
        buffer.push(Ok(b"\nt"));
        assert_eq!(next(&mut buffer, 10), "one");
        assert!(buffer.take_line(10).is_none());
        buffer.push(Ok(b"wo\n"));
        assert_eq!(next(&mut buffer, 10), "two");
    }

    #[test]
    fn last_line_without_an_ending() {
        let mut buffer = buffer(b"one\ntwo\r");
        buffer.push(Ok(b""));
        assert_eq!(next(&mut buffer, 10), "one");
        assert_eq!(next(&mut buffer, 10), "two\r");
        assert!(is_end(&mut buffer));
        assert!(buffer.take_line(10).is_none(), "the end is told once, then it is read for again");
    }

    #[test]
    fn input_goes_on_after_the_end() {
        let mut buffer = Buffer::default();
        buffer.push(Ok(b""));
        assert!(is_end(&mut buffer));
        buffer.push(Ok(b"more\n"));
        assert_eq!(next(&mut buffer, 10), "more");
    }

    #[test]
    fn longest_allowed_line_with_every_ending() {
        for bytes in [b"12345\n12345\r\n12345".as_slice(), b"12345\r\n12345\n12345"] {
            let mut buffer = buffer(bytes);
            buffer.push(Ok(b""));
            for _ in 0..3 {
                assert_eq!(next(&mut buffer, 5), "12345");
            }
        }
        let mut pieces = buffer(b"12345\r");
        assert!(pieces.take_line(5).is_none(), "this may be half of an ending");
        pieces.push(Ok(b"\n"));
        assert_eq!(next(&mut pieces, 5), "12345");
    }

    #[test]
    fn line_one_byte_too_long() {
        for bytes in [b"123456\nnext\n".as_slice(), b"123456\r\nnext\n", b"12345\r\r\nnext\n"] {
            let mut buffer = buffer(bytes);
            assert_eq!(
                refused(&mut buffer, 5),
                "a line of standard input is longer than 5 bytes; it was skipped: allow more with \
                 Stdin::max_line_length, or read bytes with AsyncRead"
            );
            assert_eq!(next(&mut buffer, 5), "next");
        }
    }

    #[test]
    fn too_long_line_in_pieces_is_refused_at_once_and_its_rest_skipped() {
        let mut buffer = buffer(b"123456");
        refused(&mut buffer, 5);
        assert!(buffer.take_line(5).is_none());
        buffer.push(Ok(b"7890123456789"));
        assert!(buffer.take_line(5).is_none(), "it is refused once");
        buffer.push(Ok(b"0\nnext\n"));
        assert_eq!(next(&mut buffer, 5), "next");
    }

    #[test]
    fn too_long_line_that_ends_with_the_input() {
        let mut buffer = buffer(b"123456");
        buffer.push(Ok(b""));
        refused(&mut buffer, 5);
        assert!(is_end(&mut buffer));
        buffer.push(Ok(b"new\n"));
        assert_eq!(next(&mut buffer, 5), "new");
    }

    #[test]
    fn limit_of_zero_allows_empty_lines() {
        let mut buffer = buffer(b"\n\r\nx\n\n");
        assert_eq!(next(&mut buffer, 0), "");
        assert_eq!(next(&mut buffer, 0), "");
        refused(&mut buffer, 0);
        assert_eq!(next(&mut buffer, 0), "");
    }

    #[test]
    fn no_limit() {
        let mut buffer = buffer(&[b'x'; 100_000]);
        assert!(buffer.take_line(usize::MAX).is_none());
        buffer.push(Ok(b"\n"));
        assert_eq!(next(&mut buffer, usize::MAX).len(), 100_000);
    }

    #[test]
    fn line_that_is_not_utf_8() {
        let mut buffer = buffer(b"good\nb\xFFd\ngood again\n");
        assert_eq!(next(&mut buffer, 10), "good");
        assert_eq!(
            refused(&mut buffer, 10),
            "a line of standard input is not UTF-8 (first at byte 1 of 3); it was skipped: read bytes with AsyncRead \
             if input may be anything else"
        );
        assert_eq!(next(&mut buffer, 10), "good again");
    }

    #[test]
    fn failed_read_loses_nothing() {
        let mut buffer = buffer(b"one\ntw");
        buffer.push(Err(io::Error::from(io::ErrorKind::PermissionDenied)));
        assert_eq!(next(&mut buffer, 10), "one");
        let error = buffer.take_line(10).expect("it is told").expect_err("as an error");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        buffer.push(Ok(b"o\n"));
        assert_eq!(next(&mut buffer, 10), "two");
    }

    #[test]
    fn bytes_between_lines() {
        let mut buffer = buffer(b"line\nbytes\nline\n");
        let mut out = [0; 6];
        assert_eq!(next(&mut buffer, 10), "line");
        assert_eq!(buffer.take_bytes(&mut out).expect("bytes").expect("no error"), 6);
        assert_eq!(&out, b"bytes\n");
        assert_eq!(next(&mut buffer, 10), "line");
        assert!(buffer.take_bytes(&mut out).is_none());
        buffer.push(Ok(b""));
        assert_eq!(buffer.take_bytes(&mut out).expect("the end").expect("no error"), 0);
    }

    #[test]
    fn bytes_after_half_a_line_was_looked_at() {
        let mut buffer = buffer(b"abc");
        assert!(buffer.take_line(10).is_none());
        assert_eq!(buffer.take_bytes(&mut [0; 2]).expect("bytes").expect("no error"), 2);
        buffer.push(Ok(b"\n"));
        assert_eq!(next(&mut buffer, 10), "c");
    }
}
