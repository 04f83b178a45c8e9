//! A future driven synchronously by the Deferreds that it awaits.
//!
//! The step that an await adds to a chain wakes its waker inside an open *scope* of this thread. A coroutine whose wake
//! lands in the scope (through whatever `join!` or `select!` stands between) is polled right after it closes: inside the
//! firing call, in the await's place in the order, and not under anyone's lock. A wake from elsewhere goes to the
//! [home](crate::home).
//!
//! # Who owns what
//!
//! - The future is in a table of this thread; its waker is a key into it, which may go to any thread.
//! - When the last waker is gone nobody can wake it: it leaves the table.
//! - `target` is the chain that the end of the coroutine fires: that of its Deferred, or what that waits for since it was
//!   cancelled.

mod waker;

pub(crate) use waker::wake;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use crate::chain::{Canceller, Chain, Slot};
use crate::future::Await;
use crate::home::NoHome;
use crate::table::{self, Key, Table};
use crate::thread;
use crate::{Abandoned, Cancelled, Deferred, Failure, IntoOutcome, kind};

use waker::CoroutineWaker;

/// Starts a future now and returns a [`Deferred`] of what it returns.
///
/// It runs until it awaits something that is not there, and goes on inside the very call that fires the Deferred it
/// awaits, in that await's place in the order of callbacks. So it behaves as callbacks do, and needs no executor as long
/// as it awaits Deferreds. If it awaits something else, or gives way by waking itself, whoever wakes it hands it to the
/// [home](crate::home) of its thread. Without one the Deferred fails with [`NoHome`], unless it woke itself while it ran:
/// then it goes on at once. If its home is gone by then, it goes on in the next one that its thread has.
///
/// Cancelling its Deferred cancels the one it awaits, so that the await returns the failure [`Cancelled`]; it may handle
/// that and go on. If it awaits no Deferred, it is dropped. A panic becomes a failure. If nobody keeps its waker while it
/// waits, it can never go on, and the failure is [`Abandoned`].
///
/// A Deferred given instead of a future is handed back.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, Failure, ensure_deferred, success_result_of};
///
/// let (name, resolver) = Deferred::new();
/// let greeting = ensure_deferred(async move {
///     let name: String = name.await?;
///     Ok::<_, Failure>(format!("Hello, {name}"))
/// });
/// resolver.callback("you".to_owned()).unwrap();
/// assert_eq!(success_result_of(greeting), "Hello, you");
/// ```
///
/// Counterpart: `twisted.internet.defer.ensureDeferred`.
#[track_caller]
pub fn ensure_deferred<T: 'static, K>(future: impl IntoDeferred<T, K>) -> Deferred<T> {
    future.into_deferred()
}

/// What [`ensure_deferred`] takes: a future, or a [`Deferred`] as it is.
///
/// `Kind` only tells the cases apart; the compiler finds it.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, IntoDeferred, ensure_deferred, success_result_of};
///
/// fn doubled<K>(n: impl IntoDeferred<u32, K>) -> Deferred<u32> {
///     ensure_deferred(n).add_callback(|n| n * 2)
/// }
///
/// assert_eq!(success_result_of(doubled(async { 1 })), 2);
/// assert_eq!(success_result_of(doubled(Deferred::succeed(2))), 4);
/// ```
pub trait IntoDeferred<T, Kind> {
    /// Makes it a Deferred; a future starts to run here.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, IntoDeferred, success_result_of};
    ///
    /// let sum: Deferred<u32> = async { 1 + 2 }.into_deferred();
    /// assert_eq!(success_result_of(sum), 3);
    /// ```
    fn into_deferred(self) -> Deferred<T>;
}

impl<T> IntoDeferred<T, kind::Chained> for Deferred<T> {
    fn into_deferred(self) -> Deferred<T> {
        self
    }
}

