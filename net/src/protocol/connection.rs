//! The state of a connection, without a stream: what is written, who produces it, what is wanted of the two directions.
//!
//! [`Connection`] decides; who has the bytes in his hands does: he is told through [`Outside`] what is wanted, takes what is to be
//! sent in [`write_pass`](Connection::write_pass), and says when the connection is gone.

mod asked;
mod outgoing;

pub(crate) use asked::asks_of_connection;

use super::{AlreadyRegistered, ConnectionLost, Producer, WriteLimits};
use outgoing::Outgoing;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::task::{Poll, ready};

/// What a [`Connection`] wants of who moves its bytes. Called from within the connection's own methods, in order.
///
/// Only changes are told.
pub trait Outside {
    /// Bytes of the peer are wanted, or no longer.
    fn reading(&self, wanted: bool);

    /// There is something for [`Connection::write_pass`] to do, or no longer.
    fn writing(&self, wanted: bool);

    /// All is sent that was to be sent before the writing side is closed: close it.
    fn write_closed(&self);

    /// The connection is over.
    fn lost(&self, reason: ConnectionLost);
}

/// The state of a connection: the write buffer, the producer, how it ends. It does no I/O: see [the module](self).
///
/// Every method that takes an [`Outside`] must get the same one. Methods may be called from within the producer's, as a producer
/// writes while it is told to resume.
///
/// Counterpart: `twisted.internet.abstract.FileDescriptor`.
///
/// ```
/// use rt::protocol::connection::{Connection, Outside, Pass};
/// use rt::protocol::{ConnectionLost, WriteLimits};
/// use std::task::Poll;
///
/// /// An outside that takes no notice.
/// struct Nobody;
/// impl Outside for Nobody {
///     fn reading(&self, _: bool) {}
///     fn writing(&self, _: bool) {}
///     fn write_closed(&self) {}
///     fn lost(&self, _: ConnectionLost) {}
/// }
///
/// let connection = Connection::new(WriteLimits::default());
/// connection.write(b"hello", &Nobody);
/// connection.lose(&Nobody);
///
/// // The outside takes three bytes at a time.
/// let mut sent = Vec::new();
/// let mut take = |bytes: &[u8]| {
///     let count = bytes.len().min(3);
///     sent.extend_from_slice(&bytes[..count]);
///     Poll::Ready(Ok(count))
/// };
/// assert_eq!(connection.write_pass(&Nobody, &mut take), Poll::Ready(Pass::Sent(3)));
/// assert_eq!(connection.write_pass(&Nobody, &mut take), Poll::Ready(Pass::Over));
/// assert_eq!(sent, b"hello");
/// ```
pub struct Connection {
    outgoing: RefCell<Outgoing>,
    producer: Cell<Option<Rc<dyn Producer>>>,
    limits: Cell<Limits>,
    flags: Cell<u16>,
}

/// [`WriteLimits`] in less room.
#[derive(Clone, Copy)]
struct Limits {
    low: u32,
    high: u32,
    cap: u32,
}

/// What came of a [`write_pass`](Connection::write_pass).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pass {
    /// So many bytes were sent.
    Sent(usize),
    /// The connection is over: [`ConnectionLost::Done`] was told.
    Over,
}

/// How much of what is written is offered at once: less than this left makes the pass collect what was written since. Twisted's
/// `SEND_LIMIT`.
const SEND_LIMIT: usize = 128 * 1024;

impl Connection {
    const CONNECTED: u16 = 1;
    const DISCONNECTING: u16 = 1 << 1;
    /// The writing side is to be closed.
    const CLOSING_WRITE: u16 = 1 << 2;
    /// The writing side is closed.
    const WRITE_CLOSED: u16 = 1 << 3;
    const READING: u16 = 1 << 4;
    const WRITING: u16 = 1 << 5;
    const STREAMING: u16 = 1 << 6;
    const PRODUCER_PAUSED: u16 = 1 << 7;
    /// [`pause_reading`](Connection::pause_reading) was called last.
    const PAUSED: u16 = 1 << 8;
    /// Something was written since [`take_written`](Connection::take_written).
    const WRITTEN: u16 = 1 << 9;

