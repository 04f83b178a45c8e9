//! The current-thread flavor: one worker, which lies here between two `block_on`s.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

use super::{Handle, Within};
use crate::deferred::Beside;
use crate::executor::locals;
use crate::executor::park::{self, Parker};
use crate::executor::slot::Slot;
use crate::executor::worker::Worker;

pub(super) struct OneThread {
    /// Boxed: it is moved between threads, and large. `None` after shutdown.
    worker: Slot<Box<Worker>>,
}

impl OneThread {
    pub(super) fn new(worker: Worker) -> Self {
        Self { worker: Slot::new(Box::new(worker)) }
    }

    pub(super) fn block_on<F: Future>(
        &self,
        handle: &Handle,
        future: Within<'_, F>,
        called_at: &'static Location<'static>,
    ) -> F::Output {
        if let Some(worker) = self.worker.take() {
            return Driven { place: self, worker: Some(worker) }.drive(handle, future, called_at);
        }
        // Another thread drives. Until it leaves, only our own future runs here.
        let waiting = Waiting(self, Arc::new(Parker::default()));
        let entered = handle.enter();
        // From here on the future goes before the guard.
        let mut future = Beside::new(future);
        future.without_worker(handle);
        match park::block_on_unless(Pin::new(&mut future), &waiting.1, || self.worker.take_or_wait(&waiting.1)) {
            Ok(output) => output,
            Err(worker) => {
                // From here on the worker is put back whatever panics: leaving the runtime does if the future has entered others.
                let driven = Driven { place: self, worker: Some(worker) };
                drop(entered);
                driven.drive(handle, future, called_at)
            }
        }
    }

    /// How many timers are armed, while nobody drives.
    pub(super) fn timers(&self) -> usize {
        let driven = self.worker.take().map(|worker| Driven { place: self, worker: Some(worker) });
        driven.as_ref().and_then(|driven| driven.worker.as_ref()).map_or(0, |worker| worker.reactor().armed_timers())
    }

    pub(super) fn close(&self, handle: &Handle) {
        if let Some(worker) = self.worker.take() {
            locals::close(handle.shared());
            worker.close();
        }
    }
}

/// A worker in use: back in its slot when the use is over, also by unwinding.
struct Driven<'a> {
    place: &'a OneThread,
    worker: Option<Box<Worker>>,
}

impl Driven<'_> {
    fn drive<F: Future>(&self, handle: &Handle, future: F, called_at: &'static Location<'static>) -> F::Output {
        let worker = self.worker.as_ref().expect("there until it drops");
        locals::with(handle.shared(), worker.reactor().handle(), |locals| worker.block_on(locals, future, called_at))
    }
}

impl Drop for Driven<'_> {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.place.worker.put(worker);
        }
    }
}

/// Somebody who waits for the worker: not any more when this is dropped.
struct Waiting<'a>(&'a OneThread, Arc<Parker>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.worker.forget(&self.1);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::future::poll_fn;
    use std::mem;
    use std::sync::Mutex;
    use std::task::{Poll, Waker};

    use super::*;
    use crate::runtime::Builder;
    use crate::runtime::Flavor;

    /// The thread that takes over panics just then, because its future has left a runtime entered.
    #[test]
    fn worker_survives_a_panic_at_the_hand_over() {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let task = runtime.spawn(std::future::ready(7));
        // Whether the second thread waits, and the first one's waker.
        let waits = Mutex::new((false, None::<Waker>));
        std::thread::scope(|scope| {
            // Starts to wait before the driver lets go: the driver waits for it.
            let Flavor::CurrentThread(place) = &runtime.flavor else { panic!("another flavor") };
            let worker = place.worker.take().expect("nobody drives");
            let second = scope.spawn(|| {
                runtime.block_on(poll_fn(|_| {
                    mem::forget(runtime.enter());
                    let mut waits = waits.lock().unwrap();
                    waits.0 = true;
                    if let Some(waker) = waits.1.take() {
                        waker.wake();
                    }
                    Poll::<()>::Pending
                }))
            });
            park::block_on(poll_fn(|cx| {
                let mut waits = waits.lock().unwrap();
                waits.1 = Some(cx.waker().clone());
                if waits.0 { Poll::Ready(()) } else { Poll::Pending }
            }));
            place.worker.put(worker);
            assert!(second.join().is_err());
        });
        assert_eq!(runtime.block_on(task).unwrap(), 7);
    }
}
