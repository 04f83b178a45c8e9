//! The outside view of a reactor: what any thread may ask of it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;

use super::clock::Clock;
use super::driver::DriverHandle;
use super::remote::{Posted, RemoteTimer, Request, Requests};
use super::together::Together;
use super::wheel::Key;
use crate::primitives::atomic::AtomicBool;
use crate::primitives::atomic::Ordering::{Acquire, SeqCst};

/// Names a reactor; never used twice in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReactorId(u32);

#[derive(Debug)]
pub(crate) struct Handle {
    id: ReactorId,
    clock: Arc<Clock>,
    driver: Arc<DriverHandle>,
    pub(super) requests: Requests,
    /// The bell was rung. Only virtual time asks: it does not advance if somebody wants to be heard first.
    rung: AtomicBool,
    /// The reactors of this runtime, if there are several.
    together: OnceLock<Weak<Together>>,
}

/// The reactors that are alive. Not `crate::primitives`: a static cannot hold loom's mutex, and nothing is called under it.
static REACTORS: parking_lot::Mutex<BTreeMap<ReactorId, Weak<Handle>>> = parking_lot::Mutex::new(BTreeMap::new());
static NEXT_ID: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

impl ReactorId {
    /// The first of `count` names that follow one another.
    pub(super) fn block(count: u32) -> Self {
        use std::sync::atomic::Ordering::Relaxed;
        let id = NEXT_ID.fetch_update(Relaxed, Relaxed, |id| id.checked_add(count));
        Self(id.expect("too many runtimes: a process can make 4,294,967,295 reactors in its life"))
    }

    /// The name that comes `places` after this one.
    pub(super) fn plus(self, places: u32) -> Self {
        Self(self.0 + places)
    }

    /// How many places this comes after `first`. Far too many if it comes before.
    #[inline]
    pub(super) fn places_after(self, first: Self) -> usize {
        self.0.wrapping_sub(first.0) as usize
    }
}

impl Handle {
    pub(super) fn new(id: ReactorId, clock: Arc<Clock>, driver: Arc<DriverHandle>) -> Arc<Self> {
        let (requests, rung, together) = (Requests::default(), AtomicBool::new(false), OnceLock::new());
        let handle = Arc::new(Self { id, clock, driver, requests, rung, together });
        REACTORS.lock().insert(id, Arc::downgrade(&handle));
        handle
    }

    /// The handle of the reactor with this name, if it is alive.
    pub(crate) fn find(id: ReactorId) -> Option<Arc<Self>> {
        REACTORS.lock().get(&id)?.upgrade()
    }

    pub(super) fn forget(id: ReactorId) {
        REACTORS.lock().remove(&id);
    }

    pub(crate) fn id(&self) -> ReactorId {
        self.id
    }

    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Where sources are registered.
    pub(crate) fn driver(&self) -> &Arc<DriverHandle> {
        &self.driver
    }

    /// Rings the bell: a turn that waits, or the next one that would, returns.
    pub(crate) fn wake(&self) {
        // Before the bell: see `together`. At least Release, it pairs with the Acquire in `take_rung`.
        self.rung.store(true, SeqCst);
        self.driver.wake();
    }

    /// Rings the bells of all reactors of this runtime.
    pub(crate) fn wake_all(&self) {
        match self.together() {
            Some(together) => together.handles().for_each(|handle| handle.wake()),
            None => self.wake(),
        }
    }

    /// The reactors of this runtime, if there are several and they are alive.
    pub(crate) fn together(&self) -> Option<Arc<Together>> {
        self.together.get()?.upgrade()
    }

    pub(super) fn join(&self, together: &Arc<Together>) {
        let joined = self.together.set(Arc::downgrade(together));
        debug_assert!(joined.is_ok(), "reactors are made together once");
    }

    /// Whether the bell was rung since the last look.
    pub(super) fn take_rung(&self) -> bool {
        self.rung.swap(false, Acquire)
    }

    /// The same, and it stays so.
    pub(super) fn is_rung(&self) -> bool {
        self.rung.load(SeqCst)
    }

    /// A blocking call goes out: paused time does not advance by itself until `release_time`.
    pub(crate) fn hold_time(&self) {
        self.clock.hold();
    }

    /// A blocking call is back.
    pub(crate) fn release_time(&self) {
        if self.clock.release() {
            self.wake_all();
        }
    }

    /// Arms a timer from a thread that does not drive the reactor. None if the reactor is gone.
    pub(crate) fn arm_timer(&self, deadline: u64, waker: Waker) -> Option<Arc<RemoteTimer>> {
        let timer = RemoteTimer::new(deadline, waker);
        self.post(Request::Arm(Arc::clone(&timer))).then_some(timer)
    }

    /// Gives an armed timer another deadline.
    pub(crate) fn reschedule_timer(&self, key: Key, deadline: u64) {
        self.post(Request::Reschedule { key, deadline });
    }

    /// Takes an armed timer out of the wheel.
    pub(crate) fn cancel_timer(&self, key: Key) {
        self.post(Request::Cancel(key));
    }

    /// False: nobody serves requests any more.
    fn post(&self, request: Request) -> bool {
        match self.requests.post(request) {
            Posted::Ring => self.wake(),
            Posted::Nothing => {}
            Posted::Closed => return false,
        }
        true
    }
}
