//! One end of a connection in memory: the state that every connection has, and how far the other end knows of it.

use crate::protocol::connection::{Connection, Outside};
use crate::protocol::{Address, AlreadyRegistered, Backend, ConnectionLost, Producer, WriteLimits};
use crate::testing::lost::Lost;
use rt_deferred::Deferred;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::Poll;

/// One end. [`IoPump`](super::IoPump) is what it is driven by.
pub(super) struct Wire {
    connection: Connection,
    host: Address,
    peer: Address,
    /// Reading was resumed, and the protocol is to be told.
    pub(super) was_resumed: Cell<bool>,
    /// What was written last was written because of bytes that came.
    is_answering: Cell<bool>,
    /// The peer does not take the answers; it is not read meanwhile.
    is_held_back: Cell<bool>,
    /// The protocol knows that the peer sends no more.
    pub(super) is_read_closed: Cell<bool>,
    /// The writing side is closed, and the protocol is to be told.
    pub(super) closes_writing: Cell<bool>,
    is_write_closed: Cell<bool>,
    /// Why the connection is over; the protocol is to be told.
    pub(super) doom: RefCell<Option<ConnectionLost>>,
    /// The same, from the next step on: the news has to travel.
    pub(super) coming_doom: RefCell<Option<ConnectionLost>>,
    /// The protocol was told.
    pub(super) lost: Lost,
}

impl Wire {
    pub(super) fn new(host: Address, peer: Address) -> Self {
        Self {
            connection: Connection::new(WriteLimits::default()),
            host,
            peer,
            was_resumed: Cell::default(),
            is_answering: Cell::default(),
            is_held_back: Cell::default(),
            is_read_closed: Cell::default(),
            closes_writing: Cell::default(),
            is_write_closed: Cell::default(),
            doom: RefCell::default(),
            coming_doom: RefCell::default(),
            lost: Lost::default(),
        }
    }

    /// Whether its protocol may be given bytes.
    pub(super) fn reads(&self) -> bool {
        self.connection.is_reading() && !self.is_held_back.get() && !self.is_read_closed.get()
    }

    /// Whether it sends no more, ever.
    pub(super) fn is_at_end(&self) -> bool {
        self.lost.is_lost() || self.is_write_closed.get()
    }

    /// Whether the protocol was told that the connection is gone.
    pub(super) fn is_over(&self) -> bool {
        self.lost.is_lost()
    }

    /// At most `count` bytes leave.
    pub(super) fn send(&self, count: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        while sent.len() < count && self.unsent() > 0 && self.connection.is_writing() {
            let _ = self.connection.write_pass(self, |bytes| {
                let bytes = &bytes[..bytes.len().min(count - sent.len())];
                sent.extend_from_slice(bytes);
                Poll::Ready(Ok(bytes.len()))
            });
        }
        self.consider_backpressure();
        sent
    }

    /// Does what is due when all is sent.
    pub(super) fn finish(&self) {
        if self.connection.is_writing() && self.unsent() == 0 {
            let _ = self.connection.write_pass(self, |_| Poll::Ready(Ok(0)));
        }
    }

    /// Before `data_received`.
    pub(super) fn begins_to_receive(&self) {
        self.connection.take_written();
    }

    /// After `data_received`.
    pub(super) fn has_received(&self) {
        self.is_answering.set(self.connection.take_written());
        self.consider_backpressure();
    }

    fn consider_backpressure(&self) {
        let (unsent, limits) = (self.unsent(), self.write_limits());
        if unsent <= limits.low {
            self.is_held_back.set(false);
            self.lost.has_drained();
        } else if self.is_answering.get() && unsent > limits.high {
            self.is_held_back.set(true);
        }
    }

    /// It is over, now, unless it is already.
    pub(super) fn give_up(&self, reason: ConnectionLost) {
        if self.connection.is_connected() {
            self.connection.lost(reason, self);
        }
    }

    /// The protocol was told.
    pub(super) fn end(&self, reason: ConnectionLost) {
        self.connection.discard();
        self.lost.set(reason);
    }

    pub(super) fn reset(&self) {
        *self.coming_doom.borrow_mut() = Some(io::Error::from(io::ErrorKind::ConnectionReset).into());
    }
}

impl Outside for Wire {
    fn reading(&self, wanted: bool) {
        self.was_resumed.set(wanted);
    }

    /// The pump looks at each step.
    fn writing(&self, _: bool) {}

    fn write_closed(&self) {
        self.is_write_closed.set(true);
        self.closes_writing.set(true);
    }

    fn lost(&self, reason: ConnectionLost) {
        *self.doom.borrow_mut() = Some(reason);
    }
}

impl Backend for Wire {
    fn write(&self, data: &[u8]) {
        self.connection.write(data, self);
    }

    fn write_sequence(&self, parts: &[&[u8]]) {
        self.connection.write_sequence(parts, self);
    }

    fn lose_connection(&self) {
        self.connection.lose(self);
    }

    fn lose_write_connection(&self) {
        self.connection.lose_write(self);
    }

    fn abort_connection(&self, reason: ConnectionLost) {
        self.give_up(reason);
    }

    fn register_producer(&self, producer: Rc<dyn Producer>, streaming: bool) -> Result<(), AlreadyRegistered> {
        self.connection.register_producer(producer, streaming)
    }

    fn unregister_producer(&self) {
        self.connection.unregister_producer(self);
        self.connection.close_write_if_asked(self);
    }

    fn stop_producer(&self) {
        self.connection.stop_producer(self);
        self.connection.close_write_if_asked(self);
    }

    fn pause_producing(&self) {
        self.connection.pause_reading(self);
    }

    fn resume_producing(&self) {
        self.connection.resume_reading(self);
    }

    fn stop_producing(&self) {
        self.connection.lose(self);
    }

    fn is_paused(&self) -> bool {
        self.connection.is_paused()
    }

    fn is_connected(&self) -> bool {
        self.connection.is_connected()
    }

    fn is_disconnecting(&self) -> bool {
        self.connection.is_disconnecting() || !self.connection.is_connected()
    }

    fn unsent(&self) -> usize {
        self.connection.unsent()
    }

    fn peer(&self) -> Address {
        self.peer.clone()
    }

    fn host(&self) -> Address {
        self.host.clone()
    }

    fn drained(&self) -> Deferred<()> {
        match &*self.doom.borrow() {
            Some(reason) => Deferred::fail(reason.clone()),
            None => self.lost.drained(self.unsent() <= self.write_limits().low),
        }
    }

    fn closed(&self) -> Deferred<ConnectionLost> {
        self.lost.closed()
    }

    fn write_limits(&self) -> WriteLimits {
        self.connection.write_limits()
    }

    fn set_write_limits(&self, limits: WriteLimits) {
        self.connection.set_write_limits(limits);
        self.consider_backpressure();
    }

    fn set_tcp_no_delay(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn set_tcp_keep_alive(&self, _: bool) -> io::Result<()> {
        Ok(())
    }
}
