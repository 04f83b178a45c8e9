//! A Deferred is a future.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::chain::{Chain, Consumer, Slot, Source};
use crate::coroutine;
use crate::{Cancelled, Deferred, Failure};

/// Waits for a [`Deferred`]: what `deferred.await` makes of it.
///
/// Its place in the order of callbacks is where the await was first polled. Inside an
/// [`ensure_deferred`](crate::ensure_deferred) the code after the await goes on within the call that fires.
///
/// # Cancel safety
///
/// Dropping it before the result is there cancels the Deferred.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, Failure, ensure_deferred, success_result_of};
///
/// let (first, second) = (Deferred::succeed("one"), Deferred::<&str>::fail("no second"));
/// let said = ensure_deferred(async {
///     let first = first.await?;
///     let second = second.await.unwrap_or("two");
///     Ok::<_, Failure>([first, second])
/// });
/// assert_eq!(success_result_of(said), ["one", "two"]);
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct DeferredFuture<T> {
    stage: Stage,
    _value: PhantomData<fn() -> T>,
}

enum Stage {
    Unpolled(Consumer),
    Waiting(Rc<Await>),
    Done,
}

/// What the future and the step that it has added have in common.
pub(crate) struct Await {
    source: Cell<Option<Source>>,
    created: &'static Location<'static>,
    slot: Cell<Slot>,
    waker: Cell<Option<Waker>>,
    over: Cell<bool>,
}

impl<T: 'static> IntoFuture for Deferred<T> {
    type Output = Result<T, Failure>;
    type IntoFuture = DeferredFuture<T>;

    fn into_future(self) -> DeferredFuture<T> {
        DeferredFuture { stage: Stage::Unpolled(self.into_consumer()), _value: PhantomData }
    }
}

impl<T: 'static> Deferred<T> {
    /// [Cancels](Self::cancel) it, and waits for what becomes of that: `deferred.cancel_and_wait().await`.
    ///
    /// A coroutine may have cleaning up to do when it is cancelled, and may wait for Deferreds of its own meanwhile; this
    /// is how to see the end of it. The result is [`Cancelled`], unless somebody has made something else of it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before the result is there cancels the Deferred once more.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Cancelled, Deferred, Failure, ensure_deferred, success_result_of};
    ///
    /// let (line, _resolver) = Deferred::<String>::new();
    /// let (closed, close) = Deferred::<()>::new();
    /// let session = ensure_deferred(async {
    ///     match line.await {
    ///         Err(failure) if failure.check::<Cancelled>() => closed.await, // says goodbye first
    ///         other => other.map(drop),
    ///     }
    /// });
    /// let ended = ensure_deferred(async { session.cancel_and_wait().await.map(|()| "ended cleanly") });
    /// close.callback(()).unwrap();
    /// assert_eq!(success_result_of(ended), "ended cleanly");
    /// ```
    #[track_caller]
    pub fn cancel_and_wait(self) -> DeferredFuture<T> {
        self.cancel();
        self.into_future()
    }
}

/// It holds no `T` in place.
impl<T> Unpin for DeferredFuture<T> {}

impl<T: 'static> Future for DeferredFuture<T> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let slot = match &self.stage {
            Stage::Unpolled(consumer) => {
                if let Some(value) = consumer.0.take_value() {
                    self.stage = Stage::Done;
                    return Poll::Ready(Ok(value));
                }
                match consumer.0.take_awaited() {
                    Some(slot) => slot,
                    None => {
                        let waiting = Await::begin(&consumer.0, cx);
                        let slot = waiting.slot.replace(Slot::Empty);
                        self.stage = Stage::Waiting(waiting);
                        slot
                    }
                }
            }
            Stage::Waiting(waiting) => waiting.poll(cx),
            Stage::Done => panic!("an await of a Deferred was polled after its end"),
        };
        let result = match slot {
            Slot::Ok(value) => Ok(value.take()),
            Slot::Err(failure) => Err(failure),
            _ => return Poll::Pending,
        };
        self.stage = Stage::Done;
        Poll::Ready(result)
    }
}

impl Await {
    fn begin(chain: &Rc<Chain>, cx: &Context<'_>) -> Rc<Self> {
        let this = Rc::new(Self {
            source: Cell::new(Some(Source::new(chain.clone()))),
            created: chain.created(),
            slot: Cell::new(Slot::Empty),
            waker: Cell::new(Some(cx.waker().clone())),
            over: Cell::new(false),
        });
        coroutine::note(&this);
        let arrival = Arrival(this.clone());
        chain.add(move |slot: &mut Slot| arrival.0.arrive(slot));
        this
    }

    /// The step.
    fn arrive(&self, slot: &mut Slot) {
        if self.over.replace(true) {
            // The future is gone, and cancelled this on its way.
            if let Slot::Err(failure) = slot
                && failure.check::<Cancelled>()
            {
                *slot = Slot::ok(());
            }
            return;
        }
        self.slot.set(slot.take());
        *slot = Slot::ok(());
        self.let_go();
        if let Some(waker) = self.waker.take() {
            coroutine::wake(waker);
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Slot {
        if !self.over.get() {
            let waker = match self.waker.take() {
                Some(waker) if waker.will_wake(cx.waker()) => waker,
                _ => cx.waker().clone(),
            };
            self.waker.set(Some(waker));
        }
        self.slot.replace(Slot::Empty)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.get()
    }

    pub(crate) fn cancel(&self, place: &'static Location<'static>) {
        if !self.over.get()
            && let Some(chain) = self.chain()
        {
            chain.cancel(place);
        }
    }

    /// Holds the chain weakly from now on: what nobody can fire must go, and let this step and the waker in it go.
    pub(crate) fn let_go(&self) {
        let mut source = self.source.take();
        if let Some(source) = &mut source {
            source.let_go();
        }
        self.source.set(source);
    }

    fn chain(&self) -> Option<Rc<Chain>> {
        let source = self.source.take();
        let chain = source.as_ref().and_then(Source::upgrade);
        self.source.set(source);
        chain
    }

    /// The future is dropped.
    fn give_up(&self) {
        if !self.over.replace(true) {
            drop(self.waker.take());
            if let Some(chain) = self.chain() {
                chain.cancel(self.created);
            }
            self.let_go();
        } else if let Slot::Err(failure) = self.slot.replace(Slot::Empty)
            && !failure.check::<Cancelled>()
        {
            // It had arrived and nobody has looked at it.
            drop(Consumer::of(Chain::fired(self.created, Slot::Err(failure))));
        }
    }
}

/// The step's reference. When it goes unused nobody will wake the waiting task, so the waker goes with it.
struct Arrival(Rc<Await>);

impl Drop for Arrival {
    fn drop(&mut self) {
        drop(self.0.waker.take());
    }
}

impl<T> Drop for DeferredFuture<T> {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Unpolled(consumer) => {
                let chain = &consumer.0;
                if !chain.state().has_result() {
                    // Nobody is left to handle what was meant.
                    chain.add(|slot: &mut Slot| {
                        if let Slot::Err(failure) = slot
                            && failure.check::<Cancelled>()
                        {
                            *slot = Slot::ok(());
                        }
                    });
                    chain.cancel(chain.created());
                }
            }
            Stage::Waiting(waiting) => waiting.give_up(),
            Stage::Done => {}
        }
    }
}

impl<T> fmt::Debug for DeferredFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeferredFuture")
    }
}
