//! Bytes that a peer may send to the receivers of lines and strings. How they are cut into pieces does not change what comes of them, and no
//! more memory is held than the limits allow.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rt::protocol::{
    Backend, ConnectionLost, Int8StringReceiver, Int16StringReceiver, Int32StringReceiver, LineHandler,
    LineOnlyReceiver, LineReceiver, Lines, NetstringReceiver, Protocol, StringHandler, Strings, Transport,
};

use super::counting;
use super::input::{Cut, Input};

/// A script in five bytes, a limit and a delimiter; the rest is the stream.
pub(crate) fn line_receiver(data: &[u8]) {
    let mut input = Input(data);
    let (script, max_length, delimiter) = (input.bytes(), input.pick(&LIMITS), input.pick(&DELIMITERS));
    check(&mut input, max_length, |program| {
        LineReceiver::new(Script::new(script, program)).delimiter(delimiter).max_length(max_length)
    });
}

/// As [`line_receiver`].
///
/// Where a delimiter of several bytes is cut, its first part counts as one of the line: so Twisted has it. There the limit is never
/// reached here.
pub(crate) fn line_only_receiver(data: &[u8]) {
    let mut input = Input(data);
    let (script, max_length, delimiter) = (input.bytes(), input.pick(&LIMITS), input.pick(&DELIMITERS));
    let (max_length, delimiters) = match delimiter.len() {
        1 => (max_length, &DELIMITERS[..2]),
        _ => (1 << 20, &DELIMITERS[..]),
    };
    check(&mut input, max_length, |program| {
        let script = Script { has_raw_mode: false, delimiters, ..Script::new(script, program) };
        LineOnlyReceiver::new(script).delimiter(delimiter).max_length(max_length)
    });
}

/// A script in five bytes and a limit; the rest is the stream.
pub(crate) fn netstring_receiver(data: &[u8]) {
    let mut input = Input(data);
    let (script, max_length) = (input.bytes(), input.pick(&LIMITS));
    check(&mut input, max_length, |program| {
        NetstringReceiver::new(Script::new(script, program)).max_length(max_length)
    });
}

/// A script in five bytes, a limit, and which size of prefix; the rest is the stream.
pub(crate) fn int_string_receiver(data: &[u8]) {
    let mut input = Input(data);
    let (script, max_length, size) = (input.bytes(), input.pick(&LIMITS), input.pick(&[1, 2, 4]));
    let script = |program| Script::new(script, program);
    match size {
        1 => check(&mut input, max_length, |program| Int8StringReceiver::new(script(program)).max_length(max_length)),
        2 => check(&mut input, max_length, |program| Int16StringReceiver::new(script(program)).max_length(max_length)),
        _ => check(&mut input, max_length, |program| Int32StringReceiver::new(script(program)).max_length(max_length)),
    }
}

const LIMITS: [usize; 8] = [16, 0, 1, 5, 100, 1000, 16384, 99999];
const DELIMITERS: [&[u8]; 7] = [b"\n", b"\0", b"\r\n", b"aa", b"aba", b"ababa", b"\r\n\r\n"];

/// What a receiver holds beside its bytes: what it looks for delimiters with.
const BESIDE: usize = 2048;

fn check<P: Protocol>(input: &mut Input<'_>, max_length: usize, build: impl Fn(Program) -> P) {
    let seed = input.byte();
    let stream = input.0;
    let run = |cut, copies, notes| {
        let program = Program { notes, copies, ..Program::default() };
        run(program.clone(), build(program.clone()), stream, cut, max_length);
        program.events.take()
    };
    let expected = run(Cut::Whole, false, true);
    for (cut, copies) in [(Cut::Bytes, false), (Cut::Pieces(seed), true), (Cut::Pieces(!seed), false)] {
        assert_eq!(run(cut, copies, true), expected, "{cut:?}, and copies are handed back: {copies}");
    }
    // Without notes, which take memory, too.
    for cut in [Cut::Whole, Cut::Bytes, Cut::Pieces(seed)] {
        run(cut, true, false);
    }
}

fn run<P: Protocol>(program: Program, mut receiver: P, stream: &[u8], cut: Cut, max_length: usize) {
    let before = counting::held();
    let transport = Transport::new(program.state.clone());
    receiver.connection_made(&transport);
    for piece in cut.pieces(stream) {
        if program.state.is_disconnecting.get() {
            break;
        }
        receiver.data_received(&transport, piece);
        while transport.is_paused() && !transport.is_disconnecting() {
            if !program.notes {
                // A delimiter or prefix, and twice that for a buffer that grows.
                let most = 2 * (max_length + 16) + piece.len() + BESIDE;
                let held = counting::held() - before;
                assert!(held <= most as isize, "{held} bytes are held while paused, of {most}");
            }
            transport.resume_producing();
            receiver.reading_resumed(&transport);
        }
        if !program.notes && !transport.is_disconnecting() {
            let most = 2 * (max_length + 16) + BESIDE;
            let held = counting::held() - before;
            assert!(held <= most as isize, "{held} bytes are held, of {most}");
        }
    }
    receiver.connection_lost(&transport, &ConnectionLost::Done);
}

