//! One end of a connection in memory: what its protocol asked for, and how far that has been done.

use crate::protocol::{Address, AlreadyRegistered, Backend, ConnectionLost, Producer, WriteLimits};
use crate::testing::lost::Lost;
use rt_deferred::Deferred;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

/// One end: what was written and not taken by the other, and what else is to be done. [`IoPump`](super::IoPump) does it.
pub(super) struct Wire {
    host: Address,
    peer: Address,
    unsent: RefCell<VecDeque<u8>>,
    limits: Cell<WriteLimits>,
    producer: RefCell<Option<Registered>>,
    is_paused: Cell<bool>,
    /// Reading goes on after a pause, and the protocol is to be told.
    pub(super) was_resumed: Cell<bool>,
    /// More was written in answer to the peer than it takes; it is not read meanwhile.
    is_held_back: Cell<bool>,
    is_disconnecting: Cell<bool>,
    write_side: Cell<WriteSide>,
    /// The protocol knows that the peer sends no more.
    pub(super) is_read_closed: Cell<bool>,
    /// The connection is to be lost without more ado.
    pub(super) doom: RefCell<Option<ConnectionLost>>,
    /// The same, from the next pump on: the news has to travel.
    pub(super) coming_doom: RefCell<Option<ConnectionLost>>,
    pub(super) lost: Lost,
}

struct Registered {
    producer: Rc<dyn Producer>,
    is_streaming: bool,
    is_paused: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum WriteSide {
    Open,
    /// Once all is sent.
    Closing,
    Closed,
}

impl Wire {
    pub(super) fn new(host: Address, peer: Address) -> Self {
        Self {
            host,
            peer,
            unsent: RefCell::default(),
            limits: Cell::default(),
            producer: RefCell::default(),
            is_paused: Cell::default(),
            was_resumed: Cell::default(),
            is_held_back: Cell::default(),
            is_disconnecting: Cell::default(),
            write_side: Cell::new(WriteSide::Open),
            is_read_closed: Cell::default(),
            doom: RefCell::default(),
            coming_doom: RefCell::default(),
            lost: Lost::default(),
        }
    }

    /// Whether its protocol may be given bytes.
    pub(super) fn reads(&self) -> bool {
        if self.unsent() <= self.limits.get().low {
            self.is_held_back.set(false);
        }
        let is_wanted = !self.is_paused.get() && !self.is_disconnecting.get() && !self.is_read_closed.get();
        is_wanted && !self.is_held_back.get() && !self.is_doomed() && !self.lost.is_lost()
    }

    /// After `data_received`: if too much was written in answer, the next one waits.
    pub(super) fn hold_back_if_full(&self) {
        if self.unsent() > self.limits.get().high {
            self.is_held_back.set(true);
        }
    }

    /// Whether it sends no more, ever.
    pub(super) fn is_at_end(&self) -> bool {
        self.unsent() == 0 && (self.lost.is_lost() || self.write_side.get() == WriteSide::Closed)
    }

    pub(super) fn is_doomed(&self) -> bool {
        self.doom.borrow().is_some()
    }

    /// Whether the connection is to be closed now, as all is done that was to be done before.
    pub(super) fn is_ready_to_close(&self) -> bool {
        self.is_disconnecting.get() && self.is_flushed()
    }

    /// Whether the writing side is to be closed now; that is done with this call.
    pub(super) fn closes_writing(&self) -> bool {
        let closes = self.write_side.get() == WriteSide::Closing && !self.is_disconnecting.get() && self.is_flushed();
        if closes {
            self.write_side.set(WriteSide::Closed);
        }
        closes
    }

    fn is_flushed(&self) -> bool {
        self.unsent() == 0 && self.producer.borrow().is_none()
    }

    /// At most `count` bytes leave.
    pub(super) fn send(&self, count: usize) -> Vec<u8> {
        let sent: Vec<u8> = {
            let mut unsent = self.unsent.borrow_mut();
            let count = count.min(unsent.len());
            unsent.drain(..count).collect()
        };
        if self.unsent() <= self.limits.get().low {
            self.lost.has_drained();
        }
        if self.unsent() == 0 && !sent.is_empty() {
            self.call_for_more();
        }
        sent
    }

