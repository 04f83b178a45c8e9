//! Deferreds and other threads: work sent to one, answers sent back, and questions from one.
//!
//! A Deferred stays on its thread. What goes to another is a handle by which that one reaches back, through the runtime
//! that drives the Deferred's thread.
//!
//! Counterpart: `twisted.internet.threads`.

mod anchor;
mod handover;
mod send;
#[cfg(test)]
mod checks;

pub use send::{SendFuture, SendResolver};

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::chain::Slot;
use crate::home;
use crate::thread::{self, Thread};
use crate::unhandled::{self, Unhandled};
use crate::{Deferred, Failure, IntoOutcome, Reactor, maybe_deferred};

use handover::Handover;
use send::Delivery;

/// Calls a function on a thread for blocking work, and makes a Deferred of what it returns.
///
/// It may return all that a callback may, as long as it can be sent; a future among it runs on this thread, afterwards.
/// Within it, [`call_from_thread`] and [`block_on_from_thread`] know this thread as their reactor. Cancelling the
/// Deferred keeps a call from starting; one that has started goes on, and its result is dropped.
///
/// # Panics
///
/// On a thread that no runtime drives.
///
/// # Examples
///
/// ```
/// # fn main() { rt::block_on(async {
/// use rt::deferred::defer_to_thread;
///
/// let lines = defer_to_thread(|| std::fs::read_to_string("Cargo.toml"))
///     .add_callback(|text: String| text.lines().count());
/// assert!(lines.await.unwrap() > 3);
/// # }) }
/// ```
///
/// Counterpart: `twisted.internet.threads.deferToThread`.
#[track_caller]
pub fn defer_to_thread<T, K, R, F>(function: F) -> Deferred<T>
where
    T: 'static,
    K: 'static,
    R: IntoOutcome<T, K> + Send + 'static,
    F: FnOnce() -> R + Send + 'static,
{
    let home = home::current().expect(NO_REACTOR);
    let reactor = Reactor.handle();
    let place = Location::caller();
    let is_cancelled = Arc::new(AtomicBool::new(false));
    let cancelled = Arc::clone(&is_cancelled);
    let (deferred, resolver) = Deferred::with_canceller(move |_| cancelled.store(true, Ordering::Relaxed));
    let answer = SendResolver::new(resolver);
    home.call_in_thread(Box::new(move || {
        // Relaxed: it is a hint, and nothing comes with it.
        if is_cancelled.load(Ordering::Relaxed) {
            return;
        }
        let result = within(reactor, || catch_unwind(AssertUnwindSafe(function)));
        // If nothing runs there any more, nobody waits for it.
        let _ = answer.fire(result, move |resolver, result| {
            if resolver.is_called() {
                return Ok(());
            }
            resolver.chain().fire(result.map_or_else(Slot::panicked, |value| value.into_outcome().into_slot()), place)
        });
    }));
    deferred
}

/// Calls a function soon on the thread that has called [`defer_to_thread`], from within the function given there.
///
/// Calls of one thread are made in order. A panic is reported as an [unhandled](crate::unhandled) failure. To call from
/// any other thread, see [`ReactorHandle::call_from_thread`].
///
/// # Errors
///
/// The function, if nothing runs on that thread any more.
///
/// # Panics
///
/// Outside of a function given to `defer_to_thread`.
///
/// # Examples
///
/// ```
/// # fn main() { rt::block_on(async {
/// use rt::deferred::{call_from_thread, defer_to_thread};
///
/// let copied = defer_to_thread(|| {
///     for percent in [50, 100] {
///         // …, and then:
///         call_from_thread(move || println!("{percent} % done")).unwrap();
///     }
/// });
/// copied.await.unwrap();
/// # }) }
/// ```
///
/// Counterpart: `reactor.callFromThread`.
#[track_caller]
pub fn call_from_thread<F: FnOnce() + Send + 'static>(function: F) -> Result<(), HomeGone<F>> {
    caller().call_from_thread(function)
}

