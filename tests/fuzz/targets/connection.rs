//! What a protocol may ask of a connection, and the outside do to it, in any order.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::{Rc, Weak};
use std::task::Poll;

use rt::protocol::connection::{Connection, Outside, Pass};
use rt::protocol::{ConnectionLost, Producer, WriteLimits};

use super::counting;
use super::input::Input;

const LIMITS: WriteLimits = WriteLimits { low: 16, high: 64, cap: Some(4096) };

/// Each byte is something that happens, with one more where it needs a number.
pub(crate) fn connection(data: &[u8]) {
    let before = counting::held();
    let world = Rc::new(World {
        connection: Connection::new(LIMITS),
        sent: RefCell::default(),
        written: RefCell::default(),
        is_over: Cell::new(false),
        reading: Cell::new(true),
        writing: Cell::new(false),
        write_closed: Cell::new(false),
    });
    let mut input = Input(data);
    while !input.0.is_empty() && !world.is_over.get() {
        world.happen(&mut input);
        world.check();
    }
    if !world.is_over.get() {
        world.connection.unregister_producer(&*world);
        world.connection.lose(&*world);
        while !world.is_over.get() {
            assert!(world.writing.get(), "a connection that closes has something to do until it is closed");
            world.pass(usize::MAX);
            world.connection.unregister_producer(&*world);
        }
        assert_eq!(*world.sent.borrow(), *world.written.borrow(), "all that was written is sent before it closes");
    }
    let held = counting::held() - before;
    assert!(held < 1 << 20, "{held} bytes are held");
}

struct World {
    connection: Connection,
    /// What the outside took.
    sent: RefCell<Vec<u8>>,
    /// What it is to take.
    written: RefCell<Vec<u8>>,
    is_over: Cell<bool>,
    reading: Cell<bool>,
    writing: Cell<bool>,
    write_closed: Cell<bool>,
}

impl World {
    fn happen(self: &Rc<Self>, input: &mut Input<'_>) {
        match input.byte() % 16 {
            0..=3 => self.write(usize::from(input.byte())),
            4 => self.write(usize::from(input.byte()) * 8),
            5..=7 => self.pass(usize::from(input.byte())),
            8 => self.register(input),
            9 => self.connection.unregister_producer(&**self),
            10 => self.connection.pause_reading(&**self),
            11 => self.connection.resume_reading(&**self),
            12 if input.byte().is_multiple_of(8) => self.connection.lose_write(&**self),
            13 if input.byte().is_multiple_of(8) => self.connection.lose(&**self),
            14 if input.byte().is_multiple_of(16) => self.connection.lost(ConnectionLost::Aborted, &**self),
            15 => self.connection.stop_producer(&**self),
            _ => {}
        }
    }

    fn write(&self, length: usize) {
        let data: Vec<u8> = (0..length).map(|at| (at ^ self.written.borrow().len()) as u8).collect();
        // What is thrown away is not to be sent.
        if self.connection.is_connected() && !self.write_closed.get() {
            self.written.borrow_mut().extend_from_slice(&data);
        }
        let (first, second) = data.split_at(length / 2);
        match length % 3 {
            0 => self.connection.write_sequence(&[first, second], self),
            _ => self.connection.write(&data, self),
        }
    }

    fn pass(&self, window: usize) {
        if !self.writing.get() {
            return;
        }
        let pass = self.connection.write_pass(self, |bytes| {
            if window == 0 && !bytes.is_empty() {
                return Poll::Pending;
            }
            if window == 255 && bytes.len() == 13 {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let count = bytes.len().min(window);
            self.sent.borrow_mut().extend_from_slice(&bytes[..count]);
            Poll::Ready(Ok(count))
        });
        assert_eq!(pass == Poll::Ready(Pass::Over), self.is_over.get() && pass.is_ready());
    }

    fn register(self: &Rc<Self>, input: &mut Input<'_>) {
        let (streaming, pieces) = (input.byte().is_multiple_of(2), input.byte() % 8);
        let producer = Rc::new(Piecemeal {
            world: Rc::downgrade(self),
            pieces: Cell::new(pieces),
            is_paused: Cell::new(false),
            is_stopped: Cell::new(false),
        });
        let had_one = self.connection.producer().is_some();
        let registered = self.connection.register_producer(producer, streaming);
        assert_eq!(registered.is_err(), had_one);
    }

    fn check(&self) {
        let (sent, written) = (self.sent.borrow(), self.written.borrow());
        assert!(written.starts_with(&sent), "what is sent is what was written, in order");
        if self.connection.is_connected() {
            assert_eq!(self.connection.unsent(), written.len() - sent.len());
        }
        assert!(self.connection.unsent() <= LIMITS.cap.expect("there is one") + 2048);
        assert_eq!(self.connection.is_reading(), self.reading.get());
        assert_eq!(self.connection.is_writing(), self.writing.get());
        assert_eq!(self.connection.is_connected(), !self.is_over.get());
        if self.is_over.get() {
            assert!(!self.reading.get() && !self.writing.get());
            assert!(self.connection.producer().is_none());
        }
    }
}

impl Outside for World {
    fn reading(&self, wanted: bool) {
        assert_ne!(self.reading.replace(wanted), wanted, "only changes are told");
    }

    fn writing(&self, wanted: bool) {
        assert_ne!(self.writing.replace(wanted), wanted, "only changes are told");
    }

    /// Told again if it was asked again: so Twisted has it.
    fn write_closed(&self) {
        self.write_closed.set(true);
    }

    fn lost(&self, _: ConnectionLost) {
        assert!(!self.is_over.replace(true), "it is lost once");
    }
}

/// A producer that writes a piece when it is told to resume, a few times.
struct Piecemeal {
    world: Weak<World>,
    pieces: Cell<u8>,
    is_paused: Cell<bool>,
    is_stopped: Cell<bool>,
}

impl Producer for Piecemeal {
    fn resume_producing(&self) {
        assert!(!self.is_stopped.get(), "nothing is asked of a producer that was stopped");
        self.is_paused.set(false);
        let Some(world) = self.world.upgrade() else { return };
        match self.pieces.get() {
            0 => world.connection.unregister_producer(&*world),
            left => {
                self.pieces.set(left - 1);
                world.write(usize::from(left) * 11);
            }
        }
    }

    fn pause_producing(&self) {
        assert!(!self.is_stopped.get(), "nothing is asked of a producer that was stopped");
        self.is_paused.set(true);
    }

    fn stop_producing(&self) {
        assert!(!self.is_stopped.replace(true), "it is stopped once");
    }
}
