//! What a runtime does about failures that nobody handles, besides reporting them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use rt_deferred::unhandled::{Observer, Unhandled};
use rt_deferred::{Abandoned, Cancelled};

use crate::context;

/// What a runtime does about a failure that nobody handles: that of a Deferred whose last handle is gone, or the panic
/// or error of a task or a blocking call whose [`JoinHandle`](crate::JoinHandle) is. It is reported in any case.
///
/// Counterpart: `tokio::runtime::UnhandledPanic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnhandledFailure {
    /// Nothing else. This is the default.
    #[default]
    Log,
    /// Every [`Runtime::block_on`](super::Runtime::block_on) panics, those that go on and those that come, so that the
    /// runtime is dropped, and its tasks with it.
    ShutdownRuntime,
    /// The process is aborted.
    Abort,
}

/// The failures of one runtime.
pub(crate) struct Failures {
    policy: UnhandledFailure,
    /// What was lost, if somebody collects it.
    collected: Option<Mutex<Vec<String>>>,
    lost: AtomicBool,
    /// Those that are in `block_on`, if it may have to end.
    watching: Mutex<Vec<Weak<Mutex<Option<Waker>>>>>,
}

impl Failures {
    pub(crate) fn new(policy: UnhandledFailure, collects: bool) -> Self {
        Self {
            policy,
            collected: collects.then(Mutex::default),
            lost: AtomicBool::new(false),
            watching: Mutex::default(),
        }
    }

    /// A failure has been reported by a thread of this runtime.
    fn add(&self, unhandled: &Unhandled) {
        if let Some(collected) = &self.collected {
            collected.lock().push(unhandled.to_string());
        }
        match self.policy {
            UnhandledFailure::Log => {}
            UnhandledFailure::ShutdownRuntime => {
                // SeqCst, and the lock after it: who registers later sees it.
                self.lost.store(true, Ordering::SeqCst);
                let watching = std::mem::take(&mut *self.watching.lock());
                for waker in watching.iter().filter_map(Weak::upgrade) {
                    let waker = waker.lock().take();
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                }
            }
            UnhandledFailure::Abort => process::abort(),
        }
    }

    /// What was collected, if there is anything.
    pub(crate) fn take_collected(&self) -> Vec<String> {
        self.collected.as_ref().map(|collected| std::mem::take(&mut *collected.lock())).unwrap_or_default()
    }

    /// Whether `block_on` has to [watch](Self::watch).
    pub(crate) fn may_shut_down(&self) -> bool {
        self.policy == UnhandledFailure::ShutdownRuntime
    }

    /// Drives `future` until a failure is lost, and panics then.
    pub(crate) async fn watch<F: Future>(&self, future: Pin<&mut F>) -> F::Output {
        let mut future = future;
        let place = Arc::new(Mutex::new(None));
        let output = poll_fn(|cx| {
            let former = place.lock().replace(cx.waker().clone());
            drop(former);
            let mut watching = self.watching.lock();
            watching.retain(|other| other.strong_count() > 0 && !other.ptr_eq(&Arc::downgrade(&place)));
            watching.push(Arc::downgrade(&place));
            drop(watching);
            if self.lost.load(Ordering::SeqCst) {
                return Poll::Ready(None);
            }
            future.as_mut().poll(cx).map(Some)
        });
        output.await.expect(
            "a failure was not handled (it was reported), and this runtime is to shut down then: see \
             `Builder::unhandled_failure`",
        )
    }
}

/// For failures that are lost anywhere in the process.
pub(crate) const OBSERVER: Observer = Observer {
    // What a runtime drops on its end is abandoned on purpose.
    is_reported: |unhandled| {
        let failure = &unhandled.failure;
        let is_end = context::handle().is_some_and(|handle| handle.shared().is_shut_down());
        !is_end || !(failure.check::<Abandoned>() || failure.check::<Cancelled>())
    },
    was_reported: |unhandled| {
        if let Some(handle) = context::handle() {
            handle.shared().failures().add(unhandled);
        }
    },
};