/// What came of a stream. Nothing is noted after the connection was lost: what still comes depends on what came in the same piece.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    Line(Vec<u8>),
    /// All bytes between two lines.
    Raw(Vec<u8>),
    String(Vec<u8>),
    TooLong,
    Lose,
}

/// What the handler and the transport of one run share.
#[derive(Clone, Default)]
struct Program {
    events: Rc<RefCell<Vec<Event>>>,
    state: Rc<State>,
    /// Whether events are noted at all.
    notes: bool,
    /// Whether raw bytes are handed back as copies.
    copies: bool,
}

impl Program {
    fn note(&self, event: Event) {
        if !self.notes || self.state.is_disconnecting.get() {
            return;
        }
        let mut events = self.events.borrow_mut();
        match (events.last_mut(), event) {
            (Some(Event::Raw(before)), Event::Raw(more)) => before.extend(more),
            (_, event) => events.push(event),
        }
    }
}

/// A handler that does at its n-th line or string what the n-th byte of a script says, round and round.
struct Script {
    actions: [u8; 5],
    next: usize,
    /// How many raw bytes are to come.
    missing: usize,
    has_raw_mode: bool,
    /// What may come to end a line.
    delimiters: &'static [&'static [u8]],
    program: Program,
}

impl Script {
    fn new(actions: [u8; 5], program: Program) -> Self {
        Self { actions, next: 0, missing: 0, has_raw_mode: true, delimiters: &DELIMITERS, program }
    }

    fn action(&mut self) -> u8 {
        let action = self.actions[self.next % self.actions.len()];
        self.next += 1;
        action
    }
}

impl LineHandler for Script {
    fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        self.program.note(Event::Line(line.to_vec()));
        let action = self.action();
        match action % 8 {
            1 => lines.pause_producing(),
            2 if self.has_raw_mode => {
                self.missing = usize::from(action / 8);
                lines.set_raw_mode();
            }
            3 => lines.send_line(line),
            4 => lines.set_delimiter(self.delimiters[usize::from(action / 8) % self.delimiters.len()]),
            5 => {
                lines.pause_producing();
                lines.resume_producing();
            }
            6 if action / 8 == 31 => {
                self.program.note(Event::Lose);
                lines.lose_connection();
            }
            _ => {}
        }
    }

    fn raw_data_received(&mut self, lines: &mut Lines<'_>, data: &[u8]) {
        let (raw, rest) = data.split_at(self.missing.min(data.len()));
        self.program.note(Event::Raw(raw.to_vec()));
        self.missing -= raw.len();
        if self.missing == 0 {
            let copy = self.program.copies.then(|| rest.to_vec());
            lines.set_line_mode(copy.as_deref().unwrap_or(rest));
        }
        if self.actions[0] & 1 == 1 {
            lines.pause_producing();
        }
    }

    fn line_length_exceeded(&mut self, lines: &mut Lines<'_>, _: &[u8]) {
        self.program.note(Event::TooLong);
        lines.lose_connection();
    }
}

impl StringHandler for Script {
    fn string_received(&mut self, strings: &mut Strings<'_>, string: &[u8]) {
        self.program.note(Event::String(string.to_vec()));
        let action = self.action();
        match action % 8 {
            1 => strings.pause_producing(),
            3 => drop(strings.send_string(string)),
            5 => {
                strings.pause_producing();
                strings.resume_producing();
            }
            6 if action / 8 == 31 => {
                self.program.note(Event::Lose);
                strings.lose_connection();
            }
            _ => {}
        }
    }

    fn length_limit_exceeded(&mut self, strings: &mut Strings<'_>, _: usize) {
        self.program.note(Event::TooLong);
        strings.lose_connection();
    }
}

/// A transport that throws away what is written.
#[derive(Default)]
struct State {
    is_paused: Cell<bool>,
    is_disconnecting: Cell<bool>,
}

impl Backend for State {
    fn lose_connection(&self) {
        self.is_disconnecting.set(true);
    }

    fn pause_producing(&self) {
        self.is_paused.set(true);
    }

    fn resume_producing(&self) {
        self.is_paused.set(false);
    }

    fn is_paused(&self) -> bool {
        self.is_paused.get()
    }

    fn is_disconnecting(&self) -> bool {
        self.is_disconnecting.get()
    }
}
