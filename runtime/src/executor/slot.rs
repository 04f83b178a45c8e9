//! Where the worker of a current-thread runtime lies between two `block_on`s. Several threads may block at once: one drives the
//! worker, the others poll their own futures and take over when it is put back.

use std::sync::Arc;

use super::park::Parker;
use crate::primitives::Mutex;

/// The place for one `T`, and who waits for it.
pub(crate) struct Slot<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Option<T>,
    waiting: Vec<Arc<Parker>>,
}

impl<T> Slot<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { state: Mutex::new(State { value: Some(value), waiting: Vec::new() }) }
    }

    /// Takes the value, or leaves `parker`, which is unparked when the value is put back.
    pub(crate) fn take_or_wait(&self, parker: &Arc<Parker>) -> Option<T> {
        let mut state = self.state.lock();
        let value = state.value.take();
        if value.is_none() && !state.waiting.iter().any(|waiting| Arc::ptr_eq(waiting, parker)) {
            state.waiting.push(Arc::clone(parker));
        }
        value
    }

    /// Takes the value, if it is there.
    pub(crate) fn take(&self) -> Option<T> {
        self.state.lock().value.take()
    }

    /// Puts the value back and unparks everybody who waits: whoever comes first takes it, and one that has no use for it any
    /// more cannot keep it from the others.
    pub(crate) fn put(&self, value: T) {
        let waiting = {
            let mut state = self.state.lock();
            state.value = Some(value);
            std::mem::take(&mut state.waiting)
        };
        waiting.iter().for_each(|parker| parker.unpark());
    }

    /// Stops waiting.
    pub(crate) fn forget(&self, parker: &Arc<Parker>) {
        self.state.lock().waiting.retain(|waiting| !Arc::ptr_eq(waiting, parker));
    }
}