    /// A connection that is there: it reads, and has nothing to write.
    pub fn new(limits: WriteLimits) -> Self {
        Self {
            outgoing: RefCell::default(),
            producer: Cell::new(None),
            limits: Cell::new(limits.into()),
            flags: Cell::new(Self::CONNECTED | Self::READING),
        }
    }

    /// Records `data`, to be sent after what was written before.
    pub fn write(&self, data: &[u8], outside: &impl Outside) {
        if !data.is_empty() && self.takes_writes() {
            self.outgoing.borrow_mut().push(data);
            self.written(outside);
        }
    }

    /// Records several parts, one after the other.
    pub fn write_sequence(&self, parts: &[&[u8]], outside: &impl Outside) {
        if !parts.is_empty() && self.takes_writes() {
            let mut outgoing = self.outgoing.borrow_mut();
            parts.iter().for_each(|part| outgoing.push(part));
            drop(outgoing);
            self.written(outside);
        }
    }

    #[inline]
    fn takes_writes(&self) -> bool {
        self.flags.get() & (Self::CONNECTED | Self::WRITE_CLOSED) == Self::CONNECTED
    }

    fn written(&self, outside: &impl Outside) {
        self.set(Self::WRITTEN, true);
        let (waiting, unsent) = {
            let outgoing = self.outgoing.borrow();
            (outgoing.len_with_sent(), outgoing.unsent())
        };
        let limits = self.limits.get();
        if unsent > limits.cap as usize {
            return self.lost(ConnectionLost::WriteLimit { unsent, cap: limits.cap as usize }, outside);
        }
        if self.has(Self::STREAMING)
            && waiting > limits.high as usize
            && let Some(producer) = self.producer()
        {
            self.set(Self::PRODUCER_PAUSED, true);
            producer.pause_producing();
        }
        self.want_writing(true, outside);
    }

