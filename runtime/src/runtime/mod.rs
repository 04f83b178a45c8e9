//! Runtimes that one makes, keeps and drops: [`Builder`], [`Runtime`], [`Handle`].
//!
//! `#[rt::main]` and [`rt::block_on`](crate::block_on) make one where that is all one wants.

mod builder;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

pub use self::builder::Builder;
pub use crate::handle::{EnterGuard, Handle, TryCurrentError};

use crate::context;
use crate::executor::park::{self, Parker};
use crate::executor::seat;
use crate::executor::slot::Slot;
use crate::executor::worker::Worker;
use crate::task::JoinHandle;

/// An executor, a reactor, timers and a pool for blocking calls.
///
/// This is the current-thread flavor: tasks run on the thread that is in [`block_on`](Self::block_on), and nothing runs while
/// none is. When several threads block at once, one of them drives the runtime, and another takes over when it leaves.
///
/// Dropping the runtime drops every task's future, on the thread that drops it (the ones of [`spawn_local`](crate::spawn_local)
/// on their own threads), and cancels the blocking calls that have not started. Those that have are not waited for.
///
/// Counterpart: `tokio::runtime::Runtime`; Twisted's reactor, except that one can have several, one after another or side by
/// side.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let runtime = rt::runtime::Builder::new_current_thread().build()?;
/// let task = runtime.spawn(async { "later" });
/// assert_eq!(runtime.block_on(task).unwrap(), "later");
/// # Ok(()) }
/// ```
pub struct Runtime {
    handle: Handle,
    /// Boxed: it is moved between threads, and large. `None` after shutdown.
    worker: Slot<Box<Worker>>,
}

impl Runtime {
    pub(crate) fn from_worker(worker: Worker) -> Self {
        Self { handle: Handle::from_shared(Arc::clone(worker.shared())), worker: Slot::new(Box::new(worker)) }
    }

    /// Runs `future` on this thread, and every task besides, until it is ready. Tasks that are not finished by then go on in the
    /// next call.
    ///
    /// # Panics
    ///
    /// If this thread drives a runtime already, and if `future` panics. The runtime can be used afterwards.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        assert!(!context::is_driving(), "{}", context::NESTED);
        let called_at = Location::caller();
        let future = Within(pin!(Some(future)));
        if let Some(worker) = self.worker.take() {
            return Driven { runtime: self, worker: Some(worker) }.drive(future, called_at);
        }
        // Another thread drives. Until it leaves, only our own future runs here.
        let waiting = Waiting(self, Arc::new(Parker::default()));
        let entered = self.enter();
        // From here on the future goes before the guard.
        let mut future = future;
        match park::block_on_unless(Pin::new(&mut future), &waiting.1, || self.worker.take_or_wait(&waiting.1)) {
            Ok(output) => output,
            Err(worker) => {
                // From here on the worker is put back whatever panics: leaving the runtime does if the future has entered others.
                let driven = Driven { runtime: self, worker: Some(worker) };
                drop(entered);
                driven.drive(future, called_at)
            }
        }
    }

    /// Spawns `future` onto the runtime; it runs while some thread is in [`block_on`](Self::block_on).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// Runs `f`, which may block, on a thread of the runtime's pool. See [`spawn_blocking`](crate::spawn_blocking).
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle.spawn_blocking(f)
    }

    /// The runtime's handle.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Enters the runtime without running anything. See [`Handle::enter`].
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Shuts down and waits until no blocking call runs any more, for at most `timeout`.
    ///
    /// Tasks are dropped at once, whatever `timeout` is.
    pub fn shutdown_timeout(self, timeout: Duration) {
        self.shut_down();
        self.handle.shared().blocking().shutdown_timeout(timeout);
    }

    /// Shuts down without waiting for blocking calls: what dropping the runtime does, under a name that says so.
    pub fn shutdown_background(self) {
        drop(self);
    }

    fn shut_down(&self) {
        self.handle.shared().set_shut_down();
        if let Some(worker) = self.worker.take() {
            seat::close(self.handle.shared());
            worker.close();
        }
        self.handle.shared().blocking().shutdown();
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

/// A future that is dropped by who polls it, within the runtime, and not by the caller of `block_on`.
struct Within<'a, F>(Pin<&'a mut Option<F>>);

impl<F: Future> Future for Within<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.0.as_mut().as_pin_mut().expect("it is there until this is dropped").poll(cx)
    }
}

impl<F> Drop for Within<'_, F> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

/// A worker in use: back in its slot when the use is over, also by unwinding.
struct Driven<'a> {
    runtime: &'a Runtime,
    worker: Option<Box<Worker>>,
}

impl Driven<'_> {
    fn drive<F: Future>(&self, future: F, called_at: &'static Location<'static>) -> F::Output {
        let worker = self.worker.as_ref().expect("there until it drops");
        seat::with(self.runtime.handle.shared(), |seat| worker.block_on(seat, future, called_at))
    }
}

impl Drop for Driven<'_> {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.runtime.worker.put(worker);
        }
    }
}

/// Somebody who waits for the worker: not any more when this is dropped.
struct Waiting<'a>(&'a Runtime, Arc<Parker>);

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

    /// The thread that takes over panics just then, because its future has left a runtime entered.
    #[test]
    fn worker_survives_a_panic_at_the_hand_over() {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let task = runtime.spawn(std::future::ready(7));
        // Whether the second thread waits, and the first one's waker.
        let waits = Mutex::new((false, None::<Waker>));
        std::thread::scope(|scope| {
            // Starts to wait before the driver lets go: the driver waits for it.
            let worker = runtime.worker.take().expect("nobody drives");
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
            runtime.worker.put(worker);
            assert!(second.join().is_err());
        });
        assert_eq!(runtime.block_on(task).unwrap(), 7);
    }
}