impl<T: 'static, K: 'static, F> IntoDeferred<T, kind::Awaited<K>> for F
where
    F: Future + 'static,
    F::Output: IntoOutcome<T, K>,
{
    #[track_caller]
    fn into_deferred(self) -> Deferred<T> {
        start(self)
    }
}

impl<T: 'static> Deferred<T> {
    /// A Deferred of what a future returns, which starts now. See [`ensure_deferred`].
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, success_result_of};
    ///
    /// assert_eq!(success_result_of(Deferred::from_future(async { 4 })), 4);
    /// ```
    ///
    /// Counterpart: `Deferred.fromFuture`, `Deferred.fromCoroutine`.
    #[track_caller]
    pub fn from_future<F, K: 'static>(future: F) -> Deferred<T>
    where
        F: Future + 'static,
        F::Output: IntoOutcome<T, K>,
    {
        start(future)
    }
}

#[track_caller]
pub(crate) fn start<T: 'static, K: 'static, F>(future: F) -> Deferred<T>
where
    F: Future + 'static,
    F::Output: IntoOutcome<T, K>,
{
    let place = Location::caller();
    let mut body = Box::pin(Body { future, into_slot: |output: F::Output| output.into_outcome().into_slot() });
    let blank = Blank::take();
    match blank.coroutine.begin(body.as_mut(), &blank.handle) {
        // Nobody has seen the coroutine yet.
        Some(slot) => {
            let slot = dispose(body, slot);
            blank.put_back();
            match slot {
                Slot::Returned(_) => {
                    let chain = Chain::new(place);
                    let _ = chain.fire(slot, place);
                    Deferred::of(chain)
                }
                slot => Deferred::of(Chain::fired(place, slot)),
            }
        }
        None => {
            let coroutine = &blank.coroutine;
            let chain = Chain::new(place);
            let deferred = Deferred::of(chain.clone());
            chain.set_canceller(Box::new(Throw(Rc::downgrade(coroutine))));
            let former = coroutine.target.replace(Some(chain));
            debug_assert!(former.is_none(), "it begins once");
            coroutine.body.set(Some(body));
            deferred
        }
    }
}

/// A coroutine that has not begun, with its place in the table. The last one is kept for the next: most coroutines
/// whose Deferreds are all there end in their first poll.
struct Blank {
    coroutine: Rc<Coroutine>,
    waker: Arc<CoroutineWaker>,
    /// The same, as futures want it.
    handle: Waker,
}

impl Blank {
    fn take() -> Box<Self> {
        SPARE.try_with(Cell::take).ok().flatten().unwrap_or_else(|| {
            let coroutine = Rc::new(Coroutine {
                body: Cell::new(None),
                target: RefCell::new(None),
                awaits: RefCell::new(Vec::new()),
                has_landed: Cell::new(false),
                is_woken: Cell::new(false),
                is_cancelled: Cell::new(None),
                is_let_go: Cell::new(false),
            });
            let waker = CoroutineWaker::new(table::insert(&TABLE, coroutine.clone()));
            Box::new(Self { coroutine, handle: Waker::from(Arc::clone(&waker)), waker })
        })
    }

    /// After its end. If somebody has kept the waker it is of no use any more.
    fn put_back(self: Box<Self>) {
        // Who has none cannot clone one: two is what there is here.
        if Arc::strong_count(&self.waker) > 2 {
            drop(remove(self.waker.key()));
            return;
        }
        self.coroutine.is_woken.set(false);
        {
            let mut awaits = self.coroutine.awaits.borrow_mut();
            awaits.clear();
            // What one with many at once needed is not kept.
            awaits.shrink_to(16);
        }
        // What came meanwhile goes instead; if the thread ends, so does this.
        let _former = SPARE.try_with(|spare| spare.replace(Some(self)));
    }
}

