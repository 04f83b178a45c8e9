//! A producer that a throttle holds back.

use crate::protocol::Producer;
use std::cell::Cell;
use std::rc::Rc;

/// A producer that goes on when neither the transport nor the throttle is against it.
pub(super) struct ThrottledProducer {
    producer: Rc<dyn Producer>,
    is_streaming: bool,
    is_throttled: Cell<bool>,
    /// By the transport.
    is_paused: Cell<bool>,
    /// A pull producer is to write a piece when the throttle opens.
    is_due: Cell<bool>,
}

impl ThrottledProducer {
    /// Holds back `producer` at once, if the throttle is closed.
    pub(super) fn new(producer: Rc<dyn Producer>, is_streaming: bool, is_throttled: bool) -> Rc<Self> {
        if is_throttled && is_streaming {
            producer.pause_producing();
        }
        Rc::new(Self {
            producer,
            is_streaming,
            is_throttled: Cell::new(is_throttled),
            is_paused: Cell::new(false),
            is_due: Cell::new(false),
        })
    }

    pub(super) fn set_throttled(&self, yes: bool) {
        if self.is_throttled.replace(yes) == yes {
            return;
        }
        if self.is_streaming {
            match (yes, self.is_paused.get()) {
                (_, true) => {}
                (true, false) => self.producer.pause_producing(),
                (false, false) => self.producer.resume_producing(),
            }
        } else if !yes && self.is_due.take() {
            self.producer.resume_producing();
        }
    }
}

impl Producer for ThrottledProducer {
    fn resume_producing(&self) {
        self.is_paused.set(false);
        match (self.is_throttled.get(), self.is_streaming) {
            (false, _) => self.producer.resume_producing(),
            (true, true) => {}
            (true, false) => self.is_due.set(true),
        }
    }

    fn pause_producing(&self) {
        if !self.is_paused.replace(true) && !self.is_throttled.get() {
            self.producer.pause_producing();
        }
    }

    fn stop_producing(&self) {
        self.producer.stop_producing();
    }
}