/// Calls a function on the thread that has called [`defer_to_thread`], from within the function given there, and blocks
/// until its outcome is there: it may return a Deferred or a future.
///
/// To do so from any other thread, see [`ReactorHandle::block_on_from_thread`].
///
/// # Errors
///
/// What it failed with; [`Abandoned`](crate::Abandoned) if nothing runs on that thread any more.
///
/// # Panics
///
/// Outside of a function given to `defer_to_thread`.
///
/// # Examples
///
/// ```
/// # fn main() { rt::block_on(async {
/// use rt::deferred::{Failure, block_on_from_thread, defer_to_thread};
/// use rt::time::{Duration, sleep};
///
/// let answer = defer_to_thread(|| {
///     let half = block_on_from_thread(|| async {
///         sleep(Duration::from_millis(1)).await; // on the runtime's thread, while this one waits
///         Ok::<u32, Failure>(21)
///     })?;
///     Ok::<u32, Failure>(half * 2)
/// });
/// assert_eq!(answer.await.unwrap(), 42);
/// # }) }
/// ```
///
/// Counterpart: `twisted.internet.threads.blockingCallFromThread`.
#[track_caller]
pub fn block_on_from_thread<T, K, R, F>(function: F) -> Result<T, Failure>
where
    T: Send + 'static,
    R: IntoOutcome<T, K>,
    F: FnOnce() -> R + Send + 'static,
{
    caller().block_on_from_thread(function)
}

/// The reactor of one thread, for other threads: what runs there, and the way to it.
///
/// # Examples
///
/// ```
/// # fn main() { rt::block_on(async {
/// use rt::deferred::{Deferred, Reactor};
///
/// let reactor = Reactor.handle();
/// let (deferred, resolver) = Deferred::new();
/// let resolver = resolver.into_send();
/// std::thread::spawn(move || {
///     let sum = reactor.block_on_from_thread(|| Deferred::succeed(1 + 2)).unwrap();
///     resolver.callback(sum).unwrap();
/// });
/// assert_eq!(deferred.await.unwrap(), 3);
/// # }) }
/// ```
///
/// Counterpart: `twisted.internet.reactor`, used from another thread.
#[derive(Clone)]
pub struct ReactorHandle {
    thread: Arc<Thread>,
}

impl Reactor {
    /// The reactor of this thread, for other threads.
    ///
    /// # Panics
    ///
    /// On a thread that no runtime drives.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() { rt::block_on(async {
    /// use rt::deferred::Reactor;
    ///
    /// let reactor = Reactor.handle();
    /// let word = rt::spawn_blocking(move || reactor.block_on_from_thread(|| "asked for over there").unwrap());
    /// assert_eq!(word.await.unwrap(), "asked for over there");
    /// # }) }
    /// ```
    #[track_caller]
    pub fn handle(self) -> ReactorHandle {
        assert!(thread::note_home(), "{NO_REACTOR}");
        ReactorHandle { thread: thread::this() }
    }
}