    /// All is sent: whoever produces goes on.
    fn call_for_more(&self) {
        let producer = self.producer.borrow_mut().as_mut().and_then(|registered| {
            let is_due = !registered.is_streaming || registered.is_paused;
            registered.is_paused = false;
            is_due.then(|| registered.producer.clone())
        });
        if let Some(producer) = producer {
            producer.resume_producing();
        }
    }

    /// The connection is gone; the protocol is told by who calls this.
    pub(super) fn close(&self) {
        self.unsent.borrow_mut().clear();
        self.stop_producer();
    }

    fn takes_requests(&self) -> bool {
        !self.lost.is_lost() && !self.is_doomed()
    }

    fn check_limits(&self) {
        let (unsent, limits) = (self.unsent(), self.limits.get());
        if let Some(cap) = limits.cap.filter(|cap| unsent > *cap) {
            self.abort_connection(ConnectionLost::WriteLimit { unsent, cap });
            return;
        }
        if unsent <= limits.high {
            return;
        }
        let producer = self.producer.borrow_mut().as_mut().and_then(|registered| {
            let is_due = registered.is_streaming && !registered.is_paused;
            registered.is_paused |= is_due;
            is_due.then(|| registered.producer.clone())
        });
        if let Some(producer) = producer {
            producer.pause_producing();
        }
    }
}

impl Backend for Wire {
    fn write(&self, data: &[u8]) {
        if !self.takes_requests() || self.write_side.get() == WriteSide::Closed {
            return;
        }
        self.unsent.borrow_mut().extend(data);
        self.check_limits();
    }

    fn write_sequence(&self, parts: &[&[u8]]) {
        self.write(&parts.concat());
    }

    fn lose_connection(&self) {
        self.is_disconnecting.set(true);
    }

    fn lose_write_connection(&self) {
        if self.write_side.get() == WriteSide::Open {
            self.write_side.set(WriteSide::Closing);
        }
    }

    fn abort_connection(&self, reason: ConnectionLost) {
        if self.takes_requests() {
            self.is_disconnecting.set(true);
            self.unsent.borrow_mut().clear();
            *self.doom.borrow_mut() = Some(reason);
        }
    }

    fn register_producer(&self, producer: Rc<dyn Producer>, is_streaming: bool) -> Result<(), AlreadyRegistered> {
        if self.producer.borrow().is_some() {
            return Err(AlreadyRegistered);
        }
        if !self.takes_requests() {
            producer.stop_producing();
            return Ok(());
        }
        let registered = Registered { producer: producer.clone(), is_streaming, is_paused: false };
        *self.producer.borrow_mut() = Some(registered);
        if !is_streaming {
            producer.resume_producing();
        }
        Ok(())
    }

    fn unregister_producer(&self) {
        let former = self.producer.take();
        drop(former);
    }

    fn stop_producer(&self) {
        let former = self.producer.take();
        if let Some(former) = former {
            former.producer.stop_producing();
        }
    }

    fn pause_producing(&self) {
        self.is_paused.set(true);
    }

    fn resume_producing(&self) {
        if self.is_paused.get() && !self.is_disconnecting.get() {
            self.is_paused.set(false);
            self.was_resumed.set(true);
        }
    }

    fn stop_producing(&self) {
        self.lose_connection();
    }

    fn is_paused(&self) -> bool {
        self.is_paused.get()
    }

    fn is_connected(&self) -> bool {
        !self.lost.is_lost()
    }

    fn is_disconnecting(&self) -> bool {
        self.is_disconnecting.get()
    }

    fn unsent(&self) -> usize {
        self.unsent.borrow().len()
    }

    fn peer(&self) -> Address {
        self.peer.clone()
    }

    fn host(&self) -> Address {
        self.host.clone()
    }

    fn drained(&self) -> Deferred<()> {
        self.lost.drained(self.unsent() <= self.limits.get().low)
    }

    fn closed(&self) -> Deferred<ConnectionLost> {
        self.lost.closed()
    }

    fn write_limits(&self) -> WriteLimits {
        self.limits.get()
    }

    fn set_write_limits(&self, limits: WriteLimits) {
        self.limits.set(limits);
        self.check_limits();
    }

    fn set_tcp_no_delay(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn set_tcp_keep_alive(&self, _: bool) -> io::Result<()> {
        Ok(())
    }
}
