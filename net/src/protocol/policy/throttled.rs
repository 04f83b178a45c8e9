//! A connection among those that a throttle holds back.

use super::Wrapper;
use super::limits::{ConnectionCount, Place};
use super::throttle::{Member, Throttle};
use super::throttled_producer::ThrottledProducer;
use crate::protocol::{AlreadyRegistered, Backend, ConnectionLost, Producer, Transport};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};

/// What a [`ThrottlingFactory`](super::ThrottlingFactory) does on one connection.
pub struct Throttled {
    place: Place,
    count: ConnectionCount,
    throttle: Rc<Throttle>,
    member: RefCell<Option<Rc<Member>>>,
}

impl Throttled {
    pub(super) fn new(place: Place, count: ConnectionCount, throttle: Rc<Throttle>) -> Self {
        Self { place, count, throttle, member: RefCell::default() }
    }

    /// The connection is gone: with the last one, the throttle rests.
    fn leave(&self) {
        self.place.give_back();
        let member = self.member.take();
        if let Some(member) = member {
            let is_gone = |other: &Weak<Member>| other.upgrade().is_none_or(|other| Rc::ptr_eq(&other, &member));
            self.throttle.members.borrow_mut().retain(|other| !is_gone(other));
        }
        if self.count.get() == 0 {
            self.throttle.reading.stop();
            self.throttle.writing.stop();
        }
    }
}

impl Wrapper for Throttled {
    fn layer(self: Rc<Self>, lower: &Transport) -> Transport {
        match &*self.member.borrow() {
            Some(member) => Transport::new(Rc::new(Layer(member.clone()))),
            // No connection was made, or it is gone.
            None => lower.clone(),
        }
    }

    fn connection_made(&self, lower: &Transport) {
        let member = Rc::new(Member {
            lower: lower.clone(),
            throttle: self.throttle.clone(),
            is_paused: Cell::default(),
            producer: RefCell::default(),
        });
        self.throttle.members.borrow_mut().push(Rc::downgrade(&member));
        *self.member.borrow_mut() = Some(member);
        if self.throttle.reading.is_throttled.get() {
            lower.pause_producing();
        }
    }

    fn data_received(&self, _: &Transport, data: &[u8]) {
        self.throttle.reading.add(data.len());
    }

    fn connection_lost(&self, _: &Transport, _: &ConnectionLost) {
        self.leave();
    }
}

/// A connection that came to nothing.
impl Drop for Throttled {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttled").finish_non_exhaustive()
    }
}

/// The transport that the protocol is given.
struct Layer(Rc<Member>);

impl Backend for Layer {
    fn lower(&self) -> Option<&Transport> {
        Some(&self.0.lower)
    }

    fn write(&self, data: &[u8]) {
        self.0.throttle.writing.add(data.len());
        self.0.lower.write(data);
    }

    fn write_sequence(&self, parts: &[&[u8]]) {
        self.0.throttle.writing.add(parts.iter().map(|part| part.len()).sum());
        self.0.lower.backend().write_sequence(parts);
    }

    fn pause_producing(&self) {
        self.0.is_paused.set(true);
        self.0.lower.pause_producing();
    }

    fn resume_producing(&self) {
        self.0.is_paused.set(false);
        if !self.0.throttle.reading.is_throttled.get() {
            self.0.lower.resume_producing();
        }
    }

    fn is_paused(&self) -> bool {
        self.0.is_paused.get()
    }

    fn register_producer(&self, producer: Rc<dyn Producer>, streaming: bool) -> Result<(), AlreadyRegistered> {
        let is_throttled = self.0.throttle.writing.is_throttled.get();
        let throttled = ThrottledProducer::new(producer, streaming, is_throttled);
        self.0.lower.register_producer(throttled.clone(), streaming)?;
        *self.0.producer.borrow_mut() = Some(throttled);
        Ok(())
    }

    fn unregister_producer(&self) {
        self.forget();
        self.0.lower.unregister_producer();
    }

    fn stop_producer(&self) {
        self.0.lower.stop_producer();
        self.forget();
    }
}

impl Layer {
    fn forget(&self) {
        let former = self.0.producer.take();
        drop(former);
    }
}
