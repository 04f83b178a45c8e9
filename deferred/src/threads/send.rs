//! The two ends of a Deferred, for other threads.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::HomeGone;
use super::anchor::{Anchor, Unreachable};
use super::handover::Handover;
use crate::chain::{Chain, Consumer, Slot, Source};
use crate::deferred::Fired;
use crate::{Abandoned, Cancelled, Deferred, Failure, Resolver};

impl<T: Send + 'static> Resolver<T> {
    /// A handle that fires the Deferred from any thread.
    ///
    /// Its callbacks run where they always do: on the Deferred's own thread. From there it fires at once; from another
    /// thread it asks the runtime that drives that thread to fire it soon.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() { rt::block_on(async {
    /// use rt::deferred::Deferred;
    ///
    /// let (deferred, resolver) = Deferred::new();
    /// let resolver = resolver.into_send();
    /// std::thread::spawn(move || resolver.callback("from over there"));
    /// assert_eq!(deferred.await.unwrap(), "from over there");
    /// # }) }
    /// ```
    pub fn into_send(self) -> SendResolver<T> {
        SendResolver::new(self)
    }
}

/// Fires a [`Deferred`] from any thread: once, with a value or a failure. See [`Resolver::into_send`].
///
/// When it is dropped unfired, the Deferred fails with [`Abandoned`]. If the Deferred has been fired otherwise, because
/// it was cancelled or has timed out, firing it does nothing.
///
/// # Examples
///
/// ```
/// # fn main() { rt::block_on(async {
/// use rt::deferred::{Abandoned, Deferred, SendResolver};
///
/// fn measure(done: SendResolver<f32>) {
///     std::thread::spawn(move || drop(done)); // the sensor is not there
/// }
///
/// let (celsius, resolver) = Deferred::new();
/// measure(resolver.into_send());
/// assert!(celsius.await.unwrap_err().check::<Abandoned>());
/// # }) }
/// ```
///
/// Counterpart: `reactor.callFromThread(deferred.callback, value)`.
#[must_use = "dropping it abandons the Deferred"]
pub struct SendResolver<T> {
    anchor: Anchor,
    _value: PhantomData<fn(T)>,
}

impl<T: Send + 'static> SendResolver<T> {
    /// Fires it with a value, soon.
    ///
    /// # Errors
    ///
    /// The value, if nothing runs on the thread of the Deferred any more. What was accepted while a runtime shuts down
    /// may be dropped with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, success_result_of};
    ///
    /// let (deferred, resolver) = Deferred::new();
    /// resolver.into_send().callback(1).unwrap(); // at once, as this is its own thread
    /// assert_eq!(success_result_of(deferred), 1);
    /// ```
    #[track_caller]
    pub fn callback(self, value: T) -> Result<(), HomeGone<T>> {
        let place = Location::caller();
        self.fire(value, move |resolver, value| resolver.resolve_at(Ok(value), place))
    }

    /// Fires it with a failure, soon.
    ///
    /// # Errors
    ///
    /// The failure, if nothing runs on the thread of the Deferred any more.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() { rt::block_on(async {
    /// use rt::deferred::Deferred;
    ///
    /// let (celsius, resolver) = Deferred::<f32>::new();
    /// let resolver = resolver.into_send();
    /// std::thread::spawn(move || resolver.errback("no sensor").unwrap());
    /// assert_eq!(celsius.await.unwrap_err().to_string(), "no sensor");
    /// # }) }
    /// ```
    #[track_caller]
    pub fn errback(self, failure: impl Into<Failure>) -> Result<(), HomeGone<Failure>> {
        let place = Location::caller();
        self.fire(failure.into(), move |resolver, failure| resolver.resolve_at(Err(failure), place))
    }

    /// Fires it with what a `Result` holds, soon.
    ///
    /// # Errors
    ///
    /// The result, if nothing runs on the thread of the Deferred any more.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() { rt::block_on(async {
    /// use rt::deferred::{Deferred, Failure};
    ///
    /// let (port, resolver) = Deferred::<u16>::new();
    /// let resolver = resolver.into_send();
    /// std::thread::spawn(move || resolver.resolve("8080".parse().map_err(Failure::from)).unwrap());
    /// assert_eq!(port.await.unwrap(), 8080);
    /// # }) }
    /// ```
    #[track_caller]
    pub fn resolve(self, result: Result<T, Failure>) -> Result<(), HomeGone<Result<T, Failure>>> {
        let place = Location::caller();
        self.fire(result, move |resolver, result| resolver.resolve_at(result, place))
    }
}

