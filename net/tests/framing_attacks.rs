//! Peers that want receivers to hold more than their limits. A process of its own, for its memory.

#[path = "../../tests/support/counting.rs"]
mod counting;

use rt::protocol::{
    Int32StringReceiver, LineHandler, LineOnlyReceiver, LineReceiver, Lines, NetstringReceiver, Protocol,
    StringHandler, Strings,
};
use rt::testing::StringTransport;

#[derive(Default)]
struct Tally {
    count: usize,
    bytes: usize,
}

impl LineHandler for Tally {
    fn line_received(&mut self, _: &mut Lines<'_>, line: &[u8]) {
        self.count += 1;
        self.bytes += line.len();
    }
}

impl StringHandler for Tally {
    fn string_received(&mut self, _: &mut Strings<'_>, string: &[u8]) {
        self.count += 1;
        self.bytes += string.len();
    }
}

/// Sends pieces until they end or the connection is lost; how much memory the receiver held at most, and holds at the end.
fn held_at_most<'a, P: Protocol>(receiver: &mut P, pieces: impl Iterator<Item = &'a [u8]>) -> (usize, usize) {
    let transport = StringTransport::new().transport();
    let before = counting::held();
    let held = || usize::try_from(counting::held() - before).expect("it frees no more than it allocates");
    let mut most = 0;
    for piece in pieces.take_while(|_| !transport.is_disconnecting()) {
        receiver.data_received(&transport, piece);
        // That the connection is to be lost is noted by the double, which takes memory.
        if !transport.is_disconnecting() {
            most = most.max(held());
        }
    }
    let requests = 1024;
    (most, held().saturating_sub(requests))
}

#[test]
fn line_without_end_in_large_pieces() {
    let mut receiver = LineReceiver::new(Tally::default());
    let (most, end) = held_at_most(&mut receiver, std::iter::repeat(&[b'x'; 1000][..]));
    assert!(most <= 16384 + 2, "{most}");
    assert_eq!(end, 0);
}

#[test]
fn line_without_end_in_single_bytes() {
    let mut receiver = LineReceiver::new(Tally::default());
    let (most, end) = held_at_most(&mut receiver, std::iter::repeat(&b"x"[..]));
    assert!(most <= 16384 + 2, "{most}");
    assert_eq!(end, 0);
}

#[test]
fn line_without_end_where_there_is_no_raw_mode() {
    let mut receiver = LineOnlyReceiver::new(Tally::default());
    let (most, _) = held_at_most(&mut receiver, std::iter::repeat(&[b'x'; 1000][..]));
    assert!(most <= 16384 + 2, "{most}");
}

#[test]
fn one_long_line_in_single_bytes() {
    const LENGTH: usize = 1 << 20;
    let mut receiver = LineReceiver::new(Tally::default()).max_length(LENGTH);
    let bytes = std::iter::repeat_n(&b"x"[..], LENGTH).chain([&b"\r"[..], b"\n"]);
    let (most, end) = held_at_most(&mut receiver, bytes);
    assert!(most <= LENGTH + 2, "{most}");
    assert_eq!(end, 0);
    assert_eq!((receiver.handler().count, receiver.handler().bytes), (1, LENGTH));
}

#[test]
fn many_short_lines_in_one_piece() {
    let mut receiver = LineReceiver::new(Tally::default());
    let piece = b"\r\n".repeat(32 * 1024);
    let (most, _) = held_at_most(&mut receiver, [&piece[..], b"unfinished"].into_iter());
    assert!(most <= 64, "{most}");
    assert_eq!(receiver.handler().count, 32 * 1024);
}

#[test]
fn great_length_announced_and_little_sent() {
    let mut strings = Int32StringReceiver::new(Tally::default()).max_length(1 << 30);
    let (most, _) = held_at_most(&mut strings, [&b"\x40\0\0\0"[..], b"little"].into_iter());
    assert!(most <= 8 * 10, "{most}");
    let mut netstrings = NetstringReceiver::new(Tally::default()).max_length(1 << 30);
    let (most, _) = held_at_most(&mut netstrings, [&b"1073741824:"[..], b"little"].into_iter());
    assert!(most <= 8 * 17, "{most}");
}

#[test]
fn digits_without_end() {
    let mut netstrings = NetstringReceiver::new(Tally::default());
    let (most, end) = held_at_most(&mut netstrings, std::iter::repeat(&b"9"[..]));
    assert!(most <= 64, "{most}");
    assert_eq!(end, 0);
}

#[test]
fn longest_strings_in_single_bytes() {
    let announced = [&b"\0\x01\x86\x9f"[..], &[b'x'; 99999]].concat();
    let mut strings = Int32StringReceiver::new(Tally::default());
    let (most, end) = held_at_most(&mut strings, announced.chunks(1).chain(announced.chunks(1)));
    assert!(most <= 4 + 99999, "{most}");
    assert_eq!((end, strings.handler().count), (0, 2));

    let announced = [&b"99999:"[..], &[b'x'; 99999], b","].concat();
    let mut netstrings = NetstringReceiver::new(Tally::default());
    let (most, end) = held_at_most(&mut netstrings, announced.chunks(1).chain(announced.chunks(1)));
    assert!(most <= 7 + 99999, "{most}");
    assert_eq!((end, netstrings.handler().count), (0, 2));
}

/// Pauses at each line of a piece that has thousands: what is left is not moved each time.
struct Hesitant(usize);

impl LineHandler for Hesitant {
    fn line_received(&mut self, lines: &mut Lines<'_>, _: &[u8]) {
        self.0 += 1;
        lines.pause_producing();
    }
}

#[test]
fn pause_at_each_of_many_lines() {
    let transport = StringTransport::new().transport();
    let mut receiver = LineReceiver::new(Hesitant(0));
    let piece = b"\r\n".repeat(32 * 1024);
    receiver.data_received(&transport, &piece);
    while transport.is_paused() && receiver.handler().0 < 32 * 1024 {
        transport.resume_producing();
        receiver.reading_resumed(&transport);
    }
    assert_eq!(receiver.handler().0, 32 * 1024);
    assert_eq!(receiver.clear_line_buffer(), b"");
}
