//! What ends a line.

use memchr::memmem::Finder;
use std::rc::Rc;

/// What ends a line, ready to be looked for.
pub(super) enum Delimiter {
    Byte([u8; 1]),
    Pair([u8; 2]),
    Long(Rc<Finder<'static>>),
}

impl Delimiter {
    pub(super) const CRLF: Delimiter = Delimiter::Pair(*b"\r\n");

    pub(super) fn new(bytes: &[u8]) -> Self {
        match *bytes {
            [] => panic!("a delimiter has at least one byte"),
            [byte] => Delimiter::Byte([byte]),
            [first, second] => Delimiter::Pair([first, second]),
            _ => Delimiter::Long(Rc::new(Finder::new(bytes).into_owned())),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Delimiter::Byte(bytes) => bytes,
            Delimiter::Pair(bytes) => bytes,
            Delimiter::Long(finder) => finder.needle(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Where it begins first.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Delimiter::Byte([byte]) => memchr::memchr(*byte, bytes),
            Delimiter::Pair(pair) => find_pair(*pair, bytes),
            Delimiter::Long(finder) => finder.find(bytes),
        }
    }

    /// Where it begins first in `head` and `tail` one after the other, if `head` alone is known to have none.
    pub(super) fn find_across(&self, head: &[u8], tail: &[u8]) -> Option<usize> {
        let overlap = self.len() - 1;
        let end_of_head = &head[head.len().saturating_sub(overlap)..];
        let begin_of_tail = &tail[..tail.len().min(overlap)];
        let across = match self {
            Delimiter::Byte(_) => None,
            Delimiter::Pair([first, second]) => {
                (end_of_head == [*first].as_slice() && begin_of_tail == [*second].as_slice()).then_some(0)
            }
            Delimiter::Long(finder) => finder.find(&[end_of_head, begin_of_tail].concat()),
        };
        match across {
            Some(at) => Some(head.len() - end_of_head.len() + at),
            None => self.find(tail).map(|at| head.len() + at),
        }
    }

    /// What comes after the last of them, if each begins behind the one before.
    pub(super) fn last_part<'a>(&self, mut bytes: &'a [u8]) -> &'a [u8] {
        while let Some(at) = self.find(bytes) {
            bytes = &bytes[at + self.len()..];
        }
        bytes
    }
}

/// By the second byte: of `\r\n` it is rarely found without the first, and one byte is what is found fastest.
fn find_pair([first, second]: [u8; 2], bytes: &[u8]) -> Option<usize> {
    let mut from = 1;
    loop {
        let at = from + memchr::memchr(second, bytes.get(from..)?)?;
        if bytes[at - 1] == first {
            return Some(at - 1);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::Delimiter;

    const DELIMITERS: [&[u8]; 7] = [b"a", b"ab", b"aa", b"aab", b"aba", b"aaaa", b"abab"];

    /// All texts of `a` and `b` up to this length.
    fn texts(length: u32) -> impl Iterator<Item = Vec<u8>> {
        (0..=length)
            .flat_map(|n| (0..1_u32 << n).map(move |bits| (0..n).map(|i| b'a' + (bits >> i & 1) as u8).collect()))
    }

    fn naive(delimiter: &[u8], text: &[u8]) -> Option<usize> {
        text.windows(delimiter.len()).position(|window| window == delimiter)
    }

    #[test]
    fn first_of_all_texts() {
        for delimiter in DELIMITERS {
            let built = Delimiter::new(delimiter);
            assert_eq!(built.as_bytes(), delimiter);
            for text in texts(9) {
                assert_eq!(built.find(&text), naive(delimiter, &text), "{delimiter:?} in {text:?}");
            }
        }
    }

    #[test]
    fn first_across_every_split() {
        for delimiter in DELIMITERS {
            let built = Delimiter::new(delimiter);
            for text in texts(9) {
                for (head, tail) in (0..=text.len()).map(|at| text.split_at(at)) {
                    if naive(delimiter, head).is_none() {
                        assert_eq!(built.find_across(head, tail), naive(delimiter, &text), "{head:?} {tail:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn last_part_of_overlapping() {
        assert_eq!(Delimiter::new(b"aa").last_part(b"aaa"), b"a");
        assert_eq!(Delimiter::new(b"aa").last_part(b"baab"), b"b");
        assert_eq!(Delimiter::new(b"aab").last_part(b"aabaab"), b"");
    }
}
