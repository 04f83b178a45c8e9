//! Bytes that a peer may send as AMP boxes.

use rt::protocol::amp::{AmpBox, BoxError, BoxLimits, BoxParser};

use super::counting;
use super::input::{Cut, Input};

/// What the smallest buffers and an error take.
const SMALL: usize = 256;

/// Two limits and how the stream is cut; the rest is the stream.
pub(crate) fn amp_box_parser(data: &[u8]) {
    let mut input = Input(data);
    let keys = input.pick(&[1024, 0, 1, 2, 5]);
    let limits = BoxLimits { keys, bytes: input.pick(&[1 << 20, 0, 2, 10, 100, 70_000]) };
    let seed = input.byte();
    let stream = input.0;
    let expected = parse(Cut::Whole, stream, limits);
    for cut in [Cut::Bytes, Cut::Pieces(seed), Cut::Pieces(!seed)] {
        assert_eq!(parse(cut, stream, limits), expected, "{cut:?}");
    }
    for whole in &expected.0 {
        assert_eq!(AmpBox::parse(&whole.serialize()).as_deref(), Ok(&[whole.clone()][..]));
    }
}

fn parse(cut: Cut, stream: &[u8], limits: BoxLimits) -> (Vec<AmpBox>, Option<BoxError>) {
    let mut boxes = Vec::new();
    let mut parser = BoxParser::new(limits);
    for mut piece in cut.pieces(stream) {
        let before = counting::held();
        let length = piece.len();
        loop {
            match parser.next_box(&mut piece) {
                Ok(Some(whole)) => boxes.push(whole),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(parser.next_box(&mut &b"\0\0"[..]), Err(error.clone()), "there is no way on");
                    return (boxes, Some(error));
                }
            }
        }
        let more = counting::held() - before;
        let most = 2 * (limits.bytes + length) + boxes.capacity() * size_of::<AmpBox>() + length + SMALL;
        assert!(more <= most as isize, "{more} bytes more are held, of {most}");
    }
    (boxes, None)
}
