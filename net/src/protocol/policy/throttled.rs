//! Between a protocol and its transport, where a [`ThrottlingFactory`](super::ThrottlingFactory) pauses one or the other.

use super::throttling::Member;
use crate::protocol::{AlreadyRegistered, Backend, Producer, Transport};
use std::cell::Cell;
use std::rc::Rc;

/// The transport that the protocol is given.
pub(super) struct Layer(pub(super) Rc<Member>);

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
        let throttled = Rc::new(ThrottledProducer {
            producer,
            is_streaming: streaming,
            is_throttled: Cell::new(self.0.throttle.writing.is_throttled.get()),
            is_paused: Cell::new(false),
            is_due: Cell::new(false),
        });
        if throttled.is_throttled.get() && streaming {
            throttled.producer.pause_producing();
        }
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