impl ReactorHandle {
    /// Calls a function soon, on the reactor's thread. Calls of one thread are made in order.
    ///
    /// Soon means: when the runtime that drove the thread last does so again, if none does now.
    ///
    /// On the reactor's own thread it is called soon, too, and not at once. A panic is reported as an
    /// [unhandled](crate::unhandled) failure.
    ///
    /// # Errors
    ///
    /// The function, if nothing runs on that thread any more. What was accepted while a runtime shuts down may be dropped
    /// with it.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() { rt::block_on(async {
    /// use rt::deferred::{Deferred, Reactor};
    ///
    /// let reactor = Reactor.handle();
    /// let (deferred, resolver) = Deferred::new();
    /// let resolver = resolver.into_send();
    /// std::thread::spawn(move || {
    ///     reactor.call_from_thread(|| println!("first, on the reactor's thread")).unwrap();
    ///     reactor.call_from_thread(move || resolver.callback("second").unwrap()).unwrap();
    /// });
    /// assert_eq!(deferred.await.unwrap(), "second");
    /// # }) }
    /// ```
    ///
    /// Counterpart: `reactor.callFromThread`.
    #[track_caller]
    pub fn call_from_thread<F: FnOnce() + Send + 'static>(&self, function: F) -> Result<(), HomeGone<F>> {
        let place = Location::caller();
        let there = Arc::new(Handover::new());
        // Nobody has taken it, nor closed it.
        let _ = there.put(function);
        let here = Arc::clone(&there);
        let call = move || {
            if let Some(function) = there.close()
                && let Err(payload) = catch_unwind(AssertUnwindSafe(function))
            {
                unhandled::report(Unhandled::of_call(Failure::from_panic(payload), place));
            }
        };
        match self.thread.post(Box::new(call)) {
            Ok(()) => Ok(()),
            Err(call) => {
                drop(call);
                here.close().map_or(Ok(()), |value| Err(HomeGone { value }))
            }
        }
    }

    /// Calls a function on the reactor's thread and blocks this one until its outcome is there.
    ///
    /// It may return all that a callback may: a Deferred or a future among it is waited for.
    ///
    /// # Errors
    ///
    /// What it failed with; [`Abandoned`](crate::Abandoned) if nothing runs on that thread any more.
    ///
    /// # Panics
    ///
    /// On the reactor's own thread, which would wait for itself.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() { rt::block_on(async {
    /// use rt::deferred::{Deferred, Reactor};
    ///
    /// let reactor = Reactor.handle();
    /// let worker = rt::spawn_blocking(move || {
    ///     let width = reactor.block_on_from_thread(|| Deferred::succeed(6))?;
    ///     let height = reactor.block_on_from_thread(|| async { 7 })?;
    ///     Ok::<u32, rt::deferred::Failure>(width * height)
    /// });
    /// assert_eq!(worker.await.unwrap().unwrap(), 42);
    /// # }) }
    /// ```
    ///
    /// Counterpart: `twisted.internet.threads.blockingCallFromThread`.
    #[track_caller]
    pub fn block_on_from_thread<T, K, R, F>(&self, function: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        R: IntoOutcome<T, K>,
        F: FnOnce() -> R + Send + 'static,
    {
        assert!(
            !self.thread.is_here(),
            "this is the reactor's own thread, which would wait for itself: call the function, and await what it returns",
        );
        let answer = Arc::new(Handover::new());
        let delivery = Delivery::new(Arc::clone(&answer));
        // A job that is not run drops the delivery, which answers for it.
        let _ = self.thread.post(Box::new(move || {
            drop(maybe_deferred(function).step::<()>(move |slot| delivery.arrive(slot)));
        }));
        park_until(|cx| answer.poll_take(cx))
    }
}

impl fmt::Debug for ReactorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReactorHandle").field("is_here", &self.thread.is_here()).finish()
    }
}

/// Nothing runs any more on the thread that was to be reached. Here is what it was to get.
///
/// # Examples
///
/// ```
/// use rt_deferred::Deferred;
///
/// let (deferred, resolver) = Deferred::new();
/// let resolver = resolver.into_send(); // no runtime drives this thread
/// let back = std::thread::spawn(move || resolver.callback("a letter").unwrap_err().value);
/// assert_eq!(back.join().unwrap(), "a letter");
/// # drop(deferred);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HomeGone<T> {
    /// What was not sent.
    pub value: T,
}

impl<T> fmt::Debug for HomeGone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HomeGone").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for HomeGone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the thread to be reached runs nothing any more: its runtime has been shut down, or it never had one",
        )
    }
}

impl<T> Error for HomeGone<T> {}

const NO_REACTOR: &str = "no runtime drives this thread, so other threads cannot reach it: call this in a task, or within \
                          `block_on` or `#[rt::main]`";

thread_local! {
    /// Who has deferred the function that runs here now.
    static CALLER: RefCell<Option<ReactorHandle>> = const { RefCell::new(None) };
}

/// Calls `f` for `reactor`, which is [`caller`] meanwhile.
fn within<R>(reactor: ReactorHandle, f: impl FnOnce() -> R) -> R {
    let former = CALLER.replace(Some(reactor));
    let result = f();
    drop(CALLER.replace(former));
    result
}

#[track_caller]
fn caller() -> ReactorHandle {
    CALLER.with_borrow(Clone::clone).expect(
        "this thread runs no function given to `defer_to_thread`: make a `Reactor.handle()` on the reactor's thread, and \
         use its method of the same name",
    )
}

/// Blocks this thread.
fn park_until<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