impl<T: 'static> SendResolver<T> {
    pub(super) fn new(resolver: Resolver<T>) -> Self {
        Self { anchor: Anchor::new(Rc::new(resolver)), _value: PhantomData }
    }

    /// Sends `value` over, for `fire` to do something with it there.
    pub(super) fn fire<V: Send + 'static>(
        self,
        value: V,
        fire: impl FnOnce(&Resolver<T>, V) -> Fired + Send + 'static,
    ) -> Result<(), HomeGone<V>> {
        let there = Arc::new(Handover::new());
        // Nobody has taken it, nor closed it.
        let _ = there.put(value);
        let here = Arc::clone(&there);
        let sent = self.anchor.reach(move |resolver: &Resolver<T>| {
            if let Some(value) = there.close() {
                // If it has been fired otherwise, nobody waits for this.
                let _ = fire(resolver, value);
            }
        });
        match sent {
            Ok(()) => Ok(()),
            Err(Unreachable) => here.close().map_or(Ok(()), |value| Err(HomeGone { value })),
        }
    }
}

impl<T> fmt::Debug for SendResolver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendResolver")
    }
}

impl<T: Send + 'static> Deferred<T> {
    /// A future of its result that any thread may poll, and any task may await.
    ///
    /// The callbacks that the Deferred has stay on its own thread, where it must be fired as always.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before the result is there cancels the Deferred, soon, on its own thread.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() { rt::block_on(async {
    /// use rt::deferred::Deferred;
    ///
    /// let (deferred, resolver) = Deferred::new();
    /// let length = deferred.add_callback(|text: String| text.len()).into_send_future();
    /// let task = rt::spawn(async move { length.await.unwrap() + 1 }); // on any worker
    /// resolver.callback("four".to_owned()).unwrap();
    /// assert_eq!(task.await.unwrap(), 5);
    /// # }) }
    /// ```
    pub fn into_send_future(self) -> SendFuture<T> {
        let chain = Rc::clone(self.chain());
        let created = chain.created();
        let held = Rc::new(Held(Cell::new(Some(Source::new(Rc::clone(&chain))))));
        let weak = Rc::downgrade(&held);
        let anchor = Anchor::new(held);
        let handover = Arc::new(Handover::new());
        let delivery = Delivery::new(Arc::clone(&handover));
        chain.add(move |slot: &mut Slot| {
            delivery.arrive(slot);
            if let Some(held) = weak.upgrade() {
                drop(held.0.take());
            }
        });
        // Last: the chain is held by then, and a failure that it has already has been taken.
        drop(self);
        SendFuture { handover, anchor: Some(anchor), created }
    }
}

/// What holds a chain for another thread, until it has delivered.
struct Held(Cell<Option<Source>>);

/// What brings a result over. Dropped without one, it brings [`Abandoned`].
pub(super) struct Delivery<T>(Option<Arc<Handover<Result<T, Failure>>>>);

impl<T: 'static> Delivery<T> {
    pub(super) fn new(to: Arc<Handover<Result<T, Failure>>>) -> Self {
        Self(Some(to))
    }

    /// The step of a chain.
    pub(super) fn arrive(mut self, slot: &mut Slot) {
        let Some(result) = slot.take_result() else { return };
        *slot = match self.0.take().map(|to| to.put(result)) {
            // Nobody is left there who could handle it.
            Some(Err(Err(failure))) if !failure.check::<Cancelled>() => Slot::Err(failure),
            _ => Slot::ok(()),
        };
    }
}

impl<T> Drop for Delivery<T> {
    fn drop(&mut self) {
        if let Some(to) = self.0.take() {
            let _ = to.put(Err(Failure::new(Abandoned)));
        }
    }
}

/// Waits for a [`Deferred`] of another thread: what [`Deferred::into_send_future`] makes of it.
///
/// # Cancel safety
///
/// Dropping it before the result is there cancels the Deferred, soon, on its own thread.
///
/// # Examples
///
/// ```
/// # fn main() { rt::block_on(async {
/// use rt::deferred::{Deferred, SendFuture};
///
/// let word: SendFuture<&str> = Deferred::succeed("carried over").into_send_future();
/// let there = std::thread::spawn(move || rt::block_on(word).unwrap());
/// assert_eq!(there.join().unwrap(), "carried over");
/// # }) }
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct SendFuture<T> {
    handover: Arc<Handover<Result<T, Failure>>>,
    /// `None` after the result.
    anchor: Option<Anchor>,
    created: &'static Location<'static>,
}

impl<T> Future for SendFuture<T> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = std::task::ready!(self.handover.poll_take(cx));
        self.anchor = None;
        Poll::Ready(result)
    }
}

impl<T> Drop for SendFuture<T> {
    fn drop(&mut self) {
        let Some(anchor) = self.anchor.take() else { return };
        match self.handover.close() {
            // It was there and nobody has looked at it.
            Some(Err(failure)) if !failure.check::<Cancelled>() => {
                drop(Consumer::of(Chain::fired(self.created, Slot::Err(failure))));
            }
            Some(_) => {}
            None => {
                let created = self.created;
                let cancel = move |held: &Held| {
                    let source = held.0.take();
                    if let Some(chain) = source.as_ref().and_then(Source::upgrade) {
                        chain.cancel(created);
                    }
                };
                anchor.reach_some_time(cancel);
            }
        }
    }
}

impl<T> fmt::Debug for SendFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendFuture")
    }
}
