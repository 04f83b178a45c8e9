//! Framing: what tells one message from the next, in memory.
//!
//! Everybody gets the same bytes in the same pieces. Each piece is copied into a buffer of the receiver's first, which stands for the
//! read from a socket; a sum over the messages shows that all of them have been seen whole.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;

use rt::protocol::{
    Backend, Int32StringReceiver, LineHandler, LineReceiver, Lines, Protocol, StringHandler, Strings, Transport,
};
use tokio_util::bytes::BytesMut;
use tokio_util::codec::{Decoder, LengthDelimitedCodec, LinesCodec};

use super::{Case, OURS, Scenario, Target, Work};
use crate::meter::{Meter, Sample};

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[&LINES, &INT32];

const CODEC: &str = "tokio-util";
/// Ours where each message becomes the handler's own, which is what the codecs give.
const OWNED: &str = "rt-owned";

/// Lines of 20 to 100 bytes.
pub static LINES: Scenario = Scenario {
    name: "framing-lines",
    title: "LineReceiver beside LinesCodec, per line",
    batches: 200,
    targets: &[Target::Share(CODEC, 1.)],
    also: &[(OWNED, &[Target::Share(CODEC, 1.)])],
    ..Scenario::DEFAULT
};

/// The same texts with their length in front, in four bytes.
pub static INT32: Scenario =
    Scenario { name: "framing-int32", title: "Int32StringReceiver, LengthDelimitedCodec", ..LINES };

/// Messages in the input, which is gone through once in a batch.
const MESSAGES: u64 = 16 * 1024;
/// What comes at once.
const PIECE: usize = 16 * 1024;
/// The limit of a message, for all.
const LONGEST: usize = 16 * 1024;

/// All of them.
pub fn cases() -> Vec<Case> {
    let case = |scenario, subject, work| Case { scenario, subject, unavailable: || None, work: Work::Measure(work) };
    vec![
        case(&LINES, OURS, |batches| receive(batches, &Input::lines(), |sum| lines(Sum::<false>(sum)))),
        case(&LINES, OWNED, |batches| receive(batches, &Input::lines(), |sum| lines(Sum::<true>(sum)))),
        case(&LINES, CODEC, |batches| decode(batches, &Input::lines(), LinesCodec::new_with_max_length(LONGEST))),
        case(&INT32, OURS, |batches| receive(batches, &Input::strings(), |sum| strings(Sum::<false>(sum)))),
        case(&INT32, OWNED, |batches| receive(batches, &Input::strings(), |sum| strings(Sum::<true>(sum)))),
        case(&INT32, CODEC, |batches| {
            let codec = LengthDelimitedCodec::builder().max_frame_length(LONGEST).new_codec();
            decode(batches, &Input::strings(), codec)
        }),
    ]
}

fn lines<const OWNED: bool>(sum: Sum<OWNED>) -> impl Protocol {
    LineReceiver::new(sum).max_length(LONGEST)
}

fn strings<const OWNED: bool>(sum: Sum<OWNED>) -> impl Protocol {
    Int32StringReceiver::new(sum).max_length(LONGEST)
}

/// Gives the input to a protocol.
fn receive<P: Protocol>(batches: u64, input: &Input, protocol: impl FnOnce(Rc<Cell<u64>>) -> P) -> Sample {
    let sum = Rc::new(Cell::new(0));
    let mut protocol = protocol(sum.clone());
    let transport = Transport::new(Rc::new(Nowhere));
    let mut buffer = vec![0; PIECE];
    run(batches, input, || {
        for piece in input.bytes.chunks(PIECE) {
            let buffer = &mut buffer[..piece.len()];
            buffer.copy_from_slice(piece);
            protocol.data_received(&transport, buffer);
        }
        sum.take()
    })
}

/// Gives the input to a codec.
fn decode<C: Decoder<Item: AsRef<[u8]>>>(batches: u64, input: &Input, mut codec: C) -> Sample {
    let mut buffer = BytesMut::with_capacity(PIECE);
    run(batches, input, || {
        let mut sum = 0;
        for piece in input.bytes.chunks(PIECE) {
            buffer.extend_from_slice(piece);
            while let Some(message) = codec.decode(&mut buffer).ok().expect("a valid input") {
                sum += digest(message.as_ref());
            }
        }
        sum
    })
}

/// `pass` goes through the input once, and says what sum came out.
fn run(batches: u64, input: &Input, mut pass: impl FnMut() -> u64) -> Sample {
    let mut passes = |count| {
        for _ in 0..count {
            assert_eq!(pass(), input.sum, "a message was lost");
        }
    };
    passes(1 + batches / 10);
    let meter = Meter::start();
    passes(batches);
    meter.stop(batches * MESSAGES)
}

/// What is sent.
struct Input {
    bytes: Vec<u8>,
    /// Of the digests of all messages.
    sum: u64,
}

impl Input {
    fn lines() -> Self {
        Self::of(|text| [text, b"\r\n"].concat())
    }

    fn strings() -> Self {
        Self::of(|text| [&(text.len() as u32).to_be_bytes(), text].concat())
    }

    fn of(frame: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let texts: Vec<Vec<u8>> = (0..MESSAGES).map(text).collect();
        let sum = texts.iter().map(|text| digest(text)).sum();
        Self { bytes: texts.iter().flat_map(|text| frame(text)).collect(), sum }
    }
}

/// 20 to 100 letters, in no order that a branch predictor could learn.
fn text(number: u64) -> Vec<u8> {
    let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let length = 20 + scattered % 81;
    (0..length).map(|at| b'a' + ((scattered + at) % 26) as u8).collect()
}

fn digest(message: &[u8]) -> u64 {
    let ends = message.first().zip(message.last()).map_or(0, |(&first, &last)| u64::from(first) + u64::from(last));
    message.len() as u64 + ends
}

/// A handler that adds up what it gets.
struct Sum<const OWNED: bool>(Rc<Cell<u64>>);

impl<const OWNED: bool> Sum<OWNED> {
    fn add(&self, message: &[u8]) {
        self.0.set(self.0.get() + digest(message));
    }
}

impl<const OWNED: bool> LineHandler for Sum<OWNED> {
    fn line_received(&mut self, _: &mut Lines<'_>, line: &[u8]) {
        if OWNED {
            self.add(black_box(str::from_utf8(line).expect("letters").to_owned()).as_bytes());
        } else {
            self.add(line);
        }
    }
}

impl<const OWNED: bool> StringHandler for Sum<OWNED> {
    fn string_received(&mut self, _: &mut Strings<'_>, string: &[u8]) {
        if OWNED {
            self.add(&black_box(string.to_owned()));
        } else {
            self.add(string);
        }
    }
}

/// A transport that nothing is asked of.
struct Nowhere;

impl Backend for Nowhere {}
