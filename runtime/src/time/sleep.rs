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
use crate::reactor::{Handle, Key, Reactor, ReactorId, RemoteTimer};

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
/// Counterpart: `tokio::time::Sleep`, but this one is `Unpin`.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Sleep {
    deadline: Instant,
    /// Whose clock counts.
    home: ReactorId,
    armed: Armed,
}

/// Where a timer waits for the deadline.
#[derive(Debug, Default)]
enum Armed {
    #[default]
    No,
    /// In the wheel of this reactor, put there by the thread that drives it. The entry may have expired.
    Here { reactor: ReactorId, key: Key },
    /// Asked for at home by a thread that does not drive it.
    Remote(Arc<RemoteTimer>),
}

impl Sleep {
    #[inline]
    #[track_caller]
    pub(crate) fn after(duration: Duration) -> Self {
        let (home, now) = match on_own_reactor(|reactor| (reactor.id(), reactor.now())) {
            Some(here) => here,
            None => entered(|handle| (handle.id(), handle.clock().now())),
        };
        Self { deadline: Instant::from_std(now).saturating_add(duration), home, armed: Armed::No }
    }

    #[inline]
    #[track_caller]
    pub(crate) fn until(deadline: Instant) -> Self {
        let home = match on_own_reactor(Reactor::id) {
            Some(here) => here,
            None => entered(Handle::id),
        };
        Self { deadline, home, armed: Armed::No }
    }

    /// When this is ready.
    pub fn deadline(&self) -> Instant {
        self.deadline
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
        self.deadline = deadline;
        match &self.armed {
            Armed::No => {}
            &Armed::Here { reactor, key } => {
                let armed = on_reactor(reactor, |reactor| reactor.reschedule(key, deadline.into_std()));
                let armed = armed.or_else(|| {
                    Handle::find(reactor)?.reschedule_timer(key, deadline.into_std());
                    Some(true)
                });
                if armed != Some(true) {
                    self.armed = Armed::No;
                }
            }
            Armed::Remote(timer) => {
                let remains = timer.cancel();
                self.armed = Armed::No;
                if let Some(handle) = Handle::find(self.home) {
                    remains.key.into_iter().for_each(|key| handle.cancel_timer(key));
                    let timer = remains.waker.and_then(|waker| handle.arm_timer(deadline.into_std(), waker));
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
        let waits = match self.armed {
            Armed::No => context::with_reactor(|reactor| {
                reactor.id() == self.home && {
                    self.arm_on(reactor, cx);
                    true
                }
            }),
            Armed::Here { reactor, key } => on_reactor(reactor, |reactor| reactor.set_waker(key, cx.waker())),
            Armed::Remote(_) => None,
        };
        if waits == Some(true) { Poll::Pending } else { self.poll_elapsed(cx) }
    }

    /// On the thread that drives `reactor`. None: that is not where this can wait.
    #[inline]
    fn poll_on(&mut self, reactor: &Reactor, cx: &Context<'_>) -> Option<Poll<()>> {
        if reactor.id() != self.home && !self.may_wait_on(reactor) {
            return None;
        }
        let deadline = self.deadline.into_std();
        if reactor.has_seen(deadline) {
            match self.armed {
                // The common case does not touch the memory of the entry, which has gone cold.
                Armed::Here { reactor: id, .. } if id == reactor.id() && reactor.has_fired(deadline) => {
                    self.armed = Armed::No;
                }
                _ => self.disarm(),
            }
            return Some(Poll::Ready(()));
        }
        match self.armed {
            Armed::Here { reactor: id, key } if id == reactor.id() && reactor.set_waker(key, cx.waker()) => {}
            _ => self.arm_on(reactor, cx),
        }
        Some(Poll::Pending)
    }

    #[inline]
    fn arm_on(&mut self, reactor: &Reactor, cx: &Context<'_>) {
        self.disarm();
        let key = reactor.arm(self.deadline.into_std(), cx.waker());
        self.armed = Armed::Here { reactor: reactor.id(), key };
    }

    /// A reactor of another runtime will do if the same clock drives both.
    #[cold]
    fn may_wait_on(&self, reactor: &Reactor) -> bool {
        reactor.clock().is_real()
            && match Handle::find(self.home) {
                Some(home) => home.clock().is_real(),
                None => matches!(self.armed, Armed::Here { reactor: id, .. } if id == reactor.id()),
            }
    }

    /// On a thread that does not drive a reactor which would do: waits at home, from outside.
    #[cold]
    fn poll_remote(&mut self, cx: &Context<'_>) -> Poll<()> {
        let deadline = self.deadline.into_std();
        let Some(home) = Handle::find(self.home) else {
            assert!(std::time::Instant::now() >= deadline, "{RUNTIME_GONE}");
            return Poll::Ready(());
        };
        if home.clock().now() >= deadline {
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
    #[inline]
    fn disarm(&mut self) {
        if let Armed::Here { reactor, key } = self.armed {
            let here = on_reactor(reactor, |reactor| drop(reactor.cancel(key)));
            if here.is_some() {
                self.armed = Armed::No;
                return;
            }
        }
        if !matches!(self.armed, Armed::No) {
            self.disarm_remote();
        }
    }

    #[cold]
    fn disarm_remote(&mut self) {
        let (reactor, key) = match mem::take(&mut self.armed) {
            Armed::No => return,
            Armed::Here { reactor, key } => (reactor, Some(key)),
            Armed::Remote(timer) => (self.home, timer.cancel().key),
        };
        if let Some(key) = key
            && let Some(handle) = Handle::find(reactor)
        {
            handle.cancel_timer(key);
        }
    }

    /// The time by the clock that counts.
    fn now(&self) -> Instant {
        on_reactor(self.home, Reactor::now)
            .or_else(|| Some(Handle::find(self.home)?.clock().now()))
            .map_or_else(|| std::time::Instant::now().into(), Instant::from_std)
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