/// Notes what the running coroutine waits for, so that it can be cancelled.
pub(crate) fn note(wait: &Rc<Await>) {
    let Ok(Some(coroutine)) = CURRENT.try_with(Cell::take) else { return };
    {
        let mut awaits = coroutine.awaits.borrow_mut();
        // Not each time: among many at once (`join_all`) that would be quadratic.
        if awaits.len() == awaits.capacity() {
            awaits.retain(|wait| wait.upgrade().is_some_and(|wait| !wait.is_over()));
            let count = awaits.len();
            awaits.reserve(count.max(4));
        }
        awaits.push(Rc::downgrade(wait));
    }
    if coroutine.is_let_go.get() {
        wait.let_go();
    }
    CURRENT.set(Some(coroutine));
}

thread_local! {
    /// The innermost coroutine that is being polled.
    static CURRENT: Cell<Option<Rc<Coroutine>>> = const { Cell::new(None) };
    static TABLE: RefCell<Table<Coroutine>> = const { RefCell::new(Table::new()) };
    static SPARE: Cell<Option<Box<Blank>>> = const { Cell::new(None) };
}

/// Drops a future. What it leaves is `slot`, or the panic of its destructor if that says more.
fn dispose<B: ?Sized>(body: Pin<Box<B>>, slot: Slot) -> Slot {
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(body))) else { return slot };
    match slot {
        Slot::Err(failure) if !failure.check::<Cancelled>() && !failure.check::<Abandoned>() => Slot::Err(failure),
        _ => Slot::panicked(payload),
    }
}

fn find(key: Key) -> Option<Rc<Coroutine>> {
    table::find(&TABLE, key)
}

fn remove(key: Key) -> Option<Rc<Coroutine>> {
    table::remove(&TABLE, key)
}

type AnyBody = Pin<Box<dyn Future<Output = Slot>>>;

struct Coroutine {
    /// `None` while it runs and after its end.
    body: Cell<Option<AnyBody>>,
    /// `None` during the first poll.
    target: RefCell<Option<Rc<Chain>>>,
    /// The Deferreds it awaits at present (and some that it no longer does).
    awaits: RefCell<Vec<Weak<Await>>>,
    /// It is to be polled when the scope closes that is open now.
    has_landed: Cell<bool>,
    /// It was woken while it ran.
    is_woken: Cell<bool>,
    /// It was cancelled while it ran: what it awaits next is cancelled.
    is_cancelled: Cell<Option<&'static Location<'static>>>,
    /// Its Deferred has no consumer any more, so its awaits hold what they wait for weakly.
    is_let_go: Cell<bool>,
}

impl Coroutine {
    /// The first poll, and more if it is woken meanwhile; `None` if it waits then.
    #[inline]
    fn begin<B: Future<Output = Slot> + ?Sized>(self: &Rc<Self>, mut body: Pin<&mut B>, waker: &Waker) -> Option<Slot> {
        loop {
            self.is_woken.set(false);
            match self.poll(body.as_mut(), waker) {
                Poll::Ready(slot) => return Some(slot),
                Poll::Pending if self.is_woken.get() => {}
                Poll::Pending if thread::note_home() || self.awaits_a_deferred() => return None,
                Poll::Pending => return Some(Slot::Err(Failure::new(NoHome))),
            }
        }
    }

    /// Polls it until it waits again.
    fn run(self: &Rc<Self>, waker: &Arc<CoroutineWaker>) {
        // Without a body it runs further down in this stack, or has ended.
        let Some(mut body) = self.body.take() else {
            self.is_woken.set(true);
            return;
        };
        if let Some(slot) = self.begin(body.as_mut(), &Waker::from(Arc::clone(waker))) {
            let slot = dispose(body, slot);
            remove(waker.key());
            self.end(slot);
            return;
        }
        self.body.set(Some(body));
        if let Some(place) = self.is_cancelled.take() {
            self.cancel(place);
        }
    }