    /// Hands what is to be sent to `send`, which says how many bytes it took, and then does what is due when all is sent: resumes
    /// the producer, closes the writing side, or ends the connection. `send` gets an empty slice if only that is to be done.
    ///
    /// `Pending` is what `send` says when it takes nothing now. An error ends the connection.
    pub fn write_pass(
        &self,
        outside: &impl Outside,
        send: impl FnOnce(&[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<Pass> {
        self.write_pass_within(SEND_LIMIT, outside, send)
    }

    /// [`write_pass`](Connection::write_pass) with another limit below which the pass collects what was written since.
    pub fn write_pass_within(
        &self,
        send_limit: usize,
        outside: &impl Outside,
        send: impl FnOnce(&[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<Pass> {
        let sent = {
            let mut outgoing = self.outgoing.borrow_mut();
            let sent = send(outgoing.offer(send_limit));
            match sent {
                Poll::Pending => outgoing.settle(),
                Poll::Ready(Ok(count)) => outgoing.sent(count),
                Poll::Ready(Err(_)) => {}
            }
            sent
        };
        match ready!(sent) {
            Ok(count) if self.outgoing.borrow().is_empty() => Poll::Ready(self.all_sent(count, outside)),
            Ok(count) => Poll::Ready(Pass::Sent(count)),
            Err(error) => {
                self.over(error.into(), outside);
                Poll::Ready(Pass::Over)
            }
        }
    }

    fn all_sent(&self, count: usize, outside: &impl Outside) -> Pass {
        self.outgoing.borrow_mut().clear();
        self.want_writing(false, outside);
        let waits = !self.has(Self::STREAMING) || self.has(Self::PRODUCER_PAUSED);
        if let Some(producer) = self.producer().filter(|_| waits) {
            self.set(Self::PRODUCER_PAUSED, false);
            producer.resume_producing();
        } else if self.has(Self::DISCONNECTING) {
            self.over(ConnectionLost::Done, outside);
            return Pass::Over;
        } else if self.has(Self::CLOSING_WRITE) {
            self.set(Self::WRITE_CLOSED, true);
            outside.write_closed();
        }
        Pass::Sent(count)
    }

    /// Closes the connection when all is sent. Nothing is read any more. A pull producer, and a push producer that was told to
    /// pause, are waited for until they unregister.
    pub fn lose(&self, outside: &impl Outside) {
        if self.flags.get() & (Self::CONNECTED | Self::DISCONNECTING) != Self::CONNECTED {
            return;
        }
        if self.has(Self::WRITE_CLOSED) {
            return self.over(ConnectionLost::Done, outside);
        }
        self.want_reading(false, outside);
        self.want_writing(true, outside);
        self.set(Self::DISCONNECTING, true);
    }

    /// Closes the writing side when all is sent. Asked again, it tells [`Outside::write_closed`] again, as Twisted does.
    pub fn lose_write(&self, outside: &impl Outside) {
        if !self.has(Self::CONNECTED) {
            return;
        }
        self.set(Self::CLOSING_WRITE, true);
        self.want_writing(true, outside);
    }

    /// Unregisters the producer, and closes the connection.
    pub fn stop_consuming(&self, outside: &impl Outside) {
        self.unregister_producer(outside);
        self.lose(outside);
    }

    /// Registers who produces, a push producer if it is `streaming`, else a pull producer.
    ///
    /// # Errors
    ///
    /// There is one already.
    pub fn register_producer(&self, producer: Rc<dyn Producer>, streaming: bool) -> Result<(), AlreadyRegistered> {
        if self.producer().is_some() {
            return Err(AlreadyRegistered);
        }
        if !self.has(Self::CONNECTED) {
            producer.stop_producing();
            return Ok(());
        }
        self.producer.set(Some(producer.clone()));
        self.set(Self::STREAMING, streaming);
        if !streaming {
            // That is no answer to what came from the peer.
            let was_written = self.has(Self::WRITTEN);
            producer.resume_producing();
            self.set(Self::WRITTEN, was_written);
        }
        Ok(())
    }

    /// The producer has written its last.
    pub fn unregister_producer(&self, outside: &impl Outside) {
        let producer = self.producer.take();
        if self.flags.get() & (Self::CONNECTED | Self::DISCONNECTING) == Self::CONNECTED | Self::DISCONNECTING {
            self.want_writing(true, outside);
        }
        drop(producer);
    }

    /// Stops and unregisters the producer, if there is one.
    pub fn stop_producer(&self, outside: &impl Outside) {
        // It is not registered any more while it is called, as it may ask for the same.
        if let Some(producer) = self.producer() {
            self.unregister_producer(outside);
            producer.stop_producing();
        }
    }

    /// The connection is gone, for this reason: the producer is stopped, nothing is wanted any more.
    pub fn lost(&self, reason: ConnectionLost, outside: &impl Outside) {
        outside.lost(reason);
        self.set(Self::CONNECTED, false);
        if let Some(producer) = self.producer.take() {
            producer.stop_producing();
        }
        self.want_reading(false, outside);
        self.want_writing(false, outside);
    }

    /// It ends from within: nothing is wanted any more, and then it is gone.
    fn over(&self, reason: ConnectionLost, outside: &impl Outside) {
        self.want_reading(false, outside);
        self.want_writing(false, outside);
        self.lost(reason, outside);
    }

    /// Reads no more until [`resume_reading`](Connection::resume_reading).
    pub fn pause_reading(&self, outside: &impl Outside) {
        self.set(Self::PAUSED, true);
        self.want_reading(false, outside);
    }

    /// Reads again, unless the connection is being closed.
    pub fn resume_reading(&self, outside: &impl Outside) {
        self.set(Self::PAUSED, false);
        if self.flags.get() & (Self::CONNECTED | Self::DISCONNECTING) == Self::CONNECTED {
            self.want_reading(true, outside);
        }
    }

    /// Throws away what is not sent: nobody will take it.
    pub(crate) fn discard(&self) {
        self.outgoing.borrow_mut().clear();
    }

    /// Whether [`lost`](Connection::lost) was not told yet.
    pub fn is_connected(&self) -> bool {
        self.has(Self::CONNECTED)
    }

    /// Whether it closes when all is sent.
    pub fn is_disconnecting(&self) -> bool {
        self.has(Self::DISCONNECTING)
    }

    /// Whether bytes of the peer are wanted.
    #[inline]
    pub fn is_reading(&self) -> bool {
        self.has(Self::READING)
    }

    /// Whether [`write_pass`](Connection::write_pass) has something to do.
    #[inline]
    pub fn is_writing(&self) -> bool {
        self.has(Self::WRITING)
    }

    /// Whether reading was paused and not resumed.
    pub fn is_paused(&self) -> bool {
        self.has(Self::PAUSED)
    }

    /// Whether the producer was told to pause, and not yet to resume.
    pub fn is_producer_paused(&self) -> bool {
        self.has(Self::PRODUCER_PAUSED)
    }

    /// How many bytes are recorded and not sent.
    #[inline]
    pub fn unsent(&self) -> usize {
        self.outgoing.borrow().unsent()
    }

    /// How much may be recorded and not sent.
    #[inline]
    pub fn write_limits(&self) -> WriteLimits {
        self.limits.get().into()
    }

    /// Changes how much may be recorded and not sent.
    pub fn set_write_limits(&self, limits: WriteLimits) {
        self.limits.set(limits.into());
    }

    /// The producer that is registered.
    #[inline]
    pub fn producer(&self) -> Option<Rc<dyn Producer>> {
        let producer = self.producer.take();
        self.producer.set(producer.clone());
        producer
    }

    /// After a producer is gone: sees to it that the writing side is closed, if that is still to be done. With Twisted it stays open.
    pub(crate) fn close_write_if_asked(&self, outside: &impl Outside) {
        if self.has(Self::CLOSING_WRITE) {
            self.lose_write(outside);
        }
    }

    /// Whether [`Outside::write_closed`] was told.
    pub(crate) fn is_write_closed(&self) -> bool {
        self.has(Self::WRITE_CLOSED)
    }

    /// Whether something was written since this was asked last.
    #[inline]
    pub(crate) fn take_written(&self) -> bool {
        let was = self.has(Self::WRITTEN);
        self.set(Self::WRITTEN, false);
        was
    }

    fn want_reading(&self, wanted: bool, outside: &impl Outside) {
        if self.has(Self::READING) != wanted {
            self.set(Self::READING, wanted);
            outside.reading(wanted);
        }
    }

    fn want_writing(&self, wanted: bool, outside: &impl Outside) {
        if self.has(Self::WRITING) != wanted {
            self.set(Self::WRITING, wanted);
            outside.writing(wanted);
        }
    }

    #[inline]
    fn has(&self, flag: u16) -> bool {
        self.flags.get() & flag != 0
    }

    #[inline]
    fn set(&self, flag: u16, on: bool) {
        let flags = self.flags.get();
        self.flags.set(if on { flags | flag } else { flags & !flag });
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("is_connected", &self.is_connected())
            .field("is_disconnecting", &self.is_disconnecting())
            .field("unsent", &self.unsent())
            .finish_non_exhaustive()
    }
}

impl From<WriteLimits> for Limits {
    /// What is beyond the range of the smaller number is as good as unlimited.
    fn from(limits: WriteLimits) -> Self {
        let short = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        Self { low: short(limits.low), high: short(limits.high), cap: limits.cap.map_or(u32::MAX, short) }
    }
}

impl From<Limits> for WriteLimits {
    fn from(limits: Limits) -> Self {
        let cap = (limits.cap != u32::MAX).then_some(limits.cap as usize);
        Self { low: limits.low as usize, high: limits.high as usize, cap }
    }
}
