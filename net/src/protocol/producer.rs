//! Who produces bytes at the pace of who consumes them.

use std::error::Error;
use std::fmt;
use std::rc::Rc;

/// Who produces for a [`Transport`](crate::protocol::Transport), at its pace; registered by
/// [`register_producer`](crate::protocol::Transport::register_producer).
///
/// A *push* producer (registered as streaming) writes of its own accord, is told to pause when the transport holds more than its
/// buffer size, and to resume when all of it is sent. A *pull* producer writes one piece each time it is told to resume.
///
/// The methods are called from within calls of the transport, also of one that this producer makes: they take `&self`, and must not
/// hold a borrow of a `RefCell` while they write.
///
/// Counterpart: `IPushProducer` and `IPullProducer`.
pub trait Producer {
    /// Produce: a push producer goes on, a pull producer writes one piece.
    fn resume_producing(&self);

    /// Write no more until told to resume. A pull producer is never told.
    fn pause_producing(&self) {}

    /// The transport is gone: produce no more, ever.
    fn stop_producing(&self);
}

impl<P: Producer + ?Sized> Producer for Rc<P> {
    fn resume_producing(&self) {
        (**self).resume_producing();
    }

    fn pause_producing(&self) {
        (**self).pause_producing();
    }

    fn stop_producing(&self) {
        (**self).stop_producing();
    }
}

/// Who takes what a [`Producer`] writes.
///
/// Counterpart: `IConsumer`.
pub trait Consumer {
    /// Takes `data`.
    fn write(&self, data: &[u8]);

    /// Registers who writes; see [`Transport::register_producer`](crate::protocol::Transport::register_producer).
    ///
    /// # Errors
    ///
    /// There is one already.
    fn register_producer(&self, producer: Rc<dyn Producer>, streaming: bool) -> Result<(), AlreadyRegistered>;

    /// The producer has written its last.
    fn unregister_producer(&self);
}

impl<C: Consumer + ?Sized> Consumer for Rc<C> {
    fn write(&self, data: &[u8]) {
        (**self).write(data);
    }

    fn register_producer(&self, producer: Rc<dyn Producer>, streaming: bool) -> Result<(), AlreadyRegistered> {
        (**self).register_producer(producer, streaming)
    }

    fn unregister_producer(&self) {
        (**self).unregister_producer();
    }
}

/// A producer is registered already; the transport has one at a time.
///
/// Counterpart: the `RuntimeError` of `registerProducer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyRegistered;

impl fmt::Display for AlreadyRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a producer is registered with this transport already; unregister it first")
    }
}

impl Error for AlreadyRegistered {}
