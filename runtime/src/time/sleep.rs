//! A future that is ready at a given time.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::Instant;
use crate::context::{self, NO_RUNTIME};
use crate::coop;
use crate::reactor::clock::{instant, length, nanos};
use crate::reactor::{Handle, Key, Reactor, ReactorId, RemoteTimer};

/// About 30 years: later than anybody waits, and near enough that some more can be added.
const FAR: u64 = 30 * 365 * 86_400 * 1_000_000_000;

const RUNTIME_GONE: &str = "a `Sleep` cannot wait: the runtime in which it was made has been shut down";

/// Waits until `duration` has passed since this call.
///
/// A duration too long for the clock, such as [`Duration::MAX`], means some 30 years. Zero does not wait.
///
/// Counterpart: `tokio::time::sleep`.
///
/// # Panics
///
/// Outside a runtime; when polled, if the runtime was shut down before the time came.
///
/// # Cancel safety
///
/// Dropping the future takes the timer out at once.
///
/// ```
/// use rt::time::{Duration, Instant, sleep};
///
/// rt::block_on(async {
///     let start = Instant::now();
///     sleep(Duration::from_millis(2)).await;
///     assert!(start.elapsed() >= Duration::from_millis(2));
/// });
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::after(duration)
}

/// Waits until `deadline`. One in the past does not wait.
///
/// Counterpart: `tokio::time::sleep_until`.
///
/// # Panics
///
/// Outside a runtime; when polled, if the runtime was shut down before the time came.
///
/// # Cancel safety
///
/// Dropping the future takes the timer out at once.
///
/// ```
/// use rt::time::{Duration, Instant, sleep_until};
///
/// rt::block_on(async {
///     let deadline = Instant::now() + Duration::from_millis(2);
///     sleep_until(deadline).await;
///     assert!(Instant::now() >= deadline);
/// });
/// ```
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::until(deadline)
}

/// The future of [`sleep`] and [`sleep_until`].
///
/// It takes no memory outside itself until it is polled for the first time. It may be moved to other threads, also between
/// polls. After it has been ready it stays ready, until it is [`reset`](Self::reset).
///
/// It belongs to the runtime in which it was made, whose clock counts. Polled by another runtime before its time, it moves
/// there for good, if the clocks of both have never been paused.
///
/// Counterpart: `tokio::time::Sleep`, but this one is `Unpin`.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Sleep {
    /// As timers count.
    deadline: u64,
    /// Whose clock counts, and where it is armed.
    home: ReactorId,
    /// Of the entry, if it is armed here.
    index: u32,
    armed: Armed,
}

/// Where a timer waits for the deadline.
#[derive(Debug, Default)]
enum Armed {
    #[default]
    No,
    /// In the wheel at home, put there by the thread that drives it. The entry, of this generation, may have expired.
    Here(u64),
    /// Asked for at home by a thread that does not drive it.
    Remote(Arc<RemoteTimer>),
}

impl Sleep {
    #[inline]
    #[track_caller]
    pub(crate) fn after(duration: Duration) -> Self {
        let (home, now) = match on_own_reactor(|reactor| (reactor.id(), reactor.now_nanos())) {
            Some(here) => here,
            None => entered(|handle| (handle.id(), handle.clock().now_nanos())),
        };
        Self::new(home, now.checked_add(length(duration)).unwrap_or(now.saturating_add(FAR)))
    }

    #[inline]
    #[track_caller]
    pub(crate) fn until(deadline: Instant) -> Self {
        let home = match on_own_reactor(Reactor::id) {
            Some(here) => here,
            None => entered(Handle::id),
        };
        Self::new(home, nanos(deadline.into_std()))
    }

    #[inline]
    fn new(home: ReactorId, deadline: u64) -> Self {
        Self { deadline, home, index: 0, armed: Armed::No }
    }

    /// When this is ready. A deadline that is further away than 400 years shows as one that is not.
    pub fn deadline(&self) -> Instant {
        instant(self.deadline).into()
    }

    /// Whether the deadline has passed, by the clock.
    pub fn is_elapsed(&self) -> bool {
        self.now() >= self.deadline
    }