    #[inline]
    fn poll<B: Future<Output = Slot> + ?Sized>(self: &Rc<Self>, body: Pin<&mut B>, waker: &Waker) -> Poll<Slot> {
        struct Current(Option<Rc<Coroutine>>);
        impl Drop for Current {
            fn drop(&mut self) {
                let _ended = CURRENT.try_with(|current| current.replace(self.0.take()));
            }
        }

        // If the thread ends nobody is noted.
        let _current = Current(CURRENT.try_with(|current| current.replace(Some(self.clone()))).ok().flatten());
        let polled = catch_unwind(AssertUnwindSafe(|| body.poll(&mut Context::from_waker(waker))));
        polled.unwrap_or_else(|payload| Poll::Ready(Slot::Err(Failure::from_panic(payload))))
    }

    fn end(&self, slot: Slot) {
        let target = self.target.take();
        if let Some(target) = target {
            // Nobody else fires it.
            let _ = target.fire(slot, target.created());
        }
    }

    /// Throws at the await; without one, drops the future.
    fn cancel(self: &Rc<Self>, place: &'static Location<'static>) {
        let Some(body) = self.body.take() else {
            self.is_cancelled.set(Some(place));
            return;
        };
        let awaits = self.live_awaits();
        if awaits.is_empty() {
            self.end(dispose(body, Slot::Err(Failure::at(place, Cancelled::default()))));
            return;
        }
        self.body.set(Some(body));
        for wait in awaits {
            wait.cancel(place);
        }
    }

    fn is_running(&self) -> bool {
        let body = self.body.take();
        let is_running = body.is_none();
        self.body.set(body);
        is_running
    }

    fn awaits_a_deferred(&self) -> bool {
        let mut awaits = self.awaits.borrow_mut();
        // From the end, and without those that it finds over: it is asked at each poll, and there may be many.
        while let Some(wait) = awaits.last() {
            if wait.upgrade().is_some_and(|wait| !wait.is_over()) {
                return true;
            }
            awaits.pop();
        }
        false
    }

    fn live_awaits(&self) -> Vec<Rc<Await>> {
        self.awaits.borrow().iter().filter_map(Weak::upgrade).filter(|wait| !wait.is_over()).collect()
    }

    /// Nobody can wake it any more.
    fn forsaken(&self) {
        let Some(body) = self.body.take() else { return };
        let is_detached = self.awaits_a_deferred();
        // What it awaited was detached, so that is what its Deferred is, too.
        let slot = if is_detached { Slot::Empty } else { Slot::Err(Failure::new(Abandoned)) };
        match dispose(body, slot) {
            Slot::Empty => {}
            slot => self.end(slot),
        }
    }
}

/// The canceller of a coroutine's Deferred.
struct Throw(Weak<Coroutine>);

impl Canceller for Throw {
    /// Makes the Deferred wait for a new one, which the end of the coroutine fires, and cancels what the coroutine
    /// awaits: it may go on, and be cancelled again.
    fn cancel(&mut self, chain: &Rc<Chain>, place: &'static Location<'static>) {
        let Some(coroutine) = self.0.upgrade() else { return };
        let target = Chain::new(place);
        target.set_canceller(Box::new(Throw(self.0.clone())));
        chain.wait_for(&target);
        let former = coroutine.target.replace(Some(target));
        drop(former);
        coroutine.cancel(place);
    }

    fn let_go(&mut self) {
        if let Some(coroutine) = self.0.upgrade() {
            coroutine.is_let_go.set(true);
            coroutine.live_awaits().iter().for_each(|wait| wait.let_go());
        }
    }
}

pin_project! {
    /// The future of a coroutine, untyped at its end.
    struct Body<F, G> {
        #[pin]
        future: F,
        into_slot: G,
    }
}

impl<F: Future, G: Fn(F::Output) -> Slot> Future for Body<F, G> {
    type Output = Slot;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Slot> {
        let this = self.project();
        this.future.poll(cx).map(this.into_slot)
    }
}
