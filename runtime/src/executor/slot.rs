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

#[cfg(test)]
mod checks {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::{Poll, Waker};

    use super::*;
    use crate::executor::park::block_on_unless;
    use crate::models::explore;
    use crate::primitives::thread;

    /// What `Runtime::block_on` does while another thread drives: takes over, or ends because `future` is ready.
    fn wait(slot: &Slot<u32>, future: impl Future<Output = ()>) -> Option<u32> {
        let parker = Arc::new(Parker::default());
        let result = block_on_unless(pin!(future), &parker, || slot.take_or_wait(&parker));
        slot.forget(&parker);
        result.err()
    }

    /// Two threads wait for the value, one after the other gets it. Broken once each: `take_or_wait` that looks under one lock
    /// and leaves the parker under another (nobody unparks it), an unpark that is not kept (it comes before the park).
    #[test]
    fn two_threads_wait_and_both_get_their_turn() {
        explore(|| {
            let slot = Arc::new(Slot::new(0));
            let value = slot.take().expect("it is there");
            let threads = [(); 2].map(|()| {
                let slot = Arc::clone(&slot);
                thread::spawn(move || {
                    let value = wait(&slot, std::future::pending()).expect("it never ends by itself");
                    slot.put(value + 1);
                })
            });
            slot.put(value + 1);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(slot.take(), Some(3));
        });
    }

    /// One of two threads that wait has no use for the value, because its own future is ready just then. Broken once: `put` that
    /// unparks only one (the other waits for ever).
    #[test]
    fn one_that_is_ready_by_itself_does_not_keep_the_value_from_the_other() {
        explore(|| {
            let slot = Arc::new(Slot::new(0));
            let value = slot.take().expect("it is there");
            // Whether the future is ready, and who wants to know.
            let ready = Arc::new(Mutex::new((false, None::<Waker>)));
            let first = thread::spawn({
                let (slot, ready) = (Arc::clone(&slot), Arc::clone(&ready));
                move || {
                    let future = poll_fn(|cx| {
                        let mut ready = ready.lock();
                        ready.1 = Some(cx.waker().clone());
                        if ready.0 { Poll::Ready(()) } else { Poll::Pending }
                    });
                    if let Some(value) = wait(&slot, future) {
                        slot.put(value);
                    }
                }
            });
            let second = thread::spawn({
                let slot = Arc::clone(&slot);
                move || slot.put(wait(&slot, std::future::pending()).expect("it never ends by itself"))
            });
            let waker = {
                let mut ready = ready.lock();
                ready.0 = true;
                ready.1.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
            slot.put(value);
            first.join().unwrap();
            second.join().unwrap();
        });
    }
}