    /// Gives it another deadline, before or after it was ready.
    ///
    /// Who is waiting for it will be woken at the new deadline, unless it has been woken already: then it waits again when
    /// it is polled.
    ///
    /// ```
    /// use rt::time::{Duration, Instant, sleep};
    /// use std::pin::pin;
    ///
    /// rt::block_on(async {
    ///     let mut sleep = pin!(sleep(Duration::from_secs(3600)));
    ///     sleep.as_mut().reset(Instant::now() + Duration::from_millis(1));
    ///     sleep.await;
    /// });
    /// ```
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        self.get_mut().reset_to(deadline);
    }

    /// As `reset`.
    pub(crate) fn reset_to(&mut self, deadline: Instant) {
        let deadline = nanos(deadline.into_std());
        self.deadline = deadline;
        match &self.armed {
            Armed::No => {}
            &Armed::Here(generation) => {
                let key = self.key(generation);
                let armed = on_reactor(self.home, |reactor| reactor.reschedule(key, deadline));
                let armed = armed.or_else(|| context::with_reactor(|reactor| self.move_to(reactor))?);
                let armed = armed.or_else(|| {
                    Handle::find(self.home)?.reschedule_timer(key, deadline);
                    Some(true)
                });
                if armed != Some(true) {
                    self.armed = Armed::No;
                }
            }
            Armed::Remote(timer) => {
                let timer = Arc::clone(timer);
                if context::with_reactor(|reactor| self.move_to(reactor)).flatten().is_some() {
                    return;
                }
                let remains = timer.cancel();
                self.armed = Armed::No;
                if let Some(handle) = Handle::find(self.home) {
                    remains.key.into_iter().for_each(|key| handle.cancel_timer(key));
                    let timer = remains.waker.and_then(|waker| handle.arm_timer(deadline, waker));
                    self.armed = timer.map_or(Armed::No, Armed::Remote);
                }
            }
        }
    }

    /// Ready when the deadline has passed, whatever the cooperative budget says.
    #[inline]
    pub(crate) fn poll_elapsed(&mut self, cx: &Context<'_>) -> Poll<()> {
        match context::with_reactor(|reactor| self.poll_on(reactor, cx)) {
            Some(Some(poll)) => poll,
            _ => self.poll_remote(cx),
        }
    }

    /// As `poll_elapsed`, but ready only when its turn has come among all timers of the reactor, in the order of deadlines,
    /// even if the clock is known to be past the deadline.
    pub(crate) fn poll_fired(&mut self, cx: &Context<'_>) -> Poll<()> {
        let waits = context::with_reactor(|reactor| match self.armed {
            Armed::No => {
                let here = reactor.id() == self.home || self.moves_to(reactor);
                if here {
                    self.arm_on(reactor, cx);
                }
                here
            }
            Armed::Here(_) => {
                let here = reactor.id() == self.home || self.move_to(reactor) == Some(true);
                let Armed::Here(generation) = self.armed else { return false };
                here && reactor.set_waker(self.key(generation), cx.waker())
            }
            Armed::Remote(_) => false,
        });
        if waits == Some(true) { Poll::Pending } else { self.poll_elapsed(cx) }
    }

    /// On the thread that drives `reactor`. None: that is not where this can wait.
    #[inline]
    fn poll_on(&mut self, reactor: &Reactor, cx: &Context<'_>) -> Option<Poll<()>> {
        if reactor.id() != self.home && !self.moves_to(reactor) {
            return None;
        }
        // One that is armed will be fired in time; before arming, a look at the clock may be due.
        let is_over = match self.armed {
            Armed::Here(_) => reactor.has_seen(self.deadline),
            _ => reactor.has_come(self.deadline),
        };
        if is_over {
            match self.armed {
                // The common case does not touch the memory of the entry, which has gone cold.
                Armed::Here(_) if reactor.has_fired(self.deadline) => self.armed = Armed::No,
                _ => self.disarm(),
            }
            return Some(Poll::Ready(()));
        }
        match self.armed {
            Armed::Here(generation) if reactor.set_waker(self.key(generation), cx.waker()) => {}
            // Another worker has fired it, which knew a later time than this one.
            Armed::Here(_) if reactor.now_nanos() >= self.deadline => {
                self.armed = Armed::No;
                return Some(Poll::Ready(()));
            }
            _ => self.arm_on(reactor, cx),
        }
        Some(Poll::Pending)
    }

    #[inline]
    fn arm_on(&mut self, reactor: &Reactor, cx: &Context<'_>) {
        self.disarm();
        let Key { index, generation } = reactor.arm(self.deadline, cx.waker().clone());
        self.index = index;
        self.armed = Armed::Here(generation);
    }

    /// If it is armed at a sibling of `reactor`, arms it here in its stead, for the same waker. False: it was no longer armed. None:
    /// the home is no sibling.
    #[cold]
    #[inline(never)]
    fn move_to(&mut self, reactor: &Reactor) -> Option<bool> {
        let home = reactor.sibling(self.home)?;
        let waker = match mem::take(&mut self.armed) {
            Armed::No => None,
            Armed::Here(generation) => home.cancel(self.key(generation)),
            Armed::Remote(timer) => {
                let remains = timer.cancel();
                drop(remains.key.and_then(|key| home.cancel(key)));
                remains.waker
            }
        };
        self.home = reactor.id();
        let armed = waker.map(|waker| reactor.arm(self.deadline, waker));
        if let Some(Key { index, generation }) = armed {
            self.index = index;
            self.armed = Armed::Here(generation);
        }
        Some(armed.is_some())
    }

    /// Another reactor becomes the home if the same clock drives both: that of the runtime, or the system's.
    #[cold]
    #[inline(never)]
    fn moves_to(&mut self, reactor: &Reactor) -> bool {
        let counts_alike = || Handle::find(self.home).is_some_and(|home| home.clock().is_real());
        let moves = reactor.sibling(self.home).is_some() || reactor.clock().is_real() && counts_alike();
        if moves {
            self.disarm();
            self.home = reactor.id();
        }
        moves
    }

    /// On a thread that does not drive a reactor which would do: waits at home, from outside.
    #[cold]
    fn poll_remote(&mut self, cx: &Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let Some(home) = Handle::find(self.home) else {
            assert!(nanos(std::time::Instant::now()) >= deadline, "{RUNTIME_GONE}");
            return Poll::Ready(());
        };
        if home.clock().now_nanos() >= deadline {
            self.disarm();
            return Poll::Ready(());
        }
        if let Armed::Remote(timer) = &self.armed
            && timer.set_waker(cx.waker())
        {
            return Poll::Pending;
        }
        // It is armed elsewhere, or it has fired since the look at the clock: then arming it again wakes at once.
        self.disarm();
        let timer = home.arm_timer(deadline, cx.waker().clone()).expect(RUNTIME_GONE);
        self.armed = Armed::Remote(timer);
        Poll::Pending
    }

    /// Takes the timer out of wherever it is.
    #[inline(always)]
    fn disarm(&mut self) {
        if !matches!(self.armed, Armed::No) {
            self.disarm_armed();
        }
    }

    #[inline(never)]
    fn disarm_armed(&mut self) {
        if let Armed::Here(generation) = self.armed {
            let key = self.key(generation);
            let here = on_reactor(self.home, |reactor| drop(reactor.cancel(key)));
            if here.is_some() {
                self.armed = Armed::No;
                return;
            }
        }
        self.disarm_remote();
    }

    #[cold]
    #[inline(never)]
    fn disarm_remote(&mut self) {
        let key = match mem::take(&mut self.armed) {
            Armed::No => return,
            Armed::Here(generation) => Some(self.key(generation)),
            Armed::Remote(timer) => timer.cancel().key,
        };
        let Some(key) = key else { return };
        let removed = context::with_reactor(|reactor| reactor.sibling(self.home).map(|home| home.cancel(key)));
        if removed.flatten().is_none()
            && let Some(handle) = Handle::find(self.home)
        {
            handle.cancel_timer(key);
        }
    }

    /// Of the entry, if it is armed here.
    #[inline]
    fn key(&self, generation: u64) -> Key {
        Key { index: self.index, generation }
    }

    /// The time by the clock that counts.
    fn now(&self) -> u64 {
        let here = |reactor: &Reactor| reactor.id() == self.home || reactor.sibling(self.home).is_some();
        context::with_reactor(|reactor| here(reactor).then(|| reactor.now_nanos()))
            .flatten()
            .or_else(|| Some(Handle::find(self.home)?.clock().now_nanos()))
            .unwrap_or_else(|| nanos(std::time::Instant::now()))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_elapsed(cx));
        coop::poll_proceed(cx)
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        self.disarm();
    }
}

/// Calls `f` if this thread drives the reactor of this name.
#[inline]
fn on_reactor<R>(id: ReactorId, f: impl FnOnce(&Reactor) -> R) -> Option<R> {
    context::with_reactor(|reactor| (reactor.id() == id).then(|| f(reactor)))?
}

/// Calls `f` if this thread drives the runtime that it is in: another one may have been entered meanwhile.
#[inline]
pub(super) fn on_own_reactor<R>(f: impl FnOnce(&Reactor) -> R) -> Option<R> {
    if context::has_entered() { None } else { context::with_reactor(f) }
}

/// Asks the runtime that this thread is in, without driving it.
#[cold]
#[track_caller]
fn entered<R>(f: impl FnOnce(&Handle) -> R) -> R {
    match context::reactor_handle() {
        Some(handle) => f(&handle),
        None => panic!("{NO_RUNTIME}"),
    }
}
