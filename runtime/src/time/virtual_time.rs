//! A clock that tests can stop.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::{Instant, Sleep};
use crate::context::{self, NO_RUNTIME};
use crate::reactor::Handle;
use crate::reactor::clock::{Clock, nanos};

/// Stops the clock of this runtime; see [virtual time](crate::time#virtual-time).
///
/// [`Instant::now`] stands still from now on. When all tasks are idle, no event is ready and no blocking call is out, it
/// jumps to the next deadline. Clocks of other runtimes and [`std::time::Instant`] go on.
///
/// Counterpart: `tokio::time::pause`.
///
/// # Panics
///
/// If the clock is paused already; outside a runtime.
///
/// ```
/// use rt::time::{self, Duration, Instant};
///
/// rt::block_on(async {
///     time::pause();
///     let start = Instant::now();
///     time::sleep(Duration::from_secs(86_400)).await;
///     assert_eq!(start.elapsed(), Duration::from_secs(86_400));
/// });
/// ```
#[track_caller]
pub fn pause() {
    let handle = runtime();
    assert!(handle.clock().pause().is_ok(), "the clock is paused already: `pause` takes a clock that runs");
    tell(&handle);
}

/// Lets the clock of this runtime run on from where it stands.
///
/// Counterpart: `tokio::time::resume`.
///
/// # Panics
///
/// If the clock is not paused; outside a runtime.
///
/// ```
/// use rt::time::{self, Duration, Instant};
///
/// rt::block_on(async {
///     time::pause();
///     time::resume();
///     let start = Instant::now();
///     time::sleep(Duration::from_millis(1)).await;
///     assert!(start.elapsed() >= Duration::from_millis(1));
/// });
/// ```
#[track_caller]
pub fn resume() {
    let handle = runtime();
    assert!(handle.clock().resume().is_ok(), "the clock is not paused: `resume` takes one that is");
    tell(&handle);
}

/// Moves the paused clock of this runtime forward by `duration`.
///
/// On the way it stops at each deadline; what is due there runs at exactly that time, in order, and timers that it arms are
/// served if they are due on the way too. When this returns, the clock shows the old time plus `duration`. Blocking calls
/// that are out do not hold it up. On a thread that does not drive the runtime, such as one of the blocking pool, the clock
/// moves in one step, and what is due fires in order afterwards.
///
/// Counterpart: `tokio::time::advance`, which moves in one step.
///
/// # Panics
///
/// If the clock is not paused; outside a runtime.
///
/// # Cancel safety
///
/// If the future is dropped, the clock stays where it is then.
///
/// ```
/// use rt::time::{self, Duration, Instant};
///
/// rt::block_on(async {
///     time::pause();
///     let start = Instant::now();
///     let call = time::call_later(Duration::from_secs(1), || ());
///     time::advance(Duration::from_secs(2)).await;
///     assert!(!call.is_active());
///     assert_eq!(start.elapsed(), Duration::from_secs(2));
/// });
/// ```
pub async fn advance(duration: Duration) {
    let handle = runtime();
    assert!(handle.clock().is_paused(), "the clock is not paused: call `pause` before `advance`");
    let goal = Instant::from_std(handle.clock().now()).saturating_add(duration);
    if drives(&handle) {
        let _goal = Goal::set(&handle, goal);
        // The clock may have been resumed meanwhile; then this is an ordinary sleep.
        let mut sleep = Sleep::until(goal);
        poll_fn(|cx| sleep.poll_fired(cx)).await;
    } else {
        handle.clock().advance_to(goal.into_std());
        handle.wake_all();
    }
    yield_once().await;
}

/// Has the clock step towards a time for as long as this lives.
struct Goal {
    clock: Arc<Clock>,
    time: u64,
}

impl Goal {
    fn set(handle: &Handle, time: Instant) -> Self {
        let (clock, time) = (Arc::clone(handle.clock()), nanos(time.into_std()));
        clock.set_goal(time);
        Self { clock, time }
    }
}

impl Drop for Goal {
    fn drop(&mut self) {
        self.clock.drop_goal(self.time);
    }
}

/// The reactor of this runtime, from outside.
#[track_caller]
fn runtime() -> Arc<Handle> {
    match context::reactor_handle() {
        Some(handle) => handle,
        None => panic!("{NO_RUNTIME}"),
    }
}

/// Whether this thread drives a reactor of the runtime.
fn drives(handle: &Handle) -> bool {
    let drives = context::with_reactor(|reactor| reactor.id() == handle.id() || reactor.sibling(handle.id()).is_some());
    drives == Some(true)
}

/// Reactors that wait by the old clock have to look at the new one.
fn tell(handle: &Handle) {
    if handle.together().is_some() || !drives(handle) {
        handle.wake_all();
    }
}

/// Lets what was woken run before the caller.
fn yield_once() -> impl Future<Output = ()> {
    let mut yielded = false;
    poll_fn(move |cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}
